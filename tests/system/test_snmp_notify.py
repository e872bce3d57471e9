# SPDX-License-Identifier: MIT
"""tend-snmp notify against real snmptrapd processes: acknowledged, refused, dead, frozen."""

import os
import re
import signal
import socket
import time
import unittest

from tendbox import wait_for
from snmpbox import AUTH, PRIV, ROOT, USER, Helper, Scratch, free_port, trapd

RAISED = f"{ROOT}.0.1"


def varbinds(text="connection refused", sequence=7):
    def notice(column):
        return f"{ROOT}.1.20.{column}.0"
    return [
        {"oid": "1.3.6.1.2.1.1.3.0", "type": "t", "value": 4200},
        {"oid": "1.3.6.1.6.3.1.1.4.1.0", "type": "o", "value": RAISED},
        {"oid": notice(1), "type": "s", "value": f"notice-{sequence}"},
        {"oid": notice(2), "type": "c64", "value": (5 << 32) + sequence},
        {"oid": notice(6), "type": "i", "value": 2},
        {"oid": notice(12), "type": "s", "value": text},
        {"oid": notice(13), "type": "d", "value": 1795314699_500000},
        {"oid": notice(14), "type": "u", "value": 4294967295},
    ]


def v3(port, host="127.0.0.1", **more):
    return dict({"host": f"{host}:{port}", "version": "3", "user": USER,
                 "auth_protocol": "SHA-256", "auth_password": AUTH, "priv_protocol": "AES",
                 "priv_password": PRIV, "timeout_msec": 3000, "varbinds": varbinds()}, **more)


class Notify(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.port = free_port()
        self.trapd = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.port}")
        self.snmp = Helper(self.scratch, "tend-snmp", "notify")
        self.addCleanup(self.snmp.close)

    def inform(self, args, timeout=15):
        return self.snmp.answer(self.snmp.call("inform", args), timeout)

    def assert_acknowledged(self, reply):
        self.assertEqual(reply.get("ok"), {"acknowledged": True}, reply)

    def assert_error(self, reply, code, text=""):
        self.assertEqual(reply.get("error", {}).get("code"), code, reply)
        self.assertIn(text, reply["error"]["message"])

    def test_v3_authpriv_is_acknowledged_and_carries_everything(self):
        self.trapd.start()
        self.assert_acknowledged(self.inform(v3(self.port)))
        log = wait_for(lambda: "END" in self.trapd.text() and self.trapd.text(), 5, "the log")
        for expected in (f".1.3.6.1.6.3.1.1.4.1.0 = OID: .{RAISED}",
                         f".{ROOT}.1.20.1.0 = STRING: \"notice-7\"",
                         f".{ROOT}.1.20.2.0 = Counter64: {(5 << 32) + 7}",
                         f".{ROOT}.1.20.6.0 = INTEGER: 2",
                         f".{ROOT}.1.20.12.0 = STRING: \"connection refused\"",
                         f".{ROOT}.1.20.13.0 = Hex-STRING: 07 EA 0B 16 02 1F 27 05 2B 00 00",
                         f".{ROOT}.1.20.14.0 = Gauge32: 4294967295"):
            self.assertIn(expected, log)
        self.assertRegex(log, r"\.1\.3\.6\.1\.2\.1\.1\.3\.0 = Timeticks: \(4200\)")
        self.assertEqual(log.count("END"), 1)

    def test_v2c_is_acknowledged(self):
        self.trapd.start()
        self.assert_acknowledged(self.inform({
            "host": f"127.0.0.1:{self.port}", "version": "2c", "community": "public",
            "timeout_msec": 3000, "varbinds": varbinds()}))
        wait_for(lambda: RAISED in self.trapd.text(), 5, "the log")

    def test_ipv6(self):
        port = free_port(socket.AF_INET6, "::1")
        six = trapd(self.scratch, "trapd6", f"udp6:[::1]:{port}").start()
        self.assert_acknowledged(self.inform(v3(port, host="[::1]")))
        wait_for(lambda: RAISED in six.text(), 5, "the log")

    def test_wrong_passwords_are_usm_errors_and_nothing_is_delivered(self):
        self.trapd.start()
        self.assert_error(self.inform(v3(self.port, auth_password="not-the-password")),
                          "usm", "usmStatsWrongDigests")
        self.assert_error(self.inform(v3(self.port, user="nobody")), "usm",
                          "usmStatsUnknownUserNames")
        # A wrong privacy password: the peer cannot decrypt, or reads nonsense and keeps silent.
        reply = self.inform(v3(self.port, priv_password="not-the-password", timeout_msec=1000))
        self.assertIn(reply["error"]["code"], ("usm", "timeout"))
        self.assertNotIn(RAISED, self.trapd.text())
        # The right one works beside them, in the same process and for the same engine and user.
        self.assert_acknowledged(self.inform(v3(self.port)))

    def test_right_and_wrong_passwords_at_once(self):
        self.trapd.start()
        right = [self.snmp.call("inform", v3(self.port)) for _ in range(20)]
        wrong = [self.snmp.call("inform", v3(self.port, auth_password="not-the-password"))
                 for _ in range(20)]
        right += [self.snmp.call("inform", v3(self.port)) for _ in range(20)]
        for number in right:
            self.assert_acknowledged(self.snmp.answer(number))
        for number in wrong:
            self.assertIn(self.snmp.answer(number)["error"]["code"], ("usm", "timeout"))
        self.assertEqual(self.trapd.text().count("END"), 40)

    def test_dead_sink_times_out_in_time(self):
        began = time.monotonic()
        self.assert_error(self.inform(v3(self.port, timeout_msec=900)), "timeout")
        v2c = {"host": f"127.0.0.1:{self.port}", "version": "2c", "community": "public",
               "timeout_msec": 900, "varbinds": varbinds()}
        self.assert_error(self.inform(v2c), "timeout")
        self.assertLess(time.monotonic() - began, 60)
        self.trapd.start()
        self.assert_acknowledged(self.inform(v3(self.port)))

    def test_frozen_sink_holds_nobody_up(self):
        other_port = free_port()
        other = trapd(self.scratch, "other", f"udp:127.0.0.1:{other_port}").start()
        self.trapd.start()
        self.assert_acknowledged(self.inform(v3(self.port)))
        self.trapd.signal(signal.SIGSTOP)
        frozen = [self.snmp.call("inform", v3(self.port, timeout_msec=3000)) for _ in range(100)]
        slowest = 0.0
        for n in range(100):
            began = time.monotonic()
            self.assert_acknowledged(self.inform(v3(other_port, varbinds=varbinds(sequence=n))))
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 3)  # the frozen one's timeout
        for number in frozen:
            self.assert_error(self.snmp.answer(number), "timeout")
        self.assertEqual(other.text().count("END"), 100)
        self.trapd.signal(signal.SIGCONT)
        wait_for(lambda: "ok" in self.inform(v3(self.port)), 10, "the thawed sink to acknowledge")

    def test_a_burst_is_acknowledged_each_once(self):
        self.trapd.start()
        numbers = [self.snmp.call("inform", v3(self.port, timeout_msec=20000,
                                               varbinds=varbinds(sequence=n)))
                   for n in range(500)]
        for number in numbers:
            self.assert_acknowledged(self.snmp.answer(number, 30))
        found = set(re.findall(r'STRING: "notice-(\d+)"', self.trapd.text()))
        self.assertEqual(found, {str(n) for n in range(500)})

    def test_sink_that_comes_back_as_another_engine(self):
        """Restarted with a new persistent folder it has another engine id."""
        self.trapd.start()
        self.assert_acknowledged(self.inform(v3(self.port)))
        self.trapd.stop()
        self.trapd.start()
        self.assert_acknowledged(self.inform(v3(self.port)))

    def test_sink_whose_boots_went_back(self):
        engine = "engineID tend-test-engine"
        port = free_port()
        first = trapd(self.scratch, "boots", f"udp:127.0.0.1:{port}", more=engine)
        # The same persistent folder twice: boots rise; then a fresh one: boots begin anew.
        for n_starts in (0, 0, 1):
            first.n_starts = n_starts
            first.start()
            wait_for(lambda: "ok" in self.inform(v3(port, timeout_msec=1500)), 15,
                     "the inform to be acknowledged")
            first.stop()

    def test_bad_calls_are_refused(self):
        bad = [
            ({"host": "localhost:162"}, "no name"),
            ({"host": "127.0.0.1"}, "ADDRESS:PORT"),
            ({"host": "127.0.0.1:0"}, "ADDRESS:PORT"),
            ({"host": "::1:162"}, "ADDRESS:PORT"),
            ({"version": "1"}, "version"),
            ({"auth_protocol": "MD5"}, "auth_protocol"),
            ({"priv_protocol": "DES"}, "priv_protocol"),
            ({"auth_password": "short"}, "passwords"),
            ({"user": ""}, "user"),
            ({"varbinds": []}, "varbinds"),
            ({"varbinds": varbinds() + [{"oid": "1.3.x", "type": "s", "value": "x"}]}, "varbind 9"),
            ({"varbinds": varbinds() + [{"oid": "1.3.6", "type": "u", "value": -1}]}, "varbind 9"),
            ({"varbinds": varbinds() + [{"oid": "1.3.6", "type": "q", "value": 1}]}, "varbind 9"),
            ({"timeout_msec": 5}, "timeout_msec"),
        ]
        for change, text in bad:
            with self.subTest(change=change):
                self.assert_error(self.inform(v3(self.port) | change), "send", text)
        self.assert_error(self.snmp.answer(self.snmp.call("outform", {})), "invalid")

    def test_passwords_are_nowhere_to_be_seen(self):
        self.trapd.start()
        self.inform(v3(self.port))
        self.inform(v3(self.port, auth_password="not-the-password"))
        pid = self.snmp.process.pid
        seen = self.snmp.tail()
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                seen += file.read().decode(errors="replace")
        for secret in (AUTH, PRIV, "not-the-password"):
            self.assertNotIn(secret, seen)
        files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        self.assertFalse([name for name in files if name.startswith("/var")], files)

    def test_it_ends_with_its_parent(self):
        self.snmp.call("inform", v3(self.port))
        self.snmp.close()
        self.assertEqual(self.snmp.process.wait(5), 0)

    def test_sinks_are_bounded(self):
        def dead(n, **more):
            return dict({"host": f"127.0.{n}.1:{self.port}", "version": "2c", "timeout_msec": 500,
                         "community": "public", "varbinds": varbinds()}, **more)
        numbers = [self.snmp.call("inform", dead(n)) for n in range(130)]
        codes = [self.snmp.answer(number)["error"]["code"] for number in numbers]
        self.assertEqual(codes, 128 * ["timeout"] + 2 * ["send"])
        # All are idle now: they give way.
        self.assert_error(self.inform(dead(200, timeout_msec=100)), "timeout")
        self.trapd.start()
        self.assert_acknowledged(self.inform(v3(self.port)))

    def test_refused_for_good_and_for_now(self):
        """A receiver that answers with an error: its status comes as the agent of a proxy's would."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
            sink.bind(("127.0.0.1", self.port))
            sink.settimeout(5)
            for status, code in ((1, "rejected"), (5, "busy"), (13, "busy"), (16, "busy"),
                                 (17, "rejected"), (99, "rejected"), (0, None)):
                number = self.snmp.call("inform", self.dead(timeout_msec=5000))
                data, sender = sink.recvfrom(65536)
                at = data.index(b"public") + 6
                self.assertEqual(data[at], 0xa6)
                body = at + (4 if data[at + 1] == 0x82 else 3 if data[at + 1] == 0x81 else 2)
                place = body + 2 + data[body + 1] + 2  # past the request id: the error status
                sink.sendto(data[:at] + b"\xa2" + data[at + 1:place] + bytes([status])
                            + data[place + 1:], sender)
                reply = self.snmp.answer(number)
                self.assertEqual(reply.get("error", {}).get("code"), code, reply)

    def dead(self, **more):
        return dict({"host": f"127.0.0.1:{self.port}", "version": "2c", "community": "public",
                     "timeout_msec": 300, "varbinds": varbinds()}, **more)

    def burst(self, n, **more):
        """How many of `n` at once ended in which error."""
        codes = {}
        for number in [self.snmp.call("inform", self.dead(**more)) for _ in range(n)]:
            error = self.snmp.answer(number, 30)["error"]
            key = error["message"] if error["code"] == "send" else error["code"]
            codes[key] = codes.get(key, 0) + 1
        return codes

    def test_what_waits_is_bounded(self):
        self.assertEqual(self.burst(1500, timeout_msec=2000),
                         {"timeout": 64 + 1024,
                          "too many notices wait for this receiver": 1500 - 64 - 1024})

    def test_memory_stays(self):
        def rss():
            with open(f"/proc/{self.snmp.process.pid}/status", encoding="ascii") as file:
                return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        for _ in range(3):
            self.burst(1000)
        before = rss()
        for _ in range(10):
            self.assertEqual(self.burst(1000), {"timeout": 1000})
        self.assertLess(rss() - before, 4000)  # a leak of 400 bytes each would show


if __name__ == "__main__":
    unittest.main()
