# SPDX-License-Identifier: MIT
"""A real tendd whose notices go to programs, by the real tend-spawn under a real systemd: what they get,
what their exit status means, and that only what root's file lists is run."""

import json
import textwrap
import unittest

from tendbox import Box, tend, wait_for

FOLDER = "/opt/receivers"
PROGRAMS = {
    # Says what it got; the ledger keeps it.
    "page": "#!/usr/bin/python3\nimport json, os, sys\nview = json.load(sys.stdin)\n"
            "os.environ.pop('LC_CTYPE', None)\n"
            "print(json.dumps([view['type'], view['receiver'], view['status'], view['alerts'][0]['check'],\n"
            "                  sys.argv[1:], sorted(os.environ), os.getuid()]))\n",
    "twice-later": "#!/bin/sh\ncat >/dev/null\necho x >>/tmp/tries\n"
                   "[ $(wc -l </tmp/tries) -gt 2 ] && exit 0\necho 'the gateway is busy' >&2\nexit 75\n",
    "fails": "#!/bin/sh\necho 'no such queue' >&2\nexit 3\n",
    "hangs": "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\nwhile :; do sleep 0.1; done\n",
    "writable": "#!/bin/sh\nexit 0\n",
}
SPAWN = textwrap.dedent(f"""\
    [spawn]
    paths = /usr/lib/nagios/plugins
    [command page]
    argv = {FOLDER}/page
      --queue
      {{queue}}
    param.queue = enum ops, db admins
    [command twice-later]
    argv = {FOLDER}/twice-later
    [command fails]
    argv = {FOLDER}/fails
    [command hangs]
    argv = {FOLDER}/hangs
    [command writable]
    argv = {FOLDER}/writable
    """)
PACE = "retry_min = 100ms\nretry_max = 200ms\nstorm_burst = 0\nrate_per_minute = 0\n"
RECEIVERS = {
    "page": "command = page\narg.queue = db admins\n",
    "later": "command = twice-later\n",
    "fails": "command = fails\nfallback = page\n",
    "hangs": "command = hangs\ntimeout = 1s\n",
    "wrong": "command = page\narg.queue = root; id\n",
    "unlisted": "command = rm\n",
    "writable": "command = writable\n",
}
CONF = ("[daemon]\n[system crm]\nenvironment = production\n[component crm/web]\nkind = web\n"
        "[check crm/web/page]\nprobe = exec\ncommand = /usr/lib/nagios/plugins/check_file_age -w 9999999 "
        "-c 9999999 -f /run/well\ninterval = 1s\ntimeout = 900ms\nconfirm = 1 of 1\n"
        "[route all]\nreceivers = page\n"
        + "".join(f"[receiver {name}]\ntype = exec\n{PACE}{more}" for name, more in RECEIVERS.items()))


class ExecReceivers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        box = cls.box = Box("execrecv").boot()
        cls.addClassCleanup(box.close)
        tend.install(box, etc=None)
        box.run("sh", "-c", "rm -rf /etc/tend/conf.d/*")
        for name, text in PROGRAMS.items():
            box.write(f"{FOLDER}/{name}", text, mode=0o777 if name == "writable" else 0o755)
        box.write("/etc/tend/spawn.conf", SPAWN)
        box.write("/etc/tend/tend.conf", CONF)
        box.write("/run/well", "")
        done = tend.check(box)
        assert done.returncode == 0, done.stdout
        tend.start(box)

    def try_one(self, receiver):
        """`tendctl receiver test`; what it says, and the ledger's tries."""
        said = tend.ctl(self.box, "receiver", "test", receiver, check=False)
        shown = tend.ctl(self.box, "delivery", "show", said["notice"])
        return said, shown["attempts"]

    def test_delivered(self):
        said, tries = self.try_one("page")
        self.assertEqual(said["state"], "delivered", said)
        self.assertEqual((tries[0]["verdict"], tries[0]["code"]), ("delivered", None))
        kind, receiver, status, check, words, environment, uid = json.loads(tries[0]["detail"])
        self.assertEqual((kind, receiver, status, check), ("tend.test", "page", "event", None))
        self.assertEqual(words, ["--queue", "db admins"])
        self.assertEqual(environment, ["LANG", "PATH"])
        self.assertEqual(uid, int(self.box.out("id", "-u", "tend-probe")))

    def test_later(self):
        said, tries = self.try_one("later")
        self.assertEqual((said["state"], said["tries"]), ("delivered", 3))
        self.assertEqual([one["code"] for one in tries], [75, 75, None])
        self.assertEqual(tries[0]["error"], "exit status 75: the gateway is busy")

    def test_failed(self):
        said, tries = self.try_one("fails")
        self.assertEqual((said["state"], said["tries"]), ("failed", 1))
        self.assertEqual((tries[0]["code"], tries[0]["detail"]), (3, "no such queue"))

    def test_hangs(self):
        """It is ended with all that it has started, and tried again."""
        def ended():
            rows = tend.ctl(self.box, "delivery", "list", "--receiver", "hangs")
            rows = rows["deliveries"] if isinstance(rows, dict) else rows
            return rows and rows[0]["tries"] >= 1 and rows[0]["last_error"]
        self.box.run("systemd-run", "--unit=hangs", "tendctl", "receiver", "test", "hangs")
        self.assertIn("timeout: it was ended", wait_for(ended, 20, "a try to end"))
        self.box.write("/etc/tend/tend.conf", CONF.replace("command = hangs", "command = page\n"
                                                           "arg.queue = ops"))
        self.addCleanup(self.box.write, "/etc/tend/tend.conf", CONF)
        self.box.run("tendctl", "reload")
        wait_for(lambda: "/hangs" not in self.box.out("ps", "-eo", "args="), 10, "nothing to be left")

    def test_what_is_not_run(self):
        for receiver, what in (("wrong", "'queue' is none of the values it may have"),
                               ("unlisted", "spawn.conf has no [command rm]"),
                               ("writable", "can be written by others than root")):
            with self.subTest(receiver=receiver):
                said, tries = self.try_one(receiver)
                self.assertEqual((said["state"], said["tries"]), ("failed", 1))
                self.assertIn(what, tries[0]["error"])

    def test_an_incident_while_actions_are_stopped(self):
        """The switch that stops actions stops no notices."""
        self.box.run("tendctl", "action", "pause", "-m", "a test")
        self.addCleanup(self.box.run, "tendctl", "action", "resume")
        self.box.run("rm", "/run/well")
        self.addCleanup(self.box.write, "/run/well", "")

        def told():
            rows = tend.ctl(self.box, "delivery", "list", "--receiver", "page")
            rows = rows["deliveries"] if isinstance(rows, dict) else rows
            rows = [row for row in rows if row["kind"] == "incident.raised"]
            return rows and rows[0]["state"] == "delivered" and rows[0]
        row = wait_for(told, 20, "the program to be told")
        tries = tend.ctl(self.box, "delivery", "show", row["notice"])["attempts"]
        self.assertEqual(json.loads(tries[0]["detail"])[:4],
                         ["tend.incident.raised", "page", "firing", "crm/web/page"])

    def test_without_tend_spawn(self):
        """What cannot be run now is run when it can."""
        self.box.run("systemctl", "stop", "tend-spawn.socket", "tend-spawn.service")
        self.addCleanup(self.box.run, "systemctl", "start", "tend-spawn.socket")
        self.box.run("systemd-run", "--unit=without", "tendctl", "receiver", "test", "page")

        def newest():
            rows = tend.ctl(self.box, "delivery", "list", "--receiver", "page")
            rows = rows["deliveries"] if isinstance(rows, dict) else rows
            return next(row for row in rows if row["kind"] == "test" and row["tries"])
        wait_for(lambda: "cannot be reached" in (newest()["last_error"] or ""), 10, "tries to fail")
        self.box.run("systemctl", "start", "tend-spawn.socket")
        wait_for(lambda: newest()["state"] == "delivered", 20, "it to be delivered")


if __name__ == "__main__":
    unittest.main()
