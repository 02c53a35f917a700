/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: any bytes as a pipeline spec. One that is accepted is written out and read again,
 * and fitted to a small table of every kind of column. */
#include <math.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { ROWS = 6 };

static quern_table *mixed_table(void)
{
    static const double a[ROWS] = {1, 2, NAN, 4.5, -3, 2};
    static const float f[ROWS] = {0.5F, NAN, 1, 1, 1e30F, -0.0F};
    static const int64_t n[ROWS] = {3, 1, 2, 2, -9007199254740993, 1};
    static const uint8_t b[ROWS] = {1, 0, 0, 1, 1, 0};
    static const int32_t at[ROWS + 1] = {0, 1, 2, 3, 3, 5, 6};
    static const uint8_t present[] = {0x37};
    static const int64_t t[ROWS] = {0, 86400000000, 0, -1, 5, 86400000000};
    static const quern_column columns[] = {
        {.name = "a", .type = QUERN_FLOAT64, .data = a},
        {.name = "f", .type = QUERN_FLOAT32, .data = f},
        {.name = "n", .type = QUERN_INT64, .data = n},
        {.name = "b", .type = QUERN_BOOL, .data = b},
        {.name = "s",
         .type = QUERN_STRING,
         .offset_bits = 32,
         .data = "xyx\xc3\xa9x",
         .offsets = at,
         .validity = present},
        {.name = "t", .type = QUERN_DATETIME, .data = t},
    };
    quern_table *table = NULL;
    fuzz_must(quern_table_create(columns, sizeof columns / sizeof *columns, ROWS, &table) ==
                  QUERN_OK,
              "a table");
    return table;
}

static void written_and_read(const quern_pipeline *pipeline)
{
    char *text = NULL, *again = NULL;
    quern_pipeline *copy = NULL;
    fuzz_must(fuzz_done(quern_pipeline_spec(pipeline, &text)), "a pipeline has a spec");
    fuzz_must(fuzz_done(quern_pipeline_from_spec("copy", text, strlen(text), &copy)),
              "the spec of a pipeline is valid");
    fuzz_must(fuzz_done(quern_pipeline_spec(copy, &again)), "a pipeline has a spec");
    fuzz_must(strcmp(text, again) == 0, "a spec that is read again is the same");
    quern_free(text);
    quern_free(again);
    quern_pipeline_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static quern_table *table;
    quern_pipeline *pipeline = NULL;
    quern_model *model = NULL, *other = NULL;
    if (table == NULL) table = mixed_table();
    if (!fuzz_done(quern_pipeline_from_spec("spec", (const char *)data, size, &pipeline))) return 0;
    written_and_read(pipeline);
    quern_status one = quern_pipeline_fit(fuzz_context(1), pipeline, table, &model);
    quern_status three = quern_pipeline_fit(fuzz_context(3), pipeline, table, &other);
    fuzz_must(one == three, "threads do not change whether a fit succeeds");
    if (fuzz_done(one)) {
        fuzz_must(fuzz_same_models(model, other), "threads do not change a model");
        fuzz_model(model, table);
    }
    quern_model_free(model);
    quern_model_free(other);
    quern_pipeline_free(pipeline);
    return 0;
}
