# SPDX-License-Identifier: MIT
"""The icmp probe in network namespaces of its own: answered, late, half lost, lost, forbidden, no
route. A host that is frozen is one that is lost; to a ping nobody logs in."""

import concurrent.futures
import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess
import threading
import time
import unittest

from probes import Probes

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
PEER = f"tend-icmp-{os.getpid()}"


def sh(*argv, peer=False):
    subprocess.run([*(["ip", "netns", "exec", PEER] if peer else []), *argv], check=True,
                   capture_output=True)


def allow_ping(groups):
    with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as out:
        out.write(groups)


def pass_on(source, target):
    with contextlib.suppress(OSError):
        while packet := os.read(source, 4096):
            time.sleep(0.05)
            os.write(target, packet)


def slow_wire():
    """To the peer as well, and each way takes 50 ms; the kernels at its ends are the real ones."""
    ends = []
    for name, last in (("slow", 1), ("slowfar", 2)):
        ends.append(os.open("/dev/net/tun", os.O_RDWR))
        fcntl.ioctl(ends[-1], TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        if last == 2:
            sh("ip", "link", "set", name, "netns", PEER)
        sh("ip", "addr", "add", f"10.99.1.{last}/24", "dev", name, peer=last == 2)
        sh("ip", "addr", "add", f"fd98::{last}/64", "dev", name, "nodad", peer=last == 2)
        sh("ip", "link", "set", name, "up", peer=last == 2)
    for source, target in (ends, ends[::-1]):
        threading.Thread(target=pass_on, args=(source, target), daemon=True).start()


class Icmp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """From here on this process lives in a namespace with one wire, to the peer's."""
        sh("ip", "netns", "add", PEER)
        cls.addClassCleanup(sh, "ip", "netns", "del", PEER)
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "wire", "type", "veth", "peer", "name", "far", "netns", PEER)
        for name, last, peer in (("wire", 1, False), ("far", 2, True)):
            sh("ip", "addr", "add", f"10.99.0.{last}/24", "dev", name, peer=peer)
            sh("ip", "addr", "add", f"fd99::{last}/64", "dev", name, "nodad", peer=peer)
            sh("ip", "link", "set", name, "up", peer=peer)
        slow_wire()
        sh("ip", "addr", "add", "10.99.0.3/24", "dev", "far", peer=True)
        sh("ip", "addr", "add", "10.99.0.4/24", "dev", "far", peer=True)
        sh("ip", "addr", "add", "10.99.0.5/24", "dev", "far", peer=True)
        sh("nft", "add table inet t", peer=True)
        sh("nft", "add chain inet t in { type filter hook input priority 0; }", peer=True)
        for last in (3, 5):
            sh("nft", f"add rule inet t in ip daddr 10.99.0.{last} icmp type echo-request "
               "numgen inc mod 2 0 drop", peer=True)
        sh("nft", "add rule inet t in ip daddr 10.99.0.4 drop", peer=True)
        sh("nft", "add table inet own")
        sh("nft", "add chain inet own out { type filter hook output priority 0; }")
        sh("nft", "add rule inet own out ip daddr 10.99.0.66 drop")

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, wanted in metrics.items():
            self.assertEqual(got.metrics[metric], wanted, got)
        return got

    def test_moods(self):
        allow_ping("0 0")
        quick = {"probe": "icmp", "packet_interval": "20ms"}
        checks = {
            "v4": {"host": "10.99.0.2"},
            "v6": {"host": "fd99::2"},
            "here": {"host": "localhost", "family": "ipv4", "packets": 20},
            "large": {"host": "10.99.0.2", "payload": 4000},
            "half": {"host": "10.99.0.3", "packets": 10, "critical.loss_pct": 20},
            "lost": {"host": "10.99.0.4"},
            "lost6": {"host": "fd99::4"},
            "slow": {"host": "10.99.1.2", "critical.rtt_min_seconds": 0.05, "timeout": "4s"},
            "slow6": {"host": "fd98::2", "critical.rtt_min_seconds": 0.05, "timeout": "4s"},
            "nobody": {"host": "10.99.0.77"},
            "no-route": {"host": "192.0.2.1"},
            "forbidden": {"host": "10.99.0.66"},
            "no-name": {"host": "nothing.invalid"},
            "no-family": {"host": "10.99.0.2", "family": "ipv6"},
            "no-time": {"host": "10.99.0.2", "packet_interval": "500ms"},
        }
        many = {f"many{i}": {"host": ("10.99.0.2", "fd99::2", "10.99.0.5")[i % 3],
                             "packets": 20} for i in range(60)}
        probes = Probes(self, {name: {**quick, **options}
                               for name, options in {**checks, **many}.items()})
        for name in ("v4", "v6", "here", "large"):
            got = self.check(probes, name, "ok", loss_pct=0)
            self.assertTrue(0 < got.metrics["rtt_min_seconds"] <= got.metrics["rtt_avg_seconds"]
                            <= got.metrics["rtt_max_seconds"] < 0.5, got)
            self.assertGreaterEqual(got.metrics["jitter_seconds"], 0)
        self.check(probes, "half", "threshold", "loss_pct", loss_pct=50)
        got = self.check(probes, "lost", "no-reply", "none of 5", loss_pct=100)
        self.assertNotIn("rtt_avg_seconds", got.metrics)
        self.check(probes, "lost6", "no-reply", "none of 5", loss_pct=100)
        self.check(probes, "slow", "threshold", "rtt_min_seconds", loss_pct=0)
        self.check(probes, "slow6", "threshold", "rtt_min_seconds", loss_pct=0)
        self.check(probes, "nobody", "no-reply", loss_pct=100)
        self.check(probes, "no-route", "connect-failed", "unreachable")
        self.check(probes, "forbidden", "access-denied", "packet filter")
        self.check(probes, "no-name", "dns-failed")
        self.check(probes, "no-family", "dns-failed", "no address of this family")
        self.check(probes, "no-time", "internal", "leaves no time for 5 packets")
        shared = []
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            for name, got in zip(many, pool.map(probes.run, many)):
                if many[name]["host"] == "10.99.0.5":
                    shared.append(got.metrics["loss_pct"])
                    continue
                self.assertEqual((got.reason, got.metrics["loss_pct"]), ("ok", 0), (name, got))
        # The filter counts the packets of all who ask that host: each may lose none, or every one,
        # but together they lose half.
        self.assertAlmostEqual(sum(shared) / len(shared), 50, delta=10)

    def test_no_socket(self):
        allow_ping("1 0")
        probes = Probes(self, {"v4": {"probe": "icmp", "host": "10.99.0.2"},
                               "v6": {"probe": "icmp", "host": "fd99::2"}})
        self.check(probes, "v4", "no-evidence", "ping_group_range")
        self.check(probes, "v6", "no-evidence", "ping_group_range")
        allow_ping("0 0")
        self.check(probes, "v4", "ok")
        self.check(probes, "v6", "ok")


if __name__ == "__main__":
    unittest.main()
