# SPDX-License-Identifier: MIT
"""The demo's judge against logs: a perfect run passes, each single flaw fails it, by name."""

import dataclasses
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/demo"))

import witness  # noqa: E402
from judge import KINDS, PG_UNIT, WEB_UNIT, Fault, Notice, detect_limit, judge  # noqa: E402
from tendbox import receivers  # noqa: E402

SPAN = 40.0
LINE = ("demo: 6/6 detected, 6/6 located, 5/5 healed, 1/1 left alone, 24/24 notices delivered")


class Logs:
    """The logs of a run in which all went well; the tests then spoil one thing."""

    def __init__(self):
        self.faults, self.notices, self.logins, self.starts = [], [], [], []
        for number, kind in enumerate(KINDS):
            self.add(kind, 1000.0 + number * SPAN)

    def add(self, kind, began):
        restored = began + 18.0 if kind == "stop" else None
        self.faults.append(Fault(kind, began, began + SPAN, restored))
        back = began + (20.0 if restored else 9.0)
        check = f"{KINDS[kind].component}/{KINDS[kind].checks[0]}"
        for receiver in ("webhook", "snmp"):
            for what, when in (("raised", began + 4.5), ("cleared", back + 2.0)):
                self.notices.append(Notice(when, receiver, f"{kind}-{what}", what, "I-" + kind,
                                           KINDS[kind].component, check))
        for second in range(int(SPAN)):
            when = began + second + 0.5
            self.logins.append((when, not began < when < back))
        if kind == "stop":
            self.starts.append((restored + 0.1, WEB_UNIT))
        elif KINDS[kind].unit:
            self.starts.append((back - 1.0, KINDS[kind].unit))

    def judge(self, **more):
        return judge(self.faults, self.notices, self.logins, self.starts, **more)

    def change(self, kind, what, receiver, **fields):
        """Replace fields of one notice; no fields: it never came."""
        at = next(i for i, one in enumerate(self.notices) if one.id == f"{kind}-{what}"
                  and one.receiver == receiver)
        old = self.notices.pop(at)
        if fields:
            self.notices.insert(at, dataclasses.replace(old, **fields))

    def began(self, kind):
        return next(one.began for one in self.faults if one.kind == kind)


class Judge(unittest.TestCase):
    def setUp(self):
        self.logs = Logs()

    def assert_fails(self, line_part, problem, **more):
        verdict = self.logs.judge(**more)
        said = " | ".join(verdict.problems + [text for one in verdict.findings
                                              for text in one.problems])
        self.assertFalse(verdict.passed(), said)
        self.assertIn(line_part, verdict.line())
        self.assertRegex(said, problem)

    def test_a_perfect_run(self):
        verdict = self.logs.judge()
        self.assertEqual(verdict.line(), LINE)
        self.assertEqual([one.problems for one in verdict.findings], [[]] * 6)
        self.assertTrue(verdict.passed())

    def test_no_faults_at_all_is_no_success(self):
        self.assertFalse(judge([], [], [], []).passed())

    def test_a_duplicate_with_the_same_id_is_fine(self):
        self.logs.notices.append(dataclasses.replace(self.logs.notices[0],
                                                     time=self.logs.notices[0].time + 3))
        self.assertTrue(self.logs.judge().passed())

    def test_detected_too_late(self):
        for kind, limit in (("kill", 5.0), ("freeze", 6.0), ("lock", 6.0), ("stop", 5.0)):
            with self.subTest(kind):
                self.logs = Logs()
                self.assertEqual(detect_limit(kind), limit)
                began = self.logs.began(kind)
                self.logs.change(kind, "raised", "webhook", time=began + limit)
                self.assertTrue(self.logs.judge().passed())
                self.logs.change(kind, "raised", "webhook", time=began + limit + 0.01)
                self.assert_fails("5/6 detected, 6/6 located", "told after")

    def test_never_told(self):
        self.logs.change("crash", "raised", "webhook")
        self.assert_fails("5/6 detected, 5/6 located", "no raise at webhook")

    def test_one_receiver_was_not_told(self):
        self.logs.change("crash", "raised", "snmp")
        self.assert_fails("6/6 detected, 6/6 located, 5/5 healed, 1/1 left alone, 22/24",
                          "no raise at snmp")

    def test_not_cleared(self):
        self.logs.change("term", "cleared", "snmp")
        self.assert_fails("23/24 notices", "no clear at snmp")

    def test_cleared_of_another_incident(self):
        self.logs.change("term", "cleared", "webhook", incident="I-other")
        self.assert_fails("23/24 notices", "no clear at webhook")

    def test_the_receivers_were_told_of_different_incidents(self):
        self.logs.change("lock", "raised", "snmp", incident="I-other")
        self.assert_fails("22/24 notices", "snmp was told of another incident")

    def test_located_wrongly(self):
        self.logs.change("crash", "raised", "webhook", component="crm/web", check="crm/web/login")
        self.assert_fails("5/6 located", "located at crm/web, check crm/web/login")

    def test_the_right_component_by_the_wrong_check(self):
        self.logs.change("lock", "raised", "webhook", check="crm/database/unit")
        self.assert_fails("5/6 located", "check crm/database/unit")

    def test_one_too_many(self):
        began = self.logs.began("crash")
        for what in ("raised", "changed", "cleared", "tend.policy.failed"):
            with self.subTest(what):
                self.logs = Logs()
                self.logs.notices.append(Notice(began + 6, "snmp", "extra", what, "I-crash",
                                                "crm/web", "crm/web/login"))
                verdict = self.logs.judge()
                self.assertEqual(verdict.line(), LINE)
                self.assertEqual(len(verdict.extra), 1)
                self.assertFalse(verdict.passed())

    def test_one_before_the_first_fault(self):
        self.logs.notices.append(Notice(900.0, "webhook", "early", "raised"))
        self.assertFalse(self.logs.judge().passed())

    def test_a_signature_that_does_not_fit(self):
        self.assert_fails(LINE, "1 requests at the sink", unverified=1)

    def test_not_healed(self):
        began = self.logs.began("freeze")
        self.logs.logins = [(when, ok and not began < when < began + SPAN)
                            for when, ok in self.logs.logins]
        self.assert_fails("4/5 healed", "nobody can log in any more")

    def test_mended_by_the_demo_itself(self):
        self.logs.faults[0] = dataclasses.replace(self.logs.faults[0], mended=True)
        self.assert_fails("4/5 healed", "the demo mended it itself")

    def test_healed_too_late(self):
        last = self.logs.faults[-2]
        self.logs.faults = self.logs.faults[:-1]
        self.logs.faults[-1] = dataclasses.replace(last, over=last.began + 90)
        self.logs.starts = [one for one in self.logs.starts if one[0] < last.began + SPAN]
        self.logs.notices = [one for one in self.logs.notices if not one.id.startswith("stop")]
        self.logs.logins = [one for one in self.logs.logins if one[0] < last.began]
        self.logs.logins += [(last.began + second, second > 61) for second in range(90)]
        self.assert_fails("4/5 healed", "serving after 62 s only")

    def test_healed_twice(self):
        self.logs.starts.append((self.logs.began("kill") + 12, WEB_UNIT))
        self.assert_fails("4/5 healed", "starts of units")

    def test_healed_the_wrong_unit(self):
        self.logs.starts.append((self.logs.began("lock") + 5, PG_UNIT))
        self.assert_fails("4/5 healed", "starts of units")

    def test_nothing_was_broken(self):
        began = self.logs.began("lock")
        self.logs.logins = [(when, ok or began < when < began + SPAN)
                            for when, ok in self.logs.logins]
        self.assert_fails("4/5 healed", "there was no fault")

    def test_the_operators_stop_was_not_respected(self):
        fault = next(one for one in self.logs.faults if one.kind == "stop")
        self.logs.starts.append((fault.began + 8, WEB_UNIT))
        self.assert_fails("0/1 left alone", "starts of units")
        self.logs = Logs()
        self.logs.starts = [(when - 10 if when > fault.restored else when, unit)
                            for when, unit in self.logs.starts]
        self.assert_fails("0/1 left alone", "was started before the operator did it")


class Witnesses(unittest.TestCase):
    def test_the_sinks_log(self):
        event = {"id": "n1", "type": "tend.incident.raised",
                 "data": {"incident": "i1", "component": "crm/web", "check": "crm/web/login"}}
        entries = [{"time": 5.0, "verified": True, "answer": 204, "body": event},
                   {"time": 6.0, "verified": True, "answer": 503, "body": event},
                   {"time": 7.0, "verified": False, "answer": 401, "body": event},
                   {"time": 8.0, "verified": True, "answer": 204,
                    "body": {"id": "n2", "type": "tend.policy.failed"}}]
        notices, unverified = witness.from_sink(entries)
        self.assertEqual(unverified, 1)
        self.assertEqual(notices[0], Notice(5.0, "webhook", "n1", "raised", "i1", "crm/web",
                                            "crm/web/login"))
        self.assertEqual([one.what for one in notices], ["raised", "tend.policy.failed"])

    def test_snmptrapds_log(self):
        root = witness.OID_ROOT
        log = ("NET-SNMP version 5.9.3\n"
               "2024-05-01T10:00:07 \x02.1.3.6.1.2.1.1.3.0 = 171507\x03"
               f"\x02.1.3.6.1.6.3.1.1.4.1.0 = OID: {root}.0.1\x03"
               f"\x02{root}.1.20.1.0 = STRING: \"n1\"\x03\x02{root}.1.20.4.0 = STRING: \"i1\"\x03"
               f"\x02{root}.1.20.8.0 = STRING: \"crm/web\"\x03"
               f"\x02{root}.1.20.9.0 = STRING: \"crm/web/login\"\x03"
               f"\x02{root}.1.20.12.0 = STRING: \"says \\\"no\\\"\n2024-05-01T10:00:08 x\"\x03\n"
               "2024-05-01T10:00:09 \x02.1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.4.1.9.9\x03\n"
               "2024-05-01T10:00:10 \x02.1.3.6.1.6.3.1.1.4.1.0 = OID: "
               f"{root}.0.4\x03\x02{root}.1.20.1.0 = Hex-STRING: C3 BC 62 \nE2 82 AC \x03\n")
        entries = receivers.parse_traps(log)
        self.assertEqual(len(entries), 3)
        self.assertEqual(entries[0]["vars"][f"{root}.1.20.12.0"],
                         'says "no"\n2024-05-01T10:00:08 x')
        notices = witness.from_traps(entries)
        self.assertEqual([(one.what, one.id) for one in notices],
                         [("raised", "n1"), (f"{root}.0.4", "üb€")])
        self.assertEqual(notices[0].time, 1714557607.999)
        self.assertEqual(notices[0].check, "crm/web/login")

    def test_starts_in_the_journal(self):
        started = {"MESSAGE_ID": "39f53479d3a045ac8e11786248231fbf", "UNIT": WEB_UNIT,
                   "__REALTIME_TIMESTAMP": "5500000"}
        other = dict(started, UNIT="cron.service")
        stopped = dict(started, MESSAGE_ID="9d1aaa27d60140bd96365438aad20286")
        self.assertEqual(witness.unit_starts([started, other, stopped], (WEB_UNIT, PG_UNIT)),
                         [(5.5, WEB_UNIT)])


if __name__ == "__main__":
    unittest.main()
