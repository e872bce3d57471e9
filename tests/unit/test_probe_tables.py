# SPDX-License-Identifier: MIT
"""test_probe_tables.py TEND_TRY PLUGIN_DIR SOURCE_DIR [PAGE]: every plugin says all that it can give.

The tables as `tendctl probe` shows them, against the sources: each reason that the code of a plugin,
or those who answer it, names is in its table, and the other way round; each metric of the table is
named by the code; each option stands in the README, and all of it in PAGE, tend-probes(7).
(tests/system/probes.py does the same with what probes give of real servers.)
"""

import json
import os
import re
import subprocess
import sys

UNITS = {"s", "ms", "%", "B", "c", ""}
# Of the core, or a spelling in a comparison: no plugin need list them.
COMMON = {"ok", "threshold", "off-baseline", "too-slow", "overrun", "cancelled", "internal"}


# Who gives reasons in the name of all plugins that include it: they must be in each one's table.
ANSWERING = {"sqlkit": ("postgres/reason.c", "mysql/reason.c"), "machine": ("machine/verdict.c",)}
# What else may speak for a plugin.
BEHIND = {"passive": ("../daemon/watch",), "ldap": ("../daemon/watch",),
          "mysql": ("../daemon/watch",), "flow": ("../lua/flows",),
          "sqlkit": ("postgres", "mysql")}


def probes(program, plugins):
    done = subprocess.run([program, "list", "--json"], capture_output=True, text=True, check=False,
                          env={**os.environ, "TEND_PLUGINDIR": plugins})
    if done.returncode:
        sys.exit(f"tend-try list: {done.stderr}")
    return json.loads(done.stdout)


def code_of(*places):
    """The text of files and folders, without the tables in them."""
    files = [os.path.join(place, name) for place in places if os.path.isdir(place)
             for name in sorted(os.listdir(place)) if name.endswith((".c", ".h", ".lua"))]
    text = ""
    for path in files + [place for place in places if os.path.isfile(place)]:
        with open(path, encoding="utf-8") as file:
            text += file.read()
    text = re.sub(r"struct tend_(reason|metric)_doc \w+\[\] = \{.*?\n\};", "", text, flags=re.S)
    return re.sub(r"#define \w*(REASON|METRIC)\w*(.*\\\n)+.*\n", "", text)


def named(text):
    """The reasons in it, by constant or by name."""
    found = {code.lower().replace("_", "-")
             for code in re.findall(r"TEND_REASON_([A-Z_]+)\b", text)}
    return found - {"max", "text-bytes"}


def families(text):
    """The folders of plugins/ that it includes."""
    return set(re.findall(r'#include "(?:\.\./)?(common|http|machine|sqlkit)/', text))


def unfounded(probe, source, text):
    """What the tables and nothing else tell of."""
    behind = families(text)
    for name in (probe["name"], *sorted(behind)):
        behind |= set(BEHIND.get(name, ()))
    whole = text + code_of(*(os.path.join(source, name) for name in sorted(behind)))
    code = named(whole) | set(re.findall('"([a-z]+(?:-[a-z]+)*)"', whole))
    for reason in probe["reasons"]:
        if not reason["common"] and reason["name"] not in code:
            yield f"reason {reason['name']} is in its table, but nothing gives it"
    for metric in probe["metrics"]:
        if metric["name"].islower() and f'"{metric["name"]}"' not in whole:
            yield f"metric {metric['name']} is in its table, but nothing gives it"
    with open(os.path.join(source, probe["name"], "README.md"), encoding="utf-8") as file:
        readme = file.read()
    for option in probe["options"]:
        if not re.search(rf"\b{re.escape(option['name'].rstrip('.*'))}\b", readme):
            yield f"option {option['name']} is not in its README"


def faults(probe, source):
    metrics, reasons = probe["metrics"], probe["reasons"]
    own = {reason["name"] for reason in reasons if not reason["common"]}
    text = code_of(os.path.join(source, probe["name"]))
    code = named(text)
    for family in families(text):
        answering = ANSWERING.get(family, ())
        # Who is one of them answers for itself alone.
        if not any(name.startswith(f"{probe['name']}/") for name in answering):
            code |= named(code_of(*(os.path.join(source, name) for name in answering)))
    yield from unfounded(probe, source, text)
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


def unprinted(probe, page):
    """What its section of the manual does not have."""
    section = re.search(rf"^\.SS {re.escape(probe['name'])}\n(.*?)(?=^\.S[SH] |\Z)", page,
                        flags=re.S | re.M)
    if not section:
        yield "the manual has no section of it"
        return
    bold = {name.replace("\\-", "-") for name in re.findall(r"\\fB(.*?)\\fR", section[1])}
    for kind in ("options", "metrics", "reasons"):
        for row in probe[kind]:
            if row["name"] not in bold and not row.get("common"):
                yield f"the manual has nothing of {row['name']} in {kind}"


def main():
    program, plugins, source, *pages = sys.argv[1:]
    page = ""
    for path in pages:
        with open(path, encoding="utf-8") as file:
            page += file.read()
    found = [f"{probe['name']}: {fault}" for probe in probes(program, plugins)
             for fault in (*faults(probe, source), *(unprinted(probe, page) if pages else ()))]
    print("\n".join(found) or "all probes have their tables")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
