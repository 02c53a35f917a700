# SPDX-License-Identifier: Apache-2.0
"""PowerTransformer beside scikit-learn's: fits of positive and of mixed columns, and a transform."""
import numpy as np
from sklearn.preprocessing import PowerTransformer

from measure import Wrong, empty, interleave


class PowerCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits

    def run(self):
        rows = 20_000 if self.bench.args.quick else 200_000
        for method in ("yeo-johnson", "box-cox"):
            for dtype in (np.float64, np.float32):
                if self.bench.wanted(f"power-{method}"):
                    self.fit(method, dtype, rows)
        if self.bench.wanted("power-transform"):
            self.transform(50_000 if self.bench.args.quick else 1_000_000)

    def matrix(self, shape, dtype, positive):
        """Log-normal columns; every other one moved below 0 in part, where that may be."""
        x = empty(shape, dtype)
        x[...] = np.random.default_rng(9).lognormal(size=shape)
        if not positive:
            x[:, ::2] -= 1
        return x

    def fit(self, method, dtype, rows):
        x = self.matrix((rows, 16), dtype, method == "box-cox")
        ours = {s.name: s.estimator(x, "PowerTransformer", {"method": method}) for s in self.bench.sides}
        times = interleave({"read": lambda: self.limits("read", x), **{n: e.fit for n, e in ours.items()},
                            "peer": lambda: PowerTransformer(method=method).fit(x)},
                           min(self.bench.rounds, 3))
        theirs = PowerTransformer(method=method).fit(x).lambdas_
        for estimator in ours.values():
            off = np.abs(estimator.attributes(estimator.fit())["lambdas_"] - theirs).max()
            if off > (1e-3 if dtype == np.float32 else 1e-6):  # scikit-learn's float32 likelihood is rough
                raise Wrong(f"lambdas_ differ by {off}")
        self.report.add(f"PowerTransformer({method}) fit, {np.dtype(dtype)}, {rows} × 16", times, target=40,
                        limit="read", minimal_bytes=x.nbytes)

    def transform(self, rows):
        x = self.matrix((rows, 50), np.float32, False)
        warm = empty(x.shape, np.float32)
        warm[:] = 0
        theirs = PowerTransformer().fit(x[:20_000])
        sides = {"copy": lambda: self.limits("copy", x, warm)}
        for side in self.bench.sides:
            estimator = side.estimator(x, "PowerTransformer", {})
            fitted = estimator.fit()
            sides[side.name] = lambda e=estimator, f=fitted: e.transform(f, warm)
        sides["peer"] = lambda: theirs.transform(x)
        times = interleave(sides, min(self.bench.rounds, 3))
        self.report.add(f"PowerTransformer transform, float32, {rows} × 50, warm output", times, target=8,
                        limit="copy", minimal_bytes=2 * x.nbytes)
