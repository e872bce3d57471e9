# SPDX-License-Identifier: MIT
"""The probes that ask a database, when it is not well: over IPv4, IPv6 and its socket, each mood with
a reason of its own. And the real tables of a Tryton."""

import signal
import unittest

from pgserver import PASSWORD, Postgres
from probes import Odd, Slow, full_backlog, saying, silent
from sqlprobes import BRIEF, LEARNT, NOISE, PATIENT, Case, databases, family
from tendbox.seed import crm_tree

# Of the table accounts, by the component "database".
WRONG = (
    ("secret", "query = select * from secrets\n", "access-denied", "permission denied"),
    ("missing", "query = select * from no_accounts\n", "object-missing", "no_accounts"),
    ("nocolumn", "query = select nme from accounts\n", "object-missing", "nme"),
    ("write", "query = select nextval('numbers')\n", "read-only", ""),
    ("wrong", "query = selec 1\n", "query-failed", "selec"))


class Moods(Case):
    """Each reason, of the servers that are not well."""

    def ways(self):
        """A database each way: its options, the reason, words of it; and how long it may take."""
        wrong, four, six = self.secret("wrong", "wrong"), "127.0.0.1", "::1"
        ways = {
            "ipv4": ({"hostaddr": four}, "ok", ""),
            "ipv6": ({"hostaddr": six}, "ok", ""),
            "refused": ({"hostaddr": four, "password": wrong}, "auth-failed",
                        "password authentication failed"),
            "refused6": ({"hostaddr": six, "password": wrong}, "auth-failed",
                         "password authentication failed"),
            "nologin": ({"hostaddr": six, "user": "nobody_in"}, "auth-failed",
                        "not permitted to log in"),
            "nodb": ({"host": self.pg.run, "dbname": "none", "password": None},
                     "database-missing", "\"none\" does not exist"),
            "noname": ({"host": "no-such-name.invalid"}, "dns-failed", ""),
            "nobody": ({"hostaddr": four, "port": 1}, "connect-refused", ""),
            "notls": ({"hostaddr": four, "sslmode": "require"}, "tls-failed", "SSL"),
            "halfopen": ({"hostaddr": four, "port": full_backlog(self)}, "connect-timeout", ""),
            "mute": ({"hostaddr": six, "port": Odd(self, silent, six).port}, "too-slow", ""),
            "frozen": ({"hostaddr": four}, None, ""),
            "frozen6": ({"hostaddr": six}, None, ""),
            "socket": ({"host": self.pg.run, "password": None}, None, ""),
            "locked": ({"hostaddr": four}, None, ""),
        }
        for name, host in (("4", four), ("6", six)):
            ways["noise" + name] = ({"hostaddr": host, "port": Odd(
                self, saying(NOISE), host).port}, "protocol", "")
            ways["slow" + name] = ({"hostaddr": host, "port": Slow(
                self, self.pg.port, host).port}, "threshold", "total_seconds")
        return ways

    def test_moods(self):
        self.pg.sql("create table accounts (id int); grant select on accounts to tend;"
                    "create table secrets (id int); create sequence numbers;"
                    "grant all on numbers to tend")
        ways = self.ways()
        checks = family("database")
        for way in ways:
            brief = {"locked": "4s"} | dict.fromkeys(
                ("halfopen", "mute", "frozen", "frozen6", "socket"), BRIEF)
            checks += family(way, brief.get(way, PATIENT),
                             "critical.total_seconds = 0.1\n" * way.startswith("slow"))
        checks += [("slow", "sql", "query = select pg_sleep(9)\n", "database", "1s")]
        checks += [(name, "sql", query) for name, query, *_ in WRONG]
        self.serve(*checks, more=databases(
            "postgres", {way: options for way, (options, *_) in ways.items()}, port=self.pg.port,
            password=self.secret("pg", PASSWORD)))
        self.await_first_runs()
        for way, (_, reason, text) in {**ways, "database": ("", "ok", "")}.items():
            if reason:
                self.expect_all(way, reason, text)
        self.expect("slow", "too-slow")
        for name, _, reason, text in WRONG:
            with self.subTest(name=name):
                self.expect(name, reason, text)
        self.locked_full_frozen_dead(self.tend)

    @staticmethod
    def leave(session):
        session.stdin.close()
        session.stdout.close()
        session.wait()

    def locked_full_frozen_dead(self, tend):
        holder = self.pg.session("begin; lock table accounts in access exclusive mode")
        self.expect_all("locked", "locked")
        self.leave(holder)
        holders = [self.pg.session("") for _ in range(19)]
        self.expect_all("database", "connections-full")
        for one in holders:
            self.leave(one)
        tend.wait(lambda: self.run_check("ask")["reason"] == "ok", 10, "free connections")
        for way in ("frozen", "frozen6", "socket"):
            self.pg.freeze()
            self.expect_all(way, "too-slow")
            self.pg.freeze(False)
        for way in ("ipv4", "ipv6", "database"):
            self.expect_all(way, "ok")
        # It waits for those who are still there, and takes nobody in.
        holder = self.pg.session("")
        self.pg.process.send_signal(signal.SIGTERM)
        tend.wait(lambda: self.run_check("ask")["reason"] != "ok", 10, "the shutdown")
        self.expect_all("ipv6", "starting", "shutting down")
        self.leave(holder)
        self.pg.process.wait()
        for way in ("ipv4", "ipv6", "database"):
            self.expect_all(way, "connect-refused")


class Tryton(Case):
    """The real tables of a Tryton 6, without its programs: so its scheduler does not run."""

    @classmethod
    def setUpClass(cls):
        cls.dbname = "crm"
        cls.pg = Postgres(data=crm_tree() + "/var/lib/postgresql/15/crm")
        cls.addClassCleanup(cls.pg.close)
        cls.pg.sql("grant pg_read_all_data to tend")

    def test_its_tables(self):
        self.serve(
            ("jobs", "scheduler", "rule = tryton\n"),
            ("queue", "queue", "rule = tryton\nmax_age = 15m\n"),
            ("data", "rows", "uncounted = ir_session*, ir_queue\nmin_loss = 2\n"),
            ("quality", "quality", "duplicates.mail = party_contact_mechanism value where type ="
             " 'email' and active\n"
             "mail.mails = party_contact_mechanism value where type = 'email'\n"
             "orphans.contacts = party_contact_mechanism party -> party_party id\n"
             "phone.phones = party_contact_mechanism value where type = 'phone'\n"
             "leavers.users = select login from res_user where active and login = 'gone'\n"))
        self.expect("jobs", "stale", "has never been planned|is overdue for")  # what it was seeded as
        self.pg.sql("update ir_cron set next_call = (now() at time zone 'utc') + interval '1 min'",
                    "crm")
        self.expect("jobs", "ok", "all on time")
        self.pg.sql("delete from ir_queue", "crm")
        self.expect("queue", "ok")
        check = self.expect("data", "ok", LEARNT)
        self.assertGreater(self.metrics(check)["rows", "party_party"], 5)
        self.expect("quality", "ok", "5 rules are kept")
        self.pg.sql("insert into party_contact_mechanism (party, type, value, active) select id,"
                    " 'email', 'Info@Example.org', true from party_party order by id limit 3;"
                    "insert into res_user (login, name, active, menu) select 'gone', 'Gone',"
                    " true, max(menu) from res_user", "crm")
        self.expect("quality", "data-quality", r"^mail: 2 of 3 duplicates \(info@example.org\),"
                    r" users: 1 active accounts of leavers \(gone\)$")
        for change, back, text in (
                ("alter table party_party rename to party_party_old",
                 "alter table party_party_old rename to party_party",
                 "table party_party is now called party_party_old"),
                ("alter table party_party drop code", None, "column party_party.code is gone")):
            self.pg.sql(change, "crm")
            self.expect("data", "schema-changed", text)
            if back:
                self.pg.sql(back, "crm")
                self.expect("data", "ok")
        self.pg.sql("alter table party_party add code varchar", "crm")
        # The column is there again, but its index is not.
        self.expect("data", "schema-changed", "party_party")
        self.pg.sql("delete from ir_translation where id % 2 = 0", "crm")
        self.expect("data", "schema-changed", "ir_translation has lost [0-9]+ of")


if __name__ == "__main__":
    unittest.main()
