# SPDX-License-Identifier: Apache-2.0
"""libquern through ctypes, for tests that make thousands of small runs: a context stays open per device."""
import ctypes
import json
import os
import pathlib

P = ctypes.POINTER


class Refused(Exception):
    """What quern_last_error() said."""


class Config(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("threads", ctypes.c_uint32),
                ("device", ctypes.c_char_p), ("fallback", ctypes.c_int),
                ("no_zero_copy", ctypes.c_int), ("max_memory", ctypes.c_uint64),
                ("device_memory", ctypes.c_uint64), ("cache_dir", ctypes.c_char_p),
                ("device_times", ctypes.c_int), ("log", ctypes.c_void_p),
                ("progress", ctypes.c_void_p), ("cancel", ctypes.c_void_p),
                ("user", ctypes.c_void_p)]


class Job(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("input", ctypes.c_char_p),
                ("output", ctypes.c_char_p), ("model", ctypes.c_char_p),
                ("names", ctypes.c_char_p), ("no_transform", ctypes.c_int)]


FALLBACK_NEVER = 1


def encoded(path):
    return None if path is None else os.fsencode(str(path))


class Library:
    def __init__(self, program, standin=None):
        """program: build/…/bin/quern; the library is beside it. standin: folder of libcuda.so.1."""
        if standin:  # found by its soname when the CUDA backend asks for it
            for name in sorted(pathlib.Path(standin).glob("lib*.so*"), reverse=True):
                ctypes.CDLL(str(name), mode=ctypes.RTLD_GLOBAL)
        folder = pathlib.Path(program).resolve().parent.parent / "lib"
        self.lib = ctypes.CDLL(str(folder / "libquern.so"))
        self.lib.quern_last_error.restype = ctypes.c_char_p
        self.contexts = {}

    def call(self, name, *args):
        if getattr(self.lib, name)(*args) != 0:
            raise Refused(self.lib.quern_last_error().decode("utf-8", "replace"))

    def context(self, device):
        """device: cpu:THREADS, opencl:N or cuda:N."""
        if device not in self.contexts:
            name, _, threads = device.partition(":") if device.startswith("cpu:") else (device, "", "")
            config = Config(ctypes.sizeof(Config), int(threads or 2), name.encode(), FALLBACK_NEVER)
            context = ctypes.c_void_p()
            self.call("quern_context_open", ctypes.byref(config), ctypes.byref(context))
            self.contexts[device] = context
        return self.contexts[device]

    def run(self, device, spec, table, out, model, names=None):
        pipeline = ctypes.c_void_p()
        self.call("quern_pipeline_from_file", encoded(spec), ctypes.byref(pipeline))
        try:
            job = Job(ctypes.sizeof(Job), encoded(table), encoded(out), encoded(model), encoded(names))
            self.call("quern_run", self.context(device), pipeline, ctypes.byref(job), None, None)
        finally:
            self.lib.quern_pipeline_free(pipeline)

    def transform(self, device, model, table, out, names=None):
        loaded = self.load(model)
        try:
            job = Job(ctypes.sizeof(Job), encoded(table), encoded(out), None, encoded(names))
            self.call("quern_apply", self.context(device), loaded, ctypes.byref(job), None)
        finally:
            self.lib.quern_model_free(loaded)

    def load(self, path):
        model = ctypes.c_void_p()
        self.call("quern_model_load", encoded(path), ctypes.byref(model))
        return model

    def inspect(self, path):
        model, text = self.load(path), ctypes.c_void_p()
        try:
            self.call("quern_model_inspect", model, ctypes.byref(text))
            return json.loads(ctypes.string_at(text).decode("utf-8"))
        finally:
            self.lib.quern_free(text)
            self.lib.quern_model_free(model)
