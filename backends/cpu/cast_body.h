/* SPDX-License-Identifier: Apache-2.0
 * n packed values of one type as another, once per instruction set (QN_SUFFIX): plain loops that the
 * compiler vectorises. What a value becomes is said in host/ops/moves.h. */
#define FN(name) QN_PASTE(name, QN_SUFFIX)

#define EACH(FROM, TO, EXPR)                                                                       \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        FROM v;                                                                                    \
        memcpy(&v, from + i * sizeof v, sizeof v);                                                 \
        TO x_ = (TO)(EXPR);                                                                        \
        memcpy(to + i * sizeof x_, &x_, sizeof x_);                                                \
    }                                                                                              \
    break

/* Integers keep their low bits, whatever their signs. */
#define INTEGER(TYPE, name)                                                                        \
    static void FN(name)(uint32_t type, uint32_t n, const char *restrict from, char *restrict to)  \
    {                                                                                              \
        switch (type) {                                                                            \
        case QN_T_BOOL: EACH(TYPE, uint8_t, v != 0);                                               \
        case QN_T_I8:                                                                              \
        case QN_T_U8: EACH(TYPE, uint8_t, v);                                                      \
        case QN_T_I16:                                                                             \
        case QN_T_U16: EACH(TYPE, uint16_t, v);                                                    \
        case QN_T_I32:                                                                             \
        case QN_T_U32: EACH(TYPE, uint32_t, v);                                                    \
        case QN_T_I64:                                                                             \
        case QN_T_U64: EACH(TYPE, uint64_t, v);                                                    \
        case QN_T_F32: EACH(TYPE, float, v);                                                       \
        default: EACH(TYPE, double, v);                                                            \
        }                                                                                          \
    }
INTEGER(int8_t, cast_i8)
INTEGER(int16_t, cast_i16)
INTEGER(int32_t, cast_i32)
INTEGER(int64_t, cast_i64)
INTEGER(uint8_t, cast_u8)
INTEGER(uint16_t, cast_u16)
INTEGER(uint32_t, cast_u32)
INTEGER(uint64_t, cast_u64)

static void FN(cast_bool)(uint32_t type, uint32_t n, const char *restrict from, char *restrict to)
{
    switch (type) {
    case QN_T_BOOL:
    case QN_T_I8:
    case QN_T_U8: EACH(uint8_t, uint8_t, v != 0);
    case QN_T_I16:
    case QN_T_U16: EACH(uint8_t, uint16_t, v != 0);
    case QN_T_I32:
    case QN_T_U32: EACH(uint8_t, uint32_t, v != 0);
    case QN_T_I64:
    case QN_T_U64: EACH(uint8_t, uint64_t, v != 0);
    case QN_T_F32: EACH(uint8_t, float, v != 0);
    default: EACH(uint8_t, double, v != 0);
    }
}

/* What fits 32 bits, and most does, is converted by vectors that know no other integers. */
#define NARROW(FROM, TO)                                                                           \
    if (narrow) {                                                                                  \
        EACH(FROM, TO, (int32_t)v);                                                                \
    }                                                                                              \
    EACH(FROM, TO, qn_store_i64((double)v))

#define FLOAT(TYPE, name)                                                                          \
    static void FN(name)(uint32_t type, uint32_t n, const char *restrict from, char *restrict to)  \
    {                                                                                              \
        int narrow = 1;                                                                            \
        if (type != QN_T_BOOL && qn_move_size(type) <= 4 && type != QN_T_F32)                      \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                TYPE v;                                                                            \
                memcpy(&v, from + i * sizeof v, sizeof v);                                         \
                narrow &= (v >= -(TYPE)0x1p31) & (v < (TYPE)0x1p31);                               \
            }                                                                                      \
        switch (type) {                                                                            \
        case QN_T_BOOL: EACH(TYPE, uint8_t, v != 0);                                               \
        case QN_T_I8:                                                                              \
        case QN_T_U8: NARROW(TYPE, uint8_t);                                                       \
        case QN_T_I16:                                                                             \
        case QN_T_U16: NARROW(TYPE, uint16_t);                                                     \
        case QN_T_I32:                                                                             \
        case QN_T_U32: NARROW(TYPE, uint32_t);                                                     \
        case QN_T_I64: EACH(TYPE, int64_t, qn_store_i64((double)v));                               \
        case QN_T_U64: EACH(TYPE, uint64_t, qn_store_u64((double)v));                              \
        case QN_T_F32: EACH(TYPE, float, qn_store_f32((float)v));                                  \
        default: EACH(TYPE, double, qn_store_f64((double)v));                                      \
        }                                                                                          \
    }
FLOAT(float, cast_f32)
FLOAT(double, cast_f64)

static qn_cast_fn *const FN(casts)[11] = {
    [QN_T_BOOL] = FN(cast_bool), [QN_T_I8] = FN(cast_i8),   [QN_T_I16] = FN(cast_i16),
    [QN_T_I32] = FN(cast_i32),   [QN_T_I64] = FN(cast_i64), [QN_T_U8] = FN(cast_u8),
    [QN_T_U16] = FN(cast_u16),   [QN_T_U32] = FN(cast_u32), [QN_T_U64] = FN(cast_u64),
    [QN_T_F32] = FN(cast_f32),   [QN_T_F64] = FN(cast_f64)};

#undef FN
#undef EACH
#undef INTEGER
#undef NARROW
#undef FLOAT
