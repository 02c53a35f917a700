/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/select.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/order.h"

/* Collected values of one round, at most, and this share of the data: lanes take turns beyond it. With the
 * room that grows with them a fit stays below a tenth of the data and 64 MB. */
static const uint64_t ROUND_BYTES = 24u << 20;
enum { ROUND_SHARE = 16 };

int qn_select_scratch(struct select_job *job, struct select_desk *desk, size_t bytes)
{
    if (bytes <= desk->keys_bytes) return 1;
    qn_free(desk->keys);
    qn_free(desk->spare);
    desk->keys = qn_alloc_aligned(bytes, 1);
    desk->spare = qn_alloc_aligned(bytes, 1);
    desk->keys_bytes = desk->keys != NULL && desk->spare != NULL ? bytes : 0;
    if (desk->keys_bytes == 0) atomic_store(&job->out_of_memory, 1);
    return desk->keys_bytes != 0;
}

/* ---- answers ---- */

/* All threads' tallies of a bracket. */
static struct tally sum_tallies(const struct select_job *job, uint32_t lane, uint32_t bracket)
{
    struct tally sum = {0, 0, 0, 0};
    for (uint32_t t = 0; t < job->threads; t++) {
        const struct tally *one =
            &job->bins[(size_t)t * job->request->batch.n_lanes + lane].tallies[bracket];
        sum.lt_low += one->lt_low;
        sum.le_low += one->le_low;
        sum.lt_high += one->lt_high;
        sum.le_high += one->le_high;
    }
    return sum;
}

/* The keys of what all threads collected inside a bracket, into the desk's keys. */
static size_t gather(const struct select_job *job, struct select_desk *desk, uint32_t lane,
                     uint32_t bracket)
{
    const struct lane_plan *plan = &job->plans[lane];
    const struct select_loops *loops = plan->wide ? &job->f64 : &job->f32;
    size_t n = 0;
    for (uint32_t t = 0; t < job->threads; t++) {
        const struct bin *bin = &job->bins[(size_t)t * job->request->batch.n_lanes + lane];
        n += loops->extract(bin->values, bin->n, &plan->brackets[bracket], plan->ties,
                            (char *)desk->keys + n * qn_select_size(plan));
    }
    return n;
}

static void put(const struct select_job *job, uint32_t lane, uint32_t rank, double value)
{
    size_t base = (size_t)lane * job->request->n_ranks;
    job->request->values[base + job->plans[lane].slots[rank]] = value + 0.0;
}

/* Answers ranks [first, last), which lie inside the bracket: `below` values are smaller. */
static void answer_inside(struct select_job *job, struct select_desk *desk, uint32_t lane,
                          uint32_t bracket, uint32_t first, uint32_t last, uint64_t below)
{
    struct lane_plan *plan = &job->plans[lane];
    uint64_t *ranks = plan->ranks + first;
    uint32_t many = last - first;
    size_t n = gather(job, desk, lane, bracket);
    for (uint32_t j = 0; j < many; j++) {
        ranks[j] -= below;
        if (ranks[j] >= n) plan->missed = 1; /* cannot be, unless the data changed meanwhile */
    }
    uint64_t *out = plan->missed ? NULL : qn_alloc(many, sizeof *out);
    if (out == NULL) {
        if (!plan->missed) atomic_store(&job->out_of_memory, 1);
    } else if (plan->wide) {
        qn_order_u64(desk->keys, desk->spare, n, ranks, many, out);
        for (uint32_t j = 0; j < many; j++) put(job, lane, first + j, qn_unkey_f64(out[j]));
    } else {
        uint32_t *keys = (uint32_t *)out;
        qn_order_u32(desk->keys, desk->spare, n, ranks, many, keys);
        for (uint32_t j = 0; j < many; j++)
            put(job, lane, first + j, (double)qn_unkey_f32(keys[j]));
    }
    qn_free(out);
    for (uint32_t j = 0; j < many; j++) ranks[j] += below;
}

static void answer_bracket(struct select_job *job, struct select_desk *desk, uint32_t lane,
                           uint32_t bracket)
{
    struct lane_plan *plan = &job->plans[lane];
    struct tally t = sum_tallies(job, lane, bracket);
    uint64_t from = plan->ties ? t.le_low : t.lt_low, to = plan->ties ? t.lt_high : t.le_high;
    uint32_t j = plan->first_rank[bracket], end = plan->first_rank[bracket + 1], inside;
    for (; j < end && plan->ranks[j] < from; j++) {
        if (plan->ranks[j] < t.lt_low) plan->missed = 1;
        put(job, lane, j, plan->brackets[bracket].low);
    }
    for (inside = j; j < end && plan->ranks[j] < to;) j++;
    if (j > inside) answer_inside(job, desk, lane, bracket, inside, j, from);
    for (; j < end; j++) {
        if (plan->ranks[j] >= t.le_high) plan->missed = 1;
        put(job, lane, j, plan->brackets[bracket].high);
    }
}

static void answer_task(void *user, uint32_t worker, uint64_t task)
{
    struct select_job *job = user;
    struct lane_plan *plan = &job->plans[task];
    uint32_t lane = (uint32_t)task;
    size_t total = 1;
    if (!job->active[task]) return;
    for (uint32_t t = 0; t < job->threads; t++) {
        const struct bin *bin = &job->bins[(size_t)t * job->request->batch.n_lanes + lane];
        total += bin->n;
        if (bin->full) plan->missed = 1;
    }
    if (!plan->missed &&
        qn_select_scratch(job, &job->desks[worker], total * qn_select_size(plan))) {
        for (uint32_t j = 0; j < plan->n_brackets; j++)
            answer_bracket(job, &job->desks[worker], lane, j);
    }
    plan->done = 1;
    for (uint32_t t = 0; t < job->threads; t++) {
        struct bin *bin = &job->bins[(size_t)t * job->request->batch.n_lanes + lane];
        qn_free(bin->values);
        *bin = (struct bin){.values = NULL};
    }
}

/* ---- what brackets missed: radix histograms, digit by digit ---- */

/* Walks the target's histogram to the digit that holds the rank; returns how many lie before it. */
static uint64_t find_digit(const uint64_t *counts, uint64_t digits, uint64_t rank, uint64_t *digit)
{
    uint64_t before = 0;
    for (*digit = 0; *digit + 1 < digits && before + counts[*digit] <= rank; (*digit)++)
        before += counts[*digit];
    return before;
}

static quern_status radix_lane(struct select_job *job, struct qn_threads *threads, uint32_t lane)
{
    const struct lane_plan *plan = &job->plans[lane];
    const struct qn_batch *batch = &job->request->batch;
    struct qn_lane one = batch->lanes[lane];
    struct qn_histogram_request request = {.batch = *batch, .n_targets = plan->n_ranks};
    uint32_t left = qn_lane_is_float(batch, &one) ? 32 : 64;
    int wide = left == 64;
    quern_status status = QUERN_OK;
    uint64_t *prefix = qn_zalloc(plan->n_ranks, sizeof *prefix);
    uint64_t *rank = qn_alloc(plan->n_ranks, sizeof *rank);
    uint64_t *counts = qn_alloc(plan->n_ranks, sizeof *counts << 11);
    if (prefix == NULL || rank == NULL || counts == NULL) {
        status = qn_error_memory("selection", (uint64_t)plan->n_ranks * sizeof *counts << 11);
        goto cleanup;
    }
    memcpy(rank, plan->ranks, plan->n_ranks * sizeof *rank);
    request.batch.lanes = &one;
    request.batch.n_lanes = 1;
    request.prefix = prefix;
    request.counts = counts;
    while (left > 0) {
        request.bits = left < 11 ? left : 11;
        request.shift = left - request.bits;
        memset(counts, 0, ((size_t)plan->n_ranks * sizeof *counts) << request.bits);
        QN_GO(qn_cpu_histogram(threads, &request));
        for (uint32_t j = 0; j < plan->n_ranks; j++) {
            uint64_t digit;
            rank[j] -= find_digit(counts + ((size_t)j << request.bits), 1ull << request.bits,
                                  rank[j], &digit);
            prefix[j] = prefix[j] << request.bits | digit;
        }
        left = request.shift;
    }
    for (uint32_t j = 0; j < plan->n_ranks; j++)
        put(job, lane, j,
            wide ? qn_unkey_f64(prefix[j]) : (double)qn_unkey_f32((uint32_t)prefix[j]));
cleanup:
    qn_free(prefix);
    qn_free(rank);
    qn_free(counts);
    return status;
}

/* ---- rounds ---- */

/* Marks the lanes of the next round; 0 when nothing is left. */
static int next_round(struct select_job *job)
{
    const struct qn_batch *batch = &job->request->batch;
    uint64_t data = 0, used = 0, budget;
    int any = 0;
    for (uint32_t i = 0; i < job->n_strips; i++) data += qn_strip_row_bytes(batch, &job->strips[i]);
    budget = ROUND_BYTES + data * batch->rows / ROUND_SHARE;
    for (uint32_t l = 0; l < batch->n_lanes; l++) {
        const struct lane_plan *plan = &job->plans[l];
        uint64_t bytes = plan->expected * qn_select_size(plan);
        job->active[l] = !plan->done && (!any || used + bytes <= budget);
        if (!job->active[l]) continue;
        used += bytes;
        any = 1;
    }
    return any;
}

static quern_status open_job(struct select_job *job)
{
    size_t lanes = job->request->batch.n_lanes, bins;
    QN_TRY(qn_strips_make(&job->request->batch, &job->strips, &job->n_strips));
    if (qn_mul_size(lanes, job->threads, &bins)) return qn_error_memory("selection", UINT64_MAX);
    job->plans = qn_zalloc(lanes, sizeof *job->plans);
    job->active = qn_zalloc(lanes, 1);
    job->bins = qn_zalloc(bins, sizeof *job->bins);
    job->desks = qn_alloc_aligned(job->threads, sizeof *job->desks);
    for (uint32_t t = 0; job->desks != NULL && t < job->threads; t++) {
        job->desks[t].keys = NULL;
        job->desks[t].spare = NULL;
        job->desks[t].keys_bytes = 0;
    }
    if (job->plans == NULL || job->active == NULL || job->bins == NULL || job->desks == NULL)
        return qn_error_memory("selection", bins * sizeof *job->bins);
    return QUERN_OK;
}

static void close_job(struct select_job *job)
{
    size_t bins = (size_t)job->request->batch.n_lanes * job->threads;
    if (job->bins != NULL)
        for (size_t i = 0; i < bins; i++) qn_free(job->bins[i].values);
    if (job->desks != NULL) {
        for (uint32_t t = 0; t < job->threads; t++) {
            qn_free(job->desks[t].keys);
            qn_free(job->desks[t].spare);
        }
    }
    qn_free(job->bins);
    qn_free(job->desks);
    qn_free(job->plans);
    qn_free(job->active);
    qn_free(job->rank_memory);
    qn_free(job->slot_memory);
    qn_free(job->strips);
}

quern_status qn_cpu_select(struct qn_threads *threads, const struct qn_select_request *request)
{
    struct select_job job = {.request = request, .threads = qn_threads_size(threads)};
    uint32_t lanes = request->batch.n_lanes;
    quern_status status = QUERN_OK;
    if (lanes == 0 || request->n_ranks == 0) return QUERN_OK;
    qn_select_choose_loops(&job);
    QN_GO(open_job(&job));
    QN_GO(qn_select_plan(&job, threads));
    while (next_round(&job)) {
        QN_GO(qn_select_pass(&job, threads));
        qn_threads_run(threads, lanes, answer_task, &job);
        if (atomic_load(&job.out_of_memory)) {
            status = qn_error(QUERN_OUT_OF_MEMORY, "out of host memory: selection's answers");
            goto cleanup;
        }
    }
    for (uint32_t l = 0; l < lanes; l++)
        if (job.plans[l].missed) QN_GO(radix_lane(&job, threads, l));
cleanup:
    close_job(&job);
    return status;
}
