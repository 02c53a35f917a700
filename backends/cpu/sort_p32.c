/* SPDX-License-Identifier: Apache-2.0
 * Sorting keys of 32 bits with their places, of lines with less than 2^32 values: one word each, the
 * key above the place. */
#include <stdint.h>

#define ELEM uint64_t
#define KEY uint32_t
#define KEY_OF(e) ((uint32_t)((e) >> 32))
#define WORD uint64_t
#define STEP 1
#define KEY_SHIFT 32
#define PLACES 1
#define MAKE(key, place) ((uint64_t)(key) << 32 | (place))
#define PLACE_OF(e) ((uint32_t)(e))
#define KEYS qn_sort_keys32
#define VALUES qn_sort_values32
#define PREFIX uint32_t
#define PREFIXES_OF qn_sort_prefixes_64
#define RANGE_OF qn_sort_range_64
#define NETWORK qn_sort_network_64
#define QN_SUFFIX p32

#include "backends/cpu/sort_body.h"
