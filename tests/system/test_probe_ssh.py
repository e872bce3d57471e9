# SPDX-License-Identifier: MIT
"""The ssh probe against OpenSSH's sshd and dropbear, in all moods."""

import os
import socket
import subprocess
import threading
import unittest

from probes import (Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying, silent,
                    tcp_port)
from snmpbox import Scratch


def forward(source, target):
    try:
        while True:
            data = source.recv(4096)
            if not data:
                return
            target.sendall(data)
    except OSError:
        pass


class Ssh(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.key = self.scratch.file("key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)

    def sshd(self, *lines):
        os.makedirs("/run/sshd", exist_ok=True)
        port = tcp_port()
        config = self.scratch.file(f"sshd{port}", "\n".join([
            f"Port {port}", "ListenAddress 127.0.0.1", "ListenAddress ::1", f"HostKey {self.key}",
            "PidFile none", "UsePAM no", *lines]) + "\n")
        return Server(self, ["/usr/sbin/sshd", "-D", "-f", config], lambda: answers(port)), port

    def fingerprint(self, path):
        return subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True,
                              text=True).stdout.split()[1]

    def test_host_keys(self):
        options = {"probe": "ssh", "host": "127.0.0.1"}
        checks, mine = {}, self.fingerprint(self.key)
        for kind, bits in (("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"),
                           ("ecdsa", "521"), ("rsa", "3072")):
            name = f"{kind}-{bits}"
            self.key = self.scratch.file(name)
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", self.key],
                           check=True)
            _, port = self.sshd()
            checks[name] = {**options, "port": port,
                            "host_keys": f"{mine}, {self.fingerprint(self.key)}"}
            checks[f"other-{name}"] = {**options, "port": port, "host_keys": mine}
        drop = tcp_port()
        out = subprocess.run(["dropbearkey", "-t", "ed25519", "-f", self.scratch.file("drop")],
                             check=True, capture_output=True, text=True).stdout
        Server(self, ["dropbear", "-F", "-E", "-r", self.scratch.file("drop"), "-p",
                      f"127.0.0.1:{drop}", "-P", self.scratch.file("droppid")],
               lambda: answers(drop))
        with open(self.scratch.file("drop.pub"), "w", encoding="ascii") as file:
            file.write([line for line in out.splitlines() if line.startswith("ssh-")][0] + "\n")
        checks["dropbear"] = {**options, "port": drop,
                              "host_keys": self.fingerprint(self.scratch.file("drop.pub"))}
        relay = Odd(self, self.tampering(checks["ed25519-256"]["port"]))
        checks["tampered"] = {**checks["ed25519-256"], "port": relay.port}
        checks["garbage"] = {**checks["ed25519-256"], "port": Odd(self, saying(
            b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x63" + b"\0" * 30)).port}
        checks["no-more"] = {**checks["ed25519-256"],
                             "port": Odd(self, saying(b"SSH-2.0-x\r\n")).port}
        probes = Probes(self, checks)
        for name in checks:
            if name.startswith("other-"):
                self.check(probes, name, "undeclared", "is not one of the declared")
            elif name[0] in "er" or name == "dropbear":
                self.check(probes, name, "ok", "SHA256:")
        self.check(probes, "tampered", "protocol", "does not hold the host key")
        self.check(probes, "garbage", "protocol", "does not belong")
        self.check(probes, "no-more", "too-slow", "exchanging keys")

    def tampering(self, port):
        """Somebody in between: all goes through, but one bit of what the server hears of us."""
        def talk(sock):
            with socket.create_connection(("127.0.0.1", port)) as far:
                pump = threading.Thread(target=forward, args=(far, sock), daemon=True)
                pump.start()
                said = b""
                while len(said) < 40:
                    said += sock.recv(4096)
                at = said.index(b"\n") + 1 + 5 + 1  # the cookie of our KEXINIT
                far.sendall(said[:at] + bytes([said[at] ^ 1]) + said[at + 1:])
                forward(sock, far)
        return talk

    def check(self, probes, name, reason, words=""):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        return got

    def test_moods(self):
        sshd, port = self.sshd()
        _, narrow = self.sshd("MaxStartups 1:100:1", "LoginGraceTime 60")
        drop = tcp_port()
        subprocess.run(["dropbearkey", "-t", "ecdsa", "-f", self.scratch.file("dropkey")],
                       check=True, capture_output=True)
        Server(self, ["dropbear", "-F", "-E", "-r", self.scratch.file("dropkey"), "-p",
                      f"127.0.0.1:{drop}", "-P", self.scratch.file("droppid")],
               lambda: answers(drop))
        odd = {"garbage": saying(b"\x00\x01\x02\n"), "mail": saying(b"220 mail\r\n" * 80),
               "old": saying(b"SSH-1.5-OldSSH_1\n"), "silent": silent, "hang-up": hanging_up,
               "bare": saying(b"SSH-2.0\r\n"), "endless": saying(b"x" * 5000),
               "wordy": saying(b"Welcome.\r\nNo entry.\r\nSSH-2.0-Some_1.0 odd\r\n"),
               "denied": saying(b"Not allowed at this time\r\n"), "half": saying(b"SSH-2.0-Op")}
        checks = {
            "well": {"port": port, "version": "^OpenSSH_9\\."},
            "v6": {"host": "::1", "port": port},
            "dropbear": {"port": drop, "version": "^dropbear"},
            "other": {"port": port, "version": "^OpenSSH_[1-8]\\."},
            "narrow": {"port": narrow},
            "half-open": {"port": full_backlog(self)},
            "no-name": {"host": "nothing.invalid"},
        }
        for six, host in (("", "127.0.0.1"), ("6", "::1")):
            checks["slow" + six] = {"host": host, "port": Slow(self, port, host).port,
                                    "critical.banner_seconds": 0.1}
        checks["narrow6"] = {"host": "::1", "port": narrow}
        for name, talk in odd.items():
            checks[name] = {"port": Odd(self, talk).port}
            checks[name + "6"] = {"host": "::1", "port": Odd(self, talk, "::1").port}
        probes = Probes(self, {name: {"probe": "ssh", "host": "127.0.0.1", **options}
                               for name, options in checks.items()}, timeout="600ms")
        got = self.check(probes, "well", "ok", "SSH 2.0, 'OpenSSH_9")
        self.assertGreater(got.metrics["banner_seconds"], 0)
        self.check(probes, "v6", "ok")
        self.check(probes, "dropbear", "ok", "dropbear")
        self.check(probes, "other", "version-mismatch", "expected /^OpenSSH_[1-8]")
        with socket.create_connection(("127.0.0.1", narrow)) as first:
            first.recv(10)
            self.check(probes, "narrow", "connections-full", "MaxStartups")
            self.check(probes, "narrow6", "connections-full", "MaxStartups")
        self.check(probes, "half-open", "connect-timeout")
        self.check(probes, "no-name", "dns-failed")
        self.check(probes, "slow", "threshold", "banner_seconds")
        self.check(probes, "slow6", "threshold", "banner_seconds")
        for name in ("garbage", "mail", "bare", "endless", "hang-up"):
            self.check(probes, name, "protocol")
            self.check(probes, name + "6", "protocol")
        self.check(probes, "old", "version-mismatch", "SSH 1.5")
        self.check(probes, "wordy", "ok", "Some_1.0 odd")
        self.check(probes, "denied", "access-denied")
        self.check(probes, "silent", "too-slow", "waiting for the banner")
        self.check(probes, "half", "too-slow")
        with sshd.frozen():
            self.check(probes, "well", "too-slow", "waiting for the banner")
            self.check(probes, "v6", "too-slow", "waiting for the banner")
        self.check(probes, "well", "ok")
        sshd.kill()
        self.check(probes, "well", "connect-refused")
        self.check(probes, "v6", "connect-refused")


if __name__ == "__main__":
    unittest.main()
