/* SPDX-License-Identifier: Apache-2.0
 * Numbers to text and back: shortest, exact, as Python and NumPy write them; CSV out. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/data/csv.h"
#include "host/data/csv_cell.h"
#include "host/data/decimal.h"
#include "host/data/npy.h"

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void doubles_are_written_as_pythons_repr(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        const char *text;
    } cases[] = {
        {0x0000000000000000, "0.0"},
        {0x8000000000000000, "-0.0"},
        {0x3ff0000000000000, "1.0"},
        {0x3fb999999999999a, "0.1"},
        {0x3fd5555555555555, "0.3333333333333333"},
        {0x3fd3333333333334, "0.30000000000000004"},
        {0x3f1a36e2eb1c432d, "0.0001"},
        {0x3ee4f8b588e368f1, "1e-05"},
        {0x3e7ad7f29abcaf48, "1e-07"},
        {0x430c6bf526340000, "1000000000000000.0"},
        {0x4341c37937e08000, "1e+16"},
        {0x4350000000000000, "1.8014398509481984e+16"},
        {0x433fffffffffffff, "9007199254740991.0"},
        {0x0000000000000001, "5e-324"},
        {0x000fffffffffffff, "2.225073858507201e-308"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x7ff0000000000000, "inf"},
        {0xfff0000000000000, "-inf"},
        {0x7ff8000000000000, "nan"},
        {0xfff8000000000001, "nan"},
        {0xc05edd2f1a9fbe77, "-123.456"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[32];
        out[qn_format_f64(out, from_bits(cases[i].bits))] = '\0';
        assert_string_equal(out, cases[i].text);
    }
}

static void floats_are_written_as_numpys_str(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        const char *text;
    } cases[] = {
        {0x3dcccccd, "0.1"},           {0x3f800000, "1.0"},
        {0x80000000, "-0.0"},          {0x497423ff, "999999.94"},
        {0x49742400, "1e+06"},         {0x4b800000, "1.6777216e+07"},
        {0x38d1b717, "1e-04"},         {0x38d1b718, "0.000100000005"},
        {0x00000001, "1e-45"},         {0x7f7fffff, "3.4028235e+38"},
        {0x00800000, "1.1754944e-38"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[32];
        float value;
        memcpy(&value, &cases[i].bits, sizeof value);
        out[qn_format_f32(out, value)] = '\0';
        assert_string_equal(out, cases[i].text);
    }
}

static void decimals_are_read_to_the_nearest_double(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bits;
    } cases[] = {
        {"9007199254740993", 0x4340000000000000}, /* ties go to even */
        {"9007199254740993.0000000000000000000000000000000000000000000000001", 0x4340000000000001},
        {"9007199254740995", 0x4340000000000002},
        {"2.4703282292062327e-324", 0x0000000000000000},
        {"2.4703282292062328e-324", 0x0000000000000001},
        {"2.2250738585072011e-308", 0x000fffffffffffff},
        {"1.7976931348623158e308", 0x7fefffffffffffff},
        {"1.7976931348623159e308", 0x7ff0000000000000},
        {"1e23", 0x44b52d02c7e14af6},
        {"8.5e22", 0x44b1ffdbf6b2b2eb},
        {"1e-400", 0x0000000000000000},
        {"-1e999999999999", 0xfff0000000000000},
        {"0e999999999999", 0x0000000000000000},
        {" +1.5E+1\t", 0x402e000000000000},
        {"-iNf", 0xfff0000000000000},
        {"6929495644600919.5", 0x43389e56ee5e7a58},
        {"3.518437208883201171875e13", 0x42c0000000000002},
    };
    static const char *const none[] = {"",    " ",   ".",   "e5",   "1e",  "1e+", "--1", "1.2.3",
                                       "0x1", "1_0", "nan", "infi", "1 2", "+",   "1,5", "1e5.0"};
    double value;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(qn_parse_f64(cases[i].text, strlen(cases[i].text), &value), 1);
        if (to_bits(value) != cases[i].bits)
            fail_msg("%s: %016" PRIx64, cases[i].text, to_bits(value));
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (qn_parse_f64(none[i], strlen(none[i]), &value)) fail_msg("'%s' was read", none[i]);
}

/* Any bits: what is written reads back as the same bits, and one digit less does not. */
static void text_and_back_is_the_same_value(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        double value = from_bits(x), back;
        char out[64];
        if (value != value) continue;
        size_t n = qn_format_f64(out, value);
        assert_int_equal(qn_parse_f64(out, n, &back), 1);
        if (to_bits(back) != x) fail_msg("%.*s", (int)n, out);
        (void)snprintf(out, sizeof out, "%.30e", value); /* more digits than 64 bits hold */
        assert_int_equal(qn_parse_f64(out, strlen(out), &back), 1);
        if (to_bits(back) != x) fail_msg("%s", out);
    }
}

static void integers_and_moments_have_limits(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    char out[32];
    assert_int_equal(qn_parse_i64("-9223372036854775808", 20, &i), 1);
    assert_true(i == INT64_MIN);
    assert_int_equal(qn_parse_i64("9223372036854775808", 19, &i), 0);
    assert_int_equal(qn_parse_i64("-9223372036854775809", 20, &i), 0);
    assert_int_equal(qn_parse_i64("-", 1, &i), 0);
    assert_int_equal(qn_parse_i64("-+1", 3, &i), 0);
    assert_int_equal(qn_parse_u64("18446744073709551615", 20, &u), 1);
    assert_int_equal(qn_parse_u64("18446744073709551616", 20, &u), 0);
    out[qn_format_i64(out, INT64_MIN)] = '\0';
    assert_string_equal(out, "-9223372036854775808");
    for (int64_t t = -62135596800000000; t < 253402300800000000; t += 86399999999999) {
        size_t n = qn_format_datetime(out, t);
        assert_int_equal(n, 26);
        assert_int_equal(qn_parse_datetime(out, n, &i), 1);
        assert_true(i == t);
    }
}

static void rows_are_written_with_the_quotes_they_need(void **state)
{
    (void)state;
    static const double f[] = {0.1, 0.0 / 1, 1e20};
    static const float g[] = {0.1f, 2.0f, 3.0f};
    static const int8_t h[] = {-1, 0, 1};
    static const uint8_t b[] = {1, 0, 1};
    static const int64_t t[] = {0, -1, 1356998400000000};
    static const int32_t offsets[] = {0, 5, 5, 10};
    static const uint8_t some[] = {0x05};
    static const char *const names[] = {"f", "a,b", "say \"x\"", "b", "t", "s"};
    double nan_second[] = {f[0], from_bits(0x7ff8000000000000), f[2]};
    const quern_column columns[] = {
        {.type = QUERN_FLOAT64, .data = nan_second},
        {.type = QUERN_FLOAT32, .data = g},
        {.type = QUERN_INT8, .data = h, .validity = some},
        {.type = QUERN_BOOL, .data = b},
        {.type = QUERN_DATETIME, .data = t},
        {.type = QUERN_STRING, .data = "a\"b,cx\ny\rz", .offsets = offsets, .offset_bits = 32}};
    static const char expected[] = "f,\"a,b\",\"say \"\"x\"\"\",b,t,s\n"
                                   "0.1,0.1,-1,True,1970-01-01T00:00:00.000000,\"a\"\"b,c\"\n"
                                   ",2.0,,False,1969-12-31T23:59:59.999999,\n"
                                   "1e+20,3.0,1,True,2013-01-01T00:00:00.000000,\"x\ny\rz\"\n";
    char path[] = "/tmp/quern-test-XXXXXX", got[sizeof expected + 10];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct qn_outfile *file;
    assert_int_equal(qn_outfile_open(path, &file), QUERN_OK);
    assert_int_equal(qn_csv_write_header(file, names, 6), QUERN_OK);
    assert_int_equal(qn_csv_write_rows(file, columns, 6, 3), QUERN_OK);
    assert_int_equal(qn_outfile_commit(file), QUERN_OK);
    (void)close(fd);
    FILE *in = fopen(path, "rb");
    got[fread(got, 1, sizeof got - 1, in)] = '\0';
    (void)fclose(in);
    assert_string_equal(got, expected);

    /* alone in its row, an empty cell must not look like a blank line; what is long is not cut */
    enum { LONG = 300000 };
    char *text = qn_alloc(LONG, 1);
    memset(text, '"', LONG);
    const int64_t wide[] = {0, 0, LONG};
    const quern_column alone = {
        .type = QUERN_STRING, .data = text, .offsets = wide, .offset_bits = 64};
    struct quern_table *table;
    assert_int_equal(qn_outfile_open(path, &file), QUERN_OK);
    assert_int_equal(qn_csv_write_header(file, names, 1), QUERN_OK);
    assert_int_equal(qn_csv_write_rows(file, &alone, 1, 2), QUERN_OK);
    assert_int_equal(qn_outfile_commit(file), QUERN_OK);
    assert_int_equal(qn_csv_read(path, NULL, NULL, &table), QUERN_OK);
    assert_int_equal(table->rows, 2);
    uint64_t size;
    assert_memory_equal(qn_column_string(&table->columns[0], 1, &size), text, LONG);
    assert_int_equal(size, LONG);
    qn_table_free(table);
    qn_free(text);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_written_as_pythons_repr),
        cmocka_unit_test(floats_are_written_as_numpys_str),
        cmocka_unit_test(decimals_are_read_to_the_nearest_double),
        cmocka_unit_test(text_and_back_is_the_same_value),
        cmocka_unit_test(integers_and_moments_have_limits),
        cmocka_unit_test(rows_are_written_with_the_quotes_they_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
