# SPDX-License-Identifier: Apache-2.0
"""Comparing what quern learned with the exact values and with scikit-learn, and putting quern's values
into scikit-learn's estimators, so that their transforms can be compared bit for bit."""
import numpy as np
import pandas as pd
import scipy.sparse as sp

import exact
import oracles

TOLERANCE = 1e-12
SMALLEST = 5e-324  # below it there are no doubles: two roundings to it are no error

LEARNED = {
    "StandardScaler": ("mean_", "var_", "scale_"),
    "MinMaxScaler": ("data_min_", "data_max_", "data_range_", "scale_", "min_"),
    "MaxAbsScaler": ("max_abs_", "scale_"),
    "RobustScaler": ("center_", "scale_"),
    "SimpleImputer": ("statistics_",),
    "VarianceThreshold": ("variances_",),
}


UNIVARIATE = ("SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe",
              "GenericUnivariateSelect")
LEARNED_TOO = {name: ("scores_", "pvalues_") for name in UNIVARIATE}  # with a target
LEARNED_TOO.update({name: cls.learned for name, cls in oracles.CLASSES.items()})


class Mismatch(Exception):
    pass


def column_of(x, k):
    if isinstance(x, pd.DataFrame):
        values = x.iloc[:, k].to_numpy()
    elif sp.issparse(x):
        values = x[:, [k]].toarray().ravel()
    else:
        values = x[:, k]
    return values.view(np.int64) if values.dtype.kind == "M" else values


def is_missing(value):
    return value is None or (isinstance(value, float) and np.isnan(value))


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_number(where, name, got, theirs, truth, relative_to):
    if not np.isfinite(got):
        raise Mismatch(f"{where}: {name} is {got!r}; scikit-learn has {theirs!r}")
    mine = exact.error(got, truth, relative_to)
    if abs(got - theirs) <= 2 * SMALLEST:
        return
    # where integers that no double holds have spoilt both, the errors differ by a rounding
    allowed = max(TOLERANCE, exact.error(theirs, truth, relative_to) * (1 + TOLERANCE))
    if mine > allowed:
        raise Mismatch(f"{where}: {name} is {got!r}, off by {mine:.3g} (allowed {allowed:.3g}; "
                       f"scikit-learn has {theirs!r})")


def check_statistics_text(where, got, theirs):
    for k, (a, b) in enumerate(zip(got, theirs)):
        if is_missing(a) and is_missing(b):
            continue
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (a, b))
        if is_missing(a) or is_missing(b) or not (abs(a - b) <= TOLERANCE * abs(b) if numbers else a == b):
            raise Mismatch(f"{where}: statistics_[{k}] is {a!r}, scikit-learn has {b!r}")


def check_learned(where, name, est, x, attributes, weights):
    """Scalers and imputers. est was fitted by scikit-learn on x, with weights if it takes them."""
    if name != "StandardScaler":
        weights = None
    compute = exact.EXACT[name]
    text = name == "SimpleImputer" and (est.strategy == "constant" or
                                        np.asarray(est.statistics_).dtype == object)
    for key in LEARNED[name]:
        theirs, got = getattr(est, key), attributes.get(key)
        if theirs is None:
            if got is not None:
                raise Mismatch(f"{where}: {key} is there, scikit-learn has none")
            continue
        if got is None or len(got) != len(theirs):
            raise Mismatch(f"{where}: {key} is {got!r}, expected {len(theirs)} values")
    if text:
        check_statistics_text(where, attributes["statistics_"], est.statistics_.tolist())
        return
    width = len(next(getattr(est, k) for k in LEARNED[name] if getattr(est, k) is not None)) \
        if any(getattr(est, k) is not None for k in LEARNED[name]) else 0
    for k in range(width):
        values = column_of(x, k)
        if name == "SimpleImputer" and not is_missing(est.missing_values):
            values = values[values != est.missing_values]
        column = exact.Column(values, weights)
        try:
            truths = compute(est, column, k) if column.n else {}
        except (OverflowError, ZeroDivisionError):  # beyond doubles, as scikit-learn's value is then
            truths = None
        for key in LEARNED[name]:
            theirs = getattr(est, key)
            if theirs is None:
                continue
            got = attributes[key][k]
            if not column.n:
                if is_missing(got) != bool(np.isnan(theirs[k])) or \
                        (not is_missing(got) and got != theirs[k]):
                    raise Mismatch(f"{where}: {key}[{k}] of a column without values is {got!r}")
                continue
            if not np.isfinite(theirs[k]):  # its error is infinite
                continue
            if got is None:
                raise Mismatch(f"{where}: {key}[{k}] is missing")
            if truths is None:
                if float(got) != float(theirs[k]):
                    raise Mismatch(f"{where}: {key}[{k}] is {got!r}, scikit-learn has {theirs[k]!r}")
                continue
            check_number(where, f"{key}[{k}]", float(got), float(theirs[k]), *truths[key])
    seen = attributes.get("n_samples_seen_")
    if name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler") and seen is not None:
        theirs = np.atleast_1d(est.n_samples_seen_)
        got = np.atleast_1d(np.array(as_list(seen), dtype=np.float64))
        if weights is not None:  # sums of weights, each in an order of its own
            same = np.allclose(theirs, got, rtol=TOLERANCE, atol=0)
        elif len(theirs) == 1 or len(got) == 1:
            same = np.all(theirs[0] == got) if len(theirs) == 1 else np.all(theirs == got[0])
        else:
            same = np.array_equal(theirs, got)
        if not same:
            raise Mismatch(f"{where}: n_samples_seen_ is {seen}, scikit-learn has {theirs}")


def check_categories(where, est, attributes):
    got = attributes.get("categories_")
    if got is None or len(got) != len(est.categories_):
        raise Mismatch(f"{where}: categories_ of {len(est.categories_)} columns expected")
    for k, (mine, theirs) in enumerate(zip(got, est.categories_)):
        if theirs.dtype.kind == "M":
            theirs = [None if np.isnat(v) else str(v) for v in theirs.astype("datetime64[us]")]
            mine = [str(np.datetime64(v, "us")) if not is_missing(v) else v for v in mine]
        else:
            theirs = theirs.tolist()
        same = len(mine) == len(theirs) and all(
            is_missing(a) and is_missing(b) or (type(a) is bool) == (type(b) is bool) and a == b
            for a, b in zip(mine, theirs))
        if not same:
            raise Mismatch(f"{where}: categories_[{k}] differ: {mine[:8]}… and {theirs[:8]}…")
    groups = attributes.get("infrequent_categories_")
    if groups is None:
        return
    theirs = getattr(est, "infrequent_categories_", [None] * len(groups))
    for k, (mine, other) in enumerate(zip(groups, theirs)):
        other = None if other is None else [None if is_missing(v) else v for v in
                                            np.asarray(other).tolist()]
        if est.categories_[k].dtype.kind == "M" and other is not None:
            other = np.asarray(theirs[k]).astype("datetime64[us]").view(np.int64).tolist()
        if (mine or None) != other:
            raise Mismatch(f"{where}: infrequent_categories_[{k}]: {mine} and {other}")


def check_scores(where, est, x, attributes):
    """est has the target beside it."""
    for k, theirs in enumerate(est.scores_):
        got, p = attributes["scores_"][k], attributes.get("pvalues_", attributes["scores_"])[k]
        if not np.isfinite(theirs):
            continue
        truth, p_truth = exact.scores(est.score_func.__name__, column_of(x, k), est.target)
        of = 1 if est.score_func.__name__ == "r_regression" else abs(truth)
        check_number(where, f"scores_[{k}]", float(got), float(theirs), truth, of)
        if p_truth is not None and p_truth > 1e-290:
            # of the score as it is: an error of F is a larger one of a tiny p
            check_number(where, f"pvalues_[{k}]", float(p), float(est.pvalues_[k]), p_truth,
                         p_truth * (1 + abs(truth)))


def check_edges(where, est, attributes):
    """Order statistics and single operations: equal in value. Centers of k-means: quern's sums are exact."""
    if attributes["n_bins_"] != est.n_bins_.tolist():
        raise Mismatch(f"{where}: n_bins_ is {attributes['n_bins_']}, scikit-learn has {est.n_bins_.tolist()}")
    theirs = np.concatenate(est.bin_edges_).astype(np.float64)
    theirs[np.isinf(theirs)] = np.nan  # null in JSON
    got = np.array([np.nan if v in (None, "-inf", "inf") or np.isinf(float(v)) else v
                    for v in attributes["bin_edges_"]], np.float64)
    same = (np.allclose(got, theirs, rtol=1e-12, atol=1e-14, equal_nan=True) if est.strategy == "kmeans"
            else np.array_equal(got, theirs, equal_nan=True))
    if not same:
        raise Mismatch(f"{where}: bin_edges_ differ: {got.tolist()[:8]}…, scikit-learn has {theirs.tolist()[:8]}…")


def check_quantiles(where, est, attributes):
    for key in ("references_", "quantiles_"):
        got = np.array([np.nan if v is None else v for v in np.ravel(attributes[key])], np.float64)
        if not np.array_equal(got, np.ravel(getattr(est, key)), equal_nan=True):
            raise Mismatch(f"{where}: {key} differ")


def check_oracle(where, name, est, x, attributes):
    """Against NumPy's version, whose sums are exact: as close as 1e-12 of the column's values."""
    for key in est.learned:
        for k, (got, truth) in enumerate(zip(attributes[key], getattr(est, key), strict=True)):
            if not np.isfinite(truth):
                if got is not None and float(got) != truth and not (is_missing(got) and np.isnan(truth)):
                    raise Mismatch(f"{where}: {key}[{k}] is {got!r}, expected {truth!r}")
                continue
            largest = np.nanmax(np.abs(column_of(x, k).astype(np.float64)))
            if got is None or abs(float(got) - truth) > TOLERANCE * largest:
                raise Mismatch(f"{where}: {key}[{k}] is {got!r}, expected {truth!r}")


def check(where, name, est, x, attributes, weights=None):
    """Raises Mismatch. est, fitted on x, is scikit-learn's own, or an oracle."""
    if name in oracles.CLASSES:
        check_oracle(where, name, est, x, attributes)
    if name in UNIVARIATE:
        check_scores(where, est, x, attributes)
    if name in LEARNED:
        check_learned(where, name, est, x, attributes, weights)
    elif name in ("OneHotEncoder", "OrdinalEncoder"):
        check_categories(where, est, attributes)
    elif name == "KBinsDiscretizer":
        check_edges(where, est, attributes)
    elif name == "QuantileTransformer":
        check_quantiles(where, est, attributes)


def inject(name, est, attributes):
    """Gives est quern's values, in the types that scikit-learn keeps them in."""
    if name == "KBinsDiscretizer" and est.strategy == "kmeans":
        got = np.array([float(v) for v in attributes["bin_edges_"]])
        for i, edges in enumerate(np.split(got, np.cumsum(est.n_bins_ + 1)[:-1])):
            est.bin_edges_[i] = edges
    for key in LEARNED.get(name, LEARNED_TOO.get(name, ())):
        theirs = getattr(est, key)
        if theirs is None:
            continue
        if np.asarray(theirs).dtype == object:
            continue  # text and constants were compared for equality
        got = [np.nan if v is None else float(v) if isinstance(v, str) else v for v in attributes[key]]
        if name in oracles.CLASSES:  # infinite caps are null in JSON
            got = [t if np.isinf(t) else v for v, t in zip(got, theirs)]
        setattr(est, key, np.array(got, dtype=np.asarray(theirs).dtype))
