/* SPDX-License-Identifier: Apache-2.0
 * Reading CSV as a whole: cells, types, missing values, refusals, compressed input. Each text is read
 * in many ways (threads, chunk sizes), which must not show in the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/data/csv_inside.h"
#include "tests/unit/table_text.h"

static struct qn_threads *threads;

struct case_ {
    const char *text, *expected;
    struct qn_csv_options options;
};

static const struct case_ tables[] = {
    {"a,b\n1,x\n2,y\n", "a:int64[1 2] b:string['x' 'y']", {0}},
    {"a,b\n1,x\n2,y", "a:int64[1 2] b:string['x' 'y']", {0}},
    {"a,b\r\n1,x\r\n2,y\r\n", "a:int64[1 2] b:string['x' 'y']", {0}},
    {"a,b\r1,x\r2,y\r", "a:int64[1 2] b:string['x' 'y']", {0}},
    {"\xef\xbb\xbf\"a\",b\n1,x\n", "a:int64[1] b:string['x']", {0}},
    {"\n\na\n\n1\n\n\n2\n\n", "a:int64[1 2]", {0}},
    {"a\n", "a:float64[]", {0}},
    {"a", "a:float64[]", {0}},
    /* quoting */
    {"a,b\n\"x, \"\"y\"\"\",\"p\nq\"\n", "a:string['x, \"y\"'] b:string['p\nq']", {0}},
    {"a\n\"x\"tail\n y\"z\"\n", "a:string['xtail' ' y\"z\"']", {0}},
    {"a,b\n1,\"open\nto, the end", "a:int64[1] b:string['open\nto, the end']", {0}},
    {"a,b\n\"1\",\"2.5\"\n3,\"\"\n", "a:int64[1 3] b:float64[2.5 nan]", {0}},
    {"a\n\"\"\n\"x\"\n", "a:string[- 'x']", {0}},
    /* ragged rows */
    {"a,b,c\n1\n1,2\n1,2,3\n", "a:int64[1 1 1] b:float64[nan 2.0 2.0] c:float64[nan nan 3.0]", {0}},
    {"a,b\n1,2,,\n3,4,\"\"\n", "a:int64[1 3] b:int64[2 4]", {0}},
    {"a,b,\n1,2,\n", "a:int64[1] b:int64[2] Unnamed: 2:float64[nan]", {0}},
    {"a,b\n1,2,x\n3,4\n5,6,,,7,,\n",
     "a:int64[1 3 5] b:int64[2 4 6] Unnamed: 2:string['x' - -] Unnamed: 3:float64[nan nan nan] "
     "Unnamed: 4:float64[nan nan 7.0]",
     {0}},
    {"Unnamed: 3,Unnamed: 3.1,\n1,2,3,4\n",
     "Unnamed: 3:int64[1] Unnamed: 3.1:int64[2] Unnamed: 2:int64[3] Unnamed: 3.2:int64[4]",
     {0}},
    {"Unnamed: 1,\n1,2\n", "Unnamed: 1:int64[1] Unnamed: 1.1:int64[2]", {0}},
    {"a\n1,\"p\nq\"\n", "a:int64[1] Unnamed: 1:string['p\nq']", {0}},
    {"1,2\n1,2,3\n4\n",
     "x0:int64[1 1 4] x1:float64[2.0 2.0 nan] x2:float64[nan 3.0 nan]",
     {.no_header = 1}},
    /* types */
    {"a\n1\n\n2\nNA\n", "a:float64[1.0 2.0 nan]", {0}},
    {"a\nNA\n1\n", "a:float64[nan 1.0]", {0}},
    {"a\n-0\n+7\n 8 \n007\n", "a:int64[0 7 8 7]", {0}},
    {"a\n-0\n1.5\n", "a:float64[-0.0 1.5]", {0}},
    {"a\n9223372036854775807\n-9223372036854775808\n",
     "a:int64[9223372036854775807 -9223372036854775808]",
     {0}},
    {"a\n9223372036854775808\n1\n", "a:float64[9.223372036854776e+18 1.0]", {0}},
    {"a\n1e5\n.5\n5.\n-inf\nInfinity\n1e400\n", "a:float64[100000.0 0.5 5.0 -inf inf inf]", {0}},
    {"a\n1\nx\n", "a:string['1' 'x']", {0}},
    {"a\n007\n-0\n1.50\nx\n", "a:string['007' '-0' '1.50' 'x']", {0}},
    {"a,b\nTrue,true\nFALSE,\n", "a:bool[T F] b:bool[T -]", {0}},
    {"a\nTrue\n1\n", "a:string['True' '1']", {0}},
    {"a\n1_000\n", "a:string['1_000']", {0}},
    {"a\n0x10\n", "a:string['0x10']", {0}},
    {"a\nNA\nNA\n", "a:float64[nan nan]", {0}},
    {"a,b\n,\n,x\n", "a:float64[nan nan] b:string[- 'x']", {0}},
    {"a\n20110101\n", "a:int64[20110101]", {0}},
    {"a\n2012-02-29\n2013-01-01 05:06\n2013-01-01T05:06:07\nNA\n2013-01-01 05:06:07.25\n",
     "a:datetime[2012-02-29T00:00:00.000000 2013-01-01T05:06:00.000000 2013-01-01T05:06:07.000000 "
     "- 2013-01-01T05:06:07.250000]",
     {0}},
    {"a\n2013-02-29\n", "a:string['2013-02-29']", {0}},
    {"a\n2013-01-01 24:00\n", "a:string['2013-01-01 24:00']", {0}},
    {"a\n2013-01-01T05:06:07Z\n", "a:string['2013-01-01T05:06:07Z']", {0}},
    {"a\n2013-01-01\n5\n", "a:string['2013-01-01' '5']", {0}},
    {"a\n0001-01-01\n1969-12-31 23:59:59.999999\n9999-12-31\n",
     "a:datetime[0001-01-01T00:00:00.000000 1969-12-31T23:59:59.999999 9999-12-31T00:00:00.000000]",
     {0}},
    {"a\n\xff\xe9\n", "a:string['\xff\xe9']", {0}}, /* not UTF-8: kept */
    /* missing markers */
    {"a\nx\n#N/A N/A\nNone\n<NA>\n-nan\nN/A\nna\n", "a:string['x' - - - - - 'na']", {0}},
    {"a,b\n1,NA\n,x\n", "a:string['1' ''] b:string['NA' 'x']", {.drop_default_na = 1}},
    {"a,b\n1,?\n?,2\n",
     "a:float64[1.0 nan] b:float64[nan 2.0]",
     {.na_values = (const char *const[]){"?"}, .n_na_values = 1}},
    {"a,b,c\n1,-999,-999.0\n-999,-999.00,x\n",
     "a:float64[1.0 nan] b:float64[nan nan] c:string[- 'x']",
     {.na_values = (const char *const[]){"-999"}, .n_na_values = 1}},
    /* dialect and names */
    {"1;2\n3;4\n", "x0:int64[1 3] x1:int64[2 4]", {.delimiter = ';', .no_header = 1}},
    {"a|b\n1,5|2\n", "a:string['1,5'] b:int64[2]", {.delimiter = '|'}},
    {"a b\n1 2\n", "a:int64[1] b:int64[2]", {.delimiter = ' '}},
    /* forced types */
    {"a,b,c\n1,1,300\n2,,7\n",
     "a:string['1' '2'] b:float32[1.0 nan] c:uint16[300 7]",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_STRING},
                                              {"b", QUERN_FLOAT32},
                                              {"c", QUERN_UINT16}},
      .n_dtypes = 3}},
    {"1,255,-128\n",
     "x0:float64[1.0] x1:uint8[255] x2:int8[-128]",
     {.no_header = 1,
      .dtypes = (const struct qn_csv_dtype[]){{"0", QUERN_FLOAT64},
                                              {"x1", QUERN_UINT8},
                                              {"2", QUERN_INT8}},
      .n_dtypes = 3}},
    {"a\n18446744073709551615\n",
     "a:uint64[18446744073709551615]",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_UINT64}}, .n_dtypes = 1}},
    /* forced types of columns that only wide rows have */
    {"a\n1,2\n",
     "a:int64[1] Unnamed: 1:int8[2]",
     {.dtypes = (const struct qn_csv_dtype[]){{"Unnamed: 1", QUERN_INT8}}, .n_dtypes = 1}},
    {"1\n1,2,3\n",
     "x0:int64[1 1] x1:float64[nan 2.0] x2:string[- '3']",
     {.no_header = 1, .dtypes = (const struct qn_csv_dtype[]){{"2", QUERN_STRING}}, .n_dtypes = 1}},
    /* a model's schema: names decide, order is the schema's, other columns are not even parsed */
    {"z,a,b\nx,1,2\n",
     "b:float64[2.0] a:int64[1]",
     {.schema = (const quern_column[]){{.name = "b", .type = QUERN_FLOAT64},
                                       {.name = "a", .type = QUERN_INT64}},
      .n_schema = 2}},
    {"z,a\nx,1\n",
     "z:string['x']",
     {.schema = (const quern_column[]){{.type = QUERN_STRING}}, .n_schema = 1}},
    {"a,b\n1,2,3\n4,5,6,7\n",
     "b:int64[2 5]",
     {.schema = (const quern_column[]){{.name = "b", .type = QUERN_INT64}}, .n_schema = 1}},
    {"a,b\n1,2,3\n4,5,6,7\n",
     "Unnamed: 2:int64[3 6] a:int64[1 4]",
     {.schema = (const quern_column[]){{.name = "Unnamed: 2", .type = QUERN_INT64},
                                       {.name = "a", .type = QUERN_INT64}},
      .n_schema = 2}},
    {"1\n2,x\n",
     "x0:int64[1 2] x1:string[- 'x']",
     {.no_header = 1,
      .schema = (const quern_column[]){{.type = QUERN_INT64}, {.type = QUERN_STRING}},
      .n_schema = 2}},
    {"5,6\n",
     "x1:int64[6]",
     {.no_header = 1,
      .schema = (const quern_column[]){{.name = "x1", .type = QUERN_INT64}},
      .n_schema = 1}},
};

static const struct case_ refusals[] = {
    {"", "t.csv: is empty: no header and no rows", {0}},
    {"\n\r\n", "t.csv: is empty: no header and no rows", {0}},
    {"a,b,a\n1,2,3\n", "t.csv: line 1: columns 1 and 3 are both named 'a'", {0}},
    {"\xff\xfe"
     "a",
     "t.csv: starts with a UTF-16 byte-order mark (little-endian): convert the file "
     "to UTF-8",
     {0}},
    {"a\n1\n", "t.csv: the delimiter cannot be a quote or a newline", {.delimiter = '"'}},
    {"a,b\n1,\"x\n\"\n2.5,y\n",
     "t.csv: line 4, column 'a': '2.5' is not an integer of type int64",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_INT64}}, .n_dtypes = 1}},
    {"a\n1\n\nNA\n",
     "t.csv: line 4, column 'a': the cell is missing, which type int64 cannot hold (float64 can)",
     {.schema = (const quern_column[]){{.name = "a", .type = QUERN_INT64}}, .n_schema = 1}},
    {"a\n127\n128\n",
     "t.csv: line 3, column 'a': '128' is not an integer of type int8",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_INT8}}, .n_dtypes = 1}},
    {"a\n-1\n",
     "t.csv: line 2, column 'a': '-1' is not an integer of type uint8",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_UINT8}}, .n_dtypes = 1}},
    {"a\n1e5x\n",
     "t.csv: line 2, column 'a': '1e5x' is not a number of type float64",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_FLOAT64}}, .n_dtypes = 1}},
    {"a\nyes\n",
     "t.csv: line 2, column 'a': 'yes' is not true or false of type bool",
     {.dtypes = (const struct qn_csv_dtype[]){{"a", QUERN_BOOL}}, .n_dtypes = 1}},
    {"a\n1\n",
     "t.csv: has no column 'b' (1 columns, first 'a')",
     {.dtypes = (const struct qn_csv_dtype[]){{"b", QUERN_BOOL}}, .n_dtypes = 1}},
    {"a\n1\n",
     "t.csv: has no column 'b' (1 columns, first 'a')",
     {.schema = (const quern_column[]){{.name = "b", .type = QUERN_INT64}}, .n_schema = 1}},
    {"a\n1,2\n",
     "t.csv: has no column 'Unnamed: 2' (2 columns, first 'a')",
     {.schema = (const quern_column[]){{.name = "Unnamed: 2", .type = QUERN_INT64}},
      .n_schema = 1}},
    {"a\n1\n",
     "t.csv: has no column 'Unnamed: 1' (1 columns, first 'a')",
     {.dtypes = (const struct qn_csv_dtype[]){{"Unnamed: 1", QUERN_BOOL}}, .n_dtypes = 1}},
    {"1,2\n",
     "t.csv: has 2 columns, 3 are needed",
     {.no_header = 1,
      .schema = (const quern_column[]){{.type = QUERN_INT64},
                                       {.type = QUERN_INT64},
                                       {.type = QUERN_INT64}},
      .n_schema = 3}},
    {"a,b\n1,2,\"\n\"\n,x\n",
     "t.csv: line 4, column 'b': 'x' is not an integer of type int64",
     {.dtypes = (const struct qn_csv_dtype[]){{"b", QUERN_INT64}}, .n_dtypes = 1}},
};

/* What the caller is told of a file that was read; NULL: nothing. */
static const struct case_ warnings[] = {
    {"a,b\n1,2\n3\n", NULL, {0}},
    {"a,b\n1,2,,\n", NULL, {0}},
    {"a,b\n1,2\n\"x\ny\",1\n\n1,2,3,4\n1,2,,,\n1,2,3\n",
     "t.csv: 2 rows are wider than the header, the first on line 6; the extra columns are called "
     "'Unnamed: 2' to 'Unnamed: 3'",
     {0}},
    {"a\n1,2\n",
     "t.csv: 1 row is wider than the header, on line 2; the extra column is called 'Unnamed: 1'",
     {0}},
    {"1\n1,2\n",
     "t.csv: 1 row is wider than the first row, on line 2; the extra column is called 'x1'",
     {.no_header = 1}},
    {"a,b\n1,2,3\n4,5,6,7\n",
     "t.csv: 2 rows are wider than the header, the first on line 2; their extra cells are ignored",
     {.schema = (const quern_column[]){{.name = "b", .type = QUERN_INT64}}, .n_schema = 1}},
};

static quern_status read_text(const char *text, const struct qn_csv_options *options,
                              uint64_t chunk, struct qn_threads *pool, struct quern_table **out)
{
    struct qn_csv_inside inside = {.chunk_bytes = chunk};
    return qn_csv_parse_inside("t.csv", text, strlen(text), options, &inside, pool, out);
}

static const uint64_t chunks[] = {0, 1, 2, 5, 17};
enum { N_CHUNKS = sizeof chunks / sizeof *chunks };

static void tables_are_read_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (int k = 0; k < 2 * N_CHUNKS; k++) {
            struct quern_table *table;
            char got[TABLE_TEXT];
            if (read_text(tables[i].text, &tables[i].options, chunks[k / 2], k % 2 ? threads : NULL,
                          &table) != QUERN_OK)
                fail_msg("%s: %s", tables[i].text, qn_error_text());
            table_text(got, table);
            assert_string_equal(got, tables[i].expected);
            qn_table_free(table);
        }
    }
}

static void names_become_utf8_and_values_stay(void **state)
{
    const char *text = "gr\xfcn,\xc3\xa9t\xc3\xa9,\"\xf6\"\"\"\n1,2,\xf6\n";
    static const char *const names[] = {"gr\xc3\xbcn", "\xc3\xa9t\xc3\xa9", "\xc3\xb6\""};
    struct qn_csv_options options = {0};
    struct quern_table *table;
    uint64_t size;
    (void)state;
    assert_int_equal(read_text(text, &options, 0, NULL, &table), QUERN_OK);
    for (uint32_t c = 0; c < 3; c++) assert_string_equal(table->columns[c].name, names[c]);
    const char *value = qn_column_string(&table->columns[2], 0, &size);
    assert_int_equal(size, 1);
    assert_memory_equal(value, "\xf6", 1);
    qn_table_free(table);
    text = "\xf6,\xc3\xb6\n1,2\n"; /* one name, in two encodings */
    assert_int_equal(read_text(text, &options, 0, NULL, &table), QUERN_INVALID);
}

static void refusals_name_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        for (int k = 0; k < 2 * N_CHUNKS; k++) {
            struct quern_table *table = (struct quern_table *)state;
            quern_status status = read_text(refusals[i].text, &refusals[i].options, chunks[k / 2],
                                            k % 2 ? threads : NULL, &table);
            assert_int_not_equal(status, QUERN_OK);
            assert_null(table);
            assert_string_equal(qn_error_text(), refusals[i].expected);
        }
    }
}

static void wide_rows_are_told_of_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof warnings / sizeof *warnings; i++) {
        for (int k = 0; k < 2 * N_CHUNKS; k++) {
            struct quern_table *table;
            assert_int_equal(read_text(warnings[i].text, &warnings[i].options, chunks[k / 2],
                                       k % 2 ? threads : NULL, &table),
                             QUERN_OK);
            if (warnings[i].expected == NULL)
                assert_null(table->warning);
            else
                assert_string_equal(table->warning, warnings[i].expected);
            qn_table_free(table);
        }
    }
}

/* 20,000 integers, then one word: the column is text, with every integer as it was written. */
static void a_late_word_makes_the_whole_column_text(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    char *text = qn_alloc(ROWS * 16, 1), *p = text;
    p += sprintf(p, "a,b\n");
    for (int i = 0; i < ROWS; i++)
        p += sprintf(p, i == ROWS - 1 ? "x,%d\n" : "%05d,%d\n", i == ROWS - 1 ? 7 : i, i);
    struct quern_table *table;
    assert_int_equal(read_text(text, NULL, 4096, threads, &table), QUERN_OK);
    assert_int_equal(table->rows, ROWS);
    assert_int_equal(table->columns[0].type, QUERN_STRING);
    assert_int_equal(table->columns[1].type, QUERN_INT64);
    for (uint64_t r = 0; r + 1 < ROWS; r++) {
        char cell[16];
        uint64_t size;
        (void)sprintf(cell, "%05d", (int)r);
        const char *got = qn_column_string(&table->columns[0], r, &size);
        assert_int_equal(size, 5);
        assert_memory_equal(got, cell, 5);
    }
    qn_table_free(table);
    qn_free(text);
}

static void rows_know_their_lines(void **state)
{
    (void)state;
    static const uint64_t lines[] = {2, 3, 5, 8, 9};
    const char *text = "a,b\n1,2\n\"p\nq\",2\n5,\"\r\n\r\"\n6,7\n8,9\n";
    for (int k = 0; k < N_CHUNKS; k++) {
        struct quern_table *table;
        assert_int_equal(read_text(text, NULL, chunks[k], threads, &table), QUERN_OK);
        assert_int_equal(table->rows, 5);
        for (uint64_t r = 0; r < table->rows; r++)
            assert_int_equal(table->line_of_row(table, r), lines[r]);
        qn_table_free(table);
    }
}

static void no_allocation_may_fail_unnoticed(void **state)
{
    (void)state;
    const char *text = "a,b,c\n1,x,2013-01-01\nNA,\"y\"\"\n\",\nz,True,2,wide\n";
    uint64_t k = 1;
    for (quern_status status = QUERN_OUT_OF_MEMORY; status != QUERN_OK; k++) {
        struct quern_table *table;
        (void)qn_alloc_fail_at(k);
        status = read_text(text, NULL, 9, NULL, &table);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK)
            qn_table_free(table);
        else
            assert_int_equal(status, QUERN_OUT_OF_MEMORY);
    }
    assert_true(k > 20);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static size_t gzip_text(const char *text, unsigned char *out, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)strlen(text);
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&z);
    return room - z.avail_out;
}

static void expect_file(const char *path, const char *expected)
{
    struct quern_table *table;
    char got[TABLE_TEXT];
    if (qn_csv_read(path, NULL, threads, &table) != QUERN_OK) {
        assert_string_equal(qn_error_text(), expected);
        return;
    }
    table_text(got, table);
    assert_string_equal(got, expected);
    qn_table_free(table);
}

static void compressed_files_are_known_by_content(void **state)
{
    (void)state;
    char folder[] = "/tmp/quern-test-XXXXXX", path[64], message[200];
    unsigned char bytes[400];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/t.tsv", folder);
    size_t n = gzip_text("a\tb\n1\t", bytes, sizeof bytes);
    size_t m = gzip_text("2\n", bytes + n, sizeof bytes - n); /* two members, then padding */
    memset(bytes + n + m, 0, 8);
    write_file(path, bytes, n + m + 8);
    expect_file(path, "a:int64[1] b:int64[2]");
    write_file(path, bytes, n - 3);
    (void)snprintf(message, sizeof message, "%s: the compressed data ends too early", path);
    expect_file(path, message);
    bytes[n - 8] ^= 1; /* checksum */
    write_file(path, bytes, n);
    (void)snprintf(message, sizeof message, "%s: the gzip data is damaged: incorrect data check",
                   path);
    expect_file(path, message);
    size_t z = ZSTD_compress(bytes, sizeof bytes, "a\n1\n", 4, 3);
    write_file(path, bytes, z);
    expect_file(path, "a:int64[1]");
    write_file(path, bytes, z - 1);
    (void)snprintf(message, sizeof message, "%s: the compressed data ends too early", path);
    expect_file(path, message);
    write_file(path, "PK\003\004....", 8);
    (void)snprintf(message, sizeof message,
                   "%s: is a ZIP archive, not CSV text (plain, gzip or zstd compressed)", path);
    expect_file(path, message);
    write_file(path, "", 0);
    (void)snprintf(message, sizeof message, "%s: is empty: no header and no rows", path);
    expect_file(path, message);
    (void)unlink(path);
    (void)snprintf(message, sizeof message, "%s: No such file or directory", path);
    expect_file(path, message);
    (void)rmdir(folder);
}

static void penguins_have_their_missing_cells(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        quern_type type;
        int missing;
    } columns[] = {{"species", QUERN_STRING, 0},
                   {"island", QUERN_STRING, 0},
                   {"bill_length_mm", QUERN_FLOAT64, 2},
                   {"bill_depth_mm", QUERN_FLOAT64, 2},
                   {"flipper_length_mm", QUERN_FLOAT64, 2},
                   {"body_mass_g", QUERN_FLOAT64, 2},
                   {"sex", QUERN_STRING, 11}};
    struct quern_table *table;
    assert_int_equal(qn_csv_read(QN_TEST_DATA "/penguins.csv", NULL, threads, &table), QUERN_OK);
    assert_int_equal(table->rows, 344);
    assert_int_equal(table->n_columns, 7);
    for (uint32_t c = 0; c < 7; c++) {
        const quern_column *column = &table->columns[c];
        int missing = 0;
        assert_string_equal(column->name, columns[c].name);
        assert_int_equal(column->type, columns[c].type);
        for (uint64_t r = 0; r < table->rows; r++) {
            const double *values = column->data;
            missing += !qn_column_valid(column, r) ||
                       (column->type == QUERN_FLOAT64 && values[r] != values[r]);
        }
        assert_int_equal(missing, columns[c].missing);
    }
    qn_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read_the_same_however_they_are_cut),
        cmocka_unit_test(names_become_utf8_and_values_stay),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(wide_rows_are_told_of_once),
        cmocka_unit_test(a_late_word_makes_the_whole_column_text),
        cmocka_unit_test(rows_know_their_lines),
        cmocka_unit_test(no_allocation_may_fail_unnoticed),
        cmocka_unit_test(compressed_files_are_known_by_content),
        cmocka_unit_test(penguins_have_their_missing_cells),
    };
    if (qn_threads_open(2, &threads) != QUERN_OK) return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    qn_threads_close(threads);
    return rc;
}
