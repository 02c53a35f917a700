# SPDX-License-Identifier: Apache-2.0
from . import _core as _core
from . import compose as compose
from . import feature_selection as feature_selection
from . import impute as impute
from . import interop as interop
from . import model_selection as model_selection
from . import pipeline as pipeline
from . import preprocessing as preprocessing
from . import random as random
from ._arrays import argsort as argsort
from ._arrays import digitize as digitize
from ._arrays import searchsorted as searchsorted
from ._arrays import sort as sort
from ._arrays import top_k as top_k
from ._arrays import unique as unique
from ._reductions import all as all
from ._reductions import any as any
from ._reductions import argmax as argmax
from ._reductions import argmin as argmin
from ._reductions import count as count
from ._reductions import count_nonzero as count_nonzero
from ._reductions import max as max
from ._reductions import mean as mean
from ._reductions import min as min
from ._reductions import prod as prod
from ._reductions import ptp as ptp
from ._reductions import std as std
from ._reductions import sum as sum
from ._reductions import var as var
from ._counts import bincount as bincount
from ._counts import histogram as histogram
from ._covariance import corrcoef as corrcoef
from ._covariance import cov as cov
from ._accumulations import cumprod as cumprod
from ._accumulations import cumsum as cumsum
from ._quantiles import median as median
from ._quantiles import percentile as percentile
from ._quantiles import quantile as quantile
from ._config import config_context as config_context
from ._config import device as device
from ._config import get_config as get_config
from ._config import set_config as set_config
from ._core import DeviceError as DeviceError
from ._core import Model as Model
from ._core import Table as Table
from ._core import UnsupportedError as UnsupportedError
from ._devices import devices as devices
from ._devices import pool as pool
from ._files import fit as fit
from ._files import read_csv as read_csv
from ._files import run as run
from ._files import transform as transform
from ._memory import output_memory as output_memory
from ._moves import astype as astype
from ._moves import compress as compress
from ._moves import copy as copy
from ._moves import flatnonzero as flatnonzero
from ._moves import nonzero as nonzero
from ._moves import take as take
from ._moves import transpose as transpose
from ._moves import where as where
from ._patch import patch_sklearn as patch_sklearn
from ._patch import unpatch_sklearn as unpatch_sklearn
from ._report import last_report as last_report
from .interop import from_sklearn as from_sklearn
from .interop import to_model as to_model
from .interop import to_sklearn as to_sklearn

__version__: str
__all__ = ["DeviceError", "Model", "Table", "UnsupportedError", "__version__", "all", "any", "argmax", "argmin",
           "argsort", "astype", "bincount", "compress", "config_context", "copy", "corrcoef", "count", "count_nonzero",
           "cov", "cumprod", "cumsum", "device", "devices", "digitize", "fit", "flatnonzero", "from_sklearn",
           "get_config", "histogram", "last_report", "max", "mean", "median", "min", "nonzero", "output_memory",
           "patch_sklearn", "percentile", "pool", "prod", "ptp", "quantile", "read_csv", "run", "searchsorted", "set_config",
           "sort", "std", "sum", "take", "to_model", "to_sklearn", "top_k", "transform", "transpose", "unique",
           "unpatch_sklearn", "var", "where"]
