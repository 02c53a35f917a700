/* SPDX-License-Identifier: Apache-2.0
 * Choosing an implementation, and the reasons against a device that do not depend on the operation. */
#include "host/ops/impl.h"

#include <stdio.h>
#include <string.h>

#include "host/ops/layout.h"

static const char *cpu_name(void)
{
    static const char *const names[] = {"cpu:avx512", "cpu:avx2", "cpu:baseline", "cpu:neon"};
    const char *isa = qn_cpu_isa();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i] + 4, isa) == 0) return names[i];
    return "cpu";
}

static void add_reason(char *reasons, size_t room, const char *name, const char *why)
{
    size_t used = strlen(reasons);
    if (used + 1 < room)
        (void)snprintf(reasons + used, room - used, "%s%s: %s", used != 0 ? "; " : "", name, why);
}

quern_status qn_impl_run(const char *operation, const struct qn_impl *list, uint32_t n,
                         struct qn_device *device, struct qn_threads *threads, uint32_t queue,
                         const void *request, struct qn_outcome *outcome)
{
    struct qn_outcome unwanted;
    struct qn_outcome *out = outcome != NULL ? outcome : &unwanted;
    out->implementation = NULL;
    out->reasons[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        const char *name = list[i].name != NULL ? list[i].name : cpu_name();
        const char *why = list[i].refuse(device, request);
        if (why != NULL) {
            add_reason(out->reasons, sizeof out->reasons, name, why);
            continue;
        }
        quern_status status = list[i].run(device, threads, queue, request);
        if (status != QUERN_OK) return qn_error_context(status, "%s (%s)", operation, name);
        out->implementation = name;
        return QUERN_OK;
    }
    return qn_error(QUERN_UNSUPPORTED, "%s: %s", operation, out->reasons);
}

const char *qn_refuse_host(const struct qn_batch *batch)
{
    return batch->base.raw != NULL ? "the rows lie on the device" : NULL;
}

/* The first and last byte that a lane's rows touch are inside the base view. */
static int lane_inside(const struct qn_batch *batch, const struct qn_lane *lane)
{
    uint64_t size = qn_value_bytes(lane->type), reach, end, bit;
    uint64_t last = batch->rows == 0 ? 0 : batch->rows - 1;
    uint64_t step = lane->stride < 0 ? 0 - (uint64_t)lane->stride : (uint64_t)lane->stride;
    if (qn_mul_u64(last, step, &reach)) return 0;
    if (lane->stride < 0) {
        if (reach > lane->offset) return 0;
        reach = 0;
    }
    if (qn_add_u64(lane->offset, reach, &end) || qn_add_u64(end, size, &end)) return 0;
    if (end > batch->base.size) return 0;
    if (lane->valid_bit == QN_NO_VALIDITY) return 1;
    return !qn_add_u64(lane->valid_bit, last, &bit) && bit / 8 < batch->base.size;
}

static const char *refuse_lanes(const struct qn_batch *batch, const struct qn_lane *lanes,
                                uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct qn_lane *lane = &lanes[i];
        uint64_t size = qn_value_bytes(lane->type);
        if (size == 0) return "a column's type has no device form";
        if (lane->offset % size != 0 || lane->stride % (int64_t)size != 0)
            return "a column is not aligned to its type";
        if (batch->rows != 0 && !lane_inside(batch, lane))
            return "a column reaches outside of the batch's memory";
    }
    return NULL;
}

const char *qn_refuse_device(const struct qn_device *device, const struct qn_batch *batch)
{
    if (device == NULL) return "no device is open";
    if (batch->base.raw == NULL) return "the rows lie in host memory";
    if ((device->caps.features & QN_FEATURE_KERNELS) == 0) return "the device runs no kernels";
    if ((device->caps.features & QN_FEATURE_F64) == 0)
        return "the device has no float64 arithmetic with fma and denormals";
    if (batch->rows > UINT32_MAX) return "more than 4294967295 rows in one batch";
    if (batch->n_lanes > 65535) return "more than 65535 columns in one batch";
    const char *why = refuse_lanes(batch, batch->lanes, batch->n_lanes);
    return why != NULL ? why : refuse_lanes(batch, batch->operands, batch->n_operands);
}

const char *qn_refuse_norms(const struct qn_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_ops; i++)
        if (batch->ops[i].code == QN_OP_NORM)
            return "statistics after a Normalizer need its output";
    return NULL;
}
