/* SPDX-License-Identifier: Apache-2.0
 * Finds cuBLAS and keeps one handle per device. No operation uses it yet: what is here is loading,
 * version and life cycle, so that `quern devices` can say what a product would run on. */
#include "backends/cuda/blas.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backends/cuda/device.h"

#define SYMBOLS(X)                                                                                 \
    X(cublasCreate_v2)                                                                             \
    X(cublasDestroy_v2)                                                                            \
    X(cublasSetStream_v2)                                                                          \
    X(cublasGetProperty)                                                                           \
    X(cublasSgemm_v2)                                                                              \
    X(cublasDgemm_v2)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct qn_cublas loaded;
static int decided, usable;
static char tried[768];

static void note(const char *soname, const char *why)
{
    size_t used = strlen(tried);
    (void)snprintf(tried + used, sizeof tried - used, "%s%s: %s", used > 0 ? "; " : "", soname,
                   why);
}

static int load(const char *soname)
{
    const char *why = "";
    void *library = qn_library_open(soname, &why);
    if (library == NULL) {
        size_t name = strlen(soname);
        note(soname, strncmp(why, soname, name) == 0 && why[name] == ':' ? why + name + 2 : why);
        return 0;
    }
#define LOAD(symbol)                                                                               \
    do {                                                                                           \
        void *address = qn_library_symbol(library, #symbol);                                       \
        if (address == NULL) {                                                                     \
            note(soname, "no " #symbol " in it");                                                  \
            return 0;                                                                              \
        }                                                                                          \
        memcpy(&loaded.symbol, &address, sizeof address);                                          \
    } while (0);
    SYMBOLS(LOAD)
#undef LOAD
    int part[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++) (void)loaded.cublasGetProperty(i, &part[i]);
    (void)snprintf(loaded.version, sizeof loaded.version, "%d.%d.%d", part[0], part[1], part[2]);
    return 1;
}

const struct qn_cublas *qn_cublas(int driver_version, const char **why)
{
    static const struct {
        const char *soname;
        int major;
    } known[] = {{"libcublas.so.13", 13}, {"libcublas.so.12", 12}, {"libcublas.so.11", 11}};
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; !decided && !usable && i < sizeof known / sizeof known[0]; i++)
        if (known[i].major <= driver_version / 1000) usable = load(known[i].soname);
    decided = 1;
    (void)pthread_mutex_unlock(&lock);
    if (why != NULL) *why = usable ? "" : tried;
    return usable ? &loaded : NULL;
}

quern_status qn_cuda_blas_open(struct qn_dev *dev, struct qn_cuda_blas **out)
{
    if (dev->blas == NULL) {
        const char *why = "";
        const struct qn_cublas *api = qn_cublas(dev->cu->version, &why);
        if (api == NULL) return qn_error(QUERN_UNSUPPORTED, "no cuBLAS: %s", why);
        struct qn_cuda_blas *made = qn_zalloc(1, sizeof *made);
        if (made == NULL) return qn_error_memory("a cuBLAS handle", sizeof *made);
        made->api = api;
        quern_status status = qn_cuda_enter(dev);
        if (status == QUERN_OK) {
            int code = api->cublasCreate_v2(&made->handle);
            if (code != 0)
                status = qn_error(code == 3 ? QUERN_OUT_OF_MEMORY : QUERN_INTERNAL,
                                  "cublasCreate_v2 (cuBLAS %s): code %d", api->version, code);
            status = qn_cuda_leave(dev, status);
        }
        if (status != QUERN_OK) {
            qn_free(made);
            return status;
        }
        dev->blas = made;
    }
    *out = dev->blas;
    return QUERN_OK;
}

void qn_cuda_blas_close(struct qn_cuda_blas *blas)
{
    if (blas == NULL) return;
    (void)blas->api->cublasDestroy_v2(blas->handle);
    qn_free(blas);
}
