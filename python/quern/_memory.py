# SPDX-License-Identifier: Apache-2.0
"""Memory of outputs. What is freed is kept by the library for the next output of about the size, since new memory
has to be cleared by the kernel first."""
import math
import sys

import numpy as np

from . import _core
from ._show import amount, as_html, as_text

_LARGE = 1 << 20  # from here on the library keeps


def empty(shape, dtype, order="C"):
    """As numpy.empty; a large array is a view of memory of the library, to which it returns."""
    dtype = np.dtype(dtype)
    size = dtype.itemsize * int(math.prod(shape) if isinstance(shape, (tuple, list)) else shape)
    if not _LARGE <= size <= sys.maxsize or dtype.hasobject:
        return np.empty(shape, dtype, order)
    return np.ndarray(shape, dtype, _core.output(size), order=order)


# names of the numbers: what the library calls them
_NUMBERS = {"limit": "limit", "kept": "kept", "in_use": "used", "peak_in_use": "used_peak", "new": "made",
            "recycled": "reused", "allocations": "makes", "reuse_hits": "reuses"}
_COUNTS = ("allocations", "reuse_hits")


class OutputMemory:
    """Host memory of outputs of at least 1 MiB; see `quern.output_memory`.

    Attributes are looked up anew each time, in bytes: `limit` and `kept` of freed outputs, `in_use` and
    `peak_in_use` of those that are there, `new` and `recycled` as given out so far; and as counts
    `allocations` of new memory and `reuse_hits`."""

    def stats(self):
        """All numbers as a dict."""
        found = _core.output_memory()
        return {name: found[word] for name, word in _NUMBERS.items()}

    def __getattr__(self, name):
        if name in _NUMBERS:
            return self.stats()[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self):
        return [*super().__dir__(), *_NUMBERS]

    def trim(self, keep=0):
        """Frees memory that is kept, the oldest first.

        Parameters
        ----------
        keep : int, default=0
            So many bytes may stay.

        Returns
        -------
        freed : int
            The bytes that were freed.
        """
        return _core.output_trim(keep)

    def _rows(self):
        return [(name, value if name in _COUNTS else amount(value)) for name, value in self.stats().items()]

    def __repr__(self):
        return "host memory of outputs\n" + as_text(("", ""), self._rows()).lstrip("\n")

    def _repr_html_(self):
        return as_html(("host memory of outputs", ""), self._rows())


def output_memory():
    """Give the host memory of outputs, and what is kept of those that were freed.

    New memory has to be cleared by the kernel, which takes longer than most transforms. So an output of 1 MiB
    or more whose last view is gone is kept for the next output of about its size, of any thread.
    `set_config(output_memory=...)` sets how much may be kept.

    Returns
    -------
    memory : OutputMemory
        Numbers as attributes (`limit`, `kept`, `in_use`, `recycled`, …), `stats()` and `trim()`;
        shows itself as a table.

    See Also
    --------
    quern.pool : The memory of a device.

    Examples
    --------
    >>> import numpy as np
    >>> import quern
    >>> quern.sort(np.ones(1_000_000)).shape
    (1000000,)
    >>> quern.output_memory().trim() > 0
    True
    >>> quern.output_memory().kept
    0
    """
    return OutputMemory()
