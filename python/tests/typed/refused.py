# SPDX-License-Identifier: Apache-2.0
"""Mistakes that a type checker finds: each line with "wrong" is one."""
import numpy as np

import quern
from quern import _core
from quern.impute import SimpleImputer
from quern.pipeline import make_pipeline
from quern.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, StandardScaler, normalize

X = np.ones((3, 2))
StandardScaler(with_meen=True)  # wrong: no such parameter
StandardScaler(True)  # wrong: by name alone
Normalizer(norm="l3")  # wrong: no such norm
MinMaxScaler(feature_range=3)  # wrong: a pair
OneHotEncoder(handle_unknown="ignored")  # wrong: no such word
SimpleImputer(strategy="average")  # wrong: no such strategy
StandardScaler().fit()  # wrong: of what
StandardScaler().fit(X).fit(X, sample_wait=X)  # wrong: no such parameter
normalize(X, return_norm=False)[1] + normalize(X, axis=2)  # wrong: no such axis
quern.config_context(devices="cpu")  # wrong: no such setting
quern.set_config(fallback="perhaps")  # wrong: no such fallback
quern.fit(3, X)  # wrong: no spec
quern.fit({"quern": 1}, X).apply(X)  # wrong: into what
quern.nothing()  # wrong: no such function
_core.Context(thread=2)  # wrong: no such parameter
_core.Table.from_sparse("coo", (1, 1), X, X, X)  # wrong: no such layout
_core.Table.from_matrix(X).rows = 3  # wrong: cannot be set
make_pipeline(StandardScaler(), memories=None)  # wrong: no such parameter
