# SPDX-License-Identifier: Apache-2.0
"""What the three imputers have in common."""
import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ..base import Estimator
from ._indicator import MissingIndicator
from ._marker import is_nan


class Imputer(TransformerMixin, Estimator):
    """Columns that stay, filled, and then indicators of those that had missing cells."""

    def _kept(self, features):
        """Of the names of the input's columns those of the columns that stay."""
        raise NotImplementedError

    def _set_indicator(self, missing, X):
        """missing: how many cells each column of X lacks."""
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(missing_values=self.missing_values, error_on_new=False)
            self.indicator_._take_marks(np.flatnonzero(missing), X.shape[1])

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that stay, then of the indicator columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of shape (n_features_out,), dtype object
            The names; an indicator is called ``missingindicator_`` and its column.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        """
        check_is_fitted(self, "n_features_in_")
        features = _check_feature_names_in(self, input_features)
        names = self._kept(features)
        if not self.add_indicator:
            return names
        return np.concatenate([names, self.indicator_.get_feature_names_out(features)])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = is_nan(self.missing_values)
        return tags
