# SPDX-License-Identifier: Apache-2.0
"""The calls of test_docs_raises.py for functions of arrays and random numbers: (name and exception, call). ctx
makes a context, X is a matrix."""
import numpy as np
from scipy import sparse

import quern
from quern import _core


def arrays(ctx, X):
    line, out, places = np.array([2.0, 1.0]), np.empty(2), np.empty(2, np.int64)
    words = np.array(["a"])
    for name in ("sort", "argsort"):
        yield f"{name} TypeError", lambda n=name: getattr(quern, n)(words)
        yield f"{name} numpy.exceptions.AxisError", lambda n=name: getattr(quern, n)(line, 1)
    for call in (lambda: quern.top_k(words, 1), lambda: quern.top_k(line, 1.5)):
        yield "top_k TypeError", call
    yield "top_k ValueError", lambda: quern.top_k(line, 3)
    yield "top_k numpy.exceptions.AxisError", lambda: quern.top_k(line, 1, 1)
    yield "unique TypeError", lambda: quern.unique(words)
    yield "searchsorted TypeError", lambda: quern.searchsorted(line, words)
    for call in (lambda: quern.searchsorted(X, line), lambda: quern.searchsorted(line, line, "up")):
        yield "searchsorted ValueError", call
    yield "digitize TypeError", lambda: quern.digitize(words, line)
    yield "digitize ValueError", lambda: quern.digitize(line, [1.0, 3.0, 2.0])
    for name in ("sum", "prod", "mean", "var", "std", "min", "max", "ptp", "argmin", "argmax", "count",
                 "count_nonzero", "any", "all"):
        yield f"{name} TypeError", lambda n=name: getattr(quern, n)(words)
        yield f"{name} numpy.exceptions.AxisError", lambda n=name: getattr(quern, n)(line, 1)
    for name in ("min", "max", "ptp", "argmin", "argmax"):
        yield f"{name} ValueError", lambda n=name: getattr(quern, n)([])
    for name in ("var", "std"):
        yield f"{name} ValueError", lambda n=name: getattr(quern, n)(line, ddof=np.inf)
    for name in ("quantile", "percentile", "median"):
        q = () if name == "median" else (0.5,)
        yield f"{name} TypeError", lambda n=name, q=q: getattr(quern, n)(words, *q)
        yield f"{name} numpy.exceptions.AxisError", lambda n=name, q=q: getattr(quern, n)(line, *q, 1)
    for name in ("quantile", "percentile"):
        yield f"{name} TypeError", lambda n=name: getattr(quern, n)(line, "a")
        for given, more in (((line, -1), {}), ((line, 0.5), {"method": "no"}), (([], 0.5), {}),
                            ((line, 0.5), {"weights": [1.0]})):
            yield f"{name} ValueError", lambda n=name, g=given, m=more: getattr(quern, n)(*g, **m)
    for name in ("cumsum", "cumprod"):
        yield f"{name} TypeError", lambda n=name: getattr(quern, n)(words)
        yield f"{name} numpy.exceptions.AxisError", lambda n=name: getattr(quern, n)(line, 1)
    yield "_core.array_accumulate ValueError", lambda: _core.array_accumulate(ctx(), 0, line, places)
    for given, more in (((words,), {}), ((line, words), {}), ((line,), {"dtype": int})):
        yield "cov TypeError", lambda g=given, m=more: quern.cov(*g, **m)
        yield "corrcoef TypeError", lambda g=given, m=more: quern.corrcoef(*g, **m)
    yield "cov TypeError", lambda: quern.cov(line, fweights=[1.5, 1])
    for given in ((np.zeros((1, 1, 1)),), (line, np.zeros((1, 1, 1))), (line, [1.0])):
        yield "cov ValueError", lambda g=given: quern.cov(*g)
        yield "corrcoef ValueError", lambda g=given: quern.corrcoef(*g)
    for more in ({"ddof": 0.5}, {"fweights": [-1, 2]}, {"aweights": [-1, 2]}, {"aweights": [np.inf, 2]}):
        yield "cov ValueError", lambda m=more: quern.cov(line, **m)
    for more in ({"fweights": [1]}, {"aweights": [[1, 2]]}):
        yield "cov RuntimeError", lambda m=more: quern.cov(line, **m)
    yield "cov ZeroDivisionError", lambda: quern.cov(line, aweights=[0, 0])
    yield "_core.array_covariance ValueError", lambda: _core.array_covariance(ctx(), line, places, 0)
    for given in ((words,), (line, 10, None, False, words)):
        yield "histogram TypeError", lambda g=given: quern.histogram(*g)
    for given in ((line, [1.0, 0.0]), (line, 2, None, False, [1.0]), ([np.inf],)):
        yield "histogram ValueError", lambda g=given: quern.histogram(*g)
    yield "bincount TypeError", lambda: quern.bincount(line)
    for given in (([[1]],), ([-1],), ([1], None, -1), ([1], [1.0, 2.0])):
        yield "bincount ValueError", lambda g=given: quern.bincount(*g)
    yield "_core.array_counts ValueError", lambda: _core.array_counts(ctx(), line, line)
    yield "_core.array_quantile ValueError", lambda: _core.array_quantile(ctx(), line, places, out)
    yield "_core.array_reduce ValueError", lambda: _core.array_reduce(ctx(), 0, line, out)
    yield "_core.array_sort ValueError", lambda: _core.array_sort(ctx(), line, out, None, 1)
    yield "_core.array_unique ValueError", lambda: _core.array_unique(ctx(), np.zeros((1, 1, 1)))
    yield "_core.array_searchsorted ValueError", lambda: _core.array_searchsorted(ctx(), places, line, places)
    for edges in (np.array([1.0, 3.0, 2.0]), places):
        yield "_core.array_digitize ValueError", lambda e=edges: _core.array_digitize(ctx(), e, line, places)


def moves(ctx, X):
    line, out, words = np.array([2.0, 1.0]), np.empty(3), np.array(["a"])
    for name in ("copy", "transpose", "flatnonzero", "nonzero"):
        yield f"{name} TypeError", lambda n=name: getattr(quern, n)(words)
    yield "astype TypeError", lambda: quern.astype(line, "U3")
    yield "astype ValueError", lambda: quern.astype([300.0], "int8", checked=True)
    yield "copy ValueError", lambda: quern.copy(line, "K")
    yield "nonzero ValueError", lambda: quern.nonzero(3.0)
    for call in (lambda: quern.take(words, [0]), lambda: quern.take(line, [0.5])):
        yield "take TypeError", call
    for call in (lambda: quern.take(line, [2]), lambda: quern.take([], [0])):
        yield "take IndexError", call
    yield "take ValueError", lambda: quern.take(line, [0], mode="no")
    yield "take numpy.exceptions.AxisError", lambda: quern.take(line, [0], 1)
    yield "compress TypeError", lambda: quern.compress(line, words)
    yield "compress ValueError", lambda: quern.compress(X, X)
    yield "compress IndexError", lambda: quern.compress([1, 1, 1], line, 0)
    yield "compress numpy.exceptions.AxisError", lambda: quern.compress(line, line, 1)
    yield "where TypeError", lambda: quern.where(line, words, 1)
    yield "where ValueError", lambda: quern.where(line, line, np.zeros(3))
    yield "_core.array_cast ValueError", lambda: _core.array_cast(ctx(), line, out)
    yield "_core.array_take ValueError", lambda: _core.array_take(ctx(), line, np.array([2]), out[:1])
    yield "_core.array_compress ValueError", lambda: _core.array_compress(ctx(), line, line, out)
    yield "_core.array_where ValueError", lambda: _core.array_where(ctx(), line, line, line, out)


def draws(ctx, X):
    rows = sparse.csr_array(X)
    random, split = quern.random, quern.model_selection.train_test_split
    for name in ("bits", "uniform"):
        for call in (lambda n=name: getattr(random, n)(1.5), lambda n=name: getattr(random, n)(2, seed="a")):
            yield f"{name} TypeError", call
        for call in (lambda n=name: getattr(random, n)(2, "int8"), lambda n=name: getattr(random, n)(2, seed=-1)):
            yield f"{name} ValueError", call
    yield "integers TypeError", lambda: random.integers(0, 2.5, 1)
    for call in (lambda: random.integers(1, 1, 1), lambda: random.integers(0, 2, 1, seed=2**64)):
        yield "integers ValueError", call
    yield "permutation TypeError", lambda: random.permutation(["a"])
    for call in (lambda: random.permutation(3, 4), lambda: random.permutation(2.5), lambda: random.permutation(3, seed=-1)):
        yield "permutation ValueError", call
    for call in (lambda: split(), lambda: split(rows, test_size=2.0), lambda: split(X, X[1:]),
                 lambda: split(X, stratify=np.arange(len(X))), lambda: split(X, stratify=[1], shuffle=False),
                 lambda: split(X, test_size="all"), lambda: split(X, random_state="a")):
        yield "train_test_split ValueError", call
    yield "train_test_split TypeError", lambda: split(3)
    line, places = np.empty(2), np.empty(3, np.int64)
    yield "_core.random_fill ValueError", lambda: _core.random_fill(ctx(), places, 0)
    yield "_core.random_permutation ValueError", lambda: _core.random_permutation(ctx(), places, 2, 0)
    yield "_core.random_split ValueError", lambda: _core.random_split(ctx(), 2, places, line, 0)
