# SPDX-License-Identifier: Apache-2.0
"""Arrays on devices as input, where there is no CUDA: clear refusals, and Arrow's protocol for devices with
arrays that are the host's. With CUDA: on_cuda.py, here on the stand-in driver of the build tree."""
import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import quern
from quern import UnsupportedError, _core, impute, preprocessing

from test_core_arrow import ALL, expect, read

pa = pytest.importorskip("pyarrow")
Table = _core.Table
SPEC = {"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}
PROGRAM = os.environ.get("QUERN_PROGRAM")  # the build tree's; the package may be an installed one
BUILD = Path(PROGRAM).resolve().parents[1] if PROGRAM else Path(_core.__file__).resolve().parents[2]
STANDIN = BUILD / "standin"
HERE = Path(__file__).parent
CLASSES = ["SimpleImputer", *sorted(name for name in preprocessing.__all__ if name[0].isupper())]


class Cuda:
    """An array that says it is in CUDA memory."""

    __cuda_array_interface__ = {"shape": (2, 2), "typestr": "<f8", "data": (1 << 40, False), "version": 3}


class CudaTensor:
    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, **_):
        raise AssertionError("nobody who cannot read it may ask for it")


class OfDevices:
    """pyarrow's columns by the protocol for devices alone. again: the same capsules each time, as a broken
    producer would."""

    def __init__(self, batch, device=None, event=None, again=False):
        self.batch, self.device, self.event, self.pair = batch, device, event, None
        self.again = again

    def __arrow_c_device_array__(self, requested_schema=None, **kwargs):
        if self.pair is not None and self.again:
            return self.pair
        self.pair = schema, array = self.batch.__arrow_c_device_array__()
        at = capsule_pointer(array, b"arrow_device_array")
        if self.device is not None:
            ctypes.c_int32.from_address(at + 88).value = self.device
        if self.event is not None:
            ctypes.c_void_p.from_address(at + 96).value = self.event
        return schema, array


def capsule_pointer(capsule, name):
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return get(capsule, name)


# ---- refusals ----


def without_cuda():
    return not any(d["present"] for d in quern.devices() if d["kind"] == "cuda")


@pytest.mark.skipif(not without_cuda(), reason="there is a CUDA device")
@pytest.mark.parametrize("given, protocol", [
    (Cuda(), "__cuda_array_interface__"), (CudaTensor(), "__dlpack__"),
    (OfDevices(ALL.select(["double"]).to_batches()[0], device=2), "__arrow_c_device_array__")])
@pytest.mark.parametrize("call", [lambda x: quern.fit(SPEC, x), lambda x: quern.run(SPEC, x)])
def test_cuda_memory_on_a_machine_without_cuda(given, protocol, call):
    reason = next(d["reason"] for d in quern.devices() if d["kind"] == "cuda")
    with quern.device("cpu"), pytest.raises(quern.DeviceError) as error:
        call(given)
    assert protocol in str(error.value) and reason in str(error.value)
    assert "work runs on cpu (asked for)" in str(error.value)


NEEDED = {"Bucketizer": {"edges": [0, 2]}}


@pytest.mark.parametrize("given, protocol", [(Cuda(), "__cuda_array_interface__"),
                                             (CudaTensor(), "__dlpack__")])
@pytest.mark.parametrize("name", [c for c in CLASSES if c != "FunctionTransformer"])  # it takes anything
def test_estimators_name_the_protocol(given, protocol, name):
    estimator = getattr(impute if name == "SimpleImputer" else preprocessing, name)(**NEEDED.get(name, {}))
    calls = [estimator.fit, estimator.fit_transform, clone(estimator).fit(np.ones((3, 3))).transform]
    if hasattr(estimator, "partial_fit"):
        calls.append(estimator.partial_fit)
    for call in calls:
        with pytest.raises(TypeError, match=f"CUDA memory .{protocol}.: copy it to the host") as error:
            call(given)
        assert error.value.__cause__ is not None


def test_other_errors_of_validation_are_scikit_learns():
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        preprocessing.StandardScaler().fit(np.ones(3))
    with pytest.raises(ValueError, match="could not convert string"):
        preprocessing.StandardScaler().fit([["a"]])


def test_the_layer_underneath_names_the_protocol(ctx):
    with pytest.raises(UnsupportedError, match="__cuda_array_interface__.*copy the array to the host"):
        Table.from_matrix(Cuda())
    with pytest.raises(UnsupportedError, match="cpu, which cannot read"):
        Table.from_device(ctx, Cuda())
    with pytest.raises(BufferError, match="DLPack's type 2"):
        Table.from_matrix(CudaTensor())
    with pytest.raises(BufferError, match="DLPack's type 1"):
        Table.from_device(ctx, type("Host", (), {"__dlpack_device__": lambda self: (1, 0),
                                                 "__dlpack__": lambda self, **_: None})())
    with pytest.raises(TypeError, match="Context"):
        Table.from_device("cuda:0", Cuda())


@pytest.mark.parametrize("given", [np.ones((2, 2)), [[1.0]], None])
def test_what_is_on_no_device(ctx, given):
    with pytest.raises((TypeError, BufferError)):
        Table.from_device(ctx, given)


def test_a_producers_own_error_comes_through(ctx):
    class Broken:
        @property
        def __cuda_array_interface__(self):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Table.from_device(ctx, Broken())

    class NoDict:
        __cuda_array_interface__ = 3

    with pytest.raises(TypeError, match="no dict"):
        Table.from_device(ctx, NoDict())


# ---- Arrow's protocol for devices, of arrays in host memory ----


@pytest.mark.parametrize("device", [None, 1, 3])
def test_the_hosts_arrays_are_read(device):
    batch = ALL.to_batches()[0]
    assert read(Table.from_arrow(OfDevices(batch, device))) == expect(range(4))
    assert read(Table.from_arrow(OfDevices(batch.slice(1, 2), device))) == expect([1, 2])


def test_they_are_viewed(peak_memory):
    n = 1 << 21
    batch = pa.record_batch({"a": pa.array(np.arange(n, dtype=float)), "b": pa.array(np.arange(n))})
    with peak_memory() as peak:
        table = Table.from_arrow(OfDevices(batch))
    assert peak.bytes < 4 << 20
    for i in range(2):
        at = np.asarray(table.column(i)[2]).__array_interface__["data"][0]
        assert at == batch.column(i).buffers()[1].address


def test_they_live_as_long_as_the_table():
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    table = Table.from_arrow(OfDevices(pa.record_batch({"a": pa.array(range(100000))})))
    assert pool.bytes_allocated() > before
    assert np.asarray(table.column(0)[2]).sum() == sum(range(100000))
    del table
    assert pool.bytes_allocated() == before


def test_the_functions_take_them():
    batch = pa.record_batch({"x": pa.array([1.0, 2.0, 4.0])})
    out, _ = quern.run(SPEC, OfDevices(batch))
    np.testing.assert_array_equal(out, quern.run(SPEC, batch)[0])


def test_released_capsules():
    once = OfDevices(ALL.to_batches()[0], again=True)
    assert Table.from_arrow(once).rows == 4
    with pytest.raises(ValueError, match="released"):
        Table.from_arrow(once)


@pytest.mark.parametrize("device", [2, 4, 10, 13])
def test_other_devices(device, ctx):
    with pytest.raises(UnsupportedError, match=f"device of type {device}"):
        Table.from_arrow(OfDevices(ALL.to_batches()[0], device))
    if device in (4, 10):
        with pytest.raises(UnsupportedError, match=f"device of type {device}.*CUDA"):
            Table.from_device(ctx, OfDevices(ALL.to_batches()[0], device))


def test_pinned_memory_that_waits_for_an_event_is_not_read():
    event = ctypes.c_void_p(1)
    with pytest.raises(UnsupportedError, match="type 3"):
        Table.from_arrow(OfDevices(ALL.to_batches()[0], 3, ctypes.addressof(event)))


def test_wrong_pairs():
    class NoPair:
        def __arrow_c_device_array__(self):
            return None

    class Wrong:
        def __arrow_c_device_array__(self):
            return ALL.to_batches()[0].__arrow_c_array__()

    with pytest.raises(TypeError, match="pair"):
        Table.from_arrow(NoPair())
    with pytest.raises(ValueError, match="incorrect name|invalid"):
        Table.from_arrow(Wrong())


# a stream of devices, made by hand: pyarrow hands out none

class Stream(ctypes.Structure):
    pass


GET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.c_void_p)
LAST = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(Stream))
RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(Stream))
Stream._fields_ = [("device_type", ctypes.c_int32), ("get_schema", GET), ("get_next", GET),
                   ("get_last_error", LAST), ("release", RELEASE), ("private", ctypes.c_void_p)]


class DeviceStream:
    """Batches as __arrow_c_device_stream__ gives them; fails: with an error after the first."""

    def __init__(self, batches, device=1, fails=0):
        self.batches, self.fails, self.released = list(batches), fails, 0
        self.schema, self.text = batches[0].schema, ctypes.create_string_buffer(b"half way")
        self.stream = Stream(device, GET(self.get_schema), GET(self.get_next),
                             LAST(lambda _: ctypes.addressof(self.text)), RELEASE(self.release), None)

    def get_schema(self, _, out):
        self.schema._export_to_c(out)
        return 0

    def get_next(self, _, out):
        if self.fails and len(self.batches) == 1:
            return self.fails
        ctypes.memset(out, 0, 128)
        if self.batches:
            self.batches.pop(0)._export_to_c_device(out)
            ctypes.c_int32.from_address(out + 88).value = self.stream.device_type
        return 0

    def release(self, stream):
        self.released += 1
        stream.contents.release = RELEASE()

    def __arrow_c_device_stream__(self, requested_schema=None, **kwargs):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.stream), b"arrow_device_array_stream", None)


def test_a_stream_of_devices():
    batch = ALL.to_batches()[0]
    stream = DeviceStream([batch, batch.slice(1, 2)])
    assert read(Table.from_arrow(stream)) == expect([0, 1, 2, 3, 1, 2])
    assert stream.released == 1
    with pytest.raises(ValueError, match="released"):
        Table.from_arrow(stream)


def test_a_stream_of_devices_that_fails():
    batch = ALL.to_batches()[0]
    stream = DeviceStream([batch, batch], fails=5)
    with pytest.raises(OSError, match="half way"):
        Table.from_arrow(stream)
    assert stream.released == 1
    with pytest.raises(MemoryError):
        Table.from_arrow(DeviceStream([batch, batch], fails=12))


def test_a_stream_of_another_device():
    with pytest.raises(UnsupportedError, match="type 2"):
        Table.from_arrow(DeviceStream([ALL.to_batches()[0]], device=2))


# ---- on CUDA ----


@pytest.mark.skipif(not (STANDIN / "libcuda.so.1").exists(), reason="no stand-in driver in this build tree")
def test_on_cuda():
    """on_cuda.py in a process whose CUDA driver is the stand-in."""
    paths = [str(STANDIN), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(paths)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "on_cuda.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout and "failed" not in done.stdout
