# SPDX-License-Identifier: Apache-2.0
"""Progress of long calls on files: the bar, functions that are told, Ctrl-C; scikit-learn's callbacks."""
import io
import os
import signal
import subprocess
import sys
import types

import numpy as np
import pytest

import quern
from quern import _config, _progress
from quern.pipeline import make_pipeline
from quern.preprocessing import MaxAbsScaler, StandardScaler

SPEC = {"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}
ROWS = 120_000


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("progress") / "table.csv"
    numbers = np.random.default_rng(0).normal(size=(ROWS, 4)).round(6)
    path.write_text("a,b,c,d\n" + "\n".join(",".join(map(str, row)) for row in numbers.tolist()) + "\n")
    return path


@pytest.fixture
def streaming():
    """The CPU, with so little memory that files are read in passes."""
    with quern.config_context(device="cpu", max_memory=4 << 20):
        yield


# ---- functions ----


def test_a_function_is_told(table, streaming, tmp_path):
    heard = []
    with quern.config_context(progress=lambda *event: heard.append(event)):
        _, model = quern.run(SPEC, table, tmp_path / "out.npy")
        stages = [stage for stage, _, _ in heard]
        assert stages.index("transform") > 0 and set(stages) == {"fit", "transform"}
        for name in ("fit", "transform"):
            done = [d for stage, d, total in heard if stage == name and total == ROWS]
            assert len(done) > 1 and done == sorted(done) and done[-1] == ROWS
            assert len(done) == stages.count(name), "chunks tell nothing of their own"
        heard.clear()
        quern.transform(model, table, tmp_path / "again.npy")
        assert {stage for stage, _, _ in heard} == {"transform"}
    assert _config.context().progress is None
    heard.clear()
    quern.transform(model, table, tmp_path / "again.npy")
    assert not heard


def test_what_a_function_raises_ends_the_call(table, streaming, tmp_path):
    def stop(stage, done, total):
        if stage == "transform":
            raise RuntimeError("enough")

    with quern.config_context(progress=stop), pytest.raises(RuntimeError, match="enough"):
        quern.run(SPEC, table, tmp_path / "out.npy")
    assert list(tmp_path.iterdir()) == [], "nothing is left of an output that was not finished"
    assert _config.context().progress is None
    quern.run(SPEC, table, tmp_path / "out.npy")
    assert (tmp_path / "out.npy").exists()


def test_progress_changes_no_bits(table, streaming, tmp_path):
    with quern.config_context(progress=lambda *_: None):
        quern.run(SPEC, table, tmp_path / "a.npy")
    quern.run(SPEC, table, tmp_path / "b.npy")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


# ---- when there is a bar ----


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("progress, terminal, bar", [
    ("auto", True, True), ("auto", False, False), (True, False, True), (True, True, True),
    (False, True, False)])
def test_when_there_is_a_bar(progress, terminal, bar, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    with quern.config_context(progress=progress):
        assert isinstance(_progress._listener(), _progress.Bar) == bar


def test_notebooks_have_a_bar_only_if_asked(monkeypatch):
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert _progress._listener() is None
    with quern.config_context(progress=True):
        assert isinstance(_progress._listener(), _progress.Bar)


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_no_standard_error_is_no_trouble(stderr, table, streaming, tmp_path, monkeypatch):
    if stderr == "closed":
        stderr = io.StringIO()
        stderr.close()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(_progress, "FIRST", 0)
    with quern.config_context(progress=True):
        quern.run(SPEC, table, tmp_path / "out.npy")
    assert (tmp_path / "out.npy").exists()


# ---- the bar ----


def test_the_bar_over_time():
    now, out = [0.0], io.StringIO()
    bar = _progress.Bar(out, lambda: now[0])
    bar("fit", 10, 100)
    assert out.getvalue() == "", "short work shows none"
    now[0] = 0.6
    bar("fit", 50, 100)
    assert out.getvalue() == f"\rfit        [{15 * '#'}{15 * '.'}]  50 %"
    now[0] = 0.65
    bar("fit", 60, 100)
    assert "60 %" not in out.getvalue(), "not ten times a second"
    now[0] = 0.8
    bar("read", 1234, 0)
    line = out.getvalue().rsplit("\r", 1)[1]
    assert line.startswith("read       1234 rows") and len(line) >= 48, "the longer line is covered"
    now[0] = 1.0
    bar("fit", 300, 100)
    assert "100 %" in out.getvalue()
    bar.close()
    assert out.getvalue().endswith("\r") and out.getvalue().split("\r")[-2].strip() == ""


CHILD = """
import sys, quern
from quern import _progress
_progress.FIRST = _progress.EVERY = 0
quern.set_config(device="cpu", max_memory=4 << 20)
for _ in range(int(sys.argv[3])):
    quern.run({spec!r}, sys.argv[1], sys.argv[2])
""".format(spec=SPEC)


def on_terminal(*args):
    """A child whose standard error is a terminal, and our end of it."""
    import pty
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", CHILD, *map(str, args)], stderr=theirs)
    os.close(theirs)
    return child, ours


def read_all(terminal):
    text = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            return text.decode()
        if not more:
            return text.decode()
        text += more


def test_on_a_terminal(table, tmp_path):
    child, terminal = on_terminal(table, tmp_path / "out.npy", 1)
    text = read_all(terminal)
    os.close(terminal)
    assert child.wait() == 0
    assert "fit        [" in text and "transform  [" in text and "100 %" in text
    assert text.rsplit("\r", 2)[1].strip() == "" and "\n" not in text, "the line is empty at the end"


def test_ctrl_c_with_a_bar(table, tmp_path):
    child, terminal = on_terminal(table, tmp_path / "out.npy", 1000)
    seen = b""
    while b"fit" not in seen:
        seen += os.read(terminal, 4096)
    child.send_signal(signal.SIGINT)
    text = seen.decode() + read_all(terminal)
    os.close(terminal)
    assert child.wait(timeout=30) in (1, 130, -signal.SIGINT)
    assert "KeyboardInterrupt" in text
    assert text.split("Traceback")[0].rsplit("\r", 2)[1].strip() == "", "the line is empty ahead of the error"


# ---- scikit-learn's callbacks ----


class Recorder:
    """Follows the protocol of scikit-learn 1.9."""

    max_propagation_depth = None

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", type(estimator).__name__))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.estimator_name, context.task_name))

    def teardown(self, estimator, context):
        self.events.append(("teardown", type(estimator).__name__))


def theirs(make):
    """The events of the same estimators by scikit-learn's classes."""
    return events(make().to_sklearn(), np.random.default_rng(0).random((20, 2)))


def events(estimator, X):
    recorder = Recorder()
    try:
        estimator.set_callbacks(recorder).fit(X)
    except ValueError:
        recorder.events.append("error")
    return recorder.events


@pytest.mark.filterwarnings("ignore:The estimator MaxAbsScaler does not support callbacks")
@pytest.mark.parametrize("make", [
    lambda: StandardScaler(), lambda: make_pipeline(StandardScaler(), MaxAbsScaler()),
    lambda: make_pipeline(make_pipeline(StandardScaler()), StandardScaler())])
def test_callbacks_hear_what_scikit_learn_tells(make):
    pytest.importorskip("sklearn.callback")
    recorder, X = Recorder(), np.random.default_rng(0).random((20, 2))
    estimator = make().set_callbacks(recorder)
    out = estimator.fit(X).transform(X)
    assert recorder.events == theirs(make) and recorder.events[0][0] == "setup"
    assert [e[0] for e in recorder.events].count("begin") == [e[0] for e in recorder.events].count("end") > 0
    np.testing.assert_array_equal(out, make().fit(X).transform(X))


def test_callbacks_end_after_an_error():
    pytest.importorskip("sklearn.callback")
    line, bad = make_pipeline(StandardScaler(), StandardScaler()), np.full((3, 2), np.inf)
    heard = events(line, bad)
    assert heard[-2:] == [("teardown", "Pipeline"), "error"] and heard[0] == ("setup", "Pipeline")
    assert heard == events(make_pipeline(StandardScaler(), StandardScaler()).to_sklearn(), bad)
