# SPDX-License-Identifier: Apache-2.0
"""Where work runs: configuration, and the context of each thread.

A context of the library is used by one thread at a time, so every thread has its own for each
configuration it works under. Contexts are opened when they are first needed; importing this module
looks for no device."""
import collections
import contextlib
import json
import logging
import os
import threading

from . import _core

_DEFAULTS = {"device": None, "fallback": "report", "threads": 0, "max_memory": 0, "device_memory": 0}
_FALLBACKS = ("never", "report", "quiet")
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO,
           "debug": logging.DEBUG}
_log = logging.getLogger("quern")
_process = dict(_DEFAULTS)


class _Thread(threading.local):
    def __init__(self):
        self.stack = []  # configurations of the `with` blocks, innermost last
        self.contexts = {}
        self.context = None  # what context() returned last ...
        self.made_for = None  # ... and the configuration and environment it was for
        self.notes = collections.deque(maxlen=100)  # what scikit-learn did instead, and why


_thread = _Thread()


def _forget():
    """In a child process: contexts belong to the parent."""
    global _thread
    _thread = _Thread()


os.register_at_fork(after_in_child=_forget)


def _checked(changes):
    for key, value in changes.items():
        if key not in _DEFAULTS:
            raise TypeError(f"there is no setting {key!r}; there are {', '.join(_DEFAULTS)}")
        if key == "fallback" and value not in _FALLBACKS:
            raise ValueError(f"fallback must be one of {_FALLBACKS}, not {value!r}")
        if key == "device" and value is not None and not isinstance(value, str):
            raise TypeError(f"device must be a string such as 'cpu' or 'opencl:0', not {value!r}")
    return changes


def get_config():
    """The settings in force in this thread, as a dict."""
    return dict(_thread.stack[-1] if _thread.stack else _process)


def set_config(**changes):
    """Changes the settings of the process: device, fallback, threads, max_memory, device_memory.

    A thread inside `config_context` keeps what that says."""
    _process.update(_checked(changes))


@contextlib.contextmanager
def config_context(**changes):
    """Settings for the body of a `with` statement, in this thread alone."""
    _thread.stack.append({**get_config(), **_checked(changes)})
    try:
        yield
    finally:
        _thread.stack.pop()


def device(name):
    """`with quern.device("opencl:0"):` is short for `config_context(device=...)`."""
    return config_context(device=name)


def _logged(level, text):
    _log.log(_LEVELS.get(level, logging.INFO), "%s", text)


def note(estimator, reason):
    """Scikit-learn did what the library could not: for the log and the report."""
    _log.info("%s: scikit-learn's implementation runs: %s", estimator, reason)
    _thread.notes.append({"estimator": estimator, "reason": reason})


def context():
    """The context of this thread and configuration."""
    settings = _thread.stack[-1] if _thread.stack else _process
    wanted = (*settings.values(), os.environ.get("QUERN_DEVICE"))
    if _thread.made_for == wanted:
        return _thread.context
    found = _thread.contexts.get(wanted)
    if found is None:
        found = _thread.contexts[wanted] = _core.Context(**settings, log=_logged)
    _thread.context, _thread.made_for = found, wanted
    return found


def serves_on_cpu():
    """Whether a few rows may go the short way: where the context's device is the CPU."""
    return context().device == "cpu"


def last_report():
    """What this thread's context did since it was opened or reset: device, reason, decisions, ledger;
    and, as `scikit_learn`, the last calls of this thread that scikit-learn's code ran, with the reason."""
    found = context()
    return {"device": found.device, "reason": found.reason, "decisions": found.decisions(),
            "ledger": found.ledger(), "scikit_learn": list(_thread.notes)}


def descriptors():
    """The library's table of estimators by name."""
    global _descriptors
    if _descriptors is None:
        _descriptors = {e["name"]: e for e in json.loads(_core.estimators())["estimators"]}
    return _descriptors


_descriptors = None
