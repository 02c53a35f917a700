# SPDX-License-Identifier: Apache-2.0
"""DLPack's structs made by hand, for exporters that do what NumPy's would not."""
import ctypes

new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_uint64), ("device", ctypes.c_int32 * 2), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p), ("offset", ctypes.c_uint64)]


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Tensor)]


class Exporter:
    """A tensor that speaks DLPack alone and counts how often it was deleted.

    address: of the memory, where that is not the array's. version: (major, minor), or None for the legacy
    form, which takes no max_version. changes: to the tensor; device: what the tensor says of itself,
    where that is not what __dlpack_device__ says."""

    def __init__(self, array, address=None, device=(1, 0), version=None, strides=True, within=None, flags=0,
                 **changes):
        self.array, self.device, self.version = array, device, version
        self.deleted, self.streams = 0, []
        self.shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        self.strides = (ctypes.c_int64 * array.ndim)(*[s // array.itemsize for s in array.strides])

        def delete(_):
            self.deleted += 1
        self.deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(delete)
        code = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}[array.dtype.kind]
        tensor = Tensor(array.ctypes.data if address is None else address,
                        (ctypes.c_int32 * 2)(*(within or device)), array.ndim, code,
                        8 * array.itemsize, 1, ctypes.addressof(self.shape),
                        ctypes.addressof(self.strides) if strides else None, 0)
        for name, value in changes.items():
            setattr(tensor, name, value)
        delete = ctypes.cast(self.deleter, ctypes.c_void_p).value
        self.managed = (Managed(tensor, None, delete) if version is None
                        else Versioned(*version, None, delete, flags, tensor))

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, *, stream=None, **wishes):
        if self.version is None and wishes:
            raise TypeError("__dlpack__() got an unexpected keyword argument")
        self.streams.append(stream)
        return new_capsule(ctypes.addressof(self.managed),
                           b"dltensor" if self.version is None else b"dltensor_versioned", None)
