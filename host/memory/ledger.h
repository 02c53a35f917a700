/* SPDX-License-Identifier: Apache-2.0
 * The ledger: what moved between host and device, and what ran. Counted where it happens, in one
 * place per kind, so that tests may assert on it. */
#ifndef QN_LEDGER_H
#define QN_LEDGER_H

#include <stdint.h>

/* What crosses. INPUT and OUTPUT are the caller's table and the result: the promise "each byte once"
 * is about them. CONTROL is descriptors, parameters and statistics. */
enum qn_traffic { QN_TRAFFIC_INPUT, QN_TRAFFIC_OUTPUT, QN_TRAFFIC_CONTROL, QN_TRAFFIC_KINDS };

struct qn_ledger {
    uint64_t to_device[QN_TRAFFIC_KINDS];   /* bytes */
    uint64_t from_device[QN_TRAFFIC_KINDS]; /* bytes */
    uint64_t on_device;                     /* bytes copied inside the device */
    uint64_t wrapped;                       /* bytes used in place, without a copy */
    uint64_t launches;
    uint64_t kernel_ns; /* device time where events tell it, else 0 */
    uint64_t wait_ns;   /* host time spent waiting for the device */
    uint64_t compiles, cache_hits;
    uint64_t passes; /* passes over the input */
};

#endif
