/* SPDX-License-Identifier: Apache-2.0
 * Missing cells from the nearest donors on a device: the bytes of the CPU's, what is refused, and where a
 * caller's word ends it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/ops/layout.h"
#include "tests/conformance/ops_suite.h"

/* missing, in 1/256, of rows and donors. ties: values are few whole numbers, so that rows are equal and
 * distances the same. */
static const struct shape {
    uint32_t type;
    uint64_t rows, donors;
    uint32_t columns, neighbours, by_distance, missing, ties, all;
} shapes[] = {
    {QN_T_F64, 120, 500, 6, 5, 0, 60, 0, 0}, {QN_T_F32, 120, 500, 6, 5, 1, 60, 0, 0},
    {QN_T_F64, 30, 400, 5, 20, 1, 90, 1, 0}, {QN_T_F32, 40, 1000, 3, 17, 0, 100, 1, 0},
    {QN_T_F64, 65, 64, 70, 3, 1, 40, 0, 0},  {QN_T_F64, 40, 3, 4, 9, 0, 128, 1, 0},
    {QN_T_F64, 8, 70, 2, 70, 1, 140, 1, 0},  {QN_T_F32, 130, 300, 8, 1, 0, 20, 0, 0},
    {QN_T_F64, 50, 70, 3, 2, 0, 0, 0, 0},    {QN_T_F64, 20, 40, 3, 2, 0, 255, 0, 0},
    {QN_T_F64, 1, 1, 1, 1, 0, 256, 1, 0},    {QN_T_F64, 9, 200, 4, 3, 0, 100, 0, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, COLUMNS = 80 };

struct problem {
    struct qn_rows_op op;
    struct qn_neighbours d;
    struct qn_rows_request rq;
    uint64_t value, bytes; /* of a value, and of the block */
    unsigned char *host, *want;
    struct qn_row_column in[COLUMNS];
    void *out[COLUMNS];
    uint64_t in_at[COLUMNS], out_at[COLUMNS];
    uint32_t columns[COLUMNS];
    double fallback[COLUMNS];
    unsigned char empty[COLUMNS];
    double *values;
    uint64_t *masks, *present;
    struct qn_span span;
};

static double number(uint64_t *seed, const struct shape *s)
{
    uint64_t r = ops_random(seed) >> 16;
    if (r % 256 < s->missing) return (double)NAN;
    if (s->ties) return (double)(r >> 8 & 3);
    return (double)(float)ldexp((double)(r >> 8 & 0xfffff) - 500000.0, -12);
}

static void make_donors(struct problem *p, const struct shape *s, uint64_t *seed)
{
    struct qn_neighbours *d = &p->d;
    uint64_t padded = (s->donors + QN_DONOR_TILE - 1) / QN_DONOR_TILE * QN_DONOR_TILE;
    uint32_t words = (s->columns + 63) / 64;
    p->values = calloc(padded * s->columns, sizeof *p->values);
    p->masks = calloc(padded * s->columns, sizeof *p->masks);
    p->present = calloc(padded * words, sizeof *p->present);
    assert_true(p->values != NULL && p->masks != NULL && p->present != NULL);
    for (uint64_t row = 0; row < s->donors; row++)
        for (uint32_t c = 0; c < s->columns; c++) {
            double x = number(seed, s);
            if (isnan(x) || (c == 1 && s->columns > 2)) continue; /* column 1 has no donor */
            p->values[c * padded + row] = x;
            p->masks[c * padded + row] = UINT64_MAX;
            p->present[row * words + c / 64] |= (uint64_t)1 << (c % 64);
        }
    *d = (struct qn_neighbours){.n_donors = s->donors,
                                .n_padded = padded,
                                .values = p->values,
                                .masks = p->masks,
                                .present = p->present,
                                .words = words,
                                .n_neighbours = s->neighbours,
                                .by_distance = s->by_distance,
                                .fallback = p->fallback,
                                .columns = p->columns,
                                .empty = p->empty};
}

/* Columns of the block begin anywhere that their type may; the outputs come in another order, without the
 * last, and column 1 is kept empty. */
static void problem_make(struct problem *p, const struct shape *s, uint64_t seed)
{
    uint32_t n = s->columns, n_out = n > 2 ? n - 1 : n;
    memset(p, 0, sizeof *p);
    p->value = qn_value_bytes(s->type);
    make_donors(p, s, &seed);
    uint64_t column = (s->rows + 3) * p->value;
    p->bytes = (column * (n + n_out) + 7) / 8 * 8;
    p->host = calloc(p->bytes, 1);
    p->want = calloc(p->bytes, 1);
    assert_true(p->host != NULL && p->want != NULL);
    for (uint32_t c = 0; c < n; c++) {
        p->in_at[c] = c * column;
        p->fallback[c] = c == 1 ? 0 : c + 0.1;
        for (uint64_t row = 0; row < s->rows; row++) {
            double x = number(&seed, s);
            float f = (float)x;
            memcpy(p->host + p->in_at[c] + row * p->value, s->type == QN_T_F32 ? (void *)&f : &x,
                   p->value);
        }
    }
    memcpy(p->want, p->host, p->bytes);
    for (uint32_t k = 0; k < n_out; k++) {
        p->columns[k] = n_out - 1 - k;
        p->empty[k] = p->columns[k] == 1 && n > 2;
        p->out_at[k] = (n + k) * column;
        p->out[k] = p->want + p->out_at[k];
    }
    for (uint32_t c = 0; c < n; c++)
        p->in[c] = (struct qn_row_column){p->host + p->in_at[c], (int64_t)p->value};
    p->op = (struct qn_rows_op){
        .code = QN_ROWS_NEIGHBOURS, .type = s->type, .n_in = n, .n_out = n_out, .data = &p->d};
    p->rq = (struct qn_rows_request){.op = &p->op,
                                     .rows = s->rows,
                                     .in = p->in,
                                     .out = p->out,
                                     .in_at = p->in_at,
                                     .out_at = p->out_at};
}

static void problem_upload(struct problem *p, struct qn_device *d)
{
    OK(qn_pool_take(d->pool, d->queue_numbers[0], p->bytes, &p->span));
    struct qn_view to = p->span.view;
    to.size = p->bytes;
    OK(qn_device_upload(d, 0, to, p->host, 1, p->bytes, (int64_t)p->bytes, QN_TRAFFIC_INPUT));
    p->rq.base = to;
    p->rq.in = NULL;
    p->rq.out = NULL;
}

static void problem_free(struct problem *p, struct qn_device *d)
{
    qn_pool_give(d->pool, d->queue_numbers[0], &p->span);
    free(p->host);
    free(p->want);
    free(p->values);
    free(p->masks);
    free(p->present);
}

static void check_neighbours(struct ops_device *entry, uint32_t k)
{
    struct qn_device *d = entry->device;
    struct shape s = shapes[k];
    struct problem p;
    struct qn_outcome outcome;
    if (s.all) s.missing = 256;
    s.rows = ops_rows(s.rows, s.columns);
    problem_make(&p, &s, 17 + k);
    OK(qn_cpu_neighbours(NULL, &p.rq));
    problem_upload(&p, d);
    OK(qn_op_rows(d, NULL, 0, &p.rq, &outcome));
    assert_string_equal(outcome.implementation, "device");
    unsigned char *got = malloc(p.bytes);
    assert_non_null(got);
    OK(qn_device_download(d, 0, got, 1, p.bytes, (int64_t)p.bytes, p.rq.base, QN_TRAFFIC_OUTPUT));
    OK(qn_device_finish(d, 0));
    for (uint64_t i = 0; i < p.bytes; i++)
        if (got[i] != p.want[i])
            fail_msg("%s, case %u: byte %llu, column %llu", entry->name, k, (unsigned long long)i,
                     (unsigned long long)(i / ((s.rows + 3) * p.value)));
    free(got);
    problem_free(&p, d);
}

void cells_are_filled_with_the_cpus_bytes(void **state)
{
    (void)state;
    on_every_device(check_neighbours, SHAPES, 3);
}

/* Each refusal changes one thing of a request that is taken. */
static void refused(struct qn_device *d, const struct qn_rows_request *rq, const char *sentence)
{
    struct qn_outcome outcome;
    assert_false(qn_rows_stay(d, rq));
    assert_int_equal(qn_op_rows(d, NULL, 0, rq, &outcome), QUERN_UNSUPPORTED);
    if (strstr(outcome.reasons, sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", outcome.reasons, sentence);
}

void neighbours_are_refused_with_sentences(void **state)
{
    const struct shape s = {QN_T_F64, 20, 30, 4, 3, 0, 50, 0, 0};
    struct problem p;
    (void)state;
    if (n_devices == 0) skip();
    struct qn_device *d = devices[0].device;
    struct qn_caps caps = d->caps;
    problem_make(&p, &s, 3);
    problem_upload(&p, d);
    assert_true(qn_rows_stay(d, &p.rq));
    struct qn_rows_request rq = p.rq;
    rq.base.size -= 32;
    refused(d, &rq, "reaches outside");
    rq = p.rq;
    rq.base.raw = NULL;
    refused(d, &rq, "the rows lie in host memory");
    refused(NULL, &p.rq, "no device is open");
    d->caps.features &= ~(uint32_t)QN_FEATURE_F64;
    refused(d, &p.rq, "no float64 arithmetic");
    d->caps = caps;
    d->caps.max_alloc = 1000;
    refused(d, &p.rq, "larger than what the device allocates at once");
    d->caps = caps;
    d->caps.memory_total = 10000;
    refused(d, &p.rq, "half of the device's memory");
    d->caps = caps;
    struct qn_rows_op op = p.op;
    op.code = QN_ROWS_CENTERING;
    rq = p.rq;
    rq.op = &op;
    refused(d, &rq, "only nearest neighbours have kernels");
    problem_free(&p, d);
}

static quern_status after_some(void *user)
{
    int *left = user;
    return --*left < 0 ? qn_error(QUERN_CANCELLED, "enough") : QUERN_OK;
}

/* The caller is asked after each part of the rows that lack something. */
void a_search_ends_when_the_caller_says_so(void **state)
{
    const struct shape s = {QN_T_F64, 60, 17000, 2, 3, 0, 100, 0, 0};
    struct problem p;
    (void)state;
    if (n_devices == 0) skip();
    for (uint32_t i = 0; i < n_devices; i++) {
        struct qn_device *d = devices[i].device;
        ops_device_shape(&devices[i]);
        if (!devices[i].cpu_shape) continue; /* here the parts are small enough for a test */
        problem_make(&p, &s, 3);
        problem_upload(&p, d);
        int left = 2;
        p.rq.go_on = after_some;
        p.rq.user = &left;
        assert_int_equal(qn_op_rows(d, NULL, 0, &p.rq, NULL), QUERN_CANCELLED);
        assert_int_equal(left, -1);
        problem_free(&p, d);
    }
}
