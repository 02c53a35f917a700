/* SPDX-License-Identifier: Apache-2.0
 * What the conformance tests of operations stand on: every device that is present, once per kernel
 * shape, and batches that lie in host memory and on a device at the same time. */
#ifndef QN_TEST_OPS_FIXTURE_H
#define QN_TEST_OPS_FIXTURE_H

#include "host/ops/ops.h"

/* ---- devices ---- */

struct ops_device {
    struct qn_device *device;
    int cpu_shape; /* the kernels' CPU forms */
    char name[64];
};

/* Opens all devices that run kernels, of driver `only` or (NULL) of the build's drivers.
 * QUERN_REQUIRE names drivers that must be there; a missing one fails here. QUERN_TEST_DRIVER names the only one
 * that is looked for. */
uint32_t ops_devices_open(const struct qn_driver *only, struct ops_device *out, uint32_t room);
void ops_devices_close(struct ops_device *devices, uint32_t n);
/* Makes the device take the shape of its entry; a device that is no CPU keeps its own. */
void ops_device_shape(struct ops_device *entry);

/* ---- batches ---- */

enum ops_layout { OPS_COLUMNS, OPS_ROWS, OPS_WIDE_ROWS, OPS_RECORDS, OPS_LAYOUTS };
/* packed columns; a packed row-major matrix (one type); the same with other columns between rows;
 * cells of eight bytes side by side, of any types */
extern const char *const ops_layout_names[OPS_LAYOUTS];

enum { OPS_LANES = 300, OPS_OPS = 2048, OPS_WORDS = 8192 };

struct ops_batch {
    uint64_t seed;
    unsigned char *memory; /* the host's copy of what is on the device */
    uint64_t bytes;
    uint64_t validity_at; /* where the bitmaps start */
    struct qn_lane lanes[OPS_LANES];
    struct qn_op ops[OPS_OPS];
    uint64_t words[OPS_WORDS];
    struct qn_batch host, device;
    struct qn_device *at;
    struct qn_span span;
};

/* What is left of a number of rows under QUERN_TEST_SMALL (for simulators). */
uint64_t ops_rows(uint64_t rows, uint32_t n_lanes);
/* Lanes by type[i % n_types], with values from `seed`; work is the natural one. `odd` in 1/256: how
 * many values are NaN, infinite, zero, subnormal. validity: every third float lane has a bitmap. */
void ops_batch_make(struct ops_batch *, uint64_t seed, uint64_t rows, uint32_t n_lanes,
                    const uint32_t *types, uint32_t n_types, enum ops_layout, uint32_t nan_in_256,
                    int odd_values, int validity);
void ops_batch_upload(struct ops_batch *, struct qn_device *);
void ops_batch_leave(struct ops_batch *); /* the device */
void ops_batch_free(struct ops_batch *);

/* Appends ops to the chain of the newest lane that has any, or of `lane` (lanes in order). */
void ops_push(struct ops_batch *, uint32_t lane, uint32_t code, uint32_t work, double p0,
              double p1);
void ops_push_i64(struct ops_batch *, uint32_t lane, uint32_t code, int64_t p0, int64_t p1);
/* FIND, REMAP or VALUE over n table words. */
void ops_push_table(struct ops_batch *, uint32_t lane, uint32_t code, uint32_t work,
                    const uint64_t *table, uint32_t n);
/* SPLINE; again: the table is that of the op before. */
void ops_push_spline(struct ops_batch *, uint32_t lane, uint32_t work, const uint64_t *table,
                     uint32_t n, uint32_t number, int again);
void ops_push_norm(struct ops_batch *, uint32_t lane, uint32_t work, uint32_t group);
void ops_push_take(struct ops_batch *, uint32_t lane, uint32_t work, uint32_t operand);
/* The first n lanes are operands from here on; the others begin at 0. */
void ops_batch_operands(struct ops_batch *, uint32_t n);

uint64_t ops_random(uint64_t *state);
uint64_t ops_word(double value);

#endif
