/* SPDX-License-Identifier: Apache-2.0
 * Frames: the inputs of a layer for a run of rows, where they lie (host or device), and how a program
 * is run on them.
 *
 * A frame of layer 0 is the caller's table (on the host: its own memory, nothing copied; on a device:
 * uploaded once, or used in place) and the code columns of its raw columns. A frame of a later layer
 * holds the packed outputs of the layer before. */
#ifndef QN_FRAME_H
#define QN_FRAME_H

#include "host/device/context.h"
#include "host/ops/ops.h"
#include "host/pipeline/plan.h"

/* One input column of a layer. */
struct qn_cells {
    const void *data; /* host, or NULL when it is on the device only */
    int64_t stride;
    const uint8_t *validity;
    int64_t validity_offset;
    uint64_t offset, valid_bit; /* device: from the frame's base */
    uint64_t device_stride;
    quern_type type;
    uint32_t table_column; /* layer 0 and code columns: where it comes from                       */
    /* code columns: */
    uint32_t missing_code;
    uint64_t unknown, first_unknown; /* cells that the lookup does not know, the first such row */
};

struct qn_frame {
    uint64_t first_row, rows;
    uint32_t n_cells, n_inputs, n_encoded; /* cells: inputs, then code columns made so far */
    struct qn_cells *cells;
    void **owned; /* host memory behind cells */
    uint32_t n_owned;
    struct qn_span span;    /* device memory */
    struct qn_raw *wrapped; /* caller memory used in place */
    struct qn_view base;    /* device base; raw NULL: host frame */
    uint64_t base_used;     /* bytes of the base in use */
    int resident;           /* base belongs to a resident table, not to the frame */
    uint32_t queue;
};

/* A raw column's distinct values with the provisional code of every row, kept from the fit so that
 * the transform of the same table need not hash again. */
struct qn_raw_codes {
    struct qn_categories *set;
    uint32_t *codes; /* NULL: not kept */
};

struct qn_exec {
    struct quern_context *cx;
    struct qn_plan *plan;
    const char *step;         /* for decisions: "fit" or "transform" */
    struct qn_raw_codes *raw; /* per table column, or NULL */
    struct qn_device *device; /* NULL: the CPU does everything */
};

/* Makes the frame of layer `layer` for the rows of `table` (whose first is row first_row of the whole
 * data), through all layers before it. */
quern_status qn_frame_make(struct qn_exec *, const struct quern_table *table, uint64_t first_row,
                           uint32_t layer, uint32_t queue, struct qn_frame *out);
/* The two halves of that: the frame of layer 0, and the frame of `layer` from the one before. */
quern_status qn_frame_first(struct qn_exec *, const struct quern_table *table, uint64_t first_row,
                            uint32_t queue, struct qn_frame *out);
quern_status qn_frame_next(struct qn_exec *, const struct quern_table *table,
                           const struct qn_frame *before, uint32_t layer, struct qn_frame *out);
/* The layer got more encodings since the frame was made. */
quern_status qn_frame_extend(struct qn_exec *, const struct quern_table *, uint32_t layer,
                             struct qn_frame *);
void qn_frame_free(struct qn_exec *, struct qn_frame *);

/* Packed host memory for `rows` rows of the cells that are wanted, of frames like this one. */
quern_status qn_frame_open_taken(const struct qn_frame *like, const uint8_t *wanted, uint64_t rows,
                                 struct qn_frame *out);
/* n rows of a frame, counted from its first, to the rows from `at` on of one that was opened so. */
quern_status qn_frame_take(struct qn_exec *, const struct qn_frame *from, const uint32_t *rows,
                           uint64_t n, uint64_t at, struct qn_frame *to);

/* The operations over rows of a layer, from inputs of its frame to other inputs of it. */
quern_status qn_frame_rows(struct qn_exec *, const struct qn_layer *, struct qn_frame *);

/* A program's lanes over a frame. lanes: room for program->n_lanes +
 * program->n_operands. */
void qn_frame_batch(const struct qn_frame *, const struct qn_program *, struct qn_lane *lanes,
                    struct qn_batch *out);

/* Where a row is, for messages: "file.csv, line 7" or "row 5" (0-based, as arrays count). */
void qn_place(const struct quern_table *, uint64_t row, uint64_t first_row, char *out, size_t size);

/* Checks `seen` words of a run against what the lanes refuse; names the column and row. */
quern_status qn_frame_check(struct qn_exec *, const struct quern_table *, const struct qn_frame *,
                            uint32_t layer, const struct qn_program *, const uint32_t *seen);

/* Where the record of who ran what goes. */
quern_status qn_exec_note(struct qn_exec *, const char *operation, const struct qn_outcome *);

/* 1 for failures after which the CPU can do the work from the caller's memory: the device does not
 * offer it, has no room for it, or is gone. */
int qn_device_failed(quern_status status);
/* Asks the context's policy, with this thread's error as the reason. QUERN_OK: go on on the CPU; else
 * the device's own failure. A lost device is not asked again. */
quern_status qn_fall_back_after(struct quern_context *, const char *step, const char *operation,
                                quern_status failure);

/* QUERN_UNSUPPORTED where the table lies on a device that is not the context's. */
quern_status qn_refuse_elsewhere(const struct quern_context *, const struct quern_table *);

/* Device bytes that the used columns of `rows` rows of the table take. */
uint64_t qn_frame_bytes(const struct qn_exec *, const struct quern_table *, uint64_t rows);

#endif
