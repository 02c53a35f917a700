/* SPDX-License-Identifier: Apache-2.0
 * Opening and closing an OpenCL device, and the backend's table. One context per open device;
 * nothing is called when the process ends. */
#include "backends/opencl/opencl.h"

static void device_close(struct qn_dev *dev)
{
    if (dev == NULL) return;
    if (dev->service != NULL) (void)qn_cl.clReleaseCommandQueue(dev->service);
    if (dev->context != NULL) (void)qn_cl.clReleaseContext(dev->context);
    qn_free(dev);
}

static quern_status device_open(uint32_t index, struct qn_dev **out)
{
    *out = NULL;
    const struct qn_cl_device *device = qn_cl_device(index);
    if (device == NULL) return QUERN_NO_DEVICE;
    struct qn_dev *dev = qn_zalloc(1, sizeof *dev);
    if (dev == NULL) return qn_error_memory("opencl: an open device", sizeof *dev);
    dev->device = device;
    const char *call = "clCreateContext";
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)device->platform, 0};
    cl_int code = CL_SUCCESS;
    dev->context = qn_cl.clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    if (dev->context != NULL && code == CL_SUCCESS) {
        call = "clCreateCommandQueue";
        dev->service = qn_cl.clCreateCommandQueue(dev->context, device->id, 0, &code);
    }
    if (code != CL_SUCCESS || dev->service == NULL) {
        device_close(dev);
        return qn_cl_fail(QN_CL_ASKING, code, call, "opening %s", device->caps.name);
    }
    *out = dev;
    return QUERN_OK;
}

const struct qn_driver qn_driver_opencl = {
    .struct_size = sizeof(struct qn_driver),
    .abi = QN_DRIVER_ABI,
    .name = "opencl",
    .count = qn_cl_count,
    .caps = qn_cl_caps,
    .open = device_open,
    .close = device_close,
    .raw_alloc = qn_cl_raw_alloc,
    .raw_free = qn_cl_raw_free,
    .pinned_alloc = qn_cl_pinned_alloc,
    .pinned_free = qn_cl_pinned_free,
    .raw_wrap = qn_cl_raw_wrap,
    .queue_open = qn_cl_queue_open,
    .queue_close = qn_cl_queue_close,
    .upload = qn_cl_upload,
    .download = qn_cl_download,
    .copy = qn_cl_copy,
    .fill = qn_cl_fill,
    .flush = qn_cl_flush,
    .finish = qn_cl_finish,
    .event_open = qn_cl_event_open,
    .event_close = qn_cl_event_close,
    .event_record = qn_cl_event_record,
    .event_done = qn_cl_event_done,
    .event_wait = qn_cl_event_wait,
    .queue_wait = qn_cl_queue_wait,
    .event_elapsed = qn_cl_event_elapsed,
    .compile = qn_cl_compile,
    .module_free = qn_cl_module_free,
    .image_save = qn_cl_image_save,
    .image_load = qn_cl_image_load,
    .kernel_get = qn_cl_kernel_get,
    .launch = qn_cl_launch,
    .notes = qn_cl_notes,
};
