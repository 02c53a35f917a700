/* SPDX-License-Identifier: Apache-2.0
 * Views of memory that belongs to other objects: by the buffer protocol, by __array_interface__, by
 * __dlpack__, whichever the object has first. Nothing is copied here. */
#include <string.h>

#include "core.h"

/* ---- types ---- */

static const struct {
    const char *name, *format, *typestr;
    size_t bytes;
} types[] = {
    [QUERN_BOOL] = {"bool", "?", "|b1", 1},         [QUERN_INT8] = {"int8", "b", "|i1", 1},
    [QUERN_INT16] = {"int16", "h", "<i2", 2},       [QUERN_INT32] = {"int32", "i", "<i4", 4},
    [QUERN_INT64] = {"int64", "l", "<i8", 8},       [QUERN_UINT8] = {"uint8", "B", "|u1", 1},
    [QUERN_UINT16] = {"uint16", "H", "<u2", 2},     [QUERN_UINT32] = {"uint32", "I", "<u4", 4},
    [QUERN_UINT64] = {"uint64", "L", "<u8", 8},     [QUERN_FLOAT32] = {"float32", "f", "<f4", 4},
    [QUERN_FLOAT64] = {"float64", "d", "<f8", 8},   [QUERN_STRING] = {"string", "B", "|u1", 0},
    [QUERN_DATETIME] = {"datetime", "l", "<i8", 8},
};
_Static_assert(sizeof(long) == 8, "the formats l and L are of eight bytes");

size_t qn_py_type_bytes(quern_type type)
{
    return types[type].bytes;
}

const char *qn_py_type_name(quern_type type)
{
    return types[type].name;
}

const char *qn_py_type_format(quern_type type)
{
    return types[type].format;
}

const char *qn_py_type_typestr(quern_type type)
{
    return types[type].typestr;
}

int qn_py_type_of(char kind, size_t bytes)
{
    static const int ints[] = {
        [1] = QUERN_INT8, [2] = QUERN_INT16, [4] = QUERN_INT32, [8] = QUERN_INT64};
    if (bytes == 0 || bytes > 8 || (bytes & (bytes - 1)) != 0) return -1;
    switch (kind) {
    case 'b': return bytes == 1 ? QUERN_BOOL : -1;
    case 'i': return ints[bytes];
    case 'u': return ints[bytes] + (QUERN_UINT8 - QUERN_INT8);
    case 'f': return bytes == 4 ? QUERN_FLOAT32 : bytes == 8 ? QUERN_FLOAT64 : -1;
    default: return -1;
    }
}

static int wrong_type(const char *what, const char *type)
{
    PyErr_Format(PyExc_TypeError,
                 "%s: values of type %s; what is read are bool, integers, float32 and float64",
                 what, type);
    return -1;
}

static int wrong_order(const char *what)
{
    PyErr_Format(PyExc_ValueError,
                 "%s: values in the byte order of other machines; convert them first, as with "
                 "x.astype(x.dtype.newbyteorder(\"=\"))",
                 what);
    return -1;
}

/* ---- the buffer protocol ---- */

/* Letters of the struct module; sizes are the exporter's word. */
static char kind_of(char letter)
{
    if (letter == '?') return 'b';
    if (letter != '\0' && strchr("bhilqn", letter) != NULL) return 'i';
    if (letter != '\0' && strchr("BHILQN", letter) != NULL) return 'u';
    if (letter == 'f' || letter == 'd') return 'f';
    return '\0';
}

static int type_of_format(const char *format, size_t bytes, const char *what)
{
    const char *letter = format != NULL ? format : "B";
    int swapped = 0;
    if (*letter != '\0' && strchr("@=<>!", *letter) != NULL) {
        swapped = *letter == '>' || *letter == '!';
        letter++;
    }
    int type = letter[0] != '\0' && letter[1] == '\0' ? qn_py_type_of(kind_of(*letter), bytes) : -1;
    if (type < 0) return wrong_type(what, format != NULL ? format : "B");
    if (swapped && bytes > 1) return wrong_order(what);
    return type;
}

static int wrong_dimensions(const char *what, int ndim)
{
    PyErr_Format(PyExc_ValueError, "%s: %d dimensions; 1 or 2 are needed", what, ndim);
    return -1;
}

static int from_buffer(PyObject *object, int mode, const char *what, struct qn_py_view *v)
{
    int flags = mode == QN_PY_WRITE ? PyBUF_RECORDS : PyBUF_RECORDS_RO;
    if (PyObject_GetBuffer(object, &v->buffer, flags) < 0) {
        v->buffer.obj = NULL;
        return -1;
    }
    const Py_buffer *b = &v->buffer;
    if (b->ndim < 1 || b->ndim > 2) return wrong_dimensions(what, b->ndim);
    int type = type_of_format(b->format, (size_t)b->itemsize, what);
    if (type < 0) return -1;
    v->type = (quern_type)type;
    v->data = b->buf;
    v->ndim = b->ndim;
    v->readonly = b->readonly;
    for (int i = 0; i < b->ndim; i++) {
        v->shape[i] = b->shape[i];
        v->strides[i] = b->strides[i];
    }
    return 0;
}

/* ---- __array_interface__ ---- */

/* Integers of a tuple; -1: an exception, or not such a tuple. */
static int integers(PyObject *tuple, int64_t *out, const char *what)
{
    Py_ssize_t n = tuple != NULL && PyTuple_Check(tuple) ? PyTuple_Size(tuple) : -1;
    if (n < 0) {
        PyErr_Format(PyExc_ValueError, "%s: an array interface without a shape", what);
        return -1;
    }
    if (n < 1 || n > 2) return wrong_dimensions(what, (int)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        out[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
        if (out[i] == -1 && PyErr_Occurred()) return -1;
    }
    return (int)n;
}

/* "<f8", "|b1"; "<M8[us]" for times. */
static int type_of_typestr(PyObject *word, const char *what, struct qn_py_view *v)
{
    const char *s = word != NULL ? qn_py_text(word, "typestr") : NULL;
    if (s == NULL) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "%s: an array interface without a typestr", what);
        return -1;
    }
    size_t length = strlen(s);
    if (length >= 3 && s[0] == '>' && !(length == 3 && s[2] == '1')) return wrong_order(what);
    if (strcmp(s, "<M8[us]") == 0) {
        v->not_a_time = 1;
        v->type = QUERN_DATETIME;
        return 0;
    }
    int type = length == 3 ? qn_py_type_of(s[1], (size_t)(s[2] - '0')) : -1;
    if (type < 0) return wrong_type(what, s);
    v->type = (quern_type)type;
    return 0;
}

int qn_py_read_interface(PyObject *dict, int mode, const char *what, struct qn_py_view *v)
{
    PyObject *strides = PyDict_GetItemString(dict, "strides");
    PyObject *data = PyDict_GetItemString(dict, "data");
    PyObject *mask = PyDict_GetItemString(dict, "mask");
    if (mask != NULL && mask != Py_None) {
        PyErr_Format(PyExc_ValueError, "%s: an array interface with a mask", what);
        return -1;
    }
    v->ndim = integers(PyDict_GetItemString(dict, "shape"), v->shape, what);
    if (v->ndim < 0 || type_of_typestr(PyDict_GetItemString(dict, "typestr"), what, v) < 0)
        return -1;
    if (data == NULL || !PyTuple_Check(data) || PyTuple_Size(data) != 2) {
        PyErr_Format(PyExc_ValueError, "%s: an array interface without an address", what);
        return -1;
    }
    v->data = PyLong_AsVoidPtr(PyTuple_GetItem(data, 0));
    if (v->data == NULL && PyErr_Occurred()) return -1;
    v->readonly = PyObject_IsTrue(PyTuple_GetItem(data, 1));
    if (v->readonly < 0) return -1;
    if (mode == QN_PY_WRITE && v->readonly) {
        PyErr_Format(PyExc_ValueError, "%s: the memory is read-only", what);
        return -1;
    }
    int64_t bytes = (int64_t)qn_py_type_bytes(v->type);
    v->strides[v->ndim - 1] = bytes;
    if (v->ndim == 2) v->strides[0] = v->shape[1] * bytes;
    if (strides == NULL || strides == Py_None) return 0;
    int n = integers(strides, v->strides, what);
    if (n >= 0 && n != v->ndim) return wrong_dimensions(what, n);
    return n < 0 ? -1 : 0;
}

/* 1: filled, 0: the object has none, -1: an exception. */
static int from_interface(const struct qn_py_state *state, PyObject *object, int mode,
                          const char *what, struct qn_py_view *v)
{
    PyObject *dict = PyObject_GetAttr(object, state->array_interface);
    if (dict == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
        return 0;
    }
    int failed = -1;
    if (PyDict_Check(dict))
        failed = qn_py_read_interface(dict, mode, what, v);
    else
        PyErr_Format(PyExc_TypeError, "%s: __array_interface__ is no dict", what);
    /* the dictionary too: some exporters keep a temporary alive in it */
    if (failed == 0) v->owner = PyTuple_Pack(2, object, dict);
    Py_DECREF(dict);
    return failed == 0 && v->owner != NULL ? 1 : -1;
}

/* ---- all of them ---- */

static int refuse_cuda(const struct qn_py_state *state, PyObject *object, const char *what)
{
    PyObject *found = PyObject_GetAttr(object, state->cuda_array_interface);
    if (found == NULL) {
        PyErr_Clear();
        return 0;
    }
    Py_DECREF(found);
    PyErr_Format(
        state->unsupported,
        "%s: an array in CUDA memory (__cuda_array_interface__), where host memory is needed; "
        "copy the array to the host first, or see Table.from_device",
        what);
    return -1;
}

int qn_py_check_extent(const char *what, const struct qn_py_view *v)
{
    for (int i = 0; i < v->ndim; i++)
        if (v->shape[i] < 0) {
            PyErr_Format(PyExc_ValueError, "%s: a negative number of values", what);
            return -1;
        }
    int empty = v->shape[0] == 0 || (v->ndim == 2 && v->shape[1] == 0);
    if (v->data == NULL && !empty) {
        PyErr_Format(PyExc_ValueError, "%s: no memory behind the array", what);
        return -1;
    }
    return 0;
}

static int view_any(const struct qn_py_state *state, PyObject *object, int mode, const char *what,
                    struct qn_py_view *v)
{
    if (PyObject_CheckBuffer(object)) {
        if (from_buffer(object, mode, what, v) == 0) return 0;
        /* NumPy has no buffers of times, and no word for it but a ValueError */
        if (v->buffer.obj != NULL || mode == QN_PY_WRITE ||
            !(PyErr_ExceptionMatches(PyExc_ValueError) ||
              PyErr_ExceptionMatches(PyExc_BufferError)))
            return -1;
        PyErr_Clear();
    }
    int found = from_interface(state, object, mode, what, v);
    if (found == 0) found = qn_py_from_dlpack(state, object, mode, what, v);
    if (found != 0) return found < 0 ? -1 : 0;
    if (refuse_cuda(state, object, what) < 0) return -1;
    PyErr_Format(PyExc_TypeError,
                 "%s: %.200R has no buffer, no __array_interface__ and no __dlpack__", what,
                 Py_TYPE(object));
    return -1;
}

int qn_py_view_get(const struct qn_py_state *state, PyObject *object, int mode, const char *what,
                   struct qn_py_view *v)
{
    memset(v, 0, sizeof *v);
    if (view_any(state, object, mode, what, v) == 0 && qn_py_check_extent(what, v) == 0) return 0;
    qn_py_view_release(v);
    return -1;
}

void qn_py_view_release(struct qn_py_view *v)
{
    if (v->buffer.obj != NULL) PyBuffer_Release(&v->buffer);
    Py_CLEAR(v->owner);
}

int qn_py_view_traverse(const struct qn_py_view *v, visitproc visit, void *arg)
{
    Py_VISIT(v->buffer.obj);
    Py_VISIT(v->owner);
    return 0;
}
