# SPDX-License-Identifier: Apache-2.0
"""Docstrings of the package: their form, that they say what is true of calls and attributes, and that their
examples run; the code of the pages too."""
import doctest
import importlib
import inspect
import pathlib
import pkgutil
import pydoc
import re

import numpy as np
import pandas as pd
import pytest
from docstrings import (MODULES, SECTIONS, documented, entries_of, members, names_of, parameters_of,
                        public_objects, sections_of)

import quern
from quern import _core

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTED = documented()
CLASSES = {name: value for name, value in public_objects().items() if isinstance(value, type)}
EXCEPTIONS = {name for name, value in CLASSES.items() if issubclass(value, Exception)}


# ---- form ----

@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstrings_have_a_summary_and_sections_in_order(name):
    value = DOCUMENTED[name]
    found = sections_of(value)
    head = found.pop("")
    assert head and head[0].endswith("."), "a summary in one line"
    assert len(head) == 1 or head[1] == "", "an empty line after the summary"
    assert list(found) == [title for title in SECTIONS if title in found]
    for title in set(found) - {"See Also", "Notes", "Examples"}:
        for entry, said in entries_of(found[title]):
            assert said, f"{title}: nothing is said of {entry}"
    for title, lines in found.items():
        assert any(lines), f"{title} is empty"
    public = name in public_objects() and not name.startswith("quern.base.")
    assert "Examples" in found or not public


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if name not in EXCEPTIONS])
def test_parameters_are_those_of_the_signature(name):
    found = names_of(sections_of(DOCUMENTED[name]).get("Parameters", []))
    assert found == parameters_of(DOCUMENTED[name])


@pytest.mark.parametrize("name", CLASSES)
def test_properties_are_described(name):
    said = names_of(sections_of(CLASSES[name]).get("Attributes", []))
    for word, value in members(CLASSES[name]).items():
        if isinstance(value, property):
            assert word in said
            assert inspect.getdoc(value).split("\n")[0].rstrip("., ").strip()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_to_be_seen_is_there(name):
    for head, _ in entries_of(sections_of(DOCUMENTED[name]).get("See Also", [])):
        target, colon, said = head.partition(" : ")
        assert colon and said.endswith(".")
        there = pydoc.locate(target)
        assert there is not None, target
        assert there is not DOCUMENTED[name], "itself"


# ---- attributes ----

CELLS = pd.DataFrame({"a": [1.0, 2.0, np.nan, 2.0, 2.0], "b": [0.0, 3.0, 1.0, 3.0, 3.0]})
SETTINGS = {"Bucketizer": {"edges": [0, 1, 3]}, "OneHotEncoder": {"min_frequency": 2}, "OrdinalEncoder": {"min_frequency": 2},
            "ColumnTransformer": {"transformers": [("a", quern.impute.SimpleImputer(), ["a"])]},
            "Pipeline": {"steps": [("a", quern.impute.SimpleImputer()),
                                   ("b", quern.preprocessing.MinMaxScaler())]}}
LEARNING = [name for name, value in CLASSES.items()
            if hasattr(value, "get_params") and name != "quern.base.Estimator"]


@pytest.mark.parametrize("name", LEARNING)
def test_attributes_are_those_of_a_fit(name):
    cls = CLASSES[name]
    word = cls.__name__
    made = cls(**SETTINGS.get(word, {}))
    complete = word in ("Normalizer", "Binarizer", "Bucketizer", "KBinsDiscretizer", "PolynomialFeatures",
                        "SplineTransformer", "Winsorizer")
    whole = CELLS.fillna(1.0) if complete else CELLS
    if getattr(cls, "_supervised", False):
        made.fit(CELLS.fillna(1.0), [0, 1, 0, 1, 1])
    else:
        made.fit(CELLS[3:] if word == "KernelCenterer" else whole)  # a square one
    there = {n for n in dir(made) if n.endswith("_") and not n.startswith("_")}
    there |= {"named_steps", "classes_"} if word == "Pipeline" else set()  # classes_: of a classifier alone
    said = names_of(sections_of(cls)["Attributes"])
    assert sorted(said) == sorted(there)


# ---- examples ----

def examples():
    """{name: doctest} of every docstring of the package, private ones too."""
    found, parser = {}, doctest.DocTestParser()

    def add(name, value):
        test = parser.get_doctest(inspect.getdoc(value) or "", {}, name, None, None)
        if test.examples:
            found[name] = test

    modules = [quern.__name__, *(m.name for m in pkgutil.walk_packages(quern.__path__, "quern."))]
    for module_name in modules:
        if module_name == "quern.__main__":
            continue
        module = importlib.import_module(module_name)
        add(module_name, module)
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module_name and module_name != "quern._core":
                continue
            if callable(value):
                add(f"{module_name}.{name}", value)
            for word, member in vars(value).items() if isinstance(value, type) else ():
                add(f"{module_name}.{name}.{word}", getattr(value, word) if callable(member) else member)
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_give_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, said = quern.get_config(), []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    quern.set_config(device="cpu")
    try:
        result = runner.run(EXAMPLES[name], out=said.append)
        left = quern.get_config()
    finally:
        quern.set_config(**before)
    assert result.attempted > 0
    assert result.failed == 0, "".join(said)
    assert left == {**before, "device": "cpu"}, "an example leaves settings behind"


def test_every_example_of_a_public_name_is_run():
    shown = {name for name, value in DOCUMENTED.items() if "Examples" in sections_of(value)}
    run = {example.docstring for example in EXAMPLES.values()}
    assert {name for name in shown if inspect.getdoc(DOCUMENTED[name]) not in run} == set()


# ---- pages ----

GIVEN = {  # what the text around the code speaks of
    "docs/python.md": {"frame": pd.DataFrame({"age": [1.0, 2.0], "fare": [3.0, 5.0], "weight": [4.0, 7.0]}),
                       "x": np.array([[1.0, 2.0, 3.0]]), "row": np.array([[1.0, 2.0, 3.0]]),
                       "out": np.empty((1, 3))},
    "README.md": {}}


@pytest.mark.parametrize("page", GIVEN)
def test_code_of_the_pages_runs(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.S | re.M)
    assert blocks
    names = dict(GIVEN[page])
    with quern.config_context(device="cpu"):
        for block in blocks:
            exec(compile(block, page, "exec"), names)


# ---- help ----

def test_help_of_the_package_leads_to_all_of_it():
    said = re.sub(".\b", "", pydoc.render_doc(quern))  # letters struck twice
    assert "DESCRIPTION" in said
    public = set(quern.__all__) - {"__version__"}
    assert {word for word in public if word not in said or f"`{word}`" not in quern.__doc__} == set()
    homes = set(MODULES) - {"quern", "quern.interop", "quern.base"}
    assert {word for word in homes if f"`{word}`" not in said} == set()


def test_dir_lists_what_is_public():
    listed = dir(quern)
    assert listed == sorted(listed)
    assert set(quern.__all__) <= set(listed)
    private = {word for word in listed if word.startswith("_")}
    assert private == {"__version__", "_core"}
    for word in listed:
        assert getattr(quern, word) is not None
    assert {f"quern.{word}" for word in listed if inspect.ismodule(getattr(quern, word))} <= set(MODULES)


@pytest.mark.parametrize("cls", [_core.Context, _core.Fit, _core.Pipeline])
def test_help_shows_signatures_of_c_types(cls):
    said = re.sub(".\b", "", pydoc.render_doc(cls))
    assert f"class {cls.__name__}(builtins.object)\n |  {cls.__name__}(" in said
