# SPDX-License-Identifier: Apache-2.0
"""OrdinalEncoder."""
import numbers

import numpy as np
from sklearn.base import OneToOneFeatureMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils.validation import check_is_fitted

from ..base import described
from ._encoder import INFREQUENT, WIDTH, Encoder


@described
class OrdinalEncoder(OneToOneFeatureMixin, Encoder):
    """The number of each cell's category.

    Parameters, attributes and methods are those of `sklearn.preprocessing.OrdinalEncoder`."""

    _none_is_value = True

    def _safe_unknown(self):
        """For the fit, which only asks whether one is given."""
        return "nan" if self.handle_unknown == "use_encoded_value" else None

    def _changes(self, words, refuse):
        return {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learns the categories.

        X : array-like of shape (n_samples, n_features)"""
        self._check_unknown_value()
        self._missing_indices = _Lazy(self)
        self._fit_categories(X)
        self._finish()
        return self

    def _adopt(self, found, types, rows):
        self._check_unknown_value()
        self._missing_indices = _Lazy(self)
        self._take(found, types)
        self._finish()

    def _finish(self):
        self._missing_indices = {i: len(c) - 1 for i, c in enumerate(self.categories_)
                                 if is_scalar_nan(c[-1])}
        self._check_numbers()

    def _check_unknown_value(self):
        if self.handle_unknown == "use_encoded_value":
            if is_scalar_nan(self.unknown_value):
                if np.dtype(self.dtype).kind != "f":
                    raise ValueError("When unknown_value is np.nan, the dtype parameter should be "
                                     f"a float dtype. Got {self.dtype}.")
            elif not isinstance(self.unknown_value, numbers.Integral):
                raise TypeError("unknown_value should be an integer or np.nan when "
                                "handle_unknown is 'use_encoded_value', "
                                f"got {self.unknown_value}.")
        elif self.unknown_value is not None:
            raise TypeError("unknown_value should only be set when handle_unknown is "
                            f"'use_encoded_value', got {self.unknown_value}.")

    def _check_numbers(self):
        """unknown_value and encoded_missing_value may not be numbers of categories."""
        used = [len(c) for c in self.categories_]
        for i in range(len(used)):
            if self._infrequent_enabled and (rare := self._infrequent_indices[i]) is not None:
                used[i] -= len(rare)
            used[i] -= i in self._missing_indices
        if self.handle_unknown == "use_encoded_value":
            if any(0 <= self.unknown_value < n for n in used):
                raise ValueError(f"The used value for unknown_value {self.unknown_value} is one of "
                                 "the values already used for encoding the seen categories.")
        if not self._missing_indices:
            return
        if is_scalar_nan(self.encoded_missing_value):
            if np.dtype(self.dtype).kind != "f":
                raise ValueError("There are missing values in features "
                                 f"{list(self._missing_indices)}. For OrdinalEncoder to "
                                 f"encode missing values with dtype: {self.dtype}, set "
                                 "encoded_missing_value to a non-nan value, or "
                                 "set dtype to a float")
            return
        invalid = [i for i in self._missing_indices
                   if 0 <= self.encoded_missing_value < used[i]]
        if invalid:
            if hasattr(self, "feature_names_in_"):
                invalid = self.feature_names_in_[invalid]
            raise ValueError(f"encoded_missing_value ({self.encoded_missing_value}) "
                             "is already used to encode a known category in features: "
                             f"{invalid}")

    def transform(self, X):
        """Numbers of categories."""
        check_is_fitted(self, "categories_")
        columns, rows, words, table = self._cells(X)
        try:
            out = self._model(words, False).transform(self._context(), table)
        except ValueError as error:
            self._refuse_unknown(columns, error)
        return np.asarray(out).astype(self.dtype, copy=False)

    def inverse_transform(self, X):
        """Categories of numbers.

        X : array-like of shape (n_samples, n_features)"""
        check_is_fitted(self)
        X = check_array(X, ensure_all_finite="allow-nan")
        if X.shape[1] != len(self.categories_):
            raise ValueError(WIDTH.format(len(self.categories_), X.shape[1]))
        out = np.empty(X.shape, np.result_type(*[c.dtype for c in self.categories_]))
        rest = {}
        for i, categories in enumerate(self.categories_):
            labels = X[:, i]
            rows = np.ones(len(labels), bool)
            if i in self._missing_indices:
                missing = _get_mask(labels, self.encoded_missing_value)
                out[missing, i] = categories[self._missing_indices[i]]
                rows &= ~missing
            rare = self._infrequent_indices[i] if self._infrequent_enabled else None
            if rare is not None:
                grouped = labels == len(categories) - len(rare) - (i in self._missing_indices)
                rest[i, INFREQUENT] = grouped
                rows &= ~grouped
                categories = np.delete(categories, rare)
            if self.handle_unknown == "use_encoded_value":
                lost = _get_mask(labels, self.unknown_value) & rows
                rest[i, None] = lost
                rows &= ~lost
            out[rows, i] = categories[labels[rows].astype("int64", copy=False)]
        if rest:
            out = out.astype(object, copy=False)
        for word in (None, INFREQUENT):
            for (i, kind), mask in rest.items():
                if kind == word:
                    out[mask, i] = word
        return out


class _Lazy:
    """During the fit: which columns have the missing category, asked after categories_ is there."""

    def __init__(self, encoder):
        self.encoder = encoder

    def __contains__(self, i):
        return is_scalar_nan(self.encoder.categories_[i][-1])
