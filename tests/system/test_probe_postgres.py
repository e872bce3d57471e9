# SPDX-License-Identifier: MIT
"""The postgres probe against a real PostgreSQL and its standby in all moods, and its looks."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest

from pgserver import BIN, PASSWORD, Postgres
from probes import Authority, Odd, Probes, Slow, full_backlog, saying, silent, tables
from snmpbox import Scratch

LOOKS = ("connections", "blocked", "transactions", "replication", "archiving", "wraparound",
         "bloat", "cache", "statements", "indexes")
EXTRA = """shared_preload_libraries = 'pg_stat_statements'
archive_mode = on
archive_command = '/bin/true'
autovacuum_freeze_max_age = 100000
wal_retrieve_retry_interval = 200ms
"""
HBA = ("local replication all trust\nlocal all all trust\n"
       "host all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n")


class Shim:
    """What Probes wants of a test, for a whole class."""

    def __init__(self, cls):
        self.addCleanup = cls.addClassCleanup
        self.fail = cls.fail


def primary():
    server = Postgres(EXTRA)
    unittest.addModuleCleanup(server.close)
    server.write("pg_hba.conf", HBA)
    server.sql("select pg_reload_conf()")
    server.sql("create extension pg_stat_statements; create database other; grant pg_monitor to"
               f" tend; create role poor login password '{PASSWORD}';"
               "create table account (id int primary key, name text);"
               "insert into account values (1, 'Ada'), (2, 'Bob')")
    return server


def standby_of(server):
    """A copy as pg_basebackup makes it, with a slot of its own."""
    scratch = Scratch()
    folder = scratch.file("base")
    try:
        os.chmod(scratch.path, 0o755)
        os.mkdir(folder, 0o700)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        Postgres.command(BIN + "pg_basebackup", "-R", "-c", "fast", "-C", "-S", "copy_slot", "-D",
                         folder, "-d", f"host={server.run} port={server.port} user=postgres "
                         "application_name=copy")
        copy = Postgres(EXTRA, data=folder)
    finally:
        scratch.close()
    unittest.addModuleCleanup(copy.close)
    return copy


BOX = {}


def setUpModule():
    BOX["server"] = primary()
    BOX["copy"] = standby_of(BOX["server"])


def slowly(port, address):
    """Gives the server's answers a byte at a time, too slowly for any log-in."""
    def talk(sock):
        with socket.create_connection((address, port)) as server:
            def back():
                with contextlib.suppress(OSError):
                    while byte := server.recv(1):
                        sock.sendall(byte)
                        time.sleep(0.02)
            threading.Thread(target=back, daemon=True).start()
            while data := sock.recv(4096):
                server.sendall(data)
    return talk


def noise(sock):
    """Declines TLS, and answers the log-in with nonsense."""
    sock.recv(4096)
    sock.sendall(b"N")
    sock.recv(4096)
    sock.sendall(b"\xff\x00\x01garbage\r\n" * 9)
    silent(sock)


def checks_of(cls, server, copy):
    path = Scratch()
    cls.addClassCleanup(path.close)
    files = {}
    for name, text in (("good", PASSWORD), ("bad", "wrong")):
        files[name] = "file:" + path.file(name, text)
        os.chmod(path.file(name), 0o600)
    tcp = {"hostaddr": "127.0.0.1", "port": server.port, "password": files["good"]}
    six = {**tcp, "hostaddr": "::1"}
    local = {"host": server.run, "port": server.port}
    every = {"look": ", ".join(LOOKS), "timeout": "5s"}
    checks = {
        "v4": {**tcp, **every}, "v6": {**six, **every}, "socket": {**local, **every},
        "name": {"host": "localhost", "port": server.port, "password": files["good"], **every},
        "login4": tcp, "login6": six, "login-socket": local,
        "password": {**tcp, "password": files["bad"]},
        "password6": {**six, "password": files["bad"]},
        "no-login": {**tcp, "user": "nobody_in"},
        "no-login6": {**six, "user": "nobody_in"},
        "slow4": {**tcp, "port": Slow(Shim(cls), server.port).port, "timeout": "5s",
                  "query": "select 1", "critical.query_seconds": 0.1},
        "slow6": {**six, "port": Slow(Shim(cls), server.port, "::1").port, "timeout": "5s",
                  "query": "select 1", "critical.query_seconds": 0.1},
        "slow-query": {**tcp, "query": "select pg_sleep(0.2)", "critical.query_seconds": 0.1},
        "no-database": {**tcp, "dbname": "gone", **every},
        "poor": {**tcp, **every, "user": "poor"},
        "poor-may": {**tcp, "user": "poor", "look": "wraparound, archiving, bloat"},
        "slow": {**tcp, "query": "select pg_sleep(30)"},
        "waits": {**local, "user": "tend", "look": "blocked", "max_lock_wait": "300ms"},
        "waits-long": {**tcp, "look": "blocked"},
        "waits-never": {**tcp, "look": "blocked", "max_lock_wait": "0"},
        "super": {**local, "user": "postgres", "look": "connections"},
        "other": {**local, "user": "tend", "dbname": "other", "look": "statements"},
        "idle": {**local, "user": "tend", "look": "transactions",
                 "critical.idle_transaction_seconds": "0.2"},
        "half-open": {"hostaddr": "127.0.0.1", "port": full_backlog(Shim(cls))},
        "copy": {"host": copy.run, "port": copy.port, **every},
    }
    for look in LOOKS:
        checks["only-" + look] = {**local, "user": "tend", "look": look, "timeout": "2s"}
    for six, address in (("", "127.0.0.1"), ("6", "::1")):
        for name, how in (("silent", silent), ("web", saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
                          ("noise", noise),
                          ("trickle", slowly(server.port, address))):
            checks[name + six] = {"hostaddr": address, "password": files["good"],
                                  "port": Odd(Shim(cls), how, address).port, "look": "connections"}
    return {name: {"probe": "postgres", **options} for name, options in checks.items()}


class Looks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.copy = BOX["server"], BOX["copy"]
        cls.probes = Probes(Shim(cls), checks_of(cls, cls.server, cls.copy))

    def check(self, name, reason, words="", **metrics):
        got = self.probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        documented, _ = tables("postgres")
        self.assertLessEqual({metric.split("/")[0] for metric in got.metrics}, documented)
        for metric, value in metrics.items():
            self.assertIn(metric, got.metrics, got)
            if value is not None:
                self.assertEqual(got.metrics[metric], value, got)
        return got

    def until(self, name, reason, ready=lambda got: True):
        def is_so():
            got = self.probes.run(name)
            return got.reason == reason and ready(got) and got
        return self.probes.tendd.wait(is_so, 15, f"{name} to be {reason}")

    def session(self, text, **more):
        """A session that stays; killed at the end of the test."""
        process = self.server.session(text, **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        return process

    def test_well(self):
        self.until("v4", "ok", lambda got: got.metrics["standbys"] == 1)
        for name in ("v4", "v6", "socket", "name"):
            got = self.check(
                name, "ok", "of 20 connections", connections_max=20, blocked=0, in_recovery=0,
                standbys=1, archive_failing=0, connect_seconds=None, query_seconds=None,
                longest_transaction_seconds=None, idle_transaction_seconds=None,
                wraparound_percent=None, wraparound_limit_percent=None, dead_rows=None,
                wraparound_multixact_percent=None, unused_indexes=None, missing_indexes=None,
                statement_mean_seconds=None, longest_block_seconds=0)
            self.assertGreaterEqual(got.metrics["connections"], 1)
            self.assertEqual(got.metrics["connections_percent"], got.metrics["connections"] * 5)
            self.assertGreaterEqual(got.metrics["connections_state/active"], 1)
            self.assertIn("replication_lag_bytes/copy", got.metrics)
            self.assertIn("replication_lag_seconds/copy", got.metrics)
            self.assertIn("slot_retained_bytes/copy_slot", got.metrics)
        for name in ("login4", "login6", "login-socket"):
            got = self.check(name, "ok", "logged in within", connect_seconds=None)
            self.assertNotIn("connections", got.metrics)

    def test_log_in(self):
        self.check("password", "auth-failed", "127.0.0.1 port")
        self.check("password6", "auth-failed", "::1 port")
        for name in ("no-login", "no-login6"):
            self.check(name, "auth-failed", "not permitted to log in")
        self.check("no-database", "database-missing", '"gone" does not exist')

    def test_odd(self):
        for six in ("", "6"):
            self.check("silent" + six, "too-slow", "the log-in was not answered")
            self.check("trickle" + six, "too-slow", "the log-in was not answered")
            self.check("web" + six, "protocol")
            self.check("noise" + six, "protocol")
        self.check("half-open", "connect-timeout")
        self.check("slow", "too-slow")

    def test_slow(self):
        for name in ("slow4", "slow6", "slow-query"):
            self.check(name, "threshold", "query_seconds")

    def test_rights(self):
        got = self.check("poor", "access-denied", "the role poor lacks pg_read_all_stats",
                         wraparound_percent=None, archive_failing=None, dead_rows=None)
        self.assertIn("for: connections, blocked, transactions, replication, statements", got.text)
        self.assertNotIn("connections", got.metrics)
        self.check("poor-may", "ok")

    def test_blocked(self):
        self.session("set application_name = 'holder'; begin; "
                     "update account set name = 'geheim' where id = 1")
        waiter = subprocess.Popen(
            ["psql", "-qAtX", "-h", self.server.run, "-p", str(self.server.port), "-U", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(waiter.wait)
        self.addCleanup(waiter.kill)
        waiter.stdin.write("update account set name = 'streng' where id = 1;\n")
        waiter.stdin.close()
        got = self.until("waits", "locked")
        pids = [self.server.sql("select pid from pg_stat_activity where pid <> pg_backend_pid()"
                                " and " + which)
                for which in ("application_name = 'holder'", "query like '%streng%'")]
        self.assertRegex(got.text, rf"^1 blocked: pid {pids[1]} postgres \(psql\) waits \d+ s for "
                         rf"pid {pids[0]} postgres \(holder\), idle in transaction for \d+ s$")
        self.assertGreater(got.metrics["longest_block_seconds"], 0.3)
        self.assertNotIn("streng", got.text)
        self.assertNotIn("geheim", got.text)
        self.check("waits-long", "ok", "1 blocked: pid", blocked=1)
        self.check("waits-never", "ok", "1 blocked: pid", blocked=1)
        got = self.check("v4", "ok", "1 blocked: pid", blocked=1)
        self.assertGreater(got.metrics["longest_transaction_seconds"], 0.3)

    def test_transactions(self):
        self.session("set application_name = 'sleeper'; begin; select 1")
        got = self.until("idle", "threshold")
        self.check("only-transactions", "ok", "(sleeper), idle in transaction")
        self.assertGreaterEqual(got.metrics["longest_transaction_seconds"],
                                got.metrics["idle_transaction_seconds"])

    def test_the_look_itself_is_locked(self):
        self.session("begin; lock table pg_stat_statements in access exclusive mode")
        self.check("only-statements", "locked", "statements: ")

    def test_connections_full(self):
        def is_full():
            process = subprocess.Popen(
                ["psql", "-qAtX", "-h", self.server.run, "-p", str(self.server.port), "-U",
                 "tend", "-d", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.stdin.close)
            # Those that stay: what a probe just left is there for a while, too, and may have the
            # last place.
            with contextlib.suppress(AssertionError):
                return self.server.sql(
                    "select count(*) from pg_stat_activity where usename = 'tend' "
                    "and application_name = 'psql'").strip() == "19"
            return False
        self.probes.tendd.wait(is_full, 20, "all connections to be taken")
        got = self.until("super", "connections-full",
                         lambda got: got.metrics.get("connections") == 20)
        self.assertIn("20 of 20 connections", got.text)
        self.check("v4", "connections-full", "127.0.0.1")
        self.check("v6", "connections-full", "::1")

    def test_standby(self):
        got = self.until("copy", "ok")
        self.assertEqual((got.metrics["in_recovery"], got.metrics["standbys"]), (1, 0), got)
        self.copy.sql("select pg_wal_replay_pause()")
        self.until("copy", "replication-broken", lambda got: "the replay is paused" in got.text)
        self.server.sql("create table more as select i from generate_series(1, 20000) i")
        got = self.until("only-replication", "ok",
                         lambda got: got.metrics["replication_lag_bytes/copy"] > 100000)
        got = self.until("copy", "replication-broken",
                         lambda got: got.metrics["replay_lag_bytes"] > 100000)
        self.assertGreater(got.metrics["replay_lag_seconds"], 0)
        self.copy.sql("select pg_wal_replay_resume()")
        self.until("copy", "ok", lambda got: got.metrics["replay_lag_bytes"] == 0)
        self.until("only-replication", "ok",
                   lambda got: got.metrics["replication_lag_bytes/copy"] == 0)

    def test_standby_dies(self):
        self.until("only-replication", "ok", lambda got: got.metrics["standbys"] == 1)
        self.copy.stop()
        got = self.until("only-replication", "replication-broken")
        self.assertIn("slot copy_slot has no consumer and keeps", got.text)
        self.assertEqual(got.metrics["standbys"], 0)
        self.check("copy", "connect-refused")
        self.copy.start()
        self.until("only-replication", "ok", lambda got: got.metrics["standbys"] == 1)

    def test_archiving(self):
        def command(text):
            self.server.sql(f"alter system set archive_command = '{text}'")
            self.server.sql("select pg_reload_conf()")
            self.server.sql("select pg_logical_emit_message(false, 'x', 'y')")
            self.server.sql("select pg_switch_wal()")
        command("/bin/false")
        got = self.until("only-archiving", "ok", lambda got: got.metrics["archive_failing"])
        self.assertRegex(got.text, "^archiving 0{7}[0-9A-F]+ fails$")
        self.assertGreaterEqual(got.metrics["archive_failures"], 1)
        command("/bin/true")
        got = self.until("only-archiving", "ok", lambda got: not got.metrics["archive_failing"])
        self.assertLess(got.metrics["archive_age_seconds"], 30)
        self.assertIn("archived 0", got.text)

    def test_wraparound(self):
        before = self.check("only-wraparound", "ok").metrics["wraparound_percent"]
        self.server.sql("do $$ begin for i in 1..2000 loop begin insert into account values"
                        " (1000 + i); exception when others then null; end; end loop; end $$")
        got = self.check("only-wraparound", "ok", " in ")
        grown = got.metrics["wraparound_percent"] - before
        self.assertTrue(1.9 < grown < 3, (before, got))
        self.assertAlmostEqual(got.metrics["wraparound_limit_percent"],
                               got.metrics["wraparound_percent"] * 100000 / 2**31, 6)

    def test_bloat(self):
        self.server.sql("create table worn (i int) with (autovacuum_enabled = off);"
                        "insert into worn select generate_series(1, 5000);"
                        "delete from worn where i <= 3000")
        got = self.until("only-bloat", "ok", lambda got: "dead_percent/public.worn" in got.metrics)
        self.assertEqual(got.metrics["dead_percent/public.worn"], 60)
        self.assertGreaterEqual(got.metrics["dead_rows"], 3000)
        self.assertIn("public.worn: 60 % dead rows", got.text)

    def test_cache(self):
        self.until("only-cache", "ok", lambda got: "cache_hit_percent" in got.metrics)
        self.server.sql("select count(*) from pg_class, pg_attribute")
        self.check("only-cache", "ok", " % of blocks from the cache")
        got = self.until("only-cache", "ok", lambda got: "cache_hit_percent" in got.metrics)
        self.assertTrue(0 < got.metrics["cache_hit_percent"] <= 100, got)

    def test_statements(self):
        self.server.sql("select pg_stat_statements_reset(); select 'geheim', pg_sleep(0.3)")
        number = self.server.sql("select queryid from pg_stat_statements where query like "
                                 "'%$1, pg_sleep(%'")
        got = self.check("only-statements", "ok", "slowest statement ")
        self.assertNotIn("geheim", got.text)
        self.assertGreaterEqual(got.metrics[f"statement_mean_seconds/{number}"], 0.3)
        self.assertLess(got.metrics["statement_mean_seconds"], 0.3)
        got = self.check("other", "ok", "pg_stat_statements is not in this database")
        self.assertNotIn("statement_mean_seconds", got.metrics)

    def test_indexes(self):
        self.server.sql("create table wide (i int, j int); create index wide_unused on wide (j);"
                        "insert into wide select i, i from generate_series(1, 20000) i;"
                        "vacuum analyze wide;")
        self.server.sql("select count(*) from wide where i = 7;" * 60)
        got = self.until("only-indexes", "ok", lambda got: got.metrics["missing_indexes"])
        self.assertEqual((got.metrics["unused_indexes"], got.metrics["missing_indexes"]), (1, 1))
        self.assertGreaterEqual(got.metrics["unused_index_bytes"], 8192)
        self.assertIn("unused index public.wide_unused", got.text)
        self.assertIn("no index serves public.wide", got.text)

    def test_zz_frozen_and_dead(self):
        self.until("copy", "ok")
        self.server.freeze()
        try:
            for name in ("login4", "login6", "login-socket", "only-connections"):
                self.check(name, "too-slow", "not answered")
        finally:
            self.server.freeze(False)
        self.until("login4", "ok")
        self.server.stop()
        for name in ("v4", "v6", "name", "socket"):
            self.check(name, "connect-refused")
        self.until("copy", "replication-broken",
                   lambda got: "the WAL receiver does not stream" in got.text)
        self.server.start()
        self.until("v4", "ok")
        self.until("copy", "ok")


class Tls(unittest.TestCase):
    """With a certificate of a private authority, for pg.test."""

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        os.chmod(self.scratch.path, 0o755)
        self.ca = Authority(self.scratch.file("ca"))
        self.install()
        self.server = Postgres(f"ssl = on\nssl_cert_file = '{self.scratch.file('pem')}'\n"
                               f"ssl_key_file = '{self.scratch.file('key')}'\n")
        self.addCleanup(self.server.close)

    def install(self, **more):
        for kind, path in zip(("pem", "key"), self.ca.issue("server", "DNS:pg.test", **more)):
            os.replace(path, self.scratch.file(kind))
        shutil.chown(self.scratch.file("key"), "postgres")

    def test_certificates(self):
        os.chmod(self.scratch.file("good", PASSWORD), 0o600)
        base = {"probe": "postgres", "host": "pg.test", "port": self.server.port,
                "sslmode": "verify-full", "ca_file": self.ca.path("ca.pem"),
                "password": "file:" + self.scratch.file("good")}
        checks = {}
        for six, address in (("", "127.0.0.1"), ("6", "::1")):
            well = checks["well" + six] = {**base, "hostaddr": address}
            checks["other-name" + six] = {**well, "host": "other.test"}
            checks["stranger" + six] = {**well, "ca_file": "/etc/ssl/certs/ca-certificates.crt"}
        probes = Probes(self, checks, timeout="3s")
        for six in ("", "6"):
            for name, reason in (("well", "ok"), ("other-name", "tls-name"),
                                 ("stranger", "tls-untrusted")):
                got = probes.run(name + six)
                self.assertEqual(got.reason, reason, got)
        self.install(days=-10)
        self.server.sql("select pg_reload_conf()")
        # Debian 12's libpq does not say more; the probe tls with starttls = postgres does.
        probes.tendd.wait(lambda: probes.run("well").reason == "tls-untrusted", 10, "the reload")


if __name__ == "__main__":
    unittest.main()
