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
    """MinMaxScaler of columns (axis 0) or rows (axis 1); `sklearn.preprocessing.minmax_scale`."""
    return _along(MinMaxScaler(feature_range=feature_range, copy=copy), X, axis, False)


@validate_params({"X": _ANY, "axis": _AXIS}, prefer_skip_nested_validation=False)
def maxabs_scale(X, *, axis=0, copy=True):
    """MaxAbsScaler of columns (axis 0) or rows (axis 1); `sklearn.preprocessing.maxabs_scale`."""
    return _along(MaxAbsScaler(copy=copy), X, axis, ("csr", "csc"))


@validate_params({"X": _ANY, "axis": _AXIS}, prefer_skip_nested_validation=False)
def robust_scale(X, *, axis=0, with_centering=True, with_scaling=True,
                 quantile_range=(25.0, 75.0), copy=True, unit_variance=False):
    """RobustScaler of columns (axis 0) or rows (axis 1); `sklearn.preprocessing.robust_scale`."""
    scaler = RobustScaler(with_centering=with_centering, with_scaling=with_scaling,
                          quantile_range=quantile_range, unit_variance=unit_variance, copy=copy)
    return _along(scaler, X, axis, ("csr", "csc"))


@validate_params({"X": _ANY, "axis": _AXIS, "with_mean": ["boolean"], "with_std": ["boolean"],
                  "copy": ["boolean"]}, prefer_skip_nested_validation=True)
def scale(X, *, axis=0, with_mean=True, with_std=True, copy=True):
    """Columns (axis 0) or rows (axis 1) with mean 0 and deviation 1; `sklearn.preprocessing.scale`.

    Unlike StandardScaler it takes near-constant columns to be those whose deviation is near zero."""
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
