# SPDX-License-Identifier: Apache-2.0
"""Reductions of arrays beside NumPy and Polars."""
import numpy as np
import pandas as pd
import polars as pl

import quern
from array_cases import ArrayCases
from measure import Wrong


def _near(what, ours, peer):
    if ours.dtype != peer.dtype or not np.allclose(ours, peer, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise Wrong(f"{what}: results differ")


class ArrayReduceCases(ArrayCases):
    """arrays-sum, arrays-nansum, …: of a line, and of a matrix along either axis."""

    def run(self):
        if not self.bench.some_wanted("arrays-") or not any(side.name == "Python" for side in self.bench.sides):
            return
        with quern.config_context(device="cpu", threads=self.bench.threads):
            self.lines()
            self.matrices()
            self.covariances()

    def near(self, name, x, ours, peer, polars=None, note="NumPy"):
        if self.bench.wanted("arrays-" + name.split(" ")[0]):
            _near(name, np.asarray(ours()), np.asarray(peer()))
        ours, peer, polars = (call and (lambda c=call: [c()]) for call in (ours, peer, polars))  # no times
        self.case(name, x, ours, peer, polars, check=False, note=note)

    def lines(self):
        for dtype in (np.float32, np.float64):
            x = self.random.standard_normal(self.n // 2).astype(dtype)
            series = pl.Series(x)
            for name in ("sum", "var", "max", "argmax"):
                polars = {"sum": series.sum, "var": lambda: series.var(0), "max": series.max,
                          "argmax": series.arg_max}[name]
                self.near(f"{name} normal", x, lambda n=name: getattr(quern, n)(x), lambda n=name: getattr(np, n)(x),
                          polars)
            self.near("nansum normal", x, lambda: quern.sum(x, skip_nan=True), lambda: np.nansum(x))

    def matrices(self):
        x = self.random.standard_normal((self.n // 100, 50), np.float32)
        for name in ("sum", "var", "max", "argmax"):
            for axis, word in ((0, "columns"), (1, "rows")):
                self.near(f"{name} {word}", x, lambda n=name, a=axis: getattr(quern, n)(x, a),
                          lambda n=name, a=axis: getattr(np, n)(x, a))

    def covariances(self):
        x = self.random.standard_normal((self.n // 100, 50), np.float32)
        self.near("cov columns", x, lambda: quern.cov(x, rowvar=False), lambda: np.cov(x, rowvar=False))
        self.near("corrcoef columns", x, lambda: quern.corrcoef(x, rowvar=False), lambda: np.corrcoef(x, rowvar=False))
        holed = x[:len(x) // 8].astype(np.float64)
        holed[self.random.random(holed.shape) < 0.1] = np.nan
        frame = pd.DataFrame(holed)
        self.near("cov_pairs columns", holed, lambda: quern.cov(holed, rowvar=False, skip_nan=True),
                  lambda: frame.cov().to_numpy(), note="pandas")
        self.near("corrcoef_pairs columns", holed, lambda: quern.corrcoef(holed, rowvar=False, skip_nan=True),
                  lambda: frame.corr().to_numpy(), note="pandas")
