# SPDX-License-Identifier: Apache-2.0
"""Reductions of arrays, with NumPy's names and meaning, on the configured device."""
import operator

import numpy as np

from . import _config, _core
from ._arrays import _array, _native
from ._memory import empty

# As enum quern_reduction.
(_SUM, _PRODUCT, _MEAN, _VAR, _STD, _MIN, _MAX, _PTP, _ARGMIN, _ARGMAX, _COUNT, _NONZERO, _ANY,
 _ALL) = range(14)
_ORDERED = frozenset((_SUM, _PRODUCT, _MEAN, _VAR, _STD, _ARGMIN, _ARGMAX))  # what a turned array would change

_FORM = """{summary}

Parameters
----------
x : array_like
    Booleans, integers or floats.
axis : int{tuple} or None, default=None
    The axis{axes} along which values are joined; None: all of them, row by row.
{ddof}keepdims : bool, default=False
    Whether those axes stay, with length 1.
{skip}
Returns
-------
out : ndarray or scalar
    {returns}

Raises
------
TypeError
    x has values of another kind.
{raises}numpy.exceptions.AxisError
    x has no such axis.

See Also
--------
{see}

Notes
-----
{notes}

Examples
--------
>>> import quern
{example}
"""
_SKIP = """skip_nan : bool, default=False
    Whether NaN is left out, as by NumPy's function `nan{name}`; else the result of a line with NaN is NaN.
"""
_DDOF = """ddof : float, default=0
    The sum of squares is divided by the number of values less this.
"""


def _documented(summary, returns, notes, example, see, raises="", skip=_SKIP, axes=True):
    def put(function):
        name = function.__name__
        function.__doc__ = _FORM.format(
            summary=summary, returns=returns, notes=notes, example=example, see=see,
            raises=f"ValueError\n    {raises}\n" if raises else "", skip=skip.format(name=name),
            tuple=", tuple of int" if axes else "", axes=" or axes" if axes else "",
            ddof=_DDOF if name in ("var", "std") else "")
        return function
    return put


def _axes(x, axis):
    """The axes as numbers from 0, ascending."""
    given = axis if isinstance(axis, tuple) else (axis,)
    found = []
    for a in map(operator.index, given):
        if not -x.ndim <= a < x.ndim:
            raise np.exceptions.AxisError(a, x.ndim)
        found.append(a % x.ndim)
    if not found or len(set(found)) != len(found):
        raise ValueError("axis names no axis, or one twice")
    return sorted(found)


def _lines(x, axes):
    """x as one or two dimensions, and which of them is joined: copied only where more axes cannot be two."""
    if x.ndim <= 2 and len(axes) == 1:
        return x, axes[0]
    kept = [i for i in range(x.ndim) if i not in axes]
    n = int(np.prod([x.shape[i] for i in axes], dtype=np.int64))
    lines = int(np.prod([x.shape[i] for i in kept], dtype=np.int64))
    if axes == list(range(len(axes))):
        return x.reshape(n, lines), 0
    return np.transpose(x, kept + axes).reshape(lines, n), 1


def _flat(x, ordered):
    """All of x as one line; values in memory's order where theirs does not matter."""
    return x.ravel() if ordered else x.ravel(order="K")


def _shape(x, axes, keepdims):
    if keepdims:
        return tuple(1 if axes is None or i in axes else n for i, n in enumerate(x.shape))
    return () if axes is None else tuple(n for i, n in enumerate(x.shape) if i not in axes)


def _result_dtype(what, dtype):
    if what in (_ANY, _ALL):
        return np.dtype(bool)
    if what in (_ARGMIN, _ARGMAX, _COUNT, _NONZERO):
        return np.dtype(np.int64)
    if what in (_SUM, _PRODUCT) and dtype.kind in "biu":
        return np.dtype(np.uint64 if dtype.kind == "u" else np.int64)
    if what in (_MEAN, _VAR, _STD) and dtype.kind in "biu":
        return np.dtype(np.float64)
    return dtype


def _reduce(what, x, axis, keepdims, skip_nan=False, ddof=0.0):
    x = _array(x)
    if what == _PTP and x.dtype == bool:
        raise TypeError("booleans have no range; convert them to integers")
    native = _native(x)
    axes = None if axis is None else _axes(x, axis)
    array, along = (_flat(native, what in _ORDERED), 0) if axes is None else _lines(native, axes)
    lines = 1 if array.ndim == 1 else array.shape[1 - along]
    out = empty(lines, _result_dtype(what, array.dtype))
    _core.array_reduce(_config.context(), what, array, out, along, bool(skip_nan), ddof)
    dtype = np.dtype(np.float16) if x.dtype == np.float16 and out.dtype.kind == "f" else out.dtype
    if x.dtype.kind != "f" and out.dtype == x.dtype.newbyteorder("="):
        dtype = x.dtype
    return out.astype(dtype, copy=False).reshape(_shape(x, axes, keepdims))[()]


_NO_VALUES = "There are no values, of which none is the {}."
_SUMS = ("Sums of floats do not depend on the number of threads, the device or the layout, and are more exact than\n"
         "NumPy's: float32 is added up in float64, float64 with what each addition loses.")


@_documented("Add up values.", "Of x's dtype; of booleans and integers int64, of unsigned integers uint64.",
             _SUMS + " Integers wrap around.", ">>> quern.sum([[1, 2], [3, 4]], axis=0)\narray([4, 6])",
             "quern.mean : Divided by their number.\nquern.cumsum : All sums on the way.")
def sum(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_SUM, x, axis, keepdims, skip_nan)


@_documented("Multiply values.", "Of x's dtype; of booleans and integers int64, of unsigned integers uint64.",
             "Products of floats are made in float64, in an order that only the places of values decide. Integers wrap\n"
             "around.", ">>> print(quern.prod([2.0, 3.0, 4.0]))\n24.0", "quern.sum : Their sum.")
def prod(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_PRODUCT, x, axis, keepdims, skip_nan)


@_documented("Find the arithmetic mean.",
             "Of x's dtype; of booleans and integers float64. NaN where there are no values.",
             _SUMS + "\nThere are no warnings.", ">>> quern.mean([[1.0, 2.0], [3.0, 5.0]], axis=1)\narray([1.5, 4. ])",
             "quern.std : How far values lie from it.\nquern.median : The middle value.")
def mean(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_MEAN, x, axis, keepdims, skip_nan)


_MOMENTS = ("Made of the same moments as the estimators' (docs/numbers.md): the bits do not depend on threads or device, and\n"
            "nothing is lost where the mean is large. There are no warnings.")


@_documented("Find the variance.", "Of x's dtype; of booleans and integers float64. NaN where there are no values.",
             _MOMENTS, ">>> print(quern.var([1.0, 2.0, 3.0, 4.0]))\n1.25", "quern.std : Its square root.",
             raises="ddof is not a finite number.")
def var(x, axis=None, *, ddof=0, keepdims=False, skip_nan=False):
    return _reduce(_VAR, x, axis, keepdims, skip_nan, ddof)


@_documented("Find the standard deviation.",
             "Of x's dtype; of booleans and integers float64. NaN where there are no values.",
             _MOMENTS, ">>> print(quern.std([1.0, 3.0]))\n1.0", "quern.var : Its square.",
             raises="ddof is not a finite number.")
def std(x, axis=None, *, ddof=0, keepdims=False, skip_nan=False):
    return _reduce(_STD, x, axis, keepdims, skip_nan, ddof)


_EXTREME = "Of x's dtype. With `skip_nan` NaN where there is no number. A zero is +0."


@_documented("Find the smallest value.", _EXTREME, "As `numpy.min`, and with `skip_nan` as `numpy.nanmin` without warnings.",
             ">>> quern.min([[3, 1], [2, 4]], axis=1)\narray([1, 2])",
             "quern.argmin : Where it is.\nquern.max : The largest.", raises=_NO_VALUES.format("smallest"))
def min(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_MIN, x, axis, keepdims, skip_nan)


@_documented("Find the largest value.", _EXTREME, "As `numpy.max`, and with `skip_nan` as `numpy.nanmax` without warnings.",
             ">>> quern.max([[3, 1], [2, 4]], axis=1)\narray([3, 4])",
             "quern.argmax : Where it is.\nquern.min : The smallest.", raises=_NO_VALUES.format("largest"))
def max(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_MAX, x, axis, keepdims, skip_nan)


@_documented("Find how far apart the largest and the smallest value are.",
             "Of x's dtype, in which the difference is made.",
             "As `numpy.ptp`: integers wrap around, and booleans are refused.",
             ">>> print(quern.ptp([3.0, 1.0, 7.0]))\n6.0",
             "quern.min : The smallest.\nquern.max : The largest.", raises=_NO_VALUES.format("smallest"),
             skip="skip_nan : bool, default=False\n    Whether NaN is left out; else the result of a line with NaN is NaN.\n")
def ptp(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_PTP, x, axis, keepdims, skip_nan)


def _one_axis(axis):
    return None if axis is None else operator.index(axis)


_PLACES = "int64: places along the axis, or in the flattened array."
_FIRST = "Of equal values the first counts, -0 and +0 being equal; without `skip_nan` NaN comes before all numbers."


@_documented("Find where the smallest value is.", _PLACES, _FIRST, ">>> print(quern.argmin([3, 1, 2]))\n1",
             "quern.min : The value.", raises="There are no values, or with `skip_nan` no numbers.", axes=False)
def argmin(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_ARGMIN, x, _one_axis(axis), keepdims, skip_nan)


@_documented("Find where the largest value is.", _PLACES, _FIRST, ">>> print(quern.argmax([3, 1, 2]))\n0",
             "quern.max : The value.", raises="There are no values, or with `skip_nan` no numbers.", axes=False)
def argmax(x, axis=None, *, keepdims=False, skip_nan=False):
    return _reduce(_ARGMAX, x, _one_axis(axis), keepdims, skip_nan)


@_documented("Count the values that are not NaN.",
             "int64.", "What ``numpy.count_nonzero(~numpy.isnan(x), axis)`` gives.",
             ">>> print(quern.count([1.0, float('nan'), 0.0]))\n2",
             "quern.count_nonzero : Those that are not 0.", skip="")
def count(x, axis=None, *, keepdims=False):
    return _reduce(_COUNT, x, axis, keepdims)


@_documented("Count the values that are not 0.", "int64.", "NaN is not 0.",
             ">>> print(quern.count_nonzero([1.0, float('nan'), 0.0]))\n2",
             "quern.count : Those that are not NaN.", skip="")
def count_nonzero(x, axis=None, *, keepdims=False):
    return _reduce(_NONZERO, x, axis, keepdims)


@_documented("Find whether some value is not 0.", "bool; of no values False.", "NaN is not 0.",
             ">>> quern.any([[0, 1], [0, 0]], axis=1)\narray([ True, False])",
             "quern.all : Whether every value is.", skip="")
def any(x, axis=None, *, keepdims=False):
    return _reduce(_ANY, x, axis, keepdims)


@_documented("Find whether no value is 0.", "bool; of no values True.", "NaN is not 0.",
             ">>> quern.all([[2, 1], [0, 1]], axis=1)\narray([ True, False])",
             "quern.any : Whether some value is not.", skip="")
def all(x, axis=None, *, keepdims=False):
    return _reduce(_ALL, x, axis, keepdims)
