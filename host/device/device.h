/* SPDX-License-Identifier: Apache-2.0
 * An open device: driver, capabilities, two queues, pool, staging and compiled kernels. This is what
 * an operation's device implementation works with. */
#ifndef QN_DEVICE_H
#define QN_DEVICE_H

#include "host/device/driver.h"
#include "host/memory/ledger.h"
#include "host/memory/pool.h"
#include "host/memory/staging.h"

enum { QN_DEVICE_QUEUES = 2 };

struct qn_times;
struct qn_kernel_entry; /* one compiled kernel, in the device's table */

struct qn_device {
    const struct qn_driver *driver;
    uint32_t index;
    char id[32]; /* "cpu", "opencl:0", "cuda:1" */
    struct qn_caps caps;
    struct qn_dev *dev;
    struct qn_queue *queues[QN_DEVICE_QUEUES];
    uint32_t queue_numbers[QN_DEVICE_QUEUES]; /* as the pool knows them */
    struct qn_pool *pool;
    struct qn_staging *staging;
    struct qn_threads *threads; /* the context's, for copies into staging; not owned */
    struct qn_ledger ledger;
    struct qn_kernel_entry *kernels; /* hash table, host/device/kernels.c */
    const char *cache_dir;           /* NULL: no cache on disk */
    int lost;                        /* a driver call reported the device gone */
    int zero_copy;                   /* wrap caller memory where the driver can */
    struct qn_staging *control;      /* a ring of small blocks for qn_device_put */
    char *cache_owned;               /* what cache_dir points to */
    struct qn_times *times;          /* events around launches; NULL: not measured */
    char limits[256];                /* what the self test took from caps.features, in words */
};

struct qn_device_config {
    struct qn_pool_config pool;
    struct qn_threads *threads;
    const char *cache_dir;
    int zero_copy;
    int times;        /* measure every launch with events: ledger.kernel_ns */
    int no_self_test; /* tests with drivers that do not compute */
};

quern_status qn_device_open(const struct qn_driver *, uint32_t index,
                            const struct qn_device_config *, struct qn_device **out);
/* QUERN_BUSY while pool blocks are out; the device then stays open. */
quern_status qn_device_close(struct qn_device *);

/* ---- kernels: compiled on first use, kept by (source name, options), cached on disk ---- */

/* The kernel `name` of a source. Compiles, or loads from the cache, on first use. */
quern_status qn_device_kernel(struct qn_device *, const struct qn_source *source, const char *name,
                              struct qn_kernel **out);
quern_status qn_device_launch(struct qn_device *, uint32_t queue, struct qn_kernel *,
                              const struct qn_grid *, const struct qn_arg *, uint32_t n_args);
void qn_device_kernels_free(struct qn_device *);

/* ---- the caller's table and the result: qn_staging's transfers, with the pool told ---- */
quern_status qn_device_upload(struct qn_device *, uint32_t queue, struct qn_view to,
                              const void *from, uint64_t rows, uint64_t bytes, int64_t from_stride,
                              enum qn_traffic);
quern_status qn_device_download(struct qn_device *, uint32_t queue, void *to, uint64_t rows,
                                uint64_t bytes, int64_t to_stride, struct qn_view from,
                                enum qn_traffic);
/* Makes `queue` run after everything that `other` has been given so far. */
quern_status qn_device_order(struct qn_device *, uint32_t queue, uint32_t other);

/* ---- small transfers (descriptors, parameters, statistics), counted as CONTROL ---- */
/* put returns when `from` may change; get when the bytes are there; fill is queued. */
quern_status qn_device_put(struct qn_device *, uint32_t queue, struct qn_view to, const void *from);
quern_status qn_device_get(struct qn_device *, uint32_t queue, void *to, struct qn_view from);
quern_status qn_device_fill(struct qn_device *, uint32_t queue, struct qn_view to,
                            uint32_t pattern);
quern_status qn_device_finish(struct qn_device *, uint32_t queue);

/* Kernel sources embedded at build time: "moments", "extremes", "histogram", "run", "csr". The text
 * has the dialect and program.h in front. NULL if there is none of that name. */
const struct qn_source *qn_kernel_source(const char *name);

/* All drivers of this build, in order of preference for "auto": cuda, opencl, cpu. */
const struct qn_driver *const *qn_drivers(uint32_t *count);

#endif
