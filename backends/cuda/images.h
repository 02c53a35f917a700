/* SPDX-License-Identifier: Apache-2.0
 * The kernels compiled ahead of time: one fat binary (machine code for several architectures and PTX
 * for the ones to come) per kernel source. cmake/cuda.cmake makes the table; in a build without nvcc
 * it is empty and NVRTC compiles everything. */
#ifndef QN_CUDA_IMAGES_H
#define QN_CUDA_IMAGES_H

#include <stddef.h>

struct qn_cuda_image {
    const char *key; /* the image_key of a qn_source; NULL ends the table */
    const unsigned char *bytes;
    size_t size;
};

extern const struct qn_cuda_image qn_cuda_images[];
/* "sm_75 … sm_120 compute_75" (QUERN_CUDA_ARCHS), or "" where there is none. */
extern const char *const qn_cuda_image_targets;

#endif
