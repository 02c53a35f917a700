# SPDX-License-Identifier: Apache-2.0
"""Prints the table of tests/unit/norm_golden.h: checksums of the norms that scikit-learn divides by.

Run with the NumPy and scikit-learn whose bits are to be matched; the rows are made from integers, so
the C test makes the same ones."""
import numpy as np
import sklearn
from sklearn.preprocessing import normalize

ROWS = 8
RANGES = ((1, 8), (8, 17), (17, 129), (129, 301), (511, 514), (1000, 1001), (4095, 4098), (8193, 8194), (20000, 20001))


def rows(d, dtype):
    s = np.uint64(d) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    out = np.empty(ROWS * d, np.uint64)
    x = int(s)
    mask = (1 << 64) - 1
    for i in range(ROWS * d):
        x = (x * 6364136223846793005 + 1442695040888963407) & mask
        out[i] = x
    mantissa = ((out >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float64)
    exponent = ((out >> np.uint64(20)) % np.uint64(21)).astype(np.int32) - 33
    values = np.ldexp(mantissa, exponent).astype(dtype)
    return values.reshape(ROWS, d)


def fnv(h, data):
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return h


def main():
    print(f"/* SPDX-License-Identifier: Apache-2.0\n * Made by tests/parity/norm_golden.py with NumPy {np.__version__} and scikit-learn {sklearn.__version__}. */")
    print("static const struct golden {\n    uint32_t work, kind, order, from, to;\n    uint64_t checksum;\n} goldens[] = {")
    with np.errstate(over="ignore"):
        for work, dtype in enumerate((np.float32, np.float64)):
            for kind, name in enumerate(("l1", "l2", "max"), 1):
                for order, layout in enumerate("FC"):
                    for lo, hi in RANGES:
                        h = 0xCBF29CE484222325
                        for d in range(lo, hi):
                            x = np.array(rows(d, dtype), order=layout)
                            y, norms = normalize(x, norm=name, return_norm=True)
                            assert norms.dtype == dtype
                            h = fnv(h, norms.tobytes())
                            h = fnv(h, np.ascontiguousarray(y[:2, :3]).tobytes())
                        print(f"    {{{work}, {kind}, {order}, {lo}, {hi}, UINT64_C(0x{h:016x})}},")
    print("};")


if __name__ == "__main__":
    main()
