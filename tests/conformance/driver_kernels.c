/* SPDX-License-Identifier: Apache-2.0
 * The driver suite: kernels, their images and their arguments; and, since it takes everything a
 * driver has, what happens when memory for the library itself runs out. */
#include "tests/conformance/driver_rig.h"

/* Each group writes its own run of words; row y of the grid adds 1000 y. */
static const char words_text[] =
    "KERNEL void add_words(GLOBAL const u32 *x, GLOBAL u32 *y, u32 a, u64 n)\n"
    "{\n"
    "    u64 i = (u64)GROUP(0) * ITEMS + ITEM;\n"
    "    if (i < n) y[(u64)GROUP(1) * n + i] = x[i] + a + 1000u * GROUP(1);\n"
    "}\n"
    "KERNEL void is_null(GLOBAL const u32 *x, GLOBAL u32 *y)\n"
    "{\n"
    "    if (ITEM == 0 && GROUP(0) == 0) y[0] = x == 0 ? FLAG : 0u;\n"
    "}\n";
/* A denormal product, a fused multiply-add whose rounding differs from two, a true division. */
static const char doubles_text[] =
    "#if defined(__OPENCL_VERSION__)\n"
    "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
    "#endif\n"
    "KERNEL void doubles(GLOBAL const double *x, GLOBAL double *y, double f)\n"
    "{\n"
    "    if (ITEM != 0) return;\n"
    "    y[0] = x[0] * f;\n"
    "    y[1] = fma(x[1], x[1], x[2]);\n"
    "    y[2] = x[1] * x[1] + x[2];\n"
    "    y[3] = x[3] / x[4];\n"
    "}\n";
static const char floats_text[] = "KERNEL void floats(GLOBAL const float *x, GLOBAL float *y)\n"
                                  "{\n"
                                  "    if (ITEM != 0) return;\n"
                                  "    y[0] = x[0] * x[5];\n"
                                  "    y[1] = fma(x[1], x[1], x[2]);\n"
                                  "    y[2] = x[1] * x[1] + x[2];\n"
                                  "    y[3] = x[3] / x[4];\n"
                                  "}\n";

void kernels_of_null(void *user, const char *kernel, const struct qn_grid *grid,
                     const struct qn_arg *args, uint32_t n_args)
{
    (void)user;
    (void)n_args;
    const void *x = qn_null_memory(args[0].u.view);
    void *y = qn_null_memory(args[1].u.view);
    if (strcmp(kernel, "is_null") == 0) {
        *(uint32_t *)y = x == NULL ? 5 : 0;
    } else if (strcmp(kernel, "add_words") == 0) {
        uint64_t n = args[3].u.u64;
        for (uint32_t g = 0; g < grid->groups[1]; g++)
            for (uint64_t i = 0; i < (uint64_t)grid->groups[0] * grid->items && i < n; i++)
                ((uint32_t *)y)[g * n + i] = ((const uint32_t *)x)[i] + args[2].u.u32 + 1000u * g;
    } else if (strcmp(kernel, "doubles") == 0) {
        const double *in = x;
        const double fused = 1.0 / (double)((uint64_t)1 << 60);
        ((double *)y)[0] = in[0] * args[2].u.f64;
        ((double *)y)[1] = fused; /* exactly, for the input below */
        ((double *)y)[2] = in[1] * in[1] + in[2];
        ((double *)y)[3] = in[3] / in[4];
    } else {
        const float *in = x;
        ((float *)y)[0] = in[0] * in[5];
        ((float *)y)[1] = 1.0f / (float)(1u << 28);
        ((float *)y)[2] = in[1] * in[1] + in[2];
        ((float *)y)[3] = in[3] / in[4];
    }
}

struct program {
    char text[4096];
    struct qn_source source;
};

static struct qn_source *source_of(struct program *program, const char *text)
{
    (void)snprintf(program->text, sizeof program->text, "%s%s", qn_test_prelude, text);
    program->source =
        (struct qn_source){"conformance", program->text, strlen(program->text), "-DFLAG=5u", NULL};
    return &program->source;
}

static struct qn_arg view_arg(struct qn_raw *raw, uint64_t offset, uint64_t size)
{
    return (struct qn_arg){QN_ARG_VIEW, {.view = {raw, offset, size}}};
}

static struct qn_arg u32_arg(uint32_t value)
{
    return (struct qn_arg){QN_ARG_U32, {.u32 = value}};
}

static struct qn_arg u64_arg(uint64_t value)
{
    return (struct qn_arg){QN_ARG_U64, {.u64 = value}};
}

/* x at one place of a block, y at another, both with memory in front and behind that must not be
 * touched; one, two and many groups; two rows. */
static void run_words(struct rig *rig, struct qn_kernel *kernel)
{
    enum { MOST = 5000 };
    static const uint32_t counts[] = {1, 63, 64, 65, MOST};
    static uint32_t x[MOST], back[2 * MOST + 2];
    uint32_t items = rig->caps.max_group < 64 ? rig->caps.max_group : 64;
    uint64_t from = aligned(rig, 4 * MOST), to = aligned(rig, 1);
    struct qn_raw *in = NULL, *out = NULL;
    OK(rig->driver->raw_alloc(rig->dev, from + 4 * MOST, &in));
    OK(rig->driver->raw_alloc(rig->dev, to + 4 * (2 * MOST + 1), &out));
    for (uint32_t i = 0; i < MOST; i++) x[i] = 3 * i + 1;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        uint32_t n = counts[c];
        const struct qn_arg args[] = {view_arg(in, from, 4 * n), view_arg(out, to, 8 * n),
                                      u32_arg(7), u64_arg(n)};
        const struct qn_grid grid = {{(n + items - 1) / items, 2}, items};
        OK(rig->driver->fill(rig->queues[0], whole(out, to + 4 * (2 * MOST + 1)), 0xEEEEEEEE));
        OK(rig->driver->upload(rig->queues[0], (struct qn_view){in, from, 4 * n}, x, QN_NO_WAIT));
        OK(rig->driver->launch(rig->queues[0], kernel, &grid, args, 4));
        get(rig, back, (struct qn_view){out, to - 4, 8 * n + 8});
        assert_int_equal(back[0], 0xEEEEEEEE);
        assert_int_equal(back[2 * n + 1], 0xEEEEEEEE);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(back[1 + i], x[i] + 7);
            assert_int_equal(back[1 + n + i], x[i] + 1007);
        }
    }
    rig->driver->raw_free(rig->dev, in);
    rig->driver->raw_free(rig->dev, out);
}

void a_kernel_compiles_and_runs(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL, *again = NULL;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "add_words", &kernel));
    OK(rig->driver->kernel_get(module, "add_words", &again));
    run_words(rig, kernel);
    run_words(rig, again);
    rig->driver->module_free(rig->dev, module);
    rig->driver->module_free(rig->dev, NULL);
}

void no_memory_is_a_null_pointer(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *out = NULL;
    uint32_t word = 0;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "is_null", &kernel));
    OK(rig->driver->raw_alloc(rig->dev, 4096, &out));
    const struct qn_arg args[] = {view_arg(NULL, 0, 0), view_arg(out, 0, 4)};
    OK(rig->driver->launch(rig->queues[0], kernel, &(struct qn_grid){{1, 1}, 1}, args, 2));
    get(rig, &word, whole(out, 4));
    assert_int_equal(word, 5); /* the option's value: -DFLAG=5u arrived */
    rig->driver->raw_free(rig->dev, out);
    rig->driver->module_free(rig->dev, module);
}

/* More places in one block than any cache of places would keep, then the first ones again. */
void many_views_of_one_block_stay_apart(void **state)
{
    struct rig *rig = rig_of(state);
    enum { PLACES = 300 };
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *raw = NULL;
    uint32_t word = 0;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    uint64_t step = aligned(rig, 4), size = step * (PLACES + 1);
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "add_words", &kernel));
    OK(rig->driver->raw_alloc(rig->dev, size, &raw));
    OK(rig->driver->fill(rig->queues[0], whole(raw, size), 0));
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < PLACES; i++) { /* word i+1 = word i + 1 + round */
            const struct qn_arg args[] = {view_arg(raw, i * step, 4),
                                          view_arg(raw, (i + 1) * step, 4), u32_arg(1 + round),
                                          u64_arg(1)};
            OK(rig->driver->launch(rig->queues[0], kernel, &(struct qn_grid){{1, 1}, 1}, args, 4));
        }
        get(rig, &word, (struct qn_view){raw, PLACES * step, 4});
        assert_int_equal(word, PLACES * (1 + round));
    }
    rig->driver->raw_free(rig->dev, raw);
    rig->driver->module_free(rig->dev, module);
}

void two_queues_run_kernels_in_the_order_of_events(void **state)
{
    struct rig *rig = rig_of(state);
    enum { N = 1000, ROUNDS = 30 };
    static struct program program;
    static uint32_t back[N];
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *a = NULL, *b = NULL;
    struct qn_event *events[2] = {NULL, NULL};
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "add_words", &kernel));
    OK(rig->driver->raw_alloc(rig->dev, 4 * N, &a));
    OK(rig->driver->raw_alloc(rig->dev, 4 * N, &b));
    OK(rig->driver->event_open(rig->dev, &events[0]));
    OK(rig->driver->event_open(rig->dev, &events[1]));
    OK(rig->driver->fill(rig->queues[0], whole(a, 4 * N), 0));
    const struct qn_grid grid = {{(N + 31) / 32, 1}, 32};
    for (uint32_t r = 0; r < 2 * ROUNDS; r++) {
        uint32_t q = r % 2;
        const struct qn_arg args[] = {view_arg(q == 0 ? a : b, 0, 4 * N),
                                      view_arg(q == 0 ? b : a, 0, 4 * N), u32_arg(r), u64_arg(N)};
        OK(rig->driver->queue_wait(rig->queues[q], events[1 - q]));
        OK(rig->driver->launch(rig->queues[q], kernel, &grid, args, 4));
        OK(rig->driver->event_record(rig->queues[q], events[q]));
    }
    OK(rig->driver->finish(rig->queues[1]));
    get(rig, back, whole(a, 4 * N));
    for (size_t i = 0; i < N; i++) assert_int_equal(back[i], 2 * ROUNDS * (2 * ROUNDS - 1) / 2);
    for (int i = 0; i < 2; i++) rig->driver->event_close(rig->dev, events[i]);
    rig->driver->raw_free(rig->dev, a);
    rig->driver->raw_free(rig->dev, b);
    rig->driver->module_free(rig->dev, module);
}

void a_kernel_works_on_wrapped_memory(void **state)
{
    struct rig *rig = rig_of(state);
    enum { N = 4096 };
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *in = NULL, *out = NULL;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    need_feature(rig, QN_FEATURE_WRAP, "use of the caller's memory in place");
    uint32_t *x = aligned_alloc(4096, 4 * N), *y = aligned_alloc(4096, 4 * N);
    assert_non_null(x);
    assert_non_null(y);
    for (uint32_t i = 0; i < N; i++) x[i] = i * i;
    memset(y, 0, 4 * N);
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "add_words", &kernel));
    OK(rig->driver->raw_wrap(rig->dev, x, 4 * N, 0, &in));
    OK(rig->driver->raw_wrap(rig->dev, y, 4 * N, 1, &out));
    const struct qn_arg args[] = {view_arg(in, 0, 4 * N), view_arg(out, 0, 4 * N), u32_arg(9),
                                  u64_arg(N)};
    OK(rig->driver->launch(rig->queues[0], kernel, &(struct qn_grid){{N / 64, 1}, 64}, args, 4));
    OK(rig->driver->finish(rig->queues[0]));
    rig->driver->raw_free(rig->dev, out);
    rig->driver->raw_free(rig->dev, in);
    for (uint32_t i = 0; i < N; i++) assert_int_equal(y[i], i * i + 9);
    rig->driver->module_free(rig->dev, module);
    free(x);
    free(y);
}

void doubles_round_as_they_should(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *raw = NULL;
    need_feature(rig, QN_FEATURE_KERNELS | QN_FEATURE_F64, "float64 kernels");
    const double one = 1.0 + 1.0 / (double)(1 << 30), minus = -(1.0 + 2.0 / (double)(1 << 30));
    const double x[5] = {2.2250738585072014e-308, one, minus, 1.0, 3.0};
    double y[4] = {0};
    uint64_t to = aligned(rig, sizeof x);
    OK(rig->driver->compile(rig->dev, source_of(&program, doubles_text), &module));
    OK(rig->driver->kernel_get(module, "doubles", &kernel));
    OK(rig->driver->raw_alloc(rig->dev, to + sizeof y, &raw));
    OK(rig->driver->upload(rig->queues[0], whole(raw, sizeof x), x, QN_WAIT));
    const struct qn_arg args[] = {
        view_arg(raw, 0, sizeof x), view_arg(raw, to, sizeof y), {QN_ARG_F64, {.f64 = 0.125}}};
    OK(rig->driver->launch(rig->queues[0], kernel, &(struct qn_grid){{1, 1}, 1}, args, 3));
    get(rig, y, (struct qn_view){raw, to, sizeof y});
    assert_true(y[0] == 2.2250738585072014e-308 * 0.125);   /* denormal, not 0 */
    assert_true(y[1] == 1.0 / (double)((uint64_t)1 << 60)); /* what one rounding leaves */
    assert_true(y[2] == 0.0);                               /* two roundings: no contraction */
    assert_true(y[3] == 1.0 / 3.0);
    rig->driver->raw_free(rig->dev, raw);
    rig->driver->module_free(rig->dev, module);
}

void floats_round_as_they_should(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *raw = NULL;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    const float one = 1.0f + 1.0f / 16384.0f, minus = -(1.0f + 2.0f / 16384.0f);
    const float x[6] = {1.17549435e-38f, one, minus, 1.0f, 3.0f, 0.125f};
    float y[4] = {0};
    uint64_t to = aligned(rig, sizeof x);
    OK(rig->driver->compile(rig->dev, source_of(&program, floats_text), &module));
    OK(rig->driver->kernel_get(module, "floats", &kernel));
    OK(rig->driver->raw_alloc(rig->dev, to + sizeof y, &raw));
    OK(rig->driver->upload(rig->queues[0], whole(raw, sizeof x), x, QN_WAIT));
    const struct qn_arg args[] = {view_arg(raw, 0, sizeof x), view_arg(raw, to, sizeof y)};
    OK(rig->driver->launch(rig->queues[0], kernel, &(struct qn_grid){{1, 1}, 1}, args, 2));
    get(rig, y, (struct qn_view){raw, to, sizeof y});
    assert_true(y[0] == 1.17549435e-38f * 0.125f);
    assert_true(y[1] == 1.0f / (float)(1u << 28));
    assert_true(y[2] == 0.0f);
    if ((rig->caps.features & QN_FEATURE_EXACT_DIV) != 0) assert_true(y[3] == 1.0f / 3.0f);
    rig->driver->raw_free(rig->dev, raw);
    rig->driver->module_free(rig->dev, module);
}

void an_image_makes_the_same_kernels(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL, *loaded = NULL;
    struct qn_kernel *kernel = NULL;
    void *image = NULL;
    size_t size = 0;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    if (!QN_HAS(rig->driver, image_save) || !QN_HAS(rig->driver, image_load)) {
        (void)fprintf(stderr, "%s offers no images\n", rig->subject->id);
        skip();
    }
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "add_words", &kernel));
    run_words(rig, kernel);
    OK(rig->driver->image_save(module, &image, &size));
    assert_non_null(image);
    assert_true(size > 0);
    rig->driver->module_free(rig->dev, module);
    OK(rig->driver->image_load(rig->dev, &program.source, image, size, &loaded));
    OK(rig->driver->kernel_get(loaded, "add_words", &kernel));
    run_words(rig, kernel);
    rig->driver->module_free(rig->dev, loaded);
    /* Damaged images are refused (the cache on disk is somebody else's file after all). */
    loaded = NULL;
    REFUSED(rig->driver->image_load(rig->dev, &program.source, image, 0, &loaded));
    assert_null(loaded);
    memset(image, 0x5A, size < 64 ? size : 64);
    REFUSED(rig->driver->image_load(rig->dev, &program.source, image, size, &loaded));
    assert_null(loaded);
    qn_free(image);
}

void a_rejected_source_keeps_the_compilers_words(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    qn_error_clear();
    assert_int_equal(rig->driver->compile(
                         rig->dev, source_of(&program, "#error the moon is made of\n"), &module),
                     QUERN_COMPILE);
    assert_null(module);
    assert_non_null(strstr(qn_error_text(), "conformance"));
    if (rig->driver != &qn_driver_null) assert_non_null(strstr(qn_error_text(), "the moon"));
    /* and the device still works */
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    rig->driver->module_free(rig->dev, module);
}

void an_unknown_kernel_is_named(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    REFUSED(rig->driver->kernel_get(module, "no_such_kernel", &kernel));
    assert_null(kernel);
    assert_non_null(strstr(qn_error_text(), "no_such_kernel"));
    rig->driver->module_free(rig->dev, module);
}

void impossible_launches_are_refused(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    struct qn_raw *raw = NULL;
    need_feature(rig, QN_FEATURE_KERNELS, "portable kernels");
    OK(rig->driver->compile(rig->dev, source_of(&program, words_text), &module));
    OK(rig->driver->kernel_get(module, "add_words", &kernel));
    OK(rig->driver->raw_alloc(rig->dev, 4096, &raw));
    const struct qn_arg args[] = {view_arg(raw, 0, 1024), view_arg(raw, aligned(rig, 1024), 1024),
                                  u32_arg(1), u64_arg(1)};
    const struct qn_grid grids[] = {
        {{0, 1}, 1}, {{1, 0}, 1}, {{1, 1}, 0}, {{1, 1}, rig->caps.max_group + 1}};
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++)
        REFUSED(rig->driver->launch(rig->queues[0], kernel, &grids[i], args, 4));
    const struct qn_grid one = {{1, 1}, 1};
    struct qn_arg outside[4];
    memcpy(outside, args, sizeof outside);
    outside[1] = view_arg(raw, 0, 4097);
    REFUSED(rig->driver->launch(rig->queues[0], kernel, &one, outside, 4));
    OK(rig->driver->launch(rig->queues[0], kernel, &one, args, 4));
    OK(rig->driver->finish(rig->queues[0]));
    rig->driver->raw_free(rig->dev, raw);
    rig->driver->module_free(rig->dev, module);
}

/* ---- the library's own memory runs out ---- */

static quern_status use_everything(struct rig *rig, const struct qn_source *source)
{
    const struct qn_driver *d = rig->driver;
    quern_status status = QUERN_OK;
    struct qn_dev *dev = NULL;
    struct qn_queue *queue = NULL;
    struct qn_event *event = NULL;
    struct qn_raw *raw = NULL, *wrapped = NULL;
    struct qn_module *module = NULL;
    struct qn_kernel *kernel = NULL;
    void *pinned = NULL, *image = NULL, *memory = aligned_alloc(4096, 4096);
    size_t size = 0;
    uint64_t offset = aligned(rig, 64);
    assert_non_null(memory);
    QN_GO(d->open(rig->subject->index, &dev));
    QN_GO(d->queue_open(dev, &queue));
    QN_GO(d->event_open(dev, &event));
    QN_GO(d->raw_alloc(dev, offset + 64, &raw));
    QN_GO(d->fill(queue, whole(raw, offset + 64), 0));
    if (QN_HAS(d, pinned_alloc)) QN_GO(d->pinned_alloc(dev, 4096, &pinned));
    if ((rig->caps.features & QN_FEATURE_WRAP) != 0)
        QN_GO(d->raw_wrap(dev, memory, 4096, 1, &wrapped));
    if ((rig->caps.features & QN_FEATURE_KERNELS) != 0) {
        const struct qn_arg args[] = {view_arg(raw, 0, 64), view_arg(raw, offset, 64), u32_arg(1),
                                      u64_arg(16)};
        QN_GO(d->compile(dev, source, &module));
        QN_GO(d->kernel_get(module, "add_words", &kernel));
        QN_GO(d->launch(queue, kernel, &(struct qn_grid){{1, 1}, 16}, args, 4));
        if (QN_HAS(d, image_save)) QN_GO(d->image_save(module, &image, &size));
    }
    QN_GO(d->event_record(queue, event));
    QN_GO(d->finish(queue));
cleanup:
    if (queue != NULL) (void)d->finish(queue);
    qn_free(image);
    if (module != NULL) d->module_free(dev, module);
    d->raw_free(dev, wrapped);
    if (pinned != NULL) d->pinned_free(dev, pinned);
    d->raw_free(dev, raw);
    d->event_close(dev, event);
    if (queue != NULL) d->queue_close(dev, queue);
    d->close(dev);
    free(memory);
    return status;
}

/* Whichever allocation fails, it is told, and what was made before can be given back (the
 * sanitizers see what was not). */
void every_allocation_may_fail(void **state)
{
    struct rig *rig = rig_of(state);
    static struct program program;
    const struct qn_source *source = source_of(&program, words_text);
    for (uint64_t k = 1; k < 1000; k++) {
        qn_error_clear();
        (void)qn_alloc_fail_at(k);
        quern_status status = use_everything(rig, source);
        uint64_t made = qn_alloc_fail_at(0);
        if (made < k) {
            OK(status);
            return;
        }
        if (status == QUERN_OK) continue; /* another way was found */
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        assert_true(qn_error_text()[0] != '\0');
    }
    fail_msg("using a device takes a thousand allocations");
}
