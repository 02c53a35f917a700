# SPDX-License-Identifier: Apache-2.0
"""IterativeImputer."""
import functools
import json
import numbers
import warnings

import numpy as np
from scipy import stats
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute._iterative import _ImputerTriplet
from sklearn.linear_model import BayesianRidge
from sklearn.utils import _safe_indexing, check_array, check_random_state
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils.metadata_routing import (MetadataRouter, MethodMapping, _raise_for_params,
                                            process_routing)
from sklearn.utils.validation import FLOAT_DTYPES, _num_samples, check_is_fitted

from .. import _config, _core
from .._memory import empty
from ..base import (as_given, described, learned, library_floats, model_of,
                    refuse_non_finite, table_of)
from ._base import Imputer
from ._knn import _Spec
from ._simple import SimpleImputer

HEAD = ("target", "intercept", "alpha", "lambda", "rounds")  # of a row of sequence_
PART = 1 << 20  # cells that are looked at together


class _Marks:
    """The missing cells of X, which are a quarter of its memory and made only if they are asked for."""

    def __init__(self, X, marker):
        self._X, self._marker = X, marker

    @functools.cached_property
    def cells(self):
        return _get_mask(self._X, self._marker)

    @functools.cached_property
    def counts(self):
        """How many each column has."""
        found = np.zeros(self._X.shape[1], np.int64)
        for _, cells in self.parts():
            found += np.count_nonzero(cells, axis=0)
        return found

    def parts(self):
        """Some rows and their marks, one after the other."""
        step = max(1, PART // max(1, self._X.shape[1]))
        for first in range(0, self._X.shape[0], step):
            rows = slice(first, first + step)
            yield rows, _get_mask(self._X[rows], self._marker)


@described
class IterativeImputer(Imputer):
    """Fill missing cells by regressions on the other columns, in rounds.

    Parameters
    ----------
    estimator : estimator object or None, default=None
        The regression. None: `sklearn.linear_model.BayesianRidge`, which the library computes; others are
        called from Python.
    missing_values : int, float, str, numpy.nan, None or pandas.NA, default=numpy.nan
        What counts as missing. With another marker than NaN, NaN is an error.
    sample_posterior : bool, default=False
        Draw cells from the regression's distribution, which it must give, instead of taking its prediction.
    max_iter : int, default=10
        Rounds at most. 0: cells stay as they begin.
    tol : float, default=1e-3
        Rounds end when no row changes by more than this part of the largest value.
    n_nearest_features : int or None, default=None
        So many of the other columns, drawn by their correlation, are regressed on. None: all.
    initial_strategy : {"mean", "median", "most_frequent", "constant"}, default="mean"
        What missing cells begin as, as `SimpleImputer` has it.
    fill_value : number or None, default=None
        For "constant". None: 0.
    imputation_order : {"ascending", "descending", "roman", "arabic", "random"}, default="ascending"
        Columns by their missing cells, fewest or most first; from the first or from the last; or anew in each
        round.
    skip_complete : bool, default=False
        Learn nothing for columns without missing cells at the fit.
    min_value : float or array-like of shape (n_features,), default=-numpy.inf
        The least that a cell may become.
    max_value : float or array-like of shape (n_features,), default=numpy.inf
        The most that a cell may become.
    verbose : int, default=0
        Tell about rounds.
    random_state : int, RandomState instance or None, default=None
        Where draws come from.
    add_indicator : bool, default=False
        Append a column of 0 and 1 for each column that had missing cells at the fit.
    keep_empty_features : bool, default=False
        Keep columns without any value, filled with 0 or `fill_value`; else they are left out.

    Attributes
    ----------
    initial_imputer_ : SimpleImputer
        What cells begin as.
    imputation_sequence_ : list of tuples
        The regressions in their order: the column, the columns that it is regressed on, and the fitted
        estimator. Those of the library have no `sigma_`.
    n_iter_ : int
        Rounds.
    n_features_with_missing_ : int
        Columns that are regressed in a round.
    indicator_ : quern.impute.MissingIndicator or None
        The columns with an indicator. None without `add_indicator`.
    random_state_ : RandomState instance
        Where draws come from.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    The meaning is that of `sklearn.impute.IterativeImputer`. The library's regressions are
    BayesianRidge's with its default parameters, from sums of products in float64 that are kept up to date,
    where scikit-learn factorises the data anew for each of them: the results are equal within rounding
    errors, in float32 within those of scikit-learn. They run on the processor, whatever the device.

    Other estimators, `sample_posterior`, `n_nearest_features`, a random order and bounds of single columns
    run in Python, as scikit-learn runs them.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.impute import IterativeImputer
    >>> imputer = IterativeImputer()
    >>> filled = imputer.fit_transform([[1.0, 2.0], [3.0, 6.0], [4.0, 8.0], [np.nan, 3.0], [7.0, np.nan]])
    >>> filled.round(2)
    array([[ 1. ,  2. ],
           [ 3. ,  6. ],
           [ 4. ,  8. ],
           [ 1.5,  3. ],
           [ 7. , 14. ]])
    """

    # -- what the library does --

    def _by_library(self, n_features):
        """Why not, or ""."""
        if not is_default_ridge(self.estimator):
            return "its regression is not the default BayesianRidge"
        if self.sample_posterior:
            return "it draws from a distribution"
        if self.n_nearest_features is not None and self.n_nearest_features < n_features:
            return "it regresses on some of the columns"
        if self.imputation_order == "random":
            return "its order is random"
        if not (self._one(self.min_value) and self._one(self.max_value)):
            return "bounds are those of single columns"
        return ""

    @staticmethod
    def _one(limit):
        return limit is None or np.isscalar(limit)

    def _params(self):
        """The library's parameters, without indicators: their columns are known here."""
        names = ("max_iter", "tol", "initial_strategy", "imputation_order", "skip_complete",
                 "keep_empty_features")
        found = {name: getattr(self, name) for name in names}
        if self.imputation_order == "random":  # which was drawn; a transform does not ask
            del found["imputation_order"]
        found["max_iter"], found["tol"] = int(self.max_iter), float(self.tol)
        for name, limits in (("min_value", self._min_value), ("max_value", self._max_value)):
            if np.isfinite(limits[0]):  # one for all, or the library is not asked
                found[name] = float(limits[0])
        if self.initial_strategy == "constant" and self.fill_value is not None:
            found["fill_value"] = float(self.fill_value)
        if self._library_marks():
            found["missing_values"] = float(self.missing_values)
        return found

    def _library_marks(self):
        """Whether the library compares cells with the marker: a number that is one in every float type."""
        marker = self.missing_values
        if not isinstance(marker, numbers.Real) or not abs(marker) <= 2048:
            return False
        return float(np.float16(marker)) == marker

    def _fit_by_library(self, X):
        """Learns the sequence; returns what the rows become."""
        spec = json.dumps(_Spec(self, self._params())._spec())
        try:
            with _config.warns_itself("IterativeImputer"):
                model = _core.Pipeline(spec).fit(self._context(), table_of(X))
        except ValueError as error:
            refuse_non_finite(error, X, self)
        found = learned(model)
        rounds = found["rounds_"].reshape(-1, 2)
        self.n_iter_ = len(rounds)
        self.imputation_sequence_ = self._triplets(
            found["sequence_"].reshape(-1, len(HEAD) + X.shape[1]))
        self._tell(X, rounds)
        if self.n_iter_ and not rounds[-1, 0] < rounds[-1, 1]:
            warnings.warn("[IterativeImputer] Early stopping criterion not reached.",
                          ConvergenceWarning)
        native = self._native
        native.key, native.models = self._key(), {X.dtype.name: model}
        return model

    def _tell(self, X, rounds):
        if self.verbose > 0:
            print(f"[IterativeImputer] Completing matrix with shape {X.shape}")
        for n, (change, tolerance) in enumerate(rounds.tolist(), 1):
            if self.verbose > 1:
                print(f"[IterativeImputer] Ending imputation round {n}/{self.max_iter}")
            if self.verbose > 0:
                print(f"[IterativeImputer] Change: {change}, scaled tolerance: {tolerance} ")
                if change < tolerance:
                    print("[IterativeImputer] Early stopping criterion reached.")

    def _triplets(self, sequence):
        kept = np.flatnonzero(~self._is_empty_feature | self.keep_empty_features)
        place = {column: at for at, column in enumerate(kept.tolist())}
        made = []
        for row in sequence:
            at = place[int(row[0])]
            neighbours = np.delete(np.arange(len(kept)), at)
            ridge = BayesianRidge()
            ridge.coef_ = row[len(HEAD):][kept[neighbours]]
            ridge.intercept_, ridge.alpha_, ridge.lambda_ = row[1], row[2], row[3]
            ridge.n_iter_, ridge.n_features_in_ = int(row[4]), len(neighbours)
            made.append(_ImputerTriplet(at, neighbours, ridge))
        return made

    def _sequence(self):
        """The regressions as the library has them, or None: they are no linear ones."""
        kept = np.flatnonzero(~self._is_empty_feature | self.keep_empty_features)
        rows = np.zeros((len(self.imputation_sequence_), len(HEAD) + self.n_features_in_))
        for row, (at, neighbours, estimator) in zip(rows, self.imputation_sequence_):
            if type(estimator) is not BayesianRidge or getattr(estimator, "coef_", None) is None:
                return None
            row[:5] = kept[at], estimator.intercept_, estimator.alpha_, estimator.lambda_, estimator.n_iter_
            row[len(HEAD) + kept[neighbours]] = estimator.coef_
        return rows

    def _key(self):
        return (json.dumps(self._params()), self.initial_imputer_.statistics_.tobytes(),
                tuple(map(id, self.imputation_sequence_)),
                *[e.coef_.tobytes() for _, _, e in self.imputation_sequence_
                  if hasattr(e, "coef_")])

    def _model(self, X):
        sequence = self._sequence()
        if sequence is None:
            return None
        initial = np.array(self.initial_imputer_.statistics_, np.float64)
        if self.keep_empty_features:
            initial[np.isnan(initial)] = 0
        tensors = {"empty_": self._is_empty_feature.astype(np.float64),
                   "initial_": initial.astype(X.dtype).astype(np.float64),
                   "n_missing_": np.zeros(X.shape[1], np.int64), "sequence_": sequence}
        return model_of(_Spec(self, self._params()), X.dtype.name, X.shape[1], tensors, True)

    # -- input --

    def _checked(self, X, reset):
        nan = is_scalar_nan(self.missing_values)
        return self._validated(X, False, reset=reset, dtype=FLOAT_DTYPES, accept_sparse=False,
                               ensure_all_finite="allow-nan" if nan else True)

    def _start(self, X, reset):
        """X, what it begins as, where cells are to be imputed, and where they are missing."""
        X = self._checked(X, reset)
        marks = _Marks(X, self.missing_values)
        if self.initial_imputer_ is None:
            self.initial_imputer_ = SimpleImputer(
                missing_values=self.missing_values, strategy=self.initial_strategy,
                fill_value=self.fill_value,
                keep_empty_features=self.keep_empty_features).set_output(transform="default")
            self.initial_imputer_.fit(X)
        if reset:
            self._is_empty_feature = marks.counts == X.shape[0]
        return X, marks

    def _begin(self, X, marks):
        """The kept columns as given and as they begin, in Fortran's order, and what is missing there."""
        filled = np.asfortranarray(self.initial_imputer_.transform(X))
        marks = marks.cells
        if self.keep_empty_features:
            X, marks = X.copy(), marks.copy()
            marks[:, self._is_empty_feature] = False
            X[:, self._is_empty_feature] = filled[:, self._is_empty_feature]
            return X, filled, marks
        return X[:, ~self._is_empty_feature], filled, marks[:, ~self._is_empty_feature]

    def _with_marks(self, filled, marks):
        if not self.add_indicator:
            return filled
        out = self._room(*filled.shape, filled.dtype)
        out[:, : filled.shape[1]] = filled
        return self._marked_beside(out, marks)

    def _room(self, rows, columns, dtype):
        """An output with room for indicators, if there are any."""
        more = len(self.indicator_.features_) if self.add_indicator else 0
        return empty((rows, columns + more), dtype)

    def _marked_beside(self, out, marks):
        """The output's last columns become indicators."""
        if self.add_indicator:
            features = self.indicator_.features_
            for rows, cells in marks.parts():
                out[rows, out.shape[1] - len(features):] = cells[:, features]
        return out

    @staticmethod
    def _validate_limit(limit, limit_type, n_features, is_empty_feature, keep_empty_feature):
        """Bounds, one for each column that stays."""
        n_given = _num_samples(is_empty_feature)
        if limit is not None and not np.isscalar(limit) and _num_samples(limit) != n_given:
            raise ValueError(f"'{limit_type}_value' should be of shape ({n_given},) when an array-like is "
                             f"provided. Got {len(limit)}, instead.")
        if limit is None:
            limit = np.inf if limit_type == "max" else -np.inf
        if np.isscalar(limit):
            limit = np.full(n_features, limit)
        limit = check_array(limit, ensure_all_finite=False, copy=False, ensure_2d=False)
        if not keep_empty_feature and len(limit) == len(is_empty_feature):
            limit = limit[~is_empty_feature]
        return limit

    def _set_limits(self, n_features):
        self._min_value, self._max_value = (
            self._validate_limit(limit, word, n_features, self._is_empty_feature, self.keep_empty_features)
            for limit, word in ((self.min_value, "min"), (self.max_value, "max")))
        if not np.all(np.greater(self._max_value, self._min_value)):
            raise ValueError("One (or more) features have min_value >= max_value.")

    # -- fitting --

    def fit_transform(self, X, y=None, **params):
        """Learn the regressions and fill the rows that they are learned of.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; all numbers but floats become float64.
        y : None
            Not used.
        **params : dict
            Where scikit-learn's metadata routing is enabled: for `fit` of the estimator.

        Returns
        -------
        X_imputed : ndarray of shape (n_samples, n_features_out)
            The columns that stay, filled, and then those of the indicators.

        Raises
        ------
        ValueError
            A parameter is not one of those above; bounds contradict each other or are not one for each column;
            or X has infinities, no row or no column, cells that are no numbers, or NaN beside another marker.
        TypeError
            X is sparse.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            The rounds ended before changes were below the tolerance.
        """
        return self._learn(X, params, True)

    def fit(self, X, y=None, **fit_params):
        """Learn the regressions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; all numbers but floats become float64.
        y : None
            Not used.
        **fit_params : dict
            Where scikit-learn's metadata routing is enabled: for `fit` of the estimator.

        Returns
        -------
        self : IterativeImputer
            The fitted imputer.

        Raises
        ------
        ValueError
            As `fit_transform`.
        TypeError
            X is sparse.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            The rounds ended before changes were below the tolerance.
        """
        self._learn(X, fit_params, False)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def _learn(self, X, params, fill):
        """Learns; what the rows become, if they are to be filled."""
        _raise_for_params(params, self, "fit")
        routed = process_routing(self, "fit", **params)
        self.random_state_ = getattr(self, "random_state_", check_random_state(self.random_state))
        self._estimator = BayesianRidge() if self.estimator is None else clone(self.estimator)
        self.imputation_sequence_, self.initial_imputer_, self.n_iter_ = [], None, 0
        X, marks = self._start(X, True)
        self._set_indicator(marks.counts, X)
        kept = np.ones(X.shape[1], bool) if self.keep_empty_features else ~self._is_empty_feature
        imputed = np.where(self._is_empty_feature, 0, marks.counts)
        if self.max_iter == 0 or np.count_nonzero(kept) <= 1:
            return self._with_marks(self.initial_imputer_.transform(X), marks) if fill else None
        self._set_limits(X.shape[1])
        why = self._by_library(np.count_nonzero(kept)) or ("parameters are routed" if params else "")
        if why:
            _config.note(type(self).__name__, why)
            return self._with_marks(self._rounds(*self._begin(X, marks), routed.estimator.fit), marks)
        self.n_features_with_missing_ = int(np.count_nonzero(imputed) if self.skip_complete
                                            else np.count_nonzero(kept))
        given = self._marked(X, marks)
        self.initial_imputer_._left_out(X)  # which warns
        model = self._fit_by_library(given)
        return self._marked_beside(self._filled(model, given, X.dtype), marks) if fill else None

    def _marked(self, X, marks):
        """X as the library reads it, with NaN for what is missing if it cannot tell."""
        given = library_floats(X)
        if is_scalar_nan(self.missing_values) or self._library_marks():
            return given
        return np.where(marks.cells, given.dtype.type(np.nan), given)

    def _filled(self, model, given, dtype):
        """The columns that stay, and room for indicators."""
        stay = given.shape[1] - (0 if self.keep_empty_features else np.count_nonzero(self._is_empty_feature))
        out = self._room(len(given), stay, given.dtype)
        try:
            model.transform(self._context(), table_of(given), out=out[:, :stay])
        except ValueError as error:
            refuse_non_finite(error, given, self)
        return as_given(out, dtype)

    # -- rounds in Python, for what the library has not --

    def _rounds(self, X, filled, marks, fit_params):
        order, correlations = self._order(marks), self._correlations(filled)
        self.n_features_with_missing_ = len(order)
        if self.verbose > 0:
            print(f"[IterativeImputer] Completing matrix with shape {X.shape}")
        before = filled.copy()
        tolerance = self.tol * np.max(np.abs(X[~marks]))
        for self.n_iter_ in range(1, self.max_iter + 1):
            if self.imputation_order == "random":
                order = self._order(marks)
            for feature in order:
                neighbours = self._neighbours(filled.shape[1], feature, correlations)
                estimator = clone(self._estimator)
                rows = ~marks[:, feature]
                estimator.fit(_safe_indexing(_safe_indexing(filled, neighbours, axis=1), rows, axis=0),
                              filled[rows, feature], **fit_params)
                self._impute(filled, marks, feature, neighbours, estimator)
                self.imputation_sequence_.append(_ImputerTriplet(feature, neighbours, estimator))
            if self._settled(filled, before, tolerance):
                break
            before = filled.copy()
        else:
            if not self.sample_posterior:
                warnings.warn("[IterativeImputer] Early stopping criterion not reached.",
                              ConvergenceWarning)
        filled[~marks] = X[~marks]
        return filled

    def _settled(self, filled, before, tolerance):
        if self.verbose > 1:
            print(f"[IterativeImputer] Ending imputation round {self.n_iter_}/{self.max_iter}")
        if self.sample_posterior:
            return False
        change = np.abs(filled - before).sum(axis=1).max()
        if self.verbose > 0:
            print(f"[IterativeImputer] Change: {change}, scaled tolerance: {tolerance} ")
        if change < tolerance and self.verbose > 0:
            print("[IterativeImputer] Early stopping criterion reached.")
        return change < tolerance

    def _order(self, marks):
        share = marks.mean(axis=0)
        order = np.flatnonzero(share) if self.skip_complete else np.arange(len(share))
        if self.imputation_order in ("ascending", "descending"):
            order = np.argsort(share, kind="stable")[len(share) - len(order):]
        if self.imputation_order in ("descending", "arabic"):
            return order[::-1]
        if self.imputation_order == "random":
            self.random_state_.shuffle(order)
        return order

    def _correlations(self, filled, least=1e-6):
        """For each column, how likely the others are drawn."""
        if self.n_nearest_features is None or self.n_nearest_features >= filled.shape[1]:
            return None
        with np.errstate(invalid="ignore"):
            found = np.abs(np.corrcoef(filled.T))
        found = np.maximum(np.where(np.isnan(found), least, found), least)
        np.fill_diagonal(found, 0)
        return found / found.sum(axis=0)

    def _neighbours(self, n, feature, correlations):
        if correlations is None:
            return np.delete(np.arange(n), feature)
        return self.random_state_.choice(np.arange(n), self.n_nearest_features, replace=False,
                                         p=correlations[:, feature])

    def _impute(self, filled, marks, feature, neighbours, estimator):
        rows = marks[:, feature]
        if not rows.any():
            return
        given = _safe_indexing(_safe_indexing(filled, neighbours, axis=1), rows, axis=0)
        low, high = self._min_value[feature], self._max_value[feature]
        if self.sample_posterior:
            filled[rows, feature] = self._drawn(*estimator.predict(given, return_std=True), low, high,
                                                filled.dtype)
        else:
            filled[rows, feature] = np.clip(estimator.predict(given), low, high)

    def _drawn(self, mean, deviation, low, high, dtype):
        """From the normal distributions, cut off at the bounds."""
        out = np.zeros(mean.shape, dtype)
        spread = deviation > 0
        out[~spread] = mean[~spread]
        out[mean < low], out[mean > high] = low, high
        inside = spread & ~(mean < low) & ~(mean > high)
        mean, deviation = mean[inside], deviation[inside]
        out[inside] = stats.truncnorm(a=(low - mean) / deviation, b=(high - mean) / deviation, loc=mean,
                                      scale=deviation).rvs(random_state=self.random_state_)
        return out

    # -- transforming --

    def transform(self, X):
        """Fill missing cells by the regressions that were learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_imputed : ndarray of shape (n_samples, n_features_out)
            The columns that stay, filled, and then those of the indicators.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, other columns than the fit saw, cells that are no numbers, or NaN beside another
            marker.
        TypeError
            X is sparse.
        """
        check_is_fitted(self)
        X, marks = self._start(X, False)
        if self.n_iter_ == 0:
            return self._with_marks(self.initial_imputer_.transform(X), marks)
        given = self._marked(X, marks)
        model, limits = None, (self._min_value, self._max_value)
        if not self.sample_posterior and all((limit == limit[0]).all() for limit in limits):
            model = self._remembered(self._key(), given.dtype.name, lambda: self._model(given))
        if model is not None:
            self.initial_imputer_._left_out(X)  # which warns
            return self._marked_beside(self._filled(model, given, X.dtype), marks)
        _config.note(type(self).__name__, "its regressions are called from Python")
        kept, filled, missing = self._begin(X, marks)
        for feature, neighbours, estimator in self.imputation_sequence_:
            self._impute(filled, missing, feature, neighbours, estimator)
        filled[~missing] = kept[~missing]
        return self._with_marks(filled, marks)

    def _kept(self, features):
        return self.initial_imputer_.get_feature_names_out(features)

    def get_metadata_routing(self):
        """Where parameters of `fit` go, for scikit-learn's metadata routing.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
            `fit` of the estimator gets those that it asks for.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=MethodMapping().add(callee="fit", caller="fit"))


def is_default_ridge(estimator):
    """Whether it is a BayesianRidge with its default parameters; None stands for one."""
    return estimator is None or (
        type(estimator) is BayesianRidge
        and estimator.get_params(deep=False) == BayesianRidge().get_params(deep=False))
