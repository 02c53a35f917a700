/* SPDX-License-Identifier: Apache-2.0
 * A driver whose compiler is the host's: a source is compiled as plain C into a shared object, with
 * the sanitizers of this program if it has any, and launched on fibers. So the whole path of an
 * operation, host side included, runs over device code that a sanitizer sees.
 *
 * Under ASan a launch may touch its views and nothing else: the rest of every slab is poisoned while
 * it runs, exact to a word. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/device/driver.h"
#include "tests/kernels/fibers.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n) ((void)(p))
#define UNPOISON(p, n) ((void)(p))
#endif

enum { MOST_ARGS = 20 };

struct qn_raw {
    char *memory;
    uint64_t bytes;
    struct qn_raw *next;
};
struct qn_dev {
    struct qn_raw *raws;
    uint64_t launches;
};
struct qn_queue {
    struct qn_dev *dev;
};
struct qn_event {
    int recorded;
};
struct qn_module {
    void *object;
    char name[64];
};
struct qn_kernel {
    void (*entry)(void);
    char name[64];
    struct qn_kernel *next;
};
static struct qn_kernel *kernels; /* freed with the process: a module's kernels outlive nothing */

static quern_status fiber_count(uint32_t *count, const char **reason)
{
    *count = 1;
    *reason = NULL;
    return QUERN_OK;
}

static quern_status fiber_caps(uint32_t index, struct qn_caps *out)
{
    (void)index;
    *out =
        (struct qn_caps){.features = QN_FEATURE_F64 | QN_FEATURE_KERNELS | QN_FEATURE_HOST_MEMORY |
                                     QN_FEATURE_EXACT_DIV | QN_FEATURE_CPU_SHAPE,
                         .base_align = 64,
                         .memory_total = (uint64_t)1 << 32,
                         .memory_free = UINT64_MAX,
                         .max_alloc = (uint64_t)1 << 31,
                         .shared_bytes = 32768,
                         .max_group = 256,
                         .compute_units = 2,
                         .name = "fibers",
                         .uid = "fibers",
                         .driver = "host compiler"};
    return QUERN_OK;
}

static quern_status fiber_open(uint32_t index, struct qn_dev **out)
{
    (void)index;
    *out = calloc(1, sizeof **out);
    return *out != NULL ? QUERN_OK : qn_error_memory("fibers", sizeof **out);
}

static void fiber_close(struct qn_dev *dev)
{
    while (kernels != NULL) {
        struct qn_kernel *kernel = kernels;
        kernels = kernel->next;
        free(kernel);
    }
    free(dev);
}

static quern_status fiber_raw_alloc(struct qn_dev *dev, uint64_t bytes, struct qn_raw **out)
{
    struct qn_raw *raw = calloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("fibers", bytes);
    raw->bytes = (bytes + 63) / 64 * 64;
    raw->memory = aligned_alloc(64, raw->bytes);
    if (raw->memory == NULL) {
        free(raw);
        return qn_error_memory("fibers", bytes);
    }
    memset(raw->memory, 0xa5, raw->bytes);
    raw->next = dev->raws;
    dev->raws = raw;
    *out = raw;
    return QUERN_OK;
}

static void fiber_raw_free(struct qn_dev *dev, struct qn_raw *raw)
{
    struct qn_raw **at = &dev->raws;
    while (*at != raw) at = &(*at)->next;
    *at = raw->next;
    free(raw->memory);
    free(raw);
}

static quern_status fiber_queue_open(struct qn_dev *dev, struct qn_queue **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) return qn_error_memory("fibers", sizeof **out);
    (*out)->dev = dev;
    return QUERN_OK;
}

static void fiber_queue_close(struct qn_dev *dev, struct qn_queue *queue)
{
    (void)dev;
    free(queue);
}

static quern_status fiber_upload(struct qn_queue *queue, struct qn_view to, const void *from,
                                 enum qn_wait wait)
{
    (void)queue;
    (void)wait;
    memcpy(to.raw->memory + to.offset, from, to.size);
    return QUERN_OK;
}

static quern_status fiber_download(struct qn_queue *queue, void *to, struct qn_view from,
                                   enum qn_wait wait)
{
    (void)queue;
    (void)wait;
    memcpy(to, from.raw->memory + from.offset, from.size);
    return QUERN_OK;
}

static quern_status fiber_copy(struct qn_queue *queue, struct qn_view to, struct qn_view from)
{
    (void)queue;
    memmove(to.raw->memory + to.offset, from.raw->memory + from.offset, to.size);
    return QUERN_OK;
}

static quern_status fiber_fill(struct qn_queue *queue, struct qn_view to, uint32_t pattern)
{
    (void)queue;
    for (uint64_t i = 0; i < to.size; i += 4) memcpy(to.raw->memory + to.offset + i, &pattern, 4);
    return QUERN_OK;
}

static quern_status fiber_finish(struct qn_queue *queue)
{
    (void)queue;
    return QUERN_OK;
}

static quern_status fiber_event_open(struct qn_dev *dev, struct qn_event **out)
{
    (void)dev;
    *out = calloc(1, sizeof **out);
    return *out != NULL ? QUERN_OK : qn_error_memory("fibers", sizeof **out);
}

static void fiber_event_close(struct qn_dev *dev, struct qn_event *event)
{
    (void)dev;
    free(event);
}

static quern_status fiber_event_record(struct qn_queue *queue, struct qn_event *event)
{
    (void)queue;
    event->recorded = 1;
    return QUERN_OK;
}

static quern_status fiber_event_done(struct qn_event *event, int *done)
{
    *done = event->recorded;
    return QUERN_OK;
}

static quern_status fiber_event_wait(struct qn_event *event)
{
    (void)event;
    return QUERN_OK;
}

static quern_status fiber_queue_wait(struct qn_queue *queue, struct qn_event *event)
{
    (void)queue;
    (void)event;
    return QUERN_OK;
}

/* ---- kernels ---- */

static quern_status compile_file(const struct qn_source *source, const char *stem)
{
    char command[1024];
    char path[128];
    (void)snprintf(path, sizeof path, "%s.c", stem);
    FILE *file = fopen(path, "wb");
    if (file == NULL) return qn_error(QUERN_IO, "fibers: cannot write %s", path);
    /* The dialect's own includes were left out of the text. */
    static const char front[] =
        "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n#line 1 \"kernel\"\n";
    int bad = fwrite(front, 1, sizeof front - 1, file) != sizeof front - 1;
    bad |= fwrite(source->text, 1, source->bytes, file) != source->bytes;
    if (fclose(file) != 0 || bad) return qn_error(QUERN_IO, "fibers: cannot write %s", path);
    (void)snprintf(command, sizeof command,
                   "%s -std=c11 -O1 -g1 -fPIC -shared -Wall -Wextra -Wno-unused-function "
                   "-Wno-unused-parameter -Wno-unknown-pragmas -Werror -ffp-contract=off "
                   "-fno-strict-aliasing %s %s "
                   "-o %s.so %s",
                   QN_FIBER_CC, QN_FIBER_FLAGS, source->options != NULL ? source->options : "",
                   stem, path);
    if (system(command) != 0)
        return qn_error(QUERN_COMPILE, "fibers: %s does not compile: %s", source->name, command);
    return QUERN_OK;
}

static quern_status fiber_compile(struct qn_dev *dev, const struct qn_source *source,
                                  struct qn_module **out)
{
    char folder[] = "/tmp/quern-fibers-XXXXXX", stem[64], path[128];
    quern_status status;
    struct qn_module *module = calloc(1, sizeof *module);
    (void)dev;
    if (module == NULL || mkdtemp(folder) == NULL) return qn_error(QUERN_IO, "fibers: no folder");
    (void)snprintf(stem, sizeof stem, "%s/kernel", folder);
    (void)snprintf(path, sizeof path, "%s.so", stem);
    QN_GO(compile_file(source, stem));
    module->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module->object == NULL) {
        status = qn_error(QUERN_COMPILE, "fibers: %s", dlerror());
        goto cleanup;
    }
    (void)snprintf(module->name, sizeof module->name, "%s", source->name);
    *out = module;
    module = NULL;
cleanup:
    free(module);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s.c", stem);
    if (status == QUERN_OK) (void)unlink(path);
    (void)rmdir(folder);
    return status;
}

static void fiber_module_free(struct qn_dev *dev, struct qn_module *module)
{
    (void)dev;
    dlclose(module->object);
    free(module);
}

static quern_status fiber_kernel_get(struct qn_module *module, const char *name,
                                     struct qn_kernel **out)
{
    struct qn_kernel *kernel = calloc(1, sizeof *kernel);
    if (kernel == NULL) return qn_error_memory("fibers", sizeof *kernel);
    *(void **)&kernel->entry = dlsym(module->object, name);
    if (kernel->entry == NULL) {
        free(kernel);
        return qn_error(QUERN_INVALID, "fibers: %s has no kernel %s", module->name, name);
    }
    (void)snprintf(kernel->name, sizeof kernel->name, "%s", name);
    kernel->next = kernels;
    kernels = kernel;
    *out = kernel;
    return QUERN_OK;
}

struct call {
    void (*entry)(void);
    uint64_t a[MOST_ARGS];
    uint32_t n;
};

/* Every argument travels as a 64-bit word: what the calling conventions of x86-64 and aarch64 Linux
 * make of pointers and of integers up to that size. */
static void invoke(void *user)
{
    const struct call *c = user;
    const uint64_t *a = c->a;
#define W uint64_t
    ((void (*)(W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W))c->entry)(
        a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13],
        a[14], a[15], a[16], a[17], a[18], a[19]);
#undef W
}

static void poison_all(const struct qn_dev *dev, int poison)
{
    for (const struct qn_raw *raw = dev->raws; raw != NULL; raw = raw->next) {
        if (poison) /* NOLINT(bugprone-branch-clone): both are empty without AddressSanitizer */
            POISON(raw->memory, raw->bytes);
        else
            UNPOISON(raw->memory, raw->bytes);
    }
}

static quern_status fiber_launch(struct qn_queue *queue, struct qn_kernel *kernel,
                                 const struct qn_grid *grid, const struct qn_arg *args,
                                 uint32_t n_args)
{
    struct call call = {.entry = kernel->entry, .n = n_args};
    struct qn_dev *dev = queue->dev;
    if (n_args > MOST_ARGS) return qn_error(QUERN_INVALID, "fibers: %u arguments", n_args);
    poison_all(dev, 1);
    for (uint32_t i = 0; i < n_args; i++) {
        const struct qn_view *view = &args[i].u.view;
        switch (args[i].kind) {
        case QN_ARG_VIEW:
            if (view->raw == NULL || view->offset + view->size > view->raw->bytes) {
                poison_all(dev, 0);
                return qn_error(QUERN_INVALID, "fibers: argument %u of %s is outside of its block",
                                i, kernel->name);
            }
            UNPOISON(view->raw->memory + view->offset, view->size);
            call.a[i] = (uint64_t)(uintptr_t)(view->raw->memory + view->offset);
            break;
        case QN_ARG_U32: call.a[i] = args[i].u.u32; break;
        case QN_ARG_U64: call.a[i] = args[i].u.u64; break;
        default:
            poison_all(dev, 0);
            return qn_error(QUERN_UNSUPPORTED, "fibers: floating-point arguments");
        }
    }
    uint32_t left = fibers_launch(grid->groups[0], grid->groups[1], grid->items, ++dev->launches,
                                  invoke, &call);
    poison_all(dev, 0);
    if (left != 0)
        return qn_error(QUERN_INTERNAL, "fibers: %u of %u items left %s while the rest wait", left,
                        grid->items, kernel->name);
    return QUERN_OK;
}

static void *fiber_raw_pointer(struct qn_raw *raw)
{
    return raw->memory;
}

extern const struct qn_driver qn_driver_fibers;
const struct qn_driver qn_driver_fibers = {
    .struct_size = sizeof(struct qn_driver),
    .abi = QN_DRIVER_ABI,
    .name = "fibers",
    .count = fiber_count,
    .caps = fiber_caps,
    .open = fiber_open,
    .close = fiber_close,
    .raw_alloc = fiber_raw_alloc,
    .raw_free = fiber_raw_free,
    .queue_open = fiber_queue_open,
    .queue_close = fiber_queue_close,
    .upload = fiber_upload,
    .download = fiber_download,
    .copy = fiber_copy,
    .fill = fiber_fill,
    .finish = fiber_finish,
    .event_open = fiber_event_open,
    .event_close = fiber_event_close,
    .event_record = fiber_event_record,
    .event_done = fiber_event_done,
    .event_wait = fiber_event_wait,
    .queue_wait = fiber_queue_wait,
    .compile = fiber_compile,
    .module_free = fiber_module_free,
    .kernel_get = fiber_kernel_get,
    .launch = fiber_launch,
    .raw_pointer = fiber_raw_pointer,
};
