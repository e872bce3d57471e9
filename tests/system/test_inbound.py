# SPDX-License-Identifier: MIT
"""What others tell tendd: heartbeats of jobs, webhooks of an Alertmanager (a real one, too),
CloudEvents, and what users report. Windows and silences apply to all of it."""

import hashlib
import json
import os
import re
import subprocess
import time
import unittest

from inbox import JOB, PROM, TOKEN, Tendd, stamp, tcp_port

SYSTEM = """
[system crm]
environment = production
[component crm/database]
kind = database
[component crm/web]
kind = web
[component crm/jobs]
kind = scheduler
"""

NIGHTLY = """
[check crm/jobs/nightly]
probe = passive
heartbeat_token = file:@job
interval = 200ms
timeout = 100ms
every = {every}
grace = {grace}
{more}
"""

SOURCE = """
[source prom]
token = file:@prom
match.crm/web = job=~"web.*"
component_label = tend_component
ttl = {ttl}
max = 5
"""


def alert(name, status="firing", job="web", **labels):
    return {"status": status,
            "labels": {"alertname": name, "job": job, **labels},
            "annotations": {"summary": f"{name} is not well"},
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus/",
            "fingerprint": hashlib.sha256(name.encode()).hexdigest()[:16]}


def webhook(*alerts):
    return {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "tend",
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
            "externalURL": "http://alertmanager/", "alerts": list(alerts)}


class Heartbeats(unittest.TestCase):
    def tend(self, every="1h", grace="1s", more=""):
        tend = Tendd(self, SYSTEM + NIGHTLY.format(every=every, grace=grace, more=more))
        self.assertEqual(self.beat(tend)["state"], "waiting")
        return tend

    @staticmethod
    def beat(tend):
        return tend.json("heartbeat", "list")[0]

    def test_start_ok_fail_late(self):
        tend = self.tend(every="3s")
        status, answer = tend.request("POST", f"/v1/heartbeats/{JOB}/start", tcp=True)
        self.assertEqual((status, answer), (200, {"accepted": "start"}))
        self.assertEqual(self.beat(tend)["state"], "running")
        # As curl in a crontab does, and over the unix socket.
        status, _ = tend.request("GET", f"/v1/heartbeats/{JOB}")
        self.assertEqual(status, 200)
        self.assertEqual(self.beat(tend)["state"], "well")
        tend.wait_state("crm/jobs/nightly", "ok")
        tend.wait(lambda: self.beat(tend)["state"] == "late", 8, "it to be late")
        tend.wait_told("crm/jobs/nightly", ["raised"])
        self.assertEqual(tend.sink.told[0][2]["reason"], "report-missing")
        status, _ = tend.request("POST", f"/v1/heartbeats/{JOB}/ok", "42 rows\n", tcp=True)
        self.assertEqual(status, 200)
        tend.wait_told("crm/jobs/nightly", ["raised", "cleared"])
        self.assertEqual(self.beat(tend)["text"], "42 rows")
        status, _ = tend.request("POST", f"/v1/heartbeats/{JOB}/fail", "disk full", tcp=True)
        tend.wait_told("crm/jobs/nightly", ["raised", "cleared", "raised"])
        self.assertEqual(tend.sink.told[-1][2]["text"], "disk full")
        self.assertIn("failed", tend.ctl("heartbeat", "list"))

    def test_stuck(self):
        tend = self.tend(more="max_runtime = 1s")
        tend.request("POST", f"/v1/heartbeats/{JOB}/start")
        tend.wait(lambda: self.beat(tend)["state"] == "stuck", 5, "it to be stuck")
        tend.wait_told("crm/jobs/nightly", ["raised"])
        self.assertEqual(tend.sink.told[0][2]["reason"], "job-stuck")
        tend.request("POST", f"/v1/heartbeats/{JOB}/ok")
        tend.wait_told("crm/jobs/nightly", ["raised", "cleared"])

    def test_one_that_dies_each_time(self):
        tend = self.tend(every="2s")

        def begun():
            tend.request("POST", f"/v1/heartbeats/{JOB}/start")
            return self.beat(tend)["state"] == "stuck"

        tend.wait(begun, 15, "it to be stuck, though it begins all the time")
        tend.wait_told("crm/jobs/nightly", ["raised"])
        self.assertIn("and again since", tend.sink.told[0][2]["text"])
        tend.request("POST", f"/v1/heartbeats/{JOB}/ok")
        tend.wait_told("crm/jobs/nightly", ["raised", "cleared"])

    def test_what_is_refused(self):
        tend = self.tend()
        for path, status in ((f"/v1/heartbeats/{JOB}x", 404), ("/v1/heartbeats/x", 404),
                             (f"/v1/heartbeats/{JOB}/stop", 404)):
            self.assertEqual(tend.request("POST", path, tcp=True)[0], status, path)
        self.assertEqual(
            tend.request("POST", f"/v1/heartbeats/{JOB}", "x" * 1025, tcp=True)[0], 413)
        self.assertEqual(tend.request("POST", f"/v1/heartbeats/{JOB}", "x" * 1024)[0], 200)
        self.assertEqual(tend.request("GET", "/v1/heartbeats", tcp=True)[0], 401)
        status, rows = tend.request("GET", "/v1/heartbeats", tcp=True, token=TOKEN)
        self.assertEqual(status, 200)
        self.assertNotIn(JOB, json.dumps(rows))
        with open(tend.log, encoding="utf-8") as log:
            self.assertNotIn(JOB, log.read())
        self.assertNotIn(JOB, tend.ctl("config", "dump"))

    def test_kept_over_a_kill(self):
        tend = self.tend()
        tend.request("POST", f"/v1/heartbeats/{JOB}/fail", "no space")
        tend.kill()
        tend.start()
        self.assertEqual(self.beat(tend)["state"], "failed")
        tend.wait_state("crm/jobs/nightly", "critical")
        tend.wait(lambda: "raised" in tend.sink.kinds("crm/jobs/nightly"), 10, "the raise")
        tend.request("POST", f"/v1/heartbeats/{JOB}/start")
        tend.kill()
        tend.start()
        self.assertEqual(self.beat(tend)["state"], "running")


class Events(unittest.TestCase):
    def tend(self, ttl="1h", more=""):
        return Tendd(self, SYSTEM + SOURCE.format(ttl=ttl) + more)

    def post(self, tend, body, token=PROM):
        return tend.request("POST", "/v1/events", body, token=token, tcp=True)

    def name(self, one, component="crm/web"):
        return f"{component}/prom-{one['fingerprint']}"

    def test_firing_and_resolved(self):
        tend = self.tend()
        one = alert("Slow", severity="warning")
        name = self.name(one)
        status, answer = self.post(tend, webhook(one))
        self.assertEqual((status, answer["accepted"]), (200, 1))
        tend.wait_state(name, "warning")
        tend.wait_told(name, ["raised"])
        self.assertEqual(tend.sink.told[0][2]["text"], "Slow: Slow is not well")
        # Said again it is the same; worse is a change; over a kill it stands.
        for _ in range(3):
            self.post(tend, webhook(one))
        self.post(tend, webhook(alert("Slow", severity="page")))
        tend.wait_told(name, ["raised", "changed"])
        tend.kill()
        tend.start()
        tend.wait_state(name, "critical")
        tend.ctl("reload")
        self.assertEqual(tend.state(name), "critical")
        self.post(tend, webhook(alert("Slow", status="resolved")))
        tend.wait_told(name, ["raised", "changed", "cleared"])

    def test_two_of_a_component_are_one_incident(self):
        tend = self.tend()
        one, two = alert("Slow"), alert("Wrong", severity="critical")
        self.post(tend, webhook(one, two))
        tend.wait(lambda: len(tend.json("incident", "list", "--open")) == 1, 5, "one incident")
        tend.wait(lambda: len(tend.json("incident", "show", tend.json(
            "incident", "list", "--open")[0]["id"])["members"]) == 2, 5, "two members")
        self.post(tend, webhook(alert("Slow", status="resolved")))
        tend.wait_state(self.name(one), "ok")
        self.assertEqual(len(tend.json("incident", "list", "--open")), 1)
        self.post(tend, webhook(alert("Wrong", status="resolved")))
        tend.wait(lambda: not tend.json("incident", "list", "--open"), 5, "its end")

    def test_what_is_refused(self):
        tend = self.tend()
        self.assertEqual(self.post(tend, webhook(), token=PROM + "x")[0], 401)
        self.assertEqual(self.post(tend, webhook(), token=TOKEN)[0], 401)
        self.assertEqual(self.post(tend, webhook(), token=None)[0], 401)
        for body in ("", "{", "[]x", "{}", '{"alerts":7}', '{"version":"4","alerts":[{}]}',
                     '{"specversion":"0.3"}', '[1]',
                     json.dumps(webhook({"labels": {"a": "b"}, "status": "odd"}))):
            self.assertEqual(self.post(tend, body)[0], 400, body)
        self.assertEqual(self.post(tend, "x" * (2 << 20))[0], 413)
        status, answer = self.post(
            tend, webhook(alert("Known"), alert("Other", job="mail")))
        self.assertEqual(status, 422)
        self.assertEqual((answer["accepted"], answer["refused"]), (1, 1))
        self.assertIn("match.SYSTEM/COMPONENT", answer["error"]["message"])
        self.assertIn("Other", answer["error"]["message"])
        tend.wait_state(self.name(alert("Known")), "warning")
        # Bounded: five stand, the sixth is refused, and has room when one is over.
        status, _ = self.post(tend, webhook(*[alert(f"N{i}") for i in range(4)]))
        self.assertEqual(status, 200)
        self.assertEqual(self.post(tend, webhook(alert("N9")))[0], 429)
        self.post(tend, webhook(alert("N1", status="resolved")))
        self.assertEqual(self.post(tend, webhook(alert("N9")))[0], 200)
        # What is only information is accepted, and raises nothing.
        status, answer = self.post(tend, webhook(alert("Watchdog", severity="none")))
        self.assertEqual((status, answer["ignored"]), (200, 1))

    def test_what_it_came_with_is_matched(self):
        """Routes and silences see the labels, which cannot pass for Tend's; a restart keeps them."""
        tend = self.tend(more="""
[route sales]
match = team=sales
receivers = ops
[route rest]
match = team!=sales
receivers = nobody
[receiver nobody]
type = webhook
url = http://127.0.0.1:1/
secret = file:@secret
""")
        one = alert("Slow", team="sales", severity="page", component="crm/other")
        two = alert("Full", team="ops", job="db", tend_component="crm/database")
        self.post(tend, webhook(one, two))
        tend.wait_told(self.name(one), ["raised"])
        tend.wait_state(self.name(two, "crm/database"), "warning")
        labels = told(tend, self.name(one))[0]["labels"]
        self.assertEqual({name: labels.get(name) for name in (
            "team", "alertname", "severity", "exported_severity", "component",
            "exported_component", "job")}, {
                "team": "sales", "alertname": "Slow", "severity": "critical",
                "exported_severity": "page", "component": "crm/web",
                "exported_component": "crm/other", "job": "web"})
        tend.kill()
        tend.start()
        # What is said in the mean time is kept back by a silence for that label.
        tend.ctl("silence", "add", "alertname=Late", "-m", "we know", "--for", "1h")
        late = alert("Late", team="sales", job="x", tend_component="crm/jobs")
        self.post(tend, webhook(late))
        tend.wait_state(self.name(late, "crm/jobs"), "warning")
        self.assertTrue([i for i in tend.json("incident", "list", "--open")
                         if i["component"] == "crm/jobs"][0]["held"])
        self.post(tend, webhook(alert("Slow", status="resolved", team="sales")))
        tend.wait_told(self.name(one), ["raised", "cleared"])
        self.assertEqual(told(tend, self.name(one))[1]["labels"]["team"], "sales")
        self.assertEqual({about for _, about, _ in tend.sink.told}, {self.name(one)})

    def test_over_after_the_mapping_changed(self):
        """What was mapped elsewhere meanwhile, or nowhere any more, ends where it stands."""
        tend = self.tend()
        one, two = alert("Slow"), alert("Wrong", job="web-2")
        self.post(tend, webhook(one, two))
        tend.wait_told(self.name(one), ["raised"])
        tend.configure(SYSTEM + SOURCE.format(ttl="1h").replace(
            'match.crm/web = job=~"web.*"', 'match.crm/jobs = job="web"'))
        tend.ctl("reload")
        status, answer = self.post(tend, webhook(dict(one, status="resolved"),
                                                 dict(two, status="resolved")))
        self.assertEqual((status, answer["accepted"]), (200, 2))
        tend.wait_told(self.name(one), ["raised", "cleared"])
        self.assertEqual(tend.json("incident", "list", "--open"), [])
        # Twice it is nothing that anybody knew, and says nothing any more of whose it was.
        self.assertEqual(self.post(tend, webhook(dict(two, status="resolved")))[0], 422)

    def test_not_too_often(self):
        tend = Tendd(self, SYSTEM + SOURCE.format(ttl="1h") + NIGHTLY.format(
            every="1h", grace="1h", more=""), daemon="inbound_rate_per_minute = 6")
        body = webhook(alert("Slow"))
        limited = [self.post(tend, body)[0] for _ in range(12)]
        self.assertEqual(limited, [200] * 10 + [429] * 2)
        self.assertIn(int(tend.headers["Retry-After"]), range(1, 11))
        # Nobody else has to wait for that; who guesses waits, too, but only he.
        self.assertEqual([self.post(tend, body, token=f"{PROM}x")[0] for _ in range(11)],
                         [401] * 10 + [429])
        for path, statuses in ((f"/v1/heartbeats/{JOB}", [200] * 10 + [429]),
                               ("/v1/heartbeats/none", [404] * 10 + [429])):
            self.assertEqual([tend.request("POST", path, tcp=True)[0] for _ in range(11)],
                             statuses)
        self.assertEqual(tend.request("POST", "/v1/heartbeats/none")[0], 404)
        counted = dict(line.rsplit(" ", 1) for line in tend.request("GET", "/metrics")[1].split(
            "\n") if line.startswith("tend_api_limited_total"))
        self.assertEqual(counted, {'tend_api_limited_total{path="events"}': "3",
                                   'tend_api_limited_total{path="heartbeats"}': "2",
                                   'tend_api_limited_total{path="reports"}': "0",
                                   'tend_api_limited_total{path="feedback"}': "0"})

    def test_not_said_again_it_is_over(self):
        tend = self.tend(ttl="2s")
        one = alert("Slow")
        self.post(tend, webhook(one))
        tend.wait_told(self.name(one), ["raised"])
        # Its check is looked at once a minute; here at once.
        time_over = time.monotonic() + 2
        tend.wait(lambda: time.monotonic() > time_over, 5, "its time to be over")
        tend.json("check", "run", self.name(one))
        tend.wait_told(self.name(one), ["raised", "cleared"])

    def test_cloudevents(self):
        tend = self.tend()
        event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.queue.raised",
                 "subject": "orders", "datacontenttype": "application/json",
                 "data": {"tend_component": "crm/database", "severity": "critical",
                          "text": "orders pile up"}}
        self.assertEqual(self.post(tend, event)[0], 200)
        tend.wait(lambda: [k for k, _, d in tend.sink.told if d.get("component") ==
                           "crm/database"] == ["incident.raised"], 5, "the raise")
        self.assertEqual(tend.sink.told[0][2]["text"], "orders: orders pile up")
        over = dict(event, id="2", type="shop.queue.cleared")
        self.assertEqual(self.post(tend, [over])[0], 200)
        tend.wait(lambda: not tend.json("incident", "list", "--open"), 5, "its end")

    def test_a_severity_that_is_ignored_now_ends_it(self):
        tend = self.tend()
        event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.queue",
                 "subject": "orders",
                 "data": {"job": "web", "severity": "critical", "text": "backed up"}}
        self.assertEqual(self.post(tend, event)[0], 200)
        tend.wait(lambda: [k for k, _, _ in tend.sink.told] == ["incident.raised"], 5, "the raise")
        event["data"] |= {"severity": "info", "text": "draining"}
        status, answer = self.post(tend, event)
        self.assertEqual((status, answer["ignored"]), (200, 1))
        tend.wait(lambda: [k for k, _, _ in tend.sink.told] ==
                  ["incident.raised", "incident.cleared"], 5, "its end")

    def test_one_that_is_no_event_takes_no_other_with_it(self):
        tend = self.tend()
        status, answer = self.post(tend, webhook({"status": "firing", "labels": {}},
                                                 alert("DiskFull")))
        self.assertEqual((status, answer["accepted"], answer["refused"]), (422, 1, 1))
        self.assertIn("an alert has no labels", answer["error"]["message"])
        tend.wait_state(self.name(alert("DiskFull")), "warning")

    def test_silence_and_window(self):
        closes = int(time.time()) + 6
        tend = self.tend(more=f"""
[window release]
start = {stamp(closes - 60)}
end = {stamp(closes)}
match_component = crm/web
alerts = quiet
""")
        one = alert("Slow")
        self.post(tend, webhook(one))
        tend.wait_state(self.name(one), "warning")
        self.assertTrue(tend.json("incident", "list", "--open")[0]["held"])
        self.assertEqual(tend.sink.told, [])
        tend.wait_told(self.name(one), ["raised"], 15)
        self.assertGreaterEqual(time.time(), closes)
        tend.ctl("silence", "add", "component=crm/database", "-m", "we know", "--for", "1h")
        other = alert("Full", job="db", tend_component="crm/database")
        self.post(tend, webhook(other))
        tend.wait_state(self.name(other, "crm/database"), "warning")
        self.assertEqual(tend.sink.kinds(self.name(other, "crm/database")), [])
        tend.ctl("silence", "expire", tend.json("silence", "list")[0]["id"])
        tend.wait_told(self.name(other, "crm/database"), ["raised"])


class Feedback(unittest.TestCase):
    def test_a_users_report(self):
        tend = Tendd(self, SYSTEM)
        status, answer = tend.request("POST", "/v1/feedback", {
            "component": "crm/web", "text": "log in takes minutes", "contact": "ann@example"})
        self.assertEqual(status, 201)
        tend.wait_told("crm/web/feedback", ["raised"])
        tend.ctl("feedback", "add", "crm/web", "-m", "me too")
        incident = tend.json("incident", "list", "--open")[0]["id"]
        tend.wait(lambda: "reported by 2 users" in tend.ctl("incident", "show", incident), 5,
                  "the timeline")
        shown = tend.json("feedback", "show", answer["id"])
        self.assertEqual((shown["state"], shown["incident"], shown["contact"]),
                         ("open", incident, "ann@example"))
        self.assertEqual(len(tend.json("feedback", "list")), 2)
        tend.ctl("feedback", "answer", answer["id"], "-m", "we look at it")
        self.assertEqual(tend.json("feedback", "show", answer["id"])["answer"], "we look at it")
        tend.ctl("feedback", "close", answer["id"], "-m", "it was the cache")
        tend.wait_told("crm/web/feedback", ["raised", "cleared"])
        shown = tend.json("feedback", "show", answer["id"])
        self.assertEqual(shown["state"], "closed")
        self.assertTrue(shown["summary"])
        tend.kill()
        tend.start()
        self.assertEqual(tend.json("feedback", "show", answer["id"])["state"], "closed")

    def test_its_end_is_remembered(self):
        """Longer than the incident is: after a start the last 50 are known, while all runs 200."""
        parts = [f"part{i}" for i in range(60)]
        tend = Tendd(self, SYSTEM + SOURCE.format(ttl="1h").replace("max = 5", "max = 100") +
                     "".join(f"[component crm/{part}]\n" for part in parts))
        tend.ctl("feedback", "add", "crm/web", "-m", "it is slow")
        row = tend.json("feedback", "list")[0]
        tend.wait_told("crm/web/feedback", ["raised"])
        shown = tend.json("feedback", "show", row["id"])
        tend.ctl("feedback", "close", row["id"], "-m", "not any more")
        tend.wait(lambda: not tend.json("incident", "list", "--open"), 10, "its end")
        other = tend.request("POST", "/v1/feedback", {"component": "crm/part0", "text": "odd"})[1]
        tend.wait_told("crm/part0/feedback", ["raised"])
        many = [alert(part, job="x", tend_component=f"crm/{part}") for part in parts]
        for state, n in (("firing", 60), ("resolved", 0)):
            tend.request("POST", "/v1/events", webhook(*[dict(one, status=state) for one in many]),
                         token=PROM, tcp=True)
            tend.wait(lambda n=n: len(tend.json("incident", "list", "--open")) == n, 20, state)
        tend.kill()
        tend.start()
        again = tend.json("feedback", "show", row["id"])
        self.assertEqual((again["state"], again["phase"], again["incident"]),
                         ("closed", "closed", shown["incident"]))
        self.assertIn("crm/web failed", again["summary"])
        states = {one["id"]: one["state"] for one in tend.json("feedback", "list")}
        self.assertEqual(states, {row["id"]: "closed", other["id"]: "closed"})

    def test_it_is_over_with_what_was_found(self):
        tend = Tendd(self, SYSTEM + SOURCE.format(ttl="1h"))
        one = alert("Down", severity="critical")
        tend.request("POST", "/v1/events", webhook(one), token=PROM, tcp=True)
        tend.wait(lambda: tend.json("incident", "list", "--open"), 5, "the incident")
        tend.ctl("feedback", "add", "crm/web", "-m", "nothing works")
        row = tend.json("feedback", "list")[0]
        self.assertEqual(row["incident"], tend.json("incident", "list", "--open")[0]["id"])
        tend.wait_state("crm/web/feedback", "warning")
        self.assertEqual(len(tend.json("incident", "list", "--open")), 1)
        tend.request("POST", "/v1/events", webhook(alert("Down", status="resolved")), token=PROM,
                     tcp=True)
        tend.wait(lambda: not tend.json("incident", "list", "--open"), 10, "its end")
        self.assertEqual(tend.json("feedback", "list")[0]["state"], "closed")

    def test_what_is_refused(self):
        tend = Tendd(self, SYSTEM)
        for body, status in (({"component": "crm/none", "text": "x"}, 422),
                             ({"component": "crm/web", "text": " "}, 400),
                             ({"component": "crm/web"}, 400),
                             ({"component": "crm/web", "text": "x" * 1001}, 400)):
            self.assertEqual(tend.request("POST", "/v1/feedback", body)[0], status, body)
        self.assertEqual(tend.request("GET", "/v1/feedback/x")[0], 404)
        body = {"component": "crm/web", "text": "x"}
        self.assertEqual(tend.request("POST", "/v1/feedback", body, tcp=True)[0], 401)
        states = [tend.request("POST", "/v1/feedback", body, tcp=True, token=TOKEN)[0]
                  for _ in range(25)]
        self.assertEqual(states[:20], [201] * 20)
        self.assertIn(429, states)
        self.assertIn(int(tend.headers["Retry-After"]), range(1, 7))


def told(tend, subject):
    return [data for _, about, data in list(tend.sink.told) if about == subject]


class Flapping(unittest.TestCase):
    def test_one_notice_and_the_end(self):
        """Nothing of what changes meanwhile is told, and the recovery at the end is."""
        tend = Tendd(self, SYSTEM + NIGHTLY.format(every="1h", grace="1h", more="").replace(
            "interval = 200ms", "interval = 1h"))
        name = "crm/jobs/nightly"
        results = 0

        def say(signal):
            nonlocal results
            before = tend.json("check", "show", name)["attempts"]
            tend.request("POST", f"/v1/heartbeats/{JOB}/{signal}", signal)
            tend.wait(lambda: tend.json("check", "show", name)["attempts"] > before and
                      not tend.json("check", "show", name)["running"], 5, "the result")
            results += 1

        # What is awaited is no result: the first word is.
        for signal in ("ok", "fail", "ok", "fail", "ok", "fail", "ok"):
            say(signal)
        tend.wait(lambda: tend.check(name)["flapping"], 5, "it to flap")
        self.assertEqual(tend.state(name), "critical")
        tend.wait_told(name, ["raised", "cleared", "raised", "cleared", "raised", "changed"])
        self.assertIn("flapping", told(tend, name)[-1]["text"])
        self.assertTrue(tend.json("incident", "list", "--open")[0]["flapping"])
        for signal in ("fail", "ok", "fail", "ok"):
            say(signal)
        self.assertEqual(len(told(tend, name)), 6)
        # Over a kill -9 it goes on, and ends.
        tend.wait(lambda: tend.json("status")["store"]["queued"] == 0, 20, "it to be kept")
        tend.kill()
        tend.start()
        tend.wait(lambda: tend.check(name), 5, "the check")
        self.assertTrue(tend.check(name)["flapping"])
        for _ in range(20):
            say("ok")
        self.assertFalse(tend.check(name)["flapping"])
        tend.wait_told(name, ["raised", "cleared", "raised", "cleared", "raised", "changed",
                              "cleared"])
        self.assertEqual(tend.json("incident", "list", "--open"), [])


class Group(unittest.TestCase):
    BODY = """
[system crm]
environment = production
[component crm/web1]
[component crm/web2]
[component crm/web3]
[component crm/webs]
kind = web
needs = 2 of web1, web2, web3
[component crm/app]
depends = webs
[source prom]
token = file:@prom
component_label = tend_component
"""

    def test_one_member_and_the_group(self):
        tend = Tendd(self, self.BODY)

        def push(component, status="firing", severity="critical"):
            one = alert(f"Down {component}", status=status, severity=severity,
                        tend_component=f"crm/{component}")
            self.assertEqual(
                tend.request("POST", "/v1/events", webhook(one), token=PROM, tcp=True)[0], 200)
            return f"crm/{component}/prom-{one['fingerprint']}"

        one = push("web1")
        tend.wait_told(one, ["raised"])
        self.assertEqual(tend.state("crm/webs/group"), "ok")
        two = push("web2")
        tend.wait_told("crm/webs/group", ["raised"])
        self.assertIn("1 of 3 are well, 2 must be; not: web1, web2",
                      told(tend, "crm/webs/group")[0]["text"])
        # The second member's incident is there, and waits: that the group is down is the news.
        tend.wait(lambda: len(tend.json("incident", "list", "--open")) == 3, 5, "three incidents")
        self.assertEqual(tend.sink.kinds(two), [])
        # What hangs on the group is unreachable, and raises nothing.
        app = push("app")
        tend.wait_state(app, "unreachable")
        self.assertEqual(tend.sink.kinds(app), [])
        push("web1", "resolved")
        push("app", "resolved")
        tend.wait_told(one, ["raised", "cleared"])
        tend.wait_told("crm/webs/group", ["raised", "cleared"])
        tend.wait_told(two, ["raised"])
        push("web2", "resolved")
        tend.wait_told(two, ["raised", "cleared"])


class Quiet(unittest.TestCase):
    """Whatever can raise: in a quiet window it waits, and is looked at anew at the end."""

    def window(self, seconds, switches="alerts = quiet"):
        self.closes = int(time.time()) + seconds
        return f"""
[window release]
start = {stamp(self.closes - 3600)}
end = {stamp(self.closes)}
match_component = crm/jobs
{switches}
"""

    def test_heartbeat(self):
        tend = Tendd(self, SYSTEM + NIGHTLY.format(every="1s", grace="1s", more="") +
                     self.window(6))
        tend.wait_state("crm/jobs/nightly", "critical")
        self.assertEqual(tend.sink.told, [])
        tend.wait_told("crm/jobs/nightly", ["raised"], 15)
        self.assertGreaterEqual(time.time(), self.closes)

    def test_heartbeat_that_comes_in_time_after_all(self):
        tend = Tendd(self, SYSTEM + NIGHTLY.format(every="1h", grace="1s", more="") +
                     self.window(5))
        tend.request("POST", f"/v1/heartbeats/{JOB}/fail")
        tend.wait_state("crm/jobs/nightly", "critical")
        tend.request("POST", f"/v1/heartbeats/{JOB}/ok")
        tend.wait_state("crm/jobs/nightly", "ok")
        tend.wait(lambda: time.time() > self.closes + 1, 10, "the end of the window")
        tend.wait(lambda: not tend.json("incident", "list", "--open"), 5, "its silent end")
        self.assertEqual(tend.sink.told, [])

    def test_pause_gives_the_grace_anew(self):
        tend = Tendd(self, SYSTEM + NIGHTLY.format(every="1s", grace="3s", more="") +
                     self.window(6, "checks = pause"))
        tend.wait(lambda: time.time() > self.closes + 1, 15, "the end of the window")
        self.assertEqual(tend.sink.told, [])
        tend.wait_told("crm/jobs/nightly", ["raised"], 10)
        self.assertGreaterEqual(time.time(), self.closes + 3)

    def test_feedback(self):
        tend = Tendd(self, SYSTEM + self.window(5))
        tend.ctl("feedback", "add", "crm/jobs", "-m", "no mails")
        tend.wait_state("crm/jobs/feedback", "warning")
        self.assertEqual(tend.sink.told, [])
        tend.wait_told("crm/jobs/feedback", ["raised"], 15)

    POLICY = """
[policy fails]
mode = auto
"""

    def policy(self, body):
        tend = Tendd(self, SYSTEM + """
[check crm/jobs/report]
probe = passive
confirm = 1 of 1
""" + self.POLICY + self.window(7))
        tend.scratch.file("lua/policies/fails.lua", body)
        tend.ctl("reload")
        tend.wait(lambda: tend.ctl("policy", "run", "fails", "crm/jobs", check=False), 10,
                  "the policy to be read")
        return tend

    def test_policy_that_fails_and_reports(self):
        tend = self.policy("""
policy "fails" {
	doc = "Reports, says a word, and fails.",
	hand = true,
	run = function(ctx)
		tend.check.report { check = "crm/jobs/report", state = "critical", text = "stale" }
		tend.notice.send { text = "a word" }
		error("it went wrong")
	end,
}
""")
        tend.wait(lambda: [r for r in tend.json("run", "list") if r["state"] == "failed"], 15,
                  "the run to fail")
        tend.wait_state("crm/jobs/report", "critical")
        self.assertLess(time.time(), self.closes)
        self.assertEqual(tend.sink.told, [])
        # What waited for the same moment may come in one.
        tend.wait(lambda: sorted(one["kind"] if "kind" in one else kind
                                 for kind, _, data in list(tend.sink.told)
                                 for one in data.get("alerts", [data])) ==
                  ["incident.raised", "policy.failed", "policy.message"], 20, "all three")
        self.assertGreaterEqual(time.time(), self.closes)


class Alertmanager(unittest.TestCase):
    """Debian's own pushes its webhooks in."""

    def test_a_real_one(self):
        tend = Tendd(self, SYSTEM + SOURCE.format(ttl="1h"))
        port = tcp_port()
        config = tend.scratch.file("alertmanager.yml", f"""
route:
  receiver: tend
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: tend
  webhook_configs:
  - url: http://127.0.0.1:{tend.port}/v1/events
    send_resolved: true
    http_config:
      authorization:
        credentials_file: {tend.path}/prom
""")
        with open(tend.scratch.file("am.log"), "wb") as log:
            tend.scratch.spawn(
                ["prometheus-alertmanager", f"--config.file={config}",
                 f"--storage.path={tend.path}/am", "--cluster.listen-address=",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        amtool = ["amtool", f"--alertmanager.url=http://127.0.0.1:{port}", "alert"]

        def add(*more):
            return subprocess.run(
                [*amtool, "add", "CRMSlow", "job=web-1", "severity=critical", *more,
                 "--annotation=summary=p99 is 4 s"],
                capture_output=True, check=False).returncode == 0

        tend.wait(add, 20, "the Alertmanager")
        tend.wait(lambda: [k for k, _, _ in tend.sink.told] == ["incident.raised"], 15, "the raise")
        kind, subject, data = tend.sink.told[0]
        self.assertTrue(re.fullmatch(r"crm/web/prom-[0-9a-f]{16}", subject), subject)
        self.assertEqual((data["severity"], data["text"]), ("critical", "CRMSlow: p99 is 4 s"))
        # The fingerprint is Alertmanager's own.
        told = json.loads(subprocess.run([*amtool, "query", "-o", "json"], capture_output=True,
                                         check=True).stdout)
        self.assertEqual(subject, f"crm/web/prom-{told[0]['fingerprint']}")
        self.assertTrue(add(f"--end={stamp(time.time())}"))
        tend.wait_told(subject, ["raised", "cleared"], 20)


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main()
