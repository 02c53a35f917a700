# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, overload, type_check_only

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import sparray, spmatrix
from sklearn.base import TransformerMixin
from sklearn.preprocessing import FunctionTransformer as _FunctionTransformer
from typing_extensions import Self

from ..base import Estimator

__all__ = ["Binarizer", "Bucketizer", "Clipper", "CyclicalFeatures", "FunctionTransformer", "KBinsDiscretizer",
           "KernelCenterer", "MaxAbsScaler", "MeanNormalizationScaler", "MinMaxScaler", "Normalizer",
           "OneHotEncoder", "OrdinalEncoder", "PolynomialFeatures", "PowerTransformer", "QuantileTransformer",
           "RobustScaler", "SplineTransformer", "StandardScaler", "Winsorizer", "binarize", "maxabs_scale",
           "minmax_scale", "normalize", "power_transform", "robust_scale", "scale"]

_Rows: TypeAlias = ArrayLike | sparray | spmatrix
_Out: TypeAlias = Any  # an array; of sparse rows a sparse matrix; a frame where set_output asks for one
# One that a parameter can take away is `| Any` and not `| None`: mostly it is there.
_Vector: TypeAlias = NDArray[np.float64]
_Floats: TypeAlias = NDArray[np.floating[Any]]  # float32 after a fit of float32
_Request: TypeAlias = bool | str | None  # of metadata routing
_Container: TypeAlias = Literal["default", "pandas", "polars"] | None

@type_check_only
class _Transformer(TransformerMixin, Estimator):
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def fit_transform(self, X: _Rows, y: Any = None, **fit_params: Any) -> _Out: ...
    def set_output(self, *, transform: _Container = None) -> Self: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...

@type_check_only
class _Scaler(_Transformer):
    copy: bool
    def transform(self, X: _Rows) -> _Out: ...
    def transform_into(self, X: ArrayLike, out: NDArray[Any]) -> NDArray[Any]: ...
    def inverse_transform(self, X: _Rows) -> Any: ...

@type_check_only
class _Encoder(_Transformer):
    categories: Literal["auto"] | Sequence[ArrayLike]
    dtype: DTypeLike
    handle_unknown: str
    min_frequency: float | None
    max_categories: int | None
    categories_: list[NDArray[Any]]
    @property
    def infrequent_categories_(self) -> list[NDArray[Any] | None]: ...
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def transform(self, X: ArrayLike) -> _Out: ...

@type_check_only
class _Columns(_Transformer):
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def transform(self, X: ArrayLike) -> _Out: ...

class Bucketizer(_Columns):
    edges: ArrayLike | Sequence[ArrayLike] | None
    encode: Literal["ordinal", "onehot", "onehot-dense"]
    closed: Literal["left", "right"]
    outside: Literal["error", "clip", "keep"]
    handle_missing: Literal["error", "keep"]
    dtype: type[np.float32] | type[np.float64] | None
    n_bins_: NDArray[np.int64]
    def __init__(self, edges: ArrayLike | Sequence[ArrayLike] | None = None, *,
                 encode: Literal["ordinal", "onehot", "onehot-dense"] = "ordinal",
                 closed: Literal["left", "right"] = "left",
                 outside: Literal["error", "clip", "keep"] = "error",
                 handle_missing: Literal["error", "keep"] = "error",
                 dtype: type[np.float32] | type[np.float64] | None = None) -> None: ...

class Clipper(_Columns):
    lower: float | Sequence[float | None] | ArrayLike | None
    upper: float | Sequence[float | None] | ArrayLike | None
    def __init__(self, lower: float | Sequence[float | None] | ArrayLike | None = None,
                 upper: float | Sequence[float | None] | ArrayLike | None = None) -> None: ...

class CyclicalFeatures(_Columns):
    max_values: float | Sequence[float | None] | ArrayLike | None
    drop_original: bool
    max_values_: _Vector
    def __init__(self, max_values: float | Sequence[float | None] | ArrayLike | None = None, *,
                 drop_original: bool = False) -> None: ...

class MeanNormalizationScaler(_Scaler):
    mean_: _Vector
    range_: _Vector
    data_min_: _Vector
    data_max_: _Vector
    n_samples_seen_: NDArray[np.int64]
    def __init__(self, *, copy: bool = True) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self: ...

class Winsorizer(_Columns):
    capping_method: Literal["gaussian", "iqr", "mad", "quantiles"]
    tail: Literal["right", "left", "both"]
    fold: float | Literal["auto"]
    add_indicators: bool
    missing_values: Literal["raise", "ignore"]
    left_tail_caps_: _Vector
    right_tail_caps_: _Vector
    fold_: float
    def __init__(self, capping_method: Literal["gaussian", "iqr", "mad", "quantiles"] = "gaussian",
                 tail: Literal["right", "left", "both"] = "right", fold: float | Literal["auto"] = "auto", *,
                 add_indicators: bool = False, missing_values: Literal["raise", "ignore"] = "raise") -> None: ...

class KBinsDiscretizer(_Transformer):
    n_bins: int | ArrayLike
    encode: Literal["onehot", "onehot-dense", "ordinal"]
    strategy: Literal["uniform", "quantile", "kmeans"]
    quantile_method: str
    dtype: type[np.float32] | type[np.float64] | None
    subsample: int | None
    random_state: int | np.random.RandomState | None
    bin_edges_: NDArray[np.object_]
    n_bins_: NDArray[np.int64]
    def __init__(self, n_bins: int | ArrayLike = 5, *,
                 encode: Literal["onehot", "onehot-dense", "ordinal"] = "onehot",
                 strategy: Literal["uniform", "quantile", "kmeans"] = "quantile",
                 quantile_method: str = "averaged_inverted_cdf",
                 dtype: type[np.float32] | type[np.float64] | None = None,
                 subsample: int | None = 200_000,
                 random_state: int | np.random.RandomState | None = None) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def set_fit_request(self, *, sample_weight: _Request = "$UNCHANGED$") -> Self: ...
    def transform(self, X: ArrayLike) -> _Out: ...
    def inverse_transform(self, X: _Rows) -> Any: ...

class QuantileTransformer(_Transformer):
    n_quantiles: int
    output_distribution: Literal["uniform", "normal"]
    ignore_implicit_zeros: bool
    subsample: int | None
    random_state: int | np.random.RandomState | None
    copy: bool
    n_quantiles_: int
    quantiles_: _Vector
    references_: _Vector
    def __init__(self, *, n_quantiles: int = 1000,
                 output_distribution: Literal["uniform", "normal"] = "uniform",
                 ignore_implicit_zeros: bool = False, subsample: int | None = 10_000,
                 random_state: int | np.random.RandomState | None = None,
                 copy: bool = True) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows) -> _Out: ...
    def inverse_transform(self, X: _Rows) -> Any: ...

class StandardScaler(_Scaler):
    with_mean: bool
    with_std: bool
    mean_: _Vector | Any
    var_: _Vector | Any
    scale_: _Vector | Any
    n_samples_seen_: Any  # a number, or an array of one for each column
    def __init__(self, *, copy: bool = True, with_mean: bool = True, with_std: bool = True) -> None: ...
    def fit(self, X: _Rows, y: Any = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def partial_fit(self, X: _Rows, y: Any = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def transform(self, X: _Rows, copy: bool | None = None) -> _Out: ...
    def inverse_transform(self, X: _Rows, copy: bool | None = None) -> Any: ...
    def set_fit_request(self, *, sample_weight: _Request = ...) -> Self: ...
    def set_partial_fit_request(self, *, sample_weight: _Request = ...) -> Self: ...
    def set_transform_request(self, *, copy: _Request = ...) -> Self: ...
    def set_inverse_transform_request(self, *, copy: _Request = ...) -> Self: ...

class MinMaxScaler(_Scaler):
    feature_range: tuple[float, float]
    clip: bool
    data_min_: _Floats
    data_max_: _Floats
    data_range_: _Floats
    scale_: _Floats
    min_: _Floats
    n_samples_seen_: int
    def __init__(self, feature_range: tuple[float, float] = (0, 1), *, copy: bool = True,
                 clip: bool = False) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self: ...

class MaxAbsScaler(_Scaler):
    clip: bool
    max_abs_: _Floats
    scale_: _Floats
    n_samples_seen_: int
    def __init__(self, *, copy: bool = True, clip: bool = False) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def partial_fit(self, X: _Rows, y: Any = None) -> Self: ...

class RobustScaler(_Scaler):
    with_centering: bool
    with_scaling: bool
    quantile_range: tuple[float, float]
    unit_variance: bool
    center_: _Floats | Any
    scale_: _Vector | Any
    def __init__(self, *, with_centering: bool = True, with_scaling: bool = True,
                 quantile_range: tuple[float, float] = (25.0, 75.0), copy: bool = True,
                 unit_variance: bool = False) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...

class PowerTransformer(_Scaler):
    method: Literal["yeo-johnson", "box-cox"]
    standardize: bool
    lambdas_: _Floats
    def __init__(self, method: Literal["yeo-johnson", "box-cox"] = "yeo-johnson", *, standardize: bool = True,
                 copy: bool = True) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def fit_transform(self, X: ArrayLike, y: Any = None) -> _Out: ...  # type: ignore[override]

class Normalizer(_Transformer):
    norm: Literal["l1", "l2", "max"]
    copy: bool
    def __init__(self, norm: Literal["l1", "l2", "max"] = "l2", *, copy: bool = True) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows, copy: bool | None = None) -> _Out: ...
    def set_transform_request(self, *, copy: _Request = ...) -> Self: ...

class Binarizer(_Transformer):
    threshold: float
    copy: bool
    def __init__(self, *, threshold: float = 0.0, copy: bool = True) -> None: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows, copy: bool | None = None) -> _Out: ...
    def set_transform_request(self, *, copy: _Request = ...) -> Self: ...

class OneHotEncoder(_Encoder):
    drop: Literal["first", "if_binary"] | ArrayLike | None
    sparse_output: bool
    feature_name_combiner: Literal["concat"] | Callable[[Any, Any], str]
    drop_idx_: NDArray[np.object_] | Any
    def __init__(self, *, categories: Literal["auto"] | Sequence[ArrayLike] = "auto",
                 drop: Literal["first", "if_binary"] | ArrayLike | None = None,
                 sparse_output: bool = True, dtype: DTypeLike = ...,
                 handle_unknown: Literal["error", "ignore", "infrequent_if_exist", "warn"] = "error",
                 min_frequency: float | None = None, max_categories: int | None = None,
                 feature_name_combiner: Literal["concat"] | Callable[[Any, Any], str] = "concat",
                 ) -> None: ...
    def inverse_transform(self, X: _Rows) -> NDArray[Any]: ...

class OrdinalEncoder(_Encoder):
    unknown_value: float | None
    encoded_missing_value: float
    def __init__(self, *, categories: Literal["auto"] | Sequence[ArrayLike] = "auto",
                 dtype: DTypeLike = ...,
                 handle_unknown: Literal["error", "use_encoded_value"] = "error",
                 unknown_value: float | None = None, encoded_missing_value: float = ...,
                 min_frequency: float | None = None, max_categories: int | None = None) -> None: ...
    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]: ...

class KernelCenterer(TransformerMixin, Estimator):
    K_fit_rows_: _Floats
    K_fit_all_: np.floating[Any]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self) -> None: ...
    def fit(self, K: ArrayLike, y: Any = None) -> Self: ...
    def transform(self, K: ArrayLike, copy: bool = True) -> _Out: ...
    def fit_transform(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: _Container = None) -> Self: ...
    def set_fit_request(self, *, K: _Request = "$UNCHANGED$") -> Self: ...
    def set_transform_request(self, *, K: _Request = "$UNCHANGED$", copy: _Request = "$UNCHANGED$") -> Self: ...

class PolynomialFeatures(TransformerMixin, Estimator):
    degree: int | tuple[int, int]
    interaction_only: bool
    include_bias: bool
    order: Literal["C", "F"]
    n_output_features_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, degree: int | tuple[int, int] = 2, *, interaction_only: bool = False,
                 include_bias: bool = True, order: Literal["C", "F"] = "C") -> None: ...
    @property
    def powers_(self) -> NDArray[np.int64]: ...
    def fit(self, X: _Rows, y: Any = None) -> Self: ...
    def transform(self, X: _Rows) -> _Out: ...
    def fit_transform(self, X: _Rows, y: Any = None, **fit_params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...

class FunctionTransformer(Estimator, _FunctionTransformer):
    func: Callable[..., Any] | str | Sequence[str] | dict[str, str] | None
    inverse_func: Callable[..., Any] | str | None
    validate: bool
    accept_sparse: bool
    check_inverse: bool
    feature_names_out: Callable[..., Any] | Literal["one-to-one"] | None
    kw_args: dict[str, Any] | None
    inv_kw_args: dict[str, Any] | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, func: Callable[..., Any] | str | Sequence[str] | dict[str, str] | None = None,
                 inverse_func: Callable[..., Any] | str | None = None, *, validate: bool = False,
                 accept_sparse: bool = False, check_inverse: bool = True,
                 feature_names_out: Callable[..., Any] | Literal["one-to-one"] | None = None,
                 kw_args: dict[str, Any] | None = None, inv_kw_args: dict[str, Any] | None = None) -> None: ...
    def fit(self, X: Any, y: Any = None) -> Self: ...
    def transform(self, X: Any) -> Any: ...
    def inverse_transform(self, X: Any) -> Any: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...

class SplineTransformer(TransformerMixin, Estimator):
    n_knots: int
    degree: int
    knots: Literal["uniform", "quantile"] | ArrayLike
    extrapolation: Literal["error", "constant", "linear", "continue", "periodic"]
    include_bias: bool
    order: Literal["C", "F"]
    handle_missing: Literal["error", "zeros"]
    sparse_output: bool
    bsplines_: list[Any]
    n_features_out_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    def __init__(self, n_knots: int = 5, degree: int = 3, *,
                 knots: Literal["uniform", "quantile"] | ArrayLike = "uniform",
                 extrapolation: Literal["error", "constant", "linear", "continue", "periodic"] = "constant",
                 include_bias: bool = True, order: Literal["C", "F"] = "C",
                 handle_missing: Literal["error", "zeros"] = "error", sparse_output: bool = False) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def transform(self, X: ArrayLike) -> _Out: ...
    def fit_transform(self, X: ArrayLike, y: Any = None, **fit_params: Any) -> _Out: ...
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]: ...
    def set_fit_request(self, *, sample_weight: _Request = "$UNCHANGED$") -> Self: ...
    def set_output(self, *, transform: Literal["default", "pandas", "polars"] | None = None) -> Self: ...

def binarize(X: _Rows, *, threshold: float = 0.0, copy: bool = True) -> Any: ...
def maxabs_scale(X: _Rows, *, axis: Literal[0, 1] = 0, copy: bool = True) -> Any: ...
def minmax_scale(X: ArrayLike, feature_range: tuple[float, float] = (0, 1), *, axis: Literal[0, 1] = 0,
                 copy: bool = True) -> _Floats: ...
@overload
def normalize(X: _Rows, norm: Literal["l1", "l2", "max"] = "l2", *, axis: Literal[0, 1] = 1,
              copy: bool = True, return_norm: Literal[False] = False) -> Any: ...
@overload
def normalize(X: _Rows, norm: Literal["l1", "l2", "max"] = "l2", *, axis: Literal[0, 1] = 1,
              copy: bool = True, return_norm: Literal[True]) -> tuple[Any, _Floats]: ...
def power_transform(X: ArrayLike, method: Literal["yeo-johnson", "box-cox"] = "yeo-johnson", *,
                    standardize: bool = True, copy: bool = True) -> _Floats: ...
def robust_scale(X: _Rows, *, axis: Literal[0, 1] = 0, with_centering: bool = True,
                 with_scaling: bool = True, quantile_range: tuple[float, float] = (25.0, 75.0),
                 copy: bool = True, unit_variance: bool = False) -> Any: ...
def scale(X: _Rows, *, axis: Literal[0, 1] = 0, with_mean: bool = True, with_std: bool = True,
          copy: bool = True) -> Any: ...
