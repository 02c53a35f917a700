/* SPDX-License-Identifier: Apache-2.0
 * Reading CSV in chunks: the same tables as in one go, in bounded windows, plain and compressed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/data/csv_inside.h"
#include "tests/unit/table_same.h"

enum { ROWS = 6000 };

static struct qn_threads *threads;
static char folder[] = "/tmp/quern-test-XXXXXX", plain[64], coded[64];

/* Quoted newlines, blank lines, missing cells, a column whose type shows only at the end. */
static char *make_text(size_t *size)
{
    char *text = qn_alloc(ROWS, 80), *p = text;
    p += sprintf(p, "id,name,value,late,flag,day\r\n");
    for (int i = 0; i < ROWS; i++) {
        p += sprintf(p, "%d,\"n%d%s\",", i, i % 97, i % 5 == 0 ? "\nline, two" : "");
        p += i % 11 == 0 ? sprintf(p, ",") : sprintf(p, "%d.%d,", i % 7, i % 13);
        p += i == ROWS - 2 ? sprintf(p, "word,") : sprintf(p, "%d,", i);
        p += sprintf(p, "%s,", i % 3 == 0 ? "True" : i % 3 == 1 ? "" : "false");
        p += sprintf(p, "2020-01-%02d\r\n", i % 31 + 1);
        if (i % 100 == 0) p += sprintf(p, "\r\n");
    }
    *size = (size_t)(p - text);
    return text;
}

static int make_files(void **state)
{
    (void)state;
    size_t size;
    char *text = make_text(&size);
    if (mkdtemp(folder) == NULL) return 1;
    (void)snprintf(plain, sizeof plain, "%s/t.csv", folder);
    (void)snprintf(coded, sizeof coded, "%s/t.csv.gz", folder);
    FILE *file = fopen(plain, "wb");
    gzFile gz = gzopen(coded, "wb1");
    int bad = file == NULL || gz == NULL || fwrite(text, 1, size, file) != size ||
              gzwrite(gz, text, (unsigned)size) != (int)size;
    qn_free(text);
    return bad | fclose(file) | gzclose(gz);
}

static int remove_files(void **state)
{
    (void)state;
    return unlink(plain) | unlink(coded) | rmdir(folder);
}

static void expect_same(struct qn_csv_stream *stream, const struct quern_table *whole,
                        uint64_t rows)
{
    uint64_t row = 0;
    for (;;) {
        struct quern_table *part;
        assert_int_equal(qn_csv_next(stream, rows, &part), QUERN_OK);
        if (part == NULL) break;
        assert_int_equal(part->n_columns, whole->n_columns);
        if (row + part->rows < whole->rows) assert_int_equal(part->rows, rows);
        for (uint64_t r = 0; r < part->rows; r++) {
            for (uint32_t c = 0; c < whole->n_columns; c++)
                if (!same_cell(&part->columns[c], r, &whole->columns[c], row + r))
                    fail_msg("row %d, column %u", (int)(row + r), c);
            assert_int_equal(part->line_of_row(part, r), whole->line_of_row(whole, row + r));
        }
        row += part->rows;
        qn_table_free(part);
    }
    assert_int_equal(row, whole->rows);
}

static void chunks_are_the_whole_table_in_pieces(void **state)
{
    (void)state;
    static const struct qn_csv_inside sizes[] = {
        {0}, {.chunk_bytes = 100, .window = 300}, {.chunk_bytes = 5000, .window = 20000}};
    static const uint64_t rows[] = {1000, 7777, 313};
    struct quern_table *whole;
    assert_int_equal(qn_csv_read(plain, NULL, threads, &whole), QUERN_OK);
    assert_int_equal(whole->rows, ROWS);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int gz = 0; gz < 2; gz++) {
            struct qn_csv_stream *stream;
            if (qn_csv_open_inside(gz ? coded : plain, NULL, &sizes[i], threads, &stream) !=
                QUERN_OK)
                fail_msg("%s", qn_error_text());
            assert_int_equal(qn_csv_schema(stream)->rows, ROWS);
            assert_int_equal(qn_csv_schema(stream)->columns[3].type, QUERN_STRING);
            assert_in_range(qn_csv_row_bytes(stream), 6 * 8, 6 * 8 + 80);
            assert_int_equal(qn_csv_passes(stream), 1);
            expect_same(stream, whole, rows[i]);
            assert_int_equal(qn_csv_rewind(stream), QUERN_OK);
            expect_same(stream, whole, rows[i]);
            assert_int_equal(qn_csv_passes(stream), 3);
            qn_csv_close(stream);
        }
    }
    qn_table_free(whole);
}

/* Rows wider than the header: few, late, of several widths, one with quoted newlines. */
static void wide_rows_make_the_same_columns(void **state)
{
    (void)state;
    static const struct qn_csv_inside sizes[] = {
        {0}, {.chunk_bytes = 100, .window = 300}, {.chunk_bytes = 1000, .window = 5000}};
    const quern_column named[] = {{.name = "Unnamed: 4", .type = QUERN_FLOAT64},
                                  {.name = "id", .type = QUERN_INT64}};
    const struct qn_csv_options ways[] = {{0},
                                          {.no_header = 1},
                                          {.schema = named, .n_schema = 2},
                                          {.schema = named + 1, .n_schema = 1}};
    char path[80];
    for (int gz = 0; gz < 2; gz++) {
        (void)snprintf(path, sizeof path, "%s/wide.csv", folder);
        gzFile file = gzopen(path, gz ? "wb1" : "wbT");
        (void)gzputs(file, "id,value\n");
        for (int i = 0; i < 3000; i++)
            (void)gzprintf(file, "%d,%d%s\n", i, i % 13,
                           i == 1500   ? ",,\"p\n\nq\""
                           : i == 2000 ? ",x,y,5,,"
                           : i > 2990  ? ",z"
                                       : "");
        assert_int_equal(gzclose(file), Z_OK);
        for (size_t i = 0; i < 4 * sizeof sizes / sizeof *sizes; i++) {
            struct qn_csv_stream *stream;
            struct quern_table *whole;
            assert_int_equal(qn_csv_read(path, &ways[i % 4], threads, &whole), QUERN_OK);
            if (i % 4 < 2) assert_int_equal(whole->n_columns, 5);
            if (qn_csv_open_inside(path, &ways[i % 4], &sizes[i / 4], threads, &stream) != QUERN_OK)
                fail_msg("%s", qn_error_text());
            assert_int_equal(qn_csv_passes(stream), i % 4 < 3 ? 2 : 1);
            assert_non_null(strstr(whole->warning, "11 rows are wider than the "));
            assert_string_equal(qn_csv_schema(stream)->warning, whole->warning);
            for (uint32_t c = 0; c < whole->n_columns; c++)
                assert_string_equal(qn_csv_schema(stream)->columns[c].name, whole->columns[c].name);
            expect_same(stream, whole, 700);
            qn_csv_close(stream);
            qn_table_free(whole);
        }
        (void)unlink(path);
    }
}

static void a_pass_may_be_broken_off(void **state)
{
    (void)state;
    struct qn_csv_inside inside = {.chunk_bytes = 1000, .window = 4000};
    struct quern_table *part;
    struct qn_csv_stream *stream;
    assert_int_equal(qn_csv_open_inside(coded, NULL, &inside, threads, &stream), QUERN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(qn_csv_next(stream, 10, &part), QUERN_OK);
        assert_int_equal(((const int64_t *)part->columns[0].data)[9], 9);
        qn_table_free(part);
        assert_int_equal(qn_csv_rewind(stream), QUERN_OK);
    }
    qn_csv_close(stream);
}

static void faults_are_found_with_their_line(void **state)
{
    (void)state;
    const struct qn_csv_dtype force = {"late", QUERN_INT64};
    struct qn_csv_options options = {.dtypes = &force, .n_dtypes = 1};
    struct qn_csv_inside inside = {.chunk_bytes = 1000, .window = 3000};
    char expected[200];
    for (int gz = 0; gz < 2; gz++) {
        struct qn_csv_stream *stream;
        const char *path = gz ? coded : plain;
        /* header, rows before it, second lines in quotes, blank lines */
        int line = 1 + (ROWS - 2) + ROWS / 5 + ROWS / 100 + 1;
        (void)snprintf(expected, sizeof expected,
                       "%s: line %d, column 'late': 'word' is not an integer of type int64", path,
                       line);
        assert_int_not_equal(qn_csv_open_inside(path, &options, &inside, threads, &stream),
                             QUERN_OK);
        assert_null(stream);
        assert_string_equal(qn_error_text(), expected);
    }
}

static void a_quote_that_swallows_the_file_meets_the_limit(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20 };
    char path[80], *text = qn_alloc(SIZE, 1);
    struct qn_csv_options options = {.max_memory = 3 << 20};
    struct qn_csv_stream *stream;
    memset(text, 'x', SIZE);
    memcpy(text, "a\n1\n\"", 5);
    (void)snprintf(path, sizeof path, "%s/quote.gz", folder);
    gzFile gz = gzopen(path, "wb1");
    assert_int_equal(gzwrite(gz, text, SIZE), SIZE);
    assert_int_equal(gzclose(gz), 0);
    assert_int_equal(qn_csv_open(path, &options, threads, &stream), QUERN_OUT_OF_MEMORY);
    assert_non_null(strstr(qn_error_text(), "does not fit into the memory allowed"));
    options.max_memory = 0;
    assert_int_equal(qn_csv_open(path, &options, threads, &stream), QUERN_OK);
    assert_int_equal(qn_csv_schema(stream)->rows, 2);
    qn_csv_close(stream);
    (void)unlink(path);
    qn_free(text);
}

static void what_cannot_be_read_twice_is_refused(void **state)
{
    (void)state;
    struct qn_csv_stream *stream;
    char path[80];
    assert_int_equal(qn_csv_open("-", NULL, threads, &stream), QUERN_UNSUPPORTED);
    assert_non_null(strstr(qn_error_text(), "standard input cannot be read twice"));
    (void)snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    FILE *both = fopen(path, "r+"); /* a pipe alone would keep the opener waiting */
    assert_int_equal(qn_csv_open(path, NULL, threads, &stream), QUERN_UNSUPPORTED);
    (void)fclose(both);
    (void)unlink(path);
}

static void no_allocation_may_fail_unnoticed(void **state)
{
    (void)state;
    struct qn_csv_inside inside = {.chunk_bytes = 60000, .window = 100000};
    quern_status status = QUERN_OUT_OF_MEMORY;
    for (uint64_t k = 1; status != QUERN_OK; k += 3) {
        struct qn_csv_stream *stream;
        struct quern_table *part = NULL;
        (void)qn_alloc_fail_at(k);
        status = qn_csv_open_inside(coded, NULL, &inside, NULL, &stream);
        if (status == QUERN_OK) status = qn_csv_next(stream, 2000, &part);
        (void)qn_alloc_fail_at(0);
        if (status != QUERN_OK) assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        qn_table_free(part);
        qn_csv_close(stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_the_whole_table_in_pieces),
        cmocka_unit_test(wide_rows_make_the_same_columns),
        cmocka_unit_test(a_pass_may_be_broken_off),
        cmocka_unit_test(faults_are_found_with_their_line),
        cmocka_unit_test(a_quote_that_swallows_the_file_meets_the_limit),
        cmocka_unit_test(what_cannot_be_read_twice_is_refused),
        cmocka_unit_test(no_allocation_may_fail_unnoticed),
    };
    if (qn_threads_open(2, &threads) != QUERN_OK) return 1;
    int rc = cmocka_run_group_tests(tests, make_files, remove_files);
    qn_threads_close(threads);
    return rc;
}
