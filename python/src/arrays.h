/* SPDX-License-Identifier: Apache-2.0
 * Arguments of the functions on arrays: views that a call holds and gives back. */
#ifndef QN_PY_ARRAYS_H
#define QN_PY_ARRAYS_H

#include <quern/array.h>

#include "core.h"

enum { MOST = 4 };

/* Views that a call holds. */
struct held {
    struct qn_py_view views[MOST];
    quern_array arrays[MOST];
    int n;
};

static inline void drop(struct held *h)
{
    while (h->n > 0) qn_py_view_release(&h->views[--h->n]);
}

/* NULL: an exception. An object that is None or absent: array NULL, which is no failure. */
static inline int hold(const struct qn_py_state *state, struct held *h, PyObject *object, int mode,
                       const char *what, quern_array **array)
{
    struct qn_py_view *v = &h->views[h->n];
    *array = NULL;
    if (object == NULL || object == Py_None) return 0;
    if (qn_py_view_get(state, object, mode, what, v) < 0) return -1;
    *array = &h->arrays[h->n++];
    **array = (quern_array){
        .struct_size = sizeof **array, .type = v->type, .ndim = (uint32_t)v->ndim, .data = v->data};
    int64_t packed = (int64_t)qn_py_type_bytes(v->type);
    if ((v->ndim == 1 || v->strides[1] == 0) && v->strides[0] == 0 &&
        (v->shape[0] > 1 || (v->ndim == 2 && v->shape[1] > 1))) {
        PyErr_Format(PyExc_ValueError, "%s: all values lie in one place; copy it", what);
        return -1; /* to the library such strides mean packed memory */
    }
    for (int i = v->ndim; i-- > 0;) {
        (*array)->shape[i] = (uint64_t)v->shape[i];
        (*array)->strides[i] = v->shape[i] > 1 ? v->strides[i] : packed;
        packed *= v->shape[i];
    }
    return 0;
}

static inline struct qn_py_context *context_of(const struct qn_py_state *state, PyObject *object)
{
    if (!qn_py_is(object, state->context, "ctx")) return NULL;
    return (struct qn_py_context *)object;
}

static inline int integer(PyObject *object, const char *what, long long *out)
{
    *out = object != NULL ? PyLong_AsLongLong(object) : 0;
    if (*out != -1 || !PyErr_Occurred()) return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be int, not %.200R", what, Py_TYPE(object));
    return -1;
}

static inline PyObject *done(struct held *h, struct qn_py_call *call, quern_status status)
{
    int failed = qn_py_end(call, status);
    drop(h);
    if (failed < 0) return NULL;
    Py_RETURN_NONE;
}

#endif
