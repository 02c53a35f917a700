# SPDX-License-Identifier: Apache-2.0
"""What StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler have in common."""
import numpy as np
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from .. import _core
from .._config import serves_on_cpu
from .._host import check_array
from .._memory import empty
from .._serve import ROWS
from .._sparse import from_sparse, to_sparse, write_back
from ..base import (Estimator, as_given, float_dtype, is_plain_matrix, learned, library_floats, model_of,
                    refuse_non_finite, table_of)


def refuse_room(out, X):
    """An `out` that cannot take what X becomes."""
    if sparse.issparse(X):
        raise ValueError("out is for dense X")
    if not isinstance(out, np.ndarray) or out.shape != X.shape or out.dtype != float_dtype(X):
        raise ValueError(f"out must be an array of shape {X.shape} and dtype {float_dtype(X)}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")


def has_room(out, given):
    """Whether the library can write there while it reads what is given."""
    return (type(out) is np.ndarray and out.dtype == float_dtype(given) and out.flags.c_contiguous
            and not np.may_share_memory(out, given))


class Scaler(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """What the four have in common: attributes that are vectors, one number per column."""

    _vectors = ()  # attributes that a transform depends on
    _switches = ()  # parameters that it depends on
    _fusable = True
    _follows = True
    _sparse_formats = False  # what check_array accepts in transform and inverse_transform

    def _works(self):
        """Whether a transform does anything; what does nothing looks for nothing."""
        return True

    # -- models --

    def _key(self):
        values = self.__dict__
        return (*[values[name] for name in self._switches],
                *[None if (v := values.get(name)) is None else np.asarray(v).tobytes()
                  for name in self._vectors])

    def _model(self, dtype):
        """The model for input of that dtype, made of today's attributes."""
        return self._remembered(self._key(), dtype, lambda: model_of(
            self, dtype, self.n_features_in_, self._tensors(), True))

    def _vector(self, name, otherwise):
        value = self.__dict__.get(name)
        if value is None:
            return np.full(self.n_features_in_, otherwise, np.float64)
        return np.broadcast_to(np.asarray(value, np.float64), (self.n_features_in_,))

    def _counts(self, n):
        seen = np.asarray(getattr(self, "n_samples_seen_", 1))
        return np.broadcast_to(np.maximum(np.nan_to_num(seen), 0).astype(np.int64), (n,))

    # -- fitting --

    def _learn(self, X, sample_weight=None, goes_on=False, first=True):
        """One fit by the library: its attributes, and whether they are of the rows before too.

        partial_fit feeds one fit of the library as long as nobody changes attributes and chunks are
        of one kind: so the cut does not show in the bits. Else chunks are merged by the caller."""
        native, given = self._native, library_floats(X)
        pipeline = self._pipeline()
        table = from_sparse(given) if sparse.issparse(X) else table_of(given)
        if sample_weight is not None:
            table.set_weights(np.ascontiguousarray(sample_weight, np.float64))
        kind = (X.dtype.char, sample_weight is None)
        whole = True
        try:
            if not goes_on or sparse.issparse(X) or (not first and native.fit is None):
                native.fit = None
                whole = first
                model = pipeline.fit(self._context(), table)
            elif first or native.fit_key != (kind, self._state()):
                whole = first
                native.fit = _core.Fit(self._context(), pipeline) if first else None
                model = self._pushed(table) if first else pipeline.fit(self._context(), table)
            else:
                model = self._pushed(table)
        except ValueError as error:
            native.fit = None
            refuse_non_finite(error, X, self)
        native.fit_key = kind
        native.models = {}
        if whole and X.dtype != np.float16 and not sparse.issparse(X):
            native.models = {given.dtype.char: model}
        return learned(model), whole

    def _pushed(self, table):
        self._native.fit.push(table)
        return self._native.fit.snapshot()

    def _state(self):
        """All that was learned, for finding out whether somebody changed it."""
        values = self.__dict__
        return tuple(None if (v := values.get(name)) is None else np.asarray(v).tobytes()
                     for name in (*self._learned, "n_samples_seen_"))

    def _remember(self):
        """The model of the fit is the one of its attributes."""
        native = self._native
        native.key = self._key()
        native.fit_key = (native.fit_key, self._state())

    def _fused_key(self):
        return (super()._fused_key(), self._key())

    def _tensors_for(self, types):
        return self._tensors()

    def _adopt(self, found, types, rows):
        self._forget()
        self._take(found, self._output_types(types)[0], rows)
        self._native.fit = self._native.fit_key = None
        self._native.models.clear()
        self._native.key = None

    def _take(self, found, dtype, rows):
        self.__dict__.update({name: found[name].astype(dtype) for name in self._learned})
        self.n_samples_seen_ = rows

    def _forget(self):
        for name in (*self._learned, "n_samples_seen_"):
            self.__dict__.pop(name, None)

    # -- transforming --

    def transform(self, X):
        """Scale rows with what the fit learned.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            float32 and float64 keep their dtype; float16 is computed in float32; other numbers and
            booleans become float64. NaN stays. MinMaxScaler takes no sparse matrix, RobustScaler only
            one without centering.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The scaled rows: a new array, or X itself if it could be written to and `copy` is False.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns or other names than the fit saw, or cells that
            are no numbers.
        TypeError
            X is sparse and the scaler takes dense arrays alone.
        quern.UnsupportedError
            X is sparse and a RobustScaler was fitted with centering.

        Notes
        -----
        The transform runs on the configured device; that of a sparse matrix, and that of at most 32 rows
        where the device is the CPU, on the host. The bits are the same everywhere.
        """
        served = self._served(X)
        if served is not None:
            return served
        check_is_fitted(self)
        return self._run(self._checked(X, self.copy), self.copy)

    def transform_into(self, X, out):
        """Scale rows into an array that is there, whose memory need not be cleared again.

        Scikit-learn has no such method.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as `transform` takes them, but not sparse.
        out : ndarray of shape (n_samples, n_features)
            Where the scaled rows go, in the dtype that `transform` would give them. Fortran arrays, and
            memory that X has too, are written by way of a copy.

        Returns
        -------
        out : ndarray of shape (n_samples, n_features)
            The same array.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns or other names than the fit saw, cells that are
            no numbers, or is sparse; `out` is no array of the right shape and dtype, or is read-only.
        TypeError
            X is sparse and the scaler takes dense arrays alone.

        Notes
        -----
        The transform runs on the configured device.

        Examples
        --------
        >>> import numpy as np
        >>> from quern.preprocessing import MinMaxScaler
        >>> X, out = np.array([[1.0], [3.0], [2.0]]), np.empty((3, 1))
        >>> MinMaxScaler().fit(X).transform_into(X, out).ravel()
        array([0. , 1. , 0.5])
        """
        check_is_fitted(self)
        return self._run(self._checked(X, True), True, out=out)

    def inverse_transform(self, X):
        """Undo the scaling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Scaled rows. Their column names are not looked at.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The rows as they were, up to rounding, in the dtype of X (floats) or float64: a new array, or
            X itself if it could be written to and `copy` is False. What `clip` cut off is lost.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns than the fit saw, or cells that are no numbers.
        TypeError
            X is sparse and the scaler takes dense arrays alone.

        Notes
        -----
        Dense rows go back on the configured device, sparse ones in NumPy on the host.
        """
        check_is_fitted(self)
        return self._run(self._checked_back(X, self.copy), self.copy, inverse=True)

    def _served(self, X):
        """A few rows of a plain matrix, the short way; None: not this time."""
        if (type(X) is not np.ndarray or X.ndim != 2 or X.shape[0] > ROWS
                or not X.flags.c_contiguous or not X.flags.aligned or not self.copy
                or not self._works()):
            return None
        values = self.__dict__
        dtype = X.dtype
        if (dtype.char not in "df" or not dtype.isnative or X.size == 0
                or X.shape[1] != values.get("n_features_in_")
                or "feature_names_in_" in values or not serves_on_cpu()):
            return None
        out = np.empty(X.shape, dtype)
        try:
            self._model(dtype.char).apply(X, out)
        except ValueError:  # infinity: scikit-learn's checks say it in their words
            return None
        return out

    def _checked(self, X, copy, **options):
        return self._validated(X, self._works(), reset=False, whole=True, accept_sparse=self._sparse_formats,
                               copy=False, dtype=FLOAT_DTYPES, force_writeable=not copy,
                               ensure_all_finite="allow-nan", **options)

    def _checked_back(self, X, copy):
        finite = False if self._works() and is_plain_matrix(X) else "allow-nan"
        return check_array(X, accept_sparse=self._sparse_formats, copy=False, dtype=FLOAT_DTYPES,
                           force_writeable=not copy, ensure_all_finite=finite)

    def _run(self, X, copy, inverse=False, out=None):
        """X, checked, through the model, into `out` if there is one."""
        if out is not None:
            refuse_room(out, X)
        elif not copy and X.dtype.kind == "f":
            out = X
        if inverse and sparse.issparse(X):
            return self._multiplied(X, copy)
        given = library_floats(X)
        model = self._model(self._learned_dtype() if inverse else given.dtype.char)
        table = from_sparse(given) if sparse.issparse(X) else table_of(given)
        call = model.inverse_transform if inverse else model.transform
        try:
            if sparse.issparse(X):
                made = to_sparse(call(self._context(), table, sparse=True), X)
                return made if copy else write_back(made, X)
            direct = out is not None and has_room(out, given)
            made = out if direct else empty(X.shape, float_dtype(given))
            call(self._context(), table, out=made)
        except ValueError as error:
            refuse_non_finite(error, X, self)
        if out is None:
            return as_given(made, float_dtype(X))
        if not direct:
            out[...] = made
        return out

    def _learned_dtype(self):
        """The way back computes with attributes as they were learned."""
        dtypes = [v.dtype for name in self._vectors
                  if isinstance(v := self.__dict__.get(name), np.ndarray)]
        return "f" if any(d == np.float32 for d in dtypes) else "d"

    def _multiplied(self, X, copy):
        """The way back of a sparse matrix, which the library does not have."""
        out = X.copy() if copy else X
        scale = self.__dict__.get("scale_")
        if scale is not None:
            columns = (out.indices if out.format == "csr"
                       else np.repeat(np.arange(out.shape[1]), np.diff(out.indptr)))
            out.data *= np.asarray(scale).take(columns, mode="clip")
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.array_api_support = True
        return tags


def zero_is_one(scale):
    """Near-zero scales are 1, by the spacing of their dtype."""
    return np.where(scale < 10 * np.finfo(scale.dtype).eps, scale.dtype.type(1), scale)
