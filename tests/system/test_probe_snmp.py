# SPDX-License-Identifier: MIT
"""The snmp probe against a real snmpd (net-snmp) in moods, and agents that misbehave."""

import configparser
import os
import subprocess
import unittest

from agents import (AUTH, BASE, END, ENGINE, NULL, OTHER_ENGINE, PRIV, TARGET, USM, AgentV3, Snmpd,
                    answering, bind, message, number, pdu, tlv)
from inbox import BUILD
from probes import OddUdp, Probes
from snmpbox import Scratch, free_port
from tendbox import wait_for

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../etc/conf.d/snmp.conf.example")
UPTIME = "1.3.6.1.2.1.1.3.0"
TABLE = {  # BASE.10.COLUMN.ROW: name, state, temperature, its decimals, kind
    **{f"10.1.{row}": ("string", name)
       for row, name in ((1, "disk a"), (2, "disk b"), (10, "fan"))},
    **{f"10.2.{row}": ("integer", state) for row, state in ((1, 3), (2, 3), (10, 4))},
    **{f"10.3.{row}": ("integer", heat) for row, heat in ((1, 415), (2, 42), (10, 9))},
    **{f"10.4.{row}": ("integer", digits) for row, digits in ((1, 1), (2, 0), (10, -2))},
    **{f"10.5.{row}": ("integer", kind) for row, kind in ((1, 8), (2, 8), (10, 10))},
}
VALUES = {
    "1.0": ("integer", 3), "2.0": ("string", "optimal"), "3.0": ("gauge", 215),
    "4.0": ("timeticks", 12345), "5.0": ("string", "23.5"), "6.0": ("objectid", ".1.3.6.1.4"),
    "7.0": ("counter", 1000), "8.0": ("counter64", 5000000000), "9.0": ("ipaddress", "192.0.2.7"),
    **TABLE,
}


class Base(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        for name, secret in (("auth", AUTH), ("priv", PRIV), ("public", "public"),
                             ("other", "another-password")):
            os.chmod(self.scratch.file(name, secret), 0o600)

    def secret(self, name):
        return f"file:{self.scratch.file(name)}"

    def v2c(self, port, host="127.0.0.1", community="public", **more):
        return {"probe": "snmp", "host": host, "port": port, "version": "2c",
                "community": self.secret(community), **more}

    def v3(self, port, user="ops", auth="auth", priv="priv", **more):
        options = {"probe": "snmp", "host": "127.0.0.1", "port": port, "user": user,
                   "auth_password": self.secret(auth), **more}
        if priv:
            options["priv_password"] = self.secret(priv)
        return options

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, wanted in metrics.items():
            self.assertAlmostEqual(got.metrics[metric], wanted, delta=1e-6, msg=got)
        return got


class Agent(Base):
    def test_well(self):
        agent = Snmpd(self, self.scratch, VALUES)
        port = agent.port
        up = {"get.up": UPTIME}
        kinds = {
            **{f"get.{name}": f"{BASE}.{n}.0" for n, name in enumerate(
                ("state", "word", "volts", "ticks", "text", "object", "count", "long", "ip"), 1)},
            "scale.volts": "/10", "total": "count, long", "words.state": "2=degraded, 3=optimal",
            "unit.ticks": "s",
        }
        table = {"walk.state": f"{BASE}.10.2", "walk.heat": f"{BASE}.10.3",
                 "instance": f"{BASE}.10.1"}
        many = {f"get.n{n}": f"{BASE}.{n % 9 + 1}.0" for n in range(60)}
        probes = Probes(self, {
            "v2c": self.v2c(port, **up), "v6": self.v2c(port, "::1", **up),
            "named": self.v2c(port, "localhost", family="ipv4", **up),
            "v3": self.v3(port, **up),
            "strong": self.v3(port, "strong", auth="auth", priv="priv", **up) |
                      {"auth": "SHA-512", "priv": "AES-256"},
            "signed": self.v3(port, "signed", priv=None, **up) |
                      {"auth": "SHA-384", "priv": "none"},
            "kinds": self.v3(port, **kinds), "many": self.v3(port, **many),
            "table": self.v3(port, **table, ignore="disk b"),
            "by-index": self.v2c(port, **{"walk.state": f"{BASE}.10.2", "repetitions": 1}),
            "where": self.v2c(port, **table, where=f"{BASE}.10.5=8", decimals=f"{BASE}.10.4",
                              **{"share.part": "heat, state"}),
            "digits": self.v2c(port, **table, decimals=f"{BASE}.10.4"),
            "expected": self.v2c(port, **kinds, **{"expect.state": "optimal",
                                                   "expect.word": "good|optimal"}),
            "not-expected": self.v2c(port, **kinds, **{"expect.state": "2|4"}),
            "row-fails": self.v2c(port, **table, **{"words.state": "4=failed",
                                                    "expect.state": "3"}),
            "threshold": self.v2c(port, **table, **{"critical.heat": "400"}),
            "missing": self.v3(port, **up, **{"get.gone": f"{BASE}.99.0",
                                              "get.instance": "1.3.6.1.2.1.1.5.7"}),
            "optional": self.v3(port, **up, **{"get.gone": f"{BASE}.99.0", "optional": "gone"}),
            "no-column": self.v3(port, **table, **{"walk.none": f"{BASE}.10.7"}),
            "no-table": self.v3(port, **{"walk.none": f"{BASE}.77"}),
            "none-wanted": self.v3(port, **table, where=f"{BASE}.10.5=99"),
            "too-many": self.v3(port, **table, max_rows=2),
            "at-the-end": self.v2c(port, **{"walk.last": "1.3.6.1.6.3.16.1.5.2.1.6"}),
        }, timeout="10s")
        for name in ("v2c", "v6", "named", "v3", "strong", "signed"):
            got = self.check(probes, name, "ok", "up ")
            self.assertAlmostEqual(got.metrics["up"], got.metrics["uptime_seconds"], delta=5)
            self.assertLess(got.metrics["answer_seconds"], got.metrics["total_seconds"])
        got = self.check(probes, "kinds", "ok", "state optimal, word 'optimal', volts 21.5",
                         state=3, volts=21.5, ticks=123.45, text=23.5, count=1000,
                         long=5000000000)
        self.assertIn("object '1.3.6.1.4'", got.text)
        for name in ("word", "object", "ip"):
            self.assertNotIn(name, got.metrics)
        got = self.check(probes, "many", "ok", n0=3, n2=215, n57=123.45)
        self.assertNotIn("n6", got.metrics)  # a counter, for the first time
        got = self.check(probes, "table", "ok", "2 rows", rows=2)
        self.assertEqual({"state/disk a": 3, "state/fan": 4, "heat/disk a": 415, "heat/fan": 9},
                         {key: value for key, value in got.metrics.items() if "/" in key})
        got = self.check(probes, "by-index", "ok", "3 rows")
        self.assertEqual([got.metrics[f"state/{row}"] for row in (1, 2, 10)], [3, 3, 4])
        got = self.check(probes, "where", "ok", "2 rows")
        self.assertAlmostEqual(got.metrics["heat/disk a"], 41.5)
        self.assertAlmostEqual(got.metrics["heat/disk b"], 42)
        self.assertAlmostEqual(got.metrics["part/disk b"], 1400)
        self.assertAlmostEqual(probes.run("digits").metrics["heat/fan"], 9)
        self.check(probes, "expected", "ok")
        self.check(probes, "not-expected", "content-unexpected",
                   "state is 3 (optimal), expected 2|4", state=3)
        self.check(probes, "row-fails", "content-unexpected", "state of fan is 4 (failed)", rows=3)
        self.check(probes, "threshold", "threshold", "disk a")
        got = self.check(probes, "missing", "object-missing", f"there is no gone ({BASE}.99.0)")
        self.assertIn("instance (1.3.6.1.2.1.1.5.7)", got.text)
        self.assertIn("up", got.metrics)
        self.check(probes, "optional", "ok", "up ")
        self.check(probes, "no-column", "object-missing", "no column none", rows=3)
        self.check(probes, "no-table", "object-missing", "no column none", rows=0)
        self.check(probes, "none-wanted", "content-unexpected", "0 of 3 rows")
        self.check(probes, "too-many", "content-unexpected", "more than 2 rows")
        self.check(probes, "at-the-end", "ok")

    def test_moods(self):
        agent = Snmpd(self, self.scratch, VALUES)
        port, up = agent.port, {"get.state": f"{BASE}.1.0"}
        probes = Probes(self, {
            "v2c": self.v2c(port, **up), "v3": self.v3(port, **up),
            "community": self.v2c(port, community="other", **up),
            "unknown": self.v3(port, "nobody", **up),
            "password": self.v3(port, auth="other", **up),
            "protocol": self.v3(port, **up) | {"auth": "SHA-512"},
            "privacy": self.v3(port, priv="other", **up),
            "cipher": self.v3(port, **up) | {"priv": "AES-256"},
            "level": self.v3(port, "signed", **up) | {"auth": "SHA-384"},
            "open": self.v3(port, priv=None, **up) | {"priv": "none"},
            "blind": self.v3(port, "blind", **up),
            "closed": self.v3(free_port(), **up), "closed-v2c": self.v2c(free_port(), **up),
            "context": self.v3(port, context="bay", **up),
            "no-name": self.v2c(161, "nothing.invalid", **up),
            "no-family": self.v2c(port, family="ipv6", **up),
        }, timeout="2s")
        for name in ("v2c", "v3"):
            self.check(probes, name, "ok", state=3)
        self.check(probes, "community", "no-reply", "community")
        self.check(probes, "unknown", "auth-failed", "does not know this user")
        self.check(probes, "password", "auth-failed", "authentication password")
        self.check(probes, "protocol", "auth-failed", "authentication password")
        self.check(probes, "privacy", "auth-failed", "privacy password")
        self.check(probes, "cipher", "auth-failed", "privacy password")
        self.check(probes, "level", "auth-failed", "level of security")
        for name in ("open", "blind"):
            self.check(probes, name, "access-denied")
        for name in ("closed", "closed-v2c"):
            self.check(probes, name, "connect-refused")
        self.check(probes, "no-name", "dns-failed")
        self.check(probes, "no-family", "dns-failed")
        with agent.frozen():
            for name in ("v2c", "v3"):
                self.check(probes, name, "no-reply", "none of")
        # By RFC 3413 it should report that; net-snmp drops the question.
        self.check(probes, "context", "too-slow", "context")
        agent.kill()
        for name in ("v2c", "v3"):
            self.check(probes, name, "connect-refused")
        agent.start()
        for name in ("v2c", "v3"):
            self.check(probes, name, "ok", state=3)

    def test_slow(self):
        """One that is there, and whose own source of a value hangs."""
        agent = Snmpd(self, self.scratch, VALUES)
        # snmpd keeps what its program said last, so another value is asked for in between.
        values = {"get.volts": f"{BASE}.3.0", "get.ticks": f"{BASE}.4.0"}
        probes = Probes(self, {"v2c": self.v2c(agent.port, **values),
                               "v3": self.v3(agent.port, **values)}, timeout="1s")
        for name in ("v2c", "v3"):
            self.assertEqual(self.slowed(agent, probes, name), "volts was not answered in time")
            wait_for(agent.serves, 20, "snmpd to serve again")
            self.check(probes, name, "ok", volts=215)

    def slowed(self, agent, probes, name):
        """What it says when it was the first to ask: snmpd answers nobody while it waits."""
        def ask():
            wait_for(agent.serves, 20, "snmpd to serve")
            with open(agent.slow, "w", encoding="ascii"):
                pass
            try:
                return probes.run(name)
            finally:
                os.unlink(agent.slow)
        return wait_for(lambda: (got := ask()).reason == "too-slow" and got.text.partition(": ")[2],
                        60, "a value to be slow")

    def test_rates(self):
        agent = Snmpd(self, self.scratch, VALUES)
        table = {**TABLE, "10.6.1": ("counter", 5), "10.6.2": ("counter", 7)}
        counters = {"get.short": f"{BASE}.7.0", "get.long": f"{BASE}.8.0",
                    "get.packets": "1.3.6.1.2.1.11.1.0", "unit.short": "B", "scale.long": 8,
                    "walk.row": f"{BASE}.10.6", "instance": f"{BASE}.10.1", "total": "all",
                    "get.all": f"{BASE}.7.0", "where": f"{BASE}.10.5=8"}
        probes = Probes(self, {"rate": self.v2c(agent.port, **counters)}, timeout="10s")
        before = []

        def after(short, long, rows=(5, 7)):
            agent.set({**table, "7.0": ("counter", short), "8.0": ("counter64", long),
                       "10.6.1": ("counter", rows[0]), "10.6.2": ("counter", rows[1])})
            got = self.check(probes, "rate", "ok", all=short)
            uptime = got.metrics["uptime_seconds"]
            while before and uptime <= before[-1]:  # its clock has hundredths
                got = probes.run("rate")
                uptime = got.metrics["uptime_seconds"]
            span = uptime - before[-1] if before else None
            before.append(uptime)
            return got, span

        got, _ = after(1000, 5000000000)
        self.assertIn("rates come with the next result", got.text)
        for name in ("short", "long", "packets", "row/disk a"):
            self.assertNotIn(name, got.metrics)
        got, span = after(1600, 5000000300, (15, 7))
        self.assertNotIn("rates come", got.text)
        self.assertAlmostEqual(got.metrics["short"], 600 / span, delta=1e-6, msg=got)
        self.assertAlmostEqual(got.metrics["long"], 8 * 300 / span, delta=1e-6, msg=got)
        self.assertAlmostEqual(got.metrics["row/disk a"], 10 / span, delta=1e-6, msg=got)
        self.assertEqual(got.metrics["row/disk b"], 0)
        self.assertGreater(got.metrics["packets"], 0)  # snmpd's own count of our questions
        after(4294967000, 5000000300)
        got, span = after(704, 5000000300)  # over the end of 32 bits: 1000 more
        self.assertAlmostEqual(got.metrics["short"], 1000 / span, delta=1e-6, msg=got)
        self.assertEqual(got.metrics["long"], 0)
        got, _ = after(5, 17)  # both set anew, under an agent that goes on
        self.assertEqual(got.metrics.get("short", 0) > 1e6, False, got)
        self.assertNotIn("long", got.metrics)
        agent.kill()
        agent.start()
        before.clear()  # its sysUpTime goes back
        got, _ = after(4000, 4000)
        for name in ("short", "long", "row/disk a", "packets"):
            self.assertNotIn(name, got.metrics)
        got, span = after(4100, 4100)
        self.assertAlmostEqual(got.metrics["short"], 100 / span, delta=1e-6, msg=got)

    def test_examples(self):
        """Those of a host and its network, as they are shipped, against this one."""
        agent = Snmpd(self, self.scratch)
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str
        parser.read(EXAMPLES, encoding="utf-8")
        checks = {}
        for name in ("load", "processors", "storage", "network"):
            options = dict(parser[f"check room/server/{name}"])
            for key in [key for key in options if key.startswith(("warning", "critical"))]:
                del options[key]
            options.pop("interval")
            checks[name] = options | self.v3(agent.port)
        checks["storage"]["ignore"] = "/proc*"
        checks["storage"]["min_rows"] = checks["network"]["min_rows"] = "0"
        checks["network"]["ignore"] = "docker*"
        probes = Probes(self, checks, timeout="10s")
        got = self.check(probes, "load", "ok", "processes ")
        self.assertGreater(got.metrics["processes"], 1)
        self.assertIn("load1", got.metrics)
        got = probes.run("processors")  # it needs a while to know that
        self.assertIn(got.reason, ("ok", "object-missing"), got)
        got = probes.run("storage")
        for key, share in got.metrics.items():
            if key.startswith("used_pct/"):
                row = key.partition("/")[2]
                self.assertAlmostEqual(share, 100 * got.metrics[f"used_units/{row}"] /
                                       got.metrics[f"size_units/{row}"], delta=1e-6)
        self.assertIn(got.reason, ("ok", "object-missing"), got)
        got = probes.run("network")
        self.assertIn("link/lo", got.metrics, got)
        self.assertEqual(got.metrics["link/lo"], 1)


class Odd(Base):
    def test_answers(self):
        def table(kind, names):
            return 0, 0, [bind(f"{names[0]}.{n}", number(n)) for n in range(1, 4)]

        def endless(kind, names):  # a row after any other
            head, _, last = names[0].rpartition(".")
            if names[0] == f"{BASE}.1":
                head, last = names[0], "0"
            return 0, 0, [bind(f"{head}.{int(last) + n}", number(n)) for n in range(1, 9)]

        def too_big(kind, names):
            if len(names) > 2:
                return 1, 0, []
            return 0, 0, [bind(name, number(7, 0x42)) for name in names]

        def no_such_name(kind, names):  # as an agent of SNMPv1 says it
            for index, name in enumerate(names, 1):
                if name == f"{BASE}.2.0":
                    return 2, index, [bind(name, NULL) for name in names]
            return 0, 0, [bind(name, number(7)) for name in names]

        def small_rows(kind, names):  # only a little at once
            if names[0] == f"{BASE}.1":
                return 0, 0, [bind(f"{BASE}.1.1", number(1)), bind(f"{BASE}.1.2", number(2))]
            return 0, 0, [bind(names[0], END)]

        def all_of(value):
            return lambda kind, names: (0, 0, [bind(name, value) for name in names])

        odd = {
            "silent": lambda data: None, "garbage": lambda data: b"\xff" * 60,
            "echo": lambda data: data, "short": lambda data: b"\x30\x02",
            "empty": lambda data: b"", "http": lambda data: b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "community": lambda data: message(pdu(0xa2, 1, []), b"other"),
            "late": lambda data: message(pdu(0xa2, 1, [])),
            "decrease": answering(lambda kind, names: (0, 0, [
                bind(f"{BASE}.1.2", number(1)), bind(f"{BASE}.1.1", number(2))])),
            "same": answering(lambda kind, names: (0, 0, [bind(f"{BASE}.1.1", number(1))])),
            "round": answering(table), "endless": answering(endless),
            "nothing": answering(lambda kind, names: (0, 0, [])),
            "other": answering(lambda kind, names: (0, 0, [
                bind(f"{BASE}.99.{n}", number(1)) for n in range(len(names))])),
            "big": answering(too_big), "bigger": answering(lambda kind, names: (1, 0, [])),
            "v1": answering(no_such_name), "small": answering(small_rows),
            "error": answering(lambda kind, names: (5, 1, [])),
            "denied": answering(lambda kind, names: (16, 0, [])),
            "text": answering(all_of(tlv(4, b"on fire\0"))),
            "bytes": answering(all_of(tlv(4, b"\0\x1a\x2b"))),
            "escape": answering(all_of(tlv(4, b"\x1b[31m"))),
            "float": answering(all_of(tlv(0x44, b"\x9f\x78\x04\x41\x3c\0\0"))),
            "bad-value": answering(all_of(tlv(0x41, b"123456789"))),
            "bad-type": answering(all_of(tlv(0x1f, b"1"))),
        }
        walks = ("decrease", "same", "round", "endless", "nothing", "small")
        checks, servers = {}, {}
        gets = {f"get.n{n}": f"{BASE}.{n}.0" for n in range(1, 6)}
        for name, reply in odd.items():
            servers[name] = OddUdp(self, reply)
            checks[name] = self.v2c(servers[name].port, **(
                {"walk.row": f"{BASE}.1"} if name in walks else gets))
        checks["v3-garbage"] = self.v3(servers["garbage"].port, **gets)
        checks["v3-echo"] = self.v3(servers["echo"].port, **gets)
        checks["v3-v2c"] = self.v3(servers["late"].port, **gets)
        probes = Probes(self, checks, timeout="1s")
        for name in ("garbage", "echo", "short", "empty", "http", "v3-garbage", "v3-echo",
                     "v3-v2c"):
            self.check(probes, name, "protocol", "no SNMP of this version")
        self.check(probes, "community", "protocol", "another community")
        for name in ("silent", "late"):
            self.check(probes, name, "no-reply")
        self.assertGreaterEqual(servers["silent"].n, 3)  # asked again
        for name in ("decrease", "same"):
            self.check(probes, name, "protocol", "do not increase")
        self.check(probes, "round", "content-unexpected", "more than 64 rows")
        self.check(probes, "endless", "content-unexpected", "more than 64 rows")
        self.check(probes, "nothing", "protocol", "without a value")
        self.check(probes, "other", "protocol", "not what was asked")
        self.check(probes, "big", "ok", n1=7, n5=7)
        self.check(probes, "bigger", "query-failed", "tooBig")
        self.check(probes, "v1", "object-missing", f"there is no n2 ({BASE}.2.0)", n1=7, n3=7)
        self.check(probes, "small", "ok", "2 rows")
        self.check(probes, "error", "query-failed", "genErr")
        self.check(probes, "denied", "access-denied", "authorizationError")
        self.check(probes, "text", "ok", "n1 'on fire'")
        self.check(probes, "escape", "ok", "1b:5b:33:31:6d")
        self.check(probes, "bytes", "ok", "00:1a:2b")
        self.check(probes, "float", "ok", n1=11.75)
        for name in ("bad-value", "bad-type"):
            self.check(probes, name, "protocol", "n1: what is answered is no SNMP")


    def test_lost(self):
        """Of each question the first datagram is lost."""
        seen = set()
        answer = answering(lambda kind, names: (0, 0, [bind(name, number(7)) for name in names]))

        def reply(data):
            if data in seen:
                return answer(data)
            seen.add(data)
            return None
        server = OddUdp(self, reply)
        probes = Probes(self, {"lost": self.v2c(server.port, resend="50ms",
                                                **{"get.n": f"{BASE}.1.0"})}, timeout="10s")
        self.check(probes, "lost", "ok", n=7)

    def test_v3(self):
        """What net-snmp never does: a clock of its own, another engine at once, forged answers."""
        def tells_time(agent, engine, boots, time):
            return None if boots == agent.boots and time >= agent.time else USM + ".2.0"

        def other_engine(agent, engine, boots, time):
            return None if engine == agent.engine else USM + ".4.0"

        def becomes_other(agent, engine, boots, time):
            return USM + ".4.0" if len(agent.asked) == 2 else None

        def always(report):
            return lambda agent, engine, boots, time: report

        agents = {
            "clock": AgentV3(tells_time), "never-in-time": AgentV3(always(USM + ".2.0")),
            "again": AgentV3(becomes_other),
            "never-itself": AgentV3(other_engine, engine=OTHER_ENGINE),
            "level": AgentV3(always(USM + ".1.0")), "context": AgentV3(always(TARGET + ".5.0")),
            "sealed": AgentV3(always(USM + ".6.0")), "strange": AgentV3(always("1.3.6.1.9.9")),
            "forged": AgentV3(always(None), password="somebody-else"),
            "forged-time": AgentV3(always(USM + ".2.0"), password="somebody-else"),
        }
        ports = {name: OddUdp(self, agent).port for name, agent in agents.items()}
        probes = Probes(self, {name: self.v3(port, priv=None, **{"get.n": f"{BASE}.1.0"}) |
                               {"priv": "none"} for name, port in ports.items()}, timeout="1s")
        for name in ("clock", "again"):
            self.check(probes, name, "ok", n=0.07)
        self.assertEqual([asked[:2] for asked in agents["clock"].asked[-4:]],
                         [(b"", 0), (ENGINE, 0), (ENGINE, 3), (ENGINE, 3)])
        self.check(probes, "never-in-time", "protocol", "time")
        self.check(probes, "never-itself", "protocol", "another engine id")
        self.check(probes, "level", "auth-failed", "level of security")
        self.check(probes, "sealed", "auth-failed", "decrypt")
        self.check(probes, "context", "object-missing", "context")
        self.check(probes, "strange", "protocol", "1.3.6.1.9.9")
        for name in ("forged", "forged-time"):
            self.check(probes, name, "auth-failed", "not signed as they should be")


class Options(Base):
    def tried(self, *options, nagios=False):
        done = subprocess.run(
            [os.path.join(BUILD, "daemon/ctl/tendctl"), "check", "try",
             *(["--nagios"] if nagios else []), "snmp", "host=127.0.0.1", *options],
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "TEND_PLUGINDIR": os.path.join(os.path.abspath(BUILD), "plugins"),
                 "TEND_LIBEXECDIR": os.path.join(os.path.abspath(BUILD), "daemon/try")})
        return done.returncode, done.stdout + done.stderr

    def test_refused(self):
        user = ["user=tend", f"auth_password={self.secret('auth')}"]
        sealed = [*user, f"priv_password={self.secret('priv')}"]
        os.chmod(short := self.scratch.file("short", "seven77"), 0o600)
        rows = [
            ([*sealed, "auth=MD5"], "MD5"), ([*sealed, "auth=SHA"], "SHA"),
            ([*sealed, "priv=DES"], "DES"), (["user=tend"], "auth_password"),
            (user, "priv_password"), ([*user, "priv=none", "community=public"], "community"),
            (["version=2c"], "community"), ([*sealed, "version=1"], "version"),
            (["user=tend", f"auth_password=file:{short}"], "8 to 256"),
            ([*sealed, "get.up=sysUpTime.0"], "no OID in numbers"),
            ([*sealed, f"get.up={UPTIME}", "unit.down=s"], "there is no get.down"),
            ([*sealed, f"get.up={UPTIME}", f"walk.up={UPTIME}"], "two metrics"),
            ([*sealed, f"get.up={UPTIME}", f"instance={UPTIME}"], "no walk."),
            ([*sealed, "min_rows=9", "max_rows=3"], "min_rows"),
        ]
        for options, words in rows:
            status, said = self.tried(*options)
            self.assertNotEqual(status, 0, options)
            self.assertIn(words, said, options)
            self.assertNotIn(AUTH, said)

    def test_try(self):
        agent = Snmpd(self, self.scratch, VALUES)
        options = [f"port={agent.port}", "user=ops", f"auth_password={self.secret('auth')}",
                   f"priv_password={self.secret('priv')}", f"get.state={BASE}.1.0", "timeout=10s"]
        status, said = self.tried(*options, "expect.state=3", nagios=True)
        self.assertEqual(status, 0, said)
        self.assertIn("'state'=3", said)
        status, said = self.tried(*options, "expect.state=2", nagios=True)
        self.assertEqual(status, 2, said)
        self.assertIn("state is 3, expected 2", said)


if __name__ == "__main__":
    unittest.main()
