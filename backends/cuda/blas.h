/* SPDX-License-Identifier: Apache-2.0
 * cuBLAS, loaded by soname at first use: matrix products, the one documented exception to the rule
 * that all devices give the same bits. */
#ifndef QN_CUDA_BLAS_H
#define QN_CUDA_BLAS_H

#include "backends/cuda/api.h"

typedef struct cublas_handle *cublas_context;

/* Column-major, as BLAS: C = alpha * op(A) * op(B) + beta * C; op 0: as it is, 1: transposed. The
 * results of both are a native code, 0 for success. */
struct qn_cublas {
    char version[32]; /* "13.0.2" */
    int (*cublasCreate_v2)(cublas_context *);
    int (*cublasDestroy_v2)(cublas_context);
    int (*cublasSetStream_v2)(cublas_context, cu_stream);
    int (*cublasGetProperty)(int which, int *value);
    int (*cublasSgemm_v2)(cublas_context, int op_a, int op_b, int m, int n, int k,
                          const float *alpha, const float *a, int lda, const float *b, int ldb,
                          const float *beta, float *c, int ldc);
    int (*cublasDgemm_v2)(cublas_context, int op_a, int op_b, int m, int n, int k,
                          const double *alpha, const double *a, int lda, const double *b, int ldb,
                          const double *beta, double *c, int ldc);
};

/* NULL with *why = what was tried. The first call decides for the process. */
const struct qn_cublas *qn_cublas(int driver_version, const char **why);

struct qn_dev;
struct qn_cuda_blas {
    const struct qn_cublas *api;
    cublas_context handle;
};
/* The device's handle, made at the first call; freed when the device closes. */
quern_status qn_cuda_blas_open(struct qn_dev *, struct qn_cuda_blas **out);
void qn_cuda_blas_close(struct qn_cuda_blas *);

#endif
