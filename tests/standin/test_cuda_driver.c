/* SPDX-License-Identifier: Apache-2.0
 * The CUDA driver, entry by entry, on the stand-in libcuda.so.1: discovery in all the ways that a
 * machine can lack CUDA, memory, queues, events, kernels through NVRTC and images. Ways of having no device need a process each: the program runs itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/api.h"
#include "backends/cuda/device.h"
#include "backends/cuda/images.h"
#include "backends/cuda/nvrtc.h"
#include "host/device/device.h"
#include "tests/standin/cuda_test.h"

static const char *self;

/* ---- discovery --------------------------------------------------------------------------------- */

/* What a machine of another kind says: this program again, with another environment. */
static void ask(const char *environment, char *answer, size_t size)
{
    char command[1024];
    (void)snprintf(command, sizeof command, "env %s '%s' --count 2>/dev/null", environment, self);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(answer, 1, size - 1, pipe);
    answer[got] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void every_way_of_having_no_device_is_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *environment, *reason;
    } cases[] = {
        {"LD_LIBRARY_PATH=/nonexistent", "libcuda.so.1"},
        {"QN_STANDIN_FAIL=cuInit:1:100", "cuInit: CUDA_ERROR_NO_DEVICE (100)"},
        {"QN_STANDIN_FAIL=cuInit:1:34", "CUDA_ERROR_STUB_LIBRARY (34)"},
        {"QN_STANDIN_FAIL=cuInit:1:802", "CUDA_ERROR_SYSTEM_NOT_READY (802)"},
        {"QN_STANDIN_FAIL=cuInit:1:803", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"},
        {"QN_STANDIN_FAIL=cuInit:1:804", "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)"},
        {"QN_STANDIN_FAIL=cuInit:1:12345", "an unknown code (12345)"},
        {"QN_STANDIN_FAIL=cuDeviceGetCount:1:100", "cuDeviceGetCount: CUDA_ERROR_NO_DEVICE"},
        {"QN_STANDIN_FAIL=cuDriverGetVersion:1:999", "cuDriverGetVersion: CUDA_ERROR_UNKNOWN"},
        {"QN_STANDIN_DEVICES=0", "cuDeviceGetCount: CUDA_ERROR_NO_DEVICE"},
        {"QN_STANDIN_VERSION=10020", "the driver serves CUDA 10.2; quern needs 11.2 or newer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[2048];
        ask(cases[i].environment, answer, sizeof answer);
        if (strncmp(answer, "0 0 ", 4) != 0 || strstr(answer, cases[i].reason) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].environment, answer, cases[i].reason);
    }
}

static void devices_are_counted(void **state)
{
    (void)state;
    char answer[256];
    ask("QN_STANDIN_DEVICES=3", answer, sizeof answer);
    assert_string_equal(answer, "0 3 \n");
}

static void nvrtc_is_chosen_by_the_driver_and_what_was_tried_is_kept(void **state)
{
    (void)state;
    char answer[2048];
    ask("QN_STANDIN_VERSION=12040 QN_ONLY_NVRTC=1", answer, sizeof answer);
    /* Whatever major is installed here is found; without any, all three are named. */
    if (strncmp(answer, "NVRTC ", 6) != 0) {
        assert_non_null(strstr(answer, "libnvrtc.so.12"));
        assert_non_null(strstr(answer, "libnvrtc.so.11.2"));
        assert_non_null(strstr(answer, "libnvrtc.so.13"));
    }
}

static void capabilities_describe_the_device(void **state)
{
    (void)state;
    struct qn_caps caps;
    OK(cuda->caps(0, &caps));
    assert_string_equal(caps.name, "quern stand-in (no GPU)");
    assert_string_equal(caps.uid, "57ab:00:00.0");
    assert_int_equal(caps.compute, 90);
    assert_int_equal(caps.memory_total, 4ull << 30);
    assert_true(caps.memory_free == UINT64_MAX); /* nobody holds the context yet */
    assert_int_equal(caps.max_group, 1024);
    assert_int_equal(caps.shared_bytes, 48 * 1024);
    assert_int_equal(caps.base_align, 256);
    assert_int_equal(caps.features, QN_FEATURE_F64 | QN_FEATURE_KERNELS | QN_FEATURE_PINNED |
                                        QN_FEATURE_ASYNC | QN_FEATURE_EXACT_DIV);
    assert_non_null(strstr(caps.driver, "CUDA driver 13.0, NVRTC "));

    struct qn_dev *dev = NULL;
    OK(cuda->open(0, &dev));
    OK(cuda->caps(0, &caps));
    assert_int_equal(caps.memory_free, 4ull << 30);
    cuda->close(dev);
}

static void an_index_that_is_not_there_is_no_device(void **state)
{
    (void)state;
    struct qn_caps caps;
    struct qn_dev *dev = NULL;
    assert_int_equal(cuda->caps(1, &caps), QUERN_NO_DEVICE);
    assert_int_equal(cuda->open(7, &dev), QUERN_NO_DEVICE);
    assert_null(dev);
    assert_non_null(strstr(qn_error_text(), "CUDA shows 1 device here; there is no number 7"));
    cuda->close(NULL);
}

static void notes_name_the_libraries(void **state)
{
    (void)state;
    char notes[2048] = "";
    assert_true(QN_HAS(cuda, notes));
    cuda->notes(0, notes, sizeof notes);
    assert_non_null(strstr(notes, "NVRTC "));
    assert_non_null(strstr(notes, "cuBLAS "));
    assert_non_null(strstr(notes, "ahead-of-time kernels: "));
}

/* ---- memory ------------------------------------------------------------------------------------ */

static void bytes_go_there_and_back_at_any_offset(void **state)
{
    (void)state;
    enum { BYTES = 100000 };
    static unsigned char out[BYTES], in[BYTES];
    struct bench t;
    struct qn_raw *raw = NULL, *other = NULL;
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, BYTES, &raw));
    OK(cuda->raw_alloc(t.dev, BYTES, &other));
    for (size_t i = 0; i < BYTES; i++) out[i] = (unsigned char)(i * 7 + i / 251);
    OK(cuda->upload(t.a, view(raw, 0, BYTES), out, QN_NO_WAIT));
    OK(cuda->fill(t.a, view(raw, 400, 800), 0x04030201u));
    OK(cuda->upload(t.a, view(raw, 77, 5), "hello", QN_NO_WAIT));
    OK(cuda->copy(t.a, view(other, 0, BYTES - 100), view(raw, 50, BYTES - 100)));
    OK(cuda->download(t.a, in, view(other, 0, BYTES - 100), QN_WAIT));
    for (size_t i = 400; i < 1200; i++) out[i] = (unsigned char)(i % 4 + 1);
    memcpy(out + 77, "hello", 5);
    assert_memory_equal(in, out + 50, BYTES - 100);
    OK(cuda->upload(t.a, view(raw, 3, 0), out, QN_WAIT)); /* nothing is fine */
    OK(cuda->finish(t.a));
    cuda->raw_free(t.dev, raw);
    cuda->raw_free(t.dev, other);
    cuda->raw_free(t.dev, NULL);
    tear_down(&t);
}

static void views_outside_their_block_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, size;
    } wrong[] = {{0, 1025}, {1024, 1}, {1000, 25}, {UINT64_MAX, 2}, {4, UINT64_MAX}};
    char bytes[16] = "";
    struct bench t;
    struct qn_raw *raw = NULL;
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, 1024, &raw));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct qn_view outside = view(raw, wrong[i].offset, wrong[i].size);
        assert_int_equal(cuda->upload(t.a, outside, bytes, QN_WAIT), QUERN_INVALID);
        assert_int_equal(cuda->download(t.a, bytes, outside, QN_WAIT), QUERN_INVALID);
    }
    assert_int_equal(cuda->fill(t.a, view(raw, 0, 6), 1), QUERN_INVALID);
    assert_int_equal(cuda->copy(t.a, view(raw, 0, 8), view(raw, 8, 4)), QUERN_INVALID);
    cuda->raw_free(t.dev, raw);
    tear_down(&t);
}

static void too_much_memory_is_out_of_memory_and_harmless(void **state)
{
    (void)state;
    struct bench t;
    struct qn_raw *raw = NULL;
    set_up(&t);
    assert_int_equal(cuda->raw_alloc(t.dev, 5ull << 30, &raw), QUERN_OUT_OF_MEMORY);
    assert_null(raw);
    assert_non_null(strstr(qn_error_text(), "5368709120 bytes"));
    assert_non_null(strstr(qn_error_text(), "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2)"));
    OK(cuda->raw_alloc(t.dev, 1 << 20, &raw));
    cuda->raw_free(t.dev, raw);
    assert_int_equal(cuda->raw_alloc(t.dev, 0, &raw), QUERN_INVALID);
    tear_down(&t);
}

/* A block of the same process, by its address, as another library would hand it over. */
static void memory_of_others_is_used_where_it_is(void **state)
{
    (void)state;
    struct bench t;
    struct qn_raw *theirs = NULL, *ours = NULL;
    char bytes[512], back[256];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)i;
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, sizeof bytes, &theirs));
    OK(cuda->upload(t.a, view(theirs, 0, sizeof bytes), bytes, QN_WAIT));
    OK(cuda->raw_adopt(t.dev, theirs->address + 256, 256, &ours));
    OK(cuda->download(t.b, back, view(ours, 0, 256), QN_WAIT));
    assert_memory_equal(back, bytes + 256, 256);
    assert_int_equal(cuda->download(t.b, back, view(ours, 1, 256), QN_WAIT), QUERN_INVALID);
    cuda->raw_free(t.dev, ours);
    OK(cuda->download(t.b, back, view(theirs, 0, 256), QN_WAIT)); /* it is still there */
    assert_memory_equal(back, bytes, 256);
    cuda->raw_free(t.dev, theirs);

    ours = NULL;
    assert_int_equal(cuda->raw_adopt(t.dev, (uint64_t)(uintptr_t)bytes, 1, &ours), QUERN_INVALID);
    assert_non_null(strstr(qn_error_text(), "no address that CUDA knows"));
    on.standin_fail("cuPointerGetAttribute", 1, 999, 0);
    assert_int_equal(cuda->raw_adopt(t.dev, 256, 1, &ours), QUERN_DEVICE_LOST);
    assert_null(ours);
    tear_down(&t);
}

static void what_others_have_under_way_is_waited_for(void **state)
{
    (void)state;
    struct bench t;
    struct qn_event *event = NULL;
    set_up(&t);
    OK(cuda->event_open(t.dev, &event));
    OK(cuda->event_record(t.b, event));
    unsigned streams = on.standin_calls("cuStreamSynchronize");
    unsigned events = on.standin_calls("cuEventSynchronize");
    OK(cuda->foreign_wait(t.dev, 0, NULL));
    assert_int_equal(on.standin_calls("cuStreamSynchronize"), streams);
    assert_int_equal(on.standin_calls("cuEventSynchronize"), events);
    OK(cuda->foreign_wait(t.dev, (uint64_t)(uintptr_t)t.b->stream, event->event));
    for (uint64_t name = 1; name <= 2; name++) OK(cuda->foreign_wait(t.dev, name, NULL));
    assert_int_equal(on.standin_calls("cuStreamSynchronize"), streams + 3);
    assert_int_equal(on.standin_calls("cuEventSynchronize"), events + 1);
    assert_int_equal(cuda->foreign_wait(t.dev, 3, NULL), QUERN_INTERNAL); /* no stream */
    on.standin_fail("cuEventSynchronize", 1, 700, 0);
    assert_int_equal(cuda->foreign_wait(t.dev, 1, event->event), QUERN_DEVICE_LOST);
    cuda->event_close(t.dev, event);
    tear_down(&t);
}

static void pinned_memory_stages_copies(void **state)
{
    (void)state;
    struct bench t;
    struct qn_raw *raw = NULL;
    void *pinned = NULL;
    uint32_t back[256];
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, sizeof back, &raw));
    OK(cuda->pinned_alloc(t.dev, sizeof back, &pinned));
    uint32_t *words = pinned;
    for (uint32_t i = 0; i < 256; i++) words[i] = i * i;
    OK(cuda->upload(t.a, view(raw, 0, sizeof back), pinned, QN_NO_WAIT));
    OK(cuda->finish(t.a));
    memset(pinned, 0, sizeof back);
    OK(cuda->download(t.a, back, view(raw, 0, sizeof back), QN_WAIT));
    for (uint32_t i = 0; i < 256; i++) assert_int_equal(back[i], i * i);
    cuda->pinned_free(t.dev, pinned);
    cuda->raw_free(t.dev, raw);
    tear_down(&t);
}

/* ---- kernels ----------------------------------------------------------------------------------- */

static void check_module(struct bench *t, struct qn_module *module)
{
    double in[1003], out[1000];
    struct qn_kernel *kernel = NULL, *again = NULL, *reverse = NULL;
    struct qn_raw *raw = NULL;
    OK(cuda->kernel_get(module, "scale", &kernel));
    OK(cuda->kernel_get(module, "scale", &again));
    assert_ptr_equal(kernel, again);
    OK(cuda->raw_alloc(t->dev, 32768, &raw));
    for (int i = 0; i < 1003; i++) in[i] = i * 0.37 - 11.0;
    OK(cuda->upload(t->a, view(raw, 264, sizeof in), in, QN_NO_WAIT));
    OK(run_scale(t->a, kernel, raw, 16384, 264));
    OK(cuda->download(t->a, out, view(raw, 16384, sizeof out), QN_WAIT));
    for (int i = 0; i < 1000; i++) {
        volatile double product = in[i + 3] * 3.0; /* rounded on its own: nothing contracts */
        if (out[i] != product + 0.5) fail_msg("value %d is %.17g", i, out[i]);
    }
    uint32_t words[128];
    for (uint32_t i = 0; i < 128; i++) words[i] = i;
    struct qn_arg arg = arg_view(raw, 512, sizeof words);
    struct qn_grid grid = {{2, 1}, 64};
    OK(cuda->kernel_get(module, "reverse", &reverse));
    OK(cuda->upload(t->b, view(raw, 512, sizeof words), words, QN_NO_WAIT));
    OK(cuda->launch(t->b, reverse, &grid, &arg, 1));
    OK(cuda->download(t->b, words, view(raw, 512, sizeof words), QN_WAIT));
    for (uint32_t i = 0; i < 128; i++) assert_int_equal(words[i], i / 64 * 64 + 63 - i % 64);
    cuda->raw_free(t->dev, raw);
}

static void a_kernel_compiles_and_runs(void **state)
{
    (void)state;
    struct bench t;
    struct qn_module *module = NULL;
    set_up(&t);
    OK(cuda->compile(t.dev, &probe_source, &module));
    check_module(&t, module);
    cuda->module_free(t.dev, module);
    cuda->module_free(t.dev, NULL);
    tear_down(&t);
}

static void an_unknown_newer_device_gets_ptx(void **state)
{
    (void)state;
    struct bench t;
    struct qn_module *module = NULL;
    assert_int_equal(setenv("QN_STANDIN_COMPUTE", "139", 1), 0);
    set_up(&t);
    OK(cuda->compile(t.dev, &probe_source, &module));
    check_module(&t, module);
    cuda->module_free(t.dev, module);
    tear_down(&t);
    assert_int_equal(unsetenv("QN_STANDIN_COMPUTE"), 0);
}

static void a_device_too_old_for_the_compiler_is_unsupported(void **state)
{
    (void)state;
    struct bench t;
    struct qn_caps caps;
    struct qn_module *module = NULL;
    assert_int_equal(setenv("QN_STANDIN_COMPUTE", "20", 1), 0);
    set_up(&t);
    assert_int_equal(cuda->compile(t.dev, &probe_source, &module), QUERN_UNSUPPORTED);
    assert_non_null(strstr(qn_error_text(), "this device has 2.0"));
    OK(cuda->caps(0, &caps));
    assert_int_equal(caps.features & QN_FEATURE_KERNELS, 0);
    tear_down(&t);
    assert_int_equal(unsetenv("QN_STANDIN_COMPUTE"), 0);
}

static void a_rejected_kernel_brings_the_compilers_words(void **state)
{
    (void)state;
    struct bench t;
    struct qn_module *module = NULL;
    struct qn_source wrong = probe_source;
    wrong.options = "-DITEMS=64 -DSHIFT=undeclared_name";
    set_up(&t);
    assert_int_equal(cuda->compile(t.dev, &wrong, &module), QUERN_COMPILE);
    assert_null(module);
    assert_non_null(strstr(qn_error_text(), "kernel probe"));
    assert_non_null(strstr(qn_error_text(), "undeclared_name"));
    tear_down(&t);
}

static void launches_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct bench t;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *raw = NULL;
    set_up(&t);
    OK(cuda->compile(t.dev, &probe_source, &module));
    assert_int_equal(cuda->kernel_get(module, "missing", &kernel), QUERN_INVALID);
    assert_non_null(strstr(qn_error_text(), "kernel missing of probe"));
    OK(cuda->kernel_get(module, "reverse", &kernel));
    OK(cuda->raw_alloc(t.dev, 4096, &raw));
    struct qn_arg arg = arg_view(raw, 0, 4096), many[65] = {arg};
    struct qn_grid tall = {{1, 65536}, 64}, wide = {{1, 1}, 2048};
    assert_int_not_equal(cuda->launch(t.a, kernel, &tall, &arg, 1), QUERN_OK);
    assert_int_equal(cuda->launch(t.a, kernel, &wide, &arg, 1), QUERN_UNSUPPORTED);
    wide.items = 64;
    assert_int_equal(cuda->launch(t.a, kernel, &wide, many, 65), QUERN_INVALID);
    arg.u.view.offset = 8;
    assert_int_equal(cuda->launch(t.a, kernel, &wide, &arg, 1), QUERN_INVALID);
    cuda->raw_free(t.dev, raw);
    cuda->module_free(t.dev, module);
    tear_down(&t);
}

static void images_are_saved_and_loaded_and_damage_is_noticed(void **state)
{
    (void)state;
    struct bench t;
    struct qn_module *module = NULL, *loaded = NULL;
    void *bytes = NULL;
    size_t size = 0;
    set_up(&t);
    OK(cuda->compile(t.dev, &probe_source, &module));
    OK(cuda->image_save(module, &bytes, &size));
    cuda->module_free(t.dev, module);
    OK(cuda->image_load(t.dev, &probe_source, bytes, size, &loaded));
    check_module(&t, loaded);
    cuda->module_free(t.dev, loaded);

    unsigned char *image = bytes;
    loaded = NULL;
    static const size_t cuts[] = {0, 1, 8, 24, 25, 100};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        assert_int_equal(cuda->image_load(t.dev, &probe_source, bytes, cuts[i], &loaded),
                         QUERN_CORRUPT);
    assert_int_equal(cuda->image_load(t.dev, &probe_source, bytes, size - 1, &loaded),
                     QUERN_CORRUPT);
    for (size_t at = 0; at < size; at += size / 50) {
        image[at] ^= 0x10;
        assert_int_equal(cuda->image_load(t.dev, &probe_source, bytes, size, &loaded),
                         QUERN_CORRUPT);
        image[at] ^= 0x10;
    }
    assert_null(loaded);
    qn_free(bytes);
    tear_down(&t);
}

static const char *const kernel_sources[] = {
    "moments", "weighted", "paired", "powers", "extremes", "histogram", "run", "csr", "selftest"};
enum { SOURCES = sizeof kernel_sources / sizeof kernel_sources[0] };

static void the_librarys_kernels_come_from_their_ahead_of_time_images(void **state)
{
    (void)state;
    struct bench t;
    if (qn_cuda_images[0].key == NULL) skip(); /* a build without nvcc */
    set_up(&t);
    for (size_t i = 0; i < SOURCES; i++) {
        const struct qn_source *ready = qn_kernel_source(kernel_sources[i]);
        struct qn_source other, exact;
        struct qn_module *module = NULL;
        void *bytes = NULL;
        size_t size = 0;
        assert_non_null(ready);
        OK(cuda->compile(t.dev, ready, &module));
        /* It has nothing to save: the image is the library's. */
        assert_int_equal(cuda->image_save(module, &bytes, &size), QUERN_UNSUPPORTED);
        cuda->module_free(t.dev, module);
        exact = *ready;
        exact.options = "-DQN_EXACT_DIV=1";
        OK(cuda->compile(t.dev, &exact, &module));
        assert_int_equal(cuda->image_save(module, &bytes, &size), QUERN_UNSUPPORTED);
        cuda->module_free(t.dev, module);
        if (i > 0) continue;
        /* Options make another program of it, which NVRTC compiles. */
        other = *ready;
        other.options = "-DQN_SOMETHING=1";
        OK(cuda->compile(t.dev, &other, &module));
        OK(cuda->image_save(module, &bytes, &size));
        qn_free(bytes);
        cuda->module_free(t.dev, module);
    }
    tear_down(&t);
}

static void an_image_that_does_not_serve_the_device_is_compiled_anew(void **state)
{
    (void)state;
    struct bench t;
    struct qn_module *module = NULL;
    void *bytes = NULL;
    size_t size = 0;
    if (qn_cuda_images[0].key == NULL) skip();
    set_up(&t);
    on.standin_fail("cuModuleLoadDataEx", 1, 209, 0);
    OK(cuda->compile(t.dev, qn_kernel_source("extremes"), &module));
    OK(cuda->image_save(module, &bytes, &size));
    qn_free(bytes);
    cuda->module_free(t.dev, module);
    tear_down(&t);
}

/* The rules of docs/numbers.md, read off the code: every float operation rounds to nearest on its
 * own, nothing is flushed, nothing approximate. Returns the first line that breaks them. */
static const char *broken_rule(char *ptx)
{
    static const char *const bare[] = {"add.f", "sub.f", "mul.f", "div.f", "sqrt.f"};
    static const char *const never[] = {".ftz", ".approx", "div.full", "mad.f", "mad.rn.f"};
    char *rest = NULL;
    for (char *line = strtok_r(ptx, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++)
            if (strstr(line, bare[i]) != NULL) return line;
        for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
            if (strstr(line, never[i]) != NULL) return line;
    }
    return NULL;
}

static void kernels_keep_the_rules_of_arithmetic_in_ptx(void **state)
{
    (void)state;
    const struct qn_nvrtc *nvrtc = qn_nvrtc(13000, NULL);
    assert_non_null(nvrtc);
    for (size_t i = 0; i < SOURCES; i++) {
        void *image = NULL;
        size_t size = 0;
        /* No device has compute capability 7.6, so PTX for 7.5 it is. */
        OK(qn_nvrtc_compile(nvrtc, qn_kernel_source(kernel_sources[i]), 76, &image, &size));
        assert_int_equal(((char *)image)[size - 1], 0);
        char *ptx = NULL; /* behind the stand-in's own part of the image */
        for (size_t at = 0; at + 9 < size && ptx == NULL; at++)
            if (memcmp((char *)image + at, ".version ", 9) == 0) ptx = (char *)image + at;
        if (ptx == NULL) { /* no NVRTC on this machine: the image is the text alone */
            qn_free(image);
            skip();
        }
        const char *line = broken_rule(ptx);
        if (line != NULL) fail_msg("%s: %s", kernel_sources[i], line);
        qn_free(image);
    }
}

/* ---- queues, events, contexts ------------------------------------------------------------------ */

static void events_order_queues_and_tell_time(void **state)
{
    (void)state;
    enum { WORDS = 1 << 20, ROUNDS = 20 };
    struct bench t;
    struct qn_raw *raw = NULL;
    struct qn_event *first = NULL, *last = NULL;
    uint32_t *words = calloc(WORDS, sizeof *words);
    int done = 0;
    uint64_t ns = UINT64_MAX;
    assert_non_null(words);
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, 2 * sizeof *words * WORDS, &raw));
    OK(cuda->event_open(t.dev, &first));
    OK(cuda->event_open(t.dev, &last));
    OK(cuda->event_done(first, &done)); /* never recorded counts as done */
    assert_int_equal(done, 1);
    OK(cuda->event_record(t.a, first));
    uint64_t half = sizeof *words * WORDS;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        OK(cuda->fill(t.a, view(raw, 0, half), round));
        OK(cuda->event_record(t.a, last));
        OK(cuda->queue_wait(t.b, last));
        OK(cuda->copy(t.b, view(raw, half, half), view(raw, 0, half)));
        OK(cuda->download(t.b, words, view(raw, half, half), QN_WAIT));
        assert_int_equal(words[0], round);
        assert_int_equal(words[WORDS - 1], round);
    }
    OK(cuda->event_wait(last));
    OK(cuda->event_done(last, &done));
    assert_int_equal(done, 1);
    OK(cuda->event_elapsed(first, last, &ns));
    assert_in_range(ns, 1, 60ull * 1000000000u);
    cuda->event_close(t.dev, first);
    cuda->event_close(t.dev, last);
    cuda->event_close(t.dev, NULL);
    cuda->raw_free(t.dev, raw);
    free(words);
    tear_down(&t);
}

static void the_callers_current_context_stays(void **state)
{
    (void)state;
    void *context = NULL, *now = NULL;
    char bytes[64] = "";
    struct qn_raw *raw = NULL;
    struct bench t;
    assert_int_equal(on.cuDevicePrimaryCtxRetain(&context, 0), 0);
    set_up(&t);
    OK(cuda->raw_alloc(t.dev, sizeof bytes, &raw));
    OK(cuda->upload(t.a, view(raw, 0, sizeof bytes), bytes, QN_WAIT));
    assert_int_equal(on.cuCtxGetCurrent(&now), 0);
    assert_null(now);
    assert_int_equal(on.cuCtxPushCurrent_v2(context), 0);
    OK(cuda->upload(t.a, view(raw, 0, sizeof bytes), bytes, QN_WAIT));
    assert_int_equal(cuda->upload(t.a, view(raw, 0, 65), bytes, QN_WAIT), QUERN_INVALID);
    assert_int_equal(on.cuCtxGetCurrent(&now), 0);
    assert_ptr_equal(now, context);
    assert_int_equal(on.cuCtxPopCurrent_v2(&now), 0);
    cuda->raw_free(t.dev, raw);
    tear_down(&t);
    assert_int_equal(on.cuDevicePrimaryCtxRelease_v2(0), 0);
}

/* ---- running ----------------------------------------------------------------------------------- */

static int report_count(void)
{
    const char *reason = NULL;
    uint32_t count = UINT32_MAX;
    quern_status status = cuda->count(&count, &reason);
    if (getenv("QN_ONLY_NVRTC") != NULL) {
        const char *why = "";
        const struct qn_nvrtc *nvrtc = qn_nvrtc(qn_cuda(NULL)->version, &why);
        (void)printf("%s%s", nvrtc != NULL ? "NVRTC " : "",
                     nvrtc != NULL ? qn_nvrtc_version(nvrtc) : why);
        return 0;
    }
    (void)printf("%d %u %s\n", (int)status, count, reason);
    return 0;
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1 && strcmp(argv[1], "--count") == 0) return report_count();
    int absent = find_standin();
    if (absent) return absent;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_having_no_device_is_a_reason),
        cmocka_unit_test(devices_are_counted),
        cmocka_unit_test(nvrtc_is_chosen_by_the_driver_and_what_was_tried_is_kept),
        TEST(capabilities_describe_the_device),
        TEST(an_index_that_is_not_there_is_no_device),
        TEST(notes_name_the_libraries),
        TEST(bytes_go_there_and_back_at_any_offset),
        TEST(views_outside_their_block_are_refused),
        TEST(too_much_memory_is_out_of_memory_and_harmless),
        TEST(memory_of_others_is_used_where_it_is),
        TEST(what_others_have_under_way_is_waited_for),
        TEST(pinned_memory_stages_copies),
        TEST(a_kernel_compiles_and_runs),
        TEST(an_unknown_newer_device_gets_ptx),
        TEST(a_device_too_old_for_the_compiler_is_unsupported),
        TEST(a_rejected_kernel_brings_the_compilers_words),
        TEST(launches_that_cannot_be_are_refused),
        TEST(images_are_saved_and_loaded_and_damage_is_noticed),
        TEST(the_librarys_kernels_come_from_their_ahead_of_time_images),
        TEST(an_image_that_does_not_serve_the_device_is_compiled_anew),
        TEST(kernels_keep_the_rules_of_arithmetic_in_ptx),
        TEST(events_order_queues_and_tell_time),
        TEST(the_callers_current_context_stays),
    };
    return cmocka_run_group_tests_name("cuda driver on the stand-in", tests, NULL, NULL);
}
