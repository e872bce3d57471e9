#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lua/tend/sets.lua and answer.lua in the real tend-run: what is told of backup sets, what goes."""
import os
import unittest

from host import Host, done

TEND_RUN = os.environ["TEND_RUN"]
LUA = os.environ["TEND_LUA"]

DAY = 86400


def library():
    names = ("answer", "sets")
    texts = {}
    for name in names:
        with open(os.path.join(LUA, "tend", f"{name}.lua"), encoding="utf-8") as file:
            texts[f"tend/{name}.lua"] = file.read()
    return texts


class Case(unittest.TestCase):
    def run_code(self, code):
        host = Host(TEND_RUN)
        self.addCleanup(host.close)
        run = host.fork(60000)
        run.start('local sets = require "tend.sets"\nlocal answer = require "tend.answer"\n'
                  'policy "p" { run = function(ctx)\n' + code + "\nend }", library=library(),
                  verbs=["now"])
        note = run.serve(lambda path, verb, args: done())
        self.assertIsNotNone(note, code)
        run.wait()
        self.assertTrue(note["args"]["ok"], note)
        return note["args"]["value"]


# Sets of a story: label, day it is of, chain, verified, proven on day, why not.
LIST = """
local DAY = 86400
local function set(label, day, chain, verified, proven, why)
	return { label = label, at = day * DAY, chain = chain, members = {}, why = why, rto = 2,
		verified_at = verified and day * DAY or nil, proven_at = proven and proven * DAY or nil }
end
local LIMITS = { stale_after = 26 * 3600, unproven_after = 9 * DAY }
"""


class Judge(Case):
    def test_what_is_told(self):
        rows = (
            # list, now (days), state, part of the text
            ("{}", 1, "critical", "there is no backup"),
            ("{set('F1', 1, {}, true, 1)}", 1.5, "ok", "F1 is good"),
            ("{set('F1', 1, {}, true, nil)}", 1.5, "critical", "no set is proven by a restore"),
            ("{set('F1', 1, {}, false, nil)}", 1.5, "critical", "it was not read through"),
            ("{set('F1', 1, {}, true, 1)}", 3, "critical", "the newest good set, F1, is 2 d old"),
            ("{set('F1', 1, {}, true, 1), set('I2', 12, {'F1'}, true)}", 12.5, "critical",
             "no restore has proven a set for 11 d"),
            ("{set('F1', 1, {}, true, 1), set('I2', 2, {'F1'}, true)}", 2.5, "ok",
             "the newest proven set is F1"),
            ("{set('F1', 1, {}, true, 1), set('I2', 1.9, {'F1'}, true, nil, 'damaged: x')}", 2,
             "critical", "I2: damaged: x"),
            ("{set('F1', 1, {}, true, 1, 'damaged: x'), set('F2', 2, {}, true, 2)}", 2.5, "ok",
             "F2 is good"),
            ("{set('F1', 1, {}, true, 1, 'damaged: x')}", 1.5, "critical", "no set is good: F1"),
        )
        for text, now, state, part in rows:
            with self.subTest(list=text):
                got = self.run_code(
                    LIST + f"return {{ sets.judge({text}, {now} * DAY // 1, LIMITS) }}")
                self.assertEqual(got[0], state)
                self.assertIn(part, got[1])


class Doomed(Case):
    def test_which_go(self):
        rows = (
            ("{}", 2, []),
            ("{set('F1', 1, {}, true, 1), set('F2', 2, {}, true, 2)}", 2, []),
            ("{set('F1', 1, {}, true, 1), set('F2', 2, {}, true, 2), set('F3', 3, {}, true, 3)}",
             2, ["F1"]),
            # The only proof is old: it stays, whatever is newer.
            ("{set('F1', 1, {}, true, 1), set('F2', 2, {}, true), set('F3', 3, {}, true), "
             "set('F4', 4, {}, true)}", 2, ["F2"]),
            # The proven one is an incremental: what it stands on stays.
            ("{set('F1', 1, {}, true), set('I1', 2, {'F1'}, true, 2), set('F2', 3, {}, true), "
             "set('F3', 4, {}, true)}", 1, ["F2"]),
            # What is damaged does not count as kept.
            ("{set('F1', 1, {}, true, 1), set('F2', 2, {}, true, nil, 'damaged'), "
             "set('F3', 3, {}, true, 3)}", 2, []),
        )
        for text, keep, want in rows:
            with self.subTest(list=text):
                got = self.run_code(LIST + f"return sets.doomed({text}, {keep})")
                self.assertEqual(got or [], want)

    def test_no_history_loses_its_proven_set(self):
        """3,000 random histories: the newest proven set and its whole chain always stay."""
        self.assertEqual(self.run_code(LIST + """
local seed, checked = 42, 0
local function dice(n)
	seed = (seed * 1103515245 + 12345) % 2147483648
	return seed // 65536 % n
end
for round = 1, 3000 do
	local list, chain = {}, nil
	for day = 1, 1 + dice(40) do
		local full = not chain or dice(5) == 0
		local label = (full and "F" or "I") .. day
		if full then chain = {} end
		table.insert(list, set(label, day, table.move(chain, 1, #chain, 1, {}), dice(8) > 0,
			dice(4) == 0 and day or nil, dice(6) == 0 and "damaged" or nil))
		table.insert(chain, label)
	end
	local keep = 1 + dice(3)
	local gone, proven = {}, sets.newest(list, sets.proven)
	for _, label in ipairs(sets.doomed(list, keep)) do
		for _, each in ipairs(sets.dependants(list, label)) do gone[each] = true end
	end
	if proven then
		checked = checked + 1
		assert(not gone[proven.label], proven.label)
		for _, each in ipairs(proven.chain) do assert(not gone[each], each) end
	end
	-- Nothing stands on what has gone.
	local full = 0
	for _, each in ipairs(list) do
		if not gone[each.label] then
			for _, under in ipairs(each.chain) do assert(not gone[under], under) end
			if #each.chain == 0 and sets.good(each) then full = full + 1 end
		end
	end
	local good = 0
	for _, each in ipairs(list) do
		if #each.chain == 0 and sets.good(each) then good = good + 1 end
	end
	assert(full >= math.min(keep, good), "too few full sets are kept")
end
return checked > 2000
"""), True)


class Answer(Case):
    def test_lines(self):
        got = self.run_code(
            'local last, all = answer.parse("a=1\\nb=x y\\nnoise\\na=2\\nc=\\nd=1.5\\n")\n'
            "return { last, all }")
        self.assertEqual(got[0], {"a": 2, "b": "x y", "c": "", "d": "1.5"})
        self.assertEqual(got[1]["a"], ["1", "2"])


if __name__ == "__main__":
    unittest.main()
