/* SPDX-License-Identifier: Apache-2.0
 * Raw blocks are cl_mem objects. OpenCL 1.2 can pass a buffer to a kernel but not a place inside
 * it, so a view with an offset travels as a sub-buffer. A block keeps the sub-buffers that it made:
 * a pool hands out the same places again and again. */
#include <string.h>

#include "backends/opencl/opencl.h"

/* ---- raw blocks ---- */

/* Drivers hand out buffers that have no memory yet; writing the first and the last byte makes them
 * decide, here, where the caller still has a choice. */
static quern_status touch(struct qn_dev *dev, cl_mem mem, uint64_t bytes)
{
    static const unsigned char zero = 0;
    cl_event events[2] = {NULL, NULL};
    const size_t at[2] = {0, (size_t)bytes - 1};
    const char *call = "clEnqueueFillBuffer";
    cl_int code = CL_SUCCESS;
    cl_uint n = 0;
    while (n < 2 && code == CL_SUCCESS) {
        code =
            qn_cl.clEnqueueFillBuffer(dev->service, mem, &zero, 1, at[n], 1, 0, NULL, &events[n]);
        if (code == CL_SUCCESS) n++;
    }
    if (code == CL_SUCCESS) {
        call = "clFinish";
        code = qn_cl.clFinish(dev->service);
    }
    for (cl_uint i = 0; i < n; i++) {
        cl_int state = CL_COMPLETE;
        if (code == CL_SUCCESS &&
            qn_cl.clGetEventInfo(events[i], CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state,
                                 NULL) == CL_SUCCESS &&
            state < 0)
            code = state;
        (void)qn_cl.clReleaseEvent(events[i]);
    }
    if (code == CL_SUCCESS) return QUERN_OK;
    return qn_cl_fail(QN_CL_ASKING, code, call, "first use of a block of %llu bytes",
                      (unsigned long long)bytes);
}

quern_status qn_cl_raw_alloc(struct qn_dev *dev, uint64_t bytes, struct qn_raw **out)
{
    uint64_t largest = dev->device->caps.max_alloc;
    *out = NULL;
    if (bytes == 0) return qn_error(QUERN_INVALID, "opencl: a block of 0 bytes was asked for");
    if (bytes > largest || bytes > SIZE_MAX)
        return qn_error(QUERN_OUT_OF_MEMORY,
                        "opencl: a block of %llu bytes was asked for; %s gives at most %llu",
                        (unsigned long long)bytes, dev->device->caps.name,
                        (unsigned long long)largest);
    quern_status status = QUERN_OK;
    cl_int code = CL_SUCCESS;
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("opencl: a block's description", sizeof *raw);
    raw->dev = dev;
    raw->size = bytes;
    raw->write = 1;
    raw->mem = qn_cl.clCreateBuffer(dev->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &code);
    if (raw->mem == NULL || code != CL_SUCCESS) {
        raw->mem = NULL;
        status = qn_cl_fail(QN_CL_ASKING, code, "clCreateBuffer", "a block of %llu bytes",
                            (unsigned long long)bytes);
        goto cleanup;
    }
    QN_GO(touch(dev, raw->mem, bytes));
    *out = raw;
    raw = NULL;
cleanup:
    if (raw != NULL && raw->mem != NULL) (void)qn_cl.clReleaseMemObject(raw->mem);
    qn_free(raw);
    return status;
}

/* ---- the caller's memory, in place ---- */

/* Maps the whole block on the idle service queue and unmaps it again: the moment at which OpenCL
 * promises that host and device agree on what is there. `at` tells where the map appeared. */
static cl_int meet(struct qn_dev *dev, cl_mem mem, uint64_t bytes, void **at)
{
    cl_int code = CL_SUCCESS;
    *at = qn_cl.clEnqueueMapBuffer(dev->service, mem, CL_TRUE, CL_MAP_READ, 0, (size_t)bytes, 0,
                                   NULL, NULL, &code);
    if (code != CL_SUCCESS) return code;
    code = qn_cl.clEnqueueUnmapMemObject(dev->service, mem, *at, 0, NULL, NULL);
    cl_int finished = qn_cl.clFinish(dev->service);
    return code != CL_SUCCESS ? code : finished;
}

/* GPUs that share the host's memory use a caller's block in place only from page to page; from
 * anywhere else they copy behind the scenes, which is what wrapping is meant to avoid. */
enum { SHARED_PAGE = 4096, SHARED_LINE = 64 };

quern_status qn_cl_raw_wrap(struct qn_dev *dev, void *memory, uint64_t bytes, int write,
                            struct qn_raw **out)
{
    const struct qn_cl_device *device = dev->device;
    *out = NULL;
    if (memory == NULL || bytes == 0)
        return qn_error(QUERN_INVALID, "opencl: wrapping needs memory and a size");
    if ((device->caps.features & QN_FEATURE_WRAP) == 0)
        return qn_error(QUERN_UNSUPPORTED, "opencl: %s does not share the host's memory",
                        device->caps.name);
    if (bytes > SIZE_MAX || bytes > device->caps.max_alloc)
        return qn_error(QUERN_UNSUPPORTED,
                        "opencl: %llu bytes cannot be used in place, %s takes at most %llu",
                        (unsigned long long)bytes, device->caps.name,
                        (unsigned long long)device->caps.max_alloc);
    if (!device->is_cpu && ((uintptr_t)memory % SHARED_PAGE != 0 || bytes % SHARED_LINE != 0))
        return qn_error(QUERN_UNSUPPORTED,
                        "opencl: %s uses memory in place only from a page's start and in whole "
                        "cache lines",
                        device->caps.name);
    quern_status status = QUERN_OK;
    cl_int code = CL_SUCCESS;
    struct qn_raw *raw = qn_zalloc(1, sizeof *raw);
    if (raw == NULL) return qn_error_memory("opencl: a block's description", sizeof *raw);
    raw->dev = dev;
    raw->size = bytes;
    raw->wrapped = memory;
    raw->write = write != 0;
    cl_mem_flags access = write ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY;
    raw->mem = qn_cl.clCreateBuffer(dev->context, access | CL_MEM_USE_HOST_PTR, (size_t)bytes,
                                    memory, &code);
    /* Whether a map of such a block is the block itself is a property of the device: asked once. */
    void *seen = memory;
    if (raw->mem != NULL && code == CL_SUCCESS && !dev->wraps)
        code = meet(dev, raw->mem, bytes, &seen);
    if (code != CL_SUCCESS || seen != memory) {
        status = qn_error(
            QUERN_UNSUPPORTED, "opencl: %s does not use %llu bytes at %p in place (%s, %d)",
            device->caps.name, (unsigned long long)bytes, memory,
            code != CL_SUCCESS ? qn_cl_error_name(code) : "it mapped them elsewhere", (int)code);
        goto cleanup;
    }
    dev->wraps = 1;
    *out = raw;
    raw = NULL;
cleanup:
    if (raw != NULL && raw->mem != NULL) (void)qn_cl.clReleaseMemObject(raw->mem);
    qn_free(raw);
    return status;
}

void qn_cl_raw_free(struct qn_dev *dev, struct qn_raw *raw)
{
    if (raw == NULL) return;
    if (raw->wrapped != NULL) {
        /* The memory goes back to its owner: nothing may still read it, all writes must be seen. */
        void *at;
        for (struct qn_queue *q = dev->queues; q != NULL; q = q->next)
            (void)qn_cl.clFinish(q->queue);
        if (raw->write) (void)meet(dev, raw->mem, raw->size, &at);
    }
    for (uint32_t i = 0; i < raw->n_subs; i++) (void)qn_cl.clReleaseMemObject(raw->subs[i].mem);
    (void)qn_cl.clReleaseMemObject(raw->mem);
    qn_free(raw->subs);
    qn_free(raw);
}

/* ---- views ---- */

quern_status qn_cl_view_check(const char *what, struct qn_view view)
{
    uint64_t end;
    if (view.raw == NULL) return qn_error(QUERN_INVALID, "opencl: %s names no memory", what);
    if (qn_add_u64(view.offset, view.size, &end) || end > view.raw->size)
        return qn_error(QUERN_INVALID,
                        "opencl: %s of %llu bytes at %llu ends outside its block of %llu", what,
                        (unsigned long long)view.size, (unsigned long long)view.offset,
                        (unsigned long long)view.raw->size);
    return QUERN_OK;
}

/* The place in the block's list for one more sub-buffer: free, or taken from the one that was not
 * used for longest. Releasing it is safe while commands use it: they hold it until they are done. */
static struct qn_cl_sub *make_room(struct qn_raw *raw)
{
    if (raw->n_subs < QN_CL_SUBS) return &raw->subs[raw->n_subs];
    struct qn_cl_sub *oldest = &raw->subs[0];
    for (uint32_t i = 1; i < QN_CL_SUBS; i++)
        if (raw->subs[i].tick < oldest->tick) oldest = &raw->subs[i];
    (void)qn_cl.clReleaseMemObject(oldest->mem);
    *oldest = raw->subs[--raw->n_subs];
    return &raw->subs[raw->n_subs];
}

quern_status qn_cl_view_mem(struct qn_view view, cl_mem *out)
{
    *out = NULL;
    if (view.raw == NULL || view.size == 0) return QUERN_OK; /* a null pointer for the kernel */
    QN_TRY(qn_cl_view_check("a kernel's argument", view));
    struct qn_raw *raw = view.raw;
    uint32_t align = raw->dev->device->caps.base_align;
    if (view.offset == 0) {
        *out = raw->mem;
        return QUERN_OK;
    }
    if (view.offset % align != 0)
        return qn_error(QUERN_INVALID,
                        "opencl: a kernel's argument at offset %llu; %s wants multiples of %u",
                        (unsigned long long)view.offset, raw->dev->device->caps.name, align);
    for (uint32_t i = 0; i < raw->n_subs; i++) {
        struct qn_cl_sub *sub = &raw->subs[i];
        if (sub->offset == view.offset && sub->size == view.size) {
            sub->tick = raw->dev->tick;
            *out = sub->mem;
            return QUERN_OK;
        }
    }
    if (raw->subs == NULL) raw->subs = qn_alloc(QN_CL_SUBS, sizeof *raw->subs);
    if (raw->subs == NULL)
        return qn_error_memory("opencl: a list of views", QN_CL_SUBS * sizeof *raw->subs);
    struct qn_cl_sub *sub = make_room(raw);
    cl_buffer_region region = {(size_t)view.offset, (size_t)view.size};
    cl_int code = CL_SUCCESS;
    cl_mem mem =
        qn_cl.clCreateSubBuffer(raw->mem, raw->write ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY,
                                CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (mem == NULL || code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_ASKING, code, "clCreateSubBuffer", "a view of %llu bytes at %llu",
                          (unsigned long long)view.size, (unsigned long long)view.offset);
    *sub = (struct qn_cl_sub){view.offset, view.size, raw->dev->tick, mem};
    raw->n_subs++;
    *out = mem;
    return QUERN_OK;
}

/* ---- page-locked host memory ---- */

quern_status qn_cl_pinned_alloc(struct qn_dev *dev, uint64_t bytes, void **out)
{
    *out = NULL;
    if (bytes == 0 || bytes > SIZE_MAX)
        return qn_error(QUERN_INVALID, "opencl: %llu bytes of page-locked memory were asked for",
                        (unsigned long long)bytes);
    if ((dev->device->caps.features & QN_FEATURE_PINNED) == 0) {
        /* A CPU copies from any memory alike. */
        *out = qn_alloc_aligned(1, (size_t)bytes);
        return *out != NULL ? QUERN_OK : qn_error_memory("opencl: staging memory", bytes);
    }
    struct qn_cl_pinned *block = qn_zalloc(1, sizeof *block);
    if (block == NULL) return qn_error_memory("opencl: a block's description", sizeof *block);
    quern_status status = QUERN_OK;
    cl_int code = CL_SUCCESS;
    const char *call = "clCreateBuffer";
    block->mem = qn_cl.clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR,
                                      (size_t)bytes, NULL, &code);
    if (block->mem != NULL && code == CL_SUCCESS) {
        call = "clEnqueueMapBuffer";
        block->memory =
            qn_cl.clEnqueueMapBuffer(dev->service, block->mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE,
                                     0, (size_t)bytes, 0, NULL, NULL, &code);
    }
    if (code != CL_SUCCESS || block->memory == NULL) {
        status = qn_cl_fail(QN_CL_ASKING, code, call, "%llu bytes of page-locked memory",
                            (unsigned long long)bytes);
        goto cleanup;
    }
    block->next = dev->pinned;
    dev->pinned = block;
    *out = block->memory;
    block = NULL;
cleanup:
    if (block != NULL && block->mem != NULL) (void)qn_cl.clReleaseMemObject(block->mem);
    qn_free(block);
    return status;
}

void qn_cl_pinned_free(struct qn_dev *dev, void *memory)
{
    if (memory == NULL) return;
    if ((dev->device->caps.features & QN_FEATURE_PINNED) == 0) {
        qn_free(memory);
        return;
    }
    for (struct qn_cl_pinned **at = &dev->pinned; *at != NULL; at = &(*at)->next) {
        struct qn_cl_pinned *block = *at;
        if (block->memory != memory) continue;
        *at = block->next;
        (void)qn_cl.clEnqueueUnmapMemObject(dev->service, block->mem, memory, 0, NULL, NULL);
        (void)qn_cl.clFinish(dev->service);
        (void)qn_cl.clReleaseMemObject(block->mem);
        qn_free(block);
        return;
    }
}
