# SPDX-License-Identifier: Apache-2.0
"""tests/parity/grid.py, case by case: dtypes, layouts, missing values and hard columns beside scikit-learn's."""
import importlib
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parents[2] / "tests" / "parity"


def imported(name):
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


grid, grid_cases = imported("grid"), imported("grid_cases")


@pytest.mark.parametrize("case", grid_cases.CASES, ids=lambda case: case.title)
def test_every_matrix_is_scikit_learns(case):
    found = grid.run(case, grid.contexts_of(["cpu", "opencl:0"]))
    assert not found.wrong, "\n".join(found.wrong)
    assert found.matrices > found.refused


def test_a_wrong_output_is_seen():
    case = grid_cases.Case("StandardScaler")
    scaler = case.ours

    class Off(scaler):
        def transform(self, X):
            out = super().transform(X)
            out[-1, -1] *= 1 + 1e-6
            return out

        def to_sklearn(self):
            made = scaler(**self.get_params())
            made.__dict__.update(vars(self))
            return made.to_sklearn()

    case.ours = Off
    found = grid.run(case, grid.contexts_of([]))
    assert len(found.wrong) == found.matrices
    assert "transform: 1 of" in found.wrong[0]
