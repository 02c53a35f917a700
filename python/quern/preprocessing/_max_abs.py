# SPDX-License-Identifier: Apache-2.0
"""MaxAbsScaler."""
import numpy as np
from sklearn.utils.validation import FLOAT_DTYPES

from .._host import fit_context
from ..base import described, float_dtype
from ._scalers import Scaler, zero_is_one


@described
class MaxAbsScaler(Scaler):
    """Divide each column by its largest absolute value.

    Values come to lie in [-1, 1] and zeros stay zeros, so sparse matrices stay sparse. Missing values (NaN)
    take no part in the fit and stay where they are.

    Parameters
    ----------
    copy : bool, default=True
        False: `transform` writes into X where X is a float array or a CSR or CSC matrix.
    clip : bool, default=False
        Limit what `transform` gives to [-1, 1], for values beyond the learned ones.

    Attributes
    ----------
    max_abs_ : ndarray of shape (n_features,)
        Largest absolute values, in the dtype of the rows (float32 or float64).
    scale_ : ndarray of shape (n_features,)
        What is divided by: `max_abs_`, or 1 where that is next to 0.
    n_samples_seen_ : int
        Number of rows, those with missing values included.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.maxabs_scale : The same as a function, along rows too.
    quern.preprocessing.MinMaxScaler : Scales to any range.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.MaxAbsScaler`, attributes included, bit for bit.

    Extremes and the transform of dense rows run on the configured device, those of sparse matrices on the
    host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import MaxAbsScaler
    >>> MaxAbsScaler().fit_transform(np.array([[1.0, -8.0], [-2.0, 0.0], [0.5, 4.0]]))
    array([[ 0.5 , -1.  ],
           [-1.  ,  0.  ],
           [ 0.25,  0.5 ]])
    """

    _learned = ("scale_", "max_abs_")
    _vectors = ("scale_",)
    _switches = ("clip",)
    _sparse_formats = ("csr", "csc")

    def _tensors(self):
        return {"max_abs_": self._vector("max_abs_", 1.0), "scale_": self._vector("scale_", 1.0),
                "n_samples_seen_": self._counts(1)}

    def fit(self, X, y=None):
        """Learn each column's largest absolute value.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : MaxAbsScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or X has infinities, no row or no column, or cells that
            are no numbers.
        """
        self._forget()
        return self._partial_fit(X, False)

    def partial_fit(self, X, y=None):
        """Learn from more rows, in addition to those before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows, with the columns of the first call.
        y : None
            Not used.

        Returns
        -------
        self : MaxAbsScaler
            The scaler, fitted to all rows so far: with the attributes of one `fit` of them.

        Raises
        ------
        ValueError
            As for `fit`; or the columns are not those of the first call.
        """
        return self._partial_fit(X, True)

    @fit_context
    def _partial_fit(self, X, goes_on):
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, True, first, whole=not goes_on, accept_sparse=("csr", "csc"), dtype=FLOAT_DTYPES,
                            ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        largest, scale = (found[name].astype(float_dtype(X)) for name in ("max_abs_", "scale_"))
        if not whole:
            largest = np.maximum(self.max_abs_, largest)
            scale = zero_is_one(largest)
        self.n_samples_seen_ = X.shape[0] + (0 if first else self.n_samples_seen_)
        self.max_abs_, self.scale_ = largest, scale
        self._remember()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
