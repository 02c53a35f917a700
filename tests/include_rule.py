#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom (docs/design.md, "Who sees whom"), checked by reading every #include.

usage: include_rule.py [ROOT]      exit 0: the rule holds; each offence is one line
       include_rule.py --self-test   breaks the rule on purpose, once per kind of offence"""
import pathlib
import re
import sys
import tempfile

# What each folder may include besides itself: folders, or single files of a folder.
ALLOWED = {
    "include/quern": [],
    "kernels": [],
    "cli": ["quern"],
    "examples": ["quern"],
    "python": ["quern"],
    "host/core": ["quern"],
    "host/memory": ["host/core", "host/device/driver.h"],
    "host/data": ["host/core", "host/memory"],
    "host/device": ["host/core", "host/memory", "kernels"],
    "host/ops": ["host/core", "host/memory", "host/device", "kernels"],
    "host/arrays": ["quern", "host/core", "host/memory", "host/data", "host/device", "host/ops", "host/stats",
                    "kernels"],
    "host/stats": ["host/core", "host/data/table.h", "host/ops/requests.h", "kernels"],
    "host/estimators": ["host/core", "host/data", "host/stats", "kernels"],
    "host/pipeline": ["host/core", "host/memory", "host/data", "host/device", "host/ops",
                      "host/stats", "host/estimators", "kernels"],
    "host/measure": ["host/core", "host/memory", "host/data", "host/device", "host/ops",
                     "host/stats", "host/estimators", "host/pipeline", "kernels"],
    "host/api": ["host/core", "host/memory", "host/data", "host/device", "host/ops", "host/stats",
                 "host/estimators", "host/pipeline", "host/measure", "kernels"],
}
BACKEND = ["quern", "host/core", "host/device/driver.h", "host/ops/requests.h", "host/ops/arrays.h", "host/ops/counts.h",
           "host/ops/moves.h", "host/ops/random.h", "host/ops/reductions.h", "host/ops/row.h", "kernels"]

# System and library headers that only some places may use.
RESERVED = [
    (re.compile(r"dlfcn\.h$"), ["host/core/os_posix.c"], "libraries are loaded by host/core"),
    (re.compile(r"sched\.h$"), ["host/core/"], "threads come from host/core"),
    (re.compile(r"pthread\.h$"), ["host/core/", "host/memory/", "host/device/", "backends/",
                                  "host/stats/categories_internal.h"],  # locks, no threads
     "threads come from host/core"),
    (re.compile(r"CL/"), ["backends/opencl/"], "OpenCL is the OpenCL backend's"),
    (re.compile(r"^(cuda|nvrtc|cublas)"), [], "CUDA's headers are never needed"),
    (re.compile(r"immintrin\.h$|xmmintrin\.h$|cpuid\.h$|arm_neon\.h$"),
     ["backends/cpu/", "host/core/", "kernels/"], "instruction sets are the CPU backend's"),
    (re.compile(r"jansson\.h$"), ["host/estimators/", "host/pipeline/", "host/api/", "host/measure/",
                                  "cli/"], "JSON stays above the data"),
    (re.compile(r"^(unistd|fcntl|dirent)\.h$|^sys/"),
     ["host/core/", "host/device/cache.c", "backends/", "cli/"],
     "what differs between systems is in host/core/os.h"),
]
# These floors compute and nothing else.
NO_IO = ("host/stats/", "host/estimators/", "kernels/")
THREAD_CALL = re.compile(r"\bpthread_create\s*\(")
IO_CALL = re.compile(r"\b(fopen|fread|fwrite|fprintf|printf|puts|fputs|open|read|write|qn_map_file|"
                     r"qn_outfile_\w+|qn_csv_\w+|qn_npy_read\w*)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def folder_of(path):
    parts = path.split("/")
    deep = parts[0] in ("host", "backends", "include")
    return "/".join(parts[:2]) if deep else parts[0]


def allowed_for(folder):
    return BACKEND if folder.startswith("backends/") else ALLOWED.get(folder)


def may_include(folder, target):
    if target.startswith(folder + "/") or (folder == "include/quern" and target.startswith("quern/")):
        return True
    return any(target == entry or target.startswith(entry + "/") for entry in allowed_for(folder))


def offences_of(path, text):
    folder = folder_of(path)
    if allowed_for(folder) is None:
        yield "the include rule does not know this folder"
        return
    for own, system in INCLUDE.findall(text):
        target = own or system
        if own and "/" not in own:
            yield f'"{own}": includes are written from the repository\'s root'
        elif (own or target.startswith("quern/")) and not may_include(folder, target):
            yield f"{folder} may not include {target}"
        for pattern, places, why in RESERVED:
            if system and pattern.search(system) and not path.startswith(tuple(places)):
                yield f"<{system}>: {why}"
    if not path.startswith("host/core/") and THREAD_CALL.search(COMMENT.sub("", text)):
        yield "pthread_create(): threads come from host/core"
    if path.startswith(NO_IO):
        for call in IO_CALL.findall(COMMENT.sub("", text)):
            yield f"{call}(): {folder} does no input or output"


def check(root):
    """(files read, lines that tell the offences)"""
    found, files = [], 0
    for top in ("include", "host", "kernels", "backends", "cli", "examples"):
        for path in sorted((root / top).rglob("*.[ch]")):
            files += 1
            name = path.relative_to(root).as_posix()
            found += [f"{name}: {what}" for what in offences_of(name, path.read_text("utf-8"))]
    return files, found


PLANTED = [  # file, its text, whether it offends
    ("backends/cpu/a.c", '#include "host/device/driver.h"\n#include "host/ops/requests.h"', False),
    ("backends/cpu/a.c", '#include "host/device/device.h"', True),
    ("backends/cpu/a.c", '#include "backends/opencl/opencl.h"', True),
    ("backends/cuda/a.c", "#include <cuda.h>", True),
    ("cli/a.c", '#include "host/core/os.h"', True),
    ("cli/a.c", "#include <quern/quern.h>", False),
    ("examples/a.c", '#include "cli/cli.h"', True),
    ("host/data/a.c", '#include "host/estimators/estimator.h"', True),
    ("host/stats/a.c", '#include "host/device/driver.h"', True),
    ("host/stats/a.c", 'FILE *f = fopen(name, "r");', True),
    ("host/stats/a.c", "/* not fopen(), ever */", False),
    ("host/estimators/a.c", "#include <unistd.h>", True),
    ("host/core/a.c", '#include "host/data/table.h"', True),
    ("host/core/a.c", '#include "status.h"', True),
    ("host/ops/a.c", "#include <CL/cl.h>", True),
    ("host/device/a.c", "#include <dlfcn.h>", True),
    ("host/attic/a.c", '#include "host/core/os.h"', True),
    ("kernels/a.h", '#include "host/core/fp.h"', True),
]


def self_test():
    failed = 0
    for name, text, offends in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True)
            path.write_text(text + "\n", "utf-8")
            if bool(check(pathlib.Path(folder))[1]) != offends:
                failed += 1
                print(f"FAILED: {name}: {text!r} {'is let through' if offends else 'is refused'}")
    print(f"{len(PLANTED) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(argv):
    if argv[:1] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(argv[0] if argv else pathlib.Path(__file__).resolve().parent.parent)
    files, found = check(root)
    for line in found:
        print(line)
    if not files:
        print(f"{root}: no sources")
    print(f"{files - len({line.split(':')[0] for line in found})} passed, "
          f"{len({line.split(':')[0] for line in found})} failed")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
