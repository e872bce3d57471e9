# SPDX-License-Identifier: MIT
"""Checks of real servers: a tendd with the checks of one test, run on demand, and servers in moods.

`Probes(test, {"name": {"probe": "tcp", ...}})` starts it; `run("name")` runs the check now and
gives (reason, text, metrics). `Server` starts a program and can freeze and kill it; `Slow` stands
before a real server and makes it slow; `Odd` is a server of ours that is silent or talks garbage, on
IPv4 and IPv6.
"""

import base64
import collections
import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from inbox import BUILD, Tendd
from snmpbox import end, free_port
from tendbox import wait_for

Outcome = collections.namedtuple("Outcome", "reason text metrics state")


def tcp_port(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return free_port(family, address, socket.SOCK_STREAM)


def answers(port, address="127.0.0.1"):
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), 1).close()
        return True
    return False


@functools.cache
def tables(probe):
    """(names of metrics, names of reasons) that the plugin says it can give."""
    done = subprocess.run(
        [os.path.join(BUILD, "daemon/try/tend-try"), "show", "--json", probe], check=True,
        capture_output=True, text=True,
        env={**os.environ, "TEND_PLUGINDIR": os.path.join(BUILD, "plugins")})
    doc = json.loads(done.stdout)
    return ({metric["name"] for metric in doc["metrics"]},
            {reason["name"] for reason in doc["reasons"]})


def check_tables(row):
    """A name in capitals stands for any."""
    metrics, reasons = tables(row["probe"])
    assert row["reason"] in reasons, f"{row['probe']} does not tell of its reason {row['reason']}"
    if all(name.islower() for name in metrics):
        given = {metric["name"] for metric in row.get("metrics", [])}
        assert given <= metrics, f"{row['probe']} does not tell of its metrics {given - metrics}"


def patience():
    """A mood lasts as long as the attempt may: so that is short, but longer on a machine that has
    more to do than it can, where what is well needs longer, too."""
    return min(max(os.getloadavg()[0] / os.cpu_count() / 2, 1), 5)


class Probes:
    """`@` in a value is the test's folder, with a slash."""

    def __init__(self, test, checks, timeout="1s", more=""):
        body = ["[system s]", "environment = production", "[component s/c]", "kind = web"]
        factor = patience()
        for name, options in checks.items():
            options = {"timeout": timeout, **options}
            number, unit = re.fullmatch(r"([0-9]+)(m?s)", options["timeout"]).groups()
            options["timeout"] = f"{round(int(number) * factor * (1000 if unit == 's' else 1))}ms"
            body += [f"[check s/c/{name}]", "interval = 1h"]
            body += [f"{key} = {value}" for key, value in options.items()]
        self.tendd = Tendd(test, "\n".join(body) + "\n" + more)
        self.path = self.tendd.path

    def run(self, name):
        status, row = self.tendd.request("POST", f"/v1/checks/s/c/{name}/run", body={})
        assert status == 200, (status, row)
        check_tables(row)
        metrics = {}
        for metric in row.get("metrics", []):
            key = metric["name"]
            if metric.get("instance"):
                key += "/" + metric["instance"]
            metrics[key] = metric["value"]
        return Outcome(row["reason"], row["text"], metrics, row["now"])


class Server:
    """A program that serves: started, awaited, frozen, killed."""

    def __init__(self, test, argv, ready, **more):
        self.argv, self.ready, self.more = argv, ready, more
        self.process = None
        test.addCleanup(self.stop)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, start_new_session=True,
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **self.more})
        wait_for(lambda: self.ready() or self.ended(), 15, f"{self.argv[0]} to serve",
                 interval=0.02)

    def ended(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.argv} ended with {self.process.returncode}")
        return False

    def signal(self, number):
        """To all its processes: it has a session of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process:
            end(self.process)
            self.signal(signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self):
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)


class Odd:
    """Calls talk(sock) for each connection, on IPv4 or IPv6; never in TLS."""

    def __init__(self, test, talk, address="127.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]
        self.talk = talk
        self.open = []
        test.addCleanup(self.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.open.append(sock)
            threading.Thread(target=self.serve_one, args=(sock,), daemon=True).start()

    def serve_one(self, sock):
        with contextlib.suppress(OSError):
            self.talk(sock)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for sock in self.open:
            sock.close()


class Slow(Odd):
    """Before a real server: whatever it says comes `delay` seconds late."""

    def __init__(self, test, port, address="127.0.0.1", delay=0.15):
        self.to, self.delay = (address, port), delay
        super().__init__(test, self.between, address)

    def between(self, sock):
        with socket.create_connection(self.to) as server:
            threading.Thread(target=self.pass_on, args=(server, sock, self.delay),
                             daemon=True).start()
            self.pass_on(sock, server, 0)

    @staticmethod
    def pass_on(source, target, delay):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(delay)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class OddUdp:
    """Answers each datagram with what reply(datagram) gives; None: not at all."""

    def __init__(self, test, reply, address="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                    socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.reply = reply
        self.n = 0
        test.addCleanup(self.socket.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(4096)
                self.n += 1
                answer = self.reply(data)
                if answer is not None:
                    self.socket.sendto(answer, peer)
            except OSError:
                return


class SlowUdp(OddUdp):
    """Before a real server: each of its answers comes `delay` seconds late."""

    def __init__(self, test, port, address="127.0.0.1", delay=0.15):
        self.to, self.delay = (address, port), delay
        super().__init__(test, self.ask, address)

    def ask(self, data):
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as server:
            server.settimeout(5)
            server.sendto(data, self.to)
            answer = server.recv(4096)
        time.sleep(self.delay)
        return answer


def silent(sock):
    """Takes what comes and says nothing until the other side goes."""
    while sock.recv(4096):
        pass


def saying(data):
    """Says it and then nothing more."""
    def talk(sock):
        sock.sendall(data)
        silent(sock)
    return talk


def hanging_up(sock):
    sock.close()


def full_backlog(test):
    """A port whose queue is full: no SYN is answered."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(server.getsockname())
        waiting.append(sock)
    test.addCleanup(server.close)
    for sock in waiting:
        test.addCleanup(sock.close)
    return server.getsockname()[1]


class Authority:
    """A private certificate authority and what it signs, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA",
                     "-days", "30")
        self.database("index.txt", "")

    def path(self, name):
        return os.path.join(self.folder, name)

    def database(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def openssl(self, *argv, **more):
        subprocess.run(["openssl", *argv], cwd=self.folder, check=True, capture_output=True,
                       **more)

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1,IP:::1", days=30, more="",
              key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), digest="-sha256"):
        """NAME.pem and NAME.key; `days` may be negative: it ended then."""
        self.database(f"{name}.ext", f"subjectAltName={names}\n{more}\n")
        self.openssl("req", "-new", "-newkey", *key, "-nodes", "-keyout", f"{name}.key", "-out",
                     f"{name}.csr", "-subj", f"/CN={name}")
        argv = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem", digest]
        if days < 0:
            self.openssl_then(argv + ["-days", "1"], days)
        else:
            self.openssl(*argv, "-days", str(days))
        return self.path(f"{name}.pem"), self.path(f"{name}.key")

    def long_dh(self):
        """Parameters of Diffie-Hellman with which a handshake takes a client a second."""
        asn1 = "asn1=SEQUENCE:dh\n[dh]\np=INTEGER:0x" + f"{2 ** 9689 - 1:x}" + "\ng=INTEGER:5\n"
        self.openssl("asn1parse", "-genconf", self.database("dh.cnf", asn1), "-noout", "-out",
                     "dh.der")
        with open(self.path("dh.der"), "rb") as der:
            text = base64.encodebytes(der.read()).decode()
        return self.database("dh.pem", f"-----BEGIN DH PARAMETERS-----\n{text}"
                             "-----END DH PARAMETERS-----\n")

    def openssl_then(self, argv, days):
        """As if today were `days` + 1 days earlier; openssl x509 of Debian 12 has no -not_after."""
        subprocess.run(["faketime", f"{days - 1} days", "openssl", *argv], cwd=self.folder,
                       check=True, capture_output=True)
