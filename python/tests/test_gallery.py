# SPDX-License-Identifier: Apache-2.0
"""The scripts of examples/gallery run, and print what docs/gallery says."""
import importlib.util
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "scripts" / "gallery"
PAGES = ROOT / "docs" / "gallery"


def load_runner():
    loader = SourceFileLoader("gallery_runner", str(RUNNER))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """scripts/gallery as a module, its pages a copy that may be spoilt."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # its folder is no place for caches
    module = load_runner()
    for page in PAGES.iterdir():
        (tmp_path / page.name).write_bytes(page.read_bytes())
    monkeypatch.setattr(module, "PAGES", tmp_path)
    return module


def check(*arguments):
    return subprocess.run([sys.executable, RUNNER, "--check", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600)


@pytest.mark.parametrize("name", ["same_numbers", "skewed_columns", "exactness", "serving"])
def test_a_page_is_what_its_script_gives(name):
    pytest.importorskip("pandas")
    done = check(name)
    assert done.returncode == 0, done.stdout


def test_pictures_are_drawn(tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    done = check("--pictures", tmp_path)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in PAGES.glob("*.png")}


def test_every_script_has_a_page_and_every_picture_is_shown(runner):
    assert {path.stem for path in runner.SOURCES.glob("*.py")} == set(runner.NAMES)
    shown = [file for name in runner.NAMES for files in
             runner.pictures_of((PAGES / f"{name}.md").read_text("utf-8")).values() for file in files]
    assert sorted(shown) == sorted(path.name for path in PAGES.glob("*.png"))


def test_what_a_page_says_otherwise_is_found(runner):
    page = runner.PAGES / "exactness.md"
    right = page.read_text("utf-8")
    assert runner.differences(page, right) == []
    for there, instead in (("threads=7: model ", "threads=7: model 0"), ("by_offset = ", "by_offsets = "),
                           ("is below 1e-15: True", "is below 1e-15: False"), ("![How", "![Now")):
        assert there in right
        page.write_text(right.replace(there, instead), "utf-8")
        assert runner.differences(page, right), there


def test_what_was_measured_is_not_compared(runner):
    page = runner.PAGES / "same_numbers.md"
    right = page.read_text("utf-8")
    assert "5,000 rows, numbers and text   transform " in right
    page.write_text(right.replace("5,000 rows, numbers and text   transform ", "another time "), "utf-8")
    assert runner.differences(page, right) == []


def test_a_picture_that_is_missing_or_large_is_found(runner):
    text = (runner.PAGES / "serving.md").read_text("utf-8")
    picture = runner.PAGES / "serving-1.png"
    assert list(runner.wrong_pictures(text)) == []
    picture.write_bytes(bytes(runner.PICTURE_BYTES + 1))
    assert ["too many" in line for line in runner.wrong_pictures(text)] == [True]
    picture.unlink()
    assert ["missing" in line for line in runner.wrong_pictures(text)] == [True]


def test_a_script_that_breaks_fails_with_its_own_line(runner, tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("# %% [markdown]\n# # A title\n\n# %%\nx = 1\nx / 0\n", "utf-8")
    monkeypatch.setattr(runner, "SOURCES", tmp_path)
    with pytest.raises(ZeroDivisionError) as caught:
        runner.execute("broken", None, tmp_path, True)
    assert caught.traceback[-1].lineno + 1 == 6
