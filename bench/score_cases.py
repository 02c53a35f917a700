# SPDX-License-Identifier: Apache-2.0
"""Scores of columns against classes, beside scikit-learn."""
import ctypes

import numpy as np
from sklearn.feature_selection import SelectKBest

import quern_ctypes as q
from measure import close, empty, interleave


class ScoreCases:
    """bench: what bench_main.Bench has: sides, limits, rounds, report."""

    def __init__(self, bench):
        self.bench = bench
        self.random = np.random.default_rng(11)

    def run(self):
        shape = (20_000, 50) if self.bench.args.quick else (1_000_000, 50)
        for classes in (2, 10):
            if self.bench.wanted(f"scores-{classes}"):
                self.f_classif(shape, classes)

    def fits(self, x, y):
        """{side: a fit that gives the scores}."""
        made = {}
        for side in self.bench.sides:
            if side.name == "C":
                one = side.estimator(x, "SelectKBest", {"k": "all"})
                column = q.Column(type=q.TYPES[y.dtype.name], data=y.ctypes.data)
                side.library.check(side.library.c.quern_table_set_target(one.table.pointer, ctypes.byref(column)))
                made["C"] = lambda one=one: one.attributes(one.fit())["scores_"]
            else:
                from quern.feature_selection import SelectKBest as Ours
                made[side.name] = lambda: Ours(k="all").fit(x, y).scores_
        return made

    def f_classif(self, shape, classes):
        x = empty(shape, np.float32)
        self.random.standard_normal(out=x, dtype=np.float32)
        y = self.random.integers(0, classes, shape[0])
        x[:, ::7] += y[:, None].astype(np.float32) / 10
        fits = self.fits(x, y)
        sides = {"read": lambda: self.bench.limits("read", x), **fits,
                 "peer": lambda: SelectKBest(k="all").fit(x, y), **self.bench.others.by_class(x, y)}
        want = SelectKBest(k="all").fit(x.astype(np.float64), y).scores_
        for name, fit in fits.items():
            close(f"scores_ ({name})", fit(), want, 1e-6)
        self.bench.report.add(f"SelectKBest fit, {classes} classes, {shape[0]} × {shape[1]}",
                              interleave(sides, self.bench.rounds), target=15, limit="read",
                              minimal_bytes=x.nbytes)
