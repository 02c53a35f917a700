/* SPDX-License-Identifier: Apache-2.0
 * What the functions on arrays share: the arrays that a call holds, and its arguments. */
#ifndef QN_PY_ARRAY_HELD_H
#define QN_PY_ARRAY_HELD_H

#include <quern/array.h>

#include "core.h"

enum { QN_PY_HELD = 4 };

/* Views that a call holds. */
struct qn_py_held {
    struct qn_py_view views[QN_PY_HELD];
    quern_array arrays[QN_PY_HELD];
    int n;
};

void qn_py_drop(struct qn_py_held *);
/* -1: an exception. An object that is None or absent: array NULL, which is no failure. */
int qn_py_hold(const struct qn_py_state *, struct qn_py_held *, PyObject *object, int mode,
               const char *what, quern_array **array);
struct qn_py_context *qn_py_context_of(const struct qn_py_state *,
                                       PyObject *);              /* NULL: TypeError */
int qn_py_integer(PyObject *, const char *what, long long *out); /* absent: 0; -1: an exception */
/* Ends the call and lets go: None, or NULL with an exception. */
PyObject *qn_py_done(struct qn_py_held *, struct qn_py_call *, quern_status);

#endif
