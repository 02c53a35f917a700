# SPDX-License-Identifier: Apache-2.0
"""Normalizer and Binarizer, which learn nothing, and their function forms."""
import numbers

import numpy as np
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, Options, StrOptions, validate_params
from sklearn.utils.validation import FLOAT_DTYPES

from .._host import check_array, fit_context, validate_data
from .._memory import empty
from .._sparse import from_sparse, to_sparse, write_back
from ..base import (Estimator, as_given, described, library_floats, model_of, refuse_non_finite,
                    table_of)


def rows_first(X):
    """Whether NumPy goes along the rows of X when it sums them."""
    return X.flags.c_contiguous or abs(X.strides[1]) < abs(X.strides[0])


def packed_rows(X):
    """X, a copy only if the values of its rows do not lie side by side."""
    return X if X.strides[1] == X.itemsize else np.ascontiguousarray(X)


class Stateless(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """What the two have in common: a model follows from parameters, columns and dtype."""

    _sparse_formats = "csr"
    _fusable = True
    _follows = True

    @fit_context
    def fit(self, X, y=None):
        """Check the parameters and X; nothing is learned but the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, whose number and names of columns later rows must have.
        y : None
            Not used.

        Returns
        -------
        self : object
            The estimator itself. A transform works without a fit too.

        Raises
        ------
        ValueError
            A parameter is not one of those that are allowed, or X has missing values, infinities, no row or
            no column, or cells that are no numbers.
        """
        validate_data(self, X, accept_sparse="csr")
        return self

    def _model(self, dtype, columns, matrix=True):
        key = tuple(getattr(self, word) for word in self._library_parameters)
        return self._remembered(key, (dtype, columns, matrix),
                                lambda: model_of(self, dtype, columns, {}, matrix))

    def _run(self, X, copy):
        """X, checked, through the model; not copied: in place."""
        given = library_floats(X)
        by_rows = sparse.issparse(given) or rows_first(given)
        if by_rows and not sparse.issparse(given):
            given = packed_rows(given)
        model = self._model(given.dtype, X.shape[1], by_rows)
        try:
            if sparse.issparse(X):
                out = to_sparse(model.transform(self._context(), from_sparse(given), sparse=True),
                                X)
                return out if copy else write_back(out, X)
            out = empty(X.shape, model.output_type)
            model.transform(self._context(), table_of(given), out=out)
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=False)
        if X.dtype.kind in "iu" and out.dtype.kind == "f":  # whole numbers have become floats
            return out
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

    Rows do not depend on each other; nothing is learned. A row whose norm is 0 stays as it is.

    Parameters
    ----------
    norm : {"l1", "l2", "max"}, default="l2"
        The sum of absolute values, the root of the sum of squares, or the largest absolute value.
    copy : bool, default=True
        False: `transform` writes into X where X is a float array or a CSR matrix.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.normalize : The same as a function, along columns too.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.Normalizer`. A sum of many values depends on their order;
    the library adds up as NumPy does for an array of the same memory layout, so the bits are
    scikit-learn's (``docs/numbers-norms.md``).

    Dense rows are divided on the configured device, sparse ones on the host.

    Examples
    --------
    >>> from quern.preprocessing import Normalizer
    >>> Normalizer().transform([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    >>> Normalizer(norm="max").transform([[3.0, 4.0]])
    array([[0.75, 1.  ]])
    """

    def transform(self, X, copy=None):
        """Divide each row by its norm.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows without missing values.
        copy : bool, default=None
            In the place of the parameter `copy`, if it is not None.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Rows of norm 1, in the dtype of X if that is a float, else float64.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or X has missing values, infinities, cells that are no
            numbers, or other columns than the fit saw.
        """
        out = self._served(X) if copy is None else None
        if out is not None:
            return out
        copy = copy if copy is not None else self.copy
        given = X
        X = self._validated(X, True, False, whole=True, accept_sparse="csr", force_writeable=not copy,
                            copy=False, dtype=FLOAT_DTYPES)
        out = self._run(X, copy)
        self._serve_like(given, out, exactly=X.shape[0])
        return out


@described
class Binarizer(Stateless):
    """1 where a value is greater than the threshold, else 0.

    Nothing is learned.

    Parameters
    ----------
    threshold : float, default=0.0
        Greater values become 1. It may not be negative for sparse matrices, which would be filled up.
    copy : bool, default=True
        False: `transform` writes into X where X is an array or a CSR or CSC matrix of numbers.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.binarize : The same as a function.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.Binarizer`, and the bits are; of a sparse matrix no zero
    is stored. Dense rows are compared on the configured device, sparse ones on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import Binarizer
    >>> Binarizer(threshold=2).transform(np.array([[1, 2, 3], [5, 0, 2]]))
    array([[0, 0, 1],
           [1, 0, 0]])
    """

    def _output_types(self, types):
        return [np.result_type(*types)] * len(types)

    def transform(self, X, copy=None):
        """Compare each value with the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers or booleans without missing values.
        copy : bool, default=None
            In the place of the parameter `copy`, if it is not None.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            0 and 1 in the dtype of X.

        Raises
        ------
        ValueError
            X has missing values, infinities, cells that are no numbers or other columns than the fit saw,
            or is sparse while the threshold is negative.
        """
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
    """Divide rows, or columns, by their norm.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Numbers without missing values. A sparse matrix becomes CSR, or CSC along axis 0.
    norm : {"l1", "l2", "max"}, default="l2"
        The sum of absolute values, the root of the sum of squares, or the largest absolute value.
    axis : {0, 1}, default=1
        1: each row is divided by its norm; 0: each column.
    copy : bool, default=True
        False: writes into X where X is a float array or a matrix of that form.
    return_norm : bool, default=False
        Give the norms too.

    Returns
    -------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows, or columns, of norm 1, in the dtype of X if that is a float, else float64.
    norms : ndarray of shape (n_samples,) or (n_features,)
        With `return_norm`: what was divided by, 1 in the place of 0.

    Raises
    ------
    ValueError
        A parameter is not one of those above, or X has missing values, infinities or cells that are no
        numbers.
    NotImplementedError
        The norms "l1" and "l2" of a sparse matrix are asked for.

    See Also
    --------
    quern.preprocessing.Normalizer : The same as an estimator.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.normalize`. The norms that are returned are computed by
    NumPy on the host, beside those that the library divides by.

    Examples
    --------
    >>> from quern.preprocessing import normalize
    >>> normalize([[3.0, 4.0], [5.0, 12.0]], return_norm=True)
    (array([[0.6       , 0.8       ],
           [0.38461538, 0.92307692]]), array([ 5., 13.]))
    """
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
    """1 where a value is greater than the threshold, else 0.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Numbers or booleans without missing values.
    threshold : float, default=0.0
        Greater values become 1. It may not be negative for sparse matrices.
    copy : bool, default=True
        False: writes into X where X is an array or a CSR or CSC matrix of numbers.

    Returns
    -------
    X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
        0 and 1 in the dtype of X.

    Raises
    ------
    ValueError
        X has missing values, infinities or cells that are no numbers, or is sparse while the threshold
        is negative.

    See Also
    --------
    quern.preprocessing.Binarizer : The same as an estimator.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.binarize`.

    Examples
    --------
    >>> from quern.preprocessing import binarize
    >>> binarize([[0.4, 0.6, 0.5]], threshold=0.5)
    array([[0., 1., 0.]])
    """
    X = check_array(X, accept_sparse=["csr", "csc"], force_writeable=not copy, copy=False)
    return Binarizer(threshold=threshold)._binarize(X, copy)
