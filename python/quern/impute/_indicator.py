# SPDX-License-Identifier: Apache-2.0
"""MissingIndicator."""
import json

import numpy as np
from scipy import sparse
from sklearn.base import TransformerMixin
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .. import _core
from .._host import fit_context
from .._memory import empty
from .._sparse import as_configured, as_scipy, from_sparse
from ..base import Estimator, described, learned, library_floats, model_of, refuse_non_finite, table_of
from ._marker import as_spec, check_numbers


@described
class MissingIndicator(TransformerMixin, Estimator):
    """Say which cells are missing.

    Parameters
    ----------
    missing_values : int, float, str, numpy.nan, None or pandas.NA, default=numpy.nan
        What counts as missing. With another marker than NaN, NaN is an error.
    features : {"missing-only", "all"}, default="missing-only"
        A column for those that had missing cells at the fit, or for all.
    sparse : bool or "auto", default="auto"
        Whether the output is a sparse matrix. "auto": as the input.
    error_on_new : bool, default=True
        With "missing-only": missing cells in a column that had none at the fit are an error.

    Attributes
    ----------
    features_ : ndarray of shape (n_output_features,)
        The numbers of the columns that have an output.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.impute.SimpleImputer : With `add_indicator` it appends such columns to the filled ones.

    Notes
    -----
    The meaning is that of `sklearn.impute.MissingIndicator`.

    Numbers are counted and compared on the configured device, sparse matrices on the host; strings and other
    objects are compared in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.impute import MissingIndicator
    >>> indicator = MissingIndicator().fit([[np.nan, 1.0, 3.0], [4.0, 0.0, np.nan]])
    >>> indicator.transform([[5.0, 1.0, np.nan], [np.nan, 2.0, 3.0]])
    array([[False,  True],
           [ True, False]])
    >>> indicator.get_feature_names_out(["a", "b", "c"])
    array(['missingindicator_a', 'missingindicator_c'], dtype=object)
    """

    _fusable = True
    _changes_width = True
    _precomputed = False  # scikit-learn's imputers hand over masks

    # -- as a part of a larger model (_fuse.py) --

    def _gives_sparse(self):
        return self.sparse is True

    def _refusal(self, types):
        if not is_scalar_nan(self.missing_values):
            return f"has the marker {self.missing_values!r}"
        if any(t.kind == "b" for t in types):
            return "gets booleans"
        return "gets columns of strings" if any(t.kind == "O" for t in types) else ""

    def _output_types(self, types):
        return [np.dtype(bool)] * len(types)

    def _output_width(self, width):
        return len(self.features_)

    def _adopt(self, found, types, rows):
        self._precomputed = False
        self._n_features = len(types)
        self.features_ = np.asarray(found["features_"])

    def _tensors_for(self, types):
        return {"features_": np.asarray(self.features_, np.int64)}

    def _json(self):
        return super()._json() | {"missing_values": as_spec(self.missing_values)}

    def _fused_key(self):
        return (super()._fused_key(), np.asarray(self.features_).tobytes())

    # -- input --

    def _validate_input(self, X, in_fit):
        nan = is_scalar_nan(self.missing_values)
        X = self._validated(X, nan and self._sees_all(in_fit), reset=in_fit, accept_sparse=("csc", "csr"), dtype=None,
                            ensure_all_finite="allow-nan" if nan else True)
        check_numbers(X, self.missing_values)
        if X.dtype.kind not in "iufO":
            raise ValueError(
                f"MissingIndicator does not support data with dtype {X.dtype}. Please provide either a "
                "numeric array (with a floating point or integer dtype) or categorical data represented "
                "either as an array with integer dtype or an array of string values with an object dtype.")
        if sparse.issparse(X) and self.missing_values == 0:
            raise ValueError("Sparse input with missing_values=0 is not supported. Provide a dense array "
                             "instead.")
        return X

    def _sees_all(self, in_fit):
        """Whether the library looks at every column."""
        if in_fit:
            return self.features == "missing-only"
        return self.features == "all" or (self.error_on_new and len(self.features_) > 0)

    @staticmethod
    def _check_mask(X):
        if not (hasattr(X, "dtype") and X.dtype.kind == "b"):
            raise ValueError("precomputed is True but the input data is not a mask")

    # -- fitting --

    def _take_marks(self, features, width):
        """The columns that somebody who counted found, as scikit-learn's imputers leave them."""
        self._precomputed = True
        self.n_features_in_ = self._n_features = width
        self.features_ = features

    @fit_context
    def fit(self, X, y=None):
        """Find the columns that have missing cells.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers, or objects, strings among them.
        y : None
            Not used.

        Returns
        -------
        self : MissingIndicator
            The fitted indicator.

        Raises
        ------
        ValueError
            A parameter is not one of those above; X has infinities, no row or no column, or NaN beside another
            marker; X and the marker have types that do not go together, or X is of booleans; or X is sparse
            and 0 the marker.
        """
        X = self._validate_input(X, True)
        self._precomputed = False
        self._n_features = X.shape[1]
        if self.features == "all":
            self.features_ = np.arange(X.shape[1])
        elif X.dtype.kind == "O":
            self.features_ = np.flatnonzero(_get_mask(X, self.missing_values).any(axis=0))
        else:
            self.features_ = self._found(X)
        return self

    def _found(self, X):
        given = library_floats(X)
        table = from_sparse(given) if sparse.issparse(X) else table_of(given)
        spec = {"missing_values": as_spec(self.missing_values), "features": "all"}  # a pipeline gives a column at least
        pipeline = _core.Pipeline(json.dumps({"quern": 1, "steps": [{
            "columns": "*", "apply": [{"MissingIndicator": spec}]}]}))
        try:
            found = learned(pipeline.fit(self._context(), table))
        except ValueError as error:
            refuse_non_finite(error, X, self)
        return np.flatnonzero(found["n_missing_"])

    # -- transforming --

    def transform(self, X):
        """Compare each cell with the marker.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Xt : {ndarray, sparse matrix} of shape (n_samples, n_output_features), dtype bool
            Which cells are missing. Sparse: CSC.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has other columns than the fit saw, infinities, NaN beside another marker, or missing cells in a
            column that had none at the fit.
        """
        out = self._served(X)
        if out is not None:
            return out
        check_is_fitted(self)
        given = X
        if self._precomputed:
            self._check_mask(X)
            return self._of_mask(X)
        X = self._validate_input(X, False)
        if X.dtype.kind == "O" or sparse.issparse(X) or len(self.features_) == 0:
            return self._of_mask(self._mask(X))
        return self._by_library(X, given)

    def _by_library(self, X, given):
        rows = library_floats(X)
        model = self._remembered(self._fused_key(), rows.dtype.name, lambda: model_of(
            self, rows.dtype.name, X.shape[1], self._tensors_for(None), True))
        try:
            if self.sparse is True:
                made = model.transform(self._context(), table_of(rows), sparse=True)
                return as_scipy(made, bool).tocsc()
            out = empty((X.shape[0], len(self.features_)), bool)
            model.transform(self._context(), table_of(rows), out=out)
        except ValueError as error:
            self._refuse_new(self._mask(X))
            refuse_non_finite(error, X, self)
        self._will_serve(given, out, model)
        return out

    def _mask(self, X):
        """Of all columns, in NumPy."""
        mask = _get_mask(X, self.missing_values)
        if sparse.issparse(mask):
            mask.eliminate_zeros()
        return mask

    def _refuse_new(self, mask):
        new = np.setdiff1d(np.flatnonzero(mask.sum(axis=0)), self.features_)
        if self.features == "missing-only" and self.error_on_new and new.size:
            raise ValueError(f"The features {new} have missing values in transform but have no missing values "
                             "in fit.")

    def _of_mask(self, mask):
        """The columns that have an output, in the container that is wanted."""
        self._refuse_new(mask)
        if sparse.issparse(mask):
            mask = mask.toarray() if self.sparse is False else mask.tocsc()
        elif self.sparse is True:
            mask = as_configured(sparse.csc_array(mask))
        return mask if len(self.features_) == self._n_features else mask[:, self.features_]

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of shape (n_output_features,), dtype object
            ``missingindicator_`` and the column's name.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        """
        check_is_fitted(self, "n_features_in_")
        names = _check_feature_names_in(self, input_features)
        return np.asarray([f"missingindicator_{name}" for name in names[self.features_]], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
