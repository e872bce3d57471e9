# SPDX-License-Identifier: MIT
"""Runs faults: run.py [--short] [NAME ...] | --list; one line each, exit 0 only if all held."""

import argparse
import glob
import importlib
import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../system"), os.path.join(HERE, "../../contrib/demo")]


def names():
    files = glob.glob(os.path.join(HERE, "fault_*.py"))
    return sorted(os.path.basename(path)[6:-3].replace("_", "-") for path in files)


def load(name):
    return importlib.import_module("fault_" + name.replace("-", "_"))


def run_one(name, long):
    """Run it and print its line; True if it held."""
    try:
        outcome = load(name).run(long)
        held, figures = outcome.held, outcome.figures
    except Exception as problem:  # a fault that breaks the test has not held
        traceback.print_exc()
        held, figures = False, f"{type(problem).__name__}: {problem}".replace("\n", "; ")[:500]
    print(f"{name}: {'held' if held else 'fell short'}: {figures}", flush=True)
    return held


def main():
    parser = argparse.ArgumentParser(prog="contrib/dev faults")
    parser.add_argument("--list", action="store_true", help="names and what they do")
    parser.add_argument("--short", action="store_true", help="the short run, as in the tests")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.list:
        for name in names():
            print(f"{name:20} {load(name).DOC}")
        return 0
    unknown = [name for name in options.names if name not in names()]
    if unknown:
        parser.error(f"there is no fault {', '.join(unknown)}; --list shows them")
    return 0 if all([run_one(name, not options.short) for name in options.names or names()]) else 1


if __name__ == "__main__":
    sys.exit(main())
