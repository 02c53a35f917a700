/* SPDX-License-Identifier: Apache-2.0
 * Memory of results that Python code makes, and what the library keeps of it. */
#include "core.h"
#include "docs.h"

/* Absent or None: `otherwise`. */
static int bytes_of(PyObject *given, uint64_t otherwise, uint64_t *out)
{
    *out = otherwise;
    if (given == NULL || given == Py_None) return 0;
    *out = PyLong_AsUnsignedLongLong(given);
    return PyErr_Occurred() != NULL ? -1 : 0;
}

PyObject *qn_py_output(PyObject *module, PyObject *given)
{
    uint64_t bytes;
    if (bytes_of(given, 0, &bytes) < 0) return NULL;
    quern_matrix m = {.data = bytes <= PTRDIFF_MAX ? quern_output_alloc(bytes) : NULL,
                      .type = QUERN_UINT8,
                      .rows = bytes,
                      .columns = 1,
                      .row_stride = 1,
                      .owned = 1};
    if (m.data == NULL) return PyErr_NoMemory();
    return qn_py_matrix_new(PyModule_GetState(module), &m);
}

PyObject *qn_py_output_limit(PyObject *module, PyObject *given)
{
    uint64_t bytes;
    (void)module;
    if (bytes_of(given, QUERN_OUTPUT_DEFAULT, &bytes) < 0) return NULL;
    return PyLong_FromUnsignedLongLong(quern_output_limit(bytes));
}

PyObject *qn_py_output_trim(PyObject *module, PyObject *given)
{
    uint64_t keep, freed;
    (void)module;
    if (bytes_of(given, 0, &keep) < 0) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    freed = quern_output_trim(keep);
    Py_END_ALLOW_THREADS;
    return PyLong_FromUnsignedLongLong(freed);
}

PyObject *qn_py_output_memory(PyObject *module, PyObject *unused)
{
    quern_output_stats s = {.struct_size = sizeof s};
    (void)module;
    (void)unused;
    quern_output_memory(&s);
    return Py_BuildValue("{sKsKsIsKsKsKsKsKsK}", "limit", (unsigned long long)s.limit, "kept",
                         (unsigned long long)s.kept, "kept_blocks", s.kept_blocks, "used",
                         (unsigned long long)s.used, "used_peak", (unsigned long long)s.used_peak,
                         "made", (unsigned long long)s.made, "reused", (unsigned long long)s.reused,
                         "makes", (unsigned long long)s.makes, "reuses",
                         (unsigned long long)s.reuses);
}
