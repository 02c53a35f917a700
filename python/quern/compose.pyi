# SPDX-License-Identifier: Apache-2.0
from abc import ABCMeta
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import compose as _sk
from sklearn.compose import make_column_selector as make_column_selector
from typing_extensions import Self

__all__ = ["ColumnTransformer", "make_column_selector", "make_column_transformer"]

# An estimator, or one of the two words; columns are names, numbers, a slice, a mask or a selector.
_Part: TypeAlias = Any
_Columns: TypeAlias = Any
_Out: TypeAlias = Any  # an array, a sparse matrix, or a frame where set_output asks for one

class ColumnTransformer(_sk.ColumnTransformer, metaclass=ABCMeta):
    transformers: Sequence[tuple[str, _Part, _Columns]]
    transformers_: list[tuple[str, _Part, _Columns]]
    remainder: _Part
    sparse_threshold: float
    n_jobs: int | None
    transformer_weights: Mapping[str, float] | None
    verbose: bool
    verbose_feature_names_out: Any
    sparse_output_: bool
    output_indices_: dict[str, slice]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, transformers: Sequence[tuple[str, _Part, _Columns]], *, remainder: _Part = "drop",
                 sparse_threshold: float = 0.3, n_jobs: int | None = None,
                 transformer_weights: Mapping[str, float] | None = None, verbose: bool = False,
                 verbose_feature_names_out: Any = True) -> None: ...
    @property
    def named_transformers_(self) -> Any: ...
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self: ...
    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> _Out: ...
    def transform(self, X: Any, **params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self, **kwargs: Any) -> Self: ...
    def to_sklearn(self) -> _sk.ColumnTransformer: ...

def make_column_transformer(*transformers: tuple[_Part, _Columns], remainder: _Part = "drop",
                            sparse_threshold: float = 0.3, n_jobs: int | None = None,
                            verbose: bool = False,
                            verbose_feature_names_out: Any = True) -> ColumnTransformer: ...
