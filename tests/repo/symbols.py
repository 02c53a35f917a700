#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The exported symbols of libquern.so are those of exported.txt, which are those of the public headers.

usage: symbols.py LIBRARY [--write]      --write makes exported.txt from the headers"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LIST = HERE / "exported.txt"
HEADERS = sorted((HERE.parent.parent / "include" / "quern").glob("*.h"))


def declared():
    text = "\n".join(header.read_text("utf-8") for header in HEADERS)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^\s*#.*(?:\\\n.*)*$", "", text, flags=re.M)
    return sorted(re.findall(r"QUERN_API[^;{]*?\b(quern_\w+)\s*\(", text))


def exported(library):
    said = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library],
                          capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in said.splitlines()]
    return sorted(name.split("@")[0] for name in names if not name.startswith("QUERN_0"))


def compare(what, got, want):
    for name in sorted(set(got) - set(want)):
        print(f"FAILED: {what}: {name} is not in {LIST.name}")
    for name in sorted(set(want) - set(got)):
        print(f"FAILED: {what}: {name} of {LIST.name} is not there")
    return got == want


def main(argv):
    if "--write" in argv:
        LIST.write_text("".join(name + "\n" for name in declared()), "utf-8")
    committed = LIST.read_text("utf-8").split()
    results = [compare("header", declared(), committed), compare(argv[0], exported(argv[0]), committed)]
    print(f"{sum(results)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
