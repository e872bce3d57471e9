# SPDX-License-Identifier: MIT
"""The history of 10,000 checks with four metrics each: what a day of it costs, what a look costs."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("TEND_BUILD_DIR", os.path.join(TOP, "build/release"))
LIMIT_MSEC, LIMIT_BYTES = 5, 3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=40000, help="series (40000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tend-bench-", dir="/var/tmp") as folder:
        done = subprocess.run([f"{BUILD}/tests/bench/bench_history", folder, str(options.n)],
                              stdout=subprocess.PIPE, check=True)
        stored = sum(entry.stat().st_size for entry in os.scandir(folder))
    found = json.loads(done.stdout)
    points = options.n * 1500
    print(f"{found['series']} series, 25 hours: {found['cpu_seconds']:.1f} s CPU "
          f"({found['cpu_seconds'] / 90000 * 100:.3f} % of a core), "
          f"{found['bytes_a_point']:.2f} bytes a packed point, {stored / 1e6:.0f} MB on the disk "
          f"({stored / points:.2f} bytes a point with the hour that is not packed)")
    print(f"a minute of all: at most {found['longest_minute_msec']:.0f} ms on its thread")
    print(f"a day of one, by minutes: p50 {found['read_p50_msec']:.2f} ms, "
          f"p99 {found['read_p99_msec']:.2f} ms, longest {found['read_longest_msec']:.2f} ms")
    if found["read_p99_msec"] > LIMIT_MSEC or found["bytes_a_point"] > LIMIT_BYTES:
        sys.exit(f"more than {LIMIT_MSEC} ms or {LIMIT_BYTES} bytes")


if __name__ == "__main__":
    main()
