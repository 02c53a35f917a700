# SPDX-License-Identifier: Apache-2.0
"""OneHotEncoder and OrdinalEncoder."""
import json
import numbers
import warnings

import numpy as np
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from .. import _attributes, _core
from .._convert import (CODES, Plan, distinct, library_dtype, library_word, plain_numbers, texts,
                        unknown)
from .._sparse import as_scipy
from ..base import Estimator, described, learned

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
        """Infrequent categories of each column, or None where it has none."""
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
            return dtype.name, np.ascontiguousarray(column, dtype)
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


@described
class OneHotEncoder(Encoder):
    """One column of 0 and 1 for each category of each column.

    Parameters, attributes and methods are those of `sklearn.preprocessing.OneHotEncoder`."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learns the categories.

        X : array-like of shape (n_samples, n_features)"""
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
        """X encoded: CSR, or dense without `sparse_output`."""
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

        X : {array-like, sparse matrix} of shape (n_samples, n_encoded_features)"""
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
        """Names of the output columns: `<feature>_<category>`."""
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


@described
class OrdinalEncoder(OneToOneFeatureMixin, Encoder):
    """The number of each cell's category.

    Parameters, attributes and methods are those of `sklearn.preprocessing.OrdinalEncoder`."""

    _none_is_value = True

    def _safe_unknown(self):
        """For the fit, which only asks whether one is given."""
        return "nan" if self.handle_unknown == "use_encoded_value" else None

    def _changes(self, words, refuse):
        return {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learns the categories.

        X : array-like of shape (n_samples, n_features)"""
        self._check_unknown_value()
        self._missing_indices = _Lazy(self)
        self._fit_categories(X)
        self._finish()
        return self

    def _adopt(self, found, types, rows):
        self._check_unknown_value()
        self._missing_indices = _Lazy(self)
        self._take(found, types)
        self._finish()

    def _finish(self):
        self._missing_indices = {i: len(c) - 1 for i, c in enumerate(self.categories_)
                                 if is_scalar_nan(c[-1])}
        self._check_numbers()

    def _check_unknown_value(self):
        if self.handle_unknown == "use_encoded_value":
            if is_scalar_nan(self.unknown_value):
                if np.dtype(self.dtype).kind != "f":
                    raise ValueError("When unknown_value is np.nan, the dtype parameter should be "
                                     f"a float dtype. Got {self.dtype}.")
            elif not isinstance(self.unknown_value, numbers.Integral):
                raise TypeError("unknown_value should be an integer or np.nan when "
                                "handle_unknown is 'use_encoded_value', "
                                f"got {self.unknown_value}.")
        elif self.unknown_value is not None:
            raise TypeError("unknown_value should only be set when handle_unknown is "
                            f"'use_encoded_value', got {self.unknown_value}.")

    def _check_numbers(self):
        """unknown_value and encoded_missing_value may not be numbers of categories."""
        used = [len(c) for c in self.categories_]
        for i in range(len(used)):
            if self._infrequent_enabled and (rare := self._infrequent_indices[i]) is not None:
                used[i] -= len(rare)
            used[i] -= i in self._missing_indices
        if self.handle_unknown == "use_encoded_value":
            if any(0 <= self.unknown_value < n for n in used):
                raise ValueError(f"The used value for unknown_value {self.unknown_value} is one of "
                                 "the values already used for encoding the seen categories.")
        if not self._missing_indices:
            return
        if is_scalar_nan(self.encoded_missing_value):
            if np.dtype(self.dtype).kind != "f":
                raise ValueError("There are missing values in features "
                                 f"{list(self._missing_indices)}. For OrdinalEncoder to "
                                 f"encode missing values with dtype: {self.dtype}, set "
                                 "encoded_missing_value to a non-nan value, or "
                                 "set dtype to a float")
            return
        invalid = [i for i in self._missing_indices
                   if 0 <= self.encoded_missing_value < used[i]]
        if invalid:
            if hasattr(self, "feature_names_in_"):
                invalid = self.feature_names_in_[invalid]
            raise ValueError(f"encoded_missing_value ({self.encoded_missing_value}) "
                             "is already used to encode a known category in features: "
                             f"{invalid}")

    def transform(self, X):
        """Numbers of categories."""
        check_is_fitted(self, "categories_")
        columns, rows, words, table = self._cells(X)
        try:
            out = self._model(words, False).transform(self._context(), table)
        except ValueError as error:
            self._refuse_unknown(columns, error)
        return np.asarray(out).astype(self.dtype, copy=False)

    def inverse_transform(self, X):
        """Categories of numbers.

        X : array-like of shape (n_samples, n_features)"""
        check_is_fitted(self)
        X = check_array(X, ensure_all_finite="allow-nan")
        if X.shape[1] != len(self.categories_):
            raise ValueError(WIDTH.format(len(self.categories_), X.shape[1]))
        out = np.empty(X.shape, np.result_type(*[c.dtype for c in self.categories_]))
        rest = {}
        for i, categories in enumerate(self.categories_):
            labels = X[:, i]
            rows = np.ones(len(labels), bool)
            if i in self._missing_indices:
                missing = _get_mask(labels, self.encoded_missing_value)
                out[missing, i] = categories[self._missing_indices[i]]
                rows &= ~missing
            rare = self._infrequent_indices[i] if self._infrequent_enabled else None
            if rare is not None:
                grouped = labels == len(categories) - len(rare) - (i in self._missing_indices)
                rest[i, INFREQUENT] = grouped
                rows &= ~grouped
                categories = np.delete(categories, rare)
            if self.handle_unknown == "use_encoded_value":
                lost = _get_mask(labels, self.unknown_value) & rows
                rest[i, None] = lost
                rows &= ~lost
            out[rows, i] = categories[labels[rows].astype("int64", copy=False)]
        if rest:
            out = out.astype(object, copy=False)
        for word in (None, INFREQUENT):
            for (i, kind), mask in rest.items():
                if kind == word:
                    out[mask, i] = word
        return out


class _Lazy:
    """During the fit: which columns have the missing category, asked after categories_ is there."""

    def __init__(self, encoder):
        self.encoder = encoder

    def __contains__(self, i):
        return is_scalar_nan(self.encoder.categories_[i][-1])
