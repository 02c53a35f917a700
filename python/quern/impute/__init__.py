# SPDX-License-Identifier: Apache-2.0
"""The estimators of `sklearn.impute` that the library has: KNNImputer, SimpleImputer."""
from ._knn import KNNImputer
from ._simple import SimpleImputer

__all__ = ["KNNImputer", "SimpleImputer"]
