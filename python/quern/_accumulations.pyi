# SPDX-License-Identifier: Apache-2.0
from typing import Any

from numpy.typing import ArrayLike, NDArray

def cumsum(x: ArrayLike, axis: int | None = None, *, skip_nan: bool = False) -> NDArray[Any]: ...
def cumprod(x: ArrayLike, axis: int | None = None, *, skip_nan: bool = False) -> NDArray[Any]: ...
