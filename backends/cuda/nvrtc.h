/* SPDX-License-Identifier: Apache-2.0
 * NVRTC, NVIDIA's run-time compiler: portable kernel text in, machine code (or PTX) out. */
#ifndef QN_CUDA_NVRTC_H
#define QN_CUDA_NVRTC_H

#include "host/device/driver.h"

struct qn_nvrtc;

/* The compiler that suits a driver of this version (1000 * major + 10 * minor), or NULL; *why is
 * then what was tried and what the loader said. The first call decides for the process. */
const struct qn_nvrtc *qn_nvrtc(int driver_version, const char **why);
/* "13.0", and the oldest compute capability (10 * major + minor) that it makes code for. */
const char *qn_nvrtc_version(const struct qn_nvrtc *);
int qn_nvrtc_oldest(const struct qn_nvrtc *);

/* Compiles for one compute capability. *image is made by qn_alloc: a cubin where the compiler knows
 * the device, else PTX for the newest architecture below it, ended by a NUL. */
quern_status qn_nvrtc_compile(const struct qn_nvrtc *, const struct qn_source *, uint32_t compute,
                              void **image, size_t *size);

#endif
