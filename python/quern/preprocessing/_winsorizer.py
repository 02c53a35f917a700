# SPDX-License-Identifier: Apache-2.0
"""Winsorizer."""
import json
import warnings

import numpy as np
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .. import _core
from .._host import fit_context
from ..base import described, learned
from ._columns import Columns


@described
class Winsorizer(Columns):
    """Limit columns to caps that are learned of their spread.

    Parameters
    ----------
    capping_method : {"gaussian", "iqr", "mad", "quantiles"}, default="gaussian"
        What the caps are: the mean and `fold` standard deviations; the quartiles and `fold` times their distance;
        the median and `fold` times the median of the absolute deviations from it, divided by 0.67449; or the quantiles
        `fold` and ``1 - fold``.
    tail : {"right", "left", "both"}, default="right"
        The side that is capped.
    fold : float or "auto", default="auto"
        How far out the caps lie. "auto" is 3, 1.5, 3.29 or 0.05, in the order of the methods above.
    add_indicators : bool, default=False
        Append a column of 0 and 1 for each tail that is capped, ``name_left`` and ``name_right``.
    missing_values : {"raise", "ignore"}, default="raise"
        Whether missing values (NaN) are an error, or take no part in the fit and stay.

    Attributes
    ----------
    left_tail_caps_ : ndarray of shape (n_features,), dtype float64
        The lower caps; -inf where that side is not capped.
    right_tail_caps_ : ndarray of shape (n_features,), dtype float64
        The upper caps; inf where that side is not capped.
    fold_ : float
        `fold`, or what "auto" stands for.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.Clipper : With bounds that are given.

    Notes
    -----
    Scikit-learn has no such class; the meaning is that of feature-engine's Winsorizer, which refuses columns without
    spread. Standard deviations are the population's; quantiles and medians are exact, as `numpy.percentile` gives
    them.

    Statistics and the transform are computed on the configured device.

    Examples
    --------
    >>> from quern.preprocessing import Winsorizer
    >>> X = [[1.0], [2.0], [3.0], [4.0], [100.0]]
    >>> capped = Winsorizer(capping_method="iqr", add_indicators=True).fit(X)
    >>> capped.right_tail_caps_
    array([7.])
    >>> capped.transform(X)[3:]
    array([[4., 0.],
           [7., 1.]])
    """

    @property
    def _changes_width(self):
        return self.add_indicators

    def _finite(self):
        return "allow-nan" if self.missing_values == "ignore" else True

    def _fold(self):
        usual = {"gaussian": 3.0, "iqr": 1.5, "mad": 3.29, "quantiles": 0.05}
        return usual[self.capping_method] if self.fold == "auto" else float(self.fold)

    @fit_context
    def fit(self, X, y=None):
        """Learn the caps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : Winsorizer
            The fitted estimator.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or `fold` is 0.5 or more for quantiles; or X has infinities,
            missing values that are to be raised, no row or no column, or cells that are no numbers.
        TypeError
            X is sparse.

        Warns
        -----
        UserWarning
            A column varies, but has no spread by the method: values beyond the middle become that.
        """
        X = self._checked(X, True)
        # both tails are learned, so that a column without spread can be told
        spec = {"quern": 1, "steps": [{"columns": "*", "apply": [{"Winsorizer": self._json() | {"tail": "both"}}]}]}
        found = learned(self._found(X, _core.Pipeline(json.dumps(spec))))
        left, right = found["left_tail_caps_"], found["right_tail_caps_"]
        self._warn_of(X, np.flatnonzero(left == right))
        self._take(left, right)
        return self

    def _warn_of(self, X, columns):
        still = [int(i) for i in columns if np.nanmin(X[:, i]) != np.nanmax(X[:, i])]
        if still:
            names = getattr(self, "feature_names_in_", np.arange(X.shape[1]))[still]
            warnings.warn(f"Columns {list(names)} vary, but have no spread by the capping_method "
                          f"{self.capping_method!r}; their values beyond the middle become that.")

    def _take(self, left, right):
        self.fold_ = self._fold()
        self.left_tail_caps_ = np.full(left.shape, -np.inf) if self.tail == "right" else left
        self.right_tail_caps_ = np.full(right.shape, np.inf) if self.tail == "left" else right

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of str objects
            The names themselves; then, with indicators, ``name_left`` and ``name_right`` of each.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        """
        check_is_fitted(self, "n_features_in_")
        names = _check_feature_names_in(self, input_features)
        tails = ("left", "right") if self.tail == "both" else (self.tail,)
        marks = [f"{name}_{tail}" for name in names for tail in tails] if self.add_indicators else []
        return np.asarray([*names, *marks], dtype=object)

    # -- as a part of a larger model --

    def _output_width(self, width):
        return width * (1 + self.add_indicators * (2 if self.tail == "both" else 1))

    def _adopt(self, found, types, rows):
        self._take(found["left_tail_caps_"], found["right_tail_caps_"])

    def _tensors_for(self, types):
        return {name: np.asarray(getattr(self, name), np.float64)
                for name in ("left_tail_caps_", "right_tail_caps_")}

    def _fused_key(self):
        return (super()._fused_key(), *(v.tobytes() for v in self._tensors_for(None).values()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing_values == "ignore"
        return tags
