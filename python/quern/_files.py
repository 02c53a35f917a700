# SPDX-License-Identifier: Apache-2.0
"""Specs, models and tables that are files: what the program `quern` does, from Python.

From a text or .npy file to a file the library streams; what comes from or goes to Arrow is in memory."""
import json
import os
import tempfile

import numpy as np

from . import _config, _core
from ._core import Model, Pipeline, Table, UnsupportedError

_ARROW = {".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather"}
_ARRAYS = (".npy", ".npz")


def _suffix(path):
    return os.path.splitext(os.fspath(path))[1].lower()


def _is_path(given):
    return isinstance(given, (str, os.PathLike))


def _spec(given):
    """(JSON, name for messages) of a dict, a JSON text or the path of one."""
    if isinstance(given, dict):
        return json.dumps(given), "spec"
    if isinstance(given, str) and given.lstrip().startswith("{"):
        return given, "spec"
    with open(given, encoding="utf-8") as file:
        return file.read(), os.fspath(given)


def _arrow_module(path):
    try:
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"{os.fspath(path)}: files of this kind need pyarrow") from error
    return {"parquet": pyarrow.parquet, "feather": pyarrow.feather}[_ARROW[_suffix(path)]]


def _table(given, spec=None):
    if isinstance(given, Table):
        return given
    if _is_path(given):
        if _suffix(given) not in _ARROW:
            return _core.read_table(_config.context(), given, spec)
        given = _arrow_module(given).read_table(os.fspath(given))
    if hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
        return Table.from_arrow(given)
    return Table.from_matrix(given)


def _model(given):
    return Model.load(given) if _is_path(given) else given


def _streams(input, output):
    """Whether the library goes from file to file by itself."""
    return (_is_path(input) and output is not None and _suffix(input) not in _ARROW
            and _suffix(output) not in _ARROW)


def _apply(model, table):
    out = model.transform(_config.context(), table, sparse=model.is_sparse)
    if not model.is_sparse:
        return np.asarray(out)
    from scipy import sparse
    return sparse.csr_matrix((np.asarray(out.data), np.asarray(out.indices),
                              np.asarray(out.indptr)), shape=tuple(out.shape))


def _apply_text(model, path):
    """A text or .npy file with the types that the model has: by way of a file, as the program does."""
    from scipy import sparse
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "out.npz" if model.is_sparse else "out.npy")
        _core.apply_file(_config.context(), model, path, output=name)
        return sparse.load_npz(name) if model.is_sparse else np.load(name)


def _write(out, model, path):
    """An output in memory as a file; nothing is left of one that could not be written whole."""
    suffix, dense = _suffix(path), isinstance(out, np.ndarray)
    if suffix not in _ARROW and suffix not in _ARRAYS:
        raise UnsupportedError(f"{os.fspath(path)}: from memory to .npy, .npz, .parquet and .feather")
    if suffix == ".npy" and not dense:
        raise UnsupportedError(f"{os.fspath(path)}: the output is sparse: write it to .npz")
    temporary = f"{os.fspath(path)}.part{suffix}"
    try:
        if suffix == ".npy":
            np.save(temporary, out)
        elif suffix == ".npz":
            from scipy import sparse
            sparse.save_npz(temporary, sparse.csr_matrix(out), compressed=False)
        else:
            import pyarrow
            columns = out if dense else out.toarray()
            made = pyarrow.table({name: pyarrow.array(np.ascontiguousarray(columns[:, i]))
                                  for i, name in enumerate(model.output_names)})
            module = _arrow_module(path)
            getattr(module, "write_table" if _ARROW[suffix] == "parquet" else "write_feather")(
                made, temporary)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def read_csv(path, spec=None):
    """A Table of a text file (CSV, TSV; .gz, .zst), typed as docs/csv.md says.

    spec : dict, JSON or path, default=None; its `input` says how the text is read"""
    return _core.read_table(_config.context(), path, None if spec is None else _spec(spec)[0])


def fit(spec, input, model=None):
    """Learns a Model, and saves it to the path `model` if there is one.

    spec : dict, JSON or path of a spec (docs/spec.md)
    input : path (text, .npy, .parquet, .feather), Table, array, or what exports an Arrow stream"""
    text, name = _spec(spec)
    if _is_path(input) and _suffix(input) not in _ARROW:
        return _core.run(_config.context(), Pipeline(text, name), input, model=model,
                         transform=False)[1]
    made = Pipeline(text, name).fit(_config.context(), _table(input))
    if model is not None:
        made.save(model)
    return made


def run(spec, input, output=None, model=None):
    """Learns and transforms: (output, Model). The output is None if it went to the path `output`."""
    text, name = _spec(spec)
    pipeline = Pipeline(text, name)
    if _streams(input, output):
        return None, _core.run(_config.context(), pipeline, input, output=output, model=model)[1]
    table = _table(input, text)
    made = pipeline.fit(_config.context(), table)
    if model is not None:
        made.save(model)
    out = _apply(made, table)
    if output is None:
        return out, made
    _write(out, made, output)
    return None, made


def transform(model, input, output=None):
    """The rows of `input` through a model (or the path of one): an array or CSR matrix; or None, if
    they went to the path `output`."""
    model = _model(model)
    if _streams(input, output):
        _core.apply_file(_config.context(), model, input, output=output)
        return None
    text = _is_path(input) and _suffix(input) not in _ARROW
    out = _apply_text(model, input) if text else _apply(model, _table(input))
    if output is None:
        return out
    _write(out, model, output)
    return None
