# SPDX-License-Identifier: Apache-2.0
"""A few rows, the short way.

An estimator, ColumnTransformer or Pipeline that has transformed a few rows of a plain array by one model
keeps a `Service`: the model, and `Marks` of everything that the model was made of. As long as nothing of
that has changed, the next few rows of such an array go straight to the library's row server. What the
server refuses goes the long way, on which scikit-learn's checks find their words."""
import types

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator

from ._config import serves_on_cpu

ROWS = 32  # more go through a transform
_KINDS = frozenset("biuf")
_FIXED = (str, bytes, int, float, bool, type(None), type, np.generic, np.dtype, slice,
          types.FunctionType, types.BuiltinFunctionType)


class Marks:
    """What objects consist of, down to the bytes of their arrays, to see whether that is still so.

    Attributes are compared by identity: a new object that is equal counts as a change, which only
    costs a longer way."""

    __slots__ = ("_owners", "_lists", "_arrays", "_seen")

    def __init__(self, *roots):
        self._owners, self._lists, self._arrays, self._seen = [], [], [], {}
        for root in roots:
            self._walk(root)
        self._seen = None

    def _walk(self, value):
        if isinstance(value, _FIXED) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, np.ndarray):
            # objects are compared by their addresses, which stay taken while this list holds them
            self._arrays.append((value, value.tobytes(), value.tolist() if value.dtype.hasobject else None))
        elif isinstance(value, (list, tuple)):
            if isinstance(value, list):
                self._lists.append((value, tuple(value)))
            for item in value:
                self._walk(item)
        elif isinstance(value, dict):
            self._owners.append((value, len(value), tuple(value.items())))
            for item in value.values():
                self._walk(item)
        elif isinstance(value, BaseEstimator):
            self._walk(value.__dict__)

    def hold(self):
        """Whether everything is as it was."""
        for owner, size, items in self._owners:
            if len(owner) != size:
                return False
            get = owner.get
            for key, value in items:
                if get(key) is not value:
                    return False
        for found, items in self._lists:
            if len(found) != len(items):
                return False
            for a, b in zip(found, items):
                if a is not b:
                    return False
        for array, data, _ in self._arrays:
            if array.tobytes() != data:
                return False
        return True


class Service:
    """A model for rows of one dtype and width, and the marks of what it was made of."""

    __slots__ = ("_model", "_dtype", "_columns", "_take", "_width", "_out", "_marks", "_exactly")

    def __init__(self, owner, X, model, out, used=None, exactly=None):
        """X became `out`. used: the columns that the model takes; exactly: serve so many rows alone."""
        self._model, self._dtype, self._columns = model, X.dtype, X.shape[1]
        self._take = None if used is None or used == list(range(X.shape[1])) else np.array(used)
        self._width, self._out = out.shape[1], out.dtype
        self._exactly = exactly
        self._marks = Marks(owner)

    def rows(self, X):
        """X, transformed; None: not this time."""
        if (type(X) is not np.ndarray or X.ndim != 2 or X.dtype != self._dtype
                or X.shape[1] != self._columns or not 0 < X.shape[0] <= ROWS):
            return None
        if self._exactly is not None and X.shape[0] != self._exactly:
            return None
        flags = X.flags
        if not (flags.c_contiguous and flags.aligned and _is_plain() and self._marks.hold()):
            return None
        return self._run(X)

    def _run(self, X):
        if self._take is not None:
            X = X.take(self._take, axis=1)
        out = np.empty((X.shape[0], self._width), self._out)
        try:
            self._model.apply(X, out)
        except ValueError:
            return None
        return out


def _is_plain():
    """Whether nothing but the estimator itself says what a transform does."""
    config = get_config()
    return config["transform_output"] == "default" and not config["array_api_dispatch"] and serves_on_cpu()


def service_for(owner, X, model, out, used=None, exactly=None):
    """A Service for rows like those of X, which have just become `out` by the model; or None.

    It is tried: what it serves must be what came out the long way."""
    if (type(X) is not np.ndarray or type(out) is not np.ndarray or X.shape[0] > ROWS
            or X.dtype.kind not in _KINDS or X.dtype.char == "e" or not X.dtype.isnative
            or out.dtype.kind not in _KINDS or not out.flags.c_contiguous
            or not X.flags.c_contiguous or not X.flags.aligned or not _is_plain()
            or "feature_names_in_" in owner.__dict__):
        return None
    service = Service(owner, X, model, out, used, exactly)
    try:
        tried = service._run(X)
    except NotImplementedError:  # columns of several types
        return None
    return service if tried is not None and tried.tobytes() == out.tobytes() else None


def served(owner, X):
    """A few rows of a plain array, the short way; None: not this time."""
    try:
        service = owner._quern.service
    except AttributeError:
        return None
    return None if service is None else service.rows(X)
