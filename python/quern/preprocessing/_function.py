# SPDX-License-Identifier: Apache-2.0
"""FunctionTransformer: NumPy's functions and expressions are compiled, other functions are called."""
import inspect
import json
import re

import numpy as np
from sklearn.preprocessing import FunctionTransformer as _FunctionTransformer
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in

from .. import _attributes, _config, _core
from .._host import fit_context, validate_data
from .._memory import empty
from ..base import Estimator

# NumPy's functions of one number as expressions. The second: whether integers are what NumPy gives for integers.
_FUNCTIONS = {np.abs: ("abs(x)", True), np.arcsinh: ("arcsinh(x)", True), np.cos: ("cos(x)", True),
              np.exp: ("exp(x)", True), np.expm1: ("expm1(x)", True), np.isfinite: ("isfinite(x)", True),
              np.isinf: ("isinf(x)", True), np.isnan: ("isnan(x)", True), np.log: ("log(x)", True),
              np.log10: ("log10(x)", True), np.log1p: ("log1p(x)", True), np.log2: ("log2(x)", True),
              np.negative: ("-x", True), np.reciprocal: ("reciprocal(x)", False), np.sin: ("sin(x)", True),
              np.sqrt: ("sqrt(x)", True), np.square: ("square(x)", True)}
_DTYPES = frozenset("fdilqIL")  # float32, float64, and integers whose functions are float64
_QUOTED = re.compile(r"`[^`]*`|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_X = re.compile(r"\bx\b(?!\s*\()")


def is_expression(func):
    return isinstance(func, (str, list, tuple, dict))


def has_x(text):
    """Whether a bare x is in it, as the library sees it."""
    return _X.search(_QUOTED.sub(" ", text)) is not None


def _texts(func):
    return [func] if isinstance(func, str) else list(func.values()) if isinstance(func, dict) else list(func)


def _compiled(func):
    """(expression in x, whether it takes integers) of one of NumPy's functions, or None."""
    return _FUNCTIONS.get(func) if isinstance(func, np.ufunc) else None


def _name(func):
    return getattr(func, "__qualname__", None) or getattr(func, "__name__", None) or type(func).__name__


def _refused_dtype(func, dtype):
    """Why the library would not give NumPy's dtype and numbers."""
    if dtype.char not in _DTYPES or not dtype.isnative or (dtype.kind == "u" and dtype.itemsize == 8):
        return f"{_name(func)} of {dtype}"
    if dtype.kind in "iu" and not _FUNCTIONS[func][1]:
        return f"{_name(func)} of {dtype}"
    if dtype.kind == "u" and func in (np.negative, np.abs, np.square):
        return f"{_name(func)} of {dtype}"
    return None


class FunctionTransformer(Estimator, _FunctionTransformer):
    """Columns computed by a function or an expression.

    Parameters
    ----------
    func : callable, str, list or dict, default=None
        What rows go through. Functions of NumPy such as `numpy.log1p` and expressions run in the library, on the
        configured device; any other callable is called. Expressions are texts such as
        ``"log1p(income) / (rooms + 1)"``, over the columns' names (of arrays: x0, x1, ...), where x, unless it is a
        column's name, stands for each column; a list of them, or a dict of names and expressions, gives a column
        for each. None: X as it is.
    inverse_func : callable or str, default=None
        The same for `inverse_transform`; an expression is one in x.
    validate : bool, default=False
        Make X an array, and refuse what scikit-learn's `check_array` does.
    accept_sparse : bool, default=False
        Let sparse matrices pass, where X is looked at.
    check_inverse : bool, default=True
        Warn at the fit where `inverse_func` does not undo `func`.
    feature_names_out : callable, "one-to-one" or None, default=None
        What `get_feature_names_out` gives: the input's names; or what a callable gives of the transformer and
        these. None: an expression's names, else nothing.
    kw_args : dict, default=None
        Words for `func`, which is then called.
    inv_kw_args : dict, default=None
        Words for `inverse_func`.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.PowerTransformer : Learns which power makes a column likest to normal numbers.

    Notes
    -----
    It derives from `sklearn.preprocessing.FunctionTransformer`, and its meaning is that one's. Compiled functions
    and expressions have NumPy's dtypes, the bits of its arithmetic, and functions within 2 units in the last
    place of the exact value; ``docs/expressions.md`` has the grammar. In a Pipeline or a ColumnTransformer of
    quern they are a part of one model. `quern.last_report` and the log tell which functions Python was left with,
    and why: those that are not known, words for them, and inputs that are neither arrays nor frames of numbers of
    one dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import FunctionTransformer
    >>> FunctionTransformer(np.log1p).transform(np.array([[0.0], [np.e - 1]])).ravel()
    array([0., 1.])
    >>> ratio = FunctionTransformer({"ratio": "x0 / (x1 + 1)"})
    >>> ratio.fit_transform(np.array([[1.0, 1.0], [6.0, 2.0]])).ravel()
    array([0.5, 2. ])
    >>> ratio.get_feature_names_out()
    array(['ratio'], dtype=object)
    """

    _parameter_constraints = {**_FunctionTransformer._parameter_constraints,
                              "func": [callable, str, list, tuple, dict, None],
                              "inverse_func": [callable, str, None]}
    _library_name = "FunctionTransformer"
    _library_parameters = ()
    _fusable = True

    @fit_context
    def fit(self, X, y=None):
        """Note the columns; with two functions, see whether one undoes the other.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            What `func` takes.
        y : None
            Not used.

        Returns
        -------
        self : FunctionTransformer
            The fitted estimator.

        Raises
        ------
        ValueError
            X is not what `validate` asks for; an expression is none; or there is an inverse to be checked and X has
            columns that are no numbers.
        """
        if is_expression(self.func):
            self._check_expressions()
        return inspect.unwrap(_FunctionTransformer.fit)(self, X, y)

    def _check_expressions(self):
        """The library's word on the texts, before there are columns."""
        _core.Pipeline(json.dumps(self._spec()))

    def transform(self, X):
        """Apply the function.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            What `func` takes.

        Returns
        -------
        X_out : ndarray, or what `func` gives
            The columns of expressions are an array.

        Raises
        ------
        ValueError
            X is not what `validate` asks for; or an expression names a column that is not there.
        """
        if not is_expression(self.func):
            return inspect.unwrap(_FunctionTransformer.transform)(self, X)
        if self.validate:
            X = validate_data(self, X, reset=False, accept_sparse=self.accept_sparse)
        return self._transform(X, func=self.func)

    def inverse_transform(self, X):
        """Apply the inverse function.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            What `inverse_func` takes.

        Returns
        -------
        X_original : ndarray, or what `inverse_func` gives
            X as it is without one.

        Raises
        ------
        ValueError
            X is not what `validate` asks for; or an expression names a column that is not there.
        """
        return inspect.unwrap(_FunctionTransformer.inverse_transform)(self, X)

    def _is_named(self):
        return self.feature_names_out is not None or is_expression(self.func)

    @available_if(_is_named)
    def get_feature_names_out(self, input_features=None):
        """Name the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The names of the input columns; None: those of the fit, or x0, x1, ...

        Returns
        -------
        feature_names_out : ndarray of str objects
            What `feature_names_out` says; without it, the names of expressions.

        Raises
        ------
        AttributeError
            `func` is no expression and `feature_names_out` is None.
        ValueError
            The names are not those of the fit, or not as many as its columns.
        """
        if self.feature_names_out is not None:
            return super().get_feature_names_out(input_features)
        names = list(_check_feature_names_in(self, input_features))
        model = self._model_of([(str(name), np.dtype(float)) for name in names])
        return np.asarray(model.output_names, dtype=object)

    # -- how --

    def _transform(self, X, func=None, kw_args=None):
        if is_expression(func):
            return self._by_expression(X, func)
        if func is None:
            return X
        found = _compiled(func)
        why = ("it has words" if kw_args else "the library does not know it") if kw_args or found is None else None
        if why is None:
            out, why = self._by_function(X, func, found[0])
            if why is None:
                return out
        self._native.ran = ("the CPU by Python", why)
        _config.note("FunctionTransformer", f"{_name(func)} was called: {why}")
        return func(X, **(kw_args or {}))

    def _by_function(self, X, func, text):
        """(what it gives, None), or (None, why not)."""
        home = type(X).__module__.partition(".")[0]
        frame = home == "pandas" and type(X).__name__ == "DataFrame"
        if not frame and type(X) is not np.ndarray:
            return None, f"X is a {type(X).__module__}.{type(X).__name__}"
        dtypes = {X.dtype} if not frame else set(X.dtypes)
        if len(dtypes) != 1 or not isinstance(dtype := dtypes.pop(), np.dtype):
            return None, "the columns are not of one dtype of NumPy"
        why = _refused_dtype(func, dtype)
        if why is not None:
            return None, why
        values = X.to_numpy() if frame else X
        if values.size == 0 or values.ndim == 0:
            return None, "there are no rows or no columns"
        out = self._flat(values, text, func(np.ones(0, dtype)).dtype)
        if frame:
            out = type(X)(out, index=X.index, columns=X.columns, copy=False)
            out.attrs.update(X.attrs)
        return out, None

    def _flat(self, X, text, dtype):
        """One column of all values, in the order in which they lie."""
        turned = not X.flags.c_contiguous and X.flags.f_contiguous
        rows = np.ascontiguousarray(X.T if turned else X)
        out = empty(rows.shape, dtype)
        key = (text, rows.dtype.name)
        model = self._remembered(self._fused_key(), key,
                                 lambda: self._make([(None, rows.dtype)], {"expression": text, "each": True}))
        model.transform(self._context(), _core.Table.from_matrix(rows.reshape(-1, 1)), out=out.reshape(-1, 1))
        return out.T if turned else out

    def _by_expression(self, X, func):
        from .._fuse import Columns, NotFused
        X = X if hasattr(X, "columns") else np.asarray(X)
        try:
            columns = Columns(X)
            used, schema = self._usable(columns, func)
        except NotFused as why:
            raise ValueError(f"FunctionTransformer: expressions are of arrays and frames of numbers: {why}") from why
        rowwise = not columns.frame and X.flags.c_contiguous
        table = columns.table(used, rowwise)
        if table.columns != X.shape[1] and not columns.frame:
            raise ValueError("FunctionTransformer: a column cannot be read")
        out = self._model_of(schema, func, rowwise).transform(self._context(), table)
        return np.asarray(out).reshape(columns.rows, -1)

    @staticmethod
    def _usable(columns, func):
        """The columns that the library can view; those that it cannot must not be named."""
        from .._fuse import NotFused
        used, schema, whole = [], [], " ".join(_texts(func))
        for i in range(columns.X.shape[1]):
            try:
                dtype = columns.dtype(i)
            except NotFused:
                name = columns.name(i)
                if name is None or name in whole or any(map(has_x, _texts(func))):
                    raise
                continue
            used.append(i)
            schema.append((columns.name(i), dtype))
        if any(name is None for name, _ in schema):
            schema = [(None, dtype) for _, dtype in schema]
        return used, schema

    def _model_of(self, schema, func=None, rowwise=False):
        func = self.func if func is None else func
        return self._remembered(self._fused_key(), (repr(func), str(schema), rowwise), lambda: self._make(
            schema, {"expression": list(func) if isinstance(func, tuple) else func}, rowwise))

    @staticmethod
    def _make(schema, parameters, rowwise=True):
        spec = {"quern": 1, "steps": [{"columns": "*", "apply": [{"FunctionTransformer": parameters}]}]}
        columns = [(name, "string" if dtype.kind == "O" else dtype.name) for name, dtype in schema]
        return _core.Model.from_bytes(_attributes.write(_attributes.metadata(spec, columns, matrix=rowwise), {}))

    # -- as a part of a larger model --

    def _json(self):
        if is_expression(self.func):
            made = {"expression": list(self.func) if isinstance(self.func, tuple) else self.func}
            undo = self.inverse_func if isinstance(self.func, str) else None
        elif self.func is None:
            return {}
        else:
            found = _compiled(self.func)
            made, undo = {"expression": found[0] if found else _name(self.func), "each": True}, self.inverse_func
        found = (undo,) if isinstance(undo, str) else _compiled(undo)
        return {**made, "inverse": found[0]} if found else made

    def _refusal(self, types):
        why = super()._refusal(types)
        if why:
            return why
        if self.validate:
            return "looks at its input (validate=True)"
        if self._is_frame_without_names():
            return "gives frames without names"
        if self.func is None or is_expression(self.func):
            return ""
        if _compiled(self.func) is None or self.kw_args:
            return f"calls {_name(self.func)} by Python"
        return next((f"is {why}" for why in (_refused_dtype(self.func, t) for t in types) if why), "")

    def _is_frame_without_names(self):
        return not self._is_named() and _get_output_config("transform", self)["dense"] != "default"

    def _fit_refusal(self):
        if self.check_inverse and self.func is not None and self.inverse_func is not None:
            return "sees whether its inverse is one (check_inverse=True)"
        return ""

    @property
    def _keeps_frames(self):
        """Whether a frame becomes a frame, without being told to."""
        return not is_expression(self.func)

    @property
    def _changes_width(self):
        return is_expression(self.func) and not (isinstance(self.func, str) and has_x(self.func))

    def _output_width(self, width):
        if not self._changes_width:
            return width
        return sum(width if has_x(text) else 1 for text in _texts(self.func))

    def _types_of_outputs(self, types, names):
        from .._fuse import NotFused
        if self.func is None:
            return types
        if not is_expression(self.func):
            return [self.func(np.ones(0, t)).dtype for t in types]
        if names is not None and "x" in names:
            raise NotFused("x is a column of FunctionTransformer's")
        named = names is not None and None not in names
        model = self._model_of([(names[i] if named else None, t) for i, t in enumerate(types)])
        return [np.dtype(model.output_type)] * len(model.output_names)


FunctionTransformer._plain = True

__all__ = ["FunctionTransformer"]
