# SPDX-License-Identifier: MIT
"""The real CRM, healed by the shipped policies: its database dies and is started, a session that
blocks everybody is ended, the web server is restarted; once each, by the right policy."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/demo"))

import playground  # noqa: E402
from breaking import Breaker  # noqa: E402
from judge import PG_UNIT, WEB_UNIT  # noqa: E402
from tendbox import crm, tend, wait_for  # noqa: E402
from tendbox.site import Site  # noqa: E402


class Crm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("crmpolicies", witness=False)
        cls.site.__enter__()
        cls.addClassCleanup(cls.site.__exit__, None, None, None)
        cls.box = cls.site.box
        playground.wait_until_well(cls.box)

    def setUp(self):
        self.breaker = Breaker(self.box)
        self.addCleanup(self.breaker.unlock)
        self.before = {run["id"] for run in tend.ctl(self.box, "run", "list")}

    def heal(self, kind):
        """Breaks it; returns the runs that came of it, when the CRM lets people in again."""
        self.breaker.begin(kind)
        wait_for(lambda: [run for run in self.fresh() if run["state"] != "live"], 60, "a run")
        playground.wait_until_well(self.box)
        self.assertTrue(crm.can_login(self.box))
        wait_for(lambda: all(run["state"] != "live" for run in self.fresh()), 60, "all runs to end")
        wait_for(lambda: not tend.ctl(self.box, "incident", "list", "--open"), 60, "no incident")
        return self.fresh()

    def fresh(self):
        return [run for run in tend.ctl(self.box, "run", "list") if run["id"] not in self.before]

    def steps(self, run, verb):
        shown = tend.ctl(self.box, "run", "show", run["id"])
        return [step for step in shown["steps"] if step["verb"] == verb]

    def test_a_database_that_died_is_started(self):
        before = self.box.show(PG_UNIT, "InvocationID")
        run, = [one for one in self.heal("crash") if one["policy"] == "start-database"]
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        step, = self.steps(run, "unit.start")
        self.assertEqual((step["args"]["unit"], step["state"]), (PG_UNIT, "done"))
        self.assertNotEqual(self.box.show(PG_UNIT, "InvocationID"), before)

    def test_a_session_that_blocks_is_ended(self):
        web = self.box.main_pid(WEB_UNIT)
        run, = [one for one in self.heal("lock") if one["policy"] == "end-blocker"]
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        step, = self.steps(run, "sql.terminate_backend")
        self.assertEqual(step["state"], "done")
        # Its session alone: nothing was restarted.
        self.assertEqual(self.box.main_pid(WEB_UNIT), web)

    def test_a_web_server_that_hangs_is_restarted(self):
        web = self.box.main_pid(WEB_UNIT)
        run, = self.heal("freeze")
        self.assertEqual((run["policy"], run["state"], run["verified"]),
                         ("restart-unit", "done", True))
        self.assertNotEqual(self.box.main_pid(WEB_UNIT), web)


if __name__ == "__main__":
    unittest.main()
