# SPDX-License-Identifier: MIT
"""Five weeks of nights: backups, restore drills and patches on real services, by the clock.

The calendar is shifted (tendd --calendar), nothing else is: tendd, tend-run, tend-exec, pgBackRest,
PostgreSQL, apt and dpkg are the real ones. What happened is counted where it was done: in the
repository, in dpkg's log, at the receiver of the notices.
"""

import datetime
import os
import sys
import time

import maintenance
from common import Outcome
from tendbox import Box, crm, receivers, seed, tend, wait_for

DOC = "five weeks of nightly backups, drills and patches on a shifted calendar"

DATABASE = "crm/database"
APP, WEB = maintenance.APP_COMPONENT, maintenance.WEB_COMPONENT
CALENDAR = "/etc/tend/calendar"

CONFIGURATION = f"""[daemon]
mode.staging = auto
budget_per_target = 1000
budget_global = 10000

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
retry_min = 1s
retry_max = 2s

[route default]
receivers = ops

[system crm]
environment = staging

[component {DATABASE}]
kind = database
unit = {seed.PG_UNIT}

[check {DATABASE}/backup]
probe = passive
ttl = 26h
interval = 5s
confirm = 1 of 1
flap_high = 0
{maintenance.SERVICES}
[window sunday-night]
cron = 0 3 * * 0
duration = 3h
actions = allow

[policy backup]
budget = 1000
# Six days and a bit: six nights to the second would be now one, now seven.
param.drill_every = 156h

[policy patch]
budget = 1000
match_component = {APP}
schedule = 0 4 * * 0
param.soak = 4s
param.pace = 1s
"""

WEEKS = {
    # day: what else happens; Sunday is day 0, 7, ...
    7: "publish 2.0",
    17: "flip",
    21: "publish 3.0 500 200",
    28: "publish 4.0 200 500",
    30: "down",
}
# The status of the service, and of the part of it that another one depends on.
SHORT = {0: "publish 2.0 200 500", 1: "flip"}


class Nights:
    """The box, its calendar, and what was counted."""

    def __init__(self, box):
        self.box = box
        now = datetime.datetime.now(datetime.timezone.utc)
        # The Sunday after next: whatever the machine's day is, the calendar only goes forward.
        ahead = (6 - now.weekday()) % 7 + 7
        self.sunday = (now + datetime.timedelta(days=ahead)).replace(
            hour=0, minute=0, second=0, microsecond=0)
        self.rows = []

    def set_clock(self, day, hour, minute=0, second=0):
        at = self.sunday + datetime.timedelta(days=day, hours=hour, minutes=minute, seconds=second)
        self.box.write(CALENDAR + ".new", f"{at.timestamp() - time.time():.3f}\n")
        # tendd reads it each second: whole or not at all.
        os.rename(self.box.path(CALENDAR + ".new"), self.box.path(CALENDAR))

    def ctl(self, *words, **options):
        return tend.ctl(self.box, *words, **options)

    def runs(self, policy):
        return [run for run in self.ctl("run", "list", "-n", "500") if run["policy"] == policy]

    def ended(self, policy, n):
        runs = self.runs(policy)
        if len(runs) > n:
            raise AssertionError(f"{policy} ran {len(runs)} times, {n} were due")
        return len(runs) == n and runs[0]["ended"] and runs[0]

    def wait_run(self, policy, n, timeout=150):
        return wait_for(lambda: self.ended(policy, n), timeout, f"run {n} of {policy}",
                        interval=0.2)

    def sets(self):
        return self.ctl("backup", "list")

    def check(self, name):
        return self.ctl("check", "show", name)

    def events(self, kind, component=None):
        seen = {entry["id"]: entry["body"] for entry in receivers.sink_log(self.box)
                if entry["verified"] and entry["answer"] < 300}
        return [body for body in seen.values() if body["type"] == f"tend.{kind}"
                and component in (None, body["data"].get("component"))]

    def told(self, part):
        """The notices with these words, once each."""
        return {entry["id"] for entry in receivers.sink_log(self.box)
                if entry["verified"] and entry["answer"] < 300
                and part in str(entry["body"]["data"].get("text"))}

    def night(self, day, extra):
        """One night; what is found wrong raises."""
        box = self.box
        maintenance.fill(box, day)
        if extra == "flip":
            maintenance.write_once(box)
        if extra.startswith("publish"):
            words = extra.split()
            maintenance.publish(box, words[1], *(int(word) for word in words[2:]))
        before = set(maintenance.labels(box))
        if extra == "down":
            box.run("systemctl", "stop", tend.UNIT)
            self.set_clock(day, 9)
            tend.start(box)
        else:
            self.set_clock(day, 1, 59, 58)
        run = self.wait_run("backup", day + 1)
        patched = ""
        if day % 7 == 0:
            self.set_clock(day, 3, 59, 58)
            patch = self.wait_run("patch", day // 7 + 1)
            patched = patch["state"] + " " + (patch["message"] or "")
        new = [label for label in maintenance.labels(box) if label not in before]
        known = {one["label"]: one for one in self.sets()}
        worth = " ".join(f"{label[:15]}{label[-1]}:{known[label]['state']}" for label in new)
        flipped = ""
        if extra == "flip":
            flipped = maintenance.labels(box)[-1]
            maintenance.flip_byte(box, flipped)
        self.rows.append((day, run["state"], worth, patched[:60], extra))
        print(f"  day {day:2} {'SMTWTFS'[day % 7]}  {run['state']:6} {worth:48} "
              f"{patched[:48]} {extra}", file=sys.stderr, flush=True)
        return run, new, flipped


def _prepare(box):
    crm.prepare(box)
    tend.install(box, etc=None)
    box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
    box.write("/etc/tend/tend.conf", CONFIGURATION)
    maintenance.prepare_backup(box)
    maintenance.prepare_patch(box)
    receivers.prepare(box, tend.USER)
    # A signature carries the time of day of who signs.
    sink = f"/etc/systemd/system/{receivers.SINK_UNIT}"
    box.write(sink, box.read(sink).replace(
        "webhook_sink.py", f"webhook_sink.py --calendar {CALENDAR}"))
    box.write(f"/etc/systemd/system/{tend.UNIT}.d/20-calendar.conf",
              f"[Service]\nExecStart=\nExecStart=/usr/sbin/tendd --calendar {CALENDAR}\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", seed.PG_UNIT)
    receivers.start(box, (receivers.SINK_UNIT,))
    maintenance.create_stanza(box)


def _expect(problems, what, found, wanted):
    if found != wanted:
        problems.append(f"{what}: {found}, not {wanted}")


def run(long):
    """days nights, one after the other."""
    days, plan = (35, WEEKS) if long else (3, SHORT)
    problems, began, damaged = [], time.monotonic(), None
    with Box("calendar", trees=[seed.crm_tree()]) as box:
        _prepare(box)
        nights = Nights(box)
        nights.set_clock(0, 0, 30)
        tend.start(box)
        wait_for(lambda: nights.check(f"{APP}/http")["state"] == "ok", 30, "the service to be well")
        for day in range(days):
            run_, new, flipped = nights.night(day, plan.get(day, ""))
            _expect(problems, f"day {day}, the run", run_["state"], "done")
            _expect(problems, f"day {day}, sets taken", len(new), 2 if damaged else 1)
            known = {one["label"]: one for one in nights.sets()}
            newest = known[maintenance.labels(box)[-1]]
            full = day % 7 == 0 or damaged is not None
            _expect(problems, f"day {day}, the newest set", (newest["kind"], newest["state"]),
                    ("full", "proven") if full else ("incremental", "good"))
            _expect(problems, f"day {day}, the check",
                    nights.check(f"{DATABASE}/backup")["state"], "ok")
            if damaged:
                _expect(problems, f"day {day}, the damaged set", known[damaged]["state"], "bad")
            proven = [one for one in known.values() if one["state"] == "proven"]
            if not proven:
                problems.append(f"day {day}: no set is proven")
            damaged = flipped or None
        figures = _count(nights, problems, days, plan)
        said = tend.complaints(box)
        if said:
            problems.append("a sanitizer says: " + "; ".join(said)[:300])
    took = time.monotonic() - began
    return Outcome(not problems, f"{days} nights in {took:.0f} s; {figures}"
                   + ("; " + "; ".join(problems[:8]) if problems else ""))


def _count(nights, problems, days, plan):
    """What is left at the end, by those it was done to."""
    box = nights.box
    broken = {APP: sum(what.endswith("500 200") for what in plan.values()),
              WEB: sum(what.endswith("200 500") for what in plan.values())}
    sets, labels = nights.sets(), maintenance.labels(box)
    _expect(problems, "sets on record", sorted(one["label"] for one in sets), sorted(labels))
    backup = nights.runs("backup")
    rollbacks = nights.told("was rolled back to the versions of before, and it is well again: ")
    raised, cleared = nights.events("incident.raised"), nights.events("incident.cleared")
    try:
        wait_for(lambda: len(nights.events("incident.cleared")) == len(raised), 20, "the clears")
    except AssertionError as late:
        problems.append(str(late))
    cleared = nights.events("incident.cleared")
    # The damaged set, and a morning without the report of the night.
    wanted = {DATABASE: sum(what in ("flip", "down") for what in plan.values()),
              **broken}
    for component, n in wanted.items():
        for kind in ("incident.raised", "incident.cleared"):
            _expect(problems, f"{kind} of {component}", len(nights.events(kind, component)), n)
    _expect(problems, "runs", len(backup), days)
    _expect(problems, "rollbacks", len(rollbacks), sum(broken.values()))
    installs = maintenance.installs(box)
    _expect(problems, "versions by dpkg", installs,
            ["1.0", "2.0", "3.0", "2.0", "4.0", "2.0"] if days > 3 else ["1.0", "2.0", "1.0"])
    answer = box.out("curl", "-s", f"http://127.0.0.1:{maintenance.PORT}/", check=False)
    _expect(problems, "the service says", answer, f"version {installs[-1]}")
    taken = sum(len(worth.split()) for _, _, worth, _, _ in nights.rows)
    rto = [one["rto"] for one in sets if one.get("rto")]
    worst = f"{max(rto):.1f}" if rto else "?"
    return (f"{len(backup)} runs, {taken} sets taken, {len(labels)} kept, "
            f"{sum(one['state'] == 'proven' for one in sets)} of them proven "
            f"(restored in at most {worst} s), {len(raised)} incidents, {len(cleared)} clears, "
            f"{len(rollbacks)} rollbacks, versions {' '.join(installs)}")
