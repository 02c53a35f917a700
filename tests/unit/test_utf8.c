/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/core/utf8.h"

static int valid(const char *text)
{
    return qn_utf8_valid(text, strlen(text));
}

static void well_formed_text_is_known(void **state)
{
    (void)state;
    assert_true(valid(""));
    assert_true(valid("age \x7f"));
    assert_true(valid("\xc2\x80\xdf\xbf"));
    assert_true(valid("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
    assert_true(valid("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    assert_true(qn_utf8_valid("a\0b", 3));
}

static void what_is_not_utf8_is_known(void **state)
{
    static const char *const wrong[] = {
        "\x80",     /* begins in the middle */
        "\xc0\xaf", /* two bytes for one */
        "\xc1\xbf",
        "\xc3",
        "\xc3(",        /* ends early */
        "\xe0\x9f\xbf", /* three bytes for two */
        "\xed\xa0\x80", /* a surrogate */
        "\xe2\x82",
        "\xe2(\xa1",
        "\xf0\x8f\xbf\xbf", /* four bytes for three */
        "\xf4\x90\x80\x80", /* beyond the last character */
        "\xf5\x80\x80\x80",
        "\xff",
        "fine, then \xe9t\xe9",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (valid(wrong[i])) fail_msg("number %zu is taken for UTF-8", i);
}

static void latin1_becomes_utf8(void **state)
{
    size_t size;
    char *text = qn_utf8_from_latin1("\xe9t\xe9 \xff", 5, &size);
    (void)state;
    assert_non_null(text);
    assert_string_equal(text, "\xc3\xa9t\xc3\xa9 \xc3\xbf");
    assert_int_equal(size, strlen(text));
    qn_free(text);
    (void)qn_alloc_fail_at(1);
    text = qn_utf8_from_latin1("a", 1, &size);
    (void)qn_alloc_fail_at(0);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_known),
        cmocka_unit_test(what_is_not_utf8_is_known),
        cmocka_unit_test(latin1_becomes_utf8),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
