# SPDX-License-Identifier: MIT
"""Plays tendd for `tend-run --format`: one resident runner on a socket of ours."""
import os
import pathlib
import signal
import socket
import select

from host import Lines, WAIT_SEC


def library(folder):
    """lua/tend as tendd sends it."""
    return {f"tend/{path.name}": path.read_text() for path in pathlib.Path(folder, "tend").glob("*.lua")}


class Format:
    def __init__(self, program, source, chunk="f.lua", modules=None):
        ours, theirs = socket.socketpair()
        # tendd's ends are non-blocking; tend-run must cope.
        theirs.setblocking(False)
        self.lines = Lines(ours)
        self.last_id = 0
        self.pid = os.posix_spawn(program, [program, "--format"], {},
                                  file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)])
        theirs.close()
        self.lines.send({"call": "start", "args": {"mode": "format", "chunk": chunk, "source": source,
                                                   "library": modules or {}}})
        self.first = self.lines.receive()

    def described(self):
        assert self.first and self.first["call"] == "described", self.first
        return self.first["args"]["format"]

    def failed(self):
        assert self.first and self.first["call"] == "failed", self.first
        return self.first["args"]["message"]

    def call(self, name, wait_sec=WAIT_SEC, **args):
        """The reply: {"id", "ok"} or {"id", "error"}; None when it has gone."""
        self.last_id += 1
        self.lines.send({"id": self.last_id, "call": name, "args": args})
        reply = self.lines.receive(wait_sec)
        assert reply is None or reply["id"] == self.last_id, reply
        return reply

    def format(self, notice, **options):
        return self.call("format", notice=notice, options=options)

    def judge(self, status, body, options=None, **headers):
        return self.call("judge", response={"status": status, "body": body, "headers": headers},
                         options=options or {})

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        self.lines.sock.close()
        return self.wait()

    def wait(self, wait_sec=WAIT_SEC):
        """Reaps it: ("exited", code) or ("killed", signal)."""
        fd = os.pidfd_open(self.pid)
        try:
            if not select.select([fd], [], [], wait_sec)[0]:
                raise TimeoutError(f"{self.pid} still lives after {wait_sec} s")
        finally:
            os.close(fd)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return "killed", signal.Signals(os.WTERMSIG(status)).name
        return "exited", os.WEXITSTATUS(status)
