# SPDX-License-Identifier: Apache-2.0
# %% [markdown]
# # One import changed, the same numbers
#
# A ColumnTransformer over a table of numbers and text, once from scikit-learn and once from quern: what
# both learn, whether their outputs have the same bits, and how long they take.

# %%
import sys
import time

import numpy as np
import pandas as pd
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import quern

quick = "--quick" in sys.argv
table = pd.read_csv("examples/adult_sample.csv", na_values="?")
X, y = table.drop(columns="income"), table["income"]
print(f"{len(X)} people, {X.shape[1]} columns, {X.isna().sum().sum()} cells missing")

# %% [markdown]
# Classes have the same names at the same places, so a pipeline can be written once for both. In a program
# the lines with `import` change, `from sklearn.compose import …` to `from quern.compose import …`; or none
# of them, with `python -m quern program.py`.


# %%
def for_numbers(library):
    return library.pipeline.make_pipeline(library.impute.SimpleImputer(strategy="median"),
                                          library.preprocessing.StandardScaler())


def for_texts(library):
    return library.pipeline.make_pipeline(
        library.impute.SimpleImputer(strategy="most_frequent"),
        library.preprocessing.OneHotEncoder(min_frequency=20, handle_unknown="ignore"))


def features(library):
    """The pipeline, from the library that is given: sklearn or quern."""
    select = library.compose.make_column_selector
    return library.compose.make_column_transformer(
        (for_numbers(library), select(dtype_include="number")),
        (for_texts(library), select(dtype_exclude="number")))


theirs, ours = features(sklearn), features(quern)
for made in (theirs, ours):
    out = made.fit_transform(X)
    print(f"{type(made).__module__.partition('.')[0]:8}a {type(out).__name__} of {out.shape}")
names, our_names = theirs.get_feature_names_out(), ours.get_feature_names_out()
print("the names of the output columns are equal:", np.array_equal(names, our_names))

# %% [markdown]
# Medians and categories are equal. Means and variances may differ in the last bit, because quern sums in
# an order that does not depend on threads or devices ([numbers.md](../numbers.md)).


# %%
def learned(transformer):
    imputer, scaler = transformer.named_transformers_["pipeline-1"]
    encoder = transformer.named_transformers_["pipeline-2"][-1]
    return imputer.statistics_, encoder.categories_, scaler.mean_, scaler.var_


medians, categories, means, variances = learned(theirs)
our_medians, our_categories, our_means, our_variances = learned(ours)
print("medians are equal:   ", np.array_equal(medians, our_medians))
print("categories are equal:", all(map(np.array_equal, categories, our_categories)))
print("means differ by less than 1e-15 of their size:    ", np.abs(our_means / means - 1).max() < 1e-15)
print("variances differ by less than 1e-15 of their size:",
      np.abs(our_variances / variances - 1).max() < 1e-15)

# %% [markdown]
# From the same attributes come the same bits. `from_sklearn` and `to_sklearn` copy fitted pipelines either
# way; the parts of the sparse outputs are compared as bytes, where 0.0 and -0.0 differ.


# %%
def same_bits(one, other):
    a, b = one.transform(X), other.transform(X)
    return a.shape == b.shape and all(getattr(a, part).tobytes() == getattr(b, part).tobytes()
                                      for part in ("data", "indices", "indptr"))


print("scikit-learn's fit, both transforms:", same_bits(theirs, quern.from_sklearn(theirs)))
print("quern's fit, both transforms:       ", same_bits(ours, ours.to_sklearn()))

# %% [markdown]
# A model of another library goes at the end as ever. What is ahead of it is one call of quern.

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
predicted = {}
for library in (sklearn, quern):
    line = library.pipeline.make_pipeline(features(library), LogisticRegression(max_iter=1000))
    predicted[library] = line.fit(X_train, y_train).predict(X_test)
    print(f"accuracy with {library.__name__:8} {np.mean(predicted[library] == y_test):.2f}")
print("people about whom they disagree:", np.sum(predicted[sklearn] != predicted[quern]))

# %% [markdown]
# ## Time
# The table as it is and ten times over, and its numbers alone as an array; one thread on either side, the
# least of seven rounds. Where there is text, quern spends most of its time on reading Python's strings.

# %% tags=["measured"]
long = pd.concat([X] * (2 if quick else 10), ignore_index=True)
cases = {f"{len(X):,} rows,\nnumbers and text": (features, X),
         f"{len(long):,} rows,\nnumbers and text": (features, long),
         f"{len(long):,} rows,\nnumbers": (for_numbers, long.select_dtypes("number").to_numpy("float64"))}
ratios = {}
print("                                              scikit-learn       quern")
for case, (make, rows) in cases.items():
    for call in ("fit_transform", "transform"):
        least = {sklearn: np.inf, quern: np.inf}
        for _ in range(1 if quick else 7):
            for library in least:  # in turn, so that what else the machine does hits both
                with quern.config_context(threads=1, device="cpu"):
                    made = make(library).fit(rows)
                    start = time.perf_counter()
                    getattr(made, call)(rows)
                    least[library] = min(least[library], 1000 * (time.perf_counter() - start))
        ratios[case, call] = least[sklearn] / least[quern]
        print(f"{case.replace(chr(10), ' '):30} {call:14} {least[sklearn]:9.2f} ms {least[quern]:8.2f} ms")

# %% How many times as long scikit-learn takes tags=["picture"]
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
place = np.arange(len(cases))
for shift, call, color in ((-0.19, "fit_transform", "#1f5f99"), (0.19, "transform", "#8fb7d9")):
    bars = axes.barh(place + shift, [ratios[case, call] for case in cases], 0.36, label=call, color=color)
    axes.bar_label(bars, fmt="%.1f ×", padding=3)
axes.axvline(1, color="#b04a3a", linewidth=1.2, label="scikit-learn")
axes.set_yticks(place, list(cases))
axes.invert_yaxis()
axes.margins(x=0.12)
axes.grid(False, axis="y")
axes.set_xlabel("scikit-learn's time / quern's time, one thread each")
axes.set_title("How many times as long scikit-learn takes", loc="left")
axes.legend(frameon=False)
plt.show()
