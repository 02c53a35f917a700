/* SPDX-License-Identifier: Apache-2.0
 * Sorting keys of 64 bits alone. */
#include <stdint.h>

#define ELEM uint64_t
#define KEY uint64_t
#define KEY_OF(e) (e)
#define WORD uint64_t
#define STEP 1
#define KEY_SHIFT 0
#define PLACES 0
#define KEYS qn_sort_keys64
#define VALUES qn_sort_values64
#define PREFIX uint32_t
#define PREFIXES_OF qn_sort_prefixes_64
#define RANGE_OF qn_sort_range_64
#define COUNTING qn_sort_counting_64
#define TALLY qn_sort_tally_64
#define TALLY_MANY qn_sort_tally_many_64
#define SPREAD qn_sort_spread_64
#define NETWORK qn_sort_network_64
#define QN_SUFFIX k64

#include "backends/cpu/sort_body.h"
