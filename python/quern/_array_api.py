# SPDX-License-Identifier: Apache-2.0
"""Arrays of other libraries (PyTorch, CuPy, JAX, ...), where scikit-learn is told to dispatch on them.

`sklearn.set_config(array_api_dispatch=True)` makes outputs and attributes follow the input: the same
library's arrays, on the same device. The library itself takes them as NumPy arrays; on the CPU those
share the memory."""
import functools

import numpy as np
from sklearn import config_context
from sklearn._config import _get_threadlocal_config
from sklearn.utils._array_api import (_convert_to_numpy, _is_numpy_namespace, check_same_namespace,
                                      get_namespace_and_device)

METHODS = ("fit", "partial_fit", "transform", "inverse_transform")
_NUMBERS = frozenset("biufc")


class _Place:
    """A namespace and a device of it."""

    def __init__(self, xp, device):
        self.xp, self.device = xp, device

    def numpy(self, value):
        """value as NumPy has it, if it is an array of that namespace."""
        if isinstance(value, np.ndarray) or not hasattr(value, "dtype") or not hasattr(value, "shape"):
            return value
        return _convert_to_numpy(value, self.xp)

    def back(self, value):
        """An array of NumPy's in that place; anything else as it is."""
        if not isinstance(value, np.ndarray) or value.dtype.kind not in _NUMBERS:
            return value
        return self.xp.asarray(value, device=self.device)


def _attributes(estimator):
    """Names of attributes that are arrays of any kind."""
    params = estimator.get_params(deep=False)
    return [name for name, value in vars(estimator).items()
            if name not in params and hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0]


def _converted(estimator, place):
    """The estimator with NumPy's arrays as attributes; it has the same models."""
    made = object.__new__(type(estimator))
    made.__dict__.update(vars(estimator))
    for name in _attributes(made):
        made.__dict__[name] = place.numpy(made.__dict__[name])
    made._quern = estimator._native
    return made


def _refuse_another_place(estimator, X, place, name):
    attributes, fitted = _attributes(estimator), estimator._native.place
    if attributes:
        check_same_namespace(X, estimator, attribute=attributes[0], method=name)
    elif fitted not in (None, place) and not all(_is_numpy_namespace(p[0]) for p in (fitted, place)):
        raise ValueError(f"Inputs passed to {type(estimator).__name__}.{name}() must use the same namespace and "
                         "the same device as those passed to fit()")


def following(name, method):
    """The method, its output and what it learns following X where scikit-learn dispatches on arrays."""
    learns = name in ("fit", "partial_fit")

    @functools.wraps(method)
    def follow(self, X, *args, **words):
        if not _get_threadlocal_config()["array_api_dispatch"]:
            return method(self, X, *args, **words)
        xp, compliant, device = get_namespace_and_device(X)
        if learns:
            self._native.place = (xp, device)
        else:
            _refuse_another_place(self, X, (xp, device), name)
        if not compliant or _is_numpy_namespace(xp):
            with config_context(array_api_dispatch=False):
                return method(self, X, *args, **words)
        if not learns:
            self._check_namespace()
        place = _Place(xp, device)
        ours = _converted(self, place)
        with config_context(array_api_dispatch=False):
            out = method(ours, place.numpy(X), *map(place.numpy, args),
                         **{word: place.numpy(value) for word, value in words.items()})
        if not learns:
            return place.back(out)
        for attribute in _attributes(ours):
            ours.__dict__[attribute] = place.back(ours.__dict__[attribute])
        self.__dict__.clear()
        self.__dict__.update(vars(ours))
        return self

    return follow
