/* SPDX-License-Identifier: Apache-2.0
 * What a batch's lanes look like in memory; this decides which form of a kernel serves. */
#ifndef QN_LAYOUT_H
#define QN_LAYOUT_H

#include "host/ops/requests.h"

uint32_t qn_value_bytes(uint32_t type); /* 0: not a QN_T_* */

/* What a statistics kernel may assume of all lanes. */
enum qn_plain { QN_PLAIN_NOT, QN_PLAIN_F32, QN_PLAIN_F64 };

/* F32 or F64 stored, no ops, no validity, no rounding on load. */
enum qn_plain qn_batch_plain(const struct qn_batch *);

/* The lanes are packed row-major matrices of `return` columns each, one after another; packed
 * columns are matrices of one. 0: they are not. Looks at offsets, strides and types alone. */
uint32_t qn_batch_strips(const struct qn_batch *);

/* 1: neighbouring lanes lie side by side, so neighbouring work-items should read neighbouring lanes. */
uint32_t qn_batch_by_rows(const struct qn_batch *);

#endif
