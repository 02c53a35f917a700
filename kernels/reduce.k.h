/* SPDX-License-Identifier: Apache-2.0
 * Reductions of lines: a node (kernels/reduce.h) for each block of each line. GPU: 256 items are the 16
 * parts of 16 pairs of line and block; `across` says whether neighbouring items are neighbouring lines
 * or neighbouring values. CPU: an item takes a run of pairs. */
#include "kernels/reduce.h"
#include "kernels/table.h"
#include "kernels/value.h"

struct qn_reduce_lines {
    QN_GLOBAL const unsigned char *base;
    qn_u64 line_stride, stride, lines, n, blocks;
    qn_u32 type, kind, skip;
};

/* What is done with a float, and with an integer. */
QN_FN void qn_reduce_take_float(qn_u32 kind, qn_u32 skip, int plain, double x, qn_u64 place,
                                struct qn_reduced *r)
{
    int missing = x != x;
    if (kind == QN_REDUCE_SUM) {
        double s = QN_F64(r->a), e = QN_F64(r->b);
        if (skip != 0u && missing) {
            r->missing += 1u;
            x = 0.0;
        }
        if (plain)
            s += x;
        else
            QN_REDUCE_ADD(s, e, x);
        r->a = QN_BITS64(s);
        r->b = QN_BITS64(e);
    } else if (kind == QN_REDUCE_PRODUCT) {
        if (skip != 0u && missing) {
            r->missing += 1u;
            x = 1.0;
        }
        x = QN_F64(r->a) * x;
        r->a = QN_BITS64(x);
    } else if (kind == QN_REDUCE_COUNT) {
        r->a += x != 0.0 ? 1u : 0u;
        r->missing += missing ? 1u : 0u;
    } else {
        qn_u64 key = missing ? 0u : qn_reduce_key(x);
        if (!missing && kind == QN_REDUCE_MAX) key = ~key;
        r->missing += missing ? 1u : 0u;
        if ((!missing || skip == 0u) && key < r->a) {
            r->a = key;
            r->place = place;
        }
    }
}

QN_FN void qn_reduce_take_integer(qn_u32 kind, int is_signed, qn_u64 x, qn_u64 place,
                                  struct qn_reduced *r)
{
    if (kind == QN_REDUCE_SUM_INT) {
        r->a += x;
    } else if (kind == QN_REDUCE_PRODUCT_INT) {
        r->a *= x;
    } else if (kind == QN_REDUCE_COUNT) {
        r->a += x != 0u ? 1u : 0u;
    } else {
        if (is_signed) x ^= QN_REDUCE_TOP;
        if (kind == QN_REDUCE_MAX) x = ~x;
        if (x < r->a || r->place == 0xffffffffffffffffu) {
            r->a = x;
            r->place = place;
        }
    }
}

/* Value `place` of a line. */
QN_FN void qn_reduce_take(struct qn_reduce_lines l, QN_GLOBAL const unsigned char *line,
                          qn_u64 place, struct qn_reduced *r)
{
    QN_GLOBAL const unsigned char *at = line + place * l.stride;
    int floats = l.type == QN_T_F32 || l.type == QN_T_F64;
    if (floats || l.kind == QN_REDUCE_SUM || l.kind == QN_REDUCE_PRODUCT)
        qn_reduce_take_float(l.kind, l.skip, l.type == QN_T_F32, qn_value_double(at, l.type), place,
                             r);
    else
        qn_reduce_take_integer(l.kind,
                               l.type == QN_T_I8 || l.type == QN_T_I16 || l.type == QN_T_I32 ||
                                   l.type == QN_T_I64,
                               qn_value_integer(at, l.type), place, r);
}

/* One line, value after value. */
QN_FN void qn_accumulate_line(QN_GLOBAL const unsigned char *at, qn_u64 stride, qn_u64 n,
                              qn_u32 type, qn_u32 product, qn_u32 skip, QN_GLOBAL unsigned char *to,
                              qn_u64 out_stride, qn_u32 out_type)
{
    float f = product != 0u ? 1.0f : 0.0f;
    double d = (double)f;
    qn_u64 u = product;
    for (qn_u64 i = 0u; i < n; i++, at += stride, to += out_stride) {
        if (out_type == QN_T_F32) {
            float x = *(QN_GLOBAL const float *)at;
            if (skip != 0u && x != x) x = product != 0u ? 1.0f : 0.0f;
            f = product != 0u ? f * x : f + x;
            *(QN_GLOBAL qn_u32 *)to = f == f ? QN_BITS32(f) : 0x7fc00000u;
        } else if (out_type == QN_T_F64) {
            double x = *(QN_GLOBAL const double *)at;
            if (skip != 0u && x != x) x = product != 0u ? 1.0 : 0.0;
            d = product != 0u ? d * x : d + x;
            *(QN_GLOBAL qn_u64 *)to = d == d ? QN_BITS64(d) : 0x7ff8000000000000u;
        } else {
            qn_u64 x = qn_value_integer(at, type);
            u = product != 0u ? u * x : u + x;
            *(QN_GLOBAL qn_u64 *)to = u;
        }
    }
}

#if defined(QN_CPU_SHAPE)
#define QN_ACCUMULATE_FIRST 0u
#define QN_ACCUMULATE_STEP 1u
#else
#define QN_ACCUMULATE_FIRST QN_ITEM()
#define QN_ACCUMULATE_STEP QN_ITEMS
#endif

/* A group takes per_group lines, an item one after another of them. */
QN_KERNEL qn_accumulate(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                        qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u64 per_group,
                        qn_u32 type, qn_u32 product, qn_u32 skip,
                        QN_GLOBAL unsigned char *QN_RESTRICT out, qn_u64 out_offset,
                        qn_u64 out_line_stride, qn_u64 out_stride, qn_u32 out_type)
{
    qn_u64 first = (qn_u64)QN_GROUP() * per_group, end = first + per_group;
    if (end > lines) end = lines;
    for (qn_u64 line = first + QN_ACCUMULATE_FIRST; line < end; line += QN_ACCUMULATE_STEP)
        qn_accumulate_line(in + offset + line * line_stride, stride, n, type, product, skip,
                           out + out_offset + line * out_line_stride, out_stride, out_type);
}

#if defined(QN_CPU_SHAPE)

QN_KERNEL qn_reduce_blocks(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                           qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u64 blocks,
                           qn_u64 per_item, qn_u32 type, qn_u32 kind, qn_u32 skip,
                           QN_GLOBAL struct qn_reduced *QN_RESTRICT out)
{
    struct qn_reduce_lines l = {in + offset, line_stride, stride, lines, n,
                                blocks,      type,        kind,   skip};
    qn_u64 end = ((qn_u64)QN_GROUP() + 1u) * per_item;
    if (end > lines * blocks) end = lines * blocks;
    for (qn_u64 pair = (qn_u64)QN_GROUP() * per_item; pair < end; pair++) {
        qn_u64 line = pair / blocks, first = (pair - line * blocks) * QN_BLOCK_ROWS;
        qn_u64 last = n - first < QN_BLOCK_ROWS ? n : first + QN_BLOCK_ROWS;
        struct qn_reduced parts[QN_REDUCE_PARTS];
        for (qn_u32 k = 0u; k < QN_REDUCE_PARTS; k++) parts[k] = qn_reduce_empty(kind);
        for (qn_u64 i = first; i < last; i++)
            qn_reduce_take(l, l.base + line * line_stride, i, &parts[i & (QN_REDUCE_PARTS - 1u)]);
        for (qn_u32 h = QN_REDUCE_PARTS / 2u; h > 0u; h >>= 1)
            for (qn_u32 k = 0u; k < h; k++)
                parts[k] = qn_reduce_merge(kind, parts[k], parts[k + h]);
        out[pair] = parts[0];
    }
}

#else

QN_KERNEL qn_reduce_blocks(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                           qn_u64 line_stride, qn_u64 stride, qn_u64 lines, qn_u64 n, qn_u64 blocks,
                           qn_u64 across, qn_u32 type, qn_u32 kind, qn_u32 skip,
                           QN_GLOBAL struct qn_reduced *QN_RESTRICT out)
{
    QN_SHARED qn_u64 a[QN_ITEMS];
    QN_SHARED qn_u64 b[QN_ITEMS];
    QN_SHARED qn_u64 place[QN_ITEMS];
    QN_SHARED qn_u64 missing[QN_ITEMS];
    struct qn_reduce_lines l = {in + offset, line_stride, stride, lines, n,
                                blocks,      type,        kind,   skip};
    qn_u32 item = QN_ITEM(), pairs = QN_ITEMS / QN_REDUCE_PARTS;
    qn_u32 part = across != 0u ? item / pairs : item & (QN_REDUCE_PARTS - 1u);
    qn_u32 hop = across != 0u ? pairs : 1u;
    qn_u32 mine = across != 0u ? item & (pairs - 1u) : item / QN_REDUCE_PARTS;
    qn_u64 pair = (qn_u64)QN_GROUP() * pairs + mine;
    qn_u64 line = 0u, block = 0u, on = pair < lines * blocks ? 1u : 0u;
    if (on != 0u && across != 0u) {
        block = pair / lines;
        line = pair - block * lines;
    } else if (on != 0u) {
        line = pair / blocks;
        block = pair - line * blocks;
    }
    struct qn_reduced r = qn_reduce_empty(kind);
    if (on != 0u) {
        qn_u64 first = block * QN_BLOCK_ROWS;
        qn_u64 last = n - first < QN_BLOCK_ROWS ? n : first + QN_BLOCK_ROWS;
        for (qn_u64 i = first + part; i < last; i += QN_REDUCE_PARTS)
            qn_reduce_take(l, l.base + line * line_stride, i, &r);
    }
    a[item] = r.a;
    b[item] = r.b;
    place[item] = r.place;
    missing[item] = r.missing;
    QN_BARRIER();
    for (qn_u32 h = QN_REDUCE_PARTS / 2u; h > 0u; h >>= 1) {
        if (part < h) {
            qn_u32 other = item + h * hop;
            struct qn_reduced next = {a[other], b[other], place[other], missing[other]};
            r = qn_reduce_merge(kind, r, next);
            a[item] = r.a;
            b[item] = r.b;
            place[item] = r.place;
            missing[item] = r.missing;
        }
        QN_BARRIER();
    }
    if (on != 0u && part == 0u) out[line * blocks + block] = r;
}

#endif
