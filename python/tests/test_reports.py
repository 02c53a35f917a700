# SPDX-License-Identifier: Apache-2.0
"""What ran where: quern.last_report, and the device row in the diagrams of estimators."""
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.decomposition import PCA
from sklearn.utils import estimator_html_repr

import quern
from quern import _config, _core
from quern.compose import make_column_transformer
from quern.pipeline import make_pipeline
from quern.preprocessing import KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, StandardScaler

PENGUINS = Path(__file__).parents[2] / "tests" / "data" / "penguins.csv"
SPEC = {"quern": 1, "steps": [{"columns": ["body_mass_g"], "apply": ["SimpleImputer", "StandardScaler"]}]}


@pytest.fixture
def big():
    return np.random.default_rng(1).normal(size=(20000, 4))


@pytest.fixture
def fresh():
    """The CPU's context of this thread, with nothing in its record."""
    with quern.device("cpu"):
        _config.context().reset()
        _config._thread.notes.clear()
        _config.remember_job(None)
        yield


def opencl():
    return next((d["id"] for d in quern.devices() if d["present"] and d["kind"] == "opencl"), None)


# ---- the report ----


def test_kinds_of_calls(fresh, big):
    scaler = StandardScaler().fit(big)
    scaler.transform(scaler.inverse_transform(scaler.transform(big)))
    StandardScaler().partial_fit(big)
    make_pipeline(MinMaxScaler(), MaxAbsScaler()).fit_transform(big)
    report = quern.last_report()
    assert (report["device"], report["reason"]) == ("cpu", "asked for")
    calls = {s["stage"]: s["calls"] for s in report["stages"]}
    assert calls == {"fit": 2, "push": 1, "fit_transform": 1, "transform": 2, "inverse_transform": 1}
    assert all(s["ns"] > 0 and s["device"] == "cpu" for s in report["stages"])
    assert set(report) == {"device", "reason", "stages", "decisions", "ledger", "job", "scikit_learn"}
    _config.context().reset()
    assert quern.last_report()["stages"] == []


@pytest.mark.skipif(opencl() is None, reason="no OpenCL device here")
def test_bytes_and_launches(big):
    context = _core.Context(device=opencl(), no_zero_copy=True, cache_dir="off")
    table, pipeline = _core.Table.from_matrix(big), _core.Pipeline(
        '{"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}')
    model = pipeline.fit(context, table)
    model.transform(context, table)
    model.transform(context, table)
    fit, transform = context.stages()
    ledger = context.ledger()
    assert fit["stage"] == "fit" and fit["to_device"] >= big.nbytes and fit["launches"] > 0
    assert transform["calls"] == 2 and transform["from_device"] >= 2 * big.nbytes
    for ours, theirs in (("to_device", ("input_to_device", "control_to_device")),
                         ("from_device", ("output_from_device", "control_from_device")),
                         ("in_place", ("wrapped",)), ("launches", ("launches",)),
                         ("passes", ("passes",))):
        assert fit[ours] + transform[ours] == sum(ledger[name] for name in theirs)


def test_the_time_is_the_calls(fresh, big):
    import time
    start = time.perf_counter_ns()
    for _ in range(5):
        StandardScaler().fit(big)
    took = time.perf_counter_ns() - start
    assert 0 < quern.last_report()["stages"][0]["ns"] < took


def test_as_text(fresh, big):
    make_column_transformer((PCA(), [0]), (StandardScaler(), [1])).fit(big[:100])
    text = str(quern.last_report())
    lines = text.splitlines()
    assert lines[0] == "device cpu: asked for"
    assert re.search(r"^fit +cpu +1 +[\d.]+ (µs|ms|s) +0 B +0 B +0 B +0 +1$", text, re.M)
    assert re.search(r"^fit +moments +cpu +cpu:\w+ +1 +device: no device is open$", text, re.M)
    assert re.search(r"^ColumnTransformer +PCA is not", text, re.M)
    assert "last file" not in text


def test_of_files(fresh, tmp_path):
    quern.run(SPEC, PENGUINS, tmp_path / "out.npy")
    report = quern.last_report()
    assert report["job"]["rows"] == 344 and report["job"]["read_ns"] > 0
    assert [s["stage"] for s in report["stages"]] == ["run"]
    assert "last file: 344 rows; read " in str(report)
    model = quern.fit(SPEC, PENGUINS)
    quern.transform(model, PENGUINS)
    assert {s["stage"] for s in quern.last_report()["stages"]} == {"run", "apply_file"}


class Well(HTMLParser):
    """Tags that are opened are closed, in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in ("input", "br", "img", "link", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_as_html(fresh, big):
    StandardScaler().fit(big)
    _config.note("<b>Bad</b>", "a < b & c")
    page = quern.last_report()._repr_html_()
    found = Well(page)
    assert page.count("<table") == 3 and "moments" in found.texts and "a < b & c" in found.texts
    assert "<b>" not in page
    assert "<b>Bad</b>" in found.texts


def test_a_report_is_a_plain_record(fresh, big):
    import json
    StandardScaler().fit(big)
    report = quern.last_report()
    assert json.loads(json.dumps(report)) == report
    StandardScaler().fit(big)
    assert report["stages"][0]["calls"] == 1, "what was asked for stays as it was"


# ---- estimators ----


def rows(estimator):
    """The texts about devices in a diagram."""
    page = estimator_html_repr(estimator)
    return [html.unescape(text) for text in re.findall(r'<div class="quern-device">(.*?)</div>', page)]


def test_an_estimator_that_was_not_used(monkeypatch):
    monkeypatch.delenv("QUERN_DEVICE", raising=False)
    with quern.config_context(device="cuda:7"):
        assert rows(StandardScaler()) == ["quern: would run on cuda:7 (asked for)"]
    with quern.config_context(threads=37):  # for which no other test has opened a device
        assert rows(StandardScaler()) == ["quern: would run on auto (the first GPU that works, else the CPU)"]
        monkeypatch.setenv("QUERN_DEVICE", "opencl:9")
        assert rows(StandardScaler()) == ["quern: would run on opencl:9 (asked for by QUERN_DEVICE)"]


def test_an_estimator_that_ran(big):
    with quern.device("cpu"):
        scaler = StandardScaler().fit(big)
    with quern.config_context(device="cuda:7"):
        assert rows(scaler) == ["quern: ran on cpu (asked for)"]


@pytest.mark.skipif(opencl() is None, reason="no OpenCL device here")
def test_an_estimator_that_ran_on_a_device(big):
    with quern.device(opencl()):
        scaler = StandardScaler().fit(big)
        line = make_pipeline(StandardScaler(), MaxAbsScaler()).fit(big)
    assert rows(scaler) == [f"quern: ran on {opencl()} (asked for)"]
    assert rows(line) == [f"quern: ran on {opencl()} (asked for)"] * 3


def test_words_are_escaped(monkeypatch):
    monkeypatch.setenv("QUERN_DEVICE", "<script>alert('&')</script>")
    page = estimator_html_repr(StandardScaler())
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("make", [
    lambda: StandardScaler(), lambda: make_pipeline(StandardScaler(), MinMaxScaler()),
    lambda: make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough")])
@pytest.mark.parametrize("fitted", [False, True])
def test_every_way_of_showing(make, fitted, big):
    with quern.device("cpu"):
        estimator = make().fit(big) if fitted else make()
        if fitted:
            estimator.transform(big)
    shown = [estimator._repr_html_(), estimator_html_repr(estimator),
             estimator._repr_mimebundle_()["text/html"]]
    for page in shown:
        assert page.count('class="quern-device"') >= 1
        assert "quern: ran on cpu (asked for)" in page if fitted else "quern: would run on" in page
        assert "sk-container" in page


def test_composites_say_what_their_parts_did(big):
    with quern.device("cpu"):
        line = make_pipeline(make_column_transformer((StandardScaler(), [0, 1]), (MinMaxScaler(), [2])),
                             MaxAbsScaler()).fit(big)
        found = rows(line)
        assert found[0] == "quern: ran on cpu (asked for)" and len(found) >= 4
        assert rows(line.steps[0][1])[0] == "quern: ran on cpu (asked for)"
        mixed = make_pipeline(StandardScaler(), MaxAbsScaler(), LogisticRegression()).fit(big, big[:, 0] > 0)
        assert rows(mixed) == ["quern: ran on cpu (asked for)"] * 3


def test_composites_say_why_scikit_learn_ran_them(big, tmp_path):
    with quern.device("cpu"):
        line = make_pipeline(StandardScaler(), MaxAbsScaler(), memory=str(tmp_path)).fit(big)
        assert rows(line)[0] == ("quern: ran on cpu (asked for; scikit-learn ran the parts one by one: "
                                 "it has a memory or callbacks, or is verbose)")
        assert rows(line)[1:] == ["quern: ran on cpu (asked for)"] * 2
        line.set_params(memory=None).fit(big)
        assert rows(line) == ["quern: ran on cpu (asked for)"] * 3


def test_patched_estimators_tell_what_scikit_learn_did():
    from quern import _patch
    scaler = _patch.StandardScaler().fit(np.ones((4, 2)))
    assert "scikit-learn" not in rows(scaler)[0]

    def refuse(self, X):
        raise quern.UnsupportedError("not here")
    method = _patch._falling_back(type("Refusing", (StandardScaler,), {"transform": refuse}), "transform")
    method(scaler, np.ones((4, 2)))
    assert rows(scaler) == ["quern: ran on the CPU by scikit-learn (not here)"]


def test_what_a_class_warns_of_is_not_said_twice(caplog):
    """The log has it as information; a pipeline, whose steps say nothing, warns in the log."""
    X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    bins = KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
    with caplog.at_level("INFO", logger="quern"), quern.device("cpu"):
        with pytest.warns(UserWarning, match="Feature 1 is constant"):
            bins.fit(X)
        said = [r.levelname for r in caplog.records if "is constant" in r.message]
        assert said == ["INFO"]
        caplog.clear()
        spec = {"quern": 1, "steps": [{"columns": "*", "apply": [
            {"KBinsDiscretizer": {"n_bins": 2, "encode": "ordinal", "strategy": "uniform"}}]}]}
        quern.fit(spec, X)
        assert [r.levelname for r in caplog.records if "is constant" in r.message] == ["WARNING"]
