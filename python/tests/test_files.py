# SPDX-License-Identifier: Apache-2.0
"""Specs, models and tables that are files."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import quern

PENGUINS = Path(__file__).parents[2] / "tests" / "data" / "penguins.csv"
SPEC = {"quern": 1, "steps": [
    {"columns": ["bill_length_mm", "body_mass_g"],
     "apply": [{"SimpleImputer": {"strategy": "median"}}, "StandardScaler"]},
    {"columns": ["species", "sex"],
     "apply": [{"SimpleImputer": {"strategy": "most_frequent"}}, "OneHotEncoder"]}]}
SPARSE = {**SPEC, "output": {"sparse": True}}


@pytest.fixture
def arrow():
    pytest.importorskip("pyarrow")
    import pyarrow.csv
    options = pyarrow.csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    return pyarrow.csv.read_csv(PENGUINS, convert_options=options)


def test_read_csv():
    table = quern.read_csv(PENGUINS)
    assert isinstance(table, quern.Table) and (table.rows, table.columns) == (344, 7)
    spec = {"quern": 1, "input": {"dtypes": {"body_mass_g": "float32"}},
            "steps": [{"columns": [0], "apply": "passthrough"}]}
    assert quern.read_csv(str(PENGUINS), spec).column(5)[1] == "float32"
    with pytest.raises(OSError):
        quern.read_csv("no such file.csv")


@pytest.mark.parametrize("kind", ["dict", "text", "path"])
def test_fit_is_scikit_learns(kind, tmp_path):
    pd = pytest.importorskip("pandas")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    spec = {"dict": SPEC, "text": json.dumps(SPEC), "path": tmp_path / "spec.json"}[kind]
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    out, model = quern.run(spec, PENGUINS)
    expected = ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
         ["bill_length_mm", "body_mass_g"]),
        ("s", make_pipeline(SimpleImputer(strategy="most_frequent", missing_values=np.nan),
                            OneHotEncoder()), ["species", "sex"])]).fit_transform(
        pd.read_csv(PENGUINS).astype({"species": object, "sex": object}))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(quern.transform(model, PENGUINS), out)


def test_from_file_to_file(tmp_path):
    out, _ = quern.run(SPEC, PENGUINS)
    nothing, model = quern.run(SPEC, PENGUINS, tmp_path / "out.npy", model=tmp_path / "m.quern")
    assert nothing is None
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), out)
    assert (tmp_path / "m.quern").read_bytes() == model.to_bytes()
    assert quern.transform(tmp_path / "m.quern", PENGUINS, tmp_path / "again.npy") is None
    assert (tmp_path / "again.npy").read_bytes() == (tmp_path / "out.npy").read_bytes()
    assert quern.fit(SPEC, PENGUINS, model=tmp_path / "f.quern").to_bytes() == model.to_bytes()
    assert (tmp_path / "f.quern").read_bytes() == model.to_bytes()


def test_sparse(tmp_path):
    out, model = quern.run(SPARSE, PENGUINS)
    assert sparse.isspmatrix_csr(out) and model.is_sparse
    np.testing.assert_array_equal(out.toarray(), quern.run(SPEC, PENGUINS)[0])
    again = quern.transform(model, PENGUINS)
    assert (again != out).nnz == 0 and again.shape == out.shape
    quern.transform(model, quern.read_csv(PENGUINS), tmp_path / "out.npz")
    assert (sparse.load_npz(tmp_path / "out.npz") != out).nnz == 0
    with pytest.raises(quern.UnsupportedError, match=r"\.npz"):
        quern.transform(model, quern.read_csv(PENGUINS), tmp_path / "out.npy")
    assert os.listdir(tmp_path) == ["out.npz"]


def test_arrow_in_memory(arrow):
    expected, model = quern.run(SPEC, PENGUINS)
    out, other = quern.run(SPEC, arrow)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(quern.transform(model, arrow), expected)
    np.testing.assert_array_equal(quern.transform(other, PENGUINS), expected)
    np.testing.assert_array_equal(quern.transform(model, arrow.slice(5, 1)), expected[5:6])


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_arrow_files(arrow, suffix, tmp_path):
    import pyarrow.feather
    import pyarrow.parquet
    read, write = {".parquet": (pyarrow.parquet.read_table, pyarrow.parquet.write_table),
                   ".feather": (pyarrow.feather.read_table, pyarrow.feather.write_feather)}[suffix]
    write(arrow, tmp_path / f"in{suffix}")
    expected, _ = quern.run(SPEC, PENGUINS)
    _, model = quern.run(SPEC, tmp_path / f"in{suffix}", tmp_path / f"out{suffix}",
                         model=tmp_path / "m.quern")
    found = read(tmp_path / f"out{suffix}")
    assert found.column_names == model.output_names
    np.testing.assert_array_equal(np.column_stack([c.to_numpy() for c in found.columns]), expected)
    quern.transform(tmp_path / "m.quern", PENGUINS, tmp_path / f"text{suffix}")
    assert read(tmp_path / f"text{suffix}").equals(found)
    assert quern.fit(SPEC, tmp_path / f"in{suffix}").to_bytes() == model.to_bytes()


def test_arrays():
    X = np.arange(12.0).reshape(4, 3)
    spec = {"quern": 1, "steps": [{"columns": "*", "apply": "StandardScaler"}]}
    out, model = quern.run(spec, X)
    np.testing.assert_array_equal(out.mean(axis=0), 0)
    np.testing.assert_array_equal(quern.transform(model, X), out)


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="StandardScaler"):
        quern.fit({"quern": 1, "steps": [{"columns": "*", "apply": "StandardScalar"}]}, PENGUINS)
    with pytest.raises(quern.UnsupportedError, match="csv"):
        quern.run(SPEC, quern.read_csv(PENGUINS), tmp_path / "out.csv")
    with pytest.raises(OSError):
        quern.transform(tmp_path / "none.quern", PENGUINS)


def program():
    found = os.environ.get("QUERN_PROGRAM") or shutil.which("quern")
    if found is None:
        pytest.skip("QUERN_PROGRAM does not name the program")
    return found


def test_models_are_the_programs(tmp_path):
    spec, run = tmp_path / "spec.json", [program()]
    spec.write_text(json.dumps(SPEC))
    subprocess.run(run + ["fit", str(spec), str(PENGUINS), "--model", str(tmp_path / "c.quern")],
                   check=True)
    model = quern.fit(SPEC, PENGUINS, model=tmp_path / "p.quern")
    np.testing.assert_array_equal(quern.transform(tmp_path / "c.quern", PENGUINS),
                                  quern.transform(model, PENGUINS))
    subprocess.run(run + ["transform", str(tmp_path / "p.quern"), str(PENGUINS), "-o",
                          str(tmp_path / "c.npy")], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), quern.transform(model, PENGUINS))
