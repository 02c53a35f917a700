/* SPDX-License-Identifier: Apache-2.0
 * A stand-in for libcuda.so.1, for tests on machines without a GPU: the driver calls that quern makes,
 * carried out on an OpenCL CPU device. Shared virtual memory makes addresses real, so pointer
 * arithmetic, interior pointers and overlapping streams behave; kernels run from their portable
 * text. What it cannot show: the CUDA branch of the dialect at work, a GPU's timing, NVIDIA's
 * compilers' code.
 *
 * It is stricter than a driver where that finds mistakes: copies must stay inside one live
 * allocation, calls that need a context fail without one, handles must be live.
 *
 * Tests steer it by the exported standin_* functions (through dlsym) or, for whole programs, by
 *   QN_STANDIN_FAIL     symbol:n:code, …   the n-th call of a symbol ("*": of any) gives the code;
 *                       a "!" behind the code makes it stick: the device is lost from then on
 *   QN_STANDIN_DEVICES  how many devices there are (1)
 *   QN_STANDIN_MEMORY   bytes of device memory (4 GiB)
 *   QN_STANDIN_VERSION  what cuDriverGetVersion says (13000)
 *   QN_STANDIN_COMPUTE  compute capability of the devices (90) */
#ifndef QN_STANDIN_H
#define QN_STANDIN_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stddef.h>
#include <stdint.h>

typedef int result;
enum {
    OK = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NO_BINARY_FOR_GPU = 209,
    INVALID_SOURCE = 300,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    NOT_SUPPORTED = 801,
    UNKNOWN = 999
};

/* ---- what tests may call ---- */
struct standin_live {
    unsigned blocks, pinned, streams, events, modules, contexts;
};
void standin_fail(const char *symbol, unsigned nth, int code, int sticky); /* nth: from now */
void standin_reset(void); /* forgets faults, heals devices, zeroes counts */
unsigned standin_calls(const char *symbol);
void standin_live(struct standin_live *out);
/* The code that fired last (0: none), and in which symbol. */
int standin_fired(const char **symbol);

/* ---- shared by the stand-in's files ---- */
struct stream {
    cl_command_queue queue;
    struct stream *next;
};
struct event {
    cl_event event; /* NULL: never recorded */
};

cl_context standin_cl(void);
cl_device_id standin_cl_device(void);
int standin_devices(void);
uint64_t standin_memory(void);
int standin_compute(void);

/* Counts the call and decides its fate: 0, or the code that it must return. */
result standin_enter(const char *symbol, int needs_context);
#define ENTER() STANDIN_ENTER(0)
#define ENTER_CONTEXT() STANDIN_ENTER(1)
#define STANDIN_ENTER(needs_context)                                                               \
    do {                                                                                           \
        result fate_ = standin_enter(__func__, needs_context);                                     \
        if (fate_ != OK) return fate_;                                                             \
    } while (0)
/* A failed OpenCL call, said on standard error. */
result standin_broken(const char *what, cl_int code);

void standin_lock(void);
void standin_unlock(void);
enum standin_kind { BLOCK, PINNED, STREAM, EVENT, MODULE, CONTEXT };
/* The list of what is alive. A handle that is not in it is refused; what a failed release leaves
 * behind stays in it and can be counted. keep: 1 when the list is full; forget: 1 when it was there. */
int standin_keep(enum standin_kind kind, void *object);
int standin_forget(enum standin_kind kind, void *object);
int standin_alive(enum standin_kind kind, const void *object);

/* An image made by the stand-in NVRTC: this head, the portable text, the options, NVRTC's image. */
struct standin_image {
    char magic[16];
    uint64_t text_bytes, options_bytes, image_bytes;
};
#define STANDIN_MAGIC "\nqn stand-in 1\n"

#endif
