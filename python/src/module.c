/* SPDX-License-Identifier: Apache-2.0
 * quern._core: the module, its types and exceptions. All state is the module's, so that each
 * interpreter of a process has its own. */
#include <string.h>

#include "core.h"
#include "docs.h"

struct qn_py_state *qn_py_state(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

static PyObject *estimators(PyObject *module, PyObject *unused)
{
    char *json = NULL;
    (void)unused;
    quern_status status = quern_estimators_json(&json);
    if (status != QUERN_OK) return qn_py_raise(PyModule_GetState(module), status);
    PyObject *text = PyUnicode_FromString(json);
    quern_free(json);
    return text;
}

static PyMethodDef functions[] = {
    {"estimators", estimators, METH_NOARGS, qn_py_doc_estimators},
    {"output", qn_py_output, METH_O, qn_py_doc_output},
    {"output_limit", qn_py_output_limit, METH_O, qn_py_doc_output_limit},
    {"output_trim", qn_py_output_trim, METH_O, qn_py_doc_output_trim},
    {"output_memory", qn_py_output_memory, METH_NOARGS, qn_py_doc_output_memory},
    {"join_texts", qn_py_join_texts, METH_O, qn_py_doc_join_texts},
    {"read_table", QN_PY_FAST(qn_py_read_table), QN_PY_FASTCALL, qn_py_doc_read_table},
    {"run", QN_PY_FAST(qn_py_run), QN_PY_FASTCALL, qn_py_doc_run},
    {"apply_file", QN_PY_FAST(qn_py_apply_file), QN_PY_FASTCALL, qn_py_doc_apply_file},
    {"array_sort", QN_PY_FAST(qn_py_array_sort), QN_PY_FASTCALL, qn_py_doc_array_sort},
    {"array_unique", QN_PY_FAST(qn_py_array_unique), QN_PY_FASTCALL, qn_py_doc_array_unique},
    {"array_searchsorted", QN_PY_FAST(qn_py_array_searchsorted), QN_PY_FASTCALL,
     qn_py_doc_array_searchsorted},
    {"array_digitize", QN_PY_FAST(qn_py_array_digitize), QN_PY_FASTCALL, qn_py_doc_array_digitize},
    {"array_cast", QN_PY_FAST(qn_py_array_cast), QN_PY_FASTCALL, qn_py_doc_array_cast},
    {"array_take", QN_PY_FAST(qn_py_array_take), QN_PY_FASTCALL, qn_py_doc_array_take},
    {"array_compress", QN_PY_FAST(qn_py_array_compress), QN_PY_FASTCALL, qn_py_doc_array_compress},
    {"array_where", QN_PY_FAST(qn_py_array_where), QN_PY_FASTCALL, qn_py_doc_array_where},
    {"random_fill", QN_PY_FAST(qn_py_random_fill), QN_PY_FASTCALL, qn_py_doc_random_fill},
    {"random_permutation", QN_PY_FAST(qn_py_random_permutation), QN_PY_FASTCALL,
     qn_py_doc_random_permutation},
    {"random_split", QN_PY_FAST(qn_py_random_split), QN_PY_FASTCALL, qn_py_doc_random_split},
    {"array_reduce", QN_PY_FAST(qn_py_array_reduce), QN_PY_FASTCALL, qn_py_doc_array_reduce},
    {"array_counts", QN_PY_FAST(qn_py_array_counts), QN_PY_FASTCALL, qn_py_doc_array_counts},
    {"array_accumulate", QN_PY_FAST(qn_py_array_accumulate), QN_PY_FASTCALL,
     qn_py_doc_array_accumulate},
    {"array_covariance", QN_PY_FAST(qn_py_array_covariance), QN_PY_FASTCALL,
     qn_py_doc_array_covariance},
    {"array_quantile", QN_PY_FAST(qn_py_array_quantile), QN_PY_FASTCALL, qn_py_doc_array_quantile},
    {0},
};

static int add_types(PyObject *module, struct qn_py_state *s)
{
    const struct {
        PyType_Spec *spec;
        PyTypeObject **type;
    } types[] = {
        {&qn_py_context_spec, &s->context},   {&qn_py_table_spec, &s->table},
        {&qn_py_pipeline_spec, &s->pipeline}, {&qn_py_model_spec, &s->model},
        {&qn_py_fit_spec, &s->fit},           {&qn_py_matrix_spec, &s->matrix},
        {&qn_py_csr_spec, &s->csr},           {&qn_py_buffer_spec, &s->buffer},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        PyObject *made = PyType_FromModuleAndSpec(module, types[i].spec, NULL);
        if (made == NULL) return -1;
        *types[i].type = (PyTypeObject *)made;
        if (PyModule_AddType(module, *types[i].type) < 0) return -1;
    }
    return 0;
}

static int add_exceptions(PyObject *module, struct qn_py_state *s)
{
    s->unsupported = PyErr_NewExceptionWithDoc("quern.UnsupportedError", qn_py_doc_unsupported,
                                               PyExc_NotImplementedError, NULL);
    s->device_error = PyErr_NewExceptionWithDoc("quern.DeviceError", qn_py_doc_device_error,
                                                PyExc_RuntimeError, NULL);
    if (s->unsupported == NULL || s->device_error == NULL) return -1;
    if (PyModule_AddObjectRef(module, "UnsupportedError", s->unsupported) < 0) return -1;
    return PyModule_AddObjectRef(module, "DeviceError", s->device_error);
}

static int execute(PyObject *module)
{
    struct qn_py_state *s = PyModule_GetState(module);
    s->array_interface = PyUnicode_InternFromString("__array_interface__");
    s->cuda_array_interface = PyUnicode_InternFromString("__cuda_array_interface__");
    s->dlpack = PyUnicode_InternFromString("__dlpack__");
    s->dlpack_device = PyUnicode_InternFromString("__dlpack_device__");
    if (s->array_interface == NULL || s->cuda_array_interface == NULL || s->dlpack == NULL ||
        s->dlpack_device == NULL || add_exceptions(module, s) < 0 || add_types(module, s) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", quern_version());
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    struct qn_py_state *s = PyModule_GetState(module);
    Py_VISIT(s->unsupported);
    Py_VISIT(s->device_error);
    Py_VISIT(s->context);
    Py_VISIT(s->table);
    Py_VISIT(s->pipeline);
    Py_VISIT(s->model);
    Py_VISIT(s->fit);
    Py_VISIT(s->matrix);
    Py_VISIT(s->csr);
    Py_VISIT(s->buffer);
    return 0;
}

static int clear(PyObject *module)
{
    struct qn_py_state *s = PyModule_GetState(module);
    Py_CLEAR(s->unsupported);
    Py_CLEAR(s->device_error);
    Py_CLEAR(s->array_interface);
    Py_CLEAR(s->cuda_array_interface);
    Py_CLEAR(s->dlpack);
    Py_CLEAR(s->dlpack_device);
    Py_CLEAR(s->context);
    Py_CLEAR(s->table);
    Py_CLEAR(s->pipeline);
    Py_CLEAR(s->model);
    Py_CLEAR(s->fit);
    Py_CLEAR(s->matrix);
    Py_CLEAR(s->csr);
    Py_CLEAR(s->buffer);
    return 0;
}

static void release(void *module)
{
    (void)clear(module);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0}};
static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "quern._core",
    .m_doc = qn_py_doc_module,
    .m_size = sizeof(struct qn_py_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
