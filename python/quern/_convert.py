# SPDX-License-Identifier: Apache-2.0
"""Columns of categories: from arrays of any dtype to typed columns of the library, and back.

A column is typed when its values are numbers or booleans that the library has a type for, or strings
with at most one kind of missing value. Everything else (tuples, Decimal, numbers mixed with booleans,
None beside NaN, dates, ...) goes by *codes*: a dict numbers the values in Python, and the library
counts, groups and encodes the numbers. Both ways give what scikit-learn gives."""
import numpy as np
from sklearn.utils._missing import is_scalar_nan

from . import _core

NUMBERS = frozenset(("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                     "float32", "float64"))
CODES = "codes"
_TEXTS = frozenset((str, np.str_))
_NONE = type(None)


def library_dtype(dtype):
    """The dtype in which the library takes such numbers; None: none."""
    if dtype == np.float16:
        return np.dtype(np.float32)
    dtype = dtype.newbyteorder("=")
    return dtype if dtype.name in NUMBERS else None


class Texts:
    """Strings as Arrow lays them out: UTF-8, offsets, what is missing and how it is written."""

    __slots__ = ("offsets", "data", "missing", "kinds")

    def __init__(self, offsets, data, missing, kinds):
        self.offsets, self.data, self.missing, self.kinds = offsets, data, missing, kinds

    def column(self):
        validity = None
        if self.missing is not None:
            validity = np.packbits(~self.missing, bitorder="little")
        return ("string", self.offsets, self.data, validity)


_KINDS = (frozenset(), frozenset(("none",)), frozenset(("nan",)))


def texts(values):
    """Texts of an array of strings, or None where it holds anything else."""
    cells = values.tolist()
    if values.dtype.kind == "S":
        cells = [v.decode("latin-1") for v in cells]
    joined = _core.join_texts(cells)
    if joined is None:
        joined = _core.join_texts(_plain(cells))
    if joined is None:  # a lone surrogate, too
        return None
    offsets, data, missing, kinds, found = joined
    if kinds >= len(_KINDS) or (cells and not found):
        return None
    return Texts(np.frombuffer(offsets, np.int64), np.frombuffer(data or b"\0", np.uint8),
                 None if missing is None else np.frombuffer(missing, bool), _KINDS[kinds])


def _plain(cells):
    """NumPy's strings and numbers that are NaN as Python's; up to the first that is neither."""
    if not _TEXTS.intersection(map(type, cells)):
        return cells
    for i, cell in enumerate(cells):
        if type(cell) is np.str_:
            cells[i] = str(cell)
        elif type(cell) is not str and cell is not None:
            if not is_scalar_nan(cell):
                break
            cells[i] = np.nan
    return cells


class ArrowTexts:
    """Strings of a pandas column that are Arrow's already: the same memory."""

    __slots__ = ("offsets", "data", "validity", "kinds")

    def __init__(self, array):
        n, first = len(array), array.offset
        validity, offsets, data = array.buffers()
        width = np.int64 if str(array.type) == "large_string" else np.int32
        self.offsets = np.frombuffer(offsets, width)[first:first + n + 1]
        self.data = np.frombuffer(data if data is not None and data.size else b"\0", np.uint8)
        self.validity, self.kinds = None, frozenset()
        if array.null_count:
            bits = np.frombuffer(validity, np.uint8)[first // 8:]
            if first % 8:
                cells = np.unpackbits(bits, bitorder="little")[first % 8:first % 8 + n]
                bits = np.packbits(cells, bitorder="little")
            self.validity, self.kinds = bits, frozenset(("nan",))

    def column(self):
        return ("string", self.offsets, self.data, self.validity)


def column_texts(column):
    """The strings of a pandas column of the dtype object or str; None where it holds anything else."""
    if column.dtype == "str" and getattr(column.dtype, "storage", None) == "pyarrow":
        array = column.array.__arrow_array__()
        if hasattr(array, "chunks"):
            array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
        if len(array) and hasattr(array, "buffers") and str(array.type) in ("string", "large_string"):
            return ArrowTexts(array)
    return texts(column.to_numpy(dtype=object))


def plain_numbers(values):
    """An object array of Python's integers (int64) or floats (float64) as an array, or None."""
    cells = values.tolist()
    types = set(map(type, cells))
    if types == {float}:
        return np.array(cells, np.float64)
    if types == {int}:
        try:
            return np.array(cells, np.int64)
        except OverflowError:
            return None
    return None


def refuse_mixed(values):
    types = sorted(t.__qualname__ for t in {type(v) for v in values})
    raise TypeError("Encoders require their input argument must be uniformly "
                    f"strings or numbers. Got {types}")


def distinct(values):
    """The categories of an array of any objects: sorted, then None, then one NaN."""
    try:
        found = set(values.tolist() if values.dtype == object else values)
        missing = {v for v in found if v is None or is_scalar_nan(v)}
        uniques = sorted(found - missing)
    except TypeError:
        refuse_mixed(values)
    if None in missing:
        uniques.append(None)
        missing.discard(None)
    if missing:
        uniques.append(np.nan)
    out = np.empty(len(uniques), values.dtype if values.dtype != object else object)
    out[:] = uniques
    return out


def fits_missing(categories):
    """The library's missing category is the last one."""
    return categories.missing is None or not categories.missing[:-1].any()


class Plan:
    """How a column with these categories is given to the library."""

    __slots__ = ("categories", "word", "texts", "numbers", "_table")

    def __init__(self, categories, none_is_value):
        self.categories = categories
        self.texts = self.numbers = self._table = None
        self.word = CODES
        kind = categories.dtype.kind
        if kind in "iufb":
            dtype = library_dtype(categories.dtype)
            if dtype is not None:
                self.word, self.numbers = dtype.name, categories.astype(dtype)
        elif kind in "USO":
            found = texts(categories)
            if found is not None:
                if fits_missing(found) and not (none_is_value and "none" in found.kinds):
                    self.word, self.texts = "string", found
            elif kind == "O":
                self.numbers = plain_numbers(categories)
                if self.numbers is not None:
                    self.word = self.numbers.dtype.name
        if self.numbers is not None:
            values = self.numbers[~np.isnan(self.numbers)]
            if np.any(values[1:] <= values[:-1]) or np.isinf(values).any():
                self.word, self.numbers = CODES, None

    # -- cells --

    def column(self, values):
        """(word, column) of cells: typed where they are of the categories' type, else by codes."""
        kind, own = values.dtype.kind, self.categories.dtype.kind
        if self.numbers is not None:
            if own == "O":
                cells = plain_numbers(values) if kind == "O" else None
                if cells is not None and cells.dtype == self.numbers.dtype:
                    return self.word, cells
            elif kind in "iufb":
                common = library_dtype(np.result_type(self.categories.dtype, values.dtype))
                if common is not None:
                    return common.name, values.astype(common, copy=False)
        elif self.texts is not None and kind in "USO" and (own == "S") == (kind == "S"):
            cells = texts(values)
            if cells is not None and (not self.texts.kinds or cells.kinds <= self.texts.kinds):
                return "string", cells.column()
        return CODES, self._codes(values)

    @property
    def table(self):
        if self._table is None:
            self._table = {v: float(i) for i, v in enumerate(self.categories.tolist())
                           if not is_scalar_nan(v)}
        return self._table

    def _codes(self, values):
        table = self.table
        return np.array([np.nan if is_scalar_nan(v) else table.get(v, -1.0)
                         for v in values.tolist()], np.float64)

    # -- categories in the model --

    def has_nan(self):
        return len(self.categories) > 0 and is_scalar_nan(self.categories[-1])

    def tensors(self, word, type_number):
        """The categories as a model has them, for a column of that word."""
        if word == "string":
            t = self.texts
            n = len(self.categories)
            missing = int(bool(t.kinds))
            count = n - missing
            return {"kind": np.array([type_number("string"), missing]),
                    "values": t.offsets[:count + 1],
                    "bytes": t.data[:t.offsets[count]]}
        if word == CODES:
            missing = int(self.has_nan())
            return {"kind": np.array([type_number("float64"), missing]),
                    "values": np.arange(len(self.categories) - missing, dtype=np.float64)}
        dtype = np.dtype(word)
        values = self.numbers.astype(dtype)
        values = values[~np.isnan(values)]
        missing = len(self.numbers) - len(values)
        if dtype.kind == "f":
            return {"kind": np.array([type_number(word), missing]),
                    "values": values.astype(np.float64)}
        kept = "bool" if dtype.kind == "b" else "int64"
        return {"kind": np.array([type_number(kept), 0]), "values": values.astype(np.int64)}

    def listed(self, word):
        """The categories as the spec has them."""
        if word == "string":
            return [v if isinstance(v, str) else v.decode("latin-1") if isinstance(v, bytes)
                    else None for v in self.categories.tolist()]
        if word == CODES:
            return [None if is_scalar_nan(v) else i for i, v in enumerate(self.categories)]
        return [None if v != v else v for v in self.numbers.tolist()]

    def is_sorted(self, word):
        """Whether the library may take them for learned ones."""
        if word != "string":
            return True
        found = [v for v in self.categories.tolist() if v is not None and not is_scalar_nan(v)]
        return all(a < b for a, b in zip(found, found[1:]))


def library_word(word):
    """The library's type of a word."""
    return "float64" if word == CODES else word


def unknown(values, categories):
    """What is in values and not in categories, as scikit-learn lists it."""
    if values.dtype.kind in "iufb" and categories.dtype.kind in "iufb":
        found = np.unique(values)
        left = np.setdiff1d(found, categories, assume_unique=True)
        if np.isnan(categories.astype(np.float64)).any():
            left = left[~np.isnan(left)]
        return list(left[: np.searchsorted(left, np.nan) + 1] if left.dtype.kind == "f" else left)
    known = set(categories.tolist())
    has_nan = any(is_scalar_nan(v) for v in known)
    left = {v for v in set(values if values.dtype.kind in "US" else values.tolist())
            if v not in known}
    nan = any(is_scalar_nan(v) for v in left) and not has_nan
    none = None in left
    rest = [v for v in left if v is not None and not is_scalar_nan(v)]
    return rest + [None] * none + [np.nan] * nan
