# SPDX-License-Identifier: MIT
"""The probes that ask a database, when it is not well: over IPv4, IPv6 and its socket, each mood with
a reason of its own. And the real tables of a Tryton."""

import concurrent.futures
import os
import signal
import socket
import threading
import unittest

from pgserver import PASSWORD, Postgres
from probes import Slow, full_backlog
from sqlprobes import LEARNT, Case
from tendbox.seed import crm_tree

# A database each way, and each mood that is one of the way: SYSTEM/COMPONENT, options.
WAYS = {
    "ipv4": "hostaddr = 127.0.0.1\npassword = file:@pg\n",
    "ipv6": "hostaddr = ::1\npassword = file:@pg\n",
    "refused": "hostaddr = 127.0.0.1\npassword = file:@wrong\n",
    "refused6": "hostaddr = ::1\npassword = file:@wrong\n",
    "nologin": "hostaddr = ::1\nuser = nobody_in\npassword = file:@pg\n",
    "nodb": "host = {run}\ndbname = none\n",
    "noname": "host = no-such-name.invalid\npassword = file:@pg\n",
    "nobody": "hostaddr = 127.0.0.1\nport = 1\npassword = file:@pg\n",
}

# Each probe of the family, of the table accounts.
FAMILY = {
    "ask": ("sql", "query = select count(*) as n from accounts\n"),
    "rows": ("rows", "tables = accounts\n"),
    "queue": ("queue", "query = select count(*) as waiting, 0 as age from accounts\n"),
    "scheduler": ("scheduler", "query = select 'x' as name, 1 as age from accounts\nempty = ok\n"),
    "quality": ("quality", "mail.m = accounts id\n"),
    "sync": ("sync", "left_query = select id as k, 1 as v from accounts\nright_query = select id as"
             " k, 1 as v from accounts\n"),
}


class Babble:
    """Accepts and says what is no PostgreSQL, or nothing at all."""

    def __init__(self, family, word):
        self.server = socket.create_server(
            ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self.port = self.server.getsockname()[1]
        self.word = word
        self.taken = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                taken, _ = self.server.accept()
            except OSError:
                return
            self.taken.append(taken)
            if self.word:
                taken.sendall(self.word)

    def close(self):
        self.server.close()
        for taken in self.taken:
            taken.close()


class Moods(Case):
    """Each reason, of the servers that are not well."""

    def expect_all(self, way, reason, text=""):
        """Of the whole family, at once."""
        with concurrent.futures.ThreadPoolExecutor(len(FAMILY)) as pool:
            for name, check in zip(FAMILY, pool.map(
                    lambda name: self.run_check(name, way), FAMILY)):
                with self.subTest(way=way, probe=name):
                    self.assertEqual(check["reason"], reason, check["text"])
                    self.assertRegex(check["text"], text or ".")

    def test_moods(self):
        mute = Babble(socket.AF_INET6, b"")
        self.addCleanup(mute.close)
        noise = Babble(socket.AF_INET, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.addCleanup(noise.close)
        noise6 = Babble(socket.AF_INET6, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.addCleanup(noise6.close)
        slow = {f"slow{name}": f"hostaddr = {host}\nport = {Slow(self, self.pg.port, host).port}\n"
                               "password = file:@pg\n"
                for name, host in (("4", "127.0.0.1"), ("6", "::1"))}
        by_file = "password = file:@pg\n"
        ways = dict(WAYS, mute=f"hostaddr = ::1\nport = {mute.port}\n" + by_file,
                    noise=f"hostaddr = 127.0.0.1\nport = {noise.port}\n" + by_file,
                    noise6=f"hostaddr = ::1\nport = {noise6.port}\n" + by_file,
                    notls="hostaddr = 127.0.0.1\nsslmode = require\n" + by_file,
                    halfopen=f"hostaddr = 127.0.0.1\nport = {full_backlog(self)}\n" + by_file)
        self.pg.sql("create table accounts (id int); grant select on accounts to tend;"
                    "create table secrets (id int); create sequence numbers;"
                    "grant all on numbers to tend")
        checks = [(name, *probe, way, "1s") for way in (*ways, "database")
                  for name, probe in FAMILY.items()]
        checks += [(name, probe, options + "critical.total_seconds = 0.1\n", way, "20s")
                   for way in slow for name, (probe, options) in FAMILY.items()]
        checks += [("slow", "sql", "query = select pg_sleep(9)\n", "database", "1s"),
                   ("secret", "sql", "query = select * from secrets\n", "database", "1s"),
                   ("missing", "sql", "query = select * from no_accounts\n", "database", "1s"),
                   ("nocolumn", "sql", "query = select nme from accounts\n", "database", "1s"),
                   ("write", "sql", "query = select nextval('numbers')\n", "database", "1s"),
                   ("wrong", "sql", "query = selec 1\n", "database", "1s")]
        more = "".join(
            f"[component crm/{way}]\nkind = database\n[database crm/{way}]\nservice = postgres\n"
            + ("" if "port" in options else f"port = {self.pg.port}\n")
            + options.format(run=self.pg.run) for way, options in {**ways, **slow}.items())
        tend = self.start_with(checks, more)
        for way, reason, text in (
                ("ipv4", "ok", ""), ("ipv6", "ok", ""), ("database", "ok", ""),
                ("slow4", "threshold", "total_seconds"), ("slow6", "threshold", "total_seconds"),
                ("refused", "auth-failed", "password authentication failed"),
                ("refused6", "auth-failed", "password authentication failed"),
                ("nologin", "auth-failed", "not permitted to log in"),
                ("nodb", "database-missing", "\"none\" does not exist"),
                ("noname", "dns-failed", ""), ("nobody", "connect-refused", ""),
                ("notls", "tls-failed", "SSL"), ("halfopen", "connect-timeout", ""),
                ("mute", "too-slow", ""), ("noise", "protocol", ""),
                ("noise6", "protocol", "")):
            self.expect_all(way, reason, text)
        for name, reason, text in (
                ("slow", "too-slow", ""), ("secret", "access-denied", "permission denied"),
                ("missing", "object-missing", "no_accounts"), ("nocolumn", "object-missing", "nme"),
                ("write", "read-only", ""), ("wrong", "query-failed", "selec")):
            with self.subTest(name=name):
                self.expect(name, reason, text)
        self.locked_full_frozen_dead(tend)

    def start_with(self, checks, more):
        """Files of secrets are written before the daemon looks for them."""
        folder = self.pg.scratch.path
        for name, text in (("pg", PASSWORD), ("wrong", "wrong")):
            os.chmod(self.pg.scratch.file(name, text + "\n"), 0o600)
        return self.serve(*checks, more=more.replace("file:@", f"file:{folder}/"))

    @staticmethod
    def leave(session):
        session.stdin.close()
        session.stdout.close()
        session.wait()

    def locked_full_frozen_dead(self, tend):
        holder = self.pg.session("begin; lock table accounts in access exclusive mode")
        self.expect_all("database", "locked")
        self.leave(holder)
        holders = [self.pg.session("") for _ in range(19)]
        self.expect_all("database", "connections-full")
        for one in holders:
            self.leave(one)
        tend.wait(lambda: self.run_check("ask")["reason"] == "ok", 10, "free connections")
        for way in ("ipv4", "ipv6", "database"):
            self.pg.freeze()
            self.expect_all(way, "too-slow")
            self.pg.freeze(False)
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
