/* SPDX-License-Identifier: Apache-2.0
 * The docstrings of the module, in NumPy's form: apart from the code, which they would bury. A first line
 * before "--" is what inspect.signature reads. python/tests/test_docs.py runs their examples. */
#ifndef QUERN_PYTHON_DOCS_H
#define QUERN_PYTHON_DOCS_H

/* docs_context.c */
extern const char qn_py_doc_module[], qn_py_doc_estimators[], qn_py_doc_join_texts[],
    qn_py_doc_read_table[], qn_py_doc_run[], qn_py_doc_apply_file[], qn_py_doc_context[],
    qn_py_doc_context_decisions[], qn_py_doc_context_ledger[], qn_py_doc_context_reset[],
    qn_py_doc_context_pool[], qn_py_doc_context_trim[], qn_py_doc_context_stages[],
    qn_py_doc_context_reset_peaks[], qn_py_doc_context_devices[], qn_py_doc_unsupported[],
    qn_py_doc_device_error[];

/* docs_data.c */
extern const char qn_py_doc_table[], qn_py_doc_table_from_matrix[], qn_py_doc_table_from_columns[],
    qn_py_doc_table_from_arrow[], qn_py_doc_table_from_device[], qn_py_doc_table_from_sparse[],
    qn_py_doc_table_set_weights[], qn_py_doc_table_set_random_state[], qn_py_doc_table_set_target[],
    qn_py_doc_table_column[], qn_py_doc_matrix[], qn_py_doc_matrix_dlpack[],
    qn_py_doc_matrix_dlpack_device[], qn_py_doc_buffer[], qn_py_doc_csr[];

/* docs_arrays.c */
extern const char qn_py_doc_array_sort[], qn_py_doc_array_unique[], qn_py_doc_array_searchsorted[],
    qn_py_doc_array_digitize[];
/* docs_array_reduce.c */
extern const char qn_py_doc_array_reduce[], qn_py_doc_array_quantile[],
    qn_py_doc_array_accumulate[], qn_py_doc_array_counts[], qn_py_doc_array_covariance[];

/* docs_outputs.c */
extern const char qn_py_doc_output[], qn_py_doc_output_limit[], qn_py_doc_output_trim[],
    qn_py_doc_output_memory[];

/* docs_moves.c */
extern const char qn_py_doc_array_cast[], qn_py_doc_array_take[], qn_py_doc_array_compress[],
    qn_py_doc_array_where[], qn_py_doc_random_fill[], qn_py_doc_random_permutation[],
    qn_py_doc_random_split[];

/* docs_model.c */
extern const char qn_py_doc_pipeline[], qn_py_doc_pipeline_fit[],
    qn_py_doc_pipeline_fit_transform[], qn_py_doc_pipeline_spec[], qn_py_doc_model[],
    qn_py_doc_model_from_bytes[], qn_py_doc_model_to_bytes[], qn_py_doc_model_tensors[],
    qn_py_doc_model_load[], qn_py_doc_model_save[], qn_py_doc_model_inspect[],
    qn_py_doc_model_reduce[], qn_py_doc_model_transform[], qn_py_doc_model_inverse_transform[],
    qn_py_doc_model_apply[], qn_py_doc_fit[], qn_py_doc_fit_from_bytes[], qn_py_doc_fit_push[],
    qn_py_doc_fit_snapshot[], qn_py_doc_fit_finish[], qn_py_doc_fit_to_bytes[];

#endif
