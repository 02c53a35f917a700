# SPDX-License-Identifier: Apache-2.0
"""KNNImputer."""
import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from .. import _config, _core
from .._host import fit_context
from ..base import as_given, described, library_floats, model_of, refuse_non_finite, table_of
from ._base import Imputer


@described
class KNNImputer(Imputer):
    """Fill missing cells with the mean of the nearest training rows that have the column.

    Parameters
    ----------
    missing_values : int, float, str, numpy.nan, None or pandas.NA, default=numpy.nan
        What counts as missing. With another marker than NaN, NaN is an error.
    n_neighbors : int, default=5
        So many rows fill a cell; fewer where not so many have the column.
    weights : {"uniform", "distance"} or callable, default="uniform"
        Whether neighbours count the same, or by the inverse of their distance: then those without any
        distance count alone. A function gets the distances, a row for each cell, and gives weights.
    metric : {"nan_euclidean"} or callable, default="nan_euclidean"
        The Euclidean distance over the columns that both rows have, scaled to all columns. A function gets
        two rows and ``missing_values`` by name, and gives their distance.
    copy : bool, default=True
        False: `transform` writes into X what it fills.
    add_indicator : bool, default=False
        Append a column of 0 and 1 for each column that had missing cells at the fit.
    keep_empty_features : bool, default=False
        Keep columns without any value, filled with 0; else they are left out.

    Attributes
    ----------
    indicator_ : quern.impute.MissingIndicator or None
        The columns with an indicator. None without `add_indicator`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    The meaning is that of `sklearn.impute.KNNImputer`. Distances are sums of squared differences in float64,
    for float32 too; neighbours at the same distance are taken in the order of the training rows, where
    scikit-learn's choice is not defined. A row that shares no column with any row that has the missing one
    gets the column's mean.

    The search runs on the configured device, with the same bits everywhere; on the processor in blocks that
    stay in its caches, without a matrix of distances. Functions for `weights` or `metric` are called from Python, and scikit-learn's
    distances are used then.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.impute import KNNImputer
    >>> X = [[1.0, 2.0, np.nan], [3.0, 4.0, 3.0], [np.nan, 6.0, 5.0], [8.0, 8.0, 7.0]]
    >>> KNNImputer(n_neighbors=2).fit_transform(X)
    array([[1. , 2. , 4. ],
           [3. , 4. , 3. ],
           [5.5, 6. , 5. ],
           [8. , 8. , 7. ]])
    """

    # -- as a part of a larger model (_fuse.py) --

    _fusable = True

    def _refusal(self, types):
        if self._has_functions() or self.add_indicator or self.keep_empty_features:
            return "has functions, an indicator or keeps empty features"
        if not is_scalar_nan(self.missing_values):
            return f"has the marker {self.missing_values!r}"
        return super()._refusal(types)

    def _output_types(self, types):
        common = np.result_type(*types)
        return [common if common in FLOAT_DTYPES else np.dtype(np.float64)] * len(types)

    def _adopt(self, found, types, rows):
        learned = np.asarray(found["fit_X_"]).reshape(rows, len(types))
        self._keep(learned.astype(self._output_types(types)[0]), np.isnan(learned))
        if not self._valid_mask.all():
            raise _core.UnsupportedError("a column has no values")

    def _tensors_for(self, types):
        rows = np.array(self._fit_X, np.float64)
        rows[self._mask_fit_X] = np.nan
        return {"fit_X_": rows}

    def _fused_key(self):
        return (super()._fused_key(), self._fit_X.tobytes(), self._mask_fit_X.tobytes(),
                str(self._fit_X.dtype))

    def _json(self):
        return super()._json() | {
            "missing_values": None, "metric": "nan_euclidean",
            "weights": "distance" if self.weights == "distance" else "uniform"}

    def _has_functions(self):
        return callable(self.weights) or callable(self.metric)

    # -- fitting --

    def _checked(self, X, reset):
        nan = is_scalar_nan(self.missing_values)
        return self._validated(X, False, reset=reset, accept_sparse=False, dtype=FLOAT_DTYPES,
                               force_writeable=None if reset or self.copy else True, copy=False,
                               ensure_all_finite="allow-nan" if nan else True)

    def _keep(self, X, mask):
        self._fit_X, self._mask_fit_X = X, mask
        self._valid_mask = ~mask.all(axis=0)
        self._set_indicator(mask.sum(axis=0), X)

    @fit_context
    def fit(self, X, y=None):
        """Keep the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; all numbers but floats become float64.
        y : None
            Not used.

        Returns
        -------
        self : KNNImputer
            The fitted imputer.

        Raises
        ------
        ValueError
            A parameter is not one of those above; or X has infinities, no row or no column, cells that are no
            numbers, or NaN beside another marker.
        TypeError
            X is sparse.
        """
        given, X = X, self._checked(X, reset=True)
        self._keep(X.copy() if self.copy and X is given else X, _get_mask(X, self.missing_values))
        return self

    # -- transforming --

    def transform(self, X):
        """Fill missing cells from the nearest training rows.

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
        X = self._checked(X, reset=False)
        mask = _get_mask(X, self.missing_values)
        kept = np.ones_like(self._valid_mask) if self.keep_empty_features else self._valid_mask
        marks = mask[:, self.indicator_.features_] if self.add_indicator else mask[:, :0]
        if not kept.any():
            return np.hstack((X[:, :0], marks))
        if self._has_functions():
            filled = self._by_functions(X.copy(), mask)[:, kept]
        else:
            filled = self._by_library(X, mask)
        if not self.copy:
            X[:, kept] = filled
        return np.hstack((filled, marks)) if marks.shape[1] else filled

    def _by_library(self, X, mask):
        given = library_floats(X)
        if not is_scalar_nan(self.missing_values):
            given = np.where(mask, given.dtype.type(np.nan), given)
        model = self._remembered(self._fused_key(), given.dtype.name, lambda: self._model(given))
        try:
            out = np.asarray(model.transform(self._context(), table_of(given)))
        except ValueError as error:
            refuse_non_finite(error, X, self)
        return as_given(out.reshape(X.shape[0], -1), X.dtype)

    def _model(self, X):
        """A model without indicators: their columns are known here."""
        spec = self._json() | {"add_indicator": False}
        return model_of(_Spec(self, spec), X.dtype.name, X.shape[1], self._tensors_for(None), True)

    def _by_functions(self, X, mask):
        """The same with functions of the caller, which are called from here."""
        _config.note(type(self).__name__, "weights or metric is a function of Python")
        X[:, ~self._valid_mask] = 0
        rows = np.flatnonzero(mask[:, self._valid_mask].any(axis=1))
        if not len(rows):
            return X
        given = X[rows].copy()
        given[mask[rows]] = self.missing_values
        finite = "allow-nan" if is_scalar_nan(self.missing_values) else True
        at = 0
        for distances in pairwise_distances_chunked(
                given, self._fit_X, metric=self.metric, missing_values=self.missing_values,
                ensure_all_finite=finite):
            chunk = rows[at : at + len(distances)]
            at += len(distances)
            for column in np.flatnonzero(self._valid_mask & mask[chunk].any(axis=0)):
                cells = mask[chunk, column]
                X[chunk[cells], column] = self._from_donors(distances[cells], column)
        return X

    def _from_donors(self, distances, column):
        """What cells of a column become, given their rows' distances from all training rows."""
        donors = np.flatnonzero(~self._mask_fit_X[:, column])
        values, distances = self._fit_X[donors, column], distances[:, donors]
        nearest = np.argsort(distances, axis=1, kind="stable")[:, : self.n_neighbors]
        distances = np.take_along_axis(distances, nearest, axis=1)
        weights = self._weigh(distances)
        weights[np.isnan(distances)] = 0
        with np.errstate(invalid="ignore"):
            found = (values[nearest] * weights).sum(axis=1) / weights.sum(axis=1)
        return np.where(np.isnan(distances).all(axis=1), values.mean(), found)

    def _weigh(self, distances):
        if callable(self.weights):
            found = self.weights(distances)
            if found is not None:
                return np.array(found, np.float64)
        if self.weights != "distance":
            return np.ones(distances.shape)
        same = distances == 0
        with np.errstate(divide="ignore"):
            return np.where(same.any(axis=1, keepdims=True), same, 1 / distances).astype(np.float64)

    def _kept(self, features):
        return features[self._valid_mask]


class _Spec:
    """An estimator with other parameters, for model_of."""

    def __init__(self, estimator, params):
        self._params, self._name = params, estimator._library_name

    def _spec(self):
        return {"quern": 1, "steps": [{"columns": "*", "apply": [{self._name: self._params}]}]}
