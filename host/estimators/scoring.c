/* SPDX-License-Identifier: Apache-2.0
 * Definitions: scikit-learn, feature_selection/_univariate_selection.py; the arithmetic is in
 * host/stats/scores.h. */
#include "host/estimators/scoring.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/stats/scores.h"

/* ---- what the spec says ---- */

static int gives_pvalues(const struct qn_scoring *s)
{
    return s->function <= QN_F_REGRESSION;
}

static int is_information(const struct qn_scoring *s)
{
    return s->function == QN_MUTUAL_INFO_CLASSIF || s->function == QN_MUTUAL_INFO_REGRESSION;
}

/* NULL, or what the option must be. */
static const char *set_truth(const json_t *value, int *out)
{
    *out = json_is_true(value);
    return json_is_boolean(value) ? NULL : "true or false";
}

static const char *set_regression(struct qn_scoring *s, const char *key, const json_t *value)
{
    return set_truth(value, strcmp(key, "center") == 0 ? &s->center : &s->force_finite);
}

static int is_discrete_list(const json_t *value)
{
    if (json_is_boolean(value)) return 1;
    if (json_is_string(value)) return strcmp(json_string_value(value), "auto") == 0;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_integer(json_array_get(value, i)) ||
            json_integer_value(json_array_get(value, i)) < 0)
            return 0;
    return json_is_array(value);
}

static const char *set_information(struct qn_scoring *s, const char *key, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    if (strcmp(key, "prepare") == 0) return set_truth(value, &s->prepare);
    if (strcmp(key, "discrete_features") == 0) {
        s->discrete = value;
        return is_discrete_list(value) ? NULL : "\"auto\", true, false or a list of positions";
    }
    if (strcmp(key, "n_neighbors") == 0) {
        s->n_neighbors = (uint32_t)number;
        return json_is_integer(value) && number >= 1 && number <= INT32_MAX ? NULL
                                                                            : "an integer >= 1";
    }
    s->random_state = (uint64_t)number;
    return json_is_integer(value) && number >= 0 ? NULL : "an integer >= 0";
}

static quern_status read_option(const struct qn_estimator *e, struct qn_scoring *s, const char *key,
                                const json_t *value)
{
    static const char *const regression[] = {"center", "force_finite"};
    static const char *const information[] = {"discrete_features", "n_neighbors", "random_state",
                                              "prepare"};
    int numbers = s->function == QN_F_REGRESSION || s->function == QN_R_REGRESSION;
    const char *const *known = numbers ? regression : information;
    size_t n = numbers ? 2 : is_information(s) ? 4 : 0, i = 0;
    char hint[96];
    while (i < n && strcmp(known[i], key) != 0) i++;
    if (i == n)
        return qn_error(QUERN_INVALID, "%s.score_func: %s has no option \"%s\"%s", e->type->name,
                        s->name, key, qn_did_you_mean(hint, sizeof hint, key, known, n));
    const char *wanted = numbers ? set_regression(s, key, value) : set_information(s, key, value);
    return wanted == NULL ? QUERN_OK
                          : qn_error(QUERN_INVALID, "%s.score_func: %s of %s must be %s",
                                     e->type->name, key, s->name, wanted);
}

quern_status qn_scoring_of(const struct qn_estimator *e, struct qn_scoring *out)
{
    static const char *const names[] = {"f_classif",
                                        "chi2",
                                        "f_regression",
                                        "r_regression",
                                        "mutual_info_classif",
                                        "mutual_info_regression",
                                        "other"};
    const json_t *given = qn_param(e, "score_func");
    json_t *options = NULL, *value;
    const char *key;
    struct qn_scoring s = {.center = 1, .force_finite = 1, .n_neighbors = 3, .prepare = 1};
    s.name = json_is_string(given)
                 ? json_string_value(given)
                 : json_object_iter_key(json_object_iter((json_t *)(uintptr_t)given));
    if (!json_is_string(given)) options = json_object_get(given, s.name);
    while (strcmp(names[s.function], s.name) != 0) s.function++; /* the table's check knows them */
    json_object_foreach(options, key, value)
    {
        QN_TRY(read_option(e, &s, key, value));
    }
    *out = s;
    return QUERN_OK;
}

quern_status qn_scoring_check(const struct qn_estimator *e, int wants_pvalues)
{
    struct qn_scoring s;
    QN_TRY(qn_scoring_of(e, &s));
    if (wants_pvalues && s.function != QN_OTHER_SCORE && !gives_pvalues(&s))
        return qn_error(QUERN_INVALID, "%s selects by p-values, and %s has none", e->type->name,
                        s.name);
    return QUERN_OK;
}

/* ---- fitting ---- */

quern_status qn_scoring_need(struct qn_stage *stage)
{
    const struct qn_estimator *e = stage->estimator;
    struct qn_scoring s;
    quern_type dtype;
    QN_TRY(qn_scoring_of(e, &s));
    QN_TRY(qn_stage_dtype(stage, 0, &dtype));
    if (s.function == QN_OTHER_SCORE)
        return qn_error(QUERN_UNSUPPORTED,
                        "%s: scores of another function come with a model; a "
                        "fit cannot make them",
                        e->type->name);
    if (!stage->supervised)
        return qn_error(QUERN_INVALID,
                        "%s scores columns against a target: name its column, \"target\": …",
                        e->type->name);
    if (stage->weighted)
        return qn_error(QUERN_UNSUPPORTED, "%s knows no weights of rows, as in scikit-learn",
                        e->type->name);
    if (is_information(&s)) return qn_information_need(stage, &s);
    uint32_t flags = s.function == QN_F_CLASSIF ? QN_NEED_CLASSES
                     : s.function == QN_CHI2    ? QN_NEED_CLASSES | QN_NEED_EXTREMES
                                                : QN_NEED_PAIRS;
    for (uint32_t i = 0; i < stage->n_in; i++) stage->need[i].flags = flags;
    return QUERN_OK;
}

quern_status qn_scoring_refuse(const struct qn_stage *stage, uint32_t i, const char *what)
{
    return qn_error(QUERN_INVALID, "%s: column \"%s\" has %s", stage->estimator->type->name,
                    stage->in[i].name, what);
}

/* A column's values are there and finite; for chi2 none is negative. */
static quern_status check_column(const struct qn_stage *stage, uint32_t i)
{
    const struct qn_found *f = &stage->found[i];
    double rows = f->pair.value.n, odd = f->pair.value.hi * 0.0;
    for (uint32_t k = 0; k < f->n_classes; k++) {
        rows += f->classes[k].n;
        odd += f->classes[k].hi * 0.0;
    }
    if (rows != (double)f->rows) return qn_scoring_refuse(stage, i, "missing values");
    if (odd != odd) return qn_scoring_refuse(stage, i, "infinite values");
    if (f->has_extremes && f->extremes.min < 0)
        return qn_scoring_refuse(stage, i, "negative values");
    return QUERN_OK;
}

/* Constant columns have no score; scikit-learn warns of them, and so does this. */
static void warn_of_constants(const struct qn_stage *stage, const double *scores)
{
    uint32_t n = 0, first = 0;
    for (uint32_t i = stage->n_in; i-- > 0;) {
        if (scores[i] == scores[i]) continue;
        first = i;
        n++;
    }
    if (n == 0) return;
    char *text = qn_arena_printf(stage->arena,
                                 "%s: %u column(s) without a score, \"%s\" first: they "
                                 "do not vary",
                                 stage->estimator->type->name, n, stage->in[first].name);
    if (text != NULL) stage->warn(stage->plan, text);
}

/* Where a regression has no finite score: no fit is the worst one, a perfect one the best there is. */
static struct qn_score forced(struct qn_score s)
{
    if (s.score != s.score) return (struct qn_score){0.0, 1.0};
    if (isinf(s.score)) s.score = DBL_MAX;
    return s;
}

static struct qn_score score_of(const struct qn_scoring *s, const struct qn_found *f)
{
    if (s->function == QN_F_CLASSIF) return qn_score_f_classif(f->classes, f->n_classes);
    if (s->function == QN_CHI2) return qn_score_chi2(f->classes, f->n_classes);
    struct qn_score score = s->function == QN_R_REGRESSION
                                ? qn_score_r_regression(&f->pair, s->center)
                                : qn_score_f_regression(&f->pair, s->center);
    return s->force_finite ? forced(score) : score;
}

quern_status qn_scoring_learn(struct qn_stage *stage)
{
    struct qn_scoring s;
    QN_TRY(qn_scoring_of(stage->estimator, &s));
    double *scores = qn_attrs_f64(stage->attrs, "scores_", stage->n_in);
    double *pvalues =
        gives_pvalues(&s) ? qn_attrs_f64(stage->attrs, "pvalues_", stage->n_in) : NULL;
    if (scores == NULL || (pvalues == NULL && gives_pvalues(&s))) return qn_stage_memory(stage);
    if (is_information(&s)) return qn_information_learn(stage, &s, scores);
    for (uint32_t i = 0; i < stage->n_in; i++) {
        QN_TRY(check_column(stage, i));
        struct qn_score score = score_of(&s, &stage->found[i]);
        scores[i] = score.score;
        if (pvalues != NULL) pvalues[i] = score.p;
    }
    warn_of_constants(stage, scores);
    return QUERN_OK;
}
