# SPDX-License-Identifier: Apache-2.0
"""Estimators of scikit-learn as quern's, and back.

Parameters are the same in both. Attributes are copied as they are, so both give the same output."""
import copy
import importlib
import inspect

from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (sklearn.impute has it then)
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from ._core import UnsupportedError

# ours: theirs
MODULES = {"quern.preprocessing": "sklearn.preprocessing", "quern.impute": "sklearn.impute",
           "quern.feature_selection": "sklearn.feature_selection",
           "quern.compose": "sklearn.compose", "quern.pipeline": "sklearn.pipeline"}
# what scikit-learn has no class for
OURS_ALONE = frozenset({"Bucketizer", "Clipper", "CyclicalFeatures", "MeanNormalizationScaler", "Winsorizer"})
_theirs = {}  # class of quern: class of scikit-learn, as it was before any patch


def pairs():
    """{class of quern: class of scikit-learn}, of those that have one."""
    if not _theirs:
        for ours, theirs in MODULES.items():
            module, other = importlib.import_module(ours), importlib.import_module(theirs)
            for name in module.__all__:
                found = getattr(module, name)
                if (isinstance(found, type) and found.__module__.startswith("quern.")
                        and name not in OURS_ALONE):
                    _theirs[found] = getattr(other, name)
    return _theirs


def plain_class(cls):
    """The class of quern that a patched one is."""
    return cls.__mro__[1] if cls.__module__ == "quern._patch" else cls


def from_sklearn(estimator):
    """Make quern's estimator of scikit-learn's.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        An estimator that quern has too, fitted or not; ColumnTransformers and Pipelines with all that
        is in them. One of quern is copied.

    Returns
    -------
    made : sklearn.base.BaseEstimator
        A new estimator of quern's class, with the same parameters and copies of the attributes.

    Raises
    ------
    quern.UnsupportedError
        An estimator has no counterpart, or is of a class that was derived from one that has; or it has
        a parameter that quern's has not.

    See Also
    --------
    quern.to_sklearn : The way back.
    quern.patch_sklearn : Replaces the classes of a whole program.

    Notes
    -----
    Attributes are copied as they are, so both give the same output.

    Examples
    --------
    >>> import quern
    >>> from sklearn.preprocessing import StandardScaler
    >>> theirs = StandardScaler().fit([[1.0], [3.0]])
    >>> ours = quern.from_sklearn(theirs)
    >>> type(ours).__module__.split(".")[0], ours.mean_
    ('quern', array([2.]))
    """
    return _Conversion({theirs: ours for ours, theirs in pairs().items()},
                       {theirs: ours for ours, theirs in score_functions().items()}, OURS_ALONE).of(estimator)


def to_sklearn(estimator):
    """Make scikit-learn's estimator of quern's.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        An estimator of quern, fitted or not; ColumnTransformers and Pipelines with all that is in them.
        One of scikit-learn that quern has too is copied.

    Returns
    -------
    made : sklearn.base.BaseEstimator
        A new estimator of scikit-learn's class, with the same parameters and copies of the attributes.

    Raises
    ------
    quern.UnsupportedError
        An estimator has no counterpart, as Winsorizer or a class that was derived from quern's; or it has a
        parameter that scikit-learn's, of this version, has not.

    See Also
    --------
    quern.from_sklearn : The way back.

    Notes
    -----
    A pickle of the result can be read where quern is not installed. `clip` of MaxAbsScaler needs a
    scikit-learn that has it.

    Examples
    --------
    >>> import quern
    >>> from quern.preprocessing import StandardScaler
    >>> theirs = quern.to_sklearn(StandardScaler().fit([[1.0], [3.0]]))
    >>> type(theirs).__module__.split(".")[0], theirs.mean_
    ('sklearn', array([2.]))
    """
    return _Conversion(pairs(), score_functions()).of(estimator)


def to_model(estimator, X):
    """Make the model of a fitted estimator, to be saved and served without scikit-learn.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        A fitted estimator, ColumnTransformer or Pipeline of quern.
    X : array or frame of shape (n_samples, n_features)
        Rows like those that the model is to take: their names and dtypes become the model's. One will do.

    Returns
    -------
    model : quern.Model
        A model of the attributes that the estimator has now.

    Raises
    ------
    quern.UnsupportedError
        One model cannot hold the estimator; the message has the reason.
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.

    See Also
    --------
    quern.to_sklearn : The estimator as scikit-learn's.

    Notes
    -----
    `model.save(path)` writes a file that the program `quern`, the C interface and `quern.Model.load`
    read; `model.apply(row, out)` serves it.

    Examples
    --------
    >>> import numpy as np, quern
    >>> from quern.preprocessing import StandardScaler
    >>> X = np.array([[1.0], [3.0]])
    >>> model = quern.to_model(StandardScaler().fit(X), X)
    >>> out = np.empty((2, 1))
    >>> model.apply(X, out)
    >>> out.tolist()
    [[-1.0], [1.0]]
    """
    from . import _fuse  # its modules import this one
    from .base import Estimator

    try:
        if isinstance(estimator, Estimator):
            chain = _fuse.chain_of(estimator, "default")
            plan = _fuse.Plan(X, [_fuse.Block("x", chain, list(range(X.shape[1])), view=True)], named=False)
            check_is_fitted(estimator)
            return plan.model()
        if not isinstance(estimator, _fuse.Fused):
            raise UnsupportedError(f"{type(estimator).__name__} is not an estimator of quern")
        with config_context(transform_output="default"):
            return estimator._model_for(X)
    except _fuse.NotFused as why:
        raise UnsupportedError(f"{type(estimator).__name__} is not one model: {why}") from why


def score_functions():
    """{score function of quern: scikit-learn's}, which are values of parameters."""
    from . import _mutual_info, _scores
    return {getattr(module, name): theirs for module in (_scores, _mutual_info)
            for name, theirs in module.THEIRS.items()}


class _Conversion:
    """Estimators within estimators; one that is met twice is one afterwards too."""

    def __init__(self, classes, functions, copied=()):
        """copied: names of classes of quern that stay what they are."""
        self.classes, self.functions, self.copied, self.done = classes, functions, copied, {}

    def of(self, value):
        if inspect.isfunction(value) and value in self.functions:
            return self.functions[value]
        if isinstance(value, BaseEstimator) and not isinstance(value, type):
            return self._estimator(value)
        if type(value) in (list, tuple):
            return type(value)(self.of(v) for v in value)
        if isinstance(value, dict):
            made = {key: self.of(v) for key, v in value.items()}
            return made if type(value) is dict else type(value)(**made)
        return copy.deepcopy(value)

    def _estimator(self, estimator):
        made = self.done.get(id(estimator))
        if made is not None:
            return made
        cls = plain_class(type(estimator))
        target = self.classes.get(cls)
        if target is None:
            alone = cls.__module__.startswith("quern.") and cls.__name__ in self.copied
            target = cls if alone or cls in self.classes.values() else None
        if target is None:
            raise UnsupportedError(f"{cls.__module__}.{cls.__qualname__} has no counterpart")
        made = self._converted(estimator, target)
        self.done[id(estimator)] = made
        return made

    def _converted(self, estimator, target):
        values = vars(estimator)
        if target is FunctionTransformer and any(
                f is not None and not callable(f) for f in (estimator.func, estimator.inverse_func)):
            raise UnsupportedError("FunctionTransformer of scikit-learn takes no expressions")
        known = set(inspect.signature(target.__init__).parameters)
        params = estimator.get_params(deep=False)
        for name in set(params) - known:
            raise UnsupportedError(f"{target.__qualname__} has no parameter {name!r}")
        made = target(**{name: self._part(name, value) for name, value in params.items()})
        for name, value in values.items():
            if name not in params:
                made.__dict__[name] = self._part(name, value)
        return made

    def _part(self, name, value):
        """IterativeImputer's regression stays what it is."""
        return copy.deepcopy(value) if name in ("estimator", "_estimator") else self.of(value)


__all__ = ["from_sklearn", "to_model", "to_sklearn"]
