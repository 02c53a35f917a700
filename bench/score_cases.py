# SPDX-License-Identifier: Apache-2.0
"""Scores of columns against a target, beside scikit-learn."""
import ctypes

import numpy as np
import sklearn.feature_selection as theirs
from sklearn.feature_selection import SelectKBest, f_classif, f_regression

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
        for dtype in (np.float32, np.float64):
            if self.bench.wanted(f"scores-regression-{np.dtype(dtype).name}"):
                self.f_regression(shape, dtype)

        if self.bench.wanted("scores-information"):
            self.information(2_000 if self.bench.args.quick else 100_000)

    def information(self, rows):
        """Python's functions, whose noise is NumPy's on both sides."""
        x = self.random.standard_normal((rows, 4))
        for name in ("mutual_info_regression", "mutual_info_classif"):
            y = x[:, 0] + self.random.standard_normal(rows)
            y = y if name.endswith("regression") else (y > 0).astype(np.int64)
            peer, threads = getattr(theirs, name), self.bench.threads
            sides = {"peer": lambda: peer(x, y, random_state=0, n_jobs=threads)}
            want = peer(x, y, random_state=0, n_jobs=threads)
            for side in self.bench.sides:
                if side.name != "C":
                    from quern import feature_selection as ours
                    sides[side.name] = lambda: getattr(ours, name)(x, y, random_state=0)
                    close(f"{name} ({side.name})", sides[side.name](), want, 1e-9)
            if len(sides) > 1:
                self.bench.report.add(f"{name}, {rows} × 4", interleave(sides, min(3, self.bench.rounds)), target=10)

    def fits(self, x, y, score="f_classif"):
        """{side: a fit that gives the scores}."""
        made = {}
        for side in self.bench.sides:
            if side.name == "C":
                one = side.estimator(x, "SelectKBest", {"k": "all", "score_func": score})
                column = q.Column(type=q.TYPES[y.dtype.name], data=y.ctypes.data)
                side.library.check(side.library.c.quern_table_set_target(one.table.pointer, ctypes.byref(column)))
                made["C"] = lambda one=one: one.attributes(one.fit())["scores_"]
            else:
                from quern import feature_selection as ours
                made[side.name] = lambda: ours.SelectKBest(getattr(ours, score), k="all").fit(x, y).scores_
        return made

    def f_classif(self, shape, classes):
        x = empty(shape, np.float32)
        self.random.standard_normal(out=x, dtype=np.float32)
        y = self.random.integers(0, classes, shape[0])
        x[:, ::7] += y[:, None].astype(np.float32) / 10
        self.compare(x, y, f_classif, f"{classes} classes")

    def f_regression(self, shape, dtype):
        x = empty(shape, dtype)
        self.random.standard_normal(out=x, dtype=dtype)
        y = self.random.standard_normal(shape[0])
        x[:, ::7] += y[:, None].astype(dtype) / 10
        self.compare(x, y, f_regression, f"f_regression, {np.dtype(dtype).name}")

    def compare(self, x, y, score, words):
        fits = self.fits(x, y, score.__name__)
        sides = {"read": lambda: self.bench.limits("read", x), **fits,
                 "peer": lambda: SelectKBest(score, k="all").fit(x, y),
                 **(self.bench.others.by_class(x, y) if score is f_classif else {})}
        want = SelectKBest(score, k="all").fit(x.astype(np.float64), y).scores_
        for name, fit in fits.items():
            close(f"scores_ ({name})", fit(), want, 1e-6)
        self.bench.report.add(f"SelectKBest fit, {words}, {x.shape[0]} × {x.shape[1]}",
                              interleave(sides, self.bench.rounds), target=15, limit="read",
                              minimal_bytes=x.nbytes)
