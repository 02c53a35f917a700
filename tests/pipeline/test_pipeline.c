/* SPDX-License-Identifier: Apache-2.0
 * Pipelines through the public interface: the same bits however the rows come and wherever they are
 * computed, models that survive a file, rows served one by one, refusals that say what is wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "tests/pipeline/fixture.h"

enum { ROWS = 3001 };

static quern_context *cpu;

static int open_cpu(void **state)
{
    quern_context_config config = {.struct_size = sizeof config, .device = "cpu", .threads = 2};
    (void)state;
    return quern_context_open(&config, &cpu) != QUERN_OK;
}

static int close_cpu(void **state)
{
    (void)state;
    return quern_context_close(cpu) != QUERN_OK;
}

static void model_bytes(const quern_model *model, void **bytes, size_t *size)
{
    OK(quern_model_to_bytes(model, bytes, size));
}

static void thread_counts_give_the_same_bytes(void **state)
{
    struct fixture_mixed m;
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    quern_matrix first = {0};
    quern_model *model = NULL;
    (void)state;
    fixture_mixed(&m, 200003, 11);
    for (uint32_t threads = 1; threads <= 7; threads += 3) {
        quern_context_config config = {.threads = threads};
        quern_context *context = fixture_context_with("cpu", &config);
        quern_matrix out = {0};
        quern_model *own;
        OK(quern_pipeline_fit_transform(context, pipeline, m.table, &out, NULL, &own));
        if (model == NULL) {
            model = own;
            first = out;
        } else {
            fixture_same_model(model, own, __func__);
            assert_memory_equal(first.data, out.data, out.rows * (uint64_t)out.row_stride);
            quern_model_free(own);
            quern_matrix_free(&out);
        }
        OK(quern_context_close(context));
    }
    quern_matrix_free(&first);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

static void chunks_pushed_give_the_model_of_one_fit(void **state)
{
    static const uint64_t cuts[] = {1, 1023, 1024, 77, 876};
    double *data = fixture_f64(ROWS, 3, 50, 7);
    quern_pipeline *pipeline = fixture_pipeline(
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"RobustScaler\", "
        "\"StandardScaler\"]}]}");
    quern_table *table;
    quern_model *whole, *pieces;
    quern_fit *fit;
    uint64_t at = 0;
    (void)state;
    OK(quern_table_from_matrix(data, QUERN_FLOAT64, ROWS, 3, 0, NULL, &table));
    OK(quern_pipeline_fit(cpu, pipeline, table, &whole));
    OK(quern_fit_begin(cpu, pipeline, &fit));
    for (int i = 0; i < 5; i++) {
        quern_table *chunk;
        OK(quern_table_from_matrix(data + at * 3, QUERN_FLOAT64, cuts[i], 3, 0, NULL, &chunk));
        OK(quern_fit_push(fit, chunk));
        quern_table_free(chunk);
        at += cuts[i];
    }
    assert_int_equal(at, ROWS);
    OK(quern_fit_finish(fit, &pieces));
    fixture_same_model(whole, pieces, __func__);
    quern_model_free(whole);
    quern_model_free(pieces);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
    free(data);
}

static void a_loaded_model_transforms_like_the_fitted_one(void **state)
{
    struct fixture_mixed m;
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    quern_model *model, *loaded;
    quern_matrix a = {0}, b = {0};
    void *bytes;
    size_t size;
    (void)state;
    fixture_mixed(&m, ROWS, 5);
    OK(quern_pipeline_fit_transform(cpu, pipeline, m.table, &a, NULL, &model));
    model_bytes(model, &bytes, &size);
    OK(quern_model_from_bytes("bytes", bytes, size, &loaded));
    OK(quern_model_transform(cpu, loaded, m.table, &b, NULL));
    assert_int_equal(a.columns, b.columns);
    assert_memory_equal(a.data, b.data, a.rows * (uint64_t)a.row_stride);
    fixture_same_model(model, loaded, __func__);
    for (uint32_t i = 0; i < a.columns; i++)
        assert_string_equal(quern_model_output_name(model, i), quern_model_output_name(loaded, i));
    quern_free(bytes);
    quern_matrix_free(&a);
    quern_matrix_free(&b);
    quern_model_free(model);
    quern_model_free(loaded);
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

struct tensors {
    uint32_t n, room;
    char names[8][64];
};

static quern_status count_tensor(void *user, const quern_tensor *tensor)
{
    struct tensors *t = user;
    if (t->n == t->room) return QUERN_IO;
    snprintf(t->names[t->n++], sizeof *t->names, "%s %d %d", tensor->name, (int)tensor->type,
             (int)tensor->count);
    return QUERN_OK;
}

static void what_was_learned_can_be_asked_for(void **state)
{
    struct tensors all = {.room = 8}, some = {.room = 2};
    struct fixture_mixed m;
    (void)state;
    fixture_mixed(&m, ROWS, 6);
    quern_model *model = fixture_fit(
        cpu, "{\"quern\": 1, \"steps\": [{\"columns\": [0], \"apply\": [\"StandardScaler\"]}]}",
        m.table);
    OK(quern_model_tensors(model, count_tensor, &all));
    assert_int_equal(all.n, 4);
    assert_string_equal(all.names[0], "steps/0/0/mean_ 10 1");
    assert_string_equal(all.names[1], "steps/0/0/n_samples_seen_ 4 1");
    assert_int_equal(quern_model_tensors(model, count_tensor, &some), QUERN_IO);
    assert_int_equal(some.n, 2);
    assert_int_equal(quern_model_tensors(NULL, count_tensor, &all), QUERN_INVALID);
    assert_int_equal(quern_model_tensors(model, NULL, &all), QUERN_INVALID);
    quern_model_free(model);
    fixture_mixed_free(&m);
}

/* Every byte of a model changed, one after another, and every length cut: never a crash, and what is
 * accepted can be used. */
static void broken_models_are_refused_or_harmless(void **state)
{
    struct fixture_mixed m;
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    quern_model *model, *loaded;
    unsigned char *bytes;
    void *original;
    size_t size;
    (void)state;
    fixture_mixed(&m, 40, 6);
    OK(quern_pipeline_fit(cpu, pipeline, m.table, &model));
    model_bytes(model, &original, &size);
    bytes = original;
    for (size_t i = 0; i < size; i++) {
        assert_int_not_equal(quern_model_from_bytes("cut", bytes, i, &loaded), QUERN_OK);
        unsigned char kept = bytes[i];
        bytes[i] = (unsigned char)(kept ^ (1u << (i % 8)));
        if (quern_model_from_bytes("changed", bytes, size, &loaded) == QUERN_OK) {
            quern_matrix out = {0};
            if (quern_model_transform(cpu, loaded, m.table, &out, NULL) == QUERN_OK)
                quern_matrix_free(&out);
            quern_model_free(loaded);
        }
        bytes[i] = kept;
    }
    quern_free(original);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

static quern_cell cell_of(const struct fixture_mixed *m, uint64_t row, uint32_t column)
{
    quern_cell cell = {0};
    if (column == 0) cell.number = m->a[row];
    if (column == 1) cell.number = m->b[row];
    if (column == 2) {
        cell.is_integer = 1;
        cell.integer = m->c[row];
    }
    if (column == 3 && (m->valid[row / 8] >> (row % 8) & 1)) {
        cell.text = m->text + m->offsets[row];
        cell.bytes = (uint64_t)(m->offsets[row + 1] - m->offsets[row]);
    }
    return cell;
}

static void served_rows_have_the_bits_of_the_batch(const char *spec)
{
    struct fixture_mixed m;
    quern_pipeline *pipeline = fixture_pipeline(spec);
    quern_model *model;
    quern_server *server;
    quern_matrix out = {0};
    double row[64];
    fixture_mixed(&m, 500, 9);
    OK(quern_pipeline_fit_transform(cpu, pipeline, m.table, &out, NULL, &model));
    assert_true(out.columns <= 64);
    OK(quern_server_open(model, &server));
    for (uint64_t r = 0; r < m.rows; r++) {
        quern_cell cells[4];
        for (uint32_t c = 0; c < 4; c++) cells[c] = cell_of(&m, r, c);
        OK(quern_server_row(server, cells, row));
        assert_memory_equal(row, (char *)out.data + (int64_t)r * out.row_stride,
                            out.columns * sizeof *row);
    }
    quern_server_close(server);
    quern_matrix_free(&out);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

static void served_rows_equal_the_batch(void **state)
{
    (void)state;
    served_rows_have_the_bits_of_the_batch(fixture_mixed_spec);
}

static void served_rows_equal_the_batch_through_layers(void **state)
{
    (void)state;
    served_rows_have_the_bits_of_the_batch(
        "{\"quern\": 1, \"steps\": [{\"columns\": [\"a\", \"c\"], \"apply\": [\"Normalizer\", "
        "\"MinMaxScaler\"]}, {\"columns\": [\"s\"], \"apply\": [{\"OneHotEncoder\": "
        "{\"sparse_output\": false}}]}], \"then\": [\"MaxAbsScaler\"]}");
}

static void sparse_and_dense_hold_the_same_values(void **state)
{
    struct fixture_mixed m;
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    quern_model *model;
    quern_matrix dense = {0};
    quern_csr sparse = {0};
    (void)state;
    fixture_mixed(&m, ROWS, 13);
    OK(quern_pipeline_fit_transform(cpu, pipeline, m.table, &dense, NULL, &model));
    OK(quern_model_transform(cpu, model, m.table, NULL, &sparse));
    assert_int_equal(sparse.rows, ROWS);
    for (uint64_t r = 0; r < ROWS; r++) {
        const double *row = (const double *)dense.data + r * dense.columns;
        int64_t at = sparse.indptr[r];
        for (int32_t c = 0; c < (int32_t)dense.columns; c++) {
            if (row[c] == 0) continue;
            assert_int_equal(sparse.indices[at], c);
            assert_memory_equal((double *)sparse.data + at, &row[c], sizeof row[c]);
            at++;
        }
        assert_int_equal(at, sparse.indptr[r + 1]);
    }
    quern_csr_free(&sparse);
    quern_matrix_free(&dense);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

/* Specs that are wrong, and words that the message must have. */
static void wrong_specs_are_explained(void **state)
{
    static const struct {
        const char *spec, *words;
    } cases[] = {
        {"{", "line 1"},
        {"[]", "must be a JSON object"},
        {"{\"quern\": 2, \"steps\": []}", "quern"},
        {"{\"quern\": 1}", "steps"},
        {"{\"quern\": 1, \"steps\": [], \"stepz\": 1}", "did you mean \"steps\""},
        {"{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScalar\"]}]}",
         "did you mean \"StandardScaler\""},
        {"{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"StandardScaler\": "
         "{\"with_maen\": true}}]}]}",
         "did you mean \"with_mean\""},
        {"{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"MinMaxScaler\": "
         "{\"feature_range\": [1, 0]}}]}]}",
         "must be less than"},
        {"{\"quern\": 1, \"steps\": [{\"columns\": {\"dtype\": \"nubmer\"}, \"apply\": "
         "[\"StandardScaler\"]}]}",
         "did you mean \"number\""},
        {"{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{\"OrdinalEncoder\": "
         "{\"unknown_value\": -1}}]}]}",
         "handle_unknown"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        quern_pipeline *pipeline = NULL;
        assert_int_equal(
            quern_pipeline_from_spec("spec", cases[i].spec, strlen(cases[i].spec), &pipeline),
            QUERN_INVALID);
        if (strstr(quern_last_error(), cases[i].words) == NULL)
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, quern_last_error(), cases[i].words);
    }
}

/* Fits and transforms that cannot be done, and words that the message must have. */
static void wrong_tables_are_explained(void **state)
{
    static const struct {
        const char *steps, *words;
    } cases[] = {
        {"{\"columns\": [\"aa\"], \"apply\": [\"StandardScaler\"]}", "did you mean \"a\""},
        {"{\"columns\": [7], \"apply\": [\"StandardScaler\"]}", "outside a table"},
        {"{\"columns\": [\"s\"], \"apply\": [\"StandardScaler\"]}", "type string"},
        {"{\"columns\": [\"b\"], \"apply\": [\"Normalizer\"]}", "missing value"},
        {"{\"columns\": [\"s\"], \"apply\": [{\"OneHotEncoder\": {\"categories\": [[\"rye\"]]}}]}",
         "unknown category"},
        {"{\"columns\": [\"a\", \"a\"], \"apply\": [\"StandardScaler\"]}", "two output columns"},
        {"{\"columns\": {\"pattern\": \"^z\"}, \"apply\": [\"StandardScaler\"]}", "no column"},
    };
    struct fixture_mixed m;
    (void)state;
    fixture_mixed(&m, 100, 21);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char spec[512];
        quern_matrix out = {0};
        (void)snprintf(spec, sizeof spec, "{\"quern\": 1, \"steps\": [%s]}", cases[i].steps);
        quern_pipeline *pipeline = fixture_pipeline(spec);
        assert_int_not_equal(quern_pipeline_fit_transform(cpu, pipeline, m.table, &out, NULL, NULL),
                             QUERN_OK);
        assert_null(out.data);
        if (strstr(quern_last_error(), cases[i].words) == NULL)
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, quern_last_error(), cases[i].words);
        quern_pipeline_free(pipeline);
    }
    fixture_mixed_free(&m);
}

static void names_that_are_not_utf8_are_refused(void **state)
{
    static const double value[1] = {1};
    const quern_column column = {.name = "\xe9t\xe9", .type = QUERN_FLOAT64, .data = value};
    const char *const names[] = {"\xe9t\xe9"}, *const apply[] = {"StandardScaler", NULL};
    const char *const no_name[] = {"\xff", NULL};
    quern_table *table = NULL;
    quern_pipeline *pipeline;
    (void)state;
    assert_int_equal(quern_table_create(&column, 1, 1, &table), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "column 0: the name is not UTF-8"));
    assert_null(table);
    OK(quern_pipeline_create(&pipeline));
    assert_int_equal(quern_pipeline_add(pipeline, NULL, names, 1, apply, 1), QUERN_INVALID);
    assert_int_equal(quern_pipeline_add(pipeline, "\xff", NULL, 0, apply, 1), QUERN_INVALID);
    assert_int_equal(quern_pipeline_add(pipeline, NULL, NULL, 0, no_name, 1), QUERN_INVALID);
    OK(quern_pipeline_add(pipeline, NULL, NULL, 0, apply, 1));
    assert_int_equal(quern_pipeline_options(pipeline, "\xff", NULL), QUERN_INVALID);
    assert_int_equal(quern_pipeline_options(pipeline, NULL, "\xff"), QUERN_INVALID);
    quern_pipeline_free(pipeline);
}

static void infinities_are_refused_with_their_row(void **state)
{
    double values[] = {1, 2, 3, 4};
    quern_pipeline *pipeline = fixture_pipeline(
        "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"StandardScaler\"]}]}");
    quern_table *table;
    quern_model *model;
    quern_matrix out = {0};
    (void)state;
    OK(quern_table_from_matrix(values, QUERN_FLOAT64, 4, 1, 0, NULL, &table));
    OK(quern_pipeline_fit(cpu, pipeline, table, &model));
    values[2] = INFINITY;
    assert_int_equal(quern_model_transform(cpu, model, table, &out, NULL), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 2"));
    quern_model *second;
    assert_int_equal(quern_pipeline_fit(cpu, pipeline, table, &second), QUERN_INVALID);
    quern_model_free(model);
    quern_table_free(table);
    quern_pipeline_free(pipeline);
}

/* The k-th allocation fails, for every k: an error each time, nothing lost, the library usable. */
static void every_allocation_may_fail(void **state)
{
    struct fixture_mixed m;
    quern_context *context;
    quern_context_config config = {.struct_size = sizeof config, .device = "cpu", .threads = 1};
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    (void)state;
    fixture_mixed(&m, 60, 31);
    OK(quern_context_open(&config, &context));
    for (uint64_t k = 1;; k++) {
        quern_matrix out = {0};
        quern_model *model = NULL;
        (void)qn_alloc_fail_at(k);
        quern_status status =
            quern_pipeline_fit_transform(context, pipeline, m.table, &out, NULL, &model);
        (void)qn_alloc_fail_at(0);
        if (status == QUERN_OK) {
            quern_matrix_free(&out);
            quern_model_free(model);
            assert_true(k > 50);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        assert_null(out.data);
        assert_true(k < 100000);
    }
    OK(quern_context_close(context));
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

static int stop_at_once(void *user)
{
    (void)user;
    return 1;
}

static void a_cancelled_fit_says_so(void **state)
{
    struct fixture_mixed m;
    quern_pipeline *pipeline = fixture_pipeline(fixture_mixed_spec);
    quern_model *model = NULL;
    (void)state;
    fixture_mixed(&m, 100, 1);
    quern_context_callbacks(cpu, NULL, NULL, stop_at_once, NULL);
    assert_int_equal(quern_pipeline_fit(cpu, pipeline, m.table, &model), QUERN_CANCELLED);
    quern_context_callbacks(cpu, NULL, NULL, NULL, NULL);
    OK(quern_pipeline_fit(cpu, pipeline, m.table, &model));
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    fixture_mixed_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_counts_give_the_same_bytes),
        cmocka_unit_test(chunks_pushed_give_the_model_of_one_fit),
        cmocka_unit_test(a_loaded_model_transforms_like_the_fitted_one),
        cmocka_unit_test(what_was_learned_can_be_asked_for),
        cmocka_unit_test(broken_models_are_refused_or_harmless),
        cmocka_unit_test(served_rows_equal_the_batch),
        cmocka_unit_test(served_rows_equal_the_batch_through_layers),
        cmocka_unit_test(sparse_and_dense_hold_the_same_values),
        cmocka_unit_test(wrong_specs_are_explained),
        cmocka_unit_test(wrong_tables_are_explained),
        cmocka_unit_test(names_that_are_not_utf8_are_refused),
        cmocka_unit_test(infinities_are_refused_with_their_row),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_cancelled_fit_says_so),
    };
    return cmocka_run_group_tests_name("pipeline", tests, open_cpu, close_cpu);
}
