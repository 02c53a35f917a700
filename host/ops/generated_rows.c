/* SPDX-License-Identifier: Apache-2.0
 * Running a program of whole rows: its table goes to the device, items go through the rows. */
#include "host/core/checked.h"
#include "host/ops/generate_rows.h"
#include "host/ops/run.h"

static quern_status put_words(struct qn_job *job, const struct qn_batch *batch,
                              struct qn_view table, struct qn_view *out)
{
    *out = table;
    for (uint32_t i = 0; i < batch->n_ops; i++)
        if (batch->ops[i].code >= QN_OP_FIND && batch->ops[i].code < QN_OP_TAKE)
            return qn_job_put(job, batch->words, batch->n_words * sizeof(uint64_t), out);
    return QUERN_OK;
}

static quern_status launch(struct qn_job *job, const struct qn_run_request *rq,
                           const struct qn_source *source, struct qn_view table,
                           struct qn_view words, struct qn_view seen)
{
    const struct qn_batch *batch = &rq->batch;
    int cpu = qn_job_cpu_shape(job->device);
    uint64_t parts = qn_job_parts(job->device, batch->rows, cpu ? 256 : QN_ITEMS, 1);
    uint64_t steps = (batch->rows + QN_ITEMS - 1) / QN_ITEMS;
    uint64_t chunk = cpu ? (batch->rows + parts - 1) / parts : (steps + parts - 1) / parts;
    struct qn_arg args[] = {qn_arg_view(batch->base), qn_arg_view(table), qn_arg_view(words),
                            qn_arg_u64(batch->rows),  qn_arg_u64(chunk),  qn_arg_view(rq->out_base),
                            qn_arg_view(seen)};
    return qn_job_launch(job, (struct qn_job_kernel){NULL, "qn_program", source},
                         ((cpu ? batch->rows : steps) + chunk - 1) / chunk, 1, cpu ? 1 : QN_ITEMS,
                         args, sizeof args / sizeof args[0]);
}

quern_status qn_row_program_run(struct qn_device *device, uint32_t queue,
                                const struct qn_run_request *rq, const char *options)
{
    struct qn_row_program program = {0};
    struct qn_view table, words, seen;
    struct qn_job job;
    quern_status status;
    qn_job_begin(&job, device, queue);
    QN_GO(qn_row_program_make(rq, &program));
    struct qn_source source = {
        .name = "program", .text = program.text, .bytes = program.bytes, .options = options};
    QN_GO(qn_job_put(&job, program.table, program.n_words * sizeof *program.table, &table));
    QN_GO(put_words(&job, &rq->batch, table, &words));
    QN_GO(qn_run_flags(&job, rq, &seen));
    QN_GO(launch(&job, rq, &source, table, words, seen));
    status = qn_run_seen(&job, seen, rq->batch.n_lanes, rq->seen);
cleanup:
    qn_row_program_free(&program);
    qn_job_end(&job);
    return status;
}
