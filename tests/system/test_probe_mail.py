# SPDX-License-Identifier: MIT
"""The probes smtp and imap against postfix and dovecot in all moods, and a mail that goes round."""

import os
import pwd
import ssl
import subprocess
import time
import unittest

from postfix import Postfix
from probes import (Authority, Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying,
                    silent, tcp_port)
from snmpbox import Scratch
from tendbox import wait_for

DOVECOT = """
base_dir = {path}/run
state_dir = {path}/state
log_path = {path}/dovecot.log
protocols = imap
listen = 127.0.0.1, ::1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = yes
login_trusted_networks =
auth_failure_delay = 0
auth_mechanisms = plain
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:{mail}/%u
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=8M
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={path}/home
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
protocol imap {{
  mail_plugins = quota imap_quota
}}
"""


class Mail(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def secret(self, name, text):
        path = self.scratch.file(name, text)
        os.chmod(path, 0o600)
        return f"file:{path}"

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, value in metrics.items():
            self.assertIn(metric, got.metrics, got)
            if value is not None:
                self.assertEqual(got.metrics[metric], value, got)
        return got

    def odd(self, probe, greeting, **options):
        """Silent, garbage, hanging up, no SYN-ACK, on both families."""
        talks = {"silent": silent, "garbage": saying(b"\x00\xffnonsense\r\n"),
                 "hang-up": hanging_up,
                 "endless": saying(greeting + b"x" * 300000),
                 "mute": saying(greeting + b"\r\n")}
        checks = {"half-open": {"host": "127.0.0.1", "port": full_backlog(self)},
                  "nobody": {"host": "nothing.invalid"}}
        for name, talk in talks.items():
            for family, address in (("v4", "127.0.0.1"), ("v6", "::1")):
                checks[f"{name}-{family}"] = {"host": address,
                                              "port": Odd(self, talk, address).port}
        probes = Probes(self, {name: {"probe": probe, **options, **more}
                               for name, more in checks.items()}, timeout="400ms")
        self.check(probes, "half-open", "connect-timeout")
        self.check(probes, "nobody", "dns-failed")
        for family in ("v4", "v6"):
            self.check(probes, f"silent-{family}", "too-slow", "waiting for the greeting")
            self.check(probes, f"mute-{family}", "too-slow", "no answer")
            for name in ("garbage", "hang-up", "endless"):
                self.check(probes, f"{name}-{family}", "protocol")

    def test_odd_smtp(self):
        self.odd("smtp", b"220 mx ESMTP")

    def test_odd_imap(self):
        self.odd("imap", b"* OK ready")

    def test_flood(self):
        """A server that never stops sending over TLS holds neither the check nor the others."""
        ca = Authority(self.scratch.file("ca"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ca.issue("mail"))
        line = b"* OK " + b"x" * 900 + b"\r\n"

        def flood(tls):
            end = time.monotonic() + 20
            while time.monotonic() < end:
                tls.sendall(line * 1024)

        def much(n_lines):
            """More than is read in a turn, and then nothing until it is asked again."""
            def talk(tls):
                for asked in tls.makefile("rb"):
                    tls.sendall(line * n_lines + b"* CAPABILITY IMAP4rev1\r\n"
                                + asked.split()[0] + b" OK done\r\n")
            return talk

        def over_tls(talk):
            def inside(sock):
                with context.wrap_socket(sock, server_side=True) as tls:
                    tls.sendall(b"* OK ready\r\n")
                    talk(tls)
            return inside

        options = {"probe": "imap", "host": "127.0.0.1", "tls": "yes",
                   "ca_file": ca.path("ca.pem")}
        port = Odd(self, over_tls(flood)).port
        probes = Probes(self, {
            "short": {**options, "port": port, "timeout": "50ms"},
            "long": {**options, "port": port, "timeout": "60s"},
            **{f"much-{n}": {**options, "port": Odd(self, over_tls(much(n))).port,
                             "timeout": "5s"} for n in range(48, 80, 4)}})
        for name, reason, words in (("short", "too-slow", "no answer "),
                                    ("long", "protocol", "sends more than 64 MiB"),
                                    *((f"much-{n}", "ok", "") for n in range(48, 80, 4))):
            begun = time.monotonic()
            self.check(probes, name, reason, words)
            self.assertLess(time.monotonic() - begun, 15)

    def frozen_tree(self, pid):
        """All processes below: a master's children serve on."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True,
                             text=True, check=False).stdout.split()
        return [int(pid)] + [int(one) for one in out]

    def signal(self, pids, name):
        for pid in pids:
            subprocess.run(["kill", f"-{name}", str(pid)], capture_output=True, check=False)

    def dovecot(self, password, mail=None):
        path = self.scratch.file("dovecot")
        os.mkdir(path, 0o755)
        user = pwd.getpwnam("nobody")
        for name in ("mail", "home", "state"):
            os.mkdir(f"{path}/{name}", 0o755)
        for name in ("mail", "home"):
            os.chown(f"{path}/{name}", user.pw_uid, user.pw_gid)
        ca = Authority(self.scratch.file("ca"))
        cert, key = ca.issue("mail")
        self.ca = ca.path("ca.pem")
        self.imap_port, self.imaps_port = tcp_port(), tcp_port()
        text = DOVECOT.format(path=path, mail=mail or f"{path}/mail", password=password,
                              cert=cert, key=key, uid=user.pw_uid, gid=user.pw_gid,
                              port=self.imap_port, tls_port=self.imaps_port)
        conf = self.scratch.file("dovecot.conf", text)
        server = Server(self, ["dovecot", "-F", "-c", conf], lambda: answers(self.imap_port))
        return server

    def test_imap(self):
        server = self.dovecot("s3cret")
        good, bad = self.secret("good", "s3cret"), self.secret("bad", "wr\"ong\\")
        base = {"probe": "imap", "host": "127.0.0.1", "port": self.imap_port, "ca_file": self.ca}
        secure = {**base, "starttls": "imap", "user": "ops", "password": good}
        checks = {
            "banner": {**base, "expect_banner": "Dovecot",
                       "expect_capabilities": "STARTTLS, IDLE"},
            "banner6": {**base, "host": "::1"},
            "wrong-banner": {**base, "expect_banner": "Cyrus"},
            "no-capability": {**base, "expect_capabilities": "IDLE, X-TELEPATHY"},
            "starttls": {**secure, "quota": "yes"},
            "starttls6": {**secure, "host": "::1"},
            "tls": {**secure, "starttls": "no", "tls": "yes", "port": self.imaps_port},
            "stranger": {key: value for key, value in secure.items() if key != "ca_file"},
            "not-tls": {**secure, "starttls": "no", "tls": "yes"},
            "wrong": {**secure, "password": bad},
            "wrong6": {**secure, "password": bad, "host": "::1"},
            "no-mailbox": {**secure, "mailbox": "Nothing \"here\""},
        }
        checks.update(self.slow(secure, self.imap_port))
        probes = Probes(self, checks, timeout="4s")
        self.check(probes, "banner", "ok", "greeted", greeting_seconds=None)
        self.check(probes, "banner6", "ok")
        self.check(probes, "slow", "threshold", "login_seconds")
        self.check(probes, "slow6", "threshold", "login_seconds")
        self.check(probes, "wrong-banner", "content-unexpected", "expected a greeting")
        self.check(probes, "no-capability", "content-unexpected", "X-TELEPATHY")
        self.check(probes, "starttls", "ok", "0 messages in INBOX", quota_used_bytes=0,
                   quota_max_bytes=8 << 20, login_seconds=None, tls_seconds=None, messages=0)
        self.check(probes, "starttls6", "ok")
        self.check(probes, "tls", "ok", certificate_days=None)
        self.check(probes, "stranger", "tls-untrusted")
        self.check(probes, "not-tls", "tls-failed")
        self.check(probes, "wrong", "auth-failed", "AUTHENTICATIONFAILED")
        self.check(probes, "wrong6", "auth-failed", "AUTHENTICATIONFAILED")
        self.check(probes, "no-mailbox", "object-missing", "opening the mailbox")
        tree = self.frozen_tree(server.process.pid)
        self.signal(tree, "STOP")
        try:
            self.check(probes, "banner", "too-slow", "waiting for the greeting")
            self.check(probes, "banner6", "too-slow")
            self.check(probes, "tls", "too-slow", "in the TLS handshake")
        finally:
            self.signal(tree, "CONT")
        self.check(probes, "starttls", "ok")
        server.stop()
        self.check(probes, "banner", "connect-refused")
        self.check(probes, "banner6", "connect-refused")

    def slow(self, options, port):
        """The same log-in with a server that answers late, on both families."""
        return {name: {**options, "host": host, "critical.login_seconds": 0.1,
                       "port": Slow(self, port, host).port}
                for name, host in (("slow", "127.0.0.1"), ("slow6", "::1"))}

    def postfix(self, **more):
        postfix = Postfix(self.scratch, **more)
        self.addCleanup(postfix.close)
        postfix.start()
        return postfix

    def test_smtp(self):
        postfix = self.postfix(login=("ops", "s3cret"))
        good, bad = self.secret("good", "s3cret"), self.secret("bad", "wrong")
        base = {"probe": "smtp", "host": "127.0.0.1", "port": postfix.port,
                "ca_file": postfix.path + "/ca.pem"}
        login = {**base, "starttls": "smtp", "user": "ops", "password": good}
        mail = {"mail_from": "tend\\@crm.example", "mail_to": "probe\\@crm.example",
                "marker": "m1"}
        checks = {
            "banner": {**base, "expect_banner": "^mx\\.crm\\.example ESMTP",
                       "expect_offers": "STARTTLS, SIZE"},
            "wrong-banner": {**base, "expect_banner": "Exchange"},
            "no-offer": {**base, "expect_offers": "X-TELEPATHY"},
            "login": login,
            "tls": {**login, "starttls": "no", "tls": "yes", "port": postfix.tls_port},
            "stranger": {key: value for key, value in login.items() if key != "ca_file"},
            "wrong": {**login, "password": bad},
            "no-tls": {**login, "starttls": "no"},
            "mail": {**login, **mail},
            "refused": {**login, **mail, "mail_to": "nobody\\@crm.example"},
            "denied": {**login, **mail, "mail_to": "denied\\@crm.example"},
            "full": {**login, **mail, "mail_to": "full\\@crm.example"},
        }
        for name in ("banner", "login", "tls", "wrong"):
            checks[name + "6"] = {**checks[name], "host": "::1"}
        checks.update(self.slow(login, postfix.port))
        postfix.refusals["nobody@crm.example"] = "550 5.1.1 no such user"
        postfix.refusals["denied@crm.example"] = "554 5.7.1 relay access denied"
        postfix.refusals["full@crm.example"] = "452 4.2.2 mailbox full"
        probes = Probes(self, checks, timeout="4s")
        self.check(probes, "banner", "ok", "greeted", greeting_seconds=None,
                   size_limit_bytes=None)
        for name in ("banner6", "login6", "tls6"):
            self.check(probes, name, "ok")
        self.check(probes, "slow", "threshold", "login_seconds")
        self.check(probes, "slow6", "threshold", "login_seconds")
        self.check(probes, "wrong6", "auth-failed", "logging in: 535")
        self.check(probes, "wrong-banner", "content-unexpected")
        self.check(probes, "no-offer", "content-unexpected", "X-TELEPATHY")
        self.check(probes, "login", "ok", "logged in", login_seconds=None, tls_seconds=None)
        self.check(probes, "tls", "ok", certificate_days=None)
        self.check(probes, "stranger", "tls-untrusted")
        self.check(probes, "wrong", "auth-failed", "logging in: 535")
        self.check(probes, "no-tls", "auth-failed", "offers no AUTH")
        self.check(probes, "mail", "ok", "was taken", accept_seconds=None)
        self.check(probes, "refused", "object-missing", "no such user")
        self.check(probes, "denied", "access-denied", "relay access denied")
        self.check(probes, "full", "quota", "mailbox full")
        wait_for(postfix.mails, 10, "the mail to arrive", interval=0.05)
        self.assertEqual(postfix.mails()[0]["X-Tend-Marker"], "m1")
        with open(postfix.path + "/queue/pid/master.pid", encoding="ascii") as file:
            tree = self.frozen_tree(int(file.read()))
        self.signal(tree, "STOP")
        try:
            for name in ("banner", "banner6"):
                self.check(probes, name, "too-slow", "waiting for the greeting")
            self.check(probes, "tls", "too-slow", "in the TLS handshake")
        finally:
            self.signal(tree, "CONT")
        self.check(probes, "banner", "ok")
        self.check(probes, "banner6", "ok")
        postfix.stop()
        self.check(probes, "banner", "connect-refused")
        self.check(probes, "banner6", "connect-refused")

    def test_round_trip(self):
        postfix = self.postfix()
        self.dovecot("s3cret", postfix.path + "/mail")
        imap = {"probe": "imap", "host": "127.0.0.1", "port": self.imap_port, "starttls": "imap",
                "ca_file": self.ca, "user": "all", "password": self.secret("good", "s3cret"),
                "max_age": "4s"}
        probes = Probes(self, {
            "send": {"probe": "smtp", "host": "127.0.0.1", "port": postfix.port,
                     "mail_from": "tend\\@crm.example", "mail_to": "probe\\@crm.example",
                     "marker": "crm.trip-1"},
            "find": {**imap, "marker": "crm.trip-1"},
            "other": {**imap, "marker": "crm.trip"},
        }, timeout="3s")
        self.check(probes, "other", "ok", "awaited since")
        self.check(probes, "send", "ok")
        wait_for(postfix.mails, 10, "the mail to arrive", interval=0.05)
        wait_for(lambda: "newest_age_seconds" in probes.run("find").metrics, 10, "the round trip")
        got = self.check(probes, "find", "ok", messages=0)
        self.assertLess(got.metrics["newest_age_seconds"], 4)
        self.assertEqual(postfix.mails(), [])
        wait_for(lambda: probes.run("find").reason == "stale", 10, "the last one to be too old")
        self.check(probes, "find", "stale", "was sent")
        self.check(probes, "other", "stale", "no mail marked 'crm.trip' has come")
        self.check(probes, "send", "ok")
        wait_for(lambda: probes.run("find").reason == "ok", 10, "the next one")


if __name__ == "__main__":
    unittest.main()
