/* SPDX-License-Identifier: Apache-2.0
 * Models of the public interface: transform, save, load, what is in them. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/core/os.h"
#include "host/memory/output.h"
#include "host/pipeline/sparse.h"

/* ---- transform ---- */

quern_status qn_matrix_check(const struct quern_model *m, const struct quern_table *table,
                             const quern_matrix *out)
{
    uint32_t columns = m->program.n_slots;
    if (out->type != m->dtype)
        return qn_error(QUERN_INVALID, "the output is of type %s; the matrix given is of %s",
                        qn_type_name(m->dtype), qn_type_name(out->type));
    if (out->rows != table->rows || out->columns != columns)
        return qn_error(QUERN_INVALID, "the output is %llu x %u; the matrix given is %llu x %u",
                        (unsigned long long)table->rows, columns, (unsigned long long)out->rows,
                        out->columns);
    if (out->row_stride < (int64_t)(columns * qn_type_bytes(m->dtype)))
        return qn_error(QUERN_INVALID, "row_stride %lld is less than a row",
                        (long long)out->row_stride);
    return QUERN_OK;
}

static quern_status make_matrix(const struct quern_model *m, const struct quern_table *table,
                                quern_matrix *out)
{
    size_t row, bytes;
    if (qn_mul_size(m->program.n_slots, qn_type_bytes(m->dtype), &row) ||
        qn_mul_size(row, (size_t)table->rows, &bytes))
        return qn_error_memory("output", UINT64_MAX);
    void *data = qn_output_alloc(bytes, 1);
    if (data == NULL) return qn_error_memory("output", bytes);
    *out = (quern_matrix){.data = data,
                          .type = m->dtype,
                          .rows = table->rows,
                          .columns = m->program.n_slots,
                          .row_stride = (int64_t)row,
                          .owned = 1};
    return QUERN_OK;
}

static quern_status any_transform(struct quern_context *cx, const struct quern_model *m,
                                  const struct quern_table *bound, struct qn_fit_rest *rest,
                                  const struct qn_target *target)
{
    return bound->sparse != NULL ? qn_sparse_transform(cx, m, bound, target)
                                 : qn_transform(cx, m, bound, rest, target);
}

quern_status qn_model_dense(struct quern_context *cx, const struct quern_model *m,
                            const struct quern_table *bound, struct qn_fit_rest *rest,
                            const char *step, quern_matrix *out)
{
    int made = out->data == NULL;
    QN_TRY(made ? make_matrix(m, bound, out) : qn_matrix_check(m, bound, out));
    struct qn_target target = {
        .kind = QN_TARGET_MATRIX, .step = step, .data = out->data, .row_stride = out->row_stride};
    quern_status status = any_transform(cx, m, bound, rest, &target);
    if (status != QUERN_OK && made) quern_matrix_free(out);
    return status;
}

static quern_status apply_sparse(quern_context *cx, const quern_model *m, const quern_table *bound,
                                 struct qn_fit_rest *rest, quern_csr *out)
{
    struct qn_csr csr = {0};
    struct qn_target target = {.kind = QN_TARGET_CSR, .csr = &csr};
    quern_status status = any_transform(cx, m, bound, rest, &target);
    if (status == QUERN_OK && csr.indptr == NULL) { /* no rows */
        csr.indptr = qn_zalloc(1, sizeof *csr.indptr);
        if (csr.indptr == NULL) status = qn_error_memory("output", 8);
    }
    if (status != QUERN_OK) {
        qn_csr_free(&csr);
        return status;
    }
    qn_csr_narrow(&csr, m->dtype);
    *out = (quern_csr){.rows = csr.rows,
                       .columns = m->program.n_slots,
                       .nnz = csr.nnz,
                       .indptr = csr.indptr,
                       .indices = csr.indices,
                       .data = csr.data,
                       .type = m->dtype};
    return QUERN_OK;
}

quern_status qn_model_apply(struct quern_context *cx, const struct quern_model *m,
                            const struct quern_table *table, struct qn_fit_rest *rest,
                            quern_matrix *out, quern_csr *csr)
{
    quern_table *bound;
    if (m->dtype == QUERN_STRING)
        return qn_error(QUERN_UNSUPPORTED,
                        "string columns pass through, so the output is no matrix; write .csv");
    if (table->sparse != NULL) /* its columns find their places later */
        return out != NULL ? qn_model_dense(cx, m, table, NULL, NULL, out)
                           : apply_sparse(cx, m, table, NULL, csr);
    QN_TRY(qn_model_bind(m, table, &bound));
    quern_status status = out != NULL ? qn_model_dense(cx, m, bound, rest, NULL, out)
                                      : apply_sparse(cx, m, bound, rest, csr);
    qn_table_free(bound);
    return status;
}

quern_status quern_model_transform(quern_context *context, const quern_model *model,
                                   const quern_table *table, quern_matrix *out, quern_csr *csr)
{
    if (context == NULL || model == NULL || table == NULL || (out == NULL) == (csr == NULL))
        return qn_null_argument("quern_model_transform");
    return qn_model_apply(context, model, table, NULL, out, csr);
}

void quern_matrix_free(quern_matrix *matrix)
{
    if (matrix == NULL) return;
    if (matrix->owned) qn_output_free(matrix->data);
    memset(matrix, 0, sizeof *matrix);
}

void quern_csr_free(quern_csr *csr)
{
    if (csr == NULL) return;
    qn_output_free(csr->indptr);
    qn_output_free(csr->indices);
    qn_output_free(csr->data);
    memset(csr, 0, sizeof *csr);
}

/* ---- save and load ---- */

quern_status quern_model_save(const quern_model *model, const char *path)
{
    if (model == NULL || path == NULL) return qn_null_argument("quern_model_save");
    return qn_model_save(model, path);
}

quern_status quern_model_load(const char *path, quern_model **out)
{
    if (path == NULL || out == NULL) return qn_null_argument("quern_model_load");
    return qn_model_load(path, out);
}

quern_status quern_model_to_bytes(const quern_model *model, void **bytes, size_t *size)
{
    if (model == NULL || bytes == NULL || size == NULL)
        return qn_null_argument("quern_model_to_bytes");
    return qn_model_bytes(model, bytes, size);
}

quern_status quern_model_from_bytes(const char *name, const void *bytes, size_t size,
                                    quern_model **out)
{
    if (bytes == NULL || out == NULL) return qn_null_argument("quern_model_from_bytes");
    return qn_model_parse(name != NULL ? name : "model", bytes, size, out);
}

quern_status quern_model_tensors(const quern_model *model, quern_tensor_fn *fn, void *user)
{
    if (model == NULL || fn == NULL) return qn_null_argument("quern_model_tensors");
    return qn_model_tensors(model, fn, user);
}

void quern_model_free(quern_model *model)
{
    qn_model_free(model);
}

/* ---- questions ---- */

uint32_t quern_model_inputs(const quern_model *model)
{
    return model->schema->n_columns;
}

const char *quern_model_input_name(const quern_model *model, uint32_t i)
{
    return i < model->schema->n_columns ? model->schema->columns[i].name : NULL;
}

quern_type quern_model_input_type(const quern_model *model, uint32_t i)
{
    return i < model->schema->n_columns ? model->schema->columns[i].type : QUERN_FLOAT64;
}

uint32_t quern_model_outputs(const quern_model *model)
{
    return model->plan->n_outputs;
}

const char *quern_model_output_name(const quern_model *model, uint32_t i)
{
    return i < model->plan->n_outputs ? model->plan->outputs[i].name : NULL;
}

quern_type quern_model_output_type(const quern_model *model)
{
    return model->dtype;
}

int quern_model_is_sparse(const quern_model *model)
{
    return model->sparse;
}
