/* SPDX-License-Identifier: Apache-2.0
 * What the CUDA backend's files share: the objects behind the driver interface's opaque types. */
#ifndef QN_CUDA_DEVICE_H
#define QN_CUDA_DEVICE_H

#include "backends/cuda/api.h"
#include "backends/cuda/blas.h"

struct qn_dev {
    const struct qn_cuda_api *cu;
    cu_device device;
    cu_context context; /* the device's primary context, shared with everyone in the process */
    uint32_t compute;
    struct qn_cuda_blas *blas; /* NULL until the first product */
};

struct qn_raw {
    cu_address address;
    uint64_t bytes;
    int adopted; /* somebody else's memory */
};

struct qn_queue {
    struct qn_dev *dev;
    cu_stream stream;
};

struct qn_event {
    struct qn_dev *dev;
    cu_event event;
};

/* Makes the device's context current on this thread; qn_cuda_leave puts back the one that was, so
 * that quern disturbs nobody else in the process. Every entry that touches the device lies between
 * the two. A failure to put back has no effect on the work done and shows at the next call. */
static inline quern_status qn_cuda_enter(const struct qn_dev *dev)
{
    return QN_CU(dev->cu, cuCtxPushCurrent_v2, (dev->context));
}

static inline quern_status qn_cuda_leave(const struct qn_dev *dev, quern_status status)
{
    cu_context popped;
    (void)dev->cu->cuCtxPopCurrent_v2(&popped);
    return status;
}

/* An address inside a raw block, checked: QUERN_INVALID where the view leaves its block. */
quern_status qn_cuda_address(struct qn_view view, cu_address *out);

/* module.c */
quern_status qn_cuda_compile(struct qn_dev *, const struct qn_source *, struct qn_module **);
void qn_cuda_module_free(struct qn_dev *, struct qn_module *);
quern_status qn_cuda_image_save(struct qn_module *, void **bytes, size_t *size);
quern_status qn_cuda_image_load(struct qn_dev *, const struct qn_source *, const void *bytes,
                                size_t size, struct qn_module **);
quern_status qn_cuda_kernel_get(struct qn_module *, const char *name, struct qn_kernel **);
quern_status qn_cuda_launch(struct qn_queue *, struct qn_kernel *, const struct qn_grid *,
                            const struct qn_arg *, uint32_t n_args);

#endif
