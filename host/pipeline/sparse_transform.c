/* SPDX-License-Identifier: Apache-2.0
 * A fitted pipeline over a sparse table. What scikit-learn computes of sparse rows is not what it
 * computes of dense ones (it multiplies by 1 / scale, sums norms in float64), so the program is made
 * again for them from what was learned. */
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/sparse.h"

static quern_status memory_error(uint64_t entries)
{
    return qn_error_memory("sparse entries", entries * 8);
}

/* The model as it would be for sparse rows; its schema and plan are its own, the rest is borrowed. */
struct twin {
    struct quern_table schema;
    struct quern_model model;
};

static quern_status open_twin(const struct quern_model *m, struct twin *twin)
{
    twin->schema = *m->schema;
    twin->schema.is_sparse = 1;
    twin->model = (struct quern_model){.spec = m->spec, .schema = &twin->schema};
    QN_TRY(qn_plan_again(m->plan, &twin->schema, m->sparse, &twin->model.plan));
    return qn_model_finish(&twin->model);
}

/* Hands the arrays over: signed and unsigned integers of one width. */
static void to_csr(struct qn_compressed *c, quern_type type, struct qn_csr *csr)
{
    csr->indptr = c->owned[0];
    csr->indices = c->owned[1];
    csr->data = c->owned[2];
    csr->rows = c->n;
    csr->nnz = c->ptr[c->n];
    csr->type = type;
    memset(c, 0, sizeof *c);
}

/* -0 of a float type: as SciPy's toarray, which adds to zeros, a dense row has +0. */
static int negative_zero(const char *value, quern_type type)
{
    uint64_t wide = 0;
    uint32_t half = 0;
    if (type == QUERN_FLOAT64) memcpy(&wide, value, sizeof wide);
    if (type == QUERN_FLOAT32) memcpy(&half, value, sizeof half);
    return wide == (uint64_t)1 << 63 || half == (uint32_t)1 << 31;
}

struct dense {
    const struct qn_compressed *from;
    quern_type type;
    const struct qn_target *to;
    size_t row_bytes;
    uint64_t task_rows;
};

static void dense_task(void *user, uint32_t worker, uint64_t task)
{
    const struct dense *d = user;
    const struct qn_compressed *c = d->from;
    uint64_t row = task * d->task_rows, end = row + d->task_rows;
    (void)worker;
    for (; row < end && row < c->n; row++) {
        char *out = (char *)d->to->data + (int64_t)row * d->to->row_stride;
        memset(out, 0, d->row_bytes);
        for (uint64_t i = c->ptr[row]; i < c->ptr[row + 1]; i++) {
            const char *value = c->values + i * c->stride;
            if (!negative_zero(value, d->type))
                memcpy(out + (size_t)c->minor[i] * c->stride, value, c->stride);
        }
    }
}

static void to_dense(struct quern_context *cx, const struct qn_compressed *c, uint32_t columns,
                     quern_type type, const struct qn_target *to)
{
    struct dense d = {.from = c, .type = type, .to = to, .row_bytes = (size_t)columns * c->stride};
    d.task_rows = ((uint64_t)1 << 20) / (d.row_bytes + 1) + 1;
    if (c->n != 0) qn_threads_run(cx->threads, (c->n - 1) / d.task_rows + 1, dense_task, &d);
}

static quern_status run(struct qn_exec *x, const struct quern_model *m,
                        const struct quern_table *table, const uint32_t *at,
                        const struct qn_target *target)
{
    quern_status status = QUERN_OK;
    struct qn_sparse_frame frame = {0};
    struct qn_compressed result = {0};
    uint32_t last = x->plan->n_layers - 1;
    QN_GO(qn_sparse_make(x, table, at, m->schema->n_columns, last, &frame));
    QN_GO(qn_sparse_run(x, &frame, &m->program, x->plan->layers[last].outputs, m->dtype, &result));
    if (target->kind == QN_TARGET_CSR) QN_GO(qn_compressed_sort(&result, m->program.n_slots));
    if (qn_context_cancelled(x->cx)) {
        status = qn_context_stopped("the transform");
        goto cleanup;
    }
    if (target->kind == QN_TARGET_CSR)
        to_csr(&result, m->dtype, target->csr);
    else
        to_dense(x->cx, &result, m->program.n_slots, m->dtype, target);
cleanup:
    qn_sparse_frame_free(&frame);
    qn_compressed_free(&result);
    return status;
}

quern_status qn_sparse_transform(struct quern_context *cx, const struct quern_model *m,
                                 const struct quern_table *table, const struct qn_target *target)
{
    quern_status status = QUERN_OK;
    struct twin twin = {0};
    struct qn_exec x = {.cx = cx, .step = "transform"};
    uint32_t *at = qn_alloc(m->schema->n_columns, sizeof *at);
    if (at == NULL) return memory_error(m->schema->n_columns);
    QN_GO(qn_model_places(m, table, at));
    QN_GO(open_twin(m, &twin));
    x.plan = twin.model.plan;
    qn_context_ledger(cx)->passes++;
    status = run(&x, &twin.model, table, at, target);
cleanup:
    qn_plan_close(twin.model.plan);
    qn_free(at);
    return status;
}
