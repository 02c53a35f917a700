# SPDX-License-Identifier: Apache-2.0
"""What a thread's context did, as a dict that shows itself as tables."""
import html

from . import _config
from ._show import amount, as_html, as_text, span

# which decisions a kind of call makes
_STEPS = {"fit": ("fit",), "push": ("fit",), "fit_transform": ("fit", "transform"),
          "run": ("fit", "transform"), "apply_file": ("transform",), "transform": ("transform",),
          "inverse_transform": ("inverse_transform",)}
_CALLS = ("call", "device", "calls", "time", "to device", "from device", "in place", "launches", "passes")
_DECISIONS = ("step", "operation", "device", "implementation", "times", "why")
_INSTEAD = ("scikit-learn ran", "why")


class Report(dict):
    """What `quern.last_report` gives."""

    def _head(self):
        return f"device {self['device']}: {self['reason']}"

    def _job(self):
        job = self["job"]
        if job is None:
            return ""
        stages = ("read", "fit", "transform", "write")
        times = ", ".join(f"{name} {span(job[name + '_ns'])}" for name in stages)
        return f"last file: {job['rows']} rows; {times}"

    def _tables(self):
        """(head, rows) of the tables that have any."""
        calls = [(s["stage"], s["device"], s["calls"], span(s["ns"]), amount(s["to_device"]),
                  amount(s["from_device"]), amount(s["in_place"]), s["launches"], s["passes"])
                 for s in self["stages"]]
        decisions = [(d["step"], d["operation"], d["device"], d["implementation"], d["count"], d["reason"])
                     for d in self["decisions"]]
        instead = [(n["estimator"], n["reason"]) for n in self["scikit_learn"]]
        return [(head, rows) for head, rows in ((_CALLS, calls), (_DECISIONS, decisions), (_INSTEAD, instead))
                if rows]

    def __str__(self):
        parts = [self._head(), self._job(), *[as_text(head, rows) for head, rows in self._tables()]]
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self):
        texts = [text for text in (self._head(), self._job()) if text]
        return "".join([*[f"<p>{html.escape(text)}</p>" for text in texts],
                        *[as_html(head, rows) for head, rows in self._tables()]])


def last_report():
    """What this thread's context did since it was opened or reset.

    Returns
    -------
    report : dict
        Its `str` is a text with tables, which notebooks show as HTML.

        - device, reason : str. Where work runs, and why there.
        - stages : list of dict. For each kind of call its `stage` (the call's name), `device`, number
          of `calls`, `ns`; bytes `to_device`, `from_device` and used `in_place`; kernel `launches`;
          `passes` over the rows.
        - decisions : list of dict. Where each step ran, how often, and what was refused before.
        - ledger : dict. Bytes that moved, launches, times, passes.
        - job : dict or None. What the last call on files did.
        - scikit_learn : list of dict. The last calls of this thread that scikit-learn's code did
          instead, with the reason.

    Raises
    ------
    quern.DeviceError
        The configured device, which this opens, is not there.

    Notes
    -----
    A few rows that an estimator transforms on the CPU go past the context; they are not counted.

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
    found = _config.context()
    decisions = found.decisions()
    stages = []
    for stage in found.stages():
        ran = dict.fromkeys(d["device"] for d in decisions if d["step"] in _STEPS.get(stage["stage"], ()))
        stages.append({"stage": stage["stage"], "device": ", ".join(ran) or found.device, **stage})
    return Report(device=found.device, reason=found.reason, stages=stages, decisions=decisions,
                  ledger=found.ledger(), job=_config.last_job(), scikit_learn=_config.notes())
