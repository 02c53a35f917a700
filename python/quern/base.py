# SPDX-License-Identifier: Apache-2.0
"""What turns a descriptor of the library into a scikit-learn estimator.

Parameters, their defaults and what they may be come from the descriptors of the C library; the tables
below hold what Python needs beside them. Learned attributes are ordinary Python attributes. The
library's model is made from them (`Native`), remembered, and made anew when parameters or attributes
are no longer those that it was made of."""
import json
import numbers

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (HasMethods, Hidden, Interval, MissingValues, Options, RealNotInt,
                                             StrOptions)
from sklearn.utils.validation import FLOAT_DTYPES, assert_all_finite

from . import _attributes, _config, _core
from ._array_api import METHODS, following
from ._host import heard, validate_data
from ._html import DeviceRow
from ._serve import service_for

# The order of parameters in Python, "*" before those that are given by name alone. What the library
# has no parameter of that name for has its default here; the others' come from the descriptor.
SIGNATURES = {
    "Binarizer": ("*", "threshold", ("copy", True)),
    "Bucketizer": ("edges", "*", "encode", "closed", "outside", "handle_missing", "dtype"),
    "Clipper": ("lower", "upper"),
    "CyclicalFeatures": ("max_values", "*", "drop_original"),
    "IterativeImputer": (("estimator", None), "*", "missing_values", ("sample_posterior", False), "max_iter",
                         "tol", ("n_nearest_features", None), "initial_strategy", "fill_value",
                         "imputation_order", "skip_complete", "min_value", "max_value", ("verbose", 0),
                         ("random_state", None), "add_indicator", "keep_empty_features"),
    "KNNImputer": ("*", "missing_values", "n_neighbors", "weights", "metric", ("copy", True),
                   "add_indicator", "keep_empty_features"),
    "KernelCenterer": (),
    "KBinsDiscretizer": ("n_bins", "*", "encode", "strategy", "quantile_method", "dtype", "subsample",
                         "random_state"),
    "MaxAbsScaler": ("*", ("copy", True), "clip"),
    "MeanNormalizationScaler": ("*", ("copy", True)),
    "MinMaxScaler": ("feature_range", "*", ("copy", True), "clip"),
    "MissingIndicator": ("*", "missing_values", "features", "sparse", "error_on_new"),
    "Normalizer": ("norm", "*", ("copy", True)),
    "OneHotEncoder": ("*", "categories", "drop", "sparse_output", "dtype", "handle_unknown",
                      "min_frequency", "max_categories", ("feature_name_combiner", "concat")),
    "OrdinalEncoder": ("*", "categories", "dtype", "handle_unknown", "unknown_value",
                       "encoded_missing_value", "min_frequency", "max_categories"),
    "PowerTransformer": ("method", "*", "standardize", ("copy", True)),
    "PolynomialFeatures": ("degree", "*", "interaction_only", "include_bias", ("order", "C")),
    "QuantileTransformer": ("*", "n_quantiles", "output_distribution", ("ignore_implicit_zeros", False),
                            "subsample", "random_state", ("copy", True)),
    "RobustScaler": ("*", "with_centering", "with_scaling", "quantile_range", ("copy", True),
                     "unit_variance"),
    "SimpleImputer": ("*", "missing_values", "strategy", "fill_value", ("copy", True),
                      "add_indicator", "keep_empty_features"),
    "SplineTransformer": ("n_knots", "degree", "*", "knots", "extrapolation", "include_bias", ("order", "C"),
                          "handle_missing", "sparse_output"),
    "StandardScaler": ("*", ("copy", True), "with_mean", "with_std"),
    "GenericUnivariateSelect": ("score_func", "*", "mode", "param"),
    "SelectFdr": ("score_func", "*", "alpha"),
    "SelectFpr": ("score_func", "*", "alpha"),
    "SelectFwe": ("score_func", "*", "alpha"),
    "SelectKBest": ("score_func", "*", "k"),
    "SelectPercentile": ("score_func", "*", "percentile"),
    "VarianceThreshold": ("threshold",),
    "Winsorizer": ("capping_method", "tail", "fold", "*", "add_indicators", "missing_values"),
}
# Where JSON's default is not Python's.
DEFAULTS = {("SimpleImputer", "missing_values"): np.nan,
            ("KNNImputer", "missing_values"): np.nan,
            ("IterativeImputer", "missing_values"): np.nan,
            ("MissingIndicator", "missing_values"): np.nan,
            ("IterativeImputer", "min_value"): -np.inf, ("IterativeImputer", "max_value"): np.inf,
            ("OrdinalEncoder", "encoded_missing_value"): np.nan}
# What may be given, where the descriptor's kind does not say it in scikit-learn's words.
CONSTRAINTS = {
    "copy": ["boolean"],
    "order": [StrOptions({"C", "F"})],
    "feature_name_combiner": [StrOptions({"concat"}), callable],
    "missing_values": [MissingValues()],
    "estimator": [None, HasMethods(["fit", "predict"])],
    "sample_posterior": ["boolean"],
    "n_nearest_features": [None, Interval(numbers.Integral, 1, None, closed="left")],
    "imputation_order": [StrOptions({"ascending", "descending", "roman", "arabic", "random"})],
    "min_value": [None, Interval(numbers.Real, None, None, closed="both"), "array-like"],
    "max_value": [None, Interval(numbers.Real, None, None, closed="both"), "array-like"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
    "n_neighbors": [Interval(numbers.Integral, 1, None, closed="left")],
    "weights": [StrOptions({"uniform", "distance"}), callable, Hidden(None)],
    "metric": [StrOptions({"nan_euclidean"}), callable],
    "fill_value": "no_validation",
    "ignore_implicit_zeros": ["boolean"],
    "n_quantiles": [Interval(numbers.Integral, 1, None, closed="left")],
    "unknown_value": [numbers.Integral, type(np.nan), None],
    "encoded_missing_value": [numbers.Integral, type(np.nan)],
    "score_func": [callable],
    "k": [StrOptions({"all"}), Interval(numbers.Integral, 0, None, closed="left")],
    ("SplineTransformer", "n_knots"): [Interval(numbers.Integral, 2, None, closed="left")],
    ("SplineTransformer", "degree"): [Interval(numbers.Integral, 0, None, closed="left")],
    ("Winsorizer", "missing_values"): [StrOptions({"raise", "ignore"})],
}
CALLABLES = {("SimpleImputer", "strategy")}
_KINDS = {
    "bool": ["boolean"],
    "float": [numbers.Real],
    "pair": [tuple],
    "dtype": "no_validation",
    "floats": [Options(type, {np.float64, np.float32}), None],
    "ints": [Interval(numbers.Integral, 2, None, closed="left"), "array-like"],
    "categories": [StrOptions({"auto"}), list],
    "drop": [StrOptions({"first", "if_binary"}), "array-like", None],
    "amount": [Interval(numbers.Real, 0, None, closed="left"), StrOptions({"all"})],
    "count": [Interval(numbers.Integral, 1, None, closed="left"), None],
    "seed": ["random_state"],
    "auto_bool": ["boolean", StrOptions({"auto"})],
    "auto_float": [Interval(numbers.Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "numbers": [Interval(numbers.Real, None, None, closed="both"), "array-like", None],
    "edges": ["array-like", None],
    "frequency": [Interval(numbers.Integral, 1, None, closed="left"),
                  Interval(RealNotInt, 0, 1, closed="neither"), None],
}


def _default(name, parameter):
    if (name, parameter["name"]) in DEFAULTS:
        return DEFAULTS[name, parameter["name"]]
    value = parameter["default"]
    if parameter["kind"] == "dtype":
        return np.dtype(value).type
    return tuple(value) if isinstance(value, list) else value


def _constraint(name, parameter):
    if (name, parameter["name"]) in CONSTRAINTS:
        return CONSTRAINTS[name, parameter["name"]]
    if parameter["name"] in CONSTRAINTS:
        return CONSTRAINTS[parameter["name"]]
    if parameter["kind"] == "choice":
        allowed = [StrOptions(set(parameter["choices"]))]
        return allowed + [callable] if (name, parameter["name"]) in CALLABLES else allowed
    if parameter["kind"] == "knots":
        return [StrOptions(set(parameter["choices"])), "array-like"]
    if parameter["kind"] == "degree":
        return [Interval(numbers.Integral, 0, None, closed="left"), "array-like"]
    if "least" in parameter or "most" in parameter:
        least, most = parameter.get("least"), parameter.get("most")
        if parameter["kind"] == "int":
            least, most = (None if bound is None else int(bound) for bound in (least, most))
        closed = "both" if None not in (least, most) else "left" if most is None else "right"
        return [Interval(numbers.Real if parameter["kind"] == "float" else numbers.Integral,
                         least, most, closed=closed)]
    return _KINDS[parameter["kind"]]


def described(cls):
    """Give a class the `__init__` and the `_parameter_constraints` of the library's descriptor.

    Parameters
    ----------
    cls : type
        A class that has the name of an estimator of the library.

    Returns
    -------
    cls : type
        The same class: this is a decorator.
    """
    name = cls.__name__
    descriptor = _config.descriptors()[name]
    known = {p["name"]: p for p in descriptor["params"]}
    order = SIGNATURES.get(name, ("*", *known, ("copy", True)))
    missing = set(known) - {p if isinstance(p, str) else p[0] for p in order}
    if missing:  # a parameter that the library gained: by name, at the end
        order = (*order, *(() if "*" in order else ("*",)), *sorted(missing))
    values, heads, names, constraints = {}, [], [], {}
    for entry in order:
        if entry == "*":
            heads.append("*")
            continue
        word, value = (entry, _default(name, known[entry])) if isinstance(entry, str) else entry
        names.append(word)
        values[f"_{word}"] = value
        heads.append(f"{word}=_{word}")
        constraints[word] = (_constraint(name, known[word]) if word in known else CONSTRAINTS[word])
    lines = "".join(f"    self.{word} = {word}\n" for word in names)
    scope = dict(values)
    exec(f"def __init__(self, {', '.join(heads)}):\n{lines or ' pass'}", scope)  # as dataclasses do
    init = scope["__init__"]
    init.__qualname__, init.__module__ = f"{name}.__init__", cls.__module__
    cls.__init__ = init
    cls._parameter_constraints = constraints
    cls._library_parameters = tuple(known)
    cls._library_name = name  # also of classes that are derived from it
    cls._plain = True
    return cls


class Native:
    """What an estimator has of the library: models made of its attributes, by input."""

    __slots__ = ("key", "models", "fit", "fit_key", "ran", "service", "place", "features")

    def __init__(self):
        self.key = None  # parameters and attributes that `models` were made of
        self.models = {}
        self.fit = None  # a _core.Fit that partial_fit goes on with ...
        self.fit_key = None  # ... while attributes are those that it gave
        self.ran = None  # (device, reason) of the last call
        self.place = None  # namespace and device of a fit that scikit-learn dispatched (_array_api.py)
        self.service = None  # for a few rows (_serve.py)
        self.features = None  # what was known of features before a fit that may yet be refused


class Estimator(DeviceRow, BaseEstimator):
    """The root of quern's estimators.

    They are scikit-learn's estimators for whoever asks: parameters, `clone`, `set_output`, tags, pickles and
    HTML are its own. Learned attributes are ordinary attributes that may be read, set and copied.
    """

    __slots__ = ("_quern",)  # beside __dict__: neither copied, pickled nor compared
    _follows = False  # outputs and attributes are arrays of the input's library (_array_api.py)
    _plain = False  # the class itself, not one that somebody derived from it

    def __init_subclass__(cls, **words):
        super().__init_subclass__(**words)
        cls._plain = False
        for name in METHODS if cls._follows else ():
            if name in vars(cls):
                setattr(cls, name, following(name, vars(cls)[name]))

    def __getstate__(self):
        return self.__dict__.copy()

    def __setstate__(self, state):
        self.__dict__.update(state)

    def _check_namespace(self):
        """Refuses to give arrays that are not NumPy's, where scikit-learn does."""

    @property
    def _native(self):
        try:
            return self._quern
        except AttributeError:
            self._quern = Native()
            return self._quern

    def _spec(self):
        """The pipeline of this one estimator over all columns."""
        return {"quern": 1,
                "steps": [{"columns": "*", "apply": [{self._library_name: self._json()}]}]}

    def _json(self):
        """Parameters as the spec has them."""
        return {word: _jsonable(getattr(self, word)) for word in self._library_parameters}

    # -- as a part of a larger model (_fuse.py) --

    _fusable = False
    _supervised = False  # it learns from y, which a larger fit does not have

    def _refusal(self, types):
        """Why it cannot be a part of a model over columns of these dtypes (object: strings)."""
        return "" if all(t.kind != "O" for t in types) else "gets columns of strings"

    def _fit_refusal(self):
        """Why it cannot be fitted as a part of a model, although it can be applied."""
        return ""

    _keeps_frames = False  # a frame becomes a frame, without being told to

    def _output_types(self, types):
        """The dtypes of the output's columns."""
        common = np.result_type(*types)
        return [np.dtype(np.float32 if common == np.float32 else np.float64)] * len(types)

    def _types_of_outputs(self, types, names):
        """The same, where the names of the input's columns matter; None: they are not known."""
        return self._output_types(types)

    def _adopt(self, found, types, rows):
        """Takes the attributes that a larger fit gave, `found` by name, for input of those dtypes."""

    def _tensors_for(self, types):
        """The attributes as a model has them."""
        return {}

    def _gives_sparse(self):
        """Whether its output is a sparse matrix whatever the input is."""
        return getattr(self, "sparse_output", False)

    _changes_width = False  # whether the width of the output is known after the fit alone

    def _output_width(self, width):
        """The columns of the output, once it is fitted."""
        return width

    def _fused_key(self):
        """What a transform depends on, as something that can be compared."""
        return repr(self._json())

    def to_sklearn(self):
        """The same estimator, fitted or not, of scikit-learn's class.

        Returns
        -------
        made : sklearn.base.BaseEstimator
            A new estimator with the same parameters and copies of the attributes.

        Raises
        ------
        quern.UnsupportedError
            Scikit-learn has no such class, or it was derived from quern's; or there is a parameter that
            scikit-learn's, of this version, has not.

        See Also
        --------
        quern.to_sklearn : The same as a function.
        quern.from_sklearn : The way back.
        """
        from .interop import to_sklearn
        return to_sklearn(self)

    def _remembered(self, key, which, make):
        """The model of that input, `which`, remembered beside `key`: what a transform depends on."""
        native = self._native
        if native.key != key:
            native.models.clear()
            native.key = key
        model = native.models.get(which)
        if model is None:
            model = native.models[which] = make()
        return model

    # -- a few rows (_serve.py) --

    def _served(self, X):
        """A few rows of a plain array, the short way; None: not this time."""
        service = self._native.service
        return None if service is None else service.rows(X)

    def _will_serve(self, X, out, model, exactly=None):
        """X became `out`, by the model: so may the next few rows. exactly: so many alone."""
        if getattr(self, "copy", True):
            self._native.service = service_for(self, X, model, out, exactly=exactly)

    def _validate_params(self):
        """Scikit-learn's checks of parameters, which go through signatures: once for each set of them."""
        key = self._parameters_key()
        if key in _valid_params:
            return
        super()._validate_params()
        if key is not None:
            if len(_valid_params) >= 256:
                _valid_params.clear()
            _valid_params[key] = None

    def _parameters_key(self):
        """The class and its parameters as something that can be looked up; None: they can change."""
        values = [getattr(self, name) for name in self._parameter_constraints]
        constant = all(type(v) in _CONSTANTS or (type(v) is tuple and _CONSTANTS.issuperset(map(type, v)))
                       for v in values)
        return (type(self), *map(type, values), *values) if constant else None

    def _pipeline(self):
        """What the library fits: made once for each set of valid parameters."""
        key = self._parameters_key()
        made = _valid_params.get(key)
        if made is None:
            made = _core.Pipeline(json.dumps(self._spec()))
            if key in _valid_params:
                _valid_params[key] = made
        return made

    def _validated(self, X, lazily, reset, whole=False, **options):
        """validate_data. lazily: whether the library finds what `ensure_all_finite` refuses on its own
        way through the data; then arrays of floats are not gone through for that beforehand, and the
        caller gives the library's error to refuse_non_finite. whole: whether the caller takes whole numbers
        as they are, where `dtype` would make them floats: the library reads them so, and nothing is copied."""
        self._native.features = None
        if (whole and is_whole_matrix(X) and options.get("dtype") in (FLOAT_DTYPES, _FLOATS)
                and not heard(self)):  # who listens to a fit is shown what scikit-learn would show
            options = {**options, "dtype": "numeric", "force_writeable": None}  # outputs are other arrays
        if lazily and not heard(self) and is_plain_matrix(X):  # listeners hear of a fit after its checks
            if reset:
                self._native.features = {word: self.__dict__[word] for word in _FEATURES
                                         if word in self.__dict__}
            if self._needs_no_check(X, reset, options):
                self.__dict__.setdefault("n_features_in_", X.shape[1])
                return X
            options["ensure_all_finite"] = False
        return validate_data(self, X, reset=reset, **options)

    def _needs_no_check(self, X, reset, options):
        """Whether validate_data would find nothing and change nothing, which takes it a while."""
        known = self.__dict__.get("n_features_in_", X.shape[1] if reset else None)
        return (X.size > 0 and X.shape[1] == known and "feature_names_in_" not in self.__dict__
                and (options.get("dtype") is None or options["dtype"] is FLOAT_DTYPES)
                and (X.flags.writeable or not options.get("force_writeable")))

    def _context(self):
        found = _config.context()
        self._native.ran = (found.device, found.reason)
        return found

    def _where(self):
        return self._native.ran


_FLOATS = (np.float64, np.float32)
_FEATURES = ("n_features_in_", "feature_names_in_")
_CONSTANTS = frozenset((bool, int, float, str, type, type(None)))
_valid_params = {}  # pipelines (or None yet) of classes with parameters that scikit-learn has found valid


def _jsonable(value):
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return "nan" if value != value else float(value)
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_jsonable(v) for v in value]
    return value


# ---- matrices of numbers ----

def library_floats(X):
    """X as the library can view it: float16 is computed in float32."""
    return X.astype(np.float32) if X.dtype == np.float16 else X


def as_given(out, dtype):
    """An output in the dtype that the input had."""
    return out if out.dtype == dtype else out.astype(dtype)


def refuse_non_finite(error, X, estimator, allow_nan=True):
    """The library found what it must refuse: scikit-learn's sentence, else the library's."""
    if estimator._native.features is not None:  # scikit-learn refuses before it counts features
        for word in _FEATURES:
            estimator.__dict__.pop(word, None)
        estimator.__dict__.update(estimator._native.features)
    assert_all_finite(X, allow_nan=allow_nan, estimator_name=type(estimator).__name__,
                      input_name="X")
    raise error


def table_of(X):
    return _core.Table.from_matrix(X)


def model_of(estimator, X_dtype, columns, tensors, matrix):
    """A model made of an estimator's parameters and attributes."""
    name = np.dtype(X_dtype).name
    data = _attributes.write(
        _attributes.metadata(estimator._spec(), [(None, name)] * columns, matrix=matrix),
        {f"steps/0/0/{key}": value for key, value in sorted(tensors.items())})
    return _core.Model.from_bytes(data)


def learned(model):
    """The attributes of a model of one estimator, without their place."""
    return {key.removeprefix("steps/0/0/"): np.asarray(value)
            for key, value in model.tensors().items()}


def is_whole_matrix(X):
    """Whether it is a matrix of whole numbers, of a type of the library."""
    return (type(X) is np.ndarray and X.ndim == 2 and X.dtype.char in "bhilqBHILQ"
            and X.dtype.isnative)


def float_dtype(X):
    """What the numbers of X are computed in: its dtype, or float64."""
    return X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)


def is_plain_matrix(X):
    return (type(X) is np.ndarray and X.ndim == 2 and X.dtype.char in "fd"
            and X.dtype.isnative)


__all__ = ["FLOAT_DTYPES", "Estimator", "described"]
