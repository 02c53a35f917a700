/* SPDX-License-Identifier: Apache-2.0
 * Runs kernels on the CPU, one fiber per work-item, so that sanitizers can read device code. Slow on
 * purpose. Groups and items run in an order drawn anew for every launch and every barrier: a result
 * that depends on it is a race. A group in which some items return while others wait at a barrier is
 * reported. One launch at a time per process. */
#ifndef QN_TEST_FIBERS_H
#define QN_TEST_FIBERS_H

#include <stdint.h>

typedef void fiber_body(void *user);

/* 0: done. Otherwise how many items of some group had left while the rest waited. */
uint32_t fibers_launch(uint32_t groups_x, uint32_t groups_y, uint32_t items, uint64_t seed,
                       fiber_body *body, void *user);

#endif
