/* SPDX-License-Identifier: Apache-2.0
 * Pipeline: what is to be learned and applied, from a spec. */
#include <string.h>

#include "core.h"
#include "docs.h"

static PyObject *pipeline_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *words[] = {"spec_json", "name", NULL};
    const struct qn_py_state *state = PyType_GetModuleState(type);
    const char *json, *name = "spec";
    Py_ssize_t bytes;
    quern_pipeline *pipeline = NULL;
    quern_status status;
    if (!PyArg_ParseTupleAndKeywords(args, named, "s#|s:Pipeline", words, &json, &bytes, &name))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = quern_pipeline_from_spec(name, json, (size_t)bytes, &pipeline);
    Py_END_ALLOW_THREADS;
    if (status != QUERN_OK) return qn_py_raise(state, status);
    struct qn_py_pipeline *self = PyObject_New(struct qn_py_pipeline, type);
    if (self == NULL)
        quern_pipeline_free(pipeline);
    else
        self->pipeline = pipeline;
    return (PyObject *)self;
}

static void pipeline_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    quern_pipeline_free(((struct qn_py_pipeline *)object)->pipeline);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *pipeline_fit(PyObject *object, PyObject *const *args, Py_ssize_t n,
                              PyObject *named)
{
    static const char *const words[] = {"ctx", "table"};
    static const struct qn_py_signature signature = {"fit", words, 2, 2};
    const struct qn_py_state *state = qn_py_state(object);
    const quern_pipeline *pipeline = ((struct qn_py_pipeline *)object)->pipeline;
    struct qn_py_call call;
    PyObject *given[2];
    quern_model *model = NULL;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        !qn_py_is(given[1], state->table, "Table"))
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    const quern_table *table = ((struct qn_py_table *)given[1])->table;
    if (qn_py_begin(cx, &call) < 0) return NULL;
    quern_status status = quern_pipeline_fit(cx->context, pipeline, table, &model);
    if (qn_py_end(&call, status) == 0) return qn_py_model_new(state, model);
    quern_model_free(model);
    return NULL;
}

static PyObject *pipeline_fit_transform(PyObject *object, PyObject *const *args, Py_ssize_t n,
                                        PyObject *named)
{
    static const char *const words[] = {"ctx", "table", "out", "sparse"};
    static const struct qn_py_signature signature = {"fit_transform", words, 4, 2};
    const struct qn_py_state *state = qn_py_state(object);
    const quern_pipeline *pipeline = ((struct qn_py_pipeline *)object)->pipeline;
    struct qn_py_call call;
    struct qn_py_result result;
    PyObject *given[4];
    quern_model *model = NULL;
    int sparse;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        !qn_py_is(given[1], state->table, "Table") || (sparse = qn_py_flag(given[3], 0)) < 0 ||
        qn_py_result_begin(state, given[2], sparse, &result) < 0)
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    const quern_table *table = ((struct qn_py_table *)given[1])->table;
    int failed = qn_py_begin(cx, &call) < 0;
    if (!failed) {
        quern_status status =
            quern_pipeline_fit_transform(cx->context, pipeline, table, qn_py_result_matrix(&result),
                                         qn_py_result_csr(&result), &model);
        failed = qn_py_end(&call, status) < 0;
    }
    PyObject *made = qn_py_result_end(state, &result, failed);
    if (made == NULL) {
        quern_model_free(model);
        return NULL;
    }
    PyObject *fitted = qn_py_model_new(state, model);
    PyObject *pair = fitted != NULL ? PyTuple_Pack(2, made, fitted) : NULL;
    Py_XDECREF(fitted);
    Py_DECREF(made);
    return pair;
}

static PyObject *pipeline_spec(PyObject *object, PyObject *unused)
{
    char *json = NULL;
    (void)unused;
    quern_status status = quern_pipeline_spec(((struct qn_py_pipeline *)object)->pipeline, &json);
    if (status != QUERN_OK) return qn_py_raise(qn_py_state(object), status);
    PyObject *text = PyUnicode_FromString(json);
    quern_free(json);
    return text;
}

static PyMethodDef methods[] = {
    {"fit", QN_PY_FAST(pipeline_fit), QN_PY_FASTCALL, qn_py_doc_pipeline_fit},
    {"fit_transform", QN_PY_FAST(pipeline_fit_transform), QN_PY_FASTCALL,
     qn_py_doc_pipeline_fit_transform},
    {"spec", pipeline_spec, METH_NOARGS, qn_py_doc_pipeline_spec},
    {0},
};
static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_pipeline},
    {Py_tp_new, (void *)pipeline_new},
    {Py_tp_dealloc, (void *)pipeline_dealloc},
    {Py_tp_methods, methods},
    {0},
};
PyType_Spec qn_py_pipeline_spec = {
    .name = "quern._core.Pipeline",
    .basicsize = sizeof(struct qn_py_pipeline),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
