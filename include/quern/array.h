/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations on arrays: what NumPy calls sort, argsort, unique, searchsorted and digitize, and top-k,
 * on the context's device. docs/arrays.md says exactly what each gives; the same bits on every device.
 *
 * Rules for all. An array is a view of one or two dimensions of bool, integers, float32 or float64, in
 * the caller's memory or in a buffer of the context, with any strides. Results go to an array that the
 * caller describes: where it names memory, type and shape must be the result's; where it names none
 * (data and buffer NULL), the library makes a packed array in host memory, which quern_array_free frees.
 * On failure arrays are as they were before, but for what the memory of a result holds. axis counts from
 * 0, or from the end: -1 is the last. Order: by value, NaN last, both ways; -0 equals +0 where places are
 * asked for, and comes before it where values alone are sorted. NaN is written in one form.
 * The context's decisions tell where each call ran; cancel is asked before the work, between bringing
 * values to a device and working on them, and before results are brought back. */
#ifndef QUERN_ARRAY_H
#define QUERN_ARRAY_H

#include "quern/quern.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quern_array {
    uint32_t struct_size;
    quern_type type;
    uint32_t ndim; /* 1 or 2 */
    int owned;     /* 1: made by the library */
    uint64_t shape[2];
    int64_t strides[2];     /* bytes, of any sign; all 0: packed, the last dimension fastest */
    void *data;             /* the first value, in host memory; or NULL, and: */
    quern_buffer *buffer;   /* memory of the context's device */
    uint64_t buffer_offset; /* bytes from its start to the first value */
} quern_array;

/* Frees what the library made and empties the array. Arrays of the caller's memory are left alone. */
QUERN_API void quern_array_free(quern_array *array);

enum { QUERN_SORT_DESCENDING = 1 };

/* Every line along the axis, sorted. out has the type and shape of x, and may be x itself, but may not
 * overlap it otherwise. */
QUERN_API quern_status quern_array_sort(quern_context *context, const quern_array *x, int axis,
                                        uint32_t flags, quern_array *out);
/* The places along the axis that would sort it; INT64. Stable: equal values keep their order, also when
 * descending. */
QUERN_API quern_status quern_array_argsort(quern_context *context, const quern_array *x, int axis,
                                           uint32_t flags, quern_array *out);
/* The k largest (or smallest) of every line, the most extreme first; of equal ones those that come
 * first. NaN counts as less than any number, or more. values or places may be NULL: not wanted. INVALID
 * where a line has fewer than k. */
QUERN_API quern_status quern_array_topk(quern_context *context, const quern_array *x, uint64_t k,
                                        int axis, int largest, quern_array *values,
                                        quern_array *places);
/* The distinct values of all of x, ascending; -0 as +0, and all NaN as one. index: where each occurs
 * first, counted row by row; inverse, in x's shape: which of the distinct ones each value is; counts: how
 * often. All but values may be NULL. Lengths being unknown, the library makes these arrays. */
QUERN_API quern_status quern_array_unique(quern_context *context, const quern_array *x,
                                          quern_array *values, quern_array *index,
                                          quern_array *inverse, quern_array *counts);
/* For each of v how many values of the sorted one-dimensional array are smaller, or with `right` not
 * larger; INT64, in v's shape. Both have one type. That `sorted` is sorted is not checked. */
QUERN_API quern_status quern_array_searchsorted(quern_context *context, const quern_array *sorted,
                                                const quern_array *v, int right, quern_array *out);
/* In which bin each of x is: bins[i - 1] <= x < bins[i], with `right` bins[i - 1] < x <= bins[i]; with
 * descending bins bins[i - 1] > x >= bins[i], with right >= and >. INT64, in x's shape. bins is in host memory;
 * INVALID where it is neither ascending nor descending. */
QUERN_API quern_status quern_array_digitize(quern_context *context, const quern_array *x,
                                            const quern_array *bins, int right, quern_array *out);

#ifdef __cplusplus
}
#endif
#endif
