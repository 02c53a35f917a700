# SPDX-License-Identifier: Apache-2.0
"""What a pipeline spec means, said with scikit-learn.

A spec (docs: "Pipeline spec") becomes a ColumnTransformer of pipelines and a chain behind it. Tables
are read with pandas and then brought to quern's types, so that both sides see the same table:

  * numbers are parsed exactly (float_precision="round_trip"; pandas' default is off by an ulp at times);
  * text columns become object columns with NaN for missing cells, not pandas' own string type;
  * a text column whose cells are all separated ISO 8601 dates or times becomes datetime64[us]
    (pandas leaves it text unless told otherwise);
  * everything else is as pandas infers it: int64, float64 (an integer column with missing cells), bool.
"""
import copy
import functools
import json
import re
import warnings

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn
from sklearn import preprocessing
from sklearn.compose import ColumnTransformer
from sklearn import feature_selection
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline

import oracles

ESTIMATORS = {
    name: getattr(preprocessing, name)
    for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer",
                 "Binarizer", "OrdinalEncoder", "OneHotEncoder")
}
ESTIMATORS |= {name: getattr(preprocessing, name)
               for name in ("KBinsDiscretizer", "PolynomialFeatures", "QuantileTransformer",
                            "SplineTransformer")}
ESTIMATORS.update(oracles.CLASSES)
ESTIMATORS["MissingIndicator"] = MissingIndicator
ESTIMATORS["SimpleImputer"] = SimpleImputer
ESTIMATORS["VarianceThreshold"] = VarianceThreshold
UNIVARIATE = ("SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe",
              "GenericUnivariateSelect")
ESTIMATORS.update({name: getattr(feature_selection, name) for name in UNIVARIATE})
# Without a seed specs draw as with this one.
SEEDED = {name: {"random_state": 0} for name in ("KBinsDiscretizer", "QuantileTransformer")}
WEIGHS = ("KBinsDiscretizer", "SplineTransformer", "StandardScaler")  # learn with sample weights

ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")

# ---- tables ----


def is_text(series):
    return isinstance(series.dtype, pd.StringDtype) or series.dtype == object


def is_flag(series):
    """Bools with missing cells, which pandas keeps as objects."""
    return series.dtype == object and len(series.dropna()) > 0 and \
        all(isinstance(c, bool) for c in series.dropna())


def as_quern_sees(series, forced):
    """One column of pandas.read_csv in quern's types."""
    if not is_text(series):
        return series
    cells = series.dropna()
    if forced is None and is_flag(series):
        return series.astype(object).where(series.notna(), np.nan)  # bool with missing cells
    if forced is None and len(cells) and not isinstance(cells.iloc[0], str):
        raise ValueError(f"column {series.name}: mixed cells have no counterpart")
    if forced == "datetime" or (forced is None and len(cells) and
                                all(ISO.fullmatch(x) for x in cells)):
        return pd.to_datetime(series, format="ISO8601").astype("datetime64[us]")
    return series.astype(object).where(series.notna(), np.nan)


def read_csv(path, options):
    """The table of a CSV file and the spec's `input` object."""
    forced = options.get("dtypes", {})
    header = options.get("header", True)
    tab = ".tsv" in str(path)
    table = pd.read_csv(
        path, sep=options.get("delimiter", "\t" if tab else ","), header=0 if header else None,
        na_values=options.get("na_values"), keep_default_na=options.get("keep_default_na", True),
        dtype={k: "str" if v in ("string", "datetime") else v for k, v in forced.items()},
        float_precision="round_trip", low_memory=False)
    if not header:
        table.columns = [f"x{i}" for i in range(table.shape[1])]
    columns = {name: as_quern_sees(table[name], forced.get(name)) for name in table.columns}
    return pd.DataFrame(columns)


def read_table(path, options):
    """A DataFrame from CSV, or an array from NPY."""
    return np.load(path) if str(path).endswith(".npy") else read_csv(path, options)


def quern_dtype(dtype):
    kind = np.dtype(dtype).kind
    return {"O": "string", "M": "datetime"}.get(kind, np.dtype(dtype).name)


def table_columns(table):
    """Names and quern's types."""
    if isinstance(table, np.ndarray):
        return [(f"x{i}", table.dtype.name) for i in range(table.shape[1])]
    return [(name, "bool" if is_flag(table[name]) else quern_dtype(table[name].dtype))
            for name in table.columns]


# ---- columns of a step ----


def select(columns, selector, hidden):
    """Positions of the columns that a step's `columns` means. hidden: target and weight."""
    names = [name for name, _ in columns]
    if isinstance(selector, list):
        return [names.index(item) if isinstance(item, str) else range(len(names))[item]
                for item in selector]

    def matches(name, dtype):
        if name in hidden:
            return False
        if selector == "*":
            return True
        if "pattern" in selector:
            return re.search(selector["pattern"], name) is not None
        wanted = selector["dtype"]
        if wanted == "number":
            return dtype.rstrip("0123456789") in ("int", "uint", "float")
        return dtype == {"category": "string"}.get(wanted, wanted)

    return [i for i, (name, dtype) in enumerate(columns) if matches(name, dtype)]


# ---- estimators ----


def scalar(value):
    return np.nan if value == "nan" else value


def cells(values):
    """A list of categories as scikit-learn wants it: strings as objects, numbers as numbers."""
    filled = [np.nan if v is None else v for v in values]
    text = any(isinstance(v, (str, bool)) for v in filled)
    return np.array(filled, dtype=object) if text else np.array(filled)


def parameter(name, value):
    if name == "missing_values":
        return np.nan if value is None else scalar(value)
    if name == "encoded_missing_value" and value is None:
        return np.nan
    if name in ("unknown_value", "encoded_missing_value", "fill_value"):
        return scalar(value)
    if name in ("feature_range", "quantile_range"):
        return tuple(value)
    if name == "dtype":
        return np.dtype(value).type
    if name == "score_func":
        return getattr(feature_selection, value)
    if name == "categories" and value != "auto":
        return [cells(v) for v in value]
    if name == "drop" and isinstance(value, list):
        return cells(value).astype(object)
    return value


def split(item):
    """An entry of `apply`: its name and its parameters."""
    if isinstance(item, str):
        return item, {}
    (name, params), = item.items()
    return name, params


def chain_of(apply):
    return [split(item) for item in (apply if isinstance(apply, list) else [apply])]


NUMPY = {name: getattr(np, name) for name in ("abs", "exp", "expm1", "log", "log1p", "sqrt", "square", "clip", "where",
                                              "isnan", "float32", "float64", "pi", "nan", "inf")}
NUMPY |= {"min": lambda *a: functools.reduce(np.minimum, a), "max": lambda *a: functools.reduce(np.maximum, a)}


def of_expressions(expression):
    """scikit-learn's FunctionTransformer that computes what the texts say, by Python and NumPy."""
    given = expression if isinstance(expression, (list, dict)) else [expression]
    texts = list(given.values()) if isinstance(given, dict) else given
    heads = list(given) if isinstance(given, dict) else None
    each = [re.search(r"\bx\b", re.sub(r"`[^`]*`", "", text)) is not None for text in texts]
    codes = [compile(re.sub(r"`([^`]*)`", r'col("\1")', text), text, "eval") for text in texts]

    def func(X):
        names = list(X.columns) if hasattr(X, "columns") else [f"x{i}" for i in range(X.shape[1])]
        values = [X[name].to_numpy() for name in names] if hasattr(X, "columns") else list(X.T)
        known = {**NUMPY, **dict(zip(names, values)), "col": dict(zip(names, values)).__getitem__}
        with np.errstate(all="ignore"):
            made = [eval(code, {**known, "x": x}) for code, one in zip(codes, each)  # noqa: S307 (of a spec)
                    for x in (values if one else [None])]
        return np.column_stack(made)

    def names_out(_, names):
        if texts == [expression] and each[0]:
            return names
        return [head if not one else f"{head}_{name}" for head, one in zip(heads or texts, each)
                for name in (names if one else [None])]

    return preprocessing.FunctionTransformer(func, feature_names_out=names_out)


def make_estimator(item):
    name, params = item
    if name == "passthrough":
        return "passthrough"
    if name == "FunctionTransformer":
        return of_expressions(params["expression"])
    est = ESTIMATORS[name](**SEEDED.get(name, {}) | {k: parameter(k, v) for k, v in params.items()})
    return est.set_fit_request(sample_weight=True) if name in WEIGHS else est


def weights_of(spec, table):
    """The column that `weight` names, or None."""
    return table[spec["weight"]].to_numpy(dtype=np.float64) if spec.get("weight") else None


def target_of(spec, table):
    """The column that `target` names, or None."""
    return table[spec["target"]].to_numpy() if spec.get("target") else None


def fit_alone(est, x, weights, y=None):
    """A copy of est, fitted on x."""
    own = copy.deepcopy(est)  # with what is set beside its parameters
    if type(est).__name__ in UNIVARIATE:
        return own.fit(x, y)
    if weights is None or type(est).__name__ not in WEIGHS:
        return own.fit(x)
    return own.fit(x, sample_weight=weights)


# ---- the pipeline ----

sklearn.set_config(enable_metadata_routing=True)


class Reference:
    """A spec fitted to a table by scikit-learn."""

    def __init__(self, spec, table):
        self.spec = spec
        self.columns = table_columns(table)
        hidden = [spec[k] for k in ("target", "weight") if spec.get(k)]
        self.steps = [select(self.columns, step["columns"], hidden) for step in spec["steps"]]
        self.chains = [chain_of(step["apply"]) for step in spec["steps"]]
        self.then_chain = chain_of(spec["then"]) if spec.get("then") else []
        taken = {i for step in self.steps for i in step}
        self.rest = [i for i, (name, _) in enumerate(self.columns)
                     if i not in taken and name not in hidden]
        if spec.get("remainder", "drop") == "drop":
            self.rest = []
        output = spec.get("output", {})
        sparse = output.get("sparse", "auto")
        threshold = output.get("sparse_threshold", 0.3) if sparse == "auto" else float(sparse)
        transformers = [(f"step{i}", self.pipeline(chain), self.step_key(table, i))
                        for i, chain in enumerate(self.chains)]
        if self.rest:
            transformers.append(("rest", "passthrough", self.key(table, self.rest)))
        self.transformer = ColumnTransformer(transformers, sparse_threshold=threshold)
        self.then = [make_estimator(item) for item in self.then_chain]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = weights_of(spec, table)
            given = {} if weights is None else {"sample_weight": weights}
            chains = [*self.chains, self.then_chain]
            supervised = any(name in UNIVARIATE for chain in chains for name, _ in chain)
            self.y = target_of(spec, table) if supervised else None
            joined = self.joined(self.transformer.fit_transform(table, self.y, **given), table)
            for i, est in enumerate(self.then):
                if est != "passthrough":
                    est = self.then[i] = fit_alone(est, joined, weights, self.y)
                    joined = est.transform(joined)

    @staticmethod
    def pipeline(chain):
        if all(name == "passthrough" for name, _ in chain):
            return "passthrough"
        return make_pipeline(*[make_estimator(item) for item in chain])

    def key(self, table, positions):
        """Columns by name in a frame, by position in an array."""
        if isinstance(table, np.ndarray):
            return positions
        return [self.columns[i][0] for i in positions]

    def step_key(self, table, i):
        """`"*"` of a matrix is a slice, which keeps its memory order; a list of columns turns the
        step's input into column order. Row norms are summed in memory order."""
        if isinstance(table, np.ndarray) and self.spec["steps"][i]["columns"] == "*":
            return slice(0, table.shape[1])
        return self.key(table, self.steps[i])

    def joined(self, out, table):
        """hstack of a data frame with bool beside numbers is an object array. Blocks of numbers get
        the dtype that NumPy gives to their columns."""
        if sp.issparse(out) or out.dtype != object:
            return out
        types = []
        for i, chain in enumerate(self.chains):
            if self.fitted(i) is not None:
                types.append(self.block_dtype(i, table))
            else:
                types += [self.columns[k][1] for k in self.steps[i]]
        types += [self.columns[k][1] for k in self.rest]
        if any(t in ("string", "datetime", "object") for t in types):
            return out
        return out.astype(np.result_type(*[np.dtype(t) for t in types]))

    def block_dtype(self, i, table):
        return self.fitted(i).transform(self.block(table, i)[:2]).dtype.name

    def block(self, table, i):
        """What ColumnTransformer gives to a step."""
        key = self.step_key(table, i)
        return table[:, key] if isinstance(table, np.ndarray) else table[key]

    def fitted(self, i):
        """The fitted pipeline of a step; None if it only passes through or has no columns."""
        if not self.steps[i]:
            return None
        got = self.transformer.named_transformers_[f"step{i}"]
        return got if hasattr(got, "steps") else None

    def transform(self, table):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = self.joined(self.transformer.transform(table), table)
            for est in self.then:
                if est != "passthrough":
                    out = est.transform(out)
        return self.stored(out)

    def stored(self, out):
        """The spec's `output`: the one cast, and sparse or not."""
        output = self.spec.get("output", {})
        sparse = output.get("sparse", "auto")
        if sparse is True and not sp.issparse(out):
            out = sp.csr_matrix(out)
        if sparse is False and sp.issparse(out):
            out = out.toarray()
        if output.get("dtype"):
            with np.errstate(over="ignore", invalid="ignore"):
                out = out.astype(output["dtype"])
        if sp.issparse(out):
            out = out.tocsr()
            out.sort_indices()
            out.eliminate_zeros()
        return out

    def names(self):
        """Output names: the estimators', with `<name>__` before those of a named step."""
        names = []
        for i, step in enumerate(self.spec["steps"]):
            own = np.array([self.columns[k][0] for k in self.steps[i]], dtype=object)
            pipeline = self.fitted(i)
            out = own if pipeline is None else pipeline.get_feature_names_out(own)
            prefix = step["name"] + "__" if step.get("name") else ""
            names += [prefix + str(n) for n in out]
        names += [self.columns[k][0] for k in self.rest]
        for est in self.then:
            if est != "passthrough":
                names = list(est.get_feature_names_out(np.array(names, dtype=object)))
        return [str(n) for n in names]

    def stages(self, table):
        """Every fitted estimator with what it was fitted on: (where, name, estimator, X)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i, chain in enumerate(self.chains):
                pipeline = self.fitted(i)
                if pipeline is None:
                    continue
                x = self.block(table, i)
                for j, (name, _) in enumerate(chain):
                    est = pipeline.steps[j][1]
                    if name == "passthrough":
                        continue
                    est.target = self.y
                    yield (i, j), name, est, x
                    x = est.transform(x)
            if self.then:
                x = self.joined(self.transformer.transform(table), table)
                for j, (name, _) in enumerate(self.then_chain):
                    if name == "passthrough":
                        continue
                    self.then[j].target = self.y
                    yield (None, j), name, self.then[j], x
                    x = self.then[j].transform(x)

    def clone(self):
        return copy.deepcopy(self)


def load_spec(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
