# SPDX-License-Identifier: Apache-2.0
"""The stubs say what is there: names, parameters, defaults. mypy's own comparison, and typed programs, where
mypy is installed."""
import ast
import importlib
import importlib.util
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from docstrings import documented, key_of, members, public_objects, sections_of

import quern

TYPED = pathlib.Path(__file__).parent / "typed"
PACKAGE = pathlib.Path(quern.__file__).parent
P = inspect.Parameter


def stub_files():
    """{module: path}; folders may be links."""
    paths = [pathlib.Path(folder) / name for folder, _, names in os.walk(PACKAGE, followlinks=True)
             for name in sorted(names) if name.endswith(".pyi")]
    names = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in paths]
    return {".".join(name).removesuffix(".__init__"): path for name, path in zip(names, paths)}


STUBS = stub_files()


def parsed(module):
    return ast.parse(STUBS[module].read_text(encoding="utf-8")).body


def parameters_of(function):
    """[(name, kind, default)] of a function in a stub; default: a value, ... where the stub does not say, or
    Parameter.empty."""
    args, found = function.args, []
    places = [*((a, P.POSITIONAL_ONLY) for a in args.posonlyargs),
              *((a, P.POSITIONAL_OR_KEYWORD) for a in args.args)]
    defaults = [P.empty] * (len(places) - len(args.defaults)) + list(map(ast.literal_eval, args.defaults))
    found += [(a.arg, kind, default) for (a, kind), default in zip(places, defaults)]
    if args.vararg:
        found.append((args.vararg.arg, P.VAR_POSITIONAL, P.empty))
    found += [(a.arg, P.KEYWORD_ONLY, P.empty if d is None else ast.literal_eval(d))
              for a, d in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg:
        found.append((args.kwarg.arg, P.VAR_KEYWORD, P.empty))
    return [entry for entry in found if entry[0] not in ("self", "cls")]


def functions_of(body):
    """{name: definitions}: more than one where they are overloads."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def is_property(node):
    return any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)


def stubbed():
    """{name: (definitions, what is there at runtime)} of all functions and methods of all stubs."""
    found = {}
    for module_name in STUBS:
        module = importlib.import_module(module_name)
        for name, nodes in functions_of(parsed(module_name)).items():
            found[f"{module_name}.{name}"] = nodes, getattr(module, name)
        for cls in classes_of(module_name).values():
            there = getattr(module, cls.name, None)
            for name, nodes in functions_of(cls.body).items():
                newer = name == "__buffer__"  # CPython 3.12 has it
                if there is not None and not is_property(nodes[0]) and not newer:
                    made = there if name in ("__init__", "__new__") else getattr(there, name)
                    found[f"{module_name}.{cls.name}.{name}"] = nodes, made
    return found


def classes_of(module):
    return {node.name: node for node in parsed(module) if isinstance(node, ast.ClassDef)}


STUBBED = stubbed()


@pytest.mark.parametrize("name", STUBBED)
def test_signatures_are_those_at_runtime(name):
    nodes, there = STUBBED[name]
    if name == "quern.base.Estimator.set_params" or name.endswith(".__len__"):
        assert callable(there)
        return
    wanted = [p for p in inspect.signature(there).parameters.values() if p.name not in ("self", "cls")]
    for node in nodes:
        found = parameters_of(node)
        assert [entry[:2] for entry in found] == [(p.name, p.kind) for p in wanted]
        for (_, _, default), p in zip(found, wanted):
            if len(nodes) == 1:
                assert (default is P.empty) == (p.default is P.empty), p.name
            if default not in (..., P.empty):
                assert default == p.default and type(default) is type(p.default), p.name


def names_in(classes, name):
    """What a class of a stub has, and its bases in the same stub."""
    cls = classes[name]
    own = {node.name if isinstance(node, ast.FunctionDef) else node.target.id for node in cls.body
           if isinstance(node, (ast.FunctionDef, ast.AnnAssign))}
    for base in cls.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            own |= names_in(classes, base.id)
    return own


def test_every_public_name_has_a_stub():
    for name, value in public_objects().items():
        module, _, word = name.rpartition(".")
        classes = classes_of("quern.base") | classes_of(module)
        imported = {alias.asname for node in parsed(module) if isinstance(node, ast.ImportFrom)
                    for alias in node.names}
        assert word in imported | set(classes) | set(functions_of(parsed(module))), name
        if isinstance(value, type) and word not in imported:
            assert set(members(value)) <= names_in(classes, word), name


def test_a_docstring_has_results_where_the_stub_has():
    results = {}
    for nodes, there in STUBBED.values():
        if not isinstance(there, type):
            results[key_of(there)] = nodes[0].returns
    checked = 0
    for name, value in documented().items():
        if not isinstance(value, type) and key_of(value) in results:
            returns = results[key_of(value)]
            nothing = isinstance(returns, ast.Constant) and returns.value is None
            assert ("Returns" in sections_of(value)) != nothing, name
            checked += 1
    assert checked > 80


# ---- mypy ----

needs_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")


def mypy(module, *args, folder, **env):
    """(exit status, output) of `python -m module`, over this package."""
    done = subprocess.run([sys.executable, "-m", module, *args], cwd=folder, text=True, capture_output=True,
                          timeout=300, env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **env})
    return done.returncode, done.stdout + done.stderr


@needs_mypy
def test_mypy_finds_stubs_and_runtime_equal(tmp_path):
    for path in STUBS.values():  # alone: the sources beside them have no types
        to = tmp_path / "stubs" / path.relative_to(PACKAGE.parent)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    hidden = [r"quern\.__main__"]
    for module in ("quern._config", "quern._files", "quern._patch"):  # what they have beside public names
        hidden += [re.escape(f"{module}.{name}") for name in vars(importlib.import_module(module))
                   if name not in quern.__all__]
    if sys.version_info < (3, 12):
        hidden.append(r"quern\._core\.\w+\.__buffer__")
    (tmp_path / "hidden").write_text("\n".join(hidden))
    (tmp_path / "mypy.ini").write_text("[mypy]\nignore_missing_imports = True\n")
    code, said = mypy("mypy.stubtest", "quern", "--mypy-config-file", "mypy.ini", "--allowlist", "hidden",
                      "--ignore-unused-allowlist", folder=tmp_path, MYPYPATH=str(tmp_path / "stubs"))
    assert code == 0, said


@needs_mypy
def test_a_typed_program_is_accepted(tmp_path):
    code, said = mypy("mypy", "--strict", str(TYPED / "accepted.py"), folder=tmp_path)
    assert code == 0, said


@needs_mypy
def test_mistakes_are_refused(tmp_path):
    path = TYPED / "refused.py"
    code, said = mypy("mypy", "--strict", str(path), folder=tmp_path)
    assert code == 1, said
    found = {int(line) for line in re.findall(r"refused\.py:(\d+): error", said)}
    assert found == {i for i, line in enumerate(path.read_text().split("\n"), 1) if "# wrong" in line}, said


def test_the_accepted_program_runs(tmp_path):
    spec = importlib.util.spec_from_file_location("accepted", TYPED / "accepted.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    X = np.random.default_rng(1).normal(size=(20, 2))
    out = module.features(X, tmp_path)
    assert out.shape == (20, 2) and out[:, 0].min() == 0 and out[:, 0].max() == 2
    assert quern.transform(tmp_path / "a.model", X).std(axis=0) == pytest.approx(1)


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()
