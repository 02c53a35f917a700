# SPDX-License-Identifier: Apache-2.0
"""PowerTransformer, and power_transform."""
import warnings

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from .._host import fit_context
from ..base import described, float_dtype, model_of
from ._scalers import Scaler
from ._standard import StandardScaler

# What the library finds wrong with a column, and how scikit-learn and SciPy say it.
_SENTENCES = {
    "not positive": "The Box-Cox transformation can only be applied to strictly positive data",
    "has no value": "Column must not be all nan.",
    "has equal values": "Data must not be constant.",
}


@described
class PowerTransformer(Scaler):
    """Make columns likest to normal numbers by a power transform, Yeo-Johnson's or Box-Cox's.

    Each column gets the exponent, lambda, under which the transformed values are most likely to have come from
    a normal distribution. Missing values (NaN) take no part in the fit and stay where they are.

    Parameters
    ----------
    method : {'yeo-johnson', 'box-cox'}, default='yeo-johnson'
        The transform. Box-Cox's is for positive numbers alone.
    standardize : bool, default=True
        Give the transformed columns mean 0 and variance 1.
    copy : bool, default=True
        False: `transform` writes into X where X is a float array.

    Attributes
    ----------
    lambdas_ : ndarray of shape (n_features,)
        The exponents, in the dtype of the rows (float32 or float64). 1 for a constant column, which
        Yeo-Johnson's transform then leaves as it is.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.power_transform : The same as a function.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.PowerTransformer`. The exponents are computed in float64 also
    where X is float32, where scikit-learn's likelihoods are rounded to float32, and the variance of a
    column whose logarithms hardly differ is exact. A column whose present values are all equal is constant here
    also if others are missing.

    Fit and transform run on the configured device, with the same bits on each; at most 32 rows are transformed on
    the host where the device is the CPU.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import PowerTransformer
    >>> power = PowerTransformer().fit([[1.0], [2.0], [4.0], [80.0]])
    >>> power.lambdas_.round(4)
    array([-0.6126])
    >>> power.transform([[1.0], [80.0]]).round(4)
    array([[-1.1666],
           [ 1.5393]])
    """

    _learned = ("lambdas_",)
    _vectors = ("lambdas_",)
    _switches = ("method", "standardize")
    _follows = False

    @property
    def _fusable(self):
        return self.method == "yeo-johnson"  # Box-Cox's looks at what it is given first

    def _key(self):
        scaler = self.__dict__.get("_scaler")
        return (super()._key(), None if scaler is None else scaler._key())

    def _model(self, dtype):
        return self._remembered(self._key(), dtype, lambda: model_of(
            self, dtype, len(self.lambdas_), self._tensors(), True))

    def _tensors(self):
        n = len(self.lambdas_)
        tensors = {"lambdas_": np.asarray(self.lambdas_, np.float64)}
        if self.standardize:
            for name in ("mean_", "scale_", "var_"):
                tensors[name] = np.broadcast_to(
                    np.asarray(getattr(self._scaler, name), np.float64), (n,))
            tensors["n_samples_seen_"] = self._scaler._counts(n)
        return tensors

    def _take(self, found, dtype, rows):
        self.lambdas_ = found["lambdas_"].astype(dtype)
        if not self.standardize:
            return
        self._scaler = scaler = StandardScaler(copy=False).set_output(transform="default")
        scaler.mean_, scaler.var_, scaler.scale_ = (
            np.array(found[name]) for name in ("mean_", "var_", "scale_"))
        seen = found["n_samples_seen_"]
        scaler.n_samples_seen_ = np.int64(seen[0]) if (seen == seen[0]).all() else np.array(seen)
        scaler.n_features_in_ = len(self.lambdas_)

    def _forget(self):
        super()._forget()
        self.__dict__.pop("_scaler", None)

    @fit_context
    def fit(self, X, y=None):
        """Find the exponents.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : PowerTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or X has infinities, no row or no column, a column without
            a value, cells that are no numbers or, for method 'box-cox', that are not positive, or a column of
            equal ones.
        TypeError
            X is sparse.
        """
        X = self._validated(X, True, True, whole=True, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
        try:
            found, _ = self._learn(X)
        except ValueError as error:
            for words, sentence in _SENTENCES.items():
                if words in str(error):
                    raise ValueError(sentence) from error
            raise
        self._take(found, float_dtype(X), X.shape[0])
        self._remember()
        return self

    def fit_transform(self, X, y=None):
        """Find the exponents and transform the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as `fit` takes them.
        y : None
            Not used.

        Returns
        -------
        X_tr : ndarray of shape (n_samples, n_features)
            The transformed rows, as `transform` gives them.

        Raises
        ------
        ValueError
            As for `fit`.
        TypeError
            X is sparse.
        """
        return self.fit(X, y).transform(X)

    def _served(self, X):
        return super()._served(X) if self.method == "yeo-johnson" else None

    def _run(self, X, copy, inverse=False, out=None):
        if len(self.lambdas_) != X.shape[1]:
            raise ValueError("Input data has a different number of features than fitting data. Should have "
                             f"{len(self.lambdas_)}, data has {X.shape[1]}")
        if self.method == "box-cox" and not inverse and np.fmin.reduce(X, axis=None) <= 0:
            raise ValueError(_SENTENCES["not positive"])
        missing = np.isnan(X).sum(axis=0) if inverse and np.isnan(X.sum()) else 0
        made = super()._run(X, copy, inverse=inverse, out=out)
        if inverse and np.isnan(made.sum()):
            self._warn_of_lost(made, missing)
        return made

    def _warn_of_lost(self, made, missing):
        """What no number is transformed to has no way back."""
        for i in np.flatnonzero(np.isnan(made).sum(axis=0) > missing):
            warnings.warn(f"Some values in column {i} of the inverse-transformed data are NaN. This may be "
                          "caused by numerical issues in the transformation process, e.g. extremely skewed "
                          "data. Consider inspecting the input data or preprocessing it before applying the "
                          "transformation.", UserWarning)

    def inverse_transform(self, X):
        """Undo the transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Transformed rows. Their column names are not looked at.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The rows as they were, up to rounding, in the dtype of X (floats) or float64: a new array, or
            X itself if it could be written to and `copy` is False.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, another number of columns than the fit saw, or cells that are no numbers.
        TypeError
            X is sparse.

        Warns
        -----
        UserWarning
            Values of X are such as no number is transformed to; they became NaN.
        """
        check_is_fitted(self)
        X = self._checked_back(X, self.copy)
        if X.shape[1] != len(self.lambdas_):
            raise ValueError(f"X has {X.shape[1]} features, but PowerTransformer is expecting "
                             f"{len(self.lambdas_)} features as input.")
        return self._run(X, self.copy, inverse=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags


@validate_params({"X": ["array-like"], "method": [StrOptions({"yeo-johnson", "box-cox"})],
                  "standardize": ["boolean"], "copy": ["boolean"]},
                 prefer_skip_nested_validation=False)
def power_transform(X, method="yeo-johnson", *, standardize=True, copy=True):
    """Make columns likest to normal numbers by a power transform.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Numbers; NaN is left out and stays.
    method : {'yeo-johnson', 'box-cox'}, default='yeo-johnson'
        The transform. Box-Cox's is for positive numbers alone.
    standardize : bool, default=True
        Give the transformed columns mean 0 and variance 1.
    copy : bool, default=True
        False: writes into X where X is a float array.

    Returns
    -------
    X_trans : ndarray of shape (n_samples, n_features)
        Transformed values, in the dtype of X if that is a float, else float64.

    Raises
    ------
    ValueError
        A parameter is not one of those above, or X has infinities, a column without a value, cells that are no
        numbers or, for method 'box-cox', that are not positive.
    TypeError
        X is sparse.

    See Also
    --------
    quern.preprocessing.PowerTransformer : Learns from one table what others are transformed by.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.power_transform`.

    Examples
    --------
    >>> from quern.preprocessing import power_transform
    >>> power_transform([[1.0], [2.0], [4.0], [80.0]], method="box-cox").round(3)
    array([[-1.244],
           [-0.431],
           [ 0.18 ],
           [ 1.495]])
    """
    return PowerTransformer(method, standardize=standardize, copy=copy).fit_transform(X)
