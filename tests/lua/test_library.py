#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""json, re, time and the strings with a budget, in the real tend-run under its filter."""
import calendar
import datetime
import os
import random
import re
import unittest

from host import Host, done

TEND_RUN = os.environ["TEND_RUN"]


class Case(unittest.TestCase):
    def setUp(self):
        self.host = Host(TEND_RUN)
        self.addCleanup(self.host.close)

    def run_code(self, code):
        run = self.host.fork(20000)
        run.start('policy "p" { run = function(ctx)\n' + code + "\nend }", verbs=["now"])
        note = run.serve(lambda path, verb, args: done())
        self.assertIsNotNone(note, code)
        self.assertEqual(run.wait(), ("exited", 0))
        return note["args"]

    def table(self, rows):
        """(code, value) or (code, Wrong(part of the message))"""
        for code, want in rows:
            with self.subTest(code=code):
                got = self.run_code(code)
                if isinstance(want, Wrong):
                    self.assertFalse(got["ok"], got)
                    self.assertIn(want, got["message"])
                else:
                    self.assertTrue(got["ok"], got)
                    self.assertEqual(got["value"], want)


class Wrong(str):
    pass


class Json(Case):
    def test_values(self):
        self.table((
            ("return json.encode({ b = 1, a = { 1, 2.5, true, json.null }, ['ü'] = 'x\"\\n' })",
             '{"a":[1,2.5,true,null],"b":1,"ü":"x\\"\\n"}'),
            ("return json.encode({}) .. json.encode('x') .. json.encode(nil) .. json.encode(1.0)",
             '{}"x"null1.0'),
            ("return json.encode({ 1, { a = 2 } }, 2)", '[\n  1,\n  {\n    "a": 2\n  }\n]'),
            ("return json.decode('{\"a\": [1, 2.0, null, \"x\", {\"b\": null}]}')",
             {"a": [1, 2.0, None, "x", {}]}),
            ("local t = json.decode('[1, 1.0]') return math.type(t[1]) .. math.type(t[2])", "integerfloat"),
            ("return json.decode('null') == json.null and json.null == tend.null", True),
            ("return json.decode(' \"\\\\ud83d\\\\ude00\" ')", "\U0001F600"),
            ("local r = table.pack(json.decode('{\"a\":1')) return r[2]",
             "line 1, column 6: '}' expected near end of file"),
            ("return select(2, json.decode('{\"a\":1,\"a\":2}'))", "line 1, column 10: duplicate object key near '\"a\"'"),
            ("return select(2, json.decode(('['):rep(33)))", "nested deeper than 32 levels"),
            ("return #json.decode('\"' .. ('['):rep(40) .. '\\\\\"[\"')", 42),
            ("return select(2, json.decode('[' .. ('1,'):rep(100001) .. '1]'))", "more than 100000 values"),
            ("return select(2, json.decode(('x'):rep(1 << 20) .. 'x'))", "longer than 1 MiB"),
            ("return #json.decode('[' .. ('[],'):rep(49000) .. '1]')", 49001),
            ("local t = {} t.t = t json.encode(t)", Wrong("p.lua:2: json.encode.t: the table contains itself")),
            ("json.encode({ tostring })", Wrong("json.encode[1]: a function cannot be sent")),
            ("json.encode({}, 99)", Wrong("the indent must be 0 to 8")),
            ("json.encode('\\xff')", Wrong("not valid UTF-8")),
            ("json.decode()", Wrong("bad argument #1 to 'decode'")),
            ("local s = ('x'):rep(1 << 20) json.encode({ s, s })",
             Wrong("the text would be longer than 1048576 bytes")),
        ))


class Re(Case):
    def test_functions(self):
        self.table((
            (r"return { re.match('version 15.4', [[(\d+)\.(\d+)]]) }", ["15", "4"]),
            (r"return re.match('abc', 'b+')", "b"),
            ("return tostring(re.match('abc', 'x'))", "nil"),
            (r"return { re.find('über alles', [[(?i)(A)l]]) }", [7, 8, "a"]),
            ("return { re.find('aXbX', 'X', 3) }", [4, 4]),
            ("return { re.find('aXbX', 'x', -1, 'i') }", [4, 4]),
            ("return tostring(re.find('ab', 'a', 9))", "nil"),
            (r"local t = {} for k, v in re.gmatch('a=1, b=2', [[(\w)=(\d)]]) do t[k] = v end return t",
             {"a": "1", "b": "2"}),
            ("local n = 0 for _ in re.gmatch('äöü', '') do n = n + 1 end return n", 4),
            ("return { re.gsub('hello world', 'o', '<$0>') }", ["hell<o> w<o>rld", 2]),
            (r"return { re.gsub('a-b', [[(\w)-(\w)]], '$2$$$1') }", ["b$a", 1]),
            ("return { re.gsub('abc', '', '-') }", ["-a-b-c-", 4]),
            ("return { re.gsub('äb', '', '-') }", ["-ä-b-", 3]),
            ("return { re.gsub('aaa', 'a', 'b', 2) }", ["bba", 2]),
            (r"return (re.gsub('x1y22', [[\d+]], function(d) return re.gsub(d, [[\d]], 'n') end))", "xnynn"),
            ("return (re.gsub('a b', '[ab]', { a = 1 }))", "1 b"),
            ("return { re.match('ab', '(a)|(b)') }", ["a"]),
            (r"return select('#', re.match('b', '(a)?(b)'))", 2),
            (r"return re.match('a.b*c', '^' .. re.escape('a.b*c') .. '$')", "a.b*c"),
            (r"return { re.match('straße', '(?<x>ß)') }", ["ß"]),
            (r"return (re.gsub('ab', '(?=b)', 'X'))", "aXb"),
            (r"return (re.gsub('foobar', '(?<=foo)bar', ''))", "foo"),
            (r"return (re.gsub('ab', [[a\Kb]], 'X'))", "aX"),
        ))

    def test_what_is_refused(self):
        self.table((
            ("re.match('a', '(')", Wrong("p.lua:2: re.match: in the expression, at 2: missing closing")),
            ("re.match('a', 'a', 1, 'q')", Wrong("re.match: 'q' is none of the flags i, m, s, x")),
            ("re.match('\\xff', 'a')", Wrong("re.match: the text is not valid UTF-8")),
            ("re.match('a', '\\xff')", Wrong("UTF-8 error")),
            (r"re.match('a', [[\C]])", Wrong("re.match: in the expression")),
            ("re.match('a', ('('):rep(80) .. ('a') .. (')'):rep(80))", Wrong("too deeply nested")),
            ("re.match('a', ('a'):rep(5000))", Wrong("longer than 4096 bytes")),
            ("re.gsub('a', 'a', '$1')", Wrong("must come the number")),
            ("re.gsub('a', 'a', function() return {} end)", Wrong("invalid replacement value (a table)")),
            ("re.gsub('a', 'a', true)", Wrong("string/function/table expected")),
        ))

    def test_bombs_end(self):
        for code in (
                "return re.match(('a'):rep(5000), '(a*)*(a*)*(a*)*b')",
                "return re.match(('a'):rep(200000), '(?:a|a)*b')",
                r"return re.match(('ab'):rep(50000), [[^(?:(a|b|ab)*)*c]])",
                r"return re.gsub(('x'):rep(100000), [[(x+x+)+y]], '')",
                r"return re.match(('a'):rep(40000), [[(a(?1)?)*b]])",
                r"return re.match(('a'):rep(60), [[(*LIMIT_MATCH=4000000000)(a+)+b]])"):
            with self.subTest(code=code):
                got = self.run_code(code)
                if not got["ok"]:
                    self.assertRegex(got["message"], "too many steps|not enough memory|too complex")

    def test_many_expressions_and_reuse(self):
        self.table((
            ("for i = 1, 200 do if not re.match('x' .. i, '^x' .. i .. '$') then return i end end return 'all'",
             "all"),
            ("local a = re.gmatch('abab', 'a') a() for i = 1, 100 do re.match('x', 'x{' .. i .. '}') end "
             "return a()", "a"),
        ))

    def test_like_python(self):
        dice = random.Random(7)
        pieces = ["a", "b", ".", "a*", "b+", "(a|b)", "[ab]", "[^a]", "(ab)?", "^", "$", r"\d", "a{1,2}"]
        for _ in range(60):
            pattern = "".join(dice.choice(pieces) for _ in range(dice.randrange(1, 6)))
            text = "".join(dice.choice("aab1 ") for _ in range(dice.randrange(10)))
            found = re.search(pattern, text)
            want = [found.start() + 1, found.end()] if found else ["none"]
            got = self.run_code(f"local a, b = re.find([[{text}]], [==[{pattern}]==]) "
                                "return a and { a, b } or { 'none' }")
            self.assertEqual(got["value"], want, (pattern, text))


class Time(Case):
    def test_values(self):
        self.table((
            ("return time.parse('1970-01-01T00:00:00Z')", 0),
            ("return time.parse('2026-03-01T02:00:00+01:00')", 1772326800),
            ("return time.parse('2026-03-01')", 1772323200),
            ("return time.parse('2026-03-01 00:00:00.25-05:30')", 1772343000.25),
            ("return math.type(time.parse('2026-03-01'))", "integer"),
            ("return time.format(1772326800)", "2026-03-01T01:00:00Z"),
            ("return time.format(1772326800.9)", "2026-03-01T01:00:00Z"),
            ("return time.format(1772326800, nil, 330)", "2026-03-01T06:30:00+05:30"),
            ("return time.format(1772326800, '%A, %d %B %Y (%a %b %j) %H:%M:%S %z 100%%')",
             "Sunday, 01 March 2026 (Sun Mar 060) 01:00:00 +00:00 100%"),
            ("return time.weekday(0) .. time.weekday(86400 * 3)", "thursdaysunday"),
            ("return time.fields(1709208000, -60)", {"year": 2024, "month": 2, "day": 29, "hour": 11, "minute": 0,
                                                     "second": 0, "yearday": 60, "weekday": "thursday"}),
            ("return time.duration('1h30m') + time.duration(5) + time.duration('-5s')", 5400),
            ("return time.add(0, '1d') - time.sub(100, '1m') - time.sub(7, 5)", 86400 - 40 - 2),
            ("return { time.text(0), time.text(59.9), time.text(90), time.text(3600), time.text(93784), "
             "time.text(-60), time.text(86400) }", ["0s", "59s", "1m30s", "1h", "1d2h", "-1m", "1d"]),
            ("local t = {} for _, s in ipairs({ '2026-02-29', '2026-13-01', '2026-1-1', '2026-01-01T24:00:00Z', "
             "'2026-01-01T00:00:00', 'x', '', '2026-01-01T00:00:00Zx', '0000-01-01' }) do "
             "t[#t + 1] = tostring((time.parse(s))) end return table.concat(t, ' ')", " ".join(["nil"] * 9)),
            ("return select(2, time.parse('soon'))",
             "'soon' is no time such as 2026-03-01T02:00:00Z or 2026-03-01T02:00:00+01:00"),
            ("time.format(0, '%q')", Wrong("p.lua:2: time.format: '%q' is none of %Y")),
            ("time.format(0, '%')", Wrong("is none of")),
            ("time.format(1e18)", Wrong("outside of the years 1 to 9999")),
            ("time.format(0/0)", Wrong("outside of the years")),
            ("time.format(0, nil, 5000)", Wrong("the offset is in minutes")),
            ("time.add(0, 'soon')", Wrong("time.add: 'soon' is no duration such as 30s, 2m or 1h30m")),
            ("time.text(1/0)", Wrong("not a number of seconds")),
        ))

    def test_against_python(self):
        dice = random.Random(5)
        stamps = [dice.randrange(-62135510400, 253402214400) for _ in range(300)]
        stamps += [calendar.timegm((y, m, d, 0, 0, 0)) for y in (1900, 2000, 2024, 2100)
                   for m, d in ((2, 28), (3, 1), (12, 31), (1, 1))]
        got = self.run_code("local t, out = {" + ",".join(map(str, stamps)) + "}, {} for i, s in ipairs(t) do "
                            "local text = time.format(s) out[i] = { text, time.weekday(s), time.parse(text) } "
                            "end return out")
        for stamp, (text, weekday, back) in zip(stamps, got["value"]):
            want = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=stamp)
            self.assertEqual(text, want.isoformat() + "Z")
            self.assertEqual(weekday, calendar.day_name[want.weekday()].lower())
            self.assertEqual(back, stamp)


class Strings(Case):
    def test_bombs_are_errors(self):
        for code in ("local s = ('a'):rep(30000) return s:find('.-.-.-.-b')",
                     "local s = ('a'):rep(5000) return s:gsub('(a*)(a*)(a*)b', '')",
                     "for w in ('x'):rep(9999):gmatch('.-.-.-y') do end"):
            with self.subTest(code=code):
                message = self.run_code(code)["message"]
                self.assertRegex(message, r"p.lua:2: string.\w+: the pattern takes more than 10000000 steps")

    def test_usual_work_is_not_hindered(self):
        self.table((
            ("local s = ('word '):rep(100000) return select(2, s:gsub('%w+', string.upper))", 100000),
            ("local n = 0 for _ in ('a,b;'):rep(100000):gmatch('[^,;]+') do n = n + 1 end return n", 200000),
            ("return (' trim me '):match('^%s*(.-)%s*$')", "trim me"),
            ("return { ('key = value'):match('^(%w+)%s*=%s*(%w+)$') }", ["key", "value"]),
            ("return { ('a.b'):find('.', 1, true) }", [2, 2]),
            ("return ('%d+'):gsub('%%', '%%%%')", "%%d+"),
            ("table.move({}, 1, 1 << 40, 2, {})", Wrong("table.move: more than")),
        ))


if __name__ == "__main__":
    unittest.main()
