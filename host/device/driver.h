/* SPDX-License-Identifier: Apache-2.0
 * The driver interface: mechanism only. A driver knows how to get memory, move bytes, compile and
 * launch; it knows no data type, no pool, no cache, no policy. The CPU, OpenCL, CUDA and the tests'
 * null driver each fill in one table.
 *
 * The table is append-only and starts with its own size; an entry that is NULL is not offered, and
 * the comment beside it says what that means. Ask with QN_HAS before calling an optional entry.
 *
 * Threads: discovery entries may be called from any thread; everything on one qn_dev from one thread
 * at a time (the context's rule). Errors: a quern_status with the sentence set (host/core/status.h);
 * the sentence names the native call, its code and the code's name. */
#ifndef QN_DRIVER_H
#define QN_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "host/core/checked.h"
#include "host/core/os.h"
#include "host/core/status.h"
#include "host/core/threads.h"

enum qn_feature {
    QN_FEATURE_F64 = 1u << 0,     /* double arithmetic with fma and denormals                   */
    QN_FEATURE_KERNELS = 1u << 1, /* compiles and launches portable kernels                     */
    QN_FEATURE_HOST_MEMORY = 1u << 2, /* device memory is plain host memory                       */
    QN_FEATURE_WRAP = 1u << 3,   /* caller memory can be used in place, without a copy         */
    QN_FEATURE_PINNED = 1u << 4, /* page-locked staging memory exists                          */
    QN_FEATURE_ASYNC = 1u << 5,  /* queues run behind the host                                 */
    QN_FEATURE_LAZY_ALLOC = 1u << 6, /* an allocation may still fail at its first use             */
    QN_FEATURE_EXACT_DIV = 1u << 7, /* float32 division and sqrt are correctly rounded            */
    QN_FEATURE_CPU_SHAPE = 1u << 8  /* a CPU: few work-items, long contiguous loops               */
};

/* Filled in at discovery, without opening the device. */
struct qn_caps {
    uint32_t features;
    uint32_t base_align;   /* bytes; what an allocation is aligned to and a view must be        */
    uint64_t memory_total; /* bytes                                                             */
    uint64_t memory_free;  /* UINT64_MAX: the interface cannot tell                             */
    uint64_t max_alloc;    /* largest single raw block                                          */
    uint32_t shared_bytes; /* local memory per group                                            */
    uint32_t max_group;    /* work-items per group                                              */
    uint32_t compute_units;
    uint32_t compute; /* CUDA: 10 * major + minor; OpenCL: 10 * version; else 0            */
    char name[128];   /* "NVIDIA H100 PCIe", "AMD EPYC"                                    */
    char uid[64];     /* PCI address or uuid: the same GPU through two backends            */
    char driver[160]; /* platform, driver and compiler versions; part of the cache key     */
};

struct qn_dev; /* an open device                                  */
struct qn_raw; /* one raw block: CUdeviceptr, cl_mem, void *      */
struct qn_queue;
struct qn_module; /* compiled kernels                                */
struct qn_kernel;
struct qn_event;

/* Bytes [offset, offset + size) of a raw block. raw NULL: no memory. */
struct qn_view {
    struct qn_raw *raw;
    uint64_t offset, size;
};

enum qn_arg_kind { QN_ARG_VIEW, QN_ARG_U32, QN_ARG_U64, QN_ARG_F64 };
struct qn_arg {
    enum qn_arg_kind kind;
    union {
        struct qn_view view; /* the kernel gets a pointer to the view's first byte */
        uint32_t u32;
        uint64_t u64;
        double f64;
    } u;
};

struct qn_grid {
    uint32_t groups[2]; /* x, y (y <= 65535) */
    uint32_t items;     /* work-items per group, x only */
};

/* One kernel source, in the portable dialect. `options` are -DNAME=VALUE words, the same for every
 * compiler; a driver adds its own (contraction off, architecture). `image_key` names an
 * ahead-of-time image inside a driver's fatbin or NULL when the text was made at run time. */
struct qn_source {
    const char *name; /* for messages: "moments" */
    const char *text; /* complete: dialect included, no #include left */
    size_t bytes;
    const char *options;
    const char *image_key;
};

enum qn_wait { QN_NO_WAIT = 0, QN_WAIT = 1 };

struct qn_driver {
    uint32_t struct_size;
    uint32_t abi;     /* QN_DRIVER_ABI */
    const char *name; /* "cpu", "opencl", "cuda", "null" */

    /* -- discovery. A backend that is not there is QUERN_OK with *count = 0 and a reason (the
     *    loader's own words); *reason lives as long as the process. */
    quern_status (*count)(uint32_t *count, const char **reason);
    quern_status (*caps)(uint32_t index, struct qn_caps *out);
    quern_status (*open)(uint32_t index, struct qn_dev **out);
    void (*close)(struct qn_dev *); /* everything made from it must be gone; NULL is accepted */

    /* -- memory. Called by the pool only. raw_alloc gives at least base_align. */
    quern_status (*raw_alloc)(struct qn_dev *, uint64_t bytes, struct qn_raw **out);
    void (*raw_free)(struct qn_dev *, struct qn_raw *);
    /* Page-locked host memory. NULL: not offered, ordinary memory serves. */
    quern_status (*pinned_alloc)(struct qn_dev *, uint64_t bytes, void **out);
    void (*pinned_free)(struct qn_dev *, void *);
    /* Uses the caller's memory as a raw block, without a copy; freed by raw_free, which ends the
     * use and leaves the memory alone (writes are then visible). `write`: kernels will write to it.
     * NULL: not offered. QUERN_UNSUPPORTED: not this memory (alignment); copy instead. */
    quern_status (*raw_wrap)(struct qn_dev *, void *memory, uint64_t bytes, int write,
                             struct qn_raw **out);

    /* -- queues: work on one queue is in order; two queues are unordered but for events. */
    quern_status (*queue_open)(struct qn_dev *, struct qn_queue **out);
    void (*queue_close)(struct qn_dev *, struct qn_queue *);
    /* Host memory must stay as it is until the work is done: at return with QN_WAIT. */
    quern_status (*upload)(struct qn_queue *, struct qn_view to, const void *from, enum qn_wait);
    quern_status (*download)(struct qn_queue *, void *to, struct qn_view from, enum qn_wait);
    quern_status (*copy)(struct qn_queue *, struct qn_view to, struct qn_view from);
    quern_status (*fill)(struct qn_queue *, struct qn_view to,
                         uint32_t pattern);    /* size % 4 == 0 */
    quern_status (*flush)(struct qn_queue *);  /* start what is queued. NULL: nothing to do */
    quern_status (*finish)(struct qn_queue *); /* wait until the queue is empty; reports failures */

    /* -- order between queues, and time. An event may be recorded again. */
    quern_status (*event_open)(struct qn_dev *, struct qn_event **out);
    void (*event_close)(struct qn_dev *, struct qn_event *);
    quern_status (*event_record)(struct qn_queue *, struct qn_event *);
    quern_status (*event_done)(struct qn_event *, int *done);         /* a poll */
    quern_status (*event_wait)(struct qn_event *);                    /* the host waits */
    quern_status (*queue_wait)(struct qn_queue *, struct qn_event *); /* the queue waits */
    /* Device time between two recorded, finished events, in ns. NULL: not offered. */
    quern_status (*event_elapsed)(struct qn_event *from, struct qn_event *to, uint64_t *ns);

    /* -- kernels. NULL compile: no portable kernels (the feature bit says the same). The whole
     *    compiler log goes into the error sentence's end, cut to fit. */
    quern_status (*compile)(struct qn_dev *, const struct qn_source *, struct qn_module **out);
    void (*module_free)(struct qn_dev *, struct qn_module *);
    /* The compiled image, for the on-disk cache: malloc'ed by qn_alloc. NULL: no images. */
    quern_status (*image_save)(struct qn_module *, void **bytes, size_t *size);
    quern_status (*image_load)(struct qn_dev *, const struct qn_source *, const void *bytes,
                               size_t size, struct qn_module **out);
    quern_status (*kernel_get)(struct qn_module *, const char *name, struct qn_kernel **out);
    quern_status (*launch)(struct qn_queue *, struct qn_kernel *, const struct qn_grid *,
                           const struct qn_arg *, uint32_t n_args);
    /* A host pointer to device memory, for drivers with QN_FEATURE_HOST_MEMORY. Else NULL. */
    void *(*raw_pointer)(struct qn_raw *);
    /* For `quern devices`: the libraries that the driver found or why it did not, a line each. Loads
     * what it reports. NULL: nothing to say. */
    void (*notes)(uint32_t index, char *text, size_t size);

    /* -- memory of other libraries in this process. Both are offered, or neither. */
    /* Device memory that somebody else made, by its address, as a raw block; raw_free ends the use
     * and leaves the memory alone. QUERN_INVALID: no memory of this device. */
    quern_status (*raw_adopt)(struct qn_dev *, uint64_t address, uint64_t bytes,
                              struct qn_raw **out);
    /* The host waits for what somebody else's stream has been given so far (0: no stream), and for
     * somebody else's event (NULL: none). */
    quern_status (*foreign_wait)(struct qn_dev *, uint64_t stream, void *event);
};

enum { QN_DRIVER_ABI = 1 };

#define QN_HAS(driver, entry)                                                                      \
    ((driver)->struct_size >= offsetof(struct qn_driver, entry) + sizeof(driver)->entry &&         \
     (driver)->entry != NULL)

/* The tables, one per folder of backends/. */
extern const struct qn_driver qn_driver_cpu;
extern const struct qn_driver qn_driver_opencl;
extern const struct qn_driver qn_driver_cuda;

#endif
