# SPDX-License-Identifier: Apache-2.0
"""Where work runs: configuration, and the context of each thread.

A context of the library is used by one thread at a time, so every thread has its own for each
configuration it works under. Contexts are opened when they are first needed; importing this module
looks for no device."""
import collections
import contextlib
import json
import logging
import operator
import os
import threading

from . import _core

_DEFAULTS = {"device": None, "fallback": "report", "threads": 0, "max_memory": 0, "device_memory": 0,
             "output_memory": None, "progress": "auto"}
# the others are read when they are used
_OF_CONTEXT = ("device", "fallback", "threads", "max_memory", "device_memory")
_of_context = operator.itemgetter(*_OF_CONTEXT)
_FALLBACKS = ("never", "report", "quiet")
_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)  # by the library's numbers
_log = logging.getLogger("quern")
_process = dict(_DEFAULTS)


class _Thread(threading.local):
    def __init__(self):
        self.stack = []  # configurations of the `with` blocks, innermost last
        self.contexts = {}
        self.context = None  # what context() returned last ...
        self.made_for = None  # ... and the configuration and environment it was for
        self.notes = collections.deque(maxlen=100)  # what scikit-learn did instead, and why
        self.job = None  # what the last call on files did
        self.speaker = None  # the estimator whose class warns itself of what its fit finds


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
        if key == "progress" and value not in (True, False, "auto") and not callable(value):
            raise ValueError(f"progress must be True, False, 'auto' or callable, not {value!r}")
        if key == "output_memory" and value is not None:
            if not hasattr(value, "__index__"):
                raise TypeError(f"output_memory must be None or an int, bytes, not {value!r}")
            if operator.index(value) < 0:
                raise ValueError(f"output_memory must be None, 0 or more, not {value!r}")
    return changes


def _keep_outputs(changes):
    """The library's limit becomes what is in force now, where it is among the changes."""
    if "output_memory" in changes:
        _core.output_limit(get_config()["output_memory"])


def get_config():
    """The settings in force in this thread.

    Returns
    -------
    settings : dict
        device, fallback, threads, max_memory, device_memory, output_memory and progress; `set_config`
        says what they are.

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
        - output_memory : int or None. Bytes of host memory of freed outputs that may be kept for the next
          ones; one for all threads (`quern.output_memory`). 0: new memory for each. None: an eighth of
          the memory that the process may use, 1 GiB at most.
        - progress : "auto", bool or callable. A bar for calls on files: where standard error is a
          terminal, always, never; or a function of (stage, done, total).

    Raises
    ------
    TypeError
        There is no such setting, a device is no string, or output_memory no int.
    ValueError
        There is no such fallback, output_memory is negative, or progress is something else.

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
    _keep_outputs(changes)


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
        There is no such setting, a device is no string, or output_memory no int. It is raised by
        ``with``.
    ValueError
        There is no such fallback, or output_memory is negative. It is raised by ``with``.

    See Also
    --------
    quern.device : For the device alone.
    quern.set_config : For the whole process.

    Notes
    -----
    The limit of output_memory is the library's: while the block runs, it holds for other threads too.

    Examples
    --------
    >>> import quern
    >>> from quern.preprocessing import StandardScaler
    >>> with quern.config_context(device="cpu", fallback="never"):
    ...     StandardScaler().fit_transform([[1.0], [3.0]]).ravel()
    array([-1.,  1.])
    """
    _thread.stack.append({**get_config(), **_checked(changes)})
    _keep_outputs(changes)
    try:
        yield
    finally:
        _thread.stack.pop()
        _keep_outputs(changes)


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
    if level == 1 and _thread.speaker is not None and text.startswith(_thread.speaker + ": "):
        level = 2
    _log.log(_LEVELS[level], "%s", text)


@contextlib.contextmanager
def warns_itself(estimator):
    """What the library warns of in a fit of this estimator is said by the class, as scikit-learn's does: then
    the log has it as information, and nobody is told twice."""
    before, _thread.speaker = _thread.speaker, estimator
    try:
        yield
    finally:
        _thread.speaker = before


def note(estimator, reason):
    """Scikit-learn did what the library could not: for the log and the report."""
    _log.info("%s: scikit-learn's implementation runs: %s", estimator, reason)
    _thread.notes.append({"estimator": estimator, "reason": reason})


def context():
    """The context of this thread and configuration."""
    settings = _thread.stack[-1] if _thread.stack else _process
    wanted = (*_of_context(settings), os.environ.get("QUERN_DEVICE"))
    if _thread.made_for == wanted:
        return _thread.context
    found = _thread.contexts.get(wanted)
    if found is None:
        found = _thread.contexts[wanted] = _core.Context(
            **{name: settings[name] for name in _OF_CONTEXT}, log=_logged)
    _thread.context, _thread.made_for = found, wanted
    return found


def serves_on_cpu():
    """Whether a few rows may go the short way: where the context's device is the CPU."""
    return context().device == "cpu"


def outlook():
    """(device, reason) of the next call of this thread; no device is opened to find out."""
    settings = _thread.stack[-1] if _thread.stack else _process
    asked = os.environ.get("QUERN_DEVICE")
    found = _thread.contexts.get((*_of_context(settings), asked))
    if found is not None:
        return found.device, found.reason
    if settings["device"] is not None:
        return settings["device"], "asked for"
    if asked:
        return asked, "asked for by QUERN_DEVICE"
    return "auto", "the first GPU that works, else the CPU"


def notes():
    """What scikit-learn did instead in this thread, the oldest first."""
    return list(_thread.notes)


def last_job():
    """What the last call on files of this thread did, or None."""
    return _thread.job


def remember_job(info):
    """Keeps what a call on files did for the report."""
    _thread.job = info


def descriptors():
    """The library's table of estimators by name."""
    global _descriptors
    if _descriptors is None:
        _descriptors = {e["name"]: e for e in json.loads(_core.estimators())["estimators"]}
    return _descriptors


_descriptors = None
