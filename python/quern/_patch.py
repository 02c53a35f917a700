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
    """Put quern's classes in the place of scikit-learn's.

    In scikit-learn's modules, and in every loaded module that has a name for one of them: what was imported
    before the call counts, and what is imported later finds them too. Objects stay what they are.

    See Also
    --------
    quern.unpatch_sklearn : Undoes it.
    quern.from_sklearn : Converts single estimators.

    Notes
    -----
    Where the library refuses a call as unsupported, scikit-learn's own method does it, and the estimator
    takes its attributes over. The logger "quern" tells which call and why, and so does
    `quern.last_report`. ``python -m quern script.py`` patches before it runs a program.

    Examples
    --------
    >>> import quern
    >>> from sklearn.preprocessing import StandardScaler
    >>> quern.patch_sklearn()
    >>> from sklearn import preprocessing
    >>> preprocessing.StandardScaler is StandardScaler
    False
    >>> issubclass(preprocessing.StandardScaler, quern.preprocessing.StandardScaler)
    True
    >>> quern.unpatch_sklearn()
    >>> preprocessing.StandardScaler is StandardScaler
    True
    """
    with _lock:
        _rebind(_replacements)


def unpatch_sklearn():
    """Undo `patch_sklearn`.

    Objects that were made meanwhile stay what they are, and go on working.

    See Also
    --------
    quern.patch_sklearn : What is undone.

    Examples
    --------
    >>> import quern
    >>> from sklearn import preprocessing
    >>> quern.patch_sklearn()
    >>> scaler = preprocessing.StandardScaler()
    >>> quern.unpatch_sklearn()
    >>> preprocessing.StandardScaler.__module__.split(".")[0]
    'sklearn'
    >>> scaler.fit_transform([[1.0], [3.0]]).ravel()
    array([-1.,  1.])
    """
    with _lock:
        _rebind({made: theirs for theirs, made in _replacements.items()})
