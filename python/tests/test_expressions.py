# SPDX-License-Identifier: Apache-2.0
"""Expressions of FunctionTransformer beside NumPy's: dtypes, bits of arithmetic, functions to 2 units in the last
place, on all devices; names, errors, models and inverses."""
import json
import random

import numpy as np
import pytest
from quern import _core

DEVICES = [d["id"] for d in _core.Context("cpu").devices() if d["present"] and d["id"] in ("cpu", "opencl:0")]
COLUMNS = {"a": np.float64, "b": np.float64, "f": np.float32, "g": np.float32, "i": np.int64, "j": np.int32,
           "k": np.int8, "u": np.uint16, "t": np.bool_}


def columns(rows=300, seed=5):
    """Plain numbers, with what is odd in floats at the beginning."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, dtype in COLUMNS.items():
        if dtype == np.bool_:
            made[name] = rng.integers(0, 2, rows).astype(bool)
        elif np.issubdtype(dtype, np.integer):
            made[name] = rng.integers(0 if dtype == np.uint16 else -9, 10, rows).astype(dtype)
        else:
            odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e30, -1e-30, 5e-39]
            made[name] = np.concatenate([rng.permutation(odd), rng.normal(size=rows - len(odd)) * 3]).astype(dtype)
    return made


def run(expression, data, device="cpu", **words):
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": [{"FunctionTransformer": {"expression": expression,
                                                                                      **words}}]}]}
    table = _core.Table.from_columns(list(data.values()), list(data))
    made, model = _core.Pipeline(json.dumps(spec)).fit_transform(_core.Context(device), table)
    return np.asarray(made).reshape(table.rows, -1), model


NUMPY = {name: getattr(np, name) for name in (
    "abs", "arcsinh", "cos", "exp", "expm1", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "maximum",
    "minimum", "reciprocal", "sin", "sqrt", "square", "clip", "where", "float32", "float64", "power")}
NUMPY |= {"min": np.minimum, "max": np.maximum, "pow": np.power, "pi": np.pi, "e": np.e, "nan": np.nan, "inf": np.inf}
FUNCTIONS = ("arcsinh", "cos", "exp", "expm1", "log", "log10", "log1p", "log2", "sin", "sqrt")


def by_numpy(expression, data):
    with np.errstate(all="ignore"):
        return np.asarray(eval(expression, {}, {**NUMPY, **data}))  # noqa: S307 (a text of this file)


def same(got, want):
    """The bits of arithmetic."""
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    if want.dtype.kind == "f":
        zero = want == 0
        assert np.array_equal(np.signbit(got[zero]), np.signbit(want[zero]))


def near(got, want, units=4):
    """As near as two that are each within 2 units in the last place of the exact value."""
    assert got.dtype == want.dtype
    assert np.array_equal(np.isnan(got), np.isnan(want))
    plain = np.isfinite(want)
    assert np.array_equal(got[~plain & ~np.isnan(want)], want[~plain & ~np.isnan(want)])
    assert np.all(np.abs(got[plain] - want[plain]) <= units * np.spacing(np.abs(want[plain])))


ARITHMETIC = [
    "a + b", "a - 2", "2 - a", "a * 0.1", "1 / a", "a / 3", "a / b", "-a", "+a", "--a", "a ** 2", "a ** -1",
    "a ** 0.5", "a ** 0", "a ** 1", "square(a)", "abs(a)", "reciprocal(a)", "sqrt(abs(a))", "min(a, b)",
    "max(a, 0.25)", "min(0.1, f)", "clip(a, -1, 1)", "clip(a, b, 1)", "clip(f, -0.3, 0.3)", "maximum(f, g)",
    "f + g", "f * 0.1", "f - 1", "1 / f", "f / g", "f ** 2", "f * a", "f + i", "f + u", "f + k", "(f * g) + (a * b)",
    "(f * g + 1) * (a - b)", "i + j", "i * j - 3", "3 - i", "i / j", "i / 2", "i ** 2", "i ** 3", "j ** 5", "i ** 0",
    "abs(i)", "square(j)", "k + k", "k * 2", "u + u", "u * 3", "u + k", "i + 0.5", "i * a", "min(i, j)", "max(i, 2)",
    "clip(j, -2, 2)", "i * 2 / (j + 20)", "t + 1", "t * a", "t * f", "t + t", "t * t", "i < j", "i <= 2", "i > 2",
    "2 < i", "i >= j", "i == 3", "i != j", "a < b", "a <= 0.5", "a > 0.5", "a >= 0.5", "0.5 >= a", "a == 1",
    "a != b", "f < 0.1", "f >= 0.1", "f == g", "a >= inf", "a < -inf", "a == inf", "a < nan", "isnan(a)", "isinf(a)",
    "isfinite(a)", "isnan(i)", "isfinite(f)", "where(a > b, a, b)", "where(isnan(a), 0, a)", "where(isnan(a), b, a)",
    "where(isnan(f), 1.5, f)", "where(a > 0, 1, -1)", "where(i > 2, i, j)", "where(t, a, f)", "where(t, 1, 0.5)",
    "where(a > 0, nan, f)", "where(f > 0, inf, -inf)", "float32(a)", "float64(f) * b", "float32(i) + f", "a * pi",
    "e * f", "2 * 3 + a", "a + 10 ** 2", "(i + j) / (j * j + 1) + (f - g) * (a * b - f)",
    "((a + b) * (a - b)) / ((b + 1) * (a - 2)) - ((f + a) * (g - b)) / ((a + 3) * (b * f))",
]


@pytest.mark.parametrize("expression", ARITHMETIC)
def test_arithmetic_has_numpys_bits_and_dtype(expression):
    data = columns()
    same(run(expression, data)[0][:, 0], by_numpy(expression, data))


ARGUMENTS = ["a", "f", "i", "j", "a * b", "f + g", "i * j", "f * a"]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_functions_are_as_near_as_numpys(name, argument):
    data, expression = columns(), f"{name}({argument})"
    got, want = run(expression, data)[0][:, 0], by_numpy(expression, data)
    if argument in ("f", "f + g"):
        want = by_numpy(expression.replace(argument, f"float64({argument})"), data)
        with np.errstate(all="ignore"):
            want = want.astype(np.float32)  # NumPy's float32 functions are a few units off
    near(got, want)


POWERS = ["a ** 2.5", "a ** b", "2 ** a", "f ** g", "abs(a) ** f", "a ** i", "pow(f, 3)", "log1p(abs(a)) / (b + 1)",
          "exp(-square(a) / 2) / sqrt(2 * pi)"]


@pytest.mark.parametrize("expression", POWERS)
def test_powers_and_chains_are_as_near_as_numpys(expression):
    data = columns()
    got, want = run(expression, data)[0][:, 0], by_numpy(expression, data)
    near(got, want, units=8)


def test_logarithms_of_powers_of_the_base_are_whole():
    powers = np.arange(-300.0, 300.0)
    whole = np.arange(0, 23)
    made, _ = run("log2(a)", {"a": 2.0 ** powers})
    np.testing.assert_array_equal(made[:, 0], powers)
    made, _ = run("log10(a)", {"a": 10.0 ** whole})
    np.testing.assert_array_equal(made[:, 0], whole)


# ---- made by chance ----

def by_chance(rng, depth, truth=False):
    """An expression of arithmetic, with a column in each of its parts."""
    def more(truth=False):
        return by_chance(rng, depth - 1, truth)

    def other():
        return rng.choice(["2", "0.3", "7"]) if rng.random() < 0.25 else more()

    if truth:
        if depth > 0 and rng.randrange(4) == 0:
            return f"isnan({more()})"
        return f"({more()} {rng.choice(['<', '<=', '>', '>=', '==', '!='])} {other()})"
    if depth <= 0 or rng.random() < 0.15:
        return rng.choice("abfgijaf")
    which = rng.randrange(9)
    if which < 5:
        return f"({more()} {rng.choice('+-*/')} {other()})"
    if which == 5:
        return f"{rng.choice(['min', 'max'])}({other()}, {more()})"
    if which == 6:
        return f"where({more(True)}, {more()}, {other()})"
    return f"{rng.choice(['abs', '-', 'square', 'float64'])}({more()})"


def test_any_arithmetic_has_numpys_bits():
    rng, data, refused = random.Random(11), columns(100), 0
    for _ in range(300):
        expression = by_chance(rng, rng.randrange(1, 5))
        want = by_numpy(expression, data)
        try:
            made, _ = run(expression, data)
        except _core.UnsupportedError as error:
            assert "waiting for another" in str(error), (expression, error)
            refused += 1
            continue
        assert made.dtype == want.dtype, expression
        np.testing.assert_array_equal(made[:, 0], want, err_msg=expression)
    assert refused < 15


@pytest.mark.parametrize("device", [d for d in DEVICES if d != "cpu"])
def test_all_devices_have_the_same_bits(device):
    rng, data = random.Random(12), columns(9000)  # enough for kernels that are generated
    everything = [*ARITHMETIC, *POWERS, *[f"{name}({argument})" for name in FUNCTIONS for argument in ARGUMENTS],
                  *[by_chance(rng, rng.randrange(1, 4)) for _ in range(50)]]
    for dtype in ("f", "d"):
        some = [e for e in everything if by_numpy(e, data).dtype.char == dtype]
        for k in range(0, len(some), 25):
            part = {f"e{i}": e for i, e in enumerate(some[k:k + 25])}
            np.testing.assert_array_equal(run(part, data, device)[0], run(part, data)[0])
