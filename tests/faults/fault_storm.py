# SPDX-License-Identifier: MIT
"""10,000 checks fail within a second, and four receivers are to hear of it.

One sink takes all, one is dead for the whole of the storm, one throttles, one is an NMS by informs.
Each must have heard, by its own log, of every component once that it failed and once that it is well
again, in order, with no number missing. The dead one is back at the end: a minute later nothing
waits for it.
"""

import time

from common import Outcome
from storm import Storm, complaints, firsts, incidents
from tendbox import WaitTimeout, wait_for

DOC = "10,000 checks fail within a second; a dead, a throttling and a well receiver"

N_LONG, N_SHORT = 10000, 600
# What is asserted of the long run, in seconds.
RECORDED, HEARD, CLI, DRAIN = 2.0, 2.0, 1.0, 60.0
STORM_SPAN, MAX_DIGESTS, PART = 29.0, 1, 2.0
HOLD_LONG, HOLD_SHORT = 35, 3


def seconds_until(began, condition, timeout, what):
    """From `began`; infinite when it does not come in time."""
    try:
        wait_for(condition, timeout, what, interval=0.02)
    except WaitTimeout:
        return float("inf")
    return time.time() - began


def heard_of(storm, receiver, what):
    """Of how many components the receiver has heard this."""
    found = incidents(firsts(storm.told(receiver))[0]).values()
    return len({component for component, raised, cleared in found
                if (raised if what == "raised" else cleared)})


def busiest(storm, receiver, span):
    """The most digests that the receiver got in any span of so many seconds; one that is too large
    for a request comes in parts, one right after the other."""
    times = []
    for when, event in storm.requests(receiver):
        if event["type"] == "tend.incident.group" and (not times or when - times[-1] > PART):
            times.append(when)
    return max((sum(begin <= one < begin + span for one in times) for begin in times), default=0)


def run(long):
    n_checks = N_LONG if long else N_SHORT
    timeout = 180
    with Storm(n_checks) as storm:
        n = len(storm.components)
        storm.hold()
        began = storm.fail()
        recorded = seconds_until(began, lambda: storm.n_in("critical") == n_checks, timeout,
                                 "every check to be critical")
        ops = seconds_until(began, lambda: heard_of(storm, "ops", "raised") == n, timeout,
                            "every component to be told")
        cli = [storm.ctl("status"), storm.ctl("incident", "list"), storm.ctl("receiver", "list")]
        deadline = began + (HOLD_LONG if long else HOLD_SHORT)
        wait_for(lambda: time.time() > deadline, timeout, "the storm to last")
        storm.fail(False)
        wait_for(lambda: storm.n_in("ok") == n_checks, timeout, "every check to be well")
        waited = storm.waiting()["dead"]
        storm.revive("slow")
        back = time.time()
        storm.start_sink("dead")
        drained = seconds_until(back, lambda: sum((storm.waiting() or {"?": 1}).values()) == 0,
                                timeout, "nothing to wait any more")
        wrong, told = judge(storm, n)
        digests = busiest(storm, "ops", STORM_SPAN)
        slow = [one for one in cli if one is None or (long and one > CLI)]
        in_time = not long or (recorded <= RECORDED and ops <= HEARD and drained <= DRAIN)
        held = not wrong and not slow and in_time and (not long or digests <= MAX_DIGESTS)
        for line in wrong[:20]:
            print(line)
        return Outcome(held, (
            f"{n_checks} checks of {n} components: all critical after {recorded:.2f} s, the well "
            f"receiver had heard of all after {ops:.2f} s; at most {digests} digests in "
            f"{STORM_SPAN:.0f} s; tendctl answered after at most "
            f"{max((one or float('inf')) for one in cli):.2f} s; the dead one was back with {waited} "
            f"waiting, all told after {drained:.1f} s; {told}; {len(wrong)} wrong"))


def judge(storm, n):
    """What is wrong by the receivers' own logs, and a line of what they have."""
    wrong, parts = [], []
    for name in ("ops", "dead", "slow", "nms"):
        told = storm.told(name)
        first, repeats = firsts(told)
        # An inform names no superseded ones: its numbers may have gaps.
        wrong += complaints(name, told, numbered=name != "nms")
        for what in ("raised", "cleared"):
            heard = heard_of(storm, name, what)
            if heard != n:
                wrong.append(f"{name}: heard of {heard} of {n} components that they were {what}")
        n_requests = len(storm.requests(name)) if name != "nms" else len(told)
        parts.append(f"{name} {len(first)} notices in {n_requests} requests ({repeats} repeats)")
    return wrong, ", ".join(parts)
