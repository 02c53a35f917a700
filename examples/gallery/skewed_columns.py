# SPDX-License-Identifier: Apache-2.0
# %% [markdown]
# # Scalers on skewed columns
#
# StandardScaler, MinMaxScaler and RobustScaler side by side on three columns that are not bell-shaped: what
# each of them learns, and what a single wrong value does to it.

# %%
import numpy as np
import pandas as pd

from quern.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

columns = ["fnlwgt", "hours_per_week", "capital_gain"]
X = pd.read_csv("examples/adult_sample.csv")[columns].astype("float64")
for name in columns:
    low, median, high = np.percentile(X[name], [25, 50, 75])
    print(f"{name:14} quartiles {low:g}, {median:g}, {high:g}; from {X[name].min():g} to {X[name].max():g}")

# %% [markdown]
# `fnlwgt`, a weight of the census, has a long tail to the right. More than half of all people work between
# 40 and 45 hours, some 1 and some 99. `capital_gain` is 0 for nine in ten and reaches 99,999.

# %%
scalers = {"StandardScaler": StandardScaler(), "MinMaxScaler": MinMaxScaler(), "RobustScaler": RobustScaler()}
scaled = {name: scaler.fit_transform(X) for name, scaler in scalers.items()}

print(" " * 26 + "".join(f"{name:>16}" for name in columns))
for name, attribute in (("StandardScaler", "mean_"), ("StandardScaler", "scale_"),
                        ("MinMaxScaler", "data_min_"), ("MinMaxScaler", "data_range_"),
                        ("RobustScaler", "center_"), ("RobustScaler", "scale_")):
    values = getattr(scalers[name], attribute)
    print(f"{name:14} {attribute:11}" + "".join(f"{value:16.6g}" for value in values))

# %% The shapes stay tags=["picture"]
import matplotlib.pyplot as plt

given = {"as it is": X.to_numpy(), **scaled}
colors = ("#777777", "#1f5f99", "#2e8b57", "#b06a1f")
figure, grid = plt.subplots(len(columns), len(given), figsize=(9.5, 5.4), layout="constrained", sharey="row")
for k, row in enumerate(grid):
    for axes, (title, values), color in zip(row, given.items(), colors):
        column = values[:, k]
        axes.hist(column, bins=50, color=color, log=True)
        axes.axvspan(*np.percentile(column, [25, 75]), color="#f2c14e", alpha=0.6, zorder=0)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=3)
        axes.xaxis.set_major_formatter("{x:,.7g}")
        if k == 0:
            axes.set_title(title, color=color)
    row[0].set_ylabel(f"{columns[k]}\npeople")
figure.supxlabel("value; the yellow band holds the middle half, where that has a width", fontsize=9)
plt.show()

# %% [markdown]
# None of them changes the shape: they move and stretch. What differs is how wide the middle half is
# afterwards, and how the columns compare, which is what a model that looks at distances sees. MinMaxScaler
# gives most of its range to the few in the tails.

# %%
print("width of the middle half  " + "".join(f"{name:>16}" for name in columns))
for name in scalers:
    widths = np.subtract(*np.percentile(scaled[name], [75, 25], axis=0))
    print(f"{name:26}" + "".join(f"{width:16.3f}" for width in widths))

# %% The columns beside each other tags=["picture"]
figure, panels = plt.subplots(1, len(scaled), figsize=(9.5, 2.4), layout="constrained", sharey=True)
for axes, (title, values), color in zip(panels, scaled.items(), colors[1:]):
    axes.boxplot(values, orientation="horizontal", whis=(1, 99), widths=0.5, patch_artist=True,
                 tick_labels=columns, boxprops={"facecolor": color, "alpha": 0.5},
                 medianprops={"color": "black"},
                 flierprops={"marker": "|", "markersize": 4, "markeredgecolor": color})
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-20, 2e5)
    axes.set_xticks([-10, -1, 0, 1, 10, 1000, 100_000], ["-10", "-1", "0", "1", "10", "1,000", "100,000"],
                    fontsize=7)
    axes.xaxis.set_minor_locator(plt.NullLocator())
    axes.set_title(title, color=color)
panels[0].invert_yaxis()
figure.supxlabel("box: the middle half; line: from 1 % to 99 %; marks: the rest", fontsize=9)
plt.show()

# %% [markdown]
# The quartiles of `capital_gain` are both 0. RobustScaler, scikit-learn's and this one, then divides by 1:
# the column leaves as large as it came and outweighs the others.

# %%
print("scale_ of capital_gain:", scalers["RobustScaler"].scale_[2])
print("largest outputs:", ", ".join(f"{value:.2f} ({name})" for value, name in
                                    zip(scaled["RobustScaler"].max(axis=0), columns)))

# %% [markdown]
# ## One wrong value
# The largest `fnlwgt` gets two more zeros, as a slip of the keyboard would do. The other 4,999 rows are
# what they were.

# %%
wrong = X.copy()
wrong.loc[X["fnlwgt"].idxmax(), "fnlwgt"] *= 100
divisors = {"StandardScaler": "scale_", "MinMaxScaler": "data_range_", "RobustScaler": "scale_"}
print("fnlwgt is divided by        before        after")
for name, attribute in divisors.items():
    before = getattr(scalers[name], attribute)[0]
    after = getattr(type(scalers[name])().fit(wrong), attribute)[0]
    print(f"{name:20}{before:14,.0f}{after:13,.0f}   {after / before:6.2f} times")

# %% [markdown]
# ## The same as scikit-learn

# %%
import sklearn.preprocessing

print("outputs agree to     1e-13 after fits of their own    bit for bit from the same attributes")
for name, scaler in scalers.items():
    theirs = getattr(sklearn.preprocessing, name)().fit_transform(X)
    close = np.allclose(theirs, scaled[name], rtol=1e-13, atol=1e-13)
    equal = scaler.to_sklearn().transform(X).tobytes() == scaled[name].tobytes()
    print(f"{name:20} {close!s:32} {equal}")
