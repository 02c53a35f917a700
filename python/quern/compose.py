# SPDX-License-Identifier: Apache-2.0
"""ColumnTransformer as one model, and what `sklearn.compose` has beside it."""
import contextlib
import functools
import threading

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer as _ColumnTransformer
from sklearn.compose import make_column_selector
from sklearn.compose import make_column_transformer as _make_column_transformer
from sklearn.pipeline import _fit_transform_one
from sklearn.preprocessing import FunctionTransformer as _FunctionTransformer
from sklearn.utils import _safe_indexing
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names

from ._fuse import Block, Fused, NotFused, Plan, chain_of, remember_features, validate
from ._serve import served
from .preprocessing import FunctionTransformer

# What is wanted of the next model of a ColumnTransformer that scikit-learn's methods stand around:
# `chain`, a Pipeline's at its end and that Pipeline; `output`, whether a fit is to give the transformed rows.
_asked = threading.local()


class _Part(np.ndarray):
    """Some columns of a joined output, which is `joined`."""


class ColumnTransformer(Fused, _ColumnTransformer):
    """Columns through transformers of their own, side by side, as one model.

    Parameters
    ----------
    transformers : list of (name, transformer, columns)
        A transformer is an estimator, "drop" or "passthrough". Columns are names, numbers, a slice, a
        mask, or a function of X that gives one of these (`make_column_selector`); one name or number
        without a list stands for a vector.
    remainder : estimator, "drop" or "passthrough", default="drop"
        What becomes of the columns that no transformer takes.
    sparse_threshold : float, default=0.3
        The output is sparse if a part is, and its density is below this.
    n_jobs : int or None, default=None
        Processes of scikit-learn's code, where that runs the parts; one model needs none.
    transformer_weights : dict or None, default=None
        Factors of the outputs, by name.
    verbose : bool, default=False
        Print how long each part takes.
    verbose_feature_names_out : bool, str or callable, default=True
        How names of output columns are made: True prefixes them with the transformer's name, False
        leaves them as they are; a format string or a function makes others.

    Attributes
    ----------
    transformers_ : list of (name, transformer, columns)
        The fitted transformers.
    named_transformers_ : sklearn.utils.Bunch
        The same by name.
    sparse_output_ : bool
        Whether the output is sparse.
    output_indices_ : dict of slice
        The output columns of each transformer.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.compose.make_column_transformer : Makes the names.
    quern.pipeline.Pipeline : One step after another.

    Notes
    -----
    It derives from `sklearn.compose.ColumnTransformer`, which its methods belong to. Where all
    transformers are quern's, and the columns are numbers or strings of an array or of a frame of pandas or
    Polars, a fit and a transform are one call of the library each: columns cross to a device once, and run
    there.
    Otherwise scikit-learn's code runs the parts one by one, each of quern's on the configured device;
    ``docs/python.md`` says when. The log and `quern.last_report` tell the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.compose import ColumnTransformer
    >>> from quern.preprocessing import MinMaxScaler, OneHotEncoder
    >>> X = np.array([[1.0, 7.0], [3.0, 8.0], [2.0, 7.0]])
    >>> columns = ColumnTransformer([("size", MinMaxScaler(), [0]), ("kind", OneHotEncoder(), [1])],
    ...                             sparse_threshold=0)
    >>> columns.fit_transform(X)
    array([[0. , 1. , 0. ],
           [1. , 0. , 1. ],
           [0.5, 1. , 0. ]])
    >>> columns.get_feature_names_out().tolist()
    ['size__x0', 'kind__x1_7.0', 'kind__x1_8.0']
    """

    __slots__ = ("_quern",)

    def fit(self, X, y=None, **params):
        """Fit all transformers.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            The columns.
        y : array-like of shape (n_samples,), default=None
            Targets, for transformers that want them.
        **params : dict
            Parameters of the transformers' fits, where scikit-learn's metadata routing is on.

        Returns
        -------
        self : ColumnTransformer
            The fitted transformers.

        Raises
        ------
        ValueError
            A transformer refuses its parameters or its columns.
        TypeError
            A transformer is none.
        """
        with asked(output=False):
            return super().fit(X, y, **params)

    def _call_func_on_transformers(self, X, y, func, column_as_labels, routed_params):
        then, owner = _asked.__dict__.pop("chain", (None, self))
        output = _asked.__dict__.pop("output", True)
        fits = func is _fit_transform_one
        try:
            return self._fused(X, fits, column_as_labels, routed_params, then or [], owner, output)
        except NotFused as why:
            if then is not None:  # the Pipeline says it
                raise
            self._orchestrated(why)
        return super()._call_func_on_transformers(X, y, func, column_as_labels, routed_params)

    def _fused(self, X, fits, column_as_labels, routed_params, then, owner, wanted):
        output = _get_output_config("transform", self)["dense"]
        if self.transformer_weights:
            raise NotFused("there are transformer_weights")
        if self.verbose:
            raise NotFused("it is verbose")
        blocks, transformers = [], []
        for name, transformer, columns, _ in self._iter(
                fitted=not fits, column_as_labels=column_as_labels, skip_drop=True,
                skip_empty_columns=True):
            if any(routed_params[name].values()):
                raise NotFused(f"parameters are routed to {name!r}")
            if np.isscalar(columns):
                raise NotFused(f"{name!r} selects a column as a vector")
            if fits:
                transformer = _fresh(transformer, output)
            chain = [] if _passes(transformer) else chain_of(transformer, output)
            transformers.append(transformer)
            blocks.append(Block(name, chain, _get_column_indices(X, columns),
                                isinstance(columns, slice)))
        if not blocks:
            raise NotFused("no columns are selected")
        plan = Plan(X, blocks, then, self._named(blocks), self.sparse_threshold)
        if plan.sparse and output != "default":
            raise NotFused("frames are wanted of sparse columns")
        if output != "default" and len(set(plan.dtypes)) > 1:
            raise NotFused("the columns of the output frame have different dtypes")
        if not fits:
            if not column_as_labels:
                _check_names(blocks, X)
            return _parts(plan.transform(self._memory, self.sparse_output_, owner), plan.widths())
        for block in blocks:
            validate(block.chain)
        validate(then)
        out = plan.fit(self._memory, wanted)
        self.__dict__.pop("_transformers_feature_names_out", None)
        head = X[:1]
        for block, transformer in zip(blocks, transformers):
            _remember(transformer, _safe_indexing(head, block.indices, axis=1))
        return list(zip(_parts(out, plan.widths()), transformers))

    def _named(self, blocks):
        indices = [i for block in blocks for i in block.indices]
        return self.verbose_feature_names_out is not False or len(set(indices)) < len(indices)

    def _hstack(self, Xs, *, n_samples):
        if Xs and all(hasattr(part, "joined") for part in Xs):
            return Xs[0].joined
        return super()._hstack(Xs, n_samples=n_samples)


def _serving(transform):
    """A transform that is tried the short way first: around what scikit-learn wraps around it."""

    @functools.wraps(transform)
    def shortest(self, X, **params):
        out = None if params else served(self, X)
        return transform(self, X, **params) if out is None else out

    return shortest


ColumnTransformer.transform = _serving(ColumnTransformer.transform)


def _passes(transformer):
    return isinstance(transformer, _FunctionTransformer) and transformer.func is None


def _fresh(transformer, output):
    """What is fitted in the place of a transformer that was given."""
    if isinstance(transformer, str):
        return FunctionTransformer(
            accept_sparse=True, check_inverse=False,
            feature_names_out="one-to-one").set_output(transform=output)
    if type(transformer) is _FunctionTransformer:
        raise NotFused("FunctionTransformer is not an estimator of quern")
    return clone(transformer)


def _remember(transformer, head):
    """Features of a step, one row of whose input is `head`."""
    if _passes(transformer):
        transformer.fit(head)
        return
    for estimator in chain_of(transformer, _get_output_config("transform", transformer)["dense"]):
        remember_features(estimator, head)
        head = np.empty((1, head.shape[1]))


def _check_names(blocks, X):
    """Warns of, or refuses, names of features that are not those of the fit, as each step would."""
    for block in blocks:
        if block.chain and (hasattr(X, "columns") or hasattr(block.chain[0], "feature_names_in_")):
            _check_feature_names(block.chain[0], _safe_indexing(X[:1], block.indices, axis=1),
                                 reset=False)


def _parts(out, widths):
    """The blocks of an output. Those of a sparse one are empty: only their shapes are asked for."""
    edges, parts = np.cumsum([0, *widths]), []
    for first, end in zip(edges[:-1], edges[1:]):
        if sparse.issparse(out):
            part = sparse.csr_array((out.shape[0], end - first))
        else:
            part = out[:, first:end].view(_Part)
        part.joined = out
        parts.append(part)
    return parts


@contextlib.contextmanager
def asked(**words):
    """Says what is wanted of the ColumnTransformer that is called within."""
    _asked.__dict__.update(words)
    try:
        yield
    finally:
        for word in words:
            _asked.__dict__.pop(word, None)


def make_column_transformer(*transformers, remainder="drop", sparse_threshold=0.3, n_jobs=None,
                            verbose=False, verbose_feature_names_out=True):
    """A ColumnTransformer with names made of the classes'.

    Parameters
    ----------
    *transformers : (transformer, columns)
        As in `ColumnTransformer`, without names.
    remainder : estimator, "drop" or "passthrough", default="drop"
        What becomes of the columns that no transformer takes.
    sparse_threshold : float, default=0.3
        The output is sparse if a part is, and its density is below this.
    n_jobs : int or None, default=None
        Processes of scikit-learn's code, where that runs the parts.
    verbose : bool, default=False
        Print how long each part takes.
    verbose_feature_names_out : bool, str or callable, default=True
        How names of output columns are made.

    Returns
    -------
    columns : ColumnTransformer
        Not fitted.

    See Also
    --------
    quern.compose.ColumnTransformer : Says what the parameters mean.

    Examples
    --------
    >>> from quern.compose import make_column_transformer
    >>> from quern.preprocessing import MaxAbsScaler, StandardScaler
    >>> columns = make_column_transformer((StandardScaler(), [0]), (MaxAbsScaler(), [1, 2]))
    >>> [name for name, _, _ in columns.transformers]
    ['standardscaler', 'maxabsscaler']
    """
    named = _make_column_transformer(*transformers).transformers
    return ColumnTransformer(named, remainder=remainder, sparse_threshold=sparse_threshold,
                             n_jobs=n_jobs, verbose=verbose,
                             verbose_feature_names_out=verbose_feature_names_out)


__all__ = ["ColumnTransformer", "make_column_selector", "make_column_transformer"]
