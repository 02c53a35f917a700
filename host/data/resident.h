/* SPDX-License-Identifier: Apache-2.0
 * A table whose columns already lie on a device (quern_table_upload): fits and transforms on that
 * device read it where it is, and nothing crosses. */
#ifndef QN_RESIDENT_H
#define QN_RESIDENT_H

#include "host/data/table.h"
#include "host/memory/pool.h"

struct qn_device;

struct qn_resident {
    struct qn_device *device;
    struct qn_span span;
    struct qn_view base;
    const uint64_t *offsets, *strides, *valid_bits; /* per column, from the base */
};

/* NULL for tables in host memory. */
const struct qn_resident *qn_table_resident(const struct quern_table *);

#endif
