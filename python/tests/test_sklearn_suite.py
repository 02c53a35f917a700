# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's own test files, with quern's classes in the place of scikit-learn's.

Each run is a pytest of its own over the files that scikit-learn installs (sklearn_suite/swap.py), with what computes
in scikit-learn made to raise: what passes so would pass without that too. What passes for scikit-learn's own classes
must pass; they are asked (the control) about those tests alone that did not. Exceptions, with their reasons, are in
sklearn_suite/exceptions.json; one of them that passes is a failure."""
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
DEVICES = ("cpu", "opencl:0")


def run(folder, words, device="", only=None):
    site = pathlib.Path(sklearn.__file__).resolve().parent
    out = folder / "out.json"
    environment = dict(os.environ, QUERN_SUITE=words, QUERN_SUITE_OUT=str(out),
                       QUERN_SUITE_EXCEPTIONS=str(EXCEPTIONS), QUERN_DEVICE=device,
                       SCIPY_ARRAY_API="1")
    if only is not None:
        (folder / "only.json").write_text(json.dumps(sorted(only)))
        environment["QUERN_SUITE_ONLY"] = str(folder / "only.json")
    package = str(pathlib.Path(_core.__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join((str(HERE), package))
    command = [sys.executable, "-X", "faulthandler", "-m", "pytest", "-p", "sklearn_suite.swap", "-q",
               "--no-header", "-p", "no:cacheprovider", "--rootdir", str(site.parent), "--tb=line",
               *[str(site / file) for file in FILES]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert out.exists(), f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return json.loads(out.read_text()), done.stdout


def has_device(name):
    return any(d["present"] and d["id"] == name for d in _core.Context("cpu").devices())


def check_control(control, ours, listed, text):
    """What did not pass does not pass for scikit-learn either, but for the exceptions, which do."""
    theirs = control["outcomes"]
    assert "failed" not in theirs.values()
    failed = sorted(t for t, outcome in theirs.items()
                    if outcome == "passed" and ours.get(t) not in ("passed", "xfailed"))
    assert not failed, "\n".join(failed) + text[-3000:]
    passed = {t for t, outcome in theirs.items() if outcome == "passed"}
    assert set(listed) <= passed, "an exception for a test that does not pass for scikit-learn"


@pytest.mark.parametrize("device", DEVICES)
def test_scikit_learns_tests(device, tmp_path, capsys):
    if not has_device(device):
        assert "opencl" not in os.environ.get("QUERN_REQUIRE", ""), f"no {device} here"
        pytest.skip(f"no {device} here")
    found, text = run(tmp_path, "poison", device)
    ours, listed = found["outcomes"], json.loads(EXCEPTIONS.read_text())
    others = {t for t in found["collected"] if ours.get(t) != "passed"} | set(listed)
    control, _ = run(tmp_path, "control", only=others)
    assert found["collected"] == control["collected"]
    with capsys.disabled():
        print(f"\n{device}: {len(found['collected'])} collected, {len(others)} of them asked of scikit-learn", end="")
        for file in FILES:
            mine = [ours.get(t) for t in found["collected"] if t.startswith("sklearn/" + file)]
            counted = {word: mine.count(word) for word in ("passed", "failed", "xfailed", "skipped")}
            print(f"\n  {file}: {counted}", end="")
            assert counted["passed"] >= 0.99 * (len(mine) - counted["skipped"]) > 0, file
        print(f"\n  asked of the library: {found['calls']}")
    check_control(control, ours, listed, text)
    for word in ("Table.from_matrix", "Table.from_columns", "Table.from_sparse", "Pipeline",
                 "Model.from_bytes", "Fit", "fused Table.from_columns", "fused Table.from_matrix",
                 "fused Pipeline"):
        assert found["calls"].get(word, 0) > 0, word
