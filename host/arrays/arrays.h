/* SPDX-License-Identifier: Apache-2.0
 * What stands behind include/quern/array.h: views that are checked, results that are made, and one way
 * of running an operation on the context's device, with its arrays brought there and back, or on the
 * CPU. */
#ifndef QN_ARRAYS_ARRAYS_H
#define QN_ARRAYS_ARRAYS_H

#include "host/device/context.h"
#include "host/ops/arrays.h"
#include "host/ops/ops.h"
#include "quern/array.h"

/* ---- views (view.c) ---- */

/* A checked copy of the caller's array with its strides filled in. what: for messages. */
quern_status qn_array_read(const char *what, const quern_array *given, quern_array *out);
/* axis as in NumPy, made 0 … ndim - 1. */
quern_status qn_array_axis(const quern_array *, int axis, uint32_t *out);
uint64_t qn_array_count(const quern_array *);
int qn_array_is_packed(const quern_array *); /* in the order of rows */

/* A result of this type and shape: the caller's memory, checked, or memory that is made here. *out is
 * what to write to; qn_array_give hands it to the caller, qn_array_drop frees what was made. */
quern_status qn_array_result(const char *what, const quern_array *given, quern_type type,
                             uint32_t ndim, const uint64_t *shape, quern_array *out);
void qn_array_give(const quern_array *made, quern_array *to);
void qn_array_drop(const quern_array *given, quern_array *made); /* NULL: not wanted */

/* Copies values between host arrays of one type and shape. */
void qn_array_copy(const quern_array *from, const quern_array *to);

/* ---- calls (call.c) ---- */

enum { QN_ARRAY_PLACES = 4 };

/* An array of a call, and the lines of the request that are to be pointed at it. */
struct qn_array_place {
    const quern_array *array; /* checked */
    uint32_t axis;
    int is_result;
    struct qn_lines *lines;
};
typedef quern_status qn_array_op(struct qn_device *, struct qn_threads *, const void *request,
                                 struct qn_outcome *);
struct qn_array_call {
    const char *name; /* "sort": the decision's step and operation */
    /* What a device lacks for it, as a sentence, or NULL: asked before anything crosses. NULL: not asked. */
    const char *(*refuse)(const struct qn_device *, const void *request);
    qn_array_op *run;
    const void *request;
    struct qn_array_place places[QN_ARRAY_PLACES];
    uint32_t n_places;
};
quern_status qn_array_run(quern_context *, struct qn_array_call *);
/* `refuse` of what is computed in float64 whatever the values' type. */
const char *qn_array_needs_f64(const struct qn_device *, const void *request);
/* An array of host memory seen along an axis. */
void qn_array_lines(const quern_array *, uint32_t axis, struct qn_lines *);

#endif
