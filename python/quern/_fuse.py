# SPDX-License-Identifier: Apache-2.0
"""One model for many estimators: what ColumnTransformer and Pipeline have in common.

A `Plan` is a list of blocks (some columns through a chain of estimators) and a chain over the joined
output: a spec. It is fitted in one call, after which every estimator adopts its own tensors; and it
makes models of the attributes that its estimators have today, so that it does not matter where they
are from. What a plan cannot hold raises `NotFused`, and scikit-learn's own orchestration runs the
estimators one by one."""
import json

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import validate_data

from . import _attributes, _config, _core, _serve
from ._convert import column_texts
from ._html import DeviceRow, of_parts
from ._memory import empty
from ._sparse import as_scipy, is_sparse
from .base import Estimator

_KINDS = frozenset("biuf")
# float32 is not among them: scikit-learn computes in float64 where a frame is Polars'
_POLARS = frozenset(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)) | {"float64"}
MODELS = 8  # so many models are remembered, one for each schema


class NotFused(Exception):
    """The reason why estimators run one by one."""


class Memory:
    """What a composite remembers."""

    __slots__ = ("models", "last", "service", "why")

    def __init__(self):
        self.forget()

    def forget(self):
        self.models = {}  # by what they were made of, one for each schema
        self.last = None  # the model of the last transform
        self.service = None  # for a few rows (_serve.py)
        self.why = None  # scikit-learn ran the parts one by one the last time


class Fused(DeviceRow):
    """What ColumnTransformer and Pipeline have beside scikit-learn's: remembered models."""

    __slots__ = ()

    @property
    def _memory(self):
        try:
            return self._quern
        except AttributeError:
            self._quern = Memory()
            return self._quern

    def __getstate__(self):
        return self.__dict__.copy()

    def __setstate__(self, state):
        self.__dict__.update(state)

    def to_sklearn(self):
        """The same estimator, fitted or not, of scikit-learn's classes.

        Returns
        -------
        made : sklearn.base.BaseEstimator
            A new estimator with the same parameters and copies of the attributes; all that is in it is
            scikit-learn's too.

        Raises
        ------
        quern.UnsupportedError
            Something in it has no counterpart.

        See Also
        --------
        quern.to_sklearn : The same as a function.
        quern.from_sklearn : The way back.
        """
        from .interop import to_sklearn
        return to_sklearn(self)

    def _orchestrated(self, why):
        self._memory.why = str(why)
        _config.note(type(self).__name__, str(why))

    def _where(self):
        steps = getattr(self, "steps", None) or getattr(self, "transformers_", ())
        ran, why = of_parts(step[1] for step in steps), self._memory.why
        if ran is None or why is None:
            return ran
        return ran[0], f"{ran[1]}; scikit-learn ran the parts one by one: {why}"

    def _model_for(self, X):
        """The model that rows like X go through; or NotFused."""
        memory = self._memory
        memory.service = memory.last = None
        self.transform(X)
        if memory.last is None:
            why, memory.why = memory.why, None
            raise NotFused(why or "there is nothing to be done")
        return memory.last


def is_ours(estimator):
    """Whether an estimator can be a part of a model."""
    return isinstance(estimator, Estimator) and estimator._plain and estimator._fusable


def chain_of(transformer, output):
    """The estimators that a step consists of. output: the container that outputs must come in."""
    if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
        return []
    if isinstance(transformer, Pipeline) and type(transformer).__module__ in (
            "quern.pipeline", "quern._patch", "sklearn.pipeline"):
        if transformer.memory is not None or transformer.verbose:
            raise NotFused("a pipeline has a memory or is verbose")
        return [e for _, step in transformer.steps for e in chain_of(step, output)]
    if not is_ours(transformer):
        raise NotFused(f"{type(transformer).__name__} is not an estimator of quern")
    if not getattr(transformer, "copy", True):
        raise NotFused(f"{type(transformer).__name__} works in place (copy=False)")
    if _get_output_config("transform", transformer)["dense"] != output:
        raise NotFused(f"{type(transformer).__name__} has an output container of its own")
    return [transformer]


def common_dtype(dtypes):
    """The dtype of columns side by side, where pandas and NumPy agree on it."""
    if any(d.kind == "O" for d in dtypes):
        raise NotFused("columns of strings are to be put out")
    kinds = {d.kind for d in dtypes}
    if len(kinds) > 1 and ("b" in kinds or kinds >= {"i", "u"}):
        raise NotFused("columns of " + " and ".join(sorted({d.name for d in dtypes}))
                       + " are in one block")
    return np.result_type(*dtypes)


class Columns:
    """The columns of an input that can be viewed by the library."""

    def __init__(self, X):
        home = type(X).__module__.partition(".")[0]
        self.polars = home == "polars" and hasattr(X, "to_series")
        self.frame = self.polars or (home == "pandas" and hasattr(X, "iloc"))
        if is_sparse(X):
            raise NotFused("the input is a sparse matrix")
        if not self.frame and (type(X) is not np.ndarray or X.ndim != 2):
            raise NotFused(f"the input is a {type(X).__module__}.{type(X).__name__}")
        if X.shape[0] == 0 or X.shape[1] == 0:
            raise NotFused("the input has no rows or no columns")
        self.X, self.rows = X, X.shape[0]
        if self.frame:  # asking pandas for one at a time takes a while
            self._names, self._dtypes = list(X.columns), list(X.dtypes)
        self._texts = {}  # of columns of strings

    def name(self, i):
        if not self.frame:
            return None
        name = self._names[i]
        return name if isinstance(name, str) else None

    def dtype(self, i):
        """The dtype of a column; object: strings."""
        if self.polars:
            return self._polars_dtype(self.X.to_series(i))
        found = self._dtypes[i] if self.frame else self.X.dtype
        if self.frame and (found == object or found == "str"):
            if i not in self._texts:
                self._texts[i] = column_texts(self.X.iloc[:, i])
            if self._texts[i] is not None and not self._texts[i].kinds - {"nan"}:
                return np.dtype(object)
        if (not isinstance(found, np.dtype) or found.kind not in _KINDS or not found.isnative
                or (found.kind == "f" and found.itemsize not in (4, 8))):
            label = self._names[i] if self.frame else i
            raise NotFused(f"column {label!r} has the dtype {found}")
        return found

    @staticmethod
    def _polars_dtype(series):
        """As scikit-learn gets it, which takes frames for NumPy arrays."""
        word = str(series.dtype).lower()
        found = np.dtype(object if word == "string" else bool if word == "boolean" else word
                         if word in _POLARS else "V")
        if found.kind == "V":
            raise NotFused(f"column {series.name!r} has the dtype {series.dtype}")
        if found.kind != "f" and series.null_count():
            raise NotFused(f"column {series.name!r} has nulls")
        return found

    def table(self, used, rowwise):
        """A table of the columns `used`. rowwise: as one matrix if the input is one."""
        if self.polars:
            return _core.Table.from_arrow(self.X.select([self.X.columns[i] for i in used]))
        if self.frame:
            arrays = [self._texts[i].column() if i in self._texts
                      else self.X.iloc[:, i].to_numpy() for i in used]
            names = [self.name(i) for i in used]
            return _core.Table.from_columns(arrays, None if None in names else names)
        X = self.X
        if rowwise:
            if len(used) == X.shape[1]:
                return _core.Table.from_matrix(X)
            first, last = used[0], used[-1] + 1
            if last - first == len(used):
                return _core.Table.from_matrix(X[:, first:last])
        return _core.Table.from_columns([X[:, i] for i in used])


class Block:
    """Columns (numbers in the input) through a chain."""

    def __init__(self, name, chain, indices, view=False):
        self.name, self.chain, self.indices = name, chain, indices
        self.view = view  # the columns are taken as a slice, which keeps a matrix' rows together


class Plan:
    """Blocks side by side, then a chain over what they give."""

    def __init__(self, X, blocks, then=(), named=True, threshold=0.3):
        self.columns, self.blocks, self.then = Columns(X), blocks, list(then)
        self.used = sorted({i for block in blocks for i in block.indices})
        at = {i: k for k, i in enumerate(self.used)}
        self.schema = [(self.columns.name(i), self.columns.dtype(i)) for i in self.used]
        if None in (name for name, _ in self.schema):
            self.schema = [(None, dtype) for _, dtype in self.schema]
        self.links, self.steps = [], []  # links: (place, estimator, input dtypes)
        self.dtypes = []  # of what the blocks give
        for k, block in enumerate(blocks):
            types = [self.schema[at[i]][1] for i in block.indices]
            names = [self.schema[at[i]][0] for i in block.indices]
            types = self._chain(f"steps/{k}", block.chain, types, names)
            self.dtypes.append(common_dtype(types))
            self.steps.append({**({"name": block.name} if named else {}),
                               "columns": [at[i] for i in block.indices],
                               "apply": [{e._library_name: e._json()} for e in block.chain]
                               or ["passthrough"]})
        changing = [e for _, e, _ in self.links if e._changes_width]
        if changing and (self.then or not all(
                block.chain[-1] is e for e in changing for block in blocks if e in block.chain)):
            raise NotFused(f"a chain goes on with the columns of {type(changing[0]).__name__}")
        self.widens = bool(changing)  # the width is known after the fit
        self.sparse = any(e._gives_sparse() for e in changing)
        self.threshold = threshold
        width = sum(len(block.indices) for block in blocks)
        joined = [np.result_type(*self.dtypes)] * width
        self.dtype = self._chain("then", self.then, joined)[0]
        self._order()

    def _order(self):
        """The order in which NumPy would sum row norms (docs/numbers-norms.md): all of a model's
        norms have the same one."""
        norms = any(type(e).__name__ == "Normalizer" and e.norm != "max" for _, e, _ in self.links)
        X = self.columns.X
        self.rowwise = not self.columns.frame and X.flags.c_contiguous
        if not norms:
            return
        views = {block.view for block in self.blocks}
        whole = views == {True} and len(self.blocks) == 1 and self.used == list(range(X.shape[1]))
        if self.rowwise and whole:
            self.steps[0]["columns"] = "*"  # a list of columns is a copy of them, column by column
            return
        if (self.rowwise and True in views) or self.columns.rows == 1 or (
                min(len(block.indices) for block in self.blocks) == 1):
            raise NotFused("NumPy sums the norms of these rows in an order of their own")
        self.rowwise = False

    def _chain(self, place, chain, types, names=None):
        for k, estimator in enumerate(chain):
            why = estimator._refusal(types)
            if why:
                raise NotFused(f"{type(estimator).__name__} {why}")
            if not hasattr(estimator, "categories") and all(t.kind != "O" for t in types):
                common_dtype(types)  # encoders go column by column
            self.links.append((f"{place}/{k}", estimator, types))
            try:
                types = estimator._types_of_outputs(types, names)
            except (ValueError, _core.UnsupportedError) as error:
                raise NotFused(str(error)) from error
        return types

    def widths(self):
        """The columns that each block gives, once it is fitted."""
        found = []
        for block in self.blocks:
            width = len(block.indices)
            for estimator in block.chain:
                width = estimator._output_width(width)
            found.append(width)
        return found

    def spec(self):
        made = {"quern": 1, "steps": self.steps, "remainder": "drop"}
        if self.sparse:
            made["output"] = {"sparse_threshold": float(self.threshold)}
        if self.then:
            made["then"] = [{e._library_name: e._json()} for e in self.then]
        return made

    def _key(self):
        return (json.dumps(self.steps), len(self.then), self.dtype.char,
                *[(name, dtype.char) for name, dtype in self.schema], self._is_matrix(),
                *[e._fused_key() for _, e, _ in self.links])

    def _is_matrix(self):
        return not self.columns.frame and self.rowwise

    def _room(self):
        """Where the output goes: an array, where its width is known."""
        if self.widens:
            return None
        return empty((self.columns.rows, sum(len(b.indices) for b in self.blocks)), self.dtype)

    def fit(self, memory, output=True):
        """Fits, and transforms in the same call where output is wanted; the estimators have their attributes
        afterwards. Without: an array of that shape without memory, or the output where it is sparse, for
        only its entries tell whether it stays so."""
        self._check_types()
        for _, estimator, _ in self.links:
            if estimator._supervised:
                raise NotFused(f"{type(estimator).__name__} learns from a target")
            why = estimator._fit_refusal()
            if why:
                raise NotFused(f"{type(estimator).__name__} {why}")
        table, output = self.columns.table(self.used, self.rowwise), output or self.sparse
        out = self._room() if output else None
        try:
            pipeline = _core.Pipeline(json.dumps(self.spec()))
            if output:
                made, model = pipeline.fit_transform(self._context(), table, out=out, sparse=self.sparse)
            else:
                model = pipeline.fit(self._context(), table)
            tensors = model.tensors()
            for place, estimator, types in self.links:
                found = {key[len(place) + 1:]: np.asarray(value) for key, value in tensors.items()
                         if key.startswith(place + "/")}
                estimator._adopt(found, types, self.columns.rows)
        except (ValueError, TypeError, _core.UnsupportedError) as error:
            raise NotFused(str(error)) from error  # scikit-learn says it in its words, or not at all
        memory.forget()
        memory.models[self._key()] = model
        if not output:
            return np.broadcast_to(np.zeros((), self.dtype), (self.columns.rows, sum(self.widths())))
        return self._array(made, out, self.sparse, model.is_sparse)

    def _context(self):
        for _, estimator, _ in self.links:
            estimator._context()  # which remembers it, for those who ask where it ran
        return _config.context()

    def _array(self, made, out, is_sparse, wanted):
        if out is not None:
            return out
        if not is_sparse:
            return np.asarray(made).reshape(self.columns.rows, -1)
        made = as_scipy(made, self.dtype)
        return made if wanted else made.toarray()

    def transform(self, memory, sparse=False, owner=None):
        """The rows through the model of the attributes that the estimators have. owner: the composite
        that may serve further rows in this way."""
        self._check_types()
        for _, estimator, types in self.links:
            if getattr(estimator, "n_features_in_", None) != len(types):
                raise NotFused(f"{type(estimator).__name__} was not fitted to these columns")
        key = self._key()
        model, out = memory.models.get(key), self._room()
        try:
            if model is None:
                model = self.model()
                if len(memory.models) >= MODELS:
                    memory.models.clear()
                memory.models[key] = model
            made = model.transform(self._context(), self.columns.table(self.used, self.rowwise),
                                   out=out, sparse=sparse)
        except (ValueError, _core.UnsupportedError) as error:
            raise NotFused(str(error)) from error
        memory.why = None
        out = self._array(made, out, sparse, sparse)
        if owner is not None:
            owner._memory.why = None
            owner._memory.last = model
        if owner is not None and self._is_matrix():
            owner._memory.service = _serve.service_for(owner, self.columns.X, model, out, self.used)
        return out

    def model(self):
        """A model of the attributes."""
        tensors = {f"{place}/{name}": value for place, estimator, types in self.links
                   for name, value in sorted(estimator._tensors_for(types).items())}
        meta = _attributes.metadata(
            self.spec(), [(n, "string" if d.kind == "O" else d.name) for n, d in self.schema],
            matrix=self._is_matrix())
        return _core.Model.from_bytes(_attributes.write(meta, tensors))

    def _check_types(self):
        if self.dtype.kind not in _KINDS:
            raise NotFused(f"the output has the dtype {self.dtype}")


def remember_features(estimator, X):
    """Number and names of the features that a block has."""
    estimator.__dict__.pop("feature_names_in_", None)
    validate_data(estimator, X, skip_check_array=True)


def validate(chain):
    for estimator in chain:
        if isinstance(estimator, BaseEstimator):
            estimator._validate_params()
