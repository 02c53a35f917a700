/* SPDX-License-Identifier: Apache-2.0
 * NVRTC is loaded by soname, like the driver. A driver loads code of its own major version and of
 * older ones, so the sonames are tried from the driver's major downwards, and only then a newer one:
 * its machine code often loads all the same, and where it does not the driver says so. */
#include "backends/cuda/nvrtc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct nvrtc_program_handle *nvrtc_program;

#define SYMBOLS(X)                                                                                 \
    X(nvrtcVersion, int, (int *major, int *minor))                                                 \
    X(nvrtcGetErrorString, const char *, (int code))                                               \
    X(nvrtcGetNumSupportedArchs, int, (int *count))                                                \
    X(nvrtcGetSupportedArchs, int, (int *archs))                                                   \
    X(nvrtcCreateProgram, int,                                                                     \
      (nvrtc_program * program, const char *text, const char *name, int headers,                   \
       const char *const *header_texts, const char *const *header_names))                          \
    X(nvrtcDestroyProgram, int, (nvrtc_program * program))                                         \
    X(nvrtcCompileProgram, int, (nvrtc_program program, int count, const char *const *options))    \
    X(nvrtcGetProgramLogSize, int, (nvrtc_program program, size_t * size))                         \
    X(nvrtcGetProgramLog, int, (nvrtc_program program, char *log))                                 \
    X(nvrtcGetCUBINSize, int, (nvrtc_program program, size_t * size))                              \
    X(nvrtcGetCUBIN, int, (nvrtc_program program, char *image))                                    \
    X(nvrtcGetPTXSize, int, (nvrtc_program program, size_t * size))                                \
    X(nvrtcGetPTX, int, (nvrtc_program program, char *text))

enum { NVRTC_OUT_OF_MEMORY = 1, NVRTC_COMPILATION = 6, MAX_ARCHS = 64, MAX_OPTIONS = 40 };

struct qn_nvrtc {
#define MEMBER(symbol, result, arguments) result(*symbol) arguments;
    SYMBOLS(MEMBER)
#undef MEMBER
    int archs[MAX_ARCHS], n_archs; /* ascending, as NVRTC gives them */
    char version[16];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct qn_nvrtc loaded;
static int decided, usable;
static char tried[1024];

static void note(const char *soname, const char *why)
{
    size_t used = strlen(tried);
    (void)snprintf(tried + used, sizeof tried - used, "%s%s: %s", used > 0 ? "; " : "", soname,
                   why);
}

/* 1 when the library is there, complete and answers. */
static int load(const char *soname)
{
    const char *why = "";
    void *library = qn_library_open(soname, &why);
    if (library == NULL) {
        /* The loader's sentence begins with the soname already. */
        size_t name = strlen(soname);
        note(soname, strncmp(why, soname, name) == 0 && why[name] == ':' ? why + name + 2 : why);
        return 0;
    }
#define LOAD(symbol, result, arguments)                                                            \
    do {                                                                                           \
        void *address = qn_library_symbol(library, #symbol);                                       \
        if (address == NULL) {                                                                     \
            note(soname, "no " #symbol " in it");                                                  \
            return 0;                                                                              \
        }                                                                                          \
        memcpy(&loaded.symbol, &address, sizeof address);                                          \
    } while (0);
    SYMBOLS(LOAD)
#undef LOAD
    int major = 0, minor = 0, count = 0;
    if (loaded.nvrtcVersion(&major, &minor) != 0 || loaded.nvrtcGetNumSupportedArchs(&count) != 0 ||
        count < 1 || count > MAX_ARCHS || loaded.nvrtcGetSupportedArchs(loaded.archs) != 0) {
        note(soname, "it does not answer");
        return 0;
    }
    loaded.n_archs = count;
    (void)snprintf(loaded.version, sizeof loaded.version, "%d.%d", major, minor);
    return 1;
}

static void decide(int driver_version)
{
    static const struct {
        const char *soname;
        int major;
    } known[] = {{"libnvrtc.so.13", 13}, {"libnvrtc.so.12", 12}, {"libnvrtc.so.11.2", 11}};
    enum { KNOWN = sizeof known / sizeof known[0] };
    int major = driver_version / 1000;
    for (int i = 0; i < KNOWN && !usable; i++)
        if (known[i].major <= major) usable = load(known[i].soname);
    for (int i = KNOWN - 1; i >= 0 && !usable; i--)
        if (known[i].major > major) usable = load(known[i].soname);
}

const struct qn_nvrtc *qn_nvrtc(int driver_version, const char **why)
{
    (void)pthread_mutex_lock(&lock);
    if (!decided) decide(driver_version);
    decided = 1;
    (void)pthread_mutex_unlock(&lock);
    if (why != NULL) *why = usable ? "" : tried;
    return usable ? &loaded : NULL;
}

const char *qn_nvrtc_version(const struct qn_nvrtc *nvrtc)
{
    return nvrtc->version;
}

int qn_nvrtc_oldest(const struct qn_nvrtc *nvrtc)
{
    return nvrtc->archs[0];
}

static quern_status fail(const struct qn_nvrtc *nvrtc, const char *call, int code, const char *name)
{
    quern_status status = code == NVRTC_OUT_OF_MEMORY ? QUERN_OUT_OF_MEMORY : QUERN_COMPILE;
    return qn_error(status, "kernel %s: %s: %s (%d)", name, call, nvrtc->nvrtcGetErrorString(code),
                    code);
}

/* The newest architecture not above the device's; *exact: the device's own. 0: none. */
static int choose(const struct qn_nvrtc *nvrtc, uint32_t compute, int *exact)
{
    int best = 0;
    for (int i = 0; i < nvrtc->n_archs; i++)
        if (nvrtc->archs[i] <= (int)compute && nvrtc->archs[i] > best) best = nvrtc->archs[i];
    *exact = best == (int)compute;
    return best;
}

/* Cuts `words` (changed) at spaces into list, after what is there. 1: too many. */
static int split(char *words, const char **list, int *count)
{
    for (char *at = words; *at != '\0';) {
        while (*at == ' ') at++;
        if (*at == '\0') break;
        if (*count == MAX_OPTIONS) return 1;
        list[(*count)++] = at;
        while (*at != '\0' && *at != ' ') at++;
        if (*at == ' ') *at++ = '\0';
    }
    return 0;
}

/* The sentence of a rejected kernel: its end is the compiler's log, cut to fit. */
static quern_status rejected(const struct qn_nvrtc *nvrtc, nvrtc_program program, int code,
                             const char *name)
{
    size_t size = 0;
    if (code != NVRTC_COMPILATION || nvrtc->nvrtcGetProgramLogSize(program, &size) != 0 || size < 2)
        return fail(nvrtc, "nvrtcCompileProgram", code, name);
    char *log = qn_zalloc(size, 1);
    if (log == NULL) return qn_error_memory("the compiler's log", size);
    quern_status status = QUERN_COMPILE;
    if (nvrtc->nvrtcGetProgramLog(program, log) != 0)
        status = fail(nvrtc, "nvrtcCompileProgram", code, name);
    else
        (void)qn_error(status, "kernel %s: NVRTC %s rejects it: %s", name, nvrtc->version, log);
    qn_free(log);
    return status;
}

static quern_status fetch(const struct qn_nvrtc *nvrtc, nvrtc_program program, int machine_code,
                          const char *name, void **image, size_t *size)
{
    size_t bytes = 0;
    int code = machine_code ? nvrtc->nvrtcGetCUBINSize(program, &bytes)
                            : nvrtc->nvrtcGetPTXSize(program, &bytes);
    if (code != 0)
        return fail(nvrtc, machine_code ? "nvrtcGetCUBINSize" : "nvrtcGetPTXSize", code, name);
    char *made = qn_zalloc(bytes, 1);
    if (made == NULL) return qn_error_memory("a kernel's image", bytes);
    code = machine_code ? nvrtc->nvrtcGetCUBIN(program, made) : nvrtc->nvrtcGetPTX(program, made);
    if (code != 0) {
        qn_free(made);
        return fail(nvrtc, machine_code ? "nvrtcGetCUBIN" : "nvrtcGetPTX", code, name);
    }
    *image = made;
    *size = bytes;
    return QUERN_OK;
}

quern_status qn_nvrtc_compile(const struct qn_nvrtc *nvrtc, const struct qn_source *source,
                              uint32_t compute, void **image, size_t *size)
{
    int exact = 0, arch = choose(nvrtc, compute, &exact);
    if (arch == 0)
        return qn_error(QUERN_UNSUPPORTED,
                        "kernel %s: NVRTC %s makes code for compute capability %d.%d and newer; "
                        "this device has %u.%u",
                        source->name, nvrtc->version, nvrtc->archs[0] / 10, nvrtc->archs[0] % 10,
                        compute / 10, compute % 10);

    quern_status status = QUERN_OK;
    nvrtc_program program = NULL;
    char target[48], file[80], *words = NULL;
    (void)snprintf(target, sizeof target, "--gpu-architecture=%s_%d", exact ? "sm" : "compute",
                   arch);
    (void)snprintf(file, sizeof file, "%s.cu", source->name);
    /* No contraction, no flushing, correctly rounded division: docs/numbers.md. */
    const char *list[MAX_OPTIONS] = {target, "--fmad=false", "--ftz=false", "--prec-div=true",
                                     "--prec-sqrt=true"};
    int count = 5;
    words = qn_strdup(source->options != NULL ? source->options : "");
    if (words == NULL) return qn_error_memory("compiler options", 1);
    if (split(words, list, &count)) {
        status = qn_error(QUERN_INVALID, "kernel %s: more than %d compiler options", source->name,
                          MAX_OPTIONS);
        goto cleanup;
    }
    int code = nvrtc->nvrtcCreateProgram(&program, source->text, file, 0, NULL, NULL);
    if (code != 0) {
        program = NULL;
        status = fail(nvrtc, "nvrtcCreateProgram", code, source->name);
        goto cleanup;
    }
    code = nvrtc->nvrtcCompileProgram(program, count, list);
    if (code != 0) {
        status = rejected(nvrtc, program, code, source->name);
        goto cleanup;
    }
    status = fetch(nvrtc, program, exact, source->name, image, size);
cleanup:
    if (program != NULL) (void)nvrtc->nvrtcDestroyProgram(&program);
    qn_free(words);
    return status;
}
