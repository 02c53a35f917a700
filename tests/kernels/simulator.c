/* SPDX-License-Identifier: Apache-2.0
 * A libOpenCL.so.1 that is Oclgrind's, but for one answer: Oclgrind computes fma, denormals and
 * double precision as the host does and does not say so, and quern asks before it uses a device. All
 * other symbols come from the library that this one needs. */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>

typedef cl_int(CL_API_CALL *device_info_fn)(cl_device_id, cl_device_info, size_t, void *, size_t *);

CL_API_ENTRY cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info what,
                                                size_t size, void *value, size_t *size_ret)
{
    device_info_fn real;
    *(void **)&real = dlsym(RTLD_NEXT, "clGetDeviceInfo");
    cl_int code = real(device, what, size, value, size_ret);
    if (code == CL_SUCCESS && value != NULL && size >= sizeof(cl_device_fp_config) &&
        (what == CL_DEVICE_SINGLE_FP_CONFIG || what == CL_DEVICE_DOUBLE_FP_CONFIG))
        *(cl_device_fp_config *)value |=
            CL_FP_FMA | CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
    return code;
}
