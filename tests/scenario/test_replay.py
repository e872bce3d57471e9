#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a policy would have done, over what a real tendd has seen: a server goes down and comes back."""
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from tendbox import wait_for  # noqa: E402

CONF = """\
[daemon]
state_dir = {dir}/state
run_dir = {dir}/run
lua_dir = {lua}
policy_dirs = {dir}/own
libexec_dir = {libexec}
plugin_dir = {plugins}
exec_socket = {dir}/no-exec.sock
spawn_socket =

[system crm]
environment = production

[component crm/web]
kind = web
unit = crm-web.service

[check crm/web/login]
probe = http
url = http://127.0.0.1:{port}/
interval = 500ms
timeout = 500ms
confirm = 2 of 2

[window hourly]
actions = allow
cron = 0 * * * *
duration = 5m

[window yearly]
actions = allow
cron = 0 3 1 1 *
duration = 1h

# of policies that a rehearsal of another one does not load
[policy free-disk]
mode = suggest

[policy restart-stuck-web]
mode = suggest
"""


ASK = '''policy "ask" { doc = "asks", hand = true, run = function(ctx)
	return tend.sign_off { text = "may I?" }
end }
'''


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Replay(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="tend-replay-")
        self.addCleanup(shutil.rmtree, self.dir)
        os.mkdir(os.path.join(self.dir, "run"))
        libexec = os.path.join(self.dir, "libexec")
        os.mkdir(libexec)
        for program in (os.environ["TEND_REHEARSE"],
                        os.path.join(os.environ["TEND_LIBEXECDIR"], "tend-run")):
            os.symlink(program, os.path.join(libexec, os.path.basename(program)))
        os.mkdir(os.path.join(self.dir, "own"))
        with open(os.path.join(self.dir, "own", "ask.lua"), "w", encoding="utf-8") as f:
            f.write(ASK)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.conf = os.path.join(self.dir, "tend.conf")
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(CONF.format(dir=self.dir, lua=os.environ["TEND_LUADIR"], libexec=libexec,
                                plugins=os.environ["TEND_PLUGINDIR"], port=self.port))
        self.env = dict(os.environ, TEND_LIBEXECDIR=libexec,
                        TEND_SOCKET=os.path.join(self.dir, "run", "tend.sock"))

    def ctl(self, *args):
        return subprocess.run([os.environ["TENDCTL"], *args], env=self.env, capture_output=True,
                              text=True, timeout=120, check=False)

    def rows(self, *args):
        done = self.ctl("-o", "json", *args)
        # The status of an installation without an executor is a warning, and an answer.
        return json.loads(done.stdout) if done.stdout else None

    def attempts(self):
        return self.rows("check", "show", "crm/web/login")["attempts"]

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        return server

    def fail_once(self):
        server = self.serve()
        wait_for(lambda: [c for c in self.rows("check", "list") or [] if c["state"] == "ok"], 30,
                 "the check is well")
        server.shutdown()
        server.server_close()
        wait_for(lambda: self.rows("incident", "list", "--open"), 30, "an incident")
        # Long enough for a policy to see that it still fails.
        seen = self.attempts()
        wait_for(lambda: self.attempts() > seen + 5, 30, "more of it")
        self.serve()
        wait_for(lambda: self.rows("incident", "list", "--open") == [], 30, "its end")

    def look_at_answers(self):
        """What people see of runs that change nothing, and of wrong words."""
        dry = self.ctl("policy", "run", "restart-unit", "crm/web", "--dry-run")
        self.assertEqual(dry.returncode, 0, dry.stderr)
        wait_for(lambda: [r for r in self.rows("run", "list")
                          if r["dry"] and r["state"] != "live"], 30, "the dry run")
        row = next(p for p in self.rows("policy", "list") if p["name"] == "restart-unit")
        self.assertIsNone(row["last_run"], row)
        for args, text in (
                (("run", "list", "--state=foo"), "only queued, live, done"),
                (("record", "list", "zz"), "only note, backup"),
                (("policy", "run", "restart-unt", "crm/web"), "did you mean 'restart-unit'?"),
                (("policy", "run", "restart-unit"), "name one component or check")):
            done = self.ctl(*args)
            self.assertNotEqual(done.returncode, 0, args)
            self.assertIn(text, done.stderr)
        names = [w["name"] for w in self.rows("window", "list")]
        self.assertEqual(len(names), 10)
        self.assertEqual(set(names[:2]), {"hourly", "yearly"}, names)

    def start(self):
        tendd = subprocess.Popen([os.environ["TENDD"], "-f", "-c", self.conf],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(tendd.wait, 20)
        self.addCleanup(tendd.terminate)
        wait_for(lambda: self.rows("status"), 30, "tendd")
        wait_for(lambda: [p for p in self.rows("policy", "list") or [] if p["name"] == "ask"], 30,
                 "its policies")

    def test_says_what_a_run_waits_for(self):
        self.start()
        begun = self.ctl("policy", "run", "ask", "crm/web")
        self.assertEqual(begun.returncode, 0, begun.stderr)
        approval = wait_for(lambda: self.rows("approval", "list"), 30, "its question")[0]
        line = f"waits for approval {approval['id']}: tendctl approval grant {approval['id']}"
        self.assertEqual(self.ctl("run", "show", approval["run"]).stdout.splitlines()[0], line)
        follow = subprocess.Popen([os.environ["TENDCTL"], "run", "follow", approval["run"]],
                                  env=self.env, stdout=subprocess.PIPE, text=True)
        self.addCleanup(follow.communicate, None, 20)
        self.addCleanup(self.ctl, "run", "cancel", approval["run"])
        self.assertEqual(follow.stdout.readline().rstrip(), line)

    def test_what_would_it_have_done(self):
        self.start()
        self.fail_once()
        self.look_at_answers()
        options = ("--since=1h", f"--config={self.conf}")
        found = self.rows("policy", "replay", "restart-unit", *options)
        self.assertIsNotNone(found, self.ctl("policy", "replay", "restart-unit", *options).stderr)
        # In production it only suggested; by itself it would have acted.
        self.assertEqual(found["ran_in_history"], 0, found)
        # One; a machine under load may have answered too slowly once more.
        self.assertGreaterEqual(found["incidents"], 1, found)
        self.assertEqual(list(found["actions"]), ["unit.restart"], found)
        self.assertEqual(found["runs"][0]["target"], "crm/web")
        text = self.ctl("policy", "replay", "restart-unit", *options)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertRegex(text.stdout, r"It would have done: unit\.restart [1-9]")
        wrong = self.ctl("policy", "replay", "restart-unit", "--since=soon")
        self.assertEqual(wrong.returncode, 64)


if __name__ == "__main__":
    unittest.main()
