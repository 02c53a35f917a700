# SPDX-License-Identifier: Apache-2.0
"""Univariate selection: columns that stay for their score against the target, each scored alone."""
import warnings

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from ._host import validate_data
from ._mutual_info import instead_of
from ._scores import f_classif, function_of, scores_of, takes, warn_of_constants
from ._selector import Selector
from .base import DEFAULTS, described, is_plain_matrix

DEFAULTS.update({(name, "score_func"): f_classif for name in (
    "GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest", "SelectPercentile")})


# ---- which columns stay: scikit-learn's rules, on arrays of a score for each column ----

def _cleaned(scores):
    """Columns without a score come last."""
    scores = np.array(scores, dtype=np.float32 if scores.dtype == np.float32 else np.float64)
    scores[np.isnan(scores)] = np.finfo(scores.dtype).min
    return scores


def k_best(scores, pvalues, k):
    """The k highest scores; of equal ones the last."""
    if isinstance(k, str) or k == 0:
        return np.full(scores.shape, k != 0)
    mask = np.zeros(scores.shape, dtype=bool)
    mask[np.argsort(_cleaned(scores), kind="stable")[-k:]] = True
    return mask


def percentile(scores, pvalues, percent):
    """The highest scores, as many percent; of those that equal the last of them, the first."""
    if percent in (0, 100):
        return np.full(len(scores), percent == 100)
    scores = _cleaned(scores)
    threshold = np.percentile(scores, 100 - percent)
    mask = scores > threshold
    ties = np.flatnonzero(scores == threshold)
    mask[ties[:int(len(scores) * percent / 100) - mask.sum()]] = True
    return mask


def fpr(scores, pvalues, alpha):
    """p-values below alpha."""
    return pvalues < alpha


def fdr(scores, pvalues, alpha):
    """Benjamini and Hochberg's procedure."""
    n = len(pvalues)
    ordered = np.sort(pvalues)
    found = ordered[ordered <= float(alpha) / n * np.arange(1, n + 1)]
    return pvalues <= found.max() if found.size else np.zeros_like(pvalues, dtype=bool)


def fwe(scores, pvalues, alpha):
    """Bonferroni's correction."""
    return pvalues < alpha / len(pvalues)


_RULES = {"k_best": k_best, "percentile": percentile, "fpr": fpr, "fdr": fdr, "fwe": fwe}


def document(name, summary, amount, see, example):
    """The docstring of one of the six: what it has of its own in the place among what all have."""
    indented = "\n    ".join
    return f"""{summary}

    Parameters
    ----------
    score_func : callable, default=f_classif
        A function of X and y that gives an array of scores, or a pair (scores, p-values). `f_classif`, `chi2`,
        `f_regression` and `r_regression`, scikit-learn's too, are computed by the library on the configured
        device, `mutual_info_classif` and `mutual_info_regression` by it on the host; others are called.
    {indented(amount)}

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,), dtype float64
        Scores of the columns.
    pvalues_ : ndarray of shape (n_features,) or None
        p-values of the scores; None where the function gives none.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.feature_selection.f_classif : The usual scores.
    quern.feature_selection.{see}

    Notes
    -----
    The meaning is that of `sklearn.feature_selection.{name}`; values keep their dtype. Scores of float32
    columns are float64. Sparse matrices are fitted and transformed on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.feature_selection import {name}
    >>> X = np.array([[1.0, 5.0], [2.0, 4.0], [8.0, 5.0], [9.0, 6.0]])
    >>> selector = {name}({example}).fit(X, ["a", "a", "b", "b"])
    >>> selector.get_support()
    array([ True, False])
    """


class Univariate(Selector):
    """What the six have in common. `_rule` and `_amount` say which rule, and with what parameter."""

    _supervised = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Score the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. What they may hold is the score function's.
        y : array-like of shape (n_samples,), default=None
            The target; None for score functions that want none.

        Returns
        -------
        self : estimator
            The fitted selector.

        Raises
        ------
        ValueError
            X and y are none that the score function takes: of `f_classif`, they have missing or infinite
            values, no row, or differ in length.
        """
        function = function_of(self.score_func)
        options = {"accept_sparse": ["csr", "csc"]}
        if function is not None and is_plain_matrix(X):
            options["ensure_all_finite"] = False  # the library finds those that are not
        if y is None:
            X = validate_data(self, X, **options)
        else:
            X, y = validate_data(self, X, y, multi_output=True, **options)
        self._check_amount(X)
        if function is not None and y is not None and takes(function, y):
            self.scores_, self.pvalues_ = self._scored(function, X, y)
            return self
        found = instead_of(self.score_func)(X, y)
        if isinstance(found, (list, tuple)):
            self.scores_, self.pvalues_ = found
            self.pvalues_ = np.asarray(self.pvalues_)
        else:
            self.scores_, self.pvalues_ = found, None
        self.scores_ = np.asarray(self.scores_)
        return self

    def _scored(self, function, X, y):
        found = scores_of(function, X, y, self._context())
        if function == "f_classif":
            warn_of_constants(found[0])
        return found

    def _check_amount(self, X):
        rule, k = self._selection()
        if rule == "k_best" and not isinstance(k, str) and k > X.shape[1]:
            warnings.warn(f"k={k} is greater than n_features={X.shape[1]}. "
                          "All the features will be returned.", stacklevel=3)

    def _get_support_mask(self):
        check_is_fitted(self)
        rule, amount = self._selection()
        return _RULES[rule](self.scores_, self.pvalues_, amount)

    def _json(self):
        return {**super()._json(), "score_func": function_of(self.score_func) or "other"}

    # -- as a part of a larger model --

    def _tensors_for(self, types):
        found = {"scores_": np.asarray(self.scores_, np.float64)}
        if self.pvalues_ is not None:
            found["pvalues_"] = np.asarray(self.pvalues_, np.float64)
        return found

    def _fused_key(self):
        return (super()._fused_key(), *(v.tobytes() for v in self._tensors_for(None).values()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


@described
class SelectKBest(Univariate):
    __doc__ = document(
        "SelectKBest", "Keep the columns with the highest scores against the target.",
        ['k : int or "all", default=10',
         "    How many columns stay."],
        "SelectPercentile : A share of the columns.", "k=1")

    def _selection(self):
        return "k_best", self.k

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


@described
class SelectPercentile(Univariate):
    __doc__ = document(
        "SelectPercentile", "Keep a share of the columns, those with the highest scores against the target.",
        ["percentile : int, default=10",
         "    How many percent of the columns stay."],
        "SelectKBest : A number of columns.", "percentile=50")

    def _selection(self):
        return "percentile", self.percentile

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


@described
class SelectFpr(Univariate):
    __doc__ = document(
        "SelectFpr", "Keep the columns whose p-value is below a limit.",
        ["alpha : float, default=0.05",
         "    Columns with smaller p-values stay."],
        "SelectFdr : Corrects for the number of columns.", "alpha=0.05")

    def _selection(self):
        return "fpr", self.alpha


@described
class SelectFdr(Univariate):
    __doc__ = document(
        "SelectFdr", "Keep columns so that few of them are there by chance (false discovery rate).",
        ["alpha : float, default=0.05",
         "    The share of columns that stay by chance, at most; Benjamini and Hochberg's procedure."],
        "SelectFwe : Is stricter.", "alpha=0.05")

    def _selection(self):
        return "fdr", self.alpha


@described
class SelectFwe(Univariate):
    __doc__ = document(
        "SelectFwe", "Keep columns so that hardly any is there by chance (family-wise error).",
        ["alpha : float, default=0.05",
         "    The chance that any column stays by chance, at most; Bonferroni's correction."],
        "SelectFdr : Is less strict.", "alpha=0.05")

    def _selection(self):
        return "fwe", self.alpha


@described
class GenericUnivariateSelect(Univariate):
    __doc__ = document(
        "GenericUnivariateSelect", "Univariate selection of the kind that `mode` names.",
        ["mode : {'percentile', 'k_best', 'fpr', 'fdr', 'fwe'}, default='percentile'",
         "    Which of the other five selections.",
         'param : "all", float or int, default=1e-05',
         "    Its parameter."],
        "SelectKBest : One of the five.", 'mode="k_best", param=1')

    def _selection(self):
        return self.mode, self.param

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


__all__ = ["GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest",
           "SelectPercentile"]
