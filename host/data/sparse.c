/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/sparse.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/memory/output.h"

static quern_status memory_error(uint64_t entries)
{
    return qn_error_memory("sparse entries", entries * 8);
}

/* ---- opening: nothing is followed before it is checked ---- */

/* One of the caller's integers; negative ones become too large for anything. */
static uint64_t integer_at(const void *array, uint32_t bits, uint64_t i)
{
    int64_t wide = bits == 64 ? ((const int64_t *)array)[i] : ((const int32_t *)array)[i];
    return wide < 0 ? UINT64_MAX : (uint64_t)wide;
}

static const char *major_name(quern_sparse_layout layout)
{
    return layout == QUERN_SPARSE_CSR ? "row" : "column";
}

static quern_status copy_pointers(struct qn_sparse_table *s, const void *indptr, uint32_t bits,
                                  uint64_t most)
{
    uint64_t n = s->entries.n, before = 0;
    uint64_t *ptr = qn_alloc((size_t)n + 1, sizeof *ptr);
    if (ptr == NULL) return memory_error(n);
    s->entries.ptr = s->entries.owned[0] = ptr;
    for (uint64_t i = 0; i <= n; i++) {
        ptr[i] = integer_at(indptr, bits, i);
        if (i == 0 ? ptr[i] != 0 : ptr[i] < before || ptr[i] - before > most)
            return qn_error(QUERN_INVALID,
                            "sparse table: indptr[%llu] is %lld; it must begin at 0, not descend, "
                            "and give no %s more entries than the %llu that it has room for",
                            (unsigned long long)i, (long long)ptr[i], major_name(s->layout),
                            (unsigned long long)most);
        before = ptr[i];
    }
    s->nnz = ptr[n];
    return QUERN_OK;
}

static quern_status take_indices(struct qn_sparse_table *s, const void *indices, uint32_t bits,
                                 uint64_t n_minor)
{
    uint32_t *copy = NULL;
    if (bits == 64) {
        copy = qn_alloc((size_t)s->nnz, sizeof *copy);
        if (copy == NULL) return memory_error(s->nnz);
        s->entries.owned[1] = copy;
    }
    for (uint64_t i = 0; i < s->nnz; i++) {
        uint64_t index = integer_at(indices, bits, i);
        if (index >= n_minor)
            return qn_error(QUERN_INVALID,
                            "sparse table: indices[%llu] is outside the matrix, "
                            "which has %llu %ss",
                            (unsigned long long)i, (unsigned long long)n_minor,
                            s->layout == QUERN_SPARSE_CSR ? "column" : "row");
        if (copy != NULL) copy[i] = (uint32_t)index;
    }
    s->entries.minor = copy != NULL ? copy : indices;
    return QUERN_OK;
}

static int ascends(const struct qn_compressed *c)
{
    for (uint64_t m = 0; m < c->n; m++)
        for (uint64_t i = c->ptr[m] + 1; i < c->ptr[m + 1]; i++)
            if (c->minor[i] <= c->minor[i - 1]) return 0;
    return 1;
}

/* Entries of one major in any order: the last major that had each minor tells of duplicates. */
static quern_status refuse_duplicates(const struct qn_sparse_table *s, uint64_t n_minor)
{
    const struct qn_compressed *c = &s->entries;
    uint64_t *last = qn_zalloc((size_t)n_minor, sizeof *last);
    if (last == NULL) return memory_error(n_minor);
    for (uint64_t m = 0; m < c->n; m++)
        for (uint64_t i = c->ptr[m]; i < c->ptr[m + 1]; i++) {
            uint32_t minor = c->minor[i];
            int twice = last[minor] == m + 1;
            last[minor] = m + 1;
            if (!twice) continue;
            int csr = s->layout == QUERN_SPARSE_CSR;
            qn_free(last);
            return qn_error(
                QUERN_INVALID,
                "sparse table: row %llu, column %llu is stored twice; sum duplicates first",
                (unsigned long long)(csr ? m : minor), (unsigned long long)(csr ? minor : m));
        }
    qn_free(last);
    return QUERN_OK;
}

quern_status qn_sparse_open(quern_sparse_layout layout, uint64_t rows, uint32_t columns,
                            const void *indptr, const void *indices, uint32_t index_bits,
                            const void *data, quern_type type, struct qn_sparse_table *out)
{
    quern_status status = QUERN_OK;
    int csr = layout == QUERN_SPARSE_CSR;
    uint64_t n_minor = csr ? columns : rows;
    *out = (struct qn_sparse_table){.layout = layout, .type = type};
    out->entries.n = csr ? rows : columns;
    out->entries.values = data;
    out->entries.stride = (uint32_t)qn_type_bytes(type);
    QN_GO(copy_pointers(out, indptr, index_bits, n_minor));
    if (out->nnz != 0 && (indices == NULL || data == NULL)) {
        status = qn_error(QUERN_INVALID, "sparse table: %s is NULL",
                          indices == NULL ? "indices" : "data");
        goto cleanup;
    }
    QN_GO(take_indices(out, indices, index_bits, n_minor));
    out->entries.sorted = ascends(&out->entries);
    if (!out->entries.sorted) QN_GO(refuse_duplicates(out, n_minor));
    return QUERN_OK;
cleanup:
    qn_sparse_close(out);
    return status;
}

void qn_sparse_close(struct qn_sparse_table *s)
{
    qn_compressed_free(&s->entries);
}

quern_status qn_refuse_sparse(const struct quern_table *table, const char *function)
{
    if (table->sparse == NULL) return QUERN_OK;
    return qn_error(QUERN_UNSUPPORTED, "%s takes no sparse table", function);
}

/* ---- grouping by the other side ---- */

void qn_compressed_free(struct qn_compressed *c)
{
    for (int i = 0; i < 3; i++) qn_output_free(c->owned[i]);
    memset(c, 0, sizeof *c);
}

static void copy_value(char *to, const char *from, uint32_t bytes)
{
    switch (bytes) { /* constant sizes become one move */
    case 8: memcpy(to, from, 8); break;
    case 4: memcpy(to, from, 4); break;
    case 2: memcpy(to, from, 2); break;
    default: *to = *from;
    }
}

/* How many entries each minor gets, as the places where they begin. */
static void count_minors(const struct qn_compressed *c, const uint32_t *majors, uint64_t n_majors,
                         uint64_t n_minor, uint64_t *ptr)
{
    memset(ptr, 0, ((size_t)n_minor + 1) * sizeof *ptr);
    for (uint64_t k = 0; k < n_majors; k++) {
        uint64_t m = majors != NULL ? majors[k] : k;
        if (m == UINT32_MAX) continue;
        for (uint64_t i = c->ptr[m]; i < c->ptr[m + 1]; i++) ptr[c->minor[i] + 1]++;
    }
    for (uint64_t i = 0; i < n_minor; i++) ptr[i + 1] += ptr[i];
}

/* Majors are visited in order, so every minor's entries come out sorted. ptr[m] moves on to where the
 * minor's entries end, which is where those of the next begin. */
static void scatter(const struct qn_compressed *c, const uint32_t *majors, uint64_t n_majors,
                    uint64_t *ptr, uint32_t *minor, char *values)
{
    for (uint64_t k = 0; k < n_majors; k++) {
        uint64_t m = majors != NULL ? majors[k] : k;
        if (m == UINT32_MAX) continue;
        for (uint64_t i = c->ptr[m]; i < c->ptr[m + 1]; i++) {
            uint64_t at = ptr[c->minor[i]]++;
            minor[at] = (uint32_t)k;
            copy_value(values + at * c->stride, c->values + i * c->stride, c->stride);
        }
    }
}

quern_status qn_compressed_transpose(const struct qn_compressed *c, const uint32_t *majors,
                                     uint64_t n_majors, uint64_t n_minor, struct qn_compressed *out)
{
    size_t room;
    memset(out, 0, sizeof *out);
    if (n_minor > SIZE_MAX / sizeof(uint64_t) - 2) return memory_error(n_minor);
    uint64_t *ptr = qn_alloc((size_t)n_minor + 1, sizeof *ptr);
    if (ptr == NULL) return memory_error(n_minor);
    count_minors(c, majors, n_majors, n_minor, ptr);
    uint64_t nnz = ptr[n_minor];
    uint32_t *minor = qn_alloc((size_t)nnz, sizeof *minor);
    char *values = qn_mul_size((size_t)nnz, c->stride, &room) ? NULL : qn_alloc_aligned(room, 1);
    if (minor == NULL || values == NULL) {
        qn_free(ptr);
        qn_free(minor);
        qn_free(values);
        return memory_error(nnz);
    }
    scatter(c, majors, n_majors, ptr, minor, values);
    memmove(ptr + 1, ptr, (size_t)n_minor * sizeof *ptr);
    ptr[0] = 0;
    *out = (struct qn_compressed){.n = n_minor,
                                  .ptr = ptr,
                                  .minor = minor,
                                  .values = values,
                                  .stride = c->stride,
                                  .sorted = 1,
                                  .owned = {ptr, minor, values}};
    return QUERN_OK;
}

quern_status qn_compressed_sort(struct qn_compressed *c, uint64_t n_minor)
{
    struct qn_compressed other, sorted;
    if (c->sorted) return QUERN_OK;
    QN_TRY(qn_compressed_transpose(c, NULL, c->n, n_minor, &other));
    quern_status status = qn_compressed_transpose(&other, NULL, n_minor, c->n, &sorted);
    qn_compressed_free(&other);
    QN_TRY(status);
    qn_compressed_free(c);
    *c = sorted;
    return QUERN_OK;
}

static struct qn_compressed borrowed(const struct qn_compressed *c)
{
    struct qn_compressed view = *c;
    memset(view.owned, 0, sizeof view.owned);
    return view;
}

quern_status qn_sparse_by_columns(const struct quern_table *table, struct qn_compressed *out)
{
    const struct qn_sparse_table *s = table->sparse;
    if (s->entries.sorted) {
        *out = borrowed(&s->entries);
        return QUERN_OK;
    }
    *out = borrowed(&s->entries);
    return qn_compressed_sort(out, table->rows);
}

quern_status qn_sparse_by_rows(const struct quern_table *table, const uint32_t *at, uint32_t n,
                               struct qn_compressed *out)
{
    const struct qn_sparse_table *s = table->sparse;
    if (s->layout == QUERN_SPARSE_CSC)
        return qn_compressed_transpose(&s->entries, at, n, table->rows, out);
    uint32_t same = 0;
    while (same < n && at[same] == same) same++;
    if (s->entries.sorted && same == n && n == table->n_columns) {
        *out = borrowed(&s->entries);
        return QUERN_OK;
    }
    struct qn_compressed columns;
    QN_TRY(qn_compressed_transpose(&s->entries, NULL, table->rows, table->n_columns, &columns));
    quern_status status = qn_compressed_transpose(&columns, at, n, table->rows, out);
    qn_compressed_free(&columns);
    return status;
}
