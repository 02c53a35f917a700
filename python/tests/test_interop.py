# SPDX-License-Identifier: Apache-2.0
"""Estimators of scikit-learn as quern's, and back."""
import numpy as np
import pytest
import sklearn.compose as skc
import sklearn.pipeline as skp
import sklearn.preprocessing as skpre
from sklearn.linear_model import LogisticRegression

import quern
from quern import interop
from quern import preprocessing as q

RNG = np.random.default_rng(2)
CASES = [
    ("StandardScaler", {}), ("StandardScaler", {"with_mean": False}),
    ("StandardScaler", {"with_std": False}), ("StandardScaler", {"with_mean": False, "with_std": False}),
    ("MinMaxScaler", {"feature_range": (-2, 5), "clip": True}), ("MaxAbsScaler", {}),
    ("MaxAbsScaler", {"clip": True}), ("RobustScaler", {"unit_variance": True}),
    ("RobustScaler", {"with_centering": False, "quantile_range": (10.0, 80.0)}),
    ("RobustScaler", {"with_scaling": False}), ("Normalizer", {"norm": "l1"}),
    ("Normalizer", {"norm": "max"}), ("Binarizer", {"threshold": 0.25}), ("PolynomialFeatures", {"degree": (1, 3)}),
    ("QuantileTransformer", {"n_quantiles": 20}), ("KernelCenterer", {}),
]


def data(name, dtype, holes=True):
    X = RNG.normal(3, 2, (80, 5)).astype(dtype)
    X[:, 2] = 1.5
    if name == "KernelCenterer":
        return X @ X.T
    if holes and name not in ("Normalizer", "Binarizer", "PolynomialFeatures"):
        X[3, 1] = np.nan
    return X


def alike(a, b):
    assert set(vars(a)) == set(vars(b))
    for name, value in vars(a).items():
        other = getattr(b, name)
        assert type(value) is type(other), name
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype and value.tobytes() == other.tobytes(), name
            assert value is not other
        else:
            assert value == other or value != value


def with_params(cls, params):
    try:
        return cls(**params)
    except TypeError:
        pytest.skip(f"this scikit-learn's {cls.__name__} does not have {set(params)}")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name, params", CASES)
def test_from_scikit_learn_and_back(name, params, dtype):
    X = data(name, dtype)
    theirs = with_params(getattr(skpre, name), params).fit(X)
    ours = quern.from_sklearn(theirs)
    assert type(ours) is getattr(q, name)
    alike(theirs, ours)
    for rows in (slice(None), slice(0, 1), slice(4, 40)):
        a, b = theirs.transform(X[rows]), ours.transform(X[rows])
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    back = ours.to_sklearn()
    assert type(back) is type(theirs)
    alike(theirs, back)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name, params", CASES)
def test_to_scikit_learn_and_back(name, params, dtype):
    X = data(name, dtype)
    ours = with_params(getattr(q, name), params).fit(X)
    theirs = ours.to_sklearn()
    alike(ours, theirs)
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
    alike(ours, quern.from_sklearn(theirs))


# Within rounding errors: test_row_imputers.py, test_iterative_imputer.py, test_power.py.
ELSEWHERE = {"FunctionTransformer", "IterativeImputer", "KNNImputer", "PowerTransformer", "SplineTransformer"}
TEXTS = np.array([["a", "x"], ["b", "y"], ["a", "z"], [np.nan, "x"]] * 3, object)
HOLES = np.where(np.arange(24.0).reshape(6, 4) % 5 == 3, np.nan, 2.5)
COLUMNS = [
    ("preprocessing", "KBinsDiscretizer", {"encode": "ordinal"}, np.random.default_rng(8).normal(size=(40, 3))),
    ("preprocessing", "KBinsDiscretizer", {"strategy": "uniform", "n_bins": [3, 4, 2]},
     np.random.default_rng(8).normal(size=(40, 3))),
    ("preprocessing", "OneHotEncoder", {}, TEXTS),
    ("preprocessing", "OneHotEncoder", {"drop": "first", "sparse_output": False}, TEXTS),
    ("preprocessing", "OneHotEncoder", {"drop": ["a", "y"]}, TEXTS),
    ("preprocessing", "OneHotEncoder", {"min_frequency": 4, "handle_unknown": "infrequent_if_exist"},
     TEXTS),
    ("preprocessing", "OneHotEncoder", {"dtype": np.float32}, np.arange(12.0).reshape(6, 2) % 5),
    ("preprocessing", "OrdinalEncoder", {}, TEXTS),
    ("preprocessing", "OrdinalEncoder", {"encoded_missing_value": -3, "max_categories": 2}, TEXTS),
    ("preprocessing", "OrdinalEncoder", {"handle_unknown": "use_encoded_value",
                                         "unknown_value": np.nan}, np.arange(12).reshape(6, 2) % 5),
    ("impute", "MissingIndicator", {}, HOLES),
    ("impute", "MissingIndicator", {"features": "all", "sparse": True}, HOLES),
    ("impute", "MissingIndicator", {"features": "all"}, TEXTS),
    ("impute", "SimpleImputer", {}, data("x", "f4")),
    ("impute", "SimpleImputer", {"strategy": "median", "add_indicator": True}, data("x", "f8")),
    ("impute", "SimpleImputer", {"strategy": "constant", "fill_value": 7.0}, data("x", "f8")),
    ("impute", "SimpleImputer", {"strategy": "most_frequent"}, TEXTS),
    ("impute", "SimpleImputer", {"missing_values": 1, "strategy": "most_frequent"},
     np.arange(12).reshape(6, 2) % 5),
]


def plain(out):
    return np.asarray(out.toarray() if hasattr(out, "toarray") else out)


def same_cells(a, b):
    a, b = plain(a), plain(b)
    assert a.dtype == b.dtype and a.shape == b.shape
    assert all(x == y or (x != x and y != y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist()))


@pytest.mark.parametrize("module, name, params, X", COLUMNS)
def test_columns_of_categories_and_holes(module, name, params, X):
    theirs = getattr(__import__(f"sklearn.{module}", fromlist=[name]), name)(**params).fit(X)
    ours = quern.from_sklearn(theirs)
    assert type(ours) is getattr(getattr(quern, module), name)
    same_cells(theirs.transform(X), ours.transform(X))
    same_cells(theirs.transform(X[2:3]), ours.transform(X[2:3]))
    assert list(theirs.get_feature_names_out()) == list(ours.get_feature_names_out())
    fitted = type(ours)(**params).fit(X)
    for learned in (ours, fitted):
        back = learned.to_sklearn()
        assert type(back) is type(theirs)
        same_cells(back.transform(X), theirs.transform(X))
        public = {n for n in vars(theirs) if n.endswith("_") and not n.startswith("_")}
        assert public <= set(vars(back))
        for word in ("categories_", "statistics_", "drop_idx_"):
            expected = getattr(theirs, word, None)
            for a, b in zip(expected, getattr(back, word)) if expected is not None else ():
                a, b = np.asarray(a), np.asarray(b)
                assert a.dtype == b.dtype
                if learned is fitted and a.dtype.kind == "f":
                    np.testing.assert_allclose(a, b, rtol=1e-6)  # a mean of its own
                else:
                    same_cells(a, b)


def test_every_class_has_a_counterpart_and_a_case():
    from quern import impute, preprocessing
    names = {n for m in (impute, preprocessing) for n in m.__all__
             if isinstance(getattr(m, n), type)}
    pairs = {ours.__name__: theirs for ours, theirs in interop.pairs().items()}
    names -= interop.OURS_ALONE
    assert names <= set(pairs)
    assert names <= {name for name, _ in CASES} | {name for _, name, _, _ in COLUMNS} | ELSEWHERE
    assert all(theirs.__module__.startswith("sklearn.") for theirs in pairs.values())


@pytest.mark.parametrize("name", sorted(interop.OURS_ALONE))
def test_what_scikit_learn_does_not_have_is_refused_by_name(name):
    with pytest.raises(quern.UnsupportedError, match=f"{name} has no counterpart"):
        quern.to_sklearn(getattr(q, name)())
    copied = quern.from_sklearn(getattr(q, name)())  # one of quern is copied
    assert type(copied) is getattr(q, name)


def test_unfitted_and_configured():
    theirs = skpre.StandardScaler(with_mean=False).set_output(transform="pandas")
    ours = quern.from_sklearn(theirs)
    assert ours.get_params() == theirs.get_params() and not hasattr(ours, "scale_")
    assert ours._sklearn_output_config == {"transform": "pandas"}


def composite(X):
    inner = skp.make_pipeline(skpre.RobustScaler(), "passthrough", skpre.MinMaxScaler())
    return skp.Pipeline([
        ("ct", skc.ColumnTransformer([("a", skpre.StandardScaler(), [0, 2]), ("b", inner, slice(1, 3)),
                                      ("c", "drop", [4])], remainder="passthrough")),
        ("end", skpre.MaxAbsScaler())]).fit(X)


def test_composites():
    X = data("x", "f8")
    theirs = composite(X)
    ours = quern.from_sklearn(theirs)
    assert type(ours) is quern.pipeline.Pipeline
    assert type(ours[0]) is quern.compose.ColumnTransformer
    assert type(ours[0].named_transformers_["b"]) is quern.pipeline.Pipeline
    assert type(ours[0].named_transformers_["b"][0]) is q.RobustScaler
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
    back = ours.to_sklearn()
    assert type(back[0].named_transformers_["a"]) is skpre.StandardScaler
    np.testing.assert_array_equal(back.transform(X), theirs.transform(X))
    assert list(back.get_feature_names_out()) == list(theirs.get_feature_names_out())
    np.testing.assert_allclose(ours.fit_transform(X), theirs.transform(X), rtol=1e-12)


def test_originals_are_left_alone():
    theirs = composite(data("x", "f8"))
    ours = quern.from_sklearn(theirs)
    ours[0].named_transformers_["a"].mean_[:] = 77
    assert 77 not in theirs[0].named_transformers_["a"].mean_


@pytest.mark.parametrize("estimator", [LogisticRegression(), skpre.LabelBinarizer(),
                                       skp.make_pipeline(skpre.StandardScaler(), LogisticRegression())])
def test_others_are_refused_by_name(estimator):
    name = type(estimator if not hasattr(estimator, "steps") else estimator[-1]).__name__
    with pytest.raises(quern.UnsupportedError, match=name):
        quern.from_sklearn(estimator)


def test_subclasses_are_refused():
    class Mine(skpre.StandardScaler):
        pass
    with pytest.raises(quern.UnsupportedError, match="Mine"):
        quern.from_sklearn(Mine())
