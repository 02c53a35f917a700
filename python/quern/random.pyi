# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["bits", "integers", "permutation", "uniform"]

def bits(size: int | tuple[int, ...], dtype: DTypeLike = ..., *, seed: int | np.random.Generator | None = None,
         stream: int = 0, first: int = 0) -> NDArray[Any]: ...
def uniform(size: int | tuple[int, ...], dtype: DTypeLike = ..., *,
            seed: int | np.random.Generator | None = None, stream: int = 0, first: int = 0) -> NDArray[Any]: ...
def integers(low: int, high: int, size: int | tuple[int, ...], *,
             seed: int | np.random.Generator | None = None, stream: int = 0,
             first: int = 0) -> NDArray[np.int64]: ...
def permutation(x: int | ArrayLike, k: int | None = None, *, seed: int | np.random.Generator | None = None,
                stream: int = 0) -> NDArray[Any]: ...
