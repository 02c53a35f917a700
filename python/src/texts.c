/* SPDX-License-Identifier: Apache-2.0
 * Python's strings as Arrow lays them out: bytes one after another, and where each begins. */
#include <math.h>
#include <string.h>

#include "core.h"

enum { HAS_NONE = 1, HAS_NAN = 2 }; /* how missing ones are written */

struct joining {
    PyObject *cells; /* a list, which nobody else sees while the GIL is held */
    Py_ssize_t n, texts;
    int kinds;
    int64_t *offsets; /* n + 1 */
    PyObject *offsets_bytes, *missing;
};

/* One cell's length. 1: taken, 0: neither a string nor a missing one, -1: an exception. */
static int measure(struct joining *j, Py_ssize_t i)
{
    PyObject *cell = PyList_GetItem(j->cells, i);
    Py_ssize_t size = 0;
    if (cell == NULL) return -1;
    if (PyUnicode_CheckExact(cell)) {
        if (PyUnicode_AsUTF8AndSize(cell, &size) == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
            PyErr_Clear(); /* a lone surrogate */
            return 0;
        }
        j->texts++;
    } else {
        if (cell == Py_None)
            j->kinds |= HAS_NONE;
        else if (PyFloat_Check(cell) && isnan(PyFloat_AsDouble(cell)))
            j->kinds |= HAS_NAN;
        else
            return 0;
        if (j->missing == NULL) {
            j->missing = PyBytes_FromStringAndSize(NULL, j->n);
            if (j->missing == NULL) return -1;
            memset(PyBytes_AsString(j->missing), 0, (size_t)j->n);
        }
        PyBytes_AsString(j->missing)[i] = 1;
    }
    j->offsets[i + 1] = j->offsets[i] + size;
    return 1;
}

static PyObject *copy(const struct joining *j)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)j->offsets[j->n]);
    char *to = bytes != NULL ? PyBytes_AsString(bytes) : NULL;
    for (Py_ssize_t i = 0; bytes != NULL && i < j->n; i++) {
        PyObject *cell = PyList_GetItem(j->cells, i);
        Py_ssize_t size;
        if (cell == NULL || !PyUnicode_CheckExact(cell)) continue;
        const char *text = PyUnicode_AsUTF8AndSize(cell, &size);
        if (text == NULL || size != j->offsets[i + 1] - j->offsets[i])
            Py_CLEAR(bytes);
        else
            memcpy(to + j->offsets[i], text, (size_t)size);
    }
    return bytes;
}

PyObject *qn_py_join_texts(PyObject *module, PyObject *cells)
{
    struct joining j = {.cells = cells};
    PyObject *data = NULL, *made = NULL;
    int taken = 1;
    (void)module;
    if (!PyList_Check(cells)) {
        PyErr_SetString(PyExc_TypeError, "cells: a list is needed");
        return NULL;
    }
    j.n = PyList_Size(cells);
    if (j.n > PY_SSIZE_T_MAX / 8 - 1) return PyErr_NoMemory();
    j.offsets_bytes = PyBytes_FromStringAndSize(NULL, (j.n + 1) * 8);
    if (j.offsets_bytes == NULL) return NULL;
    j.offsets = (int64_t *)(void *)PyBytes_AsString(j.offsets_bytes);
    j.offsets[0] = 0;
    for (Py_ssize_t i = 0; i < j.n && taken == 1; i++) taken = measure(&j, i);
    if (taken == 1 && (data = copy(&j)) != NULL)
        made = Py_BuildValue("(OOOin)", j.offsets_bytes, data,
                             j.missing != NULL ? j.missing : Py_None, j.kinds, j.texts);
    else if (taken == 0)
        made = Py_NewRef(Py_None);
    Py_XDECREF(data);
    Py_XDECREF(j.missing);
    Py_DECREF(j.offsets_bytes);
    return made;
}
