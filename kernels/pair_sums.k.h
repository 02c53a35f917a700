/* SPDX-License-Identifier: Apache-2.0
 * Sums over the values that two lines have in common (docs/arrays.md, decision 0027): of their differences and
 * how many there are, or of products of differences, in the order of kernels/covariance.k.h. A pair of lines has
 * shifts of its own, which are taken from the differences from the lines' means.
 *
 * Panels have 32 lines; sums have three planes of a number for each pair of two panels' lines. GPU: an item has
 * four pairs, sixteen lines apart. CPU: an item has all. */
#include "kernels/table.h"
#include "kernels/value.h"

#define QN_PAIR_BLOCK 256u
#define QN_PAIR_GROUP 16384u
#define QN_PAIR_PANEL 32u
#define QN_PAIR_CELLS 1024u
#define QN_PAIR_SLICE 16u /* values of a line that are packed at a time */

struct qn_pair_lines {
    QN_GLOBAL const unsigned char *base;
    qn_u64 line_stride, stride, lines;
    qn_u32 type;
    QN_GLOBAL const double *means; /* first words of the lines' means, then second words */
};

/* A value's difference from its line's mean, and whether it is there. */
QN_FN double qn_pair_difference(struct qn_pair_lines l, qn_u64 line, qn_u64 at, qn_u32 *there)
{
    double x = qn_value_double(l.base + line * l.line_stride + at * l.stride, l.type);
    *there = x == x ? 1u : 0u;
    return (x - l.means[line]) - l.means[l.lines + line];
}

/* Pair `group` after the pair of panels first, second, in rows of the triangle. */
QN_FN void qn_pair_step(qn_u32 panels, qn_u32 group, qn_u32 *first, qn_u32 *second)
{
    *second += group;
    while (*second >= panels) {
        *first += 1u;
        *second = *second - panels + *first;
    }
}

/* What two differences add to a pair's sums, both of them 0 where one is missing. */
#define QN_PAIR_ADD(products, both, t, w, s0, s1, s2)                                              \
    do {                                                                                           \
        if ((products) != 0u) {                                                                    \
            (s0) = QN_FMA((t), (w), (s0));                                                         \
            (s1) = QN_FMA((t), (t), (s1));                                                         \
            (s2) = QN_FMA((w), (w), (s2));                                                         \
        } else {                                                                                   \
            (s0) += (t);                                                                           \
            (s1) += (w);                                                                           \
            (s2) += (both) ? 1.0 : 0.0;                                                            \
        }                                                                                          \
    } while (0)

#if defined(QN_CPU_SHAPE)

QN_FN void qn_pair_pack(struct qn_pair_lines l, qn_u32 panel, qn_u64 at, qn_u32 count, double *to,
                        qn_u32 *there)
{
    for (qn_u32 c = 0u; c < QN_PAIR_PANEL; c++)
        for (qn_u32 k = 0u; k < count; k++) {
            qn_u64 line = (qn_u64)panel * QN_PAIR_PANEL + c;
            qn_u32 i = k * QN_PAIR_PANEL + c;
            to[i] = 0.0;
            there[i] = 0u;
            if (line < l.lines) to[i] = qn_pair_difference(l, line, at + k, &there[i]);
        }
}

/* Group x, y: pair of panels x after (first, second), group of values group + y. sums: [y][x][plane][cells];
 * shifts: [x][2][cells]. */
QN_KERNEL qn_pair_sums(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                       qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u32 type,
                       qn_u32 across, QN_GLOBAL const double *QN_RESTRICT means,
                       QN_GLOBAL const double *QN_RESTRICT shifts, qn_u32 products, qn_u32 panels,
                       qn_u32 first, qn_u32 second, qn_u32 pairs, qn_u64 group,
                       QN_GLOBAL double *QN_RESTRICT sums)
{
    struct qn_pair_lines l = {in + offset, line_stride, stride, lines, type, means};
    double left[QN_PAIR_SLICE * QN_PAIR_PANEL], right[QN_PAIR_SLICE * QN_PAIR_PANEL];
    qn_u32 has[QN_PAIR_SLICE * QN_PAIR_PANEL], also[QN_PAIR_SLICE * QN_PAIR_PANEL];
    double block[3u * QN_PAIR_CELLS];
    QN_GLOBAL double *to = sums + ((qn_u64)QN_GROUP_Y() * pairs + QN_GROUP()) * 3u * QN_PAIR_CELLS;
    QN_GLOBAL const double *shift = shifts + (qn_u64)QN_GROUP() * 2u * QN_PAIR_CELLS;
    qn_u64 at = (group + QN_GROUP_Y()) * QN_PAIR_GROUP;
    qn_u64 end = n - at < QN_PAIR_GROUP ? n : at + QN_PAIR_GROUP;
    (void)across;
    qn_pair_step(panels, QN_GROUP(), &first, &second);
    for (qn_u32 i = 0u; i < 3u * QN_PAIR_CELLS; i++) to[i] = 0.0;
    while (at < end) {
        qn_u64 next = end - at < QN_PAIR_BLOCK ? end : at + QN_PAIR_BLOCK;
        for (qn_u32 i = 0u; i < 3u * QN_PAIR_CELLS; i++) block[i] = 0.0;
        for (; at < next; at += QN_PAIR_SLICE) {
            qn_u32 count = next - at < QN_PAIR_SLICE ? (qn_u32)(next - at) : QN_PAIR_SLICE;
            qn_pair_pack(l, first, at, count, left, has);
            qn_pair_pack(l, second, at, count, right, also);
            for (qn_u32 c = 0u; c < QN_PAIR_CELLS; c++) {
                qn_u32 i = c / QN_PAIR_PANEL, j = c & (QN_PAIR_PANEL - 1u);
                double a = shift[c], b = shift[QN_PAIR_CELLS + c];
                double s0 = block[c], s1 = block[QN_PAIR_CELLS + c];
                double s2 = block[2u * QN_PAIR_CELLS + c];
                for (qn_u32 k = 0u; k < count; k++, i += QN_PAIR_PANEL, j += QN_PAIR_PANEL) {
                    int both = has[i] != 0u && also[j] != 0u;
                    double t = both ? left[i] - a : 0.0, w = both ? right[j] - b : 0.0;
                    QN_PAIR_ADD(products, both, t, w, s0, s1, s2);
                }
                block[c] = s0;
                block[QN_PAIR_CELLS + c] = s1;
                block[2u * QN_PAIR_CELLS + c] = s2;
            }
        }
        at = next;
        for (qn_u32 i = 0u; i < 3u * QN_PAIR_CELLS; i++) to[i] += block[i];
    }
}

#else /* GPU shape */

#define QN_PAIR_SIDE 16u

QN_FN void qn_pair_pack(struct qn_pair_lines l, qn_u32 panel, qn_u64 at, qn_u32 count,
                        qn_u32 across, QN_LOCAL double *to, QN_LOCAL qn_u32 *there)
{
    for (qn_u32 i = QN_ITEM(); i < QN_PAIR_PANEL * QN_PAIR_SLICE; i += QN_ITEMS) {
        qn_u32 c = across != 0u ? i & (QN_PAIR_PANEL - 1u) : i / QN_PAIR_SLICE;
        qn_u32 k = across != 0u ? i / QN_PAIR_PANEL : i & (QN_PAIR_SLICE - 1u), is = 0u;
        qn_u64 line = (qn_u64)panel * QN_PAIR_PANEL + c;
        double x = 0.0;
        if (line < l.lines && k < count) x = qn_pair_difference(l, line, at + k, &is);
        to[k * QN_PAIR_PANEL + c] = x;
        there[k * QN_PAIR_PANEL + c] = is;
    }
}

/* Group x, y: pair of panels x after (first, second), group of values group + y. sums: [y][x][plane][cells];
 * shifts: [x][2][cells]. */
QN_KERNEL qn_pair_sums(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                       qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u32 type,
                       qn_u32 across, QN_GLOBAL const double *QN_RESTRICT means,
                       QN_GLOBAL const double *QN_RESTRICT shifts, qn_u32 products, qn_u32 panels,
                       qn_u32 first, qn_u32 second, qn_u32 pairs, qn_u64 group,
                       QN_GLOBAL double *QN_RESTRICT sums)
{
    QN_SHARED double left[QN_PAIR_SLICE * QN_PAIR_PANEL];
    QN_SHARED double right[QN_PAIR_SLICE * QN_PAIR_PANEL];
    QN_SHARED qn_u32 has[QN_PAIR_SLICE * QN_PAIR_PANEL];
    QN_SHARED qn_u32 also[QN_PAIR_SLICE * QN_PAIR_PANEL];
    struct qn_pair_lines l = {in + offset, line_stride, stride, lines, type, means};
    QN_GLOBAL double *to = sums + ((qn_u64)QN_GROUP_Y() * pairs + QN_GROUP()) * 3u * QN_PAIR_CELLS;
    QN_GLOBAL const double *shift = shifts + (qn_u64)QN_GROUP() * 2u * QN_PAIR_CELLS;
    qn_u64 at = (group + QN_GROUP_Y()) * QN_PAIR_GROUP;
    qn_u64 end = n - at < QN_PAIR_GROUP ? n : at + QN_PAIR_GROUP;
    qn_u32 y = QN_ITEM() / QN_PAIR_SIDE, x = QN_ITEM() & (QN_PAIR_SIDE - 1u);
    double total[12], s[12], a[4], b[4];
    qn_pair_step(panels, QN_GROUP(), &first, &second);
    for (qn_u32 i = 0u; i < 4u; i++) {
        qn_u32 cell = (y + (i >> 1) * QN_PAIR_SIDE) * QN_PAIR_PANEL + x + (i & 1u) * QN_PAIR_SIDE;
        a[i] = shift[cell];
        b[i] = shift[QN_PAIR_CELLS + cell];
    }
    for (qn_u32 i = 0u; i < 12u; i++) total[i] = 0.0;
    while (at < end) {
        qn_u64 next = end - at < QN_PAIR_BLOCK ? end : at + QN_PAIR_BLOCK;
        for (qn_u32 i = 0u; i < 12u; i++) s[i] = 0.0;
        for (; at < next; at += QN_PAIR_SLICE) {
            qn_u32 count = next - at < QN_PAIR_SLICE ? (qn_u32)(next - at) : QN_PAIR_SLICE;
            qn_pair_pack(l, first, at, count, across, left, has);
            qn_pair_pack(l, second, at, count, across, right, also);
            QN_BARRIER();
            for (qn_u32 k = 0u; k < count; k++)
                for (qn_u32 i = 0u; i < 4u; i++) {
                    qn_u32 p = k * QN_PAIR_PANEL + y + (i >> 1) * QN_PAIR_SIDE;
                    qn_u32 q = k * QN_PAIR_PANEL + x + (i & 1u) * QN_PAIR_SIDE;
                    int both = has[p] != 0u && also[q] != 0u;
                    double t = both ? left[p] - a[i] : 0.0, w = both ? right[q] - b[i] : 0.0;
                    QN_PAIR_ADD(products, both, t, w, s[i], s[4u + i], s[8u + i]);
                }
            QN_BARRIER();
        }
        at = next;
        for (qn_u32 i = 0u; i < 12u; i++) total[i] += s[i];
    }
    for (qn_u32 i = 0u; i < 12u; i++) {
        qn_u32 k = i & 3u;
        to[(i >> 2) * QN_PAIR_CELLS + (y + (k >> 1) * QN_PAIR_SIDE) * QN_PAIR_PANEL + x +
           (k & 1u) * QN_PAIR_SIDE] = total[i];
    }
}

#endif
