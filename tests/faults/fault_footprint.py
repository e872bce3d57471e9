# SPDX-License-Identifier: MIT
"""What Tend costs when nothing is wrong: memory and CPU of each program in the demo's site."""

import collections
import os
import time

import playground
from common import Outcome, watch_for
from tendbox.site import Site

DOC = "memory and CPU of each program in the demo's site, nothing wrong, over 60 s"

MIB = 1024 * 1024
TICKS = os.sysconf("SC_CLK_TCK")
LIMIT_ANON, LIMIT_PSS, LIMIT_CPU = 6 * MIB, 16 * MIB, 0.005
# A sanitizer's build and a short look say nothing of limits, but a leak or a busy loop shows.
SHORT_ANON, SHORT_PSS, SHORT_CPU = 192 * MIB, 256 * MIB, 0.5

Process = collections.namedtuple("Process", "name pid anon pss cpu_seconds")


def read(box):
    """Every process of Tend's in the box, by pid."""
    found = {}
    for pid in box.run("pgrep", "^tend", check=False).stdout.split():
        name = box.read(f"/proc/{pid}/comm").strip()
        memory = dict(line.split(":", 1) for line in
                      box.read(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
        status = dict(line.split(":", 1) for line in
                      box.read(f"/proc/{pid}/status").splitlines() if ":" in line)
        times = box.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
        found[pid] = Process(name, pid, int(status["RssAnon"].split()[0]) * 1024,
                             int(memory["Pss"].split()[0]) * 1024,
                             (int(times[11]) + int(times[12])) / TICKS)
    return found


def run(long):
    seconds = 60 if long else 10
    anon, pss, share = ((LIMIT_ANON, LIMIT_PSS, LIMIT_CPU) if long
                        else (SHORT_ANON, SHORT_PSS, SHORT_CPU))
    with Site("footprint", witness=False) as site:
        playground.wait_until_well(site.box)
        before, began = read(site.box), time.monotonic()
        watch_for(seconds)
        after, took = read(site.box), time.monotonic() - began
    said, held = [], False
    for pid, now in sorted(after.items(), key=lambda item: item[1].name):
        if pid not in before:
            return Outcome(False, f"{now.name} was started anew meanwhile")
        cpu = (now.cpu_seconds - before[pid].cpu_seconds) / took
        said.append(f"{now.name} anon {now.anon / MIB:.1f} PSS {now.pss / MIB:.1f} MiB "
                    f"CPU {cpu * 100:.2f} %")
        if now.name == "tendd":
            held = now.anon <= anon and now.pss <= pss and cpu < share
    return Outcome(held, f"over {took:.0f} s: " + ", ".join(said or ["no process of Tend"]))
