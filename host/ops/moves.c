/* SPDX-License-Identifier: Apache-2.0
 * Loops over a result's elements run along the dimension in which it is dense. */
#include "host/ops/moves_shared.h"

#include "host/ops/layout.h"

static uint64_t reach(int64_t stride)
{
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

int qn_moves_swapped(const struct qn_lines *out)
{
    return out->lines > 1 && (out->n <= 1 || reach(out->line_stride) < reach(out->stride));
}

struct qn_lines qn_moves_turn(const struct qn_lines *a, int swapped)
{
    struct qn_lines b = *a;
    if (!swapped) return b;
    b.lines = a->n;
    b.n = a->lines;
    b.line_stride = a->stride;
    b.stride = a->line_stride;
    return b;
}

int qn_moves_crossed(const struct qn_lines *in, const struct qn_lines *out)
{
    return out->lines > 1 && out->n > 1 && reach(in->line_stride) < reach(in->stride);
}

quern_status qn_moves_launch(struct qn_job *job, const char *source, const char *name, uint64_t n,
                             uint64_t chunk, const struct qn_arg *args, uint32_t n_args)
{
    return qn_job_launch(job, (struct qn_job_kernel){source, name, NULL}, (n + chunk - 1) / chunk,
                         1, qn_job_cpu_shape(job->device) ? 1 : QN_ITEMS, args, n_args);
}

const char *qn_moves_refuse(const struct qn_device *device, const struct qn_lines *const *lines,
                            uint32_t n)
{
    const char *why = NULL;
    for (uint32_t i = 0; why == NULL && i < n; i++)
        if (i == 0 || qn_lines_wanted(lines[i])) why = qn_refuse_device_lines(device, lines[i]);
    return why;
}
