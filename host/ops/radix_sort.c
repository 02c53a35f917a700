/* SPDX-License-Identifier: Apache-2.0
 * Keys sorted on a device: least significant digit first, between two sets of planes. */
#include "host/ops/layout.h"
#include "host/ops/lines.h"

enum { SCAN_ROWS = 1024, TILE = 2048 }; /* as kernels/csr.k.h and kernels/sort.k.h */

uint64_t qn_lines_groups(const struct qn_device *device, uint64_t n, uint64_t *chunk)
{
    *chunk = 1;
    if (n == 0) return 0;
    uint64_t parts =
        qn_job_cpu_shape(device) ? qn_job_parts(device, n, 16384, 1) : (n + TILE - 1) / TILE;
    *chunk = qn_job_cpu_shape(device) ? (n + parts - 1) / parts : TILE;
    return (n + *chunk - 1) / *chunk;
}

uint64_t qn_lines_scan_sums(uint64_t n)
{
    return (n + SCAN_ROWS - 1) / SCAN_ROWS * sizeof(uint64_t);
}

quern_status qn_lines_scan(struct qn_job *job, struct qn_view counts, uint64_t n,
                           struct qn_view sums, struct qn_view starts)
{
    uint64_t groups = (n + SCAN_ROWS - 1) / SCAN_ROWS;
    struct qn_arg up[] = {qn_arg_view(counts), qn_arg_u64(n), qn_arg_view(sums)};
    struct qn_arg top[] = {qn_arg_view(sums), qn_arg_u32((uint32_t)groups)};
    struct qn_arg down[] = {qn_arg_view(counts), qn_arg_u64(n), qn_arg_view(sums),
                            qn_arg_view(starts)};
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_scan_sums", NULL}, groups, 1,
                         QN_ITEMS, up, 3));
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_scan_top", NULL}, 1, 1, QN_ITEMS,
                         top, 2));
    return qn_job_launch(job, (struct qn_job_kernel){"csr", "qn_scan_rows", NULL}, groups, 1,
                         QN_ITEMS, down, 4);
}

/* Memory and shape of the passes over one array. */
struct passes {
    struct qn_planes from, to;
    struct qn_view counts, sums, starts;
    uint64_t groups, chunk;
    uint32_t digit, items; /* bits, work-items per group */
};

static quern_status one_pass(struct qn_job *job, struct passes *p, uint32_t plane, uint32_t line,
                             uint32_t shift)
{
    struct qn_view words = p->from.words, plane_words = words;
    uint64_t n = p->from.n;
    plane_words.offset += plane * p->from.pitch * sizeof(uint32_t);
    plane_words.size -= plane * p->from.pitch * sizeof(uint32_t);
    struct qn_arg count[] = {qn_arg_view(plane_words), qn_arg_u64(n),
                             qn_arg_u64(p->chunk),     qn_arg_u32(line),
                             qn_arg_u32(shift),        qn_arg_u32((uint32_t)p->groups),
                             qn_arg_view(p->counts)};
    struct qn_arg scatter[] = {qn_arg_view(words),
                               qn_arg_view(p->to.words),
                               qn_arg_u64(n),
                               qn_arg_u64(p->from.pitch),
                               qn_arg_u32(p->from.n_planes),
                               qn_arg_u32(plane),
                               qn_arg_u32(line),
                               qn_arg_u32(shift),
                               qn_arg_u32((uint32_t)p->groups),
                               qn_arg_view(p->starts)};
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_sort_count", NULL}, p->groups, 1,
                         p->items, count, 7));
    QN_TRY(qn_lines_scan(job, p->counts, p->groups << p->digit, p->sums, p->starts));
    QN_TRY(qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_sort_scatter", NULL}, p->groups, 1,
                         p->items, scatter, 10));
    struct qn_planes other = p->from;
    p->from = p->to;
    p->to = other;
    return QUERN_OK;
}

static quern_status load(struct qn_job *job, const struct qn_lines *lines, uint32_t flags,
                         const struct passes *p)
{
    struct qn_arg args[] = {qn_arg_view(lines->base),
                            qn_arg_u64(lines->offset),
                            qn_arg_u64(p->from.n),
                            qn_arg_u64(lines->n),
                            qn_arg_u64((uint64_t)lines->line_stride),
                            qn_arg_u64((uint64_t)lines->stride),
                            qn_arg_u64(p->chunk),
                            qn_arg_u32(lines->type),
                            qn_arg_u32(flags),
                            qn_arg_u32(p->from.place),
                            qn_arg_view(p->from.words),
                            qn_arg_u64(p->from.pitch)};
    return qn_job_launch(job, (struct qn_job_kernel){"sort", "qn_sort_load", NULL}, p->groups, 1,
                         p->items, args, 12);
}

static quern_status take(struct qn_job *job, struct passes *p)
{
    uint64_t bytes = p->from.n_planes * p->from.pitch * sizeof(uint32_t);
    uint64_t counts = p->groups << p->digit;
    QN_TRY(qn_job_take(job, bytes, &p->from.words));
    QN_TRY(qn_job_take(job, bytes, &p->to.words));
    QN_TRY(qn_job_take(job, counts * sizeof(uint32_t), &p->counts));
    QN_TRY(qn_job_take(job, qn_lines_scan_sums(counts), &p->sums));
    return qn_job_take(job, counts * sizeof(uint64_t), &p->starts);
}

quern_status qn_lines_sort(struct qn_job *job, const struct qn_lines *lines, uint32_t flags,
                           int places, struct qn_planes *out)
{
    int cpu_shape = qn_job_cpu_shape(job->device);
    uint32_t size = qn_value_bytes(lines->type), halves = size == 8 ? 2 : 1;
    struct passes p = {.digit = cpu_shape ? 8 : 4, .items = cpu_shape ? 1 : QN_ITEMS};
    uint64_t n = lines->lines * lines->n;
    places |= lines->lines > 1;
    p.groups = qn_lines_groups(job->device, n, &p.chunk);
    p.from = (struct qn_planes){.pitch = (n + 63) & ~(uint64_t)63, /* views are aligned */
                                .n = n,
                                .n_planes = halves + (places ? 1 : 0),
                                .place = places ? halves : 0};
    p.to = p.from;
    QN_TRY(take(job, &p));
    QN_TRY(load(job, lines, flags, &p));
    for (uint32_t bit = 0; bit < 8 * size; bit += p.digit)
        QN_TRY(one_pass(job, &p, bit / 32, 1, bit % 32));
    for (uint32_t bit = 0; lines->lines > 1 && bit < 32 && (lines->lines - 1) >> bit != 0;
         bit += p.digit)
        QN_TRY(one_pass(job, &p, p.from.place, (uint32_t)lines->n, bit));
    *out = p.from;
    return QUERN_OK;
}
