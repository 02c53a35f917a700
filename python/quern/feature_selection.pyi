# SPDX-License-Identifier: Apache-2.0
from abc import ABCMeta
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray, spmatrix
from sklearn.feature_selection import SelectorMixin
from typing_extensions import Self

from .base import Estimator

__all__ = ["VarianceThreshold"]

_Rows: TypeAlias = ArrayLike | sparray | spmatrix
_Out: TypeAlias = Any  # an array; of sparse rows a sparse matrix; a frame where set_output asks for one

class VarianceThreshold(SelectorMixin, Estimator, metaclass=ABCMeta):
    threshold: float
    variances_: NDArray[np.float64]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, threshold: float = 0.0) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows) -> _Out: ...
    def fit_transform(self, X: _Rows, y: Any = None, **fit_params: Any) -> _Out: ...
    def inverse_transform(self, X: _Rows) -> Any: ...
    def get_support(self, indices: bool = False) -> NDArray[Any]: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...
