# SPDX-License-Identifier: Apache-2.0
"""Scores of columns against a target, computed by the library: `f_classif`, `chi2`, `f_regression` and
`r_regression`."""
import functools
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

THEIRS = {name: getattr(theirs, name) for name in ("f_classif", "chi2", "f_regression", "r_regression")}  # before any patch
REGRESSIONS = ("f_regression", "r_regression", "mutual_info_regression")


def target_of(name, y):
    """y as the library has it: numbers for regressions; for classes numbers as they are, of others their
    places in sorted order."""
    plain = (y.dtype.kind in "biu" or y.dtype.char in "fd") and y.dtype.isnative
    if plain:
        return y
    return y.astype(np.float64) if name in REGRESSIONS else np.unique(y, return_inverse=True)[1].astype(np.int64)


def _table(X):
    if sparse.issparse(X):
        return from_sparse(X if X.format in ("csr", "csc") else X.tocsr())
    dtype = library_dtype(X.dtype)
    return table_of(X if dtype == X.dtype else X.astype(dtype or np.float64))


def scores_of(function, X, y, context):
    """(scores, p-values or None) of checked X and y. function: as specs have it. Floats of a plain matrix
    need not be finite: the library finds those that are not."""
    table = _table(X)
    table.set_target(target_of(name_in(function), y))
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": [
        {"SelectKBest": {"score_func": function, "k": "all"}}]}]}
    try:
        with _config.warns_itself("SelectKBest"):
            found = learned(_core.Pipeline(json.dumps(spec)).fit(context, table))
    except ValueError as error:
        assert_all_finite(X, input_name="X")
        if "negative values" in str(error):
            raise ValueError("Input X must be non-negative.") from error
        raise
    return found["scores_"], found.get("pvalues_")


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


def _regressed(name, X, y, center, force_finite):
    finite = {"ensure_all_finite": False} if is_plain_matrix(X) else {}
    X, y = check_X_y(X, y, accept_sparse=["csr", "csc", "coo"],
                     dtype=None if is_plain_matrix(X) else np.float64, **finite)
    options = {"center": bool(center), "force_finite": bool(force_finite)}
    return scores_of({name: options}, X, y, _config.context())


_REGRESSION = {"X": ["array-like", "sparse matrix"], "y": ["array-like"], "center": ["boolean"],
               "force_finite": ["boolean"]}


@validate_params(_REGRESSION, prefer_skip_nested_validation=True)
def f_regression(X, y, *, center=True, force_finite=True):
    """Score each column by the F of a linear regression of the target on it alone.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Finite numbers.
    y : array-like of shape (n_samples,)
        Finite numbers.
    center : bool, default=True
        Whether the line may miss the origin: differences are then those from the means.
    force_finite : bool, default=True
        Whether a column without a score, because it or the target does not vary, gets 0 with the p-value 1,
        and one that tells the target exactly the largest number. Else they have NaN and infinity.

    Returns
    -------
    f_statistic : ndarray of shape (n_features,), dtype float64
        What the line explains by what it leaves, each by its degrees of freedom.
    p_values : ndarray of shape (n_features,), dtype float64
        How likely an F as large is where the column tells nothing of the target.

    Raises
    ------
    ValueError
        X or y has missing or infinite values, no row, or they differ in length.

    See Also
    --------
    quern.feature_selection.r_regression : Correlations, with their signs.
    quern.feature_selection.mutual_info_regression : Finds more than lines.
    quern.feature_selection.f_classif : For classes.
    quern.feature_selection.SelectKBest : Selects by such scores.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.f_regression`. Sums of squares and products are those
    about the means, not differences of large numbers: with a large offset, where scikit-learn's lose their
    digits, these are right.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import f_regression
    >>> X = np.array([[1.0, 5.0], [2.0, 4.0], [8.0, 5.0], [9.0, 6.0]])
    >>> f_regression(X, [1.0, 3.0, 7.0, 9.0])[0].round(3)
    array([60.5  ,  1.636])
    """
    return _regressed("f_regression", X, y, center, force_finite)


@validate_params(_REGRESSION, prefer_skip_nested_validation=True)
def r_regression(X, y, *, center=True, force_finite=True):
    """Score each column by its correlation with the target, Pearson's r.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Finite numbers.
    y : array-like of shape (n_samples,)
        Finite numbers.
    center : bool, default=True
        Whether differences are those from the means; else they are from 0.
    force_finite : bool, default=True
        Whether a column gets 0 where it or the target does not vary; else NaN.

    Returns
    -------
    correlation_coefficient : ndarray of shape (n_features,), dtype float64
        From -1 to 1.

    Raises
    ------
    ValueError
        X or y has missing or infinite values, no row, or they differ in length.

    See Also
    --------
    quern.feature_selection.f_regression : The same as a test.

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.r_regression`; sums are as in `f_regression`.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import r_regression
    >>> X = np.array([[1.0, 5.0], [2.0, 4.0], [8.0, 5.0], [9.0, 6.0]])
    >>> r_regression(X, [1.0, 3.0, 7.0, 9.0]).round(3)
    array([0.984, 0.671])
    """
    return _regressed("r_regression", X, y, center, force_finite)[0]


OURS = {"f_classif": f_classif, "chi2": chi2, "f_regression": f_regression, "r_regression": r_regression}


def name_in(function):
    """The name of what a spec has for a score function."""
    return function if isinstance(function, str) else next(iter(function))


def takes(function, y):
    """Whether the library scores against such a target; else the function itself has to say what is wrong."""
    kinds = {"f_classif": None, "chi2": "biuUO"}.get(name_in(function), "biuf")
    return y.ndim == 1 and (kinds is None or y.dtype.kind in kinds)


def function_of(score_func):
    """What a spec has for a score function, scikit-learn's own and partial ones included; None: it is
    another."""
    options = {}
    if type(score_func) is functools.partial and not score_func.args:
        options, score_func = score_func.keywords, score_func.func
        if not all(type(value) is bool for value in options.values()):
            return None
    for name, ours in OURS.items():
        if score_func is ours or score_func is THEIRS[name]:
            if not options:
                return name
            known = name.endswith("_regression") and set(options) <= {"center", "force_finite"}
            return {name: dict(options)} if known else None
    return None
