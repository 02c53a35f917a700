# SPDX-License-Identifier: Apache-2.0
"""ColumnTransformer and Pipeline against scikit-learn's."""
import json
import logging
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import sklearn.compose as skc
import sklearn.pipeline as skp
import sklearn.preprocessing as skpre
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

import quern
from quern import _core, compose, impute, interop, pipeline
from quern import preprocessing as q

pd = pytest.importorskip("pandas")
PENGUINS = Path(__file__).parents[2] / "tests" / "data" / "penguins.csv"
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
RNG = np.random.default_rng(5)


@pytest.fixture
def frame():
    return pd.read_csv(PENGUINS)


@pytest.fixture
def fits(monkeypatch):
    """The specs that are fitted."""
    seen = []

    class Counting:
        def __init__(self, text):
            self.real = _core.Pipeline(text)
            seen.append(text)

        def __getattr__(self, name):
            return getattr(self.real, name)

    from quern import _fuse
    monkeypatch.setattr(_fuse, "_core", type("core", (), {
        "Pipeline": Counting, "Table": _core.Table, "Model": _core.Model,
        "UnsupportedError": _core.UnsupportedError}))
    return seen


def same(a, b):
    a, b = (np.asarray(x) for x in (a, b))
    assert a.dtype == b.dtype and a.shape == b.shape
    np.testing.assert_array_equal(a, b)
    if a.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(a) & ~np.isnan(a), np.signbit(b) & ~np.isnan(b))


def close(a, b):
    """But for the order in which row norms are summed."""
    assert a.dtype == b.dtype and a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=1e-6 if a.dtype == np.float32 else 2e-15, atol=1e-16)


def one_fit(fits):
    assert len(fits) == 1
    fits.clear()


def scalers():
    return [("std", q.StandardScaler(), NUMBERS[:2]),
            ("chain", pipeline.make_pipeline(q.RobustScaler(), q.MinMaxScaler()), NUMBERS[1:]),
            ("keep", "passthrough", [NUMBERS[3]]),
            ("none", "drop", ["species"])]


SELECTIONS = {
    "names": [("a", q.StandardScaler(), NUMBERS), ("b", q.MaxAbsScaler(), NUMBERS[:1])],
    "positions": [("a", q.MinMaxScaler(), [2, -2, 4]), ("b", "passthrough", [3])],
    "slices": [("a", q.RobustScaler(), slice(2, 4)), ("b", q.StandardScaler(),
                                                       slice("flipper_length_mm", "body_mass_g"))],
    "masks": [("a", q.StandardScaler(), [False, False, True, True, False, False, False])],
    "selectors": [("a", q.StandardScaler(), skc.make_column_selector(dtype_include=np.number))],
    "patterns": [("a", q.MaxAbsScaler(), skc.make_column_selector(pattern="bill"))],
    "empty": [("a", q.StandardScaler(), NUMBERS[:1]), ("b", q.StandardScaler(), [])],
    "everything": scalers(),
}


@pytest.mark.parametrize("which", SELECTIONS)
def test_frame_is_one_model_with_the_bits_of_scikit_learn(frame, fits, which):
    ours = compose.ColumnTransformer(SELECTIONS[which])
    out = ours.fit_transform(frame)
    one_fit(fits)
    theirs = interop.to_sklearn(ours)
    assert type(theirs) is skc.ColumnTransformer
    same(out, theirs.transform(frame))  # equal attributes, equal bits
    same(ours.transform(frame), out)
    fresh = interop.to_sklearn(clone(ours))
    np.testing.assert_allclose(out, fresh.fit_transform(frame), rtol=1e-12, atol=1e-13)
    assert ours.output_indices_ == fresh.output_indices_
    assert ours.sparse_output_ == fresh.sparse_output_
    assert list(ours.get_feature_names_out()) == list(fresh.get_feature_names_out())
    assert list(ours.named_transformers_) == list(fresh.named_transformers_)


def test_attributes_are_those_of_separate_fits(frame):
    ours = compose.ColumnTransformer(scalers()).fit(frame)
    alone = q.StandardScaler().fit(frame[NUMBERS[:2]])
    found = ours.named_transformers_["std"]
    assert set(vars(found)) == set(vars(alone))
    for name, value in vars(alone).items():
        if isinstance(value, np.ndarray):
            same(getattr(found, name), value)
        else:
            assert getattr(found, name) == value and type(getattr(found, name)) is type(value)
    robust = q.RobustScaler()
    between = robust.fit_transform(frame[NUMBERS[1:]])
    second = q.MinMaxScaler().fit(between)
    chain = ours.named_transformers_["chain"]
    same(chain.steps[0][1].center_, robust.center_)
    same(chain.steps[1][1].data_range_, second.data_range_)
    assert chain.steps[1][1].n_features_in_ == 3
    assert not hasattr(chain.steps[1][1], "feature_names_in_")


@pytest.mark.parametrize("remainder", ["drop", "passthrough", q.MinMaxScaler()])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u1"])
def test_arrays(dtype, order, remainder, fits):
    X = np.asarray(RNG.normal(60, 20, (40, 6)), dtype, order=order)
    ours = compose.ColumnTransformer(
        [("a", q.StandardScaler(), [0, 3]), ("b", q.RobustScaler(), slice(3, 5))],
        remainder=remainder)
    out = ours.fit_transform(X)
    one_fit(fits)
    same(out, interop.to_sklearn(ours).transform(X))
    same(ours.transform(X[::2]), out[::2])
    same(ours.transform(X[:1]), out[:1])
    reference = interop.to_sklearn(clone(ours)).fit_transform(X)
    assert reference.dtype == out.dtype
    np.testing.assert_allclose(out, reference, rtol=1e-5 if dtype == "f4" else 1e-12, atol=1e-6)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", [(30, 3), (50, 17)])
def test_norms_are_summed_in_scikit_learns_order(norm, order, shape):
    X = np.asarray(RNG.normal(size=shape), order=order)
    every = list(range(shape[1]))
    for columns in (every, every[1:], slice(0, 2), slice(0, None)):
        ours = compose.ColumnTransformer([("n", q.Normalizer(norm=norm), columns)])
        same(ours.fit_transform(X), interop.to_sklearn(ours).transform(X))
    line = pipeline.make_pipeline(q.StandardScaler(), q.Normalizer(norm=norm))
    same(line.fit_transform(X), interop.to_sklearn(line).transform(X))
    line = pipeline.make_pipeline(
        compose.make_column_transformer((q.StandardScaler(), every[:2]), ("passthrough", every[1:])),
        q.Normalizer(norm=norm))
    same(line.fit_transform(X), interop.to_sklearn(line).transform(X))


def test_norms_of_frames_single_columns_and_single_rows():
    X = RNG.normal(size=(60, 17))
    mixed = pd.DataFrame(X).rename(columns=str)
    mixed["3"] = mixed["3"].astype("float32")
    for given in (X, np.asfortranarray(X), pd.DataFrame(X), mixed):
        given = given.rename(columns=str) if isinstance(given, pd.DataFrame) else given
        for blocks in ([("a", q.Normalizer(), list(range(17)))],
                       [("a", q.Normalizer("l1"), list(range(1, 17))), ("b", q.StandardScaler(), [0])],
                       [("a", pipeline.make_pipeline(q.StandardScaler(), q.Normalizer()),
                         list(range(9)))]):
            ours = compose.ColumnTransformer(blocks)
            same(ours.fit_transform(given), interop.to_sklearn(ours).transform(given))
            close(ours.transform(given[:1]), interop.to_sklearn(ours).transform(given[:1]))
        for blocks in ([(str(i), q.StandardScaler(), [i]) for i in range(12)],
                       [("a", q.StandardScaler(), slice(2, 9)), ("b", "passthrough", slice(9, 15))],
                       [("a", q.StandardScaler(), slice(2, 9)), ("b", "passthrough", [9, 11, 10])],
                       [("a", q.StandardScaler(), [1, 2, 3]), ("b", q.Binarizer(), [9])]):
            for norm in ("l1", "l2"):
                ours = pipeline.make_pipeline(compose.ColumnTransformer(blocks), q.Normalizer(norm))
                close(ours.fit_transform(given), interop.to_sklearn(ours).transform(given))
                close(ours.transform(given[:1]), interop.to_sklearn(ours).transform(given[:1]))
        ours = pipeline.make_pipeline(q.MinMaxScaler(), q.Normalizer("l1"))
        same(ours.fit_transform(given), interop.to_sklearn(ours).transform(given))
        close(ours.transform(given[:1]), interop.to_sklearn(ours).transform(given[:1]))


def test_float32_frames(frame, fits):
    frame = frame[NUMBERS].astype("float32")
    ours = compose.make_column_transformer((q.StandardScaler(), NUMBERS[:2]),
                                           (q.MinMaxScaler(), NUMBERS[2:]))
    out = ours.fit_transform(frame)
    one_fit(fits)
    assert out.dtype == np.float32
    same(out, interop.to_sklearn(ours).transform(frame))
    assert ours.named_transformers_["minmaxscaler"].scale_.dtype == np.float32


def texts(*more):
    return pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent"), *more)


def numbers(*more):
    return pipeline.make_pipeline(impute.SimpleImputer(), *more)


ONE = dict(handle_unknown="ignore", sparse_output=False)
MIXED = {
    "usual": [("n", numbers(q.StandardScaler()), NUMBERS),
              ("s", texts(q.OneHotEncoder(handle_unknown="ignore")), ["species", "island", "sex"])],
    "dense": [("n", numbers(q.RobustScaler()), NUMBERS),
              ("s", texts(q.OneHotEncoder(**ONE)), ["sex", "species"])],
    "ordinal": [("n", "passthrough", NUMBERS),
                ("s", q.OrdinalEncoder(), ["island", "species", "sex"])],
    "missing is a category": [("s", q.OneHotEncoder(sparse_output=False), ["sex", "island"])],
    "median, constant": [("n", impute.SimpleImputer(strategy="median"), NUMBERS[:2]),
                         ("m", impute.SimpleImputer(strategy="constant"), NUMBERS[2:]),
                         ("s", pipeline.make_pipeline(impute.SimpleImputer(strategy="constant"),
                                                      q.OrdinalEncoder()), ["sex"])],
    "only sparse": [("s", q.OneHotEncoder(), ["species", "island"])],
    "dropped": [("s", q.OneHotEncoder(drop="first"), ["species", "sex"]),
                ("b", q.OneHotEncoder(drop="if_binary", sparse_output=False), ["sex"])],
    "rare": [("s", q.OneHotEncoder(min_frequency=70, handle_unknown="infrequent_if_exist"),
              ["species", "island"]),
             ("o", q.OrdinalEncoder(max_categories=2), ["species"])],
    "numbers are categories": [("s", q.OneHotEncoder(max_categories=9), NUMBERS[2:]),
                               ("o", q.OrdinalEncoder(dtype=np.float32), NUMBERS[:1])],
    "float32": [("s", q.OneHotEncoder(dtype=np.float32), ["species"])],
}


def dense(out):
    return out.toarray() if sparse.issparse(out) else out


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("which", MIXED)
@pytest.mark.parametrize("strings", ["object", "str"])
def test_mixed_frames_are_one_model(frame, fits, which, threshold, strings):
    texts = ["species", "island", "sex"]
    frame = frame.astype(dict.fromkeys(texts, strings))
    if strings == "str" and frame["sex"].dtype == object:
        pytest.skip("this pandas has no dtype for strings with NaN")
    ours = compose.ColumnTransformer(MIXED[which], sparse_threshold=threshold)
    out = ours.fit_transform(frame)
    one_fit(fits)
    fresh = interop.to_sklearn(clone(ours))
    reference = fresh.fit_transform(frame)
    assert type(out) is type(reference) and out.dtype == reference.dtype
    assert ours.sparse_output_ == fresh.sparse_output_
    if sparse.issparse(out):
        given = interop.to_sklearn(ours).transform(frame)
        assert out.nnz == given.nnz and out.indices.dtype == given.indices.dtype
    np.testing.assert_allclose(dense(out), dense(reference), rtol=1e-12, atol=1e-13)
    same(dense(out), dense(interop.to_sklearn(ours).transform(frame)))
    assert ours.output_indices_ == fresh.output_indices_
    assert list(ours.get_feature_names_out()) == list(fresh.get_feature_names_out())
    seen = len(quern.last_report()["scikit_learn"])
    for rows in (frame, frame[:1], frame[7:9]):
        again = ours.transform(rows)
        assert type(again) is type(out)
        same(dense(again), dense(fresh_like(ours, rows)))
    assert len(quern.last_report()["scikit_learn"]) == seen  # one model, all along
    for copied in (pickle.loads(pickle.dumps(ours)), quern.from_sklearn(interop.to_sklearn(ours))):
        same(dense(copied.transform(frame)), dense(out))
    assert not fits


def fresh_like(ours, rows):
    return interop.to_sklearn(ours).transform(rows)


def test_attributes_of_encoders_and_imputers_are_those_of_separate_fits(frame):
    ours = compose.ColumnTransformer(MIXED["usual"]).fit(frame)
    line = ours.named_transformers_["s"]
    alone = impute.SimpleImputer(strategy="most_frequent")
    encoder = q.OneHotEncoder(handle_unknown="ignore").fit(
        alone.fit_transform(frame[["species", "island", "sex"]]))
    assert list(line[0].statistics_) == list(alone.statistics_)
    assert line[0].statistics_.dtype == alone.statistics_.dtype
    assert set(vars(line[0])) == set(vars(alone))
    assert set(vars(line[1])) == set(vars(encoder))
    for a, b in zip(line[1].categories_, encoder.categories_):
        assert a.dtype == b.dtype and list(a) == list(b)
    same(ours.named_transformers_["n"][0].statistics_,
         impute.SimpleImputer().fit(frame[NUMBERS]).statistics_)


def test_unknown_categories(frame):
    other = frame.assign(island="Elsewhere")
    ours = compose.make_column_transformer((q.OneHotEncoder(), ["island"])).fit(frame)
    with pytest.raises(ValueError, match="Found unknown categories .*Elsewhere.* in column 0"):
        ours.transform(other)
    ours = compose.make_column_transformer((q.OneHotEncoder(**ONE), ["island"])).fit(frame)
    assert not ours.transform(other).any()


def test_columns_are_found_by_name(frame):
    ours = compose.ColumnTransformer(scalers()[:3]).fit(frame)
    other = frame[["sex", *reversed(NUMBERS)]].rename(columns={"sex": "more"})
    same(ours.transform(other), ours.transform(frame))
    with pytest.raises(ValueError, match="columns are missing"):
        ours.transform(frame.drop(columns=NUMBERS[0]))
    with pytest.raises(ValueError, match="expecting 7 features"):
        ours.transform(np.zeros((2, 3)))


@pytest.mark.parametrize("names", [True, False, "{transformer_name}-{feature_name}"])
def test_output_names(frame, names):
    ours = compose.ColumnTransformer(
        [("a", q.StandardScaler(), NUMBERS[:2]), ("b", "passthrough", NUMBERS[2:])],
        verbose_feature_names_out=names).fit(frame)
    theirs = interop.to_sklearn(clone(ours)).fit(frame)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())


def test_set_output(frame, fits):
    ours = compose.ColumnTransformer(scalers()[:2]).set_output(transform="pandas")
    frame.index = frame.index + 7
    out = ours.fit_transform(frame)
    one_fit(fits)
    expected = interop.to_sklearn(ours).transform(frame)
    pd.testing.assert_frame_equal(out, expected, check_exact=True)
    mixed = compose.ColumnTransformer(scalers()[:3]).set_output(transform="pandas")
    frame["body_mass_g"] = frame["body_mass_g"].fillna(0).astype("int32")
    assert mixed.fit_transform(frame).dtypes.iloc[-1] == np.int32


def test_altered_attributes_count(frame):
    ours = compose.ColumnTransformer(scalers()[:2]).fit(frame)
    before = ours.transform(frame)
    ours.named_transformers_["std"].mean_ = ours.named_transformers_["std"].mean_ + 1
    after = ours.transform(frame)
    assert not np.array_equal(before[:, 0], after[:, 0], equal_nan=True)
    same(after, interop.to_sklearn(ours).transform(frame))
    ours.named_transformers_["chain"].steps[1][1].clip = True
    same(ours.transform(frame), interop.to_sklearn(ours).transform(frame))


def test_pickles(frame):
    for ours in (compose.ColumnTransformer(scalers()).fit(frame),
                 pipeline.make_pipeline(compose.ColumnTransformer(scalers()),
                                        q.StandardScaler()).fit(frame)):
        same(pickle.loads(pickle.dumps(ours)).transform(frame), ours.transform(frame))


def test_other_dtypes_than_those_of_the_fit(frame):
    ours = compose.ColumnTransformer(scalers()).fit(frame)
    other = frame.fillna(dict.fromkeys(NUMBERS, 3)).astype({NUMBERS[0]: "float32", NUMBERS[1]: "int16", NUMBERS[3]: "int64"})
    same(ours.transform(other), interop.to_sklearn(ours).transform(other))


REASONS = {
    "FunctionTransformer is not an estimator of quern":
        lambda f: (compose.make_column_transformer((skpre.FunctionTransformer(), NUMBERS)), f),
    "SplineTransformer is not an estimator of quern":
        lambda f: (compose.make_column_transformer((skpre.SplineTransformer(), [0, 1])),
                   RNG.normal(size=(30, 2))),
    "sparse matrix":
        lambda f: (compose.make_column_transformer((q.MaxAbsScaler(), [0, 1])),
                   sparse.random(20, 3, 0.5, "csr", random_state=1)),
    "transformer_weights":
        lambda f: (compose.ColumnTransformer(scalers()[:1], transformer_weights={"std": 2.0}), f),
    "columns of strings are to be put out":
        lambda f: (compose.make_column_transformer(("passthrough", ["species"])), f),
    "column 'when' has the dtype":
        lambda f: (compose.make_column_transformer(("passthrough", ["when"])),
                   f.assign(when=pd.Timestamp(2020, 1, 1))),
    "has a fill_value":
        lambda f: (compose.make_column_transformer(
            (impute.SimpleImputer(strategy="constant", fill_value=1), NUMBERS)), f),
    "works in place":
        lambda f: (compose.make_column_transformer((q.MaxAbsScaler(copy=False), NUMBERS)), f),
}


@pytest.mark.parametrize("reason", REASONS)
def test_scikit_learn_runs_the_rest_and_the_reason_is_told(frame, reason, caplog, fits):
    ours, X = REASONS[reason](frame)
    if sparse.issparse(X) and not hasattr(_core.Table, "from_sparse"):
        pytest.skip("this build of the extension has no sparse tables")
    with caplog.at_level(logging.INFO, "quern"):
        out = ours.fit_transform(X)
    assert not fits and reason in caplog.text
    assert any(reason in note["reason"] for note in quern.last_report()["scikit_learn"])
    again = ours.transform(X)
    if sparse.issparse(out):
        out, again = out.toarray(), again.toarray()
    np.testing.assert_array_equal(out, again)


def test_errors_are_scikit_learns(frame):
    bad = frame.copy()
    bad.loc[3, NUMBERS[0]] = np.inf
    for X, match in ((bad, "infinity"), (frame.iloc[:0], "minimum of 1")):
        with pytest.raises(ValueError, match=match):
            compose.ColumnTransformer(scalers()[:2]).fit(X)
    with pytest.raises(ValueError, match="Minimum of desired"):
        compose.make_column_transformer((q.MinMaxScaler(feature_range=(1, 0)), NUMBERS)).fit(frame)
    with pytest.raises(ValueError, match="1D|2-dimensional"):
        compose.make_column_transformer((q.MinMaxScaler(), NUMBERS[0])).fit(frame)
    with pytest.raises(ValueError, match="'clip' parameter"):
        compose.make_column_transformer((q.MinMaxScaler(clip="x"), NUMBERS)).fit(frame)
    from sklearn.exceptions import NotFittedError
    for unfitted in (compose.ColumnTransformer(scalers()),
                     pipeline.make_pipeline(q.StandardScaler(), q.MaxAbsScaler())):
        with pytest.raises(NotFittedError):
            unfitted.transform(frame[NUMBERS])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_pipeline_is_one_model(dtype, fits):
    X = RNG.normal(size=(50, 7)).astype(dtype)
    ours = pipeline.make_pipeline(q.RobustScaler(), "passthrough", q.MinMaxScaler(),
                                  q.Binarizer(threshold=0.4))
    out = ours.fit_transform(X)
    one_fit(fits)
    same(out, interop.to_sklearn(ours).transform(X))
    same(ours.transform(X), out)
    assert ours.steps[0][1].n_features_in_ == 7
    assert ours[:2].transform(X).shape == X.shape


@pytest.mark.parametrize("how", ["pipeline", "columns", "both"])
def test_a_fit_makes_no_output(how, fits):
    X = RNG.normal(size=(20_000, 20))
    columns = compose.ColumnTransformer([("a", q.MinMaxScaler(), list(range(12))),
                                         ("b", q.StandardScaler(), [12, 15])])
    made = {"columns": columns, "pipeline": pipeline.make_pipeline(q.MinMaxScaler(), q.StandardScaler()),
            "both": pipeline.make_pipeline(columns, q.MaxAbsScaler())}[how]
    made.fit(X[:100])
    tracemalloc.start()
    made.fit(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(fits) == 2 and peak < X.nbytes / 10
    assert np.array_equal(made.transform(X), clone(made).fit_transform(X))


def test_pipeline_over_a_column_transformer(frame, fits):
    ours = pipeline.make_pipeline(compose.ColumnTransformer(scalers()), q.MaxAbsScaler())
    out = ours.fit_transform(frame)
    one_fit(fits)
    same(out, interop.to_sklearn(ours).transform(frame))
    same(ours.transform(frame), out)
    same(ours.fit(frame).transform(frame), out)
    assert ours.steps[1][1].n_features_in_ == out.shape[1]
    assert ours.steps[1][1].max_abs_.shape == (out.shape[1],)
    assert list(ours.get_feature_names_out()) == list(
        interop.to_sklearn(ours).get_feature_names_out())


def test_pipeline_before_a_classifier(frame, fits):
    frame = frame.dropna(subset=NUMBERS)
    ours = pipeline.make_pipeline(compose.ColumnTransformer(scalers()), q.MaxAbsScaler(),
                                  LogisticRegression())
    ours.fit(frame, frame["species"])
    one_fit(fits)
    theirs = skp.make_pipeline(interop.to_sklearn(clone(ours[0])), skpre.MaxAbsScaler(),
                               LogisticRegression()).fit(frame, frame["species"])
    assert list(ours.predict(frame)) == list(theirs.predict(frame))
    assert not hasattr(ours, "transform")


@pytest.mark.parametrize("name", ["StandardScaler", "MinMaxScaler", "MaxAbsScaler"])
def test_partial_fit_goes_on_from_a_fit_of_the_whole(name):
    A, B = RNG.normal(size=(2, 50, 3))
    step = getattr(q, name)().partial_fit(B * 9)
    pipeline.make_pipeline(step, q.RobustScaler()).fit(A)
    step.partial_fit(B)
    expected = getattr(skpre, name)().fit(A).partial_fit(B)
    np.testing.assert_allclose(step.scale_, expected.scale_, rtol=1e-12)
    assert step.n_samples_seen_ == expected.n_samples_seen_ == 100


def test_no_steps_before_a_classifier(frame):
    frame = frame.dropna(subset=NUMBERS)
    ours = pipeline.Pipeline([("a", "passthrough"), ("b", None), ("c", q.StandardScaler()),
                              ("d", q.MaxAbsScaler()), ("e", LogisticRegression())])
    assert ours.fit(frame[NUMBERS], frame["species"]).score(frame[NUMBERS], frame["species"]) > 0.9


def test_derived_classes_are_steps_of_their_own(frame, fits):
    class Renamed(q.StandardScaler):
        def transform(self, X, copy=None):
            return super().transform(X, copy) + 1

    class Codes(q.OrdinalEncoder):
        pass

    ours = compose.make_column_transformer((Renamed(), NUMBERS), (Codes(), ["species"]))
    out = ours.fit_transform(frame)
    assert not fits
    same(out[:, :4], q.StandardScaler().fit_transform(frame[NUMBERS]) + 1)
    same(out[:, 4:], q.OrdinalEncoder().fit_transform(frame[["species"]]))


def test_fit_params_go_to_the_step(fits):
    X, w = RNG.normal(size=(30, 3)), np.arange(30.0)
    ours = pipeline.make_pipeline(q.StandardScaler(), q.MaxAbsScaler())
    ours.fit(X, standardscaler__sample_weight=w)
    assert not fits
    np.testing.assert_allclose(ours[0].mean_, np.average(X, axis=0, weights=w))


def test_grid_search(frame):
    from sklearn.model_selection import GridSearchCV
    frame = frame.dropna(subset=NUMBERS)
    search = GridSearchCV(
        pipeline.make_pipeline(compose.make_column_transformer((q.MinMaxScaler(), NUMBERS)),
                               q.StandardScaler(), LogisticRegression()),
        {"columntransformer__minmaxscaler__clip": [False, True]}, cv=2)
    search.fit(frame, frame["species"])
    assert search.best_score_ > 0.9


def test_exported():
    assert quern.compose is compose and quern.pipeline is pipeline


# ---- Polars ----

@pytest.fixture
def polars_frame():
    pl = pytest.importorskip("polars")
    rng, n = np.random.default_rng(3), 700
    frame = pl.DataFrame({"a": rng.normal(size=n), "b": rng.integers(0, 9, n), "c": rng.normal(size=n),
                          "s": rng.choice(["x", "yy", "日本"], n), "t": rng.choice(["p", "q"], n),
                          "k": rng.integers(0, 2, n).astype(bool)})
    return frame.with_columns(pl.when(pl.int_range(n) % 7 == 0).then(None).otherwise(pl.col("a")).alias("a"))


def polars_transformer(compose_, pipeline_, preprocessing_, impute_):
    return compose_.ColumnTransformer([
        ("n", pipeline_.make_pipeline(impute_.SimpleImputer(), preprocessing_.StandardScaler()), ["a", "b"]),
        ("m", preprocessing_.MinMaxScaler(), ["c"]),
        ("o", preprocessing_.OneHotEncoder(sparse_output=False), ["s", "t"]),
        ("r", preprocessing_.OrdinalEncoder(), ["b", "k"])])


def test_polars_frames_are_one_model(polars_frame, fits):
    theirs = polars_transformer(skc, skp, skpre, pytest.importorskip("sklearn.impute"))
    ours = polars_transformer(compose, pipeline, q, impute)
    got, wanted = ours.fit_transform(polars_frame), theirs.fit_transform(polars_frame)
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-13)
    assert len(fits) == 1
    for rows in (polars_frame[:5], polars_frame.select(reversed(polars_frame.columns))[5:9]):
        np.testing.assert_allclose(ours.transform(rows), theirs.transform(rows), rtol=1e-11, atol=1e-13)
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert ours.feature_names_in_.tolist() == theirs.feature_names_in_.tolist()


@pytest.mark.parametrize("change", ["float32", "a null integer", "a null string"])
def test_polars_columns_that_scikit_learn_takes_for_others_run_apart(polars_frame, fits, change):
    pl = pytest.importorskip("polars")
    frame = polars_frame
    if change == "float32":
        frame = frame.with_columns(pl.col("c").cast(pl.Float32))
    else:
        name = "b" if "integer" in change else "s"
        hole = pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col(name))
        frame = frame.with_columns(hole.alias(name))
        frame = frame.with_columns(pl.lit(1).alias("k")) if name == "b" else frame
    theirs = polars_transformer(skc, skp, skpre, pytest.importorskip("sklearn.impute"))
    ours = polars_transformer(compose, pipeline, q, impute)
    np.testing.assert_allclose(ours.fit_transform(frame), theirs.fit_transform(frame), rtol=1e-11, atol=1e-13)
    assert all(len(json.loads(spec)["steps"]) == 1 for spec in fits)
