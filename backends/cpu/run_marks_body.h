/* SPDX-License-Identifier: Apache-2.0
 * Which values of rows are NaN, once per instruction set and width: T is the values' bits, INFINITE those of
 * infinity, without the sign. */

/* `width` values of each row, rows `pitch` values apart: marks[row][i] is 1 where value i is NaN; seen[i]
 * gets 1 for a NaN, 2 for an infinity. */
static void QN_PASTE(MARKS_NAME, QN_SUFFIX)(const void *restrict rows, size_t n, size_t pitch,
                                            size_t width, uint8_t *restrict marks,
                                            uint8_t *restrict seen)
{
    const MARKS_T *restrict at = rows;
    for (size_t r = 0; r < n; r++, at += pitch, marks += width)
        for (size_t i = 0; i < width; i++) {
            const MARKS_T v = at[i] & (MARKS_INFINITE | (MARKS_INFINITE - 1));
            const uint8_t nan = v > MARKS_INFINITE, infinite = v == MARKS_INFINITE;
            marks[i] = nan;
            seen[i] |= (uint8_t)(nan | infinite << 1);
        }
}
