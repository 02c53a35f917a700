/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/device/cache.h"

/* ---- which device ---- */

/* Appends to cx->why, as far as there is room. */
static void explain(struct quern_context *cx, const char *format, ...) QN_PRINTF(2, 3);
static void explain(struct quern_context *cx, const char *format, ...)
{
    size_t used = strlen(cx->why);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(cx->why + used, sizeof cx->why - used, format, args);
    va_end(args);
}

static quern_status open_entry(struct quern_context *cx, const struct qn_context_config *config,
                               const struct qn_device_entry *entry)
{
    struct qn_device_config device = {.pool = {.limit = config->device_memory},
                                      .threads = cx->threads,
                                      .cache_dir = cx->cache_dir,
                                      .zero_copy = !config->no_zero_copy,
                                      .times = config->device_times,
                                      .no_self_test = config->no_self_test};
    if (strcmp(entry->id, "cpu") != 0)
        QN_TRY(qn_device_open(entry->driver, entry->index, &device, &cx->device));
    memcpy(cx->device_id, entry->id, sizeof cx->device_id);
    return QUERN_OK;
}

/* A device that "auto" may take: it runs kernels and is not the CPU in another guise. */
static int worth_choosing(const struct qn_device_entry *entry)
{
    return entry->present && (entry->caps.features & QN_FEATURE_KERNELS) != 0 &&
           (entry->caps.features & QN_FEATURE_CPU_SHAPE) == 0;
}

static int is_cpu(const struct qn_driver *driver)
{
    return strcmp(driver->name, "cpu") == 0;
}

/* The first device of one driver that opens and passes its self test. Everything passed over is
 * explained. */
static quern_status choose_from(struct quern_context *cx, const struct qn_context_config *config,
                                const struct qn_driver *driver)
{
    struct qn_device_list list;
    QN_TRY(qn_device_list_make(&driver, 1, &list));
    for (uint32_t i = 0; i < list.count && cx->device_id[0] == '\0'; i++) {
        const struct qn_device_entry *entry = &list.entries[i];
        if (!entry->present) {
            explain(cx, "%s: %s; ", entry->id, entry->why);
        } else if (!worth_choosing(entry)) {
            explain(cx, "%s (%s) %s; ", entry->id, entry->caps.name,
                    (entry->caps.features & QN_FEATURE_KERNELS) == 0 ? "runs no kernels"
                                                                     : "is the CPU itself");
        } else if (open_entry(cx, config, entry) != QUERN_OK) {
            explain(cx, "%s; ", qn_error_text());
        } else if (cx->device != NULL && (cx->device->caps.features & QN_FEATURE_KERNELS) == 0) {
            explain(cx, "%s: %s; ", entry->id, cx->device->limits);
            (void)qn_device_close(cx->device);
            cx->device = NULL;
            cx->device_id[0] = '\0';
        }
    }
    qn_device_list_free(&list);
    return QUERN_OK;
}

static quern_status choose(struct quern_context *cx, const struct qn_context_config *config)
{
    for (uint32_t d = 0; d < cx->n_drivers && cx->device_id[0] == '\0'; d++) {
        if (is_cpu(cx->drivers[d])) continue;
        QN_TRY(choose_from(cx, config, cx->drivers[d]));
    }
    if (cx->device_id[0] != '\0') {
        explain(cx, "%s is the first GPU that works", cx->device_id);
    } else {
        (void)snprintf(cx->device_id, sizeof cx->device_id, "cpu");
        explain(cx, "so the CPU");
    }
    return QUERN_OK;
}

/* Only the driver that the name speaks of is asked. */
static quern_status open_named(struct quern_context *cx, const struct qn_context_config *config,
                               const char *name)
{
    struct qn_device_list list = {0};
    size_t n = strcspn(name, ":");
    if (strcmp(name, "cpu") == 0) {
        (void)snprintf(cx->device_id, sizeof cx->device_id, "cpu");
        return QUERN_OK;
    }
    for (uint32_t d = 0; d < cx->n_drivers; d++) {
        const struct qn_driver *driver = cx->drivers[d];
        if (strlen(driver->name) != n || strncmp(driver->name, name, n) != 0) continue;
        QN_TRY(qn_device_list_make(&driver, 1, &list));
        const struct qn_device_entry *entry = qn_device_list_find(&list, name);
        quern_status status =
            entry != NULL ? open_entry(cx, config, entry) : (quern_status)QUERN_NO_DEVICE;
        qn_device_list_free(&list);
        return status;
    }
    return qn_error(QUERN_INVALID,
                    "device \"%s\": expected auto, cpu, cuda:N, opencl:N, or a part of a device's "
                    "name as in opencl:pocl",
                    name);
}

static quern_status open_device(struct quern_context *cx, const struct qn_context_config *config)
{
    const char *name = config->device, *environment = qn_env("QUERN_DEVICE");
    if (name == NULL || name[0] == '\0') name = environment;
    int by_environment = name != NULL && name == environment;
    if (name == NULL || strcmp(name, "auto") == 0) {
        explain(cx, "auto%s: ", by_environment ? " (QUERN_DEVICE)" : "");
        return choose(cx, config);
    }
    explain(cx, "asked for%s", by_environment ? " by QUERN_DEVICE" : "");
    quern_status status = open_named(cx, config, name);
    return status != QUERN_OK && by_environment
               ? qn_error_context(status, "environment variable QUERN_DEVICE")
               : status;
}

/* ---- opening and closing ---- */

static void forget_decisions(struct quern_context *cx)
{
    for (uint32_t i = 0; i < cx->n_decisions; i++) {
        char *text; /* the step's text is the head of one allocation for all five */
        memcpy(&text, &cx->decisions[i].step, sizeof text);
        qn_free(text);
    }
    cx->n_decisions = 0;
}

static void take_apart(struct quern_context *cx)
{
    forget_decisions(cx);
    qn_free(cx->decisions);
    qn_device_list_free(&cx->devices);
    qn_threads_close(cx->threads);
    qn_free(cx->cache_dir);
    qn_free(cx);
}

quern_status qn_context_open(const struct qn_context_config *config, struct quern_context **out)
{
    static const struct qn_context_config defaults;
    quern_status status = QUERN_OK;
    *out = NULL;
    if (config == NULL) config = &defaults;
    struct quern_context *cx = qn_zalloc(1, sizeof *cx);
    if (cx == NULL) return qn_error_memory("context", sizeof *cx);
    cx->fallback = config->fallback;
    cx->max_memory = config->max_memory;
    cx->log = config->log;
    cx->progress = config->progress;
    cx->cancel = config->cancel;
    cx->user = config->user;
    cx->drivers = config->drivers;
    cx->n_drivers = config->n_drivers;
    if (cx->drivers == NULL) cx->drivers = qn_drivers(&cx->n_drivers);
    if ((unsigned)config->fallback > QN_FALLBACK_QUIET) {
        status = qn_error(QUERN_INVALID, "fallback policy %d", (int)config->fallback);
        goto cleanup;
    }
    cx->cache_dir = qn_cache_directory(config->cache_dir);
    QN_GO(qn_threads_open(config->threads, &cx->threads));
    QN_GO(open_device(cx, config));
    qn_context_log(cx, QN_LOG_INFO, "device %s: %s", cx->device_id, cx->why);
    if (cx->device != NULL && cx->device->limits[0] != '\0')
        qn_context_log(cx, QN_LOG_WARNING, "device %s: %s", cx->device_id, cx->device->limits);
    *out = cx;
    return QUERN_OK;
cleanup:
    take_apart(cx);
    return status;
}

quern_status qn_context_close(struct quern_context *cx)
{
    if (cx == NULL) return QUERN_OK;
    QN_TRY(qn_device_close(cx->device));
    cx->device = NULL;
    take_apart(cx);
    return QUERN_OK;
}

quern_status qn_context_devices(struct quern_context *cx, const struct qn_device_list **out)
{
    *out = NULL;
    if (cx->devices.count == 0) {
        QN_TRY(qn_device_list_make(cx->drivers, cx->n_drivers, &cx->devices));
        qn_device_list_ask_notes(&cx->devices);
    }
    *out = &cx->devices;
    return QUERN_OK;
}

struct qn_ledger *qn_context_ledger(struct quern_context *cx)
{
    return cx->device != NULL ? &cx->device->ledger : &cx->ledger;
}

void qn_context_reset(struct quern_context *cx)
{
    forget_decisions(cx);
    memset(qn_context_ledger(cx), 0, sizeof cx->ledger);
}

/* ---- decisions ---- */

static int same(const struct qn_decision *a, const struct qn_decision *b)
{
    return strcmp(a->step, b->step) == 0 && strcmp(a->operation, b->operation) == 0 &&
           strcmp(a->device, b->device) == 0 && strcmp(a->implementation, b->implementation) == 0 &&
           strcmp(a->reason, b->reason) == 0;
}

/* Copies one text to *at and moves on behind it. */
static const char *put_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = *at;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static quern_status append(struct quern_context *cx, const struct qn_decision *d)
{
    size_t bytes = strlen(d->step) + strlen(d->operation) + strlen(d->device) +
                   strlen(d->implementation) + strlen(d->reason) + 5;
    if (cx->n_decisions == cx->room_decisions) {
        uint32_t room = cx->room_decisions * 2 + 16;
        struct qn_decision *more = qn_realloc(cx->decisions, room, sizeof *more);
        if (more == NULL) return qn_error_memory("decisions", room * sizeof *more);
        cx->decisions = more;
        cx->room_decisions = room;
    }
    char *at = qn_alloc(bytes, 1);
    if (at == NULL) return qn_error_memory("decisions", bytes);
    struct qn_decision *to = &cx->decisions[cx->n_decisions++];
    to->step = put_text(&at, d->step);
    to->operation = put_text(&at, d->operation);
    to->device = put_text(&at, d->device);
    to->implementation = put_text(&at, d->implementation);
    to->reason = put_text(&at, d->reason);
    to->count = 1;
    to->told = 0;
    return QUERN_OK;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* Once, even if nobody listened when it was made first. */
static void tell(struct quern_context *cx, struct qn_decision *d)
{
    if (d->told || cx->log == NULL) return;
    d->told = 1;
    qn_context_log(cx, QN_LOG_DEBUG, "%s: %s runs on %s as %s%s%s", d->step, d->operation,
                   d->device, d->implementation, d->reason[0] != '\0' ? ": " : "", d->reason);
}

quern_status qn_context_decide(struct quern_context *cx, const char *step, const char *operation,
                               const char *device, const char *implementation, const char *reason)
{
    struct qn_decision d = {.step = or_empty(step),
                            .operation = or_empty(operation),
                            .device = device != NULL ? device : cx->device_id,
                            .implementation = or_empty(implementation),
                            .reason = or_empty(reason)};
    /* The latest first: chunks of one run repeat what was just decided. */
    for (uint32_t i = cx->n_decisions; i-- > 0;) {
        if (!same(&cx->decisions[i], &d)) continue;
        cx->decisions[i].count++;
        tell(cx, &cx->decisions[i]);
        return QUERN_OK;
    }
    QN_TRY(append(cx, &d));
    tell(cx, &cx->decisions[cx->n_decisions - 1]);
    return QUERN_OK;
}

quern_status qn_context_fall_back(struct quern_context *cx, const char *step, const char *operation,
                                  const char *implementation, const char *reason)
{
    if (cx->device != NULL && cx->fallback == QN_FALLBACK_NEVER)
        return qn_error(QUERN_UNSUPPORTED,
                        "%s: %s cannot run on %s (%s) and falling back is forbidden",
                        or_empty(step), or_empty(operation), cx->device_id, or_empty(reason));
    if (cx->device != NULL && cx->fallback == QN_FALLBACK_REPORT)
        qn_context_log(cx, QN_LOG_WARNING, "%s: %s runs on the CPU instead of %s: %s",
                       or_empty(step), or_empty(operation), cx->device_id, or_empty(reason));
    return qn_context_decide(cx, step, operation, "cpu", implementation, reason);
}

/* ---- the caller's ear ---- */

int qn_context_cancelled(struct quern_context *cx)
{
    return cx->cancel != NULL && cx->cancel(cx->user) != 0;
}

quern_status qn_context_stopped(const char *during)
{
    return qn_error(QUERN_CANCELLED, "cancelled by the caller during %s", or_empty(during));
}

void qn_context_progress(struct quern_context *cx, const char *stage, uint64_t done, uint64_t total)
{
    if (cx->progress != NULL) cx->progress(cx->user, stage, done, total);
}

void qn_context_log(struct quern_context *cx, enum qn_log_level level, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (cx->log == NULL) return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cx->log(cx->user, level, text);
}
