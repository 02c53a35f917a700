# SPDX-License-Identifier: Apache-2.0
"""The estimators and functions of `sklearn.preprocessing` that the library has."""
from ._functions import maxabs_scale, minmax_scale, robust_scale, scale
from ._one_hot import OneHotEncoder
from ._ordinal import OrdinalEncoder
from ._rowwise import Binarizer, Normalizer, binarize, normalize
from ._scalers import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

__all__ = ["Binarizer", "MaxAbsScaler", "MinMaxScaler", "Normalizer", "OneHotEncoder", "OrdinalEncoder", "RobustScaler",
           "StandardScaler", "binarize", "maxabs_scale", "minmax_scale", "normalize",
           "robust_scale", "scale"]
