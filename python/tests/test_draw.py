# SPDX-License-Identifier: Apache-2.0
"""Rows that are drawn are those that scikit-learn draws, and the generator ends where its would."""
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import preprocessing as peers

import quern
from quern import _core, _draw, preprocessing

SHAPES = {  # class: parameters, the attribute that tells which rows were drawn
    "QuantileTransformer": ({"n_quantiles": 40, "subsample": 50}, "quantiles_"),
    "KBinsDiscretizer": ({"n_bins": 6, "subsample": 50}, "bin_edges_"),
}


def rows(n, width=2, dtype=np.float64):
    return np.random.default_rng(n).standard_normal((n, width)).astype(dtype)


def same_state(a, b):
    a, b = a.get_state(), b.get_state()
    return a[0] == b[0] and np.array_equal(a[1], b[1]) and a[2:] == b[2:]


def both(name, X, ours, theirs, **words):
    given, attribute = SHAPES[name]
    made = [getattr(module, name)(**given | words, random_state=seed)
            for module, seed in ((preprocessing, ours), (peers, theirs))]
    for one in made:
        one.fit(X)
    for a, b in zip(*(getattr(one, attribute) for one in made)):
        assert_array_equal(a, b)


def learned(spec, table):
    return _core.Pipeline(json.dumps(spec)).fit(_core.Context("cpu"), table).tensors()


def spec_of(name, **words):
    return {"quern": 1, "steps": [{"columns": "*", "apply": [{name: words}]}]}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("n", [51, 63, 64, 65, 1000, 4097, 70_000])
def test_a_seed_draws_scikit_learns_rows(name, n):
    for seed in (0, 1, 2**32 - 1):
        both(name, rows(n), seed, seed)
    both(name, rows(n, dtype=np.float32), 5, 5)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("subsample", [1, 2, 64, 999, 1000, 1001, None])
def test_samples_of_any_size_are_scikit_learns(name, subsample):
    more = {"n_quantiles": 1} if name == "QuantileTransformer" else {"strategy": "uniform"}
    both(name, rows(1000), 3, 3, subsample=subsample, **more)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("n", [100, 70_000])
def test_a_generator_moves_on_as_scikit_learn_moves_it(name, n):
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    ours.standard_normal(3), theirs.standard_normal(3)  # one normal number is left over
    for _ in range(3):
        both(name, rows(n), ours, theirs)
        assert same_state(ours, theirs)
        assert ours.standard_normal() == theirs.standard_normal()


def test_the_global_generator_is_followed():
    X = rows(300)
    np.random.seed(11)
    ours = preprocessing.QuantileTransformer(n_quantiles=9, subsample=20).fit(X).quantiles_
    after = np.random.random_sample()
    np.random.seed(11)
    assert_array_equal(ours, peers.QuantileTransformer(n_quantiles=9, subsample=20).fit(X).quantiles_)
    assert np.random.random_sample() == after


@pytest.mark.parametrize("name", SHAPES)
def test_other_generators_draw_themselves(name):
    ours, theirs = (np.random.RandomState(np.random.PCG64(1)) for _ in range(2))
    both(name, rows(700), ours, theirs)
    assert ours.random_sample() == theirs.random_sample()
    with pytest.raises(ValueError, match="contains infinity"):
        both(name, np.full((700, 2), np.inf), ours, theirs)


@pytest.mark.parametrize("name", SHAPES)
def test_a_fit_that_fails_draws_nothing(name):
    X = rows(700)
    X[699, 1] = np.inf
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    with pytest.raises(ValueError, match="contains infinity"):
        getattr(preprocessing, name)(subsample=50, random_state=ours, **(
            {"n_quantiles": 5} if name == "QuantileTransformer" else {})).fit(X)
    assert same_state(ours, theirs)


def test_who_draws_meanwhile_is_respected(monkeypatch):
    X, ours, theirs = rows(700), np.random.RandomState(5), np.random.RandomState(5)
    table_of, drawn = _draw.table_of, []

    def meddle(X):
        if not drawn:
            drawn.append(ours.random_sample())
        return table_of(X)

    monkeypatch.setattr(_draw, "table_of", meddle)
    estimator = preprocessing.QuantileTransformer(n_quantiles=40, subsample=50, random_state=ours).fit(X)
    assert drawn == [theirs.random_sample()]
    peer = peers.QuantileTransformer(n_quantiles=40, subsample=50, random_state=theirs).fit(X)
    assert_array_equal(estimator.quantiles_, peer.quantiles_)
    assert same_state(ours, theirs)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n", [60, 128, 129, 1000, 5000])
def test_draws_by_weights_are_scikit_learns(strategy, n):
    X, w = rows(n), np.random.default_rng(2).integers(0, 5, n) / 3
    ours, theirs = np.random.RandomState(4), np.random.RandomState(4)
    made = [module.KBinsDiscretizer(5, strategy=strategy, quantile_method="linear", subsample=50,
                                    random_state=seed).fit(X, sample_weight=w)
            for module, seed in ((preprocessing, ours), (peers, theirs))]
    for a, b in zip(*(one.bin_edges_ for one in made)):
        assert_array_equal(a, b)
    assert same_state(ours, theirs)


@pytest.mark.parametrize("name", SHAPES)
def test_a_spec_learns_what_the_class_learns(name):
    given, attribute = SHAPES[name]
    X = rows(3000)
    tensors = learned(spec_of(name, **given, random_state=8), _core.Table.from_matrix(X))
    fitted = getattr(preprocessing, name)(**given, random_state=8).fit(X)
    assert_array_equal(np.asarray(tensors[f"steps/0/0/{attribute}"]),
                       np.concatenate([np.ravel(one) for one in getattr(fitted, attribute)]))


def test_without_a_seed_a_spec_draws_as_with_0():
    table = _core.Table.from_matrix(rows(3000))
    first, second = (learned(spec_of("QuantileTransformer", n_quantiles=20, subsample=30, **words), table)
                     for words in ({}, {"random_state": 0}))
    assert_array_equal(np.asarray(first["steps/0/0/quantiles_"]), np.asarray(second["steps/0/0/quantiles_"]))


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_of_sparse_tables_draw_from_their_entries(layout, dtype):
    X = sparse.random(900, 5, density=0.5, random_state=1, format=layout, dtype=dtype)
    X.data[::9] = np.nan
    X = sparse.hstack([X, sparse.random(900, 1, density=0.02, random_state=2, dtype=dtype)]).asformat(layout)
    X.sort_indices()
    table = _core.Table.from_sparse(layout, X.shape, X.indptr, X.indices, X.data)
    for seed in (0, 9):
        spec = spec_of("QuantileTransformer", n_quantiles=30, subsample=300, random_state=seed)
        wanted = peers.QuantileTransformer(n_quantiles=30, subsample=300, random_state=seed).fit(X).quantiles_
        assert_array_equal(np.asarray(learned(spec, table)["steps/0/0/quantiles_"]).reshape(wanted.shape), wanted)


def test_steps_draw_one_after_another_from_the_tables_generator():
    X, theirs = rows(500), np.random.RandomState(7)
    table, words = _core.Table.from_matrix(X), _draw._words(np.random.RandomState(7))
    step = {"columns": "*", "apply": [{"QuantileTransformer": {"n_quantiles": 9, "subsample": 40}}]}
    table.set_random_state(words)
    tensors = learned({"quern": 1, "steps": [step | {"name": "a"}, step | {"name": "b"}]}, table)
    for at in range(2):
        peer = peers.QuantileTransformer(n_quantiles=9, subsample=40, random_state=theirs).fit(X)
        assert_array_equal(np.asarray(tensors[f"steps/{at}/0/quantiles_"]), peer.quantiles_.ravel())
    assert_array_equal(words, _draw._words(theirs))
    table.set_random_state(None)


def test_the_configured_device_draws_the_same_rows():
    X = rows(5000)
    first = preprocessing.QuantileTransformer(n_quantiles=20, subsample=100, random_state=1).fit(X).quantiles_
    for threads in (1, 3):
        with quern.config_context(threads=threads):
            again = preprocessing.QuantileTransformer(n_quantiles=20, subsample=100, random_state=1).fit(X)
        assert_array_equal(first, again.quantiles_)
