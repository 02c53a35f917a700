# SPDX-License-Identifier: Apache-2.0
"""The estimators and functions of `sklearn.preprocessing` that the library has, and some that it lacks.

Scale columns with StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler (as functions: scale,
minmax_scale, maxabs_scale, robust_scale) and MeanNormalizationScaler, limit them with Clipper and Winsorizer,
make them likest to normal numbers with PowerTransformer (power_transform), map distributions with
QuantileTransformer, cut ranges into bins with KBinsDiscretizer and Bucketizer, scale rows with Normalizer
(normalize), compare with Binarizer (binarize), encode categories with OneHotEncoder and OrdinalEncoder,
multiply columns with PolynomialFeatures, bend them with SplineTransformer, go round with CyclicalFeatures,
compute with functions and expressions by FunctionTransformer, and centre kernels with KernelCenterer.
"""
from ._bucketizer import Bucketizer
from ._clipper import Clipper
from ._cyclical import CyclicalFeatures
from ._discretizer import KBinsDiscretizer
from ._function import FunctionTransformer
from ._functions import maxabs_scale, minmax_scale, robust_scale, scale
from ._kernel import KernelCenterer
from ._max_abs import MaxAbsScaler
from ._mean_normalization import MeanNormalizationScaler
from ._min_max import MinMaxScaler
from ._one_hot import OneHotEncoder
from ._ordinal import OrdinalEncoder
from ._polynomial import PolynomialFeatures
from ._power import PowerTransformer, power_transform
from ._quantile import QuantileTransformer
from ._robust import RobustScaler
from ._rowwise import Binarizer, Normalizer, binarize, normalize
from ._spline import SplineTransformer
from ._standard import StandardScaler
from ._winsorizer import Winsorizer

__all__ = ["Binarizer", "Bucketizer", "Clipper", "CyclicalFeatures", "FunctionTransformer", "KBinsDiscretizer",
           "KernelCenterer", "MaxAbsScaler", "MeanNormalizationScaler", "MinMaxScaler", "Normalizer",
           "OneHotEncoder", "OrdinalEncoder", "PolynomialFeatures", "PowerTransformer", "QuantileTransformer",
           "RobustScaler", "SplineTransformer", "StandardScaler", "Winsorizer", "binarize", "maxabs_scale",
           "minmax_scale", "normalize", "power_transform", "robust_scale", "scale"]
