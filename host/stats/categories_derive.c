/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stats/categories_derive.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/stats/categories_internal.h"

quern_status qn_categories_counted(const quern_column *values, uint32_t n, const uint64_t *counts,
                                   struct qn_categories **out)
{
    quern_status status = QUERN_OK;
    struct qn_categories *set = NULL;
    *out = NULL;
    uint32_t *codes = qn_alloc(n, sizeof *codes);
    if (codes == NULL) return qn_error_memory("categories", n);
    QN_GO(qn_categories_open(values->type, &set));
    QN_GO(qn_categories_push(set, NULL, values, n, codes));
    QN_GO(qn_categories_finish(set));
    memset(set->counts, 0, set->count * sizeof *set->counts);
    set->missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (codes[i] == NO_CODE)
            set->missing += counts[i];
        else
            set->counts[set->final_of[codes[i] % SHARDS][codes[i] / SHARDS]] += counts[i];
    }
    *out = set;
    set = NULL;
cleanup:
    qn_categories_free(set);
    qn_free(codes);
    return status;
}

struct recode {
    const struct qn_categories *set;
    const uint32_t *codes, *map;
    uint64_t rows;
    void *out;
    quern_type out_type;
};

static void recode_task(void *user, uint32_t worker, uint64_t task)
{
    const struct recode *r = user;
    uint64_t step = (uint64_t)BLOCK_ROWS * TASK_BLOCKS, first = task * step;
    uint64_t end = r->rows - first < step ? r->rows : first + step;
    (void)worker;
    for (uint64_t i = first; i < end; i++) {
        uint32_t code = r->codes[i];
        uint32_t final =
            code == NO_CODE ? r->set->count : r->set->final_of[code % SHARDS][code / SHARDS];
        uint32_t value = r->map[final];
        if (r->out_type == QUERN_UINT8)
            ((uint8_t *)r->out)[i] = (uint8_t)value;
        else if (r->out_type == QUERN_UINT16)
            ((uint16_t *)r->out)[i] = (uint16_t)value;
        else
            ((uint32_t *)r->out)[i] = value;
    }
}

quern_status qn_categories_recode(const struct qn_categories *set, struct qn_threads *threads,
                                  const uint32_t *codes, uint64_t rows, const uint32_t *map,
                                  void *out, quern_type out_type)
{
    if (!set->finished) return qn_error(QUERN_INVALID, "the categories are not finished");
    if (rows == 0) return QUERN_OK;
    struct recode r = {
        .set = set, .codes = codes, .map = map, .rows = rows, .out = out, .out_type = out_type};
    uint64_t step = (uint64_t)BLOCK_ROWS * TASK_BLOCKS;
    qn_threads_run(threads, (rows - 1) / step + 1, recode_task, &r);
    return QUERN_OK;
}
