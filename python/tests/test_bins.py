# SPDX-License-Identifier: Apache-2.0
"""KBinsDiscretizer and QuantileTransformer beside scikit-learn's: what they learn and give, bit for bit."""
import numpy as np
import pytest
from scipy import sparse
from sklearn import preprocessing as theirs

import quern
from quern import preprocessing as ours

METHODS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
           "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased")
DTYPES = ("float64", "float32", "int64")


def rows(dtype, missing=False):
    """Columns of many scales; one with ties, one constant; with missing values, one without any other."""
    random = np.random.default_rng(5)
    X = random.normal(size=(1503, 7)) * [1, 10, 1e-3, 1e6, 5, 3, 0]
    X[:, 5] = np.round(X[:, 5])
    X = (X * 10).astype(dtype) if dtype == "int64" else X.astype(dtype)
    if missing and dtype != "int64":
        X[::5, 2] = np.nan
        X[:, 4] = np.nan
    return X


def beyond(X):
    """Rows within and without the learned range, and its ends."""
    with np.errstate(all="ignore"):
        return np.vstack([X[:300], X[:300] * 2, X.min(0)[None], X.max(0)[None], -X[:9]]).astype(X.dtype)


def both(name, X, **words):
    return (getattr(ours, name)(**words).fit(X), getattr(theirs, name)(**words).fit(X))


def equal_edges(a, b):
    assert a.n_bins_.dtype == b.n_bins_.dtype and a.n_bins_.tolist() == b.n_bins_.tolist()
    for mine, other in zip(a.bin_edges_, b.bin_edges_):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("words", [{"strategy": "uniform"}, {"strategy": "kmeans", "n_bins": 3},
                                   {"subsample": 400, "random_state": 3}, {"n_bins": [2, 3, 4, 5, 6, 7, 8]},
                                   {"n_bins": 60}, {"dtype": np.float32}, *({"quantile_method": m} for m in METHODS)],
                         ids=str)
def test_bins_are_scikit_learns(dtype, encode, words):
    X = rows(dtype)
    a, b = both("KBinsDiscretizer", X, encode=encode, **words)
    equal_edges(a, b)
    got, wanted = a.transform(beyond(X)), b.transform(beyond(X))
    assert type(got) is type(wanted) and got.dtype == wanted.dtype
    np.testing.assert_array_equal(got.toarray() if encode == "onehot" else got,
                                  wanted.toarray() if encode == "onehot" else wanted)
    assert a.get_feature_names_out().tolist() == b.get_feature_names_out().tolist()
    np.testing.assert_array_equal(a.inverse_transform(got), b.inverse_transform(wanted))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("words", [{"strategy": "uniform"}, {"strategy": "kmeans"}, {},
                                   {"quantile_method": "inverted_cdf", "n_bins": 30}], ids=str)
@pytest.mark.parametrize("subsample", [None, 300])
def test_bins_of_weighted_rows_are_scikit_learns(dtype, words, subsample):
    X = rows(dtype)
    weights = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
    X[weights == 0] *= 9
    made = [cls(**{"n_bins": 4} | words, subsample=subsample, random_state=2).fit(X, sample_weight=weights)
            for cls in (ours.KBinsDiscretizer, theirs.KBinsDiscretizer)]
    equal_edges(*made)


def test_constant_columns_and_narrow_bins_are_warned_of():
    X = np.array([[3.0, 1.0], [3.0, 1.0], [3.0, 1.0], [3.0, 2.0]])
    with pytest.warns(UserWarning) as found:
        made = ours.KBinsDiscretizer(3, encode="ordinal").fit(X)
    assert [str(w.message)[:30] for w in found] == ["Feature 0 is constant and will", "Bins whose width are too small"]
    assert made.n_bins_.tolist() == [1, 1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("words", [{"n_quantiles": n} for n in (1, 2, 10, 1000, 5000)] + [
    {"subsample": 700, "n_quantiles": 100}, {"output_distribution": "normal", "n_quantiles": 50}], ids=str)
def test_quantile_maps_are_scikit_learns(dtype, order, words):
    X = np.asarray(rows(dtype, missing=True), order=order)
    a, b = both("QuantileTransformer", X, random_state=1, **{"subsample": None} | words)
    assert a.n_quantiles_ == b.n_quantiles_
    np.testing.assert_array_equal(a.references_, b.references_)
    np.testing.assert_array_equal(a.quantiles_, b.quantiles_)
    got, wanted = a.transform(beyond(X)), b.transform(beyond(X))
    assert got.dtype == wanted.dtype
    back = a.inverse_transform(wanted), b.inverse_transform(wanted)
    if "output_distribution" in words:  # functions of both sides have last bits of their own
        near = {"rtol": 1e-13, "atol": 1e-13} if got.dtype == np.float64 else {"rtol": 1e-5, "atol": 1e-6}
        np.testing.assert_allclose(got, wanted, **near)
        np.testing.assert_allclose(*back, rtol=1e-5)
    else:
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(*back)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ignore_implicit_zeros", [False, True])
@pytest.mark.parametrize("output_distribution", ["uniform", "normal"])
def test_quantile_maps_of_sparse_matrices_are_scikit_learns(ignore_implicit_zeros, output_distribution):
    X = sparse.random(400, 6, 0.3, format="csc", random_state=4)
    a, b = both("QuantileTransformer", X, n_quantiles=20, subsample=90, random_state=3,
                ignore_implicit_zeros=ignore_implicit_zeros, output_distribution=output_distribution)
    np.testing.assert_array_equal(a.quantiles_, b.quantiles_)
    got, wanted = a.transform(X), b.transform(X)
    np.testing.assert_array_equal(got.toarray(), wanted.toarray())
    np.testing.assert_array_equal(a.inverse_transform(got).toarray(), b.inverse_transform(wanted).toarray())


@pytest.mark.parametrize("made", [ours.KBinsDiscretizer(9, encode="ordinal"),
                                  ours.QuantileTransformer(n_quantiles=300),
                                  ours.QuantileTransformer(n_quantiles=300, output_distribution="normal")], ids=repr)
@pytest.mark.filterwarnings("ignore")
def test_every_device_gives_the_same_bytes(made):
    X = rows("float32")
    found = set()
    for device in [d["id"] for d in quern.devices() if d["present"]]:
        with quern.config_context(device=device, fallback="never"):
            found.add(made.fit(X).transform(X).tobytes())
    assert len(found) == 1
