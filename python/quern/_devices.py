# SPDX-License-Identifier: Apache-2.0
"""The devices of the machine, and the pool of device memory of a context."""
from . import _config, _core
from ._show import amount, as_html, as_text


class Devices(list):
    """What `quern.devices` gives: a list of dicts that shows itself as a table."""

    _HEAD = ("id", "kind", "name", "memory", "free", "note")

    def _rows(self):
        rows = []
        for d in self:
            note = d["reason"] or (f"the same as {d['same_as']}" if d["same_as"] else d["driver"])
            here = d["present"]
            rows.append((d["id"], d["kind"], d["name"] if here else "not available",
                         amount(d["memory_total"]) if here else "", amount(d["memory_free"]) if here else "",
                         note))
        return rows

    def __repr__(self):
        return as_text(self._HEAD, self._rows())

    def _repr_html_(self):
        return as_html(self._HEAD, self._rows())


def devices():
    """List the devices of this machine, and for each kind without one the reason.

    Drivers are loaded to find out; no device is opened.

    Returns
    -------
    devices : list of dict
        One dict a device, best first. Its keys are `id` (what `quern.device` takes), `kind` ("cuda",
        "opencl" or "cpu"; also as `backend`), `name`, `present`, `reason` (why it is not present, or
        what is wrong with it), `memory_total`, `memory_free` and `max_alloc` in bytes (None: not
        known), `same_as` (the id of the same hardware by another driver), `driver`, `notes`,
        `compute_units`, `compute`, `float64`, `zero_copy` and `pinned`. The list shows itself as a
        table, in notebooks too.

    Examples
    --------
    >>> import quern
    >>> quern.devices()[-1]["id"]
    'cpu'
    """
    found = _core.Context(device="cpu", threads=1, cache_dir="off").devices()
    return Devices({"id": d["id"], "kind": d["backend"], **d} for d in found)


# names of the numbers: what the library calls them
_NUMBERS = {"in_use": "used", "peak_in_use": "used_peak", "reserved": "held", "peak_reserved": "held_peak",
            "requested": "asked", "largest_free": "largest_free", "slabs": "slabs", "allocations": "takes",
            "reuse_hits": "reused", "grows": "grows", "trims": "trims", "failures": "failures"}
_BYTES = ("limit", "in_use", "peak_in_use", "reserved", "peak_reserved", "requested", "largest_free")


class Pool:
    """The device memory that a context took from the driver and gives out again; see `quern.pool`.

    Attributes are looked up anew each time: `limit` (None: none), `in_use`, `peak_in_use`, `reserved`
    (taken from the driver), `peak_reserved`, `requested` (in use, before rounding), `largest_free`, all
    in bytes; and as counts `slabs`, `allocations`, `reuse_hits`, `grows`, `trims`, `failures`."""

    def __init__(self, context):
        self._context = context

    @property
    def device(self):
        """The id of the context's device."""
        return self._context.device

    def stats(self):
        """All numbers as a dict."""
        found = self._context.pool()
        return {"limit": found["limit"] or None, **{name: found[word] for name, word in _NUMBERS.items()}}

    def __getattr__(self, name):
        if name == "limit" or name in _NUMBERS:
            return self.stats()[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self):
        return [*super().__dir__(), "limit", *_NUMBERS]

    def trim(self, keep=0):
        """Gives memory that is not in use back to the driver.

        Parameters
        ----------
        keep : int, default=0
            So many bytes may stay.

        Returns
        -------
        freed : int
            The bytes that were given back.
        """
        return self._context.trim(keep)

    def reset_peak(self):
        """Begins `peak_in_use` and `peak_reserved` anew at what they are now."""
        self._context.reset_peaks()

    def _rows(self):
        return [(name, ("none" if value is None else amount(value)) if name in _BYTES else value)
                for name, value in self.stats().items()]

    def __repr__(self):
        return f"device memory of {self.device}\n" + as_text(("", ""), self._rows()).lstrip("\n")

    def _repr_html_(self):
        return as_html(("device memory", self.device), self._rows())


def pool(device=None):
    """Give the pool of device memory of this thread's context.

    The CPU has none: all its numbers are 0. `set_config(device_memory=...)` sets the limit.

    Parameters
    ----------
    device : str, default=None
        As in `quern.device`; by default the context is that of the settings in force.

    Returns
    -------
    pool : Pool
        Numbers as attributes (`limit`, `in_use`, `reserved`, …), `stats()`, `trim()` and
        `reset_peak()`; shows itself as a table.

    Raises
    ------
    quern.DeviceError
        The device, which this opens, is not there.

    Examples
    --------
    >>> import quern
    >>> quern.pool("cpu").reserved
    0
    """
    if device is None:
        return Pool(_config.context())
    with _config.device(device):
        return Pool(_config.context())
