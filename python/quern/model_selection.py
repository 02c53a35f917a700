# SPDX-License-Identifier: Apache-2.0
"""Splits into training and test sets, as in sklearn.model_selection."""
import math
import numbers

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import _safe_indexing, indexable

from . import _config, _core
from ._memory import empty
from ._moves import take
from .random import _seed

__all__ = ["train_test_split"]


def train_test_split(*arrays, test_size=None, train_size=None, random_state=None, shuffle=True, stratify=None):
    """Split arrays into random train and test subsets.

    Parameters
    ----------
    *arrays : sequence of indexables with same length / shape[0]
        Lists, NumPy arrays, SciPy sparse matrices, data frames.
    test_size : float or int, default=None
        The share of the rows (float, between 0 and 1) or the number of rows (int) in the test set. None: what
        `train_size` leaves, or 0.25.
    train_size : float or int, default=None
        The same for the training set. None: what `test_size` leaves.
    random_state : int, RandomState instance, Generator or None, default=None
        int: the seed, from 0 to 2**64 - 1, of a split that is the same on every device and machine. None: a seed
        is drawn from NumPy's global generator, as from a Generator. A RandomState: scikit-learn's very split.
    shuffle : bool, default=True
        Whether rows are shuffled; if not, the training set is the first rows and the test set the next.
    stratify : array-like, default=None
        Class labels, in whose proportions both sets are drawn.

    Returns
    -------
    splitting : list, length=2 * len(arrays)
        The training and the test part of each array, of its kind.

    Raises
    ------
    ValueError
        Sizes, lengths or labels do not fit, or a size or the random state is of another kind.
    TypeError
        An array has no length.

    See Also
    --------
    quern.random.permutation : The order that it is made of.

    Notes
    -----
    Signature and meaning are scikit-learn's; the stream of random numbers is not, so the rows of a set differ from
    those that scikit-learn draws with the same int. The sizes, also those of each class, are the same but where
    classes tie for a row. NumPy arrays of numbers are taken by all threads, on the configured device.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.model_selection import train_test_split
    >>> X, y = np.arange(10).reshape(5, 2), list(range(5))
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=2, random_state=0)
    >>> y_test
    [3, 4]
    """
    if not arrays:
        raise ValueError("At least one array required as input")
    arrays = indexable(*arrays)
    n = len(arrays[0]) if not hasattr(arrays[0], "shape") else arrays[0].shape[0]
    n_train, n_test = _sizes(n, test_size, train_size)
    if not shuffle:
        if stratify is not None:
            raise ValueError("Stratified train/test split is not implemented for shuffle=False")
        return [part for a in arrays
                for part in (_safe_indexing(a, slice(0, n_train)), _safe_indexing(a, slice(n_train, n_train + n_test)))]
    train, test = _rows(arrays[0], n, n_train, n_test, random_state, stratify)
    return [part for a in arrays for part in (_part(a, train), _part(a, test))]


# ---- sizes ----

def _size(name, size, n):
    """What a size is, in rows before rounding; None: not given."""
    if size is None:
        return None
    if isinstance(size, numbers.Integral) and not isinstance(size, bool):
        if not 0 < size < n:
            raise ValueError(f"{name}={size} should be either positive and smaller than the number of samples {n} or "
                             "a float in the (0, 1) range")
        return int(size)
    if isinstance(size, numbers.Real) and not isinstance(size, bool):
        if not 0 < size < 1:
            raise ValueError(f"{name}={size} should be either positive and smaller than the number of samples {n} or "
                             "a float in the (0, 1) range")
        return float(size)
    raise ValueError(f"{name} must be a float, an int or None, not {size!r}")


def _sizes(n, test_size, train_size):
    """Rows of both sets: shares are rounded up for the test set and down for the training set."""
    test, train = _size("test_size", test_size, n), _size("train_size", train_size, n)
    if isinstance(test, float) and isinstance(train, float) and test + train > 1:
        raise ValueError(f"The sum of test_size and train_size = {test + train}, should be in the (0, 1) range. "
                         "Reduce test_size and/or train_size.")
    if test is None and train is None:
        test = 0.25
    n_test = math.ceil(test * n) if isinstance(test, float) else test
    n_train = math.floor(train * n) if isinstance(train, float) else train
    n_test = n - n_train if n_test is None else n_test
    n_train = n - n_test if n_train is None else n_train
    if n_train + n_test > n:
        raise ValueError(f"The sum of train_size and test_size = {n_train + n_test}, should be smaller than the number "
                         f"of samples {n}. Reduce test_size and/or train_size.")
    if n_train == 0:
        raise ValueError(f"With n_samples={n}, test_size={test_size} and train_size={train_size}, the resulting train "
                         "set will be empty. Adjust any of the aforementioned parameters.")
    return n_train, n_test


# ---- rows ----

def _rows(first, n, n_train, n_test, random_state, stratify):
    """Places of the rows of both sets."""
    if random_state is np.random or isinstance(random_state, np.random.RandomState):
        kind = ShuffleSplit if stratify is None else StratifiedShuffleSplit
        splitter = kind(test_size=n_test, train_size=n_train, random_state=random_state)
        return next(splitter.split(X=first, y=stratify))
    if not (random_state is None or isinstance(random_state, (numbers.Integral, np.random.Generator))):
        raise ValueError(f"random_state must be an int, a RandomState, a Generator or None, not {random_state!r}")
    train, test = empty(n_train, np.int64), empty(n_test, np.int64)
    labels = None if stratify is None else _labels(stratify, n)
    _core.random_split(_config.context(), n, train, test, _seed(random_state), labels)
    return train, test


def _labels(stratify, n):
    """Labels as numbers that are equal where they are."""
    y = np.asarray(stratify.toarray() if hasattr(stratify, "toarray") else stratify)
    if y.ndim == 0 or len(y) != n:
        raise ValueError(f"stratify has {len(y) if y.ndim else 1} labels, for {n} samples")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError("stratify contains NaN")
    if y.ndim == 1 and y.dtype.kind in "biuf" and y.dtype.isnative and y.dtype.itemsize <= 8 and y.dtype != np.float16:
        return y
    if y.ndim > 1:
        return np.unique(y.astype(str) if y.dtype == object else y, axis=0, return_inverse=True)[1].reshape(-1)
    return np.unique(y.astype(str) if y.dtype == object else y, return_inverse=True)[1]


def _part(array, rows):
    """These rows: arrays of numbers by the library, other containers as scikit-learn has it."""
    if type(array) is np.ndarray and array.dtype.kind in "biuf" and array.dtype.itemsize <= 8 and array.dtype.isnative:
        return take(array, rows, 0)
    return _safe_indexing(array, rows)
