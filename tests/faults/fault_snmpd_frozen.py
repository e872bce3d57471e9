# SPDX-License-Identifier: MIT
"""snmpd, the AgentX master, is frozen: probing and telling must not notice."""

import time

import witness
from common import TARGET_INTERVAL, Outcome, Yard, gaps, probe_pause, snmp_shows, watch_for
from tendbox import receivers, wait_for

DOC = "snmpd frozen by SIGSTOP: checks start on time, notices go on, rows come back"

ROWS_BACK_SECONDS = 7.0
HEALED, STOPPED = "yard/worker0", "yard/worker1"


def run(long):
    with Yard("snmpd", workers=2, snmp=True, agentx=True) as yard:
        box = yard.box
        wait_for(lambda: snmp_shows(box, STOPPED, "ok"), 20, "the rows in snmpd")
        frozen = time.time()
        box.run("systemctl", "kill", "-s", "STOP", receivers.SNMPD_UNIT)
        yard.break_worker("worker0")
        told = yard.told("incident.raised", HEALED, frozen, 10)
        wait_for(lambda: informs(box, HEALED, frozen) >= {"raised", "cleared"}, 30, "the informs")
        yard.told("incident.cleared", HEALED, frozen, 30)
        # An operator's stop is left alone: still broken when snmpd can be asked again.
        box.run("systemctl", "stop", "worker1.service")
        yard.told("incident.raised", STOPPED, frozen, 10)
        watch_for(max(0, (60 if long else 12) - (time.time() - frozen)))
        pause = probe_pause(box, frozen)
        box.run("systemctl", "kill", "-s", "CONT", receivers.SNMPD_UNIT)
        back = time.time()
        wait_for(lambda: snmp_shows(box, STOPPED, "critical"), 30, "the broken one in the walk")
        back = time.time() - back
        box.run("systemctl", "start", "worker1.service")
        wait_for(lambda: snmp_shows(box, STOPPED, "ok"), 20, "the mended one in the walk")
        lost = gaps(yard.events())
    held = not lost and (pause < 2 * TARGET_INTERVAL and back <= ROWS_BACK_SECONDS or not long)
    return Outcome(held, f"longest pause between checks of every {TARGET_INTERVAL:g} s: "
                         f"{pause:.2f} s, told after {told:.1f} s by both receivers, the broken "
                         f"component in the walk {back:.1f} s after, notices missing: "
                         f"{lost or 'none'}")


def informs(box, component, since):
    """What snmptrapd was told of the component since then; its log has whole seconds."""
    return {one.what for one in witness.from_traps(receivers.trap_log(box))
            if one.component == component and one.time >= since}
