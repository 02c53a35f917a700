# SPDX-License-Identifier: Apache-2.0
"""Imputers that look at whole rows, beside scikit-learn's: fit and transform of the same rows.

There is no limit of memory beside them: they compute far longer on a value than it takes to read it. The
peer takes so long that two rounds must do."""
import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from measure import Wrong, interleave


class RowCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.rounds = bench, 1 if bench.args.quick else min(bench.rounds, 2)

    def run(self):
        quick = self.bench.args.quick
        if self.bench.wanted("knn"):
            self.case("KNNImputer", KNNImputer, (1000, 20) if quick else (20_000, 20), np.float64, 10, 1e-9)
        if self.bench.wanted("iterative"):
            self.case("IterativeImputer", IterativeImputer, (2000, 10) if quick else (100_000, 50),
                      np.float32, 5, 0.05)

    def case(self, name, peer, shape, dtype, target, most):
        """most: how far cells may be apart, in standard deviations."""
        random = np.random.default_rng(11)
        x = (random.standard_normal((shape[0], 8)) @ random.standard_normal((8, shape[1]))
             + random.standard_normal(shape)).astype(dtype)
        x[random.random(shape) < 0.1] = np.nan
        ours = {side.name: side.estimator(x, name, {}) for side in self.bench.sides}
        found = {}

        def run(word, call):
            found[word] = call()

        sides = {word: lambda w=word, e=e: run(w, lambda: e.transform(e.fit())) for word, e in ours.items()}
        sides["peer"] = lambda: run("peer", lambda: peer().fit_transform(x))
        times = interleave(sides, self.rounds, often=1)
        for word in ours:
            out = np.asarray(getattr(found[word], "array", found[word]))
            apart = np.abs(out - found["peer"]).max() / found["peer"].std()
            if out.shape != found["peer"].shape or not apart <= most:
                raise Wrong(f"{name}: {word}'s cells are {apart} standard deviations from the peer's")
        self.bench.report.add(f"{name} fit and transform, 10 % NaN, {shape[0]} × {shape[1]}, {np.dtype(dtype)}",
                              times, target=target)
