# SPDX-License-Identifier: Apache-2.0
from typing import Any

from numpy.typing import ArrayLike, NDArray

def histogram(x: ArrayLike, bins: ArrayLike | str = 10, range: tuple[float, float] | None = None,
              density: bool | None = False, weights: ArrayLike | None = None) -> tuple[NDArray[Any], NDArray[Any]]: ...
def bincount(x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0) -> NDArray[Any]: ...
