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
#ifndef ARROW_C_DEVICE_DATA_INTERFACE
#define ARROW_C_DEVICE_DATA_INTERFACE
struct ArrowDeviceArray {
    struct ArrowArray array;
    int64_t device_id;
    int32_t device_type;
    void *sync_event;
    int64_t reserved[3];
};
#endif
#ifndef ARROW_C_DEVICE_STREAM_INTERFACE
#define ARROW_C_DEVICE_STREAM_INTERFACE
struct ArrowDeviceArrayStream {
    int32_t device_type;
    int (*get_schema)(struct ArrowDeviceArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowDeviceArrayStream *, struct ArrowDeviceArray *out);
    const char *(*get_last_error)(struct ArrowDeviceArrayStream *);
    void (*release)(struct ArrowDeviceArrayStream *);
    void *private_data;
};
#endif
_Static_assert(sizeof(struct ArrowSchema) == 72, "ArrowSchema");
_Static_assert(sizeof(struct ArrowArray) == 80, "ArrowArray");
_Static_assert(sizeof(struct ArrowArrayStream) == 40, "ArrowArrayStream");

_Static_assert(sizeof(struct ArrowDeviceArray) == 128, "ArrowDeviceArray");
_Static_assert(sizeof(struct ArrowDeviceArrayStream) == 48, "ArrowDeviceArrayStream");

/* What a producer gave, until it is freed. device 0: it spoke of no device. */
struct qn_py_chunks {
    struct ArrowSchema schema;
    struct ArrowArray *arrays;
    int64_t n, room;
    int32_t device;
    void *event; /* what the arrays wait for: a pointer to the device's event */
};
enum { ARROW_CPU = 1, ARROW_CUDA = 2, ARROW_CUDA_HOST = 3, ARROW_CUDA_MANAGED = 13 };

/* A capsule that owns empty chunks, and the chunks. */
PyObject *qn_py_chunks_new(struct qn_py_chunks **);
/* obj.method(), or NULL without an exception where there is no such method. */
PyObject *qn_py_call_if_there(PyObject *object, const char *name);
struct ArrowArray *qn_py_next_chunk(struct qn_py_chunks *); /* zeroed; NULL: MemoryError */
int qn_py_arrow_released(const char *what);                 /* -1 */
int qn_py_arrow_failed(int code, const char *text);         /* -1 */
/* By __arrow_c_device_array__ or __arrow_c_device_stream__. 1: filled, 0: the object has neither. */
int qn_py_fetch_device(PyObject *object, struct qn_py_chunks *);

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
