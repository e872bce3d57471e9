# SPDX-License-Identifier: MIT
"""The disk of the state directory is full: told all the same, nothing acted on, then all is well."""

import time

from common import Outcome, Yard, watch_for
from tendbox import tend, wait_for

DOC = "state directory full: faults are told, nothing is acted on, all recovers within 10 s"

STATE = "/var/lib/tend"
FILL = STATE + "/filled-by-the-test"
RECOVER_SECONDS = 10.0


def fill(box):
    """Take what is left, and what is given back meanwhile, a few bytes at a time in the end."""
    for size in ("1M", "4k", "1"):
        box.run("sh", "-c", f"dd if=/dev/zero bs={size} count=100000 status=none >>{FILL}",
                check=False)


def full(box):
    return int(box.out("stat", "-f", "-c", "%a", STATE)) == 0


def run(long):
    nspawn = [f"--tmpfs={STATE}:size=24m,mode=0755"]
    with Yard("diskfull", workers=2, nspawn=nspawn) as yard:
        box = yard.box
        fill(box)
        wait_for(lambda: full(box) or fill(box), 5, "the disk to be full")
        when, before = yard.break_worker("worker0")
        told = yard.told("incident.raised", "yard/worker0", when, 15)
        undurable = (yard.heard("incident.raised", "yard/worker0", when)[1]["data"]
                     .get("undurable", False))
        for _ in range(30 if long else 10):
            fill(box)
            watch_for(1)
        acted = len(yard.starts()["worker0"]) - before
        box.run("rm", "-f", FILL)
        freed = time.time()
        # Whole again: another fault is told durably and healed as ever.
        wait_for(lambda: recovered(yard), 60, "actions after space came back", 0.2)
        seconds = time.time() - freed
        wait_for(lambda: box.active("worker0.service") or box.run(
            "systemctl", "start", "worker0.service"), 5, "worker0")
        when, before = yard.break_worker("worker1")
        yard.told("incident.cleared", "yard/worker1", when, 60)
        healed = len(yard.starts()["worker1"]) - before
        last = yard.heard("incident.cleared", "yard/worker1", when)[1]["data"]
    held = (acted == 0 and undurable and healed == 1 and not last.get("undurable", False)
            and (seconds <= RECOVER_SECONDS or not long))
    return Outcome(held, f"told after {told:.1f} s (undurable: {undurable}), acted {acted} times "
                         f"while full, recovered {seconds:.1f} s after space returned, then "
                         f"healed {healed} of 1")


def recovered(yard):
    """Does Tend say that it may act again, and that its store is well?"""
    status = tend.ctl(yard.box, "status", check=False) or {}
    actions = status.get("actions") or {}
    return actions.get("enabled", False) and not actions.get("frozen", False)
