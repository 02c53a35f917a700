/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ops/job.h"

void qn_job_begin(struct qn_job *job, struct qn_device *device, uint32_t queue)
{
    *job = (struct qn_job){.device = device, .queue = queue};
}

void qn_job_end(struct qn_job *job)
{
    struct qn_device *device = job->device;
    while (job->n_spans != 0) {
        job->n_spans--;
        qn_pool_give(device->pool, device->queue_numbers[job->queue], &job->spans[job->n_spans]);
    }
}

quern_status qn_job_take(struct qn_job *job, uint64_t bytes, struct qn_view *out)
{
    struct qn_device *device = job->device;
    struct qn_span *span = &job->spans[job->n_spans];
    if (job->n_spans == QN_JOB_SPANS)
        return qn_error(QUERN_INTERNAL, "an operation wants more than %d buffers", QN_JOB_SPANS);
    if (qn_add_u64(bytes, 3, &bytes)) return qn_error_memory("device memory", bytes);
    bytes = bytes < 4 ? 4 : bytes & ~(uint64_t)3; /* a fill works in words */
    QN_TRY(qn_pool_take(device->pool, device->queue_numbers[job->queue], bytes, span));
    job->n_spans++;
    *out = span->view;
    out->size = bytes;
    return QUERN_OK;
}

quern_status qn_job_zeros(struct qn_job *job, uint64_t bytes, struct qn_view *out)
{
    QN_TRY(qn_job_take(job, bytes, out));
    return qn_device_fill(job->device, job->queue, *out, 0);
}

quern_status qn_job_put(struct qn_job *job, const void *from, uint64_t bytes, struct qn_view *out)
{
    QN_TRY(qn_job_take(job, bytes, out));
    struct qn_view to = *out;
    to.size = bytes;
    return bytes == 0 ? QUERN_OK : qn_device_put(job->device, job->queue, to, from);
}

quern_status qn_job_table(struct qn_job *job, const struct qn_table_request *request,
                          struct qn_view *out)
{
    uint64_t *words;
    size_t n;
    QN_TRY(qn_table_build(request, &words, &n));
    quern_status status = qn_job_put(job, words, n * sizeof *words, out);
    qn_free(words);
    return status;
}

quern_status qn_job_get(struct qn_job *job, struct qn_view from, uint64_t bytes, void *to)
{
    from.size = bytes;
    return bytes == 0 ? qn_device_finish(job->device, job->queue)
                      : qn_device_get(job->device, job->queue, to, from);
}

int qn_job_cpu_shape(const struct qn_device *device)
{
    return (device->caps.features & QN_FEATURE_CPU_SHAPE) != 0;
}

const char *qn_job_options(const struct qn_device *device)
{
    static const char *const words[] = {"", "-DQN_EXACT_DIV=1", "-DQN_CPU_SHAPE=1",
                                        "-DQN_EXACT_DIV=1 -DQN_CPU_SHAPE=1"};
    /* CUDA and the host divide exactly by the language; only OpenCL must be told. */
    int exact = (device->caps.features & QN_FEATURE_EXACT_DIV) != 0;
    return words[exact + 2 * qn_job_cpu_shape(device)];
}

quern_status qn_job_launch(struct qn_job *job, struct qn_job_kernel kernel, uint64_t groups_x,
                           uint32_t groups_y, uint32_t items, const struct qn_arg *args, uint32_t n)
{
    const struct qn_source *embedded = kernel.made != NULL ? NULL : qn_kernel_source(kernel.source);
    struct qn_source source;
    struct qn_kernel *compiled;
    struct qn_grid grid = {.groups = {(uint32_t)groups_x, groups_y}, .items = items};
    if (groups_x == 0 || groups_y == 0) return QUERN_OK;
    if (groups_x > INT32_MAX || groups_y > 65535)
        return qn_error(QUERN_UNSUPPORTED, "%s: a launch of %llu x %u groups", kernel.name,
                        (unsigned long long)groups_x, groups_y);
    if (kernel.made == NULL && embedded == NULL)
        return qn_error(QUERN_INTERNAL, "no kernel source named %s", kernel.source);
    source = kernel.made != NULL ? *kernel.made : *embedded;
    if (kernel.made == NULL) source.options = qn_job_options(job->device);
    QN_TRY(qn_device_kernel(job->device, &source, kernel.name, &compiled));
    return qn_device_launch(job->device, job->queue, compiled, &grid, args, n);
}

uint64_t qn_job_parts(const struct qn_device *device, uint64_t rows, uint64_t least, uint64_t side)
{
    uint64_t units = device->caps.compute_units != 0 ? device->caps.compute_units : 1;
    /* On a CPU eight parts per core level out what the cores do besides; a GPU hides latency with
     * several groups per unit. `side` parts exist already in the other direction. */
    uint64_t want =
        (units * (qn_job_cpu_shape(device) ? 8 : 32) + side - 1) / (side != 0 ? side : 1);
    uint64_t most = rows / (least != 0 ? least : 1);
    if (want > most) want = most;
    return want != 0 ? want : 1;
}
