/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: any bytes as NPY. What is accepted must lie inside the bytes: every value is
 * read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quern_table *table;
    char *bytes = malloc(size > 0 ? size : 1); /* of its own size, for the sanitizer */
    if (bytes == NULL) return 0;
    memcpy(bytes, data, size);
    if (qn_npy_parse("t", bytes, size, &table) == QUERN_OK) {
        unsigned char sum = 0;
        for (uint32_t c = 0; c < table->n_columns; c++) {
            const quern_column *column = &table->columns[c];
            for (uint64_t r = 0; r < table->rows; r++) {
                const char *at = (const char *)column->data + (int64_t)r * column->stride;
                for (size_t i = 0; i < qn_type_bytes(column->type); i++)
                    sum = (unsigned char)(sum + (unsigned char)at[i]);
                sum = (unsigned char)(sum + qn_column_valid(column, r));
            }
        }
        if (sum == 1) (void)qn_type_name(table->columns[0].type); /* the sum is used */
        qn_table_free(table);
    }
    free(bytes);
    return 0;
}
