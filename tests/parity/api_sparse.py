# SPDX-License-Identifier: Apache-2.0
"""Sparse input: CSR and CSC of one matrix, in any order of indices, with 32- and 64-bit integers."""
import ctypes as C
import itertools
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn import preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline

import api_parity as base
import quern_ctypes as q

NAN = np.nan
# estimators, and whether the data may have missing values: NaN, a number that stands for them, none
CASES = [
    ([("StandardScaler", {"with_mean": False})], NAN),
    ([("StandardScaler", {"with_mean": False, "with_std": False})], NAN),
    ([("MaxAbsScaler", {})], NAN), ([("MaxAbsScaler", {"clip": True})], NAN),
    ([("RobustScaler", {"with_centering": False})], NAN),
    ([("RobustScaler", {"with_centering": False, "quantile_range": [5.0, 99.0], "unit_variance": True})], NAN),
    ([("RobustScaler", {"with_centering": False, "with_scaling": False})], NAN),
    ([("Normalizer", {"norm": "l1"})], None), ([("Normalizer", {})], None), ([("Normalizer", {"norm": "max"})], None),
    ([("Binarizer", {})], None), ([("Binarizer", {"threshold": 0.7})], None),
    *[([("SimpleImputer", {"strategy": s})], NAN) for s in ("mean", "median", "most_frequent")],
    ([("SimpleImputer", {"strategy": "constant", "fill_value": 3.5})], NAN),
    ([("SimpleImputer", {"strategy": "constant", "fill_value": 0.0})], NAN),
    *[([("SimpleImputer", {"strategy": s, "missing_values": 2.0})], 2.0) for s in ("mean", "median", "most_frequent")],
    ([("SimpleImputer", {"strategy": "mean", "keep_empty_features": True})], NAN),
    ([("SimpleImputer", {"strategy": "median", "add_indicator": True})], NAN),
    ([("MissingIndicator", {"features": "all"})], NAN),
    ([("MissingIndicator", {"error_on_new": False})], NAN),
    ([("SimpleImputer", {}), ("StandardScaler", {"with_mean": False})], NAN),
    ([("SimpleImputer", {"strategy": "median"}), ("MaxAbsScaler", {}), ("Normalizer", {})], NAN),
    ([("Normalizer", {}), ("StandardScaler", {"with_mean": False})], None),
    ([("Binarizer", {"threshold": 0.5}), ("Normalizer", {"norm": "l1"}), ("MaxAbsScaler", {})], None),
    ([("MaxAbsScaler", {}), ("Normalizer", {"norm": "max"}), ("Binarizer", {"threshold": 0.25})], None),
]
# learned attributes that are exact; others within this share of the largest of their kind
EXACT = {"max_abs_", "data_min_"}
TOLERANCE = {np.float64: 1e-11, np.float32: 2e-5}


def matrix(rows, columns, density, dtype, missing, seed):
    """Canonical CSR with explicit zeros, columns that are empty, full, constant and wholly missing."""
    rng = np.random.default_rng(seed)
    x = sp.random(rows, columns, density, "lil", rng=rng, data_rvs=lambda n: np.round(rng.normal(size=n) * 3, 1))
    x[:, 1] = rng.normal(size=(rows, 1)) + 4  # full
    x[:, 2] = 0  # empty
    x[:, 3] = 2.5  # constant
    x = x.tocsr().astype(dtype)
    x.sort_indices()
    x.data[rng.random(x.nnz) < 0.05] = 0  # zeros that are stored
    if missing is not None:
        x.data[rng.random(x.nnz) < 0.1] = missing
        if missing != missing:
            x.data[x.indices == 4] = missing  # what is stored is missing
    return x


def shuffled(x, rng):
    """The same matrix with the entries of each row (or column) in any order."""
    order = np.concatenate([np.arange(a, b) if b - a < 2 else rng.permutation(np.arange(a, b))
                            for a, b in zip(x.indptr[:-1], x.indptr[1:])] or [[]]).astype(int)
    return type(x)((x.data[order], x.indices[order], x.indptr), shape=x.shape)


def table(kit, x, bits=32):
    integer = {32: np.int32, 64: np.int64}[bits]
    arrays = [np.ascontiguousarray(a, integer) for a in (x.indptr, x.indices)] + [np.ascontiguousarray(x.data)]
    out = C.c_void_p()
    c = kit.library.c
    c.quern_table_from_sparse.argtypes = [C.c_int, C.c_uint64, C.c_uint32, C.c_void_p, C.c_void_p, C.c_uint32,
                                          C.c_void_p, C.c_int, C.c_void_p, C.POINTER(C.c_void_p)]
    c.quern_table_from_sparse.restype = C.c_int
    kit.library.check(c.quern_table_from_sparse(
        0 if x.format == "csr" else 1, x.shape[0], x.shape[1], arrays[0].ctypes.data, arrays[1].ctypes.data, bits,
        arrays[2].ctypes.data, q.TYPES[x.dtype.name], None, C.byref(out)))
    return q.Table(kit.library, out, arrays)


def forms(x):
    """The ways in which one matrix can be handed over."""
    rng = np.random.default_rng(1)
    yield "csr", x, 32
    yield "csc", x.tocsc(), 64
    yield "csr in any order", shuffled(x, rng), 64
    yield "csc in any order", shuffled(x.tocsc(), rng), 32


def estimator(name, parameters):
    own = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
    if name in ("SimpleImputer", "MissingIndicator"):
        return {"SimpleImputer": SimpleImputer, "MissingIndicator": MissingIndicator}[name](**own)
    return getattr(preprocessing, name)(**own)


def near(kit, model, fitted, dtype, places):
    """Learned attributes against scikit-learn's own, before it is given quern's."""
    tensors = kit.tensors(model)
    for one, place in zip(fitted, places):
        for name, values in tensors.items():
            folder, _, attribute = name.rpartition("/")
            own = np.asarray(getattr(one, attribute, None))
            if folder != place or own.dtype.kind != "f" or attribute.startswith("n_"):
                continue
            assert own.shape == values.shape, f"{name}: {values.shape}, not {own.shape}"
            assert (np.isnan(own) == np.isnan(values)).all(), f"{name}: {values}, not {own}"
            limit = 0 if attribute in EXACT else TOLERANCE[dtype] * max(np.nanmax(np.abs(own), initial=0), 1)
            worst = np.nanmax(np.abs(own - values), initial=0)
            assert worst <= limit, f"{name}: off by {worst}"


def same_csr(ours, theirs, what):
    theirs = sp.csr_array(theirs)
    theirs.sort_indices()
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, not {theirs.shape}"
    base.same(ours.indptr, theirs.indptr.astype(np.int64), what + " indptr")
    base.same(ours.indices, theirs.indices.astype(np.int32), what + " indices")
    base.same(ours.data, theirs.data, what + " data")


def check(kit, apply, missing, dtype):
    x, z = matrix(700, 23, 0.12, dtype, missing, 1), matrix(300, 23, 0.2, dtype, missing, 2)
    fitted = [estimator(*one) for one in apply]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = make_pipeline(*fitted).fit(x)
    places = [f"steps/0/{k}" for k in range(len(apply))]
    pipeline = kit.pipeline(*[{name: parameters} for name, parameters in apply])
    first = None
    for device, context in kit.contexts.items():
        for form, own, bits in forms(x):
            what = f"{device} {form}"
            model = context.fit(pipeline, table(kit, own, bits))
            if first is None:
                first = model.to_bytes()
                near(kit, model, fitted, dtype, places)
                for one, place in zip(fitted, places):
                    kit.give(one, model, place)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    wanted = [(m, reference.transform(m.copy())) for m in (x, z)]
            assert model.to_bytes() == first, f"{what}: another model"
            for seen, result in wanted:
                for again, other, width in forms(seen):
                    got = context.transform(model, table(kit, other, width), sparse=True)
                    same_csr(got, result, f"{what}, transform of {again}")
                got = context.transform(model, table(kit, seen))
                base.same(got.array, sp.csr_array(result).toarray(), what + " dense")


def check_dense_model(kit):
    """Fitted on rows that are dense, used on sparse ones, and the other way round."""
    x = matrix(400, 9, 0.3, np.float64, NAN, 7)
    for name, parameters in (("StandardScaler", {"with_mean": False}), ("MaxAbsScaler", {}),
                             ("RobustScaler", {"with_centering": False})):
        for context in kit.contexts.values():
            for learn, use in itertools.permutations(("dense", "sparse")):
                rows = np.ascontiguousarray(x.toarray())
                hand = {"dense": lambda r=rows: q.Table.from_matrix(kit.library, r), "sparse": lambda: table(kit, x)}
                one = estimator(name, parameters).fit(rows if learn == "dense" else x)
                model = context.fit(kit.pipeline({name: parameters}), hand[learn]())
                kit.give(one, model, "steps/0/0")
                ours = context.transform(model, hand[use]())
                theirs = one.transform(rows if use == "dense" else x)
                base.same(ours.array, theirs if use == "dense" else theirs.toarray(), f"{name} {learn} {use}")


def check_columns(kit):
    """Steps over some columns, in another order, some twice, and what remains."""
    x = matrix(500, 12, 0.15, np.float64, None, 9)
    parts = [("a", estimator("MaxAbsScaler", {}), [7, 2, 3]), ("b", make_pipeline(estimator("Normalizer", {})), [1, 5, 7, 0]),
             ("c", estimator("Binarizer", {"threshold": 0.3}), [4])]
    reference = ColumnTransformer(parts, remainder="passthrough", sparse_threshold=1.0).fit(x)
    spec = {"quern": 1, "remainder": "passthrough", "output": {"sparse": True}, "steps": [
        {"name": "a", "columns": [7, 2, 3], "apply": ["MaxAbsScaler"]},
        {"name": "b", "columns": [1, 5, 7, 0], "apply": ["Normalizer"]},
        {"name": "c", "columns": [4], "apply": [{"Binarizer": {"threshold": 0.3}}]}]}
    for device, context in kit.contexts.items():
        for form, own, bits in forms(x):
            result, model = context.fit_transform(q.Pipeline(kit.library, spec), table(kit, own, bits), sparse=True)
            kit.give(reference.named_transformers_["a"], model, "steps/0/0")
            same_csr(result, reference.transform(x), f"{device} {form}")


def check_types(kit):
    """Integers: what keeps them, and what makes floats of them."""
    for dtype in (np.int8, np.int32, np.int64, np.uint16):
        x = matrix(200, 8, 0.3, np.float64, None, 4)
        x = sp.csr_array((np.abs(x.data * 3).astype(dtype), x.indices, x.indptr), shape=x.shape)
        for name, parameters in (("Binarizer", {"threshold": 1.5}), ("MaxAbsScaler", {}), ("Normalizer", {})):
            one = estimator(name, parameters).fit(x)
            for context in kit.contexts.values():
                result, model = context.fit_transform(kit.pipeline({name: parameters}), table(kit, x), sparse=True)
                kit.give(one, model, "steps/0/0")
                same_csr(result, one.transform(x), f"{name} {dtype.__name__}")


def check_refusals(kit):
    """What scikit-learn refuses is refused."""
    x = matrix(50, 6, 0.3, np.float64, None, 4)
    cases = [("StandardScaler", {}, "with_mean"), ("MinMaxScaler", {}, "MaxAbsScaler"), ("RobustScaler", {}, "with_centering"),
             ("SimpleImputer", {"missing_values": 0.0}, "missing_values is 0"), ("Binarizer", {"threshold": -1.0}, "below 0"),
             ("OneHotEncoder", {}, "dense"), ("OrdinalEncoder", {}, "dense")]
    for name, parameters, words in cases:
        try:
            one = estimator(name, parameters).fit(x)
            one.transform(x)
            raise AssertionError(f"{name}: scikit-learn took it")
        except (ValueError, TypeError):
            pass
        for context in kit.contexts.values():
            try:
                context.fit_transform(kit.pipeline({name: parameters}), table(kit, x), sparse=True)
            except q.QuernError as error:
                assert words in str(error), f"{name}: {error}"
            else:
                raise AssertionError(f"{name}: taken")


def cases(kit):
    for (apply, missing), dtype in itertools.product(CASES, (np.float64, np.float32)):
        label = "+".join(f"{name}{parameters or ''}" for name, parameters in apply)
        yield (f"sparse {label} {dtype.__name__}",
               lambda a=apply, m=missing, d=dtype: check(kit, a, m, d))
    for one in (check_dense_model, check_columns, check_types, check_refusals):
        yield f"sparse {one.__name__}", lambda f=one: f(kit)
