# SPDX-License-Identifier: Apache-2.0
"""Pipelines, models, fits, files: the calls and their errors."""
import json
import pathlib
import pickle

import numpy as np
import pytest

import quern
from quern import DeviceError, UnsupportedError, _core

Table = _core.Table
MIXED = '{"quern": 1, "steps": [{"name": "n", "columns": {"dtype": "number"}, "apply": ["StandardScaler"]}, ' \
        '{"name": "w", "columns": {"dtype": "string"}, "apply": [{"OneHotEncoder": {"sparse_output": true}}]}]}'


@pytest.fixture
def fitted(ctx, pipeline, numbers):
    table = Table.from_matrix(numbers)
    return pipeline("StandardScaler").fit(ctx, table), table


def test_as_scikit_learn(ctx, pipeline, numbers):
    """Close to scikit-learn's, whose sums are less exact; its bits, given the same attributes."""
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler().fit(numbers)
    made, model = pipeline("StandardScaler").fit_transform(ctx, Table.from_matrix(numbers))
    np.testing.assert_allclose(np.asarray(made), scaler.transform(numbers), rtol=1e-11, atol=1e-11)
    learned = json.loads(model.inspect())["steps"][0]["apply"][0]["attributes"]
    scaler.mean_, scaler.scale_ = np.array(learned["mean_"]), np.array(learned["scale_"])
    assert np.array_equal(np.asarray(made), scaler.transform(numbers))


def test_questions(fitted):
    model, _ = fitted
    assert model.input_names == [None] * 6 and model.input_types == ["float64"] * 6
    assert model.output_names == [f"s__x{i}" for i in range(6)]
    assert (model.output_type, model.is_sparse) == ("float64", False)
    assert "StandardScaler" in json.dumps(json.loads(model.inspect())["steps"])


def test_fit_transform_is_fit_and_transform(ctx, pipeline, numbers):
    table = Table.from_matrix(numbers)
    made, model = pipeline("RobustScaler").fit_transform(ctx, table)
    again = pipeline("RobustScaler").fit(ctx, table)
    assert model.to_bytes() == again.to_bytes()
    assert np.array_equal(np.asarray(made), np.asarray(again.transform(ctx, table)))
    out = np.empty_like(numbers)
    nothing, _ = pipeline("RobustScaler").fit_transform(ctx, table, out=out)
    assert nothing is None and np.array_equal(out, np.asarray(made))


def test_out(fitted, ctx, numbers):
    model, table = fitted
    want = np.asarray(model.transform(ctx, table))
    wide = np.full((400, 9), -1.0)
    for out in (np.empty((400, 6)), wide[:, 1:7], np.empty((800, 6))[::2]):
        assert model.transform(ctx, table, out) is None
        assert np.array_equal(out, want)
    assert (wide[:, [0, 7, 8]] == -1).all()


@pytest.mark.parametrize("out, error", [
    (np.empty((400, 5)), ValueError), (np.empty((399, 6)), ValueError), (np.empty((400, 6), "f4"), ValueError),
    (np.empty((6, 400)).T, ValueError), (np.empty((400, 12))[:, ::2], ValueError),
    (np.empty((400, 6))[::-1], ValueError), (np.empty((400, 6), ">f8"), ValueError), ([1.0], TypeError)])
def test_wrong_out(out, error, fitted, ctx):
    model, table = fitted
    with pytest.raises(error):
        model.transform(ctx, table, out=out)


def test_read_only_out(fitted, ctx):
    model, table = fitted
    out = np.zeros((400, 6))
    out.flags.writeable = False
    with pytest.raises((ValueError, BufferError), match="read-only"):
        model.transform(ctx, table, out=out)
    with pytest.raises((ValueError, BufferError), match="read-only"):
        model.apply(out, out)
    assert not out.any()


def test_sparse_output(ctx):
    words = Table.from_columns([np.ones(3), ("string", np.array([0, 1, 2, 3], "i4"), b"aba", None)], ["n", "w"])
    made, model = _core.Pipeline(MIXED).fit_transform(ctx, words, sparse=True)
    sparse = pytest.importorskip("scipy.sparse")
    data, indices, indptr = (np.asarray(part) for part in (made.data, made.indices, made.indptr))
    assert (indptr.dtype, indices.dtype, data.dtype) == (np.int64, np.int32, np.float64)
    csr = sparse.csr_array((data, indices, indptr), made.shape)
    assert csr.toarray().tolist() == np.asarray(model.transform(ctx, words)).tolist()
    assert np.shares_memory(np.asarray(made.data), data)
    with pytest.raises(ValueError, match="sparse"):
        model.transform(ctx, words, out=np.empty((3, 3)), sparse=True)


def test_the_way_back(fitted, ctx, numbers):
    model, table = fitted
    scaled = np.asarray(model.transform(ctx, table))
    back = np.asarray(model.inverse_transform(ctx, Table.from_matrix(scaled)))
    np.testing.assert_allclose(back, numbers, rtol=1e-14)
    assert model.inverse_transform(ctx, Table.from_matrix(scaled), out=scaled) is None
    assert np.array_equal(scaled, back)


# ---- bytes and files ----


def test_bytes_and_files(fitted, tmp_path):
    model, _ = fitted
    data = model.to_bytes()
    for given in (data, bytearray(data), memoryview(data)):
        assert _core.Model.from_bytes(given).to_bytes() == data
    assert pickle.loads(pickle.dumps(model)).to_bytes() == data
    path = tmp_path / "a.model"
    model.save(path)
    assert path.read_bytes() == data
    assert _core.Model.load(str(path)).to_bytes() == data == _core.Model.load(path).to_bytes()


def test_tensors_are_those_of_the_file(fitted):
    model, _ = fitted
    data = model.to_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    del header["__metadata__"]
    tensors = model.tensors()
    assert list(tensors) == list(header)
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        assert tensors[name].format == {"F64": "d", "I64": "q", "U8": "B"}[entry["dtype"]]
        assert bytes(tensors[name]) == data[8 + length + first:8 + length + end]


def test_wrong_bytes_and_files(fitted, tmp_path):
    model, _ = fitted
    data = model.to_bytes()
    for wrong in (b"", data[:-1], b"\xff" * 64):
        with pytest.raises(ValueError):
            _core.Model.from_bytes(wrong)
    with pytest.raises(TypeError):
        _core.Model.from_bytes("text")
    with pytest.raises(OSError, match="nowhere"):
        _core.Model.load(tmp_path / "nowhere.model")
    with pytest.raises(OSError):
        model.save(tmp_path / "no" / "folder")
    with pytest.raises(ValueError):
        _core.Model.load("a\0b")


# ---- chunk by chunk ----


def test_a_fit_by_chunks(ctx, pipeline, numbers):
    whole = pipeline("StandardScaler").fit(ctx, Table.from_matrix(numbers)).to_bytes()
    fit = _core.Fit(ctx, pipeline("StandardScaler"))
    fit.push(Table.from_matrix(numbers[:100]))
    assert fit.snapshot().to_bytes() == pipeline("StandardScaler").fit(
        ctx, Table.from_matrix(numbers[:100])).to_bytes()
    other = _core.Fit.from_bytes(ctx, fit.to_bytes())
    for one in (fit, other):
        one.push(Table.from_matrix(numbers[100:]))
        assert one.finish().to_bytes() == whole
        for call in (one.finish, one.snapshot, one.to_bytes, lambda f=one: f.push(Table.from_matrix(numbers))):
            with pytest.raises(ValueError, match="finished"):
                call()
    with pytest.raises(ValueError):
        _core.Fit.from_bytes(ctx, b"what")
    with pytest.raises(UnsupportedError, match="RobustScaler"):
        fit = _core.Fit(ctx, pipeline("RobustScaler"))
        fit.push(Table.from_matrix(numbers))
        fit.to_bytes()


def test_files(ctx, pipeline, tmp_path, numbers):
    source, target, model_file = (tmp_path / name for name in ("in.csv", "out.npy", "m.model"))
    np.savetxt(source, numbers, delimiter=",", header="a,b,c,d,e,f", comments="")
    table = _core.read_table(ctx, source)
    assert [table.column(i)[0] for i in range(6)] == list("abcdef")
    np.testing.assert_array_equal(np.asarray(table.column(2)[2]), np.loadtxt(source, delimiter=",", skiprows=1)[:, 2])
    info, model = _core.run(ctx, pipeline("StandardScaler"), source, target, model=model_file)
    assert (info["rows"], info["output_columns"], info["output_type"], info["sparse"]) == (400, 6, "float64", False)
    want = np.asarray(model.transform(ctx, table))
    assert np.array_equal(np.load(target), want) and model_file.read_bytes() == model.to_bytes()
    info = _core.apply_file(ctx, model, source, tmp_path / "again.npy")
    assert info["rows"] == 400 and np.array_equal(np.load(tmp_path / "again.npy"), want)
    _core.run(ctx, pipeline("StandardScaler"), source, tmp_path / "none.npy", transform=False)
    assert not (tmp_path / "none.npy").exists()
    with pytest.raises(OSError, match="nowhere"):
        _core.read_table(ctx, tmp_path / "nowhere.csv")


# ---- errors ----


def test_mistakes_in_specs():
    with pytest.raises(ValueError, match='mine.*did you mean "StandardScaler"'):
        _core.Pipeline('{"quern": 1, "steps": [{"name": "a", "columns": "*", "apply": ["StandardScalar"]}]}', "mine")
    with pytest.raises(ValueError):
        _core.Pipeline("{")
    with pytest.raises(TypeError):
        _core.Pipeline(None)


def test_mistakes_in_data(ctx, pipeline, fitted):
    model, table = fitted
    with pytest.raises(ValueError, match="infin"):
        pipeline("StandardScaler").fit(ctx, Table.from_matrix(np.full((3, 1), np.inf)))
    with pytest.raises(ValueError):
        model.transform(ctx, Table.from_matrix(np.ones((2, 5))))
    for call in (lambda: model.transform(table, ctx), lambda: model.transform(ctx, None),
                 lambda: pipeline("StandardScaler").fit(ctx), lambda: _core.Fit(ctx, model)):
        with pytest.raises(TypeError):
            call()


def test_objects_are_made_in_their_places():
    for kind in (_core.Table, _core.Model, _core.Matrix, _core.Csr, _core.Buffer):
        with pytest.raises(TypeError):
            kind()
        with pytest.raises(TypeError):
            type("Mine", (kind,), {})
        with pytest.raises(TypeError):
            kind.mine = 1


def test_exceptions_of_the_package():
    assert issubclass(UnsupportedError, NotImplementedError) and issubclass(DeviceError, RuntimeError)
    assert quern.UnsupportedError.__module__ == "quern"
    error = pickle.loads(pickle.dumps(quern.DeviceError("x")))
    assert type(error) is DeviceError and error.args == ("x",)


def test_contexts():
    with pytest.raises(DeviceError):
        _core.Context(device="opencl:99")
    with pytest.raises(ValueError, match="fallback"):
        _core.Context(fallback="maybe")
    for wrong in ({"threads": -1}, {"threads": 1 << 40}, {"device": 3}, {"log": 1}, {"nothing": 1}):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            _core.Context(**wrong)
    cx = _core.Context(device="cpu", threads=2)
    assert (cx.device, cx.threads) == ("cpu", 2) and cx.reason and "cpu" in repr(cx)


def test_what_happened(pipeline, numbers):
    cx = _core.Context(device="cpu", cache_dir="off")
    assert cx.decisions() == []
    pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))
    decision = cx.decisions()[0]
    assert decision["step"] == "fit" and decision["operation"] == "moments" and decision["device"] == "cpu"
    assert decision["count"] == 1 and cx.ledger()["passes"] == 1
    cx.reset()
    assert cx.decisions() == [] and cx.ledger()["passes"] == 0
    assert cx.pool()["held"] == 0 and cx.trim() == 0
    listed = {device["id"]: device for device in cx.devices()}
    assert listed["cpu"]["present"] is True and listed["cpu"]["float64"] is True
    assert all(device["present"] or device["reason"] for device in listed.values())


def test_the_other_device_has_the_same_bits(ctx, pipeline, numbers):
    try:
        other = _core.Context(device="opencl:0")
    except DeviceError as error:
        pytest.skip(str(error))
    for x in (numbers, numbers.astype("f4"), np.asfortranarray(numbers), numbers[::2]):
        table = Table.from_matrix(x)
        a, b = (pipeline("StandardScaler").fit_transform(cx, table) for cx in (ctx, other))
        assert np.asarray(a[0]).tobytes() == np.asarray(b[0]).tobytes() and a[1].to_bytes() == b[1].to_bytes()
    assert other.ledger()["launches"] > 0


def test_estimators():
    names = {entry["name"] for entry in json.loads(_core.estimators())["estimators"]}
    assert {"StandardScaler", "OneHotEncoder"} <= names


def test_version():
    header = pathlib.Path(__file__).parents[2] / "include" / "quern" / "quern.h"
    assert f'QUERN_VERSION_STRING "{_core.version}"' in header.read_text("utf-8")
    assert quern.__version__ == _core.version


# ---- apply ----


@pytest.mark.parametrize("rows", [0, 1, 2, 32, 33, 400])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "i8", "u1", "u8", "?"])
def test_apply_has_the_bits_of_transform(rows, dtype, ctx, pipeline, numbers):
    x = np.abs(numbers * 10).astype(dtype)
    model = pipeline("StandardScaler").fit(ctx, Table.from_matrix(x))
    want = np.asarray(model.transform(ctx, Table.from_matrix(x)))
    out = np.full((rows, 6), -7, want.dtype)
    assert model.apply(x[:rows], out) is None
    assert out.tobytes() == want[:rows].tobytes()
    if rows == 400:
        out = np.empty((400, 9), want.dtype)
        model.apply(np.repeat(x, 2, axis=0)[::2], out[:, 2:8])
        assert np.array_equal(out[:, 2:8], want)
        row = np.empty(6, want.dtype)
        model.apply(x[3], row)
        assert np.array_equal(row, want[3])


def test_apply_with_many_columns(ctx, pipeline):
    x = np.random.default_rng(0).normal(size=(50, 700))
    model = pipeline("RobustScaler").fit(ctx, Table.from_matrix(x))
    want, out = np.asarray(model.transform(ctx, Table.from_matrix(x))), np.empty((5, 700))
    model.apply(x[:5], out)
    assert np.array_equal(out, want[:5])


def test_apply_with_names(ctx, pipeline, numbers):
    model = pipeline("StandardScaler").fit(ctx, Table.from_matrix(numbers, list("fedcba")))
    want, out = np.asarray(model.transform(ctx, Table.from_matrix(numbers, list("fedcba")))), np.empty((400, 6))
    model.apply(numbers, out)
    assert np.array_equal(out, want)


@pytest.mark.parametrize("x, out", [
    (np.ones((1, 5)), np.ones((1, 6))), (np.ones((1, 6), "f4"), np.ones((1, 6))), (np.ones((1, 6)), np.ones((1, 5))),
    (np.ones((1, 6)), np.ones((1, 6), "f4")), (np.ones((2, 6)), np.ones((1, 6))), (np.ones((1, 6), ">f8"), np.ones((1, 6))),
    (np.ones((2, 12))[:, ::2], np.ones((2, 6))), (np.ones((6, 2)).T, np.ones((2, 6))), (np.ones(()), np.ones((1, 6))),
    (np.ones((2, 6))[::-1], np.ones((2, 6)))])
def test_wrong_applies(x, out, fitted):
    with pytest.raises(ValueError, match="^x|^out"):
        fitted[0].apply(x, out)


def test_apply_refuses(ctx, fitted, pipeline):
    with pytest.raises(ValueError, match="infin"):
        fitted[0].apply(np.full((1, 6), np.inf), np.empty((1, 6)))
    words = Table.from_columns([np.ones(3), ("string", np.array([0, 1, 2, 3], "i4"), b"aba", None)], ["n", "w"])
    with pytest.raises(UnsupportedError, match="transform"):
        _core.Pipeline(MIXED).fit(ctx, words).apply(np.ones((1, 2)), np.ones((1, 3)))
