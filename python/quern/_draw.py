# SPDX-License-Identifier: Apache-2.0
"""Rows drawn without replacement: those that sklearn.utils.resample draws, sooner."""
import threading

import numpy as np

from . import _config, _core

_MOST = 2**31 - 1
_LEAST = 1 << 16  # fewer rows are shuffled in no time


def _known(random_state, rows):
    """The state of a generator whose numbers the library can draw too, or None."""
    if type(random_state) is not np.random.RandomState or not _LEAST <= rows <= _MOST:
        return None
    state = random_state.get_state(legacy=False)
    return state if state["bit_generator"] == "MT19937" else None


def _words(state):
    return np.append(state["state"]["key"], state["state"]["pos"]).astype(np.uint32)


class Draw:
    """The first `n` places of a shuffle of `rows` rows. Where the configuration has more than one thread it is
    under way while the caller does other things, until it asks for `places`; only then the generator moves on,
    so that a draw that is dropped was none."""

    def __init__(self, random_state, rows, n):
        self.random_state, self.rows, self.n = random_state, rows, n
        self.state = _known(random_state, rows)
        self.thread = None
        if self.state is None:
            return
        self.words = _words(self.state)
        self.head = None
        if _config.get_config()["threads"] != 1:
            self.thread = threading.Thread(target=self._draw, daemon=True)
            self.thread.start()

    def _draw(self):
        head = np.empty(self.n, np.int64)
        _core.shuffled_head(self.words, self.rows, head)
        self.head = head

    def places(self):
        if self.state is None:
            return self._shuffled()
        if self.thread is None:
            self._draw()
        else:
            self.thread.join()
        now = self.random_state.get_state(legacy=False)
        if self.head is None or not np.array_equal(_words(now), _words(self.state)):
            return self._shuffled()  # no memory, or somebody else has drawn meanwhile
        now["state"] = {"key": self.words[:-1], "pos": int(self.words[-1])}
        self.random_state.set_state(now)
        return self.head

    def _shuffled(self):
        places = np.arange(self.rows)
        self.random_state.shuffle(places)
        return places[:self.n]
