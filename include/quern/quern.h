/* SPDX-License-Identifier: Apache-2.0
 *
 * quern: raw tables in, model-ready features out, on a CUDA GPU, an OpenCL device or the CPU.
 *
 * This header and quern/array.h, which has operations on arrays (sorting, searching), are the whole
 * public interface and are meant to be read from top to bottom.
 *
 *   1  status and errors          what went wrong, in one sentence
 *   2  types, columns, tables     how quern sees the caller's memory (it borrows, it does not copy)
 *   3  devices and contexts       where work runs, and by which rules
 *   4  estimators and pipelines   what is to be learned and applied
 *   5  models                     what was learned: transform, save, load, serve one row
 *   6  files                      CSV, NPY and NPZ in and out
 *   7  memory                     pools, buffers, device-resident tables
 *   8  ledger and decisions       what moved, what ran, where, and why
 *
 * Conventions. Functions return a quern_status; QUERN_OK is 0. On failure outputs are untouched or
 * NULL, the library stays usable, and quern_last_error() holds the sentence for this thread.
 * Objects are opaque and freed by the function named `_free` or `_close` beside them; NULL is
 * accepted there. Structs that may grow start with `struct_size`: set it to sizeof, zero the rest;
 * zero means "the default". Thread classes: a context is used by one thread at a time; a model is
 * read-only once made and may be shared by any number of threads; everything else is externally
 * synchronised.
 */
#ifndef QUERN_H
#define QUERN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(QUERN_STATIC)
#define QUERN_API
#elif defined(_WIN32)
#define QUERN_API __declspec(dllimport)
#elif defined(__GNUC__)
#define QUERN_API __attribute__((visibility("default")))
#else
#define QUERN_API
#endif

#define QUERN_VERSION_MAJOR 0
#define QUERN_VERSION_MINOR 1
#define QUERN_VERSION_PATCH 0
#define QUERN_VERSION_STRING "0.1.0"

/* ---- 1  status and errors ------------------------------------------------------------------- */

/* One list gives the enumeration, the names and the sentences. */
#define QUERN_STATUS_MAP(X)                                                                        \
    X(OK, 0, "no error")                                                                           \
    X(INVALID, 1, "invalid argument")                                                              \
    X(UNSUPPORTED, 2, "not supported here")                                                        \
    X(OUT_OF_MEMORY, 3, "out of memory")                                                           \
    X(NO_DEVICE, 4, "no such device on this machine")                                              \
    X(DEVICE_LOST, 5, "the device was lost")                                                       \
    X(CORRUPT, 6, "corrupt input")                                                                 \
    X(IO, 7, "input or output failed")                                                             \
    X(COMPILE, 8, "a kernel was rejected by the device's compiler")                                \
    X(BUSY, 9, "the object still has work or children")                                            \
    X(CANCELLED, 10, "cancelled by the caller")                                                    \
    X(INTERNAL, 11, "internal error")

typedef enum quern_status {
#define QUERN_STATUS_ENUM(name, value, text) QUERN_##name = value,
    QUERN_STATUS_MAP(QUERN_STATUS_ENUM)
#undef QUERN_STATUS_ENUM
} quern_status;

/* The version of the library that is running, "0.1.0". Any thread. */
QUERN_API const char *quern_version(void);
/* "OUT_OF_MEMORY", and "out of memory". Never NULL. Any thread. */
QUERN_API const char *quern_status_name(quern_status status);
QUERN_API const char *quern_status_text(quern_status status);
/* The sentence of this thread's last failed call; "" if none failed. Valid until the thread's next
 * call into quern. */
QUERN_API const char *quern_last_error(void);

/* ---- 2  types, columns, tables -------------------------------------------------------------- */

/* Value types. X(name, value, bytes, NumPy's name). STRING is UTF-8 with Arrow offsets; DATETIME is
 * int64 microseconds since 1970-01-01 with no time zone; BOOL is one byte, 0 or 1. */
#define QUERN_TYPE_MAP(X)                                                                          \
    X(BOOL, 0, 1, "bool")                                                                          \
    X(INT8, 1, 1, "int8")                                                                          \
    X(INT16, 2, 2, "int16")                                                                        \
    X(INT32, 3, 4, "int32")                                                                        \
    X(INT64, 4, 8, "int64")                                                                        \
    X(UINT8, 5, 1, "uint8")                                                                        \
    X(UINT16, 6, 2, "uint16")                                                                      \
    X(UINT32, 7, 4, "uint32")                                                                      \
    X(UINT64, 8, 8, "uint64")                                                                      \
    X(FLOAT32, 9, 4, "float32")                                                                    \
    X(FLOAT64, 10, 8, "float64")                                                                   \
    X(STRING, 11, 0, "string")                                                                     \
    X(DATETIME, 12, 8, "datetime")

typedef enum quern_type {
#define QUERN_TYPE_ENUM(name, value, bytes, text) QUERN_##name = value,
    QUERN_TYPE_MAP(QUERN_TYPE_ENUM)
#undef QUERN_TYPE_ENUM
} quern_type;

/* A view of one column. Memory stays the caller's and must outlive every use.
 * Missing values: NaN in float columns, a cleared bit of `validity` in any column. */
typedef struct quern_column {
    const char *name; /* UTF-8; NULL in a table without names                              */
    quern_type type;
    uint32_t offset_bits;    /* STRING: 32 or 64                                                  */
    const void *data;        /* values; STRING: the bytes that offsets point into                 */
    int64_t stride;          /* bytes from one value to the next; 0: packed. Ignored for STRING   */
    const void *offsets;     /* STRING: rows + 1 offsets, not descending                          */
    const uint8_t *validity; /* Arrow's bitmap, least significant bit first, 1 = present; or NULL */
    int64_t validity_offset; /* first bit of row 0                                                */
} quern_column;

typedef struct quern_table quern_table;

/* Makes a table of views. columns is copied, what it points at is borrowed and must outlive the
 * table. Names are all given or all NULL, and UTF-8. Errors: INVALID. */
QUERN_API quern_status quern_table_create(const quern_column *columns, uint32_t n_columns,
                                          uint64_t rows, quern_table **out);
/* A view of a row-major n × d matrix of one number type; row_stride in bytes, 0: d packed values.
 * names: d strings, or NULL (columns are then x0, x1, …). */
QUERN_API quern_status quern_table_from_matrix(const void *data, quern_type type, uint64_t rows,
                                               uint32_t columns, int64_t row_stride,
                                               const char *const *names, quern_table **out);
/* A view of a sparse matrix, compressed by rows or by columns. indptr (rows + 1 or columns + 1, from 0)
 * and indices are both of index_bits 32 or 64, signed; data holds a number type. Within a row (column)
 * indices may come in any order, but none twice. What is not stored is 0: fits count it, and transforms
 * keep it without storing it. Estimators that would fill it (centering, MinMaxScaler, encoders, a negative
 * threshold) refuse, as scikit-learn's do. All memory is borrowed; names as for a matrix. Checked here,
 * before anything is followed: INVALID. At most 2^32 - 2 rows and 2^31 - 1 columns. */
typedef enum quern_sparse_layout { QUERN_SPARSE_CSR = 0, QUERN_SPARSE_CSC = 1 } quern_sparse_layout;
QUERN_API quern_status quern_table_from_sparse(quern_sparse_layout layout, uint64_t rows,
                                               uint32_t columns, const void *indptr,
                                               const void *indices, uint32_t index_bits,
                                               const void *data, quern_type type,
                                               const char *const *names, quern_table **out);
/* What each row counts in fits of this table, for estimators that learn with weights: StandardScaler,
 * KBinsDiscretizer and SplineTransformer, as scikit-learn's sample_weight; the others do not look at them.
 * One finite number per row, 0 or more, borrowed for as long as the table has them; NULL removes them. A
 * row of weight 0 teaches nothing; a fit whose weights are all 0 is INVALID. The key `weight` of a spec
 * names a column with the same meaning; a fit takes one or the other. Copies by quern_table_upload borrow
 * them too. Errors: INVALID, with the row. */
QUERN_API quern_status quern_table_set_weights(quern_table *table, const double *weights);
/* What estimators whose `random_state` is null draw rows with (`subsample` of KBinsDiscretizer and
 * QuantileTransformer) instead of a generator with the seed 0: the state of a Mersenne Twister as NumPy's
 * RandomState has it, 624 words and how many of them have been used. 625 words, borrowed for as long as the
 * table has them; NULL removes them. A fit that draws moves the state on as NumPy would: one fit at a time.
 * Estimators draw one after the other, in the order of the spec. Copies by quern_table_upload borrow it too.
 * Errors: INVALID where the last word is above 624. */
QUERN_API quern_status quern_table_set_random_state(quern_table *table, uint32_t *state);
/* What supervised estimators (SelectKBest and its kin) are to tell from the columns: a column beside the
 * table, as long as it, in host memory, borrowed for as long as the table has it; NULL removes it. Its name
 * does not matter. No cell may be missing: a fit says which is. The key `target` of a spec names a column
 * with the same meaning; a fit takes one or the other. Chunks of quern_fit_push have theirs in a column.
 * Copies by quern_table_upload borrow it too. */
QUERN_API quern_status quern_table_set_target(quern_table *table, const quern_column *target);
QUERN_API void quern_table_free(quern_table *table);
QUERN_API uint64_t quern_table_rows(const quern_table *table);
QUERN_API uint32_t quern_table_columns(const quern_table *table);
/* The view of column i; valid as long as the table. NULL when i is out of range. Columns of sparse tables
 * have a name and a type, and data NULL. */
QUERN_API const quern_column *quern_table_column(const quern_table *table, uint32_t i);

/* ---- 3  devices and contexts ---------------------------------------------------------------- */

typedef struct quern_context quern_context;

/* One line of the list of devices. A backend that is not there is listed too, with the reason. */
typedef struct quern_device_info {
    uint32_t struct_size;
    int present;         /* 0: absent, `reason` says why in the loader's own words            */
    const char *id;      /* "cpu", "opencl:0", "cuda:1"; absent: "cuda"                        */
    const char *backend; /* "cpu", "opencl", "cuda"                                           */
    const char *name, *driver, *reason,
        *same_as; /* never NULL; same_as: the id of the same hardware */
    uint64_t memory_total, memory_free,
        max_alloc; /* bytes; memory_free UINT64_MAX: not known     */
    uint32_t compute_units, compute;
    int float64, zero_copy, pinned;
    const char
        *notes; /* never NULL: what the driver says of the libraries it found or missed, and of
                          the environment, a line each                                             */
} quern_device_info;

/* What happens when the context's device cannot do a step. */
typedef enum quern_fallback {
    QUERN_FALLBACK_REPORT = 0, /* the CPU does it; recorded and logged */
    QUERN_FALLBACK_NEVER = 1,  /* QUERN_UNSUPPORTED, with the reason */
    QUERN_FALLBACK_QUIET = 2   /* the CPU does it; recorded */
} quern_fallback;

typedef enum quern_log_level {
    QUERN_LOG_ERROR,
    QUERN_LOG_WARNING,
    QUERN_LOG_INFO,
    QUERN_LOG_DEBUG
} quern_log_level;

/* Called from the thread that uses the context. */
typedef void quern_log_fn(void *user, quern_log_level level, const char *text);
typedef void quern_progress_fn(void *user, const char *stage, uint64_t done, uint64_t total);
typedef int quern_cancel_fn(void *user); /* nonzero: stop; the call returns QUERN_CANCELLED */

typedef struct quern_context_config {
    uint32_t struct_size;
    uint32_t threads; /* 0: QUERN_NUM_THREADS, OMP_NUM_THREADS, else what the cgroup gives       */
    const char *device; /* "auto", "cpu", "cuda:0", "opencl:1", "opencl:pocl"; NULL: QUERN_DEVICE,
                           else auto                                                               */
    quern_fallback fallback;
    int no_zero_copy;    /* 1: copy even where a device could use the caller's memory in place  */
    uint64_t max_memory; /* bytes of host memory for a run; 0: no limit                         */
    uint64_t
        device_memory;     /* the pool's limit in bytes; 0: none                                  */
    const char *cache_dir; /* compiled kernels; NULL: QUERN_CACHE_DIR, else ~/.cache/quern; "off" */
    int device_times;      /* 1: measure kernels with device events: ledger.kernel_ns             */
    quern_log_fn *log;
    quern_progress_fn *progress;
    quern_cancel_fn *cancel;
    void *user;
} quern_context_config;

/* Opens a device. config NULL: all defaults. A named device that is absent: NO_DEVICE. */
QUERN_API quern_status quern_context_open(const quern_context_config *config, quern_context **out);
/* BUSY while buffers or resident tables of it exist. */
QUERN_API quern_status quern_context_close(quern_context *context);
/* Changes the callbacks' user pointer and what they are. */
QUERN_API void quern_context_callbacks(quern_context *context, quern_log_fn *log,
                                       quern_progress_fn *progress, quern_cancel_fn *cancel,
                                       void *user);
QUERN_API const char *quern_context_device(const quern_context *context); /* "cuda:0" */
QUERN_API const char *quern_context_reason(const quern_context *context); /* why this device */
QUERN_API uint32_t quern_context_threads(const quern_context *context);
/* Every device of the machine. infos (room entries) is filled; *count is how many there are. The
 * texts live as long as the context. */
QUERN_API quern_status quern_context_devices(quern_context *context, quern_device_info *infos,
                                             uint32_t room, uint32_t *count);

/* ---- 4  estimators and pipelines ------------------------------------------------------------ */

/* The table of estimators as JSON (docs/schemas/list.json); freed by quern_free. Any thread. */
QUERN_API quern_status quern_estimators_json(char **json);

typedef struct quern_pipeline quern_pipeline;

/* From a spec (docs/spec.md). name is for messages. */
QUERN_API quern_status quern_pipeline_from_spec(const char *name, const char *json, size_t bytes,
                                                quern_pipeline **out);
QUERN_API quern_status quern_pipeline_from_file(const char *path, quern_pipeline **out);
/* By calls: an empty pipeline to which steps are added. */
QUERN_API quern_status quern_pipeline_create(quern_pipeline **out);
/* Adds a step. columns: names, or NULL for all columns. `apply` alternates estimator names and their
 * parameters as JSON objects (NULL or "": defaults); n_apply counts the estimators.
 *   const char *apply[] = {"SimpleImputer", "{\"strategy\": \"median\"}", "StandardScaler", NULL};
 * Errors: INVALID, with the nearest valid word. */
QUERN_API quern_status quern_pipeline_add(quern_pipeline *pipeline, const char *step_name,
                                          const char *const *columns, uint32_t n_columns,
                                          const char *const *apply, uint32_t n_apply);
/* remainder: "drop" or "passthrough"; output_dtype: NULL for NumPy's joint dtype. */
QUERN_API quern_status quern_pipeline_options(quern_pipeline *pipeline, const char *remainder,
                                              const char *output_dtype);
/* The pipeline as a spec; freed by quern_free. */
QUERN_API quern_status quern_pipeline_spec(const quern_pipeline *pipeline, char **json);
QUERN_API void quern_pipeline_free(quern_pipeline *pipeline);
QUERN_API void
quern_free(void *memory); /* what a call of this library handed over as plain memory */

/* ---- 5  models ------------------------------------------------------------------------------ */

typedef struct quern_model quern_model;

/* A dense n × d row-major result. data NULL and rows 0 before a call that owns its output. */
typedef struct quern_matrix {
    void *data;
    quern_type type;
    uint64_t rows;
    uint32_t columns;
    int64_t row_stride; /* bytes */
    int owned;          /* 1: freed by quern_matrix_free */
} quern_matrix;
/* Compressed sparse rows, owned. Of a sparse table: what it stores is stored here, zeros too, but for the
 * zeros of a Binarizer. */
typedef struct quern_csr {
    uint64_t rows, columns, nnz;
    int64_t *indptr;  /* rows + 1 */
    int32_t *indices; /* nnz, ascending in each row */
    void *data;       /* nnz */
    quern_type type;
} quern_csr;
QUERN_API void quern_matrix_free(quern_matrix *matrix);
QUERN_API void quern_csr_free(quern_csr *csr);

/* Learns from the table. The pipeline may be used again. */
QUERN_API quern_status quern_pipeline_fit(quern_context *context, const quern_pipeline *pipeline,
                                          const quern_table *table, quern_model **out);
/* Learns and transforms; data crosses to a device once. out->data NULL: made and owned; else
 * out->data has room for rows × row_stride bytes of out->type, which must be the output's. A sparse
 * result is asked for by csr instead of out (the other is NULL). */
QUERN_API quern_status quern_pipeline_fit_transform(quern_context *context,
                                                    const quern_pipeline *pipeline,
                                                    const quern_table *table, quern_matrix *out,
                                                    quern_csr *csr, quern_model **model);
/* Fits a text file that may be larger than memory, in passes over the file. */
QUERN_API quern_status quern_pipeline_fit_file(quern_context *context,
                                               const quern_pipeline *pipeline, const char *path,
                                               quern_model **out);

/* Fits chunk by chunk. The result has the bits of one fit of all rows, however they are cut, weighted
 * ones too. Where each column has at most one StandardScaler, MinMaxScaler or MaxAbsScaler, with nothing
 * but passthrough before it and nothing after it and in `then` but what learns nothing (Binarizer,
 * Normalizer, PolynomialFeatures), statistics are kept and not rows: memory does not grow, and pushing a
 * few rows takes about a microsecond. These statistics are taken on the CPU, whatever the context's device
 * is. Any other pipeline can be fitted as well, but chunks are copied and kept until finish; for data
 * larger than memory use quern_pipeline_fit_file. */
typedef struct quern_fit quern_fit;
QUERN_API quern_status quern_fit_begin(quern_context *context, const quern_pipeline *pipeline,
                                       quern_fit **out);
/* The next rows. The first chunk's columns, and whether it has weights, hold for all: another one is
 * INVALID, and the fit goes on without its rows. After any other failure the fit can only be
 * cancelled. */
QUERN_API quern_status quern_fit_push(quern_fit *fit, const quern_table *chunk);
/* The model of the rows so far; the fit goes on. */
QUERN_API quern_status quern_fit_snapshot(quern_fit *fit, quern_model **out);
QUERN_API quern_status quern_fit_finish(quern_fit *fit, quern_model **out); /* frees fit */
QUERN_API void quern_fit_cancel(quern_fit *fit);
/* What was learned so far as bytes (docs/fit-state.md), freed by quern_free; equal rows give equal bytes,
 * however they were cut. UNSUPPORTED, with the estimator that is in the way, where rows are kept. The fit
 * that is made of the bytes goes on where the other stood. name is for messages. Bytes are hostile
 * input: CORRUPT, with the offset and the reason. */
QUERN_API quern_status quern_fit_to_bytes(const quern_fit *fit, void **bytes, size_t *size);
QUERN_API quern_status quern_fit_from_bytes(quern_context *context, const char *name,
                                            const void *bytes, size_t size, quern_fit **out);

/* Transforms the table's rows; also chunk by chunk, since rows do not depend on each other. As
 * quern_pipeline_fit_transform for out and csr. */
QUERN_API quern_status quern_model_transform(quern_context *context, const quern_model *model,
                                             const quern_table *table, quern_matrix *out,
                                             quern_csr *csr);

/* The way back, as scikit-learn's inverse_transform: estimators undone, last first, in scikit-learn's
 * arithmetic. table: one number column per output of the model, by position; NaN stays. The result has
 * the input columns that the model's steps take, in the order of its input, in the dtype that NumPy
 * would give; what clip cut off stays lost. out as for a transform; out->data may be the table's own
 * memory, also where rows or columns lie elsewhere in it. Errors: UNSUPPORTED with the name of an
 * estimator that has no way back (all but the scalers and passthrough), or of a column that two steps
 * take. */
QUERN_API quern_status quern_model_inverse_transform(quern_context *context,
                                                     const quern_model *model,
                                                     const quern_table *table, quern_matrix *out);

QUERN_API quern_status quern_model_save(const quern_model *model, const char *path);
QUERN_API quern_status quern_model_load(const char *path, quern_model **out);
QUERN_API quern_status quern_model_to_bytes(const quern_model *model, void **bytes, size_t *size);
QUERN_API quern_status quern_model_from_bytes(const char *name, const void *bytes, size_t size,
                                              quern_model **out);
/* What was learned: the tensors of the model file (docs/model-format.md), under the names and in the
 * order that they have there ("steps/0/1/mean_"). Each is `count` values of FLOAT64, INT64 or UINT8; it
 * and its name live until fn returns. A status other than OK stops, and is returned. Any thread. */
typedef struct quern_tensor {
    const char *name;
    quern_type type;
    uint64_t count;
    const void *data;
    uint64_t columns; /* of a matrix, which lies row after row; 0: a list                         */
} quern_tensor;
typedef quern_status quern_tensor_fn(void *user, const quern_tensor *tensor);
QUERN_API quern_status quern_model_tensors(const quern_model *model, quern_tensor_fn *fn,
                                           void *user);
QUERN_API void quern_model_free(quern_model *model);

QUERN_API uint32_t quern_model_inputs(const quern_model *model);
QUERN_API const char *quern_model_input_name(const quern_model *model, uint32_t i);
QUERN_API quern_type quern_model_input_type(const quern_model *model, uint32_t i);
QUERN_API uint32_t quern_model_outputs(const quern_model *model);
QUERN_API const char *quern_model_output_name(const quern_model *model, uint32_t i);
/* The output matrix's type; STRING when string columns pass through (no matrix then). */
QUERN_API quern_type quern_model_output_type(const quern_model *model);
/* 1 when scikit-learn would give a sparse matrix (output.sparse, sparse_threshold). */
QUERN_API int quern_model_is_sparse(const quern_model *model);
/* How often a fit of the model's rows goes over them when they are dense and in memory, and how often a
 * transform does. Over a file in chunks order statistics take more walks (quern_job_info), of a sparse table
 * fewer. */
typedef struct quern_passes {
    uint32_t struct_size;
    int fit_known; /* 0: the model's file does not say; `fit` is 0 then */
    uint32_t fit, transform;
} quern_passes;
QUERN_API quern_status quern_model_passes(const quern_model *model, quern_passes *out);
/* Everything about the model as JSON (docs/schemas/inspect.json); freed by quern_free. */
QUERN_API quern_status quern_model_inspect(const quern_model *model, char **json);

/* One row at a time, for serving: no lock, no allocation, any number of threads per server. */
typedef struct quern_server quern_server;
typedef struct quern_cell {
    double number;   /* number columns; NaN: missing. Integers beyond 2^53: use `integer`         */
    int64_t integer; /* integer and datetime columns, when is_integer is 1                        */
    const char
        *text; /* string columns; NULL: missing                                             */
    uint64_t bytes;
    int is_integer;
} quern_cell;
QUERN_API quern_status quern_server_open(const quern_model *model, quern_server **out);
/* cells: one per input column; out: one value of the output type per output column. The same bits as
 * quern_model_transform. Errors: INVALID (unknown category, missing value, infinity). */
QUERN_API quern_status quern_server_row(const quern_server *server, const quern_cell *cells,
                                        void *out);
QUERN_API void quern_server_close(quern_server *server);

/* ---- 6  files ------------------------------------------------------------------------------- */

/* Reads .csv, .tsv (also .gz, .zst; "-" is standard input) with the pipeline's input options, or
 * .npy. pipeline NULL: all defaults. The context gives the threads. */
QUERN_API quern_status quern_table_read(quern_context *context, const quern_pipeline *pipeline,
                                        const char *path, quern_table **out);
/* The same with the names and types of a model, never inferred again. */
QUERN_API quern_status quern_table_read_for(quern_context *context, const quern_model *model,
                                            const char *path, quern_table **out);
/* From file to file: what the command line does. */
typedef struct quern_job {
    uint32_t struct_size;
    const char *input;  /* as quern_table_read */
    const char *output; /* .npy, .npz (CSR), .csv, "-" (CSV on standard output), or NULL: nothing */
    const char *model;  /* where a fit saves the model, or NULL */
    const char *names;  /* JSON of output names and dtypes, or NULL */
    int no_transform;   /* 1: fit only */
} quern_job;
typedef struct quern_job_info {
    uint32_t struct_size;
    uint64_t rows;
    uint32_t input_columns, output_columns;
    quern_type output_type;
    int sparse, streamed;    /* streamed: in passes over the file, within max_memory */
    uint32_t planned_passes; /* over the file, inference included; known before the work starts */
    uint32_t passes;         /* made */
    /* Where the time went; when streamed, reading is inside the others. */
    uint64_t read_ns, fit_ns, transform_ns, write_ns;
    uint64_t nnz; /* .npz */
} quern_job_info;
/* Fits the pipeline to the input, transforms it, writes output and model. Within max_memory of the
 * context a text file is read in passes. Files appear complete or not at all. info may be NULL;
 * model, if not NULL, gets the fitted model. Errors name the file, line and column. */
QUERN_API quern_status quern_run(quern_context *context, const quern_pipeline *pipeline,
                                 const quern_job *job, quern_job_info *info, quern_model **model);
/* The same with a fitted model; job->model is not used. */
QUERN_API quern_status quern_apply(quern_context *context, const quern_model *model,
                                   const quern_job *job, quern_job_info *info);
/* What quern_run would do with the file, as JSON (docs/schemas/plan.json): the passes over it and over its
 * rows, found by fitting the first rows. Freed by quern_free. */
QUERN_API quern_status quern_pipeline_plan(quern_context *context, const quern_pipeline *pipeline,
                                           const char *input, char **json);
QUERN_API quern_status quern_matrix_save_npy(const quern_matrix *matrix, const char *path);
QUERN_API quern_status quern_csr_save_npz(const quern_csr *csr, const char *path);

/* ---- 7  memory ------------------------------------------------------------------------------ */

/* Device memory from the context's pool. */
typedef struct quern_buffer quern_buffer;
QUERN_API quern_status quern_buffer_alloc(quern_context *context, uint64_t bytes,
                                          quern_buffer **out);
QUERN_API quern_status quern_buffer_upload(quern_buffer *buffer, uint64_t offset, const void *from,
                                           uint64_t bytes);
QUERN_API quern_status quern_buffer_download(const quern_buffer *buffer, uint64_t offset, void *to,
                                             uint64_t bytes);
QUERN_API void quern_buffer_free(quern_buffer *buffer);

/* A copy of the table on the context's device: fits and transforms of it cross nothing. String
 * columns cannot be uploaded. On the CPU it is a view. Free before the context. Work that is the
 * host's (categories) and other contexts refuse such tables: UNSUPPORTED. */
QUERN_API quern_status quern_table_upload(quern_context *context, const quern_table *table,
                                          quern_table **out);
/* A table of what another library of this process has on the context's device: data and validity are
 * device addresses, of number and bool columns. Columns that are one array, row by row or
 * column by column without gaps, are used where they lie; others must be packed and are copied inside the
 * device. stream and event: what
 * the memory is waiting for; the call returns when that is done. Of streams 0 is none, 1 and 2 are CUDA's
 * default streams, legacy and per thread, others are handles; event is a handle or NULL. Later calls have read what they need when they return. The
 * memory stays the caller's, as it is, until the table is freed; free that before the context.
 * Errors: UNSUPPORTED on devices other than CUDA's, INVALID where it is no memory of this device. */
QUERN_API quern_status quern_table_from_device(quern_context *context, const quern_column *columns,
                                               uint32_t n_columns, uint64_t rows, uint64_t stream,
                                               void *event, quern_table **out);
/* Transforms into device memory: buffer holds rows × outputs packed values. */
QUERN_API quern_status quern_model_transform_to(quern_context *context, const quern_model *model,
                                                const quern_table *table, quern_buffer *buffer);

typedef struct quern_pool_stats {
    uint32_t struct_size, slabs;
    uint64_t held, held_peak; /* bytes obtained from the driver */
    uint64_t used, used_peak; /* bytes granted */
    uint64_t asked;           /* bytes asked for: used - asked is rounding */
    uint64_t largest_free, limit;
    uint64_t takes, reused, grows, trims, failures;
} quern_pool_stats;
QUERN_API void quern_context_pool(quern_context *context, quern_pool_stats *out);
/* Gives idle memory back to the driver, keeping at most `keep` bytes; returns the bytes given back. */
QUERN_API uint64_t quern_context_trim(quern_context *context, uint64_t keep);
/* held_peak and used_peak begin anew at what is held and used now. */
QUERN_API void quern_context_reset_peaks(quern_context *context);

/* Host memory of results: matrices, CSR arrays and arrays that the library made. From 1 MiB on a result
 * that is freed is kept for the next of about its size (it fills three quarters at least), because new
 * memory has to be cleared first. Kept are at most `limit` bytes; what is kept adds nothing to the most that
 * was in use at one time; the system may take the pages back, and all is freed when memory runs out
 * or the process forks. One for the whole library; any thread.
 *
 * quern_output_limit sets the limit and returns what it was. 0: nothing is kept. QUERN_OUTPUT_DEFAULT: an
 * eighth of the memory that the process may use, 1 GiB at most. quern_output_trim frees the oldest until at
 * most `keep` bytes are left, and returns the bytes freed. */
#define QUERN_OUTPUT_DEFAULT UINT64_MAX
typedef struct quern_output_stats {
    uint32_t struct_size, kept_blocks;
    uint64_t limit, kept;
    uint64_t used, used_peak; /* bytes of results that are out; small ones are not counted     */
    uint64_t made, reused;    /* bytes of results in new memory and in kept memory, so far     */
    uint64_t makes, reuses;   /* how many                                                      */
} quern_output_stats;
QUERN_API uint64_t quern_output_limit(uint64_t bytes);
QUERN_API uint64_t quern_output_trim(uint64_t keep);
QUERN_API void quern_output_memory(quern_output_stats *out);
/* Memory for a result that the caller gives (quern_matrix.data, quern_array.data): as the library makes it,
 * 64-byte aligned, with values of older results in it, freed by quern_output_free alone. NULL: there is no
 * more. */
QUERN_API void *quern_output_alloc(uint64_t bytes);
QUERN_API void quern_output_free(void *memory);

/* ---- 8  ledger and decisions ---------------------------------------------------------------- */

/* What moved and what ran since the context was opened or reset. Input and output bytes are the
 * caller's table and the result; control is parameters and statistics. */
typedef struct quern_ledger {
    uint32_t struct_size;
    uint64_t input_to_device, output_from_device;
    uint64_t control_to_device, control_from_device;
    uint64_t on_device, wrapped; /* copied inside the device; used in place without a copy */
    uint64_t launches, kernel_ns, wait_ns, compiles, cache_hits, passes;
} quern_ledger;
QUERN_API void quern_context_ledger(quern_context *context, quern_ledger *out);

/* Where a step ran and why. Equal decisions are counted once. The texts live until the reset. */
typedef struct quern_decision {
    uint32_t struct_size;
    const char *step, *operation, *device, *implementation, *reason;
    uint64_t count;
} quern_decision;
QUERN_API uint32_t quern_context_decisions(const quern_context *context);
QUERN_API quern_status quern_context_decision(const quern_context *context, uint32_t i,
                                              quern_decision *out);
QUERN_API void quern_context_reset(quern_context *context);

#ifdef __cplusplus
}
#endif
#endif
