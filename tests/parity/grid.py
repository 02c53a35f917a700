# SPDX-License-Identifier: Apache-2.0
"""Every numeric estimator of the Python package × dtype × layout × missing values × hard columns, beside
scikit-learn's, in a table of what was compared.

    python tests/parity/grid.py [--devices cpu,opencl:0] [--only 'Robust*']

What a case consists of is in grid_cases.py. For each matrix: both refuse or both accept; attributes are as
close to the exact values as scikit-learn's (attributes.py), or within 1e-12; scikit-learn, given quern's
attributes, gives quern's outputs bit for bit, and quern's way back as well; where outputs go through
functions such as log, they are no further from the exact ones than scikit-learn's. Another number of
threads and other devices give the same bytes. The last line is "grid: N matrices passed, N failed"."""
import argparse
import fnmatch
import sys
import warnings

import numpy as np
import scipy.sparse as sp

import attributes
import grid_cases
import quern

ROWS = 203
DTYPES = ("float32", "float64", "int64")
LAYOUTS = ("C", "F", "sliced")
MISSING = ("none", "some", "all")


class Different(Exception):
    pass


# ---- matrices ----

def columns(dtype, rng):
    """A column of each kind that goes wrong somewhere: name -> values in float64."""
    kind, n = np.dtype(dtype).kind, ROWS
    far = {"float32": 1e30, "float64": 1e140, "int64": 1e15}[dtype]
    near = {"float32": 1e-30, "float64": 1e-140, "int64": 1.0}[dtype]
    made = {"ordinary": rng.normal(5, 3, n), "constant": np.full(n, 7.0 if kind == "i" else 7.3),
            "tiny": rng.normal(0, 1, n) * near, "huge": rng.normal(0, 1, n) * far,
            "offset": 1.7e9 + rng.integers(0, 90_000, n), "few": rng.integers(-2, 3, n).astype(float),
            "skewed": np.exp(rng.normal(0, 1.5, n))}
    return {name: np.round(v) if kind == "i" else v for name, v in made.items()}


def matrix(case, dtype, layout, missing):
    """X, or None where there is no such matrix."""
    if missing != "none" and (dtype == "int64" or not case.missing):
        return None
    rng = np.random.default_rng(20)
    found = columns(dtype, rng)
    X = np.column_stack([found[name] for name in found if name not in case.without]).astype(dtype)
    if case.domain is not None:
        X = case.domain(X).astype(dtype)
    if missing != "none":
        X[rng.random(X.shape) < 0.1] = np.nan
        X[:, 0] = np.nan if missing == "all" else X[:, 0]
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "sliced":
        wide = np.full((2 * X.shape[0], X.shape[1] + 3), 77, dtype)
        wide[::2, 1:-2] = X
        return wide[::2, 1:-2]
    return np.ascontiguousarray(X)


# ---- comparing ----

def attempt(call):
    """(result, None) or (None, what was raised)."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call(), None
    except (ValueError, TypeError, IndexError, FloatingPointError, np.linalg.LinAlgError) as error:
        return None, error


def plain(out):
    """An output as arrays that can be compared."""
    if sp.issparse(out):
        out = out.tocsr()
        return [np.asarray(out.indptr, np.int64), np.asarray(out.indices, np.int64), out.data]
    return [np.ascontiguousarray(out)]


def same(ours, theirs, what):
    """Equal dtype, shape and bits, any NaN being like any other; the number of cells."""
    if sp.issparse(ours) != sp.issparse(theirs) or ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        raise Different(f"{what}: {ours.dtype}{ours.shape}, scikit-learn has {theirs.dtype}{theirs.shape}")
    for a, b in zip(plain(ours), plain(theirs)):
        equal = a == b
        if a.dtype.kind == "f":
            word = {2: np.uint16, 4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
            equal = (a.view(word) == b.view(word)) | (np.isnan(a) & np.isnan(b))
        if not np.all(equal):
            at = tuple(int(i) for i in np.argwhere(~equal)[0])
            raise Different(f"{what}: {int((~equal).sum())} of {a.size} differ, first {at}: "
                            f"{a[at]!r}, scikit-learn has {b[at]!r}")
    return int(np.prod(ours.shape))


def bytes_of(estimator, out):
    found = [part.tobytes() for part in plain(out)]
    for name, value in sorted(vars(estimator).items()):
        if name.endswith("_") and isinstance(value, np.ndarray) and value.dtype != object:
            found.append(value.tobytes())
    return found


def check_attributes(case, ours, theirs, X, where):
    if case.attributes is not None:
        case.attributes(ours, theirs, X, where)
    elif case.name in attributes.LEARNED:
        mine = {name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in vars(ours).items() if name.endswith("_")}
        if case.name in ("MinMaxScaler", "MaxAbsScaler", "RobustScaler"):  # kept as they were learned
            mine = {k: v if isinstance(v, list) or v is None else v for k, v in mine.items()}
        attributes.check(where, case.name, theirs, X, mine)


class Found:
    """What a case's matrices showed."""

    def __init__(self, case):
        self.case = case
        self.matrices = self.refused = self.cells = self.back = self.devices = 0
        self.ours = self.theirs = 0.0  # units in the last place off, where outputs are functions
        self.wrong = []

    def row(self):
        how = (f"ulp {self.ours:.2f}, theirs {self.theirs:.2f}" if self.case.exact is not None
               else "bits equal")
        return (f"| {self.case.title} | {self.matrices} | {self.refused} | {self.cells} | {how} | "
                f"{self.back} | {self.devices} | {len(self.wrong)} |")


HEADER = ("| estimator | matrices | refused by both | cells | outputs | cells of the way back | runs on other "
          "devices and threads | wrong |\n|---|---|---|---|---|---|---|---|")


def close_to_exact(found, case, ours, X, out, theirs, where):
    """Errors of both against the exact outputs, in units in the last place of the output's dtype."""
    if out.dtype != theirs.dtype or out.shape != theirs.shape:
        raise Different(f"{where}: {out.dtype}{out.shape}, scikit-learn has {theirs.dtype}{theirs.shape}")
    off_ours, off_theirs = case.exact(ours, X, out), case.exact(ours, X, theirs)
    found.ours, found.theirs = max(found.ours, off_ours), max(found.theirs, off_theirs)
    if off_ours > max(off_theirs, 1.0):
        raise Different(f"{where}: off by {off_ours:.3g} units in the last place, scikit-learn by "
                        f"{off_theirs:.3g}")


def compare(found, case, X, where, contexts):
    y = None if case.target is None else case.target(X)
    with quern.config_context(**contexts[0]):
        ours, refusal = attempt(lambda: case.make("ours").fit(X.copy(order="K"), y))
        theirs, their_refusal = attempt(lambda: case.make("theirs").fit(X.copy(order="K"), y))
        if (refusal is None) != (their_refusal is None):
            raise Different(f"{where}: quern {refusal or 'accepts'!r}, scikit-learn {their_refusal or 'accepts'!r}")
        if refusal is not None:
            found.refused += 1
            return
        check_attributes(case, ours, theirs, X, where)
        given = case.twin(ours) if case.peer is not None else None
        out, refusal = attempt(lambda: ours.transform(X))
        if given is not None:
            wanted, their_refusal = attempt(lambda: given.transform(X))
            if (refusal is None) != (their_refusal is None):
                raise Different(f"{where}: transform: quern {refusal or 'accepts'!r}, scikit-learn "
                                f"{their_refusal or 'accepts'!r}")
        if refusal is not None:
            found.refused += 1
            return
        if case.exact is not None:
            close_to_exact(found, case, ours, X, out, wanted, where)
            found.cells += int(np.prod(out.shape))
        elif given is not None:
            found.cells += same(out, wanted, f"{where}: transform")
        if case.back:
            back, _ = attempt(lambda: ours.inverse_transform(out))
            wanted, _ = attempt(lambda: given.inverse_transform(out))
            if case.exact is None:
                found.back += same(back, wanted, f"{where}: inverse_transform")
        reference = bytes_of(ours, out)
    for context in contexts[1:]:
        with quern.config_context(**context):
            again = case.make("ours").fit(X.copy(order="K"), y)
            if bytes_of(again, again.transform(X)) != reference:
                raise Different(f"{where}: {context} gives other bytes than {contexts[0]}")
        found.devices += 1


def run(case, contexts):
    found = Found(case)
    for dtype in DTYPES:
        for layout in LAYOUTS:
            for missing in MISSING:
                X = matrix(case, dtype, layout, missing)
                if X is None:
                    continue
                found.matrices += 1
                where = f"{case.title}, {dtype}, {layout}, missing: {missing}"
                try:
                    with warnings.catch_warnings(), np.errstate(all="ignore"):
                        warnings.simplefilter("ignore")
                        compare(found, case, X, where, contexts)
                except (Different, attributes.Mismatch, AssertionError) as difference:
                    found.wrong.append(str(difference))
    return found


def contexts_of(devices):
    """Settings to compare: one thread on the CPU, then what else there is."""
    here = {d["id"] for d in quern.devices() if d["present"]}
    found = [{"device": "cpu", "threads": 1, "fallback": "never"}]
    for name in devices:
        if name in here:
            found.append({"device": name, "threads": 2})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--devices", default="cpu,opencl:0")
    parser.add_argument("--only", default="*")
    args = parser.parse_args()
    contexts = contexts_of(args.devices.split(","))
    print(HEADER)
    passed = failed = 0
    for case in grid_cases.CASES:
        if not fnmatch.fnmatch(case.title, args.only):
            continue
        found = run(case, contexts)
        print(found.row(), flush=True)
        for wrong in found.wrong:
            print("  " + wrong, file=sys.stderr)
        failed += len(found.wrong)
        passed += found.matrices - len(found.wrong)
    print(f"grid: {passed} matrices passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
