# SPDX-License-Identifier: MIT
"""STARTTLS of the tls and tcp probes with postfix, dovecot, vsftpd, slapd, PostgreSQL, MariaDB, prosody."""

import glob
import os
import pwd
import shutil
import subprocess
import unittest

from postfix import Postfix
from probes import Authority, Odd, Probes, Server, answers, saying, silent, tcp_port
from snmpbox import Scratch


class StartTls(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.ca = Authority(self.scratch.file("ca"))
        self.pem, self.key = self.ca.issue("server", days=20)

    def own_key(self, folder, user):
        """The key again, where a server that runs as `user` may read it."""
        path = os.path.join(folder, "own.key")
        shutil.copy(self.key, path)
        entry = pwd.getpwnam(user)
        for name in (folder, path):
            os.chown(name, entry.pw_uid, entry.pw_gid)
        os.chmod(path, 0o600)
        return path

    def folder(self, name):
        path = self.scratch.file(name)
        os.makedirs(path, exist_ok=True)
        return path

    def smtp(self):
        postfix = Postfix(self.scratch)
        self.addCleanup(postfix.close)
        postfix.start()
        return {"port": postfix.port, "ca_file": f"{postfix.path}/ca.pem", "expires": "1d"}

    def dovecot(self):
        folder, imap, pop3 = self.folder("dovecot"), tcp_port(), tcp_port()
        config = self.scratch.file("dovecot.conf", f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
protocols = imap pop3
ssl = yes
ssl_cert = <{self.pem}
ssl_key = <{self.key}
default_internal_user = dovecot
passdb {{
  driver = static
  args = nopassword=y
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
""")
        Server(self, ["dovecot", "-F", "-c", config], lambda: answers(imap) and answers(pop3))
        return {"port": imap}, {"port": pop3}

    def ftp(self):
        port = tcp_port()
        config = self.scratch.file("vsftpd.conf", "\n".join([
            "listen=YES", "listen_address=127.0.0.1", f"listen_port={port}", "background=NO",
            "ssl_enable=YES", f"rsa_cert_file={self.pem}", f"rsa_private_key_file={self.key}",
            f"secure_chroot_dir={self.folder('empty')}", "seccomp_sandbox=NO", "ssl_ciphers=HIGH",
            "ftpd_banner=Two lines of\\nwelcome", "local_enable=YES"]) + "\n")
        Server(self, ["vsftpd", config], lambda: answers(port))
        return {"port": port}

    def ldap(self):
        folder, port = self.folder("slapd"), tcp_port()
        config = self.scratch.file("slapd.conf", f"""
include /etc/ldap/schema/core.schema
pidfile {folder}/pid
TLSCertificateFile {self.pem}
TLSCertificateKeyFile {self.key}
moduleload back_mdb
modulepath /usr/lib/ldap
database mdb
suffix "dc=test"
directory {folder}
""")
        Server(self, ["slapd", "-f", config, "-h", f"ldap://127.0.0.1:{port}", "-d", "0"],
               lambda: answers(port))
        return {"port": port}

    def postgres(self):
        folder, port = self.folder("pg"), tcp_port()
        key = self.own_key(folder, "postgres")
        bin_dir = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        subprocess.run([*as_user, f"{bin_dir}/initdb", "-A", "trust", "-N", "-D",
                        f"{folder}/data"], check=True, capture_output=True, cwd="/")
        Server(self, [*as_user, f"{bin_dir}/postgres", "-D", f"{folder}/data", "-p", str(port),
                      "-k", "", "-h", "127.0.0.1", "-c", "ssl=on", "-c", f"ssl_cert_file={self.pem}",
                      "-c", f"ssl_key_file={key}", "-c", "fsync=off"], lambda: answers(port),
               cwd="/")
        return {"port": port}

    def mysql(self):
        folder, port = self.folder("mysql"), tcp_port()
        key = self.own_key(folder, "mysql")
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", "--skip-test-db",
                        f"--datadir={folder}/data"], check=True, capture_output=True)
        Server(self, ["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={folder}/data",
                      f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket",
                      f"--ssl-cert={self.pem}", f"--ssl-key={key}",
                      f"--ssl-ca={self.ca.path('ca.pem')}"], lambda: answers(port))
        return {"port": port}

    def xmpp(self):
        folder, port = self.folder("prosody"), tcp_port()
        key = self.own_key(folder, "prosody")
        config = self.scratch.file("prosody.cfg.lua", f"""
pidfile = "{folder}/pid"
data_path = "{folder}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
modules_enabled = {{ "tls", "saslauth" }}
modules_disabled = {{ "s2s" }}
c2s_require_encryption = true
ssl = {{ certificate = "{self.pem}", key = "{key}" }}
log = {{ info = "{folder}/log" }}
VirtualHost "localhost"
""")
        Server(self, ["setpriv", "--reuid=prosody", "--regid=prosody", "--init-groups", "prosody",
                      "--config", config, "-F"], lambda: answers(port), cwd="/")
        return {"port": port, "tls_name": "localhost"}

    def check(self, probes, name, reason, words=""):
        got = probes.run(name)
        self.assertEqual(got.reason, reason, (name, got))
        self.assertIn(words, got.text, (name, got))
        return got

    def test_real_servers(self):
        imap, pop3 = self.dovecot()
        servers = {"smtp": self.smtp(), "imap": imap, "pop3": pop3, "ftp": self.ftp(),
                   "ldap": self.ldap(), "postgres": self.postgres(), "mysql": self.mysql(),
                   "xmpp": self.xmpp()}
        checks = {name: {"probe": "tls", "starttls": name, "host": "127.0.0.1", "expires": "1d",
                         "ca_file": self.ca.path("ca.pem"), **options}
                  for name, options in servers.items()}
        checks["soon"] = {**checks["imap"], "expires": "60d"}
        checks["stranger"] = {**checks["smtp"], "ca_file": self.ca.path("ca.pem")}
        # After STARTTLS the words go on in TLS.
        more = {key: value for key, value in checks["smtp"].items() if key != "expires"}
        checks["smtp-words"] = {**more, "probe": "tcp", "send": "EHLO me\\r\\n",
                                "expect": "^250[ -]SIZE|\\n250[ -]SIZE", "quit": "QUIT\\r\\n"}
        probes = Probes(self, checks, timeout="3s")
        for name in servers:
            got = self.check(probes, name, "ok", "TLSv1.")
            self.assertGreater(got.metrics["certificate_days"], 1)
            self.assertGreater(got.metrics["tls_seconds"], 0)
        self.check(probes, "soon", "tls-expires", "'server' ends in")
        self.check(probes, "stranger", "tls-untrusted")
        self.check(probes, "smtp-words", "ok")

    def test_moods(self):
        injected = b"220 mx\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n"
        odd = {
            "smtp-none": ("smtp", saying(b"220 mx\r\n250-mx\r\n250 SIZE\r\n")),
            "smtp-refuses": ("smtp", saying(b"220 mx\r\n250 STARTTLS\r\n454 not now\r\n")),
            "smtp-busy": ("smtp", saying(b"421 too many\r\n")),
            "smtp-injects": ("smtp", saying(injected)),
            "imap-other": ("imap", saying(b"220 mail\r\n")),
            "imap-busy": ("imap", saying(b"* BYE too many\r\n")),
            "pop3-refuses": ("pop3", saying(b"+OK\r\n-ERR no\r\n")),
            "ftp-refuses": ("ftp", saying(b"220 ftp\r\n530 no\r\n")),
            "ldap-garbage": ("ldap", saying(b"hello there")),
            "postgres-none": ("postgres", saying(b"N")),
            "postgres-garbage": ("postgres", saying(b"HTTP/1.0 400\r\n")),
            "mysql-garbage": ("mysql", saying(b"\x05\0\0\0hello")),
            "mysql-full": ("mysql", saying(b"\x17\0\0\0\xff\x10\x04Too many connections")),
            "xmpp-none": ("xmpp", saying(b"<stream:features></stream:features>")),
            "silent": ("smtp", silent),
            "endless": ("imap", saying(b"x" * 70000)),
        }
        probes = Probes(self, {name: {"probe": "tls", "starttls": protocol, "host": "127.0.0.1",
                                      "port": Odd(self, talk).port}
                               for name, (protocol, talk) in odd.items()}, timeout="600ms")
        self.check(probes, "smtp-none", "tls-failed", "offers no STARTTLS")
        self.check(probes, "smtp-refuses", "tls-failed", "refuses STARTTLS")
        self.check(probes, "smtp-busy", "connections-full", "turns us away")
        self.check(probes, "smtp-injects", "protocol", "more than it may before TLS")
        self.check(probes, "imap-other", "protocol", "not of this protocol")
        self.check(probes, "imap-busy", "connections-full")
        self.check(probes, "pop3-refuses", "tls-failed")
        self.check(probes, "ftp-refuses", "tls-failed")
        self.check(probes, "ldap-garbage", "protocol")
        self.check(probes, "postgres-none", "tls-failed", "has no TLS")
        self.check(probes, "postgres-garbage", "protocol")
        self.check(probes, "mysql-garbage", "protocol")
        self.check(probes, "mysql-full", "connections-full")
        self.check(probes, "xmpp-none", "tls-failed")
        self.check(probes, "silent", "too-slow", "asking for TLS")
        self.check(probes, "endless", "protocol", "too long")


if __name__ == "__main__":
    unittest.main()
