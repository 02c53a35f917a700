# SPDX-License-Identifier: Apache-2.0
from typing import Any

from sklearn.base import BaseEstimator

from ._core import Model

__all__ = ["from_sklearn", "to_model", "to_sklearn"]

def from_sklearn(estimator: BaseEstimator) -> Any: ...  # an estimator of quern; which one, mypy cannot say
def to_model(estimator: BaseEstimator, X: Any) -> Model: ...
def to_sklearn(estimator: BaseEstimator) -> Any: ...
