/* SPDX-License-Identifier: Apache-2.0
 * The NPY header as text, for arrays of any shape that NPY and NPZ files hold. */
#ifndef QN_NPY_TEXT_H
#define QN_NPY_TEXT_H

#include "host/data/table.h"

enum { QN_NPY_HEAD = 256 };

const char *qn_npy_descr(quern_type type); /* "<f8"; NULL: NumPy has no such plain type */
/* At most two dimensions; out holds QN_NPY_HEAD bytes; returns the length, a multiple of 64. */
size_t qn_npy_head(char *out, const char *descr, uint32_t n_dims, const uint64_t *dims);

#endif
