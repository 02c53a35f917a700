/* SPDX-License-Identifier: Apache-2.0
 * Random numbers, orders and splits, as the functions of quern._core that quern.random and
 * quern.model_selection stand on. Results go to arrays that the caller made. */
#include <quern/random.h>

#include "array_held.h"

/* An integer of 64 bits without a sign. */
static int unsigned_64(PyObject *object, const char *what, uint64_t *out)
{
    *out = 0;
    if (object == NULL) return 0;
    *out = PyLong_AsUnsignedLongLong(object);
    if (*out != UINT64_MAX || !PyErr_Occurred()) return 0;
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "%s must be an int from 0 to 2**64 - 1, not %R", what, object);
    return -1;
}

PyObject *qn_py_random_fill(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "out", "seed", "stream", "first", "low", "high"};
    static const struct qn_py_signature signature = {"random_fill", words, 7, 3};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *out;
    PyObject *given[7];
    uint64_t seed, stream, first;
    long long low, high;
    struct qn_py_call call;
    quern_status status;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        unsigned_64(given[2], "seed", &seed) < 0 || unsigned_64(given[3], "stream", &stream) < 0 ||
        unsigned_64(given[4], "first", &first) < 0 || qn_py_integer(given[5], "low", &low) < 0 ||
        qn_py_integer(given[6], "high", &high) < 0)
        return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    uint64_t count = out != NULL ? out->shape[0] : 0;
    quern_type type = out != NULL ? out->type : QUERN_INT64;
    if (type == QUERN_INT64)
        status = quern_random_integers(cx->context, seed, stream, first, count, low, high, out);
    else if (type == QUERN_FLOAT32 || type == QUERN_FLOAT64)
        status = quern_random_uniform(cx->context, seed, stream, first, count, type, out);
    else
        status = quern_random_bits(cx->context, seed, stream, first, count, type, out);
    return qn_py_done(&h, &call, status);
}

PyObject *qn_py_random_permutation(PyObject *module, PyObject *const *args, Py_ssize_t n,
                                   PyObject *named)
{
    static const char *const words[] = {"ctx", "out", "n", "seed", "stream"};
    static const struct qn_py_signature signature = {"random_permutation", words, 5, 4};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *out;
    PyObject *given[5];
    uint64_t all, seed, stream;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        unsigned_64(given[2], "n", &all) < 0 || unsigned_64(given[3], "seed", &seed) < 0 ||
        unsigned_64(given[4], "stream", &stream) < 0)
        return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[1], QN_PY_WRITE, "out", &out) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    return qn_py_done(&h, &call,
                      quern_random_permutation(cx->context, seed, stream, all,
                                               out != NULL ? out->shape[0] : 0, out));
}

PyObject *qn_py_random_split(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "n", "train", "test", "seed", "labels"};
    static const struct qn_py_signature signature = {"random_split", words, 6, 5};
    struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_held h = {.n = 0};
    quern_array *train, *test, *labels;
    PyObject *given[6];
    uint64_t all, seed;
    struct qn_py_call call;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        unsigned_64(given[1], "n", &all) < 0 || unsigned_64(given[4], "seed", &seed) < 0)
        return NULL;
    struct qn_py_context *cx = qn_py_context_of(state, given[0]);
    if (cx == NULL) return NULL;
    if (qn_py_hold(state, &h, given[2], QN_PY_WRITE, "train", &train) < 0 ||
        qn_py_hold(state, &h, given[3], QN_PY_WRITE, "test", &test) < 0 ||
        qn_py_hold(state, &h, given[5], QN_PY_READ, "labels", &labels) < 0 ||
        qn_py_begin_stage(cx, &call, QN_PY_ARRAY) < 0) {
        qn_py_drop(&h);
        return NULL;
    }
    return qn_py_done(&h, &call,
                      quern_random_split(cx->context, seed, all,
                                         train != NULL ? train->shape[0] : 0,
                                         test != NULL ? test->shape[0] : 0, labels, train, test));
}
