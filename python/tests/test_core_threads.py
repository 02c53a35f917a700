# SPDX-License-Identifier: Apache-2.0
"""Threads, signals, callbacks, forks, interpreters."""
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from quern import _core

Table = _core.Table


@pytest.fixture(scope="module")
def long():
    """A table, each fit of which takes a while: many columns of many categories."""
    return Table.from_matrix(np.random.default_rng(0).random((60_000, 40)))


def one_hot(pipeline):
    return pipeline({"OneHotEncoder": {"max_categories": 10}})


def test_other_threads_run_meanwhile(pipeline, long):
    cx = _core.Context(device="cpu", threads=1)
    took, gaps = [], [0.0]

    def work():
        start = time.perf_counter()
        one_hot(pipeline).fit(cx, long)
        took.append(time.perf_counter() - start)

    thread = threading.Thread(target=work)
    thread.start()
    last = time.perf_counter()
    while thread.is_alive():
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
    thread.join()
    assert took[0] > 0.1
    assert max(gaps) < 0.5 * took[0], f"nothing ran for {max(gaps):.3f} of {took[0]:.3f} s"


def test_two_threads_share_a_context_and_a_model(ctx, pipeline, numbers):
    table = Table.from_matrix(numbers)
    model = pipeline("RobustScaler").fit(ctx, table)
    want, failures = np.asarray(model.transform(ctx, table)).tobytes(), []

    def work():
        out, row = np.empty_like(numbers), np.empty((1, 6))
        for i in range(200):
            if np.asarray(model.transform(ctx, table)).tobytes() != want:
                failures.append("transform")
            model.apply(numbers, out)
            model.apply(numbers[i:i + 1], row)
            if out.tobytes() != want or row.tobytes() != out[i].tobytes():
                failures.append("apply")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


class Stop(Exception):
    pass


def test_a_signal_stops_a_call(pipeline, long):
    cx = _core.Context(device="cpu", threads=1)
    start = time.perf_counter()
    one_hot(pipeline).fit(cx, long)
    whole = time.perf_counter() - start

    def stop(*_):
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    try:
        start = time.perf_counter()
        with pytest.raises(Stop):
            signal.setitimer(signal.ITIMER_REAL, whole / 5)
            one_hot(pipeline).fit(cx, long)
        assert time.perf_counter() - start < 0.7 * whole
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    one_hot(pipeline).fit(cx, Table.from_matrix(np.ones((5, 1))))  # the context goes on


def test_ctrl_c_of_a_run_over_a_file(tmp_path):
    source = tmp_path / "in.csv"
    row = ",".join(["1.5"] * 20) + "\n"
    source.write_text(",".join(f"c{i}" for i in range(20)) + "\n" + row * 300_000)
    script = """if True:
        import sys, time
        from quern import _core
        cx = _core.Context(device="cpu", threads=1, max_memory=64 << 20, progress=lambda *a: print("on", flush=True))
        spec = '{"quern": 1, "steps": [{"name": "s", "columns": "*", "apply": ["RobustScaler"]}]}'
        try:
            while True:
                _core.run(cx, _core.Pipeline(spec), sys.argv[1], sys.argv[2])
        except KeyboardInterrupt:
            print("stopped", flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", script, source, tmp_path / "out.npy"],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.endswith("stopped\n") and process.returncode == 0
    assert not [name for name in os.listdir(tmp_path) if name != "in.csv"], "half a file is left"


# ---- callbacks ----


def test_progress_and_log(pipeline, numbers, tmp_path):
    seen, lines = [], []
    cx = _core.Context(device="cpu", progress=lambda *args: seen.append(args), log=lambda *args: lines.append(args))
    pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))
    assert ("fit", 400, 400) in seen
    assert all(isinstance(level, int) and isinstance(text, str) for level, text in lines)


def test_what_a_callback_raises_ends_the_call(pipeline, numbers):
    def progress(*_):
        raise Stop("mine")

    cx = _core.Context(device="cpu", progress=progress)
    with pytest.raises(Stop, match="mine"):
        pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))


def test_a_callback_cannot_use_its_context(pipeline, numbers):
    errors = []

    def progress(*_):
        try:
            cx.ledger()
        except RuntimeError as error:
            errors.append(str(error))

    cx = _core.Context(device="cpu", progress=progress)
    pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))
    assert errors and "callback" in errors[0]
    cx.ledger()


def test_a_context_with_a_callback_to_itself_is_collected():
    import gc
    import weakref

    class Log:
        def __call__(self, *_):
            pass

    log = Log()
    log.context = _core.Context(device="cpu", log=log)
    dead = weakref.ref(log)
    del log
    gc.collect()
    assert dead() is None


# ---- processes and interpreters ----


def in_child(work):
    """What work() gives in a forked child: exit code 0 when it is true."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "no end"


def test_the_cpu_works_after_a_fork(pipeline, numbers):
    cx = _core.Context(device="cpu", threads=2)
    x = np.repeat(numbers, 500, axis=0)
    table = Table.from_matrix(x)
    model, whole = pipeline("RobustScaler").fit(cx, table), pipeline("RobustScaler")
    want = np.asarray(model.transform(cx, table)).tobytes()
    assert in_child(lambda: whole.fit(cx, table).to_bytes() == model.to_bytes() and
                    np.asarray(model.transform(cx, table)).tobytes() == want) == 0
    assert np.asarray(model.transform(cx, table)).tobytes() == want


def test_a_context_that_was_in_use_at_the_fork_says_so(pipeline, long):
    cx = _core.Context(device="cpu", threads=1)
    thread = threading.Thread(target=lambda: one_hot(pipeline).fit(cx, long))
    thread.start()
    time.sleep(0.1)

    def work():
        try:
            cx.ledger()
        except RuntimeError as error:
            return "forked" in str(error)
        return False

    assert thread.is_alive()
    code = in_child(work)
    thread.join()
    assert code == 0


def test_a_device_does_not_cross_a_fork(numbers, pipeline):
    try:
        cx = _core.Context(device="opencl:0")
    except _core.DeviceError as error:
        pytest.skip(str(error))
    pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))

    def work():
        try:
            pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))
        except _core.DeviceError as error:
            return "spawn" in str(error)
        return False

    assert in_child(work) == 0
    pipeline("StandardScaler").fit(cx, Table.from_matrix(numbers))


def test_the_end_of_the_interpreter():
    """Everything alive at exit, held by nobody's order: no crash, no word."""
    script = """if True:
        import numpy as np
        from quern import _core
        cx = _core.Context(device="cpu", threads=2, log=print, progress=lambda *a: None)
        p = _core.Pipeline('{"quern": 1, "steps": [{"name": "s", "columns": "*", "apply": ["StandardScaler"]}]}')
        t = _core.Table.from_matrix(np.ones((10, 2)))
        m = p.fit(cx, t)
        keep = [np.from_dlpack(m.transform(cx, t)), m.transform(cx, t), memoryview(m.transform(cx, t))]
        fit = _core.Fit(cx, p)
        fit.push(t)
        import sys
        sys.modules["kept"] = keep
    """
    done = subprocess.run([sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_interpreter():
    interpreters = pytest.importorskip("_xxsubinterpreters")
    one = interpreters.create()
    interpreters.run_string(one, f"""if True:
        import sys
        sys.path[:] = {sys.path!r}
        from quern import _core
        cx = _core.Context(device="cpu")
        assert cx.device == "cpu"
        p = _core.Pipeline('{{"quern": 1, "steps": [{{"name": "s", "columns": "*", "apply": ["StandardScaler"]}}]}}')
        p.fit(cx, _core.Table.from_matrix(memoryview(bytes(80)).cast("d", (5, 2))))
    """)
    interpreters.destroy(one)
