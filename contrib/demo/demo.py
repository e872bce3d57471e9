# SPDX-License-Identifier: MIT
"""contrib/dev demo: breaks a real CRM in six ways and shows what Tend does about it.

    demo.py [--seed N] [--json FILE] [--without-heal]

Exit 0 only when every fault was detected, located and healed (or left alone) within its limits and
the receivers were told exactly what they should have been.
"""

import argparse
import json
import os
import random
import sys
import time

import playground
import witness
from breaking import Breaker
from judge import (KINDS, PG_UNIT, SERVING_LIMIT_SECONDS, WEB_UNIT, Fault, as_data, detect_limit,
                   judge)
from tendbox import WaitTimeout, receivers, tend, wait_for
from tendbox.site import Site

GAP_SECONDS = (2.0, 6.0)
# Longer than any repair took: by then Tend would have started what an operator stopped.
ALONE_SECONDS = 12.0
# With healing switched off nobody waits the whole minute for what cannot come.
WITHOUT_HEAL_SECONDS = 15.0
TELL_SECONDS = 20.0
SETTLE_SECONDS = 6.0


def say(text):
    print(text, flush=True)


class Demo:
    """One run: the site, the faults made so far."""

    def __init__(self, site, heal):
        self.site = site
        self.box = site.box
        self.heal = heal
        self.breaker = Breaker(site.box)
        self.began = time.time()
        self.faults = []

    def run(self, order, gaps):
        for kind, gap in zip(order, gaps):
            quiet_until = time.time() + gap
            wait_for(lambda: time.time() >= quiet_until, gap + 1, "the gap between two faults")
            self.one(kind)
        settled = time.time() + SETTLE_SECONDS
        wait_for(lambda: time.time() >= settled, SETTLE_SECONDS + 1, "late notices")
        return self.verdict()

    def one(self, kind):
        """Break, watch until all is told and well (or will not be), print what was seen."""
        began = self.breaker.begin(kind)
        if self.faults:
            self.faults[-1]["over"] = began
        fault = {"kind": kind, "began": began, "over": float("inf"), "restored": None,
                 "mended": False}
        self.faults.append(fault)
        say(f"\n({KINDS[kind].letter}) {KINDS[kind].text}, at {clock(began)}")
        self.await_notices("raised", began, detect_limit(kind) + 4)
        if KINDS[kind].heals:
            limit = SERVING_LIMIT_SECONDS if self.heal else WITHOUT_HEAL_SECONDS
            if not self.await_serving(began, limit):
                say("    not healed: the demo mends it itself and goes on")
                self.breaker.mend()
                fault["mended"] = True
        else:
            alone = time.time() + ALONE_SECONDS
            wait_for(lambda: time.time() >= alone, ALONE_SECONDS + 1, "nothing to happen")
            fault["restored"] = self.breaker.start_web()
        self.await_notices("cleared", began, TELL_SECONDS)
        self.breaker.unlock()
        self.print_finding()

    def notices(self):
        notices, unverified = witness.from_sink(receivers.sink_log(self.box))
        return notices + witness.from_traps(receivers.trap_log(self.box)), unverified

    def await_notices(self, what, since, timeout):
        """Until every receiver has one; whether it was in time is for the judge to say."""
        def told():
            have = {one.receiver for one in self.notices()[0]
                    if one.what == what and one.time >= since - 1}
            return have >= {"webhook", "snmp"}
        try:
            wait_for(told, timeout, what, interval=0.2)
        except WaitTimeout:
            say(f"    not every receiver was told '{what}' within {timeout:g} s")

    def await_serving(self, began, timeout):
        """Until the witness gets in again after it did not."""
        def serving():
            mine = [ok for when, ok in witness.logins(self.box) if when >= began]
            return False in mine and mine[-1]
        try:
            return wait_for(serving, timeout - (time.time() - began), "serving", interval=0.2)
        except WaitTimeout:
            return False

    def verdict(self, only_last=False):
        faults = [Fault(**one) for one in self.faults]
        notices, unverified = self.notices()
        starts = witness.read_starts(self.box, (WEB_UNIT, PG_UNIT), self.began)
        logins = witness.logins(self.box)
        if only_last:
            since = faults[-1].began
            return judge(faults[-1:], [one for one in notices if one.time >= since], logins,
                         [one for one in starts if one[0] >= since])
        return judge(faults, notices, logins, starts, unverified)

    def print_finding(self):
        verdict = self.verdict(only_last=True)
        finding = verdict.findings[0]
        if finding.detected_seconds is not None:
            say(f"    detected after {finding.detected_seconds:.2f} s "
                f"(limit {detect_limit(finding.kind):g} s), located at {finding.located_at}")
        if not KINDS[finding.kind].heals:
            say(f"    {'left alone' if finding.left_alone else 'NOT left alone'} until the "
                "operator started it")
        elif finding.serving_seconds is not None:
            say(f"    serving again after {finding.serving_seconds:.1f} s; "
                f"units started: {', '.join(finding.starts) or 'none'}")
        for one in finding.notices:
            say(f"    told: {one.receiver} {one.what} {one.check} "
                f"after {max(0, one.time - finding.began):.1f} s")
        for one in verdict.extra:
            say(f"    ONE TOO MANY: {one.receiver} {one.what} {one.check}")
        for text in finding.problems:
            say(f"    PROBLEM: {text}")


def clock(when):
    return time.strftime("%H:%M:%S", time.localtime(when)) + f".{int(when * 10) % 10}"


def arguments():
    parser = argparse.ArgumentParser(prog="contrib/dev demo")
    parser.add_argument("--seed", type=int, help="repeat the order and the gaps of a run")
    parser.add_argument("--json", metavar="FILE", help="write the result as data")
    parser.add_argument("--without-heal", action="store_true",
                        help="mode observe: nothing is healed, so the demo must fail")
    parser.add_argument("--logs", metavar="FOLDER", default=os.path.join(
        tend.ROOT, "build", "demo"), help="where the witnesses' logs are kept (build/demo)")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(100000)
    return options


def main():
    options = arguments()
    dice = random.Random(options.seed)
    order = list(KINDS)
    dice.shuffle(order)
    gaps = [dice.uniform(*GAP_SECONDS) for _ in order]
    say(f"seed {options.seed}: " + ", ".join(order))
    configure = playground.observe_only if options.without_heal else None
    began = time.monotonic()
    with Site("demo", configure=configure) as site:
        playground.wait_until_well(site.box)
        say(f"the site is up and well after {time.monotonic() - began:.0f} s: PostgreSQL, "
            "Tryton, snmpd, snmptrapd, a webhook sink and Tend")
        demo = Demo(site, heal=not options.without_heal)
        try:
            verdict = demo.run(order, gaps)
        finally:
            demo.breaker.unlock()
            playground.keep_logs(site.box, options.logs)
    for text in verdict.problems:
        say(f"PROBLEM: {text}")
    for one in verdict.extra:
        say(f"ONE TOO MANY: {one.receiver} {one.what} {one.component} {one.check} {one.id}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"seed": options.seed, "order": order, "heal": not options.without_heal,
                       **as_data(verdict)}, file, indent=1)
    say(f"\nran for {time.monotonic() - began:.0f} s; the witnesses' logs: {options.logs}")
    say(verdict.line())
    return 0 if verdict.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
