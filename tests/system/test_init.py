# SPDX-License-Identifier: MIT
"""`tendctl init` on a machine with a CRM: what it finds, what it writes, and tendd on that."""

import re
import unittest

from tendbox import seed, tend, wait_for
from tendbox.site import Site

FOUND = "/etc/tend/conf.d/found.conf"
CRON = "tryton-server-cron@crm.service"
MORE = ("nginx.service", "redis-server.service", "nightly.timer", CRON)
SITE = """server {
    listen 127.0.0.1:8088;
    server_name crm.example;
    location / { return 200 "well\\n"; }
}
"""


TIMER = """[Timer]
OnActiveSec=1s
OnUnitActiveSec=20s
AccuracySec=100ms
"""
SERVICE = """[Service]
Type=oneshot
ExecStart=/bin/true
"""


def section(text, title):
    """The lines of a section, {} when it is not there (or a comment)."""
    found = re.search(rf"^\[{re.escape(title)}\]\n((?:[^\[#\n].*\n)*)", text, re.M)
    return dict(line.split(" = ", 1) for line in found[1].splitlines()) if found else {}


class Init(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("init", witness=False, configure=cls.configure)
        cls.site.__enter__()
        cls.addClassCleanup(cls.site.__exit__, None, None, None)
        cls.box = cls.site.box

    @classmethod
    def configure(cls, box):
        """In place of the demo's configuration: what init finds."""
        box.write("/etc/nginx/sites-enabled/default", SITE)
        box.write("/etc/systemd/system/nightly.timer", TIMER)
        box.write("/etc/systemd/system/nightly.service", SERVICE)
        box.run("mkdir", "-p", "/var/lib/tryton/crm/ab")
        box.write("/var/lib/tryton/crm/ab/abcd", "an attachment\n")
        box.run("chmod", "0755", "/var/lib/tryton")
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", *MORE)
        box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        box.run("mkdir", "/etc/tend/conf.d")
        cls.done = box.run("tendctl", "init", f"--output={FOUND}", check=False, timeout=120)
        assert cls.done.returncode == 0, (cls.done.stdout, cls.done.stderr)
        cls.text = box.read(FOUND)

    def test_what_it_finds(self):
        crm = section(self.text, "component tryton/tryton")
        self.assertEqual(crm["unit"], seed.WEB_UNIT, self.text)
        self.assertIn("postgres", crm["depends"])
        self.assertEqual(section(self.text, "component tryton/postgres")["unit"], seed.PG_UNIT)
        self.assertEqual(section(self.text, "check tryton/tryton/rpc")["url"],
                         "http://127.0.0.1:8000/")
        self.assertEqual(section(self.text, "check tryton/nginx/crm-example")["url"],
                         "http://127.0.0.1:8088/")
        redis = section(self.text, "check tryton/redis/state")
        self.assertEqual((redis["probe"], redis["warning.clients_pct"], redis["critical.clients_pct"]),
                         ("redis", "80", "95"))
        self.assertEqual(section(self.text, "check tryton/jobs/nightly-timer"),
                         {"probe": "timer", "interval": "5m", "timer": "nightly.timer"})
        # What needs a secret is a comment, and says so.
        self.assertIn("#[check tryton/postgres/login]", self.text)
        self.assertIn("needs a role and its password", self.text)
        self.assertIn("Not found: MariaDB or MySQL", self.text)
        self.assertEqual(section(self.text, "check tryton/tryton/configuration")["path"],
                         "/etc/tryton/trytond.conf")
        self.assertEqual(section(self.text, "check tryton/tryton/attachments")["path"],
                         "/var/lib/tryton")
        self.assertEqual(section(self.text, "check tryton/tryton/cron")["unit"], CRON)
        for password in seed.PASSWORDS.values():
            self.assertNotIn(password, self.text)

    def test_tendd_takes_it_and_all_is_well(self):
        done = tend.check(self.box)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "configuration ok"))
        wanted = set(re.findall(r"^\[check (\S+)\]$", self.text, re.M))
        self.assertGreater(len(wanted), 8)

        def well():
            rows = {row["name"]: row for row in tend.ctl(self.box, "check", "list", check=False)}
            self.assertEqual(set(rows), wanted)
            late = [name for name, row in rows.items() if row["state"] != "ok"]
            for name in late:  # some are due every five minutes only
                self.box.run("tendctl", "check", "run", name, check=False)
            return not late

        try:
            wait_for(well, 60, "all checks to be ok", interval=1)
        except AssertionError:
            rows = tend.ctl(self.box, "check", "list", check=False)
            self.fail("\n".join(f"{row['name']}: {row['state']} {row['reason']} {row['text']}"
                                for row in rows if row["state"] != "ok") + "\n" + self.text)

    def test_what_is_a_comment_is_one_by_one_a_check(self):
        """With the name of the database and the roles, all of it is a configuration."""
        text = re.sub(r"(?m)^#(?=\[|[a-z_.]+(\.[^ ]+)? = )", "", self.text)
        text = text.replace("DATABASE", "crm").replace("tend_read", "tend")
        self.assertGreater(len(re.findall(r"(?m)^\[check ", text)),
                           len(re.findall(r"(?m)^\[check ", self.text)) + 5)
        self.box.write("/tmp/all.conf", text)
        done = self.box.run("tendd", "-t", "/tmp/all.conf", user="tend", check=False)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "configuration ok"), text)

    def test_it_never_overwrites(self):
        done = self.box.run("tendctl", "init", f"--output={FOUND}", check=False)
        self.assertEqual(done.returncode, 73)
        self.assertIn("left as it is", done.stderr)
        self.assertEqual(self.box.read(FOUND), self.text)

    def test_as_an_ordinary_user(self):
        done = self.box.run("tendctl", "init", user="www-data", check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("only root can see that, you are not root",
                      " ".join(line.strip("# ") for line in done.stdout.splitlines()))
        self.assertEqual(section(done.stdout, "component tryton/tryton")["unit"], seed.WEB_UNIT)
        self.assertEqual(section(done.stdout, "component tryton/postgres")["unit"], seed.PG_UNIT)
        self.box.write("/tmp/user.conf", done.stdout)
        self.assertEqual(self.box.run("tendd", "-t", "/tmp/user.conf", check=False).returncode, 0)

    def test_a_broken_one_is_a_comment(self):
        """What is not well when init looks would only cry: it says what it saw."""
        self.box.run("chmod", "0700", "/var/lib/tryton")
        self.addCleanup(self.box.run, "chmod", "0755", "/var/lib/tryton")
        self.box.run("systemctl", "stop", "redis-server.service")
        self.addCleanup(self.box.run, "systemctl", "start", "redis-server.service")
        self.box.run("systemctl", "kill", "-s", "STOP", "nginx.service")
        self.addCleanup(self.box.run, "systemctl", "kill", "-s", "CONT", "nginx.service")
        text = self.box.out("tendctl", "init", timeout=120)
        self.assertEqual(section(text, "component tryton/redis"), {})
        self.assertIn("#[check tryton/nginx/crm-example]", text)
        said = " ".join(text.split("\n# "))
        self.assertRegex(said, "when it was tried it was critical")
        # Root may look there, but it is not root who looks in earnest.
        self.assertIn("#[check tryton/tryton/attachments]", text)
        self.assertRegex(said, "access-denied: /var/lib/tryton: Permission denied")


if __name__ == "__main__":
    unittest.main()
