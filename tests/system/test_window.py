# SPDX-License-Identifier: MIT
"""tendd through maintenance windows of seconds: what it holds back, what it pauses, what it tells
after the end, over a kill -9 inside, and what it says of all that to people."""

import datetime
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from tendbox import wait_for
from snmpbox import BUILD, Scratch

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Sink(http.server.BaseHTTPRequestHandler):
    """A receiver of notices: (time, type, subject) of each."""
    told = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((time.time(), body["type"], body.get("subject")))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Page(http.server.BaseHTTPRequestHandler):
    hits = 0

    def do_GET(self):
        type(self).hits += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Batch(Page):
    hits = 0


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def serve(handler, port=0):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def stop(server):
    server.shutdown()
    server.server_close()


def stamp(at):
    return datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


class Window(unittest.TestCase):
    def setUp(self):
        Sink.told = []
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.sink = serve(Sink)
        self.addCleanup(lambda: stop(self.sink))
        self.batch = serve(Batch)
        self.addCleanup(lambda: stop(self.batch))
        self.page = serve(Page)
        self.port = self.page.server_address[1]
        self.addCleanup(lambda: self.show(False))
        for name in ("state", "run", "libexec", "conf.d", "lua", "lua/tend", "lua/policies"):
            os.mkdir(self.scratch.file(name))
        os.symlink(os.path.abspath(os.path.join(BUILD, "daemon/run/tend-run")),
                   self.scratch.file("libexec/tend-run"))
        os.chmod(self.scratch.file("secret", SECRET + "\n"), 0o600)
        self.config = self.scratch.file("tend.conf", f"""[daemon]
state_dir = {self.scratch.path}/state
run_dir = {self.scratch.path}/run
libexec_dir = {self.scratch.path}/libexec
lua_dir = {self.scratch.path}/lua

[system crm]
environment = production
[component crm/web]
kind = web
[component crm/batch]
kind = app

[check crm/web/page]
probe = http
interval = 200ms
timeout = 200ms
confirm = 2 of 2
url = http://127.0.0.1:{self.port}/

[check crm/batch/page]
probe = http
interval = 200ms
timeout = 200ms
confirm = 2 of 2
url = http://127.0.0.1:{self.batch.server_address[1]}/

[receiver ops]
type = webhook
url = http://127.0.0.1:{self.sink.server_address[1]}/
secret = file:{self.scratch.path}/secret
""")
        self.log = self.scratch.file("tendd.log")
        self.tendd = None

    def show(self, up):
        """The page that is watched is there, or refuses."""
        if up and not self.page:
            self.page = serve(Page, self.port)
        elif not up and self.page:
            stop(self.page)
            self.page = None

    def windows(self, text):
        with open(self.scratch.file("conf.d/windows.conf"), "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        with open(self.log, "ab") as log:
            self.tendd = self.scratch.spawn(
                [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", self.config, "--plugin-dir",
                 os.path.join(BUILD, "plugins")], stdout=log, stderr=log)
        self.wait(lambda: self.ctl("status", check=False), 15, "tendd to answer")

    def ctl(self, *args, check=True):
        done = subprocess.run(
            [os.path.join(BUILD, "daemon/ctl/tendctl"), "-s", f"{self.scratch.path}/run/tend.sock",
             *args], capture_output=True, text=True, check=False)
        # The exit status of `status` and `check show` is the state.
        if check and (done.returncode > 3 or done.stderr):
            self.fail(f"tendctl {args}: {done.returncode} {done.stderr}")
        return "" if done.returncode > 3 else done.stdout

    def json(self, *args):
        return json.loads(self.ctl("-o", "json", *args))

    def state(self, check):
        return self.json("check", "show", check)["state"]

    def wait(self, condition, timeout, what):
        try:
            return wait_for(condition, timeout, what, interval=0.05)
        except AssertionError as error:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"{error}\n{Sink.told}\n{log.read()[-3000:]}") from error

    def told(self):
        return [kind.replace("tend.incident.", "") for _, kind, subject in list(Sink.told)
                if subject == "crm/web/page"]

    def metrics(self):
        client = Unix(f"{self.scratch.path}/run/tend.sock")
        client.request("GET", "/metrics")
        text = client.getresponse().read().decode()
        client.close()
        return text

    def is_open(self, name):
        return any(row["open"] for row in self.json("window", "list", name))

    def test_held_over_a_kill_and_told_after_it(self):
        closes = int(time.time()) + 9
        self.windows(f"""[window release]
start = {stamp(closes - 7)}
end = {stamp(closes)}
timezone = Europe/Berlin
match_component = crm/web
alerts = quiet
[window nightly]
cron = 30 2 * * *
duration = 1h
timezone = Europe/Berlin
[freeze audit]
except = restart-unit
""")
        self.start()
        self.wait(lambda: self.state("crm/web/page") == "ok", 5, "the page to be well")
        self.wait(lambda: self.is_open("release"), 5, "the window to open")
        rows = self.json("window", "list", "--next", "5")
        self.assertEqual([row["name"] for row in rows],
                         ["audit", "release", "nightly", "nightly", "nightly"])
        self.assertIn("Europe/Berlin", self.ctl("window", "list"))
        self.show(False)
        incident = self.wait(lambda: self.json("incident", "list", "--open"), 5, "an incident")[0]
        self.assertTrue(incident["held"])
        status = self.ctl("status")
        self.assertIn("Open windows", status)
        self.assertIn("alerts quiet", status)
        self.assertIn(incident["id"][:8], status)
        for name in ("crm/web/page", incident["id"]):
            self.assertIn("the window 'release' is open until", self.ctl("explain", name))
        self.assertIn('tend_window_open{window="release",kind="window"} 1', self.metrics())
        self.assertIn("tend_incidents_held 1", self.metrics())
        self.tendd.send_signal(signal.SIGKILL)
        self.tendd.wait()
        self.start()
        self.assertTrue(self.json("incident", "show", incident["id"])["held"])
        self.assertTrue(self.is_open("release"), "the test was too slow for its window")
        self.assertEqual(self.told(), [])
        self.wait(self.told, 12, "the raise")
        self.assertEqual(self.told(), ["raised"])
        self.assertGreaterEqual(Sink.told[-1][0], closes)
        self.assertFalse(self.json("incident", "show", incident["id"])["held"])
        self.show(True)
        self.wait(lambda: len(self.told()) > 1, 10, "the clear")
        self.assertEqual(self.told(), ["raised", "cleared"])

    def test_what_came_and_went_inside_is_not_told(self):
        closes = int(time.time()) + 6
        self.windows(f"""[window release]
start = {stamp(closes - 7)}
end = {stamp(closes)}
alerts = quiet
""")
        self.start()
        self.wait(lambda: self.state("crm/web/page") == "ok", 5, "the page to be well")
        self.show(False)
        self.wait(lambda: self.json("incident", "list", "--open"), 5, "an incident")
        self.show(True)
        self.wait(lambda: not self.json("incident", "list", "--open"), 5, "its end")
        self.assertTrue(self.is_open("release"), "the test was too slow for its window")
        self.wait(lambda: not self.is_open("release"), 10, "the window to close")
        # What is told next comes after whatever the end of the window had to tell.
        self.show(False)
        self.wait(self.told, 10, "a fault outside")
        self.assertEqual(self.told(), ["raised"])
        self.assertGreaterEqual(Sink.told[-1][0], closes)

    def test_a_raise_of_before_is_cleared_after(self):
        self.start()
        self.wait(lambda: self.state("crm/web/page") == "ok", 5, "the page to be well")
        self.show(False)
        self.wait(self.told, 5, "the raise")
        closes = int(time.time()) + 4
        self.windows(f"[window release]\nstart = {stamp(closes - 60)}\nend = {stamp(closes)}\n"
                     "alerts = quiet\n")
        self.ctl("reload")
        self.assertTrue(self.is_open("release"))
        self.show(True)
        incident = self.wait(lambda: [i for i in self.json("incident", "list", "--open")
                                      if i["held"]], 5, "the end to be held")[0]
        self.assertEqual(self.told(), ["raised"])
        self.wait(lambda: len(self.told()) > 1, 10, "the clear")
        self.assertEqual(self.told(), ["raised", "cleared"])
        self.assertGreaterEqual(Sink.told[-1][0], closes)
        self.assertEqual(self.json("incident", "show", incident["id"])["phase"], "closed")

    def test_an_opening_starts_policies_once(self):
        self.scratch.file("lua/policies/opening.lua", """policy "opening" {
	doc = "Says that a window has opened.",
	on = { event = { type = "window-opened" } },
	targets = { component = "*" },
	run = function(ctx)
		tend.notice.send { text = ctx.trigger.event.window .. " at " .. ctx.component.name }
	end,
}
""")
        opens = int(time.time()) + 3
        self.windows(f"[window one]\nstart = {stamp(opens)}\nduration = 1h\n"
                     "match_component = crm/batch\n[policy opening]\nmode = auto\n")
        self.start()
        runs = self.wait(lambda: [run for run in self.json("run", "list")
                                  if run["ended"]], 15, "the run")
        self.assertGreaterEqual(time.time(), opens)
        self.assertEqual([(run["policy"], run["state"]) for run in runs], [("opening", "done")],
                         runs)
        self.assertIn("crm/batch", json.dumps(runs))
        self.wait(lambda: [1 for _, kind, _ in Sink.told if kind == "tend.policy.message"], 5,
                  "the message")
        self.tendd.send_signal(signal.SIGKILL)
        self.tendd.wait()
        self.start()
        self.wait(lambda: self.state("crm/web/page") == "ok", 5, "the second start to be at work")
        self.assertTrue(self.is_open("one"))
        self.assertEqual(len(self.json("run", "list")), 1)

    def test_checks_pause_and_go_on(self):
        closes = int(time.time()) + 5
        self.windows(f"[window batch]\nstart = {stamp(closes - 3)}\nend = {stamp(closes)}\n"
                     "match_component = crm/batch\nchecks = pause\n")
        self.start()
        self.wait(lambda: self.state("crm/batch/page") == "ok", 5, "the batch to be well")
        paused = self.wait(lambda: (c := self.json("check", "show", "crm/batch/page"))["paused"]
                           and c, 5, "the pause")
        self.assertEqual((paused["paused"], paused["state"]), ("batch", "ok"))
        self.assertIn("paused by the window 'batch' until", self.ctl("check", "list"))
        self.assertIn("the check does not run: the window 'batch' is open",
                      self.ctl("explain", "crm/batch/page"))
        self.assertIn("tend_checks_paused 1", self.metrics())
        hits, other = Batch.hits, Page.hits
        # Others run: three more of their results are a time in which this one would have run.
        self.wait(lambda: Page.hits >= other + 3, 5, "the other check to run")
        self.assertLessEqual(Batch.hits, hits + 1)  # one may have been under way
        self.wait(lambda: Batch.hits > hits + 2, 10, "it to go on")
        self.assertGreaterEqual(time.time(), closes)
        self.assertIsNone(self.json("check", "show", "crm/batch/page")["paused"])


if __name__ == "__main__":
    unittest.main()
