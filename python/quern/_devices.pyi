# SPDX-License-Identifier: Apache-2.0
from typing import Any

from . import _core

class Devices(list[dict[str, Any]]): ...

class Pool:
    limit: int | None
    in_use: int
    peak_in_use: int
    reserved: int
    peak_reserved: int
    requested: int
    largest_free: int
    slabs: int
    allocations: int
    reuse_hits: int
    grows: int
    trims: int
    failures: int
    def __init__(self, context: _core.Context) -> None: ...
    @property
    def device(self) -> str: ...
    def stats(self) -> dict[str, int | None]: ...
    def trim(self, keep: int = 0) -> int: ...
    def reset_peak(self) -> None: ...

def devices() -> Devices: ...
def pool(device: str | None = None) -> Pool: ...
