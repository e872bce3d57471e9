# SPDX-License-Identifier: MIT
"""tend-exec against a real PID 1: verbs on units, commands, limits, and who is listened to."""

import os
import time
import unittest

from execbox import SOCKET, STATE, Connection, ExecBox, Gone, Refused, new_id
from execsite import LOG, MANIFEST, UNITS
from tendbox import BoxError, wait_for


class Exec(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exec = ExecBox("exec", MANIFEST, UNITS)
        cls.exec.__enter__()
        cls.addClassCleanup(cls.exec.__exit__, None, None, None)
        cls.box = cls.exec.box

    def setUp(self):
        self.peer = self.exec.connect()
        self.addCleanup(self.peer.close)

    def starts(self):
        return self.box.read(LOG).split()

    def refused(self, code):
        class Context:
            def __enter__(context):
                return context

            def __exit__(context, kind, value, trace):
                self.assertIs(kind, Refused, f"not refused ({value})")
                self.assertEqual(value.code, code, str(value))
                context.text = str(value)
                return True
        return Context()

    # ---- hello

    def test_hello(self):
        hello = self.peer.hello
        self.assertRegex(hello["boot_id"], "^[0-9a-f]{32}$")
        self.assertIn("yard.service", hello["units"])
        self.assertIn("say", hello["commands"])
        self.assertEqual(hello["timeouts"]["commands"]["linger"], 2)
        self.assertEqual(hello["timeouts"]["units"]["yard.service"], 600)

    # ---- units

    def test_start_stop_restart(self):
        self.box.run("systemctl", "stop", "yard.service")
        before = len(self.starts())
        started = self.peer.unit("start", "yard.service")
        self.assertEqual((started["outcome"], started["result"]), ("done", "done"))
        self.assertTrue(self.box.active("yard.service"))
        self.assertEqual(self.starts()[before:], [started["invocation_after"]])
        again = self.peer.unit("restart", "yard.service")
        self.assertEqual(again["outcome"], "done")
        self.assertEqual(again["invocation_before"], started["invocation_after"])
        self.assertEqual(self.starts()[before + 1:], [again["invocation_after"]])
        self.assertGreater(again["job"], started["job"])
        stopped = self.peer.unit("stop", "yard.service")
        self.assertEqual(stopped["outcome"], "done")
        self.assertFalse(self.box.active("yard.service"))
        self.assertEqual(len(self.starts()), before + 2)

    def test_the_ledger_tells_the_whole_story(self):
        job = new_id()
        outcome = self.peer.unit("restart", "yard.service", job)
        begun, armed, taken, ended = self.exec.record(job)
        self.assertEqual((begun["event"], begun["kind"], begun["name"], begun["verb"]),
                         ("begun", "unit", "yard.service", "restart"))
        started = int(self.box.read("/proc/1/stat").rsplit(")", 1)[1].split()[19])
        self.assertEqual((begun["why"], begun["boot_id"]),
                         ("a test", f"{self.peer.hello['boot_id']}.{started:x}"))
        self.assertEqual(armed["invocation_before"], outcome["invocation_before"])
        self.assertEqual(taken, {"event": "job", "job": outcome["job"]})
        self.assertEqual(ended, {"event": "outcome", "outcome": outcome})
        self.assertEqual(self.box.out("stat", "-c", "%U %a", STATE), "root 700")

    def test_reload(self):
        self.box.run("systemctl", "start", "settings.service")
        before = self.box.show("settings.service", "InvocationID")
        done = self.peer.unit("reload", "settings.service")
        self.assertEqual((done["outcome"], done["result"]), ("done", "done"))
        self.assertEqual((done["state_before"], done["state_after"]), ("active", "active"))
        self.assertEqual(self.box.show("settings.service", "InvocationID"), before)
        self.assertEqual(self.box.read(f"{LOG}.reload"), "reloaded\n")
        with self.refused("not-allowed"):
            self.peer.unit("reload", "yard.service")
        self.box.run("systemctl", "stop", "settings.service")
        self.assertIn(self.peer.unit("reload", "settings.service")["outcome"],
                      ("refused", "failed"))
        self.assertEqual(self.box.read(f"{LOG}.reload"), "reloaded\n")

    def test_a_unit_that_has_changed_since(self):
        """Two who saw the same fault: the second one leaves alone what the first has mended."""
        def restart(seen):
            return self.peer.call("unit", {"id": new_id(), "verb": "restart", "why": "seen",
                                           "unit": "yard.service", "seen": seen})
        seen = self.peer.unit("restart", "yard.service")["invocation_after"]
        self.box.run("systemctl", "kill", "-s", "KILL", "yard.service")
        wait_for(lambda: not self.box.active("yard.service"), 10, "its end")
        n = len(self.starts())
        first, second = restart(seen), restart(seen)
        self.assertEqual((first["outcome"], second["outcome"]), ("done", "refused"))
        self.assertEqual(second["result"], "changed")
        self.assertEqual(restart("")["result"], "changed")
        self.assertEqual(len(self.starts()), n + 1)
        with self.refused("invalid"):
            restart("x" * 32)

    def test_a_unit_that_has_just_come_up(self):
        """What failed before it came up is no reason to restart it; when it is down it is one."""
        def restart(milliseconds):
            return self.peer.call("unit", {"id": new_id(), "verb": "restart", "why": "young",
                                           "unit": "yard.service", "min_up_msec": milliseconds})
        self.peer.unit("restart", "yard.service")
        n = len(self.starts())
        refused = restart(60000)
        self.assertEqual((refused["outcome"], refused["result"]), ("refused", "young"))
        self.assertEqual(len(self.starts()), n)
        wait_for(lambda: restart(1000)["outcome"] == "done", 10, "it to be old enough")
        self.assertEqual(len(self.starts()), n + 1)
        self.box.run("systemctl", "kill", "-s", "KILL", "yard.service")
        wait_for(lambda: not self.box.active("yard.service"), 10, "its end")
        self.assertEqual(restart(60000)["outcome"], "done")
        with self.refused("invalid"):
            restart(-1)

    # ---- fencing

    def fenced(self, token, lock="crm", unit="yard.service"):
        return self.peer.call("unit", {"id": new_id(), "verb": "restart", "unit": unit,
                                       "why": "fenced", "fence": {"lock": lock, "token": token}})

    def test_fencing(self):
        """The highest token of each lock is kept, over kills as well; a lower one is refused."""
        path = f"{STATE}/fences/crm"
        self.assertEqual(self.fenced(7)["outcome"], "done")
        self.assertEqual(self.box.read(path), "7\n")
        self.assertEqual(self.fenced(7)["outcome"], "done")
        n = len(self.starts())
        with self.refused("fenced") as context:
            self.fenced(6)
        self.assertIn("7 was seen", context.text)
        self.exec.kill()
        self.peer.close()
        self.peer = self.exec.connect()
        with self.refused("fenced"):
            self.fenced(6)
        self.assertEqual(len(self.starts()), n)
        self.assertEqual(self.fenced(9)["outcome"], "done")
        # Kept as soon as it is seen, also when the action itself is refused.
        with self.refused("duplicate"):
            job = new_id()
            self.peer.attach(job)
            self.peer.call("unit", {"id": job, "verb": "restart", "unit": "yard.service",
                                    "fence": {"lock": "crm", "token": 12}})
        with self.refused("fenced"):
            self.fenced(11)
        # Another lock has its own count; one that is not listed has none.
        self.assertEqual(self.fenced(1, "other")["outcome"], "done")
        with self.refused("fenced"):
            self.fenced(1000, "mine")
        # Commands and statements as well.
        with self.refused("fenced"):
            self.peer.call("command", {"id": new_id(), "command": "fails", "args": {},
                                       "fence": {"lock": "crm", "token": 1}})
        with self.refused("fenced"):
            self.peer.sql("free-job", "crm/database", {"id": 5, "queue": "mail"},
                          fence={"lock": "crm", "token": 1})

    def test_fencing_required(self):
        path = "/etc/tend/commands.d/test.conf"
        self.box.write(path, MANIFEST.replace("[executor]", "[executor]\nfencing = required"),
                       mode=0o644)
        self.box.run("systemctl", "reload", "tend-exec.service")
        try:
            def without():
                try:
                    self.peer.unit("restart", "yard.service")
                except Refused as refused:
                    return refused.code
                return None
            wait_for(lambda: without() == "fenced", 5, "the reload")
            self.assertEqual(self.fenced(1000)["outcome"], "done")
        finally:
            self.box.write(path, MANIFEST, mode=0o644)
            self.box.run("systemctl", "reload", "tend-exec.service")

    def test_a_token_that_cannot_be_kept(self):
        """No word of it on the disk, no action."""
        self.assertEqual(self.fenced(1, "other")["outcome"], "done")
        folder = f"{STATE}/fences"
        n = len(self.starts())
        self.box.run("chattr", "+i", folder, check=False)
        if self.box.run("touch", f"{folder}/x", check=False).returncode == 0:
            self.box.run("rm", f"{folder}/x")
            self.skipTest("this file system knows no immutable folders")
        try:
            with self.refused("unavailable"):
                self.fenced(5000, "other")
        finally:
            self.box.run("chattr", "-i", folder)
        self.assertEqual(len(self.starts()), n)

    # ---- statements

    def test_statements(self):
        hello = self.peer.hello
        self.assertEqual(hello["risks"]["environment"], "observe")
        self.assertEqual(hello["risks"]["say"], "change")
        told = hello["sql"]["free-job"]
        self.assertEqual((told["risk"], told["max_rows"], told["components"]),
                         ("destroy", 3, ["crm/*"]))
        job = new_id()
        grant = self.peer.sql("free-job", "crm/database", {"id": 17, "queue": "mail"}, job)
        self.assertEqual((grant["outcome"], grant["result"]), ("done", "granted"))
        # In the order of the param.NAME keys.
        self.assertEqual(grant["statement"], "update jobs set state = 'free'\n"
                                             "where id = $2 and queue = $1")
        self.assertEqual((grant["values"], grant["max_rows"]), (["mail", "17"], 3))
        self.assertEqual([event["event"] for event in self.exec.record(job)],
                         ["begun", "outcome"])
        with self.refused("duplicate"):
            self.peer.sql("free-job", "crm/database", {"id": 17, "queue": "mail"}, job)
        self.assertEqual(self.peer.attach(job), grant)
        with self.refused("not-allowed"):
            self.peer.sql("free-job", "erp/database", {"id": 17, "queue": "mail"})
        with self.refused("not-allowed"):
            self.peer.sql("drop", "crm/database")
        for args in ({"id": 17}, {"id": 0, "queue": "mail"}, {"id": 17, "queue": "x; drop"},
                     {"id": 17, "queue": "mail", "more": 1}, {"id": "1 or 1=1", "queue": "mail"}):
            with self.subTest(**args), self.refused("invalid"):
                self.peer.sql("free-job", "crm/database", args)
        for _ in range(3):
            self.peer.sql("free-job", "crm/database", {"id": 17, "queue": "mail"})
        with self.refused("limited"):
            self.peer.sql("free-job", "crm/database", {"id": 17, "queue": "mail"})
        self.exec.kill()
        self.peer.close()
        self.peer = self.exec.connect()
        with self.refused("limited"):
            self.peer.sql("free-job", "crm/database", {"id": 17, "queue": "mail"})
        self.assertEqual(self.peer.attach(job), grant)

    # ---- questions

    def test_inspect(self):
        def ask(unit="yard.service"):
            return self.peer.call("inspect", {"unit": unit})
        self.peer.unit("restart", "yard.service")
        seen = ask()
        self.assertEqual((seen["intent"], seen["active_state"]), ("running", "active"))
        self.assertEqual(seen["invocation_id"], self.box.show("yard.service", "InvocationID")
                         ["InvocationID"])
        self.box.run("systemctl", "kill", "-s", "KILL", "yard.service")
        wait_for(lambda: ask()["intent"] == "ended", 10, "the end to be seen")
        self.assertEqual(ask()["result"], "signal")
        self.peer.unit("start", "yard.service")
        self.assertEqual(ask()["intent"], "running")
        self.box.run("systemctl", "stop", "yard.service")
        wait_for(lambda: ask()["intent"] == "stopped", 10, "the operator's stop to be seen")
        # Of one that was down before tend-exec came the journal tells, or nobody does (in a box the
        # hardened unit sees the boot id of the host): never that it ended by itself.
        self.exec.kill()
        self.peer.close()
        self.peer = self.exec.connect()
        self.assertIn(ask()["intent"], ("stopped", "unknown"))
        # What Tend itself stopped, no operator did.
        self.box.run("systemctl", "start", "yard.service")
        self.peer.unit("stop", "yard.service")
        self.assertNotEqual(ask()["intent"], "stopped")
        with self.refused("not-allowed"):
            ask("dbus.service")

    def test_a_unit_that_fails(self):
        answer = self.peer.unit("start", "broken.service")
        self.assertEqual((answer["outcome"], answer["result"]), ("failed", "failed"))

    def test_what_is_not_touched(self):
        self.box.run("systemctl", "mask", "--now", "masked.service", check=False)
        self.box.run("rm", "-f", "/etc/systemd/system/masked.service")
        self.box.run("systemctl", "mask", "masked.service")
        self.box.run("systemctl", "start", "bouncing.service", check=False)
        wait_for(lambda: self.box.show("bouncing.service", "SubState")["SubState"] ==
                 "auto-restart", 10, "systemd to wait with its restart")
        for verb, unit, result in (("start", "masked.service", "masked"),
                                   ("start", "missing.service", "not-found"),
                                   ("restart", "bouncing.service", "auto-restart")):
            with self.subTest(unit):
                answer = self.peer.unit(verb, unit)
                self.assertEqual((answer["outcome"], answer["result"]), ("refused", result))

    def test_an_operators_job_is_not_replaced(self):
        self.box.run("systemctl", "start", "--no-block", "busy.service")
        wait_for(lambda: self.box.show("busy.service", "Job").get("Job", "0") != "0", 5, "the job")
        job = self.box.show("busy.service", "Job")
        answer = self.peer.unit("stop", "busy.service")
        self.assertEqual((answer["outcome"], answer["result"]), ("refused", "job-queued"))
        self.assertEqual(self.box.show("busy.service", "Job"), job)
        self.box.run("systemctl", "stop", "busy.service")

    def test_a_job_that_does_not_end(self):
        answer = self.peer.unit("start", "busy.service")
        self.assertEqual((answer["outcome"], answer["result"]), ("unknown", "timeout"))
        self.assertEqual(self.box.show("busy.service", "ActiveState")["ActiveState"], "activating")
        self.box.run("systemctl", "stop", "busy.service")

    def test_what_the_manifest_does_not_allow(self):
        with self.refused("not-allowed"):
            self.peer.unit("stop", "other.service")
        with self.refused("not-allowed"):
            self.peer.unit("start", "dbus.service")
        with self.refused("not-allowed"):
            self.peer.unit("start", "yard")
        with self.refused("not-allowed"):
            self.peer.command("rm")

    def test_an_id_begins_once(self):
        job = new_id()
        self.assertEqual(self.peer.unit("restart", "yard.service", job)["outcome"], "done")
        n = len(self.starts())
        with self.refused("duplicate"):
            self.peer.unit("restart", "yard.service", job)
        with self.refused("duplicate"):
            self.peer.command("choose", {"colour": "red"}, job)
        self.assertEqual(len(self.starts()), n)
        self.assertEqual(self.peer.attach(job)["outcome"], "done")

    def test_an_id_at_the_same_time_begins_once(self):
        job = new_id()
        n = len(self.starts())
        args = {"id": job, "verb": "restart", "unit": "yard.service", "why": "twice"}
        first, second = self.peer.send("unit", args), self.peer.send("unit", args)
        self.assertEqual(self.peer.answer(first)["outcome"], "done")
        with self.refused("duplicate"):
            self.peer.answer(second)
        self.assertEqual(len(self.starts()), n + 1)

    def test_attached_before_it_was_begun(self):
        job = new_id()
        answer = self.peer.attach(job)
        self.assertEqual((answer["outcome"], answer["message"]), ("refused", "never begun"))
        with self.refused("duplicate"):
            self.peer.unit("restart", "yard.service", job)
        self.assertEqual(self.peer.attach(job)["outcome"], "refused")

    def test_old_ids(self):
        job = new_id(age_seconds=31 * 86400)
        with self.refused("invalid"):
            self.peer.unit("restart", "yard.service", job)
        self.assertEqual(self.peer.attach(job)["outcome"], "unknown")

    def test_the_rate_outlives_tend_exec(self):
        for _ in range(2):
            self.assertEqual(self.peer.unit("start", "rare.service")["outcome"], "done")
        with self.refused("limited"):
            self.peer.unit("start", "rare.service")
        self.exec.kill()
        self.peer.close()
        self.peer = self.exec.connect()
        with self.refused("limited") as context:
            self.peer.unit("start", "rare.service")
        self.assertIn("2 an hour", context.text)

    def test_one_job_a_unit(self):
        first = self.peer.send("unit", {"id": new_id(), "verb": "start", "unit": "busy.service"})
        with self.refused("busy"):
            self.peer.unit("stop", "busy.service")
        self.assertEqual(self.peer.answer(first)["outcome"], "unknown")
        self.box.run("systemctl", "stop", "busy.service")

    # ---- commands

    def test_a_command(self):
        job = new_id()
        answer = self.peer.command("say", {"word": "a $HOME $$ ${HOME} %n", "number": 5,
                                           "whole": "$HOME"}, job)
        self.assertEqual((answer["outcome"], answer["exit_status"]), ("done", 0))
        self.assertEqual(answer["stdout"],
                         "daemon\n/\narguments: 3: a $HOME $$ ${HOME} %n 5 $HOME\nno\n")
        self.assertIn("oops\n", answer["stderr"])
        self.assertIn("Read-only file system", answer["stderr"])
        wait_for(lambda: self.exec.record(job)[-1]["event"] == "collected", 5, "its collection")
        self.assertEqual(self.exec.loaded_jobs(), [])
        self.assertEqual(os.listdir(self.box.path(f"{STATE}/output")), [])
        self.assertFalse(os.path.exists(self.box.path("/tmp/mine")))
        self.assertEqual(self.peer.attach(job), answer)

    def test_parameters(self):
        self.box.write("/srv/crm/a.txt", "inside")
        self.box.write("/srv/secret.txt", "outside")
        self.box.write("/srv/crm/open/x.txt", "anybody's")
        self.box.run("chmod", "0777", "/srv/crm/open")
        self.box.run("ln", "-sf", "/srv/secret.txt", "/srv/crm/link")
        self.box.run("ln", "-sfn", "/srv", "/srv/crm/dir")
        self.assertEqual(self.peer.command("show", {"file": "a.txt"})["stdout"], "inside")
        good = {"word": "a", "number": 5, "whole": "plain"}
        bad_words = [{**good, **bad} for bad in (
            {"word": "-x"}, {"word": "A"}, {"number": 101}, {"number": "5x"}, {"more": 1},
            {"word": ["a"]}, {"word": "a\n"}, {"whole": "$PATH"})]
        for name, args in (
                *(("say", args) for args in bad_words), ("say", {"word": "a", "number": 5}),
                ("choose", {"colour": "blue"}), ("choose", {"colour": ""}),
                ("show", {"file": "../secret.txt"}), ("show", {"file": "/srv/secret.txt"}),
                ("show", {"file": "link"}), ("show", {"file": "dir/secret.txt"}),
                ("show", {"file": "open/x.txt"}), ("show", {"file": "none"}),
                ("show", {"file": "a.txt/"}), ("show", {"file": "./a.txt"})):
            with self.subTest(name, **args), self.refused("invalid"):
                self.peer.command(name, args)

    def test_progress(self):
        job = new_id()
        number = self.peer.send("command", {"id": job, "command": "slow", "args": {}})
        self.assertEqual(self.peer.wait_note("progress"), {"id": job, "line": "one"})
        self.assertNotIn(number, self.peer.answers)
        self.assertEqual(self.peer.wait_note("progress")["line"], "two")
        answer = self.peer.answer(number)
        self.assertEqual(self.peer.wait_note("progress", 0)["line"], "three")
        self.assertEqual(answer["stdout"], "one\ntwo\nthree\n")

    def test_an_emptied_environment(self):
        names = {line.split("=")[0] for line in
                 self.peer.command("environment")["stdout"].splitlines()}
        self.assertLessEqual(names, {"PATH", "LANG", "HOME", "LOGNAME", "USER", "SHELL",
                                     "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
                                     "TMPDIR", "MEMORY_PRESSURE_WATCH"})

    def test_progress_goes_on_after_a_lost_connection(self):
        """Whoever attaches hears what is said from then on, and the whole of it at the end."""
        job = new_id()
        self.peer.send("command", {"id": job, "command": "slow", "args": {}})
        self.assertEqual(self.peer.wait_note("progress")["line"], "one")
        self.peer.close()
        self.peer = self.exec.connect()
        number = self.peer.send("attach", {"id": job})
        self.assertEqual(self.peer.wait_note("progress")["line"], "two")
        self.assertEqual(self.peer.answer(number)["stdout"], "one\ntwo\nthree\n")

    def test_a_grandchild_does_not_outlive_the_limit(self):
        began = time.monotonic()
        answer = self.peer.command("linger")
        self.assertEqual((answer["outcome"], answer["result"], answer["exit_status"]),
                         ("failed", "timeout", None))
        self.assertEqual(answer["stdout"], "started\n")
        self.assertGreater(time.monotonic() - began, 2)
        self.assertEqual(self.box.run("pgrep", "-f", "sleep 1000", check=False).stdout, "")

    def test_output_is_cut_at_the_front(self):
        answer = self.peer.command("flood")
        self.assertEqual(answer["outcome"], "done")
        self.assertLessEqual(len(answer["stdout"].encode()), 16384)
        self.assertGreater(len(answer["stdout"]), 16000)
        self.assertTrue(answer["stdout"].endswith("\nthe very end\n"))

    def test_output_does_not_fill_the_disk(self):
        job = new_id()
        number = self.peer.send("command", {"id": job, "command": "endless", "args": {}})
        path = self.box.path(f"{STATE}/output/{job}.out")
        seen = wait_for(lambda: os.path.exists(path) and os.stat(path).st_size > (1 << 30) and
                        os.stat(path), 60, "a gibibyte of output")
        blocks = wait_for(lambda: os.stat(path).st_blocks * 512 < seen.st_size / 2 and
                          os.stat(path).st_blocks * 512, 10, "old output to be dropped")
        self.assertLess(blocks, 1 << 30)
        answer = self.peer.answer(number)
        self.assertEqual(answer["result"], "timeout")
        self.assertIn("0123456789abcdef\n" * 100, answer["stdout"])

    def test_a_command_that_still_runs_is_not_begun_again(self):
        """Whoever asked before may have given up; the command has not. Nor has it for a tend-exec
        that was killed meanwhile."""
        def begin(name, gate):
            job = new_id()
            return job, self.peer.send("command", {"id": job, "command": name,
                                                   "args": {"gate": gate}})

        first, number = begin("wait", "a")
        with self.refused("busy") as context:
            self.peer.command("wait", {"gate": "a"})
        self.assertIn(first, context.text)
        other, other_number = begin("wait", "b")
        wait_for(lambda: len(self.exec.loaded_jobs()) == 2, 5, "both commands")
        self.exec.kill()
        self.peer.close()
        self.peer = self.exec.connect()
        with self.refused("busy"):
            self.peer.command("wait", {"gate": "a"})
        again = self.peer.send("attach", {"id": first})
        for name in ("wait-together", "wait-and-see"):
            begin(name, "a")
            begin(name, "a")
        wait_for(lambda: len(self.exec.loaded_jobs()) == 6, 5, "those that may")
        self.box.write("/run/go-a", "")
        self.box.write("/run/go-b", "")
        self.assertEqual(self.peer.answer(again)["outcome"], "done")
        self.assertEqual(self.peer.attach(other)["outcome"], "done")
        self.assertEqual(self.peer.command("wait", {"gate": "a"})["outcome"], "done")

    def test_foreign_bytes(self):
        answer = self.peer.command("binary")
        self.assertEqual(answer["stdout"], "?[31mred??end\n")

    def test_bad_ends(self):
        for name, result, status in (("fails", "exit-code", 7), ("dies", "core-dump", None),
                                     ("absent", "exit-code", 203)):
            with self.subTest(name):
                job = new_id()
                answer = self.peer.command(name, job=job)
                self.assertEqual(answer["outcome"], "failed", answer)
                self.assertIn(answer["result"], (result, "signal"))
                self.assertEqual(answer["exit_status"], status)
                wait_for(lambda: self.exec.record(job)[-1]["event"] == "collected", 5,
                         "its collection")
        self.assertEqual(self.exec.loaded_jobs(), [])

    # ---- who is listened to, and what

    def test_requests_that_are_none(self):
        job = new_id()
        for call, args in (("unit", {"id": "x", "verb": "start", "unit": "yard.service"}),
                           ("unit", {"id": job.upper(), "verb": "start", "unit": "yard.service"}),
                           ("unit", {"id": job, "verb": "kill", "unit": "yard.service"}),
                           ("unit", {"id": job, "verb": "start", "unit": "yard.service",
                                     "fence": {"lock": "crm"}}),
                           ("unit", {"id": job, "verb": "start", "unit": "yard.service",
                                     "fence": {"lock": "../x", "token": 1}}),
                           ("unit", {"id": job, "verb": "start", "unit": "yard.service",
                                     "fence": {"lock": "crm", "token": 0}}),
                           ("unit", {"id": job, "verb": "start", "unit": "yard.service",
                                     "fence": {"lock": "crm", "token": 1, "more": 1}}),
                           ("inspect", {"id": job, "unit": "yard.service"}), ("inspect", {}),
                           ("sql", {"id": job, "sql": "free-job", "args": {}}),
                           ("unit", {"id": job, "verb": "start", "unit": "yard.service", "x": 1}),
                           ("unit", {"id": job, "verb": "start"}), ("unit", []),
                           ("shell", {"id": job}), ("command", {"id": job, "command": "say"}),
                           ("attach", {"id": "../../etc/passwd"}), ("attach", {})):
            with self.subTest(call=call, args=args), self.refused("invalid"):
                self.peer.call(call, args)
        self.assertEqual(self.peer.attach(job)["message"], "never begun")

    def test_garbage_closes_the_connection(self):
        for garbage in (b"hello", b"[1]", b'{"id":-1,"call":"hello"}', b"\xff\xfe", b"[" * 5000,
                        b'{"id":1,"call":"hello","id":2}'):
            with self.subTest(garbage[:20]):
                connection = self.exec.connect()
                connection.raw(garbage)
                with self.assertRaises(Gone):
                    connection.answer(99, timeout=10)
        self.assertEqual(self.peer.call("hello"), self.peer.hello)

    def test_others_are_not_listened_to(self):
        # It may be closed before the request is sent, or with the request unread.
        client = ("import socket; s = socket.socket(socket.AF_UNIX); s.connect('" + SOCKET + "')\n"
                  "data = b''\n"
                  "try:\n"
                  "    s.sendall(b'{\"id\":1,\"call\":\"hello\",\"args\":{}}\\n')\n"
                  "except BrokenPipeError: pass\n"
                  "try:\n"
                  "    while chunk := s.recv(4096): data += chunk\n"
                  "except ConnectionResetError: data += b'reset'\n"
                  "print(data.decode())")
        for user, why in (("tend", "the main process of tendd.service is"),
                          (None, "its user is not tend")):
            with self.subTest(user=user):
                before = len(self.exec.said(why))
                said = self.box.out("python3", "-c", client, user=user)
                self.assertRegex(said, '"refused"|reset')
                self.assertNotIn("boot_id", said)
                wait_for(lambda: len(self.exec.said(why)) == before + 1, 5, "the log of it")
        with self.assertRaisesRegex(BoxError, "PermissionError"):
            self.box.run("python3", "-c", client, user="daemon")

    def test_a_process_outside_of_the_box(self):
        path = self.box.path(SOCKET)  # its pid means nothing in here
        with self.assertRaises((Gone, Refused)):
            Connection(path).call("hello", timeout=10)

    def test_a_new_tendd_takes_over(self):
        old = self.peer
        self.box.run("systemctl", "restart", "tendd.service")
        self.peer = self.exec.connect()
        with self.assertRaises(Gone):
            old.call("hello")

    def test_requests_are_logged(self):
        job = new_id()
        self.peer.unit("restart", "yard.service", job)
        pid = self.box.main_pid("tendd.service")
        lines = wait_for(lambda: len(self.exec.said(job)) >= 2 and self.exec.said(job), 5,
                         "both lines")
        self.assertRegex(lines[0], f"restart of yard.service .*accepted from pid {pid}, .*: a test")
        self.assertRegex(lines[1], "done")
        other = new_id()
        with self.refused("not-allowed"):
            self.peer.unit("stop", "other.service", other)
        refusal = wait_for(lambda: self.exec.said(other), 5, "the refusal")[0]
        self.assertRegex(refusal, f"refused to pid {pid}.*not-allowed.*a test")

    # ---- the manifest

    def test_a_risk_that_has_risen(self):
        """What was believed of a command when people were asked, or not, goes with the request."""
        path = "/etc/tend/commands.d/test.conf"

        def command(risk):
            return self.peer.call("command", {"id": new_id(), "command": "choose", "risk": risk,
                                              "args": {"colour": "red"}})

        self.assertIn("risk", self.peer.hello["takes"])
        self.assertEqual(command("change")["outcome"], "done")
        self.assertEqual(command("destroy")["outcome"], "done")
        with self.refused("risk") as context:
            command("observe")
        self.assertIn("its risk is change, not observe", context.text)
        self.box.write(path, MANIFEST.replace("[command choose]",
                                              "[command choose]\nrisk = destroy"))
        self.addCleanup(self.box.run, "systemctl", "reload", "tend-exec.service")
        self.addCleanup(self.box.write, path, MANIFEST)
        self.box.run("systemctl", "reload", "tend-exec.service")
        self.peer.wait_note("manifest")
        self.assertEqual(self.peer.call("hello")["risks"]["choose"], "destroy")
        with self.refused("risk"):
            command("change")
        with self.refused("risk"):
            self.peer.sql("free-job", "crm/database", {"queue": "mail", "id": 5}, risk="change")
        self.assertEqual(command("destroy")["outcome"], "done")

    def test_a_bad_manifest_allows_nothing(self):
        path = "/etc/tend/commands.d/test.conf"
        for text, mode in ((MANIFEST + "\n[unit x]\nallow = start\n", 0o644), (MANIFEST, 0o666)):
            with self.subTest(mode=mode):
                self.box.write(path, text, mode=mode)
                self.box.run("systemctl", "reload", "tend-exec.service")
                wait_for(lambda: self.peer.call("hello")["units"] == [], 5, "the reload")
                with self.refused("unavailable"):
                    self.peer.unit("restart", "yard.service")
                done = self.box.run("/usr/libexec/tend/tend-exec", "-t", check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(path, done.stderr)
                self.box.write(path, MANIFEST, mode=0o644)
                self.box.run("systemctl", "reload", "tend-exec.service")
                wait_for(lambda: self.peer.call("hello")["units"], 5, "the reload")


if __name__ == "__main__":
    unittest.main()
