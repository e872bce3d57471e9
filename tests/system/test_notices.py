# SPDX-License-Identifier: MIT
"""Who is told, and who not: silences, acknowledgements, reminders, escalation, inhibition, restarts.
tendd, tendctl and webhook sinks, all plain processes or threads of this test."""

import http.server
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from inbox import Unix
from tendbox import wait_for
from snmpbox import BUILD, Scratch

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Sites(http.server.ThreadingHTTPServer):
    """What is probed: /NAME answers 200 unless NAME is down."""

    daemon_threads = True

    def __init__(self):
        self.down = set()
        super().__init__(("127.0.0.1", 0), SiteHandler)


class SiteHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if self.path.strip("/") in self.server.down else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Sink(http.server.ThreadingHTTPServer):
    """A receiver; `heard` has every event once, the members of a group one by one. A duplicate with
    the same id is Tend's right."""

    daemon_threads = True

    def __init__(self):
        self.heard = []
        self.ids = set()
        super().__init__(("127.0.0.1", 0), SinkHandler)

    def kinds(self, component=None):
        return [kind for kind, where, _ in self.heard if component in (None, where)]


class SinkHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind, data = event["type"].removeprefix("tend."), event["data"]
        if event["id"] in self.server.ids:
            pass
        elif kind == "incident.group":
            for alert in data["alerts"]:
                self.server.heard.append(
                    (alert["kind"].removeprefix("incident."), alert["component"], alert))
        else:
            self.server.heard.append((kind.removeprefix("incident."), data.get("component"), data))
        self.server.ids.add(event["id"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


RAISED, CLEARED = "raised", "cleared"


class Notices(unittest.TestCase):
    RECEIVERS = ("ann", "boss")
    calendar = None

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.sites = self.serve(Sites())
        self.sinks = {name: self.serve(Sink()) for name in self.RECEIVERS}
        for name in ("state", "run", "libexec"):
            os.mkdir(self.scratch.file(name))
        for program in ("snmp/tend-snmp", "snmp/tend-agentx", "run/tend-run"):
            path = os.path.abspath(os.path.join(BUILD, "daemon", program))
            os.symlink(path, self.scratch.file(f"libexec/{os.path.basename(path)}"))
        os.chmod(self.scratch.file("secret", SECRET + "\n"), 0o600)
        self.log_path = self.scratch.file("tendd.log")
        self.tendd = None

    def tearDown(self):
        if self.tendd and self.tendd.poll() is None:
            self.tendd.terminate()
            self.assertEqual(self.tendd.wait(20), 0, "tendd's end")

    def serve(self, server):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def check(self, component, options):
        port = self.sites.server_address[1]
        return f"""[check crm/{component}/page]
probe = http
interval = 1s
timeout = 1s
confirm = 1 of 1
url = http://127.0.0.1:{port}/{component}
{options}
"""

    def configure(self, routes, components=("web", "db"), options="", daemon=""):
        text = f"""[daemon]
state_dir = {self.scratch.path}/state
run_dir = {self.scratch.path}/run
libexec_dir = {self.scratch.path}/libexec
{daemon}
[system crm]
label.team = sales

"""
        for name in components:
            text += f"[component crm/{name}]\n\n" + self.check(name, options)
        for name, sink in self.sinks.items():
            text += f"""[receiver {name}]
type = webhook
url = http://127.0.0.1:{sink.server_address[1]}/
secret = file:{self.scratch.path}/secret
retry_min = 100ms

"""
        self.config = self.scratch.file("tend.conf", text + routes)

    def start(self):
        log = open(self.log_path, "ab")
        self.addCleanup(log.close)
        self.tendd = self.scratch.spawn(
            [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", self.config, "--plugin-dir",
             os.path.join(BUILD, "plugins"),
             *(["--calendar", self.calendar] if self.calendar else [])], stdout=log, stderr=log)
        self.wait(lambda: self.try_ctl("status")[0] in (0, 1, 2, 3), "the API")

    def begin(self, routes, **options):
        self.configure(routes, **options)
        self.start()
        self.wait(lambda: all(row["state"] == "ok" for row in self.json("check", "list")),
                  "all checks to be ok")

    def kill(self):
        self.tendd.send_signal(signal.SIGKILL)
        self.tendd.wait()

    def try_ctl(self, *args):
        done = subprocess.run(
            [os.path.join(BUILD, "daemon", "ctl", "tendctl"), "-s",
             f"{self.scratch.path}/run/tend.sock", *args],
            capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def ctl(self, *args, expect=0):
        code, out, err = self.try_ctl(*args)
        self.assertEqual(code, expect, f"tendctl {args}: {out}{err}")
        return out

    def request(self, method, path):
        """Over the unix socket: the status and the answer."""
        client = Unix(f"{self.scratch.path}/run/tend.sock")
        client.request(method, path)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer.status, text

    def json(self, *args, expect=0):
        return json.loads(self.ctl("-o", "json", *args, expect=expect))

    def wait(self, condition, what, timeout=15):
        try:
            return wait_for(condition, timeout, what, interval=0.05)
        except AssertionError as error:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"{error}\n{log.read()[-4000:]}") from error

    def incident(self, component="web"):
        rows = [row for row in self.json("incident", "list", "--open")
                if row["component"] == f"crm/{component}"]
        return rows[0] if rows else None

    def break_components(self, *components):
        self.sites.down |= set(components)
        for name in components:
            self.wait(lambda name=name: self.incident(name), f"an incident of {name}")

    def mend(self, *components):
        self.sites.down -= set(components)
        for name in components:
            self.wait(lambda name=name: not self.incident(name), f"the end of {name}")

    def heard(self, name, *kinds, component=None):
        want = list(kinds)
        component = f"crm/{component}" if component else None
        self.wait(lambda: self.sinks[name].kinds(component) == want,
                  f"{name} to hear {want}, heard {self.sinks[name].kinds(component)}")

    def explain(self, subject="crm/web/page"):
        return self.ctl("explain", subject)

    def after(self, component="db", receiver="ann"):
        """Something that is told after whatever was due: so what has not come by then will not."""
        n = len(self.sinks[receiver].heard)
        self.break_components(component)
        self.wait(lambda: len(self.sinks[receiver].heard) > n, "a later notice")


KEEP = """policy "keep" {
	hand = true,
	params = {
		label = { type = "string", doc = "of the set" },
		ago = { type = "duration", default = "0s", doc = "its age" },
		proven_ago = { type = "duration", default = "0s", doc = "of its proof" },
		stale_after = { type = "duration", default = "26h", doc = "limit" },
		unproven_after = { type = "duration", default = "9d", doc = "limit" },
	},
	run = function(ctx)
		local now, p = tend.now().unix, ctx.params
		return tend.record.put { kind = "backup", scope = ctx.component.name, key = p.label,
			value = { label = p.label, kind = "full", chain = {}, at = now - p.ago,
				verified_at = now - p.ago, proven_at = now - p.proven_ago } }
	end,
}
"""


class Backups(Notices):
    """A set that was good and proven grows too old: told once, and once that it is over."""

    CONFIG = """[route r]
receivers = ann

[policy keep]
param.stale_after = 2d
"""

    def setUp(self):
        super().setUp()
        os.mkdir(self.scratch.file("policies"))
        self.scratch.file("policies/keep.lua", KEEP)

    def keep(self, label, **ages):
        run = self.json("policy", "run", "keep", "crm/web", f"label={label}",
                        *(f"{key}={value}" for key, value in ages.items()))
        self.wait(lambda: self.json("run", "show", run["run"])["state"] == "done", "the set")
        self.look()

    def look(self):
        """It looks by itself each half a minute; a reload is a look."""
        self.ctl("reload")

    def stale(self, receiver="ann"):
        return [(data["severity"], data["why"]) for kind, _, data in self.sinks[receiver].heard
                if kind == "backup.stale"]

    def expect(self, *want):
        def has():
            self.look()
            return self.stale() == list(want)
        self.wait(has, f"{want}, heard {self.stale()}")

    def test_told_once_and_its_end(self):
        self.begin(self.CONFIG, daemon=f"policy_dirs = {self.scratch.path}/policies\n")
        self.wait(lambda: self.json("policy", "list"), "the policy")
        self.keep("one", ago="30h", proven_ago="30h")  # the policy says 2d, not its default
        self.after("db")
        self.mend("db")
        self.assertEqual(self.stale(), [])
        self.keep("one", ago="49h", proven_ago="49h")
        self.expect(("critical", "stale"))
        kind, where, data = [one for one in self.sinks["ann"].heard if one[0] == "backup.stale"][0]
        self.assertEqual((where, data["system"]), ("crm/web", "crm"))
        self.assertIn("the newest good backup of crm/web is 2d", data["text"])
        # Neither a look, nor a kill, says it again.
        self.kill()
        self.start()
        self.wait(lambda: self.json("policy", "list"), "the policy")
        self.look()
        self.after("db")
        self.mend("db")
        self.assertEqual(self.stale(), [("critical", "stale")])
        self.keep("two")
        self.expect(("critical", "stale"), ("info", "ended"))
        self.kill()
        self.start()
        self.after("db")
        self.assertEqual(self.stale(), [("critical", "stale"), ("info", "ended")])

    def test_silenced(self):
        self.begin(self.CONFIG, daemon=f"policy_dirs = {self.scratch.path}/policies\n")
        self.wait(lambda: self.json("policy", "list"), "the policy")
        silence = self.json("silence", "add", "component=crm/web", "-m", "moving", "--for", "1h")
        self.keep("one", ago="1h", proven_ago="10d")
        self.after("db")
        self.assertEqual(self.stale(), [])
        self.ctl("silence", "expire", silence["id"])
        self.expect(("critical", "unproven"))

    def test_in_a_quiet_window(self):
        window = """[window move]
start = 2020-01-01 00:00
end = 2099-01-01 00:00
match_component = crm/web
alerts = quiet
"""
        daemon = f"policy_dirs = {self.scratch.path}/policies\n"
        self.begin(self.CONFIG + window, daemon=daemon)
        self.wait(lambda: self.json("policy", "list"), "the policy")
        self.keep("one", ago="49h", proven_ago="49h")
        self.after("db")
        self.assertEqual(self.stale(), [])
        self.configure(self.CONFIG, daemon=daemon)
        self.expect(("critical", "stale"))


class Silences(Notices):
    ROUTE = "[route r]\nreceivers = ann\n"

    def test_held_and_told_when_it_ends(self):
        self.begin(self.ROUTE)
        code, _, err = self.try_ctl("silence", "add", "component=crm/web", "--for", "1h")
        self.assertEqual(code, 64)
        self.assertIn("a comment is needed", err)
        added = self.json("silence", "add", "component=crm/web", "severity=~crit.*", "-m",
                          "we know", "--for", "1h")
        self.assertEqual((added["state"], added["author"]), ("active", "root"))
        self.break_components("web")
        self.assertTrue(self.incident()["held"])
        self.assertIn(f"silence {added['id']} of root", self.explain())
        self.assertEqual(self.json("silence", "show", added["id"])["incidents"],
                         [self.incident()["id"]])
        # It is in the store: neither a kill nor a start changes it, and nothing is told at it.
        self.kill()
        self.start()
        self.wait(lambda: self.json("check", "show", "crm/web/page")["attempts"], "a fresh result")
        self.after()
        self.heard("ann", RAISED, component="db")
        self.heard("ann", component="web")
        self.ctl("silence", "expire", added["id"])
        self.heard("ann", RAISED, component="web")
        self.assertEqual([row["state"] for row in self.json("silence", "list", "--all")],
                         ["ended"])
        self.assertEqual(self.json("silence", "list"), [])
        self.mend("web")
        self.heard("ann", RAISED, CLEARED, component="web")

    def test_deleted_and_counted(self):
        self.begin(self.ROUTE)
        added = self.json("silence", "add", "component=crm/web", "-m", "we know", "--for", "1h")
        self.break_components("web")
        self.assertTrue(self.incident()["held"])
        text = self.request("GET", "/metrics")[1]
        self.assertIn('tend_silences{state="active"} 1\n', text)
        self.assertIn('tend_silences{state="pending"} 0\n', text)
        self.assertIn('tend_notices_withheld_total{gate="silence"} 1\n', text)
        self.assertIn('tend_notices_withheld_total{gate="window"} 0\n', text)
        self.assertIn("tend_incidents_acknowledged 0\n", text)
        status, answer = self.request("DELETE", f"/v1/silences/{added['id']}")
        self.assertEqual((status, json.loads(answer)["state"]), (200, "ended"))
        self.heard("ann", RAISED, component="web")
        self.assertEqual(self.request("DELETE", f"/v1/silences/{added['id']}")[0], 409)
        self.assertEqual(self.request("DELETE", "/v1/silences/nobody")[0], 404)
        self.ctl("incident", "acknowledge", self.incident()["id"], "-m", "mine")
        text = self.request("GET", "/metrics")[1]
        self.assertIn('tend_silences{state="active"} 0\n', text)
        self.assertIn("tend_incidents_acknowledged 1\n", text)

    def test_what_is_well_by_its_end_is_not_told(self):
        self.begin(self.ROUTE)
        self.json("silence", "add", "component=crm/web", "-m", "patching", "--for", "3s")
        self.break_components("web")
        self.mend("web")
        self.wait(lambda: not self.json("silence", "list"), "the end of the silence")
        self.after()
        self.heard("ann", component="web")

    def test_ends_with_its_incident(self):
        self.begin(self.ROUTE)
        self.break_components("web")
        self.heard("ann", RAISED)
        self.json("silence", "add", f"check={self.incident()['check']}", "-m", "on it", "--for",
                  "1h", "--until-resolved")
        self.mend("web")
        self.heard("ann", RAISED, CLEARED)
        row = self.wait(lambda: [row for row in self.json("silence", "list", "--all")
                                 if row["state"] == "ended"], "the end of the silence")[0]
        self.assertIn("the end of what it matched", row["ended_by"])
        self.break_components("web")
        self.heard("ann", RAISED, CLEARED, RAISED)


class Afterwards(Notices):
    def test_escalation_and_acknowledgement(self):
        self.begin("[route r]\nreceivers = ann\nescalate.4s = boss\n")
        self.break_components("web")
        self.heard("ann", RAISED)
        self.ctl("incident", "acknowledge", self.incident()["id"], "-m", "mine", "--for", "5s")
        self.heard("ann", RAISED, "acknowledged")
        self.assertIn("acknowledged it", self.explain())
        self.wait(lambda: not self.incident()["acknowledged"], "the end of the acknowledgement")
        self.assertEqual(self.sinks["boss"].heard, [])
        self.heard("boss", RAISED)
        # It is told once, also over a kill; and the end goes to both, and only there.
        self.kill()
        self.start()
        self.mend("web")
        self.heard("ann", RAISED, "acknowledged", CLEARED)
        self.heard("boss", RAISED, CLEARED)
        self.break_components("db")
        self.mend("db")
        self.heard("ann", RAISED, "acknowledged", CLEARED, RAISED, CLEARED)
        self.heard("boss", RAISED, CLEARED)

    def test_unacknowledged(self):
        self.begin("[route r]\nreceivers = ann\nescalate.2s = boss\n")
        self.break_components("web")
        ident = self.incident()["id"]
        self.ctl("incident", "acknowledge", ident, "-m", "mine", "--sticky")
        self.assertTrue(self.incident()["acknowledged"]["sticky"])
        self.ctl("incident", "unacknowledge", ident, "-m", "not mine")
        self.assertIsNone(self.incident()["acknowledged"])
        self.heard("boss", RAISED)
        self.assertEqual(self.try_ctl("incident", "unacknowledge", ident)[0], 1)

    def test_reminders_have_an_end(self):
        self.begin("[route r]\nreceivers = ann\nremind = 2s\nremind_max = 2\n",
                   components=("web",))
        self.break_components("web")
        self.heard("ann", RAISED, "reminder", "reminder")
        self.kill()
        self.start()
        began = time.monotonic()
        self.wait(lambda: time.monotonic() > began + 4 and self.incident(), "two more intervals")
        self.heard("ann", RAISED, "reminder", "reminder")
        self.mend("web")
        self.heard("ann", RAISED, "reminder", "reminder", CLEARED)

    def test_a_start_tells_only_what_is_new(self):
        self.begin("[route r]\nreceivers = ann\n")
        self.break_components("web")
        self.heard("ann", RAISED)
        for _ in range(3):
            self.kill()
            self.start()
            self.wait(lambda: self.json("check", "show", "crm/web/page")["attempts"], "a result")
        self.kill()
        self.sites.down = {"db"}
        self.start()
        self.heard("ann", RAISED, CLEARED, component="web")
        self.heard("ann", RAISED, component="db")


    def test_who_was_told_is_gone(self):
        """Renamed by a reload, and again while tendd is down: the one that is there now gets it."""
        self.RECEIVERS = ("ann", "boss", "carl")
        sinks = {name: self.sinks.get(name) or self.serve(Sink()) for name in self.RECEIVERS}
        self.sinks = {"ann": sinks["ann"]}
        self.begin("[route r]\nreceivers = ann\n", components=("web",))
        self.break_components("web")
        self.heard("ann", RAISED)
        self.sinks = {"boss": sinks["boss"]}
        self.configure("[route r]\nreceivers = boss\n", components=("web",))
        self.ctl("reload")
        self.heard("boss", RAISED)
        self.kill()
        self.sinks = {"carl": sinks["carl"]}
        self.configure("[route r]\nreceivers = carl\n", components=("web",))
        self.start()
        self.wait(lambda: sinks["carl"].kinds(None) == [RAISED], "carl to hear of it", timeout=40)
        self.mend("web")
        self.heard("carl", RAISED, CLEARED)
        self.sinks = sinks
        self.heard("ann", RAISED)
        self.heard("boss", RAISED)


class Inhibition(Notices):
    def test_an_incident_keeps_others_back(self):
        self.begin("""[route r]
receivers = ann

[inhibit net]
source_match = component=crm/db
target_match = component=crm/web
equal = team
""")
        self.break_components("db")
        self.heard("ann", RAISED, component="db")
        self.break_components("web")
        self.assertIn("which keeps it back by [inhibit net]", self.explain())
        self.sites.down.discard("db")
        self.wait(lambda: not self.incident("db"), "the end of db")
        self.heard("ann", RAISED, component="web")
        self.assertEqual(self.sinks["ann"].kinds("crm/db"), [RAISED, CLEARED])


class Questions(Notices):
    def test_route_test(self):
        calendar = self.scratch.file("rota", "weekly 2026-01-05T08:00 ann boss\n")
        self.begin(f"""[rota phone]
file = {calendar}

[route critical]
receivers = rota:phone
match = severity=critical, team=sales
remind = 4h
escalate.15m = boss

[route day]
receivers = ann
times = mon-fri 08:00-18:00
group_by = component
""")
        out = self.json("route", "test", "component=crm/web", "--at", "2026-01-12T09:00Z")
        self.assertEqual([t["receiver"] for t in out["targets"]], ["boss"])
        self.assertEqual(out["targets"][0]["route"], "critical")
        self.assertEqual(out["targets"][0]["escalate"],
                         [{"after_seconds": 900, "receivers": ["boss"]}])
        self.assertEqual(out["labels"]["team"], "sales")
        out = self.json("route", "test", "component=crm/web", "severity=warning", "--at",
                        "2026-01-12T09:00Z")
        self.assertEqual(out["targets"][0]["group"], 'day{component="crm/web"}')
        text = self.ctl("route", "test", "component=crm/web", "severity=warning", "--at",
                        "2026-01-11T09:00Z", expect=1)
        self.assertIn("Nobody would be told", text)
        self.assertIn("times: not now, the next begin at 2026-01-12 08:00 UTC", text)
        rows = self.json("rota", "show", "phone", "--next", "3")
        self.assertEqual(len(rows), 3)
        self.assertEqual(rows[0]["until"], rows[1]["from"])
        self.assertNotEqual(rows[0]["receivers"], rows[1]["receivers"])
        self.ctl("silence", "add", "team=sales", "-m", "quiet", "--for", "1m")
        self.assertIn("silence", self.ctl("route", "test", "component=crm/web"))

    def test_preview(self):
        self.begin("[route r]\nreceivers = ann\n")
        out = self.json("notice", "preview", "crm/web/page")
        self.assertEqual((out["receiver"], out["view"]["status"]), ("ann", "firing"))
        self.break_components("web")
        ident = self.incident()["id"]
        out = self.json("notice", "preview", ident, "--receiver", "boss")
        self.assertEqual((out["receiver"], out["view"]["alerts"][0]["incident"]), ("boss", ident))
        self.assertEqual(out["event"]["type"], "tend.incident.raised")
        self.assertEqual(out["view"]["alerts"][0]["labels"]["team"], "sales")
        self.assertIn("crm/web", self.ctl("notice", "preview", ident))
        self.heard("ann", RAISED)
        self.assertEqual(self.sinks["boss"].heard, [])
        self.assertEqual(self.try_ctl("notice", "preview", ident, "--receiver", "x")[0], 1)


class Digest(Notices):
    def test_collected_and_told_in_one_go(self):
        """It is 07:59:52 when tendd starts."""
        shift = (7 * 3600 + 59 * 60 + 52 - int(time.time())) % 86400
        self.calendar = self.scratch.file("calendar", f"{shift}\n")
        self.begin("[route r]\nreceivers = ann\ndigest = daily 08:00\n",
                   options="severity = warning\n")
        self.break_components("web", "db")
        self.assertIn("digest: 'ann' is told at", self.explain())
        self.assertEqual(self.sinks["ann"].heard, [])
        self.heard("ann", RAISED, component="db")
        self.heard("ann", RAISED, component="web")
        self.assertEqual(len(self.sinks["ann"].ids), 1)


if __name__ == "__main__":
    unittest.main()
