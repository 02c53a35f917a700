/* SPDX-License-Identifier: Apache-2.0
 * Which OpenCL devices this machine has and what each can do, asked once and kept. No context is
 * made here: asking must not start a GPU.
 *
 * A device is taken when it can give the library's results: OpenCL 1.2 with a compiler, full
 * profile, little-endian, float32 with denormals, fused multiply-add and rounding to nearest.
 * Another one is left out with a sentence; it never hides its neighbours. The lists have fixed
 * lengths so that asking cannot fail for want of memory. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"
#include "host/core/os.h"

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 64, EXTENSIONS_TEXT = 65536 };

/* Vendors' numbers, from their published extensions. */
#define PCI_BUS_INFO_KHR 0x410F
#define PCI_BUS_ID_NV 0x4008
#define PCI_SLOT_ID_NV 0x4009
#define PCI_DOMAIN_ID_NV 0x400A
#define TOPOLOGY_AMD 0x4037

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int asked;
static uint32_t n_devices;
static struct qn_cl_device devices[MAX_DEVICES];
static char notes[2048]; /* why there is nothing, or what was left out */

static void note(const char *subject, const char *sentence)
{
    size_t used = strlen(notes);
    (void)snprintf(notes + used, sizeof notes - used, "%s%s%s%s", used != 0 ? "; " : "", subject,
                   subject[0] != '\0' ? ": " : "", sentence);
}

/* ---- single questions ---- */

static cl_int ask(cl_device_id id, cl_device_info what, void *out, size_t size)
{
    return qn_cl.clGetDeviceInfo(id, what, size, out, NULL);
}

/* Text with runs of blanks made one and the ends trimmed; "" when the device does not say. */
static void tidy(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        int blank = *from == ' ' || *from == '\t' || *from == '\n' || *from == '\r';
        if (!blank)
            *to++ = *from;
        else if (to != text && to[-1] != ' ')
            *to++ = ' ';
    }
    if (to != text && to[-1] == ' ') to--;
    *to = '\0';
}

static void ask_text(cl_device_id id, cl_device_info what, char *out, size_t size)
{
    size_t needed = 0;
    out[0] = '\0';
    if (qn_cl.clGetDeviceInfo(id, what, 0, NULL, &needed) != CL_SUCCESS || needed > size) return;
    if (qn_cl.clGetDeviceInfo(id, what, size, out, NULL) != CL_SUCCESS) needed = 0;
    out[needed < size ? needed : size - 1] = '\0';
    tidy(out);
}

static void platform_text(cl_platform_id id, cl_platform_info what, char *out, size_t size)
{
    size_t needed = 0;
    out[0] = '\0';
    if (qn_cl.clGetPlatformInfo(id, what, 0, NULL, &needed) != CL_SUCCESS || needed > size) return;
    if (qn_cl.clGetPlatformInfo(id, what, size, out, NULL) != CL_SUCCESS) needed = 0;
    out[needed < size ? needed : size - 1] = '\0';
    tidy(out);
}

static int has_extension(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(list, name); at != NULL; at = strstr(at + 1, name)) {
        int starts = at == list || at[-1] == ' ';
        if (starts && (at[length] == ' ' || at[length] == '\0')) return 1;
    }
    return 0;
}

/* ---- identity ---- */

/* The PCI address, by whichever extension tells it, in the form "0000:65:00.0". */
static int pci_address(cl_device_id id, const char *extensions, char *out, size_t size)
{
    cl_uint khr[4] = {0}; /* domain, bus, device, function */
    if (has_extension(extensions, "cl_khr_pci_bus_info") &&
        ask(id, PCI_BUS_INFO_KHR, khr, sizeof khr) == CL_SUCCESS) {
        (void)snprintf(out, size, "%04x:%02x:%02x.%x", khr[0], khr[1], khr[2], khr[3]);
        return 1;
    }
    cl_uint domain = 0, bus = 0, slot = 0;
    if (has_extension(extensions, "cl_nv_device_attribute_query") &&
        ask(id, PCI_BUS_ID_NV, &bus, sizeof bus) == CL_SUCCESS &&
        ask(id, PCI_SLOT_ID_NV, &slot, sizeof slot) == CL_SUCCESS) {
        if (ask(id, PCI_DOMAIN_ID_NV, &domain, sizeof domain) != CL_SUCCESS) domain = 0;
        /* The slot holds device and function, as the PCI bus does: five bits and three. */
        (void)snprintf(out, size, "%04x:%02x:%02x.%x", domain, bus, slot >> 3, slot & 7u);
        return 1;
    }
    unsigned char amd[24] = {
        0}; /* a cl_uint type (1: PCIe), 17 unused bytes, bus, device, function */
    cl_uint type = 0;
    if (has_extension(extensions, "cl_amd_device_attribute_query") &&
        ask(id, TOPOLOGY_AMD, amd, sizeof amd) == CL_SUCCESS) {
        memcpy(&type, amd, sizeof type);
        (void)snprintf(out, size, "0000:%02x:%02x.%x", amd[21], amd[22], amd[23]);
        return type == 1;
    }
    return 0;
}

/* Driver, device and platform versions: part of the kernel cache's key, so what does not fit is
 * folded into a hash instead of being lost. */
static void driver_text(const struct qn_cl_device *device, const char *device_version, char *out,
                        size_t size)
{
    char driver[256], name[256], version[512], whole[1280];
    ask_text(device->id, CL_DRIVER_VERSION, driver, sizeof driver);
    platform_text(device->platform, CL_PLATFORM_NAME, name, sizeof name);
    platform_text(device->platform, CL_PLATFORM_VERSION, version, sizeof version);
    int length =
        snprintf(whole, sizeof whole, "%s; %s; %s %s", driver, device_version, name, version);
    if (length >= 0 && (size_t)length < size) {
        memcpy(out, whole, (size_t)length + 1);
        return;
    }
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *c = whole; *c != '\0'; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    size_t kept = size - sizeof " #0123456789abcdef";
    (void)snprintf(out, size, "%.*s #%016llx", (int)kept, whole, (unsigned long long)hash);
}

/* ---- abilities ---- */

static uint32_t clip32(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static const cl_device_fp_config ieee =
    CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_FMA;

/* NULL, or why float32 results could differ from the CPU's. */
static const char *missing_float(cl_device_fp_config config)
{
    if ((config & CL_FP_DENORM) == 0) return "its float32 has no denormals";
    if ((config & CL_FP_FMA) == 0) return "its float32 has no fused multiply-add";
    if ((config & CL_FP_ROUND_TO_NEAREST) == 0) return "its float32 does not round to nearest";
    if ((config & CL_FP_INF_NAN) == 0) return "its float32 has no infinities and NaNs";
    return NULL;
}

/* NULL, or why the device is left out. */
static const char *refuse(cl_device_id id, const char *version, uint32_t *level)
{
    cl_bool yes = CL_FALSE;
    unsigned major = 0, minor = 0;
    char profile[64];
    if (sscanf(version, "OpenCL %u.%u", &major, &minor) != 2 || major > 99 || minor > 9)
        return "it does not tell its OpenCL version";
    *level = 10 * major + minor;
    if (*level < 12) return "it is older than OpenCL 1.2";
    if (ask(id, CL_DEVICE_AVAILABLE, &yes, sizeof yes) != CL_SUCCESS || !yes)
        return "it says that it is not available";
    if (ask(id, CL_DEVICE_COMPILER_AVAILABLE, &yes, sizeof yes) != CL_SUCCESS || !yes)
        return "it has no compiler";
    if (ask(id, CL_DEVICE_ENDIAN_LITTLE, &yes, sizeof yes) != CL_SUCCESS || !yes)
        return "it is big-endian";
    ask_text(id, CL_DEVICE_PROFILE, profile, sizeof profile);
    if (strcmp(profile, "FULL_PROFILE") != 0) return "it has the embedded profile";
    cl_device_fp_config single = 0;
    if (ask(id, CL_DEVICE_SINGLE_FP_CONFIG, &single, sizeof single) != CL_SUCCESS)
        return "it does not tell its float32 abilities";
    /* Simulators report less than they do; who knows that may say so. */
    const char *any = qn_env("QUERN_OPENCL_ANY");
    return any != NULL && strcmp(any, "1") == 0 ? NULL : missing_float(single);
}

static uint32_t features_of(const struct qn_cl_device *device)
{
    /* Not LAZY_ALLOC: raw_alloc does the first touch itself. */
    uint32_t features = QN_FEATURE_KERNELS | QN_FEATURE_ASYNC;
    cl_device_fp_config config = 0;
    if (ask(device->id, CL_DEVICE_DOUBLE_FP_CONFIG, &config, sizeof config) == CL_SUCCESS &&
        (config & ieee) == ieee)
        features |= QN_FEATURE_F64;
    if (ask(device->id, CL_DEVICE_SINGLE_FP_CONFIG, &config, sizeof config) == CL_SUCCESS &&
        (config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0)
        features |= QN_FEATURE_EXACT_DIV;
    if (device->is_cpu) {
        features |= QN_FEATURE_CPU_SHAPE | QN_FEATURE_WRAP;
    } else {
        cl_bool unified = CL_FALSE;
        features |= QN_FEATURE_PINNED;
        if (ask(device->id, CL_DEVICE_HOST_UNIFIED_MEMORY, &unified, sizeof unified) ==
                CL_SUCCESS &&
            unified)
            features |= QN_FEATURE_WRAP;
    }
    return features;
}

/* NULL, or which question the device would not answer. */
static const char *limits_of(const struct qn_cl_device *device, struct qn_caps *caps)
{
    cl_device_id id = device->id;
    cl_ulong total = 0, largest = 0, local = 0;
    cl_uint align_bits = 0, units = 0;
    size_t group = 0, items[8] = {0};
    if (ask(id, CL_DEVICE_GLOBAL_MEM_SIZE, &total, sizeof total) != CL_SUCCESS || total == 0 ||
        ask(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &largest, sizeof largest) != CL_SUCCESS ||
        largest == 0)
        return "it does not tell its memory's size";
    if (ask(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align_bits, sizeof align_bits) != CL_SUCCESS)
        return "it does not tell its memory's alignment";
    if (ask(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group, sizeof group) != CL_SUCCESS || group == 0 ||
        ask(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, items, sizeof items) != CL_SUCCESS ||
        ask(id, CL_DEVICE_LOCAL_MEM_SIZE, &local, sizeof local) != CL_SUCCESS ||
        ask(id, CL_DEVICE_MAX_COMPUTE_UNITS, &units, sizeof units) != CL_SUCCESS)
        return "it does not tell its work-group limits";
    uint32_t align = 16; /* what a malloc would give, for devices that ask for less */
    while (align < align_bits / 8 && align < (1u << 30)) align *= 2;
    caps->base_align = align;
    caps->memory_total = total;
    caps->memory_free = UINT64_MAX;
    caps->max_alloc = largest;
    caps->shared_bytes = clip32(local);
    caps->max_group = clip32(items[0] != 0 && items[0] < group ? items[0] : group);
    caps->compute_units = units;
    return NULL;
}

static const char *describe(struct qn_cl_device *device, const char *name)
{
    static char extensions[EXTENSIONS_TEXT]; /* used under the lock only */
    struct qn_caps *caps = &device->caps;
    char version[256];
    memset(caps, 0, sizeof *caps);
    ask_text(device->id, CL_DEVICE_VERSION, version, sizeof version);
    const char *why = refuse(device->id, version, &caps->compute);
    if (why == NULL) why = limits_of(device, caps);
    if (why != NULL) return why;
    caps->features = features_of(device);
    (void)snprintf(caps->name, sizeof caps->name, "%s", name);
    ask_text(device->id, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    if (!pci_address(device->id, extensions, caps->uid, sizeof caps->uid)) {
        char platform[256];
        platform_text(device->platform, CL_PLATFORM_NAME, platform, sizeof platform);
        (void)snprintf(caps->uid, sizeof caps->uid, "%s/%s", name, platform);
    }
    driver_text(device, version, caps->driver, sizeof caps->driver);
    return NULL;
}

/* ---- the walk ---- */

static void take_device(cl_platform_id platform, cl_device_id id, cl_device_type type)
{
    char name[128];
    ask_text(id, CL_DEVICE_NAME, name, sizeof name);
    if (name[0] == '\0') (void)snprintf(name, sizeof name, "a device without a name");
    if (n_devices == MAX_DEVICES) {
        note(name, "left out, 64 devices are already listed");
        return;
    }
    struct qn_cl_device *device = &devices[n_devices];
    device->platform = platform;
    device->id = id;
    device->is_cpu = (type & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU)) == CL_DEVICE_TYPE_CPU;
    const char *why = describe(device, name);
    if (why == NULL) {
        n_devices++;
    } else {
        char sentence[160];
        (void)snprintf(sentence, sizeof sentence, "left out, %s", why);
        note(name, sentence);
    }
}

/* The devices of one kind of one platform. A device of two kinds is listed under its first. */
static void walk_platform(cl_platform_id platform, cl_device_type type, cl_device_type earlier)
{
    cl_device_id ids[MAX_DEVICES];
    cl_uint count = 0;
    cl_int code = qn_cl.clGetDeviceIDs(platform, type, MAX_DEVICES, ids, &count);
    if (code == CL_DEVICE_NOT_FOUND) return;
    if (code != CL_SUCCESS) {
        char name[128], sentence[160];
        platform_text(platform, CL_PLATFORM_NAME, name, sizeof name);
        (void)snprintf(sentence, sizeof sentence, "clGetDeviceIDs failed with %s (%d)",
                       qn_cl_error_name(code), (int)code);
        note(name, sentence);
        return;
    }
    for (cl_uint i = 0; i < count && i < MAX_DEVICES; i++) {
        cl_device_type own = 0;
        if (ask(ids[i], CL_DEVICE_TYPE, &own, sizeof own) != CL_SUCCESS) own = type;
        if ((own & earlier) == 0) take_device(platform, ids[i], own);
    }
}

static void walk(void)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint count = 0;
    char why[512];
    if (qn_cl_load(why, sizeof why)) {
        note("", why);
        return;
    }
    cl_int code = qn_cl.clGetPlatformIDs(MAX_PLATFORMS, platforms, &count);
    if (code != CL_SUCCESS && code != CL_PLATFORM_NOT_FOUND_KHR) {
        (void)snprintf(why, sizeof why, "clGetPlatformIDs failed with %s (%d)",
                       qn_cl_error_name(code), (int)code);
        note("", why);
        return;
    }
    if (code != CL_SUCCESS || count == 0) {
        note("", "no OpenCL platform is installed (clGetPlatformIDs: CL_PLATFORM_NOT_FOUND_KHR, "
                 "-1001): the loader found no usable vendor file in /etc/OpenCL/vendors or where "
                 "OCL_ICD_VENDORS points");
        return;
    }
    if (count > MAX_PLATFORMS) count = MAX_PLATFORMS;
    static const cl_device_type order[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR,
                                           CL_DEVICE_TYPE_CPU};
    cl_device_type earlier = 0;
    for (size_t t = 0; t < sizeof order / sizeof order[0]; t++) {
        for (cl_uint p = 0; p < count; p++) walk_platform(platforms[p], order[t], earlier);
        earlier |= order[t];
    }
    if (n_devices == 0 && notes[0] == '\0') note("", "the OpenCL platforms here have no device");
}

static void discover(void)
{
    (void)pthread_mutex_lock(&lock);
    if (!asked) walk();
    asked = 1;
    (void)pthread_mutex_unlock(&lock);
}

quern_status qn_cl_count(uint32_t *count, const char **reason)
{
    discover();
    *count = n_devices;
    if (reason != NULL) *reason = notes[0] != '\0' ? notes : NULL;
    return QUERN_OK;
}

/* The loader's variables change what is found; of devices left out nothing else tells where some are
 * taken. */
void qn_cl_notes(uint32_t index, char *text, size_t size)
{
    static const char *const variables[] = {"OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"};
    size_t used = 0;
    text[0] = '\0';
    discover();
    if (index != 0) return;
    for (size_t i = 0; i < sizeof variables / sizeof *variables && used < size; i++) {
        const char *value = qn_env(variables[i]);
        if (value == NULL) continue;
        (void)snprintf(text + used, size - used, "%s%s is set: %s", used != 0 ? "\n" : "",
                       variables[i], value);
        used = strlen(text);
    }
    if (n_devices != 0 && notes[0] != '\0' && used < size)
        (void)snprintf(text + used, size - used, "%s%s", used != 0 ? "\n" : "", notes);
}

const struct qn_cl_device *qn_cl_device(uint32_t index)
{
    discover();
    if (index < n_devices) return &devices[index];
    if (n_devices == 0)
        (void)qn_error(QUERN_NO_DEVICE, "opencl: %s", notes);
    else
        (void)qn_error(QUERN_NO_DEVICE, "opencl: there is no device %u, only %u", index, n_devices);
    return NULL;
}

quern_status qn_cl_caps(uint32_t index, struct qn_caps *out)
{
    const struct qn_cl_device *device = qn_cl_device(index);
    if (device == NULL) return QUERN_NO_DEVICE;
    *out = device->caps;
    return QUERN_OK;
}
