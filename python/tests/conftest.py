# SPDX-License-Identifier: Apache-2.0
import ctypes
import json
import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # for array_api_dispatch; read when SciPy is imported

import numpy
import pytest

from quern import _core


@pytest.fixture(scope="session")
def ctx():
    return _core.Context(device="cpu", cache_dir="off")


@pytest.fixture
def pipeline():
    """pipeline("StandardScaler", …) over all columns, as scikit-learn's make_pipeline."""
    def make(*apply, **output):
        spec = {"quern": 1, "steps": [{"name": "s", "columns": "*", "apply": list(apply)}]}
        if output:
            spec["output"] = output
        return _core.Pipeline(json.dumps(spec))
    return make


@pytest.fixture
def numbers():
    return numpy.random.default_rng(7).normal(3.0, 2.0, size=(400, 6))


class PeakMemory:
    """Bytes that the resident set grew by at most inside the block."""

    def __enter__(self):
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if give_back is not None:  # else what earlier tests freed serves the block, and nothing grows
            give_back(0)
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        self.before = self.read("VmRSS")
        return self

    def __exit__(self, *_):
        self.bytes = self.read("VmHWM") - self.before

    @staticmethod
    def read(key):
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key + ":"))


@pytest.fixture
def peak_memory():
    try:
        with PeakMemory() as peak:
            block = numpy.ones(4 << 20)
        del block
    except OSError as error:
        pytest.skip(f"peak memory cannot be measured here: {error}")
    assert peak.bytes > 16 << 20, "the measure does not see an allocation"
    return PeakMemory
