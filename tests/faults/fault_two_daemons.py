# SPDX-License-Identifier: MIT
"""Two tendd with one policy, on hosts of their own, and one tend-exec between them by ssh. Who may
act is said by a lock whose holder changes at random moments while an incident is open: by a
hand-over, with the old holder's token left lying about, and by cutting off the holder from the
target. The target counts what was done to it itself, by its InvocationIDs.
"""

import collections
import time

import common
import hostnet
from tendbox import Box, receivers, tend, wait_for

DOC = "two tendd, one executor, a lock that changes hands: one action a fault"

LOCK, TOKEN = "crm", "/run/tend-lock/token"
STARTS = "/var/log/starts"

APP = f"""[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'echo $INVOCATION_ID >>{STARTS}'
ExecStart=/usr/bin/python3 -m http.server 8080 --bind 0.0.0.0 --directory /var/empty
"""

CONF = """[daemon]
mode.production = auto
budget_per_target = 1000
budget_per_group = 1000
budget_global = 10000
cooldown = 1s
cooldown_stable = 1s
common_cause_min = 100
fence_lock = {lock}
fence_token_file = {token}

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
[route default]
receivers = ops

{host}
[system crm]
environment = production
[component crm/app]
kind = web
unit = app.service
host = target
[check crm/app/http]
probe = http
url = http://{address}:8080/
interval = 1s
timeout = 900ms
confirm = 2 of 2
flap_high = 0
[policy restart-unit]
param.ok = 2
param.within = 20s
"""

MANIFEST = f"""[executor]
fencing = required
locks = {LOCK}
[unit app.service]
allow = start, restart
max_per_hour = 1000
"""


class Pair:
    """Boxes one and two with tendd, and the target; the lock and its token."""

    def __init__(self):
        self.boxes = [Box("one"), Box("two")]
        self.target = Box("target")
        self.token = 0
        self.holder = None

    def __enter__(self):
        booted = []
        try:
            for box in (self.target, *self.boxes):
                box.boot()
                booted.append(box)
            self._start()
        except BaseException:
            for box in booted:
                box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        said = [text for box in (*self.boxes, self.target) for text in tend.complaints(box)]
        for box in (*self.boxes, self.target):
            box.close(clean=False)
        if said and kind is None:
            raise RuntimeError("a sanitizer says: " + "; ".join(said)[:2000])

    def _start(self):
        target = self.target
        for box in (target, *self.boxes):
            tend.install(box, etc=None)
            box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
            box.run("mkdir", "-p", "/var/empty")
        target.write("/etc/systemd/system/app.service", APP)
        target.write("/etc/tend/commands.d/crm.conf", MANIFEST)
        target.run("systemctl", "daemon-reload")
        target.run("systemctl", "start", "app.service")
        for number, box in enumerate(self.boxes, 1):
            hostnet.link(box, target, number)
        hostnet.serve_ssh(target, [hostnet.make_key(box) for box in self.boxes])
        for number, box in enumerate(self.boxes, 1):
            hostnet.trust(box, target, number)
            box.write("/etc/tend/tend.conf", CONF.format(
                lock=LOCK, token=TOKEN, host=hostnet.host_section("target", number),
                address=hostnet.address(number, 2)))
            receivers.prepare(box, tend.USER)
            receivers.start(box, (receivers.SINK_UNIT,))
        self.grant(0)
        for box in self.boxes:
            tend.start(box)
        self.wait_well()

    def grant(self, index):
        """The lock goes to a box, with a new token; what the other has is not touched."""
        self.token += 1
        self.holder = index
        box = self.boxes[index]
        box.write(TOKEN + ".new", f"{self.token}\n", mode=0o644)
        box.run("mv", TOKEN + ".new", TOKEN)

    def take_away(self, index):
        self.boxes[index].run("rm", "-f", TOKEN)

    def state(self, box):
        found = tend.ctl(box, "check", "show", "crm/app/http", check=False)
        return found["state"] if found else None

    def is_well(self, box):
        incidents = tend.ctl(box, "incident", "list", check=False)
        return (self.state(box) == "ok" and incidents is not None
                and not [one for one in incidents if one["state"] == "open"])

    def wait_well(self, timeout=120):
        wait_for(lambda: all(self.is_well(box) for box in self.boxes), timeout,
                 "both to see the app well", interval=0.2)

    def wait_healed(self, before, timeout=120):
        """Something was done, both see it, and time enough for a second deed has passed; how often
        the target was started."""
        wait_for(lambda: len(self.starts()) > before, timeout, "an action", interval=0.1)
        self.wait_well(timeout)
        common.watch_for(2, "a second action")
        self.wait_well(timeout)
        return len(self.starts()) - before

    def starts(self):
        return self.target.read(STARTS).split()

    def kill(self):
        self.target.run("systemctl", "kill", "-s", "KILL", "app.service")

    def said(self, text):
        return len([entry for entry in self.target.journal("-u", tend.EXEC_UNIT)
                    if text in str(entry.get("MESSAGE"))])

    def steps(self):
        """How the unit verbs of each daemon's runs ended."""
        ends = [collections.Counter(), collections.Counter()]
        for box, count in zip(self.boxes, ends):
            for run in tend.ctl(box, "run", "list"):
                for step in tend.ctl(box, "run", "show", run["id"]).get("steps", []):
                    if step["verb"].startswith("unit."):
                        count[step["state"]] += 1
        return ends


def _hand_over(pair, dice):
    """The old holder keeps its token for a while: it does not know yet."""
    old = pair.holder
    pair.grant(1 - old)
    common.watch_for(dice.uniform(0, 3), "the old holder to find out")
    pair.take_away(old)


def _stale(pair, dice):
    """Both try: the old holder finds out only when all is over."""
    pair.grant(1 - pair.holder)


def _partition(pair, dice):
    """The holder is cut off from the target, the lock goes to the other, the link comes back."""
    old = pair.holder
    hostnet.cut(pair.target, old + 1)
    try:
        common.watch_for(dice.uniform(0, 1), "the lock to be lost")
        pair.grant(1 - old)
        common.watch_for(dice.uniform(3, 20), "the partition to last")
    finally:
        hostnet.mend(pair.target, old + 1)


def _nothing(pair, dice):
    """The lock stays where it is."""


_KINDS = (_hand_over, _stale, _partition, _nothing)


def _one_fault(pair, dice, kind):
    """Returns how often the target was started because of it."""
    before = len(pair.starts())
    pair.kill()
    # The incident opens after about two seconds; the action follows within one more.
    common.watch_for(dice.uniform(0, 4), "the moment")
    kind(pair, dice)
    done = pair.wait_healed(before)
    pair.take_away(1 - pair.holder)
    return done


def _stale_request(pair):
    """Straight from the old holder's tendd, with the token it had: refused as fenced."""
    old = pair.holder
    before = pair.said("fenced")
    pair.grant(1 - old)
    # The new holder acts once, so that the executor sees its token.
    n = len(pair.starts())
    pair.take_away(old)
    pair.kill()
    healed = pair.wait_healed(n)
    # Now only the old one believes that it holds the lock, with what it had.
    pair.boxes[old].write(TOKEN, f"{pair.token - 1}\n", mode=0o644)
    pair.take_away(1 - old)
    n = len(pair.starts())
    pair.kill()
    wait_for(lambda: pair.said("fenced") > before, 40, "the old token to be refused")
    common.watch_for(3, "nothing to happen")
    untouched = len(pair.starts()) == n
    pair.take_away(old)
    pair.grant(1 - old)
    return healed == 1 and untouched and pair.wait_healed(n) == 1, 2


def run(long):
    faults = 40 if long else 4
    dice, seed = common.dice()
    began = time.monotonic()
    counts = collections.Counter()
    with Pair() as pair:
        wrong = []
        for number in range(faults):
            kind = _KINDS[number % len(_KINDS)] if not long else dice.choice(_KINDS)
            counts[kind.__name__.strip("_")] += 1
            done = _one_fault(pair, dice, kind)
            if done != 1:
                wrong.append(f"fault {number} ({kind.__name__.strip('_')}): {done} actions")
        held, more = _stale_request(pair)
        if not held:
            wrong.append("the old holder's token")
        actions = len(pair.starts()) - 1
        fenced = pair.said("is old:")
        ends = pair.steps()
    figures = (f"{faults + more} faults, {actions} actions by the target's own count; fenced "
               f"{fenced} times; {dict(counts)}; unit steps of one {dict(ends[0])}, of two "
               f"{dict(ends[1])}; {pair.token} tokens, seed {seed}, "
               f"{time.monotonic() - began:.0f} s")
    if wrong:
        figures += "; wrong: " + "; ".join(wrong)
    held = not wrong and actions == faults + more and fenced > 0
    return common.Outcome(held, figures)
