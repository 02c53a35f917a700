# SPDX-License-Identifier: Apache-2.0
"""CyclicalFeatures."""
import numpy as np
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._host import fit_context
from ..base import described, learned
from ._columns import Columns, numbers_of


@described
class CyclicalFeatures(Columns):
    """The sine and the cosine of columns that repeat: hours, months, angles.

    With a period of 24, the hour 23 lies beside the hour 0. Missing values (NaN) stay where they are.

    Parameters
    ----------
    max_values : float, array-like of shape (n_features,) or None, default=None
        The period: one for all columns, or one for each; None, or None for a column, is the greatest value of the
        column at the fit.
    drop_original : bool, default=False
        Leave the columns themselves out, which come first otherwise.

    Attributes
    ----------
    max_values_ : ndarray of shape (n_features,), dtype float64
        The periods.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    Scikit-learn has no such class; the meaning is that of feature-engine's CyclicalFeatures: the sine and the
    cosine of ``x * (2 * pi / max_values_)``. Both are computed in float64 and rounded once, for float32 too.

    Extremes and the transform run on the configured device.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import CyclicalFeatures
    >>> hours = CyclicalFeatures(max_values=24, drop_original=True).fit([[0.0], [23.0]])
    >>> hours.transform([[6.0], [23.0]]).round(3)
    array([[ 1.   ,  0.   ],
           [-0.259,  0.966]])
    >>> hours.get_feature_names_out(["hour"])
    array(['hour_sin', 'hour_cos'], dtype=object)
    """

    _changes_width = True

    def _json(self):
        return super()._json() | {"max_values": numbers_of(self.max_values, "max_values")}

    @fit_context
    def fit(self, X, y=None):
        """Learn the periods that are not given.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. float32 and float64 are read as they are; other numbers and booleans become float64.
        y : None
            Not used.

        Returns
        -------
        self : CyclicalFeatures
            The fitted estimator.

        Raises
        ------
        ValueError
            A period is 0 or no number, or there is not one for each column; or X has infinities, a column without
            values or with the greatest value 0 whose period is not given, no row or no column, or cells that are no
            numbers.
        TypeError
            X is sparse.
        """
        given = np.ravel([v for v in np.ravel(self.max_values) if v is not None])
        X = self._validated(X, given.size == 0, True, whole=True, dtype=self._dtypes, ensure_all_finite="allow-nan")
        numbers_of(self.max_values, "max_values", X.shape[1])
        self.max_values_ = learned(self._found(X))["max_values_"]
        return self

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of str objects
            The names themselves, unless they are dropped, then ``name_sin`` and ``name_cos`` of each.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        """
        check_is_fitted(self, "n_features_in_")
        names = _check_feature_names_in(self, input_features)
        waves = [f"{name}_{word}" for name in names for word in ("sin", "cos")]
        return np.asarray([*([] if self.drop_original else names), *waves], dtype=object)

    # -- as a part of a larger model --

    def _output_width(self, width):
        return (2 if self.drop_original else 3) * width

    def _adopt(self, found, types, rows):
        self.max_values_ = found["max_values_"]

    def _tensors_for(self, types):
        return {"max_values_": np.asarray(self.max_values_, np.float64)}

    def _fused_key(self):
        return (super()._fused_key(), np.asarray(self.max_values_).tobytes())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
