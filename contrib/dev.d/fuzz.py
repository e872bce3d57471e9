# SPDX-License-Identifier: MIT
"""Fuzzes each parser of foreign bytes for a while: one line a target, exit 1 if any fell short.

Run by contrib/dev fuzz, from the root of the checkout, with build/fuzz built. A target names its
parser's files in a line `Parser:` of its first comment; of these the lines are counted that the
corpus and what was found in this run have reached.
"""

import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.join("build", "fuzz")
SOURCES = os.path.join("tests", "fuzz")
MIN_LINES = 85.0
FOUND = os.path.join("build", "fuzz-found")
PROFDATA, COVERAGE = "llvm-profdata-14", "llvm-cov-14"
INPUT_SECONDS, MEMORY_MIB = 30, 2048


def targets():
    return sorted(os.path.basename(path)[len("fuzz_"):-2]
                  for path in glob.glob(os.path.join(SOURCES, "fuzz_*.c")))


def parser_files(name):
    """The files whose lines count, as the target's first comment names them."""
    with open(os.path.join(SOURCES, f"fuzz_{name}.c"), encoding="utf-8") as file:
        comment = file.read().split("*/", 2)[1]
    named = re.search(r"Parser: (.*?)(?:\.\s|\.$)", comment.replace("\n *", " "), re.S)
    files = named.group(1).replace(",", " ").split() if named else []
    for path in files:
        if not os.path.isfile(path):
            sys.exit(f"fuzz_{name}.c: there is no {path}")
    return files


def fuzz(name, seconds, scratch):
    """Runs it; what it complained of, "" for nothing, and how many inputs it tried."""
    program = os.path.join(BUILD, SOURCES, f"fuzz_{name}")
    new = os.path.join(scratch, "new")
    os.makedirs(new, exist_ok=True)
    os.makedirs(FOUND, exist_ok=True)
    environment = dict(os.environ, LLVM_PROFILE_FILE=os.path.join(scratch, "%p.profraw"))
    done = subprocess.run(
        [program, f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
         f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1",
         f"-artifact_prefix={FOUND}/{name}-", new, os.path.join(SOURCES, "corpus", name)],
        capture_output=True, text=True, errors="replace", check=False, env=environment)
    inputs = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    return "" if done.returncode == 0 else done.stderr[-4000:], int(inputs.group(1) if inputs else 0)


def covered(name, files, scratch):
    """(lines reached, lines) of each file."""
    merged = os.path.join(scratch, "merged")
    subprocess.run([PROFDATA, "merge", "-o", merged, *glob.glob(os.path.join(scratch, "*.profraw"))],
                   check=True)
    said = subprocess.run([COVERAGE, "export", "-summary-only", f"-instr-profile={merged}",
                           os.path.join(BUILD, SOURCES, f"fuzz_{name}"), *files],
                          capture_output=True, text=True, check=True).stdout
    found = {}
    for row in json.loads(said)["data"][0]["files"]:
        path, lines = os.path.relpath(row["filename"]), row["summary"]["lines"]
        if path in files:
            found[path] = (lines["covered"], lines["count"])
    return found


def covered_lua(name, files, scratch):
    """The same of files in Lua: what luac says has code, and what the target says it reached."""
    said = os.path.join(scratch, "lua-lines")
    subprocess.run([os.path.join(BUILD, SOURCES, f"fuzz_{name}"), "-runs=0",
                    os.path.join(SOURCES, "corpus", name), os.path.join(scratch, "new")],
                   capture_output=True, check=False,
                   env=dict(os.environ, TEND_LUA_LINES=said, LLVM_PROFILE_FILE=os.devnull))
    reached = set()
    with open(said, encoding="utf-8") as file:
        for line in file:
            path, number = line.rsplit(" ", 1)
            reached.add((path, int(number)))
    found = {}
    for path in files:
        listing = subprocess.run(["luac5.4", "-l", "-l", "-p", path], capture_output=True, text=True,
                                 check=True).stdout
        lines = {int(number) for number in re.findall(r"^\t\d+\t\[(\d+)\]", listing, re.M)}
        have = {number for file, number in reached if path.endswith(f"/{file}")}
        found[path] = (len(lines & have), len(lines))
    return found


def keep_new(name, scratch):
    """What reaches more than the corpus did goes into it, as little as will do."""
    before = set(os.listdir(os.path.join(SOURCES, "corpus", name)))
    subprocess.run([os.path.join(BUILD, SOURCES, f"fuzz_{name}"), "-merge=1",
                    os.path.join(SOURCES, "corpus", name), os.path.join(scratch, "new")],
                   capture_output=True, check=False,
                   env=dict(os.environ, LLVM_PROFILE_FILE=os.devnull))
    return len(set(os.listdir(os.path.join(SOURCES, "corpus", name))) - before)


def one(name, options):
    """Fuzz it and print its line; True if nothing was found and enough was reached."""
    files = parser_files(name)
    scratch = tempfile.mkdtemp(prefix="tend-fuzz-")
    try:
        complaint, n_inputs = fuzz(name, options.seconds, scratch)
        count = covered_lua if all(path.endswith(".lua") for path in files) else covered
        reached = count(name, files, scratch) if files and not complaint else {}
        n_new = keep_new(name, scratch) if options.keep and not complaint else 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    have, lines = (sum(pair[i] for pair in reached.values()) for i in (0, 1))
    share = 100 * have / lines if lines else 0.0
    well = not complaint and share >= MIN_LINES
    print(f"{name}: {'held' if well else 'fell short'}: {n_inputs} inputs in {options.seconds} s, "
          f"{'nothing found' if not complaint else 'a finding, kept in ' + FOUND}, "
          f"{share:.1f} % of {lines} lines" + (f", {n_new} inputs kept" if options.keep else ""),
          flush=True)
    if complaint:
        print(complaint)
    if not well:
        for path, (got, of) in sorted(reached.items()):
            print(f"    {path}: {got} of {of}")
        if not files:
            print(f"    {SOURCES}/fuzz_{name}.c: its comment has no line Parser: FILE, FILE.")
    return well


def main():
    parser = argparse.ArgumentParser(prog="contrib/dev fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="of each target (60)")
    parser.add_argument("--list", action="store_true", help="names and the parsers they feed")
    parser.add_argument("--keep", action="store_true", help="add to the corpora what reaches more")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in targets()]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; --list shows them")
    if options.list:
        for name in targets():
            print(f"{name:18} {' '.join(parser_files(name))}")
        return 0
    return 0 if all([one(name, options) for name in options.names or targets()]) else 1


if __name__ == "__main__":
    sys.exit(main())
