# SPDX-License-Identifier: Apache-2.0
"""KernelCenterer."""
import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted

from .._host import fit_context, validate_data
from ..base import Estimator, as_given, described, learned, library_floats, model_of, refuse_non_finite, table_of
from ._rowwise import packed_rows, rows_first


@described
class KernelCenterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Centre a kernel matrix as if its features were centred.

    A kernel K(x, z) is a product of features of x and z; the result is the product of the same features
    after the means over the training rows were taken from them. No feature need be computed for that.

    Attributes
    ----------
    K_fit_rows_ : ndarray of shape (n_samples,)
        Mean of each column of the kernel matrix of the fit.
    K_fit_all_ : float
        Mean of all its values.
    n_features_in_ : int
        Number of columns, which are the training rows.
    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the columns, if the fit saw a frame whose column names are all strings.

    Notes
    -----
    The meaning is that of `sklearn.preprocessing.KernelCenterer`, and given the same attributes the bits are:
    a row is summed in the order in which NumPy does for an array of the same memory layout. The attributes
    are exact to the last bits, where sums of float32 columns in float32 are not.

    The means are computed on the configured device, rows are centred on the host.

    Examples
    --------
    >>> import numpy as np
    >>> from quern.preprocessing import KernelCenterer
    >>> X = np.array([[1.0, -2.0, 2.0], [-2.0, 1.0, 3.0], [4.0, 1.0, -2.0]])
    >>> KernelCenterer().fit_transform(X @ X.T)
    array([[  5.,   0.,  -5.],
           [  0.,  14., -14.],
           [ -5., -14.,  19.]])
    """

    _follows = True
    # X is called K in these methods
    __metadata_request__transform = {"K": "$UNUSED$"}
    __metadata_request__fit = {"K": "$UNUSED$"}

    @fit_context
    def fit(self, K, y=None):
        """Learn the means.

        Parameters
        ----------
        K : array-like of shape (n_samples, n_samples)
            Kernel matrix of the training rows. All numbers but floats become float64.
        y : None
            Not used.

        Returns
        -------
        self : KernelCenterer
            The fitted estimator.

        Raises
        ------
        ValueError
            K is not square; or it has missing values, infinities, no row, or cells that are no numbers.
        """
        K = validate_data(self, K, dtype=FLOAT_DTYPES)
        if K.shape[0] != K.shape[1]:
            raise ValueError("Kernel matrix must be a square matrix. Input is a "
                             f"{K.shape[0]}x{K.shape[1]} matrix.")
        found = learned(self._pipeline().fit(self._context(), table_of(library_floats(K))))
        self.K_fit_rows_ = found["K_fit_rows_"].astype(K.dtype)
        self.K_fit_all_ = K.dtype.type(found["K_fit_all_"][0])
        return self

    def transform(self, K, copy=True):
        """Centre rows of a kernel matrix.

        Parameters
        ----------
        K : array-like of shape (n_samples1, n_samples2)
            The kernel of rows with the training rows.
        copy : bool, default=True
            False: write into K where it is a float array.

        Returns
        -------
        K_new : ndarray of shape (n_samples1, n_samples2)
            The centred kernel, in the dtype of K if that is a float, else float64.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing was fitted.
        ValueError
            K has missing values, infinities, no row, other columns than the fit saw, or cells that are no
            numbers.
        """
        check_is_fitted(self)
        lazily = type(K) is np.ndarray and K.shape[1:] == (self.n_features_in_,)  # else NaN is what scikit-learn refuses first
        K = self._validated(K, lazily, reset=False, copy=False, dtype=FLOAT_DTYPES,
                            force_writeable=None if copy else True)
        given = library_floats(K)
        by_rows = rows_first(given)
        if by_rows:
            given = packed_rows(given)
        model = self._remembered(self._fused_key(), (given.dtype.name, by_rows), lambda: model_of(
            self, given.dtype.name, K.shape[1], self._tensors_for(None), by_rows))
        try:
            out = np.asarray(model.transform(self._context(), table_of(given))).reshape(K.shape)
        except ValueError as error:
            refuse_non_finite(error, K, self, allow_nan=False)
        if copy:
            return as_given(out, K.dtype)
        K[...] = out
        return K

    @property
    def _n_features_out(self):
        return self.n_features_in_

    # -- as a part of a larger model --

    def _tensors_for(self, types):
        return {"K_fit_rows_": np.asarray(self.K_fit_rows_, np.float64),
                "K_fit_all_": np.array([self.K_fit_all_], np.float64)}

    def _fused_key(self):
        return (super()._fused_key(), *(v.tobytes() for v in self._tensors_for(None).values()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.array_api_support = True
        return tags


__all__ = ["KernelCenterer"]
