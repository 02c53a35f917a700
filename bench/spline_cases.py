# SPDX-License-Identifier: Apache-2.0
"""SplineTransformer beside scikit-learn's."""
import numpy as np
from sklearn.preprocessing import SplineTransformer

from measure import empty, interleave, same_bits

SHAPES = (("cubic, 5 equal steps", {}), ("degree 2, 10 quantiles", {"degree": 2, "knots": "quantile", "n_knots": 10}))


class SplineCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits

    def run(self):
        for number, (title, parameters) in enumerate(SHAPES):
            if self.bench.wanted(f"splines-{number}"):
                self.case(title, parameters, 50_000 if self.bench.args.quick else 1_000_000)

    def case(self, title, parameters, rows):
        x = empty((rows, 50), np.float32)
        x[...] = np.random.default_rng(9).normal(size=x.shape)
        theirs = SplineTransformer(**parameters).fit(x)
        wanted = theirs.transform(x)
        warm = empty(wanted.shape, np.float32)
        fits = {"read": lambda: self.limits("read", x)}
        sides = {"fill": lambda: self.limits("fill", warm)}
        for side in self.bench.sides:
            estimator = side.estimator(x, "SplineTransformer", parameters)
            fitted = estimator.fit()
            made = estimator.transform(fitted)
            same_bits("SplineTransformer", np.asarray(getattr(made, "array", made)), wanted)
            del made
            fits[side.name] = estimator.fit
            sides[side.name] = lambda e=estimator, f=fitted: e.transform(f)
        fits["peer"] = lambda: SplineTransformer(**parameters).fit(x)
        sides["peer"] = lambda: theirs.transform(x)
        del wanted
        self.report.add(f"SplineTransformer ({title}) fit, float32, {rows} × 50", interleave(fits, self.bench.rounds),
                        target=None, limit="read", minimal_bytes=x.nbytes)
        times = interleave(sides, self.bench.rounds)
        self.report.add(f"SplineTransformer ({title}) transform, float32, {rows} × 50, recycled output", times,
                        target=15, limit="fill", minimal_bytes=warm.nbytes)
