/* SPDX-License-Identifier: Apache-2.0
 * Fault sweeps: a body of work is run again and again, the k-th driver call (or the k-th
 * allocation) failing, for k = 1, 2, … until a run comes through without the fault being met. Each
 * run either succeeds all the same (the code under test found another way) or fails with a sentence
 * and a status from the list; either way nothing may be left behind and the driver not misused.
 *
 * The body makes everything it needs, gives it all back, and returns the status of what it did. It
 * must not assert on the success of single calls. It uses qn_driver_null; start with
 * qn_null_reset(&config). Needs cmocka.h and backends/null/null.h before it. */
#ifndef QN_FAULTS_H
#define QN_FAULTS_H

#include "backends/null/null.h"
#include "host/core/checked.h"
#include "host/core/status.h"

typedef quern_status qn_fault_body(void *user);

struct qn_sweep {
    uint64_t runs;      /* faults that were met */
    uint64_t recovered; /* of these, runs that succeeded all the same */
};

enum { QN_SWEEP_MOST = 100000 };

/* After one run: what was left, and whether the failure was told properly. */
static inline void qn_sweep_check(const char *what, uint64_t k, quern_status status,
                                  quern_status injected, uint64_t live_before)
{
    const char *misuse = "";
    if (qn_null_misuse(&misuse) != 0)
        fail_msg("%s %llu failing: %s", what, (unsigned long long)k, misuse);
    if (qn_null_live() != live_before)
        fail_msg("%s %llu failing left %lld objects behind", what, (unsigned long long)k,
                 (long long)(qn_null_live() - live_before));
    if (status == QUERN_OK) return;
    if (status != injected)
        fail_msg("%s %llu failing with %s came out as %s: %s", what, (unsigned long long)k,
                 quern_status_name(injected), quern_status_name(status), qn_error_text());
    if (qn_error_text()[0] == '\0')
        fail_msg("%s %llu failing came out without a sentence", what, (unsigned long long)k);
}

/* The k-th driver call that can fail returns `status`. */
static inline struct qn_sweep qn_sweep_driver(qn_fault_body *body, void *user, quern_status status)
{
    struct qn_sweep sweep = {0, 0};
    uint64_t live = qn_null_live();
    for (uint64_t k = 1; k <= QN_SWEEP_MOST; k++) {
        qn_error_clear();
        qn_null_forget_calls();
        qn_null_fail(QN_NULL_ANY, k, status);
        quern_status result = body(user);
        int met = qn_null_failed();
        qn_null_fail(QN_NULL_ANY, 0, QUERN_OK);
        qn_sweep_check("driver call", k, result, status, live);
        if (!met) {
            if (result != QUERN_OK) fail_msg("without a fault: %s", qn_error_text());
            return sweep;
        }
        sweep.runs++;
        sweep.recovered += result == QUERN_OK;
    }
    fail_msg("the sweep over driver calls does not end");
    return sweep;
}

/* The k-th allocation of the library returns NULL. */
static inline struct qn_sweep qn_sweep_allocations(qn_fault_body *body, void *user)
{
    struct qn_sweep sweep = {0, 0};
    uint64_t live = qn_null_live();
    for (uint64_t k = 1; k <= QN_SWEEP_MOST; k++) {
        qn_error_clear();
        qn_null_forget_calls();
        (void)qn_alloc_fail_at(k);
        quern_status result = body(user);
        uint64_t made = qn_alloc_fail_at(0);
        qn_sweep_check("allocation", k, result, QUERN_OUT_OF_MEMORY, live);
        if (made < k) {
            if (result != QUERN_OK) fail_msg("without a fault: %s", qn_error_text());
            return sweep;
        }
        sweep.runs++;
        sweep.recovered += result == QUERN_OK;
    }
    fail_msg("the sweep over allocations does not end");
    return sweep;
}

#endif
