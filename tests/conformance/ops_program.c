/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/ops_program.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/run_oracle.h"

struct ops_batch batch;
struct program program;

void lay_out_slots(enum out_layout layout)
{
    uint64_t row = 0, at = 0, rows = batch.host.rows;
    for (uint32_t s = 0; s < program.n_slots; s++) {
        uint64_t size = qn_value_bytes(program.slots[s].type);
        row = (row + size - 1) / size * size;
        program.slots[s].offset = layout == OUT_COLUMNS ? at : row;
        row += size;
        at = (at + rows * size + 7) / 8 * 8;
    }
    row = (row + 7) / 8 * 8 + (layout == OUT_WIDE_ROWS ? 24 : 0);
    if (layout == OUT_ROWS && program.n_slots != 0) {
        /* One type: packed rows. */
        uint64_t size = qn_value_bytes(program.slots[0].type);
        int same = 1;
        for (uint32_t s = 0; s < program.n_slots; s++)
            same &= qn_value_bytes(program.slots[s].type) == size;
        if (same) row = size * program.n_slots;
    }
    for (uint32_t s = 0; s < program.n_slots; s++)
        program.slots[s].stride =
            layout == OUT_COLUMNS ? qn_value_bytes(program.slots[s].type) : row;
    program.out_bytes = layout == OUT_COLUMNS ? at : rows * row;
    program.out_bytes = (program.out_bytes + 7) / 8 * 8;
}

void add_slot(uint32_t lane, uint32_t type, uint32_t match)
{
    program.slots[program.n_slots++] = (struct qn_slot){.type = type, .lane = lane, .match = match};
}

void run_and_compare_as(struct ops_device *d, const char *what, const char *implementation,
                        uint32_t stream)
{
    uint32_t want_seen[OPS_LANES] = {0}, got_seen[OPS_LANES] = {0};
    unsigned char *want = malloc(program.out_bytes + 8), *got = malloc(program.out_bytes + 8);
    struct qn_span span;
    struct qn_outcome outcome;
    assert_true(want != NULL && got != NULL);
    memset(want, 0xcd, program.out_bytes + 8);
    OK(qn_pool_take(d->device->pool, d->device->queue_numbers[0], program.out_bytes, &span));
    struct qn_view out = span.view;
    out.size = program.out_bytes;
    OK(qn_device_put(d->device, 0, out, want));
    struct qn_run_request rq = {.batch = batch.device,
                                .slots = program.slots,
                                .n_slots = program.n_slots,
                                .norms = program.norms,
                                .n_norms = program.n_norms,
                                .out_base = out,
                                .seen = got_seen,
                                .stream = stream};
    OK(qn_op_run(d->device, NULL, 0, &rq, &outcome));
    if (implementation != NULL && strcmp(implementation, outcome.implementation) != 0)
        fail_msg("%s: %s ran by %s (%s)", d->name, what, outcome.implementation, outcome.reasons);
    OK(qn_device_get(d->device, 0, got, out));
    rq.batch = batch.host;
    oracle_run(&rq, want, want_seen);
    for (uint64_t i = 0; i < program.out_bytes; i++)
        if (want[i] != got[i])
            fail_msg("%s: %s (%s): byte %llu of %llu is %02x, not %02x", d->name, what,
                     outcome.implementation, (unsigned long long)i,
                     (unsigned long long)program.out_bytes, got[i], want[i]);
    for (uint32_t i = 0; i < batch.host.n_lanes; i++)
        if (want_seen[i] != got_seen[i])
            fail_msg("%s: %s (%s): lane %u saw %u, not %u", d->name, what, outcome.implementation,
                     i, got_seen[i], want_seen[i]);
    rq.out_base = (struct qn_view){NULL, 0, 0};
    rq.out_host = want;
    memset(want, 0xcd, program.out_bytes);
    OK(qn_op_run(NULL, NULL, 0, &rq, NULL));
    if (memcmp(want, got, program.out_bytes) != 0)
        fail_msg("%s: %s: the device and the CPU differ", d->name, what);
    qn_pool_give(d->device->pool, d->device->queue_numbers[0], &span);
    free(want);
    free(got);
}

void run_and_compare(struct ops_device *d, const char *what, const char *implementation)
{
    run_and_compare_as(d, what, implementation, 0);
    if (implementation != NULL && strcmp(implementation, "device:generated") == 0)
        run_and_compare_as(d, what, implementation, 1);
}

const uint32_t out_types[EVERY_TYPE] = {QN_T_F32, QN_T_F64, QN_T_I64, QN_T_I32, QN_T_I16, QN_T_I8,
                                        QN_T_U8,  QN_T_U16, QN_T_U32, QN_T_U64, QN_T_BOOL};

void mixed_chains(uint64_t seed)
{
    uint64_t s = seed * 77777777u + 1;
    uint64_t sorted[12], remap[14], value[14];
    for (uint32_t i = 0; i < batch.host.n_lanes; i++) {
        uint32_t work = batch.lanes[i].work, type = out_types[ops_random(&s) % 11], k = 12;
        for (uint32_t j = 0; j < k; j++)
            sorted[j] = work == QN_W_I64 ? (uint64_t)((int64_t)j - 2) : ops_word((double)j - 2.0);
        for (uint32_t j = 0; j < k + 2; j++) {
            remap[j] = ops_random(&s) % 5;
            value[j] = ops_word((double)j * 0.37 - 1);
        }
        switch (i % 5) {
        case 0:
            if (work == QN_W_I64) {
                ops_push_i64(&batch, i, QN_OP_FILL_EQ, 3, -7);
                ops_push_i64(&batch, i, QN_OP_MUL, INT64_MAX, 0);
                ops_push_i64(&batch, i, QN_OP_GREATER, 2, 0);
                break;
            }
            ops_push(&batch, i, QN_OP_FILL, work, 0.1, 0);
            ops_push(&batch, i, QN_OP_CLIP, work, -3.3, 2.7);
            ops_push(&batch, i, QN_OP_SUB, work, 0.3, 0);
            ops_push(&batch, i, QN_OP_DIV, work, 1.7, 0);
            ops_push(&batch, i, QN_OP_MUL, work, 0.7, 0);
            ops_push(&batch, i, QN_OP_ADD, work, -0.1, 0);
            break;
        case 1:
        case 2:
            ops_push_table(&batch, i, QN_OP_FIND, work, sorted, k);
            if (i % 2) ops_push_table(&batch, i, QN_OP_REMAP, QN_W_CODE, remap, k + 2);
            for (uint32_t m = i % 3; m < 9; m++) add_slot(i, type, m);
            if (i % 4 == 1) continue;
            break;
        case 3:
            ops_push_table(&batch, i, QN_OP_FIND, work, sorted, k);
            ops_push_table(&batch, i, QN_OP_VALUE, QN_W_CODE, value, k + 2);
            break;
        default:
            if (work == QN_W_I64) {
                ops_push(&batch, i, QN_OP_TO_F32, work, 0, 0);
                ops_push(&batch, i, QN_OP_MUL, QN_W_F32, 0.1, 0);
                break;
            }
            ops_push(&batch, i, i % 2 ? QN_OP_MISSING : QN_OP_EQUAL, work, 1.0, 0);
            ops_push(&batch, i, work == QN_W_F32 ? QN_OP_TO_F64 : QN_OP_TO_F32, work, 0, 0);
            break;
        }
        add_slot(i, type, QN_MATCH_VALUE);
    }
}
