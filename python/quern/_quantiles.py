# SPDX-License-Identifier: Apache-2.0
"""Quantiles of arrays, with NumPy's names and meaning, on the configured device."""
import numpy as np

from . import _config, _core
from ._arrays import _array, _native
from ._reductions import _axes, _lines, _shape

_METHODS = ("linear", "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
            "hazen", "weibull", "median_unbiased", "normal_unbiased")  # as enum quern_quantile_method
_MEDIAN = len(_METHODS)
_TAKE_VALUES = frozenset(("inverted_cdf", "closest_observation"))


def _weights(weights, x, axis, axes):
    """float64 weights of a line, or in the form that x is given the library in."""
    weights = np.asarray(weights, np.float64)
    if weights.shape == x.shape:
        return weights.reshape(-1) if axes is None else _lines(weights, axes)[0]
    if axes is None or isinstance(axis, tuple) or weights.shape != (x.shape[axes[0]],):
        raise ValueError(f"weights have shape {weights.shape}; they must have x's, or be of the axis' length")
    return np.ascontiguousarray(weights)


def _run(x, fractions, axis, method, keepdims, skip_nan, weights, dtype):
    native = _native(x)
    axes = None if axis is None else _axes(x, axis)
    array, along = (native.ravel(), 0) if axes is None else _lines(native, axes)
    if weights is not None:
        weights = _weights(weights, x, axis, axes)
    lines = 1 if array.ndim == 1 else array.shape[1 - along]
    out = np.empty((len(fractions), lines), dtype)
    _core.array_quantile(_config.context(), array, fractions, out, along, method, bool(skip_nan), weights)
    return out, _shape(x, axes, keepdims)


def _quantile(x, q, axis, method, weights, keepdims, skip_nan, percent):
    x = _array(x)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    taken = method in _TAKE_VALUES
    if x.dtype == bool and not taken:
        raise TypeError("between booleans there are no values; convert them to numbers")
    given = np.asarray(q)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"q has values of {given.dtype}, not numbers")
    fractions = np.ascontiguousarray(given, np.float64).reshape(-1)
    if percent:
        fractions = fractions / 100
    dtype = _native(x).dtype if taken else np.dtype(np.float64)
    out, shape = _run(x, fractions, axis, _METHODS.index(method), keepdims, skip_nan, weights, dtype)
    if taken or (given.ndim == 0 and x.dtype.kind == "f"):
        out = out.astype(x.dtype, copy=False)
    return out.reshape(given.shape + shape)[()]


def quantile(x, q, axis=None, *, method="linear", weights=None, keepdims=False, skip_nan=False):
    """Find quantiles, exactly.

    Parameters
    ----------
    x : array_like
        Integers or floats; booleans for methods that give values of x.
    q : float or array_like of float
        Which quantiles, from 0 to 1.
    axis : int, tuple of int or None, default=None
        The axis or axes along which values are looked at; None: all.
    method : str, default="linear"
        NumPy's name of one of Hyndman and Fan's nine definitions: "linear", "inverted_cdf",
        "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
        "median_unbiased" or "normal_unbiased".
    weights : array_like, default=None
        How much each value counts: of x's shape, or of the axis' length. For "inverted_cdf" alone.
    keepdims : bool, default=False
        Whether the axes stay, with length 1.
    skip_nan : bool, default=False
        Whether NaN is left out, as by `numpy.nanquantile`; else the result of a line with NaN is NaN.

    Returns
    -------
    out : ndarray or scalar
        q's dimensions, then those of x that are left. float64; for one q of floats x's dtype; always x's
        dtype for "inverted_cdf" and "closest_observation", which give values of x.

    Raises
    ------
    TypeError
        x or q has values of another kind.
    ValueError
        q is not from 0 to 1, the method is another word, weights do not fit, or there are no values.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.median : The middle value.
    quern.percentile : For q from 0 to 100.

    Notes
    -----
    Where NumPy computes in float32 because x and q are, this does so in float64 and rounds once. There are
    no warnings.

    Examples
    --------
    >>> import quern
    >>> quern.quantile([1.0, 2.0, 4.0, 8.0], [0.25, 0.5])
    array([1.75, 3.  ])
    """
    return _quantile(x, q, axis, method, weights, keepdims, skip_nan, False)


def percentile(x, q, axis=None, *, method="linear", weights=None, keepdims=False, skip_nan=False):
    """Find percentiles, exactly.

    Parameters
    ----------
    x : array_like
        Integers or floats; booleans for methods that give values of x.
    q : float or array_like of float
        Which percentiles, from 0 to 100.
    axis : int, tuple of int or None, default=None
        The axis or axes along which values are looked at; None: all.
    method : str, default="linear"
        As for `quern.quantile`.
    weights : array_like, default=None
        As for `quern.quantile`.
    keepdims : bool, default=False
        Whether the axes stay, with length 1.
    skip_nan : bool, default=False
        Whether NaN is left out, as by `numpy.nanpercentile`; else the result of a line with NaN is NaN.

    Returns
    -------
    out : ndarray or scalar
        As from `quern.quantile`.

    Raises
    ------
    TypeError
        x or q has values of another kind.
    ValueError
        q is not from 0 to 100, the method is another word, weights do not fit, or there are no values.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.quantile : For q from 0 to 1.

    Examples
    --------
    >>> import quern
    >>> print(quern.percentile([1.0, 2.0, 4.0, 8.0], 50))
    3.0
    """
    return _quantile(x, q, axis, method, weights, keepdims, skip_nan, True)


def median(x, axis=None, *, keepdims=False, skip_nan=False):
    """Find the median.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.
    axis : int, tuple of int or None, default=None
        The axis or axes along which values are looked at; None: all.
    keepdims : bool, default=False
        Whether the axes stay, with length 1.
    skip_nan : bool, default=False
        Whether NaN is left out, as by `numpy.nanmedian`; else the result of a line with NaN is NaN.

    Returns
    -------
    out : ndarray or scalar
        The mean of the two middle values, of x's dtype; of booleans and integers float64. NaN where there
        are no values.

    Raises
    ------
    TypeError
        x has values of another kind.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.quantile : Any quantile.

    Examples
    --------
    >>> import quern
    >>> quern.median([[1, 5, 2], [4, 0, 9]], axis=1)
    array([2., 4.])
    """
    x = _array(x)
    dtype = _native(x).dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    out, shape = _run(x, np.array([0.5]), axis, _MEDIAN, keepdims, skip_nan, None, dtype)
    return out.astype(x.dtype if x.dtype.kind == "f" else dtype, copy=False).reshape(shape)[()]
