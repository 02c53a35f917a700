/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening puts the parts together: queues, pool, two staging rings, then the self test. Every driver
 * call that matters to the ledger passes through here, so the counting is in one place, and so is
 * the rule that a lost device is not asked again. */
#include "host/device/device.h"

#include <stdio.h>
#include <string.h>

#include "host/device/selftest.h"
#include "host/device/times.h"

/* Parameters and statistics are small and many: more and smaller blocks than for tables. */
enum { CONTROL_BLOCK = 64 << 10, CONTROL_DEPTH = 16 };

/* Puts the device's name in front of a failure and remembers that the device is gone. */
static quern_status noted(struct qn_device *device, quern_status status)
{
    if (QN_LIKELY(status == QUERN_OK)) return status;
    if (status == QUERN_DEVICE_LOST) device->lost = 1;
    return qn_error_context(status, "%s", device->id);
}

static quern_status alive(const struct qn_device *device, uint32_t queue)
{
    if (QN_UNLIKELY(device->lost))
        return qn_error(QUERN_DEVICE_LOST, "%s: the device was lost", device->id);
    if (QN_UNLIKELY(queue >= QN_DEVICE_QUEUES))
        return qn_error(QUERN_INVALID, "%s: there is no queue %u", device->id, queue);
    return QUERN_OK;
}

/* Frees whatever was made; the pool is empty or NULL. */
static void take_apart(struct qn_device *device)
{
    for (uint32_t q = 0; q < QN_DEVICE_QUEUES && device->dev != NULL; q++)
        if (device->queues[q] != NULL && !device->lost)
            (void)device->driver->finish(device->queues[q]);
    qn_times_close(device->times, device->driver, device->dev);
    qn_staging_close(device->staging);
    qn_staging_close(device->control);
    qn_device_kernels_free(device);
    for (uint32_t q = 0; q < QN_DEVICE_QUEUES; q++)
        if (device->queues[q] != NULL) device->driver->queue_close(device->dev, device->queues[q]);
    if (device->dev != NULL) device->driver->close(device->dev);
    qn_free(device->cache_owned);
    qn_free(device);
}

static quern_status put_together(struct qn_device *device, const struct qn_device_config *config)
{
    const struct qn_driver *driver = device->driver;
    struct qn_caps staged;
    QN_TRY(driver->caps(device->index, &device->caps));
    QN_TRY(driver->open(device->index, &device->dev));
    QN_TRY(qn_pool_open(driver, device->dev, &device->caps, &config->pool, &device->pool));
    for (uint32_t q = 0; q < QN_DEVICE_QUEUES; q++) {
        QN_TRY(driver->queue_open(device->dev, &device->queues[q]));
        QN_TRY(qn_pool_queue(device->pool, device->queues[q], &device->queue_numbers[q]));
    }
    QN_TRY(qn_staging_open(driver, device->dev, &device->caps, 0, 0, &device->staging));
    /* Not straight into the memory, even where it is host memory: that would wait for the queue. */
    staged = device->caps;
    staged.features &= ~(uint32_t)QN_FEATURE_HOST_MEMORY;
    QN_TRY(qn_staging_open(driver, device->dev, &staged, CONTROL_BLOCK, CONTROL_DEPTH,
                           &device->control));
    if (config->times) QN_TRY(qn_times_open(driver, &device->times));
    if (config->cache_dir != NULL) {
        device->cache_owned = qn_strdup(config->cache_dir);
        if (device->cache_owned == NULL)
            return qn_error_memory("device", strlen(config->cache_dir));
        device->cache_dir = device->cache_owned;
    }
    return config->no_self_test ? QUERN_OK : qn_self_test(device);
}

quern_status qn_device_open(const struct qn_driver *driver, uint32_t index,
                            const struct qn_device_config *config, struct qn_device **out)
{
    static const struct qn_device_config defaults;
    *out = NULL;
    struct qn_device *device = qn_zalloc(1, sizeof *device);
    if (device == NULL) return qn_error_memory("device", sizeof *device);
    if (config == NULL) config = &defaults;
    device->driver = driver;
    device->index = index;
    device->threads = config->threads;
    device->zero_copy = config->zero_copy;
    if (strcmp(driver->name, "cpu") == 0)
        (void)snprintf(device->id, sizeof device->id, "cpu");
    else
        (void)snprintf(device->id, sizeof device->id, "%s:%u", driver->name, index);
    quern_status status = put_together(device, config);
    if (status == QUERN_OK) {
        memset(&device->ledger, 0, sizeof device->ledger); /* the self test is not the user's */
        *out = device;
        return QUERN_OK;
    }
    struct qn_failure failure;
    (void)noted(device, status);
    qn_error_take(&failure, status);
    (void)qn_pool_close(device->pool);
    take_apart(device);
    return qn_error_put(&failure);
}

quern_status qn_device_close(struct qn_device *device)
{
    if (device == NULL) return QUERN_OK;
    quern_status status = qn_pool_close(device->pool);
    if (status != QUERN_OK) return qn_error_context(status, "%s", device->id);
    take_apart(device);
    return QUERN_OK;
}

/* ---- launches ---- */

quern_status qn_device_launch(struct qn_device *device, uint32_t queue, struct qn_kernel *kernel,
                              const struct qn_grid *grid, const struct qn_arg *args,
                              uint32_t n_args)
{
    QN_TRY(alive(device, queue));
    struct qn_queue *q = device->queues[queue];
    if (device->times != NULL) QN_TRY(noted(device, qn_times_before(device->times, device, q)));
    quern_status status = device->driver->launch(q, kernel, grid, args, n_args);
    if (status != QUERN_OK) return noted(device, status);
    device->ledger.launches++;
    qn_pool_submitted(device->pool, device->queue_numbers[queue]);
    if (device->times != NULL) QN_TRY(noted(device, qn_times_after(device->times, device, q)));
    if (QN_HAS(device->driver, flush)) QN_TRY(noted(device, device->driver->flush(q)));
    return QUERN_OK;
}

quern_status qn_device_fill(struct qn_device *device, uint32_t queue, struct qn_view to,
                            uint32_t pattern)
{
    QN_TRY(alive(device, queue));
    QN_TRY(noted(device, device->driver->fill(device->queues[queue], to, pattern)));
    qn_pool_submitted(device->pool, device->queue_numbers[queue]);
    return QUERN_OK;
}

quern_status qn_device_finish(struct qn_device *device, uint32_t queue)
{
    QN_TRY(alive(device, queue));
    uint64_t start = qn_clock_ns();
    QN_TRY(noted(device, device->driver->finish(device->queues[queue])));
    device->ledger.wait_ns += qn_clock_ns() - start;
    qn_pool_finished(device->pool, device->queue_numbers[queue]);
    if (device->times != NULL) QN_TRY(noted(device, qn_times_collect(device->times, device)));
    return QUERN_OK;
}

quern_status qn_device_order(struct qn_device *device, uint32_t queue, uint32_t other)
{
    QN_TRY(alive(device, queue));
    QN_TRY(alive(device, other));
    return queue == other ? QUERN_OK
                          : noted(device, qn_pool_order(device->pool, device->queue_numbers[queue],
                                                        device->queue_numbers[other]));
}

/* ---- transfers ---- */

quern_status qn_device_upload(struct qn_device *device, uint32_t queue, struct qn_view to,
                              const void *from, uint64_t rows, uint64_t bytes, int64_t from_stride,
                              enum qn_traffic kind)
{
    QN_TRY(alive(device, queue));
    quern_status status =
        qn_staging_upload(device->staging, device->threads, device->queues[queue], to, from, rows,
                          bytes, from_stride, &device->ledger, kind);
    qn_pool_submitted(device->pool, device->queue_numbers[queue]); /* a part may be on its way */
    return noted(device, status);
}

quern_status qn_device_download(struct qn_device *device, uint32_t queue, void *to, uint64_t rows,
                                uint64_t bytes, int64_t to_stride, struct qn_view from,
                                enum qn_traffic kind)
{
    QN_TRY(alive(device, queue));
    QN_TRY(noted(device,
                 qn_staging_download(device->staging, device->threads, device->queues[queue], to,
                                     rows, bytes, to_stride, from, &device->ledger, kind)));
    /* The queue is in order, so whatever came before the download is over as well. */
    if (rows != 0 && bytes != 0) qn_pool_finished(device->pool, device->queue_numbers[queue]);
    return QUERN_OK;
}

quern_status qn_device_put(struct qn_device *device, uint32_t queue, struct qn_view to,
                           const void *from)
{
    QN_TRY(alive(device, queue));
    quern_status status =
        qn_staging_upload(device->control, NULL, device->queues[queue], to, from, 1, to.size,
                          (int64_t)to.size, &device->ledger, QN_TRAFFIC_CONTROL);
    qn_pool_submitted(device->pool, device->queue_numbers[queue]);
    return noted(device, status);
}

quern_status qn_device_get(struct qn_device *device, uint32_t queue, void *to, struct qn_view from)
{
    QN_TRY(alive(device, queue));
    if (from.size == 0) return QUERN_OK;
    uint64_t start = qn_clock_ns();
    QN_TRY(noted(device, device->driver->download(device->queues[queue], to, from, QN_WAIT)));
    device->ledger.wait_ns += qn_clock_ns() - start;
    device->ledger.from_device[QN_TRAFFIC_CONTROL] += from.size;
    qn_pool_finished(device->pool, device->queue_numbers[queue]);
    return QUERN_OK;
}
