# SPDX-License-Identifier: MIT
"""SNMP agents for tests: a real snmpd whose values can be set, and answers made by hand.

`Snmpd` serves, below BASE, what `set({"1.0": ("gauge", 5), ...})` says, by a program of its `pass`.
`answer()` and what is around it are the bytes of SNMPv2c, for an `OddUdp` of probes.py.
"""

import hashlib
import hmac
import os
import socket

from probes import Server
from snmpbox import free_port

BASE = "1.3.6.1.4.1.8072.9999.9999.77"
AUTH, PRIV = "a-word-to-sign", "a-word-to-seal"

# Asked by snmpd with -g OID or -n OID; mawk and gawk, numbers of OIDs compared as such.
PASS = """#!/bin/sh
while [ -e "$SLOW" ]; do sleep 0.05; done
[ -e "$VALUES" ] || exit 0
exec awk -v how="$1" -v oid="$2" '
function key(text,  parts, n, i, out) {
	n = split(text, parts, ".")
	out = ""
	for (i = 1; i <= n; i++)
		if (parts[i] != "") out = out sprintf("%010d.", parts[i])
	return out
}
BEGIN { wanted = key(oid) }
{ this = key($1) }
(how == "-g" && this == wanted) || (how == "-n" && this > wanted) {
	name = $1; type = $2
	sub(/^[^ ]+ [^ ]+ /, "")
	print "." name; print type; print
	exit
}' "$VALUES"
"""


class Snmpd(Server):
    """On 127.0.0.1 and ::1, with the users ops, strong and signed, and the community public."""

    def __init__(self, test, scratch, values=None):
        self.values, self.slow = scratch.file("values"), scratch.file("slow")
        program = scratch.file("pass", PASS.replace("$SLOW", self.slow).replace(
            "$VALUES", self.values))
        os.chmod(program, 0o755)
        self.set(values or {})
        self.port = free_port()
        config = scratch.file("snmpd.conf", f"""
createUser ops SHA-256 "{AUTH}" AES "{PRIV}"
createUser strong SHA-512 "{AUTH}" AES-256 "{PRIV}"
createUser signed SHA-384 "{AUTH}"
createUser blind SHA-256 "{AUTH}" AES "{PRIV}"
rouser ops priv
rouser strong priv
rouser signed auth
rocommunity public 127.0.0.1
rocommunity6 public ::1
pass .{BASE} {program}
""")
        persist = scratch.file("persist")
        os.makedirs(persist, exist_ok=True)
        env = dict(os.environ, MIBS="", SNMPCONFPATH=scratch.path, SNMP_PERSISTENT_DIR=persist)
        super().__init__(test, ["/usr/sbin/snmpd", "-f", "-Lf", scratch.file("snmpd.log"), "-C",
                                "-c", config, f"udp:127.0.0.1:{self.port}",
                                f"udp6:[::1]:{self.port}"], self.serves, env=env)

    def set(self, values):
        """{"1.0": (type, value), ...}: all that is below BASE from now on."""
        rows = sorted((tuple(map(int, name.split("."))), kind, value)
                      for name, (kind, value) in values.items())
        text = "".join(f"{BASE}.{'.'.join(map(str, name))} {kind} {value}\n"
                       for name, kind, value in rows)
        with open(self.values + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(self.values + ".new", self.values)

    def serves(self):
        question = message(pdu(0xa0, 1, [bind("1.3.6.1.2.1.1.3.0", NULL)]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.3)
            try:
                sock.connect(("127.0.0.1", self.port))
                sock.send(question)
                return len(sock.recv(2048)) > 20
            except OSError:
                return False


# ---- bytes ---------------------------------------------------------------------------------------

def tlv(tag, body):
    size = len(body)
    head = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + head + body


def number(value, tag=2):
    size = 1
    while not -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
        size += 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def oid(text):
    parts = [int(part) for part in text.split(".")]
    body = b""
    for part in [parts[0] * 40 + parts[1], *parts[2:]]:
        chunk = [part & 127]
        while part := part >> 7:
            chunk.insert(0, part & 127 | 128)
        body += bytes(chunk)
    return tlv(6, body)


NULL = tlv(5, b"")
END = tlv(0x82, b"")


def bind(name, value):
    return tlv(0x30, oid(name) + value)


def pdu(kind, request, binds, status=0, index=0):
    return tlv(kind, number(request) + number(status) + number(index) + tlv(0x30, b"".join(binds)))


def message(body, community=b"public"):
    return tlv(0x30, number(1) + tlv(4, community) + body)


def read_tlv(data):
    """(tag, body, what follows)"""
    size, at = data[1], 2
    if size & 128:
        at += size & 127
        size = int.from_bytes(data[2:at], "big")
    return data[0], data[at:at + size], data[at + size:]


def oid_text(name):
    first = min(name[0] // 40, 2)
    parts, part = [first, name[0] - 40 * first], 0
    for byte in name[1:]:
        part = part << 7 | byte & 127
        if not byte & 128:
            parts.append(part)
            part = 0
    return ".".join(map(str, parts))


def question(data):
    """(type, request id, OIDs) of a question in SNMPv2c."""
    _, body, _ = read_tlv(data)
    _, _, rest = read_tlv(body)
    _, _, rest = read_tlv(rest)
    kind, body, _ = read_tlv(rest)
    _, request, rest = read_tlv(body)
    _, _, rest = read_tlv(rest)
    _, _, rest = read_tlv(rest)
    _, rest, _ = read_tlv(rest)
    names = []
    while rest:
        _, item, rest = read_tlv(rest)
        _, name, _ = read_tlv(item)
        names.append(oid_text(name))
    return kind, int.from_bytes(request, "big"), names


def answering(reply):
    """reply(type, names) -> (status, index, binds); to the first question always its sysUpTime."""
    def answer(data):
        kind, request, names = question(data)
        if names == ["1.3.6.1.2.1.1.3.0"]:
            status, index, binds = 0, 0, [bind(names[0], number(100, 0x43))]
        else:
            status, index, binds = reply(kind, names)
        return message(pdu(0xa2, request, binds, status, index))
    return answer


# ---- SNMPv3, signed with SHA-256 and not encrypted -------------------------------------------------

USM, TARGET = "1.3.6.1.6.3.15.1.1", "1.3.6.1.6.3.12.1"
ENGINE, OTHER_ENGINE = b"\x80\0\x1f\x88\x04one", b"\x80\0\x1f\x88\x04two"


def sign_key(engine, password=AUTH):
    repeated = (password.encode() * ((1 << 20) // len(password) + 1))[:1 << 20]
    plain = hashlib.sha256(repeated).digest()
    return hashlib.sha256(plain + engine + plain).digest()


def message_v3(body, msg_id, engine=ENGINE, boots=3, time=1000, user=b"", key=None):
    digest = bytes(24) if key else b""

    def whole():
        return tlv(0x30, number(3) +
                   tlv(0x30, msg_id + number(65507) + tlv(4, bytes([bool(key)])) + number(3)) +
                   tlv(4, tlv(0x30, tlv(4, engine) + number(boots) + number(time) + tlv(4, user) +
                              tlv(4, digest) + tlv(4, b""))) +
                   tlv(0x30, tlv(4, engine) + tlv(4, b"") + body))
    if key:
        digest = hmac.new(key, whole(), hashlib.sha256).digest()[:24]
    return whole()


def fields(data):
    """The elements in a constructed one."""
    _, rest, _ = read_tlv(data)
    found = []
    while rest:
        _, body, after = read_tlv(rest)
        found.append((body, rest[:len(rest) - len(after)]))
        rest = after
    return found


class AgentV3:
    """For an OddUdp. judge(engine, boots, time) -> a report's OID, or None: it is answered with 7."""

    def __init__(self, judge, engine=ENGINE, boots=3, time=1000, password=AUTH):
        self.judge, self.engine, self.boots, self.time = judge, engine, boots, time
        self.password = password
        self.asked = []

    def __call__(self, data):
        _, head, security, scoped = (element for _, element in fields(data))
        msg_id = fields(head)[0][1]
        engine, boots, time, user = (
            body for body, _ in fields(read_tlv(security)[1])[:4])
        boots, time = int.from_bytes(boots, "big"), int.from_bytes(time, "big")
        body = fields(scoped)[2][1]
        request = int.from_bytes(fields(body)[0][0], "big")
        self.asked.append((engine, boots, time))
        if not engine:
            return message_v3(pdu(0xa8, request, [bind(USM + ".4.0", number(1, 0x41))]), msg_id,
                              ENGINE, 0, 0)
        report = self.judge(self, engine, boots, time)
        key = sign_key(self.engine, self.password)
        if report:
            signed = key if report == USM + ".2.0" else None
            return message_v3(pdu(0xa8, request, [bind(report, number(1, 0x41))]), msg_id,
                              self.engine, self.boots, self.time, user if signed else b"", signed)
        names = [oid_text(fields(item)[0][0]) for _, item in fields(fields(body)[3][1])]
        return message_v3(pdu(0xa2, request, [bind(name, number(7, 0x43)) for name in names]),
                          msg_id, self.engine, self.boots, self.time, user, key)
