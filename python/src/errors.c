/* SPDX-License-Identifier: Apache-2.0
 * From a status to an exception. */
#include <string.h>

#include "core.h"

static PyObject *exception_of(const struct qn_py_state *state, quern_status status)
{
    switch (status) {
    case QUERN_INVALID:
    case QUERN_CORRUPT: return PyExc_ValueError;
    case QUERN_UNSUPPORTED: return state->unsupported;
    case QUERN_OUT_OF_MEMORY: return PyExc_MemoryError;
    case QUERN_NO_DEVICE:
    case QUERN_DEVICE_LOST: return state->device_error;
    case QUERN_IO: return PyExc_OSError;
    case QUERN_CANCELLED: return PyExc_KeyboardInterrupt;
    default: return PyExc_RuntimeError;
    }
}

PyObject *qn_py_raise(const struct qn_py_state *state, quern_status status)
{
    const char *text = quern_last_error();
    if (text[0] == '\0') text = quern_status_text(status);
    /* a sentence may quote bytes of a file, and a cut may fall inside a character */
    PyObject *sentence = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (sentence == NULL) return NULL;
    PyErr_SetObject(exception_of(state, status), sentence);
    Py_DECREF(sentence);
    return NULL;
}
