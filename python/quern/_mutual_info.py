# SPDX-License-Identifier: Apache-2.0
"""Mutual information of columns and a target, computed by the library."""
from numbers import Integral

import numpy as np
import sklearn.feature_selection as theirs
from scipy import sparse
from sklearn.preprocessing import scale
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.multiclass import check_classification_targets

from . import _config
from ._scores import scores_of

THEIRS = {name: getattr(theirs, name) for name in ("mutual_info_classif", "mutual_info_regression")}  # before any patch
_PARAMETERS = {
    "X": ["array-like", "sparse matrix"], "y": ["array-like"],
    "discrete_features": [StrOptions({"auto"}), "boolean", "array-like"],
    "n_neighbors": [Interval(Integral, 1, None, closed="left")], "copy": ["boolean"],
    "random_state": ["random_state"], "n_jobs": [Integral, None]}
_DENSE = 32  # columns of a sparse matrix that are made dense at a time


def _discrete(chosen, X):
    """Which columns are discrete, as a mask."""
    if isinstance(chosen, (str, bool)):
        return np.full(X.shape[1], sparse.issparse(X) if chosen == "auto" else chosen)
    chosen = check_array(chosen, ensure_2d=False)
    if chosen.dtype == bool:
        return chosen
    mask = np.zeros(X.shape[1], dtype=bool)
    mask[chosen] = True
    return mask


def _noisy(values, random):
    """Numbers with noise that tells equal ones apart, in place: scikit-learn's, draw for draw."""
    size = 1e-10 * np.maximum(1, np.mean(np.abs(values), axis=0))
    values += size * random.standard_normal(size=values.shape)
    return values


def _estimated(name, X, y, mask, n_neighbors):
    """The library's estimates of numbers that are ready."""
    options = {"n_neighbors": int(n_neighbors), "prepare": False,
               "discrete_features": [int(i) for i in np.flatnonzero(mask)]}
    X = np.asarray(X, dtype=np.float64)
    return scores_of({name: options}, X, y, _config.context())[0]


def _information(name, X, y, discrete_features, n_neighbors, copy, random_state):
    regression = name == "mutual_info_regression"
    X, y = check_X_y(X, y, accept_sparse="csc", y_numeric=regression)
    mask = _discrete(discrete_features, X)
    if not mask.all() and sparse.issparse(X):
        raise ValueError("Sparse matrix `X` can't have continuous features.")
    if regression and not mask.all() and n_neighbors >= X.shape[0]:
        raise ValueError(f"Expected n_neighbors < n_samples_fit, but n_neighbors = {n_neighbors}, "
                         f"n_samples_fit = {X.shape[0]}, n_samples = {X.shape[0]}")
    random = check_random_state(random_state)
    if not mask.all():
        X = X.astype(np.float64, copy=copy)
        X[:, ~mask] = _noisy(scale(X[:, ~mask], with_mean=False, copy=False), random)
    if regression:
        y = _noisy(scale(y, with_mean=False), random)
    if not sparse.issparse(X):
        return _estimated(name, X, y, mask, n_neighbors)
    parts = [_estimated(name, X[:, at : at + _DENSE].toarray(), y, mask[at : at + _DENSE], n_neighbors)
             for at in range(0, X.shape[1], _DENSE)]
    return np.concatenate(parts)


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def mutual_info_regression(X, y, *, discrete_features="auto", n_neighbors=3, copy=True, random_state=None,
                           n_jobs=None):
    """Score each column by its mutual information with a numeric target.

    Mutual information is 0 where knowing one tells nothing of the other, and finds any kind of dependence.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Finite numbers.
    y : array-like of shape (n_samples,)
        Finite numbers.
    discrete_features : {"auto", bool, array-like}, default="auto"
        Whether columns are discrete, their values names; all, none, or a mask or list of those that are.
        "auto": those of sparse matrices are.
    n_neighbors : int, default=3
        Of so many neighbours the estimate is made. More have less variance and more bias.
    copy : bool, default=True
        False: X may be written into.
    random_state : int, RandomState instance or None, default=None
        Draws the noise that tells equal numbers apart.
    n_jobs : int, default=None
        Not used: the threads are those that are configured.

    Returns
    -------
    mi : ndarray of shape (n_features,), dtype float64
        Estimates in nats; what would be negative is 0.

    Raises
    ------
    ValueError
        X or y has missing or infinite values, no row, or they differ in length; a sparse X has columns that
        are not discrete; or there are no more rows than neighbours.

    See Also
    --------
    quern.feature_selection.mutual_info_classif : For classes.
    quern.feature_selection.f_regression : Finds lines.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.mutual_info_regression`, and given the same random state
    so is the noise. Neighbours are found in a tree of boxes and in sorted columns, on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import mutual_info_regression
    >>> X = np.linspace(0, 1, 200).reshape(100, 2) % 0.3
    >>> mutual_info_regression(X, X[:, 0] ** 2, random_state=0).round(2)
    array([2.71, 2.71])
    """
    return _information("mutual_info_regression", X, y, discrete_features, n_neighbors, copy, random_state)


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def mutual_info_classif(X, y, *, discrete_features="auto", n_neighbors=3, copy=True, random_state=None,
                        n_jobs=None):
    """Score each column by its mutual information with classes.

    Mutual information is 0 where knowing one tells nothing of the other, and finds any kind of dependence.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Finite numbers.
    y : array-like of shape (n_samples,)
        The class of each row.
    discrete_features : {"auto", bool, array-like}, default="auto"
        Whether columns are discrete, their values names; all, none, or a mask or list of those that are.
        "auto": those of sparse matrices are.
    n_neighbors : int, default=3
        Of so many neighbours the estimate is made. More have less variance and more bias.
    copy : bool, default=True
        False: X may be written into.
    random_state : int, RandomState instance or None, default=None
        Draws the noise that tells equal numbers apart.
    n_jobs : int, default=None
        Not used: the threads are those that are configured.

    Returns
    -------
    mi : ndarray of shape (n_features,), dtype float64
        Estimates in nats; what would be negative is 0.

    Raises
    ------
    ValueError
        X or y has missing or infinite values, no row, or they differ in length; y is no class of each row; a
        sparse X has columns that are not discrete; or no class has two rows, where a column is not discrete.

    See Also
    --------
    quern.feature_selection.mutual_info_regression : For numbers.
    quern.feature_selection.f_classif : Finds means that differ.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.mutual_info_classif`, and given the same random state so
    is the noise. Neighbours are found in sorted columns, on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import mutual_info_classif
    >>> X = np.arange(60.0).reshape(30, 2) % 7
    >>> mutual_info_classif(X, X[:, 0] > 3, random_state=0).round(2)
    array([0.69, 0.69])
    >>> mutual_info_classif(X, X[:, 0] > 3, discrete_features=True).round(2)
    array([0.67, 0.67])
    """
    check_classification_targets(y)
    return _information("mutual_info_classif", X, y, discrete_features, n_neighbors, copy, random_state)


def instead_of(score_func):
    """The library's function in the place of scikit-learn's; others as they are."""
    if score_func is THEIRS["mutual_info_classif"]:
        return mutual_info_classif
    return mutual_info_regression if score_func is THEIRS["mutual_info_regression"] else score_func
