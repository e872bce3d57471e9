# SPDX-License-Identifier: MIT
"""Results that others give a passive check: POST /v1/checks/NAME/report and `tendctl check report`,
with the check's own token, over loopback HTTP and the unix socket, against a real tendd."""

import json
import os
import pwd
import stat
import subprocess
import time
import unittest

from inbox import JOB, PROM, TOKEN, Tendd
from snmpbox import BUILD

SYSTEM = """
[system crm]
environment = production
[component crm/database]
kind = database
[component crm/jobs]
kind = scheduler
"""

# `job` is what lies in the file of that name: JOB.
CHECKS = """
[check crm/database/backup]
probe = passive
report_token = file:@job
ttl = {ttl}
interval = 200ms
timeout = 100ms
flap_high = 0
warning.rows = 100:
critical.rows = 10:
critical.took_seconds = 60
[check crm/jobs/plain]
probe = passive
interval = 1h
confirm = 1 of 1
[check crm/jobs/unit]
probe = unit
unit = none.service
"""

NAME = "crm/database/backup"
PATH = f"/v1/checks/{NAME}/report"


class Reports(unittest.TestCase):
    def tend(self, ttl="26h", **options):
        tend = Tendd(self, SYSTEM + CHECKS.format(ttl=ttl), **options)
        tend.wait(lambda: tend.check(NAME)["reason"] == "report-awaited", 10, "the first look")
        return tend

    @staticmethod
    def post(tend, body, token=JOB, name=NAME, tcp=True):
        return tend.request("POST", f"/v1/checks/{name}/report", body, token=token, tcp=tcp)

    def refused(self, tend, body, status, *words):
        got, answer = self.post(tend, body)
        self.assertEqual(got, status, (str(body)[:200], answer))
        for word in words:
            self.assertIn(word, answer["error"]["message"])

    def show(self, tend, name=NAME):
        return json.loads(tend.ctl("-o", "json", "check", "show", name))

    def test_nothing_reported_is_pending(self):
        tend = self.tend(ttl="3s")
        check = tend.check(NAME)
        self.assertEqual((check["state"], check["now"], check["text"]),
                         ("pending", "pending", "waiting for the first report"))
        row = next(row for row in tend.json("component", "list") if row["name"] == "crm/database")
        self.assertEqual(row["state"], "pending")
        # Neither up nor down.
        rows = tend.json("report", "availability")
        row = next(row for row in rows if row["component"] == "crm/database")
        self.assertEqual((row["availability"], row["down_seconds"]), (None, 0), row)
        tend.wait_told(NAME, ["raised"])
        self.assertEqual(tend.sink.told[0][2]["reason"], "report-missing")
        self.assertEqual(self.post(tend, {"state": "ok"})[0], 200)
        tend.wait_told(NAME, ["raised", "cleared"])

    def test_with_its_token(self):
        tend = self.tend()
        # Over both sockets; the text and the figures are judged as those of any check.
        status, answer = self.post(tend, {"state": "ok", "text": "42 tables",
                                          "metrics": {"rows": 500, "took_seconds": 2.5}})
        self.assertEqual((status, answer["accepted"], answer["ttl_seconds"]), (200, "ok", 93600))
        tend.wait_state(NAME, "ok")
        check = self.show(tend)
        self.assertEqual(check["text"], "42 tables")
        self.assertEqual({m["name"]: (m["value"], m["unit"]) for m in check["metrics"]
                          if m["name"] != "age_seconds"},
                         {"rows": (500, ""), "took_seconds": (2.5, "s")})
        status, _ = self.post(tend, {"state": "ok", "metrics": [
            {"name": "rows", "value": 50, "unit": "rows"}]}, tcp=False)
        self.assertEqual(status, 200)
        tend.wait_state(NAME, "warning")
        self.assertEqual(self.show(tend)["reason"], "threshold")
        tend.wait_told(NAME, ["raised"])
        self.post(tend, {"state": "critical", "reason": "query-failed", "text": "no space left"})
        tend.wait_told(NAME, ["raised", "changed"])
        self.assertEqual([tend.sink.told[-1][2][key] for key in ("reason", "text", "severity")],
                         ["query-failed", "no space left", "critical"])
        self.post(tend, {"state": "ok", "metrics": {"rows": 500}})
        tend.wait_told(NAME, ["raised", "changed", "cleared"])
        # The history has the figures.
        self.assertIn("rows", [row["metric"] for row in tend.json("metric", "list", NAME)])

    def test_who_may(self):
        tend = self.tend()
        ok = {"state": "ok"}
        for token in (None, JOB + "x", PROM, "", JOB[:-1]):
            status, answer = self.post(tend, ok, token=token)
            self.assertEqual(status, 401, (token, answer))
        # Nobody learns which checks there are, or which have a token.
        told = {json.dumps(self.post(tend, ok, token=PROM, name=name)) for name in
                (NAME, "crm/jobs/plain", "crm/jobs/none", "crm/jobs/unit")}
        self.assertEqual(len(told), 1, told)
        self.assertEqual(self.post(tend, ok, name="crm/jobs/plain")[0], 401)
        self.assertEqual(self.show(tend)["state"], "pending")
        # An operator may: by the token of the API, and root over the socket.
        for options in ({"token": TOKEN}, {"token": None, "tcp": False}):
            status, answer = self.post(tend, ok, name="crm/jobs/plain", **options)
            self.assertEqual((status, answer["check"]), (200, "crm/jobs/plain"))
        tend.wait_state("crm/jobs/plain", "ok")
        self.assertEqual(self.post(tend, ok, token=TOKEN, name="crm/jobs/none")[0], 404)
        status, answer = self.post(tend, ok, token=TOKEN, name="crm/jobs/unit")
        self.assertEqual(status, 400)
        self.assertIn("probe = passive", answer["error"]["message"])
        self.assertEqual(tend.request("GET", PATH, tcp=True, token=TOKEN)[0], 404)
        # The token is in no log and no answer.
        with open(tend.log, encoding="utf-8") as log:
            self.assertNotIn(JOB, log.read())
        self.assertNotIn(JOB, tend.ctl("config", "dump"))

    @unittest.skipIf(os.getuid() != 0, "needs root to be somebody else")
    def test_somebody_without_a_role(self):
        tend = self.tend()
        os.chmod(tend.path, 0o755)
        os.chmod(f"{tend.path}/run", 0o755)
        self.assertTrue(os.stat(f"{tend.path}/run/tend.sock").st_mode & stat.S_IWOTH)
        curl = ["curl", "-sS", "-w", "\n%{http_code}",
                "--unix-socket", f"{tend.path}/run/tend.sock", "-d",
                '{"state":"ok"}', f"http://tend{PATH}"]

        def as_nobody(*more):
            return subprocess.run([*curl, *more], capture_output=True, text=True, check=True,
                                  user=pwd.getpwnam("nobody").pw_uid).stdout.split("\n")[-1]

        self.assertEqual(as_nobody(), "403")
        self.assertEqual(as_nobody("-H", f"Authorization: Bearer {PROM}"), "401")
        header = tend.scratch.file("header", f"Authorization: Bearer {JOB}\n")
        self.assertEqual(as_nobody("-H", f"@{header}"), "200")

    def test_what_is_refused(self):
        tend = self.tend(ttl="1h")
        for body, *words in (
                ("", "no JSON"), ("{", "no JSON"), ("[]", "JSON object"), ("7", "JSON"),
                ('{"state":"ok","state":"ok"}', "no JSON"), ({}, "state"),
                ({"state": 0}, "state"), ({"state": "good"}, "state", "good"),
                ({"state": "pending"}, "state"), ({"state": "ok", "stat": 1}, "stat", "nearest"),
                ({"state": "ok", "text": 7}, "text"),
                ({"state": "ok", "reason": "because"}, "reason"),
                ({"state": "ok", "reason": "stale"}, "reason", "critical"),
                ({"state": "ok", "reason": "report-awaited"}, "reason", "pending"),
                ({"state": "ok", "metrics": 7}, "metrics"),
                ({"state": "ok", "metrics": {"Bad": 1}}, "metrics", "Bad"),
                ({"state": "ok", "metrics": {"x": "1"}}, "metrics"),
                ({"state": "ok", "metrics": {"x": None}}, "metrics"),
                ('{"state":"ok","metrics":{"x":1e999}}', "no JSON"),
                ({"state": "ok", "metrics": {f"m{i}": i for i in range(17)}}, "metrics", "16"),
                ({"state": "ok", "metrics": [{"name": "x", "value": 1}] * 2}, "twice"),
                ({"state": "ok", "metrics": [{"name": "x", "value": 1, "unit": "a b"}]}, "unit"),
                ({"state": "ok", "metrics": [3]}, "metrics"),
                ({"state": "ok", "ttl": "2h"}, "ttl", "1h"), ({"state": "ok", "ttl": 3601}, "ttl"),
                ({"state": "ok", "ttl": 0.5}, "ttl", "1s"), ({"state": "ok", "ttl": -5}, "ttl"),
                ({"state": "ok", "ttl": "soon"}, "ttl"), ({"state": "ok", "ttl": 1e300}, "ttl"),
                ({"state": "ok", "observed_at": "yesterday"}, "observed_at"),
                ({"state": "ok", "observed_at": time.time() + 3600}, "observed_at", "clock"),
                ({"state": "ok", "observed_at": time.time() - 7200}, "observed_at", "ago"),
                ({"state": "ok", "observed_at": 1e300}, "observed_at")):
            self.refused(tend, body, 400, *words)
        self.refused(tend, {"state": "ok", "text": "x" * 20000}, 413, "16384")
        self.assertEqual(self.show(tend)["state"], "pending")
        self.assertEqual(
            self.post(tend, {"state": "ok", "metrics": {f"m{i}": i for i in range(16)}})[0], 200)

    def test_foreign_text(self):
        """Cut between characters, and harmless to a terminal."""
        tend = self.tend()
        _, answer = self.post(tend, {"state": "critical", "text": "ä" * 400})
        self.assertEqual(answer["text"], "ä" * 256)
        _, answer = self.post(tend, {"state": "critical", "text": "a\x1b[31mb\nc\u009bd"})
        self.assertNotRegex(answer["text"], "[\x00-\x1f\x7f-\x9f]")
        tend.wait_told(NAME, ["raised"])
        self.assertNotRegex(tend.sink.told[0][2]["text"], "[\x00-\x1f\x7f-\x9f]")

    def test_ttl_is_over(self):
        tend = self.tend()
        self.post(tend, {"state": "ok", "text": "all well", "ttl": "2s"})
        tend.wait_state(NAME, "ok")
        tend.wait_told(NAME, ["raised"])
        self.assertEqual(tend.sink.told[0][2]["reason"], "report-missing")
        self.assertIn("it said ok: all well", tend.sink.told[0][2]["text"])
        self.assertIn("believed for 2s", tend.sink.told[0][2]["text"])
        # Without one it is the check's own again.
        self.post(tend, {"state": "ok"})
        tend.wait_told(NAME, ["raised", "cleared"])

    def test_when_it_was_found_out(self):
        tend = self.tend()
        now = time.time()
        self.post(tend, {"state": "ok", "text": "late", "observed_at": now - 100})
        tend.wait(lambda: self.show(tend)["text"] == "late", 5, "the report")
        age = next(m["value"] for m in self.show(tend)["metrics"] if m["name"] == "age_seconds")
        self.assertGreaterEqual(age, 99)
        # What was found out earlier and comes later is no news.
        status, answer = self.post(tend, {"state": "critical", "observed_at": now - 200})
        self.assertEqual(status, 409, answer)
        self.assertIn("observed_at", answer["error"]["message"])
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 50))
        self.assertEqual(self.post(tend, {"state": "critical", "observed_at": at})[0], 200)
        tend.wait_state(NAME, "critical")

    def test_kept_over_a_kill(self):
        tend = self.tend()
        self.post(tend, {"state": "warning", "text": "slow", "ttl": "6s", "metrics": [
            {"name": "rows", "value": 200, "unit": "rows"}]})
        tend.wait_state(NAME, "warning")
        tend.kill()
        tend.start()
        tend.wait(lambda: self.show(tend)["text"] == "slow", 10, "what was reported")
        check = self.show(tend)
        self.assertEqual(check["state"], "warning")
        self.assertIn(("rows", 200, "rows"),
                      [(m["name"], m["value"], m["unit"]) for m in check["metrics"]])
        # Its ttl goes on where it was.
        tend.wait(lambda: self.show(tend)["reason"] == "report-missing", 15, "its ttl to be over")

    def test_not_too_often(self):
        tend = self.tend(daemon="inbound_rate_per_minute = 6")
        sent = [self.post(tend, {"state": "ok"})[0] for _ in range(12)]
        self.assertEqual(sent, [200] * 10 + [429] * 2)
        self.assertIn(int(tend.headers["Retry-After"]), range(1, 11))
        # Who guesses waits, too, and takes nothing from the others.
        sent = [self.post(tend, {"state": "ok"}, token=PROM)[0] for _ in range(11)]
        self.assertEqual(sent, [401] * 10 + [429])
        self.assertEqual(
            self.post(tend, {"state": "ok"}, token=TOKEN, name="crm/jobs/plain")[0], 200)
        self.assertIn('tend_api_limited_total{path="reports"} 3',
                      tend.request("GET", "/metrics")[1])

    def test_window(self):
        """While a window pauses the check a report is kept; it is looked at when that ends."""
        end = time.time() + 5
        tend = Tendd(self, SYSTEM + CHECKS.format(ttl="1h") + f"""
[window now]
start = {time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60))}
end = {time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end))}
match_component = crm/*
checks = pause
""")
        self.assertEqual(self.post(tend, {"state": "critical", "text": "full"})[0], 200)
        self.assertEqual(tend.state(NAME), "pending")
        tend.wait_state(NAME, "critical", 15)
        self.assertGreaterEqual(time.time(), int(end))
        tend.wait_told(NAME, ["raised"])


class Command(unittest.TestCase):
    """tendctl check report, as who used NSCA sends results."""

    def setUp(self):
        self.tend = Tendd(self, SYSTEM + CHECKS.format(ttl="1h"))

    def report(self, *words, stdin=None):
        return subprocess.run(
            [os.path.join(BUILD, "daemon/ctl/tendctl"), "-s", f"{self.tend.path}/run/tend.sock",
             "check", "report", *words], input=stdin, capture_output=True, text=True, check=False)

    def taken(self, *words, stdin=None, name=NAME):
        done = self.report(name, *words, stdin=stdin)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        show = json.loads(self.tend.ctl("-o", "json", "check", "show", name))
        self.tend.wait(lambda: show["state"] != "pending", 5, "the report")
        return done.stdout

    def metrics(self):
        self.tend.json("check", "run", NAME)
        show = json.loads(self.tend.ctl("-o", "json", "check", "show", NAME))
        return show["text"], {m["name"]: (m["value"], m["unit"]) for m in show["metrics"]
                              if m["name"] != "age_seconds"}

    def test_words(self):
        self.report(NAME, "ok")
        self.tend.wait_state(NAME, "ok")
        self.assertEqual(self.taken("warning", "slow today", "rows=500", "took_seconds=2.5"),
                         "taken as warning: slow today\n")
        self.assertEqual(self.metrics(),
                         ("slow today", {"rows": (500, ""), "took_seconds": (2.5, "")}))
        # As a plugin writes it, and its exit status.
        self.taken("0", "DISK OK - free | /=2643MB;5948;5958;0;5968 'a b'=50%;80;90")
        self.assertEqual(self.metrics(), ("DISK OK - free", {
            "root": (2643 * 1024 * 1024, "B"), "a_b": (50, "%")}))
        self.taken("2", "-", stdin="BAD\nmore of it | load1=0.5;5;10 rows=200\n")
        self.tend.wait_state(NAME, "critical")
        self.assertEqual(self.metrics(),
                         ("BAD; more of it", {"load1": (0.5, ""), "rows": (200, "")}))
        self.taken("critical", "x", "--reason", "stale", "--ttl", "10m")
        self.metrics()
        self.assertEqual(self.tend.check(NAME)["reason"], "stale")
        self.taken("127", "no such program", stdin="")
        self.tend.wait_state(NAME, "unknown")
        # More than a report has is left out, and told.
        done = self.report(NAME, "ok", "-", "rows=500", stdin="x | " + " ".join(
            f"m{i}={i}" for i in range(20)))
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("5 of the figures are left out", done.stderr)
        self.assertEqual(len(self.metrics()[1]), 16)
        self.assertEqual(self.metrics()[1]["rows"], (500, ""))

    def test_a_plugin_of_debian(self):
        plugin = "/usr/lib/nagios/plugins/check_load"
        if not os.path.exists(plugin):
            self.skipTest("monitoring-plugins are not installed")
        done = subprocess.run([plugin, "-w", "900,900,900", "-c", "999,999,999"],
                              capture_output=True, text=True, check=False)
        self.taken(str(done.returncode), "-", stdin=done.stdout)
        text, metrics = self.metrics()
        self.assertIn("load average", text)
        self.assertEqual(set(metrics), {"load1", "load5", "load15"})

    def test_what_is_refused(self):
        for words, status, said in (
                ((NAME,), 64, "too few arguments"),
                ((NAME, "good"), 64, "no state"),
                ((NAME, "ok", "two", "texts"), 64, "quotes"),
                ((NAME, "ok", "--ttl", "2h"), 1, "ttl"),
                ((NAME, "ok", "--reason", "stale"), 1, "reason"),
                (("crm/jobs/none", "ok"), 1, "no check"),
                (("crm/jobs/unit", "ok"), 1, "passive")):
            done = self.report(*words)
            self.assertEqual(done.returncode, status, (words, done))
            self.assertIn(said, done.stderr, words)
        self.assertEqual(self.tend.state(NAME), "pending")


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main()
