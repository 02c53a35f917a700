# SPDX-License-Identifier: Apache-2.0
"""MinMaxScaler."""
import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils.validation import FLOAT_DTYPES, validate_data

from ..base import described
from ._scalers import Scaler, zero_is_one


@described
class MinMaxScaler(Scaler):
    """Map each column's range to `feature_range`.

    Parameters, attributes and methods are those of `sklearn.preprocessing.MinMaxScaler`."""

    _learned = ("scale_", "min_", "data_min_", "data_max_", "data_range_")
    _vectors = ("scale_", "min_")
    _switches = ("clip", "feature_range")

    def _tensors(self):
        tensors = {name: self._vector(name, 0.0) for name in self._learned}
        tensors["n_samples_seen_"] = self._counts(1)
        return tensors

    def fit(self, X, y=None):
        """Learns each column's range.

        X : array-like of shape (n_samples, n_features)"""
        self._forget()
        return self._partial_fit(X, False)

    def partial_fit(self, X, y=None):
        """Learns from more rows."""
        return self._partial_fit(X, True)

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, goes_on):
        low, high = self.feature_range
        if low >= high:
            raise ValueError("Minimum of desired feature range must be smaller than maximum. Got "
                             f"{self.feature_range}.")
        if sparse.issparse(X):
            raise TypeError("MinMaxScaler does not support sparse input. "
                            "Consider using MaxAbsScaler instead.")
        first = not hasattr(self, "n_samples_seen_")
        X = validate_data(self, X, reset=first, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        vectors = {name: found[name].astype(X.dtype) for name in self._learned}
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
