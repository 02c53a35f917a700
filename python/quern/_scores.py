# SPDX-License-Identifier: Apache-2.0
"""Scores of columns against a target, computed by the library: `f_classif` and `chi2`."""
import json
import warnings

import numpy as np
import sklearn.feature_selection as theirs
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length, check_X_y
from sklearn.utils._param_validation import validate_params
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import assert_all_finite, column_or_1d

from . import _config, _core
from ._convert import library_dtype
from ._sparse import from_sparse
from .base import is_plain_matrix, learned, table_of

THEIRS = {name: getattr(theirs, name) for name in ("f_classif", "chi2")}  # before any patch


def target_of(y):
    """y as the library tells classes apart: numbers as they are, else their places in sorted order."""
    plain = (y.dtype.kind in "biu" or y.dtype.char in "fd") and y.dtype.isnative
    return y if plain else np.unique(y, return_inverse=True)[1].astype(np.int64)


def _table(X):
    if sparse.issparse(X):
        return from_sparse(X if X.format in ("csr", "csc") else X.tocsr())
    dtype = library_dtype(X.dtype)
    return table_of(X if dtype == X.dtype else X.astype(dtype or np.float64))


def scores_of(name, X, y, context):
    """(scores, p-values) of checked X and y. Floats of a plain matrix need not be finite: the library finds
    those that are not."""
    table = _table(X)
    table.set_target(target_of(y))
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": [
        {"SelectKBest": {"score_func": name, "k": "all"}}]}]}
    try:
        found = learned(_core.Pipeline(json.dumps(spec)).fit(context, table))
    except ValueError as error:
        assert_all_finite(X, input_name="X")
        if "negative values" in str(error):
            raise ValueError("Input X must be non-negative.") from error
        raise
    return found["scores_"], found["pvalues_"]


def warn_of_constants(scores):
    """As scikit-learn has it: where a column that does not vary within its classes meets one that does not
    vary between them."""
    constant = np.flatnonzero(~np.isfinite(scores))
    if constant.size and np.any((scores == 0) | np.isnan(scores)):
        warnings.warn(f"Features {constant} are constant.", UserWarning, stacklevel=3)


@validate_params({"X": ["array-like", "sparse matrix"], "y": ["array-like"]},
                 prefer_skip_nested_validation=True)
def f_classif(X, y):
    """Score each column by the F of a one-way analysis of variance.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Finite numbers.
    y : array-like of shape (n_samples,)
        The class of each row: numbers, strings or booleans.

    Returns
    -------
    f_statistic : ndarray of shape (n_features,), dtype float64
        Mean square between the classes by mean square within.
    p_values : ndarray of shape (n_features,), dtype float64
        How likely an F as large is where the classes do not differ.

    Raises
    ------
    ValueError
        X or y has missing or infinite values, no row, or they differ in length.
    quern.UnsupportedError
        There are more than 65,536 classes.

    Warns
    -----
    UserWarning
        Columns do not vary, so that they have no score.

    See Also
    --------
    quern.feature_selection.chi2 : For counts.
    quern.feature_selection.SelectKBest : Selects by such scores.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.f_classif`. The sums of squares are those about the
    classes' means, not differences of large numbers: with a large offset, where scikit-learn's loses all
    digits, these are right. Scores of float32 columns are float64.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import f_classif
    >>> X = np.array([[1.0, 5.0], [2.0, 4.0], [8.0, 5.0], [9.0, 6.0]])
    >>> f_classif(X, ["a", "a", "b", "b"])[0]
    array([98.,  2.])
    """
    finite = {"ensure_all_finite": False} if is_plain_matrix(X) else {}
    X, y = check_X_y(X, y, accept_sparse=["csr", "csc", "coo"], **finite)
    found = scores_of("f_classif", X, y, _config.context())
    warn_of_constants(found[0])
    return found


def chi2(X, y):
    """Score each column of counts by chi-squared.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Finite numbers, none of them negative.
    y : array-like of shape (n_samples,)
        The class of each row: numbers, strings or booleans.

    Returns
    -------
    chi2 : ndarray of shape (n_features,), dtype float64
        Sum over the classes of (observed - expected)^2 / expected.
    p_values : ndarray of shape (n_features,), dtype float64
        How likely a sum as large is where counts do not depend on the class.

    Raises
    ------
    ValueError
        X has missing, infinite or negative values or no row; y is no class of each row.
    quern.UnsupportedError
        There are more than 65,536 classes.

    See Also
    --------
    quern.feature_selection.f_classif : For measurements.
    quern.feature_selection.SelectKBest : Selects by such scores.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.chi2`, which does the work itself where y has several
    labels for a row. Scores of float32 columns are float64.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import chi2
    >>> X = np.array([[1, 1, 3], [0, 1, 5], [5, 4, 1], [6, 6, 2], [1, 4, 0], [0, 0, 0]])
    >>> chi2(X, [1, 1, 0, 0, 2, 2])[0].round(2)
    array([15.38,  6.5 ,  8.91])
    """
    finite = {"ensure_all_finite": False} if is_plain_matrix(X) else {}
    X = check_array(X, accept_sparse="csr", dtype=(np.float64, np.float32), **finite)
    if type_of_target(y, input_name="y").startswith("multilabel"):
        _config.note("chi2", "y has several labels for a row")
        return THEIRS["chi2"](X, y)
    unique_labels(y)  # refuses what is no class
    y = column_or_1d(y)
    check_consistent_length(X, y)
    return scores_of("chi2", X, y, _config.context())


def name_of(score_func):
    """The library's name of a score function, scikit-learn's own included; None: it is another."""
    for name, ours in (("f_classif", f_classif), ("chi2", chi2)):
        if score_func is ours or score_func is THEIRS[name]:
            return name
    return None
