# SPDX-License-Identifier: MIT
"""tend-agentx against masters of our own making: rude, slow, broken (RFC 2741)."""

import os
import socket
import struct
import unittest

from tendbox import wait_for
from snmpbox import ROOT, Helper, Scratch

OPEN, CLOSE, REGISTER, GET, PING, RESPONSE = 1, 2, 3, 5, 13, 18
BIG_ENDIAN = 0x10
VERSION = f"{ROOT}.1.1.1.0"


def oid(text):
    parts = [int(part) for part in text.split(".")]
    return struct.pack(f">BBBB{len(parts)}I", len(parts), 0, 0, 0, *parts)


class Master:
    """One end of a session, as far as a test wants to play it."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.listener.settimeout(10)
        self.sock, self.buffer = None, b""

    def close(self):
        self.hang_up()
        self.listener.close()

    def hang_up(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def accept(self):
        self.hang_up()
        self.sock, self.buffer = self.listener.accept()[0], b""
        self.sock.settimeout(10)
        return self

    def take(self):
        """The next PDU: (type, session, packet, payload)."""
        while True:
            if len(self.buffer) >= 20:
                _, kind, flags, _, session, _, packet, size = struct.unpack(
                    ">BBBBIIII", self.buffer[:20])
                assert flags & BIG_ENDIAN
                if len(self.buffer) >= 20 + size:
                    payload, self.buffer = self.buffer[20:20 + size], self.buffer[20 + size:]
                    return kind, session, packet, payload
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data

    def expect(self, kind):
        pdu = self.take()
        assert pdu[0] == kind, pdu
        return pdu

    def send(self, kind, packet, payload=b"", session=5, flags=BIG_ENDIAN, version=1):
        self.sock.sendall(struct.pack(">BBBBIIII", version, kind, flags, 0, session, 9, packet,
                                      len(payload)) + payload)

    def respond(self, pdu, error=0):
        self.send(RESPONSE, pdu[2], struct.pack(">IHH", 0, error, 0))

    def bring_up(self):
        """Takes a session up to its registrations; returns what was registered."""
        self.accept()
        self.respond(self.expect(OPEN))
        registered = []
        for _ in range(2):
            pdu = self.expect(REGISTER)
            assert pdu[1] == 5
            registered.append(pdu[3])
            self.respond(pdu)
        return registered

    def get(self, name, packet=1000):
        self.send(GET, packet, oid(name) + bytes(4))
        while True:
            kind, _, number, payload = self.take()
            if kind == PING:
                continue
            assert (kind, number) == (RESPONSE, packet)
            return payload


class Masters(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.path = self.scratch.file("agentx.sock")
        self.master = Master(self.path)
        self.addCleanup(self.master.close)

    def start(self, ping=1, address=None):
        self.agent = Helper(self.scratch, "tend-agentx")
        self.addCleanup(self.agent.close)
        self.agent.note("config", {"socket": address or f"unix:{self.path}", "ping_sec": ping})
        self.agent.note("update", {"generation": 1, "full": True,
                                   "scalars": {"version": "0.1.0"}})

    def status(self):
        return self.agent.wait_note(lambda note: note["call"] == "status")["args"]["connected"]

    def test_it_registers_and_answers(self):
        self.start()
        self.assertFalse(self.status())
        ours, alarms = self.master.bring_up()
        self.assertTrue(self.status())
        # timeout, priority, range_subid, reserved; the OID with its prefix, to be unpacked
        self.assertEqual((ours[1], alarms[1]), (127, 255))
        self.assertEqual(alarms[4:8], bytes((5, 2, 0, 0)))  # 1.3.6.1.2 | 1.118.1.2.2
        self.assertIn(b"0.1.0", self.master.get(VERSION))

    def test_the_alarms_may_be_somebody_elses(self):
        self.start()
        self.master.accept()
        self.master.respond(self.master.expect(OPEN))
        self.master.respond(self.master.expect(REGISTER))
        self.master.respond(self.master.expect(REGISTER), error=263)
        self.assertFalse(self.status())
        self.assertTrue(self.status())

    def test_refused_it_comes_again(self):
        self.start()
        for kind_at_fault in (OPEN, REGISTER, OPEN):
            self.master.accept()
            pdu = self.master.expect(OPEN)
            if kind_at_fault == REGISTER:
                self.master.respond(pdu)
                pdu = self.master.expect(REGISTER)
            self.master.respond(pdu, error=256)
            self.assertRaises(EOFError, self.master.take)
        self.master.bring_up()
        self.assertFalse(self.status())
        self.assertTrue(self.status())
        # Told once, not every second.
        self.assertEqual(self.agent.tail().count("refuses us"), 1)

    def test_rubbish_is_answered_with_a_new_connection(self):
        self.start()
        rubbish = (b"GET / HTTP/1.0\r\n\r\n" * 4, bytes(40), b"\xff" * 64,
                   struct.pack(">BBBBIIII", 1, GET, BIG_ENDIAN, 0, 5, 0, 7, 1 << 30),
                   struct.pack(">BBBBIIII", 1, 99, BIG_ENDIAN, 0, 5, 0, 7, 0))
        for what in rubbish:
            self.master.bring_up()
            self.master.sock.sendall(what)
            with self.assertRaises((EOFError, ConnectionResetError)):
                while True:
                    self.master.take()
        self.master.bring_up()
        self.assertIn(b"0.1.0", self.master.get(VERSION))

    def test_a_pdu_in_pieces_and_many_in_one(self):
        self.start(ping=60)
        self.master.bring_up()
        request = struct.pack(">BBBBIIII", 1, GET, BIG_ENDIAN, 0, 5, 9, 70,
                              len(oid(VERSION)) + 4) + oid(VERSION) + bytes(4)
        for i in range(len(request)):
            self.master.sock.sendall(request[i:i + 1])
        self.assertIn(b"0.1.0", self.master.take()[3])
        self.master.sock.sendall(request * 500)
        for _ in range(500):
            self.assertIn(b"0.1.0", self.master.take()[3])
        # One that needs more than the usual buffer: 5,000 names.
        many = (oid(VERSION) + bytes(4)) * 5000
        self.master.send(GET, 71, many)
        self.assertEqual(self.master.take()[3].count(b"0.1.0"), 5000)
        self.assertIn(b"0.1.0", self.master.get(VERSION))

    def test_a_master_that_does_not_read_is_not_read_from(self):
        self.start(ping=60)
        self.master.bring_up()
        request = struct.pack(">BBBBIIII", 1, GET, BIG_ENDIAN, 0, 5, 9, 70,
                              len(oid(VERSION)) + 4) + oid(VERSION) + bytes(4)
        self.master.sock.setblocking(False)
        sent = 0
        for _ in range(200000):
            try:
                sent += self.master.sock.send(request[sent % len(request):] + request * 50)
            except BlockingIOError:
                break
        else:
            self.fail("it reads without end")
        with open(f"/proc/{self.agent.process.pid}/status", encoding="ascii") as status:
            rss = int([line for line in status if line.startswith("VmRSS")][0].split()[1])
        self.assertLess(rss, 65536)
        # It goes on where it was.
        self.master.sock.settimeout(10)
        for _ in range(sent // len(request)):
            self.assertIn(b"0.1.0", self.master.take()[3])

    def test_one_that_never_answers_is_given_up(self):
        self.start(ping=1)
        self.master.bring_up()
        self.assertFalse(self.status())
        self.assertTrue(self.status())
        for _ in range(3):
            self.master.expect(PING)
        self.assertRaises(EOFError, self.master.take)
        self.assertFalse(self.status())
        self.master.bring_up()
        self.assertTrue(self.status())

    def test_answered_pings_keep_it(self):
        self.start(ping=1)
        self.master.bring_up()
        for _ in range(5):
            self.master.respond(self.master.expect(PING))
        self.assertFalse(self.status())
        self.assertTrue(self.status())
        self.assertEqual([note for note in self.agent.notes if note["call"] == "status"], [])
        # A farewell.
        self.master.send(CLOSE, 1, bytes((1, 0, 0, 0)))
        self.master.bring_up()
        self.assertIn(b"0.1.0", self.master.get(VERSION))

    def test_by_tcp(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.master.listener.close()
        self.master.listener = listener
        listener.settimeout(10)
        self.start(address=f"tcp:127.0.0.1:{listener.getsockname()[1]}")
        self.master.bring_up()
        self.assertIn(b"0.1.0", self.master.get(VERSION))

    def test_addresses_that_are_none(self):
        for address in ("", "agentx.sock", "tcp:nowhere.example:705", "tcp:127.0.0.1", "udp:::1",
                        "tcp:127.0.0.1:0", "tcp:[::1:705", "unix:" + "/x" * 100):
            with self.subTest(address=address):
                self.start(address=address or " ")
                self.assertEqual(self.agent.process.wait(5), 1)

    def test_it_waits_for_a_socket_that_is_not_there(self):
        self.master.close()
        os.unlink(self.path)
        self.start()
        self.assertFalse(self.status())
        self.master = Master(self.path)
        self.addCleanup(self.master.close)
        self.master.bring_up()
        wait_for(lambda: b"0.1.0" in self.master.get(VERSION), 5, "an answer")


if __name__ == "__main__":
    unittest.main()
