# SPDX-License-Identifier: Apache-2.0
"""Rows that are drawn are those that scikit-learn draws, and the generator ends where its would."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils import resample

import quern
from quern import _core, _draw


def same_state(a, b):
    a, b = a.get_state(), b.get_state()
    return a[0] == b[0] and np.array_equal(a[1], b[1]) and a[2:] == b[2:]


@pytest.mark.parametrize("rows", [1, 2, 3, 64, 65, 1000, 70_000])
@pytest.mark.parametrize("part", [0, 1, 0.3, 1.0])
def test_the_head_of_a_shuffle_is_numpys(rows, part):
    n = int(part * rows) if isinstance(part, float) else min(part, rows)
    for seed in range(4):
        theirs = np.random.RandomState(seed)
        theirs.random_sample(7 * seed)
        _, key, position, *_ = theirs.get_state()
        state, head = np.append(key, position).astype(np.uint32), np.full(n, -1)
        _core.shuffled_head(state, rows, head)
        places = np.arange(rows)
        theirs.shuffle(places)
        assert_array_equal(head, places[:n])
        assert_array_equal(state, np.append(theirs.get_state()[1], theirs.get_state()[2]))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [100, 70_000])
def test_draws_are_those_of_resample(threads, rows):
    with quern.config_context(threads=threads):
        ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
        ours.standard_normal(3), theirs.standard_normal(3)  # one normal number is left over
        for _ in range(3):
            places = _draw.Draw(ours, rows, 50).places()
            assert_array_equal(places, resample(np.arange(rows), replace=False, n_samples=50,
                                                random_state=theirs))
            assert same_state(ours, theirs)
            assert ours.standard_normal() == theirs.standard_normal()


def test_other_generators_shuffle_themselves():
    ours = np.random.RandomState(np.random.PCG64(1))
    theirs = np.random.RandomState(np.random.PCG64(1))
    assert_array_equal(_draw.Draw(ours, 70_000, 9).places(),
                       resample(np.arange(70_000), replace=False, n_samples=9, random_state=theirs))


def test_a_draw_that_is_dropped_was_none():
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    _draw.Draw(ours, 70_000, 9)
    assert same_state(ours, theirs)


def test_who_draws_meanwhile_is_respected():
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    draw = _draw.Draw(ours, 70_000, 9)
    assert ours.random_sample() == theirs.random_sample()
    assert_array_equal(draw.places(), resample(np.arange(70_000), replace=False, n_samples=9,
                                               random_state=theirs))
