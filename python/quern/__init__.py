# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's preprocessing on the CPU, an OpenCL device or a CUDA GPU.

The classes and functions have scikit-learn's names, parameters, attributes and meaning; the library does
the work, with the same bits on every device.

=================================  =================================================================
`quern.preprocessing`              scalers, encoders, Normalizer, Binarizer, and functions of them
`quern.impute`                     SimpleImputer, KNNImputer, IterativeImputer
`quern.feature_selection`          VarianceThreshold, SelectKBest and its kin, scores
`quern.compose`, `quern.pipeline`  ColumnTransformer and Pipeline, fitted and applied as one model
`fit`, `transform`, `run`          specs, models, files and Arrow streams; `read_csv`, `Table`, `Model`
`sort`, `argsort`, `top_k`         arrays sorted, as NumPy does; `unique`, `searchsorted`, `digitize`
`take`, `compress`, `where`        values by places or masks; `nonzero`, `flatnonzero`
`astype`, `copy`, `transpose`      arrays in other dtypes and orders
`quern.random`                     numbers and orders from a seed, the same on every device
`quern.model_selection`            train_test_split
`sum`, `prod`, `mean`, `var`       values joined along axes, as NumPy does; `std`, `min`, `max`, `ptp`,
                                   `argmin`, `argmax`, `count`, `count_nonzero`, `any`, `all`
`median`, `quantile`               exact quantiles by any of nine definitions; `percentile`
`cov`, `corrcoef`                  covariances and correlations of each two variables
`cumsum`, `cumprod`                sums and products on the way along an axis
`histogram`, `bincount`            values counted in bins; how often integers occur
`set_config`, `config_context`     device, threads, memory; `device`, `get_config`
`devices`, `pool`                  what is there; the device memory that is held
`output_memory`                    host memory of outputs, and what is kept of those that were freed
`last_report`                      where work ran, why, how long, and what moved
`from_sklearn`, `to_sklearn`       estimators of scikit-learn as quern's, and back; `to_model`, a file
`patch_sklearn`                    quern's classes in scikit-learn's place; `unpatch_sklearn`
`UnsupportedError`, `DeviceError`  what the library cannot do; a device that is not there
`quern._core`                      the library's C interface as objects
=================================  =================================================================

Importing the package loads the library and no driver; drivers are looked for when a context is opened.
Submodules are imported when they are first used.

Examples
--------
>>> import numpy as np
>>> import quern
>>> with quern.device("cpu"):
...     quern.preprocessing.StandardScaler().fit_transform(np.array([[1.0], [3.0]])).ravel()
array([-1.,  1.])
"""
import importlib as _importlib

from ._core import DeviceError, Model, Table, UnsupportedError
from ._core import version as __version__

_SUBMODULES = frozenset(("_core", "compose", "feature_selection", "impute", "interop", "model_selection",
                         "pipeline", "preprocessing", "random"))
_HOMES = {"config_context": "_config", "device": "_config", "get_config": "_config",
          "last_report": "_report", "set_config": "_config", "devices": "_devices", "pool": "_devices",
          "output_memory": "_memory",
          "from_sklearn": "interop", "to_model": "interop", "to_sklearn": "interop",
          "patch_sklearn": "_patch", "unpatch_sklearn": "_patch",
          "argsort": "_arrays", "digitize": "_arrays", "searchsorted": "_arrays", "sort": "_arrays",
          "top_k": "_arrays", "unique": "_arrays",
          "astype": "_moves", "compress": "_moves", "copy": "_moves", "flatnonzero": "_moves",
          "nonzero": "_moves", "take": "_moves", "transpose": "_moves", "where": "_moves",
          **dict.fromkeys(("all", "any", "argmax", "argmin", "count", "count_nonzero", "max", "mean", "min", "prod",
                           "ptp", "std", "sum", "var"), "_reductions"),
          **dict.fromkeys(("bincount", "histogram",), "_counts"),
          **dict.fromkeys(("cumprod", "cumsum",), "_accumulations"),
          **dict.fromkeys(("corrcoef", "cov"), "_covariance"),
          **dict.fromkeys(("median", "percentile", "quantile",), "_quantiles"),
          "fit": "_files", "read_csv": "_files", "run": "_files", "transform": "_files"}

__all__ = ["DeviceError", "Model", "Table", "UnsupportedError", "__version__", *sorted(_HOMES)]


def __getattr__(name):
    if name in _SUBMODULES:
        return _importlib.import_module("." + name, __name__)
    if name in _HOMES:
        return getattr(_importlib.import_module("." + _HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *_SUBMODULES})
