# SPDX-License-Identifier: Apache-2.0
"""Runs specs through quern and through scikit-learn and compares everything.

For every spec in specs/ (`<data set>__<what>.json`; `__matrix_…`: the data set's number columns as an
NPY matrix, float64 and float32):

  * `quern run` on every device of the matrix: models and outputs must have the same bytes, and the
    trace must show that everything ran on the device, but for what host_only.json lists;
  * `quern inspect`: learned attributes against exact arithmetic and scikit-learn's own error;
  * scikit-learn gets quern's attributes and transforms: shape, names, dtype and every bit must agree;
  * `quern transform` of a second table (cases.json), with categories never seen at the fit.

Exit status 0: all passed. The last line is "parity: N passed, N failed".
"""
import argparse
import csv
import fnmatch
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

import numpy as np
import pandas as pd
import scipy.sparse as sp

import attributes
import reference
from attributes import Mismatch

HERE = pathlib.Path(__file__).resolve().parent
DEVICES = "cpu:1,cpu:2,cpu:7,opencl:0"


# ---- cases ----


class Case:
    """One spec with one input, and possibly a second table to transform."""

    def __init__(self, label, spec, table, second=None):
        self.label, self.spec, self.table, self.second = label, spec, table, second


def find_input(data, stem):
    for ending in (".csv", ".csv.gz", ".tsv", ".parquet"):
        path = data / (stem + ending)
        if path.exists():
            return path
    raise FileNotFoundError(f"{data}/{stem}: no such data set")


def numbers_of(path, options):
    table = reference.read_csv(path, options)
    numbers = [c for c in table if table[c].dtype.kind in "iuf"]
    return np.ascontiguousarray(table[numbers].to_numpy(dtype=np.float64))


def head_of(path, rows, target):
    """The first lines of a CSV file without quoted line ends."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", newline="", encoding="utf-8") as source, \
            open(target, "w", newline="", encoding="utf-8") as out:
        for i, line in enumerate(source):
            if i > rows:
                break
            out.write(line)


def from_parquet(path, target):
    """CSV for a reader that has no Parquet: categories as their labels, shortest round-trip numbers."""
    frame = pd.read_parquet(path)
    for name in frame:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].astype(object)
    frame.to_csv(target, index=False)


def make_cases(args, work):
    extras = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    for path in sorted((HERE / "specs").glob("*.json")):
        label = path.stem
        if args.only and not any(fnmatch.fnmatch(label, p) for p in args.only):
            continue
        stem, what = label.split("__", 1)
        source = find_input(args.data, stem)
        if source.suffix == ".parquet":
            target = work / (stem + ".csv")
            if not target.exists():
                from_parquet(source, target)
            source = target
        if what.startswith("matrix_"):
            own = {"delimiter": ";"} if "semicolon" in stem else {}
            matrix = numbers_of(source, own)
            for dtype in ("float64", "float32"):
                target = work / f"{stem}.{dtype}.npy"
                if not target.exists():
                    np.save(target, matrix.astype(dtype))
                yield Case(f"{label}[{dtype}]", path, target)
            continue
        extra = extras.get(label, {})
        second = args.data / extra["transform"] if "transform" in extra else None
        if "fit_rows" in extra:
            second = source
            source = work / f"{label}.head.csv"
            head_of(second, extra["fit_rows"], source)
        yield Case(label, path, source, second)


# ---- quern ----


def call(args, *words, device=None):
    env = dict(os.environ)
    command = [str(args.quern), *map(str, words)]
    if device is not None:
        name, _, threads = device.partition(":") if device.startswith("cpu:") else (device, "", "")
        command += ["--device", name, "--fallback", "never", "--threads", threads or "2", "--quiet"]
        if name.startswith("cuda") and args.standin:
            env["LD_LIBRARY_PATH"] = f"{args.standin}:{env.get('LD_LIBRARY_PATH', '')}"
    done = subprocess.run(command, env=env, capture_output=True, timeout=args.timeout, check=False)
    if done.returncode != 0:
        message = done.stderr.decode("utf-8", "replace").strip() or "no message"
        raise Mismatch(f"{device or ''}: `{' '.join(command[1:])}` exited {done.returncode}: {message}")
    return done.stdout.decode("utf-8")


def same_bytes(first, other, what, device):
    a, b = first.read_bytes(), other.read_bytes()
    if a == b:
        return
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    raise Mismatch(f"{device}: {what} differs from that of the first device at byte {at} "
                   f"({len(a)} and {len(b)} bytes)")


def run_devices(args, work, ending, make):
    """Runs `make(device, out, model, names)` everywhere; returns the first device's files."""
    first = None
    for i, device in enumerate(args.devices.split(",")):
        files = [work / f"{i}.out{ending}", work / f"{i}.model", work / f"{i}.names.json"]
        make(device, *files)
        if first is None:
            first = files
            continue
        for kind, a, b in zip(("output", "model", "list of names"), first, files):
            if a.exists() or b.exists():
                same_bytes(a, b, kind, device)
                b.unlink()
    return first


def check_trace(path, device):
    """On a device everything runs there, but for what host_only.json lists."""
    trace = json.loads(path.read_text(encoding="utf-8"))
    if device.startswith("cpu"):
        return
    host_only = json.loads((HERE / "host_only.json").read_text(encoding="utf-8"))
    strays = [f"{d['step']} {d['operation']} on {d['device']}" for d in trace["decisions"]
              if d["device"] != device and d["operation"] not in host_only]
    if strays:
        raise Mismatch(f"{device}: not on the device: {', '.join(strays)}")
    on_device = [d for d in trace["decisions"] if d["device"] == device]
    if trace["ledger"]["launches"] == 0 or not any(d["step"] == "transform" for d in on_device):
        raise Mismatch(f"{device}: the ledger shows no launches")


# ---- comparing outputs ----


def bits_differ(a, b):
    """Where two equally shaped arrays differ; all NaNs are equal."""
    if a.dtype.kind != "f":
        return a != b
    whole = {2: np.uint16, 4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
    differ = a.view(whole) != b.view(whole)
    return differ & ~(np.isnan(a) & np.isnan(b))


def compare_dense(got, want, names):
    if got.shape != want.shape:
        raise Mismatch(f"shape {got.shape}, scikit-learn {want.shape}")
    if got.dtype != want.dtype:
        raise Mismatch(f"dtype {got.dtype}, scikit-learn {want.dtype}")
    differ = bits_differ(np.ascontiguousarray(got), np.ascontiguousarray(want))
    if differ.any():
        r, c = np.argwhere(differ)[0]
        raise Mismatch(f"{int(differ.sum())} of {differ.size} values differ; the first in row {r}, "
                       f"column {c} ({names[c]}): {got[r, c]!r}, scikit-learn {want[r, c]!r}; "
                       f"columns: {[names[k] for k in np.flatnonzero(differ.any(axis=0))[:8]]}")


def compare_sparse(got, want):
    if got.shape != want.shape:
        raise Mismatch(f"shape {got.shape}, scikit-learn {want.shape}")
    if got.dtype != want.dtype:
        raise Mismatch(f"dtype {got.dtype}, scikit-learn {want.dtype}")
    for part in ("indptr", "indices"):
        if not np.array_equal(getattr(got, part), getattr(want, part)):
            raise Mismatch(f"{part} differ")
    if bits_differ(got.data, want.data).any():
        raise Mismatch("stored values differ")


def same_cell(text, value):
    if attributes.is_missing(value) or value is pd.NaT:
        return text == ""
    if isinstance(value, str):
        return text == value
    if isinstance(value, (bool, np.bool_)):
        return text in (("True", "1", "1.0") if value else ("False", "0", "0.0"))
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return text != "" and np.datetime64(text, "us") == np.datetime64(value, "us")
    if isinstance(value, (int, float, np.number)) and re.match(r"\d{4}-\d{2}-", text):  # objects of datetimes
        return float(np.datetime64(text, "us").astype(np.int64)) == float(value)
    return text != "" and (float(text) == float(value) or
                           np.float32(text) == np.float32(value) == float(value))


def compare_csv(path, want, names):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if rows[0] != names:
        raise Mismatch(f"header {rows[0][:8]}…, scikit-learn {names[:8]}…")
    if len(rows) - 1 != want.shape[0]:
        raise Mismatch(f"{len(rows) - 1} rows, scikit-learn {want.shape[0]}")
    for r, row in enumerate(rows[1:]):
        if len(row) != len(names) and not (names == [""] or row == []):
            raise Mismatch(f"row {r} has {len(row)} cells")
        for c, text in enumerate(row):
            if not same_cell(text, want[r, c]):
                raise Mismatch(f"row {r}, column {names[c]}: {text!r}, scikit-learn {want[r, c]!r}")


def read_names(path):
    got = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(got, dict):
        got = got.get("names", got.get("columns"))
    return [item["name"] if isinstance(item, dict) else item for item in got]


def compare_names(got, want):
    # -0.0 and 0.0 are one category; which of them a sort of NumPy's leaves first is its own affair
    got, want = ([re.sub(r"-0\.0$", "0.0", name) for name in names] for names in (got, want))
    if got == want:
        return
    if len(got) != len(want):
        raise Mismatch(f"{len(got)} columns, scikit-learn {len(want)}: {got[:6]}…, {want[:6]}…")
    k = next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)
    raise Mismatch(f"column {k} is named {got[k]!r}, scikit-learn {want[k]!r}")


def compare_output(files, want, names):
    out, _, names_file = files
    if names_file.exists():
        compare_names(read_names(names_file), names)
    if out.suffix == ".npy":
        compare_dense(np.load(out), want, names)
    elif out.suffix == ".npz":
        compare_sparse(sp.load_npz(out), want)
    else:
        compare_csv(out, np.asarray(want.toarray() if sp.issparse(want) else want, dtype=object),
                    names)


# ---- one case ----


def ending_for(out):
    if sp.issparse(out):
        return ".npz"
    return ".csv" if out.dtype.kind in "OM" else ".npy"


def learned_by_quern(inspected, where):
    i, j = where
    stage = inspected["then"][j] if i is None else inspected["steps"][i]["apply"][j]
    learned = dict(stage.get("attributes") or {})
    text = learned.get("statistics_text_")
    if text is not None and learned.get("statistics_") is not None:
        learned["statistics_"] = [t if t is not None else s
                                  for s, t in zip(learned["statistics_"], text)]
    return stage["estimator"], learned


def check_attributes(fitted, table, inspected, weights):
    """Stage by stage: each is judged on what quern's earlier stages give it. Leaves quern's values
    in `fitted`."""
    for where, name, est, x in fitted.stages(table):
        place = f"then[{where[1]}]" if where[0] is None else f"steps[{where[0]}].apply[{where[1]}]"
        theirs, learned = learned_by_quern(inspected, where)
        if theirs != name:
            raise Mismatch(f"{place}: {theirs} in the model, {name} in the spec")
        own = reference.fit_alone(reference.copy.deepcopy(est), x, weights, fitted.y)
        attributes.check(f"{place} {name}", name, own, x, learned, weights)
        if name in ("OneHotEncoder", "OrdinalEncoder"):
            vars(est).update(vars(own))  # categories of values that quern's attributes made
        attributes.inject(name, est, learned)


def check_inspected(inspected, fitted):
    got = {c["name"]: c["dtype"] for c in inspected["input"]["columns"]}
    for name, dtype in fitted.columns:
        if name in got and got[name] != dtype and (got[name], dtype) != ("bool", "object"):
            raise Mismatch(f"input column {name} is {got[name]}, pandas says {dtype}")
    for i, step in enumerate(fitted.steps):
        want = [fitted.columns[k][0] for k in step]
        if inspected["steps"][i]["columns"] != want:
            raise Mismatch(f"steps[{i}] has columns {inspected['steps'][i]['columns']}, not {want}")


def run_case(args, case, work):
    spec = reference.load_spec(case.spec)
    options = spec.get("input", {})
    table = reference.read_table(case.table, options)
    fitted = reference.Reference(spec, table)
    names = fitted.names()
    ending = ending_for(fitted.transform(table))

    def run(device, out, model, names_file):
        extra = ["--names", names_file] if ending != ".csv" else []
        trace = work / "trace.json"
        call(args, "run", case.spec, case.table, "-o", out, "--model", model, "--trace", trace, *extra,
             device=device)
        check_trace(trace, device)

    files = run_devices(args, work, ending, run)
    inspected = json.loads(call(args, "inspect", files[1], "--json"))
    check_inspected(inspected, fitted)
    check_attributes(fitted, table, inspected, reference.weights_of(spec, table))
    want = fitted.transform(table)
    compare_output(files, want, names)
    compare_names([c["name"] if isinstance(c, dict) else c for c in inspected["output"]["names"]],
                  names)
    if case.second is None:
        return want
    table = reference.read_table(case.second, options)
    model = work / "fitted.model"
    files[1].replace(model)
    want = fitted.transform(table)

    def transform(device, out, _, names_file):
        extra = ["--names", names_file] if ending != ".csv" else []
        call(args, "transform", model, case.second, "-o", out, *extra, device=device)

    compare_output(run_devices(args, work, ending, transform), want, names)
    return want


def reference_only(case):
    """Without quern: that scikit-learn takes the spec at all."""
    spec = reference.load_spec(case.spec)
    table = reference.read_table(case.table, spec.get("input", {}))
    fitted = reference.Reference(spec, table)
    out, names = fitted.transform(table), fitted.names()
    if out.shape[1] != len(names):
        raise Mismatch(f"{out.shape[1]} columns, {len(names)} names")
    if len(set(names)) != len(names):
        raise Mismatch("duplicate names")
    if case.second is not None:
        fitted.transform(reference.read_table(case.second, spec.get("input", {})))
    return out


def describe(out):
    kind = f"csr, {out.nnz} stored" if sp.issparse(out) else "dense"
    return f"{out.shape[0]} x {out.shape[1]} {out.dtype} {kind}"


def check_coverage():
    """Every parameter of every estimator is given in some spec. CyclicalFeatures has no spec, for the sines of
    the oracle are not exact: the grid compares it in units in the last place."""
    given = set()
    for path in (HERE / "specs").glob("*.json"):
        spec = reference.load_spec(path)
        for apply in [s["apply"] for s in spec["steps"]] + [spec.get("then") or []]:
            for name, params in reference.chain_of(apply):
                given |= {(name, key) for key in params} | {(name, None)}
    wanted = {(name, None) for name in [*reference.ESTIMATORS, "passthrough"]}
    elsewhere = {"CyclicalFeatures"}
    wanted = {(name, None) for name, _ in wanted if name not in elsewhere}
    for name, cls in reference.ESTIMATORS.items():
        if name in elsewhere:
            continue
        left_out = {"copy", "feature_name_combiner", "ignore_implicit_zeros", "order"}
        if name not in reference.SEEDED:
            left_out.add("random_state")
        wanted |= {(name, key) for key in cls().get_params() if key not in left_out}
    if wanted - given:
        raise Mismatch(f"no spec gives {sorted(map(str, wanted - given))}")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quern", type=pathlib.Path, help="the program; without it only the "
                        "scikit-learn side runs")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("QUERN_DATA_DIR"),
                        help="folder of the data sets (default: QUERN_DATA_DIR)")
    parser.add_argument("--devices", default=None, help=f"default: {DEVICES}, and cuda:0 with "
                        "--standin")
    parser.add_argument("--standin", help="folder of the stand-in libcuda.so.1, for cuda:0")
    parser.add_argument("--only", nargs="*", help="patterns of spec names")
    parser.add_argument("--random", type=int, default=100, help="random specs over random tables "
                        "(random_specs.py) at the end; 0: none")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one run")
    parser.add_argument("--traceback", action="store_true")
    args = parser.parse_args(argv)
    if args.devices is None:
        args.devices = DEVICES + (",cuda:0" if args.standin else "")
    return args


def main(argv):
    args = parse(argv)
    if args.data is None or not pathlib.Path(args.data).is_dir():
        print("parity: skipped, QUERN_DATA_DIR names no folder")
        return 77
    args.data = pathlib.Path(args.data)
    passed = failed = 0
    if not args.only:
        check_coverage()
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        for case in make_cases(args, work):
            try:
                with tempfile.TemporaryDirectory(dir=work) as scratch:
                    if args.quern is None:
                        out = reference_only(case)
                    else:
                        out = run_case(args, case, pathlib.Path(scratch))
                passed += 1
                print(f"ok      {case.label}: {describe(out)}", flush=True)
            except Exception as problem:  # one bad case must not hide the others
                failed += 1
                kind = "" if isinstance(problem, Mismatch) else type(problem).__name__ + ": "
                print(f"FAILED  {case.label}: {kind}{str(problem)[:600]}", flush=True)
                if args.traceback:
                    traceback.print_exc()
    if args.quern is not None and not args.only and args.random:
        import random_specs
        more = random_specs.main(["--quern", str(args.quern), "--cases", str(args.random), "--verbose",
                                  "--devices", args.devices, "--standin", args.standin or ""])
        passed, failed = passed + more[0], failed + more[1]
    print(f"parity: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
