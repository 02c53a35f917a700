# SPDX-License-Identifier: Apache-2.0
"""Sums and products on the way: NumPy is the oracle, bit for bit, on every device that is present."""
import numpy as np
import pytest
from test_arrays import DEVICES, DTYPES, device, layouts, values  # noqa: F401

import quern


def same(got, want, what):
    assert got.shape == want.shape and got.dtype == want.dtype, what
    assert np.array_equal(got, want, equal_nan=want.dtype.kind == "f"), what


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "float16"])
@pytest.mark.parametrize("shape", [(0,), (1,), (5000,), (3, 700), (700, 3), (130, 70), (0, 4), (4, 0), (2, 3, 40)])
def test_sums_on_the_way_have_numpys_bits(device, dtype, shape):
    x = values(dtype, shape, 1)
    with np.errstate(all="ignore"):
        for axis in (None, -1, *range(len(shape))):
            for layout, part in layouts(x):
                for name in ("cumsum", "cumprod"):
                    ours = getattr(quern, name)
                    same(ours(part, axis), getattr(np, name)(x, axis), (name, axis, layout))
                    same(ours(part, axis, skip_nan=True), getattr(np, "nan" + name)(x, axis), (name, axis, layout))


def test_bits_are_the_same_on_every_device_with_any_number_of_threads():
    x = np.random.default_rng(2).standard_normal((300, 210)).astype(np.float32)
    results = set()
    for name in DEVICES:
        for threads in (1, 3):
            with quern.config_context(device=name, threads=threads, fallback="never"):
                results.add(quern.cumsum(x, 0).tobytes() + quern.cumsum(x, 1).tobytes())
    assert len(results) == 1


def test_long_lines_are_the_processors(device):
    x = np.random.default_rng(3).standard_normal(70_000)
    with quern.config_context(fallback="quiet"):
        same(quern.cumsum(x), np.cumsum(x), "long")
    if device != "cpu":
        with pytest.raises(quern.UnsupportedError, match="few long lines"):
            quern.cumsum(x)


def test_float16_is_added_up_in_float32(device):
    x = np.full(3000, 1.0, np.float16)
    assert quern.cumsum(x).dtype == np.float16 and quern.cumsum(x)[-1] == 3000


def test_what_cannot_be_added_up_is_refused(device):
    with pytest.raises(TypeError):
        quern.cumsum(["a"])
    with pytest.raises(np.exceptions.AxisError):
        quern.cumprod([1.0], 1)
