/* SPDX-License-Identifier: Apache-2.0
 * Kernels: from the ahead-of-time image where there is one for the source, else through NVRTC; then
 * functions by name, and launches.
 *
 * A module made by NVRTC keeps its image so that the on-disk cache can have it. One from the table of
 * images does not: those bytes are in the library already. */
#include <stdio.h>
#include <string.h>

#include "backends/cuda/device.h"
#include "backends/cuda/images.h"
#include "backends/cuda/nvrtc.h"

enum { MAX_ARGS = 64 };

struct qn_kernel {
    struct qn_dev *dev;
    cu_function function;
    uint32_t max_items; /* per group, by this kernel's registers */
    struct qn_kernel *next;
};

struct qn_module {
    struct qn_dev *dev;
    cu_module module;
    void *image; /* NULL: from the table */
    size_t size;
    struct qn_kernel *kernels;
    char name[64];
};

/* A source with options is another program than the image, but for the word that tells OpenCL what
 * CUDA does anyway. */
static const struct qn_cuda_image *find_image(const struct qn_source *source)
{
    const char *options = source->options != NULL ? source->options : "";
    if (source->image_key == NULL) return NULL;
    if (options[0] != '\0' && strcmp(options, "-DQN_EXACT_DIV=1") != 0) return NULL;
    for (const struct qn_cuda_image *image = qn_cuda_images; image->key != NULL; image++)
        if (strcmp(image->key, source->image_key) == 0) return image;
    return NULL;
}

/* Loads bytes as a module; *image, when given, is taken over on success. The driver's compiler (for
 * PTX) leaves its log in the sentence. */
static quern_status load(struct qn_dev *dev, const struct qn_source *source, const void *bytes,
                         void *image, size_t size, struct qn_module **out)
{
    struct qn_module *made = qn_zalloc(1, sizeof *made);
    if (made == NULL) return qn_error_memory("a module", sizeof *made);
    char log[400] = "";
    int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_SIZE};
    void *values[] = {log, (void *)(uintptr_t)(sizeof log - 1)};
    made->dev = dev;
    quern_status status = qn_cuda_enter(dev);
    if (status == QUERN_OK) {
        status = QN_CU(dev->cu, cuModuleLoadDataEx, (&made->module, bytes, 2, options, values));
        status = qn_cuda_leave(dev, status);
    }
    if (status != QUERN_OK) {
        qn_free(made);
        log[sizeof log - 1] = '\0';
        if (log[0] != '\0') {
            struct qn_failure failure;
            qn_error_take(&failure, status);
            (void)qn_error(status, "%.300s: %s", failure.text, log);
        }
        return qn_error_context(status, "kernel %s", source->name);
    }
    made->image = image;
    made->size = size;
    (void)snprintf(made->name, sizeof made->name, "%s", source->name);
    *out = made;
    return QUERN_OK;
}

quern_status qn_cuda_compile(struct qn_dev *dev, const struct qn_source *source,
                             struct qn_module **out)
{
    const struct qn_cuda_image *ready = find_image(source);
    if (ready != NULL) {
        quern_status loaded = load(dev, source, ready->bytes, NULL, 0, out);
        /* Only an image that the driver cannot use for this device is compiled anew. */
        if (loaded != QUERN_COMPILE) return loaded;
    }

    const char *why = "";
    const struct qn_nvrtc *nvrtc = qn_nvrtc(dev->cu->version, &why);
    if (nvrtc == NULL)
        return qn_error(QUERN_UNSUPPORTED, "kernel %s: %s and there is no NVRTC (%s)", source->name,
                        ready != NULL ? "its ahead-of-time image does not serve this device"
                                      : "it was not compiled ahead of time",
                        why);
    void *image = NULL;
    size_t size = 0;
    QN_TRY(qn_nvrtc_compile(nvrtc, source, dev->compute, &image, &size));
    quern_status status = load(dev, source, image, image, size, out);
    if (status != QUERN_OK) qn_free(image);
    return status;
}

void qn_cuda_module_free(struct qn_dev *dev, struct qn_module *module)
{
    if (module == NULL) return;
    for (struct qn_kernel *kernel = module->kernels, *next; kernel != NULL; kernel = next) {
        next = kernel->next;
        qn_free(kernel);
    }
    if (qn_cuda_enter(dev) == QUERN_OK) {
        (void)dev->cu->cuModuleUnload(module->module);
        (void)qn_cuda_leave(dev, QUERN_OK);
    }
    qn_free(module->image);
    qn_free(module);
}

/* A saved image begins with its length and checksum: the native driver is told no size, so bytes
 * that were cut or changed must never reach it. */
struct image_head {
    char magic[8];
    uint64_t bytes, sum;
};
static const char image_magic[8] = "qncuda1";

static uint64_t checksum(const void *bytes, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a */
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) sum = (sum ^ at[i]) * 0x100000001b3u;
    return sum;
}

quern_status qn_cuda_image_save(struct qn_module *module, void **bytes, size_t *size)
{
    struct image_head head = {.bytes = module->size};
    size_t room;
    if (module->image == NULL)
        return qn_error(QUERN_UNSUPPORTED, "kernel %s: its image is part of the library already",
                        module->name);
    if (qn_add_size(module->size, sizeof head, &room))
        return qn_error_memory("a kernel's image", UINT64_MAX);
    char *copy = qn_alloc(room, 1);
    if (copy == NULL) return qn_error_memory("a kernel's image", room);
    memcpy(head.magic, image_magic, sizeof head.magic);
    head.sum = checksum(module->image, module->size);
    memcpy(copy, &head, sizeof head);
    memcpy(copy + sizeof head, module->image, module->size);
    *bytes = copy;
    *size = room;
    return QUERN_OK;
}

quern_status qn_cuda_image_load(struct qn_dev *dev, const struct qn_source *source,
                                const void *bytes, size_t size, struct qn_module **out)
{
    struct image_head head;
    if (bytes == NULL || size <= sizeof head)
        return qn_error(QUERN_CORRUPT, "kernel %s: an image of %zu bytes", source->name, size);
    memcpy(&head, bytes, sizeof head);
    const char *payload = (const char *)bytes + sizeof head;
    size -= sizeof head;
    if (memcmp(head.magic, image_magic, sizeof head.magic) != 0 || head.bytes != size ||
        head.sum != checksum(payload, size))
        return qn_error(QUERN_CORRUPT, "kernel %s: the image is damaged", source->name);
    void *copy = qn_alloc(size, 1); /* its own, and aligned */
    if (copy == NULL) return qn_error_memory("a kernel's image", size);
    memcpy(copy, payload, size);
    quern_status status = load(dev, source, copy, copy, size, out);
    if (status != QUERN_OK) qn_free(copy);
    return status;
}

quern_status qn_cuda_kernel_get(struct qn_module *module, const char *name, struct qn_kernel **out)
{
    struct qn_dev *dev = module->dev;
    cu_function function = NULL;
    int max_items = 0;
    QN_TRY(qn_cuda_enter(dev));
    quern_status status = QN_CU(dev->cu, cuModuleGetFunction, (&function, module->module, name));
    if (status == QUERN_OK)
        status = QN_CU(dev->cu, cuFuncGetAttribute, (&max_items, CU_FUNCTION_MAX_ITEMS, function));
    status = qn_cuda_leave(dev, status);
    if (status != QUERN_OK) return qn_error_context(status, "kernel %s of %s", name, module->name);

    for (struct qn_kernel *known = module->kernels; known != NULL; known = known->next)
        if (known->function == function) {
            *out = known;
            return QUERN_OK;
        }
    struct qn_kernel *made = qn_zalloc(1, sizeof *made);
    if (made == NULL) return qn_error_memory("a kernel", sizeof *made);
    made->dev = dev;
    made->function = function;
    made->max_items = max_items > 0 ? (uint32_t)max_items : 0;
    made->next = module->kernels;
    module->kernels = made;
    *out = made;
    return QUERN_OK;
}

/* Points params[i] at the value of argument i; addresses get their place in `addresses`. */
static quern_status gather(const struct qn_arg *args, uint32_t n_args, cu_address *addresses,
                           void **params)
{
    for (uint32_t i = 0; i < n_args; i++) {
        union {
            const void *from;
            void *to;
        } value; /* the driver takes pointers to non-const and only reads */
        switch (args[i].kind) {
        case QN_ARG_VIEW:
            QN_TRY(qn_cuda_address(args[i].u.view, &addresses[i]));
            value.to = &addresses[i];
            break;
        case QN_ARG_U32: value.from = &args[i].u.u32; break;
        case QN_ARG_U64: value.from = &args[i].u.u64; break;
        case QN_ARG_F64: value.from = &args[i].u.f64; break;
        default: return qn_error(QUERN_INVALID, "argument %u of a launch has no kind", i);
        }
        params[i] = value.to;
    }
    return QUERN_OK;
}

quern_status qn_cuda_launch(struct qn_queue *queue, struct qn_kernel *kernel,
                            const struct qn_grid *grid, const struct qn_arg *args, uint32_t n_args)
{
    cu_address addresses[MAX_ARGS];
    void *params[MAX_ARGS];
    struct qn_dev *dev = queue->dev;
    if (n_args > MAX_ARGS)
        return qn_error(QUERN_INVALID, "a launch with %u arguments; at most %d", n_args, MAX_ARGS);
    if (grid->items > kernel->max_items)
        return qn_error(QUERN_UNSUPPORTED,
                        "a launch with %u items per group; this kernel takes at most %u on this "
                        "device",
                        grid->items, kernel->max_items);
    QN_TRY(gather(args, n_args, addresses, params));
    QN_TRY(qn_cuda_enter(dev));
    quern_status status = QN_CU(dev->cu, cuLaunchKernel,
                                (kernel->function, grid->groups[0], grid->groups[1], 1, grid->items,
                                 1, 1, 0, queue->stream, params, NULL));
    return qn_cuda_leave(dev, status);
}
