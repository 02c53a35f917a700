/* SPDX-License-Identifier: Apache-2.0
 * The ordered list of implementations behind an operation. An implementation says in a sentence why
 * it does not take a request; the first that has nothing to say runs it. */
#ifndef QN_IMPL_H
#define QN_IMPL_H

#include "host/ops/ops.h"

struct qn_impl {
    const char *name; /* "device:interpreter"; NULL: the CPU, named after its instruction set */
    /* NULL: takes it. Pure: allocates nothing, calls no driver. device may be NULL. */
    const char *(*refuse)(const struct qn_device *, const void *request);
    quern_status (*run)(struct qn_device *, struct qn_threads *, uint32_t queue,
                        const void *request);
};

/* Runs the first willing implementation of `list` (n entries). Nobody willing: QUERN_UNSUPPORTED, the
 * error sentence being all reasons. */
quern_status qn_impl_run(const char *operation, const struct qn_impl *list, uint32_t n,
                         struct qn_device *, struct qn_threads *, uint32_t queue,
                         const void *request, struct qn_outcome *);

/* Sentences that several operations share; NULL when there is nothing against it. */
const char *qn_refuse_host(const struct qn_batch *); /* why the CPU does not take the batch */
const char *qn_refuse_device(const struct qn_device *, const struct qn_batch *);
const char *qn_refuse_norms(const struct qn_batch *); /* statistics see no norm groups */

#endif
