# SPDX-License-Identifier: MIT
"""sql.execute from a policy to a real PostgreSQL: what the manifest says and nothing else, rolled
back beyond its limit, refused by types, rates and fences, and never told as done when nobody knows."""

import unittest

from tendbox import Box, receivers, tend, wait_for

PG = "/usr/lib/postgresql/15/bin"
DATA = "/var/lib/postgresql/sqltest"

PG_UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
User=postgres
RuntimeDirectory=pgtest
ExecStart={PG}/postgres -D {DATA} -k /run/pgtest -c listen_addresses= -c fsync=off
"""

CONF = """[daemon]
mode.staging = auto
policy_dirs = /etc/tend/policies
budget_per_target = 1000
budget_global = 10000
cooldown = 0

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
[route default]
receivers = ops

[system crm]
environment = staging
[component crm/database]
kind = database
unit = pgtest.service
[database crm/database]
service = postgres
host = /run/pgtest
dbname = postgres
user = tend
admin.user = healer
[check crm/database/login]
probe = postgres
host = /run/pgtest
dbname = postgres
user = tend
interval = 1s
timeout = 900ms
"""

MANIFEST = """[unit pgtest.service]
allow = start, stop, restart, reload
max_per_hour = 100
[sql free-job]
statement = update jobs set state = 'free' where id = {id} and state = {state}
max_rows_affected = 1
max_per_hour = 100
param.id = int 1..1000
param.state = enum stuck, dead
[sql free-all]
statement = update jobs set state = 'free'
max_rows_affected = 5
max_per_hour = 2
[sql slow]
statement = insert into log select 'slow' from pg_sleep({seconds})
max_rows_affected = 1
max_per_hour = 100
param.seconds = int 1..60
[sql slow-again]
statement = update log set n = 1 from pg_sleep({seconds})
max_rows_affected = 1000
max_per_hour = 100
repeatable = yes
param.seconds = int 1..60
[sql clean]
statement = vacuum analyze jobs
max_rows_affected = 0
transaction = no
max_per_hour = 100
[sql elsewhere]
statement = delete from jobs
components = erp/*
"""

# One a call: what fails three times in a row opens the breaker of its policy.
POLICIES = 40

POLICY = """local function execute(ctx)
	local id, state = string.match(ctx.params.params, "^(%d+),(.*)$")
	local params = {}
	if id then
		params = { id = tonumber(id), state = state }
	elseif ctx.params.params ~= "" then
		params = { seconds = tonumber(ctx.params.params) }
	end
	local value, why, outcome = tend.sql.execute{ name = ctx.params.name, params = params }
	return value, why, outcome
end
"""
ONE = """policy "sql%d" {
	hand = true,
	params = {
		name = { type = "string", doc = "statement" },
		params = { type = "string", default = "", doc = "ID,STATE or SECONDS" },
	},
	run = execute,
}
"""


class Sql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("sql")
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        box = cls.box
        tend.install(box, etc=None)
        box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        box.write("/etc/systemd/system/pgtest.service", PG_UNIT)
        box.run("install", "-d", "-o", "postgres", "-m", "0700", DATA)
        box.run(f"{PG}/initdb", "-A", "trust", "-N", "-D", DATA, user="postgres")
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", "pgtest.service")
        wait_for(lambda: box.run(f"{PG}/pg_isready", "-h", "/run/pgtest",
                                 check=False).returncode == 0, 30, "PostgreSQL")
        cls.query("create role tend login; create role healer login; grant healer to postgres;"
                  "create table jobs (id int, state text); create table log (text text, n int);"
                  "alter table jobs owner to healer; alter table log owner to healer;"
                  "grant select on jobs, log to tend;")
        box.write("/etc/tend/tend.conf", CONF)
        box.write("/etc/tend/commands.d/sql.conf", MANIFEST)
        box.write("/etc/tend/policies/sql.lua",
                  POLICY + "".join(ONE % number for number in range(POLICIES)))
        cls.unused = iter(range(POLICIES))
        receivers.prepare(box, tend.USER)
        receivers.start(box, (receivers.SINK_UNIT,))
        tend.start(box)
        wait_for(lambda: (tend.ctl(box, "check", "show", "crm/database/login", check=False) or
                          {}).get("state") == "ok", 30, "the log-in")

    @classmethod
    def query(cls, sql):
        return cls.box.out("psql", "-qAt", "-h", "/run/pgtest", "-U", "postgres", "-d", "postgres",
                           stdin=sql + ";\n")

    def setUp(self):
        self.query("truncate jobs, log; insert into jobs select i, 'stuck' from "
                   "generate_series(1, 10) i; insert into log values ('one', 0)")

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def begin(self, name, params=""):
        before = {run["id"] for run in tend.ctl(self.box, "run", "list")}
        tend.ctl(self.box, "policy", "run", f"sql{next(self.unused)}", "crm/database",
                 f"name={name}", *([f"params={params}"] if params else []))
        return wait_for(lambda: {run["id"] for run in tend.ctl(self.box, "run", "list")} - before,
                        10, "the run").pop()

    def step(self, run, timeout=60):
        """The step sql.execute of the run, which is over."""
        def over():
            found = tend.ctl(self.box, "run", "show", run, check=False)
            return found if found and found["state"] != "live" else None
        found = wait_for(over, timeout, "the run's end")
        step, = (step for step in found["steps"] if step["verb"] == "sql.execute")
        step["run"] = found["state"]
        return step

    def do(self, name, params=""):
        return self.step(self.begin(name, params))

    def free(self):
        return self.query("select count(*) from jobs where state = 'free'")

    def test_done(self):
        step = self.do("free-job", "3,stuck")
        self.assertEqual((step["state"], step["value"]["affected"]), ("done", 1), step)
        self.assertEqual(self.query("select id from jobs where state = 'free'"), "3")
        step = self.do("free-job", "3,stuck")
        self.assertEqual((step["state"], step["value"]["affected"]), ("done", 0), step)

    def test_too_many_rows_are_rolled_back(self):
        step = self.do("free-all")
        self.assertEqual((step["state"], self.free()), ("failed", "0"), step)
        self.assertIn("10 rows, at most 5 are allowed: rolled back", step["message"])
        self.query("delete from jobs where id > 5")
        self.assertEqual((self.do("free-all")["state"], self.free()), ("done", "5"))
        step = self.do("free-all")
        self.assertEqual(step["state"], "refused")
        self.assertIn("2 an hour", step["message"])

    def test_what_is_refused(self):
        for name, params, why in (("drop", "", "no [sql drop]"), ("elsewhere", "", "not for"),
                                  ("free-job", "0,stuck", "not within"),
                                  ("free-job", "1,x' or 'a' = 'a", "none of the values"),
                                  ("free-job", "", "needs the parameter")):
            with self.subTest(name=name, params=params):
                step = self.do(name, params)
                self.assertEqual(step["state"], "refused", step)
                self.assertIn(why, step["message"])
        self.assertEqual(self.query("select count(*) from jobs where state = 'stuck'"), "10")

    def test_outside_of_a_transaction(self):
        self.assertEqual(self.do("clean")["state"], "done")

    def test_the_database_goes_away_in_the_midst(self):
        """Before COMMIT nothing has happened, and that is said; it is no unknown."""
        run = self.begin("slow", "20")
        wait_for(lambda: self.query("select count(*) from pg_stat_activity where query like "
                                    "'insert into log%'") == "1", 20, "the statement")
        self.box.run("systemctl", "kill", "-s", "KILL", "pgtest.service")
        step = self.step(run)
        self.assertEqual(step["state"], "failed", step)
        self.box.run("systemctl", "reset-failed", "pgtest.service", check=False)
        wait_for(lambda: self.box.run("systemctl", "start", "pgtest.service",
                                      check=False).returncode == 0, 30, "PostgreSQL to start")
        wait_for(lambda: self.box.run(f"{PG}/pg_isready", "-h", "/run/pgtest",
                                      check=False).returncode == 0, 30, "PostgreSQL")
        self.assertEqual(self.query("select count(*) from log where text = 'slow'"), "0")

    def kill_tendd_in(self, name):
        run = self.begin(name, "4")
        wait_for(lambda: self.query("select count(*) from pg_stat_activity where query like "
                                    "'%pg_sleep%' and pid <> pg_backend_pid() and "
                                    "state = 'active'") == "1", 20, "the statement")
        self.box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: tend.ctl(self.box, "status", check=False), 20, "tendd to be back")
        return self.step(run)

    def test_tendd_dies_in_the_midst(self):
        step = self.kill_tendd_in("slow")
        self.assertEqual((step["state"], step["run"]), ("unknown", "unknown"), step)

    def test_tendd_dies_in_the_midst_of_what_may_be_repeated(self):
        step = self.kill_tendd_in("slow-again")
        self.assertEqual((step["state"], step["value"]["affected"]), ("done", 1), step)


if __name__ == "__main__":
    unittest.main()
