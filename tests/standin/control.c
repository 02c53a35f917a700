/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's state: the OpenCL device behind it, faults to inject, counts, contexts. */
#include "tests/standin/standin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SYMBOLS = 64, MAX_FAULTS = 16, MAX_DEVICES = 8, MAX_STACK = 16, MAX_OBJECTS = 16384 };

struct fault {
    char symbol[48];
    unsigned nth; /* counts down; 0: spent */
    int code, sticky;
};
struct counter {
    const char *symbol;
    unsigned calls;
};
struct device {
    unsigned retained;
};

static pthread_mutex_t lock;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static struct fault faults[MAX_FAULTS];
static struct counter counters[MAX_SYMBOLS];
static struct device devices[MAX_DEVICES];
static unsigned live[CONTEXT + 1];
static struct object {
    enum standin_kind kind;
    void *address;
} objects[MAX_OBJECTS];
static size_t n_objects;
static int initialised, lost, fired;
static const char *fired_symbol;
static cl_context context;
static cl_device_id device;

static _Thread_local struct device *stack[MAX_STACK];
static _Thread_local int depth;

/* ---- the environment ---- */

static long long number(const char *name, long long otherwise)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtoll(text, NULL, 0) : otherwise;
}

static void arm(const char *symbol, unsigned nth, int code, int sticky)
{
    for (int i = 0; i < MAX_FAULTS; i++)
        if (faults[i].nth == 0) {
            faults[i] = (struct fault){.nth = nth, .code = code, .sticky = sticky};
            (void)snprintf(faults[i].symbol, sizeof faults[i].symbol, "%s", symbol);
            return;
        }
}

static void prepare(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);

    const char *plan = getenv("QN_STANDIN_FAIL");
    char text[512], *rest = NULL;
    (void)snprintf(text, sizeof text, "%s", plan != NULL ? plan : "");
    for (char *word = strtok_r(text, ", ", &rest); word != NULL;
         word = strtok_r(NULL, ", ", &rest)) {
        char symbol[48], sticky = '\0';
        unsigned nth;
        int code;
        if (sscanf(word, "%47[^:]:%u:%d%c", symbol, &nth, &code, &sticky) >= 3)
            arm(symbol, nth, code, sticky == '!');
        else
            (void)fprintf(stderr, "stand-in: QN_STANDIN_FAIL: cannot read \"%s\"\n", word);
    }
}

void standin_lock(void)
{
    pthread_once(&prepared, prepare);
    pthread_mutex_lock(&lock);
}

void standin_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

int standin_devices(void)
{
    long long wanted = number("QN_STANDIN_DEVICES", 1);
    return wanted < 0 ? 0 : wanted > MAX_DEVICES ? MAX_DEVICES : (int)wanted;
}

uint64_t standin_memory(void)
{
    return (uint64_t)number("QN_STANDIN_MEMORY", 4ll << 30);
}

int standin_compute(void)
{
    return (int)number("QN_STANDIN_COMPUTE", 90);
}

cl_context standin_cl(void)
{
    return context;
}

cl_device_id standin_cl_device(void)
{
    return device;
}

/* ---- faults and counts ---- */

void standin_fail(const char *symbol, unsigned nth, int code, int sticky)
{
    standin_lock();
    arm(symbol, nth, code, sticky);
    standin_unlock();
}

void standin_reset(void)
{
    standin_lock();
    memset(faults, 0, sizeof faults);
    for (int i = 0; i < MAX_SYMBOLS; i++) counters[i].calls = 0;
    lost = fired = 0;
    fired_symbol = NULL;
    standin_unlock();
}

int standin_fired(const char **symbol)
{
    if (symbol != NULL) *symbol = fired_symbol != NULL ? fired_symbol : "";
    return fired;
}

unsigned standin_calls(const char *symbol)
{
    unsigned calls = 0;
    int all = strcmp(symbol, "*") == 0;
    standin_lock();
    for (int i = 0; i < MAX_SYMBOLS && counters[i].symbol != NULL; i++)
        if (all || strcmp(counters[i].symbol, symbol) == 0) calls += counters[i].calls;
    standin_unlock();
    return calls;
}

static struct object *find_object(enum standin_kind kind, const void *address)
{
    for (size_t i = 0; i < n_objects; i++)
        if (objects[i].kind == kind && objects[i].address == address) return &objects[i];
    return NULL;
}

int standin_keep(enum standin_kind kind, void *object)
{
    standin_lock();
    int full = n_objects == MAX_OBJECTS;
    if (!full) {
        objects[n_objects++] = (struct object){kind, object};
        live[kind]++;
    }
    standin_unlock();
    return full;
}

int standin_forget(enum standin_kind kind, void *object)
{
    standin_lock();
    struct object *found = find_object(kind, object);
    if (found != NULL) {
        *found = objects[--n_objects];
        live[kind]--;
    }
    standin_unlock();
    return found != NULL;
}

int standin_alive(enum standin_kind kind, const void *object)
{
    standin_lock();
    int alive = find_object(kind, object) != NULL;
    standin_unlock();
    return alive;
}

void standin_live(struct standin_live *out)
{
    standin_lock();
    *out = (struct standin_live){live[BLOCK], live[PINNED], live[STREAM],
                                 live[EVENT], live[MODULE], live[CONTEXT]};
    standin_unlock();
}

static void count_call(const char *symbol)
{
    for (int i = 0; i < MAX_SYMBOLS; i++) {
        if (counters[i].symbol == NULL) counters[i].symbol = symbol;
        if (strcmp(counters[i].symbol, symbol) == 0) {
            counters[i].calls++;
            return;
        }
    }
}

result standin_enter(const char *symbol, int needs_context)
{
    result fate = OK;
    standin_lock();
    count_call(symbol);
    for (int i = 0; i < MAX_FAULTS; i++) {
        struct fault *fault = &faults[i];
        if (fault->nth == 0) continue;
        if (strcmp(fault->symbol, "*") != 0 && strcmp(fault->symbol, symbol) != 0) continue;
        if (--fault->nth == 0 && fate == OK) {
            fate = fired = fault->code;
            fired_symbol = symbol;
            if (fault->sticky) lost = fault->code;
        }
    }
    if (fate == OK && needs_context) fate = lost != 0 ? lost : depth == 0 ? INVALID_CONTEXT : OK;
    standin_unlock();
    return fate;
}

result standin_broken(const char *what, cl_int code)
{
    (void)fprintf(stderr, "stand-in: %s: OpenCL code %d\n", what, code);
    return code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES ||
                   code == CL_OUT_OF_HOST_MEMORY
               ? OUT_OF_MEMORY
               : UNKNOWN;
}

/* ---- initialisation and devices ---- */

result cuInit(unsigned flags);
result cuGetExportTable(const void **table, const void *id);
result cuDriverGetVersion(int *version);
result cuGetErrorName(result code, const char **text);
result cuGetErrorString(result code, const char **text);
result cuDeviceGetCount(int *count);
result cuDeviceGet(int *out, int ordinal);
result cuDeviceGetName(char *name, int size, int which);
result cuDeviceTotalMem_v2(size_t *bytes, int which);
result cuDeviceGetAttribute(int *value, int attribute, int which);
result cuDeviceGetPCIBusId(char *id, int size, int which);
result cuDevicePrimaryCtxGetState(int which, unsigned *flags, int *active);
result cuDevicePrimaryCtxRetain(struct device **out, int which);
result cuDevicePrimaryCtxRelease_v2(int which);
result cuCtxPushCurrent_v2(struct device *which);
result cuCtxPopCurrent_v2(struct device **which);
result cuCtxGetCurrent(struct device **which);

/* The first OpenCL CPU device with fine-grained shared memory. */
static result find_device(void)
{
    cl_platform_id platforms[8];
    cl_uint n = 0;
    cl_int code = clGetPlatformIDs(8, platforms, &n);
    if (code != CL_SUCCESS) return NO_DEVICE;
    for (cl_uint i = 0; i < n && i < 8; i++) {
        cl_device_id found;
        cl_device_svm_capabilities svm = 0;
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_CPU, 1, &found, NULL) != CL_SUCCESS ||
            clGetDeviceInfo(found, CL_DEVICE_SVM_CAPABILITIES, sizeof svm, &svm, NULL) !=
                CL_SUCCESS ||
            (svm & CL_DEVICE_SVM_FINE_GRAIN_BUFFER) == 0)
            continue;
        context = clCreateContext(NULL, 1, &found, NULL, NULL, &code);
        if (code != CL_SUCCESS) return standin_broken("clCreateContext", code);
        device = found;
        return OK;
    }
    (void)fputs("stand-in: no OpenCL CPU device with shared virtual memory (PoCL)\n", stderr);
    return NO_DEVICE;
}

result cuInit(unsigned flags)
{
    ENTER();
    if (flags != 0) return INVALID_VALUE;
    result status = OK;
    standin_lock();
    if (!initialised) status = find_device();
    if (status == OK) initialised = 1;
    standin_unlock();
    return status;
}

/* NVRTC opens libcuda.so.1 by itself and asks for this; it copes with "not found" only. */
result cuGetExportTable(const void **table, const void *id)
{
    (void)id;
    *table = NULL;
    return NOT_FOUND;
}

result cuDriverGetVersion(int *version)
{
    ENTER();
    *version = (int)number("QN_STANDIN_VERSION", 13000);
    return OK;
}

static const struct {
    result code;
    const char *name, *text;
} names[] = {
    {OK, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {INVALID_SOURCE, "CUDA_ERROR_INVALID_SOURCE", "device kernel image is invalid"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static result describe(result code, const char **name, const char **text)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code) {
            if (name != NULL) *name = names[i].name;
            if (text != NULL) *text = names[i].text;
            return OK;
        }
    return INVALID_VALUE;
}

result cuGetErrorName(result code, const char **text)
{
    return describe(code, text, NULL);
}

result cuGetErrorString(result code, const char **text)
{
    return describe(code, NULL, text);
}

result cuDeviceGetCount(int *count)
{
    ENTER();
    if (!initialised) return NOT_INITIALIZED;
    *count = standin_devices();
    return *count > 0 ? OK : NO_DEVICE;
}

static int exists(int which)
{
    return initialised && which >= 0 && which < standin_devices();
}

result cuDeviceGet(int *out, int ordinal)
{
    ENTER();
    if (!exists(ordinal)) return INVALID_DEVICE;
    *out = ordinal;
    return OK;
}

result cuDeviceGetName(char *name, int size, int which)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    (void)snprintf(name, (size_t)size, "quern stand-in (no GPU)");
    return OK;
}

result cuDeviceTotalMem_v2(size_t *bytes, int which)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    *bytes = (size_t)standin_memory();
    return OK;
}

result cuDeviceGetAttribute(int *value, int attribute, int which)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    switch (attribute) {
    case 1: *value = 1024; break;      /* threads per block */
    case 8: *value = 48 * 1024; break; /* shared memory per block */
    case 16: *value = 4; break;        /* multiprocessors */
    case 75: *value = standin_compute() / 10; break;
    case 76: *value = standin_compute() % 10; break;
    default: return INVALID_VALUE;
    }
    return OK;
}

result cuDeviceGetPCIBusId(char *id, int size, int which)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    (void)snprintf(id, (size_t)size, "57AB:%02X:00.0", which);
    return OK;
}

/* ---- contexts ---- */

result cuDevicePrimaryCtxGetState(int which, unsigned *flags, int *active)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    *flags = 0;
    *active = devices[which].retained > 0;
    return OK;
}

result cuDevicePrimaryCtxRetain(struct device **out, int which)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    standin_lock();
    devices[which].retained++;
    live[CONTEXT]++;
    standin_unlock();
    *out = &devices[which];
    return OK;
}

result cuDevicePrimaryCtxRelease_v2(int which)
{
    ENTER();
    if (!exists(which)) return INVALID_DEVICE;
    standin_lock();
    result status = devices[which].retained > 0 ? OK : INVALID_CONTEXT;
    if (status == OK) {
        devices[which].retained--;
        live[CONTEXT]--;
    }
    standin_unlock();
    return status;
}

result cuCtxPushCurrent_v2(struct device *which)
{
    ENTER();
    if (which == NULL || which->retained == 0 || depth == MAX_STACK) return INVALID_CONTEXT;
    stack[depth++] = which;
    return OK;
}

result cuCtxPopCurrent_v2(struct device **which)
{
    ENTER();
    if (depth == 0) return INVALID_CONTEXT;
    *which = stack[--depth];
    return OK;
}

result cuCtxGetCurrent(struct device **which)
{
    ENTER();
    *which = depth > 0 ? stack[depth - 1] : NULL;
    return OK;
}
