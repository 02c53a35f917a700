# SPDX-License-Identifier: Apache-2.0
"""Mutual information beside scikit-learn's: the same numbers, since noise, neighbours and counts are the same;
only sums go in another order."""
import pickle

import numpy as np
import pytest
import quern
import sklearn.feature_selection as theirs
from quern import _core, config_context
from quern import feature_selection as ours
from scipy import sparse

DEVICES = [d["id"] for d in _core.Context("cpu").devices() if d["present"]]
NAMES = ["mutual_info_classif", "mutual_info_regression"]
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2]}


def data(name, rows, dtype=np.float64, seed=0):
    """Numbers, one of few values, one that follows another, small integers; no class has few rows, since
    scikit-learn then measures by differences of squares, which lose digits."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, 5)) * 10
    X[:, 1] = random.integers(0, 3, rows)
    X[:, 2] = 2 * X[:, 0] + X[:, 2] / 10
    X[:, 3] = random.integers(0, 4, rows)
    X[:, 4] = X[:, 3] + random.integers(0, 2, rows)
    y = X[:, 0] / 10 + random.normal(size=rows)
    return X.astype(dtype), y if name.endswith("regression") else (y > 0).astype(int) + (X[:, 3] > 2)


@pytest.mark.parametrize("rows", [400, 4500])
@pytest.mark.parametrize("neighbours", [1, 3, 10])
@pytest.mark.parametrize("discrete", [False, [3], [1, 3, 4], np.array([False, True, False, True, False])],
                         ids=["none", "one", "three", "mask"])
@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_scikit_learns(name, discrete, neighbours, rows):
    X, y = data(name, rows)
    words = {"discrete_features": discrete, "n_neighbors": neighbours, "random_state": 3}
    np.testing.assert_allclose(getattr(ours, name)(X, y, **words), getattr(theirs, name)(X, y, **words), rtol=0,
                               atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("name", NAMES)
def test_every_dtype_and_layout(name, dtype, layout):
    X, y = data(name, 800, dtype, 1)
    for discrete in (False, [1, 3]):
        words = {"discrete_features": discrete, "random_state": np.random.RandomState(5)}
        want = getattr(theirs, name)(X, y, **words)
        words["random_state"] = np.random.RandomState(5)
        got = getattr(ours, name)(LAYOUTS[layout](X), y, **words)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("name", NAMES)
def test_sparse_columns_are_discrete(name, form):
    random = np.random.default_rng(2)
    dense = random.integers(0, 3, (300, 70)) * (random.random((300, 70)) < 0.4)
    _, y = data(name, 300)
    X = sparse.csr_array(dense.astype(float)).asformat(form)
    want = getattr(theirs, name)(X, y, random_state=0)
    np.testing.assert_allclose(getattr(ours, name)(X, y, random_state=0), want, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="can't have continuous features"):
        getattr(ours, name)(X, y, discrete_features=False)


def test_equal_values_cost_no_more_than_others():
    X = np.zeros((20000, 2))
    X[:, 1] = np.arange(20000) % 2
    y = np.random.default_rng(0).normal(size=20000)
    np.testing.assert_allclose(ours.mutual_info_regression(X, y, random_state=0),
                               theirs.mutual_info_regression(X, y, random_state=0), rtol=0, atol=1e-12)
    spec = {"mutual_info_regression": {"prepare": False}}  # and without noise
    table = quern.Table.from_matrix(X)
    table.set_target(y)
    model = quern._core.Pipeline(
        '{"quern": 1, "steps": [{"columns": "*", "apply": [{"SelectKBest": {"k": 1, "score_func": '
        + str(spec).replace("'", '"').replace("False", "false") + "}}]}]}").fit(_core.Context("cpu"), table)
    assert model.output_names == ["x1"] or model.output_names == ["x0"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_all_devices_and_threads_give_the_same_bits(name, device):
    X, y = data(name, 9000, np.float32, 4)
    with config_context(device="cpu", threads=1):
        want = getattr(ours, name)(X, y, random_state=0)
    for words in ({}, {"threads": 3}):
        with config_context(device=device, **words):
            np.testing.assert_array_equal(getattr(ours, name)(X, y, random_state=0), want)


@pytest.mark.parametrize("name", NAMES)
def test_selectors_take_it_and_become_models(name):
    X, y = data(name, 600, seed=6)
    for score in (getattr(ours, name), getattr(theirs, name)):
        np.random.seed(1)
        fitted = ours.SelectKBest(score, k=2).fit(X, y)
        np.random.seed(1)
        there = theirs.SelectKBest(getattr(theirs, name), k=2).fit(X, y)
        np.testing.assert_allclose(fitted.scores_, there.scores_, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(fitted.get_support(), there.get_support())
        assert fitted.pvalues_ is None
    assert quern.to_sklearn(ours.SelectKBest(getattr(ours, name))).score_func is getattr(theirs, name)
    model = quern.to_model(fitted, X)
    assert model.output_names == [f"x{i}" for i in np.flatnonzero(there.get_support())]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_scores_by_it_with_noise_of_its_own(name, tmp_path):
    X, y = data(name, 500, seed=7)
    path = tmp_path / "rows.csv"
    rows = [",".join(map(repr, [*row, target])) for row, target in zip(X.tolist(), y.tolist())]
    path.write_text("a,b,c,d,e,y\n" + "\n".join(rows) + "\n")
    score = {name: {"n_neighbors": 4, "discrete_features": [1, 3]}}
    spec = {"quern": 1, "target": "y", "steps": [{"columns": "*", "apply": [{"SelectKBest": {"score_func": score, "k": 2}}]}]}
    model = quern.fit(spec, str(path))
    got = np.asarray(model.tensors()["steps/0/0/scores_"])
    want = getattr(theirs, name)(X, y, discrete_features=[1, 3], n_neighbors=4, random_state=0)
    np.testing.assert_allclose(got, want, atol=0.02)  # equal numbers meet other noise
    np.testing.assert_array_equal(np.asarray(quern.fit(spec, str(path)).tensors()["steps/0/0/scores_"]), got)


def test_what_there_is_no_estimate_of_is_refused():
    X, y = data("mutual_info_regression", 50)
    for value in (np.nan, np.inf):
        X[3, 1] = value
        with pytest.raises(ValueError, match="Input X contains"):
            ours.mutual_info_regression(X, y)
    X, _ = data("mutual_info_regression", 50)
    with pytest.raises(ValueError, match="Expected n_neighbors < n_samples_fit"):
        ours.mutual_info_regression(X, y, n_neighbors=50)
    with pytest.raises(ValueError, match="of no class there are two rows"):
        ours.mutual_info_classif(X, np.arange(50))
    with pytest.raises(ValueError):
        ours.mutual_info_classif(X, y)  # numbers are no classes
    assert ours.mutual_info_classif(X, np.arange(50), discrete_features=True).shape == (5,)
