# SPDX-License-Identifier: Apache-2.0
"""Every exception that a docstring names is raised: one call for each."""
import builtins
import importlib
import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
from docstrings import documented, entries_of, key_of, sections_of
from raises_arrays import arrays, draws, moves
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.base import clone
from sklearn.decomposition import PCA

import quern
from quern import _core
from quern import preprocessing as pre
from quern.compose import ColumnTransformer
from quern.feature_selection import (GenericUnivariateSelect, SelectFdr, SelectFpr, SelectFwe, SelectKBest,
                                     SelectPercentile, VarianceThreshold, chi2, f_classif, f_regression,
                                     mutual_info_classif, mutual_info_regression, r_regression)
from quern.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from quern.pipeline import Pipeline

# What no call here brings about: memory that is not there, a device that goes away.
NOT_HERE = {f"{name} {error}" for name, error in itertools.product(
    ("_core.Model.transform", "_core.Pipeline.fit", "_core.Pipeline.fit_transform"),
    ("MemoryError", "quern.DeviceError"))} | {
    f"_core.Table.from_{word} MemoryError" for word in ("matrix", "columns", "arrow", "sparse")}

NOT_FITTED, REFUSED = "sklearn.exceptions.NotFittedError", "quern.UnsupportedError"
X = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]])
INFINITE, NAN, WIDE, NARROW = X * np.inf, X * np.nan, np.ones((2, 3)), np.ones((2, 1))
ROWS = sparse.csr_array(X)
WORDS = [["a"], ["b"]]
MIXED = np.array([[1], ["a"]], object)
LISTS = np.array([["a"], [None]], object)
LISTS[1, 0] = []
SCALE = {"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}
LAST = {"quern": 1, "steps": [{"columns": ["z"], "apply": ["StandardScaler"]}]}
MIN_MAX = {"quern": 1, "steps": [{"columns": "*", "apply": ["MinMaxScaler"]}]}
PASS = {"quern": 1, "steps": [{"columns": "*", "apply": ["passthrough"]}]}
CODES = {"quern": 1, "steps": [{"columns": "*", "apply": ["OrdinalEncoder"]}]}
TIMES = pa.table({"a": pa.array([1], pa.duration("s"))})
PRODUCTS = pre.PolynomialFeatures().fit(X)
SPLINES = pre.SplineTransformer(extrapolation="error").fit(X)
table = _core.Table.from_matrix


class Derived(pre.StandardScaler):
    pass


class OnCuda:
    __cuda_array_interface__ = {}


class AtAddress:
    __cuda_array_interface__ = {"shape": (2, 2), "typestr": "<f8", "data": (1 << 40, False), "version": 3}


class Fails:
    """A stream that breaks off after a batch."""

    def __arrow_c_stream__(self, requested_schema=None):
        def batches():
            yield pa.record_batch([pa.array([1])], schema=schema)
            raise OSError("gone")
        schema = pa.schema([("a", pa.int64())])
        return pa.RecordBatchReader.from_batches(schema, batches()).__arrow_c_stream__()


class FromCuda:
    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **_):
        raise AssertionError("asked although it is not in host memory")


def ctx(**words):
    return _core.Context("cpu", **words)


def pipeline(spec):
    return _core.Pipeline(json.dumps(spec))


def model(spec=SCALE, rows=X):
    return pipeline(spec).fit(ctx(), table(rows))


def fit(spec=SCALE, finished=False):
    made = _core.Fit(ctx(), pipeline(spec))
    if finished:
        made.push(table(X))
        made.finish()
    return made


def within(method):
    """A callback asks its own context."""
    def asks(*_):
        getattr(made, method)()
    made = ctx(progress=asks)
    np.save("x.npy", X)
    _core.run(made, pipeline(SCALE), "x.npy", output="out.npy")


def written(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def csv():
    return written("t.csv", "a,b\n1,2\n3,5\n")


def no_pyarrow(call):
    """The call where pyarrow is not installed."""
    def refusing(name, *args, **words):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return importing(name, *args, **words)
    importing, builtins.__import__ = builtins.__import__, refusing
    try:
        call()
    finally:
        builtins.__import__ = importing


def scalers(method):
    for name in ("MinMaxScaler", "MaxAbsScaler"):
        yield f"Scaler.{method} {NOT_FITTED}", lambda n=name: getattr(getattr(pre, n)(), method)(X)
        for rows in (INFINITE, WIDE, WORDS):
            yield f"Scaler.{method} ValueError", lambda n=name, r=rows: getattr(
                getattr(pre, n)().fit(X), method)(r)
    yield f"Scaler.{method} TypeError", lambda: getattr(pre.MinMaxScaler().fit(X), method)(ROWS)


def into():
    """transform_into: X and out."""
    out = np.empty(X.shape)
    for name in ("MinMaxScaler", "MaxAbsScaler"):
        yield f"Scaler.transform_into {NOT_FITTED}", lambda n=name: getattr(pre, n)().transform_into(X, out)
        for rows, room in ((INFINITE, out), (WIDE, out), (WORDS, out), (X, out[:, :1]), (X, out.tolist()),
                           (X, out.astype(np.float32)), (X, np.broadcast_to(0.0, X.shape))):
            yield "Scaler.transform_into ValueError", lambda n=name, r=rows, o=room: getattr(
                pre, n)().fit(X).transform_into(r, o)
    yield "Scaler.transform_into ValueError", lambda: pre.MaxAbsScaler().fit(X).transform_into(ROWS, out)
    yield "Scaler.transform_into TypeError", lambda: pre.MinMaxScaler().fit(X).transform_into(ROWS, out)


def cases():
    """(name and exception, call)."""
    yield from into()
    for method in ("transform", "inverse_transform"):
        yield from scalers(method)
        for name, made in (("StandardScaler", pre.StandardScaler()), ("OneHotEncoder", pre.OneHotEncoder()),
                           ("OrdinalEncoder", pre.OrdinalEncoder()), ("SimpleImputer", SimpleImputer())):
            yield f"{name}.{method} {NOT_FITTED}", lambda m=made, w=method: getattr(m, w)(X)
        for rows in (INFINITE, WIDE, WORDS, ROWS):
            yield f"StandardScaler.{method} ValueError", lambda r=rows, w=method: getattr(
                pre.StandardScaler().fit(X), w)(r)
    yield f"Scaler.transform {REFUSED}", lambda: pre.RobustScaler().fit(X).transform(ROWS)
    for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"):
        cls = getattr(pre, name)
        for method in ("fit", "partial_fit") if name != "RobustScaler" else ("fit",):
            for rows in (INFINITE, X[:0], X[:, :0], WORDS):
                yield f"{name}.{method} ValueError", lambda c=cls, m=method, r=rows: getattr(c(), m)(r)
            yield f"{name}.{method} ValueError", lambda c=cls, m=method: getattr(c(copy=3), m)(X)
            if name == "MinMaxScaler":
                yield f"{name}.{method} TypeError", lambda c=cls, m=method: getattr(c(), m)(ROWS)
                yield f"{name}.{method} ValueError", lambda c=cls, m=method: getattr(c((3, 1)), m)(X)
            if name == "StandardScaler":
                yield f"{name}.{method} ValueError", lambda c=cls, m=method: getattr(c(), m)(ROWS)
                for weights in ([1, 1], [1, 1, -1], [1, 1, np.nan], [0, 0, 0]):
                    yield f"{name}.{method} ValueError", lambda c=cls, m=method, w=weights: getattr(c(), m)(
                        X, sample_weight=w)
        if name != "RobustScaler":
            yield f"{name}.partial_fit ValueError", lambda c=cls: c().partial_fit(X).partial_fit(WIDE)
    for rows in (INFINITE, NAN, X[:0], X[:, :0], WORDS):
        yield "PowerTransformer.fit ValueError", lambda r=rows: pre.PowerTransformer().fit(r)
        yield "power_transform ValueError", lambda r=rows: pre.power_transform(r)
    yield "PowerTransformer.fit ValueError", lambda: pre.PowerTransformer("box-cox").fit(-X)
    yield "PowerTransformer.fit ValueError", lambda: pre.PowerTransformer("box-cox").fit(X * 0 + 1)
    yield "PowerTransformer.fit_transform ValueError", lambda: pre.PowerTransformer().fit_transform(INFINITE)
    yield "PowerTransformer.fit_transform TypeError", lambda: pre.PowerTransformer().fit_transform(ROWS)
    yield "PowerTransformer.fit TypeError", lambda: pre.PowerTransformer().fit(ROWS)
    yield "power_transform TypeError", lambda: pre.power_transform(ROWS)
    yield f"PowerTransformer.inverse_transform {NOT_FITTED}", lambda: pre.PowerTransformer().inverse_transform(X)
    for rows in (INFINITE, WIDE, WORDS):
        yield "PowerTransformer.inverse_transform ValueError", lambda r=rows: pre.PowerTransformer().fit(
            X).inverse_transform(r)
    yield "PowerTransformer.inverse_transform TypeError", lambda: pre.PowerTransformer().fit(X).inverse_transform(ROWS)
    yield "RobustScaler.fit ValueError", lambda: pre.RobustScaler(quantile_range=(80, 20)).fit(X)
    yield "RobustScaler.fit ValueError", lambda: pre.RobustScaler().fit(ROWS)
    square = X[:2]
    for rows in (X[:, :1], INFINITE[:2], NAN[:2], WORDS):
        yield "KernelCenterer.fit ValueError", lambda r=rows: pre.KernelCenterer().fit(r)
        yield "KernelCenterer.transform ValueError", lambda r=rows: pre.KernelCenterer().fit(square).transform(r)
    yield f"KernelCenterer.transform {NOT_FITTED}", lambda: pre.KernelCenterer().transform(square)
    for rows in (INFINITE, NAN, WORDS):
        yield "Stateless.fit ValueError", lambda r=rows: pre.Normalizer().fit(r)
        yield "Normalizer.transform ValueError", lambda r=rows: pre.Normalizer().transform(r)
        yield "Binarizer.transform ValueError", lambda r=rows: pre.Binarizer().transform(r)
        yield "normalize ValueError", lambda r=rows: pre.normalize(r)
        yield "binarize ValueError", lambda r=rows: pre.binarize(r)
    yield "Stateless.fit ValueError", lambda: pre.Normalizer(norm="l3").fit(X)
    yield "Normalizer.transform ValueError", lambda: pre.Normalizer(norm="l3").transform(X)
    yield "Normalizer.transform ValueError", lambda: pre.Normalizer().fit(X).transform(WIDE)
    yield "Binarizer.transform ValueError", lambda: pre.Binarizer().fit(X).transform(WIDE)
    yield "Binarizer.transform ValueError", lambda: pre.Binarizer(threshold=-1).transform(ROWS)
    yield "binarize ValueError", lambda: pre.binarize(ROWS, threshold=-1)
    yield "normalize ValueError", lambda: pre.normalize(X, axis=2)
    yield "normalize NotImplementedError", lambda: pre.normalize(ROWS, return_norm=True)
    for name in ("scale", "minmax_scale", "maxabs_scale", "robust_scale"):
        for call in (lambda f: f(INFINITE), lambda f: f(WORDS), lambda f: f(X, axis=2)):
            yield f"{name} ValueError", lambda n=name, c=call: c(getattr(pre, n))
    yield "minmax_scale TypeError", lambda: pre.minmax_scale(ROWS)
    yield "robust_scale ValueError", lambda: pre.robust_scale(ROWS)
    yield "scale ValueError", lambda: pre.scale(ROWS)
    yield "scale ValueError", lambda: pre.scale(ROWS, with_mean=False, axis=1)
    for rows in (INFINITE, X[:0], X[:, :0], WORDS):
        yield "VarianceThreshold.fit ValueError", lambda r=rows: VarianceThreshold().fit(r)
    for threshold in (-1.0, 100.0):
        yield "VarianceThreshold.fit ValueError", lambda t=threshold: VarianceThreshold(t).fit(X)
    yield from univariate()
    for func in ("lgo(x)", ["x0", "("]):
        yield "FunctionTransformer.fit ValueError", lambda f=func: pre.FunctionTransformer(f).fit(X)
    yield "FunctionTransformer.fit ValueError", lambda: pre.FunctionTransformer(validate=True).fit(NAN)
    yield ("FunctionTransformer.fit ValueError",
           lambda: pre.FunctionTransformer(abs, abs).fit(np.ones((2, 2), object)))
    yield "FunctionTransformer.transform ValueError", lambda: pre.FunctionTransformer("y + 1").transform(X)
    yield "FunctionTransformer.transform ValueError", lambda: pre.FunctionTransformer(validate=True).transform(NAN)
    yield ("FunctionTransformer.inverse_transform ValueError",
           lambda: pre.FunctionTransformer("x", "y + 1").inverse_transform(X))
    yield ("FunctionTransformer.get_feature_names_out AttributeError",
           lambda: pre.FunctionTransformer(abs).fit(X).get_feature_names_out())
    for names in (["a"], ["a"] * 99):
        yield ("FunctionTransformer.get_feature_names_out ValueError",
               lambda n=names: pre.FunctionTransformer("x + 1").fit(X).get_feature_names_out(n))
    for rows in (INFINITE, X[:0], X[:, :0], WORDS):
        yield "PolynomialFeatures.fit ValueError", lambda r=rows: pre.PolynomialFeatures().fit(r)
        yield "PolynomialFeatures.transform ValueError", lambda r=rows: PRODUCTS.transform(r)
    for degree in (-1, (2, 1), (1, 2, 3)):
        yield "PolynomialFeatures.fit ValueError", lambda d=degree: pre.PolynomialFeatures(d).fit(X)
    yield "PolynomialFeatures.fit ValueError", lambda: pre.PolynomialFeatures(10 ** 10).fit(X)
    yield ("PolynomialFeatures.fit ValueError",
           lambda: pre.PolynomialFeatures(0, include_bias=False).fit(X))
    yield f"PolynomialFeatures.transform {NOT_FITTED}", lambda: pre.PolynomialFeatures().transform(X)
    yield (f"PolynomialFeatures.get_feature_names_out {NOT_FITTED}",
           lambda: pre.PolynomialFeatures().get_feature_names_out())
    for names in (["a"], ["a"] * 99):
        yield ("PolynomialFeatures.get_feature_names_out ValueError",
               lambda n=names: PRODUCTS.get_feature_names_out(n))
    yield from splines()
    yield from distributions()
    yield from encoders()
    yield from columns()
    yield from imputer()
    yield from composites()
    yield from functions()
    yield from tables()
    yield from models()
    yield from contexts()
    yield from outputs()
    for part in (arrays, moves, draws):
        yield from part(ctx, X)


def univariate():
    y = np.array([0, 1, 1])
    for cls in (SelectKBest, SelectPercentile, SelectFpr, SelectFdr, SelectFwe, GenericUnivariateSelect):
        for rows in (INFINITE, NAN, X[:0], WORDS):
            yield "Univariate.fit ValueError", lambda c=cls, r=rows: c().fit(r, y)
        yield "Univariate.fit ValueError", lambda c=cls: c().fit(X)
    yield "Univariate.fit ValueError", lambda: SelectKBest(chi2).fit(-X, y)
    for score in (f_classif, chi2, f_regression, r_regression, mutual_info_classif, mutual_info_regression):
        for rows in (INFINITE, NAN, X[:0], WIDE):
            yield f"{score.__name__} ValueError", lambda s=score, r=rows: s(r, y)
    yield "chi2 ValueError", lambda: chi2(-X, y)
    yield "mutual_info_regression ValueError", lambda: mutual_info_regression(X, y, n_neighbors=3)
    yield "mutual_info_classif ValueError", lambda: mutual_info_classif(X, [0, 1, 2])
    for score in (mutual_info_classif, mutual_info_regression):
        yield f"{score.__name__} ValueError", lambda s=score: s(ROWS, y, discrete_features=False)
    many, classes = np.ones((65537, 1)), np.arange(65537)
    for score in (f_classif, chi2):
        yield f"{score.__name__} {REFUSED}", lambda s=score: s(many, classes)


def splines():
    for rows in (INFINITE, NAN, X[:0], X[:1], X[:, :0], WORDS):
        yield "SplineTransformer.fit ValueError", lambda r=rows: pre.SplineTransformer().fit(r)
    for rows in (INFINITE, NAN, X[:0], WIDE, WORDS, X + 9):
        yield "SplineTransformer.transform ValueError", lambda r=rows: SPLINES.transform(r)
    for given in ({"n_knots": 1}, {"degree": -1}, {"knots": X[::-1]}, {"knots": WIDE}, {"knots": X[:1]},
                  {"extrapolation": "none"}, {"degree": 5, "extrapolation": "periodic"}):
        yield "SplineTransformer.fit ValueError", lambda g=given: pre.SplineTransformer(**g).fit(X)
    yield "SplineTransformer.fit TypeError", lambda: pre.SplineTransformer().fit(ROWS)
    yield "SplineTransformer.transform TypeError", lambda: SPLINES.transform(ROWS)
    yield f"SplineTransformer.transform {NOT_FITTED}", lambda: pre.SplineTransformer().transform(X)
    yield (f"SplineTransformer.get_feature_names_out {NOT_FITTED}",
           lambda: pre.SplineTransformer().get_feature_names_out())
    for names in (["a"], ["a"] * 99):
        yield ("SplineTransformer.get_feature_names_out ValueError",
               lambda n=names: SPLINES.get_feature_names_out(n))


def distributions():
    bins, quantile = pre.KBinsDiscretizer, pre.QuantileTransformer
    for rows in (INFINITE, NAN, X[:0], X[:, :0], WORDS):
        yield "KBinsDiscretizer.fit ValueError", lambda r=rows: bins().fit(r)
        if rows is not NAN:
            yield "QuantileTransformer.fit ValueError", lambda r=rows: quantile().fit(r)
    for words in ({"n_bins": 1}, {"n_bins": [2, 2, 2, 2, 2]}, {"encode": "?"}):
        yield "KBinsDiscretizer.fit ValueError", lambda w=words: bins(**w).fit(X)
    yield "KBinsDiscretizer.fit ValueError", lambda: bins(quantile_method="linear").fit(
        X, sample_weight=[1] * len(X))
    for weights in ([1, 1], [1, 1, -1], [1, 1, np.nan], [0, 0, 0]):
        yield "KBinsDiscretizer.fit ValueError", lambda w=weights: bins().fit(X[:3], sample_weight=w)
        yield "SplineTransformer.fit ValueError", lambda w=weights: pre.SplineTransformer().fit(
            X[:3], sample_weight=w)
    yield "KBinsDiscretizer.fit TypeError", lambda: bins().fit(ROWS)
    yield "QuantileTransformer.fit ValueError", lambda: quantile(n_quantiles=9, subsample=5).fit(X)
    yield "QuantileTransformer.fit ValueError", lambda: quantile().fit(-abs(ROWS))
    yield "QuantileTransformer.transform ValueError", lambda: quantile().fit(X).transform(-abs(ROWS))
    for name, cls in (("KBinsDiscretizer", bins), ("QuantileTransformer", quantile)):
        for method in ("transform", "inverse_transform"):
            yield f"{name}.{method} {NOT_FITTED}", lambda c=cls, m=method: getattr(c(), m)(X)
            for rows in (INFINITE, WIDE):
                yield f"{name}.{method} ValueError", lambda c=cls, m=method, r=rows: getattr(c().fit(X), m)(r)
        yield f"{name}.transform ValueError", lambda c=cls: c().fit(X).transform(WORDS)
    yield "KBinsDiscretizer.transform ValueError", lambda: bins().fit(X).transform(NAN)
    yield "KBinsDiscretizer.transform TypeError", lambda: bins().fit(X).transform(ROWS)
    yield "KBinsDiscretizer.inverse_transform IndexError", lambda: bins(encode="ordinal").fit(
        X).inverse_transform(X * 0 + 77)
    yield f"KBinsDiscretizer.get_feature_names_out {NOT_FITTED}", lambda: bins().get_feature_names_out()
    yield "KBinsDiscretizer.get_feature_names_out ValueError", lambda: bins().fit(
        X).get_feature_names_out(["a"] * 9)


def encoders():
    for name in ("OneHotEncoder", "OrdinalEncoder"):
        cls = getattr(pre, name)
        for rows in (INFINITE, X[:0], X[:, :0]):
            yield f"{name}.fit ValueError", lambda c=cls, r=rows: c().fit(r)
        for words in ({"handle_unknown": "no"}, {"categories": [["a"]]}, {"categories": [["a"], ["b"]]},
                      {"categories": [["a", "b", "a"]]}):
            yield f"{name}.fit ValueError", lambda c=cls, w=words: c(**w).fit(WORDS)
        yield f"{name}.fit TypeError", lambda c=cls: c().fit(ROWS)
        yield f"{name}.fit TypeError", lambda c=cls: c().fit(MIXED)
        yield f"{name}.transform ValueError", lambda c=cls: c().fit(WORDS).transform([["c"]])
        yield f"{name}.transform ValueError", lambda c=cls: c().fit(WORDS).transform([["a", "b"]])
        yield f"{name}.transform TypeError", lambda c=cls: c().fit(WORDS).transform(LISTS)
        yield f"{name}.transform TypeError", lambda c=cls: c().fit(X).transform(ROWS)
        yield f"{name}.inverse_transform ValueError", lambda c=cls: c().fit(WORDS).inverse_transform(WIDE)
    yield "OneHotEncoder.fit ValueError", lambda: pre.OneHotEncoder(drop=["z"]).fit(WORDS)
    yield "OneHotEncoder.transform ValueError", lambda: pre.OneHotEncoder().set_output(
        transform="pandas").fit(WORDS).transform(WORDS)
    for rows in ([[0, np.nan]], [[0, 0]]):
        yield "OneHotEncoder.inverse_transform ValueError", lambda r=rows: pre.OneHotEncoder().fit(
            WORDS).inverse_transform(r)
    names = "OneHotEncoder.get_feature_names_out"
    yield f"{names} {NOT_FITTED}", lambda: pre.OneHotEncoder().get_feature_names_out()
    yield f"{names} ValueError", lambda: pre.OneHotEncoder().fit(WORDS).get_feature_names_out(["a", "b"])
    yield f"{names} TypeError", lambda: pre.OneHotEncoder(
        feature_name_combiner=lambda a, b: 3).fit(WORDS).get_feature_names_out()
    unknown = {"handle_unknown": "use_encoded_value"}
    for words in ({"unknown_value": 1, **unknown}, {"unknown_value": np.nan, "dtype": int, **unknown}):
        yield "OrdinalEncoder.fit ValueError", lambda w=words: pre.OrdinalEncoder(**w).fit(WORDS)
    yield "OrdinalEncoder.fit ValueError", lambda: pre.OrdinalEncoder(dtype=int).fit([[1.0], [np.nan]])
    yield "OrdinalEncoder.fit ValueError", lambda: pre.OrdinalEncoder(
        encoded_missing_value=0).fit([[1.0], [np.nan]])
    for words in (unknown, {"unknown_value": 3}):
        yield "OrdinalEncoder.fit TypeError", lambda w=words: pre.OrdinalEncoder(**w).fit(WORDS)
    yield "OrdinalEncoder.inverse_transform ValueError", lambda: pre.OrdinalEncoder().fit(
        WORDS).inverse_transform(WORDS)
    yield "OrdinalEncoder.inverse_transform IndexError", lambda: pre.OrdinalEncoder().fit(
        WORDS).inverse_transform([[7]])


def columns():
    """What scikit-learn has no class for."""
    binned, capped = pre.Bucketizer([0, 10]), pre.Winsorizer()
    for made in (binned, capped, pre.Clipper(), pre.CyclicalFeatures()):
        name = type(made).__name__
        for rows in (INFINITE, X[:0], X[:, :0], WORDS):
            yield f"{name}.fit ValueError", lambda m=made, r=rows: clone(m).fit(r)
        yield f"{name}.fit TypeError", lambda m=made: clone(m).fit(ROWS)
        for rows in (INFINITE, WIDE, WORDS):
            yield "Columns.transform ValueError", lambda m=made, r=rows: clone(m).fit(X).transform(r)
        yield "Columns.transform TypeError", lambda m=made: clone(m).fit(X).transform(ROWS)
        if name != "Clipper":  # which needs no fit
            yield f"Columns.transform {NOT_FITTED}", lambda m=made: clone(m).transform(X)
            names = f"{name}.get_feature_names_out"
            yield f"{names} {NOT_FITTED}", lambda m=made: clone(m).get_feature_names_out()
            yield f"{names} ValueError", lambda m=made: clone(m).fit(X).get_feature_names_out(["a"])
    for words in ({"edges": None}, {"edges": [1]}, {"edges": [2, 1]}, {"edges": [[0, 9]]}, {"edges": [0, 9], "encode": 3},
                  {"edges": [0, np.nan]}):
        yield "Bucketizer.fit ValueError", lambda w=words: pre.Bucketizer(**w).fit(X)
    yield "Bucketizer.fit ValueError", lambda: binned.fit(NAN)
    yield "Columns.transform ValueError", lambda: pre.Bucketizer([0, 4.5]).fit(X).transform(X)
    for words in ({"lower": 3, "upper": 2}, {"lower": [1]}, {"upper": ["a", 2]}, {"lower": [np.nan, 1]}):
        yield "Clipper.fit ValueError", lambda w=words: pre.Clipper(**w).fit(X)
    for words, rows in (({"max_values": 0}, X), ({"max_values": [1]}, X), ({}, X * 0), ({}, NAN)):
        yield "CyclicalFeatures.fit ValueError", lambda w=words, r=rows: pre.CyclicalFeatures(**w).fit(r)
    for words, rows in (({"tail": "no"}, X), ({"capping_method": "quantiles", "fold": 0.5}, X), ({"fold": 0}, X), ({}, NAN)):
        yield "Winsorizer.fit ValueError", lambda w=words, r=rows: pre.Winsorizer(**w).fit(r)
    for method in ("fit", "partial_fit"):
        for rows in (INFINITE, X[:0], X[:, :0], WORDS):
            yield f"MeanNormalizationScaler.{method} ValueError", lambda m=method, r=rows: getattr(
                pre.MeanNormalizationScaler(), m)(r)
        yield f"MeanNormalizationScaler.{method} ValueError", lambda m=method: getattr(
            pre.MeanNormalizationScaler(copy=3), m)(X)
        yield f"MeanNormalizationScaler.{method} TypeError", lambda m=method: getattr(
            pre.MeanNormalizationScaler(), m)(ROWS)
    yield "MeanNormalizationScaler.partial_fit ValueError", lambda: pre.MeanNormalizationScaler().fit(X).partial_fit(WIDE)


def imputer():
    for name in ("fit", "fit_transform"):
        made = f"IterativeImputer.{name}"
        for rows in (INFINITE, X[:0], X[:, :0], WORDS):
            yield f"{made} ValueError", lambda r=rows, n=name: getattr(IterativeImputer(), n)(r)
        for words, rows in (({"imputation_order": "no"}, X), ({"missing_values": 3}, NAN), (
                {"min_value": 2, "max_value": 1}, WIDE), ({"min_value": [1, 2, 3, 4, 5, 6, 7]}, WIDE)):
            yield f"{made} ValueError", lambda w=words, r=rows, n=name: getattr(
                IterativeImputer(**w), n)(r)
        yield f"{made} TypeError", lambda n=name: getattr(IterativeImputer(), n)(ROWS)
    for rows in (INFINITE, WIDE, WORDS):
        yield "IterativeImputer.transform ValueError", lambda r=rows: IterativeImputer().fit(X).transform(r)
    yield "IterativeImputer.transform TypeError", lambda: IterativeImputer().fit(X).transform(ROWS)
    yield f"IterativeImputer.transform {NOT_FITTED}", lambda: IterativeImputer().transform(X)
    for cls in (IterativeImputer, KNNImputer, SimpleImputer):
        yield f"Imputer.get_feature_names_out {NOT_FITTED}", lambda c=cls: c().get_feature_names_out()
        yield "Imputer.get_feature_names_out ValueError", lambda c=cls: c().fit(X).get_feature_names_out(["a"])
    for rows in (INFINITE, X[:0], X[:, :0], WORDS):
        yield "KNNImputer.fit ValueError", lambda r=rows: KNNImputer().fit(r)
    for words, rows in (({"weights": "no"}, X), ({"n_neighbors": 0}, X), ({"missing_values": 3}, NAN)):
        yield "KNNImputer.fit ValueError", lambda w=words, r=rows: KNNImputer(**w).fit(r)
    yield "KNNImputer.fit TypeError", lambda: KNNImputer().fit(ROWS)
    for rows in (INFINITE, WIDE, WORDS):
        yield "KNNImputer.transform ValueError", lambda r=rows: KNNImputer().fit(X).transform(r)
    yield "KNNImputer.transform TypeError", lambda: KNNImputer().fit(X).transform(ROWS)
    yield f"KNNImputer.transform {NOT_FITTED}", lambda: KNNImputer().transform(X)
    for rows in (INFINITE, X[:0], X[:, :0], WORDS):
        yield "SimpleImputer.fit ValueError", lambda r=rows: SimpleImputer().fit(r)
    for words, rows in (({"strategy": "no"}, X), ({"missing_values": 3}, NAN), ({"missing_values": "a"}, X),
                        ({"strategy": "constant", "fill_value": "a"}, X), ({"missing_values": 0}, ROWS),
                        ({"strategy": "most_frequent"}, X > 1)):
        yield "SimpleImputer.fit ValueError", lambda w=words, r=rows: SimpleImputer(**w).fit(r)
    yield "SimpleImputer.fit TypeError", lambda: SimpleImputer(strategy="most_frequent").fit(LISTS)
    for rows in (INFINITE, WIDE, [["a", "b"]]):
        yield "SimpleImputer.transform ValueError", lambda r=rows: SimpleImputer().fit(X).transform(r)
    yield "SimpleImputer.inverse_transform ValueError", lambda: SimpleImputer().fit(X).inverse_transform(X)
    for words, rows in (({"features": "no"}, X), ({"missing_values": 3}, NAN), ({"missing_values": "a"}, X),
                        ({"missing_values": 0}, ROWS), ({}, X > 1), ({}, INFINITE), ({}, X[:0]), ({}, X[:, :0])):
        yield "MissingIndicator.fit ValueError", lambda w=words, r=rows: MissingIndicator(**w).fit(r)
    for rows in (INFINITE, WIDE, [["a", "b"]], NAN):
        yield "MissingIndicator.transform ValueError", lambda r=rows: MissingIndicator().fit(X).transform(r)
    yield f"MissingIndicator.transform {NOT_FITTED}", lambda: MissingIndicator().transform(X)
    names = "MissingIndicator.get_feature_names_out"
    yield f"{names} {NOT_FITTED}", lambda: MissingIndicator().get_feature_names_out()
    yield f"{names} ValueError", lambda: MissingIndicator().fit(X).get_feature_names_out(["a"])


def composites():
    wrong = [("a", pre.Normalizer(norm="l3")), ("b", pre.MinMaxScaler())]
    for method in ("fit", "fit_transform"):
        yield f"Pipeline.{method} ValueError", lambda m=method: getattr(Pipeline(wrong), m)(X)
        yield f"Pipeline.{method} ValueError", lambda m=method: getattr(Pipeline(wrong[1:]), m)(INFINITE)
        yield f"Pipeline.{method} TypeError", lambda m=method: getattr(Pipeline([("a", 3), *wrong[1:]]), m)(X)
    two = [("a", pre.MinMaxScaler()), ("b", pre.MaxAbsScaler())]
    for part, error in ((pre.MinMaxScaler((2, 1)), "ValueError"), (3, "TypeError")):
        yield (f"ColumnTransformer.fit {error}",
               lambda part=part: ColumnTransformer([("a", part, [0])]).fit(X))
    yield f"Pipeline.transform {NOT_FITTED}", lambda: Pipeline(two).transform(X)
    yield "Pipeline.transform ValueError", lambda: Pipeline(two).fit(X).transform(WIDE)
    yield "Pipeline.transform ValueError", lambda: Pipeline(two).fit(X).transform(X, a__copy=True)
    yield f"Estimator.to_sklearn {REFUSED}", lambda: Derived().to_sklearn()
    for made in (Pipeline([("a", Derived())]), ColumnTransformer([("a", Derived(), [0])])):
        yield f"Fused.to_sklearn {REFUSED}", lambda m=made: m.to_sklearn()
    yield f"to_model {REFUSED}", lambda: quern.to_model(Derived(), np.ones((2, 2)))
    yield "to_model sklearn.exceptions.NotFittedError", lambda: quern.to_model(
        pre.StandardScaler(), np.ones((2, 2)))
    yield f"to_sklearn {REFUSED}", lambda: quern.to_sklearn(Derived())
    for made in (PCA(), Derived()):
        yield f"from_sklearn {REFUSED}", lambda m=made: quern.from_sklearn(m)


def functions():
    def entered(manager):
        with manager:
            pass
    yield "config_context TypeError", lambda: entered(quern.config_context(devices="cpu"))
    yield "config_context ValueError", lambda: entered(quern.config_context(fallback="no"))
    yield "device TypeError", lambda: entered(quern.device(3))
    yield "set_config TypeError", lambda: quern.set_config(devices="cpu")
    yield "set_config ValueError", lambda: quern.set_config(fallback="no")
    yield "set_config ValueError", lambda: quern.set_config(output_memory=-1)

    def absent():
        with quern.device("cuda:99"):
            quern.last_report()
    yield "last_report quern.DeviceError", absent
    yield "pool quern.DeviceError", lambda: quern.pool("cuda:99")
    yield "read_csv OSError", lambda: quern.read_csv("none.csv")
    yield "read_csv OSError", lambda: quern.read_csv(csv(), "none.json")
    yield "read_csv ValueError", lambda: quern.read_csv(written("bad.csv", "a,a\n1,2\n"))
    yield "read_csv ValueError", lambda: quern.read_csv(csv(), {"quern": 1, "steps": 3})
    for name, call in (("fit", quern.fit), ("run", quern.run)):
        yield f"{name} ValueError", lambda c=call: c(LAST, X)
        yield f"{name} ValueError", lambda c=call: c(SCALE, INFINITE)
        yield f"{name} OSError", lambda c=call: c(SCALE, "none.csv")
        yield f"{name} OSError", lambda c=call: c(SCALE, csv(), model="none/a.model")
        yield f"{name} {REFUSED}", lambda c=call: c(SCALE, TIMES)
        yield f"{name} ImportError", lambda c=call: no_pyarrow(lambda: c(SCALE, "t.parquet"))
    yield f"run {REFUSED}", lambda: quern.run(SCALE, X, output="a.txt")
    yield "transform ValueError", lambda: quern.transform(model(), NARROW)
    yield "transform ValueError", lambda: quern.transform(model(), INFINITE)
    yield "transform OSError", lambda: quern.transform("none.model", X)
    yield "transform OSError", lambda: quern.transform(model(), X, output="none/a.npy")
    yield f"transform {REFUSED}", lambda: quern.transform(model(), TIMES)
    yield f"transform {REFUSED}", lambda: quern.transform(model(), X, output="a.txt")
    yield "transform ImportError", lambda: no_pyarrow(lambda: quern.transform(model(), "t.parquet"))
    yield "_core.join_texts TypeError", lambda: _core.join_texts(("one",))
    yield "_core.read_table OSError", lambda: _core.read_table(ctx(), "none.csv")
    yield "_core.read_table ValueError", lambda: _core.read_table(ctx(), csv(), "{")
    yield "_core.run OSError", lambda: _core.run(ctx(), pipeline(SCALE), "none.csv")
    yield "_core.apply_file OSError", lambda: _core.apply_file(ctx(), model(), "none.csv")
    yield "_core.apply_file ValueError", lambda: _core.apply_file(ctx(), model(), written("w.csv", "a\n1\n"))
    yield "_core.run TypeError", lambda: _core.run(3, pipeline(SCALE), csv())
    yield "_core.apply_file TypeError", lambda: _core.apply_file(ctx(), 3, csv())
    yield "_core.run ValueError", lambda: _core.run(ctx(), pipeline(LAST), csv())
    yield f"_core.run {REFUSED}", lambda: _core.run(
        ctx(), pipeline(SCALE), written("w.csv", "a\nx\n"))

    def strings_as_numbers():
        made = _core.run(ctx(), pipeline(PASS), written("w.csv", "a\nx\n"), transform=False)[1]
        _core.apply_file(ctx(), made, "w.csv", output="w.npy")
    yield f"_core.apply_file {REFUSED}", strings_as_numbers


def tables():
    from_matrix, from_columns = _core.Table.from_matrix, _core.Table.from_columns
    one = np.array([1.0, 2.0])
    for made in (3, np.array(["a"]), X.astype("M8[us]")):
        yield "_core.Table.from_matrix TypeError", lambda m=made: from_matrix(m)
    for made in (np.ones((2, 2, 2)), X[:, :0], X.astype(">f8")):
        yield "_core.Table.from_matrix ValueError", lambda m=made: from_matrix(m)
    yield "_core.Table.from_matrix ValueError", lambda: from_matrix(X, names=["a"])
    yield "_core.Table.from_matrix BufferError", lambda: from_matrix(FromCuda())
    yield f"_core.Table.from_matrix {REFUSED}", lambda: from_matrix(OnCuda())
    for made in ([3], [(one, one, one)], [np.array(["a"])]):
        yield "_core.Table.from_columns TypeError", lambda m=made: from_columns(m)
    for made in ([one, one[:1]], [], [("string", np.array([0, 9]), np.zeros(1, "u1"), None)],
                 [("string", np.array([1, 0]), np.zeros(1, "u1"), None)]):
        yield "_core.Table.from_columns ValueError", lambda m=made: from_columns(m)
    yield "_core.Table.from_columns ValueError", lambda: from_columns([one], names=["a", "b"])
    yield "_core.Table.from_columns BufferError", lambda: from_columns([FromCuda()])
    yield f"_core.Table.from_columns {REFUSED}", lambda: from_columns([OnCuda()])
    from_arrow, from_sparse = _core.Table.from_arrow, _core.Table.from_sparse
    yield "_core.Table.from_arrow TypeError", lambda: from_arrow(3)
    yield "_core.Table.from_arrow ValueError", lambda: from_arrow(pa.table({}))
    yield "_core.Table.from_arrow ValueError", lambda: from_arrow(pa.table({"a": [1]}), names=["a", "b"])
    yield f"_core.Table.from_arrow {REFUSED}", lambda: from_arrow(TIMES)
    yield "_core.Table.from_arrow OSError", lambda: from_arrow(Fails())
    from_device = _core.Table.from_device
    yield "_core.Table.from_device TypeError", lambda: from_device(ctx(), 3)
    yield "_core.Table.from_device ValueError", lambda: from_device(ctx(), OnCuda())
    yield "_core.Table.from_device BufferError", lambda: from_device(ctx(), X)
    yield f"_core.Table.from_device {REFUSED}", lambda: from_device(ctx(), AtAddress())
    parts = ROWS.indptr, ROWS.indices, ROWS.data
    yield "_core.Table.from_sparse TypeError", lambda: from_sparse("csr", 3, *parts)
    yield "_core.Table.from_sparse TypeError", lambda: from_sparse("csr", ROWS.shape, *parts[:2], "a")
    yield "_core.Table.from_sparse ValueError", lambda: from_sparse("coo", ROWS.shape, *parts)
    yield "_core.Table.from_sparse ValueError", lambda: from_sparse("csr", (3, 1), *parts)
    yield f"_core.Table.from_sparse {REFUSED}", lambda: from_sparse("csr", ROWS.shape, *parts[:2], OnCuda())
    yield "_core.Table.set_weights TypeError", lambda: table(X).set_weights(np.ones(3, np.float32))
    for weights in (np.ones(2), np.array([1.0, -1.0, 1.0])):
        yield "_core.Table.set_weights ValueError", lambda w=weights: table(X).set_weights(w)
    state = np.zeros(625, np.uint32)
    for wrong in (state[1:], state.astype(np.int64), np.full(625, 700, np.uint32)):
        yield "_core.Table.set_random_state ValueError", lambda s=wrong: table(X).set_random_state(s)
    yield "_core.Table.set_random_state TypeError", lambda: table(X).set_random_state(3)
    yield "_core.Table.set_random_state BufferError", lambda: table(X).set_random_state(bytes(2500))
    yield "_core.Table.set_target TypeError", lambda: table(X).set_target(1.0)
    yield "_core.Table.set_target ValueError", lambda: table(X).set_target(np.ones(2))
    yield "_core.Table.column IndexError", lambda: table(X).column(2)
    yield "_core.Table.column OverflowError", lambda: table(X).column(-1)
    yield "_core.Table.column TypeError", lambda: table(X).column("a")
    yield f"_core.Table.column {REFUSED}", lambda: from_sparse("csr", ROWS.shape, *parts).column(0)


def models():
    out = np.empty((3, 2))
    frozen = np.empty((3, 2))
    frozen.setflags(write=False)
    yield "_core.Model.from_bytes ValueError", lambda: _core.Model.from_bytes(b"nothing")
    yield "_core.Model.from_bytes TypeError", lambda: _core.Model.from_bytes(3)
    yield "_core.Model.load OSError", lambda: _core.Model.load("none.model")
    yield "_core.Model.load ValueError", lambda: _core.Model.load(written("bad.model", "nothing"))
    yield "_core.Model.save OSError", lambda: model().save("none/a.model")
    sparse_table = _core.Table.from_sparse("csr", ROWS.shape, ROWS.indptr, ROWS.indices, ROWS.data)
    for name, made in (("_core.Model.transform", lambda s=SCALE: model(s).transform),
                       ("_core.Pipeline.fit_transform", lambda s=SCALE: pipeline(s).fit_transform)):
        yield f"{name} ValueError", lambda m=made: m()(ctx(), table(INFINITE))
        yield f"{name} ValueError", lambda m=made: m()(ctx(), table(X), out=np.empty((2, 2)))
        yield f"{name} ValueError", lambda m=made: m()(ctx(), table(X), out=out.T)
        yield f"{name} {REFUSED}", lambda m=made: m(MIN_MAX)(ctx(), sparse_table)
        yield f"{name} TypeError", lambda m=made: m()(ctx(), X)
    yield "_core.Model.transform ValueError", lambda: model().transform(ctx(), table(NARROW))
    yield "_core.Model.inverse_transform ValueError", lambda: model().inverse_transform(ctx(), table(WIDE))
    yield f"_core.Model.inverse_transform {REFUSED}", lambda: model(CODES).inverse_transform(ctx(), table(X))
    yield "_core.Model.inverse_transform TypeError", lambda: model().inverse_transform(ctx(), X)
    for rows, into in ((WIDE, out), (X.astype("f4"), out), (X, out[:1]), (INFINITE, out)):
        yield "_core.Model.apply ValueError", lambda r=rows, o=into: model().apply(r, o)
    yield "_core.Model.apply TypeError", lambda: model().apply(3, out)
    yield "_core.Model.apply BufferError", lambda: model().apply(memoryview(X), memoryview(frozen))
    mixed = _core.Table.from_columns([np.array([1.0, 2.0]), np.array([1, 2])])
    yield f"_core.Model.apply {REFUSED}", lambda: pipeline(SCALE).fit(ctx(), mixed).apply(X, out)
    yield "_core.Pipeline ValueError", lambda: _core.Pipeline("{")
    yield "_core.Pipeline TypeError", lambda: _core.Pipeline(3)
    yield "_core.Pipeline.fit ValueError", lambda: pipeline(LAST).fit(ctx(), table(X))
    yield "_core.Pipeline.fit ValueError", lambda: pipeline(SCALE).fit(ctx(), table(INFINITE))
    yield f"_core.Pipeline.fit {REFUSED}", lambda: pipeline(MIN_MAX).fit(ctx(), sparse_table)
    yield "_core.Pipeline.fit TypeError", lambda: pipeline(SCALE).fit(ctx(), X)
    yield "_core.Fit TypeError", lambda: _core.Fit(3, pipeline(SCALE))
    for method in ("snapshot", "finish"):
        yield f"_core.Fit.{method} ValueError", lambda m=method: getattr(fit(), m)()
        yield f"_core.Fit.{method} ValueError", lambda m=method: getattr(fit(finished=True), m)()
    yield "_core.Fit.to_bytes ValueError", lambda: fit(finished=True).to_bytes()
    yield f"_core.Fit.to_bytes {REFUSED}", lambda: fit(CODES).to_bytes()
    yield "_core.Fit.from_bytes ValueError", lambda: _core.Fit.from_bytes(ctx(), b"nothing")
    yield "_core.Fit.from_bytes TypeError", lambda: _core.Fit.from_bytes(ctx(), 3)
    yield "_core.Fit.push ValueError", lambda: fit(finished=True).push(table(X))
    yield "_core.Fit.push TypeError", lambda: fit().push(X)

    def other_columns():
        made = fit()
        made.push(table(X))
        made.push(table(WIDE))
    yield "_core.Fit.push ValueError", other_columns


def contexts():
    yield "_core.Context quern.DeviceError", lambda: _core.Context("cuda:99")
    for words in ({"device": "no"}, {"fallback": "no"}, {"threads": 2**40}):
        yield "_core.Context ValueError", lambda w=words: _core.Context(**w)
    for words in ({"device": 3}, {"log": 3}, {"threads": "a"}):
        yield "_core.Context TypeError", lambda w=words: _core.Context(**w)
    for method in ("decisions", "ledger", "reset", "stages", "pool", "reset_peaks", "trim", "devices"):
        yield f"_core.Context.{method} RuntimeError", lambda m=method: within(m)
    yield "_core.Context.trim TypeError", lambda: ctx().trim("a")
    yield "_core.Context.trim OverflowError", lambda: ctx().trim(-1)


def outputs():
    for name in ("output", "output_limit", "output_trim"):
        call = getattr(_core, name)
        yield f"_core.{name} TypeError", lambda c=call: c("a")
        yield f"_core.{name} OverflowError", lambda c=call: c(-1)
    yield "_core.output MemoryError", lambda: _core.output(1 << 60)


def exception(name):
    module, _, word = name.rpartition(".")
    return getattr(importlib.import_module(module or "builtins"), word)


CASES = list(cases())


def test_every_exception_that_is_named_has_a_call():
    named = {f"{key_of(value)} {head}" for value in documented().values()
             for head, _ in entries_of(sections_of(value).get("Raises", []))}
    called = {name for name, _ in CASES}
    assert named - called == NOT_HERE
    assert called - named == set(), "not in a docstring"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, call", [pytest.param(*case, id=f"{case[0].replace(' ', '-')}-{i}")
                                        for i, case in enumerate(CASES)])
def test_the_call_raises_it(name, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = exception(name.split()[1])
    with quern.device("cpu"), pytest.raises(wanted) as caught:
        call()
    assert not isinstance(caught.value, NotFittedError) or wanted is NotFittedError
