# SPDX-License-Identifier: Apache-2.0
"""What the command line does not reach, against scikit-learn through the C interface: inverse
transforms and sparse input.

scikit-learn gets quern's learned attributes, so that outputs must agree in every bit; the attributes
themselves are held to scikit-learn's by a tolerance. Exit status 0: all passed, 77: scikit-learn is
not here. The last line is "api parity: N passed, N failed".
"""
import argparse
import json
import pathlib
import struct
import sys
import traceback

try:
    import numpy as np
    import sklearn  # noqa: F401
except ImportError as missing:
    print(f"api parity: skipped, {missing}")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import quern_ctypes as q  # noqa: E402


class Kit:
    """The library, contexts on the devices that are here, and what the cases share."""

    def __init__(self, library, devices):
        self.library = q.Library(library)
        self.contexts = {}
        for device in devices:
            name, _, threads = device.partition("@")
            try:
                self.contexts[device] = q.Context(self.library, name, int(threads or 0))
            except q.QuernError as reason:
                print(f"skipped, {device}: {reason}")

    def pipeline(self, *apply):
        return q.Pipeline(self.library, {"quern": 1, "steps": [{"columns": "*", "apply": list(apply)}]})

    def tensors(self, model):
        """The model file's tensors, by name."""
        raw = model.to_bytes()
        length, = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8:8 + length])
        dtypes = {"F64": np.float64, "I64": np.int64, "U8": np.uint8}
        return {name: np.frombuffer(raw[8 + length:][slice(*entry["data_offsets"])],
                                    dtypes[entry["dtype"]])
                for name, entry in header.items() if name != "__metadata__"}

    def give(self, estimator, model, place="steps/0/0"):
        """Puts quern's attributes into a fitted estimator, in the dtype that its own have."""
        for name, values in self.tensors(model).items():
            folder, _, attribute = name.rpartition("/")
            own = np.asarray(getattr(estimator, attribute, None))
            if folder == place and own.dtype.kind == "f" and not attribute.startswith("n_"):
                assert own.shape == values.shape, name
                setattr(estimator, attribute, values.astype(own.dtype))
        return estimator


def same(ours, theirs, what):
    """Equal dtype, shape and bits; every NaN is the same one."""
    theirs = np.asarray(theirs)
    assert ours.dtype == theirs.dtype, f"{what}: {ours.dtype}, not {theirs.dtype}"
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, not {theirs.shape}"
    bits = {4: np.uint32, 8: np.uint64}.get(ours.dtype.itemsize, np.uint8)
    equal = (np.ascontiguousarray(ours).view(bits) == np.ascontiguousarray(theirs).view(bits))
    if ours.dtype.kind == "f":
        equal |= np.isnan(ours) & np.isnan(theirs)
    if not equal.all():
        at = tuple(np.argwhere(~equal)[0])
        raise AssertionError(f"{what}: {int((~equal).sum())} differ, first at {at}: "
                             f"{ours[at]!r}, not {theirs[at]!r}")


def main():
    import api_inverse
    import api_sparse
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--devices", default="cpu@1,cpu@3,opencl:0")
    options = parser.parse_args()
    kit = Kit(options.library, options.devices.split(","))
    passed = failed = 0
    for part in (api_sparse, api_inverse):
        for label, case in part.cases(kit):
            try:
                case()
                passed += 1
            except Exception:  # noqa: BLE001 the case's name belongs to whatever went wrong
                failed += 1
                print(f"FAILED {label}")
                traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"api parity: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
