/* SPDX-License-Identifier: Apache-2.0
 * What one cell of text says besides numbers (decimal.h): a truth value, a moment, nothing. */
#ifndef QN_CSV_CELL_H
#define QN_CSV_CELL_H

#include "host/core/status.h"

/* true or false in any case, as pandas; 1 and the value, or 0. */
int qn_parse_bool(const char *text, size_t size, uint8_t *out);
/* YYYY-MM-DD, or that with a blank or T and HH:MM, HH:MM:SS or HH:MM:SS.f (1 to 6 digits), of a day
 * that exists, as microseconds since 1970; 1 or 0. Zones and other forms stay text. */
int qn_parse_datetime(const char *text, size_t size, int64_t *out);

/* The markers of missing values. */
struct qn_csv_missing {
    uint64_t sizes[256]; /* by first byte: bit s set if some marker has s bytes (63: or more) */
    int empty;           /* an empty cell is one                                              */
    int numeric;         /* one of them reads as a number: look before parsing                */
    uint32_t n, n_values;
    char **texts;
    size_t *lengths;
    double *values; /* numeric markers also hit equal values of float columns, as in pandas */
};
quern_status qn_csv_missing_open(int drop_defaults, const char *const *extra, uint32_t n_extra,
                                 struct qn_csv_missing *out);
void qn_csv_missing_close(struct qn_csv_missing *missing);
int qn_csv_missing_find(const struct qn_csv_missing *missing, const char *text, size_t size);
int qn_csv_missing_value(const struct qn_csv_missing *missing, double value);

static inline int qn_csv_is_missing(const struct qn_csv_missing *missing, const char *text,
                                    size_t size)
{
    if (size == 0) return missing->empty;
    uint64_t sizes = missing->sizes[(unsigned char)*text];
    if (QN_LIKELY(((sizes >> (size < 63 ? size : 63)) & 1) == 0)) return 0;
    return qn_csv_missing_find(missing, text, size);
}

#endif
