/* SPDX-License-Identifier: Apache-2.0
 * One operation's stay on a device: the pool memory that it takes, its launches and its results. All
 * memory goes back in one place, whatever happened. */
#ifndef QN_JOB_H
#define QN_JOB_H

#include "host/device/device.h"
#include "host/ops/table.h"

enum { QN_JOB_SPANS = 12 };

struct qn_job {
    struct qn_device *device;
    uint32_t queue;
    uint32_t n_spans;
    struct qn_span spans[QN_JOB_SPANS];
};

void qn_job_begin(struct qn_job *, struct qn_device *, uint32_t queue);
void qn_job_end(struct qn_job *); /* gives everything back; queued work may still use it */

/* Memory of the pool: as it is, filled with zeros, or with a copy of `from`. */
quern_status qn_job_take(struct qn_job *, uint64_t bytes, struct qn_view *out);
quern_status qn_job_zeros(struct qn_job *, uint64_t bytes, struct qn_view *out);
quern_status qn_job_put(struct qn_job *, const void *from, uint64_t bytes, struct qn_view *out);
/* The table of a program, built, uploaded and freed again. */
quern_status qn_job_table(struct qn_job *, const struct qn_table_request *, struct qn_view *out);
/* Waits for the first `bytes` of a view. */
quern_status qn_job_get(struct qn_job *, struct qn_view from, uint64_t bytes, void *to);

/* A kernel of an embedded source, or of `source` where that is given. In CPU shape a group is one
 * item. */
struct qn_job_kernel {
    const char *source, *name;
    const struct qn_source *made; /* NULL: embedded */
};
quern_status qn_job_launch(struct qn_job *, struct qn_job_kernel, uint64_t groups_x,
                           uint32_t groups_y, uint32_t items, const struct qn_arg *, uint32_t n);

int qn_job_cpu_shape(const struct qn_device *);
/* The words for the compiler that belong to a device. */
const char *qn_job_options(const struct qn_device *);

/* How many parts to cut `rows` into so that the device is busy and a part has at least `least`. */
uint64_t qn_job_parts(const struct qn_device *, uint64_t rows, uint64_t least, uint64_t side);

static inline struct qn_arg qn_arg_view(struct qn_view view)
{
    struct qn_arg arg = {.kind = QN_ARG_VIEW};
    arg.u.view = view;
    return arg;
}
static inline struct qn_arg qn_arg_u32(uint32_t value)
{
    struct qn_arg arg = {.kind = QN_ARG_U32};
    arg.u.u32 = value;
    return arg;
}
static inline struct qn_arg qn_arg_u64(uint64_t value)
{
    struct qn_arg arg = {.kind = QN_ARG_U64};
    arg.u.u64 = value;
    return arg;
}

#endif
