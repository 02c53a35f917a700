/* SPDX-License-Identifier: Apache-2.0
 * Categories against a naive oracle: sorted distinct values with counts, found by comparing. Random
 * columns of every type, with missing values, strides and awkward values, are pushed with several
 * thread counts and cuts, merged, encoded and looked up. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/core/threads.h"
#include "tests/unit/categories_oracle.h"

static struct qn_threads *pools[3];
static const uint32_t pool_sizes[] = {1, 2, 7};

static void check_sample(const struct shape *shape, struct qn_threads *threads, uint64_t piece)
{
    struct sample s;
    struct oracle o;
    struct qn_categories *set;
    uint64_t unknown, first;
    sample_make(&s, shape);
    oracle_make(&o, &s);
    uint32_t *provisional = calloc(s.rows + 1, sizeof *provisional);
    uint32_t *codes = calloc(s.rows + 1, sizeof *codes);
    assert_int_equal(qn_categories_open(s.type, &set), QUERN_OK);
    for (uint64_t at = 0; at < s.rows; at += piece) {
        quern_column c = cut(&s, at);
        uint64_t rows = s.rows - at < piece ? s.rows - at : piece;
        assert_int_equal(qn_categories_push(set, threads, &c, rows, provisional + at), QUERN_OK);
    }
    assert_int_equal(qn_categories_count(set), o.count);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    check_set(set, &o, s.type, 1);
    quern_type type = code_type(o.count);
    assert_int_equal(qn_categories_renumber(set, threads, provisional, s.rows, codes, type), 0);
    check_codes(codes, type, &o, s.rows);
    memset(codes, 0xab, s.rows * sizeof *codes);
    assert_int_equal(
        qn_categories_encode(set, threads, &s.column, s.rows, codes, type, &unknown, &first), 0);
    assert_int_equal(unknown, 0);
    check_codes(codes, type, &o, s.rows);
    qn_categories_free(set);
    free(provisional);
    free(codes);
    oracle_free(&o);
    sample_free(&s);
}

/* ---- tests ---- */

static void random_columns_agree_with_the_oracle(void **unused)
{
    static const uint64_t pieces[] = {ROWS_MOST, 1, 999, 1024, 16384};
    (void)unused;
    for (unsigned trial = 0; trial < 260; trial++) {
        static const uint64_t distinct[] = {1, 2, 5, 40, 300, 5000, 100000};
        static const uint64_t rows[] = {1, 3, 100, 1024, 1025, 5000, 20000, ROWS_MOST};
        draw_from(trial);
        struct shape shape = {.type = (quern_type)(trial % 13),
                              .rows = rows[draw(8)],
                              .distinct = distinct[draw(7)],
                              .style = (int)draw(2),
                              .missing_percent = draw(2) ? (int)draw(101) : 0,
                              .wide = (int)draw(2),
                              .strided = (int)draw(2)};
        uint64_t piece = pieces[draw(5)];
        if (shape.rows / piece > 2000) piece = 999;
        check_sample(&shape, pools[draw(3)], piece);
    }
}

static void large_dictionaries_agree_with_the_oracle(void **unused)
{
    static const quern_type types[] = {QUERN_STRING, QUERN_INT64, QUERN_FLOAT64};
    (void)unused;
    for (unsigned t = 0; t < 3; t++) {
        for (int style = 0; style < 2; style++) {
            struct shape shape = {
                .type = types[t], .rows = 200000, .distinct = 1 << 30, .style = style};
            draw_from(t);
            check_sample(&shape, pools[1], 65536);
        }
    }
}

static void all_missing_gives_no_category(void **unused)
{
    (void)unused;
    for (unsigned t = 0; t < 13; t++) {
        struct shape shape = {
            .type = (quern_type)t, .rows = 3000, .distinct = 5, .missing_percent = 100};
        check_sample(&shape, pools[1], 3000);
    }
}

static void no_rows_give_an_empty_set(void **unused)
{
    struct qn_categories *set;
    quern_column column = {.type = QUERN_STRING, .offset_bits = 32};
    uint64_t unknown, first;
    uint8_t code;
    (void)unused;
    assert_int_equal(qn_categories_open(QUERN_STRING, &set), QUERN_OK);
    assert_int_equal(qn_categories_push(set, pools[1], &column, 0, NULL), QUERN_OK);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    assert_int_equal(qn_categories_count(set), 0);
    assert_int_equal(qn_categories_find_string(set, "a", 1), 1);
    int32_t offsets[] = {0, 1};
    column.offsets = offsets;
    column.data = "a";
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 1, &code, QUERN_UINT8, &unknown, &first), 0);
    assert_int_equal(code, 1);
    assert_int_equal(unknown, 1);
    qn_categories_free(set);
}

static void merged_sets_equal_one_set(void **unused)
{
    (void)unused;
    for (unsigned t = 0; t < 13; t++) {
        struct shape shape = {.type = (quern_type)t,
                              .rows = 6000,
                              .distinct = 700,
                              .style = 1,
                              .missing_percent = 10};
        struct sample s;
        struct oracle o;
        struct qn_categories *a, *b, *c;
        draw_from(t);
        sample_make(&s, &shape);
        oracle_make(&o, &s);
        assert_int_equal(qn_categories_open(s.type, &a), QUERN_OK);
        assert_int_equal(qn_categories_open(s.type, &b), QUERN_OK);
        assert_int_equal(qn_categories_open(s.type, &c), QUERN_OK);
        quern_column tail = cut(&s, 2500);
        assert_int_equal(qn_categories_push(a, pools[1], &s.column, 2500, NULL), QUERN_OK);
        assert_int_equal(qn_categories_push(b, pools[2], &tail, 3500, NULL), QUERN_OK);
        assert_int_equal(qn_categories_push(c, NULL, &s.column, 6000, NULL), QUERN_OK);
        assert_int_equal(qn_categories_finish(c), QUERN_OK);
        assert_int_equal(qn_categories_merge(a, b), QUERN_OK);
        assert_int_equal(qn_categories_merge(a, c),
                         QUERN_OK); /* a finished one, everything again */
        assert_int_equal(qn_categories_finish(a), QUERN_OK);
        check_set(a, &o, s.type, 2);
        assert_int_equal(qn_categories_merge(a, b), QUERN_INVALID);
        assert_int_equal(qn_categories_merge(b, b), QUERN_INVALID);
        qn_categories_free(a);
        qn_categories_free(b);
        qn_categories_free(c);
        oracle_free(&o);
        sample_free(&s);
    }
}

static void given_values_encode_and_flag_unknown_ones(void **unused)
{
    const int64_t offsets[] = {2, 2, 4, 6, 40};
    const char *bytes = "??"
                        "a\0"
                        "ab"
                        "b234567890123456789012345678901234";
    struct qn_categories *set;
    (void)unused;
    assert_int_equal(qn_categories_from(QUERN_STRING, 4, bytes, offsets, &set), QUERN_OK);
    assert_int_equal(qn_categories_find_string(set, "", 0), 0);
    assert_int_equal(qn_categories_find_string(set, "a\0", 2), 1);
    assert_int_equal(qn_categories_find_string(set, "a", 1), 5);
    assert_int_equal(qn_categories_find_string(set, "ab", 2), 2);
    assert_int_equal(qn_categories_find_string(set, bytes + 6, 34), 3);
    assert_int_equal(qn_categories_find_string(set, bytes + 6, 33), 5);
    const int32_t cells[] = {0, 2, 2, 3, 5};
    const uint8_t validity = 0x7;
    quern_column column = {.type = QUERN_STRING,
                           .offset_bits = 32,
                           .data = "abbab",
                           .offsets = cells,
                           .validity = &validity};
    uint16_t codes[4];
    uint64_t unknown, first;
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 4, codes, QUERN_UINT16, &unknown, &first), 0);
    assert_int_equal(codes[0], 2);
    assert_int_equal(codes[1], 0);
    assert_int_equal(codes[2], 5);
    assert_int_equal(codes[3], 4);
    assert_int_equal(unknown, 1);
    assert_int_equal(first, 2);
    qn_categories_free(set);
}

static void given_values_must_ascend(void **unused)
{
    const double twice[] = {1, 1}, nan_last[] = {1, NAN}, zeros[] = {-0.0, 0.0};
    const int64_t down[] = {3, 2}, offsets[] = {0, 1, 2}, bad_offsets[] = {0, 2, 1};
    struct qn_categories *set;
    (void)unused;
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, twice, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, nan_last, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, zeros, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_INT64, 2, down, NULL, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_STRING, 2, "ba", offsets, &set), QUERN_INVALID);
    assert_int_equal(qn_categories_from(QUERN_STRING, 2, "ab", bad_offsets, &set), QUERN_INVALID);
    assert_null(set);
}

/* Padded with zeros these are all the same words. */
static void strings_of_zeros_differ_by_length(void **unused)
{
    enum { LENGTHS = 60, FIRSTS = 4 };
    static char bytes[FIRSTS * LENGTHS * LENGTHS];
    int64_t offsets[FIRSTS * LENGTHS + 1] = {0};
    uint32_t n = 0;
    (void)unused;
    for (int first = 0; first < FIRSTS; first++) {
        for (int length = first > 0; length < LENGTHS; length++, n++) {
            offsets[n + 1] = offsets[n] + length;
            if (length > 0) bytes[offsets[n]] = (char)first;
        }
    }
    quern_column column = {
        .type = QUERN_STRING, .offset_bits = 64, .data = bytes, .offsets = offsets};
    struct qn_categories *set;
    uint32_t codes[FIRSTS * LENGTHS];
    uint64_t unknown, first_unknown;
    assert_int_equal(qn_categories_open(QUERN_STRING, &set), QUERN_OK);
    for (int again = 0; again < 2; again++)
        assert_int_equal(qn_categories_push(set, NULL, &column, n, NULL), QUERN_OK);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    assert_int_equal(qn_categories_count(set), n);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, n, codes, QUERN_UINT32, &unknown, &first_unknown),
        QUERN_OK);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(codes[i], i);
        assert_int_equal(qn_categories_rows(set, i), 2);
    }
    qn_categories_free(set);
}

/* A column may have another number type than the categories: values are compared, not bits. */
static void numbers_of_other_types_are_compared_by_value(void **unused)
{
    const int64_t ints[] = {-3, 0, 7, INT64_MAX};
    const double floats[] = {-3, 0, 7, 7.5, 9223372036854775807.0, NAN, -0.0, INFINITY};
    const uint32_t expected[] = {0, 1, 2, 5, 5, 4, 1, 5};
    const uint64_t unsigned_values[] = {0, 7, UINT64_MAX, INT64_MAX};
    const uint8_t unsigned_expected[] = {1, 2, 5, 3};
    struct qn_categories *set;
    uint8_t codes[8];
    uint64_t unknown, first;
    (void)unused;
    assert_int_equal(qn_categories_from(QUERN_INT64, 4, ints, NULL, &set), QUERN_OK);
    quern_column column = {.type = QUERN_FLOAT64, .data = floats};
    assert_int_equal(
        qn_categories_encode(set, pools[1], &column, 8, codes, QUERN_UINT8, &unknown, &first), 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(codes[i], expected[i]);
        assert_int_equal(qn_categories_find_f64(set, floats[i]), expected[i]);
    }
    assert_int_equal(unknown, 3);
    assert_int_equal(first, 3);
    column = (quern_column){.type = QUERN_UINT64, .data = unsigned_values};
    assert_int_equal(
        qn_categories_encode(set, pools[1], &column, 4, codes, QUERN_UINT8, &unknown, &first), 0);
    assert_memory_equal(codes, unsigned_expected, 4);
    column = (quern_column){.type = QUERN_DATETIME, .data = ints};
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 4, codes, QUERN_UINT8, &unknown, &first),
        QUERN_INVALID);
    qn_categories_free(set);
    const double given[] = {-0.0, 9007199254740992.0};
    assert_int_equal(qn_categories_from(QUERN_FLOAT64, 2, given, NULL, &set), QUERN_OK);
    assert_int_equal(qn_categories_find_i64(set, 0), 0);
    assert_int_equal(qn_categories_find_i64(set, 9007199254740992), 1);
    assert_int_equal(qn_categories_find_i64(set, 9007199254740993), 3);
    assert_int_equal(qn_categories_find_f64(set, NAN), 2);
    qn_categories_free(set);
}

static void codes_that_do_not_fit_are_refused(void **unused)
{
    int64_t values[300];
    uint8_t codes[300];
    uint64_t unknown, first;
    struct qn_categories *set;
    (void)unused;
    for (int i = 0; i < 300; i++) values[i] = i;
    quern_column column = {.type = QUERN_INT64, .data = values};
    assert_int_equal(qn_categories_from(QUERN_INT64, 255, values, NULL, &set), QUERN_OK);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 9, codes, QUERN_UINT8, &unknown, &first),
        QUERN_INVALID);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 9, codes, QUERN_INT32, &unknown, &first),
        QUERN_INVALID);
    qn_categories_free(set);
    assert_int_equal(qn_categories_from(QUERN_INT64, 254, values, NULL, &set), QUERN_OK);
    assert_int_equal(
        qn_categories_encode(set, NULL, &column, 300, codes, QUERN_UINT8, &unknown, &first), 0);
    assert_int_equal(codes[253], 253);
    assert_int_equal(codes[254], 255);
    assert_int_equal(unknown, 46);
    assert_int_equal(first, 254);
    qn_categories_free(set);
}

static void pushing_another_type_or_after_the_end_is_refused(void **unused)
{
    int64_t values[] = {1, 2};
    quern_column column = {.type = QUERN_INT64, .data = values};
    struct qn_categories *set;
    (void)unused;
    assert_int_equal(qn_categories_open(QUERN_INT32, &set), QUERN_OK);
    assert_int_equal(qn_categories_push(set, NULL, &column, 2, NULL), QUERN_INVALID);
    assert_int_equal(qn_categories_finish(set), QUERN_OK);
    column.type = QUERN_INT32;
    assert_int_equal(qn_categories_push(set, NULL, &column, 2, NULL), QUERN_INVALID);
    assert_int_equal(qn_categories_finish(set), QUERN_INVALID);
    qn_categories_free(set);
}

static void a_limit_refuses_with_the_count(void **unused)
{
    (void)unused;
    for (unsigned t = 0; t < 2; t++) {
        struct shape shape = {.type = t ? QUERN_STRING : QUERN_INT64,
                              .rows = ROWS_MOST,
                              .distinct = 1 << 30,
                              .style = 1};
        struct sample s;
        struct qn_categories *set;
        sample_make(&s, &shape);
        assert_int_equal(qn_categories_open(s.type, &set), QUERN_OK);
        qn_categories_limit(set, 1 << 20);
        assert_int_equal(qn_categories_push(set, pools[1], &s.column, s.rows, NULL),
                         QUERN_OUT_OF_MEMORY);
        assert_non_null(strstr(qn_error_text(), "distinct values so far"));
        assert_non_null(strstr(qn_error_text(), "1048576 bytes"));
        assert_true(qn_categories_bytes(set) <= 1 << 20);
        uint32_t count = qn_categories_count(set);
        assert_in_range(count, 1000, ROWS_MOST - 1);
        qn_categories_free(set);
        /* A set that was not refused keeps to the limit to the end. */
        assert_int_equal(qn_categories_open(s.type, &set), QUERN_OK);
        qn_categories_limit(set, 1 << 20);
        assert_int_equal(qn_categories_push(set, NULL, &s.column, count / 2, NULL), QUERN_OK);
        assert_int_equal(qn_categories_finish(set), QUERN_OK);
        assert_true(qn_categories_bytes(set) <= 1 << 20);
        qn_categories_free(set);
        sample_free(&s);
    }
}

/* Builds, merges, finishes and encodes; whatever fails, nothing leaks and the reason is memory. */
static quern_status whole_life(const struct sample *s, uint32_t *codes)
{
    struct qn_categories *a = NULL, *b = NULL;
    uint64_t unknown, first;
    quern_status status;
    QN_GO(qn_categories_open(s->type, &a));
    QN_GO(qn_categories_open(s->type, &b));
    QN_GO(qn_categories_push(a, pools[1], &s->column, s->rows, codes));
    QN_GO(qn_categories_push(b, NULL, &s->column, s->rows / 2, NULL));
    QN_GO(qn_categories_merge(b, a));
    QN_GO(qn_categories_finish(b));
    QN_GO(qn_categories_encode(b, pools[1], &s->column, s->rows, codes, QUERN_UINT32, &unknown,
                               &first));
cleanup:
    qn_categories_free(a);
    qn_categories_free(b);
    return status;
}

static void every_failing_allocation_is_reported(void **unused)
{
    static const quern_type types[] = {QUERN_STRING, QUERN_INT64};
    (void)unused;
    for (unsigned t = 0; t < 2; t++) {
        struct shape shape = {.type = types[t], .rows = 3000, .distinct = 900, .style = 1};
        struct sample s;
        sample_make(&s, &shape);
        uint32_t *codes = calloc(s.rows, sizeof *codes);
        uint64_t k = 1;
        for (;; k++) {
            (void)qn_alloc_fail_at(k);
            quern_status status = whole_life(&s, codes);
            uint64_t made = qn_alloc_fail_at(0);
            if (status == QUERN_OK) {
                assert_true(made < k);
                break;
            }
            assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        }
        assert_true(k > 50);
        free(codes);
        sample_free(&s);
    }
    const int64_t offsets[] = {0, 1, 2};
    struct qn_categories *set = NULL;
    for (uint64_t k = 1; set == NULL; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_categories_from(QUERN_STRING, 2, "ab", offsets, &set);
        (void)qn_alloc_fail_at(0);
        assert_true(status == (set != NULL ? QUERN_OK : QUERN_OUT_OF_MEMORY));
    }
    qn_categories_free(set);
}

static int open_pools(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++)
        if (qn_threads_open(pool_sizes[p], &pools[p]) != QUERN_OK) return 1;
    return 0;
}

static int close_pools(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++) qn_threads_close(pools[p]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_columns_agree_with_the_oracle),
        cmocka_unit_test(large_dictionaries_agree_with_the_oracle),
        cmocka_unit_test(all_missing_gives_no_category),
        cmocka_unit_test(no_rows_give_an_empty_set),
        cmocka_unit_test(merged_sets_equal_one_set),
        cmocka_unit_test(given_values_encode_and_flag_unknown_ones),
        cmocka_unit_test(given_values_must_ascend),
        cmocka_unit_test(strings_of_zeros_differ_by_length),
        cmocka_unit_test(numbers_of_other_types_are_compared_by_value),
        cmocka_unit_test(codes_that_do_not_fit_are_refused),
        cmocka_unit_test(pushing_another_type_or_after_the_end_is_refused),
        cmocka_unit_test(a_limit_refuses_with_the_count),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, open_pools, close_pools);
}
