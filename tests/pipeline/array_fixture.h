/* SPDX-License-Identifier: Apache-2.0
 * What tests of arrays through the public interface share. */
#ifndef QN_TEST_ARRAY_FIXTURE_H
#define QN_TEST_ARRAY_FIXTURE_H

#include <string.h>

#include "quern/array.h"
#include "tests/pipeline/fixture.h"

static inline quern_array matrix_of(quern_type type, void *data, uint64_t rows, uint64_t columns)
{
    return (quern_array){.struct_size = sizeof(quern_array),
                         .type = type,
                         .ndim = 2,
                         .shape = {rows, columns},
                         .data = data};
}

static inline quern_array vector_of(quern_type type, void *data, uint64_t n)
{
    return (quern_array){
        .struct_size = sizeof(quern_array), .type = type, .ndim = 1, .shape = {n}, .data = data};
}

static const quern_array none = {.struct_size = sizeof none};

/* The call, whose result would be `out`, is refused with a sentence that has these words. */
#define REFUSED(call, words)                                                                       \
    do {                                                                                           \
        assert_int_equal(call, QUERN_INVALID);                                                     \
        if (strstr(quern_last_error(), words) == NULL) fail_msg("%s", quern_last_error());         \
        assert_null(out.data);                                                                     \
    } while (0)

#endif
