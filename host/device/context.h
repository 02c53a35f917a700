/* SPDX-License-Identifier: Apache-2.0
 * The context: the threads, at most one open device, the rules for falling back, and the record of
 * what was decided. The public quern_context is this struct.
 *
 * Only the vendor libraries that the wanted device needs are loaded: "cpu" loads none, "cuda:0" never
 * touches OpenCL, "auto" asks OpenCL only where CUDA has nothing.
 *
 * Thread class: one thread at a time. */
#ifndef QN_CONTEXT_H
#define QN_CONTEXT_H

#include "host/device/device.h"
#include "host/device/registry.h"

/* What happens when the context's device cannot do a step. Zero is the default. */
enum qn_fallback {
    QN_FALLBACK_REPORT = 0, /* the CPU does it; decided and logged                              */
    QN_FALLBACK_NEVER = 1,  /* QUERN_UNSUPPORTED                                                */
    QN_FALLBACK_QUIET = 2   /* the CPU does it; decided, not logged                             */
};

enum qn_log_level { QN_LOG_ERROR, QN_LOG_WARNING, QN_LOG_INFO, QN_LOG_DEBUG };

typedef void qn_log_fn(void *user, enum qn_log_level level, const char *text);
typedef void qn_progress_fn(void *user, const char *stage, uint64_t done, uint64_t total);
typedef int qn_cancel_fn(void *user); /* nonzero: stop */

/* Zero everywhere means the default. Nothing is kept of the pointers but callbacks and user. */
struct qn_context_config {
    const char *device; /* NULL: QUERN_DEVICE, else "auto"                                       */
    uint32_t threads;   /* 0: qn_threads_default()                                               */
    enum qn_fallback fallback;
    uint64_t max_memory;    /* host bytes that a run may hold; 0: no limit                        */
    uint64_t device_memory; /* the pool's limit; 0: none                                          */
    const char *cache_dir;  /* NULL: QUERN_CACHE_DIR, XDG_CACHE_HOME/quern, HOME/.cache/quern;
                               "off": no cache on disk                                           */
    int no_zero_copy;       /* 1: never use caller memory in place                                */
    int device_times;       /* 1: events around every launch feed ledger.kernel_ns                */
    qn_log_fn *log;
    qn_progress_fn *progress;
    qn_cancel_fn *cancel;
    void *user;
    int no_self_test; /* tests with drivers that do not compute                              */
    const struct qn_driver *const *drivers; /* tests: instead of qn_drivers()                     */
    uint32_t n_drivers;
};

/* One line of the record; equal lines are counted, not repeated. The texts live as long as the
 * context or until qn_context_reset. */
struct qn_decision {
    const char *step, *operation, *device, *implementation, *reason; /* never NULL, may be ""    */
    uint64_t count;
    int told; /* the log has it */
};

struct quern_context {
    struct qn_threads *threads;
    struct qn_device *device;     /* NULL: the CPU runs everything                               */
    char device_id[QN_DEVICE_ID]; /* "cpu", "opencl:0", …                                        */
    char why[QN_REASON_TEXT]; /* why this device: "asked for by QUERN_DEVICE", "auto: …"      */
    enum qn_fallback fallback;
    uint64_t max_memory;     /* 0: no limit */
    struct qn_ledger ledger; /* the CPU's; use qn_context_ledger */
    struct qn_decision *decisions;
    uint32_t n_decisions, room_decisions;
    struct qn_device_list devices; /* empty until qn_context_devices */
    qn_log_fn *log;
    qn_progress_fn *progress;
    qn_cancel_fn *cancel;
    void *user;
    const struct qn_driver *const *drivers;
    uint32_t n_drivers;
    char *cache_dir; /* NULL: no cache */
};

/* A named device that is not there is QUERN_NO_DEVICE with the reason; "auto" always succeeds.
 * config NULL: all defaults. */
quern_status qn_context_open(const struct qn_context_config *config, struct quern_context **out);
/* QUERN_BUSY while device blocks are out; the context then stays open. NULL is accepted. */
quern_status qn_context_close(struct quern_context *);

/* All devices of the machine with their notes, looked up on first call and kept. */
quern_status qn_context_devices(struct quern_context *, const struct qn_device_list **out);

/* The ledger of the device, or of the CPU when there is none. */
struct qn_ledger *qn_context_ledger(struct quern_context *);

/* Records where a step ran. device NULL: the context's. Texts are copied; NULL reads as "". */
quern_status qn_context_decide(struct quern_context *, const char *step, const char *operation,
                               const char *device, const char *implementation, const char *reason);
/* The device cannot do this step. QUERN_OK: run it on the CPU as `implementation` (recorded, and
 * logged under REPORT). Under NEVER: QUERN_UNSUPPORTED, nothing recorded. Without a device: QUERN_OK
 * and recorded as an ordinary decision. */
quern_status qn_context_fall_back(struct quern_context *, const char *step, const char *operation,
                                  const char *implementation, const char *reason);
/* Forgets decisions and zeroes the ledger. */
void qn_context_reset(struct quern_context *);

/* 1 when the caller wants to stop; the asker then returns qn_context_stopped(). */
int qn_context_cancelled(struct quern_context *);
quern_status qn_context_stopped(const char *during); /* QUERN_CANCELLED with the sentence */
/* total 0: not known. */
void qn_context_progress(struct quern_context *, const char *stage, uint64_t done, uint64_t total);
void qn_context_log(struct quern_context *, enum qn_log_level, const char *format, ...)
    QN_PRINTF(3, 4);

#endif
