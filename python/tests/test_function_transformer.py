# SPDX-License-Identifier: Apache-2.0
"""FunctionTransformer beside scikit-learn's: what is compiled, what is called, and what the report says of it."""
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import quern
from quern import UnsupportedError
from quern.compose import ColumnTransformer
from quern.pipeline import make_pipeline
from quern.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from scipy import sparse
from sklearn import pipeline as their_pipeline
from sklearn import preprocessing as theirs
from sklearn.base import clone

FUNCTIONS = [np.abs, np.arcsinh, np.cos, np.exp, np.expm1, np.isfinite, np.isinf, np.isnan, np.log, np.log10, np.log1p,
             np.log2, np.negative, np.reciprocal, np.sin, np.sqrt, np.square]
EXACT = {np.abs, np.isfinite, np.isinf, np.isnan, np.negative, np.reciprocal, np.sqrt, np.square}
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
           "one column": lambda X: X[:, 1], "cube": lambda X: X.reshape(50, 2, 4)}


def matrix(dtype, rows=100):
    X = np.random.default_rng(2).normal(size=(rows, 4)) * [5, 1, 1e-3, 1]
    X[:, 3] = 7
    if np.dtype(dtype).kind == "f":
        X *= [1, 1e20, 1e-20, 1]
        X[:4, 0] = [np.nan, np.inf, -np.inf, 0]
    elif np.dtype(dtype).kind == "u":
        X = np.abs(X)
    with np.errstate(over="ignore"):
        return X.astype(dtype)


def called():
    """What the report says that Python was left with."""
    return [n["reason"] for n in quern.last_report()["scikit_learn"] if n["estimator"] == "FunctionTransformer"]


@pytest.mark.parametrize("func", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u4", "i1", "f2", "u8", "?"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_numpys_functions_give_numpys_results(func, dtype, layout):
    X = LAYOUTS[layout](matrix(dtype))
    with np.errstate(all="ignore"):
        try:
            want = func(X)
        except TypeError:  # minus a bool
            return
        got = FunctionTransformer(func).fit_transform(X)
    assert got.dtype == want.dtype and got.shape == want.shape
    if layout != "strided":
        assert (got.flags.c_contiguous, got.flags.f_contiguous) == (want.flags.c_contiguous, want.flags.f_contiguous)
    if func in EXACT or want.dtype.itemsize < 4:
        np.testing.assert_array_equal(got, want)
        return
    assert np.array_equal(np.isfinite(got), np.isfinite(want))
    plain = np.isfinite(want)
    assert np.array_equal(got[~plain], want[~plain], equal_nan=True)
    assert np.all(np.abs(got[plain] - want[plain]) <= 6 * np.spacing(np.abs(want[plain])))


def test_the_report_says_what_was_called_and_why():
    X = matrix("f8")
    with np.errstate(all="ignore"), quern.config_context(threads=1):
        before = len(called())
        made = FunctionTransformer(np.log1p).fit(X)
        made.transform(X)
        assert len(called()) == before and made._where()[0] == "cpu"
        for func, words, rows, why in ((np.cbrt, None, X, "does not know it"), (len, None, X, "does not know it"),
                                       (np.log, {"where": True}, X, "has words"),
                                       (np.log, None, X.astype("f2"), "float16"),
                                       (np.reciprocal, None, np.ones((2, 2), int), "int64"),
                                       (np.log, None, X.tolist(), "builtins.list"),
                                       (np.sqrt, None, sparse.csr_array(np.eye(3)), "sparse"),
                                       (np.sqrt, None, pd.DataFrame({"a": [1.0], "b": [1]}), "one dtype")):
            made = FunctionTransformer(func, kw_args=words)
            made.transform(rows)
            assert func.__name__ in called()[-1] and why in called()[-1], called()[-1]
            assert made._where()[0] == "the CPU by Python"


def test_frames_stay_frames():
    X = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [3.0, 4.0, np.nan]}, index=["u", "v", "w"])
    X.attrs["from"] = "here"
    got = FunctionTransformer(np.square).fit_transform(X)
    pd.testing.assert_frame_equal(got, np.square(X))
    assert got.attrs == X.attrs
    assert FunctionTransformer().fit_transform(X) is X


def test_expressions_take_names_of_frames_and_numbers_of_arrays():
    frame = pd.DataFrame({"debt": [1.0, 2.0], "income per year": [3.0, 7.0], "city": ["a", "b"],
                          "day": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    made = FunctionTransformer("debt / (`income per year` + 1)").fit(frame)
    np.testing.assert_array_equal(made.transform(frame), [[0.25], [0.25]])
    assert list(made.get_feature_names_out()) == ["debt / (`income per year` + 1)"]
    with pytest.raises(ValueError, match='column "city" is of type string'):
        FunctionTransformer("city + 1").fit_transform(frame)
    with pytest.raises(ValueError, match="day"):
        FunctionTransformer("log(day)").fit_transform(frame)
    with pytest.raises(ValueError, match='"dept".*did you mean "debt"'):
        FunctionTransformer("log(dept)").fit_transform(frame)
    X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    for rows in (X, np.asfortranarray(X), X[::-1], X.tolist()):
        got = FunctionTransformer(["x0 + x1", "x * 2"]).fit_transform(rows)
        rows = np.asarray(rows)
        np.testing.assert_array_equal(got, np.column_stack([rows.sum(axis=1), rows * 2]))
        assert got.dtype == rows.dtype
    table = pl.DataFrame({"a": [1, 2], "b": [0.5, 4.0]})
    np.testing.assert_array_equal(FunctionTransformer("a * b").fit_transform(table), [[0.5], [8.0]])


def test_names_of_outputs():
    frame = pd.DataFrame({"a": [1.0], "b c": [2.0]})
    for func, names in (("x + 1", ["a", "b c"]), ("a", ["a"]), (["a + 1", "x ** 2"], ["a + 1", "a ** 2", "`b c` ** 2"]),
                        ({"n": "a", "s": "-x"}, ["n", "s_a", "s_b c"]), (("a", "1"), ["a", "1"])):
        made = FunctionTransformer(func).fit(frame)
        assert list(made.get_feature_names_out()) == names
        assert list(made.set_output(transform="pandas").transform(frame).columns) == names
    named = pd.DataFrame({"x": [1.0], "y": [2.0]})
    assert FunctionTransformer("x / y").fit_transform(named).shape == (1, 1)  # x is a column
    made = FunctionTransformer("x", feature_names_out=lambda _, names: [f"{n}!" for n in names]).fit(frame)
    assert list(made.get_feature_names_out()) == ["a!", "b c!"]


def test_inverses():
    X = np.abs(matrix("f8"))[4:]
    for func, undo in ((np.log1p, np.expm1), ("log1p(x)", "expm1(x)"), ("log1p(x)", np.expm1)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made = FunctionTransformer(func, undo).fit(X)
        np.testing.assert_allclose(made.inverse_transform(made.transform(X)), X)
    with pytest.warns(UserWarning, match="not strictly"):
        FunctionTransformer("x * 2", "x * 2").fit(X)
    assert FunctionTransformer("x * 2").inverse_transform(X) is X


@pytest.mark.parametrize("func", [np.log1p, "log1p(x)", None])
def test_a_pipeline_with_it_is_one_model(func):
    X = np.abs(matrix("f8"))[4:]
    ours = make_pipeline(FunctionTransformer(func), StandardScaler())
    peer = their_pipeline.make_pipeline(theirs.FunctionTransformer(np.log1p if func else None), theirs.StandardScaler())
    np.testing.assert_allclose(ours.fit_transform(X), peer.fit_transform(X), rtol=1e-12, atol=1e-13)
    assert ours._memory.why is None
    assert ours[0].n_features_in_ == ours[1].n_features_in_ == 4
    np.testing.assert_array_equal(ours.transform(X), ours[1].transform(ours[0].transform(X)))
    np.testing.assert_array_equal(ours.fit(pd.DataFrame(X)).transform(pd.DataFrame(X)), ours.transform(X))
    assert ours._memory.why is None


@pytest.mark.parametrize("made, why", [
    (FunctionTransformer(lambda X: X + 1), "by Python"), (FunctionTransformer(np.log1p, validate=True), "validate"),
    (FunctionTransformer(np.log1p, kw_args={"where": True}), "by Python"),
    (FunctionTransformer(np.log1p, np.expm1), "check_inverse"), (FunctionTransformer("x0 + x1"), "goes on")])
def test_what_is_no_part_of_a_model_says_why(made, why):
    X = np.abs(matrix("f8"))[4:]
    line = make_pipeline(clone(made), MinMaxScaler())
    np.testing.assert_array_equal(line.fit_transform(X), MinMaxScaler().fit_transform(clone(made).fit_transform(X)))
    assert why in line._memory.why


def test_infinities_that_it_makes_are_refused_by_the_next_step():
    X = np.array([[1.0], [2.0], [4.0]])
    for func in (np.log, "log(x)"):
        line = make_pipeline(FunctionTransformer(func), StandardScaler()).fit(X)
        with pytest.raises(ValueError, match="infinity"):
            line.transform(np.array([[0.0]] * 20))
        with pytest.raises(ValueError, match="infinity"):
            make_pipeline(FunctionTransformer(func), StandardScaler()).fit(X - 1)
        with np.errstate(all="ignore"):
            assert line.transform(np.array([[-1.0]] * 20)).shape == (20, 1)  # NaN passes
    with pytest.raises(ValueError, match="infinity"):
        make_pipeline(FunctionTransformer("x"), StandardScaler()).fit(X).transform(np.array([[np.inf]] * 20))
    line = make_pipeline(FunctionTransformer("1 / x"), StandardScaler()).fit(X)
    assert np.isfinite(line.transform(np.array([[np.inf]] * 20))).all()


def test_a_column_transformer_with_it_is_one_model():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6], "c": np.float32([7, 8, 9])})
    made = ColumnTransformer([("r", FunctionTransformer({"q": "a / b", "s": "c > 7.5"}), ["a", "b", "c"]),
                              ("l", FunctionTransformer(np.log1p, feature_names_out="one-to-one"), ["a", "b"]),
                              ("i", FunctionTransformer(feature_names_out="one-to-one"), ["b"])])
    out = made.fit_transform(frame)
    assert made._memory.why is None
    assert list(made.get_feature_names_out()) == ["r__q", "r__s", "l__a", "l__b", "i__b"]
    want = np.column_stack([frame.a / frame.b, frame.c > 7.5, np.log1p(frame.a), np.log1p(frame.b), frame.b])
    np.testing.assert_allclose(out, want, rtol=1e-15)
    np.testing.assert_array_equal(made.transform(frame), out)


def test_conversions_and_pickles():
    X = np.abs(matrix("f8"))[4:]
    other = theirs.FunctionTransformer(np.log1p, np.expm1, feature_names_out="one-to-one").fit(X)
    ours = quern.from_sklearn(other)
    assert type(ours) is FunctionTransformer and ours.func is np.log1p and isinstance(ours, theirs.FunctionTransformer)
    back = ours.to_sklearn()
    assert type(back) is theirs.FunctionTransformer and vars(back) == vars(other)
    assert type(quern.from_sklearn(theirs.FunctionTransformer())) is FunctionTransformer
    made = FunctionTransformer("log1p(x)").fit(X)
    with pytest.raises(UnsupportedError, match="no expressions"):
        made.to_sklearn()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).transform(X), made.transform(X))
    out = np.empty_like(X)
    quern.to_model(made, X).apply(X, out)
    np.testing.assert_array_equal(out, made.transform(X))


def test_words_for_an_expression_are_checked():
    for func in ("", "1 +", ["x", 3], {}, [], 7):
        with pytest.raises((ValueError, TypeError)):
            FunctionTransformer(func).fit(np.ones((2, 2)))
