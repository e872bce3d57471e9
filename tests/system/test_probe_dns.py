# SPDX-License-Identifier: MIT
"""The dns probe against nsd (authoritative) and dnsmasq (recursive), and servers that misbehave."""

import os
import socket
import struct
import unittest

from probes import Odd, OddUdp, Probes, Server, SlowUdp, hanging_up, saying, silent
from snmpbox import Scratch, free_port
from tendbox import wait_for

ZONE = """$TTL 300
@ IN SOA ns1.crm.test. admin.crm.test. {serial} 3600 600 86400 300
@ IN NS ns1
@ IN MX 10 mail
@ IN MX 20 Mail2
@ IN TXT "v=spf1 -all" " more"
@ IN CAA 0 issue "ca.test"
ns1 IN A 192.0.2.1
mail IN A 192.0.2.5
www IN A 192.0.2.10
www IN A 192.0.2.11
www IN AAAA 2001:db8::10
alias IN CNAME www
_ldap._tcp IN SRV 0 5 389 ns1
{more}
sub IN NS ns.elsewhere.test.
"""


def question(name, kind):
    text = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + text + b"\0" +
            struct.pack("!2H", kind, 1))


def asks_well(port, address="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        try:
            sock.sendto(question("www.crm.test", 1), (address, port))
            return len(sock.recv(512)) > 12
        except OSError:
            return False


class Dns(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def nsd(self, name, port, address, serial, more=""):
        folder = self.scratch.file(name)
        os.mkdir(folder)
        with open(os.path.join(folder, "zone"), "w", encoding="utf-8") as zone:
            zone.write(ZONE.format(serial=serial, more=more))
        config = self.scratch.file(f"{name}.conf", f"""server:
  server-count: 1
  ip-address: {address}@{port}
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{folder}"
  zonelistfile: "{folder}/list"
  xfrdfile: "{folder}/xfrd"
  xfrdir: "{folder}"
  pidfile: "{folder}/pid"
remote-control:
  control-enable: no
zone:
  name: crm.test
  zonefile: zone
zone:
  name: broken.test
  zonefile: none
""")
        return Server(self, ["nsd", "-d", "-c", config], lambda: asks_well(port, address))

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, wanted in metrics.items():
            self.assertEqual(got.metrics[metric], wanted, got)
        return got

    def test_authoritative(self):
        port = free_port()
        one = self.nsd("one", port, "127.0.0.1", 7)
        self.nsd("two", port, "127.0.0.2", 8, "www IN A 192.0.2.12")
        six = self.nsd("six", port, "::1", 7)
        both = "127.0.0.1, 127.0.0.2"
        base = {"probe": "dns", "name": "www.crm.test", "servers": "127.0.0.1", "port": port}
        checks = {
            "a": {"expect": "192.0.2.10, 192.0.2.11", "authoritative": "yes"},
            "tcp": {"expect": "192.0.2.10, 192.0.2.11", "tcp": "yes"},
            "v6": {"servers": "::1", "type": "AAAA", "expect": "2001:DB8::10"},
            "named": {"servers": "localhost"},
            "cname": {"name": "alias.crm.test", "type": "CNAME", "expect": "www.crm.test."},
            "through": {"name": "alias.crm.test", "expect": "192.0.2.10, 192.0.2.11"},
            "mx": {"name": "crm.test", "type": "MX", "expect": "10 mail.crm.test",
                   "match": "contains"},
            "txt": {"name": "crm.test", "type": "TXT", "expect": "v=spf1 -all more"},
            "srv": {"name": "_ldap._tcp.crm.test", "type": "SRV",
                    "expect": "0 5 389 ns1.crm.test"},
            "caa": {"name": "crm.test", "type": "CAA", "expect": "0 issue ca.test"},
            "ns": {"name": "crm.test", "type": "NS", "expect": "ns1.crm.test"},
            "more": {"expect": "192.0.2.10"},
            "other": {"expect": "192.0.2.99"},
            "contains": {"expect": "192.0.2.10", "match": "contains"},
            "no-type": {"name": "mail.crm.test", "type": "AAAA"},
            "nxdomain": {"name": "nothing.crm.test"},
            "wanted-nxdomain": {"name": "nothing.crm.test", "rcode": "nxdomain"},
            "unwanted": {"rcode": "nxdomain"},
            "refused": {"name": "www.elsewhere.test"},
            "servfail": {"name": "www.broken.test"},
            "lame": {"name": "www.sub.crm.test"},
            "serials": {"name": "crm.test", "type": "SOA", "servers": both},
            "serials-well": {"name": "crm.test", "type": "SOA", "servers": "127.0.0.1, ::1"},
            "differ": {"servers": both},
            "may-differ": {"servers": both, "agree": "no"},
            "one-dead": {"servers": "127.0.0.1, 127.0.0.3", "agree": "no"},
            "no-name": {"servers": "nothing.invalid"},
            "unsigned": {"validated": "yes"},
            "six": {"servers": "::1"},
            "refused6": {"servers": "::1", "name": "www.elsewhere.test"},
            "slow": {"port": SlowUdp(self, port).port, "critical.query_seconds": 0.1},
            "slow6": {"servers": "::1", "port": SlowUdp(self, port, "::1").port,
                      "critical.query_seconds": 0.1},
        }
        probes = Probes(self, {name: {**base, **options} for name, options in checks.items()})
        got = self.check(probes, "a", "ok", "192.0.2.10, 192.0.2.11", ttl_seconds=300,
                         failed_servers=0)
        self.assertEqual(got.metrics["records/127.0.0.1"], 2)
        self.assertGreater(got.metrics["query_seconds/127.0.0.1"], 0)
        for name in ("tcp", "v6", "named", "cname", "through", "mx", "txt", "srv", "caa", "ns",
                     "contains", "wanted-nxdomain", "may-differ"):
            self.check(probes, name, "ok")
        self.check(probes, "more", "dns-unexpected", "expected 1 records, got 2")
        self.check(probes, "other", "dns-unexpected", "expected 192.0.2.99, got 192.0.2.10")
        self.check(probes, "no-type", "object-missing", "has no AAAA record")
        self.check(probes, "nxdomain", "dns-failed", "NXDOMAIN")
        self.check(probes, "unwanted", "dns-unexpected", "the name exists")
        self.check(probes, "refused", "access-denied", "REFUSED")
        self.check(probes, "refused6", "access-denied", "REFUSED")
        self.check(probes, "slow", "threshold", "query_seconds")
        self.check(probes, "slow6", "threshold", "query_seconds")
        self.check(probes, "servfail", "query-failed", "SERVFAIL")
        self.check(probes, "lame", "dns-unexpected", "is lame: it refers")
        got = self.check(probes, "serials", "out-of-sync", "127.0.0.2 says")
        self.assertEqual((got.metrics["serial/127.0.0.1"], got.metrics["serial/127.0.0.2"]), (7, 8))
        self.check(probes, "serials-well", "ok", "from all servers")
        self.check(probes, "differ", "out-of-sync")
        self.check(probes, "one-dead", "connect-refused", "127.0.0.3 connection refused (1 of 2",
                   failed_servers=1)
        self.check(probes, "no-name", "dns-failed", "its own name does not resolve")
        self.check(probes, "unsigned", "dns-unexpected", "not validated")
        with one.frozen():
            self.check(probes, "a", "no-reply", "127.0.0.1 does not answer")
            self.check(probes, "tcp", "no-reply")
            self.check(probes, "may-differ", "no-reply", "1 of 2 servers fail", failed_servers=1)
        self.check(probes, "a", "ok")
        with six.frozen():
            self.check(probes, "six", "no-reply", "::1 does not answer")
        self.check(probes, "six", "ok")
        one.kill()
        six.kill()
        # Its children may hold the socket for a moment yet.
        wait_for(lambda: probes.run("a").reason == "connect-refused", 5, "nsd to be gone")
        self.check(probes, "tcp", "connect-refused")
        wait_for(lambda: probes.run("six").reason == "connect-refused", 5, "nsd to be gone")

    def test_recursive_and_odd(self):
        port, upstream = free_port(), free_port()
        far = OddUdp(self, lambda data: None).port
        self.nsd("up", upstream, "127.0.0.1", 7)
        Server(self, ["dnsmasq", "-k", "-C", "/dev/null", f"--port={port}", "--no-resolv",
                      "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces",
                      f"--server=/crm.test/127.0.0.1#{upstream}", "--pid-file=",
                      f"--server=/far.test/127.0.0.1#{far}", "--user=root",
                      "--host-record=near.test,192.0.2.77", "--ptr-record="
                      "77.2.0.192.in-addr.arpa,near.test"], lambda: asks_well(port))
        def refuse(data):
            return data[:2] + b"\x81\x85" + data[4:]

        odd = {"garbage": lambda data: data[:2] + b"\xff\xff" + b"\xc0\x0c" * 40,
               "looping": lambda data: (data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:] +
                                        b"\xc0\x2a" * 20),
               "silent": lambda data: None, "refuses": refuse,
               "another-id": lambda data: b"\0\0" + data[2:]}
        checks = {
            "recursive": {"name": "www.crm.test", "expect": "192.0.2.10, 192.0.2.11"},
            "ptr": {"name": "192.0.2.77", "type": "PTR", "expect": "near.test"},
            "no-authority": {"name": "www.crm.test", "authoritative": "yes", "recursion": "yes"},
            "upstream-silent": {"name": "www.far.test"},
            "not-forwarded": {"name": "www.else.test"},
        }
        for name, reply in odd.items():
            checks[name] = {"name": "www.crm.test", "port": OddUdp(self, reply).port}
            checks[name + "6"] = {"name": "www.crm.test", "servers": "::1",
                                  "port": OddUdp(self, reply, "::1").port}
        for name, talk in {"tcp-silent": silent, "tcp-hang-up": hanging_up,
                           "tcp-garbage": saying(b"HTTP/1.1 400 Bad\r\n\r\n" * 2000)}.items():
            checks[name] = {"name": "www.crm.test", "tcp": "yes", "port": Odd(self, talk).port}
        probes = Probes(self, {name: {"probe": "dns", "servers": "127.0.0.1", "port": port,
                                      **options} for name, options in checks.items()},
                        timeout="900ms")
        self.check(probes, "recursive", "ok")
        self.check(probes, "ptr", "ok", "near.test")
        self.check(probes, "no-authority", "dns-unexpected", "is lame: it has no authority")
        self.check(probes, "upstream-silent", "no-reply")
        self.check(probes, "not-forwarded", "access-denied")
        for six in ("", "6"):
            # What does not fit the question may be anybody's: the right one is waited for.
            self.check(probes, "garbage" + six, "protocol", "answers what is no answer")
            self.check(probes, "another-id" + six, "protocol", "answers what is no answer")
            self.check(probes, "looping" + six, "protocol")
            self.check(probes, "silent" + six, "no-reply")
            self.check(probes, "refuses" + six, "access-denied")
        self.check(probes, "tcp-silent", "no-reply")
        self.check(probes, "tcp-hang-up", "protocol", "answers what is no answer")
        self.check(probes, "tcp-garbage", "protocol", "answers what is no answer")


if __name__ == "__main__":
    unittest.main()
