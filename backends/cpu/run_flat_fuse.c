/* SPDX-License-Identifier: Apache-2.0
 * The logarithms that FLAT(log1p) knows are finite and less than 89 in size. So a LOOK for infinities after it is in
 * vain, and a scaler may divide by reciprocals. Between limits that it knows all are known. */
#include "backends/cpu/run_flat_fuse.h"

#include <math.h>

/* A difference from a mean of at least LEAST_MEAN is zero or no less than half of the mean's last place, which
 * is SMALL of run_norm_wide.c, from where on quotients by reciprocals are a division's. */
#define LEAST_MEAN 0x1p-38f
#define LEAST_SCALE 0x1p-60f
#define MOST 0x1p60f

static int are_between(const float *p, size_t n, float least, float most)
{
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= least && p[i] <= most)) return 0;
    return 1;
}

/* Where a LOOK is passed over. */
static uint32_t next_op(const struct qn_flat_chain *f, uint32_t i)
{
    for (i++; i < f->n_ops && f->ops[i].code == QN_OP_LOOK;) i++;
    return i;
}

/* The op that is a DIV after LOG1P and SUB, all as the reciprocals want it; 0: none. */
static uint32_t scaling_op(const struct qn_flat_chain *f, uint32_t log1p, float *params)
{
    const size_t n = f->extended;
    uint32_t sub = next_op(f, log1p), div = next_op(f, sub);
    if (div >= f->n_ops || f->ops[sub].code != QN_OP_SUB || f->ops[div].code != QN_OP_DIV) return 0;
    const float *mean = params + f->ops[sub].first;
    float *scale = params + f->ops[div].first;
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(mean[i]) >= LEAST_MEAN && fabsf(mean[i]) <= MOST)) return 0;
    if (!are_between(scale, n, LEAST_SCALE, MOST)) return 0;
    for (size_t i = 0; i < n; i++) scale[n + i] = 1.0f / scale[i];
    return div;
}

/* Whether all limits of a CLIP leave what FLAT(log1p) knows. */
static int has_limits(const struct qn_flat_chain *f, const struct qn_flat_op *clip,
                      const float *params)
{
    return clip->code == QN_OP_CLIP &&
           are_between(params + clip->first, 2 * f->extended, -1 + 0x1p-23f, 0x1p125f);
}

/* Whether no NaN comes to op i: the first imputes with numbers, and the others are limits. */
static int has_no_nans(const struct qn_flat_chain *f, uint32_t i, const float *params)
{
    if (f->goes_on || i == 0 || f->ops[0].code != QN_OP_FILL) return 0;
    for (uint32_t k = 1; k < i; k++)
        if (f->ops[k].code != QN_OP_CLIP && f->ops[k].code != QN_OP_LOOK) return 0;
    return are_between(params + f->ops[0].first, f->extended, -HUGE_VALF, HUGE_VALF);
}

void qn_flat_fuse(const struct qn_flat_chain *f, float *params, struct qn_flat_chain *fused)
{
    *fused = *f;
    fused->n_ops = 0;
    for (uint32_t i = 0; i < f->n_ops; i++) {
        struct qn_flat_op *op = &fused->ops[fused->n_ops++];
        *op = f->ops[i];
        if (op->code != QN_OP_LOG1P) continue;
        if (fused->n_ops > 1 && has_limits(f, op - 1, params)) {
            size_t limits = op[-1].first;
            *--op = f->ops[i];
            op->limits = 1;
            op->third = limits;
            fused->n_ops--;
        }
        uint32_t div = scaling_op(f, i, params);
        if (div != 0) {
            op->scales = 1;
            op->first = f->ops[next_op(f, i)].first;
            op->second = f->ops[div].first;
        }
        fused->no_nans = (uint32_t)has_no_nans(f, i, params);
        i = (div != 0 ? next_op(f, div) : next_op(f, i)) - 1;
        if (i + 1 < f->n_ops) fused->no_nans = 0;
    }
}
