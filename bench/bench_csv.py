#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reading one CSV file: quern beside pandas and Polars, runs interleaved, two threads each.

usage: bench_csv.py FILE [--tool build/release/bin/csv_time] [--repeats 9]

Prints median and fastest seconds of each reader and the ratios of the medians. pandas reads with its C
engine and defaults; Polars reads with its defaults (its types come from the first rows; quern's and
pandas' from whole columns). quern runs as a process of its own for each repeat and times the second of
two reads, as the others do their later ones.
"""
import argparse
import os
import statistics
import subprocess
import time

os.environ["POLARS_MAX_THREADS"] = "2"

import pandas
import polars


def timed(read):
    start = time.perf_counter()
    table = read()
    seconds = time.perf_counter() - start
    del table
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--tool", default="build/release/bin/csv_time")
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()

    def quern():
        out = subprocess.run([args.tool, args.file, "2", "2"], check=True, capture_output=True)
        return float(out.stdout.split()[1])

    readers = {"quern": quern,
               "pandas": lambda: timed(lambda: pandas.read_csv(args.file, engine="c")),
               "polars": lambda: timed(lambda: polars.read_csv(args.file))}
    times = {name: [] for name in readers}
    for run in readers.values():
        run()  # the file into the page cache, the libraries warm
    for _ in range(args.repeats):
        for name, run in readers.items():
            times[name].append(run())
    size = os.path.getsize(args.file)
    print(f"{args.file}: {size} bytes; pandas {pandas.__version__}, Polars {polars.__version__}, "
          f"2 threads, {args.repeats} repeats")
    median = {name: statistics.median(t) for name, t in times.items()}
    for name, t in times.items():
        print(f"{name:7} median {median[name] * 1e3:8.1f} ms   fastest {min(t) * 1e3:8.1f} ms   "
              f"{size / median[name] * 1e-6:7.0f} MB/s")
    for name in ("pandas", "polars"):
        print(f"quern is {median[name] / median['quern']:.2f} x {name} "
              f"(fastest runs: {min(times[name]) / min(times['quern']):.2f} x)")


if __name__ == "__main__":
    main()
