/* SPDX-License-Identifier: Apache-2.0
 * Operations that move values of arrays, as the functions of quern._core that python/quern/_moves.py
 * stands on. Results go to arrays that the caller made. */
#include "array_held.h"

PyObject *qn_py_array_cast(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "x", "out", "checked"};
    static const struct qn_py_signature signature = {"array_cast", words, 4, 3};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *x, *out;
    PyObject *given[4];
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    int checked = qn_py_flag(given[3], 0);
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || checked < 0) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    if (x == NULL || out == NULL || x->type == out->type)
        return qn_py_done(&h, &call, quern_array_copy(cx->context, x, out));
    return qn_py_done(
        &h, &call,
        quern_array_cast(cx->context, x, out->type, checked ? QUERN_CAST_CHECKED : 0u, out));
}

PyObject *qn_py_array_take(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "x", "indices", "out", "axis", "mode"};
    static const struct qn_py_signature signature = {"array_take", words, 6, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *x, *indices, *out;
    PyObject *given[6];
    long long axis, mode;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        qn_py_integer(given[4], "axis", &axis) < 0 || qn_py_integer(given[5], "mode", &mode) < 0)
        return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_READ, "indices", &indices) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    return qn_py_done(
        &h, &call,
        quern_array_take(cx->context, x, indices, (int)axis, (quern_index_mode)mode, out));
}

PyObject *qn_py_array_compress(PyObject *module, PyObject *const *args, Py_ssize_t n,
                               PyObject *named)
{
    static const char *const words[] = {"ctx", "mask", "x", "out", "axis"};
    static const struct qn_py_signature signature = {"array_compress", words, 5, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *mask, *x, *out;
    PyObject *given[5];
    long long axis;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        qn_py_integer(given[4], "axis", &axis) < 0)
        return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "mask", &mask) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    if (x == NULL) return qn_py_done(&h, &call, quern_array_flatnonzero(cx->context, mask, out));
    return qn_py_done(&h, &call, quern_array_compress(cx->context, mask, x, (int)axis, out));
}

PyObject *qn_py_array_where(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "mask", "a", "b", "out"};
    static const struct qn_py_signature signature = {"array_where", words, 5, 5};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *mask, *a, *b, *out;
    PyObject *given[5];
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "mask", &mask) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_READ, "a", &a) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_READ, "b", &b) < 0 ||
        qn_py_hold(state, &h, given[4], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    return qn_py_done(&h, &call, quern_array_where(cx->context, mask, a, b, out));
}
