#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tutorial of lua/README.md, typed from top to bottom with what the build tree has; what needs a
daemon is typed in a box by tests/system/test_tutorial.py. And a rehearsal must fail when the policy
is wrong, else it would prove nothing."""
import os
import re
import subprocess
import tempfile
import unittest

import tutorial

# The programs and the plugins of the build tree, set by ctest.
HERE = os.path.dirname(os.path.abspath(__file__))
TEND_CTL, TEND_LUA = os.environ["TEND_CTL"], os.environ["TEND_LUA"]


def read_steps():
    with open(os.path.join(TEND_LUA, "README.md"), encoding="utf-8") as file:
        return tutorial.steps(file.read())


class Tutorial(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="tutorial-")
        self.addCleanup(self.place.cleanup)
        os.mkdir(os.path.join(self.place.name, "bin"))
        os.symlink(TEND_CTL, os.path.join(self.place.name, "bin", "tendctl"))
        libexec = os.path.join(self.place.name, "libexec")
        os.mkdir(libexec)
        for variable in ("TEND_RUN", "TEND_REHEARSE"):
            os.symlink(os.environ[variable], os.path.join(libexec, os.path.basename(os.environ[variable])))
        self.env = {**os.environ, "TEND_LUADIR": TEND_LUA, "TEND_LIBEXECDIR": libexec, "NO_COLOR": "1",
                    "PATH": os.path.join(self.place.name, "bin") + ":" + os.environ["PATH"]}
        self.at = self.place.name

    def type(self, code):
        """As in one shell: a cd stays."""
        typed = subprocess.run(["bash", "-ec", code + "\npwd >\"$TUTORIAL_PWD\""], cwd=self.at,
                               env={**self.env, "TUTORIAL_PWD": self.place.name + "/pwd"},
                               capture_output=True, text=True, timeout=120, check=False)
        if typed.returncode == 0:
            with open(self.place.name + "/pwd", encoding="utf-8") as file:
                self.at = file.read().strip()
        return typed

    def write(self, name, content):
        with open(os.path.join(self.at, name), "w", encoding="utf-8") as file:
            file.write(content)

    def follow(self, change=lambda name, content: content):
        """All steps; the answers to what was typed."""
        answers = []
        for kind, name, content in read_steps():
            if kind == "file":
                self.write(name, change(name, content))
            elif kind == "sh":
                answers.append(self.type(content))
        return answers

    def test_from_top_to_bottom(self):
        answers = self.follow()
        self.assertEqual(len(answers), 3)
        for typed in answers:
            self.assertEqual(typed.returncode, 0, typed.stdout + typed.stderr)
        self.assertEqual(sum(1 for kind, _, _ in read_steps() if kind == "console"), 1)
        said = answers[-1].stdout + answers[-1].stderr
        for scenario in ("a login that hangs", "a restart that does not help", "an operator has stopped"):
            self.assertIn(scenario, said)

    def test_a_wrong_policy_fails_its_rehearsal(self):
        for old, new in (
                ("tend.unit.restart", "tend.unit.start"),
                ("return not ctx.check or tend.verify(ctx.check, { ok = 3, within = ctx.params.within })", "return true"),
                ('tend.unit.restart(ctx.component.unit)', "true")):
            with self.subTest(new=new):
                def change(name, content, old=old, new=new):
                    if not name.endswith(".lua"):
                        return content
                    self.assertIn(old, content)
                    return content.replace(old, new)
                self.at = self.place.name
                subprocess.run(["rm", "-rf", os.path.join(self.at, "policies")], check=True)
                typed = self.follow(change)[-1]
                self.assertEqual(typed.returncode, 1, typed.stdout + typed.stderr)

    def test_a_slip_is_found_by_check(self):
        def change(name, content):
            return content.replace("tend.unit.restart", "tend.unit.restrat")
        typed = self.follow(change)[1]
        self.assertNotEqual(typed.returncode, 0)
        self.assertIn("restart-stuck-web.lua:9:", typed.stdout + typed.stderr)

    def test_every_example_is_found_good(self):
        """By what admins have: unknown verbs, wrong arguments, changes without a verify or an undo."""
        with open(os.path.join(TEND_LUA, "README.md"), encoding="utf-8") as file:
            examples = re.findall(r"^```lua\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        names = [re.search(r'policy "([^"]+)"', source).group(1) + ".lua" for source in examples]
        for name, source in zip(names, examples):
            self.write(name, source)
        typed = self.type("tendctl policy check " + " ".join(names))
        self.assertEqual(typed.returncode, 0, typed.stdout + typed.stderr)

    def test_branches_in_the_real_engine(self):
        """Killed in the middle, resumed, cancelled: what the scenario beside this file says."""
        typed = self.type(f"tendctl policy test {os.path.join(HERE, 'parallel.scenario')}")
        self.assertEqual(typed.returncode, 0, typed.stdout + typed.stderr)
        self.assertIn("3 scenarios, 0 failed", typed.stdout + typed.stderr)


if __name__ == "__main__":
    unittest.main()
