# SPDX-License-Identifier: MIT
"""The seeded Tryton in a box, watched by what `tendctl init` proposes there and a few checks more.

The site is the demo's CRM with its scheduler's unit and a store of attachments. The proposal is taken as
it is, but for two things that an administrator does: what it has as a comment because it needs a role
is switched on, and with `hurry` the intervals are seconds, so that a fault is seen at once. Who says
what was told is the webhook sink.
"""

import os
import re

from common import singles
from tendbox import Box, crm, receivers, seed, tend, wait_for

CRON_UNIT = "tryton-server-cron@crm.service"
ATTACHMENTS = "/var/lib/tryton/crm"
CONFIG = "/etc/tryton/trytond.conf"
DATABASE, APP = "tryton/postgres", "tryton/tryton"
PROPOSAL, ADDED = "/etc/tend/conf.d/10-proposed.conf", "/etc/tend/conf.d/20-added.conf"
# What stands for a proposed interval when it is in a hurry.
HURRY = {"30s": "3s", "60s": "3s", "5m": "5s"}

DAEMON = """[daemon]
actions = no
http_listen = 127.0.0.1:9273

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
retry_min = 1s
retry_max = 2s

[route default]
receivers = ops
"""

# The role that only looks reads the CRM's tables too: what is a person's stays out of the texts.
GRANTS = """
grant pg_read_all_data to tend;
"""

_ADDED = """
[database tryton/postgres]
service = postgres
dbname = crm
user = tend

[check tryton/postgres/writable]
doc = The database takes what is written.
probe = sql
interval = 30s
query = select case when current_setting('default_transaction_read_only') = 'on' or pg_is_in_recovery()
    then 'no' else 'yes' end as writable
expect = yes

[check tryton/postgres/role]
doc = The role of the CRM may log in.
probe = sql
interval = 30s
query = select case when rolcanlogin then 'yes' else 'no' end as may from pg_roles where rolname = 'tryton'
expect = yes

[check tryton/postgres/data]
doc = The CRM's rows and its schema.
probe = rows
interval = 5m
uncounted = ir_session*, ir_queue*, ir_cache*, res_user_login_attempt, ir_cron_log
timeout = 2s

[check tryton/postgres/blocked]
doc = Sessions that wait for a lock, and statements that take more than two seconds.
probe = sql
interval = 30s
query = select count(*) filter (where wait_event_type = 'Lock') as blocked,
    count(*) filter (where coalesce(wait_event_type, '') <> 'Lock') as slow
    from pg_stat_activity where datname = 'crm' and usename = 'tryton' and state = 'active'
    and clock_timestamp() - query_start > interval '1500 milliseconds'
critical.blocked = 0
critical.slow = 0

[check tryton/tryton/read]
doc = A user reads the parties. Tryton tells errors in a body of status 200.
probe = http
interval = 30s
url = http://127.0.0.1:8000/crm/
method = POST
header.Content-Type = application/json
auth = basic
user = monitor
password = file:/etc/tend/secrets/crm-monitor
body = {{"id":1,"method":"model.party.party.search_read","params":[[],0,5,null,["name","code"],{{}}]}}
expect_status = 200
expect_json./result/4/id = *

[check tryton/tryton/quality]
doc = Two parties of one mail address; accounts of those who have left.
probe = quality
database = tryton/postgres
interval = 5m
examples = 0
duplicates.mail = party_contact_mechanism value where type = 'email' and active
leavers.staff = select u.login from res_user u join company_employee e on e.id = u.employee
    where u.active and e.end_date < current_date

[check tryton/tryton/attachments]
probe = file
interval = 60s
path = {attachments}
type = folder
recurse = yes
min_files = 1

[check tryton/tryton/configuration]
probe = file
interval = 60s
path = {config}
critical.size = 1:
"""


def switch_on(text, check, **values):
    """The proposal with one of its comments made a check, and some of its words replaced."""
    lines, inside, found = [], False, False
    for line in text.splitlines():
        if line == f"#[check {check}]":
            inside = found = True
        elif inside and not line.startswith("#"):
            inside = False
        if inside:
            line = line[1:]
            for old, new in values.items():
                line = line.replace(old, new)
        lines.append(line)
    if not found:
        raise RuntimeError(f"the proposal has no comment [check {check}]:\n{text}")
    return "\n".join(lines) + "\n"


def missing_in(added, text):
    """Of the sections, those that the proposal does not have itself."""
    there = set(text.splitlines())
    return "".join(part for part in re.split(r"(?m)^(?=\[)", added)
                   if part.split("\n", 1)[0] not in there)


def hurry(text):
    """Intervals of seconds; faults in a row are no flapping."""
    text = re.sub(r"^interval = (\w+)$", lambda m: f"interval = {HURRY.get(m[1], m[1])}", text,
                  flags=re.M)
    text = text.replace("\ntimeout = 30s\n", "\ntimeout = 5s\n")
    return re.sub(r"^(\[check .*\])$", r"\1\nflap_high = 0", text, flags=re.M)


class CrmSite:
    """with CrmSite("name") as site: everything runs, and is well."""

    def __init__(self, name, in_hurry=True):
        self.box = Box(name, trees=[seed.crm_tree()])
        self.in_hurry = in_hurry
        self.proposal = ""

    def __enter__(self):
        self.box.boot()
        try:
            self._start()
        except BaseException:
            self.box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        said = tend.complaints(self.box) if kind is None else []
        self.box.close(clean=kind is None)
        if said:
            raise RuntimeError("a sanitizer says: " + "; ".join(said)[:2000])

    def _start(self):
        box = self.box
        crm.prepare(box)
        tend.install(box, etc=None)
        receivers.prepare(box, tend.USER)
        crm.start(box)
        self.psql(GRANTS)
        box.run("mkdir", "-p", f"{ATTACHMENTS}/ab/cd")
        box.write(f"{ATTACHMENTS}/ab/cd/abcd0123", "an attachment\n")
        box.run("chown", "-R", "tryton:tryton", ATTACHMENTS)
        # tend-probe counts the files; it reads none of them.
        box.run("chmod", "0755", os.path.dirname(ATTACHMENTS), ATTACHMENTS, f"{ATTACHMENTS}/ab",
                f"{ATTACHMENTS}/ab/cd")
        box.run("systemctl", "start", CRON_UNIT)
        receivers.start(box, (receivers.SINK_UNIT,))
        for unit in (tend.EXEC_SOCKET, tend.SPAWN_SOCKET):
            box.run("systemctl", "start", unit)
        self._configure()
        tend.start(box)
        self.wait_well(90)

    def _configure(self):
        box = self.box
        box.run("mkdir", "-p", "/etc/tend/conf.d")
        box.run("tendctl", "init", "--output", "/root/proposed.conf", timeout=300)
        self.proposal = text = box.read("/root/proposed.conf")
        text = switch_on(text, f"{DATABASE}/login", tend_read="tend", dbname="dbname")
        text = switch_on(text, f"{APP}/login", DATABASE="crm")
        text = switch_on(text, f"{APP}/flow", DATABASE="crm")
        text = switch_on(text, f"{APP}/scheduled")
        text = switch_on(text, f"{APP}/queued")
        added = missing_in(_ADDED.format(attachments=ATTACHMENTS, config=CONFIG), text)
        if self.in_hurry:
            text, added = hurry(text), hurry(added)
        box.write("/etc/tend/tend.conf", DAEMON)
        box.write(PROPOSAL, text)
        box.write(ADDED, added)
        done = tend.check(box)
        if done.returncode != 0:
            raise RuntimeError(f"tendd -t: {done.stdout}{done.stderr}")

    def psql(self, sql, **options):
        return seed.psql(self.box, sql, database=seed.DATABASE, **options)

    # ---- what Tend says ----

    def checks(self):
        """{check: row}, {} while it does not answer."""
        answer = tend.ctl(self.box, "check", "list", check=False) or []
        return {row["name"]: row for row in answer}

    def components(self):
        answer = tend.ctl(self.box, "component", "list", check=False) or []
        return {row["name"]: row["state"] for row in answer}

    def open_incidents(self):
        answer = tend.ctl(self.box, "incident", "list", check=False)
        return [one for one in answer or [] if not one.get("closed")]

    def unwell(self):
        return [f"{name}: {row['state']} {row.get('reason')}: {row.get('text', '')}"
                for name, row in self.checks().items() if row["state"] != "ok"]

    def wait_well(self, timeout):
        def well():
            return self.checks() and not self.unwell() and not self.open_incidents()
        try:
            wait_for(well, timeout, "every check to be ok", interval=0.3)
        except AssertionError as late:
            raise AssertionError(f"{late}; " + "; ".join(self.unwell())[:1500]) from late

    # ---- what was told ----

    def told(self, since):
        """[(time, event)] of incidents that the sink verified and took since then."""
        found, seen = [], set()
        for entry in receivers.sink_log(self.box):
            if entry["verified"] and entry["time"] >= since and entry["id"] not in seen:
                seen.add(entry["id"])
                found += [(entry["time"], event) for event in singles(entry["body"])]
        return found

    def raised(self, since):
        """[(seconds after since, component, check, reason, text)] of the raises."""
        return [(when - since, data.get("component"), data.get("check"), data.get("reason"),
                 data.get("text", ""))
                for when, event in self.told(since) if event.get("type") == "tend.incident.raised"
                for data in [event.get("data") or {}]]
