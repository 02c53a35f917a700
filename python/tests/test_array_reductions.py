# SPDX-License-Identifier: Apache-2.0
"""Reductions of arrays: NumPy is the oracle, and exact sums where it rounds, on every device that is present."""
import math
import warnings

import numpy as np
import pytest
from test_arrays import DEVICES, DTYPES, FLOATS, device, layouts, values  # noqa: F401

import quern

SHAPES = ((0,), (1,), (23,), (5000,), (1, 1), (3, 700), (700, 3), (70, 70), (2100, 65), (0, 5), (5, 0), (1, 3000),
          (2, 3, 40))
EXACT = ("min", "max", "argmin", "argmax", "count_nonzero", "any", "all")


@pytest.fixture(autouse=True)
def numpy_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def axes_of(shape):
    return (None, *range(-1, len(shape)))


def fails(call):
    try:
        call()
    except (ValueError, TypeError) as e:
        return type(e)
    return None


def same(got, want, what):
    assert np.shape(got) == np.shape(want) and got.dtype == want.dtype, what
    assert np.array_equal(got, want, equal_nan=want.dtype.kind == "f"), what


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_extremes_counts_and_truth_are_numpys(device, dtype, shape):
    x = values(dtype, shape, 1)
    for axis in axes_of(shape):
        for layout, part in layouts(x):
            for name in EXACT:
                ours, numpys = getattr(quern, name), getattr(np, name)
                wanted = fails(lambda: numpys(x, axis))
                if wanted is not None:
                    assert fails(lambda: ours(part, axis)) is wanted, (name, axis)
                    continue
                same(ours(part, axis), np.asarray(numpys(x, axis)), (name, axis, layout))
            there = ~np.isnan(x) if dtype in FLOATS else np.ones(shape, bool)
            same(quern.count(part, axis), np.asarray(np.count_nonzero(there, axis)), axis)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_extremes_without_nan_are_numpys(device, dtype, shape):
    x = values(dtype, shape, 2)
    if x.ndim > 1 and x.size:
        x[0] = np.nan
    for axis in axes_of(shape):
        for layout, part in layouts(x):
            for name in ("min", "max", "argmin", "argmax"):
                ours, numpys = getattr(quern, name), getattr(np, "nan" + name)
                wanted = fails(lambda: numpys(x, axis))
                if wanted is not None:
                    assert fails(lambda: ours(part, axis, skip_nan=True)) is wanted, (name, axis)
                    continue
                same(ours(part, axis, skip_nan=True), np.asarray(numpys(x, axis)), (name, axis, layout))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in FLOATS])
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_and_products_of_integers_wrap_around_as_numpys(device, dtype, shape):
    x = values(dtype, shape, 3)
    for axis in axes_of(shape):
        for layout, part in layouts(x):
            for name in ("sum", "prod"):
                same(getattr(quern, name)(part, axis), np.asarray(getattr(np, name)(x, axis)), (name, axis, layout))
            if dtype != "bool":
                if fails(lambda: np.ptp(x, axis)):
                    assert fails(lambda: quern.ptp(part, axis)) is ValueError
                else:
                    same(quern.ptp(part, axis), np.asarray(np.ptp(x, axis)), axis)


def exact_lines(x, axis):
    """Lines of x as lists of floats, in the order of the result's values."""
    x = x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    return [[float(v) for v in line] for line in x.astype(np.float64)]


def near(got, exact, dtype, width, what):
    """Within a rounding of the result's type, and `width` units of float64 of what was added."""
    dtype = np.dtype(dtype)
    for g, (e, size) in zip(np.ravel(got).astype(np.float64), exact):
        bound = np.finfo(dtype).eps * abs(e) + width * 2.0**-53 * size + float(np.finfo(dtype).smallest_subnormal)
        assert abs(g - e) <= bound, (what, g, e)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint64", "bool"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if 0 not in s])
def test_means_sums_and_variances_are_near_the_truth(device, dtype, shape):
    r = np.random.default_rng(4)
    x = values(dtype, shape, 4) if dtype not in FLOATS else (r.standard_normal(shape) + 1000).astype(dtype)
    out = dtype if dtype in FLOATS else "float64"
    width = 64 if dtype == "float32" else 2
    for axis in axes_of(shape):
        lines = exact_lines(x, axis)
        sums = [(math.fsum(line), math.fsum(map(abs, line))) for line in lines]
        n = len(lines[0])
        squares = [math.fsum((v - s / n) ** 2 for v in line) for line, (s, _) in zip(lines, sums)]
        for layout, part in layouts(x):
            if dtype in FLOATS:
                assert quern.sum(part, axis).dtype == dtype
                near(quern.sum(part, axis), sums, dtype, width, ("sum", axis, layout))
            mean = quern.mean(part, axis)
            assert mean.dtype == out and mean.shape == np.mean(x, axis).shape
            near(mean, [(s / n, a / n) for s, a in sums], out, width, ("mean", axis, layout))
            for ddof in (0, 1) if n > 1 else (0,):
                got = quern.var(part, axis, ddof=ddof)
                near(got, [(q / (n - ddof), q * 100 + 1e-20) for q in squares], out, 100, ("var", axis, layout))
                root = quern.std(part, axis, ddof=ddof)
                assert root.dtype == out
                assert np.allclose(root, np.sqrt(got), rtol=np.finfo(out).eps, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_is_left_out_where_asked(device, dtype):
    r = np.random.default_rng(5)
    x = r.random((1500, 33)).astype(dtype)
    x[r.random(x.shape) < 0.3] = np.nan
    x[:, 4] = np.nan
    x[7] = np.nan
    eps = 4 * np.finfo(np.float32).eps if dtype == "float32" else 1e-13  # NumPy adds columns up in their order
    for axis in (0, 1, None):
        for layout, part in layouts(x):
            for name in ("sum", "prod", "mean", "var", "std"):
                got, want = getattr(quern, name)(part, axis, skip_nan=True), getattr(np, "nan" + name)(x.astype(np.float64), axis)
                assert got.dtype == dtype and np.allclose(got, want, rtol=eps, atol=1e-30, equal_nan=True), (name, axis, layout)
                plain = getattr(quern, name)(part, axis)
                assert np.array_equal(np.isnan(plain), np.isnan(getattr(np, name)(x, axis)))
            same(quern.ptp(part, axis, skip_nan=True), np.asarray(np.nanmax(x, axis) - np.nanmin(x, axis)), axis)


def test_sums_are_more_exact_than_numpys(device):
    x = np.tile(np.array([1e16, 1.0, -1e16, 1.0]), 1000)
    assert quern.sum(x) == 2000.0
    assert quern.sum(np.array([1e9, -1e9, 1.0])) == 1.0
    y = np.full(1_000_000, 0.1, np.float32)
    assert quern.sum(y) == np.float32(math.fsum(y.astype(np.float64)))


def test_infinities_and_empty_lines_follow_numpy(device):
    for x in ([np.inf, 1.0], [np.inf, -np.inf], [-np.inf, 2.0, 3.0], [1e308, 9e307], [np.nan, np.inf], [-0.0], []):
        x = np.array(x)
        for name in ("sum", "prod", "mean", "var", "std"):
            got, want = getattr(quern, name)(x), getattr(np, name)(x)
            assert np.array_equal(got, want, equal_nan=True), (name, x)
            got, want = getattr(quern, name)(x, skip_nan=True), getattr(np, "nan" + name)(x)
            assert np.array_equal(got, want, equal_nan=True), (name, x)
    x = np.array([1.0, 3.0])
    for ddof in (2, 3):
        assert np.array_equal(quern.var(x, ddof=ddof), np.var(x, ddof=ddof), equal_nan=True)
        assert np.array_equal(quern.var(x, ddof=ddof, skip_nan=True), np.nanvar(x, ddof=ddof), equal_nan=True)
    for shape in ((0, 3), (3, 0), (0, 0)):
        for axis in (0, 1, None):
            x = np.zeros(shape)
            for name in ("sum", "prod", "mean", "var"):
                same(getattr(quern, name)(x, axis), np.asarray(getattr(np, name)(x, axis)), (name, shape, axis))


def test_several_axes_and_kept_ones(device):
    x = values("float32", (5, 6, 7), 6, nan=False)
    x[np.isinf(x)] = 0
    for axis in ((0, 1), (1, 2), (0, 2), (2,), (0, 1, 2), (-1, 0)):
        for keepdims in (False, True):
            same(quern.max(x, axis, keepdims=keepdims), np.asarray(np.max(x, axis, keepdims=keepdims)), axis)
            got = quern.sum(x, axis, keepdims=keepdims)
            assert got.shape == np.sum(x, axis, keepdims=keepdims).shape
            assert np.allclose(got, np.sum(x, axis, keepdims=keepdims), atol=1e-4)
    same(quern.argmin(x, 1, keepdims=True), np.argmin(x, 1, keepdims=True), "argmin")
    assert quern.min(x, keepdims=True).shape == (1, 1, 1)


def test_values_that_repeat_in_memory(device):
    x = np.broadcast_to(np.array([1.5, 2.5]), (3000, 2))
    assert quern.sum(x, 0).tolist() == [4500.0, 7500.0] and quern.var(x, 0).tolist() == [0.0, 0.0]
    assert quern.max(x, 1).tolist() == [2.5] * 3000 and quern.sum(x) == 12000.0


def test_values_that_are_not_aligned(device):
    for dtype in ("float32", "float64", "int64"):
        memory = np.zeros(1 + 4000 * 8, np.uint8)
        x = np.arange(4000).astype(dtype).reshape(500, 8)
        y = memory[1:1 + x.nbytes].view(dtype).reshape(x.shape)
        y[...] = x
        for axis in (0, 1, None):
            for name in ("sum", "var", "max", "argmax", "count_nonzero"):
                assert np.array_equal(getattr(quern, name)(y, axis), getattr(quern, name)(x, axis)), (name, axis)


def test_bits_are_the_same_on_every_device_with_any_number_of_threads_and_layout():
    r = np.random.default_rng(7)
    x = (r.standard_normal((70_000, 7)) * 10.0 ** r.integers(-8, 8, (70_000, 7)))
    x[r.random(x.shape) < 0.01] = np.nan
    for y in (x, x.astype(np.float32)):
        results = set()
        for name in DEVICES:
            for threads in (1, 2, 3):
                for _, part in layouts(y):
                    with quern.config_context(device=name, threads=threads, fallback="never"):
                        results.add(b"".join(getattr(quern, what)(part, axis, skip_nan=True).tobytes()
                                             for what in ("sum", "prod", "mean", "var") for axis in (0, 1)))
        assert len(results) == 1
        assert len({quern.sum(part, skip_nan=True).tobytes() for _, part in layouts(y)}) == 1


@pytest.mark.parametrize("level", ["baseline", "avx2", "avx512"])
def test_bits_are_the_same_with_any_instructions(level, monkeypatch, tmp_path):
    import subprocess
    import sys
    program = ("import numpy as np, quern\n"
               "r = np.random.default_rng(1)\n"
               "x = r.standard_normal((5000, 11)) * 10.0 ** r.integers(-9, 9, (5000, 11))\n"
               "x[r.random(x.shape) < 0.1] = np.nan\n"
               "for y in (x, x.astype('f4')):\n"
               "    for axis in (0, 1, None):\n"
               "        for what in ('sum', 'prod', 'mean', 'min', 'argmax'):\n"
               "            print(getattr(quern, what)(y, axis, skip_nan=True).tobytes().hex())\n")
    monkeypatch.setenv("QUERN_DEVICE", "cpu")
    said = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=True,
                           env={**__import__("os").environ, **more}).stdout
            for more in ({}, {"QUERN_CPU_ISA": level})]
    assert said[0] == said[1]


def test_what_cannot_be_reduced_is_refused(device):
    for call in (lambda: quern.sum(["a"]), lambda: quern.ptp([True]), lambda: quern.argmax([1], (0,))):
        with pytest.raises(TypeError):
            call()
    for call in (lambda: quern.min([]), lambda: quern.argmin([np.nan], skip_nan=True), lambda: quern.sum([[1]], (0, 0)),
                 lambda: quern.var([1.0], ddof=math.inf)):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(np.exceptions.AxisError):
        quern.sum([1.0], 1)


def test_the_report_tells_where_values_were_reduced(device):
    context = quern._config.context()
    context.reset()
    quern.sum(np.arange(10.0))
    report = quern.last_report()
    assert [d["operation"] for d in report["decisions"]] == ["reduce"]
    assert report["decisions"][0]["device"] == device
    if device != "cpu":
        assert context.ledger()["input_to_device"] == 80
