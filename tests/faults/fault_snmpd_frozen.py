# SPDX-License-Identifier: MIT
"""snmpd, the AgentX master, is frozen: probing and telling must not notice."""

import time

import witness
from common import TARGET_INTERVAL, Outcome, Yard, probe_pause, watch_for
from tendbox import BoxError, receivers, wait_for

DOC = "snmpd frozen by SIGSTOP: checks start on time, notices go on, rows come back"

ROWS_BACK_SECONDS = 7.0


def rows(box):
    """The names of components as the NMS sees them; [] when the agent does not answer."""
    try:
        return list(receivers.snmp_walk(box, witness.OID_ROOT + ".1.3.1.2").values())
    except BoxError:
        return []


def run(long):
    with Yard("snmpd", workers=2, snmp=True, agentx=True) as yard:
        box = yard.box
        wait_for(lambda: "yard/worker0" in rows(box), 20, "the rows in snmpd")
        frozen = time.time()
        box.run("systemctl", "kill", "-s", "STOP", receivers.SNMPD_UNIT)
        yard.break_worker("worker0")
        told = yard.told("incident.raised", "yard/worker0", frozen, 10)
        wait_for(lambda: [one for one in witness.from_traps(receivers.trap_log(box))
                          if one.what == "raised"], 10, "the inform")
        yard.told("incident.cleared", "yard/worker0", frozen, 30)
        watch_for(max(0, (60 if long else 12) - (time.time() - frozen)))
        pause = probe_pause(box, frozen)
        box.run("systemctl", "kill", "-s", "CONT", receivers.SNMPD_UNIT)
        back = time.time()
        wait_for(lambda: "yard/worker0" in rows(box), 30, "the rows to come back")
        back = time.time() - back
    held = pause < 2 * TARGET_INTERVAL and (back <= ROWS_BACK_SECONDS or not long)
    return Outcome(held, f"longest pause between checks of every {TARGET_INTERVAL:g} s: "
                         f"{pause:.2f} s, told after {told:.1f} s, rows back {back:.1f} s after")
