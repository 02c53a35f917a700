# SPDX-License-Identifier: Apache-2.0
"""The estimators that scikit-learn has no class for, and MissingIndicator: as parts of larger models, one row at a
time, in frames, pickled, fitted in pieces; and what they warn of. Their numbers: test_grid.py."""
import pickle

import numpy as np
import pytest
from sklearn.base import clone

import quern
from quern.compose import ColumnTransformer
from quern.impute import MissingIndicator, SimpleImputer
from quern.pipeline import make_pipeline
from quern.preprocessing import (Bucketizer, Clipper, CyclicalFeatures, MeanNormalizationScaler, StandardScaler,
                                 Winsorizer)

pd = pytest.importorskip("pandas")
INF = float("inf")
ALL = [MeanNormalizationScaler(), Clipper(-1, [2, None, 0.5]), CyclicalFeatures(7), CyclicalFeatures(drop_original=True),
       Winsorizer("mad", "both", 1), Winsorizer("quantiles", add_indicators=True), Bucketizer([-INF, 0, 1, INF]),
       Bucketizer([-1, 0, 1], outside="keep", encode="onehot-dense", closed="right"),
       MissingIndicator(features="all")]
SAME_WIDTH = [e for e in ALL if not getattr(e, "_changes_width", False)]


def rows(dtype=np.float64, n=300):
    return np.random.default_rng(6).normal(1, 2, (n, 3)).astype(dtype)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_in_one_model_they_give_what_they_give_alone(estimator):
    X = rows()
    alone = clone(estimator).fit_transform(X)
    columns = ColumnTransformer([("a", clone(estimator), [0, 1, 2]), ("b", StandardScaler(), [1])])
    out = columns.fit_transform(X)
    assert columns._memory.why is None, columns._memory.why
    np.testing.assert_array_equal(out[:, :-1], alone)
    np.testing.assert_array_equal(columns.transform(X[:7]), out[:7])
    assert [f"a__{name}" for name in clone(estimator).fit(X).get_feature_names_out()] == list(
        columns.get_feature_names_out())[:-1]


@pytest.mark.parametrize("estimator", SAME_WIDTH, ids=repr)
def test_a_pipeline_goes_on_with_their_columns(estimator):
    X = rows(np.float32)
    pipeline = make_pipeline(clone(estimator), StandardScaler())
    out = pipeline.fit_transform(X)
    assert pipeline._memory.why is None, pipeline._memory.why
    np.testing.assert_allclose(out, StandardScaler().fit_transform(clone(estimator).fit_transform(X)), atol=1e-6)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_is_served_with_the_same_bits(estimator, dtype):
    X = rows(dtype)
    fitted = clone(estimator).fit(X)
    wanted = fitted.transform(X)
    for i in range(40):
        one = fitted.transform(X[i:i + 1])
        assert one.dtype == wanted.dtype and one.tobytes() == wanted[i:i + 1].tobytes()
    again = pickle.loads(pickle.dumps(fitted))
    assert again.transform(X).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_frames_come_out_with_names(estimator):
    X = pd.DataFrame(rows(), columns=["a", "b", "c"])
    fitted = clone(estimator).set_output(transform="pandas").fit(X)
    out = fitted.transform(X)
    assert list(out.columns) == list(fitted.get_feature_names_out())
    np.testing.assert_array_equal(out, clone(estimator).fit(X.to_numpy()).transform(X.to_numpy()))


def test_names_say_what_a_column_is():
    X = pd.DataFrame({"hour": [0.0, 6, 23]})
    assert CyclicalFeatures(24).fit(X).get_feature_names_out().tolist() == ["hour", "hour_sin", "hour_cos"]
    made = Winsorizer(tail="both", add_indicators=True).fit(X)
    assert made.get_feature_names_out().tolist() == ["hour", "hour_left", "hour_right"]
    made = Bucketizer([0, 12, 24], encode="onehot").fit(X)
    assert made.get_feature_names_out().tolist() == ["hour_0", "hour_1"]
    assert made.transform(X).toarray().tolist() == [[1, 0], [1, 0], [0, 1]]


def test_pieces_are_learned_as_one_fit_learns_them():
    X = rows(n=3000)
    X[::7, 1] = np.nan
    whole, pieces = MeanNormalizationScaler().fit(X), MeanNormalizationScaler()
    for part in np.array_split(X, 11):
        pieces.partial_fit(part)
    for name in ("mean_", "range_", "data_min_", "data_max_", "n_samples_seen_"):
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))
    pieces = pickle.loads(pickle.dumps(MeanNormalizationScaler().fit(X[:1000]))).partial_fit(X[1000:])
    np.testing.assert_allclose(pieces.mean_, whole.mean_, rtol=1e-14)
    np.testing.assert_array_equal(pieces.range_, whole.range_)
    back = whole.inverse_transform(whole.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method, varied", [("iqr", [0.0] * 9 + [5.0]), ("mad", [0.0] * 9 + [5.0]),
                                            ("quantiles", [0.0] * 99 + [5.0])])
def test_a_column_without_spread_by_the_method_is_warned_of(method, varied):
    X = np.column_stack([varied, np.full(len(varied), 3.0), np.arange(float(len(varied)))])
    with pytest.warns(UserWarning, match=r"Columns \[.*0.*\] vary"):
        made = Winsorizer(method).fit(X)
    assert made.right_tail_caps_[0] == 0 and made.right_tail_caps_[1] == 3
    np.testing.assert_array_equal(made.transform(X)[:, 1], X[:, 1])


def test_caps_are_those_of_the_side_that_is_asked_for():
    X = rows()
    left, right, both = (Winsorizer(tail=tail).fit(X) for tail in ("left", "right", "both"))
    assert (left.right_tail_caps_ == INF).all() and (right.left_tail_caps_ == -INF).all()
    np.testing.assert_array_equal(left.left_tail_caps_, both.left_tail_caps_)
    np.testing.assert_array_equal(right.right_tail_caps_, both.right_tail_caps_)
    assert [Winsorizer(m).fit(X).fold_ for m in ("gaussian", "iqr", "mad", "quantiles")] == [3, 1.5, 3.29, 0.05]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64"])
def test_integers_stay_integers_where_bounds_are_whole(dtype):
    X = np.array([[1, 2], [120, 7], [33, 100]], dtype)
    out = Clipper(2, [100, None]).fit_transform(X)
    assert out.dtype == X.dtype
    np.testing.assert_array_equal(out, np.column_stack([np.clip(X[:, 0], 2, 100), np.maximum(X[:, 1], 2)]))
    assert Clipper(0.5).fit_transform(X).dtype == np.float64


def test_missing_cells_where_there_were_none_are_named():
    X = rows()
    X[3, 0] = np.nan
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    made = ColumnTransformer([("m", MissingIndicator(), ["a", "b"]), ("s", SimpleImputer(), ["b", "c"])]).fit(frame)
    frame.loc[5, "b"] = np.nan
    with pytest.raises(ValueError, match=r"The features \[1\] have missing values in transform"):
        made.transform(frame)
    X[5, 2] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        MissingIndicator().fit(rows()).transform(X)


def test_a_model_of_them_is_a_file(tmp_path):
    X = rows()
    made = ColumnTransformer([("w", Winsorizer("iqr", "both"), [0]), ("c", CyclicalFeatures(), [1]),
                              ("b", Bucketizer([-100, 0, 100]), [2])]).fit(X)
    quern.to_model(made, X[:1]).save(tmp_path / "m.quern")
    model = quern.Model.load(tmp_path / "m.quern")
    out = np.empty((300, 5))
    model.apply(X, out)
    np.testing.assert_array_equal(out, made.transform(X))
