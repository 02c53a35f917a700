/* SPDX-License-Identifier: Apache-2.0
 * The CUDA driver of quern: discovery, memory, queues and events over the driver API.
 *
 * The device's primary context is retained while a device is open and made current for the length of
 * each entry only (device.h), so quern lives beside PyTorch, CuPy or anything else in the process.
 * Memory is plain cuMemAlloc in slabs: the pool above does the rest. Streams are non-blocking, so
 * nothing waits for other users' default stream. Nothing runs at process exit: the driver is gone by
 * then in an order that nobody can rely on. */
#include <stdio.h>
#include <string.h>

#include "backends/cuda/device.h"
#include "backends/cuda/images.h"
#include "backends/cuda/nvrtc.h"

/* cuMemAlloc aligns to 256 bytes at least (CUDA C programming guide, device memory accesses). */
enum { BASE_ALIGN = 256 };

/* ---- discovery ------------------------------------------------------------------------------- */

static quern_status cuda_count(uint32_t *count, const char **reason)
{
    const struct qn_cuda_api *cu = qn_cuda(reason);
    *count = cu != NULL ? (uint32_t)cu->devices : 0;
    return QUERN_OK;
}

static quern_status find_device(uint32_t index, const struct qn_cuda_api **api, cu_device *device)
{
    const char *reason = "";
    const struct qn_cuda_api *cu = qn_cuda(&reason);
    if (cu == NULL) return qn_error(QUERN_NO_DEVICE, "%s", reason);
    if (index >= (uint32_t)cu->devices)
        return qn_error(QUERN_NO_DEVICE, "CUDA shows %d device%s here; there is no number %u",
                        cu->devices, cu->devices == 1 ? "" : "s", index);
    *api = cu;
    return QN_CU(cu, cuDeviceGet, (device, (int)index));
}

static quern_status attribute(const struct qn_cuda_api *cu, cu_device device, int which,
                              uint32_t *out)
{
    int value = 0;
    QN_TRY(QN_CU(cu, cuDeviceGetAttribute, (&value, which, device)));
    *out = value > 0 ? (uint32_t)value : 0;
    return QUERN_OK;
}

static quern_status compute_of(const struct qn_cuda_api *cu, cu_device device, uint32_t *out)
{
    uint32_t major = 0, minor = 0;
    QN_TRY(attribute(cu, device, CU_ATTRIBUTE_MAJOR, &major));
    QN_TRY(attribute(cu, device, CU_ATTRIBUTE_MINOR, &minor));
    *out = 10 * major + minor;
    return QUERN_OK;
}

/* Free memory can be asked of a context only, and making one costs hundreds of megabytes: it is told
 * where the process has the context already. */
static uint64_t free_memory(const struct qn_cuda_api *cu, cu_device device)
{
    uint64_t result = UINT64_MAX;
    unsigned flags = 0;
    int active = 0;
    cu_context context = NULL, popped = NULL;
    if (cu->cuDevicePrimaryCtxGetState(device, &flags, &active) != CU_OK || !active) return result;
    if (cu->cuDevicePrimaryCtxRetain(&context, device) != CU_OK) return result;
    if (cu->cuCtxPushCurrent_v2(context) == CU_OK) {
        size_t free_bytes = 0, total = 0;
        if (cu->cuMemGetInfo_v2(&free_bytes, &total) == CU_OK) result = free_bytes;
        (void)cu->cuCtxPopCurrent_v2(&popped);
    }
    (void)cu->cuDevicePrimaryCtxRelease_v2(device);
    return result;
}

/* Kernels need a compiler that knows the device or an image that serves it (7.5 and newer do). */
static int has_kernels(const struct qn_nvrtc *nvrtc, uint32_t compute)
{
    if (nvrtc != NULL && (int)compute >= qn_nvrtc_oldest(nvrtc)) return 1;
    return qn_cuda_images[0].key != NULL && compute >= 75;
}

static void lower_case(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'F') *text = (char)(*text - 'A' + 'a');
}

static quern_status cuda_caps(uint32_t index, struct qn_caps *out)
{
    const struct qn_cuda_api *cu = NULL;
    cu_device device = 0;
    struct qn_caps caps = {.base_align = BASE_ALIGN};
    QN_TRY(find_device(index, &cu, &device));
    QN_TRY(compute_of(cu, device, &caps.compute));
    QN_TRY(attribute(cu, device, CU_ATTRIBUTE_SHARED, &caps.shared_bytes));
    QN_TRY(attribute(cu, device, CU_ATTRIBUTE_MAX_ITEMS, &caps.max_group));
    QN_TRY(attribute(cu, device, CU_ATTRIBUTE_UNITS, &caps.compute_units));
    QN_TRY(QN_CU(cu, cuDeviceGetName, (caps.name, sizeof caps.name, device)));
    QN_TRY(QN_CU(cu, cuDeviceGetPCIBusId, (caps.uid, sizeof caps.uid, device)));
    lower_case(caps.uid); /* as the OpenCL driver writes the same address */
    size_t total = 0;
    QN_TRY(QN_CU(cu, cuDeviceTotalMem_v2, (&total, device)));
    caps.memory_total = caps.max_alloc = total;
    caps.memory_free = free_memory(cu, device);

    const char *why = "";
    const struct qn_nvrtc *nvrtc = qn_nvrtc(cu->version, &why);
    caps.features = QN_FEATURE_F64 | QN_FEATURE_PINNED | QN_FEATURE_ASYNC | QN_FEATURE_EXACT_DIV;
    if (has_kernels(nvrtc, caps.compute)) caps.features |= QN_FEATURE_KERNELS;
    int used = snprintf(caps.driver, sizeof caps.driver, "CUDA driver %d.%d, ", cu->version / 1000,
                        cu->version % 1000 / 10);
    if (nvrtc != NULL)
        (void)snprintf(caps.driver + used, sizeof caps.driver - (size_t)used, "NVRTC %s",
                       qn_nvrtc_version(nvrtc));
    else
        (void)snprintf(caps.driver + used, sizeof caps.driver - (size_t)used, "no NVRTC (%s)", why);
    *out = caps;
    return QUERN_OK;
}

static void cuda_notes(uint32_t index, char *text, size_t size)
{
    const char *reason = "", *no_nvrtc = "", *no_blas = "";
    const struct qn_cuda_api *cu = qn_cuda(&reason);
    (void)index;
    if (cu == NULL) {
        (void)snprintf(text, size, "%s", reason);
        return;
    }
    const struct qn_nvrtc *nvrtc = qn_nvrtc(cu->version, &no_nvrtc);
    const struct qn_cublas *blas = qn_cublas(cu->version, &no_blas);
    const char *targets = qn_cuda_image_targets;
    (void)snprintf(text, size, "NVRTC %s\ncuBLAS %s%s\nahead-of-time kernels: %s",
                   nvrtc != NULL ? qn_nvrtc_version(nvrtc) : no_nvrtc,
                   blas != NULL ? blas->version : "absent: ", blas != NULL ? "" : no_blas,
                   targets[0] != '\0' ? targets : "none in this build");
}

/* ---- devices --------------------------------------------------------------------------------- */

static quern_status cuda_open(uint32_t index, struct qn_dev **out)
{
    quern_status status = QUERN_OK;
    struct qn_dev *dev = qn_zalloc(1, sizeof *dev);
    if (dev == NULL) return qn_error_memory("a device", sizeof *dev);
    QN_GO(find_device(index, &dev->cu, &dev->device));
    QN_GO(compute_of(dev->cu, dev->device, &dev->compute));
    QN_GO(QN_CU(dev->cu, cuDevicePrimaryCtxRetain, (&dev->context, dev->device)));
    *out = dev;
    return QUERN_OK;
cleanup:
    qn_free(dev);
    return status;
}

static void cuda_close(struct qn_dev *dev)
{
    if (dev == NULL) return;
    if (dev->blas != NULL && qn_cuda_enter(dev) == QUERN_OK) {
        qn_cuda_blas_close(dev->blas);
        (void)qn_cuda_leave(dev, QUERN_OK);
    }
    (void)dev->cu->cuDevicePrimaryCtxRelease_v2(dev->device);
    qn_free(dev);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static quern_status cuda_raw_alloc(struct qn_dev *dev, uint64_t bytes, struct qn_raw **out)
{
    if (bytes == 0 || bytes > SIZE_MAX)
        return qn_error(QUERN_INVALID, "a raw block of %llu bytes", (unsigned long long)bytes);
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("a raw block", sizeof *raw);
    quern_status status = qn_cuda_enter(dev);
    if (status == QUERN_OK)
        status = qn_cuda_leave(dev, QN_CU(dev->cu, cuMemAlloc_v2, (&raw->address, (size_t)bytes)));
    if (status != QUERN_OK) {
        qn_free(raw);
        return qn_error_context(status, "a block of %llu bytes", (unsigned long long)bytes);
    }
    raw->bytes = bytes;
    *out = raw;
    return QUERN_OK;
}

static void cuda_raw_free(struct qn_dev *dev, struct qn_raw *raw)
{
    if (raw == NULL) return;
    if (!raw->adopted && qn_cuda_enter(dev) == QUERN_OK) {
        (void)dev->cu->cuMemFree_v2(raw->address);
        (void)qn_cuda_leave(dev, QUERN_OK);
    }
    qn_free(raw);
}

/* All libraries of a process share the device's primary context, and so its addresses. */
static quern_status cuda_raw_adopt(struct qn_dev *dev, uint64_t address, uint64_t bytes,
                                   struct qn_raw **out)
{
    int device = -1;
    QN_TRY(qn_cuda_enter(dev));
    cu_result code = dev->cu->cuPointerGetAttribute(&device, CU_POINTER_DEVICE, address);
    (void)qn_cuda_leave(dev, QUERN_OK);
    if (code == CU_INVALID_VALUE)
        return qn_error(QUERN_INVALID, "0x%llx is no address that CUDA knows",
                        (unsigned long long)address);
    QN_TRY(qn_cuda_check(code, "cuPointerGetAttribute"));
    if (device != dev->device)
        return qn_error(QUERN_INVALID, "the memory is that of cuda:%d, not of cuda:%d", device,
                        dev->device);
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("a raw block", sizeof *raw);
    *raw = (struct qn_raw){.address = address, .bytes = bytes, .adopted = 1};
    *out = raw;
    return QUERN_OK;
}

/* A stream is a handle; 1 and 2 are the driver's names for the legacy default stream and the thread's. */
static quern_status cuda_foreign_wait(struct qn_dev *dev, uint64_t stream, void *event)
{
    quern_status status = QUERN_OK;
    QN_TRY(qn_cuda_enter(dev));
    if (stream != 0) status = QN_CU(dev->cu, cuStreamSynchronize, ((cu_stream)(uintptr_t)stream));
    if (status == QUERN_OK && event != NULL)
        status = QN_CU(dev->cu, cuEventSynchronize, ((cu_event)event));
    return qn_cuda_leave(dev, status);
}

static quern_status cuda_pinned_alloc(struct qn_dev *dev, uint64_t bytes, void **out)
{
    if (bytes == 0 || bytes > SIZE_MAX)
        return qn_error(QUERN_INVALID, "%llu bytes of pinned memory", (unsigned long long)bytes);
    QN_TRY(qn_cuda_enter(dev));
    quern_status status =
        qn_cuda_leave(dev, QN_CU(dev->cu, cuMemHostAlloc, (out, (size_t)bytes, 0)));
    if (status != QUERN_OK)
        return qn_error_context(status, "%llu bytes of pinned memory", (unsigned long long)bytes);
    return QUERN_OK;
}

static void cuda_pinned_free(struct qn_dev *dev, void *memory)
{
    if (memory == NULL || qn_cuda_enter(dev) != QUERN_OK) return;
    (void)dev->cu->cuMemFreeHost(memory);
    (void)qn_cuda_leave(dev, QUERN_OK);
}

quern_status qn_cuda_address(struct qn_view view, cu_address *out)
{
    uint64_t end;
    *out = 0;
    if (view.raw == NULL) return QUERN_OK;
    if (qn_add_u64(view.offset, view.size, &end) || end > view.raw->bytes)
        return qn_error(QUERN_INVALID, "bytes %llu to %llu of a raw block of %llu",
                        (unsigned long long)view.offset, (unsigned long long)end,
                        (unsigned long long)view.raw->bytes);
    *out = view.raw->address + view.offset;
    return QUERN_OK;
}

/* ---- queues ---------------------------------------------------------------------------------- */

static quern_status cuda_queue_open(struct qn_dev *dev, struct qn_queue **out)
{
    struct qn_queue *queue = qn_zalloc(1, sizeof *queue);
    if (queue == NULL) return qn_error_memory("a queue", sizeof *queue);
    queue->dev = dev;
    quern_status status = qn_cuda_enter(dev);
    if (status == QUERN_OK)
        status = qn_cuda_leave(
            dev, QN_CU(dev->cu, cuStreamCreate, (&queue->stream, CU_STREAM_NON_BLOCKING)));
    if (status != QUERN_OK) {
        qn_free(queue);
        return status;
    }
    *out = queue;
    return QUERN_OK;
}

static void cuda_queue_close(struct qn_dev *dev, struct qn_queue *queue)
{
    if (queue == NULL) return;
    if (qn_cuda_enter(dev) == QUERN_OK) {
        (void)dev->cu->cuStreamDestroy_v2(queue->stream);
        (void)qn_cuda_leave(dev, QUERN_OK);
    }
    qn_free(queue);
}

static quern_status cuda_upload(struct qn_queue *queue, struct qn_view to, const void *from,
                                enum qn_wait wait)
{
    const struct qn_cuda_api *cu = queue->dev->cu;
    cu_address address;
    if (to.size == 0 && wait == QN_NO_WAIT) return QUERN_OK;
    QN_TRY(qn_cuda_address(to, &address));
    QN_TRY(qn_cuda_enter(queue->dev));
    quern_status status = QUERN_OK;
    if (to.size > 0)
        status = QN_CU(cu, cuMemcpyHtoDAsync_v2, (address, from, (size_t)to.size, queue->stream));
    if (status == QUERN_OK && wait == QN_WAIT)
        status = QN_CU(cu, cuStreamSynchronize, (queue->stream));
    return qn_cuda_leave(queue->dev, status);
}

static quern_status cuda_download(struct qn_queue *queue, void *to, struct qn_view from,
                                  enum qn_wait wait)
{
    const struct qn_cuda_api *cu = queue->dev->cu;
    cu_address address;
    if (from.size == 0 && wait == QN_NO_WAIT) return QUERN_OK;
    QN_TRY(qn_cuda_address(from, &address));
    QN_TRY(qn_cuda_enter(queue->dev));
    quern_status status = QUERN_OK;
    if (from.size > 0)
        status = QN_CU(cu, cuMemcpyDtoHAsync_v2, (to, address, (size_t)from.size, queue->stream));
    if (status == QUERN_OK && wait == QN_WAIT)
        status = QN_CU(cu, cuStreamSynchronize, (queue->stream));
    return qn_cuda_leave(queue->dev, status);
}

static quern_status cuda_copy(struct qn_queue *queue, struct qn_view to, struct qn_view from)
{
    cu_address target, source;
    if (to.size != from.size)
        return qn_error(QUERN_INVALID, "a copy of %llu bytes into %llu",
                        (unsigned long long)from.size, (unsigned long long)to.size);
    if (to.size == 0) return QUERN_OK;
    QN_TRY(qn_cuda_address(to, &target));
    QN_TRY(qn_cuda_address(from, &source));
    QN_TRY(qn_cuda_enter(queue->dev));
    return qn_cuda_leave(queue->dev, QN_CU(queue->dev->cu, cuMemcpyDtoDAsync_v2,
                                           (target, source, (size_t)to.size, queue->stream)));
}

static quern_status cuda_fill(struct qn_queue *queue, struct qn_view to, uint32_t pattern)
{
    cu_address address;
    if (to.size % 4 != 0 || to.offset % 4 != 0)
        return qn_error(QUERN_INVALID, "a fill of %llu bytes at %llu: both must be multiples of 4",
                        (unsigned long long)to.size, (unsigned long long)to.offset);
    if (to.size == 0) return QUERN_OK;
    QN_TRY(qn_cuda_address(to, &address));
    QN_TRY(qn_cuda_enter(queue->dev));
    return qn_cuda_leave(queue->dev,
                         QN_CU(queue->dev->cu, cuMemsetD32Async,
                               (address, pattern, (size_t)(to.size / 4), queue->stream)));
}

static quern_status cuda_finish(struct qn_queue *queue)
{
    QN_TRY(qn_cuda_enter(queue->dev));
    return qn_cuda_leave(queue->dev, QN_CU(queue->dev->cu, cuStreamSynchronize, (queue->stream)));
}

/* ---- events ---------------------------------------------------------------------------------- */

static quern_status cuda_event_open(struct qn_dev *dev, struct qn_event **out)
{
    struct qn_event *event = qn_zalloc(1, sizeof *event);
    if (event == NULL) return qn_error_memory("an event", sizeof *event);
    event->dev = dev;
    quern_status status = qn_cuda_enter(dev);
    if (status == QUERN_OK)
        status = qn_cuda_leave(dev, QN_CU(dev->cu, cuEventCreate, (&event->event, 0)));
    if (status != QUERN_OK) {
        qn_free(event);
        return status;
    }
    *out = event;
    return QUERN_OK;
}

static void cuda_event_close(struct qn_dev *dev, struct qn_event *event)
{
    if (event == NULL) return;
    if (qn_cuda_enter(dev) == QUERN_OK) {
        (void)dev->cu->cuEventDestroy_v2(event->event);
        (void)qn_cuda_leave(dev, QUERN_OK);
    }
    qn_free(event);
}

static quern_status cuda_event_record(struct qn_queue *queue, struct qn_event *event)
{
    QN_TRY(qn_cuda_enter(queue->dev));
    return qn_cuda_leave(queue->dev,
                         QN_CU(queue->dev->cu, cuEventRecord, (event->event, queue->stream)));
}

static quern_status cuda_event_done(struct qn_event *event, int *done)
{
    QN_TRY(qn_cuda_enter(event->dev));
    cu_result code = event->dev->cu->cuEventQuery(event->event);
    quern_status status = code == CU_NOT_READY ? QUERN_OK : qn_cuda_check(code, "cuEventQuery");
    if (status == QUERN_OK) *done = code == CU_OK;
    return qn_cuda_leave(event->dev, status);
}

static quern_status cuda_event_wait(struct qn_event *event)
{
    QN_TRY(qn_cuda_enter(event->dev));
    return qn_cuda_leave(event->dev, QN_CU(event->dev->cu, cuEventSynchronize, (event->event)));
}

static quern_status cuda_queue_wait(struct qn_queue *queue, struct qn_event *event)
{
    QN_TRY(qn_cuda_enter(queue->dev));
    return qn_cuda_leave(
        queue->dev, QN_CU(queue->dev->cu, cuStreamWaitEvent, (queue->stream, event->event, 0)));
}

static quern_status cuda_event_elapsed(struct qn_event *from, struct qn_event *to, uint64_t *ns)
{
    float milliseconds = 0.0f;
    QN_TRY(qn_cuda_enter(from->dev));
    quern_status status = qn_cuda_leave(from->dev, QN_CU(from->dev->cu, cuEventElapsedTime,
                                                         (&milliseconds, from->event, to->event)));
    if (status == QUERN_OK) *ns = milliseconds > 0.0f ? (uint64_t)((double)milliseconds * 1e6) : 0;
    return status;
}

/* ---- the table ------------------------------------------------------------------------------- */

const struct qn_driver qn_driver_cuda = {
    .struct_size = sizeof(struct qn_driver),
    .abi = QN_DRIVER_ABI,
    .name = "cuda",
    .count = cuda_count,
    .caps = cuda_caps,
    .open = cuda_open,
    .close = cuda_close,
    .raw_alloc = cuda_raw_alloc,
    .raw_free = cuda_raw_free,
    .pinned_alloc = cuda_pinned_alloc,
    .pinned_free = cuda_pinned_free,
    .raw_wrap = NULL, /* caller memory over the bus, kernel by kernel, is slower than one copy */
    .queue_open = cuda_queue_open,
    .queue_close = cuda_queue_close,
    .upload = cuda_upload,
    .download = cuda_download,
    .copy = cuda_copy,
    .fill = cuda_fill,
    .flush = NULL, /* a stream starts by itself */
    .finish = cuda_finish,
    .event_open = cuda_event_open,
    .event_close = cuda_event_close,
    .event_record = cuda_event_record,
    .event_done = cuda_event_done,
    .event_wait = cuda_event_wait,
    .queue_wait = cuda_queue_wait,
    .event_elapsed = cuda_event_elapsed,
    .compile = qn_cuda_compile,
    .module_free = qn_cuda_module_free,
    .image_save = qn_cuda_image_save,
    .image_load = qn_cuda_image_load,
    .kernel_get = qn_cuda_kernel_get,
    .launch = qn_cuda_launch,
    .raw_pointer = NULL,
    .notes = cuda_notes,
    .raw_adopt = cuda_raw_adopt,
    .foreign_wait = cuda_foreign_wait,
};
