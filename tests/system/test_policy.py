# SPDX-License-Identifier: MIT
"""tendd, tend-run and tend-exec heal real units of a real systemd, once each, or leave them alone.

Each unit tells its own starts, so that what was done is counted by the target.
"""

import unittest

from tendbox import Box, receivers, tend, wait_for

STARTS = "/var/log/starts"
NAMES = ("killed", "stopped", "suggested", "observed", "paused", "failing", "slow", "napping", "wrong")
# The environment decides the mode: what a policy does by itself is said for staging only.
MODES = {"suggested": "production", "observed": "pilot"}

UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'echo %i $INVOCATION_ID >> {STARTS}'
ExecStartPre=/bin/sh -c 'test ! -e /run/fail-%i'
ExecStartPre=/bin/sh -c 'if test -e /run/slow-%i; then sleep 3; fi'
ExecStart=/bin/sleep infinity
"""

DAEMON = """[daemon]
mode.production = suggest
mode.pilot = observe
mode.staging = auto
policy_dirs = /etc/tend/policies

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook

[route default]
receivers = ops

[policy restart-unit]
match_component = */killed, */stopped, */suggested, */observed, */paused, */slow
param.ok = 2
"""

# Long enough to be found asleep by a few calls of tendctl, which take a second each on a busy machine.
NAP = """policy "nap" {
	on = { incident = { component = "*/napping" } },
	run = function(ctx)
		tend.sleep("8s")
		local done, why, outcome = tend.unit.restart(ctx.component.unit)
		if not done then
			return nil, why, outcome
		end
		tend.sleep("8s")
		return tend.verify(ctx.check, { ok = 2, within = "60s" })
	end,
}
"""

BY_HAND = """policy "try" {
	hand = true,
	run = function(ctx)
		local done, why, outcome = tend.unit.restart(ctx.component.unit)
		return done, why, outcome
	end,
}
policy "wrong" {
	hand = true,
	run = function(ctx)
		tend.unit.restart{ units = ctx.component.unit }
	end,
}
"""

BROKEN = """policy "broken" {
	hand = true,
	run = function(ctx
	end,
}
"""


def unit(name):
    return f"crm@{name}.service"


def configuration():
    parts = [DAEMON]
    parts += [f"[system {name}]\nenvironment = {name}\n" for name in
              ("production", "pilot", "staging")]
    for name in NAMES:
        component = f"{MODES.get(name, 'staging')}/{name}"
        parts.append(f"[component {component}]\nkind = web\nunit = {unit(name)}\n"
                     f"[check {component}/unit]\nprobe = unit\nunit = {unit(name)}\n"
                     "interval = 1s\ntimeout = 500ms\nconfirm = 2 of 2\n")
    return "\n".join(parts)


def manifest():
    return "".join(f"[unit {unit(name)}]\nallow = start, stop, restart\nmax_per_hour = 100\n"
                   for name in NAMES)


class Healing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("policy")
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        cls.box.write("/etc/systemd/system/crm@.service", UNIT)
        tend.install(cls.box, etc=None)
        cls.box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        cls.box.write("/etc/tend/tend.conf", configuration())
        cls.box.write("/etc/tend/commands.d/crm.conf", manifest())
        for name, text in (("nap", NAP), ("by-hand", BY_HAND), ("broken", BROKEN)):
            cls.box.write(f"/etc/tend/policies/{name}.lua", text)
        receivers.prepare(cls.box, tend.USER)
        receivers.start(cls.box, (receivers.SINK_UNIT,))
        cls.box.run("systemctl", "daemon-reload")
        for name in NAMES:
            cls.box.run("systemctl", "start", unit(name))
        tend.start(cls.box)
        wait_for(lambda: all(cls.state(name) == "ok" for name in NAMES), 60, "all to be well")

    @classmethod
    def component(cls, name):
        return f"{MODES.get(name, 'staging')}/{name}"

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    @classmethod
    def state(cls, name):
        found = cls.ctl("check", "show", f"{cls.component(name)}/unit", check=False)
        return found["state"] if found else None

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def starts(self, name):
        return sum(line.split()[0] == name for line in self.box.read(STARTS).splitlines())

    def kill(self, name):
        self.box.run("systemctl", "kill", "-s", "KILL", unit(name))

    def incident(self, name):
        for one in self.ctl("incident", "list"):
            if one["component"] == self.component(name) and one["state"] == "open":
                return self.ctl("incident", "show", one["id"])
        return None

    def closed(self, name):
        return self.state(name) == "ok" and not self.incident(name)

    def explained(self, name, part):
        told = self.ctl("explain", f"{self.component(name)}/unit")
        return part in str(told)

    def runs(self, name, policy=None):
        return [run for run in self.ctl("run", "list") if run["target"] == self.component(name)
                and (policy is None or run["policy"] == policy)]

    def over(self, name, n, policy=None):
        runs = self.runs(name, policy)
        return len(runs) == n and all(run["state"] != "live" for run in runs) and runs

    def told(self, name, kind):
        events = [entry["body"] for entry in receivers.sink_log(self.box) if entry["verified"]]
        return len({event["id"] for event in events if event["type"] == f"tend.{kind}"
                    and event["data"].get("component") == self.component(name)})

    def kill_tendd(self):
        before = self.box.main_pid(tend.UNIT)
        self.box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: self.box.main_pid(tend.UNIT) not in (0, before) and
                 self.ctl("status", check=False), 60, "tendd to be back")

    # ---- healed, or not

    def test_a_killed_unit_is_restarted_once(self):
        self.kill("killed")
        wait_for(lambda: self.starts("killed") == 2 and self.closed("killed"), 30, "healing")
        run, = wait_for(lambda: self.over("killed", 1), 10, "the run to be over")
        self.assertEqual((run["policy"], run["state"], run["verified"]),
                         ("restart-unit", "done", True))
        wait_for(lambda: self.told("killed", "incident.cleared") == 1, 10, "the clear")
        self.assertEqual(self.told("killed", "incident.raised"), 1)
        self.assertEqual(self.told("killed", "policy.failed"), 0)
        self.assertEqual(self.starts("killed"), 2)

    def test_what_an_operator_stopped_is_left_alone(self):
        self.box.run("systemctl", "stop", unit("stopped"))
        wait_for(lambda: self.incident("stopped"), 20, "the incident")
        self.assertEqual(self.incident("stopped")["reason"], "unit-stopped")
        wait_for(lambda: self.explained("stopped", "an operator has stopped it"), 10, "the reason")
        # By hand neither: the gate before the deed reads the job, too.
        self.ctl("policy", "run", "try", self.component("stopped"))
        run, = wait_for(lambda: self.over("stopped", 1, "try"), 20, "the run by hand")
        self.assertEqual(run["state"], "refused")
        self.assertIn("hands off", run["message"])
        self.assertEqual(self.starts("stopped"), 1)
        self.box.run("systemctl", "start", unit("stopped"))
        wait_for(lambda: self.closed("stopped"), 20, "the end")
        self.assertEqual(self.runs("stopped", "restart-unit"), [])
        self.assertEqual(self.told("stopped", "incident.raised"), 1)

    def test_suggested(self):
        self.kill("suggested")
        wait_for(lambda: self.incident("suggested"), 20, "the incident")
        noted = [entry for entry in self.incident("suggested")["timeline"]
                 if entry["kind"] == "suggested"]
        self.assertEqual([entry["text"] for entry in noted],
                         ["tendctl policy run restart-unit production/suggested"])
        self.assertEqual((self.starts("suggested"), self.runs("suggested")), (1, []))
        self.ctl("policy", "run", "restart-unit", "production/suggested")
        wait_for(lambda: self.closed("suggested"), 30, "healing by hand")
        run, = wait_for(lambda: self.over("suggested", 1), 10, "the run to be over")
        self.assertEqual((run["state"], run["author"]), ("done", "root"))
        self.assertEqual(self.starts("suggested"), 2)

    def test_observed(self):
        self.kill("observed")
        wait_for(lambda: self.incident("observed"), 20, "the incident")
        self.assertTrue(self.explained("observed", "mode is observe: it would run now"))
        self.assertEqual((self.starts("observed"), self.runs("observed")), (1, []))
        self.box.run("systemctl", "start", unit("observed"))
        wait_for(lambda: self.closed("observed"), 20, "the end")

    def test_paused_and_resumed(self):
        self.ctl("action", "pause", "-m", "a test")
        try:
            self.kill("paused")
            wait_for(lambda: self.incident("paused"), 20, "the incident")
            self.assertTrue(self.explained("paused", "actions are off: paused by root: a test"))
            self.assertEqual((self.starts("paused"), self.runs("paused")), (1, []))
            self.kill_tendd()
            self.assertFalse(self.ctl("status", check=False)["actions"]["enabled"])
        finally:
            self.ctl("action", "resume")
        wait_for(lambda: self.closed("paused"), 30, "healing")
        self.assertEqual((self.starts("paused"), len(self.runs("paused"))), (2, 1))

    # ---- what is wrong is said

    def test_a_broken_file_is_shown_and_the_others_run(self):
        listed = {one["name"]: one for one in self.ctl("policy", "list")}
        self.assertRegex(listed["broken.lua"]["error"], r"^broken\.lua:4: ")
        for name in ("restart-unit", "nap", "try", "wrong"):
            self.assertNotIn("error", listed[name])

    def test_wrong_arguments_are_named_before_anything_happens(self):
        self.ctl("policy", "run", "wrong", self.component("wrong"))
        run, = wait_for(lambda: self.over("wrong", 1), 20, "the run")
        self.assertEqual(run["state"], "failed")
        self.assertEqual(run["message"], "by-hand.lua:11: tend.unit.restart takes no argument "
                         "'units', did you mean 'unit'?")
        self.assertEqual(self.starts("wrong"), 1)

    def test_what_never_helps_is_stopped_and_paged(self):
        self.box.write("/run/fail-failing", "")
        self.kill("failing")
        wait_for(lambda: self.incident("failing"), 20, "the incident")
        for n in (1, 2, 3):
            self.ctl("policy", "run", "try", self.component("failing"))
            run = wait_for(lambda n=n: self.over("failing", n), 30, "the run")[0]
            self.assertEqual(run["state"], "failed")
        self.assertEqual(self.starts("failing"), 4)
        self.ctl("policy", "run", "try", self.component("failing"))
        run = wait_for(lambda: self.over("failing", 4), 30, "the run that is refused")[0]
        self.assertEqual(run["state"], "refused")
        self.assertIn("the breaker of staging/failing is open after 3 runs", run["message"])
        self.assertEqual(self.starts("failing"), 4)
        wait_for(lambda: self.told("failing", "policy.failed") == 4, 10, "the pages")
        breaker, = [one for one in self.ctl("status", check=False)["actions"]["breakers"]
                    if one["target"] == "staging/failing"]
        self.assertEqual(breaker["state"], "open")

    # ---- what dies

    def test_killed_in_the_middle_of_a_restart(self):
        self.box.write("/run/slow-slow", "")
        self.kill("slow")
        wait_for(lambda: self.starts("slow") == 2, 60, "the restart", interval=0.01)
        self.kill_tendd()
        wait_for(lambda: self.over("slow", 1), 90, "the run")
        run, = self.runs("slow")
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        wait_for(lambda: self.closed("slow"), 60, "the end")
        self.assertEqual(self.starts("slow"), 2)
        wait_for(lambda: self.told("slow", "incident.cleared") == 1, 60, "the clear")
        self.assertEqual(self.told("slow", "incident.raised"), 1)

    def test_killed_in_the_middle_of_a_sleep(self):
        self.kill("napping")

        def asleep(path):
            runs = self.runs("napping")
            steps = self.ctl("run", "show", runs[0]["id"])["steps"] if runs else []
            return any(step["path"] == path and step["state"] == "intent" for step in steps)

        wait_for(lambda: asleep("1"), 60, "the first sleep", interval=0.05)
        self.kill_tendd()
        wait_for(lambda: asleep("3"), 60, "the second sleep", interval=0.05)
        self.assertEqual(self.starts("napping"), 2)
        self.kill_tendd()
        wait_for(lambda: self.over("napping", 1), 90, "the run")
        run, = self.runs("napping")
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        wait_for(lambda: self.closed("napping"), 60, "the end")
        self.assertEqual(self.starts("napping"), 2)


if __name__ == "__main__":
    unittest.main()
