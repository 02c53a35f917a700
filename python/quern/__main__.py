# SPDX-License-Identifier: Apache-2.0
"""`python -m quern script.py [args]` and `python -m quern -m module [args]`: a program that uses
scikit-learn, with quern's classes in its place."""
import os
import runpy
import sys

USAGE = "usage: python -m quern (script.py | -m module) [args ...]"


def main():
    """Patches, then runs the program as Python would."""
    args = sys.argv[1:]
    if args and args[0] in ("-h", "--help"):
        print(USAGE)
        return
    module = args[:1] == ["-m"]
    if module:
        args = args[1:]
    if not args:
        raise SystemExit(USAGE)
    from ._patch import patch_sklearn
    patch_sklearn()
    sys.argv = args
    if module:
        sys.path[0] = os.getcwd()
        runpy.run_module(args[0], run_name="__main__", alter_sys=True)
        return
    if not os.path.exists(args[0]):
        raise SystemExit(f"python -m quern: there is no {args[0]}")
    sys.path[0] = os.path.dirname(os.path.abspath(args[0]))
    runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    main()
