# SPDX-License-Identifier: Apache-2.0
"""Covariances and correlations: NumPy says what they mean, exact fractions how far they may be off."""
import warnings
from fractions import Fraction

import numpy as np
import pytest
from test_arrays import DEVICES, DTYPES, layouts, values

import quern


def near(got, want, what, rtol=1e-12):
    """Alike, where `want` is NumPy's: within rtol of the size that the two variables' deviations allow."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape and got.dtype == want.dtype, what
    size = np.sqrt(np.abs(np.diag(want))) if want.ndim == 2 else np.sqrt(np.abs(want))
    room = rtol * (np.outer(size, size) if want.ndim == 2 else size * size)
    with np.errstate(invalid="ignore"):
        alike = (got == want) | (np.isnan(got) & np.isnan(want)) | (np.abs(got - want) <= room)
    assert alike.all(), (what, got, want)


def numpys(name, *args, **more):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(np, name)(*args, **more)


def exact(x, ddof=1):
    """Covariances of rows, as fractions, rounded once."""
    rows = [[Fraction(float(v)) for v in row] for row in x]
    n = len(rows[0])
    centred = [[v - sum(row) / n for v in row] for row in rows]
    return np.array([[float(sum(a * b for a, b in zip(p, q, strict=True)) / (n - ddof)) for q in centred]
                     for p in centred])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 1), (3, 0), (0, 3), (2, 700), (17, 300), (70, 33), (130, 40)])
def test_numpys_values(dtype, shape):
    x = values(dtype, shape, 1, nan=False)
    if x.dtype.kind == "f":
        x = np.where(np.isfinite(x), x, 2).astype(dtype)
    for layout, part in layouts(x):
        for name in ("cov", "corrcoef"):
            if name == "corrcoef" and dtype in ("int64", "uint64") and shape[1] == 1:
                continue
            for rowvar in (True, False):
                if name == "corrcoef" and shape[0 if rowvar else 1] == 0:
                    continue
                near(getattr(quern, name)(part, rowvar=rowvar), numpys(name, x, rowvar=rowvar),
                     (name, dtype, layout, rowvar))
    near(quern.cov(x, dtype=np.float32), numpys("cov", x.astype(float)).astype(np.float32), "float32", 1e-6)


@pytest.mark.parametrize("shape", [(3, 40_000), (5, 16_384), (2, 16_640)])
def test_many_observations(shape):
    x = np.random.default_rng(2).standard_normal(shape)
    near(quern.cov(x), np.cov(x), shape)


def test_bits_are_the_same_with_any_number_of_threads_on_every_device_in_every_layout():
    x = np.random.default_rng(3).standard_normal((40_000, 70)).astype(np.float32)
    w = np.random.default_rng(4).random(len(x))
    results = set()
    for name in DEVICES:
        for threads in (1, 2, 7):
            with quern.config_context(device=name, threads=threads, fallback="never"):
                for _, part in layouts(x):
                    results.add(quern.cov(part, rowvar=False).tobytes()
                                + quern.cov(part, rowvar=False, aweights=w).tobytes())
    assert len(results) == 1


def test_a_pair_does_not_depend_on_the_variables_beside_it():
    x = np.random.default_rng(5).standard_normal((150, 900))
    c = quern.cov(x)
    assert np.array_equal(c, c.T)
    assert np.array_equal(quern.cov(x[[3, 149]]), c[np.ix_([3, 149], [3, 149])])


@pytest.mark.parametrize("scale, shift", [(1, 0), (1, 1.7e9), (1e-3, 1.7e9), (1e-150, 0), (1e150, 1e150), (1, 1e15)])
def test_nothing_is_lost_where_means_are_large(scale, shift):
    x = np.random.default_rng(6).standard_normal((3, 90)) * scale + shift
    want = exact(x)
    near(quern.cov(x), want, (scale, shift))
    if 1e-9 < scale < 1e9:
        narrow = x.astype(np.float32)
        near(quern.cov(narrow), exact(narrow), ("float32", scale, shift))


def test_weights_are_numpys():
    r = np.random.default_rng(7)
    x, f, a = r.standard_normal((5, 700)) + 1e6, r.integers(0, 4, 700), r.random(700)
    for more in ({"fweights": f}, {"aweights": a}, {"fweights": f, "aweights": a}):
        for ddof in (None, 0, 1, 3):
            near(quern.cov(x, ddof=ddof, **more), np.cov(x - 1e6, ddof=ddof, **more), (list(more), ddof), 1e-9)
    near(quern.cov(x, fweights=f), quern.cov(np.repeat(x, f, axis=1)), "repeated")


def test_more_variables_bias_and_divisors():
    r = np.random.default_rng(8)
    x, y = r.standard_normal((3, 50)), r.standard_normal((2, 50)).astype(np.float32)
    for args, more in (((x, y), {}), ((x.T, y.T), {"rowvar": False}), ((x[0], y[0]), {}), ((x, y[0]), {}),
                       ((x[0], y[0]), {"rowvar": False})):
        near(quern.cov(*args, **more), np.cov(*args, **more), "y")
        near(quern.corrcoef(*args, **more), np.corrcoef(*args, **more), "y")
    for more in ({"bias": True}, {"ddof": 5}, {"ddof": 50}, {"ddof": 60}, {"bias": True, "ddof": 2}):
        near(quern.cov(x, **more), numpys("cov", x, **more), more)
    near(quern.cov(3.0), numpys("cov", 3.0), "a scalar")


def test_nan_infinities_and_constants():
    x = np.random.default_rng(9).standard_normal((5, 30))
    x[0, 3], x[1, 4], x[2], x[3, 1:3] = np.nan, np.inf, 0.1, (np.inf, -np.inf)
    c = quern.cov(x)
    assert np.isnan(c[[0, 1, 3]]).all() and np.isnan(c[:, [0, 1, 3]]).all() and np.isfinite(c[4, 4])
    assert c[2, 2] == 0 and c[2, 4] == 0
    r = quern.corrcoef(x)
    assert np.isnan(r[2]).all() and np.isnan(r[:, 2]).all() and abs(r[4, 4] - 1) < 1e-15


def test_correlations_lie_within_one():
    x = np.random.default_rng(10).standard_normal((1, 1000)) * np.arange(1, 41)[:, None] * 0.1
    r = quern.corrcoef(x)
    assert r.max() <= 1 and r.min() > 1 - 1e-15
    assert quern.corrcoef(x[0], -x[0])[0, 1] >= -1


def test_it_is_the_devices_work():
    x = values("float32", (3, 50), 11, nan=False)
    for name in DEVICES[1:]:
        with quern.config_context(device=name, fallback="never"):
            quern.cov(x)
            quern.corrcoef(x, rowvar=False)
            quern.cov(np.abs(x), aweights=np.arange(50.0))


def holes(shape, share, seed):
    r = np.random.default_rng(seed)
    x = r.standard_normal(shape) + 5
    x[r.random(shape) < share] = np.nan
    return x


def alike(got, want):
    assert got.shape == want.shape and np.array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape, share", [((40, 5), 0.3), ((7, 4), 0.7), ((600, 70), 0.1), ((17_000, 3), 0.5),
                                          ((9, 1), 0.4)])
@pytest.mark.parametrize("least", [1, 4])
def test_pandas_pairs(shape, share, least):
    pd = pytest.importorskip("pandas")
    x = holes(shape, share, 12)
    frame = pd.DataFrame(x)
    for name, got in (("cov", quern.cov), ("corr", quern.corrcoef)):
        want = getattr(frame, name)(min_periods=least).to_numpy()
        alike(np.atleast_2d(got(x, rowvar=False, skip_nan=True, min_periods=least)), want)


def test_pairs_without_nan_have_the_bits_that_they_have_alone():
    x = holes((500, 6), 0.2, 13)
    x[:, [1, 4]] = 1 / np.arange(1, 1001).reshape(500, 2)
    for call in (quern.cov, quern.corrcoef):
        whole, some = call(x, rowvar=False), call(x, rowvar=False, skip_nan=True)
        assert np.array_equal(whole[np.ix_([1, 4], [1, 4])], some[np.ix_([1, 4], [1, 4])])
        y = np.nan_to_num(x)
        assert np.array_equal(call(y, rowvar=False), call(y, rowvar=False, skip_nan=True))
    alike(quern.cov(x, rowvar=False, skip_nan=True, ddof=0)[0, 1],
          np.cov(x[~np.isnan(x[:, 0])][:, :2].T, ddof=0)[0, 1])


def test_pairs_have_the_same_bits_everywhere():
    for dtype, shape in ((np.float32, (16_500, 3)), (np.float64, (300, 40))):
        x = holes(shape, 0.2, 14).astype(dtype)
        results = set()
        for name in DEVICES:
            for threads in (1, 7) if name == "cpu" else (1,):
                with quern.config_context(device=name, threads=threads, fallback="never"):
                    for _, part in layouts(x):
                        results.add(quern.cov(part, rowvar=False, skip_nan=True).tobytes()
                                    + quern.corrcoef(part, rowvar=False, skip_nan=True).tobytes())
        assert len(results) == 1


def test_a_variable_that_is_constant_where_it_meets_another_has_no_correlation_with_it():
    x = np.array([[0.1, 0.1, 0.1, 7.3, -2.0], [1.0, 2.0, 4.0, np.nan, np.nan]])
    c, r = quern.cov(x, skip_nan=True), quern.corrcoef(x, skip_nan=True)
    assert c[0, 1] == 0 and c[1, 0] == 0 and np.isnan(r[0, 1]) and abs(r[0, 0] - 1) < 1e-15
    x[1] = np.nan
    assert np.isnan(quern.cov(x, skip_nan=True)[1]).all()


def test_pairs_take_no_weights():
    x = holes((3, 9), 0.2, 15)
    with pytest.raises(ValueError, match="weights do not go"):
        quern.cov(x, skip_nan=True, aweights=np.ones(9))
    with pytest.raises(ValueError, match="min_periods goes with"):
        quern.corrcoef(x, min_periods=3)
    with pytest.raises(ValueError, match="min_periods must be 0 or more, not -1"):
        quern.cov(x, skip_nan=True, min_periods=-1)
