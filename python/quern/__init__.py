# SPDX-License-Identifier: Apache-2.0
"""quern: scikit-learn's preprocessing on the CPU, an OpenCL device or a CUDA GPU.

Importing this package loads the library and no driver; drivers are looked for when a context is
opened. Submodules are imported when they are first used."""
import importlib as _importlib

from ._core import DeviceError, Model, Table, UnsupportedError
from ._core import version as __version__

_SUBMODULES = frozenset(("_core", "compose", "feature_selection", "impute", "interop", "pipeline", "preprocessing"))
_HOMES = {"config_context": "_config", "device": "_config", "get_config": "_config",
          "last_report": "_config", "set_config": "_config",
          "from_sklearn": "interop", "to_model": "interop", "to_sklearn": "interop",
          "patch_sklearn": "_patch", "unpatch_sklearn": "_patch",
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
