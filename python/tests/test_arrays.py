# SPDX-License-Identifier: Apache-2.0
"""Functions of arrays: NumPy is the oracle, on every device that is present."""
import numpy as np
import pytest

import quern
from quern import _core

FLOATS = ("float16", "float32", "float64")
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", *FLOATS)
LENGTHS = (0, 1, 2, 23, 25, 300, 5000, 140_000)


def _devices():
    found = ["cpu"]
    for info in _core.Context("cpu").devices():
        if info["present"] and info["id"].startswith(("opencl:", "cuda:")):
            found.append(info["id"])
    return found


DEVICES = _devices()


@pytest.fixture(params=DEVICES)
def device(request):
    with quern.config_context(device=request.param, fallback="never", threads=2):
        yield request.param


def values(dtype, shape, seed=0, nan=True):
    """Values with repeats, both zeros, infinities and NaN of several kinds."""
    r = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return r.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        x = r.integers(info.min, info.max, shape, dtype, endpoint=True)
        return np.where(r.random(shape) < 0.3, (r.integers(0, 5, shape)).astype(dtype), x)
    x = r.standard_normal(shape).astype(dtype)
    odd = np.array([0.0, -0.0, np.inf, -np.inf, 1.0, 1e-7, *([np.nan, -np.nan] if nan else [])], dtype)
    return np.where(r.random(shape) < 0.2, r.choice(odd, shape), x)


def layouts(x):
    """The same values in other strides."""
    yield "packed", x
    wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    part = wide[tuple(slice(0, None, 2) for _ in x.shape)]
    part[...] = x
    yield "every second", part
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    yield "backwards", backwards
    if x.ndim == 2:
        yield "columns", np.asfortranarray(x)


def descending(x, axis):
    """Places in NumPy's terms: stable, NaN last."""
    turned = np.lexsort((np.broadcast_to(np.expand_dims(
        np.arange(x.shape[axis]), [i for i in range(x.ndim) if i != axis % x.ndim]), x.shape),
        _down(x)), axis=axis)
    return turned


def _down(x):
    if x.dtype.kind == "f":
        return np.where(np.isnan(x), np.nan, -x.astype(np.float64))
    if x.dtype.kind == "b":
        return ~x
    return np.iinfo(x.dtype).max - x.astype(x.dtype) if x.dtype.kind == "u" else ~x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_lines_are_sorted_as_numpy_sorts_them(device, dtype, n):
    x = values(dtype, n, n)
    for name, part in layouts(x):
        got = quern.sort(part)
        assert got.dtype == x.dtype and np.array_equal(got, np.sort(x), equal_nan=dtype in FLOATS), name
        assert np.array_equal(quern.argsort(part), np.argsort(x, kind="stable")), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (700, 3), (40, 40), (0, 5), (5, 0), (1, 3000)])
@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_matrices_are_sorted_along_either_axis(device, dtype, shape, axis):
    x = values(dtype, shape, 1)
    for name, part in layouts(x):
        assert np.array_equal(quern.sort(part, axis), np.sort(x, axis), equal_nan=dtype in FLOATS), name
        assert np.array_equal(quern.argsort(part, axis), np.argsort(x, axis, kind="stable")), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_descending_keeps_the_order_of_equal_values_and_nan_last(device, dtype, axis):
    x = values(dtype, (60, 50), 2)
    want = descending(x, axis)
    assert np.array_equal(quern.argsort(x, axis, descending=True), want)
    assert np.array_equal(quern.sort(x, axis, descending=True), np.take_along_axis(x, want, axis),
                          equal_nan=dtype in FLOATS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("largest", [True, False])
def test_top_k_is_the_head_of_the_sorted_line(device, dtype, largest):
    for shape, axis in (((3000,), 0), ((200_000,), 0), ((30, 50), 0), ((30, 50), 1), ((2, 3, 40), 1)):
        x = values(dtype, shape, 3)
        order = descending(x, axis) if largest else np.argsort(x, axis, kind="stable")
        for k in {0, 1, shape[axis] // 3, shape[axis]}:
            got, places = quern.top_k(x, k, axis, largest=largest)
            want = np.take(order, np.arange(k), axis)
            assert np.array_equal(places, want)
            assert got.dtype == x.dtype
            picked = np.take_along_axis(x, want, axis)
            assert np.array_equal(got, picked, equal_nan=dtype in FLOATS)
            if dtype in FLOATS:
                zero = picked == 0
                assert np.array_equal(np.signbit(got[zero]), np.signbit(picked[zero]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_distinct_values_with_index_inverse_and_counts(device, dtype, n):
    x = values(dtype, n, 4)
    got = quern.unique(x, True, True, True)
    want = np.unique(x, True, True, True)
    for g, w in zip(got, want):
        assert g.dtype == w.dtype and np.array_equal(g, w, equal_nan=dtype in FLOATS)
    assert np.array_equal(quern.unique(x), want[0], equal_nan=dtype in FLOATS)
    assert np.array_equal(quern.unique(x, return_counts=True)[1], want[3])


def test_inverse_has_the_shape_of_what_was_given(device):
    x = values("int16", (7, 9, 2), 5)
    for part in (x, np.asfortranarray(x), x[::-1, ::2]):
        found, inverse = quern.unique(part, return_inverse=True)
        assert inverse.shape == part.shape and np.array_equal(found[inverse], part)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 1000, 70_000])
def test_places_among_sorted_values(device, dtype, side, n):
    a, v = np.sort(values(dtype, n, 6)), values(dtype, (40, 30), 7)
    for _, part in layouts(v):
        assert np.array_equal(quern.searchsorted(a, part, side), np.searchsorted(a, v, side))
    assert np.array_equal(quern.searchsorted(a, a, side), np.searchsorted(a, a, side))
    shuffled = values(dtype, n, 6)
    assert np.array_equal(quern.searchsorted(shuffled, v, side, np.argsort(shuffled)), np.searchsorted(a, v, side))


@pytest.mark.parametrize("right", [False, True])
def test_bins_go_up_or_down(device, right):
    x = values("float32", 3000, 8)
    for bins in ([-1.0, 0.0, 0.0, 0.5, np.inf], [2.0, 0.5, 0.5, -0.0, -1.0], [1.0], [], [1.0, 1.0]):
        assert np.array_equal(quern.digitize(x, bins, right), np.digitize(x, np.array(bins), right))
    assert np.array_equal(quern.digitize(np.arange(-5, 5), [3, 1, -2], right), np.digitize(np.arange(-5, 5), [3, 1, -2], right))
    assert quern.digitize(3.0, [1.0, 2.0]) == 2


def test_dtypes_meet_where_numpy_lets_them(device):
    a = np.array([0, 2**53, 2**53 + 1, 2**63 - 1])
    for v in (np.array([2**53 + 1.0, 1.5]), np.array([7], np.uint64), np.array([3], np.int8), np.array([1.5], np.float16)):
        assert np.array_equal(quern.searchsorted(a, v), np.searchsorted(a, v))


def test_many_values_of_few_kinds_and_of_narrow_ranges(device):
    r = np.random.default_rng(9)
    n = 400_000
    for x in (np.zeros(n, np.float32), np.where(r.random(n) < 0.9, 0.0, r.standard_normal(n)),
              1e9 + r.random(n), np.full(n, np.nan, np.float32), np.sort(r.random(n)), np.sort(r.random(n))[::-1],
              r.integers(0, 3, n), np.repeat(np.arange(4), n // 4)):
        assert np.array_equal(quern.sort(x), np.sort(x), equal_nan=x.dtype.kind == "f")
        assert np.array_equal(quern.argsort(x), np.argsort(x, kind="stable"))


def test_buckets_that_outgrow_the_cache_are_cut_again():
    r = np.random.default_rng(10)
    n = 3_000_000
    x = r.standard_normal(n)
    x[r.random(n) < 0.6] = 0.25  # one value in most places, at which a sample looks too
    x[::7] = 0.25 + r.random(len(x[::7])) * 1e-12
    with quern.config_context(device="cpu", threads=2):
        for y in (x, x.astype(np.float32)):
            assert np.array_equal(quern.sort(y), np.sort(y))
            assert np.array_equal(quern.argsort(y), np.argsort(y, kind="stable"))


def test_bits_are_the_same_on_every_device_with_any_number_of_threads():
    x = values("float32", 200_000, 11)
    results = []
    for name in DEVICES:
        for threads in (1, 2, 3):
            with quern.config_context(device=name, threads=threads):
                results.append((quern.sort(x).tobytes(), quern.sort(x, descending=True).tobytes(),
                                quern.top_k(x, 500)[0].tobytes(), quern.unique(x).tobytes()))
    assert len(set(results)) == 1


def test_sorted_zeros_and_nan_have_one_form(device):
    x = np.array([0.0, -0.0, 0.0, -np.nan, -0.0, np.nan])
    got = quern.sort(x)
    assert np.signbit(got).tolist() == [True, True, False, False, False, False]
    assert not np.signbit(quern.unique(x)).any()


def test_other_containers_share_their_memory(device):
    class Exported:
        def __init__(self, array):
            self._array = array

        def __dlpack__(self, **words):
            return self._array.__dlpack__(**words)

        def __dlpack_device__(self):
            return self._array.__dlpack_device__()

    x = np.array([3.0, 1.0, 2.0])
    assert quern.sort(Exported(x)).tolist() == [1.0, 2.0, 3.0]
    assert quern.sort([3, 1, 2]).tolist() == [1, 2, 3]
    assert quern.argsort(memoryview(x)).tolist() == [1, 2, 0]
    assert quern.sort(x.astype(">f8")).tolist() == [1.0, 2.0, 3.0]


def test_views_that_repeat_a_value_are_read_as_they_are(device):
    one, row = np.broadcast_to(np.float64(2.5), (40, 30)), np.broadcast_to(np.arange(30.0), (40, 30))
    assert (quern.sort(one) == 2.5).all() and quern.unique(one).tolist() == [2.5]
    assert np.array_equal(quern.argsort(one[0]), np.arange(30)) and np.array_equal(quern.sort(row, 0), row)
    assert (quern.searchsorted(np.arange(5.0), one) == 3).all()
    with pytest.raises(ValueError, match="in one place"):
        _core.array_sort(_core.Context("cpu"), one, np.empty((40, 30)), None)


def test_what_cannot_be_sorted_is_refused_with_a_sentence(device):
    for x in (np.array(["b", "a"]), np.array([1j]), np.array([1], object), np.array([1.0], np.longdouble)):
        with pytest.raises(TypeError, match="can be sorted and searched"):
            quern.sort(x)
    with pytest.raises(np.exceptions.AxisError):
        quern.sort(np.zeros((2, 2)), 2)
    with pytest.raises(np.exceptions.AxisError):
        quern.argsort(3.0)
    with pytest.raises(ValueError, match="k is 4"):
        quern.top_k([1, 2], 4)
    with pytest.raises(ValueError, match="one dimension"):
        quern.searchsorted([[1.0]], 1.0)
    with pytest.raises(ValueError, match="side"):
        quern.searchsorted([1.0], 1.0, "middle")
    with pytest.raises(ValueError, match="ascending or descending"):
        quern.digitize([1.0], [1.0, 3.0, 2.0])


def test_the_report_tells_where_arrays_were_sorted(device):
    context = quern._config.context()
    context.reset()
    quern.sort(np.arange(10.0)[::-1])
    report = quern.last_report()
    assert [d["operation"] for d in report["decisions"]] == ["sort"]
    assert report["decisions"][0]["device"] == device
    if device != "cpu":
        assert context.ledger()["input_to_device"] == context.ledger()["output_from_device"] == 80
