# SPDX-License-Identifier: MIT
"""Checks of a tendd that ask a database of the test's own by [database]: what the tests of the
probes sql, rows, queue, scheduler, quality and sync share."""

import concurrent.futures
import os
import unittest

from inbox import Tendd
from pgserver import Postgres

SYSTEM = """
[system crm]
environment = production
[component crm/database]
kind = database
[database crm/database]
service = postgres
host = {run}
port = {port}
"""

CHECK = """
[check crm/{component}/{name}]
probe = {probe}
interval = 1h
timeout = {timeout}
confirm = 1 of 1
{options}
"""

# tendd runs each check once by itself, within 10 s.
LEARNT = "tables( learnt|, nothing has changed)"

# Each probe of the family, of the table accounts.
FAMILY = {
    "ask": ("sql", "query = select count(*) as n from accounts\n"),
    "rows": ("rows", "tables = accounts\n"),
    "queue": ("queue", "query = select count(*) as waiting, 0 as age from accounts\n"),
    "scheduler": ("scheduler", "query = select 'x' as name, 1 as age from accounts\nempty = ok\n"),
    "quality": ("quality", "orphans.o = accounts id -> accounts id\n"),
    "sync": ("sync", "left_query = select id as k, 1 as v from accounts\nright_query = select id as"
             " k, 1 as v from accounts\n"),
}

# Enough for a busy machine; a mood that lasts as long as it may has about a second.
PATIENT, BRIEF = "20s", "brief"
NOISE = b"HTTP/1.1 400 Bad Request\r\n\r\n"


def databases(service, ways, **usual):
    """A component and its [database] each way: its own options, over the usual ones."""
    text = ""
    for way, options in ways.items():
        text += (f"[component crm/{way}]\nkind = database\n[database crm/{way}]\n"
                 f"service = {service}\n")
        text += "".join(f"{key} = {value}\n" for key, value in {**usual, **options}.items()
                        if value is not None)
    return text


def family(way, timeout=PATIENT, more="", probes=FAMILY):
    """The checks of these probes on a component. Brief ones end one after another: each by its own
    clock, which is a little before the daemon's."""
    return [(name, probe, options + more, way,
             f"{1000 + 60 * i}ms" if timeout == BRIEF else timeout)
            for i, (name, (probe, options)) in enumerate(probes.items())]


class Case(unittest.TestCase):
    """One PostgreSQL for all, one tendd a class."""

    pg = None
    tend = None
    dbname = "postgres"

    @classmethod
    def setUpClass(cls):
        cls.pg = Postgres("log_timezone = 'Asia/Shanghai'")
        cls.addClassCleanup(cls.pg.close)

    def serve(self, *checks, more=""):
        """A tendd with these checks: (name, probe, options) or with a component and a timeout."""
        body = SYSTEM.format(run=self.pg.run, port=self.pg.port) + more
        for check in checks:
            body += self.section(*check)
        if not self.tend:
            self.tend = Tendd(self, body.replace("[database crm/database]", "[database crm/"
                              f"database]\ndbname = {self.dbname}"), daemon="")
        return self.tend

    @staticmethod
    def section(name, probe, options, component="database", timeout="5s"):
        return CHECK.format(component=component, name=name, probe=probe, options=options,
                            timeout=timeout)

    def reload(self, *checks, more=""):
        body = SYSTEM.format(run=self.pg.run, port=self.pg.port) + more
        self.tend.configure(body + "".join(self.section(*check) for check in checks))
        self.tend.ctl("reload")

    def secret(self, name, text):
        path = self.pg.scratch.file(name, text + "\n")
        os.chmod(path, 0o600)
        return f"file:{path}"

    def run_check(self, name, component="database"):
        status, check = self.tend.request("POST", f"/v1/checks/crm/{component}/{name}/run", body={})
        self.assertEqual(status, 200, check)
        return check

    def is_due(self, check):
        _, check = self.tend.request("GET", f"/v1/checks/{check['name']}")
        return check["running"] or "m" not in check["next_in"].replace("ms", "")

    def await_first_runs(self):
        """What the daemon runs by itself would keep it, and its places, from what is asked for."""
        self.tend.wait(lambda: not any(map(self.is_due, self.tend.json("check", "list"))), 30,
                       "all first runs")

    def expect_all(self, way, reason, text="", probes=FAMILY):
        """Of the whole family, at once."""
        with concurrent.futures.ThreadPoolExecutor(len(probes)) as pool:
            for name, check in zip(probes, pool.map(
                    lambda name: self.run_check(name, way), probes)):
                with self.subTest(way=way, probe=name):
                    self.assertEqual(check["reason"], reason, check["text"])
                    self.assertRegex(check["text"], text or ".")

    def expect(self, name, reason, text="", component="database"):
        check = self.run_check(name, component)
        self.assertRegex(check["reason"], f"^({reason})$", check["text"])
        self.assertRegex(check["text"], text or ".")
        return check

    @staticmethod
    def metrics(check):
        return {(m["name"], m.get("instance", "")): m["value"] for m in check["metrics"]}
