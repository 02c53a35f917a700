/* SPDX-License-Identifier: Apache-2.0
 * One program over one batch, on a device, by the oracle and by the CPU: what the tests of programs share. */
#ifndef QN_TEST_OPS_PROGRAM_H
#define QN_TEST_OPS_PROGRAM_H

#include "host/ops/layout.h"
#include "tests/conformance/ops_suite.h"

enum out_layout { OUT_ROWS, OUT_COLUMNS, OUT_WIDE_ROWS };

struct program {
    struct qn_slot slots[4096];
    struct qn_norm_desc norms[3];
    uint32_t n_slots, n_norms;
    uint64_t out_bytes;
};
/* Those that are at work. */
extern struct ops_batch batch;
extern struct program program;
extern const uint32_t out_types[EVERY_TYPE]; /* that slots can have */

void add_slot(uint32_t lane, uint32_t type, uint32_t match);
/* Where the slots that were added lie, and how much room they take. */
void lay_out_slots(enum out_layout layout);

/* Runs batch and program on the device, by the oracle and by the CPU; every byte must agree. stream: the caller
 * says that the output is larger than the caches. */
void run_and_compare_as(struct ops_device *d, const char *what, const char *implementation,
                        uint32_t stream);
/* What a generated kernel gives is compared both ways. */
void run_and_compare(struct ops_device *d, const char *what, const char *implementation);

/* A bit of everything: chains of all working types, one-hot blocks, all stored types. */
void mixed_chains(uint64_t seed);

#endif
