# SPDX-License-Identifier: Apache-2.0
"""A row about the device in the diagrams that scikit-learn makes of estimators."""
import html

from . import _config


class _WithRow:
    """Parameters as scikit-learn shows them, and a row below."""

    def __init__(self, params, row):
        self._params, self._row = params, row

    def __getattr__(self, name):
        return getattr(self._params, name)

    def _repr_html_inner(self):
        return self._params._repr_html_inner() + self._row


class DeviceRow:
    """Mixin for estimators: `_where()` tells the device and why, or None before any call."""

    __slots__ = ()

    def _where(self):
        return None

    def _device_row(self):
        ran = self._where()
        verb, (device, reason) = ("ran", ran) if ran else ("would run", _config.outlook())
        return (f'<div class="quern-device">quern: {verb} on {html.escape(device)}'
                f' ({html.escape(reason)})</div>')

    def _get_params_html(self, *args, **kwargs):
        return _WithRow(super()._get_params_html(*args, **kwargs), self._device_row())

    def _repr_html_inner(self):
        text = super()._repr_html_inner()
        return text if "quern-device" in text else text + self._device_row()  # before scikit-learn 1.8


def of_parts(estimators):
    """(devices, reasons) of the parts of a composite that have run; None: none has."""
    found = []
    for estimator in estimators:
        where = getattr(estimator, "_where", None)
        ran = where() if where is not None else None
        if ran is not None and ran not in found:
            found.append(ran)
    if not found:
        return None
    return tuple("; ".join(dict.fromkeys(words)) for words in zip(*found))
