# SPDX-License-Identifier: Apache-2.0
"""Models made of arrays: the container of docs/model-format.md, written with NumPy."""
import json

import numpy as np

_WRITE = {"f": ("F64", np.dtype("<f8")), "i": ("I64", np.dtype("<i8")), "u": ("U8", np.dtype("u1"))}
STRING = 11  # of quern_type
_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float32", "float64", "string", "datetime")


def write(metadata, tensors):
    """The bytes of a model."""
    header, parts, at = {"__metadata__": metadata}, [], 0
    for name, values in tensors.items():
        word, dtype = _WRITE[values.dtype.kind]
        data = np.ascontiguousarray(values, dtype).tobytes()
        header[name] = {"dtype": word, "shape": list(values.shape) or [1],
                        "data_offsets": [at, at + len(data)]}
        padding = -len(data) % 8
        parts.append(data + bytes(padding))
        at += len(data) + padding
    if parts:  # nothing may follow the last tensor
        last = len(parts[-1]) - padding
        parts[-1] = parts[-1][:last]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def metadata(spec, columns, matrix=True, sparse=False):
    """What a model says beside its tensors. columns: list of (name or None, dtype)."""
    schema = [{"name": name, "dtype": dtype, "used": True} for name, dtype in columns]
    return {"quern_model": "1", "spec": json.dumps(spec, separators=(",", ":")),
            "input": json.dumps(schema, separators=(",", ":")),
            "matrix": "1" if matrix else "0", "sparse": "1" if sparse else "0"}


def type_number(name):
    return _TYPES.index(name)


def type_name(number):
    return _TYPES[int(number)]
