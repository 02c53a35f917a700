/* SPDX-License-Identifier: Apache-2.0
 * Sparse tables: arrays that lie are refused, every form of one matrix gives the same bytes, zeros that
 * are not stored are counted. scikit-learn's bits are in tests/parity. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/ops/ops.h"
#include "host/stats/moments.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/sparse_forms.h"

static quern_context *cpu;

static void assert_same_csr(const quern_csr *a, const quern_csr *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->columns, b->columns);
    assert_int_equal(a->nnz, b->nnz);
    assert_memory_equal(a->indptr, b->indptr, (a->rows + 1) * sizeof *a->indptr);
    assert_memory_equal(a->indices, b->indices, a->nnz * sizeof *a->indices);
    assert_memory_equal(a->data, b->data, a->nnz * sizeof(double));
}

/* A row of ones through the model: the reciprocals of its scales. */
static void scales_of(const quern_model *model, uint32_t columns, double *out)
{
    double *ones = sparse_room(columns);
    quern_matrix matrix = {.data = out,
                           .type = QUERN_FLOAT64,
                           .rows = 1,
                           .columns = columns,
                           .row_stride = (int64_t)(columns * sizeof *out)};
    quern_table *table;
    for (uint32_t i = 0; i < columns; i++) ones[i] = 1;
    OK(quern_table_from_matrix(ones, QUERN_FLOAT64, 1, columns, 0, NULL, &table));
    OK(quern_model_transform(cpu, model, table, &matrix, NULL));
    quern_table_free(table);
    free(ones);
}

/* ---- arrays that lie ---- */

struct lie {
    quern_sparse_layout layout;
    uint64_t rows;
    uint32_t columns, bits;
    int64_t ptr[4], index[4];
    const char *words;
};

static void arrays_that_lie_are_refused(void **state)
{
    static const struct lie lies[] = {
        {QUERN_SPARSE_CSR, 3, 2, 64, {1, 1, 2, 2}, {0, 1}, "indptr[0] is 1"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 2, 1, 2}, {0, 1}, "indptr[2] is 1"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, -1, 1, 2}, {0, 1}, "indptr[1] is -1"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 1, INT64_MAX, INT64_MAX}, {0, 1}, "indptr[2] is"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 3, 3, 3}, {0, 1, 0}, "more entries than the 2"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 1, 2, 2}, {0, 2}, "indices[1] is outside"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 1, 2, 2}, {-1, 0}, "indices[0] is outside"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 1, 2, 2}, {(int64_t)1 << 32, 0}, "indices[0] is outside"},
        {QUERN_SPARSE_CSC, 2, 3, 64, {0, 1, 2, 2}, {0, 2}, "which has 2 rows"},
        {QUERN_SPARSE_CSR, 3, 2, 64, {0, 0, 2, 2}, {1, 1}, "row 1, column 1 is stored twice"},
        {QUERN_SPARSE_CSR, 1, 3, 64, {0, 3}, {2, 0, 2}, "row 0, column 2 is stored twice"},
        {QUERN_SPARSE_CSC, 3, 2, 64, {0, 1, 4}, {0, 2, 0, 2}, "row 2, column 1 is stored twice"},
        {QUERN_SPARSE_CSR, 3, 2, 16, {0}, {0}, "index_bits is 16"},
        {(quern_sparse_layout)2, 3, 2, 64, {0}, {0}, "unknown layout 2"},
        {QUERN_SPARSE_CSR, 3, 0, 64, {0}, {0}, "0 columns"},
        {QUERN_SPARSE_CSR, UINT32_MAX, 2, 64, {0}, {0}, "4294967295 rows"},
    };
    static const double values[4] = {1, 2, 3, 4};
    quern_table *table;
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const struct lie *l = &lies[i];
        assert_int_equal(quern_table_from_sparse(l->layout, l->rows, l->columns, l->ptr, l->index,
                                                 l->bits, values, QUERN_FLOAT64, NULL, &table),
                         QUERN_INVALID);
        assert_null(table);
        if (strstr(quern_last_error(), l->words) == NULL)
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, quern_last_error(), l->words);
    }
}

static void other_arguments_are_checked(void **state)
{
    static const int32_t ptr[] = {0, 1, 2}, index[] = {0, 1};
    static const double values[] = {1, 2};
    static const char *const twice[] = {"a", "a"}, *const hole[] = {"a", NULL},
                             *const good[] = {"b", "a"};
    quern_table *table;
    (void)state;
#define TRY(ptr, index, values, type, names)                                                       \
    quern_table_from_sparse(QUERN_SPARSE_CSR, 2, 2, ptr, index, 32, values, type, names, &table)
    assert_int_equal(TRY(NULL, index, values, QUERN_FLOAT64, NULL), QUERN_INVALID);
    assert_int_equal(TRY(ptr, NULL, values, QUERN_FLOAT64, NULL), QUERN_INVALID);
    assert_int_equal(TRY(ptr, index, NULL, QUERN_FLOAT64, NULL), QUERN_INVALID);
    assert_int_equal(TRY(ptr, index, values, QUERN_STRING, NULL), QUERN_INVALID);
    assert_int_equal(TRY(ptr, index, values, QUERN_DATETIME, NULL), QUERN_INVALID);
    assert_int_equal(TRY(ptr, index, values, QUERN_FLOAT64, twice), QUERN_INVALID);
    assert_int_equal(TRY(ptr, index, values, QUERN_FLOAT64, hole), QUERN_INVALID);
    OK(TRY(ptr, index, values, QUERN_FLOAT64, good));
#undef TRY
    assert_int_equal(quern_table_rows(table), 2);
    assert_int_equal(quern_table_columns(table), 2);
    assert_string_equal(quern_table_column(table, 1)->name, "a");
    assert_null(quern_table_column(table, 1)->data);
    quern_table_free(table);
}

/* ---- fits ---- */

static const char SCALE[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [{"
                            "\"SimpleImputer\": {\"strategy\": \"mean\"}}, {\"StandardScaler\": "
                            "{\"with_mean\": false}}]}], \"output\": {\"sparse\": true}}";

/* Beyond a group of moments, with a column that takes all threads. */
static void every_form_and_thread_count_gives_the_same_bytes(void **state)
{
    struct sparse s;
    quern_model *first = NULL;
    quern_csr kept = {0};
    (void)state;
    sparse_make(&s, 300001, 4, 30, 1);
    for (uint32_t threads = 1; threads <= 7; threads += 3) {
        quern_context_config config = {.threads = threads};
        quern_context *context = fixture_context_with("cpu", &config);
        for (int form = 0; form < 2; form++) {
            quern_table *table = form ? sparse_csc(&s) : sparse_csr(&s);
            quern_model *model = fixture_fit(context, SCALE, table);
            quern_csr csr = {0};
            OK(quern_model_transform(context, model, table, NULL, &csr));
            if (first == NULL) {
                first = model;
                kept = csr;
            } else {
                fixture_same_model(first, model, __func__);
                assert_same_csr(&kept, &csr);
                quern_model_free(model);
                quern_csr_free(&csr);
            }
            quern_table_free(table);
        }
        OK(quern_context_close(context));
    }
    quern_model_free(first);
    quern_csr_free(&kept);
    sparse_free(&s);
}

/* 1 when the model's file has these numbers side by side. */
static int has_tensor(const quern_model *model, const double *values, uint32_t n)
{
    void *bytes;
    size_t size, want = n * sizeof *values;
    int found = 0;
    OK(quern_model_to_bytes(model, &bytes, &size));
    for (size_t i = 0; i + want <= size && !found; i++)
        found = memcmp((const char *)bytes + i, values, want) == 0;
    quern_free(bytes);
    return found;
}

/* The definition in docs/numbers.md, by hand: the stored values as a packed column, then the zeros. */
static void moments_are_those_of_the_packed_column_and_zeros(void **state)
{
    enum { N = 12 };
    struct sparse s;
    double mean[N], var[N];
    (void)state;
    sparse_make(&s, 70000, N, 97, 1);
    for (uint32_t c = 0; c < N; c++) {
        uint64_t stored = (uint64_t)(s.column_ptr[c + 1] - s.column_ptr[c]);
        for (uint64_t i = 0; i < stored; i++) /* rounding must have something to do */
            s.column_values[(uint64_t)s.column_ptr[c] + i] *= 1.0 / 3;
        struct qn_lane lane = {.data = s.column_values + s.column_ptr[c],
                               .stride = 8,
                               .valid_bit = QN_NO_VALIDITY,
                               .type = QN_T_F64,
                               .work = QN_W_F64};
        struct qn_node nodes[2] = {0};
        struct qn_moments_request rq = {.batch = {.rows = stored, .lanes = &lane, .n_lanes = 1},
                                        .nodes = nodes};
        struct qn_moments *sums;
        OK(qn_moments_open(1, 0, &sums));
        if (stored != 0) OK(qn_op_moments(NULL, NULL, 0, &rq, NULL));
        OK(qn_moments_push(sums, nodes, stored));
        struct qn_node zeros = {(double)(s.rows - stored), 0, 0, 0};
        struct qn_standard all = qn_node_standard(qn_node_merge(qn_moments_result(sums, 0), zeros));
        mean[c] = all.mean;
        var[c] = all.var;
        qn_moments_free(sums);
    }
    quern_table *table = sparse_csc(&s);
    quern_model *model = fixture_fit(cpu,
                                     "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                                     "[{\"StandardScaler\": {\"with_mean\": false}}]}]}",
                                     table);
    assert_true(has_tensor(model, mean, N));
    assert_true(has_tensor(model, var, N));
    quern_table_free(table);
    quern_model_free(model);
    sparse_free(&s);
}

static const char INDICATED[] =
    "{\"SimpleImputer\": {\"strategy\": \"median\", \"add_indicator\": true}}, \"MaxAbsScaler\"";

/* What is exact is the same for sparse and dense tables, so the models are. */
static void exact_statistics_are_those_of_the_dense_table(void **state)
{
    static const char *const apply[] = {
        "\"MaxAbsScaler\"",
        "{\"RobustScaler\": {\"with_centering\": false}}",
        "{\"RobustScaler\": {\"with_centering\": false, \"quantile_range\": [1.0, 60.0]}}",
        "{\"SimpleImputer\": {\"strategy\": \"median\"}}",
        "{\"SimpleImputer\": {\"strategy\": \"most_frequent\"}}",
        "{\"SimpleImputer\": {\"strategy\": \"most_frequent\", \"missing_values\": 1.0}}",
        INDICATED,
        "\"passthrough\"",
    };
    (void)state;
    for (uint32_t percent = 5; percent < 100; percent += 44)
        for (size_t i = 0; i < sizeof apply / sizeof *apply; i++) {
            struct sparse s;
            char spec[256];
            sparse_make(&s, 997 + percent, 9, percent, strstr(apply[i], "_values") == NULL);
            (void)snprintf(spec, sizeof spec,
                           "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [%s]}], "
                           "\"output\": {\"sparse\": true}}",
                           apply[i]);
            quern_table *a = sparse_csr(&s), *b = sparse_dense(&s);
            quern_model *x = fixture_fit(cpu, spec, a), *y = fixture_fit(cpu, spec, b);
            fixture_same_model(x, y, __func__);
            quern_model_free(x);
            quern_model_free(y);
            quern_table_free(a);
            quern_table_free(b);
            sparse_free(&s);
        }
}

/* ---- transforms ---- */

static void a_loaded_model_transforms_like_the_fitted_one(void **state)
{
    struct sparse s;
    quern_model *loaded;
    quern_csr a = {0}, b = {0};
    quern_matrix dense = {0};
    void *bytes;
    size_t size;
    (void)state;
    sparse_make(&s, 900, 11, 20, 1);
    quern_table *table = sparse_csr(&s);
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    quern_model *model;
    OK(quern_pipeline_fit_transform(cpu, pipeline, table, NULL, &a, &model));
    assert_int_equal(a.nnz, s.nnz);
    assert_int_equal(quern_model_is_sparse(model), 1);
    OK(quern_model_to_bytes(model, &bytes, &size));
    OK(quern_model_from_bytes("bytes", bytes, size, &loaded));
    OK(quern_model_transform(cpu, loaded, table, NULL, &b));
    assert_same_csr(&a, &b);
    OK(quern_model_transform(cpu, loaded, table, &dense, NULL));
    for (uint64_t r = 0; r < s.rows; r++) {
        int64_t at = a.indptr[r];
        for (int32_t c = 0; c < (int32_t)s.columns; c++) {
            double value = ((double *)dense.data)[r * s.columns + (uint64_t)c];
            if (at < a.indptr[r + 1] && a.indices[at] == c)
                assert_true(value == ((double *)a.data)[at++]);
            else
                assert_true(value == 0);
        }
    }
    quern_matrix_free(&dense);
    quern_csr_free(&a);
    quern_csr_free(&b);
    quern_free(bytes);
    quern_model_free(model);
    quern_model_free(loaded);
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    sparse_free(&s);
}

static void tables_may_be_empty(void **state)
{
    static const int32_t ptr[] = {0, 0, 0};
    quern_table *none, *zeros;
    quern_csr csr = {0};
    quern_matrix dense = {0};
    (void)state;
    OK(quern_table_from_sparse(QUERN_SPARSE_CSR, 2, 2, ptr, NULL, 32, NULL, QUERN_FLOAT64, NULL,
                               &zeros));
    OK(quern_table_from_sparse(QUERN_SPARSE_CSC, 0, 2, ptr, NULL, 32, NULL, QUERN_FLOAT64, NULL,
                               &none));
    quern_model *model = fixture_fit(cpu, SCALE, zeros);
    OK(quern_model_transform(cpu, model, none, NULL, &csr));
    assert_int_equal(csr.rows, 0);
    assert_int_equal(csr.nnz, 0);
    assert_int_equal(csr.indptr[0], 0);
    quern_csr_free(&csr);
    OK(quern_model_transform(cpu, model, zeros, &dense, NULL));
    for (int i = 0; i < 4; i++) assert_true(((double *)dense.data)[i] == 0);
    quern_matrix_free(&dense);
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    quern_model *second;
    assert_int_equal(quern_pipeline_fit(cpu, pipeline, none, &second), QUERN_INVALID);
    quern_pipeline_free(pipeline);
    quern_model_free(model);
    quern_table_free(none);
    quern_table_free(zeros);
}

static void names_bind_sparse_columns(void **state)
{
    static const int32_t ptr[] = {0, 2, 3}, index[] = {0, 1, 1};
    static const double values[] = {4, 8, -16};
    static const char *const here[] = {"a", "b"}, *const there[] = {"b", "a"},
                             *const other[] = {"a", "c"};
    quern_table *one, *swapped, *wrong;
    quern_csr csr = {0};
    (void)state;
#define TABLE(names, out)                                                                          \
    OK(quern_table_from_sparse(QUERN_SPARSE_CSR, 2, 2, ptr, index, 32, values, QUERN_FLOAT64,      \
                               names, out))
    TABLE(here, &one);
    TABLE(there, &swapped);
    TABLE(other, &wrong);
#undef TABLE
    quern_model *model = fixture_fit(
        cpu, "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"MaxAbsScaler\"]}]}",
        one);
    OK(quern_model_transform(cpu, model, swapped, NULL, &csr));
    /* row 0: a is 8 of at most 4, b is 4 of at most 16 */
    assert_int_equal(csr.indices[0], 0);
    assert_true(((double *)csr.data)[0] == 2.0);
    assert_true(((double *)csr.data)[1] == 0.25);
    assert_true(((double *)csr.data)[2] == -4.0);
    quern_csr_free(&csr);
    assert_int_equal(quern_model_transform(cpu, model, wrong, NULL, &csr), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "needs column \"b\""));
    quern_model_free(model);
    quern_table_free(one);
    quern_table_free(swapped);
    quern_table_free(wrong);
}

/* ---- what is refused ---- */

static void values_that_cannot_be_taken_are_named(void **state)
{
    struct sparse s;
    quern_csr csr = {0};
    (void)state;
    sparse_make(&s, 100, 3, 90, 0);
    quern_table *table = sparse_csr(&s);
    quern_model *scaler = fixture_fit(cpu, SCALE, table);
    quern_model *norm = fixture_fit(
        cpu, "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"Normalizer\"]}]}",
        table);
    double kept = s.row_values[s.row_ptr[42]];
    s.row_values[s.row_ptr[42]] = INFINITY;
    s.row_values[s.row_ptr[77]] = INFINITY;
    assert_int_equal(quern_model_transform(cpu, scaler, table, NULL, &csr), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 42: column \"x0\" has an infinite value"));
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    quern_model *model;
    assert_int_equal(quern_pipeline_fit(cpu, pipeline, table, &model), QUERN_INVALID);
    quern_pipeline_free(pipeline);
    s.row_values[s.row_ptr[42]] = NAN;
    assert_int_equal(quern_model_transform(cpu, norm, table, NULL, &csr), QUERN_INVALID);
    assert_non_null(strstr(quern_last_error(), "row 42: column \"x0\" has a missing value, which"));
    assert_null(csr.indptr);
    s.row_values[s.row_ptr[42]] = kept;
    quern_model_free(scaler);
    quern_model_free(norm);
    quern_table_free(table);
    sparse_free(&s);
}

static void what_would_fill_the_zeros_is_refused(void **state)
{
    static const struct {
        const char *spec, *words;
    } cases[] = {
        {"[{\"columns\": \"*\", \"apply\": [\"StandardScaler\"]}]", "set with_mean to false"},
        {"[{\"columns\": \"*\", \"apply\": [\"MinMaxScaler\"]}]", "use MaxAbsScaler"},
        {"[{\"columns\": \"*\", \"apply\": [\"RobustScaler\"]}]", "set with_centering to false"},
        {"[{\"columns\": \"*\", \"apply\": [\"OneHotEncoder\"]}]", "make the input dense"},
        {"[{\"columns\": \"*\", \"apply\": [\"OrdinalEncoder\"]}]", "make the input dense"},
        {"[{\"columns\": \"*\", \"apply\": [{\"SimpleImputer\": {\"missing_values\": 0}}]}]",
         "missing_values is 0"},
        {"[{\"columns\": \"*\", \"apply\": [{\"Binarizer\": {\"threshold\": -0.5}}]}]", "below 0"},
        {"[{\"columns\": \"*\", \"apply\": [\"MaxAbsScaler\"]}], \"then\": [\"MaxAbsScaler\"]",
         "set output.sparse to true"},
    };
    struct sparse s;
    (void)state;
    sparse_make(&s, 100, 3, 90, 0);
    for (int form = 0; form < 2; form++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char spec[300];
            quern_csr csr = {0};
            (void)snprintf(spec, sizeof spec, "{\"quern\": 1, \"steps\": %s}", cases[i].spec);
            quern_pipeline *pipeline = fixture_pipeline(spec);
            quern_table *table = sparse_csr(&s), *rows = sparse_dense(&s);
            if (form == 0) {
                assert_int_equal(
                    quern_pipeline_fit_transform(cpu, pipeline, table, NULL, &csr, NULL),
                    QUERN_UNSUPPORTED);
            } else { /* fitted on dense rows, given sparse ones */
                quern_model *model;
                OK(quern_pipeline_fit(cpu, pipeline, rows, &model));
                assert_int_equal(quern_model_transform(cpu, model, table, NULL, &csr),
                                 QUERN_UNSUPPORTED);
                quern_model_free(model);
            }
            if (strstr(quern_last_error(), cases[i].words) == NULL)
                fail_msg("case %zu: \"%s\" lacks \"%s\"", i, quern_last_error(), cases[i].words);
            quern_table_free(table);
            quern_table_free(rows);
            quern_pipeline_free(pipeline);
        }
    sparse_free(&s);
}

static void functions_that_take_rows_refuse_sparse_tables(void **state)
{
    struct sparse s;
    quern_table *copy;
    quern_fit *pieces;
    quern_buffer *buffer;
    quern_matrix back = {0};
    (void)state;
    sparse_make(&s, 100, 3, 90, 0);
    quern_table *table = sparse_csr(&s);
    quern_pipeline *pipeline = fixture_pipeline(SCALE);
    quern_model *model = fixture_fit(cpu, SCALE, table);
    OK(quern_fit_begin(cpu, pipeline, &pieces));
    assert_int_equal(quern_fit_push(pieces, table), QUERN_UNSUPPORTED);
    assert_non_null(strstr(quern_last_error(), "quern_fit_push takes no sparse table"));
    quern_fit_cancel(pieces);
    assert_int_equal(quern_table_upload(cpu, table, &copy), QUERN_UNSUPPORTED);
    OK(quern_buffer_alloc(cpu, 4096, &buffer));
    assert_int_equal(quern_model_transform_to(cpu, model, table, buffer), QUERN_UNSUPPORTED);
    quern_buffer_free(buffer);
    assert_int_equal(quern_model_inverse_transform(cpu, model, table, &back), QUERN_UNSUPPORTED);
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    quern_table_free(table);
    sparse_free(&s);
}

/* ---- chains over the joined output, density, devices, faults ---- */

static void density_decides_and_then_goes_on_sparse(void **state)
{
    struct sparse s;
    quern_csr csr = {0};
    (void)state;
    sparse_make(&s, 400, 30, 4, 0);
    quern_table *table = sparse_csr(&s);
    quern_model *model =
        fixture_fit(cpu,
                    "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                    "[\"MaxAbsScaler\"]}], \"then\": [\"Normalizer\", \"MaxAbsScaler\"]}",
                    table);
    assert_int_equal(quern_model_is_sparse(model), 1);
    OK(quern_model_transform(cpu, model, table, NULL, &csr));
    assert_int_equal(csr.nnz, s.nnz);
    double most = 0;
    for (uint64_t i = 0; i < csr.nnz; i++)
        if (csr.indices[i] == 5 && fabs(((double *)csr.data)[i]) > most)
            most = fabs(((double *)csr.data)[i]);
    assert_true(fabs(most - 1) < 1e-12);
    quern_csr_free(&csr);
    quern_model_free(model);
    quern_table_free(table);
    sparse_free(&s);
    sparse_make(&s, 400, 3, 90, 0);
    table = sparse_csr(&s);
    model = fixture_fit(
        cpu, "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": [\"MaxAbsScaler\"]}]}",
        table);
    assert_int_equal(quern_model_is_sparse(model), 0);
    quern_model_free(model);
    quern_table_free(table);
    sparse_free(&s);
}

static void a_device_leaves_sparse_tables_to_the_host(void **state)
{
    quern_context *context = fixture_context("opencl:0", 0);
    struct sparse s;
    quern_csr here = {0}, there = {0};
    (void)state;
    sparse_make(&s, 3000, 6, 20, 1);
    quern_table *table = sparse_csc(&s);
    quern_model *a = fixture_fit(cpu, SCALE, table), *b = fixture_fit(context, SCALE, table);
    fixture_same_model(a, b, __func__);
    OK(quern_model_transform(cpu, a, table, NULL, &here));
    OK(quern_model_transform(context, b, table, NULL, &there));
    assert_same_csr(&here, &there);
    for (uint32_t i = 0; i < quern_context_decisions(context); i++) {
        quern_decision d = {.struct_size = sizeof d};
        OK(quern_context_decision(context, i, &d));
        assert_string_equal(d.operation, "sparse");
        assert_string_equal(d.device, "host");
    }
    assert_int_equal(quern_context_decisions(context), 2);
    quern_csr_free(&here);
    quern_csr_free(&there);
    quern_model_free(a);
    quern_model_free(b);
    quern_table_free(table);
    sparse_free(&s);
    OK(quern_context_close(context));
}

static const char MUCH[] =
    "{\"quern\": 1, \"steps\": [{\"name\": \"a\", \"columns\": [4, 2, 0], \"apply\": "
    "[{\"SimpleImputer\": {\"strategy\": \"most_frequent\", \"add_indicator\": true}}, "
    "{\"RobustScaler\": {\"with_centering\": false}}]}, {\"name\": \"b\", \"columns\": [1, 2], "
    "\"apply\": [\"SimpleImputer\", \"Normalizer\", {\"StandardScaler\": {\"with_mean\": "
    "false}}]}], \"remainder\": \"passthrough\", \"output\": {\"sparse\": true}}";

static void every_allocation_may_fail(void **state)
{
    struct sparse s;
    quern_context *context;
    quern_context_config config = {.struct_size = sizeof config, .device = "cpu", .threads = 1};
    (void)state;
    sparse_make(&s, 60, 6, 40, 1);
    quern_pipeline *pipeline = fixture_pipeline(MUCH);
    OK(quern_context_open(&config, &context));
    for (uint64_t k = 1;; k++) {
        quern_csr csr = {0};
        quern_model *model = NULL;
        quern_table *table = NULL;
        (void)qn_alloc_fail_at(k);
        quern_status status =
            quern_table_from_sparse(QUERN_SPARSE_CSR, s.rows, s.columns, s.row_ptr32, s.by_row, 32,
                                    s.row_values, QUERN_FLOAT64, NULL, &table);
        if (status == QUERN_OK)
            status = quern_pipeline_fit_transform(context, pipeline, table, NULL, &csr, &model);
        (void)qn_alloc_fail_at(0);
        quern_table_free(table);
        if (status == QUERN_OK) {
            quern_csr_free(&csr);
            quern_model_free(model);
            assert_true(k > 60);
            break;
        }
        assert_int_equal(status, QUERN_OUT_OF_MEMORY);
        assert_null(csr.indptr);
        assert_true(k < 100000);
    }
    OK(quern_context_close(context));
    quern_pipeline_free(pipeline);
    sparse_free(&s);
}

static int open_cpu(void **state)
{
    (void)state;
    cpu = fixture_context("cpu", 1);
    return 0;
}

static int close_cpu(void **state)
{
    (void)state;
    return quern_context_close(cpu) == QUERN_OK ? 0 : 1;
}

static void weights_count_for_stored_and_other_zeros(void **state)
{
    static const char spec[] = "{\"quern\": 1, \"steps\": [{\"columns\": \"*\", \"apply\": "
                               "[{\"StandardScaler\": {\"with_mean\": false}}]}]}";
    struct sparse s;
    (void)state;
    sparse_make(&s, 70000, 6, 30, 1);
    double *weights = sparse_room(s.rows), sparse[6], dense[6];
    for (uint64_t i = 0; i < s.rows; i++) weights[i] = (double)(sparse_mix(i) % 5) / 4;
    quern_table *tables[] = {sparse_csr(&s), sparse_csc(&s), sparse_dense(&s)};
    quern_model *models[3];
    for (int i = 0; i < 3; i++) {
        OK(quern_table_set_weights(tables[i], weights));
        models[i] = fixture_fit(cpu, spec, tables[i]);
    }
    fixture_same_model(models[0], models[1], __func__);
    scales_of(models[0], s.columns, sparse);
    scales_of(models[2], s.columns, dense);
    for (uint32_t i = 0; i < s.columns; i++)
        if (!(fabs(sparse[i] - dense[i]) <= 1e-13 * dense[i]))
            fail_msg("column %u: %a, not %a", i, sparse[i], dense[i]);
    for (int i = 0; i < 3; i++) {
        quern_model_free(models[i]);
        quern_table_free(tables[i]);
    }
    free(weights);
    sparse_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_that_lie_are_refused),
        cmocka_unit_test(other_arguments_are_checked),
        cmocka_unit_test(every_form_and_thread_count_gives_the_same_bytes),
        cmocka_unit_test(moments_are_those_of_the_packed_column_and_zeros),
        cmocka_unit_test(exact_statistics_are_those_of_the_dense_table),
        cmocka_unit_test(weights_count_for_stored_and_other_zeros),
        cmocka_unit_test(a_loaded_model_transforms_like_the_fitted_one),
        cmocka_unit_test(tables_may_be_empty),
        cmocka_unit_test(names_bind_sparse_columns),
        cmocka_unit_test(values_that_cannot_be_taken_are_named),
        cmocka_unit_test(what_would_fill_the_zeros_is_refused),
        cmocka_unit_test(functions_that_take_rows_refuse_sparse_tables),
        cmocka_unit_test(density_decides_and_then_goes_on_sparse),
        cmocka_unit_test(a_device_leaves_sparse_tables_to_the_host),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("sparse", tests, open_cpu, close_cpu);
}
