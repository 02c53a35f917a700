# SPDX-License-Identifier: Apache-2.0
"""What estimators of columns of numbers have in common that scikit-learn has no class for."""
import numbers

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from .._memory import empty
from .._sparse import as_scipy
from ..base import Estimator, as_given, library_floats, model_of, refuse_non_finite, table_of


def numbers_of(value, name, width=None):
    """A parameter that is None, a number, or one of these per column, as the spec has it; infinite: None."""
    if value is None or isinstance(value, numbers.Real):
        return _number(value, name)
    found = [_number(v, name) for v in value]
    if width is not None and len(found) != width:
        raise ValueError(f"{name} has {len(found)} numbers for {width} columns")
    return found


def _number(value, name):
    if value is None:
        return None
    if not isinstance(value, numbers.Real) or value != value:
        raise ValueError(f"{name} must be None, a number, or one of these per column, got {value!r}")
    return None if np.isinf(value) else float(value)


class Columns(TransformerMixin, Estimator):
    """Estimators whose fit and transform are the library's over all columns."""

    _fusable = True
    _dtypes = FLOAT_DTYPES  # that validate_data keeps

    def _finite(self):
        """What `ensure_all_finite` is to be."""
        return "allow-nan"

    def _checked(self, X, in_fit):
        return self._validated(X, True, in_fit, whole=True, dtype=self._dtypes, ensure_all_finite=self._finite())

    def _found(self, X, pipeline=None):
        """The model that the library learns of X."""
        pipeline = self._pipeline() if pipeline is None else pipeline
        try:
            return pipeline.fit(self._context(), table_of(library_floats(X)))
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=self._finite() == "allow-nan")

    def transform(self, X):
        """Transform rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_output_features)
            What the class says.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has infinities, values that the class refuses, cells that are no numbers, or other columns than
            the fit saw.
        TypeError
            X is sparse.

        Notes
        -----
        It runs on the configured device; at most 32 rows, where that is the CPU, by the short way that serves
        rows. The bits are the same everywhere.
        """
        out = self._served(X)
        if out is not None:
            return out
        check_is_fitted(self)
        given, X = X, self._checked(X, False)
        rows = library_floats(X)
        model = self._remembered(self._fused_key(), rows.dtype.name, lambda: model_of(
            self, rows.dtype.name, X.shape[1], self._tensors_for(None), True))
        try:
            if self._gives_sparse():
                made = model.transform(self._context(), table_of(rows), sparse=True)
                return as_scipy(made, np.dtype(model.output_type))
            out = empty((X.shape[0], self._output_width(X.shape[1])), model.output_type)
            model.transform(self._context(), table_of(rows), out=out)
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=self._finite() == "allow-nan")
        if X.dtype == np.float16:
            return as_given(out, X.dtype)
        self._will_serve(given, out, model)
        return out
