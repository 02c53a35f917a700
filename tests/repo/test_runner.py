#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runner's own arithmetic: what it reads out of a test program's output, and what it does side by side."""
import pathlib
import sys
import tempfile
import threading
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run  # noqa: E402

CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] a
[       OK ] a
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] b
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] c

 1 FAILED TEST(S)
"""
OUTPUTS = [
    (CMOCKA, (1, 1, 1)),
    (CMOCKA + CMOCKA, (2, 2, 2)),
    ("[==========] tests: 7 test(s) run.\n[  PASSED  ] 7 test(s).\n", (7, 0, 0)),
    ("ok a\n12 passed, 3 failed\n", (12, 3, 0)),
    ("12 passed, 3 failed, 4 skipped\n", (12, 3, 4)),
    ("parity: 60 passed, 0 failed", (60, 0, 0)),
    ("nothing of the kind", None),
]
CASES = [  # status, children, output, what it counts as
    ("run", "", "", (1, 0, 0)),
    ("run", "", "[==========] 7 test(s) run.\n[  PASSED  ] 7 test(s).\n", (7, 0, 0)),
    ("fail", "<failure message=''/>", "", (0, 1, 0)),
    ("fail", "<failure message=''/>", "5 passed, 2 failed", (5, 2, 0)),
    ("fail", "<failure message=''/>", "5 passed, 0 failed", (5, 1, 0)),  # a crash at the end
    ("notrun", "<skipped message=''/>", "skipped: no nvcc", (0, 0, 1)),
]
TRACER = ("Tracer caught signal 11: addr=0x190\n==1==LeakSanitizer has encountered a fatal error.\n")
FALLS = [  # output, whether a leak checker that fell over is all that failed
    ("[==========] 7 test(s) run.\n[  PASSED  ] 7 test(s).\n" + TRACER, True),
    (CMOCKA + TRACER, False),
    (TRACER, False),
    ("[==========] 7 test(s) run.\n[  PASSED  ] 7 test(s).\n"
     "==1==ERROR: LeakSanitizer: detected memory leaks\n", False),
]


def lanes_meet():
    """Neither lane goes on before the other is there; one that falls over counts, the other is not lost."""
    tally, met = run.Tally(), threading.Barrier(2)

    def falls():
        met.wait(30)
        raise ValueError("a lane fell over")

    def passes():
        met.wait(30)
        tally.add("passes", 3, 0, 0)

    run.side_by_side(tally, [falls, passes])
    [(name, why)] = tally.failures
    return (tally.passed, tally.failed, name) == (3, 1, "falls") and "a lane fell over" in why


PARTS = ("ctest", "parity", "python", "asan", "tsan", "fuzz")
STEPS = {"build": True, "make_venv": "python", "all_of_ctest": None, "parity": None, "python_package": None,
         "sanitizers": None, "fuzz": None}  # the runner's functions, and what they give here
TURN = ["parity", "sanitizers:asan", "sanitizers:tsan", "fuzz"]
PLANS = [  # parts, what is built, the environment, what is run (sorted)
    (PARTS, True, "python", "all_of_ctest build fuzz make_venv parity python_package sanitizers:asan sanitizers:tsan"),
    (("ctest",), True, "python", "all_of_ctest build"),
    (("python",), True, None, "build make_venv"),
    (("parity", "python", "asan"), False, "python", "build make_venv sanitizers:asan"),
]


def parts_are_run(parts, built, python, want):
    """What depends on a build or an environment that is not there is left out; what does not is run."""
    called = []

    def step(name, gives):
        def stand_in(_, *words):
            called.append(f"{name}:{words[0]}" if name == "sanitizers" else name)
            return gives
        return stand_in

    kept = {name: getattr(run, name) for name in STEPS}
    try:
        for name, gives in dict(STEPS, build=built, make_venv=python).items():
            setattr(run, name, step(name, gives))
        tally = run.Tally()
        run.run_parts(tally, parts, run.parse([]), {})
    finally:
        for name, function in kept.items():
            setattr(run, name, function)
    in_turn = [name for name in called if name in TURN]
    return " ".join(sorted(called)) == want and in_turn == sorted(in_turn, key=TURN.index) and not tally.failed


def lists_agree():
    """One virtual environment has the packages of all lists, so no list may pin another version."""
    pinned = [dict(line.split("==") for line in path.read_text("utf-8").splitlines() if "==" in line)
              for path in run.REQUIREMENTS]
    versions = {}
    for packages in pinned:
        for name, version in packages.items():
            versions.setdefault(name, set()).add(version)
    return all(pinned) and all(len(found) == 1 for found in versions.values())


def ccache_is_used_where_it_is():
    """A machine without it builds as before; what is set up already stays."""
    with tempfile.TemporaryDirectory() as folder:
        bare = {"PATH": folder}
        if run.with_ccache(bare) != bare:
            return False
        program = pathlib.Path(folder) / "ccache"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        found = run.with_ccache({"PATH": folder, "CCACHE_DIR": "/kept"})
        return (found["CMAKE_C_COMPILER_LAUNCHER"], found["CCACHE_DIR"]) == ("ccache", "/kept")


def architectures_are_cmakes():
    """--full builds what is shipped."""
    return f'QUERN_CUDA_ARCHS "{run.ALL_ARCHS}"' in (run.ROOT / "cmake" / "cuda.cmake").read_text("utf-8")


CHECKS = [lanes_meet, lists_agree, ccache_is_used_where_it_is, architectures_are_cmakes]


def main():
    failed = 0
    for check in CHECKS:
        if not check():
            failed += 1
            print(f"FAILED: {check.__name__}")
    for plan in PLANS:
        if not parts_are_run(*plan):
            failed += 1
            print(f"FAILED: {plan}")
    for text, want in OUTPUTS:
        if run.counts_in(text) != want:
            failed += 1
            print(f"FAILED: {text[-60:]!r}: {run.counts_in(text)}, not {want}")
    for status, children, output, want in CASES:
        tally = run.Tally()
        run.count_case(tally, "x", xml.fromstring(
            f"<testcase name='t' status='{status}'>{children}<system-out>{output}</system-out></testcase>"))
        if (tally.passed, tally.failed, tally.skipped) != want:
            failed += 1
            print(f"FAILED: {status}, {output!r}: not {want}")
    for output, want in FALLS:
        case = xml.fromstring(f"<testcase name='t' status='fail'><system-out>{output}</system-out></testcase>")
        if run.tool_fell(case) != want:
            failed += 1
            print(f"FAILED: {output!r}: not {want}")
    print(f"{len(OUTPUTS) + len(CASES) + len(FALLS) + len(CHECKS) + len(PLANS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
