/* SPDX-License-Identifier: Apache-2.0
 * Multi-selection for one key type: KEY, named by QN_SUFFIX. */

#define FN(name) QN_PASTE(name, QN_SUFFIX)

static void FN(insertion_sort)(KEY *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        KEY key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static void FN(range)(const KEY *keys, size_t n, KEY *low, KEY *high)
{
    KEY min = keys[0], max = keys[0];
    for (size_t i = 0; i < n; i++) {
        min = keys[i] < min ? keys[i] : min;
        max = keys[i] > max ? keys[i] : max;
    }
    *low = min;
    *high = max;
}

static void FN(select)(KEY *keys, KEY *spare, size_t n, uint64_t below, const uint64_t *ranks,
                       size_t n_ranks, KEY *out);

/* The buckets that hold wanted ranks, moved to `spare` one after the other and selected from there;
 * `keys` is the room that they work in. Buckets are disjoint, so together they fit. */
static void FN(descend)(KEY *keys, KEY *spare, size_t n, KEY low, uint32_t shift,
                        const uint32_t *counts, uint64_t below, const uint64_t *ranks,
                        size_t n_ranks, KEY *out)
{
    struct wanted wanted[WANTED];
    uint16_t group_of[BUCKETS] = {0};
    size_t groups = 0, done = 0, room = 0;
    uint32_t bucket = 0;
    while (done < n_ranks) {
        while (below + counts[bucket] <= ranks[done]) below += counts[bucket++];
        struct wanted *w = &wanted[groups++];
        *w = (struct wanted){room, room, below, done, 0};
        while (done < n_ranks && ranks[done] < below + counts[bucket]) done++;
        w->n_ranks = done - w->first_rank;
        room += counts[bucket];
        group_of[bucket] = (uint16_t)groups;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t g = group_of[(keys[i] - low) >> shift];
        if (g != 0) spare[wanted[g - 1].at++] = keys[i];
    }
    for (size_t g = 0; g < groups; g++) {
        const struct wanted *w = &wanted[g];
        FN(select)
        (spare + w->first, keys, w->at - w->first, w->below, ranks + w->first_rank, w->n_ranks,
         out + w->first_rank);
    }
}

/* below: how many of all keys are smaller than these. */
static void FN(select)(KEY *keys, KEY *spare, size_t n, uint64_t below, const uint64_t *ranks,
                       size_t n_ranks, KEY *out)
{
    KEY low, high;
    if (n <= SMALL) {
        FN(insertion_sort)(keys, n);
        for (size_t j = 0; j < n_ranks; j++) out[j] = keys[ranks[j] - below];
        return;
    }
    FN(range)(keys, n, &low, &high);
    if (low == high) {
        for (size_t j = 0; j < n_ranks; j++) out[j] = low;
        return;
    }
    uint32_t counts[BUCKETS] = {0}, shift = 0;
    while ((high - low) >> shift >= BUCKETS) shift++;
    for (size_t i = 0; i < n; i++) counts[(keys[i] - low) >> shift]++;
    FN(descend)(keys, spare, n, low, shift, counts, below, ranks, n_ranks, out);
}

/* Least significant digit first; ends in `keys`. */
static void FN(radix_sort)(KEY *keys, KEY *spare, size_t n)
{
    KEY *from = keys, *to = spare;
    uint32_t bits = n >= LONG_DIGITS_FROM && n <= LONG_DIGITS_TO ? LONG_DIGIT : SHORT_DIGIT;
    size_t mask = ((size_t)1 << bits) - 1;
    for (uint32_t shift = 0; shift < 8 * sizeof(KEY); shift += bits) {
        size_t starts[1 << LONG_DIGIT], sum = 0;
        memset(starts, 0, (mask + 1) * sizeof *starts);
        for (size_t i = 0; i < n; i++) starts[(from[i] >> shift) & mask]++;
        for (size_t d = 0; d <= mask; d++) {
            size_t count = starts[d];
            starts[d] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) to[starts[(from[i] >> shift) & mask]++] = from[i];
        KEY *other = from;
        from = to;
        to = other;
    }
    if (from != keys) memcpy(keys, from, n * sizeof(KEY));
}

void FN(qn_order)(KEY *keys, KEY *spare, size_t n, const uint64_t *ranks, size_t n_ranks, KEY *out)
{
    if (n == 0 || n_ranks == 0) return;
    if (n_ranks <= WANTED) {
        FN(select)(keys, spare, n, 0, ranks, n_ranks, out);
        return;
    }
    FN(radix_sort)(keys, spare, n);
    for (size_t j = 0; j < n_ranks; j++) out[j] = keys[ranks[j]];
}

#undef FN
