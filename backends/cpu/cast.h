/* SPDX-License-Identifier: Apache-2.0
 * Packed values of one type as another (cast_loops.c), for cast.c. */
#ifndef QN_CPU_CAST_H
#define QN_CPU_CAST_H

#include <stdint.h>

/* n values of the function's type as `type`. The two do not overlap. */
typedef void qn_cast_fn(uint32_t type, uint32_t n, const char *restrict from, char *restrict to);
qn_cast_fn *qn_cast_from(uint32_t type); /* of the present instruction set */
/* Whether one of n values has no place in type `to`. */
int qn_cast_unfit(uint32_t type, uint32_t to, uint32_t n, const char *from);

#endif
