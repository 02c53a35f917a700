# SPDX-License-Identifier: Apache-2.0
"""quern's classes in the place of scikit-learn's."""
import logging
import os
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
import sklearn.compose
import sklearn.pipeline
import sklearn.preprocessing as skpre
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler as Original

import quern
from quern import interop
from quern import preprocessing as q

X = np.random.default_rng(0).normal(size=(30, 4))


@pytest.fixture
def patched():
    quern.patch_sklearn()
    yield
    quern.unpatch_sklearn()


def test_names_are_replaced_and_put_back():
    theirs = dict(interop.pairs())
    module = types.ModuleType("somebodys")
    module.Scaler, module.other = Original, skpre.SplineTransformer
    sys.modules["somebodys"] = module
    before = Original
    try:
        quern.patch_sklearn()
        quern.patch_sklearn()
        for ours, original in theirs.items():
            home = sys.modules[original.__module__]
            assert issubclass(getattr(home, original.__name__), ours)
        assert issubclass(module.Scaler, q.StandardScaler) and Original is module.Scaler
        assert module.other is skpre.SplineTransformer
        from sklearn.preprocessing import StandardScaler as later
        assert later is module.Scaler
        assert q.StandardScaler in later.__mro__ and not issubclass(q.StandardScaler, later)
    finally:
        quern.unpatch_sklearn()
        del sys.modules["somebodys"]
    for original in theirs.values():
        assert getattr(sys.modules[original.__module__], original.__name__) is original
    assert Original is before and skpre.StandardScaler is before


def test_results(patched):
    scaler = skpre.StandardScaler().fit(X)
    assert isinstance(scaler, q.StandardScaler)
    np.testing.assert_array_equal(scaler.transform(X), interop.to_sklearn(scaler).transform(X))
    assert repr(scaler) == "StandardScaler()"
    assert skpre.MinMaxScaler(clip=True).get_params()["clip"] is True
    assert type(clone(scaler)) is type(scaler)
    again = pickle.loads(pickle.dumps(scaler))
    np.testing.assert_array_equal(again.transform(X), scaler.transform(X))
    frame = skpre.StandardScaler().set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == ["x0", "x1", "x2", "x3"]


def test_composites_are_one_model(patched):
    line = sklearn.pipeline.make_pipeline(
        sklearn.compose.make_column_transformer((skpre.StandardScaler(), [0, 1]),
                                                ("passthrough", [2])), skpre.MaxAbsScaler())
    assert isinstance(line, quern.pipeline.Pipeline)
    seen = len(quern.last_report()["scikit_learn"])
    out = line.fit_transform(X)
    assert len(quern.last_report()["scikit_learn"]) == seen
    np.testing.assert_array_equal(out, interop.to_sklearn(line).transform(X))
    back = quern.from_sklearn(interop.to_sklearn(line))
    np.testing.assert_array_equal(back.transform(X), out)


@pytest.mark.parametrize("method", ["fit", "transform", "partial_fit", "inverse_transform"])
def test_what_is_refused_is_scikit_learns(method, patched, monkeypatch, caplog):
    scaler = skpre.StandardScaler().fit(X)
    expected = interop.to_sklearn(scaler)
    if method.endswith("fit"):
        getattr(expected, method)(X * 2)
    else:
        expected = getattr(expected, method)(X)

    def refuse(self, *args, **kwargs):
        raise quern.UnsupportedError("not today")

    monkeypatch.setattr(q.StandardScaler, "_learn", refuse)
    monkeypatch.setattr(q.StandardScaler, "_run", refuse)
    monkeypatch.setattr(q.StandardScaler, "_served", lambda self, X: None)
    with caplog.at_level(logging.INFO, "quern"):
        found = getattr(scaler, method)(X * 2 if method.endswith("fit") else X)
    assert f"StandardScaler.{method}" in caplog.text and "not today" in caplog.text
    if method.endswith("fit"):
        assert found is scaler
        np.testing.assert_allclose(scaler.mean_, expected.mean_, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(scaler.var_, expected.var_, rtol=1e-12)
        assert scaler.n_samples_seen_ == expected.n_samples_seen_
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_refusals_stand_without_the_patch(monkeypatch):
    def refuse(self, *args, **kwargs):
        raise quern.UnsupportedError("not today")

    monkeypatch.setattr(q.StandardScaler, "_learn", refuse)
    with pytest.raises(quern.UnsupportedError):
        q.StandardScaler().fit(X)


SCRIPT = """
import sys
from sklearn.preprocessing import StandardScaler
import helper_of_script
if __name__ == "__main__":
    print(StandardScaler.__mro__[1].__module__, sys.argv[1:], helper_of_script.word)
"""


def run(args, cwd):
    home = os.path.dirname(os.path.dirname(os.path.abspath(quern.__file__)))
    return subprocess.run([sys.executable, "-m", "quern", *args], cwd=cwd, text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": home})


def test_scripts_and_modules(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT)
    (folder / "helper_of_script.py").write_text("word = 'found'\n")
    expected = "quern.preprocessing._standard ['--a', 'b'] found\n"
    done = run(["deep/script.py", "--a", "b"], tmp_path)
    assert done.stdout == expected, done.stderr
    done = run(["-m", "script", "--a", "b"], folder)
    assert done.stdout == expected, done.stderr


def test_usage(tmp_path):
    assert "usage" in run([], tmp_path).stderr
    assert run([], tmp_path).returncode != 0
    assert "usage" in run(["--help"], tmp_path).stdout
    assert "there is no none.py" in run(["none.py"], tmp_path).stderr
