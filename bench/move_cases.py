# SPDX-License-Identifier: Apache-2.0
"""Functions that move values, and splits, beside NumPy, Polars and scikit-learn."""
import numpy as np
import polars as pl

import quern
from array_cases import _same
from measure import Wrong, empty, interleave
from quern.model_selection import train_test_split
from sklearn import model_selection

try:
    from sklearnex.model_selection import train_test_split as intel
except ImportError:
    intel = None


class MoveCases:
    """moves-astype, moves-copy, moves-take, …: through the package, since from C they are the same calls."""

    def __init__(self, bench):
        self.bench = bench
        self.n = 300_000 if bench.args.quick else 40_000_000
        self.rounds = min(bench.rounds, 3)
        self.random = np.random.default_rng(0)

    def run(self):
        if not self.bench.some_wanted("moves-") or not any(side.name == "Python" for side in self.bench.sides):
            return
        with quern.config_context(device="cpu", threads=self.bench.threads):
            self.casts()
            self.places()
            self.masks()
            self.orders()
            self.splits()

    def case(self, name, x, moved, ours, peer, polars=None):
        """moved: the bytes that have to be read and written."""
        if not self.bench.wanted("moves-" + name.split(" ")[0]):
            return
        _same(name, ours(), peer())
        y, z = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
        y[...] = z[...] = 0
        sides = {"copy": lambda: self.bench.limits("copy", y, z), "Python": ours, "peer": peer}
        if polars is not None:
            sides["peer Polars"] = polars
        self.time(name, x, moved, sides)

    def drawn(self, name, x, moved, sides):
        """Cases whose sides draw other numbers: their sizes are compared."""
        if not self.bench.wanted("moves-" + name.split(" ")[0]):
            return
        shapes = [tuple(np.shape(part) for part in sides[side]()) for side in sides]
        if any(shape != shapes[0] for shape in shapes):
            raise Wrong(f"{name}: shapes differ: {shapes}")
        y, z = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
        y[...] = z[...] = 0
        self.time(name, x, moved, {"copy": lambda: self.bench.limits("copy", y, z), **sides})

    def time(self, name, x, moved, sides):
        times = interleave(sides, self.rounds, 2)
        at = f"{name}, {x.shape}, {x.dtype}"
        self.bench.report.add(at, times, limit="copy", minimal_bytes=moved, note="scikit-learn" if name.startswith("split") else "NumPy")
        for peer in sides:
            if peer.startswith("peer "):
                self.bench.report.add(at, times, peer=peer, note=peer[5:])

    def casts(self):
        x = self.random.standard_normal(self.n)
        series = pl.Series(x)
        self.case("astype float32", x, x.nbytes * 3 // 2, lambda: quern.astype(x, np.float32), lambda: x.astype(np.float32),
                  lambda: series.cast(pl.Float32))
        self.case("astype int32", x, x.nbytes * 3 // 2, lambda: quern.astype(x, np.int32), lambda: x.astype(np.int32),
                  lambda: series.cast(pl.Int32))
        m = x.reshape(-1, 50)
        self.case("copy turned", m, 2 * m.nbytes, lambda: quern.copy(m, "F"), lambda: np.asfortranarray(m))
        f = np.asfortranarray(m.astype(np.float32))
        self.case("copy turned back", f, 2 * f.nbytes, lambda: quern.copy(f), lambda: np.ascontiguousarray(f))

    def places(self):
        x = self.random.standard_normal((self.n // 50, 50), np.float32)
        rows = self.random.permutation(len(x))
        self.case("take rows", x, 2 * x.nbytes, lambda: quern.take(x, rows, 0), lambda: np.take(x, rows, 0))
        columns = self.random.permutation(50)[:25]
        self.case("take columns", x, x.nbytes * 3 // 2, lambda: quern.take(x, columns, 1), lambda: np.take(x, columns, 1))
        line = x.ravel()
        places = self.random.permutation(self.n)
        series, at = pl.Series(line), pl.Series(places)
        self.case("take values", line, 2 * line.nbytes + places.nbytes, lambda: quern.take(line, places),
                  lambda: np.take(line, places), lambda: series.gather(at))

    def masks(self):
        line = self.random.standard_normal(self.n, np.float32)
        mask = line > 0
        series, which = pl.Series(line), pl.Series(mask)
        self.case("compress half", line, line.nbytes * 3 // 2 + mask.nbytes, lambda: quern.compress(mask, line),
                  lambda: np.compress(mask, line), lambda: series.filter(which))
        self.case("flatnonzero half", line, line.nbytes * 2 + mask.nbytes, lambda: quern.flatnonzero(mask),
                  lambda: np.flatnonzero(mask), lambda: which.arg_true())
        zero = np.float32(0)
        self.case("where scalar", line, line.nbytes * 2 + mask.nbytes, lambda: quern.where(mask, line, zero),
                  lambda: np.where(mask, line, zero), lambda: series.zip_with(which, pl.Series([zero])))

    def orders(self):
        n = self.n // 4
        line = np.zeros(n)
        self.drawn("random numbers", line, line.nbytes, {
            "Python": lambda: [quern.random.uniform(n, seed=0)], "peer": lambda: [np.random.default_rng(0).random(n)]})
        self.drawn("permutation", line, line.nbytes, {
            "Python": lambda: [quern.random.permutation(n, seed=0)],
            "peer": lambda: [np.random.default_rng(0).permutation(n)]})

    def splits(self):
        x = self.random.standard_normal((self.n // 50, 50), np.float32)
        y = self.random.integers(0, 10, len(x))
        both = 2 * (x.nbytes + y.nbytes)
        for name, words in (("split", {}), ("split in classes", {"stratify": y})):
            sides = {"Python": lambda w=words: train_test_split(x, y, random_state=0, **w),
                     "peer": lambda w=words: model_selection.train_test_split(x, y, random_state=0, **w)}
            if intel is not None:
                sides["peer scikit-learn-intelex"] = lambda w=words: intel(x, y, random_state=0, **w)
            self.drawn(name, x, both, sides)
