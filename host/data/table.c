/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/table.h"

#include <math.h>
#include <string.h>

#include "host/core/checked.h"

void qn_table_free(struct quern_table *table)
{
    if (table == NULL) return;
    if (table->release != NULL) table->release(table->owner);
    qn_free(table->columns);
    qn_free(table);
}

#include "host/data/resident.h"

size_t qn_type_bytes(quern_type type)
{
    switch (type) {
#define QN_BYTES(name, value, bytes, text)                                                         \
    case QUERN_##name: return bytes;
        QUERN_TYPE_MAP(QN_BYTES) /* NOLINT(bugprone-branch-clone): some types are of one width */
#undef QN_BYTES
    }
    return 0;
}

const char *qn_type_name(quern_type type)
{
    switch (type) {
#define QN_TYPE_NAME(name, value, bytes, text)                                                     \
    case QUERN_##name: return text;
        QUERN_TYPE_MAP(QN_TYPE_NAME)
#undef QN_TYPE_NAME
    }
    return "unknown";
}

int qn_type_is_integer(quern_type type)
{
    return type >= QUERN_INT8 && type <= QUERN_UINT64;
}

int qn_type_is_float(quern_type type)
{
    return type == QUERN_FLOAT32 || type == QUERN_FLOAT64;
}

int qn_type_is_number(quern_type type)
{
    return qn_type_is_integer(type) || qn_type_is_float(type);
}

double qn_column_number(const quern_column *c, uint64_t row)
{
    int64_t stride = c->stride != 0 ? c->stride : (int64_t)qn_type_bytes(c->type);
    const char *at = (const char *)c->data + (int64_t)row * stride;
    if (!qn_column_valid(c, row)) return (double)NAN;
    switch (c->type) {
#define QN_READ(name, type)                                                                        \
    case QUERN_##name: {                                                                           \
        type value;                                                                                \
        memcpy(&value, at, sizeof value);                                                          \
        return (double)value;                                                                      \
    }
        QN_READ(INT8, int8_t)
        QN_READ(INT16, int16_t)
        QN_READ(INT32, int32_t)
        QN_READ(INT64, int64_t)
        QN_READ(UINT8, uint8_t)
        QN_READ(UINT16, uint16_t)
        QN_READ(UINT32, uint32_t)
        QN_READ(UINT64, uint64_t)
        QN_READ(FLOAT32, float)
        QN_READ(FLOAT64, double)
#undef QN_READ
    case QUERN_BOOL: return *at != 0;
    default: return 0;
    }
}

const struct qn_resident *qn_table_resident(const struct quern_table *table)
{
    return table->resident;
}
