# SPDX-License-Identifier: Apache-2.0
"""The two ways to quern that are measured: the C interface through ctypes, and the Python package.

Each has the same methods; what they return is of their own kind, and `array` makes NumPy's of it."""
import contextlib
import ctypes

import numpy as np
import pyarrow as pa

import quern_ctypes as q
from measure import Wrong


class ThroughC:
    """libquern.so. Tables are views that are made once for a case."""

    name = "C"

    def __init__(self, path, threads):
        self.library = q.Library(path)
        self.cpu = q.Context(self.library, "cpu", threads)
        self.version = self.library.version

    @contextlib.contextmanager
    def new_memory(self):
        """Outputs are not recycled."""
        limit = self.library.c.quern_output_limit
        limit.argtypes, limit.restype = [ctypes.c_uint64], ctypes.c_uint64
        before = limit(0)
        try:
            yield
        finally:
            limit(before)

    def estimator(self, x, name, parameters):
        return CEstimator(self, x, name, parameters)

    def adult(self, frame, numbers, words):
        return CAdult(self, frame, numbers, words)

    def read_csv(self, path):
        return self.cpu.read(path)

    def columns(self, table):
        """(name, "datetime", "string" or "number", values, present) of each column."""
        for i in range(table.shape[1]):
            name, kind, values, present = table.column(i)
            kind = {12: "datetime", q.STRING: "string"}.get(kind, "number")
            yield name, kind, values, present


class CEstimator:
    def __init__(self, side, x, name, parameters):
        self.cpu = side.cpu
        self.table = q.Table.from_matrix(side.library, x)
        self.pipeline = q.Pipeline(side.library, {"quern": 1, "steps": [
            {"columns": "*", "apply": [{name: parameters}]}]})

    def fit(self):
        return self.cpu.fit(self.pipeline, self.table)

    def attributes(self, fitted):
        return fitted.attributes()

    def transform(self, fitted, out=None):
        return self.cpu.transform(fitted, self.table, out)


class CAdult:
    def __init__(self, side, frame, numbers, words):
        self.cpu = side.cpu
        arrow = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
        arrow = arrow.cast(pa.schema([(f.name, pa.string()) if pa.types.is_large_string(f.type)
                                      else f for f in arrow.schema])).combine_chunks()
        self.table = q.Table.from_arrow(side.library, arrow)
        self.pipeline = q.Pipeline(side.library, {"quern": 1, "steps": [
            {"columns": numbers, "apply": ["SimpleImputer", "StandardScaler"]},
            {"columns": words, "apply": [{"SimpleImputer": {"strategy": "most_frequent"}},
                                         {"OneHotEncoder": {"handle_unknown": "ignore"}}]}]})

    def fit_transform(self, sparse, out=None):
        """(result, fitted)"""
        return self.cpu.fit_transform(self.pipeline, self.table, out, sparse)

    def array(self, result):
        return result.array

    def moments(self, fitted):
        """mean_ and scale_ of the numbers."""
        found = fitted.attributes(0, 1)
        return found["mean_"], found["scale_"]


class ThroughPython:
    """The package `quern`, as a user of scikit-learn calls it."""

    name = "Python"

    def __init__(self, threads):
        import quern
        import quern.compose
        import quern.impute
        import quern.pipeline
        import quern.preprocessing
        self.quern, self.version = quern, quern.__version__
        quern.set_config(device="cpu", threads=threads, fallback="never")

    def new_memory(self):
        """Outputs are not recycled."""
        return self.quern.config_context(output_memory=0)

    def estimator(self, x, name, parameters):
        impute = self.quern.impute
        home = impute if name in impute.__all__ else self.quern.preprocessing
        return PythonEstimator(x, getattr(home, name), parameters)

    def adult(self, frame, numbers, words):
        return PythonAdult(self.quern, frame, numbers, words)

    def read_csv(self, path):
        return self.quern.read_csv(path)

    def columns(self, table):
        for i in range(table.columns):
            name, kind, values, bits = table.column(i)
            present = np.ones(table.rows, bool)
            if bits is not None:
                present = np.unpackbits(np.asarray(bits), bitorder="little")[:table.rows].astype(bool)
            if kind == "string":
                offsets, text = np.asarray(values[0]).tolist(), bytes(values[1])
                values = [text[a:b] for a, b in zip(offsets[:-1], offsets[1:])]
            else:
                values = np.asarray(values)
                if kind == "datetime":
                    values = values.view(np.int64)
            yield name, kind if kind in ("string", "datetime") else "number", values, present


class PythonEstimator:
    def __init__(self, x, make, parameters):
        self.x, self.make, self.parameters = x, make, parameters

    def fit(self):
        return self.make(**self.parameters).fit(self.x)

    def attributes(self, fitted):
        return {name: np.float64(value) for name, value in vars(fitted).items()
                if isinstance(value, np.ndarray)}

    def transform(self, fitted, out=None):
        return fitted.transform(self.x) if out is None else fitted.transform_into(self.x, out)


def adult_transformer(compose, impute, pipeline, preprocessing, numbers, words, sparse):
    """The pipeline of the Adult case, of quern's modules or scikit-learn's."""
    texts = pipeline.make_pipeline(
        impute.SimpleImputer(strategy="most_frequent"),
        preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=sparse))
    figures = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    return compose.ColumnTransformer([("n", figures, numbers), ("c", texts, words)],
                                     sparse_threshold=1.0 if sparse else 0.0)


class PythonAdult:
    def __init__(self, quern, frame, numbers, words):
        self.quern, self.frame, self.numbers, self.words = quern, frame, numbers, words

    def fit_transform(self, sparse):
        quern = self.quern
        made = adult_transformer(quern.compose, quern.impute, quern.pipeline, quern.preprocessing,
                                 self.numbers, self.words, sparse)
        result = made.fit_transform(self.frame)
        instead = quern.last_report()["scikit_learn"]
        if instead:
            raise Wrong(f"Adult: scikit-learn's code ran: {instead}")
        return result, made

    def array(self, result):
        return result

    def moments(self, fitted):
        scaler = fitted.named_transformers_["n"][-1]
        return scaler.mean_, scaler.scale_
