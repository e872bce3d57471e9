# SPDX-License-Identifier: MIT
"""The tcp probe against Redis and servers of ours, in all moods; its TLS is in test_probe_tls.py."""

import os
import socket
import threading
import time
import unittest

from probes import (Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying, silent,
                    tcp_port)
from snmpbox import Scratch


def slow(sock):
    """Right, but late."""
    sock.recv(100)
    time.sleep(0.3)
    sock.sendall(b"HELLO\r\n")
    silent(sock)


def dribbling(sock):
    """A byte now and then, for ever."""
    while True:
        sock.sendall(b"x")
        time.sleep(0.05)


class Tcp(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric in metrics:
            self.assertIn(metric, got.metrics, got)
        return got

    def test_moods(self):
        echo = Server(self, ["python3", "-c", ECHO], lambda: os.path.exists(self.path("ports")),
                      cwd=self.scratch.path)
        with open(self.path("ports"), encoding="utf-8") as file:
            port4, port6 = (int(word) for word in file.read().split())
        talk = {"send": "hello\\r\\n", "expect": "^HELLO", "quit": "bye\\n"}
        half_open = full_backlog(self)
        odd = {"silent": silent, "garbage": saying(b"\x00\xff\x01nonsense"),
               "hang-up": hanging_up, "slow": slow, "dribbling": dribbling, "endless": saying(b"x" * 20000),
               "bomb": saying(b"a" * 400 + b"!")}
        checks = {
            "v4": {"host": "127.0.0.1", "port": port4, **talk},
            "v6": {"host": "::1", "port": port6, **talk},
            "bracket": {"host": "[::1]", "port": port6},
            "either": {"host": "localhost", "port": port4, **talk},
            "only-v4": {"host": "::1", "port": port6, "family": "ipv4"},
            "no-name": {"host": "nothing.invalid", "port": 1},
            "half-open": {"host": "127.0.0.1", "port": half_open},
            "unix": {"host": "@unix", "expect": "unix"},
            "no-unix": {"host": "@nowhere"},
        }
        for name, how in odd.items():
            checks[name] = {"host": "127.0.0.1", "port": Odd(self, how).port, **talk}
        checks["slow"]["critical.first_byte_seconds"] = 0.2
        checks["bomb"]["expect"] = "(a+)+$"
        checks = {name: {"probe": "tcp", **options} for name, options in checks.items()}
        probes = Probes(self, checks, timeout="700ms")
        self.unix(os.path.join(probes.path, "unix"))

        for name in ("v4", "v6", "either"):
            self.check(probes, name, "ok", "answered 'HELLO'", first_byte_seconds=0,
                       connect_seconds=0, dns_seconds=0, total_seconds=0)
        self.check(probes, "bracket", "ok", "::1 port")
        self.check(probes, "unix", "ok", "unix")
        self.check(probes, "no-unix", "connect-refused", "nowhere")
        self.check(probes, "only-v4", "dns-failed", "no address of this family")
        self.check(probes, "no-name", "dns-failed", "nothing.invalid")
        self.check(probes, "half-open", "connect-timeout", f"127.0.0.1 port {half_open}")
        self.check(probes, "silent", "too-slow", "waiting for the answer")
        self.check(probes, "garbage", "content-unexpected", "'...nonsense'")
        self.check(probes, "hang-up", "protocol", "while waiting for the answer")
        self.check(probes, "endless", "content-unexpected", "'xxx")
        self.check(probes, "bomb", "content-unexpected", "takes too long")
        self.check(probes, "slow", "threshold", "first_byte_seconds")
        self.check(probes, "dribbling", "content-unexpected", "got 'xxx")
        with echo.frozen():
            self.check(probes, "v4", "too-slow")
            self.check(probes, "v6", "too-slow")
        self.check(probes, "v4", "ok")
        echo.kill()
        self.check(probes, "v4", "connect-refused", f"127.0.0.1 port {port4}: Connection refused")
        self.check(probes, "v6", "connect-refused", "::1 port")

    def redis(self, *words):
        """A server that talks when it is spoken to, on both families."""
        port = tcp_port()
        return Server(self, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "::1",
                             "--save", "", "--dir", self.scratch.path, *words],
                      lambda: answers(port)), port

    def test_a_real_server(self):
        server, port = self.redis()
        _, closed = self.redis("--requirepass", "s3cret")
        checks = {}
        for six, host in (("", "127.0.0.1"), ("6", "::1")):
            base = {"probe": "tcp", "host": host, "port": port, "send": "PING\\r\\n",
                    "expect": "^\\+PONG", "quit": "QUIT\\r\\n"}
            checks["well" + six] = base
            checks["slow" + six] = {**base, "port": Slow(self, port, host).port,
                                    "critical.first_byte_seconds": 0.1}
            checks["closed" + six] = {**base, "port": closed}
            checks["garbage" + six] = {**base, "port": Odd(self, saying(b"\0\xff\n"), host).port}
        probes = Probes(self, checks)
        for six in ("", "6"):
            self.check(probes, "well" + six, "ok", "+PONG")
            self.check(probes, "slow" + six, "threshold", "first_byte_seconds")
            # Whoever is not let in gets another answer: what it means is for `expect` to say.
            self.check(probes, "closed" + six, "content-unexpected", "NOAUTH")
            self.check(probes, "garbage" + six, "content-unexpected", "got ")
            with server.frozen():
                self.check(probes, "well" + six, "too-slow", "waiting for the answer")
            self.check(probes, "well" + six, "ok")
        server.kill()
        for six in ("", "6"):
            self.check(probes, "well" + six, "connect-refused")

    def path(self, name):
        return self.scratch.file(name)

    def unix(self, path):
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(4)
        self.addCleanup(server.close)

        def serve():
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                sock.sendall(b"by unix\n")
                sock.recv(1)
                sock.close()
        threading.Thread(target=serve, daemon=True).start()


ECHO = """
import socket, threading
servers = []
for address, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
    server = socket.socket(family)
    server.bind((address, 0))
    server.listen(16)
    servers.append(server)
def one(sock):
    data = b""
    while not data.endswith(b"bye\\n"):
        got = sock.recv(100)
        if not got:
            break
        data += got
        sock.sendall(got.upper())
def serve(server):
    while True:
        threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()
open("ports.new", "w").write(" ".join(str(s.getsockname()[1]) for s in servers))
import os; os.rename("ports.new", "ports")
for server in servers[1:]:
    threading.Thread(target=serve, args=(server,), daemon=True).start()
serve(servers[0])
"""

if __name__ == "__main__":
    unittest.main()
