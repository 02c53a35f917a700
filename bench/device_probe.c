/* SPDX-License-Identifier: Apache-2.0
 * What one device does, measured through quern's own layers: transfers both ways (pinned, and
 * pageable through the staging ring), device copy and fill, launch latency, and a StandardScaler's
 * two halves (moments, subtract and divide) with the data on the device and from host to host. The
 * device's results are compared byte for byte with the CPU's before anything is reported.
 *
 *   device_probe DEVICE [ROWS COLUMNS]      cuda:0, opencl:0, cpu; JSON on standard output
 *
 * Times are the least of several repeats: what the device can do, not what else the machine did. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/device/device.h"
#include "host/device/registry.h"
#include "host/ops/ops.h"

enum { REPEATS = 7, LAUNCHES = 1000 };

static const char empty_text[] = "#if defined(__OPENCL_VERSION__)\n"
                                 "__kernel void qn_empty(__global unsigned *p)\n"
                                 "#else\n"
                                 "extern \"C\" __global__ void qn_empty(unsigned *p)\n"
                                 "#endif\n"
                                 "{ if (p == 0) return; }\n";

struct probe {
    struct qn_threads *threads;
    struct qn_device *device;
    uint64_t rows, columns, bytes;
    float *in, *out, *expected;
    struct qn_span in_span, out_span;
    struct qn_lane *lanes, *plain;
    struct qn_op *ops;
    struct qn_slot *slots;
    uint64_t *words;
    struct qn_node *nodes, *expected_nodes;
    uint64_t groups;
};

static double least(double best, uint64_t since)
{
    double seconds = (double)(qn_clock_ns() - since) * 1e-9;
    return best == 0.0 || seconds < best ? seconds : best;
}

static double gigabytes(uint64_t bytes, double seconds)
{
    return seconds > 0.0 ? (double)bytes / seconds * 1e-9 : 0.0;
}

/* ---- transfers ---- */

static quern_status pinned_copies(struct probe *p)
{
    const struct qn_driver *driver = p->device->driver;
    struct qn_view there = {p->in_span.view.raw, p->in_span.view.offset, p->bytes};
    double up = 0.0, down = 0.0;
    void *pinned = NULL;
    if (!QN_HAS(driver, pinned_alloc)) return QUERN_OK;
    QN_TRY(driver->pinned_alloc(p->device->dev, p->bytes, &pinned));
    memcpy(pinned, p->in, p->bytes);
    quern_status status = QUERN_OK;
    for (int i = 0; i < REPEATS && status == QUERN_OK; i++) {
        uint64_t t = qn_clock_ns();
        status = driver->upload(p->device->queues[0], there, pinned, QN_WAIT);
        up = least(up, t);
        t = qn_clock_ns();
        if (status == QUERN_OK)
            status = driver->download(p->device->queues[0], pinned, there, QN_WAIT);
        down = least(down, t);
    }
    driver->pinned_free(p->device->dev, pinned);
    if (status == QUERN_OK)
        (void)printf("  \"pinned_to_device_gbs\": %.3f,\n  \"pinned_from_device_gbs\": %.3f,\n",
                     gigabytes(p->bytes, up), gigabytes(p->bytes, down));
    return status;
}

static quern_status staged_copies(struct probe *p)
{
    uint64_t row = p->columns * sizeof(float);
    double up = 0.0, down = 0.0;
    for (int i = 0; i < REPEATS; i++) {
        uint64_t t = qn_clock_ns();
        QN_TRY(qn_device_upload(p->device, 0, p->in_span.view, p->in, p->rows, row, (int64_t)row,
                                QN_TRAFFIC_INPUT));
        QN_TRY(qn_device_finish(p->device, 0));
        up = least(up, t);
        t = qn_clock_ns();
        QN_TRY(qn_device_download(p->device, 0, p->out, p->rows, row, (int64_t)row, p->in_span.view,
                                  QN_TRAFFIC_OUTPUT));
        down = least(down, t);
    }
    if (memcmp(p->in, p->out, p->bytes) != 0)
        return qn_error(QUERN_INTERNAL, "bytes changed on their way to the device and back");
    (void)printf("  \"staged_to_device_gbs\": %.3f,\n  \"staged_from_device_gbs\": %.3f,\n",
                 gigabytes(p->bytes, up), gigabytes(p->bytes, down));
    return QUERN_OK;
}

static quern_status on_device(struct probe *p)
{
    const struct qn_driver *driver = p->device->driver;
    struct qn_queue *queue = p->device->queues[0];
    struct qn_view from = p->in_span.view, to = p->out_span.view;
    double copy = 0.0, fill = 0.0;
    from.size = to.size = p->bytes;
    for (int i = 0; i < REPEATS; i++) {
        uint64_t t = qn_clock_ns();
        QN_TRY(driver->copy(queue, to, from));
        QN_TRY(driver->finish(queue));
        copy = least(copy, t);
        t = qn_clock_ns();
        QN_TRY(driver->fill(queue, to, 0));
        QN_TRY(driver->finish(queue));
        fill = least(fill, t);
    }
    (void)printf("  \"device_copy_gbs\": %.3f,\n  \"device_fill_gbs\": %.3f,\n",
                 gigabytes(2 * p->bytes, copy), gigabytes(p->bytes, fill));
    return QUERN_OK;
}

/* ---- launches ---- */

static quern_status launches(struct probe *p)
{
    const struct qn_source source = {"empty", empty_text, sizeof empty_text - 1, "", NULL};
    const struct qn_grid grid = {{1, 1}, 1};
    struct qn_arg arg = {.kind = QN_ARG_VIEW, .u.view = p->in_span.view};
    struct qn_kernel *kernel = NULL;
    double first, round = 0.0, queued = 0.0;
    if ((p->device->caps.features & QN_FEATURE_KERNELS) == 0) return QUERN_OK;
    uint64_t t = qn_clock_ns();
    QN_TRY(qn_device_kernel(p->device, &source, "qn_empty", &kernel));
    first = least(0.0, t);
    for (int i = 0; i < 100; i++) {
        t = qn_clock_ns();
        QN_TRY(qn_device_launch(p->device, 0, kernel, &grid, &arg, 1));
        QN_TRY(qn_device_finish(p->device, 0));
        round = least(round, t);
    }
    for (int r = 0; r < 3; r++) {
        t = qn_clock_ns();
        for (int i = 0; i < LAUNCHES; i++)
            QN_TRY(qn_device_launch(p->device, 0, kernel, &grid, &arg, 1));
        QN_TRY(qn_device_finish(p->device, 0));
        queued = least(queued, t);
    }
    (void)printf("  \"compile_ms\": %.3f,\n  \"launch_and_wait_us\": %.3f,\n"
                 "  \"launch_queued_us\": %.3f,\n",
                 first * 1e3, round * 1e6, queued * 1e6 / LAUNCHES);
    return QUERN_OK;
}

/* ---- StandardScaler ---- */

static quern_status moments(struct probe *p, struct qn_device *device, struct qn_view base,
                            struct qn_node *nodes)
{
    struct qn_moments_request request = {.nodes = nodes};
    request.batch.rows = p->rows;
    request.batch.lanes = p->plain;
    request.batch.n_lanes = (uint32_t)p->columns;
    request.batch.base = base;
    return qn_op_moments(device, p->threads, 0, &request, NULL);
}

static quern_status scale(struct probe *p, struct qn_device *device, struct qn_view base,
                          struct qn_view out_base, float *out_host)
{
    struct qn_run_request request = {.slots = p->slots, .n_slots = (uint32_t)p->columns};
    request.batch.rows = p->rows;
    request.batch.lanes = p->lanes;
    request.batch.n_lanes = (uint32_t)p->columns;
    request.batch.ops = p->ops;
    request.batch.n_ops = 2 * (uint32_t)p->columns;
    request.batch.words = p->words;
    request.batch.n_words = 2 * (uint32_t)p->columns;
    request.batch.base = base;
    request.out_base = out_base;
    request.out_host = out_host;
    return qn_op_run(device, p->threads, 0, &request, NULL);
}

static quern_status compare(struct probe *p)
{
    const struct qn_view host = {NULL, 0, 0};
    uint64_t row = p->columns * sizeof(float), size = p->groups * p->columns * sizeof *p->nodes;
    QN_TRY(moments(p, NULL, host, p->expected_nodes));
    QN_TRY(moments(p, p->device, p->in_span.view, p->nodes));
    if (memcmp(p->nodes, p->expected_nodes, size) != 0)
        return qn_error(QUERN_INTERNAL, "the device's moments differ from the CPU's");
    QN_TRY(scale(p, NULL, host, host, p->expected));
    QN_TRY(scale(p, p->device, p->in_span.view, p->out_span.view, NULL));
    QN_TRY(qn_device_download(p->device, 0, p->out, p->rows, row, (int64_t)row, p->out_span.view,
                              QN_TRAFFIC_OUTPUT));
    if (memcmp(p->out, p->expected, p->bytes) != 0)
        return qn_error(QUERN_INTERNAL, "the device's scaled values differ from the CPU's");
    return QUERN_OK;
}

static quern_status scaler(struct probe *p)
{
    const struct qn_view host = {NULL, 0, 0};
    uint64_t row = p->columns * sizeof(float);
    double fit = 0.0, transform = 0.0, through = 0.0, cpu_fit = 0.0, cpu_transform = 0.0;
    QN_TRY(compare(p));
    for (int i = 0; i < REPEATS; i++) {
        uint64_t t = qn_clock_ns();
        QN_TRY(moments(p, p->device, p->in_span.view, p->nodes));
        fit = least(fit, t);
        t = qn_clock_ns();
        QN_TRY(scale(p, p->device, p->in_span.view, p->out_span.view, NULL));
        QN_TRY(qn_device_finish(p->device, 0));
        transform = least(transform, t);
        t = qn_clock_ns();
        QN_TRY(qn_device_upload(p->device, 0, p->in_span.view, p->in, p->rows, row, (int64_t)row,
                                QN_TRAFFIC_INPUT));
        QN_TRY(moments(p, p->device, p->in_span.view, p->nodes));
        QN_TRY(scale(p, p->device, p->in_span.view, p->out_span.view, NULL));
        QN_TRY(qn_device_download(p->device, 0, p->out, p->rows, row, (int64_t)row,
                                  p->out_span.view, QN_TRAFFIC_OUTPUT));
        through = least(through, t);
        t = qn_clock_ns();
        QN_TRY(moments(p, NULL, host, p->expected_nodes));
        cpu_fit = least(cpu_fit, t);
        t = qn_clock_ns();
        QN_TRY(scale(p, NULL, host, host, p->expected));
        cpu_transform = least(cpu_transform, t);
    }
    (void)printf("  \"scaler_fit_resident_ms\": %.4f,\n  \"scaler_fit_resident_gbs\": %.3f,\n"
                 "  \"scaler_transform_resident_ms\": %.4f,\n"
                 "  \"scaler_transform_resident_gbs\": %.3f,\n"
                 "  \"scaler_host_to_host_ms\": %.4f,\n"
                 "  \"cpu_scaler_fit_ms\": %.4f,\n  \"cpu_scaler_transform_ms\": %.4f,\n",
                 fit * 1e3, gigabytes(p->bytes, fit), transform * 1e3,
                 gigabytes(2 * p->bytes, transform), through * 1e3, cpu_fit * 1e3,
                 cpu_transform * 1e3);
    return QUERN_OK;
}

/* ---- set up ---- */

/* Values that a float32 column may have, the same on every machine. */
static void make_values(struct probe *p)
{
    uint32_t seed = 12345;
    for (uint64_t i = 0; i < p->rows * p->columns; i++) {
        seed = seed * 1664525u + 1013904223u;
        p->in[i] = (float)(seed >> 8) * (1.0f / 16777216.0f) * 10.0f - 3.0f;
    }
}

static void make_program(struct probe *p)
{
    for (uint64_t c = 0; c < p->columns; c++) {
        double mean = 1.5 + 0.01 * (double)c, by = 2.5 + 0.02 * (double)c;
        uint32_t first = 2 * (uint32_t)c;
        struct qn_lane lane = {.data = p->in + c,
                               .stride = (int64_t)(p->columns * sizeof(float)),
                               .offset = c * sizeof(float),
                               .valid_bit = QN_NO_VALIDITY,
                               .type = QN_T_F32,
                               .work = QN_W_F32};
        p->plain[c] = lane;
        lane.first_op = first;
        lane.n_ops = 2;
        p->lanes[c] = lane;
        mean = (double)(float)mean;
        by = (double)(float)by;
        memcpy(&p->words[first], &mean, sizeof mean);
        memcpy(&p->words[first + 1], &by, sizeof by);
        p->ops[first] = (struct qn_op){QN_OP_SUB, QN_W_F32, first, 0};
        p->ops[first + 1] = (struct qn_op){QN_OP_DIV, QN_W_F32, first + 1, 0};
        p->slots[c] = (struct qn_slot){.offset = c * sizeof(float),
                                       .stride = p->columns * sizeof(float),
                                       .type = QN_T_F32,
                                       .lane = (uint32_t)c,
                                       .match = QN_MATCH_VALUE};
    }
}

static quern_status prepare(struct probe *p)
{
    size_t values, columns = (size_t)p->columns;
    if (qn_mul_size((size_t)p->rows, columns, &values) ||
        qn_mul_u64(values, sizeof(float), &p->bytes))
        return qn_error(QUERN_INVALID, "too many values");
    p->groups = (p->rows + QN_GROUP_ROWS - 1) / QN_GROUP_ROWS;
    p->in = qn_alloc_aligned(values, sizeof *p->in);
    p->out = qn_alloc_aligned(values, sizeof *p->out);
    p->expected = qn_alloc_aligned(values, sizeof *p->expected);
    p->lanes = qn_zalloc(columns, sizeof *p->lanes);
    p->plain = qn_zalloc(columns, sizeof *p->plain);
    p->ops = qn_zalloc(2 * columns, sizeof *p->ops);
    p->words = qn_zalloc(2 * columns, sizeof *p->words);
    p->slots = qn_zalloc(columns, sizeof *p->slots);
    p->nodes = qn_zalloc((size_t)p->groups * columns, sizeof *p->nodes);
    p->expected_nodes = qn_zalloc((size_t)p->groups * columns, sizeof *p->expected_nodes);
    if (p->in == NULL || p->out == NULL || p->expected == NULL || p->lanes == NULL ||
        p->plain == NULL || p->ops == NULL || p->words == NULL || p->slots == NULL ||
        p->nodes == NULL || p->expected_nodes == NULL)
        return qn_error_memory("the probe", p->bytes);
    make_values(p);
    make_program(p);
    memset(p->out, 0, p->bytes);
    memset(p->expected, 0, p->bytes);
    QN_TRY(qn_pool_take(p->device->pool, p->device->queue_numbers[0], p->bytes, &p->in_span));
    return qn_pool_take(p->device->pool, p->device->queue_numbers[0], p->bytes, &p->out_span);
}

static void finish(struct probe *p)
{
    if (p->device != NULL) {
        if (p->in_span.view.raw != NULL)
            qn_pool_give(p->device->pool, p->device->queue_numbers[0], &p->in_span);
        if (p->out_span.view.raw != NULL)
            qn_pool_give(p->device->pool, p->device->queue_numbers[0], &p->out_span);
        (void)qn_device_close(p->device);
    }
    void *const owned[] = {p->in,  p->out,   p->expected, p->lanes, p->plain,
                           p->ops, p->words, p->slots,    p->nodes, p->expected_nodes};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) qn_free(owned[i]);
    qn_threads_close(p->threads);
}

static quern_status run(struct probe *p, const char *name)
{
    struct qn_device_list list = {0};
    struct qn_device_config config = {0};
    uint32_t n_drivers = 0;
    quern_status status = QUERN_OK;
    QN_TRY(qn_threads_open(0, &p->threads));
    const struct qn_driver *const *drivers = qn_drivers(&n_drivers);
    QN_GO(qn_device_list_make(drivers, n_drivers, &list));
    const struct qn_device_entry *entry = qn_device_list_find(&list, name);
    if (entry == NULL || !entry->present) {
        status = entry == NULL ? QUERN_NO_DEVICE : qn_error(QUERN_NO_DEVICE, "%s", entry->why);
        goto cleanup;
    }
    config.threads = p->threads;
    QN_GO(qn_device_open(entry->driver, entry->index, &config, &p->device));
    QN_GO(prepare(p));
    (void)printf("{\n  \"device\": \"%s\",\n  \"name\": \"%s\",\n  \"driver\": \"%s\",\n"
                 "  \"threads\": %u,\n  \"rows\": %llu,\n  \"columns\": %llu,\n",
                 p->device->id, p->device->caps.name, p->device->caps.driver,
                 qn_threads_size(p->threads), (unsigned long long)p->rows,
                 (unsigned long long)p->columns);
    QN_GO(staged_copies(p));
    QN_GO(pinned_copies(p));
    QN_GO(on_device(p));
    QN_GO(launches(p));
    QN_GO(qn_device_upload(p->device, 0, p->in_span.view, p->in, p->rows,
                           p->columns * sizeof(float), (int64_t)(p->columns * sizeof(float)),
                           QN_TRAFFIC_INPUT));
    QN_GO(scaler(p));
    (void)printf("  \"same_bytes_as_cpu\": true\n}\n");
cleanup:
    qn_device_list_free(&list);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4) {
        (void)fputs("usage: device_probe DEVICE [ROWS COLUMNS]\n", stderr);
        return 2;
    }
    struct probe p = {.rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000,
                      .columns = argc > 3 ? strtoull(argv[3], NULL, 10) : 50};
    if (p.rows == 0 || p.columns == 0 || p.columns > 100000) {
        (void)fputs("device_probe: rows and columns must be positive\n", stderr);
        return 2;
    }
    quern_status status = run(&p, argv[1]);
    if (status != QUERN_OK)
        (void)fprintf(stderr, "device_probe: %s: %s\n", argv[1], qn_error_text());
    finish(&p);
    return status == QUERN_OK ? 0 : 1;
}
