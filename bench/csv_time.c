/* SPDX-License-Identifier: Apache-2.0
 * Reads a CSV file a number of times and prints the seconds of each, one a line; bench_csv.py runs it
 * beside its peers. Usage: csv_time FILE [threads [repeats]] */
#include <stdio.h>
#include <stdlib.h>

#include "host/data/csv.h"

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    struct qn_threads *threads = NULL;
    int repeats = argc > 3 ? atoi(argv[3]) : 7;
    if (qn_threads_open(argc > 2 ? (uint32_t)atoi(argv[2]) : 0, &threads) != QUERN_OK) return 1;
    for (int i = 0; i < repeats; i++) {
        struct quern_table *table;
        uint64_t start = qn_clock_ns();
        if (qn_csv_read(argv[1], NULL, threads, &table) != QUERN_OK) {
            (void)fprintf(stderr, "%s\n", qn_error_text());
            return 1;
        }
        uint64_t stop = qn_clock_ns();
        printf("%.6f\n", (double)(stop - start) * 1e-9);
        if (i == 0)
            for (uint32_t c = 0; c < table->n_columns; c++)
                (void)fprintf(stderr, "%s %s%s\n", table->columns[c].name,
                              qn_type_name(table->columns[c].type),
                              table->columns[c].validity != NULL ? " (missing)" : "");
        if (i == 0) (void)fprintf(stderr, "%llu rows\n", (unsigned long long)table->rows);
        (void)fflush(stdout);
        qn_table_free(table);
    }
    qn_threads_close(threads);
    return 0;
}
