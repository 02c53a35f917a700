/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/starts.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/bins.h"
#include "host/core/checked.h"
#include "kernels/bins.h"

enum {
    LEAST_ROWS = 8192, /* fewer are searched sooner than a table is made */
    CELLS_PER_NUMBER = 8,
    MOST_CELLS = 1 << 16,
    MOST_NUMBERS = UINT16_MAX
};

static double number_at(const uint64_t *words, uint64_t i)
{
    double value;
    memcpy(&value, words + i, sizeof value);
    return value;
}

float qn_edge_f32(double edge)
{
    float f = (float)edge;
    uint32_t bits;
    if (!((double)f < edge)) return f;
    memcpy(&bits, &f, sizeof bits);
    bits = f == 0 ? 1 : f > 0 ? bits + 1 : bits - 1;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Anything else is searched as it is. */
static int ascending(const uint64_t *words, uint64_t k)
{
    for (uint64_t i = 0; i < k; i++)
        if (!isfinite(number_at(words, i)) ||
            (i > 0 && !(number_at(words, i - 1) <= number_at(words, i))))
            return 0;
    return 1;
}

static double value_of(const struct qn_starts *s, uint32_t i)
{
    return s->f32 != NULL ? (double)s->f32[i] : s->f64[i];
}

static uint32_t key_of(const struct qn_starts *s, uint32_t i)
{
    return s->f32 != NULL ? qn_key_f32(s->f32[i]) : qn_key_f64(s->f64[i]);
}

static int32_t cell_of(const struct qn_starts *s, uint32_t i)
{
    if (s->by_bits) return qn_cell_of_key(s, key_of(s, i));
    return s->f32 != NULL ? qn_cell_of_width_f32(s, s->f32[i]) : qn_cell_of_width_f64(s, s->f64[i]);
}

/* Sets the kind of cells. 0: there can be none. */
static int cut(struct qn_starts *s, uint32_t by_bits)
{
    double low = value_of(s, 0), high = value_of(s, s->k - 1);
    s->by_bits = by_bits;
    s->low = low;
    s->scale = (double)s->cells / (high - low);
    if (s->f32 != NULL) s->scale = (double)(float)s->scale;
    if (!by_bits) return isfinite(s->scale) && isfinite(high - low) && s->scale > 0;
    s->low_key = key_of(s, 0);
    uint32_t range = key_of(s, s->k - 1) - s->low_key;
    for (s->shift = 0; range >> s->shift >= (uint32_t)s->cells;) s->shift++;
    return 1;
}

/* Steps of a search among n numbers for how many of them are not above. */
static uint32_t steps_of(uint32_t n)
{
    uint32_t steps = 0;
    while (n >> steps != 0) steps++;
    return steps;
}

/* The steps that are left by the cells as they are cut. */
static uint32_t steps_left(const struct qn_starts *s)
{
    uint32_t most = 0, run = 0;
    for (uint32_t i = 0; i < s->k; i++) {
        run = i > 0 && cell_of(s, i) == cell_of(s, i - 1) ? run + 1 : 1;
        most = run > most ? run : most;
    }
    return steps_of(most);
}

static void fill(struct qn_starts *s)
{
    int32_t cell = 0;
    for (uint32_t i = 0; i < s->k; i++)
        for (int32_t own = cell_of(s, i); cell <= own; cell++) s->first[cell] = (uint16_t)i;
    for (; cell < s->cells; cell++) s->first[cell] = (uint16_t)s->k;
}

static quern_status take_numbers(struct qn_starts *s, const uint64_t *words, uint32_t work)
{
    size_t room = (size_t)s->k + ((size_t)1 << steps_of(s->k));
    if (work == QN_W_F32)
        s->f32 = qn_alloc_aligned(room, sizeof *s->f32);
    else
        s->f64 = qn_alloc_aligned(room, sizeof *s->f64);
    if (s->f32 == NULL && s->f64 == NULL) return qn_error_memory("start tables", room * 8);
    for (size_t i = 0; i < room; i++) {
        double value = i < s->k ? number_at(words, i) : (double)INFINITY;
        if (s->f32 != NULL)
            s->f32[i] = qn_edge_f32(value);
        else
            s->f64[i] = value;
    }
    return QUERN_OK;
}

static void drop(struct qn_starts *s)
{
    qn_free(s->first);
    qn_free(s->f32);
    qn_free(s->f64);
    qn_free(s->knots);
    *s = (struct qn_starts){0};
}

static quern_status make(struct qn_starts *s, const uint64_t *words, uint64_t k, uint32_t work)
{
    quern_status status = QUERN_OK;
    s->k = (uint32_t)k;
    QN_GO(take_numbers(s, words, work));
    if (!isfinite(value_of(s, 0)) || !isfinite(value_of(s, s->k - 1))) {
        drop(s);
        return QUERN_OK;
    }
    s->cells = 256;
    while (s->cells < MOST_CELLS && (uint32_t)s->cells < CELLS_PER_NUMBER * s->k) s->cells *= 2;
    uint32_t all = steps_of(s->k), linear = cut(s, 0) ? steps_left(s) : all;
    (void)cut(s, 1);
    s->steps = steps_left(s);
    if (linear <= s->steps && cut(s, 0)) s->steps = linear;
    if (s->steps + 2 > all) {
        drop(s);
        return QUERN_OK;
    }
    s->first = qn_alloc_aligned((size_t)s->cells, sizeof *s->first);
    if (s->first == NULL) QN_GO(qn_error_memory("start tables", (uint64_t)s->cells * 2));
    fill(s);
    return QUERN_OK;
cleanup:
    drop(s);
    return status;
}

/* Values that the loop can reckon from a knot's number rather than fetch. */
static int are_even(const uint64_t *values, uint32_t k, double step)
{
    for (uint32_t i = 0; i + 1 < k; i++) {
        double y = (double)i * step;
        uint64_t bits;
        memcpy(&bits, &y, sizeof bits);
        if (bits != values[i]) return 0;
    }
    return 1;
}

/* Whether the loop may leave out what the definition does about NaN. */
static int is_regular(const uint64_t *table, uint32_t k)
{
    const uint64_t *knots = table + QN_INTERP_HEAD, *values = knots + k, *slopes = values + k;
    if (!(number_at(table, 0) >= number_at(knots, 0)) ||
        !(number_at(table, 1) <= number_at(knots, k - 1)))
        return 0;
    for (uint32_t i = 0; i < k; i++) {
        double step = i + 1 < k ? number_at(knots, i + 1) - number_at(knots, i) : 0;
        if (!isfinite(number_at(values, i))) return 0;
        if (step != 0 && !(isfinite(step) && isfinite(number_at(slopes, i) * step))) return 0;
    }
    return 1;
}

static quern_status look_at_map(struct qn_starts *s, const uint64_t *table)
{
    const uint64_t *knots = table + QN_INTERP_HEAD, *values = knots + s->k, *slopes = values + s->k;
    const size_t places = (size_t)s->k + ((size_t)1 << s->steps) + 2;
    if (s->first == NULL || s->k < 2 || !is_regular(table, s->k)) return QUERN_OK;
    s->y_step = number_at(values, 1);
    s->y_last = number_at(values, s->k - 1);
    s->even = are_even(values, s->k, s->y_step);
    s->knots = qn_alloc_aligned(places, sizeof *s->knots);
    if (s->knots == NULL) return qn_error_memory("start tables", places * sizeof *s->knots);
    for (size_t at = 0; at < places; at++) {
        size_t j = at == 0 ? 0 : at <= s->k ? at - 1 : s->k - 1;
        s->knots[at].x = number_at(knots, j);
        s->knots[at].slope = at < s->k && isfinite(number_at(slopes, j)) ? number_at(slopes, j) : 0;
    }
    return QUERN_OK;
}

static quern_status of_op(const struct qn_batch *b, const struct qn_op *op, struct qn_starts *s)
{
    if (op->arg >= b->n_words || b->n_words - op->arg < 2) return QUERN_OK; /* of no lane */
    uint64_t first = b->words[op->arg], words = b->words[op->arg + 1];
    if (first > b->n_words || words > b->n_words - first) return QUERN_OK;
    const uint64_t *table = b->words + first;
    uint64_t k = op->code == QN_OP_BIN ? words : QN_INTERP_KNOTS(words);
    const uint64_t *numbers = op->code == QN_OP_BIN ? table : table + QN_INTERP_HEAD;
    if (k <= QN_FEW_EDGES || k > MOST_NUMBERS || !ascending(numbers, k)) return QUERN_OK;
    QN_TRY(make(s, numbers, k, op->work));
    return op->code != QN_OP_BIN ? look_at_map(s, table) : QUERN_OK;
}

/* The ops that search. */
static int has_starts(uint32_t code)
{
    return code >= QN_OP_BIN && code <= QN_OP_INTERP_MEAN;
}

quern_status qn_starts_open(const struct qn_batch *b, struct qn_starts **out)
{
    uint32_t wanted = 0;
    *out = NULL;
    for (uint32_t i = 0; i < b->n_ops && b->rows >= LEAST_ROWS; i++)
        wanted += (uint32_t)has_starts(b->ops[i].code);
    if (wanted == 0) return QUERN_OK;
    *out = qn_zalloc(b->n_ops, sizeof **out);
    if (*out == NULL) return qn_error_memory("start tables", b->n_ops * sizeof **out);
    for (uint32_t i = 0; i < b->n_ops; i++) {
        quern_status status = QUERN_OK;
        if (has_starts(b->ops[i].code)) status = of_op(b, &b->ops[i], &(*out)[i]);
        if (status == QUERN_OK) continue;
        qn_starts_close(*out, b->n_ops);
        *out = NULL;
        return status;
    }
    return QUERN_OK;
}

void qn_starts_close(struct qn_starts *starts, uint32_t n_ops)
{
    for (uint32_t i = 0; starts != NULL && i < n_ops; i++) drop(&starts[i]);
    qn_free(starts);
}
