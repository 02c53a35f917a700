# SPDX-License-Identifier: Apache-2.0
"""Fits of rows that are drawn: those that sklearn.utils.resample draws, by the library."""
import json
import numbers

import numpy as np
from sklearn.utils import assert_all_finite, check_random_state, resample

from . import _core
from .base import table_of

_TRIES = 3  # while others draw from the same generator


def known_seed(random_state):
    """What a spec says of it: a seed, or nothing of generators and of draws that nobody can repeat."""
    return int(random_state) if isinstance(random_state, numbers.Integral) else None


def _words(generator):
    """The state as the library has it, or None where it is no Mersenne Twister's."""
    state = generator.get_state(legacy=False)
    if type(generator) is not np.random.RandomState or state["bit_generator"] != "MT19937":
        return None
    return np.append(state["state"]["key"], state["state"]["pos"]).astype(np.uint32)


def _move_on(generator, words):
    state = generator.get_state(legacy=False)
    state["state"] = {"key": words[:-1], "pos": int(words[-1])}
    generator.set_state(state)


def _table(X, weights):
    table = table_of(X)
    if weights is not None:
        table.set_weights(np.ascontiguousarray(weights, np.float64))
    return table


def fit_drawn(estimator, X, replace, weights=None):
    """The model of an estimator that has `subsample` and `random_state`. A generator moves on when the fit has
    succeeded, and as it would have moved there."""
    subsample, seed = estimator.subsample, estimator.random_state
    if subsample is None or len(X) <= subsample or isinstance(seed, numbers.Integral):
        return estimator._pipeline().fit(estimator._context(), _table(X, weights))
    generator = check_random_state(seed)
    for _ in range(_TRIES):
        before = _words(generator)
        if before is None:
            break
        words = before.copy()
        table = _table(X, weights)
        table.set_random_state(words)
        model = estimator._pipeline().fit(estimator._context(), table)
        if np.array_equal(_words(generator), before):
            _move_on(generator, words)
            return model
    assert_all_finite(X, allow_nan=not replace, estimator_name=type(estimator).__name__, input_name="X")
    X = resample(X, replace=replace, n_samples=subsample, random_state=generator, sample_weight=weights)
    spec = estimator._spec()
    spec["steps"][0]["apply"][0][estimator._library_name]["subsample"] = None
    return _core.Pipeline(json.dumps(spec)).fit(estimator._context(), table_of(X))
