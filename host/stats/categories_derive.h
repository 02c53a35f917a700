/* SPDX-License-Identifier: Apache-2.0
 * Sets made from sets: the categories of what an imputer makes of a column follow from the column's
 * own, without looking at the rows again. */
#ifndef QN_CATEGORIES_DERIVE_H
#define QN_CATEGORIES_DERIVE_H

#include "host/stats/categories.h"

/* A finished set of `n` values (missing ones and duplicates allowed), each worth counts[i] rows. */
quern_status qn_categories_counted(const quern_column *values, uint32_t n, const uint64_t *counts,
                                   struct qn_categories **out);

/* Provisional codes -> map[final code], k + 1 entries, the last for missing cells. */
quern_status qn_categories_recode(const struct qn_categories *, struct qn_threads *,
                                  const uint32_t *codes, uint64_t rows, const uint32_t *map,
                                  void *out, quern_type out_type);

#endif
