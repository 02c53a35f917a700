# SPDX-License-Identifier: Apache-2.0
"""KBinsDiscretizer and QuantileTransformer over a matrix of float32, beside scikit-learn's. KBinsDiscretizer's
fits are of all rows, QuantileTransformer's of 10 000 that are drawn."""
import numpy as np
from sklearn import preprocessing

from measure import Wrong, empty, interleave

UNTOLD = {"encode", "subsample", "random_state"}  # not in titles
CASES = {  # name: (class, parameters, targets of fit and transform)
    "bins": ("KBinsDiscretizer", {"n_bins": 5, "encode": "ordinal", "subsample": None}, 25, 60),
    "uniformbins": ("KBinsDiscretizer", {"n_bins": 16, "encode": "ordinal", "strategy": "uniform",
                                         "subsample": None}, 8, 60),
    "quantiles": ("QuantileTransformer", {"n_quantiles": 1000, "random_state": 0}, 5, 60),
    "quantiles-normal": ("QuantileTransformer", {"n_quantiles": 1000, "output_distribution": "normal",
                                                 "random_state": 0}, 5, 60),
}


class BinsCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits

    def run(self):
        for name in CASES:
            if self.bench.wanted(name):
                self.case(*CASES[name])

    def case(self, name, parameters, fit_target, transform_target):
        shape = (20_000, 50) if self.bench.args.quick else (1_000_000, 50)
        x, out = empty(shape, np.float32), {}
        np.random.default_rng(7).standard_normal(out=x, dtype=np.float32)
        peer = getattr(preprocessing, name)(**parameters)
        made = {side.name: side.estimator(x, name, parameters) for side in self.bench.sides}
        fits = {side: one.fit() for side, one in made.items()}
        wanted = peer.fit(x).transform(x)
        for side, one in made.items():
            out[side] = one.transform(fits[side])
            off = np.abs(np.asarray(getattr(out[side], "array", out[side])) - wanted).max()
            # scipy's normal quantile of float32 is rough
            if off > (1e-4 if parameters.get("output_distribution") == "normal" else 0):
                raise Wrong(f"{name}: {side} gives other numbers than scikit-learn")
        others = {}
        if name == "KBinsDiscretizer":
            others = self.bench.others.binned(x, [e[1:-1] for e in peer.bin_edges_], wanted)
        out.clear()
        title = f"{name}({', '.join(f'{k}={v}' for k, v in parameters.items() if k not in UNTOLD)})"
        times = interleave({"read": lambda: self.limits("read", x), **{s: e.fit for s, e in made.items()},
                            "peer": lambda: peer.fit(x)}, self.bench.rounds)
        self.report.add(f"{title} fit, {shape[0]} × {shape[1]}", times, target=fit_target, limit="read",
                        minimal_bytes=x.nbytes)
        warm = empty(shape, np.float32)
        warm[:] = 0
        times = interleave({"copy": lambda: self.limits("copy", x, warm),
                            **{s: lambda e=e, m=fits[s]: e.transform(m) for s, e in made.items()},
                            "peer": lambda: peer.transform(x), **others}, self.bench.rounds)
        self.report.add(f"{title} transform, {shape[0]} × {shape[1]}, recycled output", times,
                        target=transform_target, limit="copy", minimal_bytes=2 * x.nbytes)
