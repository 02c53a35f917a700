/* SPDX-License-Identifier: Apache-2.0
 * The CPU as a device: its memory is plain host memory, so that the pool, the staging and the ledger
 * work on it as on any other, and caller memory is used in place. It compiles no portable kernels:
 * the operations' CPU implementations work on host batches directly. Everything is done when a call
 * returns, so queues and events are only names; an event remembers when it was recorded. */
#include <stdio.h>
#include <string.h>

#include "backends/cpu/isa.h"
#include "host/core/checked.h"
#include "host/core/os.h"
#include "host/device/driver.h"
#include "host/ops/requests.h"

#if QN_X86
#include <cpuid.h>
#endif

enum {
    BASE_ALIGN = 64,
    PAGES_FROM = 4 << 20 /* from here on, memory comes in fresh (huge) pages */
};

struct qn_dev {
    uint32_t index;
};

struct qn_raw {
    void *memory;
    size_t bytes;
    enum { FROM_HEAP, FROM_PAGES, FROM_CALLER } origin;
};

struct qn_queue {
    struct qn_dev *dev;
};

struct qn_event {
    uint64_t recorded; /* clock, ns; 0: never */
};

static quern_status driver_count(uint32_t *count, const char **reason)
{
    *count = 1;
    *reason = NULL;
    return QUERN_OK;
}

static quern_status check_index(uint32_t index)
{
    if (index == 0) return QUERN_OK;
    return qn_error(QUERN_NO_DEVICE, "cpu: there is one CPU device, cpu:0, not cpu:%u", index);
}

/* The processor's own name for itself, without the blanks that pad it. */
static void processor_name(char *out, size_t size)
{
#if QN_X86
    unsigned int words[13] = {0}, top = (unsigned int)__get_cpuid_max(0x80000000u, NULL);
    if (top >= 0x80000004u) {
        for (unsigned int i = 0; i < 3; i++)
            (void)__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                              &words[4 * i + 3]);
        char text[sizeof words];
        memcpy(text, words, sizeof words);
        const char *from = text + strspn(text, " ");
        (void)snprintf(out, size, "%s", from);
        for (size_t n = strlen(out); n > 0 && out[n - 1] == ' '; n--) out[n - 1] = '\0';
        if (out[0] != '\0') return;
    }
    (void)snprintf(out, size, "x86-64 processor");
#elif defined(__aarch64__)
    (void)snprintf(out, size, "aarch64 processor");
#else
    (void)snprintf(out, size, "processor");
#endif
}

static quern_status driver_caps(uint32_t index, struct qn_caps *out)
{
    QN_TRY(check_index(index));
    memset(out, 0, sizeof *out);
    out->features = QN_FEATURE_F64 | QN_FEATURE_HOST_MEMORY | QN_FEATURE_WRAP |
                    QN_FEATURE_EXACT_DIV | QN_FEATURE_CPU_SHAPE;
    out->base_align = BASE_ALIGN;
    out->memory_total = qn_memory_total();
    out->memory_free = UINT64_MAX;
    out->max_alloc = out->memory_total;
    out->max_group = 1;
    out->compute_units = qn_cpu_count();
    processor_name(out->name, sizeof out->name);
    (void)snprintf(out->uid, sizeof out->uid, "cpu");
    (void)snprintf(out->driver, sizeof out->driver, "quern %s, %s", QUERN_VERSION_STRING,
                   qn_cpu_isa());
    return QUERN_OK;
}

static quern_status driver_open(uint32_t index, struct qn_dev **out)
{
    *out = NULL;
    QN_TRY(check_index(index));
    struct qn_dev *dev = qn_zalloc(1, sizeof *dev);
    if (dev == NULL) return qn_error_memory("cpu device", sizeof *dev);
    *out = dev;
    return QUERN_OK;
}

static void driver_close(struct qn_dev *dev)
{
    qn_free(dev);
}

/* ---- memory ---- */

static quern_status raw_alloc(struct qn_dev *dev, uint64_t bytes, struct qn_raw **out)
{
    (void)dev;
    *out = NULL;
    if (bytes > SIZE_MAX) return qn_error_memory("cpu device memory", bytes);
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("cpu device memory", sizeof *raw);
    raw->bytes = (size_t)bytes;
    raw->origin = bytes >= PAGES_FROM ? FROM_PAGES : FROM_HEAP;
    raw->memory =
        raw->origin == FROM_PAGES ? qn_pages_alloc(raw->bytes) : qn_alloc_aligned(raw->bytes, 1);
    if (raw->memory == NULL) {
        qn_free(raw);
        return qn_error_memory("cpu device memory", bytes);
    }
    *out = raw;
    return QUERN_OK;
}

static void raw_free(struct qn_dev *dev, struct qn_raw *raw)
{
    (void)dev;
    if (raw == NULL) return;
    if (raw->origin == FROM_PAGES) qn_pages_free(raw->memory, raw->bytes);
    if (raw->origin == FROM_HEAP) qn_free(raw->memory);
    qn_free(raw);
}

static quern_status raw_wrap(struct qn_dev *dev, void *memory, uint64_t bytes, int write,
                             struct qn_raw **out)
{
    (void)dev;
    (void)write;
    *out = NULL;
    if (bytes > SIZE_MAX) return qn_error_memory("cpu device memory", bytes);
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("cpu device memory", sizeof *raw);
    raw->memory = memory;
    raw->bytes = (size_t)bytes;
    raw->origin = FROM_CALLER;
    *out = raw;
    return QUERN_OK;
}

static void *raw_pointer(struct qn_raw *raw)
{
    return raw->memory;
}

/* ---- queues ---- */

static quern_status queue_open(struct qn_dev *dev, struct qn_queue **out)
{
    struct qn_queue *queue = qn_zalloc(1, sizeof *queue);
    *out = queue;
    if (queue == NULL) return qn_error_memory("cpu queue", sizeof *queue);
    queue->dev = dev;
    return QUERN_OK;
}

static void queue_close(struct qn_dev *dev, struct qn_queue *queue)
{
    (void)dev;
    qn_free(queue);
}

/* The first byte of a view, or NULL with the error set where it leaves its block. */
static void *view_bytes(const char *what, struct qn_view view)
{
    if (view.raw != NULL && view.offset <= view.raw->bytes &&
        view.size <= view.raw->bytes - view.offset)
        return (char *)view.raw->memory + view.offset;
    (void)qn_error(QUERN_INTERNAL, "cpu: %s of %llu bytes at %llu leaves its memory block", what,
                   (unsigned long long)view.size, (unsigned long long)view.offset);
    return NULL;
}

static quern_status upload(struct qn_queue *queue, struct qn_view to, const void *from,
                           enum qn_wait wait)
{
    (void)queue;
    (void)wait;
    void *target = view_bytes("upload", to);
    if (target == NULL) return QUERN_INTERNAL;
    if (to.size != 0) memcpy(target, from, (size_t)to.size);
    return QUERN_OK;
}

static quern_status download(struct qn_queue *queue, void *to, struct qn_view from,
                             enum qn_wait wait)
{
    (void)queue;
    (void)wait;
    const void *source = view_bytes("download", from);
    if (source == NULL) return QUERN_INTERNAL;
    if (from.size != 0) memcpy(to, source, (size_t)from.size);
    return QUERN_OK;
}

static quern_status copy(struct qn_queue *queue, struct qn_view to, struct qn_view from)
{
    (void)queue;
    if (to.size != from.size)
        return qn_error(QUERN_INTERNAL, "cpu: copy between views of %llu and %llu bytes",
                        (unsigned long long)from.size, (unsigned long long)to.size);
    void *target = view_bytes("copy", to);
    const void *source = view_bytes("copy", from);
    if (target == NULL || source == NULL) return QUERN_INTERNAL;
    if (to.size != 0) memmove(target, source, (size_t)to.size);
    return QUERN_OK;
}

static quern_status fill(struct qn_queue *queue, struct qn_view to, uint32_t pattern)
{
    (void)queue;
    if (to.size % 4 != 0)
        return qn_error(QUERN_INTERNAL, "cpu: fill of %llu bytes, not a multiple of 4",
                        (unsigned long long)to.size);
    char *target = view_bytes("fill", to);
    if (target == NULL) return QUERN_INTERNAL;
    if (pattern == 0) {
        memset(target, 0, (size_t)to.size);
        return QUERN_OK;
    }
    for (size_t i = 0; i < to.size; i += 4) memcpy(target + i, &pattern, 4);
    return QUERN_OK;
}

static quern_status finish(struct qn_queue *queue)
{
    (void)queue;
    return QUERN_OK;
}

/* ---- events ---- */

static quern_status event_open(struct qn_dev *dev, struct qn_event **out)
{
    (void)dev;
    *out = qn_zalloc(1, sizeof **out);
    return *out != NULL ? QUERN_OK : qn_error_memory("cpu event", sizeof **out);
}

static void event_close(struct qn_dev *dev, struct qn_event *event)
{
    (void)dev;
    qn_free(event);
}

static quern_status event_record(struct qn_queue *queue, struct qn_event *event)
{
    (void)queue;
    event->recorded = qn_clock_ns();
    return QUERN_OK;
}

static quern_status event_done(struct qn_event *event, int *done)
{
    (void)event;
    *done = 1;
    return QUERN_OK;
}

static quern_status event_wait(struct qn_event *event)
{
    (void)event;
    return QUERN_OK;
}

static quern_status queue_wait(struct qn_queue *queue, struct qn_event *event)
{
    (void)queue;
    (void)event;
    return QUERN_OK;
}

static quern_status event_elapsed(struct qn_event *from, struct qn_event *to, uint64_t *ns)
{
    *ns = to->recorded > from->recorded ? to->recorded - from->recorded : 0;
    return QUERN_OK;
}

const struct qn_driver qn_driver_cpu = {
    .struct_size = sizeof(struct qn_driver),
    .abi = QN_DRIVER_ABI,
    .name = "cpu",
    .count = driver_count,
    .caps = driver_caps,
    .open = driver_open,
    .close = driver_close,
    .raw_alloc = raw_alloc,
    .raw_free = raw_free,
    .raw_wrap = raw_wrap,
    .queue_open = queue_open,
    .queue_close = queue_close,
    .upload = upload,
    .download = download,
    .copy = copy,
    .fill = fill,
    .finish = finish,
    .event_open = event_open,
    .event_close = event_close,
    .event_record = event_record,
    .event_done = event_done,
    .event_wait = event_wait,
    .queue_wait = queue_wait,
    .event_elapsed = event_elapsed,
    .raw_pointer = raw_pointer,
};
