# SPDX-License-Identifier: MIT
"""The shipped policies that heal, on real services: units that a reload, a restart or a restart of
what depends on them mends; a disk that fills up; a certificate that runs out; a scheduler's job that
died; a PostgreSQL primary that is gone for good.
"""

import os
import re
import unittest

from tendbox import Box, receivers, tend, wait_for

PG = "/usr/lib/postgresql/15/bin"
PLUGINS = "/usr/lib/nagios/plugins"
LOGS = "/srv/logs"
TLS = "/etc/crm/tls"

# A server with two faults of real ones: what it is configured to wait for it waits for, and what its
# one worker does not do does not get done.
SERVER = '''import http.server, pathlib, signal, socket, sys, threading, time
name, port = sys.argv[1], int(sys.argv[2])
broker = name == "broker"
word, worker = None, None
turn = threading.Lock()

def configure(*_):
    global word
    word = pathlib.Path(f"/etc/crm/{name}.conf").read_text().strip()

def take_workers():
    global worker
    listener = socket.create_server(("127.0.0.1", port + 1))
    while True:
        worker, _ = listener.accept()

def ready():
    if not broker or not worker:
        return word == "good" and not broker
    with turn:
        worker.sendall(b"job\\n")
        return bool(worker.recv(16))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        until = time.monotonic() + 5
        while not ready() and time.monotonic() < until:
            time.sleep(0.05)
        if ready():
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"done\\n")
    def log_message(self, *args):
        pass

configure()
signal.signal(signal.SIGHUP, configure)
if broker:
    threading.Thread(target=take_workers, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
'''

# It does not notice that its broker is another one now.
WORKER = '''import socket, time
while True:
    try:
        broker = socket.create_connection(("127.0.0.1", 8104))
        break
    except OSError:
        time.sleep(0.1)
while broker.recv(16):
    broker.sendall(b"done\\n")
time.sleep(100000)
'''

SERVERS = {"reloaded": 8101, "restarted": 8102, "broker": 8103, "lost": 8105}

SERVER_UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 /opt/crm/server.py {name} {port}
ExecReload=/bin/kill -HUP $MAINPID
TimeoutStopSec=5
"""

WORKER_UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 /opt/crm/worker.py
"""

PG_UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
User=postgres
RuntimeDirectory=pg-%i
ExecStart={PG}/postgres -D /var/lib/postgresql/%i -k /run/pg-%i -c listen_addresses= -c fsync=off
TimeoutStartSec=30
"""

PROXY = f"""global
	maxconn 50
defaults
	mode http
	timeout client 5s
	timeout connect 5s
	timeout server 5s
frontend crm
	bind 127.0.0.1:8443 ssl crt {TLS}/crm.pem
	http-request return status 200 content-type text/plain string well
"""

PROXY_UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/sbin/haproxy -Ws -f /etc/crm/haproxy.cfg
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
"""

# The company's CA: $1 is how many days it is good for.
ISSUE = f"""#!/bin/sh
set -eu
cd {TLS}
umask 077
openssl req -newkey rsa:2048 -nodes -subj /CN=crm.test -keyout new.key -out new.csr 2>/dev/null
openssl x509 -req -in new.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days "$1" -out new.crt 2>/dev/null
cat new.crt new.key >new.pem
mv new.pem crm.pem
rm -f new.csr new.key new.crt
"""

CONF = f"""[daemon]
mode.staging = auto
mode.production = auto
operators = ann
viewers = @tend, eve
budget_per_target = 100
budget_global = 1000
cooldown = 1s

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
[route default]
receivers = ops

[policy restart-unit]
param.reload = true
param.dependants = true
param.ok = 2
param.within = 4s

[policy start-database]
param.within = 3s

[policy free-disk]
param.commands = empty-cache, drop-old-logs, drop-all
param.within = 5s

[policy certificate]
param.renew = renew-certificate
param.within = 20s

[policy clear-scheduler]
param.statement = free-dolibarr-job
param.database = crm/database
param.within = 10s

[policy fail-over]
match_component = shop/primary
param.standby = shop/standby
param.after = 3s
param.within = 2m
param.takes = 20s

[system crm]
environment = staging
[system shop]
environment = production

[component crm/worker]
kind = app
unit = crm-worker.service
depends = broker
[check crm/worker/unit]
probe = unit
unit = crm-worker.service
interval = 1s
timeout = 900ms

[component crm/storage]
kind = storage
[check crm/storage/disk-logs]
probe = exec
command = {PLUGINS}/check_disk -w 50% -c 25% -p {LOGS}
interval = 2s
timeout = 1900ms
confirm = 2 of 2

[component crm/proxy]
kind = web
unit = crm-proxy.service
[check crm/proxy/certificate]
probe = exec
command = {PLUGINS}/check_http -I 127.0.0.1 -p 8443 -S -C 14,7
interval = 2s
timeout = 1900ms
confirm = 2 of 2

[component crm/database]
kind = database
unit = pg@crm.service
[database crm/database]
service = postgres
host = /run/pg-crm
dbname = postgres
user = tend
admin.user = healer
[component crm/scheduler]
kind = scheduler
depends = database
[check crm/scheduler/stuck]
probe = postgres
host = /run/pg-crm
dbname = postgres
user = tend
query = select count(*) as stuck from llx_cronjob
	where processing = 1 and datelastrun < now() - interval '30 minutes'
interval = 1s
timeout = 900ms
confirm = 2 of 2
metric = stuck
critical.stuck = 0

[component shop/primary]
kind = database
unit = pg@primary.service
[check shop/primary/answers]
probe = postgres
host = /run/pg-primary
dbname = postgres
user = tend
interval = 1s
timeout = 900ms
confirm = 2 of 2
[component shop/standby]
kind = database
unit = pg@standby.service
[database shop/standby]
service = postgres
host = /run/pg-standby
dbname = postgres
user = tend
"""

SERVER_CONF = """[component crm/{name}]
kind = app
unit = crm-{name}.service
[check crm/{name}/answers]
probe = http
url = http://127.0.0.1:{port}/
interval = 1s
timeout = 900ms
confirm = 2 of 2
"""

MANIFEST = f"""[unit crm-worker.service]
allow = restart
max_per_hour = 100
[unit crm-proxy.service]
allow = reload
max_per_hour = 100
[unit pg@primary.service]
allow = start
max_per_hour = 100
[unit pg@crm.service]
allow = start
max_per_hour = 100

[command empty-cache]
argv =
	/usr/bin/find
	{LOGS}/cache
	-type
	f
	-delete
user = root
writable = {LOGS}
max_per_hour = 100

[command drop-old-logs]
argv =
	/usr/bin/find
	{LOGS}
	-name
	*.log.[0-9]*
	-delete
user = root
writable = {LOGS}
max_per_hour = 100

[command drop-all]
argv =
	/usr/bin/find
	{LOGS}
	-type
	f
	-delete
user = root
writable = {LOGS}
max_per_hour = 100

[command renew-certificate]
argv =
	/opt/crm/issue
	90
user = root
writable = {TLS}
max_per_hour = 100

[sql free-dolibarr-job]
statement =
	update llx_cronjob set processing = 0
	where processing = 1 and datelastrun < now() - interval '30 minutes'
components = crm/database
max_rows_affected = 2
max_per_hour = 100

[command fence-primary]
argv =
	/usr/bin/systemctl
	mask
	--now
	pg@primary.service
user = root
max_per_hour = 100

[command promote-standby]
argv =
	{PG}/pg_ctl
	promote
	--no-wait
	-D
	/var/lib/postgresql/standby
user = postgres
writable = /var/lib/postgresql/standby
max_per_hour = 100
"""


def query(box, cluster, sql, user="postgres"):
    return box.out("psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", f"/run/pg-{cluster}", "-U", user,
                   "-d", "postgres", stdin=sql + ";\n")


def prepare_servers(box):
    box.write("/opt/crm/server.py", SERVER)
    box.write("/opt/crm/worker.py", WORKER)
    for name, port in SERVERS.items():
        box.write(f"/etc/crm/{name}.conf", "good\n")
        box.write(f"/etc/systemd/system/crm-{name}.service",
                  SERVER_UNIT.format(name=name, port=port))
    box.write("/etc/systemd/system/crm-worker.service", WORKER_UNIT)


def prepare_proxy(box):
    box.run("install", "-d", "-m", "0700", TLS)
    box.write("/etc/crm/haproxy.cfg", PROXY)
    box.write("/opt/crm/issue", ISSUE, mode=0o755)
    box.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
            "/CN=The company's CA", "-keyout", f"{TLS}/ca.key", "-out", f"{TLS}/ca.crt")
    box.run("/opt/crm/issue", "90")
    box.write("/etc/systemd/system/crm-proxy.service", PROXY_UNIT)


def prepare_databases(box):
    """A primary with its standby, and a database of the same kind that has no standby."""
    box.write("/etc/systemd/system/pg@.service", PG_UNIT)
    box.run("systemctl", "daemon-reload")
    folder = "/var/lib/postgresql"
    box.run("install", "-d", "-o", "postgres", "-m", "0700", f"{folder}/primary")
    box.run(f"{PG}/initdb", "-A", "trust", "-N", "-D", f"{folder}/primary", user="postgres")
    box.run("cp", "-a", f"{folder}/primary", f"{folder}/crm")
    box.run("systemctl", "start", "pg@primary.service", "pg@crm.service")
    for cluster in ("primary", "crm"):
        query(box, cluster, "create role tend login; create role healer login;"
              "create table llx_cronjob (rowid int primary key, label text, status int, "
              "processing int, datelastrun timestamptz);"
              "grant select on llx_cronjob to tend; grant select, update on llx_cronjob to healer;"
              "create table sale (id int primary key, amount int)")
    box.run(f"{PG}/pg_basebackup", "-h", "/run/pg-primary", "-D", f"{folder}/standby", "-R", "-X",
            "stream", "-c", "fast", user="postgres")
    box.run("systemctl", "start", "pg@standby.service")


class Healing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("heal", nspawn=[f"--tmpfs={LOGS}:size=16m"])
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        box = cls.box
        for name in ("ann", "eve"):
            box.run("useradd", "--create-home", name)
        tend.install(box, etc=None)
        box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        prepare_servers(box)
        prepare_proxy(box)
        prepare_databases(box)
        box.run("install", "-d", f"{LOGS}/cache")
        box.write("/etc/tend/spawn.conf", f"[spawn]\npaths = {PLUGINS}\n")
        box.write("/etc/tend/tend.conf", CONF + "".join(
            SERVER_CONF.format(name=name, port=port) for name, port in SERVERS.items()))
        box.write("/etc/tend/commands.d/heal.conf", MANIFEST + "".join(
            f"[unit crm-{name}.service]\nallow = restart, reload\nmax_per_hour = 100\n"
            for name in SERVERS))
        receivers.prepare(box, tend.USER)
        receivers.start(box, (receivers.SINK_UNIT,))
        box.run("systemctl", "start", *(f"crm-{name}.service" for name in
                                        (*SERVERS, "worker", "proxy")))
        done = tend.check(box)
        assert done.returncode == 0, done.stdout
        tend.start(box)
        checks = [f"crm/{name}/answers" for name in SERVERS] + [
            "crm/storage/disk-logs", "crm/proxy/certificate", "crm/scheduler/stuck",
            "shop/primary/answers"]
        wait_for(lambda: all(cls.state(check) == "ok" for check in checks), 30,
                 "all to be well")

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    @classmethod
    def state(cls, check):
        found = cls.ctl("check", "show", check, check=False)
        return found["state"] if found else None

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def runs(self, target, policy):
        """Oldest first."""
        return [run for run in reversed(self.ctl("run", "list"))
                if (run["target"], run["policy"]) == (target, policy)]

    def over(self, target, policy, state, message=""):
        """The first run that ended so, with its steps."""
        for run in self.runs(target, policy):
            if run["state"] == state and re.search(message, run["message"] or ""):
                return self.ctl("run", "show", run["id"])
        return None

    def ended(self, target, policy, state, message="", timeout=60):
        return wait_for(lambda: self.over(target, policy, state, message), timeout,
                        f"{policy} on {target} to be {state} '{message}'")

    def actions(self, run):
        """What was done and how it ended, without what only looks."""
        return [(step["verb"], step["args"].get("unit") or step["args"].get("command") or
                 step["args"].get("name"), step["state"]) for step in run["steps"]
                if step["verb"].split(".")[0] in ("unit", "command", "sql") and
                step["verb"] not in ("unit.show", "sql.query")]

    def paged(self, target):
        return [entry["body"]["data"]["text"] for entry in receivers.sink_log(self.box)
                if entry["verified"] and entry["body"]["type"] == "tend.policy.failed" and
                entry["body"]["data"].get("component") == target]

    def well(self, check):
        wait_for(lambda: self.state(check) == "ok", 20, f"{check} to be well")

    def test_the_example_of_a_manifest(self):
        with open(f"{tend.ROOT}/etc/commands.d/heal.conf.example", encoding="utf-8") as file:
            self.box.write("/etc/tend/example.d/heal.conf", file.read())
        done = self.box.run("/usr/libexec/tend/tend-exec", "-t", "--manifest-dir",
                            "/etc/tend/example.d", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    # ---- restart-unit

    def configure(self, name, word):
        self.box.write(f"/etc/crm/{name}.conf", word + "\n")

    def test_a_reload_mends_it(self):
        self.configure("reloaded", "bad")
        pid = self.box.main_pid("crm-reloaded.service")
        self.box.run("systemctl", "reload", "crm-reloaded.service")
        self.configure("reloaded", "good")
        run = self.ended("crm/reloaded", "restart-unit", "done")
        self.assertEqual(self.actions(run), [("unit.reload", "crm-reloaded.service", "done")])
        self.assertTrue(run["verified"])
        self.well("crm/reloaded/answers")
        self.assertEqual(self.box.main_pid("crm-reloaded.service"), pid)

    def test_a_restart_mends_it(self):
        pid = self.box.main_pid("crm-restarted.service")
        self.box.run("systemctl", "kill", "-s", "STOP", "crm-restarted.service")
        run = self.ended("crm/restarted", "restart-unit", "done")
        self.assertEqual(self.actions(run), [("unit.reload", "crm-restarted.service", "done"),
                                             ("unit.restart", "crm-restarted.service", "done")])
        self.well("crm/restarted/answers")
        self.assertNotEqual(self.box.main_pid("crm-restarted.service"), pid)

    def test_a_restart_of_what_depends_on_it_mends_it(self):
        pid = self.box.main_pid("crm-worker.service")
        self.box.run("systemctl", "restart", "crm-broker.service")
        run = self.ended("crm/broker", "restart-unit", "done")
        self.assertEqual(self.actions(run), [("unit.reload", "crm-broker.service", "done"),
                                             ("unit.restart", "crm-broker.service", "done"),
                                             ("unit.restart", "crm-worker.service", "done")])
        self.well("crm/broker/answers")
        self.assertNotEqual(self.box.main_pid("crm-worker.service"), pid)

    def test_what_nothing_helps_is_paged(self):
        self.configure("lost", "bad")
        self.box.run("systemctl", "reload", "crm-lost.service")
        run = self.ended("crm/lost", "restart-unit", "failed")
        self.assertEqual(self.actions(run), [("unit.reload", "crm-lost.service", "done"),
                                             ("unit.restart", "crm-lost.service", "done")])
        self.assertIn("no unit that depends on it was restarted", run["message"])
        wait_for(lambda: self.paged("crm/lost"), 10, "the page")
        self.configure("lost", "good")
        self.box.run("systemctl", "reload", "crm-lost.service")
        self.well("crm/lost/answers")

    # ---- free-disk

    def test_a_disk_is_freed_by_the_mildest_measure_that_helps(self):
        for name, mib in (("cache/one", 1), ("app.log", 1), ("app.log.1", 6), ("app.log.2", 6)):
            self.box.run("dd", "if=/dev/zero", f"of={LOGS}/{name}", "bs=1M", f"count={mib}")
        run = self.ended("crm/storage", "free-disk", "done")
        self.assertEqual(self.actions(run), [("command.run", "empty-cache", "done"),
                                             ("command.run", "drop-old-logs", "done")])
        self.well("crm/storage/disk-logs")
        self.assertEqual(sorted(self.box.out("find", LOGS, "-type", "f").split()),
                         [f"{LOGS}/app.log"])
        self.assertEqual(self.paged("crm/storage"), [])

    # ---- certificate

    def served(self):
        """Serial number of the certificate that the proxy shows now."""
        shown = self.box.out("sh", "-c", "openssl s_client -connect 127.0.0.1:8443 </dev/null "
                             "2>/dev/null | openssl x509 -noout -serial")
        return shown.strip()

    def test_a_certificate_is_renewed(self):
        self.box.run("/opt/crm/issue", "2")
        self.box.run("systemctl", "reload", "crm-proxy.service")
        old = wait_for(lambda: self.state("crm/proxy/certificate") == "critical" and self.served(),
                       30, "the certificate to run out")
        run = self.ended("crm/proxy", "certificate", "done")
        self.assertEqual(self.actions(run), [("command.run", "renew-certificate", "done"),
                                             ("unit.reload", "crm-proxy.service", "done")])
        self.well("crm/proxy/certificate")
        new = self.served()
        self.assertNotEqual(new, old)
        self.assertEqual(new, self.box.out("openssl", "x509", "-noout", "-serial", "-in",
                                           f"{TLS}/crm.pem").strip())
        self.assertEqual(self.paged("crm/proxy"), [])

    def test_certificates_are_reported(self):
        self.well("crm/proxy/certificate")
        done = self.as_user("ann", "policy", "run", "certificate", "crm/proxy")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.ended("crm/proxy", "certificate", "done", "1 reported")
        told = wait_for(lambda: [entry["body"]["data"]["text"]
                                 for entry in receivers.sink_log(self.box) if entry["verified"] and
                                 "crm/proxy/certificate: " in entry["body"]["data"].get("text", "")
                                 and entry["body"]["type"] == "tend.policy.message"], 10,
                        "the notice")
        self.assertIn("will expire", told[0])

    # ---- clear-scheduler

    def jobs(self, *rows):
        query(self.box, "crm", "delete from llx_cronjob; insert into llx_cronjob values " +
              ", ".join(f"({i}, 'job {i}', 1, {processing}, now() - interval '{age}')"
                        for i, (processing, age) in enumerate(rows)))

    def processing(self):
        return query(self.box, "crm", "select string_agg(rowid::text, ',' order by rowid) "
                     "from llx_cronjob where processing = 1")

    def test_a_stuck_job_is_freed_and_no_more_than_allowed(self):
        # One has died, one works, one rests.
        self.jobs((1, "1 hour"), (1, "1 minute"), (0, "2 hours"))
        run = self.ended("crm/scheduler", "clear-scheduler", "done")
        self.assertEqual(self.actions(run), [("sql.execute", "free-dolibarr-job", "done")])
        step, = (step for step in run["steps"] if step["verb"] == "sql.execute")
        self.assertEqual(step["value"]["affected"], 1)
        self.well("crm/scheduler/stuck")
        self.assertEqual(self.processing(), "1")
        # That many do not die by themselves.
        self.jobs((1, "1 hour"), (1, "1 hour"), (1, "1 hour"))
        run = self.ended("crm/scheduler", "clear-scheduler", "failed", "rolled back")
        self.assertIn("3 rows, at most 2 are allowed: rolled back", run["message"])
        self.assertEqual(self.processing(), "0,1,2")
        wait_for(lambda: self.paged("crm/scheduler"), 10, "the page")
        self.jobs((0, "1 hour"))
        self.well("crm/scheduler/stuck")

    # ---- fail-over

    def as_user(self, user, *words):
        return self.box.run("tendctl", "-o", "json", *words, user=user, check=False)

    def waiting(self):
        return next((one for one in self.ctl("approval", "list")
                     if one["target"] == "shop/primary" and one["state"] == "waiting"), None)

    def is_standby(self):
        return query(self.box, "standby", "select pg_is_in_recovery()") == "t"

    def test_a_standby_takes_over_when_somebody_signs(self):
        box = self.box
        query(box, "primary", "insert into sale select i, i * 10 from generate_series(1, 1000) i")
        wait_for(lambda: query(box, "standby", "select count(*) from sale") == "1000", 20,
                 "the standby to have it all")
        # For good: the control file is gone, whatever start-database does.
        os.rename(box.path("/var/lib/postgresql/primary/global/pg_control"),
                  box.path("/var/lib/postgresql/primary/pg_control.lost"))
        box.run("systemctl", "kill", "-s", "KILL", "pg@primary.service")
        approval = wait_for(self.waiting, 60, "the question")
        self.assertIn("fail over from shop/primary to shop/standby", str(approval))
        self.assertTrue(self.runs("shop/primary", "start-database"))
        denied = self.as_user("eve", "approval", "grant", approval["id"])
        self.assertEqual(denied.returncode, 77, denied.stderr)
        denied = self.as_user("ann", "approval", "deny", approval["id"], "-m", "not tonight")
        self.assertEqual(denied.returncode, 0, denied.stderr)
        run = self.ended("shop/primary", "fail-over", "failed", "not tonight")
        self.assertEqual(self.actions(run), [])
        # It does not ask again by itself, and nothing was touched.
        self.ended("shop/primary", "fail-over", "refused", "people were asked before")
        self.assertTrue(self.is_standby())
        self.assertEqual(box.show("pg@primary.service", "LoadState")["LoadState"], "loaded")

        wait_for(lambda: self.as_user("ann", "policy", "run", "fail-over",
                                      "shop/primary").returncode == 0, 30, "a run by hand")
        approval = wait_for(self.waiting, 30, "the second question")
        self.assertTrue(self.is_standby())
        # Nor does a dry run promote, though nobody is asked in it.
        before = len(self.runs("shop/primary", "fail-over"))
        done = self.as_user("ann", "policy", "run", "fail-over", "shop/primary", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for(lambda: any(run["dry"] and run["state"] != "live" for run in
                             self.runs("shop/primary", "fail-over")[before:]), 30, "the dry run")
        self.assertTrue(self.is_standby())
        granted = self.as_user("ann", "approval", "grant", approval["id"])
        self.assertEqual(granted.returncode, 0, granted.stderr)
        run = self.ended("shop/primary", "fail-over", "done", "has taken over")
        self.assertEqual(self.actions(run), [("command.run", "fence-primary", "done"),
                                             ("command.run", "promote-standby", "done")])
        self.assertEqual(run["author"], "ann")
        # Each by the limits, and on the host, of what it is about.
        self.assertEqual([step["target"] for step in run["steps"]
                          if step["verb"] == "command.run"], ["shop/primary", "shop/standby"])
        self.assertFalse(self.is_standby())
        query(box, "standby", "insert into sale values (1001, 1)")
        self.assertEqual(query(box, "standby", "select count(*), sum(amount) from sale"),
                         "1001|5005001")
        # It is promoted once, and the old primary stays down.
        self.assertEqual(query(box, "standby", "select left(pg_walfile_name("
                               "pg_current_wal_lsn()), 8)"), "00000002")
        self.assertEqual(box.show("pg@primary.service", "LoadState")["LoadState"], "masked")
        self.assertNotEqual(box.run("systemctl", "start", "pg@primary.service",
                                    check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
