/* SPDX-License-Identifier: Apache-2.0
 * The incomplete beta and gamma functions of half-integers. Each is a density, times a continued fraction
 * in the tail or a series of positive terms before it. The density is written with ratios to the mean,
 * as C. Loader has it (Fast and accurate computation of binomial probabilities, 2000), so that large
 * parameters lose nothing: x^a y^b / B(a, b) =
 * sqrt(a b / (2 pi n)) (n x / a)^a (n y / b)^b e^(S(n) - S(a) - S(b)) with n = a + b, S the rest of
 * Stirling's formula; the exponents are summed in two words. The fractions: DiDonato and Morris,
 * Significant digit computation of the incomplete beta function ratios (1992), and Legendre's. */
#include "host/stats/tails.h"

#include <float.h>
#include <math.h>

#include "kernels/functions_pow.h"

enum { MOST_TERMS = 100000 };
static const double TWO_PI = 6.283185307179586;

typedef struct qn_two_words words;

/* ---- numbers in two words ---- */

static words product_of(double a, double b)
{
    words r = {a * b, 0.0};
    r.low = fma(a, b, -r.high);
    return r;
}

static words sum_of(words a, words b)
{
    double s = a.high + b.high, z = s - a.high;
    double rest = ((a.high - (s - z)) + (b.high - z)) + (a.low + b.low);
    words r = {s + rest, 0.0};
    r.low = rest - (r.high - s);
    return r;
}

static words quotient_of(words a, words b)
{
    double q = a.high / b.high;
    double rest = fma(-q, b.high, a.high) + (a.low - q * b.low);
    words r = {q + rest / b.high, 0.0};
    r.low = rest / b.high - (r.high - q);
    return r;
}

static words log_of(words a, double more)
{
    words r, low = {a.low / a.high, 0.0};
    qn_log_precise(a.high, more, &r);
    return sum_of(r, low);
}

/* log(a / b) of positive numbers that may be far apart: then the logarithms themselves are large, and
 * their difference is as good. more: b is 2^more times what it says. */
static words log_ratio(words a, words b, double more)
{
    double near = a.high / b.high;
    if (more == 0.0 && near > 0.25 && near < 4.0) return log_of(quotient_of(a, b), 0.0);
    words x = log_of(a, 0.0), y = log_of(b, more);
    y.high = -y.high;
    y.low = -y.low;
    return sum_of(x, y);
}

static words times(words a, double b)
{
    words r = product_of(a.high, b);
    r.low += a.low * b;
    return r;
}

static double exp_of(words a)
{
    double limited = qn_exp_limited(a.high);
    return qn_exp_of_parts(qn_exp_parts_of(limited, limited == a.high ? a.low : 0.0));
}

/* ---- the rest of Stirling's formula: log(gamma(z)) less (z - 1/2) log z - z + log(2 pi) / 2 ---- */

static double stirling_rest(double z)
{
    static const double of_half[] = {
        0.15342640972002736,   0.08106146679532726,  0.05481412105191765,  0.0413406959554093,
        0.03316287351993629,   0.02767792568499834,  0.023746163656297496, 0.020790672103765093,
        0.018488450532673187,  0.016644691189821193, 0.015134973221917378, 0.013876128823070748,
        0.012810465242920227,  0.01189670994589177,  0.011104559758206917, 0.010411265261972096,
        0.009799416126158804,  0.009255462182712733, 0.008768700134139386, 0.00833056343336287,
        0.00793411456431402,   0.007573675487951841, 0.007244554301320383, 0.00694284010720953,
        0.006665247032707682,  0.006408994188004207, 0.006171712263039458, 0.0059513701127588475,
        0.0057462165130101155, 0.005554733551962801, 0.005375599032926835, 0.0052076559196096404,
    };
    if (z <= 16.0) return of_half[(int)(2.0 * z) - 1];
    double r = 1.0 / z, q = r * r;
    return r * (1.0 / 12 -
                q * (1.0 / 360 - q * (1.0 / 1260 -
                                      q * (1.0 / 1680 - q * (1.0 / 1188 - q * (691.0 / 360360))))));
}

/* ---- continued fractions ---- */

/* b(0) + a(1) / (b(1) + a(2) / (b(2) + …)), by Lentz' method until it stands still, then once more from
 * the last term to the first, where roundings shrink instead of adding up. */
typedef void term_fn(const void *user, double m, double *a, double *b);

static double fraction(term_fn *term, const void *user)
{
    double a, b, c, d = 0.0, value;
    int last = 1;
    term(user, 0.0, &a, &b);
    c = value = b != 0.0 ? b : DBL_MIN;
    for (; last < MOST_TERMS; last++) {
        term(user, (double)last, &a, &b);
        d = b + a * d;
        d = 1.0 / (d != 0.0 ? d : DBL_MIN);
        c = b + a / c;
        c = c != 0.0 ? c : DBL_MIN;
        value *= c * d;
        if (a == 0.0 || fabs(c * d - 1.0) < DBL_EPSILON / 4) break;
    }
    term(user, (double)last, &a, &b);
    for (value = b; last > 0; last--) {
        double before, unused;
        term(user, (double)last, &a, &unused);
        term(user, (double)last - 1.0, &unused, &before);
        value = before + a / value;
    }
    return value;
}

/* ---- Fisher's distribution ---- */

/* x = d2 / (d2 + d1 f) and y = 1 - x, with a = d2 / 2 and b = d1 / 2; `above`: a y - b x. */
struct beta {
    double a, b, x, y, above;
};

static struct beta swapped(struct beta t)
{
    return (struct beta){t.b, t.a, t.y, t.x, -t.above};
}

/* Each row's a and b; the numbers of DiDonato and Morris, equation 9. */
static void beta_term(const void *user, double m, double *a, double *b)
{
    const struct beta *t = user;
    double odd = t->a + 2.0 * m - 1.0;
    *a = m * (t->a + m - 1.0) / odd * ((t->a + t->b + m - 1.0) / odd) * (t->b - m) * t->x * t->x;
    *b = m + m * (t->b - m) * t->x / odd +
         (t->a + m) * (t->above + 1.0 + m * (1.0 + t->y)) / (t->a + 2.0 * m + 1.0);
    if (m == 0.0) *b = t->a * (t->above + 1.0) / (t->a + 1.0);
}

/* sum (a + b) … (a + b + n - 1) / ((b + 1) … (b + n)) y^n */
static double beta_series(const struct beta *t)
{
    double term = 1.0, sum = 1.0, lost = 0.0;
    for (int n = 0; n < MOST_TERMS && term > sum * (DBL_EPSILON / 8); n++) {
        term *= (t->a + t->b + n) / (t->b + 1.0 + n) * t->y;
        double next = sum + term;
        lost += term - (next - sum);
        sum = next;
    }
    return sum + lost;
}

double qn_f_tail(double d1, double d2, double f)
{
    if (f != f || !(d1 >= 1.0) || !(d2 >= 1.0)) return (double)NAN;
    if (f <= 0.0) return 1.0;
    if (f > DBL_MAX) return 0.0;
    /* d2 + d1 f, divided by 2^more where it could overflow */
    double more = f > 1e250 ? 300.0 : 0.0, shrink = more != 0.0 ? qn_two_to(-300.0) : 1.0;
    words one = product_of(d1, f * shrink), two = {d2 * shrink, 0.0}, n = {d1 + d2, 0.0};
    words all = sum_of(one, two);
    words f_words = {f, 0.0};
    struct beta t = {.a = d2 / 2.0, .b = d1 / 2.0};
    t.x = two.high / all.high;
    t.y = one.high / all.high;
    t.above = d2 * shrink / all.high * t.b * (f - 1.0);
    words at_a = log_ratio(n, all, more), at_b = sum_of(at_a, log_of(f_words, 0.0));
    if (more == 0.0 && t.y < 0.9) at_b = log_ratio(times(n, f), all, 0.0);
    words rest = {stirling_rest(t.a + t.b) - stirling_rest(t.a) - stirling_rest(t.b), 0.0};
    words power = sum_of(sum_of(times(at_a, t.a), times(at_b, t.b)), rest);
    double density = exp_of(power) * sqrt(t.a / (t.a + t.b) * t.b / TWO_PI);
    if (f >= 1.0 + (t.y > 0.7 ? 0.0 : 1.0 / d1)) return density / fraction(beta_term, &t);
    struct beta other = swapped(t);
    double below =
        t.y > 0.7 ? density / fraction(beta_term, &other) : density / t.b * beta_series(&t);
    return 1.0 - below;
}

/* ---- the chi-squared distribution ---- */

struct gamma {
    double s, z;
};

static void gamma_term(const void *user, double m, double *a, double *b)
{
    const struct gamma *t = user;
    *a = m * (t->s - m);
    *b = (t->z - t->s) + (2.0 * m + 1.0);
}

static double gamma_series(const struct gamma *t)
{
    double term = 1.0, sum = 1.0, lost = 0.0;
    for (int n = 1; n < MOST_TERMS && term > sum * (DBL_EPSILON / 8); n++) {
        term *= t->z / (t->s + n);
        double next = sum + term;
        lost += term - (next - sum);
        sum = next;
    }
    return sum + lost;
}

double qn_chi2_tail(double df, double x)
{
    if (x != x || !(df >= 1.0)) return (double)NAN;
    if (x <= 0.0) return 1.0;
    if (x > DBL_MAX) return 0.0;
    struct gamma t = {df / 2.0, x / 2.0};
    words s = {t.s, 0.0}, z = {t.z, 0.0}, minus = {-t.z, 0.0}, rest = {-stirling_rest(t.s), 0.0};
    if (t.z < DBL_MIN) return 1.0;
    words power = sum_of(sum_of(times(log_ratio(z, s, 0.0), t.s), sum_of(s, minus)), rest);
    double density = exp_of(power) * sqrt(t.s / TWO_PI);
    if (t.z >= t.s + 0.75) return density / fraction(gamma_term, &t);
    return 1.0 - density / t.s * gamma_series(&t);
}
