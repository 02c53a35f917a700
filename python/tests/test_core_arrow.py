# SPDX-License-Identifier: Apache-2.0
"""Arrow's PyCapsule protocol, from pyarrow, Polars and pandas."""
import datetime
import gc

import numpy as np
import pytest

from quern import UnsupportedError, _core

pa = pytest.importorskip("pyarrow")
from_arrow = _core.Table.from_arrow


def read(table):
    """{name: (type, list of values, None where missing)}"""
    found = {}
    for i in range(table.columns):
        name, kind, values, validity = table.column(i)
        if kind == "string":
            at, text = np.asarray(values[0]), bytes(memoryview(values[1]))
            listed = [text[at[k]:at[k + 1]].decode() for k in range(table.rows)]
        else:
            listed = np.asarray(values).tolist()
        if validity is not None:
            present = np.unpackbits(np.asarray(memoryview(validity)), bitorder="little")
            listed = [v if ok else None for v, ok in zip(listed, present)]
        found[name] = kind, listed
    return found


def us(*when):
    return int((datetime.datetime(*when) - datetime.datetime(1970, 1, 1)).total_seconds()) * 1000000


LONG = "a string that is longer than twelve bytes"
T = datetime.datetime(2020, 5, 17)
COLUMNS = {
    "int8": (pa.array([1, None, -3, 4], pa.int8()), "int8", [1, None, -3, 4]),
    "uint64": (pa.array([1, 2, 3, 2 ** 64 - 1], pa.uint64()), "uint64", [1, 2, 3, 2 ** 64 - 1]),
    "float": (pa.array([1.5, None, 2.5, 0.0], pa.float32()), "float32", [1.5, None, 2.5, 0.0]),
    "double": (pa.array([1.5, 2.0, 2.5, None]), "float64", [1.5, 2.0, 2.5, None]),
    "half": (pa.array(np.array([1.5, 6e-8, 65504, -0.25], "f2")), "float32",
             np.array([1.5, 6e-8, 65504, -0.25], "f2").astype("f4").tolist()),
    "bool": (pa.array([True, None, False, True]), "bool", [True, None, False, True]),
    "null": (pa.nulls(4), "float64", [None] * 4),
    "string": (pa.array(["a", None, "", LONG]), "string", ["a", None, "", LONG]),
    "large": (pa.array(["a", None, "", LONG], pa.large_string()), "string", ["a", None, "", LONG]),
    "view": (pa.array(["a", None, "", LONG], pa.string_view()), "string", ["a", None, "", LONG]),
    "words": (pa.array(["x", "y", None, "x"]).dictionary_encode(), "string", ["x", "y", None, "x"]),
    "codes": (pa.DictionaryArray.from_arrays(pa.array([1, 0, None, 1], pa.uint8()), pa.array([2.5, 3.5])),
              "float64", [3.5, 2.5, None, 3.5]),
    "holes": (pa.DictionaryArray.from_arrays(pa.array([1, 0, 0, 1]), pa.array(["v", None])), "string",
              [None, "v", "v", None]),
    "us": (pa.array([T, None, T, T], pa.timestamp("us")), "datetime", [us(2020, 5, 17), None] + 2 * [us(2020, 5, 17)]),
    "ns": (pa.array([T, None, T, T], pa.timestamp("ns")), "datetime", [us(2020, 5, 17), None] + 2 * [us(2020, 5, 17)]),
    "s": (pa.array([T, None, T, T], pa.timestamp("s")), "datetime", [us(2020, 5, 17), None] + 2 * [us(2020, 5, 17)]),
    "day": (pa.array([T.date(), None, T.date(), T.date()], pa.date32()), "datetime",
            [us(2020, 5, 17), None] + 2 * [us(2020, 5, 17)]),
    "date64": (pa.array([T.date(), None, T.date(), T.date()], pa.date64()), "datetime",
               [us(2020, 5, 17), None] + 2 * [us(2020, 5, 17)]),
}
ALL = pa.table({name: column for name, (column, _, _) in COLUMNS.items()})
VIEWED = ["int8", "uint64", "float", "double", "string", "large", "us"]


def expect(rows):
    return {name: (kind, [values[r] for r in rows]) for name, (_, kind, values) in COLUMNS.items()}


def test_all_types():
    assert read(from_arrow(ALL)) == expect(range(4))


@pytest.mark.parametrize("first, length", [(1, 3), (2, 1), (3, 1), (1, 0)])
def test_slices(first, length):
    assert read(from_arrow(ALL.slice(first, length))) == expect(range(first, first + length))


def test_long_slices_have_their_bits():
    n = 1000
    mask = np.random.default_rng(0).random(n) < 0.5
    table = pa.table({"a": pa.array(np.arange(n), mask=mask), "b": pa.array(np.arange(n) % 2 == 0, mask=mask)})
    for first in (1, 7, 8, 63, 65, 500):
        got = read(from_arrow(table.slice(first, 300)))
        assert got["a"][1] == [None if mask[i] else i for i in range(first, first + 300)]
        assert got["b"][1] == [None if mask[i] else i % 2 == 0 for i in range(first, first + 300)]


def test_several_chunks():
    table = pa.concat_tables([ALL, ALL.slice(1, 2), ALL.slice(3, 0), ALL.slice(2)])
    assert table.column(0).num_chunks > 1
    assert read(from_arrow(table)) == expect([0, 1, 2, 3, 1, 2, 2, 3])


def test_a_stream_without_chunks():
    reader = pa.RecordBatchReader.from_batches(ALL.schema, [])
    assert read(from_arrow(reader)) == expect([])


def test_a_batch_and_an_array():
    batch = ALL.to_batches()[0]
    assert read(from_arrow(batch.slice(1, 2))) == expect([1, 2])
    assert read(from_arrow(pa.array([1.0, 2.0, 3.0])[1:], ["x"])) == {"x": ("float64", [2.0, 3.0])}


def test_a_struct_with_an_offset():
    array = pa.StructArray.from_arrays([pa.array([1, 2, 3, 4])[1:], pa.array(["a", "b", "c"])], ["n", "s"])
    assert read(from_arrow(array[1:])) == {"n": ("int64", [3, 4]), "s": ("string", ["b", "c"])}
    missing = pa.array([{"n": 1}, None])
    with pytest.raises(ValueError, match="missing as a whole"):
        from_arrow(missing)


@pytest.mark.parametrize("name", VIEWED)
def test_one_chunk_is_viewed(name):
    table = from_arrow(ALL.select([name]).slice(1))
    _, kind, values, _ = table.column(0)
    values = values[0] if kind == "string" else values
    buffer = ALL.column(name).chunk(0).buffers()[1]
    at = np.asarray(values).__array_interface__["data"][0]
    assert buffer.address <= at < buffer.address + buffer.size


def test_no_memory_is_used_for_a_view(peak_memory):
    n = 1 << 21
    table = pa.table({"a": np.ones(n), "b": np.ones(n, "f4"), "s": pa.array(np.arange(n)).cast(pa.string())})
    with peak_memory() as peak:
        view = from_arrow(table)
    assert view.rows == n and peak.bytes < 4 << 20
    chunked = pa.concat_tables([table, table])
    with peak_memory() as peak:
        from_arrow(chunked)
    assert peak.bytes > 32 << 20, "a copy that is not seen: the test above shows nothing"


def test_memory_lives_and_dies_with_the_table():
    pool = pa.default_memory_pool()
    gc.collect()
    before = pool.bytes_allocated()
    source = pa.table({"a": pa.array(range(100000))})
    table = from_arrow(source)
    del source
    gc.collect()
    assert pool.bytes_allocated() > before
    assert np.asarray(table.column(0)[2]).sum() == sum(range(100000))
    del table
    gc.collect()
    assert pool.bytes_allocated() == before


class Once:
    """Gives the same capsules again and again, as a broken producer would."""

    def __init__(self, stream=None, array=None):
        if stream is not None:
            capsule = stream.__arrow_c_stream__()
            self.__arrow_c_stream__ = lambda requested_schema=None: capsule
        if array is not None:
            pair = array.__arrow_c_array__()
            self.__arrow_c_array__ = lambda requested_schema=None: pair


@pytest.mark.parametrize("once", [Once(stream=ALL), Once(array=ALL.to_batches()[0])])
def test_released_capsules(once):
    assert from_arrow(once).rows == 4
    with pytest.raises(ValueError, match="released"):
        from_arrow(once)


def test_wrong_capsules():
    class Wrong:
        def __arrow_c_stream__(self):
            return ALL.to_batches()[0].__arrow_c_array__()[0]

    with pytest.raises(ValueError):
        from_arrow(Wrong())

    class NoPair:
        def __arrow_c_array__(self):
            return None

    with pytest.raises(TypeError, match="pair"):
        from_arrow(NoPair())
    with pytest.raises(TypeError, match="neither"):
        from_arrow([1, 2])


def test_a_stream_that_fails():
    def batches():
        yield ALL.to_batches()[0]
        raise RuntimeError("half way")

    with pytest.raises((OSError, RuntimeError), match="half way"):
        from_arrow(pa.RecordBatchReader.from_batches(ALL.schema, batches()))


@pytest.mark.parametrize("array, word", [
    (pa.array([1, 2], pa.decimal128(5)), "decimal"), (pa.array([b"a"]), "binary"), (pa.array([[1]]), "nested"),
    (pa.array([T], pa.timestamp("us", "Europe/Paris")), "zone"), (pa.array([5], pa.duration("s")), "duration"),
    (pa.array([5], pa.time64("us")), "time of day")])
def test_types_that_are_refused(array, word):
    with pytest.raises(UnsupportedError, match=f'column "c".*{word}'):
        from_arrow(pa.table({"c": array}))


def test_times_that_do_not_fit():
    with pytest.raises(ValueError, match="nanoseconds"):
        from_arrow(pa.table({"t": pa.array([1], pa.timestamp("ns"))}))
    with pytest.raises(ValueError, match="out of range"):
        from_arrow(pa.table({"t": pa.array([2 ** 60], pa.timestamp("s"))}))


def test_dictionary_indices_out_of_range():
    bad = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array(["x"]), safe=False)
    with pytest.raises(ValueError, match="out of the dictionary"):
        from_arrow(pa.table({"d": bad}))


def test_names():
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ValueError, match='"a"'):
        from_arrow(table)
    assert list(read(from_arrow(table, ["a", "b"]))) == ["a", "b"]
    with pytest.raises(ValueError, match="names"):
        from_arrow(table, ["a"])


def test_polars():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"n": [1, None, 3], "s": ["a", LONG, None],
                          "c": pl.Series(["u", "v", "u"], dtype=pl.Categorical)})
    want = {"n": ("int64", [1, None, 3]), "s": ("string", ["a", LONG, None]), "c": ("string", ["u", "v", "u"])}
    assert read(from_arrow(frame)) == want
    both = pl.concat([frame, frame.head(1)], rechunk=False)
    assert read(from_arrow(both)) == {k: (t, v + v[:1]) for k, (t, v) in want.items()}


def test_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"n": [1.0, np.nan], "s": ["a", None], "t": pd.to_datetime(["2020-05-17", None])})
    got = read(from_arrow(frame))
    assert got["s"] == ("string", ["a", None]) and got["t"] == ("datetime", [us(2020, 5, 17), None])
    assert got["n"][0] == "float64"


def test_a_pipeline_of_mixed_columns(ctx, pipeline):
    table = from_arrow(pa.table({"s": ["x", "y", "x", None]}))
    model = pipeline({"SimpleImputer": {"strategy": "most_frequent"}}, "OrdinalEncoder").fit(ctx, table)
    assert np.asarray(model.transform(ctx, table)).ravel().tolist() == [0, 1, 0, 0]
