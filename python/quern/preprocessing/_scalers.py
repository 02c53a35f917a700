# SPDX-License-Identifier: Apache-2.0
"""StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler."""
import numpy as np
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, _fit_context
try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        pass
from sklearn.utils import check_array
from sklearn.utils.validation import FLOAT_DTYPES, _check_sample_weight, check_is_fitted

from .. import _core
from .._config import serves_on_cpu
from .._sparse import from_sparse, to_sparse, write_back
from ..base import (Estimator, as_given, described, is_plain_matrix, learned, library_floats,
                    model_of, refuse_non_finite, table_of)

CALLBACKS = hasattr(CallbackSupportMixin, "set_callbacks")
SERVED_ROWS = 32  # so many rows go without a context


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
        native, key = self._native, self._key()
        if native.key != key:
            native.models.clear()
            native.key = key
        model = native.models.get(dtype)
        if model is None:
            model = native.models[dtype] = model_of(self, dtype, self.n_features_in_,
                                                    self._tensors(), True)
        return model

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
        pipeline = _core.Pipeline(self._text())
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

    def _text(self):
        import json
        return json.dumps(self._spec())

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
        """X, scaled."""
        served = self._served(X)
        if served is not None:
            return served
        check_is_fitted(self)
        return self._run(self._checked(X, self.copy), self.copy)

    def transform_into(self, X, out):
        """X, scaled, into `out`, which is returned: an array of the shape and dtype of the result.

        Scikit-learn has no such method. Memory that was written before need not be cleared again."""
        check_is_fitted(self)
        return self._run(self._checked(X, True), True, out=out)

    def inverse_transform(self, X):
        """The way back."""
        check_is_fitted(self)
        return self._run(self._checked_back(X, self.copy), self.copy, inverse=True)

    def _served(self, X):
        """A few rows of a plain matrix, the short way; None: not this time."""
        if (type(X) is not np.ndarray or X.ndim != 2 or X.shape[0] > SERVED_ROWS
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
        return self._validated(X, self._works(), reset=False, accept_sparse=self._sparse_formats,
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
        elif not copy:
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
            made = out if direct else np.empty(X.shape, given.dtype)
            call(self._context(), table, out=made)
        except ValueError as error:
            refuse_non_finite(error, X, self)
        if out is None:
            return as_given(made, X.dtype)
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


def refuse_room(out, X):
    """An `out` that cannot take what X becomes."""
    if sparse.issparse(X):
        raise ValueError("out is for dense X")
    if not isinstance(out, np.ndarray) or out.shape != X.shape or out.dtype != X.dtype:
        raise ValueError(f"out must be an array of shape {X.shape} and dtype {X.dtype}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")


def has_room(out, given):
    """Whether the library can write there while it reads what is given."""
    return (type(out) is np.ndarray and out.dtype == given.dtype and out.flags.c_contiguous
            and not np.may_share_memory(out, given))


@described
class StandardScaler(CallbackSupportMixin, Scaler):
    """Subtract the mean and divide by the standard deviation, per column.

    Parameters, attributes and methods are those of `sklearn.preprocessing.StandardScaler`."""

    _learned = ("scale_", "mean_", "var_")
    _vectors = ("mean_", "scale_")
    _switches = ("with_mean", "with_std")
    _sparse_formats = "csr"

    def _works(self):
        return self.with_mean or self.with_std

    def _tensors(self):
        n = self.n_features_in_
        tensors = {"n_samples_seen_": self._counts(n)}
        if self.with_mean or self.with_std:
            tensors["mean_"] = self._vector("mean_", 0.0)
        if self.with_std:
            tensors["scale_"] = self._vector("scale_", 1.0)
            tensors["var_"] = self._vector("var_", 1.0)
        return tensors

    def _take(self, found, dtype, rows):
        for name in self._learned:
            value = found.get(name)
            self.__dict__[name] = None if value is None else np.array(value)
        counted = np.float64 if self.with_mean or self.with_std else np.int64
        seen = found["n_samples_seen_"].astype(counted)
        self.n_samples_seen_ = seen[0] if np.min(seen) == np.max(seen) else seen

    def fit(self, X, y=None, sample_weight=None):
        """Learns mean and standard deviation.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None"""
        self._forget()
        return self._partial_fit(X, y, sample_weight, False)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Learns from more rows."""
        return self._partial_fit(X, y, sample_weight, True)

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, y, sample_weight, goes_on):
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, sample_weight is None, first, accept_sparse=("csr", "csc"),
                            dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        tell = {"estimator": self, "X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        callbacks = self._init_callback_context() if CALLBACKS else None
        if callbacks is not None:
            callbacks.call_on_fit_task_begin(**tell)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` "
                             "instead. See docstring for motivation and alternatives.")
        found, whole = self._learn(X, sample_weight, goes_on, first)
        seen = found["n_samples_seen_"]
        seen = self._counted(seen, X, sample_weight)
        mean, var, scale = (found.get(k) for k in ("mean_", "var_", "scale_"))
        if sparse.issparse(X) and not self.with_std:
            mean = None
        if not whole:
            mean, var, seen = merge_moments(
                (self.mean_, self.var_, self.n_samples_seen_), (mean, var, seen))
        self.mean_ = None if mean is None else np.array(mean)
        self.var_ = None if var is None else np.array(var)
        self.n_samples_seen_ = seen[0] if np.min(seen) == np.max(seen) else np.array(seen)
        if not self.with_std:
            self.scale_ = None
        elif whole:
            self.scale_ = np.array(scale)
        else:
            self.scale_ = standard_scale(self.mean_, self.var_, self.n_samples_seen_)
        self._remember()
        if callbacks is not None:
            callbacks.call_on_fit_task_end(**tell, reconstruction_attributes={})
        return self

    def _counted(self, seen, X, sample_weight):
        """Counts in the dtype that scikit-learn's arithmetic leaves them in."""
        if sparse.issparse(X):
            if self.with_std or sample_weight is not None:
                return seen.astype(X.dtype)
            return seen.astype(np.int64)
        return seen.astype(np.float64 if self.with_mean or self.with_std else np.int64)

    def transform(self, X, copy=None):
        """X, standardized.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        copy : bool, default=None (the parameter `copy`)"""
        if copy is None:
            served = self._served(X)
            if served is not None:
                return served
            copy = self.copy
        check_is_fitted(self)
        X = self._checked(X, copy)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` "
                             "instead. See docstring for motivation and alternatives.")
        return self._run(X, copy)

    def inverse_transform(self, X, copy=None):
        """The way back."""
        check_is_fitted(self)
        copy = copy if copy is not None else self.copy
        X = self._checked_back(X, copy)
        if sparse.issparse(X) and self.with_mean:
            raise ValueError("Cannot uncenter sparse matrices: pass `with_mean=False` "
                             "instead See docstring for motivation and alternatives.")
        return self._run(X, copy, inverse=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_mean
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def merge_moments(before, new):
    """Means and variances of two sets of rows together, per column (Chan, Golub, LeVeque)."""
    mean_a, var_a, n_a = before
    mean_b, var_b, n_b = new
    n_b = np.asarray(n_b)
    n_a = np.broadcast_to(np.asarray(n_a), n_b.shape)
    total = n_a + n_b
    if mean_a is None or mean_b is None:
        return None, None, total
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, n_b / total, 0.0)
    old, new_ = np.where(n_a > 0, mean_a, mean_b), np.where(n_b > 0, mean_b, mean_a)
    delta = new_ - old
    mean = np.where(n_a > 0, old + delta * share, new_)
    if var_a is None or var_b is None:
        return mean, None, total
    va, vb = np.where(n_a > 0, var_a, 0.0), np.where(n_b > 0, var_b, 0.0)
    var = va * (1 - share) + vb * share + delta * delta * (1 - share) * share
    return mean, np.where(total > 0, var, np.nan), total


def standard_scale(mean, var, n):
    """docs/numbers.md: 1 where the column cannot be told from a constant one."""
    eps = np.finfo(np.float64).eps
    with np.errstate(invalid="ignore"):
        constant = var <= n * eps * var + (n * mean * eps) ** 2
        scale = np.sqrt(var)
    scale[constant] = 1.0
    return scale


def zero_is_one(scale):
    """Near-zero scales are 1, by the spacing of their dtype."""
    return np.where(scale < 10 * np.finfo(scale.dtype).eps, scale.dtype.type(1), scale)


@described
class MinMaxScaler(Scaler):
    """Map each column's range to `feature_range`.

    Parameters, attributes and methods are those of `sklearn.preprocessing.MinMaxScaler`."""

    _learned = ("scale_", "min_", "data_min_", "data_max_", "data_range_")
    _vectors = ("scale_", "min_")
    _switches = ("clip", "feature_range")

    def _tensors(self):
        tensors = {name: self._vector(name, 0.0) for name in self._learned}
        tensors["n_samples_seen_"] = self._counts(1)
        return tensors

    def fit(self, X, y=None):
        """Learns each column's range.

        X : array-like of shape (n_samples, n_features)"""
        self._forget()
        return self._partial_fit(X, False)

    def partial_fit(self, X, y=None):
        """Learns from more rows."""
        return self._partial_fit(X, True)

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, goes_on):
        low, high = self.feature_range
        if low >= high:
            raise ValueError("Minimum of desired feature range must be smaller than maximum. Got "
                             f"{self.feature_range}.")
        if sparse.issparse(X):
            raise TypeError("MinMaxScaler does not support sparse input. "
                            "Consider using MaxAbsScaler instead.")
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, True, first, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        vectors = {name: found[name].astype(X.dtype) for name in self._learned}
        if not whole:
            vectors = self._merged(vectors)
        self.n_samples_seen_ = X.shape[0] + (0 if first else self.n_samples_seen_)
        self.__dict__.update(vectors)
        self._remember()
        return self

    def _merged(self, new):
        low = np.minimum(self.data_min_, new["data_min_"])
        high = np.maximum(self.data_max_, new["data_max_"])
        first, last = (low.dtype.type(v) for v in self.feature_range)
        scale = (last - first) / zero_is_one(high - low)
        return {"scale_": scale, "min_": first - low * scale, "data_min_": low, "data_max_": high,
                "data_range_": high - low}


@described
class MaxAbsScaler(Scaler):
    """Divide each column by its largest absolute value.

    Parameters, attributes and methods are those of `sklearn.preprocessing.MaxAbsScaler`."""

    _learned = ("scale_", "max_abs_")
    _vectors = ("scale_",)
    _switches = ("clip",)
    _sparse_formats = ("csr", "csc")

    def _tensors(self):
        return {"max_abs_": self._vector("max_abs_", 1.0), "scale_": self._vector("scale_", 1.0),
                "n_samples_seen_": self._counts(1)}

    def fit(self, X, y=None):
        """Learns each column's largest absolute value.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)"""
        self._forget()
        return self._partial_fit(X, False)

    def partial_fit(self, X, y=None):
        """Learns from more rows."""
        return self._partial_fit(X, True)

    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, goes_on):
        first = not hasattr(self, "n_samples_seen_")
        X = self._validated(X, True, first, accept_sparse=("csr", "csc"), dtype=FLOAT_DTYPES,
                            ensure_all_finite="allow-nan")
        found, whole = self._learn(X, None, goes_on, first)
        largest, scale = (found[name].astype(X.dtype) for name in ("max_abs_", "scale_"))
        if not whole:
            largest = np.maximum(self.max_abs_, largest)
            scale = zero_is_one(largest)
        self.n_samples_seen_ = X.shape[0] + (0 if first else self.n_samples_seen_)
        self.max_abs_, self.scale_ = largest, scale
        self._remember()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@described
class RobustScaler(Scaler):
    """Subtract the median and divide by the range between two quantiles, per column.

    Parameters, attributes and methods are those of `sklearn.preprocessing.RobustScaler`."""

    _learned = ("center_", "scale_")
    _vectors = ("center_", "scale_")
    _switches = ("with_centering", "with_scaling")
    _sparse_formats = ("csr", "csc")

    def _works(self):
        return self.with_centering or self.with_scaling

    def _tensors(self):
        tensors = {}
        if self.with_centering:
            tensors["center_"] = self._vector("center_", 0.0)
        if self.with_scaling:
            tensors["scale_"] = self._vector("scale_", 1.0)
        return tensors

    def _take(self, found, dtype, rows):
        self.center_ = (found["center_"].astype(dtype)
                        if self.with_centering else None)
        self.scale_ = np.array(found["scale_"]) if self.with_scaling else None

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learns medians and quantiles.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)"""
        X = self._validated(X, True, True, accept_sparse="csc", dtype=FLOAT_DTYPES,
                            ensure_all_finite="allow-nan")
        low, high = self.quantile_range
        if not 0 <= low <= high <= 100:
            raise ValueError(f"Invalid quantile range: {self.quantile_range}")
        if self.with_centering and sparse.issparse(X):
            raise ValueError("Cannot center sparse matrices: use `with_centering=False`"
                             " instead. See docstring for motivation and alternatives.")
        found, _ = self._learn(X)
        self._take(found, X.dtype, X.shape[0])
        self._remember()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.with_centering
        return tags
