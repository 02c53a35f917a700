# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray, spmatrix
from sklearn.base import TransformerMixin
from typing_extensions import Self

from ..base import Estimator

__all__ = ["IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer"]

_Rows: TypeAlias = ArrayLike | sparray | spmatrix
_Out: TypeAlias = Any  # an array; of sparse rows a sparse matrix; a frame where set_output asks for one
_Strategy: TypeAlias = (Literal["mean", "median", "most_frequent", "constant"]
                        | Callable[[NDArray[Any]], float])

class IterativeImputer(TransformerMixin, Estimator):
    estimator: Any
    missing_values: Any
    sample_posterior: bool
    max_iter: int
    tol: float
    n_nearest_features: int | None
    initial_strategy: Literal["mean", "median", "most_frequent", "constant"]
    fill_value: float | None
    imputation_order: Literal["ascending", "descending", "roman", "arabic", "random"]
    skip_complete: bool
    min_value: float | ArrayLike | None
    max_value: float | ArrayLike | None
    verbose: int
    random_state: Any
    add_indicator: bool
    keep_empty_features: bool
    initial_imputer_: SimpleImputer
    imputation_sequence_: list[Any]
    n_iter_: int
    n_features_with_missing_: int
    random_state_: Any
    indicator_: MissingIndicator | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, estimator: Any = None, *, missing_values: Any = ..., sample_posterior: bool = False,
                 max_iter: int = 10, tol: float = 0.001, n_nearest_features: int | None = None,
                 initial_strategy: Literal["mean", "median", "most_frequent", "constant"] = "mean",
                 fill_value: float | None = None,
                 imputation_order: Literal["ascending", "descending", "roman", "arabic",
                                           "random"] = "ascending",
                 skip_complete: bool = False, min_value: float | ArrayLike | None = ...,
                 max_value: float | ArrayLike | None = ..., verbose: int = 0, random_state: Any = None,
                 add_indicator: bool = False, keep_empty_features: bool = False) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> Self: ...
    def transform(self, X: ArrayLike) -> _Out: ...
    def fit_transform(self, X: ArrayLike, y: Any = None, **params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def get_metadata_routing(self) -> Any: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...

class KNNImputer(TransformerMixin, Estimator):
    missing_values: Any
    n_neighbors: int
    weights: Literal["uniform", "distance"] | Callable[[NDArray[Any]], NDArray[Any]]
    metric: Literal["nan_euclidean"] | Callable[..., float]
    copy: bool
    add_indicator: bool
    keep_empty_features: bool
    indicator_: MissingIndicator | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, *, missing_values: Any = ..., n_neighbors: int = 5,
                 weights: Literal["uniform", "distance"] | Callable[[NDArray[Any]], NDArray[Any]] = "uniform",
                 metric: Literal["nan_euclidean"] | Callable[..., float] = "nan_euclidean",
                 copy: bool = True, add_indicator: bool = False,
                 keep_empty_features: bool = False) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def transform(self, X: ArrayLike) -> _Out: ...
    def fit_transform(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...

class MissingIndicator(TransformerMixin, Estimator):
    missing_values: Any
    features: Literal["missing-only", "all"]
    sparse: bool | Literal["auto"]
    error_on_new: bool
    features_: NDArray[np.int64]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, *, missing_values: Any = ..., features: Literal["missing-only", "all"] = "missing-only",
                 sparse: bool | Literal["auto"] = "auto", error_on_new: bool = True) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows) -> _Out: ...
    def fit_transform(self, X: _Rows, y: Any = None, **fit_params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...

class SimpleImputer(TransformerMixin, Estimator):
    missing_values: Any
    strategy: _Strategy
    fill_value: Any
    copy: bool
    add_indicator: bool
    keep_empty_features: bool
    statistics_: NDArray[Any]
    indicator_: MissingIndicator | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, *, missing_values: Any = ..., strategy: _Strategy = "mean",
                 fill_value: Any = None, copy: bool = True, add_indicator: bool = False,
                 keep_empty_features: bool = False) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows) -> _Out: ...
    def fit_transform(self, X: _Rows, y: Any = None, **fit_params: Any) -> _Out: ...
    def inverse_transform(self, X: NDArray[Any]) -> NDArray[np.float64]: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...
