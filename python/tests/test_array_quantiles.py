# SPDX-License-Identifier: Apache-2.0
"""Quantiles of arrays: NumPy is the oracle, bit for bit, on every device that is present."""
import warnings

import numpy as np
import pytest
from test_arrays import DEVICES, DTYPES, FLOATS, layouts, values

import quern
from quern._quantiles import _METHODS

FRACTIONS = [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 1.0]
SHAPES = ((1,), (2,), (23,), (5000,), (3, 700), (700, 3), (1500, 33), (33, 1500))
KINDS = [d for d in DTYPES if d not in ("bool", "float16")]


@pytest.fixture(params=DEVICES)
def device(request):
    """The processor may help: 64-bit integers and weights are its own."""
    with quern.config_context(device=request.param, fallback="quiet", threads=2):
        yield request.param


@pytest.fixture(autouse=True)
def numpy_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def finite(dtype, shape, seed):
    x = values(dtype, shape, seed, nan=False)
    if np.dtype(dtype).kind in "iu":
        return x // 2  # whose differences NumPy does not wrap around
    return np.where(np.isinf(x), 1, x).astype(dtype)


def some(device, shapes, x=None):
    """Fewer shapes and layouts on devices, where each pass is launched."""
    if x is None:
        return shapes if device == "cpu" else shapes[2::3]
    return layouts(x) if device == "cpu" else [("packed", x)]


def same(got, want, what):
    assert np.shape(got) == np.shape(want) and got.dtype == want.dtype, what
    assert np.array_equal(got, want, equal_nan=want.dtype.kind == "f"), what


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("method", _METHODS)
def test_every_method_gives_numpys_numbers(device, dtype, method):
    for shape in some(device, SHAPES):
        x = finite(dtype, shape, 1)
        for axis in (None, *range(len(shape))):
            want = np.quantile(x, FRACTIONS, axis, method=method)
            for layout, part in some(device, SHAPES, x):
                same(quern.quantile(part, FRACTIONS, axis, method=method), want, (shape, axis, layout))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", _METHODS)
def test_nan_makes_nan_or_is_left_out(device, dtype, method):
    r = np.random.default_rng(2)
    for shape in some(device, ((40,), (1500, 7), (7, 1500))):
        x = finite(dtype, shape, 2)
        x[r.random(shape) < 0.2] = np.nan
        if x.ndim == 2:
            x[0] = np.nan
            x[:, -1] = 1.0
        for axis in (None, *range(len(shape))):
            same(quern.quantile(x, FRACTIONS, axis, method=method), np.quantile(x, FRACTIONS, axis, method=method), axis)
            want = np.nanquantile(x, FRACTIONS, axis, method=method)
            same(quern.quantile(x, FRACTIONS, axis, method=method, skip_nan=True), want, axis)


@pytest.mark.parametrize("dtype", [*DTYPES])
def test_medians_are_numpys(device, dtype):
    for shape in some(device, ((0,), (1,), (2,), (23,), (5000,), (30, 1200), (1200, 30), (2, 3, 4), (0, 3), (3, 0))):
        x = values(dtype, shape, 3, nan=False)
        if dtype in FLOATS:
            x = np.where(np.isinf(x), 0, x).astype(dtype)
        if dtype in ("int64", "uint64"):
            x //= 8  # whose sums NumPy does not wrap around
        for axis in (None, *range(len(shape))):
            same(quern.median(x, axis), np.asarray(np.median(x, axis)), (shape, axis))
        if dtype in ("float32", "float64") and x.size:
            x[np.random.default_rng(4).random(shape) < 0.3] = np.nan
            for axis in (None, *range(len(shape))):
                same(quern.median(x, axis), np.asarray(np.median(x, axis)), (shape, axis))
                same(quern.median(x, axis, skip_nan=True), np.asarray(np.nanmedian(x, axis)), (shape, axis))


@pytest.mark.parametrize("dtype", KINDS)
def test_weights_are_numpys(device, dtype):
    r = np.random.default_rng(5)
    for shape, axis in (((50,), 0), ((30, 7), 0), ((30, 7), 1), ((2, 9, 4), 1)):
        x = finite(dtype, shape, 5)
        each, line = r.integers(0, 4, shape).astype(float), r.integers(0, 4, shape[axis]).astype(float)
        line[0] = each[...] = 1.0 if axis == 0 and len(shape) == 3 else line[0] + 1.0
        each = r.integers(0, 4, shape) + (np.arange(shape[axis]) == 1).reshape([-1 if i == axis else 1 for i in range(len(shape))])
        for weights in (each, line):
            want = np.quantile(x, FRACTIONS, axis, method="inverted_cdf", weights=weights)
            same(quern.quantile(x, FRACTIONS, axis, method="inverted_cdf", weights=weights), want, (shape, axis))
    if dtype in ("float32", "float64"):
        x = finite(dtype, 40, 6)
        x[::3] = np.nan
        for skip, numpys in ((False, np.quantile), (True, np.nanquantile)):
            want = numpys(x, FRACTIONS, method="inverted_cdf", weights=np.arange(40.0))
            same(quern.quantile(x, FRACTIONS, method="inverted_cdf", weights=np.arange(40.0), skip_nan=skip), want, skip)


def test_shapes_and_dtypes_follow_q_and_x(device):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for q in (0.5, [0.5], [[0.2, 0.4], [0.6, 0.8]]):
        for axis in (None, 0, 1, 2, (0, 2)):
            for keepdims in (False, True):
                got, want = quern.quantile(x, q, axis, keepdims=keepdims), np.quantile(x, q, axis, keepdims=keepdims)
                assert got.shape == want.shape and got.dtype == want.dtype
                assert np.allclose(got, want, rtol=1e-6)
    assert quern.percentile(x, 25) == quern.quantile(x, 0.25) == np.percentile(x, 25)
    assert quern.quantile([True, False, True], 0.5, method="inverted_cdf").dtype == bool


def test_integers_beyond_float64_keep_their_order(device):
    x = np.array([2**60 + 3, 2**60 + 1, 2**60 + 2, -2**60, 5])
    for method in ("inverted_cdf", "closest_observation"):
        same(quern.quantile(x, FRACTIONS, method=method), np.quantile(x, FRACTIONS, method=method), method)


def test_bits_are_the_same_on_every_device_with_any_number_of_threads():
    x = np.random.default_rng(7).standard_normal((30_000, 3))
    results = set()
    for name in DEVICES:
        for threads in (1, 3):
            with quern.config_context(device=name, threads=threads, fallback="never"):
                results.add(quern.quantile(x, FRACTIONS, 0).tobytes() + quern.median(x, 1).tobytes())
    assert len(results) == 1


def test_what_has_no_quantiles_is_refused(device):
    for call in (lambda: quern.quantile(["a"], 0.5), lambda: quern.quantile([True], 0.5), lambda: quern.quantile([1.0], "a")):
        with pytest.raises(TypeError):
            call()
    for call in (lambda: quern.quantile([1.0], 1.5), lambda: quern.quantile([1.0], np.nan), lambda: quern.quantile([], 0.5),
                 lambda: quern.quantile([1.0], 0.5, method="lower"), lambda: quern.percentile([1.0], 101),
                 lambda: quern.quantile([1.0], 0.5, weights=[1.0]),
                 lambda: quern.quantile([1.0, 2.0], 0.5, method="inverted_cdf", weights=[1.0]),
                 lambda: quern.quantile([1.0, 2.0], 0.5, method="inverted_cdf", weights=[0.0, 0.0]),
                 lambda: quern.quantile([1.0, 2.0], 0.5, method="inverted_cdf", weights=[1.0, -1.0])):
        with pytest.raises(ValueError):
            call()
