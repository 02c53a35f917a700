/* SPDX-License-Identifier: Apache-2.0
 * The part of the CUDA driver API that quern uses, declared here and loaded at run time.
 *
 * The declarations are quern's own: the driver's ABI is stable by promise (a changed function gets a
 * new name, `_v2`), so no CUDA header is needed to build and one build serves every machine. Only
 * libcuda.so.1 is loaded, never the runtime library: the driver comes with the GPU, the runtime with
 * a toolkit that may not be there. */
#ifndef QN_CUDA_API_H
#define QN_CUDA_API_H

#include "host/device/driver.h"

typedef int cu_result;
typedef int cu_device;
typedef uint64_t cu_address;
typedef struct cu_context_handle *cu_context;
typedef struct cu_stream_handle *cu_stream;
typedef struct cu_event_handle *cu_event;
typedef struct cu_module_handle *cu_module;
typedef struct cu_function_handle *cu_function;

/* X(symbol, arguments). Each is required: all of them exist since CUDA 11. */
#define QN_CUDA_SYMBOLS(X)                                                                         \
    X(cuInit, (unsigned flags))                                                                    \
    X(cuDriverGetVersion, (int *version))                                                          \
    X(cuGetErrorName, (cu_result code, const char **text))                                         \
    X(cuGetErrorString, (cu_result code, const char **text))                                       \
    X(cuDeviceGetCount, (int *count))                                                              \
    X(cuDeviceGet, (cu_device * device, int ordinal))                                              \
    X(cuDeviceGetName, (char *name, int size, cu_device device))                                   \
    X(cuDeviceTotalMem_v2, (size_t * bytes, cu_device device))                                     \
    X(cuDeviceGetAttribute, (int *value, int attribute, cu_device device))                         \
    X(cuDeviceGetPCIBusId, (char *id, int size, cu_device device))                                 \
    X(cuDevicePrimaryCtxGetState, (cu_device device, unsigned *flags, int *active))                \
    X(cuDevicePrimaryCtxRetain, (cu_context * context, cu_device device))                          \
    X(cuDevicePrimaryCtxRelease_v2, (cu_device device))                                            \
    X(cuCtxPushCurrent_v2, (cu_context context))                                                   \
    X(cuCtxPopCurrent_v2, (cu_context * context))                                                  \
    X(cuMemGetInfo_v2, (size_t * free_bytes, size_t * total_bytes))                                \
    X(cuMemAlloc_v2, (cu_address * address, size_t bytes))                                         \
    X(cuMemFree_v2, (cu_address address))                                                          \
    X(cuPointerGetAttribute, (void *value, int attribute, cu_address address))                     \
    X(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))                               \
    X(cuMemFreeHost, (void *memory))                                                               \
    X(cuMemcpyHtoDAsync_v2, (cu_address to, const void *from, size_t bytes, cu_stream stream))     \
    X(cuMemcpyDtoHAsync_v2, (void *to, cu_address from, size_t bytes, cu_stream stream))           \
    X(cuMemcpyDtoDAsync_v2, (cu_address to, cu_address from, size_t bytes, cu_stream stream))      \
    X(cuMemsetD32Async, (cu_address to, unsigned value, size_t words, cu_stream stream))           \
    X(cuStreamCreate, (cu_stream * stream, unsigned flags))                                        \
    X(cuStreamDestroy_v2, (cu_stream stream))                                                      \
    X(cuStreamSynchronize, (cu_stream stream))                                                     \
    X(cuStreamWaitEvent, (cu_stream stream, cu_event event, unsigned flags))                       \
    X(cuEventCreate, (cu_event * event, unsigned flags))                                           \
    X(cuEventDestroy_v2, (cu_event event))                                                         \
    X(cuEventRecord, (cu_event event, cu_stream stream))                                           \
    X(cuEventQuery, (cu_event event))                                                              \
    X(cuEventSynchronize, (cu_event event))                                                        \
    X(cuEventElapsedTime, (float *milliseconds, cu_event from, cu_event to))                       \
    X(cuModuleLoadDataEx,                                                                          \
      (cu_module * module, const void *image, unsigned n, int *options, void **values))            \
    X(cuModuleUnload, (cu_module module))                                                          \
    X(cuModuleGetFunction, (cu_function * function, cu_module module, const char *name))           \
    X(cuFuncGetAttribute, (int *value, int attribute, cu_function function))                       \
    X(cuLaunchKernel,                                                                              \
      (cu_function function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,      \
       unsigned bz, unsigned shared, cu_stream stream, void **params, void **extra))

struct qn_cuda_api {
    int version; /* cuDriverGetVersion: 1000 * major + 10 * minor */
    int devices;
#define QN_CUDA_MEMBER(symbol, arguments) cu_result(*symbol) arguments;
    QN_CUDA_SYMBOLS(QN_CUDA_MEMBER)
#undef QN_CUDA_MEMBER
};

enum {
    CU_OK = 0,
    CU_INVALID_VALUE = 1,
    CU_NOT_READY = 600,
    CU_STREAM_NON_BLOCKING = 1,
    CU_ATTRIBUTE_MAX_ITEMS = 1,
    CU_ATTRIBUTE_SHARED = 8,
    CU_ATTRIBUTE_UNITS = 16,
    CU_ATTRIBUTE_MAJOR = 75,
    CU_ATTRIBUTE_MINOR = 76,
    CU_POINTER_DEVICE = 9,
    CU_FUNCTION_MAX_ITEMS = 0,
    CU_JIT_ERROR_LOG = 5,
    CU_JIT_ERROR_LOG_SIZE = 6
};

/* The oldest driver whose NVRTC gives machine code and lists its targets. */
enum { QN_CUDA_OLDEST_DRIVER = 11020 };

/* The loaded driver, or NULL with the reason. The first call loads and initialises it; a failure is
 * final for the process. Any thread. */
const struct qn_cuda_api *qn_cuda(const char **reason);

/* The status of a result code: lost, out of memory, … (api.c's table). */
quern_status qn_cuda_status(cu_result code);
/* Its name; never NULL. */
const char *qn_cuda_name(cu_result code);
/* Writes the sentence "call: NAME (code): text" and returns the status. */
quern_status qn_cuda_fail(cu_result code, const char *call) QN_COLD;

static inline quern_status qn_cuda_check(cu_result code, const char *call)
{
    return QN_LIKELY(code == CU_OK) ? QUERN_OK : qn_cuda_fail(code, call);
}
/* qn_cuda_check of one driver call: QN_CU(api, cuMemFree_v2, (address)). */
#define QN_CU(api, symbol, arguments) qn_cuda_check((api)->symbol arguments, #symbol)

#endif
