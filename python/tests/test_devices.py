# SPDX-License-Identifier: Apache-2.0
"""Which device works: the list, the settings, the environment, what is logged, and the pool."""
import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import quern
from quern import _config, _core
from quern._devices import Devices, Pool
from quern.preprocessing import StandardScaler


def opencl():
    return next((d["id"] for d in quern.devices() if d["present"] and d["kind"] == "opencl"), None)


needs_opencl = pytest.mark.skipif(opencl() is None, reason="no OpenCL device here")


@pytest.fixture
def settings():
    """Settings of the process, which are put back."""
    before = quern.get_config()
    yield quern.set_config
    quern.set_config(**before)


@pytest.fixture
def big():
    return np.random.default_rng(1).normal(size=(50000, 4))


def elsewhere(code, **environment):
    """Standard output of code in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, check=True,
                          capture_output=True, text=True)
    return done.stdout.strip()


# ---- the list ----


def test_the_list_has_every_backend_and_reasons():
    found = quern.devices()
    assert {d["kind"] for d in found} == {"cuda", "opencl", "cpu"}
    for d in found:
        if d["present"]:
            assert d["name"] and d["memory_total"] > 0 and d["driver"]
        else:
            assert d["reason"]
    cpu = found[-1]
    assert cpu["id"] == cpu["kind"] == "cpu" and cpu["present"] and cpu["float64"]


def test_the_list_shows_itself_as_a_table():
    found = quern.devices()
    lines = repr(found).splitlines()
    assert len(lines) == 1 + len(found)
    for d, line in zip(found, lines[1:]):
        assert line.startswith(d["id"]) and (d["name"] in line if d["present"] else d["reason"] in line)
    page = found._repr_html_()
    assert page.count("<tr>") == 1 + len(found) and "GiB" in page


def test_texts_of_drivers_are_escaped():
    d = dict(quern.devices()[-1], name="<script>", driver="a & b")
    page = Devices([d])._repr_html_()
    assert "&lt;script&gt;" in page and "a &amp; b" in page and "<script>" not in page


def test_asking_opens_no_context(settings):
    settings(device="cuda:99")
    assert quern.devices()


# ---- settings ----


def test_the_environment_names_the_device():
    code = "import quern; r = quern.last_report(); print(r['device'], '/', r['reason'])"
    assert elsewhere(code, QUERN_DEVICE="cpu") == "cpu / asked for by QUERN_DEVICE"
    named = "import quern; quern.set_config(device='cpu'); print(quern.last_report()['reason'])"
    assert elsewhere(named, QUERN_DEVICE="cuda:99") == "asked for"


def test_a_device_that_is_not_there_is_an_error():
    with quern.device("cuda:99"), pytest.raises(quern.DeviceError, match="cuda"):
        StandardScaler().fit(np.ones((100, 2)))


@needs_opencl
def test_with_device(big):
    with quern.device(opencl()):
        inner = StandardScaler().fit(big)
        assert quern.last_report()["device"] == opencl()
        with quern.device("cpu"):
            assert quern.last_report()["device"] == "cpu"
    with quern.device("cpu"):
        outer = StandardScaler().fit(big)
    np.testing.assert_array_equal(inner.mean_, outer.mean_)
    np.testing.assert_array_equal(inner.scale_, outer.scale_)


def test_with_device_ends_with_the_block_also_after_an_error():
    before = quern.get_config()
    with pytest.raises(ZeroDivisionError), quern.device("cpu"):
        assert quern.get_config()["device"] == "cpu"
        1 / 0
    assert quern.get_config() == before


def test_with_device_is_of_one_thread():
    seen = []
    with quern.device("cpu"):
        thread = threading.Thread(target=lambda: seen.append(quern.get_config()["device"]))
        thread.start()
        thread.join()
    assert seen == [None]


@pytest.mark.parametrize("changes, error", [
    ({"device": 3}, TypeError), ({"devices": "cpu"}, TypeError), ({"fallback": "always"}, ValueError),
    ({"progress": "yes"}, ValueError)])
def test_wrong_settings_change_nothing(changes, error):
    before = quern.get_config()
    with pytest.raises(error):
        quern.set_config(**changes)
    assert quern.get_config() == before


def test_progress_opens_no_other_context(settings):
    with quern.device("cpu"):
        context = _config.context()
    with quern.config_context(device="cpu", progress=lambda *_: None):
        assert _config.context() is context


# ---- falling back, and the log ----


@pytest.fixture
def cramped():
    """Settings under which the OpenCL device has no room for anything."""
    return {"device": opencl(), "device_memory": 256}


@needs_opencl
@pytest.mark.parametrize("fallback, warns", [("report", True), ("quiet", False)])
def test_falling_back(cramped, fallback, warns, big, caplog):
    with quern.config_context(fallback=fallback, **cramped), caplog.at_level(logging.INFO, "quern"):
        scaler = StandardScaler().fit(big)
        decisions = quern.last_report()["decisions"]
    np.testing.assert_allclose(scaler.mean_, big.mean(0), rtol=1e-12)
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING and "instead of" in r.getMessage()]
    assert bool(warnings) == warns
    assert all(r.name == "quern" for r in warnings)
    fell = [d for d in decisions if d["device"] == "cpu" and d["step"] == "fit"]
    assert fell and "memory" in " ".join(d["reason"] for d in decisions)


@needs_opencl
def test_never_falling_back(cramped, big):
    with quern.config_context(fallback="never", **cramped), pytest.raises(MemoryError):
        StandardScaler().fit(big)


def test_every_decision_is_logged_once(big, caplog):
    with quern.config_context(device="cpu", threads=1), caplog.at_level(logging.DEBUG, "quern"):
        _config.context().reset()
        for _ in range(3):
            StandardScaler().fit(big).transform(big)
        decisions = quern.last_report()["decisions"]
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    assert len(lines) == len(decisions) == 2
    for d, line in zip(decisions, lines):
        where = f"{d['device']} as {d['implementation']}"
        assert line.startswith(f"{d['step']}: {d['operation']} runs on {where}")
        assert d["count"] == 3 and d["reason"] in line


def test_opening_is_logged(caplog):
    with caplog.at_level(logging.INFO, "quern"), quern.config_context(device="cpu", max_memory=1234567):
        _config.context()
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.INFO] == ["device cpu: asked for"]


def test_what_scikit_learn_does_instead_is_logged(caplog):
    from quern.compose import make_column_transformer
    from sklearn.decomposition import PCA
    with caplog.at_level(logging.INFO, "quern"):
        make_column_transformer((PCA(), [0])).fit(np.random.default_rng(0).random((20, 2)))
    assert any("PCA is not an estimator of quern" in r.getMessage() for r in caplog.records)


# ---- the pool ----


def test_the_cpu_has_no_pool():
    with quern.device("cpu"):
        pool = quern.pool()
    assert pool.device == "cpu" and pool.limit is None
    assert all(not value for value in pool.stats().values())
    assert pool.trim() == 0
    pool.reset_peak()
    assert pool.peak_in_use == 0


@needs_opencl
def test_the_pool_of_a_device(big):
    with quern.config_context(device=opencl(), device_memory=512 << 20):
        pool = quern.pool()
        StandardScaler().fit(big).transform(big)
    stats = pool.stats()
    assert stats["limit"] == pool.limit == 512 << 20
    assert stats["allocations"] > 0 and stats["reserved"] > 0 and stats["grows"] > 0
    assert 0 < stats["peak_in_use"] <= stats["peak_reserved"] <= stats["limit"]
    with quern.config_context(device=opencl(), device_memory=512 << 20):
        StandardScaler().fit(big).transform(big)
    assert pool.reuse_hits > stats["reuse_hits"], "the numbers are those of now"
    held = pool.reserved
    assert pool.trim() == held and pool.reserved == 0 and pool.trims > 0
    assert pool.peak_reserved == held
    pool.reset_peak()
    assert pool.peak_reserved == 0 and pool.peak_in_use == 0


@needs_opencl
def test_memory_in_use_is_seen(big):
    """A context whose output does not lie in place takes device memory for it."""
    context = _core.Context(device=opencl(), no_zero_copy=True, cache_dir="off")
    pool = Pool(context)
    spec = '{"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}'
    table = _core.Table.from_matrix(big)
    _core.Pipeline(spec).fit(context, table)
    assert pool.peak_in_use >= big.nbytes and pool.in_use == 0


@needs_opencl
def test_a_pool_by_name_and_as_tables():
    pool = quern.pool(opencl())
    assert pool.device == opencl()
    assert repr(pool).startswith(f"device memory of {opencl()}") and "reuse_hits" in repr(pool)
    page = pool._repr_html_()
    assert page.count("<tr>") == 1 + len(pool.stats()) and "<td>limit</td><td>none</td>" in page
    assert {"limit", "in_use", "trim"} <= set(dir(pool))
    with pytest.raises(AttributeError, match="no attribute 'size'"):
        pool.size
