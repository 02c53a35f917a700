/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/pair_sums.h"

#include <string.h>

#include "host/core/checked.h"

enum { PANEL = QN_PAIR_PANEL_LINES, CELLS = PANEL * PANEL };

struct pass {
    const struct qn_covariance_request *rq;
    struct qn_pair_sums sums;
    const double *present;
    double *shifts, *totals;
};

int qn_covariance_present(const struct qn_covariance_request *rq, const struct qn_reduced *nodes,
                          double *means, double *present)
{
    int some = 0;
    for (uint64_t c = 0; c < rq->in.lines; c++) {
        present[c] = (double)(rq->in.n - nodes[c].missing);
        some |= nodes[c].missing != 0;
        qn_covariance_mean(&nodes[c], present[c], &means[c], &means[rq->in.lines + c]);
    }
    return some;
}

void qn_covariance_whole(const struct qn_covariance_request *rq)
{
    uint64_t d = rq->in.lines;
    for (uint64_t r = 0; r < d; r++)
        for (uint64_t c = 0; c < d; c++) {
            rq->counts[r * d + c] = (double)rq->in.n;
            if (rq->squares != NULL) rq->squares[r * d + c] = rq->out[r * d + r];
        }
}

/* Pair k of the pass's panels, after its first. */
static void panels_of(const struct qn_pair_sums *s, uint32_t k, uint64_t *first, uint64_t *second)
{
    *first = s->first;
    *second = (uint64_t)s->second + k;
    while (*second >= s->panels) {
        (*first)++;
        *second = *second - s->panels + *first;
    }
}

/* A line that lacks nothing that the other has keeps its own mean. */
static double moved(double shift, double sum, double n, double present)
{
    return n == present || n == 0.0 ? 0.0 : shift + sum / n;
}

static void move_shifts(struct pass *p)
{
    uint64_t d = p->rq->in.lines, first, second;
    for (uint32_t k = 0; k < p->sums.pairs; k++) {
        double *shifts = p->shifts + (size_t)k * 2 * CELLS;
        const double *totals = p->totals + (size_t)k * 3 * CELLS;
        panels_of(&p->sums, k, &first, &second);
        for (uint64_t i = 0; i < PANEL && first * PANEL + i < d; i++)
            for (uint64_t j = 0; j < PANEL && second * PANEL + j < d; j++) {
                size_t cell = (size_t)(i * PANEL + j);
                double n = totals[2 * CELLS + cell];
                shifts[cell] = moved(shifts[cell], totals[cell], n, p->present[first * PANEL + i]);
                shifts[CELLS + cell] = moved(shifts[CELLS + cell], totals[CELLS + cell], n,
                                             p->present[second * PANEL + j]);
            }
    }
}

/* Plane `plane` goes to the upper triangle of `to`, plane `other` to the lower. */
static void unpack(const struct pass *p, int plane, int other, double *to)
{
    uint64_t d = p->rq->in.lines, first, second;
    for (uint32_t k = 0; k < p->sums.pairs; k++) {
        const double *totals = p->totals + (size_t)k * 3 * CELLS;
        panels_of(&p->sums, k, &first, &second);
        for (uint64_t i = 0; i < PANEL && first * PANEL + i < d; i++)
            for (uint64_t j = first == second ? i : 0; j < PANEL && second * PANEL + j < d; j++) {
                uint64_t r = first * PANEL + i, c = second * PANEL + j, cell = i * PANEL + j;
                to[c * d + r] = totals[(uint64_t)other * CELLS + cell];
                to[r * d + c] = totals[(uint64_t)plane * CELLS + cell];
            }
    }
}

static quern_status run_pass(struct pass *p, qn_pair_sums_fn *run, void *user)
{
    memset(p->shifts, 0, (size_t)p->sums.pairs * 2 * CELLS * sizeof *p->shifts);
    p->sums.products = 0;
    for (int round = 0; round < 2; round++) {
        QN_TRY(run(user, &p->sums));
        move_shifts(p);
    }
    unpack(p, 2, 2, p->rq->counts);
    p->sums.products = 1;
    QN_TRY(run(user, &p->sums));
    unpack(p, 0, 0, p->rq->out);
    if (p->rq->squares != NULL) unpack(p, 1, 2, p->rq->squares);
    return QUERN_OK;
}

quern_status qn_covariance_pairs(const struct qn_covariance_request *rq, const double *means,
                                 const double *present, uint32_t most, qn_pair_sums_fn *run,
                                 void *user)
{
    uint64_t panels = (rq->in.lines + PANEL - 1) / PANEL, n = panels * (panels + 1) / 2, a, b;
    if (most > n) most = (uint32_t)n;
    struct pass p = {.rq = rq, .present = present};
    quern_status status = QUERN_OK;
    p.shifts = qn_alloc((size_t)most * 2 * CELLS, sizeof *p.shifts);
    p.totals = qn_alloc((size_t)most * 3 * CELLS, sizeof *p.totals);
    if (p.shifts == NULL || p.totals == NULL)
        QN_GO(qn_error_memory("sums of pairs", (uint64_t)most * 5 * CELLS * sizeof(double)));
    p.sums = (struct qn_pair_sums){.in = rq->in,
                                   .means = means,
                                   .shifts = p.shifts,
                                   .totals = p.totals,
                                   .panels = (uint32_t)panels};
    for (uint64_t pair = 0; pair < n; pair += most) {
        p.sums.pairs = n - pair < most ? (uint32_t)(n - pair) : most;
        QN_GO(run_pass(&p, run, user));
        if (n - pair <= most) break;
        panels_of(&p.sums, p.sums.pairs, &a, &b);
        p.sums.first = (uint32_t)a;
        p.sums.second = (uint32_t)b;
    }
cleanup:
    qn_free(p.shifts);
    qn_free(p.totals);
    return status;
}
