/* SPDX-License-Identifier: Apache-2.0
 * Files of the public interface: tables in, matrices out, fits of files larger than memory. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/data/npy.h"

static int ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n >= k && strcmp(path + n - k, ending) == 0;
}

/* A text table, and what its reader has to tell. */
static quern_status read_csv(quern_context *cx, const char *path,
                             const struct qn_csv_options *options, quern_table **out)
{
    QN_TRY(qn_csv_read(path, options, cx->threads, out));
    if ((*out)->warning != NULL) qn_context_log(cx, QN_LOG_WARNING, "%s", (*out)->warning);
    return QUERN_OK;
}

quern_status quern_table_read(quern_context *context, const quern_pipeline *pipeline,
                              const char *path, quern_table **out)
{
    static const struct qn_csv_options defaults;
    if (context == NULL || path == NULL || out == NULL) return qn_null_argument("quern_table_read");
    *out = NULL;
    if (ends_with(path, ".npy")) return qn_npy_read(path, out);
    const struct qn_csv_options *options =
        pipeline != NULL && pipeline->spec != NULL ? &pipeline->spec->input : &defaults;
    return read_csv(context, path, options, out);
}

quern_status quern_table_read_for(quern_context *context, const quern_model *model,
                                  const char *path, quern_table **out)
{
    if (context == NULL || model == NULL || path == NULL || out == NULL)
        return qn_null_argument("quern_table_read_for");
    *out = NULL;
    if (ends_with(path, ".npy")) return qn_npy_read(path, out);
    quern_column *wanted;
    struct qn_csv_options options;
    QN_TRY(qn_model_csv_options(model, &options, &wanted));
    quern_status status = read_csv(context, path, &options, out);
    qn_free(wanted);
    return status;
}

quern_status qn_model_csv_options(const struct quern_model *model, struct qn_csv_options *out,
                                  quern_column **wanted)
{
    uint32_t n = 0;
    *out = model->spec->input;
    *wanted = qn_alloc(model->schema->n_columns, sizeof **wanted);
    if (*wanted == NULL) return qn_error_memory("schema", model->schema->n_columns);
    int by_name = model->schema->has_names && !out->no_header;
    for (uint32_t i = 0; i < model->schema->n_columns; i++) {
        /* by name, unused columns need not be there; by position, places count */
        if (by_name && !model->plan->used[i]) continue;
        (*wanted)[n] = model->schema->columns[i];
        /* nobody needs the integers: empty cells are then missing values and not errors */
        if (qn_type_is_integer((*wanted)[n].type) && !qn_model_wants_integer(model, i))
            (*wanted)[n].type = QUERN_FLOAT64;
        n++;
    }
    for (uint32_t i = 0; !by_name && i < n; i++) (*wanted)[i].name = NULL;
    out->schema = *wanted;
    out->n_schema = n;
    return QUERN_OK;
}

quern_status quern_matrix_save_npy(const quern_matrix *matrix, const char *path)
{
    struct qn_outfile *file;
    if (matrix == NULL || path == NULL) return qn_null_argument("quern_matrix_save_npy");
    QN_TRY(qn_outfile_open(path, &file));
    quern_status status = qn_npy_write(file, matrix->data, matrix->type, matrix->rows,
                                       matrix->columns, matrix->row_stride);
    if (status == QUERN_OK) return qn_outfile_commit(file);
    qn_outfile_discard(file);
    return status;
}

quern_status quern_csr_save_npz(const quern_csr *csr, const char *path)
{
    struct qn_outfile *file;
    if (csr == NULL || path == NULL) return qn_null_argument("quern_csr_save_npz");
    QN_TRY(qn_outfile_open(path, &file));
    quern_status status = qn_npz_write_csr(file, csr->rows, csr->columns, csr->indptr, csr->indices,
                                           csr->data, csr->type);
    if (status == QUERN_OK) return qn_outfile_commit(file);
    qn_outfile_discard(file);
    return status;
}
