/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/core/utf8.h"

static int ends_with(const char *name, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    if (n < m) return 0;
    for (size_t i = 0; i < m; i++) {
        char c = name[n - m + i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != ending[i]) return 0;
    }
    return 1;
}

static char default_delimiter(const char *name)
{
    size_t n = strlen(name);
    if (ends_with(name, n, ".gz")) n -= 3;
    if (ends_with(name, n, ".zst")) n -= 4;
    return ends_with(name, n, ".tsv") || ends_with(name, n, ".tab") ? '\t' : ',';
}

static quern_status check_encoding(const char *name, const unsigned char *p, uint64_t size)
{
    const char *order = NULL;
    if (size >= 2 && p[0] == 0xff && p[1] == 0xfe) order = "little";
    if (size >= 2 && p[0] == 0xfe && p[1] == 0xff) order = "big";
    if (order == NULL) return QUERN_OK;
    return qn_error(
        QUERN_UNSUPPORTED,
        "%s: starts with a UTF-16 byte-order mark (%s-endian): convert the file to UTF-8", name,
        order);
}

/* Names go to places where only UTF-8 may stand: models, specs, lists of names. What is none is Latin-1,
 * or taken for it. */
static quern_status name_in_utf8(char **name)
{
    size_t size = strlen(*name);
    if (qn_utf8_valid(*name, size)) return QUERN_OK;
    char *utf8 = qn_utf8_from_latin1(*name, size, &size);
    if (utf8 == NULL) return qn_error_memory("column names", size);
    qn_free(*name);
    *name = utf8;
    return QUERN_OK;
}

/* The cells of one row as strings; rows are decoded one by one only for headers. */
static quern_status decode_row(const struct qn_csv_cells *cells, struct qn_csv_field *fields)
{
    for (uint32_t c = 0; c < cells->columns; c++) {
        uint64_t cell = cells->cells[(size_t)c * cells->stride];
        uint32_t size = qn_cell_size(cell);
        const char *text = cells->base + qn_cell_offset(cell);
        char *name;
        if (size == QN_CELL_ABSENT) size = 0;
        if (size & QN_CELL_ESCAPED) {
            size &= ~QN_CELL_ESCAPED;
            name = qn_alloc((size_t)size + 1, 1);
            if (name != NULL) name[qn_csv_unquote(text, size, name)] = '\0';
        } else {
            name = qn_alloc((size_t)size + 1, 1);
            if (name != NULL) {
                memcpy(name, text, size);
                name[size] = '\0';
            }
        }
        if (name == NULL) return qn_error_memory("column names", size);
        fields[c].name = name;
        QN_TRY(name_in_utf8(&fields[c].name));
    }
    return QUERN_OK;
}

struct named {
    const char *name;
    uint32_t index;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

/* The names sorted, to look one up; fields that have none yet are left out. */
static quern_status sort_names(const struct qn_csv_plan *plan, struct named **out, uint32_t *n)
{
    struct named *sorted = qn_alloc(plan->n_fields, sizeof *sorted);
    *out = sorted;
    *n = 0;
    if (sorted == NULL) return qn_error_memory("column names", plan->n_fields * sizeof *sorted);
    for (uint32_t c = 0; c < plan->n_fields; c++) {
        const char *name = plan->fields[c].name;
        if (name != NULL && name[0] != '\0') sorted[(*n)++] = (struct named){name, c};
    }
    qsort(sorted, *n, sizeof *sorted, by_name);
    return QUERN_OK;
}

static quern_status refuse_duplicates(const struct qn_csv_plan *plan, const struct named *sorted)
{
    for (uint32_t c = 1; c < plan->n_fields; c++)
        if (strcmp(sorted[c - 1].name, sorted[c].name) == 0)
            return qn_error(QUERN_INVALID,
                            "%s: line %" PRIu64 ": columns %" PRIu32 " and %" PRIu32
                            " are both named '%.80s'",
                            plan->source, plan->body_line - 1, sorted[c - 1].index + 1,
                            sorted[c].index + 1, sorted[c].name);
    return QUERN_OK;
}

static int64_t find_name(const struct named *sorted, uint32_t n, const char *name)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (strcmp(sorted[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && strcmp(sorted[low].name, name) == 0 ? (int64_t)sorted[low].index : -1;
}

/* Names for columns whose header cell is empty or not there, as pandas has them, and for columns
 * without a header. A name that another column has in the header gets .1, .2, … */
static quern_status number_names(struct qn_csv_plan *plan, int no_header)
{
    quern_status status = QUERN_OK;
    struct named *sorted = NULL;
    uint32_t n;
    QN_GO(sort_names(plan, &sorted, &n));
    for (uint32_t c = 0; c < plan->n_fields; c++) {
        struct qn_csv_field *f = &plan->fields[c];
        char name[48];
        if (f->name != NULL && f->name[0] != '\0') continue;
        (void)snprintf(name, sizeof name, no_header ? "x%" PRIu32 : "Unnamed: %" PRIu32, c);
        for (uint32_t k = 1; find_name(sorted, n, name) >= 0; k++)
            (void)snprintf(name, sizeof name, "Unnamed: %" PRIu32 ".%" PRIu32, c, k);
        qn_free(f->name);
        f->name = qn_strdup(name);
        if (f->name == NULL) {
            status = qn_error_memory("column names", sizeof name);
            goto cleanup;
        }
    }
cleanup:
    qn_free(sorted);
    return status;
}

static enum qn_csv_state state_of(quern_type type)
{
    switch (type) {
    case QUERN_BOOL: return QN_CSV_BOOL;
    case QUERN_FLOAT32:
    case QUERN_FLOAT64: return QN_CSV_FLOAT;
    case QUERN_STRING: return QN_CSV_TEXT;
    case QUERN_DATETIME: return QN_CSV_DATE;
    case QUERN_UINT8:
    case QUERN_UINT16:
    case QUERN_UINT32:
    case QUERN_UINT64: return QN_CSV_UINT;
    default: return QN_CSV_INT;
    }
}

static void force(struct qn_csv_field *field, quern_type type)
{
    field->start = state_of(type);
    field->forced = 1;
    field->type = type;
}

/* The nearest thing to a table's own error: says what the file has. */
static quern_status no_column(const struct qn_csv_plan *plan, const char *name)
{
    return qn_error(QUERN_INVALID, "%s: has no column '%.80s' (%" PRIu32 " columns, first '%.40s')",
                    plan->source, name, plan->n_fields, plan->fields[0].name);
}

/* Is this a name or position that a column beyond the first row's would have? Then whether the file
 * has it is known only when its rows have been counted: 1 puts the question off. */
static int put_off(struct qn_csv_plan *plan, const char *name, int no_header)
{
    static const char start[] = "Unnamed: ";
    char *end;
    if (plan->measured) return 0;
    if (no_header && name[0] == 'x') name++;
    if (!no_header) {
        if (strncmp(name, start, sizeof start - 1) != 0) return 0;
        name += sizeof start - 1;
    }
    unsigned long position = strtoul(name, &end, 10);
    if (end == name || position < plan->n_fields) return 0;
    plan->pending = 1;
    return 1;
}

static quern_status apply_schema(struct qn_csv_plan *plan, const struct qn_csv_options *options,
                                 const struct named *sorted)
{
    int by_position = options->schema[0].name == NULL;
    for (uint32_t i = 0; options->no_header && !by_position && i < options->n_schema; i++)
        by_position = find_name(sorted, plan->n_fields, options->schema[i].name) < 0;
    for (uint32_t c = 0; c < plan->n_fields; c++) plan->fields[c].start = QN_CSV_SKIP;
    for (uint32_t i = 0; i < options->n_schema; i++) {
        const quern_column *want = &options->schema[i];
        const char *name = want->name != NULL ? want->name : "(unnamed)";
        int64_t at = i;
        plan->out[i] = 0;
        if (!by_position) {
            at = want->name != NULL ? find_name(sorted, plan->n_fields, name) : -1;
            if (at < 0 && put_off(plan, name, options->no_header)) continue;
            if (at < 0) return no_column(plan, name);
        } else if (i >= plan->n_fields) {
            plan->pending = !plan->measured;
            if (plan->pending) continue;
            return qn_error(QUERN_INVALID, "%s: has %" PRIu32 " columns, %" PRIu32 " are needed",
                            plan->source, plan->n_fields, options->n_schema);
        }
        struct qn_csv_field *field = &plan->fields[at];
        if (field->forced)
            return qn_error(QUERN_INVALID, "%s: column '%.80s' is asked for twice", plan->source,
                            field->name);
        force(field, want->type);
        plan->out[i] = (uint32_t)at;
    }
    plan->n_out = options->n_schema;
    return QUERN_OK;
}

static quern_status apply_dtypes(struct qn_csv_plan *plan, const struct qn_csv_options *options,
                                 const struct named *sorted)
{
    for (uint32_t i = 0; i < options->n_dtypes; i++) {
        const char *name = options->dtypes[i].column;
        int64_t at = find_name(sorted, plan->n_fields, name);
        if (at < 0 && options->no_header) {
            char *end;
            unsigned long position = strtoul(name, &end, 10);
            if (end != name && *end == '\0' && position < plan->n_fields) at = (int64_t)position;
        }
        if (at < 0 && put_off(plan, name, options->no_header)) continue;
        if (at < 0) return no_column(plan, name);
        force(&plan->fields[at], options->dtypes[i].type);
    }
    return QUERN_OK;
}

static quern_status plan_columns(struct qn_csv_plan *plan, const struct qn_csv_options *options)
{
    quern_status status = QUERN_OK;
    struct named *sorted = NULL;
    uint32_t room = plan->n_fields, n;
    plan->pending = 0;
    if (options->n_schema > room) room = options->n_schema;
    plan->out = qn_alloc(room, sizeof *plan->out);
    if (plan->out == NULL) return qn_error_memory("columns", room * sizeof *plan->out);
    plan->n_out = plan->n_fields;
    for (uint32_t c = 0; c < plan->n_fields; c++) {
        plan->out[c] = c;
        plan->fields[c].start = QN_CSV_EMPTY;
        plan->fields[c].forced = 0;
        if (plan->raw) force(&plan->fields[c], QUERN_STRING);
    }
    if (plan->raw) return QUERN_OK;
    QN_GO(sort_names(plan, &sorted, &n));
    QN_GO(refuse_duplicates(plan, sorted));
    if (options->schema != NULL && options->n_schema > 0)
        QN_GO(apply_schema(plan, options, sorted));
    else
        QN_GO(apply_dtypes(plan, options, sorted));
cleanup:
    qn_free(sorted);
    return status;
}

static quern_status read_header(struct qn_csv_plan *plan, const uint8_t *text, uint64_t size,
                                int whole, int no_header, int *more)
{
    quern_status status = QUERN_OK;
    struct qn_csv_scan scan;
    struct qn_csv_cells cells = {0};
    const uint8_t *start = text, *end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) start += 3;
    qn_csv_scan_start(&scan, start, end, end, plan->delimiter);
    uint32_t columns;
    enum qn_csv_stop stop = qn_csv_scan_width(&scan, &columns);
    if (!whole && (stop == QN_CSV_DONE || scan.at == end)) {
        *more = 1;
        return QUERN_OK;
    }
    if (stop == QN_CSV_TOO_LONG)
        return qn_error(QUERN_UNSUPPORTED, "%s: the first row is longer than 1 GiB", plan->source);
    if (stop == QN_CSV_DONE)
        return qn_error(QUERN_INVALID, "%s: is empty: no header and no rows", plan->source);
    plan->n_fields = columns;
    plan->fields = qn_zalloc(columns, sizeof *plan->fields);
    if (plan->fields == NULL) {
        status = qn_error_memory("columns", columns * sizeof *plan->fields);
        goto cleanup;
    }
    plan->body = (uint64_t)(start - text);
    plan->body_line = 1;
    if (!no_header) {
        QN_GO(qn_csv_cells_open(columns, 1, &cells));
        qn_csv_scan_start(&scan, start, end, end, plan->delimiter);
        (void)qn_csv_scan_rows(&scan, &cells, 1);
        QN_GO(decode_row(&cells, plan->fields));
        plan->body = (uint64_t)(scan.at - text);
        plan->body_line = 1 + scan.line;
    }
    QN_GO(number_names(plan, no_header));
cleanup:
    qn_csv_cells_close(&cells);
    return status;
}

quern_status qn_csv_plan_open(const char *name, const char *text, uint64_t size, int whole,
                              const struct qn_csv_options *options, int raw,
                              struct qn_csv_plan *out, int *more)
{
    quern_status status = QUERN_OK;
    memset(out, 0, sizeof *out);
    *more = 0;
    out->raw = raw;
    out->source = qn_strdup(strcmp(name, "-") == 0 ? "standard input" : name);
    if (out->source == NULL) return qn_error_memory("file name", strlen(name));
    char delimiter = options->delimiter != 0 ? options->delimiter : default_delimiter(name);
    out->delimiter = (uint8_t)delimiter;
    if (delimiter == '"' || delimiter == '\n' || delimiter == '\r') {
        status = qn_error(QUERN_INVALID, "%s: the delimiter cannot be a quote or a newline",
                          out->source);
        goto cleanup;
    }
    QN_GO(check_encoding(out->source, (const unsigned char *)text, size));
    QN_GO(read_header(out, (const uint8_t *)text, size, whole, options->no_header, more));
    if (*more) goto cleanup;
    QN_GO(plan_columns(out, options));
    QN_GO(qn_csv_missing_open(options->drop_default_na || raw, options->na_values,
                              raw ? 0 : options->n_na_values, &out->missing));
cleanup:
    if (status != QUERN_OK || *more) qn_csv_plan_close(out);
    return status;
}

void qn_csv_wide_add(struct qn_csv_wide *sum, const struct qn_csv_wide *part, uint64_t line)
{
    if (part->rows > 0 && sum->rows == 0) sum->line = line + part->line;
    if (part->columns > sum->columns) sum->columns = part->columns;
    sum->rows += part->rows;
}

/* `before`: how many columns there were, of n_fields now. */
static quern_status warn(struct qn_csv_plan *plan, const struct qn_csv_wide *wide, uint32_t before)
{
    const char *first = plan->body_line > 1 ? "header" : "first row";
    char names[160] = "their extra cells are ignored";
    if (wide->rows == 1) (void)snprintf(names, sizeof names, "its extra cells are ignored");
    if (before + 1 == plan->n_fields)
        (void)snprintf(names, sizeof names, "the extra column is called '%s'",
                       plan->fields[before].name);
    else if (before < plan->n_fields)
        (void)snprintf(names, sizeof names, "the extra columns are called '%s' to '%s'",
                       plan->fields[before].name, plan->fields[plan->n_fields - 1].name);
    size_t size = strlen(plan->source) + strlen(names) + 160;
    plan->warning = qn_alloc(size, 1);
    if (plan->warning == NULL) return qn_error_memory("a warning", size);
    if (wide->rows == 1)
        (void)snprintf(plan->warning, size,
                       "%s: 1 row is wider than the %s, on line %" PRIu64 "; %s", plan->source,
                       first, wide->line, names);
    else
        (void)snprintf(plan->warning, size,
                       "%s: %" PRIu64 " rows are wider than the %s, the first on line %" PRIu64
                       "; %s",
                       plan->source, wide->rows, first, wide->line, names);
    return QUERN_OK;
}

static quern_status widen(struct qn_csv_plan *plan, const struct qn_csv_options *options,
                          uint32_t columns)
{
    struct qn_csv_field *fields = qn_realloc(plan->fields, columns, sizeof *fields);
    if (fields == NULL) return qn_error_memory("columns", columns * sizeof *fields);
    memset(fields + plan->n_fields, 0, (columns - plan->n_fields) * sizeof *fields);
    plan->fields = fields;
    plan->n_fields = columns;
    QN_TRY(number_names(plan, options->no_header));
    qn_free(plan->out);
    plan->out = NULL;
    return plan_columns(plan, options);
}

quern_status qn_csv_plan_measure(struct qn_csv_plan *plan, const struct qn_csv_options *options,
                                 const struct qn_csv_wide *wide, int *again)
{
    uint32_t before = plan->n_fields;
    int ignored = options->schema != NULL && options->n_schema > 0 && !plan->raw && !plan->pending;
    *again = 0;
    if (plan->measured) return QUERN_OK;
    plan->measured = 1;
    if (plan->pending || (wide->rows > 0 && !ignored)) {
        QN_TRY(widen(plan, options, wide->rows > 0 ? (uint32_t)wide->columns : before));
        *again = 1;
    }
    return wide->rows > 0 ? warn(plan, wide, before) : QUERN_OK;
}

void qn_csv_plan_close(struct qn_csv_plan *plan)
{
    qn_free(plan->warning);
    for (uint32_t c = 0; plan->fields != NULL && c < plan->n_fields; c++)
        qn_free(plan->fields[c].name);
    qn_free(plan->fields);
    qn_free(plan->out);
    qn_free(plan->source);
    qn_csv_missing_close(&plan->missing);
    memset(plan, 0, sizeof *plan);
}

void qn_csv_force(struct qn_csv_column *column, quern_type type)
{
    column->state = state_of(type);
    column->forced = 1;
    switch (type) {
    case QUERN_INT8: column->low = INT8_MIN, column->high = INT8_MAX; break;
    case QUERN_INT16: column->low = INT16_MIN, column->high = INT16_MAX; break;
    case QUERN_INT32: column->low = INT32_MIN, column->high = INT32_MAX; break;
    case QUERN_UINT8: column->low = 0, column->high = UINT8_MAX; break;
    case QUERN_UINT16: column->low = 0, column->high = UINT16_MAX; break;
    case QUERN_UINT32: column->low = 0, column->high = UINT32_MAX; break;
    case QUERN_UINT64: column->low = 0, column->high = -1; break;
    default: column->low = INT64_MIN, column->high = INT64_MAX; break;
    }
}

quern_status qn_csv_plan_columns(const struct qn_csv_plan *plan, const enum qn_csv_state *hints,
                                 struct qn_csv_column **out)
{
    struct qn_csv_column *columns = qn_zalloc(plan->n_fields, sizeof *columns);
    *out = columns;
    if (columns == NULL) return qn_error_memory("columns", plan->n_fields * sizeof *columns);
    for (uint32_t c = 0; c < plan->n_fields; c++) {
        columns[c].low = INT64_MIN;
        columns[c].high = INT64_MAX;
        if (plan->fields[c].forced)
            qn_csv_force(&columns[c], plan->fields[c].type);
        else if (plan->fields[c].start == QN_CSV_EMPTY && hints != NULL)
            columns[c].state = hints[c];
        else
            columns[c].state = plan->fields[c].start;
    }
    return QUERN_OK;
}

quern_type qn_csv_state_type(const struct qn_csv_field *field, enum qn_csv_state state)
{
    if (field->forced) return field->type;
    switch (state) {
    case QN_CSV_INT: return QUERN_INT64;
    case QN_CSV_BOOL: return QUERN_BOOL;
    case QN_CSV_DATE: return QUERN_DATETIME;
    case QN_CSV_TEXT:
    case QN_CSV_AGAIN: return QUERN_STRING;
    default: return QUERN_FLOAT64; /* also a column without any value, as in pandas */
    }
}

static const char *said(quern_type type)
{
    switch (type) {
    case QUERN_BOOL: return "true or false";
    case QUERN_FLOAT32:
    case QUERN_FLOAT64: return "a number";
    case QUERN_DATETIME: return "a date and time (ISO 8601)";
    default: return "an integer";
    }
}

quern_status qn_csv_plan_fault(const struct qn_csv_plan *plan, const struct qn_csv_fault *fault,
                               uint64_t line)
{
    const struct qn_csv_field *field = &plan->fields[fault->column];
    line += fault->line;
    switch (fault->kind) {
    case QN_CSV_BAD_CELL:
        return qn_error(QUERN_INVALID,
                        "%s: line %" PRIu64 ", column '%.80s': '%s' is not %s of type %s",
                        plan->source, line, field->name, fault->text, said(field->type),
                        qn_type_name(field->type));
    case QN_CSV_NO_VALUE:
        return qn_error(QUERN_INVALID,
                        "%s: line %" PRIu64 ", column '%.80s': the cell is missing, which type %s "
                        "cannot hold (float64 can)",
                        plan->source, line, field->name, qn_type_name(field->type));
    case QN_CSV_LONG_ROW:
        return qn_error(QUERN_UNSUPPORTED, "%s: line %" PRIu64 ": the row is longer than 1 GiB",
                        plan->source, line);
    default: return qn_error_put(&fault->failure);
    }
}
