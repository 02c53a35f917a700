# SPDX-License-Identifier: Apache-2.0
"""Fits that look at whole columns take some at a time: nobody can tell which came together."""
import numpy as np
import pytest
from scipy import sparse
from sklearn.impute import SimpleImputer as Reference

from quern.feature_selection import SelectKBest, mutual_info_classif
from quern.impute import IterativeImputer, SimpleImputer
from quern.preprocessing import (KBinsDiscretizer, KernelCenterer, MaxAbsScaler, QuantileTransformer, RobustScaler,
                                 SplineTransformer, StandardScaler)

ROWS, COLUMNS = 300_000, 9  # of float64: 16 MB are less than all


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(3).normal(size=(ROWS, COLUMNS))


@pytest.mark.parametrize("make, learned", [
    (lambda: KBinsDiscretizer(n_bins=4, subsample=None, quantile_method="inverted_cdf"), "bin_edges_"),
    (lambda: KBinsDiscretizer(n_bins=3, strategy="kmeans", subsample=None), "bin_edges_"),
    (lambda: SplineTransformer(knots="quantile", degree=1), "bsplines_"),
])
def test_columns_together_learn_what_each_learns_alone(rows, make, learned):
    weights = np.random.default_rng(4).random(ROWS)
    together = getattr(make().fit(rows, sample_weight=weights), learned)
    for column in (0, 5, 6, 8):
        alone = getattr(make().fit(rows[:, [column]], sample_weight=weights), learned)[0]
        one = together[column]
        if learned == "bsplines_":
            one, alone = one.t, alone.t
        assert one.tobytes() == alone.tobytes()


def test_drawn_rows_are_looked_at_by_column(rows):
    make = lambda: KBinsDiscretizer(n_bins=3, strategy="kmeans", subsample=20_000, random_state=1)
    together = make().fit(rows)
    alone = make().fit(rows[:, [7]])
    assert together.bin_edges_[7].tobytes() == alone.bin_edges_[0].tobytes()


def test_information_of_groups_of_columns_is_that_of_all():
    """More columns than are held at a time: each gets its own score."""
    x = np.random.default_rng(5).normal(size=(120_000, 20))
    y = (x[:, 3] + x[:, 19] > 0).astype(int)
    scores = SelectKBest(mutual_info_classif, k=2).fit(x, y).scores_
    assert set(np.argsort(scores)[-2:]) == {3, 19}


# -- the most frequent values --

KINDS = {
    "few": lambda r, shape: r.integers(-3, 4, shape).astype(float),
    "few hundred": lambda r, shape: r.integers(0, 400, shape).astype(float),
    "many": lambda r, shape: np.where(r.random(shape) < 0.001, 0.25, r.normal(size=shape)),
    "all different": lambda r, shape: r.permutation(shape[0] * shape[1]).reshape(shape).astype(float),
    "zeros of both signs": lambda r, shape: r.choice([-0.0, 0.0, 1.0], size=shape),
}


@pytest.mark.parametrize("missing", [0, 0.1, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_the_most_frequent_value_is_scikit_learns(kind, dtype, missing):
    r = np.random.default_rng(6)
    x = KINDS[kind](r, (3000, 4)).astype(dtype)
    x[r.random(x.shape) < missing] = np.nan
    for order in "CF":
        given = np.asarray(x, order=order)
        found = SimpleImputer(strategy="most_frequent").fit(given).statistics_
        wanted = Reference(strategy="most_frequent").fit(given).statistics_
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["few", "many"])
def test_many_rows_have_the_same_most_frequent_values(kind):
    """Several groups of columns, whole numbers too, and what an IterativeImputer begins with."""
    x = KINDS[kind](np.random.default_rng(7), (ROWS, COLUMNS))
    wanted = Reference(strategy="most_frequent").fit(x).statistics_
    np.testing.assert_array_equal(SimpleImputer(strategy="most_frequent").fit(x).statistics_, wanted)
    whole = np.rint(x).astype(np.int64)
    np.testing.assert_array_equal(
        SimpleImputer(strategy="most_frequent", missing_values=-99).fit(whole).statistics_,
        Reference(strategy="most_frequent", missing_values=-99).fit(whole).statistics_)
    begun = IterativeImputer(initial_strategy="most_frequent", max_iter=1).fit(x[:2000])
    np.testing.assert_array_equal(
        begun.initial_imputer_.statistics_, Reference(strategy="most_frequent").fit(x[:2000]).statistics_)


# -- sparse rows --

@pytest.fixture(scope="module")
def entries():
    """More than are held by columns at a time: 54 MB."""
    r = np.random.default_rng(8)
    x = np.where(r.random((150_000, 90)) < 0.33, r.integers(-9, 10, (150_000, 90)), 0).astype(np.float64)
    x[r.random(x.shape) < 0.01] = np.nan
    return sparse.csr_array(x)


@pytest.mark.parametrize("make, learned", [
    (lambda: StandardScaler(with_mean=False), ("scale_", "var_", "n_samples_seen_")),
    (lambda: MaxAbsScaler(), ("max_abs_",)),
    (lambda: RobustScaler(with_centering=False), ("scale_",)),
    (lambda: SimpleImputer(strategy="median"), ("statistics_",)),
    (lambda: SimpleImputer(strategy="most_frequent"), ("statistics_",)),
    (lambda: QuantileTransformer(n_quantiles=50, subsample=20_000, random_state=2), ("quantiles_",)),
])
def test_rows_and_columns_of_a_sparse_matrix_teach_the_same(entries, make, learned):
    if learned == ("quantiles_",):  # it takes no negative values
        entries = abs(entries)
    by_rows, by_columns = make().fit(entries), make().fit(entries.tocsc())
    for name in learned:
        assert np.asarray(getattr(by_rows, name)).tobytes() == np.asarray(getattr(by_columns, name)).tobytes()


# -- wide rows --

@pytest.mark.parametrize("order", "CF")
def test_wide_rows_are_transformed_in_chunks_that_nobody_sees(order):
    """Two layers of 2500 columns: some thousand rows at a time."""
    kernel = np.asarray(np.random.default_rng(9).random((2500, 2500), np.float32), order=order)
    centerer = KernelCenterer().fit(kernel)
    parts = [centerer.transform(np.asarray(kernel[at : at + 500], order=order)) for at in range(0, 2500, 500)]
    assert centerer.transform(kernel).tobytes() == np.vstack(parts).tobytes()
