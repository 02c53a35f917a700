# SPDX-License-Identifier: Apache-2.0
"""The estimators of `sklearn.impute` that the library has: SimpleImputer, KNNImputer, IterativeImputer,
MissingIndicator."""
from ._indicator import MissingIndicator
from ._iterative import IterativeImputer
from ._knn import KNNImputer
from ._simple import SimpleImputer

__all__ = ["IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer"]
