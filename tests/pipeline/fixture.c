/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char fixture_mixed_spec[] =
    "{\"quern\": 1, \"steps\": ["
    "{\"columns\": [\"a\", \"b\", \"c\"], \"apply\": [{\"SimpleImputer\": {\"strategy\": "
    "\"mean\", \"add_indicator\": true}}, \"StandardScaler\"]},"
    "{\"columns\": [\"s\"], \"apply\": [{\"SimpleImputer\": {\"strategy\": \"most_frequent\"}}, "
    "{\"OneHotEncoder\": {\"handle_unknown\": \"ignore\", \"sparse_output\": false}}]}]}";

static int required(const char *device)
{
    const char *list = getenv("QUERN_REQUIRE");
    size_t n = strcspn(device, ":");
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, device, n) == 0 && (at[n] == ',' || at[n] == '\0')) return 1;
    }
    return 0;
}

quern_context *fixture_context_with(const char *device, quern_context_config *config)
{
    quern_context *context;
    config->struct_size = sizeof *config;
    config->device = device;
    config->fallback = QUERN_FALLBACK_NEVER;
    if (quern_context_open(config, &context) == QUERN_OK) return context;
    if (required(device)) fail_msg("%s is required: %s", device, quern_last_error());
    fprintf(stderr, "skipped, %s: %s\n", device, quern_last_error());
    skip();
    return NULL;
}

quern_context *fixture_context(const char *device, int zero_copy)
{
    quern_context_config config = {.no_zero_copy = !zero_copy};
    return fixture_context_with(device, &config);
}

quern_pipeline *fixture_pipeline(const char *spec)
{
    quern_pipeline *pipeline;
    OK(quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline));
    return pipeline;
}

quern_model *fixture_fit(quern_context *context, const char *spec, const quern_table *table)
{
    quern_pipeline *pipeline = fixture_pipeline(spec);
    quern_model *model;
    OK(quern_pipeline_fit(context, pipeline, table, &model));
    quern_pipeline_free(pipeline);
    return model;
}

void fixture_same_model(const quern_model *a, const quern_model *b, const char *what)
{
    void *x, *y;
    size_t n, m;
    OK(quern_model_to_bytes(a, &x, &n));
    OK(quern_model_to_bytes(b, &y, &m));
    if (n != m || memcmp(x, y, n) != 0)
        fail_msg("%s: models of %zu and %zu bytes differ", what, n, m);
    quern_free(x);
    quern_free(y);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

double *fixture_f64(uint64_t rows, uint32_t columns, uint32_t missing, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    double *values = malloc(rows * columns * sizeof *values + 1);
    assert_non_null(values);
    for (uint64_t i = 0; i < rows * columns; i++) {
        double u = (double)(next(&state) >> 11) * 0x1p-53;
        values[i] = next(&state) % 1000 < missing ? NAN : (u - 0.4) * (double)(1 + i % columns);
    }
    return values;
}

float *fixture_f32(uint64_t rows, uint32_t columns, uint32_t missing, uint64_t seed)
{
    double *wide = fixture_f64(rows, columns, missing, seed);
    float *values = malloc(rows * columns * sizeof *values + 1);
    assert_non_null(values);
    for (uint64_t i = 0; i < rows * columns; i++) values[i] = (float)wide[i];
    free(wide);
    return values;
}

void fixture_mixed(struct fixture_mixed *m, uint64_t rows, uint64_t seed)
{
    static const char *const words[] = {"rye", "wheat", "oats", "barley", "", "spelt"};
    uint64_t state = seed * 40503u + 1;
    m->rows = rows;
    m->a = fixture_f64(rows, 1, 0, seed);
    m->b = fixture_f64(rows, 1, 100, seed + 1);
    m->c = malloc(rows * sizeof *m->c + 1);
    m->offsets = calloc(rows + 1, sizeof *m->offsets);
    m->text = malloc(rows * 8 + 1);
    m->valid = calloc(rows / 8 + 1, 1);
    assert_true(m->c && m->offsets && m->text && m->valid);
    for (uint64_t i = 0; i < rows; i++) {
        m->c[i] = (int64_t)(next(&state) % 1000) - 500;
        const char *word = words[next(&state) % 6];
        memcpy(m->text + m->offsets[i], word, strlen(word));
        m->offsets[i + 1] = m->offsets[i] + (int32_t)strlen(word);
        if (next(&state) % 10 != 0) m->valid[i / 8] = (uint8_t)(m->valid[i / 8] | 1u << (i % 8));
    }
    quern_column columns[] = {
        {.name = "a", .type = QUERN_FLOAT64, .data = m->a},
        {.name = "b", .type = QUERN_FLOAT64, .data = m->b},
        {.name = "c", .type = QUERN_INT64, .data = m->c},
        {.name = "s",
         .type = QUERN_STRING,
         .data = m->text,
         .offsets = m->offsets,
         .offset_bits = 32,
         .validity = m->valid},
    };
    OK(quern_table_create(columns, 4, rows, &m->table));
}

void fixture_mixed_free(struct fixture_mixed *m)
{
    quern_table_free(m->table);
    free(m->a);
    free(m->b);
    free(m->c);
    free(m->offsets);
    free(m->text);
    free(m->valid);
}
