# SPDX-License-Identifier: Apache-2.0
"""How far a long call on files is: a bar on the terminal, or the caller's function."""
import contextlib
import sys
import time

from . import _config

WIDTH, FIRST, EVERY = 30, 0.5, 0.1  # characters; seconds until a bar is shown, and between two


class Bar:
    """A line on a terminal. Short work shows none; nothing is left of it at the end."""

    def __init__(self, stream, clock=time.monotonic):
        self._stream, self._clock = stream, clock
        self._next, self._shown = clock() + FIRST, 0

    def __call__(self, stage, done, total):
        now = self._clock()
        if now < self._next:
            return
        self._next = now + EVERY
        if total:
            part = min(done / total, 1.0)
            filled = int(part * WIDTH)
            line = f"{stage:<10} [{'#' * filled}{'.' * (WIDTH - filled)}] {int(100 * part):3} %"
        else:
            line = f"{stage:<10} {done} rows"
        self._shown = max(self._shown, len(line))  # ahead of the writing, in which Ctrl-C may come
        self._write("\r" + line.ljust(self._shown))

    def close(self):
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")

    def _write(self, text):
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # a terminal that went away ends no call
            self._next = float("inf")


def _in_notebook():
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _is_terminal(stream):
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # none at all, or a closed one
        return False


def _listener():
    """What is told of progress: a function of (stage, done, total), or None."""
    wanted = _config.get_config()["progress"]
    if callable(wanted):
        return wanted
    if wanted == "auto":
        wanted = _is_terminal(sys.stderr) and not _in_notebook()
    return Bar(sys.stderr) if wanted and sys.stderr is not None else None


@contextlib.contextmanager
def watched():
    """The context of this thread, which tells of progress as long as the block runs."""
    context, listener = _config.context(), _listener()
    if listener is None:
        yield context
        return
    context.progress = listener
    try:
        yield context
    finally:
        context.progress = None
        if isinstance(listener, Bar):
            listener.close()
