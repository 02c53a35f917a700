/* SPDX-License-Identifier: Apache-2.0
 * Arrays sorted by radix, least significant digit first: values become keys, integers in their order;
 * each pass counts the digits of every part, a scan (kernels/csr.k.h) makes the counts into places,
 * and a stable scatter moves what belongs to a key. That lies in planes of 32-bit words, `pitch` words
 * apart: the key's low half, its high half if it has one, its place if wanted.
 *
 * Lines of an array are sorted together: after the key's digits come those of the line, which is the
 * place divided by the line's length. Any operation here covers fewer than 2^32 values. */
#include "kernels/dialect.h"
#include "kernels/table.h"

#define QN_SORT_DOWN 1u /* as enum in host/ops/arrays.h */
#define QN_SORT_ZERO 2u

#if defined(QN_CPU_SHAPE)
#define QN_SORT_LANE 0u
#define QN_SORT_STEP 1u
#else
#define QN_SORT_LANE QN_ITEM()
#define QN_SORT_STEP QN_ITEMS
#endif
/* Every e of this group's part of n. */
#define QN_SORT_EACH(e, n, chunk)                                                                  \
    for (qn_u64 e = (qn_u64)QN_GROUP() * (chunk) + QN_SORT_LANE,                                   \
                end_ = (n) - (qn_u64)QN_GROUP() * (chunk) < (chunk)                                \
                           ? (n)                                                                   \
                           : (qn_u64)(QN_GROUP() + 1u) * (chunk);                                  \
         e < end_; e += QN_SORT_STEP)

/* ---- keys ---- */

QN_FN int qn_sort_wide(qn_u32 type)
{
    return type == QN_T_I64 || type == QN_T_U64 || type == QN_T_F64;
}

/* NaN is the largest key, up and down. */
QN_FN qn_u64 qn_sort_key(QN_GLOBAL const unsigned char *at, qn_u32 type, qn_u32 flags)
{
    qn_u32 down = (flags & QN_SORT_DOWN) != 0u ? 0xffffffffu : 0u, x;
    if (type == QN_T_F64) {
        qn_u64 u = *(QN_GLOBAL const qn_u64 *)at, sign = 0x8000000000000000u;
        if ((u & ~sign) > 0x7ff0000000000000u) return 0xffffffffffffffffu;
        if ((flags & QN_SORT_ZERO) != 0u && u == sign) u = 0u;
        u = u >> 63 ? ~u : u | sign;
        return down != 0u ? ~u : u;
    }
    if (type == QN_T_I64 || type == QN_T_U64) {
        qn_u64 u = *(QN_GLOBAL const qn_u64 *)at;
        if (type == QN_T_I64) u ^= 0x8000000000000000u;
        return down != 0u ? ~u : u;
    }
    switch (type) {
    case QN_T_BOOL: x = *at != 0u ? 1u : 0u; break;
    case QN_T_U8: x = *at; break;
    case QN_T_I8: x = *at ^ 0x80u; break;
    case QN_T_U16: x = *(QN_GLOBAL const unsigned short *)at; break;
    case QN_T_I16: x = *(QN_GLOBAL const unsigned short *)at ^ 0x8000u; break;
    case QN_T_U32: x = *(QN_GLOBAL const qn_u32 *)at; break;
    case QN_T_I32: x = *(QN_GLOBAL const qn_u32 *)at ^ 0x80000000u; break;
    default:
        x = *(QN_GLOBAL const qn_u32 *)at;
        if ((x & 0x7fffffffu) > 0x7f800000u) return 0xffffffffu;
        if ((flags & QN_SORT_ZERO) != 0u && x == 0x80000000u) x = 0u;
        x = x >> 31 ? ~x : x | 0x80000000u;
    }
    return x ^ down;
}

/* Stores the value of a key. */
QN_FN void qn_sort_value(QN_GLOBAL unsigned char *to, qn_u32 type, qn_u32 flags, qn_u64 key)
{
    int down = (flags & QN_SORT_DOWN) != 0u;
    qn_u32 k = down ? ~(qn_u32)key : (qn_u32)key;
    qn_u64 w = down ? ~key : key;
    switch (type) {
    case QN_T_BOOL:
    case QN_T_U8: *to = (unsigned char)k; break;
    case QN_T_I8: *to = (unsigned char)(k ^ 0x80u); break;
    case QN_T_U16: *(QN_GLOBAL unsigned short *)to = (unsigned short)k; break;
    case QN_T_I16: *(QN_GLOBAL unsigned short *)to = (unsigned short)(k ^ 0x8000u); break;
    case QN_T_U32: *(QN_GLOBAL qn_u32 *)to = k; break;
    case QN_T_I32: *(QN_GLOBAL qn_u32 *)to = k ^ 0x80000000u; break;
    case QN_T_U64: *(QN_GLOBAL qn_u64 *)to = w; break;
    case QN_T_I64: *(QN_GLOBAL qn_u64 *)to = w ^ 0x8000000000000000u; break;
    case QN_T_F32:
        k = k >> 31 ? k ^ 0x80000000u : ~k;
        *(QN_GLOBAL qn_u32 *)to = (qn_u32)key == 0xffffffffu ? 0x7fc00000u : k;
        break;
    default:
        w = w >> 63 ? w ^ 0x8000000000000000u : ~w;
        *(QN_GLOBAL qn_u64 *)to = key == 0xffffffffffffffffu ? 0x7ff8000000000000u : w;
    }
}

/* Where value e of an array of lines of `length` lies. */
QN_FN qn_u64 qn_sort_at(qn_u64 offset, qn_u64 e, qn_u64 length, qn_i64 line_stride, qn_i64 stride)
{
    qn_u64 line = e / length;
    return offset + line * (qn_u64)line_stride + (e - line * length) * (qn_u64)stride;
}

QN_FN qn_u64 qn_sort_plane_key(QN_GLOBAL const qn_u32 *planes, qn_u64 pitch, qn_u32 type, qn_u64 e)
{
    qn_u64 key = planes[e];
    return qn_sort_wide(type) ? key | (qn_u64)planes[pitch + e] << 32 : key;
}

/* flags with place != 0: the plane of places is filled. */
QN_KERNEL qn_sort_load(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset, qn_u64 n,
                       qn_u64 length, qn_u64 line_stride, qn_u64 stride, qn_u64 chunk, qn_u32 type,
                       qn_u32 flags, qn_u32 place, QN_GLOBAL qn_u32 *QN_RESTRICT planes,
                       qn_u64 pitch)
{
    QN_SORT_EACH(e, n, chunk)
    {
        qn_u64 key = qn_sort_key(
            in + qn_sort_at(offset, e, length, (qn_i64)line_stride, (qn_i64)stride), type, flags);
        planes[e] = (qn_u32)key;
        if (qn_sort_wide(type)) planes[pitch + e] = (qn_u32)(key >> 32);
        if (place != 0u) planes[place * pitch + e] = (qn_u32)e;
    }
}

/* ---- a pass ---- */

/* A digit: `bits` bits from `shift` on, of a plane or of its words divided by `line`. */
QN_FN qn_u32 qn_sort_digit(qn_u32 word, qn_u32 line, qn_u32 shift, qn_u32 bits)
{
    if (line != 1u) word /= line;
    return (word >> shift) & ((1u << bits) - 1u);
}

#if !defined(QN_CPU_SHAPE)

#define QN_SORT_DIGITS 16u
#define QN_SORT_TILE 2048u /* elements of a group: eight neighbours an item */
#define QN_SORT_EIGHT (QN_SORT_TILE / QN_ITEMS)

/* counts[digit][group] */
QN_KERNEL qn_sort_count(QN_GLOBAL const qn_u32 *QN_RESTRICT plane, qn_u64 n, qn_u64 chunk,
                        qn_u32 line, qn_u32 shift, qn_u32 groups,
                        QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    QN_SHARED qn_u32 bins[QN_SORT_DIGITS];
    qn_u32 item = QN_ITEM();
    if (item < QN_SORT_DIGITS) bins[item] = 0u;
    QN_BARRIER();
    QN_SORT_EACH(e, n, chunk)
    {
        QN_ADD_LOCAL(&bins[qn_sort_digit(plane[e], line, shift, 4u)], 1u);
    }
    QN_BARRIER();
    if (item < QN_SORT_DIGITS) counts[item * groups + QN_GROUP()] = bins[item];
}

/* In local memory each item counts the digits of its eight; a scan over [digit][item] makes that the
 * tile's order, in which words are put side by side before they are written. */
QN_KERNEL qn_sort_scatter(QN_GLOBAL const qn_u32 *QN_RESTRICT from,
                          QN_GLOBAL qn_u32 *QN_RESTRICT to, qn_u64 n, qn_u64 pitch, qn_u32 n_planes,
                          qn_u32 plane, qn_u32 line, qn_u32 shift, qn_u32 groups,
                          QN_GLOBAL const qn_u64 *QN_RESTRICT starts)
{
    QN_SHARED qn_u32 ranks[QN_SORT_DIGITS * QN_ITEMS];
    QN_SHARED qn_u32 part[QN_ITEMS];
    QN_SHARED qn_u32 words[QN_SORT_TILE];
    QN_SHARED qn_u32 base[QN_SORT_DIGITS];
    QN_SHARED unsigned char digit_at[QN_SORT_TILE];
    qn_u32 item = QN_ITEM(), mine[QN_SORT_EIGHT], place[QN_SORT_EIGHT], sum = 0u;
    qn_u64 first = (qn_u64)QN_GROUP() * QN_SORT_TILE;
    qn_u32 m = n - first < QN_SORT_TILE ? (qn_u32)(n - first) : QN_SORT_TILE;

    for (qn_u32 i = item; i < m; i += QN_ITEMS) words[i] = from[plane * pitch + first + i];
    for (qn_u32 d = 0u; d < QN_SORT_DIGITS; d++) ranks[d * QN_ITEMS + item] = 0u;
    QN_BARRIER();
    for (qn_u32 k = 0u; k < QN_SORT_EIGHT; k++) {
        qn_u32 i = item * QN_SORT_EIGHT + k;
        mine[k] = i < m ? qn_sort_digit(words[i], line, shift, 4u) : QN_SORT_DIGITS;
        if (i < m) ranks[mine[k] * QN_ITEMS + item] += 1u;
    }
    QN_BARRIER();
    /* an exclusive scan of all ranks: sixteen neighbours an item */
    for (qn_u32 k = 0u; k < QN_SORT_DIGITS; k++) sum += ranks[item * QN_SORT_DIGITS + k];
    part[item] = sum;
    QN_BARRIER();
    for (qn_u32 h = 1u; h < QN_ITEMS; h <<= 1) {
        qn_u32 add = item >= h ? part[item - h] : 0u;
        QN_BARRIER();
        part[item] += add;
        QN_BARRIER();
    }
    sum = part[item] - sum;
    for (qn_u32 k = 0u; k < QN_SORT_DIGITS; k++) {
        qn_u32 count = ranks[item * QN_SORT_DIGITS + k];
        ranks[item * QN_SORT_DIGITS + k] = sum;
        sum += count;
    }
    QN_BARRIER();
    if (item < QN_SORT_DIGITS) base[item] = ranks[item * QN_ITEMS];
    QN_BARRIER();
    for (qn_u32 k = 0u; k < QN_SORT_EIGHT; k++) {
        if (mine[k] == QN_SORT_DIGITS) continue;
        place[k] = ranks[mine[k] * QN_ITEMS + item];
        ranks[mine[k] * QN_ITEMS + item] = place[k] + 1u;
        digit_at[place[k]] = (unsigned char)mine[k];
    }
    for (qn_u32 p = 0u; p < n_planes; p++) {
        QN_BARRIER();
        for (qn_u32 i = item; i < m; i += QN_ITEMS) words[i] = from[p * pitch + first + i];
        QN_BARRIER();
        qn_u32 held[QN_SORT_EIGHT];
        for (qn_u32 k = 0u; k < QN_SORT_EIGHT; k++)
            held[k] = mine[k] != QN_SORT_DIGITS ? words[item * QN_SORT_EIGHT + k] : 0u;
        QN_BARRIER();
        for (qn_u32 k = 0u; k < QN_SORT_EIGHT; k++)
            if (mine[k] != QN_SORT_DIGITS) words[place[k]] = held[k];
        QN_BARRIER();
        for (qn_u32 i = item; i < m; i += QN_ITEMS) {
            qn_u32 d = digit_at[i];
            to[p * pitch + starts[d * groups + QN_GROUP()] + i - base[d]] = words[i];
        }
    }
}

#else /* QN_CPU_SHAPE */

#define QN_SORT_DIGITS 256u

QN_KERNEL qn_sort_count(QN_GLOBAL const qn_u32 *QN_RESTRICT plane, qn_u64 n, qn_u64 chunk,
                        qn_u32 line, qn_u32 shift, qn_u32 groups,
                        QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    qn_u32 bins[QN_SORT_DIGITS];
    for (qn_u32 d = 0u; d < QN_SORT_DIGITS; d++) bins[d] = 0u;
    QN_SORT_EACH(e, n, chunk)
    {
        bins[qn_sort_digit(plane[e], line, shift, 8u)] += 1u;
    }
    for (qn_u32 d = 0u; d < QN_SORT_DIGITS; d++) counts[d * groups + QN_GROUP()] = bins[d];
}

QN_KERNEL qn_sort_scatter(QN_GLOBAL const qn_u32 *QN_RESTRICT from,
                          QN_GLOBAL qn_u32 *QN_RESTRICT to, qn_u64 n, qn_u64 pitch, qn_u32 n_planes,
                          qn_u32 plane, qn_u32 line, qn_u32 shift, qn_u32 groups,
                          QN_GLOBAL const qn_u64 *QN_RESTRICT starts)
{
    qn_u64 next[QN_SORT_DIGITS], chunk = (n + groups - 1u) / groups;
    for (qn_u32 d = 0u; d < QN_SORT_DIGITS; d++) next[d] = starts[d * groups + QN_GROUP()];
    QN_SORT_EACH(e, n, chunk)
    {
        qn_u32 d = qn_sort_digit(from[plane * pitch + e], line, shift, 8u);
        qn_u64 at = next[d];
        next[d] = at + 1u;
        for (qn_u32 p = 0u; p < n_planes; p++) to[p * pitch + at] = from[p * pitch + e];
    }
}

#endif

/* ---- results ---- */

/* The first `keep` of every line: values by their keys, or from where they came. n is of all that is
 * kept. */
QN_KERNEL qn_sort_values(QN_GLOBAL const qn_u32 *QN_RESTRICT planes, qn_u64 pitch, qn_u32 place,
                         QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 in_offset,
                         qn_u64 in_line_stride, qn_u64 in_stride, qn_u64 n, qn_u64 length,
                         qn_u64 keep, qn_u64 chunk, qn_u32 type, qn_u32 flags,
                         QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 offset,
                         qn_u64 line_stride, qn_u64 stride)
{
    QN_SORT_EACH(e, n, chunk)
    {
        qn_u64 line = e / keep, at = line * length + (e - line * keep), key;
        if (place != 0u && (flags & QN_SORT_ZERO) == 0u)
            key = qn_sort_key(in + qn_sort_at(in_offset, planes[place * pitch + at], length,
                                              (qn_i64)in_line_stride, (qn_i64)in_stride),
                              type, flags);
        else
            key = qn_sort_plane_key(planes, pitch, type, at);
        qn_sort_value(out + qn_sort_at(offset, e, keep, (qn_i64)line_stride, (qn_i64)stride), type,
                      flags, key);
    }
}

QN_KERNEL qn_sort_order(QN_GLOBAL const qn_u32 *QN_RESTRICT places, qn_u64 n, qn_u64 length,
                        qn_u64 keep, qn_u64 chunk, QN_GLOBAL unsigned char *QN_RESTRICT out,
                        qn_u64 offset, qn_u64 line_stride, qn_u64 stride)
{
    QN_SORT_EACH(e, n, chunk)
    {
        qn_u64 line = e / keep, at = line * length + (e - line * keep);
        *(QN_GLOBAL qn_u64 *)(out + qn_sort_at(offset, e, keep, (qn_i64)line_stride,
                                               (qn_i64)stride)) = places[at] - line * length;
    }
}

/* ---- distinct values of one sorted line ---- */

/* counts[e]: 1 where a run of equal keys begins. */
QN_KERNEL qn_unique_mark(QN_GLOBAL const qn_u32 *QN_RESTRICT planes, qn_u64 pitch, qn_u64 n,
                         qn_u64 chunk, qn_u32 type, QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    QN_SORT_EACH(e, n, chunk)
    {
        counts[e] = e == 0u || qn_sort_plane_key(planes, pitch, type, e) !=
                                   qn_sort_plane_key(planes, pitch, type, e - 1u)
                        ? 1u
                        : 0u;
    }
}

/* starts[e]: runs that begin before e. first and begins are by run, inverse by place. place 0: neither
 * first nor inverse. */
QN_KERNEL qn_unique_place(QN_GLOBAL const qn_u32 *QN_RESTRICT planes, qn_u64 pitch, qn_u64 n,
                          qn_u64 chunk, qn_u32 type, qn_u32 place,
                          QN_GLOBAL const qn_u32 *QN_RESTRICT counts,
                          QN_GLOBAL const qn_u64 *QN_RESTRICT starts,
                          QN_GLOBAL unsigned char *QN_RESTRICT values, qn_u32 bytes,
                          QN_GLOBAL qn_u64 *QN_RESTRICT begins, QN_GLOBAL qn_u64 *QN_RESTRICT first,
                          QN_GLOBAL qn_u64 *QN_RESTRICT inverse)
{
    QN_SORT_EACH(e, n, chunk)
    {
        qn_u64 run = starts[e];
        if (counts[e] != 0u) {
            qn_sort_value(values + run * bytes, type, 0u,
                          qn_sort_plane_key(planes, pitch, type, e));
            begins[run] = e;
            if (place != 0u) first[run] = planes[place * pitch + e];
        }
        if (place != 0u) inverse[planes[place * pitch + e]] = run + counts[e] - 1u;
    }
}

/* ---- places in one sorted line ---- */

QN_KERNEL qn_search_sorted(QN_GLOBAL const unsigned char *QN_RESTRICT sorted, qn_u64 sorted_offset,
                           qn_u64 sorted_stride, qn_u64 n_sorted,
                           QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                           qn_u64 line_stride, qn_u64 stride, qn_u64 n, qn_u64 length, qn_u64 chunk,
                           qn_u32 type, qn_u32 right, qn_u32 flip,
                           QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 out_offset,
                           qn_u64 out_line_stride, qn_u64 out_stride)
{
    QN_SORT_EACH(e, n, chunk)
    {
        qn_u64 key =
            qn_sort_key(in + qn_sort_at(offset, e, length, (qn_i64)line_stride, (qn_i64)stride),
                        type, QN_SORT_ZERO);
        qn_u64 low = 0u, high = n_sorted;
        while (low < high) {
            qn_u64 mid = low + (high - low) / 2u;
            qn_u64 there =
                qn_sort_key(sorted + sorted_offset + mid * sorted_stride, type, QN_SORT_ZERO);
            if (there < key || (right != 0u && there == key))
                low = mid + 1u;
            else
                high = mid;
        }
        *(QN_GLOBAL qn_u64 *)(out + qn_sort_at(out_offset, e, length, (qn_i64)out_line_stride,
                                               (qn_i64)out_stride)) =
            flip != 0u ? n_sorted - low : low;
    }
}
