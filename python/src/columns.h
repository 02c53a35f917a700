/* SPDX-License-Identifier: Apache-2.0
 * From arrays of Python to columns of the library: what table.c is made of. */
#ifndef QN_PY_COLUMNS_H
#define QN_PY_COLUMNS_H

#include "core.h"

struct qn_py_build {
    const struct qn_py_state *state;
    struct qn_py_keep keep;
    quern_column *columns;
    int64_t rows; /* -1: not known yet */
};

/* Whether the library reads a view where it lies. */
int qn_py_in_place(const struct qn_py_view *);
/* Copies the view's values into packed rows. -1: an exception, as below. */
int qn_py_pack(struct qn_py_view *, struct qn_py_keep *);
/* A packed view of one dimension; NULL: an exception. */
struct qn_py_view *qn_py_view_1d(struct qn_py_build *, PyObject *object, const char *what);
int qn_py_is_packed(const struct qn_py_view *);
/* That they are as many as the others. */
int qn_py_same_rows(struct qn_py_build *, int64_t rows, const char *what);
/* Column i: array, (array, validity), ("datetime", array, validity), ("string", offsets, bytes, validity) */
int qn_py_add_column(struct qn_py_build *, quern_column *, PyObject *given, Py_ssize_t i);

#endif
