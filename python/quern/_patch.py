# SPDX-License-Identifier: Apache-2.0
"""quern's classes in the place of scikit-learn's, for programs that are not to be changed.

What is put there are subclasses: where the library refuses a call as unsupported, scikit-learn's own
method does it and its attributes are taken over. They are names of this module, so they can be
pickled."""
import functools
import sys
import threading

from . import _config, interop
from ._core import UnsupportedError

_METHODS = ("fit", "partial_fit", "fit_transform", "transform", "inverse_transform")
_lock = threading.Lock()


def _falling_back(cls, name):
    own = getattr(cls, name)

    @functools.wraps(own)
    def method(self, *args, **kwargs):
        try:
            return own(self, *args, **kwargs)
        except UnsupportedError as why:
            _config.note(f"{cls.__name__}.{name}", str(why))
        theirs = interop.to_sklearn(self)
        out = getattr(theirs, name)(*args, **kwargs)
        params = self.get_params(deep=False)
        self.__dict__.update({k: v for k, v in vars(theirs).items() if k not in params})
        return self if out is theirs else out

    return method


def _replacement(cls):
    words = {"__module__": __name__, "__slots__": (), "__doc__": cls.__doc__}
    made = type(cls.__name__, (cls,), words)
    if getattr(cls, "_plain", False):
        made._plain = True
        for name in _METHODS:  # after the class is made: set_output has wrapped the inherited ones
            inherited = name == "fit_transform" and not any(
                name in vars(c) for c in cls.__mro__ if c.__module__.startswith("quern."))
            if hasattr(cls, name) and not inherited:
                setattr(made, name, _falling_back(cls, name))
    return made


_replacements = {theirs: _replacement(ours) for ours, theirs in interop.pairs().items()}
globals().update({made.__name__: made for made in _replacements.values()})


def _rebind(new):
    """Every name of a loaded module that holds a key of `new` holds its value afterwards."""
    by_id = {id(old): made for old, made in new.items()}
    for word, module in list(sys.modules.items()):
        if word == "quern" or word.startswith("quern."):
            continue
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict):
            continue
        for name, value in list(names.items()):
            made = by_id.get(id(value))
            if made is not None:
                names[name] = made


def patch_sklearn():
    """Puts quern's classes in the place of scikit-learn's, wherever a loaded module has a name for one.

    What is imported from scikit-learn later finds them too. Calls that the library refuses as
    unsupported are scikit-learn's own; the logger "quern" tells which and why."""
    with _lock:
        _rebind(_replacements)


def unpatch_sklearn():
    """Undoes `patch_sklearn`. Objects that were made meanwhile stay what they are."""
    with _lock:
        _rebind({made: theirs for theirs, made in _replacements.items()})
