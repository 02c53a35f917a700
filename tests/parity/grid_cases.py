# SPDX-License-Identifier: Apache-2.0
"""The cases of grid.py: estimators with parameters, and what holds for them."""
import importlib
import math

import numpy as np

import oracles

HOMES = ("preprocessing", "impute", "feature_selection")


class Case:
    """missing: NaN is allowed in a fit. without: kinds of columns that mean nothing here. domain: makes a
    matrix one that the estimator is for. target: y of a matrix. back: it has an inverse_transform.
    attributes: (ours, theirs, X, where) raises where attributes are wrong; None: attributes.py.
    exact: (fitted, X, out) -> units in the last place that out is off; None: bits are compared."""

    def __init__(self, name, missing=True, without=(), domain=None, target=None, back=False,
                 attributes=None, exact=None, **parameters):
        self.name, self.parameters = name, parameters
        self.missing, self.without, self.domain, self.target = missing, without, domain, target
        self.back, self.attributes, self.exact = back, attributes, exact
        self.ours, self.peer = self._find("quern"), self._find("sklearn")

    @property
    def title(self):
        given = ", ".join(f"{k}={v!r}" for k, v in self.parameters.items())
        return f"{self.name}({given})"

    def _find(self, package):
        for home in HOMES:
            found = getattr(importlib.import_module(f"{package}.{home}"), self.name, None)
            if found is not None:
                return found
        return oracles.CLASSES.get(self.name)

    def twin(self, ours):
        """The peer with the attributes of ours."""
        return oracles.twin(ours) if self.name in oracles.CLASSES else ours.to_sklearn()

    def make(self, side):
        return (self.ours if side == "ours" else self.peer)(**self.parameters)


def equal_arrays(*names):
    """Attributes that must be equal in value."""
    def check(ours, theirs, X, where):
        for name in names:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), f"{where}: {name}")
    return check


# ---- FunctionTransformer ----

def function_units(func):
    """In units in the last place, beside long doubles."""
    def units(fitted, X, out):
        with np.errstate(all="ignore"):
            made = func(np.asarray(X).astype(out.dtype).astype(np.longdouble))
            found = np.abs(out - made) / np.spacing(np.abs(made).astype(out.dtype)).astype(np.longdouble)
        return float(found[np.isfinite(made) & np.isfinite(found)].max(initial=0))
    return units


def close_arrays(*names):
    """Attributes that are as close to the oracle's as 1e-12 of their column."""
    def check(ours, theirs, X, where):
        scale = np.nanmax(np.abs(np.asarray(X, np.float64)), axis=0)
        for name in names:
            a, b = getattr(ours, name), getattr(theirs, name)
            np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b), f"{where}: {name}")
            with np.errstate(invalid="ignore"):
                off = np.abs(a - b) > 1e-12 * scale
            assert not off[np.isfinite(b)].any(), f"{where}: {name}: {a}, {b}"
    return check


def waves_units(fitted, X, out):
    """Of sines and cosines of angles in float64, in units in the last place."""
    angles = np.asarray(X, np.float64) * (2 * np.pi / fitted.max_values_)
    waves = out if fitted.drop_original else out[:, X.shape[1]:]
    exact = np.stack([np.sin(angles.astype(np.longdouble)), np.cos(angles.astype(np.longdouble))], axis=2)
    exact = exact.reshape(len(X), -1)
    units = np.abs(waves - exact) / np.spacing(np.abs(exact).astype(out.dtype)).astype(np.longdouble)
    return float(np.nanmax(units))


# ---- PowerTransformer ----

def _power(x, lmbda, box_cox):
    """The transform in long doubles, and the logarithms that the likelihood counts."""
    x, lmbda = np.asarray(x, np.longdouble), np.longdouble(lmbda)
    p = np.where(x < 0, 2 - lmbda, lmbda) if not box_cox else np.full(x.shape, lmbda)
    logs = np.log(x) if box_cox else np.log1p(np.abs(x))
    with np.errstate(all="ignore"):
        made = np.where(p == 0, logs, np.expm1(p * logs) / p)
    sign = 1 if box_cox else np.where(x < 0, -1, 1)
    return sign * made, sign * logs


def _likelihood(x, lmbda, box_cox):
    made, logs = _power(x, lmbda, box_cox)
    if (x >= 0).all() or (x < 0).all():  # what all values share would drown their differences
        p, middle = (2 - lmbda if (x < 0).any() and not box_cox else lmbda), np.abs(logs).mean()
        shifted = np.expm1(p * (np.abs(logs) - middle) if not box_cox else p * (logs - logs.mean()))
        middle = logs.mean() if box_cox else middle
        log_var = np.log(shifted.var()) + 2 * (p * middle - np.log(np.abs(p)))
    else:
        log_var = np.log(made.var())
    return (lmbda - 1) * logs.mean() - log_var / 2


def likelier_lambdas(ours, theirs, X, where):
    """Ours are as likely as scikit-learn's, but for the rounding of the lambda itself."""
    for k, (mine, other) in enumerate(zip(ours.lambdas_, theirs.lambdas_, strict=True)):
        x = np.asarray(X[:, k], np.longdouble)
        x = x[~np.isnan(x)]
        if mine == other or x.min() == x.max():
            continue
        found = [_likelihood(x, np.longdouble(lmbda), ours.method == "box-cox") for lmbda in (mine, other)]
        slack = 1e-7 if X.dtype == np.float32 else 1e-12
        assert not found[0] < found[1] - slack * max(1, abs(found[1])), f"{where}: column {k}: {mine}, {other}: {found}"


def power_units(fitted, X, out):
    """Of transforms, in units in the last place; those beyond the dtype do not count."""
    worst = 0.0
    for k, lmbda in enumerate(fitted.lambdas_):
        made, _ = _power(np.asarray(X[:, k]).astype(out.dtype), lmbda, fitted.method == "box-cox")
        with np.errstate(all="ignore"):
            units = np.abs(out[:, k] - made) / np.spacing(np.abs(made).astype(out.dtype)).astype(np.longdouble)
        units = units[np.isfinite(made) & np.isfinite(units)]
        worst = max(worst, float(units.max(initial=0)))
    return worst


def equal_edges(ours, theirs, X, where):
    np.testing.assert_array_equal(ours.n_bins_, theirs.n_bins_, f"{where}: n_bins_")
    for a, b in zip(ours.bin_edges_, theirs.bin_edges_):
        assert a.dtype == b.dtype, f"{where}: bin_edges_ are {a.dtype}, scikit-learn has {b.dtype}"
        np.testing.assert_array_equal(a, b, f"{where}: bin_edges_")


def equal_quantiles(ours, theirs, X, where):
    """NumPy rounds all quantiles to float32 where the first of float32 columns has no value."""
    assert ours.n_quantiles_ == theirs.n_quantiles_, where
    np.testing.assert_array_equal(ours.references_, theirs.references_, f"{where}: references_")
    np.testing.assert_array_equal(ours.quantiles_.astype(theirs.quantiles_.dtype), theirs.quantiles_,
                                  f"{where}: quantiles_")


def equal_means(ours, theirs, X, where):
    """The means of a kernel, near those of exact sums."""
    exact = [math.fsum(column) / len(column) for column in X.T.tolist()]
    pairs = [*zip(ours.K_fit_rows_, theirs.K_fit_rows_, exact),
             (ours.K_fit_all_, theirs.K_fit_all_, math.fsum(exact) / len(exact))]
    for got, there, want in pairs:
        assert type(got) is type(there), where
        near = max(abs(float(there) - want), 2 * float(np.spacing(np.abs(got))), 1e-12 * abs(want))
        assert abs(float(got) - want) <= near, f"{where}: {got!r}, scikit-learn has {there!r}, exactly {want!r}"


def square(X):
    """As many rows as columns."""
    return np.resize(X, (X.shape[1], X.shape[1]))


def equal_splines(ours, theirs, X, where):
    """Knots at quantiles of float32 columns, of which the first has no value, are float32 for scikit-learn, whose
    transform then fails: such are not among the cases."""
    assert ours.n_features_out_ == theirs.n_features_out_, where
    for a, b in zip(ours.bsplines_, theirs.bsplines_, strict=True):
        np.testing.assert_array_equal(a.t, b.t, f"{where}: knots")
        np.testing.assert_array_equal(a.c, b.c, f"{where}: coefficients")
        assert (a.k, a.extrapolate) == (b.k, b.extrapolate), where


CASES = [
    Case("KernelCenterer", missing=False, domain=square, attributes=equal_means),
    Case("StandardScaler", back=True),
    Case("StandardScaler", back=True, with_mean=False),
    Case("StandardScaler", back=True, with_std=False),
    Case("MinMaxScaler", back=True),
    Case("MinMaxScaler", back=True, feature_range=(-2, 5), clip=True),
    Case("MaxAbsScaler", back=True),
    Case("RobustScaler", back=True),
    Case("RobustScaler", back=True, quantile_range=(5.0, 90.0), unit_variance=True),
    Case("Normalizer", missing=False),
    Case("Normalizer", missing=False, norm="l1"),
    Case("Normalizer", missing=False, norm="max"),
    Case("Binarizer", missing=False, threshold=0.5),
    Case("PowerTransformer", standardize=False, attributes=likelier_lambdas, exact=power_units),
    Case("PowerTransformer", standardize=False, method="box-cox", without=("constant", "tiny"), domain=lambda X: np.abs(X) + X.dtype.type(1),
         attributes=likelier_lambdas, exact=power_units),
    Case("MissingIndicator", attributes=equal_arrays("features_")),
    Case("MissingIndicator", attributes=equal_arrays("features_"), features="all", sparse=True),
    Case("SimpleImputer"),
    Case("SimpleImputer", strategy="median", add_indicator=True),
    Case("SimpleImputer", strategy="most_frequent", keep_empty_features=True),
    Case("SimpleImputer", strategy="constant", fill_value=3),
    Case("FunctionTransformer", func=np.square, feature_names_out="one-to-one"),
    Case("FunctionTransformer", func=np.log1p, exact=function_units(np.log1p), feature_names_out="one-to-one"),
    Case("FunctionTransformer", func=np.arcsinh, exact=function_units(np.arcsinh), feature_names_out="one-to-one"),
    Case("PolynomialFeatures", missing=False, attributes=equal_arrays("n_output_features_", "powers_")),
    Case("PolynomialFeatures", missing=False, degree=(2, 3), interaction_only=True, order="F"),
    Case("SplineTransformer", attributes=equal_splines, handle_missing="zeros"),
    Case("SplineTransformer", attributes=equal_splines, handle_missing="zeros", n_knots=40, degree=2,
         extrapolation="linear", include_bias=False, order="F"),
    Case("SplineTransformer", attributes=equal_splines, missing=False, knots="quantile", n_knots=7,
         extrapolation="continue"),
    Case("SplineTransformer", attributes=equal_splines, missing=False, knots="quantile", degree=1,
         extrapolation="periodic"),
    Case("SplineTransformer", attributes=equal_splines, missing=False, degree=0, extrapolation="error"),
    Case("MeanNormalizationScaler", back=True, attributes=close_arrays("mean_", "range_", "data_min_", "data_max_")),
    Case("Clipper", lower=-1, upper=4),
    Case("Clipper", upper=[2.5, None, 0, 1, 1.7e9, 0.5, 3]),
    Case("CyclicalFeatures", attributes=equal_arrays("max_values_"), exact=waves_units),
    Case("CyclicalFeatures", attributes=equal_arrays("max_values_"), exact=waves_units, max_values=24,
         drop_original=True, without=("huge",)),
    Case("Winsorizer", tail="both", missing_values="ignore",
         attributes=close_arrays("left_tail_caps_", "right_tail_caps_")),
    Case("Winsorizer", missing=False, capping_method="iqr", fold=0.5, add_indicators=True,
         attributes=equal_arrays("left_tail_caps_", "right_tail_caps_")),
    Case("Winsorizer", capping_method="mad", tail="both", fold=1, add_indicators=True, missing_values="ignore",
         attributes=equal_arrays("left_tail_caps_", "right_tail_caps_")),
    Case("Winsorizer", capping_method="quantiles", tail="left", missing_values="ignore",
         attributes=equal_arrays("left_tail_caps_", "right_tail_caps_")),
    Case("Bucketizer", missing=False, edges=[None, -1, 0, 2.5, 7.3, 100, None]),
    Case("Bucketizer", edges=[-1, 0, 2.5, 7.3, 8], outside="keep", handle_missing="keep", closed="right"),
    Case("Bucketizer", edges=[-1, 0, 1], outside="clip", handle_missing="keep", encode="onehot", dtype=np.float32),
    Case("Bucketizer", missing=False, edges=[-1e300, 0, 5, 1e300], closed="right", encode="onehot-dense"),
    Case("VarianceThreshold"),
    Case("VarianceThreshold", threshold=2.5),
    Case("KBinsDiscretizer", missing=False, attributes=equal_edges, back=True, n_bins=6, encode="ordinal",
         strategy="uniform"),
    Case("KBinsDiscretizer", missing=False, attributes=equal_edges, encode="ordinal"),
    Case("KBinsDiscretizer", missing=False, attributes=equal_edges, n_bins=3, dtype=np.float32),
    Case("KBinsDiscretizer", missing=False, attributes=equal_edges, n_bins=40, encode="onehot-dense",
         quantile_method="linear", subsample=20, random_state=5),
    Case("QuantileTransformer", back=True, n_quantiles=50, attributes=equal_quantiles),
    Case("QuantileTransformer", back=True, n_quantiles=10, subsample=25, random_state=2,
         attributes=equal_quantiles),
]
