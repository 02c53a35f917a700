# SPDX-License-Identifier: Apache-2.0
from typing import Any

from sklearn.base import BaseEstimator
from typing_extensions import Self

__all__ = ["FLOAT_DTYPES", "Estimator", "described"]

FLOAT_DTYPES: Any

class Estimator(BaseEstimator):
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self, **params: Any) -> Self: ...
    def __sklearn_tags__(self) -> Any: ...
    def to_sklearn(self) -> Any: ...

def described(cls: type[Any]) -> type[Any]: ...
