/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu/plane.h"

#include <math.h>

enum { LEAF = 16 /* points at most */ };

uint32_t qn_plane_depth(uint64_t n)
{
    uint32_t depth = 0;
    while ((n + ((uint64_t)1 << depth) - 1) >> depth > LEAF) depth++;
    return depth;
}

uint64_t qn_plane_boxes(uint32_t depth)
{
    return ((uint64_t)2 << depth) - 1;
}

/* ---- making ---- */

static double coordinate(const struct qn_point *p, int upright)
{
    return upright ? p->y : p->x;
}

static void swap(struct qn_point *a, struct qn_point *b)
{
    struct qn_point c = *a;
    *a = *b;
    *b = c;
}

/* Some value of p[low … high - 1], low < high: the middle one of three at places that no order of the points is made for. */
static double pivot_of(const struct qn_point *p, uint64_t low, uint64_t high, int upright)
{
    uint64_t mixed = (low * 0x9e3779b97f4a7c15u) ^ high, n = high - low;
    double v[3];
    for (int i = 0; i < 3; i++) {
        mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9u;
        v[i] = coordinate(&p[low + (mixed >> 16) % n], upright);
    }
    double least = v[0] < v[1] ? v[0] : v[1], most = v[0] < v[1] ? v[1] : v[0];
    return v[2] < least ? least : v[2] > most ? most : v[2];
}

/* Puts the point that is `middle`-th along an axis in its place, smaller ones before it (Hoare). */
static void halve(struct qn_point *p, uint64_t low, uint64_t high, uint64_t middle, int upright)
{
    while (low < high) {
        double pivot = pivot_of(p, low, high, upright);
        uint64_t i = low, j = high;
        for (;;) {
            while (coordinate(&p[i], upright) < pivot) i++;
            while (coordinate(&p[j], upright) > pivot) j--;
            if (i >= j) break;
            swap(&p[i++], &p[j--]);
        }
        /* up to j all are at most the pivot, from i on at least; i == j: that one is it, in its place */
        if (i == j && middle == j) return;
        if (middle > j)
            low = j + 1;
        else
            high = i == j ? j - 1 : j;
    }
}

static struct qn_box box_of(const struct qn_point *p, uint64_t low, uint64_t high)
{
    struct qn_box b = {p[low].x, p[low].x, p[low].y, p[low].y};
    for (uint64_t i = low + 1; i < high; i++) {
        if (p[i].x < b.left) b.left = p[i].x;
        if (p[i].x > b.right) b.right = p[i].x;
        if (p[i].y < b.below) b.below = p[i].y;
        if (p[i].y > b.above) b.above = p[i].y;
    }
    return b;
}

static uint64_t middle_of(uint64_t low, uint64_t high)
{
    return low + (high - low) / 2;
}

static void make(const struct qn_plane *t, struct qn_point *p, uint64_t node, uint64_t low,
                 uint64_t high, uint32_t level)
{
    struct qn_box b = box_of(p, low, high);
    t->boxes[node] = b;
    if (level == t->depth) return;
    uint64_t middle = middle_of(low, high);
    halve(p, low, high - 1, middle, b.above - b.below > b.right - b.left);
    make(t, p, 2 * node + 1, low, middle, level + 1);
    make(t, p, 2 * node + 2, middle, high, level + 1);
}

void qn_plane_make(struct qn_plane *t, struct qn_point *points)
{
    make(t, points, 0, 0, t->n, 0);
    for (uint64_t i = 0; i < t->n; i++) {
        t->x[i] = points[i].x;
        t->y[i] = points[i].y;
        t->row[i] = points[i].row;
    }
}

/* ---- searching ---- */

/* No point of the box is nearer: differences are rounded, but never out of order. */
static double distance(const struct qn_box *b, double x, double y)
{
    double d = 0.0;
    if (b->left - x > d) d = b->left - x;
    if (x - b->right > d) d = x - b->right;
    if (b->below - y > d) d = b->below - y;
    if (y - b->above > d) d = y - b->above;
    return d;
}

/* The k least so far, ascending. */
static void keep(double *best, uint32_t k, double d)
{
    uint32_t i = k - 1;
    for (; i > 0 && best[i - 1] > d; i--) best[i] = best[i - 1];
    best[i] = d;
}

static void look_at(const struct qn_plane *t, uint64_t low, uint64_t high, uint64_t at, uint32_t k,
                    double *best)
{
    double d[LEAF], x = t->x[at], y = t->y[at];
    uint32_t n = (uint32_t)(high - low);
    for (uint32_t i = 0; i < n; i++) {
        double dx = fabs(t->x[low + i] - x), dy = fabs(t->y[low + i] - y);
        d[i] = dx > dy ? dx : dy;
    }
    for (uint32_t i = 0; i < n; i++)
        if (d[i] < best[k - 1] && low + i != at) keep(best, k, d[i]);
}

struct visit {
    uint64_t node, low, high;
    uint32_t level;
    double distance;
};

/* Down to a leaf, always into the nearer half; the other one waits. */
static void descend(const struct qn_plane *t, struct visit v, uint64_t at, uint32_t k, double *best,
                    struct visit *stack, uint32_t *waiting)
{
    double x = t->x[at], y = t->y[at];
    for (; v.level < t->depth; v.level++) {
        uint64_t middle = middle_of(v.low, v.high);
        double first = distance(&t->boxes[2 * v.node + 1], x, y),
               second = distance(&t->boxes[2 * v.node + 2], x, y);
        struct visit a = {2 * v.node + 1, v.low, middle, v.level, first},
                     b = {2 * v.node + 2, middle, v.high, v.level, second};
        /* the point's own half, where both are as near */
        int to_first = first < second || (first == second && at < middle);
        struct visit other = to_first ? b : a;
        other.level++;
        if (other.distance < best[k - 1]) stack[(*waiting)++] = other;
        v = to_first ? a : b;
    }
    look_at(t, v.low, v.high, at, k, best);
}

double qn_plane_radius(const struct qn_plane *t, uint64_t at, uint32_t k, double *best)
{
    struct visit stack[64]; /* one for each level at most */
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < k; i++) best[i] = INFINITY;
    descend(t, (struct visit){.high = t->n}, at, k, best, stack, &waiting);
    while (waiting > 0) {
        struct visit v = stack[--waiting];
        if (v.distance < best[k - 1]) descend(t, v, at, k, best, stack, &waiting);
    }
    return best[k - 1];
}
