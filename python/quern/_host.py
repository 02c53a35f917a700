# SPDX-License-Identifier: Apache-2.0
"""Scikit-learn's frame of a fit, without what is not wanted; its validation, which has a clear word for
arrays that are in a device's memory."""
import functools

from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.utils import check_array as _check_array
from sklearn.utils.validation import validate_data as _validate_data

_CUDA_TYPES = (2, 13)  # of DLPack: CUDA, CUDA managed


def cuda_protocol(given):
    """The protocol by which an object offers an array in CUDA memory; None: it offers none."""
    if hasattr(given, "__cuda_array_interface__"):
        return "__cuda_array_interface__"
    if hasattr(given, "__array_interface__") or not hasattr(given, "__dlpack_device__"):
        return None
    try:
        kind = int(given.__dlpack_device__()[0])
    except Exception:  # what an exporter has to say about that is heard when it is read
        return None
    return "__dlpack__" if kind in _CUDA_TYPES else None


def _saying_where(function, place, name):
    """The same function; where it fails, the argument at that place is looked at."""
    @functools.wraps(function)
    def checked(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            X = args[place] if len(args) > place else kwargs.get(name)
            protocol = None if type(X) in (str, type(None)) else cuda_protocol(X)
            if protocol is None:
                raise
            raise TypeError("estimators take arrays in host memory; this one is in CUDA memory "
                            f"({protocol}): copy it to the host, let scikit-learn dispatch on it "
                            "(array_api_dispatch=True), or see quern.fit and quern.transform") from error
    return checked


validate_data = _saying_where(_validate_data, 1, "X")
check_array = _saying_where(_check_array, 0, "array")


def heard(estimator):
    """Whether callbacks listen to its fits."""
    return "_skl_callbacks" in estimator.__dict__ or "_parent_callback_ctx" in estimator.__dict__


def fit_context(fit):
    """Scikit-learn's decorator of fits. Where nobody listens, it leaves nothing to be done but to look at
    the parameters: there are none of other estimators or functions within that it would let pass."""
    listened_to = _fit_context(prefer_skip_nested_validation=True)(fit)

    @functools.wraps(fit)
    def checked(estimator, *args, **words):
        if heard(estimator):
            return listened_to(estimator, *args, **words)
        if not get_config()["skip_parameter_validation"]:
            estimator._validate_params()
        return fit(estimator, *args, **words)
    return checked
