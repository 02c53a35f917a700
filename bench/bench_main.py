# SPDX-License-Identifier: Apache-2.0
"""The main job against its peers: scalers, imputers, a mixed pipeline, one row from C, OpenCL, CSV.

    python bench/bench_main.py --library build/release/lib/libquern.so [--only NAME] [--quick]
                               [--json F] [--markdown F]

How it is measured. Both sides run in this process, on the same arrays, with the same number of
threads. A round runs the limits (a plain read; a copy with non-temporal stores), then us, then the
peer; then the next round begins: whatever else the machine does hits all of them alike. Results are
compared in the same script: learned attributes with the peer's, outputs with what the peer computes
from our attributes, bit for bit. The limit is measured on arrays of the case's own size; traffic that
is counted is the least that the operation can do (fit: every value is read once; transform: every
value is read and written once). "warm" output was written before; "fresh" output is new memory, whose
pages the kernel has to clear first. "spread" is the distance of the quartiles over the median.
Processor time (of all threads together, the least of the runs) is shown beside the clock because it
hardly changes when other programs compete for the cores; a peer that uses one thread where we use two
looks better in it than it is. What is "met" is judged by the clock's minima.
"""
import os

THREADS = os.environ.setdefault("QUERN_BENCH_THREADS", "2")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS",
                 "ARROW_NUM_THREADS", "QUERN_NUM_THREADS"):
    os.environ[variable] = THREADS
THREADS = int(THREADS)

import argparse
import ctypes
import gc
import gzip
import json
import pathlib
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy
import scipy.sparse as sp
import sklearn
import threadpoolctl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

import quern_ctypes as q

HERE = pathlib.Path(__file__).resolve().parent


# ---- measuring ----

class Limits:
    """bench/limits.c, compiled for this machine."""

    def __init__(self, folder):
        path = os.path.join(folder, "limits.so")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O3", "-march=native", "-shared", "-fPIC", "-pthread", "-o", path,
                        str(HERE / "limits.c")], check=True)
        self.c = ctypes.CDLL(path)
        for name, pointers in (("read", 1), ("copy", 2), ("fill", 1)):
            f = getattr(self.c, "quern_limit_" + name)
            f.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_uint64, ctypes.c_uint]
            f.restype = ctypes.c_double

    def __call__(self, kind, *arrays):
        size = arrays[0].nbytes // 64 * 64
        return getattr(self.c, "quern_limit_" + kind)(*(a.ctypes.data for a in arrays), size, THREADS)


def empty(shape, dtype):
    """An array that begins at a multiple of 64 bytes."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first:first + size].view(dtype).reshape(shape)


class Times(dict):
    """Seconds of each side; `processor` has the processor seconds of the same runs."""

    def __init__(self, sides):
        super().__init__((name, []) for name in sides)
        self.processor = {name: [] for name in sides}


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def interleave(sides, rounds, often=3):
    """Seconds of each side, taken in turns; all but "peer" run `often` times a round. A side returns
    its own seconds (a float), or is timed."""
    times = Times(sides)
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name, run in sides.items():
            for _ in range(1 if name.startswith("peer") else often):
                used = processor_seconds()
                start = time.perf_counter()
                made = run()
                stop = time.perf_counter()
                times.processor[name].append(processor_seconds() - used)
                times[name].append(made if isinstance(made, float) else stop - start)
                del made
        gc.collect()
    gc.enable()
    return times


def figures(times):
    low, middle, high = np.percentile(times, [25, 50, 75])
    return {"min": min(times), "median": middle, "spread": (high - low) / middle, "runs": len(times)}


class Report:
    def __init__(self):
        self.rows = []

    def add(self, case, times, us="us", peer="peer", target=None, limit=None, limit_target=None,
            minimal_bytes=0, most=None, note=""):
        """A row of the table. target: what the peer's time is to be of ours, at least; most: seconds
        that ours may be."""
        mine = figures(times[us])
        row = {"case": case, "us": mine, "note": note}
        met = [mine["min"] <= most] if most is not None else []
        if peer in times:
            theirs = figures(times[peer])
            row |= {"peer": theirs, "ratio": theirs["median"] / mine["median"],
                    "ratio_of_minima": theirs["min"] / mine["min"], "target": target}
            if target is not None:
                met.append(row["ratio_of_minima"] >= target)
        if limit in times:
            bound = figures(times[limit])
            row |= {"limit": limit, "limit_gbs": minimal_bytes / bound["min"] / 1e9,
                    "of_limit": bound["median"] / mine["median"],
                    "of_limit_minima": bound["min"] / mine["min"], "limit_target": limit_target}
            if limit_target is not None:
                met.append(row["of_limit_minima"] >= limit_target)
        if met:
            row["met"] = all(met)
        if isinstance(times, Times):
            used = {name: min(times.processor[name]) for name in (us, peer, limit) if name in times}
            row["processor"] = {"us": used[us]}
            if peer in used:
                row["processor"]["ratio"] = used[peer] / used[us]
            if limit in used:
                row["processor"]["of_limit"] = used[limit] / used[us]
        self.rows.append(row)
        print(markdown_row(row), flush=True)


def milliseconds(f):
    return f"{f['min'] * 1e3:.4g} / {f['median'] * 1e3:.4g} ± {f['spread'] * 100:.0f} %"


HEADER = ("| case | us: min / median ± spread, ms | peer: min / median ± spread, ms | peer / us: minima "
          "(medians) | wanted | of the limit: minima (medians) | wanted | met | processor time: us, ms; peer "
          "/ us; of the limit |\n|---|---|---|---|---|---|---|---|---|")


def markdown_row(r):
    cells = [r["case"] + (f" ({r['note']})" if r["note"] else ""), milliseconds(r["us"])]
    if "peer" in r:
        cells += [milliseconds(r["peer"]), f"{r['ratio_of_minima']:.3g} ({r['ratio']:.3g})",
                  f"{r['target']:g}" if r["target"] is not None else ""]
    else:
        cells += ["", "", ""]
    if "limit" in r:
        cells += [f"{r['of_limit_minima'] * 100:.0f} % ({r['of_limit'] * 100:.0f} %) of {r['limit']} at "
                  f"{r['limit_gbs']:.1f} GB/s",
                  f"{r['limit_target'] * 100:.0f} %" if r["limit_target"] is not None else ""]
    else:
        cells += ["", ""]
    cells.append({True: "yes", False: "**no**", None: ""}[r.get("met")])
    used = r.get("processor")
    cells.append("" if used is None else "; ".join(
        [f"{used['us'] * 1e3:.4g}", f"{used['ratio']:.3g}" if "ratio" in used else "–",
         f"{used['of_limit'] * 100:.0f} %" if "of_limit" in used else "–"]))
    return "| " + " | ".join(cells) + " |"


class Wrong(Exception):
    pass


def same_bits(what, a, b):
    if a.dtype != b.dtype or a.shape != b.shape:
        raise Wrong(f"{what}: {a.dtype}{a.shape} against {b.dtype}{b.shape}")
    kind = {4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
    step = max(1, (1 << 22) // max(1, a.shape[-1]))
    for i in range(0, a.shape[0], step):
        if not np.array_equal(np.ascontiguousarray(a[i:i + step]).view(kind),
                              np.ascontiguousarray(b[i:i + step]).view(kind)):
            raise Wrong(f"{what}: bits differ from the peer's")


def close(what, a, b, within):
    scale = np.maximum(np.abs(b), 1e-300)
    off = float(np.max(np.abs(np.asarray(a) - b) / scale))
    if not off <= within:
        raise Wrong(f"{what}: off by {off:.3g}, allowed {within:.3g}")


# ---- the cases ----

class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.library = q.Library(args.library)
        self.limits = Limits(folder)
        self.report = Report()
        self.cpu = q.Context(self.library, "cpu", THREADS)
        self.rounds = args.rounds or (2 if args.quick else 7)
        self.shapes = [(20_000, 50), (50_000, 16)] if args.quick else [(1_000_000, 50), (10_000_000, 16)]
        self.random = np.random.default_rng(7)
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

    def pipeline(self, *apply):
        return q.Pipeline(self.library, {"quern": 1, "steps": [{"columns": "*", "apply": list(apply)}]})

    def wanted(self, name):
        return not self.args.only or any(name.startswith(o) for o in self.args.only)

    def fit_case(self, name, x, spec, peer, check, target, limit_target=None):
        table, pipeline = q.Table.from_matrix(self.library, x), self.pipeline(spec)
        times = interleave({"read": lambda: self.limits("read", x),
                            "us": lambda: self.cpu.fit(pipeline, table),
                            "peer": lambda: peer().fit(x)}, self.rounds)
        model = self.cpu.fit(pipeline, table)
        fitted = peer().fit(x)
        check(model.attributes(), fitted)
        self.report.add(f"{name} fit, {x.shape[0]} × {x.shape[1]}", times, target=target, limit="read",
                        limit_target=limit_target, minimal_bytes=x.nbytes)
        return model, fitted

    def transform_case(self, name, x, spec, fitted, adopt, target, limit_target=None):
        table, pipeline = q.Table.from_matrix(self.library, x), self.pipeline(spec)
        model = self.cpu.fit(pipeline, table)
        adopt(fitted, model.attributes())
        warm = empty(x.shape, np.float32)
        warm[:] = 0
        times = interleave({"copy": lambda: self.limits("copy", x, warm),
                            "us": lambda: self.cpu.transform(model, table, warm),
                            "us, fresh": lambda: self.cpu.transform(model, table),
                            "peer": lambda: fitted.transform(x)}, self.rounds)
        self.cpu.transform(model, table, warm)
        theirs = fitted.transform(x)
        same_bits(f"{name} transform", warm, theirs)
        del theirs
        case = f"{name} transform, {x.shape[0]} × {x.shape[1]}"
        self.report.add(case + ", warm output", times, target=target, limit="copy",
                        limit_target=limit_target, minimal_bytes=2 * x.nbytes)
        self.report.add(case + ", fresh output", times, us="us, fresh", limit="copy",
                        minimal_bytes=2 * x.nbytes)

    def standard(self, shape):
        def check(mine, theirs):
            close("mean_", mine["mean_"] / theirs.scale_, theirs.mean_ / theirs.scale_, 1e-9)
            close("scale_", mine["scale_"], theirs.scale_, 1e-9)

        def adopt(fitted, mine):
            fitted.mean_, fitted.scale_ = mine["mean_"], mine["scale_"]

        x = self.matrix(shape)
        _, fitted = self.fit_case("StandardScaler", x, "StandardScaler", StandardScaler, check, 25, 0.7)
        self.transform_case("StandardScaler", x, "StandardScaler", fitted, adopt, 10, 0.7)

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
        _, fitted = self.fit_case("MinMaxScaler", x, "MinMaxScaler", MinMaxScaler, check, 8)
        self.transform_case("MinMaxScaler", x, "MinMaxScaler", fitted, adopt, 8)

    def robust(self, shape):
        def check(mine, theirs):
            for name in ("center_", "scale_"):
                close(name, mine[name], np.float64(getattr(theirs, name)), 1e-12)

        self.fit_case("RobustScaler", self.matrix(shape), "RobustScaler", RobustScaler, check, 15)

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

        self.fit_case("SimpleImputer(median), 10 % NaN,", x, {"SimpleImputer": {"strategy": "median"}},
                      lambda: SimpleImputer(strategy="median"), check, 30)

    def opencl(self, shape):
        try:
            device = q.Context(self.library, "opencl:0", THREADS)
        except q.QuernError as reason:
            print(f"no OpenCL: {reason}", file=sys.stderr)
            return
        x = self.matrix(shape)
        table, pipeline = q.Table.from_matrix(self.library, x), self.pipeline("StandardScaler")
        out = empty(x.shape, np.float32)
        out[:] = 0
        times = interleave({"read": lambda: self.limits("read", x),
                            "us": lambda: device.fit(pipeline, table),
                            "peer": lambda: self.cpu.fit(pipeline, table)}, self.rounds)
        model, same = device.fit(pipeline, table), self.cpu.fit(pipeline, table)
        if model.to_bytes() != same.to_bytes():
            raise Wrong("the models of opencl:0 and cpu differ")
        case = f"{x.shape[0]} × {x.shape[1]}, opencl:0 against cpu"
        self.report.add(f"StandardScaler fit, {case}", times, target=0.5, limit="read",
                        minimal_bytes=x.nbytes)
        times = interleave({"copy": lambda: self.limits("copy", x, out),
                            "us": lambda: device.transform(model, table, out),
                            "peer": lambda: self.cpu.transform(model, table, out)}, self.rounds)
        device.transform(model, table, out)
        other = self.cpu.transform(model, table)
        same_bits("transform on opencl:0", out, other.array)
        self.report.add(f"StandardScaler transform, {case}, warm output", times, target=0.5,
                        limit="copy", minimal_bytes=2 * x.nbytes)
        for d in device.decisions():
            if d["device"] != "opencl:0":
                raise Wrong(f"not on the device: {d}")

    def adult(self):
        folder = data_folder()
        if folder is None:
            return
        rows = 20_000 if self.args.quick else 1_000_000
        parts = [pd.read_csv(folder / f"adult_{name}.csv", na_values=["?"]) for name in ("train", "test")]
        once = pd.concat(parts, ignore_index=True).drop(columns="income")
        frame = once.iloc[np.arange(rows) % len(once)].reset_index(drop=True)
        numbers = [c for c in frame if pd.api.types.is_numeric_dtype(frame[c])]
        words = [c for c in frame if c not in numbers]
        arrow = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
        arrow = arrow.cast(pa.schema([(f.name, pa.string()) if pa.types.is_large_string(f.type)
                                      else f for f in arrow.schema])).combine_chunks()
        table = q.Table.from_arrow(self.library, arrow)
        spec = {"quern": 1, "steps": [
            {"columns": numbers, "apply": ["SimpleImputer", "StandardScaler"]},
            {"columns": words, "apply": [{"SimpleImputer": {"strategy": "most_frequent"}},
                                         {"OneHotEncoder": {"handle_unknown": "ignore"}}]}]}
        pipeline = q.Pipeline(self.library, spec)

        def peer(sparse):
            return ColumnTransformer([
                ("n", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                ("c", make_pipeline(SimpleImputer(strategy="most_frequent"),
                                    OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)),
                 words)], sparse_threshold=1.0 if sparse else 0.0)

        result, model = self.cpu.fit_transform(pipeline, table)
        warm = empty(result.array.shape, np.float64)
        warm[:] = 0
        for sparse in (False, True):
            fitted = peer(sparse).fit(frame)
            scaler = fitted.named_transformers_["n"][-1]
            mine = model.attributes(0, 1)
            close("mean_", mine["mean_"], scaler.mean_, 1e-9)
            close("scale_", mine["scale_"], scaler.scale_, 1e-9)
            scaler.mean_, scaler.scale_ = mine["mean_"], mine["scale_"]
            theirs = fitted.transform(frame)
            if not sparse:
                same_bits("Adult", result.array, theirs)
                continue
            csr, _ = self.cpu.fit_transform(pipeline, table, sparse=True)
            theirs = sp.csr_matrix(theirs)
            for name in ("indptr", "indices", "data"):
                if not np.array_equal(getattr(csr, name), getattr(theirs, name)):
                    raise Wrong(f"Adult, sparse: {name} differs")
            del csr
        del theirs, result
        for sparse in (False, True):
            sides = {"fill": lambda: self.limits("fill", warm)} if not sparse else {}
            sides["us"] = lambda: self.cpu.fit_transform(pipeline, table, sparse=sparse)
            if not sparse:
                sides["us, warm"] = lambda: self.cpu.fit_transform(pipeline, table, warm)
            sides["peer"] = lambda: peer(sparse).fit_transform(frame)
            times = interleave(sides, self.rounds)
            case = f"Adult pipeline, {rows} rows, fit + transform, " + ("sparse" if sparse else "dense")
            self.report.add(case, times, target=15, limit="fill", minimal_bytes=warm.nbytes,
                            note="" if sparse else "fresh output")
            if not sparse:
                self.report.add(case, times, us="us, warm", limit="fill", minimal_bytes=warm.nbytes,
                                note="warm output")

    def row(self):
        n = 1000
        x = self.random.standard_normal((n, 16))
        names = [f"c{i}" for i in range(16)]
        words = np.array([f"a{i}" for i in range(10)])
        program = os.path.join(self.folder, "row_latency")
        libraries = os.path.dirname(self.library.path)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-o",
                        program, str(HERE / "row_latency.c"), "-I", str(HERE.parent / "include"), "-L",
                        libraries, "-lquern", "-Wl,-rpath," + libraries], check=True)
        for case, numbers in (("16 numbers, impute and scale", 16),
                              ("8 numbers, impute and scale; 8 strings, one-hot", 8)):
            columns = {names[i]: pa.array(x[:, i]) if i < numbers else
                       pa.array(words[self.random.permutation(np.arange(n) % 10)].tolist())
                       for i in range(16)}
            steps = [{"columns": names[:numbers], "apply": ["SimpleImputer", "StandardScaler"]}]
            if numbers < 16:
                steps.append({"columns": names[numbers:], "apply": ["OneHotEncoder"]})
            arrow = pa.table(columns)
            table = q.Table.from_arrow(self.library, arrow)
            model = self.cpu.fit(q.Pipeline(self.library, {"quern": 1, "steps": steps}), table)
            path = os.path.join(self.folder, "row.qrn")
            model.save(path)
            said = subprocess.run([program, path, "1000" if self.args.quick else "100000"], check=True,
                                  capture_output=True, text=True).stdout
            times = {"us": [float(line) * 1e-9 for line in said.split()]}
            self.report.add(f"one row from C, {case}", times, most=1e-6 if numbers == 16 else None,
                            note=f"{min(times['us']) * 1e9:.0f} ns")

    def csv(self):
        folder = data_folder()
        if folder is None:
            return
        path = os.path.join(self.folder, "flights.csv")
        with gzip.open(folder / "flights_nyc_304k.csv.gz") as packed, open(path, "wb") as plain:
            shutil.copyfileobj(packed, plain)
        if self.args.quick:
            lines = open(path, "rb").read().split(b"\n")[:5001]
            open(path, "wb").write(b"\n".join(lines) + b"\n")
        size = os.path.getsize(path)
        frame = pd.read_csv(path, engine="c")
        self.check_csv(self.cpu.read(path), frame)
        times = interleave({"us": lambda: self.cpu.read(path),
                            "peer": lambda: pd.read_csv(path, engine="c"),
                            "peer, polars": lambda: pl.read_csv(path, infer_schema_length=10000),
                            "peer, polars, dates": lambda: pl.read_csv(path, infer_schema_length=10000,
                                                                       try_parse_dates=True)},
                           self.rounds)
        case = f"CSV reading, {len(frame)} rows, {size / 1e6:.1f} MB"
        self.report.add(case, times, target=3, note="pandas, C engine")
        self.report.add(case, times, target=0.7, peer="peer, polars",
                        note="Polars, which leaves datetimes as strings")
        self.report.add(case, times, peer="peer, polars, dates", note="Polars with try_parse_dates")

    def check_csv(self, table, frame):
        if table.shape != frame.shape:
            raise Wrong(f"CSV: {table.shape} against {frame.shape}")
        for i, name in enumerate(frame.columns):
            mine_name, kind, values, present = table.column(i)
            column = frame[name]
            if mine_name != name or not np.array_equal(present & ~_nan(values), column.notna()):
                raise Wrong(f"CSV: column {name}: names or missing cells differ")
            if kind == 12:  # datetime, in microseconds
                column = pd.to_datetime(column).astype("datetime64[us]").astype(np.int64)
                equal = np.array_equal(values, column)
            elif kind == q.STRING:
                mine = [v.decode() for v, p in zip(values, present) if p]
                equal = mine == column[column.notna()].tolist()
            else:
                equal = np.array_equal(values, column.to_numpy(), equal_nan=kind in (9, 10))
            if not equal:
                raise Wrong(f"CSV: column {name}: cells differ")

    def run(self):
        print(HEADER, flush=True)
        for shape in self.shapes:
            for name in ("standard", "minmax", "robust", "opencl", "median"):
                if self.wanted(f"{name}-{shape[1]}"):
                    getattr(self, name)(shape)
        self.matrix_of = (None, None)
        for name in ("adult", "row", "csv"):
            if self.wanted(name):
                getattr(self, name)()


def _nan(values):
    return np.isnan(values) if isinstance(values, np.ndarray) and values.dtype.kind == "f" else False


def data_folder():
    folder = os.environ.get("QUERN_DATA_DIR")
    if not folder:
        print("QUERN_DATA_DIR is not set: the cases over tables are skipped", file=sys.stderr)
        return None
    return pathlib.Path(folder)


# ---- what it ran on ----

def environment(library):
    cpu = platform.processor() or "unknown"
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
        cpu = models[0] if models else cpu
    except OSError:
        pass
    blas = sorted({f"{b['internal_api']} {b['version']} ({b.get('architecture', '?')})"
                   for b in threadpoolctl.threadpool_info() if b["user_api"] == "blas"})
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "threads": THREADS,
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "quern": library.version,
            "peers": {"python": platform.python_version(), "scikit-learn": sklearn.__version__,
                      "numpy": np.__version__, "scipy": scipy.__version__, "pandas": pd.__version__,
                      "polars": pl.__version__, "pyarrow": pa.__version__}, "blas": blas,
            "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE", "not set")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", default=str(HERE.parent / "build/release/lib/libquern.so"))
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that the script runs")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="standard-50, minmax, robust-16, opencl, median, adult, row, csv; "
                             "the beginning of a name will do; may be repeated")
    parser.add_argument("--rounds", type=int, help="default 7")
    parser.add_argument("--json", help="write everything here")
    parser.add_argument("--markdown", help="write the table here")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder, threadpoolctl.threadpool_limits(THREADS):
        bench = Bench(args, folder)
        where = environment(bench.library)
        print(json.dumps(where), file=sys.stderr)
        bench.run()
    command = "python bench/bench_main.py " + shlex.join(
        a for a in sys.argv[1:] if not a.startswith(("/", "build/")))
    found = {"environment": where, "rounds": bench.rounds, "command": command, "rows": bench.report.rows}
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(found, indent=1, default=float) + "\n")
    if args.markdown:
        lines = [HEADER] + [markdown_row(r) for r in bench.report.rows]
        pathlib.Path(args.markdown).write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
