# SPDX-License-Identifier: Apache-2.0
# %% [markdown]
# # The same bits everywhere, and near the truth
#
# A model does not depend on the number of threads, the device or the pieces in which the rows came. And its
# variances hold where the values are large and close together, as timestamps are: here they are compared
# with exact fractions.

# %%
import hashlib
import sys
from fractions import Fraction

import numpy as np
import sklearn.preprocessing

import quern
from quern.preprocessing import StandardScaler

quick = "--quick" in sys.argv


def fingerprint():
    """Fits the example pipeline under the settings in force; what is hashed is the whole model file."""
    model = quern.fit("examples/adult_sample.json", "examples/adult_sample.csv")
    return hashlib.sha256(model.to_bytes()).hexdigest()[:16]


fingerprints = {}
for threads in (1, 2, 7):
    with quern.config_context(device="cpu", threads=threads):
        fingerprints[threads] = fingerprint()
    print(f"cpu, threads={threads}: model {fingerprints[threads]}")

# %% [markdown]
# The same on an OpenCL device, if this machine has one. With `fallback="never"` nothing runs elsewhere
# except what is always the host's, such as collecting the categories.

# %% tags=["measured"]
try:
    with quern.config_context(device="opencl:0", fallback="never"):
        on_device = fingerprint()
        print(f"opencl:0: model {on_device}")
        for decision in quern.last_report()["decisions"]:
            print(f"  {decision['step']} {decision['operation']} on {decision['device']}")
    assert on_device == fingerprints[1], "another model on opencl:0"
except quern.DeviceError as error:
    print("opencl:0 is absent:", error)

# %% [markdown]
# ## Variances of large numbers
# Ten thousand moments in time as seconds since 1970, spread over a day, a minute and a second. The formula
# of many textbooks, the mean of the squares less the square of the mean, has seven digits of the first and
# none of the others; scikit-learn's `partial_fit` loses some where the rows come in pieces. The exact
# variance is computed from the same doubles with fractions.


# %%
def exact_variance(x):
    values = [Fraction(v) for v in x.tolist()]
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / len(values)


def in_pieces(scaler, x, pieces=50):
    for piece in np.array_split(x.reshape(-1, 1), pieces):
        scaler.partial_fit(piece)
    return scaler.var_[0]


WAYS = {
    "textbook formula": lambda x: np.mean(x * x) - np.mean(x) ** 2,
    "numpy.var": np.var,
    "scikit-learn, fit": lambda x: sklearn.preprocessing.StandardScaler().fit(x.reshape(-1, 1)).var_[0],
    "scikit-learn, partial_fit": lambda x: in_pieces(sklearn.preprocessing.StandardScaler(), x),
    "quern, fit": lambda x: StandardScaler().fit(x.reshape(-1, 1)).var_[0],
    "quern, partial_fit": lambda x: in_pieces(StandardScaler(), x)}


def errors(x):
    """The relative error of each way."""
    truth, found = exact_variance(x), {name: float(way(x)) for name, way in WAYS.items()}
    assert found["quern, fit"] == found["quern, partial_fit"]  # the same bits at once and in pieces
    return {name: float(abs(Fraction(variance) / truth - 1)) for name, variance in found.items()}


generator = np.random.default_rng(0)
start = 1_750_000_000
of_time = {span: errors(start + seconds * generator.random(10_000))
           for span, seconds in {"a day": 86_400, "a minute": 60, "a second": 1}.items()}
largest = max(found[way] for found in of_time.values() for way in ("quern, fit", "quern, partial_fit"))
print("quern's largest error is below 1e-15:", largest < 1e-15)

# %% tags=["measured"]
print(f"{'relative error':26}" + "".join(f"{span:>12}" for span in of_time))
for way in WAYS:
    print(f"{way:26}" + "".join(f"{found[way]:12.0e}" for found in of_time.values()))

# %% [markdown]
# Normal numbers with a standard deviation of 1, further and further from zero. A single `fit` of
# scikit-learn corrects its rounding and is as good as quern's; in pieces it is not.

# %%
offsets = [10.0 ** k for k in ((0, 6, 12) if quick else range(13))]
by_offset = [errors(offset + np.random.default_rng(1).normal(size=10_000)) for offset in offsets]
largest = max(found["quern, partial_fit"] for found in by_offset)
print("quern's largest error is below 1e-14:", largest < 1e-14)

# %% How far variances are from the exact ones tags=["picture"]
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
styles = {"textbook formula": ("#b04a3a", "s--"), "scikit-learn, partial_fit": ("#b06a1f", "v-"),
          "numpy.var": ("#777777", "^:"), "scikit-learn, fit": ("#2e8b57", "D-"),
          "quern, partial_fit": ("#1f5f99", "o-")}
for way, (color, style) in styles.items():
    seen = [min(max(found[way], 1e-18), 2) for found in by_offset]  # an exact result has a place as well
    label = "quern, fit and partial_fit" if way == "quern, partial_fit" else way
    axes.loglog(offsets, seen, style, color=color, label=label, markersize=4, linewidth=1.2)
axes.axhline(2.0 ** -53, color="black", linewidth=0.7, label="half a unit in the last place of 1")
axes.axvline(start, color="black", linewidth=0.7, linestyle=":")
axes.annotate("seconds since 1970", (start, 1e-4), rotation=90, ha="right", va="center", fontsize=7)
axes.set_xlabel("mean / standard deviation")
axes.set_ylabel("relative error of the variance")
axes.set_title("How far variances are from the exact ones", loc="left")
axes.legend(frameon=False, fontsize=8, loc="upper left")
plt.show()
