/* SPDX-License-Identifier: Apache-2.0
 * What the three parts of qn_cpu_select share: the plan of each lane (select_plan.c), the pass over
 * the data (select_pass.c), and the answers (select.c).
 *
 * Order statistics without sorting. A sample of the rows gives, for each wanted rank, a bracket that
 * holds it almost surely; one pass over the data counts what lies below each bracket and collects
 * what lies inside, a few per cent; the answer is selected from that. Counts prove the answer right
 * or show that the bracket missed: then a radix histogram finds it, whatever the data. */
#ifndef QN_CPU_SELECT_H
#define QN_CPU_SELECT_H

#include <stdatomic.h>

#include "backends/cpu/chain.h"
#include "backends/cpu/strips.h"

enum {
    MAX_BRACKETS = 8,    /* of a lane; with more, everything is collected                       */
    SIFT_SLACK = 16,     /* elements that a sift may write past its last                        */
    PANEL_COLUMNS = 16,  /* columns sifted together                                             */
    PANEL_VALUES = 4096, /* values of a panel: it stays in the first-level cache                */
    SAMPLE_COLUMNS = 8   /* columns sampled together                                            */
};

/* Values low <= x <= high are collected; with `ties`, low < x < high, and those equal to an end are
 * only counted: a value that fills a large part of a column is never collected. */
struct bracket {
    double low, high;
};
struct tally {
    uint64_t lt_low, le_low, lt_high, le_high;
};

/* What is wanted of a lane, and where it is looked for. */
struct lane_plan {
    int wide;       /* float64 values; else float32                                             */
    int ties, done; /* done: nothing (more) to look for                                         */
    int missed;     /* a bracket missed, or more was inside than expected                       */
    uint32_t n_ranks, n_brackets;
    uint64_t *ranks; /* ascending                                                              */
    uint32_t *slots; /* where each answer goes                                                 */
    struct bracket brackets[MAX_BRACKETS];
    uint32_t
        first_rank[MAX_BRACKETS + 1]; /* ranks of bracket j: first_rank[j] … first_rank[j+1]-1 */
    uint64_t expected;                /* values inside, about                              */
};

/* A lane's collected values in one thread. */
struct bin {
    void *values;
    size_t n, room;
    int full; /* more than the lane's budget */
    struct tally tallies[MAX_BRACKETS];
};

struct select_desk {
    _Alignas(64) double panel[PANEL_VALUES];
    union qn_tile tile;
    void *keys, *spare; /* grown as needed */
    size_t keys_bytes;
};

struct select_loops {
    size_t (*sift)(const void *values, size_t n, const struct bracket *, uint32_t many, int ties,
                   void *out, struct tally *);
    size_t (*extract)(const void *values, size_t n, const struct bracket *, int ties, void *keys);
};

struct select_job {
    const struct qn_select_request *request;
    struct qn_strip *strips;
    uint32_t n_strips, threads;
    struct lane_plan *plans;   /* per lane */
    uint64_t *rank_memory;     /* of all plans */
    uint32_t *slot_memory;     /* of all plans */
    unsigned char *active;     /* per lane: part of this round */
    struct bin *bins;          /* [thread][lane] */
    struct select_desk *desks; /* per thread */
    struct select_loops f32, f64;
    _Atomic int out_of_memory;
};

static inline uint32_t qn_select_size(const struct lane_plan *plan)
{
    return plan->wide ? 8u : 4u;
}

/* Two arrays of `bytes` in the desk; 0 on failure, which is noted in the job. */
int qn_select_scratch(struct select_job *, struct select_desk *, size_t bytes);

/* Ranks in order, and a bracket around each, from a sample. */
quern_status qn_select_plan(struct select_job *, struct qn_threads *);
/* One pass over the lanes that are active: tallies and values into the bins. */
quern_status qn_select_pass(struct select_job *, struct qn_threads *);
void qn_select_choose_loops(struct select_job *);

#endif
