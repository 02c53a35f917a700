# SPDX-License-Identifier: Apache-2.0
"""inverse_transform: every scaler, fitted on one dtype and undone in another, alone and in chains."""
import ctypes as C
import itertools
import warnings

import numpy as np
from sklearn import preprocessing
from sklearn.pipeline import make_pipeline

import api_parity as base
import quern_ctypes as q

SCALERS = [
    ("StandardScaler", {}), ("StandardScaler", {"with_mean": False}), ("StandardScaler", {"with_std": False}),
    ("StandardScaler", {"with_mean": False, "with_std": False}),
    ("MinMaxScaler", {}), ("MinMaxScaler", {"feature_range": [-3, 2], "clip": True}),
    ("MaxAbsScaler", {}), ("MaxAbsScaler", {"clip": True}),
    ("RobustScaler", {}), ("RobustScaler", {"with_centering": False}), ("RobustScaler", {"with_scaling": False}),
    ("RobustScaler", {"quantile_range": [10.0, 80.0], "unit_variance": True}),
]
CHAINS = [[0, 4], [8, 0, 6], [11, 5]]


def data(rows, columns, dtype, missing, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) * np.exp(rng.normal(size=columns) * 4) + rng.normal(size=columns) * 50
    if missing:
        x[rng.random(x.shape) < 0.05] = np.nan
    x[:, -1] = 7.25  # a constant column
    return np.ascontiguousarray(x.astype(dtype))


def theirs_of(name, parameters):
    own = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
    return getattr(preprocessing, name)(**own)


def invert(kit, context, model, x, out=None):
    c = kit.library.c
    c.quern_model_inverse_transform.argtypes = [C.c_void_p] * 4
    table = q.Table.from_matrix(kit.library, x)
    matrix, _ = context._results(out, False)
    kit.library.check(c.quern_model_inverse_transform(context.pointer, model.pointer, table.pointer,
                                                      C.byref(matrix)))
    return context._wrap(out, matrix, None)


def check(kit, numbers, fit_dtype, dtype, missing):
    rows, columns = 3001, 7
    x = data(rows, columns, fit_dtype, missing, 5)
    z = data(rows, columns, dtype, missing, 6) / dtype(40)
    fitted = [theirs_of(*SCALERS[i]) for i in numbers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = make_pipeline(*fitted).fit(x)
    first = None
    for device, context in kit.contexts.items():
        pipeline = kit.pipeline(*[{SCALERS[i][0]: SCALERS[i][1]} for i in numbers])
        model = context.fit(pipeline, q.Table.from_matrix(kit.library, x))
        for k, one in enumerate(fitted):
            kit.give(one, model, f"steps/0/{k}")
        wanted = reference.inverse_transform(z.copy())
        ours = invert(kit, context, model, z)
        base.same(ours.array, wanted, device)
        own = z.copy()
        invert(kit, context, model, own, own)
        base.same(own, wanted, device + " in place")
        first = ours.array.copy() if first is None else first
        assert first.tobytes() == ours.array.tobytes(), device


def cases(kit):
    chains = [[i] for i in range(len(SCALERS))] + CHAINS
    for numbers, fit, dtype, missing in itertools.product(chains, (np.float64, np.float32),
                                                          (np.float64, np.float32), (0, 1)):
        label = "+".join(f"{SCALERS[i][0]}{SCALERS[i][1] or ''}" for i in numbers)
        yield (f"inverse {label} fitted on {fit.__name__}, {dtype.__name__}, missing {missing}",
               lambda n=numbers, f=fit, d=dtype, m=missing: check(kit, n, f, d, m))
