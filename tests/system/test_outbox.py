# SPDX-License-Identifier: MIT
"""Was it delivered? tendctl delivery, receiver and a heartbeat, with tendd and webhook sinks as plain
processes."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import unittest

from tendbox import wait_for
from snmpbox import BUILD, Scratch, end

SINK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tendbox/guest/webhook_sink.py")
SECRET = "whsec_" + base64.b64encode(b"an outbox: thirty-two bytes, key").decode()
TOKEN = "T0123456789-of-a-webhook"


def tcp_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Outbox(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        for name in ("state", "run", "libexec"):
            os.mkdir(self.scratch.file(name))
        for program in ("snmp/tend-snmp", "snmp/tend-agentx", "run/tend-run"):
            path = os.path.abspath(os.path.join(BUILD, "daemon", program))
            os.symlink(path, self.scratch.file(f"libexec/{os.path.basename(path)}"))
        os.chmod(self.scratch.file("secret", SECRET + "\n"), 0o600)
        self.ports = {name: tcp_port() for name in ("ops", "night")}
        self.log_path = self.scratch.file("tendd.log")

    # ---- the parts ----

    def sink(self, name):
        sink = self.scratch.spawn(
            [sys.executable, "-B", SINK, "--port", str(self.ports[name]), "--log",
             self.scratch.file(f"{name}.jsonl"), "--secret-file", self.scratch.file("secret"),
             "--behaviour", self.scratch.file(f"{name}.json")], stderr=subprocess.DEVNULL)

        def listens():
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", self.ports[name])) == 0
        wait_for(listens, 20, f"the sink of {name}")
        return sink

    def behave(self, name, **how):
        self.scratch.file(f"{name}.new", json.dumps(how))
        os.rename(self.scratch.file(f"{name}.new"), self.scratch.file(f"{name}.json"))

    def heard(self, name):
        try:
            with open(self.scratch.file(f"{name}.jsonl"), encoding="utf-8") as file:
                return [json.loads(line) for line in file.read().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def start(self, more="", receivers=("ops",)):
        text = (f"[daemon]\nstate_dir = {self.scratch.path}/state\n"
                f"run_dir = {self.scratch.path}/run\nlibexec_dir = {self.scratch.path}/libexec\n"
                f"exec_socket = {self.scratch.path}/exec.sock\n")
        for name in receivers:
            text += (f"[receiver {name}]\ntype = webhook\n"
                     f"url = http://127.0.0.1:{self.ports[name]}/{TOKEN}\n"
                     f"secret = file:{self.scratch.path}/secret\nretry_min = 100ms\n"
                     f"retry_max = 500ms\n{more}\n")
        self.config = self.scratch.file("tend.conf", text)
        self.run_tendd()

    def run_tendd(self):
        with open(self.log_path, "ab") as log:
            self.tendd = self.scratch.spawn(
                [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", self.config, "--plugin-dir",
                 os.path.join(BUILD, "plugins")], stdout=log, stderr=log)
        wait_for(lambda: self.tendctl("receiver", "list")[0] == 0, 30, "tendd to answer")

    def tendctl(self, *words):
        done = subprocess.run(
            [os.path.join(BUILD, "daemon/ctl/tendctl"), "--socket",
             self.scratch.file("run/tend.sock"), *words], check=False, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def json(self, *words):
        code, out = self.tendctl("-o", "json", *words)
        return code, json.loads(out)

    # ---- the tests ----

    def test_by_hand(self):
        """A test notice, and every try of it, with codes and answers but no secrets."""
        self.sink("ops")
        self.start()
        code, answer = self.json("receiver", "test", "ops")
        self.assertEqual((code, answer["state"], answer["tries"]), (0, "delivered", 1), answer)
        entry, = self.heard("ops")
        self.assertTrue(entry["verified"])
        self.assertEqual((entry["id"], entry["body"]["type"]), (answer["notice"], "tend.test"))

        self.behave("ops", status=400)
        code, answer = self.json("receiver", "test", "ops")
        self.assertEqual((code, answer["state"]), (1, "failed"), answer)
        self.assertIn("400", answer["error"])

        self.behave("ops", status=503)
        code, answer = self.json("receiver", "test", "ops")
        self.assertEqual((code, answer["state"]), (1, "waiting"), answer)
        self.behave("ops")

        def shown():
            return self.json("delivery", "show", answer["notice"])[1]
        wait_for(lambda: shown()["deliveries"][0]["state"] == "delivered", 40, "the delivery")
        wait_for(lambda: shown()["attempts"][-1]["code"] == 204, 10, "the last try to be written")
        doc = shown()
        codes = [one["code"] for one in doc["attempts"]]
        self.assertEqual(codes, [503] * (len(codes) - 1) + [204])
        self.assertEqual([one["n"] for one in doc["attempts"]], list(range(1, len(codes) + 1)))
        self.assertEqual(doc["deliveries"][0]["tries"], len(codes))
        self.assertEqual(doc["notice"]["kind"], "test")
        code, page = self.tendctl("delivery", "show", answer["notice"])
        self.assertEqual(code, 0)
        self.assertIn("503", page)
        self.assertNotIn(TOKEN, page)
        self.assertEqual(self.tendctl("delivery", "show", "00000000-no")[0], 1)
        self.assertEqual(self.tendctl("receiver", "test", "nobody")[0], 1)
        code, page = self.tendctl("receiver", "show", "ops")
        self.assertIn("Delivered a minute", page)
        self.assertNotIn(TOKEN, page)

    def test_status_names_it(self):
        """One that refuses everything, and one that does not answer, until they are well."""
        def problem():
            lines = [line for line in self.tendctl("status")[1].splitlines()
                     if line.startswith("problem:") and "receiver 'ops'" in line]
            return lines[0] if lines else None
        self.sink("ops")
        self.start()
        self.behave("ops", status=404)
        for _ in range(3):
            self.assertIsNone(problem())
            self.assertEqual(self.json("receiver", "test", "ops")[1]["state"], "failed")
        self.assertIn("404", problem())
        self.behave("ops")
        self.assertEqual(self.json("receiver", "test", "ops")[1]["state"], "delivered")
        self.assertIsNone(problem())
        self.behave("ops", status=503)
        self.assertEqual(self.json("receiver", "test", "ops")[1]["state"], "waiting")
        self.assertIn("1 notices wait", problem())
        self.behave("ops")
        wait_for(lambda: problem() is None, 40, "the problem to go")

    def test_crash(self):
        """kill -9 while notices wait for a receiver that is away: each arrives, once its id."""
        self.start("heartbeat = 1h")
        ids = []

        def waiting():
            rows = self.json("delivery", "list")[1]
            return [row["notice"] for row in rows if row["notice"] not in ids]
        for _ in range(3):
            self.scratch.spawn([os.path.join(BUILD, "daemon/ctl/tendctl"), "--socket",
                                self.scratch.file("run/tend.sock"), "receiver", "test", "ops"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(lambda: waiting(), 20, "the notice")
            ids += waiting()
            # It is released, and then tried, when the store has it.
            wait_for(lambda: self.json("receiver", "show", "ops")[1]["tries"] > 0, 20, "a try")
            self.tendd.send_signal(signal.SIGKILL)
            self.tendd.wait()
            self.run_tendd()
        self.sink("ops")

        def arrived():
            return [one for one in self.heard("ops") if one["body"]["type"] == "tend.test"]
        wait_for(lambda: len({one["id"] for one in arrived()}) == 3, 60, "the notices")
        first = list(dict.fromkeys(one["id"] for one in arrived()))
        self.assertEqual(first, ids)
        sequences = {one["id"]: one["body"]["sequence"] for one in arrived()}
        self.assertEqual([sequences[one] for one in ids], ["1", "2", "3"])
        wait_for(lambda: self.json("receiver", "show", "ops")[1]["waiting"] == 0, 30,
                 "nothing to wait")

    def test_heartbeat(self):
        """The watcher outside hears it, and misses it when Tend is stopped."""
        self.sink("night")
        self.start("heartbeat = 1s", receivers=("night",))

        def beats():
            return [one["body"] for one in self.heard("night")
                    if one["body"]["type"] == "tend.heartbeat"]
        wait_for(lambda: len(beats()) >= 3, 30, "three heartbeats")
        data = beats()[-1]["data"]
        for key in ("loop_lag_seconds", "outbox_depth", "config_ok", "store_ok", "actions_enabled",
                    "version", "last_sequence"):
            self.assertIn(key, data)
        self.assertIs(data["config_ok"], True)
        self.assertEqual(beats()[-1]["sequence"], "0")
        self.assertEqual(self.json("delivery", "list")[1], [])
        end(self.tendd)
        n = len(beats())
        self.run_tendd()
        wait_for(lambda: len(beats()) > n, 30, "heartbeats after a restart")
        # A reload that is refused is in the next one.
        self.scratch.file("tend.conf", "[daemon]\nno_such_key = 1\n")
        self.assertNotEqual(self.tendctl("reload")[0], 0)
        wait_for(lambda: beats()[-1]["data"]["config_ok"] is False, 30, "the heartbeat to say so")


if __name__ == "__main__":
    unittest.main()
