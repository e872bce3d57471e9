# SPDX-License-Identifier: MIT
"""Checks of a tendd that ask a PostgreSQL of the test's own by [database]: what the tests of the
probes sql, rows, queue, scheduler, quality and sync share."""

import json
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

    def run_check(self, name, component="database"):
        return json.loads(self.tend.ctl("-o", "json", "check", "run", f"crm/{component}/{name}"))

    def expect(self, name, reason, text="", component="database"):
        check = self.run_check(name, component)
        self.assertRegex(check["reason"], f"^({reason})$", check["text"])
        self.assertRegex(check["text"], text or ".")
        return check

    @staticmethod
    def metrics(check):
        return {(m["name"], m.get("instance", "")): m["value"] for m in check["metrics"]}
