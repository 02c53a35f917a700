# SPDX-License-Identifier: Apache-2.0
"""Passes over the data that are not made: looking for infinities ahead of the library, which refuses
them itself; copies into an output that is there; strings that are Arrow's already."""
import os

import numpy as np
import pandas as pd
import pytest
import sklearn.compose
import sklearn.impute
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.utils import validation

import quern
from quern import _core
from quern._convert import ArrowTexts, column_texts, texts
from quern.impute import SimpleImputer
from quern.pipeline import make_pipeline
from quern.preprocessing import (Binarizer, MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler,
                                 StandardScaler)

SCALERS = [StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False),
           StandardScaler(with_mean=False, with_std=False), MinMaxScaler(), MinMaxScaler(clip=True),
           MaxAbsScaler(), MaxAbsScaler(clip=True), RobustScaler(), RobustScaler(with_scaling=False),
           RobustScaler(with_centering=False),
           RobustScaler(with_centering=False, with_scaling=False)]
IMPUTERS = [SimpleImputer(strategy=s, keep_empty_features=keep)
            for s in ("mean", "median", "most_frequent", "constant") for keep in (False, True)]
ROWWISE = [Normalizer(), Normalizer(norm="l1"), Normalizer(norm="max"), Binarizer()]
DEVICES = ("cpu", "opencl:0")


def name_of(estimator):
    return repr(estimator).replace(" ", "")


@pytest.fixture(params=DEVICES)
def device(request):
    if not any(d["present"] and d["id"] == request.param for d in _core.Context("cpu").devices()):
        assert "opencl" not in os.environ.get("QUERN_REQUIRE", ""), f"no {request.param} here"
        pytest.skip(f"no {request.param} here")
    with quern.device(request.param):
        yield request.param


def matrices():
    """Of both widths and layouts; some columns are constant."""
    random = np.random.default_rng(5)
    for dtype in (np.float32, np.float64):
        for rows, columns, order in ((1, 2, "C"), (40, 3, "C"), (40, 3, "F"), (9000, 7, "C")):
            x = np.asarray(random.normal(size=(rows, columns)), dtype, order)
            x[:, 1] = 0
            yield x


def bad(x, value, row, column):
    spoiled = x.copy(order="K")
    spoiled[row, column] = value
    return spoiled


@pytest.mark.parametrize("estimator", [*SCALERS, *IMPUTERS, *ROWWISE], ids=name_of)
def test_an_infinity_anywhere_is_refused_in_scikit_learns_words(estimator, device):
    methods = ["transform"] if estimator in ROWWISE else ["fit", "transform"]
    if hasattr(estimator, "inverse_transform") and estimator in SCALERS:
        methods.append("inverse_transform")
    for x in matrices():
        estimator.fit(x)
        for value in (np.inf, -np.inf):
            for row in {0, len(x) // 2, len(x) - 1}:
                for column in (0, 1, x.shape[1] - 1):
                    for method in methods:
                        with pytest.raises(ValueError, match="^Input (X )?contains infinity"):
                            getattr(estimator, method)(bad(x, value, row, column))


@pytest.mark.parametrize("estimator", ROWWISE, ids=name_of)
def test_a_missing_value_is_refused_where_scikit_learn_refuses_it(estimator, device):
    for x in matrices():
        with pytest.raises(ValueError, match="^Input X contains NaN"):
            estimator.fit(x).transform(bad(x, np.nan, len(x) - 1, 0))


def test_infinities_in_columns_that_an_imputer_leaves_out_are_refused():
    x = np.arange(12.0).reshape(4, 3)
    x[:, 1] = np.nan
    imputer = SimpleImputer().fit(x)
    with pytest.warns(UserWarning, match="Skipping features"), pytest.raises(ValueError, match="infinity"):
        imputer.transform(bad(np.arange(12.0).reshape(4, 3), np.inf, 2, 1))


def test_an_imputer_warns_of_columns_that_it_leaves_out_each_time():
    x = np.arange(12.0).reshape(4, 3)
    imputer = SimpleImputer().fit(np.where(np.arange(3) == 1, np.nan, x))
    for _ in range(3):
        with pytest.warns(UserWarning, match="Skipping features"):
            imputer.transform(x)


def test_rows_of_weight_zero_are_looked_at_too():
    x = bad(np.arange(12.0).reshape(6, 2), np.inf, 3, 1)
    with pytest.raises(ValueError, match="infinity"):
        StandardScaler().fit(x, sample_weight=[1, 1, 1, 0, 1, 1])


@pytest.mark.parametrize("estimator", [RobustScaler(), SimpleImputer()], ids=name_of)
def test_a_fit_that_is_refused_leaves_what_was_known(estimator):
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["a", "b", "c"])
    estimator.fit(frame)
    before = {k: v for k, v in vars(estimator).items() if k.endswith("_")}
    with pytest.raises(ValueError, match="infinity"):
        estimator.fit(np.full((3, 2), np.inf))
    assert {k: v for k, v in vars(estimator).items() if k.endswith("_")} == before


@pytest.mark.parametrize("make", [StandardScaler, MinMaxScaler, RobustScaler, SimpleImputer])
def test_a_first_fit_that_is_refused_leaves_nothing(make):
    estimator = make()
    with pytest.raises(ValueError, match="infinity"):
        estimator.fit(np.full((3, 2), np.inf))
    assert not [name for name in vars(estimator) if name.endswith("n_features_in_")]


@pytest.mark.parametrize("estimator", [*SCALERS, *IMPUTERS], ids=name_of)
def test_arrays_are_not_gone_through_ahead_of_the_library(estimator, monkeypatch):
    def second_pass(*args, **kwargs):
        raise AssertionError("a pass over the data that the library makes itself")

    x = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    estimator.fit(x)
    idle = estimator in (SCALERS[3], SCALERS[-1])  # a transform that does nothing looks at nothing
    blind = getattr(estimator, "strategy", None) == "most_frequent"
    monkeypatch.setattr(validation, "_assert_all_finite", second_pass)
    calls = [] if blind else [estimator.fit]
    calls += [] if idle else [estimator.transform]
    for call in calls:
        call(x)
    for call in {estimator.fit, estimator.transform} - set(calls):
        with pytest.raises(AssertionError, match="a pass over the data"):
            call(x)


@pytest.mark.parametrize("scaler", SCALERS, ids=name_of)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", "CF")
def test_a_scaler_writes_into_an_array_that_is_there(scaler, dtype, order):
    x = np.random.default_rng(2).normal(5, 3, size=(70, 5)).astype(dtype)
    wanted = scaler.fit(x).transform(x)
    out = np.full(x.shape, 7, dtype, order)
    assert scaler.transform_into(x, out) is out
    assert out.tobytes("C") == wanted.tobytes()


@pytest.mark.parametrize("scaler", SCALERS[:1] + [MinMaxScaler()], ids=name_of)
def test_an_output_may_share_the_inputs_memory(scaler):
    room = np.random.default_rng(3).normal(size=(600, 5))
    x, out = room[:-1], room[1:]
    wanted = scaler.fit(x).transform(x)
    scaler.transform_into(x, out)
    assert out.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("out", [np.empty((3, 2), np.float32), np.empty((2, 2)), [[0.0, 0.0]] * 3,
                                 np.broadcast_to(0.0, (3, 2))],
                         ids=["dtype", "shape", "list", "read-only"])
def test_an_output_that_does_not_fit_is_refused(out):
    x = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match="^out "):
        StandardScaler().fit(x).transform_into(x, out)


def strings(*cells):
    return pd.Series(cells, dtype="str")


@pytest.mark.parametrize("column", [
    strings("a", "bä", "", "ccc"), strings("a", np.nan, "b"), strings(np.nan, np.nan),
    strings(*"abcdefghijklmnop")[3:14], strings(*([np.nan, "x", "yy"] * 9))[5:21],
    pd.concat([strings("one", np.nan), strings("two", "three")], ignore_index=True), strings("", "")],
    ids=["plain", "missing", "all missing", "slice", "slice with missing", "chunks", "empty"])
def test_strings_of_pandas_are_taken_as_arrow_has_them(column):
    pytest.importorskip("pyarrow")
    ours, cells = column_texts(column), column.to_numpy(dtype=object)
    assert type(ours) is ArrowTexts
    _, offsets, data, validity = ours.column()
    present = np.ones(len(column), bool)
    if validity is not None:
        present = np.unpackbits(validity, bitorder="little")[:len(column)].astype(bool)
    found = [bytes(data[a:b]).decode() if p else None
             for a, b, p in zip(offsets[:-1], offsets[1:], present)]
    assert found == [None if c is np.nan else c for c in cells.tolist()]
    reference = texts(cells)
    assert reference is None or ours.kinds == reference.kinds


def test_a_frame_of_arrow_strings_is_encoded_as_one_of_objects():
    random = np.random.default_rng(4)
    words = np.array(["red", "green", "blue", np.nan], object)[random.integers(0, 4, size=(500, 2))]
    frame = pd.DataFrame(words, columns=["a", "b"]).astype("str").assign(n=random.normal(size=500))
    outputs = []
    for given in (frame, frame[10:], frame.astype({"a": object, "b": object})):
        for home, pipe in ((quern, make_pipeline), (sklearn, sklearn.pipeline.make_pipeline)):
            parts = [("s", home.preprocessing.StandardScaler(), ["n"]),
                     ("w", pipe(home.impute.SimpleImputer(strategy="most_frequent"),
                                home.preprocessing.OneHotEncoder(sparse_output=False)), ["a", "b"])]
            outputs.append(home.compose.ColumnTransformer(parts).fit_transform(given))
    for ours, theirs in zip(outputs[::2], outputs[1::2]):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)
    assert outputs[0].tobytes() == outputs[4].tobytes()
