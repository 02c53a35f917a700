/* SPDX-License-Identifier: Apache-2.0
 * Uses an installed quern: fits one column, saves the model to memory, loads it again, serves a row. */
#include <quern/quern.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, quern_last_error());
    return 1;
}

static int serve(const quern_model *model)
{
    quern_server *server;
    quern_cell cell = {.number = 4.0};
    double out = 0;
    if (quern_server_open(model, &server) != QUERN_OK) return failed("server");
    quern_status status = quern_server_row(server, &cell, &out);
    quern_server_close(server);
    if (status != QUERN_OK) return failed("row");
    printf("quern %s serves %g\n", quern_version(), out);
    return out != 1.0;
}

int main(void)
{
    static const double values[] = {0, 1, 2, 3, 4};
    const char *const apply[] = {"MinMaxScaler", NULL};
    quern_context_config config = {.struct_size = sizeof config, .device = "cpu"};
    quern_context *context = NULL;
    quern_table *table = NULL;
    quern_pipeline *pipeline = NULL;
    quern_model *fitted = NULL, *loaded = NULL;
    void *bytes = NULL;
    size_t size = 0;
    int code;
    if (strcmp(quern_version(), QUERN_VERSION_STRING) != 0) return 1;
    if (quern_context_open(&config, &context) != QUERN_OK ||
        quern_table_from_matrix(values, QUERN_FLOAT64, 5, 1, 0, NULL, &table) != QUERN_OK ||
        quern_pipeline_create(&pipeline) != QUERN_OK ||
        quern_pipeline_add(pipeline, NULL, NULL, 0, apply, 1) != QUERN_OK ||
        quern_pipeline_fit(context, pipeline, table, &fitted) != QUERN_OK ||
        quern_model_to_bytes(fitted, &bytes, &size) != QUERN_OK ||
        quern_model_from_bytes("memory", bytes, size, &loaded) != QUERN_OK)
        code = failed("fit");
    else
        code = serve(loaded);
    quern_free(bytes);
    quern_model_free(loaded);
    quern_model_free(fitted);
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    if (quern_context_close(context) != QUERN_OK) code = failed("close");
    return code;
}
