/* SPDX-License-Identifier: Apache-2.0
 * From file to file, in memory or, within max_memory, in passes over the file. */
#include <string.h>

#include "host/api/sink.h"
#include "host/core/checked.h"
#include "host/data/npy.h"

/* Rows that a rehearsal of a fit looks at, to count its passes. */
enum { REHEARSAL_ROWS = 2048 };

static int ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n >= k && strcmp(path + n - k, ending) == 0;
}

struct job {
    struct quern_context *cx;
    quern_job job;
    quern_job_info info;
};

static quern_status open_job(struct job *j, struct quern_context *cx, const quern_job *given)
{
    memset(j, 0, sizeof *j);
    qn_struct_in(&j->job, sizeof j->job, given, given->struct_size);
    j->cx = cx;
    if (j->job.input == NULL) return qn_error(QUERN_INVALID, "the job has no input");
    return QUERN_OK;
}

static void close_job(struct job *j, quern_job_info *info)
{
    j->info.struct_size = sizeof j->info;
    if (info != NULL) qn_struct_out(info, &j->info, sizeof j->info);
}

/* ---- in memory ---- */

static quern_status write_output(struct job *j, const struct quern_model *model,
                                 const struct quern_table *table, struct qn_fit_rest *rest)
{
    struct qn_sink *sink = NULL;
    struct quern_table *bound = NULL;
    quern_status status = QUERN_OK;
    if (j->job.no_transform) return QUERN_OK;
    QN_GO(qn_model_bind(model, table, &bound));
    if (j->job.output == NULL) { /* the work is asked for, the result is not */
        quern_matrix matrix = {0};
        uint64_t start = qn_clock_ns();
        if (model->dtype != QUERN_STRING) {
            QN_GO(qn_model_apply(j->cx, model, bound, rest, &matrix, NULL));
            quern_matrix_free(&matrix);
        }
        j->info.transform_ns = qn_clock_ns() - start;
        goto cleanup;
    }
    QN_GO(qn_sink_open(model, j->job.output, table->rows, &sink));
    QN_GO(qn_sink_put(sink, j->cx, bound, rest, &j->info));
    struct qn_sink *done = sink;
    sink = NULL;
    status = qn_sink_commit(done, &j->info);
cleanup:
    qn_sink_discard(sink);
    qn_table_free(bound);
    return status;
}

static void describe(struct job *j, const struct quern_model *model, uint64_t rows)
{
    j->info.rows = rows;
    j->info.input_columns = model->schema->n_columns;
    j->info.output_columns = model->plan->n_outputs;
    j->info.output_type = model->dtype;
    j->info.sparse = model->sparse;
}

static quern_status save_side_files(const struct job *j, const struct quern_model *model)
{
    if (j->job.model != NULL) QN_TRY(qn_model_save(model, j->job.model));
    if (j->job.names != NULL) QN_TRY(qn_names_save(model, j->job.names));
    return QUERN_OK;
}

static quern_status run_in_memory(struct job *j, const quern_pipeline *p, struct quern_table *table,
                                  quern_model **out)
{
    struct qn_fit_rest rest;
    quern_model *model = NULL;
    memset(&rest, 0, sizeof rest);
    uint64_t start = qn_clock_ns();
    quern_status status =
        qn_pipeline_fit(j->cx, p, table, j->job.no_transform ? NULL : &rest, &model);
    if (status != QUERN_OK && table->rows == 0)
        status = qn_error_context(status, "%s", j->job.input);
    j->info.fit_ns = qn_clock_ns() - start;
    if (status == QUERN_OK) describe(j, model, table->rows);
    if (status == QUERN_OK) status = write_output(j, model, table, &rest);
    if (status == QUERN_OK) status = save_side_files(j, model);
    qn_fit_rest_free(j->cx, &rest);
    if (status == QUERN_OK)
        *out = model;
    else
        quern_model_free(model);
    return status;
}

/* ---- in passes over the file ---- */

/* Rows per chunk: a quarter of the limit for the parsed rows and what is made of them. */
static uint64_t chunk_rows(const struct quern_context *cx, uint64_t row_bytes)
{
    uint64_t rows = cx->max_memory / 4 / (row_bytes != 0 ? row_bytes : 1);
    rows = rows / QN_GROUP_ROWS * QN_GROUP_ROWS;
    return rows != 0 ? rows : QN_GROUP_ROWS;
}

static quern_status fit_stream(struct quern_context *cx, const quern_pipeline *p,
                               struct qn_csv_stream *stream, uint64_t chunk, quern_model **out)
{
    struct qn_spec *spec;
    QN_TRY(qn_pipeline_spec(p, &spec));
    const struct quern_table *schema = qn_csv_schema(stream);
    struct qn_feed feed = {.stream = stream, .chunk = chunk, .rows = schema->rows};
    quern_status status = qn_fit(cx, spec, schema, &feed, NULL, out);
    qn_feed_close(&feed);
    return status;
}

/* The same fit as one to come, of the first rows. What it learns is thrown away with the model; what it
 * complains about, the real one will tell: then there is no model. */
static quern_status rehearse(struct quern_context *cx, const quern_pipeline *p,
                             const struct quern_table *schema, struct qn_feed *feed,
                             uint32_t *passes, quern_model **model)
{
    struct qn_spec *spec;
    struct qn_ledger *ledger = qn_context_ledger(cx), saved = *ledger;
    qn_log_fn *log = cx->log;
    qn_progress_fn *progress = cx->progress;
    *passes = 0;
    *model = NULL;
    QN_TRY(qn_pipeline_spec(p, &spec));
    cx->log = NULL;
    cx->progress = NULL;
    uint64_t before = ledger->passes;
    quern_status status = qn_fit(cx, spec, schema, feed, NULL, model);
    if (status == QUERN_OK) *passes = (uint32_t)(ledger->passes - before);
    cx->log = log;
    cx->progress = progress;
    *ledger = saved;
    return status;
}

/* How many passes a fit makes over chunks. */
static quern_status rehearse_stream(struct job *j, const quern_pipeline *p,
                                    struct qn_csv_stream *stream, uint32_t *passes)
{
    struct quern_table *rows = NULL, schema = *qn_csv_schema(stream);
    quern_model *model = NULL;
    *passes = 0;
    QN_TRY(qn_csv_rewind(stream));
    QN_TRY(qn_csv_next(stream, REHEARSAL_ROWS, &rows));
    if (rows == NULL) return QUERN_OK;
    struct qn_feed feed = {
        .table = rows, .chunk = QN_GROUP_ROWS, .rows = rows->rows, .stepwise = 1};
    quern_status status = rehearse(j->cx, p, &schema, &feed, passes, &model);
    quern_model_free(model);
    qn_feed_close(&feed);
    qn_table_free(rows);
    return status;
}

static quern_status transform_stream(struct job *j, const struct quern_model *model,
                                     struct qn_csv_stream *stream, uint64_t chunk)
{
    const struct quern_table *schema = qn_csv_schema(stream), *table;
    struct qn_feed feed = {.stream = stream, .chunk = chunk, .rows = schema->rows};
    struct qn_sink *sink = NULL;
    quern_status status = QUERN_OK;
    uint64_t first_row;
    if (j->job.no_transform || j->job.output == NULL) return QUERN_OK;
    QN_GO(qn_sink_open(model, j->job.output, schema->rows, &sink));
    QN_GO(qn_feed_rewind(&feed));
    for (;;) {
        struct quern_table *bound;
        QN_GO(qn_feed_next(&feed, &table, &first_row));
        if (table == NULL) break;
        QN_GO(qn_model_bind(model, table, &bound));
        qn_progress_fn *progress = j->cx->progress;
        j->cx->progress = NULL; /* of the chunk; the file's is told below */
        status = qn_sink_put(sink, j->cx, bound, NULL, &j->info);
        j->cx->progress = progress;
        qn_table_free(bound);
        if (status != QUERN_OK) goto cleanup;
        if (qn_context_cancelled(j->cx)) {
            status = qn_context_stopped("the transform");
            goto cleanup;
        }
        qn_context_progress(j->cx, "transform", first_row + table->rows, schema->rows);
    }
    struct qn_sink *done = sink;
    sink = NULL;
    status = qn_sink_commit(done, &j->info);
cleanup:
    qn_sink_discard(sink);
    qn_feed_close(&feed);
    return status;
}

/* Bytes per row, parsed, encoded and transformed: strings become columns of a one-hot block at most. */
static uint64_t working_row_bytes(const struct qn_csv_stream *stream, const quern_model *model)
{
    uint64_t bytes = qn_csv_row_bytes(stream);
    if (model == NULL) return 2 * bytes;
    return bytes + 4 * model->schema->n_columns +
           8 * (uint64_t)model->program.n_slots * model->plan->n_layers;
}

/* What the first reading of the file has to tell. */
static void tell(const struct job *j, const struct qn_csv_stream *stream)
{
    const char *warning = qn_csv_schema(stream)->warning;
    if (warning != NULL) qn_context_log(j->cx, QN_LOG_WARNING, "%s", warning);
}

static quern_status run_streamed(struct job *j, const quern_pipeline *p,
                                 struct qn_csv_stream *stream, quern_model **out)
{
    quern_model *model = NULL;
    uint32_t fit_passes, inferred = qn_csv_passes(stream),
                         again = j->job.output != NULL && !j->job.no_transform;
    tell(j, stream);
    /* what is wrong the fit itself will tell */
    if (rehearse_stream(j, p, stream, &fit_passes) != QUERN_OK) fit_passes = 0;
    j->info.streamed = 1;
    j->info.planned_passes = inferred + fit_passes + again;
    qn_context_log(j->cx, QN_LOG_INFO,
                   "plan: %u passes over %s: %u to infer types, %u to fit, %u to transform",
                   j->info.planned_passes, j->job.input, inferred, fit_passes, again);
    struct qn_ledger *ledger = qn_context_ledger(j->cx);
    uint64_t before = ledger->passes, start = qn_clock_ns();
    quern_status status =
        fit_stream(j->cx, p, stream, chunk_rows(j->cx, working_row_bytes(stream, NULL)), &model);
    j->info.fit_ns = qn_clock_ns() - start;
    j->info.passes = inferred + (uint32_t)(ledger->passes - before);
    if (status == QUERN_OK) {
        describe(j, model, qn_csv_schema(stream)->rows);
        status =
            transform_stream(j, model, stream, chunk_rows(j->cx, working_row_bytes(stream, model)));
        j->info.passes += again;
    }
    if (status == QUERN_OK) status = save_side_files(j, model);
    if (status == QUERN_OK)
        *out = model;
    else
        quern_model_free(model);
    return status;
}

/* A table with its output and codes takes about three times its parsed size. */
static int fits_in_memory(const struct quern_context *cx, const struct qn_csv_stream *stream)
{
    uint64_t bytes;
    if (qn_mul_u64(qn_csv_schema(stream)->rows, 3 * qn_csv_row_bytes(stream), &bytes)) return 0;
    return bytes <= cx->max_memory;
}

static int may_stream(const struct job *j)
{
    return j->cx->max_memory != 0 && strcmp(j->job.input, "-") != 0 &&
           !ends_with(j->job.input, ".npy");
}

static quern_status open_stream(struct job *j, const struct qn_csv_options *given,
                                struct qn_csv_stream **out)
{
    struct qn_csv_options options = *given;
    options.max_memory = j->cx->max_memory / 4;
    uint64_t start = qn_clock_ns();
    quern_status status = qn_csv_open(j->job.input, &options, j->cx->threads, out);
    j->info.read_ns = qn_clock_ns() - start;
    return status;
}

quern_status quern_run(quern_context *context, const quern_pipeline *pipeline,
                       const quern_job *given, quern_job_info *info, quern_model **model)
{
    struct job j;
    struct quern_table *table = NULL;
    struct qn_csv_stream *stream = NULL;
    quern_model *fitted = NULL;
    quern_status status = QUERN_OK;
    if (context == NULL || pipeline == NULL || given == NULL) return qn_null_argument("quern_run");
    if (pipeline->spec == NULL) return qn_error(QUERN_INVALID, "the pipeline has no step");
    QN_GO(open_job(&j, context, given));
    if (may_stream(&j)) QN_GO(open_stream(&j, &pipeline->spec->input, &stream));
    if (stream != NULL && !fits_in_memory(context, stream)) {
        QN_GO(run_streamed(&j, pipeline, stream, &fitted));
    } else {
        qn_csv_close(stream);
        stream = NULL;
        uint64_t start = qn_clock_ns();
        QN_GO(quern_table_read(context, pipeline, j.job.input, &table));
        j.info.read_ns += qn_clock_ns() - start;
        j.info.planned_passes = j.info.passes = 1;
        QN_GO(run_in_memory(&j, pipeline, table, &fitted));
    }
    if (model != NULL) {
        *model = fitted;
        fitted = NULL;
    }
    close_job(&j, info);
cleanup:
    qn_csv_close(stream);
    qn_table_free(table);
    quern_model_free(fitted);
    return status;
}

/* ---- what a run would do ---- */

static quern_status plan_json(const quern_pipeline *p, const struct job *j,
                              const quern_model *model, char **json)
{
    json_t *passes = model != NULL && !j->info.streamed ? qn_model_passes_json(model) : NULL;
    if (passes == NULL)
        passes = json_pack("{s:i, s:n, s:i}", "fit", (int)j->info.passes, "takes", "transform", 1);
    (void)json_object_set_new(passes, "read", json_integer((json_int_t)j->info.planned_passes));
    json_t *root =
        json_pack("{s:i, s:s, s:I, s:i, s:b, s:o, s:O}", "quern", 1, "plan", j->job.input, "rows",
                  (json_int_t)j->info.rows, "input_columns", (int)j->info.input_columns, "streamed",
                  j->info.streamed, "passes", passes, "spec", p->spec->json);
    *json = root != NULL ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return *json != NULL ? QUERN_OK : qn_error_memory("a plan", 0);
}

static quern_status plan_streamed(struct job *j, const quern_pipeline *p,
                                  struct qn_csv_stream *stream)
{
    j->info.streamed = 1;
    j->info.rows = qn_csv_schema(stream)->rows;
    j->info.input_columns = qn_csv_schema(stream)->n_columns;
    j->info.planned_passes = qn_csv_passes(stream);
    return rehearse_stream(j, p, stream, &j->info.passes);
}

static quern_status plan_in_memory(struct job *j, const quern_pipeline *p, quern_model **model)
{
    struct quern_table *table = NULL, head;
    QN_TRY(quern_table_read(j->cx, p, j->job.input, &table));
    j->info.rows = table->rows;
    j->info.input_columns = table->n_columns;
    j->info.planned_passes = 1;
    head = *table;
    if (head.rows > REHEARSAL_ROWS) head.rows = REHEARSAL_ROWS;
    struct qn_feed feed = {.table = &head, .rows = head.rows};
    quern_status status = rehearse(j->cx, p, &head, &feed, &j->info.passes, model);
    qn_feed_close(&feed);
    qn_table_free(table);
    return status;
}

quern_status quern_pipeline_plan(quern_context *context, const quern_pipeline *pipeline,
                                 const char *input, char **json)
{
    quern_job given = {.struct_size = sizeof given, .input = input};
    struct qn_csv_stream *stream = NULL;
    quern_model *model = NULL;
    quern_status status = QUERN_OK;
    struct job j;
    if (context == NULL || pipeline == NULL || json == NULL)
        return qn_null_argument("quern_pipeline_plan");
    *json = NULL;
    if (pipeline->spec == NULL) return qn_error(QUERN_INVALID, "the pipeline has no step");
    QN_GO(open_job(&j, context, &given));
    if (may_stream(&j)) QN_GO(open_stream(&j, &pipeline->spec->input, &stream));
    if (stream != NULL && !fits_in_memory(context, stream))
        QN_GO(plan_streamed(&j, pipeline, stream));
    else
        QN_GO(plan_in_memory(&j, pipeline, &model));
    status = plan_json(pipeline, &j, model, json);
cleanup:
    qn_csv_close(stream);
    quern_model_free(model);
    return status;
}

quern_status quern_pipeline_fit_file(quern_context *context, const quern_pipeline *pipeline,
                                     const char *path, quern_model **out)
{
    quern_job job = {.struct_size = sizeof job, .input = path, .no_transform = 1};
    if (out == NULL) return qn_null_argument("quern_pipeline_fit_file");
    return quern_run(context, pipeline, &job, NULL, out);
}

quern_status quern_apply(quern_context *context, const quern_model *model, const quern_job *given,
                         quern_job_info *info)
{
    struct job j;
    struct quern_table *table = NULL;
    struct qn_csv_stream *stream = NULL;
    quern_column *wanted = NULL;
    quern_status status = QUERN_OK;
    if (context == NULL || model == NULL || given == NULL) return qn_null_argument("quern_apply");
    QN_GO(open_job(&j, context, given));
    if (may_stream(&j)) {
        struct qn_csv_options options;
        QN_GO(qn_model_csv_options(model, &options, &wanted));
        QN_GO(open_stream(&j, &options, &stream));
    }
    if (stream != NULL && !fits_in_memory(context, stream)) {
        j.info.streamed = 1;
        tell(&j, stream);
        j.info.planned_passes = j.info.passes = qn_csv_passes(stream) + 1;
        describe(&j, model, qn_csv_schema(stream)->rows);
        QN_GO(transform_stream(&j, model, stream,
                               chunk_rows(context, working_row_bytes(stream, model))));
    } else {
        qn_csv_close(stream);
        stream = NULL;
        uint64_t start = qn_clock_ns();
        QN_GO(quern_table_read_for(context, model, j.job.input, &table));
        j.info.read_ns += qn_clock_ns() - start;
        j.info.planned_passes = j.info.passes = 1;
        describe(&j, model, table->rows);
        QN_GO(write_output(&j, model, table, NULL));
    }
    if (j.job.names != NULL) QN_GO(qn_names_save(model, j.job.names));
    close_job(&j, info);
cleanup:
    qn_csv_close(stream);
    qn_free(wanted);
    qn_table_free(table);
    return status;
}
