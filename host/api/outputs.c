/* SPDX-License-Identifier: Apache-2.0
 * Memory of results, as the public interface has it. */
#include "host/api/api.h"
#include "host/memory/output.h"

uint64_t quern_output_limit(uint64_t bytes)
{
    return qn_output_limit(bytes);
}

uint64_t quern_output_trim(uint64_t keep)
{
    return qn_output_trim(keep);
}

void quern_output_memory(quern_output_stats *out)
{
    struct qn_output_stats s;
    qn_output_stats(&s);
    quern_output_stats stats = {
        .struct_size = sizeof stats,
        .kept_blocks = (uint32_t)s.kept_blocks,
        .limit = s.limit,
        .kept = s.kept,
        .used = s.used,
        .used_peak = s.used_peak,
        .made = s.made,
        .reused = s.reused,
        .makes = s.makes,
        .reuses = s.reuses,
    };
    qn_struct_out(out, &stats, sizeof stats);
}

void *quern_output_alloc(uint64_t bytes)
{
    return bytes <= SIZE_MAX ? qn_output_alloc((size_t)bytes, 1) : NULL;
}

void quern_output_free(void *memory)
{
    qn_output_free(memory);
}
