#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole program while the CUDA driver fails under it: test_program_faults.py QUERN STANDIN WORK.

`quern run` on the stand-in, with the k-th driver call failing: out of memory once, or the device lost
for good. Whatever happens, the program ends by itself, and either wrote the bytes that the CPU writes
or said why in one line, ended with 1 and left no output behind."""
import json
import os
import pathlib
import random
import subprocess
import sys

SPEC = {
    "quern": 1,
    "steps": [
        {"columns": ["a", "b"], "apply": [{"SimpleImputer": {"strategy": "median"}}, "StandardScaler"]},
        {"columns": ["c"], "apply": ["MinMaxScaler"]},
        {"columns": ["d"], "apply": ["OneHotEncoder"]},
    ],
}
CALLS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610]
FATES = ["2", "719!"]


def main(program, standin, folder):
    work = pathlib.Path(folder)
    work.mkdir(parents=True, exist_ok=True)
    draw = random.Random(3)
    with open(work / "table.csv", "w", encoding="utf-8") as file:
        file.write("a,b,c,d\n")
        for _ in range(500):
            file.write(f"{draw.gauss(0, 1):.5f},{draw.choice(['', 1, 2, 7])},{draw.randint(0, 999)},"
                       f"{draw.choice('xyz')}\n")
    (work / "spec.json").write_text(json.dumps(SPEC), encoding="utf-8")

    def run(out, device, fault=None):
        out.unlink(missing_ok=True)
        env = dict(os.environ, QUERN_CACHE_DIR="off")
        env["LD_LIBRARY_PATH"] = standin + ":" + env.get("LD_LIBRARY_PATH", "")
        if fault:
            env["QN_STANDIN_FAIL"] = fault
        return subprocess.run([program, "run", "spec.json", "table.csv", "-o", str(out), "--device", device],
                              cwd=work, env=env, capture_output=True, text=True, timeout=120, check=False)

    listed = subprocess.run([program, "devices", "--json"], env={
        **os.environ, "LD_LIBRARY_PATH": standin + ":" + os.environ.get("LD_LIBRARY_PATH", "")},
        capture_output=True, text=True, timeout=120, check=True)
    notes = next(d["notes"] for d in json.loads(listed.stdout)["devices"] if d["id"] == "cuda:0")
    for words in ("NVRTC ", "cuBLAS ", "ahead-of-time kernels: "):  # found or not, each is a line
        if not any(line.startswith(words) for line in notes):
            print(f"quern devices has no note on {words.strip()}: {notes}", file=sys.stderr)
            return 1

    want, got = work / "cpu.npy", work / "cuda.npy"
    for device, out in (("cpu", want), ("cuda:0", got)):
        done = run(out, device)
        if done.returncode != 0:
            print(f"{device}: {done.stderr}", file=sys.stderr)
            return 1
    expected = want.read_bytes()
    troubles = [] if got.read_bytes() == expected else ["without faults the bytes differ"]
    ended = {0: 0, 1: 0}
    for fate in FATES:
        for k in CALLS:
            fault = f"*:{k}:{fate}"
            done = run(got, "cuda:0", fault)
            ended[done.returncode] = ended.get(done.returncode, 0) + 1
            if done.returncode == 0:
                if got.read_bytes() != expected:
                    troubles.append(f"{fault}: done, with other bytes")
            elif done.returncode != 1:
                troubles.append(f"{fault}: exit {done.returncode}: {done.stderr[-200:]}")
            else:
                if got.exists():
                    troubles.append(f"{fault}: failed and left its output behind")
                if "quern: " not in done.stderr:
                    troubles.append(f"{fault}: failed without a word")
    print(f"{ended[0]} runs done with the CPU's bytes, {ended[1]} ended with a reason")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
