#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lua/tend/text.lua, notice.lua and judge.lua in the real tend-run: what the formats stand on."""
import os
import random
import unittest

from format_host import library
from host import Host

TEND_RUN, TEND_LUA = os.environ["TEND_RUN"], os.environ["TEND_LUA"]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(TEND_RUN)
        cls.modules = library(TEND_LUA)

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

    def lua(self, code, **ctx):
        run = self.host.fork(20000)
        run.start('policy "p" { run = function(ctx)\n'
                  'local text, notice, judge = require "tend.text", require "tend.notice", require "tend.judge"\n'
                  + code + "\nend }", library=self.modules, ctx=ctx)
        note = run.serve(None)
        self.assertIsNotNone(note, code)
        run.wait()
        return note["args"]

    def value(self, code, **ctx):
        got = self.lua(code, **ctx)
        self.assertTrue(got["ok"], got)
        return got["value"]


class Text(Case):
    def test_words(self):
        rows = [
            ("clean", "a\r\nb\rc\td\x00e\x1bf\x7fg\u0085h\u2028i", "a\nb\nc defgh\ni"),
            ("clean", "\u202ea\u202c\u2066b\u2069\ufeffc", "abc"),
            ("clean", "שלום 字 🔥 é\u200d", "שלום 字 🔥 é\u200d"),
            ("line", " a \n\n b\r\nc ", "a b c"), ("line", "\n", ""),
            ("quiet", "@all @Everyone @alliance x@here.org @所有人", "@\u200ball @\u200bEveryone @alliance x@\u200bhere.org @\u200b所有人"),
            ("slack", "<!channel> & a>b", "&lt;!channel&gt; &amp; a&gt;b"),
            ("markdown", "<@all> [a](b) [a] (b) [x][y] `c` **d**", "＜@\u200ball＞ [a] (b) [a]  (b) [x] [y] 'c' ∗∗d∗∗"),
            ("feishu", "<at id=all></AT> a < b < at>", "＜at id=all>＜/AT> a < b ＜ at>"),
            ("percent", "a b&c=字", "a%20b%26c%3D%E5%AD%97"),
            ("json", 'a"b\\c\nd', 'a\\"b\\\\c\\nd'),
        ]
        got = self.value("local found = {} for i, row in ipairs(ctx.rows) do "
                         "found[i] = text[row[1]](row[2]) end return found", rows=rows)
        for row, found in zip(rows, got):
            self.assertEqual(found, row[2], row)

    def test_lines_and_split(self):
        self.assertEqual(self.value('return text.lines("a  \\n\\n \\nb\\r\\nc")'), ["a", "b", "c"])
        self.assertEqual(self.value('return text.split(" a,b ,, c d,")'), ["a", "b", "c d"])
        self.assertEqual(self.value("return text.split(nil)"), {})

    def test_cut_anywhere(self):
        """At every length: valid, at most so long, a beginning, and all of it if it fits."""
        for words in ("abcdef", "äöü€字🔥x", "🔥🔥🔥", "", "字"):
            size = len(words.encode())
            got = self.value("local found = {} for n = 0, ctx.n do found[n + 1] = { text.cut(ctx.s, n), "
                             "text.cut(ctx.s, n, '') } end return found", s=words, n=size + 2)
            for n, (marked, bare) in enumerate(got):
                for one in (marked, bare):
                    self.assertLessEqual(len(one.encode()), max(n, 0))
                    self.assertTrue(words.startswith(one.removesuffix("…")), (words, n, one))
                self.assertEqual(marked == words, size <= n)
                # No more is lost than the last character.
                if n < size:
                    self.assertGreater(len(bare.encode()) + 4, n)

    def test_cut_escaped(self):
        got = self.value("local found = {} for n = 0, 40 do "
                         "found[n + 1] = text.cut_escaped('<a>&<b>字&&&&', n, text.slack) end return found")
        for n, one in enumerate(got):
            self.assertLessEqual(len(one.encode()), n)
            self.assertNotRegex(one, r"&(?!(amp|lt|gt);)")
        self.assertEqual(got[40][:20], "&lt;a&gt;&amp;&lt;b&")

    def test_squeeze(self):
        """The short lines stay whole, the long ones give."""
        dice = random.Random(11)
        for _ in range(60):
            lines = [dice.choice(["short", "字" * dice.randrange(300), "<&>" * dice.randrange(200), "x" * 900])
                     for _ in range(dice.randrange(8))]
            bytes_ = dice.choice([20, 50, 200, 1000, 5000])
            gap = dice.choice([1, 4])
            got, taken = self.value("local done, taken = text.squeeze(ctx.lines, text.slack, ctx.bytes, ctx.gap) "
                                    "return { done, taken }", lines=lines, bytes=bytes_, gap=gap)
            size = sum(len(line.encode()) for line in got) + gap * max(len(got) - 1, 0)
            self.assertEqual(size, taken)
            self.assertLessEqual(size, bytes_)
            if bytes_ >= 200:
                self.assertEqual(len(got), len(lines))
                for line, done in zip(lines, got):
                    if line == "short":
                        self.assertEqual(done, line)

    def test_fill(self):
        code = ("local function more(n) return '+' .. n end\n"
                "return text.fill(ctx.n, function(i) return ('i'):rep(10) end, ctx.bytes, 1, more, ctx.rest)")
        for n, bytes_, rest, kept, last in ((3, 32, 0, 3, None), (3, 31, 0, 2, "+1"), (20, 60, 0, 5, "+15"),
                                            (2, 22, 5, 1, "+6"), (2, 25, 5, 2, "+5"), (0, 5, 0, 0, None)):
            got = self.value(code, n=n, bytes=bytes_, rest=rest) or []
            self.assertLessEqual(len("\n".join(got)), bytes_)
            self.assertEqual([one for one in got if one != "i" * 10], [last] if last else [])
            self.assertEqual(len(got) - bool(last), kept, (n, bytes_))

    def test_fit(self):
        code = ("return text.fit(ctx.bytes, 4096, function(budget) "
                "return { a = text.cut(ctx.s, budget), b = text.cut(ctx.s, budget) } end)")
        for words in ("x" * 5000, "字" * 3000, '"\\' * 3000, "short"):
            got = self.value(code, s=words, bytes=1000)
            self.assertEqual(got["a"] == words, words == "short")
            self.assertGreater(len(got["a"]), 4)
        failed = self.lua(code, s="x" * 50, bytes=10)
        self.assertIn("without its texts it is", failed["message"])


class Notice(Case):
    def test_looks(self):
        got = self.value("local n = { status = ctx.status, severity = ctx.severity } "
                         "return { notice.mood(n), notice.look(n).emoji }", status="resolved", severity="critical")
        self.assertEqual(got, ["resolved", "🟢"])
        got = self.value("return { notice.mood(ctx.n), notice.look(ctx.n).emoji }",
                         n={"status": "event", "severity": "warning"})
        self.assertEqual(got, ["warning", "🟠"])
        # A severity of days to come has the mildest look.
        self.assertEqual(self.value("return notice.look(ctx.n).emoji", n={"severity": "odd"}), "🔵")

    def test_mentions(self):
        code = "return #notice.mentions(ctx.n, { mention = 'a, b', mention_from = ctx.least })"
        rows = [("firing", "critical", "critical", 2), ("firing", "warning", "critical", 0),
                ("firing", "info", "info", 2), ("resolved", "critical", "info", 0), ("event", "critical", "info", 0)]
        for status, severity, least, n in rows:
            self.assertEqual(self.value(code, n={"status": status, "severity": severity}, least=least), n)


class Judge(Case):
    def test_code(self):
        code = ("local v, a, b = judge.code(ctx.answer, 'V', judge.member(ctx.answer, 'c'), judge.member(ctx.answer, 'm'), "
                "{ [7] = { 'retry', 30, 'busy' } }) return { v, a or 0, b or 0 }")
        rows = [
            ({"c": 0}, 200, ["delivered", 0, 0]),
            ({"c": 0}, 400, ["failed", "V 0: refused", 0]),
            ({"c": 7, "m": "slow\ndown"}, 200, ["retry", 30, "V 7: busy (slow down)"]),
            ({"c": 8, "m": {"x": 1}}, 200, ["unclear", "V 8: a code that is not known here", 0]),
            ({"c": 8}, 400, ["failed", "V 8: refused", 0]),
            ({"c": "0"}, 200, ["unclear", "this is no answer of V's: body", 0]),
            ({"c": "0"}, 400, ["failed", "this is no answer of V's: body", 0]),
            ({}, 200, ["unclear", "this is no answer of V's: body", 0]),
            ("text", 200, ["unclear", "this is no answer of V's: body", 0]),
            (True, 200, ["unclear", "this is no answer of V's: body", 0]),
        ]
        for value, status, want in rows:
            self.assertEqual(self.value(code, answer={"status": status, "body": "body", "json": value}), want)


if __name__ == "__main__":
    unittest.main()
