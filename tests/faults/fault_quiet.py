# SPDX-License-Identifier: MIT
"""Nothing is wrong: a CRM in light use for half an hour, and nobody is told anything."""

import json
import time

from common import Outcome
from crmsite import CRON_UNIT, CrmSite
from tendbox import crm, seed, wait_for

DOC = "the same CRM in light use, all well: no alarm in half an hour"

LONG_SECONDS, SHORT_SECONDS, BACKUP_SECONDS = 1800, 60, 300

# What a user does: looks around, adds a party, finds it, takes it away.
_USE = """
import json, sys
sys.path.insert(0, %r)
from crm_rpc import call, login
password = json.load(sys.stdin)["admin"]
session = login("admin", password)
context = call("model.res.user.get_preferences", True, {}, session=session)
def model(method, *params):
    return call("model." + method, *params, context, session=session)
model("sale.opportunity.search_read", [], 0, 20, None, ["description"])
mine = model("party.party.create", [{"name": "A visitor"}])
assert model("party.party.search", [["id", "in", mine]], 0, None, None) == mine
model("party.party.delete", mine)
""" % seed.GUEST


def use(site):
    """One visit."""
    site.box.run("/usr/bin/python3", "-c", _USE, stdin=json.dumps(seed.PASSWORDS))


def back_up(site):
    """A dump, as each night; it locks every table a little."""
    site.box.run("sh", "-c", "pg_dump -Fc crm >/var/tmp/crm.dump", user="postgres", timeout=120)


def check_counts(site):
    """How often checks ran, by Tend's own count: it must have looked, for its silence to mean something."""
    page = site.box.out("curl", "-s", "--unix-socket", "/run/tend/tend.sock", "http://tend/metrics")
    lines = [line for line in page.splitlines() if line.startswith("tend_check_attempts_total{")]
    return (sum(int(line.rsplit(" ", 1)[1]) for line in lines),
            sum(int(line.rsplit(" ", 1)[1]) for line in lines if 'result="failed"' in line))


def run(long):
    with CrmSite("quiet", in_hurry=not long) as site:
        began, began_clock = time.time(), time.monotonic()
        before, failed_before = check_counts(site)
        last = began_clock + (LONG_SECONDS if long else SHORT_SECONDS)
        n_visits = n_backups = 0
        backup_due = began_clock + (BACKUP_SECONDS if long else 10)

        def tick():
            """A visit at each call, a backup when it is due; true at the end."""
            nonlocal n_visits, n_backups, backup_due
            use(site)
            n_visits += 1
            if time.monotonic() >= backup_due:
                back_up(site)
                n_backups += 1
                backup_due = time.monotonic() + BACKUP_SECONDS
            return time.monotonic() >= last

        wait_for(tick, LONG_SECONDS + 120, "the time of the run to pass", interval=5 if long else 2)
        looked, failed = check_counts(site)
        looked, failed = looked - before, failed - failed_before
        told = [f"{event.get('type')} {(event.get('data') or {}).get('check')}: "
                f"{(event.get('data') or {}).get('text')}" for _, event in site.told(began)]
        unwell, opened = site.unwell(), site.open_incidents()
        cron = site.box.active(CRON_UNIT) and crm.can_login(site.box)
        n_checks = len(site.checks())
    held = not (told or unwell or opened) and looked >= 2 * n_checks and cron
    return Outcome(held, f"{n_visits} visits, {n_backups} backups, {n_checks} checks looked {looked} "
                         f"times ({failed} single results were not well), told: "
                         f"{'; '.join(told)[:600] or 'nothing'}"
                         + (f"; unwell: {'; '.join(unwell)[:300]}" if unwell else ""))
