/* SPDX-License-Identifier: Apache-2.0
 * Columns of the caller's arrays, as they stand in a list: numbers, truth values, times, strings. */
#include "columns.h"

#include <string.h>

int qn_py_in_place(const struct qn_py_view *v)
{
    int64_t bytes = (int64_t)qn_py_type_bytes(v->type);
    if ((uintptr_t)v->data % (uintptr_t)bytes != 0) return 0;
    for (int i = 0; i < v->ndim; i++)
        if (v->shape[i] > 1 && (v->strides[i] < bytes || v->strides[i] % bytes != 0)) return 0;
    return 1;
}

int qn_py_pack(struct qn_py_view *v, struct qn_py_keep *keep)
{
    size_t bytes = qn_py_type_bytes(v->type);
    int64_t columns = v->ndim == 2 ? v->shape[1] : 1, across = v->ndim == 2 ? v->strides[1] : 0;
    int64_t step = v->strides[0], rows = v->shape[0];
    if (columns != 0 && rows > INT64_MAX / 8 / columns) {
        PyErr_NoMemory();
        return -1;
    }
    char *block = qn_py_keep_block(keep, (uint64_t)(rows * columns), bytes);
    const char *from = v->data;
    if (block == NULL) return -1;
    Py_BEGIN_ALLOW_THREADS;
    char *to = block;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++, to += bytes)
            memcpy(to, from + r * step + c * across, bytes);
    Py_END_ALLOW_THREADS;
    v->data = block;
    v->strides[v->ndim - 1] = (int64_t)bytes;
    if (v->ndim == 2) v->strides[0] = columns * (int64_t)bytes;
    return 0;
}

int qn_py_same_rows(struct qn_py_build *b, int64_t rows, const char *what)
{
    if (b->rows < 0) b->rows = rows;
    if (b->rows == rows) return 0;
    PyErr_Format(PyExc_ValueError, "%s has %lld values; the columns before have %lld", what,
                 (long long)rows, (long long)b->rows);
    return -1;
}

struct qn_py_view *qn_py_view_1d(struct qn_py_build *b, PyObject *object, const char *what)
{
    struct qn_py_view *v = qn_py_keep_view(&b->keep);
    if (v == NULL || qn_py_view_get(b->state, object, QN_PY_READ, what, v) < 0) return NULL;
    if (v->ndim == 2 && v->shape[1] == 1) { /* a matrix of one column */
        v->ndim = 1;
    } else if (v->ndim == 2) {
        PyErr_Format(PyExc_ValueError, "%s: a column has one dimension", what);
        return NULL;
    }
    return v;
}

int qn_py_is_packed(const struct qn_py_view *v)
{
    return v->shape[0] <= 1 || v->strides[0] == (int64_t)qn_py_type_bytes(v->type);
}

/* Bits of bools, one byte each; `absent` says which value means missing. */
static int bits_of_bools(struct qn_py_build *b, const struct qn_py_view *v, const uint8_t **out)
{
    uint8_t *bits = qn_py_keep_block(&b->keep, (uint64_t)v->shape[0] / 8 + 1, 1);
    const char *from = v->data;
    int64_t n = v->shape[0], stride = v->strides[0];
    if (bits == NULL) return -1;
    Py_BEGIN_ALLOW_THREADS;
    memset(bits, 0, (size_t)(n / 8 + 1));
    for (int64_t i = 0; i < n; i++)
        if (from[i * stride] != 0) bits[i >> 3] |= (uint8_t)(1u << (i & 7));
    Py_END_ALLOW_THREADS;
    *out = bits;
    return 0;
}

/* A bitmap (uint8), or one bool a row. */
static int validity(struct qn_py_build *b, PyObject *given, const char *what, const uint8_t **out)
{
    *out = NULL;
    if (given == Py_None) return 0;
    struct qn_py_view *v = qn_py_view_1d(b, given, what);
    if (v == NULL) return -1;
    if (v->type == QUERN_BOOL) {
        struct qn_py_view view = *v;
        return qn_py_same_rows(b, v->shape[0], what) < 0 ? -1 : bits_of_bools(b, &view, out);
    }
    if (v->type != QUERN_UINT8 || !qn_py_is_packed(v) || v->shape[0] < (b->rows + 7) / 8) {
        PyErr_Format(PyExc_ValueError,
                     "%s: one bool for each of %lld rows, or a packed bitmap of uint8, is needed",
                     what, (long long)b->rows);
        return -1;
    }
    *out = (const uint8_t *)v->data;
    return 0;
}

/* NumPy's missing time is INT64_MIN. */
static int bits_of_times(struct qn_py_build *b, const struct qn_py_view *v, const uint8_t **out)
{
    uint8_t *bits = qn_py_keep_block(&b->keep, (uint64_t)v->shape[0] / 8 + 1, 1);
    int64_t n = v->shape[0], stride = v->strides[0], missing = 0;
    const char *from = v->data;
    if (bits == NULL) return -1;
    Py_BEGIN_ALLOW_THREADS;
    memset(bits, 0, (size_t)(n / 8 + 1));
    for (int64_t i = 0; i < n; i++) {
        int64_t value;
        memcpy(&value, from + i * stride, sizeof value);
        missing += value == INT64_MIN;
        if (value != INT64_MIN) bits[i >> 3] |= (uint8_t)(1u << (i & 7));
    }
    Py_END_ALLOW_THREADS;
    *out = missing != 0 ? bits : NULL;
    return 0;
}

static int add_numbers(struct qn_py_build *b, quern_column *c, PyObject *data, PyObject *valid,
                       int datetime, const char *what)
{
    struct qn_py_view *v = qn_py_view_1d(b, data, what);
    if (v == NULL || qn_py_same_rows(b, v->shape[0], what) < 0) return -1;
    if (v->shape[0] != 0 && !qn_py_in_place(v) && qn_py_pack(v, &b->keep) < 0) return -1;
    struct qn_py_view view = *v; /* validity may move the views */
    if (datetime && view.type != QUERN_INT64 && view.type != QUERN_DATETIME) {
        PyErr_Format(PyExc_TypeError, "%s: times are int64 microseconds, not %s", what,
                     qn_py_type_name(view.type));
        return -1;
    }
    c->type = datetime ? QUERN_DATETIME : view.type;
    c->data = view.data;
    c->stride = view.shape[0] > 1 ? view.strides[0] : 0;
    if (validity(b, valid, what, &c->validity) < 0) return -1;
    if (view.not_a_time && c->validity == NULL) return bits_of_times(b, &view, &c->validity);
    return 0;
}

/* A negative offset, or one that is less than that before it, leaves the sign bit set: no branch stands
 * in the way of reading at the speed of memory. Of two that are not negative the difference is exact. */
static uint64_t signs_of_wide(const int64_t *offsets, uint64_t rows)
{
    uint64_t signs = (uint64_t)offsets[0];
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t at = (uint64_t)offsets[i], next = (uint64_t)offsets[i + 1];
        signs |= next | (next - at);
    }
    return signs >> 63;
}

static uint32_t signs_of_narrow(const int32_t *offsets, uint64_t rows)
{
    uint32_t signs = (uint32_t)offsets[0];
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t at = (uint32_t)offsets[i], next = (uint32_t)offsets[i + 1];
        signs |= next | (next - at);
    }
    return signs >> 31;
}

quern_status qn_py_check_offsets(const void *offsets, uint32_t bits, uint64_t rows, uint64_t bytes)
{
    int wrong =
        bits == 32 ? signs_of_narrow(offsets, rows) != 0 : signs_of_wide(offsets, rows) != 0;
    uint64_t last = bits == 32 ? (uint64_t)((const int32_t *)offsets)[rows]
                               : (uint64_t)((const int64_t *)offsets)[rows];
    return wrong || last > bytes ? QUERN_CORRUPT : QUERN_OK;
}

static int add_strings(struct qn_py_build *b, quern_column *c, PyObject *tuple, const char *what)
{
    struct qn_py_view *v = qn_py_view_1d(b, PyTuple_GetItem(tuple, 1), what);
    if (v == NULL) return -1;
    if ((v->type != QUERN_INT32 && v->type != QUERN_INT64) || !qn_py_is_packed(v) ||
        v->shape[0] < 1 || !qn_py_in_place(v)) {
        PyErr_Format(PyExc_ValueError, "%s: offsets are packed int32 or int64, rows + 1 of them",
                     what);
        return -1;
    }
    struct qn_py_view offsets = *v;
    if (qn_py_same_rows(b, offsets.shape[0] - 1, what) < 0) return -1;
    v = qn_py_view_1d(b, PyTuple_GetItem(tuple, 2), what);
    if (v == NULL) return -1;
    if (!qn_py_is_packed(v) || qn_py_type_bytes(v->type) != 1) {
        PyErr_Format(PyExc_ValueError, "%s: the bytes of strings are packed uint8", what);
        return -1;
    }
    *c = (quern_column){.name = c->name,
                        .type = QUERN_STRING,
                        .offset_bits = offsets.type == QUERN_INT32 ? 32 : 64,
                        .data = v->data,
                        .offsets = offsets.data};
    quern_status status;
    uint64_t bytes = (uint64_t)v->shape[0];
    Py_BEGIN_ALLOW_THREADS;
    status = qn_py_check_offsets(c->offsets, c->offset_bits, (uint64_t)b->rows, bytes);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) {
        PyErr_Format(PyExc_ValueError, "%s: offsets descend, or lead out of %lld bytes", what,
                     (long long)bytes);
        return -1;
    }
    return validity(b, PyTuple_GetItem(tuple, 3), what, &c->validity);
}

int qn_py_add_column(struct qn_py_build *b, quern_column *c, PyObject *given, Py_ssize_t i)
{
    char what[40];
    (void)PyOS_snprintf(what, sizeof what, "column %zd", i);
    if (!PyTuple_Check(given)) return add_numbers(b, c, given, Py_None, 0, what);
    Py_ssize_t n = PyTuple_Size(given);
    PyObject *first = n != 0 ? PyTuple_GetItem(given, 0) : Py_None;
    int word = PyUnicode_Check(first);
    if (n == 2 && !word) return add_numbers(b, c, first, PyTuple_GetItem(given, 1), 0, what);
    if (n == 3 && word && PyUnicode_CompareWithASCIIString(first, "datetime") == 0)
        return add_numbers(b, c, PyTuple_GetItem(given, 1), PyTuple_GetItem(given, 2), 1, what);
    if (n == 4 && word && PyUnicode_CompareWithASCIIString(first, "string") == 0)
        return add_strings(b, c, given, what);
    PyErr_Format(PyExc_TypeError,
                 "%s: an array, (array, validity), (\"datetime\", array, validity) or (\"string\", "
                 "offsets, bytes, validity) is needed",
                 what);
    return -1;
}
