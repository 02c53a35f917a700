/* SPDX-License-Identifier: Apache-2.0
 * Fit: a fit that is fed chunk by chunk. */
#include <string.h>

#include "core.h"

struct fit {
    PyObject_HEAD quern_fit *fit;
    PyObject *context, *pipeline;
};

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
    int failed = qn_py_end(&call, status) < 0;
    struct fit *self = failed ? NULL : PyObject_GC_New(struct fit, type);
    if (self == NULL) {
        quern_fit_cancel(fit);
        return NULL;
    }
    self->fit = fit;
    self->context = Py_NewRef(context);
    self->pipeline = Py_NewRef(pipeline);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int fit_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct fit *)object)->context);
    Py_VISIT(((struct fit *)object)->pipeline);
    return 0;
}

static void fit_dealloc(PyObject *object)
{
    struct fit *self = (struct fit *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    quern_fit_cancel(self->fit); /* host memory alone: no need of the context */
    Py_DECREF(self->context);
    Py_DECREF(self->pipeline);
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

static PyMethodDef methods[] = {
    {"push", fit_push, METH_O, "push(table): the next rows; copied."},
    {"finish", fit_finish, METH_NOARGS, "finish(): the Model of all rows; the fit is over."},
    {0},
};
static PyType_Slot slots[] = {
    {Py_tp_doc, "Fit(ctx, pipeline)\n--\n\nA fit chunk by chunk, with the bits of one fit of all "
                "rows."},
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
