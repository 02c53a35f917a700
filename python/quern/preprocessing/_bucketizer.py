# SPDX-License-Identifier: Apache-2.0
"""Bucketizer."""
import numpy as np
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._host import fit_context
from ..base import described
from ._columns import Columns


def _ends(edges):
    """A list of edges as the spec has it: infinite ends are null."""
    found = [None if v is None else float(v) for v in edges]
    for at in (0, -1):
        if found and found[at] in (-np.inf, np.inf):
            found[at] = None
    return found


@described
class Bucketizer(Columns):
    """Say in which bin, of edges that are given, each value lies.

    Nothing is learned.

    Parameters
    ----------
    edges : array-like of shape (n_edges,) or list of array-likes, default=None
        The edges of the bins, ascending, at least two: one list for all columns, or one for each. The first and the
        last may be infinite, or None, which means the same. They must be given.
    encode : {"ordinal", "onehot", "onehot-dense"}, default="ordinal"
        What becomes of a bin's number: the number, or a column of 0 and 1 for each bin, sparse or dense.
    closed : {"left", "right"}, default="left"
        The side of a bin whose edge belongs to it. The outermost edge of the other side belongs to its bin too.
    outside : {"error", "clip", "keep"}, default="error"
        Values outside of the edges are an error, belong to the nearest bin, or get two more bins, the first and the
        last.
    handle_missing : {"error", "keep"}, default="error"
        Missing values (NaN) are an error, or are kept: NaN for "ordinal", in no column of "onehot".
    dtype : {numpy.float32, numpy.float64}, default=None
        Of the output; None: float32 for float32, else float64.

    Attributes
    ----------
    n_bins_ : ndarray of shape (n_features,), dtype int64
        Bins of each column, with those outside of the edges.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.KBinsDiscretizer : Learns the edges.
    quern.preprocessing.Binarizer : Two bins.

    Notes
    -----
    Scikit-learn has no such class; the meaning is that of Spark's Bucketizer and of `pandas.cut`. Values are compared
    in their own dtype with the edges as they are, so that 0.1 in float32 is not below the edge 0.1.

    The transform runs on the configured device.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import Bucketizer
    >>> ages = Bucketizer([0, 18, 65, np.inf])
    >>> ages.fit_transform([[3.0], [18.0], [70.0]]).ravel()
    array([0., 1., 2.])
    >>> Bucketizer([0, 1], outside="keep", encode="onehot-dense").fit_transform([[-5.0], [0.5]])
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """

    @property
    def _changes_width(self):
        return self.encode != "ordinal"

    def _gives_sparse(self):
        return self.encode == "onehot"

    def _finite(self):
        return "allow-nan" if self.handle_missing == "keep" else True

    def _edges(self):
        """Lists, one for all columns or one for each."""
        if self.edges is None:
            raise ValueError("Bucketizer needs edges")
        per_column = len(self.edges) > 0 and np.ndim(self.edges[0]) > 0
        return [_ends(one) for one in self.edges] if per_column else _ends(self.edges)

    def _json(self):
        return super()._json() | {"edges": self._edges(),
                                  "dtype": None if self.dtype is None else np.dtype(self.dtype).name}

    @fit_context
    def fit(self, X, y=None):
        """Check the edges and X; nothing is learned but the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, whose number and names of columns later rows must have.
        y : None
            Not used.

        Returns
        -------
        self : Bucketizer
            The same estimator.

        Raises
        ------
        ValueError
            Edges are missing, do not ascend or are no numbers, or there is not one list for each column; or X has
            infinities, missing values that are an error, no row or no column, or cells that are no numbers.
        TypeError
            X is sparse.
        """
        X = self._validated(X, False, True, dtype=self._dtypes, ensure_all_finite=self._finite())
        self._found(X)
        self._count(X.shape[1])
        return self

    def _count(self, width):
        edges = self._edges()
        lists = edges if isinstance(edges[0], list) else [edges] * width
        self.n_bins_ = np.array([len(one) - 1 + 2 * (self.outside == "keep") for one in lists])

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of str objects
            The names themselves for `encode` "ordinal", else ``name_number`` of each bin.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        """
        check_is_fitted(self, "n_features_in_")
        names = _check_feature_names_in(self, input_features)
        if self.encode == "ordinal":
            return names
        return np.asarray([f"{name}_{k}" for name, n in zip(names, self.n_bins_) for k in range(n)], dtype=object)

    # -- as a part of a larger model --

    def _output_types(self, types):
        return super()._output_types(types) if self.dtype is None else [np.dtype(self.dtype)] * len(types)

    def _output_width(self, width):
        return width if self.encode == "ordinal" else int(np.sum(self.n_bins_))

    def _adopt(self, found, types, rows):
        self._count(len(types))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.handle_missing == "keep"
        return tags
