/* SPDX-License-Identifier: Apache-2.0
 * Every embedded kernel text through NVRTC, as a machine without nvcc compiles it at run time: for
 * the oldest and the newest architecture that it knows, with an empty log. Needs no GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/os.h"
#include "host/device/device.h"
#include "host/ops/generate_rows.h"

struct nvrtc_handle;
static int (*create)(struct nvrtc_handle **, const char *, const char *, int, const char *const *,
                     const char *const *);
static int (*compile)(struct nvrtc_handle *, int, const char *const *);
static int (*log_size)(struct nvrtc_handle *, size_t *);
static int (*log_text)(struct nvrtc_handle *, char *);
static int (*destroy)(struct nvrtc_handle **);
static int (*arch_count)(int *);
static int (*arch_list)(int *);

static int load(void)
{
    static const char *const names[] = {
        "libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so.13",
        "/usr/local/cuda/lib64/libnvrtc.so.12", "/usr/local/cuda/lib/libnvrtc.so.13"};
    const char *why = "";
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && library == NULL; i++)
        library = qn_library_open(names[i], &why);
    if (library == NULL) {
        print_message("no NVRTC: %s\n", why);
        return 0;
    }
    *(void **)&create = qn_library_symbol(library, "nvrtcCreateProgram");
    *(void **)&compile = qn_library_symbol(library, "nvrtcCompileProgram");
    *(void **)&log_size = qn_library_symbol(library, "nvrtcGetProgramLogSize");
    *(void **)&log_text = qn_library_symbol(library, "nvrtcGetProgramLog");
    *(void **)&destroy = qn_library_symbol(library, "nvrtcDestroyProgram");
    *(void **)&arch_count = qn_library_symbol(library, "nvrtcGetNumSupportedArchs");
    *(void **)&arch_list = qn_library_symbol(library, "nvrtcGetSupportedArchs");
    return create != NULL && compile != NULL && log_size != NULL && log_text != NULL &&
           destroy != NULL && arch_count != NULL && arch_list != NULL;
}

static void compile_for(const struct qn_source *source, int arch)
{
    struct nvrtc_handle *program = NULL;
    size_t size = 0;
    char option[64];
    const char *options[] = {option, "--fmad=false", "--device-as-default-execution-space"};
    (void)snprintf(option, sizeof option, "--gpu-architecture=compute_%d", arch);
    assert_int_equal(create(&program, source->text, source->name, 0, NULL, NULL), 0);
    int code = compile(program, 2, options);
    assert_int_equal(log_size(program, &size), 0);
    char *text = calloc(size + 1, 1);
    assert_non_null(text);
    assert_int_equal(log_text(program, text), 0);
    if (code != 0 || text[0] != '\0')
        fail_msg("%s for compute_%d: code %d: %s", source->name, arch, code, text);
    free(text);
    destroy(&program);
}

static void every_text_compiles_with_an_empty_log(void **state)
{
    static const char *const names[] = {"moments",  "weighted",  "paired", "powers",
                                        "extremes", "histogram", "run",    "csr"};
    int count = 0, archs[64];
    (void)state;
    if (!load()) {
        if (getenv("QUERN_REQUIRE") != NULL && strstr(getenv("QUERN_REQUIRE"), "nvrtc") != NULL)
            fail_msg("QUERN_REQUIRE asks for nvrtc");
        skip();
    }
    assert_int_equal(arch_count(&count), 0);
    assert_in_range(count, 1, 64);
    assert_int_equal(arch_list(archs), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct qn_source *source = qn_kernel_source(names[i]);
        assert_non_null(source);
        compile_for(source, archs[0]);
        compile_for(source, archs[count - 1]);
    }
}

/* Products of two columns of each type, into rows or columns: a kernel that is only made at run time. */
static void a_kernel_for_joined_columns_compiles_with_an_empty_log(void **state)
{
    enum { N = 4 };
    struct qn_lane lanes[N], operands[N];
    struct qn_op ops[2 * N];
    struct qn_slot slots[N];
    uint32_t seen[N];
    uint64_t words[2] = {0};
    int archs[64];
    (void)state;
    if (!load()) skip(); /* the other test has failed where it must be there */
    assert_int_equal(arch_list(archs), 0);
    for (int by_rows = 0; by_rows < 2; by_rows++) {
        for (uint32_t i = 0; i < N; i++) {
            uint32_t type = i % 2 ? QN_T_F64 : QN_T_F32, work = i % 2 ? QN_W_F64 : QN_W_F32;
            operands[i] = (struct qn_lane){.offset = 80000 * (uint64_t)i,
                                           .stride = 8,
                                           .valid_bit = i == 1 ? 64 : QN_NO_VALIDITY,
                                           .type = type,
                                           .work = work};
            lanes[i] = operands[i];
            lanes[i].first_op = 2 * i;
            lanes[i].n_ops = 2;
            ops[2 * i] = (struct qn_op){.code = QN_OP_TAKE, .work = work, .arg = (i + 2) % N};
            ops[2 * i + 1] = (struct qn_op){.code = QN_OP_JOIN_MUL, .work = work};
            slots[i] = (struct qn_slot){.offset = by_rows ? 8 * i : 80000 * (uint64_t)i,
                                        .stride = by_rows ? 8 * N : 8,
                                        .type = QN_T_F64,
                                        .lane = i,
                                        .match = QN_MATCH_VALUE};
        }
        struct qn_run_request rq = {.batch = {.rows = 10000,
                                              .lanes = lanes,
                                              .n_lanes = N,
                                              .operands = operands,
                                              .n_operands = N,
                                              .n_ops = 2 * N,
                                              .n_words = 2,
                                              .ops = ops,
                                              .words = words},
                                    .slots = slots,
                                    .n_slots = N,
                                    .seen = seen};
        struct qn_row_program program;
        assert_null(qn_row_program_refuse(&rq));
        assert_int_equal(qn_row_program_make(&rq, &program), QUERN_OK);
        struct qn_source source = {.name = "program", .text = program.text, .bytes = program.bytes};
        compile_for(&source, archs[0]);
        qn_row_program_free(&program);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_compiles_with_an_empty_log),
        cmocka_unit_test(a_kernel_for_joined_columns_compiles_with_an_empty_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
