/* SPDX-License-Identifier: Apache-2.0
 * Fit: a fit that is fed chunk by chunk. */
#include <string.h>

#include "core.h"
#include "docs.h"

struct fit {
    PyObject_HEAD quern_fit *fit;
    PyObject *context;
};

/* Takes over the fit, also on failure. */
static PyObject *make(PyTypeObject *type, PyObject *context, quern_fit *fit)
{
    struct fit *self = PyObject_GC_New(struct fit, type);
    if (self == NULL) {
        quern_fit_cancel(fit);
        return NULL;
    }
    self->fit = fit;
    self->context = Py_NewRef(context);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static PyObject *fit_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *words[] = {"ctx", "pipeline", NULL};
    const struct qn_py_state *state = PyType_GetModuleState(type);
    PyObject *context, *pipeline;
    struct qn_py_call call;
    quern_fit *fit = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O!O!:Fit", words, state->context, &context,
                                     state->pipeline, &pipeline))
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)context;
    if (qn_py_begin(cx, &call) < 0) return NULL;
    quern_status status =
        quern_fit_begin(cx->context, ((struct qn_py_pipeline *)pipeline)->pipeline, &fit);
    if (qn_py_end(&call, status) == 0) return make(type, context, fit);
    quern_fit_cancel(fit);
    return NULL;
}

static int fit_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct fit *)object)->context);
    return 0;
}

static void fit_dealloc(PyObject *object)
{
    struct fit *self = (struct fit *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    quern_fit_cancel(self->fit); /* host memory alone: no need of the context */
    Py_DECREF(self->context);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

/* Takes the context; the fit may have been finished by whoever had it before. */
static int begin(struct fit *self, struct qn_py_call *call)
{
    if (qn_py_begin((struct qn_py_context *)self->context, call) < 0) return -1;
    if (self->fit != NULL) return 0;
    (void)qn_py_end(call, QUERN_OK);
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "the fit is finished");
    return -1;
}

static PyObject *fit_push(PyObject *object, PyObject *table)
{
    struct fit *self = (struct fit *)object;
    struct qn_py_call call;
    if (!qn_py_is(table, qn_py_state(object)->table, "Table") || begin(self, &call) < 0)
        return NULL;
    quern_status status = quern_fit_push(self->fit, ((struct qn_py_table *)table)->table);
    if (qn_py_end(&call, status) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *fit_finish(PyObject *object, PyObject *unused)
{
    struct fit *self = (struct fit *)object;
    struct qn_py_call call;
    quern_model *model = NULL;
    (void)unused;
    if (begin(self, &call) < 0) return NULL;
    quern_fit *fit = self->fit;
    self->fit = NULL;
    quern_status status = quern_fit_finish(fit, &model);
    if (qn_py_end(&call, status) == 0) return qn_py_model_new(qn_py_state(object), model);
    quern_model_free(model);
    return NULL;
}

static PyObject *fit_snapshot(PyObject *object, PyObject *unused)
{
    struct fit *self = (struct fit *)object;
    struct qn_py_call call;
    quern_model *model = NULL;
    (void)unused;
    if (begin(self, &call) < 0) return NULL;
    quern_status status = quern_fit_snapshot(self->fit, &model);
    if (qn_py_end(&call, status) == 0) return qn_py_model_new(qn_py_state(object), model);
    quern_model_free(model);
    return NULL;
}

static PyObject *fit_to_bytes(PyObject *object, PyObject *unused)
{
    struct fit *self = (struct fit *)object;
    struct qn_py_call call;
    void *bytes = NULL;
    size_t size = 0;
    PyObject *made = NULL;
    (void)unused;
    if (begin(self, &call) < 0) return NULL;
    quern_status status = quern_fit_to_bytes(self->fit, &bytes, &size);
    if (qn_py_end(&call, status) == 0) made = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size);
    quern_free(bytes);
    return made;
}

static PyObject *fit_from_bytes(PyObject *class, PyObject *const *args, Py_ssize_t n,
                                PyObject *named)
{
    static const char *const words[] = {"ctx", "b"};
    static const struct qn_py_signature signature = {"from_bytes", words, 2, 2};
    const struct qn_py_state *state = PyType_GetModuleState((PyTypeObject *)class);
    struct qn_py_call call;
    PyObject *given[2];
    quern_fit *fit = NULL;
    Py_buffer view;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        PyObject_GetBuffer(given[1], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    int failed = qn_py_begin(cx, &call) < 0;
    if (!failed) {
        quern_status status = quern_fit_from_bytes(
            cx->context, "state", view.len != 0 ? view.buf : "", (size_t)view.len, &fit);
        failed = qn_py_end(&call, status) < 0;
    }
    PyBuffer_Release(&view);
    if (!failed) return make((PyTypeObject *)class, given[0], fit);
    quern_fit_cancel(fit);
    return NULL;
}

static PyMethodDef methods[] = {
    {"snapshot", fit_snapshot, METH_NOARGS, qn_py_doc_fit_snapshot},
    {"to_bytes", fit_to_bytes, METH_NOARGS, qn_py_doc_fit_to_bytes},
    {"from_bytes", QN_PY_FAST(fit_from_bytes), QN_PY_FASTCALL | METH_CLASS,
     qn_py_doc_fit_from_bytes},
    {"push", fit_push, METH_O, qn_py_doc_fit_push},
    {"finish", fit_finish, METH_NOARGS, qn_py_doc_fit_finish},
    {0},
};
static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_fit},
    {Py_tp_new, (void *)fit_new},
    {Py_tp_dealloc, (void *)fit_dealloc},
    {Py_tp_traverse, (void *)fit_traverse},
    {Py_tp_methods, methods},
    {0},
};
PyType_Spec qn_py_fit_spec = {
    .name = "quern._core.Fit",
    .basicsize = sizeof(struct fit),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
