/* SPDX-License-Identifier: Apache-2.0
 * Missing cells from the nearest donors (KNNImputer; scikit-learn's definition, impute/_knn.py and
 * metrics/pairwise.py): the distance of two rows is the root of the mean square of the differences of
 * the coordinates that both have, times the number of all coordinates.
 *
 * Rows with missing cells are taken 64 at a time, and donors in tiles that stay in the nearest cache
 * while all 64 look at them; no matrix of distances is made. A tile matters to a row only if one of its
 * sums is below what the row's farthest neighbour so far allows, which vectors decide: the mean over the
 * common coordinates is at least the sum over all that the row has. Neighbours are ordered by distance,
 * then by place; a row's result depends on nothing else. */
#include <math.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/requests.h"

enum { ROWS_AT_ONCE = 64, NEAR_ENTRIES = 1 << 18 };

struct entry {
    double distance; /* squared */
    uint64_t donor;
};

/* A missing cell with its nearest donors so far: a heap, the farthest first. */
struct cell {
    uint32_t column, output;
    uint64_t n;
    struct entry *near;
};

/* A row with missing cells. */
struct receiver {
    uint64_t row;
    uint32_t n_there, n_cells;
    uint32_t *there; /* columns that it has */
    double *x;       /* … and their values */
    uint64_t *bits;  /* the same as bits */
    struct cell *cells;
    double farthest, limit; /* what a donor must be below; the same for a sum of squares */
};

#define VEC_BYTES QN_VECTOR_BYTES
#define QN_BODY "backends/cpu/neighbours_body.h"
#include "backends/cpu/isa_each.h"

typedef int tile_fn(const struct qn_neighbours *, uint64_t first, const struct receiver *,
                    double limit, double *sums);

static tile_fn *tile_of_isa(void)
{
#if QN_X86
    if (qn_cpu_isa_level() >= QN_ISA_AVX512) return tile_avx512;
    if (qn_cpu_isa_level() >= QN_ISA_AVX2) return tile_avx2;
#endif
    return tile_baseline;
}

/* ---- the nearest so far ---- */

static int farther(const struct entry *a, const struct entry *b)
{
    return a->distance > b->distance || (a->distance == b->distance && a->donor > b->donor);
}

static void sift_down(struct entry *heap, uint64_t n, uint64_t at)
{
    struct entry moving = heap[at];
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= n) break;
        if (child + 1 < n && farther(&heap[child + 1], &heap[child])) child++;
        if (!farther(&heap[child], &moving)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

static void sift_up(struct entry *heap, uint64_t at)
{
    struct entry moving = heap[at];
    while (at != 0 && farther(&moving, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = moving;
}

/* Nearest first. */
static void sort_entries(struct entry *heap, uint64_t n)
{
    while (n > 1) {
        struct entry last = heap[--n];
        heap[n] = heap[0];
        heap[0] = last;
        sift_down(heap, n, 0);
    }
}

/* ---- one row and one tile ---- */

static uint32_t bit_count(uint64_t x)
{
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)((x * 0x0101010101010101u) >> 56);
}

static uint32_t common(const struct qn_neighbours *d, uint64_t donor, const uint64_t *bits)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < d->words; w++)
        n += bit_count(d->present[donor * d->words + w] & bits[w]);
    return n;
}

static int has(const struct qn_neighbours *d, uint64_t donor, uint32_t column)
{
    return (int)(d->present[donor * d->words + column / 64] >> (column % 64) & 1);
}

static void set_limit(struct receiver *r, uint64_t k, uint32_t n_columns)
{
    r->farthest = 0;
    for (uint32_t i = 0; i < r->n_cells; i++) {
        const struct cell *c = &r->cells[i];
        double own = c->n < k ? INFINITY : c->near[0].distance;
        if (own > r->farthest) r->farthest = own;
    }
    /* sum / count * columns >= sum / n_there * columns, but for its rounding errors */
    r->limit = r->farthest * r->n_there / n_columns * (1 + 0x1p-40);
}

/* Takes the donor where it is near enough. */
static void consider(const struct qn_neighbours *d, uint32_t n_columns, struct receiver *r,
                     uint64_t donor, double sum)
{
    uint32_t n = common(d, donor, r->bits);
    uint64_t k = d->n_neighbours;
    int changed = 0;
    if (n == 0) return;
    struct entry e = {sum / n * n_columns, donor};
    if (!(e.distance < r->farthest)) return; /* an equal one that comes later is farther */
    for (uint32_t i = 0; i < r->n_cells; i++) {
        struct cell *c = &r->cells[i];
        if (!has(d, donor, c->column)) continue;
        if (c->n < k) {
            c->near[c->n] = e;
            sift_up(c->near, c->n++);
            changed |= c->n == k;
        } else if (farther(&c->near[0], &e)) {
            c->near[0] = e;
            sift_down(c->near, k, 0);
            changed = 1;
        }
    }
    if (changed) set_limit(r, k, n_columns);
}

/* ---- what becomes of a cell ---- */

static double value_of(const struct qn_neighbours *d, struct cell *c)
{
    double sum = 0, weights = 0;
    const double *column = d->values + (size_t)c->column * d->n_padded;
    if (c->n == 0) return d->fallback[c->column];
    sort_entries(c->near, c->n);
    int exact = c->near[0].distance == 0; /* donors without any distance are alone, then */
    for (uint64_t i = 0; i < c->n; i++) {
        double weight = 1;
        if (d->by_distance && exact && c->near[i].distance != 0) break;
        if (d->by_distance && !exact) weight = 1 / sqrt(c->near[i].distance);
        sum += column[c->near[i].donor] * weight;
        weights += weight;
    }
    return sum / weights;
}

static void store(const struct qn_rows_request *rq, uint32_t output, uint64_t row, double value)
{
    if (rq->op->type == QN_T_F32)
        ((float *)rq->out[output])[row] = (float)value;
    else
        ((double *)rq->out[output])[row] = value;
}

static double load(const struct qn_rows_request *rq, uint32_t column, uint64_t row)
{
    const char *at = (const char *)rq->in[column].data + (int64_t)row * rq->in[column].stride;
    float f32;
    double f64;
    if (rq->op->type == QN_T_F32) {
        memcpy(&f32, at, sizeof f32);
        return (double)f32;
    }
    memcpy(&f64, at, sizeof f64);
    return f64;
}

/* ---- blocks of rows ---- */

/* What one thread works in. */
struct bench {
    struct receiver rows[ROWS_AT_ONCE];
    uint32_t *there;
    double *x;
    uint64_t *bits;
    struct cell *cells;
    struct entry *entries;
};

struct work {
    const struct qn_rows_request *rq;
    const struct qn_neighbours *d;
    tile_fn *tile;
    struct bench *benches;
    const uint64_t *list;  /* rows with missing cells */
    uint64_t n_list, room; /* entries of a bench */
    uint64_t k;
};

static void read_row(const struct work *w, struct bench *b, uint32_t place, uint64_t row,
                     uint64_t *entries, uint32_t *cells)
{
    const struct qn_rows_op *op = w->rq->op;
    struct receiver *r = &b->rows[place];
    *r = (struct receiver){.row = row,
                           .there = b->there + (size_t)place * op->n_in,
                           .x = b->x + (size_t)place * op->n_in,
                           .bits = b->bits + (size_t)place * w->d->words,
                           .cells = b->cells + *cells,
                           .farthest = INFINITY,
                           .limit = INFINITY};
    memset(r->bits, 0, w->d->words * sizeof *r->bits);
    for (uint32_t i = 0; i < op->n_in; i++) {
        double x = load(w->rq, i, row);
        if (isnan(x)) continue;
        r->there[r->n_there] = i;
        r->x[r->n_there++] = x;
        r->bits[i / 64] |= (uint64_t)1 << (i % 64);
    }
    for (uint32_t i = 0; i < op->n_out; i++) {
        uint32_t column = w->d->columns[i];
        if (w->d->empty[i] || (r->bits[column / 64] >> (column % 64) & 1)) continue;
        r->cells[r->n_cells++] =
            (struct cell){.column = column, .output = i, .near = b->entries + *entries};
        *entries += w->k;
    }
    *cells += r->n_cells;
}

static void search(const struct work *w, struct bench *b, uint32_t n)
{
    double sums[QN_DONOR_TILE];
    const struct qn_neighbours *d = w->d;
    uint32_t n_columns = w->rq->op->n_in;
    for (uint64_t first = 0; first < d->n_padded; first += QN_DONOR_TILE)
        for (uint32_t i = 0; i < n; i++) {
            struct receiver *r = &b->rows[i];
            if (!w->tile(d, first, r, r->limit, sums)) continue;
            for (uint32_t k = 0; k < QN_DONOR_TILE; k++)
                if (sums[k] <= r->limit) consider(d, n_columns, r, first + k, sums[k]);
        }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < b->rows[i].n_cells; k++) {
            struct cell *c = &b->rows[i].cells[k];
            store(w->rq, c->output, b->rows[i].row, value_of(d, c));
        }
}

static void block_task(void *user, uint32_t worker, uint64_t task)
{
    const struct work *w = user;
    struct bench *b = &w->benches[worker];
    uint64_t at = task * ROWS_AT_ONCE, end = at + ROWS_AT_ONCE;
    if (end > w->n_list) end = w->n_list;
    while (at < end) { /* fewer at once where their neighbours would take too much memory */
        uint64_t entries = 0;
        uint32_t n = 0, cells = 0;
        while (at + n < end && (n == 0 || entries + w->rq->op->n_out * w->k <= w->room)) {
            read_row(w, b, n, w->list[at + n], &entries, &cells);
            n++;
        }
        search(w, b, n);
        at += n;
    }
}

static quern_status open_bench(const struct work *w, struct bench *b)
{
    size_t cells = (size_t)ROWS_AT_ONCE * w->rq->op->n_in,
           bits = (size_t)ROWS_AT_ONCE * w->d->words;
    b->there = qn_alloc(cells, sizeof *b->there);
    b->x = qn_alloc(cells, sizeof *b->x);
    b->bits = qn_alloc(bits, sizeof *b->bits);
    b->cells = qn_alloc((size_t)ROWS_AT_ONCE * w->rq->op->n_out, sizeof *b->cells);
    b->entries = qn_alloc((size_t)w->room, sizeof *b->entries);
    if (b->there == NULL || b->x == NULL || b->bits == NULL || b->cells == NULL ||
        b->entries == NULL)
        return qn_error_memory("nearest neighbours", w->room * sizeof *b->entries);
    return QUERN_OK;
}

static void close_bench(struct bench *b)
{
    qn_free(b->there);
    qn_free(b->x);
    qn_free(b->bits);
    qn_free(b->cells);
    qn_free(b->entries);
}

/* ---- all rows ---- */

static void copy_column(const struct qn_rows_request *rq, uint32_t output, uint32_t column)
{
    size_t value = rq->op->type == QN_T_F32 ? sizeof(float) : sizeof(double);
    const char *from = rq->in[column].data;
    char *to = rq->out[output];
    if (rq->in[column].stride == (int64_t)value) {
        memcpy(to, from, (size_t)rq->rows * value);
        return;
    }
    for (uint64_t row = 0; row < rq->rows; row++)
        memcpy(to + row * value, from + (int64_t)row * rq->in[column].stride, value);
}

/* Copies what is there and lists the rows that have something missing. */
static quern_status list_rows(const struct qn_rows_request *rq, const struct qn_neighbours *d,
                              uint64_t **out, uint64_t *n)
{
    size_t value = rq->op->type == QN_T_F32 ? sizeof(float) : sizeof(double);
    uint8_t *marks = qn_zalloc((size_t)rq->rows, 1);
    if (marks == NULL) return qn_error_memory("nearest neighbours", rq->rows);
    *n = 0;
    for (uint32_t i = 0; i < rq->op->n_out; i++) {
        if (d->empty[i]) {
            memset(rq->out[i], 0, (size_t)rq->rows * value);
            continue;
        }
        copy_column(rq, i, d->columns[i]);
        for (uint64_t row = 0; row < rq->rows; row++)
            if (isnan(load(rq, d->columns[i], row))) marks[row] = 1;
    }
    for (uint64_t row = 0; row < rq->rows; row++) *n += marks[row];
    *out = qn_alloc((size_t)*n, sizeof **out);
    uint64_t at = 0;
    for (uint64_t row = 0; *out != NULL && row < rq->rows; row++)
        if (marks[row]) (*out)[at++] = row;
    qn_free(marks);
    return *out != NULL ? QUERN_OK : qn_error_memory("nearest neighbours", *n * sizeof **out);
}

quern_status qn_cpu_neighbours(struct qn_threads *threads, const struct qn_rows_request *rq)
{
    quern_status status = QUERN_OK;
    uint64_t *list = NULL;
    uint32_t n_benches = threads != NULL ? qn_threads_size(threads) : 1;
    struct work w = {.rq = rq, .d = rq->op->data, .tile = tile_of_isa()};
    w.k = w.d->n_neighbours < w.d->n_donors ? w.d->n_neighbours : w.d->n_donors;
    QN_TRY(list_rows(rq, w.d, &list, &w.n_list));
    if (w.n_list == 0) goto cleanup;
    w.list = list;
    uint64_t row = w.k * rq->op->n_out, block = w.n_list < ROWS_AT_ONCE ? w.n_list : ROWS_AT_ONCE;
    w.room = row * block < NEAR_ENTRIES ? row * block : row < NEAR_ENTRIES ? NEAR_ENTRIES : row;
    w.benches = qn_zalloc(n_benches, sizeof *w.benches);
    if (w.benches == NULL) QN_GO(qn_error_memory("nearest neighbours", n_benches));
    for (uint32_t i = 0; i < n_benches; i++) QN_GO(open_bench(&w, &w.benches[i]));
    qn_threads_run(threads, (w.n_list - 1) / ROWS_AT_ONCE + 1, block_task, &w);
cleanup:
    for (uint32_t i = 0; w.benches != NULL && i < n_benches; i++) close_bench(&w.benches[i]);
    qn_free(w.benches);
    qn_free(list);
    return status;
}
