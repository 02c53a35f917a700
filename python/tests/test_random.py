# SPDX-License-Identifier: Apache-2.0
"""Random numbers, orders and splits: the same on every device, with the shares that scikit-learn gives."""
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn import model_selection as theirs

import quern
from quern import _core
from quern.model_selection import train_test_split
from test_arrays import DEVICES, device  # noqa: F401 (device: a fixture)


# ---- numbers ----

def test_the_words_are_those_that_the_generators_authors_publish(device):
    assert [hex(w) for w in quern.random.bits(4, "uint32", seed=0)] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


def test_numbers_are_made_of_the_bits(device):
    words, numbers = quern.random.bits(4003, "uint32", seed=7, stream=3), quern.random.bits((29, 69), seed=7, stream=3)
    assert np.array_equal(numbers.ravel()[:2000], words[0:4000:2] | words[1:4000:2].astype(np.uint64) << np.uint64(32))
    assert np.array_equal(quern.random.uniform(2001, seed=7, stream=3), (numbers.ravel() >> np.uint64(11)) * 2.0**-53)
    assert np.array_equal(quern.random.uniform(4003, "float32", seed=7, stream=3), (words >> 8).astype(np.float32) * np.float32(2.0**-24))
    for low, high in ((0, 10), (-5, 2**40), (-2**63, 2**63 - 1), (7, 8)):
        want = [low + (int(v) * (high - low) >> 64) for v in numbers.ravel()]
        assert quern.random.integers(low, high, 2001, seed=7, stream=3).tolist() == want
    for first in (1, 2, 3, 127, 128, 129, 1000):
        assert np.array_equal(quern.random.bits(900, seed=7, stream=3, first=first), numbers.ravel()[first:first + 900])
        assert np.array_equal(quern.random.bits(900, "uint32", seed=7, stream=3, first=first), words[first:first + 900])


def test_seeds_come_from_numpy_where_none_is_given():
    np.random.seed(3)
    one, two = quern.random.permutation(50), quern.random.permutation(50)
    np.random.seed(3)
    assert np.array_equal(one, quern.random.permutation(50)) and not np.array_equal(one, two)
    a, b = (quern.random.uniform(5, seed=np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(a, b)


# ---- orders ----

@pytest.mark.parametrize("n", [0, 1, 2, 5, 300, 70_001, 300_000])
def test_an_order_sorts_places_by_the_streams_numbers(device, n):
    order = quern.random.permutation(n, seed=11, stream=2)
    keys = quern.random.bits(n, seed=11, stream=2)
    assert order.dtype == np.int64 and np.array_equal(order, np.argsort(keys, kind="stable"))
    for k in {0, n // 3, n}:
        assert np.array_equal(quern.random.permutation(n, k, seed=11, stream=2), order[:k])


def test_rows_are_shuffled_with_what_is_in_them(device):
    x = np.arange(600.0).reshape(200, 3)
    for part in (x, np.asfortranarray(x), x[:, 0], x.reshape(200, 3, 1)):
        order = quern.random.permutation(200, seed=1)
        assert np.array_equal(quern.random.permutation(part, seed=1), part[order])


def test_every_order_is_as_likely_as_any_other():
    with quern.config_context(device="cpu"):
        counts = {}
        for seed in range(24_000):
            order = tuple(quern.random.permutation(4, seed=seed).tolist())
            counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    chi2 = sum((c - 1000) ** 2 / 1000 for c in counts.values())  # 23 degrees of freedom: 99.9 % lie below 49.7
    assert chi2 < 49.7


def test_bits_are_the_same_on_every_device_with_any_number_of_threads():
    results = set()
    y = np.random.default_rng(0).integers(0, 9, 20_000)
    for name in DEVICES:
        for threads in (1, 2, 3):
            with quern.config_context(device=name, threads=threads):
                split = train_test_split(np.arange(20_000), stratify=y, random_state=4, test_size=0.3)
                results.add((quern.random.permutation(200_000, seed=9).tobytes(), quern.random.uniform(10_001, seed=9).tobytes(),
                             *(part.tobytes() for part in split)))
    assert len(results) == 1


def test_a_split_stays_as_it_is_from_version_to_version(device):
    order = quern.random.permutation(12, seed=0).tolist()
    assert order == [10, 3, 5, 4, 11, 2, 6, 7, 1, 8, 0, 9]
    labels = np.arange(12) % 3
    train, test = train_test_split(np.arange(12), test_size=3, random_state=0, stratify=labels)
    assert (train.tolist(), test.tolist()) == ([11, 2, 10, 6, 0, 3, 4, 5, 7], [8, 9, 1])


# ---- splits ----

SIZES = ((None, None), (0.25, None), (None, 0.4), (3, None), (None, 7), (0.2, 0.3), (5, 6), (0.9, None), (1, 0.5))


@pytest.mark.parametrize(("test_size", "train_size"), SIZES)
@pytest.mark.parametrize("n", [13, 100, 1001])
def test_sizes_are_those_of_scikit_learn(device, n, test_size, train_size):
    x = np.arange(n)
    want = theirs.train_test_split(x, test_size=test_size, train_size=train_size, random_state=0)
    got = train_test_split(x, test_size=test_size, train_size=train_size, random_state=0)
    assert [len(part) for part in got] == [len(part) for part in want]
    both = np.concatenate(got)
    assert len(set(both.tolist())) == len(both)
    for part in zip(train_test_split(x, test_size=test_size, train_size=train_size, shuffle=False),
                    theirs.train_test_split(x, test_size=test_size, train_size=train_size, shuffle=False)):
        assert np.array_equal(*part)


@pytest.mark.parametrize("sizes", [{}, {"test_size": 0.37}, {"train_size": 100, "test_size": 90}, {"test_size": 7}])
@pytest.mark.parametrize("labels", ["numbers", "texts", "pairs", "booleans", "floats", "series"])
def test_classes_have_the_shares_that_scikit_learn_gives_them(device, sizes, labels):
    numbers = np.repeat(np.arange(4), (100, 57, 13, 301))[np.random.default_rng(1).permutation(471)]
    y = {"numbers": numbers, "texts": np.array(["a", "bb", "c", "d"])[numbers], "pairs": np.c_[numbers // 2, numbers % 2],
         "booleans": numbers > 1, "floats": numbers * 0.5, "series": pd.Series(numbers, dtype="category")}[labels]
    want = theirs.train_test_split(numbers, stratify=y, random_state=0, **sizes)
    got = train_test_split(numbers, stratify=y, random_state=0, **sizes)
    for ours, their in zip(got, want, strict=True):
        assert len(ours) == len(their)
        a, b = np.bincount(ours, minlength=4), np.bincount(their, minlength=4)
        assert np.abs(a - b).max() <= (1 if labels != "booleans" else 471)
    exact = [math.floor(c * len(got[0]) / 471) for c in (100, 57, 13, 301)]
    if labels not in ("booleans",):
        assert (np.bincount(got[0], minlength=4) - exact).tolist() <= [1, 1, 1, 1]


def test_containers_stay_what_they_are(device):
    n = 60
    x = np.random.default_rng(2).standard_normal((n, 3))
    frame = pd.DataFrame(x, columns=list("abc"), index=np.arange(n) * 2)
    arrays = (x, np.asfortranarray(x), x.astype(np.float32)[:, ::-1], x[:, 0] > 0, x.astype(np.float16), x.astype(">f8"),
              list(range(n)), np.array([str(i) for i in range(n)]), np.arange(n).astype(object), frame, frame["a"],
              pl.DataFrame(x), sp.csr_matrix(x), sp.csc_array(x), x.reshape(n, 3, 1), x.astype(complex))
    parts = train_test_split(*arrays, test_size=0.3, random_state=3)
    rows = train_test_split(np.arange(n), test_size=0.3, random_state=3)
    for i, array in enumerate(arrays):
        for part, at in zip(parts[2 * i:2 * i + 2], rows, strict=True):
            if isinstance(array, (pd.DataFrame, pd.Series)):
                assert part.equals(array.iloc[at])
            elif isinstance(array, pl.DataFrame):
                assert part.equals(array[at])
            elif sp.issparse(array):
                assert (part.toarray() == array.toarray()[at]).all()
            elif isinstance(array, list):
                assert part == [array[j] for j in at]
            else:
                assert part.dtype == array.dtype and np.array_equal(part, array[at])


@pytest.mark.parametrize("stratify", [False, True])
def test_a_random_state_of_numpy_gives_scikit_learns_very_split(device, stratify):
    x, y = np.arange(200.0).reshape(100, 2), np.arange(100) % 4
    want = theirs.train_test_split(x, y, random_state=np.random.RandomState(5), stratify=y if stratify else None)
    got = train_test_split(x, y, random_state=np.random.RandomState(5), stratify=y if stratify else None)
    for ours, their in zip(got, want, strict=True):
        assert np.array_equal(ours, their)


def test_scikit_learns_own_tests_of_train_test_split_pass(tmp_path):
    script = tmp_path / "run.py"
    script.write_text("""
import sys
import pytest
import quern

class Swap:
    def pytest_collection_modifyitems(self, items):
        for item in items:
            item.module.train_test_split = quern.model_selection.train_test_split

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--pyargs", "sklearn.model_selection.tests.test_split",
                      "-k", "train_test_split"], plugins=[Swap()]))
""")
    home = pathlib.Path(quern.__file__).absolute().parents[1]
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(home)})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_what_cannot_be_split_is_refused_as_scikit_learn_refuses_it(device):
    x, y = np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 2])
    for arrays, words in (((), {}), ((x,), {"test_size": 1.5}), ((x,), {"test_size": 6}), ((x,), {"test_size": 0}),
                          ((x,), {"test_size": 0.7, "train_size": 0.6}), ((x,), {"test_size": 4, "train_size": 3}),
                          ((x[:1],), {}), ((x,), {"test_size": 0.95}), ((x, x[1:]), {}), ((x,), {"stratify": y}),
                          ((x,), {"stratify": y[:5]}), ((x,), {"stratify": y, "shuffle": False}),
                          ((x,), {"stratify": [0, 0, 0, 1, 1, 1], "test_size": 1}),
                          ((x,), {"stratify": [0.0, 0, 0, 1, 1, np.nan]})):
        for split in (theirs.train_test_split, train_test_split):
            with pytest.raises(ValueError):
                split(*arrays, random_state=0, **words)
    for words in ({"test_size": "a"}, {"random_state": "a"}, {"train_size": True}):
        with pytest.raises(ValueError):
            train_test_split(x, **words)
    with pytest.raises(ValueError, match="2\\*\\*64"):
        train_test_split(x, random_state=-1)
    with pytest.raises(ValueError, match="from 0 to"):
        _core.random_fill(_core.Context("cpu"), np.empty(3), -1)
