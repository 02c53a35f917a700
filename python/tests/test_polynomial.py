# SPDX-License-Identifier: Apache-2.0
"""PolynomialFeatures beside scikit-learn's: the same bits, names, powers and errors for every kind of input."""
import itertools

import numpy as np
import pandas as pd
import pytest
import quern
from quern import _core
from quern.preprocessing import PolynomialFeatures, StandardScaler
from scipy import sparse
from sklearn import preprocessing as theirs
from sklearn.pipeline import make_pipeline

DEVICES = [d["id"] for d in _core.Context("cpu").devices() if d["present"] and d["id"] in ("cpu", "opencl:0")]
PARAMETERS = [{}, {"degree": 1}, {"degree": 0}, {"degree": 3}, {"degree": (2, 4)}, {"interaction_only": True},
              {"degree": (3, 3), "interaction_only": True, "include_bias": False},
              {"degree": 5, "include_bias": False, "order": "F"}, {"degree": (0, 2), "include_bias": False}]
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "strided": lambda X: np.repeat(X, 2, axis=0)[::2]}


def matrix(dtype, rows=257):
    """A plain column, a constant, huge numbers, tiny ones."""
    X = np.random.default_rng(3).normal(size=(rows, 4)) * [30, 0, 1, 1] + [0, 7, 0, 0]
    if dtype != np.int64:
        X *= [1, 1, 1e30, 1e-35]
    return X.astype(dtype)


def same(ours, peer, X):
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        got, want = ours.fit(X).transform(X), peer.fit(X).transform(X)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.flags.f_contiguous == want.flags.f_contiguous
    np.testing.assert_array_equal(got, want)
    assert np.array_equal(np.signbit(got[got == 0]), np.signbit(want[want == 0]))
    assert ours.n_output_features_ == peer.n_output_features_
    assert ours.powers_.shape == (ours.n_output_features_, X.shape[1])
    if ours.n_output_features_ == 0:  # scikit-learn's powers_ and names fail
        return
    assert list(ours.get_feature_names_out()) == list(peer.get_feature_names_out())
    np.testing.assert_array_equal(ours.powers_, peer.powers_)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_have_scikit_learns_bits(device, dtype, layout):
    with quern.config_context(device=device):
        for parameters, width in itertools.product(PARAMETERS, (1, 2, 4)):
            same(PolynomialFeatures(**parameters), theirs.PolynomialFeatures(**parameters),
                 LAYOUTS[layout](matrix(dtype)[:, :width]))


def test_float16_is_multiplied_in_float16():
    X = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float16)
    same(PolynomialFeatures(3), theirs.PolynomialFeatures(3), X)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
@pytest.mark.parametrize("degree", [1, 2, 3, 4, (2, 3)])
@pytest.mark.parametrize("interaction_only", [False, True])
def test_sparse_rows_have_scikit_learns_elements(container, degree, interaction_only):
    X = sparse.random_array((60, 7), density=0.4, random_state=np.random.default_rng(5), format="csr")
    X.data[:3] = 0  # stored zeros stay stored
    X = container(X)
    given = {"degree": degree, "interaction_only": interaction_only}
    got = PolynomialFeatures(**given).fit_transform(X)
    want = theirs.PolynomialFeatures(**given).fit_transform(X)
    assert type(got) is type(want) and got.dtype == want.dtype and got.nnz == want.nnz
    for made in (got, want):
        made.sort_indices()
    np.testing.assert_array_equal(got.indices, want.indices)
    np.testing.assert_array_equal(got.data, want.data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_what_is_not_finite_is_refused(value, parameters):
    X = matrix(np.float64)
    fitted = PolynomialFeatures(**parameters).fit(X)
    for column in range(4):
        bad = X.copy()
        bad[100, column] = value
        with pytest.raises(ValueError, match="NaN|infinity"):
            fitted.transform(bad)


def test_names_are_those_of_a_frame():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b c": [3.0, 4.0]})
    fitted = PolynomialFeatures().set_output(transform="pandas").fit(frame)
    assert list(fitted.transform(frame)) == ["1", "a", "b c", "a^2", "a b c", "b c^2"]


def test_a_model_serves_products_row_by_row():
    X = np.ascontiguousarray(matrix(np.float32)[:, [0, 2]])
    fitted = PolynomialFeatures(3).fit(X)
    model = quern.to_model(fitted, X)
    out = np.empty((len(X), fitted.n_output_features_), np.float32)
    model.apply(X, out)
    np.testing.assert_array_equal(out, fitted.transform(X))


def test_a_scaler_after_products_learns_what_scikit_learns():
    X = matrix(np.float64)[:, [0, 1]]
    ours = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler()).fit(X)
    peer = make_pipeline(theirs.PolynomialFeatures(2, include_bias=False), theirs.StandardScaler()).fit(X)
    np.testing.assert_allclose(ours[-1].mean_, peer[-1].mean_, rtol=1e-13)
    np.testing.assert_allclose(ours.transform(X), peer.transform(X), rtol=1e-12, atol=1e-12)


def test_one_model_holds_products_and_a_scaler_in_one_pass():
    X = matrix(np.float64)[:, [0, 1]]
    spec = ('{"quern": 1, "steps": [{"columns": "*", "apply": [{"PolynomialFeatures": {"include_bias": false}}, '
            '"StandardScaler"]}]}')
    out, _ = _core.Pipeline(spec).fit_transform(_core.Context("cpu"), _core.Table.from_matrix(X))
    want = make_pipeline(theirs.PolynomialFeatures(include_bias=False), theirs.StandardScaler()).fit_transform(X)
    np.testing.assert_allclose(np.asarray(out), want, rtol=1e-12, atol=1e-12)
