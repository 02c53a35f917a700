# SPDX-License-Identifier: Apache-2.0
"""A mixed pipeline beside scikit-learn's, one row from C, and CSV beside pandas and Polars."""
import gzip
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp
from sklearn import compose, impute, pipeline, preprocessing

import quern_ctypes as q
from measure import HERE, Wrong, close, empty, interleave, same_bits
from sides import adult_transformer

NAMES = ("adult", "row", "csv")


class TableCases:
    """bench: what bench_main.Bench has: sides, limits, rounds, report."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits

    def run(self):
        for name in NAMES:
            if self.bench.wanted(name):
                getattr(self, name)()

    def adult(self):
        folder = data_folder()
        if folder is None:
            return
        rows = 20_000 if self.bench.args.quick else 1_000_000
        parts = [pd.read_csv(folder / f"adult_{name}.csv", na_values=["?"]) for name in ("train", "test")]
        once = pd.concat(parts, ignore_index=True).drop(columns="income")
        frame = once.iloc[np.arange(rows) % len(once)].reset_index(drop=True)
        numbers = [c for c in frame if pd.api.types.is_numeric_dtype(frame[c])]
        words = [c for c in frame if c not in numbers]
        ours = {side.name: side.adult(frame, numbers, words) for side in self.bench.sides}

        def peer(sparse):
            return adult_transformer(compose, impute, pipeline, preprocessing, numbers, words, sparse)

        shape = self.check_adult(ours, peer, frame)
        warm = empty(shape, np.float64)
        warm[:] = 0
        for sparse in (False, True):
            sides = {"fill": lambda: self.limits("fill", warm)} if not sparse else {}
            sides |= {name: lambda a=a: a.fit_transform(sparse) for name, a in ours.items()}
            if not sparse and "C" in ours:  # scikit-learn's interface has no way to hand an output in
                sides["C, warm"] = lambda: ours["C"].fit_transform(False, warm)
            sides["peer"] = lambda: peer(sparse).fit_transform(frame)
            times = interleave(sides, self.bench.rounds)
            case = f"Adult pipeline, {rows} rows, fit + transform, " + ("sparse" if sparse else "dense")
            self.report.add(case, times, target=15, limit="fill", minimal_bytes=warm.nbytes,
                            note="" if sparse else "recycled output")
            if "C, warm" in sides:
                self.report.add(case, times, suffix=", warm", limit="fill", minimal_bytes=warm.nbytes,
                                note="warm output")

    def check_adult(self, ours, peer, frame):
        """All sides beside the peer, which gets each side's means and deviations; the output's shape."""
        for sparse in (False, True):
            fitted = peer(sparse).fit(frame)
            scaler = fitted.named_transformers_["n"][-1]
            for adult in ours.values():
                result, model = adult.fit_transform(sparse)
                mean, scale = adult.moments(model)
                close("mean_", mean, scaler.mean_, 1e-9)
                close("scale_", scale, scaler.scale_, 1e-9)
                scaler.mean_, scaler.scale_ = mean, scale
                theirs = fitted.transform(frame)
                if not sparse:
                    same_bits("Adult", adult.array(result), theirs)
                    continue
                theirs = sp.csr_matrix(theirs)
                for name in ("indptr", "indices", "data"):
                    if not np.array_equal(getattr(result, name), getattr(theirs, name)):
                        raise Wrong(f"Adult, sparse: {name} differs")
        return theirs.shape

    def row(self):
        c = self.bench.c
        if c is None:
            return
        n, random = 1000, np.random.default_rng(9)
        x = random.standard_normal((n, 16))
        names = [f"c{i}" for i in range(16)]
        words = np.array([f"a{i}" for i in range(10)])
        program = os.path.join(self.bench.folder, "row_latency")
        libraries = os.path.dirname(c.library.path)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-o",
                        program, str(HERE / "row_latency.c"), "-I", str(HERE.parent / "include"), "-L",
                        libraries, "-lquern", "-Wl,-rpath," + libraries], check=True)
        for case, numbers in (("16 numbers, impute and scale", 16),
                              ("8 numbers, impute and scale; 8 strings, one-hot", 8)):
            columns = {names[i]: pa.array(x[:, i]) if i < numbers else
                       pa.array(words[random.permutation(np.arange(n) % 10)].tolist())
                       for i in range(16)}
            steps = [{"columns": names[:numbers], "apply": ["SimpleImputer", "StandardScaler"]}]
            if numbers < 16:
                steps.append({"columns": names[numbers:], "apply": ["OneHotEncoder"]})
            table = q.Table.from_arrow(c.library, pa.table(columns))
            model = c.cpu.fit(q.Pipeline(c.library, {"quern": 1, "steps": steps}), table)
            path = os.path.join(self.bench.folder, "row.qrn")
            model.save(path)
            count = "1000" if self.bench.args.quick else "100000"
            said = subprocess.run([program, path, count], check=True, capture_output=True, text=True).stdout
            times = {"C": [float(line) * 1e-9 for line in said.split()]}
            self.report.add(f"one row from C, {case}", times, most=1e-6 if numbers == 16 else None,
                            note=f"{min(times['C']) * 1e9:.0f} ns")

    def csv(self):
        folder = data_folder()
        if folder is None:
            return
        path = os.path.join(self.bench.folder, "flights.csv")
        with gzip.open(folder / "flights_nyc_304k.csv.gz") as packed, open(path, "wb") as plain:
            shutil.copyfileobj(packed, plain)
        if self.bench.args.quick:
            lines = pathlib.Path(path).read_bytes().split(b"\n")[:5001]
            pathlib.Path(path).write_bytes(b"\n".join(lines) + b"\n")
        size = os.path.getsize(path)
        frame = pd.read_csv(path, engine="c")
        for side in self.bench.sides:
            check_csv(list(side.columns(side.read_csv(path))), frame)
        times = interleave({**{s.name: lambda s=s: s.read_csv(path) for s in self.bench.sides},
                            "peer": lambda: pd.read_csv(path, engine="c"),
                            "peer, polars": lambda: pl.read_csv(path, infer_schema_length=10000),
                            "peer, polars, dates": lambda: pl.read_csv(path, infer_schema_length=10000,
                                                                       try_parse_dates=True)},
                           self.bench.rounds)
        case = f"CSV reading, {len(frame)} rows, {size / 1e6:.1f} MB"
        self.report.add(case, times, target=3, note="pandas, C engine")
        self.report.add(case, times, target=0.7, peer="peer, polars",
                        note="Polars, which leaves datetimes as strings")
        self.report.add(case, times, peer="peer, polars, dates", note="Polars with try_parse_dates")


def check_csv(columns, frame):
    """Every cell of columns (name, kind, values, present) beside pandas'."""
    if [name for name, *_ in columns] != list(frame.columns):
        raise Wrong(f"CSV: columns {[name for name, *_ in columns]}")
    for name, kind, values, present in columns:
        column = frame[name]
        if not np.array_equal(present & ~_nan(values), column.notna()):
            raise Wrong(f"CSV: column {name}: missing cells differ")
        if kind == "datetime":  # in microseconds
            column = pd.to_datetime(column).astype("datetime64[us]").astype(np.int64)
            equal = np.array_equal(values, column)
        elif kind == "string":
            mine = [v.decode() for v, p in zip(values, present) if p]
            equal = mine == column[column.notna()].tolist()
        else:
            equal = np.array_equal(values, column.to_numpy(), equal_nan=values.dtype.kind == "f")
        if not equal:
            raise Wrong(f"CSV: column {name}: cells differ")


def _nan(values):
    return np.isnan(values) if isinstance(values, np.ndarray) and values.dtype.kind == "f" else False


def data_folder():
    folder = os.environ.get("QUERN_DATA_DIR")
    if not folder:
        print("QUERN_DATA_DIR is not set: the cases over tables are skipped", file=sys.stderr)
        return None
    return pathlib.Path(folder)
