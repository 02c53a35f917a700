/* SPDX-License-Identifier: Apache-2.0
 * Tables from objects that speak Arrow's PyCapsule protocol: pyarrow, Polars, pandas, DuckDB and others,
 * none of which is needed here. A stream is read to its end; the chunks live as long as a column
 * views them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arrow.h"

static void free_chunks(struct qn_py_chunks *c)
{
    for (int64_t i = 0; i < c->n; i++)
        if (c->arrays[i].release != NULL) c->arrays[i].release(&c->arrays[i]);
    if (c->schema.release != NULL) c->schema.release(&c->schema);
    free(c->arrays);
    free(c);
}

static const char OWNER[] = "quern._core.chunks";

static void drop_chunks(PyObject *capsule)
{
    PyObject *type, *value, *trace; /* of an error on whose way out this happens */
    PyErr_Fetch(&type, &value, &trace);
    free_chunks(PyCapsule_GetPointer(capsule, OWNER));
    PyErr_Restore(type, value, trace);
}

PyObject *qn_py_chunks_new(struct qn_py_chunks **out)
{
    struct qn_py_chunks *c = *out = calloc(1, sizeof *c);
    if (c == NULL) return PyErr_NoMemory();
    PyObject *owner = PyCapsule_New(c, OWNER, drop_chunks);
    if (owner == NULL) free_chunks(c);
    return owner;
}

/* ---- capsules ---- */

int qn_py_arrow_released(const char *what)
{
    PyErr_Format(PyExc_ValueError, "the %s was released, or read, before", what);
    return -1;
}

struct ArrowArray *qn_py_next_chunk(struct qn_py_chunks *c)
{
    if (c->n == c->room) {
        int64_t room = c->room != 0 ? 2 * c->room : 4;
        struct ArrowArray *more = realloc(c->arrays, (size_t)room * sizeof *more);
        if (more == NULL) return (void *)PyErr_NoMemory();
        c->arrays = more; /* moving arrays bit by bit is what the interface allows */
        c->room = room;
    }
    memset(&c->arrays[c->n], 0, sizeof *c->arrays);
    return &c->arrays[c->n];
}

int qn_py_arrow_failed(int code, const char *text)
{
    if (PyErr_Occurred()) return -1;
    PyErr_Format(code == ENOMEM ? PyExc_MemoryError : PyExc_OSError, "the Arrow stream failed: %s",
                 text != NULL ? text : strerror(code));
    return -1;
}

static int read_stream(struct ArrowArrayStream *stream, struct qn_py_chunks *c)
{
    int code;
    Py_BEGIN_ALLOW_THREADS;
    code = stream->get_schema(stream, &c->schema);
    Py_END_ALLOW_THREADS;
    if (code != 0) return qn_py_arrow_failed(code, stream->get_last_error(stream));
    for (;;) {
        struct ArrowArray *place = qn_py_next_chunk(c);
        if (place == NULL) return -1;
        Py_BEGIN_ALLOW_THREADS;
        code = stream->get_next(stream, place);
        Py_END_ALLOW_THREADS;
        if (code != 0) return qn_py_arrow_failed(code, stream->get_last_error(stream));
        if (place->release == NULL) return PyErr_CheckSignals();
        c->n++;
        if (PyErr_CheckSignals() < 0) return -1;
    }
}

static int from_stream(PyObject *capsule, struct qn_py_chunks *c)
{
    PyObject *type, *value, *trace; /* of a failure */
    struct ArrowArrayStream *given = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (given == NULL) return -1;
    if (given->release == NULL) return qn_py_arrow_released("stream");
    struct ArrowArrayStream stream = *given;
    given->release = NULL;
    int failed = read_stream(&stream, c);
    PyErr_Fetch(&type, &value, &trace);
    if (stream.release != NULL) stream.release(&stream); /* it may be Python */
    PyErr_Restore(type, value, trace);
    return failed;
}

static int from_pair(PyObject *pair, struct qn_py_chunks *c)
{
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "__arrow_c_array__ gave no pair of capsules");
        return -1;
    }
    struct ArrowSchema *schema = PyCapsule_GetPointer(PyTuple_GetItem(pair, 0), "arrow_schema");
    if (schema == NULL) return -1;
    struct ArrowArray *array = PyCapsule_GetPointer(PyTuple_GetItem(pair, 1), "arrow_array");
    if (array == NULL) return -1;
    if (schema->release == NULL) return qn_py_arrow_released("schema");
    if (array->release == NULL) return qn_py_arrow_released("array");
    struct ArrowArray *place = qn_py_next_chunk(c);
    if (place == NULL) return -1;
    *place = *array;
    c->n = 1;
    c->schema = *schema;
    array->release = NULL;
    schema->release = NULL;
    return 0;
}

PyObject *qn_py_call_if_there(PyObject *object, const char *name)
{
    PyObject *method = PyObject_GetAttrString(object, name);
    if (method == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
        return NULL;
    }
    PyObject *result = PyObject_CallObject(method, NULL);
    Py_DECREF(method);
    return result;
}

/* Producers with the forms for devices alone: their arrays may be the host's all the same. */
static int fetch_host_of_device(const struct qn_py_state *state, PyObject *object,
                                struct qn_py_chunks *c)
{
    int found = qn_py_fetch_device(object, c);
    if (found < 0) return -1;
    if (found == 0) {
        PyErr_Format(PyExc_TypeError, "%.200R has neither __arrow_c_stream__ nor __arrow_c_array__",
                     Py_TYPE(object));
        return -1;
    }
    if (c->device == ARROW_CPU || (c->device == ARROW_CUDA_HOST && c->event == NULL)) return 0;
    PyErr_Format(
        state->unsupported,
        "Arrow arrays (__arrow_c_device_array__) on a device of type %d, where host memory "
        "is needed%s",
        (int)c->device,
        c->device == ARROW_CUDA || c->device == ARROW_CUDA_MANAGED
            ? "; Table.from_device reads CUDA's"
            : "");
    return -1;
}

static int fetch(const struct qn_py_state *state, PyObject *object, struct qn_py_chunks *c)
{
    PyObject *given = qn_py_call_if_there(object, "__arrow_c_stream__");
    int failed = -1;
    if (given != NULL) {
        failed = from_stream(given, c);
    } else if (!PyErr_Occurred()) {
        given = qn_py_call_if_there(object, "__arrow_c_array__");
        if (given != NULL) {
            failed = from_pair(given, c);
        } else if (!PyErr_Occurred()) {
            failed = fetch_host_of_device(state, object, c);
        }
    }
    Py_XDECREF(given);
    return failed;
}

/* ---- columns ---- */

static int broken(const char *why)
{
    PyErr_Format(PyExc_ValueError, "Arrow data with a fault: %s", why);
    return -1;
}

static int has_missing(const struct ArrowArray *a)
{
    if (a->n_buffers < 1 || a->buffers[0] == NULL || a->null_count == 0) return 0;
    for (int64_t i = 0; i < a->length; i++)
        if (!qn_py_arrow_bit(a->buffers[0], a->offset + i)) return 1;
    return 0;
}

static int check_array(const struct ArrowSchema *schema, const struct ArrowArray *a, int is_struct)
{
    if (a->length < 0 || a->offset < 0 || a->length > INT64_MAX / 32 - a->offset)
        return broken("a length or an offset out of range");
    if (!is_struct) return 0;
    if (a->n_children != schema->n_children) return broken("children unlike the schema's");
    if (has_missing(a)) return broken("rows that are missing as a whole");
    for (int64_t j = 0; j < a->n_children; j++) {
        const struct ArrowArray *child = a->children[j];
        if (check_array(schema->children[j], child, 0) < 0) return -1;
        if (child->length < a->offset + a->length) return broken("a child shorter than its parent");
    }
    return 0;
}

/* The rows of every chunk, of column j, or of the array itself. */
static void take_pieces(const struct qn_py_chunks *c, int is_struct, int64_t j,
                        struct qn_py_piece *pieces)
{
    for (int64_t k = 0; k < c->n; k++) {
        const struct ArrowArray *a = &c->arrays[k];
        const struct ArrowArray *column = is_struct ? a->children[j] : a;
        pieces[k] = (struct qn_py_piece){
            .array = column,
            .first = column->offset + (is_struct ? a->offset : 0),
            .length = a->length,
        };
    }
}

/* A stream may end before its first chunk. */
static int64_t rows_of(const struct qn_py_chunks *c)
{
    int64_t rows = 0;
    for (int64_t k = 0; k < c->n; k++) rows += c->arrays[k].length;
    return rows;
}

static PyObject *make_table(const struct qn_py_state *state, const struct qn_py_chunks *c,
                            uint32_t n, const char *const *names, PyObject *owner)
{
    int is_struct = strcmp(c->schema.format, "+s") == 0, viewed = 0;
    struct qn_py_keep keep = {0};
    PyObject *result = NULL;
    quern_table *table = NULL;
    quern_status status;
    quern_column *columns = calloc(n, sizeof *columns);
    struct qn_py_piece *pieces = calloc((size_t)c->n + 1, sizeof *pieces);
    if (columns == NULL || pieces == NULL) {
        PyErr_NoMemory();
        goto cleanup;
    }
    for (uint32_t j = 0; j < n; j++) {
        const struct ArrowSchema *schema = is_struct ? c->schema.children[j] : &c->schema;
        take_pieces(c, is_struct, j, pieces);
        if (qn_py_arrow_column(state, schema, pieces, c->n, &keep, &columns[j], &viewed) < 0)
            goto cleanup;
        columns[j].name = names != NULL ? names[j] : schema->name != NULL ? schema->name : "";
    }
    if (viewed) {
        struct qn_py_view *view = qn_py_keep_view(&keep);
        if (view == NULL) goto cleanup;
        view->owner = Py_NewRef(owner);
    }
    Py_BEGIN_ALLOW_THREADS;
    status = quern_table_create(columns, n, (uint64_t)rows_of(c), &table);
    Py_END_ALLOW_THREADS;
    result = status == QUERN_OK ? qn_py_table_new(state, table, &keep) : qn_py_raise(state, status);
cleanup:
    qn_py_keep_clear(&keep);
    free(columns);
    free(pieces);
    return result;
}

static PyObject *from_chunks(const struct qn_py_state *state, PyObject *owner, PyObject *given)
{
    struct qn_py_chunks *c = PyCapsule_GetPointer(owner, OWNER);
    int is_struct = strcmp(c->schema.format, "+s") == 0;
    int64_t n = is_struct ? c->schema.n_children : 1;
    const char **names = NULL;
    PyObject *strings = NULL;
    for (int64_t k = 0; k < c->n; k++)
        if (check_array(&c->schema, &c->arrays[k], is_struct) < 0) return NULL;
    if (n < 1 || n > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "a table of %lld columns", (long long)n);
        return NULL;
    }
    if (qn_py_names(given, (Py_ssize_t)n, &names, &strings) < 0) return NULL;
    PyObject *table = make_table(state, c, (uint32_t)n, names, owner);
    PyMem_Free(names);
    Py_XDECREF(strings);
    return table;
}

PyObject *qn_py_table_from_arrow(PyObject *class, PyObject *const *args, Py_ssize_t n,
                                 PyObject *named)
{
    static const char *const words[] = {"obj", "names"};
    static const struct qn_py_signature signature = {"from_arrow", words, 2, 1};
    const struct qn_py_state *state = PyType_GetModuleState((PyTypeObject *)class);
    PyObject *given[2];
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    struct qn_py_chunks *c;
    PyObject *owner = qn_py_chunks_new(&c);
    if (owner == NULL) return NULL;
    PyObject *table = fetch(state, given[0], c) == 0 ? from_chunks(state, owner, given[1]) : NULL;
    Py_DECREF(owner);
    return table;
}
