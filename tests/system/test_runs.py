# SPDX-License-Identifier: MIT
"""Runs as people see and steer them: followed, cancelled, rehearsed dry, drained for an upgrade.

What the commands did is counted by themselves, in files of the box.
"""

import json
import threading
import unittest

from tendbox import Box, tend, wait_for

LOG = "/var/log/tend-test"

DAEMON = """[daemon]
mode.staging = auto
policy_dirs = /etc/tend/policies

[system s]
environment = staging
[component s/web]
kind = web
[component s/db]
kind = database
[component s/app]
kind = app
[component s/mail]
kind = mail
"""

MANIFEST = f"""[command slowly]
argv =
	/bin/sh
	-c
	echo begun >> {LOG}/slowly; echo one; sleep 1; echo two; sleep 4; echo three
user = root
writable = {LOG}
max_per_hour = 100
[command tidy]
argv =
	/bin/sh
	-c
	echo tidied >> {LOG}/tidy
user = root
writable = {LOG}
max_per_hour = 100
"""

POLICIES = """policy "work" {
	hand = true,
	params = { times = { type = "integer", min = 1, max = 3, doc = "how often" } },
	run = function(ctx)
		ctx:finally(function() tend.command.run("tidy") end)
		for i = 1, ctx.params.times do
			tend.command.run("slowly")
		end
		tend.sleep("1h")
		return true
	end,
}
policy "nightly" {
	schedule = { cron = "30 2 * * *", timezone = "Europe/Berlin", missed = "once" },
	targets = { kind = { "web", "database" } },
	hand = true,
	run = function(ctx)
		tend.log(ctx.trigger.kind)
		return true
	end,
}
policy "after" {
	hand = true,
	concurrency = "queue",
	params = { word = { type = "string", default = "none" } },
	run = function(ctx)
		tend.log(ctx.params.word)
		return true
	end,
}
policy "wrong" {
	hand = true,
	run = function(ctx)
		local nothing = nil
		return nothing.at_all
	end,
}
"""


class Runs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("runs")
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        tend.install(cls.box, etc=None)
        cls.box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        cls.box.write("/etc/tend/tend.conf", DAEMON)
        cls.box.write("/etc/tend/commands.d/test.conf", MANIFEST)
        cls.box.write("/etc/tend/policies/work.lua", POLICIES)
        cls.box.run("mkdir", "-p", LOG)
        tend.start(cls.box)
        wait_for(lambda: cls.ctl("policy", "list"), 20, "the policies")

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    def setUp(self):
        self.box.run("rm", "-f", f"{LOG}/slowly", f"{LOG}/tidy")

    def tearDown(self):
        for run in self.ctl("run", "list", "--state", "live"):
            self.box.run("tendctl", "run", "cancel", run["id"], check=False)
        wait_for(lambda: not self.ctl("run", "list", "--state", "live"), 30, "the runs to end")
        self.assertEqual(tend.complaints(self.box), [])

    def count(self, name):
        return int(self.box.run("sh", "-c", f"cat {LOG}/{name} 2>/dev/null | wc -l").stdout)

    def begin(self, *words):
        return self.ctl("policy", "run", *words)["run"]

    def show(self, run):
        return self.ctl("run", "show", run)

    def ended(self, run):
        wait_for(lambda: self.show(run)["state"] != "live", 30, "the run to end")
        return self.show(run)

    def states(self, run):
        return {step["path"]: (step["verb"], step["state"]) for step in self.show(run)["steps"]}

    def test_followed_and_cancelled(self):
        run = self.begin("work", "s/web", "times=1")
        lines = []

        def follow():
            done = self.box.run("tendctl", "-o", "json", "run", "follow", run, check=False,
                                timeout=60)
            lines.extend(json.loads(line) for line in done.stdout.splitlines())

        follower = threading.Thread(target=follow)
        follower.start()
        wait_for(lambda: self.states(run).get("1") == ("command.run", "done"), 30, "the command")
        self.ctl("run", "cancel", run, "-m", "enough for today")
        follower.join(30)
        self.assertFalse(follower.is_alive())
        told = self.ended(run)
        self.assertEqual((told["state"], told["message"]), ("cancelled", "by root: enough for today"))
        self.assertEqual(self.states(run)["f1.1"], ("command.run", "done"))
        self.assertEqual((self.count("slowly"), self.count("tidy")), (1, 1))
        kinds = [(line.get("kind"), line.get("path")) for line in lines[:-1]]
        progress = [line["text"] for line in lines if line.get("kind") == "progress"]
        self.assertEqual(progress[:3], ["one", "two", "three"])
        for event in (("step", "1"), ("outcome", "1"), ("cancelled", None), ("outcome", "f1.1"),
                      ("ended", None)):
            self.assertIn(event, kinds)
        self.assertEqual(lines[-1]["state"], "cancelled")

    def test_upgraded_in_the_midst(self):
        """The new tendd takes the run up from its journal: the command goes on, and is done once."""
        run = self.begin("work", "s/app", "times=2")
        wait_for(lambda: self.count("slowly") == 1, 20, "the command")
        self.box.run("systemctl", "restart", tend.UNIT, timeout=60)
        wait_for(lambda: self.ctl("status", check=False), 20, "tendd")
        wait_for(lambda: self.states(run).get("3") == ("sleep", "intent"), 40, "the rest")
        self.assertEqual(self.count("slowly"), 2)
        self.ctl("run", "cancel", run)
        self.assertEqual(self.ended(run)["state"], "cancelled")
        self.assertEqual((self.count("slowly"), self.count("tidy")), (2, 1))

    def test_waits_over_a_kill(self):
        """Whose number was told waits in the journal: tendd may die at once."""
        live = self.begin("work", "s/mail", "times=1")
        run = self.begin("after", "s/mail", "word=kept")
        before = self.box.main_pid(tend.UNIT)
        self.box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: self.box.main_pid(tend.UNIT) not in (0, before) and
                 self.ctl("status", check=False), 20, "tendd")
        self.assertEqual(self.show(run)["state"], "queued")
        self.assertEqual([one["id"] for one in self.ctl("run", "list", "--state", "queued")], [run])
        self.ctl("run", "cancel", live)
        wait_for(lambda: self.show(run)["state"] not in ("queued", "live"), 40, "its turn")
        told = self.show(run)
        self.assertEqual((told["state"], [step["args"].get("text") for step in told["steps"]]),
                         ("done", ["kept"]))

    def test_a_reload_is_answered_when_the_policies_are_read(self):
        for number in range(5):
            name = f"fresh-{number}"
            self.box.write("/etc/tend/policies/fresh.lua", f"""policy "{name}" {{
	hand = true,
	run = function(ctx) return true end,
}}
""")
            # Not one moment for it to be read in between.
            self.box.run("sh", "-ec", f"tendctl reload; tendctl policy run {name} s/web")
            self.assertIn(name, [one["name"] for one in self.ctl("policy", "list")])
        self.box.run("systemctl", "restart", tend.UNIT, timeout=60)
        self.box.run("tendctl", "policy", "run", "fresh-4", "s/web")
        self.box.run("rm", "/etc/tend/policies/fresh.lua")
        self.ctl("reload")
        self.assertNotIn("fresh-4", [one["name"] for one in self.ctl("policy", "list")])

    def test_drained(self):
        run = self.begin("work", "s/mail", "times=1")
        self.assertEqual(self.ctl("action", "drain"),
                         {"draining": True, "drained": False, "live": 1})
        refused = self.box.run("tendctl", "policy", "run", "nightly", "s/db", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Tend drains", refused.stderr)
        self.assertIn("draining, 1 live", self.box.run("tendctl", "status", check=False).stdout)
        self.ctl("run", "cancel", run)
        wait_for(lambda: self.ctl("status", check=False)["drain"]["drained"], 30, "the end")
        self.box.run("systemctl", "restart", tend.UNIT, timeout=60)
        wait_for(lambda: self.ctl("status", check=False), 20, "tendd")
        # An upgrade must not begin what it drained.
        self.assertTrue(self.ctl("status", check=False)["drain"]["draining"])
        self.ctl("action", "undrain")
        self.assertFalse(self.ctl("status", check=False)["drain"]["draining"])
        self.assertEqual(self.ended(self.begin("nightly", "s/db"))["state"], "done")

    def test_dry(self):
        run = self.begin("work", "s/web", "times=3", "--dry-run")
        told = self.ended(run)
        self.assertEqual((told["state"], told["dry"], told["acted"]), ("done", True, False))
        self.assertEqual(self.states(run)["3"], ("command.run", "done"))
        self.assertEqual(told["steps"][0]["message"],
                         'dry run: would do command.run {"command":"slowly"}')
        self.assertEqual((self.count("slowly"), self.count("tidy")), (0, 0))
        self.assertEqual([one["id"] for one in self.ctl("run", "list", "--target", "s/*",
                                                        "--policy", "work", "-n", "1")], [run])

    def test_what_is_next(self):
        rows = self.ctl("policy", "next", "nightly", "-n", "5")
        self.assertEqual(len(rows), 5)
        self.assertEqual({row["target"] for row in rows[:2]}, {"s/web", "s/db"})
        for row in rows:
            self.assertRegex(row["local"], r" 02:30\+0[12]:00 Europe/Berlin$")
        self.assertEqual(rows, sorted(rows, key=lambda row: row["at"]))
        none = self.box.run("tendctl", "policy", "next", "work", check=False)
        self.assertIn("work has no schedule", none.stderr)

    def test_parameters_are_asked_for(self):
        wrong = self.box.run("tendctl", "policy", "run", "work", "s/web", "times=9", check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("parameter 'times' must be at most 3, not '9'", wrong.stderr)
        missing = self.box.run("tendctl", "policy", "run", "work", "s/web", check=False)
        self.assertIn("parameter 'times' is not given: how often", missing.stderr)
        # On a terminal it is a question.
        asked = self.box.run("sh", "-c", "echo 2 | script -qec 'tendctl policy run work s/web "
                             "--dry-run' /dev/null", check=False)
        self.assertIn("times (integer), how often:", asked.stdout)
        self.assertIn("has begun", asked.stdout)

    def test_three_mistakes(self):
        for _ in range(3):
            self.assertEqual(self.ended(self.begin("wrong", "s/web"))["state"], "failed")
        listed, = [one for one in self.ctl("policy", "list") if one["name"] == "wrong"]
        self.assertFalse(listed["enabled"])
        self.assertEqual(listed["strikes"]["n"], 3)
        refused = self.box.run("tendctl", "policy", "run", "wrong", "s/web", check=False)
        self.assertIn("three of its runs in a row", refused.stderr)
        self.box.run("tendctl", "policy", "enable", "wrong")
        self.assertEqual(self.ended(self.begin("wrong", "s/web"))["state"], "failed")


if __name__ == "__main__":
    unittest.main()
