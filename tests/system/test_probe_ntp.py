# SPDX-License-Identifier: MIT
"""The ntp probe against chronyd, one of them an hour off, and servers that misbehave."""

import socket
import struct
import time
import unittest

from probes import OddUdp, Probes, Server, SlowUdp
from snmpbox import Scratch, free_port

EPOCH = 2208988800


def stamp(at):
    return struct.pack("!2I", int(at) + EPOCH, int(at % 1 * 2**32))


def reply(leap=0, stratum=2, refid=b"TEST", shift=0.0, cookie=None):
    """What a server says to a question, `shift` seconds ahead of us."""
    def answer(data):
        now = time.time() + shift
        return (bytes([leap << 6 | 4 << 3 | 4, stratum, 6, 0xec]) + struct.pack("!2I", 655, 1310) +
                refid + stamp(now - 5) + (data[40:48] if cookie is None else cookie) +
                stamp(now) + stamp(now))
    return answer


def asks_well(port, address="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.3)
        try:
            sock.sendto(b"\x23" + b"\0" * 39 + b"cookie!!", (address, port))
            return len(sock.recv(512)) >= 48
        except OSError:
            return False


class Ntp(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def chronyd(self, name, *lines, address="127.0.0.1", before=()):
        port = free_port()
        config = self.scratch.file(f"{name}.conf", "\n".join([
            f"port {port}", "cmdport 0", "allow", "bindaddress 127.0.0.1", "bindaddress ::1",
            f"pidfile {self.scratch.file(name + '.pid')}", *lines]) + "\n")
        server = Server(self, [*before, "chronyd", "-d", "-x", "-u", "root", "-f", config],
                        lambda: asks_well(port, address))
        return server, port

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, wanted in metrics.items():
            self.assertAlmostEqual(got.metrics[metric], wanted, delta=0.05, msg=got)
        return got

    def test_moods(self):
        well, port = self.chronyd("well", "local stratum 5")
        _, lost = self.chronyd("lost")
        odd = {
            "ahead": reply(shift=3.0), "behind": reply(shift=-3.0), "near": reply(shift=0.2),
            "leap": reply(leap=3), "stratum": reply(stratum=16),
            "rate": reply(stratum=0, refid=b"RATE"), "deny": reply(stratum=0, refid=b"DENY"),
            "spoof": reply(cookie=b"12345678"), "silent": lambda data: None,
            "garbage": lambda data: b"\xff" * 60, "short": lambda data: b"\x24\x02",
            "echo": lambda data: data,
        }
        checks = {
            "well": {"host": "127.0.0.1", "port": port},
            "v6": {"host": "::1", "port": port},
            "named": {"host": "localhost", "port": port, "family": "ipv4"},
            "strict": {"host": "127.0.0.1", "port": port, "critical.stratum": 3},
            "lost": {"host": "127.0.0.1", "port": lost},
            "no-name": {"host": "nothing.invalid"},
            "no-family": {"host": "127.0.0.1", "family": "ipv6"},
            "slow": {"host": "127.0.0.1", "port": SlowUdp(self, port).port, "timeout": "3s",
                     "critical.delay_seconds": 0.1},
            "slow6": {"host": "::1", "port": SlowUdp(self, port, "::1").port, "timeout": "3s",
                      "critical.delay_seconds": 0.1},
        }
        servers = {name: OddUdp(self, answer) for name, answer in odd.items()}
        for name, server in servers.items():
            checks[name] = {"host": "127.0.0.1", "port": server.port}
        for name in ("deny", "silent", "garbage"):
            checks[name + "6"] = {"host": "::1", "port": OddUdp(self, odd[name], "::1").port}
        probes = Probes(self, {name: {"probe": "ntp", "sample_interval": "20ms", **options}
                               for name, options in checks.items()}, timeout="500ms")
        for name in ("well", "v6", "named"):
            got = self.check(probes, name, "ok", "stratum 5, 4 of 4", offset_seconds=0, stratum=5,
                             loss_pct=0, leap=0)
            for metric in ("delay_seconds", "jitter_seconds", "root_dispersion_seconds"):
                self.assertIn(metric, got.metrics)
        self.check(probes, "strict", "threshold", "stratum")
        self.check(probes, "lost", "out-of-sync", "not synchronised")
        self.check(probes, "no-name", "dns-failed")
        self.check(probes, "no-family", "dns-failed")
        self.check(probes, "slow", "threshold", "delay_seconds", stratum=5)
        self.check(probes, "slow6", "threshold", "delay_seconds", stratum=5)
        self.check(probes, "ahead", "out-of-sync", "our clock is 3.0", offset_seconds=3)
        self.check(probes, "behind", "out-of-sync", "ahead of the server's", offset_seconds=-3)
        self.check(probes, "near", "ok", offset_seconds=0.2, root_delay_seconds=0.01,
                   root_dispersion_seconds=0.02)
        self.check(probes, "leap", "out-of-sync", "not synchronised", leap=3)
        self.check(probes, "stratum", "out-of-sync", stratum=16)
        before = servers["rate"].n
        self.check(probes, "rate", "quota", "RATE")
        self.assertEqual(servers["rate"].n - before, 1)  # it was told to be quiet
        self.check(probes, "deny", "access-denied", "DENY")
        self.check(probes, "spoof", "protocol")
        self.check(probes, "silent", "no-reply", "none of 4")
        self.check(probes, "deny6", "access-denied", "DENY")
        self.check(probes, "silent6", "no-reply", "none of 4")
        for name in ("garbage", "garbage6", "short", "echo"):
            self.check(probes, name, "protocol")
        with well.frozen():
            self.check(probes, "well", "no-reply")
            self.check(probes, "v6", "no-reply")
        self.check(probes, "well", "ok")
        self.check(probes, "v6", "ok")
        well.kill()
        self.check(probes, "well", "connect-refused")
        self.check(probes, "v6", "connect-refused")


if __name__ == "__main__":
    unittest.main()
