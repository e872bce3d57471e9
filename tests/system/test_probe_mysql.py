# SPDX-License-Identifier: MIT
"""The mysql probe in its tend-work processes, against a real MariaDB in all moods."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import unittest

import execbox
from mariadb import PASSWORD, MariaDb, leave
from probes import Authority, Odd, Probes, Slow, full_backlog, hanging_up, saying, silent
from snmpbox import Scratch
from tendbox import wait_for
import worker


CIPHER = ("select if(variable_value = '', 'none', variable_value) from "
          "information_schema.session_status where variable_name = 'ssl_version'")


class Shim:
    """What Probes wants of a test, for a whole class."""

    def __init__(self, cls):
        self.addCleanup = cls.addClassCleanup
        self.fail = cls.fail


def secret(server, text):
    path = server.scratch.file(f"secret-{text}", text)
    os.chmod(path, 0o600)
    return f"file:{path}"


def checks_of(cls, server, copy, ca):
    tcp = {"host": "127.0.0.1", "port": server.port}
    six = {"host": "::1", "port": server.port}
    named = {"host": "mysql.test", "hostaddr": "127.0.0.1", "port": server.port,
             "sslmode": "verify-full"}
    odd = {"silent": silent, "web": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
           "nonsense": saying(b"\x10\x00\x00\x00\x0aabc\x00 far too short"),
           "hang-up": hanging_up}
    checks = {
        "v4": tcp, "v6": six, "name": {"host": "localhost", "port": server.port},
        "socket": {"socket": server.socket, "user": "root", "password": ""},
        "query": {**tcp, "dbname": "crm", "query": "select count(*) n, max(balance) m from accounts",
                  "metric": "*"},
        "expect": {**tcp, "dbname": "crm", "query": "select name from accounts where id = 3",
                   "expect": "Zoë"},
        "unexpected": {**six, "query": "select 'is this'", "expect": "that"},
        "many": {**tcp, "query": "select a.id from crm.accounts a, crm.accounts b", "metric": "n"},
        "none": {**tcp, "query": "select 1 from crm.accounts where id = 9", "metric": "n"},
        "wrong": {**tcp, "query": "selec 1"},
        "writes": {**tcp, "user": "admin", "query": "delete from crm.accounts"},
        "slow": {**tcp, "query": "select sleep(30)"},
        "locked": {**tcp, "query": "select count(*) from crm.accounts", "timeout": "6s"},
        "password": {**tcp, "password": secret(server, "wrong")},
        "password6": {**six, "password": secret(server, "wrong")},
        "no-password": {**tcp, "password": ""},
        "locked-account": {**tcp, "user": "nobody_in"},
        "slow4": {**tcp, "port": Slow(Shim(cls), server.port).port, "timeout": "8s",
                  "query": "select 1", "critical.query_seconds": 0.1},
        "slow6": {**six, "port": Slow(Shim(cls), server.port, "::1").port, "timeout": "8s",
                  "query": "select 1", "critical.query_seconds": 0.1},
        "slow-query": {**tcp, "query": "select sleep(0.2)", "critical.query_seconds": 0.1},
        "no-database": {"socket": server.socket, "user": "root", "password": "", "dbname": "gone"},
        "no-database-right": {**tcp, "dbname": "gone"},
        "no-right": {**tcp, "user": "poor", "dbname": "crm"},
        "no-table-right": {**tcp, "user": "poor", "query": "select 1 from mysql.user"},
        "no-table": {**tcp, "query": "select 1 from crm.nothing"},
        "full": {**tcp, "user": "full"},
        "poor": {**tcp, "user": "poor"},
        "poor-primary": {**tcp, "user": "poor", "role": "primary", "may_lack": "locks"},
        "poor-replica": {**tcp, "user": "half", "role": "replica", "may_lack": "locks"},
        "poor-may": {**tcp, "user": "poor", "may_lack": "locks, replication"},
        "half": {**tcp, "user": "half"},
        "half-may": {**tcp, "user": "half", "may_lack": "replication"},
        "replica": {**tcp, "role": "replica"},
        "primary": {**tcp, "role": "primary"},
        "waits": {**tcp, "max_lock_wait": "1s"},
        "no-name": {"host": "nothing.invalid"},
        "no-socket": {"socket": "@nowhere"},
        "no-tls": {**tcp, "port": copy.port, "sslmode": "require"},
        "plain": {**tcp, "port": copy.port, "query": CIPHER, "expect": "none"},
        "by-default": {**tcp, "query": CIPHER, "expect": "TLSv1.3"},
        "disabled": {**tcp, "query": CIPHER, "expect": "none", "sslmode": "disable"},
        "verified": {**named, "ca_file": ca.path("ca.pem")},
        "verified6": {**named, "hostaddr": "::1", "ca_file": ca.path("ca.pem")},
        "chain": {**named, "sslmode": "verify-ca", "host": "other.test",
                  "ca_file": ca.path("ca.pem")},
        "other-name": {**named, "host": "other.test", "ca_file": ca.path("ca.pem")},
        "untrusted": named,
        "copy": {**tcp, "port": copy.port, "role": "replica"},
        "by-sql": {"probe": "sql", "instance": "name", "password": "",
                   "query": "select name, balance from accounts where balance is not null "
                            "order by id"},
        "half-open": {"host": "127.0.0.1", "port": full_backlog(Shim(cls))},
    }
    for name, how in odd.items():
        checks[name] = {"host": "127.0.0.1", "port": Odd(Shim(cls), how).port}
        checks[name + "6"] = {"host": "::1", "port": Odd(Shim(cls), how, "::1").port}
    common = {"probe": "mysql", "password": secret(server, PASSWORD)}
    return {name: {key: value for key, value in {**common, **options}.items() if value != ""}
            for name, options in checks.items()}


class Boxed:
    """A server with TLS, and one that can become its replica."""

    def __init__(self):
        self.scratch = Scratch()
        unittest.addModuleCleanup(self.scratch.close)
        os.chmod(self.scratch.path, 0o755)
        self.ca = Authority(self.scratch.file("ca"))
        self.install("server", "DNS:mysql.test")
        path = self.scratch.path
        self.server = MariaDb("--server-id=1", "--log-bin", f"--ssl-cert={path}/pem",
                              f"--ssl-key={path}/key", f"--ssl-ca={path}/ca/ca.pem")
        unittest.addModuleCleanup(self.server.close)
        self.copy = MariaDb("--server-id=2", data=self.server.data)
        unittest.addModuleCleanup(self.copy.close)
        # Both begin with the same, each by itself: what is copied begins behind it.
        self.server.start(seed=True)
        self.server.sql("reset master")
        self.copy.start(seed=True)

    def install(self, name, names, **more):
        """A certificate for the server, where it looks for it."""
        for kind, path in zip(("pem", "key"), self.ca.issue(name, names, **more)):
            os.replace(path, self.scratch.file(kind))
        shutil.chown(self.scratch.file("key"), "mysql")


BOX = None


def setUpModule():
    global BOX
    BOX = Boxed()


class MySql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.copy, cls.ca = BOX.server, BOX.copy, BOX.ca
        cls.probes = Probes(Shim(cls), checks_of(cls, cls.server, cls.copy, cls.ca), "3s", f"""
[database s/c]
service = mysql
host = ::1
port = {cls.server.port}
user = tend
password = {secret(cls.server, PASSWORD)}
dbname = crm
""")

    def check(self, name, reason, words="", **metrics):
        got = self.probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, value in metrics.items():
            self.assertIn(metric, got.metrics, got)
            if value is not None:
                self.assertEqual(got.metrics[metric], value, got)
        return got

    def test_well(self):
        for name in ("v4", "v6", "name"):
            got = self.check(name, "ok", "of 151 connections", connections_max=151, read_only=0,
                             lock_waits=0, table_lock_waits=0, connect_seconds=None,
                             uptime_seconds=None, longest_transaction_seconds=None)
            self.assertGreaterEqual(got.metrics["connections"], 1)
        got = self.check("v4", "ok", queries_rate=None, slow_queries_rate=0,
                         aborted_connects_rate=None, table_locks_waited_rate=None,
                         buffer_pool_hit_percent=None)
        self.assertGreater(got.metrics["queries_rate"], 0)
        self.check("socket", "ok")
        self.check("primary", "ok")

    # What cannot be seen is not taken for well, unless the configuration says so.
    def test_rights(self):
        got = self.check("poor", "access-denied", "lacks PROCESS for: transactions and locks; SLAVE "
                                                  "MONITOR", connections=None, read_only=0)
        self.assertFalse([name for name in got.metrics if "lock_wait" in name.replace(
            "table_locks_waited", "") or "transaction" in name], got)
        for name in ("half", "poor-primary", "poor-replica"):
            got = self.check(name, "access-denied", "lacks SLAVE MONITOR (MySQL: REPLICATION CLIENT) "
                                                    "for: replication")
            self.assertNotIn("PROCESS for", got.text)
        self.check("poor-may", "ok", "not seen: transactions and locks, replication")
        self.check("half-may", "ok", "not seen: replication", lock_waits=0, table_lock_waits=0)
        # All the same one that is broken is told to who may see it.
        self.server.sql("change master to master_host = '127.0.0.1', master_port = 1, "
                        "master_user = 'copy'; start slave")
        try:
            self.check("half", "access-denied", "SLAVE MONITOR")
            self.check("v4", "replication-broken")
        finally:
            self.server.sql("stop slave; reset slave all")

    def test_queries(self):
        self.check("query", "ok", "the query gives 3", n=3, m=2.25, query_seconds=None)
        self.check("expect", "ok", "the query gives Zoë")
        self.check("unexpected", "content-unexpected", "expected 'that', got 'is this'")
        self.check("many", "content-unexpected", "gives more")
        self.check("none", "content-unexpected", "gives none")
        self.check("wrong", "query-failed", "error 1064")
        self.check("writes", "read-only", "error 1792")
        self.check("no-table", "object-missing", "crm.nothing")
        self.check("no-table-right", "access-denied", "error 1142")
        self.check("slow", "too-slow")
        self.assertEqual(self.server.sql("select count(*) from crm.accounts").strip(), "3")

    def test_serves_other_probes(self):
        """As the service of [database]: the probe sql asks it."""
        got = self.check("by-sql", "ok")
        self.assertEqual((got.metrics["balance/Ada"], got.metrics["balance/Bob"]), (1.5, 2.25), got)

    def waits(self):
        """Somebody is connected to the server by IPv6, as the kernel sees it."""
        with open("/proc/net/tcp6", encoding="ascii") as file:
            return any(words[2].endswith(f":{self.server.port:04X}") and words[3] == "01"
                       for words in map(str.split, file))

    def test_a_worker_is_killed(self):
        """Its attempt says so, the next one has a process again, and it is counted."""
        # A tendd with this check only: the first attempts of all others would be at work, too.
        probes = Probes(self, {"alone": {
            "probe": "mysql", "host": "::1", "port": self.server.port,
            "password": secret(self.server, PASSWORD)}}, timeout="60s")

        def metric(name):
            _, text = probes.tendd.request("GET", "/metrics", tcp=True)
            return sum(float(line.split()[1]) for line in text.splitlines()
                       if re.match(rf"tend_work_{name}(?:{{.*}})? ", line))
        self.assertEqual(probes.run("alone").reason, "ok")
        probes.tendd.wait(lambda: not self.waits(), 30, "the first attempt to have left")
        self.server.freeze()
        self.addCleanup(self.server.freeze, False)
        got = []
        asking = threading.Thread(target=lambda: got.append(probes.run("alone")))
        asking.start()
        # Not one that is still starting: its attempt is given to the next.
        probes.tendd.wait(lambda: metric("busy") > 0 and self.waits(), 30, "it to be at work")
        self.assertEqual(metric("processes"), 1)
        subprocess.run(["pkill", "-KILL", "-P", str(probes.tendd.process.pid), "-x", "tend-work"],
                       check=True)
        asking.join()
        self.assertEqual(got[0].reason, "internal", got)
        self.assertIn("tend-work ended by signal 9 (Killed)", got[0].text)
        self.server.freeze(False)
        self.assertEqual(probes.run("alone").reason, "ok")
        self.assertEqual(metric("crashes_total"), 1)

    def test_log_in(self):
        self.check("password", "auth-failed", "127.0.0.1 port")
        self.check("password6", "auth-failed", "::1 port")
        self.check("no-password", "auth-failed", "using password: NO")
        self.check("locked-account", "auth-failed", "error 4151")
        self.check("no-database", "database-missing", "Unknown database 'gone'")
        self.check("no-database-right", "access-denied", "error 1044")
        self.check("no-right", "access-denied", "error 1044")
        self.check("no-name", "dns-failed", "nothing.invalid")
        self.check("no-socket", "connect-refused", "No such file")

    def test_full(self):
        client = self.server.session(user="full", database="information_schema")
        self.addCleanup(leave, client)
        self.check("full", "connections-full")
        self.addCleanup(self.server.sql, "set global max_connections = 151")
        self.server.sql("set global max_connections = 10")
        # One is for those with SUPER, as root is; all others are taken.

        def is_full():
            with contextlib.suppress(AssertionError):
                self.addCleanup(leave, self.server.session(user="admin"))
            # Of others that came and went in between there may be a free one again.
            got = self.probes.run("v4")
            return got.reason == "connections-full" and got
        got = self.probes.tendd.wait(is_full, 30, "all to be taken")
        self.assertIn("Too many connections", got.text)

    def test_odd(self):
        for six in ("", "6"):
            self.check("silent" + six, "too-slow", "connected, but no greeting came")
            self.check("web" + six, "protocol", "no MariaDB or MySQL server")
            self.check("nonsense" + six, "protocol")
            self.check("hang-up" + six, "protocol")
        self.check("half-open", "connect-timeout")

    def test_slow(self):
        for name in ("slow4", "slow6", "slow-query"):
            self.check(name, "threshold", "query_seconds")

    def test_locks(self):
        holder = self.server.session("lock tables accounts write")
        try:
            self.check("locked", "locked", "Lock wait timeout")
        finally:
            leave(holder)
        holder = self.server.session("begin", "update accounts set balance = 9 where id = 1")
        self.addCleanup(leave, holder)
        number = self.server.sql("select trx_mysql_thread_id from information_schema.innodb_trx "
                                 "where trx_rows_modified > 0").strip()
        waiter = self.server.session("begin", user="admin")
        self.addCleanup(leave, waiter)
        waiter.stdin.write("update accounts set balance = 8 where id = 1;\n")
        waiter.stdin.flush()
        self.probes.tendd.wait(lambda: self.probes.run("waits").reason == "locked", 10,
                               "the wait to be long enough")
        got = self.check("waits", "locked", f"held by connection {number} of root@localhost",
                         lock_waits=1)
        self.assertGreaterEqual(got.metrics["longest_lock_wait_seconds"], 1)
        self.assertGreaterEqual(got.metrics["longest_transaction_seconds"], 1)
        self.check("v4", "ok", "locks: connection", lock_waits=1)
        for client in (waiter, holder):
            client.kill()

    def test_tls(self):
        self.check("by-default", "ok")
        self.check("disabled", "ok")
        self.check("plain", "ok")
        self.check("no-tls", "tls-failed", "offers no TLS")
        for name in ("verified", "verified6", "chain"):
            self.check(name, "ok")
        self.check("other-name", "tls-name")
        self.check("untrusted", "tls-untrusted")
        BOX.install("late", "DNS:mysql.test", days=-10)
        self.server.sql("flush ssl")
        self.check("verified", "tls-expired")
        BOX.install("server", "DNS:mysql.test")
        self.server.sql("flush ssl")
        self.check("verified", "ok")

    def test_replica(self):
        self.copy.sql("change master to master_host = '127.0.0.1', "
                      f"master_port = {self.server.port}, master_user = 'copy', "
                      f"master_password = '{PASSWORD}', master_connect_retry = 1; start slave")
        self.probes.tendd.wait(
            lambda: self.probes.run("copy").metrics.get("replication_lag_seconds") == 0, 10,
            "the replica to catch up")
        self.check("copy", "ok", replication_running=1, replication_lag_seconds=0)
        self.copy.sql("insert into crm.accounts values (77, 'here', 1)")
        self.server.sql("insert into crm.accounts values (77, 'there', 1)")
        self.probes.tendd.wait(lambda: self.probes.run("copy").reason == "replication-broken", 10,
                               "it to break")
        self.check("copy", "replication-broken", "Duplicate entry '77'", replication_running=0)
        for server in (self.server, self.copy):
            server.sql("set sql_log_bin = 0; delete from crm.accounts where id = 77")
        self.copy.sql("stop slave; reset slave all")
        self.check("copy", "replication-broken", "no replication is set up")

    def test_role(self):
        self.check("replica", "replication-broken", "no replication is set up")
        self.server.sql("set global read_only = 1")
        self.check("primary", "read-only", "expected a primary")
        self.check("v4", "ok", read_only=1)
        self.server.sql("set global read_only = 0")
        self.server.sql("change master to master_host = '127.0.0.1', master_port = 1, "
                        "master_user = 'copy'; start slave")
        self.check("v4", "replication-broken", "receiving: Connecting", replication_running=0)
        self.server.sql("stop slave; reset slave all")
        self.check("v4", "ok")

    def test_zz_frozen_and_dead(self):
        for name in ("v4", "v6", "socket"):
            self.check(name, "ok")
        self.server.freeze()
        try:
            for name in ("v4", "v6", "socket"):
                self.check(name, "too-slow")
        finally:
            self.server.freeze(False)
        self.check("v4", "ok")
        self.server.kill()
        for name in ("v4", "v6", "name", "socket"):
            self.check(name, "connect-refused")
        self.server.start()
        self.check("v4", "ok")


class Verbs(unittest.TestCase):
    """sql.query and sql.execute, in a tend-work process that the test talks to."""

    @classmethod
    def setUpClass(cls):
        cls.server = BOX.server

    def setUp(self):
        self.worker = worker.Worker(self)

    def conf(self, **more):
        return {"host": None, "hostaddr": "127.0.0.1", "port": self.server.port, "socket": None,
                "dbname": "crm", "user": "admin", "password": worker.secret(PASSWORD),
                "sslmode": 1, "ca_file": None, "query": None, "expect": None, "metric": None,
                "role": 0, "may_lack": [], "max_lock_wait": 0, **more}

    def ask(self, method, args, timeout=5, **more):
        return self.worker.ask("mysql", self.conf(**more), method, args, timeout,
                               addresses=["127.0.0.1"])

    def query(self, sql, *params, timeout=5, **more):
        return self.ask("sql.query", {"sql": sql, "params": list(params), **more}, timeout)

    def execute(self, sql, *params, max_rows=0, transaction=True, lock=1000, timeout=5):
        return self.ask("sql.execute", {"sql": sql, "params": list(params), "max_rows": max_rows,
                                        "lock_timeout_msec": lock, "transaction": transaction},
                        timeout)

    def test_rows(self):
        got = self.query("select * from accounts order by id")
        self.assertEqual(got["outcome"], {
            "columns": ["id", "name", "balance"], "truncated": False,
            "rows": [[1, "Ada", 1.5], [2, "Bob", 2.25], [3, "Zoë", None]]})
        got = self.query("select name, $2 x, $1 y, $3 z, $4 n, $2 w from accounts where id = $1 "
                         "and name <> '$9'", 3, "it's", 1.5, None)
        self.assertEqual(got["outcome"]["rows"], [["Zoë", "it's", 3, 1.5, None, "it's"]])
        got = self.query("select ?, ?", True, "x" * 5000)
        self.assertEqual(got["outcome"]["rows"], [[1, "x" * 5000]])
        got = self.query("select now() > '2000-01-01', 18446744073709551615, x'fffe', 1e300, "
                         "cast('2026-11-22' as date)")
        self.assertEqual(got["outcome"]["rows"],
                         [[1, "18446744073709551615", "(no UTF-8)", 1e300, "2026-11-22"]])
        # Of bits and bytes. With a NUL in it none of it could be passed on.
        got = self.query("select x'4100', cast(b as char), b'1' + 0, b from (select x'0042' b) t")
        self.assertEqual(got["outcome"]["rows"], [["(no UTF-8)"] * 2 + [1, "(no UTF-8)"]])
        self.server.sql("create table crm.bits (a bit(1), b bit(64)); insert into crm.bits values"
                        " (0, 258), (1, -1), (null, 9223372036854775807)")
        got = self.query("select a, b from bits order by a is null, a")
        self.server.sql("drop table crm.bits")
        self.assertEqual(got["outcome"]["rows"], [
            [0, 258], [1, "(no UTF-8)"], [None, 9223372036854775807]])

    def test_ends_between_two_rows(self):
        """The library tells of such an error as the connection's."""
        got = self.query("select id, if(id > 1, sleep(9), 0) from accounts order by id", timeout=1.2)
        self.assertEqual(got["reason"], "too-slow", got)
        got = self.query("select id, (select 1 union select b.id from accounts b where a.id > 1) x"
                         " from accounts a order by id")
        self.assertEqual(got["reason"], "query-failed", got)
        self.assertIn("more than 1 row (error 1242)", got["text"])

    def test_bounds(self):
        numbers = "with recursive n as (select 1 i union all select i + 1 from n where i < 2000) "
        got = self.query(numbers + "select i from n", max_rows=10)
        self.assertTrue(got["outcome"]["truncated"])
        self.assertEqual(got["outcome"]["rows"], [[i] for i in range(1, 11)])
        got = self.query(numbers + "select repeat('x', 10000) from n", max_rows=1000)
        self.assertTrue(got["outcome"]["truncated"])
        self.assertEqual(len(got["outcome"]["rows"]), 52)
        for wrong in ({"sql": 7}, {"sql": "select 1", "max_rows": 0}, {"sql": "select $2"},
                      {"sql": "select $1", "params": [[1]]}, {"sql": "select 1", "params": {}}):
            self.assertEqual(self.ask("sql.query", wrong)["reason"], "internal", wrong)
        self.assertEqual(self.ask("sql.drop", {})["reason"], "internal")

    def test_reads_only(self):
        for sql in ("delete from accounts", "create table x (i int)", "drop table accounts",
                    "truncate accounts", "set global max_connections = 10", "kill 1", "do 1",
                    "delete from accounts returning id", "flush tables"):
            self.assertIn(self.query(sql)["reason"], ("read-only", "access-denied"), sql)
        self.assertEqual(self.query("select 1; delete from accounts")["reason"], "query-failed")
        self.assertEqual(self.query("select * from gone")["reason"], "object-missing")
        self.assertEqual(self.server.sql("select count(*) from crm.accounts").strip(), "3")

    def count(self, table="accounts"):
        return int(self.server.sql(f"select count(*) from crm.{table}"))

    def test_executes(self):
        got = self.execute("insert into accounts values ($1, $2, $3)", 10, "Ten", 10.5)
        self.assertEqual((got["reason"], got["outcome"]["affected"]), ("ok", 1), got)
        got = self.execute("update accounts set balance = 0 where id = $1", 10, max_rows=1)
        self.assertEqual((got["reason"], got["outcome"]["affected"]), ("ok", 1), got)
        got = self.execute("delete from accounts returning id", max_rows=2)
        self.assertEqual((got["reason"], got["outcome"]), ("query-failed", {"nothing_done": True}))
        self.assertIn("rolled back", got["text"])
        self.assertEqual(self.count(), 4)
        got = self.execute("delete from accounts where id = 10 returning name", max_rows=2)
        self.assertEqual((got["outcome"]["rows"], got["outcome"]["affected"]), ([["Ten"]], 1))
        got = self.execute("delete from gone")
        self.assertEqual((got["reason"], got["outcome"]["nothing_done"]), ("object-missing", True))
        got = self.execute("optimize table accounts", transaction=False)
        self.assertEqual(got["reason"], "ok", got)

    def test_says_what_may_have_happened(self):
        """A table without transactions keeps what was done; so does DDL."""
        self.server.sql("insert into crm.notes values (1, 'a'), (2, 'b')")
        got = self.execute("delete from notes", max_rows=1)
        self.assertEqual((got["reason"], got["outcome"]["nothing_done"]), ("query-failed", False))
        self.assertIn("could NOT be rolled back", got["text"])
        self.assertEqual(self.count("notes"), 0)
        self.server.sql("insert into crm.notes values (1, 'a'), (2, 'b')")
        cut = "delete from notes returning id, if(id > 1, sleep(9), 0)"
        got = self.execute(cut, transaction=False, timeout=1.6)
        self.assertEqual((got["reason"], got["outcome"]["nothing_done"]), ("too-slow", False), got)
        self.assertLess(self.count("notes"), 2)
        self.server.sql("delete from crm.notes")
        got = self.execute("delete from gone", transaction=False)
        self.assertEqual((got["reason"], got["outcome"]["nothing_done"]), ("object-missing", True))
        got = self.execute("create table fresh (i int)", max_rows=1)
        self.assertEqual(got["reason"], "ok", got)
        self.assertEqual(self.count("fresh"), 0)

    def test_locked(self):
        holder = self.server.session("begin", "update accounts set balance = 5 where id = 1")
        got = self.execute("update accounts set balance = 6 where id = 1")
        self.assertEqual((got["reason"], got["outcome"]["nothing_done"]), ("locked", True), got)
        leave(holder)

    def test_cut_off(self):
        """Killed while it ran: nobody knows."""
        self.worker.send("mysql", self.conf(), "sql.execute", {
            "sql": "insert into accounts select 50 + sleep(20), 'x', 1", "params": [],
            "max_rows": 0, "lock_timeout_msec": 1000, "transaction": True}, 10, ["127.0.0.1"])
        number = []

        def found():
            number[:] = self.server.sql("select id from information_schema.processlist where "
                                        "info like 'insert into accounts select 50%'").split()
            return number
        wait_for(found, 5, "it to run", interval=0.05)
        self.server.sql(f"kill {number[0]}")
        got = self.worker.answer()["ok"]
        self.assertEqual((got["reason"], got["outcome"]["nothing_done"]), ("protocol", False), got)

    def test_frozen(self):
        self.server.freeze()
        try:
            got = self.query("select 1")
        finally:
            self.server.freeze(False)
        self.assertEqual(got["reason"], "too-slow")
        self.assertEqual(self.worker.phases[0], ("too-slow", "the server does not greet"))


class Rights(unittest.TestCase):
    def test_none_are_left(self):
        box = worker.Worker(self)

        def look():
            with open(f"/proc/{box.process.pid}/status", encoding="ascii") as file:
                return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        wait_for(lambda: look()["CapEff"].strip("0") == "" and
                 (execbox.sanitized() or look()["Seccomp"] == "2"), 5, "it to give up its rights")
        status = look()
        with open(f"/proc/{box.process.pid}/limits", encoding="ascii") as file:
            limits = file.read()
        self.assertEqual(status["CapEff"].strip("0"), "")
        self.assertEqual(status["CapPrm"].strip("0"), "")
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]),
                         ("1", "0" if execbox.sanitized() else "2"))
        self.assertRegex(limits, r"Max core file size +0 +0")
        self.assertRegex(limits, r"Max open files +64 +64")

    def test_ends_with_its_socket(self):
        box = worker.Worker(self)
        box.ours.shutdown(2)
        self.assertEqual(box.process.wait(5), 0)
        done = subprocess.run([box.process.args[0]], stdin=subprocess.DEVNULL, capture_output=True,
                              check=False)
        self.assertEqual(done.returncode, 64)


if __name__ == "__main__":
    unittest.main()
