# SPDX-License-Identifier: MIT
"""The disk of the state directory is full: told all the same, nothing done, then all is well."""

import time

import witness
from common import TARGET_INTERVAL, Outcome, Yard, gaps, probe_pause, watch_for
from tendbox import receivers, tend, wait_for

DOC = "state directory full: faults are told, nothing is acted on, all recovers within 10 s"

STATE = "/var/lib/tend"
FILL = STATE + "/filled-by-the-test"
RECOVER_SECONDS = 10.0
FIRST, SECOND, THIRD = "worker0", "worker1", "worker2"


def fill(box):
    """Take what is left, and what is given back meanwhile, a few bytes at a time in the end."""
    for size in ("1M", "4k", "1"):
        box.run("sh", "-c", f"dd if=/dev/zero bs={size} count=100000 status=none >>{FILL}",
                check=False)


def full(box):
    return int(box.out("stat", "-f", "-c", "%a", STATE)) == 0


def frozen(box):
    """Does Tend itself say that it does not act now?"""
    status = tend.ctl(box, "status", check=False) or {}
    actions = status.get("actions") or {}
    return not actions.get("enabled", False) or bool(actions.get("frozen", False))


def informed(box, component, since):
    """Has snmptrapd the raise? Its log has whole seconds."""
    return any(one.what == "raised" and one.component == component and one.time >= since
               for one in witness.from_traps(receivers.trap_log(box)))


def told_full(yard, worker):
    """Break it, until both receivers were told; (when, starts by then, seconds until the
    webhook's raise, was it told from memory)."""
    when, before = yard.break_worker(worker)
    seconds = yard.told("incident.raised", f"yard/{worker}", when, 15)
    wait_for(lambda: informed(yard.box, f"yard/{worker}", when), 15, "the inform", 0.2)
    _, event = yard.heard("incident.raised", f"yard/{worker}", when)
    return when, before, seconds, bool(event["data"].get("undurable", False))


def keep_full(box, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fill(box)
        watch_for(0.5)


def run(long):
    nspawn = [f"--tmpfs={STATE}:size=24m,mode=0755"]
    with Yard("diskfull", workers=3, snmp=True, nspawn=nspawn) as yard:
        box, began = yard.box, time.time()
        fill(box)
        wait_for(lambda: full(box) or fill(box), 5, "the disk to be full")
        # The first may still find room in what Tend put by; that is taken as well, then.
        broken = {FIRST: told_full(yard, FIRST)}
        keep_full(box, 3)
        broken[SECOND] = told_full(yard, SECOND)
        keep_full(box, 30 if long else 5)
        said_frozen = frozen(box)
        acted = sum(len(yard.starts()[name]) - broken[name][1] for name in broken)
        pause = probe_pause(box, began)
        box.run("rm", "-f", FILL)
        freed = time.time()
        # Whole again: actions are on, what broke meanwhile is healed, and told as ever.
        wait_for(lambda: not frozen(box), 60, "actions to be on after space came back", 0.1)
        unfrozen = time.time() - freed
        for name in broken:
            yard.told("incident.cleared", f"yard/{name}", freed, 60)
        healed_seconds = time.time() - freed
        when, before = yard.break_worker(THIRD)
        yard.told("incident.cleared", f"yard/{THIRD}", when, 60)
        healed = len(yard.starts()[THIRD]) - before
        last = yard.heard("incident.cleared", f"yard/{THIRD}", when)[1]["data"]
        lost = gaps(yard.events())
    from_memory = sum(one[3] for one in broken.values())
    held = (acted == 0 and from_memory >= 1 and said_frozen and healed == 1 and not lost
            and not last.get("undurable", False)
            and (max(unfrozen, healed_seconds) <= RECOVER_SECONDS
                 and pause < 2 * TARGET_INTERVAL or not long))
    return Outcome(held, f"told after {max(one[2] for one in broken.values()):.1f} s at most, "
                         f"{from_memory} of 2 from memory, acted {acted} times while full, "
                         f"longest pause between checks {pause:.2f} s, actions on "
                         f"{unfrozen:.1f} s and both healed {healed_seconds:.1f} s after space "
                         f"returned, a later fault healed {healed} of 1, notices missing: "
                         f"{lost or 'none'}")
