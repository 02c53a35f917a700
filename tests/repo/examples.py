#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of examples/ and looks at what they print.

usage: examples.py FOLDER_OF_PROGRAMS QUERN WORK"""
import csv
import pathlib
import struct
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"


def run(*command, text=None):
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def bits(number):
    return struct.pack("<f", float(number))


def scale_array(programs, _quern, _work):
    lines = run(programs / "example_scale_array").splitlines()
    assert lines[0].endswith(": height weight age"), lines[0]
    for column in zip(*[[float(x) for x in line.split()] for line in lines[1:]]):
        assert len(column) == 6
        assert abs(sum(column) / 6) < 1e-5, column
        assert abs(sum(x * x for x in column) / 6 - 1) < 1e-5, column


def mixed_pipeline(programs, _quern, work):
    said = run(programs / "example_mixed_pipeline", EXAMPLES / "adult_sample.csv", work / "adult.model")
    assert said.startswith("5000 rows, 15 inputs, "), said[:80]
    assert "fit, moments: " in said and "transform, run: " in said, said
    assert (work / "adult.model").stat().st_size > 1000


def serve_rows(programs, quern, work):
    """Rows served one by one have the bits of the whole table's transform."""
    table = EXAMPLES / "adult_sample.csv"
    lines = table.read_text("utf-8").splitlines()[1:301]
    served = run(programs / "example_serve_rows", work / "adult.model", text="\n".join(lines) + "\n")
    whole = run(quern, "transform", work / "adult.model", table, "-o", "-", "--quiet")
    want = list(csv.reader(whole.splitlines()))[1:]
    got = list(csv.reader(served.splitlines()))
    assert len(got) == len(lines)
    for row, (a, b) in enumerate(zip(got, want)):
        assert [bits(x) for x in a] == [bits(x) for x in b], f"row {row}"


def bad_usage(programs, _quern, work):
    for name in ("mixed_pipeline", "serve_rows"):
        done = subprocess.run([programs / f"example_{name}"], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "usage" in done.stderr
    done = subprocess.run([programs / "example_serve_rows", work / "absent"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "absent" in done.stderr, done.stderr


def main(argv):
    programs, quern, work = (pathlib.Path(word).resolve() for word in argv)
    work.mkdir(parents=True, exist_ok=True)
    failed = 0
    tests = [scale_array, mixed_pipeline, serve_rows, bad_usage]
    for test in tests:
        try:
            test(programs, quern, work)
            print(f"ok      {test.__name__}")
        except Exception as problem:  # one bad example must not hide the others
            failed += 1
            print(f"FAILED  {test.__name__}: {type(problem).__name__}: {str(problem)[:400]}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
