/* SPDX-License-Identifier: Apache-2.0
 * Hundreds of odd and broken CSV files from other readers' test suites, each with its expected
 * outcome in tests/data/badcsv_expected.tsv: name, cells (all text, the header a row like others),
 * table (typed). The files are in $QUERN_DATA_DIR/badcsv. tests/data/check_badcsv.py compares the
 * cells with Python's csv module. With an argument, the outcomes are written to that file instead. */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/data/csv_inside.h"
#include "host/data/source.h"
#include "tests/unit/table_same.h"

enum { OUTCOME = 1200, FILES_MAX = 2000 };

static struct qn_threads *threads;
static char folder[600];

/* Cells end with 0x1f, rows with 0x1e; cells that a short row lacks are not there. */
static uint64_t checksum(const struct quern_table *table)
{
    XXH64_state_t *state = XXH64_createState();
    (void)XXH64_reset(state, 0);
    for (uint64_t r = 0; r < table->rows; r++) {
        for (uint32_t c = 0; c < table->n_columns; c++) {
            uint64_t size;
            if (!qn_column_valid(&table->columns[c], r)) break;
            const char *text = qn_column_string(&table->columns[c], r, &size);
            if (size > 0) (void)XXH64_update(state, text, size);
            (void)XXH64_update(state, "\x1f", 1);
        }
        (void)XXH64_update(state, "\x1e", 1);
    }
    uint64_t sum = XXH64_digest(state);
    (void)XXH64_freeState(state);
    return sum;
}

/* The sentence without the folder that the files are in here. */
static void refused(char *out)
{
    char text[QN_ERROR_TEXT];
    (void)snprintf(text, sizeof text, "%s", qn_error_text());
    char *at = strstr(text, folder);
    if (at != NULL) memmove(at, at + strlen(folder) + 1, strlen(at + strlen(folder) + 1) + 1);
    (void)snprintf(out, OUTCOME, "refused: %s", text);
    for (char *p = out; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20) *p = '?';
}

static void read_cells(const char *name, const char *path, uint64_t chunk, char *out)
{
    struct qn_csv_options options = {.no_header = 1};
    struct qn_csv_inside inside = {.raw = 1, .chunk_bytes = chunk};
    struct qn_source_text text;
    struct quern_table *table = NULL;
    if (qn_source_read(path, &text) != QUERN_OK) {
        refused(out);
        return;
    }
    if (qn_csv_parse_inside(name, text.data, text.size, &options, &inside, threads, &table) !=
        QUERN_OK)
        refused(out);
    else
        (void)snprintf(out, OUTCOME, "ok %" PRIu64 " %" PRIu32 " %016" PRIx64, table->rows,
                       table->n_columns, checksum(table));
    qn_table_free(table);
    qn_source_release(&text);
}

static void read_table(const char *path, char *out)
{
    static const char letters[] = {[QUERN_BOOL] = 'b',
                                   [QUERN_INT64] = 'i',
                                   [QUERN_FLOAT64] = 'f',
                                   [QUERN_STRING] = 's',
                                   [QUERN_DATETIME] = 'd'};
    struct quern_table *table = NULL;
    if (qn_csv_read(path, NULL, threads, &table) != QUERN_OK) {
        refused(out);
        return;
    }
    int n = snprintf(out, OUTCOME, "ok %" PRIu64 " %" PRIu32 " ", table->rows, table->n_columns);
    for (uint32_t c = 0; c < table->n_columns && n < OUTCOME - 8; c++) {
        if (c == 64) {
            n += snprintf(out + n, 8, "...");
            break;
        }
        out[n++] = letters[table->columns[c].type];
    }
    out[n] = '\0';
    qn_table_free(table);
}

/* The rows of `part` are those of the whole table from `row` on. */
static int same_rows(const struct quern_table *part, const struct quern_table *whole, uint64_t row)
{
    if (part->n_columns != whole->n_columns || row + part->rows > whole->rows) return 0;
    for (uint64_t r = 0; r < part->rows; r++) {
        if (part->line_of_row(part, r) != whole->line_of_row(whole, row + r)) return 0;
        for (uint32_t c = 0; c < whole->n_columns; c++)
            if (!same_cell(&part->columns[c], r, &whole->columns[c], row + r)) return 0;
    }
    return 1;
}

/* The chunked reader must come to the same end as the whole one. */
static void check_stream(const char *name, const char *path, const char *table_outcome)
{
    struct qn_csv_inside inside = {.chunk_bytes = 64, .window = 300};
    struct qn_csv_stream *stream = NULL;
    struct quern_table *table = NULL, *whole = NULL;
    uint64_t row = 0;
    char out[OUTCOME];
    if (qn_csv_open_inside(path, NULL, &inside, threads, &stream) != QUERN_OK) {
        refused(out);
        if (strcmp(out, table_outcome) != 0) fail_msg("%s: chunked: %s", name, out);
        return;
    }
    if (qn_csv_read(path, NULL, threads, &whole) != QUERN_OK)
        fail_msg("%s: only chunked: %s", name, qn_error_text());
    const char *told = qn_csv_schema(stream)->warning;
    if (strcmp(told != NULL ? told : "", whole->warning != NULL ? whole->warning : "") != 0)
        fail_msg("%s: chunked: %s", name, told != NULL ? told : "no warning");
    for (;;) {
        if (qn_csv_next(stream, 7, &table) != QUERN_OK) fail_msg("%s: %s", name, qn_error_text());
        if (table == NULL) break;
        if (!same_rows(table, whole, row)) fail_msg("%s: row %d or later", name, (int)row);
        row += table->rows;
        qn_table_free(table);
    }
    assert_int_equal(row, whole->rows);
    qn_table_free(whole);
    qn_csv_close(stream);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list_files(char **names)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && n < FILES_MAX;)
        if (entry->d_name[0] != '.') names[n++] = qn_strdup(entry->d_name);
    (void)closedir(dir);
    qsort(names, n, sizeof *names, by_text);
    return n;
}

static void outcome_of(const char *name, char *cells, char *table, int all_ways)
{
    char path[1200], other[OUTCOME];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    read_cells(name, path, 0, cells);
    read_table(path, table);
    if (!all_ways) return;
    for (uint64_t chunk = 3; chunk < 3000; chunk *= 30) { /* however it is cut */
        read_cells(name, path, chunk, other);
        if (strcmp(cells, other) != 0) fail_msg("%s, chunk %d: %s", name, (int)chunk, other);
    }
    check_stream(name, path, table);
}

static void every_file_has_its_expected_outcome(void **state)
{
    (void)state;
    static char *names[FILES_MAX];
    char line[3 * OUTCOME], cells[OUTCOME], table[OUTCOME], got[3 * OUTCOME];
    size_t n = list_files(names), at = 0;
    FILE *expected = fopen(QN_TEST_DATA "/badcsv_expected.tsv", "r");
    assert_non_null(expected);
    while (fgets(line, sizeof line, expected) != NULL) {
        if (line[0] == '#') continue;
        line[strcspn(line, "\n")] = '\0';
        if (at == n) fail_msg("no such file: %s", line);
        outcome_of(names[at], cells, table, 1);
        (void)snprintf(got, sizeof got, "%s\t%s\t%s", names[at], cells, table);
        assert_string_equal(got, line);
        qn_free(names[at++]);
    }
    (void)fclose(expected);
    assert_int_equal(at, n);
}

static int write_outcomes(const char *path)
{
    static char *names[FILES_MAX];
    char cells[OUTCOME], table[OUTCOME];
    FILE *out = fopen(path, "w");
    if (out == NULL) return 1;
    (void)fprintf(out,
                  "# file\tcells: outcome, rows, columns, XXH64\ttable: outcome, rows, columns, "
                  "types (b i f s d)\n");
    size_t n = list_files(names);
    for (size_t i = 0; i < n; i++) {
        outcome_of(names[i], cells, table, 0);
        (void)fprintf(out, "%s\t%s\t%s\n", names[i], cells, table);
        qn_free(names[i]);
    }
    return fclose(out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_has_its_expected_outcome)};
    const char *data = getenv("QUERN_DATA_DIR");
    if (data == NULL) {
        (void)printf("skipped: QUERN_DATA_DIR is not set; the files are in its badcsv folder\n");
        return 77;
    }
    (void)snprintf(folder, sizeof folder, "%s/badcsv", data);
    if (qn_threads_open(2, &threads) != QUERN_OK) return 1;
    int rc = argc > 1 ? write_outcomes(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
    qn_threads_close(threads);
    return rc;
}
