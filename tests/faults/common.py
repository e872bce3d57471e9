# SPDX-License-Identifier: MIT
"""What the faults share: the outcome, and the yard: Tend over a few small real units.

A worker's own record of its starts (ExecStartPre appends its InvocationID to a file) is the
target's count: nobody's word is taken for how often something was done.
"""

import collections
import json
import random
import time

import witness
from tendbox import Box, BoxError, receivers, seed, tend, wait_for

Outcome = collections.namedtuple("Outcome", "held figures")

STARTS = "/var/log/tendbox/starts"

_WORKER = f"""[Service]
ExecStartPre=/bin/sh -c 'echo "%p $INVOCATION_ID" >>{STARTS}'
ExecStart=/bin/sleep infinity
"""

_DAEMON = """[daemon]
mode.production = auto
budget_per_target = 1000
budget_global = 10000
cooldown = 0
{daemon}
[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
retry_min = 1s
retry_max = 2s
{receiver}
[route default]
receivers = {receivers}

[system yard]
environment = production
"""

_SNMP = """
[receiver nms]
type = snmp
host = 127.0.0.1:162
user = tend
auth_protocol = SHA-256
auth_password = file:/etc/tend/secrets/snmp-auth
priv_protocol = AES
priv_password = file:/etc/tend/secrets/snmp-priv
retry_min = 1s
retry_max = 2s
"""

_CHECKED = """
[component yard/{name}]
kind = app
unit = {name}.service

[check yard/{name}/unit]
probe = unit
unit = {name}.service
interval = 1s
timeout = 500ms
confirm = 2 of 2
flap_high = 0
"""


# Something to probe that keeps its own count of being asked, each second.
TARGET_UNIT = "tendbox-target.service"
TARGET_LOG = "/var/log/tendbox/target.jsonl"
TARGET_INTERVAL = 1.0

_TARGET = f"""[Service]
Type=notify
ExecStart=/usr/bin/python3 {seed.GUEST}/webhook_sink.py --port 8082 --log {TARGET_LOG} \
 --secret-file /etc/tendbox/sink-secret --behaviour /etc/tendbox/target.json
"""

_TARGET_CHECK = """
[component yard/target]
kind = web

[check yard/target/ping]
probe = http
url = http://127.0.0.1:8082/
method = POST
body = {}
expect_status = 204
interval = 1s
timeout = 500ms
confirm = 2 of 2
flap_high = 0
"""


def singles(event):
    """The events that an event stands for: itself, or those of its group, as they come alone."""
    if event.get("type") != "tend.incident.group":
        return [event]
    return [{**event, "type": f"tend.{one['kind']}", "id": one["id"], "time": one["time"],
             "sequence": one["sequence"], "subject": one["fingerprint"], "data": one}
            for one in event["data"]["alerts"]]


class Yard:
    """A box with Tend, the receivers, n workers and the target; agentx and snmp switch Tend's SNMP
    sides on; nspawn is for the box."""

    def __init__(self, name, workers=3, snmp=False, agentx=False, nspawn=()):
        self.box = Box(name, nspawn=nspawn)
        self.workers = [f"worker{n}" for n in range(workers)]
        self.snmp, self.agentx = snmp, agentx

    def __enter__(self):
        self.box.boot()
        try:
            self._start()
        except BaseException:
            self.box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        said = tend.complaints(self.box) if kind is None else []
        self.box.close(clean=kind is None)
        if said:
            raise RuntimeError("a sanitizer says: " + "; ".join(said)[:2000])

    def _start(self):
        box = self.box
        tend.install(box, etc=None)
        receivers.prepare(box, tend.USER)
        for name in self.workers:
            box.write(f"/etc/systemd/system/{name}.service", _WORKER)
        box.write(f"/etc/systemd/system/{TARGET_UNIT}", _TARGET)
        box.write("/etc/tendbox/target.json", '{"status": 204}')
        box.write("/etc/tend/tend.conf", self.configuration())
        box.write("/etc/tend/commands.d/yard.conf", "".join(
            f"[unit {name}.service]\nallow = start, restart\nmax_per_hour = 1000\n\n"
            for name in self.workers))
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", *(f"{name}.service" for name in self.workers))
        receivers.start(box, (receivers.SINK_UNIT, receivers.TRAPD_UNIT, receivers.SNMPD_UNIT,
                              TARGET_UNIT))
        tend.start(box)
        self.wait_well()

    def configuration(self):
        daemon = "agentx_socket = /run/agentx/master\n" if self.agentx else ""
        text = _DAEMON.format(daemon=daemon, receiver=_SNMP if self.snmp else "",
                              receivers="ops, nms" if self.snmp else "ops")
        checked = "".join(_CHECKED.format(name=name) for name in self.workers)
        return text + checked + _TARGET_CHECK

    def wait_well(self, timeout=30):
        """Until Tend says that every check is ok."""
        def well():
            answer = tend.ctl(self.box, "check", "list", check=False)
            checks = answer if isinstance(answer, list) else (answer or {}).get("checks", [])
            return checks and all(one["state"] == "ok" for one in checks)
        wait_for(well, timeout, "every check to be ok", interval=0.2)

    def starts(self):
        """How often each worker was started, by its own count: {name: [InvocationID, ...]}."""
        count = {name: [] for name in self.workers}
        for line in self.box.read(STARTS).splitlines():
            name, invocation = line.split()
            count[name].append(invocation)
        return count

    def break_worker(self, name):
        """Kill it; returns when, and how often it had been started by then."""
        before = len(self.starts()[name])
        when = time.time()
        self.box.run("systemctl", "kill", "-s", "KILL", f"{name}.service")
        return when, before

    def events(self):
        """[(time, event)] of what the sink verified and took, first copies only; of a group each."""
        seen, found = set(), []
        for entry in receivers.sink_log(self.box):
            if entry["verified"] and entry["answer"] < 300 and entry["id"] not in seen:
                seen.add(entry["id"])
                found += [(entry["time"], event) for event in singles(entry["body"])]
        return found

    def heard(self, what, component, since):
        """The first event tend.WHAT of the component since then, or None."""
        for when, event in self.events():
            data = event.get("data") or {}
            if (when >= since and event.get("type") == f"tend.{what}"
                    and data.get("component") == component):
                return when, event
        return None

    def told(self, what, component, since, timeout):
        """wait_for heard(); the seconds since `since`."""
        found = wait_for(lambda: self.heard(what, component, since), timeout,
                         f"{what} of {component}", interval=0.1)
        return found[0] - since


# TEND-MIB: columns of tendComponentTable and tendIncidentTable, and TendState.
_COMPONENT, _INCIDENT = witness.OID_ROOT + ".1.3.1", witness.OID_ROOT + ".1.5.1"
_STATES = ("ok", "warning", "critical", "unknown", "pending", "unreachable")


def snmp_view(box):
    """What an NMS sees by a walk of the whole tree, v3 authPriv: ({component: state}, {component
    with an incident}); None while the agent does not answer."""
    try:
        seen = receivers.snmp_walk(box, witness.OID_ROOT)
    except BoxError:
        return None
    states = {}
    for oid, name in seen.items():
        if oid.startswith(_COMPONENT + ".2."):
            state = seen.get(_COMPONENT + ".5." + oid.rsplit(".", 1)[1], "")
            states[name] = _STATES[int(state)] if state.isdigit() else state
    return states, {text for oid, text in seen.items() if oid.startswith(_INCIDENT + ".6.")}


def snmp_shows(box, component, state):
    """Does the NMS see the component in this state, and an incident of it unless it is ok?"""
    view = snmp_view(box)
    return (view is not None and view[0].get(component) == state
            and (component in view[1]) == (state != "ok"))


def probe_pause(box, since):
    """The longest time in which the target was not asked, seconds, from since until now."""
    asked = [json.loads(line)["time"] for line in box.read(TARGET_LOG).splitlines()]
    times = [since, *(when for when in asked if when >= since), time.time()]
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def watch_for(seconds, what="time to pass"):
    """Let time pass on purpose: the fault must last, or something must not happen."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= end, seconds + 5, what, interval=0.1)


def gaps(events):
    """Missing sequence numbers per epoch: [] when the receiver lost nothing."""
    numbers = collections.defaultdict(set)
    for _, event in events:
        numbers[event.get("epoch")].add(int(event["sequence"]))
    return [(epoch, missing) for epoch, have in numbers.items()
            for missing in range(min(have), max(have)) if missing not in have]


def dice(seed=None):
    """Random numbers and the seed that repeats them."""
    seed = random.SystemRandom().randrange(100000) if seed is None else seed
    return random.Random(seed), seed

