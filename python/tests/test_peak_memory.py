# SPDX-License-Identifier: Apache-2.0
"""Fits and transforms keep within the memory that bench/peak_memory.py allows them."""
import os
import pathlib
import subprocess
import sys

import pytest

from quern import _core

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peak_memory.py"


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the kernel keeps no high-water mark here")
def test_fits_take_a_tenth_of_their_input_and_transforms_their_output():
    package = str(pathlib.Path(_core.__file__).resolve().parent.parent)
    done = subprocess.run([sys.executable, str(SCRIPT), "--rows", "300000"], check=False,
                          env=dict(os.environ, PYTHONPATH=package), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "**no**" not in done.stdout
