/* SPDX-License-Identifier: Apache-2.0
 * Univariate selection: SelectKBest, SelectPercentile, SelectFpr, SelectFdr, SelectFwe and
 * GenericUnivariateSelect. Each column is scored against the target alone (scoring.c); what stays keeps
 * its values. Definition: scikit-learn, feature_selection/_univariate_selection.py. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/estimators/estimator.h"
#include "host/estimators/scoring.h"
#include "host/stats/quantiles.h"

#define SCORE_FUNC                                                                                 \
    {                                                                                              \
        "score_func", QN_PARAM_SCORE, "\"f_classif\"", QN_SCORE_CHOICES, 0, 0,                     \
            "how a column is scored against the target, or an object of that name and its options" \
    }

static const struct qn_param K_BEST[] = {
    SCORE_FUNC,
    {"k", QN_PARAM_AMOUNT, "10", NULL, 0, DBL_MAX, "how many columns stay, or \"all\""},
};
static const struct qn_param PERCENTILE[] = {
    SCORE_FUNC,
    {"percentile", QN_PARAM_FLOAT, "10", NULL, 0, 100, "how many percent of the columns stay"},
};
static const struct qn_param FPR[] = {
    SCORE_FUNC,
    {"alpha", QN_PARAM_FLOAT, "0.05", NULL, 0, 1, "columns with smaller p-values stay"},
};
static const struct qn_param FDR[] = {
    SCORE_FUNC,
    {"alpha", QN_PARAM_FLOAT, "0.05", NULL, 0, 1,
     "the share of columns that stay by chance (Benjamini and Hochberg)"},
};
static const struct qn_param FWE[] = {
    SCORE_FUNC,
    {"alpha", QN_PARAM_FLOAT, "0.05", NULL, 0, 1,
     "the chance that any column stays by chance (Bonferroni)"},
};
static const struct qn_param GENERIC[] = {
    SCORE_FUNC,
    {"mode", QN_PARAM_CHOICE, "\"percentile\"", "percentile|k_best|fpr|fdr|fwe", 0, 0,
     "which of the five selections"},
    {"param", QN_PARAM_AMOUNT, "1e-05", NULL, 0, DBL_MAX, "its parameter"},
};

/* ---- which selection ---- */

enum mode { MODE_K_BEST, MODE_PERCENTILE, MODE_FPR, MODE_FDR, MODE_FWE };
struct choice {
    enum mode mode;
    double amount; /* INFINITY: "all" */
};

static struct choice choice_of(const struct qn_estimator *e)
{
    static const struct {
        const char *type, *mode, *param;
        enum mode is;
    } all[] = {
        {"SelectKBest", "k_best", "k", MODE_K_BEST},
        {"SelectPercentile", "percentile", "percentile", MODE_PERCENTILE},
        {"SelectFpr", "fpr", "alpha", MODE_FPR},
        {"SelectFdr", "fdr", "alpha", MODE_FDR},
        {"SelectFwe", "fwe", "alpha", MODE_FWE},
    };
    const json_t *mode = qn_param(e, "mode"), *amount = NULL;
    struct choice c = {MODE_PERCENTILE, 0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(mode != NULL ? json_string_value(mode) : e->type->name,
                   mode != NULL ? all[i].mode : all[i].type) != 0)
            continue;
        c.mode = all[i].is;
        amount = qn_param(e, mode != NULL ? "param" : all[i].param);
    }
    c.amount = json_is_string(amount) ? (double)INFINITY : json_number_value(amount);
    return c;
}

static quern_status univariate_check(const struct qn_estimator *e)
{
    struct choice c = choice_of(e);
    const char *name = e->type->name;
    if (c.mode == MODE_K_BEST && !isinf(c.amount) && c.amount != floor(c.amount))
        return qn_error(QUERN_INVALID, "%s keeps a whole number of columns, not %g", name,
                        c.amount);
    if (c.mode == MODE_PERCENTILE && c.amount > 100)
        return qn_error(QUERN_INVALID, "%s keeps at most 100 percent of the columns, not %g", name,
                        c.amount);
    if (c.mode != MODE_K_BEST && c.mode != MODE_PERCENTILE && c.amount > 1)
        return qn_error(QUERN_INVALID, "%s compares p-values with a number up to 1, not %g", name,
                        c.amount);
    return qn_scoring_check(e, c.mode != MODE_K_BEST && c.mode != MODE_PERCENTILE);
}

/* ---- selecting ---- */

struct ranked {
    double score;
    uint32_t column;
};

/* By score, equal ones by their place. */
static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (x != x || y != y) return (x != x) - (y != y); /* NaN last */
    return (x > y) - (x < y);
}

/* The last k of the sorted scores; of equal ones those further right. */
static void keep_best(const struct ranked *sorted, uint32_t n, double k, uint8_t *keep)
{
    for (uint32_t i = 0; i < n; i++) keep[sorted[i].column] = (double)(n - i) <= k;
}

/* What is above NumPy's percentile, then of what equals it from the left as many as there is room for.
 * No room at all: scikit-learn's slice then counts from the end. */
static void keep_percentile(const struct ranked *sorted, const double *scores, uint32_t n,
                            double percentile, uint8_t *keep)
{
    struct qn_quantile q = qn_quantile_ranks(n, 100 - percentile);
    double threshold = qn_quantile_value(q, sorted[q.low].score, sorted[q.high].score, 0);
    int64_t room = (int64_t)((double)n * percentile / 100), ties = 0;
    for (uint32_t i = 0; i < n; i++) {
        keep[i] = scores[i] > threshold;
        room -= keep[i];
        ties += scores[i] == threshold;
    }
    if (room < 0) room += ties;
    for (uint32_t i = 0; i < n; i++)
        if (scores[i] == threshold && room-- > 0) keep[i] = 1;
}

/* Benjamini and Hochberg: the largest p-value that is at most its rank's share of alpha, and all below. */
static void keep_discoveries(const double *p, double *sorted, uint32_t n, double alpha,
                             uint8_t *keep)
{
    double most = (double)NAN;
    memcpy(sorted, p, n * sizeof *p);
    qsort(sorted, n, sizeof *sorted, by_value);
    for (uint32_t i = 0; i < n; i++)
        if (sorted[i] <= alpha / n * (i + 1.0)) most = sorted[i];
    for (uint32_t i = 0; i < n; i++) keep[i] = p[i] <= most;
}

static quern_status select_scores(struct qn_stage *stage, struct choice c, uint8_t *keep)
{
    const double *scores = qn_attrs_find(stage->attrs, "scores_")->f64;
    uint32_t n = stage->n_in;
    struct ranked *sorted = qn_arena_alloc(stage->arena, n, sizeof *sorted);
    double *clean = qn_arena_alloc(stage->arena, n, sizeof *clean);
    if (sorted == NULL || clean == NULL) return qn_stage_memory(stage);
    for (uint32_t i = 0; i < n; i++) {
        clean[i] = scores[i] == scores[i] ? scores[i] : -DBL_MAX;
        sorted[i] = (struct ranked){clean[i], i};
        keep[i] = c.amount >= 100;
    }
    qsort(sorted, n, sizeof *sorted, by_score);
    if (c.mode == MODE_K_BEST)
        keep_best(sorted, n, c.amount, keep);
    else if (c.amount > 0 && c.amount < 100)
        keep_percentile(sorted, clean, n, c.amount, keep);
    return QUERN_OK;
}

static quern_status select_pvalues(struct qn_stage *stage, struct choice c, uint8_t *keep)
{
    const struct qn_attr *p = qn_attrs_find(stage->attrs, "pvalues_");
    uint32_t n = stage->n_in;
    if (p == NULL)
        return qn_error(QUERN_INVALID, "%s selects by p-values, and the scores have none",
                        stage->estimator->type->name);
    double *sorted = qn_arena_alloc(stage->arena, n, sizeof *sorted);
    if (sorted == NULL) return qn_stage_memory(stage);
    double limit = c.mode == MODE_FWE ? c.amount / n : c.amount;
    for (uint32_t i = 0; i < n; i++) keep[i] = p->f64[i] < limit;
    if (c.mode == MODE_FDR) keep_discoveries(p->f64, sorted, n, c.amount, keep);
    return QUERN_OK;
}

static quern_status univariate_emit(struct qn_stage *stage)
{
    struct choice c = choice_of(stage->estimator);
    uint8_t *keep = qn_arena_alloc(stage->arena, stage->n_in, 1);
    quern_type dtype;
    uint32_t n = 0;
    if (keep == NULL) return qn_stage_memory(stage);
    QN_TRY(qn_stage_dtype(stage, 0, &dtype));
    QN_TRY(c.mode == MODE_K_BEST || c.mode == MODE_PERCENTILE ? select_scores(stage, c, keep)
                                                              : select_pvalues(stage, c, keep));
    QN_TRY(qn_stage_outputs(stage, stage->n_in));
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (keep[i]) QN_TRY(qn_port_convert(stage, &stage->in[i], dtype, &stage->out[n++]));
    stage->n_out = n;
    return QUERN_OK;
}

static const char *univariate_depends_on(const struct qn_estimator *e)
{
    enum mode mode = choice_of(e).mode;
    return mode == MODE_K_BEST || mode == MODE_PERCENTILE ? "scores_" : "scores_ pvalues_";
}

#define UNIVARIATE(SYMBOL, NAME, PARAMS, DOC)                                                      \
    const struct qn_estimator_type SYMBOL = {                                                      \
        .name = NAME,                                                                              \
        .doc = DOC,                                                                                \
        .params = PARAMS,                                                                          \
        .n_params = sizeof(PARAMS) / sizeof *(PARAMS),                                             \
        .attributes = "scores_ pvalues_",                                                          \
        .input = "number",                                                                         \
        .depends_on = univariate_depends_on,                                                       \
        .check = univariate_check,                                                                 \
        .need = qn_scoring_need,                                                                   \
        .learn = qn_scoring_learn,                                                                 \
        .emit = univariate_emit,                                                                   \
    }

UNIVARIATE(qn_select_k_best, "SelectKBest", K_BEST,
           "Keep the columns with the highest scores against the target.");
UNIVARIATE(qn_select_percentile, "SelectPercentile", PERCENTILE,
           "Keep a share of the columns, those with the highest scores against the target.");
UNIVARIATE(qn_select_fpr, "SelectFpr", FPR, "Keep the columns whose p-value is below a limit.");
UNIVARIATE(qn_select_fdr, "SelectFdr", FDR,
           "Keep columns so that few of them are there by chance (false discovery rate).");
UNIVARIATE(qn_select_fwe, "SelectFwe", FWE,
           "Keep columns so that hardly any is there by chance (family-wise error).");
UNIVARIATE(qn_generic_univariate_select, "GenericUnivariateSelect", GENERIC,
           "Univariate selection of the kind that `mode` names.");
