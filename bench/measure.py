# SPDX-License-Identifier: Apache-2.0
"""Timing in turns, comparing results, and the table: what all cases of bench_main.py have in common.

A case times *sides* by name: limits ("read", "copy", "fill"), "C" and "Python" (and the same with a
suffix, for another way to do it), and the peers ("peer", which is scikit-learn's, and "peer NAME")."""
import ctypes
import gc
import os
import pathlib
import resource
import subprocess
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
OURS = ("C", "Python")
PYTHON_OF_C = 1.10  # what the package may take, of the time that C takes


class Limits:
    """bench/limits.c, compiled for this machine."""

    def __init__(self, folder, threads):
        self.threads = threads
        path = os.path.join(folder, "limits.so")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O3", "-march=native", "-shared", "-fPIC", "-pthread", "-o", path,
                        str(HERE / "limits.c")], check=True)
        self.c = ctypes.CDLL(path)
        for name, pointers in (("read", 1), ("copy", 2), ("fill", 1)):
            f = getattr(self.c, "quern_limit_" + name)
            f.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_uint64, ctypes.c_uint]
            f.restype = ctypes.c_double

    def __call__(self, kind, *arrays):
        size = arrays[0].nbytes // 64 * 64
        pointers = (a.ctypes.data for a in arrays)
        return getattr(self.c, "quern_limit_" + kind)(*pointers, size, self.threads)


def empty(shape, dtype):
    """An array that begins at a multiple of 64 bytes."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first:first + size].view(dtype).reshape(shape)


class Times(dict):
    """Seconds of each side; `processor` has the processor seconds of the same runs."""

    def __init__(self, sides):
        super().__init__((name, []) for name in sides)
        self.processor = {name: [] for name in sides}

    def take(self, name, run):
        used = processor_seconds()
        start = time.perf_counter()
        made = run()
        stop = time.perf_counter()
        self.processor[name].append(processor_seconds() - used)
        self[name].append(made if isinstance(made, float) else stop - start)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def interleave(sides, rounds, often=3):
    """Seconds of each side. A round is `often` times all but the peers, in turns, then the peers once.
    A side returns its own seconds (a float), or is timed."""
    times = Times(sides)
    peers = [name for name in sides if name.startswith("peer")]
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for _ in range(often):
            for name in sides:
                if name not in peers:
                    times.take(name, sides[name])
        for name in peers:
            times.take(name, sides[name])
        gc.collect()
    gc.enable()
    return times


def figures(times):
    low, middle, high = np.percentile(times, [25, 50, 75])
    return {"min": min(times), "median": middle, "spread": (high - low) / middle, "runs": len(times)}


def quotients(times, above, below):
    """How many times longer one side takes than another: by minima, medians and processor time."""
    over, under = figures(times[above]), figures(times[below])
    found = {"minima": over["min"] / under["min"], "medians": over["median"] / under["median"]}
    if isinstance(times, Times):
        found["processor"] = min(times.processor[above]) / min(times.processor[below])
    return found


class Report:
    def __init__(self):
        self.rows = []

    def add(self, case, times, suffix="", peer="peer", target=None, limit=None, limit_target=None,
            minimal_bytes=0, most=None, note=""):
        """A row of the table. suffix: which of our sides; target: what the peer's time is to be of
        ours, at least; most: seconds that ours may be. Ours is the package's where it was measured."""
        found = {name: figures(times[name + suffix]) for name in OURS if name + suffix in times}
        us = next(name for name in reversed(OURS) if name in found)
        row = {"case": case, "sides": found, "us": us, "note": note}
        met = [found[us]["min"] <= most] if most is not None else []
        if len(found) == 2:
            row["python_of_c"] = quotients(times, "Python" + suffix, "C" + suffix)
            met.append(row["python_of_c"]["minima"] <= PYTHON_OF_C)
        if peer in times:
            row |= {"peer": figures(times[peer]), "ratio": quotients(times, peer, us + suffix),
                    "target": target}
            if target is not None:
                met.append(row["ratio"]["minima"] >= target)
        if limit in times:
            row |= {"limit": limit, "limit_gbs": minimal_bytes / min(times[limit]) / 1e9,
                    "of_limit": quotients(times, limit, us + suffix), "limit_target": limit_target}
            if limit_target is not None:
                met.append(row["of_limit"]["minima"] >= limit_target)
        others = {name: {**figures(times[name]), "ratio": quotients(times, name, us + suffix)}
                  for name in times if name.startswith("peer ") and name != peer}
        if others:
            row["others"] = {name.removeprefix("peer "): found for name, found in others.items()}
        if met:
            row["met"] = all(met)
        if isinstance(times, Times):
            row["processor"] = {name: min(times.processor[name + suffix]) for name in found}
        self.rows.append(row)
        print(markdown_row(row), flush=True)


def milliseconds(f):
    return f"{f['min'] * 1e3:.4g} / {f['median'] * 1e3:.4g} ± {f['spread'] * 100:.0f} %"


HEADER = ("| case | C: min / median ± spread, ms | Python: the same | Python / C: minima (medians) | peer: "
          "min / median ± spread, ms | peer / us: minima (medians) | wanted | of the limit: minima "
          "(medians) | wanted | met | processor time: C, Python, ms; Python / C; peer / us; of the limit | "
          "others: min, ms (their time / ours) |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|---|")


def of_two(q):
    return f"{q['minima']:.3g} ({q['medians']:.3g})"


def markdown_row(r):
    cells = [r["case"] + (f" ({r['note']})" if r["note"] else "")]
    cells += [milliseconds(r["sides"][name]) if name in r["sides"] else "" for name in OURS]
    cells.append(of_two(r["python_of_c"]) if "python_of_c" in r else "")
    if "peer" in r:
        cells += [milliseconds(r["peer"]), of_two(r["ratio"]),
                  f"{r['target']:g}" if r["target"] is not None else ""]
    else:
        cells += ["", "", ""]
    if "limit" in r:
        of = r["of_limit"]
        cells += [f"{of['minima'] * 100:.0f} % ({of['medians'] * 100:.0f} %) of {r['limit']} at "
                  f"{r['limit_gbs']:.1f} GB/s",
                  f"{r['limit_target'] * 100:.0f} %" if r["limit_target"] is not None else ""]
    else:
        cells += ["", ""]
    cells.append({True: "yes", False: "**no**", None: ""}[r.get("met")])
    cells.append(processor_cell(r) if "processor" in r else "")
    cells.append("; ".join(f"{name} {found['min'] * 1e3:.4g} ({found['ratio']['minima']:.3g})"
                           for name, found in r.get("others", {}).items()))
    return "| " + " | ".join(cells) + " |"


def processor_cell(r):
    used = ", ".join(f"{r['processor'][name] * 1e3:.4g}" if name in r["processor"] else "–"
                     for name in OURS)
    quotient = [f"{r[key]['processor'] * scale:.{digits}}{unit}" if key in r else "–"
                for key, scale, digits, unit in (("python_of_c", 1, "3g", ""), ("ratio", 1, "3g", ""),
                                                 ("of_limit", 100, "0f", " %"))]
    return "; ".join([used, *quotient])


# ---- comparing ----

class Wrong(Exception):
    pass


def same_bits(what, a, b):
    if a.dtype != b.dtype or a.shape != b.shape:
        raise Wrong(f"{what}: {a.dtype}{a.shape} against {b.dtype}{b.shape}")
    kind = {4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
    step = max(1, (1 << 22) // max(1, a.shape[-1]))
    for i in range(0, a.shape[0], step):
        if not np.array_equal(np.ascontiguousarray(a[i:i + step]).view(kind),
                              np.ascontiguousarray(b[i:i + step]).view(kind)):
            raise Wrong(f"{what}: bits differ")


def close(what, a, b, within):
    scale = np.maximum(np.abs(b), 1e-300)
    off = float(np.max(np.abs(np.asarray(a) - b) / scale))
    if not off <= within:
        raise Wrong(f"{what}: off by {off:.3g}, allowed {within:.3g}")
