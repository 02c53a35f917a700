# SPDX-License-Identifier: Apache-2.0
"""QuantileTransformer."""
import warnings

import numpy as np
from scipy import sparse, stats
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from .._draw import fit_drawn, known_seed
from .._host import check_array, fit_context
from .._memory import empty
from ..base import (Estimator, as_given, described, float_dtype, is_plain_matrix, learned, library_floats,
                    model_of, refuse_non_finite, table_of)

_BOUND = 1e-7  # what is nearer to an end of the range than this is at the end


@described
class QuantileTransformer(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Map each column's distribution to a uniform or a normal one.

    A value becomes the share of the fit's values that are below it, interpolated between quantiles, or the
    normal distribution's quantile of that share. Missing values (NaN) take no part in the fit and stay
    where they are.

    Parameters
    ----------
    n_quantiles : int, default=1000
        Knots of the map; no more than there are rows.
    output_distribution : {"uniform", "normal"}, default="uniform"
        What the columns are distributed like afterwards.
    ignore_implicit_zeros : bool, default=False
        Whether zeros that a sparse matrix does not store take no part in the fit.
    subsample : int or None, default=10_000
        Fits of more rows learn from so many, drawn without replacement. None: from all.
    random_state : int, RandomState instance or None, default=None
        Where the draw starts.
    copy : bool, default=True
        False: `transform` writes into X where X is a float array or a CSC matrix.

    Attributes
    ----------
    n_quantiles_ : int
        Knots that there are.
    quantiles_ : ndarray of shape (n_quantiles_, n_features)
        The fit's quantiles.
    references_ : ndarray of shape (n_quantiles_,)
        The shares whose quantiles they are, from 0 to 1.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.RobustScaler : Keeps the distribution's shape.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.QuantileTransformer`; the same rows are drawn for the same
    `random_state`.

    Quantiles, and the transform of arrays and its way back, are computed on the configured device. Sparse
    matrices are fitted and transformed in NumPy on the host.

    Examples
    --------
    >>> from quern.preprocessing import QuantileTransformer
    >>> X = [[0.0], [1.0], [2.0], [10.0], [100.0]]
    >>> QuantileTransformer(n_quantiles=5).fit(X).transform([[1.5], [6.0], [1000.0]])
    array([[0.375],
           [0.625],
           [1.   ]])
    """

    @fit_context
    def fit(self, X, y=None):
        """Learn the quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64. A sparse
            matrix has no negative values, unless `ignore_implicit_zeros` is set.
        y : None
            Not used.

        Returns
        -------
        self : QuantileTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or there are more quantiles than `subsample`; X has
            infinities, no row or no column, cells that are no numbers, or is sparse and has negative values.

        Warns
        -----
        UserWarning
            There are more quantiles than rows, or `ignore_implicit_zeros` is set for an array.
        """
        if self.subsample is not None and self.n_quantiles > self.subsample:
            raise ValueError("The number of quantiles cannot be greater than the number of samples used. "
                             f"Got {self.n_quantiles} quantiles and {self.subsample} samples.")
        X = self._validated(X, True, True, whole=True, accept_sparse="csc", dtype=FLOAT_DTYPES,
                            ensure_all_finite="allow-nan")
        self._refuse_negative(X)
        rows = X.shape[0]
        if self.n_quantiles > rows:
            warnings.warn(f"n_quantiles ({self.n_quantiles}) is greater than the total number of "
                          f"samples ({rows}). n_quantiles is set to n_samples.")
        self.n_quantiles_ = max(1, min(self.n_quantiles, rows))
        self.references_ = np.linspace(0, 1, self.n_quantiles_, endpoint=True)
        if sparse.issparse(X):
            self.quantiles_ = self._sparse_quantiles(X, check_random_state(self.random_state))
            return self
        if self.ignore_implicit_zeros:
            warnings.warn("'ignore_implicit_zeros' takes effect only with sparse matrix. This "
                          "parameter has no effect.")
        self.quantiles_ = self._library_quantiles(X)
        return self

    def _library_quantiles(self, X):
        try:
            model = fit_drawn(self, library_floats(X), replace=False)
        except ValueError as error:
            refuse_non_finite(error, X, self)
        return learned(model)["quantiles_"].reshape(self.n_quantiles_, X.shape[1])

    def _sparse_quantiles(self, X, random_state):
        rows, found = X.shape[0], []
        for j in range(X.shape[1]):
            stored = X.data[X.indptr[j] : X.indptr[j + 1]]
            if self.subsample is not None and len(stored) > self.subsample:
                values = np.zeros(self.subsample, X.dtype)
                part = (self.subsample if self.ignore_implicit_zeros
                        else self.subsample * len(stored) // rows)
                values[:part] = random_state.choice(stored, size=part, replace=False)
            else:
                values = np.zeros(len(stored) if self.ignore_implicit_zeros else rows, X.dtype)
                values[: len(stored)] = stored
            found.append(np.nanpercentile(values, self.references_ * 100) if values.size
                         else np.zeros(len(self.references_)))
        return np.transpose(found)

    def _refuse_negative(self, X):
        if sparse.issparse(X) and not self.ignore_implicit_zeros and np.any(X.data < 0):
            raise ValueError("QuantileTransformer only accepts non-negative sparse matrices.")

    # -- the model --

    def _json(self):
        return super()._json() | {"n_quantiles": int(self.n_quantiles), "random_state": known_seed(self.random_state)}

    def _tensors_for(self, types):
        return {"quantiles_": np.ascontiguousarray(self.quantiles_, np.float64).ravel(),
                "references_": np.asarray(self.references_, np.float64)}

    def _model(self, X):
        key = (self.output_distribution, *(np.asarray(value).tobytes() for value in
                                           (self.quantiles_, self.references_)))
        return self._remembered(key, X.dtype.name, lambda: model_of(
            self, X.dtype.name, self.n_features_in_, self._tensors_for(None), True))

    # -- transforming --

    def transform(self, X):
        """Map rows by the quantiles of the fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Of a sparse matrix, which becomes CSC, the stored values are mapped.

        Returns
        -------
        Xt : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The mapped rows, in the dtype of X (floats) or float64.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns or other names than the fit saw, cells that are no
            numbers, or is sparse and has negative values.
        """
        check_is_fitted(self)
        X = self._validated(X, True, False, whole=True, accept_sparse="csc", copy=False, dtype=FLOAT_DTYPES,
                            force_writeable=not self.copy, ensure_all_finite="allow-nan")
        self._refuse_negative(X)
        return self._run(X, False)

    def inverse_transform(self, X):
        """Map rows back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Mapped rows. Their column names are not looked at.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Values with those shares, in the dtype of X (floats) or float64.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns than the fit saw, or cells that are no numbers.
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse="csc", copy=False, dtype=FLOAT_DTYPES,
                        force_writeable=not self.copy,
                        ensure_all_finite=False if is_plain_matrix(X) else "allow-nan")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} features, but QuantileTransformer is expecting "
                             f"{self.n_features_in_} features as input.")
        return self._run(X, True)

    def _run(self, X, back):
        if sparse.issparse(X):
            return self._run_sparse(X.copy() if self.copy else X, back)
        given = library_floats(X)
        model = self._model(given)
        call = model.inverse_transform if back else model.transform
        out = empty(X.shape, float_dtype(given))
        try:
            call(self._context(), table_of(given), out=out)
        except ValueError as error:
            refuse_non_finite(error, X, self)
        if not self.copy and X.dtype.kind == "f":
            X[...] = out
            return X
        return as_given(out, float_dtype(X))

    def _run_sparse(self, X, back):
        for j in range(X.shape[1]):
            part = slice(X.indptr[j], X.indptr[j + 1])
            X.data[part] = self._mapped(X.data[part], self.quantiles_[:, j], back)
        return X

    def _mapped(self, x, quantiles, back):
        """The values of a column, in NumPy."""
        normal = self.output_distribution == "normal"
        if back and normal:
            x = stats.norm.cdf(x)
        ends, to = ((0, 1), (quantiles[0], quantiles[-1])) if back else (quantiles[[0, -1]], (0, 1))
        first = x - _BOUND < ends[0] if normal else x == ends[0]
        last = x + _BOUND > ends[1] if normal else x == ends[1]
        if back:
            out = np.interp(x, self.references_, quantiles)
        else:
            there = np.interp(x, quantiles, self.references_)
            out = 0.5 * (there - np.interp(-x, -quantiles[::-1], -self.references_[::-1]))
        out = out.astype(x.dtype)
        out[np.isnan(x)] = np.nan
        out[last], out[first] = to[1], to[0]
        if normal and not back:
            end = _BOUND - np.spacing(1)
            out = np.clip(stats.norm.ppf(out), stats.norm.ppf(end), stats.norm.ppf(1 - end))
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags
