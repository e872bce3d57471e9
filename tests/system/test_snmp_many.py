# SPDX-License-Identifier: MIT
"""5,000 informs for a snmptrapd that is frozen at first and then behind a slow line."""

import collections
import os
import re
import signal
import time
import unittest

from snmpbox import BUILD, SlowLine
from test_snmp_sinks import Sinks, told


def sanitized():
    """With AddressSanitizer thousands of checks are late on a small machine."""
    with open(os.path.join(BUILD, "daemon/tendd"), "rb") as file:
        return b"__asan_init" in file.read()


class Many(Sinks):
    def test_5000_informs_for_a_slow_sink(self):
        """Frozen while 5,000 raises gather, then behind a slow line; the clears follow."""
        n = 1000 if sanitized() else 5000
        mend = self.start_fast_web()
        line = SlowLine(self.port, 0.2)
        self.addCleanup(line.close)
        tendd = self.configure(n, lambda tendd: tendd.receiver("nms", line.port, self.RECEIVER),
                               interval="15s", timeout="14s")
        self.trapd.start()
        self.trapd.signal(signal.SIGSTOP)
        tendd.start()
        self.wait(lambda: self.waiting() == n, 150, f"{n} raises to wait")
        began = time.monotonic()
        self.trapd.signal(signal.SIGCONT)
        self.wait(lambda: self.waiting() == 0, 120, "the raises to be acknowledged")
        took = time.monotonic() - began
        raised = self.assert_complete(self.trapd, n)
        self.assertTrue(all(one.kind == 1 for one in raised.values()))
        # A window of 64, each sent again at most.
        self.assertLessEqual(line.most_in_flight, 2 * 64)
        n_before = len(self.log())
        mend()
        self.wait(lambda: (tendd.receivers().get("nms") or {}).get("delivered", 0) >= 2 * n, 200,
                  "the clears to be acknowledged")
        again = len(re.findall(r"incident \S+ at \S+ raised", self.log()[n_before:]))
        print(f"\n{n} raises through a window of 64 and 200 ms: {took:.1f} s, "
              f"{line.most_in_flight} at once on the line, {again} raised again, "
              f"{len(told(self.trapd)) - 2 * n} duplicates in all")
        if again == 0:
            self.assert_complete(self.trapd, 2 * n)
        else:  # a machine so busy that checks of a server that is well ran out of time
            self.wait(lambda: self.waiting() == 0, 60, "the last clears")
            self.assert_in_order(self.trapd, n)

    def log(self):
        with open(self.tendd.log, encoding="utf-8") as log:
            return log.read()

    def assert_in_order(self, sink, n):
        """Of each of the `n` subjects: told in the order of the sequence, a raise first, a clear at
        last."""
        seen, by_subject = set(), collections.defaultdict(list)
        for one in told(sink):
            if one.id not in seen:
                seen.add(one.id)
                by_subject[one.fingerprint].append(one)
        self.assertEqual(len(by_subject), n)
        for subject, all_of_it in by_subject.items():
            numbers = [one.sequence for one in all_of_it]
            self.assertEqual(numbers, sorted(numbers), subject)
            self.assertEqual((all_of_it[0].kind, all_of_it[-1].kind), (1, 3), subject)


if __name__ == "__main__":
    unittest.main()
