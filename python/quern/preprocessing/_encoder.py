# SPDX-License-Identifier: Apache-2.0
"""What OneHotEncoder and OrdinalEncoder have in common: categories and their columns."""
import json
import numbers

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import _safe_indexing
from sklearn.utils._missing import is_scalar_nan

from .. import _attributes, _core
from .._convert import (CODES, Plan, distinct, library_dtype, library_word, plain_numbers, texts,
                        unknown)
from .._host import check_array, validate_data
from ..base import Estimator, learned

INFREQUENT = "infrequent_sklearn"
WIDTH = "Shape of the passed X data is not correct. Expected {0} columns, got {1}."


class Held:
    """An object that is equal to itself alone, and is kept as long as this is."""

    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held

    def __hash__(self):
        return id(self.held)

    def __eq__(self, other):
        return isinstance(other, Held) and self.held is other.held


class Encoder(TransformerMixin, Estimator):
    """What the two have in common."""

    _none_is_value = False  # whether None is a category like others (else: the missing one)

    # -- as a part of a larger model (_fuse.py) --

    _fusable = True

    def _refusal(self, types):
        if not isinstance(self.categories, str):
            return "has categories that were given"
        if self._out_dtype() != np.dtype(self.dtype):
            return f"has the dtype {self.dtype}"
        warns = getattr(self, "drop", None) is not None and self.handle_unknown != "error"
        return "may have to warn" if warns or self.handle_unknown == "warn" else ""

    def _json(self):
        return self._parameters(self.categories)["steps"][0]["apply"][0][self._library_name]

    def _output_types(self, types):
        return [np.dtype(self.dtype)] * len(types)

    def _take(self, found, types):
        self._infrequent_enabled = self._enabled()
        self.categories_ = [categories_of(found, i, np.empty(0, t)) for i, t in enumerate(types)]
        if self._infrequent_enabled:
            self._group(found["infrequent_"])

    def _tensors_for(self, types):
        tensors = {}
        for i, (categories, kind) in enumerate(zip(self.categories_, types)):
            plan = Plan(categories, self._none_is_value)
            word = "string" if kind.kind == "O" else kind.name
            if plan.word == CODES or (plan.texts is None) == (word == "string") or (
                    not plan.is_sorted(word)):
                raise _core.UnsupportedError("categories are not of the columns' type")
            for name, value in plan.tensors(word, _attributes.type_number).items():
                tensors[f"categories_/{i}/{name}"] = value
        if self._infrequent_enabled:
            tensors["infrequent_"] = self._marks()
        return tensors | self._more_tensors()

    def _fused_key(self):
        return (repr(self._json()), *[Held(c) for c in self.categories_])

    # -- cells --

    def _columns(self, X):
        """X column by column, each with its own dtype."""
        finite = "allow-nan"
        frame = hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2
        if not frame:
            checked = check_array(X, dtype=None, ensure_all_finite=finite)
            if not hasattr(X, "dtype") and np.issubdtype(checked.dtype, np.str_):
                X = check_array(X, dtype=object, ensure_all_finite=finite)
            else:
                X = checked
        found = []
        for i in range(X.shape[1]):
            if frame:
                found.append(check_array(_safe_indexing(X, indices=i, axis=1), ensure_2d=False,
                                         dtype=None, ensure_all_finite=finite))
            else:
                found.append(X[:, i])
        return found, X.shape[0]

    # -- parameters --

    def _enabled(self):
        return ((self.max_categories is not None and self.max_categories >= 1)
                or self.min_frequency is not None)

    def _out_dtype(self):
        """The dtype of the library's output: the parameter where it is a type of the library."""
        dtype = np.dtype(self.dtype)
        types = _SPARSE_OUTPUTS if getattr(self, "sparse_output", False) else _OUTPUTS
        return dtype if dtype.name in types else np.dtype(np.float64)

    def _parameters(self, categories, **changes):
        found = {word: getattr(self, word) for word in self._library_parameters}
        found |= {"categories": categories, "dtype": self._out_dtype().name} | changes
        return {"quern": 1,
                "steps": [{"columns": "*", "apply": [{self._library_name: _jsonable(found)}]}]}

    # -- fitting --

    def _fit_categories(self, X):
        """Learns categories_ and what is infrequent."""
        self._infrequent_enabled = self._enabled()
        validate_data(self, X=X, reset=True, skip_check_array=True)
        columns, rows = self._columns(X)
        self.n_features_in_ = len(columns)
        given = None
        if self.categories != "auto":
            if len(self.categories) != len(columns):
                raise ValueError("Shape mismatch: if categories is an array,"
                                 " it has to be of shape (n_features,).")
            given = [given_categories(self.categories[i], column, i)
                     for i, column in enumerate(columns)]
        if given is None:
            found = self._fit_auto(columns)
        else:
            found = self._fit_given(columns, given)
        if self._infrequent_enabled:
            self._group(found["infrequent_"])
        return columns, rows

    def _fit_auto(self, columns):
        cells, words = [], []
        plans = {}  # columns by codes
        for i, column in enumerate(columns):
            word, cell = fit_column(column, self._none_is_value)
            if word == CODES:
                plans[i] = Plan(distinct(column), self._none_is_value)
                cell = plans[i]._codes(column)
            words.append(word)
            cells.append(cell)
        found = self._library_fit("auto", cells)
        self.categories_ = [
            plans[i].categories if i in plans else categories_of(found, i, column)
            for i, column in enumerate(columns)]
        return found

    def _fit_given(self, columns, given):
        cells, lists, words = [], [], []
        for column, categories in zip(columns, given):
            plan = Plan(categories, self._none_is_value)
            word, cell = plan.column(column)
            if word == "string" and "\0" in "".join(map(str, categories)):
                word, cell = CODES, plan._codes(column)
            words.append(word)
            cells.append(cell)
            lists.append(plan.listed(word))
        try:
            found = self._library_fit(lists, cells)
        except ValueError as error:
            for i, (column, categories) in enumerate(zip(columns, given)):
                left = unknown(column, categories)
                if left:
                    raise ValueError(f"Found unknown categories {left} in column {i} "
                                     "during fit") from None
            raise error
        self.categories_ = given
        return found

    def _library_fit(self, categories, cells):
        changes = {"drop": None} if hasattr(self, "drop") else {
            "handle_unknown": self.handle_unknown, "unknown_value": self._safe_unknown(),
            "encoded_missing_value": "nan", "dtype": "float64"}
        spec = self._parameters(categories, **changes)
        table = _core.Table.from_columns(cells)
        model = _core.Pipeline(json.dumps(spec)).fit(self._context(), table)
        return learned(model)

    def _group(self, marks):
        """From the library's marks to what is infrequent, and where categories go."""
        self._infrequent_indices, self._default_to_infrequent_mappings = [], []
        at = 0
        for i, categories in enumerate(self.categories_):
            mark = marks[at : at + len(categories)].astype(bool)
            at += len(categories)
            if i in getattr(self, "_missing_indices", {}):
                mark = mark[:-1]
            rare = np.flatnonzero(mark)
            self._infrequent_indices.append(rare if rare.size else None)
            if not rare.size:
                self._default_to_infrequent_mappings.append(None)
                continue
            mapping = np.empty(len(mark), np.int64)
            mapping[mark] = len(mark) - rare.size
            mapping[~mark] = np.arange(len(mark) - rare.size)
            self._default_to_infrequent_mappings.append(mapping)

    @property
    def infrequent_categories_(self):
        """Infrequent categories of each column, or None where it has none: a list of length n_features.

        There is no such attribute unless `min_frequency` or `max_categories` is given.
        """
        return [None if rare is None else categories[rare]
                for categories, rare in zip(self.categories_, self._infrequent_indices)]

    # -- transforming --

    def _plans(self):
        native = self._native
        key = (tuple(map(id, self.categories_)), self._settings())
        if native.key != key:
            native.key = key
            native.models = {"kept": list(self.categories_),  # so that an id stays theirs
                             "plans": [Plan(c, self._none_is_value) for c in self.categories_]}
        return native.models["plans"]

    def _settings(self):
        words = [word for word in self._library_parameters if word not in ("categories", "drop")]
        return (*[repr(getattr(self, word)) for word in words],
                repr(self.__dict__.get("_drop_of_fit")))

    def _model(self, words, refuse):
        """The model for columns of these words; refuse: unknown categories are errors."""
        models = self._native.models
        model = models.get((words, refuse))
        if model is None:
            plans = models["plans"]
            tensors, listed = {}, []
            for i, (plan, word) in enumerate(zip(plans, words)):
                for name, value in plan.tensors(word, _attributes.type_number).items():
                    tensors[f"categories_/{i}/{name}"] = value
                listed.append(plan.listed(word))
            if self._infrequent_enabled:
                tensors["infrequent_"] = self._marks()
            tensors |= self._more_tensors()
            is_sorted = all(plan.is_sorted(word) for plan, word in zip(plans, words))
            spec = self._parameters("auto" if is_sorted else listed,
                                    **self._changes(words, refuse))
            data = _attributes.write(
                _attributes.metadata(spec, [(None, library_word(w)) for w in words], False),
                {f"steps/0/0/{name}": value for name, value in tensors.items()})
            model = models[words, refuse] = _core.Model.from_bytes(data)
        return model

    def _marks(self):
        marks = []
        for categories, rare in zip(self.categories_, self._infrequent_indices):
            mark = np.zeros(len(categories), np.int64)
            if rare is not None:
                mark[rare] = 1
            marks.append(mark)
        return np.concatenate(marks)

    def _more_tensors(self):
        return {}

    def _cells(self, X):
        columns, rows = self._columns(X)
        validate_data(self, X=X, reset=False, skip_check_array=True)
        plans = self._plans()
        pairs = [plan.column(column) for plan, column in zip(plans, columns)]
        words = tuple(word for word, _ in pairs)
        return columns, rows, words, _core.Table.from_columns([cell for _, cell in pairs])

    def _refuse_unknown(self, columns, error):
        for i, column in enumerate(columns):
            left = unknown(column, self.categories_[i])
            if left:
                raise ValueError(f"Found unknown categories {left} in column {i} "
                                 "during transform") from None
        raise error

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags


_OUTPUTS = frozenset(("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                      "uint64", "float32", "float64"))
_SPARSE_OUTPUTS = frozenset(("float32", "float64"))


def _jsonable(values):
    def one(value):
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return "nan" if value != value else float(value)
        return value
    return {key: one(value) for key, value in values.items()}


def fit_column(column, none_is_value):
    """(word, cells) of a column whose categories are to be learned."""
    kind = column.dtype.kind
    if kind in "iufb":
        dtype = library_dtype(column.dtype)
        if dtype is not None:
            return dtype.name, column.astype(dtype, copy=False)
    elif kind in "USO":
        found = texts(column)
        if found is not None and not (none_is_value and "none" in found.kinds):
            return "string", found.column()
        if found is None and kind == "O":
            cells = plain_numbers(column)
            if cells is not None:
                return cells.dtype.name, cells
    return CODES, None


def categories_of(found, i, column):
    """Learned categories in the dtype of the column."""
    kind, missing = found[f"categories_/{i}/kind"]
    values = found[f"categories_/{i}/values"]
    if _attributes.type_name(kind) == "string":
        data = found[f"categories_/{i}/bytes"].tobytes()
        words = [data[a:b].decode() for a, b in zip(values.tolist(), values[1:].tolist())]
        if column.dtype.kind == "S":
            words = [word.encode("latin-1") for word in words]
        if missing:
            words.append(None if any(v is None for v in column) else np.nan)
        out = np.empty(len(words), column.dtype)
        out[:] = words
        return out
    if column.dtype.kind == "O":
        words = values.tolist() + [np.nan] * int(missing)
        out = np.empty(len(words), object)
        out[:] = words
        return out
    if missing:
        values = np.append(values, np.nan)
    return values.astype(column.dtype)


def given_categories(given, column, i):
    """The parameter `categories` for a column, checked."""
    dtype = object if np.issubdtype(column.dtype, np.str_) else column.dtype
    found = np.array(given, dtype=dtype)
    if found.dtype == object and isinstance(found[0], bytes) and column.dtype.kind != "S":
        raise ValueError(f"In column {i}, the predefined categories have type 'bytes'"
                         " which is incompatible with values of type"
                         f" '{type(column[0]).__name__}'.")
    for category in found[:-1]:
        if is_scalar_nan(category):
            raise ValueError("Nan should be the last element in user"
                             f" provided categories, see categories {found} in column #{i}")
    if found.size != len(distinct(found)):
        raise ValueError(f"In column {i}, the predefined categories contain duplicate elements.")
    if column.dtype.kind not in "OUS":
        in_order = np.sort(found)
        stop = -1 if np.isnan(in_order[-1]) else None
        if np.any(in_order[:stop] != found[:stop]):
            raise ValueError("Unsorted categories are not supported for numerical categories")
    return found
