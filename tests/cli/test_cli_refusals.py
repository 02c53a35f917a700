#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line when something is wrong: specs, tables, models, devices, outputs, Ctrl-C. One clear
line, the right exit code, nothing left behind."""
import csv
import gzip
import json
import signal
import struct
import subprocess
import sys
import time

import harness
from harness import (BIG_SPEC, SPEC, TABLE, big_table, main, npy, quern, refuses, succeeds, test)


# ---- bad input: specs ----


def spec_with(**more):
    return {**SPEC, **more}


def step(**more):
    return spec_with(steps=[{"columns": ["age"], "apply": ["StandardScaler"], **more}])


# What, its text, what the line says: the file, and the place in it.
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
    ("unknown column", json.dumps(step(columns=["aeg"])), ["bad_spec.json: steps[0]", '"aeg"', '"age"']),
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
    ("strings to a scaler", json.dumps(step(columns=["city"])), ["bad_spec.json: steps[0]", '"city"']),
    ("bad dtype", json.dumps(spec_with(output={"dtype": "float31"})), ["output.dtype", "float31"]),
    ("bad threshold", json.dumps(spec_with(output={"sparse_threshold": 2})), ["output.sparse_threshold"]),
    ("bad delimiter", json.dumps(spec_with(input={"delimiter": ";;"})), ["input.delimiter"]),
    ("bad remainder", json.dumps(spec_with(remainder="keep")), ["remainder"]),
    ("unknown target", json.dumps(spec_with(target="scroe")), ["bad_spec.json: target", '"scroe"', '"score"']),
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
    with subprocess.Popen([harness.PROGRAM, "run", str(spec), str(table), "-o", "-", "--quiet"], stdout=subprocess.PIPE,
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
    with subprocess.Popen([harness.PROGRAM, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
