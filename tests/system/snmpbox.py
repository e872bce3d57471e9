# SPDX-License-Identifier: MIT
"""Real snmpd and snmptrapd as plain processes on loopback, and our programs driven over fd 3."""

import collections
import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from tendbox import wait_for

BUILD = os.environ.get("TEND_BUILD_DIR", "build")
ROOT = "1.3.6.1.4.1.8072.9999.9999.7363"
USER, AUTH, PRIV = "tend", "inform-auth-pass", "inform-priv-pass"


def free_port(family=socket.AF_INET, address="127.0.0.1", kind=socket.SOCK_DGRAM):
    """None that the kernel gives to those who connect, as our own programs do."""
    while True:
        with socket.socket(family, kind) as sock:
            try:
                sock.bind((address, random.randrange(20000, 32000)))
                return sock.getsockname()[1]
            except OSError:
                pass


class Scratch:
    """A folder of the test's own; everything started through it ends with it, by pid."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="tend-snmp-")
        os.chmod(self.path, 0o755)
        self._processes = []

    def close(self):
        for process in self._processes:
            end(process)
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def forget(self, process):
        """One that has ended, where many come and go."""
        self._processes.remove(process)

    def file(self, name, text=None):
        path = os.path.join(self.path, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        return path

    def spawn_piped(self, argv):
        """Spoken to by lines on its standard input and output; ends with its input."""
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._processes.append(process)
        return process

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
        self.mibs = {"MIBS": ""}  # environment; otherwise names are written, not numbers

    def start(self):
        self.n_starts += 1
        # SIGSTOP and restarts are the test's; users are created from the configuration each time.
        persist = self.scratch.file(f"{self.name}-{self.n_starts}")
        os.makedirs(persist, exist_ok=True)
        env = dict(os.environ, **self.mibs, SNMPCONFPATH=self.scratch.path,
                   SNMP_PERSISTENT_DIR=persist)
        # They empty their log when they start: one a start.
        log = self.scratch.file(f"{self.name}-{len(self.logs)}.log")
        self.logs.append(log)
        argv = [self.program, "-f", "-Lf", log, "-C", "-c", self.config]
        if self.program.endswith("snmpd"):
            argv.append(self.address)
        elif not self.mibs["MIBS"]:
            argv.append("-On")
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


def create_user(user=USER, auth=AUTH, priv=PRIV, protocols=("SHA-256", "AES"), engine=""):
    """A user of snmptrapd; with the sender's `engine` for traps, without for informs."""
    at = f"-e {engine} " if engine else ""
    return (f'createUser {at}{user} {protocols[0]} "{auth}" {protocols[1]} "{priv}"\n'
            f"authUser log {user} priv\n")


def trapd(scratch, name, address, user=USER, auth=AUTH, priv=PRIV, more=""):
    """Not started yet. Logs each inform as one line a variable, numerically."""
    return NetSnmp(scratch, name, "/usr/sbin/snmptrapd", f"""snmpTrapdAddr {address}
{create_user(user, auth, priv)}
authCommunity log public
format1 V1\\nfrom %a, %N, %w, %q\\n%v\\nEND\\n
format2 TRAP\\n%v\\nEND\\n
doNotLogTraps no
{more}
""", address)


class SlowLine(threading.Thread):
    """UDP from one port to another, each datagram `delay` seconds later; answers at once."""

    def __init__(self, port, delay):
        super().__init__(daemon=True)
        self.target, self.delay = ("127.0.0.1", port), delay
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.back = {}  # the sender's address -> our socket to the target
        self.waiting = collections.deque()
        self.most_in_flight = 0
        self.start()

    def close(self):
        self.front, front = None, self.front
        self.join(5)
        for sock in (front, *self.back.values()):
            sock.close()

    def _forward(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            _, sender, data = self.waiting.popleft()
            if sender not in self.back:
                self.back[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.back[sender].sendto(data, self.target)
            except ConnectionError:
                pass  # nobody is there now

    def _answer(self, front, back):
        for sender, sock in self.back.items():
            if sock is back:
                try:
                    front.sendto(back.recv(65536), sender)
                except ConnectionError:
                    pass

    def run(self):
        while front := self.front:
            now = time.monotonic()
            self._forward(now)
            left = self.waiting[0][0] - now if self.waiting else 0.1
            for sock in select.select([front, *self.back.values()], [], [], max(left, 0))[0]:
                if sock is front:
                    data, sender = front.recvfrom(65536)
                    self.waiting.append((now + self.delay, sender, data))
                    self.most_in_flight = max(self.most_in_flight, len(self.waiting))
                else:
                    self._answer(front, sock)


class Tendd:
    """tendd with what it needs for SNMP as plain processes, and its API."""

    def __init__(self, scratch, config):
        self.scratch, self.config = scratch, scratch.file("tend.conf", self._head(scratch) + config)
        for name in ("state", "run", "libexec"):
            os.mkdir(scratch.file(name))
        for program in ("snmp/tend-snmp", "snmp/tend-agentx", "run/tend-run"):
            path = os.path.abspath(os.path.join(BUILD, "daemon", program))
            os.symlink(path, scratch.file(f"libexec/{os.path.basename(path)}"))
        for name, secret in (("auth", AUTH), ("priv", PRIV), ("community", "public")):
            os.chmod(scratch.file(name, secret + "\n"), 0o600)
        self.log = scratch.file("tendd.log")
        self.process = None

    @staticmethod
    def _head(scratch):
        top = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
        return f"""[daemon]
state_dir = {scratch.path}/state
run_dir = {scratch.path}/run
libexec_dir = {scratch.path}/libexec
plugin_dir = {os.path.abspath(BUILD)}/plugins
lua_dir = {top}/lua
exec_socket = {scratch.path}/exec.sock
"""

    def receiver(self, name, port, more=""):
        path = self.scratch.path
        return (f"[receiver {name}]\ntype = snmp\nhost = 127.0.0.1:{port}\nuser = {USER}\n"
                f"auth_password = file:{path}/auth\npriv_password = file:{path}/priv\n{more}\n")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.scratch.spawn(
                [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", self.config],
                stdout=log, stderr=log)
        wait_for(lambda: self.get("/v1/status"), 20, "tendd to answer")
        return self

    def stop(self):
        end(self.process)

    def add(self, config):
        with open(self.config, "a", encoding="utf-8") as out:
            out.write(config)

    def ctl(self, *words, check=True):
        done = subprocess.run([os.path.join(BUILD, "daemon/ctl/tendctl"), "-s",
                               self.scratch.file("run/tend.sock"), *words],
                              capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"tendctl {words}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def get(self, path):
        """None while it does not answer."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(self.scratch.file("run/tend.sock"))
            connection.request("GET", path)
            return json.load(connection.getresponse())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def receivers(self):
        return {row["name"]: row for row in self.get("/v1/receivers") or []}

    def signal_helper(self, name, signo=signal.SIGKILL):
        """To the child with this name; whether there was one."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                      encoding="ascii") as file:
                for pid in file.read().split():
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                        if comm.read().strip() == name:
                            os.kill(int(pid), signo)
                            return True
        except (FileNotFoundError, ProcessLookupError):
            pass
        return False

    def tail(self):
        return _read(self.log)[-3000:]


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
