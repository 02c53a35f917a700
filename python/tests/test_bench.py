# SPDX-License-Identifier: Apache-2.0
"""bench/bench_main.py runs, on small sizes: it compares what it times, and says so where they differ."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from quern import _core

BENCH = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "bench_main.py"


def run(folder, *arguments):
    package = str(pathlib.Path(_core.__file__).resolve().parent.parent)
    out = folder / "bench.json"
    done = subprocess.run([sys.executable, str(BENCH), "--quick", "--json", str(out), *arguments],
                          env=dict(os.environ, PYTHONPATH=package), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, json.loads(out.read_text())


def test_every_file_of_cases_is_among_those_that_run():
    """A part that is imported and not listed is left out without a word."""
    text = BENCH.read_text(encoding="utf-8")
    listed = text[text.index("CASES = ("):text.index(")", text.index("CASES = ("))]
    for file in sorted(BENCH.parent.glob("*_cases.py")):
        name = "".join(word.capitalize() for word in file.stem.split("_"))
        assert f"class {name}" in file.read_text(encoding="utf-8")
        assert name in re.findall(r"\w+", listed), f"{file.name}: {name} is not in CASES"


@pytest.mark.skipif(not (shutil.which("cc") or os.environ.get("CC")), reason="no C compiler here")
@pytest.mark.parametrize("through", ["python", "both"])
def test_the_table_has_a_row_for_each_case_and_a_cell_for_each_side(through, tmp_path):
    program = pathlib.Path(os.environ.get("QUERN_PROGRAM", "quern")).resolve()
    library = program.parent.parent / "lib" / "libquern.so"
    if through == "both" and not library.exists():
        pytest.skip("QUERN_PROGRAM does not name a program with its library beside it")
    text, found = run(tmp_path, "--through", through, "--library", str(library), "--only", "standard-16",
                      "--only", "median-50")
    sides = {"python": {"Python"}, "both": {"C", "Python"}}[through]
    assert [row["case"] for row in found["rows"]] == [
        "SimpleImputer(median), 10 % NaN, fit, 20000 × 50", "StandardScaler fit, 50000 × 16",
        "StandardScaler transform, 50000 × 16, warm output",
        "StandardScaler transform, 50000 × 16, recycled output",
        "StandardScaler transform, 50000 × 16, new memory"]
    for row in found["rows"]:
        assert set(row["sides"]) == sides
        assert ("python_of_c" in row) == (through == "both")
        assert row["us"] == "Python"
        assert "peer" in row
    lines = text.splitlines()
    assert len(lines) == 7
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
