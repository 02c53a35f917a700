/* SPDX-License-Identifier: Apache-2.0
 * Sorting keys of 32 bits alone. */
#include <stdint.h>

#define ELEM uint32_t
#define KEY uint32_t
#define KEY_OF(e) (e)
#define PLACES 0
#define KEYS qn_sort_keys32
#define VALUES qn_sort_values32
#define NETWORK qn_sort_network_32
#define QN_SUFFIX k32

#include "backends/cpu/sort_body.h"
