/* SPDX-License-Identifier: Apache-2.0
 * Tables of what other libraries have in CUDA memory: by __cuda_array_interface__, by DLPack, by Arrow's
 * protocol for devices, the first that the object has. Nothing goes through the host. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"

/* What the library is asked for. The views of keep hold the memory. */
struct foreign {
    const struct qn_py_state *state;
    quern_column *columns;
    int64_t n, rows;
    uint64_t stream;
    void *event;
    struct qn_py_keep keep;
};

static int room_for(struct foreign *f, int64_t n)
{
    if (n < 1 || n > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "a table of %lld columns", (long long)n);
        return -1;
    }
    f->n = n;
    f->columns = calloc((size_t)n, sizeof *f->columns);
    if (f->columns != NULL) return 0;
    PyErr_NoMemory();
    return -1;
}

/* ---- arrays ---- */

static int refuse_interface(const char *why)
{
    PyErr_Format(PyExc_ValueError, "x: __cuda_array_interface__ %s", why);
    return -1;
}

/* stream: None or absent, nothing is pending; 0 is forbidden, since it could mean two things. */
static int read_stream(PyObject *dict, uint64_t *out)
{
    PyObject *stream = PyDict_GetItemString(dict, "stream");
    if (stream == NULL || stream == Py_None) return 0;
    *out = PyLong_AsUnsignedLongLong(stream);
    if (PyErr_Occurred()) return -1;
    return *out != 0 ? 0 : refuse_interface("with the stream 0, which is not allowed");
}

static int read_cuda(struct foreign *f, PyObject *dict, struct qn_py_view *v)
{
    PyObject *version = PyDict_GetItemString(dict, "version");
    PyObject *mask = PyDict_GetItemString(dict, "mask");
    long number = version != NULL ? PyLong_AsLong(version) : -1;
    if (PyErr_Occurred()) return -1;
    if (number != 2 && number != 3) return refuse_interface("of a version that is neither 2 nor 3");
    if (mask != NULL && mask != Py_None) {
        PyErr_SetString(f->state->unsupported, "x: __cuda_array_interface__ with a mask");
        return -1;
    }
    if (qn_py_read_interface(dict, QN_PY_READ, "x", v) < 0) return -1;
    return read_stream(dict, &f->stream);
}

/* 1: filled, 0: the object has none, -1: an exception. */
static int from_interface(struct foreign *f, PyObject *object, struct qn_py_view *v)
{
    PyObject *dict = PyObject_GetAttr(object, f->state->cuda_array_interface);
    if (dict == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
        return 0;
    }
    int failed = -1;
    if (PyDict_Check(dict))
        failed = read_cuda(f, dict, v);
    else
        PyErr_SetString(PyExc_TypeError, "x: __cuda_array_interface__ is no dict");
    if (failed == 0) v->owner = PyTuple_Pack(2, object, dict);
    Py_DECREF(dict);
    return failed == 0 && v->owner != NULL ? 1 : -1;
}

static int from_dlpack(struct foreign *f, PyObject *object, struct qn_py_view *v)
{
    int found = qn_py_from_dlpack(f->state, object, QN_PY_CUDA, "x", v);
    if (found > 0) f->stream = 1; /* the stream that the exporter was told of */
    return found;
}

/* The columns of a matrix or vector. A single row's stride says nothing. */
static int columns_of(struct foreign *f, const struct qn_py_view *v)
{
    int64_t bytes = (int64_t)qn_py_type_bytes(v->type);
    int64_t across = v->ndim == 2 ? v->strides[1] : bytes;
    if (qn_py_check_extent("x", v) < 0 || room_for(f, v->ndim == 2 ? v->shape[1] : 1) < 0)
        return -1;
    f->rows = v->shape[0];
    if (f->rows > 1 && v->strides[0] == 0) { /* for the library 0 means packed */
        PyErr_SetString(f->state->unsupported, "x: one row that stands for many (a stride of 0)");
        return -1;
    }
    for (int64_t i = 0; i < f->n; i++)
        f->columns[i] = (quern_column){
            .type = v->type,
            .data = v->data != NULL ? v->data + i * across : NULL,
            .stride = v->shape[0] > 1 ? v->strides[0] : f->n * bytes,
        };
    return 0;
}

/* ---- Arrow ---- */

static int refuse_arrow(const struct foreign *f, const struct ArrowSchema *schema, const char *why)
{
    PyErr_Format(f->state->unsupported, "column \"%s\": %s",
                 schema->name != NULL ? schema->name : "", why);
    return -1;
}

static int type_of(const char *format)
{
    static const char letters[] = "csilCSILfg";
    static const quern_type types[] = {QUERN_INT8,    QUERN_INT16,  QUERN_INT32,  QUERN_INT64,
                                       QUERN_UINT8,   QUERN_UINT16, QUERN_UINT32, QUERN_UINT64,
                                       QUERN_FLOAT32, QUERN_FLOAT64};
    const char *found = format[0] != '\0' && format[1] == '\0' ? strchr(letters, format[0]) : NULL;
    return found != NULL ? (int)types[found - letters] : -1;
}

/* One column, `skip` rows of its parent's offset left out. a NULL: a stream without chunks. */
static int arrow_column(struct foreign *f, const struct ArrowSchema *schema,
                        const struct ArrowArray *a, int64_t skip, quern_column *out)
{
    int type = schema->dictionary == NULL ? type_of(schema->format) : -1;
    if (type < 0)
        return refuse_arrow(f, schema,
                            "of Arrow's types, integers, float32 and float64 are read "
                            "in device memory");
    *out =
        (quern_column){.name = schema->name != NULL ? schema->name : "", .type = (quern_type)type};
    if (a == NULL || f->rows == 0) return 0;
    if (a->n_buffers != 2 || a->offset < 0 || a->length < skip + f->rows ||
        a->offset > INT64_MAX / 16 - skip)
        return refuse_arrow(f, schema, "Arrow data with a fault");
    int64_t first = a->offset + skip;
    const char *values = a->buffers[1];
    if (values == NULL) return refuse_arrow(f, schema, "Arrow data without values");
    out->data = values + first * (int64_t)qn_py_type_bytes(out->type);
    out->validity = a->null_count != 0 ? a->buffers[0] : NULL;
    out->validity_offset = first;
    return 0;
}

static int arrow_columns(struct foreign *f, const struct qn_py_chunks *c)
{
    const struct ArrowArray *a = c->n != 0 ? &c->arrays[0] : NULL;
    int is_struct = strcmp(c->schema.format, "+s") == 0;
    if (c->n > 1) return refuse_arrow(f, &c->schema, "several chunks in device memory");
    if (c->device != ARROW_CUDA && c->device != ARROW_CUDA_MANAGED) {
        PyErr_Format(f->state->unsupported,
                     "Arrow arrays (__arrow_c_device_array__) on a device of type %d; of devices "
                     "the library reads those of CUDA (2, 13), and from_arrow the host",
                     (int)c->device);
        return -1;
    }
    if (room_for(f, is_struct ? c->schema.n_children : 1) < 0) return -1;
    f->rows = a != NULL ? a->length : 0;
    if (a != NULL && is_struct &&
        (a->n_children != f->n || a->offset < 0 || a->length < 0 ||
         (a->n_buffers > 0 && a->buffers[0] != NULL && a->null_count != 0)))
        return refuse_arrow(f, &c->schema, "rows that are missing as a whole, or a fault");
    for (int64_t i = 0; i < f->n; i++) {
        const struct ArrowSchema *schema = is_struct ? c->schema.children[i] : &c->schema;
        const struct ArrowArray *column = a != NULL && is_struct ? a->children[i] : a;
        if (arrow_column(f, schema, column, a != NULL && is_struct ? a->offset : 0,
                         &f->columns[i]) < 0)
            return -1;
    }
    if (c->event != NULL) f->event = *(void **)c->event;
    return 0;
}

static int from_arrow(struct foreign *f, PyObject *object, struct qn_py_view *v)
{
    struct qn_py_chunks *c;
    PyObject *owner = qn_py_chunks_new(&c);
    if (owner == NULL) return -1;
    int found = qn_py_fetch_device(object, c);
    if (found > 0 && arrow_columns(f, c) < 0) found = -1;
    if (found > 0)
        v->owner = owner;
    else
        Py_DECREF(owner);
    return found;
}

/* ---- the table ---- */

static int describe(struct foreign *f, PyObject *object)
{
    struct qn_py_view *v = qn_py_keep_view(&f->keep);
    if (v == NULL) return -1;
    int found = from_interface(f, object, v);
    if (found == 0 && PyObject_HasAttr(object, f->state->dlpack)) found = from_dlpack(f, object, v);
    if (found != 0) return found < 0 ? -1 : columns_of(f, v);
    found = from_arrow(f, object, v);
    if (found != 0) return found < 0 ? -1 : 0;
    PyErr_Format(PyExc_TypeError,
                 "x: %.200R has no __cuda_array_interface__, no __dlpack__ and no "
                 "__arrow_c_device_array__",
                 Py_TYPE(object));
    return -1;
}

static quern_table *make(struct foreign *f, struct qn_py_context *cx, PyObject *given)
{
    struct qn_py_call call;
    quern_table *table = NULL;
    const char **names = NULL;
    PyObject *strings = NULL;
    struct qn_py_view *v = qn_py_keep_view(&f->keep);
    if (v == NULL) return NULL;
    v->owner = Py_NewRef((PyObject *)cx); /* the table is freed before the device is closed */
    if (qn_py_names(given, (Py_ssize_t)f->n, &names, &strings) < 0) return NULL;
    for (int64_t i = 0; names != NULL && i < f->n; i++) f->columns[i].name = names[i];
    if (qn_py_begin(cx, &call) == 0) {
        quern_status status =
            quern_table_from_device(cx->context, f->columns, (uint32_t)f->n, (uint64_t)f->rows,
                                    f->stream, f->event, &table);
        if (qn_py_end(&call, status) < 0) {
            quern_table_free(table);
            table = NULL;
        }
    }
    PyMem_Free(names);
    Py_XDECREF(strings);
    return table;
}

PyObject *qn_py_table_from_device(PyObject *class, PyObject *const *args, Py_ssize_t n,
                                  PyObject *named)
{
    static const char *const words[] = {"ctx", "obj", "names"};
    static const struct qn_py_signature signature = {"from_device", words, 3, 2};
    struct foreign f = {.state = PyType_GetModuleState((PyTypeObject *)class)};
    PyObject *given[3];
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], f.state->context, "Context"))
        return NULL;
    quern_table *table = NULL;
    if (describe(&f, given[1]) == 0) table = make(&f, (struct qn_py_context *)given[0], given[2]);
    free(f.columns);
    if (table != NULL) return qn_py_table_new(f.state, table, &f.keep);
    qn_py_keep_clear(&f.keep);
    return NULL;
}
