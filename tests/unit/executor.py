# SPDX-License-Identifier: MIT
"""Speaks tend-exec's protocol and counts: what reaches it, by id, goes to a log. It stands where the
real one needs PID 1; that one is tested in boxes. Ends with its standard input.

Arguments: the socket, the log, the file that says how it behaves, the file that a `mend` mends.
What its commands may do is below, and in the file SOCKET.risks, which it reads each time: one of
which less is believed than is so is refused, and not counted.
Behaviour: done, failed, unknown, silent (begins, and answers only once it behaves otherwise).
"""

import json
import os
import selectors
import socket
import sys

PATH, LOG, BEHAVIOUR, MENDED = sys.argv[1:5]
begun = set()


def behaviour():
    with open(BEHAVIOUR, encoding="utf-8") as file:
        return file.read().strip()


def risks():
    known = {"look": "observe", "mend": "change", "wipe": "destroy"}
    try:
        with open(PATH + ".risks", encoding="utf-8") as file:
            return known | json.load(file)
    except FileNotFoundError:
        return known


def refusal(args):
    names = ("observe", "change", "destroy")
    risk, believed = risks().get(args.get("command"), "change"), args.get("risk", "destroy")
    if names.index(risk) <= names.index(believed):
        return None
    return {"code": "risk", "message": f"its risk is {risk}, not {believed}"}


def log(*words):
    with open(LOG, "a", encoding="utf-8") as file:
        print(*words, file=file, flush=True)


def outcome(job, how):
    if how == "done":
        with open(MENDED + ".next", "w", encoding="utf-8") as file:
            file.write("ok")
        os.rename(MENDED + ".next", MENDED)
    return {"id": job, "outcome": how, "result": how, "exit_status": 0, "stdout": "", "stderr": "",
            "message": ""}


class Peer:
    def __init__(self, connection):
        self.connection = connection
        self.rest = b""
        self.open = []

    def answer(self, number, ok):
        self.connection.sendall(json.dumps({"id": number, "ok": ok}).encode() + b"\n")

    def take(self, message):
        call, args, number = message["call"], message.get("args") or {}, message["id"]
        job = args.get("id")
        if call == "hello":
            self.answer(number, {"version": "0", "boot_id": "0", "commands": ["look", "mend", "wipe"],
                                 "takes": ["risk"], "risks": risks(), "units": []})
            return
        error = refusal(args) if call == "command" else None
        if error:
            self.connection.sendall(json.dumps({"id": number, "error": error}).encode() + b"\n")
            return
        log(call, job, args.get("command", ""))
        if call == "attach" and job not in begun:
            self.answer(number, {"id": job, "outcome": "refused", "message": "never begun"})
            return
        begun.add(job)
        self.open.append((number, job))

    def settle(self):
        how = behaviour()
        if how != "silent":
            for number, job in self.open:
                self.answer(number, outcome(job, how))
            self.open = []

    def read(self):
        data = self.connection.recv(65536)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.take(json.loads(line))
        return bool(data)


def main():
    server = socket.socket(socket.AF_UNIX)
    server.bind(PATH + ".new")
    server.listen()
    os.rename(PATH + ".new", PATH)
    selector = selectors.DefaultSelector()
    selector.register(server, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    peers = {}
    while True:
        for key, _ in selector.select(0.02):
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is server:
                connection = server.accept()[0]
                peers[connection] = Peer(connection)
                selector.register(connection, selectors.EVENT_READ)
                continue
            try:
                alive = peers[key.fileobj].read()
            except OSError:
                alive = False
            if not alive:
                selector.unregister(key.fileobj)
                del peers[key.fileobj]
                key.fileobj.close()
        for peer in list(peers.values()):
            try:
                peer.settle()
            except OSError:
                pass


main()
