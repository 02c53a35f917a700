# SPDX-License-Identifier: Apache-2.0
"""Whole numbers are read as they are: what is learned and given has the bits of float64 input, which nobody makes."""
import tracemalloc

import numpy as np
import pytest

from quern import feature_selection, preprocessing

ESTIMATORS = {
    "StandardScaler": {}, "MinMaxScaler": {}, "MaxAbsScaler": {}, "RobustScaler": {}, "MeanNormalizationScaler": {},
    "PowerTransformer": {}, "QuantileTransformer": {"n_quantiles": 20, "output_distribution": "normal"},
    "VarianceThreshold": {}, "KBinsDiscretizer": {"n_bins": 3, "encode": "ordinal"}, "CyclicalFeatures": {},
    "SplineTransformer": {"n_knots": 3, "degree": 2}, "PolynomialFeatures": {}, "Normalizer": {}, "Winsorizer": {},
}
WRITE = ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "MeanNormalizationScaler", "PowerTransformer",
         "QuantileTransformer", "Normalizer"]  # which may, with copy=False
DTYPES = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


def make(name, **more):
    module = preprocessing if hasattr(preprocessing, name) else feature_selection
    return getattr(module, name)(**ESTIMATORS[name], **more)


def numbers(dtype, rows=300):
    """Small ones, and of wide types such as no double has."""
    r, info = np.random.default_rng(1), np.iinfo(dtype)
    x = r.integers(max(info.min, -100), min(info.max, 100), (rows, 5), endpoint=True).astype(dtype)
    if info.bits == 64:
        x[:, 3] = 2**53 + r.integers(0, 9, rows).astype(dtype)
        x[:, 4] = info.max - r.integers(0, 4000, rows).astype(dtype)
    return x


def bits(value):
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
        return [bits(v) for v in value]
    if hasattr(value, "t"):  # a spline
        return bits(value.t), bits(value.c)
    return np.asarray(value).dtype, np.asarray(value).tobytes()


def same(a, b):
    for name, value in vars(b).items():
        if name.endswith("_") and not name.startswith("_"):
            assert bits(getattr(a, name)) == bits(value), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_whole_numbers_have_the_bits_of_doubles(name, dtype):
    x = numbers(dtype)
    for given in (x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[::-1]):
        before, floats = given.copy(), given.astype(np.float64)
        found, wanted = make(name).fit(given), make(name).fit(floats)
        same(found, wanted)
        out, want = found.transform(given), wanted.transform(floats)
        if name == "VarianceThreshold":  # which gives columns of the input
            want = given[:, wanted.get_support()]
        assert out.dtype == want.dtype and out.tobytes() == want.tobytes()
        assert (given == before).all() and found.transform(given[:7]).tobytes() == want[:7].tobytes()


@pytest.mark.parametrize("name", WRITE)
def test_whole_numbers_are_never_written_to(name):
    x = numbers(np.int64)
    before = x.copy()
    made = make(name, copy=False)
    out = made.fit(x).transform(x)
    assert out.dtype == np.float64 and (x == before).all() and not np.shares_memory(out, x)
    x.flags.writeable = False
    assert made.fit(x).transform(x).tobytes() == out.tobytes()


@pytest.mark.parametrize("name", ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "MeanNormalizationScaler"])
def test_chunks_of_whole_numbers_and_of_floats_are_one_fit(name):
    x = numbers(np.int32)
    mixed, floats = make(name), make(name)
    for at, dtype in ((0, np.int32), (100, np.float64), (200, np.uint8)):
        part = x[at : at + 100].astype(dtype)
        mixed.partial_fit(part)
        floats.partial_fit(part.astype(np.float64))
    same(mixed, floats)


def test_weights_and_room_for_outputs():
    x = numbers(np.int64)
    weights = np.random.default_rng(2).random(len(x))
    found = preprocessing.StandardScaler().fit(x, sample_weight=weights)
    same(found, preprocessing.StandardScaler().fit(x.astype(np.float64), sample_weight=weights))
    out = np.empty(x.shape)
    assert found.transform_into(x, out) is out
    assert out.tobytes() == found.transform(x).tobytes()
    with pytest.raises(ValueError, match="float64"):
        found.transform_into(x, np.empty(x.shape, np.int64))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nobody_makes_floats_of_whole_numbers(name):
    """NumPy's memory at its highest: outputs are the library's."""
    x = np.random.default_rng(3).integers(0, 100, (200_000, 8))
    fitted = make(name).fit(x[:1000])
    tracemalloc.start()
    try:
        make(name).fit(x)
        fitted.transform(x)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < x.nbytes / 4
