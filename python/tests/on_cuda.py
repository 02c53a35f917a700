# SPDX-License-Identifier: Apache-2.0
"""Arrays in CUDA memory as input. For a machine with a GPU, or the stand-in driver ahead in the loader's
path, as test_device_arrays.py runs it; memory and streams are made by the driver API, without a library."""
import ctypes
import gc
import json
import sys

import numpy as np
import pytest

import quern
from quern import UnsupportedError, _core

from tensors import Exporter

Table = _core.Table
ALL = {"quern": 1, "steps": [{"columns": "*", "apply": ["SimpleImputer", "StandardScaler"]}]}


class Driver:
    """The calls of libcuda.so.1 that tests need."""

    def __init__(self):
        self.cu = ctypes.CDLL("libcuda.so.1")
        context = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.call("cuCtxPushCurrent_v2", context)
        self.stream = self.new_stream()
        self.sources = []  # of copies that may be under way

    def call(self, name, *args):
        code = getattr(self.cu, name)(*args)
        assert code == 0, f"{name}: {code}"

    def new_stream(self):
        stream = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(stream), 1)
        return stream

    def upload(self, data, stream=None):
        """The address of a copy of the bytes; ordered on `stream`, else complete."""
        data = bytes(data)
        self.sources = [*self.sources[-8:], data]
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(len(data), 1)))
        if data:
            self.call("cuMemcpyHtoDAsync_v2", address, data, ctypes.c_size_t(len(data)),
                      stream or self.stream)
        if stream is None:
            self.call("cuStreamSynchronize", self.stream)
        return address.value

    def free(self, address):
        self.call("cuMemFree_v2", ctypes.c_uint64(address))

    def calls(self, symbol):
        """How often the process called a symbol; the stand-in counts."""
        count = getattr(self.cu, "standin_calls", None)
        if count is None:
            pytest.skip("a real driver counts no calls")
        return count(symbol.encode())


@pytest.fixture(scope="session")
def driver():
    return Driver()


@pytest.fixture(scope="session")
def cuda():
    return _core.Context(device="cuda:0", fallback="never", cache_dir="off")


class Array:
    """An array in device memory that speaks __cuda_array_interface__ alone."""

    def __init__(self, driver, host, order="C", **changes):
        self.driver, self.host = driver, host
        self.address = driver.upload(host.tobytes(order))
        strides = np.empty(host.shape, host.dtype, order=order).strides
        self.__cuda_array_interface__ = {
            "shape": host.shape, "typestr": host.dtype.str, "data": (self.address, False), "version": 3,
            "strides": None if order == "C" else strides, **changes}

    def __del__(self):
        self.driver.free(self.address)


class View:
    """A part of an Array, as slicing gives it."""

    def __init__(self, array, part):
        old = array.__cuda_array_interface__
        order = "C" if old["strides"] is None else "F"
        view = np.empty(array.host.shape, array.host.dtype, order=order)[part]
        whole = view.base if view.base is not None else view
        offset = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        self.array, self.host = array, array.host[part]
        self.__cuda_array_interface__ = {**old, "shape": view.shape, "strides": view.strides,
                                         "data": (array.address + offset, False)}


def scaled(context, table):
    pipeline = _core.Pipeline(json.dumps(ALL))
    model = pipeline.fit(context, table)
    return model.to_bytes(), np.asarray(model.transform(context, table))


def check(cuda, given, host):
    """Fits and transforms where it lies: the CPU's bits, and no byte of it crosses to the device."""
    cpu = _core.Context(device="cpu")
    want = scaled(cpu, Table.from_matrix(np.ascontiguousarray(host)))
    table = Table.from_device(cuda, given)
    before = cuda.ledger()
    model, out = scaled(cuda, table)
    after = cuda.ledger()
    np.testing.assert_array_equal(out, want[1])
    assert after["input_to_device"] == before["input_to_device"]
    assert after["output_from_device"] > before["output_from_device"]


@pytest.fixture
def numbers():
    x = np.random.default_rng(3).normal(5, 2, (5000, 6))
    x[::7, 2] = np.nan
    return x


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "int8", "uint64", "bool"])
def test_arrays_are_used_where_they_lie(driver, cuda, numbers, order, dtype):
    host = numbers.astype(dtype) if dtype.startswith("f") else np.nan_to_num(np.abs(numbers)).astype(dtype)
    before = cuda.ledger()["on_device"]
    check(cuda, Array(driver, host, order), host)
    assert cuda.ledger()["on_device"] == before, "a copy inside the device"


@pytest.mark.parametrize("part", [np.s_[1:], np.s_[::3], np.s_[:, 1:4], np.s_[5:100:2, ::2], np.s_[:, 3]])
def test_slices(driver, cuda, numbers, part):
    view = View(Array(driver, numbers), part)
    check(cuda, view, view.host if view.host.ndim == 2 else view.host[:, None])


def test_rows_of_a_fortran_array_are_gathered(driver, cuda, numbers):
    """Columns with gaps between them could be several arrays: they are copied inside the device."""
    view = View(Array(driver, numbers, "F"), np.s_[100:4000])
    before = cuda.ledger()["on_device"]
    check(cuda, view, view.host)
    assert cuda.ledger()["on_device"] == before + view.host.nbytes
    with pytest.raises(UnsupportedError, match="packed"):
        Table.from_device(cuda, View(Array(driver, numbers, "F"), np.s_[:99:2]))


def test_version_2_has_no_stream(driver, cuda, numbers):
    check(cuda, Array(driver, numbers, version=2), numbers)


def test_the_owner_lives_as_long_as_the_table(driver, cuda, numbers):
    array = Array(driver, numbers)
    count = sys.getrefcount(array)
    table = Table.from_device(cuda, array)
    gc.collect()
    assert sys.getrefcount(array) > count
    del table
    gc.collect()
    assert sys.getrefcount(array) == count


def test_an_array_without_rows(driver, cuda):
    empty = Array(driver, np.empty((0, 3)), data=(0, False))
    assert Table.from_device(cuda, empty).rows == 0


@pytest.mark.parametrize("stream", [1, 2])
def test_default_streams_are_waited_for(driver, cuda, numbers, stream):
    array = Array(driver, numbers, stream=stream)
    before = driver.calls("cuStreamSynchronize")
    table = Table.from_device(cuda, array)
    with_stream = driver.calls("cuStreamSynchronize") - before
    del table, array.__cuda_array_interface__["stream"]
    before = driver.calls("cuStreamSynchronize")
    Table.from_device(cuda, array)
    assert with_stream == driver.calls("cuStreamSynchronize") - before + 1


def test_work_of_a_stream_is_waited_for(driver, cuda):
    host = np.random.default_rng(0).normal(size=(200000, 8))
    for _ in range(5):
        stream = driver.new_stream()
        array = Array(driver, np.zeros((1, 1)))
        address = driver.upload(host.tobytes(), stream)
        array.__cuda_array_interface__ = {"shape": host.shape, "typestr": "<f8", "data": (address, True),
                                          "version": 3, "stream": stream.value}
        check(cuda, array, host)
        driver.free(address)


def test_a_stream_that_is_none(driver, cuda, numbers):
    with pytest.raises(ValueError, match="stream 0"):
        Table.from_device(cuda, Array(driver, numbers, stream=0))
    check(cuda, Array(driver, numbers, stream=None), numbers)


@pytest.mark.parametrize("changes, error, words", [
    ({"version": 1}, ValueError, "version"), ({"version": None}, TypeError, "integer"),
    ({"mask": object()}, UnsupportedError, "mask"), ({"typestr": ">f8"}, ValueError, "byte order"),
    ({"typestr": "<c16"}, TypeError, "values of type"), ({"typestr": "<f2"}, TypeError, "values of type"),
    ({"shape": (1, 2, 3)}, ValueError, "dimensions"), ({"shape": (5, -1)}, ValueError, "negative"),
    ({"strides": (0, 8)}, UnsupportedError, "stride of 0"),
    ({"strides": (-48, 8)}, UnsupportedError, "multiples"),
    ({"strides": (48,)}, ValueError, "dimensions"), ({"data": None}, ValueError, "address"),
    ({"data": (0, False)}, ValueError, "no memory")])
def test_wrong_interfaces(driver, cuda, numbers, changes, error, words):
    with pytest.raises(error, match=words):
        Table.from_device(cuda, Array(driver, numbers, **changes))


def test_memory_that_is_not_the_devices(driver, cuda, numbers):
    array = Array(driver, numbers)
    array.__cuda_array_interface__["data"] = (numbers.ctypes.data // 8 * 8, False)
    with pytest.raises(ValueError, match="no address that CUDA knows|memory is that of"):
        Table.from_device(cuda, array)


def test_another_context_refuses_the_table(driver, cuda, numbers):
    table = Table.from_device(cuda, Array(driver, numbers))
    cpu = _core.Context(device="cpu")
    with pytest.raises(UnsupportedError, match="lies on cuda:0"):
        scaled(cpu, table)
    with pytest.raises(UnsupportedError, match="cpu, which cannot read"):
        Table.from_device(cpu, Array(driver, numbers))


def test_work_of_the_host_refuses_the_table(driver, numbers):
    array = Array(driver, np.arange(12, dtype=np.int64).reshape(6, 2))
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": ["OrdinalEncoder"]}]}
    for fallback in ("never", "report"):
        context = _core.Context(device="cuda:0", fallback=fallback, cache_dir="off")
        with pytest.raises(UnsupportedError, match="counted on the host"):
            _core.Pipeline(json.dumps(spec)).fit(context, Table.from_device(context, array))


def test_columns_of_a_table_are_no_arrays(driver, cuda, numbers):
    with pytest.raises(UnsupportedError, match="on a device"):
        Table.from_device(cuda, Array(driver, numbers)).column(0)


# ---- DLPack ----


class Dlpack(Exporter):
    """A tensor in device memory that speaks DLPack alone."""

    def __init__(self, driver, host, device=(2, 0), **changes):
        self.there = Array(driver, host)
        super().__init__(host, self.there.address, device, **changes)


@pytest.mark.parametrize("device", [(2, 0), (13, 0)])
def test_dlpack(driver, cuda, numbers, device):
    for version in (None, (1, 0)):
        tensor = Dlpack(driver, numbers, device, version=version)
        check(cuda, tensor, numbers)
        gc.collect()
        assert tensor.deleted == 1
        assert tensor.streams == [1], "the stream that is waited for"


def test_dlpack_of_the_wrong_kind(driver, cuda, numbers):
    with pytest.raises(BufferError, match="DLPack's type 4"):
        Table.from_device(cuda, Dlpack(driver, numbers, (4, 0)))
    with pytest.raises(BufferError, match="not in a CUDA"):
        Table.from_device(cuda, Dlpack(driver, numbers, (2, 0), within=(1, 0)))
    with pytest.raises(BufferError, match="values of this type"):
        Table.from_device(cuda, Dlpack(driver, numbers, code=5))
    with pytest.raises(BufferError, match="on a device of DLPack's type 2"):
        Table.from_matrix(Dlpack(driver, numbers))


# ---- Arrow ----


pa = pytest.importorskip("pyarrow")


class DeviceArrow:
    """pyarrow's batch with its numbers in device memory; released by pyarrow, whose buffers it borrows."""

    def __init__(self, driver, batch, event=None, device=2):
        self.driver, self.batch, self.device, self.event = driver, batch, device, event
        self.uploaded = []

    def __arrow_c_device_array__(self, requested_schema=None, **_):
        schema, array = self.batch.__arrow_c_device_array__()
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        at = get(array, b"arrow_device_array")
        head = (ctypes.c_int64 * 10).from_address(at)
        children = (ctypes.c_void_p * head[4]).from_address(head[6])
        for i, child in enumerate(children):
            own = self.batch.column(i).buffers()
            buffers = (ctypes.c_void_p * len(own)).from_address((ctypes.c_int64 * 10).from_address(child)[5])
            for k, buffer in enumerate(own):
                if buffer is not None:
                    self.uploaded.append(self.driver.upload(buffer.to_pybytes()))
                    buffers[k] = self.uploaded[-1]
        ctypes.c_int64.from_address(at + 80).value = 0
        ctypes.c_int32.from_address(at + 88).value = self.device
        ctypes.c_void_p.from_address(at + 96).value = self.event
        return schema, array


@pytest.fixture
def batch(numbers):
    n = len(numbers)
    return pa.record_batch({"a": pa.array(numbers[:, 0]), "b": pa.array(np.arange(n, dtype=np.int32)),
                            "c": pa.array(numbers[:, 1].astype("f4"), mask=np.arange(n) % 3 == 0)})


@pytest.mark.parametrize("first, rows", [(0, 5000), (3, 1000), (17, 64)])
def test_arrow(driver, cuda, batch, first, rows):
    part = batch.slice(first, rows)
    want = scaled(_core.Context(device="cpu"), Table.from_arrow(part))
    before = cuda.ledger()
    table = Table.from_device(cuda, DeviceArrow(driver, part))
    model, out = scaled(cuda, table)
    after = cuda.ledger()
    np.testing.assert_array_equal(out, want[1])
    assert model == want[0]
    assert after["input_to_device"] == before["input_to_device"] and after["on_device"] > before["on_device"]


def test_an_event_of_arrow_is_waited_for(driver, cuda, batch):
    event = ctypes.c_void_p()
    driver.call("cuEventCreate", ctypes.byref(event), 0)
    driver.call("cuEventRecord", event, driver.stream)
    before = driver.calls("cuEventSynchronize")
    Table.from_device(cuda, DeviceArrow(driver, batch, ctypes.addressof(event)))
    assert driver.calls("cuEventSynchronize") == before + 1


def test_arrow_of_the_wrong_kind(driver, cuda, batch):
    with pytest.raises(UnsupportedError, match="type 10"):
        Table.from_device(cuda, DeviceArrow(driver, batch, device=10))
    with pytest.raises(UnsupportedError, match="type 2.*from_device"):
        Table.from_arrow(DeviceArrow(driver, batch))
    strings = pa.record_batch({"s": pa.array(["a", "b"])})
    with pytest.raises(UnsupportedError, match='"s"'):
        Table.from_device(cuda, DeviceArrow(driver, strings))
    with pytest.raises(TypeError, match="no __cuda_array_interface__"):
        Table.from_device(cuda, object())


# ---- quern.fit, run, transform ----


def test_the_functions_take_such_arrays(driver, numbers):
    array = Array(driver, numbers)
    with quern.config_context(device="cuda:0", fallback="never"):
        out, model = quern.run(ALL, array)
        again = quern.transform(quern.fit(ALL, array), array)
    with quern.device("cpu"):
        want, _ = quern.run(ALL, numbers)
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(again, want)
    words = r"__cuda_array_interface__.*quern.device\('cuda:0'\)"
    with quern.device("cpu"), pytest.raises(quern.DeviceError, match=words):
        quern.fit(ALL, array)
