/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/draw.h"

#include <string.h>

#include "host/core/checked.h"

enum { WORDS = QN_TWISTER_WORDS, MIDDLE = 397 };
enum { NEAR = 1 << 21 }; /* so many bytes stay in a cache */

/* ---- numbers ---- */

void qn_twister_seed(struct qn_twister *t, uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        t->key[i] = seed;
        seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
    }
    t->at = WORDS;
}

static inline uint32_t twisted(uint32_t high, uint32_t low, uint32_t other)
{
    uint32_t y = (high & 0x80000000u) | (low & 0x7fffffffu);
    return other ^ (y >> 1) ^ ((0u - (low & 1u)) & 0x9908b0dfu);
}

static void next_words(struct qn_twister *t)
{
    uint32_t *k = t->key;
    for (int i = 0; i < WORDS - MIDDLE; i++) k[i] = twisted(k[i], k[i + 1], k[i + MIDDLE]);
    for (int i = WORDS - MIDDLE; i < WORDS - 1; i++)
        k[i] = twisted(k[i], k[i + 1], k[i + MIDDLE - WORDS]);
    k[WORDS - 1] = twisted(k[WORDS - 1], k[0], k[MIDDLE - 1]);
    t->at = 0;
}

static void temper(const uint32_t *key, uint32_t *numbers)
{
    for (int i = 0; i < WORDS; i++) {
        uint32_t y = key[i];
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680u;
        y ^= y << 15 & 0xefc60000u;
        numbers[i] = y ^ y >> 18;
    }
}

/* The generator with its words' numbers. */
struct stream {
    struct qn_twister *t;
    uint32_t numbers[WORDS];
};

static void open_stream(struct stream *s, struct qn_twister *t)
{
    s->t = t;
    temper(t->key, s->numbers);
}

static inline uint32_t next(struct stream *s)
{
    if (s->t->at >= WORDS) {
        next_words(s->t);
        temper(s->t->key, s->numbers);
    }
    return s->numbers[s->t->at++];
}

static uint32_t mask_of(uint32_t bound)
{
    uint32_t mask = 0xffffffffu;
    while (bound <= mask >> 1 && mask != 0) mask >>= 1;
    return mask;
}

/* ---- a shuffle ---- */

/* For i from the last row down to 1: with[i] <= i is the place that i is exchanged with. A number that is
 * too large is written over by the next: no branch hangs on it, as there would be no telling which way it
 * goes. */
static void exchanges(struct stream *s, uint32_t rows, uint32_t *with)
{
    uint32_t i = rows - 1;
    while (i > 0) {
        uint32_t mask = mask_of(i), end = mask >> 1; /* the numbers of one mask */
        while (i > end) {
            if (s->t->at >= WORDS) {
                next_words(s->t);
                temper(s->t->key, s->numbers);
            }
            uint32_t at = s->t->at;
            while (i > end && at < WORDS) {
                uint32_t j = s->numbers[at++] & mask;
                with[i] = j;
                i -= j <= i;
            }
            s->t->at = at;
        }
    }
}

/* The numbers come in the order of a shuffle, but what ends up in the first places is found backwards, from
 * i = 1 on: the exchanges below n leave the set of their rows as it is, and of the others few touch a place
 * that is followed. followed: a byte for each place, zeroed. */
static void follow(const uint32_t *with, uint32_t rows, uint32_t n, uint8_t *followed)
{
    uint32_t i = n > 0 ? n : 1; /* with[0] is none */
    memset(followed, 1, n);
    for (; i < rows && i < NEAR; i++) { /* no branch: writing costs less than a wrong guess */
        uint8_t is = followed[with[i]];
        followed[with[i]] = 0;
        followed[i] = is;
    }
    for (; i < rows; i++) {
        if (!followed[with[i]]) continue;
        followed[with[i]] = 0;
        followed[i] = 1;
    }
}

/* There is room for eight more places in `followed`. */
static void list(const uint8_t *followed, uint32_t rows, uint32_t *drawn)
{
    for (uint32_t row = 0; row < rows; row += 8) {
        uint64_t eight;
        memcpy(&eight, followed + row, sizeof eight);
        if (eight == 0) continue;
        for (uint32_t k = 0; k < 8; k++)
            if (followed[row + k]) *drawn++ = row + k;
    }
}

quern_status qn_draw_without(struct qn_twister *t, uint32_t rows, uint32_t n, uint32_t *drawn)
{
    quern_status status = QUERN_OK;
    struct stream s;
    if (rows < 1) return QUERN_OK;
    uint32_t *with = qn_alloc(rows, sizeof *with);
    uint8_t *followed = qn_zalloc((size_t)rows + 8, sizeof *followed);
    if (with == NULL || followed == NULL) QN_GO(qn_error_memory_while("drawing rows"));
    open_stream(&s, t);
    exchanges(&s, rows, with);
    follow(with, rows, n, followed);
    list(followed, rows, drawn);
cleanup:
    qn_free(with);
    qn_free(followed);
    return status;
}

/* ---- with replacement ---- */

/* Each row as often as counts says. */
static void repeat(const uint32_t *counts, uint32_t rows, uint32_t *drawn)
{
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t k = 0; k < counts[row]; k++) *drawn++ = row;
}

quern_status qn_draw_with(struct qn_twister *t, uint32_t rows, uint32_t n, uint32_t *drawn)
{
    struct stream s;
    uint32_t most = rows - 1, mask = mask_of(most);
    uint32_t *counts = qn_zalloc(rows, sizeof *counts);
    if (counts == NULL) return qn_error_memory_while("drawing rows");
    open_stream(&s, t);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t row = most != 0 ? next(&s) & mask : 0; /* one row takes no number */
        while (row > most) row = next(&s) & mask;
        counts[row]++;
    }
    repeat(counts, rows, drawn);
    qn_free(counts);
    return QUERN_OK;
}

/* ---- by weights ---- */

/* The sum of a packed array as NumPy adds it up: by halves, in pieces of eight running sums. */
enum { PIECE = 128, DEEPEST = 64 };

static double sum_of_piece(const double *a, uint64_t n)
{
    double r[8], sum = 0;
    uint64_t i = 0;
    if (n >= 8) {
        for (int k = 0; k < 8; k++) r[k] = a[k];
        for (i = 8; i < n - n % 8; i += 8)
            for (int k = 0; k < 8; k++) r[k] += a[i + (uint64_t)k];
        sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    }
    for (; i < n; i++) sum += a[i];
    return sum;
}

/* right: the values after those of the half that is being added up. */
struct half {
    double left;
    uint64_t right;
};

static double sum_of(const double *a, uint64_t n)
{
    struct half open[DEEPEST];
    int depth = 0;
    for (;;) {
        for (; n > PIECE; depth++) {
            uint64_t left = n / 2 - n / 2 % 8;
            open[depth] = (struct half){.right = n - left};
            n = left;
        }
        double sum = sum_of_piece(a, n);
        a += n;
        while (depth > 0 && open[depth - 1].right == 0) sum = open[--depth].left + sum;
        if (depth == 0) return sum;
        n = open[depth - 1].right;
        open[depth - 1] = (struct half){.left = sum};
    }
}

/* The first row beyond whose share of the weights u lies. */
static uint32_t search(const double *up_to, uint32_t rows, double u)
{
    uint32_t from = 0, to = rows;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (up_to[middle] <= u)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

quern_status qn_draw_weighted(struct qn_twister *t, const double *weights, uint32_t rows,
                              uint32_t n, uint32_t *drawn)
{
    quern_status status = QUERN_OK;
    struct stream s;
    double all = sum_of(weights, rows), sum = 0;
    double *up_to = qn_alloc(rows, sizeof *up_to);
    uint32_t *counts = qn_zalloc(rows, sizeof *counts);
    if (up_to == NULL || counts == NULL) QN_GO(qn_error_memory_while("drawing rows"));
    for (uint32_t row = 0; row < rows; row++) up_to[row] = sum += weights[row] / all;
    for (uint32_t row = 0; row < rows; row++) up_to[row] /= sum;
    open_stream(&s, t);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t high = next(&s) >> 5, low = next(&s) >> 6; /* 53 bits of two numbers */
        double u = ((double)high * 67108864.0 + (double)low) / 9007199254740992.0;
        counts[search(up_to, rows, u)]++; /* the last is 1 */
    }
    repeat(counts, rows, drawn);
cleanup:
    qn_free(up_to);
    qn_free(counts);
    return status;
}
