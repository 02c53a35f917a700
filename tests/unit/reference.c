/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/reference_bins.h"
#include "tests/unit/reference_functions.h"
#include "tests/unit/reference_spline.h"

/* ---- load ---- */

static int64_t saturate(double v)
{
    if (isnan(v)) return 0;
    if (v >= 9223372036854775808.0) return INT64_MAX;
    if (v < -9223372036854775808.0) return INT64_MIN;
    return (int64_t)v;
}

static struct ref_value from_i64(int64_t v, uint32_t work)
{
    struct ref_value x = {work, (float)v, (double)v, v, (uint32_t)(uint64_t)v};
    return x;
}

static struct ref_value from_u64(uint64_t v, uint32_t work)
{
    struct ref_value x = {work, (float)v, (double)v, (int64_t)v, (uint32_t)v};
    return x;
}

static struct ref_value from_f64(double v, uint32_t work)
{
    int64_t cut = saturate(v);
    struct ref_value x = {work, (float)v, v, cut, (uint32_t)(uint64_t)cut};
    return x;
}

#define CASE(NAME, T, FROM)                                                                        \
    case NAME: {                                                                                   \
        T v;                                                                                       \
        memcpy(&v, p, sizeof v);                                                                   \
        x = FROM(v, lane->work);                                                                   \
        break;                                                                                     \
    }

struct ref_value ref_load(const struct qn_lane *lane, uint64_t row, uint32_t *seen)
{
    const char *p = (const char *)lane->data + (int64_t)row * lane->stride;
    struct ref_value x = {lane->work, 0, 0, 0, 0};
    switch (lane->type) {
        CASE(QN_T_I8, int8_t, from_i64)
        CASE(QN_T_I16, int16_t, from_i64)
        CASE(QN_T_I32, int32_t, from_i64)
        CASE(QN_T_I64, int64_t, from_i64)
        CASE(QN_T_U8, uint8_t, from_i64)
        CASE(QN_T_U16, uint16_t, from_i64)
        CASE(QN_T_U32, uint32_t, from_i64)
        CASE(QN_T_U64, uint64_t, from_u64)
        CASE(QN_T_F32, float, from_f64)
        CASE(QN_T_F64, double, from_f64)
    default: x = from_i64(*p != 0, lane->work); break;
    }
    if (lane->validity != NULL) {
        uint64_t bit = (uint64_t)lane->validity_offset + row;
        if (((lane->validity[bit / 8] >> (bit % 8)) & 1) == 0) {
            if (lane->work == QN_W_F32 || lane->work == QN_W_F64) x = from_f64(NAN, lane->work);
        }
    }
    if (seen != NULL && (lane->work == QN_W_F32 || lane->work == QN_W_F64)) {
        double v = lane->work == QN_W_F32 ? (double)x.f32 : x.f64;
        if (isnan(v)) *seen |= QN_SEEN_NAN;
        if (isinf(v)) *seen |= QN_SEEN_INF;
    }
    return x;
}

double ref_double(struct ref_value x)
{
    switch (x.work) {
    case QN_W_F32: return (double)x.f32;
    case QN_W_F64: return x.f64;
    case QN_W_I64: return (double)x.i64;
    default: return (double)x.code;
    }
}

/* ---- ops ---- */

static double as_double(uint64_t word)
{
    double v;
    memcpy(&v, &word, sizeof v);
    return v;
}

static float op_f32(uint32_t code, float x, float a, float b)
{
    volatile float r = x; /* volatile: rounded to float32, whatever the machine computes in */
    switch (code) {
    case QN_OP_FILL:
        if (isnan(x)) r = a;
        break;
    case QN_OP_FILL_EQ:
        if (x == a) r = b;
        break;
    case QN_OP_SUB: r = x - a; break;
    case QN_OP_ADD: r = x + a; break;
    case QN_OP_MUL: r = x * a; break;
    case QN_OP_DIV: r = x / a; break;
    case QN_OP_CLIP:
        if (x < a) r = a;
        if (r > b) r = b;
        break;
    case QN_OP_GREATER: r = x > a ? 1.0f : 0.0f; break;
    case QN_OP_MISSING: r = isnan(x) ? 1.0f : 0.0f; break;
    case QN_OP_EQUAL: r = x == a ? 1.0f : 0.0f; break;
    default: r = reference_function_f32(code, x, a); break;
    }
    return r;
}

static double op_f64(uint32_t code, double x, double a, double b)
{
    volatile double r = x;
    switch (code) {
    case QN_OP_FILL:
        if (isnan(x)) r = a;
        break;
    case QN_OP_FILL_EQ:
        if (x == a) r = b;
        break;
    case QN_OP_SUB: r = x - a; break;
    case QN_OP_ADD: r = x + a; break;
    case QN_OP_MUL: r = x * a; break;
    case QN_OP_DIV: r = x / a; break;
    case QN_OP_CLIP:
        if (x < a) r = a;
        if (r > b) r = b;
        break;
    case QN_OP_GREATER: r = x > a ? 1.0 : 0.0; break;
    case QN_OP_MISSING: r = isnan(x) ? 1.0 : 0.0; break;
    case QN_OP_EQUAL: r = x == a ? 1.0 : 0.0; break;
    default: r = reference_function(code, x, a); break;
    }
    return r;
}

static int64_t op_i64(uint32_t code, int64_t x, int64_t a, int64_t b)
{
    switch (code) {
    case QN_OP_FILL_EQ: return x == a ? b : x;
    case QN_OP_SUB: return (int64_t)((uint64_t)x - (uint64_t)a);
    case QN_OP_ADD: return (int64_t)((uint64_t)x + (uint64_t)a);
    case QN_OP_MUL: return (int64_t)((uint64_t)x * (uint64_t)a);
    case QN_OP_DIV: return a == 0 ? 0 : a == -1 ? (int64_t)(0 - (uint64_t)x) : x / a;
    case QN_OP_CLIP: x = x < a ? a : x; return x > b ? b : x;
    case QN_OP_GREATER: return x > a;
    case QN_OP_MISSING: return 0;
    case QN_OP_EQUAL: return x == a;
    default: return x;
    }
}

static uint32_t op_code(uint32_t code, uint32_t x, uint32_t a, uint32_t b)
{
    switch (code) {
    case QN_OP_FILL_EQ: return x == a ? b : x;
    case QN_OP_SUB: return x - a;
    case QN_OP_ADD: return x + a;
    case QN_OP_MUL: return x * a;
    case QN_OP_DIV: return a == 0 ? 0 : x / a;
    case QN_OP_CLIP: x = x < a ? a : x; return x > b ? b : x;
    case QN_OP_GREATER: return x > a;
    case QN_OP_MISSING: return 0;
    case QN_OP_EQUAL: return x == a;
    default: return x;
    }
}

static struct ref_value op_convert(struct ref_value x, uint32_t to)
{
    switch (x.work) {
    case QN_W_F32: return from_f64((double)x.f32, to);
    case QN_W_F64: return from_f64(x.f64, to);
    case QN_W_I64: return from_i64(x.i64, to);
    default: return from_i64((int64_t)x.code, to);
    }
}

static struct ref_value op_find(const uint64_t *table, uint64_t k, struct ref_value x,
                                uint32_t *seen)
{
    struct ref_value r = {QN_W_CODE, 0, 0, 0, (uint32_t)k + 1};
    if (x.work != QN_W_I64 && isnan(ref_double(x))) {
        r.code = (uint32_t)k;
        return r;
    }
    for (uint64_t i = 0; i < k; i++) {
        int same =
            x.work == QN_W_I64 ? (int64_t)table[i] == x.i64 : as_double(table[i]) == ref_double(x);
        if (!same) continue;
        r.code = (uint32_t)i;
        return r;
    }
    if (seen != NULL) *seen |= QN_SEEN_UNKNOWN;
    return r;
}

static struct ref_value op_bin(const uint64_t *edges, uint64_t k, struct ref_value x)
{
    struct ref_value r = {QN_W_CODE, 0, 0, 0, reference_bin(edges, k, ref_double(x))};
    return r;
}

struct ref_value ref_op(const struct qn_batch *batch, const struct qn_op *op, struct ref_value x,
                        uint32_t *seen)
{
    const uint64_t *p = batch->words + op->arg;
    switch (op->code) {
    case QN_OP_NORM: return x;
    case QN_OP_LOOK:
        if (seen != NULL && isinf(ref_double(x))) *seen |= QN_SEEN_MADE_INF;
        return x;
    case QN_OP_TO_F32: return op_convert(x, QN_W_F32);
    case QN_OP_TO_F64: return op_convert(x, QN_W_F64);
    case QN_OP_TO_I64: return op_convert(x, QN_W_I64);
    case QN_OP_FIND: return op_find(batch->words + p[0], p[1], x, seen);
    case QN_OP_REMAP:
        x.code = (uint32_t)batch->words[p[0] + (x.code < p[1] ? x.code : p[1] - 1)];
        return x;
    case QN_OP_VALUE:
        return from_f64(as_double(batch->words[p[0] + (x.code < p[1] ? x.code : p[1] - 1)]),
                        QN_W_F64);
    case QN_OP_BIN: return op_bin(batch->words + p[0], p[1], x);
    case QN_OP_INTERP:
    case QN_OP_INTERP_MEAN:
        if (x.work == QN_W_F32)
            x.f32 = (float)reference_interp(batch->words + p[0], p[1], (double)x.f32,
                                            op->code == QN_OP_INTERP_MEAN);
        else
            x.f64 =
                reference_interp(batch->words + p[0], p[1], x.f64, op->code == QN_OP_INTERP_MEAN);
        return x;
    case QN_OP_SPLINE:
        if (x.work == QN_W_F32)
            x.f32 = (float)reference_spline(batch->words + p[0], p[2], (double)x.f32, seen);
        else
            x.f64 = reference_spline(batch->words + p[0], p[2], x.f64, seen);
        return x;
    default: break;
    }
    int bare = op->code == QN_OP_MISSING ||
               (QN_OP_IS_FUNCTION(op->code) && !QN_OP_HAS_EXPONENT(op->code)); /* no parameter */
    uint64_t a = bare ? 0 : p[0];
    uint64_t b = op->code == QN_OP_CLIP || op->code == QN_OP_FILL_EQ ? p[1] : 0;
    switch (x.work) {
    case QN_W_F32: x.f32 = op_f32(op->code, x.f32, (float)as_double(a), (float)as_double(b)); break;
    case QN_W_F64: x.f64 = op_f64(op->code, x.f64, as_double(a), as_double(b)); break;
    case QN_W_I64: x.i64 = op_i64(op->code, x.i64, (int64_t)a, (int64_t)b); break;
    default: x.code = op_code(op->code, x.code, (uint32_t)a, (uint32_t)b); break;
    }
    return x;
}

/* One operation on two float32 values, rounded from double: the same as in float32. */
static struct ref_value ref_join(uint32_t code, struct ref_value a, struct ref_value x)
{
    if (x.work == QN_W_F32) {
        volatile float r = (float)reference_join(code, (double)a.f32, (double)x.f32);
        x.f32 = r;
    } else if (x.work == QN_W_I64) {
        x.i64 = reference_join_i64(code, a.i64, x.i64);
    } else {
        volatile double r = reference_join(code, a.f64, x.f64);
        x.f64 = r;
    }
    return x;
}

struct ref_value ref_eval(const struct qn_batch *batch, const struct qn_lane *lane, uint64_t row,
                          uint32_t *seen)
{
    struct ref_value x = ref_load(lane, row, seen), aside[QN_ASIDE];
    uint32_t depth = 0;
    for (uint32_t i = 0; i < lane->n_ops; i++) {
        const struct qn_op *op = &batch->ops[lane->first_op + i];
        if (op->code == QN_OP_TAKE) {
            aside[depth++] = x;
            x = ref_eval(batch, &batch->operands[op->arg], row, seen);
        } else if (op->code == QN_OP_JOIN_WHERE) {
            depth -= 2;
            if (x.work == QN_W_I64 ? aside[depth].i64 != 0 : ref_double(aside[depth]) != 0)
                x = aside[depth + 1];
        } else if (QN_OP_IS_JOIN(op->code))
            x = ref_join(op->code, aside[--depth], x);
        else
            x = ref_op(batch, op, x, seen);
    }
    return x;
}

/* ---- canonical moments ---- */

/* The sums of a block about a pivot, lanes in halves. w: NULL for a weight of 1 each. */
struct sums {
    double n, s1, s2;
};

static struct sums sum_about(const double *x, const double *w, uint32_t n, double p)
{
    double count[QN_BLOCK_LANES] = {0}, s1[QN_BLOCK_LANES] = {0}, s2[QN_BLOCK_LANES] = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t lane = i % QN_BLOCK_LANES;
        if (x[i] != x[i] || (w != NULL && w[i] == 0)) continue;
        volatile double t = x[i] - p, g = w != NULL ? w[i] * t : t;
        count[lane] += w != NULL ? w[i] : 1.0;
        s1[lane] += g;
        s2[lane] = fma(g, t, s2[lane]);
    }
    for (uint32_t h = QN_BLOCK_LANES / 2; h > 0; h /= 2) {
        for (uint32_t lane = 0; lane < h; lane++) {
            count[lane] += count[lane + h];
            s1[lane] += s1[lane + h];
            s2[lane] += s2[lane + h];
        }
    }
    return (struct sums){count[0], s1[0], s2[0]};
}

static double squares_about_mean(struct sums s)
{
    double q = fma(-(s.s1 / s.n), s.s1, s.s2);
    return q > 0 ? q : 0;
}

/* The node of a block whose first pivot is p. */
static struct qn_node node_of(const double *x, const double *w, uint32_t n, double p)
{
    struct sums s = sum_about(x, w, n, p);
    struct qn_node r = {0, 0, 0, 0};
    if (s.n == 0) return r;
    volatile double m = s.s1 / s.n, lost = m * s.s1, mean = p + m;
    if (lost > 64 * squares_about_mean(s) && isfinite(mean)) {
        p = mean;
        s = sum_about(x, w, n, p);
        m = s.s1 / s.n;
    }
    r.n = s.n;
    r.hi = p + m;
    volatile double z = r.hi - p;
    r.lo = (p - (r.hi - z)) + (m - z);
    r.m2 = squares_about_mean(s);
    return r;
}

struct qn_node ref_block(const double *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (x[i] == x[i]) return node_of(x, NULL, n, x[i]);
    return node_of(x, NULL, n, 0);
}

struct qn_node ref_merge(struct qn_node a, struct qn_node b)
{
    if (b.n == 0) return a;
    if (a.n == 0) return b;
    struct qn_node r;
    r.n = a.n + b.n;
    double delta = (b.hi - a.hi) + (b.lo - a.lo), share = b.n / r.n, s = fma(delta, share, a.lo);
    r.hi = a.hi + s;
    double z = r.hi - a.hi;
    r.lo = (a.hi - (r.hi - z)) + (s - z);
    r.m2 = fma(delta * delta, a.n * share, a.m2 + b.m2);
    return r;
}

struct qn_node ref_weighted_block(const double *x, const double *w, uint32_t n)
{
    double p = 0, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (x[i] != x[i] || !(w[i] > most)) continue;
        most = w[i];
        p = x[i];
    }
    return node_of(x, w, n, p);
}

/* The subtree of `blocks` (a power of two) blocks from row 0 of x on; absent blocks have no node. */
static struct qn_node subtree(const double *x, const double *w, uint64_t n, uint64_t blocks)
{
    if (blocks == 1) {
        uint32_t rows = n < QN_BLOCK_ROWS ? (uint32_t)n : QN_BLOCK_ROWS;
        return w != NULL ? ref_weighted_block(x, w, rows) : ref_block(x, rows);
    }
    uint64_t half = blocks / 2 * QN_BLOCK_ROWS;
    if (n <= half) return subtree(x, w, n, blocks / 2);
    return ref_merge(subtree(x, w, half, blocks / 2),
                     subtree(x + half, w != NULL ? w + half : NULL, n - half, blocks / 2));
}

struct qn_node ref_moments(const double *x, uint64_t n)
{
    return ref_weighted_moments(x, NULL, n);
}

struct qn_node ref_weighted_moments(const double *x, const double *w, uint64_t n)
{
    uint64_t blocks = 1;
    while (blocks * QN_BLOCK_ROWS < n) blocks *= 2;
    return subtree(x, w, n, blocks);
}

/* The pivot with which a block's last sums are made. */
static double last_pivot(const double *x, uint32_t n)
{
    double p = 0;
    for (uint32_t i = n; i-- > 0;)
        if (x[i] == x[i]) p = x[i];
    struct sums s = sum_about(x, NULL, n, p);
    if (s.n == 0) return p;
    volatile double m = s.s1 / s.n, lost = m * s.s1, mean = p + m;
    return lost > 64 * squares_about_mean(s) && isfinite(mean) ? mean : p;
}

/* y: NaN where x is. */
static struct qn_pair pair_block(const double *x, const double *y, uint32_t n)
{
    struct qn_pair r = {ref_block(x, n), ref_block(y, n), 0};
    double p = last_pivot(x, n), q = last_pivot(y, n), lanes[QN_BLOCK_LANES] = {0};
    for (uint32_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        volatile double t = x[i] - p, u = y[i] - q;
        lanes[i % QN_BLOCK_LANES] = fma(t, u, lanes[i % QN_BLOCK_LANES]);
    }
    for (uint32_t h = QN_BLOCK_LANES / 2; h > 0; h /= 2)
        for (uint32_t lane = 0; lane < h; lane++) lanes[lane] += lanes[lane + h];
    struct sums sx = sum_about(x, NULL, n, p), sy = sum_about(y, NULL, n, q);
    if (sx.n != 0) r.product = fma(-(sx.s1 / sx.n), sy.s1, lanes[0]);
    return r;
}

static struct qn_pair pair_subtree(const double *x, const double *y, uint64_t n, uint64_t blocks)
{
    if (blocks == 1) return pair_block(x, y, n < QN_BLOCK_ROWS ? (uint32_t)n : QN_BLOCK_ROWS);
    uint64_t half = blocks / 2 * QN_BLOCK_ROWS;
    if (n <= half) return pair_subtree(x, y, n, blocks / 2);
    struct qn_pair a = pair_subtree(x, y, half, blocks / 2);
    struct qn_pair b = pair_subtree(x + half, y + half, n - half, blocks / 2), r;
    if (b.value.n == 0) return a;
    if (a.value.n == 0) return b;
    r.value = ref_merge(a.value, b.value);
    r.target = ref_merge(a.target, b.target);
    double dx = (b.value.hi - a.value.hi) + (b.value.lo - a.value.lo);
    double dy = (b.target.hi - a.target.hi) + (b.target.lo - a.target.lo);
    r.product = fma(dx * dy, a.value.n * (b.value.n / r.value.n), a.product + b.product);
    return r;
}

struct qn_pair ref_pairs(const double *x, const double *y, uint64_t n)
{
    uint64_t blocks = 1;
    double *present = calloc(n + 1, sizeof *present);
    if (present == NULL) abort();
    for (uint64_t i = 0; i < n; i++) present[i] = x[i] == x[i] ? y[i] : (double)NAN;
    while (blocks * QN_BLOCK_ROWS < n) blocks *= 2;
    struct qn_pair r = pair_subtree(x, present, n, blocks);
    free(present);
    return r;
}

int ref_same_pair(struct qn_pair a, struct qn_pair b)
{
    return ref_same_node(a.value, b.value) && ref_same_node(a.target, b.target) &&
           ref_same_bits(a.product, b.product);
}

double *ref_targets(uint64_t rows, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 777;
    double *y = calloc(rows + 1, sizeof *y);
    for (uint64_t i = 0; y != NULL && i < rows; i++) y[i] = 5 + ref_normal(&state);
    for (uint64_t i = 0; y != NULL && i < rows; i += 2 * QN_BLOCK_ROWS) y[i] = 1e9; /* far off */
    return y;
}

double *ref_weights(uint64_t rows, uint64_t seed)
{
    static const double few[] = {0, 1, 0.5, 3, 1e-3, 7, 0.1, 2};
    uint64_t state = seed * 2654435761u + 12345;
    double *w = calloc(rows + 1, sizeof *w);
    for (uint64_t i = 0; w != NULL && i < rows; i++)
        w[i] = ref_random(&state) % 4 == 0 ? 8 * ref_uniform(&state) : few[ref_random(&state) % 8];
    return w;
}

int ref_same_bits(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0;
}

int ref_same_node(struct qn_node a, struct qn_node b)
{
    return ref_same_bits(a.n, b.n) && ref_same_bits(a.hi, b.hi) && ref_same_bits(a.lo, b.lo) &&
           ref_same_bits(a.m2, b.m2);
}

/* ---- order ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

uint64_t ref_sort(double *x, uint64_t n)
{
    uint64_t k = 0;
    for (uint64_t i = 0; i < n; i++)
        if (x[i] == x[i]) x[k++] = x[i] + 0.0;
    qsort(x, k, sizeof *x, ascending);
    return k;
}

/* ---- data ---- */

uint64_t ref_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

double ref_uniform(uint64_t *state)
{
    return (double)(ref_random(state) >> 11) * 0x1p-53;
}

double ref_normal(uint64_t *state)
{
    double s = -6.0;
    for (int i = 0; i < 12; i++) s += ref_uniform(state);
    return s;
}
