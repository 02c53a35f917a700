# SPDX-License-Identifier: Apache-2.0
# %% [markdown]
# # Fit here, serve there
#
# A model is fitted from Python, saved as a file that other tools can read, loaded elsewhere, and asked for
# one row at a time: how long that takes beside scikit-learn. Then fits of more rows than fit into memory.

# %%
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
import sklearn

import quern
from quern.preprocessing import StandardScaler

quick = "--quick" in sys.argv
folder = tempfile.TemporaryDirectory()
work = pathlib.Path(folder.name)

numbers = pd.read_csv("examples/adult_sample.csv").select_dtypes("number")
X = np.ascontiguousarray(numbers, "float64")  # rows side by side in memory
X[::50, 1] = np.nan  # some values get lost

spec = {"quern": 1, "steps": [{"columns": "*", "apply": [{"SimpleImputer": {"strategy": "median"}},
                                                         "StandardScaler"]}]}
model = quern.fit(spec, X, model=work / "numbers.model")
data = (work / "numbers.model").read_bytes()
print(f"{X.shape[0]} rows of {X.shape[1]} numbers; the model has {len(data)} bytes")

# %% [markdown]
# The file is in safetensors' container: a length, a JSON header, arrays. No code is in it and nothing is
# unpickled ([model-format.md](../model-format.md)).

# %%
end = 8 + int.from_bytes(data[:8], "little")
for name, entry in json.loads(data[8:end]).items():
    if name != "__metadata__":
        first, last = (end + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[first:last], {"F64": "<f8", "I64": "<i8"}[entry["dtype"]])
        print(f"{name:30} {', '.join(f'{v:.6g}' for v in values)}")

# %% [markdown]
# ## One row
# `Model.apply` takes a row of numbers and the place for its output, both arrays of the model's types. It
# needs no device and no table, and any number of threads may call it. The bits are those of a transform of
# the whole.

# %%
served = quern.Model.load(work / "numbers.model")
row, out = np.array([39, np.nan, 13, 2174, 0, 40]), np.empty(6)
served.apply(row, out)
print(np.array2string(out, precision=4))

whole = quern.transform(model, X)
one_by_one = np.empty_like(whole)
for i in range(len(X)):
    served.apply(X[i], one_by_one[i])
print("the bits of one by one and of the whole are the same:", one_by_one.tobytes() == whole.tobytes())

# %% [markdown]
# The same pipeline as an object of scikit-learn, as one of quern, and as a loaded model; each asked for one
# row, over and over.


# %%
def pipeline(library):
    return library.pipeline.make_pipeline(library.impute.SimpleImputer(strategy="median"),
                                          library.preprocessing.StandardScaler()).fit(X)


theirs, ours = pipeline(sklearn), pipeline(quern)
print("outputs agree to 1e-12:", np.allclose(theirs.transform(X), whole, rtol=1e-12, atol=1e-13))
print("quern's pipeline and its model agree bit for bit:", ours.transform(X).tobytes() == whole.tobytes())

# %% tags=["measured"]
calls = {"scikit-learn, pipeline.transform": lambda i: theirs.transform(X[i:i + 1]),
         "quern, pipeline.transform": lambda i: ours.transform(X[i:i + 1]),
         "quern, Model.apply": lambda i: served.apply(X[i], out)}
latencies = {name: [] for name in calls}
for i in range(100 if quick else len(X)):  # in turn, so that what else the machine does hits all alike
    for name, call in calls.items():
        start = time.perf_counter_ns()
        call(i)
        latencies[name].append((time.perf_counter_ns() - start) / 1000)
print("microseconds a row                   median   99 of 100")
for name, times in latencies.items():
    print(f"{name:34} {np.median(times):8.1f} {np.percentile(times, 99):11.1f}")

# %% How long one row takes tags=["picture"]
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
low, high = min(map(min, latencies.values())), max(np.percentile(times, 99.9) for times in latencies.values())
bins = np.geomspace(0.8 * low, 1.2 * high, 120)
for (name, times), color in zip(latencies.items(), ("#b06a1f", "#8fb7d9", "#1f5f99")):
    axes.hist(times, bins=bins, color=color, alpha=0.85, label=f"{name}: {np.median(times):.3g} µs")
axes.set_xscale("log")
axes.set_yticks([])
axes.grid(False, axis="y")
axes.set_xlabel("microseconds for one row; the legend has medians")
axes.set_ylabel("rows")
axes.legend(frameon=False, loc="upper right", fontsize=8)
axes.set_title("How long one row takes", loc="left")
plt.show()

# %% [markdown]
# ## More rows than fit
# A fit can be fed in pieces. quern's has the bits of a fit of the whole, however the rows are cut.

# %%
at_once, fed = StandardScaler().fit(X), StandardScaler()
for piece in np.array_split(X, 37):
    fed.partial_fit(piece)
print("the same bits at once and in 37 pieces:", fed.var_.tobytes() == at_once.var_.tobytes())

# %% [markdown]
# And the library reads files that are larger than the memory it may take in passes. This file is the example
# table two hundred times over; it is fitted in a process of its own, once freely and once with `max_memory`.
# Passes cost time: the text is read anew for each.

# %%
times_over, limit = (10, 4 << 20) if quick else (200, 64 << 20)
head, *rows = pathlib.Path("examples/adult_sample.csv").read_text("utf-8").splitlines(keepends=True)
with open(work / "large.csv", "w", encoding="utf-8") as file:
    file.write(head)
    for _ in range(times_over):
        file.writelines(rows)

PROGRAM = """
import sys, time
import quern

def kilobytes(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))

before, start = kilobytes("VmRSS"), time.perf_counter()
with quern.config_context(device="cpu", max_memory=int(sys.argv[1])):
    quern.fit("examples/adult_sample.json", sys.argv[2], model=sys.argv[3])
print(f"{(kilobytes('VmHWM') - before) / 1024:.0f} MiB, {time.perf_counter() - start:.1f} s")
"""


def fit_with(max_memory):
    """The model's bytes, and by how much memory grew in what time."""
    command = [sys.executable, "-c", PROGRAM, str(max_memory), work / "large.csv", work / "large.model"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return (work / "large.model").read_bytes(), said


(free_model, free), (limited_model, limited) = fit_with(0), fit_with(limit)
print("the models are equal, byte for byte:", free_model == limited_model)

# %% tags=["measured"]
print(f"the file: {(work / 'large.csv').stat().st_size / 2 ** 20:.0f} MiB")
print(f"without a limit:     memory grew by {free}")
print(f"with {limit >> 20} MiB allowed: memory grew by {limited}")
folder.cleanup()
