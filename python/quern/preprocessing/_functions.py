# SPDX-License-Identifier: Apache-2.0
"""The scalers as functions, along rows too, and of vectors."""
import numbers
import warnings

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils._param_validation import Options, validate_params
from sklearn.utils.validation import FLOAT_DTYPES

from ._max_abs import MaxAbsScaler
from ._min_max import MinMaxScaler
from ._robust import RobustScaler
from ._scalers import zero_is_one
from ._standard import StandardScaler

_AXIS = [Options(numbers.Integral, {0, 1})]
_ANY = ["array-like", "sparse matrix"]


def _along(scaler, X, axis, formats):
    X = check_array(X, accept_sparse=formats, copy=False, ensure_2d=False, dtype=FLOAT_DTYPES,
                    ensure_all_finite="allow-nan")
    if X.ndim == 1:
        return scaler.fit_transform(X.reshape(-1, 1)).ravel()
    return scaler.fit_transform(X) if axis == 0 else scaler.fit_transform(X.T).T


@validate_params({"X": ["array-like"], "axis": _AXIS}, prefer_skip_nested_validation=False)
def minmax_scale(X, feature_range=(0, 1), *, axis=0, copy=True):
    """Map the range of each column, or row, to `feature_range`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples,)
        Numbers; NaN is left out and stays.
    feature_range : tuple (min, max), default=(0, 1)
        Where the range goes.
    axis : {0, 1}, default=0
        0: each column by its range; 1: each row.
    copy : bool, default=True
        False: writes into X where X is a float array.

    Returns
    -------
    X_tr : ndarray of the shape of X
        Scaled values, in the dtype of X if that is a float, else float64.

    Raises
    ------
    ValueError
        A parameter is not one of those above, or X has infinities or cells that are no numbers.
    TypeError
        X is sparse.

    See Also
    --------
    quern.preprocessing.MinMaxScaler : Learns from one table what others are scaled by.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.minmax_scale`. Along rows, the transposed array goes
    through a MinMaxScaler.

    Examples
    --------
    >>> from quern.preprocessing import minmax_scale
    >>> minmax_scale([[0.0, 5.0, 10.0], [2.0, 4.0, 3.0]], axis=1)
    array([[0. , 0.5, 1. ],
           [0. , 1. , 0.5]])
    """
    return _along(MinMaxScaler(feature_range=feature_range, copy=copy), X, axis, False)


@validate_params({"X": _ANY, "axis": _AXIS}, prefer_skip_nested_validation=False)
def maxabs_scale(X, *, axis=0, copy=True):
    """Divide each column, or row, by its largest absolute value.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or array-like of shape (n_samples,)
        Numbers; NaN is left out and stays.
    axis : {0, 1}, default=0
        0: each column by its own; 1: each row.
    copy : bool, default=True
        False: writes into X where X is a float array or a CSR or CSC matrix.

    Returns
    -------
    X_tr : {ndarray, sparse matrix} of the shape of X
        Values in [-1, 1], in the dtype of X if that is a float, else float64.

    Raises
    ------
    ValueError
        A parameter is not one of those above, or X has infinities or cells that are no numbers.

    See Also
    --------
    quern.preprocessing.MaxAbsScaler : Learns from one table what others are scaled by.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.maxabs_scale`.

    Examples
    --------
    >>> from quern.preprocessing import maxabs_scale
    >>> maxabs_scale([1.0, -4.0, 2.0])
    array([ 0.25, -1.  ,  0.5 ])
    """
    return _along(MaxAbsScaler(copy=copy), X, axis, ("csr", "csc"))


@validate_params({"X": _ANY, "axis": _AXIS}, prefer_skip_nested_validation=False)
def robust_scale(X, *, axis=0, with_centering=True, with_scaling=True,
                 quantile_range=(25.0, 75.0), copy=True, unit_variance=False):
    """Subtract the median and divide by the range between two quantiles, per column or row.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or array-like of shape (n_samples,)
        Numbers; NaN is left out and stays.
    axis : {0, 1}, default=0
        0: each column by its own quantiles; 1: each row.
    with_centering : bool, default=True
        Subtract the median. It has to be False for sparse matrices.
    with_scaling : bool, default=True
        Divide by the range between the quantiles.
    quantile_range : tuple (q_min, q_max), default=(25.0, 75.0)
        The two quantiles in percent, 0 <= q_min <= q_max <= 100.
    copy : bool, default=True
        False: writes into X where X is a float array or a CSR or CSC matrix.
    unit_variance : bool, default=False
        Divide the range by that of the normal distribution, so that normal data gets variance 1.

    Returns
    -------
    X_tr : {ndarray, sparse matrix} of the shape of X
        Scaled values, in the dtype of X if that is a float, else float64.

    Raises
    ------
    ValueError
        A parameter is not one of those above, or X has infinities, cells that are no numbers, or is
        sparse while `with_centering` is True.

    See Also
    --------
    quern.preprocessing.RobustScaler : Learns from one table what others are scaled by.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.robust_scale`.

    Examples
    --------
    >>> from quern.preprocessing import robust_scale
    >>> robust_scale([1.0, 2.0, 3.0, 4.0, 1000.0])
    array([ -1. ,  -0.5,   0. ,   0.5, 498.5])
    """
    scaler = RobustScaler(with_centering=with_centering, with_scaling=with_scaling,
                          quantile_range=quantile_range, unit_variance=unit_variance, copy=copy)
    return _along(scaler, X, axis, ("csr", "csc"))


@validate_params({"X": _ANY, "axis": _AXIS, "with_mean": ["boolean"], "with_std": ["boolean"],
                  "copy": ["boolean"]}, prefer_skip_nested_validation=True)
def scale(X, *, axis=0, with_mean=True, with_std=True, copy=True):
    """Give each column, or row, mean 0 and standard deviation 1.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or array-like of shape (n_samples,)
        Numbers; NaN is left out and stays.
    axis : {0, 1}, default=0
        0: each column by its own statistics; 1: each row, of a dense array.
    with_mean : bool, default=True
        Subtract the mean. It has to be False for sparse matrices.
    with_std : bool, default=True
        Divide by the standard deviation.
    copy : bool, default=True
        False: writes into X where X is a float array or a CSC matrix.

    Returns
    -------
    X_tr : {ndarray, sparse matrix} of the shape of X
        Scaled values, in the dtype of X if that is a float, else float64.

    Raises
    ------
    ValueError
        A parameter is not one of those above, or X has infinities, cells that are no numbers, or is
        sparse while `with_mean` is True or `axis` is 1.

    Warns
    -----
    UserWarning
        The mean of the result is not near 0: values are too large, or deviations too small, for the
        dtype.

    See Also
    --------
    quern.preprocessing.StandardScaler : Learns from one table what others are scaled by.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.scale`. Unlike StandardScaler it takes a column for
    constant when its deviation is next to 0. It warns less often than scikit-learn's: the library's means
    are more exact, and so is what they leave behind.

    Examples
    --------
    >>> from quern.preprocessing import scale
    >>> scale([[1.0, 10.0], [3.0, 30.0]])
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    X = check_array(X, accept_sparse="csc", copy=False, ensure_2d=False,
                    estimator="the scale function", dtype=FLOAT_DTYPES, force_writeable=not copy,
                    ensure_all_finite="allow-nan", input_name="X")
    if sparse.issparse(X):
        if with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` instead"
                             " See docstring for motivation and alternatives.")
        if axis != 0:
            raise ValueError("Can only scale sparse matrix on axis=0,  got axis=%d" % axis)
    rows = X if X.ndim == 2 and axis == 0 else X.reshape(-1, 1) if X.ndim == 1 else X.T
    scaler = StandardScaler(with_mean=with_mean, with_std=with_std, copy=copy).fit(rows)
    if with_std:
        if sparse.issparse(X):
            scaler.scale_ = np.sqrt(zero_is_one(scaler.var_))
        else:
            scaler.scale_ = zero_is_one(np.sqrt(scaler.var_).astype(X.dtype))
    out = scaler._run(rows, copy)
    if with_mean:
        out = _recentred(out, scaler, with_std)
    return out if X.ndim == 2 and axis == 0 else out.ravel() if X.ndim == 1 else out.T


def _recentred(out, scaler, with_std):
    """What scikit-learn does, with its warnings, where the mean of the result is not near zero."""
    left = StandardScaler(with_std=False).fit(out).mean_
    shift = left * scaler.scale_ if with_std else left
    if not np.allclose(shift[~np.isnan(shift)], 0):
        warnings.warn("Numerical issues were encountered when centering the data and might not be "
                      "solved. Dataset may contain too large values. You may need to prescale "
                      "your features.")
    elif not np.allclose(left[~np.isnan(left)], 0):
        warnings.warn("Numerical issues were encountered when scaling the data and might not be "
                      "solved. The standard deviation of the data is probably very close to 0. ")
    else:
        return out
    out -= left.astype(out.dtype)
    return out
