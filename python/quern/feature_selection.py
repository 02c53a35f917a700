# SPDX-License-Identifier: Apache-2.0
"""The estimators of `sklearn.feature_selection` that the library has: VarianceThreshold, univariate selection
(_univariate.py) and its scores (_scores.py, _mutual_info.py)."""
import numpy as np
from scipy import sparse
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from ._host import fit_context
from ._mutual_info import mutual_info_classif, mutual_info_regression
from ._scores import chi2, f_classif, f_regression, r_regression
from ._selector import Selector
from ._sparse import from_sparse
from ._univariate import (GenericUnivariateSelect, SelectFdr, SelectFpr, SelectFwe, SelectKBest,
                          SelectPercentile)
from .base import described, learned, refuse_non_finite, table_of


@described
class VarianceThreshold(Selector):
    """Leave out columns whose variance is not greater than a threshold.

    Missing values (NaN) take no part in the fit and stay where they are.

    Parameters
    ----------
    threshold : float, default=0.0
        Columns whose variance is not greater are left out: with 0, those that are constant.

    Attributes
    ----------
    variances_ : ndarray of shape (n_features,), dtype float64
        Variances, with the divisor n; with the threshold 0 the range of the column, where that is smaller.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.VarianceThreshold`; values keep their dtype. One
    difference: a constant column with missing values has the variance 0, where scikit-learn's rounded mean
    can leave a tiny one, so that the column stays.

    Variances, and the transform of arrays, are computed on the configured device. Sparse matrices are fitted
    and transformed on the host, and so is the way back.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import VarianceThreshold
    >>> X = np.array([[1.0, 2.0, 0.0], [1.0, 3.0, 0.0], [1.0, 7.0, 0.5]])
    >>> selector = VarianceThreshold(0.01).fit(X)
    >>> selector.get_support()
    array([False,  True,  True])
    >>> selector.transform(X)
    array([[2. , 0. ],
           [3. , 0. ],
           [7. , 0.5]])
    """

    @fit_context
    def fit(self, X, y=None):
        """Learn the variances.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : VarianceThreshold
            The fitted selector.

        Raises
        ------
        ValueError
            The threshold is negative; no column's variance is greater; or X has infinities, no row or no
            column, or cells that are no numbers.
        """
        X = self._validated(X, True, True, whole=True, accept_sparse=("csr", "csc"), dtype=FLOAT_DTYPES,
                            ensure_all_finite="allow-nan")
        table = from_sparse(X) if sparse.issparse(X) else table_of(X)
        try:
            model = self._pipeline().fit(self._context(), table)
        except ValueError as error:
            if "greater than the threshold" not in str(error):
                refuse_non_finite(error, X, self)
            tail = " (X contains only one sample)" if X.shape[0] == 1 else ""
            raise ValueError("No feature in X meets the variance threshold "
                             f"{self.threshold:.5f}{tail}") from error
        self.variances_ = learned(model)["variances_"]
        return self

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.variances_ > self.threshold

    # -- as a part of a larger model --

    def _adopt(self, found, types, rows):
        self.variances_ = found["variances_"]

    def _tensors_for(self, types):
        return {"variances_": np.asarray(self.variances_, np.float64)}

    def _fused_key(self):
        return (super()._fused_key(), np.asarray(self.variances_).tobytes())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


__all__ = ["GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest",
           "SelectPercentile", "VarianceThreshold", "chi2", "f_classif", "f_regression",
           "mutual_info_classif", "mutual_info_regression", "r_regression"]
