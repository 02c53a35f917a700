# SPDX-License-Identifier: Apache-2.0
"""Public names of the package and their docstrings taken apart: what the tests of documentation share."""
import importlib
import inspect
import re

MODULES = ("quern", "quern.preprocessing", "quern.impute", "quern.feature_selection", "quern.compose",
           "quern.pipeline", "quern.model_selection", "quern.random", "quern.interop", "quern.base", "quern._core")
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Warns", "See Also", "Notes", "Examples")


def is_ours(value):
    return (getattr(value, "__module__", None) or "").partition(".")[0] == "quern"


def public_objects():
    """{name: class or function}, each under the module where people find it."""
    found = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
        for name in names:
            value = getattr(module, name)
            if callable(value) and is_ours(value) and value not in found.values():
                found[f"{module_name}.{name}"] = value
    return found


def members(cls):
    """{name: function or property} of a class that quern defines, inherited ones of quern too."""
    found = {}
    for owner in reversed(cls.__mro__):
        if not is_ours(owner):
            continue
        for name in vars(owner):
            routed = name.startswith("set_") and name.endswith("_request")  # made by scikit-learn
            value = inspect.getattr_static(owner, name)
            documented = inspect.isroutine(getattr(owner, name)) or isinstance(value, property)
            if not name.startswith("_") and not routed and documented:
                found[name] = value if isinstance(value, property) else getattr(owner, name)
    return found


def public_methods():
    """{name: method} of the public classes."""
    return {f"{name}.{word}": value for name, cls in public_objects().items() if isinstance(cls, type)
            for word, value in members(cls).items() if not isinstance(value, property)}


def key_of(value):
    """The name of a function, the same in whichever class it was found; "_core." ahead of what is C."""
    owner = getattr(value, "__objclass__", None) or getattr(value, "__self__", None)
    home = value.__module__ if getattr(value, "__module__", None) else getattr(owner, "__module__", "")
    return ("_core." if home == "quern._core" else "") + value.__qualname__


def documented():
    return {**public_objects(), **public_methods()}


def sections_of(value):
    """{title: lines} of a docstring in NumPy's form; "": what comes ahead of the first title."""
    lines = (inspect.getdoc(value) or "").split("\n")
    found, title = {"": []}, ""
    for i, line in enumerate(lines):
        under = lines[i + 1] if i + 1 < len(lines) else ""
        if line and re.fullmatch("-{3,}", under):
            assert len(under) == len(line), f"the line under {line!r}"
            assert line not in found, f"{line!r} comes twice"
            title = line
            found[title] = []
        elif not re.fullmatch("-{3,}", line):
            found[title].append(line)
    return found


def entries_of(lines):
    """(what stands at the margin, what is indented under it) of a section's lines."""
    found = []
    for line in lines:
        if line and not line.startswith(" "):
            found.append((line, []))
        elif line.strip():
            found[-1][1].append(line.strip())
    return found


def names_of(lines):
    """Names of parameters, attributes or results."""
    return [name for head, _ in entries_of(lines) for name in head.partition(" :")[0].split(", ")]


def parameters_of(value):
    """Parameters that a call has, as a docstring writes them."""
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    signature = inspect.signature(value)
    return [marks.get(p.kind, "") + p.name for p in signature.parameters.values() if p.name != "self"]
