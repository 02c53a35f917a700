# SPDX-License-Identifier: Apache-2.0
"""Expressions beside NumPy, numexpr (where it is installed) and Polars, over columns of their own."""
import re

import numpy as np
import polars as pl
import pyarrow as pa

import quern_ctypes as q
from measure import Wrong, empty, interleave

try:
    import numexpr
except ImportError:
    numexpr = None

# name: (expression, what Polars computes, whether bits are NumPy's)
EXPRESSIONS = {
    "ratio": ("log1p(x) / (y + 1)", lambda x, y: x.log1p() / (y + 1), False),
    "polynomial": ("3 * x ** 2 - 2 * x * y + y / (x + 4)", lambda x, y: 3 * x * x - 2 * x * y + y / (x + 4), False),
    "choice": ("where(x > y, x - y, y * 0.5)", lambda x, y: pl.when(x > y).then(x - y).otherwise(y * 0.5), True),
    "bell": ("exp(-(x * x + y * y) / 2)", lambda x, y: (-(x * x + y * y) / 2).exp(), False),
}


class ExpressionCases:
    """bench: what bench_main.Bench has."""

    def __init__(self, bench):
        self.bench, self.report, self.limits = bench, bench.report, bench.limits

    def run(self):
        for name in EXPRESSIONS:
            for dtype in (np.float32, np.float64):
                if self.bench.wanted(f"expressions-{name}-{np.dtype(dtype)}"):
                    self.case(name, dtype, 100_000 if self.bench.args.quick else 1_000_000)

    def case(self, name, dtype, rows):
        text, by_polars, exact = EXPRESSIONS[name]
        columns = empty((2, rows), dtype)
        columns[...] = np.abs(np.random.default_rng(4).normal(size=columns.shape))
        x, y = columns
        frame = pl.DataFrame({"x": x, "y": y})
        code = compile(text, text, "eval")
        names = {"log1p": np.log1p, "exp": np.exp, "where": np.where, "x": x, "y": y}
        by_numpy = lambda: eval(code, names)  # noqa: S307, E731 (a text of this file)
        wanted, warm = by_numpy(), empty((3, rows), dtype)
        sides = {"copy": lambda: self.limits("copy", warm[:2].ravel(), columns.ravel())}
        for side in self.bench.sides:
            run = self.through_c(side, columns, text) if side.name == "C" else self.through_python(side, columns, text)
            self.compare(f"{side.name}: {text}", run(), wanted, exact)
            sides[side.name] = run
        sides["NumPy"] = by_numpy
        sides["Polars"] = lambda: frame.select(by_polars(pl.col("x"), pl.col("y")))
        if numexpr is not None:
            numexpr.set_num_threads(self.bench.threads)
            sides["numexpr"] = lambda: numexpr.evaluate(text, local_dict={"x": x, "y": y}, global_dict={})
        times = interleave(sides, self.bench.rounds)
        for peer in ("NumPy", "Polars", "numexpr"):
            if peer in sides:
                self.report.add(f"{text}, {np.dtype(dtype)}, {rows} rows, recycled output", times, peer=peer,
                                limit="copy", minimal_bytes=3 * x.nbytes, note=f"beside {peer}")

    @staticmethod
    def through_c(side, columns, text):
        table = q.Table.from_arrow(side.library, pa.table({"x": columns[0], "y": columns[1]}))
        pipeline = q.Pipeline(side.library, {"quern": 1, "steps": [
            {"columns": "*", "apply": [{"FunctionTransformer": {"expression": text, "each": False}}]}]})
        model = side.cpu.fit(pipeline, table)
        return lambda: side.cpu.transform(model, table)

    @staticmethod
    def through_python(side, columns, text):
        made = side.quern.preprocessing.FunctionTransformer(re.sub(r"\by\b", "x1", re.sub(r"\bx\b", "x0", text)))
        return lambda: made.transform(columns.T)

    @staticmethod
    def compare(what, made, wanted, exact):
        made = np.array(getattr(made, "array", made)).reshape(-1)  # a copy: the library's memory goes with `made`
        if made.dtype != wanted.dtype:
            raise Wrong(f"{what}: {made.dtype}, not {wanted.dtype}")
        off = np.abs(made - wanted) / np.spacing(np.abs(wanted))
        if off.max() > (0 if exact else 16):
            raise Wrong(f"{what}: {off.max()} units off")
