/* SPDX-License-Identifier: Apache-2.0
 * Context: an open device. Every call through one takes its lock and releases the GIL; while the
 * library works, its callbacks take the GIL for a moment: for log lines, progress, and, on the main
 * thread, to see whether Ctrl-C was pressed. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "docs.h"

enum { ASK_EVERY_NS = 20 * 1000 * 1000, WAIT_US = 100 * 1000 };

/* ---- callbacks: the GIL is released, cx->call is the call that runs ---- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Calls function(arguments…); what it raises ends the call. */
static void call_back(struct qn_py_call *call, PyObject *function, PyObject *arguments)
{
    PyObject *result = arguments != NULL ? PyObject_Call(function, arguments, NULL) : NULL;
    Py_XDECREF(arguments);
    Py_XDECREF(result);
    if (result == NULL) call->raised = 1;
}

static void on_log(void *user, quern_log_level level, const char *text)
{
    struct qn_py_context *cx = user;
    struct qn_py_call *call = cx->call;
    if (call == NULL || call->raised || cx->log == NULL) return;
    PyEval_RestoreThread(call->thread);
    PyObject *sentence = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    call_back(call, cx->log, sentence != NULL ? Py_BuildValue("(iN)", (int)level, sentence) : NULL);
    call->thread = PyEval_SaveThread();
}

static void on_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
    struct qn_py_context *cx = user;
    struct qn_py_call *call = cx->call;
    if (call == NULL || call->raised || cx->progress == NULL) return;
    PyEval_RestoreThread(call->thread);
    call_back(call, cx->progress,
              Py_BuildValue("(sKK)", stage, (unsigned long long)done, (unsigned long long)total));
    call->thread = PyEval_SaveThread();
}

/* Signals are handled on the main thread only. -1 is never an error here: not main, do not ask. */
static int is_main_thread(void)
{
    int main = -1;
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *thread =
        threading != NULL ? PyObject_CallMethod(threading, "main_thread", NULL) : NULL;
    PyObject *ident = thread != NULL ? PyObject_GetAttrString(thread, "ident") : NULL;
    if (ident != NULL && PyLong_AsUnsignedLong(ident) == PyThread_get_thread_ident()) main = 1;
    PyErr_Clear();
    Py_XDECREF(ident);
    Py_XDECREF(thread);
    Py_XDECREF(threading);
    return main;
}

static int on_cancel(void *user)
{
    struct qn_py_context *cx = user;
    struct qn_py_call *call = cx->call;
    if (call == NULL) return 0;
    if (call->raised) return 1;
    if (call->listens < 0) return 0;
    int64_t now = now_ns();
    if (now - call->asked < ASK_EVERY_NS) return 0;
    call->asked = now;
    PyEval_RestoreThread(call->thread);
    if (call->listens == 0) call->listens = is_main_thread();
    if (call->listens > 0 && PyErr_CheckSignals() < 0) call->raised = 1;
    call->thread = PyEval_SaveThread();
    return call->raised;
}

/* ---- calls ---- */

/* Another thread holds the lock. Waits for it without the GIL, and listens to Ctrl-C. */
static int wait_for(struct qn_py_context *cx)
{
    if (cx->call != NULL && cx->owner == PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the context is in use by the call that this callback belongs to");
        return -1;
    }
    for (;;) {
        PyLockStatus status;
        if (cx->process != (long)getpid()) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the context was in use when this process was forked; open another");
            return -1;
        }
        Py_BEGIN_ALLOW_THREADS;
        status = PyThread_acquire_lock_timed(cx->lock, WAIT_US, 0);
        Py_END_ALLOW_THREADS;
        if (status == PY_LOCK_ACQUIRED) return 0;
        if (PyErr_CheckSignals() < 0) return -1;
    }
}

int qn_py_begin(struct qn_py_context *cx, struct qn_py_call *call)
{
    const struct qn_py_state *state = qn_py_state((PyObject *)cx);
    if (!PyThread_acquire_lock(cx->lock, NOWAIT_LOCK) && wait_for(cx) < 0) return -1;
    if (cx->process != (long)getpid()) {
        if (strcmp(quern_context_device(cx->context), "cpu") != 0) {
            PyThread_release_lock(cx->lock);
            PyErr_Format(state->device_error,
                         "%s was opened before this process was forked, and does not work here; "
                         "start processes with \"spawn\", or open the device after the fork",
                         quern_context_device(cx->context));
            return -1;
        }
        cx->process = (long)getpid(); /* the CPU's threads start anew */
    }
    *call = (struct qn_py_call){.cx = cx, .asked = now_ns()};
    cx->call = call;
    cx->owner = PyThread_get_thread_ident();
    call->thread = PyEval_SaveThread();
    return 0;
}

int qn_py_end(struct qn_py_call *call, quern_status status)
{
    struct qn_py_context *cx = call->cx;
    PyEval_RestoreThread(call->thread);
    cx->call = NULL;
    PyThread_release_lock(cx->lock);
    if (call->raised) return -1;
    if (status == QUERN_OK) return 0;
    qn_py_raise(qn_py_state((PyObject *)cx), status);
    return -1;
}

/* ---- opening and closing ---- */

static int parse_fallback(PyObject *word, quern_fallback *out)
{
    static const char *const words[] = {"report", "never", "quiet"};
    const char *text = NULL;
    *out = QUERN_FALLBACK_REPORT;
    if (qn_py_optional_text(word, "fallback", &text) < 0) return -1;
    if (text == NULL) return 0;
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, words[i]) != 0) continue;
        *out = (quern_fallback)i;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "fallback must be \"report\", \"never\" or \"quiet\", not %R",
                 word);
    return -1;
}

static int parse_number(PyObject *value, const char *what, uint64_t most, uint64_t *out)
{
    *out = 0;
    if (value == NULL || value == Py_None) return 0;
    unsigned long long number = PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred()) return -1;
    if (number > most) {
        PyErr_Format(PyExc_ValueError, "%s is %R; the most is %llu", what, value,
                     (unsigned long long)most);
        return -1;
    }
    *out = number;
    return 0;
}

static int parse_callback(PyObject *given, const char *what, PyObject **out)
{
    if (given == NULL || given == Py_None) return 0;
    if (!PyCallable_Check(given)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable, not %.200R", what, Py_TYPE(given));
        return -1;
    }
    *out = Py_NewRef(given);
    return 0;
}

static int open_context(struct qn_py_context *self, quern_context_config *config)
{
    quern_status status;
    config->struct_size = sizeof *config;
    config->log = self->log != NULL ? on_log : NULL;
    config->progress = self->progress != NULL ? on_progress : NULL;
    config->cancel = on_cancel;
    config->user = self;
    struct qn_py_call call = {.cx = self, .asked = now_ns()};
    self->call = &call; /* opening may log */
    self->owner = PyThread_get_thread_ident();
    call.thread = PyEval_SaveThread();
    status = quern_context_open(config, &self->context);
    PyEval_RestoreThread(call.thread);
    self->call = NULL;
    if (call.raised) return -1;
    if (status == QUERN_OK) return 0;
    qn_py_raise(qn_py_state((PyObject *)self), status);
    return -1;
}

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *names[] = {"device",        "threads",   "fallback", "no_zero_copy", "max_memory",
                            "device_memory", "cache_dir", "log",      "progress",     NULL};
    PyObject *device = NULL, *threads = NULL, *fallback = NULL, *memory = NULL, *pool = NULL;
    PyObject *cache = NULL, *log = NULL, *progress = NULL;
    quern_context_config config = {0};
    uint64_t count;
    if (!PyArg_ParseTupleAndKeywords(args, named, "|OOOpOOOOO:Context", names, &device, &threads,
                                     &fallback, &config.no_zero_copy, &memory, &pool, &cache, &log,
                                     &progress))
        return NULL;
    if (qn_py_optional_text(device, "device", &config.device) < 0 ||
        qn_py_optional_text(cache, "cache_dir", &config.cache_dir) < 0 ||
        parse_fallback(fallback, &config.fallback) < 0 ||
        parse_number(threads, "threads", UINT32_MAX, &count) < 0 ||
        parse_number(memory, "max_memory", UINT64_MAX, &config.max_memory) < 0 ||
        parse_number(pool, "device_memory", UINT64_MAX, &config.device_memory) < 0)
        return NULL;
    config.threads = (uint32_t)count;
    struct qn_py_context *self = PyObject_GC_New(struct qn_py_context, type);
    if (self == NULL) return NULL;
    self->context = NULL;
    self->log = self->progress = NULL;
    self->call = NULL;
    self->owner = 0;
    self->process = (long)getpid();
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        PyErr_NoMemory();
    } else if (parse_callback(log, "log", &self->log) == 0 &&
               parse_callback(progress, "progress", &self->progress) == 0 &&
               open_context(self, &config) == 0) {
        PyObject_GC_Track(self);
        return (PyObject *)self;
    }
    PyObject_GC_Track(self);
    Py_DECREF(self);
    return NULL;
}

static int context_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->log);
    Py_VISIT(self->progress);
    return 0;
}

static int context_clear(PyObject *object)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    Py_CLEAR(self->log);
    Py_CLEAR(self->progress);
    return 0;
}

static void context_dealloc(PyObject *object)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    (void)context_clear(object);
    /* A device that the parent opened is the parent's: its driver's threads are not in this process,
     * and closing could wait for them for ever. */
    if (self->context != NULL && (self->process == (long)getpid() ||
                                  strcmp(quern_context_device(self->context), "cpu") == 0)) {
        Py_BEGIN_ALLOW_THREADS;
        (void)quern_context_close(self->context);
        Py_END_ALLOW_THREADS;
    }
    if (self->lock != NULL) PyThread_free_lock(self->lock);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

/* ---- questions ---- */

static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    return qn_py_string(quern_context_device(((struct qn_py_context *)self)->context));
}

static PyObject *get_reason(PyObject *self, void *closure)
{
    (void)closure;
    return qn_py_string(quern_context_reason(((struct qn_py_context *)self)->context));
}

static PyObject *get_threads(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(quern_context_threads(((struct qn_py_context *)self)->context));
}

/* Appends `made` (NULL: an exception is set) to the list; frees the list on failure. */
static int append(PyObject **list, PyObject *made)
{
    int failed = made == NULL || PyList_Append(*list, made) < 0;
    Py_XDECREF(made);
    if (failed) Py_CLEAR(*list);
    return failed ? -1 : 0;
}

static PyObject *context_decisions(PyObject *object, PyObject *unused)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_call call;
    (void)unused;
    if (qn_py_begin(self, &call) < 0) return NULL;
    PyEval_RestoreThread(call.thread); /* the texts live as long as the lock is held */
    PyObject *list = PyList_New(0);
    uint32_t n = quern_context_decisions(self->context);
    for (uint32_t i = 0; list != NULL && i < n; i++) {
        quern_decision d = {.struct_size = sizeof d};
        if (quern_context_decision(self->context, i, &d) != QUERN_OK) break;
        (void)append(&list,
                     Py_BuildValue("{sssssssssssK}", "step", d.step, "operation", d.operation,
                                   "device", d.device, "implementation", d.implementation, "reason",
                                   d.reason, "count", (unsigned long long)d.count));
    }
    call.raised = list == NULL;
    call.thread = PyEval_SaveThread();
    if (qn_py_end(&call, QUERN_OK) < 0) return NULL;
    return list;
}

/* {"name": number, …} of pairs. */
struct number {
    const char *name;
    uint64_t value;
};
static PyObject *numbers(const struct number *pairs, size_t n)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < n; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(pairs[i].value);
        if (value == NULL || PyDict_SetItemString(dict, pairs[i].name, value) < 0) Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *context_ledger(PyObject *object, PyObject *unused)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_call call;
    quern_ledger l = {.struct_size = sizeof l};
    (void)unused;
    if (qn_py_begin(self, &call) < 0) return NULL;
    quern_context_ledger(self->context, &l);
    if (qn_py_end(&call, QUERN_OK) < 0) return NULL;
    const struct number pairs[] = {
        {"input_to_device", l.input_to_device},
        {"output_from_device", l.output_from_device},
        {"control_to_device", l.control_to_device},
        {"control_from_device", l.control_from_device},
        {"on_device", l.on_device},
        {"wrapped", l.wrapped},
        {"launches", l.launches},
        {"kernel_ns", l.kernel_ns},
        {"wait_ns", l.wait_ns},
        {"compiles", l.compiles},
        {"cache_hits", l.cache_hits},
        {"passes", l.passes},
    };
    return numbers(pairs, sizeof pairs / sizeof *pairs);
}

static PyObject *context_pool(PyObject *object, PyObject *unused)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_call call;
    quern_pool_stats s = {.struct_size = sizeof s};
    (void)unused;
    if (qn_py_begin(self, &call) < 0) return NULL;
    quern_context_pool(self->context, &s);
    if (qn_py_end(&call, QUERN_OK) < 0) return NULL;
    const struct number pairs[] = {
        {"slabs", s.slabs},
        {"held", s.held},
        {"held_peak", s.held_peak},
        {"used", s.used},
        {"used_peak", s.used_peak},
        {"asked", s.asked},
        {"largest_free", s.largest_free},
        {"limit", s.limit},
        {"takes", s.takes},
        {"reused", s.reused},
        {"grows", s.grows},
        {"trims", s.trims},
        {"failures", s.failures},
    };
    return numbers(pairs, sizeof pairs / sizeof *pairs);
}

static PyObject *context_reset(PyObject *object, PyObject *unused)
{
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_call call;
    (void)unused;
    if (qn_py_begin(self, &call) < 0) return NULL;
    quern_context_reset(self->context);
    if (qn_py_end(&call, QUERN_OK) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_trim(PyObject *object, PyObject *const *args, Py_ssize_t n,
                              PyObject *names)
{
    static const char *const words[] = {"keep"};
    static const struct qn_py_signature signature = {"trim", words, 1, 0};
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_call call;
    PyObject *given;
    uint64_t keep, back;
    if (qn_py_arguments(&signature, args, n, names, &given) < 0 ||
        parse_number(given, "keep", UINT64_MAX, &keep) < 0 || qn_py_begin(self, &call) < 0)
        return NULL;
    back = quern_context_trim(self->context, keep);
    if (qn_py_end(&call, QUERN_OK) < 0) return NULL;
    return PyLong_FromUnsignedLongLong(back);
}

static PyObject *bytes_or_none(uint64_t bytes)
{
    if (bytes == UINT64_MAX) Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(bytes);
}

static PyObject *device_entry(const quern_device_info *d)
{
    return Py_BuildValue("{sNsssssssssssssNsNsNsIsIsNsNsN}", "present", PyBool_FromLong(d->present),
                         "id", d->id, "backend", d->backend, "name", d->name, "driver", d->driver,
                         "reason", d->reason, "same_as", d->same_as, "memory_total",
                         bytes_or_none(d->memory_total), "memory_free",
                         bytes_or_none(d->memory_free), "max_alloc", bytes_or_none(d->max_alloc),
                         "compute_units", (unsigned)d->compute_units, "compute",
                         (unsigned)d->compute, "float64", PyBool_FromLong(d->float64), "zero_copy",
                         PyBool_FromLong(d->zero_copy), "pinned", PyBool_FromLong(d->pinned));
}

static PyObject *context_devices(PyObject *object, PyObject *unused)
{
    enum { ROOM = 64 };
    struct qn_py_context *self = (struct qn_py_context *)object;
    struct qn_py_call call;
    quern_device_info infos[ROOM];
    uint32_t count = 0;
    (void)unused;
    for (int i = 0; i < ROOM; i++) infos[i] = (quern_device_info){.struct_size = sizeof infos[i]};
    if (qn_py_begin(self, &call) < 0) return NULL;
    quern_status status = quern_context_devices(self->context, infos, ROOM, &count);
    if (qn_py_end(&call, status) < 0) return NULL;
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < count && i < ROOM; i++)
        (void)append(&list, device_entry(&infos[i]));
    return list;
}

static PyObject *context_repr(PyObject *self)
{
    struct qn_py_context *cx = (struct qn_py_context *)self;
    return PyUnicode_FromFormat("<quern context on %s, %u threads>",
                                quern_context_device(cx->context),
                                (unsigned)quern_context_threads(cx->context));
}

static PyMethodDef methods[] = {
    {"decisions", context_decisions, METH_NOARGS, qn_py_doc_context_decisions},
    {"ledger", context_ledger, METH_NOARGS, qn_py_doc_context_ledger},
    {"reset", context_reset, METH_NOARGS, qn_py_doc_context_reset},
    {"pool", context_pool, METH_NOARGS, qn_py_doc_context_pool},
    {"trim", QN_PY_FAST(context_trim), QN_PY_FASTCALL, qn_py_doc_context_trim},
    {"devices", context_devices, METH_NOARGS, qn_py_doc_context_devices},
    {0},
};
static PyGetSetDef members[] = {
    {"device", get_device, NULL, "\"cpu\", \"opencl:0\", \"cuda:0\"", NULL},
    {"reason", get_reason, NULL, "why this device", NULL},
    {"threads", get_threads, NULL, "threads of the host that work", NULL},
    {0},
};
static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)qn_py_doc_context},
    {Py_tp_new, (void *)context_new},
    {Py_tp_dealloc, (void *)context_dealloc},
    {Py_tp_traverse, (void *)context_traverse},
    {Py_tp_clear, (void *)context_clear},
    {Py_tp_repr, (void *)context_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {0},
};
PyType_Spec qn_py_context_spec = {
    .name = "quern._core.Context",
    .basicsize = sizeof(struct qn_py_context),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
