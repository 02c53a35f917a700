/* SPDX-License-Identifier: Apache-2.0
 * Missing cells from the nearest donors: what backends/cpu/neighbours.c defines, whose sums these are, in
 * their order, and whose order of neighbours: by distance, then by place.
 *
 * The rows with missing cells (receivers) are taken some hundred at a time. Their columns are gathered;
 * each pair of a receiver and a donor gets a distance; then each missing cell finds its neighbours, the
 * nearest first, by looking for the least distance that comes after the one before.
 *
 * The table: for each input the byte at which its packed column begins; then for each output a record.
 *
 * GPU: an item takes a donor and eight receivers, a group a cell. CPU: an item takes a tile of donors and
 * eight receivers, and a cell. */
#include "kernels/dialect.h"
#include "kernels/table.h"

#define QN_NEAR_BLOCK 8u /* receivers of an item */
#define QN_NEAR_TILE 64u /* donors of an item in CPU shape; QN_DONOR_TILE */
#define QN_NEAR_LIST 16u /* neighbours that are found at once in CPU shape */
#define QN_NEAR_NONE QN_F64(0x7ff0000000000000u)

/* An output. */
struct qn_near_output {
    qn_u64 to, from; /* bytes at which its packed column begins, and that of its input */
    qn_u64 column;   /* … its number */
    qn_u64 empty;    /* no donor has it: it is 0 */
    qn_u64 fallback; /* bits of what a cell gets without a neighbour */
};

QN_FN QN_GLOBAL const struct qn_near_output *qn_near_outputs(QN_GLOBAL const qn_u64 *table,
                                                             qn_u32 n_in)
{
    return (QN_GLOBAL const struct qn_near_output *)(table + n_in);
}

QN_FN double qn_near_load(QN_GLOBAL const unsigned char *base, qn_u64 at, qn_u32 type, qn_u64 row)
{
    if (type == QN_T_F32) return (double)((QN_GLOBAL const float *)(base + at))[row];
    return ((QN_GLOBAL const double *)(base + at))[row];
}

QN_FN void qn_near_store(QN_GLOBAL unsigned char *base, qn_u64 at, qn_u32 type, qn_u64 row,
                         double x)
{
    if (type == QN_T_F32)
        ((QN_GLOBAL float *)(base + at))[row] = (float)x;
    else
        ((QN_GLOBAL double *)(base + at))[row] = x;
}

/* ---- what is there, and which rows lack something ---- */

QN_FN qn_u32 qn_near_copy_row(QN_GLOBAL unsigned char *base, QN_GLOBAL const qn_u64 *table,
                              qn_u32 n_in, qn_u32 n_out, qn_u32 type, qn_u64 row)
{
    qn_u32 lacks = 0u;
    for (qn_u32 k = 0u; k < n_out; k++) {
        QN_GLOBAL const struct qn_near_output *out = qn_near_outputs(table, n_in) + k;
        double x = out->empty != 0u ? 0.0 : qn_near_load(base, out->from, type, row);
        if (x == x)
            qn_near_store(base, out->to, type, row, x);
        else
            lacks = 1u;
    }
    return lacks;
}

/* Item x of the launch: rows [x * per_item, …). */
QN_KERNEL qn_near_copy(QN_GLOBAL unsigned char *base, QN_GLOBAL const qn_u64 *QN_RESTRICT table,
                       qn_u64 rows, qn_u32 n_in, qn_u32 n_out, qn_u32 type, qn_u32 per_item,
                       QN_GLOBAL qn_u32 *QN_RESTRICT lacks)
{
#if defined(QN_CPU_SHAPE)
    qn_u64 row = (qn_u64)QN_GROUP() * per_item;
#else
    qn_u64 row = ((qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM()) * per_item;
#endif
    for (qn_u32 i = 0u; i < per_item && row + i < rows; i++)
        lacks[row + i] = qn_near_copy_row(base, table, n_in, n_out, type, row + i);
}

/* The receivers' columns, `pitch` apart; behind the n receivers come missing ones. */
QN_KERNEL qn_near_gather(QN_GLOBAL const unsigned char *QN_RESTRICT base,
                         QN_GLOBAL const qn_u64 *QN_RESTRICT table,
                         QN_GLOBAL const qn_u32 *QN_RESTRICT list, qn_u64 first, qn_u32 n,
                         qn_u32 pitch, qn_u32 n_in, qn_u32 type, qn_u32 per_item,
                         QN_GLOBAL double *QN_RESTRICT to)
{
#if defined(QN_CPU_SHAPE)
    qn_u32 from = QN_GROUP() * per_item;
#else
    qn_u32 from = (QN_GROUP() * QN_ITEMS + QN_ITEM()) * per_item;
#endif
    for (qn_u32 i = 0u; i < per_item && from + i < pitch; i++)
        for (qn_u32 c = 0u; c < n_in; c++)
            to[(qn_u64)c * pitch + from + i] =
                from + i < n ? qn_near_load(base, table[c], type, list[first + from + i])
                             : QN_F64(0x7ff8000000000000u);
}

/* ---- distances ---- */

QN_FN double qn_near_distance(double sum, double common, qn_u32 n_in)
{
    return common != 0.0 ? sum / common * (double)n_in : QN_NEAR_NONE;
}

#if !defined(QN_CPU_SHAPE)

/* distances: [receiver][donors], squared. Infinite without a common column. */
QN_KERNEL qn_near_distances(QN_GLOBAL const double *QN_RESTRICT values,
                            QN_GLOBAL const double *QN_RESTRICT receivers, qn_u64 donors,
                            qn_u32 pitch, qn_u32 n_in, QN_GLOBAL double *QN_RESTRICT distances)
{
    qn_u64 donor = (qn_u64)QN_GROUP() * QN_ITEMS + QN_ITEM();
    qn_u32 first = QN_GROUP_Y() * QN_NEAR_BLOCK;
    double sum[QN_NEAR_BLOCK];
    qn_u32 common[QN_NEAR_BLOCK];
    for (qn_u32 i = 0u; i < QN_NEAR_BLOCK; i++) {
        sum[i] = 0.0;
        common[i] = 0u;
    }
    for (qn_u32 c = 0u; c < n_in && donor < donors; c++) {
        double y = values[c * donors + donor];
        QN_GLOBAL const double *x = receivers + (qn_u64)c * pitch + first;
        for (qn_u32 i = 0u; i < QN_NEAR_BLOCK; i++) {
            double t = y - x[i];
            int both = y == y && x[i] == x[i];
            sum[i] += both ? t * t : 0.0;
            common[i] += both ? 1u : 0u;
        }
    }
    for (qn_u32 i = 0u; i < QN_NEAR_BLOCK && donor < donors; i++)
        distances[(qn_u64)(first + i) * donors + donor] =
            qn_near_distance(sum[i], (double)common[i], n_in);
}

#else /* QN_CPU_SHAPE */

QN_KERNEL qn_near_distances(QN_GLOBAL const double *QN_RESTRICT values,
                            QN_GLOBAL const double *QN_RESTRICT receivers, qn_u64 donors,
                            qn_u32 pitch, qn_u32 n_in, QN_GLOBAL double *QN_RESTRICT distances)
{
    qn_u64 donor = (qn_u64)QN_GROUP() * QN_NEAR_TILE;
    qn_u32 first = QN_GROUP_Y() * QN_NEAR_BLOCK;
    for (qn_u32 i = 0u; i < QN_NEAR_BLOCK; i++) {
        QN_GLOBAL double *to = distances + (qn_u64)(first + i) * donors + donor;
        double sum[QN_NEAR_TILE];
        double common[QN_NEAR_TILE]; /* as wide as the sums, for vectors */
        for (qn_u32 k = 0u; k < QN_NEAR_TILE; k++) {
            sum[k] = 0.0;
            common[k] = 0.0;
        }
        for (qn_u32 c = 0u; c < n_in; c++) {
            double x = receivers[(qn_u64)c * pitch + first + i];
            QN_GLOBAL const double *y = values + c * donors + donor;
            if (x != x) continue;
            for (qn_u32 k = 0u; k < QN_NEAR_TILE; k++) {
                double t = y[k] - x;
                int there = y[k] == y[k];
                sum[k] += there ? t * t : 0.0;
                common[k] += there ? 1.0 : 0.0;
            }
        }
        for (qn_u32 k = 0u; k < QN_NEAR_TILE; k++)
            to[k] = qn_near_distance(sum[k], common[k], n_in);
    }
}

#endif

/* ---- cells ---- */

/* What a cell becomes of its neighbours, the nearest first. */
struct qn_near_mean {
    double sum, weights;
    qn_u32 n, exact; /* exact: the first is at distance 0 */
};

QN_FN void qn_near_add(struct qn_near_mean *m, double value, double distance, qn_u32 by_distance)
{
    double weight = 1.0;
    if (m->n == 0u) m->exact = distance == 0.0 ? 1u : 0u;
    m->n++;
    if (by_distance != 0u) { /* donors without any distance are alone */
        if (m->exact != 0u && distance != 0.0) return;
        if (m->exact == 0u) weight = 1.0 / QN_SQRT_F64(distance);
    }
    m->sum += value * weight;
    m->weights += weight;
}

#if !defined(QN_CPU_SHAPE)

/* Group x, y: receiver x's output y. */
QN_KERNEL qn_near_fill(QN_GLOBAL unsigned char *base, QN_GLOBAL const qn_u64 *QN_RESTRICT table,
                       QN_GLOBAL const qn_u32 *QN_RESTRICT list, qn_u64 first,
                       QN_GLOBAL const double *QN_RESTRICT values,
                       QN_GLOBAL const double *QN_RESTRICT distances, qn_u64 donors, qn_u32 n_in,
                       qn_u32 neighbours, qn_u32 by_distance, qn_u32 type)
{
    QN_SHARED double least[QN_ITEMS];
    QN_SHARED qn_u32 place[QN_ITEMS];
    QN_GLOBAL const struct qn_near_output *out = qn_near_outputs(table, n_in) + QN_GROUP_Y();
    QN_GLOBAL const double *distance = distances + (qn_u64)QN_GROUP() * donors;
    QN_GLOBAL const double *value = values + out->column * donors;
    qn_u32 item = QN_ITEM(), rounds = neighbours, after = 0u;
    qn_u64 row = list[first + QN_GROUP()];
    double last = -1.0, x = out->empty != 0u ? 0.0 : qn_near_load(base, out->from, type, row);
    struct qn_near_mean mean = {0.0, 0.0, 0u, 0u};
    if (x == x) rounds = 0u;
    for (qn_u32 k = 0u; k < rounds; k++) {
        double nearest = QN_NEAR_NONE;
        qn_u32 at = 0xffffffffu;
        for (qn_u32 j = item; j < donors; j += QN_ITEMS) {
            double d = distance[j], v = value[j];
            int later = d > last || (d == last && j > after);
            if (v == v && later && d < nearest) {
                nearest = d;
                at = j;
            }
        }
        least[item] = nearest;
        place[item] = at;
        QN_BARRIER();
        for (qn_u32 h = QN_ITEMS / 2u; h > 0u; h >>= 1) {
            if (item < h && (least[item + h] < least[item] ||
                             (least[item + h] == least[item] && place[item + h] < place[item]))) {
                least[item] = least[item + h];
                place[item] = place[item + h];
            }
            QN_BARRIER();
        }
        last = least[0];
        after = place[0];
        QN_BARRIER();
        if (!(last < QN_NEAR_NONE)) rounds = 0u; /* there are no more */
        if (rounds != 0u) qn_near_add(&mean, value[after], last, by_distance);
    }
    if (item == 0u && x != x)
        qn_near_store(base, out->to, type, row,
                      mean.n != 0u ? mean.sum / mean.weights : QN_F64(out->fallback));
}

#else /* QN_CPU_SHAPE */

QN_KERNEL qn_near_fill(QN_GLOBAL unsigned char *base, QN_GLOBAL const qn_u64 *QN_RESTRICT table,
                       QN_GLOBAL const qn_u32 *QN_RESTRICT list, qn_u64 first,
                       QN_GLOBAL const double *QN_RESTRICT values,
                       QN_GLOBAL const double *QN_RESTRICT distances, qn_u64 donors, qn_u32 n_in,
                       qn_u32 neighbours, qn_u32 by_distance, qn_u32 type)
{
    QN_GLOBAL const struct qn_near_output *out = qn_near_outputs(table, n_in) + QN_GROUP_Y();
    QN_GLOBAL const double *distance = distances + (qn_u64)QN_GROUP() * donors;
    QN_GLOBAL const double *value = values + out->column * donors;
    qn_u64 row = list[first + QN_GROUP()];
    double last = -1.0, least[QN_NEAR_LIST];
    qn_u32 after = 0u, place[QN_NEAR_LIST];
    struct qn_near_mean mean = {0.0, 0.0, 0u, 0u};
    if (out->empty != 0u) return;
    double x = qn_near_load(base, out->from, type, row);
    if (x == x) return;
    for (qn_u32 left = neighbours; left > 0u;) {
        qn_u32 most = left < QN_NEAR_LIST ? left : QN_NEAR_LIST, n = 0u;
        double limit = QN_NEAR_NONE;
        for (qn_u32 j = 0u; j < donors; j++) {
            double d = distance[j], v = value[j];
            int later = d > last || (d == last && j > after);
            if (!(d < limit) || v != v || !later) continue;
            qn_u32 at = n < most ? n++ : most - 1u;
            for (; at > 0u && least[at - 1u] > d; at--) {
                least[at] = least[at - 1u];
                place[at] = place[at - 1u];
            }
            least[at] = d;
            place[at] = j;
            if (n == most) limit = least[most - 1u];
        }
        for (qn_u32 i = 0u; i < n; i++) qn_near_add(&mean, value[place[i]], least[i], by_distance);
        if (n < most) break;
        last = least[n - 1u];
        after = place[n - 1u];
        left -= n;
    }
    qn_near_store(base, out->to, type, row,
                  mean.n != 0u ? mean.sum / mean.weights : QN_F64(out->fallback));
}

#endif
