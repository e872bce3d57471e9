# SPDX-License-Identifier: MIT
"""tendd on one host heals what runs on another, by ssh: once each, also when the link is cut in the
midst of it; and the key that it does so with is good for nothing else."""

import time
import unittest

import hostnet
import people
from tendbox import Box, BoxError, receivers, tend, wait_for

STARTS = "/var/log/starts"
SLOW = "/var/log/slow"

APP = f"""[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'echo $INVOCATION_ID >> {STARTS}'
ExecStart=/usr/bin/python3 -m http.server 8080 --bind 10.98.1.2 --directory /var/empty
"""

CONF = f"""[daemon]
mode.staging = auto
policy_dirs = /etc/tend/policies
budget_per_target = 100
cooldown = 0
hold_on_login = eve

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook
[route default]
receivers = ops

{hostnet.host_section("b", 1)}
[system crm]
environment = staging
[component crm/app]
kind = web
unit = app.service
host = b
[check crm/app/http]
probe = http
url = http://10.98.1.2:8080/
interval = 1s
timeout = 900ms
confirm = 2 of 2
[policy restart-unit]
param.ok = 2
"""

MANIFEST = f"""[unit app.service]
allow = start, stop, restart
max_per_hour = 100
[command slow]
argv =
	/bin/sh
	-c
	echo begun >> {SLOW}; echo half-way; sleep 20; echo ended >> {SLOW}; echo all of it
user = root
max_per_hour = 100
writable = /var/log
"""

BY_HAND = """policy "again" {
	hand = true,
	run = function(ctx)
		return tend.unit.restart(ctx.component.unit)
	end,
}
policy "memory" {
	hand = true,
	run = function(ctx)
		return tend.unit.show(ctx.component.unit)
	end,
}
policy "slow" {
	hand = true,
	run = function(ctx)
		return tend.command.run("slow")
	end,
}
"""


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.a, cls.b = cls.box("hosta"), cls.box("hostb")
        hostnet.link(cls.a, cls.b, 1)
        for box in (cls.a, cls.b):
            box.run("mkdir", "-p", "/var/empty")
            tend.install(box, etc=None)
            box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        cls.b.run("useradd", "--create-home", "eve")
        cls.b.write("/usr/lib/systemd/system/app.service", APP)
        cls.b.write("/etc/tend/commands.d/crm.conf", MANIFEST)
        cls.b.run("systemctl", "daemon-reload")
        cls.b.run("systemctl", "start", "app.service")
        hostnet.serve_ssh(cls.b, [hostnet.make_key(cls.a)])
        hostnet.trust(cls.a, cls.b, 1)
        cls.a.write("/etc/tend/tend.conf", CONF)
        cls.a.write("/etc/tend/policies/by-hand.lua", BY_HAND)
        receivers.prepare(cls.a, tend.USER)
        receivers.start(cls.a, (receivers.SINK_UNIT,))
        tend.start(cls.a)
        wait_for(lambda: cls.state() == "ok" and cls.connected(), 30, "the other host's app")

    @classmethod
    def box(cls, name):
        box = Box(name)
        box.__enter__()
        cls.addClassCleanup(box.__exit__, None, None, None)
        return box

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.a, *words, **options)

    @classmethod
    def state(cls):
        found = cls.ctl("check", "show", "crm/app/http", check=False)
        return found["state"] if found else None

    @classmethod
    def said(cls, text, since=0):
        return [entry for entry in cls.a.journal("-u", tend.UNIT, since=since)
                if text in str(entry.get("MESSAGE"))]

    @classmethod
    def connected(cls, since=0):
        return cls.said("tend-exec at tend-remote@10.98.1.2: connected", since)

    def tearDown(self):
        for box in (self.a, self.b):
            self.assertEqual(tend.complaints(box), [])

    def starts(self):
        return self.b.read(STARTS).split()

    def kill(self):
        self.b.run("systemctl", "kill", "-s", "KILL", "app.service")

    def well(self):
        return self.state() == "ok" and not [
            one for one in self.ctl("incident", "list") if one["state"] == "open"]

    def run_by_hand(self, policy):
        """The run's id."""
        before = {run["id"] for run in self.ctl("run", "list")}
        self.ctl("policy", "run", policy, "crm/app")
        return wait_for(lambda: {run["id"] for run in self.ctl("run", "list")} - before, 10,
                        "the run").pop()

    def over(self, run):
        found = self.ctl("run", "show", run)
        return found if found["state"] != "live" else None

    # ---- healing

    def test_healed_there(self):
        before = self.starts()
        self.kill()
        wait_for(lambda: len(self.starts()) == len(before) + 1 and self.well(), 40, "healing")
        run = [run for run in self.ctl("run", "list") if run["policy"] == "restart-unit"][0]
        self.assertEqual((run["state"], run["verified"]), ("done", True))
        steps = [step for step in self.ctl("run", "show", run["id"])["steps"]
                 if step["verb"].startswith("unit.")]
        value = steps[0]["value"]
        self.assertEqual(value["before"]["invocation_id"] in (before[-1], ""), True)
        self.assertEqual(value["after"]["invocation_id"], self.starts()[-1])
        self.assertEqual(value["after"]["state"], "active")
        # The other host's ledger has it, and its log says who asked.
        self.assertTrue([entry for entry in self.b.journal("-u", tend.EXEC_UNIT)
                         if "accepted from pid" in str(entry.get("MESSAGE"))
                         and run["id"] in str(entry.get("MESSAGE"))])

    def test_what_an_operator_stopped_there_is_left_alone(self):
        n = len(self.starts())
        self.b.run("systemctl", "stop", "app.service")
        wait_for(lambda: not self.well(), 20, "the incident")
        run = wait_for(lambda: self.over(self.run_by_hand("again")), 30, "the run by hand")
        self.assertEqual(run["state"], "refused")
        self.assertIn("hands off", str(run))
        self.assertEqual(len(self.starts()), n)
        self.b.run("systemctl", "start", "app.service")
        wait_for(self.well, 30, "the end")
        self.assertEqual(len(self.starts()), n + 1)

    # ---- people there

    def refused(self, policy="again"):
        """The refusal of a run by hand; nothing of it was begun."""
        n = len(self.starts())
        run = self.run_by_hand(policy)
        ended = wait_for(lambda: self.over(run), 30, "the run by hand")
        self.assertEqual(ended["state"], "refused", ended)
        self.assertEqual(len(self.starts()), n)
        return ended["message"]

    def goes_through(self):
        n = len(self.starts())
        run = self.run_by_hand("again")
        self.assertEqual(wait_for(lambda: self.over(run), 30, "the run")["state"], "done")
        self.assertEqual(len(self.starts()), n + 1)
        wait_for(self.well, 30, "the app to be well")

    def test_packages_that_are_installed_there_hold_actions_there(self):
        self.b.run("rm", "-f", SLOW)
        with people.installing(self.b):
            held = f"hands off: packages are being installed: {people.LOCK} is locked"
            self.assertIn(held, self.refused())
            self.assertIn(held, self.refused("slow"))
            self.assertEqual(self.b.read(SLOW), "")
            # What Tend would do by itself waits as well, and is done when they have gone.
            n = len(self.starts())
            self.kill()
            wait_for(lambda: [run for run in self.ctl("run", "list")
                              if run["policy"] == "restart-unit" and run["state"] == "refused" and
                              held in run["message"]], 30, "the refusal")
            self.assertEqual(len(self.starts()), n)
        wait_for(lambda: len(self.starts()) == n + 1 and self.well(), 90, "healing")
        with people.installing(self.a):
            self.goes_through()

    def test_a_login_there_holds_actions_there(self):
        with people.logged_in(self.b, "eve"):
            self.assertIn("hands off: eve is logged in (hold_on_login)", self.refused())
        self.goes_through()

    def test_a_masked_unit_there_is_left_alone(self):
        self.b.run("systemctl", "mask", "app.service")
        try:
            self.assertIn("hands off: ", self.refused())
        finally:
            self.b.run("systemctl", "unmask", "app.service")
        self.goes_through()

    def test_what_a_unit_there_holds_of_memory(self):
        run = self.run_by_hand("memory")
        ended = wait_for(lambda: self.over(run), 30, "the run")
        value = ended["steps"][0]["value"]
        pid = self.b.main_pid("app.service")
        anonymous = sum(int(line.split()[1]) * 1024
                        for line in self.b.read(f"/proc/{pid}/status").splitlines()
                        if line.startswith(("RssAnon:", "VmSwap:")))
        self.assertEqual(value["main_pid"], pid)
        self.assertGreater(value["memory_bytes"], anonymous / 2, value)
        self.assertLess(value["memory_bytes"], anonymous * 2, value)

    def test_a_host_that_does_not_answer_is_held(self):
        began = time.time()
        hostnet.cut(self.b, 1)
        try:
            wait_for(lambda: self.said("next try", began), 60, "the link to be seen as cut")
            self.refused()
        finally:
            hostnet.mend(self.b, 1)
        wait_for(lambda: self.connected(began) and self.well(), 60, "the link to be back")
        self.goes_through()

    # ---- the link

    def cut_in_the_midst(self, until):
        self.b.run("rm", "-f", SLOW)
        began = time.time()
        run = self.run_by_hand("slow")
        wait_for(lambda: self.b.read(SLOW) == "begun\n", 20, "the command to begin")
        hostnet.cut(self.b, 1)
        try:
            wait_for(until, 60, "the time to mend the link")
        finally:
            hostnet.mend(self.b, 1)
        ended = wait_for(lambda: self.over(run), 60, "its outcome")
        self.assertEqual(ended["state"], "done", ended)
        step, = (step for step in ended["steps"] if step["verb"] == "command.run")
        self.assertEqual(step["value"]["stdout"], "half-way\nall of it\n")
        self.assertEqual(self.b.read(SLOW), "begun\nended\n")
        wait_for(self.well, 40, "the app to be seen again")
        return began

    def test_the_link_is_cut_in_the_midst(self):
        """tendd sees that it is cut, comes back, and attaches to what went on meanwhile."""
        began = time.time()
        self.cut_in_the_midst(lambda: self.said("tend-exec at tend-remote@10.98.1.2: ", began) and
                              [line for line in self.said("next try", began)])
        self.assertTrue(self.connected(began))

    def test_the_command_ends_while_the_link_is_cut(self):
        self.cut_in_the_midst(lambda: self.b.read(SLOW) == "begun\nended\n")

    def test_tendd_is_killed_in_the_midst(self):
        self.b.run("rm", "-f", SLOW)
        run = self.run_by_hand("slow")
        wait_for(lambda: self.b.read(SLOW) == "begun\n", 20, "the command to begin")
        self.a.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: self.ctl("status", check=False), 20, "tendd to be back")
        ended = wait_for(lambda: self.over(run), 60, "its outcome")
        self.assertEqual(ended["state"], "done", ended)
        self.assertEqual(self.b.read(SLOW), "begun\nended\n")

    def test_tend_exec_is_killed_there(self):
        self.b.run("rm", "-f", SLOW)
        run = self.run_by_hand("slow")
        wait_for(lambda: self.b.read(SLOW) == "begun\n", 20, "the command to begin")
        self.b.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.EXEC_UNIT)
        ended = wait_for(lambda: self.over(run), 60, "its outcome")
        self.assertEqual(ended["state"], "done", ended)
        self.assertEqual(self.b.read(SLOW), "begun\nended\n")

    def test_a_wrong_host_key(self):
        n = len(self.starts())
        other = self.a.read(f"{hostnet.KEY}.pub")
        hostnet.trust(self.a, self.b, 1, key=other)
        began = time.time()
        try:
            self.a.run("systemctl", "restart", tend.UNIT)
            wait_for(lambda: self.said("Host key verification failed", began), 20, "the refusal")
            run = wait_for(lambda: self.over(self.run_by_hand("again")), 30, "the run by hand")
            self.assertEqual(run["state"], "refused", run)
            self.assertEqual(len(self.starts()), n)
            self.assertFalse(self.connected(began))
        finally:
            self.a.run("rm", hostnet.KNOWN)
            hostnet.trust(self.a, self.b, 1)
        wait_for(lambda: self.connected(began), 20, "the connection with the right key")

    # ---- the key

    def ssh(self, *words, stdin="", timeout=20):
        return self.a.run("ssh", "-F", "none", "-oBatchMode=yes", "-oIdentitiesOnly=yes",
                          f"-oUserKnownHostsFile={hostnet.KNOWN}", "-i", hostnet.KEY, "-l",
                          "tend-remote", *words, user=tend.USER, stdin=stdin, check=False,
                          timeout=timeout)

    def test_the_key_is_for_messages_only(self):
        host = "10.98.1.2"
        for words in (("-T", host, "id"), ("-T", host, "sh", "-c", "id > /tmp/x"),
                      ("-s", host, "sftp")):
            with self.subTest(words):
                done = self.ssh(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        self.assertIn("not for commands", self.ssh("-T", host, "id").stderr)
        for words in (("-tt", host), ("-tt", host, "id")):
            done = self.ssh(*words, stdin="id\n")
            self.assertIn("PTY allocation request failed", done.stderr)
            self.assertNotIn("uid=", done.stdout)
        # No way on from there, neither out nor in nor to a socket.
        for words in (("-W", "10.98.1.2:8080"), ("-W", "127.0.0.1:22")):
            done = self.ssh(*words, host)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("prohibited", done.stderr)
        for words in (("-R", "9999:127.0.0.1:22"), ("-R", "/tmp/a.sock:/run/tend-exec/exec.sock")):
            done = self.ssh("-T", "-oExitOnForwardFailure=yes", *words, host)
            self.assertIn("remote port forwarding failed", done.stderr)
        self.assertFalse(self.b.run("test", "-e", "/tmp/x", check=False).returncode == 0)

    def test_what_is_no_message_ends_the_connection(self):
        for text in ("id\n", "\x1b[A\n", "[" * 5000 + "\n", '{"id":1,"call":"shell"}\nid\n'):
            done = self.ssh("-T", "10.98.1.2", stdin=text)
            self.assertNotIn("uid=", done.stdout)
        done = self.ssh("-T", "10.98.1.2", stdin='{"id":1,"call":"unit","args":{"id":"0192a6f0-'
                        '1111-7222-8333-000000000001","verb":"stop","unit":"ssh.service"}}\n')
        self.assertNotIn('"ok"', done.stdout)
        self.assertTrue(self.b.active("ssh.service"))

    def test_others_on_that_host_do_not_reach_it(self):
        client = ("import socket; s = socket.socket(socket.AF_UNIX); "
                  "s.connect('/run/tend-exec/remote.sock')")
        for user in ("daemon", "tend"):
            with self.assertRaisesRegex(BoxError, "PermissionError"):
                self.b.run("python3", "-c", client, user=user)
        # Nor can the user whose key it is change what the key may do.
        self.assertNotEqual(self.b.run("touch", f"{hostnet.HOME}/.ssh/authorized_keys",
                                       user="tend-remote", check=False).returncode, 0)

    def test_no_child_is_left(self):
        def children():
            pid = self.a.main_pid(tend.UNIT)
            return self.a.out("ps", "--ppid", str(pid), "-o", "stat=,comm=")
        wait_for(lambda: children().count("ssh") == 1 and "Z" not in children(), 30,
                 f"one ssh and no zombie, not {children()}")


if __name__ == "__main__":
    unittest.main()
