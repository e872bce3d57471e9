# SPDX-License-Identifier: MIT
"""tend-exec alone in a box, and a stand-in for tendd: the main process of a real tendd.service, run
by user tend, that passes lines between the test and tend-exec's socket."""

import json
import os
import select
import signal
import socket
import time
import uuid

from tendbox import Box, wait_for
from tendbox.tend import ROOT, build_dir, complaints

SOCKET = "/run/tend-exec/exec.sock"
STATE = "/var/lib/tend-exec"
EXEC = "/usr/libexec/tend/tend-exec"
PROXY = "/run/standin/test.sock"

STANDIN = f"""
import asyncio, os

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    try:
        ours = await asyncio.open_unix_connection("{SOCKET}")
    except OSError:
        writer.close()
        return
    tasks = [asyncio.ensure_future(copy(reader, ours[1])),
             asyncio.ensure_future(copy(ours[0], writer))]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for end in (writer, ours[1]):
        end.close()
    for task in tasks:
        task.cancel()

async def main():
    server = await asyncio.start_unix_server(serve, "{PROXY}")
    await server.serve_forever()

asyncio.run(main())
"""

STANDIN_UNIT = """[Service]
User=tend
RuntimeDirectory=standin
ExecStart=/usr/bin/python3 /usr/libexec/standin.py
"""


def new_id(age_seconds=0):
    """A UUIDv7."""
    milliseconds = int((time.time() - age_seconds) * 1000)
    value = (milliseconds << 80) | (0x7 << 76) | (int.from_bytes(os.urandom(2), "big") & 0xFFF) << 64
    value |= (0x2 << 62) | (int.from_bytes(os.urandom(8), "big") >> 2)
    return str(uuid.UUID(int=value))


class Gone(Exception):
    """The connection was closed before the answer came."""


class Refused(Exception):
    """An error of the protocol; .code is its code."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class Connection:
    """The protocol of tend-exec, one line at a time; notes are kept in .notes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""
        self.answers = {}
        self.notes = []
        self.next_id = 1

    def close(self):
        self.socket.close()

    def send(self, call, args=None):
        """Send a call and return its number; its answer is fetched by answer()."""
        number, self.next_id = self.next_id, self.next_id + 1
        self.raw({"id": number, "call": call, "args": args if args is not None else {}})
        return number

    def raw(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        try:
            self.socket.sendall(data + b"\n")
        except OSError as error:
            raise Gone(str(error)) from error

    def _receive(self, deadline):
        left = deadline - time.monotonic()
        if not select.select([self.socket], [], [], max(left, 0))[0]:
            raise AssertionError("no line of tend-exec in time")
        try:
            data = self.socket.recv(1 << 20)
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("end of file")
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "call" in message:
                self.notes.append(message)
            else:
                self.answers[message["id"]] = message

    def wait_note(self, call, timeout=20):
        """The next note of this kind, taken from the list."""
        deadline = time.monotonic() + timeout
        while True:
            for note in self.notes:
                if note["call"] == call:
                    self.notes.remove(note)
                    return note["args"]
            self._receive(deadline)

    def answer(self, number, timeout=30):
        deadline = time.monotonic() + timeout
        while number not in self.answers:
            self._receive(deadline)
        message = self.answers.pop(number)
        if "error" in message:
            raise Refused(message["error"])
        return message["ok"]

    def call(self, call, args=None, timeout=30):
        return self.answer(self.send(call, args), timeout)

    def unit(self, verb, unit, job=None, **options):
        return self.call("unit", {"id": job or new_id(), "verb": verb, "unit": unit,
                                  "why": "a test"}, **options)

    def command(self, command, args=None, job=None, **options):
        return self.call("command", {"id": job or new_id(), "command": command,
                                     "args": args or {}, "why": "a test"}, **options)

    def sql(self, name, component, args=None, job=None, **more):
        return self.call("sql", {"id": job or new_id(), "sql": name, "component": component,
                                 "args": args or {}, "why": "a test", **more})

    def attach(self, job, **options):
        return self.call("attach", {"id": job}, **options)


class ExecBox:
    """with ExecBox(manifest, units={name: text}) as e: e.connect().unit("start", "x.service")"""

    def __init__(self, name, manifest, units=None, nspawn=()):
        self.box = Box(name, nspawn=nspawn)
        self.manifest = manifest
        self.units = units or {}

    def __enter__(self):
        self.box.boot()
        try:
            self._install()
        except BaseException:
            self.box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if complaints(self.box) and not kind:
                raise AssertionError(complaints(self.box))
        finally:
            self.box.close(clean=kind is None)

    def _install(self):
        box = self.box
        if box.run("id", "tend", check=False).returncode != 0:
            box.run("useradd", "--system", "--user-group", "--no-create-home", "tend")
        box.push(f"{build_dir()}/daemon/exec/tend-exec", EXEC, mode=0o755)
        for unit in ("tend-exec.socket", "tend-exec.service"):
            box.push(f"{ROOT}/etc/systemd/{unit}", f"/etc/systemd/system/{unit}")
        # A sanitizer needs what the sandbox forbids; the sandbox is tested on the other builds.
        if sanitized():
            box.write("/etc/systemd/system/tend-exec.service.d/asan.conf", "[Service]\n"
                      "MemoryDenyWriteExecute=no\nMemoryMax=infinity\nSystemCallFilter=\n"
                      "Environment=ASAN_OPTIONS=detect_leaks=0\n")
        box.write("/usr/libexec/standin.py", STANDIN)
        box.write("/etc/systemd/system/tendd.service", STANDIN_UNIT)
        for name, text in self.units.items():
            box.write(f"/etc/systemd/system/{name}", text)
        box.write("/etc/tend/commands.d/test.conf", self.manifest)
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", "tend-exec.socket", "tendd.service")
        wait_for(lambda: os.path.exists(box.path(PROXY)), 10, "the stand-in to listen")

    def connect(self):
        """A connection through the stand-in, over which hello was said."""
        def attempt():
            try:
                connection = Connection(self.box.path(PROXY))
                connection.hello = connection.call("hello")
                return connection
            except (Gone, ConnectionRefusedError, FileNotFoundError):
                return None
        return wait_for(attempt, 20, "tend-exec to listen to the stand-in")

    def host_pid(self):
        """tend-exec's process as a number of this host."""
        space = os.readlink(f"/proc/{self.box.leader}/ns/pid")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                    if comm.read() == "tend-exec\n" and os.readlink(f"/proc/{pid}/ns/pid") == space:
                        return int(pid)
            except OSError:
                continue
        return None

    def kill(self, pid=None):
        """kill -9 of tend-exec, and back when it is gone."""
        pid = pid or wait_for(self.host_pid, 10, "tend-exec to run")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 10, "tend-exec to die")

    def record(self, job):
        """The events of a job in the ledger."""
        return [json.loads(line) for line in self.box.read(f"{STATE}/jobs/{job}").splitlines()]

    def said(self, text):
        """Lines of tend-exec's log with this text in them."""
        return [entry["MESSAGE"] for entry in self.box.journal("-u", "tend-exec.service")
                if text in str(entry.get("MESSAGE"))]

    def loaded_jobs(self):
        """Names of transient units that PID 1 knows."""
        text = self.box.out("systemctl", "list-units", "--all", "--plain", "--no-legend",
                            "tend-job-*")
        return [line.split()[0] for line in text.splitlines()]


def sanitized():
    with open(f"{build_dir()}/CMakeCache.txt", encoding="utf-8") as cache:
        return "TEND_SANITIZE:BOOL=ON" in cache.read()
