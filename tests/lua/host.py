# SPDX-License-Identifier: MIT
"""Plays tendd for tend-run: starts the parent, hands it sockets, answers verbs.

A Host is one tend-run parent on a socket of ours; fork() makes a Run, which is our child (CLONE_PARENT),
so that we reap it and see how it died. All waiting has a deadline and an error that says for what.
"""
import array
import json
import os
import select
import signal
import socket
import time

WAIT_SEC = float(os.environ.get("TEND_TEST_WAIT_SEC", "30"))


class Lines:
    """Newline-delimited JSON on a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def send(self, message):
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def send_raw(self, data):
        self.sock.sendall(data)

    def receive(self, wait_sec=WAIT_SEC):
        """The next message, None at end of file."""
        deadline = time.monotonic() + wait_sec
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError(f"no message within {wait_sec} s")
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)


class Run:
    def __init__(self, sock, pid, began):
        self.lines = Lines(sock)
        self.pid = pid
        self.began = began
        self.status = None
        self.steps = []

    def start(self, source, mode="run", policy="p", chunk="p.lua", library=None, ctx=None, params=None,
              verbs=()):
        args = {"mode": mode, "name": chunk.removesuffix(".lua"), "chunk": chunk, "source": source,
                "library": library or {}, "policy": policy, "run": "r1", "ctx": ctx or {},
                "params": params or {}}
        if verbs is not None:
            args["verbs"] = list(verbs)
        self.lines.send({"call": "start", "args": args})

    def serve(self, answer):
        """Answers verbs by answer(path, verb, args) -> the reply's fields, until the final note."""
        while True:
            message = self.lines.receive()
            if message is None or message["call"] != "verb":
                return message
            args = message["args"]
            self.steps.append((args["path"], args["verb"], json.dumps(args["args"])))
            self.lines.send({"id": message["id"], **answer(args["path"], args["verb"], args["args"])})

    def wait(self, wait_sec=WAIT_SEC):
        """Reaps it: ("exited", code) or ("killed", signal)."""
        if self.status is None:
            fd = os.pidfd_open(self.pid)
            try:
                if not select.select([fd], [], [], wait_sec)[0]:
                    raise TimeoutError(f"run {self.pid} still lives after {wait_sec} s")
            finally:
                os.close(fd)
            _, status = os.waitpid(self.pid, 0)
            if os.WIFSIGNALED(status):
                self.status = ("killed", signal.Signals(os.WTERMSIG(status)).name)
            else:
                self.status = ("exited", os.WEXITSTATUS(status))
        return self.status

    def kill(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def close(self):
        self.kill()
        self.lines.sock.close()


class Host:
    def __init__(self, program):
        ours, theirs = socket.socketpair()
        self.lines = Lines(ours)
        self.last_id = 0
        self.runs = []
        # The child's end must be fd 3 and nothing else may leak.
        actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
        os.set_inheritable(theirs.fileno(), False)
        self.pid = os.posix_spawn(program, [program], {}, file_actions=actions)
        theirs.close()

    def call_fork(self, wall_msec=0, with_fd=True):
        ours, theirs = socket.socketpair()
        # tendd's ends are non-blocking; tend-run must cope.
        theirs.setblocking(False)
        self.last_id += 1
        line = json.dumps({"id": self.last_id, "call": "fork",
                           "args": {"run": f"r{self.last_id}", "wall_msec": wall_msec}}) + "\n"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
        began = time.monotonic()
        self.lines.sock.sendmsg([line.encode()], rights if with_fd else [])
        theirs.close()
        return ours, began

    def fork(self, wall_msec=0):
        ours, began = self.call_fork(wall_msec)
        reply = self.lines.receive()
        assert reply["id"] == self.last_id, reply
        run = Run(ours, reply["ok"]["pid"], began)
        self.runs.append(run)
        return run

    def close(self):
        """End of file; returns the parent's exit code."""
        for run in self.runs:
            run.close()
        self.lines.sock.close()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def done(value=None):
    return {"ok": {"outcome": "done", "value": value}}
