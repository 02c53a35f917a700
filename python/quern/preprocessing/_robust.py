# SPDX-License-Identifier: Apache-2.0
"""RobustScaler."""
import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils.validation import FLOAT_DTYPES, validate_data

from ..base import described
from ._scalers import Scaler


@described
class RobustScaler(Scaler):
    """Subtract the median and divide by the range between two quantiles, per column.

    Parameters, attributes and methods are those of `sklearn.preprocessing.RobustScaler`."""

    _learned = ("center_", "scale_")
    _vectors = ("center_", "scale_")
    _switches = ("with_centering", "with_scaling")
    _sparse_formats = ("csr", "csc")

    def _tensors(self):
        tensors = {}
        if self.with_centering:
            tensors["center_"] = self._vector("center_", 0.0)
        if self.with_scaling:
            tensors["scale_"] = self._vector("scale_", 1.0)
        return tensors

    def _take(self, found, dtype, rows):
        self.center_ = (found["center_"].astype(dtype)
                        if self.with_centering else None)
        self.scale_ = np.array(found["scale_"]) if self.with_scaling else None

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learns medians and quantiles.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)"""
        X = validate_data(self, X, accept_sparse="csc", dtype=FLOAT_DTYPES,
                          ensure_all_finite="allow-nan")
        low, high = self.quantile_range
        if not 0 <= low <= high <= 100:
            raise ValueError(f"Invalid quantile range: {self.quantile_range}")
        if self.with_centering and sparse.issparse(X):
            raise ValueError("Cannot center sparse matrices: use `with_centering=False`"
                             " instead. See docstring for motivation and alternatives.")
        found, _ = self._learn(X)
        self._take(found, X.dtype, X.shape[0])
        self._remember()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_centering
        return tags
