/* SPDX-License-Identifier: Apache-2.0
 * A program in which every column runs the same chain, each with parameters of its own: the loops
 * around a chain that host/ops/generate.c writes. The generated words come between chain.k.h and this
 * text, which is why it includes nothing:
 *
 *   QN_IN, QN_OUT       the stored types
 *   QN_PARAMETERS(c)    declares the parameters of column c, read from `params` (rows of `pitch` words)
 *   QN_RESULT(x)        what is stored for x; ORs what was seen into a variable `seen`
 *   QN_TURN             0: rows to rows or columns to columns; 1: columns to rows; 2: rows to columns
 *   QN_INDEX_BITS       32 or 64: what holds a byte offset inside the batch
 *
 * at[0 … n) are the places of the input columns, at[n … 2n) those of the output columns. */
#if defined(QN_INDEX_BITS) && QN_INDEX_BITS == 32
typedef qn_u32 qn_index;
#else
typedef qn_u64 qn_index;
#endif

#define QN_INPUT(c, row)                                                                           \
    (*(QN_GLOBAL const QN_IN *)(in + at[c] + (qn_index)(row) * (qn_index)in_stride))
#define QN_OUTPUT(c, row)                                                                          \
    (*(QN_GLOBAL QN_OUT *)(out + at[n + (c)] + (qn_index)(row) * (qn_index)out_stride))

#if !defined(QN_CPU_SHAPE)

#if QN_TURN == 0

/* An item keeps its column: parameters stay in registers. width columns and 256 / width rows are side
 * by side in a group; group x: `steps` such rows; y: width columns. */
QN_KERNEL qn_program(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT params,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT at, qn_u32 pitch, qn_u32 n, qn_u64 rows,
                     qn_u64 in_stride, qn_u64 out_stride, qn_u32 width, qn_u32 steps,
                     QN_GLOBAL unsigned char *QN_RESTRICT out,
                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    QN_SHARED qn_u32 flags[QN_ITEMS];
    qn_u32 item = QN_ITEM(), first = QN_GROUP_Y() * width,
           wide = n - first < width ? n - first : width;
    qn_u32 team = QN_ITEMS / width, r = item / width, c = item - r * width, lane = first + c;
    qn_u32 seen = 0u;
    flags[item] = 0u;
    QN_BARRIER();
    if (r < team && c < wide) {
        QN_PARAMETERS(lane)
        qn_u64 row = (qn_u64)QN_GROUP() * steps * team + r, end = row + (qn_u64)steps * team;
        end = end < rows ? end : rows;
        for (; row + 3u * team < end; row += 4u * team) {
            QN_IN x[4];
            for (qn_u32 j = 0u; j < 4u; j++) x[j] = QN_INPUT(lane, row + j * team);
            for (qn_u32 j = 0u; j < 4u; j++) QN_OUTPUT(lane, row + j * team) = QN_RESULT(x[j]);
        }
        for (; row < end; row += team) QN_OUTPUT(lane, row) = QN_RESULT(QN_INPUT(lane, row));
        if (seen != 0u) QN_OR_LOCAL(&flags[c], seen);
    }
    QN_BARRIER();
    if (item < wide && flags[item] != 0u) QN_OR_GLOBAL(&seen_out[first + item], flags[item]);
}

#else

/* 32 rows of 32 columns at a time, turned in local memory. Group x: `steps` times 32 rows; y: 32
 * columns. */
QN_KERNEL qn_program(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT params,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT at, qn_u32 pitch, qn_u32 n, qn_u64 rows,
                     qn_u64 in_stride, qn_u64 out_stride, qn_u32 width, qn_u32 steps,
                     QN_GLOBAL unsigned char *QN_RESTRICT out,
                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out)
{
    QN_SHARED QN_OUT tile[QN_TILE * (QN_TILE + 1u)];
    QN_SHARED qn_u32 flags[QN_TILE];
    qn_u32 item = QN_ITEM(), first = QN_GROUP_Y() * width;
    if (item < QN_TILE) flags[item] = 0u;
    QN_BARRIER();
    for (qn_u32 step = 0u; step < steps; step++) {
        qn_u64 first_row = ((qn_u64)QN_GROUP() * steps + step) * QN_TILE;
        for (qn_u32 i = item; i < QN_TILE * QN_TILE; i += QN_ITEMS) {
            qn_u32 k = QN_TURN == 1 ? i >> 5 : i & 31u, r = QN_TURN == 1 ? i & 31u : i >> 5;
            qn_u32 lane = first + k, seen = 0u;
            if (lane < n && first_row + r < rows) {
                QN_PARAMETERS(lane)
                tile[k * (QN_TILE + 1u) + r] = QN_RESULT(QN_INPUT(lane, first_row + r));
                if (seen != 0u) QN_OR_LOCAL(&flags[k], seen);
            }
        }
        QN_BARRIER();
        for (qn_u32 i = item; i < QN_TILE * QN_TILE; i += QN_ITEMS) {
            qn_u32 k = QN_TURN == 1 ? i & 31u : i >> 5, r = QN_TURN == 1 ? i >> 5 : i & 31u;
            if (first + k < n && first_row + r < rows)
                QN_OUTPUT(first + k, first_row + r) = tile[k * (QN_TILE + 1u) + r];
        }
        QN_BARRIER();
    }
    if (item < QN_TILE && flags[item] != 0u) QN_OR_GLOBAL(&seen_out[first + item], flags[item]);
}

#endif

#else /* QN_CPU_SHAPE */

#if QN_TURN == 0

/* One value, with the parameters of its place. */
#define QN_VALUE(target, place)                                                                    \
    {                                                                                              \
        qn_u32 seen = 0u;                                                                          \
        QN_PARAMETERS(place)                                                                       \
        target = QN_RESULT(from[place]);                                                           \
        if (QN_WATCH) marks[place] |= seen;                                                        \
    }

/* n values side by side; past the caches by whole lines where the output is larger than they are. */
QN_FN void qn_program_row(QN_GLOBAL const QN_IN *QN_RESTRICT from, QN_GLOBAL QN_OUT *QN_RESTRICT to,
                          qn_u32 n, QN_GLOBAL const qn_u64 *QN_RESTRICT params, qn_u32 pitch,
                          QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                          QN_GLOBAL qn_u32 *QN_RESTRICT marks)
{
    qn_u32 i = 0u;
#if defined(QN_STREAM) && defined(QN_STORE_STREAM)
    QN_OUT some[QN_LINE / sizeof(QN_OUT)];
    for (; i < n && (QN_ADDRESS(to + i) & (QN_LINE - 1u)) != 0u; i++) QN_VALUE(to[i], i)
    for (; i + QN_LINE / sizeof(QN_OUT) <= n; i += QN_LINE / sizeof(QN_OUT)) {
        QN_ASK(from + i + QN_AHEAD / sizeof(QN_IN));
        for (qn_u32 k = 0u; k < QN_LINE / sizeof(QN_OUT); k++) QN_VALUE(some[k], i + k)
        QN_STORE_STREAM(to + i, some);
    }
#endif
    for (; i < n; i++) QN_VALUE(to[i], i)
    (void)words;
}

/* Row-major to row-major. Item x: rows [x * chunk, …) of `width` values: several rows of the matrix
 * together where it is packed, so that the loop is long whatever n is; `tail` values remain. */
QN_KERNEL qn_program(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT params,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT at, qn_u32 pitch, qn_u32 n, qn_u64 rows,
                     qn_u64 in_stride, qn_u64 out_stride, qn_u32 width, qn_u32 tail, qn_u64 chunk,
                     QN_GLOBAL unsigned char *QN_RESTRICT out,
                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out, QN_GLOBAL qn_u32 *QN_RESTRICT scratch)
{
    QN_GLOBAL qn_u32 *marks = scratch + (qn_u64)QN_GROUP() * width;
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    for (qn_u32 i = 0u; QN_WATCH && i < width; i++) marks[i] = 0u;
    for (qn_u64 row = from; row < to; row++)
        qn_program_row((QN_GLOBAL const QN_IN *)(in + at[0] + row * in_stride),
                       (QN_GLOBAL QN_OUT *)(out + at[n] + row * out_stride), width, params, pitch,
                       words, marks);
    if (to == rows && tail != 0u)
        qn_program_row((QN_GLOBAL const QN_IN *)(in + at[0] + rows * in_stride),
                       (QN_GLOBAL QN_OUT *)(out + at[n] + rows * out_stride), tail, params, pitch,
                       words, marks);
    for (qn_u32 i = 0u; QN_WATCH && i < width; i++)
        if (marks[i] != 0u) QN_OR_GLOBAL(&seen_out[i % n], marks[i]);
}

/* Packed columns to packed columns. Item x: rows [x * chunk, …) of column y. */
QN_KERNEL qn_program_column(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                            QN_GLOBAL const qn_u64 *QN_RESTRICT params,
                            QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                            QN_GLOBAL const qn_u64 *QN_RESTRICT at, qn_u32 pitch, qn_u32 n,
                            qn_u64 rows, qn_u64 in_stride, qn_u64 out_stride, qn_u32 width,
                            qn_u32 tail, qn_u64 chunk, QN_GLOBAL unsigned char *QN_RESTRICT out,
                            QN_GLOBAL qn_u32 *QN_RESTRICT seen_out,
                            QN_GLOBAL qn_u32 *QN_RESTRICT scratch)
{
    qn_u32 lane = QN_GROUP_Y(), seen = 0u;
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    QN_GLOBAL const QN_IN *x = (QN_GLOBAL const QN_IN *)(in + at[lane]);
    QN_GLOBAL QN_OUT *y = (QN_GLOBAL QN_OUT *)(out + at[n + lane]);
    QN_PARAMETERS(lane)
    for (qn_u64 i = from; i < to; i++) y[i] = QN_RESULT(x[i]);
    if (seen != 0u) QN_OR_GLOBAL(&seen_out[lane], seen);
}

#else

#define QN_SIDE 16u
#define QN_DEPTH 64u

/* Item x: rows [x * chunk, …), in tiles of 64 rows and 16 columns. */
QN_KERNEL qn_program(QN_GLOBAL const unsigned char *QN_RESTRICT in,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT params,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT words,
                     QN_GLOBAL const qn_u64 *QN_RESTRICT at, qn_u32 pitch, qn_u32 n, qn_u64 rows,
                     qn_u64 in_stride, qn_u64 out_stride, qn_u32 width, qn_u32 tail, qn_u64 chunk,
                     QN_GLOBAL unsigned char *QN_RESTRICT out,
                     QN_GLOBAL qn_u32 *QN_RESTRICT seen_out, QN_GLOBAL qn_u32 *QN_RESTRICT scratch)
{
    QN_OUT tile[QN_SIDE * QN_DEPTH];
    qn_u64 from = (qn_u64)QN_GROUP() * chunk, to = rows - from < chunk ? rows : from + chunk;
    for (qn_u64 row = from; row < to; row += QN_DEPTH) {
        qn_u32 deep = to - row < QN_DEPTH ? (qn_u32)(to - row) : QN_DEPTH;
        for (qn_u32 first = 0u; first < n; first += QN_SIDE) {
            qn_u32 wide = n - first < QN_SIDE ? n - first : QN_SIDE;
            for (qn_u32 k = 0u; k < wide; k++) {
                qn_u32 seen = 0u;
                QN_PARAMETERS(first + k)
                for (qn_u32 r = 0u; r < deep; r++)
                    tile[k * QN_DEPTH + r] = QN_RESULT(QN_INPUT(first + k, row + r));
                if (seen != 0u) QN_OR_GLOBAL(&seen_out[first + k], seen);
            }
            if (QN_TURN == 1) {
                for (qn_u32 r = 0u; r < deep; r++)
                    for (qn_u32 k = 0u; k < wide; k++)
                        QN_OUTPUT(first + k, row + r) = tile[k * QN_DEPTH + r];
            } else {
                for (qn_u32 k = 0u; k < wide; k++)
                    for (qn_u32 r = 0u; r < deep; r++)
                        QN_OUTPUT(first + k, row + r) = tile[k * QN_DEPTH + r];
            }
        }
    }
}

#endif

#endif
