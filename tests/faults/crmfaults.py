# SPDX-License-Identifier: MIT
"""What goes wrong with the CRM of crmsite.py, how it is put right, and where it must be told.

Each fault is a generator: it makes the fault, yields once, and mends it as an administrator would.
"""

import collections
import subprocess

from crmsite import APP, ATTACHMENTS, CONFIG, CRON_UNIT, DATABASE
from tendbox import seed, tend, wait_for

# One fault: where it must be told; by which checks of that component, each with the reasons that say it.
Fault = collections.namedtuple("Fault", "name play component tellers")

# Takes connections until there is none left, and keeps them.
_HOARD = """
import psycopg2, sys
kept = []
while True:
    try:
        kept.append(psycopg2.connect("dbname=crm application_name=hoarder"))
    except psycopg2.OperationalError:
        break
print("full", flush=True)
sys.stdin.read()
"""

# 3 s for each statement that looks at the table; nobody but a superuser gets past it.
_SLOW = ("ir_session", "res_user", "party_party")
_PARTY_CODE = "/usr/lib/python3/dist-packages/trytond/modules/party/party.py"


def web_killed(site):
    site.box.run("systemctl", "kill", "-s", "KILL", seed.WEB_UNIT)
    yield
    site.box.run("systemctl", "restart", seed.WEB_UNIT)


def web_frozen(site):
    site.box.run("systemctl", "kill", "-s", "STOP", seed.WEB_UNIT)
    yield
    site.box.run("systemctl", "kill", "-s", "CONT", seed.WEB_UNIT)


def database_killed(site):
    site.box.run("kill", "-KILL", str(site.box.main_pid(seed.PG_UNIT)))
    yield
    site.box.run("systemctl", "restart", seed.PG_UNIT)


def database_frozen(site):
    site.box.run("systemctl", "kill", "-s", "STOP", seed.PG_UNIT)
    yield
    site.box.run("systemctl", "kill", "-s", "CONT", seed.PG_UNIT)


def role_without_login(site):
    site.psql("alter role tryton nologin;"
              "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tryton'")
    yield
    site.psql("alter role tryton login")


def database_read_only(site):
    site.psql("alter system set default_transaction_read_only = on")
    site.psql("select pg_reload_conf()")
    yield
    site.psql("alter system reset default_transaction_read_only")
    site.psql("select pg_reload_conf()")


def table_locked(site):
    psql = subprocess.Popen(site.box.argv("psql", "-X", "-d", "crm", user="tryton"),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    psql.stdin.write("begin;\nlock table ir_session, party_party;\n")
    psql.stdin.flush()
    if not any("LOCK TABLE" in line for line in psql.stdout):
        raise RuntimeError("psql ended before it held the lock")
    yield
    psql.stdin.close()
    psql.stdout.close()
    psql.wait(10)


def statements_slow(site):
    site.psql("".join(f"create policy slow on {table} using ((select pg_sleep(3)) is not null);"
                      f"alter table {table} enable row level security, force row level security;"
                      for table in _SLOW))
    yield
    site.psql("".join(f"alter table {table} disable row level security, no force row level "
                      f"security; drop policy slow on {table};" for table in _SLOW))


def connections_exhausted(site):
    hoard = subprocess.Popen(site.box.argv("/usr/bin/python3", "-c", _HOARD, user="tryton"),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if hoard.stdout.readline().strip() != "full":
        raise RuntimeError("the hoarder of connections ended early")
    yield
    hoard.stdin.close()
    hoard.stdout.close()
    hoard.wait(10)


def table_renamed(site):
    site.psql("alter table party_party rename to party_party_old")
    yield
    site.psql("alter table party_party_old rename to party_party")


def half_the_rows_gone(site):
    site.psql("create schema kept; create table kept.rows as select * from sale_opportunity "
              "where id % 2 = 0; delete from sale_opportunity where id % 2 = 0")
    yield
    site.psql("insert into sale_opportunity select * from kept.rows; drop schema kept cascade")


def attachments_gone(site):
    site.box.run("mv", ATTACHMENTS, "/var/lib/gone")
    yield
    site.box.run("mv", "/var/lib/gone", ATTACHMENTS)


def configuration_emptied(site):
    text = site.box.read(CONFIG)
    site.box.run("truncate", "--size=0", CONFIG)
    yield
    site.box.run("tee", CONFIG, stdin=text)


def scheduler_not_running(site):
    """Frozen, so that its unit looks well; a quarter of an hour passes for its jobs."""
    site.box.run("systemctl", "kill", "-s", "STOP", CRON_UNIT)
    site.psql("update ir_cron set next_call = (now() at time zone 'utc') - interval '15 minutes'")
    yield
    site.box.run("systemctl", "kill", "-s", "CONT", CRON_UNIT)
    site.box.run("systemctl", "restart", CRON_UNIT)


def code_of_another_version(site):
    """The next version's code over this one's tables: it reads a column that is not there."""
    box, text = site.box, site.box.read(_PARTY_CODE)
    new = text.replace("    code = fields.Char(", "    loyalty = fields.Char('Loyalty')\n"
                       "    code = fields.Char(", 1)
    if new == text:
        raise RuntimeError(f"{_PARTY_CODE} is not as it was")
    # Upgraded while nobody looked: the restart itself is told as well, and is not what this is about.
    box.run("systemctl", "stop", tend.UNIT, timeout=30)
    box.run("tee", _PARTY_CODE, stdin=new)
    box.run("systemctl", "restart", seed.WEB_UNIT)
    wait_for(lambda: box.run("curl", "-s", "-o", "/dev/null", "http://127.0.0.1:8000/",
                             check=False).returncode == 0, 60, "the CRM's port", interval=0.2)
    tend.start(box)
    yield
    box.run("tee", _PARTY_CODE, stdin=text)
    box.run("systemctl", "restart", seed.WEB_UNIT)


def duplicates_and_leavers(site):
    site.psql("""
        insert into party_contact_mechanism (party, type, value, active)
            select id, 'email', 'same@example.invalid', true from party_party order by id limit 2;
        insert into company_employee (party, company, end_date)
            select p.id, c.id, date '2020-01-31' from party_party p, company_company c
            order by p.id limit 1;
        update res_user set employee = (select id from company_employee where end_date is not null)
            where login = 'monitor'""")
    yield
    site.psql("""
        update res_user set employee = null where login = 'monitor';
        delete from company_employee where end_date is not null;
        delete from party_contact_mechanism where value = 'same@example.invalid'""")


# What asks the web server or the database something: whichever is due first tells.
VISITS = ("rpc", "login", "read", "flow")
QUERIES = ("login", "writable", "role", "data", "blocked")

FAULTS = (
    Fault("web killed", web_killed, APP, {
        "unit": ("unit-failed", "unit-inactive"),
        **{name: ("connect-refused",) for name in VISITS}}),
    Fault("web frozen", web_frozen, APP, {name: ("too-slow",) for name in VISITS}),
    Fault("database killed", database_killed, DATABASE, {
        # The postmaster is dead, its children still end.
        "unit": ("unit-failed", "unit-changing"), "connect": ("connect-refused",),
        **{name: ("connect-refused",) for name in QUERIES}}),
    Fault("database frozen", database_frozen, DATABASE, {
        name: ("too-slow",) for name in QUERIES}),
    Fault("role without login", role_without_login, DATABASE, {"role": ("content-unexpected",)}),
    Fault("database read-only", database_read_only, DATABASE, {
        "writable": ("content-unexpected", "read-only")}),
    Fault("table locked", table_locked, DATABASE, {
        "data": ("locked",), "blocked": ("threshold",)}),
    Fault("statements slowed to 3 s", statements_slow, DATABASE, {
        "blocked": ("threshold",), "data": ("too-slow",)}),
    Fault("connections exhausted", connections_exhausted, DATABASE, {
        name: ("connections-full",) for name in QUERIES}),
    Fault("table renamed", table_renamed, DATABASE, {"data": ("schema-changed",)}),
    Fault("half the rows gone", half_the_rows_gone, DATABASE, {"data": ("rows-lost",)}),
    Fault("attachments gone", attachments_gone, APP, {"attachments": ("file-missing",)}),
    Fault("configuration emptied", configuration_emptied, APP, {"configuration": ("threshold",)}),
    Fault("scheduler not running", scheduler_not_running, APP, {"scheduled": ("stale",)}),
    Fault("code of another version", code_of_another_version, APP, {
        "login": ("content-unexpected",), "read": ("content-unexpected",),
        "flow": ("object-missing", "content-unexpected")}),
    Fault("duplicates and leavers", duplicates_and_leavers, APP, {"quality": ("data-quality",)}),
)


class Playing:
    """with Playing(fault, site): the fault is there; then it is mended, whatever happened."""

    def __init__(self, fault, site):
        self.play = fault.play(site)

    def __enter__(self):
        next(self.play)

    def __exit__(self, kind, value, trace):
        if next(self.play, None) is not None:
            raise RuntimeError("a fault yields once")


def wait_quiet(site, timeout):
    """Until all is well again, and nothing is open."""
    wait_for(lambda: not site.open_incidents(), timeout, "no incident to be open", interval=0.3)
    site.wait_well(timeout)
