# SPDX-License-Identifier: MIT
"""The ldap probe in its tend-work processes, against a real slapd in all moods."""

import os
import subprocess
import unittest

from probes import (Authority, Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying,
                    silent, tcp_port)
from snmpbox import Scratch

BASE = "dc=crm,dc=test"
ADMIN, PASSWORD = f"cn=admin,{BASE}", "s3cret"
CONF = """include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {path}/pid
TLSCACertificateFile {ca}
TLSCertificateFile {pem}
TLSCertificateKeyFile {key}
{more}
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {path}/data
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,{base}" by * none
access to * by * read
"""
LDIF = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
o: CRM
dc: crm

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=hidden,{BASE}
objectClass: organizationalUnit
ou: hidden

""" + "".join(f"""dn: cn={name},ou=people,{BASE}
objectClass: person
cn: {name}
sn: {name.title()}
userPassword: {PASSWORD}

""" for name in ("alice", "bob", "zoe"))


class Shim:
    """What the helpers want of a test, for a whole class."""

    def __init__(self, cls):
        self.addCleanup = cls.addClassCleanup
        self.fail = cls.fail


def secret(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, 0o600)
    return f"file:{path}"


class Slapd:
    """Listens on 127.0.0.1 and ::1, plain on `port` and with TLS on `tls_port`."""

    def __init__(self, test, ca, cert, more=""):
        self.scratch = Scratch()
        test.addCleanup(self.scratch.close)
        path = self.scratch.path
        os.mkdir(os.path.join(path, "data"), 0o700)
        conf = self.scratch.file("slapd.conf", CONF.format(
            path=path, ca=ca.path("ca.pem"), pem=cert[0], key=cert[1], more=more, base=BASE,
            admin=ADMIN, password=PASSWORD))
        ldif = self.scratch.file("data.ldif", LDIF)
        subprocess.run(["slapadd", "-q", "-f", conf, "-l", ldif], check=True, capture_output=True)
        self.port, self.tls_port = tcp_port(), tcp_port()
        urls = " ".join(f"ldap://{host}:{self.port} ldaps://{host}:{self.tls_port}"
                        for host in ("127.0.0.1", "[::1]"))
        self.server = Server(test, ["slapd", "-d", "0", "-f", conf, "-h", urls],
                             lambda: answers(self.port) and answers(self.tls_port))


class Ldap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shim = Shim(cls)
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.ca = Authority(cls.scratch.file("ca"))
        cls.other = Authority(cls.scratch.file("other"))
        cls.slapd = Slapd(shim, cls.ca, cls.ca.issue("good", "DNS:ldap.test"))
        # Does nothing without TLS or for the anonymous; its certificate is for another name.
        cls.strict = Slapd(shim, cls.ca, cls.ca.issue("elsewhere", "DNS:elsewhere.test"),
                           "security simple_bind=128\ndisallow bind_anon\n")
        cls.late = Slapd(shim, cls.ca, cls.ca.issue("late", "DNS:ldap.test", days=-10))
        cls.probes = Probes(shim, cls.checks(shim), "3s")

    @classmethod
    def checks(cls, shim):
        plain = {"host": "127.0.0.1", "port": cls.slapd.port}
        good = secret(cls.scratch.file("good-secret"), PASSWORD)
        bad = secret(cls.scratch.file("bad-secret"), "wrong")
        alice = {"bind_dn": f"cn=alice,ou=people,{BASE}", "password": good}
        tls = {"host": "ldap.test", "hostaddr": "127.0.0.1", "ca_file": cls.ca.path("ca.pem")}
        start = {**tls, "port": cls.slapd.port, "tls": "starttls"}
        ldaps = {**tls, "port": cls.slapd.tls_port, "tls": "ldaps"}
        people = {"base": f"ou=people,{BASE}", "filter": "(objectClass=person)"}
        odd = {"silent": silent, "web": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
               "garbage": saying(b"\x30\x0c\x02\x01\x01\x61\x30\xff\xff\xff\xff\xff\xff\xff"),
               "hang-up": hanging_up}
        checks = {
            "v4": plain, "v6": {**plain, "host": "::1"},
            "bracket": {**plain, "host": "[::1]"},
            "name": {**plain, "host": "localhost"},
            "alice": {**plain, **alice},
            "root-entry": {**plain, "filter": "(objectClass=*)", "attribute": "supportedLDAPVersion",
                           "expect": "3"},
            "people": {**plain, **alice, **people, "min_entries": 3, "max_entries": 3},
            "one": {**plain, "base": f"cn=zoe,ou=people,{BASE}", "scope": "base",
                    "attribute": "sn", "expect": "Zoe"},
            "level": {**plain, "base": BASE, "scope": "one", "min_entries": 1},
            "too-few": {**plain, **people, "min_entries": 4},
            "too-many": {**plain, **people, "max_entries": 2},
            "other-value": {**plain, **people, "attribute": "sn", "expect": "Eve"},
            "no-attribute": {**plain, **people, "attribute": "description", "expect": "x"},
            "wrong-password": {**plain, **alice, "password": bad},
            "wrong-password6": {**plain, **alice, "password": bad, "host": "::1"},
            "nobody": {**plain, **alice, "bind_dn": f"cn=eve,{BASE}"},
            "no-base": {**plain, "base": f"ou=gone,{BASE}"},
            "hidden": {**plain, **alice, "base": f"ou=hidden,{BASE}"},
            "bad-filter": {**plain, "base": BASE, "filter": "(cn=alice"},
            "starttls": {**start, **alice}, "ldaps": {**ldaps, **alice},
            "ldaps6": {**ldaps, **alice, "hostaddr": "::1"},
            "untrusted": {**ldaps, "ca_file": cls.other.path("ca.pem")},
            "untrusted-start": {**start, "ca_file": cls.other.path("ca.pem")},
            "unverified": {**ldaps, "ca_file": cls.other.path("ca.pem"), "verify": "no"},
            "other-name": {**ldaps, "port": cls.strict.tls_port},
            "late": {**ldaps, "port": cls.late.tls_port},
            "tls-on-plain": {**ldaps, "port": cls.slapd.port},
            "anonymous-refused": {**plain, "port": cls.strict.port},
            "tls-first": {**plain, **alice, "port": cls.strict.port},
            "no-name": {"host": "nothing.invalid"},
            "half-open": {"host": "127.0.0.1", "port": full_backlog(shim)},
        }
        for name, host in (("slow", "127.0.0.1"), ("slow6", "::1")):
            checks[name] = {**plain, **alice, "host": host, "critical.bind_seconds": 0.1,
                            "port": Slow(shim, cls.slapd.port, host).port}
        for name, how in odd.items():
            checks[name] = {"host": "127.0.0.1", "port": Odd(shim, how).port}
            checks[name + "6"] = {"host": "::1", "port": Odd(shim, how, "::1").port}
            checks[name + "-tls"] = {**tls, "port": checks[name]["port"], "tls": "ldaps"}
        return {name: {"probe": "ldap", **options} for name, options in checks.items()}

    def check(self, name, reason, words="", **metrics):
        got = self.probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, value in metrics.items():
            self.assertIn(metric, got.metrics, got)
            if value is not None:
                self.assertEqual(got.metrics[metric], value, got)
        return got

    def test_well(self):
        for name in ("v4", "v6", "bracket", "name"):
            self.check(name, "ok", "logged in anonymously", connect_seconds=None, bind_seconds=None)
        self.check("alice", "ok", "logged in")
        self.check("root-entry", "ok", "supportedLDAPVersion is '3'", entries=1)
        self.check("people", "ok", "3 entries", entries=3, search_seconds=None)
        self.check("one", "ok", "sn is 'Zoe'", entries=1)
        self.check("level", "ok", entries=1)
        for name in ("starttls", "ldaps", "ldaps6", "unverified"):
            self.check(name, "ok", "logged in", tls_seconds=None)

    def test_slow(self):
        self.check("slow", "threshold", "bind_seconds")
        self.check("slow6", "threshold", "bind_seconds")

    def test_content(self):
        self.check("too-few", "content-unexpected", "at least 4 entries, found 3")
        self.check("too-many", "content-unexpected", "at most 2 entries")
        self.check("other-value", "content-unexpected", "expected 'Eve' in sn, got '")
        self.check("no-attribute", "content-unexpected", "no entry has that attribute")
        self.check("no-base", "object-missing", "No such object")
        self.check("hidden", "object-missing")
        self.check("bad-filter", "query-failed", "(cn=alice")

    def test_log_in(self):
        self.check("wrong-password", "auth-failed", "127.0.0.1 port")
        self.check("wrong-password6", "auth-failed", "::1 port")
        self.check("nobody", "auth-failed", "Invalid credentials")
        self.check("anonymous-refused", "auth-failed", "anonymous bind disallowed")
        self.check("tls-first", "auth-failed", "confidentiality required")
        self.check("no-name", "dns-failed", "nothing.invalid")

    def test_certificates(self):
        self.check("untrusted", "tls-untrusted")
        self.check("untrusted-start", "tls-untrusted")
        self.check("other-name", "tls-name")
        self.check("late", "tls-expired")
        self.check("tls-on-plain", "tls-failed")

    def test_odd(self):
        for six in ("", "6"):
            self.check("silent" + six, "too-slow", "the log-in was not answered")
            self.check("web" + six, "protocol", "no LDAP server")
            self.check("garbage" + six, "protocol")
            self.check("hang-up" + six, "protocol", "closed during the log-in")
        self.check("silent-tls", "too-slow", "the TLS handshake")
        self.check("web-tls", "tls-failed")
        self.check("hang-up-tls", "tls-failed")
        self.check("half-open", "connect-timeout")

    def test_zz_frozen_and_dead(self):
        with self.slapd.server.frozen():
            for name in ("v4", "v6", "starttls", "ldaps", "ldaps6"):
                self.check(name, "too-slow")
        self.check("v4", "ok")
        self.slapd.server.kill()
        for name in ("v4", "v6", "name", "starttls", "ldaps", "ldaps6"):
            self.check(name, "connect-refused")


if __name__ == "__main__":
    unittest.main()
