/* SPDX-License-Identifier: Apache-2.0
 * Order statistics of resident data: radix passes from the top bits down. Each pass counts the next
 * digit of the keys that share a wanted rank's bits so far; ranks that still share them share a
 * target. Four passes at most settle float32, seven float64, whatever the values are. */
#include "host/core/checked.h"
#include "host/ops/impl.h"
#include "host/ops/radix.h"

#include <string.h>

enum { DIGIT_BITS = 11 };
#define UNWANTED UINT64_MAX

/* One wanted rank on its way down. */
struct seeker {
    uint64_t prefix; /* bits of its key found so far                */
    uint64_t rank;   /* among the keys that start with prefix       */
    uint32_t target; /* which of its lane's targets it is           */
};

struct selection {
    const struct qn_select_request *request;
    struct seeker *seekers; /* [lane * n_ranks + j] */
    uint64_t *prefix;       /* [lane * n_targets + t], room for n_ranks targets */
    uint64_t *counts;
    uint32_t n_targets; /* of this pass: the most that any lane has */
    uint32_t key_bits;
};

static int wanted(const struct selection *s, uint64_t i)
{
    return s->request->ranks[i] != UNWANTED;
}

/* Gives equal prefixes of a lane one target, and finds n_targets. */
static void share_targets(struct selection *s)
{
    uint32_t n_ranks = s->request->n_ranks;
    s->n_targets = 1;
    for (uint32_t lane = 0; lane < s->request->batch.n_lanes; lane++) {
        struct seeker *mine = &s->seekers[(uint64_t)lane * n_ranks];
        uint32_t n = 0;
        for (uint32_t j = 0; j < n_ranks; j++) {
            uint32_t same = 0;
            if (!wanted(s, (uint64_t)lane * n_ranks + j)) continue;
            while (same < j && !(wanted(s, (uint64_t)lane * n_ranks + same) &&
                                 mine[same].prefix == mine[j].prefix))
                same++;
            mine[j].target = same < j ? mine[same].target : n++;
        }
        if (n > s->n_targets) s->n_targets = n;
    }
}

static void write_prefixes(const struct selection *s)
{
    uint64_t n = (uint64_t)s->request->batch.n_lanes * s->n_targets;
    for (uint64_t i = 0; i < n; i++) s->prefix[i] = UNWANTED;
    for (uint64_t i = 0; i < (uint64_t)s->request->batch.n_lanes * s->request->n_ranks; i++)
        if (wanted(s, i))
            s->prefix[i / s->request->n_ranks * s->n_targets + s->seekers[i].target] =
                s->seekers[i].prefix;
}

/* Steps every rank into the bin that holds it. */
static quern_status descend(struct selection *s, uint32_t bits)
{
    uint64_t n = (uint64_t)s->request->batch.n_lanes * s->request->n_ranks;
    for (uint64_t i = 0; i < n; i++) {
        struct seeker *seeker = &s->seekers[i];
        uint64_t lane = i / s->request->n_ranks, bin = 0, end = (uint64_t)1 << bits;
        const uint64_t *counts = s->counts + ((lane * s->n_targets + seeker->target) << bits);
        if (!wanted(s, i)) continue;
        for (; bin < end && seeker->rank >= counts[bin]; bin++) seeker->rank -= counts[bin];
        if (bin == end)
            return qn_error(QUERN_INVALID, "rank %llu of lane %llu is beyond its values",
                            (unsigned long long)s->request->ranks[i], (unsigned long long)lane);
        seeker->prefix = seeker->prefix << bits | bin;
    }
    return QUERN_OK;
}

/* As many bits as leave all targets of a lane room in local memory, but never so few that passes
 * multiply. */
static uint32_t digit_bits(const struct selection *s, uint32_t left)
{
    uint32_t bits = DIGIT_BITS;
    while (bits > 8 && (uint64_t)s->n_targets << bits > QN_RADIX_LOCAL_BINS) bits--;
    return bits < left ? bits : left;
}

static double value_of(uint64_t key, uint32_t key_bits)
{
    if (key_bits == 32) {
        uint32_t bits = key >> 31 ? (uint32_t)key ^ 0x80000000u : ~(uint32_t)key;
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    uint64_t bits = key >> 63 ? key ^ 0x8000000000000000u : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static quern_status run_passes(struct selection *s, struct qn_device *device, uint32_t queue,
                               struct qn_view table)
{
    const struct qn_batch *batch = &s->request->batch;
    for (uint32_t left = s->key_bits; left != 0;) {
        share_targets(s);
        write_prefixes(s);
        uint32_t bits = digit_bits(s, left);
        size_t bins = (size_t)batch->n_lanes * s->n_targets << bits;
        qn_free(s->counts);
        s->counts = qn_zalloc(bins, sizeof *s->counts);
        if (s->counts == NULL) return qn_error_memory("digit counts", bins * sizeof *s->counts);
        struct qn_radix_pass pass = {.batch = batch,
                                     .table = table,
                                     .n_targets = s->n_targets,
                                     .shift = left - bits,
                                     .bits = bits,
                                     .prefix = s->prefix,
                                     .counts = s->counts};
        QN_TRY(qn_radix_run(device, queue, &pass));
        QN_TRY(descend(s, bits));
        left -= bits;
    }
    return QUERN_OK;
}

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_select_request *rq = request;
    return qn_radix_refuse(device, &rq->batch);
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_select_request *rq = request;
    (void)device;
    return qn_refuse_host(&rq->batch);
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    (void)device;
    (void)queue;
    return qn_cpu_select(threads, request);
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    const struct qn_select_request *rq = request;
    struct qn_table_request program = {.batch = &rq->batch};
    struct selection s = {.request = rq, .key_bits = qn_radix_key_bits(&rq->batch)};
    size_t n;
    struct qn_view table;
    quern_status status = QUERN_OK;
    struct qn_job job;
    (void)threads;
    if (qn_mul_size(rq->batch.n_lanes, rq->n_ranks, &n))
        return qn_error(QUERN_INVALID, "%u ranks of %u lanes", rq->n_ranks, rq->batch.n_lanes);
    if (n == 0) return QUERN_OK;
    qn_job_begin(&job, device, queue);
    s.seekers = qn_zalloc(n, sizeof *s.seekers);
    s.prefix = qn_alloc(n, sizeof *s.prefix);
    if (s.seekers == NULL || s.prefix == NULL) {
        status = qn_error_memory("ranks", n * sizeof *s.seekers);
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++) s.seekers[i].rank = rq->ranks[i];
    QN_GO(qn_job_table(&job, &program, &table));
    QN_GO(run_passes(&s, device, queue, table));
    for (size_t i = 0; i < n; i++)
        if (wanted(&s, i)) rq->values[i] = value_of(s.seekers[i].prefix, s.key_bits);
cleanup:
    qn_free(s.counts);
    qn_free(s.prefix);
    qn_free(s.seekers);
    qn_job_end(&job);
    return status;
}

quern_status qn_op_select(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                          const struct qn_select_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("select", list, 2, device, threads, queue, request, outcome);
}
