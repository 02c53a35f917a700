/* SPDX-License-Identifier: Apache-2.0
 * Elements that lie evenly between the least and the greatest, as those of a bucket do: the highest bits
 * divide them into parts of some dozens, which a network sorts, QN_SORT_ABREAST at a time. Each element is
 * moved three times however long its key is. Part of sort_body.h. */

enum {
    SPLIT_LEAST = 512, /* elements from which this serves */
    SPLIT_MOST = 128,  /* elements of a part that the network sorts */
    SPLIT_BITS = 12
};

/* Parts that the network sorts, from b to the same place in a. */
static void sort_parts(ELEM *a, const ELEM *b, const uint32_t *ends, uint32_t n_parts,
                       uint32_t largest)
{
    ELEM tile[SPLIT_MOST * QN_SORT_ABREAST];
    uint32_t from = 0;
    for (size_t i = 0; i < (size_t)largest * QN_SORT_ABREAST; i++) tile[i] = (ELEM)-1;
    for (uint32_t p = 0; p < n_parts; from = ends[p++])
        for (uint32_t i = from; i < ends[p]; i++) tile[(i - from) * QN_SORT_ABREAST + p] = b[i];
    NETWORK(tile, largest);
    from = 0;
    for (uint32_t p = 0; p < n_parts; from = ends[p++])
        for (uint32_t i = from; i < ends[p]; i++) a[i] = tile[(i - from) * QN_SORT_ABREAST + p];
}

/* A part with more elements, from b to the same place in a. */
static void sort_part(ELEM *a, ELEM *b, size_t n, KEY low, uint32_t bits)
{
    ELEM *sorted = b;
    if (n <= INSERTION)
        insertion_sort(b, n);
    else
        sorted = sort_digits(b, a, n, low, bits);
    if (sorted != a) memcpy(a, sorted, n * sizeof(ELEM));
}

/* Sorts a, by way of b; 0 where too many elements are in few parts, and nothing was done. n < 2^32. */
static int sort_split(ELEM *a, ELEM *b, size_t n, KEY low, uint32_t bits)
{
    uint32_t counts[1 << SPLIT_BITS], crowded = 0, width = bits_of((KEY)(n / 64));
    if (width > SPLIT_BITS) width = SPLIT_BITS;
    uint32_t shift = bits - width, n_parts = 1u << width, sum = 0;
    memset(counts, 0, n_parts * sizeof *counts);
    for (size_t i = 0; i < n; i++) counts[(KEY)(KEY_OF(a[i]) - low) >> shift]++;
    for (uint32_t p = 0; p < n_parts; p++) crowded += counts[p] > SPLIT_MOST ? counts[p] : 0;
    if (crowded > n / 8) return 0;
    for (uint32_t p = 0; p < n_parts; p++) {
        uint32_t count = counts[p];
        counts[p] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) b[counts[(KEY)(KEY_OF(a[i]) - low) >> shift]++] = a[i];
    for (uint32_t p = 0, from = 0; p < n_parts; p += QN_SORT_ABREAST) {
        uint32_t ends[QN_SORT_ABREAST], largest = 0, first = from, parts;
        for (parts = 0; parts < QN_SORT_ABREAST && p + parts < n_parts; parts++) {
            ends[parts] = counts[p + parts] - first;
            largest = counts[p + parts] - from > largest ? counts[p + parts] - from : largest;
            from = counts[p + parts];
        }
        if (largest > 0 && largest <= SPLIT_MOST) {
            sort_parts(a + first, b + first, ends, parts, largest);
            continue;
        }
        for (uint32_t k = 0, at = first; k < parts; at = counts[p + k++])
            sort_part(a + at, b + at, counts[p + k] - at, low + ((KEY)(p + k) << shift), shift);
    }
    return 1;
}
