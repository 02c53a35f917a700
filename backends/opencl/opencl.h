/* SPDX-License-Identifier: Apache-2.0
 * What the files of the OpenCL backend share: the loaded library, the objects behind the driver
 * interface's handles, and how a native code becomes a sentence.
 *
 *   load.c      the library, the names of its errors
 *   discover.c  which devices there are, and what each can do
 *   memory.c    raw blocks, views (sub-buffers), pinned memory, wrapped memory
 *   queue.c     queues, transfers, events
 *   program.c   compile, images, kernels, launch
 *   driver.c    open, close, and the table */
#ifndef QN_OPENCL_H
#define QN_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#include "backends/opencl/symbols.h"
#include "host/device/driver.h"

/* ---- load.c ---- */

struct qn_cl_api {
#define QN_CL_MEMBER(name) cl_api_##name name;
    QN_CL_SYMBOLS(QN_CL_MEMBER)
#undef QN_CL_MEMBER
};
extern struct qn_cl_api qn_cl; /* filled by qn_cl_load, which discovery calls first */

/* 0, or 1 with the reason (the loader's own sentence) in `why`. */
int qn_cl_load(char *why, size_t size);
const char *qn_cl_error_name(cl_int code); /* never NULL */

/* Where a code came from decides what it means: CL_OUT_OF_RESOURCES from an allocation or an enqueue
 * is memory; from a wait it is the sign of a kernel that died, and the context with it. */
enum qn_cl_where { QN_CL_ASKING, QN_CL_WAITING };
quern_status qn_cl_fail(enum qn_cl_where, cl_int code, const char *call, const char *format, ...)
    QN_PRINTF(4, 5) QN_COLD;

/* ---- discover.c ---- */

struct qn_cl_device {
    cl_platform_id platform;
    cl_device_id id;
    int is_cpu;
    struct qn_caps caps;
};
quern_status qn_cl_count(uint32_t *count, const char **reason);
quern_status qn_cl_caps(uint32_t index, struct qn_caps *out);
/* What concerns all devices: told with the first, or in the place of devices. */
void qn_cl_notes(uint32_t index, char *text, size_t size);
/* NULL with an error set when there is none of that index. Lives as long as the process. */
const struct qn_cl_device *qn_cl_device(uint32_t index);

/* ---- the handles ---- */

struct qn_cl_pinned {
    struct qn_cl_pinned *next;
    cl_mem mem;
    void *memory;
};

struct qn_dev {
    const struct qn_cl_device *device;
    cl_context context;
    cl_command_queue service;    /* maps and first touches; idle between calls */
    struct qn_queue *queues;     /* every open one */
    struct qn_cl_pinned *pinned; /* page-locked blocks, found again by address */
    int wraps;                   /* a wrapped block was seen to be used in place */
    uint64_t tick;               /* counts launches, for the age of sub-buffers */
};

/* A launch can name at most QN_CL_ARGS buffers, and a block keeps more sub-buffers than that, so
 * making room never takes one that the same launch has just set. */
enum { QN_CL_ARGS = 64, QN_CL_SUBS = 96 };

struct qn_cl_sub {
    uint64_t offset, size, tick;
    cl_mem mem;
};

struct qn_raw {
    struct qn_dev *dev;
    cl_mem mem;
    uint64_t size;
    void *wrapped; /* the caller's memory, or NULL */
    int write;     /* wrapped: kernels write to it */
    uint32_t n_subs;
    struct qn_cl_sub *subs; /* QN_CL_SUBS, made at first need */
};

/* Events of the last commands: clFinish does not report a command that failed, its event does. */
enum { QN_CL_RECENT = 32 };

struct qn_queue {
    struct qn_dev *dev;
    struct qn_queue *next;
    cl_command_queue queue;
    cl_event recent[QN_CL_RECENT];
    uint32_t n_recent, oldest;
    cl_int failed; /* first failure seen since the last finish */
};

struct qn_event {
    struct qn_dev *dev;
    cl_event event; /* NULL: never recorded, which counts as done */
};

struct qn_kernel {
    struct qn_kernel *next;
    struct qn_module *module;
    cl_kernel kernel;
    size_t max_group;
    cl_uint n_args;
    char name[64];
};

struct qn_module {
    struct qn_dev *dev;
    cl_program program;
    struct qn_kernel *kernels;
    char name[64];
};

/* ---- memory.c ---- */
quern_status qn_cl_raw_alloc(struct qn_dev *, uint64_t bytes, struct qn_raw **out);
void qn_cl_raw_free(struct qn_dev *, struct qn_raw *);
quern_status qn_cl_pinned_alloc(struct qn_dev *, uint64_t bytes, void **out);
void qn_cl_pinned_free(struct qn_dev *, void *);
quern_status qn_cl_raw_wrap(struct qn_dev *, void *memory, uint64_t bytes, int write,
                            struct qn_raw **out);
/* The view lies inside its block, or the sentence says how it does not. */
quern_status qn_cl_view_check(const char *what, struct qn_view view);
/* A cl_mem whose first byte is the view's: the block itself, or a sub-buffer that the block keeps. */
quern_status qn_cl_view_mem(struct qn_view view, cl_mem *out);

/* ---- queue.c ---- */
quern_status qn_cl_queue_open(struct qn_dev *, struct qn_queue **out);
void qn_cl_queue_close(struct qn_dev *, struct qn_queue *);
void qn_cl_queue_keep(struct qn_queue *, cl_event); /* takes the event over */
quern_status qn_cl_upload(struct qn_queue *, struct qn_view to, const void *from, enum qn_wait);
quern_status qn_cl_download(struct qn_queue *, void *to, struct qn_view from, enum qn_wait);
quern_status qn_cl_copy(struct qn_queue *, struct qn_view to, struct qn_view from);
quern_status qn_cl_fill(struct qn_queue *, struct qn_view to, uint32_t pattern);
quern_status qn_cl_flush(struct qn_queue *);
quern_status qn_cl_finish(struct qn_queue *);
quern_status qn_cl_event_open(struct qn_dev *, struct qn_event **out);
void qn_cl_event_close(struct qn_dev *, struct qn_event *);
quern_status qn_cl_event_record(struct qn_queue *, struct qn_event *);
quern_status qn_cl_event_done(struct qn_event *, int *done);
quern_status qn_cl_event_wait(struct qn_event *);
quern_status qn_cl_queue_wait(struct qn_queue *, struct qn_event *);
quern_status qn_cl_event_elapsed(struct qn_event *from, struct qn_event *to, uint64_t *ns);

/* ---- program.c ---- */
quern_status qn_cl_compile(struct qn_dev *, const struct qn_source *, struct qn_module **out);
void qn_cl_module_free(struct qn_dev *, struct qn_module *);
quern_status qn_cl_image_save(struct qn_module *, void **bytes, size_t *size);
quern_status qn_cl_image_load(struct qn_dev *, const struct qn_source *, const void *bytes,
                              size_t size, struct qn_module **out);
quern_status qn_cl_kernel_get(struct qn_module *, const char *name, struct qn_kernel **out);
quern_status qn_cl_launch(struct qn_queue *, struct qn_kernel *, const struct qn_grid *,
                          const struct qn_arg *, uint32_t n_args);

#endif
