# SPDX-License-Identifier: Apache-2.0
"""SciPy's compressed matrices and the library's."""
import numpy as np
from scipy import sparse

from . import _core


def is_sparse(X):
    """Whether X is one of SciPy's."""
    return sparse.issparse(X)


def from_sparse(X):
    """A table that views a CSR or CSC matrix."""
    X.sum_duplicates()
    return _core.Table.from_sparse(X.format, X.shape, X.indptr, X.indices, X.data)


def to_sparse(out, like):
    """The library's CSR as a matrix of the class, format and index type of `like`."""
    indptr = np.asarray(out.indptr)
    indices = np.asarray(out.indices)
    index = like.indices.dtype
    if index.itemsize == 4 and indptr[-1] > np.iinfo(np.int32).max:
        index = np.int64
    container = sparse.csr_array if isinstance(like, sparse.sparray) else sparse.csr_matrix
    made = container((np.asarray(out.data), indices.astype(index, copy=False),
                      indptr.astype(index, copy=False)), shape=tuple(out.shape))
    made = made.asformat(like.format)
    return made if made.dtype == like.dtype else made.astype(like.dtype)


def write_back(out, X):
    """In place: X becomes `out`."""
    if out.nnz == X.nnz and np.array_equal(out.indices, X.indices):
        X.data[:] = out.data
    else:
        X.data, X.indices, X.indptr = out.data, out.indices, out.indptr
    return X


def as_scipy(out, dtype):
    """The library's CSR as scikit-learn gives one: its container, int32 where that is enough."""
    indptr = np.asarray(out.indptr)
    if len(indptr) and indptr[-1] <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    data = np.asarray(out.data).astype(dtype, copy=False)
    return as_configured(sparse.csr_array((data, np.asarray(out.indices), indptr), shape=tuple(out.shape)))


def as_configured(made):
    """A matrix of SciPy's in the container that scikit-learn is configured to give."""
    from sklearn.utils._sparse import _align_api_if_sparse
    return _align_api_if_sparse(made)
