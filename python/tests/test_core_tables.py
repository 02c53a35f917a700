# SPDX-License-Identifier: Apache-2.0
"""Tables of arrays: what is viewed, what is copied, what is refused."""
import gc
import io
import weakref

import numpy as np
import pytest

from quern import UnsupportedError, _core

TYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
         "float64"]
Table = _core.Table


def address(values):
    return np.asarray(values).__array_interface__["data"][0]


def scaled(ctx, pipeline, x):
    table = Table.from_matrix(x)
    return np.asarray(pipeline("StandardScaler").fit(ctx, table).transform(ctx, table))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_is_viewed(dtype, order):
    x = np.array(np.arange(60).reshape(12, 5) % 100, dtype=dtype, order=order)
    table = Table.from_matrix(x, ["a", "b", "c", "d", "e"])
    assert (table.rows, table.columns) == (12, 5)
    for i, name in enumerate("abcde"):
        got, kind, values, validity = table.column(i)
        assert (got, kind, validity) == (name, dtype, None)
        assert address(values) == x[:, i].__array_interface__["data"][0]
        assert np.asarray(values).dtype == x.dtype
        np.testing.assert_array_equal(np.asarray(values), x[:, i])


@pytest.mark.parametrize("view", [np.s_[::3], np.s_[:, 1:4], np.s_[2:, ::2], np.s_[5:6], np.s_[:, 3]])
def test_strides_are_viewed(view, numbers):
    x = numbers[view]
    table = Table.from_matrix(x)
    values = table.column(0)[2]
    assert address(values) == x.__array_interface__["data"][0]
    np.testing.assert_array_equal(np.asarray(values), x if x.ndim == 1 else x[:, 0])


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::-1], np.s_[::-2, ::-1]])
def test_negative_strides_are_packed(view, ctx, pipeline, numbers):
    x = numbers[view]
    assert np.array_equal(scaled(ctx, pipeline, x), scaled(ctx, pipeline, x.copy()))
    assert not np.shares_memory(np.asarray(Table.from_matrix(x).column(0)[2]), x)


def test_repeated_rows_are_packed(ctx, pipeline, numbers):
    x = np.broadcast_to(numbers[0], (50, 6))
    assert np.array_equal(scaled(ctx, pipeline, x), np.zeros((50, 6)))


def test_values_off_their_alignment_are_packed(ctx, pipeline, numbers):
    x = np.frombuffer(b"x" + numbers.tobytes(), "u1")[1:].view("f8").reshape(numbers.shape)
    assert not x.flags.aligned
    assert np.array_equal(scaled(ctx, pipeline, x), scaled(ctx, pipeline, numbers))


def test_no_memory_is_used_for_a_view(peak_memory):
    x = np.ones((1 << 20, 8))
    fortran = np.asfortranarray(x)
    for given in (x, fortran, x[::2], x[:, 2:5]):
        with peak_memory() as peak:
            table = Table.from_matrix(given)
        assert table.rows == given.shape[0]
        assert peak.bytes < 4 << 20
    with peak_memory() as peak:
        Table.from_matrix(x[::-1])
    assert peak.bytes > 48 << 20, "a copy that is not seen: the test above shows nothing"


def test_out_is_written_without_another_array(ctx, pipeline, peak_memory):
    x = np.ones((1 << 20, 8))
    out = np.empty_like(x)
    out[:] = 0
    table = Table.from_matrix(x)
    model = pipeline("MaxAbsScaler").fit(ctx, table)
    with peak_memory() as peak:
        assert model.transform(ctx, table, out=out) is None
    assert peak.bytes < 16 << 20
    assert out.min() == out.max() == 1.0


@pytest.mark.parametrize("shape", [(0, 4), (0, 1), (1, 4), (1, 1)])
def test_few_rows(shape, ctx, pipeline):
    table = Table.from_matrix(np.ones((3, shape[1])))
    model = pipeline("StandardScaler").fit(ctx, table)
    out = np.asarray(model.transform(ctx, Table.from_matrix(np.ones(shape))))
    assert out.shape == shape and not out.any()


def test_a_fit_of_no_rows_is_refused(ctx, pipeline):
    with pytest.raises(ValueError):
        pipeline("StandardScaler").fit(ctx, Table.from_matrix(np.ones((0, 3))))


def test_no_columns():
    with pytest.raises(ValueError, match="0 columns"):
        Table.from_matrix(np.ones((3, 0)))
    with pytest.raises(ValueError, match="0 columns"):
        Table.from_columns([])


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "complex64", "object", "S3", "U2", "m8[s]",
                                   "M8[us]", [("a", "f8")]])
def test_other_types_are_refused(dtype):
    with pytest.raises(TypeError, match="^x: "):
        Table.from_matrix(np.zeros((2, 2), dtype))


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4", ">u2"])
def test_other_byte_orders_are_refused(dtype):
    with pytest.raises(ValueError, match="byte order"):
        Table.from_matrix(np.zeros((2, 2), dtype))


def test_one_byte_has_no_order():
    assert Table.from_matrix(np.zeros((2, 2), np.dtype("i1").newbyteorder(">"))).column(0)[1] == "int8"


@pytest.mark.parametrize("x", [np.zeros(()), np.zeros((2, 2, 2))])
def test_dimensions(x):
    with pytest.raises(ValueError, match="dimensions"):
        Table.from_matrix(x)


@pytest.mark.parametrize("x", [None, 3, [[1.0]], "text", object()])
def test_things_that_are_no_arrays(x):
    with pytest.raises(TypeError):
        Table.from_matrix(x)


def test_names():
    x = np.ones((2, 2))
    with pytest.raises(ValueError, match="3 names for 2 columns"):
        Table.from_matrix(x, ["a", "b", "c"])
    with pytest.raises(TypeError):
        Table.from_matrix(x, ["a", 1])
    with pytest.raises(ValueError, match="zero character"):
        Table.from_matrix(x, ["a", "b\0"])
    with pytest.raises(ValueError, match='"a"'):
        Table.from_matrix(x, ["a", "a"])
    assert Table.from_matrix(x, ("a", "é")).column(1)[0] == "é"


def test_arguments():
    with pytest.raises(TypeError, match="missing required argument 'x'"):
        Table.from_matrix()
    with pytest.raises(TypeError, match="unexpected keyword argument 'y'"):
        Table.from_matrix(np.ones((1, 1)), y=1)
    with pytest.raises(TypeError, match="multiple values for argument 'x'"):
        Table.from_matrix(np.ones((1, 1)), x=1)
    with pytest.raises(TypeError, match="at most 2"):
        Table.from_matrix(1, 2, 3)


def test_a_table_keeps_its_memory_alive():
    class Array(np.ndarray):
        pass

    x = np.arange(12.0).reshape(4, 3).view(Array)
    dead = weakref.ref(x)
    table = Table.from_matrix(x)
    values = np.asarray(table.column(1)[2])
    del x, table
    gc.collect()
    assert dead() is not None
    np.testing.assert_array_equal(values, [1, 4, 7, 10])
    del values
    gc.collect()
    assert dead() is None


def test_a_cycle_through_a_table_is_collected():
    class Array(np.ndarray):
        pass

    x = np.arange(6.0).reshape(2, 3).view(Array)
    x.table = Table.from_matrix(x)
    dead = weakref.ref(x)
    del x
    gc.collect()
    assert dead() is None


# ---- columns ----


def bits(validity, rows):
    return np.unpackbits(np.asarray(validity), bitorder="little")[:rows].tolist()


def test_columns_are_viewed():
    a, b = np.arange(8.0)[::2], np.arange(4, dtype="u1")
    table = Table.from_columns([a, (b, None)], ["a", "b"])
    assert address(table.column(0)[2]) == a.__array_interface__["data"][0]
    assert address(table.column(1)[2]) == b.__array_interface__["data"][0]
    np.testing.assert_array_equal(np.asarray(table.column(0)[2]), a)
    assert memoryview(table.column(0)[2]).readonly
    with pytest.raises(BufferError, match="not packed"):
        np.frombuffer(table.column(0)[2])
    with pytest.raises(TypeError, match="read-write"):  # what io says for a BufferError
        io.BytesIO(b"1234").readinto(table.column(1)[2])


def test_validity_as_bits_and_as_bools():
    a = np.arange(10, dtype="i4")
    mask = np.array([1, 0, 1, 1, 1, 0, 1, 1, 0, 1], bool)
    packed = np.packbits(mask, bitorder="little")
    table = Table.from_columns([(a, mask), (a, packed)])
    assert bits(table.column(0)[3], 10) == bits(table.column(1)[3], 10) == mask.tolist()
    assert address(table.column(1)[3]) == address(packed)
    for wrong in (mask[:9], packed[:1], np.ones(10), np.ones((2, 5), bool)):
        with pytest.raises(ValueError):
            Table.from_columns([(a, wrong)])


def test_missing_values_count_as_missing(ctx, pipeline):
    a = np.array([1.0, 100.0, 3.0])
    table = Table.from_columns([(a, np.array([True, False, True]))])
    model = pipeline({"SimpleImputer": {"strategy": "mean"}}).fit(ctx, table)
    np.testing.assert_array_equal(np.asarray(model.transform(ctx, table)).ravel(), [1, 2, 3])


def test_times():
    t = np.array(["2020-01-01", "NaT", "1969-12-31T23:59:59.999999"], "M8[us]")
    for column in (t, ("datetime", t.view("i8"), ~np.isnat(t)), ("datetime", t, None)):
        name, kind, values, validity = Table.from_columns([column]).column(0)
        assert kind == "datetime" and bits(validity, 3) == [1, 0, 1]
        assert address(values) == address(t.view("i8"))
    assert Table.from_columns([t[:1]]).column(0)[3] is None
    with pytest.raises(TypeError):
        Table.from_columns([t.astype("M8[ns]")])
    with pytest.raises(TypeError, match="int64 microseconds"):
        Table.from_columns([("datetime", np.ones(2), None)])


@pytest.mark.parametrize("offset", ["i4", "i8"])
def test_strings(offset, ctx, pipeline):
    words = ["b", "", "äh", "b"]
    data = "".join(words).encode()
    offsets = np.cumsum([0] + [len(w.encode()) for w in words]).astype(offset)
    table = Table.from_columns([("string", offsets, data, None)], ["w"])
    name, kind, (at, text), validity = table.column(0)
    assert (name, kind, validity) == ("w", "string", None)
    assert address(at) == address(offsets) and bytes(memoryview(text)) == data
    model = pipeline("OrdinalEncoder").fit(ctx, table)
    assert np.asarray(model.transform(ctx, table)).ravel().tolist() == [1, 0, 2, 1]


@pytest.mark.parametrize("offsets", [[0, 2, 1], [0, 1, 4], [-1, 1, 2], [1 << 40, 0, 1]])
def test_offsets_that_lie(offsets):
    with pytest.raises(ValueError, match="offsets"):
        Table.from_columns([("string", np.array(offsets, "i8"), b"abc", None)])


def test_columns_of_different_lengths():
    with pytest.raises(ValueError, match="column 1 has 3 values; the columns before have 2"):
        Table.from_columns([np.ones(2), np.ones(3)])


@pytest.mark.parametrize("column", [(1,), (np.ones(2), None, None), ("strings", 1, 2, 3),
                                    ("datetime", np.ones(2, "i8"))])
def test_wrong_columns(column):
    with pytest.raises(TypeError):
        Table.from_columns([column])


def test_an_index_out_of_range():
    table = Table.from_columns([np.ones(2)])
    with pytest.raises(IndexError):
        table.column(1)
    with pytest.raises(OverflowError):
        table.column(-1)


# ---- weights ----


def test_weights(ctx, pipeline, numbers):
    w = np.random.default_rng(1).random(len(numbers))
    table = Table.from_matrix(numbers)
    plain = pipeline("StandardScaler").fit(ctx, table).to_bytes()
    table.set_weights(w)
    weighted = pipeline("StandardScaler").fit(ctx, table)
    got = np.asarray(weighted.transform(ctx, table))
    assert np.abs(np.average(got, axis=0, weights=w)).max() < 1e-12
    table.set_weights(np.repeat(w, 2)[::2])
    assert pipeline("StandardScaler").fit(ctx, table).to_bytes() == weighted.to_bytes()
    table.set_weights(None)
    assert pipeline("StandardScaler").fit(ctx, table).to_bytes() == plain


@pytest.mark.parametrize("wrong, error", [(np.ones(3), ValueError), (np.ones(400, "f4"), TypeError),
                                          (np.full(400, -1.0), ValueError),
                                          (np.full(400, np.nan), ValueError), (1.0, TypeError)])
def test_wrong_weights(wrong, error, numbers):
    with pytest.raises(error):
        Table.from_matrix(numbers).set_weights(wrong)


# ---- compressed rows and columns ----


class TestSparse:
    @pytest.mark.parametrize("layout", ["csr", "csc"])
    @pytest.mark.parametrize("index", ["i4", "i8"])
    def test_a_fit_and_a_transform(self, layout, index, ctx, pipeline):
        sparse = pytest.importorskip("scipy.sparse")
        x = sparse.random(300, 7, 0.2, format=layout, random_state=0)
        table = Table.from_sparse(layout, x.shape, x.indptr.astype(index), x.indices.astype(index), x.data)
        assert (table.rows, table.columns) == x.shape
        got = pipeline("MaxAbsScaler").fit(ctx, table).transform(ctx, table, sparse=True)
        csr = sparse.csr_array((np.asarray(got.data), np.asarray(got.indices), np.asarray(got.indptr)),
                               got.shape)
        np.testing.assert_allclose(csr.toarray(), x.toarray() / np.abs(x.toarray()).max(0), rtol=1e-15)
        with pytest.raises(UnsupportedError):
            table.column(0)

    def test_weights_of_rows(self, ctx, pipeline):
        x = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
        w = np.array([1.0, 2.0, 3.0])
        table = Table.from_sparse("csr", (3, 2), np.array([0, 1, 2, 3]), np.array([1, 0, 1]), np.array([1.0, 2.0, 3.0]))
        table.set_weights(w)
        model = pipeline({"StandardScaler": {"with_mean": False}}).fit(ctx, table)
        out = np.asarray(model.transform(ctx, Table.from_matrix(x)))
        mean = np.average(x, axis=0, weights=w)
        np.testing.assert_allclose(out, x / np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w)), rtol=1e-14)

    @pytest.mark.parametrize("indptr, indices, data", [
        ([0, 1, 9], [0, 1], [1.0, 2.0]), ([0, 1, 2], [0, 1], [1.0]), ([0, 1], [0], [1.0]),
        ([0, 2, 1], [0, 1], [1.0, 2.0]), ([0, 1, 2], [0, 7], [1.0, 2.0]),
        ([0, 1, 2], np.array([0, 1], "i4"), [1.0, 2.0])])
    def test_what_lies(self, indptr, indices, data):
        with pytest.raises(ValueError):
            Table.from_sparse("csr", (2, 2), np.asarray(indptr), np.asarray(indices), np.asarray(data))

    def test_words(self):
        part = np.zeros(3, "i4"), np.zeros(0, "i4"), np.zeros(0)
        with pytest.raises(ValueError, match="layout"):
            Table.from_sparse("coo", (2, 2), *part)
        with pytest.raises(TypeError):
            Table.from_sparse("csr", 2, *part)
        with pytest.raises(ValueError):
            Table.from_sparse("csr", (-1, 2), *part)


def test_the_measure_sees_a_block_that_freed_memory_could_serve(request):
    """glibc keeps up to 64 MiB of what was freed: a block from there makes nothing grow."""
    np.ones(3_900_000)  # freed at once, which raises glibc's thresholds
    small = [np.ones(100_000) for _ in range(75)]
    del small
    request.getfixturevalue("peak_memory")
