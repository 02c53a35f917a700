# SPDX-License-Identifier: Apache-2.0
"""Learned attributes as they are in exact arithmetic, and how far a value is from them.

A float is an integer times a power of two, so sums and sums of squares are exact with integers; only
square roots and the normal quantile need mpmath, at 60 digits."""
import math
from fractions import Fraction

import mpmath
import numpy as np

mpmath.mp.dps = 60


class Column:
    """The values of a column that are not missing. weights: of its rows; a value then counts as often as
    its rows weigh, all in units that make them integers."""

    def __init__(self, values, weights=None):
        values = np.asarray(values)
        if values.dtype == object:  # bools with missing cells
            values = values.astype(np.float64)
        if values.dtype.kind == "b":
            values = values.astype(np.int64)
        there = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
        self.complete = bool(there.all())
        values = values[there]
        if weights is not None:
            self.weigh(values, [Fraction(w) for w in weights[there].tolist()])
            return
        self.unit = 1
        self.values, self.counts = np.unique(values, return_counts=True)
        self.n = int(self.counts.sum())
        self.ends = np.cumsum(self.counts)

    def weigh(self, values, weights):
        self.unit = math.lcm(*(w.denominator for w in weights))
        self.values, which = np.unique(values, return_inverse=True)
        self.counts = [0] * len(self.values)
        for i, w in zip(which.tolist(), weights):
            self.counts[i] += int(w * self.unit)
        self.n = sum(self.counts)

    def moments(self):
        """Mean and variance, exact."""
        ratios = [v.as_integer_ratio() if isinstance(v, float) else (int(v), 1)
                  for v in self.values.astype(np.float64).tolist()] \
            if self.values.dtype.kind == "f" else [(int(v), 1) for v in self.values]
        shift = max(d.bit_length() for _, d in ratios)
        whole = [n << (shift - d.bit_length()) for n, d in ratios]
        counts = [int(c) for c in self.counts]
        s1 = sum(w * c for w, c in zip(whole, counts))
        s2 = sum(w * w * c for w, c in zip(whole, counts))
        unit = 1 << (shift - 1)
        mean = Fraction(s1, self.n * unit)
        return mean, Fraction(self.n * s2 - s1 * s1, self.n * self.n * unit * unit)

    def at(self, rank):
        return Fraction(self.values[np.searchsorted(self.ends, rank, side="right")].item())

    def quantile(self, percent):
        """Linear interpolation between order statistics."""
        place = Fraction(percent) / 100 * (self.n - 1)
        low = math.floor(place)
        if low == place:
            return self.at(low)
        return self.at(low) + (self.at(low + 1) - self.at(low)) * (place - low)

    def median(self):
        return (self.at((self.n - 1) // 2) + self.at(self.n // 2)) / 2

    def mode(self):
        return Fraction(self.values[np.argmax(self.counts)].item())

    def extremes(self):
        return Fraction(self.values[0].item()), Fraction(self.values[-1].item())


def big(x):
    return mpmath.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpmath.mpf(x)


def sqrt(x):
    return mpmath.sqrt(big(x))


def normal_quantile(p):
    return mpmath.sqrt(2) * mpmath.erfinv(2 * big(p) - 1)


# Each function gives, for one column, {attribute: (exact value, what errors are relative to)};
# None where the column has no values.


def standard_scaler(est, column, k):
    mean, var = column.moments()
    sigma = sqrt(var)
    # A column counts as constant by scikit-learn's rule; then the scale is 1 by definition.
    eps = mpmath.mpf(float(np.finfo(np.float64).eps))
    n = big(Fraction(column.n, column.unit))
    bound = n * eps * big(var) + (n * big(mean) * eps)**2
    scale = mpmath.mpf(1) if big(var) <= bound else sigma
    return {
        "mean_": (big(mean), max(abs(big(mean)), sigma)),
        "var_": (big(var), big(var)),
        "scale_": (scale, scale),
    }


def min_max_scaler(est, column, k):
    low, high = column.extremes()
    lo, hi = (Fraction(v) for v in est.feature_range)
    spread = high - low
    # Ranges below ten spacings of the dtype count as constant.
    tiny = 10 * float(np.finfo(est.data_range_.dtype).eps)
    scale = (hi - lo) / (spread if spread >= tiny else 1)
    shift = lo - low * scale
    return {
        "data_min_": (low, abs(low)),
        "data_max_": (high, abs(high)),
        "data_range_": (spread, max(abs(low), abs(high))),
        "scale_": (scale, abs(scale)),
        "min_": (shift, max(abs(shift), abs(lo), abs(low * scale))),
    }


def max_abs_scaler(est, column, k):
    low, high = column.extremes()
    most = max(abs(low), abs(high))
    scale = most if most >= 10 * float(np.finfo(est.scale_.dtype).eps) else Fraction(1)
    return {"max_abs_": (most, most), "scale_": (scale, scale)}


def robust_scaler(est, column, k):
    q_min, q_max = est.quantile_range
    center = column.median()
    low, high = column.quantile(q_min), column.quantile(q_max)
    spread = high - low
    scale = big(spread if spread >= 10 * np.finfo(np.float64).eps else 1)
    if est.unit_variance:
        scale /= normal_quantile(Fraction(q_max) / 100) - normal_quantile(Fraction(q_min) / 100)
    return {
        "center_": (center, max(abs(center), abs(spread))),
        "scale_": (scale, abs(scale)),
    }


def simple_imputer(est, column, k):
    if est.strategy == "mean":
        mean, var = column.moments()
        return {"statistics_": (big(mean), max(abs(big(mean)), sqrt(var)))}
    value = column.median() if est.strategy == "median" else column.mode()
    return {"statistics_": (value, abs(value))}


def variance_threshold(est, column, k):
    """The range of a column with missing values does not count: NumPy's is NaN."""
    var = column.moments()[1]
    low, high = column.extremes()
    if est.threshold == 0 and column.complete:
        var = min(var, high - low)
    return {"variances_": (big(var), big(var))}


def line(score_func, values, y):
    """The same against numbers."""
    x, y = [Fraction(float(v)) for v in values], [Fraction(float(v)) for v in y]
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    if score_func == "r_regression":
        return big(xy) / sqrt(xx * yy), None
    share = xy * xy / (xx * yy)
    score, free = big(share / (1 - share) * (n - 2)), mpmath.mpf(n - 2)
    try:
        return score, mpmath.betainc(free / 2, mpmath.mpf(1) / 2, 0, free / (free + score), regularized=True)
    except mpmath.libmp.NoConvergence:
        return score, None


def scores(score_func, values, y):
    """The score and the p-value of a column, which has no missing values, against a target."""
    if score_func.endswith("_regression"):
        return line(score_func, values, y)
    classes = [Column(values[y == c]) for c in np.unique(y)]
    moments = [c.moments() for c in classes]
    total = sum(c.n for c in classes)
    mean = sum(c.n * m for c, (m, _) in zip(classes, moments)) / total
    between = sum(c.n * (m - mean) ** 2 for c, (m, _) in zip(classes, moments))
    free = len(classes) - 1
    if score_func == "chi2":
        score = big(between / mean)
        return score, mpmath.gammainc(mpmath.mpf(free) / 2, score / 2, mpmath.inf, regularized=True)
    left = total - len(classes)
    within = sum(c.n * v for c, (_, v) in zip(classes, moments))
    score = big(between / free / (within / left))
    x = left / (left + free * score)
    try:
        return score, mpmath.betainc(mpmath.mpf(left) / 2, mpmath.mpf(free) / 2, 0, x, regularized=True)
    except mpmath.libmp.NoConvergence:
        return score, None


EXACT = {
    "StandardScaler": standard_scaler,
    "MinMaxScaler": min_max_scaler,
    "MaxAbsScaler": max_abs_scaler,
    "RobustScaler": robust_scaler,
    "SimpleImputer": simple_imputer,
    "VarianceThreshold": variance_threshold,
}


def error(value, exact, relative_to):
    """|value - exact|, relative; absolute where that would divide by zero."""
    difference = abs(big(Fraction(float(value))) - big(exact))
    scale = big(relative_to)
    return float(difference / scale) if scale != 0 else float(difference)
