#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every file of the repository must be like: licence lines, links between pages that lead
somewhere, schemas that are JSON, scripts that parse, host-only work that the code really calls so."""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = ("include", "host", "kernels", "backends", "cli", "examples", "tests", "scripts", "bench", "cmake")
CODE = {".c", ".h", ".py", ".cmake"}


def sources():
    for top in SOURCES:
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def name(path):
    return path.relative_to(ROOT).as_posix()


def licence_lines():
    for path in sources():
        script = path.suffix == "" and path.read_bytes()[:2] == b"#!"
        if (path.suffix in CODE or script) and b"SPDX-License-Identifier: Apache-2.0" not in path.read_bytes()[:300]:
            yield f"{name(path)}: no SPDX line"


def pages():
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def links_lead_somewhere():
    for page in pages():
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{name(page)}: the link to {target} leads nowhere"


def index_lists_every_page():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        relative = page.relative_to(ROOT / "docs").as_posix()
        if relative != "index.md" and f"({relative})" not in index:
            yield f"docs/index.md does not link to {relative}"


def schemas_are_json():
    found = sorted((ROOT / "docs" / "schemas").glob("*.json"))
    if {path.stem for path in found} < {"devices", "list", "inspect", "trace", "names"}:
        yield "docs/schemas: one is missing"
    for path in found:
        try:
            json.loads(path.read_text("utf-8"))
        except ValueError as problem:
            yield f"{name(path)}: {problem}"


def shell_scripts_parse():
    for path in sources():
        if path.suffix in ("", ".sh") and path.read_bytes()[:11] == b"#!/bin/bash":
            done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                yield f"{name(path)}: {done.stderr.strip()}"


def examples_have_a_table():
    for spec in sorted((ROOT / "examples").glob("*.json")):
        if not any((spec.parent / (spec.stem + ending)).exists() for ending in (".csv", ".csv.gz", ".tsv")):
            yield f"{name(spec)}: no table of that name beside it"


def host_only_work_exists():
    """docs/host-only.txt: operation or -, tab, what it is. Each operation is one that the code notes."""
    text = "".join(path.read_text("utf-8") for path in (ROOT / "host" / "pipeline").glob("*.c"))
    operations = set()
    for line in (ROOT / "docs" / "host-only.txt").read_text("utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        operation, _, meaning = line.partition("\t")
        if not meaning.strip():
            yield f"docs/host-only.txt: {operation!r} has no explanation"
        if operation == "-":
            continue
        operations.add(operation)
        if f'"{operation}"' not in text:
            yield f"docs/host-only.txt: no decision is called {operation!r}"
    parity = ROOT / "tests" / "parity" / "host_only.json"
    if parity.exists() and set(json.loads(parity.read_text("utf-8"))) != operations:
        yield "tests/parity/host_only.json lists other operations than docs/host-only.txt"


def main():
    checks = [licence_lines, links_lead_somewhere, index_lists_every_page, schemas_are_json, shell_scripts_parse,
              examples_have_a_table, host_only_work_exists]
    failed = 0
    for check in checks:
        found = list(check())
        failed += bool(found)
        print(f"{'FAILED' if found else 'ok':8}{check.__name__}")
        for line in found:
            print(f"    {line}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
