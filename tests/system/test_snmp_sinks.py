# SPDX-License-Identifier: MIT
"""tendd tells snmptrapd in every mood: slow, frozen, stopped, made anew; and tend-snmp is killed.
What was told is counted in snmptrapd's own log."""

import collections
import http.server
import os
import re
import shutil
import signal
import socket
import threading
import time
import unittest

from tendbox import wait_for
from snmpbox import BUILD, ROOT, Scratch, SlowLine, Tendd, create_user, free_port, trapd

Told = collections.namedtuple("Told", "kind id sequence incident fingerprint severity")


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512


def told(sink):
    """All informs and traps in the order of their arrival."""
    found = []
    for trap in sink.text().split("TRAP\n")[1:]:
        if "\nEND" not in trap:
            continue
        kind = re.search(rf"OID: \.{re.escape(ROOT)}\.0\.(\d+)", trap).group(1)
        values = dict(re.findall(
            rf"\.{re.escape(ROOT)}\.1\.20\.(\d+)\.0 = [A-Za-z0-9-]+: \"?([^\t\n\"]*)", trap))
        found.append(Told(int(kind), values["1"], int(values["2"]), values.get("4", ""),
                          values.get("5", ""), int(values.get("6", "0"))))
    return found


class Sinks(unittest.TestCase):
    RECEIVER = "rate_per_minute = 0\nretry_min = 500ms\nretry_max = 2s\ntimeout = 3s\n"

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.port, self.web_port = free_port(), free_port(kind=socket.SOCK_STREAM)
        self.trapd = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.port}")
        self.web = None

    def start_web(self):
        self.web = Server(("127.0.0.1", self.web_port), Web)
        threading.Thread(target=self.web.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(self.stop_web)

    def stop_web(self):
        if self.web:
            self.web.shutdown()
            self.web.server_close()
            self.web = None

    def start_fast_web(self):
        """For thousands of checks: a server that says 503, and the function that makes it well."""
        server = self.scratch.spawn_piped([os.path.join(BUILD, "tests/bench/bench_http_server")])
        self.web_port = int(server.stdout.readline())

        def say(word):
            server.stdin.write(word + "\n")
            server.stdin.flush()
            server.stdout.readline()
        say("fail")
        return lambda: say("well")

    def configure(self, n_checks, receivers=None, interval="1s", timeout="900ms"):
        tendd = Tendd(self.scratch, "")
        tendd.add(receivers(tendd) if receivers else
                  tendd.receiver("nms", self.port, self.RECEIVER))
        with open(tendd.config, encoding="utf-8") as file:
            names = re.findall(r"\[receiver (\w+)\]", file.read())
        text = [f"[route all]\nreceivers = {', '.join(names)}\n"
                "[system crm]\nenvironment = production\n"]
        for n in range(n_checks):
            text.append(f"[component crm/c{n}]\nkind = web\n[check crm/c{n}/page]\nprobe = http\n"
                        f"interval = {interval}\ntimeout = {timeout}\nconfirm = 1 of 1\n"
                        f"url = http://127.0.0.1:{self.web_port}/\n")
        tendd.add("".join(text))
        self.tendd = tendd
        return tendd

    def wait(self, condition, timeout, what):
        try:
            return wait_for(condition, timeout, what, interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tendd.tail()}") from error

    def waiting(self, name="nms"):
        return self.tendd.receivers().get(name, {}).get("waiting", -1)

    def assert_complete(self, sink, n):
        """`n` raises or clears, each once or again with the same id, those of one subject and all
        sequence numbers of it in order. A machine whose disk is slow may tell of itself besides."""
        first, by_subject = {}, collections.defaultdict(list)
        for one in told(sink):
            if one.id in first:
                self.assertEqual(one, first[one.id], "a duplicate is the same")
                continue
            first[one.id] = one
            by_subject[one.fingerprint].append(one)
        self.assertEqual(sum(len(all_of_it) for subject, all_of_it in by_subject.items()
                             if not subject.startswith("tend/")), n, self.tendd.tail())
        least = min(one.sequence for one in first.values())
        self.assertEqual({one.sequence for one in first.values()},
                         set(range(least, least + len(first))))
        for subject, all_of_it in by_subject.items():
            self.assertEqual([one.sequence for one in all_of_it],
                             sorted(one.sequence for one in all_of_it), subject)
            self.assertEqual([one.kind for one in all_of_it], [1, 3][:len(all_of_it)], subject)
            self.assertEqual(len({one.incident for one in all_of_it}), 1, subject)
            self.assertEqual({one.severity for one in all_of_it}, {2}, subject)
        return first


class Moods(Sinks):
    N = 40

    def start_all(self, n=N, **more):
        self.trapd.start()
        self.start_web()
        tendd = self.configure(n, **more).start()
        self.wait(lambda: (tendd.get("/v1/status")["counts"]).get("ok") == n, 30, "all ok")
        return tendd

    def test_restarted_with_its_own_state(self):
        """The same engine with more boots: what we know of its clock is wrong."""
        self.start_all()
        self.stop_web()
        self.wait(lambda: len(told(self.trapd)) >= self.N, 20, "the raises")
        persist = self.scratch.file(f"trapd-{self.trapd.n_starts}")
        self.trapd.stop()
        self.start_web()
        self.wait(lambda: self.waiting() == self.N, 20, "the clears to wait")
        shutil.copytree(persist, self.scratch.file(f"trapd-{self.trapd.n_starts + 1}"))
        self.trapd.start()
        self.wait(lambda: self.waiting() == 0, 30, "the clears")
        self.assert_complete(self.trapd, 2 * self.N)

    def test_reinstalled_as_another_engine(self):
        self.start_all()
        self.stop_web()
        self.wait(lambda: len(told(self.trapd)) >= self.N, 20, "the raises")
        self.trapd.stop()
        self.trapd.start()
        self.start_web()
        self.wait(lambda: self.waiting() == 0 and len(told(self.trapd)) >= 2 * self.N, 30,
                  "the clears")
        self.assert_complete(self.trapd, 2 * self.N)

    def test_frozen_and_thawed(self):
        self.start_all()
        self.trapd.signal(signal.SIGSTOP)
        self.stop_web()
        self.wait(lambda: self.waiting() == self.N, 20, "the raises to wait")
        self.wait(lambda: self.tendd.receivers()["nms"]["last_error"], 20, "an error")
        self.trapd.signal(signal.SIGCONT)
        self.wait(lambda: self.waiting() == 0, 30, "the raises")
        self.assert_complete(self.trapd, self.N)

    def test_three_at_once_one_dead_one_slow(self):
        slow_port = free_port()
        slow = trapd(self.scratch, "slow", f"udp:127.0.0.1:{slow_port}").start()
        line = SlowLine(slow_port, 0.4)
        self.addCleanup(line.close)
        dead_port = free_port()

        def receivers(tendd):
            return (tendd.receiver("nms", self.port, self.RECEIVER)
                    + tendd.receiver("slow", line.port, self.RECEIVER)
                    + tendd.receiver("dead", dead_port, self.RECEIVER))
        self.start_all(receivers=receivers)
        self.stop_web()
        began = time.monotonic()
        self.wait(lambda: len(told(self.trapd)) >= self.N, 10, "the raises")
        self.assertLess(time.monotonic() - began, 5)
        self.wait(lambda: self.waiting("slow") == 0 and len(told(slow)) >= self.N, 20,
                  "the slow one")
        self.assertEqual(self.waiting("dead"), self.N)
        dead = trapd(self.scratch, "dead", f"udp:127.0.0.1:{dead_port}").start()
        self.wait(lambda: self.waiting("dead") == 0, 30, "the dead one, alive")
        for sink in (self.trapd, slow, dead):
            self.assert_complete(sink, self.N)

    def test_tend_snmp_is_killed_in_a_burst(self):
        n = 600
        self.trapd.start()
        tendd = self.configure(n, interval="3s")
        self.trapd.signal(signal.SIGSTOP)
        tendd.start()
        self.wait(lambda: self.waiting() == n, 30, f"{n} raises to wait")
        self.trapd.signal(signal.SIGCONT)
        n_kills = 0
        while len(told(self.trapd)) < n and n_kills < 8:
            before = len(told(self.trapd))
            self.wait(lambda: len(told(self.trapd)) > before, 30, "one more")
            n_kills += 1 if tendd.signal_helper("tend-snmp") else 0
        self.wait(lambda: self.waiting() == 0, 60, "the rest")
        self.assert_complete(self.trapd, n)
        self.assertGreater(n_kills, 2)
        print(f"\n{n_kills} kills, {len(told(self.trapd)) - n} duplicates, all with the same id")

    def test_a_tend_snmp_that_hangs_is_ended(self):
        tendd = self.start_all(n=3)
        self.assertTrue(tendd.signal_helper("tend-snmp", signal.SIGSTOP))
        self.stop_web()
        self.wait(lambda: self.waiting() == 3, 10, "the raises")
        self.wait(lambda: self.waiting() == 0, 20, "the raises to be acknowledged")
        self.assert_complete(self.trapd, 3)

    def test_wrong_password_is_said_and_mended(self):
        def receivers(tendd):
            return tendd.receiver("nms", self.port, self.RECEIVER)
        self.trapd.start()
        tendd = self.configure(3, receivers)
        path = self.scratch.file("auth")
        with open(path, encoding="utf-8") as file:
            right = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write("not-the-password\n")
        tendd.start()
        self.wait(lambda: "usmStatsWrongDigests" in (
            tendd.receivers()["nms"]["last_error"] or ""), 20, "the error")
        self.assertEqual(told(self.trapd), [])
        with open(path, "w", encoding="utf-8") as file:
            file.write(right)
        self.wait(lambda: self.waiting() == 3, 20, "the raises to wait")
        tendd.ctl("reload")
        self.wait(lambda: self.waiting() == 0, 20, "the raises")
        self.assert_complete(self.trapd, 3)
        with open(tendd.log, encoding="utf-8") as log:
            said = log.read()
        for secret in ("not-the-password", right.strip()):
            self.assertNotIn(secret, said + tendd.ctl("delivery", "list"))


class Traps(Sinks):
    TRAP = Sinks.RECEIVER + "notify = trap\n"

    def test_v3_traps_and_the_boots_of_our_engine(self):
        def receivers(tendd):
            return tendd.receiver("nms", self.port, self.TRAP)
        tendd = self.configure(1, receivers)
        self.start_web()
        tendd.start()
        engine = self.wait(lambda: tendd.receivers()["nms"]["engine_id"], 10, "our engine id")
        self.assertIn(engine, tendd.ctl("receiver", "show", "nms"))
        sink = trapd(self.scratch, "traps", f"udp:127.0.0.1:{self.port}",
                     more=create_user(engine=engine)).start()

        def boots():
            with open(self.scratch.file("state/snmp-engine"), encoding="utf-8") as file:
                return re.search("^boots = (.*)$", file.read(), re.M).group(1)
        self.assertEqual(boots(), "1")
        self.assertEqual(os.stat(self.scratch.file("state/snmp-engine")).st_mode & 0o777, 0o600)
        self.stop_web()
        self.wait(lambda: len(told(sink)) == 1, 10, "the raise")
        tendd.ctl("reload")
        tendd.signal_helper("tend-snmp")
        self.start_web()
        self.wait(lambda: len(told(sink)) == 2, 10, "the clear")
        self.assertEqual(boots(), "1")
        tendd.stop()
        tendd.start()
        self.wait(lambda: boots() == "2", 10, "the boots to rise")
        self.stop_web()
        self.wait(lambda: len(told(sink)) == 3, 10, "the next raise")
        rows = self.wait(lambda: [row for row in tendd.get("/v1/deliveries?limit=10") or []
                                  if row["kind"] == "incident.raised"], 10, "the ledger")
        self.assertEqual({(row["state"], row["last_error"]) for row in rows},
                         {("delivered", "sent, not acknowledged")})
        self.assertIn("sent, not acknowledged", tendd.ctl("delivery", "show", rows[0]["notice"]))

    def test_v2c_and_v1(self):
        v1_port = free_port()
        sinks = {2: trapd(self.scratch, "v2c", f"udp:127.0.0.1:{self.port}").start(),
                 1: trapd(self.scratch, "v1", f"udp:127.0.0.1:{v1_port}").start()}

        def receivers(tendd):
            community = f"community = file:{self.scratch.path}/community\nnotify = trap\n"
            return (f"[receiver two]\ntype = snmp\nversion = 2c\nhost = 127.0.0.1:{self.port}\n"
                    f"{community}[receiver one]\ntype = snmp\nversion = 1\n"
                    f"host = 127.0.0.1:{v1_port}\n{community}")
        tendd = self.configure(1, receivers).start()
        self.wait(lambda: len(told(sinks[2])) == 1, 10, "the raise by v2c")
        self.wait(lambda: f"from 127.0.0.1, .{ROOT}, 6, .1\n" in sinks[1].text(), 10,
                  "the raise by v1")
        self.assertEqual(tendd.receivers()["one"]["engine_id"], None)

    def test_the_heartbeat_by_inform_and_trap(self):
        other_port = free_port()
        sinks = {"nms": self.trapd.start(),
                 "v2c": trapd(self.scratch, "v2c", f"udp:127.0.0.1:{other_port}").start()}
        tendd = self.configure(0, lambda tendd: (
            tendd.receiver("nms", self.port, self.RECEIVER + "heartbeat = 1s\n")
            + "[receiver v2c]\ntype = snmp\nversion = 2c\nnotify = trap\nheartbeat = 1s\n"
              f"host = 127.0.0.1:{other_port}\n"
              f"community = file:{self.scratch.path}/community\n")).start()
        for name, sink in sinks.items():
            self.wait(lambda sink=sink: len(told(sink)) >= 3, 15, f"heartbeats for {name}")
            self.assertEqual({one.kind for one in told(sink)}, {12}, name)
        self.assertTrue(all(row["failed"] == 0 for row in tendd.receivers().values()))

    def test_the_test_of_a_receiver(self):
        """tendctl receiver test: acknowledged, sent only, and nobody there."""
        self.trapd.start()
        dead_port = free_port()

        def receivers(tendd):
            return (tendd.receiver("nms", self.port, self.RECEIVER)
                    + tendd.receiver("traps", self.port, self.TRAP)
                    + tendd.receiver("dead", dead_port, self.RECEIVER))
        tendd = self.configure(0, receivers).start()
        out = tendd.ctl("receiver", "test", "nms")
        self.assertRegex(out, r"State:\s+delivered")
        self.wait(lambda: [one.kind for one in told(self.trapd)] == [13], 10, "tendTest")
        self.assertIn("sent, not acknowledged", tendd.ctl("receiver", "test", "traps"))
        self.assertIn("timeout", tendd.ctl("receiver", "test", "dead", check=False))


if __name__ == "__main__":
    unittest.main()
