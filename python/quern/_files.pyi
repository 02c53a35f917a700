# SPDX-License-Identifier: Apache-2.0
from os import PathLike
from typing import Any, TypeAlias

from ._core import Model, Table

_Path: TypeAlias = str | PathLike[str]
_Spec: TypeAlias = dict[str, Any] | _Path
_Output: TypeAlias = Any  # numpy.ndarray, scipy.sparse.csr_matrix, or None where it went to a file

# `input` is a path, a Table, an array of numbers or what exports an Arrow stream, of any library.
def read_csv(path: _Path, spec: _Spec | None = None) -> Table: ...
def fit(spec: _Spec, input: Any, model: _Path | None = None) -> Model: ...
def run(spec: _Spec, input: Any, output: _Path | None = None,
        model: _Path | None = None) -> tuple[_Output, Model]: ...
def transform(model: Model | _Path, input: Any, output: _Path | None = None) -> _Output: ...
