# SPDX-License-Identifier: Apache-2.0
"""Imputers that look at whole rows, beside scikit-learn's."""
import itertools
import json
import os
import pathlib
import pickle
import subprocess

import numpy as np
import pandas as pd
import pytest
import sklearn.impute
from sklearn.base import clone
from sklearn.pipeline import make_pipeline as their_pipeline
from sklearn.preprocessing import StandardScaler as TheirScaler

import quern
from quern.impute import KNNImputer
from quern.pipeline import make_pipeline
from quern.preprocessing import StandardScaler

PENGUINS = pathlib.Path(__file__).parents[2] / "tests" / "data" / "penguins.csv"
DTYPES = (np.float64, np.float32, np.int64)
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray,
           "strided": lambda X: np.repeat(X, 2, axis=1)[::1, ::2]}
MISSING = ("none", "some", "a column")
KINDS = ("plain", "constant", "tiny", "huge")


def rows(dtype, missing, kind, n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if np.issubdtype(dtype, np.integer):
        X = (X * 1000).round()
    if kind == "constant":
        X[:, 1] = 7
    if kind == "tiny":
        X[:, 1] *= 1e-150 if dtype == np.float64 else 1e-15
    if kind == "huge":
        X[:, 1] *= 1e8
    if np.issubdtype(dtype, np.integer):
        X = X.astype(dtype)
        if missing != "none":
            X[rng.random(X.shape) < 0.2] = -1  # the marker
        if missing == "a column":
            X[:, 3] = -1
        return X
    if missing != "none":
        X[rng.random(X.shape) < 0.2] = np.nan
    if missing == "a column":
        X[:, 3] = np.nan
    return X.astype(dtype)


def marker(dtype):
    return {"missing_values": -1} if np.issubdtype(dtype, np.integer) else {}


def by_definition(X, n_neighbors, weights):
    """Every row against every row, in float64: differences, not products; ties by the row's number."""
    X, out = X.astype(np.float64), X.astype(np.float64)
    for i, column in np.argwhere(np.isnan(X)):
        common = ~np.isnan(X) & ~np.isnan(X[i])
        squares = np.where(common, (X - X[i]) ** 2, 0)
        donors = np.flatnonzero(~np.isnan(X[:, column]) & common.any(axis=1))
        if not len(donors):
            out[i, column] = np.nanmean(X[:, column]) if (X[:, column] == X[:, column]).any() else 0
            continue
        total = np.array([sum(row.tolist()) for row in squares[donors]])
        distances = total / common[donors].sum(axis=1) * X.shape[1]
        nearest = np.argsort(distances, kind="stable")[:n_neighbors]
        near, values = distances[nearest], X[donors[nearest], column]
        shares = np.ones(len(near))
        if weights == "distance":
            shares = 1.0 * (near == 0) if near[0] == 0 else 1 / np.sqrt(near)
        out[i, column] = (values * shares).sum() / shares.sum()
    return out


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("dtype,layout,missing,kind",
                         list(itertools.product(DTYPES, LAYOUTS, MISSING, KINDS)))
def test_neighbours_fill_what_scikit_learns_fill(dtype, layout, missing, kind, weights):
    X = LAYOUTS[layout](rows(dtype, missing, kind))
    words = {"weights": weights, "n_neighbors": 4, "add_indicator": True, **marker(dtype)}
    for keep in (False, True):
        ours = KNNImputer(keep_empty_features=keep, **words).fit(X)
        theirs = sklearn.impute.KNNImputer(keep_empty_features=keep, **words).fit(X)
        out, wanted = ours.transform(X), theirs.transform(X)
        assert out.dtype == wanted.dtype and out.shape == wanted.shape
        rtol = 1e-6 if dtype == np.float32 else 1e-12
        given = np.where(X == -1, np.nan, X) if marker(dtype) else X
        exact = by_definition(given, 4, weights)[:, [True] * 3 + [keep or missing != "a column", True]]
        np.testing.assert_allclose(out[:, :exact.shape[1]], exact, rtol=rtol, atol=rtol * 1e-3)
        np.testing.assert_array_equal(out[:, exact.shape[1]:], wanted[:, exact.shape[1]:])
        if dtype != np.float32 and kind == "plain":  # elsewhere its rounding makes or breaks ties
            np.testing.assert_allclose(out, wanted, rtol=1e-9)
        assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_float32_distances_are_no_further_from_the_exact_ones_than_scikit_learns(weights):
    X = rows(np.float32, "some", "plain", n=300)
    exact = sklearn.impute.KNNImputer(weights=weights).fit_transform(X.astype(np.float64))
    ours = np.abs(KNNImputer(weights=weights).fit_transform(X) - exact)
    theirs = np.abs(sklearn.impute.KNNImputer(weights=weights).fit_transform(X) - exact)
    assert ours.max() <= max(theirs.max(), np.finfo(np.float32).eps * np.abs(exact).max())


def test_any_number_of_threads_gives_the_same_bytes():
    X = rows(np.float64, "some", "plain", n=1500, d=9)
    found = set()
    for threads in (1, 2, 3):
        with quern.config_context(threads=threads):
            found.add(KNNImputer(weights="distance").fit_transform(X).tobytes())
    assert len(found) == 1


def test_neighbours_at_the_same_distance_are_taken_in_the_order_of_the_rows():
    X = [[0.0, 1.0], [0.0, 3.0], [0.0, 8.0], [0.0, np.nan]]
    assert KNNImputer(n_neighbors=2).fit_transform(X)[3, 1] == 2.0


def test_donors_without_any_distance_count_alone():
    X = [[1.0, 2.0], [1.0, 4.0], [2.0, 100.0], [1.0, np.nan]]
    assert KNNImputer(n_neighbors=3, weights="distance").fit_transform(X)[3, 1] == 3.0


def test_a_row_that_shares_no_column_with_a_donor_gets_the_mean():
    X = [[1.0, np.nan], [np.nan, 2.0], [np.nan, 6.0], [np.nan, np.nan]]
    np.testing.assert_array_equal(KNNImputer().fit_transform(X), [[1, 4], [1, 2], [1, 6], [1, 4]])


@pytest.mark.parametrize("words", [
    {"weights": lambda distances: 1 / (1 + distances)}, {"weights": lambda distances: None},
    {"metric": lambda a, b, missing_values: np.nansum(np.abs(a - b)) + np.isnan(a - b).sum(),
     "weights": "distance"}])
def test_functions_are_called(words):
    X = rows(np.float64, "a column", "plain")
    for keep in (False, True):
        more = {"keep_empty_features": keep, "n_neighbors": 3, **words}
        np.testing.assert_allclose(KNNImputer(**more).fit_transform(X),
                                   sklearn.impute.KNNImputer(**more).fit_transform(X), rtol=1e-9)


def test_in_place_without_copy():
    X = rows(np.float64, "some", "plain")
    wanted = KNNImputer().fit_transform(X)
    KNNImputer(copy=False).fit(X.copy()).transform(X)
    np.testing.assert_array_equal(X, wanted)


def test_new_rows_are_filled_from_the_rows_of_the_fit():
    X, Y = rows(np.float64, "some", "plain"), rows(np.float64, "some", "plain", n=200, seed=1)
    ours, theirs = KNNImputer().fit(X), sklearn.impute.KNNImputer().fit(X)
    np.testing.assert_allclose(ours.transform(Y), theirs.transform(Y), rtol=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).transform(Y), ours.transform(Y))
    np.testing.assert_array_equal(quern.from_sklearn(theirs).transform(Y), ours.transform(Y))
    np.testing.assert_allclose(quern.to_sklearn(ours).transform(Y), ours.transform(Y), rtol=1e-12)
    assert clone(ours).get_params() == ours.get_params()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_pipeline_with_it_is_one_model(dtype):
    X = rows(dtype, "some", "plain", n=200)
    ours = make_pipeline(StandardScaler(), KNNImputer(), StandardScaler())
    theirs = their_pipeline(TheirScaler(), sklearn.impute.KNNImputer(), TheirScaler())
    with quern.config_context():
        out = ours.fit_transform(X)
    np.testing.assert_allclose(out, theirs.fit_transform(X), rtol=1e-9 if dtype == np.float64 else 1e-4,
                               atol=1e-9 if dtype == np.float64 else 1e-4)
    np.testing.assert_array_equal(ours.transform(X), out)
    model = quern.to_model(ours, X[:1])
    again = np.empty_like(out)
    model.apply(X, again)
    np.testing.assert_array_equal(again, out)


def test_changed_attributes_count():
    X = rows(np.float64, "some", "plain")
    imputer = KNNImputer().fit(X)
    first = imputer.transform(X)
    imputer.n_neighbors = 1
    assert not np.array_equal(imputer.transform(X), first)


def test_the_program_fills_a_table_as_scikit_learn_does(tmp_path):
    program = os.environ.get("QUERN_PROGRAM")
    if not program:
        pytest.skip("QUERN_PROGRAM does not name the program")
    frame = pd.read_csv(PENGUINS)
    numbers = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    spec = {"quern": 1, "steps": [{"columns": numbers, "apply": [
        "StandardScaler", {"KNNImputer": {"n_neighbors": 3, "add_indicator": True}}]}]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    subprocess.run([program, "run", str(tmp_path / "spec.json"), str(PENGUINS), "-o",
                    str(tmp_path / "out.npy"), "--quiet"], check=True)
    theirs = their_pipeline(TheirScaler(), sklearn.impute.KNNImputer(n_neighbors=3, add_indicator=True))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), theirs.fit_transform(frame[numbers]),
                               rtol=1e-9, atol=1e-12)
