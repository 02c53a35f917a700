/* SPDX-License-Identifier: Apache-2.0
 * KernelCenterer: what centring the features would make of their kernel, without the features.
 * Definition: scikit-learn, preprocessing/_data.py (Schölkopf, Smola and Müller, 1998, equation B.3). The
 * work on rows is an operation over rows (kernels/rows.h, backends/cpu/centering.c). */
#include <math.h>

#include "host/core/checked.h"
#include "host/estimators/estimator.h"

/* In the step's float type; missing and infinite values are refused. */
static quern_status kernel_port(struct qn_stage *stage, const struct qn_port *in, quern_type type,
                                struct qn_port *out)
{
    QN_TRY(qn_port_convert(stage, in, type, out));
    QN_TRY(qn_port_refuse_nan(stage, out));
    struct qn_chain *chain = qn_chain_copy(stage->arena, out->chain);
    if (chain == NULL) return qn_stage_memory(stage);
    chain->refuse_infinite = 1;
    out->chain = chain;
    out->known = NULL;
    return QUERN_OK;
}

static quern_status kernel_need(struct qn_stage *stage)
{
    quern_type type;
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    if (stage->rows != stage->n_in)
        return qn_error(
            QUERN_INVALID,
            "KernelCenterer: a kernel matrix of a fit is square; this one has %llu rows "
            "and %u columns",
            (unsigned long long)stage->rows, stage->n_in);
    if (stage->weighted)
        return qn_error(QUERN_UNSUPPORTED, "KernelCenterer knows no weights of rows");
    for (uint32_t i = 0; i < stage->n_in; i++) stage->need[i].flags = QN_NEED_MOMENTS;
    return QUERN_OK;
}

/* The mean of the columns' means, with what each addition lost added back. */
static double mean_of_means(const struct qn_stage *stage)
{
    double sum = 0.0, lost = 0.0;
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_node node = stage->found[i].moments;
        double next = sum + node.hi, part = next - sum;
        lost += (sum - (next - part)) + (node.hi - part) + node.lo;
        sum = next;
    }
    return (sum + lost) / stage->n_in;
}

static quern_status kernel_learn(struct qn_stage *stage)
{
    double *columns = qn_attrs_f64(stage->attrs, "K_fit_rows_", stage->n_in);
    double *all = qn_attrs_f64(stage->attrs, "K_fit_all_", 1);
    if (columns == NULL || all == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        const struct qn_found *f = &stage->found[i];
        columns[i] = f->moments.hi + f->moments.lo;
        if (f->count == f->rows && isfinite(columns[i])) continue;
        return qn_error(QUERN_INVALID, "KernelCenterer: column \"%s\" has %s values",
                        stage->in[i].name, f->count != f->rows ? "missing" : "infinite");
    }
    all[0] = mean_of_means(stage);
    return QUERN_OK;
}

static quern_status kernel_emit(struct qn_stage *stage)
{
    const struct qn_attr *columns = qn_attrs_find(stage->attrs, "K_fit_rows_");
    const struct qn_attr *all = qn_attrs_find(stage->attrs, "K_fit_all_");
    struct qn_rows_op *op = qn_arena_alloc(stage->arena, 1, sizeof *op);
    struct qn_centering *data = qn_arena_alloc(stage->arena, 1, sizeof *data);
    struct qn_port *in = qn_arena_alloc(stage->arena, stage->n_in, sizeof *in);
    quern_type type;
    if (op == NULL || data == NULL || in == NULL) return qn_stage_memory(stage);
    QN_TRY(qn_stage_refuse_sparse(stage, "make the input dense"));
    QN_TRY(qn_stage_dtype(stage, 1, &type));
    if (columns->n != stage->n_in || all->n != 1)
        return qn_error(QUERN_CORRUPT, "KernelCenterer: means of %u columns; the step has %u",
                        columns->n, stage->n_in);
    *data = (struct qn_centering){columns->f64, all->f64[0], (uint32_t)stage->rows_in_memory_order};
    *op = (struct qn_rows_op){.code = QN_ROWS_CENTERING,
                              .type = type == QUERN_FLOAT32 ? QN_T_F32 : QN_T_F64,
                              .n_in = stage->n_in,
                              .n_out = stage->n_in,
                              .data = data};
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++) {
        struct qn_port *out = &stage->out[i];
        QN_TRY(kernel_port(stage, &stage->in[i], type, &in[i]));
        *out = stage->in[i];
        out->type = type;
        out->chain = NULL;
        out->known = NULL;
        out->match = QN_MATCH_VALUE;
        out->may_nan = 0;
        out->name = qn_arena_printf(stage->arena, "kernelcenterer%u", i);
        if (out->name == NULL) return qn_stage_memory(stage);
    }
    return stage->add_rows(stage->plan, op, in);
}

static const char *kernel_depends_on(const struct qn_estimator *e)
{
    (void)e;
    return "K_fit_rows_ K_fit_all_";
}

const struct qn_estimator_type qn_kernel_centerer = {
    .name = "KernelCenterer",
    .doc = "Centre a kernel matrix as if its features were centred.",
    .params = NULL,
    .n_params = 0,
    .attributes = "K_fit_rows_ K_fit_all_",
    .lists = "K_fit_all_",
    .input = "number",
    .depends_on = kernel_depends_on,
    .need = kernel_need,
    .learn = kernel_learn,
    .emit = kernel_emit,
};
