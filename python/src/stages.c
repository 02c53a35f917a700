/* SPDX-License-Identifier: Apache-2.0
 * What calls through a context took: time, bytes and launches, by kind of call. */
#include "core.h"

static const char *const names[QN_PY_STAGES] = {
    [QN_PY_READ_FILE] = "read",
    [QN_PY_FIT] = "fit",
    [QN_PY_FIT_TRANSFORM] = "fit_transform",
    [QN_PY_PUSH] = "push",
    [QN_PY_TRANSFORM] = "transform",
    [QN_PY_INVERSE] = "inverse_transform",
    [QN_PY_RUN] = "run",
    [QN_PY_APPLY_FILE] = "apply_file",
    [QN_PY_ARRAY] = "array",
};

int qn_py_begin_stage(struct qn_py_context *cx, struct qn_py_call *call, enum qn_py_stage stage)
{
    if (qn_py_begin(cx, call) < 0) return -1;
    call->stage = stage;
    call->before = (quern_ledger){.struct_size = sizeof call->before};
    quern_context_ledger(cx->context, &call->before);
    call->started = qn_py_now_ns();
    return 0;
}

void qn_py_count_stage(struct qn_py_call *call)
{
    struct qn_py_totals *t = &call->cx->stages[call->stage];
    const quern_ledger *b = &call->before;
    quern_ledger l = {.struct_size = sizeof l};
    t->calls++;
    t->ns += (uint64_t)(qn_py_now_ns() - call->started);
    quern_context_ledger(call->cx->context, &l);
    t->to_device +=
        l.input_to_device - b->input_to_device + l.control_to_device - b->control_to_device;
    t->from_device += l.output_from_device - b->output_from_device + l.control_from_device -
                      b->control_from_device;
    t->in_place += l.wrapped - b->wrapped;
    t->launches += l.launches - b->launches;
    t->passes += l.passes - b->passes;
}

static PyObject *entry(const char *name, const struct qn_py_totals *t)
{
    return Py_BuildValue(
        "{sssKsKsKsKsKsKsK}", "stage", name, "calls", (unsigned long long)t->calls, "ns",
        (unsigned long long)t->ns, "to_device", (unsigned long long)t->to_device, "from_device",
        (unsigned long long)t->from_device, "in_place", (unsigned long long)t->in_place, "launches",
        (unsigned long long)t->launches, "passes", (unsigned long long)t->passes);
}

PyObject *qn_py_context_stages(PyObject *object, PyObject *unused)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_totals stages[QN_PY_STAGES];
    struct qn_py_call call;
    (void)unused;
    if (qn_py_begin(self, &call) < 0) return NULL;
    for (int i = 0; i < QN_PY_STAGES; i++) stages[i] = self->stages[i];
    if (qn_py_end(&call, QUERN_OK) < 0) return NULL;
    PyObject *list = PyList_New(0);
    for (int i = 1; list != NULL && i < QN_PY_STAGES; i++) {
        if (stages[i].calls == 0) continue;
        PyObject *made = entry(names[i], &stages[i]);
        if (made == NULL || PyList_Append(list, made) < 0) Py_CLEAR(list);
        Py_XDECREF(made);
    }
    return list;
}
