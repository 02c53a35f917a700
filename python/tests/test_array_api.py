# SPDX-License-Identifier: Apache-2.0
"""Outputs and attributes follow the input where scikit-learn dispatches on arrays."""
import numpy as np
import pytest
import sklearn

from quern import preprocessing

xp = pytest.importorskip("array_api_strict")
NAMES = ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "Binarizer"]


@pytest.fixture
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


def numbers():
    return np.random.default_rng(2).normal(size=(50, 4)) * 3 + 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_attributes_follow_the_input(dispatch, name, dtype):
    X = numbers().astype(dtype)
    ours, numpys = getattr(preprocessing, name)(), getattr(preprocessing, name)().fit(X)
    device = xp.Device("device1")
    given = xp.asarray(X, device=device)
    out = ours.fit(given).transform(given)
    assert type(out) is type(given) and out.device == device
    back = np.asarray(xp.asarray(out, device=xp.Device("CPU_DEVICE")))
    np.testing.assert_array_equal(back, numpys.transform(X))
    assert back.dtype == X.dtype
    for attribute in ("scale_", "mean_", "min_", "center_"):
        if hasattr(numpys, attribute):
            assert type(getattr(ours, attribute)) is type(given)


def test_the_way_back_and_parts_of_a_fit_follow_too(dispatch):
    X = numbers()
    given, scaler = xp.asarray(X), preprocessing.StandardScaler()
    scaler.partial_fit(given[:20, :]).partial_fit(given[20:, :])
    back = scaler.inverse_transform(scaler.transform(given))
    assert type(back) is type(given)
    np.testing.assert_allclose(np.asarray(back), X, rtol=1e-12)


def test_weights_may_be_such_arrays(dispatch):
    X, w = numbers(), np.arange(50.0)
    ours = preprocessing.StandardScaler().fit(xp.asarray(X), sample_weight=xp.asarray(w))
    wanted = preprocessing.StandardScaler().fit(X, sample_weight=w)
    np.testing.assert_array_equal(np.asarray(ours.mean_), wanted.mean_)


def test_another_library_than_at_the_fit_is_refused(dispatch):
    scaler = preprocessing.MinMaxScaler().fit(xp.asarray(numbers()))
    with pytest.raises(ValueError, match="same namespace"):
        scaler.transform(numbers())


def test_without_dispatch_outputs_are_numpys():
    X = numbers()
    out = preprocessing.StandardScaler().fit_transform(xp.asarray(X))
    assert type(out) is np.ndarray
