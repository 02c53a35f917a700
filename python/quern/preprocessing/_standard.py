# SPDX-License-Identifier: Apache-2.0
"""StandardScaler."""
import numpy as np
from scipy import sparse
try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        pass
from sklearn.utils.validation import FLOAT_DTYPES, _check_sample_weight, check_is_fitted

from .._host import fit_context, heard
from ..base import described
from ._scalers import Scaler

CALLBACKS = hasattr(CallbackSupportMixin, "set_callbacks")


@described
class StandardScaler(CallbackSupportMixin, Scaler):
    """Subtract the mean and divide by the standard deviation, per column.

    A value ``x`` becomes ``(x - mean_) / scale_``. Missing values (NaN) take no part in the fit and
    stay where they are.

    Parameters
    ----------
    copy : bool, default=True
        False: `transform` writes into X where X is a float array or a CSR matrix.
    with_mean : bool, default=True
        Subtract the mean. It has to be False for sparse matrices, which would be filled up.
    with_std : bool, default=True
        Divide by the standard deviation.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,), dtype float64, or None
        Means. None if neither parameter needs them.
    var_ : ndarray of shape (n_features,), dtype float64, or None
        Variances, with the divisor n. None without `with_std`.
    scale_ : ndarray of shape (n_features,), dtype float64, or None
        Square roots of `var_`; 1 for a column that cannot be told from a constant one. None without
        `with_std`.
    n_samples_seen_ : int, float or ndarray of shape (n_features,)
        Rows with a value, or the sum of their weights: one number, or one per column where they differ.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.scale : The same as a function, along rows too.
    quern.preprocessing.RobustScaler : Median and quantiles, which outliers do not move.
    quern.preprocessing.MinMaxScaler : Scales to a range.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.StandardScaler`: equal attributes give equal outputs,
    bit for bit. The attributes themselves come from pairwise merged sums about a pivot
    (``docs/numbers.md``), which do not depend on chunks, threads or device; scikit-learn's may
    differ in the last digits.

    The sums and the transform run on the configured device; the few operations from sums to attributes,
    and all work on sparse matrices, run on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import StandardScaler
    >>> X = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]])
    >>> scaler = StandardScaler().fit(X)
    >>> scaler.mean_
    array([ 3., 20.])
    >>> scaler.transform(X)
    array([[-1.22474487, -0.70710678],
           [ 0.        , -0.70710678],
           [ 1.22474487,  1.41421356]])
    >>> scaler.inverse_transform([[0.0, 0.0]])
    array([[ 3., 20.]])
    """

    _learned = ("scale_", "mean_", "var_")
    _vectors = ("mean_", "scale_")
    _switches = ("with_mean", "with_std")
    _sparse_formats = "csr"

    def _works(self):
        return self.with_mean or self.with_std

    def _tensors(self):
        n = self.n_features_in_
        tensors = {"n_samples_seen_": self._counts(n)}
        if self.with_mean or self.with_std:
            tensors["mean_"] = self._vector("mean_", 0.0)
        if self.with_std:
            tensors["scale_"] = self._vector("scale_", 1.0)
            tensors["var_"] = self._vector("var_", 1.0)
        return tensors

    def _take(self, found, dtype, rows):
        for name in self._learned:
            value = found.get(name)
            self.__dict__[name] = None if value is None else np.array(value)
        counted = np.float64 if self.with_mean or self.with_std else np.int64
        seen = found["n_samples_seen_"].astype(counted)
        self.n_samples_seen_ = seen[0] if np.min(seen) == np.max(seen) else seen

    def fit(self, X, y=None, sample_weight=None):
        """Learn means and standard deviations.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w rows; one of weight 0 does not count. Weights are float64.

        Returns
        -------
        self : StandardScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            A parameter is not one of those above; X has infinities, no row or no column, cells that are no
            numbers, or is sparse while `with_mean` is True; there is not one weight for each row, a
            weight is negative or not finite, or all are 0.
        """
        self._forget()
        return self._partial_fit(X, y, sample_weight, False)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Learn from more rows, in addition to those before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows, with the columns of the first call.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        self : StandardScaler
            The scaler, fitted to all rows so far.

        Raises
        ------
        ValueError
            As for `fit`; or the columns are not those of the first call.

        Notes
        -----
        Chunks of dense rows of one dtype give the bits of one `fit` of all rows, however they are cut.
        Sparse chunks, chunks of another dtype, and chunks after somebody changed an attribute are merged by
        Chan, Golub and LeVeque's formula, in Python.

        Examples
        --------
        >>> import numpy as np
        >>> from quern.preprocessing import StandardScaler
        >>> X = np.arange(12.0).reshape(6, 2)
        >>> scaler = StandardScaler()
        >>> for first in (0, 2, 4):
        ...     scaler = scaler.partial_fit(X[first:first + 2])
        >>> bool(np.all(scaler.var_ == StandardScaler().fit(X).var_))
        True
        """
        return self._partial_fit(X, y, sample_weight, True)

    @fit_context
    def _partial_fit(self, X, y, sample_weight, goes_on):
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, sample_weight is None, first, whole=not goes_on, accept_sparse=("csr", "csc"),
                            dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        tell = {"estimator": self, "X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        callbacks = self._init_callback_context() if CALLBACKS and heard(self) else None
        if callbacks is not None:
            callbacks.call_on_fit_task_begin(**tell)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64,
                                                 ensure_non_negative=True)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` "
                             "instead. See docstring for motivation and alternatives.")
        found, whole = self._learn(X, sample_weight, goes_on, first)
        seen = found["n_samples_seen_"]
        seen = self._counted(seen, X, sample_weight)
        mean, var, scale = (found.get(k) for k in ("mean_", "var_", "scale_"))
        if sparse.issparse(X) and not self.with_std:
            mean = None
        if not whole:
            mean, var, seen = merge_moments(
                (self.mean_, self.var_, self.n_samples_seen_), (mean, var, seen))
        self.mean_ = None if mean is None else np.array(mean)
        self.var_ = None if var is None else np.array(var)
        self.n_samples_seen_ = seen[0] if np.min(seen) == np.max(seen) else np.array(seen)
        if not self.with_std:
            self.scale_ = None
        elif whole:
            self.scale_ = np.array(scale)
        else:
            self.scale_ = standard_scale(self.mean_, self.var_, self.n_samples_seen_)
        self._remember()
        if callbacks is not None:
            callbacks.call_on_fit_task_end(**tell, reconstruction_attributes={})
        return self

    def _counted(self, seen, X, sample_weight):
        """Counts in the dtype that scikit-learn's arithmetic leaves them in."""
        if sparse.issparse(X):
            if self.with_std or sample_weight is not None:
                return seen.astype(X.dtype)
            return seen.astype(np.int64)
        return seen.astype(np.float64 if self.with_mean or self.with_std else np.int64)

    def transform(self, X, copy=None):
        """Standardize rows with what the fit learned.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; NaN stays.
        copy : bool, default=None
            In the place of the parameter `copy`, if it is not None.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The scaled rows, in the dtype of X if that is float32 or float64; float16 is computed in
            float32, and what is no float becomes float64.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns or other names than the fit saw, cells that are no
            numbers, or is sparse while `with_mean` is True.

        Notes
        -----
        At most 32 rows of a packed array go the short way where the device is the CPU: some microseconds,
        with the same bits. Sparse matrices are transformed on the host, all else on the configured device.
        """
        if copy is None:
            served = self._served(X)
            if served is not None:
                return served
            copy = self.copy
        check_is_fitted(self)
        X = self._checked(X, copy)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` "
                             "instead. See docstring for motivation and alternatives.")
        return self._run(X, copy)

    def inverse_transform(self, X, copy=None):
        """Undo the standardization.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Standardized rows. Their column names are not looked at.
        copy : bool, default=None
            In the place of the parameter `copy`, if it is not None.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The rows as they were, up to rounding.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns than the fit saw, cells that are no numbers, or is
            sparse while `with_mean` is True.

        Notes
        -----
        Dense rows go back on the configured device, sparse ones in NumPy on the host.
        """
        check_is_fitted(self)
        copy = copy if copy is not None else self.copy
        X = self._checked_back(X, copy)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot uncenter sparse matrices: pass `with_mean=False` "
                             "instead See docstring for motivation and alternatives.")
        return self._run(X, copy, inverse=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_mean
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def merge_moments(before, new):
    """Means and variances of two sets of rows together, per column (Chan, Golub, LeVeque)."""
    mean_a, var_a, n_a = before
    mean_b, var_b, n_b = new
    n_b = np.asarray(n_b)
    n_a = np.broadcast_to(np.asarray(n_a), n_b.shape)
    total = n_a + n_b
    if mean_a is None or mean_b is None:
        return None, None, total
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, n_b / total, 0.0)
    old, new_ = np.where(n_a > 0, mean_a, mean_b), np.where(n_b > 0, mean_b, mean_a)
    delta = new_ - old
    mean = np.where(n_a > 0, old + delta * share, new_)
    if var_a is None or var_b is None:
        return mean, None, total
    va, vb = np.where(n_a > 0, var_a, 0.0), np.where(n_b > 0, var_b, 0.0)
    var = va * (1 - share) + vb * share + delta * delta * (1 - share) * share
    return mean, np.where(total > 0, var, np.nan), total


def standard_scale(mean, var, n):
    """docs/numbers.md: 1 where the column cannot be told from a constant one."""
    eps = np.finfo(np.float64).eps
    with np.errstate(invalid="ignore"):
        constant = var <= n * eps * var + (n * mean * eps) ** 2
        scale = np.sqrt(var)
    scale[constant] = 1.0
    return scale
