# SPDX-License-Identifier: Apache-2.0
"""What else computes the same: expressions of Polars and numexpr, and scikit-learn-intelex's statistics.

Each function gives {"peer NAME": call} for those that are installed; scikit-learn is not patched. Each call's result
is compared with what is wanted when the case is made. Frames and statistics objects are made before."""
import numpy as np
import polars as pl

from measure import Wrong


def _numexpr(threads):
    try:
        import numexpr
    except ImportError:
        return None
    numexpr.set_num_threads(threads)
    return numexpr


def _statistics(options, threads):
    """scikit-learn-intelex's BasicStatistics, or None."""
    try:
        import daal4py
        from sklearnex.basic_statistics import BasicStatistics
    except ImportError:
        return None
    daal4py.daalinit(threads)
    return BasicStatistics(result_options=options)


def _near(name, got, want, within):
    off = np.abs(np.asarray(got, np.float64) - want).max()
    if not off <= within * max(1.0, np.abs(want).max()):
        raise Wrong(f"{name} gives other numbers: off by {off:.3g}")


class Others:
    def __init__(self, threads):
        self.threads = threads

    @staticmethod
    def frame(x):
        return pl.DataFrame({f"c{i}": np.ascontiguousarray(x[:, i]) for i in range(x.shape[1])})

    def moments(self, x, mean, scale):
        frame = self.frame(x)

        def polars():
            return frame.select(pl.all().mean().name.suffix("_m"), pl.all().std(ddof=0).name.suffix("_s"))

        _near("Polars", polars().row(0), np.concatenate([mean, scale]), 1e-4)
        found = {"peer Polars": polars}
        intelex = _statistics(["mean", "standard_deviation"], self.threads)
        if intelex is not None:
            _near("scikit-learn-intelex", intelex.fit(x).mean_, mean, 1e-3)
            found["peer scikit-learn-intelex"] = lambda: intelex.fit(x)
        return found

    def extremes(self, x, low, high):
        frame = self.frame(x)

        def polars():
            return frame.select(pl.all().min().name.suffix("_l"), pl.all().max().name.suffix("_h"))

        _near("Polars", polars().row(0), np.concatenate([low, high]), 0)
        found = {"peer Polars": polars}
        intelex = _statistics(["min", "max"], self.threads)
        if intelex is not None:
            _near("scikit-learn-intelex", intelex.fit(x).max_, high, 0)
            found["peer scikit-learn-intelex"] = lambda: intelex.fit(x)
        return found

    def quantiles(self, x, center, scale):
        frame = self.frame(x)

        def polars():
            return frame.select(pl.all().quantile(q, "linear").name.suffix(f"_{q}") for q in (0.25, 0.5, 0.75))

        low, middle, high = np.reshape(polars().row(0), (3, -1))
        _near("Polars", middle, center, 1e-5)
        _near("Polars", high - low, scale, 1e-5)
        return {"peer Polars": polars}

    def medians(self, x, medians):
        frame = self.frame(x).fill_nan(None)
        _near("Polars", frame.select(pl.all().median()).row(0), medians, 1e-5)
        return {"peer Polars": lambda: frame.select(pl.all().median())}

    def scaled(self, x, mean, scale, out, times=False):
        """(x - mean) / scale, or x * scale + mean."""
        frame = self.frame(x)
        m, s = np.asarray(mean, np.float32), np.asarray(scale, np.float32)
        want = x[:1000] * s + m if times else (x[:1000] - m) / s

        def polars():
            return frame.select((pl.col(c) * b + a) if times else ((pl.col(c) - a) / b)
                                for c, a, b in zip(frame.columns, m.tolist(), s.tolist()))

        _near("Polars", polars()[:1000].to_numpy(), want, 1e-4)
        return {"peer Polars": polars} | self._numexpr(
            "x * s + m" if times else "(x - m) / s", {"x": x, "m": m, "s": s}, out, want)

    def chained(self, x, fill, limits, mean, scale, out, want):
        """Missing values, clipping, log1p and a scaler."""
        frame = self.frame(x)
        fill, m, s = (np.asarray(v, np.float32) for v in (fill, mean, scale))
        low, high = (np.float32(v) for v in limits)

        def polars():
            return frame.select((pl.col(c).fill_nan(f).clip(float(low), float(high)).log1p() - a) / b
                                for c, f, a, b in zip(frame.columns, *(v.tolist() for v in (fill, m, s))))

        _near("Polars", polars()[:1000].to_numpy(), want[:1000], 1e-3)
        text = "where(x != x, f, x)"
        text = f"where({text} < low, low, where({text} > high, high, {text}))"
        words = {"x": x, "f": fill, "m": m, "s": s, "low": low, "high": high}
        return {"peer Polars": polars} | self._numexpr(f"(log1p({text}) - m) / s", words, out, want[:1000])

    def _numexpr(self, text, words, out, want):
        numexpr = _numexpr(self.threads)
        if numexpr is None:
            return {}

        def call():
            return numexpr.evaluate(text, local_dict=words, out=out, casting="same_kind")

        _near("numexpr", call()[:1000], want, 1e-3)
        return {"peer numexpr": call}

    def by_class(self, x, y):
        frame = self.frame(x).with_columns(y=y)
        return {"peer Polars": lambda: frame.group_by("y").agg(pl.len(), pl.exclude("y").mean().name.suffix("_m"),
                                                               pl.exclude("y").var().name.suffix("_v"))}

    def binned(self, x, edges, want):
        """Numbers of bins between inner edges."""
        frame = self.frame(x)

        def polars():
            return frame.select(pl.col(c).cut(e, left_closed=True).to_physical()
                                for c, e in zip(frame.columns, edges))

        _near("Polars", polars()[:1000].to_numpy(), want[:1000], 0)
        return {"peer Polars": polars}
