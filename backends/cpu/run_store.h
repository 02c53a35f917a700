/* SPDX-License-Identifier: Apache-2.0
 * Moving a tile's columns towards the output: conversion, columns to rows, copies past the caches. */
#ifndef QN_CPU_RUN_STORE_H
#define QN_CPU_RUN_STORE_H

#include <stddef.h>

#include "backends/cpu/chain.h"

struct qn_store {
    /* The first n values of a tile that holds `work`, as `type`, packed. */
    void (*convert)(uint32_t work, uint32_t type, uint32_t n, const union qn_tile *, void *out);
    /* Makes the NaNs of a tile canonical. */
    void (*canonical)(uint32_t work, uint32_t n, union qn_tile *);
    /* Rows [row, row + n_rows) of packed columns of `size` bytes a value, to rows `pitch` apart. */
    void (*transpose)(uint32_t size, const void *const *cols, uint32_t n_cols, uint32_t row,
                      uint32_t n_rows, char *out, size_t pitch);
    void (*stream)(char *to, const char *from, size_t bytes); /* qn_store_fence() ends it */
};

const struct qn_store *qn_store(void); /* of the present instruction set */
void qn_store_fence(void);

#endif
