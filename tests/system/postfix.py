# SPDX-License-Identifier: MIT
"""A real postfix as plain processes: configuration, queue and mailboxes in a folder of the test's own,
one port on loopback. Who may log in, and who is refused for now or for good, is said by threads of ours
that postfix asks (its policy and its authentication protocols)."""

import base64
import email
import email.policy
import os
import pwd
import socket
import socketserver
import subprocess
import threading

MASTER = """
{port} inet n - n - - smtpd
{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {path}/queue
data_directory = {path}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {path}/postfix.log
maillog_file_prefixes = {path}
inet_interfaces = 127.0.0.1, ::1
inet_protocols = all
myhostname = mx.crm.example
mydestination =
mynetworks = 127.0.0.0/8, [::1]/128
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = crm.example
virtual_mailbox_base = {path}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_peername_lookup = no
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{policy}, {login}permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_tls_cert_file = {path}/mx.pem
smtpd_tls_key_file = {path}/mx.key
smtpd_tls_security_level = {tls}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = {sasl}
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_relay_restrictions = permit_mynetworks, reject
"""


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def make_ca(path, name="mx.crm.example"):
    """ca.pem, mx.pem, mx.key: a private authority and what it says of `name` and 127.0.0.1."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=path)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", "mx.key",
            "-out", "mx.csr")
    with open(f"{path}/mx.ext", "w", encoding="ascii") as file:
        file.write(f"subjectAltName = DNS:{name}, IP:127.0.0.1, IP:::1\n")
    openssl("x509", "-req", "-in", "mx.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "mx.ext", "-out", "mx.pem")


class Asked(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Postfix:
    def __init__(self, scratch, login=None, tls="may"):
        """login: (user, password), asked for then; tls: smtpd_tls_security_level."""
        self.path = scratch.file("postfix")
        self.login = login
        self.tls = tls
        self.refusals = {}  # address: what postfix answers to its RCPT
        self.asked = []     # addresses, each time
        user = pwd.getpwnam("nobody")
        os.mkdir(self.path, 0o755)
        for name in ("queue", "data", "mail"):
            os.mkdir(f"{self.path}/{name}", 0o755)
        owner = pwd.getpwnam("postfix")
        os.chown(f"{self.path}/data", owner.pw_uid, owner.pw_gid)
        os.chown(f"{self.path}/mail", user.pw_uid, user.pw_gid)
        make_ca(self.path)
        self.policy = Asked(self.policy_handler())
        self.auth = Asked(self.auth_handler())
        self.port, self.tls_port = free_ports(2)
        self.uid, self.gid = user.pw_uid, user.pw_gid
        self.running = False

    def policy_handler(outer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                asked = {}
                for line in self.rfile:
                    name, _, value = line.decode().strip().partition("=")
                    if name:
                        asked[name] = value
                        continue
                    address = asked.get("recipient", "")
                    outer.asked.append(address)
                    answer = outer.refusals.get(address, "dunno")
                    self.wfile.write(f"action={answer}\n\n".encode())
                    asked = {}
        return Handler

    def auth_handler(outer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
                                 b"COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")
                for line in self.rfile:
                    words = line.decode().rstrip("\n").split("\t")
                    said = [word[5:] for word in words if word.startswith("resp=")]
                    if words[0] == "AUTH" and not said:
                        self.wfile.write(f"CONT\t{words[1]}\t\n".encode())
                    elif words[0] in ("AUTH", "CONT"):
                        self.judge(words[1], (said or words[2:])[0])

            def judge(self, number, response):
                given = base64.b64decode(response).decode().split("\0")[1:]
                good = outer.login and tuple(given) == outer.login
                self.wfile.write(f"{'OK' if good else 'FAIL'}\t{number}\tuser={given[0]}\n".encode())
        return Handler

    def start_again(self):
        self.stop()
        self.start()

    def start(self):
        values = dict(path=self.path, port=self.port, tls_port=self.tls_port, uid=self.uid, gid=self.gid,
                      policy=self.policy.server_address[1], auth=self.auth.server_address[1],
                      sasl="yes" if self.login else "no", tls=self.tls,
                      login="permit_sasl_authenticated, reject, " if self.login else "")
        for name, text in (("main.cf", MAIN), ("master.cf", MASTER)):
            with open(f"{self.path}/{name}", "w", encoding="ascii") as file:
                file.write(text.format(**values))
        done = subprocess.run(["postfix", "-c", self.path, "start"], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr + self.log()
        self.running = True

    def stop(self):
        if self.running:
            subprocess.run(["postfix", "-c", self.path, "stop"], capture_output=True, check=False)
        self.running = False

    def close(self):
        self.stop()
        self.policy.close()
        self.auth.close()

    def log(self):
        try:
            with open(f"{self.path}/postfix.log", encoding="utf-8", errors="replace") as file:
                return file.read()[-4000:]
        except FileNotFoundError:
            return ""

    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    def mails(self):
        """All that arrived, by when they did."""
        found = []
        folder = f"{self.path}/mail/all/new"
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = file.read()
            mail = email.message_from_bytes(data, policy=email.policy.default)
            mail.raw = data
            found.append((os.stat(path).st_mtime_ns, mail))
        return [mail for _, mail in sorted(found, key=lambda one: one[0])]
