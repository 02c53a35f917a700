/* SPDX-License-Identifier: Apache-2.0
 * Points of the plane and their nearest neighbours by the larger of both coordinates' differences: a tree of
 * boxes, halved along their longer side (Bentley, "Multidimensional binary search trees used for
 * associative searching", 1975). */
#ifndef QN_CPU_PLANE_H
#define QN_CPU_PLANE_H

#include <stdint.h>

struct qn_point {
    double x, y;
    uint32_t row;
};
struct qn_box {
    double left, right, below, above;
};
struct qn_plane {
    double *x, *y; /* in the order of the leaves */
    uint32_t *row;
    struct qn_box *boxes; /* node 0 is all, the halves of node i are 2 i + 1 and 2 i + 2 */
    uint64_t n;
    uint32_t depth;
};

/* The depth of a tree of n points, and how many boxes it has. */
uint32_t qn_plane_depth(uint64_t n);
uint64_t qn_plane_boxes(uint32_t depth);

/* Fills in x, y, row and boxes, which have room, from n > 0 points, whose order changes. */
void qn_plane_make(struct qn_plane *, struct qn_point *points);

/* How far the k-th nearest of the other points is from that at place `at`, 0 < k < n. best: room for k. */
double qn_plane_radius(const struct qn_plane *, uint64_t at, uint32_t k, double *best);

#endif
