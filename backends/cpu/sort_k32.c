/* SPDX-License-Identifier: Apache-2.0
 * Sorting keys of 32 bits alone. */
#include <stdint.h>

#define ELEM uint32_t
#define KEY uint32_t
#define KEY_OF(e) (e)
#define WORD uint32_t
#define STEP 1
#define KEY_SHIFT 0
#define PLACES 0
#define KEYS qn_sort_keys32
#define VALUES qn_sort_values32
#define PREFIX uint16_t
#define PREFIXES_OF qn_sort_prefixes_32
#define RANGE_OF qn_sort_range_32
#define COUNTING qn_sort_counting_32
#define TALLY qn_sort_tally_32
#define TALLY_MANY qn_sort_tally_many_32
#define SPREAD qn_sort_spread_32
#define NETWORK qn_sort_network_32
#define QN_SUFFIX k32

#include "backends/cpu/sort_body.h"
