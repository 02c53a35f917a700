# SPDX-License-Identifier: Apache-2.0
"""What counts as missing."""
import numbers

from sklearn.utils._missing import is_pandas_na, is_scalar_nan


def is_nan(marker):
    """Whether it is NaN, in one of its two forms."""
    return is_pandas_na(marker) or is_scalar_nan(marker)


def as_spec(marker):
    """A number among numbers, as the spec has it."""
    if is_nan(marker):
        return None
    return int(marker) if isinstance(marker, numbers.Integral) else float(marker)


def check_numbers(X, marker):
    """Refuses columns of numbers and a marker that is none."""
    if X.dtype.kind in "fiu" and not is_pandas_na(marker) and not isinstance(marker, numbers.Real):
        raise ValueError("'X' and 'missing_values' types are expected to be both numerical. "
                         f"Got X.dtype={X.dtype} and  type(missing_values)={type(marker)}.")
