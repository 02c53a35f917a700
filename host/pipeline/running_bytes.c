/* SPDX-License-Identifier: Apache-2.0
 * Running statistics as bytes (docs/fit-state.md): the number of rows, the waiting nodes of the trees,
 * the extremes, the open block. How many there are of each follows from the rows and the kinds. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/pipeline/running_internal.h"

/* ---- writing ---- */

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> (8 * i));
    return at + 8;
}

static uint8_t *put_f64(uint8_t *at, double value)
{
    uint64_t bits = 0x7ff8000000000000u; /* NaNs have one form */
    if (value == value) memcpy(&bits, &value, sizeof bits);
    return put_u64(at, bits);
}

static uint8_t *put_tree(uint8_t *at, const struct qn_running_kind *kind, uint64_t rows)
{
    const struct qn_node *nodes = qn_moments_nodes(kind->tree);
    size_t n = (size_t)qn_moments_depth(rows) * kind->n;
    for (size_t i = 0; i < n; i++) {
        at = put_f64(at, nodes[i].n);
        at = put_f64(at, nodes[i].hi);
        at = put_f64(at, nodes[i].lo);
        at = put_f64(at, nodes[i].m2);
    }
    return at;
}

/* Bytes of a state of so many rows; 1 on overflow. */
static int size_of(const struct qn_running *r, uint64_t rows, size_t *out)
{
    size_t depth = qn_moments_depth(rows), open = (size_t)(rows % QN_BLOCK_ROWS), nodes, cells;
    if (qn_mul_size(depth * sizeof(struct qn_node), (size_t)r->moments.n + r->weighted.n, &nodes) ||
        qn_mul_size(open * sizeof(double), (size_t)r->width + (r->weighted.n != 0), &cells))
        return 1;
    *out = sizeof(uint64_t) + 3 * sizeof(uint64_t) * (size_t)r->extremes.n;
    return qn_add_size(*out, nodes, out) || qn_add_size(*out, cells, out);
}

size_t qn_running_size(const struct qn_running *r)
{
    size_t size = 0;
    return size_of(r, r->rows, &size) ? 0 : size;
}

void qn_running_write(const struct qn_running *r, uint8_t *out)
{
    uint8_t *at = out;
    size_t open = (size_t)(r->rows % QN_BLOCK_ROWS);
    at = put_u64(at, r->rows);
    at = put_tree(at, &r->moments, r->rows);
    at = put_tree(at, &r->weighted, r->rows);
    for (uint32_t i = 0; i < r->extremes.n; i++) {
        at = put_f64(at, r->ends[i].min);
        at = put_f64(at, r->ends[i].max);
        at = put_u64(at, r->ends[i].count);
    }
    if (r->width == 0) return;
    for (size_t i = 0; i < open * r->width; i++) at = put_f64(at, r->open[i]);
    for (size_t i = 0; r->weighted.n != 0 && i < open; i++) at = put_f64(at, r->open_weights[i]);
}

/* ---- reading ---- */

struct reader {
    const char *name;
    const uint8_t *bytes;
    size_t at, base;
};

static quern_status corrupt(const struct reader *in, size_t at, const char *what)
{
    return qn_error(QUERN_CORRUPT, "%s: byte %zu: %s", in->name, in->base + at, what);
}

static uint64_t get_u64(struct reader *in)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | in->bytes[in->at + (size_t)i];
    in->at += 8;
    return value;
}

static double get_f64(struct reader *in)
{
    uint64_t bits = get_u64(in);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A node over 2^level blocks can only be so: a count of rows, or a sum of weights. */
static int possible(const struct qn_node *node, uint32_t level, int weighted)
{
    double most = weighted ? DBL_MAX : ldexp((double)QN_BLOCK_ROWS, (int)level);
    if (!(node->n >= 0.0 && node->n <= most)) return 0;
    if (!weighted && node->n != floor(node->n)) return 0;
    return !(node->m2 < 0.0);
}

static quern_status read_tree(struct reader *in, struct qn_running_kind *kind, uint64_t rows,
                              int weighted)
{
    uint64_t blocks = rows / QN_BLOCK_ROWS;
    size_t depth = qn_moments_depth(rows), at = 0;
    struct qn_node *nodes = qn_alloc(depth * kind->n, sizeof *nodes);
    if (nodes == NULL) return qn_error_memory("statistics", depth * kind->n * sizeof *nodes);
    quern_status status = QUERN_OK;
    for (uint32_t level = 64; status == QUERN_OK && level-- > 0;) {
        for (uint32_t i = 0; ((blocks >> level) & 1) != 0 && i < kind->n; i++) {
            struct qn_node *node = &nodes[at++];
            size_t from = in->at;
            node->n = get_f64(in);
            node->hi = get_f64(in);
            node->lo = get_f64(in);
            node->m2 = get_f64(in);
            if (!possible(node, level, weighted))
                QN_GO(corrupt(in, from, "a node that no rows have"));
        }
    }
    status = qn_moments_restore(kind->tree, rows - rows % QN_BLOCK_ROWS, nodes);
cleanup:
    qn_free(nodes);
    return status;
}

static quern_status read_extremes(struct reader *in, struct qn_running *r)
{
    for (uint32_t i = 0; i < r->extremes.n; i++) {
        size_t from = in->at;
        double min = get_f64(in), max = get_f64(in);
        uint64_t count = get_u64(in);
        int none = min == (double)INFINITY && max == -(double)INFINITY;
        if (count > r->rows || (count == 0 ? !none : !(min <= max)))
            return corrupt(in, from, "extremes that no rows have");
        r->ends[i] = (struct qn_extremes){min, max, count};
    }
    return QUERN_OK;
}

static quern_status read_open(struct reader *in, struct qn_running *r)
{
    size_t open = (size_t)(r->rows % QN_BLOCK_ROWS);
    if (r->width == 0) return QUERN_OK;
    QN_TRY(qn_running_reserve(r, (uint32_t)open));
    for (size_t i = 0; i < open * r->width; i++) r->open[i] = get_f64(in);
    for (size_t i = 0; r->weighted.n != 0 && i < open; i++) {
        double w = get_f64(in);
        if (!(w >= 0.0 && w <= DBL_MAX)) return corrupt(in, in->at - 8, "a weight that is none");
        r->open_weights[i] = w;
    }
    return QUERN_OK;
}

quern_status qn_running_read(struct qn_running *r, const char *name, const uint8_t *bytes,
                             size_t size, size_t base)
{
    struct reader in = {name, bytes, 0, base};
    size_t wanted;
    if (size < 8) return corrupt(&in, 0, "the state ends here");
    uint64_t rows = get_u64(&in);
    if (rows > INT64_MAX || size_of(r, rows, &wanted) || wanted != size)
        return corrupt(&in, 0, "the state's size is not that of so many rows");
    r->rows = rows;
    QN_TRY(read_tree(&in, &r->moments, rows, 0));
    QN_TRY(read_tree(&in, &r->weighted, rows, 1));
    QN_TRY(read_extremes(&in, r));
    return read_open(&in, r);
}
