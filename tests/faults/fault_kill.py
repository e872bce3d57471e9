# SPDX-License-Identifier: MIT
"""kill -9 of Tend's programs at random points of runs and deliveries, against real units.

Each round breaks some workers and kills one program at a random moment. By the workers' own count
nothing may be started twice for one break; by the sink's own ids and sequences no notice may be
lost; at most 5 % of the runs may end unknown, and each of those is told.
"""

from common import Outcome, Yard, dice, gaps, watch_for
from tendbox import WaitTimeout, tend, wait_for

DOC = "kill -9 of tendd, tend-run and tend-exec at random points of runs and deliveries"

PROGRAMS = ("tendd", "tend-run", "tend-exec")
# From before the check fails for the first time until after the clear.
WINDOW_SECONDS = 5.0


class Round:
    """Some workers broken, one program killed."""

    def __init__(self, yard, random, program):
        self.yard, self.program = yard, program
        self.victims = random.sample(yard.workers, random.randint(1, len(yard.workers)))
        self.moment = random.uniform(0, WINDOW_SECONDS)
        self.twice = self.unknown = self.unpaged = self.lost = self.n_killed = 0

    def run(self):
        broken = {name: self.yard.break_worker(name) for name in self.victims}
        watch_for(self.moment)
        self.n_killed = kill(self.yard.box, self.program)
        for name, (when, before) in broken.items():
            self.judge(name, when, before)

    def judge(self, name, when, before):
        """The worker runs again after one start; or Tend says that it does not know."""
        component = f"yard/{name}"
        unit = f"{name}.service"

        def settled():
            return self.yard.box.active(unit) or self.yard.heard("policy.failed", component, when)

        try:
            wait_for(settled, 60, f"{name} to be healed, or a page", interval=0.1)
        except WaitTimeout:
            self.unpaged += 1
        if not self.yard.box.active(unit):
            self.unknown += 1
            self.yard.box.run("systemctl", "start", unit)
            before += 1
        for what in ("incident.raised", "incident.cleared"):
            try:
                self.yard.told(what, component, when, 45)
            except WaitTimeout:
                # Broken and mended while nobody was looking is no incident; half of one is.
                self.lost += 1
        self.twice += max(0, len(self.yard.starts()[name]) - before - 1)


def kill(box, program):
    """kill -9 every process of that name; how many there were."""
    pids = box.run("pgrep", "-x", program, check=False).stdout.split()
    if pids:
        box.run("kill", "-KILL", *pids, check=False)
    return len(pids)


def run(long):
    random, seed = dice()
    rounds = []
    with Yard("kill") as yard:
        for number in range(50 if long else 3):
            one = Round(yard, random, PROGRAMS[number % len(PROGRAMS)])
            one.run()
            rounds.append(one)
            yard.wait_well()
        missing = gaps(yard.events())
        runs = tend.ctl(yard.box, "run", "list")
    runs = runs if isinstance(runs, list) else runs.get("runs", [])
    total = {field: sum(getattr(one, field) for one in rounds)
             for field in ("twice", "unknown", "unpaged", "lost", "n_killed")}
    breaks = sum(len(one.victims) for one in rounds)
    held = (total["twice"] == 0 and total["lost"] == 0 and total["unpaged"] == 0 and not missing
            and total["unknown"] <= 0.05 * breaks and total["n_killed"] > 0)
    return Outcome(held, f"{len(rounds)} kills ({total['n_killed']} processes), {breaks} breaks, "
                         f"{total['twice']} done twice, {total['lost']} notices lost, "
                         f"{len(missing)} gaps in the sequence, {total['unknown']} unknown "
                         f"({total['unpaged']} not told), seed {seed}")
