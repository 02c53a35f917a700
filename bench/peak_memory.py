#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much memory fits and transforms take beside their input and output.

    PYTHONPATH=build/release/python python bench/peak_memory.py [--rows 1000000] [--columns 50] [--only Robust]

Every case runs in a process of its own, forked from one that has imported everything and called nothing: once on
a few rows, so that what is loaded once is there, and then on the matrix (float32). Linux only: the kernel's high-water
mark of resident memory is set back before each call. A fit may take a tenth of the input and 64 MB; a transform its
output and the same 64 MB for tables and stacks."""
import argparse
import importlib
import json
import multiprocessing
import pathlib
import sys
import warnings

ALLOWED = 64e6
# (module, class, parameters, missing values of a hundred, what a fit keeps by its nature in bytes a value,
# and where not all rows and columns are wanted, since the case would take minutes: parts of them)
CASES = [
    ("preprocessing", "StandardScaler", {}, 0, 0),
    ("preprocessing", "MinMaxScaler", {}, 0, 0),
    ("preprocessing", "MaxAbsScaler", {}, 0, 0),
    ("preprocessing", "RobustScaler", {}, 0, 0),
    ("preprocessing", "Normalizer", {}, 0, 0),
    ("preprocessing", "Binarizer", {}, 0, 0),
    ("impute", "SimpleImputer", {"strategy": "mean"}, 10, 0),
    ("impute", "SimpleImputer", {"strategy": "median"}, 10, 0),
    ("impute", "SimpleImputer", {"strategy": "most_frequent"}, 10, 0),
    ("preprocessing", "KBinsDiscretizer", {"encode": "ordinal", "subsample": None}, 0, 0),
    ("preprocessing", "KBinsDiscretizer", {"encode": "ordinal", "strategy": "kmeans"}, 0, 0),
    ("preprocessing", "QuantileTransformer", {}, 0, 0),
    ("preprocessing", "QuantileTransformer", {"subsample": None}, 0, 0),
    ("preprocessing", "PowerTransformer", {}, 0, 0),
    ("preprocessing", "FunctionTransformer", {"func": "log1p(x) / (x0 + 40)"}, 0, 0),
    ("preprocessing", "SplineTransformer", {"n_knots": 3, "degree": 2}, 0, 0),
    ("preprocessing", "SplineTransformer", {"knots": "quantile", "degree": 1}, 0, 0),
    ("preprocessing", "PolynomialFeatures", {}, 0, 0, 1 / 5, 2 / 5),
    ("impute", "KNNImputer", {}, 10, 4, 1 / 50, 2 / 5),
    ("impute", "IterativeImputer", {"max_iter": 2}, 10, 0),
    ("impute", "IterativeImputer", {"max_iter": 1, "add_indicator": True}, 10, 0),
    ("impute", "MissingIndicator", {}, 10, 0),
    ("preprocessing", "MeanNormalizationScaler", {}, 0, 0),
    ("preprocessing", "Clipper", {"lower": -1, "upper": 2}, 0, 0),
    ("preprocessing", "CyclicalFeatures", {}, 0, 0),
    ("preprocessing", "Winsorizer", {"tail": "both"}, 0, 0),
    ("preprocessing", "Winsorizer", {"capping_method": "quantiles"}, 0, 0),
    ("preprocessing", "Winsorizer", {"capping_method": "mad"}, 0, 0),
    ("preprocessing", "Bucketizer", {"edges": [-9, -1, 0, 1, 9]}, 0, 0),
    ("feature_selection", "VarianceThreshold", {}, 0, 0),
    ("feature_selection", "SelectKBest", {}, 0, 0),
]


def status(word):
    """Bytes of a line of /proc/self/status."""
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(word))


def peak_of(call):
    """(what the call gives, bytes that it needed at most beyond those before it)."""
    import quern

    quern.output_memory().trim()  # what is kept of outputs would hide as much of what is new
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status("VmRSS:")
    made = call()
    return made, max(0, status("VmHWM:") - before)


def measure(case, rows, columns):
    """One case, in this process."""
    import numpy as np

    module, name, parameters, missing, _, *parts = case
    if parts:
        rows, columns = round(rows * parts[0]), max(2, round(columns * parts[1]))
    make = getattr(importlib.import_module(f"quern.{module}"), name)
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, columns), dtype=np.float32)
    for first in range(0, rows if missing else 0, 1 << 16):
        part = x[first:first + (1 << 16)]
        part[random.random(part.shape, dtype=np.float32) < missing / 100] = np.nan
    y = (x[:, 0] > 0).astype(np.int64) if name.startswith("Select") else None
    few = x[:1000].copy()
    make(**parameters).fit(few, None if y is None else y[:1000]).transform(few)
    fitted, fit = peak_of(lambda: make(**parameters).fit(x, y))
    out, transform = peak_of(lambda: fitted.transform(x))
    size = out.nbytes if hasattr(out, "nbytes") else out.data.nbytes + out.indices.nbytes + out.indptr.nbytes
    return {"input": x.nbytes, "fit": fit, "output": size, "transform": transform}


def alone(*words):
    """measure() in a process of its own."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measure, words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--only", default="", help="the beginning of a class name")
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "\\[IterativeImputer\\] Early")  # it has its memory by then
    for module in {"numpy", *(f"quern.{case[0]}" for case in CASES)}:
        importlib.import_module(module)
    print("| case | input, MB | fit: extra, MB | allowed | output, MB | transform: beyond its output, MB | met |")
    print("|---|---|---|---|---|---|---|")
    rows, bad = [], 0
    for case in CASES:
        _, name, parameters, missing, kept, *_ = case
        if not name.startswith(args.only):
            continue
        words = ", ".join(f"{word}={value!r}" for word, value in parameters.items())
        title = f"{name}({words})" + (f", {missing} % NaN" if missing else "")
        found = alone(case, args.rows, args.columns)
        allowed = found["input"] / 10 + ALLOWED + kept * found["input"] / 4
        beyond = max(0, found["transform"] - found["output"])
        met = found["fit"] <= allowed and beyond <= ALLOWED
        bad += not met
        rows.append({"case": title, **found, "allowed": allowed, "met": met})
        print(f"| {title} | {found['input'] / 1e6:.0f} | {found['fit'] / 1e6:.1f} | {allowed / 1e6:.0f} | "
              f"{found['output'] / 1e6:.0f} | {beyond / 1e6:.1f} | {'yes' if met else '**no**'} |", flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
