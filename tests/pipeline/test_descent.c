/* SPDX-License-Identifier: Apache-2.0
 * The search for a lambda (host/estimators/descent.h) on columns of all kinds: none is likelier, by likelihoods in long
 * doubles, and few curves are asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "host/estimators/descent.h"
#include "tests/unit/reference_powers.h"

enum { MOST = 3000 };

/* A column and how it is looked at, between these lambdas. */
struct column {
    double x[MOST];
    int n, box_cox;
    double low, high;
};

/* With the value's sign. */
static double log_of(const struct column *c, double x)
{
    return c->box_cox ? qn_log(x) : copysign(qn_log1p(fabs(x)), x);
}

static void ends_of(const struct column *c, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < c->n; i++) {
        if (isnan(c->x[i])) continue;
        *low = fmin(*low, log_of(c, c->x[i]));
        *high = fmax(*high, log_of(c, c->x[i]));
    }
}

static int both_signs(const struct column *c)
{
    double low, high;
    ends_of(c, &low, &high);
    return !c->box_cox && low < 0;
}

/* The negative log-likelihood over n, less what no lambda changes. Where one sign occurs, powers are of what
 * is left of the logarithms beside the largest power's. */
static long double unlikely(const struct column *c, long double lambda)
{
    double low, high;
    int both = both_signs(c), n = 0;
    long double mean = 0, logs = 0, sum = 0;
    ends_of(c, &low, &high);
    long double shift = both ? 0 : lambda > 0 ? high : low;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < c->n; i++) {
            if (isnan(c->x[i])) continue;
            long double l = log_of(c, c->x[i]) - shift, p = both && l < 0 ? lambda - 2 : lambda;
            long double y = p != 0 ? expm1l(p * l) / p : l;
            if (pass == 1) {
                sum += (y - mean / n) * (y - mean / n);
                continue;
            }
            mean += y;
            logs += l;
            n++;
        }
    return 0.5L * logl(sum / n) - lambda * logs / n;
}

struct outcome {
    enum qn_descent_news news;
    double lambda;
    int rounds;
};

/* Goes on where `d` is. */
static struct outcome go_on(struct qn_descent *d, const struct column *c, int rough)
{
    struct outcome o = {QN_DESCENT_GO_ON, 0, 0};
    while (o.news == QN_DESCENT_GO_ON) {
        struct qn_powers_at at = qn_descent_ask(d, c->box_cox);
        struct qn_powers_node node = ref_powers(c->x, (uint64_t)c->n, &at);
        assert_true(at.up != 0 && at.down != 0 && isfinite(at.up_inverse * at.down_inverse));
        o.news = qn_descent_take(d, &node, rough);
        assert_true(++o.rounds < 100);
    }
    o.lambda = qn_descent_lambda(d);
    return o;
}

static void open_for(struct qn_descent *d, const struct column *c)
{
    double low, high;
    ends_of(c, &low, &high);
    qn_descent_open(d, c->low, c->high, low, high, both_signs(c));
}

static struct outcome search(const struct column *c)
{
    struct qn_descent d;
    open_for(&d, c);
    return go_on(&d, c, 0);
}

/* No lambda of many is likelier; the vertex of a parabola through near ones is this one, or a bound is. */
static void check(const struct column *c, struct outcome o, const char *what, uint64_t number)
{
    enum { GRID = 60 };
    double low, high;
    ends_of(c, &low, &high);
    double unit = 1 / (high - low); /* lambdas that differ by so much differ at all */
    long double best = unlikely(c, o.lambda), step = 2e-4L * unit;
    if (o.news != QN_DESCENT_FOUND || !(o.lambda >= c->low && o.lambda <= c->high))
        fail_msg("%s %llu: found %.17g (%d)", what, (unsigned long long)number, o.lambda, o.news);
    for (int i = 0; i <= GRID; i++) {
        long double at = c->low + (c->high - c->low) * i / GRID;
        if (unlikely(c, at) < best - 1e-12L)
            fail_msg("%s %llu: %.17Lg is likelier than %.17g, by %Lg", what,
                     (unsigned long long)number, at, o.lambda, best - unlikely(c, at));
    }
    long double left = unlikely(c, o.lambda - step) - best;
    long double right = unlikely(c, o.lambda + step) - best;
    long double off = 0.5L * step * (left - right) / (left + right);
    if (o.lambda > c->low && o.lambda < c->high && !(fabsl(off) <= 1e-7L * fmaxl(1, unit)))
        fail_msg("%s %llu: %.17g is off by %Lg", what, (unsigned long long)number, o.lambda, off);
}

/* ---- columns by name ---- */

static double normal(int i, uint64_t *seed)
{
    (void)i;
    return ref_normal(seed);
}
static double lognormal(int i, uint64_t *seed)
{
    return exp(normal(i, seed));
}
static double tiny(int i, uint64_t *seed)
{
    return 1e-10 * normal(i, seed);
}
static double tiny_positive(int i, uint64_t *seed)
{
    return 1e-200 * lognormal(i, seed);
}
static double huge_positive(int i, uint64_t *seed)
{
    return 1e290 * lognormal(i, seed);
}
static double wide(int i, uint64_t *seed)
{
    return exp(150 * normal(i, seed));
}
static double bits(int i, uint64_t *seed)
{
    (void)seed;
    return i % 3 == 0;
}
static double one_of_many(int i, uint64_t *seed)
{
    (void)seed;
    return i == 1700;
}
static double far_outlier(int i, uint64_t *seed)
{
    return i == 0 ? 1e12 : 1000 + normal(i, seed);
}
static double zero_outlier(int i, uint64_t *seed)
{
    return i == 2999 ? 1e-6 : 1000 + normal(i, seed);
}
static double far_negative_outlier(int i, uint64_t *seed)
{
    return i == 9 ? -1e9 : normal(i, seed);
}
static double years(int i, uint64_t *seed)
{
    return 1990 + (double)(ref_random(seed) % 20) + 0 * i;
}
static double near_the_top(int i, uint64_t *seed)
{
    (void)i;
    return 1 - 0.1 * pow(ref_uniform(seed), 6);
}
static double small_both(int i, uint64_t *seed)
{
    return 0.02 * normal(i, seed);
}
static double some_missing(int i, uint64_t *seed)
{
    return i % 5 == 0 || i < 1200 ? (double)NAN : lognormal(i, seed);
}

static const struct {
    const char *name;
    double (*value)(int i, uint64_t *seed);
    int n, box_cox;
    double low, high;
    int most; /* curves that are asked */
} columns[] = {
    {"normal", normal, MOST, 0, -30, 30, 4},
    {"log-normal", lognormal, MOST, 0, -30, 30, 5},
    {"log-normal, Box-Cox", lognormal, MOST, 1, -30, 30, 5},
    {"tiny", tiny, MOST, 0, -1e11, 1e11, 5},
    {"tiny, Box-Cox", tiny_positive, MOST, 1, -1, 1, 6},
    {"huge, Box-Cox", huge_positive, MOST, 1, -1, 1, 6},
    {"wide", wide, MOST, 1, -0.5, 0.5, 20},
    {"two values", bits, MOST, 0, -400, 400, 12},
    {"one of many", one_of_many, MOST, 0, -900, 400, 20},
    {"an outlier at the head", far_outlier, MOST, 0, -11, 12, 20},
    {"an outlier at the head, wide bounds", far_outlier, MOST, 1, -1e6, 1e6, 40},
    {"nearly zero among large ones", zero_outlier, MOST, 1, -1e3, 1e3, 40},
    {"a negative outlier", far_negative_outlier, MOST, 0, -14, 16, 20},
    {"years", years, MOST, 0, -80, 80, 5},
    {"near the top", near_the_top, MOST, 1, -1e6, 1e6, 20},
    {"small, both signs", small_both, MOST, 0, -1e4, 1e4, 6},
    {"missing", some_missing, MOST, 0, -30, 30, 6},
    {"two rows", normal, 2, 0, -30, 30, 12},
    {"three rows", normal, 3, 0, -30, 30, 12},
    {"two positive rows", lognormal, 2, 1, -30, 30, 12},
    {"a bound below", lognormal, MOST, 1, 0.5, 3, 4},
    {"a bound above", lognormal, MOST, 1, -3, -0.5, 4},
    {"bounds that leave out 1 and both gaps", small_both, MOST, 0, -1, 0.25, 4},
};

static void every_kind_of_column_has_its_likeliest_lambda(void **state)
{
    static struct column c;
    (void)state;
    for (uint32_t k = 0; k < sizeof columns / sizeof *columns; k++) {
        uint64_t seed = 17;
        c.n = columns[k].n;
        c.box_cox = columns[k].box_cox;
        c.low = columns[k].low;
        c.high = columns[k].high;
        for (int i = 0; i < c.n; i++) c.x[i] = columns[k].value(i, &seed);
        struct outcome o = search(&c);
        check(&c, o, columns[k].name, k);
        if (o.rounds > columns[k].most) fail_msg("%s: %d curves", columns[k].name, o.rounds);
    }
}

static void make_random(struct column *c, uint64_t *seed)
{
    double scale = pow(10, 12 * ref_uniform(seed) - 6), power = pow(4, 2 * ref_uniform(seed) - 1);
    double moved = ref_random(seed) % 2 ? 0 : 2 * ref_normal(seed), missing = ref_uniform(seed);
    c->box_cox = ref_random(seed) % 3 == 0;
    c->n = 2 + (int)(ref_random(seed) % (ref_random(seed) % 4 ? 400 : 6));
    for (int i = 0; i < c->n; i++) {
        double v = ref_normal(seed), size = pow(fabs(v), power);
        v = scale * (copysign(size, v) + moved);
        if (ref_random(seed) % 97 == 0) v *= 1000;
        if (c->box_cox) v = fabs(v) + scale * 1e-9;
        c->x[i] = i > 2 && ref_uniform(seed) < 0.3 * missing ? (double)NAN : v;
    }
}

/* Bounds as an estimator sets them: nothing overflows, nothing vanishes. */
static void bound(struct column *c)
{
    double low, high;
    ends_of(c, &low, &high);
    if (c->box_cox) {
        c->high = high > 0 ? 300 / high : 1e6;
        c->low = low < 0 ? -300 / -low : -1e6;
        return;
    }
    double most = 300 / (3 + fmax(fabs(low), fabs(high)));
    if (fmax(fabs(low), fabs(high)) < 1) most = 100 / fmax(fabs(low), fabs(high));
    c->high = most + 2;
    c->low = -most;
}

static void random_columns_have_their_likeliest_lambda(void **state)
{
    static struct column c;
    uint64_t seed = 4, rounds = 0;
    (void)state;
    enum { TRIALS = 400 };
    for (uint32_t k = 0; k < TRIALS; k++) {
        double low, high;
        make_random(&c, &seed);
        ends_of(&c, &low, &high);
        if (!(high > low)) continue;
        if (!c.box_cox && high < 0) /* turned over, as the estimator does it */
            for (int i = 0; i < c.n; i++) c.x[i] = -c.x[i];
        bound(&c);
        struct outcome o = search(&c);
        check(&c, o, "column", k);
        rounds += (uint64_t)o.rounds;
    }
    assert_true(rounds < 8 * TRIALS);
}

/* ---- what else may come ---- */

static void columns_that_tell_nothing_are_lost_and_keep_their_lambda(void **state)
{
    static const struct column constants[] = {
        {.x = {3}, .n = 1, .low = -5, .high = 5},
        {.x = {3, 3, 3}, .n = 3, .low = -5, .high = 5},
        {.x = {NAN, 3, NAN}, .n = 3, .low = -5, .high = 5},
        {.x = {1e300, 1.0000000000000002e300}, .n = 2, .box_cox = 1, .low = -5, .high = 5}};
    (void)state;
    for (size_t k = 0; k < sizeof constants / sizeof *constants; k++) {
        struct outcome o = search(&constants[k]);
        assert_int_equal(o.news, QN_DESCENT_LOST);
        assert_int_equal(o.rounds, 1);
        assert_true(o.lambda == 1);
    }
}

static void a_sample_that_misleads_costs_curves_alone(void **state)
{
    static struct column sample, all;
    uint64_t seed = 8;
    struct qn_descent d;
    (void)state;
    for (int i = 0; i < MOST; i++) all.x[i] = i < 1000 ? 1e-6 * i : 50 + ref_normal(&seed);
    all.n = MOST;
    all.low = -80;
    all.high = 80;
    sample = all;
    sample.n = 1000;
    open_for(&d, &all);
    struct outcome rough = go_on(&d, &sample, 1);
    assert_true(rough.news == QN_DESCENT_FOUND && rough.lambda != 1);
    qn_descent_on(&d);
    struct outcome o = go_on(&d, &all, 0);
    check(&all, o, "misled", 0);
    assert_true(o.rounds < 20);
}

static void a_sample_is_mostly_a_guide_to_one_more_curve(void **state)
{
    static struct column sample, all;
    uint64_t seed = 9;
    struct qn_descent d;
    (void)state;
    for (int i = 0; i < MOST; i++) all.x[i] = exp(0.5 * ref_normal(&seed)) - 1;
    all.n = MOST;
    all.low = -30;
    all.high = 30;
    sample = all;
    sample.n = 1500;
    open_for(&d, &all);
    assert_int_equal(go_on(&d, &sample, 1).news, QN_DESCENT_FOUND);
    qn_descent_on(&d);
    struct outcome o = go_on(&d, &all, 0);
    check(&all, o, "guided", 0);
    assert_true(o.rounds <= 2);
    qn_descent_again(&d);
    assert_true(qn_descent_lambda(&d) == 1);
}

/* What arithmetic that overflowed would give ends the search, and does not mislead it. */
static void curves_that_are_no_numbers_are_lost(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (size_t b = 0; b < 3; b++)
        for (int k = -1; k < QN_POWERS_TERMS; k++) {
            struct qn_powers_node node = {.n = 5, .part = {1, 0.5, 0.25}};
            struct qn_descent d;
            qn_descent_open(&d, -4, 4, -1, 2, 1);
            *(k < 0 ? &node.log_ : &node.part[k]) = bad[b];
            assert_int_equal(qn_descent_take(&d, &node, 0), QN_DESCENT_LOST);
            assert_true(qn_descent_lambda(&d) == 1);
        }
}

/* Slopes that never change their sign, and no minimum: it ends at the bound, soon. */
static void a_likelihood_that_only_falls_ends_at_the_bound(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct qn_powers_node node = {.n = 5, .log_ = sign, .part = {1, 1e-3}};
        struct qn_descent d;
        enum qn_descent_news news = QN_DESCENT_GO_ON;
        int rounds = 0;
        qn_descent_open(&d, -1e6, 1e6, -1, 2, 0);
        while (news == QN_DESCENT_GO_ON && ++rounds < 100) news = qn_descent_take(&d, &node, 0);
        assert_int_equal(news, QN_DESCENT_FOUND);
        assert_true(qn_descent_lambda(&d) == sign * 1e6);
        assert_true(rounds < 30);
    }
}

/* No exponent is so near to 0 that its inverse's powers drown the curve. */
static void no_exponent_is_near_zero(void **state)
{
    (void)state;
    for (int i = 0; i < 70; i++)
        for (int k = 0; k < 500; k++) {
            double range = 1e-6 * pow(1.3, i), r = -0.5 + k * (2 * range + 1) / 500;
            struct qn_descent d;
            qn_descent_open(&d, -1e7, 1e7, -0.5 * range, 0.5 * range, 1);
            d.at = r;
            struct qn_powers_at at = qn_descent_ask(&d, 0);
            assert_true(fabs(at.up) >= 0.031 && fabs(at.down) >= 0.031);
            assert_true(fabs(at.up - at.down - 2 * range) <= 1e-12);
            assert_true(fabs(at.up - r) <= 0.0626);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_column_has_its_likeliest_lambda),
        cmocka_unit_test(random_columns_have_their_likeliest_lambda),
        cmocka_unit_test(columns_that_tell_nothing_are_lost_and_keep_their_lambda),
        cmocka_unit_test(a_sample_that_misleads_costs_curves_alone),
        cmocka_unit_test(a_sample_is_mostly_a_guide_to_one_more_curve),
        cmocka_unit_test(curves_that_are_no_numbers_are_lost),
        cmocka_unit_test(a_likelihood_that_only_falls_ends_at_the_bound),
        cmocka_unit_test(no_exponent_is_near_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
