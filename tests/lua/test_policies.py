#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shipped policies, as they are installed, in tend-run; end-blocker against a real PostgreSQL."""
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from host import Host, done

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from tendbox import wait_for  # noqa: E402

TEND_RUN = os.environ["TEND_RUN"]
LUA = os.environ["TEND_LUA"]
POSTGRES_BIN = os.environ.get("POSTGRES_BIN", "/usr/lib/postgresql/15/bin")

VERBS = [{"name": name, "args": args} for name, args in (
    ("check.run", ["check"]), ("verify", ["check", "ok", "within"]),
    ("unit.start", ["unit", "component"]),
    ("unit.stop", ["unit", "component"]), ("unit.restart", ["unit", "component"]),
    ("command.run", ["command", "args"]),
    ("sql.query", ["sql", "params", "component", "max_rows"]),
    ("sql.terminate_backend", ["pid", "backend_start", "component"]),
    ("notice.send", ["text", "severity"]), ("log", ["text"]), ("sleep", ["duration"]), ("now", []))]

WEB = {"component": {"name": "crm/web", "kind": "web", "unit": "tryton-server.service"},
       "check": {"name": "crm/web/login", "reason": "too-slow"}}
DATABASE = {"component": {"name": "crm/database", "kind": "database", "unit": "postgresql@15-main.service"},
            "check": {"name": "crm/database/blocked", "reason": "threshold"}}


def read(*parts):
    with open(os.path.join(LUA, *parts), encoding="utf-8") as file:
        return file.read()


def library():
    return {f"tend/{name}": read("tend", name) for name in sorted(os.listdir(os.path.join(LUA, "tend")))
            if name.endswith(".lua")}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(TEND_RUN)

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

    def run_policy(self, name, answer, ctx, params=None):
        run = self.host.fork(60000)
        run.start(read("policies", f"{name}.lua"), policy=name, chunk=f"{name}.lua", library=library(),
                  ctx=ctx, params=params, verbs=VERBS)
        note = run.serve(answer)
        run.wait()
        return run, note["args"]


class Descriptions(Case):
    def test_every_file_describes_itself(self):
        files = [f for f in sorted(os.listdir(os.path.join(LUA, "policies"))) if f.endswith(".lua")]
        self.assertLessEqual({"backup.lua", "end-blocker.lua", "patch.lua", "restart-unit.lua",
                              "start-database.lua"}, set(files))
        for file in files:
            with self.subTest(file=file):
                run = self.host.fork(5000)
                run.start(read("policies", file), mode="describe", chunk=file, library=library(), verbs=None)
                note = run.serve(None)
                run.wait()
                self.assertEqual(note["call"], "described", note)
                for policy in note["args"]["policies"]:
                    self.described(policy, file, len(note["args"]["policies"]))

    def described(self, policy, file, n):
        self.assertTrue(policy["name"] + ".lua" == file or n > 1)
        self.assertTrue(policy["doc"] and policy["hand"])
        incident = policy.get("on", {}).get("incident")
        if incident:
            # Never for just anything that fails.
            self.assertTrue(incident.get("reason") or incident.get("check"))
            self.assertNotIn("unit-stopped", incident.get("reason", []))
        for name, spec in policy.get("params", {}).items():
            self.assertTrue(spec["doc"])
            self.assertRegex(read("policies", file), rf"(?m)^--   (\w+, )*{name}\b")


class Units(Case):
    CASES = (("restart-unit", "unit.restart", WEB), ("start-database", "unit.start", DATABASE))

    def test_acts_and_verifies(self):
        for name, verb, ctx in self.CASES:
            with self.subTest(name=name):
                run, end = self.run_policy(name, lambda path, verb, args: done({"n_ok": 2}), ctx,
                                           {"ok": "2", "within": "20s"})
                self.assertEqual([(s[0], s[1]) for s in run.steps], [("1", verb), ("2", "verify")])
                self.assertEqual(json.loads(run.steps[0][2]), {
                    "unit": ctx["component"]["unit"], "component": ctx["component"]["name"]})
                self.assertEqual(json.loads(run.steps[1][2]),
                                 {"check": ctx["check"]["name"], "ok": 2, "within": 20})
                self.assertEqual(end, {"ok": True, "value": {"n_ok": 2}})

    def test_does_not_go_on_when_the_act_was_not_done(self):
        for name, verb, ctx in self.CASES:
            for outcome in ("failed", "refused", "unknown"):
                with self.subTest(name=name, outcome=outcome):
                    run, end = self.run_policy(name, lambda *a, outcome=outcome: {
                        "ok": {"outcome": outcome, "message": "because"}}, ctx)
                    self.assertEqual(len(run.steps), 1)
                    self.assertEqual((end["ok"], end["outcome"]), (False, outcome))
                    self.assertIn(f"of {ctx['component']['unit']}: because", end["message"])

    def test_says_when_it_did_not_help(self):
        def answer(path, verb, args):
            return {"ok": {"outcome": "failed", "message": "still critical"}} if verb == "verify" else done()
        for name, _, ctx in self.CASES:
            _, end = self.run_policy(name, answer, ctx)
            self.assertEqual(end, {"ok": False, "message": "still critical", "outcome": "failed"})

    def test_without_a_unit_or_a_check(self):
        for name, verb, ctx in self.CASES:
            _, end = self.run_policy(name, None, {"component": {"name": "crm/x"}})
            self.assertIn("component crm/x has no unit", end["message"])
            run, end = self.run_policy(name, lambda *a: done(), {"component": ctx["component"]})
            self.assertEqual((len(run.steps), end["ok"]), (1, True))


class Server:
    """A PostgreSQL of our own, by unix socket only, with the two roles a [database] section names."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="tend-pg-")
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        data = os.path.join(self.dir, "data")
        self.command("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-D", data)
        self.process = self.spawn("postgres", "-D", data, "-k", self.dir, "-c", "listen_addresses=",
                                  "-c", "fsync=off", stderr=subprocess.DEVNULL)
        self.wait(lambda: self.psql("postgres", "select 1") == "1")
        for sql in ("create role tend_read login in role pg_read_all_stats",
                    "create role tend_admin login in role pg_signal_backend, pg_read_all_stats",
                    "create role app login", "create table session (id int)",
                    "grant all on session to app"):
            self.psql("postgres", sql)
        self.sessions = []

    def spawn(self, program, *args, **more):
        as_user = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        return subprocess.Popen([os.path.join(POSTGRES_BIN, program), *args], cwd=self.dir,
                                stdout=more.pop("stdout", subprocess.DEVNULL),
                                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, **as_user, **more)

    def command(self, program, *args):
        if self.spawn(program, *args).wait():
            raise RuntimeError(f"{program} failed")

    def psql(self, user, sql):
        with self.spawn("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-U", user, "-c", sql,
                        "postgres", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            out, err = process.communicate(timeout=30)
        return out.decode().strip() if process.returncode == 0 else "error: " + err.decode()

    def session(self, *statements):
        """A client that runs the statements and stays; returns its pid."""
        process = self.spawn("psql", "-XAtq", "-h", self.dir, "-U", "app", "postgres",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdin.write(b"select pg_backend_pid();\n" + "".join(s + ";\n" for s in statements).encode())
        process.stdin.flush()
        self.sessions.append(process)
        return int(process.stdout.readline())

    def holder(self, *statements):
        """A session that has got the lock which it asks for."""
        pid = self.session(*statements)
        self.wait(lambda: self.psql("postgres", "select count(*) from pg_locks where granted and "
                                    f"pid = {pid} and relation = 'session'::regclass") != "0",
                  f"the lock of {pid}")
        return pid

    @staticmethod
    def wait(condition, what="the server"):
        wait_for(condition, 60, what, interval=0.02)

    def alive(self, pid):
        return self.psql("postgres", f"select count(*) from pg_stat_activity where pid = {pid}") == "1"

    def wait_blocked(self, n):
        self.wait(lambda: self.psql("postgres", "select count(distinct pid) from pg_locks where not granted")
                  == str(n), f"{n} blocked sessions")

    def end_sessions(self):
        for process in self.sessions:
            process.kill()
            process.communicate()
        self.psql("postgres", "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                              "where usename = 'app'")
        self.sessions = []

    def close(self):
        self.end_sessions()
        self.process.terminate()
        self.process.wait(timeout=60)
        shutil.rmtree(self.dir)


class EndBlocker(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)

    def tearDown(self):
        self.server.end_sessions()

    def answer(self, path, verb, args):
        if verb == "sql.query":
            self.assertEqual(args["component"], "crm/database")
            out = self.server.psql("tend_read", "begin read only; select coalesce(json_agg(r), '[]') "
                                                f"from ({args['sql']}) r; commit")
            if out.startswith("error"):
                return {"ok": {"outcome": "failed", "message": out}}
            rows = json.loads(out)
            return done({"columns": list(rows[0]) if rows else [], "truncated": False,
                         "rows": [list(row.values()) for row in rows]})
        if verb == "sql.terminate_backend":
            self.assertIsInstance(args["pid"], int)
            out = self.server.psql("tend_admin", "select pg_terminate_backend(pid) "
                                   f"from pg_stat_activity where pid = {args['pid']} "
                                   f"and backend_start = '{args['backend_start']}'")
            return done({"terminated": out == "t"})
        if verb == "sleep":
            self.assertGreater(args["duration"], 0)
            time.sleep(args["duration"])
        return done()

    def end_blocker(self, **params):
        return self.run_policy("end-blocker", self.answer, DATABASE, params)

    def verbs_of(self, run):
        return [step[1] for step in run.steps]

    def test_ends_the_idle_root_and_nobody_else(self):
        root = self.server.holder("begin", "lock table session in access exclusive mode")
        middle = self.server.session("begin", "lock table session in access exclusive mode")
        self.server.wait_blocked(1)
        leaf = self.server.session("select * from session")
        bystander = self.server.session("begin", "select 1")
        self.server.wait_blocked(2)
        run, end = self.end_blocker(limit=0.1)
        self.assertTrue(end["ok"], end)
        ended = [json.loads(step[2])["pid"] for step in run.steps if step[1] == "sql.terminate_backend"]
        self.assertEqual(ended[0], root)
        self.assertFalse(self.server.alive(root))
        self.assertTrue(self.server.alive(bystander))
        self.assertTrue(self.server.alive(leaf))
        # The one in the middle got its lock, sits idle in its transaction and blocks the leaf: a root now.
        self.assertLessEqual(set(ended), {root, middle})
        self.assertEqual(self.verbs_of(run)[-1], "verify")

    def test_waits_until_the_limit_has_passed(self):
        root = self.server.holder("begin", "lock table session in access exclusive mode")
        self.server.session("select * from session")
        self.server.wait_blocked(1)
        run, end = self.end_blocker(limit="2s")
        self.assertTrue(end["ok"], end)
        verbs = self.verbs_of(run)
        self.assertEqual(verbs[:2], ["sql.query", "sleep"])
        self.assertIn("sql.terminate_backend", verbs)
        self.assertFalse(self.server.alive(root))

    def test_leaves_a_session_at_work_unless_told(self):
        root = self.server.holder("begin", "lock table session in access exclusive mode",
                                   "select pg_sleep(600)")
        self.server.session("select * from session")
        self.server.wait_blocked(1)
        self.server.wait(lambda: self.server.psql(
            "postgres", f"select state from pg_stat_activity where pid = {root}") == "active")
        run, end = self.end_blocker(limit="0s")
        self.assertEqual((end["ok"], self.verbs_of(run)), (False, ["sql.query"]))
        self.assertIn(f"session {root} of app blocks 1 other(s) and is active", end["message"])
        self.assertTrue(self.server.alive(root))
        _, end = self.end_blocker(limit="0s", active="yes")
        self.assertTrue(end["ok"], end)
        self.assertFalse(self.server.alive(root))

    def test_prefers_the_idle_one(self):
        busy = self.server.holder("begin", "lock table session in share mode", "select pg_sleep(600)")
        idle = self.server.holder("begin", "lock table session in share mode")
        self.server.session("insert into session values (1)")
        self.server.wait_blocked(1)
        run, end = self.end_blocker(limit="0s", most=1, active=True)
        self.assertEqual(end["message"], f"1 session(s) ended, and session {busy} blocks others still")
        self.assertFalse(self.server.alive(idle))
        self.assertTrue(self.server.alive(busy))
        self.assertEqual(self.verbs_of(run).count("sql.terminate_backend"), 1)

    def test_gives_up_on_a_session_that_does_not_end(self):
        """Signals that reach nobody: the session is seen again and again, and told only once."""
        root = self.server.holder("begin", "lock table session in access exclusive mode")
        self.server.session("select * from session")
        self.server.wait_blocked(1)

        def answer(path, verb, args):
            return done() if verb in ("sql.terminate_backend", "sleep") else self.answer(path, verb, args)
        run, end = self.run_policy("end-blocker", answer, DATABASE, {"limit": 0})
        self.assertEqual(end["message"], f"session {root} was told to end and is still there")
        self.assertEqual(self.verbs_of(run).count("sql.terminate_backend"), 1)

    def test_nobody_blocks(self):
        run, end = self.end_blocker()
        self.assertTrue(end["ok"], end)
        self.assertEqual(self.verbs_of(run), ["sql.query", "verify"])

    def test_a_query_that_fails_ends_the_run(self):
        _, end = self.run_policy("end-blocker", lambda *a: {
            "ok": {"outcome": "failed", "message": "connection refused"}}, DATABASE)
        self.assertEqual(end, {"ok": False, "outcome": "failed",
                               "message": "cannot see who blocks whom: connection refused"})


if __name__ == "__main__":
    unittest.main()
