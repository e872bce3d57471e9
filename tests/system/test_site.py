# SPDX-License-Identifier: MIT
"""The demo's site without Tend: each way to break the CRM breaks it, the witness sees it, and only
the demo mends it (systemd does not). Without Tend the judge must say so."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/demo"))

import witness  # noqa: E402
from breaking import Breaker  # noqa: E402
from judge import KINDS, PG_UNIT, WEB_UNIT, Fault, judge  # noqa: E402
from tendbox import crm, receivers, seed, wait_for  # noqa: E402
from tendbox.site import Site  # noqa: E402


class SiteWithoutTend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("site", without_tend=True)
        cls.site.__enter__()
        cls.addClassCleanup(cls.site.__exit__, None, None, None)
        cls.box = cls.site.box

    def test_the_receivers_listen(self):
        walked = receivers.snmp_walk(self.box, ".1.3.6.1.2.1.1")
        self.assertEqual(walked[".1.3.6.1.2.1.1.5.0"], "tendbox")
        self.box.run("snmpinform", "-v3", "-l", "authPriv", "-u", receivers.INFORM_USER, "-a",
                     "SHA-256", "-A", receivers.INFORM_AUTH, "-x", "AES", "-X",
                     receivers.INFORM_PRIV, "udp:127.0.0.1:162", "", witness.OID_ROOT + ".0.1",
                     witness.OID_ROOT + ".1.20.1.0", "s", "an id")
        found = wait_for(lambda: witness.from_traps(receivers.trap_log(self.box)), 5, "the trap")
        self.assertEqual((found[0].what, found[0].id), ("raised", "an id"))
        self.box.run("curl", "-s", "-d", "{}", receivers.SINK_URL)
        self.assertEqual(witness.from_sink(receivers.sink_log(self.box)), ([], 1))

    def test_the_monitors_roles(self):
        for role in ("tend", "tend_healer"):
            out = self.box.out("psql", "-XAtq", "-h", "127.0.0.1", "-U", role, "-d", "crm", "-c",
                               "select count(*) > 0 from pg_stat_activity where query is not null",
                               env={"PGPASSWORD": seed.PASSWORDS[role]})
            self.assertEqual(out, "t")

    def outage(self, began):
        """Do all log-ins since the second one fail? (The first may have been on its way.)"""
        since = [ok for when, ok in witness.logins(self.box) if when > began][1:]
        return len(since) >= 2 and not any(since)

    def test_every_fault_bites_until_it_is_mended(self):
        breaker = Breaker(self.box)
        self.addCleanup(breaker.unlock)
        faults = []
        first = time.time()
        for kind in KINDS:
            with self.subTest(kind):
                began = breaker.begin(kind)
                wait_for(lambda: self.outage(began), 10, "failing log-ins")
                self.assertFalse(crm.can_login(self.box))
                mended = time.time()
                breaker.mend()
                wait_for(lambda: witness.logins(self.box)[-1][1], 10, "the witness to get in")
                faults.append(Fault(kind, began, time.time(), mended if kind == "stop" else None))
        starts = witness.read_starts(self.box, (WEB_UNIT, PG_UNIT), first)
        verdict = judge(faults, [], witness.logins(self.box), starts)
        self.assertFalse(verdict.passed())
        self.assertTrue(all(one.bit for one in verdict.findings))
        self.assertIn("0/6 detected, 0/6 located", verdict.line())
        self.assertIn("0/24 notices delivered", verdict.line())


if __name__ == "__main__":
    unittest.main()
