/* SPDX-License-Identifier: Apache-2.0
 * Rows that are gathered where they lie, as doubles, moved, with what stands in for missing cells.
 * gram_body.h includes this. */

static void FILLED(floats)(const char *at, const double *shift, uint32_t n, double *out)
{
    uint32_t k = 0;
    for (; k + 8 <= n; k += 8)
        OCTET(out + k) =
            __builtin_convertvector(FLOATS(at + k * sizeof(float)), octet) - OCTET(shift + k);
    for (float x; k < n; k++) {
        memcpy(&x, at + k * sizeof x, sizeof x);
        out[k] = (double)x - shift[k];
    }
}

static void FILLED(doubles)(const char *at, const double *shift, uint32_t n, double *out)
{
    uint32_t k = 0;
    for (; k + 8 <= n; k += 8)
        OCTET(out + k) = (octet)DOUBLES(at + k * sizeof(double)) - OCTET(shift + k);
    for (double x; k < n; k++) {
        memcpy(&x, at + k * sizeof x, sizeof x);
        out[k] = x - shift[k];
    }
}

#define FILLED_COLUMN(type)                                                                        \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        type x;                                                                                    \
        memcpy(&x, at + (rows != NULL ? rows[i] : first + i) * c->stride, sizeof x);               \
        out[i * width] = (double)x - c->shift;                                                     \
    }                                                                                              \
    break

/* One column of n rows. */
static void FILLED(column)(const struct qn_filled_column *c, const uint32_t *rows, int64_t first,
                           uint32_t n, double *out, size_t width)
{
    const char *at = c->data;
    switch (c->data != NULL ? c->type : QN_T_BOOL) {
    case QN_T_F32: FILLED_COLUMN(float);
    case QN_T_F64: FILLED_COLUMN(double);
    case QN_T_I8: FILLED_COLUMN(int8_t);
    case QN_T_I16: FILLED_COLUMN(int16_t);
    case QN_T_I32: FILLED_COLUMN(int32_t);
    case QN_T_I64: FILLED_COLUMN(int64_t);
    case QN_T_U8: FILLED_COLUMN(uint8_t);
    case QN_T_U16: FILLED_COLUMN(uint16_t);
    case QN_T_U32: FILLED_COLUMN(uint32_t);
    default:
        for (uint32_t i = 0; i < n; i++) out[i * width] = 0;
    }
}

/* n rows, those of the list or from `first` on, as out[i * width]; what is behind their columns stays. */
static void FILLED(gather)(const struct filled *w, const uint32_t *rows, uint64_t first, uint32_t n,
                           double *out, size_t width)
{
    const struct qn_filled *f = w->filled;
    for (uint32_t i = 0; i < n && w->type != 0; i++) {
        uint64_t row = rows != NULL ? rows[i] : first + i;
        const char *at = (const char *)f->column->data + (int64_t)row * f->column->stride;
        if (w->type == QN_T_F32)
            FILLED(floats)(at, w->shift, f->columns, out + i * width);
        else
            FILLED(doubles)(at, w->shift, f->columns, out + i * width);
    }
    for (uint32_t k = 0; k < f->columns && w->type == 0; k++)
        FILLED(column)(&f->column[k], rows, (int64_t)first, n, out + k, width);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t row = rows != NULL ? rows[i] : first + i, end = stand_in(f, row + 1);
        for (uint64_t at = stand_in(f, row); at < end; at++)
            out[i * width + QN_STAND_IN_COLUMN(f, at)] = f->value[at];
    }
}

#undef FILLED_COLUMN
