/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's memory, streams and events, over OpenCL's shared virtual memory and queues. */
#include <stdlib.h>
#include <string.h>

#include "tests/standin/standin.h"

/* OpenCL CPU devices align shared memory to 128 bytes, CUDA to 256: blocks are made larger. */
enum { ALIGN = 256, MAX_BLOCKS = 4096 };

struct block {
    char *start, *given; /* as OpenCL gave it, and the aligned address */
    size_t bytes;
};
static struct block blocks[MAX_BLOCKS];
static size_t n_blocks;
static uint64_t used;
static struct stream *streams;

result cuMemGetInfo_v2(size_t *free_bytes, size_t *total);
result cuMemAlloc_v2(uint64_t *address, size_t bytes);
result cuMemFree_v2(uint64_t address);
result cuPointerGetAttribute(void *value, int attribute, uint64_t address);
result cuMemHostAlloc(void **memory, size_t bytes, unsigned flags);
result cuMemFreeHost(void *memory);
result cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, struct stream *stream);
result cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, struct stream *stream);
result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, struct stream *stream);
result cuMemsetD32Async(uint64_t to, unsigned value, size_t words, struct stream *stream);
result cuStreamCreate(struct stream **out, unsigned flags);
result cuStreamDestroy_v2(struct stream *stream);
result cuStreamSynchronize(struct stream *stream);
result cuStreamWaitEvent(struct stream *stream, struct event *event, unsigned flags);
result cuEventCreate(struct event **out, unsigned flags);
result cuEventDestroy_v2(struct event *event);
result cuEventRecord(struct event *event, struct stream *stream);
result cuEventQuery(struct event *event);
result cuEventSynchronize(struct event *event);
result cuEventElapsedTime(float *milliseconds, struct event *from, struct event *to);

static void *pointer(uint64_t address)
{
    return (
        void *)(uintptr_t)address; /* an address of shared memory is a pointer of this process */
}

static int inside(uint64_t address, size_t bytes)
{
    int found = 0;
    standin_lock();
    for (size_t i = 0; i < n_blocks && !found; i++) {
        uint64_t start = (uint64_t)(uintptr_t)blocks[i].given;
        found = address >= start && bytes <= blocks[i].bytes &&
                address - start <= blocks[i].bytes - bytes;
    }
    standin_unlock();
    return found;
}

static int is_stream(const struct stream *stream)
{
    return standin_alive(STREAM, stream);
}

/* ---- memory ---- */

result cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    ENTER_CONTEXT();
    *total = (size_t)standin_memory();
    *free_bytes = *total - (size_t)used;
    return OK;
}

result cuMemAlloc_v2(uint64_t *address, size_t bytes)
{
    ENTER_CONTEXT();
    if (bytes == 0) return INVALID_VALUE;
    result status = OUT_OF_MEMORY;
    standin_lock();
    if (bytes <= standin_memory() - used && n_blocks < MAX_BLOCKS) {
        char *start = clSVMAlloc(standin_cl(), CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER,
                                 bytes + ALIGN, 0);
        if (start != NULL) {
            char *given = start + (ALIGN - (uintptr_t)start % ALIGN) % ALIGN;
            blocks[n_blocks++] = (struct block){start, given, bytes};
            used += bytes;
            *address = (uint64_t)(uintptr_t)given;
            status = OK;
            (void)standin_keep(BLOCK, given);
        }
    }
    standin_unlock();
    return status;
}

/* As the driver does, waits for everything that may still use the memory. */
result cuMemFree_v2(uint64_t address)
{
    ENTER_CONTEXT();
    result status = INVALID_VALUE;
    standin_lock();
    for (struct stream *at = streams; at != NULL; at = at->next) (void)clFinish(at->queue);
    for (size_t i = 0; i < n_blocks; i++) {
        if (pointer(address) != blocks[i].given) continue;
        char *blocks_given = blocks[i].given;
        clSVMFree(standin_cl(), blocks[i].start);
        used -= blocks[i].bytes;
        blocks[i] = blocks[--n_blocks];
        (void)standin_forget(BLOCK, blocks_given);
        status = OK;
        break;
    }
    standin_unlock();
    return status;
}

/* The device's ordinal alone. Blocks are the first device's. */
result cuPointerGetAttribute(void *value, int attribute, uint64_t address)
{
    ENTER_CONTEXT();
    if (attribute != 9) return NOT_SUPPORTED;
    if (!inside(address, 1)) return INVALID_VALUE;
    *(int *)value = 0;
    return OK;
}

result cuMemHostAlloc(void **memory, size_t bytes, unsigned flags)
{
    ENTER_CONTEXT();
    (void)flags;
    if (bytes == 0) return INVALID_VALUE;
    if (posix_memalign(memory, 4096, bytes) != 0) return OUT_OF_MEMORY;
    if (standin_keep(PINNED, *memory) == 0) return OK;
    free(*memory);
    return OUT_OF_MEMORY;
}

result cuMemFreeHost(void *memory)
{
    ENTER_CONTEXT();
    if (!standin_forget(PINNED, memory)) return INVALID_VALUE;
    free(memory);
    return OK;
}

/* ---- copies ---- */

static result transfer(struct stream *stream, void *to, const void *from, size_t bytes)
{
    if (!is_stream(stream)) return INVALID_HANDLE;
    cl_int code = clEnqueueSVMMemcpy(stream->queue, CL_FALSE, to, from, bytes, 0, NULL, NULL);
    if (code == CL_SUCCESS) code = clFlush(stream->queue);
    return code == CL_SUCCESS ? OK : standin_broken("clEnqueueSVMMemcpy", code);
}

result cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, struct stream *stream)
{
    ENTER_CONTEXT();
    if (from == NULL || !inside(to, bytes)) return INVALID_VALUE;
    return transfer(stream, pointer(to), from, bytes);
}

result cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, struct stream *stream)
{
    ENTER_CONTEXT();
    if (to == NULL || !inside(from, bytes)) return INVALID_VALUE;
    return transfer(stream, to, pointer(from), bytes);
}

result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, struct stream *stream)
{
    ENTER_CONTEXT();
    if (!inside(to, bytes) || !inside(from, bytes)) return INVALID_VALUE;
    return transfer(stream, pointer(to), pointer(from), bytes);
}

result cuMemsetD32Async(uint64_t to, unsigned value, size_t words, struct stream *stream)
{
    ENTER_CONTEXT();
    if (to % 4 != 0 || words > SIZE_MAX / 4 || !inside(to, 4 * words)) return INVALID_VALUE;
    if (!is_stream(stream)) return INVALID_HANDLE;
    cl_int code = clEnqueueSVMMemFill(stream->queue, pointer(to), &value, sizeof value, 4 * words,
                                      0, NULL, NULL);
    if (code == CL_SUCCESS) code = clFlush(stream->queue);
    return code == CL_SUCCESS ? OK : standin_broken("clEnqueueSVMMemFill", code);
}

/* ---- streams ---- */

result cuStreamCreate(struct stream **out, unsigned flags)
{
    ENTER_CONTEXT();
    if (flags != 1) return NOT_SUPPORTED; /* non-blocking only */
    const cl_queue_properties wanted[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
    cl_int code;
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return OUT_OF_MEMORY;
    stream->queue =
        clCreateCommandQueueWithProperties(standin_cl(), standin_cl_device(), wanted, &code);
    if (code != CL_SUCCESS) {
        free(stream);
        return standin_broken("clCreateCommandQueueWithProperties", code);
    }
    standin_lock();
    stream->next = streams;
    streams = stream;
    (void)standin_keep(STREAM, stream);
    standin_unlock();
    *out = stream;
    return OK;
}

result cuStreamDestroy_v2(struct stream *stream)
{
    ENTER_CONTEXT();
    if (!standin_forget(STREAM, stream)) return INVALID_HANDLE;
    standin_lock();
    for (struct stream **at = &streams; *at != NULL; at = &(*at)->next) {
        if (*at != stream) continue;
        *at = stream->next;
        break;
    }
    standin_unlock();
    (void)clFinish(stream->queue); /* a driver lets the work end by itself; so does this */
    (void)clReleaseCommandQueue(stream->queue);
    free(stream);
    return OK;
}

result cuStreamSynchronize(struct stream *stream)
{
    ENTER_CONTEXT();
    uintptr_t name =
        (uintptr_t)stream; /* 1, 2: the default streams, which nobody here gives work */
    if (name == 1 || name == 2) return OK;
    if (!is_stream(stream)) return INVALID_HANDLE;
    cl_int code = clFinish(stream->queue);
    return code == CL_SUCCESS ? OK : standin_broken("clFinish", code);
}

result cuStreamWaitEvent(struct stream *stream, struct event *event, unsigned flags)
{
    ENTER_CONTEXT();
    if (flags != 0) return INVALID_VALUE;
    if (!is_stream(stream) || !standin_alive(EVENT, event)) return INVALID_HANDLE;
    if (event->event == NULL) return OK; /* never recorded: nothing to wait for */
    cl_int code = clEnqueueBarrierWithWaitList(stream->queue, 1, &event->event, NULL);
    return code == CL_SUCCESS ? OK : standin_broken("clEnqueueBarrierWithWaitList", code);
}

/* ---- events ---- */

result cuEventCreate(struct event **out, unsigned flags)
{
    ENTER_CONTEXT();
    if (flags != 0) return NOT_SUPPORTED;
    *out = calloc(1, sizeof **out);
    if (*out == NULL) return OUT_OF_MEMORY;
    if (standin_keep(EVENT, *out) == 0) return OK;
    free(*out);
    return OUT_OF_MEMORY;
}

result cuEventDestroy_v2(struct event *event)
{
    ENTER_CONTEXT();
    if (!standin_forget(EVENT, event)) return INVALID_HANDLE;
    if (event->event != NULL) (void)clReleaseEvent(event->event);
    free(event);
    return OK;
}

result cuEventRecord(struct event *event, struct stream *stream)
{
    ENTER_CONTEXT();
    if (!standin_alive(EVENT, event) || !is_stream(stream)) return INVALID_HANDLE;
    cl_event made;
    cl_int code = clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &made);
    if (code != CL_SUCCESS) return standin_broken("clEnqueueMarkerWithWaitList", code);
    if (event->event != NULL) (void)clReleaseEvent(event->event);
    event->event = made;
    (void)clFlush(stream->queue); /* so that another stream may wait for it without a deadlock */
    return OK;
}

result cuEventQuery(struct event *event)
{
    ENTER_CONTEXT();
    if (!standin_alive(EVENT, event)) return INVALID_HANDLE;
    if (event->event == NULL) return OK;
    cl_int state = CL_QUEUED;
    cl_int code =
        clGetEventInfo(event->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (code != CL_SUCCESS) return standin_broken("clGetEventInfo", code);
    return state == CL_COMPLETE ? OK : state < 0 ? UNKNOWN : NOT_READY;
}

result cuEventSynchronize(struct event *event)
{
    ENTER_CONTEXT();
    if (!standin_alive(EVENT, event)) return INVALID_HANDLE;
    if (event->event == NULL) return OK;
    cl_int code = clWaitForEvents(1, &event->event);
    return code == CL_SUCCESS ? OK : standin_broken("clWaitForEvents", code);
}

static result ended(struct event *event, cl_ulong *ns)
{
    cl_int state = CL_QUEUED;
    if (!standin_alive(EVENT, event) || event->event == NULL) return INVALID_HANDLE;
    (void)clGetEventInfo(event->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state,
                         NULL);
    if (state != CL_COMPLETE) return NOT_READY;
    cl_int code =
        clGetEventProfilingInfo(event->event, CL_PROFILING_COMMAND_END, sizeof *ns, ns, NULL);
    return code == CL_SUCCESS ? OK : standin_broken("clGetEventProfilingInfo", code);
}

result cuEventElapsedTime(float *milliseconds, struct event *from, struct event *to)
{
    ENTER_CONTEXT();
    cl_ulong first, last;
    result status = ended(from, &first);
    if (status == OK) status = ended(to, &last);
    if (status == OK) *milliseconds = last > first ? (float)((double)(last - first) * 1e-6) : 0.0f;
    return status;
}
