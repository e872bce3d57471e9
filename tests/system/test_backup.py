# SPDX-License-Identifier: MIT
"""The policy backup over the seeded CRM: real pgBackRest, real restores, a real byte that flips.

What is counted is in the repository and in the restored database, not only in Tend's records.
"""

import subprocess
import unittest

import maintenance
from tendbox import Box, crm, receivers, seed, tend, wait_for

DATABASE = "crm/database"
CHECK = DATABASE + "/backup"

CONFIGURATION = f"""[daemon]
mode.staging = auto
budget_per_target = 1000
budget_global = 1000

[receiver ops]
type = webhook
url = http://127.0.0.1:8081/hook
secret = file:/etc/tend/secrets/webhook

[route default]
receivers = ops

[system crm]
environment = staging

[component {DATABASE}]
kind = database
unit = {seed.PG_UNIT}

[check {CHECK}]
probe = passive
ttl = 26h
interval = 5s
confirm = 1 of 1

[policy backup]
budget = 1000
param.keep_full = 2
"""


class Backup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("backup", trees=[seed.crm_tree()])
        cls.box.__enter__()
        cls.addClassCleanup(cls.box.__exit__, None, None, None)
        crm.prepare(cls.box)
        tend.install(cls.box, etc=None)
        cls.box.run("rm", "-rf", "/etc/tend/conf.d", "/etc/tend/commands.d")
        cls.box.write("/etc/tend/tend.conf", CONFIGURATION)
        maintenance.prepare_backup(cls.box)
        receivers.prepare(cls.box, tend.USER)
        receivers.start(cls.box, (receivers.SINK_UNIT,))
        cls.box.run("systemctl", "daemon-reload")
        cls.box.run("systemctl", "start", seed.PG_UNIT)
        maintenance.create_stanza(cls.box)
        tend.start(cls.box)
        wait_for(lambda: cls.check() and cls.check()["reason"] == "report-awaited", 20,
                 "the first result")

    @classmethod
    def ctl(cls, *words, **options):
        return tend.ctl(cls.box, *words, **options)

    @classmethod
    def check(cls):
        return cls.ctl("check", "show", CHECK, check=False)

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def run_policy(self, *params):
        """One run by hand, to its end."""
        before = {run["id"] for run in self.ctl("run", "list")}
        self.ctl("policy", "run", "backup", DATABASE, *params)

        def ended():
            runs = [run for run in self.ctl("run", "list") if run["id"] not in before]
            return runs and runs[0]["ended"] and runs[0]
        return wait_for(ended, 120, "the run", interval=0.2)

    def sets(self):
        return {one["label"]: one for one in self.ctl("backup", "list")}

    def newest(self):
        return self.sets()[maintenance.labels(self.box)[-1]]

    def events(self, kind):
        bodies = [entry["body"] for entry in receivers.sink_log(self.box) if entry["verified"]]
        return {body["id"] for body in bodies if body["type"] == f"tend.incident.{kind}"
                and body["data"].get("check") == CHECK}

    def steps(self, run):
        return self.ctl("run", "show", run["id"])["steps"]

    def other_day(self):
        """Not today."""
        day = self.box.out("date", "-u", "+%A").lower()
        return "monday" if day != "monday" else "tuesday"

    # The story of a few nights; each test is one, in order.

    def test_1_full_and_proven(self):
        maintenance.fill(self.box, 1)
        run = self.run_policy()
        self.assertEqual((run["state"], run["verified"]), ("done", True), run)
        one = self.newest()
        self.assertEqual((one["state"], one["kind"]), ("proven", "full"))
        self.assertGreater(one["rto"], 0)
        self.assertEqual(set(one["members"]), {"database", "files"})
        self.assertGreater(one["tables"], 200)
        self.assertIn("is good", self.check()["text"])
        # The scratch instance went its own way after the restore: none of its log came back here.
        log = self.box.out("sh", "-c", f"cd {maintenance.REPOSITORY}/archive/crm/15-1 && ls")
        self.assertTrue(log and all(name.startswith("00000001") for name in log.split()), log)
        # Nothing of the drill is left.
        self.assertEqual(self.box.out("sh", "-c", "ls -A /var/lib/tend-drill/crm"), "")
        self.assertEqual(self.box.out("pgrep", "-c", "-f", "tend-drill", check=False), "0")

    def test_2_what_does_not_match_is_found(self):
        """The drill's own words when the counts or the schema are others than those recorded."""
        one = self.newest()
        path = f"/var/lib/tend-backup/crm/{one['label']}.counts"
        held = self.box.read(path)
        drill = next(step for run in self.ctl("run", "list") for step in self.steps(run)
                     if step["args"].get("command") == "backup-drill"
                     and step["args"]["args"]["label"] == one["label"])["args"]["args"]
        words = ("/usr/libexec/tend/helpers/pg-backup", "--stanza", "crm", "--bindir",
                 "/usr/lib/postgresql/15/bin", "--database", "crm", "--marks",
                 "/var/lib/tend-backup", "--scratch", "/var/lib/tend-drill", "drill",
                 drill["label"], drill["target"], drill["snapshot"])
        self.assertIn(" public.party_party\n", held)
        self.box.write(path, held.replace(" public.party_party\n", "1 public.party_party\n"), 0o600,
                       "postgres:postgres")
        found = self.box.run(*words, user="postgres", check=False)
        self.box.write(path, held, 0o600, "postgres:postgres")
        self.assertEqual(found.returncode, 1)
        self.assertIn("public.party_party", found.stdout)
        found = self.box.run(*words[:-2], "tend-20000101-000000F-1", words[-1], user="postgres",
                             check=False)
        self.assertEqual(found.returncode, 1, "a restore point that is not there")
        self.assertEqual(self.box.out("sh", "-c", "ls -A /var/lib/tend-drill/crm"), "")

    def test_3_killed_in_the_middle_of_a_restore(self):
        before = maintenance.labels(self.box)
        known = {run["id"] for run in self.ctl("run", "list")}
        self.ctl("policy", "run", "backup", DATABASE, "drill_every=0s",
                 "full_on=" + self.other_day())

        def drilling():
            run = [run for run in self.ctl("run", "list") if run["id"] not in known]
            return run and any(step["state"] == "intent" and "drill" in str(step["args"])
                               for step in self.steps(run[0])) and run[0]
        run = wait_for(drilling, 60, "the restore")
        pid = self.box.main_pid(tend.UNIT)
        self.box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", tend.UNIT)
        wait_for(lambda: self.box.main_pid(tend.UNIT) not in (0, pid), 20, "tendd to be back")
        run = wait_for(lambda: next((one for one in self.ctl("run", "list", check=False) or []
                                     if one["id"] == run["id"] and one["ended"]), None),
                       60, "the end of the run")
        self.assertEqual(run["state"], "done", run)
        self.assertEqual(len(maintenance.labels(self.box)), len(before) + 1)
        self.assertEqual(self.newest()["state"], "proven")

    def test_4_incremental_while_people_work(self):
        maintenance.fill(self.box, 2)
        maintenance.write_once(self.box)
        # A transaction that ends each few milliseconds, all through the run.
        worker = self.box.argv("sh", "-c", "while test ! -e /run/enough; do psql -X -q -d crm -c "
                               "'insert into day (n) values (2)' >/dev/null; done", user="postgres")
        with subprocess.Popen(worker) as process:
            run = self.run_policy("drill_every=0s", "full_on=" + self.other_day())
            self.box.write("/run/enough", "")
            process.wait(30)
        self.assertEqual(run["state"], "done", run)
        one = self.newest()
        self.assertEqual(one["kind"], "incremental")
        # Counted while rows came in, restored to that moment, and the same to the row.
        self.assertEqual(one["state"], "proven", one)
        self.assertEqual(one["chain"][0], maintenance.labels(self.box)[0])
        self.assertIsNotNone(one["rpo"])

    def test_5_a_flipped_byte_is_found_and_the_older_set_stays_proven(self):
        before = maintenance.labels(self.box)
        proven = before[0]
        self.assertEqual(self.sets()[proven]["state"], "proven")
        maintenance.flip_byte(self.box, before[-1])
        run = self.run_policy("full_on=" + self.other_day())
        self.assertEqual(run["state"], "done", run)
        sets = self.sets()
        # What stands on it is as bad; a full one was taken at once, and proven.
        self.assertEqual([sets[label]["state"] for label in maintenance.labels(self.box)],
                         ["proven", "proven", "bad", "bad", "proven"])
        self.assertIn("damaged", sets[before[-1]]["why"])
        self.assertEqual(sets[proven]["state"], "proven")
        wait_for(lambda: len(self.events("cleared")) == 1, 15, "the clear")
        self.assertEqual(len(self.events("raised")), 1)

    def test_6_a_backup_that_fails_is_told_and_the_next_clears(self):
        self.box.run("mv", "/etc/pgbackrest.conf", "/etc/pgbackrest.away")
        run = self.run_policy()
        self.box.run("mv", "/etc/pgbackrest.away", "/etc/pgbackrest.conf")
        self.assertEqual(run["state"], "failed", run)
        self.assertEqual(self.check()["state"], "critical")
        self.assertIn("backup-take", self.check()["text"])
        run = self.run_policy("full_on=" + self.box.out("date", "-u", "+%A").lower())
        self.assertEqual(run["state"], "done", run)
        self.assertEqual((self.newest()["kind"], self.newest()["state"]), ("full", "proven"))
        wait_for(lambda: self.check()["state"] == "ok", 10, "the check")

    def test_7_retention_keeps_the_proven_set(self):
        today = self.box.out("date", "-u", "+%A").lower()
        for _ in range(2):
            run = self.run_policy("full_on=" + today, "keep_full=1")
            self.assertEqual(run["state"], "done", run)
        labels = maintenance.labels(self.box)
        self.assertEqual(sorted(self.sets()), sorted(labels))
        self.assertEqual(len(labels), 1)
        self.assertEqual(self.sets()[labels[0]]["state"], "proven")

    def test_8_a_missing_member_is_partial(self):
        self.box.run("mv", "/var/lib/tryton", "/var/lib/tryton.away")
        try:
            run = self.run_policy("full_on=" + self.other_day())
            self.assertEqual(run["state"], "failed", run)
            one = self.newest()
            self.assertEqual(one["state"], "bad")
            self.assertIn("partial: without files", one["why"])
            wait_for(lambda: self.check()["state"] == "critical", 10, "the check")
        finally:
            self.box.run("mv", "/var/lib/tryton.away", "/var/lib/tryton")


if __name__ == "__main__":
    unittest.main(failfast=True)
