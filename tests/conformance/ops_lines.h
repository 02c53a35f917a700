/* SPDX-License-Identifier: Apache-2.0
 * Lines of values on the host, and the same on a device: what the tests of operations on arrays share. */
#ifndef QN_TEST_OPS_LINES_H
#define QN_TEST_OPS_LINES_H

#include "host/ops/arrays.h"
#include "tests/conformance/ops_suite.h"

/* Memory on the host, and the same on a device. */
struct block {
    unsigned char *memory;
    uint64_t bytes;
    struct qn_span span;
};

struct block block_make(struct qn_device *d, uint64_t bytes);
void block_upload(struct qn_device *d, struct block *b);
/* The device's bytes are those of `want`. */
void block_check(struct qn_device *d, const struct block *b, const void *want, const char *what);
void block_free(struct qn_device *d, struct block *b);

/* Any value of a type, odd ones often. */
void lines_fill(uint64_t *seed, uint32_t type, unsigned char *at);
/* The same lines in a block's memory on its device. */
struct qn_lines lines_there(const struct qn_lines *lines, const struct block *b);
const void *lines_at(const struct qn_lines *l, uint64_t line, uint64_t i);
double lines_double(uint32_t type, const void *at);

#endif
