# SPDX-License-Identifier: Apache-2.0
"""Weights of rows: a class learns what a spec with its parameters learns, for every estimator and dtype; what is no
weight is refused in scikit-learn's words."""
import json

import numpy as np
import pytest
from scipy import sparse

from quern import _core, config_context
from quern._sparse import from_sparse
from quern.preprocessing import KBinsDiscretizer, SplineTransformer, StandardScaler

DEVICES = [d["id"] for d in _core.Context("cpu").devices() if d["present"] and d["id"] in ("cpu", "opencl:0")]
ESTIMATORS = [
    (StandardScaler, {}),
    (StandardScaler, {"with_mean": False}),
    (KBinsDiscretizer, {"strategy": "uniform"}),
    (KBinsDiscretizer, {"strategy": "kmeans", "n_bins": 3}),
    (KBinsDiscretizer, {}),
    (KBinsDiscretizer, {"quantile_method": "inverted_cdf", "n_bins": 30}),
    (SplineTransformer, {}),
    (SplineTransformer, {"knots": "quantile", "n_knots": 9, "extrapolation": "periodic"}),
]
WEIGHTS = {
    "some": lambda r, n: r.random(n),
    "wide": lambda r, n: np.exp(4 * r.normal(size=n)),
    "many zeros": lambda r, n: r.random(n) * (r.random(n) < 0.3),
    "whole": lambda r, n: r.integers(0, 4, n).astype(float),
}
WRONG = [([1, 1, np.nan], "contains NaN"), ([1, np.inf, 1], "contains infinity"),
         ([1, -1, 1], "Negative values in data passed to `sample_weight`"),
         ([0, 0, 0], "Sample weights must contain at least one non-zero number"),
         ([1, 1], "sample_weight.shape"), ([[1], [1], [1]], "Sample weights must be 1D array")]


def rows(dtype):
    """Columns of several scales, one with ties and one that is constant."""
    X = np.random.default_rng(3).normal(size=(1203, 5)) * [1, 1e3, 1e-3, 3, 0]
    X[:, 3] = np.round(X[:, 3])
    return X.astype(dtype)


def spec_learns(cls, words, X, weights, device="cpu"):
    """The tensors of a model that a spec is fitted to, by name."""
    table = from_sparse(X) if sparse.issparse(X) else _core.Table.from_matrix(X)
    table.set_weights(weights)
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": {cls.__name__: words}}]}
    tensors = _core.Pipeline(json.dumps(spec)).fit(_core.Context(device), table).tensors()
    return {key.rsplit("/")[-1]: np.ravel(value) for key, value in tensors.items()}


def class_learned(fitted):
    if isinstance(fitted, StandardScaler):
        return {"mean_": fitted.mean_, "var_": fitted.var_, "scale_": fitted.scale_}
    if isinstance(fitted, KBinsDiscretizer):
        return {"bin_edges_": np.concatenate(fitted.bin_edges_).astype(np.float64), "n_bins_": fitted.n_bins_}
    return {"knots_": np.stack([one.t for one in fitted.bsplines_], axis=1)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cls, words", ESTIMATORS, ids=str)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_a_spec_learns_what_the_class_learns(cls, words, kind, dtype, device):
    X = rows(dtype)
    weights = WEIGHTS[kind](np.random.default_rng(6), len(X))
    whole = {"subsample": None} if cls is KBinsDiscretizer else {}
    with config_context(device=device):
        fitted = cls(**words, **whole).fit(X, sample_weight=weights)
    found = spec_learns(cls, words, X, weights, device)
    for name, value in class_learned(fitted).items():
        if words.get("strategy") == "kmeans" and name == "bin_edges_":  # the class asks scikit-learn's
            np.testing.assert_allclose(found[name], value, rtol=1e-12 if dtype == np.float64 else 1e-4)
        else:
            np.testing.assert_array_equal(found[name], np.ravel(value), err_msg=name)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_sparse_rows_weigh_as_dense_ones(kind, form):
    X = sparse.random_array((900, 6), density=0.2, rng=np.random.default_rng(4), format="csr")
    weights = WEIGHTS[kind](np.random.default_rng(6), 900)
    fitted = StandardScaler(with_mean=False).fit(form(X), sample_weight=weights)
    found = spec_learns(StandardScaler, {"with_mean": False}, X, weights)
    for name, value in class_learned(fitted).items():
        np.testing.assert_array_equal(found[name], value)
        dense = class_learned(StandardScaler(with_mean=False).fit(X.toarray(), sample_weight=weights))
        np.testing.assert_allclose(value, dense[name], rtol=1e-12)


@pytest.mark.parametrize("cls, words", ESTIMATORS, ids=str)
@pytest.mark.parametrize("weights, sentence", WRONG, ids=str)
def test_wrong_weights_are_refused_in_scikit_learns_words(cls, words, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        cls(**words).fit([[1.0], [2.0], [3.0]], sample_weight=weights)
    if cls is StandardScaler:
        with pytest.raises(ValueError, match=sentence):
            cls(with_mean=False).fit(sparse.csr_array([[1.0], [2.0], [3.0]]), sample_weight=weights)


def test_weights_of_float32_columns_are_not_rounded():
    """A trifle more than half of the weight is not in the first row."""
    X, weights = np.array([[1], [2], [3]], np.float32), [1.0, 0.5, 0.5 + 1e-12]
    made = KBinsDiscretizer(2, quantile_method="inverted_cdf").fit(X, sample_weight=weights)
    assert made.bin_edges_[0].tolist() == [1, 2, 3] and made.bin_edges_[0].dtype == np.float32
    assert SplineTransformer(3, 1, knots="quantile").fit(X, sample_weight=weights).bsplines_[0].t[2] == 2
    assert StandardScaler().fit(X, sample_weight=weights).n_samples_seen_ == 2 + 1e-12


def test_a_number_is_the_weight_of_every_row():
    X = rows(np.float64)
    for cls, words in ESTIMATORS[:1] + ESTIMATORS[-2:]:
        one, all_ = (class_learned(cls(**words).fit(X, sample_weight=w)) for w in (2.0, np.full(len(X), 2.0)))
        for name in one:
            np.testing.assert_array_equal(one[name], all_[name])
