# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that puts quern in the place of scikit-learn.

Loaded with `-p sklearn_suite.swap`, with the folder above scikit-learn's as pytest's rootdir. Before tests are collected it rebinds, in every module of
scikit-learn that is loaded, each name that holds one of scikit-learn's classes or functions which
quern has to quern's. Test files import them from there; no file is copied or changed.

QUERN_SUITE says what to do, words separated by commas:
  control   nothing is rebound: scikit-learn's own classes
  poison    moreover scikit-learn's numeric methods of those classes raise when they are called, and
            so do the functions that compute for them
QUERN_SUITE_OUT names a JSON file for {test id: outcome}, QUERN_SUITE_EXCEPTIONS one of
{test id: reason} that are expected to fail; one of them that passes is a failure. QUERN_SUITE_ONLY names
a JSON file with a list of test ids; the others are collected and not run."""
import importlib
import json
import os
import sys

import pytest

HOMES = ("preprocessing", "impute", "feature_selection", "compose", "pipeline")
MODULES = (*("sklearn." + home for home in HOMES), "sklearn.preprocessing._data",
           "sklearn.preprocessing._function_transformer",
           "sklearn.preprocessing._encoders", "sklearn.impute._base", "sklearn.impute._knn",
           "sklearn.experimental.enable_iterative_imputer", "sklearn.impute._iterative",
           "sklearn.compose._column_transformer", "sklearn.preprocessing._discretization",
           "sklearn.preprocessing._target_encoder", "sklearn.preprocessing._polynomial", "sklearn.utils.estimator_checks")
WORDS = set(filter(None, os.environ.get("QUERN_SUITE", "").split(",")))
CALLS = {}


def ours():
    modules = [importlib.import_module("quern." + home) for home in HOMES]
    return {name: getattr(module, name) for module in modules for name in module.__all__}


def theirs(names):
    found = {}
    for home in HOMES:
        for name in names:
            original = getattr(sys.modules["sklearn." + home], name, None)
            if original is not None:
                found[name] = original
    return found


def swap():
    for name in MODULES:
        importlib.import_module(name)
    new = ours()
    old = theirs(new)
    for name, module in list(sys.modules.items()):
        if not name.startswith("sklearn") or module is None:
            continue
        for word, original in old.items():
            if vars(module).get(word) is original:
                setattr(module, word, new[word])
    return old


def poison(old):
    """What computes in scikit-learn for these classes raises."""
    def refusing(where):
        def refuse(*args, **kwargs):
            raise AssertionError(f"scikit-learn's {where} was called")
        return refuse

    for name, original in old.items():
        if isinstance(original, type) and name not in ORCHESTRATE:
            for method in ("fit", "partial_fit", "transform", "inverse_transform",
                           "fit_transform", "_dense_fit", "_sparse_fit", "_fit", "_transform"):
                if method in vars(original):
                    setattr(original, method, refusing(f"{name}.{method}"))
    for module, words in {
            "sklearn.preprocessing._data": ("_incremental_mean_and_var", "mean_variance_axis",
                                            "incr_mean_variance_axis", "min_max_axis",
                                            "inplace_column_scale", "row_norms",
                                            "inplace_csr_row_normalize_l1",
                                            "inplace_csr_row_normalize_l2",
                                            "_handle_zeros_in_scale"),
            "sklearn.preprocessing._encoders": ("_unique", "_encode", "_check_unknown",
                                                "_get_counts"),
            "sklearn.impute._base": ("_most_frequent", "_get_median")}.items():
        for word in words:
            if hasattr(sys.modules[module], word) and word not in KEPT:
                setattr(sys.modules[module], word, refusing(f"{module}.{word}"))


# quern's are derived from them: they call the parts one by one where one model cannot hold them, and functions
# that are Python's.
ORCHESTRATE = ("ColumnTransformer", "FunctionTransformer", "Pipeline")
# Test files import these private helpers and test them for themselves.
KEPT = ("_handle_zeros_in_scale", "_most_frequent")


class Counted:
    """Something of the extension module; what is asked of it is counted."""

    def __init__(self, thing, name):
        self._thing, self._name = thing, name

    def _count(self, word):
        CALLS[word] = CALLS.get(word, 0) + 1

    def __getattr__(self, word):
        self._count(f"{self._name}.{word}")
        return getattr(self._thing, word)

    def __call__(self, *args, **kwargs):
        self._count(self._name)
        return self._thing(*args, **kwargs)


def count_calls():
    """Counts what quern asks of the library: tables, fits, models made."""
    from quern import _core

    class Core:
        def __init__(self, prefix):
            for word in ("Table", "Pipeline", "Fit", "Model"):
                setattr(self, word, Counted(getattr(_core, word), prefix + word))

        def __getattr__(self, word):
            return getattr(_core, word)

    alone, fused = Core(""), Core("fused ")
    for name, module in list(sys.modules.items()):
        if name.startswith("quern") and vars(module).get("_core") is _core and name != "quern":
            module._core = fused if name == "quern._fuse" else alone


def pytest_load_initial_conftests(early_config, parser, args):
    if "control" in WORDS:
        return
    old = swap()
    count_calls()
    if "poison" in WORDS:
        poison(old)


def exceptions():
    path = os.environ.get("QUERN_SUITE_EXCEPTIONS")
    if not path or "control" in WORDS:
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def pytest_collection_modifyitems(config, items):
    config._quern_collected = [item.nodeid for item in items]
    path = os.environ.get("QUERN_SUITE_ONLY")
    if path:
        with open(path, encoding="utf-8") as file:
            only = set(json.load(file))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in only])
        items[:] = [item for item in items if item.nodeid in only]
    listed = exceptions()
    for item in items:
        reason = listed.get(item.nodeid)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


class Outcomes:
    def __init__(self):
        self.found = {}

    def pytest_runtest_logreport(self, report):
        known = self.found.get(report.nodeid)
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            outcome = report.outcome
            if hasattr(report, "wasxfail"):
                outcome = "xfailed" if outcome == "skipped" else outcome
            if known != "failed":
                self.found[report.nodeid] = outcome


def pytest_configure(config):
    config._quern_outcomes = Outcomes()
    config.pluginmanager.register(config._quern_outcomes)


def pytest_sessionfinish(session):
    path = os.environ.get("QUERN_SUITE_OUT")
    if path:
        found = {"outcomes": session.config._quern_outcomes.found, "calls": CALLS,
                 "collected": session.config._quern_collected}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(found, file)
