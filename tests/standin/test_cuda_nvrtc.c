/* SPDX-License-Identifier: Apache-2.0
 * Every kernel of the library goes through NVRTC for every architecture that its fat binaries are
 * made for, as far as the NVRTC of this machine knows it; where QUERN_ARCHS names some ("75 120"), for one
 * of these, in turn. Needs no GPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/nvrtc.h"
#include "host/device/device.h"
#include "tests/standin/cuda_test.h"

static const char *const sources[] = {"moments",   "weighted",   "paired",  "powers", "extremes",
                                      "histogram", "run",        "csr",     "sort",   "move",
                                      "cast",      "random",     "reduce",  "counts", "covariance",
                                      "pair_sums", "neighbours", "selftest"};
static const uint32_t targets[] = {75, 80, 86, 89, 90, 100, 120};

static int is_named(uint32_t target)
{
    const char *list = getenv("QUERN_ARCHS");
    char *end;
    for (; list != NULL && *list != '\0'; list = *end == ' ' ? end + 1 : end) {
        if (strtoul(list, &end, 10) == target) return 1;
        if (end == list) break;
    }
    return list == NULL;
}

/* The targets that this NVRTC knows, those that are named. */
static size_t wanted(const struct qn_nvrtc *nvrtc, uint32_t *out)
{
    size_t n = 0;
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++)
        if ((int)targets[t] >= qn_nvrtc_oldest(nvrtc) && is_named(targets[t]))
            out[n++] = targets[t];
    return n;
}

static void compile(const struct qn_nvrtc *nvrtc, const char *name, uint32_t target)
{
    void *image = NULL;
    size_t size = 0;
    const struct qn_source *source = qn_kernel_source(name);
    assert_non_null(source);
    OK(qn_nvrtc_compile(nvrtc, source, target, &image, &size));
    assert_true(size > 1000);
    qn_free(image);
}

static void every_kernel_compiles_for_every_architecture(void **state)
{
    (void)state;
    const char *why = "";
    const struct qn_nvrtc *nvrtc = qn_nvrtc(13000, &why);
    uint32_t all[sizeof targets / sizeof targets[0]];
    unsigned compiled = 0;
    if (nvrtc == NULL) {
        (void)fprintf(stderr, "no NVRTC here: %s\n", why);
        skip();
    }
    size_t n = wanted(nvrtc, all);
    assert_true(n > 0);
    for (size_t s = 0; s < sizeof sources / sizeof sources[0]; s++)
        for (size_t t = 0; t < n; t++) {
            if (getenv("QUERN_ARCHS") != NULL && t != s % n) continue;
            compile(nvrtc, sources[s], all[t]);
            compiled++;
        }
    (void)printf("NVRTC %s: %u images\n", qn_nvrtc_version(nvrtc), compiled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_compiles_for_every_architecture),
    };
    return cmocka_run_group_tests_name("kernels through NVRTC", tests, NULL, NULL);
}
