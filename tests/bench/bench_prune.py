# SPDX-License-Identifier: MIT
"""What pruning costs: the store with many rows that are over, and commits that come meanwhile."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("TEND_BUILD_DIR", os.path.join(TOP, "build/release"))
LIMIT_MSEC = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=120000, help="rows (120000)")
    parser.add_argument("--limit", type=float, default=LIMIT_MSEC,
                        help=f"what a commit may wait longer, in milliseconds ({LIMIT_MSEC})")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tend-bench-", dir="/var/tmp") as folder:
        for name in ("steps", "commits"):
            os.mkdir(f"{folder}/{name}", mode=0o700)
        done = subprocess.run([f"{BUILD}/tests/bench/bench_prune", folder, str(options.n)],
                              stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    print(f"{'milliseconds':<28} {'n':>7} {'mean':>7} {'p99.9':>7} {'longest':>7}")
    for key, name in (("steps", "step of pruning"), ("cpu", "  its own CPU time"),
                      ("alone", "commit, no pruning"),
                      ("meanwhile", "commit, pruning meanwhile")):
        row = found[key]
        print(f"{name:<28} {row['n']:>7} {row['mean']:7.2f} {row['p999']:7.2f} {row['longest']:7.2f}")
    # Enough of them meet a step to be seen there; the longest is whatever else the machine does.
    added = found["meanwhile"]["p999"] - found["alone"]["p999"]
    print(f"{found['rows']} rows went; p99.9 of a commit is {max(added, 0):.1f} ms longer")
    worst = max(found["cpu"]["longest"], added)
    if worst > options.limit:
        sys.exit(f"a commit waits {worst:.1f} ms longer, more than {options.limit:g} ms")


if __name__ == "__main__":
    main()
