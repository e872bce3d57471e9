#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tend-run from outside: the protocol, the language policies get, and what hostile ones get.

TEND_RUN is the program, TEND_RUN_TEST the same with test_syscall(); both are set by ctest.
"""
import json
import os
import resource
import signal
import time
import unittest

from host import Host, done

TEND_RUN = os.environ["TEND_RUN"]
TEND_RUN_TEST = os.environ["TEND_RUN_TEST"]

VERBS = ["now", {"name": "log", "args": ["text"]}, {"name": "unit.restart", "args": ["unit"]},
         {"name": "verify", "args": ["check"]}, {"name": "sql.query", "args": []}]


def body(code):
    """A file with one policy `p` whose run function starts in line 2."""
    return 'policy "p" { run = function(ctx)\n' + code + "\nend }"


class Case(unittest.TestCase):
    program = TEND_RUN

    def setUp(self):
        self.host = Host(self.program)
        self.addCleanup(self.host.close)

    def run_source(self, source, answer=lambda path, verb, args: done(), wall_msec=20000, **start):
        run = self.host.fork(wall_msec)
        run.start(source, **{"verbs": VERBS, **start})
        note = run.serve(answer)
        return run, note

    def run_code(self, code, answer=lambda path, verb, args: done(), **start):
        return self.run_source(body(code), answer, **start)

    def value_of(self, code, **start):
        run, note = self.run_code(code, **start)
        self.assertEqual(note["call"], "ended", note)
        self.assertTrue(note["args"]["ok"], note)
        self.assertEqual(run.wait(), ("exited", 0))
        return note["args"]["value"]

    def failure_of(self, code, **start):
        run, note = self.run_code(code, **start)
        self.assertEqual(note["call"], "ended", note)
        self.assertFalse(note["args"]["ok"], note)
        self.assertEqual(run.wait(), ("exited", 0))
        return note["args"]["message"]

    def describe(self, source, **start):
        run, note = self.run_source(source, mode="describe", **start)
        self.assertEqual(run.wait(), ("exited", 0))
        return note


class Protocol(Case):
    def test_eof_ends_the_parent(self):
        self.assertEqual(Host(self.program).close(), 0)

    def test_eof_ends_a_waiting_run(self):
        run = self.host.fork()
        run.start(body('tend.log("x")'), verbs=VERBS)
        self.assertEqual(run.lines.receive()["call"], "verb")
        run.lines.sock.shutdown(2)
        self.assertEqual(run.wait(), ("exited", 0))

    def test_eof_before_start_ends_a_run(self):
        run = self.host.fork()
        run.lines.sock.shutdown(2)
        self.assertEqual(run.wait()[0], "exited")

    def test_run_is_our_child_and_outlives_its_maker(self):
        run = self.host.fork()
        run.start(body('return tend.now()'), verbs=VERBS)
        message = run.lines.receive()
        self.host.lines.sock.shutdown(2)
        os.waitid(os.P_PID, self.host.pid, os.WEXITED | os.WNOWAIT)
        run.lines.send({"id": message["id"], **done(7)})
        self.assertEqual(run.serve(None)["args"], {"ok": True, "value": 7})
        self.assertEqual(run.wait(), ("exited", 0))

    def test_fork_without_descriptor_is_refused(self):
        sock, _ = self.host.call_fork(with_fd=False)
        sock.close()
        self.assertEqual(self.host.lines.receive()["error"]["code"], "invalid")
        self.assertEqual(self.value_of("return 1"), 1)

    def test_many_forks_in_flight_keep_their_sockets(self):
        socks = [self.host.call_fork()[0] for _ in range(8)]
        pids = [self.host.lines.receive()["ok"]["pid"] for _ in socks]
        self.assertEqual(len(set(pids)), 8)
        for i, (sock, pid) in enumerate(zip(socks, pids)):
            sock.sendall(json.dumps({"call": "start", "args": {
                "mode": "run", "chunk": "p.lua", "policy": "p", "source": body(f"return {i}"),
                "verbs": []}}).encode() + b"\n")
            sock.shutdown(1)
            data = b""
            while piece := sock.recv(4096):
                data += piece
            self.assertEqual(json.loads(data)["args"]["value"], i)
            sock.close()
            os.waitpid(pid, 0)

    def test_broken_starts_end_the_run(self):
        for data in (b"x\n", b"[]\n", b'{"call":"start"}\n', b'{"call":"stop","args":{}}\n',
                     b'{"call":"start","args":{"mode":"both","chunk":"a","source":""}}\n',
                     b" " * (1 << 20) + b"{}\n"):
            with self.subTest(data=data[:40]):
                run = self.host.fork()
                try:
                    run.lines.send_raw(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.assertEqual(run.wait(), ("exited", 2))

    def test_broken_request_ends_the_parent(self):
        host = Host(self.program)
        host.lines.send_raw(b"nonsense\n")
        self.assertIsNone(host.lines.receive())
        self.assertEqual(host.close(), 1)

    def test_ended_ends_the_run_past_pcall(self):
        run, note = self.run_code('while true do pcall(tend.log, "x") end', lambda path, verb, args: {
            "error": {"code": "ended", "message": "cancelled"}})
        self.assertIsNone(note)
        self.assertEqual(run.wait(), ("exited", 0))
        self.assertEqual(len(run.steps), 1)

    def test_other_messages_meanwhile_are_passed_over(self):
        run = self.host.fork()
        run.start(body("return tend.now()"), verbs=VERBS)
        message = run.lines.receive()
        run.lines.send({"call": "hello", "args": {}})
        run.lines.send({"id": message["id"] + 1, **done("wrong")})
        run.lines.send({"id": message["id"], **done("right")})
        self.assertEqual(run.serve(None)["args"]["value"], "right")


class Verbs(Case):
    def test_arguments(self):
        ctx = {"check": {"name": "crm/web/login", "reason": "too-slow"},
               "component": {"name": "crm/web", "unit": "a.service"},
               "incident": {"id": "i1", "severity": "critical"}}
        for code, want in (
                ('tend.unit.restart("a")', {"unit": "a"}),
                ('tend.unit.restart{unit = "a"}', {"unit": "a"}),
                ('tend.unit.restart("a", {why = "x"})', {"unit": "a", "why": "x"}),
                ('tend.verify(ctx.check, {ok = 3, within = "2m"})',
                 {"check": "crm/web/login", "ok": 3, "within": "2m"}),
                ('tend.verify(ctx.check)', {"check": "crm/web/login"}),
                ('tend.sql.query{component = ctx.component, i = ctx.incident}',
                 {"component": "crm/web", "i": "i1"}),
                ('tend.sql.query()', {}),
                ('tend.sql.query{a = {1, 2.5, 2.0, true, "x", tend.null}, b = {c = {}}, d = 1 << 62}',
                 {"a": [1, 2.5, 2.0, True, "x", None], "b": {"c": {}}, "d": 1 << 62})):
            with self.subTest(code=code):
                run, note = self.run_code(code, ctx=ctx)
                self.assertTrue(note["args"]["ok"], note)
                self.assertEqual(run.steps[0][2], json.dumps(want))

    def test_integers_and_floats_stay_what_they_are(self):
        answer = lambda path, verb, args: done([1, 1.0, 0.5, 9007199254740993, -1])
        value = self.value_of(
            "local t = tend.now() local r = {} for i, v in ipairs(t) do r[i] = math.type(v) end "
            "r[6] = t[4] == 9007199254740993 return {r, t}", answer=answer)
        self.assertEqual(value[0], ["integer", "float", "float", "integer", "integer", True])
        self.assertEqual([type(v) for v in value[1]], [int, float, float, int, int])

    def test_outcomes(self):
        for reply, want in (
                (done(), [True]),
                (done("v"), ["v"]),
                (done(False), [False]),
                ({"ok": {"outcome": "failed", "message": "m"}}, ["nil", "m", "failed"]),
                ({"ok": {"outcome": "refused", "message": "m"}}, ["nil", "m", "refused"]),
                ({"ok": {"outcome": "unknown"}}, ["nil", "unknown", "unknown"])):
            with self.subTest(reply=reply):
                value = self.value_of(
                    "local r = table.pack(tend.now()) if r[1] == nil then r[1] = 'nil' end "
                    "r.n = nil return r", answer=lambda *a, reply=reply: reply)
                self.assertEqual(value, want)

    def test_result_says_how_the_run_went(self):
        for code, ok, rest in (
                ("", True, {"value": None}),
                ("return nil", True, {"value": None}),
                ("return 0", True, {"value": 0}),
                ("return {}", True, {"value": {}}),
                ('return nil, "no"', False, {"message": "no"}),
                ('return false, "no", "refused"', False, {"message": "no", "outcome": "refused"}),
                ("return false", False, {"message": "the policy returned false"}),
                ("return print", False, None), ("return function() end", False, None)):
            with self.subTest(code=code):
                _, note = self.run_code(code)
                self.assertEqual(note["args"]["ok"], ok)
                if rest:
                    self.assertEqual(note["args"], {"ok": ok, **rest})

    def test_misuse_is_raised_with_the_line(self):
        answer = lambda path, verb, args: {"error": {"code": "invalid", "message": "unit.restart: 'unit' is missing"}}
        for code, want in (
                ("\ntend.unit.restart{}", "p.lua:3: tend.unit.restart: 'unit' is missing"),
                ("\npcall(error)\nerror(select(2, pcall(tend.unit.restart, {})), 0)",
                 "p.lua:4: tend.unit.restart: 'unit' is missing"),
                ('tend.unit.restrat("x")',
                 "p.lua:2: there is no tend.unit.restrat; did you mean tend.unit.restart?"),
                ("tend.unti.x()", "p.lua:2: there is no tend.unti; did you mean tend.unit?"),
                ('tend.unit.restart("a", "b")',
                 "p.lua:2: tend.unit.restart: takes at most 1 argument(s) without a name"),
                ('tend.unit.restart("a", {unit = "b"})', "p.lua:2: tend.unit.restart: 'unit' is given twice"),
                ("tend.unit.restart(nil)", "p.lua:2: tend.unit.restart: 'unit' is nil"),
                ('tend.sql.query("x")',
                 "p.lua:2: tend.sql.query: arguments need names, as in tend.sql.query{name = value}"),
                ("tend.sql.query{1}", "p.lua:2: tend.sql.query: every argument in {} needs a name")):
            with self.subTest(code=code):
                self.assertEqual(self.failure_of(code, answer=answer), want)

    def test_values_that_cannot_be_sent(self):
        for code, want in (
                ("{a = print_}", "p.lua:2: unknown name 'print_'"),
                ("{a = tostring}", "p.lua:2: tend.sql.query.a: a function cannot be sent"),
                ("{a = {b = coroutine.create(function() end)}}",
                 "p.lua:2: tend.sql.query.a.b: a thread cannot be sent"),
                ("{a = 0/0}", "p.lua:2: tend.sql.query.a: the number is not a number, which has no JSON"),
                ("{a = {1/0}}", "p.lua:2: tend.sql.query.a[1]: the number is infinite, which has no JSON"),
                (r'{a = "\xff"}', "p.lua:2: tend.sql.query.a: the string is not valid UTF-8"),
                (r'{["\xff"] = 1}', "p.lua:2: tend.sql.query.?: the name is not valid UTF-8"),
                ("{a = {1, nil, 3}}", "p.lua:2: tend.sql.query.a[1]: a table is either a list from 1 on "
                                      "without holes or has only names as keys"),
                ("{a = {1, b = 2}}", "p.lua:2: tend.sql.query.a[1]: a table is either a list from 1 on "
                                     "without holes or has only names as keys"),
                ("{a = {[true] = 1}}", "p.lua:2: tend.sql.query.a: a boolean cannot be a key")):
            with self.subTest(code=code):
                self.assertEqual(self.failure_of(f"tend.sql.query{code}"), want)

    def test_cycles_and_depth(self):
        self.assertIn("tend.sql.query.a.me: the table contains itself",
                      self.failure_of("local t = {} t.me = t tend.sql.query{a = t}"))
        self.assertIn("nested deeper than 32 levels", self.failure_of(
            "local t = {} for i = 1, 1000 do t = {t} end tend.sql.query{a = t}"))
        self.assertIn("more than 100000 values", self.failure_of(
            "local t = {1} for i = 1, 25 do t = {t, t} end tend.sql.query{a = t}"))

    def test_huge_messages(self):
        self.assertIn("tend.log: the arguments are larger than 1048576 bytes", self.failure_of(
            'local s = ("x"):rep(1 << 20) tend.log(s .. s)'))
        self.assertIn("more than 100000 values", self.failure_of(
            "local t = {} for i = 1, 200000 do t[i] = i end tend.sql.query{a = t}"))

    def test_a_thousand_names_go_out_in_order(self):
        run, note = self.run_code(
            'local t = {} for i = 1, 1000 do t["k" .. i] = i end tend.sql.query(t)')
        self.assertTrue(note["args"]["ok"], note)
        self.assertEqual(list(json.loads(run.steps[0][2])), sorted(f"k{i}" for i in range(1, 1001)))

    def test_verbs_are_for_run_only(self):
        note = self.describe('tend.log("x")')
        self.assertEqual(note["args"]["message"],
                         "p.lua:1: tend.log: verbs can be called only in a policy's run function")
        note = self.describe('local l = tend.log.x\nl("x")', verbs=None)
        self.assertEqual(note["args"]["message"],
                         "p.lua:2: verbs can be called only in a policy's run function")
        _, note = self.run_source('tend.log("x")' + body(""))
        self.assertIn("only in a policy's run function", note["args"]["message"])

    def test_step_paths_and_replay(self):
        """A second run that is given the same answers asks the same, word for word."""
        source = body('''
            local t = { zeta = 1, alpha = 2, [10] = 3, [2.5] = 4, mid = { b = 1, a = 2 } }
            for k, v in pairs(t) do tend.log(tostring(k) .. "=" .. tostring(v)) end
            pcall(function() tend.log("in pcall") error("x") end)
            local co = coroutine.wrap(function() tend.log("in a coroutine") end)
            co()
            if tend.now() > 5 then tend.unit.restart("late") else tend.unit.restart("early") end
            local e = select(2, pcall(function() local x = nil; return x.y end))
            tend.log(e .. tostring({}) .. string.format("%s %s", print_or_nil == nil, {}))''')
        source = source.replace("print_or_nil == nil", "tostring(coroutine.running())")
        answer = lambda path, verb, args: done(7) if verb == "now" else done()
        first, note = self.run_source(source, answer)
        self.assertTrue(note["args"]["ok"], note)
        self.assertEqual([s[0] for s in first.steps], [str(i) for i in range(1, 11)])
        self.assertEqual(first.steps[8][2], '{"unit": "late"}')
        host = Host(self.program)
        self.addCleanup(host.close)
        second = host.fork()
        second.start(source, verbs=VERBS)
        second.serve(answer)
        self.assertEqual(first.steps, second.steps)


class Language(Case):
    def test_pairs_has_one_order_in_twenty_processes(self):
        """Twenty parents, since the runs of one share their hash seed."""
        source = body('''
            local t = {}
            for i = 1, 40 do t["key" .. (i * 7919 % 101)] = i end
            for i = 1, 10 do t[i * 1.5] = i end
            t[-3] = 0 t[math.mininteger] = 0 t[math.maxinteger] = 0 t[1e300] = 0 t[-1e300] = 0
            local r = {}
            for k in pairs(t) do r[#r + 1] = tostring(k) end
            return table.concat(r, " ")''')
        orders = set()
        for _ in range(20):
            host = Host(self.program)
            run = host.fork()
            run.start(source)
            orders.add(run.serve(None)["args"]["value"])
            host.close()
        self.assertEqual(len(orders), 1)
        words = orders.pop().split()
        numbers = [w for w in words if not w.startswith("key")]
        self.assertEqual(numbers, sorted(numbers, key=float))
        self.assertEqual(words[len(numbers):], sorted(words[len(numbers):]))
        self.assertEqual((numbers[0], numbers[-1]), ("-1e+300", "1e+300"))

    def test_expressions(self):
        for code, want in (
                ("local r = {} local t = {a = 1, b = 2, c = 3} for k in pairs(t) do t.c = nil t.z = 1 "
                 "r[#r + 1] = k end return r", ["a", "b"]),
                ('return tostring({}) .. tostring(tostring) .. tostring(coroutine.create(function() end))',
                 "tablefunctionthread"),
                ('return tostring(setmetatable({}, {__tostring = function() return "me" end}))', "me"),
                ('return ("%s %5.1f %q %d %%"):format({}, 1.25, "a", 3)', 'table   1.2 "a" 3 %'),
                ("local t = {3, 1, 2} table.sort(t) return t", [1, 2, 3]),
                ("local t = {} for i = 1, 300 do t[i] = {k = i % 3, i = i} end "
                 "table.sort(t, function(a, b) return a.k < b.k end) "
                 "for i = 2, 300 do local a, b = t[i - 1], t[i] "
                 "if a.k > b.k or (a.k == b.k and a.i > b.i) then return false, 'unstable' end end "
                 "return #t", 300),
                ('return (pcall(string.format, "%p", {}))', False),
                ("return rawget(_G, 'next') == nil and rawget(_G, 'load') == nil and "
                 "rawget(_G, 'print') == nil and rawget(_G, 'collectgarbage') == nil and "
                 "rawget(_G, 'os') == nil and rawget(_G, 'io') == nil and rawget(_G, 'debug') == nil and "
                 "rawget(_G, 'package') == nil and rawget(_G, 'dofile') == nil and "
                 "math.random == nil and string.dump == nil", True),
                ("return getmetatable('')", False),
                ("return tostring(tend.null)", "null")):
            with self.subTest(code=code):
                _, note = self.run_code(code)
                self.assertEqual(note["args"].get("value"), want if want is not False else None) \
                    if want is not False else self.assertFalse(note["args"]["ok"])

    def test_what_is_refused(self):
        for code, want in (
                ("pairs({[true] = 1})", "p.lua:2: a boolean is a key, and such keys have no fixed order"),
                ("pairs({[{}] = 1})", "p.lua:2: a table is a key, and such keys have no fixed order"),
                ("setmetatable({}, {__gc = true})", "p.lua:2: setmetatable: __gc is not allowed in a policy"),
                ("setmetatable({}, {__mode = 'k'})",
                 "p.lua:2: setmetatable: __mode is not allowed in a policy"),
                ("next({})", "p.lua:2: unknown name 'next'"),
                ("load('return 1')", "p.lua:2: unknown name 'load'"),
                ("ipiars({})", "p.lua:2: unknown name 'ipiars'; did you mean 'ipairs'?"),
                ('("x"):rep(1 << 21)', "p.lua:2: string.rep: the result would be longer than 1048576 bytes"),
                ('("x"):rep(1 << 62, "yy")',
                 "p.lua:2: string.rep: the result would be longer than 1048576 bytes"),
                ("error({})", "p.lua: an error that is a table, not a text"),
                ("local x = nil; return x.y", "p.lua:2: attempt to index a nil value (local 'x')")):
            with self.subTest(code=code):
                self.assertEqual(self.failure_of(code), want)

    def test_require(self):
        library = {"tend/a.lua": "local b = require 'tend.b' return { n = b.n + 1 }",
                   "tend/b.lua": "return { n = 1 }",
                   "tend/loop.lua": "return require 'tend.loop'",
                   "tend/bad.lua": "\n\nreturn 1 +", "tend/nothing.lua": "",
                   "tend/binary.lua": "\x1bLua"}
        self.assertEqual(self.value_of(
            "return {require('tend.a').n, require('tend.a') == require('tend.a'), "
            "require('tend.nothing')}", library=library), [2, True, True])
        for name, want in (
                ("tend.c", "p.lua:2: require: there is no 'tend.c' in the policy library"),
                ("../../etc/passwd",
                 "p.lua:2: require: there is no '../../etc/passwd' in the policy library"),
                ("tend.loop", "tend/loop.lua:1: require: 'tend.loop' requires itself"),
                ("tend.bad", "tend/bad.lua:3: unexpected symbol near <eof>"),
                ("tend.binary", "attempt to load a binary chunk (mode is 't')"),
                ("x" * 300, None)):
            with self.subTest(name=name):
                message = self.failure_of(f"require '{name}'", library=library)
                self.assertTrue(want is None or want in message, message)


class Declarations(Case):
    def test_description(self):
        note = self.describe('''
            policy "one" {
                doc = "Does one thing.",
                on = { incident = { component = "*/web", kind = { "web", "app" }, reason = "too-slow",
                                    check = { "*/login" }, severity = "critical" } },
                params = { limit = { type = "duration", default = "1m30s", min = 1, doc = "how long" },
                           name = "string" },
                run = function() end,
            }
            policy "two" { run = function() end }''')
        self.assertEqual(note["call"], "described", note)
        self.assertEqual(note["args"]["policies"], [
            {"name": "one", "doc": "Does one thing.", "hand": False, "line": 2,
             "on": {"incident": {"component": ["*/web"], "kind": ["web", "app"], "reason": ["too-slow"],
                                 "check": ["*/login"], "severity": ["critical"]}},
             "params": {"limit": {"type": "duration", "default": 90, "min": 1, "doc": "how long"},
                        "name": {"type": "string"}}},
            {"name": "two", "hand": True, "line": 10}])

    def test_description_of_all_triggers(self):
        note = self.describe('''policy "p" {
            schedule = { cron = "0 2 * * sun", timezone = "Asia/Shanghai", missed = "once", jitter = "10m" },
            on = { event = { type = "policy-ended", policy = "backup", state = { "done", "failed" } },
                   incident = { category = "threshold", class = "hardware", environment = { "production" } } },
            targets = { component = "*/database", kind = "database", environment = "production" },
            params = { what = { type = "string", choices = { "a", "b" }, default = "a" },
                       who = { type = "list", default = "x, y" , max = 3 } },
            concurrency = "queue", timeout = "2h", window = "required", hand = true,
            run = function() end }
            policy "q" { schedule = "@daily", run = function() end }''')
        self.assertEqual(note["call"], "described", note)
        self.assertEqual(note["args"]["policies"], [
            {"name": "p", "line": 1, "hand": True, "concurrency": "queue", "timeout": 7200,
             "window": "required",
             "schedule": {"cron": "0 2 * * sun", "timezone": "Asia/Shanghai", "missed": "once",
                          "jitter": 600},
             "on": {"event": {"type": ["policy-ended"], "policy": ["backup"], "state": ["done", "failed"]},
                    "incident": {"category": ["threshold"], "class": ["hardware"], "environment": ["production"]}},
             "targets": {"component": ["*/database"], "kind": ["database"], "environment": ["production"]},
             "params": {"what": {"type": "string", "choices": ["a", "b"], "default": "a"},
                        "who": {"type": "list", "default": ["x", "y"], "max": 3}}},
            {"name": "q", "line": 10, "hand": False, "schedule": {"cron": "@daily"}}])

    def test_mistakes(self):
        run = "run = function() end"
        for source, want in (
                ("x = = 1", "p.lua:1: unexpected symbol near '='"),
                ("\n\nreturn )", "p.lua:3: unexpected symbol near ')'"),
                ("", "p.lua: declares no policy"),
                ("\x1bLua...", "attempt to load a binary chunk"),
                (f'policy "p" {{\n{run},\nonn = {{}} }}',
                 "p.lua:3: policy 'p': unknown key 'onn'; did you mean 'on'?"),
                (f'policy "p" {{ {run},\n on = {{\n incident = {{\n reasn = "x" }} }} }}',
                 "p.lua:4: policy 'p': unknown key 'reasn'; did you mean 'reason'?"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ reason = {{ "ok",\n"unit-faild" }} }} }} }}',
                 "p.lua:3: policy 'p': unknown reason 'unit-faild'; did you mean 'unit-failed'?"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ category = "disk" }} }} }}',
                 "p.lua:2: policy 'p': unknown category 'disk'; there are network, tls, auth, answer, "
                 "threshold, slow, unit, report, server, data, job, machine, program, internal"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ category = {{ "tls", "netwrok" }} }} }} }}',
                 "p.lua:2: policy 'p': unknown category 'netwrok'; did you mean 'network'?"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ class = "network" }} }} }}',
                 "p.lua:2: policy 'p': 'network' is no class but a category; say category = \"network\""),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ category = {{ "tls", "security" }} }} }} }}',
                 "p.lua:2: policy 'p': 'security' is no category but a class; say class = \"security\""),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ class = "hardwear" }} }} }}',
                 "p.lua:2: policy 'p': unknown class 'hardwear'; did you mean 'hardware'?"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ class = "disk" }} }} }}',
                 "p.lua:2: policy 'p': unknown class 'disk'; there are hardware, software, business, security"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ reason = "unit-stopped" }} }} }}',
                 "p.lua:2: policy 'p': 'unit-stopped' starts nothing: what an operator stopped is left alone"),
                (f'policy "p" {{ {run},\n on = {{}} }}', "p.lua:2: policy 'p': 'on' names no trigger"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ kind = {{}} }} }} }}',
                 "p.lua:2: policy 'p': 'kind' is an empty list, which nothing would match; leave it out"),
                (f'policy "p" {{ {run},\n on = {{ incident = {{ kind = 5 }} }} }}',
                 "p.lua:2: policy 'p': 'kind' must be a string or a list of strings"),
                (f'policy "p" {{ {run},\n doc = 5 }}', "p.lua:2: policy 'p': 'doc' must be a string, not a number"),
                ('policy "p" { run = 1 }', "p.lua:1: policy 'p': 'run' must be a function, not a number"),
                ('policy "p" { doc = "x" }', "p.lua:1: policy 'p': has no 'run'"),
                (f'policy "p" {{ {run}, hand = false }}',
                 "p.lua:1: policy 'p': has neither 'on' nor 'schedule' nor 'hand': nothing can start it"),
                (f'policy "p" {{ {run}, "x" }}',
                 "p.lua:1: policy 'p': a value without a name; a comma or a key is missing before it"),
                (f'policy "p" {{ {run} }}\npolicy "p" {{ {run} }}',
                 "p.lua:2: policy 'p': is declared twice, first in line 1"),
                ('\npolicy "p"\nlocal x = 1', "p.lua:2: policy 'p': has no body"),
                ('\npolicy "p" "q"', "p.lua:2: policy 'p': must be followed by a table"),
                (f'policy "A b" {{ {run} }}', "p.lua:1: 'A b' is no name of a policy"),
                (f'policy "p" {{ {run},\n params = {{ a = "strin" }} }}',
                 "p.lua:2: policy 'p': 'strin' is no type of a parameter"),
                (f'policy "p" {{ {run},\n params = {{ a = {{ default = 1 }} }} }}',
                 "p.lua:2: policy 'p': parameter 'a' has no type"),
                (f'policy "p" {{ {run},\n params = {{\n a = {{ type = "integer", default = "x" }} }} }}',
                 "p.lua:3: policy 'p': parameter 'a': default must be an integer"),
                (f'policy "p" {{ {run},\n params = {{\n a = {{ type = "integer", default = 9, max = 5 }} }} }}',
                 "p.lua:3: policy 'p': parameter 'a': default must be at most 5"),
                (f'policy "p" {{ {run},\n on = {{ event = {{ policy = "q" }} }} }}',
                 "p.lua:2: policy 'p': 'event' has no 'type'"),
                (f'policy "p" {{ {run}, on = {{ event = {{\n type = "policy-endet" }} }} }}',
                 "p.lua:2: policy 'p': unknown type 'policy-endet'; did you mean 'policy-ended'?"),
                (f'policy "p" {{ {run},\n schedule = 5 }}', "p.lua:2: policy 'p': 'schedule' must be a time"),
                (f'policy "p" {{ {run},\n schedule = "0 2 * *" }}',
                 "p.lua:2: policy 'p': '0 2 * *' is no time: five fields"),
                (f'policy "p" {{ {run},\n schedule = "@dayly" }}',
                 "p.lua:2: policy 'p': unknown time '@dayly'; did you mean '@daily'?"),
                (f'policy "p" {{ {run}, schedule = {{\n timezone = "Asia/Shanghai" }} }}',
                 "p.lua:1: policy 'p': 'schedule' has no 'cron'"),
                (f'policy "p" {{ {run}, schedule = {{ cron = "@daily",\n timezone = "../etc/passwd" }} }}',
                 "p.lua:2: policy 'p': '../etc/passwd' is no name of a time zone"),
                (f'policy "p" {{ {run}, schedule = {{ cron = "@daily",\n missed = "one" }} }}',
                 "p.lua:2: policy 'p': unknown missed 'one'; did you mean 'once'?"),
                (f'policy "p" {{ {run}, schedule = {{ cron = "@daily",\n jitter = "2 days" }} }}',
                 "p.lua:2: policy 'p': 'jitter' must be a duration"),
                (f'policy "p" {{ {run},\n timeout = "25h" }}',
                 "p.lua:2: policy 'p': 'timeout' must be at least 1 second and at most 24 hours"),
                (f'policy "p" {{ {run},\n concurrency = "que" }}',
                 "p.lua:2: policy 'p': unknown concurrency 'que'; did you mean 'queue'?"),
                (f'policy "p" {{ {run},\n window = "require" }}',
                 "p.lua:2: policy 'p': unknown window 'require'; did you mean 'required'?"),
                (f'policy "p" {{ {run},\n targets = {{ kind = "web" }} }}',
                 "p.lua:2: policy 'p': 'targets' is for 'schedule' and 'on.event'"),
                (f'policy "p" {{ {run}, schedule = "@daily", targets = {{\n kinds = "web" }} }}',
                 "p.lua:2: policy 'p': unknown key 'kinds'; did you mean 'kind'?"),
                (f'policy "p" {{ {run}, params = {{\n a = {{ type = "string", choices = {{ "x" }}, '
                 'default = "y" } } }', "p.lua:2: policy 'p': parameter 'a': default must be one of x"),
                (f'policy "p" {{ {run}, params = {{ a = {{ type = "integer",\n choices = {{ "x" }} }} }} }}',
                 "p.lua:2: policy 'p': parameter 'a': a choice must be an integer"),
                (f'policy "p" {{ {run}, params = {{\n a = {{ type = "list", default = {{ 1 }} }} }} }}',
                 "p.lua:2: policy 'p': parameter 'a': default must be a list of at most 1000 strings"),
                ("local t = nil\nt.x = 1", "p.lua:2: attempt to index a nil value (local 't')")):
            with self.subTest(source=source):
                note = self.describe(source)
                self.assertEqual(note["call"], "failed", note)
                self.assertIn(want, note["args"]["message"])

    def test_params(self):
        source = '''policy "p" { params = {
            n = { type = "integer", default = 3, min = 1 }, d = { type = "duration", default = "30s" },
            b = { type = "boolean", default = false }, s = { type = "string", default = "x" },
            f = { type = "number", default = 0.5 } },
            run = function(ctx) return ctx.params end }'''
        lists = '''policy "p" { params = {
            l = { type = "list", choices = { "a", "b c" }, min = 1, default = "a" } },
            run = function(ctx) return ctx.params.l end }'''
        for given, want in (
                ({}, ["a"]), ({"l": " b c ,a"}, ["b c", "a"]), ({"l": ["a", "a"]}, ["a", "a"]),
                ({"l": "a,d"}, "parameter 'l' must be one of a, b c"),
                ({"l": ""}, "parameter 'l' must have at least 1 entries"),
                ({"l": [1]}, "parameter 'l' must be a list of at most 1000 strings"),
                ({"l": 5}, "parameter 'l' must be a list of at most 1000 strings")):
            with self.subTest(given=given):
                _, note = self.run_source(lists, params=given)
                self.assertEqual(note["args"].get("value", note["args"].get("message")), want)
        for given, want in (
                ({}, {"n": 3, "d": 30, "b": False, "s": "x", "f": 0.5}),
                ({"n": "7", "d": "1m30s", "b": "yes", "s": "12", "f": "2"},
                 {"n": 7, "d": 90, "b": True, "s": "12", "f": 2}),
                ({"n": 7, "d": 1.5, "b": True}, {"n": 7, "d": 1.5, "b": True, "s": "x", "f": 0.5}),
                ({"n": 0}, "parameter 'n' must be at least 1"),
                ({"n": "x"}, "parameter 'n' must be an integer"),
                ({"d": "5 apples"}, "parameter 'd' must be a duration such as 30s, 2m or 1h30m"),
                ({"nn": 1}, "unknown parameter 'nn'; did you mean 'n'?")):
            with self.subTest(given=given):
                _, note = self.run_source(source, params=given)
                self.assertEqual(note["args"].get("value", note["args"].get("message")), want)

    def test_a_param_without_default_must_be_given(self):
        source = 'policy "p" { params = { s = "string" }, run = function(ctx) return ctx.params.s end }'
        _, note = self.run_source(source)
        self.assertEqual(note["args"]["message"], "parameter 's' is not set and has no default")
        _, note = self.run_source(source, params={"s": "v"})
        self.assertEqual(note["args"]["value"], "v")

    def test_a_policy_that_is_not_there(self):
        _, note = self.run_source(body(""), policy="q")
        self.assertEqual(note["args"]["message"], "there is no policy 'q'")


class Hostile(Case):
    """Nothing here may end later than its limit and a little; nothing may harm its neighbours."""

    ENDLESS = {
        "loop": "while true do end",
        "pcall": "while true do pcall(error, 'x') end",
        "pcall_memory": "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end",
        "pattern": "local s = ('a'):rep(30000) return s:find('.-.-.-.-b')",
        "gsub": "local s = ('a'):rep(5000) return s:gsub('(a*)(a*)(a*)b', '')",
        "table_move": "table.move({}, 1, 1 << 40, 2, {})",
        "recursion": "local function f() return pcall(f) end while true do f() end",
        "yield": "local co = coroutine.wrap(function() while true do coroutine.yield() end end) "
                 "while true do co() end",
        "close": "while true do local x <close> = setmetatable({}, {__close = function() while true do end "
                 "end}) end",
        "metamethod": "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) "
                      "while true do pcall(function() return t[1] end) end",
    }

    def test_endless_is_ended_by_the_cpu_limit(self):
        for name, code in self.ENDLESS.items():
            with self.subTest(name=name):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                run = self.host.fork(wall_msec=1000)
                run.start(body(code), verbs=VERBS)
                note = run.serve(None)
                status = run.wait()
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                # The limit is 1 s; a busy machine's ticks come late.
                self.assertLess(used, 2)
                if note is None:
                    self.assertEqual(status, ("killed", "SIGXCPU"))
                    self.assertGreater(used, 0.5)
                else:
                    self.assertFalse(note["args"]["ok"], note)

    def test_endless_is_ended_by_a_kill(self):
        for name, code in self.ENDLESS.items():
            with self.subTest(name=name):
                run = self.host.fork(wall_msec=60000)
                run.start(body('tend.log("x")\n' + code), verbs=VERBS)
                message = run.lines.receive()
                run.lines.send({"id": message["id"], **done()})
                killed = time.monotonic()
                run.kill()
                # Its own limit is 60 s.
                self.assertLess(time.monotonic() - killed, 50)

    def test_a_waiting_run_uses_no_cpu(self):
        run = self.host.fork(wall_msec=1000)
        run.start(body('return tend.now()'), verbs=VERBS)
        message = run.lines.receive()

        def ticks():
            with open(f"/proc/{run.pid}/stat", encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            return fields[0], int(fields[11]) + int(fields[12])

        deadline = time.monotonic() + 30
        while ticks()[0] != "S" and time.monotonic() < deadline:
            pass
        state, used = ticks()
        self.assertEqual(state, "S")
        self.assertLess(used, os.sysconf("SC_CLK_TCK"))
        run.lines.send({"id": message["id"], **done(1)})
        self.assertEqual(run.serve(None)["args"]["value"], 1)

    def test_memory_bombs(self):
        for name, code in (
                ("table", "local t = {} while true do t[#t + 1] = {} end"),
                ("string", "local s = 'x' while true do s = s .. s end"),
                ("concat", "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1 << 20) end "
                           "return #table.concat(t)"),
                ("coroutines", "local t = {} while true do "
                               "t[#t + 1] = coroutine.create(function() coroutine.yield() end) "
                               "coroutine.resume(t[#t]) end"),
                ("caught", "while true do pcall(function() local t = {} "
                           "while true do t[#t + 1] = {} end end) end"),
                ("in a coroutine", "while true do coroutine.resume(coroutine.create(function() "
                                   "local t = {} while true do t[#t + 1] = {} end end)) end"),
                ("gsub", "local s = ('x'):rep(1 << 20) return #s:gsub('.', ('y'):rep(1000))"),
                ("closures", "local f = function() end while true do local g = f "
                             "f = function() return g() end end")):
            with self.subTest(name=name):
                message = self.failure_of(code)
                self.assertEqual(message, "not enough memory: a run has 64 MiB")

    def test_a_memory_bomb_while_loading(self):
        note = self.describe("local t = {} while true do t[#t + 1] = {} end")
        self.assertEqual(note, {"call": "failed", "args": {
            "message": "not enough memory: a run has 64 MiB"}})

    def test_deep_recursion_is_an_error(self):
        self.assertIn("stack overflow", self.failure_of(
            "local function f(a, b, c, d) return 1 + f(a, b, c, d) end f()"))
        self.assertIn("C stack overflow", self.failure_of(
            "local function f() return coroutine.wrap(f)() end f()"))
        self.assertIn("overflow", self.failure_of(
            "local s = 'return ' .. ('('):rep(1000) error((pcall(s.gsub, s, '', s)) and 'overflow')"))

    def test_deeply_nested_source_is_a_syntax_error(self):
        note = self.describe("return " + "(" * 5000)
        self.assertIn("overflow", note["args"]["message"])

    def test_an_error_message_is_bounded_and_clean(self):
        message = self.failure_of('error(("\\27[31m\\255"):rep(100000), 0)')
        self.assertLess(len(message), 4096)
        self.assertNotIn("\x1b", message)

    def test_neighbours_are_not_harmed(self):
        bombs = []
        for code in self.ENDLESS.values():
            run = self.host.fork(wall_msec=5000)
            run.start(body(code), verbs=VERBS)
            bombs.append(run)
        self.assertEqual(self.value_of("return 42"), 42)
        for run in bombs:
            run.kill()


class Sandbox(Case):
    program = TEND_RUN_TEST

    def test_system_calls(self):
        for name in ("openat", "socket", "clone", "execve", "kill", "ptrace", "getuid", "sendmsg", "dup",
                     "read_other", "mmap_exec", "mmap_file"):
            with self.subTest(name=name):
                run, note = self.run_code(f'pcall(test_syscall, "{name}") return "alive"')
                self.assertIsNone(note)
                self.assertEqual(run.wait(), ("killed", "SIGSYS"))

    def test_allowed_call_returns(self):
        self.assertEqual(self.value_of('return test_syscall("mmap_plain")'), True)

    def test_limits_and_descriptors(self):
        run = self.host.fork(wall_msec=2500)
        run.start(body("return tend.now()"), verbs=VERBS)
        self.assertEqual(run.lines.receive()["call"], "verb")
        fds = set(os.listdir(f"/proc/{run.pid}/fd"))
        self.assertLessEqual(fds, {"2", "3"})
        self.assertIn("3", fds)
        for what, want in ((resource.RLIMIT_NOFILE, 0),
                           (resource.RLIMIT_NPROC, 0), (resource.RLIMIT_FSIZE, 0),
                           (resource.RLIMIT_CORE, 0)):
            self.assertEqual(resource.prlimit(run.pid, what), (want, want))
        self.assertEqual(resource.prlimit(run.pid, resource.RLIMIT_CPU), (3, 4))
        with open(f"/proc/{run.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(int(status["PPid"]), os.getpid())
        self.assertTrue(int(status["SigIgn"], 16) & 1 << (signal.SIGPIPE - 1))


if __name__ == "__main__":
    unittest.main()
