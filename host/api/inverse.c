/* SPDX-License-Identifier: Apache-2.0
 * inverse_transform of the public interface, also into the memory that the input lies in. */
#include <string.h>

#include "host/api/api.h"
#include "host/core/checked.h"
#include "host/data/sparse.h"
#include "host/pipeline/inverse.h"

/* The bytes [*low, *high) that a column's values take. */
static void column_range(const quern_column *c, uint64_t rows, uintptr_t *low, uintptr_t *high)
{
    int64_t stride = c->stride != 0 ? c->stride : (int64_t)qn_type_bytes(c->type);
    uintptr_t first = (uintptr_t)c->data, last = first + (uintptr_t)((int64_t)(rows - 1) * stride);
    *low = first < last ? first : last;
    *high = (first < last ? last : first) + qn_type_bytes(c->type);
}

/* 1 when results would overwrite values that are still to be read: input and output share memory, and
 * not cell by cell. */
static int would_overwrite(const struct quern_model *back, const struct quern_table *table,
                           const quern_matrix *out)
{
    if (table->rows == 0 || table->resident != NULL) return 0;
    const struct qn_program *p = &back->program;
    uint64_t size = qn_type_bytes(out->type);
    uintptr_t from = (uintptr_t)out->data,
              to = from + (uintptr_t)((int64_t)(out->rows - 1) * out->row_stride) +
                   (uintptr_t)(out->columns * size);
    for (uint32_t i = 0; i < p->n_slots; i++) {
        const quern_column *c = &table->columns[p->lanes[p->slots[i].lane].source];
        uintptr_t low, high;
        column_range(c, table->rows, &low, &high);
        if (high <= from || low >= to) continue;
        if (c->type != out->type || c->stride != out->row_stride ||
            (uintptr_t)c->data != from + (uintptr_t)(i * size))
            return 1;
    }
    return 0;
}

/* Into memory of its own, then over the caller's. */
static quern_status by_copy(quern_context *cx, const struct quern_model *back,
                            const quern_table *table, quern_matrix *out)
{
    quern_matrix own = {0};
    QN_TRY(qn_model_dense(cx, back, table, NULL, "inverse", &own));
    for (uint64_t row = 0; row < own.rows; row++)
        memcpy((char *)out->data + (int64_t)row * out->row_stride,
               (const char *)own.data + (int64_t)row * own.row_stride, (size_t)own.row_stride);
    quern_matrix_free(&own);
    return QUERN_OK;
}

static quern_status run(quern_context *cx, const struct quern_model *back, const quern_table *table,
                        quern_matrix *out)
{
    if (out->data == NULL) return qn_model_dense(cx, back, table, NULL, "inverse", out);
    QN_TRY(qn_matrix_check(back, table, out));
    int shared = would_overwrite(back, table, out);
    /* two views of one piece of memory are not defined on every device that uses it where it lies */
    if (cx->device != NULL && cx->device->zero_copy && table->resident == NULL)
        shared = table->rows != 0;
    return shared ? by_copy(cx, back, table, out)
                  : qn_model_dense(cx, back, table, NULL, "inverse", out);
}

quern_status quern_model_inverse_transform(quern_context *context, const quern_model *model,
                                           const quern_table *table, quern_matrix *out)
{
    struct quern_model *back;
    if (context == NULL || model == NULL || table == NULL || out == NULL)
        return qn_null_argument("quern_model_inverse_transform");
    QN_TRY(qn_refuse_sparse(table, "quern_model_inverse_transform"));
    QN_TRY(qn_inverse_make(model, table, &back));
    quern_status status = run(context, back, table, out);
    qn_model_free(back);
    return status;
}
