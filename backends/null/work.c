/* SPDX-License-Identifier: Apache-2.0
 * Queues of the null driver. A piece of work reads and writes memory when it runs, not when it is
 * asked for, so a caller that changes staging memory too early gets wrong data here as on a GPU. */
#include <stdlib.h>
#include <string.h>

#include "backends/null/state.h"

quern_status qn_null_view_check(const char *what, struct qn_view view)
{
    uint64_t end;
    if (view.raw == NULL || qn_add_u64(view.offset, view.size, &end) || end > view.raw->size) {
        qn_null_blame("%s: %llu bytes at %llu are outside their block", what,
                      (unsigned long long)view.size, (unsigned long long)view.offset);
        return qn_error(QUERN_INVALID, "null: %s is outside its block", what);
    }
    if (view.raw->missing)
        return qn_error(QUERN_OUT_OF_MEMORY, "null: the block of %llu bytes is not really there",
                        (unsigned long long)view.raw->size);
    return QUERN_OK;
}

/* ---- running ---- */

static unsigned char *at(struct qn_view view)
{
    return view.raw->memory != NULL ? view.raw->memory + view.offset : NULL;
}

static void fill(unsigned char *to, uint64_t size, uint32_t pattern)
{
    for (uint64_t i = 0; to != NULL && i + 4 <= size; i += 4) memcpy(to + i, &pattern, 4);
}

static void execute(struct qn_work *work)
{
    qn_null_kernel_fn *kernel = qn_null.config.kernel;
    switch (work->op) {
    case QN_NULL_UPLOAD:
        if (at(work->to) != NULL) memcpy(at(work->to), work->host_from, (size_t)work->to.size);
        break;
    case QN_NULL_DOWNLOAD:
        if (at(work->from) != NULL) memcpy(work->host_to, at(work->from), (size_t)work->from.size);
        break;
    case QN_NULL_COPY:
        if (at(work->to) != NULL && at(work->from) != NULL)
            memcpy(at(work->to), at(work->from), (size_t)work->to.size);
        break;
    case QN_NULL_FILL: fill(at(work->to), work->to.size, work->pattern); break;
    case QN_NULL_EVENT_RECORD:
        if (work->event != NULL) work->event->ns = qn_null.clock_ns;
        break;
    case QN_NULL_LAUNCH:
        if (kernel != NULL)
            kernel(qn_null.config.user, work->kernel->name, &work->grid, work->args, work->n_args);
        break;
    default: break;
    }
}

static void count_users(const struct qn_work *work, uint64_t step)
{
    if (work->to.raw != NULL) work->to.raw->users += step;
    if (work->from.raw != NULL) work->from.raw->users += step;
    for (uint32_t i = 0; i < work->n_args; i++)
        if (work->args[i].kind == QN_ARG_VIEW && work->args[i].u.view.raw != NULL)
            work->args[i].u.view.raw->users += step;
}

static void run_first(struct qn_queue *queue)
{
    struct qn_work *work = queue->first;
    queue->first = work->next;
    if (queue->first == NULL) queue->last = &queue->first;
    qn_null.clock_ns += 1000;
    if (qn_null.fail_work_in != 0 && --qn_null.fail_work_in == 0) {
        if (queue->failure.status == QUERN_OK) {
            (void)qn_error(qn_null.fail_work_status, "null: a queued %s fails as told",
                           qn_null_op_name(work->op));
            qn_error_take(&queue->failure, qn_null.fail_work_status);
        }
    } else {
        execute(work);
    }
    queue->ran++;
    count_users(work, (uint64_t)0 - 1);
    free(work);
}

int qn_null_reached(const struct qn_queue *queue, uint64_t at_piece)
{
    return queue == NULL || queue->ran >= at_piece;
}

/* A wait names a place that was submitted before it, so this recursion ends. */
void qn_null_drain(struct qn_queue *queue, uint64_t at_piece)
{
    while (queue->ran < at_piece && queue->first != NULL) {
        struct qn_work *work = queue->first;
        if (work->op == QN_NULL_QUEUE_WAIT && !qn_null_reached(work->after_queue, work->after))
            qn_null_drain(work->after_queue, work->after);
        run_first(queue);
    }
}

int qn_null_step(void)
{
    for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++) {
        struct qn_queue *queue = qn_null.queues[i];
        if (queue == NULL || queue->first == NULL) continue;
        const struct qn_work *work = queue->first;
        if (work->op == QN_NULL_QUEUE_WAIT && !qn_null_reached(work->after_queue, work->after))
            continue;
        run_first(queue);
        return 1;
    }
    return 0;
}

quern_status qn_null_outcome(struct qn_queue *queue)
{
    quern_status status = queue->failure.status;
    if (status != QUERN_OK) status = qn_error_put(&queue->failure);
    queue->failure.status = QUERN_OK;
    return status;
}

quern_status qn_null_submit(struct qn_queue *queue, const struct qn_work *work)
{
    struct qn_work *own = malloc(sizeof *own);
    if (own == NULL) return qn_error_memory("null: a piece of work", sizeof *own);
    *own = *work;
    own->next = NULL;
    *queue->last = own;
    queue->last = &own->next;
    queue->submitted++;
    count_users(own, 1);
    if (!qn_null.config.hold) qn_null_drain(queue, queue->submitted);
    return QUERN_OK;
}

/* ---- for tests ---- */

uint64_t qn_null_release(uint64_t n)
{
    uint64_t done = 0;
    qn_null_lock();
    while (done < n && qn_null_step()) done++;
    qn_null_unlock();
    return done;
}

uint64_t qn_null_pending(void)
{
    uint64_t pending = 0;
    qn_null_lock();
    for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++)
        if (qn_null.queues[i] != NULL)
            pending += qn_null.queues[i]->submitted - qn_null.queues[i]->ran;
    qn_null_unlock();
    return pending;
}

/* Without the lock: kernels call it while a driver call holds it. */
void *qn_null_memory(struct qn_view view)
{
    if (view.raw == NULL || view.raw->memory == NULL) return NULL;
    return view.raw->memory + view.offset;
}
