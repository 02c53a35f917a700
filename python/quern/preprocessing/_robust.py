# SPDX-License-Identifier: Apache-2.0
"""RobustScaler."""
import numpy as np
from scipy import sparse
from sklearn.utils.validation import FLOAT_DTYPES

from .._host import fit_context
from ..base import described, float_dtype
from ._scalers import Scaler


@described
class RobustScaler(Scaler):
    """Subtract the median and divide by the range between two quantiles, per column.

    A few values far off move neither, unlike mean and standard deviation. Missing values (NaN) take no part
    in the fit and stay where they are.

    Parameters
    ----------
    with_centering : bool, default=True
        Subtract the median. It has to be False for sparse matrices, which would be filled up.
    with_scaling : bool, default=True
        Divide by the range between the quantiles.
    quantile_range : tuple (q_min, q_max), default=(25.0, 75.0)
        The two quantiles in percent, 0 <= q_min <= q_max <= 100.
    copy : bool, default=True
        False: `transform` writes into X where X is a float array or a CSR or CSC matrix.
    unit_variance : bool, default=False
        Divide the range by that of the normal distribution, so that normal data gets variance 1.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,) or None
        Medians, in the dtype of the rows (float32 or float64). None without `with_centering`.
    scale_ : ndarray of shape (n_features,), dtype float64, or None
        Ranges between the quantiles; 1 where that is next to 0. None without `with_scaling`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.robust_scale : The same as a function, along rows too.
    quern.preprocessing.StandardScaler : Mean and standard deviation; fits in chunks.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.RobustScaler`: quantiles are NumPy's, linear between two
    values, zeros of a sparse matrix that are not stored included. One difference: a scaler
    that was fitted with centering refuses sparse rows, which scikit-learn scales without a word.

    Selection and transform of dense rows run on the configured device, sparse matrices on the host.

    Examples
    --------
    >>> from quern.preprocessing import RobustScaler
    >>> scaler = RobustScaler().fit([[1.0], [2.0], [3.0], [4.0], [1000.0]])
    >>> scaler.center_, scaler.scale_
    (array([3.]), array([2.]))
    >>> scaler.transform([[5.0]])
    array([[1.]])
    """

    _learned = ("center_", "scale_")
    _vectors = ("center_", "scale_")
    _switches = ("with_centering", "with_scaling")
    _sparse_formats = ("csr", "csc")

    def _works(self):
        return self.with_centering or self.with_scaling

    def _tensors(self):
        tensors = {}
        if self.with_centering:
            tensors["center_"] = self._vector("center_", 0.0)
        if self.with_scaling:
            tensors["scale_"] = self._vector("scale_", 1.0)
        return tensors

    def _take(self, found, dtype, rows):
        self.center_ = (found["center_"].astype(dtype)
                        if self.with_centering else None)
        self.scale_ = np.array(found["scale_"]) if self.with_scaling else None

    @fit_context
    def fit(self, X, y=None):
        """Learn medians and quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : RobustScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            A parameter is not one of those above, `quantile_range` is not, or X has infinities, no row or
            no column, cells that are no numbers, or is sparse while `with_centering` is True.
        """
        X = self._validated(X, True, True, whole=True, accept_sparse=("csc", "csr"), dtype=FLOAT_DTYPES,
                            ensure_all_finite="allow-nan")
        low, high = self.quantile_range
        if not 0 <= low <= high <= 100:
            raise ValueError(f"Invalid quantile range: {self.quantile_range}")
        if self.with_centering and sparse.issparse(X):
            raise ValueError("Cannot center sparse matrices: use `with_centering=False`"
                             " instead. See docstring for motivation and alternatives.")
        found, _ = self._learn(X)
        self._take(found, float_dtype(X), X.shape[0])
        self._remember()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_centering
        return tags
