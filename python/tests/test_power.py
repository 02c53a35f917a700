# SPDX-License-Identifier: Apache-2.0
"""PowerTransformer beside scikit-learn's: lambdas, likelihoods, transforms and ways back, over dtypes, layouts and
kinds of columns."""
import warnings

import mpmath
import numpy as np
import pytest
import sklearn.preprocessing as skp

import quern
from quern import config_context
from quern.preprocessing import PowerTransformer, power_transform

rng = np.random.default_rng(7)
N = 20000  # more than the sample that a search begins with
COLUMNS = {
    "normal": rng.normal(size=N), "skewed": rng.lognormal(size=N), "negative": -rng.gamma(2, size=N),
    "mixed": rng.standard_t(5, size=N), "large": rng.exponential(size=N) * 1e6, "sorted": np.sort(rng.gamma(3, size=N)),
    "uniform": rng.uniform(size=N), "counts": rng.poisson(3, size=N), "years": 2000 + 9 * rng.normal(size=N),
    "bits": rng.integers(0, 2, size=N), "tiny": rng.lognormal(size=N) * 1e-3,
    "misled": np.r_[rng.lognormal(size=9000) * 1e-6, rng.normal(50, 1, N - 9000)],  # its first rows tell nothing
    "empty at first": np.r_[np.zeros(9000), rng.normal(size=N - 9000)], "heavy": rng.standard_cauchy(size=N),
    "outlier": np.r_[rng.normal(size=N - 1), -1e9], "near the top": 1 - 0.1 * rng.uniform(size=N) ** 6}
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray,
           "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]}


def log_likelihood(x, lmbda, method):
    """Exact enough to tell two lambdas apart that differ by 1e-8."""
    x = np.asarray(x, np.longdouble)
    x = x[~np.isnan(x)]
    lmbda = np.longdouble(lmbda)
    if method == "box-cox":
        logs = np.log(x)
        made = np.expm1(lmbda * logs) / lmbda if lmbda else logs
    else:
        logs = np.sign(x) * np.log1p(np.abs(x))
        with np.errstate(all="ignore"):
            made = np.where(x >= 0, np.expm1(lmbda * logs) / lmbda if lmbda else logs,
                            -np.expm1((lmbda - 2) * logs) / (2 - lmbda) if lmbda != 2 else logs)
    return (lmbda - 1) * logs.sum() - len(x) / np.longdouble(2) * np.log(made.var())


def quiet(call, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("missing", [0, 0.1])
@pytest.mark.parametrize("name", COLUMNS)
def test_lambdas_are_scikit_learns_or_likelier(name, missing, method):
    x = COLUMNS[name].astype(np.float64)
    x = np.abs(x) + 1e-6 if method == "box-cox" else x
    x = np.where(rng.random(N) < missing, np.nan, x)[:, None]
    ours = PowerTransformer(method).fit(x).lambdas_[0]
    theirs = quiet(skp.PowerTransformer(method).fit, x).lambdas_[0]
    logs = np.log(x) if method == "box-cox" else np.log1p(np.abs(x))
    flat = max(1.0, 1 / (np.nanmax(logs) - np.nanmin(logs)))  # where logarithms hardly differ, lambdas hardly matter
    assert abs(ours - theirs) <= 1e-6 * flat * max(1, abs(theirs))
    assert log_likelihood(x, ours, method) >= log_likelihood(x, theirs, method) - 1e-9


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_transforms_and_ways_back_are_scikit_learns(method, dtype, layout, standardize):
    X = np.c_[COLUMNS["skewed"], COLUMNS["large"], COLUMNS["counts"], np.full(N, 3)][:3000]
    if method == "yeo-johnson":
        X[::2] *= -1
    else:
        X = np.abs(X[:, :3]) + 1
    if dtype != "int64":
        X[::7, 0] = np.nan
    X = LAYOUTS[layout](X.astype(dtype))
    ours = PowerTransformer(method, standardize=standardize).fit(X)
    theirs = quiet(skp.PowerTransformer(method, standardize=standardize).fit, X)
    theirs.lambdas_ = ours.lambdas_
    if standardize:
        theirs._scaler = quern.to_sklearn(ours._scaler)
    got, want = ours.transform(X), theirs.transform(X)
    eps = np.finfo(got.dtype).eps
    assert got.dtype == want.dtype and ours.lambdas_.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=300 * eps, atol=300 * eps)
    back = ours.inverse_transform(got)
    np.testing.assert_allclose(back, X, rtol=1e4 * eps, atol=1e4 * eps)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("lmbda", [-2.5, -0.3, 0.0, 1e-9, 0.5, 1.0, 2.0, 4.5])
def test_values_are_no_further_from_the_truth_than_scikit_learns(method, lmbda):
    x = np.r_[rng.lognormal(2, 2, 150), 1 + 1e-7 * rng.random(50)]
    if method == "yeo-johnson":
        x[::2] *= -1
    x = x[:, None]
    ours, theirs = PowerTransformer(method, standardize=False), skp.PowerTransformer(method, standardize=False)
    for estimator in (ours, theirs):
        estimator.fit(x)
        estimator.lambdas_ = np.array([lmbda])
    errors = []
    with mpmath.workprec(200):
        l = mpmath.mpf(lmbda)

        def true(v):
            v = mpmath.mpf(v)
            p = 2 - l if method == "yeo-johnson" and v < 0 else l
            log = mpmath.log1p(abs(v)) if method == "yeo-johnson" else mpmath.log(v)
            made = mpmath.expm1(p * log) / p if p else log
            return -made if method == "yeo-johnson" and v < 0 else made

        exact = [true(v) for v in x[:, 0]]
        for estimator in (ours, theirs):
            made = estimator.transform(x)[:, 0]
            errors.append(max(abs((mpmath.mpf(m) - e) / e) for m, e in zip(made, exact, strict=True)))
    assert errors[0] <= max(errors[1], 2.3e-16)


def test_every_device_and_any_number_of_threads_give_the_same_bits():
    X = np.c_[tuple(COLUMNS.values())]
    with config_context(device="cpu", threads=1):
        first = PowerTransformer().fit(X)
        out = first.transform(X)
    for device in ("cpu", "opencl:0"):
        if not any(d["present"] and d["id"] == device for d in quern.devices()):
            continue
        with config_context(device=device, threads=2):
            again = PowerTransformer().fit(X)
            assert again.lambdas_.tobytes() == first.lambdas_.tobytes()
            assert again.transform(X).tobytes() == out.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_the_scalers_numbers_are_exact_for_the_lambda(method, dtype):
    x = np.abs(COLUMNS["skewed"][:2000, None]).astype(dtype)
    power, bare = PowerTransformer(method).fit(x), PowerTransformer(method, standardize=False).fit(x)
    made = [mpmath.mpf(float(v)) for v in bare.transform(x)[:, 0]]
    with mpmath.workprec(200):
        mean = mpmath.fsum(made) / len(made)
        scale = mpmath.sqrt(mpmath.fsum((v - mean) ** 2 for v in made) / len(made))
        assert abs(power._scaler.mean_[0] - mean) <= 1e-12 * scale
        assert abs(power._scaler.scale_[0] - scale) <= 1e-12 * scale


@pytest.mark.parametrize("x", [[1.0, 5.0], [-1.0, 5.0], [1.0, 2.0, 7.0], [-3.0, 0.0, 7.0], [1e-300, 1.0], [5.0, np.nan, 6.0]])
def test_very_few_rows_have_scikit_learns_lambdas(x):
    x = np.array(x)[:, None]
    ours, theirs = PowerTransformer().fit(x).lambdas_[0], quiet(skp.PowerTransformer().fit, x).lambdas_[0]
    assert log_likelihood(x[:, 0], ours, "yeo-johnson") >= log_likelihood(x[:, 0], theirs, "yeo-johnson") - 1e-9


def test_a_constant_column_stays_whatever_is_missing():
    X = np.array([[2.0, 2.0], [2.0, np.nan], [2.0, 2.0]])
    power = PowerTransformer(standardize=False).fit(X)
    assert power.lambdas_.tolist() == [1, 1]
    np.testing.assert_array_equal(power.transform(X), X)


def test_few_rows_get_what_many_get():
    X = np.c_[COLUMNS["normal"], COLUMNS["skewed"]]
    power = PowerTransformer().fit(X)
    np.testing.assert_array_equal(power.transform(X[:5]), power.transform(X)[:5])


def test_what_has_no_way_back_is_missing_and_warned_of():
    power = PowerTransformer(standardize=False).fit(np.exp(np.abs(COLUMNS["normal"]))[:, None] ** 2)
    power.lambdas_ = np.array([-1.0])
    with pytest.warns(UserWarning, match="column 0"):
        back = power.inverse_transform(np.array([[0.5], [3.0]]))
    np.testing.assert_allclose(back[:, 0], [1.0, np.nan])


def test_the_function_is_the_class():
    X = np.abs(np.c_[COLUMNS["normal"], COLUMNS["large"]])[:500] + 1
    for method in ("yeo-johnson", "box-cox"):
        np.testing.assert_array_equal(power_transform(X, method), PowerTransformer(method).fit_transform(X))


def test_it_is_a_part_of_larger_models():
    from quern.impute import SimpleImputer
    from quern.pipeline import make_pipeline
    X = np.c_[COLUMNS["normal"], COLUMNS["skewed"]][:2000]
    X[::9] = np.nan
    line = make_pipeline(SimpleImputer(), PowerTransformer()).fit(X)
    parts = PowerTransformer().fit(SimpleImputer().fit_transform(X))
    np.testing.assert_allclose(line[-1].lambdas_, parts.lambdas_, rtol=1e-12)
    np.testing.assert_array_equal(line[-1].lambdas_, parts.lambdas_)
    np.testing.assert_array_equal(line.transform(X), parts.transform(SimpleImputer().fit_transform(X)))
