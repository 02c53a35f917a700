#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as its users meet it: what it prints, how it exits, what it leaves behind.

usage: test_cli.py QUERN [NAME…]      only the tests whose names contain a word"""
import csv
import gzip
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "repo"))
import schema  # noqa: E402

COMMANDS = {"devices": [], "run": ["SPEC", "INPUT"], "fit": ["SPEC", "INPUT"],
            "transform": ["MODEL", "INPUT"], "inspect": ["MODEL"], "list": []}
TABLE = """age,city,score,flag
31,Oslo,1.5,True
,Lima,2.5,False
45,Oslo,,True
28,"São, Paulo",0.25,True
45,,4,False
"""
SPEC = {"quern": 1, "steps": [
    {"name": "n", "columns": ["age", "score"],
     "apply": [{"SimpleImputer": {"strategy": "median"}}, "StandardScaler"]},
    {"name": "c", "columns": ["city"],
     "apply": [{"SimpleImputer": {"strategy": "most_frequent"}},
               {"OneHotEncoder": {"handle_unknown": "ignore"}}]}],
    "output": {"sparse": False}}
NAMES = ["n__age", "n__score", "c__city_Lima", "c__city_Oslo", "c__city_São, Paulo"]
TESTS = []
PROGRAM = None


def test(function):
    TESTS.append(function)
    return function


class Skipped(Exception):
    pass


# ---- running the program ----


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.bytes = done.returncode, done.stdout.decode("utf-8", "replace"), done.stdout
        self.err = done.stderr.decode("utf-8", "replace")


def quern(*words, stdin=b"", env=None, limit=None, stdout=subprocess.PIPE):
    """limit: the largest file in bytes that the program can write, as on a full disk."""
    def prepare():
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = subprocess.run([PROGRAM, *map(str, words)], input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                          timeout=300, check=False, env={**os.environ, **(env or {})},
                          preexec_fn=prepare)
    if stdout != subprocess.PIPE:
        done.stdout = b""
    return Outcome(done)


def succeeds(*words, **more):
    outcome = quern(*words, **more)
    assert outcome.code == 0, f"{words}: exit {outcome.code}: {outcome.err.strip()[:300]}"
    return outcome


def refuses(code, texts, *words, **more):
    """One clear line on standard error, nothing on standard output."""
    outcome = quern(*words, **more)
    lines = outcome.err.strip().splitlines()
    assert outcome.code == code, f"{words}: exit {outcome.code}, not {code}: {outcome.err[:300]}"
    assert outcome.out == "", f"{words}: standard output has {outcome.out[:80]!r}"
    assert len(lines) == 1 and lines[0].startswith("quern: "), f"{words}: {outcome.err[:300]!r}"
    for text in [texts] if isinstance(texts, str) else texts:
        assert text in lines[0], f"{words}: {lines[0]!r} does not say {text!r}"
    return lines[0]


class Folder:
    """A folder with a table and a spec; notices what is left behind."""

    def __init__(self, path):
        self.path = path
        self.spec = self.write("spec.json", json.dumps(SPEC, ensure_ascii=False))
        self.table = self.write("table.csv", TABLE)

    def __truediv__(self, name):
        return self.path / name

    def write(self, name, content):
        path = self.path / name
        if isinstance(content, str):
            content = content.encode("utf-8")
        path.write_bytes(content)
        return path

    def files(self):
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.rglob("*"))

    def model(self):
        path = self / "model"
        succeeds("fit", self.spec, self.table, "--model", path, "--quiet")
        return path


def npy(path):
    """(shape, dtype word, bytes) of a .npy file, C order."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    end = 10 + struct.unpack("<H", data[8:10])[0]
    assert end % 64 == 0
    head = eval(data[10:end].decode("latin1"), {"__builtins__": {}})  # a dict literal, our own output
    assert head["fortran_order"] is False
    return head["shape"], head["descr"], data[end:]


def big_table(rows):
    towns = ["Oslo", "Lima", "Pune", "Zürich", "\"a, b\""]
    lines = ["age,score,town,kind"]
    state = 12345
    for i in range(rows):
        state = (state * 1103515245 + 12345) % 2147483648
        age = "" if state % 17 == 0 else str(state % 90)
        lines.append(f"{age},{(state % 99991) / 777:.5f},{towns[state // 8 % 5]},k{state // 64 % 40}")
    return "\n".join(lines) + "\n"


BIG_SPEC = {"quern": 1, "steps": [
    {"columns": {"dtype": "number"}, "apply": [{"SimpleImputer": {"strategy": "median"}}, "RobustScaler",
                                              "StandardScaler"]},
    {"columns": {"dtype": "string"}, "apply": ["OneHotEncoder"]}],
    "output": {"dtype": "float32", "sparse": False}}


# ---- help and usage ----


@test
def help_of_the_program(_):
    for words in (["--help"], ["-h"], ["help"]):
        said = succeeds(*words).out
        for name, operands in COMMANDS.items():
            assert name in said and " ".join(operands) in said, name


@test
def help_of_each_command(_):
    for name, operands in COMMANDS.items():
        said = succeeds(name, "--help").out
        assert said == succeeds("help", name).out == succeeds(name, "-h").out
        assert said.startswith("usage: quern " + " ".join([name, *operands])), said[:60]
        for option in ("--device", "--fallback", "--threads", "--max-memory", "--quiet", "--log", "--help"):
            assert option in said, (name, option)


@test
def version(_):
    said = succeeds("--version").out
    assert said.startswith("quern ") and said.count(".") == 2


@test
def no_command_is_wrong_usage(_):
    outcome = quern()
    assert outcome.code == 2 and outcome.out == "" and "usage" in outcome.err


@test
def misspelt_command_gets_the_nearest(_):
    for word, nearest in (("rnu", "run"), ("transfrom", "transform"), ("inspct", "inspect"), ("lst", "list")):
        refuses(2, [word, f'"{nearest}"'], word)


@test
def wrong_usage(f):
    files = [f.spec, f.table]
    for texts, words in (
            ("usage: quern run SPEC INPUT", ["run"]),
            ("usage: quern run SPEC INPUT", ["run", f.spec]),
            ("one operand too many", ["run", *files, "third"]),
            ("one operand too many", ["list", "third"]),
            ("--colour", ["run", *files, "--colour"]),
            (["--outptu", 'did you mean "--output"?'], ["run", *files, "--outptu", "x.npy"]),
            ('did you mean "--max-memory"?', ["run", *files, "--max-mem=4M"]),
            ("needs a value", ["run", *files, "-o"]),
            ("needs a value", ["run", *files, "--threads"]),
            (["--threads", "from 1 to 256"], ["run", *files, "--threads", "0"]),
            (["--threads", "many"], ["run", *files, "--threads=many"]),
            (["--max-memory", "12Q"], ["run", *files, "--max-memory", "12Q"]),
            (["--max-memory", "-1"], ["run", *files, "--max-memory=-1"]),
            (["--fallback", "report, never, quiet"], ["run", *files, "--fallback", "maybe"]),
            (["--log", "debug"], ["run", *files, "--log", "loud"]),
            ("--quiet", ["run", *files, "--quiet=yes"]),
            ("--model", ["fit", *files])):
        before = f.files()
        refuses(2, texts, *words)
        assert f.files() == before, words


# ---- the main job ----


@test
def run_writes_what_it_promises(f):
    said = succeeds("run", f.spec, f.table, "-o", f / "o.npy", "--model", f / "m", "--names", f / "n.json",
                    "--trace", f / "t.json", "--report", f / "r.html")
    assert said.out == "" and "5 rows, 4 columns in, 5 columns out" in said.err, said.err
    shape, descr, data = npy(f / "o.npy")
    assert shape == (5, 5) and descr == "<f8" and len(data) == 200
    names = json.loads((f / "n.json").read_text("utf-8"))
    assert schema.problems("names", names) == [] and names["names"] == NAMES, names
    trace = json.loads((f / "t.json").read_text("utf-8"))
    assert schema.problems("trace", trace) == [], schema.problems("trace", trace)
    assert trace["rows"] == 5 and trace["output_columns"] == 5 and trace["command"] == "run"
    page = (f / "r.html").read_text("utf-8")
    assert "c__city_São, Paulo" in page and "http" not in page and "<script" not in page
    assert sorted(f.files()) == sorted(["spec.json", "table.csv", "o.npy", "m", "n.json", "t.json", "r.html"])


@test
def values_are_right(f):
    """Imputed by hand: age 31, 38 (median), 45, 28, 45; score 1.5, 2.5, 2 (median), 0.25, 4."""
    rows = list(csv.reader(succeeds("run", f.spec, f.table, "-o", "-", "--quiet").out.splitlines()))
    assert rows[0] == NAMES
    for column, given in ((0, [31, 38, 45, 28, 45]), (1, [1.5, 2.5, 2, 0.25, 4])):
        mean = sum(given) / 5
        deviation = (sum((x - mean) ** 2 for x in given) / 5) ** 0.5
        for row, x in zip(rows[1:], given):
            assert abs(float(row[column]) - (x - mean) / deviation) < 1e-12
    assert [row[2:] for row in rows[1:]] == [["0.0", "1.0", "0.0"], ["1.0", "0.0", "0.0"],
                                            ["0.0", "1.0", "0.0"], ["0.0", "0.0", "1.0"],
                                            ["0.0", "1.0", "0.0"]]


@test
def fit_then_transform_equals_run(f):
    succeeds("run", f.spec, f.table, "-o", f / "a.npy", "--model", f / "a.model", "--quiet")
    said = succeeds("fit", f.spec, f.table, "--model", f / "b.model", "--quiet", "--trace", f / "t.json")
    assert said.out == said.err == ""
    assert json.loads((f / "t.json").read_text("utf-8"))["command"] == "fit"
    succeeds("transform", f / "b.model", f.table, "-o", f / "b.npy", "--quiet", "--trace", f / "t.json")
    assert schema.problems("trace", json.loads((f / "t.json").read_text("utf-8"))) == []
    assert (f / "a.model").read_bytes() == (f / "b.model").read_bytes()
    assert (f / "a.npy").read_bytes() == (f / "b.npy").read_bytes()


@test
def transform_matches_columns_by_name(f):
    model = f.model()
    succeeds("transform", model, f.table, "-o", f / "a.csv", "--quiet")
    swapped = f.write("swapped.csv", "extra,score,city,age\n" + "".join(
        f'z,{score},"{city}",{age}\n' for age, city, score, _ in csv.reader(TABLE.splitlines()[1:])))
    succeeds("transform", model, swapped, "-o", f / "b.csv", "--quiet")
    assert (f / "a.csv").read_bytes() == (f / "b.csv").read_bytes()


@test
def unknown_category_is_ignored_when_the_spec_says_so(f):
    table = f.write("new.csv", TABLE.replace("Lima", "Atlantis"))
    rows = list(csv.reader(succeeds("transform", f.model(), table, "-o", "-", "--quiet").out.splitlines()))
    assert rows[2][2:] == ["0.0", "0.0", "0.0"]


@test
def unknown_category_is_an_error_otherwise(f):
    spec = json.loads(json.dumps(SPEC))
    spec["steps"][1]["apply"][1] = "OneHotEncoder"
    path = f.write("strict.json", json.dumps(spec))
    succeeds("fit", path, f.table, "--model", f / "m", "--quiet")
    table = f.write("new.csv", TABLE.replace("Lima", "Atlantis"))
    before = f.files()
    refuses(1, ["city", "Atlantis"], "transform", f / "m", table, "-o", f / "o.npy")
    assert f.files() == before


@test
def outputs_by_ending(f):
    rows = list(csv.reader(succeeds("run", f.spec, f.table, "-o", "-", "--quiet").out.splitlines()))
    succeeds("run", f.spec, f.table, "-o", f / "o.csv", "--quiet")
    assert list(csv.reader((f / "o.csv").read_text("utf-8").splitlines())) == rows
    _, _, data = (succeeds("run", f.spec, f.table, "-o", f / "o.npy", "--quiet"), None, npy(f / "o.npy")[2])
    assert [list(map(float, row)) for row in rows[1:]] == [list(r) for r in struct.iter_unpack("<5d", data)]
    succeeds("run", f.spec, f.table, "-o", f / "o.npz", "--quiet")
    assert (f / "o.npz").read_bytes()[:2] == b"PK"


@test
def string_columns_go_to_csv_only(f):
    spec = f.write("pass.json", json.dumps({"quern": 1, "steps": [{"columns": ["age"], "apply": [
        "StandardScaler"]}], "remainder": "passthrough"}))
    rows = list(csv.reader(succeeds("run", spec, f.table, "-o", "-", "--quiet").out.splitlines()))
    assert rows[0] == ["age", "city", "score", "flag"] and rows[4][1] == "São, Paulo" and rows[5][1] == ""
    before = f.files()
    refuses(1, ["city", ".csv"], "run", spec, f.table, "-o", f / "o.npy")
    assert f.files() == before


@test
def without_output_a_summary(f):
    outcome = succeeds("run", f.spec, f.table)
    assert outcome.out == "" and "5 columns out" in outcome.err
    assert succeeds("run", f.spec, f.table, "--quiet").err == ""


@test
def compressed_input_and_standard_input(f):
    want = succeeds("run", f.spec, f.table, "-o", "-", "--quiet").bytes
    packed = f.write("t.csv.gz", gzip.compress(TABLE.encode("utf-8")))
    assert succeeds("run", f.spec, packed, "-o", "-", "--quiet").bytes == want
    two = f.write("two.csv.gz", gzip.compress(TABLE[:50].encode("utf-8")) + gzip.compress(TABLE[50:].encode("utf-8")))
    assert succeeds("run", f.spec, two, "-o", "-", "--quiet").bytes == want, "members in a row"
    assert succeeds("run", f.spec, "-", "-o", "-", "--quiet", stdin=TABLE.encode("utf-8")).bytes == want
    tabs = f.write("t.tsv", TABLE.replace('"São, Paulo"', "São; Paulo").replace(",", "\t").replace(";", ","))
    assert succeeds("run", f.spec, tabs, "-o", "-", "--quiet").bytes == want
    crlf = f.write("crlf.csv", b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode("utf-8"))
    assert succeeds("run", f.spec, crlf, "-o", "-", "--quiet").bytes == want


@test
def zstandard_input(f):
    if shutil.which("zstd") is None:
        raise Skipped("no zstd program")
    want = succeeds("run", f.spec, f.table, "-o", "-", "--quiet").bytes
    subprocess.run(["zstd", "-q", f.table, "-o", f / "t.csv.zst"], check=True)
    assert succeeds("run", f.spec, f / "t.csv.zst", "-o", "-", "--quiet").bytes == want


@test
def npy_input(f):
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }"
    head = head + " " * (117 - len(head)) + "\n"
    f.write("m.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
            struct.pack("<6f", *values))
    spec = f.write("m.json", json.dumps({"quern": 1, "steps": [{"columns": "*", "apply": ["MinMaxScaler"]}]}))
    succeeds("run", spec, f / "m.npy", "-o", f / "o.npy", "--quiet")
    shape, descr, data = npy(f / "o.npy")
    assert (shape, descr) == ((3, 2), "<f4") and struct.unpack("<6f", data) == (0, 0, 0.5, 0.5, 1, 1)


# ---- the same bytes ----


def devices():
    listed = json.loads(succeeds("devices", "--json").out)["devices"]
    return [d["id"] for d in listed if d["present"]]


def host_only():
    lines = (ROOT / "docs" / "host-only.txt").read_text("utf-8").splitlines()
    return {line.split("\t")[0] for line in lines if line and not line.startswith(("#", "-"))}


def check_where_it_ran(device, trace):
    """Every step ran where it was asked for, but for the committed list of work for the host."""
    elsewhere = [d for d in trace["decisions"] if d["device"] != device and d["operation"] not in host_only()]
    assert trace["decisions"] and not elsewhere, elsewhere
    assert trace["device"] == device
    if device != "cpu":
        assert trace["ledger"]["launches"] > 0, trace["ledger"]


@test
def same_bytes_on_every_device_and_thread_count(f):
    table, spec = f.write("big.csv", big_table(20000)), f.write("big.json", json.dumps(BIG_SPEC))
    want = None
    for device in devices():
        for threads in ("1", "2", "7") if device == "cpu" else ("2",):
            succeeds("run", spec, table, "-o", f / "o.npy", "--model", f / "m", "--quiet", "--device", device,
                     "--threads", threads, "--fallback", "never", "--trace", f / "t.json")
            check_where_it_ran(device, json.loads((f / "t.json").read_text("utf-8")))
            got = (f / "o.npy").read_bytes(), (f / "m").read_bytes()
            want = want or got
            assert got == want, (device, threads)


@test
def limited_memory_gives_the_same_bytes(f):
    table, spec = f.write("big.csv", big_table(120000)), f.write("big.json", json.dumps(BIG_SPEC))
    for ending in (".npy", ".csv", ".npz"):
        succeeds("run", spec, table, "-o", f / f"a{ending}", "--model", f / "a.model", "--quiet")
        succeeds("run", spec, table, "-o", f / f"b{ending}", "--model", f / "b.model", "--quiet", "--max-memory",
                 "4M", "--trace", f / "t.json")
        trace = json.loads((f / "t.json").read_text("utf-8"))
        assert trace["streamed"] and trace["passes"] == trace["planned_passes"] > 1, trace
        assert (f / "a.model").read_bytes() == (f / "b.model").read_bytes()
        assert (f / f"a{ending}").read_bytes() == (f / f"b{ending}").read_bytes(), ending
        succeeds("transform", f / "a.model", table, "-o", f / f"c{ending}", "--quiet", "--max-memory", "4M")
        assert (f / f"a{ending}").read_bytes() == (f / f"c{ending}").read_bytes(), ending


@test
def categories_that_cannot_fit_are_refused_with_their_count(f):
    rows = "".join(f"{i % 7},user-{i * 2654435761 % 2**32:012d}\n" for i in range(150000))
    table = f.write("ids.csv", "a,id\n" + rows)
    for chain in ("OrdinalEncoder", "OneHotEncoder", {"SimpleImputer": {"strategy": "most_frequent"}}):
        spec = f.write("ids.json", json.dumps({"quern": 1, "steps": [{"columns": ["id"], "apply": chain}]}))
        before = f.files()
        said = refuses(1, ['column "id"', "distinct values so far", "limit of"], "run", spec, table, "-o", f / "o.csv",
                          "--model", f / "o.model", "--device", "cpu", "--max-memory", "8M")
        assert int(said.split('column "id": ')[1].split()[0]) > 1000, said
        assert f.files() == before, chain
    succeeds("run", f.write("s.json", json.dumps({"quern": 1, "steps": [{"columns": ["id"], "apply": "OrdinalEncoder"}]})),
             table, "--device", "cpu", "--quiet")


# ---- JSON ----


@test
def json_outputs_match_their_schemas(f):
    model = f.model()
    for name, words in (("devices", ["devices", "--json"]), ("devices", ["devices", "--json", "--check"]),
                        ("list", ["list", "--json"]), ("inspect", ["inspect", model, "--json"])):
        found = schema.problems(name, json.loads(succeeds(*words).out))
        assert not found, found[:5]


@test
def schemas_notice_what_is_wrong(_):
    listed = json.loads(succeeds("list", "--json").out)
    for spoil in (lambda v: v.update(quern=2), lambda v: v.pop("estimators"), lambda v: v.update(more=1),
                  lambda v: v["estimators"][0].update(name=3), lambda v: v["estimators"][0].pop("doc")):
        spoilt = json.loads(json.dumps(listed))
        spoil(spoilt)
        assert schema.problems("list", spoilt)


@test
def text_for_people(f):
    said = succeeds("inspect", f.model()).out
    assert "5 output columns" in said and "StandardScaler" in said and "mean_" in said, said
    listed = json.loads(succeeds("list", "--json").out)["estimators"]
    said = succeeds("list").out
    for one in listed:
        assert one["name"] in said and all(p["name"] in said for p in one["params"])
    said = succeeds("devices").out
    assert "cpu" in said and len(said.splitlines()) >= 2


# ---- bad input: specs ----


def spec_with(**more):
    return {**SPEC, **more}


def step(**more):
    return spec_with(steps=[{"columns": ["age"], "apply": ["StandardScaler"], **more}])


# What, its text, what the line says. The file is named where the text alone is at fault; what only
# the table shows is told by its place in the spec.
BAD_SPECS = [
    ("not JSON", "{\"quern\": 1,", ["bad_spec.json", "line 1"]),
    ("empty", "", ["bad_spec.json"]),
    ("a list", "[]", ["object"]),
    ("no version", json.dumps({"steps": SPEC["steps"]}), ["quern"]),
    ("another version", json.dumps(spec_with(quern=2)), ["quern"]),
    ("no steps", json.dumps({"quern": 1}), ["steps"]),
    ("steps empty", json.dumps(spec_with(steps=[])), ["steps"]),
    ("key twice", '{"quern": 1, "quern": 1, "steps": []}', ["quern"]),
    ("unknown key", json.dumps(spec_with(remaindr="drop")), ["bad_spec.json", '"remaindr"', '"remainder"']),
    ("unknown key of a step", json.dumps(step(colums=1)), ["steps[0]", '"colums"', '"columns"']),
    ("unknown key of input", json.dumps(spec_with(input={"delimeter": ";"})), ["input", '"delimiter"']),
    ("unknown key of output", json.dumps(spec_with(output={"dtpye": "float32"})), ["output", '"dtype"']),
    ("unknown estimator", json.dumps(step(apply=["StandardScalar"])),
     ["steps[0].apply[0]", '"StandardScalar"', '"StandardScaler"']),
    ("unknown parameter", json.dumps(step(apply=[{"StandardScaler": {"with_men": True}}])),
     ["steps[0].apply[0]", "with_men", "with_mean"]),
    ("parameter of a wrong type", json.dumps(step(apply=[{"StandardScaler": {"with_mean": 3}}])),
     ["steps[0].apply[0]", "with_mean"]),
    ("unknown choice", json.dumps(step(apply=[{"SimpleImputer": {"strategy": "medain"}}])),
     ["strategy", "medain", "median"]),
    ("unknown column", json.dumps(step(columns=["aeg"])), ["steps[0]", '"aeg"', '"age"']),
    ("position out of range", json.dumps(step(columns=[9])), ["steps[0]", "9"]),
    ("unknown selector", json.dumps(step(columns={"dtype": "numbr"})), ["numbr", "number"]),
    ("bad pattern", json.dumps(step(columns={"pattern": "(("})), ["steps[0].columns.pattern"]),
    ("columns missing", json.dumps(spec_with(steps=[{"apply": ["StandardScaler"]}])), ["steps[0].columns"]),
    ("apply missing", json.dumps(spec_with(steps=[{"columns": ["age"]}])), ["steps[0].apply"]),
    ("apply empty", json.dumps(step(apply=[])), ["steps[0].apply"]),
    ("two steps of one name", json.dumps(spec_with(steps=[
        {"name": "a", "columns": ["age"], "apply": ["StandardScaler"]},
        {"name": "a", "columns": ["score"], "apply": ["StandardScaler"]}])), ["steps[1]", '"a"']),
    ("duplicate output names", json.dumps(spec_with(steps=[
        {"columns": ["age"], "apply": ["StandardScaler"]}, {"columns": ["age"], "apply": ["MinMaxScaler"]}])),
     ["age", "name"]),
    ("strings to a scaler", json.dumps(step(columns=["city"])), ["city"]),
    ("bad dtype", json.dumps(spec_with(output={"dtype": "float31"})), ["output.dtype", "float31"]),
    ("bad threshold", json.dumps(spec_with(output={"sparse_threshold": 2})), ["output.sparse_threshold"]),
    ("bad delimiter", json.dumps(spec_with(input={"delimiter": ";;"})), ["input.delimiter"]),
    ("bad remainder", json.dumps(spec_with(remainder="keep")), ["remainder"]),
    ("unknown target", json.dumps(spec_with(target="incom")), ["target", "incom"]),
    ("not UTF-8", b'{"quern": 1, "steps": "\xff"}', ["bad_spec.json"]),
]


@test
def bad_specs(f):
    wrong = []
    for what, text, expected in BAD_SPECS:
        path = f.write("bad_spec.json", text)
        before = f.files()
        try:
            refuses(1, expected, "run", path, f.table, "-o", f / "o.npy", "--model", f / "m")
            assert f.files() == before, "something is left behind"
        except AssertionError as problem:
            wrong.append(f"{what}: {problem}")
    assert not wrong, "\n".join(wrong)
    refuses(1, ["absent.json"], "run", f / "absent.json", f.table)
    refuses(1, [str(f.path)], "run", f.path, f.table)


# ---- bad input: tables ----


BAD_TABLES = [
    ("empty", b"", []),
    ("duplicate names", "age,age,city,score\n1,2,a,3\n", ["age"]),
    ("a missing column", "age,score,flag\n1,2,True\n", ["city"]),
    ("no rows", "age,city,score,flag\n", []),
    ("infinity", "age,city,score,flag\ninf,Oslo,2,True\n1,Lima,2,True\n", ["age"]),
]


@test
def bad_tables(f):
    wrong = []
    for what, text, expected in BAD_TABLES:
        path = f.write("bad_table.csv", text)
        before = f.files()
        try:
            refuses(1, expected, "run", f.spec, path, "-o", f / "o.npy", "--model", f / "m")
            assert f.files() == before, "something is left behind"
        except AssertionError as problem:
            wrong.append(f"{what}: {problem}")
    assert not wrong, "\n".join(wrong)
    refuses(1, ["absent.csv"], "run", f.spec, f / "absent.csv")
    refuses(1, [f.path.name], "run", f.spec, f.path)


@test
def truncated_compressed_input(f):
    whole = gzip.compress((TABLE * 40).encode("utf-8"))
    path = f.write("cut.csv.gz", whole[:len(whole) // 2])
    refuses(1, ["cut.csv.gz"], "run", f.spec, path, "-o", f / "o.npy")
    path = f.write("plain.csv.gz", TABLE)
    assert quern("run", f.spec, path).code in (0, 1)  # never a crash
    path = f.write("cut.csv.zst", b"\x28\xb5\x2f\xfd\x24")
    refuses(1, ["cut.csv.zst"], "run", f.spec, path, "-o", f / "o.npy")
    assert f.files() == ["cut.csv.gz", "cut.csv.zst", "plain.csv.gz", "spec.json", "table.csv"]


@test
def cell_that_the_model_cannot_take(f):
    model = f.model()
    path = f.write("new.csv", TABLE.replace("28,", "old,"))
    before = f.files()
    refuses(1, ["new.csv", "line 5", "age", "old"], "transform", model, path, "-o", f / "o.npy")
    path = f.write("new.csv", TABLE.replace("city", "town"))
    refuses(1, ["new.csv", "city"], "transform", model, path, "-o", f / "o.npy")
    assert f.files() == before


@test
def bad_npy_inputs(f):
    good = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }"
    for what, content in (("empty", b""), ("magic", b"NUMPY"), ("cut header", good + head[:20]),
                          ("no data", good + head + b" " * (117 - len(head)) + b"\n"),
                          ("huge", good + head.replace(b"(3, 2)", b"(9223372036854775807, 2)").ljust(117) + b"\n"),
                          ("objects", good + head.replace(b"<f4", b"|O").ljust(117) + b"\n" + bytes(48))):
        path = f.write("bad.npy", content)
        refuses(1, ["bad.npy"], "run", f.spec, path, "-o", f / "o.npy")
        assert not (f / "o.npy").exists(), what


# ---- bad input: models ----


@test
def bad_models(f):
    good = f.model().read_bytes()
    size = struct.unpack("<Q", good[:8])[0]
    spoilt = [("empty", b""), ("three bytes", b"abc"), ("a table", TABLE.encode("utf-8")),
              ("zero header", bytes(8)), ("endless header", b"\xff" * 8 + good[8:]),
              ("cut in the header", good[:8 + size // 2]), ("cut in the data", good[:-8]),
              ("not JSON", good[:8] + b"x" * size + good[8 + size:]),
              ("one more byte", good + b"\0"),
              ("other version", good.replace(b'"quern_model":"1"', b'"quern_model":"9"'))]
    for what, content in spoilt:
        path = f.write("bad.model", content)
        line = refuses(1, ["bad.model"], "inspect", path)
        assert line == refuses(1, ["bad.model"], "transform", path, f.table, "-o", f / "o.npy"), what
        assert not (f / "o.npy").exists(), what
    refuses(1, ["absent.model"], "inspect", f / "absent.model")


@test
def spoilt_model_bytes_never_crash(f):
    good = bytearray(f.model().read_bytes())
    for at in range(0, len(good), max(1, len(good) // 60)):
        spoilt = bytearray(good)
        spoilt[at] ^= 0x55
        path = f.write("bad.model", bytes(spoilt))
        outcome = quern("transform", path, f.table, "-o", "-", "--quiet")
        assert outcome.code in (0, 1), f"byte {at}: exit {outcome.code}: {outcome.err[:200]}"


# ---- bad input: devices and outputs ----


@test
def devices_that_are_not_there(f):
    before = f.files()
    for name, texts in (("opencl:99", ["opencl:99"]), ("cuda:99", ["cuda:99"]), ("gpu", ["gpu", "cuda:N"])):
        refuses(1, texts, "run", f.spec, f.table, "-o", f / "o.npy", "--device", name)
        refuses(1, [name, "QUERN_DEVICE"], "run", f.spec, f.table, env={"QUERN_DEVICE": name})
    assert f.files() == before
    succeeds("run", f.spec, f.table, "--device", "cpu", "--quiet", env={"QUERN_DEVICE": "cuda:99"})


@test
def outputs_that_cannot_be_written(f):
    before = f.files()
    (f / "folder.npy").mkdir()
    for words in (["-o", f / "no" / "o.npy"], ["-o", f / "folder.npy"], ["-o", f / "o.parquet"], ["-o", f / "o"],
                  ["--model", f / "no" / "m"], ["-o", f / "o.npy", "--names", f / "no" / "n"],
                  ["-o", f / "o.npy", "--trace", f / "no" / "t"],
                  ["-o", f / "o.npy", "--report", f / "no" / "r"]):
        outcome = quern("run", f.spec, f.table, *words)
        assert outcome.code == 1 and outcome.err.startswith("quern: "), (words, outcome.err)
        assert str(words[-1]) in outcome.err, (words, outcome.err)
    (f / "folder.npy").rmdir()
    (f / "o.npy").unlink(missing_ok=True)  # complete before the later file failed
    assert f.files() == before, f.files()


@test
def full_disk(f):
    table, spec = f.write("big.csv", big_table(30000)), f.write("big.json", json.dumps(BIG_SPEC))
    before = f.files()
    for ending in (".npy", ".csv", ".npz"):
        refuses(1, ["o" + ending], "run", spec, table, "-o", f / ("o" + ending), limit=100000)
        assert f.files() == before, ending
    refuses(1, ["m.model"], "fit", spec, table, "--model", f / "m.model", limit=100)
    assert f.files() == before
    with open("/dev/full", "wb") as full:
        for words in (["run", spec, table, "-o", "-", "--quiet"], ["list", "--json"], ["--help"], ["devices"]):
            outcome = quern(*words, stdout=full)
            assert outcome.code == 1 and "standard output" in outcome.err, (words, outcome.code, outcome.err)


@test
def closed_pipe(f):
    table, spec = f.write("big.csv", big_table(30000)), f.write("big.json", json.dumps(BIG_SPEC))
    with subprocess.Popen([PROGRAM, "run", str(spec), str(table), "-o", "-", "--quiet"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read().decode("utf-8")
        assert child.wait(60) == 1 and "standard output" in said, (child.returncode, said)


@test
def an_earlier_output_survives_a_failure(f):
    f.write("o.npy", b"earlier")
    f.write("m", b"earlier")
    refuses(1, "age", "run", f.spec, f.write("bad.csv", "age,city,score,flag\n1,a,2,True\ninf,b,4,True\n"), "-o",
            f / "o.npy", "--model", f / "m")
    assert (f / "o.npy").read_bytes() == (f / "m").read_bytes() == b"earlier"
    succeeds("run", f.spec, f.table, "-o", f / "o.npy", "--model", f / "m", "--quiet")
    assert (f / "o.npy").read_bytes()[:6] == b"\x93NUMPY"


# ---- Ctrl-C ----


def interrupted(words, after):
    """Exit code and words of a program that is interrupted after a while."""
    with subprocess.Popen([PROGRAM, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as child:
        time.sleep(after)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=60)[1].decode("utf-8", "replace")
        return child.returncode, said


@test
def interrupt_leaves_nothing_behind(f):
    table, spec = f.write("big.csv", big_table(400000)), f.write("big.json", json.dumps(BIG_SPEC))
    before, stopped = f.files(), 0
    for after in (0.02, 0.1, 0.2, 0.4, 0.6, 0.8):
        code, said = interrupted(["run", spec, table, "-o", f / "o.csv", "--model", f / "m", "--max-memory", "8M"],
                                 after)
        if code == 0:
            (f / "o.csv").unlink()
            (f / "m").unlink()
            continue
        stopped += 1
        assert code in (1, -signal.SIGINT), (after, code, said)
        assert code != 1 or "cancelled" in said, (after, said)
        assert f.files() == before, (after, f.files())
    assert stopped > 0, "no interrupt came in time"


@test
def interrupt_while_waiting_for_input(f):
    before = f.files()
    code, said = interrupted(["run", f.spec, "-", "-o", f / "o.npy"], 0.4)
    assert code in (1, -signal.SIGINT), (code, said)
    assert f.files() == before


# ---- all of them ----


def run_one(function, scratch):
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    try:
        function(Folder(folder))
        return "ok", ""
    except Skipped as reason:
        return "skipped", str(reason)
    except AssertionError as problem:
        return "FAILED", str(problem)
    except Exception as problem:  # one bad test must not hide the others
        return "FAILED", f"{type(problem).__name__}: {problem}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(argv):
    global PROGRAM
    PROGRAM = str(pathlib.Path(argv[0]).resolve())
    os.environ.pop("QUERN_DEVICE", None)
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for function in TESTS:
            if argv[1:] and not any(word in function.__name__ for word in argv[1:]):
                continue
            start = time.monotonic()
            state, why = run_one(function, scratch)
            counts[state] += 1
            print(f"{state:8}{function.__name__} ({time.monotonic() - start:.1f} s)" +
                  (f": {why[:3000]}" if why else ""), flush=True)
    closing = f"{counts['ok']} passed, {counts['FAILED']} failed"
    print(closing + (f", {counts['skipped']} skipped" if counts["skipped"] else ""))
    return 1 if counts["FAILED"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
