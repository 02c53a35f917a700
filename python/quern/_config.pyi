# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypedDict, type_check_only

from typing_extensions import Unpack

@type_check_only
class _Settings(TypedDict, total=False):
    device: str | None
    fallback: Literal["never", "report", "quiet"]
    threads: int
    max_memory: int
    device_memory: int
    output_memory: int | None
    progress: bool | Literal["auto"] | Callable[[str, int, int], object]

def get_config() -> dict[str, Any]: ...
def set_config(**changes: Unpack[_Settings]) -> None: ...
def config_context(**changes: Unpack[_Settings]) -> AbstractContextManager[None]: ...
def device(name: str | None) -> AbstractContextManager[None]: ...
