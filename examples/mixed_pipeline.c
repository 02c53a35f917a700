/* SPDX-License-Identifier: Apache-2.0
 * Numbers and strings with missing cells, from a CSV file to a matrix of features, with the record of
 * what ran where, and a model file for later.
 *
 *   mixed_pipeline adult_sample.csv adult.model */
#include <quern/quern.h>
#include <stdio.h>

static const char spec[] =
    "{\"quern\": 1, \"input\": {\"na_values\": [\"?\"]}, \"target\": \"income\", \"steps\": ["
    "{\"columns\": {\"dtype\": \"number\"},"
    " \"apply\": [{\"SimpleImputer\": {\"strategy\": \"median\"}}, \"StandardScaler\"]},"
    "{\"columns\": {\"dtype\": \"string\"},"
    " \"apply\": [{\"SimpleImputer\": {\"strategy\": \"most_frequent\"}},"
    " {\"OneHotEncoder\": {\"handle_unknown\": \"ignore\"}}]}],"
    "\"output\": {\"dtype\": \"float32\", \"sparse\": false}}";

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, quern_last_error());
    return 1;
}

/* The first values of a few rows, and where each operation ran. */
static void show(quern_context *context, const quern_model *model, const quern_matrix *m)
{
    printf("%llu rows, %u inputs, %u features; device %s (%s)\n", (unsigned long long)m->rows,
           quern_model_inputs(model), m->columns, quern_context_device(context),
           quern_context_reason(context));
    for (uint32_t c = 0; c < 4 && c < m->columns; c++)
        printf("%16s", quern_model_output_name(model, c));
    printf("\n");
    for (uint64_t r = 0; r < 3 && r < m->rows; r++) {
        const float *row = (const float *)((const char *)m->data + (int64_t)r * m->row_stride);
        for (uint32_t c = 0; c < 4 && c < m->columns; c++) printf("%16.6f", row[c]);
        printf("\n");
    }
    for (uint32_t i = 0; i < quern_context_decisions(context); i++) {
        quern_decision d = {.struct_size = sizeof d};
        if (quern_context_decision(context, i, &d) == QUERN_OK)
            printf("%s, %s: %s on %s, %llu times\n", d.step, d.operation, d.implementation,
                   d.device, (unsigned long long)d.count);
    }
    quern_ledger ledger = {.struct_size = sizeof ledger};
    quern_context_ledger(context, &ledger);
    printf("%llu bytes to the device, %llu back, %llu used in place\n",
           (unsigned long long)ledger.input_to_device,
           (unsigned long long)ledger.output_from_device, (unsigned long long)ledger.wrapped);
}

int main(int argc, char **argv)
{
    quern_context *context = NULL;
    quern_pipeline *pipeline = NULL;
    quern_table *table = NULL;
    quern_model *model = NULL;
    quern_matrix features = {0}; /* made by the call and owned by it */
    int code = 1;
    if (argc != 3) {
        fprintf(stderr, "usage: %s TABLE.csv MODEL\n", argv[0]);
        return 2;
    }
    if (quern_context_open(NULL, &context) != QUERN_OK) return failed("context");
    if (quern_pipeline_from_spec("spec", spec, sizeof spec - 1, &pipeline) != QUERN_OK ||
        quern_table_read(context, pipeline, argv[1], &table) != QUERN_OK ||
        quern_pipeline_fit_transform(context, pipeline, table, &features, NULL, &model) !=
            QUERN_OK ||
        quern_model_save(model, argv[2]) != QUERN_OK) {
        failed(argv[1]);
    } else {
        show(context, model, &features);
        code = 0;
    }
    quern_matrix_free(&features);
    quern_model_free(model);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    (void)quern_context_close(context);
    return code;
}
