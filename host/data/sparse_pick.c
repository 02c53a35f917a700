/* SPDX-License-Identifier: Apache-2.0
 * Some columns of rows that are compressed, without the others: each thread takes the entries of some of
 * them, so that all go over the indices and none over another's entries. */
#include <string.h>

#include "host/core/checked.h"
#include "host/data/sparse.h"

enum { MOST_OWNERS = 254, NOBODY = 255 };

struct picking {
    const struct qn_compressed *c;
    uint8_t *owner; /* of each minor: a task, or NOBODY */
    uint64_t *ptr;  /* where each minor's next entry goes; in the end where its last ends */
    uint32_t *minor;
    char *values;
};

/* Majors are visited in order, so every minor's entries come out sorted. */
#define PICK(type)                                                                                 \
    for (uint64_t m = 0; m < c->n; m++)                                                            \
        for (uint64_t i = c->ptr[m]; i < c->ptr[m + 1]; i++) {                                     \
            uint32_t k = c->minor[i];                                                              \
            if (p->owner[k] != own) continue;                                                      \
            uint64_t at = p->ptr[k]++;                                                             \
            p->minor[at] = (uint32_t)m;                                                            \
            memcpy(p->values + at * sizeof(type), c->values + i * sizeof(type), sizeof(type));     \
        }                                                                                          \
    break

static void pick_task(void *user, uint32_t worker, uint64_t task)
{
    const struct picking *p = user;
    const struct qn_compressed *c = p->c;
    const uint8_t own = (uint8_t)task;
    (void)worker;
    switch (c->stride) {
    case 8: PICK(uint64_t);
    case 4: PICK(uint32_t);
    case 2: PICK(uint16_t);
    default: PICK(uint8_t);
    }
}

/* Shares the wanted minors out, about as many entries to each; returns how many owners there are. */
static uint32_t share(struct picking *p, const uint8_t *wanted, const uint64_t *stored,
                      uint64_t n_minor, uint64_t total, uint32_t workers)
{
    uint64_t each = total / workers + 1, taken = 0;
    uint32_t owner = 0;
    for (uint64_t k = 0; k < n_minor; k++) {
        p->ptr[k] = taken;
        p->owner[k] = NOBODY;
        if (!wanted[k]) continue;
        while (owner + 1 < workers && taken >= (owner + 1) * each) owner++;
        p->owner[k] = (uint8_t)owner;
        taken += stored[k];
    }
    p->ptr[n_minor] = taken;
    return owner + 1;
}

quern_status qn_compressed_pick(const struct qn_compressed *c, struct qn_threads *threads,
                                const uint8_t *wanted, const uint64_t *stored, uint64_t n_minor,
                                struct qn_compressed *out)
{
    struct picking p = {.c = c};
    uint64_t total = 0;
    uint32_t workers = threads != NULL ? qn_threads_size(threads) : 1;
    size_t bytes;
    memset(out, 0, sizeof *out);
    for (uint64_t k = 0; k < n_minor; k++) total += wanted[k] ? stored[k] : 0;
    p.owner = qn_alloc((size_t)n_minor, 1);
    p.ptr = qn_alloc((size_t)n_minor + 1, sizeof *p.ptr);
    p.minor = qn_alloc((size_t)total, sizeof *p.minor);
    if (!qn_mul_size((size_t)total, c->stride, &bytes)) p.values = qn_alloc_aligned(bytes, 1);
    if (p.owner == NULL || p.ptr == NULL || p.minor == NULL || p.values == NULL) {
        qn_free(p.owner);
        qn_free(p.ptr);
        qn_free(p.minor);
        qn_free(p.values);
        return qn_error_memory("columns of a sparse table", total * (c->stride + 4));
    }
    if (workers > MOST_OWNERS) workers = MOST_OWNERS;
    workers = share(&p, wanted, stored, n_minor, total, workers);
    qn_threads_run(threads, workers, pick_task, &p);
    memmove(p.ptr + 1, p.ptr, (size_t)n_minor * sizeof *p.ptr);
    p.ptr[0] = 0;
    qn_free(p.owner);
    *out = (struct qn_compressed){.n = n_minor,
                                  .ptr = p.ptr,
                                  .minor = p.minor,
                                  .values = p.values,
                                  .stride = c->stride,
                                  .sorted = 1,
                                  .owned = {p.ptr, p.minor, p.values}};
    return QUERN_OK;
}
