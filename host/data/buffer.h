/* SPDX-License-Identifier: Apache-2.0
 * What the public quern_buffer is. */
#ifndef QN_DATA_BUFFER_H
#define QN_DATA_BUFFER_H

#include "host/memory/pool.h"

struct quern_buffer {
    struct quern_context *context;
    struct qn_span span;
    uint64_t bytes;
    char *host; /* on the CPU */
};

#endif
