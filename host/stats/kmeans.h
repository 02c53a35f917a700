/* SPDX-License-Identifier: Apache-2.0
 * Lloyd's k-means of numbers on a line, as sklearn.cluster.KMeans goes about it from given centers
 * (n_init=1, max_iter=300, tol=1e-4): S. P. Lloyd, Least squares quantization in PCM, IEEE Trans. Inf.
 * Theory 28 (1982). Sums are exact to about twice a double's digits; there they are sums of doubles. */
#ifndef QN_KMEANS_H
#define QN_KMEANS_H

#include <stdint.h>

#include "host/core/status.h"

/* centers: k in, where the search begins; k out, sorted. values: n >= k finite ones, which are sorted, and
 * with them their weights, finite and not all 0 (NULL: each value counts once). Values that weigh nothing
 * have a say in the variance and in when the search ends, as there. */
quern_status qn_kmeans_line(double *values, double *weights, uint64_t n, double *centers,
                            uint32_t k);

#endif
