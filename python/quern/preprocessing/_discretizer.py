# SPDX-License-Identifier: Apache-2.0
"""KBinsDiscretizer."""
import numbers
import warnings

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import resample
from sklearn.utils.validation import (_check_feature_names_in, _check_sample_weight,
                                      check_is_fitted)

from .. import _config
from .._draw import fit_drawn, known_seed
from .._host import check_array, fit_context
from .._memory import empty
from .._sparse import as_scipy
from ..base import (Estimator, described, float_dtype, is_plain_matrix, learned, library_floats,
                    model_of, refuse_non_finite, table_of)
from ._one_hot import OneHotEncoder

_WEIGHABLE = ("averaged_inverted_cdf", "inverted_cdf")  # quantile methods that know weights
_WIDTH = 1e-8  # bins that are not wider are joined


@described
class KBinsDiscretizer(TransformerMixin, Estimator):
    """Say which bin of its column each value falls in.

    A bin reaches from its lower edge up to, not including, the next; values outside of the learned range
    belong to the first and the last bin.

    Parameters
    ----------
    n_bins : int or array-like of shape (n_features,), default=5
        How many bins each column has, at least 2.
    encode : {"onehot", "onehot-dense", "ordinal"}, default="onehot"
        What becomes of a bin's number: a sparse or a dense column of 0 and 1 for each bin, or the number.
    strategy : {"uniform", "quantile", "kmeans"}, default="quantile"
        Bins of one width, of equally many values, or of the values nearest to one of the centres that k-means
        finds.
    quantile_method : str, default="averaged_inverted_cdf"
        How a quantile lies between two values: a `method` of `numpy.percentile`.
    dtype : {numpy.float32, numpy.float64}, default=None
        Of the output; None: float32 for float32, else float64.
    subsample : int or None, default=200_000
        Fits of more rows learn from so many, drawn with replacement. None: from all.
    random_state : int, RandomState instance or None, default=None
        Where the draw starts.

    Attributes
    ----------
    bin_edges_ : ndarray of shape (n_features,), dtype object
        The edges of each column, ascending; of a constant column, -inf and inf.
    n_bins_ : ndarray of shape (n_features,), dtype int64
        Bins of each column: fewer than wanted where bins would not be wider than 1e-8.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.Binarizer : Two bins, with a threshold that is given.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.KBinsDiscretizer`; the same rows are drawn for the same
    `random_state`.

    Weights count as float64, for float32 columns too.

    Extremes, quantiles and the transform run on the configured device. k-means, which is scikit-learn's own,
    weighted quantiles and the way back are computed on the host.

    Examples
    --------
    >>> from quern.preprocessing import KBinsDiscretizer
    >>> X = [[-2.0, 1.0], [-1.0, 2.0], [0.0, 3.0], [1.0, 4.0]]
    >>> bins = KBinsDiscretizer(n_bins=3, encode="ordinal", strategy="uniform").fit(X)
    >>> bins.bin_edges_[0]
    array([-2., -1.,  0.,  1.])
    >>> bins.transform(X)
    array([[0., 0.],
           [1., 1.],
           [2., 2.],
           [2., 2.]])
    """

    _changes_width = True

    @fit_context
    def fit(self, X, y=None, sample_weight=None):
        """Learn the edges of the bins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts. Of the strategy "quantile" the two methods of the inverted distribution
            function know weights.

        Returns
        -------
        self : KBinsDiscretizer
            The fitted discretizer.

        Raises
        ------
        ValueError
            A parameter is not one of those above, or does not fit the columns or the weights; or X has
            missing values, infinities, no row or no column, or cells that are no numbers; or there is not one
            weight for each row, one is negative or not finite, or all are 0.
        TypeError
            X is sparse.

        Warns
        -----
        UserWarning
            A column is constant, or some of its bins are joined.
        """
        X = self._validated(X, sample_weight is None and self.strategy != "kmeans", True, dtype="numeric")
        output_dtype = X.dtype if self.dtype is None else self.dtype
        draws = self.subsample is not None and X.shape[0] > self.subsample
        given = None if sample_weight is None else _check_sample_weight(
            sample_weight, X, dtype=X.dtype if draws else np.float64, ensure_non_negative=True)
        if draws and self.strategy == "kmeans":
            X = resample(X, replace=True, n_samples=self.subsample, random_state=self.random_state,
                         sample_weight=given)
        weights = None if draws else given  # a draw goes by them
        n_bins = self._wanted_bins(X.shape[1])
        if (self.strategy == "quantile" and weights is not None
                and self.quantile_method not in _WEIGHABLE):
            raise ValueError("When fitting with strategy='quantile' and sample weights, "
                             "quantile_method should either be set to 'averaged_inverted_cdf' or "
                             f"'inverted_cdf', got quantile_method='{self.quantile_method}' instead.")
        if self.strategy == "kmeans":
            edges = [self._edges_by_means(X[:, j], n, weights) for j, n in enumerate(n_bins)]
        else:
            edges = self._learned_edges(X, given, weights)
        self._take_edges(edges, n_bins)
        if "onehot" in self.encode:
            self._encoder = OneHotEncoder(
                categories=[np.arange(n) for n in self.n_bins_],
                sparse_output=self.encode == "onehot", dtype=output_dtype)
            self._encoder.fit(np.zeros((1, len(self.n_bins_))))
        elif "_encoder" in self.__dict__:
            del self._encoder
        return self

    def _wanted_bins(self, width):
        if isinstance(self.n_bins, numbers.Integral):
            return np.full(width, self.n_bins, dtype=int)
        n_bins = check_array(self.n_bins, dtype=int, copy=True, ensure_2d=False)
        if n_bins.ndim > 1 or n_bins.shape[0] != width:
            raise ValueError("n_bins must be a scalar or array of shape (n_features,).")
        wrong = np.flatnonzero((n_bins < 2) | (n_bins != self.n_bins))
        if wrong.size:
            raise ValueError(f"KBinsDiscretizer received an invalid number of bins at indices "
                             f"{', '.join(map(str, wrong))}. Number of bins must be at least 2, and "
                             "must be an int.")
        return n_bins

    def _learned_edges(self, X, given, weights):
        """given: what rows are drawn by, or count; weights: what the rows that are learned from count."""
        try:
            with _config.warns_itself("KBinsDiscretizer"):
                found = learned(fit_drawn(self, library_floats(X), replace=True, weights=given))
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=False)
        ends = np.cumsum(found["n_bins_"] + 1)[:-1]
        edges = [one.copy() for one in np.split(found["bin_edges_"], ends)]
        if X.dtype == np.float32 and (self.strategy == "uniform" or weights is not None):  # as there
            edges = [one if np.isinf(one[0]) else one.astype(np.float32) for one in edges]
        return edges

    @staticmethod
    def _edges_by_means(column, n_bins, weights):
        """The edges of a column by scikit-learn's k-means."""
        counts = slice(None) if weights is None else weights != 0
        low, high = column[counts].min(), column[counts].max()
        if low == high:
            return np.array([-np.inf, np.inf])
        from sklearn.cluster import KMeans
        edges = np.linspace(low, high, n_bins + 1)
        start = (edges[1:] + edges[:-1])[:, None] * 0.5
        means = KMeans(n_clusters=n_bins, init=start, n_init=1)
        centers = np.sort(means.fit(column[:, None], sample_weight=weights).cluster_centers_[:, 0])
        edges = np.r_[low, (centers[1:] + centers[:-1]) * 0.5, high]
        return edges[np.ediff1d(edges, to_begin=np.inf) > _WIDTH]

    def _take_edges(self, edges, wanted):
        self.bin_edges_ = np.zeros(len(edges), dtype=object)
        self.n_bins_ = np.array([len(one) - 1 for one in edges], dtype=wanted.dtype)
        for j, one in enumerate(edges):
            self.bin_edges_[j] = one
            if np.isinf(one[0]):
                warnings.warn(f"Feature {j} is constant and will be replaced with 0.")
            elif self.n_bins_[j] != wanted[j]:
                warnings.warn("Bins whose width are too small (i.e., <= 1e-8) in feature "
                              f"{j} are removed. Consider decreasing the number of bins.")

    # -- the model --

    def _json(self):
        words = super()._json()
        words["dtype"] = None if self.dtype is None else np.dtype(self.dtype).name
        words["random_state"] = known_seed(self.random_state)
        if not isinstance(self.n_bins, numbers.Integral):
            words["n_bins"] = [int(n) for n in np.asarray(self.n_bins)]
        return words

    def _tensors_for(self, types):
        edges = [np.asarray(one, np.float64) for one in self.bin_edges_]
        return {"bin_edges_": np.concatenate(edges),
                "n_bins_": np.array([len(one) - 1 for one in edges], np.int64)}

    def _fused_key(self):
        tensors = self._tensors_for(None)
        return (super()._fused_key(), *(value.tobytes() for value in tensors.values()))

    def transform(self, X):
        """Give the bins of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_out : {sparse matrix, ndarray} of shape (n_samples, n_features or sum of n_bins_)
            Numbers of bins, or columns of 0 and 1: CSR with `encode` "onehot".

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has missing values, infinities, another number of columns or other names than the fit saw, or
            cells that are no numbers.
        TypeError
            X is sparse.
        """
        check_is_fitted(self)
        floats = (np.float64, np.float32)
        dtype = floats if self.dtype is None or is_plain_matrix(X) else self.dtype
        X = self._validated(X, True, False, whole=True, dtype=dtype)
        model = self._remembered(self._fused_key(), X.dtype.name, lambda: model_of(
            self, X.dtype.name, self.n_features_in_, self._tensors_for(None), True))
        out_dtype = float_dtype(X) if self.dtype is None else np.dtype(self.dtype)
        try:
            if self.encode == "onehot":
                made = model.transform(self._context(), table_of(X), sparse=True)
                return as_scipy(made, out_dtype)
            width = X.shape[1] if self.encode == "ordinal" else int(np.sum(self.n_bins_))
            out = empty((X.shape[0], width), out_dtype)
            model.transform(self._context(), table_of(X), out=out)
        except ValueError as error:
            refuse_non_finite(error, X, self, allow_nan=False)
        return out

    # -- the way back, and names --

    def inverse_transform(self, X):
        """Give the middle of each bin.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features or sum of n_bins_)
            What `transform` gave.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            For each value the middle of its bin.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has another number of columns than `transform` gives, missing values or infinities.
        IndexError
            There is no bin of a number that X has.

        Examples
        --------
        >>> from quern.preprocessing import KBinsDiscretizer
        >>> bins = KBinsDiscretizer(2, encode="ordinal", strategy="uniform").fit([[0.0], [4.0]])
        >>> bins.inverse_transform([[0.0], [1.0]])
        array([[1.],
               [3.]])
        """
        check_is_fitted(self)
        if "onehot" in self.encode:
            X = self._encoder.inverse_transform(X)
        out = check_array(X, copy=True, dtype=(np.float64, np.float32))
        width = self.n_bins_.shape[0]
        if out.shape[1] != width:
            raise ValueError("Incorrect number of features. Expecting {}, received {}.".format(
                width, out.shape[1]))
        for j, edges in enumerate(self.bin_edges_):
            out[:, j] = ((edges[1:] + edges[:-1]) * 0.5)[out[:, j].astype(np.int64)]
        return out

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
        return self._encoder.get_feature_names_out(names) if "_encoder" in self.__dict__ else names
