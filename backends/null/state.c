/* SPDX-License-Identifier: Apache-2.0
 * The null driver's record of calls and its faults. The record grows by plain realloc: tests that
 * fail the k-th allocation of the library mean the library's, not this one. */
#include "backends/null/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qn_null_state qn_null = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void set_default(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0) *value = otherwise;
}

static void set_default64(uint64_t *value, uint64_t otherwise)
{
    if (*value == 0) *value = otherwise;
}

/* The device that a zeroed config means. */
static void complete(struct qn_null_config *config)
{
    struct qn_caps *caps = &config->caps;
    set_default(&config->devices, 1);
    set_default(&caps->features, QN_FEATURE_F64 | QN_FEATURE_KERNELS | QN_FEATURE_WRAP |
                                     QN_FEATURE_PINNED | QN_FEATURE_ASYNC | QN_FEATURE_EXACT_DIV);
    if (config->lazy) caps->features |= QN_FEATURE_LAZY_ALLOC;
    caps->features &= ~config->without;
    set_default(&caps->base_align, 256);
    set_default64(&caps->memory_total, (uint64_t)1 << 30);
    set_default64(&caps->memory_free, caps->memory_total);
    set_default64(&caps->max_alloc, caps->memory_total / 4);
    set_default(&caps->shared_bytes, 49152);
    set_default(&caps->max_group, 1024);
    set_default(&caps->compute_units, 4);
    if (caps->name[0] == '\0') (void)snprintf(caps->name, sizeof caps->name, "null device");
    if (caps->uid[0] == '\0') (void)snprintf(caps->uid, sizeof caps->uid, "null");
    if (caps->driver[0] == '\0') (void)snprintf(caps->driver, sizeof caps->driver, "null 1");
    set_default64(&config->memory, caps->memory_total);
}

void qn_null_lock(void)
{
    (void)pthread_mutex_lock(&qn_null.lock);
    if (!qn_null.ready) complete(&qn_null.config);
    qn_null.ready = 1;
}

void qn_null_unlock(void)
{
    (void)pthread_mutex_unlock(&qn_null.lock);
}

void qn_null_reset(const struct qn_null_config *config)
{
    static const struct qn_null_config nothing;
    qn_null_lock();
    qn_null.config.hold = 0;
    for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++) {
        struct qn_queue *queue = qn_null.queues[i];
        if (queue == NULL) continue;
        qn_null_drain(queue, queue->submitted);
        queue->failure.status = QUERN_OK;
    }
    qn_null.config = config != NULL ? *config : nothing;
    complete(&qn_null.config);
    qn_null.n_calls = 0;
    qn_null.fail_in = qn_null.fail_work_in = 0;
    qn_null.failed = qn_null.lost = 0;
    qn_null.misuse = 0;
    qn_null.first_misuse[0] = '\0';
    qn_null.clock_ns = 0;
    qn_null_unlock();
}

/* ---- the record ---- */

const char *qn_null_op_name(enum qn_null_op op)
{
    static const char *const names[] = {
#define QN_NULL_TEXT(name, fails, text) text,
        QN_NULL_OPS(QN_NULL_TEXT)
#undef QN_NULL_TEXT
            "any"};
    return names[op];
}

static int can_fail(enum qn_null_op op)
{
    static const char fails[] = {
#define QN_NULL_FAILS(name, can, text) can,
        QN_NULL_OPS(QN_NULL_FAILS)
#undef QN_NULL_FAILS
            0};
    return fails[op];
}

static void append(enum qn_null_op op, uint64_t bytes, const struct qn_queue *queue,
                   const char *name)
{
    if (qn_null.n_calls == qn_null.room) {
        size_t room = qn_null.room != 0 ? 2 * qn_null.room : 256;
        struct qn_null_call *calls = realloc(qn_null.calls, room * sizeof *calls);
        if (calls == NULL) {
            qn_null_blame("the record of calls could not grow");
            qn_null.n_calls--; /* overwrites the latest: qn_null_done needs a place */
        } else {
            qn_null.calls = calls;
            qn_null.room = room;
        }
    }
    struct qn_null_call *call = &qn_null.calls[qn_null.n_calls++];
    call->op = op;
    call->bytes = bytes;
    call->queue = queue != NULL ? queue->number : QN_NULL_NO_QUEUE;
    call->status = QUERN_OK;
    (void)snprintf(call->name, sizeof call->name, "%s", name != NULL ? name : "");
}

quern_status qn_null_enter(enum qn_null_op op, uint64_t bytes, const struct qn_queue *queue,
                           const char *name)
{
    qn_null_lock();
    append(op, bytes, queue, name);
    if (!can_fail(op)) return QUERN_OK;
    if (qn_null.fail_in != 0 && (qn_null.fail_op == op || qn_null.fail_op == QN_NULL_ANY) &&
        --qn_null.fail_in == 0) {
        qn_null.failed = 1;
        return qn_error(qn_null.fail_status, "null: %s fails as told", qn_null_op_name(op));
    }
    if (qn_null.lost)
        return qn_error(QUERN_DEVICE_LOST, "null: %s on a device that was lost",
                        qn_null_op_name(op));
    return QUERN_OK;
}

quern_status qn_null_done(quern_status status)
{
    qn_null.calls[qn_null.n_calls - 1].status = status;
    qn_null_unlock();
    return status;
}

void qn_null_blame(const char *format, ...)
{
    if (qn_null.misuse++ != 0) return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(qn_null.first_misuse, sizeof qn_null.first_misuse, format, args);
    va_end(args);
}

const struct qn_null_call *qn_null_calls(size_t *count)
{
    qn_null_lock();
    *count = qn_null.n_calls;
    const struct qn_null_call *calls = qn_null.calls;
    qn_null_unlock();
    return calls;
}

uint64_t qn_null_calls_of(enum qn_null_op op)
{
    uint64_t n = 0;
    qn_null_lock();
    for (size_t i = 0; i < qn_null.n_calls; i++)
        n += op == QN_NULL_ANY || qn_null.calls[i].op == op;
    qn_null_unlock();
    return n;
}

uint64_t qn_null_bytes_of(enum qn_null_op op)
{
    uint64_t bytes = 0;
    qn_null_lock();
    for (size_t i = 0; i < qn_null.n_calls; i++)
        if (qn_null.calls[i].op == op && qn_null.calls[i].status == QUERN_OK)
            bytes += qn_null.calls[i].bytes;
    qn_null_unlock();
    return bytes;
}

void qn_null_forget_calls(void)
{
    qn_null_lock();
    qn_null.n_calls = 0;
    qn_null_unlock();
}

uint64_t qn_null_live(void)
{
    qn_null_lock();
    uint64_t live = qn_null.live;
    qn_null_unlock();
    return live;
}

uint64_t qn_null_live_bytes(void)
{
    qn_null_lock();
    uint64_t bytes = qn_null.live_bytes;
    qn_null_unlock();
    return bytes;
}

uint64_t qn_null_misuse(const char **first)
{
    qn_null_lock();
    uint64_t count = qn_null.misuse;
    qn_null_unlock();
    if (first != NULL) *first = qn_null.first_misuse;
    return count;
}

/* ---- trouble ---- */

void qn_null_fail(enum qn_null_op op, uint64_t n, quern_status status)
{
    qn_null_lock();
    qn_null.fail_op = op;
    qn_null.fail_in = n;
    qn_null.fail_status = status;
    qn_null.failed = 0;
    qn_null_unlock();
}

int qn_null_failed(void)
{
    qn_null_lock();
    int failed = qn_null.failed;
    qn_null_unlock();
    return failed;
}

void qn_null_fail_work(uint64_t n, quern_status status)
{
    qn_null_lock();
    qn_null.fail_work_in = n;
    qn_null.fail_work_status = status;
    qn_null_unlock();
}

void qn_null_lose(void)
{
    qn_null_lock();
    qn_null.lost = 1;
    qn_null_unlock();
}
