# SPDX-License-Identifier: Apache-2.0
"""Scalers and an imputer over a matrix of float32, beside scikit-learn's; OpenCL beside the CPU."""
import sys

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

import quern_ctypes as q
from measure import Wrong, close, empty, interleave, same_bits

NAMES = ("standard", "minmax", "robust", "opencl", "median")


class MatrixCases:
    """bench: what bench_main.Bench has: sides, limits, rounds, report."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits
        self.random = np.random.default_rng(7)
        self.matrix_of = (None, None)

    def run(self):
        quick = self.bench.args.quick
        for shape in [(20_000, 50), (50_000, 16)] if quick else [(1_000_000, 50), (10_000_000, 16)]:
            for name in NAMES:
                if self.bench.wanted(f"{name}-{shape[1]}"):
                    getattr(self, name)(shape)
        self.matrix_of = (None, None)

    def matrix(self, shape):
        if self.matrix_of[0] != shape:
            self.matrix_of = (None, None)
            x = empty(shape, np.float32)
            self.random.standard_normal(out=x, dtype=np.float32)
            x *= np.linspace(0.5, 20, shape[1], dtype=np.float32)
            x += np.linspace(-30, 30, shape[1], dtype=np.float32)
            self.matrix_of = (shape, x)
        return self.matrix_of[1]

    def fit_case(self, title, x, name, parameters, peer, check, target, limit_target=None, others=None):
        """A row; {side: (estimator, fitted)} and the fitted peer."""
        ours = {s.name: s.estimator(x, name, parameters) for s in self.bench.sides}
        sides = {"read": lambda: self.limits("read", x), **{n: e.fit for n, e in ours.items()},
                 "peer": lambda: peer().fit(x)}
        fitted, made = peer().fit(x), {}
        if others is not None:
            sides |= others(fitted)
        times = interleave(sides, self.bench.rounds)
        for side, estimator in ours.items():
            made[side] = estimator, estimator.fit()
            check(estimator.attributes(made[side][1]), fitted)
        self.report.add(f"{title} fit, {x.shape[0]} × {x.shape[1]}", times, target=target, limit="read",
                        limit_target=limit_target, minimal_bytes=x.nbytes)
        return made, fitted

    def transform_case(self, title, x, made, fitted, adopt, target, limit_target=None, others=None):
        warm = empty(x.shape, np.float32)
        warm[:] = 0
        sides = {"copy": lambda: self.limits("copy", x, warm)}
        for side, (estimator, model) in made.items():
            sides[side] = lambda e=estimator, m=model: e.transform(m, warm)
        again = {side: lambda e=estimator, m=model: e.transform(m) for side, (estimator, model) in made.items()}
        sides |= {side + ", recycled": call for side, call in again.items()}
        sides["peer"] = lambda: fitted.transform(x)
        for estimator, model in made.values():
            adopt(fitted, estimator.attributes(model))
            estimator.transform(model, warm)
            same_bits(f"{title} transform", warm, fitted.transform(x))
        if others is not None:
            sides |= others(warm)
        times = interleave(sides, self.bench.rounds)
        case = f"{title} transform, {x.shape[0]} × {x.shape[1]}"
        self.report.add(case + ", warm output", times, target=target, limit="copy",
                        limit_target=limit_target, minimal_bytes=2 * x.nbytes)
        self.report.add(case + ", recycled output", times, suffix=", recycled", limit="copy",
                        minimal_bytes=2 * x.nbytes)
        if title == "StandardScaler":
            self.bench.in_new_memory(case, {"copy": sides["copy"], **again, "peer": sides["peer"]}, x)

    def standard(self, shape):
        def check(mine, theirs):
            close("mean_", mine["mean_"] / theirs.scale_, theirs.mean_ / theirs.scale_, 1e-9)
            close("scale_", mine["scale_"], theirs.scale_, 1e-9)

        def adopt(fitted, mine):
            fitted.mean_, fitted.scale_ = mine["mean_"], mine["scale_"]

        x = self.matrix(shape)
        others = self.bench.others
        made, fitted = self.fit_case("StandardScaler", x, "StandardScaler", {}, StandardScaler, check, 25,
                                     0.7, lambda peer: others.moments(x, peer.mean_, peer.scale_))
        self.transform_case("StandardScaler", x, made, fitted, adopt, 10, 0.7,
                            lambda out: others.scaled(x, fitted.mean_, fitted.scale_, out))

    def minmax(self, shape):
        def check(mine, theirs):
            for name in ("data_min_", "data_max_"):
                close(name, mine[name], getattr(theirs, name), 0)
            for name in ("scale_", "min_"):
                close(name, mine[name], getattr(theirs, name), 1e-6)

        def adopt(fitted, mine):
            # a float32 fit leaves float32 attributes
            fitted.scale_ = mine["scale_"].astype(fitted.scale_.dtype)
            fitted.min_ = mine["min_"].astype(fitted.min_.dtype)

        x = self.matrix(shape)
        others = self.bench.others
        made, fitted = self.fit_case("MinMaxScaler", x, "MinMaxScaler", {}, MinMaxScaler, check, 8, None,
                                     lambda peer: others.extremes(x, peer.data_min_, peer.data_max_))
        self.transform_case("MinMaxScaler", x, made, fitted, adopt, 8, None,
                            lambda out: others.scaled(x, fitted.min_, fitted.scale_, out, times=True))

    def robust(self, shape):
        def check(mine, theirs):
            for name in ("center_", "scale_"):
                close(name, mine[name], np.float64(getattr(theirs, name)), 1e-12)

        x = self.matrix(shape)
        self.fit_case("RobustScaler", x, "RobustScaler", {}, RobustScaler, check, 15, None,
                      lambda peer: self.bench.others.quantiles(x, peer.center_, peer.scale_))

    def median(self, shape):
        x = self.matrix(shape)
        missing = np.random.default_rng(8)
        step = 1 << 16
        for i in range(0, x.shape[0], step):
            part = x[i:i + step]
            part[missing.random(part.shape, dtype=np.float32) < 0.1] = np.nan
        self.matrix_of = (None, None)

        def check(mine, theirs):
            close("statistics_", mine["statistics_"], np.float64(theirs.statistics_), 0)

        self.fit_case("SimpleImputer(median), 10 % NaN,", x, "SimpleImputer", {"strategy": "median"},
                      lambda: SimpleImputer(strategy="median"), check, 30, None,
                      lambda peer: self.bench.others.medians(x, peer.statistics_))

    def opencl(self, shape):
        """Both through C, one device beside the other."""
        c = self.bench.c
        if c is None:
            return
        try:
            device = q.Context(c.library, "opencl:0", self.bench.threads)
        except q.QuernError as reason:
            print(f"no OpenCL: {reason}", file=sys.stderr)
            return
        x = self.matrix(shape)
        estimator = c.estimator(x, "StandardScaler", {})
        table, pipeline = estimator.table, estimator.pipeline
        out = empty(x.shape, np.float32)
        out[:] = 0
        times = interleave({"read": lambda: self.limits("read", x),
                            "C": lambda: device.fit(pipeline, table),
                            "peer": estimator.fit}, self.bench.rounds)
        model, same = device.fit(pipeline, table), estimator.fit()
        if model.to_bytes() != same.to_bytes():
            raise Wrong("the models of opencl:0 and cpu differ")
        case = f"{x.shape[0]} × {x.shape[1]}, opencl:0 against cpu"
        self.report.add(f"StandardScaler fit, {case}", times, target=0.5, limit="read",
                        minimal_bytes=x.nbytes)
        times = interleave({"copy": lambda: self.limits("copy", x, out),
                            "C": lambda: device.transform(model, table, out),
                            "peer": lambda: estimator.transform(model, out)}, self.bench.rounds)
        device.transform(model, table, out)
        other = estimator.transform(model)  # the array is a view of it
        same_bits("transform on opencl:0", out, other.array)
        self.report.add(f"StandardScaler transform, {case}, warm output", times, target=0.5,
                        limit="copy", minimal_bytes=2 * x.nbytes)
        for d in device.decisions():
            if d["device"] != "opencl:0":
                raise Wrong(f"not on the device: {d}")
