# SPDX-License-Identifier: MIT
"""daemon/watch/units on a real PID 1: who ended a unit, seen live on the bus or read in the journal.

units_tool is watch/units with commands on its standard input; it runs as a user who may nothing but
read the journal, as tendd does.
"""

import json
import os
import queue
import signal
import subprocess
import threading
import unittest

from tendbox import Box, wait_for

BUILD = os.environ.get("TEND_BUILD_DIR", "build/debug")
TOOL = os.path.join(BUILD, "tests", "unit", "units_tool")

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
UNITS = {
    "job.service": SLEEP,
    "other.service": SLEEP,
    "stubborn.service": "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n"
                        "TimeoutStopSec=1\n",
    "phoenix.service": SLEEP + "Restart=always\nRestartSec=1h\n",
    "quick.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "once.service": SLEEP,
    "alias.service": SLEEP + "[Install]\nAlias=nickname.service\n",
}


class Tool:
    """units_tool in the box; its lines of JSON."""

    def __init__(self, box):
        self.lines = queue.Queue()
        self.seen = []
        argv = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=systemd-journal",
                "/usr/local/bin/units_tool"]
        self.process = subprocess.Popen(box.argv(*argv), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.errors = []
        self.threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def _read_errors(self):
        self.errors.extend(self.process.stderr)

    def send(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def ask(self, what, unit, timeout=10):
        """The answer to a command; changes that come between are kept in `seen`."""
        self.send(what, unit)
        wanted = what if what in ("get", "intent", "check") else "done"
        while True:
            line = self.lines.get(timeout=timeout)
            if line["event"] == wanted:
                return line
            self.seen.append(line)

    def change(self, unit, timeout=5):
        """Waits for the next change of the unit."""
        while True:
            line = self.seen.pop(0) if self.seen else self.lines.get(timeout=timeout)
            if line["event"] == "change" and line["unit"] == unit:
                return line

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(10)
        for thread in self.threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("units").boot()
        cls.addClassCleanup(cls.box.close)
        cls.box.push(TOOL, "/usr/local/bin/units_tool", mode=0o755)
        cls.box.write("/usr/local/lib/systemd/system/vendor.service", SLEEP)
        for name, text in UNITS.items():
            cls.box.write("/etc/systemd/system/" + name, text)
        cls.box.run("systemctl", "daemon-reload")

    def setUp(self):
        self.box.run("systemctl", "start", "job.service")
        self.tool = self.new_tool()

    def new_tool(self):
        tool = Tool(self.box)
        self.addCleanup(self.check_closed, tool)
        return tool

    def check_closed(self, tool):
        if tool.process.poll() is None:
            code = tool.close()
            self.assertEqual(code, 0, "".join(tool.errors))

    def intent(self, unit, wanted, timeout=10, tool=None):
        tool = tool or self.tool
        answers = []

        def asked():
            answers.append(tool.ask("intent", unit))
            return answers[-1]["intent"] == wanted
        try:
            wait_for(asked, timeout, f"{unit} to be {wanted}")
        except AssertionError as late:
            raise AssertionError(f"{late}; last: {answers[-1]}; {''.join(tool.errors)}") from late
        return answers[-1]

    def kill(self, unit, sig):
        self.box.run("kill", f"-{sig}", str(self.box.main_pid(unit)))

    def test_running(self):
        got = self.tool.ask("get", "job.service")
        self.assertEqual((got["r"], got["active"], got["sub"], got["intent"]),
                         (0, "active", "running", "running"))
        self.assertEqual(got["pid"], self.box.main_pid("job.service"))
        self.assertEqual(len(got["invocation"]), 32)

    def test_no_such_unit(self):
        got = self.tool.ask("get", "no-such.service")
        self.assertEqual((got["r"], got["load"], got["intent"]), (0, "not-found", "missing"))

    def test_killed_is_ended(self):
        for sig, result in (("KILL", "signal"), ("TERM", "success"), ("SEGV", "core-dump")):
            with self.subTest(sig=sig):
                self.box.run("systemctl", "start", "job.service")
                self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
                self.kill("job.service", sig)
                got = self.intent("job.service", "ended")
                self.assertTrue(got["end_seen_live"])
                self.assertFalse(got["stopped_by_job"])
                self.assertIn(got["result"], (result, "signal"))

    def test_stop_is_an_operator(self):
        for _ in range(5):
            self.box.run("systemctl", "start", "job.service")
            self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
            self.box.run("systemctl", "stop", "job.service")
            got = self.intent("job.service", "stopped")
            self.assertTrue(got["stopped_by_job"] and got["end_seen_live"])

    def test_a_quick_stop_is_an_operator(self):
        for _ in range(10):
            self.box.run("systemctl", "start", "quick.service")
            self.assertEqual(self.tool.ask("get", "quick.service")["intent"], "running")
            self.box.run("systemctl", "stop", "quick.service")
            self.intent("quick.service", "stopped")

    def test_a_slow_stop_is_an_operator_from_its_begin(self):
        self.box.run("systemctl", "start", "stubborn.service")
        self.assertEqual(self.tool.ask("get", "stubborn.service")["intent"], "running")
        self.box.run("systemctl", "stop", "--no-block", "stubborn.service")
        got = self.intent("stubborn.service", "stopped")
        self.assertEqual(got["active"], "deactivating")
        # Its result is a timeout, by SIGKILL.
        wait_for(lambda: self.tool.ask("intent", "stubborn.service")["active"] == "failed", 10,
                 "the stop")
        self.intent("stubborn.service", "stopped")

    def test_restart_by_an_operator_that_fails(self):
        self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
        self.box.run("systemctl", "restart", "job.service")
        self.assertEqual(self.intent("job.service", "running")["active"], "active")
        self.kill("job.service", "KILL")
        self.intent("job.service", "ended")

    def test_our_own_stop_is_none(self):
        self.assertEqual(self.tool.ask("expect", "job.service")["r"], 0)
        self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
        self.box.run("systemctl", "stop", "job.service")
        self.assertEqual(self.tool.ask("expect-end", "job.service")["r"], 0)
        self.assertFalse(self.intent("job.service", "ended")["stopped_by_job"])
        self.box.run("systemctl", "start", "job.service")
        self.intent("job.service", "running")
        self.box.run("systemctl", "stop", "job.service")  # this one is an operator's again
        self.intent("job.service", "stopped")

    def test_automatic_restart_is_systemds(self):
        self.box.run("systemctl", "start", "phoenix.service")
        self.assertEqual(self.tool.ask("get", "phoenix.service")["intent"], "running")
        self.kill("phoenix.service", "KILL")
        got = self.intent("phoenix.service", "changing")
        self.assertEqual(got["sub"], "auto-restart")
        self.box.run("systemctl", "stop", "phoenix.service")
        self.intent("phoenix.service", "stopped")

    def test_masked(self):
        self.box.run("systemctl", "start", "vendor.service")
        self.assertEqual(self.tool.ask("get", "vendor.service")["intent"], "running")
        self.kill("vendor.service", "KILL")
        self.intent("vendor.service", "ended")
        self.box.run("systemctl", "mask", "vendor.service")
        self.addCleanup(self.box.run, "systemctl", "unmask", "vendor.service")
        self.assertEqual(self.intent("vendor.service", "masked")["load"], "masked")

    def test_changes_are_told(self):
        self.tool.ask("watch", "job.service")
        self.assertEqual(self.tool.ask("get", "job.service")["active"], "active")
        self.tool.seen.clear()
        self.kill("job.service", "KILL")
        self.tool.change("job.service")

    def probe(self, unit, reason, text, timeout=10):
        """Runs the unit probe until it says what is wanted."""
        answers = []

        def asked():
            answers.append(self.tool.ask("check", unit))
            return answers[-1].get("reason") == reason and text in answers[-1]["text"]
        try:
            wait_for(asked, timeout, f"{unit} to be {reason}")
        except AssertionError as late:
            raise AssertionError(f"{late}; last: {answers[-1]}") from late
        return answers[-1]

    def test_the_probe(self):
        got = self.probe("job.service", "ok", "job.service is active (running)")
        self.assertEqual(got["metrics"], {"restarts": 0})
        self.tool.seen.clear()
        self.kill("job.service", "KILL")
        # The change alone runs the check again.
        wait_for(lambda: {"event": "again", "check": "a/b/c"} in self.tool.seen or
                 self.tool.ask("get", "job.service") is None, 5, "the check to be due again")
        self.probe("job.service", "unit-failed", "has failed: signal, killed by SIGKILL")
        self.box.run("systemctl", "start", "job.service")
        self.probe("job.service", "ok", "active")
        self.kill("job.service", "TERM")
        self.probe("job.service", "unit-inactive", "it ended by itself")
        self.box.run("systemctl", "start", "job.service")
        self.probe("job.service", "ok", "active")
        self.box.run("systemctl", "stop", "job.service")
        self.probe("job.service", "unit-stopped", "was stopped by a job")
        self.probe("no-such.service", "unit-missing", "there is no unit")
        self.probe("once.service", "unit-inactive", "how it ended is not known")
        self.box.run("systemctl", "start", "phoenix.service")
        self.probe("phoenix.service", "ok", "active")
        self.kill("phoenix.service", "KILL")
        self.probe("phoenix.service", "unit-changing", "auto-restart")
        got = self.tool.ask("check", "job")
        self.assertLess(got["r"], 0)
        self.assertIn("did you mean 'job.service'", got["text"])

    def test_alias(self):
        self.box.run("systemctl", "enable", "--now", "alias.service")
        self.assertEqual(self.tool.ask("get", "nickname.service")["intent"], "running")
        self.box.run("systemctl", "stop", "alias.service")
        self.intent("nickname.service", "stopped")
        self.box.run("systemctl", "start", "alias.service")
        self.intent("nickname.service", "running")
        self.kill("alias.service", "KILL")
        self.intent("nickname.service", "ended")

    def test_an_end_that_was_not_seen(self):
        self.assertEqual(self.tool.close(), 0, "".join(self.tool.errors))
        for how, wanted in (("KILL", "ended"), ("TERM", "ended"), ("stop", "stopped")):
            with self.subTest(how=how):
                self.box.run("systemctl", "start", "job.service")
                if how == "stop":
                    self.box.run("systemctl", "stop", "job.service")
                else:
                    self.kill("job.service", how)
                wait_for(lambda: not self.box.active("job.service"), 5, "the end")
                tool = self.new_tool()
                got = self.intent("job.service", wanted, tool=tool)
                self.assertFalse(got["end_seen_live"])
                self.assertIn("journal", got["why"])
                self.assertEqual(tool.close(), 0, "".join(tool.errors))

    def test_never_started(self):
        got = self.tool.ask("intent", "once.service")
        self.assertEqual(got["intent"], "unknown")
        self.assertEqual(self.tool.ask("get", "once.service")["active"], "inactive")

    def test_frozen_journald(self):
        journald = self.box.main_pid("systemd-journald.service")
        self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
        self.assertEqual(self.tool.ask("get", "other.service")["r"], 0)
        self.box.run("systemctl", "start", "other.service")
        self.intent("other.service", "running")
        self.box.run("kill", "-STOP", str(journald))
        try:
            # Seen live: needs no journal.
            self.kill("job.service", "KILL")
            self.intent("job.service", "ended")
            # Not seen: the journal has its start, but not its end.
            self.assertEqual(self.tool.close(), 0, "".join(self.tool.errors))
            self.kill("other.service", "KILL")
            wait_for(lambda: not self.box.active("other.service"), 5, "the end")
            tool = self.new_tool()
            got = tool.ask("intent", "other.service")
            self.assertEqual(got["intent"], "unknown", got)
        finally:
            self.box.run("kill", "-CONT", str(journald))
        self.intent("other.service", "ended", timeout=20, tool=tool)

    def test_the_bus_goes_and_comes_back(self):
        self.tool.ask("watch", "job.service")
        self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
        bus = self.box.main_pid("dbus.service")
        self.box.run("kill", "-STOP", str(bus))
        try:
            got = self.tool.ask("get", "job.service")
            self.assertLess(got["r"], 0)
            self.assertEqual(self.tool.ask("intent", "job.service")["intent"], "unknown")
        finally:
            self.box.run("kill", "-CONT", str(bus))
        self.intent("job.service", "running")
        self.box.run("systemctl", "restart", "dbus.service")
        self.intent("job.service", "running", timeout=30)
        self.kill("job.service", "KILL")
        self.assertTrue(self.intent("job.service", "ended")["end_seen_live"])

    def test_daemon_reexec(self):
        self.assertEqual(self.tool.ask("get", "job.service")["intent"], "running")
        self.box.run("systemctl", "daemon-reexec")
        self.intent("job.service", "running", timeout=30)
        self.kill("job.service", "KILL")
        self.assertTrue(self.intent("job.service", "ended", timeout=30)["end_seen_live"])


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main()
