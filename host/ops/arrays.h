/* SPDX-License-Identifier: Apache-2.0
 * What operations on arrays are asked to do, as plain data (as host/ops/requests.h is for columns), and
 * the operations. Backends see this file.
 *
 * Values are ordered by integer keys: NaN comes last, ascending or descending; otherwise by value, where
 * -0 comes before +0 when values alone are sorted and equals it when places are asked for. */
#ifndef QN_ARRAYS_H
#define QN_ARRAYS_H

#include "host/device/driver.h"
#include "kernels/program.h"

struct qn_device;
struct qn_outcome;

/* An array seen along an axis: `lines` runs of n values each. */
struct qn_lines {
    void *data;          /* host: the first value; NULL: on a device, or not wanted */
    struct qn_view base; /* device; raw NULL: host */
    uint64_t offset;     /* device: bytes from the view's first to the first value */
    uint64_t lines, n;
    int64_t line_stride, stride; /* bytes from line to line and from value to value */
    uint32_t type;               /* QN_T_* */
};

static inline int qn_lines_wanted(const struct qn_lines *lines)
{
    return lines->data != NULL || lines->base.raw != NULL;
}

/* Sorts every line. values and order are both of n' <= n values a line, or not wanted: the first n' of
 * what is sorted are wanted. order: int64, the places in the line; equal values keep their order. */
enum { QN_SORT_DESCENDING = 1, QN_SORT_PLUS_ZERO = 2 /* -0 is stored as +0, and is equal to it */ };
struct qn_sort_request {
    struct qn_lines in, values, order;
    uint32_t flags;
};

/* The distinct values of one line, ascending, -0 as +0, all NaN as one. In `in`'s memory space values,
 * and on the host the places of first occurrence, each value's place among the distinct ones, and how
 * often each occurs; NULL: not wanted. values is host memory with room for n, as first and counts are. */
struct qn_unique_request {
    struct qn_lines in;
    void *values;
    int64_t *first, *inverse, *counts;
    uint64_t *n_values;
};

/* For each value of `in`: how many of the one sorted line are smaller, or with `right` not larger.
 * flip: that number subtracted from the line's length. out: int64, shaped as in. */
struct qn_search_request {
    struct qn_lines sorted, in, out;
    uint32_t right, flip;
};

quern_status qn_op_sort(struct qn_device *, struct qn_threads *, uint32_t queue,
                        const struct qn_sort_request *, struct qn_outcome *);
quern_status qn_op_unique(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_unique_request *, struct qn_outcome *);
quern_status qn_op_search(struct qn_device *, struct qn_threads *, uint32_t queue,
                          const struct qn_search_request *, struct qn_outcome *);

/* What the CPU backend offers, for lines in host memory. */
quern_status qn_cpu_sort(struct qn_threads *, const struct qn_sort_request *);
quern_status qn_cpu_unique(struct qn_threads *, const struct qn_unique_request *);
quern_status qn_cpu_search(struct qn_threads *, const struct qn_search_request *);

#endif
