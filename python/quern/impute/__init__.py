# SPDX-License-Identifier: Apache-2.0
"""The estimators of `sklearn.impute` that the library has."""

__all__ = []
