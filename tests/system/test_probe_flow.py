# SPDX-License-Identifier: MIT
"""The flow probe on the seeded Tryton, on a web application with a form, and on an API with tokens."""

import contextlib
import http.server
import json
import os
import subprocess
import threading
import time
import unittest
import urllib.parse

from execbox import sanitized
from probes import Odd, Probes, hanging_up, saying, silent, tcp_port
from snmpbox import BUILD, Scratch
from tryton import DATABASE, PASSWORDS, Tryton

LUA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lua")


class FlowTest(unittest.TestCase):
    def setUp(self):
        self.secrets = Scratch()
        self.addCleanup(self.secrets.close)

    def secret(self, name, text):
        path = self.secrets.file(name, text + "\n")
        os.chmod(path, 0o600)
        return "file:" + path

    def flow(self, name, text):
        return self.secrets.file(name, "local flow = require \"tend.flow\"\n" + text)

    def probes(self, checks, timeout="4s"):
        probes = Probes(self, {name: {"probe": "flow", **options}
                               for name, options in checks.items()}, timeout)
        os.symlink(os.path.join(LUA, "flows"), probes.path + "/lua/flows")
        os.symlink(os.path.join(LUA, "tend/flow.lua"), probes.path + "/lua/tend/flow.lua")
        return probes

    def expect(self, outcome, reason, *texts):
        self.assertEqual(outcome.reason, reason, outcome)
        for text in texts:
            self.assertIn(text, outcome.text)


# ---- Tryton -------------------------------------------------------------------------------------

class TrytonTest(FlowTest):
    def setUp(self):
        super().setUp()
        self.crm = Tryton(self)
        common = {"file": "tryton", "param.url": self.crm.url, "param.database": DATABASE}
        admin = {**common, "param.user": "admin",
                 "secret.password": self.secret("admin", PASSWORDS["admin"])}
        self.p = self.probes({
            "admin": {**admin, "warning.step_seconds": "0.9"},
            "user": {**common, "param.user": "monitor", "param.party": "Fjord Shipping",
                     "secret.password": self.secret("monitor", PASSWORDS["monitor"])},
            "six": {**admin, "param.url": self.crm.url.replace("127.0.0.1", "[::1]"),
                    "param.write": "no"},
            "refused": {**admin, "secret.password": self.secret("wrong", "no" + PASSWORDS["admin"])},
            "nowhere": {**admin, "param.database": "no_such"},
            "stranger": {**admin, "param.party": "Nobody & Co"},
        })
        # Its first log-in loads all modules.
        for _ in range(20):
            outcome = self.p.run("admin")
            if outcome.reason in ("ok", "threshold"):
                return
        self.fail(outcome)

    @contextlib.contextmanager
    def broken(self, sql, mend, drop=True):
        self.crm.sql(sql)
        if drop:
            self.crm.drop_sessions()
        try:
            yield
        finally:
            self.crm.sql(mend)
            if drop:
                self.crm.drop_sessions()

    def restart_database(self, touch):
        self.crm.database.stop()
        touch(self.crm.database.data + "/standby.signal")
        self.crm.database.start()

    def eventually(self, reason, *texts, name="admin"):
        """Tryton throws its broken connections away one by one."""
        for _ in range(6):
            outcome = self.p.run(name)
            if outcome.reason == reason:
                break
        self.expect(outcome, reason, *texts)
        return outcome

    def well(self, name):
        return self.eventually("ok", name=name)

    def test_moods(self):
        self.steps_when_well()
        self.who_is_let_in()
        self.what_the_database_does_not_do()
        self.what_is_left_behind()
        self.what_is_slow()
        self.what_is_gone()

    def steps_when_well(self):
        for name in ("admin", "user"):
            outcome = self.well(name)
            steps = [key.split("/")[1] for key in outcome.metrics if key.startswith("step_")]
            self.assertEqual(steps, ["log in", "read", "create", "find", "delete",
                                     "remove what was made", "log out"])
            total = sum(outcome.metrics["step_seconds/" + step] for step in steps)
            self.assertLessEqual(total, outcome.metrics["total_seconds"])
            self.assertIn("5 steps went well", outcome.text)
        self.well("six")
        self.assertEqual(self.crm.sql("select count(*) from party_party "
                                      "where name like 'tend-probe%'"), "0")

    def who_is_let_in(self):
        self.expect(self.p.run("refused"), "auth-failed", "step 'log in'", "got 401")
        self.expect(self.p.run("nowhere"), "database-missing", "there is no database 'no_such'")
        self.expect(self.p.run("stranger"), "content-unexpected", "step 'read'",
                    "expected the party 'Nobody & Co'")

    def what_the_database_does_not_do(self):
        # Tryton sets its sessions to write: a standby does not let it.
        self.restart_database(lambda path: open(path, "w", encoding="ascii").close())
        self.eventually("read-only", "standby")
        self.restart_database(os.unlink)
        self.well("admin")
        with self.broken("alter table party_party rename to party_gone",
                         "alter table party_gone rename to party_party", drop=False):
            self.expect(self.p.run("admin"), "object-missing", "step 'read'", "party_party")
        with self.broken("alter role tryton nologin", "alter role tryton login"):
            self.eventually("access-denied", "step 'log in'", "may not log in")
        self.well("admin")

    def what_is_left_behind(self):
        with self.broken("create function no() returns trigger language plpgsql as "
                         "$$ begin raise exception 'not today'; end $$;"
                         "create trigger no before delete on party_party "
                         "for each row execute function no()",
                         "drop trigger no on party_party; drop function no", drop=False):
            outcome = self.p.run("admin")
            self.expect(outcome, "step-failed", "step 'delete'", "not today")
            self.assertIn("step_seconds/remove what was made", outcome.metrics)
        # Not well(): it would try again.
        self.assertEqual(self.p.run("admin").metrics["leftovers"], 1)
        self.assertEqual(self.p.run("admin").metrics["leftovers"], 0)

    def what_is_slow(self):
        with self.broken("create function slow() returns trigger language plpgsql as "
                         "$$ begin perform pg_sleep(1); return new; end $$;"
                         "create trigger slow before insert on party_party "
                         "for each row execute function slow()",
                         "drop trigger slow on party_party; drop function slow", drop=False):
            outcome = self.p.run("admin")
            self.expect(outcome, "threshold", "step_seconds")
            self.assertGreater(outcome.metrics["step_seconds/create"], 1)
        lock = self.crm.database.session("begin; lock table party_party", DATABASE)
        outcome = self.p.run("admin")
        lock.communicate()
        self.expect(outcome, "locked", "step 'read'", "their table is locked")
        self.assertIn("step_seconds/log out", outcome.metrics)
        self.well("admin")
        with self.crm.frozen_database():
            self.expect(self.p.run("admin"), "too-slow", "step 'log in'")
        with self.crm.web.frozen():
            self.expect(self.p.run("admin"), "too-slow", "step 'log in'",
                        "waiting for the answer")
        self.well("admin")

    def what_is_gone(self):
        self.crm.database.stop()
        self.eventually("query-failed", "step 'log in'", "its database")
        self.crm.database.start()
        self.well("admin")
        self.crm.web.kill()
        self.expect(self.p.run("admin"), "connect-refused", "step 'log in'")


# ---- a web application ----------------------------------------------------------------------------

PASSWORD = "p\u00e4ss \"w&rd%<7>"


class Site(http.server.BaseHTTPRequestHandler):
    """A form with a token, a page that needs a session, a token API: what the flows are made for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    seen = []
    quota = 3
    code = 0

    def say(self, status, text, **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cookies(self):
        return self.headers.get("Cookie") or ""

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        if parts.path == "/login":
            self.say(200, "<form method=post action='?next=/home'><input type=hidden name=csrf "
                          "value='a&amp;b ${secret:password}'><input name=login><input "
                          "type=password name=pw></form>", Set_Cookie="csrf=a")
        elif parts.path == "/home" and "sid=s3ss10n" in self.cookies():
            self.say(200, f"Hello Bob, your password is {PASSWORD}. Log out")
        elif parts.path == "/home":
            self.say(302, "", Location="/login")
        elif parts.path == "/shows":
            self.say(200, " ".join(f"{name}={self.headers.get(name)}" for name in
                                   ("Authorization", "X-Key", "Content-Type", "Content-Length")))
        elif parts.path == "/bye":
            Site.seen.append(("bye", self.cookies(), parts.query))
            self.say(200, "bye")
        elif parts.path == "/api" and self.headers.get("Authorization") == "Bearer t0k3n-42":
            Site.quota -= 1
            self.say(200, json.dumps({"errcode": Site.code, "errmsg": "invalid corp id",
                                      "data": {"n": 5}}),
                     X_Limit="3", X_Left=str(Site.quota))
        else:
            self.say(401, "who are you?")

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = dict(urllib.parse.parse_qsl(text))
        Site.seen.append((self.path, fields, self.headers.get("Authorization")))
        if self.path == "/moved":
            self.say(303, "", Location=fields["to"])
        elif self.path == "/token":
            if self.headers.get("Authorization") == "Basic " + "aWQ6czNjcmV0LXNlY3JldA==":
                self.say(200, json.dumps({"access_token": "t0k3n-42"}))
            else:
                self.say(401, '{"error": "invalid_client"}')
        elif fields == {"csrf": "a&b ${secret:password}", "login": "bob", "pw": PASSWORD} and \
                "csrf=a" in self.cookies():
            self.say(303, "", Location="/home", Set_Cookie="sid=s3ss10n; HttpOnly")
        else:
            self.say(200, "Wrong. <form method=post><input name=login><input type=password "
                          f"name=pw></form> Not '{fields.get('pw')}'")

    def log_message(self, *args):
        pass


class WebTest(FlowTest):
    def setUp(self):
        super().setUp()
        Site.seen, Site.quota, Site.code = [], 3, 0
        self.site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        self.url = f"http://127.0.0.1:{self.site.server_address[1]}"
        threading.Thread(target=self.site.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(self.site.server_close)
        self.addCleanup(self.site.shutdown)

    def form(self, **more):
        return {"file": "form-login", "param.url": self.url + "/login", "param.user": "bob",
                "param.user_field": "login", "param.password_field": "pw", "param.page": "/home",
                "param.text": "Log out", "param.logout": "/bye",
                "secret.password": self.secret("form", PASSWORD), **more}

    def token(self, **more):
        return {"file": "token-api", "param.token_url": self.url + "/token",
                "param.client_id": "id", "param.url": self.url + "/api",
                "param.error_pointer": "/errcode", "param.error_text": "/errmsg",
                "param.error_auth": "40001, 40013", "param.error_quota": "45009",
                "param.quota_limit": "X-Limit", "param.quota_left": "X-Left",
                "param.expect_pointer": "/data/n", "param.expect_value": "5",
                "secret.client_secret": self.secret("client", "s3cret-secret"), **more}

    def test_form(self):
        p = self.probes({
            "well": self.form(),
            "wrong": self.form(**{"secret.password": self.secret("form2", "wr0ng-one")}),
            "text": self.form(**{"param.text": "Log in"}),
            "field": self.form(**{"param.user_field": "email"}),
        })
        outcome = p.run("well")
        self.expect(outcome, "ok", "3 steps")
        self.assertEqual(Site.seen[-1], ("bye", "csrf=a; sid=s3ss10n", ""))
        self.assertEqual(outcome.metrics["requests"], 5)
        outcome = p.run("wrong")
        self.expect(outcome, "auth-failed", "shown again", "Not '***'")
        self.assertNotIn("wr0ng", outcome.text)
        # What a page shows of the secret is not shown on.
        outcome = p.run("text")
        self.expect(outcome, "content-unexpected", "step 'read a page'", "your password is ***")
        self.expect(p.run("field"), "content-unexpected", "no field 'email'")

    def test_token(self):
        p = self.probes({
            "well": self.token(),
            "wrong": self.token(**{"secret.client_secret": self.secret("client2", "s3cret-bad")}),
        })
        outcome = p.run("well")
        self.expect(outcome, "ok")
        self.assertEqual(outcome.metrics["quota_left"], 2)
        self.assertAlmostEqual(outcome.metrics["quota_used_percent"], 100 / 3, 3)
        Site.code = 40013
        self.expect(p.run("well"), "auth-failed", "error 40013 at /errcode: 'invalid corp id'")
        Site.code = 45009
        self.expect(p.run("well"), "quota", "45009")
        Site.code, Site.quota = 7, 9
        self.expect(p.run("well"), "content-unexpected", "error 7")
        Site.code, Site.quota = 0, 1
        self.expect(p.run("well"), "quota", "used up")
        self.expect(p.run("wrong"), "auth-failed", "step 'get a token'")

    def test_servers_in_moods(self):
        odd = {
            "dead": tcp_port(), "dead6": tcp_port("::1"),
            "silent": Odd(self, silent).port, "hangup": Odd(self, hanging_up).port,
            "garbage": Odd(self, saying(b"SSH-2.0-OpenSSH_9.2\r\n")).port,
            "error": Odd(self, saying(b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nboom")).port,
            "quota": Odd(self, saying(b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n")).port,
        }
        checks = {name: self.form(**{"param.url": f"http://127.0.0.1:{port}/login"})
                  for name, port in odd.items()}
        for name, talk in (("silent6", silent), ("hangup6", hanging_up),
                           ("garbage6", saying(b"SSH-2.0-OpenSSH_9.2\r\n"))):
            odd[name] = Odd(self, talk, "::1").port
        for name in ("dead6", "silent6", "hangup6", "garbage6"):
            checks[name] = self.form(**{"param.url": f"http://[::1]:{odd[name]}/login"})
        checks["nameless"] = self.form(**{"param.url": "http://no-such-host.invalid/"})
        checks["tls"] = self.form(**{"param.url": f"https://127.0.0.1:{odd['garbage']}/"})
        p = self.probes(checks, "1s")
        reasons = {name: p.run(name).reason for name in checks}
        self.assertEqual(reasons, {
            "dead": "connect-refused", "dead6": "connect-refused", "silent": "too-slow",
            "hangup": "protocol", "garbage": "protocol", "silent6": "too-slow",
            "hangup6": "protocol", "garbage6": "protocol", "error": "status-unexpected",
            "quota": "quota", "nameless": "dns-failed", "tls": "tls-failed"})

    def test_flow_files(self):
        files = {
            "cleanup": 'return flow.new { steps = { { "wait", run = function() flow.sleep(60) end } },'
                       f'cleanup = {{ {{ "tidy", run = function() '
                       f'flow.session("{self.url}"):get("/bye") end }} }} }}',
            "endless": 'return flow.new { steps = { { "spin", run = function() while true do end end '
                       '} } }',
            "greedy": 'return flow.new { steps = { { "eat", run = function() local t = {} while true '
                      'do t[#t + 1] = ("x"):rep(1 << 16) .. #t end end } } }',
            "broken": 'return flow.new { steps = { { "x", run = function() } } }',
            "unknown": 'return flow.new { stepz = {} }',
            "nothing": 'return 7',
            "outside": 'return flow.new { steps = { { "x", run = function() os.execute("id") end } } }',
            "bug": 'return flow.new { steps = { { "x", run = function() local t; t.y = 1 end } } }',
            "forged": f'return flow.new {{ steps = {{ {{ "x", run = function() flow.session("{self.url}")'
                      ':post("/x", { form = { a = "${sec" .. "ret:password}", b = '
                      '"${secret:password}", c = "${secret:other}" } }) end } },'
                      'secrets = { password = {} } }',
        }
        secret = self.secret("p", PASSWORD)
        checks = {name: {"file": self.flow(name + ".lua", text)} for name, text in files.items()}
        checks["forged"]["secret.password"] = secret
        checks["extra"] = {"file": checks["bug"]["file"], "param.x": "1"}
        checks["greedy"]["timeout"] = "20s"  # instrumented builds are slow
        checks["missing"] = {"file": "/no/such/file.lua"}
        p = self.probes(checks, "2s")
        began = time.monotonic()
        outcome = p.run("cleanup")
        self.expect(outcome, "too-slow", "step 'wait'", "no time is left")
        self.assertEqual(Site.seen[-1][0], "bye")
        self.assertLess(time.monotonic() - began, 1)
        self.expect(p.run("endless"), "step-failed", "step 'spin'", "endless loop")
        self.expect(p.run("greedy"), "step-failed", "step 'eat'", "48 MiB")
        self.expect(p.run("broken"), "internal", "broken.lua:2:")
        self.expect(p.run("unknown"), "internal", "stepz")
        self.expect(p.run("nothing"), "internal", "flow.new")
        self.expect(p.run("outside"), "step-failed", "outside.lua:2:", "unknown name 'os'")
        self.expect(p.run("bug"), "step-failed", "bug.lua:2:")
        self.expect(p.run("forged"), "step-failed", "secret.other is not set")
        self.expect(p.run("extra"), "internal", "param.x")
        self.expect(p.run("missing"), "internal", "/no/such/file.lua")
        self.assertNotIn("/x", [seen[0] for seen in Site.seen])

    # Whatever a step does to its process, what it has left at the target is removed.
    def test_clean_up_always_runs(self):
        spins = {
            "loop": "while true do end",
            "caught": "while true do pcall(function() while true do end end) end",
            "handled": "local function spin() while true do end end xpcall(spin, spin)",
            "coroutine": "coroutine.wrap(function() while true do end end)()",
            "resumed": "while true do coroutine.resume(coroutine.create(function() while true do end "
                       "end)) end",
            "before": "while true do coroutine.resume(v.early) end",
            "closing": "local x <close> = setmetatable({}, { __close = function() while true do end "
                       "end }) error('x')",
            "searching": "while true do pcall(string.find, ('a'):rep(1 << 16), ('a*'):rep(9) .. 'b') end",
        }
        eats = {
            "hoard": "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 16) .. #t end",
            "kept": "v.t = {} while true do v.t[#v.t + 1] = ('x'):rep(1 << 16) .. #v.t end",
            "shielded": "v.t = {} while true do pcall(function() v.t[#v.t + 1] = ('x'):rep(1 << 16) .. "
                        "#v.t end) end",
            "growing": "local t = {} for i = 1, math.huge do t[i] = i end",
            "doubling": "local s = 'x' while true do s = s .. s end",
            "joined": "local t = {} for i = 1, 200 do t[i] = ('x'):rep(1 << 19) end",
            "listed": "local t, s = {}, ('x'):rep(1 << 19) for i = 1, 200 do t[i] = s end "
                      "while true do pcall(table.concat, t) end",
        }
        # The clean-up's share is of this: instrumented builds are slow.
        spun = "6s" if sanitized() else "2s"
        p = self.probes({name: {"timeout": "20s" if name in eats else spun, "file": self.flow(
            name + ".lua", 'return flow.new { steps = { { "make", run = function(v) v.early = '
            'coroutine.create(function() while true do end end) end }, '
            f'{{ "break", run = function(v) {body} end }} }}, cleanup = {{ {{ "tidy", run = '
            f'function() flow.session("{self.url}"):get("/bye?{name}", {{ expect = false }}) end '
            '}, { "twice", run = function() local t = {} for i = 1, 8 do t[i] = ("x"):rep(1 << 19) '
            f'.. i end flow.session("{self.url}"):get("/bye?{name}-twice") end }} }} }}')}
            for name, body in {**spins, **eats}.items()})
        for name in [*spins, *eats]:
            with self.subTest(name):
                outcome = p.run(name)
                self.expect(outcome, "step-failed", "step 'break': ",
                            *(["48 MiB"] if name in eats else ["endless loop", name + ".lua:2: "]))
                self.assertLessEqual({name, name + "-twice"}, {seen[2] for seen in Site.seen})
                self.assertNotIn("; and", outcome.text)

    # A closer look must not take the clean-up's time, and a clean-up that fails hides no failure.
    def test_clean_up_after_a_closer_look(self):
        fails = 'steps = { { "x", run = function() flow.fail("locked", "it is locked") end } }, '
        tidy = f'{{ "tidy", run = function() flow.session("{self.url}"):get("/bye?%s") end }}'
        spin = "function() while true do end end"
        p = self.probes({name: {"file": self.flow(name + ".lua", "return flow.new { " + fails + text % name)}
                         for name, text in {
                             "look": f"diagnose = {spin}, cleanup = {{ {tidy} }} }}",
                             "tidy": f'cleanup = {{ {tidy}, {{ "spin", run = {spin} }} }} }}',
                             "eat": f'cleanup = {{ {tidy}, {{ "eat", run = function() local t = {{}} '
                                    'while true do t[#t + 1] = ("x"):rep(1 << 16) .. #t end end } } }',
                         }.items()}, "10s" if sanitized() else "2s")
        for name, text in {"look": "and the closer look", "tidy": "and the clean-up spin was not over",
                           "eat": "and the clean-up eat: not enough memory"}.items():
            with self.subTest(name):
                self.expect(p.run(name), "locked", "step 'x': it is locked; " + text)
                self.assertIn(name, [seen[2] for seen in Site.seen])

    # What a redirect takes along: all but the body at the same server, nothing at another.
    def test_redirects(self):
        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        threading.Thread(target=other.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        there = f"http://127.0.0.1:{other.server_address[1]}"
        p = self.probes({name: {"file": self.flow(
            name + ".lua", 'return flow.new { steps = { { "x", run = function() '
            f'flow.fail("protocol", "%s", flow.session("{self.url}"):post("/moved", '
            '{ user = "bob", password = "pw", headers = { ["X-Key"] = "k" }, '
            f'form = {{ to = "{to}/shows" }} }}).body) end }} }} }}')}
            for name, to in {"same": self.url, "other": there}.items()})
        self.expect(p.run("same"), "protocol", "Authorization=Basic Ym9iOnB3 X-Key=k "
                                               "Content-Type=None Content-Length=None")
        self.expect(p.run("other"), "protocol", "Authorization=None X-Key=None "
                                                "Content-Type=None Content-Length=None")

    # Wherever a text or a body is cut: no part of a secret is left.
    def test_cut_secrets(self):
        secret, declared = "s3cret-whole-one", "secrets = { password = {} }"
        checks = {}
        for n in (0, 150, 165, 171, 172, 180, 440, 480, 500):
            checks[f"url{n}"] = {"file": self.flow(
                f"url{n}.lua", 'return flow.new { steps = { { "x", run = function() '
                f'flow.session("http://127.0.0.1:{tcp_port()}/"):get("/" .. ("a"):rep({n}) .. '
                '"?k=${secret:password}") end } }, ' + declared + ' }')}
        for n in (1, 5, 15, 16, 17):
            body = b"a" * ((384 << 10) - n) + secret.encode() + b"b" * 100
            port = Odd(self, saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                                    % (len(body), body))).port
            checks[f"body{n}"] = {"file": self.flow(
                f"body{n}.lua", 'return flow.new { steps = { { "x", run = function() '
                f'flow.fail("protocol", "%s", flow.session("http://127.0.0.1:{port}/"):get("/")'
                '.body:sub(-20)) end } }, ' + declared + ' }')}
        for options in checks.values():
            options["secret.password"] = self.secret("cut", secret)
        p = self.probes(checks)
        for name in checks:
            outcome = p.run(name)
            self.expect(outcome, "protocol" if name.startswith("body") else "connect-refused",
                        "aaaa" if name != "url0" else "/?k=***")
            self.assertNotIn("aas", outcome.text, name)
            self.assertNotIn("k=s", outcome.text, name)


# ---- without a daemon -----------------------------------------------------------------------------

class ToolTest(WebTest):
    test_form = test_token = test_servers_in_moods = test_flow_files = None
    test_redirects = test_cut_secrets = None

    def setUp(self):
        super().setUp()
        libexec = self.secrets.file("libexec")
        os.mkdir(libexec)
        for program in ("run/tend-run", "try/tend-try"):
            os.symlink(os.path.abspath(os.path.join(BUILD, "daemon", program)),
                       os.path.join(libexec, os.path.basename(program)))
        self.environment = {"TEND_LIBEXECDIR": libexec, "TEND_LUADIR": os.path.abspath(LUA),
                            "TEND_PLUGINDIR": os.path.abspath(os.path.join(BUILD, "plugins"))}

    def tendctl(self, *args):
        return subprocess.run([os.path.join(BUILD, "daemon/ctl/tendctl"), *args],
                              capture_output=True, text=True, check=False, env=self.environment)

    def test_tendctl(self):
        done = self.tendctl("flow", "list")
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()],
                         ["form-login", "token-api", "tryton"], done)
        done = self.tendctl("flow", "check", "tryton")
        self.assertIn("secret.password = (needed)", done.stdout)
        done = self.tendctl("-o", "json", "flow", "check", "tryton")
        self.assertEqual(json.loads(done.stdout)["steps"][0], {"name": "log in", "login": True})
        done = self.tendctl("flow", "check", "/etc/hostname")
        self.assertEqual(done.returncode, 1)
        words = [f"{key.replace('param.', '')}={value}" for key, value in self.form().items()
                 if key != "file"]
        done = self.tendctl("flow", "run", "form-login", *words, "timeout=3s")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("3 steps went well", done.stdout)
        self.assertEqual([line.split(":")[0] for line in done.stderr.splitlines()],
                         ["open the form", "log in", "read a page", "clean-up log out"])
        done = self.tendctl("-o", "json", "flow", "run", "form-login", *words, "text=nobody")
        self.assertEqual(done.returncode, 64, done)  # twice the same
        words = [word for word in words if not word.startswith("text=")]
        done = self.tendctl("-o", "json", "flow", "run", "form-login", *words, "text=nobody")
        self.assertEqual((done.returncode, json.loads(done.stdout)["reason"]),
                         (2, "content-unexpected"))

    def test_configuration(self):
        path = self.secrets.file("tend.conf", f"""[daemon]
state_dir = {self.secrets.path}
run_dir = {self.secrets.path}
libexec_dir = {self.environment["TEND_LIBEXECDIR"]}
lua_dir = {self.environment["TEND_LUADIR"]}
plugin_dir = {self.environment["TEND_PLUGINDIR"]}
[system s]
environment = production
[component s/c]
kind = web
[check s/c/x]
probe = flow
interval = 1m
file = tryton
param.url = http://crm/
param.data_base = crm
secret.password = {self.secret("x", "12345")}
[check s/c/y]
probe = flow
interval = 1m
file = {self.flow("bad.lua", "return 7")}
""")
        done = subprocess.run([os.path.join(BUILD, "daemon/tendd"), "-t", "-c", path],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        for text in ("tend.conf:11: [check s/c/x] param.data_base: the flow has no such parameter; "
                     "did you mean database?", "param.user is not set: who logs in",
                     "[check s/c/y] file: the file does not return flow.new"):
            self.assertIn(text, done.stdout)
        self.assertNotIn("secret.password", done.stdout)


if __name__ == "__main__":
    unittest.main()
