# SPDX-License-Identifier: Apache-2.0
"""Pipeline as one model."""
import numpy as np
from sklearn.base import _fit_context
from sklearn.pipeline import Pipeline as _Pipeline
from sklearn.pipeline import make_pipeline as _make_pipeline
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from ._fuse import Block, Fused, NotFused, Plan, chain_of, is_ours, remember_features, validate
from ._serve import served
from .compose import ColumnTransformer, asked


def _passes(step):
    return step is None or (isinstance(step, str) and step == "passthrough")


class Pipeline(Fused, _Pipeline):
    """Estimators one after another, fitted and applied as one model.

    Parameters
    ----------
    steps : list of (name, estimator)
        What rows go through: transformers, "passthrough" or None, and at last any estimator.
    transform_input : list of str or None, default=None
        Fit parameters of the last step that go through the steps before it, for scikit-learn's
        metadata routing.
    memory : str, joblib.Memory or None, default=None
        Where scikit-learn caches fitted steps.
    verbose : bool, default=False
        Print how long each step takes.

    Attributes
    ----------
    named_steps : sklearn.utils.Bunch
        The steps by name.
    classes_ : ndarray of shape (n_classes,)
        Those of the last step, if that is a classifier.
    n_features_in_ : int
        Number of columns of the first step.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the first step saw them.

    See Also
    --------
    quern.pipeline.make_pipeline : Makes the names.
    quern.compose.ColumnTransformer : Parts side by side.

    Notes
    -----
    It derives from `sklearn.pipeline.Pipeline`, which methods other than those below belong to. Where all
    steps are quern's (the first may be a ColumnTransformer), a fit and a transform are one call of the
    library each: rows cross to a device once, and stay there between steps. Before a last estimator of
    another kind, the fit of the steps ahead of it is. Otherwise scikit-learn's code runs the steps one by
    one, each of quern's on the configured device; ``docs/python.md`` says when. The log and
    `quern.last_report` tell the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.impute import SimpleImputer
    >>> from quern.pipeline import Pipeline
    >>> from quern.preprocessing import StandardScaler
    >>> line = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    >>> line.fit_transform(np.array([[1.0], [np.nan], [3.0], [4.0], [0.0]])).ravel().round(3)
    array([-0.707,  0.   ,  0.707,  1.414, -1.414])
    >>> line.named_steps["scale"].mean_
    array([2.])
    """

    __slots__ = ("_quern",)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Fit all steps.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            What the first step takes.
        y : array-like of shape (n_samples,), default=None
            Targets, for steps that want them.
        **params : dict
            Parameters of steps' fits, as ``step__parameter``; scikit-learn's code then runs the steps.

        Returns
        -------
        self : Pipeline
            The fitted pipeline.

        Raises
        ------
        ValueError
            A step refuses its parameters or its input.
        TypeError
            A step that is not the last one is no transformer.
        """
        if self._all_ours() and self._try_fit(self.steps, X, y, params, output=False) is not None:
            return self
        return super().fit(X, y, **params)

    def _can_fit_transform(self):
        last = self._final_estimator
        return _passes(last) or hasattr(last, "transform") or hasattr(last, "fit_transform")

    @available_if(_can_fit_transform)
    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, **params):
        """Fit all steps, and give the output of the last one.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            What the first step takes.
        y : array-like of shape (n_samples,), default=None
            Targets, for steps that want them.
        **params : dict
            Parameters of steps' fits, as ``step__parameter``; scikit-learn's code then runs the steps.

        Returns
        -------
        X_out : {ndarray, sparse matrix, frame} of shape (n_samples, n_outputs)
            The rows after the last step.

        Raises
        ------
        ValueError
            A step refuses its parameters or its input.
        TypeError
            A step that is not the last one is no transformer.
        """
        if self._all_ours():
            out = self._try_fit(self.steps, X, y, params)
            if out is not None:
                return out
        return super().fit_transform(X, y, **params)

    def _fit(self, X, y=None, *args, **words):
        routed = args[0] if args else words.get("routed_params")
        if len(self.steps) > 2 and not self._all_ours():
            steps = self.steps[:-1]
            given = bool(routed) and any(
                any((routed.get(name) or {}).values()) for name, step in steps if not _passes(step))
            out = self._try_fit(steps, X, y, given)
            if out is not None:
                return out
        return super()._fit(X, y, *args, **words)

    def _can_transform(self):
        return _passes(self._final_estimator) or hasattr(self._final_estimator, "transform")

    @available_if(_can_transform)
    def transform(self, X, **params):
        """Rows through all steps.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Rows with the columns of the fit.
        **params : dict
            Parameters of steps' transforms, where scikit-learn's metadata routing is on.

        Returns
        -------
        X_out : {ndarray, sparse matrix, frame} of shape (n_samples, n_outputs)
            The rows after the last step.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            A step was not fitted.
        ValueError
            A step refuses its input, or there are parameters without routing.
        """
        out = None if params else served(self, X)
        if out is not None:
            return out
        if self._all_ours():
            try:
                return self._fused_transform(X, params)
            except NotFused as why:
                self._orchestrated(why)
        return super().transform(X, **params)

    def _all_ours(self):
        return bool(self.steps) and all(
            _passes(step) or is_ours(step) or (k == 0 and isinstance(step, ColumnTransformer))
            for k, (_, step) in enumerate(self.steps))

    def _try_fit(self, steps, X, y, params, output=True):
        try:
            return self._fused_fit(steps, X, y, params, output)
        except NotFused as why:
            self._orchestrated(why)
        return None

    def _parts(self, steps, params, X):
        """The ColumnTransformer that the steps begin with, or None, and the chain of the others."""
        if params:
            raise NotFused("there are fit parameters")
        if self.memory is not None or self.verbose or getattr(self, "_skl_callbacks", None):
            raise NotFused("it has a memory or callbacks, or is verbose")
        steps = [step for _, step in steps if not _passes(step)]
        first = steps[0] if steps and isinstance(steps[0], ColumnTransformer) else None
        if first is not None and _get_output_config("transform", first)["dense"] != "default":
            raise NotFused("the ColumnTransformer gives frames")
        chain = [e for step in steps[first is not None:] for e in chain_of(step, "default")]
        if len(steps) < 2:
            raise NotFused("there is only one step")
        if hasattr(X, "columns") and first is None and all(e._keeps_frames for e in chain):
            raise NotFused("frames stay frames")
        return first, chain

    def _fused_fit(self, steps, X, y, params, output):
        self.steps = list(self.steps)
        self._validate_steps()
        first, chain = self._parts(steps, params, X)
        if first is not None:
            with asked(chain=(chain, self), output=output):
                out = first.fit_transform(X, y)
        else:
            plan = Plan(X, [Block("x", chain, list(range(_width(X))), view=True)], named=False)
            validate(chain)
            out = plan.fit(self._memory, output)
            remember_features(chain[0], X)
        head = np.empty((1, out.shape[1]))
        for estimator in chain[first is None:]:
            remember_features(estimator, head)
        self._memory.why = None
        return out

    def _fused_transform(self, X, params):
        first, chain = self._parts(self.steps, params, X)
        if first is not None:
            with asked(chain=(chain, self)):
                return first.transform(X)
        plan = Plan(X, [Block("x", chain, list(range(_width(X))), view=True)], named=False)
        if not hasattr(chain[0], "n_features_in_"):
            raise NotFused("it is not fitted")
        validate_data(chain[0], X, reset=False, skip_check_array=True)
        return plan.transform(self._memory, owner=self)


def _width(X):
    shape = getattr(X, "shape", ())
    return shape[1] if len(shape) == 2 else 0


def make_pipeline(*steps, memory=None, transform_input=None, verbose=False):
    """A Pipeline with names made of the classes'.

    Parameters
    ----------
    *steps : estimator
        As in `Pipeline`, without names.
    memory : str, joblib.Memory or None, default=None
        Where scikit-learn caches fitted steps.
    transform_input : list of str or None, default=None
        Fit parameters of the last step that go through the steps before it.
    verbose : bool, default=False
        Print how long each step takes.

    Returns
    -------
    line : Pipeline
        Not fitted.

    See Also
    --------
    quern.pipeline.Pipeline : Says what the parameters mean.

    Examples
    --------
    >>> from quern.impute import SimpleImputer
    >>> from quern.pipeline import make_pipeline
    >>> from quern.preprocessing import MinMaxScaler
    >>> [name for name, _ in make_pipeline(SimpleImputer(), MinMaxScaler()).steps]
    ['simpleimputer', 'minmaxscaler']
    """
    named = _make_pipeline(*steps).steps
    return Pipeline(named, memory=memory, transform_input=transform_input, verbose=verbose)


__all__ = ["Pipeline", "make_pipeline"]
