# SPDX-License-Identifier: MIT
"""The policy patch on a real dpkg and apt: a good version goes in, a breaking one goes back.

What was installed is read in dpkg's own log; what runs is asked of the service.
"""

import unittest

import maintenance
from tendbox import Box, receivers, tend, wait_for

COMPONENT, DEPENDANT = maintenance.APP_COMPONENT, maintenance.WEB_COMPONENT
CHECKS = (f"{COMPONENT}/http", f"{COMPONENT}/unit", f"{DEPENDANT}/page")

CONFIGURATION = f"""[daemon]
mode.staging = auto
budget_per_target = 1000
budget_global = 1000
policy_dirs = /etc/tend/policies

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook

[route default]
receivers = ops

[system crm]
environment = staging

[component crm/database]
kind = database
{maintenance.SERVICES}
[policy patch]
budget = 1000
param.soak = 5s
param.pace = 1s
"""

WINDOW = """
[window night]
cron = * * * * *
duration = 3h
actions = allow
"""

# A proof as the policy backup would have left it, this long ago.
PROOF = """policy "proof" {
	hand = true,
	params = { age = "duration" },
	run = function(ctx)
		local at = tend.now().unix - ctx.params.age
		return tend.record.put { kind = "backup", key = "20260101-020000F", value = {
			label = "20260101-020000F", kind = "full", chain = {}, members = {}, at = at,
			verified_at = at, proven_at = at,
		} }
	end,
}
"""


class Patch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("patch")
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        tend.install(cls.box, etc=None)
        cls.box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        cls.configure("")
        cls.box.write("/etc/tend/policies/proof.lua", PROOF)
        maintenance.prepare_patch(cls.box)
        receivers.prepare(cls.box, tend.USER)
        receivers.start(cls.box, (receivers.SINK_UNIT,))
        tend.start(cls.box)
        wait_for(cls.well, 20, "the service to be well")

    @classmethod
    def configure(cls, more, soak="5s"):
        cls.box.write("/etc/tend/tend.conf",
                      CONFIGURATION.replace("soak = 5s", f"soak = {soak}") + more)

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    @classmethod
    def well(cls):
        checks = [cls.ctl("check", "show", name, check=False) for name in CHECKS]
        return all(one and one["state"] == "ok" for one in checks)

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def run_policy(self, name, target, *params, meanwhile=None):
        before = {run["id"] for run in self.ctl("run", "list")}
        self.ctl("policy", "run", name, target, *params)
        if meanwhile:
            meanwhile()

        def ended():
            runs = [run for run in self.ctl("run", "list", check=False) or ()
                    if run["id"] not in before and run["policy"] == name]
            return runs and runs[0]["ended"] and runs[0]
        return wait_for(ended, 120, "the run", interval=0.2)

    def patch(self, **options):
        return self.run_policy("patch", COMPONENT, **options)

    def says(self):
        return self.box.out("curl", "-s", f"http://127.0.0.1:{maintenance.PORT}/", check=False)

    def events(self, kind):
        bodies = {entry["id"]: entry["body"] for entry in receivers.sink_log(self.box)
                  if entry["verified"]}
        return [body for body in bodies.values() if body["type"] == f"tend.{kind}"]

    def told(self, part):
        """The notices with these words, once each."""
        return {entry["id"] for entry in receivers.sink_log(self.box)
                if entry["verified"] and part in str(entry["body"]["data"].get("text"))}

    def kill_tendd_in(self, policy, command):
        """kill -9 while the newest run of the policy waits for this command."""
        def waits():
            run = next(run for run in self.ctl("run", "list") if run["policy"] == policy)
            return any(step["state"] == "intent" and step["args"].get("command") == command
                       for step in self.ctl("run", "show", run["id"])["steps"])
        wait_for(waits, 60, command, interval=0.01)
        pid = self.box.main_pid(tend.UNIT)
        self.box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: self.box.main_pid(tend.UNIT) not in (0, pid) and
                 self.ctl("status", check=False), 20, "tendd to be back")

    # The story of one machine; each test is one, in order.

    def test_1_nothing_to_do(self):
        run = self.patch()
        self.assertEqual(run["state"], "done", run)
        self.assertEqual(maintenance.installs(self.box), ["1.0"])

    def test_2_gates(self):
        maintenance.publish(self.box, "2.0")
        run = self.patch()
        self.assertEqual(run["state"], "refused", run)
        self.assertIn("no backup of crm/database is proven", run["message"])
        self.run_policy("proof", "crm/database", "age=25h")
        run = self.patch()
        self.assertIn("25 h old", run["message"])
        self.run_policy("proof", "crm/database", "age=1h")
        run = self.patch()
        self.assertEqual(run["state"], "refused", run)
        self.assertIn("no window is open", run["message"])
        self.configure(WINDOW)
        self.ctl("reload")
        self.box.run("systemctl", "stop", maintenance.SERVICE)
        run = self.patch()
        self.assertEqual(run["state"], "refused", run)
        self.assertIn("is not well before", run["message"])
        self.box.run("systemctl", "start", maintenance.SERVICE)
        wait_for(self.well, 20, "the service to be well")
        self.assertEqual(maintenance.installs(self.box), ["1.0"])

    def test_3_a_good_version_is_installed_once_whoever_dies(self):
        run = self.patch(meanwhile=lambda: self.kill_tendd_in("patch", "patch-apply"))
        self.assertEqual((run["state"], run["verified"]), ("done", True), run)
        self.assertEqual(maintenance.installs(self.box), ["1.0", "2.0"])
        self.assertEqual(self.says(), "version 2.0")
        wait_for(lambda: len(self.told("will install crmdemo 1.0 -> 2.0")) == 1 and
                 len(self.told("installed crmdemo 1.0 -> 2.0")) == 1, 20, "the notices")

    def test_4_a_breaking_version_goes_back_by_itself(self):
        raised = len(self.events("incident.raised"))
        maintenance.publish(self.box, "3.0", status=500)
        run = self.patch()
        self.assertEqual(run["state"], "failed", run)
        self.assertIn("back to the versions of before: crm/app/http", run["message"])
        self.assertEqual(maintenance.installs(self.box), ["1.0", "2.0", "3.0", "2.0"])
        self.assertEqual((maintenance.version(self.box), self.says()), ("2.0", "version 2.0"))
        wait_for(lambda: len(self.events("incident.cleared")) == raised + 1, 20, "the clear")
        self.assertEqual(len(self.events("incident.raised")), raised + 1)
        self.assertEqual(len(self.told("was rolled back to the versions of before")), 1)

    def test_5_what_was_rolled_back_is_not_tried_again(self):
        run = self.patch()
        self.assertEqual(run["state"], "refused", run)
        self.assertIn("held back by crmdemo 3.0, which was rolled back here before",
                      run["message"])
        self.assertEqual(maintenance.installs(self.box)[-1], "2.0")
        # Nor with another beside it, until an administrator has taken the record back.
        maintenance.publish(self.box, "1.1", package=maintenance.SECOND)
        run = self.patch()
        self.assertEqual(run["state"], "refused", run)
        self.assertIn(f"{maintenance.SECOND} 1.0 -> 1.1", run["message"])
        self.assertIn("held back by crmdemo 3.0, which was rolled back here before",
                      run["message"])
        note, = self.ctl("record", "list", "note", COMPONENT)
        self.assertIn(f"tendctl record remove note {COMPONENT} \"{note['key']}\"",
                      run["message"])
        self.ctl("record", "remove", "note", COMPONENT, note["key"], "-m", "not to blame")
        self.assertEqual(self.ctl("record", "list", "note", COMPONENT), [])
        run = self.patch()
        self.assertEqual(run["state"], "failed", run)
        self.assertEqual(maintenance.installs(self.box)[-2:], ["3.0", "2.0"])
        self.assertEqual(maintenance.installs(self.box, maintenance.SECOND),
                         ["1.0", "1.1", "1.0"])
        wait_for(self.well, 20, "the service to be well")
        # With one of the two in another version it is tried.
        maintenance.publish(self.box, "3.1")
        run = self.patch()
        self.assertEqual(run["state"], "done", run)
        self.assertEqual((maintenance.installs(self.box)[-1], self.says()), ("3.1", "version 3.1"))

    def goes_back_once(self, version, component, why):
        """The run has put 3.1 back, with one incident of its cause, and one clear."""
        wait_for(self.well, 20, "all to be well")
        self.assertEqual(maintenance.installs(self.box)[-2:], [version, "3.1"])
        self.assertEqual(self.says(), "version 3.1")
        wait_for(lambda: len(self.events("incident.cleared")) == self.cleared + 1, 20, "the clear")
        raised = self.events("incident.raised")[self.raised:]
        self.assertEqual([body["data"]["component"] for body in raised], [component])
        wait_for(lambda: self.told(f"crmdemo 3.1 -> {version} was rolled back"), 20, "the notice")
        self.assertEqual(len(self.told(f"crmdemo 3.1 -> {version} was rolled back")), 1)
        self.assertTrue(any(why in str(entry["body"]["data"].get("text"))
                            for entry in receivers.sink_log(self.box)), why)

    def count_incidents(self):
        self.raised = len(self.events("incident.raised"))
        self.cleared = len(self.events("incident.cleared"))

    def test_6_one_that_breaks_what_depends_on_it_goes_back_by_itself(self):
        self.count_incidents()
        maintenance.publish(self.box, "4.0", api=500)
        run = self.patch()
        self.assertEqual(run["state"], "cancelled", run)
        self.assertIn("made things worse", run["message"])
        self.goes_back_once("4.0", DEPENDANT, "it is well again: cancelled: it made things worse")

    def test_7_a_cancelled_run_goes_back(self):
        self.count_incidents()
        maintenance.publish(self.box, "5.0")
        self.configure(WINDOW, soak="10m")
        self.ctl("reload")

        def cancel():
            wait_for(lambda: self.says() == "version 5.0", 60, "the new version to run")
            for name in CHECKS:
                self.ctl("check", "run", name)
            live = next(run for run in self.ctl("run", "list") if not run["ended"])
            self.ctl("run", "cancel", live["id"])
        run = self.patch(meanwhile=cancel)
        self.assertEqual(run["state"], "cancelled", run)
        self.assertEqual(maintenance.installs(self.box)[-2:], ["5.0", "3.1"])
        self.assertEqual(self.says(), "version 3.1")
        # On a busy machine a restart may take longer than two looks: that is told, and its end, too.
        wait_for(lambda: len(self.events("incident.raised")) - self.raised ==
                 len(self.events("incident.cleared")) - self.cleared and self.well(), 20,
                 "nothing to be open")


if __name__ == "__main__":
    unittest.main(failfast=True)
