# SPDX-License-Identifier: Apache-2.0
"""Histograms and counts: NumPy is the oracle, on every device that is present."""
import numpy as np
import pytest
from test_arrays import DEVICES, DTYPES, device, layouts, values  # noqa: F401

import quern


def same(got, want, what):
    assert len(got) == len(want) and got.dtype == want.dtype and np.array_equal(got, want), what


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("bool", "float16")])
@pytest.mark.parametrize("bins", [1, 3, 10, 1000, 5000])
def test_bins_of_equal_width_are_numpys(device, dtype, bins):
    r = np.random.default_rng(1)
    for x in (r.integers(0, 100, 3000).astype(dtype), (r.standard_normal((70, 90)) * 20 + 60).astype(dtype),
              np.repeat(np.arange(11), 7).astype(dtype)):
        for range in (None, (0, 100), (10, 37), (0.1, 0.7)):
            want, edges = np.histogram(x, bins, range)
            for layout, part in layouts(x):
                got, ours = quern.histogram(part, bins, range)
                same(got, want, (range, layout))
                same(ours, edges, range)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_edges_and_values_on_them(device, dtype):
    x = np.repeat(np.linspace(-3, 9, 97), 3).astype(dtype)
    for bins in ([0, 1, 2, 3], [0.0, 0.25, 5.0, 5.0, 8.0], [1, 1], [-np.inf, 0.0, np.inf], np.linspace(-3, 9, 97),
                 np.geomspace(0.01, 9, 3000), [2.0, 2.0, 2.0]):
        want, edges = np.histogram(x, bins)
        got, ours = quern.histogram(x, bins)
        same(got, want, bins)
        same(ours, edges, bins)


def test_nan_infinity_and_rules_by_name(device):
    x = values("float64", 3000, 2)
    got, edges = quern.histogram(x, 7, (-2, 2))
    same(got, np.histogram(x, 7, (-2, 2))[0], "range")
    y = np.random.default_rng(3).standard_normal(500)
    for rule in ("auto", "fd", "sturges"):
        same(quern.histogram(y, rule)[0], np.histogram(y, rule)[0], rule)
    assert np.allclose(quern.histogram(y, 9, density=True)[0], np.histogram(y, 9, density=True)[0], rtol=1e-15)
    same(quern.histogram([], 3)[0], np.histogram([], 3)[0], "empty")
    same(quern.histogram([], [1.0])[0], np.histogram([], [1.0])[0], "no bins")
    assert quern.histogram([True, False, True], 2)[0].tolist() == [1, 2]


@pytest.mark.parametrize("n", [0, 1, 1000, 70_000, 300_000])
def test_weights_are_added_in_numpys_order(n):
    r = np.random.default_rng(4)
    x, w = r.standard_normal(n), r.standard_normal(n)
    for threads in (1, 3):
        with quern.config_context(device="cpu", threads=threads):
            same(quern.histogram(x, 20, (-3, 3), weights=w)[0], np.histogram(x, 20, (-3, 3), weights=w)[0], n)
            v = (w * 9).astype(int)
            same(quern.histogram(x, 20, (-3, 3), weights=v)[0], np.histogram(x, 20, (-3, 3), weights=v)[0], n)
            k = r.integers(0, 50, n)
            got, want = quern.bincount(k, w), np.bincount(k, w)
            assert got.dtype == np.float64 and np.allclose(got, want, rtol=1e-12, atol=1e-12)
            k = r.integers(0, 100_000, n)
            if n:
                same(quern.bincount(k, w), np.bincount(k, w), n)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("uint64", "float16", "float32", "float64")])
def test_integers_are_counted_as_numpy_does(device, dtype):
    r = np.random.default_rng(5)
    for n in (0, 1, 5000, 200_000):
        for most in (2, 100, 30_000):
            if dtype == "bool":
                most = 2
            if most > 2 and most > np.iinfo(dtype).max:
                continue
            x = r.integers(0, most, n).astype(dtype)
            for layout, part in layouts(x):
                for least in (0, 7, 40_000):
                    same(quern.bincount(part, minlength=least), np.bincount(x, minlength=least), (n, most, layout))


def test_counts_are_the_same_on_every_device_with_any_number_of_threads():
    x = np.random.default_rng(6).standard_normal(300_000).astype(np.float32)
    results = set()
    for name in DEVICES:
        for threads in (1, 3):
            with quern.config_context(device=name, threads=threads, fallback="never"):
                results.add(quern.histogram(x, 3000)[0].tobytes() + quern.bincount(np.arange(9)).tobytes())
    assert len(results) == 1


def test_weights_are_the_processors(device):
    with quern.config_context(fallback="quiet"):
        assert quern.bincount([1, 1], [0.5, 0.25]).tolist() == [0.0, 0.75]
    if device != "cpu":
        with pytest.raises(quern.UnsupportedError, match="added up in their order"):
            quern.bincount([1, 1], [0.5, 0.25])


def test_what_cannot_be_counted_is_refused(device):
    for call in (lambda: quern.histogram(["a"]), lambda: quern.bincount([1.5]), lambda: quern.bincount(np.uint64([1]))):
        with pytest.raises(TypeError):
            call()
    for call in (lambda: quern.histogram([1.0], [2, 1]), lambda: quern.histogram([np.nan]), lambda: quern.histogram([1.0], 0),
                 lambda: quern.bincount([-1]), lambda: quern.bincount([[1]]), lambda: quern.bincount([1], minlength=-1),
                 lambda: quern.histogram([1.0], weights=[1.0, 2.0]), lambda: quern.bincount([2**62])):
        with pytest.raises(ValueError):
            call()
