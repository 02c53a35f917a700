# SPDX-License-Identifier: Apache-2.0
"""Univariate selection beside scikit-learn's: scores near the exact value whatever the columns are like, the
same bits on every device, and the same columns kept."""
import functools
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
import quern
import sklearn.feature_selection as theirs
from quern import _core, config_context
from quern import feature_selection as ours
from quern.pipeline import Pipeline
from quern.preprocessing import StandardScaler
from scipy import sparse, special

DEVICES = [d["id"] for d in _core.Context("cpu").devices() if d["present"]]
ROWS, CLASSES = 3000, 3
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2]}
RULES = [("SelectKBest", {"k": 2}), ("SelectKBest", {"k": "all"}), ("SelectKBest", {"k": 0}),
         ("SelectPercentile", {"percentile": 40}), ("SelectFpr", {"alpha": 0.3}), ("SelectFdr", {"alpha": 0.4}),
         ("SelectFwe", {"alpha": 0.5}), ("GenericUnivariateSelect", {"mode": "k_best", "param": 3}),
         ("GenericUnivariateSelect", {"mode": "fdr", "param": 0.4})]


def columns(dtype, seed=0):
    """An ordinary column; huge ones; tiny ones; hardly varying on a huge offset; constant; zeros mostly."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, ROWS)
    draw = rng.normal(size=(ROWS, 6)) + 0.1 * y[:, None]
    draw[:, 1] *= 1e12 if dtype != np.float32 else 1e7
    draw[:, 2] = draw[:, 2] * (1e-9 if dtype != np.int64 else 1e9)
    draw[:, 3] = 1.7e9 + draw[:, 3] * (1e-3 if dtype == np.float64 else 500)
    draw[:, 4] = 7
    draw[:, 5] *= rng.random(ROWS) < 0.05
    return draw.astype(dtype), y


def exact(column, y, score):
    groups = [[Fraction(v.item()) for v in column[y == c]] for c in np.unique(y)]
    n, k = len(column), len(groups)
    means = [sum(g) / len(g) for g in groups]
    mean = sum(map(sum, groups)) / n
    between = sum(len(g) * (m - mean) ** 2 for g, m in zip(groups, means))
    if score == "chi2":
        return float(between / mean)
    within = sum((v - m) ** 2 for g, m in zip(groups, means) for v in g)
    return float(between / (k - 1) / (within / (n - k)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("score", ["f_classif", "chi2"])
def test_scores_are_those_of_exact_arithmetic(score, dtype, layout):
    X, y = columns(dtype)
    if score == "chi2":
        X = np.abs(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got, p = getattr(ours, score)(LAYOUTS[layout](X), y)
        peer = getattr(theirs, score)(X, y)[0]
    assert got.dtype == p.dtype == np.float64
    for i in range(X.shape[1]):
        if i == 4:
            assert np.isnan(got[i]) if score == "f_classif" else abs(got[i] - peer[i]) <= 1e-12
            continue
        want = exact(X[:, i], y, score)
        assert abs(got[i] - want) <= 1e-12 * want, (i, got[i], want, peer[i])
    tail = special.fdtrc(CLASSES - 1, ROWS - CLASSES, got) if score == "f_classif" else special.chdtrc(CLASSES - 1, got)
    np.testing.assert_allclose(p, tail, rtol=1e-9)


def exact_line(column, y, center):
    """(r, F) as exact arithmetic has them, each rounded a few times at the end."""
    x, y = [Fraction(v.item()) for v in column], [Fraction(v.item()) for v in y]
    n = len(x)
    mx, my = (sum(x) / n, sum(y) / n) if center else (0, 0)
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    share = xy * xy / (xx * yy)
    return (np.sign(float(xy)) * np.sqrt(float(share)), float(share / (1 - share) * (n - (2 if center else 1))))


@functools.cache
def regressed(dtype, center):
    """X, y, and what exact arithmetic has for each column but the constant one."""
    X, y = columns(dtype)
    y = 1e4 + y + np.random.default_rng(1).normal(size=ROWS)
    return X, y, {i: exact_line(X[:, i], y, center) for i in range(X.shape[1]) if i != 4 or not center}


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_regressions_are_those_of_exact_arithmetic(dtype, layout, center):
    X, y, exactly = regressed(dtype, center)
    got, p = ours.f_regression(LAYOUTS[layout](X), y, center=center)
    r = ours.r_regression(LAYOUTS[layout](X), y, center=center)
    there, _ = theirs.f_regression(X, y, center=center)
    assert got.dtype == p.dtype == r.dtype == np.float64
    for i in range(X.shape[1]):
        if i not in exactly:
            assert (got[i], p[i], r[i]) == (0, 1, 0)
            continue
        want_r, want = exactly[i]
        assert abs(r[i] - want_r) <= 1e-12
        assert abs(got[i] - want) <= max(1e-12 * want, abs(there[i] - want)), (i, got[i], want, there[i])
    np.testing.assert_allclose(p, special.fdtrc(1, ROWS - (2 if center else 1), got), rtol=1e-9)


def test_what_has_no_finite_score_is_forced_or_not_as_there():
    y = np.array([5.0, 3, 2, 8, 1])
    X = np.column_stack([y, -2 * y, np.full(5, 7.0), [1, 0, 2, 0, 1]])
    for words in ({}, {"center": False}):
        here = [0, 1, 3]  # scikit-learn's rounding makes infinite correlations of constant columns
        np.testing.assert_allclose(ours.r_regression(X, y, **words)[here], theirs.r_regression(X, y, **words)[here],
                                   rtol=1e-12, atol=1e-15)
    for target, none in ((y, [2]), (np.full(5, 2.0), [0, 1, 2, 3])):
        assert not ours.r_regression(X, target)[none].any()
        assert np.isnan(ours.r_regression(X, target, force_finite=False)[none]).all()
        f, p = ours.f_regression(X, target)
        assert not f[none].any() and (p[none] == 1).all()
        assert np.isnan(ours.f_regression(X, target, force_finite=False))[:, none].all()
    assert ours.f_regression(X, y)[0][0] == np.finfo(float).max and ours.f_regression(X, y)[1][0] == 0
    assert ours.f_regression(X, y, force_finite=False)[0][1] == np.inf


def test_far_apart_scales_and_offsets_leave_a_correlation_right():
    rng = np.random.default_rng(2)
    y = rng.normal(size=4000)
    column = y + rng.normal(size=4000)
    X = np.column_stack([column * 1e-120, column * 1e120, 1.7e9 + 1e-3 * column])
    got = ours.r_regression(X, y * 1e100)
    for i in range(3):
        assert abs(got[i] - exact_line(X[:, i], y, True)[0]) < 1e-12


@pytest.mark.parametrize("select", ["SelectKBest", "SelectFdr"])
def test_partial_regressions_are_computed_here(select):
    X, y = columns(np.float64, 3)
    score = functools.partial(theirs.f_regression, center=False)
    fitted = getattr(ours, select)(score).fit(X, y)
    np.testing.assert_array_equal(fitted.scores_, ours.f_regression(X, y, center=False)[0])
    assert quern.to_model(fitted, X).output_names == [f"x{i}" for i in np.flatnonzero(fitted.get_support())]
    alone = ours.SelectKBest(ours.r_regression, k=2).fit(X, y)
    assert alone.pvalues_ is None and quern.to_model(alone, X) is not None


def test_epoch_seconds_keep_their_digits_where_differences_of_squares_have_none():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 4, 20000)
    column = (1.7e9 + 1e-3 * rng.normal(size=20000) + 1e-4 * y)[:, None]
    want = exact(column[:, 0], y, "f_classif")
    peer = theirs.f_classif(column, y)[0][0]
    assert abs(ours.f_classif(column, y)[0][0] - want) < 1e-12 * want
    assert not abs(peer - want) < 1e-3 * want


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("score", ["f_classif", "f_regression"])
def test_all_devices_threads_and_chunks_give_the_same_bits(score, device):
    rng = np.random.default_rng(2)
    score = getattr(ours, score)
    X, y = rng.normal(size=(150000, 7)).astype(np.float32), rng.integers(0, 5, 150000)
    with config_context(device="cpu", threads=1):
        want = score(X, y)
    for words in ({}, {"threads": 2}, {"max_memory": 8 << 20}):
        with config_context(device=device, **words):
            got = score(X, y)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name, parameters", RULES)
def test_the_same_columns_stay(name, parameters):
    X, y = columns(np.float64, 3)
    X = np.delete(X, [3, 4], axis=1)  # where scikit-learn has scores worth the name
    a, b = getattr(ours, name)(**parameters).fit(X, y), getattr(theirs, name)(**parameters).fit(X, y)
    np.testing.assert_array_equal(a.get_support(), b.get_support())
    for rows in (X, X.astype(np.float32), sparse.csr_array(X), (X * 1e-6).astype(np.int64)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got, want = a.transform(rows), b.transform(rows)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.toarray() if sparse.issparse(got) else got,
                                      want.toarray() if sparse.issparse(want) else want)


@pytest.mark.parametrize("scores", [[1, 1, 1, 1, 2], [3.0, np.nan, 3.0, np.nan, 1.0], [np.inf, np.inf, 1, 2, 2],
                                    np.array([1, 1 / 3, 1 / 3, 0.1, 0.2], np.float32), [0.0] * 5])
@pytest.mark.parametrize("name, parameters", [r for r in RULES if r[0] in ("SelectKBest", "SelectPercentile")]
                         + [("SelectPercentile", {"percentile": p}) for p in (1, 35, 50, 99, 100)])
def test_ties_and_columns_without_a_score_are_broken_as_there(name, parameters, scores):
    X = np.arange(10.0).reshape(2, 5)
    def score(X, y):
        return np.asarray(scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = getattr(ours, name)(score, **parameters).fit(X), getattr(theirs, name)(score, **parameters).fit(X)
        np.testing.assert_array_equal(a.get_support(), b.get_support())
        np.testing.assert_array_equal(a.transform(X), b.transform(X))
    assert a.pvalues_ is None


@pytest.mark.parametrize("make", [
    lambda y: y, lambda y: y.astype(np.int8), lambda y: y * 0.5 - 1, lambda y: np.array(["b", "c", "a"])[y],
    lambda y: np.array(["b", "c", "a"], object)[y], lambda y: y > 0, lambda y: (y * 3).astype(np.uint64),
    lambda y: y.astype(np.float16), lambda y: list(y), lambda y: np.repeat(y, 2)[::2], lambda y: y.astype(">i4")])
def test_targets_of_every_kind_are_classes(make):
    X, y = columns(np.float64, 4)
    y = make(y)
    got, want = ours.f_classif(X[:, :3], y)[0], theirs.f_classif(X[:, :3], y)[0]
    np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("score", ["f_classif", "chi2", "f_regression", "r_regression"])
def test_sparse_matrices_score_as_their_rows(score, form):
    X, y = columns(np.float64, 5)
    X = np.abs(X[:, [0, 5]]) * (np.random.default_rng(0).random((ROWS, 2)) < 0.3)
    want = getattr(ours, score)(X, y)
    got = getattr(ours, score)(sparse.csr_array(X).asformat(form), y)
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_many_classes_and_classes_of_one_row():
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(5000, 3)), rng.integers(0, 900, 5000)
    np.testing.assert_allclose(ours.f_classif(X, y), theirs.f_classif(X, y), rtol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for y in (np.arange(5000), np.zeros(5000)):
            np.testing.assert_array_equal(np.isnan(ours.f_classif(X, y)[0]), True)


def test_rows_without_a_finite_value_are_refused_as_there():
    X, y = np.ones((4, 2)), [0, 1, 0, 1]
    for value in (np.nan, np.inf):
        X[2, 1] = value
        for call in (ours.f_classif, lambda X, y: ours.SelectKBest(k=1).fit(X, y)):
            with pytest.raises(ValueError, match="Input X contains"):
                call(X, y)
    with pytest.raises(ValueError, match="Input X must be non-negative"):
        ours.chi2(-np.ones((4, 2)), y)
    with pytest.raises(ValueError, match="y"):
        ours.f_classif(np.ones((4, 2)), [0, 1, np.nan, 1])


def test_scikit_learns_own_scores_are_computed_here():
    X, y = columns(np.float64, 7)
    a = ours.SelectKBest(theirs.f_classif, k=2).fit(X[:, :3], y)
    np.testing.assert_array_equal(a.scores_, ours.f_classif(X[:, :3], y)[0])
    assert a._where() is not None


def test_estimators_are_converted_with_their_scores():
    X, y = columns(np.float64, 8)
    fitted = ours.SelectFpr(ours.chi2, alpha=0.2).fit(np.abs(X), y)
    there = quern.to_sklearn(fitted)
    assert there.score_func is theirs.chi2 and type(there) is theirs.SelectFpr
    back = quern.from_sklearn(there)
    assert back.score_func is ours.chi2
    np.testing.assert_array_equal(back.transform(X), fitted.transform(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))


def test_a_pipeline_selects_and_becomes_a_model():
    X, y = columns(np.float64, 9)
    X = X[:, :3]
    pipe = Pipeline([("scale", StandardScaler()), ("select", ours.SelectKBest(k=2))])
    out = pipe.fit_transform(X, y)
    want = theirs.SelectKBest(k=2).fit_transform(StandardScaler().fit_transform(X), y)
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(pipe.transform(X), want)
    model = quern.to_model(pipe, X)
    room = np.empty(want.shape)
    model.apply(X, room)
    np.testing.assert_array_equal(room, want)
    own = quern.to_model(ours.SelectKBest(lambda X, y: np.arange(3.0), k=1).fit(X, y), X)
    assert own.output_names == ["x2"]


def test_constant_columns_are_warned_of():
    X, y = columns(np.float64, 10)
    with pytest.warns(UserWarning, match=r"Features \[4\] are constant"):
        ours.f_classif(X, y)


def test_a_spec_names_the_target(tmp_path):
    lines = ["a,b,kind"] + [f"{i % 7},{i % 5 + (i % 3 == 0)},{'xyz'[i % 3]}" for i in range(300)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    spec = {"quern": 1, "target": "kind", "steps": [{"columns": "*", "apply": [{"SelectKBest": {"k": 1}}]}]}
    assert quern.fit(spec, str(path)).output_names == ["b"]
    lines[5] = "1,2,"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="line 6: the target is missing"):
        quern.fit(spec, str(path))
