# SPDX-License-Identifier: Apache-2.0
"""OrdinalEncoder."""
import numbers

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils.validation import check_is_fitted

from .._host import check_array, fit_context
from ..base import described
from ._encoder import INFREQUENT, WIDTH, Encoder


@described
class OrdinalEncoder(OneToOneFeatureMixin, Encoder):
    """The number of each cell's category.

    Categories are numbers, booleans, strings and missing cells (NaN); each column has its own, numbered
    from 0 in ascending order.

    Parameters
    ----------
    categories : "auto" or list of array-like, default="auto"
        The categories of each column: those of the fit's rows, or one list for each column. Numbers
        must ascend; strings keep their order.
    dtype : number type, default=numpy.float64
        Of the output.
    handle_unknown : {"error", "use_encoded_value"}, default="error"
        What a category that the fit has not seen becomes: an error, or `unknown_value`.
    unknown_value : int, numpy.nan or None, default=None
        The number of unknown categories; not one that a category has.
    encoded_missing_value : int or numpy.nan, default=numpy.nan
        The number of missing cells; not one that a category has.
    min_frequency : int, float or None, default=None
        Rarer categories share one number: a count, or a fraction of the rows.
    max_categories : int or None, default=None
        The most numbers of a column, the shared one included; missing and unknown cells do not count.

    Attributes
    ----------
    categories_ : list of ndarray
        Categories of each column, in the column's dtype, a missing one last.
    infrequent_categories_ : list of ndarray or None
        Categories that share a number; only with `min_frequency` or `max_categories`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.OneHotEncoder : A column for each category.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.OrdinalEncoder`. Differences: 0.0 and -0.0 are one
    category; and `inverse_transform` keeps missing and infrequent cells of one column apart, which
    scikit-learn 1.9 mixes up.

    Dictionaries of categories are built on the host, and strings are looked up there; numbers are looked
    up on the configured device. Cells that are neither numbers nor strings, and the way back, are
    Python's.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import OrdinalEncoder
    >>> encoder = OrdinalEncoder(categories=[["low", "mid", "high"]], handle_unknown="use_encoded_value",
    ...                          unknown_value=-1)
    >>> encoder.fit_transform([["high"], ["low"], ["mid"]]).ravel()
    array([2., 0., 1.])
    >>> encoder.transform([["top"]])
    array([[-1.]])
    >>> encoder.inverse_transform([[1], [-1]]).tolist()
    [['mid'], [None]]
    """

    _none_is_value = True

    def _safe_unknown(self):
        """For the fit, which only asks whether one is given."""
        return "nan" if self.handle_unknown == "use_encoded_value" else None

    def _changes(self, words, refuse):
        return {}

    @fit_context
    def fit(self, X, y=None):
        """Learn the categories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of numbers, booleans, strings and missing cells.
        y : None
            Not used.

        Returns
        -------
        self : OrdinalEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or has the number of a category; `categories` does not
            fit the columns; X has infinities, no row or no column, a category that the given ones have not,
            or missing cells that the dtype has no number for.
        TypeError
            `unknown_value` is missing, or given without "use_encoded_value"; X is sparse, or a column
            mixes types that have no order.
        """
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
        """Number rows with the categories of the fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_out : ndarray of shape (n_samples, n_features)
            Numbers of categories, in the dtype of the parameter.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has an unknown category while `handle_unknown` is "error", or other columns than the fit saw.
        TypeError
            X is sparse, or has cells that cannot be hashed.
        """
        check_is_fitted(self, "categories_")
        columns, rows, words, table = self._cells(X)
        try:
            out = self._model(words, False).transform(self._context(), table)
        except ValueError as error:
            self._refuse_unknown(columns, error)
        return np.asarray(out).astype(self.dtype, copy=False)

    def inverse_transform(self, X):
        """Categories of numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers of categories.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Categories, in their common dtype. Unknown ones are None, infrequent ones the string
            "infrequent_sklearn".

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has another number of columns than the fit saw, or cells that are no numbers.
        IndexError
            A number is beyond those of the categories.
        """
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
