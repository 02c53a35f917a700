#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole test suite: what scripts/test runs.

Parts; one that cannot run says why. The build comes first, ctest second; then two lanes run side by side, so that
no core waits for a part with one thread: parity and asan, and python.

  build     the release preset, warnings are errors; beside it, where a part wants one, a virtual environment with
            the pinned packages is made under build/venv
  ctest     every test that CMake knows: units, conformance on all devices present, kernels, the stand-in
            CUDA driver, examples, the command line, rules of the repository
  parity    scikit-learn side by side (tests/parity) in the virtual environment
  python    the Python package: its wheel, built in a clean copy of the tree, installed in the virtual environment,
            tested by python/tests
  asan      unit tests once more under AddressSanitizer and UndefinedBehaviorSanitizer, as many as fit in
            the time that is set aside for them
  tsan, fuzz (--full only)  the same under ThreadSanitizer, without time limits; a round of every fuzzer (tests/fuzz)

The last line is "N passed, N failed" with ", N skipped" where something was skipped. A test program
counts as many as it reports; one that reports nothing counts as one."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
JOBS = str(max(2, len(os.sched_getaffinity(0))))
ALL_ARCHS = "75 80 86 89 90 100 120"  # as cmake/cuda.cmake
SANITIZED = "unit|data|repo|pipeline"  # labels that run under the sanitizers
CLOSING = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
# LeakSanitizer stops all threads when a program ends. Where one is just ending then, as the workers of
# OpenCL drivers may be, its tracer can fall over: a crash of the tool, which has looked at nothing.
TOOL_FELL = re.compile(r"Tracer caught signal \d+.*LeakSanitizer has encountered a fatal error", re.S)
TOOL_TRIES = 3
CMOCKA_RUN = re.compile(r"\[==========\] (?:[^\n]*: )?(\d+) test\(s\) run")
CMOCKA = {"passed": re.compile(r"\[\s*PASSED\s*\] (\d+) test"),
          "failed": re.compile(r"\[\s*FAILED\s*\] (\d+) test"),
          "skipped": re.compile(r"\[\s*SKIPPED\s*\] (\d+) test")}


class Tally:
    """What passed, failed and was skipped; prints as it goes."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures, self.skips = [], []
        self.start = time.monotonic()
        self.lock = threading.Lock()

    def add(self, name, passed, failed, skipped, why=""):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped
            if failed:
                self.failures.append((name, why))
            elif skipped:
                self.skips.append((name, why))

    def say(self, text):
        print(f"[{time.monotonic() - self.start:6.0f} s] {text}", flush=True)


def counts_in(text):
    """(passed, failed, skipped) as a test program reports them, or None."""
    if CMOCKA_RUN.search(text):
        return tuple(sum(map(int, pattern.findall(text))) for pattern in CMOCKA.values())
    found = CLOSING.findall(text)
    if not found:
        return None
    return tuple(int(number or 0) for number in found[-1])


def last_words(text, lines=25):
    return "\n".join(text.strip().splitlines()[-lines:])


def run(command, timeout=None, env=None, cwd=ROOT):
    """(exit code, output) of a command; 124 when its time was up."""
    try:
        done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode("utf-8", "replace") + f"\nno end after {timeout} s"


# ---- building ----


def with_ccache(variables):
    """The environment in which compilers called by CMake go through ccache, where it is installed: the wheel's
    build finds what the release build has compiled of the same text in the same way. What a build on this machine
    has set up itself (a launcher, a folder) stays as it is."""
    env = dict(variables)
    if shutil.which("ccache", path=env.get("PATH")) is None:
        return env
    for language in ("C", "CXX"):
        env.setdefault(f"CMAKE_{language}_COMPILER_LAUNCHER", "ccache")
    env.setdefault("CCACHE_DIR", str(BUILD / "ccache"))
    env.setdefault("CCACHE_BASEDIR", str(ROOT))  # the copy's paths are the tree's, seen from the build folder
    env.setdefault("CCACHE_NOHASHDIR", "1")
    return env


def compiler_of(preset):
    """The C compiler of a build tree, as it is called there: ccache tells cc and gcc apart."""
    found = re.search(r"^CMAKE_C_COMPILER:\w+=(.+)$", (BUILD / preset / "CMakeCache.txt").read_text("utf-8"), re.M)
    return found.group(1)


def build(tally, preset, options=()):
    tally.say(f"build: {preset}")
    env = with_ccache(os.environ)
    code, said = run(["cmake", "--preset", preset, *options], env=env)
    if code == 0:
        code, said = run(["cmake", "--build", "--preset", preset, "-j", JOBS], env=env)
    tally.add(f"build {preset}", int(code == 0), int(code != 0), 0, last_words(said))
    return code == 0


# ---- ctest ----


def expected_devices(env):
    """PoCL is installed, so OpenCL tests that find no device have found a fault."""
    vendors = pathlib.Path(env.get("OCL_ICD_VENDORS", "/etc/OpenCL/vendors"))
    return "opencl" if vendors.is_dir() and list(vendors.glob("pocl*.icd")) else ""


def tool_fell(case):
    """Whether a test failed by LeakSanitizer's own crash, after everything that it tests had passed."""
    output = case.findtext("system-out") or ""
    counted = counts_in(output)
    return bool(TOOL_FELL.search(output)) and counted is not None and counted[1] == 0


def ctest(tally, preset, arguments=(), env=None, report="junit.xml", tries=1):
    """Runs a build tree's tests; each of its programs is counted by what it reports."""
    report = BUILD / preset / report
    report.unlink(missing_ok=True)
    code, said = run(["ctest", "--test-dir", str(BUILD / preset), "-j", "2", "--output-junit",
                      str(report), "--test-output-size-passed", "1000000",
                      "--test-output-size-failed", "1000000", *arguments], env=env)
    if not report.exists():
        tally.add(f"ctest {preset}", 0, 1, 0, last_words(said))
        return []
    cases = list(xml.parse(report).getroot().iter("testcase"))
    if not cases:
        tally.add(f"ctest {preset}", 0, int(code != 0), 0, last_words(said))
    if tries > 1 and any(tool_fell(case) for case in cases):
        tally.say(f"LeakSanitizer itself fell over, once more: {', '.join(arguments)}")
        return ctest(tally, preset, arguments, env, report.name, tries - 1)
    for case in cases:
        count_case(tally, preset, case)
    return [(float(case.get("time", 0)), case.get("name")) for case in cases]


def all_of_ctest(tally, preset, env):
    tally.say(f"ctest: {preset}")
    slowest = sorted(ctest(tally, preset, env=env), reverse=True)[:6]
    tally.say("slowest: " + ", ".join(f"{name} {took:.0f} s" for took, name in slowest))


def some_of_ctest(tally, preset, labels, minutes, env):
    """The tests with a label, two at a time; none is started after `minutes` (None: no limit)."""
    code, said = run(["ctest", "--test-dir", str(BUILD / preset), "-L", labels, "--show-only=json-v1"])
    names = [test["name"] for test in json.loads(said)["tests"]] if code == 0 else []
    if not names:
        tally.add(f"ctest {preset}", 0, 1, 0, f"no test has a label of {labels}")
        return
    tally.say(f"ctest: {preset}, {len(names)} tests" +
              (f", none started after {minutes:.0f} minutes" if minutes else ""))
    end = time.monotonic() + 60 * minutes if minutes else None

    def one(name):
        if end is not None and time.monotonic() > end:
            tally.add(f"{name} ({preset})", 0, 0, 1, "its turn did not come in the time set aside")
            return
        ctest(tally, preset, ["-R", f"^{re.escape(name)}$"], env, f"junit-{name}.xml", TOOL_TRIES)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, names))


def count_case(tally, preset, case):
    name = f"{case.get('name')} ({preset})"
    output = (case.findtext("system-out") or "")
    counted = counts_in(output)
    status = case.get("status")
    if case.find("skipped") is not None or status in ("notrun", "disabled"):
        why = last_words(output, 1) or "no reason given"
        tally.add(name, 0, 0, 1, why)
    elif case.find("failure") is not None or status == "fail":
        passed, failed, skipped = counted or (0, 1, 0)
        tally.add(name, passed, max(failed, 1), skipped, last_words(output))
    else:
        passed, failed, skipped = counted or (1, 0, 0)
        tally.add(name, passed, failed, skipped,
                  "; ".join(line for line in output.splitlines() if "skip" in line.lower())[:200])


# ---- parity ----


REQUIREMENTS = (ROOT / "tests" / "parity" / "requirements.txt", ROOT / "python" / "tests" / "requirements.txt")


def make_venv(tally):
    """The Python of build/venv with the pinned packages of all lists; None after a failure that was counted."""
    folder = BUILD / "venv"
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    pinned = b"".join(wanted.read_bytes() for wanted in REQUIREMENTS)
    if python.exists() and stamp.exists() and stamp.read_bytes() == pinned:
        return python
    tally.say("venv: build/venv with the packages of " +
              " and ".join(str(wanted.relative_to(ROOT)) for wanted in REQUIREMENTS))
    code, said = run([sys.executable, "-m", "venv", "--clear", str(folder)])
    if code == 0:
        lists = [word for wanted in REQUIREMENTS for word in ("-r", str(wanted))]
        code, said = run([str(python), "-m", "pip", "install", "--quiet", *lists], 900)
    if code != 0:
        tally.add("venv", 0, 1, 0, last_words(said))
        return None
    stamp.write_bytes(pinned)
    tally.say("venv: made")
    return python


def parity(tally, python, options):
    runner = ROOT / "tests" / "parity" / "run_parity.py"
    command = [str(python), str(runner), "--quern", str(BUILD / "release" / "bin" / "quern")]
    data = os.environ.get("QUERN_DATA_DIR")
    if data and pathlib.Path(data).is_dir():
        command += ["--data", data]
    else:
        command += ["--data", str(ROOT / "tests" / "data"), "--only", "penguins__*"]
        tally.add("parity on the large tables", 0, 0, 1, "QUERN_DATA_DIR names no folder")
    standin = BUILD / "release" / "standin"
    if standin.is_dir():
        command += ["--standin", str(standin)]
    env = dict(os.environ, POCL_CACHE_DIR=str(BUILD / "release" / "pocl-cache"),
               QUERN_CACHE_DIR=str(BUILD / "release" / "kernel-cache"))
    tally.say("parity: scikit-learn side by side")
    code, said = run(command, options.parity_minutes * 60, env)
    counted = counts_in(said)
    if counted is None or (code != 0 and counted[1] == 0):
        tally.add("parity", sum(line.startswith("ok") for line in said.splitlines()), 1, 0,
                  last_words(said))
        return
    failed = [line for line in said.splitlines() if line.startswith("FAILED")]
    tally.add("parity", *counted, "\n".join(failed))
    api_parity(tally, python, env)


def api_parity(tally, python, env):
    """What the command line does not reach: inverse transforms and sparse tables."""
    tally.say("parity: the C interface and scikit-learn side by side")
    code, said = run([str(python), str(ROOT / "tests" / "parity" / "api_parity.py"),
                      str(BUILD / "release" / "lib" / "libquern.so")], 1800, env)
    counted = counts_in(said)
    if counted is None or (code != 0 and counted[1] == 0):
        tally.add("api parity", 0, 1, 0, last_words(said))
        return
    failed = [line for line in said.splitlines() if line.startswith("FAILED")]
    tally.add("api parity", *counted, "\n".join(failed))


# ---- the Python package ----

WHEEL_BYTES = 8 << 20


def clean_copy(folder):
    """What a fresh clone of this tree would hold, with the changes that are not committed."""
    code, said = run(["git", "ls-files", "-co", "--exclude-standard"])
    names = [name for name in said.splitlines() if (ROOT / name).is_file()] if code == 0 else [
        path.relative_to(ROOT) for path in ROOT.rglob("*")
        if path.is_file() and path.relative_to(ROOT).parts[0] not in ("build", ".git", ".cache")]
    shutil.rmtree(folder, ignore_errors=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)


def make_wheel(tally, python):
    """Builds and installs the wheel; False after a failure that was counted."""
    source, wheels = BUILD / "python" / "source", BUILD / "python" / "wheels"
    clean_copy(source)
    shutil.rmtree(wheels, ignore_errors=True)
    tally.say("python: the wheel")
    # the compiler and its flags are those of the release build: where one differs, ccache has nothing
    code, said = run([str(python), "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                      "--config-settings=cmake.define.QUERN_WERROR=ON",
                      f"--config-settings=cmake.define.CMAKE_C_COMPILER={compiler_of('release')}",
                      "-w", str(wheels), str(source)], 900, with_ccache(os.environ))
    made = list(wheels.glob("*.whl"))
    if code == 0:
        code, said = run([str(python), "-m", "pip", "install", "--quiet", "--no-deps",
                          "--force-reinstall", *map(str, made)])
    if code == 0 and (len(made) != 1 or "-cp311-abi3-linux_" not in made[0].name):
        code, said = 1, f"not one wheel for every Python from 3.11 on: {[path.name for path in made]}"
    if code == 0 and made[0].stat().st_size > WHEEL_BYTES:
        code, said = 1, f"{made[0].name} has {made[0].stat().st_size} bytes; the most is {WHEEL_BYTES}"
    tally.add("wheel", int(code == 0), int(code != 0), 0, last_words(said))
    return code == 0


def pytest_counts(said):
    """(passed, failed, skipped) of pytest's last line, or None."""
    counted = {word: int(number) for number, word in
               re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)", said.strip().splitlines()[-1])}
    if not counted:
        return None
    return (counted.get("passed", 0) + counted.get("xfailed", 0),
            sum(counted.get(word, 0) for word in ("failed", "error", "errors", "xpassed")),
            counted.get("skipped", 0))


def python_package(tally, python):
    if not make_wheel(tally, python):
        return
    # A few processes use a kernel many times. For an image to keep, PoCL compiles each once more than to run it; what
    # is kept on disk is tested by CTest and parity.
    env = dict(os.environ, POCL_CACHE_DIR=str(BUILD / "release" / "pocl-cache"), QUERN_CACHE_DIR="off",
               QUERN_PROGRAM=str(BUILD / "release" / "bin" / "quern"))
    env.pop("PYTHONPATH", None)
    tests = ROOT / "python" / "tests"
    suite = tests / "test_sklearn_suite.py"
    parts = {"python": ["--ignore", suite, tests], "python, scikit-learn's own tests": [suite]}
    tally.say("python: python/tests against the installed wheel, scikit-learn's own beside the others")
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda name: pytest_part(tally, python, name, parts[name], env), parts))


def pytest_part(tally, python, name, words, env):
    code, said = run([str(python), "-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", *map(str, words)],
                     1800, env, BUILD / "python")
    counted = pytest_counts(said) if said.strip() else None
    if counted is None or (code != 0 and counted[1] == 0):
        tally.add(name, 0, 1, 0, last_words(said))
        return
    chosen = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR", "SKIPPED"))]
    tally.add(name, *counted, "\n".join(chosen))


# ---- sanitizers and fuzzers ----


def sanitizers(tally, preset, minutes):
    """No fat binaries: nvcc's work has no part in this."""
    if not build(tally, preset, ["-DQUERN_CUDA_FATBIN=OFF"]):
        return
    suppressions = ROOT / "tests" / "standin" / "lsan.supp"
    env = dict(os.environ, LSAN_OPTIONS=f"print_suppressions=0:suppressions={suppressions}",
               UBSAN_OPTIONS="print_stacktrace=1", TSAN_OPTIONS="halt_on_error=1")
    some_of_ctest(tally, preset, SANITIZED, minutes, env)


def fuzz(tally, seconds):
    """Every fuzzer, from the committed inputs and what earlier rounds have found."""
    sources = list((ROOT / "tests" / "fuzz").glob("fuzz_*.c"))
    tally.say(f"fuzz: {seconds} s for each of {len(sources)} fuzzers")
    code, said = run([str(ROOT / "tests" / "fuzz" / "run"), str(seconds)])
    if code == 77:
        tally.add("fuzz", 0, 0, 1, last_words(said, 1))
        return
    passed, failed, skipped = counts_in(said) or (int(code == 0), int(code != 0), 0)
    tally.add("fuzz", passed, max(failed, int(code != 0)), skipped, last_words(said))


# ---- all of it ----


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/test", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true",
                        help="no time limits, ThreadSanitizer, every architecture, every float32, long fuzzing")
    parser.add_argument("--only", nargs="*", choices=["ctest", "parity", "python", "asan", "tsan", "fuzz"],
                        help="these parts (the release build comes first in any case)")
    parser.add_argument("--asan-minutes", type=float, default=3.0, help="default 3")
    parser.add_argument("--parity-minutes", type=float, default=20.0, help="default 20")
    parser.add_argument("--fuzz-seconds", type=int, default=120, help="each fuzzer, with --full")
    return parser.parse_args(argv)


def build_and_venv(tally, parts, archs):
    """Whether the release build is there, and the Python of the virtual environment (None: none, or none wanted).
    The two side by side: one waits for the network while the other compiles."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        python = pool.submit(make_venv, tally) if {"parity", "python"} & set(parts) else None
        built = build(tally, "release", [f"-DQUERN_CUDA_ARCHS={archs}"])
        return built, python.result() if python is not None else None


def run_parts(tally, parts, options, env):
    built, python = build_and_venv(tally, parts, env.get("QUERN_ARCHS", ALL_ARCHS))
    if built and "ctest" in parts:
        all_of_ctest(tally, "release", env)

    def compared_and_sanitized():
        if built and python is not None and "parity" in parts:
            parity(tally, python, options)
        if "asan" in parts:
            sanitizers(tally, "asan", None if options.full else options.asan_minutes)

    def packaged():
        if built and python is not None and "python" in parts:
            python_package(tally, python)

    side_by_side(tally, [compared_and_sanitized, packaged])
    if "tsan" in parts:
        sanitizers(tally, "tsan", None)
    if "fuzz" in parts:
        fuzz(tally, options.fuzz_seconds)


def side_by_side(tally, lanes):
    """Runs functions at the same time. One that falls over is a failure, and the others go on."""
    def one(lane):
        try:
            lane()
        except Exception:  # a fault of the runner's own must not pass for a part that has nothing to say
            tally.add(lane.__name__, 0, 1, 0, traceback.format_exc())

    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(one, lanes))


def main(argv):
    options = parse(argv)
    tally = Tally()
    parts = options.only or ["ctest", "parity", "python", "asan"] + (["tsan", "fuzz"] if options.full else [])
    env = dict(os.environ)
    env.setdefault("QUERN_REQUIRE", expected_devices(env))
    if not options.full:  # the oldest and the newest, in the fat binaries too
        env.setdefault("QUERN_ARCHS", "75 120")
    else:
        env.setdefault("QUERN_FULL", "1")
    run_parts(tally, parts, options, env)
    for name, why in tally.skips:
        print(f"skipped  {name}: {why}")
    for name, why in tally.failures:
        print(f"FAILED   {name}\n" + "\n".join("    " + line for line in why.splitlines()))
    tally.say("done")
    closing = f"{tally.passed} passed, {tally.failed} failed"
    print(closing + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
