/* SPDX-License-Identifier: Apache-2.0
 * From file to file: read_table, run, apply_file. */
#include <string.h>

#include "core.h"

/* A path of the file system as bytes; None and absent stay NULL. */
static int path_of(PyObject *given, PyObject **keep, const char **out)
{
    *out = NULL;
    if (given == NULL || given == Py_None) return 0;
    if (!PyUnicode_FSConverter(given, keep)) return -1;
    *out = PyBytes_AsString(*keep);
    return 0;
}

PyObject *qn_py_read_table(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "path", "spec_json"};
    static const struct qn_py_signature signature = {"read_table", words, 3, 2};
    const struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_keep keep = {0};
    struct qn_py_call call;
    PyObject *given[3], *name = NULL;
    const char *path, *spec;
    quern_pipeline *pipeline = NULL;
    quern_table *table = NULL;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        qn_py_optional_text(given[2], "spec_json", &spec) < 0 ||
        path_of(given[1], &name, &path) < 0)
        return NULL;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    int failed = qn_py_begin_stage(cx, &call, QN_PY_READ_FILE) < 0;
    if (!failed) {
        quern_status status = QUERN_OK;
        if (spec != NULL) status = quern_pipeline_from_spec("spec", spec, strlen(spec), &pipeline);
        if (status == QUERN_OK) status = quern_table_read(cx->context, pipeline, path, &table);
        failed = qn_py_end(&call, status) < 0;
    }
    quern_pipeline_free(pipeline);
    Py_XDECREF(name);
    if (!failed) return qn_py_table_new(state, table, &keep);
    quern_table_free(table);
    return NULL;
}

static PyObject *info_dict(const quern_job_info *i)
{
    return Py_BuildValue(
        "{sKsIsIsssNsNsIsIsKsKsKsKsK}", "rows", (unsigned long long)i->rows, "input_columns",
        (unsigned)i->input_columns, "output_columns", (unsigned)i->output_columns, "output_type",
        qn_py_type_name(i->output_type), "sparse", PyBool_FromLong(i->sparse), "streamed",
        PyBool_FromLong(i->streamed), "planned_passes", (unsigned)i->planned_passes, "passes",
        (unsigned)i->passes, "read_ns", (unsigned long long)i->read_ns, "fit_ns",
        (unsigned long long)i->fit_ns, "transform_ns", (unsigned long long)i->transform_ns,
        "write_ns", (unsigned long long)i->write_ns, "nnz", (unsigned long long)i->nnz);
}

/* The job's words; the paths live as long as keep. */
static int job_of(PyObject *const *given, quern_job *job, PyObject **keep)
{
    job->struct_size = sizeof *job;
    if (path_of(given[0], &keep[0], &job->input) < 0) return -1;
    if (path_of(given[1], &keep[1], &job->output) < 0) return -1;
    if (path_of(given[2], &keep[2], &job->model) < 0) return -1;
    return path_of(given[3], &keep[3], &job->names);
}

static void drop(PyObject **keep)
{
    for (int i = 0; i < 4; i++) Py_XDECREF(keep[i]);
}

PyObject *qn_py_run(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx",   "pipeline", "input",    "output",
                                        "model", "names",    "transform"};
    static const struct qn_py_signature signature = {"run", words, 7, 3};
    const struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_call call;
    quern_job job = {0};
    quern_job_info info = {.struct_size = sizeof info};
    PyObject *given[7], *keep[4] = {0}, *result = NULL;
    quern_model *model = NULL;
    int transform;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        !qn_py_is(given[1], state->pipeline, "Pipeline") ||
        (transform = qn_py_flag(given[6], 1)) < 0 || job_of(given + 2, &job, keep) < 0)
        goto cleanup;
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    job.no_transform = !transform;
    if (qn_py_begin_stage(cx, &call, QN_PY_RUN) < 0) goto cleanup;
    quern_status status =
        quern_run(cx->context, ((struct qn_py_pipeline *)given[1])->pipeline, &job, &info, &model);
    if (qn_py_end(&call, status) < 0) {
        quern_model_free(model);
        goto cleanup;
    }
    PyObject *fitted = qn_py_model_new(state, model), *dict = info_dict(&info);
    if (fitted != NULL && dict != NULL) result = PyTuple_Pack(2, dict, fitted);
    Py_XDECREF(fitted);
    Py_XDECREF(dict);
cleanup:
    drop(keep);
    return result;
}

PyObject *qn_py_apply_file(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *named)
{
    static const char *const words[] = {"ctx", "model", "input", "output", "names"};
    static const struct qn_py_signature signature = {"apply_file", words, 5, 3};
    const struct qn_py_state *state = PyModule_GetState(module);
    struct qn_py_call call;
    quern_job job = {0};
    quern_job_info info = {.struct_size = sizeof info};
    PyObject *given[5], *keep[4] = {0}, *result = NULL;
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        !qn_py_is(given[0], state->context, "Context") ||
        !qn_py_is(given[1], state->model, "Model"))
        return NULL;
    PyObject *words_of_job[4] = {given[2], given[3], NULL, given[4]};
    struct qn_py_context *cx = (struct qn_py_context *)given[0];
    const quern_model *model = ((struct qn_py_model *)given[1])->model;
    if (job_of(words_of_job, &job, keep) == 0 &&
        qn_py_begin_stage(cx, &call, QN_PY_APPLY_FILE) == 0) {
        quern_status status = quern_apply(cx->context, model, &job, &info);
        if (qn_py_end(&call, status) == 0) result = info_dict(&info);
    }
    drop(keep);
    return result;
}
