# SPDX-License-Identifier: MIT
"""kill -9 of tend-exec in the middle of its work, full disks, reboots: nothing happens twice."""

import json
import os
import time
import unittest

from execbox import STATE, ExecBox, Gone, Refused, new_id
from tendbox import wait_for

LOG = "/var/log/starts"

UNITS = {
    # Takes a second to start, tells each start, fails when asked to.
    "slow.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                    f"ExecStartPre=/bin/sh -c 'echo $INVOCATION_ID >> {LOG}'\n"
                    "ExecStart=/bin/sleep 1\nExecStart=/bin/sh -c 'test ! -e /run/fail'\n",
    "quick.service": "[Unit]\nStartLimitIntervalSec=0\n"
                     f"[Service]\nExecStartPre=/bin/sh -c 'echo $INVOCATION_ID >> {LOG}'\n"
                     "ExecStart=/bin/sleep infinity\n",
}

MANIFEST = """
[unit slow.service]
allow = start, stop, restart
max_per_hour = 100
[unit quick.service]
allow = restart
max_per_hour = 1000
[command steps]
argv =
	/bin/sh
	-c
	echo begun >> /var/log/tend-test/steps; echo one; sleep 2; echo two; exit 3
user = root
writable = /var/log/tend-test
max_per_hour = 100
[command forever]
argv =
	/bin/sleep
	1000
user = root
max_per_hour = 100
"""


class Killed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exec = ExecBox("execkill", MANIFEST, UNITS)
        cls.exec.__enter__()
        cls.addClassCleanup(cls.exec.__exit__, None, None, None)
        cls.box = cls.exec.box
        cls.box.run("mkdir", "-p", "/var/log/tend-test")

    def setUp(self):
        self.box.run("rm", "-f", LOG, "/run/fail", "/var/log/tend-test/steps")
        self.peer = self.exec.connect()

    def tearDown(self):
        self.peer.close()

    def starts(self):
        return self.box.read(LOG).split()

    def kill(self):
        self.exec.kill()
        self.peer.close()
        self.peer = self.exec.connect()

    def wait_events(self, job, *events):
        def there():
            found = [line["event"] for line in self.exec.record(job)]
            return found[-1:] == list(events[-1:]) and found
        self.assertEqual(wait_for(there, 10, f"the event {events[-1]}", interval=0.005),
                         list(events))

    def restart_slow(self):
        job = new_id()
        number = self.peer.send("unit", {"id": job, "verb": "restart", "unit": "slow.service"})
        self.wait_events(job, "begun", "armed", "job")
        return job, number

    def test_in_the_middle_of_a_restart(self):
        job, number = self.restart_slow()
        self.exec.kill()
        with self.assertRaises(Gone):
            self.peer.answer(number)
        self.peer = self.exec.connect()
        with self.assertRaisesRegex(Refused, "duplicate"):
            self.peer.unit("restart", "slow.service", job)
        answer = self.peer.attach(job)
        self.assertEqual((answer["outcome"], answer["result"]), ("done", "done"))
        self.assertEqual(self.starts(), [answer["invocation_after"]])

    def test_the_job_ends_while_tend_exec_is_away(self):
        for fail, outcome in ((False, "done"), (True, "failed")):
            with self.subTest(outcome):
                self.box.run("rm", "-f", LOG)
                if fail:
                    self.box.run("touch", "/run/fail")
                job, _ = self.restart_slow()
                self.box.run("systemctl", "stop", "tend-exec.socket")
                self.box.run("systemctl", "kill", "-s", "KILL", "tend-exec.service", check=False)
                self.box.run("systemctl", "stop", "tend-exec.service")
                wait_for(lambda: self.box.show("slow.service", "ActiveState")["ActiveState"] in
                         ("active", "failed"), 10, "the job to end")
                self.box.run("systemctl", "start", "tend-exec.socket")
                self.peer.close()
                self.peer = self.exec.connect()
                answer = self.peer.attach(job)
                self.assertEqual((answer["outcome"], answer["result"]), (outcome, "away"))
                self.assertEqual(len(self.starts()), 1)

    def test_before_the_answer_of_pid_1(self):
        """The record says armed, no job: what happened cannot be known, and is not done again."""
        job = new_id()
        self.peer.unit("restart", "slow.service", job)
        path = self.box.path(f"{STATE}/jobs/{job}")
        with open(path, encoding="utf-8") as record:
            lines = record.read().splitlines()
        self.box.run("systemctl", "stop", "tend-exec.service")
        for kept, torn, outcome in ((2, "", "unknown"), (1, "", "refused"), (2, '{"ev', "unknown"),
                                    (1, lines[1][:20], "refused")):
            with self.subTest(kept=kept, torn=torn):
                self.box.run("systemctl", "stop", "tend-exec.service")
                self.box.write(path[path.index(STATE):],
                               "\n".join(lines[:kept]) + "\n" + torn, mode=0o600)
                self.peer.close()
                self.peer = self.exec.connect()
                answer = self.peer.attach(job)
                self.assertEqual((answer["outcome"], answer["result"]), (outcome, "interrupted"))
                self.assertEqual(len(self.starts()), 1)
                self.assertEqual(self.exec.record(job)[-1]["outcome"]["outcome"], outcome)

    def test_an_empty_record(self):
        job = new_id()
        self.box.write(f"{STATE}/jobs/{job}", '{"event":"be', mode=0o600)
        self.kill()
        self.assertEqual(self.peer.attach(job)["outcome"], "refused")
        with self.assertRaisesRegex(Refused, "duplicate"):
            self.peer.unit("restart", "slow.service", job)

    def test_a_broken_record(self):
        job = new_id()
        self.box.write(f"{STATE}/jobs/{job}", '{"event":"outcome"}\n', mode=0o600)
        self.kill()
        self.assertEqual(self.peer.attach(job)["outcome"], "unknown")
        with self.assertRaisesRegex(Refused, "duplicate"):
            self.peer.unit("restart", "slow.service", job)

    def test_in_the_middle_of_a_command(self):
        job = new_id()
        self.peer.send("command", {"id": job, "command": "steps", "args": {}})
        self.assertEqual(self.peer.wait_note("progress")["line"], "one")
        self.kill()
        with self.assertRaisesRegex(Refused, "duplicate"):
            self.peer.command("steps", job=job)
        answer = self.peer.attach(job)
        self.assertEqual((answer["outcome"], answer["exit_status"], answer["stdout"]),
                         ("failed", 3, "one\ntwo\n"))
        self.assertEqual(self.box.read("/var/log/tend-test/steps"), "begun\n")
        wait_for(lambda: self.exec.record(job)[-1]["event"] == "collected", 5, "its collection")
        self.assertEqual(self.exec.loaded_jobs(), [])

    def test_a_command_ends_while_tend_exec_is_away(self):
        job = new_id()
        self.peer.send("command", {"id": job, "command": "steps", "args": {}})
        self.peer.wait_note("progress")
        self.box.run("systemctl", "stop", "tend-exec.socket", "tend-exec.service")
        wait_for(lambda: self.box.show(f"tend-job-{job}.service", "ActiveState")["ActiveState"] ==
                 "failed", 10, "its end")
        self.box.run("systemctl", "start", "tend-exec.socket")
        self.peer.close()
        self.peer = self.exec.connect()
        answer = self.peer.attach(job)
        self.assertEqual((answer["outcome"], answer["exit_status"], answer["stdout"]),
                         ("failed", 3, "one\ntwo\n"))

    def test_a_command_that_is_not_found_again(self):
        job = new_id()
        self.peer.send("command", {"id": job, "command": "forever", "args": {}})
        wait_for(lambda: self.exec.loaded_jobs(), 5, "its unit")
        self.box.run("systemctl", "stop", "tend-exec.socket", "tend-exec.service")
        self.box.run("systemctl", "stop", f"tend-job-{job}.service")
        self.box.run("systemctl", "start", "tend-exec.socket")
        self.peer.close()
        self.peer = self.exec.connect()
        self.assertEqual(self.peer.attach(job)["outcome"], "unknown")
        self.assertEqual(self.exec.loaded_jobs(), [])

    def test_an_operator_ends_a_command(self):
        job = new_id()
        number = self.peer.send("command", {"id": job, "command": "forever", "args": {}})
        wait_for(lambda: self.box.active(f"tend-job-{job}.service"), 5, "its unit")
        self.box.run("systemctl", "stop", f"tend-job-{job}.service")
        self.assertIn(self.peer.answer(number)["outcome"], ("failed", "unknown"))

    def test_pid_1_reads_its_files_again(self):
        """daemon-reload and daemon-reexec, as package upgrades do, in the middle of both jobs: also
        when they catch a command before its start, it is the same command."""
        for n in range(10):
            with self.subTest(n):
                self.box.run("rm", "-f", LOG, "/var/log/tend-test/steps")
                _, unit = self.restart_slow()
                command = self.peer.send(
                    "command", {"id": new_id(), "command": "steps", "args": {}})
                if n >= 6:
                    self.peer.wait_note("progress")
                self.box.run("systemctl", "daemon-reexec" if n % 2 else "daemon-reload")
                answer = self.peer.answer(unit)
                self.assertEqual((answer["outcome"], answer["result"]), ("done", "done"))
                self.assertEqual(self.starts(), [answer["invocation_after"]])
                answer = self.peer.answer(command)
                self.assertEqual(
                    (answer["outcome"], answer["exit_status"], answer["stdout"]),
                    ("failed", 3, "one\ntwo\n"), answer)
                self.assertEqual(self.box.read("/var/log/tend-test/steps"), "begun\n")
                self.peer.notes.clear()

    def test_another_boot(self):
        jobs = {"unit": new_id(), "command": new_id()}
        for kind, job in jobs.items():
            begun = {"event": "begun", "kind": kind, "name": "slow.service", "verb": "restart",
                     "boot_id": "0" * 32 + ".1", "wall_usec": int(time.time() * 1e6),
                     "boot_usec": 1, "timeout_usec": 1000000, "why": "", "peer_pid": 1}
            if kind == "command":
                begun.update(name="steps")
                del begun["verb"]
            armed = {"event": "armed", "invocation_before": ""}
            self.box.write(f"{STATE}/jobs/{job}", json.dumps(begun) + "\n" + json.dumps(armed) +
                           "\n", mode=0o600)
        self.kill()
        for job in jobs.values():
            answer = self.peer.attach(job)
            self.assertEqual((answer["outcome"], answer["result"]), ("unknown", "boot"))

    def test_killed_at_many_moments(self):
        """Every id at most one start, by the unit's own count, and an outcome that agrees with it."""
        outcomes = {}
        for n in range(60):
            job, pid = new_id(), wait_for(self.exec.host_pid, 10, "tend-exec to run")
            before = len(self.starts())
            try:
                self.peer.send("unit", {"id": job, "verb": "restart", "unit": "quick.service"})
                time.sleep(n * 0.0003)  # the moments themselves are what is tried out
                self.exec.kill(pid)
            except Gone:
                pass
            self.peer.close()
            self.peer = self.exec.connect()
            answer = self.peer.attach(job)
            started = len(self.starts()) - before
            self.assertLessEqual(started, 1)
            outcomes[answer["outcome"]] = outcomes.get(answer["outcome"], 0) + 1
            if answer["outcome"] == "done":
                self.assertEqual(started, 1)
            elif answer["outcome"] == "refused":
                self.assertEqual(started, 0)
            else:
                self.assertEqual(answer["outcome"], "unknown", answer)
            with self.assertRaisesRegex(Refused, "duplicate"):
                self.peer.unit("restart", "quick.service", job)
            self.assertEqual(len(self.starts()) - before, started)
        print(outcomes, end=" ")
        self.assertGreater(outcomes.get("done", 0), 0)

    def test_old_records_go(self):
        now = time.time()
        old, open_, young = new_id(31 * 86400), new_id(31 * 86400), new_id(29 * 86400)
        for job, ended in ((old, True), (open_, False), (young, True)):
            begun = {"event": "begun", "kind": "unit", "name": "slow.service", "verb": "restart",
                     "boot_id": "0" * 32 + ".1", "boot_usec": 1, "timeout_usec": 1000000,
                     "wall_usec": int((now - 31 * 86400) * 1e6), "why": "", "peer_pid": 1}
            lines = [begun] + [{"event": "outcome", "outcome": {"outcome": "done"}}] * ended
            self.box.write(f"{STATE}/jobs/{job}", "".join(json.dumps(line) + "\n" for line in lines),
                           mode=0o600)
        self.kill()
        self.assertFalse(os.path.exists(self.box.path(f"{STATE}/jobs/{old}")))
        self.assertEqual(self.peer.attach(young)["outcome"], "done")
        self.assertEqual(self.peer.attach(open_)["outcome"], "refused")
        self.assertEqual(self.peer.attach(old)["outcome"], "unknown")


class FullDisk(unittest.TestCase):
    def test_nothing_is_begun(self):
        with ExecBox("execfull", MANIFEST, UNITS,
                     nspawn=[f"--tmpfs={STATE}:size=64k,mode=0700"]) as exec_:
            box, peer = exec_.box, exec_.connect()
            self.assertEqual(peer.unit("restart", "quick.service")["outcome"], "done")
            starts = len(box.read(LOG).split())
            box.run("sh", "-c", f"cat /dev/zero > {STATE}/filler", check=False)
            job = new_id()
            for call in (lambda: peer.unit("restart", "quick.service", job),
                         lambda: peer.command("forever")):
                with self.assertRaisesRegex(Refused, "unavailable.*No space"):
                    call()
            with self.assertRaisesRegex(Refused, "unavailable"):
                peer.attach(new_id())
            self.assertEqual(len(box.read(LOG).split()), starts)
            box.run("rm", f"{STATE}/filler")
            self.assertEqual(peer.unit("restart", "quick.service", job)["outcome"], "done")
            self.assertEqual(len(box.read(LOG).split()), starts + 1)


if __name__ == "__main__":
    unittest.main()
