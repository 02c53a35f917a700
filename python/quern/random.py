# SPDX-License-Identifier: Apache-2.0
"""Random numbers and orders that depend on a seed alone, on the configured device.

The generator is Philox4x32-10, which computes any part of a stream at once: the same numbers on every
device, with any number of threads. They are not those of `numpy.random`.
"""
import operator

import numpy as np

from . import _config, _core
from ._arrays import _array
from ._memory import empty
from ._moves import take

__all__ = ["bits", "integers", "permutation", "uniform"]


def _seed(seed):
    """A seed of 64 bits; None: one that NumPy's global generator draws."""
    if seed is None:
        return int(np.random.randint(0, 2**64, dtype=np.uint64))
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(0, 2**64, dtype=np.uint64))
    return _below(seed, "seed")


def _below(value, what):
    value = operator.index(value)
    if not 0 <= value < 2**64:
        raise ValueError(f"{what} must be an int from 0 to 2**64 - 1, not {value}")
    return value


def _fill(size, dtype, seed, stream, first, low=0, high=0):
    shape = (operator.index(size),) if not isinstance(size, tuple) else size
    out = empty(shape, dtype)
    if out.size:
        _core.random_fill(_config.context(), out.reshape(-1), _seed(seed), _below(stream, "stream"),
                          _below(first, "first"), low, high)
    return out


def bits(size, dtype=np.uint64, *, seed=None, stream=0, first=0):
    """Draw random bits.

    Parameters
    ----------
    size : int or tuple of int
        The shape.
    dtype : {"uint64", "uint32"}, default="uint64"
        How many bits each value has.
    seed : int, Generator or None, default=None
        From 0 to 2**64 - 1; None: one that NumPy's global generator draws, as a Generator draws one.
    stream : int, default=0
        Which of the seed's streams, from 0 to 2**64 - 1.
    first : int, default=0
        Which of the stream's numbers is the first.

    Returns
    -------
    out : ndarray
        Of that shape and dtype.

    Raises
    ------
    TypeError
        The size, the seed, the stream or the place is no integer.
    ValueError
        One of them is negative or too large, or the dtype is another.

    See Also
    --------
    quern.random.integers : Within bounds.

    Examples
    --------
    >>> import quern
    >>> quern.random.bits(2, "uint32", seed=0)
    array([1713891541, 3781805453], dtype=uint32)
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.uint32, np.uint64):
        raise ValueError(f"dtype is {dtype}; random bits are uint32 or uint64")
    return _fill(size, dtype, seed, stream, first)


def uniform(size, dtype=np.float64, *, seed=None, stream=0, first=0):
    """Draw random numbers from 0 on and below 1.

    Parameters
    ----------
    size : int or tuple of int
        The shape.
    dtype : {"float64", "float32"}, default="float64"
        float64: multiples of 2**-53; float32: of 2**-24.
    seed : int, Generator or None, default=None
        From 0 to 2**64 - 1; None: one that NumPy's global generator draws, as a Generator draws one.
    stream : int, default=0
        Which of the seed's streams, from 0 to 2**64 - 1.
    first : int, default=0
        Which of the stream's numbers is the first.

    Returns
    -------
    out : ndarray
        Of that shape and dtype.

    Raises
    ------
    TypeError
        The size, the seed, the stream or the place is no integer.
    ValueError
        One of them is negative or too large, or the dtype is another.

    See Also
    --------
    quern.random.bits : What they are made of.

    Examples
    --------
    >>> import quern
    >>> bool((quern.random.uniform(1000, seed=0) < 1).all())
    True
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype is {dtype}; uniform numbers are float32 or float64")
    return _fill(size, dtype, seed, stream, first)


def integers(low, high, size, *, seed=None, stream=0, first=0):
    """Draw random integers from low on and below high.

    Parameters
    ----------
    low, high : int
        The bounds, within int64; high is not drawn.
    size : int or tuple of int
        The shape.
    seed : int, Generator or None, default=None
        From 0 to 2**64 - 1; None: one that NumPy's global generator draws, as a Generator draws one.
    stream : int, default=0
        Which of the seed's streams, from 0 to 2**64 - 1.
    first : int, default=0
        Which of the stream's numbers is the first.

    Returns
    -------
    out : ndarray of int64
        Of that shape.

    Raises
    ------
    TypeError
        A bound, the size, the seed, the stream or the place is no integer.
    ValueError
        One of them is negative or too large, or nothing lies between the bounds.

    See Also
    --------
    quern.take : With these as indices, a bootstrap sample.

    Notes
    -----
    No value is favoured by more than (high - low) / 2**64.

    Examples
    --------
    >>> import quern
    >>> rows = quern.random.integers(0, 150, 150, seed=0)
    >>> int(rows.min()) >= 0, int(rows.max()) < 150
    (True, True)
    """
    low, high = operator.index(low), operator.index(high)
    if not -2**63 <= low < high < 2**63:
        raise ValueError(f"no integer of int64 is from {low} on and below {high}")
    return _fill(size, np.int64, seed, stream, first, low, high)


def permutation(x, k=None, *, seed=None, stream=0):
    """Put what is there into random order.

    Parameters
    ----------
    x : int or array_like
        How many, of which the places are wanted; or an array, of which the rows are.
    k : int, default=None
        How many of the shuffled ones; None: all.
    seed : int, Generator or None, default=None
        From 0 to 2**64 - 1; None: one that NumPy's global generator draws, as a Generator draws one.
    stream : int, default=0
        Which of the seed's streams, from 0 to 2**64 - 1.

    Returns
    -------
    out : ndarray
        Of int64, or of the array's dtype.

    Raises
    ------
    TypeError
        x has values of another kind, or the seed, the stream or k is no integer.
    ValueError
        One of them is negative or too large, or x has no dimension.

    See Also
    --------
    quern.model_selection.train_test_split : For two parts.

    Notes
    -----
    Places are sorted by random numbers of 64 bits, so that every order is as likely as any other.

    Examples
    --------
    >>> import quern
    >>> quern.random.permutation(5, seed=0)
    array([3, 4, 2, 1, 0])
    """
    rows = None
    if not isinstance(x, (int, np.integer)):
        rows = _array(x)
        if rows.ndim == 0:
            raise ValueError("x must be an int, or have at least one dimension")
    n = operator.index(x) if rows is None else len(rows)
    k = n if k is None else operator.index(k)
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} cannot be put into an order")
    out = empty(k, np.int64)
    seed, stream = _seed(seed), _below(stream, "stream")
    if k:
        _core.random_permutation(_config.context(), out, n, seed, stream)
    return out if rows is None else take(rows, out, 0)
