# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["train_test_split"]

def train_test_split(*arrays: Any, test_size: float | None = None, train_size: float | None = None,
                     random_state: int | np.random.RandomState | np.random.Generator | None = None,
                     shuffle: bool = True, stratify: ArrayLike | None = None) -> list[Any]: ...
