#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as its users meet it: help, the main job, the same bytes, JSON."""
import csv
import gzip
import json
import shutil
import struct
import subprocess
import sys

from harness import (BIG_SPEC, NAMES, ROOT, SPEC, Skipped, TABLE, big_table,
                     main, npy, quern, refuses, succeeds, test)
import schema  # tests/repo, where the harness looks for it

COMMANDS = {"devices": [], "run": ["SPEC", "INPUT"], "fit": ["SPEC", "INPUT"],
            "transform": ["MODEL", "INPUT"], "inspect": ["MODEL"], "list": []}


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
                        ("list", ["list", "--json"]), ("inspect", ["inspect", model, "--json"]),
                        ("plan", ["inspect", f.spec, f.table, "--json"])):
        found = schema.problems(name, json.loads(succeeds(*words).out))
        assert not found, found[:5]


@test
def devices_show_the_drivers_notes(f):
    """OpenCL's loader is sent elsewhere: whatever it then finds, the list says that it was."""
    (f / "vendors").mkdir()
    env = {"OCL_ICD_VENDORS": str(f / "vendors")}
    note = f"OCL_ICD_VENDORS is set: {f / 'vendors'}"
    listed = json.loads(succeeds("devices", "--json", env=env).out)
    assert not schema.problems("devices", listed), schema.problems("devices", listed)
    first = next(d for d in listed["devices"] if d["backend"] == "opencl")
    assert note in first["notes"], first
    assert f"           {note}\n" in succeeds("devices", env=env).out
    plain = succeeds("devices", env={"OCL_ICD_VENDORS": "", "OCL_ICD_FILENAMES": ""}).out
    assert "is set:" not in plain, plain


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
    passes = next(line for line in said.splitlines() if line.startswith("passes over the rows: "))
    assert passes in succeeds("inspect", f.spec, f.table).out and passes.endswith(", 1 to transform"), passes
    listed = json.loads(succeeds("list", "--json").out)["estimators"]
    said = succeeds("list").out
    for one in listed:
        assert one["name"] in said and all(p["name"] in said for p in one["params"])
    said = succeeds("devices").out
    assert "cpu" in said and len(said.splitlines()) >= 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
