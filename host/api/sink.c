/* SPDX-License-Identifier: Apache-2.0 */
#include "host/api/sink.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/npy.h"
#include "host/memory/output.h"

enum kind { NPY, NPZ, CSV };

struct qn_sink {
    enum kind kind;
    const struct quern_model *model;
    struct qn_outfile *file;
    struct qn_csr csr; /* NPZ */
    uint64_t rows;
    int begun; /* rows have been put: the pass has been counted */
};

static int ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n >= k && strcmp(path + n - k, ending) == 0;
}

static quern_status kind_of(const struct quern_model *m, const char *path, enum kind *out)
{
    if (strcmp(path, "-") == 0 || ends_with(path, ".csv"))
        *out = CSV;
    else if (ends_with(path, ".npy"))
        *out = NPY;
    else if (ends_with(path, ".npz"))
        *out = NPZ;
    else
        return qn_error(QUERN_INVALID, "%s: an output ends in .npy, .npz or .csv, or is -", path);
    if (*out != CSV && m->dtype == QUERN_STRING)
        for (uint32_t i = 0; i < m->plan->n_outputs; i++)
            if (m->plan->outputs[i].raw)
                return qn_error(QUERN_UNSUPPORTED,
                                "%s: output column \"%s\" is of type %s, which only .csv can hold",
                                path, m->plan->outputs[i].name,
                                qn_type_name(m->plan->outputs[i].type));
    return QUERN_OK;
}

static quern_status write_head(struct qn_sink *s)
{
    char head[256];
    if (s->kind == NPY)
        return qn_outfile_write(
            s->file, head,
            qn_npy_header(head, s->model->dtype, s->rows, s->model->program.n_slots));
    if (s->kind == NPZ) return QUERN_OK;
    uint32_t n = s->model->plan->n_outputs;
    const char **names = qn_alloc(n, sizeof *names);
    if (names == NULL) return qn_error_memory("output names", n);
    for (uint32_t i = 0; i < n; i++) names[i] = s->model->plan->outputs[i].name;
    quern_status status = qn_csv_write_header(s->file, names, n);
    qn_free(names);
    return status;
}

quern_status qn_sink_open(const struct quern_model *model, const char *path, uint64_t rows,
                          struct qn_sink **out)
{
    enum kind kind = NPY;
    *out = NULL;
    if (path == NULL) return QUERN_OK;
    QN_TRY(kind_of(model, path, &kind));
    struct qn_sink *s = qn_zalloc(1, sizeof *s);
    if (s == NULL) return qn_error_memory("output", sizeof *s);
    s->kind = kind;
    s->model = model;
    s->rows = rows;
    quern_status status = qn_outfile_open(path, &s->file);
    if (status == QUERN_OK) status = write_head(s);
    if (status != QUERN_OK) {
        qn_sink_discard(s);
        return status;
    }
    *out = s;
    return QUERN_OK;
}

void qn_sink_discard(struct qn_sink *s)
{
    if (s == NULL) return;
    qn_outfile_discard(s->file);
    qn_csr_free(&s->csr);
    qn_free(s);
}

/* ---- a chunk ---- */

static quern_status put_matrix(struct qn_sink *s, struct quern_context *cx,
                               const struct quern_table *bound, struct qn_fit_rest *rest,
                               quern_job_info *info)
{
    size_t row = s->model->program.n_slots * qn_type_bytes(s->model->dtype), bytes;
    if (qn_mul_size(row, (size_t)bound->rows, &bytes)) return qn_error_memory("output", UINT64_MAX);
    void *data = qn_output_alloc(bytes, 1);
    if (data == NULL) return qn_error_memory("output", bytes);
    struct qn_target target = {
        .kind = QN_TARGET_MATRIX, .data = data, .row_stride = (int64_t)row, .continues = s->begun};
    uint64_t start = qn_clock_ns();
    quern_status status = qn_transform(cx, s->model, bound, rest, &target);
    s->begun = 1;
    uint64_t middle = qn_clock_ns();
    if (status == QUERN_OK) status = qn_outfile_write(s->file, data, bytes);
    info->transform_ns += middle - start;
    info->write_ns += qn_clock_ns() - middle;
    qn_output_free(data);
    return status;
}

/* A string column after its fills. */
static quern_status filled_column(struct qn_arena *arena, const quern_column *c, uint64_t rows,
                                  const struct qn_raw_fill *fill, quern_column *out)
{
    *out = *c;
    if (fill == NULL || c->type != QUERN_STRING) return QUERN_OK;
    int64_t *offsets = qn_arena_alloc(arena, (size_t)rows + 1, sizeof *offsets);
    uint8_t *valid = qn_arena_alloc(arena, (size_t)rows / 8 + 1, 1);
    if (offsets == NULL || valid == NULL) return qn_error_memory("output", rows);
    for (int pass = 0; pass < 2; pass++) { /* sizes, then bytes */
        char *bytes = pass ? qn_arena_alloc(arena, (size_t)offsets[rows], 1) : NULL;
        if (pass && bytes == NULL) return qn_error_memory("output", (uint64_t)offsets[rows]);
        for (uint64_t r = 0; r < rows; r++) {
            uint64_t n = 0;
            const char *text = qn_column_valid(c, r) ? qn_column_string(c, r, &n) : NULL;
            qn_raw_fill_apply(fill, &text, &n);
            if (pass && n != 0) memcpy(bytes + offsets[r], text, (size_t)n);
            if (text != NULL) valid[r >> 3] = (uint8_t)(valid[r >> 3] | (1u << (r & 7)));
            offsets[r + 1] = offsets[r] + (int64_t)n;
        }
        out->data = bytes;
    }
    out->offset_bits = 64;
    out->offsets = offsets;
    out->validity = valid;
    out->validity_offset = 0;
    return QUERN_OK;
}

/* Truth values that came as doubles because some may be missing. */
static quern_status truth_column(struct qn_arena *arena, uint64_t rows, quern_column *c)
{
    const double *from = c->data;
    uint8_t *value = qn_arena_alloc(arena, (size_t)rows, 1);
    uint8_t *valid = qn_arena_alloc(arena, (size_t)rows / 8 + 1, 1);
    if (value == NULL || valid == NULL) return qn_error_memory("output", rows);
    for (uint64_t r = 0; r < rows; r++) {
        if (from[r] != from[r]) continue;
        value[r] = from[r] != 0;
        valid[r >> 3] = (uint8_t)(valid[r >> 3] | (1u << (r & 7)));
    }
    *c = (quern_column){.type = QUERN_BOOL, .data = value, .stride = 1, .validity = valid};
    return QUERN_OK;
}

static quern_status put_columns(struct qn_sink *s, struct quern_context *cx,
                                const struct quern_table *bound, struct qn_fit_rest *rest,
                                quern_job_info *info)
{
    const struct qn_plan *plan = s->model->plan;
    struct qn_arena arena = {0};
    quern_status status = QUERN_OK;
    uint32_t at = 0;
    quern_column *columns = qn_arena_alloc(&arena, plan->n_outputs, sizeof *columns);
    void **data = qn_arena_alloc(&arena, s->model->program.n_slots, sizeof *data);
    if (columns == NULL || data == NULL) {
        status = qn_error_memory("output", plan->n_outputs);
        goto cleanup;
    }
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        const struct qn_port *p = &plan->outputs[i];
        if (p->raw) {
            QN_GO(filled_column(&arena, &bound->columns[p->source], bound->rows, p->fill,
                                &columns[i]));
            continue;
        }
        quern_type type = s->model->program.slots[at].type;
        data[at] = qn_arena_alloc(&arena, (size_t)bound->rows, qn_type_bytes(type));
        if (data[at] == NULL) {
            status = qn_error_memory("output", bound->rows);
            goto cleanup;
        }
        columns[i] = (quern_column){
            .type = type, .data = data[at++], .stride = (int64_t)qn_type_bytes(type)};
    }
    struct qn_target target = {.kind = QN_TARGET_COLUMNS, .columns = data, .continues = s->begun};
    uint64_t start = qn_clock_ns();
    if (at != 0) QN_GO(qn_transform(cx, s->model, bound, rest, &target));
    s->begun = 1;
    for (uint32_t i = 0; i < plan->n_outputs; i++)
        if (plan->outputs[i].type == QUERN_BOOL && columns[i].type == QUERN_FLOAT64 &&
            s->model->dtype == QUERN_STRING)
            QN_GO(truth_column(&arena, bound->rows, &columns[i]));
    uint64_t middle = qn_clock_ns();
    status = qn_csv_write_rows(s->file, columns, plan->n_outputs, bound->rows);
    info->transform_ns += middle - start;
    info->write_ns += qn_clock_ns() - middle;
cleanup:
    qn_arena_free(&arena);
    return status;
}

/* Rows at a time for text: its columns need not be held whole. */
enum { CSV_ROWS = 1 << 16 };

static quern_status put_text(struct qn_sink *s, struct quern_context *cx,
                             const struct quern_table *bound, struct qn_fit_rest *rest,
                             quern_job_info *info)
{
    if (bound->rows <= CSV_ROWS) return put_columns(s, cx, bound, rest, info);
    for (uint64_t first = 0; first < bound->rows; first += CSV_ROWS) {
        struct quern_table *slice;
        uint64_t rows = bound->rows - first < CSV_ROWS ? bound->rows - first : CSV_ROWS;
        QN_TRY(qn_table_slice(bound, first, rows, &slice));
        quern_status status = put_columns(s, cx, slice, NULL, info);
        qn_table_free(slice);
        QN_TRY(status);
    }
    return QUERN_OK;
}

quern_status qn_sink_put(struct qn_sink *s, struct quern_context *cx,
                         const struct quern_table *bound, struct qn_fit_rest *rest,
                         quern_job_info *info)
{
    if (s->kind == NPY) return put_matrix(s, cx, bound, rest, info);
    if (s->kind == CSV) return put_text(s, cx, bound, rest, info);
    struct qn_target target = {.kind = QN_TARGET_CSR, .csr = &s->csr, .continues = s->begun};
    uint64_t start = qn_clock_ns();
    quern_status status = qn_transform(cx, s->model, bound, rest, &target);
    s->begun = 1;
    info->transform_ns += qn_clock_ns() - start;
    return status;
}

quern_status qn_sink_commit(struct qn_sink *s, quern_job_info *info)
{
    quern_status status = QUERN_OK;
    uint64_t start = qn_clock_ns();
    if (s->kind == NPZ) {
        static const int64_t none;
        qn_csr_narrow(&s->csr, s->model->dtype);
        status = qn_npz_write_csr(s->file, s->csr.rows, s->model->program.n_slots,
                                  s->csr.indptr != NULL ? s->csr.indptr : &none, s->csr.indices,
                                  s->csr.data, s->model->dtype);
        info->nnz = s->csr.nnz;
    }
    if (status == QUERN_OK) {
        struct qn_outfile *file = s->file;
        s->file = NULL;
        status = qn_outfile_commit(file);
    }
    info->write_ns += qn_clock_ns() - start;
    qn_sink_discard(s);
    return status;
}

quern_status qn_names_save(const struct quern_model *m, const char *path)
{
    json_t *names = json_array(), *types = json_array();
    for (uint32_t i = 0; i < m->plan->n_outputs; i++) {
        const struct qn_port *p = &m->plan->outputs[i];
        json_array_append_new(names, qn_json_text(p->name, strlen(p->name)));
        json_array_append_new(
            types, json_string(qn_type_name(m->dtype == QUERN_STRING ? p->type : m->dtype)));
    }
    json_t *root = json_pack("{s:i, s:o, s:o}", "quern", 1, "names", names, "dtypes", types);
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (text == NULL) return qn_error_memory("names", 0);
    struct qn_outfile *file = NULL;
    quern_status status = qn_outfile_open(path, &file);
    if (status == QUERN_OK) status = qn_outfile_write(file, text, strlen(text));
    if (status == QUERN_OK) status = qn_outfile_write(file, "\n", 1);
    if (status == QUERN_OK)
        status = qn_outfile_commit(file);
    else
        qn_outfile_discard(file);
    qn_free(text);
    return status;
}
