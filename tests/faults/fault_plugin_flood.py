# SPDX-License-Identifier: MIT
"""Plugins that write without end, ignore TERM, fork and run away, many at once, all the time."""

import json
import time

from common import TARGET_INTERVAL, Outcome, Yard, probe_pause, watch_for
from tendbox import tend, wait_for

DOC = "bad plugins all the time: each is gone 2 s after its timeout, nobody else notices"

TIMEOUT = 1.0
KILL = 2.0
SLACK = 0.8  # of a machine with other work
FOLDER = "/opt/probes"
MEMORY_MIB = 48

PROGRAMS = {
    "flood": "#!/bin/sh\nexec yes flooding\n",
    "stubborn": "#!/bin/sh\ntrap '' TERM HUP INT\nwhile :; do sleep 0.2; done\n",
    "tree": "#!/bin/sh\nfor i in 1 2 3; do (sh -c \"trap '' TERM; sleep 1000 & wait\" &) ; done\n"
            "sleep 1000\n",
    "daemon": "#!/bin/sh\nsetsid sh -c 'setsid sleep 1000 <&- >&- 2>&- &'\necho OK\n",
    "hang": "#!/bin/sh\nexec sleep 1000 <&- >&- 2>&-\n",
    "bomb": "#!/bin/sh\ni=0\nwhile [ $i -lt 40 ]; do sleep 1000 & i=$((i + 1)); done\nwait\n",
}

# Ages in seconds and states of all processes of tend-probe but tend-spawn itself and its keeper.
_LOOK = """
import json, os, pwd, sys
uid, ticks, found = pwd.getpwnam("tend-probe").pw_uid, os.sysconf("SC_CLK_TCK"), []
now = float(open("/proc/uptime").read().split()[0])
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat("/proc/" + pid).st_uid != uid and pid != "1":
            # What is not dumpable belongs to root here: the wardens.
            if open(f"/proc/{pid}/comm").read() != "tend-warden\\n":
                continue
        fields = open(f"/proc/{pid}/stat").read()
        name, rest = fields[fields.index("(") + 1:fields.rindex(")")], fields.rsplit(")", 1)[1].split()
    except OSError:
        continue
    if int(pid) == int(sys.argv[1]) or name in ("systemd", "tend-keeper"):
        continue
    found.append([int(pid), name, rest[0], now - int(rest[19]) / ticks])
print(json.dumps(found))
"""


def checks():
    text = "[component yard/plugins]\nkind = app\n"
    for name in PROGRAMS:
        for number in range(4):
            text += (f"[check yard/plugins/{name}{number}]\nprobe = exec\ncommand = {FOLDER}/{name}\n"
                     f"interval = {2 + number}s\ntimeout = {TIMEOUT:g}s\nnotify = no\n")
    return text


def look(box):
    """[(pid, name, state, age)] of what tend-spawn has running."""
    pid = box.main_pid("tend-spawn.service")
    return json.loads(box.out("/usr/bin/python3", "-c", _LOOK, str(pid)))


def high_water(box, unit):
    """The most memory a unit's main process ever had, MiB."""
    for line in box.read(f"/proc/{box.main_pid(unit)}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(long):
    with Yard("flood", workers=2) as yard:
        box = yard.box
        for name, text in PROGRAMS.items():
            box.write(f"{FOLDER}/{name}", text, mode=0o755)
        box.write("/etc/tend/spawn.conf", f"[spawn]\npaths = {FOLDER}\n")
        box.write("/etc/tend/tend.conf", yard.configuration() + checks())
        box.run("systemctl", "reload", tend.UNIT)
        wait_for(lambda: look(box), 20, "the first plugin to run")
        began, end = time.time(), time.monotonic() + (60 if long else 15)
        oldest, most, zombies, samples = 0.0, 0, set(), 0
        dead = set()
        when, before = yard.break_worker("worker0")
        while time.monotonic() < end:
            seen = look(box)
            oldest = max([oldest, *(age for _, _, _, age in seen)])
            most = max(most, len(seen))
            now_dead = {pid for pid, _, state, _ in seen if state == "Z"}
            zombies |= dead & now_dead  # twice: not one that is being waited for
            dead, samples = now_dead, samples + 1
            watch_for(0.2)
        healed = yard.told("incident.cleared", "yard/worker0", when, 60)
        pause = probe_pause(box, began)
        spawn, daemon = high_water(box, "tend-spawn.service"), high_water(box, tend.UNIT)
        restarts = int(box.out("systemctl", "show", "-P", "NRestarts", "tend-spawn.service"))
        # The end of it: nothing may be left a moment later.
        box.write("/etc/tend/tend.conf", yard.configuration())
        box.run("systemctl", "reload", tend.UNIT)
        left = wait_for(lambda: [] if look(box) else True, KILL + TIMEOUT + SLACK,
                        "nothing to be left") is not True
        held = (most > 6 and not zombies and not left and restarts == 0
                and len(yard.starts()["worker0"]) == before + 1)
        if long:
            held = (held and oldest <= TIMEOUT + KILL + SLACK and pause <= 2 * TARGET_INTERVAL
                    and spawn <= MEMORY_MIB)
        return Outcome(held, f"{len(PROGRAMS) * 4} bad plugins, up to {most} processes in {samples} "
                       f"looks: the oldest lived {oldest:.1f} s (timeout {TIMEOUT:g} s), "
                       f"{len(zombies)} zombies, {'some' if left else 'none'} left; an unhealthy "
                       f"unit healed in {healed:.1f} s, longest pause of a probe {pause:.2f} s; "
                       f"at most {spawn:.0f} MiB of tend-spawn, {daemon:.0f} MiB of tendd")
