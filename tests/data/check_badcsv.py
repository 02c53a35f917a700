#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares badcsv_expected.tsv with Python's csv module: where both read a file, the cells must be
equal; where quern refuses, the file must be one of the kinds of docs/csv.md that are no CSV tables.

usage: QUERN_DATA_DIR=... check_badcsv.py [badcsv_expected.tsv]
"""
import csv
import gzip
import io
import os
import struct
import sys

P1, P2, P3, P4, P5 = (11400714785074694791, 14029467366897019727, 1609587929392839161,
                      9650029242287828579, 2870177450012600261)
M = (1 << 64) - 1


def rotl(x, r):
    return ((x << r) | (x >> (64 - r))) & M


def xxh64(data):
    n, at = len(data), 0
    if n >= 32:
        acc = [(P1 + P2) & M, P2, 0, (-P1) & M]
        for at in range(0, n - 31, 32):
            for i, lane in enumerate(struct.unpack_from("<4Q", data, at)):
                acc[i] = rotl((acc[i] + lane * P2) & M, 31) * P1 & M
        at += 32
        h = (rotl(acc[0], 1) + rotl(acc[1], 7) + rotl(acc[2], 12) + rotl(acc[3], 18)) & M
        for a in acc:
            h = ((h ^ (rotl(a * P2 & M, 31) * P1 & M)) * P1 + P4) & M
    else:
        h = P5
    h = (h + n) & M
    while at + 8 <= n:
        k = rotl(struct.unpack_from("<Q", data, at)[0] * P2 & M, 31) * P1 & M
        h = (rotl(h ^ k, 27) * P1 + P4) & M
        at += 8
    if at + 4 <= n:
        h = (rotl(h ^ (struct.unpack_from("<I", data, at)[0] * P1 & M), 23) * P2 + P3) & M
        at += 4
    for b in data[at:]:
        h = rotl(h ^ (b * P5 & M), 11) * P1 & M
    h = (h ^ (h >> 33)) * P2 & M
    h = (h ^ (h >> 29)) * P3 & M
    return h ^ (h >> 32)


def python_rows(data, name):
    """The rows of a file, blank lines left out, cells as bytes."""
    delimiter = "\t" if name.lower().endswith(".tsv") else ","
    try:
        text, encoding = data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1"), "latin-1"
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [[cell.encode(encoding) for cell in row] for row in rows if row]


def why_not(data, name, rows, message):
    """The reason why this file may be refused, or None."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16" if "UTF-16" in message else None
    if data[:3] == b"BZh" or data[:2] == b"PK":
        return "another format" if "not CSV text" in message else None
    if not rows:
        return "empty" if "is empty" in message else None
    return None


def width(row, first):
    """The row's cells, without empty ones at its end that the first row has no place for."""
    n = len(row)
    while n > first and not row[n - 1]:
        n -= 1
    return n


def check(folder, name, outcome):
    with open(os.path.join(folder, name), "rb") as f:
        data = f.read()
    if data[:3] == b"\x1f\x8b\x08":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, gzip.BadGzipFile):
            return "damaged gzip" if outcome.startswith("refused") else None
    try:
        rows = python_rows(data, name)
    except csv.Error:
        rows = None
    if outcome.startswith("refused"):
        return "Python refuses" if rows is None else why_not(data, name, rows, outcome)
    if rows is None:
        return None
    n = max(width(row, len(rows[0])) for row in rows)
    text = b"".join(b"".join(c + b"\x1f" for c in row[:n]) + b"\x1e" for row in rows)
    return "equal" if outcome == f"ok {len(rows)} {n} {xxh64(text):016x}" else None


def main():
    csv.field_size_limit(1 << 30)
    here = os.path.dirname(os.path.abspath(__file__))
    table = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "badcsv_expected.tsv")
    folder = os.path.join(os.environ["QUERN_DATA_DIR"], "badcsv")
    counts, failed, names = {}, 0, set()
    with open(table, encoding="utf-8", newline="\n") as f:
        for line in f:
            if line.startswith("#"):
                continue
            name, cells, _ = line.rstrip("\n").split("\t")
            names.add(name)
            verdict = check(folder, name, cells)
            counts[verdict] = counts.get(verdict, 0) + 1
            if verdict is None:
                failed += 1
                print(f"FAILED {name}: {cells}")
    missing = set(n for n in os.listdir(folder) if not n.startswith(".")) - names
    for verdict, count in sorted((str(v), c) for v, c in counts.items()):
        print(f"{count:5} {verdict}")
    if missing:
        print("without an expected outcome:", sorted(missing))
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
