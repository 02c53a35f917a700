# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's own test files, with quern's classes in the place of scikit-learn's.

Each run is a pytest of its own over the files that scikit-learn installs (sklearn_suite/swap.py). The
control runs scikit-learn's own classes; what passes there is what must pass. Exceptions, with their
reasons, are in sklearn_suite/exceptions.json; one of them that passes is a failure."""
import json
import os
import pathlib
import subprocess
import sys

import pytest
import sklearn

from quern import _core

HERE = pathlib.Path(__file__).resolve().parent
FILES = ("preprocessing/tests/test_data.py", "preprocessing/tests/test_discretization.py",
         "preprocessing/tests/test_encoders.py", "preprocessing/tests/test_common.py",
         "preprocessing/tests/test_polynomial.py",
         "preprocessing/tests/test_function_transformer.py",
         "impute/tests/test_impute.py", "impute/tests/test_common.py", "impute/tests/test_knn.py",
         "feature_selection/tests/test_variance_threshold.py",
         "feature_selection/tests/test_base.py", "feature_selection/tests/test_feature_select.py",
         "feature_selection/tests/test_chi2.py", "feature_selection/tests/test_mutual_info.py", "compose/tests/test_column_transformer.py",
         "tests/test_pipeline.py")
EXCEPTIONS = HERE / "sklearn_suite" / "exceptions.json"
RUNS = {"cpu": ("", "cpu"), "cpu, poisoned": ("poison", "cpu"),
        "opencl:0, poisoned": ("poison", "opencl:0")}


def run(folder, words, device=""):
    site = pathlib.Path(sklearn.__file__).resolve().parent
    out = folder / "out.json"
    environment = dict(os.environ, QUERN_SUITE=words, QUERN_SUITE_OUT=str(out),
                       QUERN_SUITE_EXCEPTIONS=str(EXCEPTIONS), QUERN_DEVICE=device,
                       SCIPY_ARRAY_API="1")
    package = str(pathlib.Path(_core.__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join((str(HERE), package))
    command = [sys.executable, "-X", "faulthandler", "-m", "pytest", "-p", "sklearn_suite.swap", "-q",
               "--no-header", "-p", "no:cacheprovider", "--rootdir", str(site.parent), "--tb=line",
               *[str(site / file) for file in FILES]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert out.exists(), f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return json.loads(out.read_text()), done.stdout


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    found, text = run(tmp_path_factory.mktemp("control"), "control")
    assert "failed" not in found["outcomes"].values(), text[-3000:]
    return found


def has_device(name):
    return any(d["present"] and d["id"] == name for d in _core.Context("cpu").devices())


@pytest.mark.parametrize("name", RUNS)
def test_scikit_learns_tests(name, control, tmp_path, capsys):
    words, device = RUNS[name]
    if not has_device(device):
        assert "opencl" not in os.environ.get("QUERN_REQUIRE", ""), f"no {device} here"
        pytest.skip(f"no {device} here")
    found, text = run(tmp_path, words, device)
    ours, theirs = found["outcomes"], control["outcomes"]
    assert found["collected"] == control["collected"]
    wanted = {test for test, outcome in theirs.items() if outcome == "passed"}
    listed = json.loads(EXCEPTIONS.read_text())
    with capsys.disabled():
        print(f"\n{name}: {found['collected']} collected; of {len(wanted)} that pass for "
              "scikit-learn", end="")
        for file in FILES:
            mine = [ours.get(t) for t in wanted if t.startswith("sklearn/" + file)]
            print(f"\n  {file}: {mine.count('passed')} passed, {mine.count('failed')} failed, "
                  f"{mine.count('xfailed')} exceptions", end="")
            assert mine.count("passed") >= 0.99 * len(mine), file
        print(f"\n  asked of the library: {found['calls']}")
    failed = sorted(t for t in wanted if ours.get(t) not in ("passed", "xfailed"))
    assert not failed, "\n".join(failed) + text[-3000:]
    assert set(listed) <= wanted, "an exception for a test that does not pass for scikit-learn"
    for word in ("Table.from_matrix", "Table.from_columns", "Table.from_sparse", "Pipeline",
                 "Model.from_bytes", "Fit", "fused Table.from_columns", "fused Table.from_matrix",
                 "fused Pipeline"):
        assert found["calls"].get(word, 0) > 0, word
