/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's modules and launches. An image is one of two: what the stand-in NVRTC made, which
 * carries the kernels' portable text in front, or one of the library's own fat binaries, which are
 * known here byte for byte (the stand-in is linked with the same tables). Either way the text is
 * built for the OpenCL device, and arguments are set by what its kernels declare. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/images.h"
#include "host/device/device.h"
#include "tests/standin/standin.h"

enum { MAX_ARGS = 64, MAX_TEXT = 1 << 24 };

struct function {
    cl_kernel kernel;
    cl_uint n_args;
    int is_pointer[MAX_ARGS];
    size_t size[MAX_ARGS];
    char name[128];
    struct function *next;
};
/* Programs stay for the process: building one takes longer than all the rest of a test. */
struct program {
    char *text, *options;
    cl_program program;
    struct program *next;
};
static struct program *programs;
struct module {
    const struct program *program;
    struct function *functions;
};

result cuModuleLoadDataEx(struct module **out, const void *image, unsigned n, int *options,
                          void **values);
result cuModuleUnload(struct module *module);
result cuModuleGetFunction(struct function **out, struct module *module, const char *name);
result cuFuncGetAttribute(int *value, int attribute, struct function *function);
result cuLaunchKernel(struct function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                      unsigned by, unsigned bz, unsigned shared, struct stream *stream,
                      void **params, void **extra);

static char *cut(const char *text, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

/* Text and options of an image, malloc'ed. */
static result read_image(const void *image, char **text, char **options)
{
    static const unsigned char fatbin[4] = {0x50, 0xed, 0x55, 0xba};
    if (strncmp(image, STANDIN_MAGIC, sizeof STANDIN_MAGIC - 1) == 0) {
        struct standin_image head;
        memcpy(&head, image, sizeof head);
        if (head.text_bytes > MAX_TEXT || head.options_bytes > MAX_TEXT) return INVALID_IMAGE;
        const char *at = (const char *)image + sizeof head;
        *text = cut(at, (size_t)head.text_bytes);
        *options = cut(at + head.text_bytes, (size_t)head.options_bytes);
        return *text != NULL && *options != NULL ? OK : OUT_OF_MEMORY;
    }
    if (strncmp(image, (const char *)fatbin, sizeof fatbin) != 0) return INVALID_IMAGE;
    uint16_t head_bytes;
    uint64_t body_bytes;
    memcpy(&head_bytes, (const char *)image + 6, sizeof head_bytes);
    memcpy(&body_bytes, (const char *)image + 8, sizeof body_bytes);
    for (const struct qn_cuda_image *known = qn_cuda_images; known->key != NULL; known++) {
        if (known->size != head_bytes + body_bytes) continue;
        if (memcmp(image, known->bytes, known->size) != 0) continue;
        const struct qn_source *source = qn_kernel_source(known->key);
        if (source == NULL) return NO_BINARY_FOR_GPU;
        *text = cut(source->text, source->bytes);
        *options = cut("", 0);
        return *text != NULL && *options != NULL ? OK : OUT_OF_MEMORY;
    }
    return NO_BINARY_FOR_GPU;
}

/* The -D words of NVRTC's options, and what makes OpenCL compute as CUDA does. */
static void build_options(const char *options, char *out, size_t size)
{
    cl_device_fp_config single = 0;
    (void)clGetDeviceInfo(standin_cl_device(), CL_DEVICE_SINGLE_FP_CONFIG, sizeof single, &single,
                          NULL);
    int used = snprintf(out, size, "-cl-std=CL1.2 -cl-kernel-arg-info%s",
                        (single & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0
                            ? " -cl-fp32-correctly-rounded-divide-sqrt -DQN_EXACT_DIV=1"
                            : "");
    for (const char *at = options; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (length > 2 && strncmp(at, "-D", 2) == 0 && (size_t)used + length + 2 < size)
            used += snprintf(out + used, size - (size_t)used, " %.*s", (int)length, at);
        at += length;
        while (*at == ' ') at++;
    }
}

static result build(const char *text, const char *options, char *log, size_t log_size,
                    const struct program **out)
{
    for (struct program *known = programs; known != NULL; known = known->next)
        if (strcmp(known->text, text) == 0 && strcmp(known->options, options) == 0) {
            *out = known;
            return OK;
        }
    cl_int code;
    cl_device_id device = standin_cl_device();
    char words[2048];
    build_options(options, words, sizeof words);
    cl_program program = clCreateProgramWithSource(standin_cl(), 1, &text, NULL, &code);
    if (code != CL_SUCCESS) return standin_broken("clCreateProgramWithSource", code);
    code = clBuildProgram(program, 1, &device, words, NULL, NULL);
    if (code != CL_SUCCESS) {
        char *full = calloc(1, 1 << 16);
        if (full != NULL)
            (void)clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, (1 << 16) - 1, full,
                                        NULL);
        if (log != NULL) (void)snprintf(log, log_size, "%s", full != NULL ? full : "");
        free(full);
        (void)clReleaseProgram(program);
        return INVALID_SOURCE;
    }
    struct program *kept = calloc(1, sizeof *kept);
    if (kept == NULL) return OUT_OF_MEMORY;
    *kept =
        (struct program){cut(text, strlen(text)), cut(options, strlen(options)), program, programs};
    if (kept->text == NULL || kept->options == NULL) return OUT_OF_MEMORY;
    programs = kept;
    *out = kept;
    return OK;
}

result cuModuleLoadDataEx(struct module **out, const void *image, unsigned n, int *options,
                          void **values)
{
    ENTER_CONTEXT();
    char *log = NULL, *text = NULL, *words = NULL;
    size_t log_size = 0;
    for (unsigned i = 0; i < n; i++) {
        if (options[i] == 5) log = values[i];
        if (options[i] == 6) log_size = (size_t)(uintptr_t)values[i];
    }
    struct module *made = calloc(1, sizeof *made);
    if (made == NULL) return OUT_OF_MEMORY;
    result status = read_image(image, &text, &words);
    standin_lock();
    if (status == OK) status = build(text, words, log, log_size, &made->program);
    standin_unlock();
    free(text);
    free(words);
    if (status != OK) {
        free(made);
        return status;
    }
    (void)standin_keep(MODULE, made);
    *out = made;
    return OK;
}

result cuModuleUnload(struct module *module)
{
    ENTER_CONTEXT();
    if (!standin_forget(MODULE, module)) return INVALID_HANDLE;
    for (struct function *at = module->functions, *next; at != NULL; at = next) {
        next = at->next;
        (void)clReleaseKernel(at->kernel);
        free(at);
    }
    free(module);
    return OK;
}

static size_t known_bytes(const char *type)
{
    static const struct {
        const char *name;
        size_t bytes;
    } known[] = {{"uint", 4}, {"int", 4}, {"float", 4}, {"ulong", 8}, {"long", 8}, {"double", 8}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(type, known[i].name) == 0) return known[i].bytes;
    return 0;
}

/* Bytes of a scalar argument by its type's name; a name of the text's own is looked up among its
 * typedefs. 0: not one that a launch can carry. (PoCL takes any size for an argument whose type is a
 * typedef, so it cannot be asked.) */
static size_t scalar_bytes(const char *text, const char *type)
{
    size_t bytes = known_bytes(type);
    for (const char *at = text; bytes == 0 && (at = strstr(at, "typedef ")) != NULL;) {
        char base[64] = "", name[64] = "";
        at += sizeof "typedef " - 1;
        if (strncmp(at, "unsigned ", 9) == 0) at += 9;
        if (sscanf(at, "%63s %63[A-Za-z0-9_];", base, name) == 2 && strcmp(name, type) == 0)
            bytes = known_bytes(base);
    }
    return bytes;
}

static result learn_arguments(struct function *function, const char *text)
{
    if (clGetKernelInfo(function->kernel, CL_KERNEL_NUM_ARGS, sizeof function->n_args,
                        &function->n_args, NULL) != CL_SUCCESS ||
        function->n_args > MAX_ARGS)
        return INVALID_IMAGE;
    for (cl_uint i = 0; i < function->n_args; i++) {
        cl_kernel_arg_address_qualifier where;
        char type[128] = "";
        cl_int code = clGetKernelArgInfo(function->kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER,
                                         sizeof where, &where, NULL);
        if (code == CL_SUCCESS)
            code = clGetKernelArgInfo(function->kernel, i, CL_KERNEL_ARG_TYPE_NAME, sizeof type - 1,
                                      type, NULL);
        if (code != CL_SUCCESS) return standin_broken("clGetKernelArgInfo", code);
        function->is_pointer[i] = where != CL_KERNEL_ARG_ADDRESS_PRIVATE;
        function->size[i] = function->is_pointer[i] ? 8 : scalar_bytes(text, type);
        if (function->size[i] == 0) {
            (void)fprintf(stderr, "stand-in: %s: argument %u has type %s\n", function->name, i,
                          type);
            return INVALID_IMAGE;
        }
    }
    return OK;
}

result cuModuleGetFunction(struct function **out, struct module *module, const char *name)
{
    ENTER_CONTEXT();
    if (!standin_alive(MODULE, module)) return INVALID_HANDLE;
    for (struct function *at = module->functions; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0) {
            *out = at;
            return OK;
        }
    struct function *made = calloc(1, sizeof *made);
    if (made == NULL) return OUT_OF_MEMORY;
    cl_int code;
    (void)snprintf(made->name, sizeof made->name, "%s", name);
    made->kernel = clCreateKernel(module->program->program, name, &code);
    if (code != CL_SUCCESS) {
        free(made);
        return code == CL_INVALID_KERNEL_NAME ? NOT_FOUND : standin_broken("clCreateKernel", code);
    }
    result status = learn_arguments(made, module->program->text);
    if (status != OK) {
        (void)clReleaseKernel(made->kernel);
        free(made);
        return status;
    }
    made->next = module->functions;
    module->functions = made;
    *out = made;
    return OK;
}

result cuFuncGetAttribute(int *value, int attribute, struct function *function)
{
    ENTER_CONTEXT();
    if (function == NULL) return INVALID_HANDLE;
    if (attribute != 0) return INVALID_VALUE;
    size_t most = 1024;
    (void)clGetKernelWorkGroupInfo(function->kernel, standin_cl_device(), CL_KERNEL_WORK_GROUP_SIZE,
                                   sizeof most, &most, NULL);
    *value = most < 1024 ? (int)most : 1024;
    return OK;
}

static cl_int set_argument(struct function *function, cl_uint i, const void *value)
{
    if (!function->is_pointer[i])
        return clSetKernelArg(function->kernel, i, function->size[i], value);
    void *address;
    memcpy(&address, value, sizeof address);
    if (address == NULL) return clSetKernelArg(function->kernel, i, sizeof(cl_mem), NULL);
    return clSetKernelArgSVMPointer(function->kernel, i, address);
}

result cuLaunchKernel(struct function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                      unsigned by, unsigned bz, unsigned shared, struct stream *stream,
                      void **params, void **extra)
{
    ENTER_CONTEXT();
    if (function == NULL || !standin_alive(STREAM, stream)) return INVALID_HANDLE;
    if (gx == 0 || gy == 0 || gz == 0 || bx == 0 || by == 0 || bz == 0 || gy > 65535 ||
        gz > 65535 || gx > 0x7fffffffu || (uint64_t)bx * by * bz > 1024)
        return INVALID_VALUE;
    if (extra != NULL || shared != 0) return NOT_SUPPORTED;
    size_t global[3] = {(size_t)gx * bx, (size_t)gy * by, (size_t)gz * bz};
    size_t local[3] = {bx, by, bz};
    cl_int code = CL_SUCCESS;
    standin_lock(); /* a kernel's arguments are shared state in OpenCL */
    for (cl_uint i = 0; i < function->n_args && code == CL_SUCCESS; i++)
        code = set_argument(function, i, params[i]);
    if (code == CL_SUCCESS)
        code = clEnqueueNDRangeKernel(stream->queue, function->kernel, 3, NULL, global, local, 0,
                                      NULL, NULL);
    if (code == CL_SUCCESS) code = clFlush(stream->queue);
    standin_unlock();
    return code == CL_SUCCESS ? OK : standin_broken(function->name, code);
}
