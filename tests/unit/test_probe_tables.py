# SPDX-License-Identifier: MIT
"""test_probe_tables.py TEND_TRY PLUGIN_DIR SOURCE_DIR: every plugin says all that it can give.

The tables as `tendctl probe` shows them, against the sources: each reason that the code of a plugin
names is in its table, and the other way round. (tests/system/probes.py does the same with what
probes give of real servers.)
"""

import json
import os
import re
import subprocess
import sys

UNITS = {"s", "ms", "%", "B", "c", ""}
# Of the core, or a spelling in a comparison: no plugin need list them.
COMMON = {"ok", "threshold", "off-baseline", "too-slow", "overrun", "cancelled", "internal"}


def probes(program, plugins):
    done = subprocess.run([program, "list", "--json"], capture_output=True, text=True, check=False,
                          env={**os.environ, "TEND_PLUGINDIR": plugins})
    if done.returncode:
        sys.exit(f"tend-try list: {done.stderr}")
    return json.loads(done.stdout)


def named(folder):
    """Reasons that the files of a plugin name, without their tables."""
    found = set()
    for name in os.listdir(folder):
        if name.endswith((".c", ".h")):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            text = re.sub(r"struct tend_reason_doc \w+\[\] = \{.*?\n\};", "", text, flags=re.S)
            found |= {code.lower().replace("_", "-")
                      for code in re.findall(r"TEND_REASON_([A-Z_]+)\b", text)}
    return found - {"max", "text-bytes"}


def faults(probe, source):
    metrics, reasons = probe["metrics"], probe["reasons"]
    own = {reason["name"] for reason in reasons if not reason["common"]}
    code = named(os.path.join(source, probe["name"]))
    if not probe["doc"].endswith((".", "?")):
        yield "its doc is no sentence"
    if not probe["example"]:
        yield "it has no example"
    for option in probe["options"]:
        if not option["help"].strip():
            yield f"option {option['name']}: no help"
    for metric in metrics:
        if not re.fullmatch(r"[a-z0-9_]+|[A-Z_]+[a-z0-9_]*", metric["name"]):
            yield f"metric {metric['name']}: no name of a metric"
        if metric["unit"] not in UNITS:
            yield f"metric {metric['name']}: the unit '{metric['unit']}' is none"
        if len(metric["help"]) < 4:
            yield f"metric {metric['name']}: no help"
    for what, rows in (("metric", metrics), ("reason", reasons)):
        names = [row["name"] for row in rows]
        for name in {name for name in names if names.count(name) > 1}:
            yield f"{what} {name} is there twice"
    for name in sorted(code - own - COMMON):
        yield f"reason {name} is given by its code, but is in no table"


def main():
    program, plugins, source = sys.argv[1:]
    found = [f"{probe['name']}: {fault}" for probe in probes(program, plugins)
             for fault in faults(probe, source)]
    print("\n".join(found) or "all probes have their tables")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
