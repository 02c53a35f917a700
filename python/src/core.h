/* SPDX-License-Identifier: Apache-2.0
 * What the files of the extension module quern._core share. The module sees the library through its
 * public header alone, and Python through the limited API of 3.11: one binary serves every CPython
 * from there on. No object here touches NumPy's C API; memory comes and goes by the protocols that
 * containers agreed on (view.c, dlpack.c, arrow.c). */
#ifndef QN_PY_CORE_H
#define QN_PY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <quern/quern.h>

/* ---- the module's state (module.c) ---- */

struct qn_py_state {
    PyObject *unsupported, *device_error;
    PyObject *array_interface, *cuda_array_interface, *dlpack, *dlpack_device; /* names, interned */
    PyTypeObject *context, *table, *pipeline, *model, *fit, *matrix, *csr, *buffer;
};

/* Of an object of one of this module's types, none of which can be derived from. */
struct qn_py_state *qn_py_state(PyObject *self);
extern PyType_Spec qn_py_context_spec, qn_py_table_spec, qn_py_pipeline_spec, qn_py_model_spec,
    qn_py_fit_spec, qn_py_matrix_spec, qn_py_csr_spec, qn_py_buffer_spec;

/* A function with METH_FASTCALL | METH_KEYWORDS as PyMethodDef takes it. */
#define QN_PY_FAST(function) ((PyCFunction)(void (*)(void))(function))
#define QN_PY_FASTCALL (METH_FASTCALL | METH_KEYWORDS)
typedef PyObject *qn_py_fast(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);

qn_py_fast qn_py_read_table, qn_py_run, qn_py_apply_file;      /* files.c */
PyObject *qn_py_join_texts(PyObject *module, PyObject *cells); /* texts.c */
/* outputs.c */
PyObject *qn_py_output(PyObject *module, PyObject *given);
PyObject *qn_py_output_limit(PyObject *module, PyObject *given);
PyObject *qn_py_output_trim(PyObject *module, PyObject *given);
PyObject *qn_py_output_memory(PyObject *module, PyObject *unused);
qn_py_fast qn_py_array_sort, qn_py_array_unique, qn_py_array_searchsorted,
    qn_py_array_digitize; /* arrays.c */
qn_py_fast qn_py_array_reduce, qn_py_array_quantile, qn_py_array_accumulate, qn_py_array_covariance,
    qn_py_array_counts; /* array_reduce.c */
qn_py_fast qn_py_array_cast, qn_py_array_take, qn_py_array_compress,
    qn_py_array_where;                                                      /* moves.c */
qn_py_fast qn_py_random_fill, qn_py_random_permutation, qn_py_random_split; /* random.c */

/* ---- arguments (arguments.c) ---- */

struct qn_py_signature {
    const char *function;
    const char *const *names;
    int count, required;
};
/* Sorts positional and named arguments into out (borrowed; NULL where absent). -1: TypeError. */
int qn_py_arguments(const struct qn_py_signature *, PyObject *const *args, Py_ssize_t n,
                    PyObject *names, PyObject **out);
/* UTF-8 of a str without zero characters; valid as long as the str. NULL: an exception. */
const char *qn_py_text(PyObject *text, const char *what);
/* The same, where None and absent (NULL) mean NULL. -1: an exception. */
int qn_py_optional_text(PyObject *text, const char *what, const char **out);
/* `count` names of a sequence, or NULL for None. *names is freed by PyMem_Free, *keep holds the
 * strings alive. */
int qn_py_names(PyObject *sequence, Py_ssize_t count, const char ***names, PyObject **keep);
int qn_py_flag(PyObject *value, int otherwise);                       /* -1: an exception */
int qn_py_is(PyObject *object, PyTypeObject *type, const char *what); /* 0: TypeError is set */
PyObject *qn_py_string(const char *text);                             /* None for NULL */

/* ---- errors (errors.c) ---- */

/* Sets the exception of a failed call, with the library's sentence; returns NULL. */
PyObject *qn_py_raise(const struct qn_py_state *, quern_status);

/* ---- contexts and calls (context.c) ---- */

/* What calls are counted as in the report (stages.c). */
enum qn_py_stage {
    QN_PY_NO_STAGE,
    QN_PY_READ_FILE,
    QN_PY_FIT,
    QN_PY_FIT_TRANSFORM,
    QN_PY_PUSH,
    QN_PY_TRANSFORM,
    QN_PY_INVERSE,
    QN_PY_RUN,
    QN_PY_APPLY_FILE,
    QN_PY_ARRAY,
    QN_PY_STAGES
};
struct qn_py_totals {
    uint64_t calls, ns, to_device, from_device, in_place, launches, passes;
};

struct qn_py_call;
struct qn_py_context {
    PyObject_HEAD quern_context *context;
    PyObject *log, *progress;
    PyThread_type_lock lock; /* a context is used by one thread at a time */
    struct qn_py_call *call; /* the one that holds the lock               */
    unsigned long owner;     /* its thread                                */
    long process;            /* where the device was opened               */
    struct qn_py_totals stages[QN_PY_STAGES];
};
struct qn_py_call {
    struct qn_py_context *cx;
    PyThreadState *thread; /* while the GIL is released                             */
    int64_t asked;         /* when signals were last looked at, in ns               */
    int listens;           /* 1: this is the main thread, -1: it is not, 0: unknown */
    int raised;            /* a signal or a callback left an exception in `thread`  */
    enum qn_py_stage stage;
    int64_t started; /* of a stage: when, and the ledger at that time */
    quern_ledger before;
};
/* Takes the context and releases the GIL; -1: an exception, and neither has happened. */
int qn_py_begin(struct qn_py_context *, struct qn_py_call *);
/* The same, counted as a stage. */
int qn_py_begin_stage(struct qn_py_context *, struct qn_py_call *, enum qn_py_stage);
void qn_py_count_stage(struct qn_py_call *); /* what qn_py_end does with it */
PyObject *qn_py_context_stages(PyObject *object, PyObject *unused);
int64_t qn_py_now_ns(void);
/* Takes the GIL back and gives up the context; -1: an exception is set. */
int qn_py_end(struct qn_py_call *, quern_status);

/* ---- views of foreign memory (view.c, dlpack.c) ---- */

struct qn_py_view {
    char *data;
    quern_type type;
    int ndim; /* 1 or 2 */
    int readonly;
    int not_a_time;               /* datetime64: INT64_MIN means missing */
    int64_t shape[2], strides[2]; /* strides in bytes; as given by the exporter */
    Py_buffer buffer;             /* .obj NULL: none */
    PyObject *owner;              /* keeps what came by another protocol */
};
enum { QN_PY_READ = 0, QN_PY_WRITE = 1, QN_PY_CUDA = 2 }; /* CUDA: of DLPack alone, to be read */
/* By the buffer protocol, __array_interface__ or __dlpack__, the first that the object has. */
int qn_py_view_get(const struct qn_py_state *, PyObject *object, int mode, const char *what,
                   struct qn_py_view *);
/* A dict as of __array_interface__; and whether what it says can be. */
int qn_py_read_interface(PyObject *dict, int mode, const char *what, struct qn_py_view *);
int qn_py_check_extent(const char *what, const struct qn_py_view *);
void qn_py_view_release(struct qn_py_view *);
int qn_py_view_traverse(const struct qn_py_view *, visitproc visit, void *arg);
size_t qn_py_type_bytes(quern_type);
const char *qn_py_type_name(quern_type);
const char *qn_py_type_format(quern_type);  /* of the buffer protocol */
const char *qn_py_type_typestr(quern_type); /* of __array_interface__ */
/* The type of a kind (b, i, u, f) and a size in bytes; -1: none. */
int qn_py_type_of(char kind, size_t bytes);
/* 1: filled, 0: the object has no __dlpack__, -1: an exception. */
int qn_py_from_dlpack(const struct qn_py_state *, PyObject *object, int mode, const char *what,
                      struct qn_py_view *);
PyObject *qn_py_to_dlpack(PyObject *owner, void *data, quern_type, uint64_t rows, uint64_t columns,
                          int64_t row_stride, PyObject *const *args, Py_ssize_t n, PyObject *named);
PyObject *qn_py_dlpack_device(PyObject *self, PyObject *unused);

/* ---- what a table keeps alive (keep.c) ---- */

struct qn_py_keep {
    void **blocks;
    struct qn_py_view *views;
    Py_ssize_t n_blocks, n_views, room_blocks, room_views;
};
void *qn_py_keep_block(struct qn_py_keep *, uint64_t count, uint64_t bytes); /* NULL: MemoryError */
/* A place for a view; the next call may move it. NULL: MemoryError. */
struct qn_py_view *qn_py_keep_view(struct qn_py_keep *);
/* Moves everything of `from` into keep; -1: MemoryError, and nothing has moved. */
int qn_py_keep_merge(struct qn_py_keep *keep, struct qn_py_keep *from);
void qn_py_keep_clear(struct qn_py_keep *);
int qn_py_keep_traverse(const struct qn_py_keep *, visitproc visit, void *arg);

/* ---- objects ---- */

struct qn_py_table {
    PyObject_HEAD quern_table *table;
    struct qn_py_keep keep;
};
/* Takes over table and keep, also on failure. */
PyObject *qn_py_table_new(const struct qn_py_state *, quern_table *, struct qn_py_keep *);
qn_py_fast qn_py_table_from_arrow;  /* arrow.c */
qn_py_fast qn_py_table_from_device; /* device_table.c */
quern_status qn_py_check_offsets(const void *offsets, uint32_t bits, uint64_t rows, uint64_t bytes);

struct qn_py_pipeline {
    PyObject_HEAD quern_pipeline *pipeline;
};

struct qn_py_model {
    PyObject_HEAD quern_model *model;
    quern_server *server;   /* apply: opened by its first call        */
    quern_context *context; /* apply of many rows: the CPU, one thread */
    PyThread_type_lock lock;
    quern_type input;  /* of all columns, when they are of one type */
    int same, applies; /* applies: server and the above are there   */
    uint32_t inputs, outputs;
};
/* Takes over the model, also on failure. */
PyObject *qn_py_model_new(const struct qn_py_state *, quern_model *);
qn_py_fast qn_py_model_apply; /* apply.c */
void qn_py_model_apply_close(struct qn_py_model *);

struct qn_py_matrix {
    PyObject_HEAD quern_matrix matrix;
    Py_ssize_t shape[2], strides[2];
};
/* Takes over the matrix, also on failure. */
PyObject *qn_py_matrix_new(const struct qn_py_state *, quern_matrix *);
/* Takes over the matrix, also on failure. */
PyObject *qn_py_csr_new(const struct qn_py_state *, quern_csr *);
/* A read-only (or writable) one-dimensional buffer over memory that owner keeps alive. */
PyObject *qn_py_buffer_new(const struct qn_py_state *, PyObject *owner, void *data, quern_type,
                           uint64_t count, int64_t stride, int readonly);

/* Where a result goes: out given, a matrix or a CSR to be made. */
struct qn_py_result {
    quern_matrix matrix;
    quern_csr csr;
    struct qn_py_view out;
    int given, sparse;
};
int qn_py_result_begin(const struct qn_py_state *, PyObject *out, int sparse,
                       struct qn_py_result *);
quern_matrix *qn_py_result_matrix(struct qn_py_result *);
quern_csr *qn_py_result_csr(struct qn_py_result *);
/* The Python object of it: None, Matrix or Csr. NULL: an exception. Everything is given up. */
PyObject *qn_py_result_end(const struct qn_py_state *, struct qn_py_result *, int failed);

#endif
