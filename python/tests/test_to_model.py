# SPDX-License-Identifier: Apache-2.0
"""Fitted estimators as model files: what the program and the C interface serve is what Python gives."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sklearn.preprocessing

import quern
from quern.compose import ColumnTransformer
from quern.feature_selection import VarianceThreshold
from quern.impute import KNNImputer, SimpleImputer
from quern.pipeline import make_pipeline
from quern.preprocessing import (MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, RobustScaler,
                                 StandardScaler)

pd = pytest.importorskip("pandas")
PENGUINS = Path(__file__).parents[2] / "tests" / "data" / "penguins.csv"
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def mixed():
    return ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS[:3]),
        ("m", MinMaxScaler(), NUMBERS[3:]),
        ("o", OneHotEncoder(sparse_output=False), ["species", "island"])])


@pytest.fixture
def frame():
    return pd.read_csv(PENGUINS)


@pytest.mark.parametrize("make", [
    StandardScaler, Normalizer, lambda: SimpleImputer(strategy="mean"), lambda: VarianceThreshold(2.0),
    KNNImputer,
    lambda: make_pipeline(SimpleImputer(), StandardScaler(), MaxAbsScaler()),
    lambda: ColumnTransformer([("s", StandardScaler(), [0, 2]), ("r", RobustScaler(), [1])]),
    lambda: make_pipeline(ColumnTransformer([("s", StandardScaler(), [0, 1])]), MinMaxScaler())],
    ids=["scaler", "normalizer", "imputer", "selector", "neighbours", "pipeline", "columns", "columns in a pipeline"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_model_gives_what_the_estimator_gives(make, dtype):
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(dtype) * 5 + 1
    estimator = make().fit(X)
    model = quern.to_model(estimator, X[:1])
    again = quern.Model.from_bytes(model.to_bytes())
    wanted = estimator.transform(X)
    out = np.empty_like(wanted)
    used = X if len(again.input_types) == X.shape[1] else X[:, :len(again.input_types)]
    again.apply(np.ascontiguousarray(used), out)
    np.testing.assert_array_equal(out, wanted)


def test_the_program_transforms_a_table_as_the_estimator_does(frame, tmp_path):
    estimator = mixed().fit(frame)
    quern.to_model(estimator, frame[:1]).save(tmp_path / "m.model")
    program = os.environ.get("QUERN_PROGRAM")
    if not program:
        pytest.skip("QUERN_PROGRAM does not name the program")
    subprocess.run([program, "transform", tmp_path / "m.model", PENGUINS, "-o", tmp_path / "o.npy", "--quiet"],
                   check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), estimator.transform(frame))


def test_names_are_the_frames(frame):
    model = quern.to_model(mixed().fit(frame), frame[:1])
    assert model.input_names == [*NUMBERS[:3], NUMBERS[3], "species", "island"] or set(model.input_names) == {
        *NUMBERS, "species", "island"}
    assert model.output_names[:4] == ["n__bill_length_mm", "n__bill_depth_mm", "n__flipper_length_mm",
                                      "m__body_mass_g"]


def test_today_s_attributes_count(frame):
    X = np.ascontiguousarray(frame[NUMBERS].dropna())
    scaler = StandardScaler().fit(X)
    scaler.mean_ = scaler.mean_ + 1
    out = np.empty_like(X)
    quern.to_model(scaler, X[:1]).apply(X, out)
    np.testing.assert_array_equal(out, scaler.transform(X))


def test_what_is_not_one_model_is_refused_with_the_reason(frame):
    weighted = ColumnTransformer([("s", StandardScaler(), NUMBERS)], transformer_weights={"s": 2.0}).fit(frame)
    with pytest.raises(quern.UnsupportedError, match="transformer_weights"):
        quern.to_model(weighted, frame[:1])
    with pytest.raises(quern.UnsupportedError, match="not an estimator of quern"):
        quern.to_model(sklearn.preprocessing.StandardScaler(), frame[:1])
    with pytest.raises(sklearn.exceptions.NotFittedError):
        quern.to_model(StandardScaler(), np.ones((1, 2)))
