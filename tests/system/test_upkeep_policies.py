# SPDX-License-Identifier: MIT
"""The shipped policies of upkeep on real services: a worker that grows, web nodes behind HAProxy
with people on them, a PostgreSQL database with bloat and locks, accounts, inspections."""

import json
import os
import re
import subprocess
import unittest

from tendbox import Box, receivers, tend, wait_for

PG = "/usr/lib/postgresql/15/bin"
DATA = "/var/lib/postgresql/upkeep"
CONNECTION = "host=/run/pgtest user=postgres dbname=crm"

PG_UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
User=postgres
RuntimeDirectory=pgtest
ExecStart={PG}/postgres -D {DATA} -k /run/pgtest -c listen_addresses= -c fsync=off \
 -c autovacuum=off
"""

# Two processes, the second holds the memory: what counts is the unit, not its main process.
GROWN = """import os, sys, time
size = int(sys.argv[1]) << 20
if os.fork() == 0:
    kept = bytearray(os.urandom(1 << 20)) * (size >> 20)
    time.sleep(100000)
os.wait()
"""
WORKER_UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'echo %i $INVOCATION_ID >> /var/log/starts'
ExecStart=/usr/bin/python3 /opt/grown.py %i
"""

NODE = """import http.server, random, socketserver, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/health":
            time.sleep(random.random() / 20)
        body = sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
NODE_UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'echo %i $INVOCATION_ID >> /var/log/starts'
ExecStartPre=/bin/sh -c 'test ! -e /run/broken-%i'
ExecStart=/usr/bin/python3 /opt/node.py 800%i
"""

# Four people who never wait; the log has a line for each request.
CLIENT = """import http.client, threading, time

log = open("/var/log/client.log", "a", buffering=1)

def person():
    while True:
        try:
            c = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
            for _ in range(5):
                c.request("GET", "/page")
                answer = c.getresponse()
                log.write(f"{answer.status} {answer.read().decode()}\\n")
            c.close()
        except Exception as error:
            log.write(f"failed {error!r}\\n")
            time.sleep(0.05)

for _ in range(4):
    threading.Thread(target=person).start()
"""

HAPROXY = """global
	stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
	mode http
	timeout connect 2s
	timeout client 10s
	timeout server 10s
frontend people
	bind 127.0.0.1:8000
	default_backend crm
backend crm
	balance roundrobin
	option httpchk GET /health
	server web1 127.0.0.1:8001 check inter 200ms rise 2 fall 2
	server web2 127.0.0.1:8002 check inter 200ms rise 2 fall 2
"""
HAPROXY_UNIT = """[Service]
User=haproxy
RuntimeDirectory=haproxy
ExecStart=/usr/sbin/haproxy -db -f /etc/haproxy/test.cfg
"""


def _checked(component, probe, text, **more):
    options = "".join(f"{name} = {value}\n" for name, value in more.items())
    return (f"[component crm/{component}]\n{text}\n[check crm/{component}/well]\nprobe = {probe}\n"
            f"interval = 500ms\ntimeout = 400ms\nconfirm = 2 of 2\n{options}\n")


def _database(name, dbname):
    return f"""[component crm/{name}]
kind = database
[database crm/{name}]
service = postgres
host = /run/pgtest
dbname = {dbname}
user = tend
admin.user = healer
[check crm/{name}/login]
probe = postgres
host = /run/pgtest
dbname = {dbname}
user = tend
interval = 1s
timeout = 900ms
"""


CONF = """[daemon]
mode.staging = auto
policy_dirs = /etc/tend/policies
cooldown = 0

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
[route default]
receivers = ops

[system crm]
environment = staging

[window always]
cron = * * * * *
duration = 1h
match_component = crm/database
actions = allow

[policy recycle-worker]
param.limit_mib = 60
param.within = 20s

[policy rolling-restart]
param.nodes = crm/web1, crm/web2
param.idle = node-idle
param.close = node-close
param.patience = 10s
param.within = 8s
param.ok = 2

[policy database-upkeep]
budget = 1000
param.analyse = database-analyse
param.reindex = database-reindex
param.reindex_most = 10
param.bloat_mib = 1
param.purge = purge-jobs

[policy audit-accounts]
param.accounts = select login, active, admin, rights, last_login_days from accounts
param.people = select login from people
param.most = 1

[policy inspect-weekly]
param.report_to = crm/host/inspected
param.kinds = web, database

[component crm/host]
kind = host
[check crm/host/inspected]
probe = passive
ttl = 20s
interval = 500ms
confirm = 1 of 1
""" + "".join([
    _checked("grown", "unit", "kind = app\nunit = worker@120.service", unit="worker@120.service"),
    _checked("small", "unit", "kind = app\nunit = worker@5.service", unit="worker@5.service"),
    _checked("balancer", "unit", "kind = integration\nunit = haproxy.service", unit="haproxy.service"),
    _checked("web1", "http", "kind = web\nunit = crm-web@1.service",
             url="http://127.0.0.1:8001/health"),
    _checked("web2", "http", "kind = web\nunit = crm-web@2.service",
             url="http://127.0.0.1:8002/health"),
    _database("database", "crm"), _database("other", "postgres")])

# What no shipped policy does: the exception of a day that is over.
BY_HAND = """policy "old-exception" {
	hand = true,
	params = { key = { type = "string" } },
	run = function(ctx)
		return tend.record.put { kind = "exception", key = ctx.params.key, value = {
			until_date = "2020-01-01", why = "long ago", author = "ann" } }
	end,
}
"""

SCHEMA = """
create table party (id serial primary key, name text, city text, born date);
insert into party (name, city, born)
	select md5(g::text), 'city ' || g % 20, case when g % 4 > 0 then date '1980-01-01' + g % 9000 end
	from generate_series(1, 120000) g;
create index party_name on party (name);
create index party_city on party (city);
create index party_city_name on party (city, name);
create index party_born on party (born);
create index party_lower on party (upper(name));
create index party_half on party (name) where id % 2 = 0;
create table ir_queue (id serial primary key, finished_at timestamptz);
insert into ir_queue (finished_at) select now() - g * interval '1 day' from generate_series(1, 60) g;
create table accounts (login text, active bool, admin bool, rights text, last_login_days int);
create table people (login text);
create extension pgstattuple;
grant select, delete, update on ir_queue to healer;
analyze;
"""


def bloat_query():
    """As the policy has it."""
    with open(os.path.join(tend.ROOT, "lua/policies/database-upkeep.lua"), encoding="utf-8") as file:
        return re.search(r"local BLOAT = \[\[(.*?)\]\]", file.read(), re.S).group(1)


class Upkeep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("upkeep")
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        box = cls.box
        tend.install(box, etc=None)
        box.run("rm", "-rf", "/etc/tend/conf.d")
        cls.prepare_services(box)
        box.write("/etc/tend/tend.conf", CONF)
        box.write("/etc/tend/policies/by-hand.lua", BY_HAND)
        cls.prepare_manifest(box)
        receivers.prepare(box, tend.USER)
        receivers.start(box, (receivers.SINK_UNIT,))
        tend.start(box)
        # The inspection that reports was not yet.
        wait_for(lambda: {check["state"] for check in cls.ctl("check", "list")
                          if check["name"] != "crm/host/inspected"} == {"ok"}, 30,
                 "all to be well")

    @classmethod
    def prepare_services(cls, box):
        for name, text in (("pgtest", PG_UNIT), ("worker@", WORKER_UNIT), ("crm-web@", NODE_UNIT),
                           ("haproxy", HAPROXY_UNIT),
                           ("client", "[Service]\nExecStart=/usr/bin/python3 /opt/client.py\n")):
            box.write(f"/etc/systemd/system/{name}.service", text)
        for name, text in (("grown", GROWN), ("node", NODE), ("client", CLIENT)):
            box.write(f"/opt/{name}.py", text)
        box.write("/etc/haproxy/test.cfg", HAPROXY)
        box.run("install", "-d", "-o", "postgres", "-m", "0700", DATA)
        box.run(f"{PG}/initdb", "-A", "trust", "-N", "-D", DATA, user="postgres")
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", "pgtest", "worker@120", "worker@5", "crm-web@1", "crm-web@2",
                "haproxy")
        wait_for(lambda: box.run(f"{PG}/pg_isready", "-h", "/run/pgtest",
                                 check=False).returncode == 0, 30, "PostgreSQL")
        cls.query("create database crm;", "postgres")
        cls.query("create role tend login in role pg_monitor, pg_read_all_data;"
                  "create role healer login;" + SCHEMA)

    @classmethod
    def prepare_manifest(cls, box):
        """The shipped examples, for this database and this backend."""
        box.run("rm", "-f", "/etc/tend/commands.d/crm.conf")
        for name in ("upkeep", "balancer"):
            with open(f"{tend.ROOT}/etc/commands.d/{name}.conf.example", encoding="utf-8") as file:
                text = file.read()
            text = text.replace("\tcrm\n\t5\n", f"\t{CONNECTION}\n\t2\n")
            text = re.sub(r"max_per_hour = \d+\n", "", text)
            text = re.sub(r"(?m)^(\[.*\])$", r"\1\nmax_per_hour = 1000", text)
            box.write(f"/etc/tend/commands.d/{name}.conf", text)
        box.write("/etc/tend/commands.d/worker.conf", "".join(
            f"[unit worker@{size}.service]\nallow = restart\n" for size in (120, 5)))

    @classmethod
    def query(cls, sql, database="crm"):
        return cls.box.out("psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", "/run/pgtest", "-U",
                           "postgres", "-d", database, stdin=sql + "\n", timeout=120)

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def run_policy(self, policy, target, *params, timeout=120):
        """By hand; the run when it is over."""
        run = self.ctl("policy", "run", policy, target, *params)["run"]

        def over():
            found = self.ctl("run", "show", run, check=False)
            return found if found and found["state"] not in ("live", "queued") else None
        return wait_for(over, timeout, f"the end of {policy}")

    def acts(self, run):
        """The steps that change something: (verb, what) in order."""
        return [(step["verb"], step["args"].get("unit") or step["args"].get("command") or
                 step["args"].get("name")) for step in run["steps"]
                if step["verb"] in ("unit.restart", "command.run", "sql.execute")]

    def starts(self, name):
        return sum(line.split()[0] == name for line in self.box.read("/var/log/starts").splitlines())

    def told(self, pattern):
        """Messages that came to the receiver."""
        bodies = [entry["body"] for entry in receivers.sink_log(self.box) if entry["verified"]]
        texts = {body["id"]: json.dumps(body, ensure_ascii=False) for body in bodies}
        return [text for text in texts.values() if re.search(pattern, text)]

    # ---- recycle-worker

    def test_worker(self):
        run = self.run_policy("recycle-worker", "crm/grown")
        self.assertEqual(run["state"], "done", run)
        self.assertEqual(self.starts("120"), 2)
        self.assertEqual(self.acts(run), [("unit.restart", "worker@120.service")])
        self.assertRegex(json.dumps(run), r"restarted at \d+ MiB")
        size = int(re.search(r"restarted at (\d+) MiB", json.dumps(run)).group(1))
        self.assertTrue(118 <= size <= 160, size)
        wait_for(lambda: self.told("had grown to"), 20, "people to be told")
        run = self.run_policy("recycle-worker", "crm/small")
        self.assertEqual((run["state"], self.acts(run), self.starts("5")), ("done", [], 1), run)

    # ---- rolling-restart

    def haproxy(self):
        script = ("import socket; s = socket.socket(socket.AF_UNIX); "
                  "s.connect('/run/haproxy/admin.sock'); s.sendall(b'show stat\\n'); "
                  "print(b''.join(iter(lambda: s.recv(65536), b'')).decode())")
        rows = [line.split(",") for line in self.box.out("python3", "-c", script).splitlines()]
        return {row[1]: row[17] for row in rows if len(row) > 17 and row[0] == "crm"}

    def answers(self):
        lines = self.box.read("/var/log/client.log").splitlines()
        return [line for line in lines if line.startswith("200 ")], \
            [line for line in lines if not line.startswith("200 ")]

    def test_nodes(self):
        before = [self.starts(node) for node in "12"]
        self.box.run("systemctl", "start", "client")
        self.addCleanup(self.box.run, "systemctl", "stop", "client")
        wait_for(lambda: {"200 8001", "200 8002"} <= set(self.answers()[0]), 20, "the people")
        run = self.run_policy("rolling-restart", "crm/balancer")
        self.assertEqual(run["state"], "done", run)
        self.assertEqual([self.starts(node) for node in "12"], [n + 1 for n in before])
        self.assertEqual(self.acts(run), [
            step for node in "12" for step in (
                ("command.run", "node-drain"), ("command.run", "node-close"),
                ("unit.restart", f"crm-web@{node}.service"), ("command.run", "node-ready"))])
        seen = len(self.answers()[0])
        wait_for(lambda: {"200 8001", "200 8002"} <= set(self.answers()[0][seen:]), 20,
                 "both nodes to be used again")
        good, bad = self.answers()
        self.assertEqual(bad, [])
        print(f"rolling-restart: {len(good)} requests, {len(bad)} failed")

        # The second time the first node does not come back.
        self.box.run("touch", "/run/broken-1")
        self.addCleanup(self.mend_node)
        run = self.run_policy("rolling-restart", "crm/balancer")
        self.assertNotEqual(run["state"], "done", run)
        self.assertIn("stays out", json.dumps(run))
        self.assertEqual(self.starts("2"), before[1] + 1)
        self.assertEqual(self.haproxy()["web2"], "UP")
        self.assertIn("MAINT", self.haproxy()["web1"])
        self.assertEqual(self.answers()[1], [])

        # These people would notice a restart without all that.
        def noticed():
            self.box.run("systemctl", "restart", "crm-web@2")
            return self.answers()[1]
        wait_for(noticed, 30, "somebody to notice a restart")

    def mend_node(self):
        self.box.run("rm", "-f", "/run/broken-1")
        self.box.run("systemctl", "restart", "crm-web@1")
        wait_for(lambda: self.ctl("check", "show", "crm/web1/well")["state"] == "ok", 20, "web1")

    # ---- database-upkeep

    def sizes(self):
        rows = self.query("select indexrelid::regclass, pg_relation_size(indexrelid) from pg_index "
                          "where indrelid = 'party'::regclass;").splitlines()
        return {name: int(size) for name, size in (row.split("|") for row in rows)}

    def files(self):
        return self.query("select relname, relfilenode from pg_class where relname like 'party%';")

    def estimates(self):
        """As the role that only looks sees them."""
        sql = bloat_query().replace("$1", "8192")
        rows = self.box.out("psql", "-qAt", "-h", "/run/pgtest", "-U", "tend", "-d", "crm",
                            stdin=f"explain (analyze, format json) {sql};\n{sql};\n")
        plan, _, found = rows.rpartition("]\n")
        self.assertLess(json.loads(plan + "]")[0]["Execution Time"], 60000)
        return {row.split("|")[0]: row.split("|")[1:] for row in found.splitlines() if "|" in row}

    def test_database(self):
        # What was just built needs what it has.
        self.query("reindex table party; analyze party;")
        sizes, found = self.sizes(), self.estimates()
        for name, size in sizes.items():
            bytes_, complete, needed = found[name]
            self.assertEqual((int(bytes_), complete), (size, "t"), name)
            print(f"bloat of {name}: {float(needed) / size:.2f} of its {size} bytes are needed")
            self.assertTrue(0.8 < float(needed) / size < 1.25, (name, needed, size))
        self.assertNotIn("database-upkeep", self.acts(self.run_policy("database-upkeep", "crm/database")))
        self.assertEqual(self.sizes(), sizes)

        # Nine of ten rows go; the pages stay.
        self.query("delete from party where id % 10 > 0; vacuum party;")
        self.query("delete from ir_queue; insert into ir_queue (finished_at) "
                   "select now() - g * interval '1 day' from generate_series(1, 60) g;")
        bloated = self.sizes()
        run = self.run_policy("database-upkeep", "crm/database")
        self.assertEqual(run["state"], "done", run)
        after = self.sizes()
        done = [step["args"]["args"]["index"] for step in run["steps"]
                if step["args"].get("command") == "database-reindex"]
        self.assertIn("party_name", done)
        for name in done:
            self.assertLess(after[name] * 3, bloated[name], (name, bloated, after))
            density = float(self.query(f"select avg_leaf_density from pgstatindex('{name}');"))
            self.assertGreater(density, 80, name)
        for name in set(bloated) - set(done):
            self.assertLess(bloated[name] - after[name], 1 << 20, name)
        self.assertEqual(self.query("select count(*), count(*) filter (where finished_at < now() - "
                                    "interval '30 days') from ir_queue;"), "29|0")
        print(f"reindexed {done}: {bloated} -> {after}")

        # There is nothing left to be done another time.
        files = self.files()
        run = self.run_policy("database-upkeep", "crm/database")
        self.assertEqual((run["state"], self.files()), ("done", files), run)
        self.assertEqual(self.acts(run), [("command.run", "database-analyse"),
                                          ("sql.execute", "purge-jobs")])

    def session(self, sql):
        """A user's transaction, open until the end of the test."""
        child = subprocess.Popen(
            self.box.argv("psql", "-qAt", "-h", "/run/pgtest", "-U", "postgres", "-d", "crm"),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        child.stdin.write(f"set application_name = 'user'; begin; {sql};\n")
        child.stdin.flush()

        def end():
            if not child.stdin.closed:
                child.stdin.close()
            child.wait(20)
        self.addCleanup(end)
        wait_for(lambda: self.query("select count(*) from pg_stat_activity where application_name "
                                    "= 'user' and state = 'idle in transaction';") == "1", 20,
                 "the transaction")
        return end

    def test_long_transaction(self):
        self.session("select 1")
        files = self.files()
        wait_for(lambda: self.query("select max(now() - xact_start) > interval '2s' from "
                                    "pg_stat_activity where application_name = 'user';") == "t", 20,
                 "it to be long")
        run = self.run_policy("database-upkeep", "crm/database", "longest=1s")
        self.assertEqual((run["state"], self.acts(run), self.files()), ("done", [], files), run)
        self.assertRegex(json.dumps(run), "skipped: a transaction is open for")

    def test_outside_its_window(self):
        run = self.run_policy("database-upkeep", "crm/other")
        self.assertEqual((run["state"], self.acts(run)), ("done", []), run)
        self.assertRegex(json.dumps(run), "skipped: no window is open")

    def test_locked(self):
        self.query("create table held (name text);"
                   "insert into held select md5(g::text) from generate_series(1, 60000) g;"
                   "create index held_name on held (name); vacuum analyze held;"
                   "delete from held where ctid not in (select ctid from held limit 100); vacuum held")
        self.addCleanup(self.query, "drop table held")
        end = self.session("lock table held in share mode")
        run = self.run_policy("database-upkeep", "crm/database")
        self.assertEqual(run["state"], "done", run)
        self.assertRegex(json.dumps(run), "held_name is locked, left for another night")
        invalid = "select count(*) from pg_index where not indisvalid;"
        self.assertEqual(self.query(invalid), "0")
        end()

        # It got its lock, and then a transaction that began before stands in its way.
        end = self.session("select count(*) from held; insert into held values ('x')")
        run = self.run_policy("database-upkeep", "crm/database")
        self.assertRegex(json.dumps(run), "held_name is locked, left for another night")
        end()
        run = self.run_policy("database-upkeep", "crm/database")
        self.assertRegex(json.dumps(run), "reindexed held_name")
        end = self.session("lock table ir_queue in access exclusive mode")
        run = self.run_policy("database-upkeep", "crm/database")
        self.assertEqual(run["state"], "failed", run)
        self.assertRegex(json.dumps(run), "purge-jobs: .*lock timeout")
        end()
        self.assertEqual(self.query(invalid), "0")

    # ---- audit-accounts

    def audit(self):
        run = self.run_policy("audit-accounts", "crm/database")
        self.assertEqual(run["state"], "done", run)
        self.assertEqual(self.acts(run), [])
        return re.search(r"(\d+) new, (\d+) still open, (\d+) closed, (\d+) accepted",
                         json.dumps(run)).groups()

    def findings(self, *words):
        return {one["key"]: one for one in self.ctl("finding", "list", "crm/database", *words)}

    def test_accounts(self):
        monday = 1 if self.box.out("date", "+%u") == "1" else 0
        self.query("insert into people values ('ann'), ('bob');"
                   "insert into accounts values ('ann', true, true, 'all', 1),"
                   "('bob', true, false, 'sales', 2);")
        self.assertEqual(self.audit(), ("0", "0", "0", "0"))
        self.query("insert into accounts values ('eve', true, false, 'sales', 200);"
                   "update accounts set admin = true where login = 'bob';")
        self.assertEqual(self.audit(), ("4", "0", "0", "0"))
        self.assertEqual({key: one["value"]["severity"] for key, one in self.findings("--open").items()},
                         {"leaver/eve": "critical", "idle/eve": "warning", "admins": "warning",
                          "rights/bob": "critical"})
        wait_for(lambda: self.told("eve can log in and is not among"), 20, "people to be told")
        # Told once, again on Mondays.
        self.assertEqual(self.audit(), ("0", "4", "0", "0"))
        self.assertEqual(len(self.told("eve can log in and is not among")), 1 + monday)

        # Three of them are accepted until a day; bob's rights are then what is compared with.
        for key in ("idle/eve", "leaver/eve", "rights/bob"):
            self.ctl("finding", "accept", "crm/database", key, "2099-12-31", "-m", "she is back soon")
        for words in (("leaver/eve", "2099-02-30", "-m", "x"), ("leaver/eve", "2020-01-01", "-m", "x"),
                      ("leaver/eve", "2099-12-31"), ("nobody/x", "2099-12-31", "-m", "x")):
            done = self.box.run("tendctl", "finding", "accept", "crm/database", *words, check=False)
            self.assertNotEqual(done.returncode, 0, words)
        accepted = {one["key"]: one for one in self.ctl("finding", "exceptions", "crm/database")}
        self.assertEqual(set(accepted), {"idle/eve", "leaver/eve", "rights/bob"})
        self.assertEqual((accepted["idle/eve"]["value"]["author"],
                          accepted["idle/eve"]["value"]["why"]), ("root", "she is back soon"))
        self.assertEqual(self.audit(), ("0", "1", "1", "2"))
        self.assertEqual(set(self.findings("--open")), {"admins"})
        self.assertEqual(self.findings()["leaver/eve"]["value"]["state"], "accepted")
        self.assertNotIn("rights/bob", {one["key"] for one in self.ctl("finding", "exceptions")})

        # The day is over: it is told anew. What is mended is closed.
        self.run_policy("old-exception", "crm/database", "key=leaver/eve")
        self.query("update accounts set admin = false, rights = 'all' where login = 'bob';")
        before = len(self.told("new: eve can log in and is not among"))
        self.assertEqual(self.audit(), ("2", "0", "1", "1"))
        wait_for(lambda: len(self.told("new: eve can log in and is not among")) == before + 1, 20,
                 "people to be told anew")
        self.query("update accounts set active = false where login = 'eve';"
                   "update accounts set rights = 'sales', admin = true where login = 'bob';"
                   "update accounts set admin = false where login = 'ann';")
        self.audit()
        self.assertEqual(self.findings()["leaver/eve"]["value"]["state"], "closed")
        self.assertEqual(set(self.findings("--open")), {"rights/ann", "rights/eve"})

    # ---- inspect

    def test_inspection(self):
        run = self.run_policy("inspect-weekly", "crm/host", "backup=0")
        self.assertEqual(run["state"], "done", run)
        key = next(one["key"] for one in self.ctl("record", "list", "report", "crm"))
        self.assertRegex(key, r"^weekly-inspection/\d{4}-\d\d-\d\d$")
        report = self.ctl("record", "show", "report", "crm", key)
        self.assertEqual((report["value"]["checks"], report["policy"]), (4, "inspect-weekly"))
        self.assertIn("weekly inspection of crm: 4 checks", report["value"]["summary"])
        self.assertIn("4 checks", self.box.out("tendctl", "record", "show", "report", "crm", key))
        wait_for(lambda: self.told("weekly inspection of crm: 4 checks"), 20, "people to be told")
        check = self.ctl("check", "show", "crm/host/inspected")
        self.assertEqual(check["state"], "ok")
        self.assertIn("weekly inspection of crm", json.dumps(check))
        # No other one comes.
        missed = wait_for(lambda: (lambda c: c if c["state"] == "critical" else None)(
            self.ctl("check", "show", "crm/host/inspected")), 60, "the inspection to be missed")
        self.assertIn("report-missing", json.dumps(missed))


if __name__ == "__main__":
    unittest.main()
