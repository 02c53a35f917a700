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
    r"""Read a text or .npy file.

    Parameters
    ----------
    path : str or os.PathLike
        A file of comma- or tab-separated text, plain or compressed (.gz, .zst), or a .npy file.
    spec : dict, str or os.PathLike, default=None
        A spec as a dict, as JSON or as the path of a file (``docs/spec.md``); its `input` says how the
        text is read.

    Returns
    -------
    table : quern.Table
        The columns, with types as ``docs/csv.md`` says.

    Raises
    ------
    OSError
        A file cannot be read.
    ValueError
        The file or the spec has a fault; the message names the line.

    See Also
    --------
    quern.run : From a file to features.

    Notes
    -----
    Reading is the host's, by as many threads as are configured.

    Examples
    --------
    >>> import pathlib
    >>> import quern
    >>> _ = pathlib.Path("people.csv").write_text("age,city\n31,Rome\n45,Oslo\n")
    >>> table = quern.read_csv("people.csv")
    >>> table.rows, table.columns
    (2, 2)
    >>> [table.column(i)[:2] for i in range(table.columns)]
    [('age', 'int64'), ('city', 'string')]
    """
    return _core.read_table(_config.context(), path, None if spec is None else _spec(spec)[0])


def fit(spec, input, model=None):
    """Learn a model.

    Parameters
    ----------
    spec : dict, str or os.PathLike
        What to learn: a spec as a dict, as JSON or as the path of a file (``docs/spec.md``).
    input : str, os.PathLike, quern.Table, array-like of shape (n_samples, n_features) or Arrow table
        A file (text, .npy, .parquet, .feather), a table, a numeric array, or an object that exports an
        Arrow stream (pyarrow, Polars, DuckDB, …).
    model : str or os.PathLike, default=None
        Where the model is saved too.

    Returns
    -------
    model : quern.Model
        What was learned.

    Raises
    ------
    ValueError
        The spec does not fit the columns, or the data has a fault.
    OSError
        A file cannot be read or written.
    quern.UnsupportedError
        The library has no such types, or cannot do this.
    ImportError
        The file is .parquet or .feather, and there is no pyarrow.

    See Also
    --------
    quern.run : Fits and transforms.
    quern.transform : Transforms with a model.

    Notes
    -----
    Text and .npy files are streamed: with `max_memory` (`quern.set_config`) they may be larger than
    memory. The fit has the bits of one in memory.

    Examples
    --------
    >>> import numpy as np
    >>> import quern
    >>> spec = {"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}
    >>> model = quern.fit(spec, np.array([[1.0, 2.0], [3.0, 6.0]]), model="scaler.model")
    >>> model.input_types
    ['float64', 'float64']
    >>> quern.transform("scaler.model", np.array([[2.0, 8.0]]))
    array([[0., 2.]])
    """
    text, name = _spec(spec)
    if _is_path(input) and _suffix(input) not in _ARROW:
        return _core.run(_config.context(), Pipeline(text, name), input, model=model,
                         transform=False)[1]
    made = Pipeline(text, name).fit(_config.context(), _table(input))
    if model is not None:
        made.save(model)
    return made


def run(spec, input, output=None, model=None):
    r"""Learn a model and transform the same rows.

    Parameters
    ----------
    spec : dict, str or os.PathLike
        What to learn: a spec as a dict, as JSON or as the path of a file (``docs/spec.md``).
    input : str, os.PathLike, quern.Table, array-like of shape (n_samples, n_features) or Arrow table
        A file (text, .npy, .parquet, .feather), a table, a numeric array, or an object that exports an
        Arrow stream (pyarrow, Polars, DuckDB, …).
    output : str or os.PathLike, default=None
        Where the features go: .npy, .npz (sparse), .parquet or .feather; from text and .npy files also
        .csv. None: they are returned.
    model : str or os.PathLike, default=None
        Where the model is saved too.

    Returns
    -------
    out : ndarray, scipy.sparse.csr_matrix or None
        The features, of shape (n_samples, n_outputs); None if they went to a file.
    model : quern.Model
        What was learned.

    Raises
    ------
    ValueError
        The spec does not fit the columns, or the data has a fault.
    OSError
        A file cannot be read or written.
    quern.UnsupportedError
        The library has no such types, or cannot do this; or `output` is of another kind.
    ImportError
        A file is .parquet or .feather, and there is no pyarrow.

    See Also
    --------
    quern.fit : Learns alone.
    quern.transform : Transforms with a model.

    Notes
    -----
    From a text or .npy file to .npy, .npz or .csv the library streams, as the program ``quern run`` does,
    with the same bytes. Everything else is in memory.

    Examples
    --------
    >>> import pathlib
    >>> import quern
    >>> _ = pathlib.Path("people.csv").write_text("age,city\n31,Rome\n45,Oslo\n")
    >>> spec = {"quern": 1, "steps": [{"name": "a", "columns": ["age"], "apply": ["MinMaxScaler"]},
    ...                               {"name": "c", "columns": ["city"], "apply": ["OneHotEncoder"]}],
    ...         "output": {"sparse": False}}
    >>> out, model = quern.run(spec, "people.csv")
    >>> out
    array([[0., 0., 1.],
           [1., 1., 0.]])
    >>> model.output_names
    ['a__age', 'c__city_Oslo', 'c__city_Rome']
    """
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
    """Transform rows with a model.

    Parameters
    ----------
    model : quern.Model, str or os.PathLike
        What was learned, or the file of it.
    input : str, os.PathLike, quern.Table, array-like of shape (n_samples, n_features) or Arrow table
        A file (text, .npy, .parquet, .feather), a table, a numeric array, or an object that exports an
        Arrow stream (pyarrow, Polars, DuckDB, …).
    output : str or os.PathLike, default=None
        Where the features go: .npy, .npz (sparse), .parquet or .feather; from text and .npy files also
        .csv. None: they are returned.

    Returns
    -------
    out : ndarray, scipy.sparse.csr_matrix or None
        The features, of shape (n_samples, n_outputs); None if they went to a file.

    Raises
    ------
    ValueError
        A column of the model is missing or of another type, or the data has a fault.
    OSError
        A file cannot be read or written.
    quern.UnsupportedError
        The library has no such types; or `output` is of another kind.
    ImportError
        A file is .parquet or .feather, and there is no pyarrow.

    See Also
    --------
    quern.run : Learns the model too.

    Notes
    -----
    Text is read with the types that the model has, not with those that its cells look like.

    Examples
    --------
    >>> import numpy as np
    >>> import quern
    >>> spec = {"quern": 1, "steps": [{"columns": "*", "apply": ["MaxAbsScaler"]}]}
    >>> model = quern.fit(spec, np.array([[4.0], [-8.0]]))
    >>> quern.transform(model, np.array([[2.0]]))
    array([[0.25]])
    >>> quern.transform(model, np.array([[2.0]]), output="out.npy")
    >>> np.load("out.npy")
    array([[0.25]])
    """
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
