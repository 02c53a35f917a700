#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the suites of the command line share: the program as a child, a folder with a table and a spec,
and the run of a suite's tests.

usage of each suite: test_X.py QUERN [NAME…]      only the tests whose names contain a word"""
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "repo"))

TABLE = """age,city,score,flag
31,Oslo,1.5,True
,Lima,2.5,False
45,Oslo,,True
28,"São, Paulo",0.25,True
45,,4,False
"""
SPEC = {"quern": 1, "steps": [
    {"name": "n", "columns": ["age", "score"],
     "apply": [{"SimpleImputer": {"strategy": "median"}}, "StandardScaler"]},
    {"name": "c", "columns": ["city"],
     "apply": [{"SimpleImputer": {"strategy": "most_frequent"}},
               {"OneHotEncoder": {"handle_unknown": "ignore"}}]}],
    "output": {"sparse": False}}
NAMES = ["n__age", "n__score", "c__city_Lima", "c__city_Oslo", "c__city_São, Paulo"]
TESTS = []
PROGRAM = None


def test(function):
    TESTS.append(function)
    return function


class Skipped(Exception):
    pass


# ---- running the program ----


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.bytes = done.returncode, done.stdout.decode("utf-8", "replace"), done.stdout
        self.err = done.stderr.decode("utf-8", "replace")


def quern(*words, stdin=b"", env=None, limit=None, stdout=subprocess.PIPE):
    """limit: the largest file in bytes that the program can write, as on a full disk."""
    def prepare():
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = subprocess.run([PROGRAM, *map(str, words)], input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                          timeout=300, check=False, env={**os.environ, **(env or {})},
                          preexec_fn=prepare)
    if stdout != subprocess.PIPE:
        done.stdout = b""
    return Outcome(done)


def succeeds(*words, **more):
    outcome = quern(*words, **more)
    assert outcome.code == 0, f"{words}: exit {outcome.code}: {outcome.err.strip()[:300]}"
    return outcome


def refuses(code, texts, *words, **more):
    """One clear line on standard error, nothing on standard output."""
    outcome = quern(*words, **more)
    lines = outcome.err.strip().splitlines()
    assert outcome.code == code, f"{words}: exit {outcome.code}, not {code}: {outcome.err[:300]}"
    assert outcome.out == "", f"{words}: standard output has {outcome.out[:80]!r}"
    assert len(lines) == 1 and lines[0].startswith("quern: "), f"{words}: {outcome.err[:300]!r}"
    for text in [texts] if isinstance(texts, str) else texts:
        assert text in lines[0], f"{words}: {lines[0]!r} does not say {text!r}"
    return lines[0]


class Folder:
    """A folder with a table and a spec; notices what is left behind."""

    def __init__(self, path):
        self.path = path
        self.spec = self.write("spec.json", json.dumps(SPEC, ensure_ascii=False))
        self.table = self.write("table.csv", TABLE)

    def __truediv__(self, name):
        return self.path / name

    def write(self, name, content):
        path = self.path / name
        if isinstance(content, str):
            content = content.encode("utf-8")
        path.write_bytes(content)
        return path

    def files(self):
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.rglob("*"))

    def model(self):
        path = self / "model"
        succeeds("fit", self.spec, self.table, "--model", path, "--quiet")
        return path


def npy(path):
    """(shape, dtype word, bytes) of a .npy file, C order."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    end = 10 + struct.unpack("<H", data[8:10])[0]
    assert end % 64 == 0
    head = eval(data[10:end].decode("latin1"), {"__builtins__": {}})  # a dict literal, our own output
    assert head["fortran_order"] is False
    return head["shape"], head["descr"], data[end:]


def big_table(rows):
    towns = ["Oslo", "Lima", "Pune", "Zürich", "\"a, b\""]
    lines = ["age,score,town,kind"]
    state = 12345
    for i in range(rows):
        state = (state * 1103515245 + 12345) % 2147483648
        age = "" if state % 17 == 0 else str(state % 90)
        lines.append(f"{age},{(state % 99991) / 777:.5f},{towns[state // 8 % 5]},k{state // 64 % 40}")
    return "\n".join(lines) + "\n"


BIG_SPEC = {"quern": 1, "steps": [
    {"columns": {"dtype": "number"}, "apply": [{"SimpleImputer": {"strategy": "median"}}, "RobustScaler",
                                              "StandardScaler"]},
    {"columns": {"dtype": "string"}, "apply": ["OneHotEncoder"]}],
    "output": {"dtype": "float32", "sparse": False}}


# ---- all of a suite ----


def run_one(function, scratch):
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    try:
        function(Folder(folder))
        return "ok", ""
    except Skipped as reason:
        return "skipped", str(reason)
    except AssertionError as problem:
        return "FAILED", str(problem)
    except Exception as problem:  # one bad test must not hide the others
        return "FAILED", f"{type(problem).__name__}: {problem}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(argv):
    global PROGRAM
    PROGRAM = str(pathlib.Path(argv[0]).resolve())
    os.environ.pop("QUERN_DEVICE", None)
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for function in TESTS:
            if argv[1:] and not any(word in function.__name__ for word in argv[1:]):
                continue
            start = time.monotonic()
            state, why = run_one(function, scratch)
            counts[state] += 1
            print(f"{state:8}{function.__name__} ({time.monotonic() - start:.1f} s)" +
                  (f": {why[:3000]}" if why else ""), flush=True)
    closing = f"{counts['ok']} passed, {counts['FAILED']} failed"
    print(closing + (f", {counts['skipped']} skipped" if counts["skipped"] else ""))
    return 1 if counts["FAILED"] or not counts["ok"] else 0
