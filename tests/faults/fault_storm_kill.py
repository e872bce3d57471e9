# SPDX-License-Identifier: MIT
"""kill -9 of tendd and tend-snmp in the midst of storms.

Storm after storm, while one of the two is killed at random moments and the dead receiver comes and
goes. At the end, by the receivers' own logs: each incident has one raise and one clear, in order;
no number is missing; what came twice has the same id; and the last storm, which nobody disturbed,
is known to all.
"""

import os
import time

from common import Outcome, dice, watch_for
from storm import Storm, complaints, firsts
from tendbox import wait_for

DOC = "kill -9 of tendd and tend-snmp during storms of notices"

KILLS_LONG, KILLS_SHORT = 200, 6
N_LONG, N_SHORT = 10000, 300
PAUSE_LONG, PAUSE_SHORT = (0.2, 3.5), (0.2, 2.0)
# So often the weather changes, in kills.
CHANGE, DEAD = 5, 20
SETTLE = 240


def quiet(storm):
    return sum((storm.waiting() or {"?": 1}).values()) == 0


def torment(storm, random, n_kills, pause):
    """The kills; how many of each."""
    count = {"tendd": 0, "tend-snmp": 0}
    fails = False
    for number in range(n_kills):
        if number % CHANGE == 0:
            fails = not fails
            storm.fail(fails)
        if number % DEAD == DEAD // 2:
            storm.revive("dead")
        elif number % DEAD == DEAD - 1 and "dead" in storm.sinks:
            storm.stop_sink("dead")
        watch_for(random.uniform(*pause))
        if number % 2 and storm.kill_helper("tend-snmp"):
            count["tend-snmp"] += 1
        else:
            storm.kill_tendd()
            count["tendd"] += 1
    return count


def run(long):
    random, seed = dice(int(os.environ["TEND_FAULTS_SEED"])
                        if os.environ.get("TEND_FAULTS_SEED") else None)
    n_kills = int(os.environ.get("TEND_FAULTS_KILLS", KILLS_LONG if long else KILLS_SHORT))
    n_checks = N_LONG if long else N_SHORT
    with Storm(n_checks) as storm:
        began = time.time()
        count = torment(storm, random, n_kills, PAUSE_LONG if long else PAUSE_SHORT)
        storm.fail(False)
        storm.revive("dead")
        storm.revive("slow")
        wait_for(lambda: storm.n_in("ok") == n_checks, SETTLE, "every check to be well")
        wait_for(lambda: quiet(storm), SETTLE, "nothing to wait")
        last = {name: len(firsts(storm.told(name))[0]) for name in ("ops", "dead", "slow", "nms")}
        storm.fail()
        wait_for(lambda: storm.n_in("critical") == n_checks, SETTLE, "every check to be critical")
        storm.fail(False)
        wait_for(lambda: storm.n_in("ok") == n_checks, SETTLE, "every check to be well again")
        wait_for(lambda: quiet(storm), SETTLE, "nothing to wait at the end")
        wrong, parts, n_repeats = [], [], 0
        for name, before in last.items():
            told = storm.told(name)
            first, repeats = firsts(told)
            wrong += complaints(name, told, numbered=name != "nms")
            heard = {one.component for one in first[before:] if one.kind == "incident.cleared"}
            if heard != set(storm.components):
                wrong.append(f"{name}: of the last storm it heard of {len(heard)} components")
            n_repeats += repeats
            parts.append(f"{name} {len(first)}")
        for line in wrong[:20]:
            print(line)
        return Outcome(not wrong, (
            f"{sum(count.values())} kills ({count['tendd']} of tendd, {count['tend-snmp']} of "
            f"tend-snmp) in storms of {n_checks} checks, {time.time() - began:.0f} s: "
            f"{len(wrong)} lost, doubled or out of order; notices by the receivers' own logs: "
            f"{', '.join(parts)}; {n_repeats} came twice, with the same id; seed {seed}"))
