# SPDX-License-Identifier: Apache-2.0
"""Covariances and correlations, with NumPy's names and meaning, on the configured device."""
import numpy as np

from . import _config, _core
from ._arrays import _array, _native


def _variables(x, rowvar, what, lone):
    """x with a variable in each row. lone: whether a single row of a matrix is one variable all the same."""
    x = _array(x, what)
    if x.ndim > 2:
        raise ValueError(f"{what} has more than 2 dimensions")
    rows = x if x.ndim == 2 else x.reshape(1, -1)
    if rowvar or (rows.shape[0] == 1 if lone else x.ndim == 1):
        return rows
    return rows.T


def _dtype(dtype):
    if dtype is None:
        return np.dtype(np.float64)
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"covariances are float32 or float64, not {dtype}")
    return dtype.newbyteorder("=")


def _one_weight_each(weights, n, name):
    weights = np.asarray(weights, dtype=np.float64)
    if name == "fweights" and not np.all(weights == np.around(weights)):
        raise TypeError("fweights must be integer")
    if weights.ndim > 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if weights.shape != (n,):
        raise RuntimeError(f"incompatible numbers of samples and {name}")
    if np.any(weights < 0):
        raise ValueError(f"{name} cannot be negative")
    return weights


def _weights(n, fweights, aweights, ddof):
    """The observations' weights, or None, and what the divisor is less than their sum."""
    both = [_one_weight_each(w, n, name) for w, name in ((fweights, "fweights"), (aweights, "aweights"))
            if w is not None]
    if not both:
        return None, ddof
    w = both[0] if len(both) == 1 else both[0] * both[1]
    total = w.sum()
    if total == 0:
        raise ZeroDivisionError("the weights sum to zero, and have no mean")
    if aweights is not None and ddof != 0:
        ddof = ddof * (w * both[-1]).sum() / total
    return w, float(ddof)


def _square(m, y, rowvar, dtype, correlation, skip_nan, min_periods, ddof=1, fweights=None, aweights=None):
    dtype = _dtype(dtype)
    x = _variables(m, rowvar, "m" if not correlation else "x", False)
    other = None if y is None else _variables(y, rowvar, "y", True)
    if x.shape[0] == 0:
        return np.empty((0, 0), dtype)
    if other is not None:
        x = np.concatenate((x, other), axis=0)
    if skip_nan and (fweights is not None or aweights is not None):
        raise ValueError("weights do not go with skip_nan")
    if not skip_nan and min_periods != 1:
        raise ValueError("min_periods goes with skip_nan")
    w, less = _weights(x.shape[1], fweights, aweights, ddof)
    out = np.empty((x.shape[0],) * 2, dtype)
    _core.array_covariance(_config.context(), _native(x), out, 1, correlation, less, w, bool(skip_nan), min_periods)
    return out.squeeze()[()] if not correlation or out.size == 1 else out


def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None,
        skip_nan=False, min_periods=1):
    """Find the covariance of each two variables.

    Parameters
    ----------
    m : array_like
        Booleans, integers or floats, of one dimension, which is one variable, or two.
    y : array_like, default=None
        More variables with the same observations.
    rowvar : bool, default=True
        Whether each row is a variable; else each column is.
    bias : bool, default=False
        Whether sums of products are divided by the number of observations; else by one less.
    ddof : int, default=None
        What the divisor is less than the number of observations; None: what `bias` says.
    fweights : array_like, default=None
        How often each observation occurs, integers.
    aweights : array_like, default=None
        How much each observation counts.
    dtype : dtype, default=None
        float32 or float64, which is the default whatever the dtype of m. Computed in float64.
    skip_nan : bool, default=False
        Whether each two variables have the observations in which neither is NaN; else NaN makes NaN.
    min_periods : int, default=1
        With `skip_nan`: of how many such observations there is a result, else NaN.

    Returns
    -------
    out : ndarray or scalar
        A row and a column for each variable; of one variable a scalar.

    Raises
    ------
    TypeError
        m or y has values of another kind, `dtype` is another one, or `fweights` are no integers.
    ValueError
        m or y has more than two dimensions, y has other observations, `ddof` is no integer, a weight is negative
        or not finite, there are weights with `skip_nan`, or `min_periods` without it or below 0.
    RuntimeError
        There is not one weight for each observation.
    ZeroDivisionError
        The weights sum to zero.

    See Also
    --------
    quern.corrcoef : Covariances over both deviations.
    quern.var : The diagonal.

    Notes
    -----
    As `numpy.cov`, without its warnings: a divisor that is not positive is 0. The means are found first, with what
    their rounding loses, then the products of differences from them are added up in an order that does not depend on
    the device, the number of threads or the layout. NaN makes the covariances of its variable NaN.

    With `skip_nan` as `pandas.DataFrame.cov`, but `ddof` counts: the means, the products and their number are those of
    the observations that the two variables have in common. Without NaN the results are those without `skip_nan`.

    Examples
    --------
    >>> import quern
    >>> quern.cov([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    if ddof is None:
        ddof = 0 if bias else 1
    return _square(m, y, rowvar, dtype, False, skip_nan, min_periods, ddof, fweights, aweights)


def corrcoef(x, y=None, rowvar=True, *, dtype=None, skip_nan=False, min_periods=1):
    """Find Pearson's correlation of each two variables.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats, of one dimension, which is one variable, or two.
    y : array_like, default=None
        More variables with the same observations.
    rowvar : bool, default=True
        Whether each row is a variable; else each column is.
    dtype : dtype, default=None
        float32 or float64, which is the default whatever the dtype of x. Computed in float64.
    skip_nan : bool, default=False
        Whether each two variables have the observations in which neither is NaN; else NaN makes NaN.
    min_periods : int, default=1
        With `skip_nan`: of how many such observations there is a result, else NaN.

    Returns
    -------
    out : ndarray or scalar
        A row and a column for each variable, within -1 and 1; of one variable a scalar.

    Raises
    ------
    TypeError
        x or y has values of another kind, or `dtype` is another one.
    ValueError
        x or y has more than two dimensions, y has other observations, or there is `min_periods` without `skip_nan` or below 0.

    See Also
    --------
    quern.cov : The covariances.

    Notes
    -----
    As `numpy.corrcoef`, without its warnings: covariances are divided by the row's deviation, then by the column's, so the
    diagonal may be a rounding less than 1. The correlations of a variable that is constant are NaN. With `skip_nan` as
    `pandas.DataFrame.corr`: the deviations too are those of the observations in common.

    Examples
    --------
    >>> import quern
    >>> quern.corrcoef([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    return _square(x, y, rowvar, dtype, True, skip_nan, min_periods)
