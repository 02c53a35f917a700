# SPDX-License-Identifier: Apache-2.0
"""Histograms and counts of integers, with NumPy's names and meaning, on the configured device."""
import operator

import numpy as np

from . import _config, _core, _reductions
from ._arrays import _array, _native


def _counted(x, edges, weights, least=0):
    made = _core.array_counts(_config.context(), x, edges, weights, least)
    return np.asarray(made).reshape(-1)


def _edges(x, bins, range, weights):
    """NumPy's edges; of x it needs the extremes alone where the number of bins is given."""
    if isinstance(bins, str) or np.ndim(bins) != 0 or range is not None or x.size == 0:
        few = x if isinstance(bins, str) else x[:0]
    else:
        few = np.array([_reductions.min(x), _reductions.max(x)])
    return np.histogram_bin_edges(few, bins, range, weights if isinstance(bins, str) else None)


def histogram(x, bins=10, range=None, density=False, weights=None):
    """Count values in bins.

    Parameters
    ----------
    x : array_like
        Integers or floats; it is flattened.
    bins : int, array_like or str, default=10
        How many bins of equal width, their edges, or one of the rules of `numpy.histogram_bin_edges`.
    range : tuple of float, default=None
        The first and the last edge, where `bins` is no array; None: the extremes of x.
    density : bool, default=False
        Whether the counts are divided by their sum and the widths of their bins.
    weights : array_like, default=None
        How much each value counts: of x's shape.

    Returns
    -------
    counts : ndarray
        int64; with weights of their dtype, with `density` float64.
    edges : ndarray
        One more than there are counts.

    Raises
    ------
    TypeError
        x or weights have values of another kind.
    ValueError
        The edges do not ascend, weights have another shape, or x has extremes that are not finite and no range is
        given.

    See Also
    --------
    quern.bincount : For integers.
    quern.digitize : The bin of each value.

    Notes
    -----
    As `numpy.histogram`: a bin has its left edge and not its right one, but for the last, which has both. Values
    outside, and NaN, are in no bin. Weights are added up in blocks of 65,536 values.

    Examples
    --------
    >>> import quern
    >>> quern.histogram([1.0, 2.0, 2.0, 5.0], bins=4, range=(1, 5))
    (array([1, 2, 0, 1]), array([1., 2., 3., 4., 5.]))
    """
    x = _array(x)
    if x.dtype == bool:
        x = x.astype(np.uint8)
    if weights is not None:
        weights = _array(weights, "weights")
        if weights.shape != x.shape:
            raise ValueError(f"weights have shape {weights.shape}, x has {x.shape}")
        weights = weights.ravel()
    x = x.ravel(order="K" if weights is None and not isinstance(bins, str) else "C")
    edges = _edges(x, bins, range, weights)
    if len(edges) < 2:
        return np.zeros(0, np.int64 if weights is None else weights.dtype), edges
    given = None if weights is None else np.ascontiguousarray(weights, np.float64)
    counts = _counted(_native(x), np.ascontiguousarray(edges, np.float64), given)
    if weights is not None:
        counts = counts.astype(weights.dtype, copy=False)
    if density:
        return counts / np.diff(edges).astype(float) / counts.sum(), edges
    return counts, edges


def bincount(x, weights=None, minlength=0):
    """Count how often each of 0, 1, 2, … occurs.

    Parameters
    ----------
    x : array_like
        Booleans or integers that are not negative, of one dimension.
    weights : array_like, default=None
        How much each value counts: of x's length.
    minlength : int, default=0
        How many counts there are at least.

    Returns
    -------
    counts : ndarray
        int64; float64 with weights.

    Raises
    ------
    TypeError
        x has values of another kind.
    ValueError
        x has not one dimension, or negative values, `minlength` is negative, or weights have another length.

    See Also
    --------
    quern.histogram : For bins of any edges.
    quern.unique : For values that are few and far apart.

    Notes
    -----
    As `numpy.bincount`. Weights are added up in blocks of 65,536 values, and for more than 65,536 counts in
    their order.

    Examples
    --------
    >>> import quern
    >>> quern.bincount([0, 2, 2, 1])
    array([1, 1, 2])
    """
    x = _array(x)
    if x.size == 0 and x.dtype.kind == "f":
        x = x.astype(np.int64)
    if x.dtype.kind == "f" or x.dtype == np.uint64:
        raise TypeError(f"x has values of {x.dtype}; booleans and integers that fit int64 can be counted")
    minlength = operator.index(minlength)
    if x.ndim != 1:
        raise ValueError(f"x has {x.ndim} dimensions, not 1")
    if minlength < 0:
        raise ValueError("minlength is negative")
    if weights is not None:
        weights = np.ascontiguousarray(_array(weights, "weights"), np.float64)
        if weights.shape != x.shape:
            raise ValueError(f"weights have shape {weights.shape}, x has {x.shape}")
    return _counted(_native(x), None, weights, minlength)
