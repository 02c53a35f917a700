/* SPDX-License-Identifier: Apache-2.0
 * Reductions of arrays, as the functions of quern._core that python/quern/_reductions.py stands on. */
#include "array_held.h"

/* None: all axes. */
static int axis_of(PyObject *object, int *axis)
{
    long long given;
    *axis = QUERN_AXIS_ALL;
    if (object == NULL || object == Py_None) return 0;
    if (qn_py_integer(object, "axis", &given) < 0) return -1;
    *axis = given >= -2 && given <= 1 ? (int)given : 2;
    return 0;
}

static int number(PyObject *object, double *out)
{
    *out = object != NULL ? PyFloat_AsDouble(object) : 0.0;
    return *out == -1.0 && PyErr_Occurred() ? -1 : 0;
}

PyObject *qn_py_array_reduce(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "what", "x", "out", "axis", "skip_nan", "ddof"};
    static const struct qn_py_signature signature = {"array_reduce", words, 7, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    quern_reduce_options options = {.struct_size = sizeof options};
    struct qn_py_held h = {.n = 0};
    quern_array *x, *out;
    PyObject *given[7];
    long long what;
    int axis;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        qn_py_integer(given[1], "what", &what) < 0 || axis_of(given[4], &axis) < 0 ||
        number(given[6], &options.ddof) < 0)
        return NULL;
    options.skip_nan = qn_py_flag(given[5], 0);
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || options.skip_nan < 0) return NULL;
    if (qn_py_hold(state, &h, given[2], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    quern_reduction reduction = (quern_reduction)(what >= 0 && what < 255 ? what : 255);
    return qn_py_done(&h, &call,
                      quern_array_reduce(cx->context, reduction, x, axis, &options, out));
}

PyObject *qn_py_array_quantile(PyObject *module, PyObject *const *args, Py_ssize_t n,
                               PyObject *named)
{
    static const char *const words[] = {"ctx",  "x",      "fractions", "out",
                                        "axis", "method", "skip_nan",  "weights"};
    static const struct qn_py_signature signature = {"array_quantile", words, 8, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    quern_quantile_options options = {.struct_size = sizeof options};
    struct qn_py_held h = {.n = 0};
    quern_array *x, *fractions, *out, *weights;
    PyObject *given[8];
    long long method;
    int axis;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 || axis_of(given[4], &axis) < 0 ||
        qn_py_integer(given[5], "method", &method) < 0)
        return NULL;
    options.skip_nan = qn_py_flag(given[6], 0);
    options.method = (quern_quantile_method)(method >= 0 && method < 255 ? method : 255);
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || options.skip_nan < 0) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_READ, "fractions", &fractions) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_hold(state, &h, given[7], QN_PY_READ, "weights", &weights) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    if (fractions == NULL || fractions->type != QUERN_FLOAT64 || fractions->ndim != 1 ||
        fractions->strides[0] != (int64_t)sizeof(double) || fractions->shape[0] > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "fractions must be packed float64 of one dimension");
        qn_py_drop(&h);
        return NULL;
    }
    options.weights = weights;
    if (qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    return qn_py_done(&h, &call,
                      quern_array_quantile(cx->context, x, axis, fractions->data,
                                           (uint32_t)fractions->shape[0], &options, out));
}

PyObject *qn_py_array_accumulate(PyObject *module, PyObject *const *args, Py_ssize_t n,
                                 PyObject *named)
{
    static const char *const words[] = {"ctx", "what", "x", "out", "axis", "skip_nan"};
    static const struct qn_py_signature signature = {"array_accumulate", words, 6, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *x, *out;
    PyObject *given[6];
    long long what;
    int axis;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        qn_py_integer(given[1], "what", &what) < 0 || axis_of(given[4], &axis) < 0)
        return NULL;
    int skip = qn_py_flag(given[5], 0);
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || skip < 0) return NULL;
    if (qn_py_hold(state, &h, given[2], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    quern_accumulation which = (quern_accumulation)(what >= 0 && what < 255 ? what : 255);
    return qn_py_done(&h, &call, quern_array_accumulate(cx->context, which, x, axis, skip, out));
}

PyObject *qn_py_array_covariance(PyObject *module, PyObject *const *args, Py_ssize_t n,
                                 PyObject *named)
{
    static const char *const words[] = {"ctx",  "x",       "out",      "axis",       "correlation",
                                        "ddof", "weights", "skip_nan", "min_periods"};
    static const struct qn_py_signature signature = {"array_covariance", words, 9, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    quern_covariance_options options = {.struct_size = sizeof options};
    struct qn_py_held h = {.n = 0};
    quern_array *x, *out, *weights;
    PyObject *given[9];
    long long least = 1;
    int axis;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 || axis_of(given[3], &axis) < 0)
        return NULL;
    options.correlation = qn_py_flag(given[4], 0);
    options.ddof = 1.0;
    if (given[5] != NULL && number(given[5], &options.ddof) < 0) return NULL;
    if (given[8] != NULL && qn_py_integer(given[8], "min_periods", &least) < 0) return NULL;
    if (least < 0) {
        PyErr_Format(PyExc_ValueError, "min_periods must be 0 or more, not %lld", least);
        return NULL;
    }
    options.skip_nan = qn_py_flag(given[7], 0);
    options.min_periods = (uint64_t)least;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || options.correlation < 0 || options.skip_nan < 0) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_hold(state, &h, given[6], QN_PY_READ, "weights", &weights) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    options.weights = weights;
    options.narrow = out != NULL && out->type == QUERN_FLOAT32;
    return qn_py_done(&h, &call, quern_array_covariance(cx->context, x, axis, &options, out));
}

/* The column that a result is; takes it over. */
static PyObject *column(const struct qn_py_state *state, quern_array *a)
{
    quern_matrix m = {.data = a->data,
                      .type = a->type,
                      .rows = a->shape[0],
                      .columns = 1,
                      .row_stride = (int64_t)qn_py_type_bytes(a->type),
                      .owned = 1};
    return qn_py_matrix_new(state, &m);
}

PyObject *qn_py_array_counts(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "x", "edges", "weights", "least"};
    static const struct qn_py_signature signature = {"array_counts", words, 5, 2};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *x, *edges, *weights, made = {.struct_size = sizeof made};
    PyObject *given[5];
    long long least;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        qn_py_integer(given[4], "least", &least) < 0)
        return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_READ, "edges", &edges) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_READ, "weights", &weights) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    quern_status status =
        edges != NULL
            ? quern_array_histogram(cx->context, x, edges, weights, &made)
            : quern_array_bincount(cx->context, x, weights, least < 0 ? 0 : (uint64_t)least, &made);
    int failed = qn_py_end(&call, status);
    qn_py_drop(&h);
    return failed < 0 ? NULL : column(state, &made);
}
