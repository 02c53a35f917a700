# SPDX-License-Identifier: Apache-2.0
"""SplineTransformer."""
import json

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.base import TransformerMixin
from sklearn.utils.validation import (FLOAT_DTYPES, _check_feature_names_in, _check_sample_weight,
                                      assert_all_finite, check_is_fitted)

from .. import _core
from .._host import check_array, fit_context
from .._memory import empty
from .._sparse import as_configured, as_scipy
from ..base import (Estimator, described, float_dtype, is_whole_matrix, learned, library_floats,
                    model_of, refuse_non_finite, table_of)

_MOST = 31  # the library's greatest degree


@described
class SplineTransformer(TransformerMixin, Estimator):
    """Make columns of B-spline basis functions of each column.

    Between two neighbouring knots a function is a polynomial. A linear model of the functions is a smooth
    curve of the column.

    Parameters
    ----------
    n_knots : int, default=5
        How many knots each column has, at least 2. Not used if `knots` is an array.
    degree : int, default=3
        The degree of the polynomials.
    knots : {"uniform", "quantile"} or array-like of shape (n_knots, n_features), default="uniform"
        Where the knots are: equally far apart from the least to the greatest value of a column; with equally
        many values between them; or there, sorted. `degree` more are added at each end.
    extrapolation : {"error", "constant", "linear", "continue", "periodic"}, default="constant"
        What the functions are for values below the first knot and above the last: an error; what they are at
        that knot; straight lines, which begin there with the slope that they have there; the polynomials of
        the first or last stretch; or what they are a period (from the first knot to the last) further inside.
    include_bias : bool, default=True
        Keep the last function of each column. For each value the functions add up to 1.
    order : {"C", "F"}, default="C"
        How dense outputs lie in memory.
    handle_missing : {"error", "zeros"}, default="error"
        Whether missing values are an error, or all functions are 0 for them.
    sparse_output : bool, default=False
        Give a CSR matrix, which is of float64, rather than an array.

    Attributes
    ----------
    bsplines_ : list of scipy.interpolate.BSpline
        For each column the functions, as one spline of as many dimensions.
    n_features_out_ : int
        Number of output columns.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    See Also
    --------
    quern.preprocessing.KBinsDiscretizer : Bins, which are steps instead of curves.
    quern.preprocessing.PolynomialFeatures : Powers and products.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.SplineTransformer`, and the bits are. Degrees above 31, and
    splines that somebody put into `bsplines_` that no fit makes, are computed by SciPy on the host. Sparse
    outputs do not store zeros. With `extrapolation` "constant" and the degree 0, all functions are 0 outside:
    scikit-learn has that below the first knot, and fails above the last. Knots at weighted quantiles of float32
    columns become float64, with which scikit-learn's transform fails, and weights are added up in float64 there too.

    Extremes, quantiles and the transform are computed on the configured device, weighted quantiles on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import SplineTransformer
    >>> X = np.arange(4.0).reshape(4, 1)
    >>> spline = SplineTransformer(degree=1, n_knots=3).fit(X)
    >>> spline.transform([[0.0], [1.5], [2.25]])
    array([[1. , 0. , 0. ],
           [0. , 1. , 0. ],
           [0. , 0.5, 0.5]])
    >>> spline.get_feature_names_out()
    array(['x0_sp_0', 'x0_sp_1', 'x0_sp_2'], dtype=object)
    """

    _changes_width = True

    @property
    def _fusable(self):
        return not self.sparse_output and self.degree <= _MOST

    @fit_context
    def fit(self, X, y=None, sample_weight=None):
        """Learn the knots.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Two rows or more.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts for knots at quantiles; for equally spaced knots, rows of weight 0 do not
            count.

        Returns
        -------
        self : SplineTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            A parameter is not one of those above; there are no more knots than the degree of periodic splines;
            knots that are given are not sorted, or not those of the columns; or X has missing values (unless
            `handle_missing` is "zeros"), infinities, one row or none, no column, or cells that are no numbers;
            or there is not one weight for each row, one is negative or not finite, or all are 0.
        TypeError
            X is sparse.
        """
        lazily = sample_weight is None and isinstance(self.knots, str) and getattr(X, "shape", (0,))[0] > 1
        X = self._entering(X, lazily, True, ensure_min_samples=2)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if isinstance(self.knots, str):
            base = self._learned_knots(X, sample_weight)
        else:
            base = check_array(self.knots, dtype=np.float64)
            if base.shape[0] < 2:
                raise ValueError("Number of knots, knots.shape[0], must be >= 2.")
            if base.shape[1] != X.shape[1]:
                raise ValueError("knots.shape[1] == n_features is violated.")
            if not np.all(np.diff(base, axis=0) > 0):
                raise ValueError("knots must be sorted without duplicates.")
        self._take(self._all_knots(base))
        return self

    def _entering(self, X, lazily, reset, **options):
        """X after the checks, which the library may make on its own way (lazily)."""
        missing = self.handle_missing == "zeros"
        try:
            return self._validated(X, lazily, reset, ensure_all_finite="allow-nan" if missing else True,
                                   **options)
        except ValueError as error:
            if reset and not missing and "Input X contains NaN." in str(error):
                raise ValueError(_MISSING) from error
            raise

    @classmethod
    def _get_base_knot_positions(cls, X, n_knots=10, knots="uniform", sample_weight=None):
        """The knots that a fit would learn."""
        return cls(n_knots, knots=knots, handle_missing="zeros")._learned_knots(X, sample_weight)

    def _learned_knots(self, X, weights):
        n = self.n_knots
        if self.extrapolation == "periodic" and n <= self.degree:
            self._refuse_period(n)
        if weights is None and self.knots == "quantile" and X.dtype == np.float16:
            return np.asarray(np.nanpercentile(X, 100 * np.linspace(0, 1, n), axis=0), np.float64)
        if X.shape[0] == 1:  # the library wants two
            X, weights = np.repeat(X, 2, axis=0), None if weights is None else np.repeat(weights, 2)
        given = library_floats(X) if X.dtype.kind == "f" or is_whole_matrix(X) else np.asarray(X, np.float64)
        words = {"n_knots": int(n), "knots": self.knots, "degree": 0, "handle_missing": self.handle_missing}
        pipeline = _core.Pipeline(json.dumps(
            {"quern": 1, "steps": [{"columns": "*", "apply": [{"SplineTransformer": words}]}]}))
        try:
            table = table_of(given)
            if weights is not None:
                table.set_weights(np.ascontiguousarray(weights, np.float64))
            found = learned(pipeline.fit(self._context(), table))["knots_"]
        except ValueError as error:
            self._refuse(error, X)
        return found.reshape(n, X.shape[1])

    def _refuse(self, error, X):
        """What scikit-learn says when the fit finds what must not be there."""
        try:
            refuse_non_finite(error, X, self, allow_nan=self.handle_missing == "zeros")
        except ValueError as refused:
            if "Input X contains NaN." in str(refused):
                raise ValueError(_MISSING) from refused
            raise

    def _refuse_period(self, n):
        raise ValueError(f"Periodic splines require degree < n_knots. Got n_knots={n} and "
                         f"degree={self.degree}.")

    def _all_knots(self, base):
        """The base knots, with those beyond."""
        degree = int(self.degree)
        if self.extrapolation == "periodic":
            if base.shape[0] <= degree:
                self._refuse_period(base.shape[0])
            period = base[-1] - base[0]
            return np.concatenate([base[-(degree + 1):-1] - period, base, base[1:degree + 1] + period])
        first, last = base[1] - base[0], base[-1] - base[-2]
        return np.concatenate([np.linspace(base[0] - degree * first, base[0] - first, num=degree), base,
                               np.linspace(base[-1] + last, base[-1] + degree * last, num=degree)])

    def _coefficients(self, knots):
        """Those with which a spline is its basis functions."""
        degree = int(self.degree)
        if self.extrapolation != "periodic":
            return np.eye(knots - degree - 1)
        one = np.eye(max(knots - 2 * degree - 1, 0))
        return np.concatenate((one, one[:degree]))

    def _take(self, knots):
        coefficients = self._coefficients(knots.shape[0])
        functions = coefficients.shape[1]
        on = self.extrapolation in ("periodic", "continue")
        self.bsplines_ = [BSpline.construct_fast(np.ascontiguousarray(knots[:, j]), coefficients, self.degree,
                                                 extrapolate=on) for j in range(knots.shape[1])]
        self.n_features_out_ = knots.shape[1] * (functions - (not self.include_bias))

    # -- the model --

    def _knots_of(self):
        """All knots, a column for each column; None: they are not such as the library computes with."""
        splines = self.bsplines_
        shape = np.shape(splines[0].t)
        if any(np.shape(one.t) != shape or one.k != self.degree for one in splines):
            return None
        least = 2 * int(self.degree) + 2
        if self.degree > _MOST or shape[0] < least:
            return None
        wanted = self._coefficients(shape[0])
        first = splines[0].c
        if not np.array_equal(first, wanted) or any(one.c is not first and not np.array_equal(one.c, wanted)
                                                    for one in splines):
            return None
        return np.stack([np.asarray(one.t, np.float64) for one in splines], axis=1)

    def _json(self):
        words = super()._json()
        if not isinstance(self.knots, str):
            words["knots"] = check_array(self.knots, dtype=np.float64).tolist()
        return words

    def _tensors_for(self, types):
        return {"knots_": np.ascontiguousarray(self._knots_of()).ravel()}

    def _fused_key(self):
        return (super()._fused_key(), self._tensors_for(None)["knots_"].tobytes())

    def _output_width(self, width):
        return self.n_features_out_

    def _adopt(self, found, types, rows):
        self._take(found["knots_"].reshape(-1, len(types)))

    # -- transforming --

    def transform(self, X):
        """Give the functions' values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        XBS : {ndarray, sparse matrix} of shape (n_samples, n_features_out_)
            The functions of the first column, then those of the second, and so on; in the dtype of X if that
            is a float, else float64.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            X has missing values (unless `handle_missing` is "zeros"), infinities, another number of columns
            or other names than the fit saw, cells that are no numbers, or, with `extrapolation` "error", values
            beyond the knots.
        TypeError
            X is sparse.
        """
        check_is_fitted(self)
        X = self._entering(X, True, False)
        dtype = X.dtype if X.dtype in FLOAT_DTYPES else np.dtype(np.float64)
        knots = self._knots_of()
        if knots is None:
            return self._by_scipy(X, dtype)
        readable = X.dtype in (np.float64, np.float32) or is_whole_matrix(X)
        given = X if readable else np.asarray(X, np.float64)
        key = (super()._fused_key(), knots.tobytes())
        model = self._remembered(key, given.dtype.name, lambda: model_of(
            self, given.dtype.name, self.n_features_in_, {"knots_": knots.ravel()}, True))
        try:
            if self.sparse_output:
                return as_scipy(model.transform(self._context(), table_of(given), sparse=True), np.float64)
            out = empty((X.shape[0], self._output_width(X.shape[1])), float_dtype(given))
            if out.size:
                model.transform(self._context(), table_of(given), out=out)
        except ValueError as error:
            if "beyond the limits of the knots" in str(error):
                assert_all_finite(X, allow_nan=self.handle_missing == "zeros",
                                  estimator_name="SplineTransformer", input_name="X")
                raise ValueError(("Out of bounds: " if self.sparse_output else "")
                                 + "`X` contains values beyond the limits of the knots.") from error
            refuse_non_finite(error, X, self, allow_nan=self.handle_missing == "zeros")
        out = out.astype(dtype, copy=False)
        return np.asfortranarray(out) if self.order == "F" else out

    def _by_scipy(self, X, dtype):
        """The same by SciPy: splines that the library has not."""
        assert_all_finite(X, allow_nan=self.handle_missing == "zeros", estimator_name="SplineTransformer",
                          input_name="X")
        out = [self._column_by_scipy(spline, np.asarray(X[:, j], np.float64))
               for j, spline in enumerate(self.bsplines_)]
        out = np.concatenate([one if self.include_bias else one[:, :-1] for one in out], axis=1)
        if self.sparse_output:
            return as_configured(sparse.csr_array(out))
        return out.astype(dtype, order=self.order)

    def _column_by_scipy(self, spline, x):
        degree, some = spline.k, spline.k + (self.extrapolation == "linear" and spline.k <= 1)
        first, last = spline.t[degree], spline.t[-degree - 1]
        missing = np.isnan(x)
        if self.extrapolation == "periodic":
            x = first + (x - first) % (last - first) if last > first else np.zeros_like(x)
        inside = (first <= x) & (x <= last)
        if self.extrapolation == "error" and not np.all(inside | missing):
            raise ValueError("`X` contains values beyond the limits of the knots.")
        if self.extrapolation in ("periodic", "continue"):
            inside = ~missing
        out = np.zeros((len(x), spline.c.shape[1]))
        out[inside] = spline(x[inside])
        below, above, n = x < first, x > last, out.shape[1]
        for edge, beyond, columns in ((first, below, slice(0, some)), (last, above, slice(n - some, n))):
            if self.extrapolation == "constant":
                out[beyond, columns] = spline(edge)[columns]
            if self.extrapolation == "linear":
                out[beyond, columns] = (spline(edge)[columns]
                                        + (x[beyond, None] - edge) * spline(edge, nu=1)[columns])
        return out

    def get_feature_names_out(self, input_features=None):
        """Name the output columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those of the fit, or ``x0``, ``x1``, ….

        Returns
        -------
        feature_names_out : ndarray of str objects
            ``name_sp_0``, ``name_sp_1``, … for each column.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            There is not one name for each column, or they are not those of the fit.
        """
        check_is_fitted(self, "n_features_in_")
        functions = self.bsplines_[0].c.shape[1] - (not self.include_bias)
        given = _check_feature_names_in(self, input_features)
        return np.asarray([f"{name}_sp_{j}" for name in given for j in range(functions)], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.handle_missing == "zeros"
        return tags


_MISSING = ("Input X contains NaN values and `SplineTransformer` is configured to error in this case "
            "(handle_missing='error'). To avoid this error, set handle_missing='zeros' to encode missing values "
            "as splines with value 0 or ensure no missing values in X.")


__all__ = ["SplineTransformer"]
