/* SPDX-License-Identifier: Apache-2.0
 * libOpenCL.so.1, found by soname through the system's own rules when a device is first asked for,
 * and never closed: its vendors' libraries run threads that do not survive being unmapped. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"

struct qn_cl_api qn_cl;

int qn_cl_load(char *why, size_t size)
{
    static const char soname[] = "libOpenCL.so.1";
    const char *reason = NULL;
    void *library = qn_library_open(soname, &reason);
    if (library == NULL) {
        (void)snprintf(why, size, "%s", reason != NULL ? reason : "libOpenCL.so.1 was not found");
        return 1;
    }
    void *symbol;
    /* ISO C has no cast from an object pointer to a function pointer; POSIX gives them one form. */
#define QN_CL_RESOLVE(name)                                                                        \
    symbol = qn_library_symbol(library, #name);                                                    \
    if (symbol == NULL) {                                                                          \
        (void)snprintf(why, size, "%s has no %s: an OpenCL loader older than 1.2", soname, #name); \
        return 1;                                                                                  \
    }                                                                                              \
    memcpy(&qn_cl.name, &symbol, sizeof symbol);
    QN_CL_SYMBOLS(QN_CL_RESOLVE)
#undef QN_CL_RESOLVE
    return 0;
}

const char *qn_cl_error_name(cl_int code)
{
    switch (code) {
#define QN_CL_NAME(number, name)                                                                   \
    case number: return #name;
        QN_CL_ERRORS(QN_CL_NAME)
#undef QN_CL_NAME
    default: return "an unknown code";
    }
}

static quern_status status_of(enum qn_cl_where where, cl_int code)
{
    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY: return QUERN_OUT_OF_MEMORY;
    case CL_OUT_OF_RESOURCES:
        return where == QN_CL_WAITING ? QUERN_DEVICE_LOST : QUERN_OUT_OF_MEMORY;
    case CL_INVALID_COMMAND_QUEUE: /* what a wait on a queue of a dead context says */
    case CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST:
        return where == QN_CL_WAITING ? QUERN_DEVICE_LOST : QUERN_INTERNAL;
    case CL_DEVICE_NOT_AVAILABLE:
    case -9999: return QUERN_DEVICE_LOST;
    case CL_BUILD_PROGRAM_FAILURE:
    case CL_COMPILER_NOT_AVAILABLE: return QUERN_COMPILE;
    case CL_INVALID_BINARY: return QUERN_CORRUPT;
    default: return QUERN_INTERNAL;
    }
}

quern_status qn_cl_fail(enum qn_cl_where where, cl_int code, const char *call, const char *format,
                        ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return qn_error(status_of(where, code), "opencl: %s: %s failed with %s (%d)", what, call,
                    qn_cl_error_name(code), (int)code);
}
