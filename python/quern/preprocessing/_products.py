# SPDX-License-Identifier: Apache-2.0
"""Products of the stored elements of sparse rows, and of float16 columns: what the library has no form of."""
import math

import numpy as np
from scipy import sparse

from .._memory import empty


def of_columns(X, products, width):
    """The products of a dense X's columns, each multiplication rounded to its dtype."""
    out = empty((X.shape[0], width), X.dtype)
    for k, product in enumerate(products):
        out[:, k] = 1
        for i, column in enumerate(reversed(product)):
            out[:, k] = X[:, column] if i == 0 else out[:, k] * X[:, column]
    return out


def _choices(m, k, distinct):
    """In how many ways k of m columns can be chosen, for each of m."""
    found = np.ones_like(m)
    for i in range(k):
        found = found * (m - i if distinct else m + i) // (i + 1)
    return found


class _Tuples:
    """Products of one degree: where each has its value from, and its column among those of its degree."""

    def __init__(self, X, distinct):
        self.X, self.distinct = X, distinct
        self.rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        self.last = np.arange(X.nnz)  # the element that came last
        self.chosen = [np.arange(X.nnz)]
        self.values = X.data

    def grow(self):
        """Each times every element of its row that is not before its last one."""
        stop = self.X.indptr[1:].astype(np.int64)[self.rows]
        first = self.last + self.distinct
        counts = np.maximum(stop - first, 0)
        parent = np.repeat(np.arange(len(counts)), counts)
        begin = np.cumsum(counts) - counts
        self.last = first[parent] + np.arange(len(parent)) - begin[parent]
        self.rows = self.rows[parent]
        self.chosen = [c[parent] for c in self.chosen] + [self.last]
        self.values = self.values[parent] * self.X.data[self.last]

    def matrix(self):
        """The products as CSR: the place of a combination in lexicographic order is its column."""
        n, k = self.X.shape[1], len(self.chosen)
        exact = np.int64 if n + k < 2 ** (62 // (k + 1)) else object
        lowest = 1 if self.distinct else 0
        before = np.zeros(len(self.last), exact) - lowest
        column = np.zeros(len(self.last), exact)
        for i, chosen in enumerate(self.chosen):
            now = self.X.indices[chosen].astype(exact)
            column = column + (_choices(n - before - lowest, k - i, self.distinct)
                               - _choices(n - now, k - i, self.distinct))
            before = now
        width = math.comb(n, k) if self.distinct else math.comb(n + k - 1, k)
        if width == 0:
            return None
        indptr = np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.X.shape[0]))])
        index = np.int64 if max(width - 1, indptr[-1]) > np.iinfo(np.int32).max else np.int32
        return sparse.csr_array((self.values, column.astype(index), indptr.astype(index)),
                                shape=(self.X.shape[0], width))


def of_sparse(X, least, most, distinct, bias):
    """PolynomialFeatures of a CSR or CSC matrix, in the format of X, as an array of SciPy's."""
    rows = sparse.csr_array(X)
    if not rows.has_sorted_indices:
        rows = rows.sorted_indices()
    parts = [sparse.csr_array(np.ones((X.shape[0], 1), X.dtype))] if bias else []
    if least <= 1 <= most:
        parts.append(rows)
    tuples = _Tuples(rows, int(bool(distinct)))
    for k in range(2, most + 1):
        tuples.grow()
        found = tuples.matrix() if k >= least else None
        if found is None:
            continue
        if most > 3:  # scikit-learn goes another way then, on which zeros are lost
            found = found.copy()  # the next degree grows from these values
            found.eliminate_zeros()
        parts.append(found)
    if not parts:
        return sparse.csr_array((X.shape[0], 0), dtype=X.dtype).asformat(X.format)
    return sparse.hstack(parts, dtype=X.dtype, format=X.format)
