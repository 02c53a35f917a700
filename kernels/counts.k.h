/* SPDX-License-Identifier: Apache-2.0
 * Values counted in bins: a group counts its part of the values in local memory where the bins fit there,
 * and adds that up; else in global memory. Counts are integers, so no order shows. */
#include "kernels/dialect.h"
#include "kernels/table.h"
#include "kernels/value.h"

#define QN_COUNTS_LOCAL 2048u

#if defined(QN_CPU_SHAPE)
#define QN_COUNTS_FIRST 0u
#define QN_COUNTS_STEP 1u
#else
#define QN_COUNTS_FIRST QN_ITEM()
#define QN_COUNTS_STEP QN_ITEMS
#endif

/* The bin, or n_bins for none. */
QN_FN qn_u64 qn_counts_bin(QN_GLOBAL const unsigned char *at, qn_u32 type,
                           QN_GLOBAL const double *edges, qn_u32 has_edges, qn_u64 n_bins)
{
    if (has_edges == 0u) {
        qn_u64 u = qn_value_integer(at, type);
        return u < n_bins ? u : n_bins;
    }
    double x = qn_value_double(at, type);
    if (!(x >= edges[0] && x <= edges[n_bins])) return n_bins;
    qn_u64 low = 0u, high = n_bins; /* the last bin whose left edge is not beyond x */
    while (high - low > 1u) {
        qn_u64 mid = low + (high - low) / 2u;
        if (edges[mid] <= x)
            low = mid;
        else
            high = mid;
    }
    return low;
}

QN_KERNEL qn_counts(QN_GLOBAL const unsigned char *QN_RESTRICT in, qn_u64 offset,
                    qn_u64 line_stride, qn_u64 stride, qn_u64 n, qn_u64 length, qn_u64 chunk,
                    qn_u32 type, QN_GLOBAL const double *QN_RESTRICT edges, qn_u32 has_edges,
                    qn_u64 n_bins, QN_GLOBAL qn_u32 *QN_RESTRICT counts)
{
    QN_SHARED qn_u32 local_[QN_COUNTS_LOCAL];
    qn_u32 near = n_bins <= QN_COUNTS_LOCAL ? 1u : 0u;
    qn_u64 first = (qn_u64)QN_GROUP() * chunk, end = n - first < chunk ? n : first + chunk;
    for (qn_u32 i = QN_COUNTS_FIRST; near != 0u && i < (qn_u32)n_bins; i += QN_COUNTS_STEP)
        local_[i] = 0u;
    QN_BARRIER();
    for (qn_u64 e = first + QN_COUNTS_FIRST; e < end; e += QN_COUNTS_STEP) {
        qn_u64 line = e / length;
        qn_u64 at = offset + line * line_stride + (e - line * length) * stride;
        qn_u64 bin = qn_counts_bin(in + at, type, edges, has_edges, n_bins);
        if (bin < n_bins && near != 0u)
            QN_ADD_LOCAL(&local_[bin], 1u);
        else if (bin < n_bins)
            QN_ADD_GLOBAL(&counts[bin], 1u);
    }
    QN_BARRIER();
    for (qn_u32 i = QN_COUNTS_FIRST; near != 0u && i < (qn_u32)n_bins; i += QN_COUNTS_STEP)
        if (local_[i] != 0u) QN_ADD_GLOBAL(&counts[i], local_[i]);
}
