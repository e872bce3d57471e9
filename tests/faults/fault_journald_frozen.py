# SPDX-License-Identifier: MIT
"""journald is frozen: faults are told; only what Tend saw end with its own eyes is acted on."""

import time

from common import TARGET_INTERVAL, Outcome, Yard, gaps, probe_pause, watch_for
from tendbox import tend, wait_for

DOC = "journald frozen: told; a unit is acted on only if its end was seen live on the bus"

JOURNALD = "systemd-journald.service"
RECOVER_SECONDS = 10.0

# Datagrams until journald's queue takes none from anybody: then whoever waits for it hangs. One
# sender's own buffer is full before that.
_FLOOD = """
import socket
senders = []
for sender in range(50):
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    out.connect("/run/systemd/journal/socket")
    senders.append(out)
    sent = 0
    try:
        while sent < 100000:
            out.send(b"PRIORITY=7\\nMESSAGE=flood of the test\\n")
            sent += 1
    except BlockingIOError:
        if sent == 0:
            print("full")
            break
"""


def freeze(box):
    """Stop journald and fill its queue; its process, to be continued."""
    pid = str(box.main_pid(JOURNALD))
    box.run("kill", "-STOP", pid)
    if box.out("/usr/bin/python3", "-c", _FLOOD) != "full":
        raise RuntimeError("journald's queue takes more than any")
    return pid


def dropped(box):
    """Log lines that tendd says it dropped."""
    for line in box.out("curl", "-s", "--unix-socket", "/run/tend/tend.sock",
                        "http://tend/metrics").splitlines():
        if line.startswith("tend_log_dropped_total "):
            return int(float(line.split()[1]))
    return 0


def run(long):
    with Yard("journald", workers=3) as yard:
        box, began = yard.box, time.time()
        pid = freeze(box)
        frozen = time.time()
        # Seen live: healed.
        when, before = yard.break_worker("worker0")
        told = yard.told("incident.raised", "yard/worker0", when, 15)
        yard.told("incident.cleared", "yard/worker0", when, 60)
        seen = len(yard.starts()["worker0"]) - before
        pause = probe_pause(box, began)
        lost_lines = dropped(box)
        # Not seen: it ended while tendd was away, and nobody can read why.
        box.run("systemctl", "stop", tend.UNIT, timeout=30)
        when, before = yard.break_worker("worker1")
        tend.start(box)
        yard.told("incident.raised", "yard/worker1", when, 30)
        watch_for(20 if long else 8)
        unseen = len(yard.starts()["worker1"]) - before
        box.run("kill", "-CONT", pid)
        thawed = time.time()
        # A line of after the thaw in the journal: the fault below has one.
        when, before = yard.break_worker("worker2")
        yard.told("incident.cleared", "yard/worker2", when, 60)
        wait_for(lambda: box.journal("-u", tend.UNIT, "-g", "worker2", since=thawed), 30,
                 "what tendd says now to be in the journal", 0.2)
        recovered = time.time() - thawed
        after = len(yard.starts()["worker2"]) - before
        if not box.active("worker1.service"):
            box.run("systemctl", "start", "worker1.service")
        yard.told("incident.cleared", "yard/worker1", frozen, 30)
        lost = gaps(yard.events())
    held = (seen == 1 and unseen == 0 and after == 1 and not lost and lost_lines > 0
            and (recovered <= RECOVER_SECONDS and pause < 2 * TARGET_INTERVAL or not long))
    return Outcome(held, f"told after {told:.1f} s, {lost_lines} log lines dropped and counted, "
                         f"longest pause between checks {pause:.2f} s, seen live: healed {seen} "
                         f"of 1, not seen: acted {unseen} times, all well {recovered:.1f} s "
                         f"after the thaw with {after} of 1 healed, notices missing: "
                         f"{lost or 'none'}")
