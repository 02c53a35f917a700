/* SPDX-License-Identifier: Apache-2.0
 * Values of any type as one of those that reduce.c has loops for. */
#ifndef QN_CPU_REDUCE_LOAD_H
#define QN_CPU_REDUCE_LOAD_H

#include <stddef.h>
#include <stdint.h>

enum qn_element { QN_ELEMENT_F32, QN_ELEMENT_F64, QN_ELEMENT_I64, QN_ELEMENT_U8 };

static inline size_t qn_element_bytes(enum qn_element e)
{
    return e == QN_ELEMENT_U8 ? 1 : e == QN_ELEMENT_F32 ? 4 : 8;
}

/* n values of a type, `step` bytes apart. flip: uint64 is given with its top bit flipped, so that int64
 * has its order. */
void qn_reduce_load(uint32_t type, enum qn_element as, int flip, const char *from, ptrdiff_t step,
                    size_t n, void *to);

#endif
