/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pipeline/running.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/core/fp.h"
#include "host/pipeline/running_internal.h"

enum { GROUP_LEVEL = 6 };

/* ---- opening ---- */

static int open_kind(struct qn_running *r, const uint8_t *kinds, uint8_t flag,
                     struct qn_running_kind *kind)
{
    kind->place = qn_alloc(r->width, sizeof *kind->place);
    if (kind->place == NULL) return 0;
    for (uint32_t i = 0; i < r->width; i++)
        if (kinds[r->column[i]] & flag) kind->place[kind->n++] = i;
    return 1;
}

static int open_memory(struct qn_running *r, const uint8_t *kinds)
{
    r->column = qn_alloc(r->n_columns, sizeof *r->column);
    if (r->column == NULL) return 0;
    for (uint32_t i = 0; i < r->n_columns; i++)
        if (kinds[i] != 0) r->column[r->width++] = i;
    if (!open_kind(r, kinds, QN_RUN_MOMENTS, &r->moments) ||
        !open_kind(r, kinds, QN_RUN_WEIGHTED, &r->weighted) ||
        !open_kind(r, kinds, QN_RUN_EXTREMES, &r->extremes))
        return 0;
    r->ends = qn_alloc(r->extremes.n, sizeof *r->ends);
    r->lanes = qn_zalloc(r->width, sizeof *r->lanes);
    r->nodes = qn_alloc(r->width, sizeof *r->nodes);
    r->room_nodes = r->width;
    return r->ends != NULL && r->lanes != NULL && r->nodes != NULL;
}

quern_status qn_running_open(uint32_t n_columns, const uint8_t *kinds, struct qn_running **out)
{
    *out = NULL;
    struct qn_running *r = qn_zalloc(1, sizeof *r);
    if (r == NULL) return qn_error_memory("statistics", sizeof *r);
    r->n_columns = n_columns;
    quern_status status =
        open_memory(r, kinds) ? QUERN_OK : qn_error_memory("statistics", n_columns);
    if (status == QUERN_OK) status = qn_moments_open(r->moments.n, 0, &r->moments.tree);
    if (status == QUERN_OK) status = qn_moments_open(r->weighted.n, 0, &r->weighted.tree);
    if (status != QUERN_OK) {
        qn_running_free(r);
        return status;
    }
    for (uint32_t i = 0; i < r->extremes.n; i++)
        r->ends[i] = (struct qn_extremes){.min = INFINITY, .max = -INFINITY};
    *out = r;
    return QUERN_OK;
}

quern_status qn_running_reserve(struct qn_running *r, uint32_t rows)
{
    size_t cells;
    uint32_t room = r->room * 2 > rows ? r->room * 2 : rows;
    if (rows <= r->room) return QUERN_OK;
    if (room > QN_BLOCK_ROWS) room = QN_BLOCK_ROWS;
    if (qn_mul_size(room, r->width, &cells)) return qn_error_memory("statistics", UINT64_MAX);
    double *open = qn_realloc(r->open, cells, sizeof *open);
    if (open == NULL) return qn_error_memory("statistics", cells * sizeof *open);
    r->open = open;
    if (r->weighted.n != 0) {
        double *weights = qn_realloc(r->open_weights, room, sizeof *weights);
        if (weights == NULL) return qn_error_memory("statistics", room * sizeof *weights);
        r->open_weights = weights;
    }
    r->room = room;
    return QUERN_OK;
}

static void close_kind(struct qn_running_kind *kind)
{
    qn_moments_free(kind->tree);
    qn_free(kind->place);
}

void qn_running_free(struct qn_running *r)
{
    if (r == NULL) return;
    close_kind(&r->moments);
    close_kind(&r->weighted);
    close_kind(&r->extremes);
    qn_free(r->column);
    qn_free(r->ends);
    qn_free(r->open);
    qn_free(r->open_weights);
    qn_free(r->lanes);
    qn_free(r->nodes);
    qn_free(r);
}

uint64_t qn_running_rows(const struct qn_running *r)
{
    return r->rows;
}

int qn_running_broken(const struct qn_running *r)
{
    return r->broken;
}

/* ---- batches ---- */

static int64_t stride_of(const quern_column *c)
{
    return c->stride != 0 ? c->stride : (int64_t)qn_type_bytes(c->type);
}

/* `rows` rows of a kind's columns from row `from` of the caller's memory on. */
static struct qn_batch caller_batch(const struct qn_running *r, const struct qn_running_kind *kind,
                                    const quern_column *columns, uint64_t from, uint64_t rows)
{
    for (uint32_t i = 0; i < kind->n; i++) {
        const quern_column *c = &columns[r->column[kind->place[i]]];
        r->lanes[i] = (struct qn_lane){.data = (const char *)c->data + (int64_t)from * stride_of(c),
                                       .stride = stride_of(c),
                                       .validity = c->validity,
                                       .validity_offset = c->validity_offset + (int64_t)from,
                                       .type = (uint32_t)c->type,
                                       .work = QN_W_F64};
    }
    return (struct qn_batch){.rows = rows, .lanes = r->lanes, .n_lanes = kind->n};
}

/* The rows of the open block; a state that was read may have none, and no room for any. */
static struct qn_batch open_batch(const struct qn_running *r, const struct qn_running_kind *kind,
                                  uint64_t rows)
{
    for (uint32_t i = 0; i < kind->n; i++)
        r->lanes[i] = (struct qn_lane){.data = r->open != NULL ? r->open + kind->place[i] : NULL,
                                       .stride = (int64_t)(r->width * sizeof(double)),
                                       .type = QN_T_F64,
                                       .work = QN_W_F64};
    return (struct qn_batch){.rows = rows, .lanes = r->lanes, .n_lanes = kind->n};
}

/* A kind's nodes of a batch of whole blocks: groups, or one subtree of 2^level blocks. */
static quern_status sum_up(struct qn_running *r, struct qn_threads *threads,
                           struct qn_running_kind *kind, struct qn_batch batch,
                           const double *weights, uint32_t level)
{
    uint64_t groups = (batch.rows - 1) / QN_GROUP_ROWS + 1;
    size_t count;
    if (kind->n == 0) return QUERN_OK;
    if (qn_mul_size((size_t)groups, kind->n, &count)) return qn_error_memory("moments", UINT64_MAX);
    if (count > r->room_nodes) {
        struct qn_node *more = qn_realloc(r->nodes, count, sizeof *more);
        if (more == NULL) return qn_error_memory("moments", count * sizeof *more);
        r->nodes = more;
        r->room_nodes = count;
    }
    struct qn_moments_request rq = {.batch = batch, .nodes = r->nodes, .weights = weights};
    QN_TRY(qn_op_moments(NULL, threads, 0, &rq, NULL));
    if (level == GROUP_LEVEL) return qn_moments_push(kind->tree, r->nodes, batch.rows);
    return qn_moments_push_blocks(kind->tree, r->nodes, level);
}

/* ---- pushing ---- */

/* How many of `left` rows can be taken as whole blocks, the next row being the first of a block: any
 * number of groups from the first row of one on, else the largest subtree that begins here. */
static uint64_t whole_rows(const struct qn_running *r, uint64_t left, uint32_t *level)
{
    uint64_t block = r->rows / QN_BLOCK_ROWS, blocks = left / QN_BLOCK_ROWS;
    *level = 0;
    while (*level < GROUP_LEVEL && ((block >> *level) & 1) == 0 && blocks >> (*level + 1) != 0)
        ++*level;
    if (*level == GROUP_LEVEL) return left / QN_GROUP_ROWS * QN_GROUP_ROWS;
    return (uint64_t)QN_BLOCK_ROWS << *level;
}

static quern_status push_whole(struct qn_running *r, struct qn_threads *threads,
                               const quern_column *columns, uint64_t from, uint64_t rows,
                               uint32_t level, const double *weights)
{
    struct qn_batch batch = caller_batch(r, &r->moments, columns, from, rows);
    QN_TRY(sum_up(r, threads, &r->moments, batch, NULL, level));
    batch = caller_batch(r, &r->weighted, columns, from, rows);
    QN_TRY(sum_up(r, threads, &r->weighted, batch, weights, level));
    if (r->extremes.n == 0) return QUERN_OK;
    struct qn_extremes_request rq = {.out = r->ends};
    rq.batch = caller_batch(r, &r->extremes, columns, from, rows);
    return qn_op_extremes(NULL, threads, 0, &rq, NULL);
}

static void widen(struct qn_extremes *e, double x)
{
    if (x != x) return;
    x += 0.0; /* -0 counts as +0 */
    e->min = x < e->min ? x : e->min;
    e->max = x > e->max ? x : e->max;
    e->count++;
}

static quern_status push_into_block(struct qn_running *r, struct qn_threads *threads,
                                    const quern_column *columns, uint64_t from, uint32_t rows,
                                    const double *weights)
{
    uint32_t at = (uint32_t)(r->rows % QN_BLOCK_ROWS);
    QN_TRY(qn_running_reserve(r, at + rows));
    for (uint32_t k = 0; k < r->width; k++) {
        const quern_column *c = &columns[r->column[k]];
        for (uint32_t i = 0; i < rows; i++)
            r->open[(size_t)(at + i) * r->width + k] = qn_column_number(c, from + i);
    }
    for (uint32_t k = 0; k < r->extremes.n; k++)
        for (uint32_t i = 0; i < rows; i++)
            widen(&r->ends[k], r->open[(size_t)(at + i) * r->width + r->extremes.place[k]]);
    if (weights != NULL && r->weighted.n != 0)
        memcpy(r->open_weights + at, weights, rows * sizeof *weights);
    if (at + rows < QN_BLOCK_ROWS) return QUERN_OK;
    QN_TRY(sum_up(r, threads, &r->moments, open_batch(r, &r->moments, QN_BLOCK_ROWS), NULL, 0));
    return sum_up(r, threads, &r->weighted, open_batch(r, &r->weighted, QN_BLOCK_ROWS),
                  r->open_weights, 0);
}

static quern_status push(struct qn_running *r, struct qn_threads *threads,
                         const quern_column *columns, uint64_t rows, const double *weights)
{
    for (uint64_t done = 0; done < rows;) {
        uint64_t left = rows - done, room = QN_BLOCK_ROWS - r->rows % QN_BLOCK_ROWS, take;
        const double *w = weights != NULL ? weights + done : NULL;
        uint32_t level;
        if (room == QN_BLOCK_ROWS && left >= QN_BLOCK_ROWS) {
            take = whole_rows(r, left, &level);
            QN_TRY(push_whole(r, threads, columns, done, take, level, w));
        } else {
            take = left < room ? left : room;
            QN_TRY(push_into_block(r, threads, columns, done, (uint32_t)take, w));
        }
        r->rows += take;
        done += take;
    }
    return QUERN_OK;
}

quern_status qn_running_push(struct qn_running *r, struct qn_threads *threads,
                             const quern_column *columns, uint64_t rows, const double *weights)
{
    uint64_t end;
    if (r->broken)
        return qn_error(QUERN_INVALID,
                        "an earlier call failed half way; these statistics are lost");
    if (qn_add_u64(r->rows, rows, &end) || end > INT64_MAX)
        return qn_error(QUERN_INVALID, "more rows than can be counted");
    if (r->weighted.n != 0 && rows != 0 && weights == NULL)
        return qn_error(QUERN_INTERNAL, "weighted statistics of rows without weights");
    if (r->width == 0) { /* nothing but the number of rows is wanted */
        r->rows = end;
        return QUERN_OK;
    }
    struct qn_fp fp = qn_fp_enter();
    quern_status status = push(r, threads, columns, rows, weights);
    qn_fp_leave(fp);
    r->broken = status != QUERN_OK;
    return status;
}

/* ---- results ---- */

/* The moments of a kind with the open block; `offset` says which member of the result they are. */
static quern_status finish_kind(const struct qn_running *r, struct qn_threads *threads,
                                const struct qn_running_kind *kind, const double *weights,
                                struct qn_running_result *out, size_t offset)
{
    uint64_t open = r->rows % QN_BLOCK_ROWS;
    if (kind->n == 0) return QUERN_OK;
    struct qn_node *nodes = qn_zalloc(kind->n, sizeof *nodes);
    if (nodes == NULL) return qn_error_memory("moments", kind->n * sizeof *nodes);
    struct qn_moments_request rq = {
        .batch = open_batch(r, kind, open), .nodes = nodes, .weights = weights};
    quern_status status = open != 0 ? qn_op_moments(NULL, threads, 0, &rq, NULL) : QUERN_OK;
    for (uint32_t i = 0; status == QUERN_OK && i < kind->n; i++) {
        struct qn_node node = qn_moments_result_with(kind->tree, i, nodes[i]);
        memcpy((char *)&out[r->column[kind->place[i]]] + offset, &node, sizeof node);
    }
    qn_free(nodes);
    return status;
}

quern_status qn_running_result(const struct qn_running *r, struct qn_threads *threads,
                               struct qn_running_result *out)
{
    if (r->broken)
        return qn_error(QUERN_INVALID,
                        "an earlier call failed half way; these statistics are lost");
    memset(out, 0, r->n_columns * sizeof *out);
    struct qn_fp fp = qn_fp_enter();
    quern_status status = finish_kind(r, threads, &r->moments, NULL, out,
                                      offsetof(struct qn_running_result, moments));
    if (status == QUERN_OK)
        status = finish_kind(r, threads, &r->weighted, r->open_weights, out,
                             offsetof(struct qn_running_result, weighted));
    qn_fp_leave(fp);
    for (uint32_t i = 0; i < r->extremes.n; i++)
        out[r->column[r->extremes.place[i]]].extremes = r->ends[i];
    return status;
}
