# SPDX-License-Identifier: MIT
"""From the witnesses' logs to what the judge reads."""

from judge import Notice
from tendbox import receivers

OID_ROOT = ".1.3.6.1.4.1.8072.9999.9999.7363"
_TRAP_OID = ".1.3.6.1.6.3.1.1.4.1.0"
# TEND-MIB: the notifications that are about incidents, and what they carry.
_NOTICE_KINDS = {"1": "raised", "2": "changed", "3": "cleared"}
_NOTICE_OBJECTS = {"id": 1, "incident": 4, "component": 8, "check": 9}
# "Started UNIT" by PID 1 (systemd's catalogue).
_STARTED = "39f53479d3a045ac8e11786248231fbf"


def from_sink(entries):
    """Notices that the sink verified and took, and how many it did not verify."""
    notices = []
    for entry in entries:
        if not entry["verified"] or not 200 <= entry["answer"] < 300:
            continue
        event = entry["body"]
        data = event.get("data") or {}
        notices.append(Notice(
            time=entry["time"], receiver="webhook", id=str(event.get("id")),
            what=str(event.get("type")).removeprefix("tend.incident."),
            incident=str(data.get("incident")), component=str(data.get("component")),
            check=str(data.get("check"))))
    return notices, sum(1 for entry in entries if not entry["verified"])


def from_traps(entries):
    """Notices that snmptrapd logged. It writes whole seconds: the end of each is meant."""
    notices = []
    for entry in entries:
        trap = entry["vars"].get(_TRAP_OID, "")
        if not trap.startswith(f"{OID_ROOT}.0."):
            continue
        text = {name: entry["vars"].get(f"{OID_ROOT}.1.20.{number}.0", "")
                for name, number in _NOTICE_OBJECTS.items()}
        notices.append(Notice(
            time=entry["time"] + 0.999, receiver="snmp",
            what=_NOTICE_KINDS.get(trap.rsplit(".", 1)[1], trap), **text))
    return notices


def unit_starts(journal, units):
    """[(time, unit)] of the units' starts, from journal entries of PID 1."""
    return [(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, entry["UNIT"]) for entry in journal
            if entry.get("MESSAGE_ID") == _STARTED and entry.get("UNIT") in units]


def read_starts(box, units, since):
    entries = box.journal(f"MESSAGE_ID={_STARTED}", since=since)
    return [(when, unit) for when, unit in unit_starts(entries, units) if when >= since]


def logins(box):
    """[(time, ok)] of the client that logs in each second."""
    return [(entry["time"], entry["ok"]) for entry in receivers.login_log(box)]
