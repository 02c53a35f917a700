# SPDX-License-Identifier: Apache-2.0
"""A chain of four steps over a matrix of float32 with missing values, and Normalizer, beside scikit-learn's."""
import sys

import numpy as np
from sklearn import impute, pipeline, preprocessing

import quern_ctypes as q
from measure import Wrong, empty, interleave, same_bits

LIMITS = {"a_min": 0.25, "a_max": 40}
CLIP = f"clip(x, {LIMITS['a_min']}, {LIMITS['a_max']})"
STEPS = ["SimpleImputer", {"FunctionTransformer": {"expression": CLIP}},
         {"FunctionTransformer": {"expression": "log1p(x)"}}, "StandardScaler"]


def peers():
    return pipeline.make_pipeline(impute.SimpleImputer(),
                                  preprocessing.FunctionTransformer(np.clip, kw_args=LIMITS),
                                  preprocessing.FunctionTransformer(np.log1p), preprocessing.StandardScaler())


class Chain:
    """The chain by one of our sides: fit() and transform(fitted, out)."""

    def __init__(self, side, x):
        self.side, self.x = side, x
        if side.name == "C":
            self.table = q.Table.from_matrix(side.library, x)
            self.pipeline = q.Pipeline(side.library, {"quern": 1, "steps": [{"columns": "*", "apply": STEPS}]})

    def fit(self):
        if self.side.name == "C":
            return self.side.cpu.fit(self.pipeline, self.table)
        quern = self.side.quern
        ours = quern.preprocessing
        return quern.pipeline.make_pipeline(
            quern.impute.SimpleImputer(), ours.FunctionTransformer(CLIP),
            ours.FunctionTransformer(np.log1p), ours.StandardScaler()).fit(self.x)

    def transform(self, fitted, out):
        if self.side.name == "C":
            return self.side.cpu.transform(fitted, self.table, out)
        return fitted.transform(self.x)

    def scaler(self, fitted):
        if self.side.name == "C":
            found = fitted.attributes(0, 3)
            return found["mean_"], found["scale_"]
        return fitted[-1].mean_, fitted[-1].scale_


class ChainCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits
        self.shape = (20_000, 50) if bench.args.quick else (1_000_000, 50)

    def run(self):
        if self.bench.wanted("normalizer"):
            self.normalizer()
        if self.bench.wanted("chain"):
            try:
                self.chain()
            except (q.QuernError, AttributeError) as reason:
                print(f"no chain of functions: {reason}", file=sys.stderr)

    def normalizer(self):
        x, warm = empty(self.shape, np.float32), empty(self.shape, np.float32)
        np.random.default_rng(3).standard_normal(out=x, dtype=np.float32)
        warm[:] = 0
        sides, peer = {"copy": lambda: self.limits("copy", x, warm)}, preprocessing.Normalizer().fit(x)
        wanted = peer.transform(x)
        for side in self.bench.sides:
            one = side.estimator(x, "Normalizer", {})
            fitted = one.fit()
            got = one.transform(fitted)
            same_bits(f"Normalizer ({side.name})", np.asarray(getattr(got, "array", got)), wanted)
            if side.name == "C":
                sides["C, warm"] = lambda one=one, fitted=fitted: one.transform(fitted, warm)
            sides[side.name] = lambda one=one, fitted=fitted: one.transform(fitted)
        del wanted, got
        sides["peer"] = lambda: peer.transform(x)
        title = f"Normalizer transform, {self.shape[0]} × {self.shape[1]}"
        self.transforms(title, sides, x, 10, None)
        sides.pop("C, warm", None)
        self.bench.in_new_memory(title, sides, x)

    def transforms(self, title, sides, x, target, limit_target):
        """Rows for recycled output, by both, and for warm output, by C alone."""
        times = interleave(sides, self.bench.rounds)
        self.report.add(f"{title}, recycled output", times, target=target, limit="copy",
                        minimal_bytes=2 * x.nbytes)
        if "C, warm" in times:
            warm = {name: seconds for name, seconds in times.items() if name not in ("C", "Python")}
            self.report.add(f"{title}, warm output", warm, suffix=", warm", target=target, limit="copy",
                            limit_target=limit_target, minimal_bytes=2 * x.nbytes)

    def chain(self):
        x, warm = empty(self.shape, np.float32), empty(self.shape, np.float32)
        random = np.random.default_rng(4)
        x[...] = random.lognormal(size=self.shape)
        x[random.random(self.shape, dtype=np.float32) < 0.1] = np.nan
        warm[:] = 0
        peer, made = peers().fit(x), {side.name: Chain(side, x) for side in self.bench.sides}
        fits = {name: one.fit() for name, one in made.items()}
        wanted = peer.transform(x)
        for name, one in made.items():
            for mine, theirs in zip(one.scaler(fits[name]), (peer[-1].mean_, peer[-1].scale_)):
                if np.abs(mine / theirs - 1).max() > 1e-5:  # its imputer's float32 means are rough
                    raise Wrong(f"chain ({name}): off by {np.abs(mine / theirs - 1).max()}")
            got = one.transform(fits[name], warm)
            if np.abs((got if name == "Python" else warm) - wanted).max() > 1e-4:
                raise Wrong(f"chain ({name}): other numbers than scikit-learn's")
        others = self.bench.others.chained(x, peer[0].statistics_, LIMITS.values(), peer[-1].mean_,
                                           peer[-1].scale_, warm, wanted)
        del wanted, got
        title = f"impute (10 % NaN), clip, log1p, scale, {self.shape[0]} × {self.shape[1]}"
        times = interleave({"read": lambda: self.limits("read", x), **{n: e.fit for n, e in made.items()},
                            "peer": lambda: peers().fit(x)}, self.bench.rounds)
        self.report.add(f"{title}, fit", times, target=20, limit="read", minimal_bytes=x.nbytes)
        sides = {"copy": lambda: self.limits("copy", x, warm)}
        if "C" in made:
            sides["C, warm"] = lambda: made["C"].transform(fits["C"], warm)
        sides |= {n: lambda n=n, e=e: e.transform(fits[n], None) for n, e in made.items()}
        sides |= {"peer": lambda: peer.transform(x), **others}
        self.transforms(f"{title}, transform", sides, x, 20, 1 / 1.4)
