/* SPDX-License-Identifier: Apache-2.0
 * Draws of rows beside NumPy's: which rows (by a hash of them, ascending) and the number that comes next. The
 * lines are what numpy.random.RandomState(seed) gave, with shuffle, choice and choice by weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "host/stats/draw.h"

static const struct {
    uint32_t seed, rows, n;
    uint64_t drawn[3]; /* FNV-1a of the rows' numbers */
    uint32_t next[3];
} golden[] = {
    {0u,
     2,
     1,
     {0xaf63bc4c8601b62cu, 0xaf63bd4c8601b7dfu, 0xaf63bc4c8601b62cu},
     {0x97c4aa2fu, 0x97c4aa2fu, 0xb716a675u}},
    {0u,
     64,
     63,
     {0x2646c1980983f07bu, 0xb6b8ac7c1ff9265du, 0xd92466d7c3e1ceccu},
     {0xe710b184u, 0xbca6ab72u, 0x235ff531u}},
    {0u,
     65,
     10,
     {0x3bb4f5acc55043f5u, 0x2a0213bccbbda493u, 0x3e775b34c52224a1u},
     {0xe710b184u, 0x916b5e58u, 0xcaae7de6u}},
    {0u,
     1000,
     1000,
     {0x988cc5afd8cb65ddu, 0x37f08fc7555d4169u, 0x83f361014ce2c39cu},
     {0xfdf88d37u, 0xbd770814u, 0x97c70051u}},
    {0u,
     70001,
     3000,
     {0x8ee58e5fa64896e8u, 0xcd6bca57ff257d16u, 0xbd8f30e1ab652fe5u},
     {0x6c77d01eu, 0x53d13bd6u, 0x69f97221u}},
    {5489u,
     2,
     1,
     {0xaf63bc4c8601b62cu, 0xaf63bd4c8601b7dfu, 0xaf63bc4c8601b62cu},
     {0x22ae9ef6u, 0x22ae9ef6u, 0xe7e1faeeu}},
    {5489u,
     64,
     63,
     {0x587dd6f20462507bu, 0x42ae62eaa3d5972bu, 0xdc102504d5966907u},
     {0x203ac303u, 0x51097330u, 0xb2f6b127u}},
    {5489u,
     65,
     10,
     {0xab8137c2d7e2bdfcu, 0x9794a9849f3b9b1fu, 0x8901fa41c4cf9856u},
     {0x0d1c8509u, 0xfb2a0137u, 0x285954a1u}},
    {5489u,
     1000,
     1000,
     {0x988cc5afd8cb65ddu, 0x0f0b393adaacd2c2u, 0x445e06cbc3176474u},
     {0xef352c92u, 0xa3aa46bdu, 0xa19595bdu}},
    {5489u,
     70001,
     3000,
     {0x205da29e3fb22fc7u, 0xb8f4876f3a3e6f96u, 0x2c753f731f7e8dceu},
     {0x22f381c1u, 0x475e6c45u, 0x612dcfd9u}},
    {4294967295u,
     2,
     1,
     {0xaf63bd4c8601b7dfu, 0xaf63bc4c8601b62cu, 0xaf63bc4c8601b62cu},
     {0x1c924122u, 0x1c924122u, 0xe991ec0cu}},
    {4294967295u,
     64,
     63,
     {0x17ef544c0be73ca8u, 0x70dd6404aca9787au, 0x901d53be073e29f7u},
     {0x0a6050d8u, 0xff98c64du, 0xa3bbf3e9u}},
    {4294967295u,
     65,
     10,
     {0x7dc6b7b92044fb16u, 0xaabd272d85d76b85u, 0x22c806189388f31au},
     {0xd59b06fcu, 0xa72dfc57u, 0xfc0bd537u}},
    {4294967295u,
     1000,
     1000,
     {0x988cc5afd8cb65ddu, 0xb562e6ccf25f2171u, 0xfa596a5df3bd9595u},
     {0x1a589425u, 0x37b5ad57u, 0xfa748a9fu}},
    {4294967295u,
     70001,
     3000,
     {0x4d05189f76371ff4u, 0x989813b2f25820edu, 0x0a7cfa07da9b0252u},
     {0x2819a282u, 0x411755cdu, 0x4bb02ef5u}},
};

static uint64_t hash(const uint32_t *drawn, uint32_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < n; i++) h = (h ^ drawn[i]) * 0x100000001b3u;
    return h;
}

static quern_status draw(int way, struct qn_twister *t, uint32_t rows, uint32_t n, uint32_t *drawn)
{
    if (way == 0) return qn_draw_without(t, rows, n, drawn);
    if (way == 1) return qn_draw_with(t, rows, n, drawn);
    double *weights = malloc(rows * sizeof *weights);
    if (weights == NULL) abort();
    for (uint32_t i = 0; i < rows; i++) weights[i] = (double)((uint64_t)i * 7919 % 1000) / 64;
    quern_status status = qn_draw_weighted(t, weights, rows, n, drawn);
    free(weights);
    return status;
}

/* The generator's next number: among 2^31 - 1 rows it is one or, if that is too large, the one after. */
static uint32_t next_of(struct qn_twister *t)
{
    struct qn_twister copy = *t;
    uint32_t word[QN_TWISTER_WORDS], y;
    for (uint32_t i = 0; i < QN_TWISTER_WORDS; i++) word[i] = copy.key[i];
    if (copy.at ==
        QN_TWISTER_WORDS) { /* as the reference program of its authors makes the first word anew */
        y = (word[0] & 0x80000000u) | (word[1] & 0x7fffffffu);
        word[0] = word[397] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
        copy.at = 0;
    }
    y = word[copy.at];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static void draws_are_numpys(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof golden / sizeof golden[0]; k++) {
        uint32_t rows = golden[k].rows, n = golden[k].n, *drawn = malloc(n * sizeof *drawn);
        if (drawn == NULL) abort();
        for (int way = 0; way < 3; way++) {
            struct qn_twister t;
            qn_twister_seed(&t, golden[k].seed);
            assert_int_equal(draw(way, &t, rows, n, drawn), QUERN_OK);
            for (uint32_t i = 0; i < n; i++) assert_true(drawn[i] < rows);
            for (uint32_t i = 1; i < n; i++) assert_true(drawn[i - 1] + (way == 0) <= drawn[i]);
            if (hash(drawn, n) != golden[k].drawn[way] || next_of(&t) != golden[k].next[way])
                fail_msg("seed %u, %u of %u rows, way %d: other rows, or another number next",
                         golden[k].seed, n, rows, way);
        }
        free(drawn);
    }
}

/* No row: nothing is written, and the generator moves on as for any other number. */
static void an_empty_draw_moves_on(void **state)
{
    struct qn_twister some, none;
    uint32_t drawn[5];
    (void)state;
    qn_twister_seed(&some, 3);
    qn_twister_seed(&none, 3);
    assert_int_equal(qn_draw_without(&some, 1000, 5, drawn), QUERN_OK);
    assert_int_equal(qn_draw_without(&none, 1000, 0, NULL), QUERN_OK);
    assert_int_equal(next_of(&some), next_of(&none));
    assert_int_equal(qn_draw_with(&none, 1, 5, drawn), QUERN_OK); /* no choice, no number */
    assert_int_equal(next_of(&some), next_of(&none));
    for (int i = 0; i < 5; i++) assert_int_equal(drawn[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_numpys),
        cmocka_unit_test(an_empty_draw_moves_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
