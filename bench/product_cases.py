# SPDX-License-Identifier: Apache-2.0
"""PolynomialFeatures beside scikit-learn's: every product of two of 20 columns."""
import numpy as np
from sklearn.preprocessing import PolynomialFeatures

from measure import empty, interleave, same_bits


class ProductCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits

    def run(self):
        for dtype in (np.float32, np.float64):
            if self.bench.wanted(f"products-{np.dtype(dtype)}"):
                self.case(dtype, 20_000 if self.bench.args.quick else 200_000)

    def case(self, dtype, rows):
        x = empty((rows, 20), dtype)
        x[...] = np.random.default_rng(9).normal(size=x.shape)
        theirs = PolynomialFeatures(2).fit(x)
        wanted = theirs.transform(x)
        warm = empty(wanted.shape, dtype)
        sides = {"fill": lambda: self.limits("fill", warm)}
        for side in self.bench.sides:
            estimator = side.estimator(x, "PolynomialFeatures", {"degree": 2})
            fitted = estimator.fit()
            made = estimator.transform(fitted)
            same_bits("PolynomialFeatures", np.asarray(getattr(made, "array", made)), wanted)
            del made
            sides[side.name] = lambda e=estimator, f=fitted: e.transform(f)
        sides["peer"] = lambda: theirs.transform(x)
        del wanted
        times = interleave(sides, self.bench.rounds)
        self.report.add(f"PolynomialFeatures(2) transform, {np.dtype(dtype)}, {rows} × 20, recycled output", times,
                        target=8, limit="fill", minimal_bytes=warm.nbytes)
