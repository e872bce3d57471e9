# SPDX-License-Identifier: MIT
"""snmptrapd is down: the inform waits, visibly, others are told, and it arrives afterwards."""

import time

import witness
from common import Outcome, Yard, snmp_shows, watch_for
from tendbox import receivers, tend, wait_for

DOC = "snmptrapd stopped: informs wait in the delivery list and arrive when it is back"

COMPONENT = "yard/worker0"


def waiting(box):
    """The kinds of what has not arrived at nms, by tendctl."""
    answer = tend.ctl(box, "delivery", "list", check=False) or []
    rows = answer if isinstance(answer, list) else answer.get("deliveries", [])
    return [row["kind"] for row in rows
            if row["receiver"] == "nms" and row["state"] == "waiting"]


def run(long):
    with Yard("trapd", workers=2, snmp=True, agentx=True) as yard:
        box, began = yard.box, time.time()
        wait_for(lambda: snmp_shows(box, COMPONENT, "ok"), 20, "the rows in snmpd")
        box.run("systemctl", "stop", receivers.TRAPD_UNIT)
        # An operator's stop is left alone: the fault lasts as long as the test wants it to.
        box.run("systemctl", "stop", "worker0.service")
        webhook = yard.told("incident.raised", COMPONENT, began, 10)
        wait_for(lambda: snmp_shows(box, COMPONENT, "critical"), 10, "the fault in the walk")
        wait_for(lambda: "incident.raised" in waiting(box), 10,
                 "the inform to wait in the delivery list")
        if long:
            watch_for(30)
        held_back = waiting(box)
        early = len(receivers.trap_log(box))
        back = time.time()
        box.run("systemctl", "start", receivers.TRAPD_UNIT)
        wait_for(lambda: "raised" in arrived(box) and not waiting(box), 60,
                 "the inform to arrive")
        late = time.time() - back
        box.run("systemctl", "start", "worker0.service")
        wait_for(lambda: len(arrived(box)) >= 2, 20, "the clear")
        kinds = arrived(box)
    held = early == 0 and "incident.raised" in held_back and kinds == ["raised", "cleared"]
    return Outcome(held, f"webhook told after {webhook:.1f} s meanwhile, the walk showed the "
                         f"broken component, {len(held_back)} inform(s) waited in the delivery "
                         f"list, arrived {late:.1f} s after the return: {', '.join(kinds)}")


def arrived(box):
    """Kinds of the component's notices at snmptrapd in order, first copies only."""
    seen = {}
    for one in witness.from_traps(receivers.trap_log(box)):
        if one.component == COMPONENT:
            seen.setdefault(one.id, one.what)
    return list(seen.values())
