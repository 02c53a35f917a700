/* SPDX-License-Identifier: Apache-2.0
 * Reasons against lines that do not depend on the operation. */
#include "host/ops/lines.h"

#include "host/ops/layout.h"

const char *qn_refuse_host_lines(const struct qn_lines *lines)
{
    return lines->base.raw != NULL ? "the values lie on the device" : NULL;
}

/* The first and the last byte are inside the view. */
static int inside(const struct qn_lines *l, uint64_t size)
{
    uint64_t low = l->offset, high = l->offset;
    const int64_t strides[2] = {l->line_stride, l->stride};
    const uint64_t counts[2] = {l->lines, l->n};
    for (int i = 0; i < 2; i++) {
        uint64_t step = strides[i] < 0 ? 0 - (uint64_t)strides[i] : (uint64_t)strides[i], reach;
        if (qn_mul_u64(counts[i] - 1, step, &reach)) return 0;
        if (strides[i] < 0 && reach > low) return 0;
        if (strides[i] < 0)
            low -= reach;
        else if (qn_add_u64(high, reach, &high))
            return 0;
    }
    return !qn_add_u64(high, size, &high) && high <= l->base.size;
}

const char *qn_refuse_device_lines(const struct qn_device *device, const struct qn_lines *lines)
{
    uint64_t size = qn_value_bytes(lines->type), all;
    if (device == NULL) return "no device is open";
    if (lines->base.raw == NULL) return "the values lie in host memory";
    if ((device->caps.features & QN_FEATURE_KERNELS) == 0) return "the device runs no kernels";
    if (size == 0) return "values of this type have no device form";
    if (qn_mul_u64(lines->lines, lines->n, &all) || all > UINT32_MAX)
        return "more than 4294967295 values";
    if (lines->offset % size != 0 || lines->stride % (int64_t)size != 0 ||
        lines->line_stride % (int64_t)size != 0)
        return "values are not aligned to their type";
    if (all != 0 && !inside(lines, size)) return "values reach outside of their memory";
    return NULL;
}
