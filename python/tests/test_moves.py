# SPDX-License-Identifier: Apache-2.0
"""Functions that move values of arrays: NumPy is the oracle, on every device that is present."""
import numpy as np
import pytest

import quern
from quern import _core
from test_arrays import DEVICES, DTYPES, FLOATS, device, layouts, values  # noqa: F401 (device: a fixture)

SHAPES = ((0,), (1,), (1023,), (70_001,), (3, 700), (700, 3), (130, 129), (0, 5), (5, 0), (2, 3, 40), (4, 1, 3, 5))


def same(got, want):
    """Equal bits, dtypes and shapes."""
    assert got.dtype == want.dtype and got.shape == want.shape
    assert np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(want).tobytes()


def exact(x, dtype):
    """What astype promises, value by value, where NumPy leaves it to the processor."""
    dtype = np.dtype(dtype)
    if x.dtype.kind != "f" or dtype.kind in "fb":
        with np.errstate(all="ignore"):
            return x.astype(dtype)
    top = 2**64 if dtype == np.uint64 else 2**63
    whole = [0 if np.isnan(v) else max(-2**63, min(top - 1, int(v) if np.isfinite(v) else (top if v > 0 else -top)))
             for v in x.ravel().tolist()]
    low = np.array([w % 2**64 for w in whole], np.uint64)
    return low.astype(f"u{dtype.itemsize}").view(dtype).reshape(x.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("to", DTYPES)
def test_every_dtype_becomes_every_other(device, dtype, to):
    x = values(dtype, (90, 33), 1)
    if dtype in ("float32", "float64"):
        x[::7, ::5] = np.array([1e10, -1e10, 3e9, 1e19, -1e19, 255.9, -0.9], dtype)[:, None][:len(x[::7]), :].repeat(
            7, 1)[:1]
    want = exact(x, to)
    for _, part in layouts(x):
        got = quern.astype(part, to)
        assert got.dtype == want.dtype and np.array_equal(got, want, equal_nan=to in FLOATS)


@pytest.mark.parametrize("dtype", ["bool", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_copies_have_the_same_bits_in_either_order(device, dtype, shape):
    x = values(dtype, shape, 2)
    for _, part in layouts(x):
        for order in "CF":
            got = quern.copy(part, order)
            same(got, x)
            assert got.flags[f"{order}_CONTIGUOUS"] and not np.shares_memory(got, part)
        same(quern.transpose(part), x.T)


def test_large_copies_are_written_past_the_caches(device):
    for x in (values("float32", (40_011, 61), 3), values("float64", (61, 20_011), 4), values("uint8", (3001, 3003), 5)):
        same(quern.copy(x, "F"), x)
        same(quern.copy(x.T), x.T)
        same(quern.copy(x[1:, 1:]), x[1:, 1:])
        same(quern.copy(x[::-1, ::2], "F"), x[::-1, ::2])
        same(quern.astype(x, np.float64), x.astype(np.float64) + 0.0 if x.dtype == np.uint8 else quern.astype(x, "f8"))


def test_pairs_of_dtypes_are_allowed_as_numpy_allows_them(device):
    x = np.array([1.5])
    for casting in ("no", "equiv", "safe", "same_kind", "unsafe"):
        for to in (np.float64, np.float32, np.int32):
            if np.can_cast(x.dtype, to, casting):
                assert quern.astype(x, to, casting=casting) == x.astype(to)
            else:
                with pytest.raises(TypeError, match="by the rule"):
                    quern.astype(x, to, casting=casting)


@pytest.mark.parametrize(("dtype", "to", "fit", "unfit"), [
    ("float64", "int32", [2147483647.9, -2147483648.9], [2147483648.0, -2147483649.0, np.nan, np.inf]),
    ("float32", "int8", [127.9, -128.9], [128.0, -129.0, np.nan]),
    ("float64", "uint8", [-0.9, 255.9], [-1.0, 256.0]),
    ("float64", "int64", [-2.0**63, 2.0**63 - 1024], [2.0**63, -2.0**63 - 2048]),
    ("float64", "uint64", [2.0**64 - 2048, -0.5], [2.0**64, -1.0]),
    ("float64", "float32", [np.inf, np.nan, 3.4028235e38], [3.5e38, -1e300]),
    ("float64", "float16", [np.inf, 65504.0], [65520.0, -1e9]),
    ("int64", "int16", [-32768, 32767], [-32769, 32768, 2**62]),
    ("int16", "uint64", [0, 5], [-1]),
    ("uint64", "int64", [2**63 - 1], [2**63]),
    ("uint8", "int8", [127], [128]),
    ("float32", "bool", [np.nan, 7.0], []),
])
def test_checked_casts_refuse_what_does_not_fit(device, dtype, to, fit, unfit):
    fit = np.array(fit, dtype)
    same(quern.astype(np.tile(fit, 700), to, checked=True), np.tile(quern.astype(fit, to), 700))
    for value in unfit:
        x = np.tile(fit, 700)
        x[1234 % len(x)] = value
        with pytest.raises(ValueError, match=f"does not fit {to}"):
            quern.astype(x, to, checked=True)
    with pytest.raises(ValueError, match="row 1, column 2 does not fit int8"):
        quern.astype([[1, 2, 3], [4, 5, 600]], np.int8, checked=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_taken_along_every_axis(device, dtype, shape):
    x = values(dtype, shape, 6)
    r = np.random.default_rng(7)
    for axis in (None, *range(-len(shape), len(shape))):
        n = x.size if axis is None else x.shape[axis]
        if n == 0:
            same(quern.take(x, np.empty(0, int), axis), np.take(x, np.empty(0, int), axis))
            with pytest.raises(IndexError):
                quern.take(x, [0], axis)
            continue
        places = r.integers(-n, n, n + 3)
        far = r.integers(-3 * n, 3 * n, (2, 5))
        for _, part in layouts(x):
            same(quern.take(part, places, axis), np.take(x, places, axis))
            for mode in ("wrap", "clip"):
                same(quern.take(part, far, axis, mode=mode), np.take(x, far, axis, mode=mode))


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
def test_indices_are_of_any_integers(device, kind):
    x = values("float32", (100, 4), 8)
    places = np.arange(100)[::-1].astype(kind)
    same(quern.take(x, places, 0), x[::-1])
    same(quern.take(x, places[::3], 0), x[::-1][::3])
    assert quern.take([1.0, 2.0], 1) == 2.0
    assert quern.take(5, [0, 0], 0).tolist() == [5, 5]
    assert quern.take([1.0, 2.0], []).shape == (0,)


def test_large_matrices_lose_no_row_and_no_column(device):
    r = np.random.default_rng(9)
    for shape, dtype in (((50_000, 50), "float32"), ((1_500_000, 2), "float32"), ((3000, 700), "float64"), ((3_000_000,), "float64"),
                         ((6_000_001,), "float32")):
        x = values(dtype, shape, 10)
        rows = r.permutation(shape[0])
        same(quern.take(x, rows, 0), x[rows])
        mask = r.random(shape[0]) < 0.6
        same(quern.compress(mask, x, 0), x[mask])
        same(quern.flatnonzero(mask), np.flatnonzero(mask))
        if x.ndim == 2:
            columns = r.permutation(shape[1])
            same(quern.take(x, columns, 1), x[:, columns])
            same(quern.take(np.asfortranarray(x), rows, 0), x[rows])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_keeps_values_along_every_axis(device, dtype, shape):
    x = values(dtype, shape, 11)
    r = np.random.default_rng(12)
    for axis in (None, *range(-len(shape), len(shape))):
        n = x.size if axis is None else x.shape[axis]
        for mask in (r.random(n) < 0.4, np.zeros(n, bool), np.ones(n, bool), r.integers(0, 2, n // 2), [True] * min(n, 1)):
            for _, part in layouts(x):
                same(quern.compress(mask, part, axis), np.compress(mask, x, axis))


@pytest.mark.parametrize("dtype", DTYPES)
def test_places_of_what_is_not_zero(device, dtype):
    for shape in SHAPES:
        x = values(dtype, shape, 13)
        for _, part in layouts(x):
            same(quern.flatnonzero(part), np.flatnonzero(x))
            for got, want in zip(quern.nonzero(part), np.nonzero(x), strict=True):
                assert np.array_equal(got, want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_chosen_by_a_mask_as_numpy_broadcasts(device, dtype):
    full, row, column, one = (60, 50), (50,), (60, 1), ()
    for shapes in ((full, full, full), (full, row, full), (column, full, row), (full, one, full), (row, column, one),
                   ((1, 50), full, (1, 1)), ((3000,), one, (3000,)), (one, one, one), (one, full, full), ((0, 5), (5,), one),
                   ((2, 3, 40), (40,), (3, 1)), ((1, 1), (1, 1), (1,))):
        mask = values("bool", shapes[0], 14)
        a, b = values(dtype, shapes[1], 15), values(dtype, shapes[2], 16)
        same(quern.where(mask, a, b), np.where(mask, a, b))
        if mask.ndim:
            for _, part in layouts(mask):
                same(quern.where(part, np.asfortranarray(a), b), np.where(mask, a, b))
    x = values(dtype, (3_000_000 // 8,), 17)
    same(quern.where(x != 0, x, x[::-1]), np.where(x != 0, x, x[::-1]))


def test_dtypes_meet_where_numpy_lets_them(device):
    mask = np.array([True, False, True])
    for a, b in ((1, 2.5), (np.float32(1), 2.0), (np.arange(3, dtype=np.int8), np.arange(3, dtype=np.uint8)),
                 (np.arange(3, dtype=np.float16), 3), (True, 2), (np.arange(3, dtype=np.int64), np.float32(1))):
        same(quern.where(mask, a, b), np.where(mask, a, b))
        same(quern.where(mask * 2.5, a, b), np.where(mask, a, b))


def test_views_that_repeat_a_value_are_read_as_they_are(device):
    one = np.broadcast_to(np.float64(3.5), (40, 30))
    row = np.broadcast_to(np.arange(30.0), (40, 30))
    same(quern.copy(one), one.copy())
    same(quern.take(row, [5, 7], 0), row[[5, 7]])
    same(quern.astype(row, np.float32), row.astype(np.float32))
    same(quern.where(row > 3, one, row), np.where(row > 3, one, row))
    same(quern.compress(np.broadcast_to(True, 40), row, 0), row.copy())


def test_bits_are_the_same_on_every_device_with_any_number_of_threads():
    x, places = values("float64", (20_000, 9), 18), np.random.default_rng(19).permutation(20_000)
    results = set()
    for name in DEVICES:
        for threads in (1, 2, 3):
            with quern.config_context(device=name, threads=threads):
                results.add((quern.astype(x, "float32").tobytes(), quern.astype(x, "int16").tobytes(),
                             quern.copy(x, "F").T.tobytes(), quern.take(x, places, 0).tobytes(),
                             quern.compress(x[:, 0] > 0, x, 0).tobytes(), quern.where(x > 0, x, 0.0).tobytes()))
    assert len(results) == 1


def test_what_cannot_be_moved_is_refused_with_a_sentence(device):
    x = np.zeros((4, 3))
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis with size 4"):
        quern.take(x, [0, 4], 0)
    with pytest.raises(IndexError, match="index -5"):
        quern.take(x, [0, -5], 0)
    with pytest.raises(TypeError, match="integers"):
        quern.take(x, [0.0], 0)
    with pytest.raises(TypeError, match="uint64"):
        quern.take(x, np.array([0], np.uint64), 0)
    with pytest.raises(ValueError, match="mode"):
        quern.take(x, [0], 0, mode="nearest")
    for call in (lambda: quern.take(x, [0], 2), lambda: quern.compress([True], x, -3)):
        with pytest.raises(np.exceptions.AxisError):
            call()
    with pytest.raises(IndexError, match="beyond"):
        quern.compress([True] * 5, x, 0)
    with pytest.raises(ValueError, match="one dimension"):
        quern.compress(x, x)
    with pytest.raises(ValueError, match="order"):
        quern.copy(x, "K")
    with pytest.raises(ValueError):
        quern.where(x, x, np.zeros(5))
    with pytest.raises(ValueError, match="at least one dimension"):
        quern.nonzero(1.0)
    for call in (lambda: quern.astype(x, "U3"), lambda: quern.copy(["a"]), lambda: quern.where(x, 1j, 0)):
        with pytest.raises(TypeError):
            call()


def test_the_report_tells_where_values_were_moved(device):
    context = quern._config.context()
    context.reset()
    x = np.arange(12.0).reshape(4, 3)
    quern.take(x, [1], 0)
    quern.astype(x, np.float32)
    quern.copy(x, "F")
    quern.compress(x[:, 0] > 0, x, 0)
    quern.flatnonzero(x)
    quern.where(x > 0, x, x)
    report = quern.last_report()
    assert [d["operation"] for d in report["decisions"]] == ["take", "cast", "copy", "compress", "flatnonzero", "where"]
    assert {d["device"] for d in report["decisions"]} == {device}
