# SPDX-License-Identifier: Apache-2.0
"""StandardScaler."""
import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        pass
from sklearn.utils.validation import (FLOAT_DTYPES, _check_sample_weight, check_is_fitted,
                                      validate_data)

from ..base import described
from ._scalers import Scaler

CALLBACKS = hasattr(CallbackSupportMixin, "set_callbacks")


@described
class StandardScaler(CallbackSupportMixin, Scaler):
    """Subtract the mean and divide by the standard deviation, per column.

    Parameters, attributes and methods are those of `sklearn.preprocessing.StandardScaler`."""

    _learned = ("scale_", "mean_", "var_")
    _vectors = ("mean_", "scale_")
    _switches = ("with_mean", "with_std")
    _sparse_formats = "csr"

    def _tensors(self):
        n = self.n_features_in_
        tensors = {"n_samples_seen_": self._counts(n)}
        if self.with_mean or self.with_std:
            tensors["mean_"] = self._vector("mean_", 0.0)
        if self.with_std:
            tensors["scale_"] = self._vector("scale_", 1.0)
            tensors["var_"] = self._vector("var_", 1.0)
        return tensors

    def _take(self, found, dtype, rows):
        for name in self._learned:
            value = found.get(name)
            self.__dict__[name] = None if value is None else np.array(value)
        counted = np.float64 if self.with_mean or self.with_std else np.int64
        seen = found["n_samples_seen_"].astype(counted)
        self.n_samples_seen_ = seen[0] if np.min(seen) == np.max(seen) else seen

    def fit(self, X, y=None, sample_weight=None):
        """Learns mean and standard deviation.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None"""
        self._forget()
        return self._partial_fit(X, y, sample_weight, False)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Learns from more rows."""
        return self._partial_fit(X, y, sample_weight, True)

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, y, sample_weight, goes_on):
        first = not hasattr(self, "n_samples_seen_")
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=FLOAT_DTYPES,
                          ensure_all_finite="allow-nan", reset=first)
        tell = {"estimator": self, "X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        callbacks = self._init_callback_context() if CALLBACKS else None
        if callbacks is not None:
            callbacks.call_on_fit_task_begin(**tell)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` "
                             "instead. See docstring for motivation and alternatives.")
        found, whole = self._learn(X, sample_weight, goes_on, first)
        seen = found["n_samples_seen_"]
        seen = self._counted(seen, X, sample_weight)
        mean, var, scale = (found.get(k) for k in ("mean_", "var_", "scale_"))
        if sparse.issparse(X) and not self.with_std:
            mean = None
        if not whole:
            mean, var, seen = merge_moments(
                (self.mean_, self.var_, self.n_samples_seen_), (mean, var, seen))
        self.mean_ = None if mean is None else np.array(mean)
        self.var_ = None if var is None else np.array(var)
        self.n_samples_seen_ = seen[0] if np.min(seen) == np.max(seen) else np.array(seen)
        if not self.with_std:
            self.scale_ = None
        elif whole:
            self.scale_ = np.array(scale)
        else:
            self.scale_ = standard_scale(self.mean_, self.var_, self.n_samples_seen_)
        self._remember()
        if callbacks is not None:
            callbacks.call_on_fit_task_end(**tell, reconstruction_attributes={})
        return self

    def _counted(self, seen, X, sample_weight):
        """Counts in the dtype that scikit-learn's arithmetic leaves them in."""
        if sparse.issparse(X):
            if self.with_std or sample_weight is not None:
                return seen.astype(X.dtype)
            return seen.astype(np.int64)
        return seen.astype(np.float64 if self.with_mean or self.with_std else np.int64)

    def transform(self, X, copy=None):
        """X, standardized.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        copy : bool, default=None (the parameter `copy`)"""
        if copy is None:
            served = self._served(X)
            if served is not None:
                return served
            copy = self.copy
        check_is_fitted(self)
        X = self._checked(X, copy)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` "
                             "instead. See docstring for motivation and alternatives.")
        return self._run(X, copy)

    def inverse_transform(self, X, copy=None):
        """The way back."""
        check_is_fitted(self)
        copy = copy if copy is not None else self.copy
        X = self._checked_back(X, copy)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot uncenter sparse matrices: pass `with_mean=False` "
                             "instead See docstring for motivation and alternatives.")
        return self._run(X, copy, inverse=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_mean
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def merge_moments(before, new):
    """Means and variances of two sets of rows together, per column (Chan, Golub, LeVeque)."""
    mean_a, var_a, n_a = before
    mean_b, var_b, n_b = new
    n_b = np.asarray(n_b)
    n_a = np.broadcast_to(np.asarray(n_a), n_b.shape)
    total = n_a + n_b
    if mean_a is None or mean_b is None:
        return None, None, total
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, n_b / total, 0.0)
    old, new_ = np.where(n_a > 0, mean_a, mean_b), np.where(n_b > 0, mean_b, mean_a)
    delta = new_ - old
    mean = np.where(n_a > 0, old + delta * share, new_)
    if var_a is None or var_b is None:
        return mean, None, total
    va, vb = np.where(n_a > 0, var_a, 0.0), np.where(n_b > 0, var_b, 0.0)
    var = va * (1 - share) + vb * share + delta * delta * (1 - share) * share
    return mean, np.where(total > 0, var, np.nan), total


def standard_scale(mean, var, n):
    """docs/numbers.md: 1 where the column cannot be told from a constant one."""
    eps = np.finfo(np.float64).eps
    with np.errstate(invalid="ignore"):
        constant = var <= n * eps * var + (n * mean * eps) ** 2
        scale = np.sqrt(var)
    scale[constant] = 1.0
    return scale
