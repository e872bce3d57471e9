# SPDX-License-Identifier: MIT
"""journald is frozen: faults are told; only what Tend saw end with its own eyes is acted on."""

import time

from common import TARGET_INTERVAL, Outcome, Yard, probe_pause, watch_for
from tendbox import tend, wait_for

DOC = "journald frozen: told; a unit is acted on only if its end was seen live on the bus"

JOURNALD = "systemd-journald.service"


def run(long):
    with Yard("journald", workers=3) as yard:
        box = yard.box
        pid = str(box.main_pid(JOURNALD))
        box.run("kill", "-STOP", pid)
        frozen = time.time()
        # Seen live: healed.
        when, before = yard.break_worker("worker0")
        told = yard.told("incident.raised", "yard/worker0", when, 15)
        yard.told("incident.cleared", "yard/worker0", when, 60)
        seen = len(yard.starts()["worker0"]) - before
        pause = probe_pause(box, frozen)
        # Not seen: it ended while tendd was away, and nobody can read why.
        box.run("systemctl", "stop", tend.UNIT, timeout=30)
        when, before = yard.break_worker("worker1")
        tend.start(box)
        yard.told("incident.raised", "yard/worker1", when, 30)
        watch_for(20 if long else 8)
        unseen = len(yard.starts()["worker1"]) - before
        box.run("kill", "-CONT", pid)
        thawed = time.time()
        wait_for(lambda: box.journal("-u", tend.UNIT, since=thawed - 60), 10, "the journal")
        if not box.active("worker1.service"):
            box.run("systemctl", "start", "worker1.service")
        yard.told("incident.cleared", "yard/worker1", when, 30)
        when, before = yard.break_worker("worker2")
        yard.told("incident.cleared", "yard/worker2", when, 60)
        after = len(yard.starts()["worker2"]) - before
    held = seen == 1 and unseen == 0 and after == 1 and pause < 2 * TARGET_INTERVAL
    return Outcome(held, f"told after {told:.1f} s, longest pause between checks {pause:.2f} s, "
                         f"seen live: healed {seen} of 1, not seen: acted {unseen} times, "
                         f"afterwards healed {after} of 1")
