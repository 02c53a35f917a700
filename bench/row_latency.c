/* SPDX-License-Identifier: Apache-2.0
 * What one row through a fitted model costs a C program: loads the model, opens a server and passes
 * rows through it one at a time. Prints one line a batch: nanoseconds a row.
 * Usage: row_latency MODEL [rows a batch [batches]]
 *
 * Number cells differ from row to row and every tenth is missing; string cells are "a0" … "a9", so the
 * model is to be fitted on those. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <quern/quern.h>

enum { ROWS = 1024 };

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const char *const words[] = {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"};

static void fill(const quern_model *model, quern_cell *cells, uint32_t inputs)
{
    uint32_t state = 1;
    for (uint32_t i = 0; i < ROWS * inputs; i++) {
        state = state * 1664525u + 1013904223u;
        quern_cell *cell = &cells[i];
        if (quern_model_input_type(model, i % inputs) == QUERN_STRING) {
            cell->text = words[state % 10];
            cell->bytes = 2;
        } else {
            cell->number = (state >> 8) % 10 == 0 ? NAN : (double)(state >> 8) / 1e5;
        }
    }
}

int main(int argc, char **argv)
{
    quern_model *model = NULL;
    quern_server *server = NULL;
    quern_cell *cells = NULL;
    double *out = NULL;
    int failed = 1;
    long batch = argc > 2 ? atol(argv[2]) : 100000, batches = argc > 3 ? atol(argv[3]) : 20;
    if (argc < 2) return 2;
    if (quern_model_load(argv[1], &model) != QUERN_OK) goto cleanup;
    if (quern_server_open(model, &server) != QUERN_OK) goto cleanup;
    uint32_t inputs = quern_model_inputs(model);
    cells = calloc((size_t)ROWS * inputs, sizeof *cells);
    out = calloc(quern_model_outputs(model), sizeof *out); /* the widest type fits */
    if (cells == NULL || out == NULL) goto cleanup;
    fill(model, cells, inputs);
    for (long b = 0; b < batches; b++) {
        double start = seconds();
        for (long i = 0; i < batch; i++)
            if (quern_server_row(server, cells + (i % ROWS) * (long)inputs, out) != QUERN_OK)
                goto cleanup;
        printf("%.2f\n", (seconds() - start) * 1e9 / (double)batch);
    }
    failed = 0;
cleanup:
    if (failed) (void)fprintf(stderr, "row_latency: %s\n", quern_last_error());
    free(out);
    free(cells);
    quern_server_close(server);
    quern_model_free(model);
    return failed;
}
