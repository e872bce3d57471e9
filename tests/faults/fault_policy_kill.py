# SPDX-License-Identifier: MIT
"""kill -9 in the midst of runs, a thousand times: nothing is done twice, nothing is lost in silence.

Some boxes side by side, each with Tend and a few workers. On each worker a policy runs again and
again, started by hand: a command, a restart of the worker, a short sleep, two commands at once.
Meanwhile tendd, tend-run and tend-exec are killed in turn, at random moments.

Who says what happened is the target, not Tend:

- each command appends its own token to a file: a token that stands there twice was done twice;
- each start of a worker appends its InvocationID: a restart that was done twice is one start more
  than there are runs that say they restarted it.

Both are then held against what the runs say: what they call done was done once, what they call
refused not at all. `unknown` is an honest answer, but at most 5 % of the runs (of a few runs: two)
may give it, and each of those must have paged.

A restart that a kill broke off counts as a run that did not help, and three of those in a row on one
worker open a breaker, which refuses that worker's runs for a quarter of an hour. The mill does what
the operator who was paged would: `tendctl policy enable mill`. How often is in the figures.
"""

import collections
import concurrent.futures
import multiprocessing
import os
import sys
import threading
import time

from common import Outcome, Yard, dice, watch_for
from tendbox import BoxError, WaitTimeout, tend, wait_for

DOC = "kill -9 of tendd, tend-run and tend-exec at 1,000 random points of runs with units and commands"

PROGRAMS = ("tendd", "tend-run", "tend-exec")
LANES_LONG, KILLS_LONG = 3, 334  # a lane
LANES_SHORT, KILLS_SHORT = 1, 9
WORKERS = 2
# tend-exec does at most 2,000 jobs an hour whoever asks, and a run has four.
MAX_RUNS = 480
# Between two kills: less than a run takes, so that most kills meet several of them.
PAUSE_SECONDS = 0.8
SETTLE_SECONDS = 90
MAX_UNKNOWN_SHARE = 0.05
# A share of a handful of runs says nothing.
MAX_UNKNOWN_FEW = 2
# Of all kills, so many must have met a live run, else nothing was tried; of a handful that is chance.
MIN_MET_SHARE_LONG, MIN_MET_SHARE_SHORT = 0.8, 0.2

MARKS = "/var/log/tendbox/marks"
MARK = "/usr/local/libexec/mark"

_MARK = f"""#!/bin/sh
echo "$1" >>{MARKS}
sleep 0.1
"""

_MANIFEST = "".join(f"""
[command {name}]
argv =
	{MARK}
	{{token}}
user = root
timeout = 30s
max_per_hour = 1000
writable = /var/log/tendbox
param.token = pattern [0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}-[a-c]
""" for name in ("mark", "mark-again"))

_POLICY = """policy "mill" {
	hand = true,
	run = function(ctx)
		local function mark(command, letter)
			return tend.command.run(command, { args = { token = ctx.run .. "-" .. letter } })
		end
		local done, why, outcome = mark("mark", "a")
		if not done then
			return nil, why, outcome
		end
		done, why, outcome = tend.unit.restart(ctx.component.unit)
		if not done then
			return nil, why, outcome
		end
		tend.sleep("500ms")
		local both, all_done = tend.all(
			function() return mark("mark-again", "b") end,
			function() return mark("mark-again", "c") end)
		for _, one in ipairs(all_done and {} or both) do
			if not one.ok then
				return nil, one.message, one.outcome
			end
		end
		return "ground"
	end,
}
"""


# Restarts follow each other faster than systemd would let them.
_NO_LIMIT = "[Unit]\nStartLimitIntervalSec=0\n"


class Mill(Yard):
    """A yard whose workers have no checks: what happens to them is the policy's doing alone."""

    def _start(self):
        for name in self.workers:
            self.box.write(f"/etc/systemd/system/{name}.service.d/10-limit.conf", _NO_LIMIT)
        self.box.write("/etc/tend/policies/mill.lua", _POLICY)
        self.box.write(MARK, _MARK, mode=0o755)
        self.box.write("/etc/tend/commands.d/mark.conf", _MANIFEST)
        super()._start()
        wait_for(self._described, 30, "the policy to be described")

    def _described(self):
        rows = tend.ctl(self.box, "policy", "list", check=False) or []
        return any(row["name"] == "mill" for row in rows)

    def configuration(self):
        text = super().configuration()
        head, _, rest = text.partition("[daemon]\n")
        checks = "".join(f"\n[component yard/{name}]\nkind = app\nunit = {name}.service\n"
                         for name in self.workers)
        rest = rest.split("\n[component yard/worker0]")[0]
        target = text[text.index("\n[component yard/target]"):]
        return f"{head}[daemon]\npolicy_dirs = /etc/tend/policies\n{rest}{checks}{target}"

    def runs(self, limit):
        """The newest runs, or None while tendd does not answer."""
        try:
            return tend.ctl(self.box, "--limit", str(limit), "run", "list", check=False)
        except (BoxError, ValueError):
            return None


class Feeder(threading.Thread):
    """Starts the policy wherever it does not run."""

    def __init__(self, mill):
        super().__init__(daemon=True)
        self.mill, self.stop = mill, threading.Event()
        self.runs, self.n_live, self.n_closed = {}, 0, 0

    def look(self):
        """Learns of the newest runs; False while tendd does not answer."""
        rows = self.mill.runs(60)
        if rows is None:
            return False
        self.runs.update((row["id"], row) for row in rows if row["policy"] == "mill")
        self.n_live = sum(row["state"] == "live" for row in rows)
        return True

    def close_breakers(self):
        """As the operator does who was paged that one is open."""
        actions = tend.ctl(self.mill.box, "action", "show", check=False) or {}
        if any(one["policy"] == "mill" and one["state"] != "closed"
               for one in actions.get("breakers", ())):
            done = self.mill.box.run("tendctl", "policy", "enable", "mill", check=False)
            self.n_closed += done.returncode == 0

    def run(self):
        n_refused = 0
        while not self.stop.is_set():
            if not self.look():
                watch_for(0.1)
                continue
            refused = sum(row["state"] == "refused" for row in self.runs.values())
            if refused > n_refused:
                self.close_breakers()
            n_refused = refused
            busy = {row["target"] for row in self.runs.values() if row["state"] == "live"}
            for name in self.mill.workers:
                if f"yard/{name}" not in busy and len(self.runs) < MAX_RUNS:
                    self.mill.box.run("tendctl", "policy", "run", "mill", f"yard/{name}",
                                      check=False)
            watch_for(0.05)


def kill_one(box, random, program):
    """kill -9 of every process of that name, or of one of them: parent or clone of tend-run."""
    def pids():
        return box.run("pgrep", "-x", program, check=False).stdout.split()

    found = wait_for(pids, 30, f"{program} to run", interval=0.02)
    chosen = found if random.random() < 0.5 else [random.choice(found)]
    box.run("kill", "-KILL", *chosen, check=False)
    return len(chosen)


def lane(number, n_kills, seed):
    """One box and its kills; a dict of counts."""
    random, _ = dice(seed * 1000 + number)
    with Mill(f"mill{number}", workers=WORKERS) as mill:
        box = mill.box
        started = {name: len(found) for name, found in mill.starts().items()}
        feeder = Feeder(mill)
        feeder.start()
        wait_for(lambda: feeder.n_live > 0, 30, "the first run")
        n_processes = n_met = 0
        for turn in range(n_kills):
            watch_for(random.uniform(0, PAUSE_SECONDS))
            n_met += feeder.n_live > 0
            n_processes += kill_one(box, random, PROGRAMS[turn % len(PROGRAMS)])
            wait_for(lambda: box.active(tend.UNIT), 30, "tendd to be back", interval=0.02)
            if turn % 50 == 49:
                print(f"policy-kill: box {number}: {turn + 1} kills, {len(feeder.runs)} runs",
                      file=sys.stderr, flush=True)
        feeder.stop.set()
        feeder.join(60)
        wait_for(lambda: feeder.look() and feeder.n_live == 0, SETTLE_SECONDS, "all runs to end")
        found = judge(mill, feeder.runs, started)
        found["paged"] = unpaged(mill, feeder.runs)
        found.update(kills=n_kills, processes=n_processes, met=n_met, closed=feeder.n_closed)
        found["complaints"] = len(tend.complaints(box))
        keep(mill, number)
        return found


def keep(mill, number):
    folder = os.environ.get("TEND_FAULTS_KEEP")
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/journal.{number}", "w", encoding="utf-8") as out:
        for entry in mill.box.journal():
            out.write(f"{int(entry['__REALTIME_TIMESTAMP']) / 1e6:.6f} "
                      f"{entry.get('SYSLOG_IDENTIFIER')}: {entry.get('MESSAGE')}\n")
    with open(f"{folder}/marks.{number}", "w", encoding="utf-8") as out:
        out.write(mill.box.read(MARKS))


def judge(mill, runs, started):
    """What the runs say against what the targets counted."""
    count = collections.Counter(runs=len(runs))
    marks = collections.Counter(mill.box.read(MARKS).split())
    count["marks"] = sum(marks.values())
    count["twice"] = sum(number - 1 for number in marks.values())
    restarts = collections.defaultdict(list)
    spoken = set()
    for run in runs.values():
        count["state " + run["state"]] += 1
        shown = tend.ctl(mill.box, "run", "show", run["id"])
        shown = shown[0] if isinstance(shown, list) else shown
        for step in shown["steps"]:
            if step["verb"] == "unit.restart":
                restarts[run["target"].split("/")[1]].append((run, step))
            elif step["verb"] == "command.run":
                token = step["args"]["args"]["token"]
                spoken.add(token)
                count["false"] += (step["state"] == "done" and marks[token] != 1) or \
                    (step["state"] == "refused" and marks[token] != 0)
    count["false"] += sum(token not in spoken for token in marks)
    for name, found in mill.starts().items():
        judge_starts(found[started[name]:], restarts[name], count)
    return count


def judge_starts(found, restarts, count):
    """Each start of a worker has its one restart: by its InvocationID, which what was done names;
    what is left over began while a restart was under way that failed or of which nobody knows the
    outcome, one for each of those."""
    count["starts"] += len(found)
    count["twice"] += len(found) - len(set(found))
    left = set(found)
    for _, step in restarts:
        if step["state"] == "done":
            invocation = step["value"]["after"]["invocation_id"]
            count["false"] += invocation not in found
            # Two steps that name the same start: one of them did nothing.
            count["false"] += invocation in found and invocation not in left
            left.discard(invocation)
    vague = sum(step["state"] in ("unknown", "failed") for _, step in restarts)
    count["vague"] += len(left)
    count["twice"] += max(0, len(left) - vague)


def unpaged(mill, runs):
    """Runs that ended unknown and of which no page came."""
    unknown = {run["id"] for run in runs.values() if run["state"] == "unknown"}

    def missing():
        paged = {event["data"].get("run") for _, event in mill.events()
                 if event.get("type") == "tend.policy.failed"}
        return unknown - paged

    try:
        wait_for(lambda: not missing(), SETTLE_SECONDS, "every unknown run to be paged")
    except WaitTimeout:
        pass
    return len(missing())


def run(long):
    seed = int(os.environ.get("TEND_FAULTS_SEED") or dice(None)[1])
    lanes, n_kills = (LANES_LONG, KILLS_LONG) if long else (LANES_SHORT, KILLS_SHORT)
    n_kills = int(os.environ.get("TEND_FAULTS_KILLS") or n_kills)
    began = time.monotonic()
    # A process for each box: a box moves its process into a mount namespace.
    with concurrent.futures.ProcessPoolExecutor(
            lanes, mp_context=multiprocessing.get_context("fork")) as pool:
        parts = list(pool.map(lane, range(lanes), [n_kills] * lanes, [seed] * lanes))
    total = collections.Counter()
    for part in parts:
        total.update(part)
    share = total["state unknown"] / max(1, total["runs"])
    min_met = MIN_MET_SHARE_LONG if long else MIN_MET_SHARE_SHORT
    few = total["state unknown"] <= MAX_UNKNOWN_FEW
    held = (total["twice"] == 0 and total["false"] == 0 and total["paged"] == 0
            and total["complaints"] == 0 and (few or share <= MAX_UNKNOWN_SHARE)
            and total["state done"] > 0 and total["met"] >= min_met * total["kills"])
    states = ", ".join(f"{number} {key[6:]}" for key, number in sorted(total.items())
                       if key.startswith("state "))
    return Outcome(held, (
        f"{total['kills']} kills ({total['processes']} processes; {total['met']} met a run), "
        f"{total['runs']} runs ({states}; {100 * share:.1f} % unknown, {total['paged']} of them "
        f"not told), by the targets' count {total['marks']} commands and {total['starts']} "
        f"starts ({total['vague']} of outcomes not known): {total['twice']} twice, "
        f"{total['false']} not as told; breakers closed by the operator: {total['closed']}; "
        f"{time.monotonic() - began:.0f} s, seed {seed}"))
