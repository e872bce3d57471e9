# SPDX-License-Identifier: MIT
"""tend-agentx against a real snmpd: walked, updated, restarted, frozen."""

import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
import unittest

from tendbox import wait_for
from snmpbox import ROOT, Helper, NetSnmp, Scratch, free_port

NMS = ("nms", "walker-auth-pass", "walker-priv-pass")
CHECK = f".{ROOT}.1.4.1"


def check_row(n, state=0, **more):
    return dict({"name": f"crm/web/check{n}", "component": "crm/web", "state": state, "soft": False,
                 "reason": 0, "text": "as expected", "value": "total_seconds=0.01s",
                 "since": 1795314699_500000, "last": 0}, **more)


class Agentx(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.port = free_port()
        self.master = self.scratch.file("agentx.sock")
        self.snmpd = NetSnmp(self.scratch, "snmpd", "/usr/sbin/snmpd", f"""master agentx
agentXSocket unix:{self.master}
createUser {NMS[0]} SHA-256 "{NMS[1]}" AES "{NMS[2]}"
rouser {NMS[0]} priv
rwcommunity public 127.0.0.1
""", f"udp:127.0.0.1:{self.port}")
        self.generation = 0

    def connect(self, rows=(), ping=1):
        self.agent = Helper(self.scratch, "tend-agentx")
        self.addCleanup(self.agent.close)
        self.agent.note("config", {"socket": f"unix:{self.master}", "ping_sec": ping})
        self.update(full=True, scalars={"version": "0.1.0", "worst": 2, "critical": 1,
                                        "heartbeat": 1, "sequence": (3 << 32) + 1,
                                        "actions": True, "started": 1},
                    rows={"check": {str(n): check_row(n) for n in rows}})

    def update(self, **more):
        self.generation += 1
        self.agent.note("update", dict({"generation": self.generation, "full": False}, **more))

    def wait_connected(self, connected=True):
        self.agent.wait_note(lambda note: note["call"] == "status"
                             and note["args"]["connected"] is connected)

    def command(self, *argv, timeout=2, community=False):
        who = ["-v2c", "-c", "public"] if community else [
            "-v3", "-l", "authPriv", "-u", NMS[0], "-a", "SHA-256", "-A", NMS[1], "-x", "AES",
            "-X", NMS[2]]
        env = dict(os.environ, MIBS="", SNMPCONFPATH=self.scratch.path,
                   SNMP_PERSISTENT_DIR=self.scratch.file("client"))
        return subprocess.run(
            [argv[0], *who, "-On", "-OQ", "-Oe", "-Ot", "-t", str(timeout), "-r", "0",
             f"udp:127.0.0.1:{self.port}", *argv[1:]],
            env=env, capture_output=True, text=True, check=False)

    def walk(self, oid=f".{ROOT}"):
        out = self.command("snmpbulkwalk", "-Cr25", oid).stdout
        pairs = re.findall(r"^(\.[0-9.]+) = (.*)$", out, re.M)
        return {name: value.strip('"') for name, value in pairs if "No Such" not in value
                and "No more" not in value}

    def test_scalars_and_rows_are_walked(self):
        self.snmpd.start()
        self.connect(rows=(3, 1, 2))
        self.wait_connected()
        seen = wait_for(self.walk, 10, "a walk")
        self.assertEqual(seen[f".{ROOT}.1.1.1.0"], "0.1.0")
        self.assertEqual(seen[f".{ROOT}.1.1.3.0"], "2")
        self.assertEqual(seen[f".{ROOT}.1.1.11.0"], str((3 << 32) + 1))
        self.assertEqual(seen[f".{ROOT}.1.1.14.0"], "1")
        self.assertGreater(int(seen[f".{ROOT}.1.1.2.0"]), 0)
        self.assertEqual(len([name for name in seen if name.startswith(f".{ROOT}.1.1.")]), 20)
        self.assertEqual([name for name in seen if name.startswith(f"{CHECK}.2.")],
                         [f"{CHECK}.2.{n}" for n in (1, 2, 3)])
        self.assertEqual(seen[f"{CHECK}.2.1"], "crm/web/check1")
        self.assertEqual(seen[f"{CHECK}.5.1"], "2")
        self.assertEqual(seen[f"{CHECK}.9.1"].split(), "07 EA 0B 16 02 1F 27 05 2B 00 00".split())
        self.assertEqual(len([name for name in seen if name.startswith(CHECK)]), 3 * 9)

    def test_rows_change_and_go(self):
        self.snmpd.start()
        self.connect(rows=range(1, 6))
        self.wait_connected()
        self.update(rows={"check": {"2": {"state": 2, "text": "connection refused"}},
                          "incident": {"9": {"id": "I", "severity": 2}}},
                    removed={"check": [4]})
        wait_for(lambda: self.walk().get(f"{CHECK}.4.2") == "2", 10, "the changed row")
        seen = self.walk()
        self.assertEqual(seen[f"{CHECK}.7.2"], "connection refused")
        self.assertEqual(seen[f"{CHECK}.2.2"], "crm/web/check2")
        self.assertEqual([name for name in seen if name.startswith(f"{CHECK}.2.")],
                         [f"{CHECK}.2.{n}" for n in (1, 2, 3, 5)])
        self.assertEqual(seen[f".{ROOT}.1.5.1.4.9"], "2")
        # A full set replaces everything.
        self.update(full=True, rows={"check": {"7": check_row(7)}})
        wait_for(lambda: f"{CHECK}.2.7" in self.walk(), 10, "the new set")
        self.assertEqual([name for name in self.walk() if name.startswith(f"{CHECK}.2.")],
                         [f"{CHECK}.2.7"])

    def test_walks_go_through_all_tables_in_order(self):
        self.snmpd.start()
        self.connect(rows=(2, 70000, 1))
        self.wait_connected()
        self.update(rows={
            "incident": {"5": {"id": "I5"}},
            "policy": {"1": {"name": "restart-unit", "mode": 3, "next": 1795314699_500000}},
            "backup": {"1": {"component": "crm/database", "age": 1}},
            "receiver": {"3": {"name": "nms", "sequence": 1 << 40}},
            "log": {"3.9": {"id": "n9"}, "3.10": {"id": "n10"}, "2.4294967295": {"id": "last"},
                    "2.0": {"id": "first"}, "3": {"id": "bad"}, "3.9.1": {}, "0.1": {}},
            "window": {"1": {"name": "sunday", "open": True}}})
        wait_for(lambda: f".{ROOT}.1.11.1.2.1" in self.walk(), 10, "the rows")
        by_getbulk = self.walk()
        one_by_one = self.command("snmpwalk", f".{ROOT}").stdout
        # Ages and the time of running may differ by then.
        names = re.findall(r"^(\.[0-9.]+) = ", one_by_one, re.M)
        self.assertEqual(names, list(by_getbulk))
        as_numbers = [tuple(map(int, name.strip(".").split("."))) for name in names]
        self.assertEqual(as_numbers, sorted(as_numbers))
        self.assertEqual([name.rsplit(".10.1.2.", 1)[1] for name in names if ".1.10.1.2." in name],
                         ["2.0", "2.4294967295", "3.9", "3.10"])
        self.assertEqual(by_getbulk[f".{ROOT}.1.8.1.11.3"], str(1 << 40))
        self.assertEqual(by_getbulk[f".{ROOT}.1.8.1.6.3"], "0")
        self.assertGreater(int(by_getbulk[f".{ROOT}.1.7.1.8.1"]), 1_700_000_000)
        # Several columns at once, and from in between: a station that resynchronises.
        log = f".{ROOT}.1.10.1.2"
        out = self.command("snmpbulkget", "-Cn0", "-Cr3", f"{log}.3.8", f"{log}.2", f"{CHECK}.2.2",
                           f".{ROOT}.1.11").stdout
        first = [name.rsplit(".", 2)[1:] for name in re.findall(r"^(\.[0-9.]+) =", out, re.M)]
        self.assertEqual(first[0::4][:2], [["3", "9"], ["3", "10"]])
        self.assertEqual(first[1::4], [["2", "0"], ["2", "4294967295"], ["3", "9"]])
        self.assertEqual([one[1] for one in first[2::4]], ["70000", "1", "2"])
        self.assertIn(f".{ROOT}.1.11.1.4.1", out)
        for name in (f"{log}.3", f"{log}.3.9.0", f"{log}.1.9", f".{ROOT}.1.1.1.1", f".{ROOT}.1.1",
                     f".{ROOT}.1.4.1.1.1", f".{ROOT}.1.9.1", f"{CHECK}.99.1"):
            self.assertIn("No Such", self.command("snmpget", name).stdout, name)

    def test_open_incidents_are_alarms(self):
        self.snmpd.start()
        self.connect(rows=(1,))
        self.wait_connected()
        self.update(rows={"incident": {
            "8": {"id": "I8", "fingerprint": "crm/web/page", "severity": 2, "text": "refused",
                  "since": 1795314699_500000},
            "3": {"id": "I3", "fingerprint": "crm/db/up", "severity": 1, "text": "slow",
                  "since": 1795314700_500000}}})
        table = ".1.3.6.1.2.1.118.1.2.2"
        alarms = wait_for(lambda: len(self.walk(table)) == 22 and self.walk(table), 10, "alarms")
        tend = "4.116.101.110.100.11.7.234.11.22.2.31"
        self.assertEqual(list(alarms)[:2], [f"{table}.1.4.{tend}.39.5.43.0.0.8",
                                            f"{table}.1.4.{tend}.40.5.43.0.0.3"])
        self.assertEqual(alarms[f"{table}.1.11.{tend}.39.5.43.0.0.8"],
                         "critical: crm/web/page: refused")
        self.assertEqual(alarms[f"{table}.1.9.{tend}.39.5.43.0.0.8"], f".{ROOT}.0.1")
        pointer = alarms[f"{table}.1.14.{tend}.39.5.43.0.0.8"]
        self.assertEqual(self.walk(f".{ROOT}.1.5")[pointer], "I8")
        got = self.command("snmpget", f"{table}.1.11.{tend}.40.5.43.0.0.3").stdout
        self.assertIn("warning: crm/db/up: slow", got)
        self.update(removed={"incident": [8, 3]})
        wait_for(lambda: not self.walk(table), 10, "no alarms")

    def test_an_agent_with_alarms_of_its_own_is_not_hidden(self):
        table = ".1.3.6.1.2.1.118.1.2.2"
        theirs = self.scratch.file("theirs", f"""#!/bin/sh
[ "$1" = -g ] && [ "$2" != {table}.1.11.1 ] && exit 0
[ "$1" = -n ] && [ "$2" = {table}.1.11.1 ] && exit 0
printf '{table}.1.11.1\\nstring\\ntheirs\\n'
""")
        os.chmod(theirs, 0o755)
        with open(self.snmpd.config, "a", encoding="ascii") as config:
            config.write(f"pass {table} /bin/sh {theirs}\n")
        self.snmpd.start()
        self.connect(rows=(1,))
        self.wait_connected()
        self.update(rows={"incident": {"8": {"id": "I8", "since": 1795314699_500000}}})
        wait_for(lambda: f".{ROOT}.1.5.1.2.8" in self.walk(), 10, "the incident")
        self.assertEqual(self.walk(table), {f"{table}.1.11.1": "theirs"})

    def test_nothing_can_be_set(self):
        self.snmpd.start()
        self.connect(rows=(1,))
        self.wait_connected()
        wait_for(self.walk, 10, "a walk")
        for name, kind, value in ((f"{CHECK}.7.1", "s", "hello"), (f".{ROOT}.1.1.14.0", "i", "2")):
            done = self.command("snmpset", name, kind, value, community=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr + done.stdout, "notWritable|noAccess")
        self.assertEqual(self.walk()[f"{CHECK}.7.1"], "as expected")

    def test_rows_are_back_after_a_restart_of_snmpd(self):
        self.snmpd.start()
        self.connect(rows=(1, 2), ping=5)
        self.wait_connected()
        wait_for(self.walk, 10, "a walk")
        self.snmpd.stop()
        self.wait_connected(False)
        self.update(rows={"check": {"2": {"state": 3}}})
        self.snmpd.start()
        began = time.monotonic()
        wait_for(lambda: self.walk().get(f"{CHECK}.4.2") == "3", 10, "the rows to be back")
        self.assertLessEqual(time.monotonic() - began, 60)

    def test_snmpd_that_starts_later(self):
        self.connect(rows=(1,))
        self.wait_connected(False)
        self.snmpd.start()
        self.wait_connected()
        wait_for(lambda: f"{CHECK}.2.1" in self.walk(), 10, "the row")

    def test_a_frozen_snmpd_does_not_stop_it(self):
        self.snmpd.start()
        self.connect(rows=(1,))
        self.wait_connected()
        wait_for(self.walk, 10, "a walk")
        self.snmpd.signal(signal.SIGSTOP)
        # It goes on reading what tendd says, and does not grow.
        before = rss_kib(self.agent.process.pid)
        self.agent.sock.setblocking(False)
        sent = 0
        deadline = time.monotonic() + 4
        state = 0
        while time.monotonic() < deadline:
            state = (state + 1) % 4
            line = (f'{{"call":"update","args":{{"generation":{self.generation + 1},"full":false,'
                    f'"rows":{{"check":{{"1":{{"state":{state}}}}}}}}}}}\n').encode()
            try:
                n = self.agent.sock.send(line)
            except BlockingIOError:
                select.select([], [self.agent.sock], [], 1)
                continue
            self.assertEqual(n, len(line))
            self.generation += 1
            sent += 1
        self.assertGreater(sent, 1000)
        wait_for(lambda: unread(self.agent.sock) == 0, 2, "it to read all of it")
        self.assertLess(rss_kib(self.agent.process.pid) - before, 4096)
        self.snmpd.signal(signal.SIGCONT)
        self.update(rows={"check": {"1": {"state": 2, "text": "thawed"}}})
        wait_for(lambda: self.walk().get(f"{CHECK}.7.1") == "thawed", 20, "the row after the thaw")

    def test_ten_thousand_rows(self):
        self.snmpd.start()
        self.connect()
        self.wait_connected()
        for start in range(1, 10001, 500):
            self.update(rows={"check": {str(n): check_row(n) for n in range(start, start + 500)}})
        wait_for(lambda: self.command("snmpget", f"{CHECK}.2.10000").stdout.count("check10000"), 20,
                 "the last row")
        began = time.monotonic()
        names = self.walk(f"{CHECK}.2")
        self.assertEqual(len(names), 10000)
        self.assertLess(time.monotonic() - began, 120)

    def test_bad_updates_are_left_out(self):
        self.snmpd.start()
        self.connect(rows=(1,))
        self.wait_connected()
        self.update(rows={"check": {"0": check_row(1), "-1": check_row(1), "x": check_row(1),
                                    "2": "no row", "3": {"text": "x" * 400, "unheard": 1}},
                          "nothing": {"1": {}}}, removed={"check": [77, "x"]}, scalars={"no": 1})
        wait_for(lambda: f"{CHECK}.2.3" in self.walk(), 10, "the good row")
        seen = self.walk()
        self.assertEqual([name for name in seen if name.startswith(f"{CHECK}.2.")],
                         [f"{CHECK}.2.1", f"{CHECK}.2.3"])
        self.assertEqual(len(seen[f"{CHECK}.7.3"]), 255)

    def test_it_ends_with_its_parent(self):
        self.snmpd.start()
        self.connect()
        self.wait_connected()
        self.agent.close()
        self.assertEqual(self.agent.process.wait(5), 0)


def unread(sock):
    """Bytes that the other end of the socketpair has not read yet."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


if __name__ == "__main__":
    unittest.main()
