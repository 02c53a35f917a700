# SPDX-License-Identifier: Apache-2.0
"""MaxAbsScaler."""
import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.validation import FLOAT_DTYPES, validate_data

from ..base import described
from ._scalers import Scaler, zero_is_one


@described
class MaxAbsScaler(Scaler):
    """Divide each column by its largest absolute value.

    Parameters, attributes and methods are those of `sklearn.preprocessing.MaxAbsScaler`."""

    _learned = ("scale_", "max_abs_")
    _vectors = ("scale_",)
    _switches = ("clip",)
    _sparse_formats = ("csr", "csc")

    def _tensors(self):
        return {"max_abs_": self._vector("max_abs_", 1.0), "scale_": self._vector("scale_", 1.0),
                "n_samples_seen_": self._counts(1)}

    def fit(self, X, y=None):
        """Learns each column's largest absolute value.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)"""
        self._forget()
        return self._partial_fit(X, False)

    def partial_fit(self, X, y=None):
        """Learns from more rows."""
        return self._partial_fit(X, True)

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, goes_on):
        first = not hasattr(self, "n_samples_seen_")
        X = validate_data(self, X, reset=first, accept_sparse=("csr", "csc"), dtype=FLOAT_DTYPES,
                          ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        largest, scale = (found[name].astype(X.dtype) for name in ("max_abs_", "scale_"))
        if not whole:
            largest = np.maximum(self.max_abs_, largest)
            scale = zero_is_one(largest)
        self.n_samples_seen_ = X.shape[0] + (0 if first else self.n_samples_seen_)
        self.max_abs_, self.scale_ = largest, scale
        self._remember()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
