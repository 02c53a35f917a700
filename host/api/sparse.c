/* SPDX-License-Identifier: Apache-2.0
 * Sparse tables of the public interface. */
#include "host/data/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"

struct owner {
    struct qn_arena names;
    struct qn_sparse_table sparse;
};

static void release(void *user)
{
    struct owner *o = user;
    qn_arena_free(&o->names);
    qn_sparse_close(&o->sparse);
    qn_free(o);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Text features come by the hundred thousand, so names are sorted to be compared. */
static quern_status check_names(const char *const *names, uint32_t n)
{
    quern_status status = QUERN_OK;
    for (uint32_t i = 0; i < n; i++)
        if (names[i] == NULL)
            return qn_error(QUERN_INVALID, "column %u: names are given for all columns or none", i);
    const char **sorted = qn_alloc(n, sizeof *sorted);
    if (sorted == NULL) return qn_error_memory("table", n * sizeof *sorted);
    memcpy(sorted, names, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_text);
    for (uint32_t i = 1; i < n && status == QUERN_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = qn_error(QUERN_INVALID, "two columns are called \"%s\"", sorted[i]);
    qn_free(sorted);
    return status;
}

static quern_status check_shape(quern_sparse_layout layout, uint64_t rows, uint32_t columns,
                                uint32_t index_bits, quern_type type)
{
    if (layout != QUERN_SPARSE_CSR && layout != QUERN_SPARSE_CSC)
        return qn_error(QUERN_INVALID, "sparse table: unknown layout %d", (int)layout);
    if (index_bits != 32 && index_bits != 64)
        return qn_error(QUERN_INVALID, "sparse table: index_bits is %u, not 32 or 64", index_bits);
    if (columns == 0 || columns > INT32_MAX || rows >= UINT32_MAX)
        return qn_error(QUERN_INVALID, "a sparse table of %llu rows and %u columns",
                        (unsigned long long)rows, columns);
    if (qn_type_bytes(type) == 0 || type == QUERN_DATETIME)
        return qn_error(QUERN_INVALID, "a sparse table holds numbers, not %s", qn_type_name(type));
    return QUERN_OK;
}

static quern_status fill_columns(quern_table *t, struct owner *o, const char *const *names,
                                 quern_type type)
{
    for (uint32_t i = 0; i < t->n_columns; i++) {
        t->columns[i] = (quern_column){.type = type, .stride = (int64_t)qn_type_bytes(type)};
        if (names == NULL) continue;
        t->columns[i].name = qn_arena_strdup(&o->names, names[i]);
        if (t->columns[i].name == NULL) return qn_error_memory("table", 0);
    }
    return QUERN_OK;
}

quern_status quern_table_from_sparse(quern_sparse_layout layout, uint64_t rows, uint32_t columns,
                                     const void *indptr, const void *indices, uint32_t index_bits,
                                     const void *data, quern_type type, const char *const *names,
                                     quern_table **out)
{
    if (out == NULL || indptr == NULL) return qn_null_argument("quern_table_from_sparse");
    *out = NULL;
    QN_TRY(check_shape(layout, rows, columns, index_bits, type));
    if (names != NULL) QN_TRY(check_names(names, columns));
    quern_table *t = qn_zalloc(1, sizeof *t);
    struct owner *o = qn_zalloc(1, sizeof *o);
    quern_column *views = qn_zalloc(columns, sizeof *views);
    if (t == NULL || o == NULL || views == NULL) {
        qn_free(t);
        qn_free(o);
        qn_free(views);
        return qn_error_memory("table", columns * sizeof *views);
    }
    *t = (quern_table){.rows = rows,
                       .n_columns = columns,
                       .columns = views,
                       .has_names = names != NULL,
                       .owner = o,
                       .release = release,
                       .sparse = &o->sparse,
                       .is_sparse = 1};
    quern_status status =
        qn_sparse_open(layout, rows, columns, indptr, indices, index_bits, data, type, &o->sparse);
    if (status == QUERN_OK) status = fill_columns(t, o, names, type);
    if (status != QUERN_OK) {
        qn_table_free(t);
        return status;
    }
    *out = t;
    return QUERN_OK;
}
