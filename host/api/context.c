/* SPDX-License-Identifier: Apache-2.0
 * Contexts, devices, ledger and decisions of the public interface. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"

/* The public callbacks, behind the context's own. */
struct callbacks {
    quern_log_fn *log;
    quern_progress_fn *progress;
    quern_cancel_fn *cancel;
    void *user;
};

quern_status qn_null_argument(const char *function)
{
    return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
}

void qn_struct_in(void *to, size_t size, const void *from, uint32_t given)
{
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
}

/* `to` starts with the caller's struct_size, which stays. */
void qn_struct_out(void *to, const void *from, size_t size)
{
    uint32_t room;
    memcpy(&room, to, sizeof room);
    if (room == 0 || room > size) room = (uint32_t)size;
    uint32_t kept = room;
    memcpy(to, from, room);
    memcpy(to, &kept, sizeof kept);
}

static void on_log(void *user, enum qn_log_level level, const char *text)
{
    struct callbacks *c = user;
    if (c->log != NULL) c->log(c->user, (quern_log_level)level, text);
}

static void on_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
    struct callbacks *c = user;
    if (c->progress != NULL) c->progress(c->user, stage, done, total);
}

static int on_cancel(void *user)
{
    struct callbacks *c = user;
    return c->cancel != NULL && c->cancel(c->user);
}

quern_status quern_context_open(const quern_context_config *given, quern_context **out)
{
    quern_context_config config;
    if (out == NULL) return qn_null_argument("quern_context_open");
    *out = NULL;
    memset(&config, 0, sizeof config);
    if (given != NULL) qn_struct_in(&config, sizeof config, given, given->struct_size);
    struct callbacks *c = qn_zalloc(1, sizeof *c);
    if (c == NULL) return qn_error_memory("context", sizeof *c);
    *c = (struct callbacks){config.log, config.progress, config.cancel, config.user};
    struct qn_context_config inner = {
        .device = config.device,
        .threads = config.threads,
        .fallback = config.fallback == QUERN_FALLBACK_NEVER   ? QN_FALLBACK_NEVER
                    : config.fallback == QUERN_FALLBACK_QUIET ? QN_FALLBACK_QUIET
                                                              : QN_FALLBACK_REPORT,
        .max_memory = config.max_memory,
        .device_memory = config.device_memory,
        .cache_dir = config.cache_dir,
        .no_zero_copy = config.no_zero_copy,
        .device_times = config.device_times,
        .log = on_log,
        .progress = on_progress,
        .cancel = on_cancel,
        .user = c,
    };
    quern_status status = qn_context_open(&inner, out);
    if (status != QUERN_OK) qn_free(c);
    return status;
}

quern_status quern_context_close(quern_context *context)
{
    if (context == NULL) return QUERN_OK;
    void *c = context->user;
    QN_TRY(qn_context_close(context));
    qn_free(c);
    return QUERN_OK;
}

void quern_context_callbacks(quern_context *context, quern_log_fn *log, quern_progress_fn *progress,
                             quern_cancel_fn *cancel, void *user)
{
    struct callbacks *c = context->user;
    *c = (struct callbacks){log, progress, cancel, user};
}

const char *quern_context_device(const quern_context *context)
{
    return context->device_id;
}

const char *quern_context_reason(const quern_context *context)
{
    return context->why;
}

uint32_t quern_context_threads(const quern_context *context)
{
    return qn_threads_size(context->threads);
}

static void fill_info(const struct qn_device_entry *e, quern_device_info *out)
{
    quern_device_info info = {
        .struct_size = sizeof info,
        .present = e->present,
        .id = e->id,
        .backend = e->driver->name,
        .name = e->caps.name,
        .driver = e->caps.driver,
        .reason = e->why,
        .same_as = e->same_as,
        .memory_total = e->caps.memory_total,
        .memory_free = e->caps.memory_free,
        .max_alloc = e->caps.max_alloc,
        .compute_units = e->caps.compute_units,
        .compute = e->caps.compute,
        .float64 = (e->caps.features & QN_FEATURE_F64) != 0,
        .zero_copy = (e->caps.features & (QN_FEATURE_WRAP | QN_FEATURE_HOST_MEMORY)) != 0,
        .pinned = (e->caps.features & QN_FEATURE_PINNED) != 0,
        .notes = e->notes,
    };
    qn_struct_out(out, &info, sizeof info);
}

quern_status quern_context_devices(quern_context *context, quern_device_info *infos, uint32_t room,
                                   uint32_t *count)
{
    const struct qn_device_list *list;
    if (context == NULL || count == NULL) return qn_null_argument("quern_context_devices");
    QN_TRY(qn_context_devices(context, &list));
    *count = list->count;
    for (uint32_t i = 0; infos != NULL && i < room && i < list->count; i++)
        fill_info(&list->entries[i], &infos[i]);
    return QUERN_OK;
}

void quern_context_ledger(quern_context *context, quern_ledger *out)
{
    const struct qn_ledger *l = qn_context_ledger(context);
    quern_ledger ledger = {
        .struct_size = sizeof ledger,
        .input_to_device = l->to_device[QN_TRAFFIC_INPUT],
        .output_from_device = l->from_device[QN_TRAFFIC_OUTPUT],
        .control_to_device = l->to_device[QN_TRAFFIC_CONTROL],
        .control_from_device = l->from_device[QN_TRAFFIC_CONTROL],
        .on_device = l->on_device,
        .wrapped = l->wrapped,
        .launches = l->launches,
        .kernel_ns = l->kernel_ns,
        .wait_ns = l->wait_ns,
        .compiles = l->compiles,
        .cache_hits = l->cache_hits,
        .passes = l->passes,
    };
    qn_struct_out(out, &ledger, sizeof ledger);
}

uint32_t quern_context_decisions(const quern_context *context)
{
    return context->n_decisions;
}

quern_status quern_context_decision(const quern_context *context, uint32_t i, quern_decision *out)
{
    if (i >= context->n_decisions)
        return qn_error(QUERN_INVALID, "there are %u decisions", context->n_decisions);
    const struct qn_decision *d = &context->decisions[i];
    quern_decision decision = {
        .struct_size = sizeof decision,
        .step = d->step,
        .operation = d->operation,
        .device = d->device,
        .implementation = d->implementation,
        .reason = d->reason,
        .count = d->count,
    };
    qn_struct_out(out, &decision, sizeof decision);
    return QUERN_OK;
}

void quern_context_reset(quern_context *context)
{
    qn_context_reset(context);
}

void quern_context_pool(quern_context *context, quern_pool_stats *out)
{
    quern_pool_stats stats = {.struct_size = sizeof stats};
    if (context->device != NULL) {
        struct qn_pool_stats s;
        qn_pool_stats(context->device->pool, &s);
        stats.slabs = (uint32_t)s.slabs;
        stats.held = s.held.now;
        stats.held_peak = s.held.peak;
        stats.used = s.used.now;
        stats.used_peak = s.used.peak;
        stats.asked = s.asked.now;
        stats.largest_free = s.largest_free;
        stats.limit = s.limit;
        stats.takes = s.takes;
        stats.reused = s.same_queue + s.other_queue_done + s.other_queue_wait;
        stats.grows = s.grows;
        stats.trims = s.trims;
        stats.failures = s.failures;
    }
    qn_struct_out(out, &stats, sizeof stats);
}

uint64_t quern_context_trim(quern_context *context, uint64_t keep)
{
    return context->device != NULL ? qn_pool_trim(context->device->pool, keep) : 0;
}

void quern_context_reset_peaks(quern_context *context)
{
    if (context->device != NULL) qn_pool_reset_peaks(context->device->pool);
}

void quern_free(void *memory)
{
    qn_free(memory);
}
