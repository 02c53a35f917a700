/* SPDX-License-Identifier: Apache-2.0
 * A service's side: loads a model and transforms rows one at a time, with no device, no lock and no
 * allocation per row. The bits are those of a transform of the whole table.
 *
 *   serve_rows MODEL < rows.csv      rows without a header, their cells in the model's input order,
 *                                    no quotes; "?" and empty cells are missing */
#include <math.h>
#include <quern/quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 256, MOST_BYTES = 1 << 16 };

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, quern_last_error());
    return 1;
}

/* One cell. Text is borrowed from the line. */
static quern_cell read_cell(quern_type type, const char *text)
{
    quern_cell cell = {.number = NAN};
    if (text[0] == '\0' || strcmp(text, "?") == 0) return cell; /* missing: NaN, or no text */
    if (type == QUERN_STRING) {
        cell.text = text;
        cell.bytes = strlen(text);
    } else {
        cell.number = strtod(text, NULL);
    }
    return cell;
}

/* Cuts a line at its commas; the number of cells. */
static uint32_t read_row(const quern_model *model, char *line, quern_cell *cells)
{
    uint32_t n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; at != NULL && n < quern_model_inputs(model); n++) {
        char *comma = strchr(at, ',');
        if (comma != NULL) *comma = '\0';
        cells[n] = read_cell(quern_model_input_type(model, n), at);
        at = comma != NULL ? comma + 1 : NULL;
    }
    return n;
}

static int serve(const quern_model *model, const quern_server *server)
{
    static char line[MOST_BYTES];
    quern_cell cells[MOST_COLUMNS];
    uint32_t outputs = quern_model_outputs(model);
    float *out = malloc(outputs * sizeof *out);
    int code = out == NULL;
    while (code == 0 && fgets(line, sizeof line, stdin) != NULL) {
        uint32_t n = read_row(model, line, cells);
        if (n != quern_model_inputs(model)) {
            fprintf(stderr, "a row has %u cells, the model takes %u\n", n,
                    quern_model_inputs(model));
            code = 1;
        } else if (quern_server_row(server, cells, out) != QUERN_OK) {
            code = failed("row");
        } else {
            for (uint32_t c = 0; c < outputs; c++) printf(c == 0 ? "%.9g" : ",%.9g", out[c]);
            printf("\n");
        }
    }
    free(out);
    return code;
}

int main(int argc, char **argv)
{
    quern_model *model;
    quern_server *server = NULL;
    int code = 1;
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODEL < rows\n", argv[0]);
        return 2;
    }
    if (quern_model_load(argv[1], &model) != QUERN_OK) return failed(argv[1]);
    if (quern_model_output_type(model) != QUERN_FLOAT32 || quern_model_inputs(model) > MOST_COLUMNS)
        fprintf(stderr, "%s: this example serves float32 models of up to %d inputs\n", argv[1],
                MOST_COLUMNS);
    else if (quern_server_open(model, &server) != QUERN_OK)
        failed(argv[1]);
    else
        code = serve(model, server);
    quern_server_close(server);
    quern_model_free(model);
    return code;
}
