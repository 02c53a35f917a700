/* SPDX-License-Identifier: Apache-2.0
 * Running a generated program: its parameters go to the device as a table, and the launch follows
 * from the layouts and the device's shape. */
#include <stdio.h>

#include "host/core/checked.h"
#include "host/ops/generate.h"
#include "host/ops/generate_rows.h"
#include "host/ops/impl.h"
#include "host/ops/layout.h"
#include "host/ops/run.h"

const char *qn_generated_refuse(const struct qn_device *device, const void *request)
{
    const struct qn_run_request *rq = request;
    struct qn_chain_shape shape;
    const char *why = qn_refuse_device(device, &rq->batch);
    if (why == NULL) why = qn_run_refuse_slots(rq);
    if (why != NULL) return why;
    return rq->batch.n_operands != 0 ? qn_row_program_refuse(rq) : qn_chain_shape_of(rq, &shape);
}

/* What all launches of generated programs are made from. */
struct launch {
    struct qn_job job;
    const struct qn_run_request *rq;
    struct qn_chain_shape shape;
    struct qn_source source;
    char options[128];
    uint32_t rep; /* rows of the matrix taken together (CPU shape) */
    struct qn_view params, words, at, seen;
};

/* The check that every program gets; the table itself is not wanted here. */
static quern_status check(const struct qn_run_request *rq)
{
    struct qn_table_request program = {&rq->batch, rq->slots, rq->norms, rq->n_slots, rq->n_norms};
    uint64_t *table;
    size_t n;
    QN_TRY(qn_table_build(&program, &table, &n));
    qn_free(table);
    return QUERN_OK;
}

static int packed_matrices(const struct launch *l)
{
    const struct qn_batch *batch = &l->rq->batch;
    uint64_t n = batch->n_lanes;
    return (uint64_t)batch->lanes[0].stride == n * qn_value_bytes(batch->lanes[0].type) &&
           l->rq->slots[0].stride == n * qn_value_bytes(l->rq->slots[0].type);
}

/* Enough rows of a packed matrix together for a loop of 256 values or more that is a whole number of
 * vectors. */
static uint32_t rows_together(const struct launch *l)
{
    uint32_t n = l->rq->batch.n_lanes, whole = 16;
    if (!packed_matrices(l) || n >= 256) return 1;
    while (whole > 1 && n % 2 == 0) {
        n /= 2;
        whole /= 2;
    }
    n = l->rq->batch.n_lanes;
    return ((256 + n - 1) / n + whole - 1) / whole * whole;
}

static quern_status put_places(struct launch *l)
{
    const struct qn_run_request *rq = l->rq;
    uint32_t n = rq->batch.n_lanes;
    uint64_t *at = qn_alloc((size_t)n * 2, sizeof *at);
    if (at == NULL) return qn_error_memory("columns' places", (uint64_t)n * 2 * sizeof *at);
    for (uint32_t i = 0; i < n; i++) {
        at[i] = rq->batch.lanes[i].offset;
        at[n + i] = rq->slots[i].offset;
    }
    quern_status status = qn_job_put(&l->job, at, (uint64_t)n * 2 * sizeof *at, &l->at);
    qn_free(at);
    return status;
}

static quern_status put_tables(struct launch *l)
{
    const struct qn_batch *batch = &l->rq->batch;
    uint64_t *params;
    size_t n;
    QN_TRY(put_places(l));
    QN_TRY(qn_generate_params(&l->shape, batch, batch->n_lanes * l->rep, &params, &n));
    quern_status status = qn_job_put(&l->job, params, n * sizeof *params, &l->params);
    qn_free(params);
    if (status != QUERN_OK) return status;
    l->words = l->params;
    for (uint32_t k = 0; k < l->shape.n_ops; k++)
        if (l->shape.code[k] >= QN_OP_FIND)
            return qn_job_put(&l->job, batch->words, batch->n_words * sizeof(uint64_t), &l->words);
    return QUERN_OK;
}

/* 32 bits hold every byte offset of both sides? */
static uint32_t index_bits(const struct qn_run_request *rq)
{
    return rq->batch.base.size <= UINT32_MAX && rq->out_base.size <= UINT32_MAX ? 32 : 64;
}

static quern_status launch_items(struct launch *l)
{
    const struct qn_run_request *rq = l->rq;
    const struct qn_batch *batch = &rq->batch;
    uint32_t n = batch->n_lanes, columns = l->shape.turn == QN_STRAIGHT_COLUMNS ? n : 1;
    uint32_t width = n * l->rep, tail = (uint32_t)(batch->rows % l->rep) * n;
    uint64_t rows = batch->rows / l->rep;
    uint64_t least = columns > 1 ? 4096 : 4096 / width + 1;
    uint64_t parts = qn_job_parts(l->job.device, rows, least, columns);
    uint64_t chunk = rows == 0 ? 1 : (rows + parts - 1) / parts;
    parts = rows == 0 ? 1 : (rows + chunk - 1) / chunk;
    struct qn_view scratch;
    QN_TRY(qn_job_take(&l->job, l->shape.watch ? parts * width * sizeof(uint32_t) : 4, &scratch));
    struct qn_arg args[] = {qn_arg_view(batch->base),
                            qn_arg_view(l->params),
                            qn_arg_view(l->words),
                            qn_arg_view(l->at),
                            qn_arg_u32(width),
                            qn_arg_u32(n),
                            qn_arg_u64(rows),
                            qn_arg_u64((uint64_t)batch->lanes[0].stride * l->rep),
                            qn_arg_u64(rq->slots[0].stride * l->rep),
                            qn_arg_u32(width),
                            qn_arg_u32(tail),
                            qn_arg_u64(chunk),
                            qn_arg_view(rq->out_base),
                            qn_arg_view(l->seen),
                            qn_arg_view(scratch)};
    struct qn_job_kernel kernel = {NULL, columns > 1 ? "qn_program_column" : "qn_program",
                                   &l->source};
    return qn_job_launch(&l->job, kernel, parts, columns, 1, args, sizeof args / sizeof args[0]);
}

static quern_status launch_groups(struct launch *l)
{
    const struct qn_run_request *rq = l->rq;
    const struct qn_batch *batch = &rq->batch;
    uint32_t n = batch->n_lanes;
    int straight = l->shape.turn == QN_STRAIGHT_ROWS || l->shape.turn == QN_STRAIGHT_COLUMNS;
    uint32_t width = !straight ? QN_TILE : l->shape.turn == QN_STRAIGHT_COLUMNS ? 1 : n;
    if (width > QN_ITEMS) width = QN_ITEMS;
    uint32_t team = straight ? QN_ITEMS / width : QN_TILE, tiles = (n + width - 1) / width;
    /* As many steps as leave the device several groups per unit: few groups mean few trips of the
     * flags and parameters. */
    uint64_t steps =
        batch->rows / team * tiles / (64 * ((uint64_t)l->job.device->caps.compute_units + 1));
    steps = straight ? (steps / 4 * 4 > 64 ? 64
                        : steps < 4        ? 4
                                           : steps / 4 * 4)
                     : (steps > 8   ? 8
                        : steps < 1 ? 1
                                    : steps);
    uint64_t per_group = steps * team;
    struct qn_arg args[] = {qn_arg_view(batch->base),
                            qn_arg_view(l->params),
                            qn_arg_view(l->words),
                            qn_arg_view(l->at),
                            qn_arg_u32(n),
                            qn_arg_u32(n),
                            qn_arg_u64(batch->rows),
                            qn_arg_u64((uint64_t)batch->lanes[0].stride),
                            qn_arg_u64(rq->slots[0].stride),
                            qn_arg_u32(width),
                            qn_arg_u32((uint32_t)steps),
                            qn_arg_view(rq->out_base),
                            qn_arg_view(l->seen)};
    return qn_job_launch(&l->job, (struct qn_job_kernel){NULL, "qn_program", &l->source},
                         (batch->rows + per_group - 1) / per_group, tiles, QN_ITEMS, args,
                         sizeof args / sizeof args[0]);
}

quern_status qn_generated_run(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                              const void *request)
{
    struct launch l = {.rq = request, .rep = 1};
    const struct qn_batch *batch = &l.rq->batch;
    char *text = NULL;
    quern_status status;
    (void)threads;
    if (batch->rows == 0 || l.rq->n_slots == 0) return QUERN_OK;
    QN_TRY(check(l.rq));
    if (batch->n_operands != 0)
        return qn_row_program_run(device, queue, l.rq, qn_job_options(device));
    if (qn_chain_shape_of(l.rq, &l.shape) != NULL)
        return qn_error(QUERN_INTERNAL, "a program lost its shape");
    if (qn_job_cpu_shape(device) && l.shape.turn == QN_STRAIGHT_ROWS) l.rep = rows_together(&l);
    qn_job_begin(&l.job, device, queue);
    QN_GO(qn_generate(&l.shape, &text, &l.source.bytes));
    (void)snprintf(l.options, sizeof l.options, "%s -DQN_INDEX_BITS=%u%s", qn_job_options(device),
                   index_bits(l.rq),
                   qn_job_cpu_shape(device) && l.rq->stream ? " -DQN_STREAM=1" : "");
    l.source.name = "program";
    l.source.text = text;
    l.source.options = l.options;
    QN_GO(put_tables(&l));
    QN_GO(qn_run_flags(&l.job, l.rq, &l.seen));
    if (qn_job_cpu_shape(device))
        QN_GO(launch_items(&l));
    else
        QN_GO(launch_groups(&l));
    status = qn_run_seen(&l.job, l.seen, batch->n_lanes, l.rq->seen);
cleanup:
    qn_free(text);
    qn_job_end(&l.job);
    return status;
}
