# SPDX-License-Identifier: Apache-2.0
"""A few rows through a composite go straight to the row server, and never with a stale model."""
import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone

import quern
from quern.compose import ColumnTransformer
from quern.impute import SimpleImputer
from quern.pipeline import Pipeline, make_pipeline
from quern.preprocessing import (Binarizer, MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder,
                                 RobustScaler, StandardScaler)


def table(dtype=np.float64, rows=300):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(rows, 10)) * 10
    X[:, 8:] = rng.integers(0, 4, size=(rows, 2))
    return X.astype(dtype)


def with_holes():
    X = table()
    X[:, :5][np.random.default_rng(1).random((len(X), 5)) < 0.1] = np.nan
    return X


COMPOSITES = {
    "numbers": lambda: ColumnTransformer([("s", StandardScaler(), [0, 1, 2, 3, 4]),
                                          ("m", MinMaxScaler(), [5, 6, 7, 8, 9])]),
    "some columns, twice": lambda: ColumnTransformer([("s", StandardScaler(), [7, 2]),
                                                      ("m", RobustScaler(), [2, 4]),
                                                      ("p", "passthrough", [0])]),
    "categories": lambda: ColumnTransformer([
        ("s", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1, 2]),
        ("o", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), [8, 9])]),
    "ordinals": lambda: ColumnTransformer([
        ("o", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [8, 9])],
        remainder=StandardScaler()),
    "pipeline": lambda: make_pipeline(SimpleImputer(), StandardScaler(), MinMaxScaler(clip=True)),
    "rows and thresholds": lambda: make_pipeline(StandardScaler(), Normalizer(), Binarizer()),
    "joined, then a chain": lambda: Pipeline([
        ("c", ColumnTransformer([("s", StandardScaler(), [0, 1]), ("m", MinMaxScaler(), [3])])),
        ("r", RobustScaler())]),
}


@pytest.fixture(params=COMPOSITES)
def composite(request):
    return COMPOSITES[request.param]()


@pytest.fixture
def cpu():
    with quern.device("cpu"):
        yield


@pytest.fixture
def no_orchestration(monkeypatch):
    """Makes everything fail that the long way needs; call it when the short way is due."""
    def forbid():
        def fail(*args, **words):
            raise AssertionError("the long way was taken")
        monkeypatch.setattr("quern._fuse.Plan.__init__", fail)
        monkeypatch.setattr("sklearn.compose.ColumnTransformer._call_func_on_transformers", fail)
    return forbid


def unserved(estimator, X):
    fresh = copy.deepcopy(estimator)  # carries no models
    return fresh.transform(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_served_rows_are_those_of_the_long_way(cpu, composite, dtype, no_orchestration):
    X = table(dtype)
    composite.fit(X)
    wanted = {n: unserved(composite, X[5:5 + n]) for n in (1, 2, 32)}
    composite.transform(X[:1])
    no_orchestration()
    for n, rows in wanted.items():
        got = composite.transform(X[5:5 + n])
        assert got.dtype == rows.dtype and got.flags.c_contiguous
        np.testing.assert_array_equal(got, rows)


def test_missing_values_are_served(cpu, no_orchestration):
    X, composite = with_holes(), COMPOSITES["categories"]()
    composite.fit(X)
    holes = X[np.isnan(X[:, :3]).any(axis=1)][:20]
    wanted = unserved(composite, holes)
    composite.transform(X[:1])
    no_orchestration()
    np.testing.assert_array_equal(composite.transform(holes), wanted)


def changes():
    def in_place(c, X):
        c.named_transformers_["s"].mean_[0] += 1
    yield in_place

    def another_array(c, X):
        c.named_transformers_["m"].scale_ = c.named_transformers_["m"].scale_ * 2
    yield another_array

    def a_parameter(c, X):
        c.named_transformers_["m"].clip = True
    yield a_parameter

    def another_transformer(c, X):
        c.transformers_[0] = ("s", StandardScaler().fit(X[:9, :5]), [0, 1, 2, 3, 4])
    yield another_transformer

    def a_fit(c, X):
        c.fit(X[:20] * 3)
    yield a_fit

    def part_of_a_fit(c, X):
        c.named_transformers_["s"].partial_fit(X[:7, :5] * 9)
    yield part_of_a_fit


@pytest.mark.parametrize("change", changes(), ids=lambda f: f.__name__)
def test_what_changes_is_not_served_from_before(cpu, change):
    X = table()
    composite = COMPOSITES["numbers"]().fit(X)
    before = composite.transform(X[:1])
    assert np.array_equal(composite.transform(X[:1]), before)
    change(composite, X)
    x = X[:1] + 100  # beyond what was seen: clipping shows
    np.testing.assert_array_equal(composite.transform(x), unserved(composite, x))
    if change.__name__ != "a_parameter":
        assert not np.array_equal(composite.transform(X[:1]), before)


def test_a_parameter_of_a_pipelines_step_counts(cpu):
    X = table()
    pipeline = COMPOSITES["pipeline"]().fit(X)
    pipeline.transform(X[:1])
    assert pipeline.transform(X[:1] + 1000).max() == 1
    pipeline.set_params(minmaxscaler__clip=False)
    assert pipeline.transform(X[:1] + 1000).max() > 1


def test_output_containers_are_asked_for_each_time(cpu, composite):
    X = table()
    composite.fit(X)
    composite.transform(X[:1])
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(composite.transform(X[:1]), pd.DataFrame)
    assert isinstance(composite.transform(X[:1]), np.ndarray)
    composite.set_output(transform="pandas")
    assert isinstance(composite.transform(X[:1]), pd.DataFrame)


@pytest.mark.parametrize("bad, message", [
    (np.full((1, 10), np.inf), "infinity"),
    (np.ones((1, 9)), "features"),
    (np.ones(10), "does not contain any features"),
    (np.ones((0, 10)), "0 sample"),
])
def test_errors_are_those_of_the_long_way(cpu, bad, message):
    X = table()
    composite = COMPOSITES["numbers"]().fit(X)
    composite.transform(X[:1])
    with pytest.raises(ValueError, match=message):
        composite.transform(bad)


def test_unknown_categories_are_refused_by_name(cpu):
    X = table()
    composite = ColumnTransformer([("o", OneHotEncoder(sparse_output=False), [8, 9])]).fit(X)
    composite.transform(X[:1])
    with pytest.raises(ValueError, match="Found unknown categories"):
        composite.transform(np.full((1, 10), 77.0))


def test_nan_is_refused_where_an_estimator_refuses_it(cpu):
    X = table()
    composite = make_pipeline(MinMaxScaler(), Normalizer()).fit(X)
    composite.transform(X[:1])
    x = X[:1].copy()
    x[0, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        composite.transform(x)


@pytest.mark.parametrize("arrange", [np.asfortranarray, lambda x: x[::-1], lambda x: np.repeat(x, 2, 1)[:, ::2],
                                     lambda x: x.astype(np.float32), lambda x: x.astype(">f8"),
                                     lambda x: pd.DataFrame(x)],
                         ids=["fortran", "reversed", "strided", "float32", "big endian", "frame"])
def test_other_arrays_give_the_same(cpu, arrange):
    X = table()
    composite = COMPOSITES["numbers"]().fit(X)
    composite.transform(X[:4])
    x = arrange(X[10:14])
    np.testing.assert_array_equal(np.asarray(composite.transform(x)), np.asarray(unserved(composite, x)))


def test_names_of_features_are_still_missed(cpu):
    X = table()
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(10)])
    composite = COMPOSITES["numbers"]().fit(frame)
    for _ in range(3):
        with pytest.warns(UserWarning, match="valid feature names"):
            composite.transform(X[:1])


def test_sparse_outputs_stay_sparse(cpu):
    X = table()
    composite = ColumnTransformer([("o", OneHotEncoder(), [8, 9])], sparse_threshold=1.0).fit(X)
    for _ in range(3):
        assert type(composite.transform(X[:1])) is type(unserved(composite, X[:1]))


def test_other_devices_do_their_own_rows(composite):
    X = table()
    with quern.device("cpu"):
        composite.fit(X)
        wanted = composite.transform(X[:3])
        composite.transform(X[:3])
    if not any(d["id"] == "opencl:0" for d in quern._core.Context().devices()):
        pytest.skip("no opencl:0")
    with quern.config_context(device="opencl:0", fallback="never"):
        before = quern.last_report()["ledger"]
        got = composite.transform(X[:3])
        assert quern.last_report()["ledger"] != before
    np.testing.assert_array_equal(got, wanted)


def test_copies_serve_themselves(cpu):
    X = table()
    composite = COMPOSITES["numbers"]().fit(X)
    wanted = composite.transform(X[:1])
    composite.transform(X[:1])
    for other in (copy.deepcopy(composite), pickle.loads(pickle.dumps(composite))):
        other.transform(X[:1])
        other.named_transformers_["s"].mean_ += 1
        assert not np.array_equal(other.transform(X[:1]), wanted)
        np.testing.assert_array_equal(composite.transform(X[:1]), wanted)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        clone(composite).transform(X[:1])


def test_threads_are_served_at_once(cpu):
    X = table()
    composite = COMPOSITES["numbers"]().fit(X)
    wanted, failures = composite.transform(X), []

    def work(first):
        for i in range(first, len(X), 4):
            if not np.array_equal(composite.transform(X[i:i + 1]), wanted[i:i + 1]):
                failures.append(i)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


ALONE = {"imputer": lambda: SimpleImputer(strategy="median"),
         "constant": lambda: SimpleImputer(strategy="constant", fill_value=3),
         "normalizer": Normalizer,
         "binarizer": lambda: Binarizer(threshold=1.5)}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_estimators_alone_are_served_too(cpu, name, dtype, monkeypatch):
    X = table(dtype)
    estimator = ALONE[name]().fit(X)
    wanted = unserved(estimator, X[5:6])
    estimator.transform(X[:1])

    def fail(*args, **words):
        raise AssertionError("the long way was taken")
    monkeypatch.setattr(type(estimator), "_validate", fail, raising=False)
    monkeypatch.setattr("quern.preprocessing._rowwise.validate_data", fail)
    got = estimator.transform(X[5:6])
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", ALONE)
def test_estimators_alone_refuse_what_they_refuse(cpu, name):
    X = table()
    estimator = ALONE[name]().fit(X)
    estimator.transform(X[:1])
    x = X[:1].copy()
    x[0, 2] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        estimator.transform(x)
    x[0, 2] = np.nan
    if name in ("normalizer", "binarizer"):
        with pytest.raises(ValueError, match="NaN"):
            estimator.transform(x)
    else:
        assert not np.isnan(estimator.transform(x)).any()


def test_parameters_of_estimators_alone_count(cpu):
    X = table()
    binarizer = Binarizer(threshold=-1e9)
    assert binarizer.transform(X[:1]).all() and binarizer.transform(X[:1]).all()
    binarizer.threshold = 1e9
    assert not binarizer.transform(X[:1]).any()
    imputer = SimpleImputer().fit(X)
    x = np.full((1, 10), np.nan)
    imputer.transform(x)
    imputer.statistics_[3] = 77.0
    assert imputer.transform(x)[0, 3] == 77
    imputer.fit(X * 2)
    np.testing.assert_array_equal(imputer.transform(x), unserved(imputer, x))
