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
    """The settings in force in this thread.

    Returns
    -------
    settings : dict
        device, fallback, threads, max_memory and device_memory; `set_config` says what they are.

    See Also
    --------
    quern.set_config : Changes them.

    Examples
    --------
    >>> import quern
    >>> with quern.config_context(threads=2):
    ...     quern.get_config()["threads"]
    2
    """
    return dict(_thread.stack[-1] if _thread.stack else _process)


def set_config(**changes):
    """Change the settings of the process.

    A thread inside `config_context` keeps what that says.

    Parameters
    ----------
    **changes
        The settings to be changed:

        - device : str or None. "auto", "cpu", "cuda:0", "opencl:1", "opencl:pocl", ….
          None: the environment's QUERN_DEVICE, else "auto".
        - fallback : {"report", "never", "quiet"}. What is done where the device cannot do a step: the
          CPU does it, with a warning in the log; the call fails; the CPU does it.
        - threads : int. Threads of the host. 0: QUERN_NUM_THREADS, OMP_NUM_THREADS, else what the
          machine gives.
        - max_memory : int. Bytes of host memory for a run over a file. 0: no limit.
        - device_memory : int. Bytes of device memory that may be held. 0: no limit.

    Raises
    ------
    TypeError
        There is no such setting, or a device is no string.
    ValueError
        There is no such fallback.

    See Also
    --------
    quern.config_context : For some lines of a program alone.

    Notes
    -----
    A device is opened, and other values are looked at, when the library is next used:
    `quern.DeviceError` comes then.

    Examples
    --------
    >>> import quern
    >>> before = quern.get_config()
    >>> quern.set_config(device="cpu", threads=1)
    >>> quern.set_config(**before)
    """
    _process.update(_checked(changes))


@contextlib.contextmanager
def config_context(**changes):
    """Settings for the body of a ``with`` statement, in this thread alone.

    Parameters
    ----------
    **changes
        The settings to be changed, as for `set_config`; the others stay.

    Returns
    -------
    context : context manager
        What ``with`` takes; it can be used once.

    Raises
    ------
    TypeError
        There is no such setting, or a device is no string. It is raised by ``with``.
    ValueError
        There is no such fallback. It is raised by ``with``.

    See Also
    --------
    quern.device : For the device alone.
    quern.set_config : For the whole process.

    Examples
    --------
    >>> import quern
    >>> from quern.preprocessing import StandardScaler
    >>> with quern.config_context(device="cpu", fallback="never"):
    ...     StandardScaler().fit_transform([[1.0], [3.0]]).ravel()
    array([-1.,  1.])
    """
    _thread.stack.append({**get_config(), **_checked(changes)})
    try:
        yield
    finally:
        _thread.stack.pop()


def device(name):
    """A device for the body of a ``with`` statement, in this thread alone.

    Parameters
    ----------
    name : str or None
        "auto", "cpu", "cuda:0", "opencl:1", "opencl:pocl", …, as for `set_config`.

    Returns
    -------
    context : context manager
        What ``with`` takes; it can be used once.

    Raises
    ------
    TypeError
        The name is no string. It is raised by ``with``.

    See Also
    --------
    quern.config_context : For other settings too.

    Notes
    -----
    Bits do not depend on the device.

    Examples
    --------
    >>> import quern
    >>> with quern.device("cpu"):
    ...     quern.last_report()["device"]
    'cpu'
    """
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
    """What this thread's context did since it was opened or reset.

    Returns
    -------
    report : dict
        - device, reason : str. Where work runs, and why there.
        - decisions : list of dict. Where each step ran, how often, and what was refused before.
        - ledger : dict. Bytes that moved, launches, times, passes.
        - scikit_learn : list of dict. The last calls of this thread that scikit-learn's code did
          instead, with the reason.

    Raises
    ------
    quern.DeviceError
        The configured device, which this opens, is not there.

    Examples
    --------
    >>> import numpy as np
    >>> import quern
    >>> from quern.preprocessing import MinMaxScaler
    >>> with quern.config_context(device="cpu"):
    ...     _ = MinMaxScaler().fit(np.arange(100.0).reshape(50, 2))
    ...     report = quern.last_report()
    >>> any(d["operation"] == "extremes" for d in report["decisions"])
    True
    """
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
