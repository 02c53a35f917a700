# SPDX-License-Identifier: Apache-2.0
"""MeanNormalizationScaler."""
import numpy as np
from sklearn.utils.validation import FLOAT_DTYPES

from .._host import fit_context
from ..base import described
from ._scalers import Scaler


@described
class MeanNormalizationScaler(Scaler):
    """Subtract each column's mean and divide by its range.

    A value ``x`` becomes ``(x - mean_) / range_``: columns come to lie within [-1, 1], with the mean 0. Constant
    columns become 0. Missing values (NaN) take no part in the fit and stay where they are.

    Parameters
    ----------
    copy : bool, default=True
        False: `transform` writes into X where X is a float array.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,), dtype float64
        Means.
    range_ : ndarray of shape (n_features,), dtype float64
        Greatest less least value of each column.
    data_min_, data_max_ : ndarray of shape (n_features,), dtype float64
        Least and greatest value of each column.
    n_samples_seen_ : ndarray of shape (n_features,), dtype int64
        Number of values of each column that are not missing.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.StandardScaler : Divides by the standard deviation.
    quern.preprocessing.MinMaxScaler : Subtracts the least value.

    Notes
    -----
    Scikit-learn has no such class; the meaning is that of feature-engine's MeanNormalizationScaler, which refuses
    constant columns. Attributes are rounded to the dtype of the rows, as each operation is.

    Statistics, the transform and the way back are computed on the configured device.

    Examples
    --------
    >>> from quern.preprocessing import MeanNormalizationScaler
    >>> scaler = MeanNormalizationScaler().fit([[0.0, 3.0], [2.0, 3.0], [10.0, 3.0]])
    >>> scaler.transform([[4.0, 3.0], [9.0, 3.0]])
    array([[0. , 0. ],
           [0.5, 0. ]])
    """

    _learned = ("mean_", "range_", "data_min_", "data_max_")
    _vectors = ("mean_", "range_")

    def _tensors(self):
        tensors = {name: self._vector(name, 0.0) for name in self._learned}
        tensors["n_samples_seen_"] = self._counts(self.n_features_in_)
        return tensors

    def fit(self, X, y=None):
        """Learn each column's mean and range.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : MeanNormalizationScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or X has infinities, no row or no column, or cells that
            are no numbers.
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
        self : MeanNormalizationScaler
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
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, True, first, whole=not goes_on, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        vectors = {name: found[name] for name in (*self._learned, "n_samples_seen_")}
        self.__dict__.update(vectors if whole else self._merged(vectors))
        self._remember()
        return self

    def _merged(self, new):
        """Where somebody changed attributes between two calls."""
        before, more = self.n_samples_seen_, new["n_samples_seen_"]
        count = before + more
        old_mean, new_mean = np.where(before == 0, 0.0, self.mean_), np.where(more == 0, 0.0, new["mean_"])
        low = np.fmin(self.data_min_, new["data_min_"])
        high = np.fmax(self.data_max_, new["data_max_"])
        with np.errstate(invalid="ignore"):
            mean = (old_mean * before + new_mean * more) / count
        return {"mean_": mean, "range_": high - low, "data_min_": low, "data_max_": high,
                "n_samples_seen_": count}

    def _take(self, found, dtype, rows):
        self.__dict__.update({name: found[name] for name in (*self._learned, "n_samples_seen_")})
