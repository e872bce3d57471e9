# SPDX-License-Identifier: MIT
"""kill -9 of Tend's programs at random points of runs and deliveries, against real units.

Each round breaks some workers, makes the sink slow or unwilling for a while, and kills one program
at a random moment. Who says what happened:

- the workers' own log: between two breaks a worker is started once, however often Tend died;
- the sink's own log: every incident has its raise and its clear, each by an id of its own, or
  stands in data.superseded of an event that came; the sequence has no gap from 1 to its end;
- `tendctl run list`: at most 5 % of the runs end unknown, and for each of these a page came.

A worker that Tend leaves alone after a page is started by the operator (this program), who takes
down the InvocationID: those starts are not Tend's.
"""

import collections
import datetime
import json
import os
import sys
import time

from common import STARTS, Outcome, Yard, dice, watch_for
from tendbox import WaitTimeout, receivers, tend, wait_for

DOC = "kill -9 of tendd, tend-run and tend-exec at random points of runs and deliveries"

PROGRAMS = ("tendd", "tend-run", "tend-exec")
ROUNDS_LONG, ROUNDS_SHORT = 50, 6
# From before the check fails for the first time until after the clear.
WINDOW_SECONDS = 5.0
# A start takes this long, so that a kill can meet it in its midst.
START_SECONDS = 0.6
# Half of the kills are aimed at a run: between Tend's start of the worker and a while after it.
AIMED_SHARE = 0.5
AIMED_SECONDS = 1.5
SETTLE_SECONDS = 60
MAX_UNKNOWN_SHARE = 0.05
# A share of a handful of runs says nothing.
MAX_UNKNOWN_FEW = 2
# Of all kills, so many must have met a run, and so many a run or a delivery, else nothing was tried.
# About 45 % and 65 % do: of a handful that is chance, and one that met either is enough.
MIN_MET_SHARE, MIN_MET_WORK_SHARE, MIN_MET_FROM = 0.2, 0.4, 20

_SLOW_START = f"[Service]\nExecStartPre=/bin/sleep {START_SECONDS}\n"


def say(text):
    """With TEND_FAULTS_VERBOSE: what each round did, for whoever looks for the reason."""
    if os.environ.get("TEND_FAULTS_VERBOSE"):
        print(text, file=sys.stderr, flush=True)


Break = collections.namedtuple("Break", "worker when before")


class Kills:
    """All rounds over one yard, and what they add up to."""

    def __init__(self, yard, random):
        self.yard, self.random = yard, random
        self.runs, self.by_operator, self.moments = {}, set(), []
        self.n_breaks = self.n_killed = 0
        self.wrong = []

    # ---- one round ----

    def round(self, number):
        program = PROGRAMS[number % len(PROGRAMS)]
        victims = self.random.sample(self.yard.workers,
                                     self.random.randint(1, len(self.yard.workers)))
        self.spoil_the_sink()
        breaks = [self.break_one(name) for name in victims]
        self.wait_for_the_moment(breaks[0])
        killed = self.kill(program)
        later = time.time() - breaks[0].when
        say(f"round {number}: {' '.join(victims)} broken, {later:.2f} s later {killed} x {program}")
        wait_for(lambda: self.yard.box.active(tend.UNIT), 30, "tendd to be back")
        receivers.misbehave(self.yard.box)
        for one in breaks:
            self.settle(one)
        self.collect_runs()

    def break_one(self, name):
        when, before = self.yard.break_worker(name)
        self.n_breaks += 1
        return Break(name, when, before)

    def wait_for_the_moment(self, one):
        """At random in the whole of run and deliveries, or at random from a start by Tend on."""
        if self.random.random() > AIMED_SHARE:
            watch_for(self.random.uniform(0, WINDOW_SECONDS))
            return
        pause = self.random.uniform(0, AIMED_SECONDS)

        def begun():
            return len(self.yard.starts()[one.worker]) > one.before

        try:
            wait_for(begun, 2 * WINDOW_SECONDS, "a start by Tend", interval=0.01)
        except WaitTimeout:
            return
        watch_for(pause)

    def spoil_the_sink(self):
        """A delivery that waits or is under way is what a kill should meet."""
        how = self.random.choice(({}, {"delay": 0.8}, {"status": 503}))
        receivers.misbehave(self.yard.box, **how)

    def kill(self, program):
        """kill -9 of every process of that name, or of one of them: parent or clone of tend-run."""
        box = self.yard.box

        def pids():
            return box.run("pgrep", "-x", program, check=False).stdout.split()

        found = wait_for(pids, 15, f"{program} to run")
        chosen = found if self.random.random() < 0.5 else [self.random.choice(found)]
        self.moments.append(time.time())
        box.run("kill", "-KILL", *chosen, check=False)
        self.n_killed += len(chosen)
        return len(chosen)

    # ---- its end ----

    def settle(self, one):
        """Until the worker runs again and its raise and clear came; helps as an operator would."""
        component, unit = f"yard/{one.worker}", f"{one.worker}.service"
        yard = self.yard

        def decided():
            return yard.box.active(unit) or yard.heard("policy.failed", component, one.when)

        try:
            wait_for(decided, SETTLE_SECONDS, f"{one.worker} to be healed, or a page", interval=0.2)
        except WaitTimeout:
            self.complain("silent", one)
        if not yard.box.active(unit):
            self.start_as_operator(unit)
        try:
            wait_for(lambda: told(yard, component, one.when), SETTLE_SECONDS, "raise and clear",
                     interval=0.2)
        except WaitTimeout:
            self.complain("lost", one)
        starts = [invocation for invocation in yard.starts()[one.worker][one.before:]
                  if invocation not in self.by_operator]
        if len(starts) > 1:
            self.complain("twice", one)

    def start_as_operator(self, unit):
        box = self.yard.box
        before = box.read(STARTS)
        box.run("systemctl", "start", unit)
        invocation = box.show(unit, "InvocationID")["InvocationID"]
        # An action of unknown outcome may have been under way: that start is Tend's.
        if invocation not in before:
            self.by_operator.add(invocation)
        say(f"  {unit} started by hand")

    def complain(self, what, one):
        self.wrong.append(what)
        say(f"  {what}: {one}")

    def collect_runs(self):
        """Each round, as the list shows only the latest."""
        def ended():
            answer = tend.ctl(self.yard.box, "run", "list", check=False)
            runs = answer if isinstance(answer, list) else (answer or {}).get("runs", [])
            self.runs.update((run["id"], run) for run in runs)
            return answer is not None and all(run["state"] != "live" for run in runs)
        wait_for(ended, SETTLE_SECONDS, "every run to end", interval=0.2)

    # ---- the sum ----

    def unpaged(self):
        """Runs that ended unknown and of which no page came."""
        paged = {(event["data"].get("run"), event["data"].get("reason"))
                 for _, event in self.yard.events() if event.get("type") == "tend.policy.failed"}
        return [run for run in self.runs.values()
                if run["state"] == "unknown" and (run["id"], "unknown") not in paged]

    def met(self):
        """How many kills came in the midst of a run; of a delivery; of either."""
        runs = [(unix(run["started"]), unix(run["ended"])) for run in self.runs.values()]
        deliveries = [(unix(event["time"]), came) for came, event in self.yard.events()]
        return [sum(any(begin <= moment <= end for begin, end in spans) for moment in self.moments)
                for spans in (runs, deliveries, runs + deliveries)]

    def outcome(self, n_rounds, seed):
        missing = unaccounted(self.yard)
        count = collections.Counter(self.wrong)
        states = collections.Counter(run["state"] for run in self.runs.values())
        unpaged = self.unpaged()
        doubled = doubled_starts(self.yard)
        met_runs, met_deliveries, met_either = self.met()
        few = states["unknown"] <= MAX_UNKNOWN_FEW
        complaints = tend.complaints(self.yard.box)
        for text in complaints:
            print(text, file=sys.stderr)
        held = (not self.wrong and not missing and not unpaged and not doubled
                and not complaints and met_enough(met_runs, met_either, n_rounds)
                and (few or states["unknown"] <= MAX_UNKNOWN_SHARE * len(self.runs)))
        by_state = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
        return Outcome(held, (
            f"{n_rounds} kills ({self.n_killed} processes; {met_runs} met a run, {met_deliveries} "
            f"a delivery, {met_either} either), {self.n_breaks} breaks, "
            f"{count['twice'] + doubled} done twice, {count['lost']} notices lost, "
            f"{len(missing)} gaps in the sequence, {repeats(self.yard)} repeats by the same id, "
            f"{len(self.runs)} runs ({by_state}; "
            f"{100 * states['unknown'] / max(1, len(self.runs)):.1f} % unknown, {len(unpaged)} of "
            f"them not told), {len(self.by_operator)} left to the operator "
            f"({count['silent']} not told), seed {seed}"))


def met_enough(n_runs, n_either, n_rounds):
    if n_rounds < MIN_MET_FROM:
        return n_either > 0
    return n_runs >= MIN_MET_SHARE * n_rounds and n_either >= MIN_MET_WORK_SHARE * n_rounds


def told(yard, component, since):
    """Whether the break since then has its raise and its clear, each by an id of its own."""
    raised, cleared = {}, {}
    for when, event in yard.events():
        data = event.get("data") or {}
        if when < since or data.get("component") != component:
            continue
        # One that stands for the raise as well names it by its own id.
        for old in data.get("superseded", ()):
            if old["kind"] == "incident.raised":
                raised[data["incident"]] = old["id"]
        if event["type"] == "tend.incident.raised":
            raised[data["incident"]] = event["id"]
        elif event["type"] == "tend.incident.cleared":
            cleared[data["incident"]] = event["id"]
    both = [ident for ident in cleared if ident in raised and raised[ident] != cleared[ident]]
    return both and set(raised) == set(cleared)


def unaccounted(yard):
    """Sequence numbers, from 1 to the last one, that neither came nor were superseded."""
    seen = collections.defaultdict(set)
    for _, event in yard.events():
        data = event.get("data") or {}
        seen[event.get("epoch")].add(int(event["sequence"]))
        seen[event.get("epoch")].update(int(old["sequence"]) for old in data.get("superseded", ()))
    missing = [(epoch, number) for epoch, have in seen.items()
               for number in range(1, max(have)) if number not in have]
    # The database was never lost: a second epoch would hide what the first one had.
    return missing + [(epoch, 0) for epoch in list(seen)[1:]]


def repeats(yard):
    """How many notices the sink took more than once, by its own count of ids."""
    count = collections.Counter(entry["id"] for entry in receivers.sink_log(yard.box)
                                if entry["verified"] and entry["answer"] < 300)
    return sum(number > 1 for number in count.values())


def unix(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def doubled_starts(yard):
    """InvocationIDs that stand twice in the workers' log."""
    lines = yard.box.read(STARTS).splitlines()
    return len(lines) - len(set(lines))


def slow_start(yard):
    for name in yard.workers:
        yard.box.write(f"/etc/systemd/system/{name}.service.d/10-slow.conf", _SLOW_START)
    yard.box.run("systemctl", "daemon-reload")


def all_delivered(yard):
    answer = tend.ctl(yard.box, "delivery", "list", check=False)
    rows = answer if isinstance(answer, list) else (answer or {}).get("deliveries", [])
    return rows and all(row["state"] != "waiting" for row in rows)


def run(long):
    random, seed = dice(int(os.environ["TEND_FAULTS_SEED"])
                        if os.environ.get("TEND_FAULTS_SEED") else None)
    n_rounds = int(os.environ.get("TEND_FAULTS_KILLS") or (ROUNDS_LONG if long else ROUNDS_SHORT))
    with Yard("kill") as yard:
        slow_start(yard)
        kills = Kills(yard, random)
        for number in range(n_rounds):
            kills.round(number)
            yard.wait_well()
        wait_for(lambda: all_delivered(yard), SETTLE_SECONDS, "the outbox to be empty")
        kills.collect_runs()
        outcome = kills.outcome(n_rounds, seed)
        keep_evidence(yard, kills)
        return outcome


def keep_evidence(yard, kills):
    """The journal, the sink's log and the runs, where TEND_FAULTS_KEEP says."""
    folder = os.environ.get("TEND_FAULTS_KEEP")
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/journal", "w", encoding="utf-8") as out:
        for entry in yard.box.journal():
            out.write(f"{int(entry['__REALTIME_TIMESTAMP']) / 1e6:.6f} "
                      f"{entry.get('SYSLOG_IDENTIFIER')}: {entry.get('MESSAGE')}\n")
    with open(f"{folder}/runs.json", "w", encoding="utf-8") as out:
        json.dump(list(kills.runs.values()), out, indent=1)
    for name, path in (("sink.jsonl", receivers.SINK_LOG), ("starts", STARTS)):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as out:
            out.write(yard.box.read(path))
