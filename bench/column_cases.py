# SPDX-License-Identifier: Apache-2.0
"""MissingIndicator beside scikit-learn's; Winsorizer, MeanNormalizationScaler, Clipper, CyclicalFeatures and
Bucketizer beside the NumPy that people write instead. Outputs are recycled on our side, new memory on the others."""
import numpy as np
from sklearn.impute import MissingIndicator

from measure import Wrong, empty, interleave

EDGES = [-2.0, -1.0, -0.25, 0.25, 1.0, 2.0]


def caps(x, method):
    """feature-engine's, both sides."""
    if method == "gaussian":
        mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        return mean - 3 * std, mean + 3 * std
    if method == "mad":
        middle = np.median(x, axis=0)
        spread = np.median(np.abs(x - middle), axis=0) / 0.67449
        return middle - 3.29 * spread, middle + 3.29 * spread
    low, high = np.percentile(x, [25, 75] if method == "iqr" else [5, 95], axis=0)
    reach = 1.5 * (high - low) if method == "iqr" else 0
    return low - reach, high + reach


def waves(x):
    angles = x * np.float32(2 * np.pi / 24)
    return np.hstack([np.sin(angles), np.cos(angles)])


def binned(x):
    """np.searchsorted wants values of the edges' dtype, else it copies."""
    inner = np.array(EDGES[1:-1], x.dtype)
    return np.searchsorted(inner, x, side="right").astype(x.dtype)


class ColumnCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits
        self.shape = (20_000, 50) if bench.args.quick else (1_000_000, 50)

    def run(self):
        wanted = self.bench.wanted
        if wanted("indicator"):
            self.indicator()
        for method in ("gaussian", "iqr", "mad", "quantiles"):
            if wanted(f"winsorizer-{method}"):
                self.fit("Winsorizer", {"capping_method": method, "tail": "both"}, lambda x, m=method: caps(x, m),
                         ("left_tail_caps_", "right_tail_caps_"))
        if wanted("mean-normalization"):
            self.fit("MeanNormalizationScaler", {}, lambda x: (x.mean(axis=0, dtype=np.float64),
                                                               x.max(axis=0) - x.min(axis=0)), ("mean_", "range_"))
            x = self.matrix()
            mean, width = x.mean(axis=0), x.max(axis=0) - x.min(axis=0)
            self.transform("MeanNormalizationScaler", {}, lambda x: (x - mean) / width)
        if wanted("clipper"):
            self.transform("Clipper", {"lower": -1, "upper": 2}, lambda x: np.clip(x, -1, 2), exact=True)
        if wanted("cyclical"):
            self.transform("CyclicalFeatures", {"max_values": 24, "drop_original": True}, waves, rows=4)
        if wanted("bucketizer"):
            for outside in ("clip", "error"):
                self.transform("Bucketizer", {"edges": EDGES, "outside": outside}, binned, exact=True)

    def matrix(self, rows=1):
        x = empty((self.shape[0] // rows, self.shape[1]), np.float32)
        np.random.default_rng(8).standard_normal(out=x, dtype=np.float32)
        return x

    def fit(self, name, parameters, peer, learned):
        x = self.matrix()
        ours = {side.name: side.estimator(x, name, parameters) for side in self.bench.sides}
        for side, estimator in ours.items():
            found = estimator.attributes(estimator.fit())
            for word, wanted in zip(learned, peer(x)):
                if not np.allclose(found[word], wanted, rtol=1e-5, atol=1e-5):
                    raise Wrong(f"{name}: {side} has another {word}")
        times = interleave({"read": lambda: self.limits("read", x), **{s: e.fit for s, e in ours.items()},
                            "peer": lambda: peer(x)}, min(self.bench.rounds, 3))
        title = f"{name}({parameters.get('capping_method', '')}) fit, float32, {x.shape[0]} × {x.shape[1]}, NumPy"
        self.report.add(title, times, target=3, limit="read", minimal_bytes=x.nbytes)

    def transform(self, name, parameters, peer, exact=False, rows=1):
        x = self.matrix(rows)
        if parameters.get("outside") == "error":
            np.clip(x, EDGES[0], EDGES[-1], out=x)
        wanted = peer(x)
        made = {side.name: side.estimator(x, name, parameters) for side in self.bench.sides}
        fits = {side: one.fit() for side, one in made.items()}
        for side, one in made.items():
            result = one.transform(fits[side])  # whose memory goes with it
            out = np.asarray(getattr(result, "array", result)).reshape(len(x), -1)
            if name == "CyclicalFeatures":  # NumPy's come in another order, and its angles are of float32
                out = np.hstack([out[:, ::2], out[:, 1::2]])
            if not (np.array_equal(out, wanted) if exact else np.allclose(out, wanted, atol=2e-6)):
                raise Wrong(f"{name}: {side} gives other numbers than NumPy")
            del out, result
        warm = empty(wanted.shape, np.float32)
        warm[:] = 0
        source = warm if wanted.shape != x.shape else x
        del wanted
        times = interleave({"copy": lambda: self.limits("copy", source, warm),
                            **{s: lambda e=e, m=fits[s]: e.transform(m) for s, e in made.items()},
                            "peer": lambda: peer(x)}, min(self.bench.rounds, 3))
        title = ", ".join(f"{k}={v}" for k, v in parameters.items() if k != "edges")
        self.report.add(f"{name}({title}) transform, {x.shape[0]} × {x.shape[1]}, recycled output, NumPy", times, target=2,
                        limit="copy", minimal_bytes=x.nbytes + warm.nbytes)

    def indicator(self):
        x = self.matrix()
        x[::10, ::2] = np.nan  # every other column has missing cells, and the others are looked at
        theirs = MissingIndicator().fit(x)
        wanted = theirs.transform(x)
        made = {side.name: side.estimator(x, "MissingIndicator", {}) for side in self.bench.sides}
        fits = {side: one.fit() for side, one in made.items()}
        for side, one in made.items():
            out = one.transform(fits[side])
            if not np.array_equal(np.asarray(getattr(out, "array", out)), wanted):
                raise Wrong(f"MissingIndicator: {side} gives other values than scikit-learn")
        times = interleave({"read": lambda: self.limits("read", x), **{s: e.fit for s, e in made.items()},
                            "peer": lambda: MissingIndicator().fit(x)}, min(self.bench.rounds, 3))
        self.report.add(f"MissingIndicator() fit, float32, {x.shape[0]} × {x.shape[1]}", times, target=3, limit="read",
                        minimal_bytes=x.nbytes)
        times = interleave({"read": lambda: self.limits("read", x),
                            **{s: lambda e=e, m=fits[s]: e.transform(m) for s, e in made.items()},
                            "peer": lambda: theirs.transform(x)}, min(self.bench.rounds, 3))
        self.report.add(f"MissingIndicator() transform, float32, {x.shape[0]} × {x.shape[1]}, recycled output", times,
                        target=3, limit="read", minimal_bytes=x.nbytes + wanted.nbytes)
