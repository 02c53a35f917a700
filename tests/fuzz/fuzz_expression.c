/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: any bytes as an expression. One that is accepted is fitted to a small table, applied by
 * name and to each column, and what is made of it is asked everything (tests/fuzz/fuzz.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { ROWS = 5, LONGEST = 4000 };

static quern_table *numbers(void)
{
    static const double a[ROWS] = {1, 2, NAN, 4.5, -INFINITY};
    static const float f[ROWS] = {0.5F, NAN, 1, 1e30F, -0.0F};
    static const int64_t n[ROWS] = {3, 1, -2, 2, INT64_MIN};
    static const int8_t k[ROWS] = {3, 1, -2, 2, -128};
    static const uint64_t u[ROWS] = {0, 1, INT64_MAX, 2, 9};
    static const uint8_t b[ROWS] = {1, 0, 0, 1, 1};
    static const quern_column columns[] = {
        {.name = "a", .type = QUERN_FLOAT64, .data = a},
        {.name = "f", .type = QUERN_FLOAT32, .data = f},
        {.name = "n", .type = QUERN_INT64, .data = n},
        {.name = "k", .type = QUERN_INT8, .data = k},
        {.name = "u", .type = QUERN_UINT64, .data = u},
        {.name = "b", .type = QUERN_BOOL, .data = b},
        {.name = "two words", .type = QUERN_FLOAT64, .data = a},
    };
    quern_table *table = NULL;
    fuzz_must(quern_table_create(columns, sizeof columns / sizeof *columns, ROWS, &table) ==
                  QUERN_OK,
              "a table");
    return table;
}

/* The bytes as a JSON string, at `to`; how many characters that are. */
static size_t quoted(const uint8_t *data, size_t size, char *to)
{
    size_t n = 0;
    to[n++] = '"';
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 0x20 || data[i] == '"' || data[i] == '\\')
            n += (size_t)sprintf(to + n, "\\u%04x", data[i] == 0 ? ' ' : data[i]);
        else
            to[n++] = (char)data[i];
    }
    to[n++] = '"';
    to[n] = '\0';
    return n;
}

static void try_spec(const char *spec, const quern_table *table)
{
    quern_pipeline *pipeline = NULL;
    quern_model *model = NULL;
    if (!fuzz_done(quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline))) return;
    if (fuzz_done(quern_pipeline_fit(fuzz_context(1), pipeline, table, &model)))
        fuzz_model(model, table);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static quern_table *table;
    static char text[6 * LONGEST + 3], spec[2 * sizeof text + 300];
    if (size > LONGEST) return 0;
    if (table == NULL) table = numbers();
    (void)quoted(data, size, text);
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\":1,\"steps\":[{\"columns\":\"*\",\"apply\":[{\"FunctionTransformer\":"
                   "{\"expression\":%s}},\"StandardScaler\"]}]}",
                   text);
    try_spec(spec, table);
    (void)snprintf(spec, sizeof spec,
                   "{\"quern\":1,\"steps\":[{\"columns\":\"*\",\"apply\":[\"MaxAbsScaler\","
                   "{\"FunctionTransformer\":{\"expression\":[\"a\",%s],\"each\":true}}]}]}",
                   text);
    try_spec(spec, table);
    return 0;
}
