/* SPDX-License-Identifier: Apache-2.0
 * DLPack, the versioned and the legacy form, in and out. Tensors on CUDA come in where they are asked
 * for (device_table.c); others are the CPU's, or refused with the protocol's BufferError. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* ---- the ABI ---- */

enum {
    DL_CPU = 1,
    DL_CUDA = 2,
    DL_CUDA_HOST = 3,
    DL_CUDA_MANAGED = 13,
    DL_MAJOR = 1,
    DL_MINOR = 0
};
enum { DL_READ_ONLY = 1, DL_IS_COPIED = 2 };
enum { DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BOOL = 6 };

struct dl_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides; /* strides in values; NULL: C order */
    uint64_t byte_offset;
};
struct dl_managed {
    struct dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *);
};
struct dl_versioned {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct dl_versioned *);
    uint64_t flags;
    struct dl_tensor tensor;
};
_Static_assert(sizeof(struct dl_tensor) == 48, "DLTensor");
_Static_assert(sizeof(struct dl_managed) == 64, "DLManagedTensor");
_Static_assert(sizeof(struct dl_versioned) == 80, "DLManagedTensorVersioned");

static const char LEGACY[] = "dltensor", LEGACY_USED[] = "used_dltensor";
static const char VERSIONED[] = "dltensor_versioned", VERSIONED_USED[] = "used_dltensor_versioned";

/* ---- in ---- */

static void release_versioned(PyObject *capsule)
{
    PyObject *type, *value,
        *trace; /* of an error on whose way out this happens: the deleter may be Python */
    struct dl_versioned *m = PyCapsule_GetPointer(capsule, VERSIONED_USED);
    PyErr_Fetch(&type, &value, &trace);
    if (m != NULL && m->deleter != NULL) m->deleter(m);
    PyErr_Restore(type, value, trace);
}

static void release_legacy(PyObject *capsule)
{
    PyObject *type, *value, *trace;
    struct dl_managed *m = PyCapsule_GetPointer(capsule, LEGACY_USED);
    PyErr_Fetch(&type, &value, &trace);
    if (m != NULL && m->deleter != NULL) m->deleter(m);
    PyErr_Restore(type, value, trace);
}

static int refuse(const char *what, const char *why)
{
    PyErr_Format(PyExc_BufferError, "%s: %s", what, why);
    return -1;
}

static int dl_type(const struct dl_tensor *t)
{
    char kind = t->code == DL_INT     ? 'i'
                : t->code == DL_UINT  ? 'u'
                : t->code == DL_FLOAT ? 'f'
                : t->code == DL_BOOL  ? 'b'
                                      : '\0';
    return t->lanes == 1 && t->bits % 8 == 0 ? qn_py_type_of(kind, t->bits / 8u) : -1;
}

/* strides in bytes; the products of a tensor that cannot exist do not fit */
static int fill_strides(const struct dl_tensor *t, int64_t bytes, struct qn_py_view *v)
{
    int64_t packed = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        int64_t stride = t->strides != NULL ? t->strides[i] : packed;
        if (stride > INT64_MAX / 16 || stride < INT64_MIN / 16) return -1;
        v->shape[i] = t->shape[i];
        v->strides[i] = stride * bytes;
        if (t->shape[i] < 0 || (t->shape[i] != 0 && packed > INT64_MAX / 16 / t->shape[i]))
            return -1;
        packed *= t->shape[i];
    }
    return 0;
}

static int is_wanted(long device, int mode)
{
    if (mode == QN_PY_CUDA) return device == DL_CUDA || device == DL_CUDA_MANAGED;
    return device == DL_CPU || device == DL_CUDA_HOST;
}

static int fill(const struct dl_tensor *t, int mode, const char *what, struct qn_py_view *v)
{
    if (!is_wanted(t->device_type, mode) && mode == QN_PY_CUDA)
        return refuse(what, "the tensor is not in a CUDA device's memory");
    if (!is_wanted(t->device_type, mode))
        return refuse(what, "the array is not in the host's memory; copy it there first");
    if (t->ndim < 1 || t->ndim > 2) {
        PyErr_Format(PyExc_ValueError, "%s: %d dimensions; 1 or 2 are needed", what, (int)t->ndim);
        return -1;
    }
    int type = dl_type(t);
    if (type < 0)
        return refuse(what, "values of this type are not read; what is are bool, integers, float32 "
                            "and float64");
    v->type = (quern_type)type;
    v->ndim = t->ndim;
    if (fill_strides(t, (int64_t)qn_py_type_bytes(v->type), v) < 0)
        return refuse(what, "a shape that cannot be");
    v->data = t->data != NULL ? (char *)t->data + t->byte_offset : NULL;
    return 0;
}

/* Takes the tensor out of the exporter's capsule and into one of ours, which is the view's owner. */
static int take(PyObject *capsule, int mode, const char *what, struct qn_py_view *v)
{
    const struct dl_tensor *tensor;
    if (PyCapsule_IsValid(capsule, VERSIONED)) {
        struct dl_versioned *m = PyCapsule_GetPointer(capsule, VERSIONED);
        v->owner = PyCapsule_New(m, VERSIONED_USED, release_versioned);
        if (v->owner == NULL || PyCapsule_SetName(capsule, VERSIONED_USED) < 0) return -1;
        if (m->major != DL_MAJOR) return refuse(what, "DLPack of a major version that is not 1");
        v->readonly = (m->flags & DL_READ_ONLY) != 0;
        tensor = &m->tensor;
    } else if (PyCapsule_IsValid(capsule, LEGACY)) {
        struct dl_managed *m = PyCapsule_GetPointer(capsule, LEGACY);
        v->owner = PyCapsule_New(m, LEGACY_USED, release_legacy);
        if (v->owner == NULL || PyCapsule_SetName(capsule, LEGACY_USED) < 0) return -1;
        tensor = &m->tensor;
    } else {
        PyErr_Format(PyExc_ValueError,
                     "%s: __dlpack__ gave no capsule of a tensor, or one that was used before",
                     what);
        return -1;
    }
    if (mode == QN_PY_WRITE && v->readonly) return refuse(what, "the memory is read-only");
    return fill(tensor, mode, what, v);
}

/* Device first: asking a GPU's array for its capsule may already synchronise or copy. */
static int check_device(const struct qn_py_state *state, PyObject *object, int mode,
                        const char *what)
{
    long kind = 0;
    PyObject *method = PyObject_GetAttr(object, state->dlpack_device);
    PyObject *pair = method != NULL ? PyObject_CallObject(method, NULL) : NULL;
    PyObject *first = pair != NULL ? PySequence_GetItem(pair, 0) : NULL;
    PyObject *number = first != NULL ? PyNumber_Long(first) : NULL; /* an enumeration, often */
    if (number != NULL) kind = PyLong_AsLong(number);
    Py_XDECREF(method);
    Py_XDECREF(pair);
    Py_XDECREF(first);
    Py_XDECREF(number);
    if (PyErr_Occurred()) return -1;
    if (is_wanted(kind, mode)) return 0;
    if (mode == QN_PY_CUDA) {
        PyErr_Format(PyExc_BufferError,
                     "%s: the array is on a device of DLPack's type %ld; of devices the library "
                     "reads those of CUDA (2, 13)",
                     what, kind);
        return -1;
    }
    PyErr_Format(PyExc_BufferError,
                 "%s: the array is on a device of DLPack's type %ld; the library reads host memory "
                 "and uploads it itself; copy the array to the host first",
                 what, kind);
    return -1;
}

int qn_py_from_dlpack(const struct qn_py_state *state, PyObject *object, int mode, const char *what,
                      struct qn_py_view *v)
{
    PyObject *method = PyObject_GetAttr(object, state->dlpack);
    if (method == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
        return 0;
    }
    PyObject *none = NULL, *version = NULL, *capsule = NULL, *stream = NULL;
    if (check_device(state, object, mode, what) < 0) goto cleanup;
    none = PyTuple_New(0);
    version = Py_BuildValue("{s(ii)}", "max_version", DL_MAJOR, DL_MINOR);
    /* 1: the legacy default stream, which the exporter makes wait for its work, and we wait for */
    if (version != NULL && mode == QN_PY_CUDA) {
        stream = PyLong_FromLong(1);
        if (stream == NULL || PyDict_SetItemString(version, "stream", stream) < 0) goto cleanup;
    }
    if (none == NULL || version == NULL) goto cleanup;
    capsule = PyObject_Call(method, none, version);
    if (capsule == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) { /* of before version 1 */
        PyErr_Clear();
        if (PyDict_DelItemString(version, "max_version") == 0)
            capsule = PyObject_Call(method, none, version);
    }
cleanup:;
    int failed = capsule == NULL || take(capsule, mode, what, v) < 0;
    Py_XDECREF(none);
    Py_XDECREF(version);
    Py_XDECREF(stream);
    Py_XDECREF(capsule);
    Py_DECREF(method);
    return failed ? -1 : 1;
}

/* ---- out ---- */

struct export
{
    PyObject *owner;
    int64_t shape[2], strides[2];
    union {
        struct dl_managed legacy;
        struct dl_versioned versioned;
    } of;
    void *copy; /* when a copy was asked for */
};

/* Any thread, perhaps after the interpreter's end: then the memory goes with the process. */
static void free_export(struct export *e)
{
    if (e->owner != NULL && Py_IsInitialized()) {
        PyGILState_STATE held = PyGILState_Ensure();
        Py_CLEAR(e->owner);
        PyGILState_Release(held);
    }
    free(e->copy);
    free(e);
}

static void delete_legacy(struct dl_managed *m)
{
    free_export(m->context);
}

static void delete_versioned(struct dl_versioned *m)
{
    free_export(m->context);
}

/* A capsule that nobody took. */
static void drop(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, VERSIONED)) {
        struct dl_versioned *m = PyCapsule_GetPointer(capsule, VERSIONED);
        m->deleter(m);
    } else if (PyCapsule_IsValid(capsule, LEGACY)) {
        struct dl_managed *m = PyCapsule_GetPointer(capsule, LEGACY);
        m->deleter(m);
    }
}

static uint8_t dl_code(quern_type type)
{
    if (type == QUERN_BOOL) return DL_BOOL;
    if (type == QUERN_FLOAT32 || type == QUERN_FLOAT64) return DL_FLOAT;
    return type >= QUERN_UINT8 && type <= QUERN_UINT64 ? DL_UINT : DL_INT;
}

/* 1: versioned, 0: legacy, -1: an exception. */
static int form_of(PyObject *version)
{
    int major, minor;
    if (version == NULL || version == Py_None) return 0;
    if (!PyTuple_Check(version)) {
        PyErr_SetString(PyExc_TypeError, "max_version must be None or (major, minor)");
        return -1;
    }
    if (!PyArg_ParseTuple(version, "ii", &major, &minor)) return -1;
    return major >= DL_MAJOR;
}

static int check_wishes(PyObject *stream, PyObject *device)
{
    int kind, id;
    if (stream != NULL && stream != Py_None) {
        PyErr_SetString(PyExc_ValueError, "stream must be None for the host's memory");
        return -1;
    }
    if (device == NULL || device == Py_None) return 0;
    if (!PyTuple_Check(device) || !PyArg_ParseTuple(device, "ii", &kind, &id)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "dl_device must be None or (type, id)");
        return -1;
    }
    if (kind == DL_CPU && id == 0) return 0;
    PyErr_Format(PyExc_BufferError,
                 "the memory is the host's; it is not exported to device (%d, %d)", kind, id);
    return -1;
}

static PyObject *export(PyObject *owner, const struct dl_tensor *t, const int64_t *shape,
                        const int64_t *strides, int versioned, void *copy)
{
    struct export *e = calloc(1, sizeof *e);
    if (e == NULL) {
        free(copy);
        return PyErr_NoMemory();
    }
    struct dl_tensor *tensor = versioned ? &e->of.versioned.tensor : &e->of.legacy.tensor;
    memcpy(e->shape, shape, sizeof e->shape);
    memcpy(e->strides, strides, sizeof e->strides);
    *tensor = *t;
    tensor->shape = e->shape;
    tensor->strides = e->strides;
    e->copy = copy;
    e->owner = copy == NULL ? Py_NewRef(owner) : NULL;
    if (versioned) {
        e->of.versioned.major = DL_MAJOR;
        e->of.versioned.minor = DL_MINOR;
        e->of.versioned.context = e;
        e->of.versioned.deleter = delete_versioned;
        e->of.versioned.flags = copy != NULL ? DL_IS_COPIED : 0;
    } else {
        e->of.legacy.context = e;
        e->of.legacy.deleter = delete_legacy;
    }
    PyObject *capsule = PyCapsule_New(&e->of, versioned ? VERSIONED : LEGACY, drop);
    if (capsule == NULL) free_export(e);
    return capsule;
}

PyObject *qn_py_to_dlpack(PyObject *owner, void *data, quern_type type, uint64_t rows,
                          uint64_t columns, int64_t row_stride, PyObject *const *args, Py_ssize_t n,
                          PyObject *named)
{
    static const char *const words[] = {"stream", "max_version", "dl_device", "copy"};
    static const struct qn_py_signature signature = {"__dlpack__", words, 4, 0};
    PyObject *given[4];
    size_t bytes = qn_py_type_bytes(type), size = (size_t)(rows * (uint64_t)row_stride);
    if (qn_py_arguments(&signature, args, n, named, given) < 0 ||
        check_wishes(given[0], given[2]) < 0)
        return NULL;
    int versioned = form_of(given[1]);
    int copies = given[3] == Py_None ? 0 : qn_py_flag(given[3], 0);
    if (versioned < 0 || copies < 0) return NULL;
    void *copy = NULL;
    if (copies) {
        copy = malloc(size + 1);
        if (copy == NULL) return PyErr_NoMemory();
        memcpy(copy, data, size);
    }
    const struct dl_tensor t = {
        .data = copy != NULL ? copy : data,
        .device_type = DL_CPU,
        .ndim = 2,
        .code = dl_code(type),
        .bits = (uint8_t)(8 * bytes),
        .lanes = 1,
    };
    const int64_t shape[2] = {(int64_t)rows, (int64_t)columns};
    const int64_t strides[2] = {row_stride / (int64_t)bytes, 1};
    return export(owner, &t, shape, strides, versioned, copy);
}

PyObject *qn_py_dlpack_device(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return Py_BuildValue("(ii)", DL_CPU, 0);
}
