/* SPDX-License-Identifier: Apache-2.0
 * The C data and stream interfaces of Apache Arrow, and what arrow.c and arrow_column.c share. */
#ifndef QN_PY_ARROW_H
#define QN_PY_ARROW_H

#include "core.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};
#endif
_Static_assert(sizeof(struct ArrowSchema) == 72, "ArrowSchema");
_Static_assert(sizeof(struct ArrowArray) == 80, "ArrowArray");
_Static_assert(sizeof(struct ArrowArrayStream) == 40, "ArrowArrayStream");

/* A column's values in one chunk: rows first … first + length of the array. */
struct qn_py_piece {
    const struct ArrowArray *array;
    int64_t first, length;
};
/* Makes the library's column of a column's pieces: a view of a single one where the layout allows it
 * (*viewed is set to 1), else a copy among the blocks of keep. -1: an exception. */
int qn_py_arrow_column(const struct qn_py_state *, const struct ArrowSchema *,
                       const struct qn_py_piece *, int64_t n_pieces, struct qn_py_keep *,
                       quern_column *out, int *viewed);
int qn_py_arrow_bit(const void *bits, int64_t i);

#endif
