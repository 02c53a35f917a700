# SPDX-License-Identifier: Apache-2.0
from typing import Any

from numpy.typing import ArrayLike, DTypeLike

def cov(m: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
        fweights: ArrayLike | None = None, aweights: ArrayLike | None = None, *, dtype: DTypeLike | None = None,
        skip_nan: bool = False, min_periods: int = 1) -> Any: ...
def corrcoef(x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True, *,
             dtype: DTypeLike | None = None, skip_nan: bool = False, min_periods: int = 1) -> Any: ...
