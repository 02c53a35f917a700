/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of lines' differences from their means (docs/arrays.md, decision 0023). Lines are cut
 * into panels of QN_COV_PANEL; what a group takes is two panels, the first not after the second, and
 * QN_COV_GROUP values of each of their lines. Each pair of lines has one sum: the values of a block are added
 * to it one after another, blocks to their group's sum in their order, and groups are added in theirs.
 *
 * GPU: an item has sixteen pairs, sixteen lines apart, whose values lie in local memory. CPU: an item has all
 * pairs of the two panels, and packs differences of a few values. */
#include "kernels/table.h"
#include "kernels/value.h"

#define QN_COV_BLOCK 256u
#define QN_COV_GROUP 16384u

#if defined(QN_CPU_SHAPE)
#define QN_COV_PANEL 32u
#define QN_COV_SLICE 32u /* values of a line that are packed at a time */
#else
#define QN_COV_PANEL 64u
#define QN_COV_SLICE 16u
#endif
#define QN_COV_CELLS (QN_COV_PANEL * QN_COV_PANEL)

struct qn_cov_lines {
    QN_GLOBAL const unsigned char *base;
    qn_u64 line_stride, stride, lines, n;
    qn_u32 type;
    QN_GLOBAL const double *means;   /* first words of the lines' means, then second words */
    QN_GLOBAL const double *weights; /* of values; looked at where weighted */
    qn_u32 weighted;
};

QN_FN double qn_cov_difference(struct qn_cov_lines l, qn_u64 line, qn_u64 at)
{
    double x = qn_value_double(l.base + line * l.line_stride + at * l.stride, l.type);
    return (x - l.means[line]) - l.means[l.lines + line];
}

/* Pair `group` after the pair of panels first, second, in rows of the triangle. */
QN_FN void qn_cov_step(qn_u32 panels, qn_u32 group, qn_u32 *first, qn_u32 *second)
{
    *second += group;
    while (*second >= panels) {
        *first += 1u;
        *second = *second - panels + *first;
    }
}

/* For each line and block the sum of weighted differences. Item: a line's block, or per_item of them. */
QN_KERNEL qn_cov_shift(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                       qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u32 type,
                       QN_GLOBAL const double *QN_RESTRICT means,
                       QN_GLOBAL const double *QN_RESTRICT weights, qn_u64 first, qn_u64 count,
                       qn_u64 blocks, qn_u64 per_item, QN_GLOBAL double *QN_RESTRICT sums)
{
    struct qn_cov_lines l = {in + offset, line_stride, stride, lines, n, type, means, weights, 1u};
#if defined(QN_CPU_SHAPE)
    qn_u64 at = (qn_u64)QN_GROUP() * per_item;
#else
    qn_u64 at = ((qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM()) * per_item;
#endif
    qn_u64 end = at + per_item < count ? at + per_item : count;
    for (; at < end; at++) {
        qn_u64 line = at / blocks, from = (at - line * blocks) * QN_COV_BLOCK;
        qn_u64 to = n - from < QN_COV_BLOCK ? n : from + QN_COV_BLOCK;
        double sum = 0.0;
        for (qn_u64 i = from; i < to; i++)
            sum = QN_FMA(weights[i], qn_cov_difference(l, first + line, i), sum);
        sums[at] = sum;
    }
}

#if defined(QN_CPU_SHAPE)

#define QN_COV_ROWS 4u    /* lines of the first panel that are in registers at a time, with */
#define QN_COV_COLUMNS 8u /* … of the second */

/* Differences of a panel's lines, `count` values from `at` on; lines that are missing are 0. */
QN_FN void qn_cov_pack(struct qn_cov_lines l, qn_u32 panel, qn_u64 at, qn_u32 count,
                       qn_u32 weighted, double *to)
{
    qn_u64 from = (qn_u64)panel * QN_COV_PANEL;
    for (qn_u32 c = 0u; c < QN_COV_PANEL; c++) {
        if (from + c >= l.lines) {
            for (qn_u32 i = 0u; i < count; i++) to[i * QN_COV_PANEL + c] = 0.0;
            continue;
        }
        for (qn_u32 i = 0u; i < count; i++)
            to[i * QN_COV_PANEL + c] = qn_cov_difference(l, from + c, at + i);
        for (qn_u32 i = 0u; weighted != 0u && i < count; i++)
            to[i * QN_COV_PANEL + c] = l.weights[at + i] * to[i * QN_COV_PANEL + c];
    }
}

/* sums: of the block, panel by panel. */
QN_FN void qn_cov_add(const double *left, const double *right, qn_u32 count, qn_u32 rows,
                      qn_u32 columns, double *sums)
{
    for (qn_u32 i = 0u; i < rows; i += QN_COV_ROWS)
        for (qn_u32 j = 0u; j < columns; j += QN_COV_COLUMNS) {
            double s[QN_COV_ROWS * QN_COV_COLUMNS];
            const double *p = left + i, *q = right + j;
            for (qn_u32 a = 0u; a < QN_COV_ROWS; a++)
                for (qn_u32 b = 0u; b < QN_COV_COLUMNS; b++)
                    s[a * QN_COV_COLUMNS + b] = sums[(i + a) * QN_COV_PANEL + j + b];
            for (qn_u32 k = 0u; k < count; k++, p += QN_COV_PANEL, q += QN_COV_PANEL)
                for (qn_u32 a = 0u; a < QN_COV_ROWS; a++)
                    for (qn_u32 b = 0u; b < QN_COV_COLUMNS; b++)
                        s[a * QN_COV_COLUMNS + b] = QN_FMA(p[a], q[b], s[a * QN_COV_COLUMNS + b]);
            for (qn_u32 a = 0u; a < QN_COV_ROWS; a++)
                for (qn_u32 b = 0u; b < QN_COV_COLUMNS; b++)
                    sums[(i + a) * QN_COV_PANEL + j + b] = s[a * QN_COV_COLUMNS + b];
        }
}

QN_FN qn_u32 qn_cov_width(qn_u64 lines, qn_u32 panel)
{
    qn_u64 left = lines - (qn_u64)panel * QN_COV_PANEL;
    return left < QN_COV_PANEL ? (qn_u32)left : QN_COV_PANEL;
}

/* Group x, y: pair of panels x after (first, second), group of values group + y. sums: [y][x][cells]. */
QN_KERNEL qn_cov_products(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                          qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u32 type,
                          qn_u32 across, QN_GLOBAL const double *QN_RESTRICT means,
                          QN_GLOBAL const double *QN_RESTRICT weights, qn_u32 weighted,
                          qn_u32 panels, qn_u32 first, qn_u32 second, qn_u32 pairs, qn_u64 group,
                          QN_GLOBAL double *QN_RESTRICT sums)
{
    struct qn_cov_lines l = {in + offset, line_stride, stride,  lines,   n,
                             type,        means,       weights, weighted};
    double left[QN_COV_SLICE * QN_COV_PANEL], right[QN_COV_SLICE * QN_COV_PANEL];
    double block[QN_COV_CELLS];
    QN_GLOBAL double *to = sums + ((qn_u64)QN_GROUP_Y() * pairs + QN_GROUP()) * QN_COV_CELLS;
    qn_u64 at = (group + QN_GROUP_Y()) * QN_COV_GROUP;
    qn_u64 end = n - at < QN_COV_GROUP ? n : at + QN_COV_GROUP;
    (void)across;
    qn_cov_step(panels, QN_GROUP(), &first, &second);
    qn_u32 rows = qn_cov_width(lines, first), columns = qn_cov_width(lines, second);
    int same = first == second && weighted == 0u;
    for (qn_u32 i = 0u; i < QN_COV_CELLS; i++) to[i] = 0.0;
    while (at < end) {
        qn_u64 next = end - at < QN_COV_BLOCK ? end : at + QN_COV_BLOCK;
        for (qn_u32 i = 0u; i < QN_COV_CELLS; i++) block[i] = 0.0;
        for (; at < next; at += QN_COV_SLICE) {
            qn_u32 count = next - at < QN_COV_SLICE ? (qn_u32)(next - at) : QN_COV_SLICE;
            qn_cov_pack(l, first, at, count, weighted, left);
            if (!same) qn_cov_pack(l, second, at, count, 0u, right);
            qn_cov_add(left, same ? left : right, count, rows, columns, block);
        }
        at = next;
        for (qn_u32 i = 0u; i < QN_COV_CELLS; i++) to[i] += block[i];
    }
}

#else /* GPU shape */

#define QN_COV_SIDE 16u /* items along a panel; each has every sixteenth line */
#define QN_COV_EACH 4u

/* Differences of a panel's lines, `count` values from `at` on; what is missing is 0. */
QN_FN void qn_cov_pack(struct qn_cov_lines l, qn_u32 panel, qn_u64 at, qn_u32 count, qn_u32 across,
                       qn_u32 weighted, QN_LOCAL double *to)
{
    for (qn_u32 i = QN_ITEM(); i < QN_COV_PANEL * QN_COV_SLICE; i += QN_ITEMS) {
        qn_u32 c = across != 0u ? i & (QN_COV_PANEL - 1u) : i / QN_COV_SLICE;
        qn_u32 k = across != 0u ? i / QN_COV_PANEL : i & (QN_COV_SLICE - 1u);
        qn_u64 line = (qn_u64)panel * QN_COV_PANEL + c;
        double x = 0.0;
        if (line < l.lines && k < count) {
            x = qn_cov_difference(l, line, at + k);
            if (weighted != 0u) x = l.weights[at + k] * x;
        }
        to[k * QN_COV_PANEL + c] = x;
    }
}

/* Group x, y: pair of panels x after (first, second), group of values group + y. sums: [y][x][cells]. */
QN_KERNEL qn_cov_products(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                          qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u32 type,
                          qn_u32 across, QN_GLOBAL const double *QN_RESTRICT means,
                          QN_GLOBAL const double *QN_RESTRICT weights, qn_u32 weighted,
                          qn_u32 panels, qn_u32 first, qn_u32 second, qn_u32 pairs, qn_u64 group,
                          QN_GLOBAL double *QN_RESTRICT sums)
{
    QN_SHARED double left[QN_COV_SLICE * QN_COV_PANEL];
    QN_SHARED double right[QN_COV_SLICE * QN_COV_PANEL];
    struct qn_cov_lines l = {in + offset, line_stride, stride,  lines,   n,
                             type,        means,       weights, weighted};
    QN_GLOBAL double *to = sums + ((qn_u64)QN_GROUP_Y() * pairs + QN_GROUP()) * QN_COV_CELLS;
    qn_u64 at = (group + QN_GROUP_Y()) * QN_COV_GROUP;
    qn_u64 end = n - at < QN_COV_GROUP ? n : at + QN_COV_GROUP;
    qn_u32 y = QN_ITEM() / QN_COV_SIDE, x = QN_ITEM() & (QN_COV_SIDE - 1u);
    double total[QN_COV_EACH * QN_COV_EACH], s[QN_COV_EACH * QN_COV_EACH];
    qn_cov_step(panels, QN_GROUP(), &first, &second);
    /* Items whose lines are all missing only help to pack. */
    int on = (qn_u64)first * QN_COV_PANEL + y < lines && (qn_u64)second * QN_COV_PANEL + x < lines;
    for (qn_u32 i = 0u; i < QN_COV_EACH * QN_COV_EACH; i++) total[i] = 0.0;
    while (at < end) {
        qn_u64 next = end - at < QN_COV_BLOCK ? end : at + QN_COV_BLOCK;
        for (qn_u32 i = 0u; i < QN_COV_EACH * QN_COV_EACH; i++) s[i] = 0.0;
        for (; at < next; at += QN_COV_SLICE) {
            qn_u32 count = next - at < QN_COV_SLICE ? (qn_u32)(next - at) : QN_COV_SLICE;
            qn_cov_pack(l, first, at, count, across, weighted, left);
            qn_cov_pack(l, second, at, count, across, 0u, right);
            QN_BARRIER();
            for (qn_u32 k = 0u; k < count && on; k++) {
                double p[QN_COV_EACH], q[QN_COV_EACH];
                for (qn_u32 i = 0u; i < QN_COV_EACH; i++) {
                    p[i] = left[k * QN_COV_PANEL + y + i * QN_COV_SIDE];
                    q[i] = right[k * QN_COV_PANEL + x + i * QN_COV_SIDE];
                }
                for (qn_u32 i = 0u; i < QN_COV_EACH; i++)
                    for (qn_u32 j = 0u; j < QN_COV_EACH; j++)
                        s[i * QN_COV_EACH + j] = QN_FMA(p[i], q[j], s[i * QN_COV_EACH + j]);
            }
            QN_BARRIER();
        }
        at = next;
        for (qn_u32 i = 0u; i < QN_COV_EACH * QN_COV_EACH; i++) total[i] += s[i];
    }
    for (qn_u32 i = 0u; i < QN_COV_EACH; i++)
        for (qn_u32 j = 0u; j < QN_COV_EACH; j++)
            to[(y + i * QN_COV_SIDE) * QN_COV_PANEL + x + j * QN_COV_SIDE] =
                total[i * QN_COV_EACH + j];
}

#endif

/* totals[i] += sums of the groups of a wave, in their order. Item: a cell, or per_item of them. */
QN_KERNEL qn_cov_total(QN_GLOBAL const double *QN_RESTRICT sums, qn_u64 cells, qn_u32 groups,
                       qn_u64 per_item, QN_GLOBAL double *QN_RESTRICT totals)
{
#if defined(QN_CPU_SHAPE)
    qn_u64 i = (qn_u64)QN_GROUP() * per_item;
#else
    qn_u64 i = ((qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM()) * per_item;
#endif
    qn_u64 end = i + per_item < cells ? i + per_item : cells;
    for (; i < end; i++) {
        double total = totals[i];
        for (qn_u32 g = 0u; g < groups; g++) total += sums[g * cells + i];
        totals[i] = total;
    }
}
