/* SPDX-License-Identifier: Apache-2.0
 * A libOpenCL.so.1 for tests of discovery and of failures: two platforms full of devices with one
 * flaw each, host memory behind buffers, and faults by name. It runs no kernels.
 *
 * FAKE_OPENCL holds one `name=code`: the function of that name returns the code; or
 *   touch=code     the events of a block's first touch carry the code
 *   fill=code      the event of a fill longer than one byte carries the code
 *   finish2=code   clFinish fails from its second call on
 *   long=text      the platform's version is long and ends with the text
 * When the last context is released it prints how many objects were not. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the devices ---- */

#define FULL (CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_FMA)
#define EXACT CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT
enum pci { NO_PCI, KHR, NV, AMD };

struct _cl_device_id {
    const char *name, *version;
    cl_device_type type;
    cl_device_fp_config single, twice;
    cl_uint align_bits;
    enum pci pci;
    cl_bool available, compiler, little, unified;
    const char *profile;
    cl_ulong memory;
};

#define GPU CL_DEVICE_TYPE_GPU
#define GOOD CL_TRUE, CL_TRUE, CL_TRUE, CL_FALSE, "FULL_PROFILE", 1u << 30
static struct _cl_device_id all[] = {
    {"Plain CPU", "OpenCL 1.2 x", CL_DEVICE_TYPE_CPU, FULL | EXACT, FULL, 1024, NO_PCI, GOOD},
    {"Card", "OpenCL 2.0", CL_DEVICE_TYPE_ACCELERATOR, FULL, FULL, 1024, NO_PCI, GOOD},
    {"  Fast   GPU ", "OpenCL 3.0 CUDA", GPU, FULL | EXACT, FULL, 4096, NV, GOOD},
    {"Old GPU", "OpenCL 1.1", GPU, FULL, FULL, 1024, NO_PCI, GOOD},
    {"Flushing GPU", "OpenCL 1.2", GPU, FULL & ~CL_FP_DENORM, FULL, 1024, NO_PCI, GOOD},
    {"Unfused GPU", "OpenCL 1.2", GPU, FULL & ~CL_FP_FMA, FULL, 1024, NO_PCI, GOOD},
    {"Truncating GPU", "OpenCL 1.2", GPU, FULL & ~CL_FP_ROUND_TO_NEAREST, FULL, 1024, NO_PCI, GOOD},
    {"Small GPU", "OpenCL 1.2", GPU, FULL, FULL & ~CL_FP_FMA, 32768, KHR, CL_TRUE, CL_TRUE, CL_TRUE,
     CL_TRUE, "FULL_PROFILE", 1u << 30},
    {"Phone GPU", "OpenCL 1.2", GPU, FULL, 0, 1024, NO_PCI, CL_TRUE, CL_TRUE, CL_TRUE, CL_TRUE,
     "EMBEDDED_PROFILE", 1u << 30},
    {"Mute GPU", "OpenCL 1.2", GPU, FULL, 0, 1024, NO_PCI, CL_TRUE, CL_TRUE, CL_TRUE, CL_TRUE,
     "FULL_PROFILE", 0},
    {"Busy GPU", "OpenCL 1.2", GPU, FULL, 0, 1024, NO_PCI, CL_FALSE, CL_TRUE, CL_TRUE, CL_TRUE,
     "FULL_PROFILE", 1u << 30},
    {"Blind GPU", "OpenCL 1.2", GPU, FULL, 0, 1024, NO_PCI, CL_TRUE, CL_FALSE, CL_TRUE, CL_TRUE,
     "FULL_PROFILE", 1u << 30},
    {"Big GPU", "OpenCL 1.2", GPU, FULL, 0, 1024, NO_PCI, CL_TRUE, CL_TRUE, CL_FALSE, CL_TRUE,
     "FULL_PROFILE", 1u << 30},
    {"Other GPU", "OpenCL 2.0 AMD-APP", GPU, FULL | EXACT, FULL, 2048, AMD, GOOD},
};
enum { N_DEVICES = sizeof all / sizeof all[0] };

struct _cl_platform_id {
    const char *name;
};
static struct _cl_platform_id platforms[] = {{"Fake"}, {"Broken"}};

/* ---- faults ---- */

static cl_int fault(const char *name)
{
    const char *text = getenv("FAKE_OPENCL");
    size_t length = strlen(name);
    if (text == NULL || strncmp(text, name, length) != 0 || text[length] != '=') return CL_SUCCESS;
    return (cl_int)strtol(text + length + 1, NULL, 10);
}

static cl_int answer(const void *from, size_t bytes, size_t room, void *out, size_t *size)
{
    if (size != NULL) *size = bytes;
    if (out == NULL) return CL_SUCCESS;
    if (room < bytes) return CL_INVALID_VALUE;
    memcpy(out, from, bytes);
    return CL_SUCCESS;
}

static cl_int answer_text(const char *text, size_t room, void *out, size_t *size)
{
    return answer(text, strlen(text) + 1, room, out, size);
}

/* ---- discovery ---- */

cl_int clGetPlatformIDs(cl_uint room, cl_platform_id *out, cl_uint *count)
{
    if (count != NULL) *count = 2;
    for (cl_uint i = 0; out != NULL && i < room && i < 2; i++) out[i] = &platforms[i];
    return fault("clGetPlatformIDs");
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t room, void *out,
                         size_t *size)
{
    char version[512] = "OpenCL 3.0 Fake";
    const char *text = getenv("FAKE_OPENCL");
    if (text != NULL && strncmp(text, "long=", 5) == 0) {
        memset(version, 'x', 300);
        (void)snprintf(version + 300, sizeof version - 300, "%s", text + 5);
    }
    return answer_text(what == CL_PLATFORM_NAME ? platform->name : version, room, out, size);
}

cl_int clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *out,
                      cl_uint *count)
{
    cl_uint n = 0;
    if (platform != &platforms[0]) return CL_OUT_OF_HOST_MEMORY;
    for (size_t i = 0; i < N_DEVICES; i++) {
        if ((all[i].type & type) == 0) continue;
        if (n < room) out[n] = &all[i];
        n++;
    }
    if (count != NULL) *count = n;
    return n != 0 ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
}

static cl_int pci_answer(cl_device_id d, cl_device_info what, size_t room, void *out, size_t *size)
{
    static const cl_uint khr[4] = {1, 10, 31, 2};
    static const cl_uint nv[3] = {0x65, 0, 0}; /* bus, slot, domain */
    static const unsigned char amd[24] = {1, [21] = 3, [22] = 0, [23] = 1};
    if (d->pci == KHR && what == 0x410F) return answer(khr, sizeof khr, room, out, size);
    if (d->pci == NV && what >= 0x4008 && what <= 0x400A)
        return answer(&nv[what - 0x4008], sizeof nv[0], room, out, size);
    if (d->pci == AMD && what == 0x4037) return answer(amd, sizeof amd, room, out, size);
    return CL_INVALID_VALUE;
}

static cl_int limit_answer(cl_device_id d, cl_device_info what, size_t room, void *out,
                           size_t *size)
{
    static const cl_ulong local = 49152;
    static const cl_uint units = 8;
    static const size_t group = 1024, items[3] = {512, 512, 64};
    const cl_ulong largest = d->memory / 4;
    if (d->memory == 0) return CL_INVALID_VALUE;
    switch (what) {
    case CL_DEVICE_GLOBAL_MEM_SIZE: return answer(&d->memory, sizeof d->memory, room, out, size);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: return answer(&largest, sizeof largest, room, out, size);
    case CL_DEVICE_LOCAL_MEM_SIZE: return answer(&local, sizeof local, room, out, size);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return answer(&units, sizeof units, room, out, size);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: return answer(&group, sizeof group, room, out, size);
    case CL_DEVICE_MAX_WORK_ITEM_SIZES: return answer(items, sizeof items, room, out, size);
    default: return pci_answer(d, what, room, out, size);
    }
}

cl_int clGetDeviceInfo(cl_device_id d, cl_device_info what, size_t room, void *out, size_t *size)
{
    static const char *const extensions[] = {"cl_khr_fp64", "cl_khr_fp64 cl_khr_pci_bus_info",
                                             "cl_nv_device_attribute_query cl_khr_fp64",
                                             "cl_amd_device_attribute_query"};
    switch (what) {
    case CL_DEVICE_NAME: return answer_text(d->name, room, out, size);
    case CL_DEVICE_VERSION: return answer_text(d->version, room, out, size);
    case CL_DRIVER_VERSION: return answer_text("1.0 fake", room, out, size);
    case CL_DEVICE_PROFILE: return answer_text(d->profile, room, out, size);
    case CL_DEVICE_EXTENSIONS: return answer_text(extensions[d->pci], room, out, size);
    case CL_DEVICE_TYPE: return answer(&d->type, sizeof d->type, room, out, size);
    case CL_DEVICE_AVAILABLE: return answer(&d->available, sizeof d->available, room, out, size);
    case CL_DEVICE_COMPILER_AVAILABLE:
        return answer(&d->compiler, sizeof d->compiler, room, out, size);
    case CL_DEVICE_ENDIAN_LITTLE: return answer(&d->little, sizeof d->little, room, out, size);
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        return answer(&d->unified, sizeof d->unified, room, out, size);
    case CL_DEVICE_SINGLE_FP_CONFIG: return answer(&d->single, sizeof d->single, room, out, size);
    case CL_DEVICE_DOUBLE_FP_CONFIG: return answer(&d->twice, sizeof d->twice, room, out, size);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
        return answer(&d->align_bits, sizeof d->align_bits, room, out, size);
    default: return limit_answer(d, what, room, out, size);
    }
}

/* ---- objects ---- */

static long alive;

struct _cl_context {
    int unused;
};
struct _cl_command_queue {
    int unused;
};
struct _cl_mem {
    unsigned char *memory;
};
struct _cl_event {
    cl_int state;
};

static void *make(size_t size, const char *function, cl_int *code)
{
    *code = fault(function);
    if (*code != CL_SUCCESS) return NULL;
    alive++;
    void *object = calloc(1, size);
    if (object == NULL) abort();
    return object;
}

static cl_int drop(void *object)
{
    alive--;
    free(object);
    return CL_SUCCESS;
}

cl_context clCreateContext(const cl_context_properties *properties, cl_uint n,
                           const cl_device_id *ids,
                           void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                           void *user, cl_int *code)
{
    (void)properties, (void)n, (void)ids, (void)notify, (void)user;
    return make(sizeof(struct _cl_context), "clCreateContext", code);
}

cl_int clReleaseContext(cl_context context)
{
    (void)drop(context);
    (void)printf("leaks %ld\n", alive);
    return CL_SUCCESS;
}

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id id,
                                      cl_command_queue_properties properties, cl_int *code)
{
    (void)context, (void)id, (void)properties;
    return make(sizeof(struct _cl_command_queue), "clCreateCommandQueue", code);
}

cl_int clReleaseCommandQueue(cl_command_queue queue)
{
    return drop(queue);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code)
{
    (void)context, (void)flags, (void)host;
    cl_mem mem = make(sizeof *mem, "clCreateBuffer", code);
    if (mem != NULL) mem->memory = calloc(1, size);
    return mem;
}

cl_int clReleaseMemObject(cl_mem mem)
{
    free(mem->memory);
    return drop(mem);
}

static cl_int make_event(cl_event *event, cl_int state)
{
    cl_int code = CL_SUCCESS;
    if (event == NULL) return CL_SUCCESS;
    *event = make(sizeof **event, "event", &code);
    (*event)->state = state;
    return code;
}

cl_int clReleaseEvent(cl_event event)
{
    return drop(event);
}

cl_int clGetEventInfo(cl_event event, cl_event_info what, size_t room, void *out, size_t *size)
{
    (void)what;
    return answer(&event->state, sizeof event->state, room, out, size);
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem mem, const void *word, size_t word_size,
                           size_t offset, size_t size, cl_uint n, const cl_event *after,
                           cl_event *event)
{
    (void)queue, (void)n, (void)after;
    cl_int code = fault("clEnqueueFillBuffer");
    if (code != CL_SUCCESS) return code;
    for (size_t i = 0; i < size; i += word_size) memcpy(mem->memory + offset + i, word, word_size);
    return make_event(event, fault(size == 1 ? "touch" : "fill"));
}

cl_int clFlush(cl_command_queue queue)
{
    (void)queue;
    return fault("clFlush");
}

cl_int clFinish(cl_command_queue queue)
{
    static int calls;
    (void)queue;
    calls++;
    cl_int code = fault("clFinish");
    return code != CL_SUCCESS ? code : calls > 1 ? fault("finish2") : CL_SUCCESS;
}
