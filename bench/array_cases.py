# SPDX-License-Identifier: Apache-2.0
"""Functions of arrays beside NumPy and Polars."""
import numpy as np
import polars as pl

import quern
from measure import Wrong, interleave


def _same(what, ours, peer):
    if ours.dtype != peer.dtype or not np.array_equal(ours, peer, equal_nan=ours.dtype.kind == "f"):
        raise Wrong(f"{what}: results differ")


class ArrayCases:
    """arrays-sort, arrays-argsort, …: through the package, since from C they are the same calls."""

    def __init__(self, bench):
        self.bench = bench
        self.n = 300_000 if bench.args.quick else 100_000_000
        self.rounds = min(bench.rounds, 3)
        self.random = np.random.default_rng(0)

    def run(self):
        if not self.bench.some_wanted("arrays-") or not any(side.name == "Python" for side in self.bench.sides):
            return
        with quern.config_context(device="cpu", threads=self.bench.threads):
            self.sort()
            self.places()
            self.distinct()
            self.search()
            self.columns()

    def case(self, name, x, ours, peer, polars=None, check=True, note="NumPy"):
        if not self.bench.wanted("arrays-" + name.split(" ")[0]):
            return
        if check:
            _same(name, ours(), peer())
        sides = {"read": lambda: self.bench.limits("read", x), "Python": ours, "peer": peer}
        if polars is not None:
            sides["peer Polars"] = polars
        times = interleave(sides, self.rounds, 2)
        self.bench.report.add(f"{name}, {x.shape}, {x.dtype}", times, limit="read", minimal_bytes=x.nbytes,
                              note=note)
        if polars is not None:
            self.bench.report.add(f"{name}, {x.shape}, {x.dtype}", times, peer="peer Polars", note="Polars")

    def sort(self):
        for kind, x in (("normal", self.random.standard_normal(self.n, np.float32)),
                        ("uniform", self.random.random(self.n, np.float32)),
                        ("whole numbers", self.random.integers(0, 1000, self.n, np.int64)),
                        ("normal", self.random.standard_normal(self.n // 4))):
            series = pl.Series(x)
            self.case(f"sort {kind}", x, lambda x=x: quern.sort(x), lambda x=x: np.sort(x),
                      lambda s=series: s.sort())

    def places(self):
        x = self.random.standard_normal(self.n // 5, np.float32)
        series = pl.Series(x)
        self.case("argsort normal", x, lambda: quern.argsort(x), lambda: np.argsort(x, kind="stable"),
                  lambda: series.arg_sort())
        self.case("top_k 100 of normal", x, lambda: quern.top_k(x, 100)[0],
                  lambda: np.sort(x[np.argpartition(x, -100)[-100:]])[::-1], lambda: series.top_k(100))

    def distinct(self):
        x = self.random.integers(0, 100_000, self.n // 5, np.int32)
        series = pl.Series(x)
        self.case("unique with counts", x, lambda: quern.unique(x, return_counts=True)[1],
                  lambda: np.unique(x, return_counts=True)[1], lambda: series.value_counts(sort=False))

    def search(self):
        edges = np.sort(self.random.standard_normal(1000, np.float32))
        x = self.random.standard_normal(self.n // 5, np.float32)
        series, values = pl.Series(edges), pl.Series(x)
        self.case("searchsorted in 1000", x, lambda: quern.searchsorted(edges, x),
                  lambda: np.searchsorted(edges, x), lambda: series.search_sorted(values))

    def columns(self):
        x = self.random.standard_normal((self.n // 100, 50), np.float32)
        self.case("sort columns", x, lambda: quern.sort(x, 0), lambda: np.sort(x, 0))
        self.case("sort rows", x, lambda: quern.sort(x, 1), lambda: np.sort(x, 1))
