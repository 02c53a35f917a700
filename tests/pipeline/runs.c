/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/runs.h"

#include <stdlib.h>
#include <string.h>

#include "backends/cpu/isa.h"

quern_context *runs_context(const char *device, uint32_t threads)
{
    quern_context_config config = {.struct_size = sizeof config, .threads = threads};
    return fixture_context_with(device, &config);
}

struct runs_result runs_once(const struct runs *r, const char *device, uint32_t threads)
{
    struct runs_result result = {0};
    quern_table *table;
    quern_context *cx = runs_context(device, threads);
    OK(quern_table_from_matrix(r->x, QUERN_FLOAT64, r->rows, r->columns, 0, NULL, &table));
    result.model = fixture_fit(cx, r->spec, table);
    OK(quern_model_transform(cx, result.model, table, &result.out, NULL));
    quern_table_free(table);
    OK(quern_context_close(cx));
    return result;
}

void runs_drop(struct runs_result *r)
{
    quern_model_free(r->model);
    quern_matrix_free(&r->out);
}

static void assert_same(const struct runs *r, const struct runs_result *a,
                        const struct runs_result *b, const char *what)
{
    fixture_same_model(a->model, b->model, what);
    assert_int_equal(a->out.columns, b->out.columns);
    for (uint64_t i = 0; i < r->rows; i++)
        assert_memory_equal((const char *)a->out.data + (int64_t)i * a->out.row_stride,
                            (const char *)b->out.data + (int64_t)i * b->out.row_stride,
                            a->out.columns * sizeof(double));
}

void runs_devices_agree(size_t which, struct runs (*make)(void), void (*drop)(struct runs *))
{
    static const char *const devices[] = {"cpu", "opencl:0", "cuda:0"};
    OK(quern_context_close(runs_context(devices[which], 1)));
    struct runs r = make();
    struct runs_result one = runs_once(&r, "cpu", 1), other = runs_once(&r, devices[which], 3);
    assert_same(&r, &one, &other, devices[which]);
    runs_drop(&one);
    runs_drop(&other);
    drop(&r);
}

void runs_instruction_sets_agree(const struct runs *r)
{
    struct runs_result usual = runs_once(r, "cpu", 2);
    for (int isa = QN_ISA_BASELINE; isa < QN_ISA_COUNT; isa++) {
        if (!qn_cpu_isa_force(isa)) continue;
        struct runs_result other = runs_once(r, "cpu", 2);
        assert_same(r, &usual, &other, "instruction sets");
        runs_drop(&other);
    }
    (void)qn_cpu_isa_force(-1);
    runs_drop(&usual);
}

void runs_rows_alone_agree(const struct runs *r, uint64_t rows)
{
    struct runs_result all = runs_once(r, "cpu", 2);
    quern_server *server;
    quern_model *again;
    void *bytes;
    size_t size;
    OK(quern_model_to_bytes(all.model, &bytes, &size));
    OK(quern_model_from_bytes("again", bytes, size, &again));
    fixture_same_model(all.model, again, __func__);
    OK(quern_server_open(again, &server));
    quern_cell *cells = calloc(r->columns, sizeof *cells);
    double *out = calloc(all.out.columns, sizeof *out);
    assert_true(cells != NULL && out != NULL);
    for (uint64_t i = 0; i < rows; i++) {
        for (uint32_t c = 0; c < r->columns; c++) cells[c].number = r->x[i * r->columns + c];
        OK(quern_server_row(server, cells, out));
        assert_memory_equal(out, (const char *)all.out.data + (int64_t)i * all.out.row_stride,
                            all.out.columns * sizeof(double));
    }
    free(cells);
    free(out);
    quern_server_close(server);
    quern_free(bytes);
    quern_model_free(again);
    runs_drop(&all);
}
