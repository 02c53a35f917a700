# SPDX-License-Identifier: Apache-2.0
"""Clipper."""
import numpy as np
from sklearn.base import OneToOneFeatureMixin

from .._host import fit_context
from ..base import described
from ._columns import Columns, numbers_of


@described
class Clipper(OneToOneFeatureMixin, Columns):
    """Limit columns to bounds that are given.

    Smaller values become the lower bound, greater ones the upper. Missing values (NaN) stay where they are.

    Parameters
    ----------
    lower : float, array-like of shape (n_features,) or None, default=None
        The lower bound: one for all columns, or one for each; None, or None for a column, is no bound.
    upper : float, array-like of shape (n_features,) or None, default=None
        The upper bound, in the same way.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.Winsorizer : Learns the bounds.

    Notes
    -----
    Scikit-learn has no such class; the meaning is that of `pandas.DataFrame.clip`, and the bits are
    `numpy.clip`'s. Floats keep their dtype; integers too, where all bounds are whole numbers, but for uint64,
    which becomes float64 as booleans do.

    The transform runs on the configured device.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import Clipper
    >>> clipper = Clipper(lower=0, upper=[10, None])
    >>> clipper.fit_transform(np.array([[-1.0, 5.0], [12.0, 99.0]]))
    array([[ 0.,  5.],
           [10., 99.]])
    """

    _dtypes = "numeric"

    def _json(self):
        return {word: numbers_of(getattr(self, word), word) for word in ("lower", "upper")}

    @fit_context
    def fit(self, X, y=None):
        """Check the bounds and X; nothing is learned but the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, whose number and names of columns later rows must have.
        y : None
            Not used.

        Returns
        -------
        self : Clipper
            The same estimator.

        Raises
        ------
        ValueError
            A bound is no number, a lower one is greater than the upper, or there is not one for each column; or X
            has infinities, no row or no column, or cells that are no numbers.
        TypeError
            X is sparse.
        """
        X = self._validated(X, False, True, dtype="numeric", ensure_all_finite="allow-nan")
        for word in ("lower", "upper"):
            numbers_of(getattr(self, word), word, X.shape[1])
        self._found(X)
        return self

    def _output_types(self, types):
        common = np.result_type(*types)
        bounds = np.array([v for one in self._json().values() for v in np.ravel(one) if v is not None])
        if common.kind != "f" and (common.kind == "b" or common == np.uint64 or np.any(bounds % 1)):
            common = np.dtype(np.float64)
        return [common] * len(types)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.requires_fit = False
        return tags
