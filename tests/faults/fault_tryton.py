# SPDX-License-Identifier: MIT
"""A real CRM breaks in sixteen ways: each is told of the right component, by the right check."""

import os
import time

from common import Outcome, watch_for
from crmfaults import FAULTS, Playing
from crmsite import APP, DATABASE, CrmSite
from tendbox import wait_for

DOC = "Tryton breaks in 16 ways, watched by what `tendctl init` proposed: told where, why, and its end"

# The short run plays these, one of each kind; TEND_FAULTS_PLAY=NAME,NAME others.
SHORT = tuple((os.environ.get("TEND_FAULTS_PLAY") or
               "database frozen,table renamed,configuration emptied").split(","))
TOLD_SECONDS, WELL_SECONDS, SETTLE_SECONDS = 60, 90, 4

QUIET = ("unreachable", "ok", "warning")


def judge(fault, raised, states):
    """What is wrong with what was told of a fault; "" when all is as it must be."""
    wrong = []
    elsewhere = [f"{check} ({reason})" for _, component, check, reason, _ in raised
                 if component != fault.component]
    if elsewhere:
        wrong.append("told elsewhere: " + ", ".join(elsewhere))
    if len(raised) > 1 + len(elsewhere):
        wrong.append(f"told {len(raised)} times")
    for _, component, check, reason, _ in raised:
        name = check.rsplit("/", 1)[1]
        if component == fault.component and reason not in fault.tellers.get(name, ()):
            wrong.append(f"said by {name}: {reason}")
    if fault.component == DATABASE and states.get(APP) not in QUIET:
        wrong.append(f"{APP} is {states.get(APP)}")
    return "; ".join(wrong)


def below_is_quiet(site, fault):
    """What depends on the database is unreachable, not broken, once its own checks have been asked again."""
    if fault.component == DATABASE:
        try:
            wait_for(lambda: site.components().get(APP) in QUIET, SETTLE_SECONDS * 3, "", interval=0.5)
        except AssertionError:
            pass


def play(site, fault):
    """One row of the table: (fault, seconds, component, check, reason, seconds to well, what is wrong)."""
    began = time.time()
    with Playing(fault, site):
        try:
            wait_for(lambda: site.raised(began), TOLD_SECONDS, "a raise", interval=0.1)
            watch_for(SETTLE_SECONDS, "what else may be told")
        except AssertionError:
            pass
        below_is_quiet(site, fault)
        raised, states = site.raised(began), site.components()
        if not raised:
            said = "; ".join(site.unwell())[:300]
    mended = time.time()
    if not raised:
        try:
            site.wait_well(WELL_SECONDS)
        except AssertionError as late:
            said += f"; afterwards {late}"
        return fault.name, 0.0, "-", "-", "-", 0.0, f"not told; unwell: {said or 'nothing'}"
    wrong = judge(fault, raised, states)
    try:
        site.wait_well(WELL_SECONDS)
    except AssertionError as late:
        wrong = "; ".join(filter(None, (wrong, str(late))))
    first = next((one for one in raised if one[1] == fault.component), raised[0])
    return (fault.name, first[0], first[1], first[2].rsplit("/", 1)[1], first[3],
            time.time() - mended, wrong)


def show(row):
    name, told, component, check, reason, well, wrong = row
    print(f"  {name:26}{told:6.1f} s  {component:16} {check:14}{reason:20}{well:6.1f} s  "
          f"{wrong or 'held'}", flush=True)


def run(long):
    rows = []
    with CrmSite("tryton") as site:
        print(f"  {'fault':26}{'told':>8}  {'component':16} {'check':14}{'reason':20}{'well':>8}")
        for fault in FAULTS:
            if long or fault.name in SHORT:
                rows.append(play(site, fault))
                show(rows[-1])
    held = sum(1 for row in rows if not row[-1])
    return Outcome(held == len(rows), f"{held} of {len(rows)} told of the right component by the "
                   f"right check and ended, longest until told {max(row[1] for row in rows):.1f} s")
