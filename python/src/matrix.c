/* SPDX-License-Identifier: Apache-2.0
 * Results: Matrix, Csr, and Buffer, the one-dimensional view that the others hand out. Memory is the
 * library's and is freed with the last view of it. */
#include <string.h>

#include "core.h"
#include "docs.h"

static char nothing[64]; /* where empty results point: consumers dislike NULL */

/* ---- Matrix ---- */

PyObject *qn_py_matrix_new(const struct qn_py_state *state, quern_matrix *m)
{
    struct qn_py_matrix *self = PyObject_New(struct qn_py_matrix, state->matrix);
    if (self == NULL) {
        quern_matrix_free(m);
        return NULL;
    }
    self->matrix = *m;
    self->shape[0] = (Py_ssize_t)m->rows;
    self->shape[1] = (Py_ssize_t)m->columns;
    self->strides[0] = (Py_ssize_t)m->row_stride;
    self->strides[1] = (Py_ssize_t)qn_py_type_bytes(m->type);
    memset(m, 0, sizeof *m);
    return (PyObject *)self;
}

static void matrix_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    quern_matrix_free(&((struct qn_py_matrix *)object)->matrix);
    PyObject_Free(object);
    Py_DECREF(type);
}

static void *matrix_data(const struct qn_py_matrix *self)
{
    return self->matrix.data != NULL ? self->matrix.data : nothing;
}

/* Results are packed rows: every request that asks for C order or less is met. */
static int matrix_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    struct qn_py_matrix *self = (struct qn_py_matrix *)object;
    int fortran = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS;
    if (fortran && self->shape[0] > 1 && self->shape[1] > 1) {
        view->obj = NULL;
        PyErr_SetString(PyExc_BufferError, "the rows of a Matrix are packed, not its columns");
        return -1;
    }
    *view = (Py_buffer){
        .buf = matrix_data(self),
        .obj = Py_NewRef(object),
        .itemsize = self->strides[1],
        .len = self->shape[0] * self->shape[1] * self->strides[1],
        .ndim = 2,
    };
    if (flags & PyBUF_FORMAT) view->format = (char *)qn_py_type_format(self->matrix.type);
    if (flags & PyBUF_ND) view->shape = self->shape;
    if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES) view->strides = self->strides;
    return 0;
}

static PyObject *matrix_interface(PyObject *object, void *closure)
{
    struct qn_py_matrix *self = (struct qn_py_matrix *)object;
    (void)closure;
    return Py_BuildValue("{s(nn)sss(NO)sOsi}", "shape", self->shape[0], self->shape[1], "typestr",
                         qn_py_type_typestr(self->matrix.type), "data",
                         PyLong_FromVoidPtr(matrix_data(self)), Py_False, "strides", Py_None,
                         "version", 3);
}

static PyObject *matrix_shape(PyObject *object, void *closure)
{
    struct qn_py_matrix *self = (struct qn_py_matrix *)object;
    (void)closure;
    return Py_BuildValue("(nn)", self->shape[0], self->shape[1]);
}

static PyObject *matrix_dtype(PyObject *object, void *closure)
{
    (void)closure;
    return qn_py_string(qn_py_type_name(((struct qn_py_matrix *)object)->matrix.type));
}

static PyObject *matrix_dlpack(PyObject *object, PyObject *const *args, Py_ssize_t n,
                               PyObject *names)
{
    struct qn_py_matrix *self = (struct qn_py_matrix *)object;
    const quern_matrix *m = &self->matrix;
    return qn_py_to_dlpack(object, matrix_data(self), m->type, m->rows, m->columns, m->row_stride,
                           args, n, names);
}

static Py_ssize_t matrix_length(PyObject *object)
{
    return ((struct qn_py_matrix *)object)->shape[0];
}

static PyMethodDef matrix_methods[] = {
    {"__dlpack__", QN_PY_FAST(matrix_dlpack), QN_PY_FASTCALL, qn_py_doc_matrix_dlpack},
    {"__dlpack_device__", qn_py_dlpack_device, METH_NOARGS, qn_py_doc_matrix_dlpack_device},
    {0},
};
static PyGetSetDef matrix_members[] = {
    {"__array_interface__", matrix_interface, NULL, "version 3", NULL},
    {"shape", matrix_shape, NULL, "(rows, columns)", NULL},
    {"dtype", matrix_dtype, NULL, "NumPy's name of the type of values", NULL},
    {0},
};
static PyType_Slot matrix_slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_matrix},
    {Py_tp_dealloc, (void *)matrix_dealloc},
    {Py_bf_getbuffer, (void *)matrix_getbuffer},
    {Py_sq_length, (void *)matrix_length},
    {Py_tp_methods, matrix_methods},
    {Py_tp_getset, matrix_members},
    {0},
};
PyType_Spec qn_py_matrix_spec = {
    .name = "quern._core.Matrix",
    .basicsize = sizeof(struct qn_py_matrix),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = matrix_slots,
};

/* ---- Buffer ---- */

struct buffer {
    PyObject_HEAD PyObject *owner;
    void *data;
    quern_type type;
    int readonly;
    Py_ssize_t count, stride;
};

PyObject *qn_py_buffer_new(const struct qn_py_state *state, PyObject *owner, void *data,
                           quern_type type, uint64_t count, int64_t stride, int readonly)
{
    struct buffer *self = PyObject_GC_New(struct buffer, state->buffer);
    if (self == NULL) return NULL;
    self->owner = Py_NewRef(owner);
    self->data = data != NULL ? data : nothing;
    self->type = type;
    self->readonly = readonly;
    self->count = (Py_ssize_t)count;
    self->stride = (Py_ssize_t)stride;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int buffer_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct buffer *)object)->owner);
    return 0;
}

static void buffer_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Py_XDECREF(((struct buffer *)object)->owner);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static Py_ssize_t item_bytes(const struct buffer *self)
{
    return self->type == QUERN_STRING ? 1 : (Py_ssize_t)qn_py_type_bytes(self->type);
}

static int asks(int flags, int wish)
{
    return (flags & wish) == wish;
}

static int buffer_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    struct buffer *self = (struct buffer *)object;
    int packed = self->stride == item_bytes(self) || self->count <= 1;
    view->obj = NULL;
    if ((flags & PyBUF_WRITABLE) && self->readonly) {
        PyErr_SetString(PyExc_BufferError, "the memory is read-only");
        return -1;
    }
    if (!packed && (!asks(flags, PyBUF_STRIDES) || asks(flags, PyBUF_C_CONTIGUOUS) ||
                    asks(flags, PyBUF_F_CONTIGUOUS) || asks(flags, PyBUF_ANY_CONTIGUOUS))) {
        PyErr_SetString(PyExc_BufferError, "the values are not packed");
        return -1;
    }
    *view = (Py_buffer){
        .buf = self->data,
        .obj = Py_NewRef(object),
        .itemsize = item_bytes(self),
        .len = self->count * item_bytes(self),
        .readonly = self->readonly,
        .ndim = 1,
    };
    if (flags & PyBUF_FORMAT) view->format = (char *)qn_py_type_format(self->type);
    if (flags & PyBUF_ND) view->shape = &self->count;
    if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES) view->strides = &self->stride;
    return 0;
}

static Py_ssize_t buffer_length(PyObject *object)
{
    return ((struct buffer *)object)->count;
}

static PyType_Slot buffer_slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_buffer},     {Py_tp_dealloc, (void *)buffer_dealloc},
    {Py_tp_traverse, (void *)buffer_traverse}, {Py_bf_getbuffer, (void *)buffer_getbuffer},
    {Py_sq_length, (void *)buffer_length},     {0},
};
PyType_Spec qn_py_buffer_spec = {
    .name = "quern._core.Buffer",
    .basicsize = sizeof(struct buffer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = buffer_slots,
};

/* ---- Csr ---- */

struct csr {
    PyObject_HEAD quern_csr csr;
};

PyObject *qn_py_csr_new(const struct qn_py_state *state, quern_csr *csr)
{
    struct csr *self = PyObject_New(struct csr, state->csr);
    if (self == NULL) {
        quern_csr_free(csr);
        return NULL;
    }
    self->csr = *csr;
    memset(csr, 0, sizeof *csr);
    return (PyObject *)self;
}

static void csr_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    quern_csr_free(&((struct csr *)object)->csr);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *csr_indptr(PyObject *object, void *closure)
{
    struct csr *self = (struct csr *)object;
    (void)closure;
    return qn_py_buffer_new(qn_py_state(object), object, self->csr.indptr, QUERN_INT64,
                            self->csr.rows + 1, 8, 0);
}

static PyObject *csr_indices(PyObject *object, void *closure)
{
    struct csr *self = (struct csr *)object;
    (void)closure;
    return qn_py_buffer_new(qn_py_state(object), object, self->csr.indices, QUERN_INT32,
                            self->csr.nnz, 4, 0);
}

static PyObject *csr_data(PyObject *object, void *closure)
{
    struct csr *self = (struct csr *)object;
    (void)closure;
    return qn_py_buffer_new(qn_py_state(object), object, self->csr.data, self->csr.type,
                            self->csr.nnz, (int64_t)qn_py_type_bytes(self->csr.type), 0);
}

static PyObject *csr_shape(PyObject *object, void *closure)
{
    struct csr *self = (struct csr *)object;
    (void)closure;
    return Py_BuildValue("(KK)", (unsigned long long)self->csr.rows,
                         (unsigned long long)self->csr.columns);
}

static PyGetSetDef csr_members[] = {
    {"indptr", csr_indptr, NULL, "int64, rows + 1", NULL},
    {"indices", csr_indices, NULL, "int32, ascending in each row", NULL},
    {"data", csr_data, NULL, "the values", NULL},
    {"shape", csr_shape, NULL, "(rows, columns)", NULL},
    {0},
};
static PyType_Slot csr_slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_csr},
    {Py_tp_dealloc, (void *)csr_dealloc},
    {Py_tp_getset, csr_members},
    {0},
};
PyType_Spec qn_py_csr_spec = {
    .name = "quern._core.Csr",
    .basicsize = sizeof(struct csr),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = csr_slots,
};
