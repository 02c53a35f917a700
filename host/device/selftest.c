/* SPDX-License-Identifier: Apache-2.0
 *
 * About five thousand operations on values where arithmetic goes wrong if it does (subnormals,
 * rounding ties, overflow, NaN) and on pseudo-random ones, in one launch, compared with the host bit
 * by bit. What fails decides what is lost: float32 arithmetic or integers, every kernel; float64,
 * double and with it every kernel, since parameters are doubles; float32 division, only the device's
 * own division (kernels then go through double). */
#include "host/device/selftest.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "host/core/fp.h"
#include "kernels/arith.h"

enum { RANDOM_CASES = 64, CASE_WORDS = 4, ITEMS = 64, FOUND_MOST = 32 };

static const uint64_t special32[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x00000003,
                                     0x007fffff, 0x00800000, 0x00800001, 0x33800000, 0x34000001,
                                     0x3eaaaaab, 0x3f7fffff, 0x3f800000, 0x3f800001, 0xbf000000,
                                     0x4b800001, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000};
static const uint64_t special64[] = {
    0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x8000000000000001,
    0x000fffffffffffff, 0x0010000000000000, 0x0010000000000001, 0x3ca0000000000000,
    0x3fd5555555555555, 0x3fefffffffffffff, 0x3ff0000000000000, 0x3ff0000000000001,
    0xbfe0000000000000, 0x4340000000000001, 0x36a0000000000000, 0x380fffffe0000000,
    0x47efffffe0000000, 0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff8000000000000};
enum { SPECIALS = sizeof special32 / sizeof special32[0] };

static const struct op_words {
    const char *words;
    uint32_t loses; /* the features that go when it fails */
} ops[QN_ARITH_OPS] = {
    [QN_ARITH_ADD32] = {"float32 addition", QN_FEATURE_KERNELS},
    [QN_ARITH_SUB32] = {"float32 subtraction", QN_FEATURE_KERNELS},
    [QN_ARITH_MUL32] = {"float32 multiplication", QN_FEATURE_KERNELS},
    [QN_ARITH_MULADD32] = {"float32 multiply, then add", QN_FEATURE_KERNELS},
    [QN_ARITH_LESS32] = {"float32 comparison", QN_FEATURE_KERNELS},
    [QN_ARITH_WIDEN32] = {"float32 to float64", QN_FEATURE_KERNELS},
    [QN_ARITH_NARROW64] = {"float64 to float32", QN_FEATURE_KERNELS},
    [QN_ARITH_INTEGER] = {"64-bit integers", QN_FEATURE_KERNELS},
    [QN_ARITH_DIV32] = {"float32 division", QN_FEATURE_EXACT_DIV},
    [QN_ARITH_SQRT32] = {"float32 square root", QN_FEATURE_EXACT_DIV},
    [QN_ARITH_ADD64] = {"float64 addition", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_SUB64] = {"float64 subtraction", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_MUL64] = {"float64 multiplication", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_MULADD64] = {"float64 multiply, then add", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_FMA64] = {"float64 fma", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_DIV64] = {"float64 division", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_SQRT64] = {"float64 square root", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_LESS64] = {"float64 comparison", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
    [QN_ARITH_FROM_I64] = {"int64 to float64", QN_FEATURE_F64 | QN_FEATURE_KERNELS},
};

/* ---- what was found, once per process ---- */

struct found {
    const struct qn_driver *driver;
    uint32_t index, loses;
    char uid[64], version[160], words[256];
};
static pthread_mutex_t found_lock = PTHREAD_MUTEX_INITIALIZER;
static struct found found[FOUND_MOST];
static uint32_t n_found;

static void apply(struct qn_device *device, const struct found *f)
{
    device->caps.features &= ~f->loses;
    (void)snprintf(device->limits, sizeof device->limits, "%s", f->words);
}

static int recall(struct qn_device *device)
{
    int known = 0;
    pthread_mutex_lock(&found_lock);
    for (uint32_t i = 0; i < n_found && !known; i++) {
        const struct found *f = &found[i];
        if (f->driver != device->driver || f->index != device->index ||
            strcmp(f->uid, device->caps.uid) != 0 || strcmp(f->version, device->caps.driver) != 0)
            continue;
        apply(device, f);
        known = 1;
    }
    pthread_mutex_unlock(&found_lock);
    return known;
}

static void remember(const struct found *f)
{
    pthread_mutex_lock(&found_lock);
    if (n_found < FOUND_MOST) found[n_found++] = *f;
    pthread_mutex_unlock(&found_lock);
}

void qn_self_test_forget(void)
{
    pthread_mutex_lock(&found_lock);
    n_found = 0;
    pthread_mutex_unlock(&found_lock);
}

/* ---- the cases ---- */

struct cases {
    uint64_t *words; /* NULL while counting */
    uint32_t n;
};

static void add_case(struct cases *cases, uint32_t op, uint64_t a, uint64_t b, uint64_t c)
{
    if (cases->words != NULL) {
        uint64_t *w = cases->words + (size_t)cases->n * CASE_WORDS;
        w[0] = op;
        w[1] = a;
        w[2] = b;
        w[3] = c;
    }
    cases->n++;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

/* Mid-range values: the specials have the edges. */
static uint64_t random_value(uint64_t *state, int wide)
{
    uint64_t r = next_random(state);
    if (wide) return (r & 0x800fffffffffffffu) | ((uint64_t)(960 + (r >> 52) % 128) << 52);
    return (r & 0x807fffffu) | ((112 + (r >> 40) % 32) << 23);
}

static void make_cases(struct cases *cases)
{
    uint64_t state = 20240229;
    for (uint32_t op = 0; op < QN_ARITH_OPS; op++) {
        int wide = op >= QN_ARITH_ADD64 || op == QN_ARITH_NARROW64 || op == QN_ARITH_INTEGER;
        int one = op == QN_ARITH_WIDEN32 || op == QN_ARITH_NARROW64 || op == QN_ARITH_SQRT32 ||
                  op == QN_ARITH_SQRT64 || op == QN_ARITH_FROM_I64;
        const uint64_t *special = wide ? special64 : special32;
        for (uint32_t i = 0; i < SPECIALS; i++) {
            for (uint32_t j = 0; j < (one ? 1 : SPECIALS); j++)
                add_case(cases, op, special[i], special[j], special[(i + 3 * j) % SPECIALS]);
        }
        for (uint32_t i = 0; i < RANDOM_CASES; i++) {
            uint64_t a = random_value(&state, wide), b = random_value(&state, wide);
            add_case(cases, op, a, b, random_value(&state, wide));
        }
    }
}

/* ---- one run ---- */

/* The memory comes from a pool of its own, so that the user's limit and statistics know nothing of
 * the test. */
static quern_status launch(struct qn_device *device, struct qn_pool *pool, uint32_t queue,
                           const struct cases *cases, uint64_t *results)
{
    quern_status status = QUERN_OK;
    struct qn_span in = {0}, out = {0};
    struct qn_kernel *kernel;
    const struct qn_source *text = qn_kernel_source("selftest");
    if (text == NULL) return qn_error(QUERN_INTERNAL, "the self test's text is not in this build");
    struct qn_source source = *text;
    source.options = (device->caps.features & QN_FEATURE_EXACT_DIV) != 0 ? "-DQN_EXACT_DIV=1" : "";
    uint32_t most = device->caps.max_group, items = most != 0 && most < ITEMS ? most : ITEMS;
    uint64_t words = (uint64_t)cases->n * sizeof *cases->words;
    QN_GO(qn_device_kernel(device, &source, "qn_selftest", &kernel));
    QN_GO(qn_pool_take(pool, queue, words * CASE_WORDS, &in));
    QN_GO(qn_pool_take(pool, queue, words, &out));
    qn_pool_submitted(pool, queue); /* whatever happens below: closing waits for it */
    QN_GO(qn_device_put(device, 0, in.view, cases->words));
    /* A kernel that does nothing must not be saved by what an earlier one left in this memory. */
    QN_GO(qn_device_fill(device, 0, out.view, 0xDEADBEEFu));
    struct qn_grid grid = {.groups = {(cases->n + items - 1) / items, 1}, .items = items};
    struct qn_arg args[] = {{.kind = QN_ARG_VIEW, .u.view = in.view},
                            {.kind = QN_ARG_VIEW, .u.view = out.view},
                            {.kind = QN_ARG_U32, .u.u32 = cases->n},
                            {.kind = QN_ARG_U32, .u.u32 = items}};
    QN_GO(qn_device_launch(device, 0, kernel, &grid, args, 4));
    QN_GO(qn_device_get(device, 0, results, out.view));
cleanup:
    qn_pool_give(pool, queue, &in);
    qn_pool_give(pool, queue, &out);
    return status;
}

static quern_status run(struct qn_device *device, const struct cases *cases, uint64_t *results)
{
    struct qn_pool_config config = {.slab = (uint64_t)1 << 20};
    struct qn_failure failure;
    struct qn_pool *pool;
    uint32_t queue;
    QN_TRY(qn_pool_open(device->driver, device->dev, &device->caps, &config, &pool));
    quern_status status = qn_pool_queue(pool, device->queues[0], &queue);
    if (status == QUERN_OK) status = launch(device, pool, queue, cases, results);
    qn_error_take(&failure, status);
    (void)qn_pool_close(pool); /* everything was given back */
    return qn_error_put(&failure);
}

static void judge(const struct cases *cases, const uint64_t *results, struct found *f)
{
    size_t used = 0;
    uint32_t told = QN_ARITH_OPS;
    struct qn_fp fp = qn_fp_enter();
    for (uint32_t i = 0; i < cases->n; i++) {
        const uint64_t *w = cases->words + (size_t)i * CASE_WORDS;
        uint32_t op = (uint32_t)w[0];
        uint64_t right = qn_arith(op, w[1], w[2], w[3]);
        if (results[i] == right) continue;
        f->loses |= ops[op].loses;
        if (op == told) continue; /* one example per operation */
        told = op;
        int n = snprintf(f->words + used, sizeof f->words - used,
                         "%s%s is wrong (%" PRIx64 ", %" PRIx64 ": %" PRIx64 ", not %" PRIx64 ")",
                         used != 0 ? "; " : "", ops[op].words, w[1], w[2], results[i], right);
        if (n > 0) used += (size_t)n;
        if (used >= sizeof f->words) used = sizeof f->words - 1;
    }
    qn_fp_leave(fp);
}

static quern_status examine(struct qn_device *device, struct found *f)
{
    quern_status status = QUERN_OK;
    struct cases cases = {0};
    uint64_t *results = NULL;
    make_cases(&cases);
    cases.words = qn_alloc((size_t)cases.n * CASE_WORDS, sizeof *cases.words);
    results = qn_alloc(cases.n, sizeof *results);
    if (cases.words == NULL || results == NULL) {
        status = qn_error_memory("self test", (uint64_t)cases.n * 40);
        goto cleanup;
    }
    cases.n = 0;
    make_cases(&cases);
    status = run(device, &cases, results);
    if (status == QUERN_OK) {
        judge(&cases, results, f);
    } else if (status != QUERN_DEVICE_LOST && status != QUERN_OUT_OF_MEMORY) {
        f->loses = QN_FEATURE_KERNELS;
        (void)snprintf(f->words, sizeof f->words, "the self test failed: %s", qn_error_text());
        status = QUERN_OK;
    }
cleanup:
    qn_free(cases.words);
    qn_free(results);
    return status;
}

quern_status qn_self_test(struct qn_device *device)
{
    if ((device->caps.features & QN_FEATURE_KERNELS) == 0 || recall(device)) return QUERN_OK;
    struct found f = {.driver = device->driver, .index = device->index};
    memcpy(f.uid, device->caps.uid, sizeof f.uid);
    memcpy(f.version, device->caps.driver, sizeof f.version);
    if ((device->caps.features & QN_FEATURE_F64) == 0) {
        f.loses = QN_FEATURE_KERNELS;
        (void)snprintf(f.words, sizeof f.words, "no double arithmetic, which every program needs");
    } else {
        QN_TRY(examine(device, &f));
    }
    apply(device, &f);
    remember(&f);
    return QUERN_OK;
}
