# SPDX-License-Identifier: MIT
"""The redis probe against real Redis servers, alone and as master and replica, in all moods."""

import os
import socket
import unittest

from probes import (Authority, Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying,
                    silent, tcp_port)
from snmpbox import Scratch
from tendbox import wait_for

PASSWORD = "correct-horse"


class Client:
    """One command a line, as redis-cli sends them; the answer as it comes."""

    def __init__(self, port, password=None, timeout=5):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.sock.makefile("rb")
        if password:
            self.say("AUTH", password)

    def send(self, *words):
        self.sock.sendall(f"*{len(words)}\r\n".encode() + b"".join(
            f"${len(word)}\r\n{word}\r\n".encode() for word in words))

    def say(self, *words):
        self.send(*words)
        line = self.file.readline().decode().rstrip()
        if line.startswith("$") and line != "$-1":
            return self.file.read(int(line[1:]) + 2).decode()
        return line

    def close(self):
        self.file.close()
        self.sock.close()


class Redis(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def server(self, name, *lines):
        """(Server, port): a redis-server with a folder of its own."""
        folder = self.scratch.file(name)
        os.makedirs(folder, exist_ok=True)
        port = tcp_port()
        text = [f"port {port}", "bind 127.0.0.1 ::1", f"dir {folder}", "save \"\"",
                "repl-diskless-sync-delay 0", "lua-time-limit 100", *lines]
        config = self.scratch.file(f"{name}.conf", "\n".join(text) + "\n")
        return Server(self, ["redis-server", config], lambda: answers(port)), port

    def client(self, port, password=None):
        client = Client(port, password)
        self.addCleanup(client.close)
        return client

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, wanted in metrics.items():
            self.assertEqual(got.metrics[metric], wanted, got)
        return got

    def test_alone(self):
        server, port = self.server("alone", "user default off", "enable-protected-configs yes",
                                   f"user watcher on >{PASSWORD} +info +select +type +llen +xlen "
                                   "+zcard +scard ~*", f"user blind on >{PASSWORD} +ping",
                                   f"user admin on >{PASSWORD} +@all ~* &*",
                                   "maxmemory 100mb", "maxclients 20")
        admin = self.client(port)
        admin.say("AUTH", "admin", PASSWORD)
        for i in range(7):
            admin.say("RPUSH", "mail", str(i))
        for i in range(3):
            admin.say("XADD", "events", "*", "n", str(i))
        admin.say("ZADD", "later", "1", "a")
        admin.say("SET", "plain", "text")
        for name, text in (("password", PASSWORD), ("wrong", "wrong-horse")):
            os.chmod(self.scratch.file(name, text + "\n"), 0o600)
        local = {"host": "127.0.0.1", "port": port, "user": "watcher",
                 "password": f"file:{self.scratch.file('password')}"}
        checks = {
            "well": {**local, "queues": "mail, events, later, empty", "role": "master"},
            "v6": {**local, "host": "::1"},
            "wrong": {**local, "password": f"file:{self.scratch.file('wrong')}"},
            "nobody": {"host": "127.0.0.1", "port": port},
            "blind": {**local, "user": "blind"},
            "replica": {**local, "role": "replica"},
            "fewer": {**local, "min_replicas": 1},
            "no-queue": {**local, "queues": "plain"},
            "no-db": {**local, "db": 99},
            "old": {**local, "max_save_age": "1ms"},
            "high": {**local, "queues": "mail, events", "critical.queue_length": "5"},
            "garbage": {"host": "127.0.0.1", "port": Odd(self, saying(
                b"HTTP/1.1 400 Bad Request\r\n\r\n")).port},
            "lying": {"host": "127.0.0.1", "port": Odd(self, saying(b"$5\r\nhello\r\n")).port},
            "half": {"host": "127.0.0.1", "port": Odd(self, saying(b"$500\r\nredis_")).port},
            "silent": {"host": "127.0.0.1", "port": Odd(self, silent).port},
            "hang-up": {"host": "127.0.0.1", "port": Odd(self, hanging_up).port},
            "half-open": {"host": "127.0.0.1", "port": full_backlog(self)},
        }
        for name in ("wrong", "nobody", "blind"):
            checks[name + "6"] = {**checks[name], "host": "::1"}
        for six, host in (("", "127.0.0.1"), ("6", "::1")):
            checks["slow" + six] = {**local, "host": host, "port": Slow(self, port, host).port,
                                    "critical.answer_seconds": 0.1}
        checks["garbage6"] = {"host": "::1", "port": Odd(self, saying(
            b"HTTP/1.1 400 Bad Request\r\n\r\n"), "::1").port}
        probes = Probes(self, {name: {"probe": "redis", **options}
                               for name, options in checks.items()}, timeout="800ms")
        got = self.check(probes, "well", "ok", "Redis 7", **{
            "queue_length/mail": 7, "queue_length/events": 3, "queue_length/later": 1,
            "queue_length/empty": 0, "replicas": 0, "keys": 4})
        for name in ("memory_bytes", "memory_pct", "clients_pct", "answer_seconds", "evicted_total",
                     "unsaved_changes"):
            self.assertIn(name, got.metrics)
        self.assertIn("evicted_per_second", probes.run("well").metrics)
        self.check(probes, "v6", "ok")
        self.check(probes, "wrong", "auth-failed", "WRONGPASS")
        self.check(probes, "nobody", "auth-failed", "NOAUTH")
        self.check(probes, "blind", "access-denied", "NOPERM")
        self.check(probes, "wrong6", "auth-failed", "WRONGPASS")
        self.check(probes, "nobody6", "auth-failed", "NOAUTH")
        self.check(probes, "blind6", "access-denied", "NOPERM")
        self.check(probes, "slow", "threshold", "answer_seconds")
        self.check(probes, "slow6", "threshold", "answer_seconds")
        self.check(probes, "garbage6", "protocol", "does not speak Redis")
        self.check(probes, "replica", "replication-broken", "it is a master, no replica")
        self.check(probes, "fewer", "replication-broken", "0 replicas are online, 1 are wanted")
        self.check(probes, "no-queue", "content-unexpected", "'plain' is a string, no queue")
        self.check(probes, "no-db", "database-missing", "out of range")
        self.check(probes, "old", "stale", "changes are not saved")
        self.check(probes, "high", "threshold", "queue_length")
        self.check(probes, "garbage", "protocol", "does not speak Redis: 'HTTP/1.1 400")
        self.check(probes, "lying", "protocol", "INFO is answered with 'hello'")
        self.check(probes, "half", "too-slow", "waiting for the answer to INFO")
        self.check(probes, "silent", "too-slow")
        self.check(probes, "hang-up", "protocol")
        self.check(probes, "half-open", "connect-timeout")

        self.save_fails(admin)
        self.check(probes, "well", "read-only", "the last save failed")
        self.busy(port, lambda: self.check(probes, "well", "locked", "BUSY"))
        with server.frozen():
            self.check(probes, "well", "too-slow")
            self.check(probes, "v6", "too-slow")
        # Those of the frozen time are still to be taken off, and leave room when they are.
        wait_for(lambda: "connected_clients:3\r" in admin.say("INFO"), 5, "the rest to be gone")
        crowd = [Client(port) for _ in range(17)]
        self.check(probes, "well", "connections-full", "max number of clients")
        for client in crowd:
            client.close()
        server.kill()
        self.check(probes, "well", "connect-refused")
        self.check(probes, "v6", "connect-refused")

    def save_fails(self, admin):
        folder = self.scratch.file("gone")
        os.mkdir(folder)
        self.assertEqual(admin.say("CONFIG", "SET", "dir", folder), "+OK")
        os.rmdir(folder)
        admin.say("BGSAVE")
        wait_for(lambda: "rdb_last_bgsave_status:err" in admin.say("INFO"), 5, "the save to fail")

    def busy(self, port, then):
        loop, killer = self.client(port), self.client(port)
        loop.say("AUTH", "admin", PASSWORD)
        killer.say("AUTH", "admin", PASSWORD)
        loop.send("EVAL", "while true do end", "0")
        wait_for(lambda: "BUSY" in killer.say("GET", "x"), 5, "the script to be in the way")
        then()
        self.assertEqual(killer.say("SCRIPT", "KILL"), "+OK")

    def test_replication(self):
        master, port = self.server("master")
        _, copy = self.server("replica", f"replicaof 127.0.0.1 {port}",
                                    "repl-timeout 2")
        client = self.client(copy)
        wait_for(lambda: "master_link_status:up" in client.say("INFO"), 10, "the replica to follow")
        watcher = self.client(port)
        wait_for(lambda: "state=online" in watcher.say("INFO"), 10, "the master to know it")
        checks = {
            "master": {"port": port, "min_replicas": 1, "role": "master"},
            "copy": {"port": copy, "role": "replica"},
            "as-master": {"port": copy, "role": "master"},
        }
        probes = Probes(self, {name: {"probe": "redis", "host": "127.0.0.1", **options}
                               for name, options in checks.items()})
        got = self.check(probes, "master", "ok", replicas=1)
        self.assertIn(f"replica_lag_bytes/127.0.0.1:{copy}", got.metrics)
        self.assertIn(f"replica_lag_seconds/127.0.0.1:{copy}", got.metrics)
        self.assertIn("master_silent_seconds", self.check(probes, "copy", "ok").metrics)
        self.check(probes, "as-master", "read-only", "it is a replica of 127.0.0.1")
        master.kill()
        wait_for(lambda: "master_link_status:down" in client.say("INFO"), 5, "the link to be down")
        got = self.check(probes, "copy", "replication-broken", "the link to its master")
        self.assertIn("link_down_seconds", got.metrics)
        self.check(probes, "master", "connect-refused")

    def test_writes_refused(self):
        """INFO tells why, and nothing has to be written to find it out."""
        _, port = self.server("full")
        admin = self.client(port)
        probes = Probes(self, {"full": {"probe": "redis", "host": "127.0.0.1", "port": port}})
        self.check(probes, "full", "ok")
        admin.say("CONFIG", "SET", "min-replicas-to-write", "1")
        self.assertIn("NOREPLICAS", admin.say("SET", "x", "y"))
        self.check(probes, "full", "read-only", "no replica is near enough")
        admin.say("CONFIG", "SET", "min-replicas-to-write", "0")
        admin.say("CONFIG", "SET", "maxmemory", "100kb")
        self.assertIn("OOM", admin.say("SET", "x", "y"))
        self.check(probes, "full", "read-only", "maxmemory")
        admin.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.check(probes, "full", "ok")

    def test_loading(self):
        server, port = self.server("load")
        client = self.client(port)
        for i in range(200):
            client.send("SET", f"key{i}", "x" * 2000)
            client.file.readline()
        self.assertEqual(client.say("SAVE"), "+OK")
        server.kill()
        with open(self.scratch.file("load.conf"), "a", encoding="utf-8") as config:
            config.write("key-load-delay 20000\nloading-process-events-interval-bytes 1024\n")
        server.start()
        probes = Probes(self, {"load": {"probe": "redis", "host": "127.0.0.1", "port": port,
                                        "queues": "key1"}})
        got = self.check(probes, "load", "starting")
        self.assertFalse({"memory_bytes", "keys", "queue_length/key1"} & set(got.metrics), got)
        server.kill()

    def test_tls(self):
        ca = Authority(self.scratch.file("ca"))
        cert, key = ca.issue("redis")
        port = tcp_port()
        self.server("tls", f"tls-port {port}", f"tls-cert-file {cert}", f"tls-key-file {key}",
                    f"tls-ca-cert-file {ca.path('ca.pem')}")
        with open(self.scratch.file("both.pem"), "w", encoding="utf-8") as both:
            for path in (cert, key):
                with open(path, encoding="utf-8") as file:
                    both.write(file.read())
        os.chmod(both.name, 0o600)
        options = {"probe": "redis", "host": "127.0.0.1", "port": port, "tls": "yes",
                   "ca_file": ca.path("ca.pem"), "client_certificate": f"file:{both.name}"}
        probes = Probes(self, {
            "well": options,
            "stranger": {**options, "ca_file": "/etc/ssl/certs/ca-certificates.crt"},
            "nobody": {key: value for key, value in options.items() if "client" not in key},
            "plain": {**options, "tls": "no"}})
        self.check(probes, "well", "ok")
        self.check(probes, "stranger", "tls-untrusted")
        self.check(probes, "nobody", "auth-failed", "wants a certificate of ours")
        self.check(probes, "plain", "protocol")


if __name__ == "__main__":
    unittest.main()
