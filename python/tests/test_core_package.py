# SPDX-License-Identifier: Apache-2.0
"""The package as it is installed: imports, needed libraries, time per call."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import timeit

import numpy as np
import pytest

from quern import _core


def python(script, **env):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **env}, check=True)
    return done.stdout


def test_importing_is_quick():
    script = "import numpy, time; t = time.perf_counter(); import quern; print(time.perf_counter() - t)"
    took = [float(python(script)) for _ in range(5)]
    print(f"import quern: {1e3 * min(took):.1f} ms beyond NumPy, median {1e3 * statistics.median(took):.1f} ms")
    assert min(took) < 0.05


def test_importing_takes_no_more_than_it_needs():
    heavy = ["sklearn", "scipy", "pandas", "pyarrow", "polars", "logging", "json"]
    loaded = json.loads(python(
        "import sys, numpy; before = set(sys.modules); import quern, json as j; "
        "maps = open('/proc/self/maps').read(); "
        "print(j.dumps([sorted(set(sys.modules) - before), [w for w in ('libcuda', 'libOpenCL', 'libpocl', 'libnvrtc') if w in maps]]))"))
    assert not [name for name in loaded[0] if name.split(".")[0] in heavy and name.split(".")[0] != "json"]
    assert loaded[1] == []


def test_a_cpu_context_loads_no_driver():
    maps = python("from quern import _core; _core.Context(device='cpu'); print(open('/proc/self/maps').read())")
    assert "libcuda" not in maps and "libOpenCL" not in maps


def test_needed_libraries():
    if shutil.which("readelf") is None:
        pytest.skip("no readelf on this machine")
    said = subprocess.run(["readelf", "-d", _core.__file__], capture_output=True, text=True, check=True).stdout
    needed = [line.split("[")[1].split("]")[0] for line in said.splitlines() if "(NEEDED)" in line]
    allowed = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2"}
    assert needed and set(needed) <= allowed
    assert "RPATH" not in said and "RUNPATH" not in said


def test_only_the_entry_is_exported():
    if shutil.which("nm") is None:
        pytest.skip("no nm on this machine")
    said = subprocess.run(["nm", "-D", "--defined-only", _core.__file__], capture_output=True, text=True, check=True).stdout
    assert [line.split()[-1] for line in said.splitlines()] == ["PyInit__core"]


def test_only_the_limited_api_is_used():
    """Names that Python 3.11's stable ABI lacks and that are easily used by mistake."""
    if shutil.which("nm") is None:
        pytest.skip("no nm on this machine")
    said = subprocess.run(["nm", "-D", "--undefined-only", _core.__file__], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1].split("@")[0] for line in said.splitlines()}
    used = {name for name in names if name.startswith("Py")}
    inside = {name for name in names if name.startswith("_Py")}
    stable = {"_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct", "_Py_Dealloc", "_Py_IncRef", "_Py_DecRef",
              "_Py_BuildValue_SizeT", "_PyArg_ParseTuple_SizeT", "_PyArg_ParseTupleAndKeywords_SizeT",
              "_PyObject_CallMethod_SizeT", "_PyObject_GC_New", "_PyObject_New"}
    assert used and inside <= stable
    assert not used & {"PyMem_RawMalloc", "PyMem_RawCalloc", "PyMem_RawFree", "PyUnicode_AsUTF8"}


def test_the_name_of_the_module():
    assert pathlib.Path(_core.__file__).name == "_core.abi3.so"


def test_stubs_name_everything():
    stub = (pathlib.Path(__file__).parents[1] / "quern" / "_core.pyi").read_text("utf-8")
    for kind in [value for value in vars(_core).values() if isinstance(value, type)]:
        assert f"class {kind.__name__}" in stub
        for name in vars(kind):
            if not name.startswith("_"):
                assert f"def {name}(" in stub or f"    {name}: " in stub, f"{kind.__name__}.{name}"
    for name, value in vars(_core).items():
        if callable(value) and not isinstance(value, type):
            assert f"def {name}(" in stub


def per_call(function, number):
    return min(timeit.repeat(function, number=number, repeat=7)) / number * 1e6


def test_time_per_call(pipeline):
    """Printed, not asserted: other work on the machine is no fault of this."""
    cx = _core.Context(device="cpu", threads=1, cache_dir="off")
    x = np.random.default_rng(0).normal(size=(1, 10))
    out = np.empty_like(x)
    table = _core.Table.from_matrix(np.random.default_rng(1).normal(size=(100, 10)))
    model = pipeline("StandardScaler").fit(cx, table)
    one = _core.Table.from_matrix(x)
    print()
    for name, call, number in [
            ("model.apply(x, out)", lambda: model.apply(x, out), 20000),
            ("Table.from_matrix(x)", lambda: _core.Table.from_matrix(x), 5000),
            ("model.transform(cx, table, out)", lambda: model.transform(cx, one, out), 5000),
            ("Table.from_matrix, transform, asarray",
             lambda: np.asarray(model.transform(cx, _core.Table.from_matrix(x))), 5000)]:
        print(f"1 x 10 float64: {name:40} {per_call(call, number):8.2f} us")
