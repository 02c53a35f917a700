/* SPDX-License-Identifier: Apache-2.0
 * Sorting keys of 64 bits alone. */
#include <stdint.h>

#define ELEM uint64_t
#define KEY uint64_t
#define KEY_OF(e) (e)
#define PLACES 0
#define KEYS qn_sort_keys64
#define VALUES qn_sort_values64
#define NETWORK qn_sort_network_64
#define QN_SUFFIX k64

#include "backends/cpu/sort_body.h"
