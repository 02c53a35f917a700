/* SPDX-License-Identifier: Apache-2.0
 * Where a transform writes: into the caller's array, or into a Matrix or Csr that is made. */
#include <string.h>

#include "core.h"

static int wrong_out(const char *why)
{
    PyErr_Format(PyExc_ValueError, "out: %s", why);
    return -1;
}

int qn_py_result_begin(const struct qn_py_state *state, PyObject *out, int sparse,
                       struct qn_py_result *r)
{
    memset(r, 0, sizeof *r);
    r->sparse = sparse;
    if (out == NULL || out == Py_None) return 0;
    if (sparse) return wrong_out("a sparse result is made, not written into an array");
    if (qn_py_view_get(state, out, QN_PY_WRITE, "out", &r->out) < 0) return -1;
    const struct qn_py_view *v = &r->out;
    int64_t bytes = (int64_t)qn_py_type_bytes(v->type), columns = v->ndim == 2 ? v->shape[1] : 1;
    int64_t row = columns * bytes, stride = v->shape[0] > 1 ? v->strides[0] : row;
    if (columns > UINT32_MAX) {
        (void)wrong_out("too many columns");
    } else if ((v->ndim == 2 && columns > 1 && v->strides[1] != bytes) || stride < row) {
        (void)wrong_out("the values of a row are not side by side");
    } else {
        static char nothing[64];
        r->given = 1;
        r->matrix = (quern_matrix){.data = v->data != NULL ? v->data : nothing,
                                   .type = v->type,
                                   .rows = (uint64_t)v->shape[0],
                                   .columns = (uint32_t)columns,
                                   .row_stride = stride};
        return 0;
    }
    qn_py_view_release(&r->out);
    return -1;
}

quern_matrix *qn_py_result_matrix(struct qn_py_result *r)
{
    return r->sparse ? NULL : &r->matrix;
}

quern_csr *qn_py_result_csr(struct qn_py_result *r)
{
    return r->sparse ? &r->csr : NULL;
}

PyObject *qn_py_result_end(const struct qn_py_state *state, struct qn_py_result *r, int failed)
{
    if (r->given) {
        qn_py_view_release(&r->out);
        return failed ? NULL : Py_NewRef(Py_None);
    }
    if (!failed)
        return r->sparse ? qn_py_csr_new(state, &r->csr) : qn_py_matrix_new(state, &r->matrix);
    quern_matrix_free(&r->matrix);
    quern_csr_free(&r->csr);
    return NULL;
}
