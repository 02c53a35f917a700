/* SPDX-License-Identifier: Apache-2.0
 * Sorting keys of 64 bits with their places. */
#include "backends/cpu/sort.h"

#define ELEM struct qn_pair64
#define KEY uint64_t
#define KEY_OF(e) ((e).key)
#define WORD uint64_t
#define STEP 2
#define KEY_SHIFT 0
#define PLACES 1
#define MAKE(k, p) ((struct qn_pair64){(k), (p)})
#define PLACE_OF(e) ((e).place)
#define KEYS qn_sort_keys64
#define VALUES qn_sort_values64
#define PREFIX uint32_t
#define PREFIXES_OF qn_sort_prefixes_64
#define RANGE_OF qn_sort_range_64
#define QN_SUFFIX p64

#include "backends/cpu/sort_body.h"
