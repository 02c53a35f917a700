# SPDX-License-Identifier: Apache-2.0
"""One row of ten numbers from Python: quern's estimators beside scikit-learn's, in microseconds.

usage: PYTHONPATH=build/release/python python bench/bench_row.py [--rounds 15] [--json F]

Both sides are fitted to the same rows and transform the same 1 x 10 array; rounds follow each other.
Outputs are compared before anything is printed."""
import argparse
import json
import os
import timeit

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import sklearn
from sklearn import compose, impute, pipeline, preprocessing

import quern
import quern.compose
import quern.impute
import quern.pipeline
import quern.preprocessing

THEIRS = (preprocessing, impute, compose, pipeline)
OURS = (quern.preprocessing, quern.impute, quern.compose, quern.pipeline)
WANTED = {"StandardScaler": 4, "ColumnTransformer of two scalers": 20,
          "ColumnTransformer: impute and scale, scale, one-hot": 20}


def cases(p, i, c, l):
    scaled = [("s", p.StandardScaler(), [0, 1, 2, 3, 4]), ("m", p.MinMaxScaler(), [5, 6, 7, 8, 9])]
    mixed = [("n", l.make_pipeline(i.SimpleImputer(), p.StandardScaler()), [0, 1, 2, 3, 4]),
             ("m", p.MinMaxScaler(), [5, 6, 7]),
             ("o", p.OneHotEncoder(sparse_output=False, handle_unknown="ignore"), [8, 9])]
    return {
        "StandardScaler": p.StandardScaler(),
        "MinMaxScaler": p.MinMaxScaler(),
        "RobustScaler": p.RobustScaler(),
        "SimpleImputer": i.SimpleImputer(),
        "Pipeline: impute, scale": l.make_pipeline(i.SimpleImputer(), p.StandardScaler()),
        "ColumnTransformer of two scalers": c.ColumnTransformer(scaled),
        "ColumnTransformer: impute and scale, scale, one-hot": c.ColumnTransformer(mixed),
        "ColumnTransformer, then RobustScaler": l.make_pipeline(c.ColumnTransformer(scaled),
                                                                p.RobustScaler()),
    }


def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 10)) * 3 + 1
    X[:, 8:] = rng.integers(0, 4, size=(5000, 2))
    return X


def timed(call, rounds, number):
    call()
    return [t / number * 1e6 for t in timeit.repeat(call, number=number, repeat=rounds)]


def summary(times):
    q1, median, q3 = np.percentile(times, [25, 50, 75])
    return {"min": min(times), "median": median, "spread": (q3 - q1) / median}


def measure(rounds):
    X, results = rows(), []
    x = X[7:8].copy()
    theirs, ours = cases(*THEIRS), cases(*OURS)
    for name in ours:
        a, b = theirs[name].fit(X), ours[name].fit(X)
        b.transform(x)
        np.testing.assert_allclose(b.transform(x), a.transform(x), rtol=1e-9, atol=1e-12)
        mine, peer = [], []
        for _ in range(rounds):
            mine += timed(lambda: b.transform(x), 1, 400)
            peer += timed(lambda: a.transform(x), 1, 40)
        results.append({"case": name, "us": summary(mine), "peer": summary(peer),
                        "wanted": WANTED.get(name)})
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}
    core = quern._core
    model = core.Pipeline(json.dumps(spec)).fit(core.Context(device="cpu"), core.Table.from_matrix(X))
    out = np.empty((1, 10))
    times = [t for _ in range(rounds) for t in timed(lambda: model.apply(x, out), 1, 2000)]
    results.append({"case": "Model.apply(x, out), StandardScaler", "us": summary(times), "peer": None,
                    "wanted": None})
    return results


def line(r):
    us = f"{r['us']['min']:.2f} / {r['us']['median']:.2f} ± {r['us']['spread']:.0%}"
    if r["peer"] is None:
        return f"| {r['case']} | {us} |  |  |  |"
    peer = f"{r['peer']['min']:.0f} / {r['peer']['median']:.0f} ± {r['peer']['spread']:.0%}"
    ratio = f"{r['peer']['min'] / r['us']['min']:.1f} ({r['peer']['median'] / r['us']['median']:.1f})"
    return f"| {r['case']} | {us} | {peer} | {ratio} | {r['wanted'] or ''} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json")
    args = parser.parse_args()
    results = measure(args.rounds)
    print(f"quern {quern.__version__}, scikit-learn {sklearn.__version__}, NumPy {np.__version__}")
    print("| one row of ten | us: min / median ± spread, µs | peer: the same | peer / us: minima (medians) | wanted |")
    print("|---|---|---|---|---|")
    for r in results:
        print(line(r))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
