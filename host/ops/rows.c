/* SPDX-License-Identifier: Apache-2.0
 * Operations over whole rows: by kind of operation, its implementations. */
#include "host/ops/impl.h"
#include "host/ops/neighbours.h"

static const char *refuse_device(const struct qn_device *device, const void *request)
{
    const struct qn_rows_request *rq = request;
    if (device == NULL) return "no device is open";
    if (rq->op->code == QN_ROWS_NEIGHBOURS) return qn_refuse_neighbours(device, rq);
    return "of the operations over whole rows only nearest neighbours have kernels; the processor "
           "has "
           "all rows at hand";
}

static quern_status run_device(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                               const void *request)
{
    (void)threads;
    return qn_device_neighbours(device, queue, request);
}

typedef quern_status rows_fn(struct qn_threads *, const struct qn_rows_request *);

static rows_fn *implementation_of(uint32_t code)
{
    switch (code) {
    case QN_ROWS_NEIGHBOURS: return qn_cpu_neighbours;
    case QN_ROWS_REGRESSIONS: return qn_cpu_regressions;
    case QN_ROWS_CENTERING: return qn_cpu_centering;
    default: return NULL;
    }
}

static const char *refuse_cpu(const struct qn_device *device, const void *request)
{
    const struct qn_rows_request *rq = request;
    (void)device;
    if (rq->in == NULL) return "the columns lie on the device";
    if (rq->op->type != QN_T_F32 && rq->op->type != QN_T_F64) return "the rows are not floats";
    return implementation_of(rq->op->code) != NULL ? NULL : "the operation is unknown";
}

static quern_status run_cpu(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                            const void *request)
{
    const struct qn_rows_request *rq = request;
    (void)device;
    (void)queue;
    return implementation_of(rq->op->code)(threads, rq);
}

int qn_rows_stay(const struct qn_device *device, const struct qn_rows_request *request)
{
    return refuse_device(device, request) == NULL;
}

quern_status qn_op_rows(struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                        const struct qn_rows_request *request, struct qn_outcome *outcome)
{
    static const struct qn_impl list[] = {{"device", refuse_device, run_device},
                                          {NULL, refuse_cpu, run_cpu}};
    return qn_impl_run("rows", list, 2, device, threads, queue, request, outcome);
}

quern_status qn_op_gram(struct qn_threads *threads, const struct qn_gram *request)
{
    return qn_cpu_gram(threads, request);
}

quern_status qn_op_predict(struct qn_threads *threads, const struct qn_prediction *request)
{
    return qn_cpu_predict(threads, request);
}

quern_status qn_op_information(struct qn_threads *threads, const struct qn_information *request)
{
    return qn_cpu_information(threads, request);
}
