/* SPDX-License-Identifier: Apache-2.0
 * A stand-in NVRTC that stands before the real one: every call goes through to it (so kernels are
 * really compiled for CUDA, and its errors are real), and the image that comes back has the kernels'
 * portable text put in front, which is what the stand-in driver runs. On a machine without NVRTC the
 * text alone is the image. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/standin/standin.h"

struct program {
    void *real;
    char *text, options[2048];
};

/* NVRTC's own codes. */
enum { NVRTC_OK = 0, NVRTC_MEMORY = 1, NVRTC_INVALID_INPUT = 3 };

int nvrtcVersion(int *major, int *minor);
const char *nvrtcGetErrorString(int code);
int nvrtcGetNumSupportedArchs(int *count);
int nvrtcGetSupportedArchs(int *archs);
int nvrtcCreateProgram(struct program **out, const char *text, const char *name, int headers,
                       const char *const *texts, const char *const *names);
int nvrtcDestroyProgram(struct program **program);
int nvrtcCompileProgram(struct program *program, int count, const char *const *options);
int nvrtcGetProgramLogSize(struct program *program, size_t *size);
int nvrtcGetProgramLog(struct program *program, char *log);
int nvrtcGetCUBINSize(struct program *program, size_t *size);
int nvrtcGetCUBIN(struct program *program, char *image);
int nvrtcGetPTXSize(struct program *program, size_t *size);
int nvrtcGetPTX(struct program *program, char *image);

#ifdef STANDIN_REAL_NVRTC
/* The real function of this name. */
static void find(const char *name, void *function, size_t size)
{
    static void *library;
    void *address;
    if (library == NULL) library = dlopen(STANDIN_REAL_NVRTC, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || (address = dlsym(library, name)) == NULL) {
        (void)fprintf(stderr, "stand-in NVRTC: %s\n", dlerror());
        exit(99);
    }
    memcpy(function, &address, size);
}
#define REAL(result, arguments, values)                                                            \
    do {                                                                                           \
        static result(*real) arguments;                                                            \
        if (real == NULL) find(__func__, &real, sizeof real);                                      \
        return real values;                                                                        \
    } while (0)
#define HAS_REAL 1
#else
#define HAS_REAL 0
#endif

int nvrtcVersion(int *major, int *minor)
{
#if HAS_REAL
    REAL(int, (int *, int *), (major, minor));
#else
    *major = 13;
    *minor = 0;
    return NVRTC_OK;
#endif
}

const char *nvrtcGetErrorString(int code)
{
#if HAS_REAL
    REAL(const char *, (int), (code));
#else
    return code == NVRTC_OK ? "NVRTC_SUCCESS" : "NVRTC_ERROR";
#endif
}

int nvrtcGetNumSupportedArchs(int *count)
{
#if HAS_REAL
    REAL(int, (int *), (count));
#else
    *count = 2;
    return NVRTC_OK;
#endif
}

int nvrtcGetSupportedArchs(int *archs)
{
#if HAS_REAL
    REAL(int, (int *), (archs));
#else
    archs[0] = 75;
    archs[1] = 90;
    return NVRTC_OK;
#endif
}

#if HAS_REAL
static int real_create(void **out, const char *text, const char *name)
{
    static int (*real)(void **, const char *, const char *, int, const char *const *,
                       const char *const *);
    if (real == NULL) find("nvrtcCreateProgram", &real, sizeof real);
    return real(out, text, name, 0, NULL, NULL);
}

static int real_size(const char *symbol, void *program, size_t *size)
{
    int (*real)(void *, size_t *);
    find(symbol, &real, sizeof real);
    return real(program, size);
}

static int real_bytes(const char *symbol, void *program, char *bytes)
{
    int (*real)(void *, char *);
    find(symbol, &real, sizeof real);
    return real(program, bytes);
}
#else
static int real_create(void **out, const char *text, const char *name)
{
    (void)text;
    (void)name;
    *out = NULL;
    return NVRTC_OK;
}

static int real_size(const char *symbol, void *program, size_t *size)
{
    (void)symbol;
    (void)program;
    *size = 1; /* an empty text */
    return NVRTC_OK;
}

static int real_bytes(const char *symbol, void *program, char *bytes)
{
    (void)symbol;
    (void)program;
    bytes[0] = '\0';
    return NVRTC_OK;
}
#endif

int nvrtcCreateProgram(struct program **out, const char *text, const char *name, int headers,
                       const char *const *texts, const char *const *names)
{
    (void)texts;
    (void)names;
    if (headers != 0) return NVRTC_INVALID_INPUT;
    struct program *made = calloc(1, sizeof *made);
    size_t bytes = strlen(text) + 1;
    if (made != NULL) made->text = malloc(bytes);
    if (made == NULL || made->text == NULL) {
        free(made);
        return NVRTC_MEMORY;
    }
    memcpy(made->text, text, bytes);
    int code = real_create(&made->real, text, name);
    if (code != NVRTC_OK) {
        free(made->text);
        free(made);
        return code;
    }
    *out = made;
    return NVRTC_OK;
}

int nvrtcDestroyProgram(struct program **program)
{
    struct program *old = *program;
#if HAS_REAL
    static int (*real)(void **);
    if (real == NULL) find(__func__, &real, sizeof real);
    (void)real(&old->real);
#endif
    free(old->text);
    free(old);
    *program = NULL;
    return NVRTC_OK;
}

int nvrtcCompileProgram(struct program *program, int count, const char *const *options)
{
    size_t used = 0;
    program->options[0] = '\0';
    for (int i = 0; i < count; i++) {
        int more = snprintf(program->options + used, sizeof program->options - used, "%s%s",
                            i > 0 ? " " : "", options[i]);
        if (more < 0 || used + (size_t)more >= sizeof program->options) return NVRTC_INVALID_INPUT;
        used += (size_t)more;
    }
#if HAS_REAL
    REAL(int, (void *, int, const char *const *), (program->real, count, options));
#else
    return NVRTC_OK;
#endif
}

int nvrtcGetProgramLogSize(struct program *program, size_t *size)
{
    return real_size(__func__, program->real, size);
}

int nvrtcGetProgramLog(struct program *program, char *log)
{
    return real_bytes(__func__, program->real, log);
}

/* Both kinds of image: head, text, options, and what NVRTC made. */
static int wrapped_size(const char *symbol, struct program *program, size_t *size)
{
    size_t real = 0;
    int code = real_size(symbol, program->real, &real);
    if (code == NVRTC_OK)
        *size =
            sizeof(struct standin_image) + strlen(program->text) + strlen(program->options) + real;
    return code;
}

static int wrapped(const char *size_symbol, const char *symbol, struct program *program,
                   char *image)
{
    size_t real = 0;
    int code = real_size(size_symbol, program->real, &real);
    if (code != NVRTC_OK) return code;
    struct standin_image head = {.text_bytes = strlen(program->text),
                                 .options_bytes = strlen(program->options),
                                 .image_bytes = real};
    memcpy(head.magic, STANDIN_MAGIC, sizeof STANDIN_MAGIC);
    memcpy(image, &head, sizeof head);
    image += sizeof head;
    memcpy(image, program->text, head.text_bytes);
    image += head.text_bytes;
    memcpy(image, program->options, head.options_bytes);
    return real_bytes(symbol, program->real, image + head.options_bytes);
}

int nvrtcGetCUBINSize(struct program *program, size_t *size)
{
    return wrapped_size(__func__, program, size);
}

int nvrtcGetCUBIN(struct program *program, char *image)
{
    return wrapped("nvrtcGetCUBINSize", __func__, program, image);
}

int nvrtcGetPTXSize(struct program *program, size_t *size)
{
    return wrapped_size(__func__, program, size);
}

int nvrtcGetPTX(struct program *program, char *image)
{
    return wrapped("nvrtcGetPTXSize", __func__, program, image);
}
