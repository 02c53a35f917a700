/* SPDX-License-Identifier: Apache-2.0
 * Loading libcuda.so.1, and what its result codes mean. Every way of not having a usable CUDA device
 * (no library, the toolkit's stub, no GPU, a driver that does not match its kernel module, …) ends
 * in one sentence and never in an error: a machine without a GPU is the ordinary case. */
#include "backends/cuda/api.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Code, status, name, and what to try where that is known. Codes that are not listed are internal
 * errors; a lost device is one whose context answers nothing but the same error from then on. */
#define RESULTS(X)                                                                                 \
    X(1, INTERNAL, "INVALID_VALUE", "")                                                            \
    X(2, OUT_OF_MEMORY, "OUT_OF_MEMORY", "")                                                       \
    X(3, DEVICE_LOST, "NOT_INITIALIZED", "; CUDA does not work in a process made by fork()")       \
    X(4, DEVICE_LOST, "DEINITIALIZED", "; the process is ending")                                  \
    X(34, NO_DEVICE, "STUB_LIBRARY",                                                               \
      "; the toolkit's stub was found in place of the driver: mend the library path")              \
    X(36, UNSUPPORTED, "CALL_REQUIRES_NEWER_DRIVER", "; update the NVIDIA driver")                 \
    X(46, DEVICE_LOST, "DEVICE_UNAVAILABLE", "; another process holds the device exclusively")     \
    X(100, NO_DEVICE, "NO_DEVICE", "; see nvidia-smi and CUDA_VISIBLE_DEVICES")                    \
    X(101, NO_DEVICE, "INVALID_DEVICE", "")                                                        \
    X(200, COMPILE, "INVALID_IMAGE", "")                                                           \
    X(201, DEVICE_LOST, "INVALID_CONTEXT", "; the device's primary context was reset")             \
    X(209, COMPILE, "NO_BINARY_FOR_GPU", "")                                                       \
    X(214, DEVICE_LOST, "ECC_UNCORRECTABLE", "")                                                   \
    X(218, COMPILE, "INVALID_PTX", "")                                                             \
    X(220, DEVICE_LOST, "NVLINK_UNCORRECTABLE", "")                                                \
    X(221, COMPILE, "JIT_COMPILER_NOT_FOUND", "")                                                  \
    X(222, COMPILE, "UNSUPPORTED_PTX_VERSION", "; NVRTC is newer than the driver")                 \
    X(223, COMPILE, "JIT_COMPILATION_DISABLED", "")                                                \
    X(226, DEVICE_LOST, "CONTAINED", "")                                                           \
    X(300, COMPILE, "INVALID_SOURCE", "")                                                          \
    X(304, NO_DEVICE, "OPERATING_SYSTEM", "")                                                      \
    X(400, INTERNAL, "INVALID_HANDLE", "")                                                         \
    X(500, INVALID, "NOT_FOUND", "")                                                               \
    X(700, DEVICE_LOST, "ILLEGAL_ADDRESS", "")                                                     \
    X(701, UNSUPPORTED, "LAUNCH_OUT_OF_RESOURCES", "")                                             \
    X(702, DEVICE_LOST, "LAUNCH_TIMEOUT", "; a display's watchdog ends long kernels")              \
    X(709, DEVICE_LOST, "CONTEXT_IS_DESTROYED", "")                                                \
    X(710, DEVICE_LOST, "ASSERT", "")                                                              \
    X(714, DEVICE_LOST, "HARDWARE_STACK_ERROR", "")                                                \
    X(715, DEVICE_LOST, "ILLEGAL_INSTRUCTION", "")                                                 \
    X(716, DEVICE_LOST, "MISALIGNED_ADDRESS", "")                                                  \
    X(717, DEVICE_LOST, "INVALID_ADDRESS_SPACE", "")                                               \
    X(718, DEVICE_LOST, "INVALID_PC", "")                                                          \
    X(719, DEVICE_LOST, "LAUNCH_FAILED", "")                                                       \
    X(800, UNSUPPORTED, "NOT_PERMITTED", "")                                                       \
    X(801, UNSUPPORTED, "NOT_SUPPORTED", "")                                                       \
    X(802, NO_DEVICE, "SYSTEM_NOT_READY", "; a driver service (fabric manager) is not running")    \
    X(803, NO_DEVICE, "SYSTEM_DRIVER_MISMATCH",                                                    \
      "; the driver's library and kernel module differ: reboot or reinstall the driver")           \
    X(804, NO_DEVICE, "COMPAT_NOT_SUPPORTED_ON_DEVICE",                                            \
      "; the forward-compatibility package does not serve this GPU: remove it from the path")      \
    X(810, DEVICE_LOST, "MPS_CLIENT_TERMINATED", "")                                               \
    X(999, DEVICE_LOST, "UNKNOWN", "")

struct result {
    cu_result code;
    quern_status status;
    const char *name, *hint;
};
static const struct result results[] = {
#define ROW(code, status, name, hint) {code, QUERN_##status, "CUDA_ERROR_" name, hint},
    RESULTS(ROW)
#undef ROW
};

static const struct result *find(cu_result code)
{
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (results[i].code == code) return &results[i];
    return NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct qn_cuda_api api;
static int usable;
static char why_not[512];

quern_status qn_cuda_status(cu_result code)
{
    const struct result *known = find(code);
    return code == CU_OK ? QUERN_OK : known != NULL ? known->status : QUERN_INTERNAL;
}

const char *qn_cuda_name(cu_result code)
{
    const char *name = NULL;
    if (api.cuGetErrorName != NULL && api.cuGetErrorName(code, &name) == CU_OK && name != NULL)
        return name;
    const struct result *known = find(code); /* the stub library has no names */
    return known != NULL ? known->name : "an unknown code";
}

static const char *text_of(cu_result code)
{
    const char *text = NULL;
    if (api.cuGetErrorString != NULL && api.cuGetErrorString(code, &text) == CU_OK && text != NULL)
        return text;
    return quern_status_text(qn_cuda_status(code));
}

static const char *hint_of(cu_result code)
{
    const struct result *known = find(code);
    return known != NULL ? known->hint : "";
}

quern_status qn_cuda_fail(cu_result code, const char *call)
{
    return qn_error(qn_cuda_status(code), "%s: %s (%d): %s%s", call, qn_cuda_name(code), code,
                    text_of(code), hint_of(code));
}

static void refuse(const char *call, cu_result code)
{
    (void)snprintf(why_not, sizeof why_not, "%s: %s (%d): %s%s", call, qn_cuda_name(code), code,
                   text_of(code), hint_of(code));
}

/* 0, or 1 with the reason. A function pointer is copied as bytes: ISO C has no cast for it. */
static int resolve(void *library)
{
#define LOAD(symbol, arguments)                                                                    \
    do {                                                                                           \
        void *address = qn_library_symbol(library, #symbol);                                       \
        if (address == NULL) {                                                                     \
            (void)snprintf(why_not, sizeof why_not,                                                \
                           "libcuda.so.1 has no %s: the driver is older than CUDA 11.2", #symbol); \
            return 1;                                                                              \
        }                                                                                          \
        memcpy(&api.symbol, &address, sizeof address);                                             \
    } while (0);
    QN_CUDA_SYMBOLS(LOAD)
#undef LOAD
    return 0;
}

static void load(void)
{
    const char *why = "";
    void *library = qn_library_open("libcuda.so.1", &why);
    if (library == NULL) {
        (void)snprintf(why_not, sizeof why_not, "%s", why);
        return;
    }
    if (resolve(library)) return;
    cu_result code = api.cuInit(0);
    if (code != CU_OK) {
        refuse("cuInit", code);
        return;
    }
    code = api.cuDriverGetVersion(&api.version);
    if (code != CU_OK) {
        refuse("cuDriverGetVersion", code);
        return;
    }
    if (api.version < QN_CUDA_OLDEST_DRIVER) {
        (void)snprintf(why_not, sizeof why_not,
                       "the driver serves CUDA %d.%d; quern needs 11.2 or newer",
                       api.version / 1000, api.version % 1000 / 10);
        return;
    }
    code = api.cuDeviceGetCount(&api.devices);
    if (code != CU_OK) {
        refuse("cuDeviceGetCount", code);
        return;
    }
    if (api.devices <= 0) {
        (void)snprintf(why_not, sizeof why_not,
                       "the driver is there but shows no device; see CUDA_VISIBLE_DEVICES");
        return;
    }
    usable = 1;
}

const struct qn_cuda_api *qn_cuda(const char **reason)
{
    (void)pthread_once(&once, load);
    if (reason != NULL) *reason = usable ? "" : why_not;
    return usable ? &api : NULL;
}
