# SPDX-License-Identifier: Apache-2.0
"""The estimators of `sklearn.impute` that the library has: SimpleImputer."""
from ._simple import SimpleImputer

__all__ = ["SimpleImputer"]
