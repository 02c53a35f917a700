# SPDX-License-Identifier: Apache-2.0
"""MinMaxScaler."""
import numpy as np
from scipy import sparse
from sklearn.utils.validation import FLOAT_DTYPES

from .._host import fit_context
from ..base import described, float_dtype
from ._scalers import Scaler, zero_is_one


@described
class MinMaxScaler(Scaler):
    """Map each column's range to `feature_range`.

    A value ``x`` becomes ``x * scale_ + min_``: a column's least value goes to the lower end of
    `feature_range`, its greatest to the upper end. Missing values (NaN) take no part in the fit and stay
    where they are.

    Parameters
    ----------
    feature_range : tuple (min, max), default=(0, 1)
        Where the range goes.
    copy : bool, default=True
        False: `transform` writes into X where X is a float array.
    clip : bool, default=False
        Limit what `transform` gives to `feature_range`, for values outside of the learned range.

    Attributes
    ----------
    data_min_, data_max_, data_range_ : ndarray of shape (n_features,)
        Least and greatest value of each column, and their difference, in the dtype of the rows
        (float32 or float64).
    scale_, min_ : ndarray of shape (n_features,)
        Factor and summand of each column, in the same dtype.
    n_samples_seen_ : int
        Number of rows, those with missing values included.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.minmax_scale : The same as a function, along rows too.
    quern.preprocessing.MaxAbsScaler : Keeps zeros, so takes sparse matrices.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.MinMaxScaler`, attributes included, bit for bit.

    Extremes and the transform run on the configured device.

    Examples
    --------
    >>> from quern.preprocessing import MinMaxScaler
    >>> scaler = MinMaxScaler(clip=True).fit([[0.0, -4.0], [10.0, 4.0]])
    >>> scaler.transform([[5.0, 0.0], [20.0, 2.0]])
    array([[0.5 , 0.5 ],
           [1.  , 0.75]])
    """

    _learned = ("scale_", "min_", "data_min_", "data_max_", "data_range_")
    _vectors = ("scale_", "min_")
    _switches = ("clip", "feature_range")

    def _tensors(self):
        tensors = {name: self._vector(name, 0.0) for name in self._learned}
        tensors["n_samples_seen_"] = self._counts(1)
        return tensors

    def fit(self, X, y=None):
        """Learn each column's range.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : MinMaxScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            A parameter is not one of those above, `feature_range` does not ascend, or X has infinities, no
            row or no column, or cells that are no numbers.
        TypeError
            X is sparse.
        """
        self._forget()
        return self._partial_fit(X, False)

    def partial_fit(self, X, y=None):
        """Learn from more rows, in addition to those before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The next rows, with the columns of the first call.
        y : None
            Not used.

        Returns
        -------
        self : MinMaxScaler
            The scaler, fitted to all rows so far: with the attributes of one `fit` of them.

        Raises
        ------
        ValueError
            As for `fit`; or the columns are not those of the first call.
        TypeError
            X is sparse.
        """
        return self._partial_fit(X, True)

    @fit_context
    def _partial_fit(self, X, goes_on):
        low, high = self.feature_range
        if low >= high:
            raise ValueError("Minimum of desired feature range must be smaller than maximum. Got "
                             f"{self.feature_range}.")
        if sparse.issparse(X):
            raise TypeError("MinMaxScaler does not support sparse input. "
                            "Consider using MaxAbsScaler instead.")
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, True, first, whole=not goes_on, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        vectors = {name: found[name].astype(float_dtype(X)) for name in self._learned}
        if not whole:
            vectors = self._merged(vectors)
        self.n_samples_seen_ = X.shape[0] + (0 if first else self.n_samples_seen_)
        self.__dict__.update(vectors)
        self._remember()
        return self

    def _merged(self, new):
        low = np.minimum(self.data_min_, new["data_min_"])
        high = np.maximum(self.data_max_, new["data_max_"])
        first, last = (low.dtype.type(v) for v in self.feature_range)
        scale = (last - first) / zero_is_one(high - low)
        return {"scale_": scale, "min_": first - low * scale, "data_min_": low, "data_max_": high,
                "data_range_": high - low}
