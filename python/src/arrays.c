/* SPDX-License-Identifier: Apache-2.0
 * Operations on arrays, as the functions of quern._core that python/quern/_arrays.py stands on. Results
 * whose shape is known go to arrays that the caller made; others come back as columns (Matrix). */
#include <string.h>

#include "array_held.h"

PyObject *qn_py_array_sort(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx",  "x",          "values", "places",
                                        "axis", "descending", "first"};
    static const struct qn_py_signature signature = {"array_sort", words, 7, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *x, *values, *places;
    PyObject *given[7];
    long long axis, first;
    struct qn_py_call call;
    quern_status status;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        qn_py_integer(given[4], "axis", &axis) < 0 || qn_py_integer(given[6], "first", &first) < 0)
        return NULL;
    int descending = qn_py_flag(given[5], 0);
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || descending < 0) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_WRITE, "values", &values) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "places", &places) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    uint32_t flags = descending ? QUERN_SORT_DESCENDING : 0u;
    if (given[6] != NULL && given[6] != Py_None)
        status = quern_array_topk(cx->context, x, (uint64_t)first, (int)axis, descending, values,
                                  places);
    else if (places != NULL)
        status = quern_array_argsort(cx->context, x, (int)axis, flags, places);
    else
        status = quern_array_sort(cx->context, x, (int)axis, flags, values);
    return qn_py_done(&h, &call, status);
}

/* searchsorted, or with `bins` digitize. */
static PyObject *search(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named,
                        int bins)
{
    static const char *const words[] = {"ctx", "sorted", "x", "out", "right"};
    const struct qn_py_signature signature = {bins ? "array_digitize" : "array_searchsorted", words,
                                              5, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *sorted, *x, *out;
    PyObject *given[5];
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    int right = qn_py_flag(given[4], 0);
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || right < 0) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_READ, "sorted", &sorted) < 0 ||
        qn_py_hold(state, &h, given[2], QN_PY_READ, "x", &x) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    return qn_py_done(&h, &call,
                      bins ? quern_array_digitize(cx->context, x, sorted, right, out)
                           : quern_array_searchsorted(cx->context, sorted, x, right, out));
}

PyObject *qn_py_array_searchsorted(PyObject *module, PyObject *const *args, Py_ssize_t n,
                                   PyObject *named)
{
    return search(module, args, n, named, 0);
}

PyObject *qn_py_array_digitize(PyObject *module, PyObject *const *args, Py_ssize_t n,
                               PyObject *named)
{
    return search(module, args, n, named, 1);
}

/* The column that a result is; takes it over. None for one that was not asked for. */
static PyObject *column(const struct qn_py_state *state, quern_array *a)
{
    if (!a->owned) Py_RETURN_NONE;
    quern_matrix m = {.data = a->data,
                      .type = a->type,
                      .rows = a->shape[0],
                      .columns = 1,
                      .row_stride = (int64_t)qn_py_type_bytes(a->type),
                      .owned = 1};
    memset(a, 0, sizeof *a);
    return qn_py_matrix_new(state, &m);
}

PyObject *qn_py_array_unique(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "x", "index", "inverse", "counts"};
    static const struct qn_py_signature signature = {"array_unique", words, 5, 2};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *x, made[4], *wanted[4] = {&made[0], NULL, NULL, NULL};
    PyObject *given[5], *result = NULL;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0) return NULL;
    for (int i = 0; i < 4; i++) made[i] = (quern_array){.struct_size = sizeof made[i]};
    for (int i = 1; i < 4; i++) {
        int flag = qn_py_flag(given[i + 1], 0);
        if (flag < 0) return NULL;
        wanted[i] = flag ? &made[i] : NULL;
    }
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL || qn_py_hold(state, &h, given[1], QN_PY_READ, "x", &x) < 0) return NULL;
    if (qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    quern_status status =
        quern_array_unique(cx->context, x, wanted[0], wanted[1], wanted[2], wanted[3]);
    int failed = qn_py_end(&call, status);
    qn_py_drop(&h);
    if (failed == 0) result = PyTuple_New(4);
    for (int i = 0; result != NULL && i < 4; i++) {
        PyObject *one = column(state, &made[i]);
        if (one == NULL || PyTuple_SetItem(result, i, one) < 0) Py_CLEAR(result);
    }
    for (int i = 0; i < 4; i++) quern_array_free(&made[i]);
    return result;
}
