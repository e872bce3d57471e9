# SPDX-License-Identifier: MIT
"""The resident runner of a format: what it declares, makes and judges, and what holds it."""
import os
import signal
import unittest

import format_host

TEND_RUN = os.environ["TEND_RUN"]
GOOD = """
local n = 0
return {
	name = "good", doc = "A format to try.", group = true, rate_per_minute = 20, max_bytes = 4096,
	sign = "none", repeat_seconds = 60, options = { channel = { doc = "where", default = "#ops" } },
	format = function(notice, options)
		n = n + 1
		return { body = { text = notice.title, channel = options.channel, n = n, none = json.null },
			headers = { ["X-One"] = "1" } }
	end,
	judge = function(response)
		if response.json and response.json.code == 0 then return "delivered" end
		if response.status == 429 then return "retry", 7, "too fast" end
		return "failed", "code " .. tostring(response.json and response.json.code) .. response.headers["retry-after"]
	end,
}
"""


def source(body="return { body = {} }", more=""):
    return f'return {{\n\tname = "f", doc = "d",\n\tformat = function(notice, options)\n\t\t{body}\n\tend,\n{more}\n}}\n'


class Declared(unittest.TestCase):
    def start(self, text, **kw):
        runner = format_host.Format(TEND_RUN, text, **kw)
        self.addCleanup(self.end, runner)
        return runner

    @staticmethod
    def end(runner):
        runner.lines.sock.close()
        try:
            runner.close()
        except (ProcessLookupError, ChildProcessError):
            pass  # its end was seen already

    def test_described(self):
        declared = self.start(GOOD).described()
        self.assertEqual(declared, {
            "name": "good", "doc": "A format to try.", "group": True, "rate_per_minute": 20,
            "max_bytes": 4096, "sign": "none", "repeat_seconds": 60, "judge": True,
            "options": {"channel": {"doc": "where", "default": "#ops"}}})
        self.assertFalse(self.start(source()).described()["judge"])

    def test_refused_with_its_line(self):
        rows = [
            ("return {", "f.lua:1: unexpected symbol near <eof>"),
            ("return 7", "f.lua:1: a format returns a table, not a number"),
            ("\n\nreturn {}", "f.lua:3: a format needs 'name'"),
            ('return { name = "f", doc = "d" }', "f.lua:1: a format needs 'format'"),
            (source(more="\tmax_byte = 3,"), "f.lua:6: unknown key 'max_byte'; did you mean 'max_bytes'?"),
            (source(more="\tmax_bytes = 3,"), "f.lua:6: 'max_bytes' must be a whole number, 256 to 524288"),
            (source(more='\tmax_bytes = "x",'), "f.lua:6: 'max_bytes' must be a number, not a string"),
            (source(more="\tgroup = 1,"), "f.lua:6: 'group' must be a boolean, not a number"),
            (source(more="\toptions = { a = 1 },"), "f.lua:6: an option is a table {doc=..., default=...}"),
            (source(more='\toptions = { a = { dok = "x" } },'), "f.lua:6: unknown key 'dok'; did you mean 'doc'?"),
            (source(more='\trepeat_seconds = 0.5,'), "f.lua:6: 'repeat_seconds' must be a whole number, 1 to 86400"),
            ('return { name = "A b", doc = "d", format = 1 }', "f.lua:1: 'format' must be a function, not a number"),
            ('return { name = "A b", doc = "d" }',
             "f.lua:1: 'name' must be made of small letters, digits, '-' and '_'"),
            ('local x = require "tend.none"\nreturn {}',
             "f.lua:1: require: there is no 'tend.none' in the policy library"),
            ('policy "x" {}', "f.lua:1: unknown name 'policy'"),
            ('os.exit(1)', "f.lua:1: unknown name 'os'"),
        ]
        for text, message in rows:
            with self.subTest(text=text):
                runner = self.start(text)
                self.assertTrue(runner.failed().startswith(message), runner.failed())
                self.assertEqual(runner.wait(), ("exited", 0))

    def test_format_and_judge(self):
        runner = self.start(GOOD)
        runner.described()
        for n in (1, 2):
            self.assertEqual(runner.format({"title": "严重"}, channel="#a")["ok"], {
                "body": {"text": "严重", "channel": "#a", "n": n, "none": None}, "headers": {"X-One": "1"}})
        self.assertEqual(runner.judge(200, '{"code":0}')["ok"], {"verdict": "delivered"})
        self.assertEqual(runner.judge(429, "x")["ok"], {"verdict": "retry", "after": 7, "why": "too fast"})
        self.assertEqual(runner.judge(200, '{"code":3}', **{"retry-after": "!"})["ok"],
                         {"verdict": "failed", "why": "code 3!"})
        self.assertIn("f.lua:14: attempt to concatenate a nil value", runner.judge(200, "no json")["error"]["message"])

    def test_errors_are_answers(self):
        rows = [
            ('error("no")', "f.lua:4: no"),
            ("error({})", "f.lua: an error that is a table, not a text"),
            ("return nil", "format() returned a nil, not a table"),
            ("return { body = function() end }", "the request.body: a function cannot be sent"),
            ('return { body = "\\xff" }', "the request.body: the string is not valid UTF-8"),
            ("local t = {} t.t = t return { body = t }", "the request.body"),
            ("return { body = notice.a.b.c }", "f.lua:4: attempt to index a nil value"),
            ("return { body = ('x'):rep(1048576) .. ('x'):rep(100) }", "longer than 1 MiB"),
        ]
        for body, message in rows:
            with self.subTest(body=body):
                runner = self.start(source(body))
                runner.described()
                for _ in range(2):  # it lives on
                    self.assertIn(message, runner.format({})["error"]["message"])

    def test_options(self):
        runner = self.start(source("return { body = options }", more="""
	options = { a = { doc = "A" , default = "1" }, b = { doc = "a B", required = true }, c = { doc = "C" } },"""))
        runner.described()
        self.assertEqual(runner.format({})["error"]["message"], "option.b is not set: a B")
        self.assertEqual(runner.format({}, b="2", c="3")["ok"]["body"], {"a": "1", "b": "2", "c": "3"})
        self.assertEqual(runner.format({}, a="x", b="2")["ok"]["body"], {"a": "x", "b": "2"})

    def test_memory_does_not_pile_up(self):
        runner = self.start(source("return { body = ('x'):rep(500000) }"))
        runner.described()
        for _ in range(150):
            self.assertEqual(len(runner.format({})["ok"]["body"]), 500000)

    def test_held(self):
        bomb = self.start(source("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end"))
        bomb.described()
        reply = bomb.format({})
        self.assertIn("64 MiB", reply["error"]["message"])
        loop = self.start(source("while true do pcall(function() end) end"))
        loop.described()
        with self.assertRaises(TimeoutError):
            loop.call("format", wait_sec=0.5, notice={}, options={})
        os.kill(loop.pid, signal.SIGKILL)
        self.assertEqual(loop.wait(), ("killed", "SIGKILL"))

    def test_library(self):
        runner = self.start('local text = require "tend.text"\n' + source("return { body = text.up('a') }"),
                            modules={"tend/text.lua": "return { up = function(s) return s:upper() end }"})
        runner.described()
        self.assertEqual(runner.format({})["ok"], {"body": "A"})

    def test_end_of_file_ends_it(self):
        runner = self.start(GOOD)
        runner.described()
        runner.lines.sock.close()
        self.assertEqual(runner.wait(), ("exited", 0))
        breach = self.start(GOOD)
        breach.described()
        breach.lines.send_raw(b"garbage\n")
        self.assertEqual(breach.wait(), ("exited", 2))


if __name__ == "__main__":
    unittest.main()
