/* SPDX-License-Identifier: Apache-2.0
 * Columns out of row-major memory: what order statistics want. */
#ifndef QN_CPU_COLUMNS_H
#define QN_CPU_COLUMNS_H

#include "backends/cpu/strips.h"

/* Transposes rows [row, row + rows) of lanes [column, column + columns) of a FLOAT or DOUBLE strip:
 * value (i, c) to out[c * room + i], in the strip's own element type. out is 64-byte aligned, room a
 * multiple of 16 elements. */
void qn_columns_load(const struct qn_strip *strip, uint64_t row, uint32_t rows, uint32_t column,
                     uint32_t columns, uint32_t room, void *out);

#endif
