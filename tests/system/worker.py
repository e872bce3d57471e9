# SPDX-License-Identifier: MIT
"""A tend-work process of the test's own, spoken to as tendd does."""

import base64
import json
import os
import socket
import subprocess
import time

from snmpbox import BUILD


def secret(text):
    return base64.b64encode(text.encode()).decode()


class Worker:
    def __init__(self, test):
        self.ours, theirs = socket.socketpair()

        def prepare():
            os.dup2(theirs.fileno(), 3)
        self.process = subprocess.Popen([os.path.join(BUILD, "daemon/work/tend-work")],
                                        preexec_fn=prepare, close_fds=False)
        theirs.close()
        self.file = self.ours.makefile("rw", encoding="utf-8")
        self.id = 0
        self.phases = []
        test.addCleanup(self.close)

    def send(self, plugin, conf, method=None, args=None, timeout=5, addresses=(), memory=None):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.id += 1
        call = {"plugin": os.path.abspath(os.path.join(BUILD, "plugins", plugin + ".so")),
                "probe": plugin, "check": "a/b/c", "method": method, "args": args, "conf": conf,
                "memory": memory, "addresses": [[text, 0] for text in addresses], "started": now,
                "deadline": now + int(timeout * 1e6)}
        self.file.write(json.dumps({"id": self.id, "call": "attempt", "args": call}) + "\n")
        self.file.flush()

    def answer(self):
        while True:
            line = self.file.readline()
            if not line:
                return None
            message = json.loads(line)
            if message.get("call") == "phase":
                self.phases.append((message["args"]["reason"], message["args"]["text"]))
            else:
                assert message["id"] == self.id, message
                return message

    def ask(self, *args, **more):
        self.send(*args, **more)
        message = self.answer()
        return message.get("ok") or message["error"]

    def close(self):
        self.file.close()
        self.ours.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
