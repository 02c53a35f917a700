# SPDX-License-Identifier: Apache-2.0
"""Functions of arrays, with NumPy's names and meaning, on the configured device."""
import operator

import numpy as np

from . import _config, _core
from ._memory import empty


def _array(x, what="x"):
    """x as NumPy has it: arrays of other libraries share their memory."""
    if not isinstance(x, np.ndarray):
        if not hasattr(x, "__array__") and not hasattr(x, "__array_interface__") and hasattr(x, "__dlpack__"):
            x = np.from_dlpack(x)
        else:
            x = np.asarray(x)
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        raise TypeError(f"{what} has values of {x.dtype}; booleans, integers, float16, float32 and float64 "
                        "can be sorted and searched")
    # A view that repeats its values: strides that are all 0 mean packed memory to the library.
    return x if x.size < 2 or any(x.strides) else np.ascontiguousarray(x)


def _native(x):
    """x in a dtype that the library has; float16 is in float32 what it is."""
    return x.astype(_library_dtype(x.dtype), copy=False)


def _library_dtype(dtype):
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


class _Lines:
    """An array of any dimensions as one or two, with the axis last where there are more."""

    def __init__(self, x, axis):
        axis = operator.index(axis)
        if not -x.ndim <= axis < x.ndim:
            raise np.exceptions.AxisError(axis, x.ndim)
        self.axis, self.shape = axis % x.ndim, x.shape
        self.many = x.ndim > 2
        self.array = x
        if self.many:
            moved = np.moveaxis(x, self.axis, -1)
            self.shape = moved.shape
            self.array = moved.reshape(int(np.prod(moved.shape[:-1])), moved.shape[-1])
        self.along = 1 if self.many else self.axis

    def empty(self, dtype, length=None):
        shape = list(self.array.shape)
        if length is not None:
            shape[self.along] = length
        return empty(shape, dtype)

    def back(self, out):
        if not self.many:
            return out
        return np.moveaxis(out.reshape(self.shape[:-1] + out.shape[-1:]), -1, self.axis)


def _flat_if_none(x, axis):
    return (x.ravel(), 0) if axis is None else (x, axis)


def sort(x, axis=-1, *, descending=False):
    """Sort an array.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats, of at least one dimension.
    axis : int or None, default=-1
        The axis along which values are sorted; None: x is flattened first.
    descending : bool, default=False
        Whether the largest comes first.

    Returns
    -------
    out : ndarray
        A sorted copy, of x's dtype and shape.

    Raises
    ------
    TypeError
        x has values of another kind.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.argsort : The places instead of the values.
    quern.top_k : Only the largest or smallest.

    Notes
    -----
    NaN comes last, whichever way values are sorted, and is written in one form. -0 comes before +0.

    Examples
    --------
    >>> import quern
    >>> quern.sort([3.0, float("nan"), 1.0])
    array([ 1.,  3., nan])
    """
    x, axis = _flat_if_none(_array(x), axis)
    lines = _Lines(_native(x), axis)
    out = lines.empty(lines.array.dtype)
    _core.array_sort(_config.context(), lines.array, out, None, lines.along, bool(descending))
    return lines.back(out).astype(x.dtype, copy=False)


def argsort(x, axis=-1, *, descending=False):
    """Find the places that would sort an array.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats, of at least one dimension.
    axis : int or None, default=-1
        The axis along which values would be sorted; None: x is flattened first.
    descending : bool, default=False
        Whether the largest comes first.

    Returns
    -------
    places : ndarray of int64
        Of x's shape.

    Raises
    ------
    TypeError
        x has values of another kind.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.sort : The values instead of the places.

    Notes
    -----
    Equal values, among them -0 and +0, and all NaN, keep their order, also where the largest comes first.
    NaN comes last, whichever way.

    Examples
    --------
    >>> import quern
    >>> quern.argsort([3.0, 1.0, 2.0])
    array([1, 2, 0])
    """
    x, axis = _flat_if_none(_array(x), axis)
    lines = _Lines(_native(x), axis)
    out = lines.empty(np.int64)
    _core.array_sort(_config.context(), lines.array, None, out, lines.along, bool(descending))
    return lines.back(out)


def top_k(x, k, axis=-1, *, largest=True):
    """Find the k largest or smallest values and their places.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats, of at least one dimension.
    k : int
        How many.
    axis : int or None, default=-1
        The axis along which they are looked for; None: x is flattened first.
    largest : bool, default=True
        Whether the largest are wanted, or the smallest.

    Returns
    -------
    values : ndarray
        Of x's dtype, with k values along the axis, the most extreme first.
    places : ndarray of int64
        Where they are, along the axis.

    Raises
    ------
    TypeError
        x has values of another kind, or k is no integer.
    ValueError
        k is negative, or more than there are along the axis.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.argsort : All places.

    Notes
    -----
    Of equal values the first ones are taken, in their order. NaN is taken where there are fewer than k
    numbers.

    Examples
    --------
    >>> import quern
    >>> quern.top_k([1, 5, 3, 5], 3)
    (array([5, 5, 3]), array([1, 3, 2]))
    """
    x, axis = _flat_if_none(_array(x), axis)
    k = operator.index(k)
    lines = _Lines(_native(x), axis)
    if not 0 <= k <= lines.array.shape[lines.along]:
        raise ValueError(f"k is {k}; it must be from 0 to the {lines.array.shape[lines.along]} values along the axis")
    values, places = lines.empty(lines.array.dtype, k), lines.empty(np.int64, k)
    _core.array_sort(_config.context(), lines.array, values, places, lines.along, bool(largest), k)
    return lines.back(values).astype(x.dtype, copy=False), lines.back(places)


def unique(x, return_index=False, return_inverse=False, return_counts=False):
    """Find the distinct values of an array.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats; it is flattened.
    return_index : bool, default=False
        Whether the places of first occurrence are wanted.
    return_inverse : bool, default=False
        Whether each value's place among the distinct ones is wanted.
    return_counts : bool, default=False
        Whether the numbers of occurrences are wanted.

    Returns
    -------
    values : ndarray
        The distinct values, ascending, of x's dtype.
    index : ndarray of int64
        With `return_index`: where each occurs first in the flattened array.
    inverse : ndarray of int64
        With `return_inverse`, in x's shape: ``values[inverse]`` is x.
    counts : ndarray of int64
        With `return_counts`: how often each occurs.

    Raises
    ------
    TypeError
        x has values of another kind.

    See Also
    --------
    quern.sort : With what is equal.

    Notes
    -----
    As `numpy.unique` without `axis`. -0 and +0 are one value, given as +0; all NaN are one, the last.

    Examples
    --------
    >>> import quern
    >>> quern.unique([2, 1, 2], return_counts=True)
    (array([1, 2]), array([1, 2]))
    """
    x = _array(x)
    line = _native(x).reshape(-1)
    found = _core.array_unique(_config.context(), line, bool(return_index), bool(return_inverse),
                               bool(return_counts))
    values, index, inverse, counts = (None if f is None else np.asarray(f).reshape(-1) for f in found)
    values = values.astype(x.dtype, copy=False)
    if inverse is not None:
        inverse = inverse.reshape(x.shape)
    rest = tuple(f for f in (index, inverse, counts) if f is not None)
    return (values, *rest) if rest else values


def _common(a, v):
    """Both in the dtype in which NumPy compares them; anything but an array gives way to one."""
    dtype = np.result_type(a.dtype, v.dtype)
    dtype = _library_dtype(dtype)
    return a.astype(dtype, copy=False), v.astype(dtype, copy=False)


def _places(call, a, v, right):
    if a.ndim != 1:
        raise ValueError(f"what is searched must have one dimension, not {a.ndim}")
    a, line = _common(a, v)
    if line.ndim not in (1, 2):
        line = line.reshape(-1)
    out = empty(line.shape, np.int64)
    call(_config.context(), a, line, out, right)
    return out.reshape(v.shape) if v.ndim else out.reshape(())[()]


def searchsorted(a, v, side="left", sorter=None):
    """Find where values would be put into a sorted array.

    Parameters
    ----------
    a : array_like
        Ascending values, of one dimension; NaN last.
    v : array_like
        What is looked for.
    side : {"left", "right"}, default="left"
        Before or after equal values.
    sorter : array_like of int, default=None
        The places that sort `a`, where it is not sorted.

    Returns
    -------
    places : ndarray of int64 or int
        Of v's shape.

    Raises
    ------
    TypeError
        The values are of another kind.
    ValueError
        `a` has not one dimension, or side is another word.

    See Also
    --------
    quern.digitize : For the edges of bins.

    Notes
    -----
    As `numpy.searchsorted`. Whether `a` is sorted is not looked at.

    Examples
    --------
    >>> import quern
    >>> quern.searchsorted([1.0, 2.0, 3.0], [2.0, 2.5])
    array([1, 2])
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', not {side!r}")
    a, v = _array(a, "a"), _array(v, "v")
    if sorter is not None:
        a = np.take(a, np.asarray(sorter))
    return _places(_core.array_searchsorted, a, v, side == "right")


def digitize(x, bins, right=False):
    """Find the bin of each value.

    Parameters
    ----------
    x : array_like
        Values.
    bins : array_like
        The edges, of one dimension, ascending or descending.
    right : bool, default=False
        Whether a bin has its right edge, and not its left one.

    Returns
    -------
    places : ndarray of int64 or int
        Of x's shape: 0 for what lies before the first edge.

    Raises
    ------
    TypeError
        The values are of another kind.
    ValueError
        The bins have not one dimension, or go up and down.

    See Also
    --------
    quern.searchsorted : The same for values that ascend.

    Notes
    -----
    As `numpy.digitize`; NaN lies beyond the last edge of ascending bins, and before the first of
    descending ones.

    Examples
    --------
    >>> import quern
    >>> quern.digitize([0.2, 6.4, 3.0], [0.0, 1.0, 2.5, 4.0])
    array([1, 4, 3])
    """
    return _places(_core.array_digitize, _array(bins, "bins"), _array(x), bool(right))
