/* SPDX-License-Identifier: Apache-2.0
 * Elements that lie evenly between the least and the greatest, as those of a bucket do: their highest bits
 * divide them into parts of some dozens, of which a network sorts QN_SORT_ABREAST at a time. They are
 * scattered straight into the network's rows, a column for each part, without being counted first; a part
 * that has more than fit waits for the rest at the side. Elements are moved twice, however long their
 * keys are. Part of sort_body.h. */

enum {
    SPLIT_LEAST = 512, /* elements from which this serves */
    SPLIT_ROWS = 128,  /* elements of a part that fit; half of it or less is expected */
    SPLIT_BITS = 13,
    TILE = SPLIT_ROWS * QN_SORT_ABREAST
};

/* Bits that divide n elements into parts of 32 to 64. */
static uint32_t split_width(size_t n)
{
    uint32_t width = 64 - qn_leading_zeros(n / 64);
    return width < SPLIT_BITS ? width : SPLIT_BITS;
}

/* Scatters a into tiles, and what does not fit to `rest`, which has room for `most`; how many those are.
 * More than `most`: elements lie too unevenly, and nothing was done. */
static size_t fill_tiles(const ELEM *a, size_t n, KEY low, uint32_t shift, ELEM *tiles,
                         uint32_t *counts, ELEM *rest, size_t most)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t p = (uint32_t)((KEY)(KEY_OF(a[i]) - low) >> shift), row = counts[p]++;
        if (QN_LIKELY(row < SPLIT_ROWS)) {
            ELEM *tile = tiles + (size_t)(p / QN_SORT_ABREAST) * TILE;
            tile[row * QN_SORT_ABREAST + p % QN_SORT_ABREAST] = a[i];
        } else {
            if (m == most) return most + 1;
            rest[m++] = a[i];
        }
    }
    return m;
}

/* A column of n > SPLIT_ROWS elements, the last of which are at the side, sorted too. */
static void merge_column(ELEM *to, const ELEM *column, const ELEM *rest, uint32_t n)
{
    uint32_t i = 0, j = 0;
    for (uint32_t k = 0; k < n; k++) {
        const ELEM *x = column + (size_t)i * QN_SORT_ABREAST;
        if (i < SPLIT_ROWS && (j == n - SPLIT_ROWS || *x <= rest[j])) {
            to[k] = *x;
            i++;
        } else {
            to[k] = rest[j++];
        }
    }
}

/* Sorts a tile's columns and writes them one after another. Returns how many elements of `rest` are among
 * them. */
static size_t sort_tile(ELEM *to, ELEM *tile, const uint32_t *counts, const ELEM *rest)
{
    uint32_t most = 0;
    size_t taken = 0;
    for (uint32_t c = 0; c < QN_SORT_ABREAST; c++) most = counts[c] > most ? counts[c] : most;
    if (most == 0) return 0;
    if (most > SPLIT_ROWS) most = SPLIT_ROWS;
    for (uint32_t c = 0; c < QN_SORT_ABREAST; c++)
        for (uint32_t row = counts[c]; row < most; row++)
            tile[row * QN_SORT_ABREAST + c] = (ELEM)-1;
    NETWORK(tile, most);
    for (uint32_t c = 0; c < QN_SORT_ABREAST; to += counts[c++]) {
        if (counts[c] > SPLIT_ROWS) {
            merge_column(to, tile + c, rest + taken, counts[c]);
            taken += counts[c] - SPLIT_ROWS;
        } else {
            for (uint32_t row = 0; row < counts[c]; row++)
                to[row] = tile[row * QN_SORT_ABREAST + c];
        }
    }
    return taken;
}

/* Sorts a, with SPARE(n) elements of room at b; 0 where elements lie too unevenly, and nothing was done. */
static int sort_split(ELEM *a, ELEM *b, size_t n, KEY low, uint32_t bits)
{
    uint32_t counts[1 << SPLIT_BITS], width = split_width(n), n_parts = 1u << width;
    size_t most = n / 8, m, at = 0;
    ELEM *rest = b + (size_t)n_parts * SPLIT_ROWS, *sorted = rest;
    memset(counts, 0, n_parts * sizeof *counts);
    m = fill_tiles(a, n, low, bits - width, b, counts, rest, most);
    if (m > most) return 0;
    if (m > INSERTION)
        sorted = sort_digits(rest, rest + most, m, low, bits);
    else
        insertion_sort(rest, m);
    for (uint32_t p = 0; p < n_parts; p += QN_SORT_ABREAST) {
        sorted += sort_tile(a + at, b + (size_t)p * SPLIT_ROWS, counts + p, sorted);
        for (uint32_t c = 0; c < QN_SORT_ABREAST; c++) at += counts[p + c];
    }
    return 1;
}
