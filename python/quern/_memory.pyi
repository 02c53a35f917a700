# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from typing import Any, Literal

def empty(shape: int | Sequence[int], dtype: Any, order: Literal["C", "F"] = "C") -> Any: ...

class OutputMemory:
    limit: int
    kept: int
    in_use: int
    peak_in_use: int
    new: int
    recycled: int
    allocations: int
    reuse_hits: int
    def stats(self) -> dict[str, int]: ...
    def trim(self, keep: int = 0) -> int: ...

def output_memory() -> OutputMemory: ...
