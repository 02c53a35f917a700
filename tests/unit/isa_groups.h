/* SPDX-License-Identifier: Apache-2.0
 * Runs a group of tests once per instruction set that this machine has. Include after cmocka.h. */
#ifndef QN_TEST_ISA_GROUPS_H
#define QN_TEST_ISA_GROUPS_H

#include "backends/cpu/isa.h"

static int use_default_isa(void **state)
{
    (void)state;
    (void)qn_cpu_isa_force(-1);
    return 0;
}
static int use_baseline(void **state)
{
    (void)state;
    return qn_cpu_isa_force(QN_ISA_BASELINE) ? 0 : -1;
}
static int use_avx2(void **state)
{
    (void)state;
    return qn_cpu_isa_force(QN_ISA_AVX2) ? 0 : -1;
}
static int use_avx512(void **state)
{
    (void)state;
    return qn_cpu_isa_force(QN_ISA_AVX512) ? 0 : -1;
}

#define RUN_PER_ISA(tests)                                                                         \
    (cmocka_run_group_tests_name("baseline", tests, use_baseline, use_default_isa) +               \
     (qn_cpu_isa_force(QN_ISA_AVX2)                                                                \
          ? cmocka_run_group_tests_name("avx2", tests, use_avx2, use_default_isa)                  \
          : 0) +                                                                                   \
     (qn_cpu_isa_force(QN_ISA_AVX512)                                                              \
          ? cmocka_run_group_tests_name("avx512", tests, use_avx512, use_default_isa)              \
          : 0))

#endif
