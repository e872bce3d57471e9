# SPDX-License-Identifier: MIT
"""Counts the tests in ctest's JUnit files; the last line is "N passed, N failed".

Exit 0 only when something ran and nothing failed. A test that was skipped, disabled or could not
be run counts as failed: none of these is meant to be, so each is named.
"""

import sys
import xml.etree.ElementTree as xml


def read(path):
    """[(suite, test, status)] of one file; status is ctest's own word."""
    try:
        root = xml.parse(path).getroot()
    except (OSError, xml.ParseError) as problem:
        return [(path, "(no results)", f"fail: {problem}")]
    suite = path.rsplit("/", 1)[-1].removesuffix(".xml")
    return [(suite, case.get("name"), case.get("status")) for case in root.iter("testcase")]


def main(paths):
    cases = [case for path in paths for case in read(path)]
    passed = [case for case in cases if case[2] == "run"]
    failed = [case for case in cases if case[2] != "run"]
    for suite, name, status in failed:
        print(f"{status}: {suite}: {name}")
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
