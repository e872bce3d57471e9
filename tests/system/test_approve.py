# SPDX-License-Identifier: MIT
"""People's word, operators' hands and harm that is undone, with real users over the real socket and
real units of a real systemd. What was done is counted by the units themselves.
"""

import json
import unittest

import people
from tendbox import Box, receivers, tend, wait_for

STARTS = "/var/log/starts"
WIPED = "/var/log/wiped"
PEOPLE = ("ann", "bob", "eve")
# Their environment decides the mode: production approves, staging acts.
NAMES = {"asked": "production", "killed": "production", "late": "production",
         "denied": "production", "data": "production", "risen": "production",
         "login": "staging", "dpkg": "staging", "lamp": "staging", "race": "staging"}

UNIT = f"""[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'echo %i $INVOCATION_ID >> {STARTS}'
ExecStart=/bin/sh -c 'if test -e /run/slow-%i; then trap "" TERM; sleep 5; trap - TERM; fi; exec sleep infinity'
TimeoutStopSec=20
"""

# It puts out the lamp, unless it is told not to.
HARM = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'test -e /run/harmless || systemctl kill -s KILL crm@lamp; exec sleep infinity'
ExecStop=/bin/sh -c 'echo stopped >> /var/log/stops; if test -e /run/slow-stop; then sleep 5; fi'
"""

DAEMON = """[daemon]
mode.production = approve
mode.staging = auto
operators = ann, bob
viewers = @tend, eve
policy_dirs = /etc/tend/policies
budget_per_target = 100
budget_global = 1000
cooldown = 1s
approval_expires = {expires}
worse_within = 1m
{more}

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook

[route default]
receivers = ops

[policy restart-unit]
match_component = */asked, */killed, */late, */denied, */login, */dpkg
param.ok = 2

[system production]
environment = production
[system staging]
environment = staging

[component staging/switch]
unit = crm-harm.service
"""

POLICIES = """policy "wipe" {
	hand = true,
	run = function(ctx)
		local done, why, outcome = tend.command.run("wipe")
		return done and true or nil, why, outcome
	end,
}
policy "tidy" {
	hand = true,
	run = function(ctx)
		local done, why, outcome = tend.command.run("tidy")
		return done and true or nil, why, outcome
	end,
}
policy "switch-on" {
	hand = true,
	run = function(ctx)
		ctx:finally(function() tend.log("it is over") end)
		local done, why, outcome = tend.unit.start("crm-harm.service")
		if not done then
			return nil, why, outcome
		end
		tend.sleep("40s")
		return true
	end,
}
policy "again" {
	hand = true,
	run = function(ctx)
		local done, why, outcome = tend.unit.restart(ctx.component.unit)
		return done and true or nil, why, outcome
	end,
}
"""

MANIFEST = f"""[command wipe]
argv =
	/bin/sh
	-c
	echo wiped >> {WIPED}
user = root
risk = destroy
writable = /var/log

[command tidy]
argv = /bin/true
user = root

[unit crm-harm.service]
allow = start, stop
"""


def unit(name):
    return f"crm@{name}.service"


def component(name):
    return f"{NAMES[name]}/{name}"


def configuration(expires="10m", more=""):
    parts = [DAEMON.format(expires=expires, more=more)]
    for name in NAMES:
        depends = "depends = switch\n" if name == "lamp" else ""
        parts.append(f"[component {component(name)}]\nkind = web\nunit = {unit(name)}\n{depends}"
                     f"[check {component(name)}/unit]\nprobe = unit\nunit = {unit(name)}\n"
                     "interval = 1s\ntimeout = 500ms\nconfirm = 2 of 2\n")
    return "\n".join(parts)


def manifest():
    return MANIFEST + "".join(
        f"[unit {unit(name)}]\nallow = start, stop, restart\nmax_per_hour = 100\n"
        for name in NAMES)


class Approvals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("approve")
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        for name in PEOPLE:
            cls.box.run("useradd", "--create-home", name)
        cls.box.write("/etc/systemd/system/crm@.service", UNIT)
        cls.box.write("/etc/systemd/system/crm-harm.service", HARM)
        tend.install(cls.box, etc=None)
        cls.box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        cls.box.write("/etc/tend/tend.conf", configuration())
        cls.box.write("/etc/tend/commands.d/crm.conf", manifest())
        cls.box.write("/etc/tend/policies/people.lua", POLICIES)
        receivers.prepare(cls.box, tend.USER)
        receivers.start(cls.box, (receivers.SINK_UNIT,))
        cls.box.run("systemctl", "daemon-reload")
        for name in NAMES:
            cls.box.run("systemctl", "start", unit(name))
        tend.start(cls.box)
        wait_for(lambda: all(cls.state(name) == "ok" for name in NAMES), 20, "all to be well")

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    @classmethod
    def state(cls, name):
        found = cls.ctl("check", "show", f"{component(name)}/unit", check=False)
        return found["state"] if found else None

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def as_user(self, user, *words):
        """tendctl by that user; (exit status, answer or what it complained)."""
        done = self.box.run("tendctl", "-o", "json", *words, user=user, check=False)
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def starts(self, name):
        return sum(line.split()[0] == name for line in self.box.read(STARTS).splitlines())

    def kill(self, name):
        self.box.run("systemctl", "kill", "-s", "KILL", unit(name))

    def closed(self, name):
        return self.state(name) == "ok" and not any(
            one["component"] == component(name) and one["state"] == "open"
            for one in self.ctl("incident", "list"))

    def runs(self, name, policy=None):
        return [run for run in self.ctl("run", "list") if run["target"] == component(name)
                and (policy is None or run["policy"] == policy)]

    def over(self, name, policy=None):
        runs = self.runs(name, policy)
        return runs and all(run["state"] != "live" for run in runs) and runs

    def waiting(self, name):
        """The approval that waits for this component, once its run waits for it."""
        for one in self.ctl("approval", "list"):
            if one["target"] == component(name) and one["state"] == "waiting":
                return one
        return None

    def wanted(self, name):
        return wait_for(lambda: self.waiting(name), 30, "the request for approval")

    def notices(self, kind):
        return [entry["body"] for entry in receivers.sink_log(self.box)
                if entry["verified"] and entry["body"]["type"] == f"tend.{kind}"]

    def paged(self, name):
        where = name if "/" in name else component(name)
        return len({event["id"] for event in self.notices("policy.failed")
                    if event["data"].get("component") == where})

    def kill_tendd(self):
        before = self.box.main_pid(tend.UNIT)
        self.box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: self.box.main_pid(tend.UNIT) not in (0, before) and
                 self.ctl("status", check=False), 20, "tendd to be back")

    def configure(self, **how):
        self.box.write("/etc/tend/tend.conf", configuration(**how))
        self.ctl("reload")

    # ---- approved, or not

    def test_a_person_approves_over_the_socket(self):
        self.kill("asked")
        approval = self.wanted("asked")
        self.assertEqual((approval["needed"], approval["verb"]), (1, "unit.restart"))
        self.assertEqual(approval["args"],
                         {"unit": unit("asked"), "component": "production/asked"})
        told = wait_for(lambda: [event["data"]["text"] for event in self.notices("policy.message")
                                 if approval["id"] in event["data"]["text"]], 10, "the notice")
        self.assertEqual(len(told), 1)
        self.assertIn(f"tendctl approval grant {approval['id']}", told[0])
        self.assertIn("unit.restart {", told[0])
        self.assertIn(f'"unit":"{unit("asked")}"', told[0])
        # Who may not: a viewer, and the accounts that Tend itself runs as.
        for user in ("eve", "tend", "tend-probe"):
            code, said = self.as_user(user, "approval", "grant", approval["id"])
            self.assertEqual(code, 77, f"{user}: {said}")
        self.assertEqual(self.starts("asked"), 1)
        code, answer = self.as_user("ann", "approval", "grant", approval["id"], "-m", "go ahead")
        self.assertEqual((code, answer["id"]), (0, approval["id"]))
        wait_for(lambda: self.starts("asked") == 2 and self.closed("asked"), 30, "healing")
        run, = self.over("asked")
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        step = self.ctl("run", "show", run["id"])["steps"][0]
        self.assertEqual((step["verb"], step["approved_by"]), ("unit.restart", ["ann"]))
        # Played again, by him and by another: it is used up.
        for user in ("ann", "bob"):
            code, said = self.as_user(user, "approval", "grant", approval["id"])
            self.assertEqual(code, 1)
            self.assertIn("is used: it cannot be given again", said)
        shown = self.ctl("approval", "show", approval["id"])
        self.assertEqual((shown["state"], shown["votes"][0]["author"],
                          shown["votes"][0]["comment"]), ("used", "ann", "go ahead"))
        self.assertEqual(self.starts("asked"), 2)

    def test_tendd_dies_while_it_waits(self):
        self.kill("killed")
        approval = self.wanted("killed")
        self.kill_tendd()
        self.assertEqual(self.wanted("killed")["id"], approval["id"])
        self.assertEqual(self.starts("killed"), 1)
        wait_for(lambda: self.as_user("bob", "approval", "grant", approval["id"])[0] == 0, 20,
                 "the approval to be taken")
        wait_for(lambda: self.starts("killed") == 2 and self.closed("killed"), 40, "healing")
        run, = self.over("killed")
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        self.kill_tendd()
        self.assertEqual(self.ctl("approval", "show", approval["id"])["state"], "used")
        self.assertEqual(self.starts("killed"), 2)
        asked = [event for event in self.notices("policy.message")
                 if approval["id"] in event["data"]["text"]]
        self.assertEqual(len({event["id"] for event in asked}), 1)

    def test_nobody_in_time(self):
        self.configure(expires="2s", more="cooldown_stable = 1h")
        try:
            self.kill("late")
            approval = self.wanted("late")
            run = wait_for(lambda: self.over("late"), 20, "the end")[-1]
            self.assertEqual(run["state"], "refused")
            self.assertIn("nobody approved it within 2s", run["message"])
            self.assertEqual(self.ctl("approval", "show", approval["id"])["state"], "expired")
            code, said = self.as_user("ann", "approval", "grant", approval["id"])
            self.assertEqual(code, 1)
            self.assertIn("is expired", said)
            wait_for(lambda: self.paged("late") >= 1, 10, "the page")
            self.assertEqual(self.starts("late"), 1)
        finally:
            self.configure()
            self.box.run("systemctl", "start", unit("late"))
        wait_for(lambda: self.closed("late"), 20, "the end")

    def test_denied(self):
        self.kill("denied")
        approval = self.wanted("denied")
        self.configure(more="approvers = @bob")
        for words in (("grant",), ("deny", "-m", "no")):
            code, said = self.as_user("ann", "approval", words[0], approval["id"], *words[1:])
            self.assertEqual(code, 77)
            self.assertIn("none of those who may approve", said)
        self.configure()
        code, _ = self.as_user("ann", "approval", "deny", approval["id"])
        self.assertEqual(code, 64)
        self.as_user("ann", "approval", "deny", approval["id"], "-m", "I am looking at it")
        run = wait_for(lambda: self.over("denied"), 20, "the end")[-1]
        self.assertIn("ann has denied it: I am looking at it", run["message"])
        self.box.run("systemctl", "start", unit("denied"))
        wait_for(lambda: self.closed("denied"), 20, "the end")
        self.assertEqual(self.starts("denied"), 2)

    def test_two_people_destroy(self):
        code, _ = self.as_user("ann", "policy", "run", "wipe", component("data"))
        self.assertEqual(code, 0)
        approval = self.wanted("data")
        self.assertEqual((approval["needed"], approval["risk"]), (2, "destroy"))
        code, said = self.as_user("root", "approval", "grant", approval["id"])
        self.assertEqual(code, 77)
        self.assertIn("root is no person", said)
        code, answer = self.as_user("ann", "approval", "grant", approval["id"])
        self.assertEqual((code, answer["state"], answer["given"]), (0, "waiting", 1))
        code, said = self.as_user("ann", "approval", "grant", approval["id"])
        self.assertEqual(code, 1)
        self.assertIn("another person must", said)
        self.kill_tendd()
        self.assertEqual(self.wanted("data")["given"], 1)
        self.assertEqual(self.box.read(WIPED), "")
        wait_for(lambda: self.as_user("bob", "approval", "grant", approval["id"])[0] == 0, 20,
                 "the second one to be taken")
        run = wait_for(lambda: self.over("data"), 30, "the end")[0]
        self.assertEqual(run["state"], "done")
        self.assertEqual(self.box.read(WIPED), "wiped\n")
        step = self.ctl("run", "show", run["id"])["steps"][0]
        self.assertEqual(sorted(step["approved_by"]), ["ann", "bob"])

    def test_a_risk_that_has_risen(self):
        """The executor's manifest is changed while tendd runs: from then on people are asked."""
        path = "/etc/tend/commands.d/crm.conf"
        self.ctl("policy", "run", "tidy", component("risen"))
        run = wait_for(lambda: self.over("risen"), 30, "the end")[0]
        self.assertEqual(run["state"], "done")
        self.addCleanup(self.box.run, "systemctl", "reload", "tend-exec.service")
        self.addCleanup(self.box.write, path, manifest())
        self.box.write(path, manifest().replace("[command tidy]", "[command tidy]\nrisk = destroy"))
        self.box.run("systemctl", "reload", "tend-exec.service")
        self.ctl("policy", "run", "tidy", component("risen"))

        def came():
            return self.waiting("risen") or [run for run in self.runs("risen")
                                             if run["state"] == "refused"]

        # Right after the reload tendd may still believe the old one; then the executor refuses.
        if isinstance(wait_for(came, 30, "an approval or a refusal"), list):
            self.ctl("policy", "run", "tidy", component("risen"))
        approval = self.wanted("risen")
        self.assertEqual((approval["needed"], approval["risk"]), (2, "destroy"))
        code, _ = self.as_user("ann", "approval", "deny", approval["id"], "-m", "not today")
        self.assertEqual(code, 0)
        wait_for(lambda: self.over("risen"), 30, "the end")
        self.assertEqual(sum(run["state"] == "done" for run in self.runs("risen")), 1)

    # ---- harm

    def do_harm(self):
        """Begins the run; returns a function that gives it when it has ended."""
        before = [run["id"] for run in self.ctl("run", "list") if run["policy"] == "switch-on"]
        # It has run before, harmless, and ended by itself: then it may be started.
        self.box.write("/run/harmless", "")
        self.box.run("systemctl", "start", "crm-harm.service")
        self.box.run("systemctl", "kill", "-s", "KILL", "crm-harm.service")
        wait_for(lambda: not self.box.active("crm-harm.service"), 10, "its end")
        self.box.run("rm", "/run/harmless")
        self.box.write("/var/log/stops", "")
        self.pages_before = self.paged("staging/switch")
        self.ctl("policy", "run", "switch-on", "staging/switch")
        return lambda: [run for run in self.ctl("run", "list") if run["policy"] == "switch-on"
                        and run["state"] != "live" and run["id"] not in before]

    def check_undone(self, run):
        self.assertEqual(run["state"], "cancelled")
        self.assertIn("it made things worse: after unit.start crm-harm.service, staging/lamp fails",
                      run["message"])
        steps = {step["path"]: step for step in self.ctl("run", "show", run["id"])["steps"]}
        self.assertEqual((steps["u1"]["verb"], steps["u1"]["state"]), ("unit.stop", "done"))
        self.assertNotIn("u2", steps)
        self.assertFalse(self.box.active("crm-harm.service"))
        self.assertEqual(self.box.read("/var/log/stops"), "stopped\n")
        self.assertIn("f1.1", steps)
        wait_for(lambda: self.paged("staging/switch") > self.pages_before, 10, "the page")
        self.box.run("systemctl", "start", unit("lamp"))
        wait_for(lambda: self.closed("lamp"), 20, "the end")
        self.assertEqual(self.paged("staging/switch"), self.pages_before + 1)

    def test_harm_is_undone(self):
        ended = self.do_harm()
        self.check_undone(wait_for(ended, 40, "the end of the run")[0])

    def test_harm_is_undone_over_a_kill(self):
        """tendd dies while it takes back what was done: that goes on, is done and told once."""
        self.box.write("/run/slow-stop", "")
        self.addCleanup(self.box.run, "rm", "-f", "/run/slow-stop")
        ended = self.do_harm()
        wait_for(lambda: self.box.read("/var/log/stops"), 40, "the undoing")
        self.kill_tendd()
        self.kill_tendd()
        self.check_undone(wait_for(ended, 40, "the end of the run")[0])

    # ---- operators

    def test_a_login_holds_actions(self):
        self.configure(more="hold_on_login = eve")
        with people.logged_in(self.box, "eve"):
            self.kill("login")
            run = wait_for(lambda: self.over("login"), 20, "the refusal")[-1]
            self.assertIn("hands off: eve is logged in (hold_on_login)", run["message"])
            self.assertEqual(self.starts("login"), 1)
        wait_for(lambda: self.starts("login") == 2 and self.closed("login"), 90, "healing")
        self.configure()

    def test_packages_hold_actions(self):
        with people.installing(self.box):
            self.kill("dpkg")
            run = wait_for(lambda: self.over("dpkg"), 20, "the refusal")[-1]
            self.assertIn(f"hands off: packages are being installed: {people.LOCK} is locked",
                          run["message"])
            self.assertEqual(self.starts("dpkg"), 1)
        wait_for(lambda: self.starts("dpkg") == 2 and self.closed("dpkg"), 90, "healing")

    def test_an_operator_stops_what_tend_restarts(self):
        """His stop job comes between Tend's request and its end, and is his all the same."""
        self.box.write("/run/slow-race", "")
        self.box.run("systemctl", "restart", unit("race"))
        wait_for(lambda: self.state("race") == "ok", 20, "it to be well")
        self.ctl("policy", "run", "again", component("race"))
        wait_for(lambda: self.box.show(unit("race"), "ActiveState")["ActiveState"] ==
                 "deactivating", 20, "Tend's restart", interval=0.02)
        self.box.run("systemctl", "stop", unit("race"), timeout=60)
        wait_for(lambda: self.over("race", "again"), 40, "the run's end")
        n = self.starts("race")
        self.ctl("policy", "run", "again", component("race"))
        run = wait_for(lambda: len(self.over("race", "again") or ()) == 2 and
                       self.over("race", "again"), 40, "the second run")[0]
        self.assertEqual(run["state"], "refused")
        self.assertIn("hands off", run["message"])
        self.assertEqual(self.starts("race"), n)


if __name__ == "__main__":
    unittest.main()
