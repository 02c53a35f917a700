# SPDX-License-Identifier: Apache-2.0
"""Sums and products on the way along an axis, with NumPy's names and meaning, on the configured device."""
import numpy as np

from . import _config, _core
from ._arrays import _array, _Lines, _native

_SUM, _PRODUCT = range(2)  # as enum quern_accumulation


def _accumulate(what, x, axis, skip_nan):
    x = _array(x)
    native = _native(x)
    if axis is None:
        native, axis = native.ravel(), 0
    lines = _Lines(native, axis)
    dtype = native.dtype if native.dtype.kind == "f" else np.dtype(np.uint64 if native.dtype.kind == "u" else np.int64)
    out = lines.empty(dtype)
    _core.array_accumulate(_config.context(), what, lines.array, out, lines.along, bool(skip_nan))
    return lines.back(out).astype(np.float16 if x.dtype == np.float16 else dtype, copy=False)


def cumsum(x, axis=None, *, skip_nan=False):
    """Add up values on the way along an axis.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.
    axis : int or None, default=None
        The axis; None: x is flattened.
    skip_nan : bool, default=False
        Whether NaN adds nothing, as in `numpy.nancumsum`; else all sums from the first NaN on are NaN.

    Returns
    -------
    out : ndarray
        Of x's shape and dtype; of booleans and integers int64, of unsigned integers uint64.

    Raises
    ------
    TypeError
        x has values of another kind.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.sum : The last of them, more exact.

    Notes
    -----
    Values are added one after another in the result's dtype, so the bits are NumPy's (but for float16, which is
    added up in float32). Lines share the threads; one line is added up by one.

    Examples
    --------
    >>> import quern
    >>> quern.cumsum([1, 2, 3])
    array([1, 3, 6])
    """
    return _accumulate(_SUM, x, axis, skip_nan)


def cumprod(x, axis=None, *, skip_nan=False):
    """Multiply values on the way along an axis.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.
    axis : int or None, default=None
        The axis; None: x is flattened.
    skip_nan : bool, default=False
        Whether NaN changes nothing, as in `numpy.nancumprod`; else all products from the first NaN on are NaN.

    Returns
    -------
    out : ndarray
        Of x's shape and dtype; of booleans and integers int64, of unsigned integers uint64.

    Raises
    ------
    TypeError
        x has values of another kind.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.prod : The last of them.

    Examples
    --------
    >>> import quern
    >>> quern.cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.])
    """
    return _accumulate(_PRODUCT, x, axis, skip_nan)
