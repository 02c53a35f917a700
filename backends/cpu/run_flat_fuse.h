/* SPDX-License-Identifier: Apache-2.0
 * Flat chains with LOG1P: what is around it becomes a part of it. */
#ifndef QN_CPU_RUN_FLAT_FUSE_H
#define QN_CPU_RUN_FLAT_FUSE_H

#include "backends/cpu/run_flat.h"

/* f: a chain of floats as the program has it, with its parameters, of which DIV has two. Writes the chain that
 * goes over values whose logarithms FLAT(log1p) knows. */
void qn_flat_fuse(const struct qn_flat_chain *f, float *params, struct qn_flat_chain *fused);

#endif
