# SPDX-License-Identifier: MIT
"""The box itself: two at once, a real systemd, nothing left behind, whatever ends it."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

from tendbox import Box, BoxError, WaitTimeout, cgroups, wait_for

LEAVE_ONE_OPEN = """
import os, signal, sys
from tendbox import Box
box = Box("orphan").boot()
print(box.name, box.leader, box._top, flush=True)
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
signal.pause()
"""


def groups(name):
    return [f"{point}/{name}" for point in cgroups._hierarchies()
            if os.path.isdir(f"{point}/{name}")]


class TwoBoxes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one, cls.two = Box("one").boot(), Box("two").boot()
        cls.addClassCleanup(cls.one.close)
        cls.addClassCleanup(cls.two.close)

    def test_a_unit_lives_in_one_box_only(self):
        unit = "[Service]\nExecStart=sleep infinity\n"
        for box in (self.one, self.two):
            box.write("/etc/systemd/system/lone.service", unit)
            box.run("systemctl", "daemon-reload")
            box.run("systemctl", "start", "lone.service")
        self.one.run("systemctl", "kill", "-s", "KILL", "lone.service")
        wait_for(lambda: not self.one.active("lone.service"), 5, "the unit to end")
        self.assertEqual(self.one.show("lone.service", "Result"), {"Result": "signal"})
        self.assertTrue(self.two.active("lone.service"))

    def test_files_stay_in_the_box(self):
        self.one.write("/etc/tendbox-here", "one", mode=0o640, owner="root:daemon")
        self.assertEqual(self.one.out("stat", "-c", "%U:%G %a", "/etc/tendbox-here"),
                         "root:daemon 640")
        self.assertEqual(self.two.read("/etc/tendbox-here"), "")
        self.assertFalse(os.path.exists("/etc/tendbox-here"))
        self.one.write("/run/somewhere/deep", "text")
        self.assertEqual(self.one.out("cat", "/run/somewhere/deep"), "text")

    def test_network_is_its_own(self):
        names = self.one.out("ls", "/sys/class/net").split()
        self.assertIn("lo", names)
        self.assertNotEqual(os.readlink(f"/proc/{self.one.leader}/ns/net"),
                            os.readlink(f"/proc/{self.two.leader}/ns/net"))
        self.assertNotEqual(os.readlink(f"/proc/{self.one.leader}/ns/net"),
                            os.readlink("/proc/self/ns/net"))

    def test_journal_as_data(self):
        self.one.run("systemd-cat", "-t", "hello", "echo", "a line of ours")
        found = wait_for(lambda: self.one.journal("SYSLOG_IDENTIFIER=hello"), 5, "the line")
        self.assertEqual(found[0]["MESSAGE"], "a line of ours")
        self.assertEqual(self.two.journal("SYSLOG_IDENTIFIER=hello"), [])

    def test_a_failing_command_says_why(self):
        with self.assertRaisesRegex(BoxError, "(?s)exit 3.*on stderr"):
            self.one.run("sh", "-c", "echo on stderr >&2; exit 3")
        self.assertEqual(self.one.out("id", "-un", user="daemon"), "daemon")


class Ends(unittest.TestCase):
    def test_power_off_keeps_the_journal_readable(self):
        with Box("off") as box:
            box.run("systemd-cat", "-t", "bye", "echo", "last words")
            wait_for(lambda: box.journal("SYSLOG_IDENTIFIER=bye"), 5, "the line")
            box.power_off()
            self.assertEqual(box.journal("SYSLOG_IDENTIFIER=bye")[0]["MESSAGE"], "last words")
            top = box._top
        self.assertFalse(os.path.exists(top))
        self.assertEqual(groups(box.name), [])

    def test_nothing_is_left_when_the_owner_is_killed(self):
        for how in ("SIGTERM", "SIGINT", "SIGKILL"):
            with self.subTest(how):
                self.orphan(how)

    def orphan(self, how):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
            script.write(LEAVE_ONE_OPEN)
            script.flush()
            done = subprocess.run([sys.executable, "-B", script.name, how], capture_output=True,
                                  text=True, timeout=60, check=False)
        name, leader, top = done.stdout.split()
        self.assertNotEqual(done.returncode, 0)
        wait_for(lambda: not os.path.exists(f"/proc/{leader}"), 5, "the box's PID 1 to end")
        with open("/proc/1/mounts", encoding="utf-8") as mounts:
            self.assertNotIn(top, mounts.read())
        wait_for(lambda: not groups(name) and not os.path.exists(top), 5, "all else to go")


class Waiting(unittest.TestCase):
    def test_the_value_and_the_limit(self):
        self.assertEqual(wait_for(lambda: 7, 0, "seven"), 7)
        with self.assertRaisesRegex(WaitTimeout, "waited 0.05 s for the moon"):
            wait_for(lambda: None, 0.05, "the moon", interval=0.01)


if __name__ == "__main__":
    signal.alarm(280)
    unittest.main()
