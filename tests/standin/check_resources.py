#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what nvcc said while it made the fat binaries (folder/*.fatbin.log): one line per kernel and
architecture with its registers. Fails on a spill, on a warning, and when there is nothing to read."""
import pathlib
import re
import sys

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\d+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")


def main(folder):
    troubles, most = [], {}
    logs = sorted(pathlib.Path(folder).glob("*.fatbin.log"))
    for log in logs:
        kernel = target = None
        for line in log.read_text().splitlines():
            if "warning" in line.lower():
                troubles.append(f"{log.name}: {line}")
            elif found := ENTRY.search(line):
                kernel, target = found.groups()
            elif (found := SPILL.search(line)) and found.group(0) != "0 bytes spill stores, 0 bytes spill loads":
                troubles.append(f"{kernel} on {target}: {found.group(0)}")
            elif found := USED.search(line):
                most[kernel] = max(most.get(kernel, 0), int(found.group(1)))
    for kernel, registers in sorted(most.items()):
        print(f"{kernel:32} at most {registers} registers")
    if not most:
        troubles.append(f"{folder}: no kernel was reported in {len(logs)} logs")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
