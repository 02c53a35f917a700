/* SPDX-License-Identifier: Apache-2.0
 * Sources become programs, programs become kernels, kernels are launched. A module owns the kernels
 * that were asked of it; asking twice for one name gives one kernel. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"

/* ---- building ---- */

/* What every source is built with, then its own words. Contraction is off by the dialect's pragma
 * (OpenCL has no option for it); denormals stay because nothing asks for their removal. */
static char *options_of(const struct qn_dev *dev, const struct qn_source *source)
{
    int exact = (dev->device->caps.features & QN_FEATURE_EXACT_DIV) != 0;
    const char *own = source->options != NULL ? source->options : "";
    static const char standard[] = "-cl-std=CL1.2";
    static const char division[] = " -cl-fp32-correctly-rounded-divide-sqrt";
    size_t size;
    if (qn_add_size(strlen(own), sizeof standard + sizeof division + 1, &size)) return NULL;
    char *text = qn_alloc(size, 1);
    if (text != NULL) (void)snprintf(text, size, "%s%s %s", standard, exact ? division : "", own);
    return text;
}

/* The compiler's log without its leading blank lines, cut to what an error sentence holds. */
static quern_status build_error(struct qn_dev *dev, cl_program program, const char *name,
                                cl_int code)
{
    size_t size = 0;
    char *log = NULL;
    const char *text = "no log";
    if (qn_cl.clGetProgramBuildInfo(program, dev->device->id, CL_PROGRAM_BUILD_LOG, 0, NULL,
                                    &size) == CL_SUCCESS &&
        size > 1 && size < SIZE_MAX && (log = qn_alloc(size + 1, 1)) != NULL) {
        log[0] = '\0';
        (void)qn_cl.clGetProgramBuildInfo(program, dev->device->id, CL_PROGRAM_BUILD_LOG, size, log,
                                          NULL);
        log[size] = '\0';
        text = log + strspn(log, " \r\n\t");
        if (*text == '\0') text = "no log";
    }
    quern_status status =
        qn_error(QUERN_COMPILE, "opencl: %s was rejected by the compiler of %s (%s, %d): %s", name,
                 dev->device->caps.name, qn_cl_error_name(code), (int)code, text);
    qn_free(log);
    return status;
}

static quern_status build(struct qn_dev *dev, cl_program program, const struct qn_source *source)
{
    char *options = options_of(dev, source);
    if (options == NULL) return qn_error_memory("opencl: build options", QN_ERROR_TEXT);
    cl_int code = qn_cl.clBuildProgram(program, 1, &dev->device->id, options, NULL, NULL);
    qn_free(options);
    if (code == CL_SUCCESS) return QUERN_OK;
    if (code == CL_OUT_OF_HOST_MEMORY || code == CL_OUT_OF_RESOURCES)
        return qn_cl_fail(QN_CL_ASKING, code, "clBuildProgram", "compiling %s", source->name);
    return build_error(dev, program, source->name, code);
}

/* Takes the program over, in any case. */
static quern_status module_of(struct qn_dev *dev, cl_program program,
                              const struct qn_source *source, struct qn_module **out)
{
    quern_status status = QUERN_OK;
    struct qn_module *module = NULL;
    QN_GO(build(dev, program, source));
    module = qn_zalloc(1, sizeof *module);
    if (module == NULL) {
        status = qn_error_memory("opencl: a module", sizeof *module);
        goto cleanup;
    }
    module->dev = dev;
    module->program = program;
    (void)snprintf(module->name, sizeof module->name, "%s", source->name);
    *out = module;
    return QUERN_OK;
cleanup:
    (void)qn_cl.clReleaseProgram(program);
    return status;
}

quern_status qn_cl_compile(struct qn_dev *dev, const struct qn_source *source,
                           struct qn_module **out)
{
    cl_int code = CL_SUCCESS;
    *out = NULL;
    cl_program program = qn_cl.clCreateProgramWithSource(
        dev->context, 1, (const char *[]){source->text}, &source->bytes, &code);
    if (program == NULL || code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_ASKING, code, "clCreateProgramWithSource", "compiling %s",
                          source->name);
    return module_of(dev, program, source, out);
}

void qn_cl_module_free(struct qn_dev *dev, struct qn_module *module)
{
    (void)dev;
    if (module == NULL) return;
    while (module->kernels != NULL) {
        struct qn_kernel *kernel = module->kernels;
        module->kernels = kernel->next;
        (void)qn_cl.clReleaseKernel(kernel->kernel);
        qn_free(kernel);
    }
    (void)qn_cl.clReleaseProgram(module->program);
    qn_free(module);
}

/* ---- images ---- */

quern_status qn_cl_image_save(struct qn_module *module, void **bytes, size_t *size)
{
    size_t length = 0;
    *bytes = NULL;
    *size = 0;
    cl_int code = qn_cl.clGetProgramInfo(module->program, CL_PROGRAM_BINARY_SIZES, sizeof length,
                                         &length, NULL);
    if (code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_ASKING, code, "clGetProgramInfo", "the image of %s", module->name);
    if (length == 0)
        return qn_error(QUERN_UNSUPPORTED, "opencl: %s gives no image of %s",
                        module->dev->device->caps.name, module->name);
    unsigned char *image = qn_alloc(length, 1);
    if (image == NULL) return qn_error_memory("opencl: a kernel's image", length);
    code = qn_cl.clGetProgramInfo(module->program, CL_PROGRAM_BINARIES, sizeof image, &image, NULL);
    if (code != CL_SUCCESS) {
        qn_free(image);
        return qn_cl_fail(QN_CL_ASKING, code, "clGetProgramInfo", "the image of %s", module->name);
    }
    *bytes = image;
    *size = length;
    return QUERN_OK;
}

quern_status qn_cl_image_load(struct qn_dev *dev, const struct qn_source *source, const void *bytes,
                              size_t size, struct qn_module **out)
{
    cl_int code = CL_SUCCESS, taken = CL_SUCCESS;
    const unsigned char *image = bytes;
    *out = NULL;
    if (bytes == NULL || size == 0)
        return qn_error(QUERN_CORRUPT, "opencl: the image of %s is empty", source->name);
    cl_program program = qn_cl.clCreateProgramWithBinary(dev->context, 1, &dev->device->id, &size,
                                                         &image, &taken, &code);
    if (code == CL_SUCCESS) code = taken;
    if (program == NULL || code != CL_SUCCESS) {
        if (program != NULL) (void)qn_cl.clReleaseProgram(program);
        return qn_error(QUERN_CORRUPT,
                        "opencl: %s does not take this image of %s: "
                        "clCreateProgramWithBinary failed with %s (%d)",
                        dev->device->caps.name, source->name, qn_cl_error_name(code), (int)code);
    }
    return module_of(dev, program, source, out);
}

/* ---- kernels ---- */

quern_status qn_cl_kernel_get(struct qn_module *module, const char *name, struct qn_kernel **out)
{
    *out = NULL;
    for (struct qn_kernel *k = module->kernels; k != NULL; k = k->next) {
        if (strcmp(k->name, name) == 0) {
            *out = k;
            return QUERN_OK;
        }
    }
    quern_status status = QUERN_OK;
    const char *call = "clCreateKernel";
    cl_int code = CL_SUCCESS;
    struct qn_kernel *kernel = qn_zalloc(1, sizeof *kernel);
    if (kernel == NULL) return qn_error_memory("opencl: a kernel", sizeof *kernel);
    if (strlen(name) >= sizeof kernel->name) {
        status = qn_error(QUERN_INVALID, "opencl: the kernel name %.80s is too long", name);
        goto cleanup;
    }
    memcpy(kernel->name, name, strlen(name) + 1);
    kernel->module = module;
    kernel->kernel = qn_cl.clCreateKernel(module->program, name, &code);
    if (code == CL_INVALID_KERNEL_NAME) {
        kernel->kernel = NULL;
        status = qn_error(QUERN_INVALID, "opencl: %s has no kernel named %s", module->name, name);
        goto cleanup;
    }
    if (code == CL_SUCCESS && kernel->kernel != NULL) {
        call = "clGetKernelInfo";
        code = qn_cl.clGetKernelInfo(kernel->kernel, CL_KERNEL_NUM_ARGS, sizeof kernel->n_args,
                                     &kernel->n_args, NULL);
        if (code == CL_SUCCESS) {
            call = "clGetKernelWorkGroupInfo";
            code = qn_cl.clGetKernelWorkGroupInfo(
                kernel->kernel, module->dev->device->id, CL_KERNEL_WORK_GROUP_SIZE,
                sizeof kernel->max_group, &kernel->max_group, NULL);
        }
    }
    if (code != CL_SUCCESS || kernel->kernel == NULL) {
        status = qn_cl_fail(QN_CL_ASKING, code, call, "kernel %s of %s", name, module->name);
        goto cleanup;
    }
    kernel->next = module->kernels;
    module->kernels = kernel;
    *out = kernel;
    return QUERN_OK;
cleanup:
    if (kernel->kernel != NULL) (void)qn_cl.clReleaseKernel(kernel->kernel);
    qn_free(kernel);
    return status;
}

/* ---- launch ---- */

static quern_status set_argument(struct qn_kernel *kernel, uint32_t index, const struct qn_arg *arg)
{
    cl_mem mem = NULL;
    cl_int code = CL_INVALID_VALUE;
    switch (arg->kind) {
    case QN_ARG_VIEW:
        QN_TRY(qn_cl_view_mem(arg->u.view, &mem));
        code =
            qn_cl.clSetKernelArg(kernel->kernel, index, sizeof(cl_mem), mem != NULL ? &mem : NULL);
        break;
    case QN_ARG_U32:
        code = qn_cl.clSetKernelArg(kernel->kernel, index, sizeof arg->u.u32, &arg->u.u32);
        break;
    case QN_ARG_U64:
        code = qn_cl.clSetKernelArg(kernel->kernel, index, sizeof arg->u.u64, &arg->u.u64);
        break;
    case QN_ARG_F64:
        code = qn_cl.clSetKernelArg(kernel->kernel, index, sizeof arg->u.f64, &arg->u.f64);
        break;
    }
    if (code == CL_SUCCESS) return QUERN_OK;
    return qn_cl_fail(QN_CL_ASKING, code, "clSetKernelArg", "argument %u of %s", index,
                      kernel->name);
}

static quern_status launch_check(const struct qn_kernel *kernel, const struct qn_grid *grid,
                                 uint32_t n_args)
{
    if (grid->groups[0] == 0 || grid->groups[1] == 0 || grid->items == 0)
        return qn_error(QUERN_INVALID, "opencl: %s was launched with %u x %u groups of %u items",
                        kernel->name, grid->groups[0], grid->groups[1], grid->items);
    if (grid->items > kernel->max_group)
        return qn_error(QUERN_UNSUPPORTED,
                        "opencl: %s was launched with groups of %u items; %s runs it with at most "
                        "%zu",
                        kernel->name, grid->items, kernel->module->dev->device->caps.name,
                        kernel->max_group);
    if (n_args != kernel->n_args || n_args > QN_CL_ARGS)
        return qn_error(QUERN_INVALID,
                        "opencl: %s was launched with %u arguments; it takes %u, and "
                        "no kernel more than %d",
                        kernel->name, n_args, kernel->n_args, QN_CL_ARGS);
    return QUERN_OK;
}

quern_status qn_cl_launch(struct qn_queue *queue, struct qn_kernel *kernel,
                          const struct qn_grid *grid, const struct qn_arg *args, uint32_t n_args)
{
    QN_TRY(launch_check(kernel, grid, n_args));
    queue->dev->tick++;
    for (uint32_t i = 0; i < n_args; i++) QN_TRY(set_argument(kernel, i, &args[i]));
    size_t global[2], local[2] = {grid->items, 1};
    if (qn_mul_size(grid->groups[0], grid->items, &global[0]))
        return qn_error(QUERN_INVALID, "opencl: %s was launched with %u groups of %u items",
                        kernel->name, grid->groups[0], grid->items);
    global[1] = grid->groups[1];
    cl_event event = NULL;
    cl_int code = qn_cl.clEnqueueNDRangeKernel(queue->queue, kernel->kernel, 2, NULL, global, local,
                                               0, NULL, &event);
    if (code != CL_SUCCESS)
        return qn_cl_fail(QN_CL_ASKING, code, "clEnqueueNDRangeKernel",
                          "%s with %u x %u groups of %u items", kernel->name, grid->groups[0],
                          grid->groups[1], grid->items);
    qn_cl_queue_keep(queue, event);
    return QUERN_OK;
}
