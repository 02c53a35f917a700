/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: any bytes as CSV. Whatever the text, the number of chunks and the way (whole, raw,
 * with types forced) must agree, and nothing may be read outside the bytes given. The first four
 * bytes choose the options. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/data/csv_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds, const char *what)
{
    if (holds) return;
    (void)fprintf(stderr, "%s: %s\n", what, qn_error_text());
    abort();
}

static int same_tables(const struct quern_table *a, const struct quern_table *b)
{
    if (a->rows != b->rows || a->n_columns != b->n_columns) return 0;
    for (uint32_t c = 0; c < a->n_columns; c++) {
        const quern_column *x = &a->columns[c], *y = &b->columns[c];
        if (x->type != y->type || strcmp(x->name, y->name) != 0) return 0;
        for (uint64_t r = 0; r < a->rows; r++) {
            uint64_t m, n;
            if (qn_column_valid(x, r) != qn_column_valid(y, r)) return 0;
            if (x->type == QUERN_STRING) {
                const char *p = qn_column_string(x, r, &m), *q = qn_column_string(y, r, &n);
                if (m != n || (m > 0 && memcmp(p, q, m) != 0)) return 0;
                continue;
            }
            size_t bytes = qn_type_bytes(x->type);
            if (memcmp((const char *)x->data + r * bytes, (const char *)y->data + r * bytes,
                       bytes) != 0)
                return 0;
        }
    }
    for (uint64_t r = 0; r < a->rows; r++)
        if (a->line_of_row(a, r) != b->line_of_row(b, r)) return 0;
    if ((a->warning == NULL) != (b->warning == NULL)) return 0;
    return a->warning == NULL || strcmp(a->warning, b->warning) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char delimiters[] = {0, ';', '\t', '|', ' ', 'a', '1', '\\'};
    static const char *const markers[] = {"-1", "?", ""};
    static const struct qn_csv_dtype dtypes[] = {{"0", QUERN_INT16}, {"1", QUERN_DATETIME}};
    struct quern_table *whole = NULL, *cut = NULL;
    if (size < 4) return 0;
    struct qn_csv_options options = {.delimiter = delimiters[data[0] & 7],
                                     .no_header = data[0] >> 3 & 1,
                                     .drop_default_na = data[0] >> 4 & 1,
                                     .na_values = markers,
                                     .n_na_values = (data[0] >> 5 & 3),
                                     .dtypes = dtypes,
                                     .n_dtypes = data[1] & 3 ? 0 : 1 + (data[1] >> 2 & 1)};
    const quern_column schema[] = {{.name = data[3] & 4         ? NULL
                                            : options.no_header ? "x2"
                                                                : "Unnamed: 2",
                                    .type = QUERN_STRING},
                                   {.name = options.no_header ? "x0" : "a", .type = QUERN_FLOAT64}};
    if ((data[3] & 3) == 3) { /* a model's */
        options.schema = schema;
        options.n_schema = 1 + (data[3] >> 3 & 1);
    }
    struct qn_csv_inside one = {.raw = data[1] >> 7}, many = one;
    many.chunk_bytes = (uint64_t)(1 + data[2] % 64 + (size > 600 ? 100 : 0));
    size -= 4;
    char *text = malloc(size > 0 ? size : 1); /* of its own size, for the sanitizer */
    if (text == NULL) return 0;
    memcpy(text, data + 4, size);
    quern_status a = qn_csv_parse_inside("t", text, size, &options, &one, NULL, &whole);
    char said[QN_ERROR_TEXT];
    (void)snprintf(said, sizeof said, "%s", a != QUERN_OK ? qn_error_text() : "");
    quern_status b = qn_csv_parse_inside("t", text, size, &options, &many, NULL, &cut);
    must(a == b, "status");
    must(a == QUERN_OK || strcmp(said, qn_error_text()) == 0, said);
    if (a == QUERN_OK) must(same_tables(whole, cut), "tables differ");
    qn_table_free(whole);
    qn_table_free(cut);
    free(text);
    return 0;
}
