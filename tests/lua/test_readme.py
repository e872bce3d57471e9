#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every Lua example of lua/README.md loads, and runs to a good end; every verb it names exists.

TEND_VERBS, if set, is the program that prints the verbs; TEND_RUN is tend-run.
"""
import json
import os
import re
import unittest

from host import Host, done

TEND_RUN, TEND_LUA = os.environ["TEND_RUN"], os.environ["TEND_LUA"]

# What the verbs of the examples are answered; others are done and say nothing.
ANSWERS = {
    "component.checks": [{"name": "crm/web/login", "state": "ok"}, {"name": "crm/web/unit", "state": "ok"}],
    "now": {"unix": 1772409600, "text": "2026-03-02T00:00:00Z"},
}
CTX = {"component": {"name": "crm/web", "unit": "crm-web.service", "kind": "web"},
       "check": {"name": "crm/web/login", "reason": "too-slow", "text": "slow", "state": "critical"},
       "incident": {"id": "i1", "severity": "critical"}, "system": "crm", "environment": "staging",
       "calendar": {"weekday": "sunday", "date": "2026-03-01"}, "trigger": {"kind": "hand", "at": 1}}


def read(name):
    with open(os.path.join(TEND_LUA, name), encoding="utf-8") as file:
        return file.read()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def verbs():
    """Of VERBS.md, which is the verb table's: name -> arguments."""
    found = {}
    for name, arguments in re.findall(r"^    tend\.([\w.]+)\{(.*)\}$", read("VERBS.md"), re.MULTILINE):
        found[name] = [one for one in arguments.split(", ") if one]
    return found


class Readme(unittest.TestCase):
    def setUp(self):
        self.host = Host(TEND_RUN)
        self.addCleanup(self.host.close)
        self.examples = blocks(read("README.md"), "lua")
        self.verbs = verbs()

    def test_there_are_examples_and_verbs(self):
        self.assertGreaterEqual(len(self.examples), 5)
        self.assertGreater(len(self.verbs), 15)

    def test_each_loads_and_runs(self):
        for source in self.examples:
            name = re.search(r'policy "([^"]+)"', source).group(1)
            with self.subTest(policy=name):
                run = self.host.fork(20000)
                run.start(source, mode="describe", chunk=f"{name}.lua", verbs=None)
                note = run.serve(None)
                self.assertEqual(note["call"], "described", note)
                self.assertTrue(note["args"]["policies"][0]["doc"])
                run = self.host.fork(20000)
                run.start(source, policy=name, chunk=f"{name}.lua", ctx=CTX, verbs=[
                    {"name": verb, "args": args[:1]} for verb, args in self.verbs.items()])
                note = run.serve(lambda path, verb, args: done(ANSWERS.get(verb)))
                self.assertTrue(note["args"]["ok"], note)
                for _, verb, args in run.steps:
                    if verb != "branch.won":
                        self.assertLessEqual(set(json.loads(args)), set(self.verbs[verb]))

    def test_what_it_names_exists(self):
        named = set(re.findall(r"\btend\.((?:\w+\.)*\w+)\b", read("README.md")))
        for name in sorted(named - {"conf", "all", "any", "null", "GROUP.VERB", "NAME"}):
            with self.subTest(name=name):
                self.assertIn(name, self.verbs)


if __name__ == "__main__":
    unittest.main()
