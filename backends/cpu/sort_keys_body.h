/* SPDX-License-Identifier: Apache-2.0
 * Blocks of keys and of values for one instruction set (QN_SUFFIX). */

#define KEYS(TYPE, KEY)                                                                            \
    do {                                                                                           \
        if (stride == (int64_t)sizeof(TYPE)) {                                                     \
            for (uint64_t i = 0; i < count; i++) {                                                 \
                TYPE x;                                                                            \
                memcpy(&x, from + i * sizeof x, sizeof x);                                         \
                keys[i] = KEY;                                                                     \
            }                                                                                      \
        } else {                                                                                   \
            for (uint64_t i = 0; i < count; i++, from += stride) {                                 \
                TYPE x;                                                                            \
                memcpy(&x, from, sizeof x);                                                        \
                keys[i] = KEY;                                                                     \
            }                                                                                      \
        }                                                                                          \
        return;                                                                                    \
    } while (0)

static void QN_PASTE(keys32, QN_SUFFIX)(const struct qn_lines *lines, uint64_t line, uint64_t first,
                                        uint64_t count, uint32_t flags, uint32_t *keys)
{
    const char *from = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint32_t down = flags & QN_SORT_DESCENDING ? UINT32_MAX : 0, plus = flags & QN_SORT_PLUS_ZERO;
    uint32_t sign = down ^ 0x80000000u;
    switch (lines->type) {
    case QN_T_BOOL: KEYS(uint8_t, (uint32_t)(x != 0) ^ down);
    case QN_T_U8: KEYS(uint8_t, x ^ down);
    case QN_T_U16: KEYS(uint16_t, x ^ down);
    case QN_T_U32: KEYS(uint32_t, x ^ down);
    case QN_T_I8: KEYS(int8_t, (uint32_t)x ^ sign);
    case QN_T_I16: KEYS(int16_t, (uint32_t)x ^ sign);
    case QN_T_I32: KEYS(int32_t, (uint32_t)x ^ sign);
    default: KEYS(float, key_f32(x, plus, down));
    }
}

static void QN_PASTE(keys64, QN_SUFFIX)(const struct qn_lines *lines, uint64_t line, uint64_t first,
                                        uint64_t count, uint32_t flags, uint64_t *keys)
{
    const char *from = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint64_t down = flags & QN_SORT_DESCENDING ? UINT64_MAX : 0;
    uint64_t sign = down ^ 0x8000000000000000u;
    uint32_t plus = flags & QN_SORT_PLUS_ZERO;
    switch (lines->type) {
    case QN_T_U64: KEYS(uint64_t, x ^ down);
    case QN_T_I64: KEYS(int64_t, (uint64_t)x ^ sign);
    default: KEYS(double, key_f64(x, plus, down));
    }
}

#define VALUES(TYPE, VALUE)                                                                        \
    do {                                                                                           \
        if (stride == (int64_t)sizeof(TYPE)) {                                                     \
            for (uint64_t i = 0; i < count; i++) {                                                 \
                TYPE x = (TYPE)(VALUE);                                                            \
                memcpy(to + i * sizeof x, &x, sizeof x);                                           \
            }                                                                                      \
        } else {                                                                                   \
            for (uint64_t i = 0; i < count; i++, to += stride) {                                   \
                TYPE x = (TYPE)(VALUE);                                                            \
                memcpy(to, &x, sizeof x);                                                          \
            }                                                                                      \
        }                                                                                          \
        return;                                                                                    \
    } while (0)

static void QN_PASTE(values32, QN_SUFFIX)(const struct qn_lines *lines, uint64_t line,
                                          uint64_t first, uint64_t count, uint32_t flags,
                                          const uint32_t *keys)
{
    char *to = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint32_t down = flags & QN_SORT_DESCENDING ? UINT32_MAX : 0, sign = down ^ 0x80000000u;
    switch (lines->type) {
    case QN_T_BOOL:
    case QN_T_U8: VALUES(uint8_t, keys[i] ^ down);
    case QN_T_U16: VALUES(uint16_t, keys[i] ^ down);
    case QN_T_U32: VALUES(uint32_t, keys[i] ^ down);
    case QN_T_I8: VALUES(int8_t, keys[i] ^ sign);
    case QN_T_I16: VALUES(int16_t, keys[i] ^ sign);
    case QN_T_I32: VALUES(int32_t, keys[i] ^ sign);
    default: VALUES(float, value_f32(keys[i], down));
    }
}

static void QN_PASTE(values64, QN_SUFFIX)(const struct qn_lines *lines, uint64_t line,
                                          uint64_t first, uint64_t count, uint32_t flags,
                                          const uint64_t *keys)
{
    char *to = qn_lines_at(lines, line, first);
    int64_t stride = lines->stride;
    uint64_t down = flags & QN_SORT_DESCENDING ? UINT64_MAX : 0;
    uint64_t sign = down ^ 0x8000000000000000u;
    switch (lines->type) {
    case QN_T_U64: VALUES(uint64_t, keys[i] ^ down);
    case QN_T_I64: VALUES(int64_t, keys[i] ^ sign);
    default: VALUES(double, value_f64(keys[i], down));
    }
}

#undef KEYS
#undef VALUES
