# SPDX-License-Identifier: Apache-2.0
"""The cases of grid.py: estimators with parameters, and what holds for them."""
import importlib

import numpy as np

HOMES = ("preprocessing", "impute", "feature_selection")


class Case:
    """missing: NaN is allowed in a fit. without: kinds of columns that mean nothing here. domain: makes a
    matrix one that the estimator is for. target: y of a matrix. back: it has an inverse_transform.
    attributes: (ours, theirs, X, where) raises where attributes are wrong; None: attributes.py.
    exact: (fitted, X, out) -> units in the last place that out is off; None: bits are compared."""

    def __init__(self, name, missing=True, without=(), domain=None, target=None, back=False,
                 attributes=None, exact=None, **parameters):
        self.name, self.parameters = name, parameters
        self.missing, self.without, self.domain, self.target = missing, without, domain, target
        self.back, self.attributes, self.exact = back, attributes, exact
        self.ours, self.peer = self._find("quern"), self._find("sklearn")

    @property
    def title(self):
        given = ", ".join(f"{k}={v!r}" for k, v in self.parameters.items())
        return f"{self.name}({given})"

    def _find(self, package):
        for home in HOMES:
            found = getattr(importlib.import_module(f"{package}.{home}"), self.name, None)
            if found is not None:
                return found
        return None

    def make(self, side):
        return (self.ours if side == "ours" else self.peer)(**self.parameters)


def equal_arrays(*names):
    """Attributes that must be equal in value."""
    def check(ours, theirs, X, where):
        for name in names:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), f"{where}: {name}")
    return check


CASES = [
    Case("StandardScaler", back=True),
    Case("StandardScaler", back=True, with_mean=False),
    Case("StandardScaler", back=True, with_std=False),
    Case("MinMaxScaler", back=True),
    Case("MinMaxScaler", back=True, feature_range=(-2, 5), clip=True),
    Case("MaxAbsScaler", back=True),
    Case("RobustScaler", back=True),
    Case("RobustScaler", back=True, quantile_range=(5.0, 90.0), unit_variance=True),
    Case("Normalizer", missing=False),
    Case("Normalizer", missing=False, norm="l1"),
    Case("Normalizer", missing=False, norm="max"),
    Case("Binarizer", missing=False, threshold=0.5),
    Case("SimpleImputer"),
    Case("SimpleImputer", strategy="median", add_indicator=True),
    Case("SimpleImputer", strategy="most_frequent", keep_empty_features=True),
    Case("SimpleImputer", strategy="constant", fill_value=3),
    Case("VarianceThreshold"),
    Case("VarianceThreshold", threshold=2.5),
]
