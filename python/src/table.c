/* SPDX-License-Identifier: Apache-2.0
 * Table: views of the caller's arrays. A matrix in C order is a matrix for the library, one in Fortran
 * order a table of packed columns; neither is copied. What the library does not read in place (zero
 * or negative strides, values off their alignment) is packed here first. */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core.h"
#include "docs.h"

static PyTypeObject *type_of_class(PyObject *class)
{
    return (PyTypeObject *)class;
}

static struct qn_py_state *state_of_class(PyObject *class)
{
    return PyType_GetModuleState(type_of_class(class));
}

PyObject *qn_py_table_new(const struct qn_py_state *state, quern_table *table,
                          struct qn_py_keep *keep)
{
    struct qn_py_table *self = PyObject_GC_New(struct qn_py_table, state->table);
    if (self == NULL) {
        quern_table_free(table);
        qn_py_keep_clear(keep);
        return NULL;
    }
    self->table = table;
    self->keep = *keep;
    memset(keep, 0, sizeof *keep);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int table_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    return qn_py_keep_traverse(&((struct qn_py_table *)object)->keep, visit, arg);
}

static void table_dealloc(PyObject *object)
{
    struct qn_py_table *self = (struct qn_py_table *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    quern_table_free(self->table);
    qn_py_keep_clear(&self->keep);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

/* ---- from a matrix ---- */

static quern_status make_columns(const struct qn_py_view *v, const char *const *names,
                                 quern_table **out)
{
    uint32_t n = (uint32_t)v->shape[1];
    quern_column *columns = calloc((size_t)n + 1, sizeof *columns);
    if (columns == NULL) return QUERN_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        columns[i] = (quern_column){
            .name = names != NULL ? names[i] : NULL,
            .type = v->type,
            .data = v->data + (int64_t)i * v->strides[1],
            .stride = v->shape[0] > 1 ? v->strides[0] : 0,
        };
    quern_status status = quern_table_create(columns, n, (uint64_t)v->shape[0], out);
    free(columns);
    return status;
}

static quern_status make_table(const struct qn_py_view *v, const char *const *names,
                               quern_table **out)
{
    int64_t bytes = (int64_t)qn_py_type_bytes(v->type), row = v->shape[1] * bytes;
    int single = v->shape[0] <= 1; /* one row: its stride says nothing */
    int64_t stride = single ? row : v->strides[0];
    if ((v->shape[1] <= 1 || v->strides[1] == bytes) && stride >= row && v->shape[1] != 0)
        return quern_table_from_matrix(v->data, v->type, (uint64_t)v->shape[0],
                                       (uint32_t)v->shape[1], stride, names, out);
    return make_columns(v, names, out);
}

static PyObject *table_from_matrix(PyObject *class, PyObject *const *args, Py_ssize_t n,
                                   PyObject *named)
{
    static const char *const words[] = {"x", "names"};
    static const struct qn_py_signature signature = {"from_matrix", words, 2, 1};
    const struct qn_py_state *state = state_of_class(class);
    struct qn_py_keep keep = {0};
    PyObject *given[2], *strings = NULL;
    const char **names = NULL;
    quern_table *table = NULL;
    quern_status status;
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    struct qn_py_view *v = qn_py_keep_view(&keep);
    if (v == NULL || qn_py_view_get(state, given[0], QN_PY_READ, "x", v) < 0) goto failed;
    if (v->type == QUERN_DATETIME) {
        PyErr_SetString(PyExc_TypeError, "x: a matrix holds numbers, not times; see from_columns");
        goto failed;
    }
    if (v->ndim == 1) { /* one column */
        v->ndim = 2;
        v->shape[1] = 1;
        v->strides[1] = (int64_t)qn_py_type_bytes(v->type);
    }
    if (v->shape[1] > UINT32_MAX || v->shape[1] == 0) {
        PyErr_Format(PyExc_ValueError, "x: a matrix of %lld columns", (long long)v->shape[1]);
        goto failed;
    }
    if (v->shape[0] != 0 && !qn_py_in_place(v) && qn_py_pack(v, &keep) < 0) goto failed;
    if (qn_py_names(given[1], (Py_ssize_t)v->shape[1], &names, &strings) < 0) goto failed;
    Py_BEGIN_ALLOW_THREADS;
    status = make_table(v, names, &table);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) qn_py_raise(state, status);
    PyMem_Free(names);
    Py_XDECREF(strings);
    if (status == QUERN_OK) return qn_py_table_new(state, table, &keep);
failed:
    qn_py_keep_clear(&keep);
    return NULL;
}

/* ---- from columns ---- */

static int build_columns(struct qn_py_build *b, PyObject *list, const char *const *names)
{
    Py_ssize_t n = PyList_Size(list);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *given = Py_NewRef(PyList_GetItem(list, i)); /* reading it may run Python code */
        int failed = qn_py_add_column(b, &b->columns[i], given, i);
        Py_DECREF(given);
        if (failed < 0) return -1;
        b->columns[i].name = names != NULL ? names[i] : NULL;
    }
    return 0;
}

static PyObject *table_from_columns(PyObject *class, PyObject *const *args, Py_ssize_t n,
                                    PyObject *named)
{
    static const char *const words[] = {"columns", "names"};
    static const struct qn_py_signature signature = {"from_columns", words, 2, 1};
    struct qn_py_build b = {.state = state_of_class(class), .rows = -1};
    PyObject *given[2], *strings = NULL, *result = NULL;
    const char **names = NULL;
    quern_table *table = NULL;
    quern_status status;
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    PyObject *list = PySequence_List(given[0]); /* a copy: nobody changes it meanwhile */
    if (list == NULL) return NULL;
    Py_ssize_t count = PyList_Size(list);
    if (count == 0 || count > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "a table of %zd columns", count);
        goto cleanup;
    }
    b.columns = calloc((size_t)count, sizeof *b.columns);
    if (b.columns == NULL) {
        PyErr_NoMemory();
        goto cleanup;
    }
    if (qn_py_names(given[1], count, &names, &strings) < 0 || build_columns(&b, list, names) < 0)
        goto cleanup;
    Py_BEGIN_ALLOW_THREADS;
    status = quern_table_create(b.columns, (uint32_t)count, (uint64_t)b.rows, &table);
    Py_END_ALLOW_THREADS;
    result = status == QUERN_OK ? qn_py_table_new(b.state, table, &b.keep)
                                : qn_py_raise(b.state, status);
cleanup:
    Py_DECREF(list);
    Py_XDECREF(strings);
    PyMem_Free(names);
    free(b.columns);
    qn_py_keep_clear(&b.keep);
    return result;
}

/* ---- from compressed rows or columns ---- */

struct sparse {
    quern_sparse_layout layout;
    int64_t rows, columns;
    struct qn_py_view indptr, indices, data;
};

static int sparse_shape(PyObject *layout, PyObject *shape, struct sparse *s)
{
    const char *word = qn_py_text(layout, "layout");
    long long rows, columns;
    if (word == NULL) return -1;
    s->layout = strcmp(word, "csc") == 0 ? QUERN_SPARSE_CSC : QUERN_SPARSE_CSR;
    if (s->layout == QUERN_SPARSE_CSR && strcmp(word, "csr") != 0) {
        PyErr_Format(PyExc_ValueError, "layout must be \"csr\" or \"csc\", not %R", layout);
        return -1;
    }
    if (!PyTuple_Check(shape)) {
        PyErr_SetString(PyExc_TypeError, "shape must be (rows, columns)");
        return -1;
    }
    if (!PyArg_ParseTuple(shape, "LL", &rows, &columns)) return -1;
    if (rows < 0 || columns < 0 || rows > INT64_MAX / 16 || columns > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "a sparse matrix of %lld x %lld", rows, columns);
        return -1;
    }
    s->rows = rows;
    s->columns = columns;
    return 0;
}

/* The library follows indptr; that it leads into the arrays only their owner can know. */
static int check_sparse(const struct sparse *s)
{
    int64_t major = s->layout == QUERN_SPARSE_CSR ? s->rows : s->columns, last;
    const char *why = NULL;
    if (s->indptr.type != s->indices.type ||
        (s->indptr.type != QUERN_INT32 && s->indptr.type != QUERN_INT64))
        why = "indptr and indices are both int32, or both int64";
    else if (!qn_py_is_packed(&s->indptr) || !qn_py_is_packed(&s->indices) ||
             !qn_py_is_packed(&s->data) || !qn_py_in_place(&s->indptr) ||
             !qn_py_in_place(&s->indices) || !qn_py_in_place(&s->data))
        why = "indptr, indices and data are packed";
    else if (s->indptr.shape[0] != major + 1)
        why = "indptr has one entry more than there are rows (csr) or columns (csc)";
    if (why == NULL) {
        last = s->indptr.type == QUERN_INT32
                   ? ((const int32_t *)(const void *)s->indptr.data)[major]
                   : ((const int64_t *)(const void *)s->indptr.data)[major];
        if (last > s->indices.shape[0] || last > s->data.shape[0])
            why = "indptr leads out of indices or data";
    }
    if (why == NULL) return 0;
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

static int view_part(struct qn_py_build *b, PyObject *array, const char *what,
                     struct qn_py_view *copy)
{
    const struct qn_py_view *v = qn_py_view_1d(b, array, what);
    if (v == NULL) return -1;
    *copy = *v; /* the next view may move this one */
    return 0;
}

static PyObject *table_from_sparse(PyObject *class, PyObject *const *args, Py_ssize_t n,
                                   PyObject *named)
{
    static const char *const words[] = {"layout", "shape", "indptr", "indices", "data", "names"};
    static const struct qn_py_signature signature = {"from_sparse", words, 6, 5};
    struct qn_py_build b = {.state = state_of_class(class), .rows = -1};
    struct sparse s;
    PyObject *given[6], *strings = NULL, *result = NULL;
    const char **names = NULL;
    quern_table *table = NULL;
    quern_status status;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        sparse_shape(given[0], given[1], &s) < 0 ||
        view_part(&b, given[2], "indptr", &s.indptr) < 0 ||
        view_part(&b, given[3], "indices", &s.indices) < 0 ||
        view_part(&b, given[4], "data", &s.data) < 0 || check_sparse(&s) < 0 ||
        qn_py_names(given[5], (Py_ssize_t)s.columns, &names, &strings) < 0)
        goto cleanup;
    Py_BEGIN_ALLOW_THREADS;
    status = quern_table_from_sparse(s.layout, (uint64_t)s.rows, (uint32_t)s.columns, s.indptr.data,
                                     s.indices.data, s.indptr.type == QUERN_INT32 ? 32 : 64,
                                     s.data.data, s.data.type, names, &table);
    Py_END_ALLOW_THREADS;
    result = status == QUERN_OK ? qn_py_table_new(b.state, table, &b.keep)
                                : qn_py_raise(b.state, status);
cleanup:
    Py_XDECREF(strings);
    PyMem_Free(names);
    qn_py_keep_clear(&b.keep);
    return result;
}

/* ---- weights ---- */

/* Those set before stay alive as long as the table: a fit on another thread may be reading them. */
static PyObject *table_set_weights(PyObject *object, PyObject *given)
{
    struct qn_py_table *self = (struct qn_py_table *)object;
    struct qn_py_build b = {.state = qn_py_state(object)};
    const double *weights = NULL;
    int failed = 0;
    quern_status status;
    b.rows = (int64_t)quern_table_rows(self->table);
    if (given != Py_None) {
        struct qn_py_view *v = qn_py_view_1d(&b, given, "weights");
        failed = v == NULL || qn_py_same_rows(&b, v->shape[0], "weights") < 0;
        if (!failed && v->type != QUERN_FLOAT64) {
            PyErr_Format(PyExc_TypeError, "weights are float64, not %s", qn_py_type_name(v->type));
            failed = 1;
        }
        if (!failed && v->shape[0] != 0 && (!qn_py_is_packed(v) || !qn_py_in_place(v)))
            failed = qn_py_pack(v, &b.keep) < 0;
        if (!failed) weights = (const double *)(const void *)v->data;
    }
    if (failed || qn_py_keep_merge(&self->keep, &b.keep) < 0) {
        qn_py_keep_clear(&b.keep);
        return NULL;
    }
    qn_py_keep_clear(&b.keep);
    Py_BEGIN_ALLOW_THREADS;
    status = quern_table_set_weights(self->table, weights);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) return qn_py_raise(b.state, status);
    Py_RETURN_NONE;
}

/* ---- random state ---- */

enum { STATE_WORDS = 625 };

static int is_writable(PyObject *given)
{
    Py_buffer b;
    if (PyObject_GetBuffer(given, &b, PyBUF_WRITABLE) < 0) return 0;
    PyBuffer_Release(&b);
    return 1;
}

/* As with weights, what was there before stays alive. The words are written by fits. */
static PyObject *table_set_random_state(PyObject *object, PyObject *given)
{
    struct qn_py_table *self = (struct qn_py_table *)object;
    struct qn_py_build b = {.state = qn_py_state(object)};
    uint32_t *words = NULL;
    int failed = 0;
    if (given != Py_None) {
        failed = !is_writable(given);
        struct qn_py_view *v = failed ? NULL : qn_py_view_1d(&b, given, "the random state");
        failed = v == NULL;
        if (!failed && (v->type != QUERN_UINT32 || v->shape[0] != STATE_WORDS ||
                        !qn_py_is_packed(v) || !qn_py_in_place(v))) {
            PyErr_Format(PyExc_ValueError, "a random state is a packed array of %d uint32",
                         STATE_WORDS);
            failed = 1;
        }
        if (!failed) words = (uint32_t *)(void *)v->data;
    }
    if (failed || qn_py_keep_merge(&self->keep, &b.keep) < 0) {
        qn_py_keep_clear(&b.keep);
        return NULL;
    }
    qn_py_keep_clear(&b.keep);
    quern_status status = quern_table_set_random_state(self->table, words);
    if (status != QUERN_OK) return qn_py_raise(b.state, status);
    Py_RETURN_NONE;
}

/* ---- target ---- */

/* As with weights, what was there before stays alive. */
static PyObject *table_set_target(PyObject *object, PyObject *given)
{
    struct qn_py_table *self = (struct qn_py_table *)object;
    struct qn_py_build b = {.state = qn_py_state(object)};
    quern_column target = {0};
    quern_status status;
    b.rows = (int64_t)quern_table_rows(self->table);
    if ((given != Py_None && qn_py_add_column(&b, &target, given, 0) < 0) ||
        qn_py_keep_merge(&self->keep, &b.keep) < 0) {
        qn_py_keep_clear(&b.keep);
        return NULL;
    }
    qn_py_keep_clear(&b.keep);
    status = quern_table_set_target(self->table, given != Py_None ? &target : NULL);
    if (status != QUERN_OK) return qn_py_raise(b.state, status);
    Py_RETURN_NONE;
}

/* ---- questions ---- */

static PyObject *get_rows(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(quern_table_rows(((struct qn_py_table *)self)->table));
}

static PyObject *get_columns(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(quern_table_columns(((struct qn_py_table *)self)->table));
}

/* The bitmap from row 0 on: in place where row 0 begins a byte. */
static PyObject *bitmap(PyObject *self, const quern_column *c, uint64_t rows)
{
    uint64_t bytes = (rows + 7) / 8;
    const uint8_t *from = c->validity;
    if (from == NULL) Py_RETURN_NONE;
    from += c->validity_offset >> 3;
    unsigned shift = (unsigned)(c->validity_offset & 7);
    if (shift == 0)
        return qn_py_buffer_new(qn_py_state(self), self, (void *)(uintptr_t)from, QUERN_UINT8,
                                bytes, 1, 1);
    PyObject *copy = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
    if (copy == NULL) return NULL;
    uint8_t *to = (uint8_t *)PyBytes_AsString(copy);
    uint64_t last = (shift + rows - 1) >> 3; /* the last byte that holds a bit */
    for (uint64_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)((from[i] >> shift) | (i < last ? from[i + 1] << (8 - shift) : 0));
    return copy;
}

static PyObject *values_of(PyObject *self, const quern_column *c, uint64_t rows)
{
    const struct qn_py_state *state = qn_py_state(self);
    void *data = (void *)(uintptr_t)c->data, *at = (void *)(uintptr_t)c->offsets;
    if (c->type != QUERN_STRING)
        return qn_py_buffer_new(state, self, data, c->type, rows,
                                c->stride != 0 ? c->stride : (int64_t)qn_py_type_bytes(c->type), 1);
    uint64_t bytes =
        c->offset_bits == 32 ? (uint64_t)((int32_t *)at)[rows] : (uint64_t)((int64_t *)at)[rows];
    PyObject *offsets =
        qn_py_buffer_new(state, self, at, c->offset_bits == 32 ? QUERN_INT32 : QUERN_INT64,
                         rows + 1, c->offset_bits / 8, 1);
    PyObject *text =
        offsets != NULL ? qn_py_buffer_new(state, self, data, QUERN_STRING, bytes, 1, 1) : NULL;
    PyObject *pair = text != NULL ? PyTuple_Pack(2, offsets, text) : NULL;
    Py_XDECREF(offsets);
    Py_XDECREF(text);
    return pair;
}

static PyObject *table_column(PyObject *self, PyObject *number)
{
    quern_table *table = ((struct qn_py_table *)self)->table;
    unsigned long i = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred()) return NULL;
    const quern_column *c = i <= UINT32_MAX ? quern_table_column(table, (uint32_t)i) : NULL;
    if (c == NULL) {
        PyErr_Format(PyExc_IndexError, "there are %u columns",
                     (unsigned)quern_table_columns(table));
        return NULL;
    }
    uint64_t rows = quern_table_rows(table);
    if (c->type != QUERN_STRING && c->data == NULL && rows != 0) {
        PyErr_SetString(qn_py_state(self)->unsupported,
                        "the columns of sparse tables, and of tables on a device, are no arrays");
        return NULL;
    }
    PyObject *name = qn_py_string(c->name), *type = qn_py_string(qn_py_type_name(c->type));
    PyObject *values = values_of(self, c, rows), *valid = bitmap(self, c, rows);
    PyObject *all = name != NULL && type != NULL && values != NULL && valid != NULL
                        ? PyTuple_Pack(4, name, type, values, valid)
                        : NULL;
    Py_XDECREF(name);
    Py_XDECREF(type);
    Py_XDECREF(values);
    Py_XDECREF(valid);
    return all;
}

static PyMethodDef methods[] = {
    {"from_matrix", QN_PY_FAST(table_from_matrix), QN_PY_FASTCALL | METH_CLASS,
     qn_py_doc_table_from_matrix},
    {"from_columns", QN_PY_FAST(table_from_columns), QN_PY_FASTCALL | METH_CLASS,
     qn_py_doc_table_from_columns},
    {"from_arrow", QN_PY_FAST(qn_py_table_from_arrow), QN_PY_FASTCALL | METH_CLASS,
     qn_py_doc_table_from_arrow},
    {"from_device", QN_PY_FAST(qn_py_table_from_device), QN_PY_FASTCALL | METH_CLASS,
     qn_py_doc_table_from_device},
    {"from_sparse", QN_PY_FAST(table_from_sparse), QN_PY_FASTCALL | METH_CLASS,
     qn_py_doc_table_from_sparse},
    {"set_weights", table_set_weights, METH_O, qn_py_doc_table_set_weights},
    {"set_random_state", table_set_random_state, METH_O, qn_py_doc_table_set_random_state},
    {"set_target", table_set_target, METH_O, qn_py_doc_table_set_target},
    {"column", table_column, METH_O, qn_py_doc_table_column},
    {0},
};
static PyGetSetDef members[] = {
    {"rows", get_rows, NULL, "number of rows", NULL},
    {"columns", get_columns, NULL, "number of columns", NULL},
    {0},
};
static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_table},
    {Py_tp_dealloc, (void *)table_dealloc},
    {Py_tp_traverse, (void *)table_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {0},
};
PyType_Spec qn_py_table_spec = {
    .name = "quern._core.Table",
    .basicsize = sizeof(struct qn_py_table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
