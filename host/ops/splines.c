/* SPDX-License-Identifier: Apache-2.0
 * A program of nothing but splines, as SplineTransformer makes it: a kernel that computes the functions that
 * are not 0 once for all columns that they go to (kernels/splines.k.h), compiled for its shape. */
#include <stdio.h>

#include "host/core/checked.h"
#include "host/ops/impl.h"
#include "host/ops/layout.h"
#include "host/ops/run.h"
#include "kernels/spline.h"

enum { MOST_DEGREE = 7 }; /* functions of 256 values are in local memory */

struct shape {
    uint32_t in_type, work, out_type, degree, mode, width, blocks;
    int by_columns, watch;
};

static const uint64_t *table_of(const struct qn_batch *b, const struct qn_lane *lane)
{
    return b->words + b->words[b->ops[lane->first_op].arg];
}

/* The lane is function j of the table that `first` has, at the same values. */
static int is_function(const struct qn_batch *b, const struct qn_lane *first,
                       const struct qn_lane *lane, uint32_t j)
{
    uint32_t arg = b->ops[lane->first_op].arg, other = b->ops[first->first_op].arg;
    return lane->offset == first->offset && lane->stride == first->stride &&
           b->words[arg] == b->words[other] && b->words[arg + 1] == b->words[other + 1] &&
           b->words[arg + 2] == j;
}

static const char *lanes_of(const struct qn_batch *b, struct shape *s)
{
    const struct qn_lane *first = b->lanes;
    for (uint32_t i = 0; i < b->n_lanes; i++) {
        const struct qn_lane *lane = &b->lanes[i];
        if (lane->n_ops != 1 || lane->first_op >= b->n_ops ||
            b->ops[lane->first_op].code != QN_OP_SPLINE)
            return "the columns are not splines alone";
        uint32_t arg = b->ops[lane->first_op].arg;
        if (arg >= b->n_words || b->n_words - arg < 3 || b->words[arg] > b->n_words ||
            b->words[arg + 1] > b->n_words - b->words[arg] ||
            !qn_spline_fits(b->words + b->words[arg], b->words[arg + 1], b->words[arg + 2]))
            return "the program is malformed";
        if (lane->type != first->type || lane->work != first->work || lane->work > QN_W_F64 ||
            lane->stride != first->stride)
            return "the columns differ in type";
        if (lane->valid_bit != QN_NO_VALIDITY) return "a column has a validity bitmap";
    }
    while (s->width < b->n_lanes && is_function(b, first, &first[s->width], s->width)) s->width++;
    if (s->width < 2 || b->n_lanes % s->width != 0) return "the columns are not whole splines";
    s->blocks = b->n_lanes / s->width;
    s->in_type = first->type;
    s->work = first->work;
    return NULL;
}

static const char *tables_of(const struct qn_batch *b, struct shape *s)
{
    const uint64_t *first = table_of(b, b->lanes);
    s->degree = (uint32_t)first[0];
    s->mode = (uint32_t)first[2] & QN_SPLINE_MODE;
    if (s->degree > MOST_DEGREE) return "the splines' degree is above 7";
    for (uint32_t i = 0; i < b->n_lanes; i++) {
        const struct qn_lane *lane = &b->lanes[i], *head = &b->lanes[i - i % s->width];
        const uint64_t *table = table_of(b, lane);
        if (!is_function(b, head, lane, i % s->width)) return "the columns are not whole splines";
        if (table[0] != s->degree || (table[2] & QN_SPLINE_MODE) != s->mode)
            return "the splines differ in kind";
        if (s->mode == QN_SPLINE_PERIODIC && table[1] - 1 <= s->degree)
            return "periodic splines with as many functions as their degree";
    }
    return NULL;
}

static const char *slots_of(const struct qn_run_request *rq, struct shape *s)
{
    const struct qn_slot *first = rq->slots;
    if (rq->n_slots == 0 || rq->n_slots != rq->batch.n_lanes)
        return "columns and output columns are not one to one";
    if (first->type != QN_T_F32 && first->type != QN_T_F64) return "the output is no float";
    for (uint32_t i = 0; i < rq->n_slots; i++)
        if (rq->slots[i].lane != i || rq->slots[i].match != QN_MATCH_VALUE ||
            rq->slots[i].type != first->type || rq->slots[i].stride != first->stride)
            return "columns and output columns are not one to one";
    s->out_type = first->type;
    s->by_columns = first->stride == qn_value_bytes(first->type);
    return NULL;
}

static const char *shape_of(const struct qn_run_request *rq, struct shape *s)
{
    *s = (struct shape){.watch = rq->seen != NULL || rq->seen_base.raw != NULL};
    const char *why = slots_of(rq, s);
    if (why == NULL) why = lanes_of(&rq->batch, s);
    return why != NULL ? why : tables_of(&rq->batch, s);
}

const char *qn_splines_refuse(const struct qn_device *device, const void *request)
{
    const struct qn_run_request *rq = request;
    struct shape shape;
    const char *why = qn_refuse_device(device, &rq->batch);
    if (why == NULL) why = qn_run_refuse_slots(rq);
    return why != NULL ? why : shape_of(rq, &shape);
}

/* Where columns, tables and output columns are. */
static quern_status put_places(struct qn_job *job, const struct qn_run_request *rq,
                               const struct shape *s, struct qn_view *out)
{
    const struct qn_batch *b = &rq->batch;
    size_t n = 2 * (size_t)s->blocks + rq->n_slots;
    uint64_t *places = qn_alloc(n, sizeof *places);
    if (places == NULL) return qn_error_memory("columns' places", n * sizeof *places);
    for (uint32_t c = 0; c < s->blocks; c++) {
        const struct qn_lane *lane = &b->lanes[c * s->width];
        places[c] = lane->offset;
        places[s->blocks + c] = b->words[b->ops[lane->first_op].arg];
    }
    for (uint32_t i = 0; i < rq->n_slots; i++) places[2 * s->blocks + i] = rq->slots[i].offset;
    quern_status status = qn_job_put(job, places, n * sizeof *places, out);
    qn_free(places);
    return status;
}

struct views {
    struct qn_view words, places, seen;
};

static quern_status launch(struct qn_job *job, const struct qn_run_request *rq,
                           const struct shape *s, const struct qn_source *source,
                           const struct views *v)
{
    const struct qn_batch *b = &rq->batch;
    struct qn_job_kernel kernel = {NULL, "qn_splines", source};
    uint64_t in_stride = (uint64_t)b->lanes[0].stride, out_stride = rq->slots[0].stride;
    if (qn_job_cpu_shape(job->device)) {
        uint64_t parts = qn_job_parts(job->device, b->rows, 4096 / (rq->n_slots + 1u) + 1, 1);
        uint64_t chunk = (b->rows + parts - 1) / parts;
        struct qn_arg args[] = {qn_arg_view(b->base),      qn_arg_view(v->words),
                                qn_arg_view(v->places),    qn_arg_u32(s->blocks),
                                qn_arg_u64(b->rows),       qn_arg_u64(in_stride),
                                qn_arg_u64(out_stride),    qn_arg_u64(chunk),
                                qn_arg_view(rq->out_base), qn_arg_view(v->seen)};
        return qn_job_launch(job, kernel, (b->rows + chunk - 1) / chunk, 1, 1, args, 10);
    }
    uint32_t wide = s->by_columns || s->blocks == 0 ? 1 : s->blocks < 32 ? s->blocks : 32;
    uint32_t steps = b->rows >= 1u << 18 ? 8 : 1, deep = QN_ITEMS / wide;
    uint64_t per_group = (uint64_t)deep * steps;
    struct qn_arg args[] = {
        qn_arg_view(b->base),      qn_arg_view(v->words), qn_arg_view(v->places),
        qn_arg_u32(s->blocks),     qn_arg_u64(b->rows),   qn_arg_u64(in_stride),
        qn_arg_u64(out_stride),    qn_arg_u32(wide),      qn_arg_u32(steps),
        qn_arg_view(rq->out_base), qn_arg_view(v->seen)};
    return qn_job_launch(job, kernel, (b->rows + per_group - 1) / per_group,
                         (s->blocks + wide - 1) / wide, QN_ITEMS, args, 11);
}

quern_status qn_splines_run(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    const struct qn_run_request *rq = request;
    const struct qn_source *text = qn_kernel_source("splines");
    struct shape s;
    struct qn_job job;
    struct views v;
    char options[320];
    (void)threads;
    if (rq->batch.rows == 0 || rq->n_slots == 0) return QUERN_OK;
    if (text == NULL || shape_of(rq, &s) != NULL)
        return qn_error(QUERN_INTERNAL, "a program of splines lost its shape or its text");
    (void)snprintf(options, sizeof options,
                   "%s -DQN_IN_TYPE=%uu -DQN_WORK=%uu -DQN_OUT_TYPE=%uu -DQN_DEGREE=%uu "
                   "-DQN_WIDTH=%uu -DQN_MODE=%uu -DQN_WATCH=%d -DQN_BY_COLUMNS=%d",
                   qn_job_options(device), s.in_type, s.work, s.out_type, s.degree, s.width, s.mode,
                   s.watch, s.by_columns);
    struct qn_source source = {"splines", text->text, text->bytes, options, NULL};
    quern_status status;
    qn_job_begin(&job, device, queue);
    QN_GO(put_places(&job, rq, &s, &v.places));
    QN_GO(qn_job_put(&job, rq->batch.words, rq->batch.n_words * sizeof(uint64_t), &v.words));
    QN_GO(qn_run_flags(&job, rq, &v.seen));
    QN_GO(launch(&job, rq, &s, &source, &v));
    status = qn_run_seen(&job, v.seen, rq->batch.n_lanes, rq->seen);
cleanup:
    qn_job_end(&job);
    return status;
}
