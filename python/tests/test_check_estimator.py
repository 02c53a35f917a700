# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's checks of estimators, with nothing expected to fail, on every device that is tested."""
import os

import numpy as np
import pytest
from quern import _core, config_context
from quern.feature_selection import (GenericUnivariateSelect, SelectFdr, SelectFpr, SelectFwe, SelectKBest,
                                     SelectPercentile, VarianceThreshold)
from quern.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from quern.preprocessing import (Binarizer, Bucketizer, Clipper, CyclicalFeatures, FunctionTransformer,
                                 KBinsDiscretizer, KernelCenterer, MaxAbsScaler, MeanNormalizationScaler,
                                 MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures,
                                 PowerTransformer, QuantileTransformer, RobustScaler, SplineTransformer,
                                 StandardScaler, Winsorizer)
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

INFINITE = float("inf")
ESTIMATORS = [
    FunctionTransformer(), FunctionTransformer(np.arcsinh, np.sinh, validate=True), FunctionTransformer("arcsinh(x)"),
    KernelCenterer(), PolynomialFeatures(), PolynomialFeatures((1, 3), include_bias=False), SplineTransformer(),
    SplineTransformer(n_knots=4, extrapolation="linear", include_bias=False),
    SplineTransformer(degree=2, extrapolation="periodic", handle_missing="zeros", sparse_output=True),
    IterativeImputer(), KNNImputer(), KNNImputer(weights="distance", add_indicator=True),
    Bucketizer([-INFINITE, 0, 1, INFINITE]), Bucketizer([-1, 0, 2], encode="onehot-dense", outside="keep"),
    Bucketizer([0, 1], outside="clip", handle_missing="keep", closed="right"), Clipper(), Clipper(-1, 1.5),
    CyclicalFeatures(max_values=7), CyclicalFeatures(drop_original=True), MeanNormalizationScaler(), Winsorizer(),
    Winsorizer("iqr", "both"), Winsorizer("mad", "left", missing_values="ignore"),
    Winsorizer("quantiles", "both", 0.1, add_indicators=True), MissingIndicator(),
    MissingIndicator(features="all", sparse=True), Binarizer(), KBinsDiscretizer(),
    KBinsDiscretizer(encode="ordinal", strategy="uniform"), QuantileTransformer(n_quantiles=10),
    QuantileTransformer(output_distribution="normal"), MaxAbsScaler(), MaxAbsScaler(clip=True), MinMaxScaler(),
    MinMaxScaler(clip=True), Normalizer(), Normalizer(norm="l1"), OneHotEncoder(), OneHotEncoder(sparse_output=False),
    OrdinalEncoder(), PowerTransformer(), PowerTransformer(standardize=False), RobustScaler(),
    RobustScaler(with_centering=False), SimpleImputer(), SimpleImputer(add_indicator=True),
    SimpleImputer(strategy="median"), SimpleImputer(strategy="most_frequent"), StandardScaler(),
    StandardScaler(with_mean=False), VarianceThreshold(), VarianceThreshold(0.01), SelectKBest(k=1),
    SelectKBest(k="all"), SelectPercentile(percentile=60), SelectFpr(alpha=0.9), SelectFdr(alpha=0.9),
    SelectFwe(alpha=0.9), GenericUnivariateSelect(param=60)]
PRESENT = {d["id"] for d in _core.Context("cpu").devices() if d["present"]}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", ["cpu", "opencl:0"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_check_estimator(estimator, device):
    if device not in PRESENT:
        assert "opencl" not in os.environ.get("QUERN_REQUIRE", ""), f"no {device} here"
        pytest.skip(f"no {device} here")
    ran = 0
    with config_context(device=device):
        for instance, check in estimator_checks_generator(estimator, legacy=True):
            name = check.func.__name__
            if name == "check_array_api_input" and isinstance(instance, SimpleImputer):
                instance = clone(instance).set_params(add_indicator=True)  # as for scikit-learn's own
            try:
                check(instance)
            except BaseException as error:
                if type(error).__name__ not in ("SkipTest", "SkipTestWarning", "Skipped"):
                    raise AssertionError(f"{name}: {error}") from error
            ran += 1
    assert ran > (30 if isinstance(estimator, FunctionTransformer) else 40)  # it takes anything
