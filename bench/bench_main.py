# SPDX-License-Identifier: Apache-2.0
"""The main job against its peers: scalers, imputers, a mixed pipeline, one row from C, OpenCL, CSV.

    python bench/bench_main.py [--through c|python|both] [--library build/release/lib/libquern.so]
                               [--only NAME] [--quick] [--json F] [--markdown F]

How it is measured. All sides run in this process, on the same arrays, with the same number of
threads: quern by its C interface (ctypes), quern by its Python package, and the peer. A round runs,
three times in turns, the limits (a plain read; a copy with non-temporal stores) and ours, then the
peer; then the next round begins: whatever else the machine does hits all of them alike. Results are
compared in the same script: learned attributes with the peer's, outputs with what the peer computes
from our attributes, bit for bit. The limit is measured on arrays of the case's own size; traffic that
is counted is the least that the operation can do (fit: every value is read once; transform: every
value is read and written once). "warm" output was written before; "recycled" output is what quern
makes where an equal output was dropped before; "new memory" is with recycling off: the kernel has to
clear its pages first. "spread" is the distance of the quartiles over the median.
"us" is the package, or C where the package was not measured.
Processor time (of all threads together, the least of the runs) is shown beside the clock because it
hardly changes when other programs compete for the cores; a peer that uses one thread where we use two
looks better in it than it is. What is "met" is judged by the clock's minima; it includes that the
package takes at most 1.1 times as long as C.
"""
import os

THREADS = os.environ.setdefault("QUERN_BENCH_THREADS", "2")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS",
                 "ARROW_NUM_THREADS", "QUERN_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[variable] = THREADS
THREADS = int(THREADS)

import argparse
import contextlib
import importlib.metadata
import json
import pathlib
import platform
import shlex
import sys
import tempfile
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy
import sklearn
import threadpoolctl

from array_cases import ArrayCases
from array_reduce_cases import ArrayReduceCases
from bins_cases import BinsCases
from chain_cases import ChainCases
from column_cases import ColumnCases
from expression_cases import ExpressionCases
from matrix_cases import MatrixCases
from measure import HEADER, HERE, Limits, Report, Wrong, interleave, markdown_row
from move_cases import MoveCases
from others import Others
from power_cases import PowerCases
from product_cases import ProductCases
from row_cases import RowCases
from score_cases import ScoreCases
from sides import ThroughC, ThroughPython
from spline_cases import SplineCases
from table_cases import TableCases


CASES = (MatrixCases, ChainCases, BinsCases, PowerCases, ProductCases, RowCases, ScoreCases, TableCases,
         ArrayCases, ArrayReduceCases, MoveCases, ExpressionCases, SplineCases, ColumnCases)


class Bench:
    """What the cases share. `c` is the side that is C's, `sides` are all that are measured."""

    def __init__(self, args, folder):
        self.args, self.folder, self.threads = args, folder, THREADS
        self.c = ThroughC(args.library, THREADS) if args.through != "python" else None
        self.sides = [self.c] if self.c is not None else []
        if args.through != "c":
            self.sides.append(ThroughPython(THREADS))
        self.version = self.sides[0].version
        if any(side.version != self.version for side in self.sides):
            raise Wrong(f"versions differ: {[side.version for side in self.sides]}")
        self.limits = Limits(folder, THREADS)
        self.report, self.others = Report(), Others(THREADS)
        self.rounds = args.rounds or (2 if args.quick else 7)

    def wanted(self, name):
        return not self.args.only or any(name.startswith(o) for o in self.args.only)

    def some_wanted(self, group):
        """Whether a case is wanted whose name begins with the group's."""
        return self.wanted(group) or any(o.startswith(group) for o in self.args.only)

    def in_new_memory(self, case, sides, x):
        """A row of outputs that are not recycled."""
        with contextlib.ExitStack() as stack:
            for side in self.sides:
                stack.enter_context(side.new_memory())
            times = interleave(sides, self.rounds)
        self.report.add(case + ", new memory", times, limit="copy", minimal_bytes=2 * x.nbytes)

    def run(self):
        print(HEADER, flush=True)
        for cases in CASES:
            cases(self).run()


def optional_versions():
    found = {}
    for name in ("numexpr", "scikit-learn-intelex"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def environment(bench):
    """What it ran on."""
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
            "quern": bench.version, "through": [side.name for side in bench.sides],
            "peers": {"python": platform.python_version(), "scikit-learn": sklearn.__version__,
                      "numpy": np.__version__, "scipy": scipy.__version__, "pandas": pd.__version__,
                      "polars": pl.__version__, "pyarrow": pa.__version__} | optional_versions(), "blas": blas,
            "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE", "not set")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", default=str(HERE.parent / "build/release/lib/libquern.so"))
    parser.add_argument("--through", choices=("c", "python", "both"), default="both",
                        help="the C interface, the installed package, or one beside the other")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that the script runs")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="standard-50, minmax, robust-16, opencl, median; normalizer, chain; bins, uniformbins, quantiles; power; "
                             "products; knn, iterative; scores; adult, row, csv; arrays-sort, moves; expressions: "
                             "the beginning of a name will do; may be repeated")
    parser.add_argument("--rounds", type=int, help="default 7")
    parser.add_argument("--json", help="write everything here")
    parser.add_argument("--markdown", help="write the table here")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder, threadpoolctl.threadpool_limits(THREADS):
        bench = Bench(args, folder)
        where = environment(bench)
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
