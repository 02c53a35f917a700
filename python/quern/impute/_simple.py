# SPDX-License-Identifier: Apache-2.0
"""SimpleImputer."""
import json
import warnings

import numpy as np
from scipy import sparse
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils._sparse import _align_api_if_sparse
from sklearn.utils.validation import FLOAT_DTYPES, assert_all_finite, check_is_fitted

from .. import _attributes, _config, _core
from .._host import fit_context
from .._sparse import from_sparse, to_sparse
from ..base import described, is_plain_matrix, learned, library_floats, refuse_non_finite, table_of
from ._base import Imputer
from ._marker import as_spec, check_numbers, is_nan

DENSIFIES = ("Imputation not possible when missing_values == 0 and input is sparse. Provide a dense "
             "array instead.")


@described
class SimpleImputer(Imputer):
    """Fill missing cells with the column's mean, median, most frequent value or a constant.

    Parameters
    ----------
    missing_values : int, float, str, numpy.nan, None or pandas.NA, default=numpy.nan
        What counts as missing. With another marker than NaN, NaN is an error.
    strategy : {"mean", "median", "most_frequent", "constant"} or callable, default="mean"
        What missing cells become. The first two want numbers. Of equally frequent values it is the
        smallest. A function gets the values of a column that are there, and gives a number.
    fill_value : str, number or None, default=None
        For "constant". None: 0, or ``"missing_value"`` among objects.
    copy : bool, default=True
        False: `transform` writes into X where the output has its shape and dtype.
    add_indicator : bool, default=False
        Append a column of 0 and 1 for each column that had missing cells at the fit.
    keep_empty_features : bool, default=False
        Keep columns without any value, filled with 0 or `fill_value`; else they are left out.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features,)
        What the cells of each column are filled with; NaN for columns that are left out.
    indicator_ : quern.impute.MissingIndicator or None
        The columns with an indicator. None without `add_indicator`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    The meaning is that of `sklearn.impute.SimpleImputer`; medians and most frequent values are equal,
    means within their rounding errors.

    Dense numbers are counted, averaged, selected and filled on the configured device, sparse matrices on
    the host. The most frequent value needs a dictionary, which the host builds. Strings and other objects
    are numbered in Python first, and functions as strategies run there.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.impute import SimpleImputer
    >>> X = [[1.0, np.nan], [np.nan, 4.0], [5.0, 8.0]]
    >>> imputer = SimpleImputer(strategy="median", add_indicator=True)
    >>> imputer.fit_transform(X)
    array([[1., 6., 0., 1.],
           [3., 4., 1., 0.],
           [5., 8., 0., 0.]])
    >>> imputer.get_feature_names_out(["a", "b"]).tolist()
    ['a', 'b', 'missingindicator_a', 'missingindicator_b']
    """

    # -- as a part of a larger model (_fuse.py) --

    _fusable = True

    def _refusal(self, types):
        if callable(self.strategy) or self.add_indicator or self.keep_empty_features:
            return "has a strategy of its own, an indicator or keeps empty features"
        if not is_scalar_nan(self.missing_values):
            return f"has the marker {self.missing_values!r}"
        if self.fill_value is not None:
            return "has a fill_value"
        texts = {t.kind == "O" for t in types}
        if len(texts) > 1 or (True in texts and self.strategy in ("mean", "median")):
            return "gets columns of strings beside numbers, or to average"
        return "gets booleans" if any(t.kind == "b" for t in types) else ""

    def _json(self):
        return {word: None if word == "missing_values" else getattr(self, word)
                for word in self._library_parameters}

    def _block_dtype(self, types):
        common = np.dtype(object) if types[0].kind == "O" else np.result_type(*types)
        if self.strategy in ("mean", "median") and common not in FLOAT_DTYPES:
            return np.dtype(np.float64)
        return common

    def _output_types(self, types):
        return [self._block_dtype(types)] * len(types)

    def _adopt(self, found, types, rows):
        dtype = self._block_dtype(types)
        if np.any(found["n_missing_"] == rows):
            raise _core.UnsupportedError("a column has no values")
        self._fit_dtype = self._fill_dtype = dtype
        self.indicator_ = None
        if self.strategy == "constant":
            self.statistics_ = np.full(len(types), self._filler(np.empty(0, dtype)), object)
        elif dtype.kind == "O":
            edges, data = (found[f"statistics_text_/{word}"] for word in ("offsets", "bytes"))
            self.statistics_ = np.array([bytes(data[a:b]).decode()
                                         for a, b in zip(edges[:-1], edges[1:])], object)
        else:
            self.statistics_ = np.array(found["statistics_"])
            if self.strategy == "median":
                self.statistics_ = self.statistics_.astype(dtype)

    def _tensors_for(self, types):
        dtype, n = self._block_dtype(types), len(types)
        tensors = {"n_missing_": np.zeros(n, np.int64)}
        if dtype.kind != "O":
            tensors["statistics_"] = self.statistics_.astype(np.float64)
            return tensors
        words = [word.encode() for word in self.statistics_]
        return tensors | {
            "statistics_text_/offsets": np.cumsum([0, *map(len, words)]).astype(np.int64),
            "statistics_text_/bytes": np.frombuffer(b"".join(words), np.uint8),
            "statistics_text_/present": np.ones(n, np.uint8)}

    def _fused_key(self):
        return (repr(self._json()), repr(self.statistics_.tolist()), str(self.statistics_.dtype),
                str(self._fit_dtype))

    # -- input --

    def _validate(self, X, in_fit):
        dtype = FLOAT_DTYPES
        if self.strategy in ("most_frequent", "constant"):
            texts = isinstance(X, list) and any(isinstance(v, str) for row in X for v in row)
            dtype = object if texts else None
        if not in_fit and self._fit_dtype.kind == "O":
            dtype = self._fit_dtype
        nan = is_nan(self.missing_values)
        by_rows = in_fit and not callable(self.strategy)  # then nobody looks at columns here
        forms = ("csc", "csr") if by_rows else "csc"
        try:
            X = self._validated(X, nan and (not in_fit or self._fit_sees_infinities()),
                                reset=in_fit, accept_sparse=forms, dtype=dtype, copy=False,
                                force_writeable=None if in_fit or self.copy else True,
                                ensure_all_finite="allow-nan" if nan else True)
        except ValueError as error:
            if "could not convert" not in str(error):
                raise
            raise ValueError(f"Cannot use {self.strategy} strategy with non-numeric data:\n"
                             f"{error}") from None
        if in_fit:
            self._fit_dtype = X.dtype
        self._check_dtype(X)
        if self.strategy == "constant":
            self._check_fill(X, in_fit)
        return X

    def _fit_sees_infinities(self):
        """The library's most frequent value may be a number where others are infinite."""
        return self.strategy in ("mean", "median", "constant")

    def _check_dtype(self, X):
        check_numbers(X, self.missing_values)
        if X.dtype.kind not in "iufO":
            raise ValueError(
                f"SimpleImputer does not support data with dtype {X.dtype}. Please provide either "
                "a numeric array (with a floating point or integer dtype) or categorical data "
                "represented either as an array with integer dtype or an array of string values "
                "with an object dtype.")
        if sparse.issparse(X) and self.missing_values == 0:
            raise ValueError(DENSIFIES)

    def _check_fill(self, X, in_fit):
        if not in_fit:
            dtype = self._fill_dtype
            message = (f"The dtype of the filling value (i.e. {dtype!r}) "
                       f"cannot be cast to the input data that is {X.dtype!r}. "
                       "Make sure that the dtypes of the input data are of the same kind "
                       "between fit and transform.")
        elif self.fill_value is None:
            return
        else:
            dtype = type(self.fill_value)
            message = (f"fill_value={self.fill_value!r} (of type {dtype!r}) "
                       f"cannot be cast to the input data that is {X.dtype!r}. "
                       "If fill_value is a Python scalar, instead pass  a numpy scalar "
                       "(e.g. fill_value=np.uint8(0) if your data is of type np.uint8). "
                       "Make sure that both dtypes are of the same kind.")
        if not np.can_cast(dtype, X.dtype, casting="same_kind"):
            raise ValueError(message)

    # -- the library --

    def _spec_of(self, strategy, indicator=False, marker=None, keep=True):
        """keep: columns without values stay, filled with 0."""
        return {"quern": 1, "steps": [{"columns": "*", "apply": [{"SimpleImputer": {
            "missing_values": marker, "strategy": strategy, "add_indicator": indicator,
            "keep_empty_features": keep}}]}]}

    def _library_fit(self, table, strategy, marker):
        """Statistics, and how many cells are missing; a column without values has any statistic."""
        spec = json.dumps(self._spec_of(strategy, marker=marker))
        with _config.warns_itself("SimpleImputer"):
            found = learned(_core.Pipeline(spec).fit(self._context(), table))
        return np.array(found["statistics_"]), found["n_missing_"]

    def _library_fill(self, X, statistics, counts, indicator, marker):
        """Cells of X filled; statistics: NaN where the column is left out."""
        if np.isnan(statistics).all() and not (indicator and counts.any()):
            return X[:, :0]  # nothing is left
        given = library_floats(X)
        dense = not sparse.issparse(X)
        spec = self._spec_of("most_frequent", indicator, marker, keep=False)
        tensors = {"steps/0/0/n_missing_": counts.astype(np.int64),
                   "steps/0/0/statistics_": statistics.astype(np.float64)}
        key = (given.dtype.char, json.dumps(spec), dense,
               *[t.tobytes() for t in tensors.values()])
        native = self._native
        if native.key != key:
            columns = [(None, given.dtype.name)] * X.shape[1]
            native.models = {0: _core.Model.from_bytes(
                _attributes.write(_attributes.metadata(spec, columns, dense), tensors))}
            native.key = key
        model = native.models[0]
        if dense:
            out = np.asarray(model.transform(self._context(), table_of(given)))
            out = out.reshape(X.shape[0], -1)
            return out if out.dtype == X.dtype else out.astype(X.dtype)
        out = model.transform(self._context(), from_sparse(given), sparse=True)
        return to_sparse(out, X)

    # -- fitting --

    @fit_context
    def fit(self, X, y=None):
        """Learn what cells are to be filled with.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers; objects, strings among them, for "most_frequent" and "constant".
        y : None
            Not used.

        Returns
        -------
        self : SimpleImputer
            The fitted imputer.

        Raises
        ------
        ValueError
            A parameter is not one of those above; X has infinities, no row or no column, cells that the
            strategy cannot use, or NaN beside another marker; X and the marker or the filling have types
            that do not go together; or X is sparse and 0 the marker.
        TypeError
            Objects of a column cannot be hashed.
        """
        X = self._validate(X, in_fit=True)
        self._fill_dtype = X.dtype
        if X.dtype.kind == "O":
            self.statistics_, missing = self._fit_objects(X)
        else:
            self.statistics_, missing = self._fit_numbers(X)
        self._set_indicator(missing, X)
        return self

    def _filler(self, X):
        if self.fill_value is not None:
            return self.fill_value
        return 0 if X.dtype.kind in "iuf" else "missing_value"

    def _fit_numbers(self, X):
        strategy = "most_frequent" if callable(self.strategy) else self.strategy
        given = library_floats(X)
        is_sparse = sparse.issparse(X)
        table = from_sparse(given) if is_sparse else table_of(given)
        try:
            statistics, missing = self._library_fit(table, strategy, as_spec(self.missing_values))
        except ValueError as error:
            refuse_non_finite(error, X, self)
        empty = missing == X.shape[0]
        if self.strategy == "constant":
            statistics = np.full(X.shape[1], self._filler(X),
                                 dtype=np.float64 if is_sparse else object)
            if not self.keep_empty_features:
                statistics[empty] = np.nan
            return statistics, missing
        if callable(self.strategy):
            statistics = self._asked(X, empty)
        else:
            statistics[empty] = 0 if self.keep_empty_features else np.nan
        if self.strategy == "median" and not is_sparse:  # means are float64, as there
            statistics = statistics.astype(X.dtype)
        return statistics, missing

    def _asked(self, X, empty):
        """What the user's function says of the values that are there."""
        statistics = np.empty(X.shape[1])
        for i in range(X.shape[1]):
            if sparse.issparse(X):
                column = X.data[X.indptr[i] : X.indptr[i + 1]]
                column = column[~_get_mask(column, self.missing_values)]
                column = column[column != 0]
                if len(column) == 0 and self.keep_empty_features:
                    statistics[i] = 0
                    continue
            else:
                column = X[:, i][~_get_mask(X[:, i], self.missing_values)]
            statistics[i] = self.strategy(column)
        return statistics

    # -- objects: the library counts and fills numbers that stand for them --

    def _fit_objects(self, X):
        mask = _get_mask(X, self.missing_values)
        statistics = np.empty(X.shape[1], object)
        if self.strategy == "constant":
            statistics[:] = [self._filler(X)] * X.shape[1]
            if not self.keep_empty_features:
                statistics[mask.all(axis=0)] = np.nan
            return statistics, mask.sum(axis=0)
        codes = np.full(X.shape, np.nan)
        uniques = []
        for i in range(X.shape[1]):
            values = X[~mask[:, i], i].tolist()
            uniques.append(in_order(values))
            table = {value: code for code, value in enumerate(uniques[-1])}
            codes[~mask[:, i], i] = [table[value] for value in values]
        numbers_, missing = self._library_fit(table_of(codes), "most_frequent", None)
        for i, code in enumerate(numbers_):
            if missing[i] == len(X):
                statistics[i] = 0 if self.keep_empty_features else np.nan
            else:
                statistics[i] = uniques[i][int(code)]
        return statistics, missing

    def _fill_objects(self, X, left_out):
        """The number of a cell is its row; one more row holds what missing cells become."""
        mask = _get_mask(X, self.missing_values)
        rows = np.where(mask, np.nan, np.arange(len(X), dtype=np.float64)[:, None])
        filler = np.where(left_out, np.nan, float(len(X)))
        features = self.indicator_.features_ if self.add_indicator else np.empty(0, np.int64)
        counts = np.zeros(X.shape[1], np.int64)
        counts[features] = 1
        places = self._library_fill(rows, filler, counts, self.add_indicator, None)
        kept = np.flatnonzero(~left_out)
        out = np.empty((len(X), places.shape[1]), object)
        for at, i in enumerate(kept):
            cells = np.append(X[:, i], [None])
            cells[-1] = self.statistics_[i]
            out[:, at] = cells[places[:, at].astype(np.int64)]
        out[:, len(kept):] = places[:, len(kept):].astype(bool)
        return out

    # -- transforming --

    def transform(self, X):
        """Fill missing cells with what the fit learned.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_imputed : {ndarray, sparse matrix} of shape (n_samples, n_features_out)
            The columns that stay, filled, and then those of the indicators. Sparse: CSC.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, other columns than the fit saw, or a type that the statistics cannot fill.

        Warns
        -----
        UserWarning
            Columns without any value are left out.
        """
        out = self._served(X)
        if out is not None:
            return out
        check_is_fitted(self)
        given, X = X, self._validate(X, in_fit=False)
        if X.shape[1] != self.statistics_.shape[0]:
            raise ValueError(f"X has {X.shape[1]} features per sample, "
                             f"expected {self.statistics_.shape[0]}")
        left_out = self._left_out(X)
        if X.dtype.kind == "O":
            out = self._fill_objects(X, left_out)
        else:
            out = self._fill_numbers(X, left_out)
        if not self.copy and out.shape == X.shape and type(out) is type(X):
            return self._in_place(out, X)
        if len(self._native.models) == 1 and X.dtype.kind != "O" and not left_out.any():
            self._will_serve(given, out, self._native.models[0])
        return out

    def _in_place(self, out, X):
        if sparse.issparse(X):
            X.data, X.indices, X.indptr = out.data, out.indices, out.indptr
        else:
            X[...] = out
        return X

    def _left_out(self, X):
        """Columns that had no value; a warning names them."""
        if self.keep_empty_features:
            return np.zeros(X.shape[1], bool)
        left_out = _get_mask(self.statistics_, np.nan)
        if left_out.any():
            names = np.arange(X.shape[1])[left_out]
            if hasattr(self, "feature_names_in_"):
                names = self.feature_names_in_[names]
            warnings.warn("Skipping features without any observed values:"
                          f" {names}. At least one non-missing value is needed"
                          f" for imputation with strategy='{self.strategy}'.")
        return left_out

    def _fill_numbers(self, X, left_out):
        fill = np.full(X.shape[1], np.nan)
        fill[~left_out] = self.statistics_[~left_out].astype(self._fill_dtype)
        counts = np.zeros(X.shape[1], np.int64)
        if self.add_indicator:
            counts[self.indicator_.features_] = 1
        if sparse.issparse(X):
            return self._fill_sparse(X, fill, counts)
        if left_out.any() and is_plain_matrix(X):  # columns that the library does not look at
            assert_all_finite(X, allow_nan=True, estimator_name="SimpleImputer", input_name="X")
        try:
            return self._library_fill(X, fill, counts, self.add_indicator, as_spec(self.missing_values))
        except ValueError as error:
            refuse_non_finite(error, X, self)

    def _fill_sparse(self, X, fill, counts):
        out = self._library_fill(X, fill, counts, False, as_spec(self.missing_values))
        if not self.add_indicator:
            return out
        mask = X.copy()
        mask.data = _get_mask(X.data, self.missing_values)
        mask.eliminate_zeros()
        mask = mask[:, self.indicator_.features_]
        return _align_api_if_sparse(sparse.hstack((out, mask), format=out.format))

    def inverse_transform(self, X):
        """Put missing cells back where the indicator columns say they were.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features_out)
            What `transform` gave.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), dtype float64
            Rows with `missing_values` in these cells.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is no indicator (`add_indicator`).

        Notes
        -----
        NumPy does it on the host.

        Examples
        --------
        >>> import numpy as np
        >>> from quern.impute import SimpleImputer
        >>> imputer = SimpleImputer(add_indicator=True)
        >>> imputer.inverse_transform(imputer.fit_transform([[1.0], [np.nan]])).ravel()
        array([ 1., nan])
        """
        check_is_fitted(self)
        if not self.add_indicator:
            raise ValueError("'inverse_transform' works only when 'SimpleImputer' is instantiated "
                             "with 'add_indicator=True'. "
                             f"Got 'add_indicator={self.add_indicator}' instead.")
        marked = self.indicator_.features_
        n_values = X.shape[1] - len(marked)
        missing = np.zeros((X.shape[0], len(self.statistics_)), bool)
        missing[:, marked] = X[:, n_values:].astype(bool)
        out = missing.astype(np.float64)
        filled = iter(X[:, :n_values].T)
        for i in range(out.shape[1]):
            if not missing[:, i].all():
                column = next(filled, None)
                if column is None:
                    break
                out[:, i] = column
        out[missing] = self.missing_values
        return out

    def _kept(self, features):
        return features[~_get_mask(self.statistics_, np.nan)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def in_order(values):
    """Distinct values, ascending; of types that do not compare, by type and text."""
    try:
        found = set(values)
    except TypeError as error:
        raise TypeError(f"argument must be a string or a number: {error}") from None
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=lambda v: (str(type(v)), str(v)))
