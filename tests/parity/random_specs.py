# SPDX-License-Identifier: Apache-2.0
"""Random specs over random tables, through quern and through scikit-learn.

usage: random_specs.py --quern build/release/bin/quern [--cases 200] [--seed 1] [--standin DIR]

Each case is made from its own seed, so `--seed S --cases 1` repeats a failure that was reported as S.
Both sides must accept or both refuse; what is accepted is compared as run_parity.py does: the same
bytes on all devices, attributes against exact arithmetic, outputs bit for bit, names, dtypes, then
the same for a second table, whose cells the fit has not seen."""
import argparse
import csv
import faulthandler
import json
import pathlib
import sys
import tempfile
import traceback
import warnings

import numpy as np
import scipy.sparse as sp

import library
import reference
import run_parity
from attributes import Mismatch

# ---- tables ----

WORDS = ["a", "b", "A", "Ä", "zebra", "日本", "x y", 'q"uote', "comma,", "naïve", "é", "e\u0301", "0x", "-", "😀", "aa",
         "line\nend", "True story", "1e", "ß", " lead", "trail "]
SPECIAL = [0.0, -0.0, 1e300, -1e300, 1e-310, 5e-324, 1.5, -2.25, 1e16, 123456789.125, 0.1, 1 / 3, 1e-7, 1e22]


def holes(rng, cells, share):
    return [None if rng.random() < share else c for c in cells]


def number_cells(rng, kind, rows):
    if kind == "int":
        return rng.integers(-5, 6, rows).tolist()
    if kind == "count":
        return rng.poisson(3, rows).tolist()
    if kind == "wide_int":
        return rng.integers(-10**6, 10**6, rows).tolist()
    if kind == "huge_int":
        return (rng.integers(-3, 4, rows) + int(rng.choice([2**53, -2**53, 2**62, 2**63 - 5]))).tolist()
    if kind == "float":
        return (rng.normal(size=rows) * 10.0**rng.integers(-3, 4) + rng.integers(-50, 50)).tolist()
    if kind == "offset":
        return (rng.normal(size=rows) * 1e-3 + 1e9).tolist()
    if kind == "halves":
        return (rng.integers(-6, 7, rows) / 2).tolist()
    if kind == "special":
        return [SPECIAL[k] for k in rng.integers(0, len(SPECIAL), rows)]
    if kind == "tiny":
        return (rng.normal(size=rows) * 10.0**-int(rng.choice([200, 300, 308, 320]))).tolist()
    if kind == "huge":
        return (rng.normal(size=rows) * 1e150).tolist()
    if kind == "constant":
        return [float(rng.choice([0.0, 3.7, -1e9, 1e-20]))] * rows
    raise ValueError(kind)


NUMBERS = ["int", "count", "wide_int", "float", "halves", "offset", "constant", "huge_int", "special", "tiny", "huge"]
WEIGHTS = np.array([4, 4, 2, 6, 3, 1, 1, 1, 2, 0.5, 0.5])


def column(rng, rows):
    """(kind, cells); kind is what a spec would call the column."""
    what = rng.choice(["number", "number", "number", "string", "string", "bool", "datetime", "digits", "empty", "flag"],
                      p=[.25, .2, .1, .18, .09, .06, .04, .03, .03, .02])
    share = float(rng.choice([0, 0, 0.1, 0.5]))
    if what == "number":
        kind = rng.choice(NUMBERS, p=WEIGHTS / WEIGHTS.sum())
        return "number", holes(rng, number_cells(rng, kind, rows), share)
    if what == "string":
        words = list(rng.permutation(WORDS))[:rng.integers(1, 9)]
        weights = rng.dirichlet(np.ones(len(words)))
        return "string", holes(rng, [str(w) for w in rng.choice(words, rows, p=weights)], share)
    if what == "digits":  # text by force: 007, 1.50
        return "digits", holes(rng, [str(w) for w in rng.choice(["007", "7", "1.50", "1e3", "-0", "nan.", "12"], rows)],
                               share)
    if what == "bool":
        return "bool", [bool(b) for b in rng.integers(0, 2, rows)]
    if what == "flag":  # bools with missing cells
        return "flag", holes(rng, [bool(b) for b in rng.integers(0, 2, rows)], 0.3)
    if what == "datetime":
        base = np.datetime64("1999-12-31T23:00:00", "us") + rng.integers(0, 5, rows) * np.timedelta64(1800_500_000, "us")
        return "datetime", holes(rng, [str(t).replace("T", " ") for t in base], share)
    return "empty", [None] * rows


def make_table(rng, rows=None):
    rows = int(rng.choice([1, 2, 3, 7, 30, 30, 100, 100, 1100])) if rows is None else rows
    columns = [column(rng, rows) for _ in range(rng.integers(1, 9))]
    return [(f"c{i}" if rng.random() < 0.9 else f"col {i}é", kind, cells) for i, (kind, cells) in enumerate(columns)]


def second_table(rng, columns):
    """Other rows: values of the first table, with some the fit has not seen."""
    rows = int(rng.choice([1, 4, 50]))
    out = []
    for name, kind, cells in columns:
        again = [cells[k] for k in rng.integers(0, len(cells), rows)]
        if kind == "number" and rng.random() < 0.5:
            whole = all(isinstance(c, int) for c in cells)
            for k in range(rows):
                if rng.random() < 0.2:
                    again[k] = int(rng.integers(-9, 9)) if whole else float(rng.normal() * 4)
        if kind in ("string", "digits") and rng.random() < 0.4:
            again[int(rng.integers(rows))] = str(rng.choice(["unseen", "zz", ""])) or None
        if kind not in ("bool", "empty") and not (kind == "number" and all(isinstance(c, int) for c in cells)) \
                and rng.random() < 0.3:
            again[int(rng.integers(rows))] = None
        out.append((name, kind, again))
    return out


def written(rng, cell):
    if cell is None:
        return str(rng.choice(["", "NA", "nan", "NULL"]))
    return repr(cell) if isinstance(cell, float) else str(cell)


def write_csv(rng, columns, path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([name for name, _, _ in columns])
        for cells in zip(*[cells for _, _, cells in columns]):
            row = [written(rng, c) for c in cells]
            if row == [""]:
                row = ["NA"]  # a blank line is no row
            out.writerow(row)


def make_matrix(rng, dtype, rows, width):
    if dtype.kind == "f":
        x = np.stack([np.array(number_cells(rng, rng.choice(NUMBERS, p=WEIGHTS / WEIGHTS.sum()), rows), dtype=np.float64)
                      for _ in range(width)], axis=1)
        with np.errstate(over="ignore"):
            x = x.astype(dtype)
        x[np.isinf(x)] = 2.5
        if rng.random() < 0.4:
            x[rng.random(x.shape) < rng.choice([0.05, 0.5])] = np.nan
        if rng.random() < 0.1:
            x[:, rng.integers(width)] = np.nan
    elif dtype.kind == "b":
        x = rng.integers(0, 2, (rows, width)).astype(bool)
    else:
        info = np.iinfo(dtype)
        low, high = max(info.min, -4), 5
        x = rng.integers(low, high, (rows, width)).astype(dtype)
        if rng.random() < 0.3:
            x[:, rng.integers(width)] = rng.choice([info.min, info.max, info.max - 1], rows).astype(dtype)
    return np.asfortranarray(x) if rng.random() < 0.4 else x


# ---- specs ----


def maybe(rng, params, key, values, p=0.5):
    if rng.random() < p:
        value = values[int(rng.integers(len(values)))]
        params[key] = value


def scaler(rng):
    name = str(rng.choice(["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "Binarizer",
                           "VarianceThreshold"], p=[.25, .2, .15, .2, .1, .05, .05]))
    p = {}
    if name == "StandardScaler":
        maybe(rng, p, "with_mean", [True, False])
        maybe(rng, p, "with_std", [True, False])
    elif name == "MinMaxScaler":
        maybe(rng, p, "feature_range", [[0, 1], [-1, 1], [0.1, 0.7], [-3, -2.5], [1e-3, 1e6], [1, 1], [2, 1]])
        maybe(rng, p, "clip", [True, False])
    elif name == "MaxAbsScaler":
        maybe(rng, p, "clip", [True, False], 0.3)
    elif name == "RobustScaler":
        maybe(rng, p, "with_centering", [True, False])
        maybe(rng, p, "with_scaling", [True, False], 0.3)
        maybe(rng, p, "quantile_range", [[25.0, 75.0], [10.0, 90.0], [0, 100], [1.5, 60], [33.3, 33.4], [50, 50], [90, 10],
                                         [5, 95.5]])
        if p.get("quantile_range") not in ([0, 100], [50, 50]):  # the normal's quantiles divide by 0 or infinity
            maybe(rng, p, "unit_variance", [True, False])
    elif name == "VarianceThreshold":
        maybe(rng, p, "threshold", [0.0, 0.01, 1, 1e-300, 2.5, -1], 0.7)
    elif name == "Normalizer":
        maybe(rng, p, "norm", ["l1", "l2", "max"], 0.8)
    else:
        maybe(rng, p, "threshold", [0.0, 0.5, -1, 2.5, 1e-310, 3], 0.7)
    return {name: p} if p else name


def imputer(rng, text):
    p = {}
    maybe(rng, p, "strategy", ["most_frequent", "constant"] if text else ["mean", "median", "most_frequent", "constant"],
          1.0 if text and rng.random() < 0.95 else 0.8)
    if text:
        maybe(rng, p, "fill_value", ["none", "", "é", None, 0], 0.3)
        maybe(rng, p, "missing_values", [None, "nan", "a", "zebra", "日本"], 0.2)
    else:
        maybe(rng, p, "fill_value", [0, -1, 7, 2.5, None, "nan"], 0.3)
        maybe(rng, p, "missing_values", [None, "nan", 0, -1, 3, 0.5, 2.0], 0.25)
    maybe(rng, p, "add_indicator", [True, False], 0.4)
    maybe(rng, p, "keep_empty_features", [True, False], 0.4)
    return {"SimpleImputer": p} if p else "SimpleImputer"


def given_categories(rng, cells):
    lists = []
    for column in cells:
        values = sorted({c for c in column if c is not None})
        if rng.random() < 0.3 and values:
            values = values[:-1] or values
        if rng.random() < 0.3 and values:
            values = values + ["extra"] if any(isinstance(v, str) for v in values) else values if any(isinstance(v, bool) for v in values) else sorted({*values, 99})
        if values and isinstance(values[0], str) and rng.random() < 0.5:
            values = [str(v) for v in rng.permutation(values)]
        if any(c is None for c in column) and rng.random() < 0.8:
            values = values + [None]
        lists.append(values)
    return lists


def encoder(rng, cells):
    hot = rng.random() < 0.6
    p = {}
    if cells and len(cells) <= 4 and rng.random() < 0.2:
        p["categories"] = given_categories(rng, cells)
    if hot:
        maybe(rng, p, "handle_unknown", ["error", "ignore", "infrequent_if_exist", "warn"], 0.7)
        maybe(rng, p, "drop", [None, "first", "if_binary"], 0.4)
        if cells and "drop" not in p and rng.random() < 0.1:
            p["drop"] = [c[int(rng.integers(len(c)))] for c in cells]
        maybe(rng, p, "sparse_output", [True, False])
        maybe(rng, p, "dtype", ["float64", "float32", "int64", "uint8", "int32", "bool"], 0.3)
    else:
        if rng.random() < 0.5:
            p["handle_unknown"] = "use_encoded_value"
            p["unknown_value"] = [-1, -2, "nan", 1000, 0][int(rng.choice(5, p=[.4, .2, .2, .15, .05]))]
        maybe(rng, p, "encoded_missing_value", ["nan", -1, -5, 500, None], 0.4)
        maybe(rng, p, "dtype", ["float64", "float32", "int64", "int16"], 0.3)
    maybe(rng, p, "min_frequency", [None, 1, 2, 5, 0.1, 0.3, 0.05], 0.3)
    maybe(rng, p, "max_categories", [None, 1, 2, 3, 5], 0.3)
    return {"OneHotEncoder" if hot else "OrdinalEncoder": p}


def chain(rng, kinds, cells):
    numeric = all(k in ("number", "bool", "empty", "flag", "datetime") for k in kinds)
    links = []
    if rng.random() < 0.45:
        links.append(imputer(rng, not numeric))
    if numeric:
        links += [scaler(rng) for _ in range(int(rng.choice([0, 1, 2, 3], p=[.25, .45, .2, .1])))]
        if rng.random() < 0.1:
            links.append(imputer(rng, False))
        if rng.random() < 0.25 or not links:
            links.append(encoder(rng, cells if not links else None))
    elif rng.random() < 0.9 or not links:
        links.append(encoder(rng, cells if not links else None))
    if rng.random() < 0.1:
        links.append(scaler(rng))
    if rng.random() < 0.05:
        links.insert(int(rng.integers(len(links) + 1)), "passthrough")
    if rng.random() < 0.05:
        return "passthrough"
    return links if len(links) > 1 or rng.random() < 0.5 else links[0]


GROUPS = [("number",), ("number",), ("number", "bool"), ("number", "empty"), ("string", "digits"), ("string", "digits", "empty"),
          ("datetime",), ("bool",), ("flag",), ("number", "string", "bool"), ("number", "datetime"), ("bool", "flag", "string")]


def make_step(rng, columns):
    if rng.random() < 0.12:
        selector = [{"dtype": "number"}, {"dtype": "string"}, {"dtype": "bool"}, {"dtype": "datetime"}, {"pattern": "^c[0-4]$"},
                    "*", {"dtype": "category"}][int(rng.integers(7))]
        wanted = {"number": ("number", "empty"), "string": ("string", "digits"), "category": ("string", "digits"),
                  "bool": ("bool",), "datetime": ("datetime",)}.get(selector.get("dtype") if isinstance(selector, dict) else None)
        picked = [c for c in columns if wanted is None or c[1] in wanted]
        return selector, picked
    for _ in range(20):
        group = GROUPS[int(rng.integers(len(GROUPS)))]
        fitting = [i for i, c in enumerate(columns) if c[1] in group]
        if fitting:
            break
    else:
        fitting = list(range(len(columns)))
    picked = [int(i) for i in rng.permutation(fitting)[:rng.integers(1, 5)]]
    names = [columns[i][0] if rng.random() < 0.8 else (i if rng.random() < 0.5 else i - len(columns)) for i in picked]
    return names, [columns[i] for i in picked]


def make_spec(rng, columns):
    spec = {"quern": 1, "steps": []}
    for k in range(int(rng.choice([1, 2, 3, 4], p=[.4, .3, .2, .1]))):
        selector, picked = make_step(rng, columns)
        step = {"name": f"s{k}"} if rng.random() < 0.85 else {}
        step["columns"] = selector
        step["apply"] = chain(rng, [p[1] for p in picked], [p[2] for p in picked])
        spec["steps"].append(step)
    if rng.random() < 0.15 and columns[0][0] != "x0":  # "*" of a matrix is a slice, which hides nothing
        spec["target"] = columns[int(rng.integers(len(columns)))][0]
    if rng.random() < 0.25:
        spec["remainder"] = str(rng.choice(["drop", "passthrough"]))
    if rng.random() < 0.25:
        spec["then"] = [scaler(rng) if rng.random() < 0.8 else imputer(rng, False)
                        for _ in range(int(rng.integers(1, 3)))]
    if rng.random() < 0.4:
        spec["output"] = {}
        maybe(rng, spec["output"], "dtype", ["float32", "float64", "float32"], 0.5)
        maybe(rng, spec["output"], "sparse", ["auto", True, False], 0.6)
        maybe(rng, spec["output"], "sparse_threshold", [0.0, 0.3, 0.5, 1.0], 0.4)
    dtypes = {name: "string" for name, kind, _ in columns if kind == "digits"}
    for name, kind, cells in columns:
        if kind == "number" and rng.random() < 0.06 and all(isinstance(c, int) for c in cells):
            dtypes[name] = str(rng.choice(["float64", "float32", "int64"]))
        elif kind == "number" and rng.random() < 0.06:
            dtypes[name] = str(rng.choice(["float64", "float32"]))
    if dtypes:
        spec["input"] = {"dtypes": dtypes}
    return spec


# ---- one case ----


class Case:
    """Files of one seed."""

    def __init__(self, seed, work):
        rng = np.random.default_rng(seed)
        self.spec_file = work / "spec.json"
        self.second = None
        self.overflows = False  # scikit-learn's variance is NaN where squares overflow
        if rng.random() < 0.3:
            dtype = np.dtype(str(rng.choice(["float64", "float64", "float32", "float32", "int64", "int32", "int8", "uint8",
                                             "int16", "uint16", "uint32", "uint64", "bool"])))
            rows, width = int(rng.choice([1, 2, 9, 40, 300, 1500])), int(rng.choice([1, 2, 3, 5, 9, 20]))
            matrix = make_matrix(rng, dtype, rows, width)
            self.table = work / "table.npy"
            np.save(self.table, matrix)
            columns = [(f"x{i}", "bool" if dtype.kind == "b" else "number",
                        [None if v != v else v for v in matrix[:, i].tolist()]) for i in range(width)]
            self.spec = make_spec(rng, columns)
            if rng.random() < 0.5:
                self.second = work / "second.npy"
                np.save(self.second, make_matrix(rng, dtype, int(rng.choice([1, 5, 30])), width))
        else:
            columns = make_table(rng)
            self.table = work / "table.csv"
            write_csv(rng, columns, self.table)
            self.spec = make_spec(rng, columns)
            if rng.random() < 0.5:
                self.second = work / "second.csv"
                write_csv(rng, second_table(rng, columns), self.second)
        self.overflows = any(isinstance(c, float) and abs(c) > 1e150 for _, _, cells in columns for c in cells)
        self.spec_file.write_text(json.dumps(self.spec, ensure_ascii=False), encoding="utf-8")


def typed(case, path, fitted=None):
    """The second table in the first one's types, as a model reads it."""
    options = dict(case.spec.get("input", {}))
    if fitted is not None and path.suffix == ".csv":
        options["dtypes"] = {name: dtype for name, dtype in fitted.columns if dtype != "bool"}
    return reference.read_table(path, options)


def by_sklearn(case):
    """(fitted, output, names), or the reason why scikit-learn refuses."""
    table = reference.read_table(case.table, case.spec.get("input", {}))
    try:
        fitted = reference.Reference(case.spec, table)
        with np.errstate(all="ignore"):
            out = fitted.transform(table)
        names = fitted.names()
        if len(set(names)) != len(names):
            return table, "equal names", None, None
        return table, fitted, out, names
    except Exception as reason:  # whatever it is that scikit-learn raises
        return table, f"{type(reason).__name__}: {reason}"[:300], None, None


def on_devices(args, make):
    """make(device, i) everywhere: None, or the sentence of the refusal."""
    said = []
    for i, device in enumerate(args.devices):
        try:
            make(device, i)
            said.append(None)
        except library.Refused as refusal:
            said.append(str(refusal))
    for device, other in zip(args.devices, said):
        if (other is None) != (said[0] is None):
            raise Mismatch(f"{args.devices[0]}: {said[0]}, but {device}: {other}")
    return said[0]


# What one side refuses with intent (docs/parity.md).
QUERN_REFUSES = ("the pipeline gives no column", "is of type datetime", "would be filled with", "cannot fill number column",
                 "cannot fill string column", "must be less than", "is not within 0", "is of type string",
                 "is of type bool", "has no value to be kept with", "datetimes cannot be given", "an output of truth values")
# Columns that leave no output column are not looked at again: unknown categories and missing cells there pass.
NOT_LOOKED_AT = ("Found unknown categories", "contains NaN")
SKLEARN_REFUSES = ("cannot be cast to the input data that is dtype('uint", "np.datetime64('NaT'", "For a sparse output", "cannot convert float NaN to integer", "dtype('bool'")


def drops_columns(spec):
    """Whether some estimator may leave a column without output."""
    text = json.dumps(spec)
    return '"drop": "first"' in text or '"drop": [' in text or "missing_values" in text


def one_zero(names):
    """scikit-learn's name of a zero is that of the first one it meets; quern has 0.0 only."""
    return [n[:-4] + "0.0" if n.endswith("_-0.0") else n for n in names]


def intended(sentence, known):
    return any(part in sentence for part in known)


def same_files(args, work, files):
    for kind in files:
        first = work / ("0." + kind)
        for i, device in enumerate(args.devices[1:], 1):
            run_parity.same_bytes(first, work / f"{i}.{kind}", kind, device)


def run_case(args, quern, seed, work):
    case = Case(seed, work)
    table, fitted, out, names = by_sklearn(case)
    ending = ".npy" if isinstance(fitted, str) else run_parity.ending_for(out)
    listed = ending != ".csv"

    def run(device, i):
        quern.run(device, case.spec_file, case.table, work / f"{i}.out{ending}", work / f"{i}.model",
                  work / f"{i}.names" if listed else None)

    refusal = on_devices(args, run)
    if isinstance(fitted, str):
        if refusal is None and intended(fitted, NOT_LOOKED_AT) and drops_columns(case.spec):
            return "refused"
        if refusal is None and intended(fitted, SKLEARN_REFUSES + (("contains NaN",) if case.overflows else ())):
            return "refused"
        if refusal is None:
            raise Mismatch(f"accepted; scikit-learn refuses: {fitted}")
        return "refused"
    if refusal is not None and intended(refusal, QUERN_REFUSES):
        return "refused"
    if refusal is not None:
        raise Mismatch(f"refused: {refusal}")
    same_files(args, work, ["out" + ending, "model", *(["names"] if listed else [])])
    inspected = quern.inspect(work / "0.model")
    run_parity.check_inspected(inspected, fitted)
    wish = case.spec.get("output", {}).get("sparse", "auto")
    if wish == "auto" and not case.spec.get("then") and inspected["output"]["sparse"] != sp.issparse(out):
        raise Mismatch(f"sparse is {inspected['output']['sparse']} in the model")
    with np.errstate(all="ignore"):
        run_parity.check_attributes(fitted, table, inspected, None)
        out, names = fitted.transform(table), one_zero(fitted.names())
    files = [work / f"0.out{ending}", work / "0.model", work / "0.names"]
    run_parity.compare_output(files, out, names)
    run_parity.compare_names(one_zero([c["name"] if isinstance(c, dict) else c for c in inspected["output"]["names"]]),
                             names)
    if case.second is not None:
        transform_second(args, quern, case, work, fitted, names, ending)
    return f"{out.shape[0]} x {out.shape[1]} {out.dtype}{' csr' if ending == '.npz' else ''}"


def transform_second(args, quern, case, work, fitted, names, ending):
    try:
        table = typed(case, case.second, fitted)
        with np.errstate(all="ignore"):
            want = fitted.transform(table)
    except Exception as reason:  # whatever it is that scikit-learn raises
        want = f"{type(reason).__name__}: {reason}"[:300]

    def transform(device, i):
        quern.transform(device, work / "0.model", case.second, work / f"{i}.again{ending}")

    refusal = on_devices(args, transform)
    if refusal is None and isinstance(want, str) and intended(want, NOT_LOOKED_AT) and drops_columns(case.spec):
        return
    if isinstance(want, str) != (refusal is not None):
        raise Mismatch(f"second table: quern: {refusal or 'accepted'}; scikit-learn: "
                       f"{want if isinstance(want, str) else 'accepted'}")
    if refusal is None:
        same_files(args, work, ["again" + ending])
        try:
            run_parity.compare_output([work / f"0.again{ending}", None, work / "absent"], want, names)
        except Mismatch as problem:
            raise Mismatch(f"second table: {problem}") from problem


def run_all(args):
    """(passed, failed, refused)."""
    quern = library.Library(args.quern, args.standin)
    passed = failed = refused = 0
    for seed in range(args.seed, args.seed + args.cases):
        if args.only is not None and seed not in args.only:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            work = pathlib.Path(scratch)
            try:
                what = run_case(args, quern, seed, work)
                refused += what == "refused"
                passed += 1
                if args.verbose:
                    print(f"ok      random {seed}: {what}", flush=True)
            except Exception as problem:  # one bad case must not hide the others
                failed += 1
                kind = "" if isinstance(problem, Mismatch) else type(problem).__name__ + ": "
                print(f"FAILED  random {seed}: {kind}{str(problem)[:600]}", flush=True)
                if args.traceback:
                    traceback.print_exc()
                if args.keep:
                    target = pathlib.Path(args.keep) / str(seed)
                    target.mkdir(parents=True, exist_ok=True)
                    for file in work.iterdir():
                        (target / file.name).write_bytes(file.read_bytes())
    return passed, failed, refused


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quern", type=pathlib.Path, required=True)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="the first case's")
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--devices", default=None)
    parser.add_argument("--standin", help="folder of the stand-in libcuda.so.1, for cuda:0")
    parser.add_argument("--keep", help="folder for the files of cases that fail")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--traceback", action="store_true")
    args = parser.parse_args(argv)
    args.devices = (args.devices or "cpu:1,cpu:7,opencl:0" + (",cuda:0" if args.standin else "")).split(",")
    warnings.simplefilter("ignore")
    passed, failed, refused = run_all(args)
    print(f"random: {passed} passed ({refused} refused by both sides), {failed} failed")
    return passed, failed


if __name__ == "__main__":
    faulthandler.enable()
    done = main(sys.argv[1:])
    sys.exit(1 if done[1] or not done[0] else 0)
