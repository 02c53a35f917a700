/* SPDX-License-Identifier: Apache-2.0
 * Contexts, rows, and what must hold of any model. */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LITTLE = 4096 };

void fuzz_must(int holds, const char *what)
{
    if (holds) return;
    (void)fprintf(stderr, "broken: %s (last error: %s)\n", what, quern_last_error());
    abort();
}

int fuzz_done(quern_status status)
{
    fuzz_must(status != QUERN_OUT_OF_MEMORY, "a small input asks for much memory");
    fuzz_must(status != QUERN_INTERNAL, "an internal error");
    return status == QUERN_OK;
}

static quern_context *open_once(quern_context **context, uint32_t threads, uint64_t max_memory)
{
    if (*context == NULL) {
        quern_context_config config = {.struct_size = sizeof config,
                                       .device = "cpu",
                                       .threads = threads,
                                       .fallback = QUERN_FALLBACK_QUIET,
                                       .max_memory = max_memory,
                                       .cache_dir = "off"};
        fuzz_must(quern_context_open(&config, context) == QUERN_OK, "a context on the CPU");
    }
    quern_context_reset(*context);
    return *context;
}

quern_context *fuzz_context(uint32_t threads)
{
    static quern_context *contexts[4];
    return open_once(&contexts[threads], threads, 0);
}

quern_context *fuzz_little(void)
{
    static quern_context *context;
    return open_once(&context, 2, LITTLE);
}

/* ---- cells of a table ---- */

static int valid(const quern_column *c, uint64_t row)
{
    uint64_t bit = (uint64_t)c->validity_offset + row;
    return c->validity == NULL || (c->validity[bit >> 3] >> (bit & 7) & 1) != 0;
}

static quern_cell string_cell(const quern_column *c, uint64_t row)
{
    int64_t wide[2];
    int32_t narrow[2];
    if (c->offset_bits == 64) {
        memcpy(wide, (const int64_t *)c->offsets + row, sizeof wide);
    } else {
        memcpy(narrow, (const int32_t *)c->offsets + row, sizeof narrow);
        wide[0] = narrow[0];
        wide[1] = narrow[1];
    }
    const char *bytes = c->data != NULL ? (const char *)c->data + wide[0] : "";
    return (quern_cell){.text = bytes, .bytes = (uint64_t)(wide[1] - wide[0])};
}

/* A value of `bytes` bytes; the machine is little-endian, as the library's files are. */
static int64_t integer_at(const char *at, size_t bytes, int is_signed)
{
    uint64_t bits = 0;
    memcpy(&bits, at, bytes);
    if (is_signed && bytes < 8 && (bits >> (8 * bytes - 1)) != 0) bits |= UINT64_MAX << 8 * bytes;
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t type_bytes(quern_type type)
{
    static const size_t sizes[] = {
#define SIZE(name, value, bytes, text) bytes,
        QUERN_TYPE_MAP(SIZE)
#undef SIZE
    };
    return sizes[type];
}

static quern_cell number_cell(const quern_column *c, uint64_t row)
{
    size_t bytes = type_bytes(c->type);
    const char *at =
        (const char *)c->data + (int64_t)row * (c->stride != 0 ? c->stride : (int64_t)bytes);
    quern_cell cell = {.number = NAN};
    float f32;
    if (c->type == QUERN_FLOAT64) {
        memcpy(&cell.number, at, sizeof cell.number);
    } else if (c->type == QUERN_FLOAT32) {
        memcpy(&f32, at, sizeof f32);
        cell.number = (double)f32;
    } else {
        cell.is_integer = 1;
        cell.integer = integer_at(at, bytes,
                                  c->type == QUERN_DATETIME ||
                                      (c->type >= QUERN_INT8 && c->type <= QUERN_INT64));
        cell.number = (double)cell.integer;
    }
    return cell;
}

void fuzz_cells(const quern_table *table, uint64_t row, quern_cell *cells)
{
    for (uint32_t i = 0; i < quern_table_columns(table); i++) {
        const quern_column *c = quern_table_column(table, i);
        if (!valid(c, row))
            cells[i] = (quern_cell){.number = NAN};
        else
            cells[i] = c->type == QUERN_STRING ? string_cell(c, row) : number_cell(c, row);
    }
}

/* ---- a table for a model ---- */

enum { ROWS = 5, TEXT = 8 };

static const double reals[ROWS] = {0, 1.5, -1e308, NAN, 40};
static const int64_t wholes[ROWS] = {1, 0, -1, INT64_MAX, 3};
static const char text[] = "ayes\xc3\xa9"; /* "a", "", "yes", "é"; the last one is missing */
static const int32_t offsets[ROWS + 1] = {0, 1, 1, 4, 6, 6};
static const uint8_t four_of_five[] = {0x0f};

static void fill(quern_column *c, char *values)
{
    for (int r = 0; r < ROWS; r++) {
        size_t bytes = type_bytes(c->type);
        float f32 = reals[r] < -1e30 ? -1e30F : (float)reals[r];
        int64_t whole = c->type == QUERN_BOOL ? wholes[r] & 1 : wholes[r];
        if (c->type == QUERN_UINT64) whole &= INT64_MAX; /* a cell holds no more */
        if (c->type == QUERN_FLOAT64)
            memcpy(values + (size_t)r * bytes, &reals[r], bytes);
        else if (c->type == QUERN_FLOAT32)
            memcpy(values + (size_t)r * bytes, &f32, bytes);
        else
            memcpy(values + (size_t)r * bytes, &whole, bytes);
    }
    c->data = values;
}

struct fuzz_table fuzz_table_for(const quern_model *model)
{
    struct fuzz_table t = {NULL, NULL};
    uint32_t n = quern_model_inputs(model);
    char *memory = calloc((size_t)n + 1, sizeof(quern_column) + (size_t)ROWS * TEXT);
    fuzz_must(memory != NULL, "memory for a table");
    quern_column *columns = (quern_column *)memory;
    char *values = memory + (size_t)(n + 1) * sizeof *columns;
    for (uint32_t i = 0; i < n; i++, values += (size_t)ROWS * TEXT) {
        quern_column *c = &columns[i];
        c->name = quern_model_input_name(model, i);
        c->type = quern_model_input_type(model, i);
        if (c->type == QUERN_STRING) {
            c->offset_bits = 32;
            c->data = text;
            c->offsets = offsets;
            c->validity = four_of_five;
        } else {
            fill(c, values);
            if (c->type == QUERN_DATETIME) c->validity = four_of_five;
        }
    }
    t.memory = memory;
    if (!fuzz_done(quern_table_create(columns, n, ROWS, &t.table))) t.table = NULL;
    return t;
}

void fuzz_table_free(struct fuzz_table *t)
{
    quern_table_free(t->table);
    free(t->memory);
}

/* ---- models ---- */

int fuzz_same_models(const quern_model *a, const quern_model *b)
{
    void *x = NULL, *y = NULL;
    size_t m = 0, n = 0;
    fuzz_must(fuzz_done(quern_model_to_bytes(a, &x, &m)), "a model has bytes");
    fuzz_must(fuzz_done(quern_model_to_bytes(b, &y, &n)), "a model has bytes");
    int same = m == n && memcmp(x, y, m) == 0;
    quern_free(x);
    quern_free(y);
    return same;
}

static void round_trip(const quern_model *model)
{
    void *bytes = NULL;
    size_t size = 0;
    quern_model *again = NULL;
    fuzz_must(fuzz_done(quern_model_to_bytes(model, &bytes, &size)), "a model has bytes");
    fuzz_must(fuzz_done(quern_model_from_bytes("again", bytes, size, &again)), "its bytes load");
    quern_free(bytes);
    fuzz_must(fuzz_same_models(model, again), "what was loaded has the bytes that were loaded");
    quern_model_free(again);
}

static void describe(const quern_model *model)
{
    char *json = NULL;
    fuzz_must(fuzz_done(quern_model_inspect(model, &json)), "a model can be described");
    quern_free(json);
    for (uint32_t i = 0; i < quern_model_outputs(model); i++)
        fuzz_must(quern_model_output_name(model, i) != NULL, "outputs have names");
}

/* Rows of the table through the server; `whole`: the transform's result, or NULL if it refused. */
static void serve(const quern_server *server, const quern_table *table, const quern_matrix *whole,
                  size_t row_bytes)
{
    quern_cell *cells = calloc((size_t)quern_table_columns(table) + 1, sizeof *cells);
    char *row = malloc(row_bytes + 1);
    int refused = 0;
    fuzz_must(cells != NULL && row != NULL, "memory for a row");
    for (uint64_t r = 0; r < quern_table_rows(table); r++) {
        fuzz_cells(table, r, cells);
        if (!fuzz_done(quern_server_row(server, cells, row))) {
            refused = 1;
            fuzz_must(whole == NULL, "the server refuses a row that the transform takes");
        } else if (whole != NULL) {
            const char *wanted = (const char *)whole->data + (int64_t)r * whole->row_stride;
            fuzz_must(memcmp(wanted, row, row_bytes) == 0, "the server's row is the transform's");
        }
    }
    fuzz_must(whole != NULL || refused, "the transform refuses rows that the server takes");
    free(row);
    free(cells);
}

void fuzz_model(const quern_model *model, const quern_table *table)
{
    quern_matrix whole = {0};
    quern_server *server = NULL;
    describe(model);
    round_trip(model);
    int served = fuzz_done(quern_server_open(model, &server));
    fuzz_must(served == (quern_model_output_type(model) != QUERN_STRING), "numbers are served");
    int done = fuzz_done(quern_model_transform(fuzz_context(1), model, table, &whole, NULL));
    fuzz_must(served || !done, "only numbers make a matrix");
    if (served && quern_table_columns(table) == quern_model_inputs(model))
        serve(server, table, done ? &whole : NULL,
              type_bytes(quern_model_output_type(model)) * quern_model_outputs(model));
    quern_server_close(server);
    quern_matrix_free(&whole);
}
