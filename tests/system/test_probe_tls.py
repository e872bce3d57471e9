# SPDX-License-Identifier: MIT
"""The tls probe, and TLS of the tcp probe, against openssl s_server with a private authority."""

import os
import subprocess
import unittest

from probes import (Authority, Odd, Probes, Server, Slow, answers, full_backlog, hanging_up, saying,
                    silent, tcp_port)
from snmpbox import Scratch


class Tls(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.ca = Authority(self.scratch.file("ca"))

    def serve(self, cert, *more, address="127.0.0.1"):
        """The port of an s_server of its own."""
        port = tcp_port(address)
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.server = Server(
            self, ["openssl", "s_server", "-accept", where, "-cert", cert[0], "-key", cert[1],
                   "-quiet", *more], lambda: answers(port, address))
        return port

    def staple(self, cert, name, status, days="7"):
        """An OCSP answer about `cert`, signed by the authority."""
        revoked = {"good": "V\t301231235959Z\t\t", "revoked": "R\t301231235959Z\t260101000000Z\t"}
        serial = self.serial(cert)
        index = self.ca.database(f"{name}.txt", f"{revoked[status]}{serial}\tunknown\t/CN={name}\n")
        before = ["faketime", "-f", "-10d"] if days == "old" else []
        subprocess.run(before + ["openssl", "ocsp", "-index", index, "-rsigner", "ca.pem", "-rkey",
                                 "ca.key", "-CA", "ca.pem", "-issuer", "ca.pem", "-cert", cert,
                                 "-ndays", "3" if days == "old" else days, "-respout",
                                 f"{name}.der", "-noverify"],
                       cwd=self.ca.folder, check=True, capture_output=True)
        return self.ca.path(f"{name}.der")

    def serial(self, cert):
        return subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-serial"], check=True,
                              capture_output=True, text=True).stdout.strip().split("=")[1]

    def check(self, probes, name, reason, words="", **metrics):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, got)
        self.assertIn(words, got.text, got)
        for metric, wanted in metrics.items():
            self.assertAlmostEqual(got.metrics[metric], wanted, delta=0.1, msg=got)
        return got

    def test_strength(self):
        """What is too weak is told, and what would take us too long is not gone along with."""
        rsa, short = ("rsa:2048",), ("rsa:1024",)
        old = ("-tls1_2", "-cipher", "kDHE:@SECLEVEL=0")
        strong = self.ca.issue("strong", days=90, key=rsa)
        checks = {
            "strong": self.serve(strong),
            "short": self.serve(self.ca.issue("short", days=90, key=short), "-cipher",
                                "DEFAULT:@SECLEVEL=0"),
            "sha1": self.serve(self.ca.issue("sha1", days=90, key=rsa, digest="-sha1"), "-cipher",
                               "DEFAULT:@SECLEVEL=0"),
            "dh": self.serve(strong, *old),
            "long": self.serve(strong, *old, "-dhparam", self.ca.long_dh()),
        }
        given = {"probe": "tls", "host": "127.0.0.1", "ca_file": self.ca.path("ca.pem")}
        checks = {name: {**given, "port": port} for name, port in checks.items()}
        checks["taken"] = {**checks["short"], "tls_floor": "1.1"}
        checks["tcp"] = {**checks["long"], "probe": "tcp", "tls": "yes"}
        probes = Probes(self, checks, timeout="5s")
        self.check(probes, "strong", "ok")
        self.check(probes, "dh", "ok", "DHE-RSA")
        self.check(probes, "long", "tls-weak", "key exchange")
        self.check(probes, "tcp", "tls-weak", "key exchange")
        self.check(probes, "short", "tls-weak", "the key of 'short' has 1024 bits")
        self.check(probes, "sha1", "tls-weak", "'sha1' is signed with")
        self.check(probes, "taken", "ok")

    def test_moods(self):
        good = self.ca.issue("good", days=90)
        local = {"host": "127.0.0.1"}
        soon, ended = self.ca.issue("soon", days=5), self.ca.issue("ended", days=-3)
        other = self.ca.issue("other", names="DNS:other.example,DNS:www.other.example")
        must = self.ca.issue("must", days=90, more="tlsfeature=status_request")
        stranger = Authority(self.scratch.file("stranger")).issue("stranger", days=90)
        checks = {
            "good": {**local, "port": self.serve(good)},
            "v6": {"host": "::1", "port": self.serve(good, address="::1")},
            "soon": {**local, "port": self.serve(soon), "critical.certificate_days": "1:"},
            "soon-critical": {**local, "port": self.serve(soon), "critical.chain_days": "7:"},
            "ended": {**local, "port": self.serve(ended)},
            "other": {**local, "port": self.serve(other)},
            "named": {**local, "port": self.serve(other), "tls_name": "www.other.example"},
            "stranger": {**local, "port": self.serve(stranger)},
            "system": {**local, "port": self.serve(good), "ca_file": None},
            "weak": {**local, "port": self.serve(good, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")},
            "taken": {**local, "port": self.serve(good, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                      "tls_floor": "1.1"},
            "bits": {**local, "min_cipher_bits": 256, "port": self.serve(
                good, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")},
            "refuses": {**local, "port": self.serve(good), "older_refused": "yes"},
            "still": {**local, "older_refused": "yes", "port": self.serve(
                good, "-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1")},
            "still-1.2": {**local, "older_refused": "yes", "tls_floor": "1.3",
                          "port": self.serve(good)},
            "no-file": {**local, "port": self.serve(good), "ca_file": "/nowhere/ca.pem"},
            "must": {**local, "port": self.serve(must)},
            "no-staple": {**local, "port": self.serve(good), "ocsp": "require"},
            "stapled": {**local, "ocsp": "require", "port": self.serve(
                good, "-status_file", self.staple(good[0], "good", "good"))},
            "revoked": {**local, "port": self.serve(
                good, "-status_file", self.staple(good[0], "bad", "revoked"))},
            "old-staple": {**local, "port": self.serve(
                good, "-status_file", self.staple(good[0], "old", "good", "old"))},
            "other-staple": {**local, "port": self.serve(
                good, "-status_file", self.staple(soon[0], "soon", "good"))},
            "plain": {**local, "port": Odd(self, saying(b"220 hello\r\n")).port},
            "silent": {**local, "port": Odd(self, silent).port},
            "hang-up": {**local, "port": Odd(self, hanging_up).port},
            "half-open": {**local, "port": full_backlog(self)},
            "client": {**local, "port": self.serve(good, "-Verify", "1", "-CAfile",
                                                   self.ca.path("ca.pem"), "-www"),
                       "probe": "tcp", "tls": "yes", "send": "GET / HTTP/1.0\\r\\n\\r\\n",
                       "expect": "200"},
            "no-client": {**local, "probe": "tcp", "tls": "yes", "expect": "200"},
            "web": {**local, "port": self.serve(good, "-www"), "probe": "tcp", "tls": "yes",
                    "send": "GET / HTTP/1.0\\r\\n\\r\\n", "expect": "^HTTP/1.0 200"},
            "plain6": {"host": "::1", "port": Odd(self, saying(b"220 hello\r\n"), "::1").port},
            "slow": {**local, "critical.tls_seconds": 0.1,
                     "port": Slow(self, self.serve(good)).port},
            "wants": {**local, "port": self.serve(
                good, "-Verify", "1", "-CAfile", self.ca.path("ca.pem"))},
            "wants-old": {**local, "port": self.serve(
                good, "-Verify", "1", "-CAfile", self.ca.path("ca.pem"), "-tls1_2")},
        }
        checks["no-client-old"] = {**checks["wants-old"], "probe": "tcp", "tls": "yes",
                                   "expect": "200"}
        checks["dying"] = {**local, "port": self.serve(good)}
        dying = self.server
        checks["dying6"] = {"host": "::1", "port": self.serve(good, address="::1")}
        dying6 = self.server
        checks["slow6"] = {**checks["dying6"], "critical.tls_seconds": 0.1,
                           "port": Slow(self, checks["dying6"]["port"], "::1").port}
        with open(self.scratch.file("both.pem"), "w", encoding="utf-8") as both:
            for path in good:
                with open(path, encoding="utf-8") as file:
                    both.write(file.read())
        os.chmod(both.name, 0o600)
        checks["client"]["client_certificate"] = f"file:{both.name}"
        checks["no-client"]["port"] = checks["client"]["port"]
        for name, options in checks.items():
            options = {"probe": "tls", "ca_file": self.ca.path("ca.pem"), **options}
            checks[name] = {key: value for key, value in options.items() if value is not None}
        probes = Probes(self, checks, timeout="800ms")

        self.check(probes, "good", "ok", "'good' by 'Test CA'", certificate_days=90,
                   chain_days=30, tls_version=1.3, cipher_bits=256)
        self.check(probes, "v6", "ok")
        self.assertEqual(self.check(probes, "soon", "tls-expires", "ends in 5.0 days",
                                    certificate_days=5).state, "warning")
        self.assertEqual(self.check(probes, "soon-critical", "tls-expires").state, "critical")
        self.check(probes, "ended", "tls-expired", "ended 3.0 days ago", certificate_days=-3)
        self.check(probes, "other", "tls-name", "not for '127.0.0.1' but for other.example, www.")
        self.check(probes, "named", "ok")
        self.check(probes, "stranger", "tls-untrusted", "unable to get local issuer")
        self.check(probes, "system", "tls-untrusted")
        self.check(probes, "weak", "tls-weak", "TLSv1.1 at best, the floor is TLSv1.2")
        self.check(probes, "taken", "ok", "TLSv1.1", tls_version=1.1)
        self.check(probes, "bits", "tls-weak", "has 128 bits, the floor is 256")
        self.check(probes, "refuses", "ok", "; nothing older", tls_version=1.3,
                   certificate_days=90)
        self.check(probes, "still", "tls-weak", "still speaks TLSv1.1", tls_version=1.3,
                   certificate_days=90)
        self.check(probes, "still-1.2", "tls-weak", "still speaks TLSv1.2")
        self.check(probes, "no-file", "no-evidence", "/nowhere/ca.pem")
        self.check(probes, "must", "tls-untrusted", "though its certificate says that it must")
        self.check(probes, "no-staple", "tls-untrusted", "staples no OCSP answer")
        self.check(probes, "stapled", "ok", "stapled", ocsp_days=7)
        self.check(probes, "revoked", "tls-revoked", "'good' is revoked")
        self.check(probes, "old-staple", "tls-untrusted", "the OCSP staple ended 7.0 days ago")
        self.check(probes, "other-staple", "tls-untrusted", "about another certificate")
        self.check(probes, "plain", "tls-failed", "does not answer in TLS")
        self.check(probes, "silent", "too-slow", "in the TLS handshake")
        self.check(probes, "hang-up", "tls-failed")
        self.check(probes, "half-open", "connect-timeout")
        self.check(probes, "client", "ok", "200")
        self.check(probes, "no-client", "auth-failed", "wants a certificate of ours")
        self.check(probes, "web", "ok", "HTTP/1.0 200", certificate_days=90)
        self.check(probes, "slow", "threshold", "tls_seconds")
        self.check(probes, "slow6", "threshold", "tls_seconds")
        self.check(probes, "plain6", "tls-failed", "does not answer in TLS")
        # TLS 1.3 shakes hands with anybody: that it wants to know who we are is seen by talking.
        self.check(probes, "wants", "ok")
        self.check(probes, "wants-old", "auth-failed", "wants a certificate of ours")
        self.check(probes, "no-client-old", "auth-failed", "wants a certificate of ours")
        for name, server in (("dying", dying), ("dying6", dying6)):
            with server.frozen():
                self.check(probes, name, "too-slow", "in the TLS handshake")
            self.check(probes, name, "ok")
            server.kill()
            self.check(probes, name, "connect-refused")


if __name__ == "__main__":
    unittest.main()
