/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_table.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/core/os.h"

static int is_passing(const struct qn_csv_field *field, enum qn_csv_state state)
{
    if (state == QN_CSV_TEXT || state == QN_CSV_BOOL) return 1;
    return field->forced && qn_type_bytes(field->type) != 8;
}

/* Takes `bytes` of a region, or, while its size is being found, only counts them. */
static uint8_t *carve(uint8_t *region, size_t *used, size_t bytes, int *overflow)
{
    uint8_t *at = region != NULL ? region + *used : NULL;
    *overflow |= qn_add_size(*used, bytes, used) || qn_align_size(*used, 64, used);
    return at;
}

quern_status qn_csv_slots_open(const struct qn_csv_plan *plan, const enum qn_csv_state *hints,
                               uint64_t rows, struct qn_csv_slots *out)
{
    quern_status status = QUERN_OK;
    int overflow = 0;
    memset(out, 0, sizeof *out);
    out->of = qn_zalloc(plan->n_fields, sizeof *out->of);
    out->size = qn_zalloc(plan->n_fields, sizeof *out->size);
    if (out->of == NULL || out->size == NULL) {
        status = qn_error_memory("columns", plan->n_fields * sizeof *out->of);
        goto cleanup;
    }
    for (int measured = 0; measured < 2; measured++) { /* sizes first, then places */
        size_t kept = 0, passing = 0;
        for (uint32_t c = 0; c < plan->n_fields; c++) {
            size_t column;
            if (plan->fields[c].start == QN_CSV_SKIP) continue;
            out->size[c] = hints[c] == QN_CSV_TEXT ? 4 : 8;
            overflow |= qn_mul_size(rows, out->size[c], &column);
            int passes = is_passing(&plan->fields[c], hints[c]);
            out->of[c] = (char *)carve(passes ? out->passing : out->kept, passes ? &passing : &kept,
                                       column, &overflow);
        }
        if (measured) break;
        out->kept_bytes = kept;
        out->passing_bytes = passing;
        if (!overflow) {
            out->kept = qn_pages_alloc(kept);
            out->passing = qn_pages_alloc(passing);
        }
        if (out->kept == NULL || out->passing == NULL) {
            status =
                qn_error_memory("columns of a CSV table", overflow ? SIZE_MAX : kept + passing);
            goto cleanup;
        }
    }
cleanup:
    if (status != QUERN_OK) qn_csv_slots_close(out);
    return status;
}

uint64_t *qn_csv_slot(const struct qn_csv_slots *slots, uint32_t field, uint64_t row)
{
    return (uint64_t *)(void *)(slots->of[field] + row * slots->size[field]);
}

void qn_csv_slots_close(struct qn_csv_slots *slots)
{
    qn_pages_free(slots->kept, slots->kept_bytes);
    qn_pages_free(slots->passing, slots->passing_bytes);
    qn_free(slots->of);
    qn_free(slots->size);
    memset(slots, 0, sizeof *slots);
}

/* What a table read from text owns. */
struct store {
    void *kept, *packed;
    size_t kept_bytes, packed_bytes;
    char **names;
    uint32_t n_names;
    char *source, *warning;
    struct qn_csv_marks lines;
};

static void store_free(void *owner)
{
    struct store *store = owner;
    qn_pages_free(store->kept, store->kept_bytes);
    qn_pages_free(store->packed, store->packed_bytes);
    for (uint32_t i = 0; store->names != NULL && i < store->n_names; i++) qn_free(store->names[i]);
    qn_free(store->names);
    qn_free(store->source);
    qn_free(store->warning);
    qn_free(store->lines.items);
    qn_free(store);
}

static uint64_t line_of_row(const struct quern_table *table, uint64_t row)
{
    const struct store *store = table->owner;
    size_t low = 0, high = store->lines.n; /* the last mark at or before the row */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (store->lines.items[mid].row <= row)
            low = mid;
        else
            high = mid;
    }
    const struct qn_csv_mark *mark = &store->lines.items[low];
    return mark->line + (row - mark->row);
}

static quern_status add_line(struct qn_csv_marks *lines, uint64_t row, uint64_t line)
{
    if (lines->n > 0) {
        const struct qn_csv_mark *last = &lines->items[lines->n - 1];
        if (last->line + (row - last->row) == line) return QUERN_OK;
    }
    return qn_csv_marks_add(lines, row, line);
}

/* A mark in front of the rows that a chunk has passed over counts for the first that it kept. */
static quern_status index_lines(struct store *store, const struct qn_csv_chunk *chunks,
                                uint64_t n_chunks, uint64_t line)
{
    uint64_t row = 0;
    for (uint64_t k = 0; k < n_chunks; k++) {
        const struct qn_csv_chunk *chunk = &chunks[k];
        uint64_t first = line + chunk->skip;
        size_t i = 0;
        for (; i < chunk->marks.n && chunk->marks.items[i].row <= chunk->skip; i++)
            first = line + chunk->marks.items[i].line + (chunk->skip - chunk->marks.items[i].row);
        if (chunk->rows > 0) QN_TRY(add_line(&store->lines, row, first));
        for (; i < chunk->marks.n && chunk->marks.items[i].row < chunk->skip + chunk->rows; i++)
            QN_TRY(add_line(&store->lines, row + chunk->marks.items[i].row - chunk->skip,
                            line + chunk->marks.items[i].line));
        row += chunk->rows;
        line += chunk->lines;
    }
    if (store->lines.n == 0) return add_line(&store->lines, 0, line);
    return QUERN_OK;
}

/* One column of the table on its way. */
struct packing {
    uint32_t field;
    enum qn_csv_state state;
    uint64_t missing, text;
    uint8_t *data, *validity;
    void *offsets;
    int wide;
    uint64_t *text_base; /* by chunk */
};

struct pack {
    const struct qn_csv_plan *plan;
    const struct qn_csv_chunk *chunks;
    uint64_t n_chunks, rows;
    const uint64_t *row_base;
    const struct qn_csv_slots *slots;
    quern_column *columns;
    struct packing *items;
};

static void pack_text(const struct packing *p, const struct qn_csv_chunk *chunk, uint64_t index,
                      const uint32_t *ends, uint64_t row0)
{
    uint64_t base = p->text_base[index];
    const struct qn_csv_column *column = &chunk->columns[p->field];
    if (column->text_size > 0) memcpy(p->data + base, column->text, column->text_size);
    if (p->wide) {
        int64_t *offsets = (int64_t *)p->offsets + row0 + 1;
        for (uint64_t i = 0; i < chunk->rows; i++)
            offsets[i] = (int64_t)(base + (ends[i] & ~QN_CSV_MISSING_TEXT));
    } else {
        int32_t *offsets = (int32_t *)p->offsets + row0 + 1;
        for (uint64_t i = 0; i < chunk->rows; i++)
            offsets[i] = (int32_t)(base + (ends[i] & ~QN_CSV_MISSING_TEXT));
    }
}

static void pack_numbers(const struct packing *p, quern_type type, const uint64_t *slots,
                         uint64_t row0, uint64_t rows)
{
    switch (qn_type_bytes(type)) {
    case 1:
        for (uint64_t i = 0; i < rows; i++) p->data[row0 + i] = (uint8_t)slots[i];
        break;
    case 2: {
        uint16_t *out = (uint16_t *)(void *)p->data + row0;
        for (uint64_t i = 0; i < rows; i++) out[i] = (uint16_t)slots[i];
        break;
    }
    case 4: {
        uint32_t *out = (uint32_t *)(void *)p->data + row0;
        if (type != QUERN_FLOAT32) {
            for (uint64_t i = 0; i < rows; i++) out[i] = (uint32_t)slots[i];
            break;
        }
        for (uint64_t i = 0; i < rows; i++) {
            double wide;
            memcpy(&wide, &slots[i], sizeof wide);
            float narrow = (float)wide;
            memcpy(&out[i], &narrow, sizeof narrow);
        }
        break;
    }
    default: break;
    }
}

/* Of the whole column, since chunks share bytes of the bitmap, which starts as zeros. */
static void pack_validity(const struct pack *pack, const struct packing *p)
{
    uint64_t row = 0;
    for (uint64_t k = 0; k < pack->n_chunks; k++) {
        const uint64_t *slots = qn_csv_slot(pack->slots, p->field, pack->row_base[k]);
        const uint32_t *ends = (const uint32_t *)(const void *)slots;
        for (uint64_t i = 0; i < pack->chunks[k].rows; i++, row++) {
            int there = p->state == QN_CSV_TEXT   ? (ends[i] & QN_CSV_MISSING_TEXT) == 0
                        : p->state == QN_CSV_BOOL ? slots[i] != QN_CSV_MISSING_BOOL
                                                  : slots[i] != QN_CSV_MISSING_DATE;
            p->validity[row / 8] |= (uint8_t)(there << (row % 8));
        }
    }
}

/* Missing truth values are stored as 0. */
static void pack_task(void *user, uint32_t worker, uint64_t task)
{
    struct pack *pack = user;
    uint64_t item = task / pack->n_chunks, index = task % pack->n_chunks;
    const struct packing *p = &pack->items[item];
    const struct qn_csv_chunk *chunk = &pack->chunks[index];
    uint64_t row0 = pack->row_base[index];
    const uint64_t *slots = qn_csv_slot(pack->slots, p->field, row0);
    (void)worker;
    if (index == 0 && p->validity != NULL) pack_validity(pack, p);
    if (p->state == QN_CSV_TEXT) {
        pack_text(p, chunk, index, (const uint32_t *)(const void *)slots, row0);
    } else if (p->state == QN_CSV_BOOL) {
        for (uint64_t i = 0; i < chunk->rows; i++) p->data[row0 + i] = slots[i] == 1;
    } else {
        pack_numbers(p, pack->columns[item].type, slots, row0, chunk->rows);
    }
}

static size_t lay_out(struct pack *pack, uint32_t n, uint8_t *region, int *overflow)
{
    size_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct packing *p = &pack->items[i];
        quern_column *c = &pack->columns[i];
        size_t bytes = qn_type_bytes(c->type);
        if (p->state == QN_CSV_TEXT) {
            size_t offsets;
            p->wide = p->text > INT32_MAX;
            *overflow |= qn_mul_size(pack->rows + 1, p->wide ? 8 : 4, &offsets);
            p->offsets = carve(region, &used, offsets, overflow);
            p->data = carve(region, &used, p->text, overflow);
            c->offsets = p->offsets;
            c->offset_bits = p->wide ? 64 : 32;
            c->data = p->data;
        } else if (bytes != 8) {
            size_t size;
            *overflow |= qn_mul_size(pack->rows, bytes, &size);
            p->data = carve(region, &used, size, overflow);
            c->data = p->data;
        } else {
            c->data = pack->slots->of[p->field];
        }
        int bitmap = p->missing > 0 && p->state != QN_CSV_FLOAT;
        if (bitmap) p->validity = carve(region, &used, (pack->rows + 7) / 8, overflow);
        c->validity = p->validity;
    }
    return used;
}

static quern_status sum_columns(struct pack *pack, uint32_t n, const enum qn_csv_state *states,
                                uint64_t *bases)
{
    for (uint32_t i = 0; i < n; i++) {
        struct packing *p = &pack->items[i];
        p->field = pack->plan->out[i];
        p->state = states[p->field] == QN_CSV_EMPTY ? QN_CSV_FLOAT : states[p->field];
        p->text_base = bases + i * pack->n_chunks;
        for (uint64_t k = 0; k < pack->n_chunks; k++) {
            const struct qn_csv_column *column = &pack->chunks[k].columns[p->field];
            p->text_base[k] = p->text;
            p->missing += column->missing;
            p->text += column->text_size;
        }
    }
    return QUERN_OK;
}

static quern_status name_columns(const struct qn_csv_plan *plan, const enum qn_csv_state *states,
                                 struct store *store, quern_column *columns)
{
    store->names = qn_zalloc(plan->n_out, sizeof *store->names);
    store->source = qn_strdup(plan->source);
    if (store->names == NULL || store->source == NULL)
        return qn_error_memory("column names", plan->n_out * sizeof *store->names);
    store->n_names = plan->n_out;
    if (plan->warning != NULL) {
        store->warning = qn_strdup(plan->warning);
        if (store->warning == NULL) return qn_error_memory("a warning", strlen(plan->warning));
    }
    for (uint32_t i = 0; i < plan->n_out; i++) {
        const struct qn_csv_field *field = &plan->fields[plan->out[i]];
        store->names[i] = qn_strdup(field->name);
        if (store->names[i] == NULL) return qn_error_memory("column names", strlen(field->name));
        columns[i].name = store->names[i];
        columns[i].type = qn_csv_state_type(field, states[plan->out[i]]);
    }
    return QUERN_OK;
}

quern_status qn_csv_table_make(const struct qn_csv_plan *plan, const enum qn_csv_state *states,
                               const struct qn_csv_chunk *chunks, uint64_t n_chunks, uint64_t line,
                               struct qn_csv_slots *slots, struct qn_threads *threads,
                               struct quern_table **out)
{
    quern_status status = QUERN_OK;
    uint32_t n = plan->n_out;
    struct quern_table *table = qn_zalloc(1, sizeof *table);
    struct store *store = qn_zalloc(1, sizeof *store);
    struct pack pack = {.plan = plan, .chunks = chunks, .n_chunks = n_chunks, .slots = slots};
    size_t n_bases = 0;
    int overflow = qn_mul_size(n, n_chunks, &n_bases);
    uint64_t *bases = overflow ? NULL : qn_alloc(n_bases, sizeof *bases);
    uint64_t *row_base = qn_alloc(n_chunks, sizeof *row_base);
    pack.items = qn_zalloc(n, sizeof *pack.items);
    pack.columns = qn_zalloc(n, sizeof *pack.columns);
    if (table == NULL || store == NULL || pack.items == NULL || bases == NULL || row_base == NULL ||
        pack.columns == NULL) {
        status = qn_error_memory("table", n * sizeof *pack.items);
        goto cleanup;
    }
    for (uint64_t k = 0; k < n_chunks; k++) {
        row_base[k] = pack.rows;
        pack.rows += chunks[k].rows;
    }
    pack.row_base = row_base;
    QN_GO(name_columns(plan, states, store, pack.columns));
    QN_GO(sum_columns(&pack, n, states, bases));
    size_t packed = lay_out(&pack, n, NULL, &overflow);
    if (!overflow) store->packed = qn_pages_alloc(packed);
    if (store->packed == NULL) {
        status = qn_error_memory("columns of a CSV table", packed);
        goto cleanup;
    }
    store->packed_bytes = packed;
    (void)lay_out(&pack, n, store->packed, &overflow);
    QN_GO(index_lines(store, chunks, n_chunks, line));
    if (n_chunks > 0) qn_threads_run(threads, n * n_chunks, pack_task, &pack);
    store->kept = slots->kept;
    store->kept_bytes = slots->kept_bytes;
    slots->kept = NULL;
    *table = (struct quern_table){.rows = pack.rows,
                                  .n_columns = n,
                                  .columns = pack.columns,
                                  .has_names = 1,
                                  .owner = store,
                                  .release = store_free,
                                  .source = store->source,
                                  .warning = store->warning,
                                  .line_of_row = line_of_row};
    *out = table;
    table = NULL;
    store = NULL;
    pack.columns = NULL;
cleanup:
    if (store != NULL) store_free(store);
    qn_free(table);
    qn_free(pack.columns);
    qn_free(pack.items);
    qn_free(row_base);
    qn_free(bases);
    return status;
}
