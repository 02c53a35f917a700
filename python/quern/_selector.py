# SPDX-License-Identifier: Apache-2.0
"""What estimators that leave out columns have in common."""
import numpy as np
from sklearn.feature_selection import SelectorMixin

from ._convert import library_dtype
from ._memory import empty
from .base import Estimator, model_of, table_of


class Selector(SelectorMixin, Estimator):
    """Columns that stay keep their values and dtype."""

    _fusable = True
    _changes_width = True

    def _transform(self, X):
        """X, checked: its columns that stay."""
        mask = self.get_support()
        if (type(X) is not np.ndarray or not mask.any() or X.shape[0] == 0
                or library_dtype(X.dtype) != X.dtype):
            return super()._transform(X)
        model = self._remembered(self._fused_key(), X.dtype.name, lambda: model_of(
            self, X.dtype.name, self.n_features_in_, self._tensors_for(None), True))
        if len(model.output_names) != np.count_nonzero(mask):  # scores that tie in their own dtype alone
            return super()._transform(X)
        out = empty((X.shape[0], np.count_nonzero(mask)), X.dtype)
        model.transform(self._context(), table_of(X), out=out)
        return out

    # -- as a part of a larger model --

    def _output_types(self, types):
        return [np.result_type(*types)] * len(types)

    def _output_width(self, width):
        return int(np.count_nonzero(self.get_support()))
