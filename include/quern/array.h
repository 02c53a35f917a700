/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations on arrays: what NumPy calls sort, argsort, unique, searchsorted and digitize, and top-k;
 * astype, copy, transpose, take, compress, flatnonzero and where; on the context's device. docs/arrays.md says exactly what each gives; the same bits on every device.
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

/* ---- moving values: their bits stay as they are, but for a cast between types. out never overlaps
 * what is read. ---- */

enum { QUERN_CAST_CHECKED = 1 };

/* x in another type, in x's shape. Integers keep their low bits; a float is truncated to an integer of 64
 * bits, where it saturates and NaN is 0, of which narrower types keep the low bits; to bool what is not 0,
 * NaN with it, is 1; float32 is rounded to. With QUERN_CAST_CHECKED a value that its type cannot have once
 * truncated is INVALID: NaN and infinities as integers, what lies outside of an integer type, finite
 * numbers beyond float32. */
QUERN_API quern_status quern_array_cast(quern_context *context, const quern_array *x,
                                        quern_type type, uint32_t flags, quern_array *out);
/* x's values in out's strides, whatever either are: a copy in C order is quern_array_copy to an array of
 * no memory, one in Fortran order to one with such strides. */
QUERN_API quern_status quern_array_copy(quern_context *context, const quern_array *x,
                                        quern_array *out);
/* out[j][i] = x[i][j], of a matrix. */
QUERN_API quern_status quern_array_transpose(quern_context *context, const quern_array *x,
                                             quern_array *out);

/* What an index outside of 0 … n - 1 is. RAISE: negative ones count from the end, and what lies outside
 * of -n is INVALID; WRAP: taken modulo n; CLIP: the nearest of 0 and n - 1. */
typedef enum quern_index_mode {
    QUERN_INDEX_RAISE = 0,
    QUERN_INDEX_WRAP = 1,
    QUERN_INDEX_CLIP = 2
} quern_index_mode;

/* Along the axis, the values at the indices, in their order: one-dimensional, of any integer type but
 * uint64. */
QUERN_API quern_status quern_array_take(quern_context *context, const quern_array *x,
                                        const quern_array *indices, int axis, quern_index_mode mode,
                                        quern_array *out);
/* Along the axis, the values at places where the one-dimensional mask is not 0 (NaN is not). A mask that
 * is shorter than the axis ends in 0; one that is longer is INVALID. */
QUERN_API quern_status quern_array_compress(quern_context *context, const quern_array *mask,
                                            const quern_array *x, int axis, quern_array *out);
/* The places at which x, counted row by row, is not 0; INT64. */
QUERN_API quern_status quern_array_flatnonzero(quern_context *context, const quern_array *x,
                                               quern_array *out);
/* a's values where the mask's are not 0, else b's, which has a's type. One row, one column or one value
 * stands for all: shapes meet as NumPy broadcasts them. */
QUERN_API quern_status quern_array_where(quern_context *context, const quern_array *mask,
                                         const quern_array *a, const quern_array *b,
                                         quern_array *out);

#ifdef __cplusplus
}
#endif

#include "quern/array_reduce.h"

#endif
