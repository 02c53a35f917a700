# SPDX-License-Identifier: Apache-2.0
"""IterativeImputer beside scikit-learn's: what the library computes, and what Python does."""
import pickle
import warnings

import numpy as np
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
import sklearn.impute
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import BayesianRidge, Ridge

import quern
from quern.impute import IterativeImputer

pytestmark = pytest.mark.filterwarnings("ignore")
DTYPES = (np.float64, np.float32, np.int64)
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray,
           "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2]}
WORDS = ({}, {"initial_strategy": "median", "imputation_order": "descending"},
         {"initial_strategy": "constant", "fill_value": 1.5, "imputation_order": "arabic", "max_iter": 3},
         {"initial_strategy": "most_frequent", "imputation_order": "roman", "skip_complete": True},
         {"min_value": -1.0, "max_value": 2.0, "add_indicator": True}, {"max_iter": 0},
         {"keep_empty_features": True, "tol": 0.1}, {"estimator": BayesianRidge()})


def rows(dtype=np.float64, missing="some", kind="plain", n=150, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    if np.issubdtype(dtype, np.integer):
        X = (X * 1000).round()
    if kind == "constant":
        X[:, 1] = 7
    if kind == "shifted":
        X[:, 1] += 1e6
    nan = -12345 if np.issubdtype(dtype, np.integer) else np.nan
    if missing != "none":
        X[rng.random(X.shape) < 0.15] = nan
    if missing == "a column":
        X[:, 3] = nan
    return X.astype(dtype)


def marker(dtype):
    return {"missing_values": -12345} if np.issubdtype(dtype, np.integer) else {}


def both(X, **words):
    ours, theirs = IterativeImputer(**words), sklearn.impute.IterativeImputer(**words)
    return ours, theirs, ours.fit_transform(X), theirs.fit_transform(X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("missing", ["none", "some", "a column"])
@pytest.mark.parametrize("kind", ["plain", "constant", "shifted"])
def test_cells_become_what_scikit_learns_become(dtype, layout, missing, kind):
    X = LAYOUTS[layout](rows(dtype, missing, kind))
    for words in WORDS:
        ours, theirs, out, wanted = both(X, **words, **marker(dtype))
        assert out.dtype == wanted.dtype and out.shape == wanted.shape
        rtol = 1e-6 if dtype != np.float32 else 1e-3
        np.testing.assert_allclose(out, wanted, rtol=rtol, atol=rtol * np.nanstd(wanted.astype(np.float64)))
        if dtype != np.float32:
            assert ours.n_iter_ == theirs.n_iter_
        assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
        np.testing.assert_allclose(ours.transform(X), out, rtol=1e-12)


def test_float32_is_no_further_from_float64_than_scikit_learns():
    X = rows(np.float32, n=1000, d=10)
    exact = sklearn.impute.IterativeImputer(max_iter=5).fit_transform(X.astype(np.float64))
    _, _, ours, theirs = both(X, max_iter=5)
    assert np.abs(ours - exact).max() <= np.abs(theirs - exact).max()


def test_fewer_rows_than_columns():
    X = rows(n=25, d=30)
    _, _, out, wanted = both(X)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)


def test_the_regressions_are_scikit_learns():
    X = rows()
    ours, theirs, _, _ = both(X)
    assert len(ours.imputation_sequence_) == len(theirs.imputation_sequence_)
    for a, b in zip(ours.imputation_sequence_, theirs.imputation_sequence_):
        assert a.feat_idx == b.feat_idx
        np.testing.assert_array_equal(a.neighbor_feat_idx, b.neighbor_feat_idx)
        for name in ("coef_", "intercept_", "alpha_", "lambda_", "n_iter_"):
            np.testing.assert_allclose(getattr(a.estimator, name), getattr(b.estimator, name), rtol=1e-6,
                                       atol=1e-9)
    assert ours.n_features_with_missing_ == theirs.n_features_with_missing_


def test_any_number_of_threads_gives_the_same_bytes():
    X = rows(n=20000, d=9)
    found = set()
    for threads in (1, 2, 3):
        with quern.config_context(threads=threads):
            found.add(IterativeImputer(max_iter=3).fit_transform(X).tobytes())
    assert len(found) == 1


def test_new_rows_go_through_the_same_regressions():
    X, Y = rows(), rows(seed=1)
    ours, theirs, _, _ = both(X)
    wanted = theirs.transform(Y)
    np.testing.assert_allclose(ours.transform(Y), wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).transform(Y), ours.transform(Y))
    np.testing.assert_allclose(quern.from_sklearn(theirs).transform(Y), wanted, rtol=1e-9)
    np.testing.assert_allclose(quern.to_sklearn(ours).transform(Y), wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("words", [
    {"estimator": Ridge()}, {"n_nearest_features": 2}, {"imputation_order": "random"},
    {"sample_posterior": True}, {"min_value": [-1, -2, -3, -4, -5, -6]}])
def test_what_python_does_is_what_scikit_learn_does(words):
    X = rows()
    ours, theirs, out, wanted = both(X, random_state=3, max_iter=3, **words)
    np.testing.assert_allclose(out, wanted, rtol=1e-7)
    if not words.get("sample_posterior"):
        np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-7)


def test_a_warning_tells_that_rounds_ended_early():
    with pytest.warns(ConvergenceWarning, match="Early stopping criterion not reached"):
        IterativeImputer(max_iter=1).fit(rows())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        IterativeImputer(tol=10.0).fit(rows())


def test_rounds_are_told(capsys):
    IterativeImputer(verbose=2, max_iter=2).fit(rows())
    said = capsys.readouterr().out
    assert "Completing matrix with shape (150, 6)" in said and "round 2/2" in said
