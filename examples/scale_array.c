/* SPDX-License-Identifier: Apache-2.0
 * Scales the columns of an array to mean 0 and standard deviation 1, as scikit-learn's StandardScaler
 * does. The array is the program's own memory: quern looks at it and copies nothing.
 *
 *   cc scale_array.c $(pkg-config --cflags --libs quern) && ./a.out */
#include <quern/quern.h>
#include <stdio.h>

enum { ROWS = 6, COLUMNS = 3 };

static const float heights[ROWS][COLUMNS] = {
    {1.62f, 58.0f, 23.0f}, {1.80f, 77.5f, 41.0f}, {1.75f, 81.0f, 35.0f},
    {1.55f, 49.5f, 19.0f}, {1.91f, 92.0f, 52.0f}, {1.68f, 66.0f, 30.0f},
};

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, quern_last_error());
    return 1;
}

int main(void)
{
    const char *const names[COLUMNS] = {"height", "weight", "age"};
    const char *const apply[] = {"StandardScaler", NULL}; /* a name, then its parameters as JSON */
    float scaled[ROWS][COLUMNS];
    quern_context *context = NULL;
    quern_table *table = NULL;
    quern_pipeline *pipeline = NULL;
    quern_model *model = NULL;
    int code = 1;

    /* The device, the table (a view) and what is to be learned. */
    if (quern_context_open(NULL, &context) != QUERN_OK) return failed("context");
    if (quern_table_from_matrix(heights, QUERN_FLOAT32, ROWS, COLUMNS, 0, names, &table) !=
            QUERN_OK ||
        quern_pipeline_create(&pipeline) != QUERN_OK ||
        quern_pipeline_add(pipeline, NULL, NULL, 0, apply, 1) != QUERN_OK) {
        failed("pipeline");
        goto cleanup;
    }

    /* Learns and transforms at once, into memory of the program's own. */
    quern_matrix out = {.data = scaled,
                        .type = QUERN_FLOAT32,
                        .rows = ROWS,
                        .columns = COLUMNS,
                        .row_stride = sizeof scaled[0]};
    if (quern_pipeline_fit_transform(context, pipeline, table, &out, NULL, &model) != QUERN_OK) {
        failed("fit");
        goto cleanup;
    }

    printf("on %s:", quern_context_device(context));
    for (uint32_t c = 0; c < quern_model_outputs(model); c++)
        printf(" %s", quern_model_output_name(model, c));
    printf("\n");
    for (int r = 0; r < ROWS; r++)
        printf("%9.6f %9.6f %9.6f\n", scaled[r][0], scaled[r][1], scaled[r][2]);
    code = 0;

cleanup:
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    (void)quern_context_close(context);
    return code;
}
