# SPDX-License-Identifier: MIT
"""tend-spawn under a real systemd: what a foreign program can do, and that nothing of it is left."""

import json
import re
import signal
import textwrap
import time
import unittest

import execbox
from spawnbox import PLUGINS, PROBES, RULES, SOCKET, SpawnBox
from tendbox import wait_for


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spawn = cls.enterClassContext(SpawnBox("spawn"))
        cls.box = cls.spawn.box
        cls.next_id = 0

    def setUp(self):
        self.connection = self.spawn.connect()
        self.addCleanup(self.connection.close)

    def tearDown(self):
        self.gone(5)

    def gone(self, seconds):
        try:
            wait_for(lambda: not self.spawn.processes(), seconds, "nothing to be left")
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.spawn.processes()}") from late
        wait_for(lambda: not self.spawn.groups(), 3, "their groups to be gone")

    def send(self, program, *words, timeout=5000, output_max=65536, **more):
        Programs.next_id += 1
        path = program if program.startswith("/") else f"{PROBES}/{program}"
        args = {"id": f"job-{Programs.next_id}", "argv": [path, *words], "timeout_msec": timeout,
                "output_max": output_max, **more}
        return self.connection.send("run", args), args["id"]

    def run_program(self, program, *words, **options):
        return self.connection.answer(self.send(program, *words, **options)[0])

    def refused(self, code, program, *words, **options):
        with self.assertRaises(execbox.Refused) as caught:
            self.run_program(program, *words, **options)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return str(caught.exception)

    def test_plain(self):
        self.assertTrue(self.connection.hello["cgroups"])
        got = self.run_program("ok", "a b", "$HOME", "-x", "; id", "*")
        self.assertEqual((got["exit_status"], got["stdout"], got["timed_out"], got["truncated"]),
                         (0, "OK - args 5: a b $HOME -x ; id *\n", False, False))
        self.assertEqual(self.run_program("cat", stdin="päper")["stdout"], "päper")
        self.assertEqual(self.run_program("cat")["stdout"], "")
        self.assertEqual(self.run_program("inside")["exit_status"], 0)
        got = self.run_program(f"{PLUGINS}/check_dummy", "2", "bad")
        self.assertEqual((got["exit_status"], got["stdout"]), (2, "CRITICAL: bad\n"))

    def test_what_it_gets(self):
        got = json.loads(self.run_program("environment")["stdout"])
        environment, folder, uid, mask, group, status, fds, limits = got
        environment.pop("LC_CTYPE", None)  # Python's own
        self.assertEqual(sorted(environment), ["LANG", "PATH"])
        self.assertEqual((folder, mask), ("/", 0o077))
        self.assertEqual(uid, int(self.box.out("id", "-u", "tend-probe")))
        self.assertIn("/program-", group)
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        self.assertEqual(fields["NoNewPrivs"], "1")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(fields[kind].strip("0"), "", kind)
        # CAP_NET_RAW and CAP_SETGID, which tend-spawn had for a moment; without new privileges
        # nobody gets them.
        self.assertEqual(int(fields["CapBnd"], 16), 1 << 13 | 1 << 6)
        self.assertEqual(fields["SigBlk"].strip("0"), "")
        names = {grp.split(":")[0] for grp in self.box.read("/etc/group").splitlines()
                 if grp.split(":")[2] in fields["Groups"].split()}
        self.assertEqual(names - {"tend-probe"}, set())  # those of the unit are for looks at logs
        self.assertEqual(len(fds), 4, fds)  # and the one that lists them
        self.assertRegex(limits, r"Max core file size +0 +0")

    def look(self, kind, **args):
        Programs.next_id += 1
        return self.connection.send("run", {
            "id": f"look-{Programs.next_id}", "look": kind, "args": args, "timeout_msec": 5000,
            "output_max": 65536})

    def groups_of(self, status):
        numbers = re.search(r"^Groups:(.*)$", status, re.M)[1].split()
        return {line.split(":")[0] for line in self.box.read("/etc/group").splitlines()
                if line.split(":")[2] in numbers}

    def keeper(self):
        return int(self.box.out("pgrep", "-x", "tend-keeper"))

    def test_groups_are_for_looks_at_logs(self):
        """What stands in for tend-look tells what it got."""
        for kind, wanted in (("journal", True), ("logfile", True), ("file", True), ("unit", True),
                             ("host", False), ("process", False)):
            got = json.loads(self.connection.answer(self.look(kind))["stdout"])
            self.assertEqual(got[0], [kind, "-"])
            self.assertEqual(self.groups_of(got[1]) - {"tend-probe"},
                             {"adm", "systemd-journal"} if wanted else set(), kind)
            for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertRegex(got[1], rf"(?m)^{which}:\t0+$")
            self.assertLessEqual(len(got[2]), 4, got[2])
        status = self.box.out("cat", f"/proc/{self.box.main_pid('tend-spawn.service')}/status")
        self.assertEqual(self.groups_of(status) - {"tend-probe"}, set())
        for pid in (self.box.main_pid("tend-spawn.service"), self.keeper()):
            status = self.box.out("cat", f"/proc/{pid}/status")
            for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertRegex(status, rf"(?m)^{which}:\t0+$")

    def test_a_look_is_out_of_reach(self):
        """Of a program of the same user: its groups are worth something."""
        waiting = self.look("journal", wait=True)
        victim = wait_for(lambda: self.box.run("pgrep", "-f", "tend-look journal", check=False)
                          .stdout.split(), 5, "it to run")[0]
        got = self.run_program("burglar", victim, str(self.keeper()))["stdout"]
        print("\n" + textwrap.indent(got, "    a program: "), end="")
        self.assertNotIn("DONE", got)
        self.assertEqual(got.count("refused"), 8)
        self.assertTrue(self.connection.answer(waiting)["timed_out"])

    def test_without_its_keeper(self):
        """A program of the same user can kill it: all begins anew."""
        before = self.box.main_pid("tend-spawn.service")
        self.box.run("kill", "-KILL", str(self.keeper()))
        wait_for(lambda: self.box.main_pid("tend-spawn.service") not in (0, before), 20,
                 "tend-spawn to start again")
        self.connection = self.spawn.connect()
        self.addCleanup(self.connection.close)
        got = json.loads(self.connection.answer(self.look("journal"))["stdout"])
        self.assertIn("adm", self.groups_of(got[1]))

    def test_others_are_out_of_reach(self):
        got = self.run_program("peers")["stdout"]
        print("\n" + textwrap.indent(got, "    a program: "), end="")
        self.assertNotIn("DONE", got)

    def test_dies_by_a_signal(self):
        got = self.run_program("segv")
        self.assertEqual((got["signal"], got["stdout"]), (signal.SIGSEGV, "half a line\n"))
        self.assertNotIn("exit_status", got)

    def test_bytes(self):
        got = self.run_program("binary")["stdout"]
        self.assertEqual(got, "OK ????[31mä ??")

    def test_what_is_not_run(self):
        self.assertIn("No such file", self.refused("missing", "no-such-program"))
        self.refused("not-executable", "plain")
        self.assertIn("start", self.refused("cannot-start", "interpreter"))
        self.assertIn("written by others", self.refused("not-allowed", "writable"))
        self.assertIn("written by others", self.refused("not-allowed", "open/x"))
        self.assertIn("leads to", self.refused("not-allowed", "outside"))
        self.refused("not-allowed", "/bin/sh", "-c", "id")
        self.refused("not-executable", f"{PROBES}/open")
        for path in (f"{PROBES}/../../bin/sh", f"{PROBES}//ok", f"{PROBES}/./ok", "ok/../ok/.."):
            self.refused("invalid", path if path[0] == "/" else f"{PROBES}/{path}")

    def test_bad_requests(self):
        good = {"id": "x", "argv": [f"{PROBES}/ok"], "timeout_msec": 1000, "output_max": 10}
        for key, values in {
                "id": ["", "../x", "a" * 65, 7, None, "-\n"],
                "argv": [[], "ok", ["ok"], [f"{PROBES}/ok"] * 65, [f"{PROBES}/ok", 7],
                         [f"{PROBES}/ok", "x" * 8193]],
                "timeout_msec": [0, -1, 600001, "5", 1.5], "output_max": [-1, 65537],
                "stdin": [7, "x" * 65537], "shell": [True]}.items():
            for value in values:
                with self.subTest(key=key, value=str(value)[:40]):
                    with self.assertRaises(execbox.Refused) as caught:
                        self.connection.call("run", {**good, key: value})
                    self.assertEqual(caught.exception.code, "invalid")
        for call in ("exec", "unit", "command", ""):
            with self.assertRaises(execbox.Refused):
                self.connection.call(call, good)
        self.assertEqual(self.connection.call("run", good)["exit_status"], 0)

    def ends_in_time(self, program, limit=0.8, **options):
        """It is answered at its limit, not at its own end, and nothing is left. How long that took
        is printed: the fault `plugin-flood` has limits for it."""
        begun = time.monotonic()
        got = self.run_program(program, timeout=int(limit * 1000), **options)
        answered = time.monotonic() - begun
        self.assertTrue(got["timed_out"], got)
        self.assertNotIn("exit_status", got)
        self.assertLess(answered, limit + 60)
        self.gone(60)
        took = time.monotonic() - begun
        print(f"    {program}: answered after {answered:.2f} s, nothing left after {took:.2f} s")
        return got

    def test_flood(self):
        got = self.ends_in_time("flood")
        self.assertEqual((len(got["stdout"]), got["truncated"]), (65536, True))
        got = self.ends_in_time("flood2", output_max=1000)
        self.assertEqual((len(got["stdout"]), len(got["stderr"])), (1000, 1000))

    def test_ignores_term(self):
        self.ends_in_time("stubborn")

    def test_a_tree(self):
        self.assertIn("planted", self.ends_in_time("tree")["stdout"])

    def test_setsid_and_away(self):
        self.ends_in_time("escape")

    def test_closes_its_output_and_hangs(self):
        self.ends_in_time("silent")

    def test_fork_bomb(self):
        got = self.ends_in_time("bomb", limit=2)
        self.assertRegex(got["stdout"], r"stopped after \d\d ")

    def test_memory_hog(self):
        got = self.run_program("hog")
        self.assertTrue(got.get("signal") == signal.SIGKILL or "MemoryError" in got["stderr"], got)

    def test_a_daemon_is_not_left(self):
        begun = time.monotonic()
        got = self.run_program("daemon")
        self.assertEqual((got["exit_status"], got["stdout"]), (0, "OK - left a daemon\n"))
        self.gone(60)
        got = self.run_program("holder")
        self.assertEqual((got["exit_status"], got["stdout"]), (0, "OK - a child holds the output\n"))
        self.gone(60)
        self.assertLess(time.monotonic() - begun, 120)

    def test_no_zombies(self):
        for _ in range(30):
            self.run_program("daemon")
        self.assertEqual([p for p in self.spawn.processes() if p[1].startswith("Z")], [])

    def test_cancel(self):
        number, job = self.send("sleep", "1000", timeout=60000)
        wait_for(self.spawn.processes, 5, "it to run")
        self.assertEqual(self.connection.call("cancel", {"id": job}), {"found": True})
        with self.assertRaises(execbox.Refused) as caught:
            self.connection.answer(number)
        self.assertEqual(caught.exception.code, "cancelled")
        self.gone(1)
        self.assertEqual(self.connection.call("cancel", {"id": job}), {"found": False})

    def test_end_of_the_connection(self):
        self.send("stubborn", timeout=60000)
        wait_for(self.spawn.processes, 5, "it to run")
        self.connection.close()
        self.gone(3)

    def test_queue(self):
        """8 run, 4 wait, the rest is refused; what waits runs when there is room."""
        numbers = [self.send("sleep", "1.2", timeout=8000)[0] for _ in range(14)]
        refused, done = [], []
        for number in numbers:
            try:
                done.append(self.connection.answer(number))
            except execbox.Refused as error:
                refused.append(error.code)
        self.assertEqual((refused, len(done)), (["busy"] * 2, 12))
        self.assertTrue(all(one["exit_status"] == 0 for one in done))
        # What has waited its whole time is not begun.
        numbers = [self.send("sleep", "1.2", timeout=4000)[0] for _ in range(8)]
        late = self.send("sleep", "0", timeout=200)[0]
        with self.assertRaises(execbox.Refused) as caught:
            self.connection.answer(late)
        self.assertEqual(caught.exception.code, "busy")
        for number in numbers:
            self.assertEqual(self.connection.answer(number)["exit_status"], 0)

    def test_killed_in_the_middle(self):
        for program in ("stubborn", "escape", "tree"):
            self.send(program, timeout=60000)
        wait_for(lambda: len(self.spawn.processes()) > 6, 5, "them to run")
        pid = self.box.main_pid("tend-spawn.service")
        self.box.run("kill", "-KILL", str(pid))
        with self.assertRaises(execbox.Gone):
            self.connection.answer(1)
        self.gone(5)
        self.connection.close()
        self.setUp()
        self.assertNotEqual(self.box.main_pid("tend-spawn.service"), pid)
        self.assertEqual(self.run_program("ok")["exit_status"], 0)

    def attacked(self, *words, seconds, timeout=700):
        """A program turns on its watchers: tend-spawn ends, nothing is left, and it is back."""
        before = self.box.main_pid("tend-spawn.service")
        begun = time.monotonic()
        self.send("assassin", *words, timeout=timeout)
        wait_for(lambda: self.box.main_pid("tend-spawn.service") not in (0, before), seconds,
                 "tend-spawn to be a new one")
        self.gone(2)
        print(f"    assassin {words}: all gone, tend-spawn anew after {time.monotonic() - begun:.1f} s")
        self.connection.close()
        self.setUp()
        self.assertEqual(self.run_program("ok")["exit_status"], 0)

    def test_kills_its_warden(self):
        self.attacked("SIGKILL", seconds=5)

    def test_stops_its_warden(self):
        self.attacked("SIGSTOP", seconds=10)

    def test_stops_tend_spawn(self):
        self.attacked("SIGCONT", str(self.box.main_pid("tend-spawn.service")), seconds=25)

    def test_only_tendd_is_heard(self):
        """By file permissions, by uid, and by being the main process."""
        # What it writes is not read: it may not even be able to.
        talk = ("import contextlib, socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
                f"s.connect('{SOCKET}')\n"
                "with contextlib.suppress(BrokenPipeError):\n"
                "    s.sendall(b'{\"id\":1,\"call\":\"hello\"}\\n')\n"
                "print(s.recv(4096).decode())")
        for user in ("daemon", "tend-probe"):
            done = self.box.run("python3", "-c", talk, user=user, check=False)
            self.assertIn("PermissionError", done.stderr)
        for user in ("tend", None):
            done = self.box.run("python3", "-c", talk, user=user, check=False)
            self.assertIn('"refused"', done.stdout, done)
            self.assertNotIn('"ok"', done.stdout)

    def test_rules_read_anew(self):
        self.addCleanup(self.box.run, "systemctl", "reload", "tend-spawn.service")
        self.addCleanup(self.box.write, "/etc/tend/spawn.conf", RULES)
        self.box.write("/etc/tend/spawn.conf", "[spawn]\npath = /x\n")
        self.box.run("systemctl", "reload", "tend-spawn.service")
        wait_for(lambda: self.connection.call("hello")["paths"] == [], 5, "the reload")
        self.assertIn("the nearest is 'paths'", self.refused("not-allowed", "ok"))
        done = self.box.run("/usr/libexec/tend/tend-spawn", "-t", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/etc/tend/spawn.conf:2:", done.stderr)
        self.box.write("/etc/tend/spawn.conf", RULES, mode=0o666)
        done = self.box.run("/usr/libexec/tend/tend-spawn", "-t", check=False)
        self.assertIn("belongs to root", done.stderr)


if __name__ == "__main__":
    unittest.main()
