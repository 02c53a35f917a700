/* SPDX-License-Identifier: Apache-2.0
 * Model: what was learned. */
#include <string.h>

#include "core.h"
#include "docs.h"

PyObject *qn_py_model_new(const struct qn_py_state *state, quern_model *model)
{
    struct qn_py_model *self = PyObject_New(struct qn_py_model, state->model);
    if (self == NULL) {
        quern_model_free(model);
        return NULL;
    }
    self->model = model;
    self->server = NULL;
    self->context = NULL;
    self->lock = NULL;
    self->applies = 0;
    self->inputs = quern_model_inputs(model);
    self->outputs = quern_model_outputs(model);
    self->input = self->inputs != 0 ? quern_model_input_type(model, 0) : QUERN_FLOAT64;
    self->same = self->input != QUERN_STRING && self->input != QUERN_DATETIME;
    for (uint32_t i = 1; i < self->inputs; i++)
        if (quern_model_input_type(model, i) != self->input) self->same = 0;
    return (PyObject *)self;
}

static void model_dealloc(PyObject *object)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    PyTypeObject *type = Py_TYPE(object);
    qn_py_model_apply_close(self);
    quern_model_free(self->model);
    PyObject_Free(object);
    Py_DECREF(type);
}

static struct qn_py_state *state_of_class(PyObject *class)
{
    return PyType_GetModuleState((PyTypeObject *)class);
}

/* ---- bytes and files ---- */

static PyObject *model_from_bytes(PyObject *class, PyObject *bytes)
{
    const struct qn_py_state *state = state_of_class(class);
    quern_model *model = NULL;
    quern_status status;
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status =
        quern_model_from_bytes("model", view.len != 0 ? view.buf : "", (size_t)view.len, &model);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) qn_py_raise(state, status);
    PyBuffer_Release(&view);
    return status == QUERN_OK ? qn_py_model_new(state, model) : NULL;
}

static PyObject *model_to_bytes(PyObject *object, PyObject *unused)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    void *bytes = NULL;
    size_t size = 0;
    quern_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = quern_model_to_bytes(self->model, &bytes, &size);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) return qn_py_raise(qn_py_state(object), status);
    PyObject *made = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size);
    quern_free(bytes);
    return made;
}

static PyObject *model_load(PyObject *class, PyObject *path)
{
    const struct qn_py_state *state = state_of_class(class);
    PyObject *name = NULL;
    quern_model *model = NULL;
    quern_status status;
    if (!PyUnicode_FSConverter(path, &name)) return NULL;
    const char *file = PyBytes_AsString(name);
    Py_BEGIN_ALLOW_THREADS;
    status = quern_model_load(file, &model);
    Py_END_ALLOW_THREADS;
    Py_DECREF(name);
    if (status != QUERN_OK) return qn_py_raise(state, status);
    return qn_py_model_new(state, model);
}

static PyObject *model_save(PyObject *object, PyObject *path)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    PyObject *name = NULL;
    quern_status status;
    if (!PyUnicode_FSConverter(path, &name)) return NULL;
    const char *file = PyBytes_AsString(name);
    Py_BEGIN_ALLOW_THREADS;
    status = quern_model_save(self->model, file);
    Py_END_ALLOW_THREADS;
    Py_DECREF(name);
    if (status != QUERN_OK) return qn_py_raise(qn_py_state(object), status);
    Py_RETURN_NONE;
}

static PyObject *model_inspect(PyObject *object, PyObject *unused)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    char *json = NULL;
    quern_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = quern_model_inspect(self->model, &json);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) return qn_py_raise(qn_py_state(object), status);
    PyObject *text = PyUnicode_FromString(json);
    quern_free(json);
    return text;
}

/* A tensor in a dict: a memoryview of doubles, int64 or bytes. */
static quern_status keep_tensor(void *dict, const quern_tensor *tensor)
{
    const char *format = tensor->type == QUERN_FLOAT64 ? "d"
                         : tensor->type == QUERN_INT64 ? "q"
                                                       : "B";
    size_t bytes = (size_t)tensor->count * (*format == 'B' ? 1 : 8);
    PyObject *data = PyBytes_FromStringAndSize(tensor->data, (Py_ssize_t)bytes);
    PyObject *plain = data != NULL ? PyMemoryView_FromObject(data) : NULL;
    PyObject *view = plain != NULL ? PyObject_CallMethod(plain, "cast", "s", format) : NULL;
    int failed = view == NULL || PyDict_SetItemString(dict, tensor->name, view) < 0;
    Py_XDECREF(view);
    Py_XDECREF(plain);
    Py_XDECREF(data);
    return failed ? QUERN_INTERNAL : QUERN_OK;
}

static PyObject *model_tensors(PyObject *object, PyObject *unused)
{
    PyObject *dict = PyDict_New();
    (void)unused;
    if (dict == NULL) return NULL;
    quern_status status =
        quern_model_tensors(((struct qn_py_model *)object)->model, keep_tensor, dict);
    if (status == QUERN_OK) return dict;
    Py_DECREF(dict);
    return PyErr_Occurred() ? NULL : qn_py_raise(qn_py_state(object), status);
}

static PyObject *model_reduce(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyObject *load = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "from_bytes");
    PyObject *bytes = load != NULL ? model_to_bytes(object, NULL) : NULL;
    PyObject *made = bytes != NULL ? Py_BuildValue("(O(O))", load, bytes) : NULL;
    Py_XDECREF(load);
    Py_XDECREF(bytes);
    return made;
}

/* ---- transform ---- */

static PyObject *model_transform(PyObject *object, PyObject *const *args, Py_ssize_t n,
                                 PyObject *named)
{
    static const char *const words[] = {"ctx", "table", "out", "sparse"};
    static const struct qn_py_signature signature = {"transform", words, 4, 2};
    const struct qn_py_state *state = qn_py_state(object);
    const quern_model *model = ((struct qn_py_model *)object)->model;
    struct qn_py_call call;
    struct qn_py_result result;
    PyObject *given[4];
    int sparse;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        !qn_py_is(given[1], state->table, "Table") || (sparse = qn_py_flag(given[3], 0)) < 0 ||
        qn_py_result_begin(state, given[2], sparse, &result) < 0)
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    const quern_table *table = ((struct qn_py_table *)given[1])->table;
    int failed = qn_py_begin_stage(cx, &call, QN_PY_TRANSFORM) < 0;
    if (!failed) {
        quern_status status = quern_model_transform(
            cx->context, model, table, qn_py_result_matrix(&result), qn_py_result_csr(&result));
        failed = qn_py_end(&call, status) < 0;
    }
    return qn_py_result_end(state, &result, failed);
}

static PyObject *model_inverse_transform(PyObject *object, PyObject *const *args, Py_ssize_t n,
                                         PyObject *named)
{
    static const char *const words[] = {"ctx", "table", "out"};
    static const struct qn_py_signature signature = {"inverse_transform", words, 3, 2};
    const struct qn_py_state *state = qn_py_state(object);
    const quern_model *model = ((struct qn_py_model *)object)->model;
    struct qn_py_call call;
    struct qn_py_result result;
    PyObject *given[3];
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        !qn_py_is(given[1], state->table, "Table") ||
        qn_py_result_begin(state, given[2], 0, &result) < 0)
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    const quern_table *table = ((struct qn_py_table *)given[1])->table;
    int failed = qn_py_begin_stage(cx, &call, QN_PY_INVERSE) < 0;
    if (!failed) {
        quern_status status =
            quern_model_inverse_transform(cx->context, model, table, qn_py_result_matrix(&result));
        failed = qn_py_end(&call, status) < 0;
    }
    return qn_py_result_end(state, &result, failed);
}

/* ---- questions ---- */

typedef const char *word_of(const quern_model *, uint32_t i);

static const char *type_word(const quern_model *model, uint32_t i)
{
    return qn_py_type_name(quern_model_input_type(model, i));
}

static PyObject *words_of(const quern_model *model, uint32_t n, word_of *word)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (uint32_t i = 0; list != NULL && i < n; i++) {
        PyObject *text = qn_py_string(word(model, i));
        if (text == NULL || PyList_SetItem(list, (Py_ssize_t)i, text) < 0) Py_CLEAR(list);
    }
    return list;
}

static PyObject *input_names(PyObject *object, void *closure)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    (void)closure;
    return words_of(self->model, self->inputs, quern_model_input_name);
}

static PyObject *input_types(PyObject *object, void *closure)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    (void)closure;
    return words_of(self->model, self->inputs, type_word);
}

static PyObject *output_names(PyObject *object, void *closure)
{
    struct qn_py_model *self = (struct qn_py_model *)object;
    (void)closure;
    return words_of(self->model, self->outputs, quern_model_output_name);
}

static PyObject *output_type(PyObject *object, void *closure)
{
    (void)closure;
    return qn_py_string(
        qn_py_type_name(quern_model_output_type(((struct qn_py_model *)object)->model)));
}

static PyObject *is_sparse(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(quern_model_is_sparse(((struct qn_py_model *)object)->model));
}

static PyMethodDef methods[] = {
    {"from_bytes", model_from_bytes, METH_O | METH_CLASS, qn_py_doc_model_from_bytes},
    {"to_bytes", model_to_bytes, METH_NOARGS, qn_py_doc_model_to_bytes},
    {"load", model_load, METH_O | METH_CLASS, qn_py_doc_model_load},
    {"save", model_save, METH_O, qn_py_doc_model_save},
    {"inspect", model_inspect, METH_NOARGS, qn_py_doc_model_inspect},
    {"tensors", model_tensors, METH_NOARGS, qn_py_doc_model_tensors},
    {"__reduce__", model_reduce, METH_NOARGS, qn_py_doc_model_reduce},
    {"transform", QN_PY_FAST(model_transform), QN_PY_FASTCALL, qn_py_doc_model_transform},
    {"inverse_transform", QN_PY_FAST(model_inverse_transform), QN_PY_FASTCALL,
     qn_py_doc_model_inverse_transform},
    {"apply", QN_PY_FAST(qn_py_model_apply), QN_PY_FASTCALL, qn_py_doc_model_apply},
    {0},
};
static PyGetSetDef members[] = {
    {"input_names", input_names, NULL, "list of str (None: a column without a name)", NULL},
    {"input_types", input_types, NULL, "list of str", NULL},
    {"output_names", output_names, NULL, "list of str", NULL},
    {"output_type", output_type, NULL, "\"string\": no matrix can be made", NULL},
    {"is_sparse", is_sparse, NULL, "whether scikit-learn would give a sparse matrix", NULL},
    {0},
};
static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_model},
    {Py_tp_dealloc, (void *)model_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {0},
};
PyType_Spec qn_py_model_spec = {
    .name = "quern._core.Model",
    .basicsize = sizeof(struct qn_py_model),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
