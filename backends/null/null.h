/* SPDX-License-Identifier: Apache-2.0
 * The driver for tests: a device that is a record of what was asked of it. Blocks are host memory,
 * launches call a C function that the test gives, and everything that a real device does rarely or
 * never can be had on demand: any call fails, allocations are lazy, work hangs until it is told to
 * complete, the device is lost.
 *
 * It also watches its caller: freeing what queued work still uses, views outside their block,
 * misaligned kernel arguments and objects left behind are counted as misuse, with a sentence.
 *
 * The driver interface has no user pointer, so the state is one per process, behind a lock. Start
 * each test with qn_null_reset. */
#ifndef QN_NULL_H
#define QN_NULL_H

#include "host/device/driver.h"

extern const struct qn_driver qn_driver_null;

/* One list gives the kinds of calls and their names. The second column says whether a call of that
 * kind can fail, and so whether it counts for qn_null_fail(QN_NULL_ANY, …). */
#define QN_NULL_OPS(X)                                                                             \
    X(COUNT, 1, "count")                                                                           \
    X(CAPS, 1, "caps")                                                                             \
    X(OPEN, 1, "open")                                                                             \
    X(CLOSE, 0, "close")                                                                           \
    X(RAW_ALLOC, 1, "raw_alloc")                                                                   \
    X(RAW_FREE, 0, "raw_free")                                                                     \
    X(PINNED_ALLOC, 1, "pinned_alloc")                                                             \
    X(PINNED_FREE, 0, "pinned_free")                                                               \
    X(RAW_WRAP, 1, "raw_wrap")                                                                     \
    X(QUEUE_OPEN, 1, "queue_open")                                                                 \
    X(QUEUE_CLOSE, 0, "queue_close")                                                               \
    X(UPLOAD, 1, "upload")                                                                         \
    X(DOWNLOAD, 1, "download")                                                                     \
    X(COPY, 1, "copy")                                                                             \
    X(FILL, 1, "fill")                                                                             \
    X(FLUSH, 1, "flush")                                                                           \
    X(FINISH, 1, "finish")                                                                         \
    X(EVENT_OPEN, 1, "event_open")                                                                 \
    X(EVENT_CLOSE, 0, "event_close")                                                               \
    X(EVENT_RECORD, 1, "event_record")                                                             \
    X(EVENT_DONE, 1, "event_done")                                                                 \
    X(EVENT_WAIT, 1, "event_wait")                                                                 \
    X(QUEUE_WAIT, 1, "queue_wait")                                                                 \
    X(EVENT_ELAPSED, 1, "event_elapsed")                                                           \
    X(COMPILE, 1, "compile")                                                                       \
    X(MODULE_FREE, 0, "module_free")                                                               \
    X(IMAGE_SAVE, 1, "image_save")                                                                 \
    X(IMAGE_LOAD, 1, "image_load")                                                                 \
    X(KERNEL_GET, 1, "kernel_get")                                                                 \
    X(LAUNCH, 1, "launch")

enum qn_null_op {
#define QN_NULL_ENUM(name, fails, text) QN_NULL_##name,
    QN_NULL_OPS(QN_NULL_ENUM)
#undef QN_NULL_ENUM
        QN_NULL_ANY
};

/* What a launch does. Runs when the work completes. Memory behind a view: qn_null_memory. */
typedef void qn_null_kernel_fn(void *user, const char *kernel, const struct qn_grid *grid,
                               const struct qn_arg *args, uint32_t n_args);

struct qn_null_config {
    int absent;          /* count gives 0, with `reason`                                         */
    const char *reason;  /* NULL: "no null device was asked for"                                  */
    uint32_t devices;    /* 0: one                                                               */
    struct qn_caps caps; /* features 0: all but HOST_MEMORY and CPU_SHAPE; a number 0: a default  */
    uint32_t without; /* features taken away from that: QN_FEATURE_F64, …                      */
    uint64_t memory;  /* bytes of device memory; 0: caps.memory_total. More is out of memory   */
    int lazy;         /* raw_alloc beyond the memory succeeds, the first use of the block fails */
    int phantom;      /* no host memory behind blocks; transfers only count (huge devices)      */
    int hold;         /* queued work waits for qn_null_release, or for someone who waits for it */
    qn_null_kernel_fn *kernel; /* NULL: launches change nothing                                   */
    void *user;
};

/* Forgets calls, faults, misuse and queued work. NULL: the default device. Objects that are still
 * open stay valid and stay counted by qn_null_live. */
void qn_null_reset(const struct qn_null_config *config);

/* ---- the record ---- */

#define QN_NULL_NO_QUEUE UINT32_MAX
struct qn_null_call {
    enum qn_null_op op;
    uint64_t bytes;      /* of memory, transfer, source or image; items in all for a launch       */
    uint32_t queue;      /* number by order of opening, or QN_NULL_NO_QUEUE                       */
    quern_status status; /* what the call returned                                                */
    char name[48];       /* source or kernel name, else ""                                        */
};
const struct qn_null_call *qn_null_calls(size_t *count); /* valid until the next driver call      */
uint64_t qn_null_calls_of(enum qn_null_op op);           /* how many; QN_NULL_ANY: all            */
uint64_t qn_null_bytes_of(enum qn_null_op op);           /* their bytes, calls that succeeded     */
const char *qn_null_op_name(enum qn_null_op op);
void qn_null_forget_calls(void); /* empties the record and nothing else */

/* Objects made and not yet given back: devices, blocks, pinned blocks, queues, events, modules. */
uint64_t qn_null_live(void);
uint64_t qn_null_live_bytes(void);           /* of raw blocks */
uint64_t qn_null_misuse(const char **first); /* count, and the first sentence ("" if none) */

/* ---- trouble ---- */

/* The n-th call of this kind from now (1: the next; ANY: of any kind that can fail) returns
 * `status`, once. n = 0 turns it off. */
void qn_null_fail(enum qn_null_op op, uint64_t n, quern_status status);
int qn_null_failed(void); /* whether that has happened since it was asked for */
/* The n-th piece of queued work from now fails when it runs: finish or event_wait tell it. */
void qn_null_fail_work(uint64_t n, quern_status status);
/* Every later call that can fail returns QUERN_DEVICE_LOST, until the next reset. */
void qn_null_lose(void);

/* ---- held work ---- */

/* Lets up to n pieces of held work complete, oldest first as order between queues permits;
 * UINT64_MAX: all. Returns how many did. */
uint64_t qn_null_release(uint64_t n);
uint64_t qn_null_pending(void);

/* The memory behind a view; NULL for a phantom block. */
void *qn_null_memory(struct qn_view view);

#endif
