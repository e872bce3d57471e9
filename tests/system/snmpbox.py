# SPDX-License-Identifier: MIT
"""Real snmpd and snmptrapd as plain processes on loopback, and our programs driven over fd 3."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from tendbox import wait_for

BUILD = os.environ.get("TEND_BUILD_DIR", "build")
ROOT = "1.3.6.1.4.1.8072.9999.9999.7363"
USER, AUTH, PRIV = "tend", "inform-auth-pass", "inform-priv-pass"


def free_port(family=socket.AF_INET, address="127.0.0.1"):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


class Scratch:
    """A folder of the test's own; everything started through it ends with it, by pid."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="tend-snmp-")
        os.chmod(self.path, 0o755)
        self._processes = []

    def close(self):
        for process in self._processes:
            end(process)
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name, text=None):
        path = os.path.join(self.path, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        return path

    def spawn(self, argv, env=None, **more):
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, **more)
        self._processes.append(process)
        return process


def end(process):
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class NetSnmp:
    """snmpd or snmptrapd with a configuration and a persistent folder of its own."""

    def __init__(self, scratch, name, program, config, address):
        self.scratch, self.name, self.program, self.address = scratch, name, program, address
        self.config = scratch.file(f"{name}.conf", config)
        self.logs = []
        self.process = None
        self.n_starts = 0

    def start(self):
        self.n_starts += 1
        # SIGSTOP and restarts are the test's; users are created from the configuration each time.
        persist = self.scratch.file(f"{self.name}-{self.n_starts}")
        os.makedirs(persist, exist_ok=True)
        env = dict(os.environ, MIBS="", SNMPCONFPATH=self.scratch.path, SNMP_PERSISTENT_DIR=persist)
        # They empty their log when they start: one a start.
        log = self.scratch.file(f"{self.name}-{len(self.logs)}.log")
        self.logs.append(log)
        argv = [self.program, "-f", "-Lf", log, "-C", "-c", self.config]
        argv += [self.address] if self.program.endswith("snmpd") else ["-On"]
        self.process = self.scratch.spawn(argv, env=env)
        wait_for(lambda: "NET-SNMP version" in _read(log), 10, f"{self.name} to start")
        return self

    def stop(self):
        end(self.process)

    def signal(self, signo):
        self.process.send_signal(signo)

    def text(self):
        """Of all its starts."""
        return "".join(_read(log) for log in self.logs)


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def trapd(scratch, name, address, user=USER, auth=AUTH, priv=PRIV, more=""):
    """Not started yet. Logs each inform as one line a variable, numerically."""
    return NetSnmp(scratch, name, "/usr/sbin/snmptrapd", f"""snmpTrapdAddr {address}
createUser {user} SHA-256 "{auth}" AES "{priv}"
authUser log {user} priv
authCommunity log public
format2 TRAP\\n%v\\nEND\\n
doNotLogTraps no
{more}
""", address)


class Helper:
    """One of our programs, as tendd runs it: fd 3, JSON lines, next to nothing in its environment."""

    def __init__(self, scratch, *argv):
        ours, theirs = socket.socketpair()
        self.log = scratch.file(f"{os.path.basename(argv[0])}-{id(self)}.log")
        with open(self.log, "wb") as log:
            fd = theirs.fileno()

            def prepare():
                os.dup2(fd, 3)

            self.process = scratch.spawn(
                [os.path.join(BUILD, "daemon", "snmp", argv[0]), *argv[1:]],
                # A sanitizer would keep what was freed, which looks like growth.
                env={"ASAN_OPTIONS": "quarantine_size_mb=0"}, stdout=log, stderr=log, pass_fds=(3, fd) if fd != 3 else (3,),
                preexec_fn=prepare)
        theirs.close()
        self.sock = ours
        self.sock.setblocking(False)
        self.buffer = b""
        self.replies, self.notes = {}, []
        self.next_id = 1

    def send(self, message):
        """Blocks when the other side does not read; see send_some()."""
        self.sock.setblocking(True)
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        self.sock.setblocking(False)

    def note(self, call, args):
        self.send({"call": call, "args": args})

    def call(self, call, args):
        """Returns the id; its reply comes to self.replies."""
        number, self.next_id = self.next_id, self.next_id + 1
        self.send({"id": number, "call": call, "args": args})
        return number

    def pump(self, timeout=0):
        if select.select([self.sock], [], [], timeout)[0]:
            data = self.sock.recv(1 << 20)
            if not data and not self.buffer:
                raise EOFError(self.tail())
            self.buffer += data
        while b"\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\n", 1)
            message = json.loads(line)
            if "call" in message:
                self.notes.append(message)
            else:
                self.replies[message["id"]] = message
        return True

    def answer(self, number, timeout=15):
        deadline = time.monotonic() + timeout
        while number not in self.replies:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no answer to call {number} in {timeout} s: {self.tail()}")
            self.pump(left)
        return self.replies.pop(number)

    def wait_note(self, what, timeout=15):
        deadline = time.monotonic() + timeout
        while True:
            for i, note in enumerate(self.notes):
                if what(note):
                    del self.notes[:i + 1]
                    return note
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no such note in {timeout} s: {self.tail()}")
            self.pump(left)

    def tail(self):
        return _read(self.log)[-2000:]

    def close(self):
        """End of file for it, as when tendd ends."""
        self.sock.close()
