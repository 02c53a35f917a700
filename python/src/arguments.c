/* SPDX-License-Identifier: Apache-2.0
 * Arguments of fast calls. PyArg_ParseTupleAndKeywords wants a tuple and a dictionary, which a
 * vectorcall does not have; this sorts them in place, at a few nanoseconds each. */
#include <string.h>

#include "core.h"

static int keyword(const struct qn_py_signature *s, PyObject *name, PyObject *value, PyObject **out)
{
    for (int i = 0; i < s->count; i++) {
        if (PyUnicode_CompareWithASCIIString(name, s->names[i]) != 0) continue;
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", s->function,
                         s->names[i]);
            return -1;
        }
        out[i] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", s->function,
                 name);
    return -1;
}

int qn_py_arguments(const struct qn_py_signature *s, PyObject *const *args, Py_ssize_t n,
                    PyObject *names, PyObject **out)
{
    Py_ssize_t named = names != NULL ? PyTuple_Size(names) : 0;
    if (n > s->count) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments (%zd given)", s->function,
                     s->count, n);
        return -1;
    }
    for (int i = 0; i < s->count; i++) out[i] = i < n ? args[i] : NULL;
    for (Py_ssize_t i = 0; i < named; i++)
        if (keyword(s, PyTuple_GetItem(names, i), args[n + i], out) < 0) return -1;
    for (int i = 0; i < s->required; i++) {
        if (out[i] != NULL) continue;
        PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s' (pos %d)", s->function,
                     s->names[i], i + 1);
        return -1;
    }
    return 0;
}

const char *qn_py_text(PyObject *text, const char *what)
{
    Py_ssize_t size;
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.200R", what, Py_TYPE(text));
        return NULL;
    }
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 != NULL && strlen(utf8) != (size_t)size) {
        PyErr_Format(PyExc_ValueError, "%s has a zero character in it", what);
        return NULL;
    }
    return utf8;
}

int qn_py_optional_text(PyObject *text, const char *what, const char **out)
{
    *out = NULL;
    if (text == NULL || text == Py_None) return 0;
    *out = qn_py_text(text, what);
    return *out != NULL ? 0 : -1;
}

int qn_py_names(PyObject *sequence, Py_ssize_t count, const char ***names, PyObject **keep)
{
    *names = NULL;
    *keep = NULL;
    if (sequence == NULL || sequence == Py_None) return 0;
    PyObject *list = PySequence_List(sequence);
    if (list == NULL) return -1;
    const char **texts = NULL;
    if (PyList_Size(list) != count) {
        PyErr_Format(PyExc_ValueError, "%zd names for %zd columns", PyList_Size(list), count);
        goto failed;
    }
    texts = PyMem_Calloc((size_t)count + 1, sizeof *texts);
    if (texts == NULL) {
        PyErr_NoMemory();
        goto failed;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        texts[i] = qn_py_text(PyList_GetItem(list, i), "a column's name");
        if (texts[i] == NULL) goto failed;
    }
    *names = texts;
    *keep = list;
    return 0;
failed:
    PyMem_Free(texts);
    Py_DECREF(list);
    return -1;
}

int qn_py_flag(PyObject *value, int otherwise)
{
    return value == NULL ? otherwise : PyObject_IsTrue(value);
}

int qn_py_is(PyObject *object, PyTypeObject *type, const char *what)
{
    if (Py_IS_TYPE(object, type)) return 1;
    PyErr_Format(PyExc_TypeError, "a %s is needed, not %.200R", what, Py_TYPE(object));
    return 0;
}

PyObject *qn_py_string(const char *text)
{
    if (text == NULL) Py_RETURN_NONE;
    return PyUnicode_FromString(text);
}
