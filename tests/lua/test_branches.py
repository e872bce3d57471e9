#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tend.all, tend.any, ctx:finally and cancelled runs: whatever the order of the answers, the same
order gives the same walk, which is what makes a replay true."""
import itertools
import json
import os
import random
import select
import time
import unittest

from host import Host, done

TEND_RUN = os.environ["TEND_RUN"]
VERBS = ["now", {"name": "log", "args": ["text"]}, {"name": "unit.restart", "args": ["unit"]},
         {"name": "sql.query", "args": []}, {"name": "branch.won", "args": []}]
QUIET_SEC = 0.004

CANCELLED = {"error": {"code": "cancelled", "message": "told to stop"}}


def body(code):
    return 'policy "p" { run = function(ctx)\n' + code + "\nend }"


class Walk:
    """Answers one run; keeps what it asked for, in order, and the order of the answers."""

    def __init__(self, host, source, answer, **start):
        self.run = host.fork(20000)
        self.run.start(source, **{"verbs": VERBS, **start})
        self.answer = answer
        self.asked = []    # (path, verb, args)
        self.pending = {}  # path -> id
        self.order = []
        self.end = None

    def take(self, wait_sec=30):
        message = self.run.lines.receive(wait_sec)
        if message is None or message["call"] != "verb":
            self.end = message or {"call": "nothing"}
            return
        args = message["args"]
        self.asked.append((args["path"], args["verb"], json.dumps(args["args"])))
        assert args["path"] not in self.pending, args
        self.pending[args["path"]] = (message["id"], args["verb"], args["args"])

    def settle(self):
        """Until it says no more for a moment."""
        lines = self.run.lines
        while self.end is None and (not self.pending or b"\n" in lines.buffer
                                    or select.select([lines.sock], [], [], QUIET_SEC)[0]):
            self.take()

    def give(self, path):
        number, verb, args = self.pending.pop(path)
        self.order.append(path)
        self.run.lines.send({"id": number, **self.answer(path, verb, args)})

    def at_random(self, dice):
        while True:
            self.settle()
            if self.end is not None:
                return self
            self.give(dice.choice(sorted(self.pending)))

    def in_order(self, order):
        """As tendd replays: each recorded answer as soon as it was asked for, in that order."""
        for path in order:
            while path not in self.pending and self.end is None:
                self.take()
            if self.end is not None:
                break
            self.give(path)
        while self.end is None:
            self.take()
        return self


class Case(unittest.TestCase):
    def setUp(self):
        self.host = Host(TEND_RUN)
        self.addCleanup(self.host.close)

    def walk(self, code, answer=lambda path, verb, args: done(), **start):
        return Walk(self.host, body(code), answer, **start)

    def value(self, code, order=None, answer=lambda path, verb, args: done(), **start):
        walk = self.walk(code, answer, **start)
        walk.in_order(order) if order else walk.at_random(random.Random(1))
        self.assertEqual(walk.end["call"], "ended", walk.end)
        self.assertTrue(walk.end["args"]["ok"], walk.end)
        return walk.end["args"]["value"]

    def message(self, code, order=None, answer=lambda path, verb, args: done(), **start):
        walk = self.walk(code, answer, **start)
        walk.in_order(order) if order else walk.at_random(random.Random(1))
        self.assertFalse(walk.end["args"]["ok"], walk.end)
        return walk.end["args"]["message"]


# As tangled as policies may get: branches in branches, own coroutines, pcall, comparators.
TANGLED = '''
    ctx:finally(function(how) tend.log("clean 1 " .. tostring(how.ok)) end)
    tend.log("begin")
    local seen = {}
    local function step(name) seen[#seen + 1] = name return tend.unit.restart(name) end
    local results, ok = tend.all(
        function() step("a1") step("a2") return "a" end,
        function()
            local n, who = tend.any(
                function() return step("b1x") end,
                function() step("b2x") return step("b2y") end,
                function() pcall(function() step("b3x") error("no") end) step("b3y") end)
            step("b-after-" .. tostring(n) .. tostring(who))
            return n
        end,
        function()
            local co = coroutine.wrap(function() coroutine.yield(step("c1")) step("c2") return "c" end)
            co() step("c3")
            return co()
        end,
        function()
            local t = { 3, 1, 2 }
            table.sort(t, function(x, y) tend.log("compare " .. x .. y) return x < y end)
            local inner = tend.all(function() return step("d1") end, function() return step("d2") end)
            ctx:finally(function() tend.log("clean 2") end)
            return #inner
        end)
    return { seen = seen, n = #results, ok = ok, b = results[2][1], c = results[3][1], d = results[4][1] }'''


class Order(Case):
    def test_same_answers_same_walk(self):
        """Random orders of the answers, each played again to a fresh process."""
        orders, winners = set(), set()
        for seed in range(60):
            first = self.walk(TANGLED, lambda path, verb, args: done(
                False if args.get("unit") == "b1x" and seed % 2 else None)).at_random(random.Random(seed))
            self.assertTrue(first.end["args"]["ok"], first.end)
            host = Host(TEND_RUN)
            second = Walk(host, body(TANGLED), first.answer).in_order(first.order)
            host.close()
            self.assertEqual(first.asked, second.asked)
            self.assertEqual(first.end, second.end)
            orders.add(tuple(first.order))
            winners.add(first.end["args"]["value"]["b"])
        self.assertGreater(len(orders), 40)
        self.assertEqual(winners, {1, 2})

    def test_a_prefix_is_walked_again_and_goes_on_otherwise(self):
        """Killed in the middle: what was answered is answered again, the rest comes as it may."""
        answer = lambda path, verb, args: done()
        for seed in range(20):
            first = self.walk(TANGLED, answer).at_random(random.Random(seed))
            cut = len(first.order) // 2
            second = self.walk(TANGLED, answer)
            for path in first.order[:cut]:
                while path not in second.pending:
                    second.take()
                second.give(path)
            second.at_random(random.Random(seed + 1000))
            self.assertTrue(second.end["args"]["ok"], second.end)
            self.assertEqual(second.order[:cut], first.order[:cut])
            paths = {path: (verb, args) for path, verb, args in second.asked}
            known = first.asked[:1]
            self.assertEqual((known[0][1], known[0][2]), paths[known[0][0]])

    def test_every_order_of_three(self):
        code = '''local r = tend.all(function() return tend.now() end,
            function() return tend.now() end, function() return tend.now() end)
            return { r[1][1], r[2][1], r[3][1] }'''
        for order in itertools.permutations(["1.b1.1", "1.b2.1", "1.b3.1"]):
            self.assertEqual(self.value(code, order, lambda path, verb, args: done(path)),
                             ["1.b1.1", "1.b2.1", "1.b3.1"])

    def test_every_order_of_any(self):
        code = '''local n, v, w = tend.any(function() return tend.now(), "x" end,
            function() return tend.now() end, function() tend.now() return tend.now() end)
            return { n, v, w }'''
        for order in itertools.permutations(["1.b1.1", "1.b2.1", "1.b3.1"]):
            walk = self.walk(code, lambda path, verb, args: done(path))
            for path in order:
                while path not in walk.pending:
                    walk.take()
                walk.give(path)
            walk.at_random(random.Random(0))
            want = {"1.b1.1": [1, "1.b1.1", "x"], "1.b2.1": [2, "1.b2.1"]}[
                next(path for path in order if path != "1.b3.1")]
            self.assertEqual(walk.end["args"]["value"], want)
            won = [step for step in walk.asked if step[1] == "branch.won"]
            self.assertEqual(won, [("1", "branch.won", json.dumps({"path": "1", "winner": want[0]}))])
            # The third takes its second step only if it was not too late.
            self.assertEqual("1.b3.2" in [step[0] for step in walk.asked], order[0] == "1.b3.1")


class Meaning(Case):
    def test_all_asks_at_once(self):
        walk = self.walk("tend.all(" + ",".join(
            f'function() tend.log("{n}") end' for n in range(64)) + ")")
        deadline = time.monotonic() + 60
        while len(walk.asked) < 64 and time.monotonic() < deadline:
            walk.settle()
        self.assertEqual([step[0] for step in walk.asked], [f"1.b{n + 1}.1" for n in range(64)])
        walk.at_random(random.Random(2))
        self.assertTrue(walk.end["args"]["ok"])

    def test_results(self):
        answer = lambda path, verb, args: {"ok": {"outcome": "refused", "message": "held"}} \
            if verb == "unit.restart" else done()
        self.assertEqual(self.value('''
            local r, ok = tend.all(function() return 1, nil, 3 end, function() end,
                function() return tend.unit.restart("x") end, function() return false end)
            return { ok, r[1].ok, r[1].n, r[1][3], r[2].ok, r[2].n, r[3].ok, r[3].message, r[3].outcome,
                r[4].ok }''', answer=answer),
            [False, True, 3, 3, True, 0, False, "held", "refused", False])

    def test_none_and_lists(self):
        self.assertEqual(self.value("local r, ok = tend.all() return { #r, ok }"), [0, True])
        self.assertEqual(self.value("local r, ok = tend.all({}) return { #r, ok }"), [0, True])
        self.assertEqual(self.value(
            "local t = {} for i = 1, 9 do t[i] = function() tend.now() return i * i end end "
            "local r = tend.all(t) return r[9][1]"), 81)
        self.assertEqual(self.value("return { tostring((tend.any())), select(2, tend.any({})) }"),
                         ["nil", "none of 0 branches gave a true value"])

    def test_any_without_a_winner(self):
        answer = lambda path, verb, args: {"ok": {"outcome": "failed", "message": "m" + path}}
        self.assertEqual(
            self.value("local r = table.pack(tend.any(tend.now, tend.now)) "
                       "return { tostring(r[1]), r[2], r[3] }", answer=answer),
            ["nil", "none of 2 branches gave a true value; the first: m1.b1.1", "failed"])

    def test_a_winner_without_steps_leaves_the_rest_alone(self):
        walk = self.walk('local n = tend.any(function() return true end, function() tend.log("x") end) '
                         "return n").at_random(random.Random(1))
        self.assertEqual([step[1] for step in walk.asked], ["branch.won"])
        self.assertEqual(walk.end["args"]["value"], 1)

    def test_an_error_is_raised_when_all_have_ended(self):
        code = '''\ntend.all(function() tend.log("a") tend.log("b") end, function()
            tend.log("c")
            error("broken")
        end, function() tend.log("d") local x = nil; return x.y end)'''
        for order in (["1.b2.1", "1.b3.1", "1.b1.1", "1.b1.2"], ["1.b3.1", "1.b1.1", "1.b1.2", "1.b2.1"]):
            walk = self.walk(code).in_order(order)
            self.assertEqual(walk.end["args"]["message"], "p.lua:5: broken (branch 2 of tend.all)")
            self.assertIn(("1.b1.2", "log", '{"text": "b"}'), walk.asked)
        self.assertIn("p.lua:2: attempt to index a nil value (field 'z') (branch 1 of tend.any)", self.message(
            "tend.any(function() return ctx.z.z end, function() return tend.now() end)"))

    def test_misuse(self):
        for code, want in (
                ("tend.all(1)", "p.lua:2: tend.all: branch 1 must be a function, not a number"),
                ("tend.any(tend.now, {})", "p.lua:2: tend.any: branch 2 must be a function, not a table"),
                ("local t = {} for i = 1, 65 do t[i] = tend.now end tend.all(t)",
                 "p.lua:2: tend.all: more than 64 branches"),
                ("local function f() return tend.all(f) end f()", "nested too deeply"),
                ("local function f() local t = {} for i = 1, 63 do t[i] = tend.now end t[64] = f "
                 "tend.all(t) end f()", "more than 256 branches at work"),
                ("tend.all(function() coroutine.yield() end)",
                 "p.lua:2: attempt to yield from outside a coroutine (branch 1 of tend.all)"),
                ("local co tend.all(function() co = coroutine.running() tend.now() end, "
                 "function() coroutine.resume(co) end)",
                 "p.lua:2: coroutine: a branch of tend.all or tend.any goes on by itself"),
                ("local co tend.all(function() co = coroutine.running() tend.all(tend.now) end, "
                 "function() coroutine.close(co) end)",
                 "p.lua:2: coroutine: a branch of tend.all or tend.any goes on by itself"),
                ("ctx:finally(1)", "p.lua:2: ctx:finally: must be given a function"),
                ("for i = 1, 101 do ctx:finally(tend.now) end", "more than 100 functions")):
            with self.subTest(code=code):
                self.assertIn(want, self.message(code))

    def test_branch_won_is_not_for_policies(self):
        self.assertIn("there is no tend.branch", self.message("tend.branch.won{}"))

    def test_own_coroutines_in_a_branch(self):
        self.assertEqual(self.value('''
            local gen = coroutine.wrap(function() for i = 1, 3 do tend.log("g" .. i) coroutine.yield(i) end end)
            local r = tend.all(function() return gen(), tend.now(), gen() end,
                function() return coroutine.isyieldable(), tend.now() end)
            return { r[1][1], r[1][3], r[2][1], coroutine.isyieldable() }'''), [1, 2, False, False])

    def test_pcall_and_xpcall_are_what_they_were(self):
        self.assertEqual(self.value('''
            local function h(e) return "h:" .. e end
            local a = table.pack(pcall(function(...) return ... end, 1, nil, 3))
            local b = table.pack(xpcall(function(x) tend.log("x") error(x, 0) end, h, "e"))
            local c = table.pack(xpcall(function(x) return x, x end, h, 7))
            local d = table.pack(pcall(error))
            return { a.n, a[4], b[1], b[2], b.n, c[1], c[3], c.n, d.n, select("#", pcall(pcall)) }'''),
            [4, 3, False, "h:e", 2, True, 7, 3, 2, 2])
        self.assertEqual(self.value('''
            local r = tend.all(function()
                local ok, e = pcall(function() tend.log("a") error("b", 0) end)
                local ok2, v = xpcall(function() return tend.now() end, error)
                local closed
                do local x <close> = setmetatable({}, { __close = function() tend.log("c") closed = true end }) end
                return ok, e, ok2, closed
            end, tend.now) return { r[1][1], r[1][2], r[1][3], r[1][4] }'''), [False, "b", True, True])

    def test_steps_are_counted_over_all_branches(self):
        walk = self.walk("local t = {} for i = 1, 50 do t[i] = function() for j = 1, 1000 do tend.now() end end "
                         "end for i = 1, 3 do tend.all(t) end")
        while walk.end is None:
            walk.take()
            for path in sorted(walk.pending):
                walk.give(path)
        self.assertIn("more than 100000 steps in one run", walk.end["args"]["message"])
        self.assertLessEqual(len(walk.asked), 100000)


class Finally(Case):
    def test_last_registered_first_and_paths(self):
        walk = self.walk('''
            ctx:finally(function(how) tend.log(how.message or "none") tend.log("2") end)
            ctx:finally(function(how) tend.log(tostring(how.ok)) end)
            tend.log("work")
            return nil, "did not help", "refused"''').at_random(random.Random(1))
        self.assertEqual(walk.asked, [
            ("1", "log", '{"text": "work"}'), ("f2.1", "log", '{"text": "false"}'),
            ("f1.1", "log", '{"text": "did not help"}'), ("f1.2", "log", '{"text": "2"}')])
        self.assertEqual(walk.end["args"], {"ok": False, "message": "did not help", "outcome": "refused"})

    def test_after_an_error_and_branches_in_it(self):
        walk = self.walk('''
            ctx:finally(function() tend.all(tend.now, tend.now) end)
            error("x")''').at_random(random.Random(1))
        self.assertEqual([step[0] for step in walk.asked], ["f1.1.b1.1", "f1.1.b2.1"])
        self.assertEqual(walk.end["args"]["message"], "p.lua:4: x")

    def test_its_own_error(self):
        code = 'ctx:finally(function() tend.log("a") end) ctx:finally(function() error("in it") end) '
        walk = self.walk(code + "return 1").at_random(random.Random(1))
        self.assertEqual(walk.end["args"], {"ok": False, "message": "p.lua:2: in it"})
        self.assertEqual(len(walk.asked), 1)
        walk = self.walk(code + "return").at_random(random.Random(1))
        self.assertEqual(walk.end["args"], {"ok": False, "message": "p.lua:2: in it"})
        walk = self.walk(code + 'error("first", 0)').at_random(random.Random(1))
        self.assertEqual(walk.end["args"]["message"], "first")
        self.assertIn("its clean-up is under way", self.message(
            "ctx:finally(function() ctx:finally(tend.now) end)"))

    def test_the_context_stays_data(self):
        walk = self.walk("tend.sql.query{ctx = ctx}", ctx={"a": 1}).at_random(random.Random(1))
        self.assertEqual(json.loads(walk.asked[0][2]), {"ctx": {"a": 1, "params": {}}})


class Cancel(Case):
    def cancelled(self, code, until, **start):
        """Answers as done up to the path `until`, from there on as cancelled but for clean-up."""
        late = []

        def answer(path, verb, args):
            if path == until:
                late.append(path)
            return CANCELLED if late and not path.startswith("f") else done()
        return self.walk(code, answer, **start).at_random(random.Random(3))

    def test_it_passes_every_guard(self):
        hold = ("pcall(tend.log, 'x')",
                "xpcall(tend.log, function() return 1 end, 'x')",
                "coroutine.resume(coroutine.create(function() tend.log('x') end))",
                "pcall(coroutine.wrap(function() pcall(tend.log, 'x') end))",
                "local co = coroutine.create(function() local y <close> = setmetatable({}, { __close = "
                "function() tend.log('x') end }) coroutine.yield() end) coroutine.resume(co) "
                "coroutine.close(co)",
                "tend.all(function() pcall(tend.log, 'x') end)",
                "tend.any(function() while true do pcall(tend.log, 'x') end end, "
                "function() pcall(tend.log, 'x') return true end)",
                "table.sort({ 2, 1 }, function() pcall(tend.log, 'x') return true end)",
                "local x <close> = setmetatable({}, { __close = function() tend.log('y') end }) tend.log('x')",
                "pcall(function() local x <close> = setmetatable({}, { __close = function() error('z') end }) "
                "tend.log('x') end)")
        for code in hold:
            with self.subTest(code=code):
                walk = self.cancelled('ctx:finally(function(how) tend.log(how.message) end) while true do '
                                      + code + " end",
                                      "1" if "tend.all" not in code and "any" not in code else "1.b1.1")
                self.assertEqual(walk.end["args"].get("cancelled"), True, walk.end)
                self.assertFalse(walk.end["args"]["ok"])
                self.assertEqual([step[0] for step in walk.asked if step[0].startswith("f")], ["f1.1"])
                self.assertLess(len(walk.asked), 6)
                self.assertEqual(self.host.runs[-1].wait(), ("exited", 0))

    def test_the_note_says_why(self):
        walk = self.walk('pcall(tend.log, "a") tend.log("b")')
        walk.take()
        walk.run.lines.send({"call": "cancel", "args": {"why": "it ran longer than 1h"}})
        walk.answer = lambda path, verb, args: {"error": {"code": "cancelled"}}
        walk.at_random(random.Random(1))
        self.assertEqual(walk.end["args"], {"ok": False, "cancelled": True, "message":
                                            "p.lua:2: cancelled: it ran longer than 1h"})

    def test_a_restart_knows_why(self):
        run = self.host.fork(20000)
        run.lines.send({"call": "start", "args": {
            "mode": "run", "name": "p", "chunk": "p.lua", "policy": "p", "verbs": VERBS, "ctx": {},
            "params": {}, "cancelled": "by alice",
            "source": body('ctx:finally(function() tend.log("clean") end) tend.log("a") tend.log("b")')}})
        note = run.serve(lambda path, verb, args: done() if path in ("1", "f1.1") else
                         {"error": {"code": "cancelled"}})
        self.assertEqual([step[0] for step in run.steps], ["1", "2", "f1.1"])
        self.assertEqual(note["args"]["message"], "p.lua:2: cancelled: by alice")

    def test_branches_unwind_and_nothing_new_is_asked(self):
        walk = self.cancelled('''tend.all(function() tend.log("a") tend.log("b") end,
            function() pcall(tend.log, "c") tend.log("d") end,
            function() tend.any(tend.now, function() tend.now() tend.now() end) tend.log("e") end)''', "1.b2.1")
        self.assertEqual(walk.end["args"]["cancelled"], True)
        self.assertLessEqual(len(walk.asked), 7)

    def test_a_run_that_ends_well_all_the_same(self):
        walk = self.cancelled('tend.any(function() tend.log("a") end, function() return true end) '
                              'return "ok"', "1.b1.1")
        self.assertEqual(walk.end["args"]["cancelled"], True)


if __name__ == "__main__":
    unittest.main()
