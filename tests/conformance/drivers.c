/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/drivers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/null/null.h"

static const struct qn_driver *const drivers[] = {
#ifdef QN_WITH_CPU
    &qn_driver_cpu,
#endif
#ifdef QN_WITH_OPENCL
    &qn_driver_opencl,
#endif
#ifdef QN_WITH_CUDA
    &qn_driver_cuda,
#endif
    &qn_driver_null,
};

static void add(struct qn_subject *subject, const struct qn_driver *driver, uint32_t index,
                const char *reason)
{
    subject->driver = driver;
    subject->index = index;
    subject->present = reason == NULL;
    (void)snprintf(subject->id, sizeof subject->id, "%s:%u", driver->name, index);
    (void)snprintf(subject->reason, sizeof subject->reason, "%s", reason != NULL ? reason : "");
}

uint32_t qn_test_subjects(struct qn_subject *out, uint32_t room)
{
    uint32_t n = 0;
    for (size_t d = 0; d < sizeof drivers / sizeof drivers[0]; d++) {
        uint32_t count = 0;
        const char *reason = NULL;
        quern_status status = drivers[d]->count(&count, &reason);
        if (status != QUERN_OK) reason = qn_error_text();
        if (status != QUERN_OK || count == 0) {
            if (n < room)
                add(&out[n++], drivers[d], 0, reason != NULL ? reason : "no reason was given");
        }
        for (uint32_t i = 0; status == QUERN_OK && i < count && n < room; i++)
            add(&out[n++], drivers[d], i, NULL);
    }
    return n;
}

int qn_test_required(const char *backend)
{
    const char *list = getenv("QUERN_REQUIRE");
    size_t length = strlen(backend);
    while (list != NULL && *list != '\0') {
        size_t word = strcspn(list, ",");
        if (word == length && memcmp(list, backend, length) == 0) return 1;
        list += word + (list[word] == ',');
    }
    return 0;
}

void qn_test_need(const struct qn_subject *subject)
{
    if (subject->present) return;
    (void)fprintf(stderr, "%s is not here: %s\n", subject->driver->name, subject->reason);
    if (qn_test_required(subject->driver->name))
        fail_msg("QUERN_REQUIRE names %s, and it is not here", subject->driver->name);
    skip();
}

const char qn_test_prelude[] = "#if defined(__OPENCL_VERSION__)\n"
                               "#pragma OPENCL FP_CONTRACT OFF\n"
                               "#define KERNEL __kernel\n"
                               "#define GLOBAL __global\n"
                               "#define GROUP(d) ((uint)get_group_id(d))\n"
                               "#define ITEM ((uint)get_local_id(0))\n"
                               "#define ITEMS ((uint)get_local_size(0))\n"
                               "typedef uint u32;\n"
                               "typedef ulong u64;\n"
                               "#else\n"
                               "#define KERNEL extern \"C\" __global__\n"
                               "#define GLOBAL\n"
                               "#define GROUP(d) ((d) == 0 ? blockIdx.x : blockIdx.y)\n"
                               "#define ITEM threadIdx.x\n"
                               "#define ITEMS blockDim.x\n"
                               "typedef unsigned int u32;\n"
                               "typedef unsigned long long u64;\n"
                               "#endif\n";
