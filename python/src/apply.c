/* SPDX-License-Identifier: Apache-2.0
 * Model.apply: the shortest way from an array to an array. A few rows go through the library's
 * one-row server, which needs no context; many rows through a transform on one thread of the CPU.
 * Both give the same bits. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { SERVER_ROWS = 32, STACK_CELLS = 64 };

void qn_py_model_apply_close(struct qn_py_model *self)
{
    quern_server_close(self->server);
    (void)quern_context_close(self->context);
    if (self->lock != NULL) PyThread_free_lock(self->lock);
}

/* The first call of a model. Under the GIL throughout, so that it happens once. */
static int open_server(struct qn_py_model *self, const struct qn_py_state *state)
{
    quern_context_config config = {
        .struct_size = sizeof config, .threads = 1, .device = "cpu", .cache_dir = "off"};
    if (!self->same) {
        PyErr_SetString(state->unsupported,
                        "apply() takes a matrix of numbers; this model's input columns are of "
                        "several types, or hold text: use transform()");
        return -1;
    }
    quern_status status = QUERN_OK;
    if (self->lock == NULL) self->lock = PyThread_allocate_lock();
    if (self->server == NULL) status = quern_server_open(self->model, &self->server);
    if (status == QUERN_OK && self->context == NULL)
        status = quern_context_open(&config, &self->context);
    if (status != QUERN_OK) {
        qn_py_raise(state, status);
        return -1;
    }
    if (self->lock == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->applies = 1;
    return 0;
}

/* ---- arrays: as qn_py_view_get, less what serving does not need ---- */

struct rows {
    Py_buffer buffer;
    int64_t rows, stride;
};

static int wrong(const struct qn_py_model *self, const char *what, quern_type type,
                 uint32_t columns)
{
    (void)self;
    PyErr_Format(PyExc_ValueError, "%s: packed rows of %u values of type %s are needed", what,
                 (unsigned)columns, qn_py_type_name(type));
    return -1;
}

static int is_format(const char *format, quern_type type)
{
    if (format == NULL) return type == QUERN_UINT8;
    if (format[0] == '@' || format[0] == '=' || format[0] == '<') format++;
    const char *wanted = qn_py_type_format(type);
    if (format[0] == wanted[0] && format[1] == '\0') return 1;
    /* q and l, Q and L are the same here */
    return format[1] == '\0' && ((type == QUERN_INT64 && format[0] == 'q') ||
                                 (type == QUERN_UINT64 && format[0] == 'Q'));
}

static int get_rows(const struct qn_py_model *self, PyObject *object, int flags, const char *what,
                    quern_type type, uint32_t columns, struct rows *r)
{
    int64_t bytes = (int64_t)qn_py_type_bytes(type);
    if (PyObject_GetBuffer(object, &r->buffer, flags) < 0) return -1;
    const Py_buffer *b = &r->buffer;
    int single = b->ndim == 1; /* one row */
    int fits = (single || b->ndim == 2) && b->itemsize == bytes && is_format(b->format, type) &&
               b->shape[b->ndim - 1] == (Py_ssize_t)columns &&
               (columns == 1 || b->strides[b->ndim - 1] == bytes);
    if (fits) {
        r->rows = single ? 1 : b->shape[0];
        r->stride = r->rows > 1 ? b->strides[0] : (int64_t)columns * bytes;
        if (r->stride >= (int64_t)columns * bytes) return 0;
    }
    PyBuffer_Release(&r->buffer);
    return wrong(self, what, type, columns);
}

/* ---- rows through the server ---- */

static void load(quern_type type, const char *at, uint32_t n, quern_cell *cells)
{
#define LOAD(kind, member, whole)                                                                  \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        kind value;                                                                                \
        memcpy(&value, at + i * sizeof value, sizeof value);                                       \
        cells[i].member = value;                                                                   \
        cells[i].is_integer = whole;                                                               \
    }                                                                                              \
    break
    switch (type) {
    case QUERN_FLOAT64: LOAD(double, number, 0);
    case QUERN_FLOAT32: LOAD(float, number, 0);
    case QUERN_INT8: LOAD(int8_t, integer, 1);
    case QUERN_INT16: LOAD(int16_t, integer, 1);
    case QUERN_INT32: LOAD(int32_t, integer, 1);
    case QUERN_INT64: LOAD(int64_t, integer, 1);
    case QUERN_BOOL:
    case QUERN_UINT8: LOAD(uint8_t, integer, 1);
    case QUERN_UINT16: LOAD(uint16_t, integer, 1);
    case QUERN_UINT32: LOAD(uint32_t, integer, 1);
    default: break;
    }
#undef LOAD
}

static quern_status serve(const struct qn_py_model *self, const struct rows *in,
                          const struct rows *out)
{
    quern_cell stack[STACK_CELLS], *cells = stack;
    quern_status status = QUERN_OK;
    if (self->inputs > STACK_CELLS) {
        cells = malloc(self->inputs * sizeof *cells);
        if (cells == NULL) return QUERN_OUT_OF_MEMORY;
    }
    for (int64_t r = 0; status == QUERN_OK && r < in->rows; r++) {
        load(self->input, (const char *)in->buffer.buf + r * in->stride, self->inputs, cells);
        status = quern_server_row(self->server, cells, (char *)out->buffer.buf + r * out->stride);
    }
    if (cells != stack) free(cells);
    return status;
}

static quern_status transform(struct qn_py_model *self, const struct rows *in,
                              const struct rows *out)
{
    quern_matrix matrix = {.data = out->buffer.buf,
                           .type = quern_model_output_type(self->model),
                           .rows = (uint64_t)out->rows,
                           .columns = self->outputs,
                           .row_stride = out->stride};
    const char **names = calloc(self->inputs, sizeof *names);
    quern_table *table = NULL;
    if (names == NULL) return QUERN_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < self->inputs; i++) names[i] = quern_model_input_name(self->model, i);
    quern_status status = quern_table_from_matrix(
        in->buffer.buf, self->input, (uint64_t)in->rows, self->inputs, in->stride,
        self->inputs != 0 && names[0] != NULL ? names : NULL, &table);
    free(names);
    if (status != QUERN_OK) return status;
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    status = quern_model_transform(self->context, self->model, table, &matrix, NULL);
    PyThread_release_lock(self->lock);
    quern_table_free(table);
    return status;
}

PyObject *qn_py_model_apply(PyObject *object, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"x", "out"};
    static const struct qn_py_signature signature = {"apply", words, 2, 2};
    struct qn_py_model *self = (struct qn_py_model *)object;
    struct rows in, out;
    PyObject *given[2];
    quern_status status;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        (!self->applies && open_server(self, qn_py_state(object)) < 0) ||
        get_rows(self, given[0], PyBUF_STRIDES | PyBUF_FORMAT, "x", self->input, self->inputs,
                 &in) < 0)
        return NULL;
    if (get_rows(self, given[1], PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE, "out",
                 quern_model_output_type(self->model), self->outputs, &out) < 0) {
        PyBuffer_Release(&in.buffer);
        return NULL;
    }
    int same = in.rows == out.rows;
    Py_BEGIN_ALLOW_THREADS;
    if (!same)
        status = QUERN_INVALID;
    else if (in.rows <= SERVER_ROWS && self->input != QUERN_UINT64)
        status = serve(self, &in, &out);
    else
        status = transform(self, &in, &out);
    Py_END_ALLOW_THREADS;
    if (!same)
        PyErr_Format(PyExc_ValueError, "x has %lld rows, out has %lld", (long long)in.rows,
                     (long long)out.rows);
    else if (status != QUERN_OK)
        qn_py_raise(qn_py_state(object), status);
    PyBuffer_Release(&in.buffer);
    PyBuffer_Release(&out.buffer);
    if (status != QUERN_OK) return NULL;
    Py_RETURN_NONE;
}
