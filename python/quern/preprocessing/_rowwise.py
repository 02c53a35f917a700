# SPDX-License-Identifier: Apache-2.0
"""Normalizer and Binarizer, which learn nothing, and their function forms."""
import numbers

import numpy as np
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, Options, StrOptions, validate_params
from sklearn.utils.validation import FLOAT_DTYPES, validate_data

from .._sparse import from_sparse, to_sparse, write_back
from ..base import (Estimator, as_given, described, library_floats, model_of, refuse_non_finite,
                    table_of)


def rows_first(X):
    """Whether NumPy goes along the rows of X when it sums them."""
    return X.flags.c_contiguous or abs(X.strides[1]) < abs(X.strides[0])


class Stateless(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """What the two have in common: a model follows from parameters, columns and dtype."""

    _sparse_formats = "csr"
    _fusable = True
    _follows = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Checks parameters and X; learns nothing."""
        validate_data(self, X, accept_sparse="csr")
        return self

    def _model(self, dtype, columns, matrix=True):
        native = self._native
        key = tuple(getattr(self, word) for word in self._library_parameters)
        if native.key != key:
            native.models.clear()
            native.key = key
        model = native.models.get((dtype, columns, matrix))
        if model is None:
            model = native.models[dtype, columns, matrix] = model_of(self, dtype, columns, {},
                                                                     matrix)
        return model

    def _run(self, X, copy):
        """X, checked, through the model; not copied: in place."""
        given = library_floats(X)
        by_rows = sparse.issparse(given) or rows_first(given)
        if by_rows and not sparse.issparse(given):
            given = np.ascontiguousarray(given)
        model = self._model(given.dtype, X.shape[1], by_rows)
        try:
            if sparse.issparse(X):
                out = to_sparse(model.transform(self._context(), from_sparse(given), sparse=True),
                                X)
                return out if copy else write_back(out, X)
            out = np.empty(X.shape, model.output_type)
            model.transform(self._context(), table_of(given), out=out)
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=False)
        if copy:
            return as_given(out, X.dtype)
        X[...] = out
        return X

    def _serve_like(self, X, out, exactly=None):
        if type(X) is np.ndarray and X.ndim == 2:
            by_rows = rows_first(X)
            model = self._native.models.get((X.dtype, X.shape[1], by_rows))
            if model is not None:
                self._will_serve(X, out, model, exactly)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        tags.requires_fit = False
        return tags


@described
class Normalizer(Stateless):
    """Divide each row by its norm.

    Parameters, attributes and methods are those of `sklearn.preprocessing.Normalizer`."""

    def transform(self, X, copy=None):
        """X with rows of norm 1.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        copy : bool, default=None (the parameter `copy`)"""
        out = self._served(X) if copy is None else None
        if out is not None:
            return out
        copy = copy if copy is not None else self.copy
        given = X
        X = self._validated(X, True, reset=False, accept_sparse="csr", force_writeable=not copy,
                            copy=False, dtype=FLOAT_DTYPES)
        out = self._run(X, copy)
        self._serve_like(given, out, exactly=X.shape[0])
        return out


@described
class Binarizer(Stateless):
    """1 where a value is greater than the threshold, else 0.

    Parameters, attributes and methods are those of `sklearn.preprocessing.Binarizer`."""

    def _output_types(self, types):
        return [np.result_type(*types)] * len(types)

    def transform(self, X, copy=None):
        """0 and 1.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        copy : bool, default=None (the parameter `copy`)"""
        out = self._served(X) if copy is None else None
        if out is not None:
            return out
        copy = copy if copy is not None else self.copy
        given = X
        X = self._validated(X, True, reset=False, accept_sparse=["csr", "csc"],
                            force_writeable=not copy, copy=False)
        out = self._binarize(X, copy)
        self._serve_like(given, out)
        return out

    def _binarize(self, X, copy):
        if sparse.issparse(X) and self.threshold < 0:
            raise ValueError("Cannot binarize a sparse matrix with threshold < 0")
        return self._run(X, copy)


def norms_of(X, norm):
    """Norms of the rows: what the library divides by and does not hand out."""
    if norm == "l1":
        norms = np.abs(X).sum(axis=1)
    elif norm == "l2":
        norms = np.sqrt(np.einsum("ij,ij->i", X, X))
    else:
        norms = np.abs(X).max(axis=1)
    return np.where(norms < 10 * np.finfo(norms.dtype).eps, norms.dtype.type(1), norms)


@validate_params(
    {"X": ["array-like", "sparse matrix"], "norm": [StrOptions({"l1", "l2", "max"})],
     "axis": [Options(numbers.Integral, {0, 1})], "copy": ["boolean"],
     "return_norm": ["boolean"]},
    prefer_skip_nested_validation=True)
def normalize(X, norm="l2", *, axis=1, copy=True, return_norm=False):
    """Divides rows (axis 1) or columns (axis 0) by their norm; `sklearn.preprocessing.normalize`."""
    X = check_array(X, accept_sparse="csr" if axis == 1 else "csc", copy=False,
                    estimator="the normalize function", dtype=FLOAT_DTYPES,
                    force_writeable=not copy)
    if axis == 0:
        X = X.T
    norms = None
    if return_norm and sparse.issparse(X):
        if norm in ("l1", "l2"):
            raise NotImplementedError("return_norm=True is not implemented "
                                      "for sparse matrices with norm 'l1' or norm 'l2'")
        norms = np.asarray(abs(X).max(axis=1).todense()).ravel()
    elif return_norm:
        norms = norms_of(X, norm)
    out = Normalizer(norm=norm)._run(X, copy)
    if axis == 0:
        out = out.T
    return (out, norms) if return_norm else out


@validate_params(
    {"X": ["array-like", "sparse matrix"],
     "threshold": [Interval(numbers.Real, None, None, closed="neither")], "copy": ["boolean"]},
    prefer_skip_nested_validation=True)
def binarize(X, *, threshold=0.0, copy=True):
    """1 where a value is greater than the threshold, else 0; `sklearn.preprocessing.binarize`."""
    X = check_array(X, accept_sparse=["csr", "csc"], force_writeable=not copy, copy=False)
    return Binarizer(threshold=threshold)._binarize(X, copy)
