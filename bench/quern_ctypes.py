# SPDX-License-Identifier: Apache-2.0
"""The part of libquern's C interface that the benchmarks use, through ctypes.

Nothing is copied on the way in: NumPy arrays and Arrow columns are handed over as they lie in memory,
and a Table keeps them alive. Results come back as NumPy arrays over the library's memory, freed with
the array's owner, or are written into an array of the caller's.
"""
import ctypes as C
import json
import os

import numpy as np

TYPES = {"bool": 0, "int8": 1, "int16": 2, "int32": 3, "int64": 4, "uint8": 5, "uint16": 6, "uint32": 7,
         "uint64": 8, "float32": 9, "float64": 10}
STRING = 11
DTYPES = {code: np.dtype(name) for name, code in TYPES.items()}
FALLBACK = {"report": 0, "never": 1, "quiet": 2}


class Column(C.Structure):
    _fields_ = [("name", C.c_char_p), ("type", C.c_int), ("offset_bits", C.c_uint32),
                ("data", C.c_void_p), ("stride", C.c_int64), ("offsets", C.c_void_p),
                ("validity", C.c_void_p), ("validity_offset", C.c_int64)]


class Config(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("threads", C.c_uint32), ("device", C.c_char_p),
                ("fallback", C.c_int), ("no_zero_copy", C.c_int), ("max_memory", C.c_uint64),
                ("device_memory", C.c_uint64), ("cache_dir", C.c_char_p), ("device_times", C.c_int),
                ("log", C.c_void_p), ("progress", C.c_void_p), ("cancel", C.c_void_p),
                ("user", C.c_void_p)]


class MatrixStruct(C.Structure):
    _fields_ = [("data", C.c_void_p), ("type", C.c_int), ("rows", C.c_uint64), ("columns", C.c_uint32),
                ("row_stride", C.c_int64), ("owned", C.c_int)]


class CsrStruct(C.Structure):
    _fields_ = [("rows", C.c_uint64), ("columns", C.c_uint64), ("nnz", C.c_uint64),
                ("indptr", C.c_void_p), ("indices", C.c_void_p), ("data", C.c_void_p), ("type", C.c_int)]


class Decision(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("step", C.c_char_p), ("operation", C.c_char_p),
                ("device", C.c_char_p), ("implementation", C.c_char_p), ("reason", C.c_char_p),
                ("count", C.c_uint64)]


class QuernError(RuntimeError):
    pass


class Library:
    """libquern.so, loaded from the path given."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.c = c = C.CDLL(self.path)
        p, pp = C.c_void_p, C.POINTER(C.c_void_p)
        for name, arguments in {
                "quern_table_create": [p, C.c_uint32, C.c_uint64, pp],
                "quern_table_from_matrix": [p, C.c_int, C.c_uint64, C.c_uint32, C.c_int64, p, pp],
                "quern_context_open": [p, pp], "quern_context_close": [p],
                "quern_pipeline_from_spec": [C.c_char_p, C.c_char_p, C.c_size_t, pp],
                "quern_pipeline_fit": [p, p, p, pp],
                "quern_pipeline_fit_transform": [p, p, p, p, p, pp],
                "quern_model_transform": [p, p, p, p, p],
                "quern_model_save": [p, C.c_char_p],
                "quern_model_to_bytes": [p, pp, C.POINTER(C.c_size_t)],
                "quern_model_inspect": [p, pp],
                "quern_table_read": [p, p, C.c_char_p, pp],
                "quern_context_decision": [p, C.c_uint32, p]}.items():
            getattr(c, name).argtypes = arguments
            getattr(c, name).restype = C.c_int
        for name in ("quern_table_free", "quern_pipeline_free", "quern_model_free", "quern_free",
                     "quern_matrix_free", "quern_csr_free", "quern_context_reset"):
            getattr(c, name).argtypes = [p]
            getattr(c, name).restype = None
        for name in ("quern_version", "quern_last_error"):
            getattr(c, name).restype = C.c_char_p
        c.quern_table_rows.argtypes = [p]
        c.quern_table_rows.restype = C.c_uint64
        c.quern_table_columns.argtypes = [p]
        c.quern_table_columns.restype = C.c_uint32
        c.quern_context_decisions.argtypes = [p]
        c.quern_context_decisions.restype = C.c_uint32
        c.quern_table_column.argtypes = [p, C.c_uint32]
        c.quern_table_column.restype = C.POINTER(Column)
        c.quern_context_device.argtypes = [p]
        c.quern_context_device.restype = C.c_char_p

    def check(self, status):
        if status != 0:
            raise QuernError(self.c.quern_last_error().decode("utf-8", "replace"))

    @property
    def version(self):
        return self.c.quern_version().decode()


class Handle:
    """An object of the library's, freed with the Python object."""

    free = None

    def __init__(self, library, pointer, keep=None):
        self.library, self.pointer, self.keep = library, pointer, keep

    def __del__(self):
        if self.pointer:
            getattr(self.library.c, self.free)(self.pointer)
            self.pointer = None


class Table(Handle):
    free = "quern_table_free"

    @classmethod
    def from_matrix(cls, library, x):
        """A view of a row-major matrix of numbers."""
        assert x.ndim == 2 and x.strides[1] == x.itemsize
        out = C.c_void_p()
        library.check(library.c.quern_table_from_matrix(x.ctypes.data, TYPES[x.dtype.name], x.shape[0],
                                                        x.shape[1], x.strides[0], None, C.byref(out)))
        return cls(library, out, x)

    @classmethod
    def from_arrow(cls, library, table):
        """A view of a pyarrow.Table of numbers and strings, each column one chunk."""
        columns = (Column * table.num_columns)()
        for i, name in enumerate(table.column_names):
            chunk = table.column(i).chunk(0)
            validity, *rest = chunk.buffers()
            column = columns[i]
            column.name = name.encode()
            if validity is not None:
                column.validity, column.validity_offset = validity.address, chunk.offset
            kind = str(chunk.type)
            if kind in ("string", "large_string"):
                column.type, column.offset_bits = STRING, 64 if kind == "large_string" else 32
                column.offsets = rest[0].address + chunk.offset * column.offset_bits // 8
                column.data = rest[1].address
            else:
                kind = {"double": "float64", "float": "float32"}.get(kind, kind)
                column.type = TYPES[kind]
                column.data = rest[0].address + chunk.offset * DTYPES[column.type].itemsize
        out = C.c_void_p()
        library.check(library.c.quern_table_create(columns, len(columns), table.num_rows, C.byref(out)))
        return cls(library, out, table)

    @property
    def shape(self):
        return (self.library.c.quern_table_rows(self.pointer),
                self.library.c.quern_table_columns(self.pointer))

    def column(self, i):
        """(name, type, values, present): a NumPy copy of the values, strings as a list of bytes."""
        rows = self.shape[0]
        c = self.library.c.quern_table_column(self.pointer, i).contents
        present = np.ones(rows, bool)
        if c.validity:
            first = c.validity_offset
            bits = np.frombuffer(C.string_at(c.validity, (first + rows + 7) // 8), np.uint8)
            present = np.unpackbits(bits, bitorder="little")[first:first + rows].astype(bool)
        if c.type == STRING:
            width = np.int64 if c.offset_bits == 64 else np.int32
            offsets = np.frombuffer(C.string_at(c.offsets, (rows + 1) * np.dtype(width).itemsize), width)
            text = C.string_at(c.data, int(offsets[-1]))
            values = [text[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist())]
        else:
            dtype = DTYPES.get(c.type, np.dtype(np.int64))
            stride = c.stride or dtype.itemsize
            raw = (C.c_char * (stride * rows)).from_address(c.data)
            values = np.ndarray((rows,), dtype, raw, 0, (stride,)).copy()
        return c.name.decode() if c.name else None, c.type, values, present


class Pipeline(Handle):
    free = "quern_pipeline_free"

    def __init__(self, library, spec):
        text = json.dumps(spec).encode()
        out = C.c_void_p()
        self.pointer = None
        library.check(library.c.quern_pipeline_from_spec(b"spec", text, len(text), C.byref(out)))
        super().__init__(library, out)


class Matrix(Handle):
    """A dense result; `array` is a view of it."""

    free = None

    def __init__(self, library, struct):
        self.library, self.struct = library, struct
        count = struct.rows * struct.columns
        dtype = DTYPES[struct.type]
        raw = (C.c_char * (count * dtype.itemsize)).from_address(struct.data) if count else b""
        self.array = np.frombuffer(raw, dtype).reshape(struct.rows, struct.columns)

    def __del__(self):
        self.library.c.quern_matrix_free(C.byref(self.struct))


class Csr(Handle):
    """A sparse result; indptr, indices and data are views of it."""

    free = None

    def __init__(self, library, struct):
        self.library, self.struct = library, struct
        self.shape = (struct.rows, struct.columns)

        def view(address, count, dtype):
            dtype = np.dtype(dtype)
            raw = (C.c_char * (count * dtype.itemsize)).from_address(address) if count else b""
            return np.frombuffer(raw, dtype)

        self.indptr = view(struct.indptr, struct.rows + 1, np.int64)
        self.indices = view(struct.indices, struct.nnz, np.int32)
        self.data = view(struct.data, struct.nnz, DTYPES[struct.type])

    def __del__(self):
        self.library.c.quern_csr_free(C.byref(self.struct))


class Model(Handle):
    free = "quern_model_free"

    def inspect(self):
        text = C.c_void_p()
        self.library.check(self.library.c.quern_model_inspect(self.pointer, C.byref(text)))
        value = json.loads(C.string_at(text.value))
        self.library.c.quern_free(text)
        return value

    def attributes(self, step=0, estimator=0):
        """Learned attributes of one estimator, lists of numbers as NumPy arrays."""
        found = self.inspect()["steps"][step]["apply"][estimator]["attributes"]
        return {name: np.array(value, dtype=np.float64) if _is_numbers(value) else value
                for name, value in found.items()}

    def to_bytes(self):
        data, size = C.c_void_p(), C.c_size_t()
        self.library.check(self.library.c.quern_model_to_bytes(self.pointer, C.byref(data),
                                                               C.byref(size)))
        value = C.string_at(data.value, size.value)
        self.library.c.quern_free(data)
        return value

    def save(self, path):
        self.library.check(self.library.c.quern_model_save(self.pointer, os.fsencode(path)))


def _is_numbers(value):
    return isinstance(value, list) and all(v is None or isinstance(v, (int, float)) for v in value)


class Context(Handle):
    free = "quern_context_close"

    def __init__(self, library, device="cpu", threads=0, fallback="never"):
        config = Config(struct_size=C.sizeof(Config), threads=threads, device=device.encode(),
                        fallback=FALLBACK[fallback])
        out = C.c_void_p()
        self.pointer = None
        library.check(library.c.quern_context_open(C.byref(config), C.byref(out)))
        super().__init__(library, out)

    def fit(self, pipeline, table):
        out = C.c_void_p()
        self.library.check(self.library.c.quern_pipeline_fit(self.pointer, pipeline.pointer,
                                                             table.pointer, C.byref(out)))
        return Model(self.library, out)

    def _results(self, out, sparse):
        if sparse:
            return None, CsrStruct()
        if out is None:
            return MatrixStruct(), None
        return MatrixStruct(out.ctypes.data, TYPES[out.dtype.name], out.shape[0], out.shape[1],
                            out.strides[0], 0), None

    def _wrap(self, out, matrix, csr):
        if csr is not None:
            return Csr(self.library, csr)
        return Matrix(self.library, matrix) if out is None else out

    def transform(self, model, table, out=None, sparse=False):
        """Into `out`, or into memory of the library's own (Matrix, Csr)."""
        matrix, csr = self._results(out, sparse)
        self.library.check(self.library.c.quern_model_transform(
            self.pointer, model.pointer, table.pointer, C.byref(matrix) if matrix else None,
            C.byref(csr) if csr else None))
        return self._wrap(out, matrix, csr)

    def fit_transform(self, pipeline, table, out=None, sparse=False):
        """(result, model)"""
        matrix, csr = self._results(out, sparse)
        model = C.c_void_p()
        self.library.check(self.library.c.quern_pipeline_fit_transform(
            self.pointer, pipeline.pointer, table.pointer, C.byref(matrix) if matrix else None,
            C.byref(csr) if csr else None, C.byref(model)))
        return self._wrap(out, matrix, csr), Model(self.library, model)

    def read(self, path):
        out = C.c_void_p()
        self.library.check(self.library.c.quern_table_read(self.pointer, None, os.fsencode(path),
                                                           C.byref(out)))
        return Table(self.library, out)

    def decisions(self):
        found = []
        for i in range(self.library.c.quern_context_decisions(self.pointer)):
            d = Decision(struct_size=C.sizeof(Decision))
            self.library.check(self.library.c.quern_context_decision(self.pointer, i, C.byref(d)))
            found.append({name: getattr(d, name).decode() for name in
                          ("step", "operation", "device", "implementation", "reason")} |
                         {"count": d.count})
        return found

    def reset(self):
        self.library.c.quern_context_reset(self.pointer)
