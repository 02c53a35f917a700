/* SPDX-License-Identifier: Apache-2.0
 * What the device-neutral forms of the operations that move values share. */
#ifndef QN_OPS_MOVES_SHARED_H
#define QN_OPS_MOVES_SHARED_H

#include "host/ops/lines.h"
#include "host/ops/moves.h"

/* Whether loops over `out` run along its lines' direction, and its operands seen that way. */
int qn_moves_swapped(const struct qn_lines *out);
struct qn_lines qn_moves_turn(const struct qn_lines *, int swapped);
/* Whether, so seen, the input is dense in the other dimension. */
int qn_moves_crossed(const struct qn_lines *in, const struct qn_lines *out);

/* A launch over n elements, `chunk` a group (qn_lines_groups). */
quern_status qn_moves_launch(struct qn_job *, const char *source, const char *name, uint64_t n,
                             uint64_t chunk, const struct qn_arg *args, uint32_t n_args);
/* The first reason against some of these; all but the first may be unwanted. */
const char *qn_moves_refuse(const struct qn_device *, const struct qn_lines *const *lines,
                            uint32_t n);

#endif
