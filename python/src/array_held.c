/* SPDX-License-Identifier: Apache-2.0 */
#include "array_held.h"

void qn_py_drop(struct qn_py_held *h)
{
    while (h->n > 0) qn_py_view_release(&h->views[--h->n]);
}

int qn_py_hold(const struct qn_py_state *state, struct qn_py_held *h, PyObject *object, int mode,
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

struct qn_py_context *qn_py_context_of(const struct qn_py_state *state, PyObject *object)
{
    if (!qn_py_is(object, state->context, "ctx")) return NULL;
    return (struct qn_py_context *)object;
}

int qn_py_integer(PyObject *object, const char *what, long long *out)
{
    *out = object != NULL ? PyLong_AsLongLong(object) : 0;
    if (*out != -1 || !PyErr_Occurred()) return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be int, not %.200R", what, Py_TYPE(object));
    return -1;
}

PyObject *qn_py_done(struct qn_py_held *h, struct qn_py_call *call, quern_status status)
{
    int failed = qn_py_end(call, status);
    qn_py_drop(h);
    if (failed < 0) return NULL;
    Py_RETURN_NONE;
}
