/* SPDX-License-Identifier: Apache-2.0
 * What the null driver's files share. state.c keeps the record and the faults, work.c the queues and
 * what runs on them, module.c the kernels, driver.c the table. Everything here is called with the lock held. */
#ifndef QN_NULL_STATE_H
#define QN_NULL_STATE_H

#include <pthread.h>

#include "backends/null/null.h"

enum { QN_NULL_MAX_QUEUES = 16, QN_NULL_MAX_ARGS = 64 };

struct qn_dev {
    uint32_t index;
    uint32_t children; /* blocks, queues, events, modules: all must be gone at close */
};

struct qn_raw {
    struct qn_dev *dev;
    unsigned char *memory; /* NULL: phantom */
    void *owned;           /* what to free; NULL: wrapped */
    uint64_t size;
    uint64_t users; /* queued pieces of work that name it */
    int missing;    /* lazily given, not really there */
};

struct qn_work {
    struct qn_work *next;
    enum qn_null_op op;
    struct qn_view to, from;
    void *host_to;
    const void *host_from;
    uint32_t pattern;
    struct qn_event *event;       /* EVENT_RECORD */
    struct qn_queue *after_queue; /* QUEUE_WAIT: until that queue has run `after` pieces */
    uint64_t after;
    struct qn_kernel *kernel;
    struct qn_grid grid;
    uint32_t n_args;
    struct qn_arg args[QN_NULL_MAX_ARGS];
};

struct qn_queue {
    struct qn_dev *dev;
    uint32_t number;
    struct qn_work *first, **last;
    uint64_t submitted, ran;
    struct qn_failure failure; /* status OK: none since the last finish */
};

struct qn_event {
    struct qn_dev *dev;
    struct qn_event *next; /* all events, so that a closing queue can settle them */
    struct qn_queue *queue;
    uint64_t at; /* done when the queue has run so many pieces */
    uint64_t ns;
    int recorded;
};

struct qn_kernel {
    struct qn_kernel *next;
    struct qn_module *module;
    char name[48];
};

struct qn_module {
    struct qn_dev *dev;
    struct qn_kernel *kernels;
    size_t bytes;
    char name[48];
};

struct qn_null_state {
    pthread_mutex_t lock;
    int ready; /* config holds a device */
    struct qn_null_config config;
    struct qn_null_call *calls;
    size_t n_calls, room;
    enum qn_null_op fail_op;
    uint64_t fail_in; /* 0: off */
    quern_status fail_status;
    int failed, lost;
    uint64_t fail_work_in;
    quern_status fail_work_status;
    uint64_t live, live_bytes;
    uint64_t misuse;
    char first_misuse[256];
    uint64_t clock_ns; /* advances with each piece of work */
    struct qn_queue *queues[QN_NULL_MAX_QUEUES];
    struct qn_event *events;
};
extern struct qn_null_state qn_null;

void qn_null_lock(void); /* and makes the default device if there was no reset yet */
void qn_null_unlock(void);
/* Records the call and says whether it has to fail; the result is also set by qn_null_done. */
quern_status qn_null_enter(enum qn_null_op op, uint64_t bytes, const struct qn_queue *queue,
                           const char *name);
/* Writes the status into the latest record, unlocks, and returns it. */
quern_status qn_null_done(quern_status status);
/* One more, one less object of the device. */
void qn_null_adopt(struct qn_dev *dev);
void qn_null_disown(struct qn_dev *dev);
void qn_null_blame(const char *format, ...) QN_PRINTF(1, 2);

/* ---- work.c ---- */
quern_status qn_null_view_check(const char *what, struct qn_view view);
/* Appends a copy of the piece; runs it at once unless work is held. */
quern_status qn_null_submit(struct qn_queue *queue, const struct qn_work *work);
/* Runs what the queue holds (and what that waits for) until `ran` reaches `at`. */
void qn_null_drain(struct qn_queue *queue, uint64_t at);
int qn_null_reached(const struct qn_queue *queue, uint64_t at);
/* The first failure of the queue's work since the last time; clears it. */
quern_status qn_null_outcome(struct qn_queue *queue);
/* Runs one piece of any queue; 0: nothing can run. */
int qn_null_step(void);

/* ---- module.c ---- */
quern_status qn_null_compile(struct qn_dev *, const struct qn_source *, struct qn_module **out);
void qn_null_module_free(struct qn_dev *, struct qn_module *);
quern_status qn_null_image_save(struct qn_module *, void **bytes, size_t *size);
quern_status qn_null_image_load(struct qn_dev *, const struct qn_source *, const void *bytes,
                                size_t size, struct qn_module **out);
quern_status qn_null_kernel_get(struct qn_module *, const char *name, struct qn_kernel **out);
quern_status qn_null_launch(struct qn_queue *, struct qn_kernel *, const struct qn_grid *,
                            const struct qn_arg *, uint32_t n_args);

#endif
