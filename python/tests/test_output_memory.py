# SPDX-License-Identifier: Apache-2.0
"""Memory of outputs: what is gone is used again, what somebody still sees is not."""
import gc
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from scipy import sparse

import quern
from quern import _core, _memory
from quern.preprocessing import Normalizer, OneHotEncoder, PolynomialFeatures, StandardScaler

MB = 1 << 20


@pytest.fixture(autouse=True)
def room():
    """Nothing kept, the default limit, and a peak that leaves room."""
    before = quern.get_config()
    quern.set_config(output_memory=None)
    held = _core.output(64 * MB)
    del held
    quern.output_memory().trim()
    yield
    quern.set_config(**before)
    quern.output_memory().trim()


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).normal(size=(50_000, 8))


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("make", [
    lambda x: StandardScaler().fit(x).transform, lambda x: Normalizer().fit(x).transform,
    lambda x: PolynomialFeatures(2).fit(x).transform, lambda x: quern.sort, lambda x: quern.copy])
def test_the_output_that_is_gone_is_the_next(x, make):
    call = make(x)
    first = call(x)
    wanted, place = first.copy(), address(first)
    before = quern.output_memory().recycled
    del first
    second = call(x)
    assert address(second) == place
    assert quern.output_memory().recycled - before == second.nbytes
    np.testing.assert_array_equal(second, wanted)


def test_outputs_of_two_kinds_share_memory(x):
    made = StandardScaler().fit_transform(x)
    place = address(made)
    del made
    assert address(quern.sort(x, axis=0)) == place


def test_sparse_outputs_come_back(x):
    encoder = OneHotEncoder().fit(x.round())
    first = encoder.transform(x.round())
    place = address(first.data)
    del first
    assert address(encoder.transform(x.round()).data) == place


@pytest.mark.parametrize("see", [
    lambda a: a[5:, 1], lambda a: a.T, lambda a: a.ravel().view(np.int64), lambda a: memoryview(a),
    lambda a: np.from_dlpack(a), lambda a: sparse.csr_matrix((a.ravel(), np.arange(a.size), [0, a.size]), copy=False)])
def test_what_somebody_sees_is_not_used_again(x, see):
    scaler = StandardScaler().fit(x)
    made = scaler.transform(x)
    place, view = address(made), see(made)
    before = np.array(view.data if sparse.issparse(view) else view)
    del made
    gc.collect()
    others = [scaler.transform(x + i) for i in range(3)]
    assert place not in [address(a) for a in others]
    np.testing.assert_array_equal(np.array(view.data if sparse.issparse(view) else view), before)
    del view, others
    gc.collect()
    assert quern.output_memory().in_use == 0


def test_arrow_keeps_it(x):
    pa = pytest.importorskip("pyarrow")
    made = StandardScaler().fit_transform(x)
    place = address(made)
    column = pa.array(made.reshape(-1))
    assert column.buffers()[1].address == place
    del made
    assert address(StandardScaler().fit_transform(x)) != place
    assert column[0].as_py() == StandardScaler().fit_transform(x)[0, 0]


def test_a_limit_of_0_turns_it_off(x):
    scaler = StandardScaler().fit(x)
    with quern.config_context(output_memory=0):
        assert quern.get_config()["output_memory"] == 0
        made = scaler.transform(x)
        assert quern.output_memory().limit == quern.output_memory().in_use == 0
        del made
        assert quern.output_memory().kept == 0
    assert quern.output_memory().limit > 0
    quern.set_config(output_memory=MB)
    made = scaler.transform(x)
    del made
    assert quern.output_memory().kept == 0  # larger than the limit
    quern.set_config(output_memory=4 * MB)
    made = scaler.transform(x)
    del made
    assert 0 < quern.output_memory().kept <= 4 * MB
    assert quern.output_memory().trim() == x.nbytes


@pytest.mark.parametrize("value, error", [(-1, ValueError), ("a lot", TypeError), (0.5, TypeError)])
def test_other_limits_are_refused(value, error):
    before = quern.output_memory().limit
    with pytest.raises(error, match="output_memory"):
        quern.set_config(output_memory=value)
    assert quern.output_memory().limit == before


def test_small_arrays_are_numpys():
    assert _memory.empty(10, float).flags.owndata
    assert not _memory.empty((1000, 1000), float).flags.owndata
    assert _memory.empty((1000, 1000), object).flags.owndata
    for order in "CF":
        made = _memory.empty((2000, 300), np.float32, order)
        assert made.shape == (2000, 300) and made.flags[f"{order}_CONTIGUOUS"] and made.flags.writeable
    with pytest.raises(MemoryError):
        _memory.empty((1 << 40, 1 << 10), np.uint8)
    with pytest.raises(ValueError):
        _memory.empty((1 << 40, 1 << 40), float)


def test_an_output_can_be_pickled(x):
    made = StandardScaler().fit_transform(x)
    back = pickle.loads(pickle.dumps(made, protocol=5))
    assert back.tobytes() == made.tobytes()


def test_threads_have_outputs_of_their_own(x):
    scaler, wrong = StandardScaler().fit(x), []
    wanted = [scaler.transform(x + i) for i in range(4)]

    def work(i):
        with quern.config_context(threads=1, device="cpu"):
            for _ in range(20):
                if not np.array_equal(scaler.transform(x + i), wanted[i]):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_it_shows_itself(x):
    memory = quern.output_memory()
    assert set(memory.stats()) <= set(dir(memory))
    assert "recycled" in repr(memory) and "<table" in memory._repr_html_()
    with pytest.raises(AttributeError):
        memory.nothing


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_exit_and_fork_with_outputs_alive():
    code = """
import os, numpy as np, quern
from quern.preprocessing import StandardScaler
x = np.ones((200_000, 8))
kept = StandardScaler().fit_transform(x)
gone = StandardScaler().fit_transform(x); del gone
assert quern.output_memory().kept
child = os.fork()
if child == 0:
    assert quern.output_memory().kept == 0
    again = StandardScaler().fit_transform(x)
    assert (again == kept).all()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
import builtins; builtins.alive = kept
"""
    subprocess.run([sys.executable, "-c", code], check=True)
