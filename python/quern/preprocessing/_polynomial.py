# SPDX-License-Identifier: Apache-2.0
"""PolynomialFeatures."""
import collections.abc
import itertools
from math import comb
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import TransformerMixin, _fit_context
from sklearn.utils.validation import FLOAT_DTYPES, _check_feature_names_in, check_is_fitted

from .._host import validate_data
from .._memory import empty
from .._sparse import as_configured
from ..base import Estimator, described, float_dtype, model_of, refuse_non_finite, table_of
from ._products import of_columns, of_sparse


@described
class PolynomialFeatures(TransformerMixin, Estimator):
    """Products of columns up to a degree.

    With the columns a and b and the degree 2: 1, a, b, a^2, a b, b^2.

    Parameters
    ----------
    degree : int or tuple (least, greatest), default=2
        The greatest degree; a tuple leaves out the products below the least, of which 0 means the same as 1.
    interaction_only : bool, default=False
        Only products of columns that differ.
    include_bias : bool, default=True
        Begin with a column of ones.
    order : {"C", "F"}, default="C"
        How dense outputs lie in memory.

    Attributes
    ----------
    n_output_features_ : int
        Number of output columns.
    powers_ : ndarray of shape (n_output_features_, n_features_in_)
        The exponent of each input column in each output column.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.PolynomialFeatures`, and the bits are: a product runs from the
    last column to the first. Dense rows of float32 and float64 are computed on the configured device; sparse
    matrices and float16 by NumPy on the host.

    Examples
    --------
    >>> from quern.preprocessing import PolynomialFeatures
    >>> poly = PolynomialFeatures(2, interaction_only=True)
    >>> poly.fit_transform([[2.0, 3.0], [4.0, 5.0]])
    array([[ 1.,  2.,  3.,  6.],
           [ 1.,  4.,  5., 20.]])
    >>> poly.get_feature_names_out()
    array(['1', 'x0', 'x1', 'x0 x1'], dtype=object)
    """

    _fusable = True
    _follows = True
    _changes_width = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Count the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, whose number and names of columns later rows must have.
        y : None
            Not used.

        Returns
        -------
        self : PolynomialFeatures
            The fitted estimator.

        Raises
        ------
        ValueError
            The degree is none, or leaves no column; there would be too many columns; or X has missing values,
            infinities, no row or no column, or cells that are no numbers.
        """
        self._count(validate_data(self, X, accept_sparse=True).shape[1])
        return self

    def _count(self, columns):
        self._min_degree, self._max_degree = self._degrees()
        chosen = self._max_degree, self.interaction_only, self.include_bias
        self.n_output_features_ = self._num_combinations(columns, self._min_degree, *chosen)
        self._n_out_full = self._num_combinations(columns, 0, *chosen)
        if self.n_output_features_ > np.iinfo(np.intp).max:
            raise ValueError(
                "The output that would result from the current configuration would have "
                f"{self.n_output_features_} features which is too large to be indexed by "
                f"{np.intp().dtype.name}. Give fewer columns (n_features={columns}), a smaller degree "
                f"(now [{self._min_degree}, {self._max_degree}]), or interaction_only=True.")

    def _degrees(self):
        degree = self.degree
        if isinstance(degree, Integral):
            if degree == 0 and not self.include_bias:
                raise ValueError("Setting degree to zero and include_bias to False would result in an empty "
                                 "output array.")
            return 0, degree
        if not isinstance(degree, collections.abc.Iterable) or len(degree) != 2:
            raise ValueError("degree must be a non-negative int or tuple (min_degree, max_degree), got "
                             f"{degree}.")
        least, most = degree
        if not (isinstance(least, Integral) and isinstance(most, Integral) and 0 <= least <= most):
            raise ValueError("degree=(min_degree, max_degree) must be non-negative integers that fulfil "
                             f"min_degree <= max_degree, got {degree}.")
        if most == 0 and not self.include_bias:
            raise ValueError("Setting both min_degree and max_degree to zero and include_bias to False would "
                             "result in an empty output array.")
        return least, most

    @staticmethod
    def _num_combinations(n_features, min_degree, max_degree, interaction_only, include_bias):
        """The number of output columns."""
        columns, least, most = int(n_features), max(1, int(min_degree)), int(max_degree)
        if interaction_only:
            found = sum(comb(columns, k) for k in range(least, min(most, columns) + 1))
        else:
            found = comb(columns + most, most) - comb(columns + least - 1, least - 1)
        return max(found, 0) + bool(include_bias)

    @staticmethod
    def _combinations(n_features, min_degree, max_degree, interaction_only, include_bias):
        """The input columns of each output column, in order."""
        pick = itertools.combinations if interaction_only else itertools.combinations_with_replacement
        if include_bias:
            yield ()
        for k in range(max(1, min_degree), max_degree + 1):
            yield from pick(range(n_features), k)

    def _products(self):
        check_is_fitted(self)
        return self._combinations(self.n_features_in_, self._min_degree, self._max_degree,
                                  self.interaction_only, self.include_bias)

    @property
    def powers_(self):
        """The exponent of each input column in each output column."""
        rows = [np.bincount(product, minlength=self.n_features_in_) for product in self._products()]
        return np.vstack(rows) if rows else np.empty((0, self.n_features_in_), np.int64)

    def get_feature_names_out(self, input_features=None):
        """Name the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The names of the input columns; None: those of the fit, or x0, x1, ...

        Returns
        -------
        feature_names_out : ndarray of str objects
            "1", "a", "a^2", "a b", and so on.

        Raises
        ------
        ValueError
            The names are not those of the fit, or not as many as its columns.
        sklearn.exceptions.NotFittedError
            There was no fit.
        """
        check_is_fitted(self)
        given = _check_feature_names_in(self, input_features)
        names = []
        for product in self._products():
            parts = [(given[i], sum(1 for _ in same)) for i, same in itertools.groupby(product)]
            names.append(" ".join(f"{name}^{n}" if n > 1 else name for name, n in parts) or "1")
        return np.asarray(names, dtype=object)

    def transform(self, X):
        """Multiply columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows without missing values.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_output_features_)
            The products, in the dtype of X if that is a float, else float64; sparse of a sparse matrix.

        Raises
        ------
        ValueError
            X has missing values, infinities, cells that are no numbers, or other columns than the fit saw.
        sklearn.exceptions.NotFittedError
            There was no fit.
        """
        check_is_fitted(self)
        X = self._validated(X, self._sees_all(), False, whole=True, dtype=FLOAT_DTYPES,
                            accept_sparse=("csr", "csc"))
        if sparse.issparse(X):
            return as_configured(of_sparse(X, self._min_degree, self._max_degree, self.interaction_only,
                                           self.include_bias))
        if X.dtype == np.float16:
            out = of_columns(X, self._products(), self.n_output_features_)
            return np.asfortranarray(out) if self.order == "F" else out
        out = empty((X.shape[0], self.n_output_features_), float_dtype(X))
        if out.size == 0:
            return out
        model = self._remembered(self._fused_key(), (X.dtype.name, X.shape[1]),
                                 lambda: model_of(self, X.dtype.name, X.shape[1], {}, True))
        try:
            model.transform(self._context(), table_of(X), out=out)
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=False)
        return np.asfortranarray(out) if self.order == "F" else out

    def _check_namespace(self):
        if self.order == "F":
            raise ValueError("PolynomialFeatures does not support order='F' for non-numpy arrays")

    def _sees_all(self):
        """Whether each column is in a product, so that the library notices what may not be there."""
        columns = self.n_features_in_
        return self._max_degree >= 2 and (not self.interaction_only or 2 <= columns >= self._min_degree)

    # -- as a part of a larger model --

    def _output_width(self, width):
        return self.n_output_features_

    def _adopt(self, found, types, rows):
        self._count(len(types))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags


__all__ = ["PolynomialFeatures"]
