# SPDX-License-Identifier: Apache-2.0
"""SplineTransformer beside scikit-learn's: the same bits, names and errors for every kind of input, on every device;
and where scikit-learn's own result is none, what its documentation says."""
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing as theirs
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import quern
from quern import _core, config_context
from quern.preprocessing import SplineTransformer, StandardScaler

RNG = np.random.default_rng(5)
DEVICES = [d["id"] for d in _core.Context("cpu").devices() if d["present"] and d["id"] in ("cpu", "opencl:0")]
DEGREES = (1, 2, 3, 4, 7)
EXTRAPOLATIONS = ("constant", "linear", "continue", "periodic", "error")
GIVEN = np.array([[-1.0, 0, 0.5, 2, -9], [-0.5, 1, 1, 3, 0], [0.25, 2, 3, 3.5, 5], [1.5, 8, 5, 4, 7]])


def matrix(dtype, rows=150):
    """Normal, skewed, tied and constant columns, and one far from 0."""
    X = np.stack([RNG.normal(size=rows), RNG.exponential(size=rows) * 9, RNG.integers(0, 6, rows).astype(float),
                  np.full(rows, 3.0), RNG.normal(size=rows) + 40], axis=1)
    return X.astype(dtype)


def equal_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    assert np.ascontiguousarray(a + 0).tobytes() == np.ascontiguousarray(b + 0).tobytes()  # -0 is 0


def wider(X):
    """Rows inside and outside of what X has."""
    return np.concatenate([X, X * X.dtype.type(2) - X.dtype.type(3), -X])


KNOTS = [("uniform", 5), ("quantile", 5), ("uniform", 2), ("uniform", 50), ("quantile", 40), (GIVEN, 5)]


def devices_of(degree, dtype, case, extrapolation):
    """Every shape on the CPU. A device compiles for each, which takes seconds: a third of the cases run there with one
    degree, in turn. The operation's own tests have more."""
    k = EXTRAPOLATIONS.index(extrapolation)
    chosen = (case + k + (dtype in (np.float32, np.float16))) % 3 == 0
    return DEVICES if chosen and degree == DEGREES[(case + 2 * k) % len(DEGREES)] else ["cpu"]


@pytest.mark.parametrize("extrapolation", EXTRAPOLATIONS)
@pytest.mark.parametrize("case", range(len(KNOTS)), ids=[f"{knots}-{n}" for knots, n in KNOTS])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64])
def test_bits_are_scikit_learns(dtype, case, extrapolation):
    X = matrix(dtype)
    knots, n_knots = KNOTS[case]
    for degree in DEGREES:
        n = n_knots if isinstance(knots, str) else len(knots)
        if (extrapolation == "periodic" and n <= degree) or (extrapolation == "linear" and degree < 2):
            continue
        parameters = dict(knots=knots, n_knots=n_knots, degree=degree, extrapolation=extrapolation)
        want = theirs.SplineTransformer(**parameters).fit(X)
        low, high = np.ceil(GIVEN[0]), np.floor(GIVEN[-1])
        rows = np.clip(X, low, high).astype(dtype) if extrapolation == "error" and n == 4 else \
            X if extrapolation == "error" else wider(X)
        expected = want.transform(rows)
        for device in devices_of(degree, dtype, case, extrapolation):
            with config_context(device=device):
                got = SplineTransformer(**parameters).fit(X)
                for a, b in zip(got.bsplines_, want.bsplines_, strict=True):
                    assert a.t.tobytes() == b.t.tobytes()
                equal_bits(got.transform(rows), expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_layouts_and_orders(layout, order):
    X = matrix(np.float32)
    X = np.asfortranarray(X) if layout == "F" else np.repeat(X, 2, axis=1)[:, ::2] if layout == "strided" else X
    want = theirs.SplineTransformer(order=order, include_bias=False).fit_transform(X)
    got = SplineTransformer(order=order, include_bias=False).fit_transform(X)
    equal_bits(got, want)
    assert got.flags[f"{order}_CONTIGUOUS"]


@pytest.mark.parametrize("knots", ["uniform", "quantile"])
@pytest.mark.parametrize("extrapolation", EXTRAPOLATIONS)
def test_missing_values_are_zeros(extrapolation, knots):
    X = matrix(np.float64)
    X[::7, 0] = X[1::5, 4] = np.nan
    if knots == "uniform" or extrapolation in ("constant", "linear"):
        X[:, 3] = np.nan
    parameters = dict(handle_missing="zeros", extrapolation=extrapolation, knots=knots)
    want = theirs.SplineTransformer(**parameters).fit_transform(X)
    equal_bits(SplineTransformer(**parameters).fit_transform(X), want)
    with pytest.raises(ValueError, match="set handle_missing='zeros'"):
        SplineTransformer(extrapolation=extrapolation).fit(X)


@pytest.mark.parametrize("extrapolation", EXTRAPOLATIONS)
def test_sparse_output(extrapolation):
    X = matrix(np.float32)
    parameters = dict(sparse_output=True, extrapolation=extrapolation, include_bias=False)
    want = theirs.SplineTransformer(**parameters).fit_transform(X)
    got = SplineTransformer(**parameters).fit_transform(X)
    assert sparse.issparse(got) and got.format == "csr" and type(got) is type(want)
    equal_bits(got.toarray(), want.toarray())
    assert np.all(got.data != 0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("extrapolation", ["constant", "periodic"])
@pytest.mark.parametrize("knots", ["uniform", "quantile", GIVEN], ids=str)
@pytest.mark.parametrize("make", [lambda n: RNG.integers(0, 3, n), lambda n: RNG.random(n),
                                  lambda n: np.exp(5 * RNG.normal(size=n)), lambda n: np.ones(n)])
def test_weights(make, knots, extrapolation, device):
    X = matrix(np.float64)
    weights = make(150)
    X[weights == 0] *= 50
    parameters = dict(knots=knots, extrapolation=extrapolation)
    want = theirs.SplineTransformer(**parameters).fit(X, sample_weight=weights)
    with config_context(device=device):
        got = SplineTransformer(**parameters).fit(X, sample_weight=weights)
        for a, b in zip(got.bsplines_, want.bsplines_, strict=True):
            np.testing.assert_array_equal(a.t, b.t)
        equal_bits(got.transform(X), want.transform(X))


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
@pytest.mark.parametrize("knots", ["uniform", "quantile"])
def test_weights_of_missing_values_do_not_count(knots, dtype):
    X, weights = matrix(dtype).astype(np.float64), RNG.integers(0, 3, 150)
    X[::3, 0] = X[weights == 0, 2] = X[5, 4] = np.nan
    parameters = dict(knots=knots, handle_missing="zeros")
    want = theirs.SplineTransformer(**parameters).fit(X, sample_weight=weights)
    got = SplineTransformer(**parameters).fit(X, sample_weight=weights)
    for a, b in zip(got.bsplines_, want.bsplines_, strict=True):
        np.testing.assert_array_equal(a.t, b.t)
    equal_bits(got.transform(X), want.transform(X))


def test_columns_without_a_value_that_weighs():
    X, weights = matrix(np.float64), np.repeat([0.0, 1.0], 75)
    X[weights > 0, 1] = np.nan
    for knots in ("uniform", "quantile"):
        parameters = dict(knots=knots, handle_missing="zeros")
        want = theirs.SplineTransformer(**parameters).fit(X, sample_weight=weights)
        got = SplineTransformer(**parameters).fit(X, sample_weight=weights)
        np.testing.assert_array_equal(got.bsplines_[1].t, want.bsplines_[1].t)


def test_every_column_is_continued_as_if_it_were_alone():
    """scikit-learn's "linear" with the degree 0 or 1 is right for the first column alone."""
    X = matrix(np.float64)
    for degree in (0, 1):
        parameters = dict(degree=degree, extrapolation="linear")
        got = SplineTransformer(**parameters).fit(X).transform(wider(X))
        for j in range(X.shape[1]):
            one = theirs.SplineTransformer(**parameters).fit(X[:, [j]]).transform(wider(X)[:, [j]])
            equal_bits(got[:, j * one.shape[1]:(j + 1) * one.shape[1]], one)


def test_steps_are_zero_outside_of_the_knots():
    got = SplineTransformer(degree=0, n_knots=3).fit([[0.0], [2.0]])
    np.testing.assert_array_equal(got.transform([[-1.0], [0.5], [2.0], [3.0]]), [[0, 0], [1, 0], [0, 1], [0, 0]])


def test_weighted_quantiles_of_float32_columns():
    X = matrix(np.float32)
    got = SplineTransformer(knots="quantile").fit(X, sample_weight=np.ones(150))
    assert got.bsplines_[0].t.dtype == np.float64 and np.allclose(got.transform(X).sum(axis=1)[0], 4)


def test_values_beyond_the_knots_are_named():
    fitted = SplineTransformer(extrapolation="error").fit([[0.0], [1.0]])
    with pytest.raises(ValueError, match="^`X` contains values beyond the limits of the knots.$"):
        fitted.transform([[1.5]])


def exact(t, k, i, x, mp):
    """A basis function by its definition, in exact numbers."""
    if k == 0:
        return mp.mpf(1) if t[i] <= x < t[i + 1] else mp.mpf(0)
    left = (x - t[i]) / (t[i + k] - t[i]) * exact(t, k - 1, i, x, mp) if t[i + k] > t[i] else 0
    right = (t[i + k + 1] - x) / (t[i + k + 1] - t[i + 1]) * exact(t, k - 1, i + 1, x, mp) \
        if t[i + k + 1] > t[i + 1] else 0
    return left + right


def test_no_further_from_the_exact_value_than_scipy():
    mp = pytest.importorskip("mpmath").mp.clone()
    mp.prec = 400
    X = np.sort(RNG.normal(size=(60, 1)), axis=0)
    fitted = SplineTransformer(knots="quantile", degree=3).fit(X)
    got, spline, x = fitted.transform(X[:-1]), fitted.bsplines_[0], X[:-1, 0]
    t, want = [mp.mpf(v) for v in spline.t], spline(x)
    for row, value in enumerate(x):
        for j in range(got.shape[1]):
            truth = exact(t, 3, j, mp.mpf(value), mp)
            assert abs(truth - mp.mpf(got[row, j])) <= abs(truth - mp.mpf(want[row, j]))


def test_splines_that_no_fit_makes_are_scipys():
    X = matrix(np.float64)
    fitted = SplineTransformer(degree=2).fit(X)
    fitted.bsplines_[1] = BSpline(fitted.bsplines_[1].t, np.roll(fitted.bsplines_[1].c, 1, axis=1), 2,
                                  extrapolate=False)
    want = theirs.SplineTransformer(degree=2).fit(X)
    want.bsplines_ = fitted.bsplines_
    inside = np.clip(X, X.min(axis=0), X.max(axis=0))
    equal_bits(fitted.transform(inside), want.transform(inside))
    for extrapolation in EXTRAPOLATIONS[:-1]:
        high = dict(degree=33, n_knots=40, extrapolation=extrapolation)
        np.testing.assert_allclose(SplineTransformer(**high).fit(X).transform(X),
                                   theirs.SplineTransformer(**high).fit(X).transform(X), atol=1e-12)


def test_to_scikit_learn_and_back():
    X = matrix(np.float64)
    fitted = SplineTransformer(knots="quantile", extrapolation="linear").fit(X)
    back = fitted.to_sklearn()
    assert type(back) is theirs.SplineTransformer and back.get_params() == fitted.get_params()
    equal_bits(back.transform(X), fitted.transform(X))
    again = quern.from_sklearn(back)
    assert type(again) is SplineTransformer
    equal_bits(again.transform(wider(X)), fitted.transform(wider(X)))
    equal_bits(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))
    assert clone(fitted).get_params() == fitted.get_params()


def test_names_and_frames():
    frame = pd.DataFrame(matrix(np.float64)[:, :2], columns=["a", "b"])
    got = SplineTransformer(n_knots=2, degree=1, include_bias=False).set_output(transform="pandas")
    want = theirs.SplineTransformer(n_knots=2, degree=1, include_bias=False).set_output(transform="pandas")
    pd.testing.assert_frame_equal(got.fit_transform(frame), want.fit_transform(frame))
    assert list(got.get_feature_names_out()) == ["a_sp_0", "b_sp_0"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("parameters", [{}, {"knots": "quantile", "extrapolation": "continue"},
                                        {"knots": np.linspace(-60.0, 60, 5)[:, None] + np.arange(5) * 0.125}],
                         ids=str)
def test_a_pipeline_is_one_model(device, parameters):
    X = matrix(np.float64)
    with config_context(device=device):
        ours = quern.pipeline.make_pipeline(StandardScaler(), SplineTransformer(**parameters), StandardScaler())
        peer = make_pipeline(theirs.StandardScaler(), theirs.SplineTransformer(**parameters),
                             theirs.StandardScaler())
        np.testing.assert_allclose(ours.fit_transform(X), peer.fit_transform(X), rtol=1e-9, atol=1e-9)


def test_a_spec_from_files(tmp_path):
    X = matrix(np.float64)
    spec = ('{"quern": 1, "steps": [{"columns": "*", "apply": [{"SplineTransformer": {"knots": "quantile", '
            '"extrapolation": "error"}}]}]}')
    model = _core.Pipeline(spec).fit(_core.Context("cpu"), _core.Table.from_matrix(X))
    again = _core.Model.from_bytes(model.to_bytes())
    out = np.empty((150, 35))
    again.transform(_core.Context("cpu"), _core.Table.from_matrix(X), out=out)
    equal_bits(out, theirs.SplineTransformer(knots="quantile").fit_transform(X))
    with pytest.raises(ValueError, match='row 1: SplineTransformer: column "x2" has a value beyond'):
        again.transform(_core.Context("cpu"), _core.Table.from_matrix(X[:2] + [[0], [1000]] * np.eye(5)[2]))
