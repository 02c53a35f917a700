# SPDX-License-Identifier: Apache-2.0
"""NumPy's version of the estimators that scikit-learn has no class for, written from their definitions: the
peers of grid_cases.py and, in specs, of reference.py.

`twin(ours)` makes one with the attributes of quern's estimator; its transform is then what quern's must be bit
for bit, but for sines and cosines."""
import fractions
import math

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin


def floats(X):
    """Rows as the scalers compute with them."""
    X = np.asarray(X)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)


def finite(X, nan=True):
    bad = np.isinf(X) if nan else ~np.isfinite(X)
    if bad.any():
        raise ValueError("there are infinite values" if nan else "there are infinite or missing values")
    return X


class Oracle(TransformerMixin, BaseEstimator):
    learned = ()

    def _names(self, given):
        names = getattr(self, "feature_names_in_", None) if given is None else given
        return [f"x{i}" for i in range(self.n_features_in_)] if names is None else list(names)

    def fit(self, X, y=None):
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        X = np.asarray(X)
        self.n_features_in_ = X.shape[1]
        self._learn(X)
        return self

    def _learn(self, X):
        """Nothing, unless a class does."""

    def get_feature_names_out(self, names=None):
        return np.asarray(self._names(names), dtype=object)


class MeanNormalizationScaler(Oracle):
    learned = ("mean_", "range_", "data_min_", "data_max_")

    def _learn(self, X):
        X = finite(floats(X)).astype(np.float64)
        self.mean_, self.range_, self.data_min_, self.data_max_ = np.full((4, X.shape[1]), np.nan)
        for i, column in enumerate(X.T):
            there = column[~np.isnan(column)]
            if len(there):
                self.data_min_[i], self.data_max_[i] = there.min(), there.max()
                self.mean_[i] = math.fsum(there) / len(there)
        self.range_ = self.data_max_ - self.data_min_

    def _scale(self, dtype):
        return np.where(self.range_ == 0, 1.0, self.range_).astype(dtype)

    def transform(self, X):
        X = finite(floats(X))
        return (X - self.mean_.astype(X.dtype)) / self._scale(X.dtype)

    def inverse_transform(self, X):
        X = finite(floats(X))
        return X * self._scale(X.dtype) + self.mean_.astype(X.dtype)


class Clipper(Oracle):
    def __init__(self, lower=None, upper=None):
        self.lower, self.upper = lower, upper

    def _bounds(self, width):
        found = []
        for given, none in ((self.lower, -np.inf), (self.upper, np.inf)):
            given = given if isinstance(given, (list, tuple, np.ndarray)) else [given] * width
            found.append([none if v is None else v for v in given])
        return np.array(found, np.float64)

    def transform(self, X):
        X = finite(np.asarray(X)) if np.asarray(X).dtype.kind == "f" else np.asarray(X)
        low, high = self._bounds(X.shape[1])
        if X.dtype.kind in "iu" and X.dtype != np.uint64:
            bounds = np.concatenate([low, high])
            if all(np.isinf(b) or b == int(b) for b in bounds):
                ends = np.iinfo(X.dtype)
                columns = [[min(max(int(v), a), b) for v in column] for column, a, b in zip(
                    X.T, (ends.min if np.isinf(v) else int(v) for v in low),
                    (ends.max if np.isinf(v) else int(v) for v in high))]
                return np.array(columns, X.dtype).T
        X = floats(X)
        return np.clip(X, low.astype(X.dtype), high.astype(X.dtype))


class CyclicalFeatures(Oracle):
    learned = ("max_values_",)

    def __init__(self, max_values=None, drop_original=False):
        self.max_values, self.drop_original = max_values, drop_original

    def _learn(self, X):
        X = finite(floats(X)).astype(np.float64)
        given = self.max_values
        given = given if isinstance(given, (list, tuple, np.ndarray)) else [given] * X.shape[1]
        self.max_values_ = np.array([np.nan if np.isnan(c).all() else np.nanmax(c) for c in X.T])
        for i, value in enumerate(given):
            self.max_values_[i] = self.max_values_[i] if value is None else value
        if not np.all(self.max_values_):
            raise ValueError("a period is 0")
        if np.isnan(self.max_values_).any():
            raise ValueError("a column has no value")

    def transform(self, X):
        X = finite(floats(X))
        angles = X.astype(np.float64) * (2 * np.pi / self.max_values_)
        waves = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(X), -1).astype(X.dtype)
        return waves if self.drop_original else np.hstack([X, waves])

    def get_feature_names_out(self, names=None):
        names = self._names(names)
        waves = [f"{name}_{word}" for name in names for word in ("sin", "cos")]
        return np.asarray(waves if self.drop_original else [*names, *waves], dtype=object)


class Winsorizer(Oracle):
    learned = ("left_tail_caps_", "right_tail_caps_")

    def __init__(self, capping_method="gaussian", tail="right", fold="auto", add_indicators=False,
                 missing_values="raise"):
        self.capping_method, self.tail, self.fold = capping_method, tail, fold
        self.add_indicators, self.missing_values = add_indicators, missing_values

    def _learn(self, X):
        X = finite(floats(X), nan=self.missing_values == "ignore")
        self.left_tail_caps_, self.right_tail_caps_ = np.full((2, X.shape[1]), np.nan)
        for i, column in enumerate(X.T):
            there = column[~np.isnan(column)]
            if len(there):
                self.left_tail_caps_[i], self.right_tail_caps_[i] = self._caps(there)
        if self.tail == "right":
            self.left_tail_caps_[:] = -np.inf
        if self.tail == "left":
            self.right_tail_caps_[:] = np.inf

    def _caps(self, x):
        usual = {"gaussian": 3.0, "iqr": 1.5, "mad": 3.29, "quantiles": 0.05}[self.capping_method]
        fold = usual if self.fold == "auto" else self.fold
        if self.capping_method == "gaussian":
            exact = [fractions.Fraction(float(v)) for v in x]
            mean = sum(exact) / len(exact)
            spread = math.sqrt(sum((v - mean) ** 2 for v in exact) / len(exact))
            return float(mean) - fold * spread, float(mean) + fold * spread
        if self.capping_method == "mad":
            middle = np.median(x)
            spread = float(np.median(np.abs(x - middle))) / 0.67449
            return float(middle) - fold * spread, float(middle) + fold * spread
        percent = [25, 75] if self.capping_method == "iqr" else [100.0 * fold, 100.0 * (1.0 - fold)]
        low, high = (float(v) for v in np.percentile(x, percent))
        reach = fold * (high - low) if self.capping_method == "iqr" else 0
        return low - reach, high + reach

    def transform(self, X):
        X = finite(floats(X), nan=self.missing_values == "ignore")
        left, right = self.left_tail_caps_.astype(X.dtype), self.right_tail_caps_.astype(X.dtype)
        out = np.where(X < left, left, X)
        out = np.where(out > right, right, out)
        marks = {"left": X < left, "right": X > right}
        tails = ("left", "right") if self.tail == "both" else (self.tail,)
        if self.add_indicators:
            marks = np.stack([marks[t] for t in tails], axis=2).reshape(len(X), -1)
            out = np.hstack([out, marks.astype(X.dtype)])
        return out

    def get_feature_names_out(self, names=None):
        names = self._names(names)
        tails = ("left", "right") if self.tail == "both" else (self.tail,)
        marks = [f"{name}_{tail}" for name in names for tail in tails] if self.add_indicators else []
        return np.asarray([*names, *marks], dtype=object)


class Bucketizer(Oracle):
    def __init__(self, edges=None, encode="ordinal", closed="left", outside="error", handle_missing="error",
                 dtype=None):
        self.edges, self.encode, self.closed = edges, encode, closed
        self.outside, self.handle_missing, self.dtype = outside, handle_missing, dtype

    def _lists(self):
        edges = self.edges if isinstance(self.edges[0], (list, tuple)) else [self.edges] * self.n_features_in_
        ends = [(-np.inf if e[0] is None else e[0], *e[1:-1], np.inf if e[-1] is None else e[-1]) for e in edges]
        return [[float(v) for v in one] for one in ends]

    def _bin(self, x, edges):
        """By the words of the definition, value by value."""
        n = len(edges) - 1
        if x != x:
            return None
        if x < edges[0]:
            return {"clip": 0, "keep": -1}[self.outside]
        if x > edges[-1]:
            return {"clip": n - 1, "keep": n}[self.outside]
        for k in range(n):
            low, high = edges[k], edges[k + 1]
            if self.closed == "left" and (low <= x < high or (k == n - 1 and x == high)):
                return k
            if self.closed == "right" and (low < x <= high or (k == 0 and x == low)):
                return k
        raise AssertionError((x, edges))

    def transform(self, X):
        X = finite(floats(X), nan=self.handle_missing == "keep")
        dtype, lists = np.dtype(self.dtype or X.dtype), self._lists()
        if self.outside == "error" and any(((c < e[0]) | (c > e[-1])).any() for c, e in zip(X.T, lists)):
            raise ValueError("a value is outside")
        more = self.outside == "keep"
        blocks = []
        for column, edges in zip(X.T, lists):
            codes = [self._bin(float(x), edges) for x in column]
            codes = np.array([np.nan if c is None else c + more for c in codes])
            n = len(edges) - 1 + 2 * more
            blocks.append(codes[:, None] if self.encode == "ordinal" else codes[:, None] == np.arange(n))
        out = np.hstack(blocks).astype(dtype)
        return sp.csr_matrix(out) if self.encode == "onehot" else out

    def get_feature_names_out(self, names=None):
        names = self._names(names)
        if self.encode != "ordinal":
            names = [f"{name}_{k}" for name, edges in zip(names, self._lists())
                     for k in range(len(edges) - 1 + 2 * (self.outside == "keep"))]
        return np.asarray(names, dtype=object)


CLASSES = {cls.__name__: cls for cls in (Bucketizer, Clipper, CyclicalFeatures, MeanNormalizationScaler, Winsorizer)}


def twin(ours):
    """The oracle with the parameters and attributes of quern's estimator."""
    cls = CLASSES[type(ours).__name__]
    words = cls._get_param_names()
    made = cls(**{word: value for word, value in ours.get_params().items() if word in words})
    made.n_features_in_ = ours.n_features_in_
    for name in cls.learned:
        setattr(made, name, np.array(getattr(ours, name)))
    return made
