# SPDX-License-Identifier: Apache-2.0
"""Functions that move values of arrays, with NumPy's names and meaning, on the configured device."""
import operator

import numpy as np

from . import _config, _core
from ._arrays import _array, _library_dtype, _Lines
from ._memory import empty

_MODES = {"raise": 0, "wrap": 1, "clip": 2}


def _own(x):
    """x with no two values in one place: the library's views have a stride for every value."""
    return np.ascontiguousarray(x) if 0 in x.strides and x.size else x


def _words(x):
    """x as the library has it: float16 as the integers of its bits, which are only moved."""
    x = _own(x)
    return x.view(np.uint16) if x.dtype == np.float16 else x.astype(_library_dtype(x.dtype), copy=False)


def _as(out, dtype):
    """What _words took apart."""
    return out.view(dtype) if dtype == np.float16 else out.astype(dtype, copy=False)


def _flat(x):
    """x of more than two dimensions, as the library moves it value by value: as one or two."""
    if x.ndim in (1, 2):
        return x
    if x.ndim == 0 or x.flags.c_contiguous:
        return x.reshape(-1)
    return np.ascontiguousarray(x).reshape(-1)


def _move(x, out, checked=False):
    """Writes x into out, of its shape."""
    if x.ndim > 2 and x.flags.f_contiguous and out.flags.f_contiguous:
        x, out = x.T, out.T
    if x.ndim == 2 or out.flags.c_contiguous:
        flat = out if x.ndim in (1, 2) else out.reshape(-1)
        _core.array_cast(_config.context(), _flat(x), flat, checked)
    else:
        made = empty(x.shape, out.dtype)
        _move(x, made, checked)
        out[...] = made


def astype(x, dtype, *, casting="unsafe", checked=False):
    """Copy an array in another dtype.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.
    dtype : dtype
        Of these kinds.
    casting : {"no", "equiv", "safe", "same_kind", "unsafe"}, default="unsafe"
        Which pairs of dtypes are allowed, as `numpy.can_cast` has it.
    checked : bool, default=False
        Whether a value that the dtype cannot have is an error: NaN, infinities and numbers out of range
        where integers are wanted, and finite numbers beyond float32.

    Returns
    -------
    out : ndarray
        A copy, in C order, or in Fortran order if x is and has two dimensions.

    Raises
    ------
    TypeError
        One of the dtypes is of another kind, or the pair is not allowed.
    ValueError
        With `checked`: a value does not fit.

    See Also
    --------
    quern.copy : Without another dtype.

    Notes
    -----
    As `numpy.astype` where that is defined. Floats are truncated. What NumPy leaves to the processor is
    the same here on every device: integers of 64 bits saturate, NaN is 0, and narrower integers keep the
    low bits of those.

    Examples
    --------
    >>> import quern
    >>> quern.astype([1.7, -2.2, float("nan")], "int32")
    array([ 1, -2,  0], dtype=int32)
    """
    x, dtype = _array(x), np.dtype(dtype)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(f"dtype is {dtype}; booleans, integers, float16, float32 and float64 can be cast")
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(f"{x.dtype} cannot be cast to {dtype} by the rule {casting!r}")
    x = _own(x)
    out = empty(x.shape, dtype.newbyteorder("="), order="F" if x.ndim == 2 and _fortran(x) else "C")
    if np.float16 in (x.dtype, out.dtype) and x.dtype != out.dtype:
        return _half(x, out, checked).astype(dtype, copy=False)
    source = x.view(np.uint16) if x.dtype == np.float16 else x.astype(_library_dtype(x.dtype), copy=False)
    _move(source, out.view(source.dtype) if x.dtype == np.float16 else out, bool(checked))
    return out.astype(dtype, copy=False)


def _fortran(x):
    return x.flags.f_contiguous and not x.flags.c_contiguous


def _half(x, out, checked):
    """To and from float16, by float32, in which it is exact; NumPy rounds to it."""
    if x.dtype == np.float16:
        return astype(x.astype(np.float32), out.dtype, checked=checked)
    with np.errstate(over="ignore"):
        out[...] = x
    if checked and np.any(np.isinf(out) & np.isfinite(x)):
        raise ValueError("a value does not fit float16")
    return out


def copy(x, order="C"):
    """Copy an array, from any strides into packed memory.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.
    order : {"C", "F"}, default="C"
        The order of the copy.

    Returns
    -------
    out : ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        x has values of another kind.
    ValueError
        order is another word.

    See Also
    --------
    quern.transpose : With the axes reversed.

    Notes
    -----
    Bits are copied. A copy between orders is turned in blocks that stay in the cache, by all threads.

    Examples
    --------
    >>> import quern
    >>> quern.copy([[1, 2], [3, 4]], order="F").flags.f_contiguous
    True
    """
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', not {order!r}")
    x = _array(x)
    words = _words(x)
    out = empty(x.shape, words.dtype, order)
    _move(words, out)
    return _as(out, x.dtype)


def transpose(x):
    """Copy an array with its axes reversed.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.

    Returns
    -------
    out : ndarray
        In C order: a copy, where `numpy.transpose` gives a view.

    Raises
    ------
    TypeError
        x has values of another kind.

    See Also
    --------
    quern.copy : Without another shape.

    Examples
    --------
    >>> import quern
    >>> quern.transpose([[1, 2, 3], [4, 5, 6]])
    array([[1, 4],
           [2, 5],
           [3, 6]])
    """
    return copy(_array(x).T)


def _middle(x, axis):
    """x as (before, along, after), of which the library moves two dimensions at a time; (array, axis)."""
    before, after = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1:]))
    if x.flags.c_contiguous and before == 1:
        return x.reshape(x.shape[axis], after), 0
    if x.flags.c_contiguous and after == 1:
        return x.reshape(before, x.shape[axis]), 1
    return None


def _along(x, axis, n, call):
    """What `call(array, out, axis)` writes, with n values along the axis."""
    axis = operator.index(axis)
    if not -x.ndim <= axis < x.ndim:
        raise np.exceptions.AxisError(axis, x.ndim)
    axis %= x.ndim
    words = _words(x)
    shape = (*x.shape[:axis], n, *x.shape[axis + 1:])
    if x.ndim <= 2:
        out = empty(shape, words.dtype, order="F" if x.ndim == 2 and _fortran(x) else "C")
        call(words, out, axis)
        return _as(out, x.dtype)
    two = _middle(words, axis)
    if two is not None:
        part, at = two
        out = empty((n, part.shape[1]) if at == 0 else (part.shape[0], n), words.dtype)
        call(part, out, at)
        return _as(out.reshape(shape), x.dtype)
    lines = _Lines(words, axis)
    out = lines.empty(words.dtype, n)
    call(lines.array, out, lines.along)
    return _as(np.ascontiguousarray(lines.back(out)), x.dtype)


def take(x, indices, axis=None, *, mode="raise"):
    """Take values along an axis by their places.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.
    indices : array_like of int
        Places, of any shape, in any order and number.
    axis : int or None, default=None
        The axis along which they count; None: x is flattened first.
    mode : {"raise", "wrap", "clip"}, default="raise"
        What an index out of bounds is: an error (negative ones count from the end), taken modulo, or the
        nearest place.

    Returns
    -------
    out : ndarray
        Of x's dtype; the axis gives way to those of `indices`.

    Raises
    ------
    TypeError
        x has values of another kind, or indices are not integers, or are uint64.
    IndexError
        An index is out of bounds, or there is nothing to take.
    numpy.exceptions.AxisError
        x has no such axis.
    ValueError
        mode is another word.

    See Also
    --------
    quern.compress : By a mask.

    Notes
    -----
    As `numpy.take`. Rows of a packed matrix are taken whole. Indices that an earlier step made, such as
    those of `quern.argsort`, need no check but are checked all the same.

    Examples
    --------
    >>> import quern
    >>> quern.take([[1, 2], [3, 4], [5, 6]], [2, 0], axis=0)
    array([[5, 6],
           [1, 2]])
    """
    if mode not in _MODES:
        raise ValueError(f"mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    x, indices = _array(x), np.asarray(indices)
    if indices.size == 0 and indices.dtype == np.float64:
        indices = indices.astype(np.int64)
    if indices.dtype.kind not in "iub" or indices.dtype == np.uint64:
        raise TypeError(f"indices are of {indices.dtype}; they must be integers, and not uint64")
    if axis is None:
        x, axis = copy(x).reshape(-1) if not x.flags.c_contiguous else x.reshape(-1), 0
    elif x.ndim == 0 and operator.index(axis) in (0, -1):
        x, axis = x.reshape(1), 0
    places = _own(indices.reshape(-1))
    places = places.astype(np.int64 if places.dtype.kind == "b" else _library_dtype(places.dtype), copy=False)

    def call(array, out, at):
        if array.shape[at] == 0 and places.size:
            raise IndexError("there is nothing to take along an axis of 0 values")
        try:
            _core.array_take(_config.context(), array, places, out, at, _MODES[mode])
        except ValueError as error:
            raise _out_of_bounds(error, places, array.shape[at]) from None

    out = _along(x, axis, places.shape[0], call)
    axis %= x.ndim
    out = out.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1:]) if indices.ndim != 1 else out
    return out if out.ndim else out[()]


def _out_of_bounds(error, places, n):
    """NumPy's class where it was an index that did not fit."""
    wrong = np.flatnonzero((places >= n) | (places < -n))
    return IndexError(f"index {places[wrong[0]]} is out of bounds for axis with size {n}") if wrong.size else error


def compress(condition, x, axis=None):
    """Keep the values along an axis where a mask is not zero.

    Parameters
    ----------
    condition : array_like
        Of one dimension; what lies beyond its end is not kept.
    x : array_like
        Booleans, integers or floats.
    axis : int or None, default=None
        The axis that the mask is laid along; None: x is flattened first.

    Returns
    -------
    out : ndarray
        Of x's dtype.

    Raises
    ------
    TypeError
        x or the mask has values of another kind.
    ValueError
        The mask has not one dimension.
    IndexError
        The mask marks a place beyond the axis.
    numpy.exceptions.AxisError
        x has no such axis.

    See Also
    --------
    quern.flatnonzero : The places that a mask marks.

    Notes
    -----
    As `numpy.compress`; along the first axis it is ``x[condition]``.

    Examples
    --------
    >>> import quern
    >>> quern.compress([True, False, True], [1.5, 2.5, 3.5])
    array([1.5, 3.5])
    """
    x, mask = _array(x), _array(condition, "condition")
    if mask.ndim != 1:
        raise ValueError(f"condition must have one dimension, not {mask.ndim}")
    if axis is None:
        x, axis = copy(x).reshape(-1) if not x.flags.c_contiguous else x.reshape(-1), 0
    elif x.ndim == 0 and operator.index(axis) in (0, -1):
        x, axis = x.reshape(1), 0
    mask = _truth(mask)

    def call(array, out, at):
        which = mask[:array.shape[at]]
        if len(mask) > len(which) and mask[len(which):].any():
            raise IndexError(f"condition marks a place beyond an axis of {array.shape[at]} values")
        if out.size:
            _core.array_compress(_config.context(), which, array, out, at)

    return _along(x, axis, int(np.count_nonzero(mask)), call)


def _truth(mask):
    """As bool, which the library reads fastest; NumPy makes it of anything else."""
    return _own(mask.astype(bool, copy=False))


def flatnonzero(x):
    """Find the places of a flattened array that are not zero.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats.

    Returns
    -------
    places : ndarray of int64
        Ascending; NaN is not zero.

    Raises
    ------
    TypeError
        x has values of another kind.

    See Also
    --------
    quern.nonzero : A place in each dimension.

    Examples
    --------
    >>> import quern
    >>> quern.flatnonzero([0.0, 2.0, -1.0, 0.0])
    array([1, 2])
    """
    mask = _flat(_truth(_array(x)))
    out = empty(np.count_nonzero(mask), np.int64)
    if out.size:
        _core.array_compress(_config.context(), mask, None, out)
    return out


def nonzero(x):
    """Find the places of an array that are not zero.

    Parameters
    ----------
    x : array_like
        Booleans, integers or floats, of at least one dimension.

    Returns
    -------
    places : tuple of ndarray of int64
        One array for each dimension, in the order of rows.

    Raises
    ------
    TypeError
        x has values of another kind.
    ValueError
        x has no dimension.

    See Also
    --------
    quern.flatnonzero : Places in the flattened array.

    Examples
    --------
    >>> import quern
    >>> quern.nonzero([[0, 1], [1, 0]])
    (array([0, 1]), array([1, 0]))
    """
    x = _array(x)
    if x.ndim == 0:
        raise ValueError("x must have at least one dimension")
    places = flatnonzero(x)
    return (places,) if x.ndim == 1 else np.unravel_index(places, x.shape)


def where(condition, x, y):
    """Choose between two arrays by a mask.

    Parameters
    ----------
    condition : array_like
        Where it is not zero, x's values are taken.
    x, y : array_like
        Booleans, integers or floats; all three are broadcast.

    Returns
    -------
    out : ndarray
        Of the dtype in which NumPy joins x and y.

    Raises
    ------
    TypeError
        Values are of another kind.
    ValueError
        The shapes do not meet.

    See Also
    --------
    quern.nonzero : `numpy.where` with one argument.

    Examples
    --------
    >>> import numpy as np
    >>> import quern
    >>> x = np.array([1.0, float("nan"), 3.0])
    >>> quern.where(np.isnan(x), 0.0, x)
    array([1., 0., 3.])
    """
    x, y = (v if type(v) in (bool, int, float) else _array(v, n) for v, n in ((x, "x"), (y, "y")))
    dtype = np.result_type(x, y)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(f"x and y meet in {dtype}, in which no arrays are")
    mask = _array(condition, "condition").astype(bool, copy=False)
    both = [np.asarray(v, dtype.newbyteorder("=")) for v in (x, y)]
    shape = np.broadcast_shapes(mask.shape, both[0].shape, both[1].shape)
    out = empty(shape, both[0].dtype)
    if out.size:
        operands = [_meeting(v, shape) for v in (mask, *both)]
        flat = out if any(v.ndim == 2 for v in operands) else out.reshape(-1)
        words = np.uint16 if out.dtype == np.float16 else out.dtype
        _core.array_where(_config.context(), operands[0], operands[1].view(words), operands[2].view(words),
                          flat.view(words))
    return out


def _meeting(x, shape):
    """An operand that the library spreads: one value, a row or a column; NumPy spreads all others."""
    if x.size == 1:
        return x.reshape(1)
    if len(shape) == 2 and x.ndim in (1, 2):
        return _own(x)
    full = x if x.shape == shape else np.broadcast_to(x, shape)
    return np.ascontiguousarray(full).reshape(-1)
