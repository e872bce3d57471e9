# SPDX-License-Identifier: MIT
"""tend-run --flow and lua/tend/flow.lua: tendd is played from here, request by request."""
import os
import pathlib
import signal
import socket
import tempfile
import time
import unittest

from host import Lines

PROGRAM = os.environ["TEND_RUN"]
LUA = os.environ["TEND_LUA"]
HEAD = 'local flow = require "tend.flow"\n'


class Flow:
    """Answers what it asks with `answers[NAME](args)`; keeps all in `asked`."""

    def __init__(self, file, mode="run", library=LUA, answers=None, **start):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.lines = Lines(ours)
        self.asked = []
        self.pid = os.posix_spawn(PROGRAM, [PROGRAM, "--flow"], {},
                                  file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)])
        theirs.close()
        self.lines.send({"call": "start", "args": {
            "mode": mode, "file": str(file), "library": library,
            "start": {"params": {}, "secrets": {}, "mark": "MARK", "wall_msec": 10000, **start}}})
        self.serve(answers or {})
        ours.close()

    def serve(self, answers):
        self.call = self.args = None
        while True:
            message = self.lines.receive()
            if message is None:
                break
            if "id" not in message:
                self.call, self.args = message["call"], message["args"]
                break
            self.asked.append((message["call"], message["args"]))
            answer = answers.get(message["call"], lambda args: {})(message["args"])
            self.lines.send({"id": message["id"], "ok": answer})
        _, status = os.waitpid(self.pid, 0)
        self.status = status

    def names(self):
        return [args["name"] for call, args in self.asked if call == "step"]


def page(status=200, body="", **headers):
    return {"status": status, "url": "http://h/dir/page?q=1", "headers": headers, "body": body,
            "truncated": False, "seconds": 0.1}


class FlowTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, text, name="f.lua"):
        path = self.folder / name
        path.write_text(text)
        return path

    def run_flow(self, text, **more):
        return Flow(self.file(HEAD + text), **more)

    def step(self, body, login=False, **more):
        """One step with this body; its result."""
        flow = self.run_flow('return flow.new { params = { p = {} }, steps = { { "s", login = '
                             f'{str(login).lower()}, run = function(v) {body} end }} }} }}', **more)
        self.assertEqual(flow.call, "ended", flow.args)
        return flow

    def result(self, body, **more):
        """What the step's `return`s hand over, by flow.log()."""
        flow = self.step(f"flow.log(json.encode((function() {body} end)()))", **more)
        self.assertEqual(flow.args["reason"], "ok", flow.args)
        return [args["text"] for call, args in flow.asked if call == "log"][-1]

    # ---- the file

    def test_files(self):
        cases = [
            ("return flow.new { steps = { { 's', run = 7 } } }", "'run' is a function"),
            ("return flow.new { steps = {} }", "a flow needs steps"),
            ("return flow.new { stepz = {} }", "there is no 'stepz'"),
            ("return flow.new { steps = { { 's', run = print } } }", "unknown name 'print'"),
            ("local function f() end return flow.new { steps = { { 's', run = f }, { 's', run = f } } }",
             "two steps are called 's'"),
            ("local function f() end return flow.new { params = { a = { typ = 1 } }, "
             "steps = { { 's', run = f } } }", "there is no 'typ'"),
            ("return 1", "does not return flow.new"),
            ("return io.open('/etc/passwd')", "unknown name 'io'"),
            ("return flow.new {", "f.lua:2:"),
            ("return require 'tend.nothing'", "there is no 'tend.nothing'"),
        ]
        for text, message in cases:
            for mode in ("describe", "run"):
                flow = self.run_flow(text, mode=mode)
                self.assertEqual(flow.call, "failed", text)
                self.assertIn(message, flow.args["message"])
        flow = Flow(self.folder)
        self.assertIn("it is no file", flow.args["message"])
        flow = Flow(self.file("\xff", "latin.lua").parent / "none.lua")
        self.assertIn("No such file", flow.args["message"])
        (self.folder / "bytes.lua").write_bytes(b"return '\xff'")
        self.assertIn("no text in UTF-8", Flow(self.folder / "bytes.lua").args["message"])
        (self.folder / "bytecode.lua").write_bytes(b"\x1bLua")
        self.assertIn("binary chunk", Flow(self.folder / "bytecode.lua").args["message"])
        self.file("-" * (257 << 10), "long.lua")
        self.assertIn("File too large", Flow(self.folder / "long.lua").args["message"])
        # Nothing of the file system is there once it runs.
        flow = self.run_flow(HEAD + "return flow.new {}", library=str(self.folder))
        self.assertIn("there is no 'tend.flow'", flow.args["message"])

    def test_shipped(self):
        for path in sorted(pathlib.Path(LUA, "flows").glob("*.lua")):
            flow = Flow(path, mode="describe")
            self.assertEqual(flow.call, "described", flow.args)
            self.assertTrue(flow.args["doc"] and flow.args["steps"], path)
            for one in {**flow.args["params"], **flow.args["secrets"]}.values():
                self.assertTrue(one["doc"], path)

    def test_memory_and_end(self):
        flow = self.run_flow('return flow.new { steps = { { "s", run = function() local t = {} '
                             'while true do t[#t + 1] = ("x"):rep(65536) .. #t end end } } }')
        self.assertEqual(flow.args["reason"], "step-failed")
        self.assertIn("step 's': not enough memory", flow.args["text"])
        spin = "function() while true do end end"
        text = 'return flow.new { steps = { { "s", run = %s } }, cleanup = { { "c", run = %s } } }'
        began = time.monotonic()
        flow = self.run_flow(text % (spin, "function() end"), answers={"step": lambda args: {
            "left": 0.3} if args["name"] == "s" else {}})
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assertEqual(flow.args["reason"], "step-failed")
        self.assertEqual(flow.args["text"], "step 's': f.lua:2: it computed until the time for steps "
                                            "was over (an endless loop?)")
        self.assertEqual(flow.names(), ["s", "c"])
        # Of the CPU's time steps have three quarters: the rest is more than a start takes.
        flow = self.run_flow(text % (spin, spin), wall_msec=4000)
        self.assertEqual(flow.names(), ["s", "c"])
        self.assertIsNone(flow.call)
        self.assertTrue(os.WIFSIGNALED(flow.status))
        self.assertEqual(os.WTERMSIG(flow.status), signal.SIGXCPU)

    def test_what_waited_is_slow(self):
        def slowly(args):
            time.sleep(0.2)
            return {}
        flow = self.step("while true do flow.log('x') end", answers={
            "step": lambda args: {"left": 0.3}, "log": slowly})
        self.assertEqual(flow.args["reason"], "too-slow")
        self.assertIn("the time for steps is over", flow.args["text"])

        def late(args):
            time.sleep(0.35)
            return {"failed": "too-slow", "message": "no answer in time"}
        flow = self.step("for i = 1, 2000 do math.abs(i) end flow.session('http://h/'):get('/')", answers={
            "step": lambda args: {"left": 0.3}, "http": late})
        self.assertEqual(flow.args, {"reason": "too-slow", "text": "step 's': no answer in time"})

    # What a step has made in an earlier one, or as the file was read, is bound as well.
    def test_nothing_escapes(self):
        for body in ("while true do coroutine.resume(early) end", "early2()",
                     "for k in early2 do end", "table.sort({ 1, 2, 3 }, spin)",
                     "v.x = ('x'):gsub('.', spin)", "v.x = tostring(setmetatable({}, { __tostring = spin }))",
                     "coroutine.close(early3) while true do end",
                     "select(2, xpcall(spin, function() return 1 end))()",
                     "xpcall(error, spin, 'x')", "while true do xpcall(error, error, 'x') end"):
            flow = self.run_flow(
                'local function spin() while true do end end local early = coroutine.create(spin) '
                'local early2 = coroutine.wrap(spin) local early3 = coroutine.create(function() '
                'local x <close> = setmetatable({}, { __close = spin }) coroutine.yield() end) '
                f'coroutine.resume(early3) return flow.new {{ steps = {{ {{ "s", run = function(v) {body} '
                'end } }, cleanup = { { "c", run = function() pcall(error, 1) end } } }',
                answers={"step": lambda args: {"left": 0.1} if args["name"] == "s" else {}})
            self.assertEqual(flow.names(), ["s", "c"], body)
            self.assertEqual(flow.args["reason"], "step-failed", body)
            self.assertIn("endless loop", flow.args["text"], body)

    # ---- parameters and secrets

    def test_parameters(self):
        declared = ('return flow.new { params = { n = { type = "number", default = "2" }, '
                    'b = { type = "boolean", default = "yes" }, s = { required = true, doc = "why" } },'
                    'secrets = { x = { required = true } }, steps = { { "s", run = function(v) '
                    'flow.log(json.encode(v.params)) end } } }')
        good = {"params": {"s": "a"}, "secrets": {"x": True}}
        flow = self.run_flow(declared, **good)
        self.assertIn('{"b":true,"n":2,"s":"a"}', flow.asked[2][1]["text"].replace(" ", ""))
        flow = self.run_flow(declared, params={"s": "a", "b": "no"}, secrets={"x": True})
        self.assertIn('"b":false', flow.asked[2][1]["text"].replace(" ", ""))
        for change, message in (
                ({"params": {}}, "param.s is not set: why"), ({"secrets": {}}, "secret.x is not set"),
                ({"params": {"s": "a", "z": "1"}}, "param.z"), ({"secrets": {"x": True, "y": True}},
                                                                "secret.y"),
                ({"params": {"s": "a", "n": "two"}}, "must be a number"),
                ({"params": {"s": "a", "b": "maybe"}}, "must be yes or no")):
            flow = self.run_flow(declared, **{**good, **change})
            self.assertEqual(flow.args["reason"], "internal")
            self.assertIn(message, flow.args["text"])
            self.assertEqual(flow.asked, [])

    def test_placeholders_are_the_files_alone(self):
        # What was written in the file is marked; what is put together, or comes from outside, is not.
        flow = self.step('flow.session("http://h/"):post("/", { form = { a = "${secret:x}", '
                         'b = "${sec" .. "ret:x}", c = v.params.p } })',
                         params={"p": "${secret:x}"}, answers={"http": lambda args: page()})
        http = [args for call, args in flow.asked if call == "http"][0]
        self.assertEqual(http["form"], {"a": "${secret:MARK:x}", "b": "${secret:x}",
                                        "c": "${secret:x}"})

    # ---- small things

    def test_pointer(self):
        doc = '{ a = { "x", { ["b/c"] = 5, ["~"] = false } }, n = tend.null }'
        for path, wanted in (("/a/0", '"x"'), ("/a/1/b~1c", "5"), ("/a/1/~0", "false"),
                             ("/n", "null")):
            self.assertEqual(self.result(f'return flow.pointer({doc}, "{path}")'), wanted)
        for path in ("/b", "/a/7", "/a/0/x"):
            self.assertEqual(self.result(f'return flow.pointer({doc}, "{path}") == nil'), "true")
        self.assertIn("no JSON Pointer", self.step('flow.pointer({}, "a")').args["text"])

    def test_join(self):
        for ref, wanted in (("x", "http://h:1/a/x"), ("/x", "http://h:1/x"), ("?y", "http://h:1/a/b?y"),
                            ("", "http://h:1/a/b?q"), ("//o/x", "http://o/x"),
                            ("https://o/", "https://o/"), ("../x", "http://h:1/a/../x")):
            self.assertEqual(self.result(f'return flow.join("http://h:1/a/b?q#f", "{ref}")'),
                             f'"{wanted}"')

    def test_texts(self):
        self.assertEqual(self.result('return flow.base64("a") .. flow.base64("ab") .. '
                                     'flow.base64("abc") .. flow.base64("")'), '"YQ==YWI=YWJj"')
        self.assertEqual(self.result('return flow.escape("a b/\\u{fc}~")'), '"a%20b%2F%C3%BC~"')
        self.assertEqual(self.result('return flow.quote("a\\n b")'), '"\'a b\'"')
        self.assertEqual(len(self.result('return flow.quote(("\\u{20ac}"):rep(100))')), 2 + 2 + 3 + 40)

    # ---- requests

    def test_request(self):
        flow = self.step('local s = flow.session("http://h/dir/", { A = "1" }) s:put("x", { headers = '
                         '{ B = "2" }, json = { a = 1 }, timeout = 2, follow = false, user = "u" })',
                         answers={"http": lambda args: page(204)})
        self.assertEqual(flow.asked[2], ("http", {
            "method": "PUT", "url": "http://h/dir/x", "headers": {"A": "1", "B": "2"},
            "json": {"a": 1}, "timeout": 2, "follow": False, "user": "u"}))

    def test_statuses(self):
        for status, login, expect, reason in (
                (200, False, "nil", "ok"), (500, False, "nil", "status-unexpected"),
                (500, True, "nil", "status-unexpected"), (401, False, "nil", "auth-failed"),
                (403, False, "nil", "access-denied"), (403, True, "nil", "auth-failed"),
                (400, True, "nil", "auth-failed"), (429, True, "nil", "quota"),
                (404, False, "404", "ok"), (302, False, '{ "2xx", "3xx" }', "ok"),
                (503, False, "false", "ok"), (204, False, "200", "status-unexpected")):
            flow = self.step(f'flow.session("http://h/"):get("/", {{ expect = {expect} }})', login,
                             answers={"http": lambda args, status=status: page(status, "why not")})
            self.assertEqual(flow.args["reason"], reason, (status, expect))

    def test_expectations(self):
        body = '{"ok": false, "list": [1, null], "text": "a"}'
        for call, reason, text in (
                ('expect_json("/ok", false)', "ok", ""), ('expect_json("/ok", true)',
                                                         "content-unexpected", "expected true at /ok, got false"),
                ('expect_json("/no")', "content-unexpected", "expected something at /no"),
                ('expect_json("/list/1")', "content-unexpected", "not there"),
                ('expect_text("list")', "ok", ""), ('expect_text("no")', "content-unexpected",
                                                    "expected 'no' in the page"),
                ('expect_no_text("list")', "content-unexpected", "'list' is in the page"),
                ('form()', "content-unexpected", "there is no such form")):
            flow = self.step(f'flow.session("http://h/"):get("/"):{call}',
                             answers={"http": lambda args: page(200, body)})
            self.assertEqual(flow.args["reason"], reason, call)
            self.assertIn(text, flow.args["text"])
        flow = self.step('flow.session("http://h/"):get("/"):json()',
                         answers={"http": lambda args: page(200, "<html>")})
        self.assertEqual((flow.args["reason"], flow.args["text"]),
                         ("protocol", "step 's': expected JSON, got '<html>'"))

    def test_forms(self):
        html = ('<form method=post action="go?x"><input name=a value="1&amp;2"><input name=u>'
                '<input type=password name=p></form><form id=find><input name=q></form>')
        answers = {"http": lambda args: page(200, html)}
        flow = self.step('local s = flow.session("http://h/") local f = s:get("/"):form() '
                         's:submit(f, { u = "me", p = "${secret:p}" })', answers=answers)
        self.assertEqual({k: flow.asked[3][1][k] for k in ("method", "url", "form")}, {
            "method": "POST", "url": "http://h/dir/go?x",
            "form": {"a": "1&2", "u": "me", "p": "${secret:MARK:p}"}})
        flow = self.step('local s = flow.session("http://h/") '
                         's:submit(s:get("/"):form("find"), { q = "a&b" })', answers=answers)
        self.assertEqual(flow.asked[3][1]["url"], "http://h/dir/page?q=a%26b")

    # ---- the order of things

    def test_what_fails_first(self):
        text = ('local function fine() end local function bad() flow.fail("read-only", "no %s", "way") '
                'end return flow.new { steps = { { "a", run = fine }, { "b", run = bad }, { "c", run = '
                'fine } }, cleanup = { { "d", run = function() error("x") end }, { "e", run = function(v) '
                'flow.log(v.failure.reason) end } } }')
        flow = self.run_flow(text)
        self.assertEqual(flow.names(), ["a", "b", "d", "e"])
        self.assertEqual([args["cleanup"] for call, args in flow.asked if call == "step"],
                         [False, False, True, True])
        self.assertEqual(flow.args, {"reason": "read-only", "text": "step 'b': no way"})
        self.assertIn(("log", {"text": "read-only"}), flow.asked)
        self.assertEqual(flow.asked[0], ("begin", {"cleanup": True}))
        flow = self.run_flow(text.replace('{ "b", run = bad },', ""))
        self.assertEqual(flow.args["reason"], "step-failed")
        self.assertIn("clean-up 'd': f.lua:2:", flow.args["text"])

    def test_diagnose(self):
        text = ('return flow.new { steps = { { "a", run = function() flow.fail("too-slow", "slow") end } '
                '}, diagnose = function(v, failure) %s end, cleanup = { { "z", run = function() end } } }')
        flow = self.run_flow(text % 'return "locked", "it is " .. failure.step')
        self.assertEqual(flow.args, {"reason": "locked", "text": "step 'a': slow; it is a"})
        self.assertEqual(flow.names(), ["a", "diagnose", "z"])
        flow = self.run_flow(text % 'error("no")')
        self.assertEqual(flow.args, {"reason": "too-slow", "text": "step 'a': slow"})

    def test_what_tendd_refuses(self):
        flow = self.step('flow.sleep(5)', answers={"sleep": lambda args: {
            "failed": "too-slow", "message": "no time is left"}})
        self.assertEqual(flow.args, {"reason": "too-slow", "text": "step 's': no time is left"})
        flow = self.step('pcall(flow.sleep, 5)', answers={"sleep": lambda args: {
            "failed": "too-slow", "message": "no time is left"}})
        self.assertEqual(flow.args["reason"], "ok")


if __name__ == "__main__":
    unittest.main()
