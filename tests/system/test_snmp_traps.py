# SPDX-License-Identifier: MIT
"""tend-snmp notify against real snmptrapd processes: traps of all versions, our engine id and its
boots, and the protocols of authentication and privacy."""

import itertools
import os
import re
import shutil
import socket
import unittest

from tendbox import wait_for
from snmpbox import ROOT, Helper, Scratch, create_user, free_port, trapd
from test_snmp_notify import RAISED, v3, varbinds


class Case(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.port = free_port()
        self.snmp = self.start_helper()

    def start_helper(self):
        helper = Helper(self.scratch, "tend-snmp", "notify")
        self.addCleanup(helper.close)
        return helper

    def send(self, call, args, timeout=15):
        return self.snmp.answer(self.snmp.call(call, args), timeout)

    def plain(self, version="2c", host="127.0.0.1", port=0, **more):
        return dict({"host": f"{host}:{port or self.port}", "version": version,
                     "community": "public", "timeout_msec": 3000, "varbinds": varbinds()}, **more)

    def assert_sent(self, reply):
        self.assertEqual(reply.get("ok"), {"sent": True}, reply)

    def assert_error(self, reply, code, text=""):
        self.assertEqual(reply.get("error", {}).get("code"), code, reply)
        self.assertIn(text, reply["error"]["message"])


class Plain(Case):
    def test_v2c(self):
        sink = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.port}").start()
        self.assert_sent(self.send("trap", self.plain()))
        log = wait_for(lambda: "END" in sink.text() and sink.text(), 5, "the trap")
        self.assertIn(f".{ROOT}.1.20.2.0 = Counter64: {(5 << 32) + 7}", log)
        self.assertIn(f".1.3.6.1.6.3.1.1.4.1.0 = OID: .{RAISED}", log)
        # An inform to the same place by the same community is another thing.
        reply = self.send("inform", self.plain())
        self.assertEqual(reply.get("ok"), {"acknowledged": True}, reply)

    def test_v1(self):
        sink = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.port}").start()
        self.assert_sent(self.send("trap", self.plain("1")))
        log = wait_for(lambda: "END" in sink.text() and sink.text(), 5, "the trap")
        self.assertIn(f"from 127.0.0.1, .{ROOT}, 6, .1\n", log)
        self.assertIn(f".{ROOT}.1.20.1.0 = STRING: \"notice-7\"", log)
        self.assertIn(f".{ROOT}.1.20.14.0 = Gauge32: 4294967295", log)
        for absent in ("Counter64", f".{ROOT}.1.20.2.0", "1.3.6.1.6.3.1.1.4.1.0"):
            self.assertNotIn(absent, log)

    def test_v1_over_ipv6_has_no_address(self):
        port = free_port(socket.AF_INET6, "::1")
        sink = trapd(self.scratch, "trapd", f"udp6:[::1]:{port}").start()
        self.assert_sent(self.send("trap", self.plain("1", host="[::1]", port=port)))
        log = wait_for(lambda: "END" in sink.text() and sink.text(), 5, "the trap")
        self.assertIn(f"from 0.0.0.0, .{ROOT}, 6, .1\n", log)

    def test_a_trap_is_sent_also_to_nobody(self):
        self.assert_sent(self.send("trap", self.plain()))

    def test_what_cannot_be_sent_is_an_error(self):
        self.assert_error(self.send("trap", self.plain(host="255.255.255.255")), "send",
                          "cannot send")
        self.assert_error(self.send("inform", self.plain("1")), "send", "no informs")
        self.assert_error(self.send("trap", self.plain("4")), "send", "version")
        self.assert_error(self.send("trap", {"version": "1", "host": f"127.0.0.1:{self.port}",
                                             "varbinds": varbinds()}), "send", "community")

    def test_1000_traps_in_a_row_arrive_in_order(self):
        sink = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.port}").start()
        for first in range(0, 1000, 50):  # as many as the kernel keeps for snmptrapd
            numbers = [self.snmp.call("trap", self.plain(varbinds=varbinds(sequence=n)))
                       for n in range(first, first + 50)]
            for number in numbers:
                self.assert_sent(self.snmp.answer(number))
            wait_for(lambda: sink.text().count("END") >= first + 50, 10, "the traps")
        found = re.findall(r'STRING: "notice-(\d+)"', sink.text())
        self.assertEqual(found, [str(n) for n in range(1000)])


class Engine(Case):
    def setUp(self):
        super().setUp()
        self.file = self.scratch.file("snmp-engine")

    def tell(self, helper, start):
        """As tendd does; returns what the helper says of itself."""
        helper.note("engine", {"file": self.file, "start": start})
        return helper.wait_note(lambda note: note["call"] == "engine")["args"]

    def sink(self, engine, name="trapd", **more):
        return trapd(self.scratch, name, f"udp:127.0.0.1:{self.port}",
                     more=create_user(engine=engine, **more)).start()

    def wait_traps(self, sink, n):
        wait_for(lambda: sink.text().count("END") >= n, 5, f"{n} traps")
        self.assertEqual(sink.text().count("END"), n)

    def test_v3_traps_are_authenticated_and_encrypted(self):
        engine = self.tell(self.snmp, "s1")
        self.assertRegex(engine["engine_id"], "^0x80001f8805[0-9a-f]{24}$")
        self.assertEqual(engine["boots"], 1)
        sink = self.sink(engine["engine_id"])
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 1)
        self.assertIn(f".{ROOT}.1.20.12.0 = STRING: \"connection refused\"", sink.text())
        # An inform to the same receiver by the same user has the receiver's engine.
        reply = self.send("inform", v3(self.port))
        self.assertEqual(reply.get("ok"), {"acknowledged": True}, reply)
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 3)

    def test_boots_rise_once_a_start_and_time_goes_on(self):
        first = self.tell(self.snmp, "s1")
        sink = self.sink(first["engine_id"])
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 1)
        # The helper is killed and started by the same tendd.
        self.snmp.process.kill()
        self.snmp = self.start_helper()
        self.assertEqual(self.tell(self.snmp, "s1"), first)
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 2)
        # tendd is started anew.
        self.snmp.close()
        self.snmp = self.start_helper()
        self.assertEqual(self.tell(self.snmp, "s2"), dict(first, boots=2))
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 3)

    def test_without_the_boots_traps_would_be_refused(self):
        """The other side of the test before: snmptrapd does look."""
        first = self.tell(self.snmp, "s1")
        sink = self.sink(first["engine_id"])
        old = self.scratch.file("old")
        shutil.copy(self.file, old)
        for n, start in enumerate(("s2", "s3"), 1):
            self.snmp.close()
            self.snmp = self.start_helper()
            self.tell(self.snmp, start)
            self.assert_sent(self.send("trap", v3(self.port)))
            self.wait_traps(sink, n)
        self.snmp.close()
        shutil.copy(old, self.file)
        self.snmp = self.start_helper()
        self.assertEqual(self.tell(self.snmp, "s4")["boots"], 2)
        self.assert_sent(self.send("trap", v3(self.port)))
        # What comes after by another way is there, so the trap would be.
        self.assert_sent(self.send("trap", self.plain(varbinds=varbinds("by v2c"))))
        wait_for(lambda: "by v2c" in sink.text(), 5, "the trap by v2c")
        self.assertEqual(sink.text().count("END"), 3)

    def test_a_machine_that_was_paused(self):
        """The time of day is ahead of our clock by more than it was: receivers expect a later time
        of us than we have."""
        first = self.tell(self.snmp, "s1")
        sink = self.sink(first["engine_id"])
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 1)
        self.snmp.close()
        with open(self.file, encoding="utf-8") as file:
            text = file.read()
        offset = int(re.search(r"^offset = (\d+)$", text, re.M).group(1))
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text.replace(str(offset), str(offset - 100_000_000)))
        self.snmp = self.start_helper()
        self.assertEqual(self.tell(self.snmp, "s1")["boots"], 1)
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 2)
        self.assertEqual(self.snmp.wait_note(lambda note: note["call"] == "engine")["args"],
                         dict(first, boots=2))
        self.assert_sent(self.send("trap", v3(self.port)))
        self.wait_traps(sink, 3)
        with open(self.file, encoding="utf-8") as file:
            self.assertIn("\nboots = 2\n", file.read())

    def test_two_receivers_with_one_user_and_two_passwords(self):
        engine = self.tell(self.snmp, "s1")["engine_id"]
        sink = self.sink(engine)
        other_port = free_port()
        other = trapd(self.scratch, "other", f"udp:127.0.0.1:{other_port}",
                      more=create_user(auth="another-auth-pass", engine=engine)).start()
        for n in range(20):
            self.assert_sent(self.send("trap", v3(self.port, varbinds=varbinds(sequence=n))))
            self.assert_sent(self.send("trap", v3(other_port, auth_password="another-auth-pass")))
        self.wait_traps(sink, 20)
        self.wait_traps(other, 20)

    def test_wrong_password_arrives_nowhere(self):
        engine = self.tell(self.snmp, "s1")["engine_id"]
        sink = self.sink(engine)
        self.assert_sent(self.send("trap", v3(self.port, auth_password="not-the-password")))
        self.assert_sent(self.send("trap", v3(self.port, priv_password="not-the-password")))
        self.assert_sent(self.send("trap", v3(self.port, varbinds=varbinds(sequence=8))))
        wait_for(lambda: "notice-8" in sink.text(), 5, "the right one")
        self.assertNotIn("notice-7", sink.text())

    def test_no_engine_no_trap(self):
        self.assert_error(self.send("trap", v3(self.port)), "send", "engine")
        # A place that cannot be written, and can be later.
        folder = self.scratch.file("later")
        self.file = os.path.join(folder, "snmp-engine")
        self.snmp.note("engine", {"file": self.file, "start": "s1"})
        self.assert_error(self.send("trap", v3(self.port)), "send", "cannot write")
        os.mkdir(folder)
        wait_for(lambda: "ok" in self.send("trap", v3(self.port)), 5, "the trap to be sent")
        self.assertTrue(os.path.exists(self.file))

    def test_bad_notes_change_nothing(self):
        for bad in ({}, {"file": "x", "start": "s"}, {"file": 1}, [], None,
                    {"file": self.file, "start": 1}):
            self.snmp.note("engine", bad)
        self.assert_error(self.send("trap", v3(self.port)), "send", "engine")
        self.assertEqual(self.tell(self.snmp, "s1")["boots"], 1)


class Protocols(Case):
    AUTHS = ("SHA-256", "SHA-384", "SHA-512")
    PRIVS = ("AES", "AES-128", "AES-192", "AES-256", "AES-192-C", "AES-256-C")

    def test_each_pair_is_understood(self):
        self.snmp.note("engine", {"file": self.scratch.file("engine"), "start": "s"})
        engine = self.snmp.wait_note(lambda note: note["call"] == "engine")["args"]["engine_id"]
        pairs = list(itertools.product(self.AUTHS, self.PRIVS))
        users = "".join(create_user(f"user{n}", protocols=pair)
                        + create_user(f"trap{n}", protocols=pair, engine=engine)
                        for n, pair in enumerate(pairs))
        sink = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.port}", more=users).start()
        for n, (auth, priv) in enumerate(pairs):
            with self.subTest(auth=auth, priv=priv):
                args = v3(self.port, user=f"user{n}", auth_protocol=auth, priv_protocol=priv,
                          varbinds=varbinds(sequence=n))
                reply = self.send("inform", args)
                self.assertEqual(reply.get("ok"), {"acknowledged": True}, reply)
                self.assert_sent(self.send("trap", args | {
                    "user": f"trap{n}", "varbinds": varbinds(sequence=100 + n)}))
        for n in range(len(pairs)):
            wait_for(lambda n=n: f"notice-{100 + n}\"" in sink.text(), 5, f"trap {pairs[n]}")

    def test_weak_ones_are_refused(self):
        self.snmp.note("engine", {"file": self.scratch.file("engine"), "start": "s"})
        for change, use in (({"auth_protocol": "MD5"}, "SHA-256"),
                            ({"auth_protocol": "SHA"}, "SHA-256"),
                            ({"auth_protocol": "SHA-224"}, "SHA-256"),
                            ({"priv_protocol": "DES"}, "AES"),
                            ({"auth_protocol": None}, "SHA-256")):
            for call in ("inform", "trap"):
                with self.subTest(change=change, call=call):
                    self.assert_error(self.send(call, v3(self.port) | change), "send", use)


if __name__ == "__main__":
    unittest.main()
