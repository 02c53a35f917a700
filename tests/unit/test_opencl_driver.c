/* SPDX-License-Identifier: Apache-2.0
 * What only the OpenCL backend has: what it says when there is nothing to load, how it judges and
 * orders devices, views as sub-buffers, native codes in sentences, failures that come late.
 *
 * Discovery happens once per process, so each situation is a child: this program again, with another
 * environment. Devices that no machine has at hand come from a library of the tests' own that stands
 * in for libOpenCL.so.1 (fake_opencl.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/device/driver.h"

static const struct qn_driver *const drv = &qn_driver_opencl;

/* ---- children ---- */

/* Prints what there is: a line per device, then the reason. */
static int print_devices(void)
{
    uint32_t count = 0;
    const char *reason = NULL;
    if (drv->count(&count, &reason) != QUERN_OK) return 1;
    (void)printf("count %u\n", count);
    for (uint32_t i = 0; i < count; i++) {
        struct qn_caps c;
        if (drv->caps(i, &c) != QUERN_OK) return 1;
        (void)printf("device %s|%s|%u|%s%s%s%s%s|%u|%s\n", c.name, c.uid, c.compute,
                     (c.features & QN_FEATURE_F64) != 0 ? "f64 " : "",
                     (c.features & QN_FEATURE_EXACT_DIV) != 0 ? "div " : "",
                     (c.features & QN_FEATURE_CPU_SHAPE) != 0 ? "cpu " : "",
                     (c.features & QN_FEATURE_WRAP) != 0 ? "wrap " : "",
                     (c.features & QN_FEATURE_PINNED) != 0 ? "pinned " : "", c.base_align,
                     c.driver);
    }
    (void)printf("reason %s\n", reason != NULL ? reason : "(none)");
    return 0;
}

/* Asks the first device for a block, queues work and waits; prints how each step ended. */
static int print_steps(void)
{
    struct qn_dev *dev = NULL;
    struct qn_queue *queue = NULL;
    struct qn_raw *raw = NULL;
    quern_status status = drv->open(0, &dev);
    (void)printf("open %s\n", status == QUERN_OK ? "OK" : qn_error_text());
    if (status != QUERN_OK) return 0;
    status = drv->queue_open(dev, &queue);
    (void)printf("queue %s\n", status == QUERN_OK ? "OK" : qn_error_text());
    status = drv->raw_alloc(dev, 4096, &raw);
    (void)printf("alloc %s %s\n", quern_status_name(status),
                 status == QUERN_OK ? "" : qn_error_text());
    if (status == QUERN_OK && queue != NULL) {
        status = drv->fill(queue, (struct qn_view){raw, 0, 4096}, 1);
        (void)printf("fill %s %s\n", quern_status_name(status),
                     status == QUERN_OK ? "" : qn_error_text());
        status = drv->finish(queue);
        (void)printf("finish %s %s\n", quern_status_name(status),
                     status == QUERN_OK ? "" : qn_error_text());
    }
    drv->raw_free(dev, raw);
    drv->queue_close(dev, queue);
    drv->close(dev);
    return 0;
}

/* Runs this program as `mode` with one more variable, and a second one for the fake library; its
 * output goes to `out`. */
static void child(const char *mode, const char *name, const char *value, const char *fake,
                  char *out, size_t size)
{
    int ends[2], state = 0;
    size_t used = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)setenv(name, value, 1);
        if (fake != NULL) (void)setenv("FAKE_OPENCL", fake, 1);
        (void)execl("/proc/self/exe", "test_opencl_driver", mode, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    ssize_t got;
    while (used + 1 < size && (got = read(ends[0], out + used, size - 1 - used)) > 0)
        used += (size_t)got;
    out[used] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &state, 0), pid);
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        fail_msg("the child ended with %d and said: %s", state, out);
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("no \"%s\" in: %s", part, text);
}

/* ---- nothing to load ---- */

static void make_folder(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, size, "%s/quern-opencl-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(path));
}

static void put_file(const char *folder, const char *name, const char *text, char *path,
                     size_t size)
{
    (void)snprintf(path, size, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void an_unloadable_library_is_a_reason_in_the_loaders_words(void **state)
{
    (void)state;
    char folder[256], path[300], out[4096];
    make_folder(folder, sizeof folder);
    put_file(folder, "libOpenCL.so.1", "this is not a library\n", path, sizeof path);
    child("devices", "LD_LIBRARY_PATH", folder, NULL, out, sizeof out);
    contains(out, "count 0");
    contains(out, "libOpenCL.so.1: "); /* "…: file too short", "…: invalid ELF header" */
    (void)unlink(path);
    (void)rmdir(folder);
}

static void no_vendor_is_a_reason_not_an_error(void **state)
{
    (void)state;
    char folder[256], path[300], out[4096];
    make_folder(folder, sizeof folder);
    child("devices", "OCL_ICD_VENDORS", folder, NULL, out, sizeof out);
    contains(out, "count 0");
    contains(out, "OCL_ICD_VENDORS");
    put_file(folder, "gone.icd", "/nowhere/libgone.so.1\n", path, sizeof path);
    child("devices", "OCL_ICD_VENDORS", folder, NULL, out, sizeof out);
    contains(out, "count 0");
    contains(out, "reason no OpenCL platform");
    (void)unlink(path);
    (void)rmdir(folder);
}

/* ---- devices that tests make up ---- */

static void devices_are_ordered_and_judged(void **state)
{
    (void)state;
    char out[8192];
    child("devices", "LD_LIBRARY_PATH", QN_FAKE_OPENCL, "", out, sizeof out);
    contains(out, "count 5");
    static const char *const order[] = {
        "device Fast GPU|0000:65:00.0|30|f64 div pinned |512|",
        "device Small GPU|0001:0a:1f.2|12|wrap pinned |4096|",
        "device Other GPU|0000:03:00.1|20|f64 div pinned |256|",
        "device Card|", /* accelerator */
        "device Plain CPU|Plain CPU/Fake|12|f64 div cpu wrap |128|",
    };
    const char *at = out;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        at = strstr(at, order[i]);
        if (at == NULL) fail_msg("no \"%s\" at its place in: %s", order[i], out);
    }
    static const char *const left_out[] = {
        "Old GPU: left out, it is older than OpenCL 1.2",
        "Flushing GPU: left out, its float32 has no denormals",
        "Unfused GPU: left out, its float32 has no fused multiply-add",
        "Truncating GPU: left out, its float32 does not round to nearest",
        "Phone GPU: left out, it has the embedded profile",
        "Mute GPU: left out, it does not tell its memory's size",
        "Busy GPU: left out, it says that it is not available",
        "Blind GPU: left out, it has no compiler",
        "Big GPU: left out, it is big-endian",
        "Broken: clGetDeviceIDs failed with CL_OUT_OF_HOST_MEMORY (-6)",
    };
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) contains(out, left_out[i]);
}

static void unfit_arithmetic_can_be_let_through(void **state)
{
    (void)state;
    char out[8192];
    (void)setenv("QUERN_OPENCL_ANY", "1", 1);
    child("devices", "LD_LIBRARY_PATH", QN_FAKE_OPENCL, "", out, sizeof out);
    (void)unsetenv("QUERN_OPENCL_ANY");
    contains(out, "count 8");
    contains(out, "device Unfused GPU|");
    contains(out, "Old GPU: left out"); /* age is no matter of arithmetic */
}

static void a_long_driver_text_keeps_what_makes_it_unique(void **state)
{
    (void)state;
    char one[8192], two[8192];
    child("devices", "LD_LIBRARY_PATH", QN_FAKE_OPENCL, "long=1", one, sizeof one);
    child("devices", "LD_LIBRARY_PATH", QN_FAKE_OPENCL, "long=2", two, sizeof two);
    contains(one, " #"); /* the hash that stands for the cut end */
    assert_string_not_equal(one, two);
}

static void late_and_early_failures_are_told_where_they_belong(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *said;
    } cases[] = {
        {"clCreateContext=-2", "open opencl: opening Fast GPU: clCreateContext failed with "
                               "CL_DEVICE_NOT_AVAILABLE (-2)"},
        {"clCreateBuffer=-4", "alloc OUT_OF_MEMORY opencl: a block of 4096 bytes: clCreateBuffer "
                              "failed with CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)"},
        /* the buffer is given, its memory is not: the first touch tells */
        {"clEnqueueFillBuffer=-4", "alloc OUT_OF_MEMORY opencl: first use"},
        {"touch=-5", "alloc OUT_OF_MEMORY opencl: first use"},
        {"clFinish=-5", "alloc OUT_OF_MEMORY"},
        /* a command that fails after clFinish said yes */
        {"fill=-9999", "finish DEVICE_LOST opencl: waiting for a queue on Fast GPU: a queued "
                       "command failed with NVIDIA_ILLEGAL_ACCESS (-9999)"},
        {"finish2=-36", "finish DEVICE_LOST opencl: waiting for a queue: clFinish failed with "
                        "CL_INVALID_COMMAND_QUEUE (-36)"},
        {"clCreateCommandQueue=-6", "open opencl: opening Fast GPU: clCreateCommandQueue failed"},
        {"none=0", "finish OK"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[4096];
        child("steps", "LD_LIBRARY_PATH", QN_FAKE_OPENCL, cases[i].fault, out, sizeof out);
        if (strstr(out, cases[i].said) == NULL)
            fail_msg("%s: no \"%s\" in: %s", cases[i].fault, cases[i].said, out);
        if (i != 0) contains(out, "leaks 0");
    }
}

/* ---- on the machine's own device, if it has one ---- */

static void a_view_that_the_device_cannot_address_is_refused(void **state)
{
    (void)state;
    uint32_t count = 0;
    const char *reason = NULL;
    assert_int_equal(drv->count(&count, &reason), QUERN_OK);
    if (count == 0) {
        const char *required = getenv("QUERN_REQUIRE");
        (void)fprintf(stderr, "opencl is not here: %s\n", reason);
        if (required != NULL && strstr(required, "opencl") != NULL) fail();
        skip();
    }
    static const char text[] =
        "__kernel void touch(__global uint *x) { x[0] = 3; }\n"
        "__kernel void takes_long(__global uint *x, ulong n) { x[0] = n; }\n";
    const struct qn_source source = {"touching", text, sizeof text - 1, "", NULL};
    struct qn_caps caps;
    struct qn_dev *dev = NULL;
    struct qn_queue *queue = NULL;
    struct qn_raw *raw = NULL;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    const struct qn_grid grid = {{1, 1}, 1};
    assert_int_equal(drv->caps(0, &caps), QUERN_OK);
    assert_int_equal(drv->open(0, &dev), QUERN_OK);
    assert_int_equal(drv->queue_open(dev, &queue), QUERN_OK);
    assert_int_equal(drv->raw_alloc(dev, 8 * caps.base_align, &raw), QUERN_OK);
    assert_int_equal(drv->compile(dev, &source, &module), QUERN_OK);
    assert_int_equal(drv->kernel_get(module, "touch", &kernel), QUERN_OK);
    struct qn_arg args[2] = {{QN_ARG_VIEW, {.view = {raw, caps.base_align / 2, 4}}},
                             {QN_ARG_U32, {.u32 = 1}}};
    assert_int_equal(drv->launch(queue, kernel, &grid, args, 1), QUERN_INVALID);
    contains(qn_error_text(), "multiples of");
    args[0].u.view.offset = caps.base_align;
    assert_int_equal(drv->launch(queue, kernel, &grid, args, 1), QUERN_OK);
    assert_int_equal(drv->launch(queue, kernel, &grid, args, 2), QUERN_INVALID);
    contains(qn_error_text(), "arguments");
    assert_int_equal(drv->kernel_get(module, "takes_long", &kernel), QUERN_OK);
    assert_int_not_equal(drv->launch(queue, kernel, &grid, args, 2), QUERN_OK);
    contains(qn_error_text(), "CL_INVALID_ARG_SIZE");
    assert_int_equal(drv->copy(queue, (struct qn_view){raw, 0, 64}, (struct qn_view){raw, 32, 64}),
                     QUERN_INVALID);
    contains(qn_error_text(), "onto itself");
    assert_int_equal(drv->finish(queue), QUERN_OK);
    drv->module_free(dev, module);
    drv->raw_free(dev, raw);
    drv->queue_close(dev, queue);
    drv->close(dev);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "devices") == 0) return print_devices();
    if (argc == 2 && strcmp(argv[1], "steps") == 0) return print_steps();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unloadable_library_is_a_reason_in_the_loaders_words),
        cmocka_unit_test(no_vendor_is_a_reason_not_an_error),
        cmocka_unit_test(devices_are_ordered_and_judged),
        cmocka_unit_test(unfit_arithmetic_can_be_let_through),
        cmocka_unit_test(a_long_driver_text_keeps_what_makes_it_unique),
        cmocka_unit_test(late_and_early_failures_are_told_where_they_belong),
        cmocka_unit_test(a_view_that_the_device_cannot_address_is_refused),
    };
    return cmocka_run_group_tests_name("opencl_driver", tests, NULL, NULL);
}
