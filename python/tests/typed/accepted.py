# SPDX-License-Identifier: Apache-2.0
"""What a typed program does with the package."""
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import quern
from quern import _core
from quern.compose import ColumnTransformer, make_column_selector, make_column_transformer
from quern.impute import SimpleImputer
from quern.pipeline import Pipeline, make_pipeline
from quern.preprocessing import (MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler,
                                 StandardScaler, normalize, scale)

SPEC: dict[str, Any] = {"quern": 1, "steps": [{"columns": "*", "apply": ["StandardScaler"]}]}


def features(X: NDArray[np.float64], folder: Path) -> NDArray[np.float64]:
    scaler = StandardScaler(with_mean=True).fit(X, sample_weight=np.ones(len(X)))
    centred: NDArray[np.float64] = X - scaler.mean_
    scaler.partial_fit(X).set_params(with_std=False).set_output(transform="default")
    line: Pipeline = make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler((0, 2), clip=True))
    both: ColumnTransformer = make_column_transformer(
        (line, [0]), (RobustScaler(quantile_range=(10.0, 90.0)), slice(1, None)))
    out: NDArray[np.float64] = both.fit(X).transform(X)
    names: list[str] = both.get_feature_names_out().tolist()
    with quern.config_context(device="cpu", fallback="never", threads=1):
        model = quern.fit(SPEC, X, model=folder / "a.model")
    rows = np.empty((1, len(model.output_names)))
    model.apply(X[:1], rows)
    table: quern.Table = quern.Table.from_matrix(X, names=["a", "b"])
    device: str = _core.Context("cpu").device
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit_transform([["a"]])
    dense, norms = normalize(X, return_norm=True)
    back: NDArray[Any] = OneHotEncoder(sparse_output=False).fit([["a"]]).inverse_transform([[1.0]])
    print(centred, names, table.rows, device, codes, dense, norms, back, make_column_selector(), scale(X))
    print(StandardScaler().to_sklearn(), quern.last_report()["device"])
    return out
