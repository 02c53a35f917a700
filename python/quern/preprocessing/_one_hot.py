# SPDX-License-Identifier: Apache-2.0
"""OneHotEncoder."""
import warnings

import numpy as np
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._convert import unknown
from .._host import check_array, fit_context
from .._sparse import as_scipy
from ..base import described
from ._encoder import INFREQUENT, WIDTH, Encoder


@described
class OneHotEncoder(Encoder):
    """One column of 0 and 1 for each category of each column.

    Categories are numbers, booleans, strings and missing cells (NaN, None); each column has its own, in
    ascending order, missing cells last.

    Parameters
    ----------
    categories : "auto" or list of array-like, default="auto"
        The categories of each column: those of the fit's rows, or one list for each column. Numbers
        must ascend; strings keep their order.
    drop : {"first", "if_binary"}, array-like of shape (n_features,) or None, default=None
        A category of each column that gets no output column: the first, the first of two, or the one
        that is named.
    sparse_output : bool, default=True
        Give a CSR matrix instead of an array.
    dtype : number type, default=numpy.float64
        Of the output.
    handle_unknown : {"error", "ignore", "infrequent_if_exist", "warn"}, default="error"
        What a category that the fit has not seen becomes: an error, zeros in all columns, or the
        infrequent one where there is one ("warn": with a warning), else zeros.
    min_frequency : int, float or None, default=None
        Rarer categories share one output column: a count, or a fraction of the rows.
    max_categories : int or None, default=None
        The most output columns of a column, the shared one included.
    feature_name_combiner : "concat" or callable, default="concat"
        How names are made: ``feature_category``, or what the function gives for (feature, category).

    Attributes
    ----------
    categories_ : list of ndarray
        Categories of each column, in the column's dtype, those that are dropped or share a column
        included.
    drop_idx_ : ndarray of shape (n_features,), dtype object, or None
        Place in `categories_` of the category that is dropped, or None where none is. None without
        `drop`.
    infrequent_categories_ : list of ndarray or None
        Categories that share an output column; only with `min_frequency` or `max_categories`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.OrdinalEncoder : A number for each category.

    Notes
    -----
    The meaning, names of output columns included, is that of `sklearn.preprocessing.OneHotEncoder`. One
    difference: 0.0 and -0.0 are one category, whose name has no sign.

    Dictionaries of categories are built on the host, and strings are looked up there. Numbers are looked
    up, and codes become columns, on the configured device. Cells that are neither numbers nor strings, and
    the way back, are Python's.

    Examples
    --------
    >>> from quern.preprocessing import OneHotEncoder
    >>> encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    >>> encoder.fit_transform([["red", 1], ["green", 3], ["red", 3]])
    array([[0., 1., 1., 0.],
           [1., 0., 0., 1.],
           [0., 1., 0., 1.]])
    >>> encoder.get_feature_names_out(["colour", "size"]).tolist()
    ['colour_green', 'colour_red', 'size_1', 'size_3']
    >>> encoder.transform([["blue", 1]])
    array([[0., 0., 1., 0.]])
    """

    _changes_width = True

    @fit_context
    def fit(self, X, y=None):
        """Learn the categories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of numbers, booleans, strings and missing cells.
        y : None
            Not used.

        Returns
        -------
        self : OneHotEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            A parameter is not one of those above; `categories` or `drop` does not fit the columns; X has
            infinities, no row or no column, or a category that the given ones have not.
        TypeError
            X is sparse, or a column mixes types that have no order.
        """
        self._fit_categories(X)
        self._finish(self.n_features_in_)
        return self

    def _finish(self, width):
        self._set_drop()
        self._drop_of_fit = self.drop
        self._n_features_outs = [len(self._names_of(i)) for i in range(width)]

    def _adopt(self, found, types, rows):
        self._take(found, types)
        self._finish(len(types))

    def _output_width(self, width):
        return sum(self._n_features_outs)

    # -- what is dropped --

    def _set_drop(self):
        if self.drop is None:
            after = None
        elif isinstance(self.drop, str) and self.drop == "first":
            after = np.zeros(len(self.categories_), dtype=object)
        elif isinstance(self.drop, str):
            after = np.array([0 if self._n_groups(i) == 2 else None
                              for i in range(len(self.categories_))], dtype=object)
        else:
            after = self._given_drop()
        self._drop_idx_after_grouping = after
        if after is None or not self._infrequent_enabled:
            self.drop_idx_ = after
            return
        before = []
        for i, index in enumerate(after):
            mapping = self._default_to_infrequent_mappings[i]
            if index is not None and mapping is not None:
                index = np.flatnonzero(mapping == index)[0]
            before.append(index)
        self.drop_idx_ = np.asarray(before, dtype=object)

    def _n_groups(self, i):
        rare = self._infrequent_indices[i] if self._infrequent_enabled else None
        return len(self.categories_[i]) - (0 if rare is None else rare.size - 1)

    def _given_drop(self):
        wanted = np.asarray(self.drop, dtype=object)
        if len(wanted) != len(self.categories_):
            raise ValueError("`drop` should have length equal to the number "
                             f"of features ({len(self.categories_)}), got {len(wanted)}")
        missing, indices = [], []
        for i, (value, categories) in enumerate(zip(wanted, self.categories_)):
            if is_scalar_nan(value):
                at = [len(categories) - 1] if is_scalar_nan(categories[-1]) else []
            else:
                at = np.where(categories == value)[0]
            if len(at):
                indices.append(self._grouped(i, at[0]))
            else:
                missing.append(f"Category: {i}, Feature: {value}")
        if missing:
            raise ValueError("The following categories were supposed to be "
                             "dropped, but were not found in the training "
                             "data.\n{}".format("\n".join(missing)))
        return np.array(indices, dtype=object)

    def _grouped(self, i, index):
        mapping = self._default_to_infrequent_mappings[i] if self._infrequent_enabled else None
        if mapping is None:
            return index
        rare = self._infrequent_indices[i]
        if rare is not None and index in rare:
            raise ValueError(f"Unable to drop category {self.categories_[i][index].item()!r} from"
                             f" feature {i} because it is infrequent")
        return mapping[index]

    def _changes(self, words, refuse):
        drop = self.__dict__.get("_drop_of_fit", self.drop)  # scikit-learn's has none
        changes = {"drop": drop} | ({"handle_unknown": "error"} if refuse else {})
        if drop is not None and not isinstance(drop, str):
            plans = self._native.models["plans"]
            changes["drop"] = [plan.listed(word)[index]
                               for plan, word, index in zip(plans, words, self.drop_idx_)]
        return changes

    def _more_tensors(self):
        return {"n_without_column_": np.zeros(len(self.categories_), np.int64)}

    # -- transforming --

    def transform(self, X):
        """Encode rows with the categories of the fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_out : {sparse matrix, ndarray} of shape (n_samples, n_encoded_features)
            CSR, a matrix or an array as scikit-learn's configuration says; an array without
            `sparse_output`. The dtype is the parameter's.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has an unknown category while `handle_unknown` is "error", or other columns than the fit saw;
            or frames are wanted (`set_output`) of a sparse output.
        TypeError
            X is sparse, or has cells that cannot be hashed.

        Warns
        -----
        UserWarning
            X has an unknown category, and `handle_unknown` is "warn", or there is a `drop` so that zeros do
            not tell it from the dropped one.
        """
        check_is_fitted(self)
        container = _get_output_config("transform", estimator=self)["dense"]
        if container != "default" and self.sparse_output:
            word = container.capitalize()
            raise ValueError(f"{word} output does not support sparse data."
                             f" Set sparse_output=False to output {container} dataframes or"
                             f" disable {word} output via"
                             '` ohe.set_output(transform="default").')
        columns, rows, words, table = self._cells(X)
        refuses = self.handle_unknown == "error"
        if self.handle_unknown == "warn" or (self.drop is not None and not refuses):
            self._warn_of_unknown(columns, words, table)
        model = self._model(words, refuses)
        try:
            out = model.transform(self._context(), table, sparse=bool(self.sparse_output))
        except ValueError as error:
            self._refuse_unknown(columns, error)
        if self.sparse_output:
            return as_scipy(out, self.dtype)
        out = np.asarray(out).reshape(rows, sum(self._n_features_outs))
        return out.astype(self.dtype, copy=False)

    def _warn_of_unknown(self, columns, words, table):
        """The library refuses unknown categories when asked to: then there are some."""
        try:
            self._model(words, True).transform(self._context(), table, sparse=True)
        except ValueError:
            found = [i for i, column in enumerate(columns)
                     if unknown(column, self.categories_[i])]
            if found:
                how = ("as all zeros" if self.handle_unknown == "ignore"
                       else "as the infrequent category.")
                warnings.warn(f"Found unknown categories in columns {found} during transform. "
                              f"These unknown categories will be encoded {how}", UserWarning)

    # -- the way back, and names --

    def _groups(self, i):
        """Categories of column i, infrequent ones as one."""
        categories = self.categories_[i]
        if self._infrequent_enabled and (rare := self._infrequent_indices[i]) is not None:
            kept = np.delete(categories, rare)
            return np.concatenate((kept, np.array([INFREQUENT], dtype=object)))
        return categories

    def _names_of(self, i):
        """What the output columns of column i stand for."""
        after = self._drop_idx_after_grouping
        if after is None or after[i] is None:
            return self._groups(i)
        return np.delete(self._groups(i), after[i])

    def inverse_transform(self, X):
        """Categories of encoded rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_encoded_features)
            Encoded rows.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The category whose column is largest, in the common dtype of the categories. A block of zeros is
            the dropped category or, where unknown ones are allowed, None; infrequent categories are the
            string "infrequent_sklearn".

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has another number of columns than `transform` gives, missing values or infinities, or a block
            of zeros that stands for nothing.

        Examples
        --------
        >>> import numpy as np
        >>> from quern.preprocessing import OneHotEncoder
        >>> encoder = OneHotEncoder().fit([["green"], ["red"]])
        >>> encoder.inverse_transform([[0.0, 1.0]]).tolist()
        [['red']]
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse="csr")
        width = sum(self._n_features_outs)
        if X.shape[1] != width:
            raise ValueError(WIDTH.format(width, X.shape[1]))
        groups = [self._groups(i) for i in range(self.n_features_in_)]
        out = np.empty((X.shape[0], len(groups)), np.result_type(*[g.dtype for g in groups]))
        after = self._drop_idx_after_grouping
        first, nothing = 0, {}
        for i, group in enumerate(groups):
            names = self._names_of(i)
            dropped = None if after is None else after[i]
            block = X[:, first : first + len(names)]
            first += len(names)
            if len(names) == 0:
                out[:, i] = self.categories_[i][dropped]
                continue
            out[:, i] = names[np.asarray(block.argmax(axis=1)).ravel()]
            empty = np.asarray(block.sum(axis=1) == 0).ravel()
            if not empty.any():
                continue
            if self._may_be_unknown(i):
                if dropped is None:
                    nothing[i] = empty
                else:
                    out[empty, i] = self.categories_[i][dropped]
            elif after is None:
                raise ValueError(f"Samples {np.flatnonzero(empty)} can not be inverted "
                                 "when drop=None and handle_unknown='error' "
                                 "because they contain all zeros")
            else:
                out[empty, i] = group[dropped]
        if nothing:
            out = out.astype(object)
            for i, empty in nothing.items():
                out[empty, i] = None
        return out

    def _may_be_unknown(self, i):
        if self.handle_unknown == "ignore":
            return True
        rare = self._infrequent_indices[i] if self._infrequent_enabled else None
        return self.handle_unknown in ("infrequent_if_exist", "warn") and rare is None

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of shape (n_encoded_features,), dtype object
            ``feature_category``, or what `feature_name_combiner` makes.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        TypeError
            `feature_name_combiner` gives something else than a string.
        """
        check_is_fitted(self)
        features = _check_feature_names_in(self, input_features)
        combine = self._combiner()
        return np.array([combine(features[i], category) for i in range(len(self.categories_))
                         for category in self._names_of(i)], dtype=object)

    def _combiner(self):
        if self.feature_name_combiner == "concat":
            return lambda feature, category: f"{feature}_{category}"
        trial = self.feature_name_combiner("feature", "category")
        if not isinstance(trial, str):
            raise TypeError("When `feature_name_combiner` is a callable, it should return a "
                            f"Python string. Got {type(trial)} instead.")
        return self.feature_name_combiner
