# SPDX-License-Identifier: Apache-2.0
"""__array_interface__, DLPack in both forms and directions, and CUDA's interface, which is refused."""
import ctypes
import gc
import sys

import numpy as np
import pytest

from quern import UnsupportedError, _core

from tensors import Exporter

Table = _core.Table


class Interface:
    """An object that has an array interface and no buffer."""

    def __init__(self, array, **changes):
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, **changes}


class Dlpack:
    """An object that speaks DLPack alone; legacy: as before version 1."""

    def __init__(self, array, legacy=False, device=(1, 0)):
        self.array, self.legacy, self.device = array, legacy, device

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **wishes):
        if self.legacy and wishes:
            raise TypeError("__dlpack__() takes no keyword arguments")
        return self.array.__dlpack__(**wishes)


def values_of(table, i=0):
    return np.asarray(table.column(i)[2])


@pytest.mark.parametrize("wrap", [Interface, Dlpack, lambda x: Dlpack(x, legacy=True)])
@pytest.mark.parametrize("view", [np.s_[:], np.s_[::2], np.s_[:, 1:3], np.s_[:, 0]])
def test_in_without_a_copy(wrap, view, numbers):
    x = numbers[view]
    table = Table.from_matrix(wrap(x))
    assert np.shares_memory(values_of(table), x)
    np.testing.assert_array_equal(values_of(table), x if x.ndim == 1 else x[:, 0])


@pytest.mark.parametrize("wrap", [Interface, Dlpack, lambda x: Dlpack(x, legacy=True)])
def test_in_without_memory(wrap, peak_memory):
    x = np.ones((1 << 20, 8))
    with peak_memory() as peak:
        table = Table.from_matrix(wrap(x))
    assert table.rows == 1 << 20 and peak.bytes < 4 << 20


@pytest.mark.parametrize("wrap", [Interface, Dlpack, lambda x: Dlpack(x, legacy=True)])
def test_the_exporter_lives_as_long_as_the_table(wrap):
    x = np.arange(6.0).reshape(3, 2)
    count = sys.getrefcount(x)
    table = Table.from_matrix(wrap(x))
    gc.collect()
    assert sys.getrefcount(x) > count
    del table
    gc.collect()
    assert sys.getrefcount(x) == count


def test_a_read_only_tensor_is_read():
    x = np.ones((2, 2))
    x.flags.writeable = False
    assert Table.from_matrix(Dlpack(x)).rows == 2


@pytest.mark.parametrize("device", [(2, 0), (4, 1), (13, 0)])
def test_another_device_is_a_buffer_error(device):
    with pytest.raises(BufferError, match="device"):
        Table.from_matrix(Dlpack(np.ones((2, 2)), device=device))


@pytest.mark.parametrize("dtype", ["float16", "complex64", "complex128"])
def test_types_of_tensors(dtype):
    with pytest.raises(BufferError, match="type"):
        Table.from_matrix(Dlpack(np.ones((2, 2), dtype)))


def test_a_capsule_is_taken_once():
    x = np.ones((2, 2))
    capsule = x.__dlpack__()

    class Again:
        def __dlpack_device__(self):
            return (1, 0)

        def __dlpack__(self, **_):
            return capsule

    assert Table.from_matrix(Again()).rows == 2
    with pytest.raises(ValueError, match="used before"):
        Table.from_matrix(Again())


@pytest.mark.parametrize("version", [None, (1, 0), (1, 3)])
def test_a_tensor_is_deleted_once(version):
    x = np.arange(6.0).reshape(3, 2)
    exporter = Exporter(x, version=version)
    table = Table.from_matrix(exporter)
    assert np.shares_memory(values_of(table), x) and exporter.deleted == 0
    del table
    gc.collect()
    assert exporter.deleted == 1
    for refused in (Exporter(x, version=version, lanes=2), Exporter(x, version=version, within=(2, 0)),
                    Exporter(x, version=version, code=3), Exporter(x, version=version, bits=4)):
        with pytest.raises(BufferError):
            Table.from_matrix(refused)
        gc.collect()
        assert refused.deleted == 1


def test_a_tensor_of_another_major_version_is_only_deleted():
    exporter = Exporter(np.ones((2, 2)), version=(2, 0), data=0, shape=0)
    with pytest.raises(BufferError, match="major version"):
        Table.from_matrix(exporter)
    gc.collect()
    assert exporter.deleted == 1


def test_a_tensor_without_strides_is_in_c_order():
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(values_of(Table.from_matrix(Exporter(x, strides=False)), 1), x[:, 1])


def test_a_tensor_begins_at_its_offset():
    x = np.arange(8.0).reshape(4, 2)
    exporter = Exporter(x[:3], offset=16)
    np.testing.assert_array_equal(values_of(Table.from_matrix(exporter)), x[1:, 0])


@pytest.mark.parametrize("ndim", [0, 3])
def test_dimensions_of_tensors(ndim):
    with pytest.raises(ValueError, match="dimensions"):
        Table.from_matrix(Exporter(np.ones((2,) * ndim)))


@pytest.mark.parametrize("shape", [(-1, 2), (2, -1), (2 ** 62, 4)])
def test_shapes_that_cannot_be(shape):
    exporter = Exporter(np.ones((2, 2)))
    exporter.shape[:] = shape
    with pytest.raises((BufferError, ValueError), match="shape|negative|columns"):
        Table.from_matrix(exporter)


def test_what_the_exporter_cannot_express_is_its_own_error():
    """Nulls in Arrow, the byte order of other machines in NumPy: nobody hands over a tensor."""
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(Exception, match="null"):
        Table.from_matrix(Dlpack(pa.array([1.0, None])))
    with pytest.raises(BufferError):
        Table.from_matrix(Dlpack(np.ones((2, 2), ">f8")))


def test_errors_of_an_exporter_come_through():
    class Broken:
        def __dlpack_device__(self):
            return (1, 0)

        def __dlpack__(self, **_):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Table.from_matrix(Broken())


@pytest.mark.parametrize("changes, error", [
    ({"typestr": ">f8"}, ValueError), ({"typestr": "<c16"}, TypeError), ({"typestr": "|O8"}, TypeError),
    ({"typestr": None}, TypeError), ({"shape": (2, -1)}, ValueError), ({"shape": None}, ValueError),
    ({"shape": (1, 2, 3)}, ValueError), ({"strides": (8,)}, ValueError), ({"data": None}, ValueError),
    ({"data": (0, False)}, ValueError), ({"mask": np.zeros((2, 2), bool)}, ValueError)])
def test_wrong_interfaces(changes, error):
    with pytest.raises(error, match="^x: |typestr"):
        Table.from_matrix(Interface(np.ones((2, 2)), **changes))


def test_cuda_arrays_are_refused():
    class Cuda:
        __cuda_array_interface__ = {"shape": (2, 2), "typestr": "<f8", "data": (1 << 40, False), "version": 3}

    with pytest.raises(UnsupportedError, match="CUDA memory.*copy the array to the host"):
        Table.from_matrix(Cuda())


# ---- out ----


@pytest.fixture
def matrix(ctx, pipeline, numbers):
    table = Table.from_matrix(numbers)
    return pipeline("StandardScaler").fit(ctx, table).transform(ctx, table)


def test_out_without_a_copy(matrix):
    a, b, c = np.asarray(matrix), np.from_dlpack(matrix), np.array(Interface(a := np.asarray(matrix)), copy=False)
    assert a.shape == (400, 6) and a.dtype == np.float64 and a.flags.writeable
    assert np.shares_memory(a, b) and np.shares_memory(a, c)
    assert matrix.__array_interface__["data"][0] == a.__array_interface__["data"][0]
    assert matrix.shape == (400, 6) and len(matrix) == 400 and matrix.dtype == "float64"
    assert matrix.__dlpack_device__() == (1, 0)


def test_memory_lives_as_long_as_a_view(ctx, pipeline, numbers):
    table = Table.from_matrix(numbers)
    model = pipeline("MaxAbsScaler").fit(ctx, table)
    views = [np.asarray(model.transform(ctx, table)), np.from_dlpack(model.transform(ctx, table))]
    gc.collect()
    for view in views:
        np.testing.assert_array_equal(view, numbers / np.abs(numbers).max(0))


def test_memory_is_given_back(ctx, pipeline, peak_memory):
    x = np.ones((1 << 19, 8))
    table = Table.from_matrix(x)
    model = pipeline("MaxAbsScaler").fit(ctx, table)
    with peak_memory() as peak:
        for _ in range(6):
            np.from_dlpack(model.transform(ctx, table)).sum()
            np.asarray(model.transform(ctx, table)).sum()
            model.transform(ctx, table).__dlpack__(max_version=(1, 1))
            model.transform(ctx, table).__dlpack__()
    assert peak.bytes < 3 * x.nbytes


def name_of(capsule):
    get = ctypes.pythonapi.PyCapsule_GetName
    get.restype, get.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return get(capsule).decode()


def test_forms(matrix):
    assert name_of(matrix.__dlpack__()) == "dltensor"
    assert name_of(matrix.__dlpack__(max_version=(0, 8))) == "dltensor"
    assert name_of(matrix.__dlpack__(max_version=(1, 0))) == "dltensor_versioned"
    assert name_of(matrix.__dlpack__(max_version=(2, 0), dl_device=(1, 0))) == "dltensor_versioned"


def test_wishes(matrix):
    with pytest.raises(BufferError):
        matrix.__dlpack__(dl_device=(2, 0))
    with pytest.raises(ValueError, match="stream"):
        matrix.__dlpack__(stream=1)
    with pytest.raises(TypeError):
        matrix.__dlpack__(max_version=1)
    copy = np.from_dlpack(matrix, copy=True)
    assert not np.shares_memory(copy, np.asarray(matrix))
    np.testing.assert_array_equal(copy, np.asarray(matrix))


def test_a_tensor_freed_on_another_thread(matrix):
    import threading
    box = [np.from_dlpack(matrix)]
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    assert np.asarray(matrix).shape == (400, 6)


def test_back_in(ctx, pipeline, matrix):
    assert np.shares_memory(values_of(Table.from_matrix(matrix)), np.asarray(matrix))


def test_memoryview(matrix):
    view = memoryview(matrix)
    assert (view.format, view.ndim, view.c_contiguous, view.readonly) == ("d", 2, True, False)
    assert view.tolist() == np.asarray(matrix).tolist()
