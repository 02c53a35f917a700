/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/classes.h"

enum {
    PACK_ROWS = 128, /* rows of all lanes of a strip that stay in the nearest cache */
    FOLD_DEPTH = 5   /* of 16 lanes */
};

/* ---- strips ---- */

/* Lanes that lie apart are taken together, as far as they follow each other in the batch: rows are
 * gone through once for all of them. */
static int joins(const struct qn_strip *last, const struct qn_strip *next)
{
    return last->kind == QN_STRIP_CHAIN && last->count + next->count <= QN_CLASS_CHAINS;
}

static uint32_t cut(const struct qn_strip *strip, struct qn_strip *out, uint32_t bytes)
{
    uint32_t n = 0;
    for (uint32_t at = 0; at < strip->count; at += QN_CLASS_COLUMNS, n++) {
        uint32_t left = strip->count - at;
        out[n] = *strip;
        out[n].packed = 0;
        out[n].first = strip->first + at;
        out[n].count = left < QN_CLASS_COLUMNS ? left : QN_CLASS_COLUMNS;
        out[n].base = strip->base + (int64_t)at * bytes;
    }
    return n;
}

quern_status qn_class_strips(const struct qn_batch *batch, struct qn_strip **out, uint32_t *count)
{
    struct qn_strip *plain;
    uint32_t n;
    *count = 0;
    *out = qn_alloc(batch->n_lanes, sizeof **out);
    if (*out == NULL) return qn_error_memory("statistics", (uint64_t)batch->n_lanes * sizeof **out);
    quern_status status = qn_strips_make(batch, &plain, &n);
    for (uint32_t i = 0; status == QUERN_OK && i < n; i++) {
        struct qn_strip *strip = &plain[i];
        if (strip->count == 1) strip->kind = QN_STRIP_CHAIN;
        if (strip->kind != QN_STRIP_CHAIN) {
            *count += cut(strip, *out + *count, qn_stored_bytes(batch->lanes[strip->first].type));
            continue;
        }
        while (strip->count > QN_CLASS_CHAINS) {
            (*out)[*count] = *strip;
            (*out)[(*count)++].count = QN_CLASS_CHAINS;
            strip->first += QN_CLASS_CHAINS;
            strip->count -= QN_CLASS_CHAINS;
        }
        if (*count != 0 && joins(*out + *count - 1, strip))
            (*out)[*count - 1].count += strip->count;
        else
            (*out)[(*count)++] = *strip;
    }
    qn_free(plain);
    return status;
}

/* ---- chains ---- */

static void spread(const union qn_tile *tile, int is_float, uint32_t rows, size_t width,
                   double *out)
{
    for (uint32_t i = 0; i < rows; i++)
        out[i * width] = is_float ? (double)tile->f32[i] : tile->f64[i];
}

void qn_class_pack(const struct qn_batch *batch, const struct qn_strip *strip, uint64_t row,
                   uint32_t rows, union qn_tile *tile, double *out)
{
    size_t width = strip->count;
    for (uint32_t from = 0; from < rows; from += PACK_ROWS) {
        uint32_t n = rows - from < PACK_ROWS ? rows - from : PACK_ROWS;
        for (uint32_t c = 0; c < strip->count; c++) {
            const struct qn_lane *lane = &batch->lanes[strip->first + c];
            uint32_t work = qn_chain_eval(batch, lane, row + from, n, tile, NULL);
            if (work != QN_W_F32) qn_tile_widen(work, n, tile);
            spread(tile, work == QN_W_F32, n, width, out + from * width + c);
        }
    }
}

/* ---- memory ---- */

int qn_class_desk_open(uint32_t classes, struct qn_class_desk *desk)
{
    size_t sums = (size_t)classes * QN_CLASS_COLUMNS;
    *desk = (struct qn_class_desk){0};
    if (classes == 0) return 1;
    desk->pivots = qn_alloc_aligned(sums, sizeof *desk->pivots);
    desk->sums = qn_alloc_aligned(sums, 2 * FOLD_DEPTH * sizeof *desk->sums);
    desk->packed = qn_alloc_aligned((size_t)QN_BLOCK_ROWS * QN_CLASS_CHAINS, sizeof *desk->packed);
    desk->count = qn_alloc(classes, sizeof *desk->count);
    desk->first = qn_alloc(classes, sizeof *desk->first);
    if (desk->pivots != NULL && desk->sums != NULL && desk->packed != NULL && desk->count != NULL &&
        desk->first != NULL)
        return 1;
    qn_class_desk_close(desk);
    return 0;
}

void qn_class_desk_close(struct qn_class_desk *desk)
{
    qn_free(desk->pivots);
    qn_free(desk->sums);
    qn_free(desk->packed);
    qn_free(desk->count);
    qn_free(desk->first);
    *desk = (struct qn_class_desk){0};
}
