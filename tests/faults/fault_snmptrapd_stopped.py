# SPDX-License-Identifier: MIT
"""snmptrapd is down: the inform waits, visibly, others are told, and it arrives afterwards."""

import time

from common import Outcome, Yard, watch_for
from tendbox import receivers, tend, wait_for

import witness

DOC = "snmptrapd stopped: informs wait in the delivery list and arrive when it is back"


def waiting(box):
    """Deliveries to nms that have not arrived, by tendctl."""
    answer = tend.ctl(box, "delivery", "list", check=False) or []
    rows = answer if isinstance(answer, list) else answer.get("deliveries", [])
    return [row for row in rows if row["receiver"] == "nms" and row["state"] in
            ("waiting", "pending", "retrying")]


def run(long):
    with Yard("trapd", workers=2, snmp=True) as yard:
        box, began = yard.box, time.time()
        box.run("systemctl", "stop", receivers.TRAPD_UNIT)
        yard.break_worker("worker0")
        webhook = yard.told("incident.raised", "yard/worker0", began, 10)
        yard.told("incident.cleared", "yard/worker0", began, 30)
        wait_for(lambda: waiting(box), 10, "the inform to wait in the delivery list")
        if long:
            watch_for(30)
        held_back = len(waiting(box))
        early = len(receivers.trap_log(box))
        back = time.time()
        box.run("systemctl", "start", receivers.TRAPD_UNIT)
        wait_for(lambda: len(arrived(box)) >= 2 and not waiting(box), 60, "the informs to arrive")
        late = time.time() - back
        kinds = [one.what for one in arrived(box)]
    held = early == 0 and held_back >= 1 and kinds == ["raised", "cleared"]
    return Outcome(held, f"webhook told after {webhook:.1f} s meanwhile, {held_back} informs "
                         f"waited, arrived {late:.1f} s after the return: {', '.join(kinds)}")


def arrived(box):
    """Notices at snmptrapd in order, first copies only."""
    seen = {}
    for one in witness.from_traps(receivers.trap_log(box)):
        seen.setdefault(one.id, one)
    return list(seen.values())
