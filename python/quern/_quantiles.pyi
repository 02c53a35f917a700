# SPDX-License-Identifier: Apache-2.0
from typing import Any

from numpy.typing import ArrayLike

from ._reductions import _Axes

def quantile(x: ArrayLike, q: ArrayLike, axis: _Axes = None, *, method: str = "linear",
             weights: ArrayLike | None = None, keepdims: bool = False, skip_nan: bool = False) -> Any: ...
def percentile(x: ArrayLike, q: ArrayLike, axis: _Axes = None, *, method: str = "linear",
               weights: ArrayLike | None = None, keepdims: bool = False, skip_nan: bool = False) -> Any: ...
def median(x: ArrayLike, axis: _Axes = None, *, keepdims: bool = False, skip_nan: bool = False) -> Any: ...
